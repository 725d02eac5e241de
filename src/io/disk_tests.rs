//! The recorder with real files, and with a disk that fails on order.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Mutex;
use std::time::Duration;

use super::super::faulty::FailsOnce;
use super::super::vault::MasterKey;
use super::*;
use crate::call::fact::RecordingStatus;
use crate::clock::Wall;
use crate::ids::Random;

const PATIENCE: Duration = Duration::from_secs(5);

fn call(n: u64) -> CallId {
    CallId::new(Wall::from_micros(1_795_303_044_000_000), &mut Random::from_number(n))
}

/// 100 ms in which every frame says where it is.
fn block(call: CallId, number: u64) -> Block {
    let first_frame = number * 800;
    let samples = (0..800).flat_map(|n| [(first_frame + n) as i16, !((first_frame + n) as i16)]).collect();
    Block { call, first_frame, rate_hz: 8_000, samples }
}

/// By the header's sizes, as any player reads it.
fn read(path: &Path) -> Vec<i16> {
    let bytes = fs::read(path).unwrap();
    let data = u32::from_le_bytes(bytes[40..44].try_into().unwrap()) as usize;
    bytes[44..44 + data].chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}

/// Of a directory in which nothing is sealed.
fn nothing() -> Vault {
    Vault::new(Path::new(""), &[])
}

struct Bench {
    recorder: Recorder,
    sink: DiskSink,
    closed: mpsc::Receiver<Closed>,
    path: PathBuf,
    folder: tempfile::TempDir,
}

impl Bench {
    fn start(medium: impl Medium) -> Self {
        Self::start_with(medium, &[])
    }

    fn start_with(medium: impl Medium, keys: &[MasterKey]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::new(folder.path(), keys);
        let (tell, closed) = mpsc::channel();
        let recorder = Recorder::start_on(medium, (Gauge::default(), vault), move |closed| {
            let _ = tell.send(closed);
        })
        .unwrap();
        let path = folder.path().join(path::recording(Wall::from_micros(1_795_303_044_000_000), call(1)));
        recorder.begin(call(1), path.clone());
        Bench { sink: recorder.sink(), recorder, closed, path, folder }
    }

    fn vault(&self) -> Vault {
        Vault::new(self.folder.path(), &[MasterKey::new([5; 32])])
    }

    fn closed(&self) -> Closed {
        self.closed.recv_timeout(PATIENCE).unwrap()
    }
}

#[test]
fn a_recording_is_exact_and_renamed_when_it_is_closed() {
    let mut bench = Bench::start(Disk);
    for n in 0..72 {
        bench.sink.block(block(call(1), n)).unwrap();
    }
    bench.sink.end(call(1), 57_600);
    let closed = bench.closed();
    assert_eq!((closed.status, closed.reason, closed.duration_ms), (RecordingStatus::Ok, None, 7_200));
    let bytes = fs::read(&bench.path).unwrap();
    assert_eq!(closed.bytes, bytes.len() as u64);
    let sha256: String = <sha2::Sha256 as sha2::Digest>::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(closed.sha256, Some(sha256));
    let samples = read(&bench.path);
    assert_eq!((samples.len(), samples[2 * 30_000], samples[2 * 30_000 + 1]), (2 * 57_600, 30_000, !30_000));
    assert!(!path::part(&bench.path).exists());
    assert_eq!(repair_all(bench.folder.path(), &nothing()), []);
}

#[test]
fn the_recorder_gives_way_while_it_keeps_up_and_not_when_it_is_behind() {
    let given = |open| (1..=100_000).filter(|n| gives_way(*n, open)).collect::<Vec<usize>>();

    assert_eq!(given(40), [16, 32, 48, 64, 80]);
    // The orders of few calls are over before anybody has waited.
    assert!(given(7).is_empty());
    // 100,000 orders without a rest: most of them in one go.
    assert_eq!(given(700).len(), 87);
}

#[test]
fn lost_blocks_become_silence_in_their_place() {
    let mut bench = Bench::start(Disk);
    for n in [0, 1, 4] {
        bench.sink.block(block(call(1), n)).unwrap();
    }
    bench.sink.end(call(1), 4_800);
    let closed = bench.closed();
    assert_eq!((closed.status, closed.reason), (RecordingStatus::Partial, Some("queue_full")));
    assert_eq!((closed.duration_ms, closed.frames_lost), (600, 2_400));
    let samples = read(&bench.path);
    let left = |frame: usize| samples[2 * frame];
    assert_eq!([left(1_599), left(1_600), left(3_199), left(3_200), left(4_000)], [1_599, 0, 0, 3_200, 0]);
}

