//! How full the disk of the recordings is, and what follows: a warning, the end of what retention no longer keeps, no new
//! recordings.
//!
//! A reserve file holds the last room. It goes before the disk is full, so that files that are open can be closed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::statvfs;

use crate::media::record::path;

/// What new calls meet when the disk is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AtFull {
    /// They go on without a recording.
    #[default]
    Unrecorded,
    /// 503: a hotline that may not be without recordings.
    Refuse,
}

/// Used and all of a file system, in bytes, as an ordinary user may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub used: u64,
    pub all: u64,
}

impl Usage {
    fn permille(self) -> u64 {
        if self.all == 0 {
            0
        } else {
            u64::try_from(u128::from(self.used) * 1_000 / u128::from(self.all)).unwrap_or(1_000)
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    #[default]
    Fine,
    /// From 90 %: somebody should look.
    Low,
    /// From 95 %: what retention no longer keeps goes.
    Tight,
    /// From 98 %, or the disk takes no more writes: nothing new is recorded.
    Full,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Level::Fine => "fine",
            Level::Low => "low",
            Level::Tight => "tight",
            Level::Full => "full",
        }
    }

    /// From so many thousandths on; back below one per cent less, so that a level does not flutter.
    fn of(usage: Usage, before: Level) -> Level {
        let used = usage.permille();
        let from = |level: Level, bound: u64| used >= if before >= level { bound - 10 } else { bound };
        match () {
            () if from(Level::Full, 980) => Level::Full,
            () if from(Level::Tight, 950) => Level::Tight,
            () if from(Level::Low, 900) => Level::Low,
            () => Level::Fine,
        }
    }
}

/// Most that the reserve holds.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;

/// The reserve takes at most one part in so many of a small disk.
const RESERVE_PART: u64 = 100;

/// How often the disk is looked at: an alarm comes within 5 s.
const LOOK: Duration = Duration::from_secs(1);

/// What the watch saw last, for any thread to read.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    level: AtomicU8,
    used: AtomicU64,
    all: AtomicU64,
}

impl Gauge {
    pub fn level(&self) -> Level {
        match self.0.level.load(Ordering::Relaxed) {
            0 => Level::Fine,
            1 => Level::Low,
            2 => Level::Tight,
            _ => Level::Full,
        }
    }

    pub fn is_full(&self) -> bool {
        self.level() == Level::Full
    }

    /// Nothing of nothing if the file system cannot be asked.
    pub fn usage(&self) -> Usage {
        Usage { used: self.0.used.load(Ordering::Relaxed), all: self.0.all.load(Ordering::Relaxed) }
    }

    fn set(&self, level: Level, usage: Usage) {
        self.0.level.store(level as u8, Ordering::Relaxed);
        self.0.used.store(usage.used, Ordering::Relaxed);
        self.0.all.store(usage.all, Ordering::Relaxed);
    }
}

/// The file system of the recordings; in tests one that is as full as they want.
pub trait Space: Send + 'static {
    fn usage(&self) -> io::Result<Usage>;
    /// Whether a small file can be written: a read-only or failing disk may have room.
    fn probe(&self) -> io::Result<()>;
}

/// The real one, by statvfs.
pub struct Mounted(pub PathBuf);

impl Space for Mounted {
    fn usage(&self) -> io::Result<Usage> {
        let found = statvfs(&self.0)?;
        let unit = found.fragment_size();
        let used = found.blocks().saturating_sub(found.blocks_free());
        // What is kept back for root is not there for us.
        Ok(Usage { used: used * unit, all: (used + found.blocks_available()) * unit })
    }

    fn probe(&self) -> io::Result<()> {
        let path = self.0.join(path::PROBE);
        let mut file = File::create(&path)?;
        let written = file.write_all(&[b'.'; 512]).and_then(|()| file.sync_data());
        drop(file);
        let removed = fs::remove_file(&path);
        written.and(removed)
    }
}

/// Looks at the disk again and again.
pub struct Watch {
    gauge: Gauge,
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// What the watch does beside looking.
pub struct Duties {
    /// A level was reached or left; told once for each.
    pub told: Box<dyn FnMut(Level, Usage) + Send>,
    /// Deletes what retention allows until the closure says that it is enough; how many recordings went.
    pub make_room: MakeRoom,
}

pub type MakeRoom = Box<dyn FnMut(&mut dyn FnMut() -> bool) -> u64 + Send>;

impl Watch {
    /// `folder`: where recordings and the reserve lie; it is there. The first look is over when this returns.
    pub fn start(folder: &Path, space: impl Space, duties: Duties) -> io::Result<Watch> {
        let gauge = Gauge::default();
        let (stop, stopped) = mpsc::channel();
        let mut round =
            Round { reserve: folder.join(path::RESERVE), space, duties, gauge: gauge.clone(), level: Level::Fine };
        round.look();
        let look = move || {
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                round.look();
            }
        };
        let thread = thread::Builder::new().name("disk".into()).spawn(look)?;
        Ok(Watch { gauge, stop, thread: Some(thread) })
    }

    pub fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the disk's watch panicked");
        }
    }
}

struct Round<S> {
    reserve: PathBuf,
    space: S,
    duties: Duties,
    gauge: Gauge,
    level: Level,
}

