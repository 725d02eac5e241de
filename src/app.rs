//! Composition: from a checked configuration to a running gateway, and back down in order.
//!
//! ```text
//! lock the data directory ─► open the store ─► recover what a crash cut ─► bind every socket ─► start the threads ─► ready
//! drain ─► calls end (or are ended) ─► switch ─► media ─► recorder ─► ledger ─► unlock
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::call::fact::{Fact, RecordingStatus, What};
use crate::call::presence;
use crate::clock::RunId;
use crate::config::{self, Config, Loaded};
use crate::dialplan::plan::Plans;
use crate::gateway::{self, Gateway, Input, RecordingClosed, Supervisor};
use crate::ids::{AgentNo, CallId, HotlineId, Random};
use crate::io::bindings::{self, Keeper};
use crate::io::clock::RunClock;
use crate::io::descriptors;
use crate::io::disk::{self, Recorder};
use crate::io::door::Door;
use crate::io::driver::{self, Observer, Occupancy, Wires};
use crate::io::ledger::{self, Batch, Bounds, Ledger, Room};
use crate::io::listening::Listener;
use crate::io::mailbox::{Inbox, Mailbox, mailbox};
use crate::io::objects::Objects;
use crate::io::questions::Questions;
use crate::io::refusals::Refusals;
use crate::io::resolver::Resolver;
use crate::io::rtp::MediaThreads;
use crate::io::space::{AtFull, Gauge, Usage};
use crate::io::tcp::{self, Tcp};
use crate::io::tls::{self, Tls};
use crate::io::udp::{Reception, Udp};
use crate::io::vault::Vault;
use crate::ledger::recovery::{Unheard, closing_facts, unheard};
use crate::media;
use crate::metrics::{Counters, LabelSets, Metrics};
use crate::peer::registrar;
use crate::peer::route::Destination;
use crate::protocol::sip::endpoint::{self, Transport};
use crate::protocol::sip::uri::Uri;
use crate::store::{Retention, Writer};
use crate::web;

mod backlog;
mod console;
pub mod inspecting;
mod keeping;
mod reload;
mod talks;

pub use keeping::{Reloaded, callbacks_alone, carry_out_alone, people_alone};

/// A gateway that is up.
pub struct Running {
    pub addresses: Addresses,
    mailbox: Mailbox,
    switch: JoinHandle<Wires>,
    receivers: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
    occupancy: Arc<Occupancy>,
    ledger: ledger::Running,
    metrics: Arc<Metrics>,
    plans: InForce,
    /// What is in force.
    config: Config,
    clock: RunClock,
    tls: Option<Arc<Tls>>,
    desk: Option<web::desk::Desk>,
    keeping: keeping::Keeping,
    _lock: File,
}

/// The dialplans that new calls get.
type InForce = Arc<Mutex<Arc<Plans>>>;

/// Where it listens, as bound.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub sip: Vec<(Transport, SocketAddr)>,
    pub metrics: SocketAddr,
    /// Console and API; `None`: neither is there.
    pub http: Option<SocketAddr>,
    /// Whether the API is there.
    pub has_api: bool,
}

