//! Callers whom the house owes a call: what became of each, and the figures of it.
//!
//! An entry is a call that reached nobody (or an agent's promise); deeds are what people did about it. A caller who calls again
//! closes the entry: by an answer, or because the newer call stands on the list in its place, with the older one's due time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Share, Summary};
use crate::cdr::{CallbackEnd, Time, WhyOwed, words};
use crate::clock::Wall;
use crate::ids::{CallId, HotlineId};

/// Whoever takes an entry has it so long to himself.
const TAKEN: Duration = Duration::from_secs(15 * 60);

words! {
    /// What came of an attempt.
    Code {
        Reached "reached",
        NoAnswer "no_answer",
        Busy "busy",
        /// The network or the phone says that nobody can be reached there.
        Unreachable "unreachable",
        /// Somebody else answers at that number.
        WrongNumber "wrong_number",
        /// Reached, and asked for another time: this is no failure and not yet the end.
        Later "later",
    }
}

words! {
    /// How an entry stands.
    State {
        Open "open",
        Taken "taken",
        Reached "reached",
        /// The caller called again, and was answered or stands on the list anew.
        CalledAgain "called_again",
        WrongNumber "wrong_number",
        /// As many attempts in vain as the dialplan asks for.
        GivenUp "given_up",
    }
}

impl State {
    /// Nothing is left to do.
    pub fn is_closed(self) -> bool {
        !matches!(self, State::Open | State::Taken)
    }
}

/// What somebody did about an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deed {
    pub at: Time,
    /// The name by which a person logs in, or `shell:` and the number of a Unix user.
    pub by: String,
    #[serde(flatten)]
    pub did: Did,
    pub note: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum Did {
    Taken,
    /// Nobody could be called for whoever had taken it: the note tells why.
    GivenBack,
    /// An attempt and what came of it; with [`Code::Later`] when to try again.
    Tried {
        code: Code,
        until: Option<Time>,
    },
}

/// A call to the caller that was made for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Its own id: that of its record and recording.
    pub call: CallId,
    /// When the agent's phone was rung.
    pub at: Time,
    /// Null while it is in progress.
    pub end: Option<CallbackEnd>,
}

/// A call on the list, as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub call: CallId,
    pub hotline: HotlineId,
    pub why: WhyOwed,
    /// When the call ended, or the promise was made.
    pub since: Time,
    pub due: Time,
    /// So many attempts.
    pub attempts: u32,
    /// `None`: withheld, or erased.
    pub number: Option<String>,
    /// The same for the same caller.
    pub caller: Option<[u8; 32]>,
    /// Of this hotline, by the same caller, after the entry's own: the first call that was answered.
    pub answered_again: Option<Time>,
    /// Oldest first.
    pub deeds: Vec<Deed>,
    pub calls: Vec<Made>,
}

/// An entry and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The call's id, by which the entry is named.
    pub call: CallId,
    pub hotline: HotlineId,
    pub why: WhyOwed,
    pub since: Time,
    pub due: Time,
    pub state: State,
    /// Attempts so far, and how many there are to be.
    pub tries: u32,
    pub attempts: u32,
    /// Calls of this caller that are on the list, this one included, since the first that nothing came of.
    pub times: u32,
    pub taken_by: Option<String>,
    pub first_tried: Option<Time>,
    pub caller: Option<String>,
    pub deeds: Vec<Deed>,
    /// What the gateway did for it, oldest first.
    pub calls: Vec<Made>,
}

/// Why a deed is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the caller's entry is closed: {0}")]
    Closed(State),
    #[error("{0} has taken this entry")]
    TakenBy(String),
    #[error("`later` needs the time to try again, which is to come")]
    NoTime,
}

impl Row {
    fn of(entry: Entry, now: Wall) -> Row {
        let mut row = Row {
            call: entry.call,
            hotline: entry.hotline,
            why: entry.why,
            since: entry.since,
            due: entry.due,
            state: State::Open,
            tries: 0,
            attempts: entry.attempts,
            times: 1,
            taken_by: None,
            first_tried: None,
            caller: entry.number,
            deeds: Vec::new(),
            calls: entry.calls,
        };
        entry.deeds.iter().for_each(|deed| row.push(deed, now));
        // What people have settled is not settled once more by a later call.
        if let (Some(_), false) = (entry.answered_again, row.state.is_closed()) {
            row.state = State::CalledAgain;
        }
        row.deeds = entry.deeds;
        row
    }

