//! A caller of the list of callbacks is called: the agent's phone rings first, then the caller's. Or an agent's phone has dialled a number
//! outside: then it waits already.
//!
//! ```text
//! Opening ─► AgentRings ─► Reaching ─► CallerRings ─► talking
//!   │ └──────────┴──────────▲──┴────────────┴───────► the end
//!   └─── has dialled ───────┘
//! ```
//!
//! Whoever is called is the caller in every fact, on the recording and in what is measured, although the gateway calls.

use std::collections::BTreeSet;
use std::time::Duration;

use super::agent::Agents;
use super::fact::{RingResult, What};
use super::leg::{Action, Callee, Input, Media, Parting, Sent};
use super::reason::{EndedBy, Reason};
use super::route::reason_of;
use super::talking::{Promptness, Talking};
use super::{Call, Made, State};
use crate::clock::{Instant, Now};
use crate::ids::{AgentNo, Side};
use crate::media::Play;

/// The agent's phone rings so long.
const AGENT_RING: Duration = Duration::from_secs(30);

/// The caller's phone rings so long.
const CALLER_RING: Duration = Duration::from_secs(60);

/// The ring of the agent's phone, or the phone that has dialled: the first of the call.
pub const FIRST: u32 = 1;

#[derive(Debug)]
pub(super) struct CallingBack {
    agent: AgentNo,
    phone: Phone,
    stage: Stage,
}

/// How the agent's phone comes to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phone {
    IsRung,
    /// Its INVITE has no final response until the other side answers.
    HasDialled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A port toward the agent's phone is being opened.
    Opening,
    AgentRings {
        until: Instant,
    },
    /// The agent waits, and a port toward the caller is being opened.
    Reaching,
    CallerRings {
        until: Instant,
        /// The INVITE was written, and 18x was read.
        invited: bool,
        rung: bool,
    },
}

impl CallingBack {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.stage {
            Stage::Opening | Stage::Reaching => None,
            Stage::AgentRings { until } => Some((until, "agent does not answer")),
            Stage::CallerRings { until, .. } => Some((until, "caller does not answer")),
        }
    }
}

impl Call {
    /// The caller is being called: what the trunk still says of that matters.
    pub fn calls_the_caller(&self) -> bool {
        matches!(&self.state, State::CallingBack(CallingBack { stage: Stage::CallerRings { .. }, .. }))
    }

    pub(super) fn ring_agent_first(&mut self) {
        if let Some(agent) = self.made.as_ref().and_then(Made::calls_back).map(|back| back.agent.clone()) {
            self.actions.push_back(Action::OpenAgent { attempt: FIRST, agent: agent.clone() });
            self.state = State::CallingBack(CallingBack { agent, phone: Phone::IsRung, stage: Stage::Opening });
        }
    }

    /// The port toward the agent's phone, which has dialled, is being opened.
    pub(super) fn await_phone(&mut self) {
        if let Some(agent) = self.made.as_ref().and_then(Made::by_agent).map(|call| call.agent().clone()) {
            self.state = State::CallingBack(CallingBack { agent, phone: Phone::HasDialled, stage: Stage::Opening });
        }
    }

    pub(super) fn handle_calling_back(
        &mut self,
        mut calling: CallingBack,
        now: Instant,
        at: Now,
        input: Input,
        agents: &mut Agents,
    ) -> State {
        match (calling.stage, input) {
            (_, Input::Shutdown) => return self.give_up(now, at, Reason::Shutdown, EndedBy::Gateway),
            (_, Input::Media(Media::FirstPacket { side })) => self.fact(at, What::MediaArrived { leg: side }),
            (_, Input::Media(Media::Upset { side, upset })) => self.fact(at, What::MediaUpset { leg: side, upset }),
            (Stage::Opening, Input::AgentReady { attempt: FIRST }) if calling.phone == Phone::HasDialled => {
                self.reach(&mut calling, at, agents);
            }
            (Stage::Opening, Input::AgentReady { attempt: FIRST }) => {
                self.actions.push_back(Action::InviteAgent { attempt: FIRST, agent: calling.agent.clone() });
                calling.stage = Stage::AgentRings { until: now + AGENT_RING };
            }
            (Stage::Opening, Input::AgentNotReady { attempt: FIRST }) => {
                return self.without_agent(&calling, now, at, (RingResult::Fault, None));
            }
            // The same call sent once more (another transport, a digest answer) is no second ring.
            (Stage::AgentRings { .. }, Input::Sent(Sent::Invite { attempt: FIRST }))
                if !self.ledger.ringing.contains_key(&FIRST) =>
            {
                self.fact(at, What::AgentInvited { attempt: FIRST, agent: calling.agent.clone() });
            }
            (Stage::AgentRings { .. }, Input::AgentRinging { attempt: FIRST }) => {
                self.fact(at, What::AgentRinging { attempt: FIRST, agent: calling.agent.clone() });
            }
            (Stage::AgentRings { .. }, Input::AgentAnswered { attempt: FIRST }) => self.reach(&mut calling, at, agents),
            (Stage::Opening | Stage::AgentRings { .. }, Input::AgentFailed { attempt: FIRST, result, status }) => {
                return self.without_agent(&calling, now, at, (result, status));
            }
            (_, Input::HungUp { side: Side::Agent }) => {
                return self.give_up(now, at, Reason::AgentHungUp, EndedBy::Agent);
            }
            (_, Input::Lost { side: Side::Agent }) => {
                return self.give_up(now, at, Reason::SessionLost, EndedBy::Agent);
            }
            (Stage::Reaching, Input::CallerReady) => {
                self.actions.push_back(Action::InviteCaller);
                calling.stage = Stage::CallerRings { until: now + CALLER_RING, invited: false, rung: false };
            }
            (Stage::Reaching, Input::CallerNotReady) => {
                return self.without_caller(&calling, now, at, (RingResult::Fault, None), EndedBy::Gateway);
            }
            (stage @ Stage::CallerRings { .. }, input) => {
                return self.handle_calling_caller(calling, stage, now, at, &input, agents);
            }
            _ => {}
        }
        State::CallingBack(calling)
    }