/// Starts everything. `observer` is told every fact. Must be called within a tokio runtime.
pub fn start(loaded: Loaded, observer: Option<Observer>) -> Result<Running> {
    let Loaded { config, plans } = loaded;
    let clock = RunClock::start();
    let lock = lock_data(&config.data_directory)?;
    let metrics = Arc::new(Metrics::new(label_sets(&config, &plans)).context("metrics")?);
    let (ledger, run, left) = open_ledger(&config, clock, &metrics)?;
    let mut sockets = Sockets::bind(&config)?;
    let addresses = sockets.addresses(&config)?;
    let http = sockets.http.take();
    let plans = Arc::new(plans);
    let (mailbox, inbox) = mailbox();
    let settings = settings(&config, &addresses, run)?;
    let accounts = accounts(&config);
    let door = Arc::new(Door::new(settings.known()));
    door.open_to_strangers(!accounts.accounts.is_empty());
    let in_force: InForce = Arc::new(Mutex::new(Arc::clone(&plans)));
    let mut gateway = Gateway::new(settings, Arc::clone(&plans), Random::from_seed(os_seed()?));
    gateway.open_registrar(clock.now(), accounts, bindings::load(&config.data_directory));
    gateway.use_codes(config.codes.clone());
    gateway.use_supervisors(supervisors(&config));
    gateway.use_agents_calls(config.agents_calls.clone());
    gateway.restore_agents(clock.now(), &left.presences);
    gateway.restore_outbound(talks::outside_this_month(&config, clock.now().wall)?);
    gateway.restore_talks(clock.now(), talks::since_yesterday(&config, &plans, clock.now().wall)?);
    let shared = Shared::new(&ledger.ledger());
    let tls = open_tls(&config, clock)?;
    let house = House {
        config: &config,
        clock,
        metrics: &metrics,
        plans: &in_force,
        ledger: ledger.ledger(),
        mailbox: &mailbox,
        door,
        tls: tls.clone(),
        retention: Arc::new(Mutex::new(config.recordings.retention.clone())),
        unheard: left.unheard,
    };
    let (wires, receivers) = house.wire(sockets, &shared, observer)?;
    let desk = house.open_http(http, (&wires.questions, wires.disk.gauge()), &shared, &plans)?;
    let pulse = Pulse { mailbox: mailbox.clone(), occupancy: Arc::clone(&shared.occupancy) };
    let keeping = house.keeping(pulse, wires.disk.gauge())?;
    let switch = start_switch(gateway, inbox, wires)?;
    metrics.counters().config_in_force(clock.now().wall);
    inspecting::publish(&config, clock.now().wall)?;
    inspecting::tend_from_now_on(&config, &plans, clock);
    backlog::show_from_now_on(&config.data_directory, &in_force, &metrics, clock);
    Ok(Running {
        addresses,
        mailbox,
        switch,
        receivers,
        stop: shared.stop,
        draining: shared.draining,
        occupancy: shared.occupancy,
        ledger,
        metrics,
        plans: in_force,
        config,
        clock,
        tls,
        desk,
        keeping,
        _lock: lock,
    })
}

fn now_in_force(plans: &InForce) -> Arc<Plans> {
    Arc::clone(&plans.lock().unwrap_or_else(PoisonError::into_inner))
}

