//! The user agent core: routes messages to transactions and sessions, answers what needs no decision, and reports the rest.
//!
//! Calling contract: after every `handle_*` and every order (`ring`, `accept`, `invite`, …) drain [`Endpoint::poll_transmit`] and
//! [`Endpoint::poll_event`] (and, for a registrar, [`Endpoint::poll_served`]) until all are empty, then sleep no longer than [`Endpoint::poll_timeout`]. Nothing here reads a
//! clock or a socket. Each session ends with exactly one [`EventKind::Terminated`].
//!
//! Files: `asked` (requests of ours outside dialogs), `served` (those of others that the owner answers), `incoming` (requests),
//! `responses` (responses and time-outs of our requests), `orders` (what the owner may ask for), `session` (the INVITE usage's
//! state), `change` (re-INVITE and UPDATE), `reliable` (PRACK), `refresh` (session timers), `referred` (REFER), `replaced` (Replaces), `leash` (where a phone's requests may go), `size` (what is too large for UDP).

mod asked;
mod change;
#[cfg(test)]
mod change_tests;
mod incoming;
mod leash;
mod orders;
mod referred;
mod refresh;
#[cfg(test)]
mod refusal_tests;
mod reliable;
mod replaced;
mod reported;
mod responses;
mod seen;
mod served;
mod session;
mod size;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use asked::{Answered, Ask, AskId};
pub use change::NotNow;
pub use leash::Leash;
pub use orders::{MAX_FORWARDS, OutgoingInvite, Way};
pub use replaced::Replaced;
pub use reported::Reported;
pub use seen::Seen;
pub use served::Served;
use session::{Phase, Session};

use super::dialog::DialogId;
use super::dtmf::Key;
use super::message::{Request, Unusable};
use super::reason::Reason;
use super::transaction::{Action, Client, InviteClient, InviteServer, Server};
use super::uri::{Scheme, Uri};
use super::vocabulary::Method;
use crate::clock::{Instant, Now};
use crate::ids::Random;
use crate::schedule::Schedule;

#[derive(Debug, Clone)]
pub struct Settings {
    /// Where io listens, in order of preference.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// What Via and Contact say instead of the listening address.
    pub advertise: Option<IpAddr>,
    /// User-Agent and Server.
    pub product: String,
    /// The session timer that we ask for (RFC 4028), from 90 s; `None`: whether there is one is left to the peers.
    pub session_expires_s: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    pub fn via(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }

    /// As the configuration and the parameter `transport` of a URI write it.
    pub fn word(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }

    pub fn reliable(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls => true,
        }
    }

    /// Where a peer listens that names no port (RFC 3261 section 18.2.1).
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
        }
    }

    /// What a URI asks for, if it asks: `sips` is TLS whatever its parameter says (RFC 5630 section 3.1.4).
    pub fn asked_by(uri: &Uri) -> Option<Transport> {
        let named =
            |word: &str| [Transport::Udp, Transport::Tcp, Transport::Tls].into_iter().find(|t| t.word() == word);
        match uri.scheme {
            Scheme::Sips => Some(Transport::Tls),
            _ => uri.param("transport").flatten().and_then(|word| named(&word.to_ascii_lowercase())),
        }
    }
}

/// A connection of a stream transport, numbered by io.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// The way between us and a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    pub transport: Transport,
    /// The listening address of ours.
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// Set on what came over a stream; a response goes back the same way.
    pub connection: Option<ConnectionId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Start line of a message, for marks, ladders and counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    Request(Method),
    Response(u16, Method),
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Label::Request(method) => method.fmt(f),
            Label::Response(status, method) => {
                write!(f, "{status} {} ({method})", super::vocabulary::reason_phrase(*status))
            }
        }
    }
}

/// Bytes to write. io hands `mark` back with the instant of the write.
#[derive(Debug, Clone)]
pub struct Transmit {
    pub flow: Flow,
    pub bytes: Arc<[u8]>,
    pub label: Label,
    /// Set on the first transmission of a session's message.
    pub mark: Option<SessionId>,
    /// Whose message it is, first or again.
    pub session: Option<SessionId>,
    pub again: bool,
}

