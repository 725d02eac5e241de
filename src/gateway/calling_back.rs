//! Callers who are called back: the agent's phone is rung first, then the number through the trunk by which the caller had called.
//!
//! The number is one of the list of callbacks and comes with the order; nothing that a phone dials, a header or a dialplan
//! names leads here. Such a call is the agent's own: no hotline's, without record and recording. What came of it is told.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::book::{CallerLeg, Entry, Link, Role};
use super::features::{saying, tones};
use super::{CallTarget, Gateway, Output};
use crate::call::agent::State;
use crate::call::fact::RingResult;
use crate::call::leg::Input;
use crate::call::{Call, Offer};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::Next;
use crate::dialplan::reception::Standing;
use crate::ids::{AgentNo, CallId, HotlineId, SubjectId, TargetName, TrunkName};
use crate::protocol::sip::endpoint::{Flow, MAX_FORWARDS, OutgoingInvite, SessionId};
use crate::schedule::Schedule;

/// The agent's phone rings so long.
const RING: Duration = Duration::from_secs(30);

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
    #[error("the gateway takes no more calls")]
    Overloaded,
}

/// The calls of this kind.
#[derive(Debug, Default)]
pub(super) struct CallingBack {
    of: BTreeMap<CallId, Back>,
    /// Agents' phones that ring.
    ringing: Schedule<CallId>,
}

#[derive(Debug)]
struct Back {
    entry: CallId,
    by: String,
    target: CallTarget,
    session: SessionId,
    /// The agent has not answered yet.
    awaits_agent: bool,
    told: bool,
}

impl CallingBack {
    pub(super) fn has(&self, call: CallId) -> bool {
        self.of.contains_key(&call)
    }

    pub(super) fn awaits_agent(&self, call: CallId) -> bool {
        self.of.get(&call).is_some_and(|back| back.awaits_agent)
    }

    pub(super) fn target(&self, name: &TargetName) -> Option<CallTarget> {
        self.of.values().map(|back| &back.target).find(|target| target.name == *name).cloned()
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.ringing.next().map(|(at, _)| (at, "agent's phone rings"))
    }

    pub(super) fn forget(&mut self, call: CallId) {
        self.of.remove(&call);
        self.ringing.set(call, None);
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
        let own_number = plan.numbers.first().cloned();
        if self.refusal().is_some() {
            return Err(NotCalled::Overloaded);
        }
        if self.agents.state(&agent) != Some(&State::Available) {
            return Err(NotCalled::AgentBusy);
        }
        let line = self.settings.trunks.iter().find(|line| line.name == trunk).ok_or(NotCalled::NoTrunk)?;
        line.way_of_calls().ok_or(NotCalled::NoTrunk)?;
        let way = self.ways(now, &agent).into_iter().next().ok_or(NotCalled::NoPhone)?;
        let id = CallId::new(now.wall, &mut self.random);
        let mut media = self.open_leg(now, id, &Role::Caller, way.local).ok_or(NotCalled::Overloaded)?;
        // The port is in the offer: it is not exchanged for another.
        media.failed_binds = u32::MAX - 1;
        let invite = OutgoingInvite {
            target: way.target,
            transport: way.transport,
            destination: way.destination,
            flow: way.flow,
            caller: Some(number.clone()),
            offer: self.agent_offer(None, &media.local),
            max_forwards: MAX_FORWARDS,
        };
        let leg = media.leg;
        let Some(session) = self.endpoint.invite(now.mono, invite) else {
            self.outputs.push_back(Output::Media(crate::media::Command::CloseLeg { leg }));
            return Err(NotCalled::NoPhone);
        };
        let flow = way.flow.unwrap_or(Flow {
            transport: way.transport,
            local: way.local,
            remote: way.destination,
            connection: None,
        });
        self.leash_phone(session, &flow);
        let name = TargetName::from(format!("callback-{id}").as_str());
        let target = CallTarget { name: name.clone(), trunk, number, keys: [].into() };
        let call = Call::for_agent(id, self.settings.run, now, saying(tones(1), Next::Target(name)), self.own_offer());
        let caller = CallerLeg {
            session,
            flow,
            // What the one who is called sees.
            shown_number: own_number,
            peer: None,
            codec: None,
            media: Some(media),
            held: false,
            max_forwards: MAX_FORWARDS,
            acknowledged: true,
        };
        self.agents.engage(&agent, id);
        self.callers.begin(session, agent, id);
        self.calls.insert(id, Entry { call, caller, attempts: BTreeMap::new() });
        self.by_session
            .insert(session, Link { call: id, role: Role::Caller, terminated: false, unwritten: VecDeque::new() });
        let back = Back { entry, by, target, session, awaits_agent: true, told: false };
        self.calling_back.of.insert(id, back);
        self.calling_back.ringing.set(id, Some(now.mono + RING));
        tracing::info!(call = %id, %entry, "a caller is called back: the agent's phone is rung");
        Ok(())
    }

    fn own_offer(&mut self) -> Offer {
        Offer {
            trunk: "".into(),
            called: String::new(),
            called_received: None,
            caller: SubjectId::new(&mut self.random),
            caller_received: None,
            sip_call_id: String::new(),
            early_media: false,
            standing: Standing::default(),
        }
    }

    /// The agent's phone has answered: the number is called next.
    pub(super) fn back_answered(&mut self, now: Now, id: CallId, (body, source): (&[u8], SocketAddr)) -> Option<Input> {
        let back = self.calling_back.of.get_mut(&id)?;
        back.awaits_agent = false;
        let session = back.session;
        self.calling_back.ringing.set(id, None);
        if self.lone_agent_answer(id, body, source) {
            return Some(Input::CallerReady);
        }
        self.endpoint.hang_up(now, session);
        Some(Input::CallerLeft)
    }

    /// The agent's phone has refused, or was not answered.
    pub(super) fn back_failed(&self, id: CallId) -> Option<Input> {
        self.calling_back.has(id).then_some(Input::CallerLeft)
    }

    pub(super) fn handle_calling_back_timeout(&mut self, now: Now) {
        while let Some(id) = self.calling_back.ringing.pop_due(now.mono) {
            if let Some(back) = self.calling_back.of.get(&id) {
                self.endpoint.hang_up(now, back.session);
            }
        }
    }

    /// Told once: the number answered, or why it did not. That the agent gave up before is no attempt.
    pub(super) fn note_called_back(&mut self, id: CallId, input: &Input) {
        let result = match input {
            Input::AgentAnswered { .. } => None,
            Input::AgentFailed { result, .. } => Some(*result),
            _ => return,
        };
        let Some(back) = self.calling_back.of.get_mut(&id).filter(|back| !back.told) else { return };
        back.told = true;
        if !matches!(result, Some(RingResult::CallerLeft | RingResult::LostRace | RingResult::Fault)) {
            let (entry, by) = (back.entry, back.by.clone());
            self.outputs.push_back(Output::CalledBack { entry, by, result });
        }
    }
}
