//! Copying in virtual time, to a store that fails on order: a day's outage, a crash at any point, objects that are not what they were.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::*;
use crate::call::fact::What;
use crate::call::reason::{EndedBy, Reason};
use crate::io::disk;
use crate::io::ledger::subject_key;
use crate::io::vault::Vault;
use crate::ledger::story::{self, Story};
use crate::media::wav;
use crate::store::{Cause, Custody, Writer};

/// Objects in memory.
#[derive(Clone, Default)]
struct Shop(Arc<Mutex<Shelves>>);

#[derive(Default)]
struct Shelves {
    objects: BTreeMap<String, Vec<u8>>,
    is_away: bool,
    /// Says that it failed when all was done: the answer was lost.
    loses_answers: bool,
    takes_no_deletions: bool,
    asked: u32,
}

impl Shop {
    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap()
    }

    fn ask(&self) -> Result<MutexGuard<'_, Shelves>, ObjectError> {
        let mut shelves = self.shelves();
        shelves.asked += 1;
        if shelves.is_away { Err(ObjectError::Store("away".to_owned())) } else { Ok(shelves) }
    }
}

impl Remote for Shop {
    fn length(&self, key: &str) -> Result<Option<u64>, ObjectError> {
        Ok(self.ask()?.objects.get(key).map(|octets| octets.len() as u64))
    }

    fn create(&self, key: &str, file: &Path) -> Result<(), ObjectError> {
        let mut shelves = self.ask()?;
        if shelves.objects.contains_key(key) {
            return Err(ObjectError::Exists(key.to_owned()));
        }
        shelves.objects.insert(key.to_owned(), fs::read(file)?);
        if shelves.loses_answers { Err(ObjectError::Store("no answer".to_owned())) } else { Ok(()) }
    }

    fn sha256(&self, key: &str) -> Result<String, ObjectError> {
        let shelves = self.ask()?;
        let octets = shelves.objects.get(key).ok_or_else(|| ObjectError::Absent(key.to_owned()))?;
        Ok(hex(Sha256::new_with_prefix(octets)))
    }

    fn delete(&self, key: &str) -> Result<(), ObjectError> {
        let mut shelves = self.ask()?;
        if shelves.takes_no_deletions {
            return Err(ObjectError::Store("no deletions here".to_owned()));
        }
        shelves.objects.remove(key);
        Ok(())
    }
}

struct Depot {
    folder: tempfile::TempDir,
    writer: Writer,
    shop: Shop,
    calls: Vec<CallId>,
    uploads: Arc<Mutex<Vec<Upload>>>,
    now: Wall,
}

impl Depot {
    fn new() -> Depot {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::open(folder.path(), subject_key(folder.path()).unwrap()).unwrap();
        let (shop, uploads) = (Shop::default(), Arc::default());
        Depot { folder, writer, shop, calls: Vec::new(), uploads, now: later(story::MORNING, Duration::from_secs(60)) }
    }

    /// A call with a recording of 100 ms.
    fn call(&mut self, seed: u64) {
        let story = Story::talking(seed).ended(9_000, Reason::CallerHungUp, EndedBy::Caller);
        let mut facts = story.at(9_050, story::recording_ok(100)).facts();
        let call = facts[0].call;
        let relative = path::recording(facts[0].at.wall(), call);
        let file = self.folder.path().join(&relative);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut writer = wav::Writer::create(File::create(&file).unwrap(), 8_000).unwrap();
        writer.frames(&vec![i16::try_from(seed).unwrap(); 1_600]).unwrap();
        writer.finish().unwrap();
        let (_, hash) = disk::measure(&file, &Vault::new(Path::new(""), &[])).unwrap();
        for fact in &mut facts {
            match &mut fact.what {
                What::RecordingStarted { path } => *path = relative.to_string_lossy().into_owned(),
                What::RecordingClosed { sha256, .. } => *sha256 = Some(hash.clone()),
                _ => {}
            }
        }
        self.writer.append(&facts, &[]).unwrap();
        self.calls.push(call);
    }

    /// As a process that has just begun does it; days that recordings stay here.
    fn round(&self, days: u64) -> Round<Shop> {
        let told = Arc::clone(&self.uploads);
        let ears =
            Ears { uploaded: Box::new(move |upload| told.lock().unwrap().push(upload)), backlog: Box::new(|_, _| {}) };
        let keep = Duration::from_secs(86_400) * u32::try_from(days).unwrap();
        Round::new(self.folder.path(), self.outbox(), self.shop.clone(), keep, ears)
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(self.folder.path()).unwrap()
    }

    /// Turns until so much later.
    fn pass(&mut self, round: &mut Round<Shop>, time: Duration) {
        let until = later(self.now, time);
        // What is done at once takes a moment all the same; hours pass by the minute.
        let least = if time < MINUTE * 60 { Duration::from_millis(1) } else { MINUTE };
        while self.now < until {
            self.now = later(self.now, round.turn(self.now).max(least));
        }
    }

    fn remove(&self, n: usize) -> bool {
        let mut custody = Custody::open(self.folder.path(), subject_key(self.folder.path()).unwrap()).unwrap();
        custody.remove(self.calls[n], Cause::Erasure, None, self.now).unwrap()
    }

    fn objects(&self) -> usize {
        self.shop.shelves().objects.len()
    }

