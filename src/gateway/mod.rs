//! The whole switch without a socket: the SIP endpoint, the calls, agents, ports and plans under one roof.
//!
//! Calling contract: after every [`Gateway::handle`] drain [`Gateway::poll_output`] until it is empty (writing what it says, and
//! handing back [`Input::Sent`] for marked messages in the same breath), then sleep no longer than [`Gateway::poll_timeout`]. The
//! same object is driven by `app` with real sockets and by `sim` with a virtual network.
//!
//! Files: `guests` (whom else live calls may hear), `book` (which session and which leg belongs to which call), `signalling` (SIP events → call inputs), `orders` (call
//! actions → SIP, media, recorder), `sound` (media events, ports), `trunks` (where they are, health, registration, limits),
//! `outbound` (calls of ours through them), `registering` (phones that register), `forks` (several phones of one agent), `reload`
//! (another configuration), `reports` (voice quality, as peers tell it), `ladder` (what is kept of each message), `transferring` (REFER), `replacing` (Replaces), `among_agents` (calls that agents make),
//! `calling_back` (callers of our own list), `calling_out` (numbers outside), `parting` (when an agent is free again), `presence` (whether agents are there for callers), `features` (codes that they dial), `reaching` (whether their phones are there), `supervising` (who may listen to whom),
//! `conferring` (whoever takes part beside caller and agent), `parking` (callers who are parked).

mod among_agents;
mod book;
mod calling_back;
mod calling_out;
mod conferring;
mod features;
mod forks;
mod guests;
#[cfg(test)]
mod hop_tests;
mod ladder;
#[cfg(test)]
mod leg_tests;
mod orders;
mod outbound;
mod parking;
mod parting;
mod presence;
mod reaching;
mod registering;
#[cfg(test)]
mod registering_tests;
mod reload;
mod replacing;
mod reports;
mod signalling;
mod sound;
mod supervising;
#[cfg(test)]
pub(crate) mod tests;
mod transferring;
#[cfg(test)]
mod trunk_tests;
mod trunks;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

pub use among_agents::AgentsCalls;
use book::{Entry, Link, PortLink, Role};
pub use calling_back::{CallBack, NotCalled};
pub use calling_out::WayOut;
pub use reload::Reload;
pub use supervising::Supervisor;
use trunks::Trunks;
pub use trunks::{CallTarget, NamedPhone, Trunk, TrunkShown};

use crate::call::agent::Agents;
use crate::call::fact::{Fact, PausedBy, RecordedPart, RecordingStatus, RingResult};
use crate::call::feature::Codes;
use crate::call::leg::{self, Callee};
use crate::call::presence::{AgentFact, Order, Refused, Shown};
use crate::call::privacy::NotPaused;
use crate::clock::{Instant, Now, RunId};
use crate::dialplan::plan::Plans;
use crate::ids::{AgentNo, CallId, LegId, Random, SubjectId, TrunkName};
use crate::media::keying::{Part, Policy};
use crate::media::negotiate::{self, CODECS, Local};
use crate::media::{self, Codec, Ports};
use crate::peer::known::{Known, Standing};
use crate::peer::route::{Destination, Records};
use crate::protocol::sip::endpoint::{
    self, ConnectionId, Count, Endpoint, Flow, Label, SessionId, Transmit, Transport,
};
use crate::protocol::sip::framing::Frame;
use crate::protocol::sip::uri::Uri;
use crate::schedule::Schedule;

#[derive(Debug, Clone)]
pub struct Settings {
    pub sip: endpoint::Settings,
    pub rtp_ports: RangeInclusive<u16>,
    pub media: MediaSettings,
    pub trunks: Vec<Trunk>,
    pub phones: Vec<Phone>,
    pub named_phones: Vec<NamedPhone>,
    pub targets: Vec<CallTarget>,
    pub run: RunId,
}