impl<S: Space> Round<S> {
    fn look(&mut self) {
        let Ok(mut usage) = self.space.usage() else { return self.reach(Level::Full, Usage { used: 0, all: 0 }) };
        let mut level = self.level_of(usage);
        if level >= Level::Tight {
            let (space, before) = (&self.space, self.level);
            let mut enough = || space.usage().is_ok_and(|usage| Level::of(usage, before) < Level::Tight);
            let gone = (self.duties.make_room)(&mut enough);
            if gone > 0 {
                tracing::warn!(gone, "the disk is nearly full: recordings beyond their retention were deleted");
                usage = self.space.usage().unwrap_or(usage);
                level = self.level_of(usage);
            }
        }
        self.keep_reserve(level, usage);
        self.reach(level, usage);
    }

    fn level_of(&self, usage: Usage) -> Level {
        if self.space.probe().is_err() { Level::Full } else { Level::of(usage, self.level) }
    }

    /// There while there is room; gone when the disk is full.
    fn keep_reserve(&self, level: Level, usage: Usage) {
        let kept = match level {
            Level::Full => match fs::remove_file(&self.reserve) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            Level::Fine | Level::Low if !self.reserve.exists() => {
                let bytes = RESERVE_BYTES.min(usage.all / RESERVE_PART);
                reserve(&self.reserve, bytes).inspect_err(|_| {
                    let _ = fs::remove_file(&self.reserve);
                })
            }
            Level::Fine | Level::Low | Level::Tight => Ok(()),
        };
        if let Err(error) = kept {
            tracing::debug!(%error, "the reserve could not be kept");
        }
    }

    fn reach(&mut self, level: Level, usage: Usage) {
        self.gauge.set(level, usage);
        if level == self.level {
            return;
        }
        self.level = level;
        (self.duties.told)(level, usage);
    }
}

fn reserve(path: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let bytes = i64::try_from(bytes).map_err(io::Error::other)?;
    if bytes > 0 {
        fallocate(file.as_fd(), FallocateFlags::empty(), 0, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A disk of 10,000 bytes on which recordings of 100 bytes lie.
    #[derive(Clone, Default)]
    struct Made(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        used: u64,
        /// Recordings that retention lets go.
        over: u64,
        failing: bool,
        told: Vec<Level>,
    }

    impl Space for Made {
        fn usage(&self) -> io::Result<Usage> {
            Ok(Usage { used: self.0.lock().unwrap().used, all: 10_000 })
        }

        fn probe(&self) -> io::Result<()> {
            if self.0.lock().unwrap().failing { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
        }
    }

    fn round(folder: &Path, disk: &Made) -> Round<Made> {
        let (told, room) = (disk.clone(), disk.clone());
        let duties = Duties {
            told: Box::new(move |level, _| told.0.lock().unwrap().told.push(level)),
            make_room: Box::new(move |enough| {
                let mut gone = 0;
                while !enough() {
                    let mut state = room.0.lock().unwrap();
                    if state.over == 0 {
                        break;
                    }
                    state.over -= 1;
                    state.used -= 100;
                    gone += 1;
                }
                gone
            }),
        };
        let (space, gauge) = (disk.clone(), Gauge::default());
        Round { reserve: folder.join(path::RESERVE), space, duties, gauge, level: Level::Fine }
    }

    #[test]
    fn warned_at_90_cleaned_at_95_and_no_more_recorded_at_98() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Made::default();
        let mut round = round(folder.path(), &disk);
        let mut look = |used: u64, over: u64| {
            {
                let mut state = disk.0.lock().unwrap();
                (state.used, state.over) = (used, over);
            }
            round.look();
            let state = disk.0.lock().unwrap();
            (round.gauge.level(), state.used)
        };
        assert_eq!(look(8_999, 50), (Level::Fine, 8_999));
        assert!(folder.path().join(path::RESERVE).exists());
        assert_eq!(look(9_000, 50), (Level::Low, 9_000), "retention has lapsed for some, but there is room");
        assert_eq!(look(8_950, 0), (Level::Low, 8_950), "a level does not flutter");
        assert_eq!(look(9_500, 50), (Level::Low, 9_400), "only as much goes as is needed");
        assert_eq!(look(9_500, 0), (Level::Tight, 9_500), "what must be kept stays");
        assert_eq!(look(9_800, 1), (Level::Tight, 9_700));
        assert_eq!(look(9_800, 0), (Level::Full, 9_800));
        assert!(!folder.path().join(path::RESERVE).exists(), "open files are closed on it");
        assert_eq!(look(9_750, 0), (Level::Full, 9_750));
        assert_eq!(look(8_000, 0), (Level::Fine, 8_000));
        assert!(folder.path().join(path::RESERVE).exists());
        let levels = [Level::Low, Level::Tight, Level::Full, Level::Fine];
        assert_eq!(disk.0.lock().unwrap().told, levels);
    }

    #[test]
    fn a_disk_that_takes_no_writes_is_full_whatever_room_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Made::default();
        let mut round = round(folder.path(), &disk);
        disk.0.lock().unwrap().failing = true;
        round.look();
        assert!(round.gauge.is_full());
        disk.0.lock().unwrap().failing = false;
        round.look();
        assert_eq!(round.gauge.level(), Level::Fine);
    }

    #[test]
    fn the_real_disk_tells_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Mounted(folder.path().to_owned());
        let usage = mounted.usage().unwrap();
        assert!(usage.all > 0 && usage.used <= usage.all, "{usage:?}");
        mounted.probe().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Mounted(folder.path().join("absent")).probe().is_err());
    }
}
