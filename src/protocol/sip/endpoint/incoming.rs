//! Requests from outside.

use std::sync::Arc;

use super::session::{Phase, Session};
use super::{Count, Endpoint, EventKind, Flow, Label, Machine, SessionId, TxId, TxKey, Wake};
use crate::clock::{Instant, Now};
use crate::limits;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::dialog::DialogId;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Fault, Request};
use crate::protocol::sip::transaction::{Action, InviteServer, Server};
use crate::protocol::sip::uri::Scheme;
use crate::protocol::sip::via::{MAGIC_COOKIE, Via};
use crate::protocol::sip::vocabulary::Method;

/// What Allow says.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS";

impl Endpoint {
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        flow: Flow,
        at: Now,
        trusted: bool,
        mut request: Request,
        fault: Option<Fault>,
    ) {
        let dialog = self.dialog_of(&request);
        if !trusted && dialog.is_none() && !self.is_known_transaction(&request) {
            return self.counts.push_back(Count::Stranger);
        }
        self.counts.push_back(Count::Request(request.method.clone()));
        if let Some(top) = request.headers.first(&Name::VIA) {
            // A list of several Vias in one field: only the first belongs to the sender.
            let end = crate::protocol::sip::header::split_list(top)
                .next()
                .map_or(top.len(), |first| first.as_ptr() as usize - top.as_ptr() as usize + first.len());
            let marked = [Via::mark_received(&top[..end], flow.remote), top[end..].to_vec()].concat();
            request.headers.replace_first(&Name::VIA, marked);
        }
        if let Some(fault) = fault {
            return self.refuse(now, flow, &request, fault.status, Some(fault.reason));
        }
        if request.method == Method::ACK {
            return self.handle_ack(now, at, &request, dialog);
        }
        let Some(key) = server_key(&request) else { return };
        if let Some(id) = self.by_key.get(&key).copied() {
            return self.handle_request_again(id);
        }
        if request.method == Method::CANCEL {
            return self.handle_cancel(now, flow, at, key, &request);
        }
        if let Some((status, unsupported)) = self.cannot_serve(&request) {
            return self.answer(now, flow, key, &request, status, |r| {
                if let Some(list) = unsupported {
                    r.headers.push(Name::UNSUPPORTED, list);
                }
                if status == 405 {
                    r.headers.push(Name::ALLOW, ALLOW);
                }
            });
        }
        match (to_tag(&request), dialog) {
            (Some(_), Some(session)) => self.handle_in_dialog(now, flow, at, key, session, request),
            (Some(_), None) => self.answer(now, flow, key, &request, 481, |_| {}),
            (None, _) if request.method == Method::INVITE => self.handle_invite(now, flow, at, key, request),
            (None, _) if request.method == Method::OPTIONS => self.answer_options(now, flow, key, &request),
            // BYE outside a dialog.
            (None, _) => self.answer(now, flow, key, &request, 481, |_| {}),
        }
    }

    fn is_known_transaction(&self, request: &Request) -> bool {
        let mut method = request.method.clone();
        if method == Method::ACK || method == Method::CANCEL {
            method = Method::INVITE;
        }
        server_key_as(request, &method).is_some_and(|key| self.by_key.contains_key(&key))
    }

    fn dialog_of(&self, request: &Request) -> Option<SessionId> {
        let id = DialogId {
            call_id: request.headers.text(&Name::CALL_ID)?.to_owned(),
            local_tag: to_tag(request)?,
            remote_tag: from_tag(request).unwrap_or_default(),
        };
        self.dialogs.get(&id).copied()
    }

    /// Status (and Unsupported) for what section 8.2 refuses before looking at state.
    fn cannot_serve(&self, request: &Request) -> Option<(u16, Option<Vec<u8>>)> {
        let served = [Method::INVITE, Method::BYE, Method::OPTIONS].contains(&request.method);
        if !served {
            return Some((if matches!(request.method, Method::Other(_)) { 501 } else { 405 }, None));
        }
        if request.uri.as_ref().is_some_and(|uri| uri.scheme == Scheme::Other) {
            return Some((416, None));
        }
        let required: Vec<&[u8]> = request.headers.list(&Name::REQUIRE).collect();
        if !required.is_empty() {
            return Some((420, Some(required.join(&b", "[..]))));
        }
        // A live dialog is never refused: a BYE turned away is a call that nobody ends any more.
        if self.transactions.len() >= limits::SIP_TRANSACTIONS && self.dialog_of(request).is_none() {
            return Some((503, None));
        }
        let tagless = to_tag(request).is_none() && request.method == Method::INVITE;
        let merged = tagless && merge_key(request).is_some_and(|key| self.merges.contains_key(&key));
        merged.then_some((482, None))
    }

    fn handle_request_again(&mut self, id: TxId) {
        self.counts.push_back(Count::Retransmission);
        let Some(tx) = self.transactions.get(&id) else { return };
        let flow = tx.flow;
        let action = match &tx.machine {
            Machine::InviteServer { tx, .. } => tx.handle_retransmission(),
            Machine::Server(tx) => tx.handle_retransmission(),
            Machine::InviteClient { .. } | Machine::Client { .. } => Action::Nothing,
        };
        if let Action::Transmit(bytes) = action {
            self.transmit_again(flow, bytes, Label::Response(0, Method::INVITE));
        }
    }

    fn handle_invite(&mut self, now: Instant, flow: Flow, at: Now, key: TxKey, request: Request) {
        let local_tag = self.random.token();
        let Some(dialog) = crate::protocol::sip::dialog::Dialog::from_request(&request, &local_tag) else {
            return self.answer_with(now, flow, key, &request, 400, Some("Missing Contact"), |_| {});
        };
        let session = SessionId(self.new_id());
        let reply = reply_flow(flow, &request);
        let machine = Machine::InviteServer {
            tx: InviteServer::new(flow.transport.reliable()),
            request: Box::new(request.clone()),
            local_tag,
        };
        let tx = self.add_tx(key, reply, Some(session), machine);
        if let Some(key) = merge_key(&request) {
            self.merges.insert(key, tx);
        }
        self.dialogs.insert(dialog.id.clone(), session);
        let phase = Phase::Incoming { tx };
        self.sessions.insert(session, Session { flow: reply, dialog: Some(dialog), phase, unacked: None });
        self.event(session, at, EventKind::Received { label: Label::Request(Method::INVITE) });
        self.respond(now, session, tx, 100, &[], Vec::new());
        self.event(session, at, EventKind::Invite { request: Box::new(request), flow });
    }

    fn handle_ack(&mut self, now: Instant, at: Now, request: &Request, dialog: Option<SessionId>) {
        // The ACK of a failure has the branch of its INVITE; that of a 2xx is a request of its own within the dialog.
        let failed = server_key_as(request, &Method::INVITE).and_then(|key| self.by_key.get(&key).copied());
        if let Some(id) = failed
            && let Some(tx) = self.transactions.get_mut(&id)
            && let Machine::InviteServer { tx: machine, .. } = &mut tx.machine
        {
            machine.handle_ack(now);
            let session = tx.session;
            self.settle(id);
            if let Some(session) = session {
                self.event(session, at, EventKind::Received { label: Label::Request(Method::ACK) });
            }
            if dialog.is_none() {
                return;
            }
        }
        let Some(session_id) = dialog else { return self.counts.push_back(Count::Stray) };
        let Some(session) = self.sessions.get_mut(&session_id) else { return };
        let Some(unacked) = session.unacked.take_if(|u| Some(u.seq) == request.cseq()) else { return };
        self.wakes.set(Wake::Session(session_id), None);
        self.event(session_id, at, EventKind::Received { label: Label::Request(Method::ACK) });
        self.event(session_id, at, EventKind::Acknowledged { body: request.body.clone() });
        if unacked.bye_waits {
            self.send_bye(now, session_id);
        }
    }

    fn handle_cancel(&mut self, now: Instant, flow: Flow, at: Now, key: TxKey, request: &Request) {
        let invite = server_key_as(request, &Method::INVITE).and_then(|key| self.by_key.get(&key).copied());
        let Some(id) = invite else { return self.answer(now, flow, key, request, 481, |_| {}) };
        let Some(tx) = self.transactions.get(&id) else { return };
        let Machine::InviteServer { tx: machine, local_tag, .. } = &tx.machine else { return };
        let (session, proceeding, tag) = (tx.session, machine.proceeding(), local_tag.clone());
        if let Some(session) = session {
            self.event(session, at, EventKind::Received { label: Label::Request(Method::CANCEL) });
        }
        // Section 9.2: 200 to the CANCEL whatever becomes of the INVITE, with the To tag of its responses.
        self.answer_tagged(now, flow, key, request, 200, None, &tag, session, |_| {});
        let Some(id_of_session) = session else { return };
        let Some(state) = self.sessions.get(&id_of_session) else { return };
        match state.phase {
            Phase::Incoming { .. } if proceeding => {
                self.event(id_of_session, at, EventKind::Cancelled);
                self.respond(now, id_of_session, id, 487, &[], Vec::new());
                self.terminate_session(id_of_session, at);
            }
            // Our 2xx crossed it: the owner ends the session with BYE (section 9.2).
            Phase::Established if state.unacked.is_some() => self.event(id_of_session, at, EventKind::Cancelled),
            _ => {}
        }
    }

    fn handle_in_dialog(&mut self, now: Instant, flow: Flow, at: Now, key: TxKey, id: SessionId, request: Request) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let in_order = session.dialog.as_mut().is_some_and(|d| d.accept(&request).is_ok());
        let label = Label::Request(request.method.clone());
        self.event(id, at, EventKind::Received { label });
        if !in_order {
            return self.answer_in(now, flow, key, &request, 500, id);
        }
        if request.method == Method::BYE {
            self.answer_in(now, flow, key, &request, 200, id);
            self.handle_bye(now, at, id);
        } else if request.method == Method::INVITE {
            self.handle_reinvite(now, flow, at, key, id, request);
        } else {
            self.answer_options(now, flow, key, &request);
        }
    }

    fn handle_bye(&mut self, now: Instant, at: Now, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        match session.phase {
            // Early dialog: the pending INVITE gets 487 (section 15.1.2).
            Phase::Incoming { tx } => {
                self.event(id, at, EventKind::Cancelled);
                self.respond(now, id, tx, 487, &[], Vec::new());
            }
            Phase::Reoffered { tx } => {
                self.respond(now, id, tx, 487, &[], Vec::new());
                self.event(id, at, EventKind::Bye);
            }
            Phase::Outgoing { .. } | Phase::Established | Phase::Ending => self.event(id, at, EventKind::Bye),
        }
        self.terminate_session(id, at);
    }

    fn handle_reinvite(&mut self, now: Instant, flow: Flow, at: Now, key: TxKey, id: SessionId, request: Request) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        // Section 14.2: one offer at a time; the first 2xx must be acknowledged before the next.
        let busy = !matches!(session.phase, Phase::Established) || session.unacked.is_some();
        if busy {
            return self.answer_in(now, flow, key, &request, 491, id);
        }
        if let Some(dialog) = session.dialog.as_mut() {
            dialog.refresh_target(request.headers.list(&Name::CONTACT).next());
        }
        let body = request.body.clone();
        let reply = reply_flow(flow, &request);
        let machine = Machine::InviteServer {
            tx: InviteServer::new(flow.transport.reliable()),
            request: Box::new(request),
            local_tag: String::new(),
        };
        let tx = self.add_tx(key, reply, Some(id), machine);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.phase = Phase::Reoffered { tx };
        }
        self.respond(now, id, tx, 100, &[], Vec::new());
        self.event(id, at, EventKind::Reoffer { body });
    }

    fn answer_options(&mut self, now: Instant, flow: Flow, key: TxKey, request: &Request) {
        self.answer(now, flow, key, request, 200, |r| {
            r.headers.push(Name::ALLOW, ALLOW);
            r.headers.push(Name::ACCEPT, "application/sdp");
        });
    }

    /// A final response with a server transaction of its own.
    fn answer(
        &mut self,
        now: Instant,
        flow: Flow,
        key: TxKey,
        request: &Request,
        status: u16,
        fill: impl FnOnce(&mut super::super::message::Response),
    ) {
        self.answer_with(now, flow, key, request, status, None, fill);
    }

    fn answer_with(
        &mut self,
        now: Instant,
        flow: Flow,
        key: TxKey,
        request: &Request,
        status: u16,
        reason: Option<&str>,
        fill: impl FnOnce(&mut super::super::message::Response),
    ) {
        let tag = self.random.token();
        self.answer_tagged(now, flow, key, request, status, reason, &tag, None, fill);
    }

    fn answer_in(&mut self, now: Instant, flow: Flow, key: TxKey, request: &Request, status: u16, id: SessionId) {
        self.answer_tagged(now, flow, key, request, status, None, "", Some(id), |r| {
            if status == 500 {
                r.headers.push(Name::RETRY_AFTER, "5");
            }
        });
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one response; a struct would only rename them")]
    fn answer_tagged(
        &mut self,
        now: Instant,
        flow: Flow,
        key: TxKey,
        request: &Request,
        status: u16,
        reason: Option<&str>,
        tag: &str,
        session: Option<SessionId>,
        fill: impl FnOnce(&mut super::super::message::Response),
    ) {
        let mut response = request.response(status, reason, Some(tag));
        response.headers.push(Name::SERVER, self.settings.product.clone());
        fill(&mut response);
        let bytes: Arc<[u8]> = response.to_bytes().into();
        let reply = reply_flow(flow, request);
        let reliable = flow.transport.reliable();
        let label = Label::Response(status, request.method.clone());
        // An INVITE's failure must be repeated until its ACK; everything else only when asked again.
        let (machine, action) = if request.method == Method::INVITE {
            let mut tx = InviteServer::new(reliable);
            let action = tx.respond(now, status, bytes);
            let request = Box::new(request.clone());
            (Machine::InviteServer { tx, request, local_tag: tag.to_owned() }, action)
        } else {
            let mut tx = Server::new(reliable);
            let action = tx.respond(now, bytes);
            (Machine::Server(tx), action)
        };
        self.add_tx(key, reply, session, machine);
        if let Action::Transmit(bytes) = action {
            self.transmit(reply, bytes, label, session);
        }
    }

    /// Answers a malformed request without keeping state; an ACK gets silence.
    fn refuse(&mut self, now: Instant, flow: Flow, request: &Request, status: u16, reason: Option<&str>) {
        self.counts.push_back(Count::Unparsable);
        if request.method == Method::ACK || request.headers.first(&Name::VIA).is_none() {
            return;
        }
        match server_key(request) {
            Some(key) if self.by_key.contains_key(&key) => {}
            Some(key) => self.answer_with(now, flow, key, request, status, reason, |_| {}),
            None => {
                let tag = self.random.token();
                let bytes = request.response(status, reason, Some(&tag)).to_bytes().into();
                let label = Label::Response(status, request.method.clone());
                self.transmit(reply_flow(flow, request), bytes, label, None);
            }
        }
    }
}

