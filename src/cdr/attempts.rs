//! The rings of a call: who was rung, for how long, and how each ring ended. Every ring of an agent's phone ends in one way.

use serde::{Deserialize, Serialize};

use crate::call::fact::{Fact, RingResult, What};
use crate::call::leg::Callee;
use crate::cdr::words;
use crate::clock::Stamp;
use crate::ids::{AgentNo, TargetName};

words! {
    /// How a ring ended.
    RingEnd {
        /// The 2xx was read (of several who ring together: it won).
        Answered "answered",
        /// `ring_s` passed.
        NoAnswer "no_answer",
        Busy "busy",
        /// By a person.
        Declined "declined",
        Unreachable "unreachable",
        /// Another one answered: nobody's fault.
        LostRace "lost_race",
        /// A colleague took it from another phone.
        PickedUp "picked_up",
        /// The caller left first.
        CallerLeft "caller_left",
        /// The gateway had no port or could not send.
        Fault "fault",
        /// In an emergency it was picked up, and nobody confirmed.
        Unconfirmed "unconfirmed",
    }
}

impl From<RingResult> for RingEnd {
    fn from(result: RingResult) -> RingEnd {
        match result {
            RingResult::NoAnswer => RingEnd::NoAnswer,
            RingResult::Busy => RingEnd::Busy,
            RingResult::Declined => RingEnd::Declined,
            RingResult::Unreachable => RingEnd::Unreachable,
            RingResult::LostRace => RingEnd::LostRace,
            RingResult::CallerLeft => RingEnd::CallerLeft,
            RingResult::Fault => RingEnd::Fault,
            RingResult::Unconfirmed => RingEnd::Unconfirmed,
        }
    }
}

/// One ring of one phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counted from 1 over the whole call.
    pub attempt: u32,
    /// One of the two is null.
    pub agent: Option<AgentNo>,
    pub target: Option<TargetName>,
    /// From the INVITE to the end of the ring; null while it rings, and across a crash.
    pub ring_ms: Option<u64>,
    /// Null while it rings, and when a crash cut it.
    pub end: Option<RingEnd>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Attempts(Vec<Ring>);

#[derive(Debug, Clone)]
struct Ring {
    attempt: u32,
    who: Callee,
    from: Stamp,
    /// In an emergency it was picked up then.
    picked_up: Option<Stamp>,
    to: Option<(Stamp, RingEnd)>,
}

impl Attempts {
    pub(super) fn push(&mut self, fact: &Fact) {
        let at = fact.at;
        match &fact.what {
            What::AgentInvited { attempt, agent } => self.begin(*attempt, Callee::Agent(agent.clone()), at),
            What::TargetInvited { attempt, target } => self.begin(*attempt, Callee::Target(target.clone()), at),
            What::AgentReleased { attempt, result, .. } | What::TargetReleased { attempt, result, .. } => {
                self.end(*attempt, at, (*result).into());
            }
            What::AskedToConfirm { attempt, .. } => {
                self.of(*attempt).into_iter().for_each(|ring| ring.picked_up = Some(at));
            }
            // The phone that answers may have rung too, or not: its own attempt tells.
            What::PickedUp { attempt, .. } => self.end(*attempt, at, RingEnd::PickedUp),
            What::AgentAnswered { attempt, .. }
            | What::AgentWaits { attempt, .. }
            | What::TargetAnswered { attempt, .. } => {
                self.end(*attempt, at, RingEnd::Answered);
            }
            _ => {}
        }
    }

    pub(super) fn list(&self) -> Vec<Attempt> {
        self.0.iter().map(Ring::shown).collect()
    }

    fn begin(&mut self, attempt: u32, who: Callee, from: Stamp) {
        self.0.push(Ring { attempt, who, from, picked_up: None, to: None });
    }

    /// The first end of a ring is its end.
    fn end(&mut self, attempt: u32, at: Stamp, end: RingEnd) {
        if let Some(ring) = self.of(attempt) {
            ring.to.get_or_insert((at, end));
        }
    }

    fn of(&mut self, attempt: u32) -> Option<&mut Ring> {
        self.0.iter_mut().rfind(|ring| ring.attempt == attempt)
    }
}

impl Ring {
    fn shown(&self) -> Attempt {
        let (agent, target) = match &self.who {
            Callee::Agent(agent) => (Some(agent.clone()), None),
            Callee::Target(target) => (None, Some(target.clone())),
        };
        let ring_ms = self.to.and_then(|(to, _)| self.picked_up.unwrap_or(to).millis_since(self.from));
        Attempt { attempt: self.attempt, agent, target, ring_ms, end: self.to.map(|(_, end)| end) }
    }
}
