//! A whole call in virtual time (rung, answered, greeted, recorded, hung up) in which the first, the second, the third …
//! thing that can fail does: an operation of the recorder's disk, a commit, a write to a socket, the opening of a port.
//!
//! Each time the call goes on, or ends for a reason that has a name; the record tells; nothing is left; nothing is lost
//! that is not counted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::hearing;
use super::phone::{Conduct, Happened, Patience, Then};
use super::scenario::{Around, GREETING_SAMPLES, Scenario};
use super::sound::{Tape, Voices};
use super::world::World;
use crate::call::fact::{Fact, RecordingStatus, What};
use crate::call::presence::AgentFact;
use crate::call::reason::{EndedBy, Reason};
use crate::cdr::{Outcome, Record};
use crate::dialplan::plan::Strategy;
use crate::gateway::{Input, RecordingClosed};
use crate::ids::CallId;
use crate::io::faulty::{FailingFile, FailsOnce};
use crate::io::ledger::{self, Batch, Bounds, Keep};
use crate::io::recording::Recording;
use crate::ledger::Subject;
use crate::media::{Block, SAMPLE_RATE_HZ};
use crate::metrics::{LabelSets, Metrics};
use crate::store::{Appended, Reader, StoreError, Writer};

const TALK: Duration = Duration::from_secs(4);
const PICKUP: Duration = Duration::from_millis(1_500);
/// More things than can fail in such a call.
const MOST: u32 = 400;

/// The real recorder's files, written in the same breath.
struct Files {
    disk: FailsOnce,
    folder: PathBuf,
    open: BTreeMap<CallId, Recording<FailingFile>>,
}

impl Tape for Files {
    fn begin(&mut self, call: CallId, path: &str) {
        self.open.insert(call, Recording::begin(&self.disk, call, &self.folder.join(path), None));
    }

    fn block(&mut self, block: Block) {
        self.open.get_mut(&block.call).expect("a recording that was begun").block(&self.disk, &block);
    }

    fn end(&mut self, call: CallId, total_frames: u64) -> RecordingClosed {
        let closed = self.open.remove(&call).expect("a recording that was begun").end(total_frames);
        RecordingClosed {
            call,
            status: closed.status,
            reason: closed.reason.map(str::to_owned),
            duration_ms: closed.duration_ms,
            sha256: closed.sha256,
            parts: closed.parts,
        }
    }
}

/// A caller and so many agents, all with a voice; who is rung picks up and goes on as this says.
fn room(agents: usize, then: &[Then], tape: Option<Box<dyn Tape>>) -> World {
    let mut scenario = Scenario::random(1, 1);
    scenario.hotlines[0].around = Around::default();
    scenario.hotlines.truncate(1);
    scenario.hotlines[0].agents = (1..=agents).map(|n| n.to_string()).collect();
    scenario.hotlines[0].ring = Duration::from_secs(20);
    scenario.hotlines[0].strategy = Strategy::InOrder;
    let mut world = World::new(scenario.plans(), 1);
    world.agents.colleagues = scenario.agents();
    let voices = Voices { pace: Duration::from_millis(20), pausing: 0, dying: 0 };
    world.with_sound(voices, tape);
    world.agents.expect(then.iter().map(|then| Conduct { rings: true, then: *then }));
    world
}

const ANSWERS: Then = Then::Answer { after: PICKUP, hang_up_after: None };

/// One agent, one caller, both with a voice.
fn world(tape: Option<Box<dyn Tape>>) -> World {
    room(1, &[ANSWERS], tape)
}

fn dial(world: &mut World) {
    dial_for(world, TALK);
}

fn dial_for(world: &mut World, talk: Duration) {
    let number = Scenario::random(1, 1).hotlines[0].number.clone();
    world.call(&number, Patience { wait: Duration::from_secs(60), talk: Some(talk) }).expect("a call");
}

/// The one call's record and facts, once nothing is left.
fn rest(mut world: World, what: &str) -> (Option<Record>, World) {
    world.run_for(Duration::from_secs(300));
    assert!(!world.step(), "{what}: the world does not come to rest\n{:#?}\n{:#?}", world.wire_log, world.facts);
    assert!(world.gateway.is_idle(), "{what}: {:#?}", world.gateway);
    assert!(world.trunk.is_idle() && world.agents.is_idle() && world.is_silent(), "{what}: a phone is left");
    assert_eq!(world.gateway.agents().taken(), 0, "{what}: the agent is not free");
    for (n, fact) in world.facts.iter().enumerate() {
        assert_eq!((fact.n as usize, fact.call), (n, world.facts[0].call), "{what}: facts are missing");
    }
    let ends = world.facts.iter().filter(|f| matches!(f.what, What::Ended { .. })).count();
    assert_eq!(ends, usize::from(!world.facts.is_empty()), "{what}: one end");
    let record = Record::from_facts(&world.facts);
    if let Some(heard) = record.as_ref().and_then(|record| world.take_heard(record.id)) {
        assert_eq!(hearing::differences(&heard, &world.facts, GREETING_SAMPLES), Vec::<String>::new(), "{what}");
    }
    (record, world)
}

