//! One recording on its way to disk: written as `.part`, right up to the last half second, renamed when it is closed.
//!
//! A call that is longer than one file may be goes on in the next one, on the same time line. The first error ends the writing, not the call: what is on disk by then is mended and kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use sha2::{Digest, Sha256};

use super::sound_file::{SoundError, SoundFile};
use super::vault::{self, Vault};
use crate::call::fact::{RecordedPart, RecordingStatus};
use crate::ids::CallId;
use crate::media::record::path;
use crate::media::record::peaks::Peaks;
use crate::media::record::repair::{self, FRAME_BYTES, HEADER_BYTES};
use crate::media::record::sealed::{self, Content, DataKey, Header};
use crate::media::wav::{WriteError, Writer};
use crate::media::{Block, SAMPLE_RATE_HZ};

/// The header is made right every 400 ms of audio, for players; the samples of each block are given to the system at once. With the tap's
/// hold-back of 200 ms and a block of 100 ms that leaves a busy machine 600 ms before a crash takes a second.
const CHECKPOINT_FRAMES: u64 = SAMPLE_RATE_HZ as u64 * 4 / 10;

/// What the machine itself may lose when its power fails: 5 s.
const SYNC_FRAMES: u64 = SAMPLE_RATE_HZ as u64 * 5;

/// Frames of one file, 1 GiB: half of what [`crate::media::wav`] writes, and nine hours of narrow band.
const MOST_FRAMES: u64 = (1 << 30) / FRAME_BYTES;

/// What became of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    pub call: CallId,
    /// `Ok`, `Partial` or `None`.
    pub status: RecordingStatus,
    /// From a closed list: `disk_full`, `disk_error`, `queue_full`, `too_long`.
    pub reason: Option<&'static str>,
    pub duration_ms: u64,
    /// Lower-case hex, of the whole file.
    /// If there is more than one file: of the first.
    pub sha256: Option<String>,
    /// Every file, if there is more than one.
    pub parts: Vec<RecordedPart>,
    /// Of all files.
    pub bytes: u64,
    /// Frames that were not written, or are silence because they never came.
    pub frames_lost: u64,
    /// Samples that may have been cut off, left and right.
    pub clipped: [u32; 2],
}

/// Where recordings are written: files, or in tests a disk that fails on order.
pub(crate) trait Medium: Send + 'static {
    type File: Write + Seek + Send;

    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// From so many frames on a recording goes on in another file.
    fn most_frames(&self) -> u64 {
        MOST_FRAMES
    }
}

/// The real disk.
pub(super) struct Disk;

impl Medium for Disk {
    type File = File;

    fn create(&self, path: &Path) -> io::Result<File> {
        File::create(path)
    }
}

pub(crate) struct Recording<F: Write + Seek> {
    call: CallId,
    /// Final name of the first file.
    path: PathBuf,
    /// `None`: it is not sealed.
    key: Option<DataKey>,
    /// Frames of the files that are full; the last one is being written.
    full: Vec<u64>,
    /// Frames a second.
    rate_hz: u32,
    state: State<F>,
    /// Frames on the time line so far, written or not.
    edge: u64,
    checkpointed: u64,
    synced: u64,
    on_platter: Arc<OnPlatter>,
    /// Frames that are silence because they never came.
    silent: u64,
}

/// Files of a recording that are to be made safe from a power cut, by a thread that may wait for the disk.
pub(super) struct Unsafe {
    files: Vec<PathBuf>,
    on_platter: Arc<OnPlatter>,
}

/// What the thread that waits for the disk says to the one that does not.
#[derive(Debug, Default)]
struct OnPlatter(AtomicU8);

impl OnPlatter {
    const IDLE: u8 = 0;
    const WAITING: u8 = 1;
    const FAILED: u8 = 2;
}

impl Unsafe {
    /// Blocks until the disk has them. An error ends the recording at its next block.
    pub(super) fn sync(self) {
        let sync = |file: &PathBuf| match File::open(file) {
            // It was closed or deleted since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            file => file?.sync_data(),
        };
        let outcome = self.files.iter().try_for_each(sync);
        let state = if outcome.is_ok() { OnPlatter::IDLE } else { OnPlatter::FAILED };
        self.on_platter.0.store(state, Ordering::Relaxed);
    }
}

