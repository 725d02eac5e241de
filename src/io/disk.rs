//! The recorder: blocks from the media threads to files, through a queue that is bounded for each call.
//!
//! Media threads never wait here: a call whose queue is full gets its block back, and the recording silence in its
//! place. The recorder's own thread only writes, and never waits for the disk itself either: what does (making files durable, closing
//! them, which reads each to its end) is another thread's. Else a call that ends, or a slow disk, would cost a crash of the process
//! more than the last second of the others.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use super::recording::Closed;
use super::recording::{self, Disk, Medium, Recording, Unsafe};
use super::space::Gauge;
use super::vault::Vault;
use crate::call::fact::RecordedPart;
use crate::ids::CallId;
use crate::ledger::recovery::Salvage;
use crate::media::record::path;
use crate::media::{Block, BlockSink, SAMPLE_RATE_HZ};

/// Blocks of one call that may wait: 10 s.
const MAX_WAITING: u32 = 100;

/// The rest after work, in which more of it gathers.
const REST: Duration = Duration::from_millis(20);

/// Orders in a row before whoever waits for the core gets it: some 0.2 ms of work.
const ORDERS_IN_A_ROW: usize = 16;

/// The recorder; recordings still open when it is dropped keep their `.part` name and are mended at the next start.
pub struct Recorder {
    orders: Sender<Order>,
    /// The one that writes, and the one that waits for the disk.
    threads: Vec<JoinHandle<()>>,
}

enum Order {
    Begin {
        call: CallId,
        path: PathBuf,
    },
    Block {
        block: Block,
        waiting: Arc<AtomicU32>,
    },
    End {
        call: CallId,
        total_frames: u64,
    },
    /// What there is of it is deleted; nobody is told.
    Forget {
        call: CallId,
    },
    /// What was ordered before it is still done.
    Stop,
}

impl Recorder {
    /// `closed` is called on a thread of the recorder's, once for each call begun and ended.
    /// While the gauge says that the disk is full, calls that begin get no file.
    pub fn start(disk: Gauge, vault: Vault, closed: impl FnMut(Closed) + Send + 'static) -> io::Result<Self> {
        Self::start_on(Disk, (disk, vault), closed)
    }

    fn start_on(
        medium: impl Medium,
        (disk, vault): (Gauge, Vault),
        closed: impl FnMut(Closed) + Send + 'static,
    ) -> io::Result<Self> {
        let ((orders, inbox), (jobs, waiting)) = (mpsc::channel(), mpsc::channel());
        let keys = vault.clone();
        let keep = thread::Builder::new().name("recordings".into()).spawn(move || keep(&waiting, &keys, closed))?;
        let write = thread::Builder::new()
            .name("recorder".into())
            .spawn(move || run(&medium, (&disk, &vault), inbox, &jobs))?;
        Ok(Recorder { orders, threads: vec![write, keep] })
    }

    /// Opens the call's file under `path` (its final name; folders are made). To be ordered before the media threads
    /// are told to record.
    pub fn begin(&self, call: CallId, path: PathBuf) {
        self.order(Order::Begin { call, path });
    }

    /// Closes a recording whose media thread cannot; else [`BlockSink::end`] does.
    pub fn end(&self, call: CallId, total_frames: u64) {
        self.order(Order::End { call, total_frames });
    }

    /// A way in for one media thread. Once the recorder is gone it gives every block back.
    pub fn sink(&self) -> DiskSink {
        DiskSink { orders: self.orders.clone(), waiting: BTreeMap::new() }
    }

    fn order(&self, order: Order) {
        // The receiver is gone only if its thread panicked, which is logged when it is joined.
        let _ = self.orders.send(order);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.order(Order::Stop);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the recorder panicked");
            }
        }
    }
}

/// One media thread's way to the recorder.
pub struct DiskSink {
    orders: Sender<Order>,
    /// Blocks of each call on their way.
    waiting: BTreeMap<CallId, Arc<AtomicU32>>,
}

impl BlockSink for DiskSink {
    fn block(&mut self, block: Block) -> Result<(), Block> {
        let call = block.call;
        let waiting = self.waiting.entry(call).or_default();
        if waiting.load(Ordering::Relaxed) >= MAX_WAITING {
            return Err(block);
        }
        waiting.fetch_add(1, Ordering::Relaxed);
        let order = Order::Block { block, waiting: Arc::clone(waiting) };
        self.orders.send(order).map_err(|error| match error.0 {
            Order::Block { block, .. } => block,
            Order::Begin { .. } | Order::End { .. } | Order::Forget { .. } | Order::Stop => {
                Block { call, first_frame: 0, rate_hz: 0, samples: Vec::new() }
            }
        })
    }