/// The call went as it would have without the fault.
fn is_whole(record: &Record, what: &str) {
    assert_eq!(record.outcome, Some(Outcome::Answered), "{what}");
    assert_eq!((record.reason, record.ended_by), (Some(Reason::CallerHungUp), Some(EndedBy::Caller)), "{what}");
    assert_eq!(record.greeting.as_ref().and_then(|g| g.played_to_end), Some(true), "{what}");
    let talk = u64::try_from(TALK.as_millis()).unwrap() + 2;
    assert_eq!(record.talk_ms, Some(talk), "{what}");
}

#[test]
fn whichever_disk_operation_fails_the_call_goes_on_and_its_record_tells() {
    let mut swept = 0;
    for n in 1..=MOST {
        let what = format!("disk operation {n}");
        let folder = tempfile::tempdir().unwrap();
        let disk = FailsOnce::at(n);
        let open = BTreeMap::new();
        let mut world = world(Some(Box::new(Files { disk: disk.clone(), folder: folder.path().to_owned(), open })));
        dial(&mut world);
        let (record, _) = rest(world, &what);
        let record = record.expect("a record");
        is_whole(&record, &what);
        let recording = &record.recording;
        let file = folder.path().join(recording.path.as_ref().expect("a path"));
        let frames = std::fs::metadata(&file).map_or(0, |file| (file.len() - 44) / 4);
        let kept_ms = frames * 1_000 / u64::from(SAMPLE_RATE_HZ);
        assert_eq!(recording.duration_ms, Some(kept_ms), "{what}: {recording:?}");
        assert_eq!(recording.sha256.is_some(), kept_ms > 0, "{what}");
        if disk.is_armed() {
            assert_eq!(recording.status, RecordingStatus::Ok);
            let connected = record.connected_at.unwrap().0.as_micros();
            let length = record.ended_at.unwrap().0.as_micros() - connected;
            assert!(length.abs_diff(i64::try_from(kept_ms * 1_000).unwrap()) < 1_000, "{kept_ms} ms of {length} us");
            break;
        }
        swept = n;
        let status = if kept_ms == 0 { RecordingStatus::None } else { RecordingStatus::Partial };
        assert_eq!((recording.status, recording.reason.as_deref()), (status, Some("disk_error")), "{what}");
    }
    assert!((20..MOST).contains(&swept), "{swept} operations");
}

#[test]
fn whichever_port_cannot_be_opened_the_call_goes_on() {
    let mut opened = 0;
    for n in 1..=MOST {
        let what = format!("port {n}");
        let mut world = world(None);
        world.troubles.unbound_nth = n;
        dial(&mut world);
        let (record, world) = rest(world, &what);
        // Another port was tried at once.
        is_whole(&record.expect("a record"), &what);
        if world.troubles.unbound_nth > 0 {
            break;
        }
        opened = n;
    }
    assert_eq!(opened, 2, "one for each leg");
}

#[test]
fn whichever_message_cannot_be_written_the_call_ends_for_a_reason() {
    let mut written = 0;
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for n in 1..=MOST {
        let what = format!("write {n}");
        let mut world = world(None);
        world.troubles.unwritten_nth = n;
        dial(&mut world);
        let (record, world) = rest(world, &what);
        let record = record.expect("a record");
        if world.troubles.unwritten_nth > 0 {
            is_whole(&record, &what);
            break;
        }
        written = n;
        let reason = record.reason.expect("a reason");
        assert_ne!(reason, Reason::Fault, "{what}");
        *reasons.entry(reason.to_string()).or_default() += 1;
        // Whoever was talking is in a call that was answered, whatever came then.
        let talked = |saw: &[(_, _, Happened)]| saw.iter().any(|(_, _, h)| matches!(h, Happened::Connected { .. }));
        if talked(&world.caller_saw) {
            assert_eq!(record.outcome, Some(Outcome::Answered), "{what}: {reason}");
            assert!(record.connected_at.is_some(), "{what}: {reason}");
        }
        if record.outcome == Some(Outcome::Answered) {
            assert!(talked(&world.agent_saw), "{what}: {reason}");
        }
    }
    assert!((6..MOST).contains(&written), "{written} messages");
    assert!(reasons.len() > 1, "{reasons:?}");
}

/// A database that takes nothing from its n-th commit on, until it is told to.
struct FailsFrom {
    writer: Writer,
    left: Arc<AtomicU64>,
}

impl Keep for FailsFrom {
    fn append(&mut self, facts: &[Fact], subjects: &[Subject]) -> Result<Appended, StoreError> {
        let left = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        if left.is_ok() {
            return self.writer.append(facts, subjects);
        }
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
        Err(StoreError::Sqlite(rusqlite::Error::SqliteFailure(code, None)))
    }

    fn append_agents(&mut self, facts: &[AgentFact]) -> Result<(), StoreError> {
        self.writer.append_agents(facts)
    }
}