/// What is spoken on legs, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaSettings {
    /// In our order of preference; never empty.
    pub codecs: Vec<Codec>,
    pub trunk_srtp: Policy,
    pub agent_srtp: Policy,
}

impl Default for MediaSettings {
    fn default() -> Self {
        let (trunk_srtp, agent_srtp) = Default::default();
        MediaSettings { codecs: CODECS.to_vec(), trunk_srtp, agent_srtp }
    }
}

impl MediaSettings {
    fn srtp(&self, role: &Role) -> Policy {
        match role {
            Role::Caller | Role::Agent { agent: Callee::Target(_), .. } => self.trunk_srtp,
            Role::Agent { agent: Callee::Agent(_), .. } => self.agent_srtp,
        }
    }

    /// An offer or an answer of that leg's peer, with the codecs that we speak.
    fn read(&self, role: &Role, part: Part, body: &[u8]) -> Result<negotiate::Peer, negotiate::Refusal> {
        negotiate::read(body)?.with(&self.codecs)?.under(self.srtp(role), part)
    }

    /// The same, for a leg whose media is there already.
    fn read_at(
        &self,
        ours: &Local,
        role: &Role,
        part: Part,
        body: &[u8],
    ) -> Result<negotiate::Peer, negotiate::Refusal> {
        self.read(role, part, body)?.reached_from(ours.rtp.ip())
    }

    /// All codecs of ours, `first` ones first.
    fn preferring(&self, first: impl IntoIterator<Item = Codec>) -> Vec<Codec> {
        let mut codecs = Vec::with_capacity(self.codecs.len());
        for codec in first.into_iter().chain(self.codecs.iter().copied()) {
            if self.codecs.contains(&codec) && !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        codecs
    }
}

impl Settings {
    /// A trunk that targets are called through must lead somewhere.
    pub(super) fn find_ways(&mut self) {
        for trunk in &mut self.trunks {
            if self.targets.iter().any(|target| target.trunk == trunk.name) {
                trunk.server = trunk.way_of_calls();
            }
        }
    }

