//! What a call orders, done.

use std::collections::VecDeque;

use super::book::{Attempt, Link, Role};
use super::{Gateway, Output};
use crate::call::fact::{RingResult, What};
use crate::call::leg::{Action, Callee, Input, Parting};
use crate::clock::Now;
use crate::ids::{AgentNo, CallId, LegId};
use crate::media::Command;
use crate::protocol::sip::endpoint::OutgoingInvite;
use crate::protocol::sip::reason::Reason;

impl Gateway {
    /// Does everything that the call has ordered so far, and renews its wake-up.
    pub(super) fn obey(&mut self, now: Now, id: CallId) {
        while let Some(action) = self.calls.get_mut(&id).and_then(|e| e.call.poll_action()) {
            self.do_action(now, id, action);
        }
        let next = self.calls.get(&id).and_then(|e| e.call.poll_timeout());
        self.wakes.set(id, next.map(|(at, _)| at));
    }

    fn do_action(&mut self, now: Now, id: CallId, action: Action) {
        match action {
            Action::Fact(fact) => {
                if let What::Ended { reason, by } = &fact.what {
                    self.trunks.leave(id);
                    tracing::info!(%id, %reason, by = by.as_str(), "call ended");
                }
                self.outputs.push_back(Output::Fact(fact));
            }
            Action::OpenCaller => self.open_caller(now, id),
            Action::OpenAgent { attempt, agent } => self.open_agent(now, id, attempt, agent),
            Action::InviteAgent { attempt, agent } => self.invite_agent(now, id, attempt, &agent),
            Action::OpenTarget { attempt, target } => self.open_target(now, id, attempt, target),
            Action::InviteTarget { attempt } => self.invite_target(now, id, attempt),
            Action::ReleaseAgent { attempt, parting } => self.release_agent(now, id, attempt, parting),
            Action::Ring => {
                let body = self.early_offer(id);
                self.with_caller(id, |endpoint, session| endpoint.ring(now.mono, session, 180, body));
            }
            Action::Ringback { burst, period } => {
                if let Some(body) = self.early_answer(id, burst, period) {
                    self.with_caller(id, |endpoint, session| endpoint.ring(now.mono, session, 183, body));
                }
            }
            Action::AnswerCaller { attempt } => {
                let body = self.caller_answer(id, attempt).unwrap_or_default();
                self.with_caller(id, |endpoint, session| endpoint.accept(now.mono, session, body));
            }
            Action::RejectCaller { status, retry_after_s } => {
                self.with_caller(id, |endpoint, session| endpoint.reject(now, session, status, retry_after_s));
            }
            Action::HangUpCaller { parting } => {
                let why = cause(parting);
                self.with_caller(id, |endpoint, session| endpoint.hang_up_because(now, session, why.as_ref()));
            }
            Action::Bridge { attempt, connected } => {
                let bridge = self.bridge(id, attempt, connected);
                self.outputs.extend(bridge.map(Output::Media));
            }
            Action::Play { play, audio } => {
                self.outputs.push_back(Output::Media(Command::Play { call: id, play, audio }));
            }
            Action::Record { path } => self.outputs.push_back(Output::Record { call: id, path }),
            Action::CloseMedia { ended } => self.close_media(id, ended),
            Action::Sealed => self.seal(id),
        }
    }

    fn with_caller(
        &mut self,
        id: CallId,
        order: impl FnOnce(&mut crate::protocol::sip::endpoint::Endpoint, crate::protocol::sip::endpoint::SessionId),
    ) {
        if let Some(entry) = self.calls.get(&id) {
            order(&mut self.endpoint, entry.caller.session);
        }
    }