/// What takes the samples of a file. Unbuffered: each block, or whole chunk, is one write.
enum Out<F: Write + Seek> {
    Plain(Writer<F>),
    Sealed(Box<sealed::Writer<F>>),
}

impl<F: Write + Seek> Out<F> {
    fn frames(&mut self, samples: &[i16]) -> Result<(), WriteError> {
        match self {
            Out::Plain(writer) => writer.frames(samples),
            Out::Sealed(writer) => Ok(writer.frames(samples)?),
        }
    }

    fn silence(&mut self, frames: u64) -> Result<(), WriteError> {
        match self {
            Out::Plain(writer) => writer.silence(frames),
            Out::Sealed(writer) => Ok(writer.silence(frames * FRAME_BYTES)?),
        }
    }

    /// What is sealed is on its way already, but for less than a chunk.
    fn checkpoint(&mut self) -> Result<(), WriteError> {
        match self {
            Out::Plain(writer) => writer.checkpoint(),
            Out::Sealed(_) => Ok(()),
        }
    }

    fn finish(self) -> Result<(), WriteError> {
        match self {
            Out::Plain(writer) => writer.finish(),
            Out::Sealed(writer) => Ok((*writer).finish()?),
        }
    }
}

enum State<F: Write + Seek> {
    Writing(Out<F>),
    /// Ended by the first error; frames after it are only counted.
    Failed {
        reason: &'static str,
        dropped: u64,
    },
}

impl<F: Write + Seek> Recording<F> {
    /// Opens the file; folders are made. An error is that recording's end, and reported when it is closed.
    pub(crate) fn begin(medium: &impl Medium<File = F>, call: CallId, path: &Path, key: Option<DataKey>) -> Self {
        let state = match open(medium, call, (path, 1), SAMPLE_RATE_HZ, key.as_ref()) {
            Ok(writer) => State::Writing(writer),
            Err(error) => failed(call, &error),
        };
        Recording::new(call, path.to_owned(), key, state)
    }

    /// There is no key for it: rather none than one that anybody can hear.
    pub(super) fn without_key(call: CallId, path: &Path, error: io::Error) -> Self {
        Recording::new(call, path.to_owned(), None, failed(call, &error.into()))
    }

    /// The disk is full: there is no file, and the call is told so at its end.
    pub(super) fn refused(call: CallId, path: &Path) -> Self {
        tracing::warn!(%call, "not recorded: the disk is full");
        let state = State::Failed { reason: "disk_full", dropped: 0 };
        Recording::new(call, path.to_owned(), None, state)
    }

    fn new(call: CallId, path: PathBuf, key: Option<DataKey>, state: State<F>) -> Self {
        let (rate_hz, full, on_platter) = (SAMPLE_RATE_HZ, Vec::new(), Arc::default());
        Recording { call, path, key, full, rate_hz, state, edge: 0, checkpointed: 0, synced: 0, on_platter, silent: 0 }
    }

    pub(crate) fn block(&mut self, medium: &impl Medium<File = F>, block: &Block) {
        if block.rate_hz != self.rate_hz {
            self.change_rate(medium, block.rate_hz);
        }
        let frames = (block.samples.len() / 2) as u64;
        let missing = block.first_frame.saturating_sub(self.edge);
        if block.first_frame < self.edge {
            tracing::error!(call = %self.call, "a block of the recording came twice");
            return;
        }
        self.silent += missing;
        let here = self.edge - self.full.iter().sum::<u64>();
        if here > 0 && here + missing + frames > medium.most_frames() {
            self.roll(medium, here);
        }
        self.write(missing + frames, |writer| {
            writer.silence(missing)?;
            writer.frames(&block.samples)
        });
        if self.edge - self.checkpointed >= CHECKPOINT_FRAMES {
            self.checkpoint();
        }
    }

