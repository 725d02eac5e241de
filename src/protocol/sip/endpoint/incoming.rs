//! Requests from outside.

use std::hash::{Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::reported::is_report;
use super::session::{Phase, Session};
use super::{Count, Endpoint, EventKind, Flow, Label, Machine, Seen, SessionId, Transport, TxId, TxKey, Wake};
use crate::clock::{Instant, Now};
use crate::limits;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::body::session_description;
use crate::protocol::sip::dialog::DialogId;
use crate::protocol::sip::dtmf;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Fault, Request};
use crate::protocol::sip::reason::Reason;
use crate::protocol::sip::replaces::Replaces;
use crate::protocol::sip::session_timer::{self, Terms};
use crate::protocol::sip::transaction::{Action, InviteServer, Server};
use crate::protocol::sip::uri::Scheme;
use crate::protocol::sip::via::{MAGIC_COOKIE, Via};
use crate::protocol::sip::vocabulary::{Method, expires_s};

/// What Allow says.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER";
/// What Supported says, and Require may.
pub(super) const SUPPORTED: &str = "100rel, timer, norefersub, replaces";
const ACCEPT: &str = "application/sdp";
/// When to come back to one that is overloaded or about to stop.
const RETRY_AFTER_S: &str = "10";

/// No caller waits longer for our final response, whatever Expires says.
const LONGEST_INVITATION_S: u32 = 86_400;

/// A request that waits for its answer: what every answer needs.
pub(super) struct Asked<'a> {
    pub(super) now: Instant,
    pub(super) at: Now,
    pub(super) flow: Flow,
    pub(super) key: TxKey,
    pub(super) request: &'a Request,
}

/// A final response of our own making.
pub(super) struct Answer<'a> {
    status: u16,
    /// Other than the usual phrase.
    reason: Option<&'a str>,
    headers: Vec<(Name, Vec<u8>)>,
}

