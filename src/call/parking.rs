//! The agent parks the caller, who hears soft notes until somebody who serves the hotline picks the call up by its slot (R-124).
//! Nobody does: the agent who parked it is rung, and if that is in vain, everybody is, as at the begin.
//!
//! ```text
//! Waiting ──────────► picked up, or rings back
//! Opening ─► Inviting ─► Ringing ─► answered, or to the agents
//! ```

use super::agent::Agents;
use super::fact::{RingResult, Unparked, What};
use super::leg::{Action, Beside, Callee, Input, Parting, Sent};
use super::route::{Line, Ring, Route};
use super::talking::{Stage as TalkingStage, Talking};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::Next;
use crate::ids::{AgentNo, Side};
use crate::media::Hears;

#[derive(Debug)]
pub(super) struct Parked {
    slot: u8,
    /// Who parked the call.
    by: AgentNo,
    stage: Stage,
    /// The phone that has dialled in for it, until its port is open.
    taken_by: Option<(u32, AgentNo)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting { until: Instant },
    Opening { attempt: u32 },
    Inviting { attempt: u32, until: Instant },
    Ringing { attempt: u32, until: Instant },
}

impl Stage {
    fn attempt(self) -> Option<u32> {
        match self {
            Stage::Waiting { .. } => None,
            Stage::Opening { attempt } | Stage::Inviting { attempt, .. } | Stage::Ringing { attempt, .. } => {
                Some(attempt)
            }
        }
    }
}

impl Parked {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.stage {
            Stage::Waiting { until } => Some((until, "nobody picks up")),
            Stage::Opening { .. } => None,
            Stage::Inviting { until, .. } | Stage::Ringing { until, .. } => Some((until, "ring back is not answered")),
        }
    }
}

