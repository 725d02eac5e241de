//! The listener: a thread that hears recordings once they are closed, one after another, far from the media threads.
//!
//! It hears the file, not the call: what it says can be computed again by anybody who has the recording and the facts. The file's
//! right channel is mixed, so the times of prompts are left out of what is said of the agent ([`crate::cdr::scene`]).

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::call::fact::{Fact, What};
use crate::call::leg::Listened;
use crate::cdr;
use crate::ids::CallId;
use crate::media::sound_file::{SoundError, SoundFile};
use crate::quality::speech::{Ear, Listening, Scene, listen};
use crate::store::Reader;

/// Calls that may wait. Beyond it a call is sealed without being heard.
const MOST_WAITING: usize = 10_000;
/// The facts of a call are on disk 100 ms after they are said; so often, and so long, are they looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: u32 = 100;

/// The thread. When it is dropped it ends after the call that it is at.
#[derive(Debug)]
pub struct Listener {
    orders: Option<SyncSender<CallId>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Where calls are ordered to be heard.
#[derive(Debug, Clone)]
pub struct Orders(SyncSender<CallId>);

impl Listener {
    /// `listened` is called on its thread, once for each order that was taken.
    pub fn start(directory: PathBuf, listened: impl FnMut(CallId, Listened) + Send + 'static) -> io::Result<Self> {
        let (orders, inbox) = mpsc::sync_channel(MOST_WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("listener".into())
            .spawn(move || run(&directory, &inbox, &stopped, listened))?;
        Ok(Listener { orders: Some(orders), stop, thread: Some(thread) })
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
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the listener's thread panicked");
            }
        }
    }
}

fn run(
    directory: &Path,
    inbox: &Receiver<CallId>,
    stop: &AtomicBool,
    mut listened: impl FnMut(CallId, Listened) + Send,
) {
    super::priority::behind();
    let mut reader = None;
    while let Ok(call) = inbox.recv() {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let result = heard(directory, &mut reader, call, stop);
        if let Err(reason) = &result {
            tracing::warn!(%call, reason, "a recording was not listened to");
        }
        listened(call, result);
    }
}

fn heard(directory: &Path, reader: &mut Option<Reader>, call: CallId, stop: &AtomicBool) -> Listened {
    let facts = facts(directory, reader, call, stop).ok_or("no_facts")?;
    let path = facts.iter().find_map(|fact| match &fact.what {
        What::RecordingStarted { path } => Some(directory.join(path)),
        _ => None,
    });
    let scene = cdr::scene(&facts).ok_or("no_facts")?;
    let heard = path.map(|path| hear(&path, &scene));
    match heard {
        Some(Ok(listening)) => Ok(Box::new(listening)),
        Some(Err(error)) => {
            tracing::warn!(%call, %error, "a recording cannot be read");
            Err("unreadable")
        }
        None => Err("no_facts"),
    }
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

/// Both channels of a recording of ours.
pub fn hear(path: &Path, scene: &Scene) -> Result<Listening, SoundError> {
    let mut sound = SoundFile::open(BufReader::new(File::open(path)?))?;
    let mut ears = [Ear::new(sound.rate_hz()), Ear::new(sound.rate_hz())];
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        sound.read(&mut left, &mut right)?;
        if left.is_empty() {
            break;
        }
        ears[0].hear(&left);
        ears[1].hear(&right);
    }
    let [caller, agent] = ears.map(Ear::finish);
    Ok(listen(&caller, Some(&agent), scene))
}
