//! Which session of ours an INVITE with Replaces is to take the place of (RFC 3891 section 3).

use std::collections::VecDeque;
use std::hash::{Hash as _, Hasher as _};

use super::session::{Cancel, Phase, Session};
use super::{Endpoint, SessionId};
use crate::protocol::sip::dialog::DialogId;
use crate::protocol::sip::replaces::Replaces;

/// Dialogs that have ended and are still told apart from those that never were.
const ENDED: usize = 1_024;

/// What a Replaces names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    Confirmed(SessionId),
    /// Our INVITE, which nobody has answered yet.
    Early(SessionId),
    /// It was there and has ended: 603.
    Over,
    /// Nothing that may be replaced, and so is an early dialog of theirs: 481.
    Nothing,
}

/// The last dialogs that have ended, by a hash: a Call-ID may be long.
#[derive(Debug, Default)]
pub(super) struct Ended(VecDeque<u64>);

impl Endpoint {
    /// Whether the owner lets it be replaced is its own matter; `early-only` is part of that.
    pub fn replaced(&self, replaces: &Replaces) -> Replaced {
        let dialog = replaces.dialog_id();
        let Some(id) = self.session_of(&dialog) else {
            let over = self.ended.0.contains(&self.dialog_hash(&dialog));
            return if over { Replaced::Over } else { Replaced::Nothing };
        };
        match self.sessions.get(&id).map(|session| &session.phase) {
            Some(Phase::Established | Phase::Reoffered { .. }) => Replaced::Confirmed(id),
            Some(Phase::Outgoing { cancel: Cancel::No, .. }) => Replaced::Early(id),
            Some(Phase::Outgoing { .. } | Phase::Ending) => Replaced::Over,
            Some(Phase::Incoming { .. }) | None => Replaced::Nothing,
        }
    }

    pub(super) fn note_ended(&mut self, session: &Session) {
        let Some(dialog) = session.dialog.as_ref().filter(|_| !matches!(session.phase, Phase::Incoming { .. })) else {
            return;
        };
        let hash = self.dialog_hash(&dialog.id);
        let ended = &mut self.ended.0;
        ended.truncate(ENDED - 1);
        ended.push_front(hash);
    }

    fn dialog_hash(&self, dialog: &DialogId) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        (self.tag_secret, &dialog.call_id, &dialog.local_tag, &dialog.remote_tag).hash(&mut hasher);
        hasher.finish()
    }
}