    fn end(&mut self, call: CallId, total_frames: u64) {
        self.waiting.remove(&call);
        let _ = self.orders.send(Order::End { call, total_frames });
    }

    fn forget(&mut self, call: CallId) {
        self.waiting.remove(&call);
        let _ = self.orders.send(Order::Forget { call });
    }
}

/// The recorder's end of the queue: when it works, rests, and gives way.
struct Inbox {
    orders: Receiver<Order>,
    /// Orders taken since there was none.
    in_a_row: usize,
}

impl Inbox {
    /// The next order. After work there is a rest: to send to a thread that rests costs the sender no system call, as it would to
    /// wake one that waits. `open`: recordings that are being written.
    fn next(&mut self, open: usize) -> Option<Order> {
        let order = match self.orders.try_recv() {
            Ok(order) => Ok(order),
            Err(_) if std::mem::take(&mut self.in_a_row) > 0 => {
                thread::park_timeout(REST);
                self.orders.recv()
            }
            Err(_) => self.orders.recv(),
        };
        self.in_a_row += 1;
        if gives_way(self.in_a_row, open) {
            super::priority::give_way();
        }
        order.ok()
    }
}

/// A voice on its way through the same core does not wait for the orders of a whole rest. But whoever has written more in a row than all
/// calls say in a rest several times over does not keep up, and what does not fit into the queue is lost.
fn gives_way(in_a_row: usize, open: usize) -> bool {
    in_a_row.is_multiple_of(ORDERS_IN_A_ROW) && in_a_row <= 2 * open
}

fn run<M: Medium>(medium: &M, (disk, vault): (&Gauge, &Vault), orders: Receiver<Order>, jobs: &Sender<Job<M::File>>) {
    let mut open: BTreeMap<CallId, Recording<M::File>> = BTreeMap::new();
    let mut inbox = Inbox { orders, in_a_row: 0 };
    // The receiver is gone only if its thread panicked.
    let order = |job| {
        let _ = jobs.send(job);
    };
    while let Some(next) = inbox.next(open.len()) {
        match next {
            Order::Begin { call, path } => {
                let _span = tracing::info_span!("recording", %call).entered();
                let recording = match disk.is_full() {
                    true => Recording::refused(call, &path),
                    false => match vault.fresh(call, &path) {
                        Ok(key) => Recording::begin(medium, call, &path, key),
                        Err(error) => Recording::without_key(call, &path, error),
                    },
                };
                recording.unsafe_key(vault).map(Job::Sync).into_iter().for_each(order);
                open.insert(call, recording);
            }
            Order::Block { block, waiting } => {
                waiting.fetch_sub(1, Ordering::Relaxed);
                if let Some(recording) = open.get_mut(&block.call) {
                    recording.block(medium, &block);
                    recording.due().map(Job::Sync).into_iter().for_each(order);
                }
            }
            Order::End { call, total_frames } => {
                if let Some(recording) = open.remove(&call) {
                    order(Job::Close(Box::new(recording), total_frames));
                }
            }
            Order::Forget { call } => {
                open.remove(&call).map(|recording| Job::Forget(Box::new(recording))).into_iter().for_each(order);
            }
            Order::Stop => break,
        }
    }
    open.values_mut().for_each(Recording::checkpoint);
}

/// What waits for the disk.
enum Job<F: Write + Seek> {
    Sync(Unsafe),
    /// The call had so many frames.
    Close(Box<Recording<F>>, u64),
    Forget(Box<Recording<F>>),
}

fn keep<F: Write + Seek>(jobs: &Receiver<Job<F>>, vault: &Vault, mut closed: impl FnMut(Closed)) {
    super::priority::behind();
    for job in jobs {
        match job {
            Job::Sync(files) => files.sync(),
            Job::Close(recording, total_frames) => {
                let _span = tracing::info_span!("recording", call = %recording.call()).entered();
                closed(recording.end(total_frames));
            }
            Job::Forget(recording) => recording.forget(vault),
        }
    }
}