fn open_tls(config: &Config, clock: RunClock) -> Result<Option<Arc<Tls>>> {
    let Some(files) = config.sip.tls.clone() else { return Ok(None) };
    match Tls::open(files, clock) {
        Ok(tls) => Ok(Some(Arc::new(tls))),
        Err(problems) => bail!(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    }
}

fn start_switch(gateway: Gateway, inbox: Inbox, wires: Wires) -> Result<JoinHandle<Wires>> {
    driver::run(gateway, inbox, wires).context("cannot start the switch's thread")
}

impl Running {
    /// Takes no new calls from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.mailbox.event(Input::Drain);
    }

    /// How long live calls may go on after [`Running::drain`].
    pub fn drain_time(&self) -> Duration {
        self.config.drain
    }

    /// Every call that there was has ended and is sealed, and none will come any more.
    pub fn is_drained(&self) -> bool {
        self.occupancy.draining.load(Ordering::Acquire) && self.live_calls() == 0
    }

    /// SIP sessions that still have something to say (a BYE without an answer).
    pub fn sessions(&self) -> usize {
        self.occupancy.sessions.load(Ordering::Relaxed)
    }

    /// A registrar has not yet answered that we are gone.
    pub fn is_leaving(&self) -> bool {
        self.occupancy.leaving.load(Ordering::Relaxed)
    }

    /// The next command that asks for a reload; it is told whether the new configuration was taken.
    pub async fn reload_asked(&mut self) -> Option<Reloaded> {
        self.keeping.reloads.recv().await
    }

    /// How to see that the switch is at work.
    pub fn pulse(&self) -> Pulse {
        Pulse { mailbox: self.mailbox.clone(), occupancy: Arc::clone(&self.occupancy) }
    }

    /// Ends every call that is still up.
    pub fn hang_up_all(&self) {
        self.mailbox.event(Input::Shutdown);
    }

    /// Calls that have not ended, or whose recording is not closed.
    pub fn live_calls(&self) -> usize {
        self.occupancy.calls.load(Ordering::Acquire)
    }

    /// The metrics as they stand, in Prometheus' text format.
    pub fn metrics_text(&self) -> Result<String> {
        Ok(self.metrics.encode()?)
    }

    /// Reads the certificates' files again; live connections keep theirs. With a fault everything stays as it was.
    pub fn reload_certificates(&self) -> Result<(), Vec<tls::Problem>> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
    }

    /// Waits until everything said so far is on disk.
    pub fn flush(&self) -> bool {
        self.ledger.ledger().flush(Duration::from_secs(10))
    }

    /// Reads no more SIP: calls that are still up end without their peers.
    pub fn stop_listening(&mut self) {
        self.stop.store(true, Ordering::Release);
        for receiver in self.receivers.drain(..) {
            let _ = receiver.join();
        }
    }

    /// Stops the threads in order; facts that could not be written within the ledger's patience are an error.
    pub fn stop(mut self) -> Result<()> {
        self.stop_listening();
        self.mailbox.stop();
        let Ok(wires) = self.switch.join() else { bail!("the switch's thread panicked") };
        drop(wires.media);
        drop(wires.recorder);
        drop(wires.listener);
        match self.ledger.stop() {
            Ok(()) => Ok(()),
            Err(left) => bail!("{} facts could not be written to the ledger", left.facts.len()),
        }
    }
}

/// Whether the switch's thread makes progress.
#[derive(Clone)]
pub struct Pulse {
    mailbox: Mailbox,
    occupancy: Arc<Occupancy>,
}

impl Pulse {
    /// Rounds of the switch's thread so far.
    pub fn rounds(&self) -> u64 {
        self.occupancy.rounds.load(Ordering::Acquire)
    }

    /// Asks for a round: a switch that has nothing to do sleeps.
    pub fn nudge(&self) {
        self.mailbox.event(Input::Timeout);
    }

    /// Calls that have not ended, or whose recording is not closed.
    pub fn live_calls(&self) -> usize {
        self.occupancy.calls.load(Ordering::Acquire)
    }

    pub fn is_draining(&self) -> bool {
        self.occupancy.draining.load(Ordering::Acquire)
    }
}

/// What threads tell each other beside the mailbox.
struct Shared {
    stop: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
    occupancy: Arc<Occupancy>,
    readiness: web::Readiness,
}

impl Shared {
    fn new(ledger: &Ledger) -> Shared {
        let draining = Arc::new(AtomicBool::new(false));
        let (drains, ledger) = (Arc::clone(&draining), ledger.clone());
        let readiness: web::Readiness = Arc::new(move || {
            let mut why = Vec::new();
            if drains.load(Ordering::Acquire) {
                why.push("draining");
            }
            if ledger.room() == Room::Full {
                why.push("the ledger's queue is full");
            }
            if ledger.is_failing() {
                why.push("the database cannot be written");
            }
            why
        });
        Shared { stop: Arc::new(AtomicBool::new(false)), draining, occupancy: Arc::default(), readiness }
    }
}

/// What the threads are built from.
struct House<'a> {
    config: &'a Config,
    clock: RunClock,
    metrics: &'a Arc<Metrics>,
    plans: &'a InForce,
    ledger: Ledger,
    mailbox: &'a Mailbox,
    door: Arc<Door>,
    tls: Option<Arc<Tls>>,
    /// In force; a reload changes it.
    retention: Arc<Mutex<Retention>>,
    /// Calls of the last run.
    unheard: Vec<Unheard>,
}

