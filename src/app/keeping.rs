//! Recordings in a running gateway: the control socket, the disk's watch, and who carries out what people and retention say.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::mpsc;

use super::{House, Pulse, inspecting, ledger_writer, lock_data, recover, vault};
use crate::config::Config;
use crate::io::clock::RunClock;
use crate::io::control::{Answer, Control, Request};
use crate::io::custody::{Custodian, Order};
use crate::io::space::{Duties, Gauge, Level, Mounted, Usage, Watch};
use crate::io::vault::Vault;
use crate::metrics::{LabelSets, Metrics};
use crate::qa::draw::policy::Policy;
use crate::report::callbacks;
use crate::store::callbacks::CallbackList;
use crate::store::qa::By;
use crate::store::{self, People, Retention, StoreError, people};

/// A reload must be answered within this time; reading prompts takes a moment.
const RELOAD: Duration = Duration::from_secs(60);

/// How a reload that a command asked for went.
pub type Reloaded = std::sync::mpsc::Sender<bool>;

/// What recordings need in a gateway that is up.
pub(super) struct Keeping {
    pub(super) retention: Arc<Mutex<Retention>>,
    /// Commands that ask for a reload.
    pub(super) reloads: mpsc::Receiver<Reloaded>,
    _control: Control,
}

impl House<'_> {
    /// The watch of the disk that recordings lie on.
    pub(super) fn watch(&self) -> Result<Watch> {
        let recordings = self.config.data_directory.join("recordings");
        fs::create_dir_all(&recordings).with_context(|| format!("cannot create {}", recordings.display()))?;
        let counters = self.metrics.counters();
        let (data, retention, clock) = (self.config.data_directory.clone(), Arc::clone(&self.retention), self.clock);
        let vault = vault(self.config);
        let make_room = move |enough: &mut dyn FnMut() -> bool| {
            let kept = retention.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let made = Custodian::open(&data, kept, vault.clone())
                .and_then(|mut custodian| custodian.make_room(clock.now().wall, enough));
            made.inspect_err(|error| tracing::error!(%error, "no room could be made on the disk")).unwrap_or(0)
        };
        counters.disk_level(Level::Fine as i64);
        let told = move |level: Level, usage: Usage| {
            counters.disk_level(level as i64);
            tell(level, usage);
        };
        let duties = Duties { told: Box::new(told), make_room: Box::new(make_room) };
        Watch::start(&recordings, Mounted(recordings.clone()), duties).context("cannot watch the disk")
    }
}

impl House<'_> {
    /// Listens for commands. To be called once the database is there.
    pub(super) fn keeping(&self, pulse: Pulse, disk: Gauge) -> Result<Keeping> {
        let (ask, reloads) = mpsc::channel(1);
        let data = self.config.data_directory.clone();
        let (retention, clock, vault) = (Arc::clone(&self.retention), self.clock, vault(self.config));
        let policy = self.config.inspection.policy.clone();
        let desk = Desk { data: data.clone(), vault, policy, retention, clock, pulse, disk, ask };
        let control = Control::listen(&data, Box::new(move |request| desk.answer(&request)));
        let control = control.with_context(|| format!("cannot listen on {}/control.sock", data.display()))?;
        Ok(Keeping { retention: Arc::clone(&self.retention), reloads, _control: control })
    }
}

/// What commands ask of a running server.
struct Desk {
    data: PathBuf,
    vault: Vault,
    /// Of months that no seed was committed for yet.
    policy: Policy,
    retention: Arc<Mutex<Retention>>,
    clock: RunClock,
    pulse: Pulse,
    disk: Gauge,
    ask: mpsc::Sender<Reloaded>,
}

