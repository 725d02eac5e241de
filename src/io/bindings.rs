//! The file that keeps registrations over a restart: written by a thread of its own, whole, at most once a second, and renamed
//! into place. What a crash loses of it costs a phone one refresh.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::{Instant, Now};
use crate::peer::registrar::Saved;

const FILE: &str = "registrations.json";

/// How often it is written at most.
const PAUSE: Duration = Duration::from_secs(1);

/// No file of ours is larger: 5,000 agents with five phones each have 10 MB.
const LONGEST: u64 = 64 << 20;

pub struct Keeper {
    queue: SyncSender<Vec<Saved>>,
    thread: JoinHandle<()>,
    /// Of the registrations that have been handed over last, and when.
    kept: u64,
    at: Option<Instant>,
}

impl Keeper {
    pub fn start(directory: &Path) -> io::Result<Keeper> {
        let directory = directory.to_owned();
        let (queue, saved) = sync_channel::<Vec<Saved>>(1);
        let thread = thread::Builder::new().name("registrations".to_owned()).spawn(move || {
            for saved in saved {
                if let Err(error) = write(&directory, &saved) {
                    tracing::warn!(%error, "the registrations cannot be kept over a restart");
                }
            }
        })?;
        Ok(Keeper { queue, thread, kept: 0, at: None })
    }

    /// Hands the registrations over if they have changed and the last time is long enough ago. Never waits.
    pub fn keep(&mut self, now: Now, version: u64, saved: impl FnOnce() -> Vec<Saved>) {
        let rests = self.at.is_some_and(|at| now.mono.since(at) < PAUSE);
        if version != self.kept && !rests {
            self.at = Some(now.mono);
            // A disk that is slower than that is asked again.
            if self.queue.try_send(saved()).is_ok() {
                self.kept = version;
            }
        }
    }

    /// Writes the last state, and waits for it.
    pub fn finish(self, saved: Vec<Saved>) {
        let _ = self.queue.send(saved);
        drop(self.queue);
        let _ = self.thread.join();
    }
}

fn write(directory: &Path, saved: &[Saved]) -> io::Result<()> {
    let (path, part) = paths(directory);
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(&serde_json::to_vec(saved)?)?;
    file.sync_data()?;
    fs::rename(part, path)
}

fn paths(directory: &Path) -> (PathBuf, PathBuf) {
    (directory.join(FILE), directory.join(format!("{FILE}.part")))
}

/// What the last run has left. A file that is missing or cannot be read costs every phone one refresh, no more.
pub fn load(directory: &Path) -> Vec<Saved> {
    let (path, _) = paths(directory);
    let read = || -> io::Result<Vec<Saved>> {
        if fs::metadata(&path)?.len() > LONGEST {
            return Err(io::Error::other("it is too long"));
        }
        Ok(serde_json::from_slice(&fs::read(&path)?)?)
    };
    read().unwrap_or_else(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            tracing::warn!(%error, path = %path.display(), "the registrations of the last run cannot be read");
        }
        Vec::new()
    })
}