    /// The first block tells the rate; until then there is only a header.
    fn change_rate(&mut self, medium: &impl Medium<File = F>, rate_hz: u32) {
        if self.edge == 0 && matches!(self.state, State::Writing(_)) {
            self.rate_hz = rate_hz;
            self.state = match open(medium, self.call, (&self.path, 1), rate_hz, self.key.as_ref()) {
                Ok(writer) => State::Writing(writer),
                Err(error) => failed(self.call, &error),
            };
        }
    }

    /// The file is full: it stays as it is until the call ends, and the next one goes on where it stops.
    fn roll(&mut self, medium: &impl Medium<File = F>, frames: u64) {
        let State::Writing(_) = self.state else { return };
        let next = (&*self.path, self.last() + 1);
        let open = open(medium, self.call, next, self.rate_hz, self.key.as_ref()).map(State::Writing);
        let State::Writing(full) =
            std::mem::replace(&mut self.state, open.unwrap_or_else(|error| failed(self.call, &error)))
        else {
            return;
        };
        self.full.push(frames);
        if let Err(error) = full.finish() {
            self.state = failed(self.call, &error);
        }
    }

    pub(super) fn call(&self) -> CallId {
        self.call
    }

    /// Number of the file that is being written.
    fn last(&self) -> u32 {
        u32::try_from(self.full.len() + 1).unwrap_or(u32::MAX)
    }

    /// Deletes what there is.
    pub(super) fn forget(self, vault: &Vault) {
        let Recording { path, full, state, call, .. } = self;
        drop(state);
        for number in (1..).take(full.len() + 1) {
            let file = path::numbered(&path, number);
            let (hidden, waveform) = (path::sealed(&file), path::peaks(&file));
            for file in [path::part(&hidden), path::part(&file), path::sealed(&waveform), waveform, hidden, file] {
                if let Err(error) = super::disk::unlink(&file) {
                    tracing::error!(%call, %error, "a recording that nobody wants could not be deleted");
                }
            }
        }
        if let Err(error) = vault.forget(&path) {
            tracing::error!(%call, %error, "the key of a recording that nobody wants could not be deleted");
        }
    }

    /// Makes what was written so far readable.
    pub(super) fn checkpoint(&mut self) {
        self.checkpointed = self.edge;
        self.write(0, Out::checkpoint);
    }

    /// What is due to be made safe: nothing while the disk is still at what was due before.
    pub(super) fn due(&mut self) -> Option<Unsafe> {
        let State::Writing(_) = self.state else { return None };
        match self.on_platter.0.load(Ordering::Relaxed) {
            OnPlatter::FAILED => {
                self.write(0, |_| Err(io::Error::other("the disk could not keep what was written").into()));
                None
            }
            OnPlatter::IDLE if self.edge - self.synced >= SYNC_FRAMES => {
                self.synced = self.edge;
                let part = path::part(&shown(&path::numbered(&self.path, self.last()), self.key.as_ref()));
                Some(self.unsafe_files(vec![part]))
            }
            _ => None,
        }
    }

    /// Its key, which a power cut must not take longer than the first seconds of sound.
    pub(super) fn unsafe_key(&self, vault: &Vault) -> Option<Unsafe> {
        self.key.as_ref().map(|_| self.unsafe_files(vec![vault.file_of(&self.path)]))
    }

    fn unsafe_files(&self, files: Vec<PathBuf>) -> Unsafe {
        self.on_platter.0.store(OnPlatter::WAITING, Ordering::Relaxed);
        Unsafe { files, on_platter: Arc::clone(&self.on_platter) }
    }