    fn files(&self) -> usize {
        let files = crate::io::inspection::below(&self.folder.path().join("recordings"));
        files.filter(|file| file.extension().is_some_and(|ending| ending == "wav")).count()
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_days_outage_loses_nothing_and_is_not_hammered_at() {
    let mut depot = Depot::new();
    depot.shop.shelves().is_away = true;
    let mut round = depot.round(0);
    for seed in 1..=24 {
        depot.call(seed);
        depot.pass(&mut round, MINUTE * 60);
        if seed == 12 {
            round = depot.round(0);
        }
    }
    let asked = depot.shop.shelves().asked;
    assert!((250..320).contains(&asked), "every five minutes: {asked}");
    assert_eq!((depot.objects(), depot.files()), (0, 24));
    let backlog = depot.outbox().backlog().unwrap();
    assert_eq!((backlog.recordings, backlog.oldest.is_some()), (24, true));
    depot.shop.shelves().is_away = false;
    depot.pass(&mut round, MINUTE * 6);
    assert_eq!((depot.objects(), depot.files()), (24, 0));
    assert_eq!(depot.outbox().backlog().unwrap(), Backlog::default());
    let uploads = depot.uploads.lock().unwrap();
    assert_eq!(uploads.iter().filter(|upload| **upload == Upload::Stored).count(), 24);
}

#[test]
fn an_answer_that_was_lost_costs_no_second_copy_and_another_object_is_never_overwritten() {
    let mut depot = Depot::new();
    (1..=2).for_each(|seed| depot.call(seed));
    depot.shop.shelves().loses_answers = true;
    let mut round = depot.round(7);
    depot.pass(&mut round, MINUTE);
    assert_eq!((depot.objects(), depot.outbox().backlog().unwrap().recordings), (2, 0));
    let stored = depot.uploads.lock().unwrap().iter().filter(|upload| **upload == Upload::Stored).count();
    assert_eq!(stored, 2);
    depot.shop.shelves().loses_answers = false;
    let first = depot.shop.shelves().objects.keys().next().cloned().unwrap();
    depot.call(3);
    let stem = |path: &str| path.rsplit('/').next().unwrap().trim_end_matches(".wav").to_owned();
    let others = first.replace(&stem(&first), &depot.calls[2].to_string());
    depot.shop.shelves().objects.insert(others.clone(), b"somebody else's".to_vec());
    depot.pass(&mut round, MINUTE);
    assert_eq!(depot.outbox().backlog().unwrap().recordings, 1);
    assert_eq!(*depot.uploads.lock().unwrap().last().unwrap(), Upload::Refused);
    assert_eq!(depot.shop.shelves().objects[&others], b"somebody else's");
    assert_eq!(depot.files(), 3);
}

#[test]
fn a_local_copy_goes_after_its_days_if_the_object_is_still_what_was_put_there() {
    let mut depot = Depot::new();
    (1..=3).for_each(|seed| depot.call(seed));
    let mut round = depot.round(2);
    depot.pass(&mut round, MINUTE);
    assert_eq!((depot.objects(), depot.files()), (3, 3));
    let first = depot.shop.shelves().objects.keys().next().cloned().unwrap();
    depot.shop.shelves().objects.get_mut(&first).unwrap()[100] ^= 1;
    let held = depot.calls.iter().position(|call| !first.contains(&call.to_string())).unwrap();
    let mut custody = Custody::open(depot.folder.path(), subject_key(depot.folder.path()).unwrap()).unwrap();
    custody.hold(depot.calls[held], "Wang", "complaint", depot.now).unwrap();
    depot.pass(&mut round, MINUTE * 60 * 47);
    assert_eq!(depot.files(), 3);
    depot.pass(&mut round, MINUTE * 60 * 2);
    assert_eq!(depot.files(), 2, "one is held, one is not what it was there");
    assert_eq!(depot.outbox().backlog().unwrap().recordings, 1);
}

#[test]
fn what_is_erased_goes_from_the_store_too_whenever_it_can_be_reached() {
    let mut depot = Depot::new();
    (1..=4).for_each(|seed| depot.call(seed));
    let mut round = depot.round(7);
    depot.pass(&mut round, MINUTE);
    depot.shop.shelves().is_away = true;
    assert!(depot.remove(0) && !depot.remove(0));
    // One whose copy was begun before a crash, of which nobody knows whether it is there.
    depot.call(5);
    let copy = ObjectCopy { key: "recordings/begun.wav".to_owned(), bytes: 3, sha256: String::new() };
    assert!(depot.outbox().begin(depot.calls[4], std::slice::from_ref(&copy)).unwrap());
    depot.shop.shelves().objects.insert(copy.key.clone(), b"abc".to_vec());
    assert!(depot.remove(4));
    assert!(!depot.outbox().begin(depot.calls[4], &[copy]).unwrap(), "it is not begun again");
    depot.pass(&mut round, MINUTE * 10);
    assert_eq!(depot.objects(), 5);
    depot.shop.shelves().is_away = false;
    // A store that keeps everything for ever still takes what is new.
    depot.shop.shelves().takes_no_deletions = true;
    depot.call(6);
    depot.pass(&mut round, MINUTE * 10);
    assert_eq!(depot.objects(), 6);
    depot.shop.shelves().takes_no_deletions = false;
    depot.pass(&mut round, MINUTE * 10);
    assert_eq!((depot.objects(), depot.outbox().doomed(10).unwrap().len()), (4, 0));
}

#[test]
fn a_file_that_is_not_what_was_recorded_is_not_copied() {
    let mut depot = Depot::new();
    depot.call(1);
    depot.call(2);
    let mut files = crate::io::inspection::below(&depot.folder.path().join("recordings"));
    let file = files.find(|file| file.to_string_lossy().contains(&depot.calls[0].to_string())).unwrap();
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 4]).unwrap();
    let mut round = depot.round(0);
    depot.pass(&mut round, MINUTE);
    assert_eq!((depot.objects(), depot.outbox().backlog().unwrap().recordings), (1, 1));
    fs::write(&file, whole).unwrap();
    depot.pass(&mut round, PUT_OFF);
    assert_eq!((depot.objects(), depot.files()), (2, 0));
}
