//! Recordings of made-up calls on a real disk, with everything that can be wrong with them.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;
use crate::call::fact::{Fact, PausedBy, RecordedPart, What};
use crate::call::reason::{EndedBy, Reason};
use crate::ids::Side;
use crate::io::disk;
use crate::io::inspection::{self, Fault, Summary};
use crate::io::playback::{PlaybackError, Recordings};
use crate::io::recording::Recording;
use crate::io::sound_file::SoundError;
use crate::io::vault::MasterKey;
use crate::ledger::Subject;
use crate::ledger::story::{self, Story};
use crate::media::{Block, wav};
use crate::quality::{Decoded, Heard};
use crate::store::{Class, Reader, Writer};

const NUMBER: &str = "13900000001";
/// Of the tests about where it lies.
const GREETING: &str = "您好，物业客户服务中心八号接待员为您服务。";

fn greeting() -> Vec<i16> {
    let file = include_bytes!("../../dialplans/prompts/zh-CN/greet/property/8.wav");
    wav::read_mono(&file[..]).unwrap().0
}

struct House {
    folder: TempDir,
    writer: Writer,
    calls: Vec<CallId>,
}

impl House {
    /// Calls 1 to `n`, connected for 4,999 ms each, every one with a recording as long.
    fn with(n: u64) -> House {
        let folder = tempfile::tempdir().unwrap();
        let key = ledger::subject_key(folder.path()).unwrap();
        let writer = Writer::open(folder.path(), key).unwrap();
        let mut house = House { folder, writer, calls: Vec::new() };
        (1..=n).for_each(|seed| house.call(seed, 4_999));
        house
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    fn call(&mut self, seed: u64, recorded_ms: u64) {
        let ended = Story::talking(seed).ended(9_000, Reason::CallerHungUp, EndedBy::Caller);
        self.keep(ended.at(9_050, story::recording_ok(recorded_ms)).facts(), recorded_ms);
    }

    /// A call with a recording of this length.
    fn keep(&mut self, facts: Vec<Fact>, recorded_ms: u64) {
        self.keep_sound(facts, 8_000, &vec![77; recorded_ms as usize * 16]);
    }

    fn keep_sound(&mut self, mut facts: Vec<Fact>, rate_hz: u32, samples: &[i16]) {
        let call = facts[0].call;
        let What::Offered(offered) = &facts[0].what else { panic!("no call") };
        let subject = Subject { id: offered.caller, number: NUMBER.to_owned() };
        let relative = path::recording(facts[0].at.wall(), call);
        let file = self.data().join(&relative);
        write(&file, rate_hz, samples);
        let (_, hash) = disk::measure(&file, &Vault::new(Path::new(""), &[])).unwrap();
        for fact in &mut facts {
            match &mut fact.what {
                What::RecordingStarted { path } => *path = relative.to_string_lossy().into_owned(),
                What::RecordingClosed { sha256, .. } => *sha256 = Some(hash.clone()),
                _ => {}
            }
        }
        self.append(&facts, &[subject]);
        self.calls.push(call);
    }

    fn append(&mut self, facts: &[Fact], subjects: &[Subject]) {
        self.writer.append(facts, subjects).unwrap();
    }

    fn file(&self, n: usize) -> PathBuf {
        let row = self.reader().recording(self.calls[n]).unwrap().unwrap();
        self.data().join(row.path.unwrap())
    }

    fn reader(&self) -> Reader {
        Reader::open(self.data()).unwrap()
    }

    fn custodian(&self, days: Option<u32>) -> Custodian {
        Custodian::open(self.data(), Retention { days, classes: Vec::new() }, self.vault()).unwrap()
    }

    /// Opens what is sealed; new recordings are as each test wants them.
    fn vault(&self) -> Vault {
        Vault::new(self.data(), &[MasterKey::new([5; 32])])
    }

    fn verify(&self) -> (BTreeMap<Fault, usize>, Summary) {
        let mut found = BTreeMap::new();
        let mut say = |text: &str| (text == GREETING).then(|| greeting().into());
        let summary = inspection::verify(
            &self.reader(),
            (self.data(), &self.vault()),
            Wall::from_micros(i64::MIN),
            &mut say,
            &mut |finding| {
                *found.entry(finding.fault).or_default() += 1;
                Ok(())
            },
        );
        (found, summary.unwrap())
    }
}

fn record(file: &Path, ms: u64) {
    write(file, 8_000, &vec![77; ms as usize * 16]);
}

fn write(file: &Path, rate_hz: u32, samples: &[i16]) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut writer = wav::Writer::create(File::create(file).unwrap(), rate_hz).unwrap();
    writer.frames(samples).unwrap();
    writer.finish().unwrap();
}

