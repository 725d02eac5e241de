//! What a call orders, done.

use super::book::{Attempt, Role};
use super::{Gateway, Output, outbound};
use crate::call::fact::{Fact, RingResult, What};
use crate::call::leg::{Action, Callee, Input, Parting};
use crate::clock::Now;
use crate::ids::{AgentNo, CallId, LegId};
use crate::media::Command;
use crate::protocol::sip::endpoint::{Leash, OutgoingInvite, SessionId};
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
            Action::Fact(fact) => self.tell_fact(id, fact),
            Action::InviteCaller => self.invite_caller(now, id),
            Action::RingPhone { attempt } => self.ring_phone(now, id, attempt),
            Action::RejectPhone { attempt, status } => self.reject_phone(now, id, attempt, status),
            Action::RingInEar { attempt, burst, period } => self.ring_in_ear(id, attempt, burst, period),
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
                self.with_caller(id, |endpoint, session| endpoint.reject(now, session, status, retry_after_s))
            }
            Action::HangUpCaller { parting } => {
                let why = cause(parting);
                self.leave_way(id, outbound::CALLER);
                self.with_caller(id, |endpoint, session| endpoint.hang_up_because(now, session, why.as_ref()));
            }
            Action::AnswerRefer { attempt, status } => self.answer_refer(now, id, attempt, status),
            Action::Notify { attempt, status } => self.notify(now, id, attempt, status),
            Action::Park { hears } => self.outputs.push_back(Output::Media(Command::Park { call: id, hears })),
            Action::Mute { .. } | Action::Cue { .. } | Action::Warn | Action::Hush | Action::Listen => {
                self.order_sound(id, action);
            }
            Action::AnswerAlone => self.answer_alone(now, id),
            Action::Attend { connected } => {
                let attend = self.attend(id, connected);
                self.outputs.extend(attend.map(Output::Media));
            }
            Action::AcceptPhone { attempt } => self.accept_phone(now, id, attempt),
            Action::SetBeside { attempt } => self.set_beside(id, attempt),
            Action::Admit { attempt, audible } => self.let_take_part(id, attempt, audible),
            Action::Tell { attempt, audio } => self.tell(id, attempt, audio),
            Action::OpenMoved { attempt } => self.open_moved(now, id, attempt),
            Action::MoveAgent { attempt } => self.move_agent(now, id, attempt),
            Action::Bridge { attempt, connected } => {
                let mut first = false;
                if let Some(a) = self.calls.get_mut(&id).and_then(|e| e.attempts.get_mut(&attempt)) {
                    first = !a.bridged;
                    (a.bridged, a.beside) = (true, false);
                }
                let bridge = self.bridge(id, attempt, connected);
                let keys = first.then(|| self.keys_of_target(id, attempt)).flatten();
                self.outputs.extend(bridge.into_iter().chain(keys).map(Output::Media));
            }
            Action::Play { play, audio } => {
                self.outputs.push_back(Output::Media(Command::Play { call: id, play, audio }));
            }
            Action::Record { path } => self.outputs.push_back(Output::Record { call: id, path }),
            Action::Private(order) => self.outputs.push_back(Output::Media(order.command(id))),
            Action::CloseMedia { ended } => self.close_media(id, ended),
            Action::Sealed => self.seal(now, id),
        }
    }

    fn tell_fact(&mut self, id: CallId, fact: Fact) {
        if let What::Ended { reason, by } = &fact.what {
            self.trunks.leave(id);
            tracing::info!(call = %id, %reason, by = by.as_str(), "call ended");
        }
        self.note_called_back(id, &fact.what);
        self.note_calling_out(id, &fact);
        self.outputs.push_back(Output::Fact(fact));
    }

    fn answer_alone(&mut self, now: Now, id: CallId) {
        let body = self.lone_answer(id).unwrap_or_default();
        self.with_caller(id, |endpoint, session| endpoint.accept(now.mono, session, body));
    }

    /// What concerns the sound of a talk alone.
    fn order_sound(&mut self, call: CallId, action: Action) {
        let command = match action {
            Action::Mute { muted } => Command::Mute { call, muted },
            Action::Cue { audio } => Command::Cue { call, audio },
            Action::Warn => Command::Warn { call },
            Action::Hush => Command::Hush { call },
            Action::Listen => Command::Listen { call },
            _ => return,
        };
        self.outputs.push_back(Output::Media(command));
    }

    fn with_caller(
        &mut self,
        id: CallId,
        order: impl FnOnce(&mut crate::protocol::sip::endpoint::Endpoint, crate::protocol::sip::endpoint::SessionId),
    ) {
        if let Some(session) = self.calls.get(&id).and_then(|entry| entry.caller.session) {
            order(&mut self.endpoint, session);
        }
    }

    fn open_caller(&mut self, now: Now, id: CallId) {
        let Some(caller) = self.calls.get(&id).map(|e| &e.caller) else { return };
        let ours = self.media_address(caller.flow.local, caller.peer.as_ref());
        let media = self.open_leg(now, id, &Role::Caller, ours);
        if media.is_none() {
            self.leg_not_ready(now, id, &Role::Caller);
        }
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.caller.media = media;
        }
    }

    fn open_agent(&mut self, now: Now, id: CallId, attempt: u32, agent: AgentNo) {
        let role = Role::Agent { attempt, agent: Callee::Agent(agent.clone()) };
        let ways = self.ways(now, &agent);
        let media = ways.first().and_then(|way| self.open_leg(now, id, &role, way.local));
        if ways.is_empty() {
            // Nothing is registered: this ring is over before it began.
            let failed = Input::AgentFailed { attempt, result: RingResult::Unreachable, status: None };
            self.inputs.push_back((id, now, failed));
        } else if media.is_none() {
            self.leg_not_ready(now, id, &role);
        }
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.attempts.insert(attempt, Attempt::new(Callee::Agent(agent), media));
        }
    }

    /// Every phone of the agent at once.
    fn invite_agent(&mut self, now: Now, id: CallId, attempt: u32, agent: &AgentNo) {
        let ways = self.outgoing_invites(now, id, attempt, agent);
        // A phone that has left meanwhile is no fault of ours.
        let result = if ways.is_empty() { RingResult::Unreachable } else { RingResult::Fault };
        let mut sessions: Vec<SessionId> = Vec::new();
        for call in ways {
            sessions.extend(self.endpoint.invite(now.mono, call));
        }
        if sessions.is_empty() {
            let failed = Input::AgentFailed { attempt, result, status: None };
            return self.inputs.push_back((id, now, failed));
        }
        for session in sessions {
            if !self.endpoint.is_leashed(session) {
                self.endpoint.leash(session, Leash::Host);
            }
            let role = Role::Agent { attempt, agent: Callee::Agent(agent.clone()) };
            self.link_phone(id, attempt, role, session);
            if let Some(a) = self.calls.get_mut(&id).and_then(|e| e.attempts.get_mut(&attempt)) {
                a.forks.add(session);
            }
        }
    }

    fn outgoing_invites(&self, now: Now, id: CallId, attempt: u32, agent: &AgentNo) -> Vec<OutgoingInvite> {
        let Some(entry) = self.calls.get(&id) else { return Vec::new() };
        let Some(media) = entry.attempts.get(&attempt).and_then(|a| a.media.as_ref()) else { return Vec::new() };
        let offer = self.agent_offer(entry.caller.peer.as_ref(), &media.local);
        let invite = |way: super::registering::Way| OutgoingInvite {
            target: way.target,
            transport: way.transport,
            destination: way.destination,
            flow: way.flow,
            caller: entry.caller.shown_number.clone(),
            offer: offer.clone(),
            max_forwards: entry.caller.max_forwards,
        };
        self.ways(now, agent).into_iter().map(invite).collect()
    }

    fn release_agent(&mut self, now: Now, id: CallId, attempt: u32, parting: Parting) {
        let Some(a) = self.calls.get_mut(&id).and_then(|e| e.attempts.get_mut(&attempt)) else { return };
        a.released = true;
        let (sessions, agent) = (a.forks.sessions().to_vec(), a.agent.clone());
        let of = (id, attempt, agent.clone());
        if self.phone_sessions.contains_key(&of) {
            // The agent is free again when the last message of the last session is through (see `parting`).
            let cause = cause(parting);
            for session in &sessions {
                self.endpoint.hang_up_because(now, *session, cause.as_ref());
            }
        } else {
            self.free(&agent, id, now);
        }
        self.leave_way(id, attempt);
        self.close_leg(id, &Role::Agent { attempt, agent });
    }

    /// An agent who holds the caller by one phone and is rung by another is free when the last of them is.
    pub(super) fn free(&mut self, callee: &Callee, id: CallId, now: Now) {
        let mut others = self.phone_sessions.range((id, 0, callee.clone())..).take_while(|((call, ..), _)| *call == id);
        if others.any(|((_, _, other), _)| other == callee) {
            return;
        }
        if let Callee::Agent(agent) = callee {
            self.free_agent(agent, id, now);
        }
    }

    /// That call is over for the agent, who may still be in one of their own (a consultation).
    pub(super) fn free_agent(&mut self, agent: &AgentNo, id: CallId, now: Now) {
        self.agents.release(agent, id, now);
        if let Some(own) = self.callers.call_of(agent).filter(|own| *own != id) {
            self.agents.engage(agent, own);
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

    fn seal(&mut self, now: Now, id: CallId) {
        let Some(entry) = self.calls.remove(&id) else { return };
        self.trunks.leave(id);
        self.guests.leave(id);
        self.calling_back.forget(id);
        self.leave_way(id, outbound::CALLER);
        for session in entry.attempts.values().flat_map(|a| a.forks.sessions()).chain(&entry.caller.session) {
            if self.by_session.get(session).is_some_and(|link| link.terminated) {
                self.by_session.remove(session);
            }
        }
        self.reports.seal(now.mono, id, entry.call.into_late());
        tracing::debug!(call = %id, "sealed");
    }
}

pub(super) fn cause(parting: Parting) -> Option<Reason> {
    match parting {
        Parting::HungUp => Some(Reason::normal_clearing()),
        Parting::Elsewhere => Some(Reason::completed_elsewhere()),
        Parting::TimedOut => Some(Reason::timer_expired()),
        Parting::Silent => None,
    }
}