impl House<'_> {
    fn wire(
        &self,
        sockets: Sockets,
        shared: &Shared,
        observer: Option<Observer>,
    ) -> Result<(Wires, Vec<JoinHandle<()>>)> {
        let runtime = tokio::runtime::Handle::current();
        let counters = self.metrics.counters();
        let refusals = Refusals::new(counters.clone());
        let disk = self.watch()?;
        let listener = self.listener()?;
        let recorder = self.recorder(&counters, disk.gauge(), &listener)?;
        let media = self.media(&recorder)?;
        let reception = Reception {
            clock: self.clock,
            mailbox: self.mailbox.clone(),
            door: Arc::clone(&self.door),
            counters: counters.clone(),
            refusals: refusals.clone(),
            stop: Arc::clone(&shared.stop),
        };
        let tcp = Tcp::new(runtime.clone(), reception.clone(), self.tls.clone(), descriptors::raise());
        for (listener, transport, local) in sockets.tcp {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tcp.listen(listener, transport, local);
        }
        tcp.watch_certificates();
        let questions = Questions::default();
        let http = tokio::net::TcpListener::from_std(sockets.metrics)?;
        let refresh = self.refresh(&shared.occupancy, disk.gauge());
        let router = web::operations(Arc::clone(self.metrics), Arc::clone(&shared.readiness), refresh);
        runtime.spawn(web::serve(http, router));
        let resolver = Resolver::new(runtime, self.mailbox.clone(), &self.config.dns_servers);
        let mut receivers = Vec::new();
        for udp in &sockets.udp {
            receivers.push(udp.receive(reception.clone())?);
        }
        let wires = Wires {
            clock: self.clock,
            udp: sockets.udp,
            tcp,
            resolver,
            media,
            recorder,
            listener,
            disk,
            refuse_at_full: self.config.recordings.at_full == AtFull::Refuse,
            data_directory: self.config.data_directory.clone(),
            ledger: self.ledger.clone(),
            call_metrics: self.metrics.calls(),
            counters,
            refusals,
            observer,
            door: Arc::clone(&self.door),
            occupancy: Arc::clone(&shared.occupancy),
            keeper: self.keeper()?,
            questions,
        };
        Ok((wires, receivers))
    }

    /// What gauges show is looked up when they are read.
    fn refresh(&self, occupancy: &Arc<Occupancy>, disk: Gauge) -> Arc<dyn Fn() + Send + Sync> {
        let (ledger, counters, occupancy) = (self.ledger.clone(), self.metrics.counters(), Arc::clone(occupancy));
        let (plans, mailbox, clock) = (Arc::clone(self.plans), self.mailbox.clone(), self.clock);
        Arc::new(move || {
            counters.ledger_backlog(ledger.backlog());
            occupancy.tell(&counters);
            counters.event_queue(mailbox.waiting());
            let Usage { used, all } = disk.usage();
            counters.storage(all.saturating_sub(used), all);
            let now = clock.now().wall;
            for hotline in &now_in_force(&plans).hotlines {
                counters.open(&hotline.id, hotline.reception.shut(now).is_none());
            }
        })
    }

    fn keeper(&self) -> Result<Option<Keeper>> {
        let registers = self.config.agents.iter().any(|agent| agent.secrets.is_some());
        let start = || Keeper::start(&self.config.data_directory).context("cannot start the thread of registrations");
        registers.then(start).transpose()
    }

    fn listener(&self) -> Result<Listener> {
        let (mailbox, ledger) = (self.mailbox.clone(), self.ledger.clone());
        let mut late: BTreeMap<CallId, Unheard> = self.unheard.iter().map(|unheard| (unheard.call, *unheard)).collect();
        let listened = move |call, listened| match late.remove(&call) {
            None => mailbox.event(Input::Listened { call, listened }),
            Some(unheard) => tell_late(&ledger, unheard.heard(listened)),
        };
        let listener = Listener::start(self.config.data_directory.clone(), vault(self.config), listened)
            .context("cannot start the listener's threads")?;
        if let Some(orders) = listener.orders() {
            // What finds no place in the queue is heard after the next start.
            self.unheard.iter().for_each(|unheard| _ = orders.listen(unheard.call));
        }
        Ok(listener)
    }

    fn recorder(&self, counters: &Counters, gauge: Gauge, listener: &Listener) -> Result<Recorder> {
        let (mailbox, counters, orders) = (self.mailbox.clone(), counters.clone(), listener.orders());
        Recorder::start(gauge, vault(self.config), move |closed| {
            let has_file = matches!(closed.status, RecordingStatus::Ok | RecordingStatus::Partial);
            // The listener answers only when it has read of the closed recording.
            if has_file && orders.as_ref().is_some_and(|orders| orders.listen(closed.call)) {
                mailbox.event(Input::Listening(closed.call));
            }
            counters.recording_bytes(closed.bytes);
            counters.recording_clipped(closed.clipped);
            mailbox.event(Input::Recording(RecordingClosed {
                call: closed.call,
                status: closed.status,
                reason: closed.reason.map(str::to_owned),
                duration_ms: closed.duration_ms,
                sha256: closed.sha256,
                parts: closed.parts,
            }));
        })
        .context("cannot start the recorder's thread")
    }

    fn media(&self, recorder: &Recorder) -> Result<MediaThreads> {
        let mailbox = self.mailbox.clone();
        let report: crate::io::rtp::Report = Arc::new(move |event| mailbox.event(Input::Media(event)));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let sink = || {
            let sink = CountedSink { sink: recorder.sink(), counters: self.metrics.counters() };
            Box::new(sink) as Box<dyn media::BlockSink>
        };
        MediaThreads::start(threads, self.clock, sink, &report).context("cannot start the media threads")
    }
}

