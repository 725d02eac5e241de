//! `hotline serve`: start, say where it listens, wait for a signal, drain, stop.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{self, Addresses, Running};
use crate::config::Loaded;

/// How long live calls may go on after the first signal; a second signal ends them at once.
const GRACE: Duration = Duration::from_secs(30);

/// How long ended calls may take to be sealed.
const SEALING: Duration = Duration::from_secs(5);

pub(super) fn serve(loaded: Loaded) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let running = app::start(loaded, None)?;
        announce(&running.addresses)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!(live = running.live_calls(), "draining: no new calls");
        running.drain();
        tokio::select! {
            () = ended(&running, GRACE) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop(running).await
    })
}

/// Ends what is still up, waits until it is sealed, and closes everything in order.
pub(super) async fn stop(running: Running) -> Result<()> {
    if running.live_calls() > 0 {
        running.hang_up_all();
        ended(&running, SEALING).await;
    }
    tokio::task::spawn_blocking(|| running.stop()).await?
}

/// Every address, then a line that is exactly `ready`.
fn announce(addresses: &Addresses) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for (transport, address) in &addresses.sip {
        writeln!(out, "sip {}:{address}", transport.word())?;
    }
    writeln!(out, "metrics http://{}/metrics", addresses.metrics)?;
    writeln!(out, "ready")?;
    out.flush()?;
    Ok(())
}

/// Waits until every call is sealed, at most so long.
pub(super) async fn ended(running: &Running, most: Duration) {
    let all = async {
        while running.live_calls() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(most, all).await;
}