#[derive(Debug)]
pub struct Event {
    pub session: SessionId,
    /// Receive stamp of the message that caused it; the time of the call for what no message caused.
    pub at: Now,
    pub kind: EventKind,
    /// The message of `Received`.
    pub seen: Option<Box<Seen>>,
}

/// A BYE of ours that is to be proved.
#[derive(Debug)]
pub struct ByeChallenged {
    pub response: super::message::Response,
    /// Where it went, and where the response came from.
    pub asked: Flow,
    pub source: SocketAddr,
    /// Request-URI of the next one.
    pub uri: String,
    /// Proofs that this peer has had.
    pub answered: u32,
}

#[derive(Debug)]
pub enum EventKind {
    /// A new INVITE. 100 has been sent. Answer with `ring`, `accept` or `reject`.
    Invite { request: Box<Request>, flow: Flow },
    /// The peer left before our final response (CANCEL, or BYE in an early dialog), and 487 has been sent; or its CANCEL
    /// crossed our 2xx, and the session is to be ended with `hang_up`.
    Cancelled,
    /// The ACK of our 2xx; the body is the answer if our 2xx made the offer.
    Acknowledged { body: Vec<u8> },
    /// No ACK in 64 × T1. BYE has been sent.
    NotAcknowledged,
    /// 1xx other than 100 to our INVITE.
    Progress { status: u16, body: Vec<u8> },
    /// The first 2xx to our INVITE. `source` is where it came from. ACK has been sent; if our INVITE made no offer, the body is
    /// theirs, and the ACK waits for `acknowledge`.
    Answered { body: Vec<u8>, source: SocketAddr },
    /// A 2xx to an INVITE that we had cancelled. ACK and BYE have been sent.
    CrossedAnswer,
    /// 401 or 407 to our INVITE; [`EventKind::Failed`] follows. `source` is where it came from.
    Challenged { response: Box<super::message::Response>, source: SocketAddr },
    /// 401 or 407 to our BYE: the peer goes on until it knows whose it is (RFC 3261 section 22.2). Answer with `bye_again` at once.
    ByeChallenged(Box<ByeChallenged>),
    /// Final failure of our INVITE; `None`: nobody answered (timer B) or nothing could be sent.
    Failed { status: Option<u16> },
    /// An offer within the session (re-INVITE, UPDATE, PRACK); an empty body asks for our offer. Answer with `accept_reoffer`
    /// or `reject_reoffer`.
    Reoffer { body: Vec<u8> },
    /// The answer to the offer that we gave to `reoffer`; empty if the peer forgot it. Also to a refresh: then it says
    /// nothing new, most of the time.
    Reanswered { body: Vec<u8> },
    /// The offer that we had asked for with an empty `reoffer`. Answer with `acknowledge`.
    Offered { body: Vec<u8> },
    /// The peer does not want the change; the session goes on as it was.
    ReofferFailed { status: u16 },
    /// A PRACK brought the answer to the offer of our provisional response.
    EarlyAnswer { body: Vec<u8> },
    /// Their REFER. Answer with `answer_refer`; after 202 report with `notify`.
    Refer(Box<super::refer::Refer>),
    /// The peer's BYE. 200 has been sent.
    Bye,
    /// INFO told of a key; it has been answered.
    Key(Key),
    /// 408 or 481 to a request of ours within the dialog, or no answer to it, or no refresh in time: the peer has lost the
    /// session.
    Lost,
    /// What the message said of its cause, or when to come back; just before the event of that message.
    Explained { reason: Option<Reason>, retry_after_s: Option<u32> },
    /// A message of this session was read (for the ladder), for the first time or again: [`Seen::again`].
    Received { label: Label },
    /// The session is forgotten.
    Terminated,
}