    /// The agent is there: now the other side.
    fn reach(&mut self, calling: &mut CallingBack, at: Now, agents: &mut Agents) {
        self.fact(at, What::AgentWaits { attempt: FIRST, agent: calling.agent.clone() });
        agents.engage(&calling.agent, self.id);
        self.actions.push_back(Action::OpenCaller);
        calling.stage = Stage::Reaching;
    }

    fn handle_calling_caller(
        &mut self,
        mut calling: CallingBack,
        stage: Stage,
        now: Instant,
        at: Now,
        input: &Input,
        agents: &mut Agents,
    ) -> State {
        let Stage::CallerRings { until, invited, rung } = stage else { return State::CallingBack(calling) };
        match input {
            Input::Sent(Sent::CallerInvite) if !invited => {
                self.fact(at, What::CallerInvited);
                calling.stage = Stage::CallerRings { until, invited: true, rung };
            }
            Input::CallerRings if !rung => {
                self.fact(at, What::CallerRinging);
                let cadence = &self.hotline.answer.cadence;
                let (burst, period) = (cadence.burst, cadence.period);
                self.actions.push_back(match calling.phone {
                    Phone::IsRung => Action::RingInEar { attempt: FIRST, burst, period },
                    Phone::HasDialled => Action::RingPhone { attempt: FIRST },
                });
                calling.stage = Stage::CallerRings { until, invited, rung: true };
            }
            Input::CallerAnswered => return self.caller_answers(calling, at, agents),
            Input::CallerFailed { result, status } => {
                return self.without_caller(&calling, now, at, (*result, *status), EndedBy::Trunk);
            }
            Input::Lost { side: Side::Caller } | Input::HungUp { side: Side::Caller } => {
                return self.without_caller(&calling, now, at, (RingResult::Unreachable, None), EndedBy::Trunk);
            }
            _ => {}
        }
        State::CallingBack(calling)
    }

    pub(super) fn handle_calling_back_timeout(&mut self, calling: CallingBack, now: Now) -> State {
        if calling.poll_timeout().is_none_or(|(until, _)| until > now.mono) {
            return State::CallingBack(calling);
        }
        let in_vain = (RingResult::NoAnswer, None);
        match calling.stage {
            Stage::CallerRings { .. } => self.without_caller(&calling, now.mono, now, in_vain, EndedBy::Gateway),
            _ => self.without_agent(&calling, now.mono, now, in_vain),
        }
    }

    /// From now on it is a talk like any other. Nobody is greeted; but whoever is recorded is told so.
    fn caller_answers(&mut self, calling: CallingBack, at: Now, agents: &mut Agents) -> State {
        let CallingBack { agent, phone, .. } = calling;
        if phone == Phone::HasDialled {
            self.actions.push_back(Action::AcceptPhone { attempt: FIRST });
        }
        self.fact(at, What::CallerAnswered { attempt: FIRST, agent: agent.clone() });
        agents.answered(&agent, self.id, self.hotline.duty.wrap_up, at);
        let callee = Callee::Agent(agent.clone());
        let mut talking = Box::new(Talking::new((FIRST, FIRST), callee, Promptness::Ungreeted));
        self.connect(&mut talking, at);
        let notice = self.hotline.greeting.notice.as_ref().filter(|_| self.is_recorded());
        if let Some(prompt) = notice.map(|notice| notice.prompt.clone()) {
            self.order_play(Play::Greeting, &prompt, Some(agent), false);
        }
        State::Talking(talking)
    }

    fn without_agent(
        &mut self,
        calling: &CallingBack,
        now: Instant,
        at: Now,
        (result, status): (RingResult, Option<u16>),
    ) -> State {
        // A phone that has dialled was never rung.
        if calling.phone == Phone::IsRung {
            self.fact(at, What::AgentReleased { attempt: FIRST, agent: calling.agent.clone(), result, status });
        }
        self.give_up(now, at, reason_of(&BTreeSet::from([result])), EndedBy::Gateway)
    }

    fn without_caller(
        &mut self,
        calling: &CallingBack,
        now: Instant,
        at: Now,
        (result, status): (RingResult, Option<u16>),
        by: EndedBy,
    ) -> State {
        self.fact(at, What::CallerReleased { result, status });
        if calling.phone == Phone::HasDialled {
            let status = match result {
                RingResult::Busy => 486,
                RingResult::Declined => 603,
                RingResult::Fault => 503,
                _ => 480,
            };
            self.actions.push_back(Action::RejectPhone { attempt: FIRST, status });
        }
        self.give_up(now, at, Reason::CallerNotReached, by)
    }

    fn give_up(&mut self, now: Instant, at: Now, reason: Reason, by: EndedBy) -> State {
        let state = self.end(now, at, reason, by);
        let parting = Parting::Silent;
        self.actions.push_back(Action::HangUpCaller { parting });
        self.actions.push_back(Action::ReleaseAgent { attempt: FIRST, parting });
        state
    }
}
