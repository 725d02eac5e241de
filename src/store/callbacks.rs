//! The list of callbacks: entries computed from facts, and what people promised and did. Every deed is a row of the audit log, in
//! the same transaction.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, TransactionBehavior};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::{self, Deed as Audit};
use super::qa::By;
use super::told::Told;
use super::{StoreError, sqlite};
use crate::cdr::{Fold, Record, Time, WhyOwed, Word};
use crate::clock::Wall;
use crate::ids::{CallId, HotlineId};
use crate::report::callbacks::{self, Code, Deed, Did, Entry, Made, Row};

/// Entries older than this are history: nobody is called back after a month.
const KEPT: Duration = Duration::from_secs(31 * 24 * 3_600);

/// Attempts at a promised call: the rule book's most.
const PROMISED_ATTEMPTS: u32 = 5;

/// Stands where the code of an attempt does.
const GIVEN_BACK: &str = "given_back";

/// Longest note, in characters.
const NOTE: usize = 500;

/// What a command or a page asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    Take { call: CallId },
    GiveBack { call: CallId, why: String },
    Tried { call: CallId, code: Code, until: Option<Time>, note: String },
    Promise { call: CallId, due: Time, note: String },
}

#[derive(Debug)]
pub struct CallbackList {
    db: Connection,
}

impl CallbackList {
    pub fn open(dir: &Path) -> Result<CallbackList, StoreError> {
        Ok(CallbackList { db: sqlite::open_beside(dir)? })
    }

    /// Does it, and tells how the entry stands then.
    pub fn carry_out(&mut self, order: &Order, by: By<'_>) -> Result<Row, StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let call = match order {
            Order::Take { call } => {
                write_deed(&work, *call, Did::Taken, "", by)?;
                *call
            }
            Order::GiveBack { call, why } => {
                write_deed(&work, *call, Did::GivenBack, why, by)?;
                *call
            }
            Order::Tried { call, code, until, note } => {
                write_deed(&work, *call, Did::Tried { code: *code, until: *until }, note, by)?;
                *call
            }
            Order::Promise { call, due, note } => {
                promise(&work, *call, *due, note, by)?;
                *call
            }
        };
        let row = find(&work, call, by.at)?.ok_or(Told::NotListed)?;
        work.commit()?;
        Ok(row)
    }
}

fn write_deed(work: &Connection, call: CallId, did: Did, note: &str, by: By<'_>) -> Result<(), StoreError> {
    let row = find(work, call, by.at)?.ok_or(Told::NotListed)?;
    row.admits(did, by.who, by.at).map_err(Told::from)?;
    let note = short(note)?;
    let (code, until) = match did {
        Did::Taken => (None, None),
        Did::GivenBack => (Some(GIVEN_BACK), None),
        Did::Tried { code, until } => (Some(code.word()), until),
    };
    work.execute(
        "INSERT INTO callback_deed (call, n, at_wall_us, by_whom, code, until_wall_us, note)
         VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM callback_deed WHERE call = ?1), ?2, ?3, ?4, ?5, ?6)",
        (sqlite::id(call), by.at.as_micros(), by.who, code, until.map(|until| until.0.as_micros()), note),
    )?;
    let (what, details) = match code {
        None => ("callback.taken", serde_json::Value::Null),
        // The reason is one of ours, and names nobody.
        Some(GIVEN_BACK) => ("callback.given_back", json!({ "why": note })),
        Some(code) => ("callback.tried", json!({ "code": code, "until": until })),
    };
    tell(work, what, call, &details, by)
}

fn promise(work: &Connection, call: CallId, due: Time, note: &str, by: By<'_>) -> Result<(), StoreError> {
    if due.0 <= by.at {
        return Err(StoreError::Refused("a call is promised for a time that is to come".to_owned()));
    }
    let known = work.prepare_cached("SELECT 1 FROM call WHERE id = ?1")?.exists([sqlite::id(call)])?;
    if !known {
        return Err(StoreError::Refused(format!("no call has the id {call}")));
    }
    if find(work, call, by.at)?.is_some() {
        return Err(StoreError::Refused("this caller is on the list already".to_owned()));
    }
    work.execute(
        "INSERT INTO callback_promise (call, due_wall_us, by_whom, note, at_wall_us) VALUES (?1, ?2, ?3, ?4, ?5)",
        (sqlite::id(call), due.0.as_micros(), by.who, short(note)?, by.at.as_micros()),
    )?;
    tell(work, "callback.promised", call, &json!({ "due": due }), by)
}

/// Notes stay out of the audit log: they may name people, and that log is never erased.
fn tell(
    work: &Connection,
    what: &str,
    call: CallId,
    details: &serde_json::Value,
    by: By<'_>,
) -> Result<(), StoreError> {
    audit::append(work, Audit { at: by.at, who: by.who, what, about: &call.to_string(), details })?;
    Ok(())
}

fn short(note: &str) -> Result<&str, StoreError> {
    match note.chars().count() {
        0..=NOTE => Ok(note),
        n => Err(Told::LongNote { n, most: NOTE }.into()),
    }
}

fn find(db: &Connection, call: CallId, now: Wall) -> Result<Option<Row>, StoreError> {
    Ok(rows(db, month_before(now), None, now)?.into_iter().find(|row| row.call == call))
}