    /// The call had `total_frames`; the file gets exactly as many, unless writing failed.
    pub(crate) fn end(mut self, total_frames: u64) -> Closed {
        let missing = total_frames.saturating_sub(self.edge);
        self.silent += missing;
        self.write(missing, |writer| writer.silence(missing));
        let mut reason = (self.silent > 0).then_some("queue_full");
        let mut lost = self.silent;
        match self.state {
            State::Writing(writer) => {
                if let Err(error) = writer.finish() {
                    reason = Some(warned(self.call, &error));
                }
            }
            State::Failed { reason: why, dropped } => {
                reason = Some(why);
                lost += dropped;
            }
        }
        let (call, frames_lost) = (self.call, lost.min(total_frames));
        let key = self.key.as_ref();
        let files = close_all(call, (&self.path, key), &self.full, total_frames, &mut reason);
        let frames: u64 = files.iter().map(|file| file.frames).sum();
        let (Some(first), None) = (files.first(), reason.filter(|_| frames == 0)) else {
            // A header alone is of no use to anybody; if it cannot be removed, it is found empty.
            remove(&self.path, key);
            let (status, parts, frames_lost) = (RecordingStatus::None, Vec::new(), total_frames);
            let reason = reason.or(Some("disk_error"));
            let (duration_ms, sha256, bytes, clipped) = (0, None, 0, [0; 2]);
            return Closed { call, status, reason, duration_ms, sha256, parts, bytes, frames_lost, clipped };
        };
        let units: u64 = files.iter().map(Finished::units).sum();
        let part = |file: &Finished| RecordedPart { duration_ms: file.millis(), sha256: file.sha256.clone() };
        Closed {
            call,
            status: if reason.is_none() { RecordingStatus::Ok } else { RecordingStatus::Partial },
            reason,
            duration_ms: units * 1_000 / u64::from(SAMPLE_RATE_HZ),
            sha256: Some(first.sha256.clone()),
            parts: if files.len() > 1 { files.iter().map(part).collect() } else { Vec::new() },
            bytes: files.iter().map(|file| file.bytes).sum(),
            frames_lost,
            clipped: [0, 1].map(|channel| files.iter().map(|file| file.clipped[channel]).sum()),
        }
    }

    fn write(&mut self, frames: u64, write: impl FnOnce(&mut Out<F>) -> Result<(), WriteError>) {
        self.edge += frames;
        match &mut self.state {
            State::Writing(writer) => {
                if let Err(error) = write(writer) {
                    self.state = failed(self.call, &error);
                }
            }
            State::Failed { dropped, .. } => *dropped += frames,
        }
    }
}

fn open<F: Write + Seek>(
    medium: &impl Medium<File = F>,
    call: CallId,
    (path, number): (&Path, u32),
    rate_hz: u32,
    key: Option<&DataKey>,
) -> Result<Out<F>, WriteError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = medium.create(&path::part(&shown(&path::numbered(path, number), key)))?;
    let Some(key) = key else {
        let mut writer = Writer::create(file, rate_hz)?;
        writer.checkpoint()?;
        return Ok(Out::Plain(writer));
    };
    let number = u16::try_from(number).map_err(io::Error::other)?;
    let header = Header { content: Content::Samples, number, rate_hz, call, salt: vault::random()? };
    Ok(Out::Sealed(Box::new(sealed::Writer::create(file, key, &header)?)))
}

/// The name of a file on the disk.
fn shown(path: &Path, key: Option<&DataKey>) -> PathBuf {
    if key.is_some() { path::sealed(path) } else { path.to_owned() }
}

/// A file and its waveform; what is not there is as good as removed.
fn remove(path: &Path, key: Option<&DataKey>) {
    for file in [path.to_owned(), path::peaks(path)] {
        let _ = fs::remove_file(shown(&file, key));
    }
}

fn failed<F: Write + Seek>(call: CallId, error: &WriteError) -> State<F> {
    State::Failed { reason: warned(call, error), dropped: 0 }
}

/// One line a call: the first error ends its writing.
fn warned(call: CallId, error: &WriteError) -> &'static str {
    let reason = match error {
        WriteError::TooLong => "too_long",
        WriteError::Io(e) if is_full(e) => "disk_full",
        WriteError::Io(_) | WriteError::Format(_) => "disk_error",
    };
    tracing::warn!(%call, reason, %error, "recording stopped; the call goes on");
    reason
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A recording under its final name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) frames: u64,
    /// Frames a second.
    pub(super) rate_hz: u32,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// Of each channel; only of a file that was closed just now.
    pub(super) clipped: [u32; 2],
}

impl Finished {
    pub(super) fn millis(&self) -> u64 {
        self.units() * 1_000 / u64::from(SAMPLE_RATE_HZ)
    }

    /// Its length in 1/8000 s.
    pub(super) fn units(&self) -> u64 {
        self.frames * u64::from(SAMPLE_RATE_HZ) / u64::from(self.rate_hz.max(1))
    }
}