fn later(days: i64) -> Wall {
    Wall::from_micros(story::MORNING.as_micros() + days * 86_400_000_000)
}

fn done(custodian: &mut Custodian, order: &Order, now: Wall) -> String {
    custodian.carry_out(order, now).unwrap().join("\n")
}

#[test]
fn each_connected_call_has_one_row_and_everything_is_whole() {
    let mut house = House::with(3);
    let not_connected = Story::new(9).ended(2_000, Reason::CallerCancelled, EndedBy::Caller).facts();
    house.append(&not_connected, &[]);
    let (found, summary) = house.verify();
    assert_eq!(found, BTreeMap::new());
    assert_eq!((summary.rows, summary.ok, summary.coverage), (3, 3, 1.0));
    assert_eq!(house.writer.rebuild().unwrap(), 4);
    assert_eq!(house.verify(), (found, summary), "computed anew it is the same");
}

/// The third call's recording has three files.
fn with_parts() -> (House, Vec<u8>) {
    let mut house = House::with(2);
    let mut facts = Story::talking(3).ended(9_000, Reason::CallerHungUp, EndedBy::Caller).facts();
    let (call, relative) = (facts[0].call, path::recording(facts[0].at.wall(), facts[0].call));
    let file = house.data().join(&relative);
    let (mut parts, mut whole) = (Vec::new(), Vec::new());
    for (number, ms) in [(1, 2_000), (2, 2_000), (3, 999)] {
        let part = path::numbered(&file, number);
        record(&part, ms);
        fs::write(path::peaks(&part), [0; 20]).unwrap();
        whole.extend(&fs::read(&part).unwrap()[44..]);
        parts.push(RecordedPart { duration_ms: ms, sha256: disk::measure(&part, &house.vault()).unwrap().1 });
    }
    for fact in &mut facts {
        if let What::RecordingStarted { path } = &mut fact.what {
            *path = relative.to_string_lossy().into_owned();
        }
    }
    let (status, sha256) = (RecordingStatus::Ok, Some(parts[0].sha256.clone()));
    let what = What::RecordingClosed { status, reason: None, duration_ms: 4_999, sha256, parts };
    let (n, at) = (facts.last().unwrap().n + 1, facts.last().unwrap().at);
    facts.push(Fact { call, n, at, what });
    let What::Offered(offered) = &facts[0].what else { panic!("no call") };
    let subject = Subject { id: offered.caller, number: NUMBER.to_owned() };
    house.append(&facts, &[subject]);
    house.calls.push(call);
    (house, whole)
}

