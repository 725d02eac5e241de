//! The ledger's thread: the one writer of facts to the database.
//!
//! Facts are handed over without waiting and committed in groups, every 100 ms or 4,096 facts. While the database is
//! slow or dead they stay in memory, in order, and are tried again; nothing is dropped. From [`Bounds::backlog`] on
//! the gateway is told to refuse new calls; the facts of live calls are still taken, up to twice that.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::call::fact::Fact;
use crate::call::presence::AgentFact;
use crate::ledger::Subject;
use crate::metrics::Counters;
use crate::store::{Appended, StoreError, SubjectKey, Writer};

/// How many batches may wait for the thread. It takes them at once unless it is inside a commit.
const CHANNEL_BATCHES: usize = 65_536;
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MOST: Duration = Duration::from_secs(2);

/// Facts that belong together, with the numbers of the callers that they name for the first time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    pub facts: Vec<Fact>,
    pub subjects: Vec<Subject>,
    pub agents: Vec<AgentFact>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.subjects.is_empty() && self.agents.is_empty()
    }

    /// Facts, of calls and of agents.
    fn facts(&self) -> u64 {
        (self.facts.len() + self.agents.len()) as u64
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The longest that a fact waits for company.
    pub interval: Duration,
    /// The most facts of one commit.
    pub group: usize,
    /// Facts not yet on disk from which on new calls are refused.
    pub backlog: u64,
    /// How long a stop goes on trying a database that fails.
    pub stop: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { interval: Duration::from_millis(100), group: 4_096, backlog: 200_000, stop: Duration::from_secs(10) }
    }
}

/// Whether the gateway may take new calls as far as the ledger is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Free,
    /// Too many facts wait: answer new INVITEs with 503.
    Full,
}

/// A handle; clones write to the same ledger.
#[derive(Debug, Clone)]
pub struct Ledger {
    sender: SyncSender<Message>,
    state: Arc<State>,
}

/// The running thread. Stop it to be sure that everything is on disk.
#[derive(Debug)]
pub struct Running {
    ledger: Ledger,
    thread: JoinHandle<Batch>,
}

/// Why a batch was handed back.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the ledger's last bound is reached: {} facts handed back", .0.facts.len())]
    Full(Batch),
    #[error("the ledger has stopped: {} facts handed back", .0.facts.len())]
    Stopped(Batch),
}

#[derive(Debug, Default)]
struct State {
    backlog: AtomicU64,
    bound: u64,
    failing: AtomicBool,
}

#[derive(Debug)]
enum Message {
    Append(Batch),
    /// Answered once everything before it is on disk.
    Flush(SyncSender<()>),
    Stop,
}

/// Where facts are kept: the database, or in tests one that fails on order.
pub(crate) trait Keep: Send + 'static {
    /// All or nothing; after an error the same facts may be given again.
    fn append(&mut self, facts: &[Fact], subjects: &[Subject]) -> Result<Appended, StoreError>;

    /// The same of agents.
    fn append_agents(&mut self, facts: &[AgentFact]) -> Result<(), StoreError>;
}

impl Keep for Writer {
    fn append(&mut self, facts: &[Fact], subjects: &[Subject]) -> Result<Appended, StoreError> {
        Writer::append(self, facts, subjects)
    }

    fn append_agents(&mut self, facts: &[AgentFact]) -> Result<(), StoreError> {
        Writer::append_agents(self, facts)
    }
}

/// Starts the thread on an opened store.
pub fn start(writer: Writer, bounds: Bounds, counters: Counters) -> io::Result<Running> {
    start_on(writer, bounds, counters)
}

