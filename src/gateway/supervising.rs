//! Supervisors dial into the talks of agents, by a code with a PIN.
//!
//! ```text
//! 403  no supervisor, a wrong PIN, or too many of them from that address; a call of a hotline that is not the supervisor's
//! 480  that agent has no caller
//! 486  the supervisor's own phone is not free, or enough others take part already
//! 488  no media that we can carry
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::book::{Attempt, Role};
use super::{Gateway, Output, Rejected};
use crate::call::agent::State;
use crate::call::fact::Supervision;
use crate::call::leg::{Callee, Input};
use crate::call::presence::{RefusedSupervision, What};
use crate::clock::{Instant, Now};
use crate::ids::{AgentNo, CallId, HotlineId};
use crate::peer::lockout::{Deed, Lockout};
use crate::peer::token::Token;
use crate::protocol::sip::endpoint::{Flow, SessionId};
use crate::protocol::sip::message::Request;

/// An agent who may listen to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    pub pin: Token,
    /// In calls of these hotlines; `None`: of all.
    pub hotlines: Option<BTreeSet<HotlineId>>,
}

impl Supervisor {
    pub fn of_all(pin: Token) -> Supervisor {
        Supervisor { pin, hotlines: None }
    }

    fn may_hear(&self, hotline: &HotlineId) -> bool {
        self.hotlines.as_ref().is_none_or(|hotlines| hotlines.contains(hotline))
    }
}

/// Who is a supervisor, and who has guessed.
#[derive(Debug, Default)]
pub(super) struct Supervisors {
    of: BTreeMap<AgentNo, Supervisor>,
    lockout: Lockout,
}

/// What a supervisor dialled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) mode: Supervision,
    pub(super) of: &'a AgentNo,
    pub(super) pin: &'a str,
}

impl Supervisors {
    fn judge(&mut self, now: Instant, source: IpAddr, by: &AgentNo, pin: &str) -> Result<(), RefusedSupervision> {
        if self.lockout.is_locked(now, source) {
            return Err(RefusedSupervision::LockedOut);
        }
        let own = self.of.get(by);
        if own.is_some_and(|own| own.pin == Token::new(pin)) {
            return Ok(());
        }
        self.lockout.note(now, source, Deed::Wrong);
        Err(if own.is_some() { RefusedSupervision::WrongPin } else { RefusedSupervision::NoSupervisor })
    }
}

impl Gateway {
    /// These agents are supervisors from now on.
    pub fn use_supervisors(&mut self, supervisors: BTreeMap<AgentNo, Supervisor>) {
        self.supervisors.of = supervisors;
    }

    /// The fact, and the answer to the phone.
    fn refuse_supervisor(&mut self, now: Now, by: &AgentNo, of: &AgentNo, why: RefusedSupervision) -> u16 {
        tracing::info!(%by, %of, ?why, "a supervisor's code is refused");
        self.agents.tell(by, What::SupervisionRefused { of: of.clone(), why }, now);
        403
    }

    pub(super) fn supervise(
        &mut self,
        now: Now,
        at: Now,
        (session, flow): (SessionId, Flow),
        request: &Request,
        (by, wish): (&AgentNo, Wish<'_>),
    ) -> Result<(), u16> {
        if let Err(why) = self.supervisors.judge(now.mono, flow.remote.ip(), by, wish.pin) {
            self.outputs.push_back(Output::Rejected(Rejected::WrongPin));
            return Err(self.refuse_supervisor(now, by, wish.of, why));
        }
        let call = self.talk_of(wish.of).map_err(|_| 480u16)?;
        let hotline = self.calls.get(&call).map(|entry| &entry.call.hotline().id).ok_or(480u16)?;
        if !self.supervisors.of.get(by).is_some_and(|own| own.may_hear(hotline)) {
            return Err(self.refuse_supervisor(now, by, wish.of, RefusedSupervision::OtherHotline));
        }
        if self.agents.state(by) != Some(&State::Available) {
            return Err(486);
        }
        if let Some(refusal) = self.refusal(now) {
            return Err(refusal.status);
        }
        let entry = self.calls.get_mut(&call).ok_or(480u16)?;
        let attempt = entry.call.seat_for_supervisor(wish.of).ok_or(486u16)?;
        self.seat(now, (call, attempt, by), request, (session, &flow), true)?;
        self.agents.engage(by, call);
        tracing::info!(%call, %by, of = %wish.of, mode = ?wish.mode, "a supervisor dials in");
        self.inputs.push_back((call, at, Input::Supervise { attempt, by: by.clone(), mode: wish.mode }));
        Ok(())
    }

    /// A leg of that call for the phone that has dialled in, `beside` caller and agent or as the agent's. It is answered when its port is
    /// open, or when the call says so.
    pub(super) fn seat(
        &mut self,
        now: Now,
        (call, attempt, by): (CallId, u32, &AgentNo),
        request: &Request,
        (session, flow): (SessionId, &Flow),
        beside: bool,
    ) -> Result<(), u16> {
        let callee = Callee::Agent(by.clone());
        let role = Role::Agent { attempt, agent: callee.clone() };
        let (Ok(_), ours) = self.offered(&role, flow.local, &request.body) else { return Err(488) };
        let media = self.open_leg(now, call, &role, ours).ok_or(503u16)?;
        let mut own = Attempt { beside, ..Attempt::new(callee, Some(media)) };
        own.forks.go_on_with(session);
        self.calls.get_mut(&call).ok_or(480u16)?.attempts.insert(attempt, own);
        self.agent_answer(call, attempt, &request.body, flow.remote);
        self.link_phone(call, attempt, role, session);
        self.leash_phone(session, flow);
        Ok(())
    }
}
