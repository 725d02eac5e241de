//! The listener: threads that hear recordings once they are closed, a recording at a time each, far from the media threads.
//!
//! One second of a call costs them about as much as carrying it did, so there are as many of them as cores: they work when nobody else does.
//!
//! It hears the file, not the call: what it says can be computed again by anybody who has the recording and the facts. The file's
//! right channel is mixed, so the times of prompts are left out of what is said of the agent ([`crate::cdr::scene`]).

use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::sound_file::{SoundError, SoundFile};
use super::vault::Vault;
use crate::call::fact::{Fact, What};
use crate::call::leg::Listened;
use crate::cdr;
use crate::ids::CallId;
use crate::media::record::path::numbered;
use crate::quality::speech::{Ear, Listening, Scene, listen};
use crate::store::Reader;

/// Calls that may wait. Beyond it a call is sealed without being heard.
const MOST_WAITING: usize = 10_000;
/// The facts of a call are on disk 100 ms after they are said; so often, and so long, are they looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: u32 = 100;
/// Two channels of 16 bits.
const FRAME_BYTES: u64 = 4;
/// Octets heard before whoever waits for the core gets it: an eighth of a second of narrow band, some 0.2 ms of work.
const IN_A_ROW: usize = 4_000;

/// The threads. When it is dropped they end after the calls that they are at.
#[derive(Debug)]
pub struct Listener {
    orders: Option<SyncSender<CallId>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Where calls are ordered to be heard.
#[derive(Debug, Clone)]
pub struct Orders(SyncSender<CallId>);

/// What the threads share.
struct Desk<F> {
    directory: PathBuf,
    vault: Vault,
    inbox: Mutex<Receiver<CallId>>,
    stop: Arc<AtomicBool>,
    listened: Mutex<F>,
}

impl Listener {
    /// `listened` is called on one of its threads at a time, once for each order that was taken.
    /// `vault`: for recordings that are sealed.
    pub fn start(
        directory: PathBuf,
        vault: Vault,
        listened: impl FnMut(CallId, Listened) + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, inbox) = mpsc::sync_channel(MOST_WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let (inbox, listened) = (Mutex::new(inbox), Mutex::new(listened));
        let desk = Arc::new(Desk { directory, vault, inbox, stop: Arc::clone(&stop), listened });
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = (0..cores).map(|_| {
            let desk = Arc::clone(&desk);
            thread::Builder::new().name("listener".into()).spawn(move || desk.work())
        });
        Ok(Listener { orders: Some(orders), stop, threads: threads.collect::<io::Result<_>>()? })
    }

    /// `None` once it is being stopped.
    pub fn orders(&self) -> Option<Orders> {
        self.orders.clone().map(Orders)
    }
}

impl Orders {
    /// Whether the call will be heard.
    pub fn listen(&self, call: CallId) -> bool {
        let taken = self.0.try_send(call).is_ok();
        if !taken {
            tracing::warn!(%call, "not listened to: too many recordings wait");
        }
        taken
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.orders = None;
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a listener's thread panicked");
            }
        }
    }
}

impl<F: FnMut(CallId, Listened)> Desk<F> {
    fn work(&self) {
        super::priority::last();
        let mut reader = None;
        while let Some(call) = self.next() {
            let result = heard((&self.directory, &self.vault), &mut reader, call, &self.stop);
            if self.stop.load(Ordering::Acquire) && result.is_err() {
                // Nothing is wrong with it: whoever starts next hears it.
                break;
            }
            if let Err(reason) = &result {
                tracing::warn!(%call, reason, "a recording was not listened to");
            }
            held(&self.listened)(call, result);
        }
    }

    /// Waits for an order; `None` when there will be none. Whoever holds the inbox waits for all.
    fn next(&self) -> Option<CallId> {
        let call = held(&self.inbox).recv().ok()?;
        (!self.stop.load(Ordering::Acquire)).then_some(call)
    }
}