#[test]
fn a_recording_of_several_files_is_one_for_whoever_checks_hears_or_deletes_it() {
    let (house, samples) = with_parts();
    assert_eq!(house.verify().0, BTreeMap::new());
    let recordings = Recordings::new(house.data(), house.vault());
    let read = |range| recordings.read_range(house.calls[2], range).unwrap();
    let whole = read(0..u64::MAX);
    assert_eq!((whole.first, whole.total), (0, 44 + samples.len() as u64));
    assert_eq!(whole.bytes[44..], samples);
    assert_eq!(whole.bytes[40..44], u32::try_from(samples.len()).unwrap().to_le_bytes(), "one header for all of them");
    for range in [0..10, 40..50, 63_990..64_100, 127_000..160_012, 5_000..5_000] {
        let (from, to) = (range.start as usize, range.end as usize);
        assert_eq!(read(range).bytes, whole.bytes[from..to.min(whole.bytes.len())]);
    }
    let end = whole.total;
    assert!(
        matches!(recordings.read_range(house.calls[2], end..end + 1), Err(PlaybackError::Beyond { total }) if total == end)
    );
    let second = path::numbered(&house.file(2), 2);
    let mut bytes = fs::read(&second).unwrap();
    bytes[3_000] ^= 1;
    fs::write(&second, bytes).unwrap();
    record(&path::numbered(&house.file(2), 4), 10);
    assert_eq!(house.verify().0, BTreeMap::from([(Fault::Changed, 1), (Fault::Orphan, 1)]));
    let mut custodian = house.custodian(None);
    let first = house.file(2);
    for by in ["Wang", "Li"] {
        let call = house.calls[2];
        done(&mut custodian, &Order::Destroy { call, by: by.to_owned(), why: "order".to_owned() }, later(1));
    }
    let left = (1..4).flat_map(|n| [path::numbered(&first, n), path::peaks(&path::numbered(&first, n))]);
    assert!(!left.into_iter().any(|file| file.exists()));
    assert!(matches!(recordings.read_range(house.calls[2], 0..1), Err(PlaybackError::Gone(Cause::Destruction))));
    assert!(matches!(recordings.read_range(Story::new(77).facts()[0].call, 0..1), Err(PlaybackError::None)));
}

#[test]
fn channels_that_lie_apart_are_found() {
    let mut house = House::with(1);
    for (seed, astray_us) in [(2, [12_000, 8_900]), (3, [21_500, 13_000])] {
        let measured = |us: u64| {
            let decoded = Decoded { recording_astray_us: us, ..Decoded::default() };
            Box::new(Heard { decoded: Some(decoded), ..story::heard() })
        };
        let story = Story::talking(seed).ended(9_000, Reason::CallerHungUp, EndedBy::Caller);
        let story = [Side::Caller, Side::Agent]
            .into_iter()
            .zip(astray_us)
            .fold(story, |story, (leg, us)| story.at(9_010, What::MediaMeasured { leg, heard: measured(us) }));
        house.keep(story.at(9_050, story::recording_ok(4_999)).facts(), 4_999);
    }
    assert_eq!(house.verify().0, BTreeMap::from([(Fault::Apart, 1)]), "34 ms are too many, 20 are not");
}

/// A stream whose packets came evenly.
fn calm() -> Heard {
    let mut heard = story::heard();
    heard.measured.jitter.max = 900_000;
    heard
}

