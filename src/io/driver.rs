//! The one thread that owns the switch: feeds it, and does what it says.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::bindings::Keeper;
use super::clock::RunClock;
use super::disk::Recorder;
use super::door::Door;
use super::ledger::{Batch, Ledger, Refused, Room};
use super::listening::Listener;
use super::mailbox::{Inbox, Received};
use super::questions::{self, Questions};
use super::refusals::Refusals;
use super::resolver::Resolver;
use super::rtp::MediaThreads;
use super::space::Watch;
use super::tcp::Tcp;
use super::udp::Udp;
use crate::call::fact::Fact;
use crate::clock::Instant;
use crate::gateway::{Gateway, Input, Output, Rejected};
use crate::ledger::Subject;
use crate::metrics::{CallMetrics, Counters, Direction, Method, SipRejection};
use crate::protocol::sip;
use crate::protocol::sip::endpoint::{Count, Label, Transmit, Transport};
use crate::protocol::sip::sips::needs_tls;

/// Is told every fact as it happens (live views, the demo's lines). Called on the switch's thread: it must not block.
pub type Observer = Box<dyn FnMut(&Fact) + Send>;

/// Inputs handled before the outputs are looked at again: keeps a burst from delaying what is due.
const BATCH: usize = 64;

/// What the switch writes to.
pub struct Wires {
    pub clock: RunClock,
    pub udp: Vec<Arc<Udp>>,
    pub tcp: Tcp,
    pub resolver: Resolver,
    pub media: MediaThreads,
    pub recorder: Recorder,
    /// After the recorder, which orders.
    pub listener: Listener,
    pub disk: Watch,
    /// New calls are refused while the disk is full.
    pub refuse_at_full: bool,
    pub data_directory: PathBuf,
    pub ledger: Ledger,
    pub call_metrics: CallMetrics,
    pub counters: Counters,
    pub refusals: Refusals,
    pub observer: Option<Observer>,
    pub door: Arc<Door>,
    pub occupancy: Arc<Occupancy>,
    /// `None`: no agent registers.
    pub keeper: Option<Keeper>,
    pub questions: Questions,
}

/// What is alive in the switch, as of its last round; for whoever waits for calls to end, and for the metrics.
#[derive(Debug, Default)]
pub struct Occupancy {
    /// Calls that are not sealed.
    pub calls: AtomicUsize,
    pub transactions: AtomicUsize,
    pub sessions: AtomicUsize,
    pub ports: AtomicUsize,
    pub registrations: AtomicUsize,
    /// A registrar has not yet answered our farewell.
    pub leaving: AtomicBool,
    /// No new calls are taken. Set after `calls` of the same round: with it, `calls` counts every call there will be.
    pub draining: AtomicBool,
    /// Counts the switch's rounds: one that hangs makes none.
    pub rounds: AtomicU64,
}

impl Occupancy {
    pub fn tell(&self, counters: &Counters) {
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        counters.registrations(of(&self.registrations));
        counters.occupancy(of(&self.transactions), of(&self.sessions), of(&self.ports));
    }
}

/// Runs the switch until it is told to stop; gives the wires back so that they can be closed in order.
pub fn run(gateway: Gateway, inbox: Inbox, wires: Wires) -> io::Result<JoinHandle<Wires>> {
    let pending = Batch::default();
    let driver = Driver {
        gateway,
        wires,
        pending,
        no_room: false,
        disk_full: false,
        ledger_failing: false,
        guests_version: 0,
        known_version: 0,
    };
    thread::Builder::new().name("switch".to_owned()).spawn(move || driver.run(&inbox))
}

/// An answer time that is wrong by so much is a fault to be found.
const LATE: Duration = Duration::from_secs(1);

struct Driver {
    gateway: Gateway,
    wires: Wires,
    /// Facts of this round, and those that the ledger handed back.
    pending: Batch,
    /// New calls are refused: the ledger is full, or the disk.
    no_room: bool,
    /// No new recordings are begun.
    disk_full: bool,
    ledger_failing: bool,
    /// Of the guests that the door knows.
    guests_version: u64,
    /// Of the trunks and phones that the door knows.
    known_version: u64,
}

impl Driver {
    fn run(mut self, inbox: &Inbox) -> Wires {
        loop {
            let looked = self.wires.clock.now().mono;
            let patience = self.patience(looked);
            match inbox.receive(patience) {
                Received::Input(input) => {
                    self.handle(input);
                    for _ in 1..BATCH {
                        match inbox.receive(Duration::ZERO) {
                            Received::Input(input) => self.handle(input),
                            Received::Timeout => break,
                            Received::Stop => return self.finish(),
                        }
                    }
                }
                Received::Timeout => {}
                Received::Stop => return self.finish(),
            }
            let now = self.wires.clock.now();
            if let Some((at, why)) = self.gateway.poll_timeout().filter(|(at, _)| *at <= now.mono) {
                // A timer may be set to a time that is over; late is only what was not looked at.
                let late = now.mono.since(at.max(looked));
                self.wires.counters.loop_lag(late);
                if late > LATE {
                    tracing::warn!(?late, timer = why, "the switch came late to a timer");
                }
                self.handle(Input::Timeout);
            }
            // A warning that a rule is about to be broken may be as late as the switch sleeps: a second.
            self.wires.call_metrics.handle_timeout(now.mono);
            self.hand_over_facts();
            self.report();
            self.wires.refusals.flush(now.mono);
        }
    }

