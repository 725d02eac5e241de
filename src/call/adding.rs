//! The agent calls somebody into the talk: an agent or a target of the configuration. From the answer on all three hear each
//! other. Whoever was added may leave, and the two go on; if the agent leaves, the caller and the one who was added go on.
//!
//! While the added one talks with the caller, the agent's hold is nobody's hold: the caller is not left alone. While that one is still
//! being called, a hold is in the facts and in the figures, and no script and no rule counts its time.

use super::agent::Agents;
use super::conference::{Gone, Part, Stage, Third};
use super::fact::{RingResult, What};
use super::leg::{Action, Callee, Input, Parting, Sent};
use super::script::Company;
use super::talking::{Stage as TalkingStage, Talking};
use super::{Call, State};
use crate::clock::Now;
use crate::ids::{AgentNo, Side};
use crate::limits;
use crate::media::Audible;

impl Call {
    /// Whether this agent, who has the caller, may call somebody into the talk now.
    pub fn may_add(&self, by: &AgentNo) -> bool {
        let State::Talking(talking) = &self.state else { return false };
        let has = matches!(&talking.callee, Callee::Agent(agent) if agent == by);
        let room = !has_added(talking) && talking.conference.beside.len() < limits::CONFERENCE;
        self.is_hotlines() && has && room && matches!(talking.stage, TalkingStage::Connected)
    }

    pub(super) fn handle_adding(
        &mut self,
        talking: &mut Talking,
        at: Now,
        input: Input,
        agents: &mut Agents,
    ) -> Result<(), Input> {
        let beside = &mut talking.conference.beside;
        match input {
            Input::Add { by, to } => self.begin_adding(talking, at, (by, to), agents),
            Input::Sent(Sent::Invite { attempt }) if beside.contains_key(&attempt) => {
                let called = beside.get(&attempt).and_then(Third::called);
                if let Some(who) = called.filter(|_| !self.ledger.ringing.contains_key(&attempt)) {
                    self.fact(at, who.invited(attempt));
                }
            }
            Input::AgentRinging { attempt } if beside.contains_key(&attempt) => {
                if let Some(third) = beside.get_mut(&attempt)
                    && let Stage::Inviting { until } = third.stage
                {
                    third.stage = Stage::Ringing { until };
                    if let Some(who) = third.called() {
                        self.fact(at, who.ringing(attempt));
                    }
                }
            }
            Input::AgentAnswered { attempt } if beside.contains_key(&attempt) => match beside[&attempt].part {
                Part::Holder { .. } => self.holder_answers(talking, attempt, at),
                Part::Added { .. } | Part::Supervisor { .. } => self.added_answers(talking, attempt, at, agents),
            },
            Input::AgentFailed { attempt, result, status } if beside.contains_key(&attempt) => {
                self.dismiss(talking, attempt, at, Gone::Failed(result, status));
            }
            Input::Held { by: Side::Agent, held } if added_there(talking).is_some() => {
                talking.conference.agent_holds = held;
                talking.silent.remove(&Side::Agent);
                // Somebody held before the other one came.
                if talking.held.remove(&Side::Agent) {
                    self.fact(at, What::HoldEnded { by: Side::Agent });
                }
            }
            Input::HungUp { side: Side::Agent } | Input::Lost { side: Side::Agent } => match added_there(talking) {
                Some((attempt, who)) if matches!(talking.stage, TalkingStage::Connected) => {
                    self.agent_leaves_to(talking, at, (attempt, who));
                }
                _ => return Err(input),
            },
            other => return Err(other),
        }
        Ok(())
    }

    fn begin_adding(&mut self, talking: &mut Talking, at: Now, (by, to): (AgentNo, Callee), agents: &mut Agents) {
        let connected = matches!(talking.stage, TalkingStage::Connected);
        if !connected || has_added(talking) || talking.callee != Callee::Agent(by.clone()) {
            return;
        }
        let attempt = talking.next_attempt();
        self.fact(at, What::AddStarted { attempt, by, to: to.clone() });
        let free = match &to {
            Callee::Agent(agent) => agents.take(agent, self.id),
            Callee::Target(_) => true,
        };
        if !free {
            return self.fact(at, What::AddFailed { attempt, result: RingResult::Busy, status: None });
        }
        self.actions.push_back(match &to {
            Callee::Agent(agent) => Action::OpenAgent { attempt, agent: agent.clone() },
            Callee::Target(target) => Action::OpenTarget { attempt, target: target.clone() },
        });
        self.actions.push_back(Action::SetBeside { attempt });
        talking.conference.beside.insert(attempt, Third { part: Part::Added { who: to }, stage: Stage::Arriving });
    }