#[test]
fn frames_after_the_end_are_cut() {
    let mut bench = Bench::start(Disk);
    bench.sink.block(block(call(1), 0)).unwrap();
    bench.sink.end(call(1), 500);
    let closed = bench.closed();
    assert_eq!((closed.status, closed.bytes), (RecordingStatus::Ok, 44 + 2_000));
    assert_eq!(read(&bench.path).len(), 1_000);
}

/// What a kill leaves is what is on disk while the recorder is at work: readable as it is, and mended to more.
#[test]
fn a_kill_costs_less_than_a_second() {
    let mut bench = Bench::start(Disk);
    let marker = call(2);
    let mut sent = 0;
    for blocks in [1u64, 4, 9, 13, 47] {
        for n in sent..blocks {
            bench.sink.block(block(call(1), n)).unwrap();
        }
        sent = blocks;
        // When this one is reported closed, all blocks before it were written.
        let other = bench.folder.path().join(format!("other-{blocks}.wav"));
        bench.recorder.begin(marker, other);
        bench.recorder.end(marker, 0);
        bench.closed();
        let killed = bench.folder.path().join(format!("killed/{}.wav", call(3)));
        fs::create_dir_all(killed.parent().unwrap()).unwrap();
        fs::copy(path::part(&bench.path), path::part(&killed)).unwrap();
        let readable = read(&path::part(&killed)).len() as u64 / 2;
        assert!(readable + 4_000 > blocks * 800, "{readable} of {}", blocks * 800);
        let mended = repair_all(&bench.folder.path().join("killed"), &nothing());
        assert_eq!((mended.len(), &mended[0].path, mended[0].call), (1, &killed, call(3)));
        assert!(mended[0].frames >= readable);
        let samples = read(&killed);
        assert!((0..samples.len() / 2).all(|n| samples[2 * n] == n as i16));
    }
}

/// Closing reads whole files and waits for the disk; what is said meanwhile is written all the same.
#[test]
fn a_recording_that_is_closed_slowly_keeps_no_other_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (go_on, gate) = mpsc::channel::<()>();
    let closed = move |_| _ = gate.recv();
    let recorder = Recorder::start_on(Disk, (Gauge::default(), Vault::new(folder.path(), &[])), closed).unwrap();
    let file = |n| folder.path().join(format!("{}.wav", call(n)));
    recorder.begin(call(1), file(1));
    recorder.end(call(1), 8_000);
    recorder.begin(call(2), file(2));
    let mut sink = recorder.sink();
    for n in 0..30 {
        sink.block(block(call(2), n)).unwrap();
    }
    let written = || fs::metadata(path::part(&file(2))).map_or(0, |part| part.len());
    let mut looks = 0;
    while written() < 44 + 30 * 3_200 {
        looks += 1;
        assert!(looks < 500, "{} octets of three seconds are written", written());
        thread::park_timeout(Duration::from_millis(10));
    }
    drop(go_on);
}

#[test]
fn a_recorder_that_goes_leaves_everything_to_repair() {
    let mut bench = Bench::start(Disk);
    for n in 0..7 {
        bench.sink.block(block(call(1), n)).unwrap();
    }
    let Bench { recorder, mut sink, folder, path, .. } = bench;
    drop(recorder);
    assert_eq!(sink.block(block(call(1), 7)), Err(block(call(1), 7)));
    let mended = repair_all(folder.path(), &nothing());
    assert_eq!((mended.len(), mended[0].frames, &mended[0].path), (1, 5_600, &path));
}

#[test]
fn a_full_queue_gives_the_block_back() {
    let (orders, _inbox) = mpsc::channel();
    let mut sink = DiskSink { orders, waiting: BTreeMap::new() };
    for n in 0..100 {
        sink.block(block(call(1), n)).unwrap();
    }
    assert_eq!(sink.block(block(call(1), 100)), Err(block(call(1), 100)));
    assert_eq!(sink.block(block(call(2), 0)), Ok(()), "another call has a queue of its own");
}

/// A disk with room for so many bytes, then full until the room is made bigger.
#[derive(Clone)]
struct SmallDisk(Arc<Mutex<u64>>);

