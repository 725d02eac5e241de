//! What the owner of the endpoint may order.

use std::net::SocketAddr;
use std::sync::Arc;

use super::incoming::{ALLOW, SUPPORTED, merge_key};
use super::session::{Cancel, Phase, Session, Unacked};
use super::{Endpoint, EventKind, Flow, Label, Leash, Machine, SessionId, Transport, TxId, TxKey, Wake};
use crate::clock::{Instant, Now};
use crate::protocol::sip::dialog::Dialog;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::reason::Reason;
use crate::protocol::sip::session_timer::TIMER;
use crate::protocol::sip::timers::GIVE_UP;
use crate::protocol::sip::transaction::{Action, Client, InviteClient};
use crate::protocol::sip::uri::Uri;
use crate::protocol::sip::via::MAGIC_COOKIE;
use crate::protocol::sip::vocabulary::Method;

/// A call of ours.
#[derive(Debug, Clone)]
pub struct OutgoingInvite {
    /// Request-URI and To.
    pub target: Uri,
    pub transport: Transport,
    pub destination: SocketAddr,
    /// The way to a phone that registered: taken for every request of the session, whatever its Contact says.
    pub flow: Option<Flow>,
    /// The user part of From (and of P-Asserted-Identity); `None` hides it: `anonymous@anonymous.invalid` (RFC 3323).
    pub caller: Option<String>,
    /// Empty: the 2xx makes the offer.
    pub offer: Vec<u8>,
    /// [`MAX_FORWARDS`], or one less than the call came in with (RFC 7332 section 3.1).
    pub max_forwards: u8,
}

/// What a request begins with (section 8.1.1.6).
pub const MAX_FORWARDS: u8 = 70;
/// What an INVITE through a trunk has beside what every INVITE has.
#[derive(Debug, Clone)]
pub struct Way {
    /// Call-ID, From tag and number of CSeq: an INVITE that answers a challenge goes on where the first one was
    /// (RFC 3261 section 22.2).
    pub call_id: String,
    pub from_tag: String,
    pub seq: u32,
    /// The URI of From, where the trunk asks for another than the caller's number at our address.
    pub from: Option<String>,
    pub headers: Vec<(Name, String)>,
}

impl Endpoint {
    /// Sends 200 to their INVITE; repeated until its ACK comes. It waits for the PRACK of a description of ours.
    pub fn accept(&mut self, now: Instant, session: SessionId, body: Vec<u8>) {
        if let Some(tx) = self.pending_invite(session)
            && let Some(body) = self.hold_back(session, body)
        {
            self.respond(now, session, tx, 200, &[], body);
        }
    }

    /// Sends a final failure to their INVITE and forgets the session.
    pub fn reject(&mut self, now: Now, session: SessionId, status: u16, retry_after_s: Option<u32>) {
        let Some(tx) = self.pending_invite(session) else { return };
        let retry: Vec<_> = retry_after_s.map(|s| (Name::RETRY_AFTER, s.to_string())).into_iter().collect();
        self.respond(now.mono, session, tx, status, &retry, Vec::new());
        self.terminate_session(session, now);
    }

    /// Answers an offer within the session (re-INVITE, UPDATE, PRACK) with 200 and this SDP.
    pub fn accept_reoffer(&mut self, now: Instant, session: SessionId, body: Vec<u8>) {
        if let Some(tx) = self.pending_reoffer(session) {
            self.respond(now, session, tx, 200, &[], body);
        } else {
            self.answer_their_offer(now, session, 200, body);
        }
    }

    /// Refuses it; the session goes on as it was (section 14.2).
    pub fn reject_reoffer(&mut self, now: Instant, session: SessionId, status: u16) {
        if let Some(tx) = self.pending_reoffer(session) {
            self.respond(now, session, tx, status, &[], Vec::new());
        } else {
            self.answer_their_offer(now, session, status, Vec::new());
        }
    }

    /// Calls somebody. `None` if no listener speaks the transport and address family, or if a `sips` target were to be
    /// called by anything but TLS (RFC 5630 section 3.1).
    pub fn invite(&mut self, now: Instant, call: OutgoingInvite) -> Option<SessionId> {
        let (call_id, from_tag) = (self.random.token(), self.random.token());
        self.invite_by(now, call, Way { call_id, from_tag, seq: 1, from: None, headers: Vec::new() })
    }