/// What a thread left that panicked is whole: nothing is half done while it is held.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn heard(
    (directory, vault): (&Path, &Vault),
    reader: &mut Option<Reader>,
    call: CallId,
    stop: &AtomicBool,
) -> Listened {
    let facts = facts(directory, reader, call, stop).ok_or("no_facts")?;
    let scene = cdr::scene(&facts).ok_or("no_facts")?;
    let files = files(directory, &facts).ok_or("no_facts")?;
    hear(&files, vault, &scene).map(Box::new).map_err(|error| {
        tracing::warn!(%call, %error, "a recording cannot be read");
        "unreadable"
    })
}

/// Of a closed recording, in order, by their names as plain files.
fn files(directory: &Path, facts: &[Fact]) -> Option<Vec<PathBuf>> {
    let first = facts.iter().find_map(|fact| match &fact.what {
        What::RecordingStarted { path } => Some(directory.join(path)),
        _ => None,
    })?;
    let parts = facts.iter().find_map(|fact| match &fact.what {
        What::RecordingClosed { parts, .. } => u32::try_from(parts.len()).ok(),
        _ => None,
    })?;
    Some(if parts == 0 { vec![first] } else { (1..=parts).map(|number| numbered(&first, number)).collect() })
}

/// The facts of a call whose recording is closed.
fn facts(directory: &Path, reader: &mut Option<Reader>, call: CallId, stop: &AtomicBool) -> Option<Vec<Fact>> {
    for _ in 0..LOOKS {
        if reader.is_none() {
            *reader = Reader::open(directory).ok();
        }
        let found = reader.as_ref().and_then(|reader| reader.call(call).ok()).flatten();
        let closed = |facts: &[Fact]| facts.iter().any(|fact| matches!(fact.what, What::RecordingClosed { .. }));
        match found {
            Some(found) if closed(&found.facts) => return Some(found.facts),
            _ if stop.load(Ordering::Acquire) => return None,
            _ => thread::park_timeout(LOOK_EVERY),
        }
    }
    None
}

/// Both channels of a recording of ours, its files one behind the other.
fn hear(files: &[PathBuf], vault: &Vault, scene: &Scene) -> Result<Listening, SoundError> {
    let mut ears: Option<(u32, [Ear; 2])> = None;
    for path in files {
        let mut sound = SoundFile::open(path, vault)?;
        let rate_hz = sound.rate_hz;
        if !matches!(rate_hz, 8_000 | 16_000) {
            return Err(odd(format!("{rate_hz} Hz")).into());
        }
        let (first_hz, ears) = ears.get_or_insert_with(|| (rate_hz, [Ear::new(rate_hz), Ear::new(rate_hz)]));
        if *first_hz != rate_hz {
            return Err(odd(format!("{rate_hz} Hz after {first_hz} Hz")).into());
        }
        let (whole, mut cut) = (sound.octets - sound.octets % FRAME_BYTES, Vec::new());
        sound.read(0..whole, &mut |octets| {
            // A piece may end within a frame.
            cut.extend_from_slice(octets);
            let frames = cut.len() - cut.len() % FRAME_BYTES as usize;
            for some in cut[..frames].chunks(IN_A_ROW) {
                for (side, ear) in ears.iter_mut().enumerate() {
                    ear.hear(&channel(some, side));
                }
                super::priority::give_way();
            }
            cut.drain(..frames);
        })?;
    }
    let (_, ears) = ears.ok_or_else(|| odd("no file".to_owned()))?;
    let [caller, agent] = ears.map(Ear::finish);
    Ok(listen(&caller, Some(&agent), scene))
}

/// Samples of one of the two: 16 bits, least octet first.
fn channel(frames: &[u8], side: usize) -> Vec<i16> {
    frames.chunks_exact(4).map(|frame| i16::from_le_bytes([frame[2 * side], frame[2 * side + 1]])).collect()
}

fn odd(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
#[path = "listening_tests.rs"]
mod tests;