/// Older entries are history.
pub fn month_before(at: Wall) -> Wall {
    let kept = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
    Wall::from_micros(at.as_micros().saturating_sub(kept))
}

/// Every entry since `from` (before `to`) as it stands at `now`; a month before `from` is looked at too, for callers who called
/// again.
pub(super) fn rows(db: &Connection, from: Wall, to: Option<Wall>, now: Wall) -> Result<Vec<Row>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT due.call, call.hotline, due.why, due.since_wall_us, due.due_wall_us, due.attempts, subject.number,
                subject.keyed_hash
         FROM (SELECT call, why, since_wall_us, due_wall_us, attempts FROM owed
               WHERE since_wall_us >= ?1 AND since_wall_us < ?2
               UNION ALL
               SELECT call, 'promised', at_wall_us, due_wall_us, ?3 FROM callback_promise
               WHERE at_wall_us >= ?1 AND at_wall_us < ?2) AS due
         JOIN call ON call.id = due.call LEFT JOIN subject ON subject.id = call.subject
         ORDER BY due.since_wall_us, due.call",
    )?;
    let to = to.map_or(i64::MAX, Wall::as_micros);
    let found = query.query_map((month_before(from).as_micros(), to, PROMISED_ATTEMPTS), entry)?;
    let mut entries = found.collect::<Result<Vec<_>, _>>()?;
    for entry in &mut entries {
        entry.answered_again = answered_again(db, entry)?;
        entry.deeds = deeds(db, entry.call)?;
        entry.calls = calls(db, entry.call)?;
    }
    let mut rows = callbacks::rows(entries, now);
    rows.retain(|row| row.since.0 >= from);
    Ok(rows)
}

fn entry(row: &SqlRow<'_>) -> rusqlite::Result<Entry> {
    let why: String = row.get(2)?;
    Ok(Entry {
        call: sqlite::call_id(row.get(0)?),
        hotline: HotlineId::from(row.get::<_, String>(1)?),
        why: word(&why).unwrap_or(WhyOwed::Missed),
        since: time(row.get(3)?),
        due: time(row.get(4)?),
        attempts: row.get(5)?,
        number: row.get(6)?,
        caller: row.get(7)?,
        answered_again: None,
        deeds: Vec::new(),
        calls: Vec::new(),
    })
}

fn answered_again(db: &Connection, entry: &Entry) -> Result<Option<Time>, StoreError> {
    let Some(caller) = entry.caller else { return Ok(None) };
    let mut find = db.prepare_cached(
        "SELECT min(call.offered_wall_us) FROM subject JOIN call ON call.subject = subject.id
         WHERE subject.keyed_hash = ?1 AND call.hotline = ?2 AND call.offered_wall_us > ?3 AND call.outcome = 'answered'",
    )?;
    let found =
        find.query_row((caller, entry.hotline.as_str(), entry.since.0.as_micros()), |row| row.get::<_, Option<i64>>(0));
    Ok(found.optional()?.flatten().map(time))
}

fn deeds(db: &Connection, call: CallId) -> Result<Vec<Deed>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT at_wall_us, by_whom, code, until_wall_us, note FROM callback_deed WHERE call = ?1 ORDER BY n",
    )?;
    let found = query.query_map([sqlite::id(call)], |row| {
        let code: Option<String> = row.get(2)?;
        let until = row.get::<_, Option<i64>>(3)?.map(time);
        let did = match code.as_deref() {
            Some(GIVEN_BACK) => Did::GivenBack,
            code => code.and_then(word).map_or(Did::Taken, |code| Did::Tried { code, until }),
        };
        Ok(Deed { at: time(row.get(0)?), by: row.get(1)?, did, note: row.get(4)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The calls that were made for an entry, oldest first.
fn calls(db: &Connection, entry: CallId) -> Result<Vec<Made>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT id, offered_wall_us, json_extract(record, '$.called_back.end') FROM call_apart WHERE entry = ?1
         ORDER BY offered_wall_us, id",
    )?;
    let found = query.query_map([sqlite::id(entry)], |row| {
        let end: Option<String> = row.get(2)?;
        let (call, at) = (sqlite::call_id(row.get(0)?), time(row.get(1)?));
        Ok(Made { call, at, end: end.as_deref().and_then(word) })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn word<W: Word>(text: &str) -> Option<W> {
    W::ALL.iter().copied().find(|word| word.word() == text)
}

fn time(us: i64) -> Time {
    Time(Wall::from_micros(us))
}

/// The row of an ended call that leaves something to be done.
pub(super) fn write(db: &Connection, fold: &Fold, record: &Record) -> Result<(), StoreError> {
    let (Some(owed), Some(ended)) = (record.callback, fold.ended_at()) else { return Ok(()) };
    let mut replace = db.prepare_cached(
        "INSERT OR REPLACE INTO owed (call, hotline, why, since_wall_us, due_wall_us, attempts) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let (hotline, why, due) = (record.hotline.as_str(), owed.why.word(), owed.due_at.0.as_micros());
    replace.execute((sqlite::id(fold.call()), hotline, why, ended.wall_us, due, owed.attempts))?;
    Ok(())
}

#[cfg(test)]
#[path = "callbacks_tests.rs"]
mod tests;