impl Desk {
    fn answer(&self, request: &Request) -> Answer {
        match request {
            Request::Status => Answer::Done(vec![self.status()]),
            Request::Reload => self.reload(),
            Request::People { order, by } => self.people(order, by),
            Request::Qa { order, places, by } => {
                let by = By { who: by, at: self.clock.now().wall };
                let done = inspecting::carry_out(&self.data, places, &self.policy, order, by);
                done.map_or_else(|error| Answer::Failed(format!("{error:#}")), Answer::Done)
            }
            Request::Callbacks { order, by } => {
                let by = By { who: by, at: self.clock.now().wall };
                let done = CallbackList::open(&self.data).and_then(|mut list| in_json(&list.carry_out(order, by)?));
                done.map_or_else(|error| Answer::Failed(error.to_string()), Answer::Done)
            }
            Request::Recordings(order) => {
                let kept = self.retention.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let done = Custodian::open(&self.data, kept, self.vault.clone())
                    .and_then(|mut custodian| custodian.carry_out(order, self.clock.now().wall));
                done.map_or_else(|error| Answer::Failed(error.to_string()), Answer::Done)
            }
        }
    }

    fn people(&self, order: &people::Order, by: &str) -> Answer {
        let done = People::open(&self.data).and_then(|mut people| people.carry_out(order, by, self.clock.now().wall));
        done.map_or_else(|error| Answer::Failed(error.to_string()), Answer::Done)
    }

    fn status(&self) -> String {
        let doing = if self.pulse.is_draining() { "draining" } else { "taking calls" };
        let status = serde_json::json!({
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
            "doing": doing,
            "calls": self.pulse.live_calls(),
            "disk": self.disk.level().word(),
        });
        status.to_string()
    }

    fn reload(&self) -> Answer {
        let (tell, told) = std::sync::mpsc::channel();
        if self.ask.try_send(tell).is_err() {
            return Answer::Failed("another reload is not over yet, or the gateway is being stopped".to_owned());
        }
        match told.recv_timeout(RELOAD) {
            Ok(true) => Answer::Done(vec!["the new configuration is in force".to_owned()]),
            Ok(false) => Answer::Failed("the new configuration has faults, see the log; the old one stays".to_owned()),
            Err(_) => Answer::Failed("no answer to the reload: the gateway is being stopped".to_owned()),
        }
    }
}

fn tell(level: Level, usage: Usage) {
    let Usage { used, all } = usage;
    match level {
        Level::Fine => tracing::info!(used, all, "the disk of the recordings has room again"),
        Level::Low => tracing::warn!(used, all, "the disk of the recordings is 90 % full"),
        Level::Tight => {
            tracing::error!(used, all, "the disk of the recordings is 95 % full, and nothing on it may be deleted")
        }
        Level::Full => {
            tracing::error!(used, all, "the disk of the recordings takes no more: new calls are not recorded")
        }
    }
}

/// Carries an order out while no server runs: the directory's lock is ours meanwhile. A repair first closes what a crash cut, as a
/// start would.
pub fn carry_out_alone(config: &Config, order: &Order) -> Result<Vec<String>> {
    let data = &config.data_directory;
    let _lock = lock_data(data)?;
    let mut writer = ledger_writer(data)?;
    if *order == Order::Repair {
        let metrics = Metrics::new(LabelSets::default()).context("metrics")?;
        recover(&mut writer, data, &vault(config), &metrics)?;
    }
    drop(writer);
    let mut custodian = Custodian::open(data, config.recordings.retention.clone(), vault(config))?;
    Ok(custodian.carry_out(order, RunClock::start().now().wall)?)
}

fn in_json(row: &callbacks::Row) -> Result<Vec<String>, StoreError> {
    Ok(vec![serde_json::to_string(row)?])
}

/// The same for an order about callers who are owed a call.
pub fn callbacks_alone(config: &Config, order: &store::callbacks::Order, by: &str) -> Result<Vec<String>> {
    let data = &config.data_directory;
    let _lock = lock_data(data)?;
    drop(ledger_writer(data)?);
    let by = By { who: by, at: RunClock::start().now().wall };
    Ok(in_json(&CallbackList::open(data)?.carry_out(order, by)?)?)
}

/// The same for an order about people.
pub fn people_alone(config: &Config, order: &people::Order, by: &str) -> Result<Vec<String>> {
    let data = &config.data_directory;
    let _lock = lock_data(data)?;
    drop(ledger_writer(data)?);
    Ok(People::open(data)?.carry_out(order, by, RunClock::start().now().wall)?)
}