    /// The same through a trunk.
    pub fn invite_by(&mut self, now: Instant, call: OutgoingInvite, way: Way) -> Option<SessionId> {
        if call.target.is_secure() && call.transport != Transport::Tls {
            return None;
        }
        let flow = call.flow.or_else(|| self.flow_to(call.transport, call.destination))?;
        let id = SessionId(self.new_id());
        if call.flow.is_some() {
            self.leashes.insert(id, Leash::Flow);
        }
        let tag = &way.from_tag;
        let host = self.sent_by(&flow);
        let mut request = Request::new(Method::INVITE, call.target.as_str());
        let h = &mut request.headers;
        h.push(Name::MAX_FORWARDS, call.max_forwards.to_string());
        match &call.caller {
            Some(_) if way.from.is_some() => {
                h.push(Name::FROM, format!("<{}>;tag={tag}", way.from.as_deref().unwrap_or_default()));
            }
            Some(user) => h.push(Name::FROM, format!("<sip:{user}@{host}>;tag={tag}")),
            None => h.push(Name::FROM, format!("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={tag}")),
        }
        h.push(Name::TO, format!("<{}>", call.target));
        h.push(Name::CALL_ID, way.call_id);
        h.push(Name::CSEQ, format!("{} INVITE", way.seq));
        match &call.caller {
            Some(user) => h.push(Name::P_ASSERTED_IDENTITY, format!("<sip:{user}@{host}>")),
            None => h.push(Name::PRIVACY, "id"),
        }
        for (name, value) in way.headers {
            h.push(name, value);
        }
        self.wish(None, h);
        request.body.clone_from(&call.offer);
        let tx = self.start_invite(now, request, flow, id);
        let mut session = Session::new(flow, None, Phase::Outgoing { tx, cancel: Cancel::No });
        session.local_sdp = call.offer;
        self.sessions.insert(id, session);
        Some(id)
    }

    /// Sends the INVITE of a call with a transaction of its own.
    pub(super) fn start_invite(&mut self, now: Instant, mut request: Request, flow: Flow, id: SessionId) -> TxId {
        let branch = self.new_branch();
        let (bare, udp) = (request.clone(), flow);
        let flow = self.complete_for(&mut request, &udp, &branch);
        let bytes: Arc<[u8]> = request.to_bytes().into();
        let own = merge_key(&request);
        let machine = Machine::InviteClient {
            tx: InviteClient::new(now, Arc::clone(&bytes), flow.transport.reliable()),
            request: Box::new(request),
            acks: Vec::new(),
        };
        let tx = self.add_tx(client_key(&branch, &Method::INVITE), flow, Some(id), machine);
        if let Some(own) = own {
            self.merges.insert(own, tx);
        }
        if flow != udp {
            self.note_moved(tx, bare, udp);
        }
        self.transmit(flow, bytes, Label::Request(Method::INVITE), Some(id));
        tx
    }

    /// Ends a session whatever its phase: CANCEL for a call of ours that is ringing, BYE for an established one, 480 for
    /// theirs that is ringing.
    pub fn hang_up(&mut self, now: Now, id: SessionId) {
        self.hang_up_because(now, id, None);
    }

