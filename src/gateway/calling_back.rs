//! Callers who are called back: the agent's phone is rung first, then the number through the trunk by which the caller had called.
//!
//! The number is one of the list of callbacks and comes with the order; nothing that a phone dials, a header or a dialplan
//! names leads here. Such a call is a kind of its own: the hotline's, with record and recording, and offered by nobody.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::book::{CallerLeg, Entry};
use super::signalling::ring_result;
use super::{Gateway, Output};
use crate::call::agent::State;
use crate::call::fact::{CallsBack, RingResult, What};
use crate::call::leg::Input;
use crate::call::{Call, Made, Offer};
use crate::clock::Now;
use crate::dialplan::outbound::is_number;
use crate::dialplan::reception::Standing;
use crate::ids::{AgentNo, CallId, HotlineId, Side, TrunkName};
use crate::media::Command;
use crate::protocol::sip::endpoint::SessionId;

/// Whom to call, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallBack {
    /// The call by which the list of callbacks names its entry.
    pub entry: CallId,
    pub agent: AgentNo,
    /// Who asks for it, as the list names people.
    pub by: String,
    pub hotline: HotlineId,
    pub trunk: TrunkName,
    pub number: String,
}

/// Why nobody is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCalled {
    #[error("the hotline's dialplan calls nobody back")]
    NoCallbacks,
    #[error("nobody is called at this hour")]
    RestHours,
    #[error("this agent does not serve that hotline")]
    NoAgent,
    #[error("the agent's phone is not free")]
    AgentBusy,
    #[error("the agent's phone is not there")]
    NoPhone,
    #[error("there is no way through that trunk")]
    NoTrunk,
    #[error("what stands for the caller's number is none")]
    NoNumber,
    #[error("the number is of another country, and the hotline's dialplan calls nobody there")]
    Abroad,
    #[error("the gateway takes no more calls")]
    Overloaded,
}

/// The live calls of this kind.
#[derive(Debug, Default)]
pub(super) struct CallingBack(BTreeMap<CallId, Back>);

/// For whom a call is made.
#[derive(Debug)]
struct Back {
    entry: CallId,
    by: String,
}

impl CallingBack {
    pub(super) fn forget(&mut self, call: CallId) {
        self.0.remove(&call);
    }
}

impl Gateway {
    pub(super) fn call_back(&mut self, now: Now, order: CallBack) -> Result<(), NotCalled> {
        let CallBack { entry, agent, by, hotline, trunk, number } = order;
        let plan = self.plans.hotlines.iter().find(|plan| plan.id == hotline).ok_or(NotCalled::NoCallbacks)?;
        let callback = plan.after.callback.as_ref().ok_or(NotCalled::NoCallbacks)?;
        let zone = TimeZone::get(&plan.time_zone).map_err(|_| NotCalled::RestHours)?;
        if !callback.may_call(now.wall, &zone) {
            return Err(NotCalled::RestHours);
        }
        if !plan.everybody().contains(&agent) {
            return Err(NotCalled::NoAgent);
        }
        let line = self.settings.trunks.iter().find(|line| line.name == trunk).ok_or(NotCalled::NoTrunk)?;
        if !is_number(&number) {
            return Err(NotCalled::NoNumber);
        }
        // Whoever calls writes the number: one that costs money must not be dialled because somebody left it here.
        if !callback.abroad && line.identity.is_abroad(&number) {
            return Err(NotCalled::Abroad);
        }
        let (plan, own_number) = (Arc::clone(plan), plan.numbers.first().cloned());
        if self.refusal(now).is_some() {
            return Err(NotCalled::Overloaded);
        }
        if self.agents.state(&agent) != Some(&State::Available) {
            return Err(NotCalled::AgentBusy);
        }
        if self.ways(now, &agent).is_empty() {
            return Err(NotCalled::NoPhone);
        }
        let id = CallId::new(now.wall, &mut self.random);
        let way = self.open_way_to_caller(id, &trunk, &number, own_number.clone());
        let (flow, sip_call_id) = way.ok_or(NotCalled::NoTrunk)?;
        if !self.agents.take(&agent, id) {
            self.leave_way(id, super::outbound::CALLER);
            self.trunks.leave(id);
            return Err(NotCalled::AgentBusy);
        }
        let offer = Offer {
            trunk,
            called: own_number.unwrap_or_default(),
            called_received: None,
            caller: self.subject(number.clone()),
            caller_received: None,
            sip_call_id,
            early_media: false,
            standing: Standing::default(),
            made: Some(Made::CallsBack(CallsBack { entry, agent })),
        };
        let call = Call::calling_back(id, self.settings.run, now, plan, offer);
        let caller = CallerLeg::called(flow, number);
        self.calls.insert(id, Entry::new(id, call, caller));
        self.calling_back.0.insert(id, Back { entry, by });
        if self.ledger_failing {
            self.inputs.push_back((id, now, Input::LedgerDelayed));
        }
        tracing::info!(call = %id, %entry, "a caller is called back: the agent's phone is rung");
        self.obey(now, id);
        Ok(())
    }

    pub(super) fn calls_the_caller(&self, id: CallId) -> bool {
        self.calls.get(&id).is_some_and(|entry| entry.call.calls_the_caller())
    }

    /// The agent, who waits for the caller, hears that it rings there.
    pub(super) fn ring_in_ear(&mut self, id: CallId, attempt: u32, burst: Duration, period: Duration) {
        let attempt = self.calls.get(&id).and_then(|entry| entry.attempts.get(&attempt));
        if let Some(leg) = attempt.and_then(|attempt| attempt.media.as_ref()).map(|media| media.leg) {
            self.outputs.push_back(Output::Media(Command::Ringback { leg, burst, period }));
        }
    }

    /// The 2xx of a caller who is called back. One without media that we can carry is as good as none.
    pub(super) fn called_answered(
        &mut self,
        now: Now,
        id: CallId,
        session: SessionId,
        (body, source): (&[u8], SocketAddr),
    ) -> Option<Input> {
        if self.called_answer(id, body, source) {
            self.note_reporter(session, id, Side::Caller);
            return Some(Input::CallerAnswered);
        }
        self.endpoint.hang_up(now, session);
        let status = Some(488);
        Some(Input::CallerFailed { result: ring_result(status), status })
    }

    /// What came of a callback goes into the list. That the agent gave up before, or that the fault was ours, is no attempt.
    pub(super) fn note_called_back(&mut self, id: CallId, what: &What) {
        let result = match what {
            What::CallerAnswered { .. } => None,
            What::CallerReleased { result: RingResult::Fault, .. } => return,
            What::CallerReleased { result, .. } => Some(*result),
            _ => return,
        };
        if let Some(Back { entry, by }) = self.calling_back.0.get(&id) {
            self.outputs.push_back(Output::CalledBack { entry: *entry, by: by.clone(), result });
        }
    }
}