impl Answer<'_> {
    pub(super) fn status(status: u16) -> Self {
        Answer { status, reason: None, headers: Vec::new() }
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn with(mut self, name: Name, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

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
        if !(trusted || dialog.is_some() || self.serves(&request.method) || self.is_known_transaction(&request)) {
            return self.counts.push_back(Count::Stranger);
        }
        self.counts.push_back(Count::Request(request.method.clone()));
        self.reading = Some(Seen::of_request(&request, flow.remote));
        if let Some(top) = request.headers.first(&Name::VIA) {
            // A list of several Vias in one field: only the first belongs to the sender.
            let end = crate::protocol::sip::header::split_list(top)
                .next()
                .map_or(top.len(), |first| first.as_ptr() as usize - top.as_ptr() as usize + first.len());
            let marked = [Via::mark_received(&top[..end], flow.remote), top[end..].to_vec()].concat();
            request.headers.replace_first(&Name::VIA, marked);
        }
        if let Some(fault) = fault {
            return self.refuse(now, flow, at, &request, fault);
        }
        if request.method == Method::ACK {
            return self.handle_ack(now, at, &request, dialog);
        }
        let Some(key) = server_key(&request) else { return };
        if let Some(id) = self.by_key.get(&key).copied() {
            return self.handle_request_again(id, at, &request.method);
        }
        let asked = Asked { now, at, flow, key, request: &request };
        if request.method == Method::CANCEL {
            return self.handle_cancel(asked);
        }
        if is_report(&request) {
            return self.handle_report(asked, dialog);
        }
        if let Some(refusal) = self.cannot_serve(&request) {
            return self.answer(asked, refusal);
        }
        match (to_tag(&request), dialog) {
            (Some(_), Some(session)) => self.handle_in_dialog(asked, session),
            (Some(_), None) => self.answer(asked, Answer::status(481)),
            (None, _) if request.method == Method::INVITE => self.handle_invite(asked),
            (None, _) if request.method == Method::OPTIONS => self.answer_options(asked, self.draining),
            (None, _) if request.method == Method::REGISTER => self.serve(asked),
            // BYE outside a dialog.
            (None, _) => self.answer(asked, Answer::status(481)),
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

    /// What section 8.2 refuses before looking at state.
    fn cannot_serve(&self, request: &Request) -> Option<Answer<'static>> {
        let within = [Method::UPDATE, Method::PRACK, Method::INFO, Method::REFER];
        let known = [&[Method::INVITE, Method::BYE, Method::OPTIONS][..], &within].concat();
        if !(known.contains(&request.method) || self.serves(&request.method)) {
            let status = if matches!(request.method, Method::Other(_)) { 501 } else { 405 };
            let allow = if to_tag(request).is_none() { self.allow() } else { ALLOW.to_owned() };
            return Some(Answer::status(status).with(Name::ALLOW, allow));
        }
        let tls = self.settings.listen.iter().any(|(transport, _)| *transport == Transport::Tls);
        if request.uri.as_ref().is_some_and(|uri| uri.scheme == Scheme::Other || (uri.is_secure() && !tls)) {
            return Some(Answer::status(416));
        }
        if request.asks_for_sips() && !tls {
            // A Contact that our own requests could not reach (RFC 5630 section 5.1.1.1; code of section 6.2).
            return Some(Answer::status(480).with(Name::WARNING, "380 hotline \"SIPS Not Allowed\""));
        }
        let known = |tag: &&[u8]| SUPPORTED.split(", ").any(|ours| tag.eq_ignore_ascii_case(ours.as_bytes()));
        let unknown: Vec<&[u8]> = request.headers.list(&Name::REQUIRE).filter(|tag| !known(tag)).collect();
        if !unknown.is_empty() {
            return Some(Answer::status(420).with(Name::UNSUPPORTED, unknown.join(&b", "[..])));
        }
        let invite = request.method == Method::INVITE;
        // RFC 3891 section 3: once at most, and only in an INVITE.
        let replaces = Replaces::of(&request.headers);
        if replaces.is_err() || (!invite && replaces != Ok(None)) {
            return Some(Answer::status(400));
        }
        let describes = invite || request.method == Method::UPDATE || request.method == Method::PRACK;
        if describes && session_description(&request.headers, &request.body).is_err() {
            return Some(Answer::status(415).with(Name::ACCEPT, ACCEPT));
        }
        if invite && !accepts_sdp(request) {
            return Some(Answer::status(406));
        }
        // A call goes on from here to a phone: without this a loop over us would have no end (RFC 7332).
        if invite && request.max_forwards() == Some(0) {
            return Some(Answer::status(483));
        }
        let refreshes = invite || request.method == Method::UPDATE;
        if refreshes && Terms::answer(&request.headers, None).is_err() {
            return Some(Answer::status(422).with(Name::MIN_SE, session_timer::SMALLEST_S.to_string()));
        }
        let outside = to_tag(request).is_none();
        if outside && self.is_full() {
            return Some(Answer::status(503).with(Name::RETRY_AFTER, RETRY_AFTER_S));
        }
        let merged = outside && invite && merge_key(request).is_some_and(|key| self.merges.contains_key(&key));
        merged.then(|| Answer::status(482))
    }

    /// No more server transactions: what is answered now is answered without one.
    fn is_full(&self) -> bool {
        self.transactions.len() >= limits::SIP_TRANSACTIONS
    }

    fn handle_request_again(&mut self, id: TxId, at: Now, method: &Method) {
        self.counts.push_back(Count::Retransmission);
        let Some(tx) = self.transactions.get(&id) else { return };
        let (flow, session) = (tx.flow, tx.session);
        let action = match &tx.machine {
            Machine::InviteServer { tx, .. } => tx.handle_retransmission(),
            Machine::Server(tx) => tx.handle_retransmission(),
            Machine::InviteClient { .. } | Machine::Client { .. } => Action::Nothing,
        };
        self.heard_again(session, at, Label::Request(method.clone()));
        if let Action::Transmit(bytes) = action {
            self.transmit_again(flow, bytes, Label::Response(0, Method::INVITE), session);
        }
    }

    fn handle_invite(&mut self, asked: Asked<'_>) {
        let mut request = asked.request.clone();
        request.body = sdp_of(&request);
        let local_tag = self.random.token();
        let Some(dialog) = crate::protocol::sip::dialog::Dialog::from_request(&request, &local_tag) else {
            return self.answer(asked, Answer { reason: Some("Missing Contact"), ..Answer::status(400) });
        };
        let Asked { now, at, flow, key, .. } = asked;
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
        let mut state = Session::new(reply, Some(dialog), Phase::Incoming { tx });
        state.peer.note(&request.headers);
        self.sessions.insert(session, state);
        self.event(session, at, EventKind::Received { label: Label::Request(Method::INVITE) });
        self.respond(now, session, tx, 100, &[], Vec::new());
        if let Some(valid_s) = request.headers.text(&Name::EXPIRES).and_then(expires_s) {
            let expired = now + Duration::from_secs(valid_s.min(LONGEST_INVITATION_S).into());
            self.wakes.set(Wake::Session(session), Some(expired));
        }
        self.event(session, at, EventKind::Invite { request: Box::new(request), flow });
    }

    fn handle_ack(&mut self, now: Instant, at: Now, request: &Request, dialog: Option<SessionId>) {
        // The ACK of a failure has the branch of its INVITE; that of a 2xx is a request of its own within the dialog.
        let failed = server_key_as(request, &Method::INVITE).and_then(|key| self.by_key.get(&key).copied());
        if let Some(id) = failed
            && let Some(tx) = self.transactions.get_mut(&id)
            && let Machine::InviteServer { tx: machine, .. } = &mut tx.machine
        {
            let (confirms, accepted) = (machine.handle_ack(now), machine.accepted());
            let session = tx.session;
            self.settle(id);
            if let Some(session) = session.filter(|_| confirms) {
                self.event(session, at, EventKind::Received { label: Label::Request(Method::ACK) });
            } else if !accepted {
                self.heard_again(session, at, Label::Request(Method::ACK));
            }
            // Some phones give the ACK of a 2xx the branch of the INVITE too.
            if !accepted {
                return;
            }
        }
        let Some(session_id) = dialog else { return self.counts.push_back(Count::Stray) };
        let Some(session) = self.sessions.get_mut(&session_id) else { return };
        let Some(unacked) = session.unacked.take_if(|u| Some(u.seq) == request.cseq()) else {
            return self.heard_again(Some(session_id), at, Label::Request(Method::ACK));
        };
        self.wakes.set(Wake::Session(session_id), None);
        self.event(session_id, at, EventKind::Received { label: Label::Request(Method::ACK) });
        self.event(session_id, at, EventKind::Acknowledged { body: sdp_of(request) });
        if unacked.bye_waits {
            self.send_bye(now, session_id);
        }
    }

    fn handle_cancel(&mut self, asked: Asked<'_>) {
        let (now, at, reason) = (asked.now, asked.at, Reason::of(&asked.request.headers));
        let invite = server_key_as(asked.request, &Method::INVITE).and_then(|key| self.by_key.get(&key).copied());
        let Some(id) = invite else { return self.answer(asked, Answer::status(481)) };
        let Some(tx) = self.transactions.get(&id) else { return };
        let Machine::InviteServer { tx: machine, local_tag, .. } = &tx.machine else { return };
        let (session, proceeding, tag) = (tx.session, machine.proceeding(), local_tag.clone());
        if let Some(session) = session {
            self.event(session, at, EventKind::Received { label: Label::Request(Method::CANCEL) });
        }
        // Section 9.2: 200 to the CANCEL whatever becomes of the INVITE, with the To tag of its responses.
        self.answer_tagged(asked, Answer::status(200), &tag, session);
        let Some(id_of_session) = session else { return };
        let Some(state) = self.sessions.get(&id_of_session) else { return };
        match state.phase {
            Phase::Incoming { .. } if proceeding => {
                self.explain(id_of_session, at, reason, None);
                self.event(id_of_session, at, EventKind::Cancelled);
                self.respond(now, id_of_session, id, 487, &[], Vec::new());
                self.terminate_session(id_of_session, at);
            }
            // A re-INVITE that is taken back: the session goes on as it was.
            Phase::Reoffered { tx } if proceeding && tx == id => {
                self.respond(now, id_of_session, id, 487, &[], Vec::new());
            }
            // Our 2xx crossed it: the owner ends the session with BYE (section 9.2).
            Phase::Established if state.unacked.is_some() => self.event(id_of_session, at, EventKind::Cancelled),
            _ => {}
        }
    }

    /// Their INVITE had an Expires that is over before our final response (section 13.3.1): as if they had cancelled it.
    pub(super) fn expire(&mut self, now: Now, id: SessionId, tx: TxId) {
        self.event(id, now, EventKind::Cancelled);
        self.respond(now.mono, id, tx, 487, &[], Vec::new());
        self.terminate_session(id, now);
    }

    fn handle_in_dialog(&mut self, asked: Asked<'_>, id: SessionId) {
        let (now, at, request) = (asked.now, asked.at, asked.request);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let tag = from_tag(request).unwrap_or_default();
        let in_order = session.dialog_mut(&tag).is_some_and(|d| d.accept(request).is_ok());
        let called = matches!(session.phase, Phase::Outgoing { .. });
        let label = Label::Request(request.method.clone());
        self.event(id, at, EventKind::Received { label });
        if !in_order {
            return self.answer_in(asked, 500, id);
        }
        if request.method == Method::BYE && called {
            // Section 15: who was called may not end an early dialog so.
            self.answer_in(asked, 481, id);
        } else if request.method == Method::BYE {
            let reason = Reason::of(&request.headers);
            self.answer_in(asked, 200, id);
            self.explain(id, at, reason, None);
            self.handle_bye(now, at, id);
        } else if request.method == Method::UPDATE {
            self.handle_update(asked, id);
        } else if request.method == Method::PRACK {
            self.handle_prack(asked, id);
        } else if request.method == Method::REFER {
            self.handle_refer(asked, id);
        } else if request.method == Method::INVITE {
            self.handle_reinvite(asked, id);
        } else if request.method == Method::INFO {
            self.handle_info(asked, id);
        } else {
            self.answer_options(asked, false);
        }
    }

    /// Keys are taken; an empty INFO asks whether the session lives; of other bodies we know nothing (RFC 6086 section 4.2.2).
    fn handle_info(&mut self, asked: Asked<'_>, id: SessionId) {
        let (at, request) = (asked.at, asked.request);
        let key = dtmf::key_of(&request.headers, &request.body);
        if key.is_none() && !request.body.is_empty() {
            return self.answer_in(asked, 415, id);
        }
        self.answer_in(asked, 200, id);
        if let Some(key) = key {
            self.event(id, at, EventKind::Key(key));
        }
    }

    pub(super) fn explain(&mut self, id: SessionId, at: Now, reason: Option<Reason>, retry_after_s: Option<u32>) {
        if reason.is_some() || retry_after_s.is_some() {
            self.event(id, at, EventKind::Explained { reason, retry_after_s });
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

    fn handle_reinvite(&mut self, asked: Asked<'_>, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let refusal = match session.phase {
            // Section 14.2: an earlier INVITE of theirs has no final response yet.
            Phase::Incoming { .. } | Phase::Reoffered { .. } => Some(500),
            // One offer at a time: the 2xx must be acknowledged before the next, and ours comes first if it is under way.
            Phase::Established if session.unacked.is_some() || session.is_changing() => Some(491),
            Phase::Established if session.their_offer.is_some() => Some(500),
            // Our BYE crossed it: the session is over, and asking again later will not help.
            Phase::Outgoing { .. } | Phase::Ending => Some(481),
            Phase::Established => None,
        };
        if let Some(status) = refusal {
            return self.answer_in(asked, status, id);
        }
        let Asked { now, at, flow, key, request } = asked;
        session.peer.note(&request.headers);
        if let Some(dialog) = session.dialog.as_mut() {
            dialog.refresh_target(request.headers.list(&Name::CONTACT).next());
        }
        let body = sdp_of(request);
        let reply = reply_flow(flow, request);
        let machine = Machine::InviteServer {
            tx: InviteServer::new(flow.transport.reliable()),
            request: Box::new(request.clone()),
            local_tag: String::new(),
        };
        let tx = self.add_tx(key, reply, Some(id), machine);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.phase = Phase::Reoffered { tx };
        }
        self.respond(now, id, tx, 100, &[], Vec::new());
        self.event(id, at, EventKind::Reoffer { body });
    }

    /// Section 11.2: the answer that an INVITE would get, so that a trunk that asks learns that we are about to stop.
    fn answer_options(&mut self, asked: Asked<'_>, draining: bool) {
        let allow = if to_tag(asked.request).is_none() { self.allow() } else { ALLOW.to_owned() };
        let answer =
            Answer::status(if draining { 503 } else { 200 }).with(Name::ALLOW, allow).with(Name::ACCEPT, ACCEPT);
        let answer = answer.with(Name::SUPPORTED, SUPPORTED);
        self.answer(asked, if draining { answer.with(Name::RETRY_AFTER, RETRY_AFTER_S) } else { answer });
    }

    /// A final response with a server transaction of its own.
    pub(super) fn answer(&mut self, asked: Asked<'_>, answer: Answer<'_>) {
        let tag = self.tag_of(&asked.key);
        self.answer_tagged(asked, answer, &tag, None);
    }

    pub(super) fn answer_in(&mut self, asked: Asked<'_>, status: u16, id: SessionId) {
        let mut answer = Answer::status(status);
        if status == 500 {
            // Section 14.2: a random value from 0 to 10.
            answer = answer.with(Name::RETRY_AFTER, self.random.below(11).to_string());
        }
        self.answer_tagged(asked, answer, "", Some(id));
    }

    /// The To tag of an answer that makes no dialog. The same for each copy of a request, so that an answer without state
    /// stays the same answer (section 8.2.7).
    pub(super) fn tag_of(&self, key: &TxKey) -> String {
        let mut hasher = std::hash::DefaultHasher::new();
        (self.tag_secret, key).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    fn answer_tagged(&mut self, asked: Asked<'_>, answer: Answer<'_>, tag: &str, session: Option<SessionId>) {
        let Asked { now, flow, key, request, .. } = asked;
        let status = answer.status;
        if session.is_none() && status >= 400 {
            self.counts.push_back(Count::Refused(status));
        }
        let mut response = request.response(status, answer.reason, Some(tag));
        response.headers.push(Name::SERVER, self.settings.product.clone());
        response.headers.extend(answer.headers);
        let bytes: Arc<[u8]> = response.to_bytes().into();
        let reply = reply_flow(flow, request);
        let reliable = flow.transport.reliable();
        let label = Label::Response(status, request.method.clone());
        if self.is_full() {
            return self.transmit(reply, bytes, label, session);
        }
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

    /// Answers a malformed request. An ACK gets silence, but ends the repetition of the answer to its INVITE.
    fn refuse(&mut self, now: Instant, flow: Flow, at: Now, request: &Request, fault: Fault) {
        self.counts.push_back(Count::Unparsable);
        let Fault { status, reason } = fault;
        if request.method == Method::ACK {
            return self.handle_ack(now, at, request, None);
        }
        let Some(key) = server_key(request) else {
            if request.headers.first(&Name::VIA).is_some() {
                self.counts.push_back(Count::Refused(status));
                let tag = self.random.token();
                let bytes = request.response(status, Some(reason), Some(&tag)).to_bytes().into();
                let label = Label::Response(status, request.method.clone());
                self.transmit(reply_flow(flow, request), bytes, label, None);
            }
            return;
        };
        match self.by_key.get(&key).copied() {
            Some(id) => self.handle_request_again(id, at, &request.method),
            None => {
                let asked = Asked { now, at, flow, key, request };
                self.answer(asked, Answer { reason: Some(reason), ..Answer::status(status) });
            }
        }
    }
}

/// Section 20.1: without Accept it reads SDP; with it, only if it says so.
fn accepts_sdp(request: &Request) -> bool {
    let ours = |range: &[u8]| {
        let range = range.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        [&b"application/sdp"[..], b"application/*", b"*/*"].iter().any(|kind| range.eq_ignore_ascii_case(kind))
    };
    let mut ranges = request.headers.list(&Name::ACCEPT).peekable();
    ranges.peek().is_none() || ranges.any(ours)
}

/// The SDP of a request whose body has been found readable.
pub(super) fn sdp_of(request: &Request) -> Vec<u8> {
    session_description(&request.headers, &request.body).unwrap_or_default().to_vec()
}

/// Section 18.2.2: where responses to this request go. Over a stream that is the connection it came by and, should that
/// be gone, the port of `sent-by`. `maddr` is not followed: whoever can send us a datagram could aim our answers.
pub(super) fn reply_flow(flow: Flow, request: &Request) -> Flow {
    let remote = match (flow.connection, request.top_via()) {
        (None, Some(via)) => via.response_target(flow.remote),
        (Some(_), Some(via)) => {
            SocketAddr::new(flow.remote.ip(), via.port.unwrap_or_else(|| flow.transport.default_port()))
        }
        (_, None) => flow.remote,
    };
    Flow { remote, ..flow }
}

fn server_key(request: &Request) -> Option<TxKey> {
    server_key_as(request, &request.method)
}

fn server_key_as(request: &Request, method: &Method) -> Option<TxKey> {
    let via = request.top_via()?;
    let branch = match via.branch() {
        // The cookie alone tells no two requests apart.
        Some(branch) if branch.starts_with(MAGIC_COOKIE) && branch != MAGIC_COOKIE => branch.to_owned(),
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

pub(super) fn from_tag(request: &Request) -> Option<String> {
    Address::parse(request.headers.first(&Name::FROM)?)?.tag().map(str::to_owned)
}

pub(super) fn to_tag(request: &Request) -> Option<String> {
    Address::parse(request.headers.first(&Name::TO)?)?.tag().map(str::to_owned)
}