    /// [`Endpoint::hang_up`] with a Reason in the CANCEL or BYE (RFC 3326).
    pub fn hang_up_because(&mut self, now: Now, id: SessionId, why: Option<&Reason>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.why = why.cloned().or_else(|| session.why.take());
        if session.owed_ack.is_some() {
            // The peer's 2xx is not left without its ACK; what it offered is of no use any more.
            self.acknowledge(id, Vec::new());
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match (&mut session.phase, &mut session.unacked) {
            (Phase::Incoming { .. }, _) => self.reject(now, id, 480, None),
            (Phase::Outgoing { cancel, tx }, _) => {
                let provisional = matches!(
                    self.transactions.get(tx).map(|tx| &tx.machine),
                    Some(Machine::InviteClient { tx, .. }) if tx.provisional_received()
                );
                match cancel {
                    Cancel::No if provisional => self.send_cancel(now.mono, id),
                    Cancel::No => *cancel = Cancel::Wanted,
                    Cancel::Wanted | Cancel::Sent => {}
                }
            }
            (Phase::Reoffered { tx }, _) => {
                let tx = *tx;
                self.respond(now.mono, id, tx, 487, &[], Vec::new());
                self.send_bye(now.mono, id);
            }
            (Phase::Established, Some(unacked)) => unacked.bye_waits = true,
            (Phase::Established, None) => self.send_bye(now.mono, id),
            (Phase::Ending, _) => {}
        }
    }

    /// io could not write a message of this session at all (a refused connection).
    pub fn handle_send_failure(&mut self, now: Now, id: SessionId) {
        if self.back_to_udp(now.mono, id) {
            return;
        }
        let Some(session) = self.sessions.get(&id) else { return };
        let kind = match session.phase {
            Phase::Outgoing { tx, .. } => {
                if let Some(tx) = self.transactions.get_mut(&tx)
                    && let Machine::InviteClient { tx, .. } = &mut tx.machine
                {
                    tx.terminate();
                }
                self.settle(tx);
                EventKind::Failed { status: None }
            }
            Phase::Incoming { tx } | Phase::Reoffered { tx } => {
                // Without a final response their INVITE's transaction would wait for one for ever.
                self.respond(now.mono, id, tx, 500, &[], Vec::new());
                EventKind::Lost
            }
            // One message may fail where the next does not: a peer who can be told is told. If that fails too, it was all.
            Phase::Established if session.unacked.is_none() => {
                self.event(id, now, EventKind::Lost);
                return self.send_bye(now.mono, id);
            }
            Phase::Established => EventKind::Lost,
            Phase::Ending => return self.terminate_session(id, now),
        };
        self.event(id, now, kind);
        self.terminate_session(id, now);
    }

    pub(super) fn pending_invite(&self, session: SessionId) -> Option<TxId> {
        match self.sessions.get(&session)?.phase {
            Phase::Incoming { tx } => Some(tx),
            _ => None,
        }
    }

    fn pending_reoffer(&self, session: SessionId) -> Option<TxId> {
        match self.sessions.get(&session)?.phase {
            Phase::Reoffered { tx } => Some(tx),
            _ => None,
        }
    }

    /// One response on an INVITE server transaction, with everything that depends on its status.
    pub(super) fn respond(
        &mut self,
        now: Instant,
        session: SessionId,
        tx_id: TxId,
        status: u16,
        extra: &[(Name, String)],
        body: Vec<u8>,
    ) {
        let Some(tx) = self.transactions.get(&tx_id) else { return };
        let Machine::InviteServer { request, local_tag, .. } = &tx.machine else { return };
        let (flow, seq) = (tx.flow, request.cseq().unwrap_or_default());
        let tag = (status > 100 && !local_tag.is_empty()).then_some(local_tag.as_str());
        let mut response = request.response(status, None, tag);
        let h = &mut response.headers;
        if (101..300).contains(&status) {
            for route in request.headers.fields(&Name::RECORD_ROUTE) {
                h.push(Name::RECORD_ROUTE, route);
            }
            h.push(Name::CONTACT, self.contact(&flow, request.asks_for_sips()));
            h.push(Name::ALLOW, ALLOW);
            h.push(Name::SUPPORTED, SUPPORTED);
        }
        let terms = if (200..300).contains(&status) { self.terms_of(request, h) } else { None };
        // Section 8.2.6.1: only the 100 carries it back.
        for stamp in request.headers.fields(&Name::TIMESTAMP).take(usize::from(status == 100)) {
            h.push(Name::TIMESTAMP, stamp);
        }
        for (name, value) in extra {
            h.push(name.clone(), value.clone());
        }
        h.push(Name::SERVER, self.settings.product.clone());
        let offered = !request.body.is_empty();
        if !body.is_empty() {
            h.push(Name::CONTENT_TYPE, "application/sdp");
            response.body.clone_from(&body);
        }
        let bytes: Arc<[u8]> = response.to_bytes().into();
        let action = match self.transactions.get_mut(&tx_id).map(|tx| &mut tx.machine) {
            Some(Machine::InviteServer { tx, .. }) => tx.respond(now, status, Arc::clone(&bytes)),
            _ => Action::Nothing,
        };
        if let Action::Transmit(bytes) = action {
            self.transmit(flow, bytes, Label::Response(status, Method::INVITE), Some(session));
        }
        self.settle(tx_id);
        if status >= 200 {
            self.stop_ringing(session);
        }
        let Some(state) = self.sessions.get_mut(&session) else { return };
        let describes = !body.is_empty();
        if describes {
            state.local_sdp = body;
        }
        if status >= 200 {
            state.phase = Phase::Established;
        }
        if (200..300).contains(&status) {
            state.exchanges += u32::from(describes && offered);
            let unacked = Unacked::new(now, bytes, flow, seq, describes && !offered);
            self.wakes.set(Wake::Session(session), Some(unacked.next_timeout()));
            state.unacked = Some(unacked);
            self.renew(now, session, terms, false);
        }
    }

    pub(super) fn send_bye(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(bye) = session.bye() else { return };
        session.phase = Phase::Ending;
        session.unacked = None;
        session.change = None;
        session.lease = None;
        for wake in [Wake::Session(id), Wake::Lease(id), Wake::Change(id)] {
            self.wakes.set(wake, None);
        }
        self.answer_their_offer(now, id, 500, Vec::new());
        self.send_to_the_end(now, id, bye);
    }

    fn send_to_the_end(&mut self, now: Instant, id: SessionId, bye: Request) {
        let Some(session) = self.sessions.get(&id) else { return };
        let flow = match &session.dialog {
            Some(dialog) => self.way_within(id, dialog, session.flow, session.flow),
            None => session.flow,
        };
        self.send_request(now, bye, flow, Some(id));
    }

    /// Our BYE was challenged: once more with this header, which proves whose it is; `None`: it is not to be proved, and the session
    /// ends as it is.
    pub fn bye_again(&mut self, now: Now, id: SessionId, proof: Option<(Name, String)>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match (session.next_bye.take(), proof) {
            (Some(mut bye), Some((name, value))) => {
                session.proved += 1;
                bye.headers.push(name, value);
                self.send_to_the_end(now.mono, id, bye);
            }
            (Some(_), None) => self.terminate_session(id, now),
            (None, _) => {}
        }
    }

    /// Section 9.1: same Request-URI, Via, From, To, Call-ID and number as the INVITE.
    pub(super) fn send_cancel(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Phase::Outgoing { tx, cancel } = &mut session.phase else { return };
        *cancel = Cancel::Sent;
        let why = session.why.take();
        let Some(tx) = self.transactions.get(tx) else { return };
        let Machine::InviteClient { request: invite, .. } = &tx.machine else { return };
        let flow = tx.flow;
        let mut request = Request::new(Method::CANCEL, &invite.raw_uri);
        for name in [Name::VIA, Name::ROUTE, Name::MAX_FORWARDS, Name::FROM, Name::TO, Name::CALL_ID] {
            for value in invite.headers.fields(&name) {
                request.headers.push(name.clone(), value);
            }
        }
        if let Some(why) = why {
            request.headers.push(Name::REASON, why.to_string());
        }
        request.headers.push(Name::CSEQ, format!("{} CANCEL", invite.cseq().unwrap_or_default()));
        let branch = request.top_via().and_then(|v| v.branch().map(str::to_owned)).unwrap_or_default();
        self.wakes.set(Wake::Session(id), Some(now + GIVE_UP));
        self.start_client(now, request, &branch, flow, Some(id));
    }

    /// A request within a dialog, with a client transaction of its own.
    pub(super) fn send_request(&mut self, now: Instant, mut request: Request, flow: Flow, session: Option<SessionId>) {
        let branch = self.new_branch();
        let bare = request.clone();
        let way = self.complete_for(&mut request, &flow, &branch);
        let tx = self.start_client(now, request, &branch, way, session);
        if way != flow {
            self.note_moved(tx, bare, flow);
        }
    }

    fn start_client(
        &mut self,
        now: Instant,
        request: Request,
        branch: &str,
        flow: Flow,
        session: Option<SessionId>,
    ) -> TxId {
        let bytes: Arc<[u8]> = request.to_bytes().into();
        let method = request.method;
        let tx = Client::new(now, Arc::clone(&bytes), flow.transport.reliable());
        let key = client_key(branch, &method);
        let tx = self.add_tx(key, flow, session, Machine::Client { tx, method: method.clone() });
        self.transmit(flow, bytes, Label::Request(method), session);
        tx
    }

    /// Adds what every request of ours has: Via first, then Contact, User-Agent, Content-Type.
    pub(super) fn complete(&self, request: &mut Request, flow: &Flow, branch: &str) {
        let via = format!("SIP/2.0/{} {};rport;branch={branch}", flow.transport.via(), self.sent_by(flow));
        let mut headers = super::super::header::Headers::default();
        headers.push(Name::VIA, via);
        for (name, value) in request.headers.iter() {
            headers.push(name.clone(), value);
        }
        if request.method == Method::NOTIFY {
            // It would be the target of requests within the subscription (RFC 6665 section 8.2.3).
            headers.push(Name::CONTACT, self.contact(flow, request.asks_for_sips()));
        }
        if request.method == Method::INVITE || request.method == Method::UPDATE {
            headers.push(Name::CONTACT, self.contact(flow, request.asks_for_sips()));
            headers.push(Name::ALLOW, ALLOW);
            // A reliable 18x to an INVITE without an offer would make one; ours comes in the 2xx or not at all.
            let asks = request.method == Method::INVITE && request.body.is_empty();
            headers.push(Name::SUPPORTED, if asks { TIMER } else { SUPPORTED });
        }
        headers.push(Name::USER_AGENT, self.settings.product.clone());
        if !request.body.is_empty() && request.headers.first(&Name::CONTENT_TYPE).is_none() {
            headers.push(Name::CONTENT_TYPE, "application/sdp");
        }
        request.headers = headers;
    }

    pub(super) fn new_branch(&mut self) -> String {
        format!("{MAGIC_COOKIE}{}", self.random.token())
    }

    /// Which of our listening addresses a call to `remote` would leave from.
    pub fn listener_for(&self, transport: Transport, remote: SocketAddr) -> Option<SocketAddr> {
        self.flow_to(transport, remote).map(|flow| flow.local)
    }

    /// The way to an address: our first listener of that transport and family, a loopback one for a loopback peer.
    pub(super) fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Option<Flow> {
        let fits = |l: &&(Transport, SocketAddr)| l.0 == transport && l.1.is_ipv4() == remote.is_ipv4();
        let same_reach = |l: &&(Transport, SocketAddr)| l.1.ip().is_loopback() == remote.ip().is_loopback();
        let mut listeners = self.settings.listen.iter().filter(fits);
        let best = listeners.clone().find(same_reach).or_else(|| listeners.next())?;
        Some(Flow { transport, local: best.1, remote, connection: None })
    }

    /// The way of a request within a dialog: to the next hop if it is an address, else back to where the peer was heard from.
    pub(super) fn flow_of(&self, dialog: &Dialog, flow: Flow, heard_from: Flow) -> Flow {
        let uri = dialog.next_hop();
        let Some(address) = uri.as_ref().and_then(Uri::socket_addr) else {
            return Flow { remote: heard_from.remote, connection: heard_from.connection, ..flow };
        };
        let named = uri.as_ref().and_then(|uri| uri.param("transport")).flatten();
        let wanted = match named.map(str::to_ascii_lowercase).as_deref() {
            _ if uri.as_ref().is_some_and(Uri::is_secure) => Transport::Tls,
            // What began behind TLS does not leave it.
            _ if flow.transport == Transport::Tls => Transport::Tls,
            Some("udp") => Transport::Udp,
            Some("tcp") => Transport::Tcp,
            _ => flow.transport,
        };
        if wanted != flow.transport
            && let Some(other) = self.flow_to(wanted, address)
        {
            return other;
        }
        // The connection that the peer opened is the way back through its NAT, and so is the one of ours by which it
        // answered; `address` counts when it is gone.
        let same = heard_from.transport == flow.transport && heard_from.remote.ip() == address.ip();
        Flow { remote: address, connection: flow.connection.or_else(|| heard_from.connection.filter(|_| same)), ..flow }
    }
}

pub(super) fn client_key(branch: &str, method: &Method) -> TxKey {
    TxKey::Client { branch: branch.to_owned(), method: method.to_string() }
}
