//! What the owner of the endpoint may order.

use std::net::SocketAddr;
use std::sync::Arc;

use super::incoming::ALLOW;
use super::session::{Cancel, Phase, Session, Unacked};
use super::{Endpoint, EventKind, Flow, Label, Machine, SessionId, Transport, TxId, TxKey, Wake};
use crate::clock::{Instant, Now};
use crate::protocol::sip::dialog::Dialog;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
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
    pub offer: Vec<u8>,
}

impl Endpoint {
    /// Sends a provisional response (180, 183) to their INVITE.
    pub fn ring(&mut self, now: Instant, session: SessionId, status: u16, body: Vec<u8>) {
        if let Some(tx) = self.pending_invite(session) {
            self.respond(now, session, tx, status, &[], body);
        }
    }

    /// Sends 200 to their INVITE; repeated until its ACK comes.
    pub fn accept(&mut self, now: Instant, session: SessionId, body: Vec<u8>) {
        if let Some(tx) = self.pending_invite(session) {
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

    /// Answers a re-INVITE with 200 and this SDP.
    pub fn accept_reoffer(&mut self, now: Instant, session: SessionId, body: Vec<u8>) {
        if let Some(tx) = self.pending_reoffer(session) {
            self.respond(now, session, tx, 200, &[], body);
        }
    }

    /// Refuses a re-INVITE; the session goes on as it was (section 14.2).
    pub fn reject_reoffer(&mut self, now: Instant, session: SessionId, status: u16) {
        if let Some(tx) = self.pending_reoffer(session) {
            self.respond(now, session, tx, status, &[], Vec::new());
        }
    }

    /// Calls somebody. `None` if no listener speaks the transport and address family.
    pub fn invite(&mut self, now: Instant, call: OutgoingInvite) -> Option<SessionId> {
        let flow = call.flow.or_else(|| self.flow_to(call.transport, call.destination))?;
        let id = SessionId(self.new_id());
        if call.flow.is_some() {
            self.pinned.insert(id);
        }
        let (call_id, tag, branch) = (self.random.token(), self.random.token(), self.new_branch());
        let host = self.sent_by(&flow);
        let mut request = Request::new(Method::INVITE, call.target.as_str());
        let h = &mut request.headers;
        h.push(Name::MAX_FORWARDS, "70");
        match &call.caller {
            Some(user) => h.push(Name::FROM, format!("<sip:{user}@{host}>;tag={tag}")),
            None => h.push(Name::FROM, format!("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={tag}")),
        }
        h.push(Name::TO, format!("<{}>", call.target));
        h.push(Name::CALL_ID, call_id);
        h.push(Name::CSEQ, "1 INVITE");
        match &call.caller {
            Some(user) => h.push(Name::P_ASSERTED_IDENTITY, format!("<sip:{user}@{host}>")),
            None => h.push(Name::PRIVACY, "id"),
        }
        request.body = call.offer;
        self.complete(&mut request, &flow, &branch);
        let bytes: Arc<[u8]> = request.to_bytes().into();
        let machine = Machine::InviteClient {
            tx: InviteClient::new(now, Arc::clone(&bytes), flow.transport.reliable()),
            request: Box::new(request),
            acks: Vec::new(),
        };
        let tx = self.add_tx(client_key(&branch, &Method::INVITE), flow, Some(id), machine);
        let phase = Phase::Outgoing { tx, cancel: Cancel::No };
        self.sessions.insert(id, Session { flow, dialog: None, phase, unacked: None });
        self.transmit(flow, bytes, Label::Request(Method::INVITE), Some(id));
        Some(id)
    }

    /// Ends a session whatever its phase: CANCEL for a call of ours that is ringing, BYE for an established one, 480 for
    /// theirs that is ringing.
    pub fn hang_up(&mut self, now: Now, id: SessionId) {
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
            Phase::Established => EventKind::Lost,
            Phase::Ending => return self.terminate_session(id, now),
        };
        self.event(id, now, kind);
        self.terminate_session(id, now);
    }

    fn pending_invite(&self, session: SessionId) -> Option<TxId> {
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
            h.push(Name::CONTACT, self.contact(&flow));
            h.push(Name::ALLOW, ALLOW);
        }
        // Section 8.2.6.1: only the 100 carries it back.
        for stamp in request.headers.fields(&Name::TIMESTAMP).take(usize::from(status == 100)) {
            h.push(Name::TIMESTAMP, stamp);
        }
        for (name, value) in extra {
            h.push(name.clone(), value.clone());
        }
        h.push(Name::SERVER, self.settings.product.clone());
        if !body.is_empty() {
            h.push(Name::CONTENT_TYPE, "application/sdp");
            response.body = body;
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
            self.after_final(now, session, status, seq, flow, bytes);
        }
    }