/// A recording that a crash had left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    pub call: CallId,
    /// Final name, beginning with the folder that was given.
    pub path: PathBuf,
    /// In 1/8000 s.
    pub frames: u64,
    pub bytes: u64,
    /// Lower-case hex, of the whole file.
    pub sha256: String,
}

/// Mends every `.part` file below `recordings` and gives it its final name. What cannot be mended stays, with a
/// warning. To be called before anything is recorded.
pub fn repair_all(recordings: &Path, vault: &Vault) -> Vec<Mended> {
    let mut mended = Vec::new();
    let mut folders = vec![recordings.to_owned()];
    while let Some(folder) = folders.pop() {
        // No folder: nothing was ever recorded.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let is_folder = entry.file_type().is_ok_and(|t| t.is_dir());
            match path::of_part(&entry.path()) {
                _ if is_folder => folders.push(entry.path()),
                Some((call, path, is_sealed)) => mended.extend(mend(call, path, is_sealed.then_some(vault))),
                None => {}
            }
        }
    }
    mended.sort_by(|a, b| a.path.cmp(&b.path));
    if !mended.is_empty() {
        make_durable(recordings);
    }
    mended
}

/// Against a power cut. Calls do not wait for it: the ledger's last commits are no safer until the next checkpoint.
fn make_durable(recordings: &Path) {
    let folder = File::open(recordings);
    let sync = move || {
        super::priority::behind();
        if let Err(error) = folder.and_then(|folder| Ok(nix::unistd::syncfs(folder)?)) {
            tracing::warn!(%error, "what was mended is not safe from a power cut yet");
        }
    };
    if let Err(error) = thread::Builder::new().name("sync".into()).spawn(sync) {
        tracing::warn!(%error, "what was mended is not safe from a power cut yet");
    }
}

/// What there is of a recording after a crash, file by file; `path`: of the first one.
pub fn salvage(mended: &[Mended], path: &Path, vault: &Vault) -> Option<Salvage> {
    let (mut frames, mut parts) = (0, Vec::new());
    for number in 1.. {
        let file = path::numbered(path, number);
        let here = mended.iter().find(|mended| mended.path == file);
        let found = here.map(|mended| (mended.frames, mended.sha256.clone())).or_else(|| measure(&file, vault));
        let Some((units, sha256)) = found else { break };
        frames += units;
        parts.push(RecordedPart { duration_ms: units * 1_000 / u64::from(SAMPLE_RATE_HZ), sha256 });
    }
    let sha256 = Some(parts.first()?.sha256.clone());
    if parts.len() == 1 {
        parts.clear();
    }
    Some(Salvage { frames, sha256, parts })
}

/// Deletes what a crash left of a recording that its caller did not want.
pub fn discard(mended: &Mended, vault: &Vault) {
    let (file, waveform) = (&mended.path, path::peaks(&mended.path));
    let gone = vault.forget(&path::first(file)).and_then(|()| {
        [&path::sealed(file), file, &path::sealed(&waveform), &waveform].into_iter().try_for_each(|file| unlink(file))
    });
    if let Err(error) = gone {
        tracing::error!(call = %mended.call, %error, "a recording that nobody wants could not be deleted");
    }
}

/// What is not there is as good as deleted.
pub(super) fn unlink(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Length in 1/8000 s and hash of a recording that is closed already; `None` if it is not there, or cannot be opened.
pub fn measure(path: &Path, vault: &Vault) -> Option<(u64, String)> {
    recording::measure(path, vault).ok().map(|file| (file.units(), file.sha256))
}

fn mend(call: CallId, path: PathBuf, sealed: Option<&Vault>) -> Option<Mended> {
    let key = match sealed.map(|vault| vault.key(call, &path::first(&path))).transpose() {
        Ok(key) => key,
        Err(error) => {
            tracing::warn!(%call, %error, "a cut recording could not be mended");
            return None;
        }
    };
    let mended = recording::mend(&path, u64::MAX, key.as_ref());
    match mended.and_then(|(_, file)| recording::rename(&path, key.as_ref()).map(|()| file)) {
        Ok(file) => Some(Mended { call, path, frames: file.units(), bytes: file.bytes, sha256: file.sha256 }),
        Err(error) => {
            tracing::warn!(%call, %error, "a cut recording could not be mended");
            None
        }
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
