//! Copies closed recordings to the object store, deletes there what is gone on purpose, and lets local copies go.
//!
//! What is to be done stands in the database ([`crate::store::Outbox`]), so nothing is lost by an outage or a restart, however long. While
//! the store cannot be reached one thing is tried at a time, ever less often. A local copy goes only after the object was read back
//! and was, octet by octet, what lies here.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::clock::RunClock;
use super::disk::unlink;
use super::objects::{ObjectError, Objects, Remote};
use super::recording::hex;
use crate::clock::Wall;
use crate::ids::CallId;
use crate::media::record::path;
use crate::store::{Backlog, Kept, ObjectCopy, Outbox, StoreError};

/// How often the outbox is looked into while there is nothing to do.
const LOOK: Duration = Duration::from_secs(2);

/// Waits between tries while the store cannot be reached: doubled from the first to the last.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(300);

/// What failed for a reason of its own is tried again after so long.
const PUT_OFF: Duration = Duration::from_secs(3_600);

/// Things done in one round, before the others have their turn.
const ROUND: usize = 50;

/// How one copy went, for the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upload {
    Stored,
    /// The store, or the way to it.
    Unreachable,
    /// The file, or another object of that name.
    Refused,
}

impl Upload {
    pub fn word(self) -> &'static str {
        match self {
            Upload::Stored => "stored",
            Upload::Unreachable => "unreachable",
            Upload::Refused => "refused",
        }
    }
}

/// Whom the thread tells.
pub struct Ears {
    pub uploaded: Box<dyn FnMut(Upload) + Send>,
    /// How many recordings wait, and when the oldest call of them ended.
    pub backlog: Box<dyn FnMut(u64, Option<Wall>) + Send>,
}

/// The thread. It may be in the middle of a long copy: when this is dropped it is told to stop and not waited for. A copy that is cut
/// is begun anew by whoever comes next.
pub struct Uploads {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Uploads {
    /// `keep_local`: for so long after a call's end its recording stays here too.
    pub fn start(data: &Path, objects: Objects, keep_local: Duration, ears: Ears) -> Result<Uploads, StoreError> {
        let (stop, stopped) = mpsc::channel();
        let mut round = Round::new(data, Outbox::open(data)?, objects, keep_local, ears);
        let clock = RunClock::start();
        let work = move || {
            super::priority::behind();
            loop {
                let wait = round.turn(clock.now().wall);
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("uploads".into()).spawn(work);
        let thread = thread.map_err(|error| StoreError::Refused(format!("cannot start a thread: {error}")))?;
        Ok(Uploads { stop, thread: Some(thread) })
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if self.thread.take_if(|thread| thread.is_finished()).is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the uploads panicked");
        }
    }
}

struct Round<R> {
    data: PathBuf,
    outbox: Outbox,
    remote: R,
    keep_local: Duration,
    ears: Ears,
    /// A store that takes no deletions still takes recordings.
    copying: Patience,
    deleting: Patience,
}

/// With a store that does not do what it is asked for.
#[derive(Debug, Default)]
struct Patience {
    failures: u32,
    /// Nothing is tried before.
    until: Option<Wall>,
}

impl Patience {
    fn lasts(&self, now: Wall) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// The store did what it was asked for.
    fn regained(&mut self) {
        if std::mem::take(self).failures > 0 {
            tracing::info!("the object store does what it is asked for again");
        }
    }

    fn lost(&mut self, now: Wall, error: &str) {
        if self.failures == 0 {
            tracing::warn!(
                error,
                "recordings cannot be copied to, read from or deleted in the object store; this is tried again"
            );
        }
        let wait = FIRST * 2_u32.saturating_pow(self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        self.until = Some(later(now, wait.min(LAST)));
    }
}

/// Why a turn ended early.
enum Trouble {
    /// The store cannot be reached.
    Away(String),
    Database(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Trouble::Database(error)
    }
}

impl<R: Remote> Round<R> {
    fn new(data: &Path, outbox: Outbox, remote: R, keep_local: Duration, ears: Ears) -> Self {
        let (copying, deleting) = (Patience::default(), Patience::default());
        Round { data: data.to_owned(), outbox, remote, keep_local, ears, copying, deleting }
    }

    /// Does what is due; how long to wait for the next turn.
    fn turn(&mut self, now: Wall) -> Duration {
        let mut done = 0;
        if self.copying.lasts(now) {
            let copied = self.copy_due(now).and_then(|copied| Ok(copied + self.let_go(now)?));
            done += settled(copied, &mut self.copying, now);
        }
        if self.deleting.lasts(now) {
            let deleted = self.delete_doomed();
            done += settled(deleted, &mut self.deleting, now);
        }
        self.tell_backlog();
        if done > 0 { Duration::ZERO } else { LOOK }
    }

    fn tell_backlog(&mut self) {
        let Ok(Backlog { recordings, oldest }) = self.outbox.backlog() else { return };
        (self.ears.backlog)(recordings, oldest);
    }

    fn delete_doomed(&mut self) -> Result<usize, Trouble> {
        let doomed = self.outbox.doomed(ROUND)?;
        for key in &doomed {
            self.remote.delete(key).map_err(|error| Trouble::Away(error.to_string()))?;
            self.deleting.regained();
            self.outbox.deleted(key)?;
        }
        Ok(doomed.len())
    }