    fn report(&mut self) {
        let (gateway, occupancy) = (&self.gateway, &self.wires.occupancy);
        occupancy.transactions.store(gateway.transactions(), Ordering::Relaxed);
        occupancy.sessions.store(gateway.sessions(), Ordering::Relaxed);
        occupancy.ports.store(gateway.ports_used(), Ordering::Relaxed);
        occupancy.registrations.store(gateway.registrations().0, Ordering::Relaxed);
        occupancy.leaving.store(gateway.is_leaving(), Ordering::Relaxed);
        if let Some(keeper) = &mut self.wires.keeper {
            let now = self.wires.clock.now();
            keeper.keep(now, gateway.registrations_version(), || gateway.saved_registrations(now));
        }
        occupancy.calls.store(gateway.live_calls(), Ordering::Release);
        occupancy.draining.store(gateway.is_draining(), Ordering::Release);
        occupancy.rounds.fetch_add(1, Ordering::Release);
    }

    fn finish(mut self) -> Wires {
        if let Some(keeper) = self.wires.keeper.take() {
            keeper.finish(self.gateway.saved_registrations(self.wires.clock.now()));
        }
        self.hand_over_facts();
        self.wires
    }

    fn patience(&self, now: Instant) -> Duration {
        let due = self.gateway.poll_timeout().map_or(Duration::from_secs(1), |(at, _)| at.since(now));
        // While facts wait for the ledger, look again soon.
        let waiting = !self.pending.is_empty() || self.no_room;
        due.min(if waiting { Duration::from_millis(100) } else { Duration::from_secs(1) })
    }

    fn handle(&mut self, input: Input) {
        let now = self.wires.clock.now();
        let reloaded = matches!(input, Input::Reload(_));
        self.gateway.handle(now, input);
        // Before anything is written that a guest may answer.
        if self.guests_version != self.gateway.guests_version() {
            self.guests_version = self.gateway.guests_version();
            self.wires.door.publish(now.mono, self.gateway.guests());
        }
        if self.known_version != self.gateway.known_version() {
            self.known_version = self.gateway.known_version();
            self.wires.door.renew(self.gateway.known().clone());
            self.wires.tcp.expect(self.gateway.tls_names());
        }
        if reloaded {
            self.wires.call_metrics.show_agents();
            self.serve_registrations();
        }
        while let Some(output) = self.gateway.poll_output() {
            self.carry_out(output);
        }
        self.wires.media.wake();
    }

    /// Whether agents may register can change with the configuration.
    fn serve_registrations(&mut self) {
        let serves = self.gateway.serves_registrations();
        self.wires.door.open_to_strangers(serves);
        if serves && self.wires.keeper.is_none() {
            let started = Keeper::start(&self.wires.data_directory);
            let failed = |error| tracing::error!(%error, "registrations are not kept over a restart");
            self.wires.keeper = started.map_err(failed).ok();
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Transmit(transmit) => self.transmit(&transmit),
            Output::Media(command) => self.wires.media.queue(command),
            Output::Record { call, path } => {
                self.wires.recorder.begin(call, self.wires.data_directory.join(path));
            }
            Output::Fact(fact) => {
                self.wires.call_metrics.fact(&fact);
                if let Some(observer) = &mut self.wires.observer {
                    observer(&fact);
                }
                self.pending.facts.push(fact);
            }
            Output::AgentFact(fact) => {
                self.wires.call_metrics.agent_fact(&fact);
                self.pending.agents.push(fact);
            }
            Output::Ordered { ticket, result } => self.wires.questions.ordered(ticket, result),
            Output::Paused { ticket, result } => self.wires.questions.paused(ticket, result),
            Output::CallingBack { ticket, result } => self.wires.questions.calling_back(ticket, result),
            Output::CalledBack { entry, by, result } => {
                questions::note_called_back(&self.wires.data_directory, self.wires.clock.now().wall, entry, by, result);
            }
            Output::Agents { ticket, agents } => self.wires.questions.agents(ticket, agents),
            Output::Subject { id, number } => self.pending.subjects.push(Subject { id, number }),
            Output::Resolve(destination) => self.wires.resolver.look_up(destination),
            Output::Trunk(shown) => self.wires.counters.trunk(&shown.trunk, shown.up, shown.registered_until),
            Output::RoundTrip { trunk, took } => self.wires.counters.trunk_round_trip(&trunk, took),
            Output::Count(count) => self.count(&count),
            Output::Rejected(Rejected::UnknownNumber) => {
                self.refuse(SipRejection::UnknownNumber);
            }
            Output::Rejected(Rejected::FromPhone) => self.refuse(SipRejection::FromPhone),
            Output::Rejected(Rejected::WrongPassword) => self.refuse(SipRejection::WrongPassword),
            Output::Rejected(Rejected::WrongPin) => self.refuse(SipRejection::WrongPin),
            Output::Rejected(Rejected::LockedOut) => self.refuse(SipRejection::LockedOut),
        }
    }