pub(crate) fn start_on(writer: impl Keep, bounds: Bounds, counters: Counters) -> io::Result<Running> {
    let (sender, receiver) = sync_channel(CHANNEL_BATCHES);
    let state = Arc::new(State { bound: bounds.backlog, ..State::default() });
    let ledger = Ledger { sender, state: Arc::clone(&state) };
    let desk = Desk {
        writer,
        bounds,
        counters,
        state,
        facts: VecDeque::new(),
        subjects: VecDeque::new(),
        agents: VecDeque::new(),
        flushes: VecDeque::new(),
        taken: 0,
        done: 0,
        backoff: BACKOFF_FIRST,
    };
    let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || desk.run(&receiver))?;
    Ok(Running { ledger, thread })
}

/// The key that signs callers' numbers: `<data>/subject.key`, made at the first start, readable by its owner only.
pub fn subject_key(dir: &Path) -> io::Result<SubjectKey> {
    let path = dir.join("subject.key");
    let mut bytes = [0; 32];
    match File::open(&path) {
        Ok(mut file) => file.read_exact(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
            // Written beside and renamed, so that a crash never leaves half a key.
            let beside = dir.join("subject.key.new");
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&beside, &path)?;
            File::open(dir)?.sync_all()?;
        }
        Err(error) => return Err(error),
    }
    Ok(SubjectKey::new(bytes))
}

impl Ledger {
    /// Hands a batch over; never waits. A refused batch comes back whole: keep it and try again.
    pub fn append(&self, batch: Batch) -> Result<(), Refused> {
        let facts = batch.facts();
        if self.backlog() >= self.state.bound.saturating_mul(2) {
            return Err(Refused::Full(batch));
        }
        self.state.backlog.fetch_add(facts, Ordering::AcqRel);
        let refused = match self.sender.try_send(Message::Append(batch)) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(message)) => (message, true),
            Err(TrySendError::Disconnected(message)) => (message, false),
        };
        self.state.backlog.fetch_sub(facts, Ordering::AcqRel);
        match refused {
            (Message::Append(batch), true) => Err(Refused::Full(batch)),
            (Message::Append(batch), false) => Err(Refused::Stopped(batch)),
            (Message::Flush(_) | Message::Stop, _) => Ok(()),
        }
    }

    /// Facts handed over and not yet on disk.
    pub fn backlog(&self) -> u64 {
        self.state.backlog.load(Ordering::Acquire)
    }

    pub fn room(&self) -> Room {
        if self.backlog() >= self.state.bound { Room::Full } else { Room::Free }
    }

    /// Whether the last commit failed: live calls are to be marked (`LedgerDelayed`).
    pub fn is_failing(&self) -> bool {
        self.state.failing.load(Ordering::Acquire)
    }

    /// Waits until everything handed over before is on disk; false if that took longer than `patience`.
    pub fn flush(&self, patience: Duration) -> bool {
        let (done, wait) = sync_channel(1);
        self.sender.try_send(Message::Flush(done)).is_ok() && wait.recv_timeout(patience).is_ok()
    }
}

impl Running {
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// Writes what is left and ends the thread. What could not be written within [`Bounds::stop`] comes back.
    pub fn stop(self) -> Result<(), Batch> {
        // The thread drains the channel without pause but for commits, so a full channel empties by itself.
        let _ = self.ledger.sender.send(Message::Stop);
        match self.thread.join() {
            Ok(left) if left.is_empty() => Ok(()),
            Ok(left) => Err(left),
            Err(_) => Err(Batch::default()),
        }
    }
}

/// What the thread owns.
struct Desk<K> {
    writer: K,
    bounds: Bounds,
    counters: Counters,
    state: Arc<State>,
    facts: VecDeque<Fact>,
    subjects: VecDeque<Subject>,
    agents: VecDeque<AgentFact>,
    /// Who waits, and for how many facts in all.
    flushes: VecDeque<(u64, SyncSender<()>)>,
    /// Facts taken over, and of these written, since the start.
    taken: u64,
    done: u64,
    backoff: Duration,
}

/// Whether the thread goes on taking facts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Intake {
    Open,
    Closed,
}