/// What io and the gateway count; drained with `poll_count`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    Request(Method),
    Response(u16, Method),
    /// A request or response that came again.
    Retransmission,
    Unparsable,
    /// From an address that may not talk to us, outside every dialog.
    Stranger,
    /// A response that belongs to no transaction, or an ACK of none.
    Stray,
    /// A request that the endpoint itself answered with this failure, outside every session.
    Refused(u16),
    /// A phone's Contact or Record-Route named a host that its requests do not go to.
    ForeignContact,
}

pub(super) type TxId = u64;

/// Section 17.1.3, 17.2.3: branch, sender (server side) and method (ACK matches INVITE).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum TxKey {
    Client { branch: String, method: String },
    Server { branch: String, sent_by: String, method: String },
}

#[derive(Debug)]
struct Tx {
    key: TxKey,
    flow: Flow,
    session: Option<SessionId>,
    machine: Machine,
}

#[derive(Debug)]
enum Machine {
    InviteServer { tx: InviteServer, request: Box<Request>, local_tag: String },
    Server(Server),
    InviteClient { tx: InviteClient, request: Box<Request>, acks: Vec<SentAck> },
    Client { tx: Client, method: Method },
}

/// The ACK of one 2xx, kept so that a retransmitted 2xx gets it again (section 13.2.2.4).
#[derive(Debug)]
struct SentAck {
    to_tag: Option<String>,
    flow: Flow,
    /// `None` while it waits for our answer to the offer of the 2xx.
    bytes: Option<Arc<[u8]>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    Tx(TxId),
    Session(SessionId),
    Reliable(SessionId),
    Lease(SessionId),
    Change(SessionId),
}

#[derive(Debug)]
pub struct Endpoint {
    settings: Settings,
    random: Random,
    next_id: u64,
    transactions: BTreeMap<TxId, Tx>,
    by_key: BTreeMap<TxKey, TxId>,
    /// Call-ID, From tag and CSeq of live INVITE transactions. A second path of one request is a merge, and an INVITE of
    /// ours that comes back is a loop, whoever took the Vias out: 482 to both.
    merges: BTreeMap<(String, String, u32), TxId>,
    sessions: BTreeMap<SessionId, Session>,
    dialogs: BTreeMap<DialogId, SessionId>,
    ended: replaced::Ended,
    asked: asked::Asked,
    wakes: Schedule<Wake>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    counts: VecDeque<Count>,
    /// The message that is being handled.
    reading: Option<Seen>,
    /// Makes To tags that others cannot foretell.
    tag_secret: u64,
    draining: bool,
    sizes: size::Sizes,
    /// Whether the owner answers REGISTER.
    registrar: bool,
    served: VecDeque<Served>,
    reports: VecDeque<Reported>,
    /// Sessions of phones: their requests leave for nowhere else, whatever Contact and Record-Route say.
    leashes: BTreeMap<SessionId, Leash>,
}

impl Endpoint {
    pub fn new(settings: Settings, mut random: Random) -> Self {
        Endpoint {
            settings,
            tag_secret: random.u64(),
            draining: false,
            sizes: size::Sizes::default(),
            registrar: false,
            served: VecDeque::new(),
            reports: VecDeque::new(),
            leashes: BTreeMap::new(),
            random,
            next_id: 1,
            transactions: BTreeMap::new(),
            by_key: BTreeMap::new(),
            merges: BTreeMap::new(),
            sessions: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            ended: replaced::Ended::default(),
            asked: asked::Asked::default(),
            wakes: Schedule::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            counts: VecDeque::new(),
            reading: None,
        }
    }

    /// `trusted`: the source may open sessions. Others are heard only within live dialogs and transactions.
    pub fn handle_datagram(&mut self, now: Instant, flow: Flow, at: Now, trusted: bool, bytes: &[u8]) {
        self.handle_parsed(now, flow, at, trusted, super::message::parse_datagram(bytes));
    }