impl Call {
    /// Where the caller is parked.
    pub fn parked_slot(&self) -> Option<u8> {
        match &self.state {
            State::Talking(talking) => match &talking.stage {
                TalkingStage::Parked(parked) => Some(parked.slot),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether this agent has the caller, and nobody else does.
    pub fn may_park(&self, by: &AgentNo) -> bool {
        let State::Talking(talking) = &self.state else { return false };
        let has = matches!(&talking.callee, Callee::Agent(agent) if agent == by);
        let alone = !super::adding::has_added(talking);
        self.is_hotlines() && has && alone && matches!(talking.stage, TalkingStage::Connected)
    }

    /// A number for the leg of whoever picks the parked call up; `None`: it is not parked, or somebody else is quicker.
    pub fn seat_for_parked(&mut self) -> Option<u32> {
        let State::Talking(talking) = &mut self.state else { return None };
        let free = matches!(&talking.stage, TalkingStage::Parked(parked) if parked.taken_by.is_none());
        free.then(|| talking.next_attempt())
    }

    /// What concerns only a caller who is parked, or is about to be; `Err`: it is for the talk.
    pub(super) fn handle_parking(
        &mut self,
        mut talking: Box<Talking>,
        (now, at): (Instant, Now),
        input: Input,
        agents: &mut Agents,
    ) -> Result<State, (Box<Talking>, Input)> {
        let parked = match (&mut talking.stage, &input) {
            (TalkingStage::Connected, Input::Park { slot }) => {
                let slot = *slot;
                self.park(&mut talking, now, at, slot);
                return Ok(State::Talking(talking));
            }
            (TalkingStage::Parked(parked), _) => parked,
            _ => return Err((talking, input)),
        };
        let rings = parked.stage.attempt();
        match input {
            Input::TakeParked { attempt, agent } => parked.taken_by = Some((attempt, agent)),
            Input::AgentReady { attempt } if parked.taken_by.as_ref().is_some_and(|(taken, _)| *taken == attempt) => {
                self.actions.push_back(Action::AcceptPhone { attempt });
                if let Some((attempt, agent)) = parked.taken_by.take() {
                    self.unpark(&mut talking, at, (attempt, agent), Unparked::PickedUp, agents);
                }
            }
            Input::AgentNotReady { attempt } | Input::Beside { attempt, does: Beside::HangsUp | Beside::IsLost }
                if parked.taken_by.as_ref().is_some_and(|(taken, _)| *taken == attempt) =>
            {
                parked.taken_by = None;
                self.actions.push_back(Action::ReleaseAgent { attempt, parting: Parting::Silent });
            }
            Input::AgentReady { attempt } if rings == Some(attempt) => {
                let agent = parked.by.clone();
                parked.stage = Stage::Inviting { attempt, until: now + self.hotline.agents.ring };
                self.actions.push_back(Action::InviteAgent { attempt, agent });
            }
            Input::Sent(Sent::Invite { attempt }) if rings == Some(attempt) => {
                let what = Callee::Agent(parked.by.clone()).invited(attempt);
                if !self.ledger.ringing.contains_key(&attempt) {
                    self.fact(at, what);
                }
            }
            Input::AgentRinging { attempt } if rings == Some(attempt) => {
                if let Stage::Inviting { until, .. } = parked.stage {
                    parked.stage = Stage::Ringing { attempt, until };
                    let what = Callee::Agent(parked.by.clone()).ringing(attempt);
                    self.fact(at, what);
                }
            }
            Input::AgentAnswered { attempt } if rings == Some(attempt) => {
                let agent = parked.by.clone();
                self.fact(at, Callee::Agent(agent.clone()).answered(attempt));
                self.unpark(&mut talking, at, (attempt, agent), Unparked::RungBack, agents);
            }
            Input::AgentNotReady { attempt } if rings == Some(attempt) => {
                return Ok(self.ring_everybody(talking, (now, at), (RingResult::Fault, None), agents));
            }
            Input::AgentFailed { attempt, result, status } if rings == Some(attempt) => {
                return Ok(self.ring_everybody(talking, (now, at), (result, status), agents));
            }
            other => return Err((talking, other)),
        }
        Ok(State::Talking(talking))
    }

    /// Time is up: for the slot, or for the ring.
    pub(super) fn parking_timed_out(&mut self, mut talking: Box<Talking>, now: Now, agents: &mut Agents) -> State {
        let last = talking.last_attempt() + 1;
        let TalkingStage::Parked(parked) = &mut talking.stage else { return State::Talking(talking) };
        let result = match parked.stage {
            Stage::Waiting { .. } if agents.take(&parked.by, self.id) => {
                parked.stage = Stage::Opening { attempt: last };
                let agent = parked.by.clone();
                self.actions.push_back(Action::OpenAgent { attempt: talking.next_attempt(), agent });
                return State::Talking(talking);
            }
            Stage::Waiting { .. } => RingResult::Busy,
            Stage::Ringing { .. } => RingResult::NoAnswer,
            Stage::Opening { .. } | Stage::Inviting { .. } => RingResult::Unreachable,
        };
        self.ring_everybody(talking, (now.mono, now), (result, None), agents)
    }

    fn park(&mut self, talking: &mut Talking, now: Instant, at: Now, slot: u8) {
        let Callee::Agent(by) = talking.callee.clone() else { return };
        let attempt = talking.attempt;
        self.mute(talking, at, false);
        self.dismiss_all(talking, at);
        talking.scripts.part(at.mono);
        if talking.unhold(at) {
            self.fact(at, What::HoldEnded { by: Side::Agent });
        }
        self.fact(at, What::Parked { attempt, agent: by.clone(), slot });
        self.fact(at, What::AgentLeft { attempt, agent: by.clone() });
        self.actions.push_back(Action::Park { hears: Hears::Notes });
        self.actions.push_back(Action::ReleaseAgent { attempt, parting: Parting::HungUp });
        talking.silent.remove(&Side::Agent);
        let stage = Stage::Waiting { until: now + self.hotline.scripts.park.after };
        talking.stage = TalkingStage::Parked(Parked { slot, by, stage, taken_by: None });
    }

    /// From now on this agent has the caller.
    fn unpark(
        &mut self,
        talking: &mut Talking,
        at: Now,
        (attempt, agent): (u32, AgentNo),
        how: Unparked,
        agents: &mut Agents,
    ) {
        if how == Unparked::PickedUp {
            self.drop_ring_back(talking, at, (RingResult::LostRace, None));
        }
        agents.answered(&agent, self.id, self.hotline.duty.wrap_up, at);
        self.fact(at, What::Unparked { attempt, agent: Some(agent.clone()), how });
        self.actions.push_back(Action::Bridge { attempt, connected: at });
        talking.stage = TalkingStage::Connected;
        (talking.attempt, talking.callee) = (attempt, Callee::Agent(agent));
        talking.scripts.take_over(at.mono, true);
    }

    /// The call goes on as one that has just come, and the caller is connected.
    fn ring_everybody(
        &mut self,
        mut talking: Box<Talking>,
        (now, at): (Instant, Now),
        result: (RingResult, Option<u16>),
        agents: &mut Agents,
    ) -> State {
        self.end_parking(&mut talking, at, result);
        self.fact(at, What::Unparked { attempt: talking.last_attempt(), agent: None, how: Unparked::NobodyCame });
        let mut route = Route::new(self.offered.mono);
        (route.line, route.ring) = (Line::Attended, Ring::Rung(at));
        route.last_attempt = talking.last_attempt();
        route.give_up = now + crate::limits::LONGEST_ATTENDED;
        self.go(route, &Next::Agents, now, at, agents)
    }

    /// Nobody is rung any more, and nobody comes.
    pub(super) fn end_parking(&mut self, talking: &mut Talking, at: Now, result: (RingResult, Option<u16>)) {
        self.drop_ring_back(talking, at, result);
        let TalkingStage::Parked(parked) = &mut talking.stage else { return };
        if let Some((attempt, _)) = parked.taken_by.take() {
            self.actions.push_back(Action::ReleaseAgent { attempt, parting: Parting::Silent });
        }
    }

    fn drop_ring_back(&mut self, talking: &mut Talking, at: Now, (result, status): (RingResult, Option<u16>)) {
        let TalkingStage::Parked(parked) = &talking.stage else { return };
        let Some(attempt) = parked.stage.attempt() else { return };
        if self.ledger.ringing.contains_key(&attempt) {
            self.fact(at, Callee::Agent(parked.by.clone()).released(attempt, result, status));
        }
        let parting = if result == RingResult::LostRace { Parting::Elsewhere } else { Parting::Silent };
        self.actions.push_back(Action::ReleaseAgent { attempt, parting });
    }
}