impl<K: Keep> Desk<K> {
    fn run(mut self, receiver: &Receiver<Message>) -> Batch {
        super::priority::behind();
        let mut intake = Intake::Open;
        while intake == Intake::Open {
            intake = self.gather(receiver, self.bounds.interval);
            while !self.is_idle() && intake == Intake::Open && !self.commit() {
                // The database fails: go on taking facts, and try again later.
                intake = self.gather_all(receiver, self.backoff);
                self.backoff = (self.backoff * 2).min(BACKOFF_MOST);
            }
            self.answer_flushes();
        }
        self.finish(receiver)
    }

    /// Waits for a first message, then takes more until `interval` has passed or a group is full.
    fn gather(&mut self, receiver: &Receiver<Message>, interval: Duration) -> Intake {
        let full = self.bounds.group;
        if self.is_idle() {
            let first = receiver.recv().map_or(Intake::Closed, |message| self.take(message));
            if first == Intake::Closed {
                return Intake::Closed;
            }
        }
        let deadline = now() + interval;
        while self.facts.len() < full && self.flushes.is_empty() {
            match self.take_until(receiver, deadline) {
                Some(Intake::Open) => {}
                Some(Intake::Closed) => return Intake::Closed,
                None => break,
            }
        }
        Intake::Open
    }

    /// Takes whatever comes until `pause` has passed.
    fn gather_all(&mut self, receiver: &Receiver<Message>, pause: Duration) -> Intake {
        let deadline = now() + pause;
        loop {
            match self.take_until(receiver, deadline) {
                Some(Intake::Open) => {}
                Some(Intake::Closed) => return Intake::Closed,
                None => return Intake::Open,
            }
        }
    }

    /// One message; `None` when the deadline has passed.
    fn take_until(&mut self, receiver: &Receiver<Message>, deadline: Instant) -> Option<Intake> {
        match receiver.recv_timeout(deadline.saturating_duration_since(now())) {
            Ok(message) => Some(self.take(message)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Intake::Closed),
        }
    }

    fn take(&mut self, message: Message) -> Intake {
        match message {
            Message::Append(batch) => {
                self.taken += batch.facts();
                self.facts.extend(batch.facts);
                self.subjects.extend(batch.subjects);
                self.agents.extend(batch.agents);
                self.counters.ledger_backlog(self.state.backlog.load(Ordering::Acquire));
                Intake::Open
            }
            Message::Flush(done) => {
                self.flushes.push_back((self.taken, done));
                Intake::Open
            }
            Message::Stop => Intake::Closed,
        }
    }

    /// Writes the oldest group. False: it failed and waits at the head of the queue as before.
    fn commit(&mut self) -> bool {
        self.commit_calls() && self.commit_agents()
    }

    fn commit_agents(&mut self) -> bool {
        if self.agents.is_empty() {
            return true;
        }
        let (began, facts) = (now(), self.agents.len());
        match self.writer.append_agents(self.agents.make_contiguous()) {
            Ok(()) => {
                self.agents.clear();
                self.written(facts, began.elapsed());
            }
            Err(StoreError::Sqlite(error)) => {
                self.failed(&error);
                return false;
            }
            Err(error) => {
                tracing::error!(%error, facts, "facts of agents cannot be kept");
                self.counters.ledger_refused(facts as u64);
                self.agents.clear();
                self.leave_queue(facts);
            }
        }
        true
    }

    fn commit_calls(&mut self) -> bool {
        if self.facts.is_empty() && self.subjects.is_empty() {
            return true;
        }
        let began = now();
        let group = self.facts.len().min(self.bounds.group);
        let facts = &self.facts.make_contiguous()[..group];
        match self.writer.append(facts, self.subjects.make_contiguous()) {
            Ok(_) => {
                self.subjects.clear();
                self.facts.drain(..group);
                self.written(group, began.elapsed());
                true
            }
            Err(StoreError::Sqlite(error)) => {
                self.failed(&error);
                false
            }
            Err(error) => {
                let facts = facts.to_vec();
                self.commit_one_by_one(&facts, &error)
            }
        }
    }