    /// One message of a stream, cut out by a [`super::framing::Framer`].
    pub fn handle_frame(&mut self, now: Instant, flow: Flow, at: Now, trusted: bool, frame: &super::framing::Frame) {
        self.handle_parsed(now, flow, at, trusted, super::message::parse_framed(&frame.head, &frame.body));
    }

    fn handle_parsed(
        &mut self,
        now: Instant,
        flow: Flow,
        at: Now,
        trusted: bool,
        parsed: Result<super::message::Parsed, Unusable>,
    ) {
        use super::message::{Message, Parsed};
        match parsed {
            Ok(Parsed { message: Message::Request(request), fault }) => {
                self.handle_request(now, flow, at, trusted, request, fault);
            }
            Ok(Parsed { message: Message::Response(response), .. }) => self.handle_response(now, flow, at, response),
            Err(Unusable::KeepAlive) => {}
            Err(_) if !trusted => self.counts.push_back(Count::Stranger),
            Err(_) => self.counts.push_back(Count::Unparsable),
        }
    }

    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(wake) = self.wakes.pop_due(now.mono) {
            match wake {
                Wake::Tx(id) => self.handle_tx_timeout(now, id),
                Wake::Session(id) => self.handle_session_timeout(now, id),
                Wake::Reliable(id) => self.handle_reliable_timeout(now, id),
                Wake::Lease(id) => self.handle_lease_timeout(now, id),
                Wake::Change(id) => self.handle_change_timeout(now, id),
            }
        }
    }

    /// When to call `handle_timeout`, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.wakes.next().map(|(at, wake)| match wake {
            Wake::Tx(_) => (at, "SIP transaction"),
            Wake::Session(_) => (at, "2xx retransmission"),
            Wake::Reliable(_) => (at, "18x retransmission"),
            Wake::Lease(_) => (at, "session timer"),
            Wake::Change(_) => (at, "re-INVITE after glare"),
        })
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn poll_count(&mut self) -> Option<Count> {
        self.counts.pop_front()
    }

    /// Nothing is alive: no transaction, session, dialog or timer.
    pub fn is_idle(&self) -> bool {
        self.transactions.is_empty()
            && self.sessions.is_empty()
            && self.dialogs.is_empty()
            && self.by_key.is_empty()
            && self.merges.is_empty()
            && self.wakes.is_empty()
    }

    /// OPTIONS outside a dialog are answered with 503 from now on. New INVITEs are the owner's to refuse.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    pub fn transaction_count(&self) -> usize {
        self.transactions.len()
    }

    fn handle_tx_timeout(&mut self, now: Now, id: TxId) {
        let Some(tx) = self.transactions.get_mut(&id) else { return };
        let (flow, session) = (tx.flow, tx.session);
        let (action, label) = match &mut tx.machine {
            Machine::InviteServer { tx, .. } => (tx.handle_timeout(now.mono), Label::Response(0, Method::INVITE)),
            Machine::Server(tx) => (tx.handle_timeout(now.mono), Label::Response(0, Method::OPTIONS)),
            Machine::InviteClient { tx, .. } => (tx.handle_timeout(now.mono), Label::Request(Method::INVITE)),
            Machine::Client { tx, method } => (tx.handle_timeout(now.mono), Label::Request(method.clone())),
        };
        match action {
            Action::Transmit(bytes) => self.transmit_again(flow, bytes, label, session),
            Action::TimedOut => self.handle_tx_gave_up(now, id, session),
            Action::Nothing | Action::Deliver | Action::DeliverAndTransmit(_) => {}
        }
        self.settle(id);
    }

    /// Renews the wake-up of a transaction, or forgets it when it has terminated.
    fn settle(&mut self, id: TxId) {
        let Some(tx) = self.transactions.get(&id) else { return };
        let (next, terminated) = match &tx.machine {
            Machine::InviteServer { tx, .. } => (tx.next_timeout(), tx.terminated()),
            Machine::Server(tx) => (tx.next_timeout(), tx.terminated()),
            Machine::InviteClient { tx, .. } => (tx.next_timeout(), tx.terminated()),
            Machine::Client { tx, .. } => (tx.next_timeout(), tx.terminated()),
        };
        self.wakes.set(Wake::Tx(id), next);
        if terminated && let Some(tx) = self.transactions.remove(&id) {
            self.sizes.forget(id);
            self.by_key.remove(&tx.key);
            if let Machine::InviteServer { request, .. } | Machine::InviteClient { request, .. } = &tx.machine
                && let Some(key) = incoming::merge_key(request)
                && self.merges.get(&key) == Some(&id)
            {
                self.merges.remove(&key);
            }
        }
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn add_tx(&mut self, key: TxKey, flow: Flow, session: Option<SessionId>, machine: Machine) -> TxId {
        let id = self.new_id();
        self.by_key.insert(key.clone(), id);
        self.transactions.insert(id, Tx { key, flow, session, machine });
        self.settle(id);
        id
    }

    fn transmit(&mut self, flow: Flow, bytes: Arc<[u8]>, label: Label, mark: Option<SessionId>) {
        self.transmits.push_back(Transmit { flow, bytes, label, mark, session: mark, again: false });
    }

    fn transmit_again(&mut self, flow: Flow, bytes: Arc<[u8]>, label: Label, session: Option<SessionId>) {
        self.transmits.push_back(Transmit { flow, bytes, label, mark: None, session, again: true });
    }

    fn event(&mut self, session: SessionId, at: Now, kind: EventKind) {
        let seen = match &kind {
            EventKind::Received { .. } => self.reading.clone().map(Box::new),
            _ => None,
        };
        self.events.push_back(Event { session, at, kind, seen });
    }

    /// The message that is being handled has come before.
    fn heard_again(&mut self, session: Option<SessionId>, at: Now, label: Label) {
        let Some(session) = session else { return };
        if let Some(seen) = &mut self.reading {
            seen.again = true;
        }
        self.event(session, at, EventKind::Received { label });
    }

    /// Forgets a session; its transactions live on by themselves. An INVITE of theirs that nobody has answered is answered.
    fn terminate_session(&mut self, id: SessionId, at: Now) {
        if let Some(Phase::Incoming { tx } | Phase::Reoffered { tx }) = self.sessions.get(&id).map(|s| &s.phase) {
            self.respond(at.mono, id, *tx, 500, &[], Vec::new());
        }
        self.answer_their_offer(at.mono, id, 500, Vec::new());
        self.answer_refer(at.mono, id, 481);
        self.forget_early(id);
        let Some(session) = self.sessions.remove(&id) else { return };
        if let Some(dialog) = &session.dialog {
            self.dialogs.remove(&dialog.id);
        }
        self.note_ended(&session);
        for wake in [Wake::Session(id), Wake::Reliable(id), Wake::Lease(id), Wake::Change(id)] {
            self.wakes.set(wake, None);
        }
        self.leashes.remove(&id);
        self.event(id, at, EventKind::Terminated);
    }

    /// The host and port that a peer is told to reach us by over this flow.
    fn sent_by(&self, flow: &Flow) -> String {
        // An address of the other family says nothing to this peer.
        let advertised = self.settings.advertise.filter(|ip| ip.is_ipv4() == flow.local.is_ipv4());
        SocketAddr::new(advertised.unwrap_or_else(|| flow.local.ip()), flow.local.port()).to_string()
    }

    /// A `secure` dialog must be reachable by `sips` (section 12.1.1), whatever the message itself came by.
    fn contact(&self, flow: &Flow, secure: bool) -> String {
        if secure {
            let tls = self.flow_to(Transport::Tls, flow.remote).filter(|_| flow.transport != Transport::Tls);
            return format!("<sips:{}>", self.sent_by(&tls.unwrap_or(*flow)));
        }
        match flow.transport {
            Transport::Udp => format!("<sip:{}>", self.sent_by(flow)),
            Transport::Tcp | Transport::Tls => {
                format!("<sip:{};transport={}>", self.sent_by(flow), flow.transport.word())
            }
        }
    }
}