    fn copy_due(&mut self, now: Wall) -> Result<usize, Trouble> {
        let due = self.outbox.due(now, ROUND)?;
        for row in &due {
            match self.copy(row, now) {
                Ok(()) => {
                    self.copying.regained();
                    (self.ears.uploaded)(Upload::Stored);
                }
                Err(Failed::Away(error)) => {
                    (self.ears.uploaded)(Upload::Unreachable);
                    return Err(Trouble::Away(error));
                }
                Err(Failed::Database(error)) => return Err(error.into()),
                Err(Failed::Own(error)) => {
                    tracing::error!(call = %row.call, error, "a recording cannot be copied to the object store");
                    (self.ears.uploaded)(Upload::Refused);
                    self.outbox.put_off(row.call, &error, later(now, PUT_OFF))?;
                }
            }
        }
        Ok(due.len())
    }

    fn copy(&mut self, row: &Kept, now: Wall) -> Result<(), Failed> {
        let copies = self.copies(row)?;
        if copies.is_empty() || !self.outbox.begin(row.call, &copies)? {
            return Ok(());
        }
        for copy in &copies {
            match self.remote.create(&copy.key, &self.data.join(&copy.key)) {
                // A try that was cut had it whole, or whoever has our name there has the same octets.
                Err(ObjectError::Exists(_)) if self.is_there(copy)? => {}
                done => done?,
            }
            if self.remote.length(&copy.key)? != Some(copy.bytes) {
                return Err(Failed::Own(format!("{} is not as long there as here", copy.key)));
            }
        }
        Ok(self.outbox.stored(row.call, now)?)
    }

    /// The files of a recording, as they lie here.
    fn copies(&self, row: &Kept) -> Result<Vec<ObjectCopy>, Failed> {
        let mut copies = Vec::new();
        for kept in row.files() {
            let plain = self.data.join(&kept.path).exists();
            let name = if plain { kept.path } else { path::sealed(&kept.path) };
            let (bytes, sha256) = hash(&self.data.join(&name))?;
            if plain && kept.sha256.as_ref() != Some(&sha256) {
                return Err(Failed::Own(format!("{} is not what was recorded", name.display())));
            }
            copies.push(ObjectCopy { key: name.to_string_lossy().into_owned(), bytes, sha256 });
        }
        Ok(copies)
    }

    /// Whether the object is, octet by octet, that file.
    fn is_there(&self, copy: &ObjectCopy) -> Result<bool, ObjectError> {
        match self.remote.sha256(&copy.key) {
            Ok(sha256) => Ok(sha256 == copy.sha256),
            Err(ObjectError::Absent(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Local copies whose time is over.
    fn let_go(&mut self, now: Wall) -> Result<usize, Trouble> {
        let kept_us = i64::try_from(self.keep_local.as_micros()).unwrap_or(i64::MAX);
        let over = self.outbox.over(Wall::from_micros(now.as_micros().saturating_sub(kept_us)), ROUND)?;
        for (call, copy) in &over {
            let is_there = self.is_there(copy).map_err(|error| Trouble::Away(error.to_string()))?;
            self.copying.regained();
            if !is_there {
                self.missing(*call, copy, now)?;
                continue;
            }
            if let Err(error) = unlink(&self.data.join(&copy.key)) {
                tracing::warn!(%call, %error, "the local copy of a recording could not be deleted");
            }
            self.outbox.gone_here(&copy.key)?;
        }
        Ok(over.len())
    }

    fn missing(&mut self, call: CallId, copy: &ObjectCopy, now: Wall) -> Result<(), StoreError> {
        let fault = format!("what the object store has as {} is not what was put there", copy.key);
        tracing::error!(%call, fault, "the local copy stays");
        self.outbox.lost(call, &fault, later(now, PUT_OFF))
    }
}

/// How much was done; what went wrong is tried again when patience allows.
fn settled(done: Result<usize, Trouble>, patience: &mut Patience, now: Wall) -> usize {
    match done {
        Ok(done) => return done,
        Err(Trouble::Away(error)) => patience.lost(now, &error),
        Err(Trouble::Database(error)) => patience.lost(now, &error.to_string()),
    }
    0
}

/// Why one recording was not copied.
enum Failed {
    Away(String),
    Own(String),
    Database(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Failed::Database(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Own(error.to_string())
    }
}

impl From<ObjectError> for Failed {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Store(error) => Failed::Away(error),
            own => Failed::Own(own.to_string()),
        }
    }
}

fn later(now: Wall, by: Duration) -> Wall {
    Wall::from_micros(now.as_micros().saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

fn hash(file: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut hasher) = (File::open(file)?, Sha256::new());
    let (mut bytes, mut octets) = (0, vec![0; 64 * 1024]);
    loop {
        match file.read(&mut octets)? {
            0 => return Ok((bytes, hex(hasher))),
            n => {
                hasher.update(&octets[..n]);
                bytes += n as u64;
            }
        }
    }
}

#[cfg(test)]
#[path = "uploads_tests.rs"]
mod tests;
