//! SIP events become call inputs; new INVITEs become calls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::among_agents::call_id;
use super::book::{CallerLeg, Entry, Link, Role};
use super::{Gateway, Output, Rejected};
use crate::call::fact::KeyPath;
use crate::call::fact::RingResult;
use crate::call::leg::{Input, Sent};
use crate::call::reason::Reason;
use crate::call::{Call, Offer, Refusal};
use crate::clock::Now;
use crate::dialplan::plan::Hotline;
use crate::ids::{CallId, Side, SubjectId};
use crate::limits;
use crate::media::negotiate::Peer;
use crate::peer::identity::Number;
use crate::protocol::sip::dtmf::Key;
use crate::protocol::sip::endpoint::{Event, EventKind, Flow, Label, MAX_FORWARDS, Seen, SessionId};
use crate::protocol::sip::message::Request;
use crate::protocol::sip::reason::Reason as Cause;
use crate::protocol::sip::replaces::Replaces;
use crate::protocol::sip::vocabulary::Method;

impl Gateway {
    pub(super) fn handle_sip(&mut self, now: Now, event: Event) {
        if let EventKind::ByeChallenged(challenged) = &event.kind {
            return self.prove_bye(event.at, event.session, challenged);
        }
        let Some(Event { session, at, kind, seen }) = self.on_the_way(now, event) else { return };
        if let EventKind::Invite { request, flow } = kind {
            return self.handle_invite(now, at, session, flow, &request);
        }
        let Some(link) = self.by_session.get_mut(&session) else { return };
        let (id, role) = (link.call, link.role.clone());
        if let EventKind::Terminated = kind {
            link.terminated = true;
            if !self.calls.contains_key(&id) || self.was_replaced(id, session, &role) {
                self.by_session.remove(&session);
            }
            return self.phone_is_through(now, session, id, &role);
        }
        if let EventKind::Received { label } = &kind {
            return self.note_received(id, &role, at, label, seen);
        }
        let input = match &role {
            // It goes on with another phone; what this one still says changes nothing.
            Role::Caller if self.was_replaced(id, session, &role) => None,
            Role::Caller => self.caller_event(now, at, id, session, kind),
            Role::Agent { .. } => self.agent_event(now, id, session, &role, kind),
        };
        if let Some(input) = input.and_then(|input| self.of_whom(id, &role, input)) {
            self.inputs.push_back((id, at, input));
        }
    }

    /// io has written a message for the first time.
    pub(super) fn handle_sent(&mut self, session: SessionId, label: &Label, at: Now) {
        let Some(link) = self.by_session.get(&session) else { return };
        let (id, role) = (link.call, link.role.clone());
        self.note_written(session, label, at);
        let sent = match (role, label) {
            (Role::Caller, Label::Response(180, _)) => Sent::Ring,
            (Role::Caller, Label::Response(200, Method::INVITE)) => Sent::Answer,
            (Role::Caller, Label::Request(Method::INVITE)) if self.calls_the_caller(id) => Sent::CallerInvite,
            (Role::Caller, Label::Response(300.., Method::INVITE)) => Sent::Rejection,
            (Role::Agent { attempt, .. }, Label::Request(Method::INVITE)) if self.is_first_invite(id, attempt) => {
                Sent::Invite { attempt }
            }
            (Role::Caller | Role::Agent { .. }, _) => return,
        };
        self.inputs.push_back((id, at, Input::Sent(sent)));
    }

    /// io could not write a message. The endpoint reports what that means for a session; of a final failure, the last
    /// message of a session that it has forgotten already, only the call itself still knows.
    pub(super) fn handle_not_sent(&mut self, now: Now, session: SessionId) {
        self.endpoint.handle_send_failure(now, session);
        if let Some(Link { call, role: Role::Caller, terminated: true, .. }) = self.by_session.get(&session) {
            self.inputs.push_back((*call, now, Input::Lost { side: Side::Caller }));
        }
    }

    fn handle_invite(&mut self, now: Now, at: Now, session: SessionId, flow: Flow, request: &Request) {
        if let Ok(Some(replaces)) = Replaces::of(&request.headers) {
            return self.replace(now, at, (session, flow), request, &replaces);
        }
        if let Some((agent, dialled)) = self.code_dialled(&flow, request) {
            return self.serve_code(now, at, (session, flow), request, (agent, &dialled));
        }
        if let Some(who) = self.agents_own_call(&flow, request) {
            return self.begin_agents_call(now, at, (session, flow), request, who);
        }
        if let Some((agent, number)) = self.number_outside(&flow, request) {
            return self.call_out(now, at, (session, flow), request, (agent, &number, None));
        }
        self.begin_call(now, at, session, flow, request);
    }

