//! Responses to our requests, and what happens when none comes.

use std::sync::Arc;

use super::session::{Cancel, Phase, Repeat};
use super::{
    ByeChallenged, Count, Endpoint, EventKind, Flow, Label, Machine, Seen, SentAck, SessionId, TxId, TxKey, Wake,
};
use crate::clock::{Instant, Now};
use crate::protocol::sip::address::Address;
use crate::protocol::sip::body::session_description;
use crate::protocol::sip::dialog::Dialog;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Request, Response};
use crate::protocol::sip::reason::{Reason, retry_after_s};
use crate::protocol::sip::session_timer::Terms;
use crate::protocol::sip::transaction::Action;
use crate::protocol::sip::vocabulary::Method;

/// Answers of different forks to one INVITE that are acknowledged: nobody has more phones on one number.
const FORKS: usize = 16;

/// A response that its transaction passes on.
pub(super) struct Heard<'a> {
    pub(super) now: Instant,
    pub(super) at: Now,
    /// Where it came from.
    pub(super) flow: Flow,
    pub(super) tx: TxId,
    session: Option<SessionId>,
    pub(super) method: Method,
    pub(super) response: &'a Response,
}

impl Heard<'_> {
    pub(super) fn label(&self) -> Label {
        Label::Response(self.response.status, self.method.clone())
    }
}

impl Endpoint {
    pub(super) fn handle_response(&mut self, now: Instant, flow: Flow, at: Now, mut response: Response) {
        let (Some((_, method)), Some(via)) = (response.cseq(), response.top_via()) else { return };
        // Section 8.1.3.3: a second Via means that it was for somebody else.
        if response.headers.list(&Name::VIA).nth(1).is_some() {
            return self.counts.push_back(Count::Stray);
        }
        response.body = session_description(&response.headers, &response.body).unwrap_or_default().to_vec();
        let key = TxKey::Client { branch: via.branch().unwrap_or_default().to_owned(), method: method.to_string() };
        let Some(id) = self.by_key.get(&key).copied() else {
            // Nobody asked: from a stranger or long after (section 17.1.3 drops it).
            return self.counts.push_back(Count::Stray);
        };
        self.counts.push_back(Count::Response(response.status, method.clone()));
        self.reading = Some(Seen::of_response(&response, &method.to_string(), flow.remote));
        let Some(tx) = self.transactions.get_mut(&id) else { return };
        let (tx_flow, session) = (tx.flow, tx.session);
        let action = match &mut tx.machine {
            Machine::InviteClient { tx, request, .. } => {
                tx.handle_response(now, response.status, || failure_ack(request, &response))
            }
            Machine::Client { tx, .. } => tx.handle_response(now, response.status),
            Machine::InviteServer { .. } | Machine::Server(_) => Action::Nothing,
        };
        let heard = Heard { now, at, flow, tx: id, session, method, response: &response };
        match action {
            Action::DeliverAndTransmit(ack) => {
                self.transmit(tx_flow, ack, Label::Request(Method::ACK), session);
                self.deliver(&heard);
            }
            Action::Deliver => self.deliver(&heard),
            Action::Transmit(ack) => {
                self.counts.push_back(Count::Retransmission);
                self.heard_again(session, at, heard.label());
                self.transmit_again(tx_flow, ack, Label::Request(Method::ACK), session);
            }
            Action::Nothing => self.heard_again(session, at, heard.label()),
            Action::TimedOut => {}
        }
        self.settle(id);
    }

    fn deliver(&mut self, heard: &Heard<'_>) {
        let Heard { now, at, session, ref method, response, .. } = *heard;
        if self.answer_asked(heard.tx, at, heard.flow, response) {
            return;
        }
        let invite = *method == Method::INVITE;
        if invite && (200..300).contains(&response.status) {
            return self.handle_2xx(heard);
        }
        // The answer to a CANCEL may come when the session is over.
        if let Some(session) = session {
            self.event(session, at, EventKind::Received { label: heard.label() });
        }
        let Some(session) = session.filter(|s| self.sessions.contains_key(s)) else { return };
        if self.is_change(session, heard.tx) {
            if response.status >= 200 {
                self.handle_change_response(heard, session);
            }
            return;
        }
        match (invite, response.status) {
            (true, 100) => self.cancel_if_wanted(now, session),
            (true, 101..=199) => self.handle_progress(heard, session),
            (true, status) => self.handle_failure(heard, session, status),
            (false, 100..=199) => {}
            (false, 401 | 407) if *method == Method::BYE => self.handle_bye_challenged(heard, session),
            (false, status) => self.handle_in_dialog_response(at, session, method, status),
        }
    }