/// What the file itself tells: it has the hash of the record, and the sound lies elsewhere.
#[test]
fn prompts_that_lie_elsewhere_and_a_caller_who_is_heard_too_soon_are_found() {
    /// Samples.
    const SLIPS: usize = 5_600;
    let mut house = House::with(1);
    // The agent speaks beside the greeting, as loud; at 8 and at 16 kHz.
    let other = include_bytes!("../../dialplans/prompts/zh-CN/hold.lookup.wav");
    let other = wav::read_mono(&other[..]).unwrap().0;
    for (seed, astray_ms, rate_khz) in [(2, 0, 8), (3, 19, 16), (4, 34, 8), (5, -60, 16), (6, 400, 8), (7, 0, 8)] {
        let arrived = What::MediaArrived { leg: Side::Caller };
        let (prompt, play) = (GREETING.to_owned(), crate::media::Play::Greeting);
        let facts = Story::talking(seed)
            .at(4_301, What::PlayStarted { play, prompt, agent: Some("8".into()), late: false })
            .at(4_501, arrived)
            .at(7_500, What::PlayEnded { play, to_end: true })
            .ended(9_000, Reason::CallerHungUp, EndedBy::Caller)
            .at(9_010, What::MediaMeasured { leg: Side::Caller, heard: Box::new(calm()) })
            .at(9_050, story::recording_ok(4_999))
            .facts();
        let connected = facts.iter().find(|fact| fact.what == What::Connected).unwrap().at;
        let since = |ms: usize| facts[ms].at.millis_since(connected).unwrap() as i64;
        let of = |wanted: fn(&What) -> bool| since(facts.iter().position(|fact| wanted(&fact.what)).unwrap());
        let played_ms = of(|what| matches!(what, What::PlayStarted { .. }));
        let came_ms = of(|what| matches!(what, What::MediaArrived { .. }));
        let mut samples = vec![0; 4_999 * rate_khz * 2];
        let mut mix = |side: usize, from_ms: i64, sound: &[i16]| {
            for (n, sample) in sound.iter().flat_map(|s| std::iter::repeat_n(*s, rate_khz / 8)).enumerate() {
                let at = (from_ms as usize * rate_khz + n) * 2 + side;
                if let Some(place) = samples.get_mut(at) {
                    *place = i16::saturating_add(*place, sample);
                }
            }
        };
        let (begin, rest) = (&greeting()[..SLIPS], &greeting()[SLIPS..]);
        mix(1, played_ms + astray_ms, begin);
        // One whose rest moved back when the media thread stood still lies where it was heard.
        mix(1, played_ms + astray_ms + SLIPS as i64 / 8 + if seed == 7 { 100 } else { 0 }, rest);
        if seed != 7 {
            mix(1, 500, &other);
        }
        // It is as far from its place as the greeting.
        mix(0, came_ms + astray_ms, &other);
        house.keep_sound(facts, rate_khz as u32 * 1_000, &samples);
    }
    let (found, summary) = house.verify();
    // Three prompts, and the caller who is 60 ms early.
    assert_eq!(found, BTreeMap::from([(Fault::Misplaced, 4)]), "{summary:?}");
    assert_eq!((summary.prompts, summary.farthest_ms), (6, 400));
}

#[test]
fn sound_where_the_record_says_silence_is_found() {
    let mut house = House::with(1);
    let paused = |from: u64, to: u64| {
        [(from, What::RecordingPaused { by: PausedBy::Api }), (to, What::RecordingResumed { by: PausedBy::Api })]
    };
    let story = paused(5_000, 6_000).into_iter().fold(Story::talking(2), |story, (at, what)| story.at(at, what));
    let mut facts =
        story.ended(9_000, Reason::CallerHungUp, EndedBy::Caller).at(9_050, story::recording_ok(4_999)).facts();
    let relative = path::recording(facts[0].at.wall(), facts[0].call);
    let file = house.data().join(&relative);
    let connected = facts.iter().find(|fact| fact.what == What::Connected).unwrap().at;
    let began = facts.iter().find(|f| matches!(f.what, What::RecordingPaused { .. })).unwrap().at;
    let from = began.millis_since(connected).unwrap() as usize;
    for silent in [true, false] {
        let mut writer = wav::Writer::create(File::create(&file).unwrap(), 8_000).unwrap();
        let mut samples = vec![77; 4_999 * 16];
        if silent {
            samples[from * 16..(from + 1_000) * 16].fill(0);
        } else {
            samples[from * 16..(from + 500) * 16].fill(0);
        }
        writer.frames(&samples).unwrap();
        writer.finish().unwrap();
        if silent {
            let hash = disk::measure(&file, &Vault::new(Path::new(""), &[])).unwrap().1;
            for fact in &mut facts {
                match &mut fact.what {
                    What::RecordingStarted { path } => *path = relative.to_string_lossy().into_owned(),
                    What::RecordingClosed { sha256, .. } => *sha256 = Some(hash.clone()),
                    _ => {}
                }
            }
            let What::Offered(offered) = &facts[0].what else { panic!("no call") };
            let subject = Subject { id: offered.caller, number: NUMBER.to_owned() };
            house.append(&facts, &[subject]);
            assert_eq!(house.verify().0, BTreeMap::new());
        }
    }
    assert_eq!(house.verify().0, BTreeMap::from([(Fault::Changed, 1)]), "told by its hash");
    let row = house.reader().recording(facts[0].call).unwrap().unwrap();
    let at_ms =
        recording::first_sound(&file, &house.vault(), row.blanked[0].from_ms, row.blanked[0].to_ms.unwrap()).unwrap();
    assert_eq!(at_ms, Some(from as u64 + 500));
}

