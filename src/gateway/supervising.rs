//! Supervisors dial into the talks of agents, by a code with a PIN.
//!
//! ```text
//! 403  no supervisor, a wrong PIN, or too many of them from that address
//! 480  that agent has no caller
//! 486  the supervisor's own phone is not free, or enough others take part already
//! 488  no media that we can carry
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::book::{Attempt, Role};
use super::{Gateway, Output, Rejected};
use crate::call::agent::State;
use crate::call::fact::Supervision;
use crate::call::leg::{Callee, Input};
use crate::call::presence::{RefusedSupervision, What};
use crate::clock::{Instant, Now};
use crate::ids::{AgentNo, CallId};
use crate::media::keying::Part;
use crate::peer::lockout::{Deed, Lockout};
use crate::peer::token::Token;
use crate::protocol::sip::endpoint::{Flow, SessionId};
use crate::protocol::sip::message::Request;

/// Agents who are supervisors, with their PINs, and who has guessed.
#[derive(Debug, Default)]
pub(super) struct Supervisors {
    pins: BTreeMap<AgentNo, Token>,
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
        let own = self.pins.get(by);
        if own.is_some_and(|own| *own == Token::new(pin)) {
            return Ok(());
        }
        self.lockout.note(now, source, Deed::Wrong);
        Err(if own.is_some() { RefusedSupervision::WrongPin } else { RefusedSupervision::NoSupervisor })
    }
}

impl Gateway {
    /// These agents are supervisors from now on.
    pub fn use_supervisors(&mut self, pins: BTreeMap<AgentNo, Token>) {
        self.supervisors.pins = pins;
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
            tracing::info!(%by, of = %wish.of, ?why, "a supervisor's code is refused");
            self.agents.tell(by, What::SupervisionRefused { of: wish.of.clone(), why }, now);
            self.outputs.push_back(Output::Rejected(Rejected::WrongPin));
            return Err(403);
        }
        let call = self.talk_of(wish.of).map_err(|_| 480u16)?;
        if self.agents.state(by) != Some(&State::Available) {
            return Err(486);
        }
        if let Some(refusal) = self.refusal() {
            return Err(refusal.status);
        }
        let entry = self.calls.get_mut(&call).ok_or(480u16)?;
        let attempt = entry.call.seat_for_supervisor(wish.of).ok_or(486u16)?;
        self.seat(now, (call, attempt, by), request, (session, &flow))?;
        self.agents.engage(by, call);
        tracing::info!(%call, %by, of = %wish.of, mode = ?wish.mode, "a supervisor dials in");
        self.inputs.push_back((call, at, Input::Supervise { attempt, by: by.clone(), mode: wish.mode }));
        Ok(())
    }

    /// A leg of that call for the phone that has dialled in. It is answered when its port is open.
    pub(super) fn seat(
        &mut self,
        now: Now,
        (call, attempt, by): (CallId, u32, &AgentNo),
        request: &Request,
        (session, flow): (SessionId, &Flow),
    ) -> Result<(), u16> {
        let callee = Callee::Agent(by.clone());
        let role = Role::Agent { attempt, agent: callee.clone() };
        if request.body.is_empty() || self.settings.media.read(&role, Part::Offer, &request.body).is_err() {
            return Err(488);
        }
        let media = self.open_leg(now, call, &role, flow.local).ok_or(503u16)?;
        let mut own = Attempt { beside: true, ..Attempt::new(callee, Some(media)) };
        own.forks.go_on_with(session);
        self.calls.get_mut(&call).ok_or(480u16)?.attempts.insert(attempt, own);
        self.agent_answer(call, attempt, &request.body, flow.remote);
        self.link_phone(call, attempt, role, session);
        self.leash_phone(session, flow);
        Ok(())
    }
}