/// Recovery's last word on a call: no switch knows it any more.
fn tell_late(ledger: &Ledger, fact: Fact) {
    let call = fact.call;
    if ledger.append(Batch { facts: vec![fact], ..Batch::default() }).is_err() {
        tracing::warn!(%call, "what was heard in a recording of the last run could not be kept; the next start hears it again");
    }
}

/// The way to the recorder, with what it has no room for counted.
struct CountedSink {
    sink: disk::DiskSink,
    counters: Counters,
}

impl media::BlockSink for CountedSink {
    fn block(&mut self, block: media::Block) -> Result<(), media::Block> {
        self.sink.block(block).inspect_err(|_| self.counters.recording_blocks_dropped(1))
    }

    fn end(&mut self, call: CallId, total_frames: u64) {
        self.sink.end(call, total_frames);
    }

    fn forget(&mut self, call: CallId) {
        self.sink.forget(call);
    }
}

/// Every socket, bound before anything is started.
struct Sockets {
    udp: Vec<Arc<Udp>>,
    tcp: Vec<(std::net::TcpListener, Transport, SocketAddr)>,
    metrics: std::net::TcpListener,
    /// `None`: there is neither console nor API.
    http: Option<std::net::TcpListener>,
}

impl Sockets {
    fn bind(config: &Config) -> Result<Sockets> {
        let (mut udp, mut tcp) = (Vec::new(), Vec::new());
        for listen in &config.sip.listen {
            let at = || format!("cannot listen on {listen}");
            match listen.transport {
                Transport::Udp => udp.push(Arc::new(Udp::bind(listen.address).with_context(at)?)),
                Transport::Tcp | Transport::Tls => {
                    let listener = tcp::bind(listen.address).with_context(at)?;
                    let local = listener.local_addr()?;
                    tcp.push((listener, listen.transport, local));
                }
            }
        }
        let address = config.metrics_listen;
        let metrics = tcp::bind(address).with_context(|| format!("cannot listen on {address} for metrics"))?;
        Ok(Sockets { udp, tcp, metrics, http: console::bind(config)? })
    }

    fn addresses(&self, config: &Config) -> Result<Addresses> {
        let udp = self.udp.iter().map(|u| (Transport::Udp, u.local()));
        let sip = udp.chain(self.tcp.iter().map(|(_, transport, local)| (*transport, *local))).collect();
        let http = self.http.as_ref().map(std::net::TcpListener::local_addr).transpose()?;
        let has_api = http.is_some() && config.api_token.is_some();
        Ok(Addresses { sip, metrics: self.metrics.local_addr()?, http, has_api })
    }
}