/// The second call's recording is sealed; the samples of its file.
fn with_a_sealed_one() -> (House, PathBuf, Vec<u8>) {
    let house = House::with(2);
    let path = house.file(1);
    let samples = fs::read(&path).unwrap().split_off(44);
    fs::remove_file(&path).unwrap();
    let key = house.vault().fresh(house.calls[1], &path).unwrap();
    let mut recording = Recording::begin(&recording::Disk, house.calls[1], &path, key);
    for (n, block) in samples.chunks(3_200).enumerate() {
        let samples = block.chunks(2).map(|octets| i16::from_le_bytes([octets[0], octets[1]])).collect();
        let first_frame = n as u64 * 800;
        recording.block(&recording::Disk, &Block { call: house.calls[1], first_frame, rate_hz: 8_000, samples });
    }
    let closed = recording.end(4_999 * 8);
    let row = house.reader().recording(house.calls[1]).unwrap().unwrap();
    assert_eq!((closed.sha256, closed.duration_ms), (row.sha256, 4_999), "its hash is that of the plain file");
    let sealed = path::sealed(&path);
    assert!(!path.exists() && sealed.exists());
    (house, sealed, samples)
}

#[test]
fn a_sealed_recording_is_checked_heard_and_erased_by_its_key() {
    let (house, sealed, samples) = with_a_sealed_one();
    assert_eq!(house.verify().0, BTreeMap::new());
    let recordings = Recordings::new(house.data(), house.vault());
    let whole = recordings.read_range(house.calls[1], 0..u64::MAX).unwrap();
    assert_eq!((whole.bytes[44..].to_vec(), whole.total), (samples.clone(), 44 + samples.len() as u64));
    assert_eq!(recordings.read_range(house.calls[1], 70_001..70_100).unwrap().bytes, whole.bytes[70_001..70_100]);
    assert_eq!(&recordings.waveform(house.calls[1]).unwrap().unwrap()[..4], b"HLPK");
    let on_disk = fs::read(&sealed).unwrap();
    let waveform = fs::read(path::sealed(&path::peaks(&path::unsealed(&sealed)))).unwrap();
    assert!(!on_disk.windows(8).any(|octets| octets == &samples[..8]), "nothing of it is in the clear");
    assert!(!waveform.windows(4).any(|octets| octets == b"HLPK"));

    let without = Recordings::new(house.data(), Vault::new(house.data(), &[]));
    assert!(
        matches!(without.read_range(house.calls[1], 0..1), Err(PlaybackError::File(why)) if why.contains("key_file"))
    );
    let mut changed = on_disk.clone();
    changed[20_000] ^= 1;
    fs::write(&sealed, &changed).unwrap();
    assert_eq!(house.verify().0, BTreeMap::from([(Fault::Changed, 1)]));
    fs::write(&sealed, &on_disk[..20_000]).unwrap();
    assert_eq!(house.verify().0, BTreeMap::from([(Fault::Changed, 1)]));
    fs::write(&sealed, &on_disk).unwrap();
    // Left open by a crash of the recorder: closed by repair.
    let part = path::part(&sealed);
    fs::rename(&sealed, &part).unwrap();
    let length = fs::metadata(&part).unwrap().len();
    OpenOptions::new().write(true).open(&part).unwrap().set_len(length - 36).unwrap();
    let said = done(&mut house.custodian(None), &Order::Repair, later(1));
    assert!(said.contains("as the record has it") && said.ends_with("1 files mended, 0 left as they are"), "{said}");
    assert_eq!(house.verify().0, BTreeMap::new());

    // A copy that somebody has kept is of no use once the key is gone.
    let copy = fs::read(&sealed).unwrap();
    let receipt = Order::Erase { caller: NUMBER.to_owned(), by: "Li".to_owned() };
    done(&mut house.custodian(None), &receipt, later(1));
    assert!(!sealed.exists());
    assert!(!below(&house.data().join("keys")).any(|file| file.exists()), "no key is left");
    fs::write(&sealed, copy).unwrap();
    let found = recording::measure(&path::unsealed(&sealed), &house.vault());
    assert!(matches!(found, Err(SoundError::Key(VaultError::Gone))), "{found:?}");
}