    /// One fact of the group is no part of any call (a fault of ours): the others must not wait for it for ever.
    fn commit_one_by_one(&mut self, facts: &[Fact], error: &StoreError) -> bool {
        tracing::error!(%error, "a fact cannot be kept; writing its group one by one");
        for fact in facts {
            let began = now();
            let subjects = self.subjects.make_contiguous();
            match self.writer.append(std::slice::from_ref(fact), subjects) {
                Ok(_) => {
                    self.subjects.clear();
                    self.facts.pop_front();
                    self.written(1, began.elapsed());
                }
                Err(StoreError::Sqlite(error)) => {
                    self.failed(&error);
                    return false;
                }
                Err(error) => {
                    tracing::error!(%error, call = %fact.call, n = fact.n, "fact refused");
                    self.counters.ledger_refused(1);
                    self.facts.pop_front();
                    self.leave_queue(1);
                }
            }
        }
        true
    }

    fn written(&mut self, facts: usize, took: Duration) {
        self.leave_queue(facts);
        self.counters.ledger_committed(facts as u64, took);
        self.backoff = BACKOFF_FIRST;
        if self.state.failing.swap(false, Ordering::AcqRel) {
            tracing::info!("the database takes facts again");
        }
    }

    fn leave_queue(&mut self, facts: usize) {
        self.done += facts as u64;
        let before = self.state.backlog.fetch_sub(facts as u64, Ordering::AcqRel);
        self.counters.ledger_backlog(before.saturating_sub(facts as u64));
    }

    fn failed(&mut self, error: &rusqlite::Error) {
        self.counters.ledger_commit_failed();
        if !self.state.failing.swap(true, Ordering::AcqRel) {
            let waiting = self.facts.len();
            tracing::warn!(%error, waiting, "the database does not take facts; they are kept and tried again");
        }
    }

    fn answer_flushes(&mut self) {
        while let Some((wanted, _)) = self.flushes.front() {
            if *wanted > self.done {
                break;
            }
            if let Some((_, done)) = self.flushes.pop_front() {
                let _ = done.try_send(());
            }
        }
    }

    /// The stop: everything that is still in the channel, then everything in the queue, as long as patience lasts.
    fn finish(mut self, receiver: &Receiver<Message>) -> Batch {
        let deadline = now() + self.bounds.stop;
        loop {
            while let Ok(message) = receiver.try_recv() {
                self.take(message);
            }
            while !self.is_idle() && self.commit() {}
            self.answer_flushes();
            if self.is_idle() || now() >= deadline {
                break;
            }
            // Nobody sends any more; wait for the database, but take what a late handle still sends.
            let _ = self.gather_all(receiver, self.backoff.min(deadline.saturating_duration_since(now())));
            self.backoff = (self.backoff * 2).min(BACKOFF_MOST);
        }
        Batch { facts: self.facts.into(), subjects: self.subjects.into(), agents: self.agents.into() }
    }

    fn is_idle(&self) -> bool {
        self.facts.is_empty() && self.subjects.is_empty() && self.agents.is_empty()
    }
}

