//! What is said of whoever is called for the caller: an agent, or a target in an agent's place.

use super::fact::{RingResult, What};
use super::leg::Callee;

impl Callee {
    pub(super) fn invited(&self, attempt: u32) -> What {
        match self.clone() {
            Callee::Agent(agent) => What::AgentInvited { attempt, agent },
            Callee::Target(target) => What::TargetInvited { attempt, target },
        }
    }

    pub(super) fn ringing(&self, attempt: u32) -> What {
        match self.clone() {
            Callee::Agent(agent) => What::AgentRinging { attempt, agent },
            Callee::Target(target) => What::TargetRinging { attempt, target },
        }
    }

    pub(super) fn answered(&self, attempt: u32) -> What {
        match self.clone() {
            Callee::Agent(agent) => What::AgentAnswered { attempt, agent },
            Callee::Target(target) => What::TargetAnswered { attempt, target },
        }
    }

    pub(super) fn released(&self, attempt: u32, result: RingResult, status: Option<u16>) -> What {
        match self.clone() {
            Callee::Agent(agent) => What::AgentReleased { attempt, agent, result, status },
            Callee::Target(target) => What::TargetReleased { attempt, target, result, status },
        }
    }
}
