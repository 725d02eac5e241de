//! A caller whom an agent's phone has held for too long: that phone rings again (`hold.ring_s`). Whoever answers it goes on with the
//! caller by that ring, and the session that held is over; whoever takes the held call back instead is rung no more.
//!
//! A tone cannot reach a phone that holds, and phones show nothing for a NOTIFY or an INFO that they did not ask for: a second call is
//! what every phone tells its owner of.

use super::Call;
use super::conference::{Gone, Part, Stage, Third};
use super::fact::{RingResult, What};
use super::leg::{Action, Callee, Parting};
use super::talking::{Stage as TalkingStage, Talking};
use crate::clock::Now;
use crate::ids::{AgentNo, Side};
use crate::limits;

impl Call {
    /// The phone rings again, unless it rings already. Whoever only keeps the voice back has heard the tones.
    pub(super) fn ring_holder(&mut self, talking: &mut Talking, at: Now) {
        let Some(agent) = holder(talking) else { return };
        if rung(talking).is_some() || talking.conference.beside.len() >= limits::CONFERENCE {
            return;
        }
        let attempt = talking.next_attempt();
        self.fact(at, What::HolderRung { attempt, agent: agent.clone() });
        self.actions.push_back(Action::OpenAgent { attempt, agent: agent.clone() });
        self.actions.push_back(Action::SetBeside { attempt });
        talking.conference.beside.insert(attempt, Third { part: Part::Holder { agent }, stage: Stage::Arriving });
    }

    /// The caller is held no more, or is with nobody.
    pub(super) fn stop_ringing_holder(&mut self, talking: &mut Talking, at: Now) {
        if let Some(attempt) = rung(talking) {
            self.dismiss(talking, attempt, at, Gone::Failed(RingResult::LostRace, None));
        }
    }

    /// The agent goes on with the phone that rang.
    pub(super) fn holder_answers(&mut self, talking: &mut Talking, attempt: u32, at: Now) {
        let Some(agent) = holder(talking) else {
            return self.dismiss(talking, attempt, at, Gone::Failed(RingResult::LostRace, None));
        };
        talking.conference.beside.remove(&attempt);
        if talking.unhold(at) {
            self.fact(at, What::HoldEnded { by: Side::Agent });
        }
        self.fact(at, Callee::Agent(agent).answered(attempt));
        let held = std::mem::replace(&mut talking.attempt, attempt);
        talking.silent.remove(&Side::Agent);
        self.actions.push_back(Action::ReleaseAgent { attempt: held, parting: Parting::Elsewhere });
        self.actions.push_back(Action::Bridge { attempt, connected: at });
    }
}

/// The agent whose phone holds the caller.
fn holder(talking: &Talking) -> Option<AgentNo> {
    let holds = matches!(talking.stage, TalkingStage::Connected) && talking.held.contains(&Side::Agent);
    match &talking.callee {
        Callee::Agent(agent) if holds => Some(agent.clone()),
        Callee::Agent(_) | Callee::Target(_) => None,
    }
}

/// By which attempt it rings.
fn rung(talking: &Talking) -> Option<u32> {
    let mut beside = talking.conference.beside.iter();
    beside.find(|(_, third)| matches!(third.part, Part::Holder { .. })).map(|(attempt, _)| *attempt)
}