    fn transmit(&mut self, transmit: &Transmit) {
        let Transmit { flow, bytes, label, mark, again, session: _ } = transmit;
        let written = match flow.transport {
            // RFC 5630 section 3.1: whoever chose this way, a `sips` request does not leave by it.
            Transport::Udp | Transport::Tcp if needs_tls(bytes) => Err(io::ErrorKind::InvalidInput.into()),
            Transport::Udp => self.send_udp(flow.local, bytes, flow.remote),
            Transport::Tcp | Transport::Tls => {
                self.wires.tcp.send(*flow, Arc::clone(bytes), *mark);
                Ok(())
            }
        };
        let at = self.wires.clock.now();
        if *again {
            self.wires.counters.sip_retransmission(Direction::Out);
        } else {
            match label {
                Label::Request(m) => self.wires.counters.sip_request(method(m), Direction::Out),
                Label::Response(code, m) => self.wires.counters.sip_response(method(m), *code, Direction::Out),
            }
        }
        let Some(session) = *mark else { return };
        let input = match written {
            Ok(()) => Input::Sent { session, label: label.clone(), at },
            Err(error) => {
                tracing::warn!(%error, remote = %flow.remote, "a SIP message could not be written");
                Input::NotSent { session }
            }
        };
        self.gateway.handle(at, input);
    }

    fn send_udp(&self, local: SocketAddr, bytes: &[u8], remote: SocketAddr) -> io::Result<()> {
        let socket = self.wires.udp.iter().find(|u| u.local() == local);
        socket.ok_or(io::ErrorKind::AddrNotAvailable)?.send(bytes, remote)
    }

    fn count(&self, count: &Count) {
        let counters = &self.wires.counters;
        match count {
            Count::Request(m) => counters.sip_request(method(m), Direction::In),
            Count::Response(code, m) => counters.sip_response(method(m), *code, Direction::In),
            Count::Retransmission => counters.sip_retransmission(Direction::In),
            Count::Unparsable => counters.sip_parse_error(),
            Count::Stranger => self.refuse(SipRejection::Stranger),
            Count::Stray => self.refuse(SipRejection::NoDialog),
            Count::ForeignContact => counters.sip_foreign_contact(),
            Count::Refused(status) => self.refuse(refusal(*status)),
        }
    }

    fn refuse(&self, reason: SipRejection) {
        self.wires.refusals.refuse(self.wires.clock.now().mono, reason, 1, None);
    }

    fn hand_over_facts(&mut self) {
        if !self.pending.is_empty() {
            match self.wires.ledger.append(std::mem::take(&mut self.pending)) {
                Ok(()) => {}
                Err(Refused::Full(batch) | Refused::Stopped(batch)) => self.pending = batch,
            }
        }
        let full = self.wires.ledger.room() == Room::Full || !self.pending.is_empty();
        let disk_full = self.wires.disk.gauge().is_full();
        if disk_full != self.disk_full {
            self.disk_full = disk_full;
            self.handle(Input::DiskFull(disk_full));
        }
        let no_room = full || (self.wires.refuse_at_full && disk_full);
        if no_room != self.no_room {
            self.no_room = no_room;
            self.handle(Input::LedgerFull(no_room));
        }
        let failing = self.wires.ledger.is_failing() || full;
        if failing != self.ledger_failing {
            self.ledger_failing = failing;
            self.handle(Input::LedgerFailing(failing));
        }
    }
}

/// What a failure that the endpoint gave by itself says of the request.
fn refusal(status: u16) -> SipRejection {
    match status {
        405 | 406 | 415 | 416 | 420 | 501 => SipRejection::Unsupported,
        481 => SipRejection::NoDialog,
        503 => SipRejection::Overloaded,
        _ => SipRejection::Malformed,
    }
}

fn method(m: &sip::vocabulary::Method) -> Method {
    match m.label().as_str() {
        "INVITE" => Method::Invite,
        "ACK" => Method::Ack,
        "BYE" => Method::Bye,
        "CANCEL" => Method::Cancel,
        "OPTIONS" => Method::Options,
        "REGISTER" => Method::Register,
        "PRACK" => Method::Prack,
        "UPDATE" => Method::Update,
        "INFO" => Method::Info,
        "REFER" => Method::Refer,
        _ => Method::Other,
    }
}