    fn push(&mut self, deed: &Deed, now: Wall) {
        self.taken_by = None;
        match deed.did {
            Did::Taken if now < deed.at.0 + TAKEN => {
                (self.state, self.taken_by) = (State::Taken, Some(deed.by.clone()));
            }
            Did::Taken | Did::GivenBack => self.state = State::Open,
            Did::Tried { code, until } => {
                self.tries += 1;
                self.first_tried.get_or_insert(deed.at);
                self.due = until.unwrap_or(self.due);
                self.state = match code {
                    Code::Reached => State::Reached,
                    Code::WrongNumber => State::WrongNumber,
                    Code::Later => State::Open,
                    Code::NoAnswer | Code::Busy | Code::Unreachable if self.tries >= self.attempts => State::GivenUp,
                    Code::NoAnswer | Code::Busy | Code::Unreachable => State::Open,
                };
            }
        }
    }

    /// Whether this person may do that now.
    pub fn admits(&self, did: Did, by: &str, now: Wall) -> Result<(), Refused> {
        if self.state.is_closed() {
            return Err(Refused::Closed(self.state));
        }
        if let Some(other) = self.taken_by.as_ref().filter(|other| *other != by) {
            return Err(Refused::TakenBy(other.clone()));
        }
        match did {
            Did::Tried { code: Code::Later, until } if until.is_none_or(|until| until.0 <= now) => Err(Refused::NoTime),
            _ => Ok(()),
        }
    }

    /// The first attempt came before it was due.
    fn is_in_time(&self) -> bool {
        self.first_tried.is_some_and(|tried| tried.0 <= self.due_first().0)
    }

    /// Due before anybody asked for another time.
    fn due_first(&self) -> Time {
        let moved = self.deeds.iter().any(|deed| matches!(deed.did, Did::Tried { until: Some(_), .. }));
        if moved { self.first_tried.unwrap_or(self.due) } else { self.due }
    }
}

/// How every entry stands at `now`. Entries are oldest first, and so are the rows.
pub fn rows(entries: Vec<Entry>, now: Wall) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::with_capacity(entries.len());
    let mut newest: BTreeMap<(HotlineId, [u8; 32]), usize> = BTreeMap::new();
    for entry in entries {
        let key = entry.caller.map(|caller| (entry.hotline.clone(), caller));
        let mut row = Row::of(entry, now);
        let before = key.and_then(|key| newest.insert(key, rows.len()));
        if let Some(before) = before.and_then(|at| rows.get_mut(at)).filter(|before| !before.state.is_closed()) {
            before.state = State::CalledAgain;
            before.taken_by = None;
            row.times += before.times;
            if row.tries == 0 {
                row.due = row.due.min(before.due);
            }
        }
        rows.push(row);
    }
    rows
}

/// The figures of the entries of a period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Callbacks {
    pub owed: u64,
    pub by_why: BTreeMap<WhyOwed, u64>,
    pub by_state: BTreeMap<State, u64>,
    /// Tried before they were due, of those who did not call again before anybody tried.
    pub tried_in_time: Share,
    /// Reached, of the same.
    pub reached: Share,
    /// From the end of the call to the first attempt.
    pub to_first_attempt_ms: Summary,
    pub attempts: u64,
}

impl Callbacks {
    pub fn of<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Callbacks {
        let rows: Vec<&Row> = rows.into_iter().collect();
        let count = |which: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| which(row)).count() as u64;
        let ours = |row: &Row| row.state != State::CalledAgain || row.tries > 0;
        let n = count(&ours);
        let mut figures = Callbacks {
            owed: rows.len() as u64,
            by_why: BTreeMap::new(),
            by_state: BTreeMap::new(),
            tried_in_time: Share::new(count(&|row| ours(row) && row.is_in_time()), n),
            reached: Share::new(count(&|row| row.state == State::Reached), n),
            to_first_attempt_ms: Summary::of(rows.iter().filter_map(|row| {
                let tried = row.first_tried?.0.as_micros() - row.since.0.as_micros();
                u64::try_from(tried / 1_000).ok()
            })),
            attempts: rows.iter().map(|row| u64::from(row.tries)).sum(),
        };
        for row in rows {
            *figures.by_why.entry(row.why).or_default() += 1;
            *figures.by_state.entry(row.state).or_default() += 1;
        }
        figures
    }
}

#[cfg(test)]
#[path = "callbacks_tests.rs"]
mod tests;