#[test]
fn every_kind_of_damage_is_named() {
    let mut house = House::with(5);
    house.call(6, 4_950);
    fs::remove_file(house.file(0)).unwrap();
    // One sample of sound.
    let mut bytes = fs::read(house.file(1)).unwrap();
    bytes[3_000] ^= 1;
    fs::write(house.file(1), bytes).unwrap();
    // The sizes in the header.
    let mut bytes = fs::read(house.file(2)).unwrap();
    bytes[40] ^= 0xff;
    fs::write(house.file(2), bytes).unwrap();
    let length = fs::metadata(house.file(3)).unwrap().len();
    OpenOptions::new().write(true).open(house.file(3)).unwrap().set_len(length - 32_000).unwrap();
    let nobody = Story::new(99).facts()[0].call;
    record(&house.file(4).with_file_name(format!("{nobody}.wav")), 100);
    fs::write(house.file(4).with_file_name("notes.txt"), "").unwrap();
    fs::copy(house.file(4), path::part(&house.file(4))).unwrap();
    let (found, summary) = house.verify();
    let expected = BTreeMap::from([
        (Fault::Missing, 1),
        (Fault::Changed, 3),
        (Fault::Header, 2),
        // Cut, and shorter than the two were connected.
        (Fault::Length, 2),
        (Fault::Orphan, 1),
        (Fault::LeftOpen, 1),
        (Fault::Stranger, 1),
    ]);
    assert_eq!(found, expected);
    assert_eq!((summary.faults, summary.other_files, summary.rows), (11, 2, 6));
}

#[test]
fn repair_mends_what_gives_the_recorded_file_and_nothing_else() {
    let house = House::with(3);
    let whole = fs::read(house.file(0)).unwrap();
    let torn = |n: usize, at: usize| {
        let mut bytes = whole.clone();
        bytes[40..44].fill(0);
        bytes[at] ^= 1;
        fs::write(house.file(n), &bytes).unwrap();
        bytes
    };
    torn(0, 40);
    let evidence = torn(1, 3_000);
    let left_open = house.file(2);
    fs::rename(&left_open, path::part(&left_open)).unwrap();
    let db = rusqlite::Connection::open(house.data().join(crate::store::FILE)).unwrap();
    db.execute("DELETE FROM recording WHERE call = ?1", [house.calls[0].0.as_bytes()]).unwrap();
    assert!(house.verify().0.contains_key(&Fault::NoRow));

    let said = done(&mut house.custodian(None), &Order::Repair, later(1));
    assert!(said.ends_with("1 rows written, 2 files mended, 1 left as they are"), "{said}");
    let file = |n: usize| house.file(n);
    assert_eq!(fs::read(file(0)).unwrap(), whole);
    assert_eq!(fs::read(file(1)).unwrap(), evidence, "what is evidence stays as it is");
    let (found, _) = house.verify();
    assert_eq!(found, BTreeMap::from([(Fault::Changed, 1), (Fault::Header, 1)]));
}