/// Section 18.2.2: where responses to this request go.
fn reply_flow(flow: Flow, request: &Request) -> Flow {
    let remote = match (flow.connection, request.top_via()) {
        (None, Some(via)) => via.response_target(flow.remote),
        _ => flow.remote,
    };
    Flow { remote, ..flow }
}

fn server_key(request: &Request) -> Option<TxKey> {
    server_key_as(request, &request.method)
}

fn server_key_as(request: &Request, method: &Method) -> Option<TxKey> {
    let via = request.top_via()?;
    let branch = match via.branch() {
        Some(branch) if branch.starts_with(MAGIC_COOKIE) => branch.to_owned(),
        // RFC 2543 peers: what stays the same over INVITE, ACK and CANCEL (section 17.2.3).
        _ => {
            let call_id = request.headers.text(&Name::CALL_ID)?;
            format!("2543 {call_id} {} {}", from_tag(request).unwrap_or_default(), request.cseq()?)
        }
    };
    Some(TxKey::Server { branch, sent_by: via.sent_by(), method: method.to_string() })
}

pub(super) fn merge_key(request: &Request) -> Option<(String, String, u32)> {
    Some((request.headers.text(&Name::CALL_ID)?.to_owned(), from_tag(request)?, request.cseq()?))
}

fn from_tag(request: &Request) -> Option<String> {
    Address::parse(request.headers.first(&Name::FROM)?)?.tag().map(str::to_owned)
}

fn to_tag(request: &Request) -> Option<String> {
    Address::parse(request.headers.first(&Name::TO)?)?.tag().map(str::to_owned)
}