#[expect(clippy::disallowed_methods, reason = "io reads clocks; this one times commits and pauses")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;
    use crate::call::fact::What;
    use crate::call::reason::{EndedBy, Reason};
    use crate::cdr::Outcome;
    use crate::ledger::story::Story;
    use crate::metrics::{LabelSets, Metrics};
    use crate::store::{FILE, Reader, Which};

    const PATIENCE: Duration = Duration::from_secs(20);

    fn ledger(bounds: Bounds) -> (TempDir, Running, Metrics) {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::open(dir.path(), subject_key(dir.path()).unwrap()).unwrap();
        let metrics = Metrics::new(LabelSets::default()).unwrap();
        let running = start(writer, bounds, metrics.counters()).unwrap();
        (dir, running, metrics)
    }

    fn call(seed: u64) -> Vec<Fact> {
        Story::talking(seed).ended(9_000, Reason::CallerHungUp, EndedBy::Caller).facts()
    }

    fn one_by_one(ledger: &Ledger, facts: &[Fact]) {
        for fact in facts {
            ledger.append(Batch { facts: vec![fact.clone()], ..Batch::default() }).unwrap();
        }
    }

    #[test]
    fn facts_come_to_disk_by_themselves() {
        let (dir, running, metrics) = ledger(Bounds::default());
        let ledger = running.ledger();
        one_by_one(&ledger, &call(1));
        let began = now();
        // They are counted when they are on disk.
        let counted = format!("hotline_ledger_facts_total {}", call(1).len());
        while ledger.backlog() > 0 || !metrics.encode().unwrap().contains(&counted) {
            assert!(began.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
        let ended = Reader::open(dir.path()).unwrap().calls(Which::Ended, None, 9).unwrap();
        assert_eq!(ended[0].outcome, Some(Outcome::Answered));
        running.stop().unwrap();
    }

    #[test]
    fn flush_and_stop_leave_nothing_behind() {
        let (dir, running, _) = ledger(Bounds { interval: PATIENCE, ..Bounds::default() });
        let ledger = running.ledger();
        one_by_one(&ledger, &call(1));
        assert!(ledger.flush(PATIENCE));
        assert_eq!(ledger.backlog(), 0);
        one_by_one(&ledger, &call(2));
        running.stop().unwrap();
        assert_eq!(Reader::open(dir.path()).unwrap().calls(Which::Ended, None, 9).unwrap().len(), 2);
        let late = Batch { facts: call(3), ..Batch::default() };
        assert!(matches!(ledger.append(late.clone()), Err(Refused::Stopped(batch)) if batch == late));
    }

    #[test]
    fn nothing_is_lost_while_the_database_is_locked() {
        let bounds = Bounds { interval: Duration::from_millis(5), group: 7, backlog: 100, ..Bounds::default() };
        let (dir, running, _) = ledger(bounds);
        let ledger = running.ledger();
        one_by_one(&ledger, &call(0));
        assert!(ledger.flush(PATIENCE));
        let lock = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
        lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let calls: Vec<Vec<Fact>> = (1..=20).map(call).collect();
        for facts in &calls {
            one_by_one(&ledger, facts);
        }
        let began = now();
        while !ledger.is_failing() {
            assert!(began.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
        assert_eq!(ledger.room(), Room::Full);
        assert_eq!(ledger.backlog(), calls.iter().map(Vec::len).sum::<usize>() as u64);
        lock.execute_batch("ROLLBACK").unwrap();
        assert!(ledger.flush(PATIENCE));
        assert_eq!((ledger.room(), ledger.backlog(), ledger.is_failing()), (Room::Free, 0, false));
        let reader = Reader::open(dir.path()).unwrap();
        for facts in &calls {
            assert_eq!(&reader.call(facts[0].call).unwrap().unwrap().facts, facts);
        }
        running.stop().unwrap();
    }

    #[test]
    fn beyond_the_last_bound_a_batch_comes_back_whole() {
        let bounds = Bounds { backlog: 10, stop: Duration::from_millis(10), ..Bounds::default() };
        let (dir, running, _) = ledger(bounds);
        let lock = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
        lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let ledger = running.ledger();
        let batch = |seed| Batch { facts: call(seed), ..Batch::default() };
        let refused = (1..=9).find_map(|seed| ledger.append(batch(seed)).err().map(|refused| (seed, refused)));
        let (seed, refused) = refused.unwrap();
        assert!(matches!(refused, Refused::Full(back) if back == batch(seed)));
        let left = running.stop().unwrap_err();
        assert_eq!(left.facts.len() as u64, ledger.backlog());
        assert_eq!(left.facts, (1..seed).flat_map(call).collect::<Vec<_>>());
    }

    #[test]
    fn a_fact_without_a_call_does_not_stop_the_others() {
        let (dir, running, metrics) = ledger(Bounds::default());
        let ledger = running.ledger();
        let orphan = Fact { what: What::Ring, ..Story::new(5).at(1, What::Ring).facts()[1].clone() };
        let facts = [vec![orphan], call(1)].concat();
        ledger.append(Batch { facts, ..Batch::default() }).unwrap();
        assert!(ledger.flush(PATIENCE));
        assert_eq!(Reader::open(dir.path()).unwrap().calls(Which::Ended, None, 9).unwrap().len(), 1);
        assert!(metrics.encode().unwrap().contains("hotline_ledger_facts_refused_total 1"));
        running.stop().unwrap();
    }

    /// A database whose n-th commit fails: nothing of it is kept, or all of it is kept and only the answer is lost.
    struct FailsOnce {
        writer: Writer,
        left: Arc<AtomicU64>,
        kept: bool,
    }

    impl Keep for FailsOnce {
        fn append(&mut self, facts: &[Fact], subjects: &[Subject]) -> Result<Appended, StoreError> {
            let left = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
            if left != Ok(1) {
                return self.writer.append(facts, subjects);
            }
            if self.kept {
                self.writer.append(facts, subjects)?;
            }
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
            Err(StoreError::Sqlite(rusqlite::Error::SqliteFailure(code, None)))
        }

        fn append_agents(&mut self, _: &[AgentFact]) -> Result<(), StoreError> {
            Ok(())
        }
    }

    /// The first, the second, the third … commit fails, until a whole call is through before the fault comes.
    #[test]
    fn whichever_commit_fails_every_fact_is_kept_once() {
        let facts = call(1);
        let number = |fact: &Fact| match &fact.what {
            What::Offered(offered) => vec![Subject { id: offered.caller, number: "13912345678".to_owned() }],
            _ => Vec::new(),
        };
        for kept in [false, true] {
            let mut swept = 0;
            for n in 1.. {
                let dir = tempfile::tempdir().unwrap();
                let writer = Writer::open(dir.path(), subject_key(dir.path()).unwrap()).unwrap();
                let metrics = Metrics::new(LabelSets::default()).unwrap();
                let left = Arc::new(AtomicU64::new(n));
                let bounds = Bounds { interval: Duration::from_millis(1), group: 1, ..Bounds::default() };
                let keep = FailsOnce { writer, left: Arc::clone(&left), kept };
                let running = start_on(keep, bounds, metrics.counters()).unwrap();
                let ledger = running.ledger();
                for fact in &facts {
                    ledger
                        .append(Batch { facts: vec![fact.clone()], subjects: number(fact), ..Batch::default() })
                        .unwrap();
                }
                assert!(ledger.flush(PATIENCE), "fault {n}");
                assert!(!ledger.is_failing() && ledger.backlog() == 0, "fault {n}");
                running.stop().unwrap();
                let read = Reader::open(dir.path()).unwrap().call(facts[0].call).unwrap().unwrap();
                assert_eq!(read.facts, facts, "fault {n}");
                let failed = u64::from(left.load(Ordering::Acquire) == 0);
                let text = metrics.encode().unwrap();
                assert!(text.contains(&format!("hotline_ledger_commit_failures_total {failed}")), "fault {n}");
                assert!(text.contains(&format!("hotline_ledger_facts_total {}", facts.len())), "fault {n}");
                assert!(text.contains("hotline_ledger_facts_refused_total 0"), "fault {n}");
                if failed == 0 {
                    break;
                }
                swept = n;
            }
            assert_eq!(swept, facts.len() as u64, "one commit a fact");
        }
    }

    #[test]
    fn the_key_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        subject_key(dir.path()).unwrap();
        let path = dir.path().join("subject.key");
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        subject_key(dir.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(bytes.len(), 32);
    }
}
