//! `hotline serve`: start, say where it listens, obey signals until the end.
//!
//! SIGHUP (or `hotline reload`) reads configuration and dialplans again. SIGTERM or SIGINT drains: no new calls, live ones go on for `drain_s`; a second
//! one ends them at once; a third no longer waits for anything.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{self, Pulse, Running};
use crate::config::{self, Loaded};
use crate::io::supervisor::{Heartbeat, Supervisor};
use crate::limits;

/// How long ended calls may take to be sealed: as long as a call itself waits for its file.
const SEALING: Duration = limits::RECORDING_CLOSE.saturating_add(Duration::from_secs(1));

/// How long a peer may take to answer our last BYE; it is repeated after 0.5, 1.5 and 3.5 s (RFC 3261 section 17.1.2.2).
const FAREWELL: Duration = Duration::from_secs(4);

/// How long calls may take to be sealed that were refused in the last moment.
const LAST_CALLS: Duration = Duration::from_secs(2);

const LOOK: Duration = Duration::from_millis(20);

/// `file`: what `--config` names, to be read again.
pub(super) fn serve(file: Option<PathBuf>, loaded: Loaded) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let supervisor = Arc::new(Supervisor::from_environment());
        let mut running = app::start(loaded, None)?;
        announce(&running)?;
        supervisor.ready(TAKING_CALLS);
        let watch = tokio::spawn(watch(Arc::clone(&supervisor), running.pulse()));
        loop {
            let asked = tokio::select! {
                told = signals.next() => match told {
                    Told::Reload => None,
                    Told::Stop => break,
                },
                Some(asked) = running.reload_asked() => Some(asked),
            };
            let taken = reload(&mut running, &supervisor, file.clone()).await;
            if let Some(asked) = asked {
                // A command that has gone away does not hear it.
                let _ = asked.send(taken);
            }
        }
        drain(&running, &supervisor, &mut signals).await;
        let stopped = stop_unless(running, &mut signals).await;
        watch.abort();
        stopped
    })
}

const TAKING_CALLS: &str = "taking calls";

enum Told {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    /// Until we are told to stop; there is no point in a reload any more.
    async fn stop(&mut self) {
        while let Told::Reload = self.next().await {
            tracing::warn!("no reload: the gateway is being stopped");
        }
    }
}

/// Whether the new configuration was taken over.
async fn reload(running: &mut Running, supervisor: &Supervisor, file: Option<PathBuf>) -> bool {
    supervisor.reloading();
    // Prompts are put together: that takes a moment, in which the watch must go on.
    let read = tokio::task::spawn_blocking(move || config::check(file.as_deref())).await;
    let taken = match read {
        Ok(read) => running.reload(read),
        Err(error) => {
            tracing::error!(%error, "a bug in reading the configuration; the old one stays in force");
            false
        }
    };
    let status =
        if taken { TAKING_CALLS } else { "taking calls by the old configuration: the new one has faults, see the log" };
    supervisor.ready(status);
    taken
}

async fn drain(running: &Running, supervisor: &Supervisor, signals: &mut Signals) {
    let (live, most) = (running.live_calls(), running.drain_time());
    tracing::info!(live, seconds = most.as_secs(), "draining: no new calls");
    running.drain();
    supervisor.stopping(most + SEALING + 2 * FAREWELL, &format!("draining: {live} calls go on"));
    tokio::select! {
        () = until(most, || running.is_drained()) => {}
        () = signals.stop() => tracing::info!("told again: calls are ended now"),
    }
}

/// [`stop`], but whoever tells us yet again waits for nothing.
async fn stop_unless(mut running: Running, signals: &mut Signals) -> Result<()> {
    if !running.is_drained() {
        tracing::warn!(live = running.live_calls(), "calls that are still up are ended");
    }
    tokio::select! {
        () = seal(&mut running) => {}
        () = signals.stop() => tracing::warn!("told once more: nothing is waited for"),
    }
    tokio::task::spawn_blocking(|| running.stop()).await?
}

/// Ends what is still up, waits until it is sealed, and closes everything in order.
pub(super) async fn stop(mut running: Running) -> Result<()> {
    seal(&mut running).await;
    tokio::task::spawn_blocking(|| running.stop()).await?
}

/// Ends what is still up; then every call has its record and its file, and every peer has heard of it.
async fn seal(running: &mut Running) {
    running.hang_up_all();
    until(SEALING, || running.is_drained()).await;
    until(FAREWELL, || running.sessions() == 0 && !running.is_leaving()).await;
    // An INVITE that came in the very last moment was refused, and its record is not closed yet.
    running.stop_listening();
    until(LAST_CALLS, || running.is_drained()).await;
}

/// Tells the service manager that the switch is alive, three times in the time after which it would kill us.
async fn watch(supervisor: Arc<Supervisor>, pulse: Pulse) {
    let every = supervisor.watchdog().map_or(Duration::from_secs(5), |watchdog| watchdog / 3);
    let mut heart = Heartbeat::default();
    let mut told = None;
    loop {
        if heart.beat(pulse.rounds()) {
            supervisor.alive();
        }
        pulse.nudge();
        let state = (pulse.is_draining(), pulse.live_calls());
        if told.replace(state) != Some(state) {
            let doing = if state.0 { "draining" } else { TAKING_CALLS };
            supervisor.status(&format!("{doing}; {} in progress", state.1));
        }
        tokio::time::sleep(every).await;
    }
}

/// Every address, then a line that is exactly `ready`.
fn announce(running: &Running) -> Result<()> {
    let addresses = &running.addresses;
    let mut out = std::io::stdout().lock();
    for (transport, address) in &addresses.sip {
        writeln!(out, "sip {}:{address}", transport.word())?;
    }
    writeln!(out, "metrics http://{}/metrics", addresses.metrics)?;
    if let Some(http) = addresses.http {
        writeln!(out, "console http://{http}/")?;
        if addresses.has_api {
            writeln!(out, "api http://{http}/api/v1/")?;
        }
        if let Some(link) = running.setup_link()? {
            writeln!(out, "setup http://{http}{link}")?;
        }
    }
    writeln!(out, "ready")?;
    out.flush()?;
    Ok(())
}

/// Waits until no call is live, at most so long.
pub(super) async fn ended(running: &Running, most: Duration) {
    until(most, || running.live_calls() == 0).await;
}

/// Looks again and again until it is so, at most so long.
async fn until(most: Duration, is_so: impl Fn() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let _ = tokio::time::timeout(most, looking).await;
}