/// One call whose facts go to disk step by step, until the database has taken `commits` groups of them and no more.
/// Returns how many it took before, or `None` if the call was over first.
fn outage(commits: u64) -> Option<()> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let what = format!("commit {}", commits + 1);
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::open(folder.path(), ledger::subject_key(folder.path()).unwrap()).unwrap();
    let left = Arc::new(AtomicU64::new(commits));
    let metrics = Metrics::new(LabelSets::default()).unwrap();
    let bounds = Bounds { interval: Duration::from_micros(100), ..Bounds::default() };
    let running = ledger::start_on(FailsFrom { writer, left: Arc::clone(&left) }, bounds, metrics.counters()).unwrap();
    let ledger = running.ledger();
    let mut world = world(None);
    dial(&mut world);
    let (mut given, mut told) = (0, false);
    loop {
        if given < world.facts.len() {
            let numbers = std::mem::take(&mut world.numbers);
            let subjects = numbers.into_iter().map(|(id, number)| Subject { id, number }).collect();
            ledger.append(Batch { facts: world.facts[given..].to_vec(), subjects, ..Batch::default() }).expect("room");
            given = world.facts.len();
            // Either it is on disk, or the commit failed: as the gateway's own loop, the world hears of it.
            while !told && ledger.backlog() > 0 && !ledger.is_failing() {
                std::thread::yield_now();
            }
        }
        if ledger.is_failing() && !told {
            told = true;
            world.tell(Input::LedgerFailing(true));
            continue;
        }
        if !world.step() {
            break;
        }
    }
    let failed = told;
    left.store(u64::MAX, Ordering::Release);
    assert!(ledger.flush(PATIENCE), "{what}");
    world.tell(Input::LedgerFailing(false));
    running.stop().expect("everything is on disk");
    let id = world.facts[0].call;
    let (record, world) = rest(world, &what);
    is_whole(&record.expect("a record"), &what);
    let read = Reader::open(folder.path()).unwrap().call(id).unwrap().expect("the call");
    assert_eq!(read.facts, world.facts, "{what}: what is on disk is what was said");
    let marked = world.facts.iter().filter(|f| matches!(f.what, What::LedgerDelayed)).count();
    let sealed = world.facts.iter().position(|f| matches!(f.what, What::LedgerDelayed));
    // A call that is over when its last facts fail has nobody left to mark it.
    assert!(
        marked == 1 || (sealed.is_none() && (!failed || given_last(&world.facts, given))),
        "{what}: {marked} marks"
    );
    let text = metrics.encode().unwrap();
    assert_eq!(!text.contains("hotline_ledger_commit_failures_total 0"), failed, "{what}");
    assert!(text.contains("hotline_ledger_facts_refused_total 0"), "{what}");
    failed.then_some(())
}

/// Nothing was said after these facts.
fn given_last(facts: &[Fact], given: usize) -> bool {
    facts.len() == given
}

#[test]
fn whichever_commit_fails_the_call_goes_on_and_every_fact_comes_to_disk() {
    let swept = (0..u64::from(MOST)).take_while(|n| outage(*n).is_some()).count();
    assert!((8..MOST as usize).contains(&swept), "{swept} commits");
}

/// The second model of the sound is no yes-man: a packet less, or one that came at another time, is a difference.
#[test]
fn a_packet_that_is_hidden_is_missed() {
    let mut world = world(None);
    dial(&mut world);
    assert!(world.run_to_rest());
    let heard = world.take_heard(world.facts[0].call).expect("a call with sound");
    let differences = |heard: &_| hearing::differences(heard, &world.facts, GREETING_SAMPLES);
    assert_eq!(differences(&heard), Vec::<String>::new());
    let mut less = heard.clone();
    less.agents[0].came.remove(50);
    assert_eq!(differences(&less).len(), 1);
    let mut gap = heard.clone();
    gap.caller.came.retain(|(at, _)| *at < gap.connected);
    assert!(differences(&gap).len() >= 2, "{:?}", differences(&gap));
    assert_eq!(hearing::differences(&heard, &world.facts, GREETING_SAMPLES + 160).len(), 1);
}

#[test]
fn what_came_of_both_agents_is_compared_when_a_caller_is_handed_on() {
    let secs = Duration::from_secs;
    let hands_on = Then::HandOn { after: PICKUP, refer_after: secs(3), to: 1, hang_up_after: secs(40) };
    let mut world = room(2, &[hands_on, ANSWERS], None);
    dial_for(&mut world, secs(12));
    assert!(world.run_to_rest());
    let heard = world.take_heard(world.facts[0].call).expect("a call with sound");
    let differences = |heard: &_| hearing::differences(heard, &world.facts, GREETING_SAMPLES);
    assert_eq!(differences(&heard), Vec::<String>::new());
    assert!(heard.agents.len() == 2 && heard.agents.iter().all(|agent| agent.came.len() > 100), "{heard:?}");
    assert!(heard.agents[0].left.is_some_and(|left| Some(left) >= heard.agents[1].joined));
    for agent in 0..2 {
        let mut less = heard.clone();
        less.agents[agent].came.remove(50);
        assert_eq!(differences(&less).len(), 1, "of agent {agent}");
    }
    let mut late = heard;
    late.agents[1].came.remove(0);
    assert!(!differences(&late).is_empty(), "the first packet of the second agent");
}