/// Closes every file of a recording; `full`: the frames of all but the last. What comes behind one that is torn has no place on the
/// time line any more.
fn close_all(
    call: CallId,
    (path, key): (&Path, Option<&DataKey>),
    full: &[u64],
    total_frames: u64,
    reason: &mut Option<&'static str>,
) -> Vec<Finished> {
    let mut files: Vec<Finished> = Vec::new();
    let mut left = total_frames;
    for (number, frames) in (1..).zip(full.iter().copied().map(Some).chain([None])) {
        let name = path::numbered(path, number);
        let wanted = frames.map_or(left, |frames| frames.min(left));
        match close(&name, wanted, key) {
            // The call ended where this one was to begin.
            Ok(file) if file.frames == 0 && number > 1 => remove(&name, key),
            Ok(file) => {
                left -= file.frames;
                let torn = frames.is_some() && file.frames < wanted;
                files.push(file);
                if torn {
                    reason.get_or_insert("disk_error");
                    break;
                }
            }
            Err(error) => {
                if reason.is_none() {
                    *reason = Some(warned(call, &error.into()));
                }
                break;
            }
        }
    }
    files
}

/// Mends a `.part` file if it needs to be, keeps at most `frames`, makes it durable under its final name.
pub(super) fn close(path: &Path, frames: u64, key: Option<&DataKey>) -> io::Result<Finished> {
    let (file, finished) = mend(path, frames, key)?;
    file.sync_all()?;
    rename(path, key)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(finished)
}

/// Gives a mended `.part` file its final name.
pub(super) fn rename(path: &Path, key: Option<&DataKey>) -> io::Result<()> {
    let name = shown(path, key);
    fs::rename(path::part(&name), name)
}

/// Mends a `.part` file, keeps at most `frames` and draws its waveform; it is neither durable nor renamed yet.
pub(super) fn mend(path: &Path, frames: u64, key: Option<&DataKey>) -> io::Result<(File, Finished)> {
    let part = path::part(&shown(path, key));
    let mut file = OpenOptions::new().read(true).write(true).open(&part)?;
    if let Some(key) = key {
        let finished = mend_sealed(&mut file, path, frames, key)?;
        return Ok((file, finished));
    }
    let kept = repair::keep(&mut file, frames).map_err(|error| match error {
        repair::RepairError::Io(error) => error,
        foreign => io::Error::other(foreign),
    })?;
    file.set_len(kept.length)?;
    let mut peaks = Peaks::new(kept.rate_hz);
    let sha256 = hash(&mut file, |frame| peaks.frame(frame))?;
    let clipped = peaks.clipped();
    draw_at(&path::peaks(path), Ok(peaks.finish()));
    debug_assert_eq!(kept.length, HEADER_BYTES + kept.frames * FRAME_BYTES);
    Ok((file, Finished { frames: kept.frames, rate_hz: kept.rate_hz, bytes: kept.length, sha256, clipped }))
}

fn mend_sealed(file: &mut File, path: &Path, frames: u64, key: &DataKey) -> io::Result<Finished> {
    let most = frames.saturating_mul(FRAME_BYTES);
    // Its sizes stand at the beginning of what is hashed: a first look counts, a second one hears.
    let (rate_hz, octets) = sealed::survey(file, key, most, FRAME_BYTES).map_err(io::Error::other)?;
    let mut hasher = Sha256::new();
    hasher.update(repair::header(rate_hz, u32::try_from(octets).map_err(io::Error::other)?));
    let mut peaks = Peaks::new(rate_hz);
    let mut hear = |samples: &[u8]| {
        hasher.update(samples);
        samples.chunks_exact(4).for_each(|frame| peaks.frame(frame_of(frame)));
        super::priority::give_way();
    };
    let closed = sealed::close(file, key, (octets, FRAME_BYTES), vault::random()?, &mut hear);
    let closed = closed.map_err(io::Error::other)?;
    file.set_len(closed.length)?;
    let clipped = peaks.clipped();
    let header = Header { content: Content::Waveform, salt: vault::random()?, ..closed.header };
    let drawn = sealed::whole(key, &header, &peaks.finish(), vault::random()?);
    draw_at(&path::sealed(&path::peaks(path)), drawn.map_err(io::Error::other));
    let (frames, sha256) = (closed.octets / FRAME_BYTES, hex(hasher));
    Ok(Finished { frames, rate_hz, bytes: closed.length, sha256, clipped })
}

