//! What the API asks the switch, and the way back of the answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::oneshot::{self, Sender};

use super::clock::RunClock;
use super::ledger;
use super::mailbox::Mailbox;
use crate::call::fact::RingResult;
use crate::call::presence::{Order, Refused, Shown};
use crate::call::privacy::NotPaused;
use crate::clock::{Instant, Wall};
use crate::fault::Fault;
use crate::gateway::{CallBack, Input, NotCalled};
use crate::ids::{AgentNo, CallId};
use crate::limits::API_QUESTIONS;
use crate::report::callbacks::{Code, Row};
use crate::rules::Transcript;
use crate::store::callbacks::{self, CallbackList};
use crate::store::qa::By;
use crate::store::{Custody, Reader, StoreError, Which};
use crate::web::api::{Answer, Backend};

/// Calls in progress that one answer has at most.
const CALLS: usize = 1_000;

/// Whoever waits for an answer, by the ticket of the question.
#[derive(Debug, Clone, Default)]
pub struct Questions(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
enum Waiting {
    Agents(Sender<Vec<Shown>>),
    Order(Sender<Result<Shown, Refused>>),
    Pause(Sender<Result<(), NotPaused>>),
    CallBack(Sender<Result<(), NotCalled>>),
}

impl Waiting {
    /// Nobody waits any more.
    fn is_gone(&self) -> bool {
        match self {
            Waiting::Agents(sender) => sender.is_closed(),
            Waiting::Order(sender) => sender.is_closed(),
            Waiting::Pause(sender) => sender.is_closed(),
            Waiting::CallBack(sender) => sender.is_closed(),
        }
    }
}

impl Questions {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ticket of one more question; `None`: too many are open.
    fn ask(&self, waiting: Waiting) -> Option<u64> {
        let mut open = self.open();
        open.waiting.retain(|_, waiting| !waiting.is_gone());
        if open.waiting.len() >= API_QUESTIONS {
            return None;
        }
        let ticket = open.next;
        open.next += 1;
        open.waiting.insert(ticket, waiting);
        Some(ticket)
    }

    pub fn agents(&self, ticket: u64, agents: Vec<Shown>) {
        if let Some(Waiting::Agents(sender)) = self.open().waiting.remove(&ticket) {
            // Whoever has gone away wants no answer.
            let _ = sender.send(agents);
        }
    }

    pub fn paused(&self, ticket: u64, result: Result<(), NotPaused>) {
        if let Some(Waiting::Pause(sender)) = self.open().waiting.remove(&ticket) {
            let _ = sender.send(result);
        }
    }

    pub fn calling_back(&self, ticket: u64, result: Result<(), NotCalled>) {
        if let Some(Waiting::CallBack(sender)) = self.open().waiting.remove(&ticket) {
            let _ = sender.send(result);
        }
    }

    pub fn ordered(&self, ticket: u64, result: Result<Shown, Refused>) {
        if let Some(Waiting::Order(sender)) = self.open().waiting.remove(&ticket) {
            let _ = sender.send(result);
        }
    }
}

/// What came of an attempt goes into the list, on a thread that may wait; `None`: the number answered.
pub fn note_called_back(data: &Path, at: Wall, call: CallId, by: String, result: Option<RingResult>) {
    let code = match result {
        None => Code::Reached,
        Some(RingResult::Busy | RingResult::Declined) => Code::Busy,
        Some(RingResult::NoAnswer) => Code::NoAnswer,
        Some(_) => Code::Unreachable,
    };
    let (data, order) = (data.to_owned(), callbacks::Order::Tried { call, code, until: None, note: String::new() });
    let write = move || {
        let done = CallbackList::open(&data).and_then(|mut list| list.carry_out(&order, By { who: &by, at }));
        if let Err(error) = done {
            tracing::error!(%call, %error, "what came of a callback could not be written");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("callback".into()).spawn(write) {
        tracing::error!(%call, %error, "what came of a callback could not be written");
    }
}

/// The API's side.
pub struct Asking {
    pub questions: Questions,
    pub mailbox: Mailbox,
    pub clock: RunClock,
    pub data_directory: PathBuf,
}

impl Asking {
    /// The entry is taken: asks the switch to call its caller.
    fn dial_taken(&self, row: Row, agent: AgentNo, by: &str) -> Result<Answer<Result<(), NotCalled>>, StoreError> {
        let refused = |why: &str| StoreError::Refused(why.to_owned());
        let entry = row.call;
        let number = row.caller.ok_or_else(|| refused("the caller's number is not known"))?;
        let record =
            Reader::open(&self.data_directory)?.call(entry)?.ok_or_else(|| refused("there is no such call"))?;
        let (sender, answer) = oneshot::channel();
        let ticket =
            self.questions.ask(Waiting::CallBack(sender)).ok_or_else(|| refused("too much is asked at once"))?;
        let (hotline, trunk, by) = (row.hotline, record.record.trunk, by.to_owned());
        let order = CallBack { entry, agent, by, hotline, trunk, number };
        self.mailbox.event(Input::CallBack { ticket, order });
        Ok(answer)
    }
}

impl Backend for Asking {
    fn now(&self) -> Instant {
        self.clock.now().mono
    }

    fn agents(&self) -> Option<Answer<Vec<Shown>>> {
        let (sender, answer) = oneshot::channel();
        let ticket = self.questions.ask(Waiting::Agents(sender))?;
        self.mailbox.event(Input::Agents { ticket });
        Some(answer)
    }

    fn order(&self, agent: AgentNo, order: Order) -> Option<Answer<Result<Shown, Refused>>> {
        let (sender, answer) = oneshot::channel();
        let ticket = self.questions.ask(Waiting::Order(sender))?;
        self.mailbox.event(Input::Order { ticket, agent, order });
        Some(answer)
    }

    fn pause_recording(&self, call: CallId, paused: bool) -> Option<Answer<Result<(), NotPaused>>> {
        let (sender, answer) = oneshot::channel();
        let ticket = self.questions.ask(Waiting::Pause(sender))?;
        self.mailbox.event(Input::PauseRecording { ticket, call, paused });
        Some(answer)
    }

    fn calls(&self) -> Result<Vec<Value>, String> {
        let read = || -> Result<Vec<Value>, StoreError> {
            let records = Reader::open(&self.data_directory)?.calls(Which::Live, None, CALLS)?;
            Ok(records.iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
        };
        read().map_err(|error| error.to_string())
    }

    fn callbacks(&self) -> Result<Vec<Row>, StoreError> {
        Reader::open(&self.data_directory)?.callbacks_to_make(self.clock.now().wall)
    }

    fn dial(&self, entry: CallId, agent: AgentNo, by: &str) -> Result<Answer<Result<(), NotCalled>>, StoreError> {
        let row = self.call_back(&callbacks::Order::Take { call: entry }, by)?;
        self.dial_taken(row, agent, by).inspect_err(|why| {
            let order = callbacks::Order::GiveBack { call: entry, why: why.to_string() };
            if let Err(error) = self.call_back(&order, by) {
                tracing::warn!(%entry, %error, "an entry of the list of callbacks stays taken in vain");
            }
        })
    }

    fn call_back(&self, order: &callbacks::Order, by: &str) -> Result<Row, StoreError> {
        let by = By { who: by, at: self.clock.now().wall };
        CallbackList::open(&self.data_directory)?.carry_out(order, by)
    }

    fn transcribe(
        &self,
        call: CallId,
        transcript: &Transcript,
        by: &str,
    ) -> Result<Result<(), Vec<Fault>>, StoreError> {
        let key = ledger::subject_key(&self.data_directory);
        let key = key.map_err(|error| StoreError::Refused(format!("no key of this data directory: {error}")))?;
        let mut custody = Custody::open(&self.data_directory, key)?;
        custody.transcribe(call, ("body", transcript), by, self.clock.now().wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_bounded_and_whoever_has_gone_makes_room() {
        let questions = Questions::default();
        let mut answers = Vec::new();
        for _ in 0..API_QUESTIONS {
            let (sender, answer) = oneshot::channel();
            answers.push((questions.ask(Waiting::Agents(sender)).expect("room"), answer));
        }
        assert_eq!(questions.ask(Waiting::Agents(oneshot::channel().0)), None);
        let (ticket, mut answer) = answers.pop().expect("one of them");
        questions.agents(ticket, Vec::new());
        assert_eq!(answer.try_recv(), Ok(Vec::new()));
        drop(answers);
        let (sender, _answer) = oneshot::channel();
        assert!(questions.ask(Waiting::Order(sender)).is_some());
    }
}