/// An operating-system lock: it is gone when the process is, however it ends.
pub fn lock_data(directory: &Path) -> Result<File> {
    // Recordings and numbers are nobody else's business.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let path = directory.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("another hotline runs on the data directory {}", directory.display())
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// For whoever has the directory's lock.
pub fn ledger_writer(directory: &Path) -> Result<Writer> {
    let key = ledger::subject_key(directory).context("cannot read or make subject.key")?;
    Writer::open(directory, key).context("cannot open the ledger")
}

/// How the last run left the agents.
type Presences = Vec<(AgentNo, presence::What)>;

/// What the last run left.
struct Left {
    presences: Presences,
    unheard: Vec<Unheard>,
}

fn open_ledger(config: &Config, clock: RunClock, metrics: &Metrics) -> Result<(ledger::Running, RunId, Left)> {
    let directory = &config.data_directory;
    let mut writer = ledger_writer(directory)?;
    let unheard = recover(&mut writer, directory, &vault(config), metrics)?;
    let presences = writer.presences().context("cannot read the agents' facts")?;
    let presences = presences.into_iter().map(|fact| (fact.agent, fact.what)).collect();
    let run = writer.begin_run(clock.now().wall).context("cannot write the ledger")?;
    let ledger = ledger::start(writer, Bounds::default(), metrics.counters()).context("cannot start the ledger")?;
    Ok((ledger, run, Left { presences, unheard }))
}

/// Closes what a crash cut: recordings first, then the calls they belong to. Those that are still to be heard stay open.
fn recover(writer: &mut Writer, directory: &Path, vault: &Vault, metrics: &Metrics) -> Result<Vec<Unheard>> {
    let clock = RunClock::start();
    let begun = clock.now().mono;
    let mended = disk::repair_all(&directory.join("recordings"), vault);
    let unfinished = writer.unfinished().context("cannot read the ledger")?;
    let mut call_metrics = metrics.calls();
    let (mut closing, mut late) = (Vec::new(), Vec::new());
    for (call, facts) in &unfinished {
        if let Some(unheard) = unheard(facts) {
            late.push(unheard);
            continue;
        }
        let of_call = || mended.iter().filter(|mended| mended.call == *call);
        if facts.iter().any(|fact| matches!(fact.what, What::OptedOut)) {
            of_call().for_each(|mended| disk::discard(mended, vault));
        }
        let path = recording_of(directory, facts).or_else(|| of_call().next().map(|mended| mended.path.clone()));
        let salvage = path.and_then(|path| disk::salvage(&mended, &path, vault));
        let missing = closing_facts(facts, salvage.as_ref());
        if let (true, Some(hotline)) = (is_interruption(&missing), hotline_of(facts)) {
            call_metrics.interrupted(hotline);
        }
        closing.extend(missing);
    }
    writer.append(&closing, &[]).context("cannot write the ledger")?;
    if !unfinished.is_empty() || !mended.is_empty() {
        let took_ms = u64::try_from(clock.now().mono.since(begun).as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(calls = unfinished.len(), recordings = mended.len(), took_ms, "closed what a crash had cut");
    }
    Ok(late)
}

/// What opens sealed recordings, and those that are only in the object store.
pub fn vault(config: &Config) -> Vault {
    let objects = config.recordings.objects.as_ref().map(|objects| Objects::new(objects.store.clone()));
    Vault::new(&config.data_directory, &config.recordings.keys).with_objects(objects)
}

/// The first file of the call's recording.
fn recording_of(directory: &Path, facts: &[Fact]) -> Option<PathBuf> {
    facts.iter().find_map(|f| match &f.what {
        What::RecordingStarted { path } => Some(directory.join(path)),
        _ => None,
    })
}

fn is_interruption(facts: &[Fact]) -> bool {
    facts.iter().any(|f| matches!(f.what, What::Interrupted))
}

fn hotline_of(facts: &[Fact]) -> Option<&HotlineId> {
    facts.iter().find_map(|f| match &f.what {
        What::Offered(offered) => Some(&offered.hotline),
        _ => None,
    })
}

fn label_sets(config: &Config, plans: &Plans) -> LabelSets {
    let trunks = config.trunks.iter().map(|t| t.name.clone());
    let of = |wanted: fn(&gateway::Trunk) -> bool| {
        config.trunks.iter().filter(|t| wanted(t)).map(|t| t.name.clone()).collect()
    };
    let mut sets = LabelSets::from_plans(plans, trunks, config.agents.iter().map(|a| a.number.clone()));
    sets.probed = of(|t| t.options.is_some());
    sets.registering = of(|t| t.registration.is_some());
    sets
}

fn settings(config: &Config, addresses: &Addresses, run: RunId) -> Result<gateway::Settings> {
    let (phones, named_phones) = phones(config)?;
    Ok(gateway::Settings {
        sip: endpoint::Settings {
            listen: addresses.sip.clone(),
            advertise: config.sip.advertise,
            product: format!("hotline/{}", env!("CARGO_PKG_VERSION")),
            session_expires_s: config.sip.session_expires_s,
        },
        rtp_ports: config.rtp_ports.clone(),
        media: config.media.clone(),
        trunks: config.trunks.clone(),
        phones,
        named_phones,
        targets: targets(config),
        run,
    })
}

/// Who may listen to whom, by which PIN.
fn supervisors(config: &Config) -> BTreeMap<AgentNo, Supervisor> {
    config.agents.iter().filter_map(|a| Some((a.number.clone(), a.supervisor.clone()?))).collect()
}

/// The agents who may register.
fn accounts(config: &Config) -> registrar::Settings {
    let accounts = config.agents.iter().filter_map(|a| Some((a.number.clone(), a.secrets.clone()?))).collect();
    registrar::Settings { realm: config.sip.realm.clone(), algorithms: config.sip.digest.clone(), accounts }
}

/// What a contact says of where the phone is.
enum Reached {
    At(gateway::Phone),
    ByName(gateway::NamedPhone),
}

fn targets(config: &Config) -> Vec<gateway::CallTarget> {
    let target = |t: &config::TargetSettings| gateway::CallTarget {
        name: t.name.as_str().into(),
        trunk: t.trunk.clone(),
        number: t.number.clone(),
        keys: t.send_digits.clone().into(),
    };
    config.targets.iter().map(target).collect()
}

/// Those at an address, and those whose contact names a host.
fn phones(config: &Config) -> Result<(Vec<gateway::Phone>, Vec<gateway::NamedPhone>)> {
    let (mut phones, mut named_phones) = (Vec::new(), Vec::new());
    for agent in &config.agents {
        match phone(agent)? {
            Some(Reached::At(phone)) => phones.push(phone),
            Some(Reached::ByName(phone)) => named_phones.push(phone),
            None => {}
        }
    }
    Ok((phones, named_phones))
}

/// The phone of an agent with a fixed contact.
fn phone(agent: &config::AgentSettings) -> Result<Option<Reached>> {
    let Some(contact) = &agent.contact else { return Ok(None) };
    let uri = Uri::parse(contact).with_context(|| format!("agent {}: {contact} is no SIP URI", agent.number))?;
    let agent = agent.number.clone();
    let Some(address) = uri.socket_addr() else {
        let destination = Destination::of(&uri).with_context(|| format!("agent {agent}: {contact} leads nowhere"))?;
        return Ok(Some(Reached::ByName(gateway::NamedPhone { agent, uri, destination })));
    };
    let transport = Transport::asked_by(&uri).unwrap_or(Transport::Udp);
    Ok(Some(Reached::At(gateway::Phone { agent, uri, transport, address })))
}

fn os_seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| anyhow::anyhow!("no randomness from the operating system: {e}"))?;
    Ok(seed)
}
