//! What people decide about recordings and numbers: holds, removals, destruction by two, erasure with a receipt.
//!
//! A connection of its own beside the ledger's writer: its transactions are short, and it touches no fact.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use serde::Serialize;
use serde_json::json;

use super::audit::{self, Deed};
use super::writer::{case_of, keyed_hash, write_call};
use super::{Cause, Kept, StoreError, SubjectKey, notes, outbox, recordings, sqlite, transcripts};
use crate::cdr::Time;
use crate::clock::Wall;
use crate::fault::Fault;
use crate::ids::CallId;
use crate::rules::{Pack, Transcript};

#[derive(Debug)]
pub struct Custody {
    db: Connection,
    key: SubjectKey,
}

/// What became of a demand for destruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It waits for another person.
    Waits,
    /// The second person has confirmed it: the file may go.
    Confirmed,
}

/// What was erased for a caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    pub receipt: i64,
    pub at: Time,
    pub by: String,
    /// HMAC-SHA256 of the number with this data directory's key, in lower-case hex.
    pub number_hash: String,
    /// Entries that held the number.
    pub subjects: usize,
    pub calls: usize,
    /// Call notes whose words were blanked.
    pub notes: usize,
    /// Recordings that go.
    pub recordings: usize,
    /// Files of them in the object store, which go as soon as it can be reached.
    pub objects: usize,
    /// Recordings that stay because of a legal hold.
    pub held: usize,
    /// Calls that are not closed yet; their recordings go when this is asked again.
    pub open: usize,
}

impl Custody {
    pub fn open(dir: &Path, key: SubjectKey) -> Result<Custody, StoreError> {
        Ok(Custody { db: sqlite::open_beside(dir)?, key })
    }

    pub fn rows(&self, since: Wall, after: Option<&Kept>, limit: usize) -> Result<Vec<Kept>, StoreError> {
        recordings::page(&self.db, since, after, limit)
    }

    pub fn row(&self, call: CallId) -> Result<Option<Kept>, StoreError> {
        recordings::row(&self.db, call)
    }

    /// Computes the rows that are missing from the facts; the calls.
    pub fn fill(&mut self) -> Result<Vec<CallId>, StoreError> {
        let missing = recordings::unrecorded(&self.db, Wall::from_micros(i64::MIN))?;
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for call in &missing {
            let case = case_of(&work, *call)?.ok_or(StoreError::NoBeginning(*call))?;
            let fold = case.fold();
            recordings::write(&work, fold, &fold.record())?;
        }
        work.commit()?;
        Ok(missing)
    }

    /// Nobody may delete this call's recording from now on.
    pub fn hold(&mut self, call: CallId, by: &str, why: &str, at: Wall) -> Result<(), StoreError> {
        let row = self.expect(call)?;
        if row.removed.is_some() {
            return Err(refused(format!("the recording of {call} is gone already")));
        }
        let mut insert = self.db.prepare_cached(
            "INSERT INTO legal_hold (call, by_whom, why, at_wall_us) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (call) DO NOTHING",
        )?;
        insert.execute((sqlite::id(call), by, why, at.as_micros()))?;
        Ok(())
    }

    pub fn release(&mut self, call: CallId) -> Result<(), StoreError> {
        match self.db.execute("DELETE FROM legal_hold WHERE call = ?1", [sqlite::id(call)])? {
            0 => Err(refused(format!("call {call} is not under legal hold"))),
            _ => Ok(()),
        }
    }

    /// Somebody takes a copy out. Refused if there is none to take.
    pub fn export(&mut self, call: CallId, by: &str, why: &str, at: Wall) -> Result<(), StoreError> {
        if !self.expect(call)?.has_file() {
            return Err(refused(format!("there is no recording of {call}")));
        }
        let sql = "INSERT INTO export (call, by_whom, why, at_wall_us) VALUES (?1, ?2, ?3, ?4)";
        self.db.execute(sql, (sqlite::id(call), by, why, at.as_micros()))?;
        Ok(())
    }