    /// Everybody whom this configuration names by address.
    pub fn known(&self) -> Known {
        Known::new(self.trunks.iter().flat_map(|t| t.peers.iter().copied()), self.phones.iter().map(|p| p.address))
    }
}

/// The fixed phone of an agent.
#[derive(Debug, Clone)]
pub struct Phone {
    pub agent: AgentNo,
    pub uri: Uri,
    pub transport: Transport,
    pub address: SocketAddr,
}

#[derive(Debug)]
pub enum Input {
    /// One datagram; `at` is its kernel receive stamp.
    Datagram {
        flow: Flow,
        at: Now,
        bytes: Vec<u8>,
    },
    /// One message of a stream.
    Frame {
        flow: Flow,
        at: Now,
        frame: Frame,
    },
    /// A marked message was written at `at`.
    Sent {
        session: SessionId,
        label: Label,
        at: Now,
    },
    /// A marked message could not be written.
    NotSent {
        session: SessionId,
    },
    /// A connection that peers had been heard over is closed.
    Disconnected(ConnectionId),
    /// An agent's presence is to change, as the API says. Answered by [`Output::Ordered`] with the same ticket.
    Order {
        ticket: u64,
        agent: AgentNo,
        order: Order,
    },
    /// The recording of a call is to be silence, or no longer. Answered by [`Output::Paused`] with the same ticket.
    PauseRecording {
        ticket: u64,
        call: CallId,
        paused: bool,
    },
    /// A caller of the list of callbacks is to be called. Answered by [`Output::CallingBack`] with the same ticket.
    CallBack {
        ticket: u64,
        order: CallBack,
    },
    /// Who is there? Answered by [`Output::Agents`] with the same ticket.
    Agents {
        ticket: u64,
    },
    /// What a look-up found; `None`: it failed.
    Resolved {
        destination: Destination,
        found: Option<Records>,
    },
    Media(media::Event),
    /// The recording that is closed next will be listened to.
    Listening(CallId),
    Recording(RecordingClosed),
    Listened {
        call: CallId,
        listened: leg::Listened,
    },
    /// Whether the queue of facts not yet on disk is at its bound.
    LedgerFull(bool),
    /// Whether no new recording is begun, because the disk is full.
    DiskFull(bool),
    /// Whether the database takes facts. While it does not, they wait in memory, and each live call's record tells.
    LedgerFailing(bool),
    /// Go on with this configuration.
    Reload(Box<Reload>),
    /// Take no new calls; live ones go on.
    Drain,
    /// End every call now.
    Shutdown,
    Timeout,
}

/// The recorder's last word on a call.
#[derive(Debug, Clone)]
pub struct RecordingClosed {
    pub call: CallId,
    pub status: RecordingStatus,
    pub reason: Option<String>,
    pub duration_ms: u64,
    pub sha256: Option<String>,
    /// Of a recording with more than one file.
    pub parts: Vec<RecordedPart>,
}

#[derive(Debug)]
pub enum Output {
    Transmit(Transmit),
    Media(media::Command),
    /// Opens the recording of a call at this path under the data directory. Comes before the bridge that feeds it.
    Record {
        call: CallId,
        path: String,
    },
    Fact(Fact),
    /// Of an agent, not of a call.
    AgentFact(AgentFact),
    /// What became of an order.
    Ordered {
        ticket: u64,
        result: Result<Shown, Refused>,
    },
    /// What became of a pause, or of its end.
    Paused {
        ticket: u64,
        result: Result<(), NotPaused>,
    },
    /// Whether the agent's phone is rung.
    CallingBack {
        ticket: u64,
        result: Result<(), NotCalled>,
    },
    /// What came of calling this entry of the list; `None`: the number answered.
    CalledBack {
        entry: CallId,
        /// Who had asked for it.
        by: String,
        result: Option<RingResult>,
    },
    /// Everybody, by number.
    Agents {
        ticket: u64,
        agents: Vec<Shown>,
    },
    /// The number behind a subject, for the table of its own.
    Subject {
        id: SubjectId,
        number: String,
    },
    Count(Count),
    Rejected(Rejected),
    /// This name is to be looked up.
    Resolve(Destination),
    Trunk(TrunkShown),
    /// A target of this trunk has answered OPTIONS, so long after it was first sent.
    RoundTrip {
        trunk: TrunkName,
        took: Duration,
    },
}

/// Requests that are refused without becoming calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    UnknownNumber,
    /// An agent's phone that calls by itself.
    FromPhone,
    /// Unknown user or wrong password.
    WrongPassword,
    /// From a source that has guessed too often.
    LockedOut,
    /// The code of a supervisor, or of a call outside, with a wrong PIN, or from a source with too many of them.
    WrongPin,
}

#[derive(Debug)]
pub struct Gateway {
    settings: Settings,
    known: Known,
    guests: guests::Guests,
    plans: Arc<Plans>,
    random: Random,
    endpoint: Endpoint,
    agents: Agents,
    codes: Codes,
    supervisors: supervising::Supervisors,
    reaching: reaching::Reaching,
    phones: BTreeMap<AgentNo, Phone>,
    trunks: Trunks,
    ports: Ports,
    calls: BTreeMap<CallId, Entry>,
    callers: among_agents::Callers,
    agents_calls: AgentsCalls,
    calling_back: calling_back::CallingBack,
    calling_out: calling_out::CallingOut,
    /// Of a consultation that is to become part of a call: whose, and which attempt.
    consulted: BTreeMap<CallId, (CallId, u32)>,
    reports: reports::Reports,
    by_session: BTreeMap<SessionId, Link>,
    by_leg: BTreeMap<LegId, PortLink>,
    /// How many sessions of an attempt have not ended: its agent is taken until then.
    phone_sessions: BTreeMap<(CallId, u32, Callee), u32>,
    partings: parting::Partings,
    /// `None`: no agent has a password.
    registering: Option<Box<registering::Registering>>,
    next_leg: u64,
    /// Facts of agents so far in this run.
    agent_facts: u32,
    wakes: Schedule<CallId>,
    /// What the calls have yet to be told, in order.
    inputs: VecDeque<(CallId, Now, leg::Input)>,
    outputs: VecDeque<Output>,
    /// Sessions of which a message could not be written, while others are still being written.
    not_sent: VecDeque<SessionId>,
    draining: bool,
    ledger_full: bool,
    ledger_failing: bool,
    disk_full: bool,
}