struct SmallFile(File, Arc<Mutex<u64>>);

impl Medium for SmallDisk {
    type File = SmallFile;

    fn create(&self, path: &Path) -> io::Result<SmallFile> {
        Ok(SmallFile(File::create(path)?, Arc::clone(&self.0)))
    }
}

impl Write for SmallFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.1.lock().unwrap();
        let take = bytes.len().min(*room as usize);
        if take == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *room -= take as u64;
        self.0.write(&bytes[..take])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Seek for SmallFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn on_a_full_disk_what_fits_is_kept_and_the_call_goes_on() {
    for room in [0, 1, 44, 60, 3_000, 40_001, 60_003] {
        let mut bench = Bench::start(SmallDisk(Arc::new(Mutex::new(room))));
        for n in 0..30 {
            bench.sink.block(block(call(1), n)).unwrap();
        }
        bench.sink.end(call(1), 24_000);
        let closed = bench.closed();
        assert_eq!(closed.reason, Some("disk_full"), "{room}");
        assert!(closed.frames_lost > 0);
        if room <= 44 {
            assert_eq!((closed.status, bench.path.exists()), (RecordingStatus::None, false), "{room}");
            continue;
        }
        assert_eq!(closed.status, RecordingStatus::Partial, "{room}");
        let samples = read(&bench.path);
        assert_eq!(closed.duration_ms, samples.len() as u64 / 16);
        assert!(samples.len() as u64 * 2 + 4_000 * 4 >= room.saturating_sub(1_000), "{room}: {}", samples.len());
        assert!((0..samples.len() / 2).all(|n| samples[2 * n] == n as i16), "{room}");
    }
}

/// The disk, with small files.
struct SmallFiles;

impl Medium for SmallFiles {
    type File = File;