    fn added_answers(&mut self, talking: &mut Talking, attempt: u32, at: Now, agents: &mut Agents) {
        let third = talking.conference.beside.get_mut(&attempt).filter(|third| !third.stage.is_there());
        let Some(third) = third else { return };
        third.stage = Stage::There;
        let Some(who) = added(Some(third)) else { return };
        self.fact(at, who.answered(attempt));
        if let Callee::Agent(agent) = &who {
            agents.answered(agent, self.id, self.hotline.duty.wrap_up, at);
        }
        self.fact(at, What::Added { attempt, who });
        self.actions.push_back(Action::Admit { attempt, audible: Audible::All });
        if talking.held.remove(&Side::Agent) {
            talking.conference.agent_holds = true;
            self.fact(at, What::HoldEnded { by: Side::Agent });
        }
    }

    /// The agent is with the caller alone again.
    pub(super) fn hold_counts_again(&mut self, talking: &mut Talking, at: Now) {
        if std::mem::take(&mut talking.conference.agent_holds) && talking.held.insert(Side::Agent) {
            self.fact(at, What::HoldStarted { by: Side::Agent });
        }
    }

    /// Nothing came from the agent for too long: if somebody was added, the caller goes on with that one.
    pub(super) fn silent_agent_leaves(&mut self, talking: &mut Talking, now: Now) -> bool {
        let silent = talking.silent.get(&Side::Agent).is_some_and(|until| *until <= now.mono);
        let Some(added) = added_there(talking).filter(|_| silent) else { return false };
        self.agent_leaves_to(talking, now, added);
        true
    }

    /// The caller goes on with the one who was added.
    fn agent_leaves_to(&mut self, talking: &mut Talking, at: Now, (attempt, who): (u32, Callee)) {
        self.mute(talking, at, false);
        talking.conference.beside.remove(&attempt);
        talking.conference.agent_holds = false;
        self.dismiss_all(talking, at);
        if let Callee::Agent(agent) = talking.callee.clone() {
            self.fact(at, What::AgentLeft { attempt: talking.attempt, agent });
        }
        self.actions.push_back(Action::ReleaseAgent { attempt: talking.attempt, parting: Parting::Silent });
        self.fact(at, What::TransferCompleted { attempt, to: who.clone() });
        self.actions.push_back(Action::Bridge { attempt, connected: at });
        talking.silent.remove(&Side::Agent);
        // The phone that may have held has left.
        talking.scripts.unhold(at.mono);
        (talking.attempt, talking.callee) = (attempt, who);
        talking.scripts.take_over(at.mono, matches!(talking.callee, Callee::Agent(_)));
    }
}

impl Talking {
    pub(super) fn company(&self) -> Company {
        match (added_there(self), has_added(self)) {
            (Some(_), _) => Company::There,
            (None, true) => Company::Called,
            (None, false) => Company::Nobody,
        }
    }
}

/// Who was added, or is being called.
fn added(third: Option<&Third>) -> Option<Callee> {
    match &third?.part {
        Part::Added { who } => Some(who.clone()),
        Part::Supervisor { .. } | Part::Holder { .. } => None,
    }
}

pub(super) fn has_added(talking: &Talking) -> bool {
    talking.conference.beside.values().any(|third| matches!(third.part, Part::Added { .. }))
}

/// Who was added and talks with the two.
fn added_there(talking: &Talking) -> Option<(u32, Callee)> {
    let mut there = talking.conference.beside.iter().filter(|(_, third)| third.stage.is_there());
    there.find_map(|(attempt, third)| Some((*attempt, added(Some(third))?)))
}