    fn open_caller(&mut self, now: Now, id: CallId) {
        let Some(listener) = self.calls.get(&id).map(|e| e.caller.flow.local) else { return };
        let media = self.open_leg(now, id, &Role::Caller, listener);
        if media.is_none() {
            self.leg_not_ready(now, id, &Role::Caller);
        }
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.caller.media = media;
        }
    }

    fn open_agent(&mut self, now: Now, id: CallId, attempt: u32, agent: AgentNo) {
        let role = Role::Agent { attempt, agent: Callee::Agent(agent.clone()) };
        let phone = self.phones.get(&agent);
        let listener = phone.and_then(|p| self.endpoint.listener_for(p.transport, p.address));
        let media = listener.and_then(|l| self.open_leg(now, id, &role, l));
        if media.is_none() {
            self.leg_not_ready(now, id, &role);
        }
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.attempts.insert(attempt, Attempt::new(Callee::Agent(agent), media));
        }
    }

    fn invite_agent(&mut self, now: Now, id: CallId, attempt: u32, agent: &AgentNo) {
        let session = self.outgoing_invite(id, attempt, agent).and_then(|call| self.endpoint.invite(now.mono, call));
        let Some(session) = session else {
            // A phone that the configuration has dropped meanwhile is no fault of ours.
            let gone = !self.phones.contains_key(agent);
            let result = if gone { RingResult::Unreachable } else { RingResult::Fault };
            let failed = Input::AgentFailed { attempt, result, status: None };
            return self.inputs.push_back((id, now, failed));
        };
        let role = Role::Agent { attempt, agent: Callee::Agent(agent.clone()) };
        self.by_session.insert(session, Link { call: id, role, terminated: false, unwritten: VecDeque::new() });
        if let Some(a) = self.calls.get_mut(&id).and_then(|e| e.attempts.get_mut(&attempt)) {
            a.session = Some(session);
        }
    }

    fn outgoing_invite(&self, id: CallId, attempt: u32, agent: &AgentNo) -> Option<OutgoingInvite> {
        let entry = self.calls.get(&id)?;
        let media = entry.attempts.get(&attempt)?.media.as_ref()?;
        let phone = self.phones.get(agent)?;
        Some(OutgoingInvite {
            target: phone.uri.clone(),
            transport: phone.transport,
            destination: phone.address,
            caller: entry.caller.shown_number.clone(),
            offer: self.agent_offer(entry.caller.peer.as_ref(), &media.local),
            max_forwards: entry.caller.max_forwards,
        })
    }

    fn release_agent(&mut self, now: Now, id: CallId, attempt: u32, parting: Parting) {
        let Some(a) = self.calls.get_mut(&id).and_then(|e| e.attempts.get_mut(&attempt)) else { return };
        a.released = true;
        let (session, agent) = (a.session, a.agent.clone());
        match session.filter(|s| self.by_session.get(s).is_some_and(|link| !link.terminated)) {
            // The agent is free again when the session's last message is through.
            Some(session) => self.endpoint.hang_up_because(now, session, cause(parting).as_ref()),
            None => self.free(&agent, id, now),
        }
        self.leave_way(id, attempt);
        self.close_leg(id, &Role::Agent { attempt, agent });
    }

    pub(super) fn free(&mut self, callee: &Callee, id: CallId, now: Now) {
        if let Callee::Agent(agent) = callee {
            self.agents.release(agent, id, now.mono);
        }
    }

    fn close_media(&mut self, id: CallId, ended: Now) {
        let Some(entry) = self.calls.get_mut(&id) else { return };
        let legs = entry.attempts.values_mut().filter_map(|a| a.media.as_mut()).chain(entry.caller.media.as_mut());
        let mut any = false;
        for media in legs.filter(|m| !m.closing) {
            media.closing = true;
            any = true;
        }
        if any {
            self.outputs.push_back(Output::Media(Command::CloseCall { call: id, ended }));
        }
    }

    /// Whether a leg is not wanted any more: a port that could not be opened for it is not tried again.
    pub(super) fn is_closing(&mut self, call: CallId, leg: LegId) -> bool {
        let Some(role) = self.by_leg.get(&leg).map(|link| link.role.clone()) else { return false };
        let media = self.calls.get_mut(&call).and_then(|e| e.media_mut(&role));
        media.is_none_or(|media| media.closing)
    }

    /// A leg that never came to be.
    pub(super) fn forget_leg(&mut self, now: Now, leg: LegId) {
        if let Some(link) = self.by_leg.remove(&leg) {
            self.ports.free(link.port, now.mono);
        }
    }

    /// A call whose machine failed: nobody is left hanging.
    pub(super) fn end_all_legs(&mut self, now: Now, id: CallId) {
        let Some(entry) = self.calls.get(&id) else { return };
        let attempts: Vec<u32> = entry.attempts.keys().copied().collect();
        self.with_caller(id, |endpoint, session| endpoint.hang_up(now, session));
        self.close_media(id, now);
        for attempt in attempts {
            self.release_agent(now, id, attempt, Parting::Silent);
        }
    }

    fn seal(&mut self, id: CallId) {
        let Some(entry) = self.calls.remove(&id) else { return };
        self.guests.leave(id);
        for session in entry.attempts.values().filter_map(|a| a.session).chain([entry.caller.session]) {
            if self.by_session.get(&session).is_some_and(|link| link.terminated) {
                self.by_session.remove(&session);
            }
        }
        tracing::debug!(call = %id, "sealed");
    }
}

fn cause(parting: Parting) -> Option<Reason> {
    match parting {
        Parting::HungUp => Some(Reason::normal_clearing()),
        Parting::Elsewhere => Some(Reason::completed_elsewhere()),
        Parting::TimedOut => Some(Reason::timer_expired()),
        Parting::Silent => None,
    }
}