    /// A call of a trunk, if one brings it and a dialplan owns the number.
    fn begin_call(&mut self, now: Now, at: Now, session: SessionId, flow: Flow, request: &Request) {
        let Some(line) = self.trunk_of(&flow) else {
            self.outputs.push_back(Output::Rejected(Rejected::FromPhone));
            return self.endpoint.reject(now, session, 403, None);
        };
        let Some((called, hotline)) = self.dialled(line, request) else {
            self.outputs.push_back(Output::Rejected(Rejected::UnknownNumber));
            return self.endpoint.reject(now, session, 404, None);
        };
        let id = CallId::new(at.wall, &mut self.random);
        let caller = self.settings.trunks[line].identity.caller(request);
        let subject = self.subject(caller.number.kept.clone());
        let caller_received = caller.number.received.clone().map(|number| self.subject(number));
        let trunk = self.settings.trunks[line].name.clone();
        let (peer, refusal) = self.media_of(&flow, request);
        let sip_call_id = call_id(request);
        let early_media = peer.as_ref().is_some_and(Peer::hears);
        let standing = hotline.reception.standing(&caller.known_as());
        let Number { kept: called, received: called_received } = called;
        let offer = Offer {
            trunk,
            called,
            called_received,
            caller: subject,
            caller_received,
            sip_call_id,
            early_media,
            standing,
            made: None,
        };
        tracing::info!(call = %id, hotline = %hotline.id, trunk = %offer.trunk, "call offered");
        tracing::debug!(%id, caller = %caller.number.kept, "caller");
        let call = match self.refusal(now).or(refusal).or_else(|| self.admit(now, line, id)) {
            Some(why) => Call::refused(id, self.settings.run, at, hotline, offer, why),
            None => Call::new(id, self.settings.run, at, hotline, offer),
        };
        let shown_number = caller.shown();
        let max_forwards = request.max_forwards().unwrap_or(MAX_FORWARDS).saturating_sub(1);
        let caller = CallerLeg {
            session: Some(session),
            flow,
            shown_number,
            peer,
            codec: None,
            media: None,
            held: false,
            max_forwards,
            acknowledged: false,
        };
        self.calls.insert(id, Entry::new(id, call, caller));
        self.by_session
            .insert(session, Link { call: id, role: Role::Caller, terminated: false, unwritten: VecDeque::new() });
        self.invited_from(id, request);
        self.note_reporter(session, id, Side::Caller);
        let seen = Box::new(Seen::of_request(request, flow.remote));
        self.note_received(id, &Role::Caller, at, &Label::Request(request.method.clone()), Some(seen));
        if self.ledger_failing {
            self.inputs.push_back((id, at, Input::LedgerDelayed));
        }
        self.obey(now, id);
    }

    /// The hotline that owns the number dialled, which stands where the trunk's setting says: in the Request-URI, else in To.
    fn dialled(&self, line: usize, request: &Request) -> Option<(Number, Arc<Hotline>)> {
        let identity = &self.settings.trunks[line].identity;
        let plans = &self.plans.by_number;
        identity.called(request).find_map(|number| {
            let written = [Some(&number.kept), number.received.as_ref()];
            let hotline = written.into_iter().flatten().find_map(|n| plans.get(n)).or_else(|| {
                // A dialplan may write its number in another form than E.164.
                let owns = |own: &String| identity.normal(own).is_some_and(|own| own == number.kept);
                plans.iter().find(|(own, _)| owns(own)).map(|(_, hotline)| hotline)
            });
            hotline.map(|hotline| (number, Arc::clone(hotline)))
        })
    }

    pub(super) fn subject(&mut self, number: String) -> SubjectId {
        let id = SubjectId::new(&mut self.random);
        self.outputs.push_back(Output::Subject { id, number });
        id
    }

    pub(super) fn refusal(&self, now: Now) -> Option<Refusal> {
        let reason = match () {
            () if self.draining => Reason::Draining,
            () if self.ledger_full || self.calls.len() >= limits::CALLS => Reason::Overloaded,
            // One pair for whoever calls and one for whoever is rung: a call without the second would reach nobody.
            () if !self.ports.has_room(2, now.mono) => Reason::Overloaded,
            () => return None,
        };
        Some(Refusal { reason, status: 503, retry_after_s: Some(10) })
    }

    pub(super) fn media_of(&self, flow: &Flow, request: &Request) -> (Option<Peer>, Option<Refusal>) {
        if request.body.is_empty() {
            return (None, None);
        }
        match self.offered(&Role::Caller, flow.local, &request.body).0 {
            Ok(peer) => (Some(peer), None),
            Err(refusal) => {
                tracing::info!(%refusal, "offer refused");
                (None, Some(Refusal { reason: Reason::NoCodec, status: 488, retry_after_s: None }))
            }
        }
    }

