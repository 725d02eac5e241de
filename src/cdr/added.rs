//! Whom an agent called into a talk, and how long all three were there.

use serde::{Deserialize, Serialize};

use crate::call::fact::{Fact, What};
use crate::call::leg::Callee;
use crate::clock::Stamp;
use crate::ids::{AgentNo, TargetName};

/// From the answer to the instant at which one of agent and guest left; times from *connected*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// One of the two is null.
    pub agent: Option<AgentNo>,
    pub target: Option<TargetName>,
    pub by: AgentNo,
    pub from_ms: Option<u64>,
    /// Null while it lasts, and across a crash.
    pub to_ms: Option<u64>,
}

/// What is known of them so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Guests(Vec<Guest>);

#[derive(Debug, Clone)]
struct Guest {
    attempt: u32,
    by: AgentNo,
    who: Callee,
    from: Option<Stamp>,
    to: Option<Stamp>,
}

impl Guests {
    pub(super) fn push(&mut self, fact: &Fact) {
        match &fact.what {
            What::AddStarted { attempt, by, to } => {
                let (attempt, by, who) = (*attempt, by.clone(), to.clone());
                self.0.push(Guest { attempt, by, who, from: None, to: None });
            }
            What::Added { attempt, .. } => {
                self.of(*attempt).into_iter().for_each(|guest| guest.from = Some(fact.at));
            }
            What::AddedLeft { attempt, .. } | What::TransferCompleted { attempt, .. } => {
                self.of(*attempt).into_iter().for_each(|guest| guest.to = Some(fact.at));
            }
            _ => {}
        }
    }

    pub(super) fn has(&self, attempt: u32) -> bool {
        self.0.iter().any(|guest| guest.attempt == attempt)
    }

    pub(super) fn list(&self, connected: Option<Stamp>) -> Vec<Added> {
        let since = |at: Stamp| at.millis_since(connected?);
        let one = |guest: &Guest| {
            let (agent, target) = match &guest.who {
                Callee::Agent(agent) => (Some(agent.clone()), None),
                Callee::Target(target) => (None, Some(target.clone())),
            };
            let by = guest.by.clone();
            Some(Added { agent, target, by, from_ms: since(guest.from?), to_ms: guest.to.and_then(since) })
        };
        self.0.iter().filter_map(one).collect()
    }

    fn of(&mut self, attempt: u32) -> Option<&mut Guest> {
        self.0.iter_mut().find(|guest| guest.attempt == attempt)
    }
}