    fn create(&self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    fn most_frames(&self) -> u64 {
        8_000
    }
}

#[test]
fn a_recording_that_fills_its_file_goes_on_in_the_next_one_on_the_same_time_line() {
    let mut bench = Bench::start(SmallFiles);
    for n in (0..25).filter(|n| *n != 20) {
        bench.sink.block(block(call(1), n)).unwrap();
    }
    bench.sink.end(call(1), 20_000);
    let closed = bench.closed();
    assert_eq!(
        (closed.status, closed.reason, closed.duration_ms),
        (RecordingStatus::Partial, Some("queue_full"), 2_500)
    );
    let lengths: Vec<u64> = closed.parts.iter().map(|part| part.duration_ms).collect();
    // The gap lies where the third one begins.
    assert_eq!(lengths, [1_000, 1_000, 500]);
    let files = [1, 2, 3].map(|number| path::numbered(&bench.path, number));
    let samples: Vec<i16> = files.iter().flat_map(|file| read(file)).collect();
    let left: Vec<i16> = samples.iter().step_by(2).copied().collect();
    let expected = |n: i16| if (16_000..16_800).contains(&n) { 0 } else { n };
    assert!(left.iter().zip(0..20_000).all(|(left, n)| *left == expected(n)));
    assert_eq!(closed.sha256.as_ref(), Some(&closed.parts[0].sha256));
    for (file, part) in files.iter().zip(&closed.parts) {
        assert_eq!(measure(file, &nothing()).unwrap().1, part.sha256);
        assert!(path::peaks(file).exists());
    }
}

#[test]
fn a_kill_in_the_second_file_keeps_both_and_an_unwanted_recording_leaves_none() {
    let mut bench = Bench::start(SmallFiles);
    for n in 0..17 {
        bench.sink.block(block(call(1), n)).unwrap();
    }
    drop(bench.recorder);
    let mended = repair_all(bench.folder.path(), &nothing());
    assert_eq!(mended.len(), 2);
    let found = salvage(&mended, &bench.path, &nothing()).unwrap();
    assert_eq!((found.frames, found.parts.len()), (13_600, 2));
    // The first one is closed when the next crash comes.
    assert_eq!(salvage(&mended[1..], &bench.path, &nothing()).map(|found| found.frames), Some(13_600));
    assert_eq!(salvage(&[], &bench.folder.path().join("other.wav"), &nothing()), None);

    let mut bench = Bench::start(SmallFiles);
    for n in 0..17 {
        bench.sink.block(block(call(1), n)).unwrap();
    }
    bench.sink.forget(call(1));
    bench.recorder.begin(call(2), bench.folder.path().join("2.wav"));
    bench.recorder.end(call(2), 0);
    assert_eq!(bench.closed().call, call(2), "nobody is told of the other one");
    assert_eq!(fs::read_dir(bench.path.parent().unwrap()).unwrap().count(), 0);
}

/// What a kill leaves of a sealed recording: all but a quarter of a second of what was written.
#[test]
fn a_kill_costs_a_sealed_recording_one_chunk() {
    let mut bench = Bench::start_with(SmallFiles, &[MasterKey::new([5; 32])]);
    let vault = bench.vault();
    for n in 0..17 {
        bench.sink.block(block(call(1), n)).unwrap();
    }
    drop(bench.recorder);
    // A torn chunk at the end of what was written last.
    let hidden = path::part(&path::sealed(&path::numbered(&bench.path, 2)));
    let length = fs::metadata(&hidden).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&hidden).unwrap().set_len(length - 10).unwrap();
    let mended = repair_all(bench.folder.path(), &vault);
    assert_eq!(mended.len(), 2);
    let found = salvage(&mended, &bench.path, &vault).unwrap();
    // 5,600 frames were in the second file, of which two chunks of 2,048 were written, the last one torn.
    assert_eq!((found.frames, found.parts.len()), (8_000 + 2_048, 2));
    assert!(repair_all(bench.folder.path(), &vault).is_empty());
    // Whoever has lost the key gets nothing, and destroys nothing.
    let mut bench = Bench::start_with(Disk, &[MasterKey::new([5; 32])]);
    bench.sink.block(block(call(1), 0)).unwrap();
    drop(bench.recorder);
    assert_eq!(repair_all(bench.folder.path(), &Vault::new(bench.folder.path(), &[])), []);
    assert!(path::part(&path::sealed(&bench.path)).exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_no_recording() {
    let bench = Bench::start(Disk);
    let file = bench.folder.path().join("file");
    File::create(&file).unwrap();
    bench.recorder.begin(call(2), file.join("2.wav"));
    bench.recorder.end(call(2), 8_000);
    let closed = bench.closed();
    assert_eq!((closed.status, closed.reason, closed.sha256), (RecordingStatus::None, Some("disk_error"), None));
}

/// The first, the second, the third … operation fails, until a whole recording is through before the fault comes.
#[test]
fn whichever_operation_fails_the_recording_says_so_and_what_it_keeps_is_true() {
    const BLOCKS: u64 = 30;
    let whole: Vec<i16> = (0..BLOCKS).flat_map(|n| block(call(1), n).samples).collect();
    let mut swept = 0;
    for n in 1.. {
        let disk = FailsOnce::at(n);
        let mut bench = Bench::start(disk.clone());
        for number in 0..BLOCKS {
            // The call goes on: its blocks are taken whatever the disk does.
            bench.sink.block(block(call(1), number)).unwrap();
        }
        bench.sink.end(call(1), BLOCKS * 800);
        let closed = bench.closed();
        let kept = if bench.path.exists() { read(&bench.path) } else { Vec::new() };
        assert_eq!(kept, whole[..kept.len()], "fault {n}: what is kept is the beginning");
        assert_eq!(closed.duration_ms, kept.len() as u64 / 2 / 8, "fault {n}");
        assert_eq!(closed.sha256.is_some(), !kept.is_empty(), "fault {n}");
        if disk.is_armed() {
            assert_eq!((closed.status, closed.reason), (RecordingStatus::Ok, None));
            assert_eq!(kept, whole);
            break;
        }
        swept = n;
        assert_eq!(closed.reason, Some("disk_error"), "fault {n}");
        let status = if kept.is_empty() { RecordingStatus::None } else { RecordingStatus::Partial };
        assert_eq!(closed.status, status, "fault {n}");
        assert!(bench.closed.try_recv().is_err(), "fault {n}: closed twice");
        // The next call's recording is not concerned.
        let next = bench.folder.path().join("next.wav");
        bench.recorder.begin(call(2), next.clone());
        bench.sink.block(block(call(2), 0)).unwrap();
        bench.sink.end(call(2), 800);
        assert_eq!(bench.closed().status, RecordingStatus::Ok, "fault {n}");
    }
    assert!(swept > 20, "only {swept} operations in three seconds of sound");
}