    /// Takes a transcript of a call that is closed, in place of an older one, and judges the call's words by it. The faults are those
    /// that only the call can tell; `file` is what they are known by.
    pub fn transcribe(
        &mut self,
        call: CallId,
        (file, transcript): (&str, &Transcript),
        by: &str,
        at: Wall,
    ) -> Result<Result<(), Vec<Fault>>, StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let case = case_of(&work, call)?.ok_or_else(|| refused(format!("there is no call {call}")))?;
        if !case.fold().is_closed() {
            return Err(refused(format!("call {call} is not closed yet")));
        }
        let Some(length_ms) = case.talk_line_ms() else {
            return Err(refused(format!("call {call} was never connected: nothing was said in it")));
        };
        if recordings::row(&work, call)?.is_some_and(|row| row.removed.is_some()) {
            return Err(refused(format!("the recording of {call} is gone on purpose, and its words with it")));
        }
        let faults = transcript.beyond(file, length_ms);
        if !faults.is_empty() {
            return Ok(Err(faults));
        }
        transcripts::write(&work, call, transcript, by, at)?;
        write_call(&work, call, &case.hear(Some(transcript.clone())), &Pack::built_in())?;
        let named = &transcript.by;
        let details = json!({
            "recogniser": named.recogniser, "version": named.version, "utterances": transcript.utterances.len(),
        });
        let about = call.to_string();
        audit::append(&work, Deed { at, who: by, what: "transcript.added", about: &about, details: &details })?;
        work.commit()?;
        Ok(Ok(()))
    }

    /// The words of a call go; true if there were any.
    fn forget_words(&mut self, call: CallId) -> Result<bool, StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let gone = transcripts::remove(&work, call)?;
        if gone && let Some(case) = case_of(&work, call)? {
            write_call(&work, call, &case, &Pack::built_in())?;
        }
        work.commit()?;
        Ok(gone)
    }

    /// Notes that a recording goes, and with it the words. False if a hold forbids it, or it is gone already; to be asked right before the file goes.
    pub fn remove(&mut self, call: CallId, cause: Cause, by: Option<&str>, at: Wall) -> Result<bool, StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = "INSERT INTO removal (call, cause, by_whom, at_wall_us) SELECT ?1, ?2, ?3, ?4
             WHERE NOT EXISTS (SELECT 1 FROM legal_hold WHERE call = ?1) ON CONFLICT (call) DO NOTHING";
        let goes = work.execute(sql, (sqlite::id(call), cause.word(), by, at.as_micros()))? > 0;
        if goes {
            outbox::doom(&work, call, at)?;
        }
        work.commit()?;
        if goes {
            self.forget_words(call)?;
        }
        Ok(goes)
    }

    /// The first person asks, another one confirms.
    pub fn ask_destruction(&mut self, call: CallId, by: &str, why: &str, at: Wall) -> Result<Asked, StoreError> {
        let row = self.expect(call)?;
        if row.held {
            return Err(refused(format!("call {call} is under legal hold")));
        }
        if row.removed.is_some() {
            return Err(refused(format!("the recording of {call} is gone already")));
        }
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let asked: Option<String> = work
            .query_row("SELECT asked_by FROM destruction WHERE call = ?1", [sqlite::id(call)], |row| row.get(0))
            .optional()?;
        let asked = match asked {
            None => {
                let sql = "INSERT INTO destruction (call, asked_by, why, asked_wall_us) VALUES (?1, ?2, ?3, ?4)";
                work.execute(sql, (sqlite::id(call), by, why, at.as_micros()))?;
                Asked::Waits
            }
            Some(first) if first.trim().eq_ignore_ascii_case(by.trim()) => {
                return Err(refused(format!("{first} has asked for it: another person must confirm")));
            }
            Some(_) => {
                let sql = "UPDATE destruction SET confirmed_by = ?2, confirmed_wall_us = ?3 WHERE call = ?1";
                work.execute(sql, (sqlite::id(call), by, at.as_micros()))?;
                Asked::Confirmed
            }
        };
        work.commit()?;
        Ok(asked)
    }

    /// Erases a caller's number wherever it stands, and names the recordings that are to go. A number that nobody has called from
    /// gives a receipt that says so.
    pub fn erase(&mut self, number: &str, by: &str, at: Wall) -> Result<(Receipt, Vec<Kept>), StoreError> {
        let hash = keyed_hash(&self.key, number);
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let subjects = same_person(&work, &hash)?;
        let mut erase = work.prepare_cached("UPDATE subject SET number = NULL WHERE id = ?1 AND number IS NOT NULL")?;
        let mut erased = 0;
        for subject in &subjects {
            erased += erase.execute([subject])?;
        }
        drop(erase);
        let calls = calls_of(&work, &subjects)?;
        let noted = notes::erase(&work, number, &calls.iter().map(|(call, _)| *call).collect::<Vec<_>>())?;
        let open = calls.iter().filter(|(_, closed)| !closed).count();
        let rows = calls.iter().filter_map(|(call, _)| recordings::row(&work, *call).transpose());
        let rows = rows.filter(|row| row.as_ref().is_ok_and(Kept::has_file) || row.is_err());
        let (held, going): (Vec<_>, Vec<_>) =
            rows.collect::<Result<Vec<_>, _>>()?.into_iter().partition(|row| row.held);
        work.execute(
            "INSERT INTO erasure (keyed_hash, by_whom, at_wall_us, subjects, calls, recordings, held)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (hash, by, at.as_micros(), count(erased), count(calls.len()), count(going.len()), count(held.len())),
        )?;
        let receipt = Receipt {
            receipt: work.last_insert_rowid(),
            at: Time(at),
            by: by.to_owned(),
            number_hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            subjects: erased,
            calls: calls.len(),
            notes: noted,
            recordings: going.len(),
            objects: outbox::count(&work, &going)?,
            held: held.len(),
            open,
        };
        work.commit()?;
        // Words of calls without a recording are nobody's evidence: they go too.
        for (call, _) in &calls {
            if !self.row(*call)?.is_some_and(|row| row.held) {
                self.forget_words(*call)?;
            }
        }
        self.forget_pages()?;
        Ok((receipt, going))
    }

    /// The log of the database still has the pages as they were: it is written back and cut. Readers may keep it for a moment;
    /// then the next checkpoint does it.
    fn forget_pages(&self) -> Result<(), StoreError> {
        Ok(self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    fn expect(&self, call: CallId) -> Result<Kept, StoreError> {
        self.row(call)?.ok_or_else(|| refused(format!("call {call} has no recording, or is not closed yet")))
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn refused(what: String) -> StoreError {
    StoreError::Refused(what)
}

/// Entries of this number, and those of its other form: a trunk with `numbers` has two for each call.
fn same_person(db: &Connection, hash: &[u8; 32]) -> Result<Vec<[u8; 16]>, StoreError> {
    let mut query = db.prepare("SELECT id FROM subject WHERE keyed_hash = ?1")?;
    let mut found: Vec<[u8; 16]> = query.query_map([hash], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut pairs = db.prepare(
        "SELECT subject, json_extract(record, '$.caller_received') FROM call
         WHERE json_extract(record, '$.caller_received') IS NOT NULL",
    )?;
    let rows = pairs.query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, String>(1)?)))?;
    let mut others = Vec::new();
    for row in rows {
        let (subject, received) = row?;
        let Ok(received) = received.parse::<uuid::Uuid>() else { continue };
        let pair = [subject, *received.as_bytes()];
        if pair.iter().any(|id| found.contains(id)) {
            others.extend(pair);
        }
    }
    found.extend(others);
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The calls of these callers, and whether each is closed.
fn calls_of(db: &Connection, subjects: &[[u8; 16]]) -> Result<Vec<(CallId, bool)>, StoreError> {
    let mut query = db.prepare("SELECT id, closed FROM any_call WHERE subject = ?1 ORDER BY id")?;
    let mut found = Vec::new();
    for subject in subjects {
        let rows = query.query_map([subject], |row| Ok((sqlite::call_id(row.get(0)?), row.get(1)?)))?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}