#[test]
fn only_what_retention_allows_goes_and_nothing_under_hold() {
    let house = House::with(3);
    let mut custodian = house.custodian(Some(30));
    let hold = Order::Hold { call: house.calls[1], by: "Wang".to_owned(), why: "complaint".to_owned() };
    done(&mut custodian, &hold, later(1));
    let prune = |dry_run| Order::Prune { dry_run };
    assert!(done(&mut custodian, &prune(false), later(29)).starts_with("0 recordings"));
    let said = done(&mut custodian, &prune(true), later(31));
    assert!(said.contains("2 recordings would go"), "{said}");
    assert!(house.file(0).exists());
    assert!(done(&mut custodian, &prune(false), later(31)).contains("2 recordings deleted"));
    assert_eq!([0, 1, 2].map(|n| house.file(n).exists()), [false, true, false]);
    let (found, summary) = house.verify();
    assert_eq!((found, summary.removed), (BTreeMap::new(), 2), "what went on purpose is no fault");
    // A file that comes back is one.
    record(&house.file(0), 4_999);
    assert_eq!(house.verify().0, BTreeMap::from([(Fault::Unexpected, 1)]));
    done(&mut custodian, &Order::Release { call: house.calls[1] }, later(32));
    assert!(done(&mut custodian, &prune(false), later(32)).contains("1 recordings deleted"));
}

#[test]
fn room_is_made_from_the_oldest_on_and_only_as_much_as_is_needed() {
    let house = House::with(3);
    let mut asked = 0;
    let gone = house.custodian(Some(30)).make_room(later(31), || {
        asked += 1;
        asked > 2
    });
    assert_eq!(gone.unwrap(), 2);
    assert_eq!(house.custodian(None).make_room(later(3_000), || false).unwrap(), 0, "without a retention all is kept");
    assert_eq!((0..3).filter(|n| house.file(*n).exists()).count(), 1);
}

#[test]
fn the_first_class_that_fits_decides() {
    let house = House::with(1);
    let row = house.reader().recording(house.calls[0]).unwrap().unwrap();
    let class = |hotline: Option<&str>, days| Class { hotline: hotline.map(Into::into), outcome: row.outcome, days };
    let classes = vec![class(Some("another"), Some(1)), class(None, None), class(None, Some(1))];
    assert!(!Retention { days: Some(1), classes }.is_over(&row, later(999)));
    let classes = vec![class(Some(row.hotline.as_str()), Some(10))];
    let retention = Retention { days: None, classes };
    assert_eq!([9, 11].map(|days| retention.is_over(&row, later(days))), [false, true]);
}

#[test]
fn destruction_takes_two() {
    let house = House::with(2);
    let mut custodian = house.custodian(None);
    let destroy =
        |by: &str| Order::Destroy { call: house.calls[0], by: by.to_owned(), why: "order of court".to_owned() };
    assert!(done(&mut custodian, &destroy("Wang"), later(1)).contains("another person"));
    assert!(custodian.carry_out(&destroy(" wang "), later(1)).is_err(), "the same one again is no second person");
    assert!(custodian.carry_out(&destroy(""), later(1)).is_err());
    assert!(house.file(0).exists());
    let hold = Order::Hold { call: house.calls[0], by: "Zhao".to_owned(), why: "appeal".to_owned() };
    done(&mut custodian, &hold, later(1));
    assert!(custodian.carry_out(&destroy("Li"), later(1)).is_err(), "a hold forbids it");
    done(&mut custodian, &Order::Release { call: house.calls[0] }, later(2));
    assert!(done(&mut custodian, &destroy("Li"), later(2)).contains("destroyed"));
    assert!(!house.file(0).exists() && house.file(1).exists());
    assert_eq!(house.verify().0, BTreeMap::new());
}