/// A file that has its final name; `path`: its name if it is plain.
pub(super) fn measure(path: &Path, vault: &Vault) -> Result<Finished, SoundError> {
    let mut sound = SoundFile::open(path, vault)?;
    let (rate_hz, clipped) = (sound.rate_hz, [0; 2]);
    let bytes = sound.bytes;
    if let Some(file) = sound.plain() {
        let sha256 = hash(file, |_| {})?;
        let frames = bytes.saturating_sub(HEADER_BYTES) / FRAME_BYTES;
        return Ok(Finished { frames, rate_hz, bytes, sha256, clipped });
    }
    let mut hasher = Sha256::new();
    hasher.update(sound.header());
    sound.read(0..u64::MAX, &mut |samples| hasher.update(samples))?;
    Ok(Finished { frames: sound.octets / FRAME_BYTES, rate_hz, bytes, sha256: hex(hasher), clipped })
}

/// The first instant between two, in ms from the file's beginning, at which a channel is not zero.
pub(super) fn first_sound(path: &Path, vault: &Vault, from_ms: u64, to_ms: u64) -> Result<Option<u64>, SoundError> {
    let mut sound = SoundFile::open(path, vault)?;
    let rate = u64::from(sound.rate_hz);
    let at = |ms: u64| ms * rate / 1_000 * FRAME_BYTES;
    let (mut passed, mut found) = (0, None);
    sound.read(at(from_ms)..at(to_ms), &mut |samples| {
        if found.is_none() {
            found = samples.iter().position(|octet| *octet != 0).map(|place| passed + place as u64);
        }
        passed += samples.len() as u64;
    })?;
    Ok(found.map(|octet| from_ms + octet / FRAME_BYTES * 1_000 / rate.max(1)))
}

/// One channel between two instants, in ms from the file's beginning, and its rate.
pub(super) fn channel(
    path: &Path,
    vault: &Vault,
    channel: usize,
    (from_ms, to_ms): (u64, u64),
) -> Result<(u32, Vec<i16>), SoundError> {
    let mut sound = SoundFile::open(path, vault)?;
    let rate_hz = sound.rate_hz;
    let at = |ms: u64| ms * u64::from(rate_hz) / 1_000 * FRAME_BYTES;
    // A piece may end within a frame.
    let mut octets = Vec::new();
    sound.read(at(from_ms)..at(to_ms), &mut |piece| octets.extend_from_slice(piece))?;
    Ok((rate_hz, octets.chunks_exact(FRAME_BYTES as usize).map(|bytes| frame_of(bytes)[channel]).collect()))
}

/// The waveform is a convenience: without it the recording is as good.
fn draw_at(path: &Path, drawn: io::Result<Vec<u8>>) {
    if let Err(error) = drawn.and_then(|drawn| fs::write(path, drawn)) {
        tracing::warn!(%error, path = %path.display(), "a recording has no waveform");
        let _ = fs::remove_file(path);
    }
}

/// Hash of the whole file; `frame` is told every frame behind the header.
fn hash(mut file: &mut (impl Read + Seek + ?Sized), mut frame: impl FnMut([i16; 2])) -> io::Result<String> {
    file.rewind()?;
    let mut hasher = Sha256::new();
    let mut header = Vec::new();
    Read::by_ref(&mut file).take(HEADER_BYTES).read_to_end(&mut header)?;
    hasher.update(&header);
    // Whole frames.
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        if filled == 0 {
            break;
        }
        hasher.update(&buffer[..filled]);
        for bytes in buffer[..filled].chunks_exact(4) {
            frame(frame_of(bytes));
        }
        super::priority::give_way();
    }
    Ok(hex(hasher))
}

pub(super) fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of four octets.
fn frame_of(octets: &[u8]) -> [i16; 2] {
    [i16::from_le_bytes([octets[0], octets[1]]), i16::from_le_bytes([octets[2], octets[3]])]
}
