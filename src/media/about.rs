//! What an order is about: the one list of orders that name their call, and of those that name only a leg.

use super::Command;
use crate::ids::{CallId, LegId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Call(CallId),
    /// Whoever opened the leg knows of which call it is.
    Leg(LegId),
}

impl Command {
    pub fn about(&self) -> About {
        match self {
            Command::Remote { leg, .. }
            | Command::Ringback { leg, .. }
            | Command::Press { leg, .. }
            | Command::CloseLeg { leg } => About::Leg(*leg),
            Command::Open { call, .. }
            | Command::Bridge { call, .. }
            | Command::Attend { call, .. }
            | Command::Play { call, .. }
            | Command::Park { call, .. }
            | Command::Mute { call, .. }
            | Command::Pause { call, .. }
            | Command::GuardKeys { call, .. }
            | Command::Keyed { call, .. }
            | Command::Unrecord { call }
            | Command::Cue { call, .. }
            | Command::Warn { call }
            | Command::Hush { call }
            | Command::Listen { call }
            | Command::Admit { call, .. }
            | Command::Tell { call, .. }
            | Command::CloseCall { call, .. } => About::Call(*call),
        }
    }
}