#[test]
fn an_erased_number_is_found_nowhere_on_the_disk() {
    let mut house = House::with(3);
    let marker = NUMBER.as_bytes();
    let holds_marker = |house: &House| {
        let files = below(house.data()).filter(|file| {
            let bytes = fs::read(file).unwrap();
            bytes.windows(marker.len()).any(|window| window == marker)
        });
        files.count()
    };
    assert!(holds_marker(&house) > 0, "the number is there before");
    let mut custodian = house.custodian(None);
    let hold = Order::Hold { call: house.calls[2], by: "Wang".to_owned(), why: "complaint".to_owned() };
    done(&mut custodian, &hold, later(1));
    let erase = |caller: &str| Order::Erase { caller: caller.to_owned(), by: "Li".to_owned() };
    let receipt = done(&mut custodian, &erase("13900000002"), later(1));
    assert!(receipt.contains(r#""calls":0"#), "{receipt}");
    let receipt: serde_json::Value = serde_json::from_str(&done(&mut custodian, &erase(NUMBER), later(1))).unwrap();
    assert_eq!((receipt["subjects"].as_u64(), receipt["calls"].as_u64()), (Some(3), Some(3)));
    assert_eq!((receipt["recordings"].as_u64(), receipt["held"].as_u64()), (Some(2), Some(1)));
    assert_eq!([0, 1, 2].map(|n| house.file(n).exists()), [false, false, true]);
    assert_eq!(holds_marker(&house), 0);
    // The server goes on beside it, and rows that are computed anew bring nothing back.
    house.call(4, 4_999);
    house.writer.rebuild().unwrap();
    assert_eq!(house.reader().recording(house.calls[0]).unwrap().unwrap().removed.unwrap().cause, Cause::Erasure);
    assert_eq!(house.verify().0, BTreeMap::new());
}

/// Words are kept beside the facts, judged, judged again when rows are rebuilt, and go with the recording or the number.
#[test]
fn a_transcript_decides_the_rules_of_words_and_goes_with_its_recording() {
    let mut house = House::with(3);
    let mut custodian = house.custodian(None);
    let said = |to_ms: u64| {
        let text = format!(
            "{{\"transcript\":1,\"recogniser\":\"by hand\",\"version\":\"1\",\"language\":\"zh-CN\"}}\n\
             {{\"channel\":\"agent\",\"from_ms\":100,\"to_ms\":{to_ms},\"text\":\"喂,不知道,关键词\"}}\n"
        );
        Transcript::read("words.jsonl", &text).unwrap()
    };
    let order = |call, transcript| {
        let (file, by) = ("words.jsonl".to_owned(), "recogniser".to_owned());
        Order::Transcribe { call, file, transcript, by }
    };
    let verdict = |house: &House, call, rule: &str| {
        let record = house.reader().call(call).unwrap().unwrap().record;
        record.verdicts.into_iter().find(|found| found.rule == rule).map(|found| found.verdict)
    };
    let calls = house.calls.clone();
    assert_eq!(verdict(&house, calls[0], "R-045"), None, "nobody told what was said");
    let late = custodian.carry_out(&order(calls[0], said(9_000)), later(0)).unwrap_err();
    assert!(late.to_string().starts_with("words.jsonl:2: it ends at 9000 ms, the call at 4999 ms"), "{late}");
    for call in &calls {
        custodian.carry_out(&order(*call, said(2_000)), later(0)).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(verdict(&house, calls[0], "R-045").as_deref(), Some("fail"));
        house.writer.rebuild().unwrap();
    }
    assert_eq!(house.reader().transcript(calls[0]).unwrap(), Some(said(2_000)));
    for by in ["one", "another"] {
        let (by, why) = (by.to_owned(), "order".to_owned());
        custodian.carry_out(&Order::Destroy { call: calls[0], by, why }, later(1)).unwrap();
    }
    assert_eq!((house.reader().transcript(calls[0]).unwrap(), verdict(&house, calls[0], "R-045")), (None, None));
    assert!(custodian.carry_out(&order(calls[0], said(2_000)), later(1)).is_err(), "its recording is gone");
    let (by, why) = ("lead".to_owned(), "a claim".to_owned());
    custodian.carry_out(&Order::Hold { call: calls[2], by: by.clone(), why }, later(1)).unwrap();
    custodian.carry_out(&Order::Erase { caller: NUMBER.to_owned(), by }, later(2)).unwrap();
    let kept = |call| house.reader().transcript(call).unwrap().is_some();
    assert_eq!((kept(calls[1]), kept(calls[2])), (false, true));
    let files = fs::read_dir(house.data()).unwrap().filter_map(|file| fs::read(file.unwrap().path()).ok());
    let of_one: usize = files.map(|bytes| bytes.windows(9).filter(|found| *found == "关键词".as_bytes()).count()).sum();
    assert_eq!(of_one, 1, "only the words under legal hold are on the disk");
}