impl Gateway {
    pub fn new(mut settings: Settings, plans: Arc<Plans>, mut random: Random) -> Gateway {
        let endpoint_random = Random::from_seed(random.bytes());
        settings.find_ways();
        let agents_random = Random::from_seed(random.bytes());
        let numbers = settings.phones.iter().map(|p| &p.agent).chain(settings.named_phones.iter().map(|p| &p.agent));
        let numbers: Vec<AgentNo> = numbers.cloned().collect();
        let ports = Ports::new(settings.rtp_ports.clone(), &mut random);
        let mut gateway = Gateway {
            endpoint: Endpoint::new(settings.sip.clone(), endpoint_random),
            codes: Codes::default(),
            supervisors: supervising::Supervisors::default(),
            reaching: reaching::Reaching::default(),
            agents: Agents::new(numbers, &plans, agents_random),
            phones: settings.phones.iter().map(|p| (p.agent.clone(), p.clone())).collect(),
            trunks: Trunks::new(&settings, Random::from_seed(random.bytes())),
            ports,
            known: settings.known(),
            guests: guests::Guests::default(),
            settings,
            plans,
            random,
            calls: BTreeMap::new(),
            callers: among_agents::Callers::default(),
            agents_calls: AgentsCalls::default(),
            calling_back: calling_back::CallingBack::default(),
            calling_out: calling_out::CallingOut::default(),
            consulted: BTreeMap::new(),
            reports: reports::Reports::default(),
            by_session: BTreeMap::new(),
            by_leg: BTreeMap::new(),
            phone_sessions: BTreeMap::new(),
            partings: parting::Partings::default(),
            registering: None,
            next_leg: 0,
            agent_facts: 0,
            wakes: Schedule::default(),
            inputs: VecDeque::new(),
            outputs: VecDeque::new(),
            not_sent: VecDeque::new(),
            draining: false,
            ledger_full: false,
            ledger_failing: false,
            disk_full: false,
        };
        gateway.renew_reaching(Instant::START);
        gateway
    }

    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Datagram { flow, at, bytes } => {
                let trusted = self.is_trusted(&flow);
                self.endpoint.handle_datagram(now.mono, flow, at, trusted, &bytes);
            }
            Input::Frame { flow, at, frame } => {
                let trusted = self.is_trusted(&flow);
                self.endpoint.handle_frame(now.mono, flow, at, trusted, &frame);
            }
            Input::Sent { session, label, at } => self.handle_sent(session, &label, at),
            Input::NotSent { session } => self.not_sent.push_back(session),
            Input::Disconnected(connection) => self.handle_disconnected(connection),
            Input::Media(media::Event::BindFailed { call, leg, .. }) if self.is_closing(call, leg) => {
                self.forget_leg(now, leg);
            }
            Input::Resolved { destination, found } => self.handle_resolved(now, &destination, found),
            Input::Media(event) => self.handle_media(now, event),
            Input::Agents { ticket } => {
                let agents = self.shown(now);
                self.outputs.push_back(Output::Agents { ticket, agents });
            }
            Input::PauseRecording { ticket, call, paused } => {
                let result = self.pause_recording(now, call, paused, PausedBy::Api);
                self.outputs.push_back(Output::Paused { ticket, result });
            }
            Input::CallBack { ticket, order } => {
                let result = self.call_back(now, order);
                self.outputs.push_back(Output::CallingBack { ticket, result });
            }
            Input::Order { ticket, agent, order } => self.handle_order(now, ticket, &agent, order),
            Input::Recording(closed) => {
                let RecordingClosed { call, status, reason, duration_ms, sha256, parts } = closed;
                let input = leg::Input::RecordingClosed { status, reason, duration_ms, sha256, parts };
                self.inputs.push_back((call, now, input));
            }
            Input::Listening(call) => self.inputs.push_back((call, now, leg::Input::ListeningStarted)),
            Input::Listened { call, listened } => self.inputs.push_back((call, now, leg::Input::Listened(listened))),
            Input::LedgerFull(full) => self.ledger_full = full,
            Input::DiskFull(full) => self.disk_full = full,
            Input::LedgerFailing(failing) => self.handle_ledger(now, failing),
            Input::Reload(reload) => self.reload(now, *reload),
            Input::Drain => self.drain(),
            Input::Shutdown => {
                self.drain();
                self.inputs.extend(self.calls.keys().map(|id| (*id, now, leg::Input::Shutdown)));
            }
            Input::Timeout => self.handle_timeout(now),
        }
        self.judge_not_sent(now);
        self.work(now);
        if self.say_farewell(now) {
            self.work(now);
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back with `Input::Timeout`, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let call = self.wakes.next().map(|(at, id)| {
            let why = self.calls.get(&id).and_then(|e| e.call.poll_timeout()).map_or("call", |(_, why)| why);
            (at, why)
        });
        let registrations = self.registering.as_ref().and_then(|r| r.registrar.poll_timeout());
        let all =
            [call, self.endpoint.poll_timeout(), self.trunks.poll_timeout(), registrations, self.agents.poll_timeout()];
        let all = all.into_iter().chain([self.reaching.poll_timeout(), self.partings.poll_timeout()]);
        all.flatten().min_by_key(|(at, _)| *at)
    }

    /// Calls that are not sealed yet.
    pub fn live_calls(&self) -> usize {
        self.calls.len()
    }

    /// Those of them that are not agents' own.
    pub fn live_calls_of_hotlines(&self) -> usize {
        self.calls.values().filter(|entry| entry.call.is_hotlines()).count()
    }

    /// Whether this call is not sealed yet.
    pub fn has_call(&self, id: CallId) -> bool {
        self.calls.contains_key(&id)
    }

    pub fn agents(&self) -> &Agents {
        &self.agents
    }

    pub fn ports_used(&self) -> usize {
        self.ports.used()
    }

    pub fn transactions(&self) -> usize {
        self.endpoint.transaction_count()
    }

    pub fn sessions(&self) -> usize {
        self.by_session.len()
    }

    /// Changes whenever [`Gateway::guests`] does.
    pub fn guests_version(&self) -> u64 {
        self.guests.version() + self.registering.as_ref().map_or(0, |r| r.registrar.places_version())
    }

    /// Addresses that are no trunk's or fixed phone's, but that a dialog of a live call leads to, or a phone has registered from.
    pub fn guests(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let registered = self.registering.iter().flat_map(|r| r.registrar.addresses());
        self.guests.addresses().chain(registered)
    }

    /// Nothing is alive: no call, session, transaction, port or timer.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.by_session.is_empty()
            && self.by_leg.is_empty()
            && self.wakes.is_empty()
            && self.ports.used() == 0
            && self.partings.is_empty()
            && self.endpoint.is_idle()
    }

    /// No new calls are taken.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    fn drain(&mut self) {
        self.draining = true;
        self.endpoint.drain();
    }

    fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now);
        self.handle_trunk_timeouts(now);
        self.handle_registrar_timeout(now);
        self.agents.handle_timeout(now);
        self.handle_reaching_timeout(now);
        self.handle_partings_timeout(now);
        while let Some(id) = self.wakes.pop_due(now.mono) {
            self.with_call(now, id, |call, agents| call.handle_timeout(now, agents));
        }
    }

    fn handle_ledger(&mut self, now: Now, failing: bool) {
        if failing && !self.ledger_failing {
            self.inputs.extend(self.calls.keys().map(|id| (*id, now, leg::Input::LedgerDelayed)));
        }
        self.ledger_failing = failing;
    }

    /// What a failed write means is judged after everything ordered with it has been written: the 200 to the caller goes
    /// out although the ACK to the phone did not, and the call is *connected* before it is lost.
    fn judge_not_sent(&mut self, now: Now) {
        if self.outputs.iter().any(|output| matches!(output, Output::Transmit(Transmit { mark: Some(_), .. }))) {
            return;
        }
        while let Some(session) = self.not_sent.pop_front() {
            self.handle_not_sent(now, session);
        }
    }

    /// Carries events and inputs around until nothing is left to do at this moment.
    fn work(&mut self, now: Now) {
        loop {
            while let Some(count) = self.endpoint.poll_count() {
                self.outputs.push_back(Output::Count(count));
            }
            if let Some(answered) = self.endpoint.poll_answer() {
                self.handle_answered(now, answered);
            } else if let Some(event) = self.endpoint.poll_event() {
                self.handle_sip(now, event);
            } else if let Some(reported) = self.endpoint.poll_report() {
                self.handle_report(now, reported);
            } else if let Some(served) = self.endpoint.poll_served() {
                self.handle_register(now, &served);
            } else if let Some((id, at, input)) = self.inputs.pop_front() {
                self.with_call(now, id, |call, agents| call.handle(now.mono, at, input, agents));
            } else if self.tell_of_agents() {
            } else if let Some(agent) = self.agents.poll_freed() {
                self.offer_to_waiting(now, &agent);
            } else {
                break;
            }
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            if let Some(session) = transmit.mark {
                self.lead_to(session, transmit.flow.remote);
                self.note_parting(now, session, &transmit.label);
            }
            self.note_transmit(now, &transmit);
            self.outputs.push_back(Output::Transmit(transmit));
        }
        // What was noted of them; nothing more comes of it.
        while let Some((id, at, input)) = self.inputs.pop_front() {
            self.with_call(now, id, |call, agents| call.handle(now.mono, at, input, agents));
        }
    }

    /// An agent has become free: whoever has waited longest is told, then the next, until somebody takes the agent.
    fn offer_to_waiting(&mut self, now: Now, agent: &AgentNo) {
        let mut last = None;
        while self.agents.is_free(agent)
            && let Some(id) = self.agents.queue.first_for(agent, last)
        {
            self.with_call(now, id, |call, agents| call.handle(now.mono, now, leg::Input::AgentFree, agents));
            last = Some(id);
        }
    }

    /// Lets a call act, then does what it orders. A panic ends that call, not the process.
    fn with_call(&mut self, now: Now, id: CallId, act: impl FnOnce(&mut crate::call::Call, &mut Agents)) {
        let Some(entry) = self.calls.get_mut(&id) else { return };
        let _span = entry.span.clone().entered();
        let (call, agents) = (&mut entry.call, &mut self.agents);
        call.note_disk(self.disk_full);
        if catch_unwind(AssertUnwindSafe(|| act(call, agents))).is_err() {
            tracing::error!("a bug in the call machine; this call is ended");
            call.fail(now, agents);
            self.end_all_legs(now, id);
        }
        self.obey(now, id);
    }

    fn is_trusted(&self, flow: &Flow) -> bool {
        let standing = match flow.transport {
            Transport::Udp => self.known.standing(flow.remote),
            Transport::Tcp | Transport::Tls => self.known.standing_of_connection(flow.remote),
        };
        standing != Standing::Stranger || self.is_bound(flow.remote)
    }
}