    fn caller_event(&mut self, now: Now, at: Now, id: CallId, session: SessionId, kind: EventKind) -> Option<Input> {
        Some(match kind {
            EventKind::Cancelled => Input::CallerLeft,
            EventKind::Acknowledged { body } => return self.caller_acknowledged(id, at, &body),
            EventKind::NotAcknowledged => Input::CallerNeverAcknowledged,
            EventKind::Bye => Input::HungUp { side: Side::Caller },
            EventKind::Key(key) => told(Side::Caller, key),
            EventKind::Lost => Input::Lost { side: Side::Caller },
            EventKind::Refer(refer) => return self.referred(now, id, session, &Role::Caller, &refer),
            EventKind::Reoffer { body } => return self.reoffer(now, id, session, &Role::Caller, &body),
            EventKind::Explained { reason, retry_after_s } => explained(Side::Caller, reason, retry_after_s),
            EventKind::Reanswered { body } => return self.take_reanswer(id, &Role::Caller, &body),
            EventKind::Offered { body } => return self.answer_in_ack(id, session, &Role::Caller, &body),
            EventKind::EarlyAnswer { body } => return self.early_answered(now, id, session, &body),
            // Of a caller who is called back.
            EventKind::Progress { status: 180..=189, .. } => Input::CallerRings,
            EventKind::Answered { body, source } => return self.called_answered(now, id, session, (&body, source)),
            EventKind::Failed { status } => Input::CallerFailed { result: ring_result(status), status },
            EventKind::Received { .. }
            | EventKind::ReofferFailed { .. }
            | EventKind::Invite { .. }
            | EventKind::CrossedAnswer
            | EventKind::Progress { .. }
            | EventKind::Challenged { .. }
            | EventKind::ByeChallenged(_)
            | EventKind::Terminated => return None,
        })
    }

    /// The first ACK is the call's; those of re-INVITEs say nothing new but, perhaps, where media goes.
    fn caller_acknowledged(&mut self, id: CallId, at: Now, body: &[u8]) -> Option<Input> {
        let entry = self.calls.get_mut(&id)?;
        if !std::mem::replace(&mut entry.caller.acknowledged, true) {
            self.inputs.push_back((id, at, Input::CallerAcknowledged));
        }
        self.take_late_answer(id, &Role::Caller, body)
    }

    /// The PRACK of our 18x brought the answer to the offer in it. Without media there is nothing to go on with.
    fn early_answered(&mut self, now: Now, id: CallId, session: SessionId, body: &[u8]) -> Option<Input> {
        let input = self.take_late_answer(id, &Role::Caller, body)?;
        if let Input::Lost { .. } = input {
            self.endpoint.reject(now, session, 488, None);
        }
        Some(input)
    }

    fn agent_event(&mut self, now: Now, id: CallId, session: SessionId, role: &Role, kind: EventKind) -> Option<Input> {
        let Role::Agent { attempt, .. } = *role else { return None };
        let a = self.calls.get(&id)?.attempts.get(&attempt)?;
        let (released, lost, moves) = (a.released, a.forks.has_lost(session), a.moves);
        Some(match kind {
            EventKind::Refer(refer) => return self.referred(now, id, session, role, &refer),
            EventKind::Explained { reason, retry_after_s } => explained(Side::Agent, reason, retry_after_s),
            // A phone that has dialled in, and gives up before it was answered.
            EventKind::Cancelled => Input::HungUp { side: Side::Agent },
            kind if moves && !released && !lost => return self.moving_event(now, id, session, role, kind),
            // A phone that lost the race and hangs up by itself ends no call of others.
            _ if released => return None,
            // Its 2xx and that of another phone of the same agent came together.
            EventKind::Answered { .. } if lost => {
                self.endpoint.hang_up(now, session);
                return None;
            }
            _ if lost => return None,
            EventKind::Progress { status: 180..=189, .. } => Input::AgentRinging { attempt },
            EventKind::Progress { .. } | EventKind::CrossedAnswer => return None,
            EventKind::Answered { body, source } => {
                return self.fork_answered(now, id, session, attempt, (&body, source));
            }
            EventKind::Failed { status } => return self.fork_failed(id, session, attempt, status),
            EventKind::Bye => Input::HungUp { side: Side::Agent },
            EventKind::Key(key) => told(Side::Agent, key),
            // No ACK to our answer to its re-INVITE; BYE has been sent.
            EventKind::Lost | EventKind::NotAcknowledged => Input::Lost { side: Side::Agent },
            EventKind::Reoffer { body } => return self.reoffer(now, id, session, role, &body),
            EventKind::Acknowledged { body } => return self.take_late_answer(id, role, &body),
            EventKind::Reanswered { body } => return self.take_reanswer(id, role, &body),
            EventKind::Offered { body } => return self.answer_in_ack(id, session, role, &body),
            EventKind::Received { .. }
            | EventKind::Invite { .. }
            | EventKind::Challenged { .. }
            | EventKind::ByeChallenged(_)
            | EventKind::EarlyAnswer { .. }
            | EventKind::ReofferFailed { .. }
            | EventKind::Terminated => return None,
        })
    }
}

/// A key by INFO; it ended when the message came.
fn told(side: Side, key: Key) -> Input {
    let duration = Duration::from_millis(u64::from(key.duration_ms));
    Input::Key { side, key: key.key, duration, via: KeyPath::Info }
}

fn explained(side: Side, reason: Option<Cause>, retry_after_s: Option<u32>) -> Input {
    Input::Explained { side, reason: reason.map(|r| r.to_string()), retry_after_s }
}

/// What a failure of an agent's phone means for the ring.
pub(super) fn ring_result(status: Option<u16>) -> RingResult {
    match status {
        Some(486 | 600) => RingResult::Busy,
        Some(603) => RingResult::Declined,
        Some(408 | 487) => RingResult::NoAnswer,
        Some(_) | None => RingResult::Unreachable,
    }
}