    fn handle_progress(&mut self, heard: &Heard<'_>, id: SessionId) {
        let Heard { now, at, response, .. } = *heard;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.peer.note(&response.headers);
        }
        if self.note_early(heard, id) {
            let body = response.body.clone();
            self.event(id, at, EventKind::Progress { status: response.status, body });
        }
        self.cancel_if_wanted(now, id);
    }

    /// Our INVITE has failed; a re-INVITE of a session that is ending meanwhile says nothing new.
    fn handle_failure(&mut self, heard: &Heard<'_>, id: SessionId, status: u16) {
        let call = |s: &super::Session| matches!(s.phase, Phase::Outgoing { tx, .. } if tx == heard.tx);
        if !self.sessions.get(&id).is_some_and(call) || (status == 422 && self.invite_again(heard, id)) {
            return;
        }
        if matches!(status, 401 | 407) {
            let (response, source) = (Box::new(heard.response.clone()), heard.flow.remote);
            self.event(id, heard.at, EventKind::Challenged { response, source });
        }
        let h = &heard.response.headers;
        self.explain(id, heard.at, Reason::of(h), retry_after_s(h));
        self.event(id, heard.at, EventKind::Failed { status: Some(status) });
        self.terminate_session(id, heard.at);
    }

    /// The session waits for `bye_again`.
    fn handle_bye_challenged(&mut self, heard: &Heard<'_>, id: SessionId) {
        let asked = self.transactions.get(&heard.tx).map(|tx| tx.flow);
        let next = self.sessions.get_mut(&id).and_then(|session| {
            session.next_bye = session.bye();
            let uri = session.next_bye.as_ref()?.raw_uri.clone();
            Some((uri, session.proved))
        });
        let (Some(asked), Some((uri, answered))) = (asked, next) else { return self.terminate_session(id, heard.at) };
        let (response, source) = (heard.response.clone(), heard.flow.remote);
        let challenged = ByeChallenged { response, asked, source, uri, answered };
        self.event(id, heard.at, EventKind::ByeChallenged(Box::new(challenged)));
    }

    fn handle_in_dialog_response(&mut self, at: Now, session: SessionId, method: &Method, status: u16) {
        if *method == Method::BYE {
            // Any final answer to BYE ends the session (section 15.1.1).
            self.terminate_session(session, at);
        } else if ![Method::CANCEL, Method::PRACK, Method::NOTIFY].contains(method) && matches!(status, 408 | 481) {
            self.lose(at, session);
        }
    }

    fn handle_2xx(&mut self, heard: &Heard<'_>) {
        let Heard { now, flow, tx: tx_id, session, response, .. } = *heard;
        let to_tag = response.to_tag();
        let Some(tx) = self.transactions.get(&tx_id) else { return };
        let Machine::InviteClient { request, acks, .. } = &tx.machine else { return };
        if let Some(ack) = acks.iter().find(|ack| ack.to_tag == to_tag) {
            let (flow, bytes) = (ack.flow, ack.bytes.clone());
            self.counts.push_back(Count::Retransmission);
            self.heard_again(session, heard.at, heard.label());
            if let Some(bytes) = bytes {
                self.transmit_again(flow, bytes, Label::Request(Method::ACK), session);
            }
            return;
        }
        if acks.len() >= FORKS {
            return self.counts.push_back(Count::Stray);
        }
        let alive = session.filter(|s| self.sessions.contains_key(s));
        let again = request.headers.first(&Name::TO).and_then(Address::parse).is_some_and(|to| to.tag().is_some());
        if let (Some(id), true) = (alive, again) {
            return self.handle_reinvite_2xx(heard, id);
        }
        let first = acks.is_empty();
        let Some(dialog) = Dialog::from_response(request, response) else { return };
        let (seq, offerless) = (request.cseq().unwrap_or_default(), request.body.is_empty());
        let own = self.own_flow(tx_id, tx.flow);
        let target = request.uri.clone();
        let next = match session {
            Some(session) => self.way_within(session, &dialog, own, flow),
            None => self.flow_of(&dialog, own, flow),
        };
        let calls = |s: &super::Session| matches!(s.phase, Phase::Outgoing { cancel: Cancel::No, .. });
        let called = alive.filter(|s| first && self.sessions.get(s).is_some_and(calls));
        let waits = called.is_some() && offerless && !response.body.is_empty();
        let ack = (!waits).then(|| self.ack_of(dialog.ack(seq), &next, session.filter(|_| first).zip(Some(tx_id))));
        if let Some(tx) = self.transactions.get_mut(&tx_id)
            && let Machine::InviteClient { acks, .. } = &mut tx.machine
        {
            let (flow, bytes) = ack.clone().map_or((next, None), |(flow, bytes)| (flow, Some(bytes)));
            acks.push(SentAck { to_tag: to_tag.clone(), flow, bytes });
        }
        if let Some(session) = session {
            self.event(session, heard.at, EventKind::Received { label: heard.label() });
        }
        if let Some((flow, ack)) = ack {
            self.transmit(flow, ack, Label::Request(Method::ACK), session);
        }
        match alive.filter(|_| first) {
            Some(session) => {
                self.note_contact(session, &dialog, &own, target.as_ref());
                self.establish(heard, session, dialog, next);
                if waits {
                    self.await_answer(session, tx_id, seq, next, to_tag);
                }
            }
            None => {
                self.end_foreign_dialog(now, dialog, next);
                if let Some(bye) = self.transmits.back_mut() {
                    bye.session = session;
                }
            }
        }
    }

    /// `flow`: the way of our requests from now on.
    fn establish(&mut self, heard: &Heard<'_>, id: SessionId, mut dialog: Dialog, flow: Flow) {
        let at = heard.at;
        let early = self.sessions.get_mut(&id).map(|s| std::mem::take(&mut s.early)).unwrap_or_default();
        let mut early_sdp = Vec::new();
        for early in early {
            if early.dialog.id == dialog.id {
                dialog.resume(&early.dialog);
                early_sdp = early.sdp;
            }
            self.dialogs.remove(&early.dialog.id);
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let cancelled = matches!(session.phase, Phase::Outgoing { cancel: Cancel::Wanted | Cancel::Sent, .. });
        self.dialogs.insert(dialog.id.clone(), id);
        session.dialog = Some(dialog);
        session.flow = flow;
        session.phase = Phase::Established;
        session.peer.note(&heard.response.headers);
        session.exchanges += u32::from(early_sdp.is_empty());
        if cancelled {
            self.event(id, at, EventKind::CrossedAnswer);
            return self.send_bye(heard.now, id);
        }
        // What a reliable 18x has said is not said again (RFC 3262 section 5).
        let body = if heard.response.body.is_empty() { early_sdp } else { heard.response.body.clone() };
        self.event(id, at, EventKind::Answered { body, source: heard.flow.remote });
        self.renew(heard.now, id, Terms::agreed(&heard.response.headers), true);
    }

    /// A second fork answered, or the session is gone: ACK was sent, BYE follows (section 13.2.2.4).
    fn end_foreign_dialog(&mut self, now: Instant, mut dialog: Dialog, flow: Flow) {
        dialog.skip_ahead();
        let bye = dialog.request(&Method::BYE);
        self.send_request(now, bye, flow, None);
    }

    fn cancel_if_wanted(&mut self, now: Instant, id: SessionId) {
        let wanted = |s: &super::Session| matches!(s.phase, Phase::Outgoing { cancel: Cancel::Wanted, .. });
        if self.sessions.get(&id).is_some_and(wanted) {
            self.send_cancel(now, id);
        }
    }

    /// Timers B, F and H: nobody answered.
    pub(super) fn handle_tx_gave_up(&mut self, now: Now, id: TxId, session: Option<SessionId>) {
        if self.give_up_asked(id, now) {
            return;
        }
        let Some(session) = session.filter(|s| self.sessions.contains_key(s)) else { return };
        if self.is_change(session, id) {
            if let Some(state) = self.sessions.get_mut(&session) {
                state.change = None;
            }
            return self.lose(now, session);
        }
        let Some(tx) = self.transactions.get(&id) else { return };
        let call = |s: &super::Session| matches!(s.phase, Phase::Outgoing { tx, .. } if tx == id);
        match &tx.machine {
            Machine::InviteClient { .. } if self.sessions.get(&session).is_some_and(call) => {
                self.event(session, now, EventKind::Failed { status: None });
                self.terminate_session(session, now);
            }
            Machine::Client { method, .. } if *method == Method::BYE => self.terminate_session(session, now),
            Machine::Client { method, .. } if *method == Method::CANCEL => self.give_up_cancelled(now, session),
            // Without its PRACK the INVITE fails at the other side, which tells us so.
            Machine::Client { method, .. } if *method == Method::PRACK => {}
            // Nobody reads our reports: the session does not depend on it (RFC 5057 section 5.1).
            Machine::Client { method, .. } if *method == Method::NOTIFY => {}
            Machine::Client { .. } => self.lose(now, session),
            Machine::InviteClient { .. } | Machine::InviteServer { .. } | Machine::Server(_) => {}
        }
    }

    /// Section 9.1: no final response to the INVITE 64 × T1 after CANCEL: it counts as cancelled.
    pub(super) fn give_up_cancelled(&mut self, now: Now, session: SessionId) {
        let Some(Phase::Outgoing { tx, .. }) = self.sessions.get(&session).map(|s| &s.phase) else { return };
        let tx_id = *tx;
        if let Some(tx) = self.transactions.get_mut(&tx_id)
            && let Machine::InviteClient { tx, .. } = &mut tx.machine
        {
            tx.terminate();
        }
        self.settle(tx_id);
        self.event(session, now, EventKind::Failed { status: None });
        self.terminate_session(session, now);
    }

    /// The 2xx of ours has not been acknowledged yet; or a cancelled INVITE never ended; or their invitation has expired.
    pub(super) fn handle_session_timeout(&mut self, now: Now, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Phase::Incoming { tx } = session.phase {
            return self.expire(now, id, tx);
        }
        let Some(unacked) = &mut session.unacked else { return self.give_up_cancelled(now, id) };
        match unacked.handle_timeout(now.mono) {
            Repeat::Again => {
                let (flow, bytes, next) = (unacked.flow, Arc::clone(&unacked.response), unacked.next_timeout());
                self.wakes.set(Wake::Session(id), Some(next));
                self.transmit_again(flow, bytes, Label::Response(200, Method::INVITE), Some(id));
            }
            Repeat::GiveUp => {
                session.unacked = None;
                session.why = Some(Reason::timer_expired());
                self.event(id, now, EventKind::NotAcknowledged);
                self.send_bye(now.mono, id);
            }
        }
    }
}

/// Section 17.1.1.3: the ACK of a failure, within the INVITE's own transaction.
fn failure_ack(invite: &Request, response: &Response) -> Arc<[u8]> {
    let mut ack = Request::new(Method::ACK, &invite.raw_uri);
    let h = &mut ack.headers;
    if let Some(via) = invite.headers.first(&Name::VIA) {
        h.push(Name::VIA, via);
    }
    for route in invite.headers.fields(&Name::ROUTE) {
        h.push(Name::ROUTE, route);
    }
    h.push(Name::MAX_FORWARDS, "70");
    for (name, from) in [(Name::FROM, &invite.headers), (Name::TO, &response.headers), (Name::CALL_ID, &invite.headers)]
    {
        if let Some(value) = from.first(&name) {
            h.push(name.clone(), value);
        }
    }
    h.push(Name::CSEQ, format!("{} ACK", invite.cseq().unwrap_or_default()));
    ack.to_bytes().into()
}