    fn after_final(&mut self, now: Instant, id: SessionId, status: u16, seq: u32, flow: Flow, bytes: Arc<[u8]>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.phase = Phase::Established;
        if status < 300 {
            let unacked = Unacked::new(now, bytes, flow, seq);
            self.wakes.set(Wake::Session(id), Some(unacked.next_timeout()));
            session.unacked = Some(unacked);
        }
    }

    pub(super) fn send_bye(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(dialog) = session.dialog.as_mut() else { return };
        let bye = dialog.request(&Method::BYE);
        session.phase = Phase::Ending;
        session.unacked = None;
        self.wakes.set(Wake::Session(id), None);
        let Some(session) = self.sessions.get(&id) else { return };
        let flow = match &session.dialog {
            Some(dialog) if !self.pinned.contains(&id) => self.flow_of(dialog, session.flow, session.flow),
            _ => session.flow,
        };
        self.send_request(now, bye, flow, Some(id));
    }

    /// Section 9.1: same Request-URI, Via, From, To, Call-ID and number as the INVITE.
    pub(super) fn send_cancel(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Phase::Outgoing { tx, cancel } = &mut session.phase else { return };
        *cancel = Cancel::Sent;
        let Some(tx) = self.transactions.get(tx) else { return };
        let Machine::InviteClient { request: invite, .. } = &tx.machine else { return };
        let flow = tx.flow;
        let mut request = Request::new(Method::CANCEL, &invite.raw_uri);
        for name in [Name::VIA, Name::ROUTE, Name::MAX_FORWARDS, Name::FROM, Name::TO, Name::CALL_ID] {
            for value in invite.headers.fields(&name) {
                request.headers.push(name.clone(), value);
            }
        }
        request.headers.push(Name::CSEQ, format!("{} CANCEL", invite.cseq().unwrap_or_default()));
        let branch = request.top_via().and_then(|v| v.branch().map(str::to_owned)).unwrap_or_default();
        self.wakes.set(Wake::Session(id), Some(now + GIVE_UP));
        self.start_client(now, request, &branch, flow, Some(id));
    }

    /// A request within a dialog, with a client transaction of its own.
    pub(super) fn send_request(&mut self, now: Instant, mut request: Request, flow: Flow, session: Option<SessionId>) {
        let branch = self.new_branch();
        self.complete(&mut request, &flow, &branch);
        self.start_client(now, request, &branch, flow, session);
    }

    fn start_client(&mut self, now: Instant, request: Request, branch: &str, flow: Flow, session: Option<SessionId>) {
        let bytes: Arc<[u8]> = request.to_bytes().into();
        let method = request.method;
        let tx = Client::new(now, Arc::clone(&bytes), flow.transport.reliable());
        let key = client_key(branch, &method);
        self.add_tx(key, flow, session, Machine::Client { tx, method: method.clone() });
        self.transmit(flow, bytes, Label::Request(method), session);
    }

    /// Adds what every request of ours has: Via first, then Contact, User-Agent, Content-Type.
    pub(super) fn complete(&self, request: &mut Request, flow: &Flow, branch: &str) {
        let via = format!("SIP/2.0/{} {};rport;branch={branch}", flow.transport.via(), self.sent_by(flow));
        let mut headers = super::super::header::Headers::default();
        headers.push(Name::VIA, via);
        for (name, value) in request.headers.iter() {
            headers.push(name.clone(), value);
        }
        if request.method == Method::INVITE {
            headers.push(Name::CONTACT, self.contact(flow));
            headers.push(Name::ALLOW, ALLOW);
        }
        headers.push(Name::USER_AGENT, self.settings.product.clone());
        if !request.body.is_empty() {
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
    fn flow_to(&self, transport: Transport, remote: SocketAddr) -> Option<Flow> {
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
        // The connection that the peer opened is the way back through its NAT; `address` counts when it is gone.
        Flow { remote: address, ..flow }
    }
}

fn client_key(branch: &str, method: &Method) -> TxKey {
    TxKey::Client { branch: branch.to_owned(), method: method.to_string() }
}
