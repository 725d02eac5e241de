//! Call notes: written, handed on, settled; numbers by day and agent; who has looked at what was left over. Every change is a row of
//! the audit log, in the same transaction; what a caller said stands in the notes alone, which can be erased.

use std::collections::BTreeSet;

use jiff::civil::Date;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, TransactionBehavior};
use serde_json::{Value, json};

use super::audit::{self, Deed};
use super::told::Told;
use super::{People, StoreError, sqlite};
use crate::cdr::{Time, Word as _};
use crate::clock::Wall;
use crate::ids::{AgentNo, CallId};
use crate::notes::{Note, Number, Step, Words};

/// A note that was just written.
#[derive(Debug, Clone)]
pub struct NewNote {
    /// In the hotline's zone.
    pub day: Date,
    pub agent: AgentNo,
    pub hotline: String,
    pub call: Option<CallId>,
    pub words: Words,
    pub due: Wall,
    /// Nothing is left to do.
    pub settled: bool,
}

/// What is done with a note.
#[derive(Debug, Clone)]
pub enum Change {
    Words {
        words: Words,
        due: Wall,
    },
    /// `None`: to whoever serves the hotline next.
    HandOn(Option<AgentNo>),
    /// The call that it was done by, where it is known.
    CallBack(Option<CallId>),
    Settle,
    Reopen,
}

impl Change {
    pub fn step(&self) -> Step {
        match self {
            Change::Words { .. } => Step::Changed,
            Change::HandOn(_) => Step::HandedOn,
            Change::CallBack(_) => Step::CalledBack,
            Change::Settle => Step::Done,
            Change::Reopen => Step::Reopened,
        }
    }
}

/// A line of a note's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stepped {
    pub step: Step,
    pub by: String,
    pub at: Time,
    pub text: String,
}

/// Which notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Show {
    /// What has to be settled, the most urgent first.
    Open,
    /// The same, of days before today only.
    Carried,
    /// Newest first.
    Done,
    All,
}

/// Whose notes: an agent's, and what lies there for whoever serves these hotlines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    pub agent: AgentNo,
    pub hotlines: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct WantedNotes {
    pub show: Show,
    /// `None`: everybody's.
    pub whose: Option<Whose>,
    /// Empty: whatever they say.
    pub text: String,
    /// Whether callers' numbers may be searched.
    pub by_number: bool,
    /// When today began.
    pub today: Wall,
    /// Of `Done` and `All`: older than this one.
    pub before: Option<i64>,
}

/// Somebody who was promised a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promised {
    pub note: i64,
    pub number: String,
    pub call: Option<CallId>,
    pub hotline: String,
    pub holder: Option<AgentNo>,
    /// `None`: withheld or erased.
    pub caller: Option<String>,
    pub until: Wall,
}

const COLUMNS: &str = "SELECT note.id, note.number, note.call, note.hotline, note.agent, note.holder, name, caller, class, content, promise,
    promised_wall_us, coalesce(caller, subject.number), written_wall_us, due_wall_us, called_back_wall_us, done_wall_us, erased
    FROM note LEFT JOIN call ON call.id = note.call LEFT JOIN subject ON subject.id = call.subject";

/// What notes are searched in.
pub(super) const TEXT: &str = "lower(note.number || ' ' || name || ' ' || content || ' ' || promise)";

impl People {
    /// The note, with the next number of this agent and day.
    pub fn write_note(&mut self, new: &NewNote, by: &str, at: Wall) -> Result<Note, StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let day = new.day.to_string();
        if let Some(call) = new.call {
            let sql = "SELECT number FROM note WHERE call = ?1 AND agent = ?2";
            let there: Option<String> =
                work.query_row(sql, (sqlite::id(call), new.agent.as_str()), |row| row.get(0)).optional()?;
            if let Some(number) = there {
                return Err(Told::Noted { number }.into());
            }
        }
        let sql = "SELECT coalesce(max(serial), 0) + 1 FROM note WHERE day = ?1 AND agent = ?2";
        let serial: u32 = work.query_row(sql, (&day, new.agent.as_str()), |row| row.get(0))?;
        let number = Number { day: new.day, agent: new.agent.clone(), serial }.to_string();
        let words = &new.words;
        let done = new.settled.then_some(at.as_micros());
        work.execute(
            "INSERT INTO note (number, day, agent, serial, call, hotline, holder, name, caller, class, content, promise,
             promised_wall_us, written_wall_us, due_wall_us, done_wall_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?3, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            rusqlite::params![
                number,
                day,
                new.agent.as_str(),
                serial,
                new.call.map(sqlite::id),
                new.hotline,
                words.name,
                words.caller,
                words.class,
                words.content,
                words.promise,
                words.promised_us,
                at.as_micros(),
                new.due.as_micros(),
                done,
            ],
        )?;
        let id = work.last_insert_rowid();
        step(&work, id, (Step::Written, ""), by, at)?;
        let details = json!({
            "call": new.call.map(|call| call.to_string()),
            "class": words.class,
            "due": Time(new.due).to_string(),
            "promised": words.promised_us.is_some(),
            "settled": new.settled,
        });
        audit::append(&work, Deed { at, who: by, what: "note.written", about: &number, details: &details })?;
        work.commit()?;
        self.call_note(id)?.ok_or_else(gone)
    }

    pub fn call_note(&self, id: i64) -> Result<Option<Note>, StoreError> {
        let mut find = self.db.prepare_cached(&format!("{COLUMNS} WHERE note.id = ?1"))?;
        Ok(find.query_row([id], note).optional()?)
    }

    pub fn notes_of_call(&self, call: CallId) -> Result<Vec<Note>, StoreError> {
        self.found(" WHERE note.call = ?1 ORDER BY note.id", &[&sqlite::id(call)])
    }

    /// Which of these calls this agent has noted.
    pub fn noted_by(&self, agent: &AgentNo, calls: &[CallId]) -> Result<BTreeSet<CallId>, StoreError> {
        let mut find = self.db.prepare_cached("SELECT EXISTS (SELECT 1 FROM note WHERE call = ?1 AND agent = ?2)")?;
        let mut noted = BTreeSet::new();
        for call in calls {
            if find.query_row((sqlite::id(*call), agent.as_str()), |row| row.get(0))? {
                noted.insert(*call);
            }
        }
        Ok(noted)
    }

    pub fn note_steps(&self, id: i64) -> Result<Vec<Stepped>, StoreError> {
        let mut query = self
            .db
            .prepare_cached("SELECT step, by_whom, at_wall_us, text FROM note_step WHERE note = ?1 ORDER BY n")?;
        let rows = query.query_map([id], |row| {
            let word: String = row.get(0)?;
            let step = Step::ALL.iter().copied().find(|step| step.word() == word).unwrap_or(Step::Changed);
            Ok(Stepped { step, by: row.get(1)?, at: Time(Wall::from_micros(row.get(2)?)), text: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// At most `limit`; and how many there are in all of that kind.
    pub fn notes(&self, wanted: &WantedNotes, limit: usize) -> Result<(Vec<Note>, usize), StoreError> {
        let state = match wanted.show {
            Show::Open => "done_wall_us IS NULL",
            Show::Carried => "done_wall_us IS NULL AND written_wall_us < ?1",
            Show::Done => "done_wall_us IS NOT NULL",
            Show::All => "1",
        };
        let order = if wanted.show <= Show::Carried { "due_wall_us, note.id" } else { "note.id DESC" };
        let passes = format!(
            " WHERE {state} AND note.id < ?2 AND ?1 IS NOT NULL
             AND (?3 IS NULL OR note.agent = ?3 OR holder = ?3 OR done_wall_us IS NULL AND instr(?4, char(10) || note.hotline || char(10))
                  AND (holder IS NULL OR written_wall_us < ?1))
             AND (?5 = '' OR instr({TEXT}, ?5) OR ?6 AND instr(coalesce(caller, subject.number, ''), ?5))"
        );
        let today = wanted.today.as_micros();
        let before = wanted.before.unwrap_or(i64::MAX);
        let agent = wanted.whose.as_ref().map(|whose| whose.agent.as_str());
        let hotlines = wanted.whose.as_ref().map(|whose| format!("\n{}\n", whose.hotlines.join("\n")));
        let text = wanted.text.to_lowercase();
        let parameters: [&dyn ToSql; 6] = [&today, &before, &agent, &hotlines, &text, &wanted.by_number];
        let counted = COLUMNS.split_once("FROM note").map_or("", |(_, joins)| joins);
        let sql = format!("SELECT count(*) FROM note{counted}{passes}");
        let all: i64 = self.db.prepare_cached(&sql)?.query_row(&parameters[..], |row| row.get(0))?;
        let notes = self.found(&format!("{passes} ORDER BY {order} LIMIT {limit}"), &parameters)?;
        Ok((notes, usize::try_from(all).unwrap_or(0)))
    }

    fn found(&self, which: &str, parameters: &[&dyn ToSql]) -> Result<Vec<Note>, StoreError> {
        let mut query = self.db.prepare_cached(&format!("{COLUMNS}{which}"))?;
        let rows = query.query_map(parameters, note)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// `text`: why, or what came of it.
    pub fn change_note(&mut self, id: i64, change: &Change, text: &str, by: &str, at: Wall) -> Result<(), StoreError> {
        let before = self.call_note(id)?.ok_or_else(gone)?;
        expect(!before.erased, Told::Forgotten)?;
        expect(before.is_open() != matches!(change, Change::Reopen), Told::NoteSettled)?;
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = at.as_micros();
        let details = match change {
            Change::Words { words, due } => {
                work.execute(
                    "UPDATE note SET name = ?2, caller = ?3, class = ?4, content = ?5, promise = ?6, promised_wall_us = ?7,
                     due_wall_us = ?8 WHERE id = ?1",
                    rusqlite::params![
                        id,
                        words.name,
                        words.caller,
                        words.class,
                        words.content,
                        words.promise,
                        words.promised_us,
                        due.as_micros()
                    ],
                )?;
                json!({ "class": words.class, "due": Time(*due).to_string() })
            }
            Change::HandOn(to) => {
                work.execute("UPDATE note SET holder = ?2 WHERE id = ?1", (id, to.as_ref().map(AgentNo::as_str)))?;
                json!({ "to": to })
            }
            Change::CallBack(call) => {
                expect(before.owes_callback(), Told::NoCallbackOwed)?;
                work.execute("UPDATE note SET called_back_wall_us = ?2 WHERE id = ?1", (id, now))?;
                json!({ "call": call, "in_time": before.words.promised_us.is_some_and(|until| now <= until) })
            }
            Change::Settle => {
                work.execute("UPDATE note SET done_wall_us = ?2 WHERE id = ?1", (id, now))?;
                json!({ "in_time": at <= before.due })
            }
            Change::Reopen => {
                work.execute("UPDATE note SET done_wall_us = NULL WHERE id = ?1", [id])?;
                Value::Null
            }
        };
        let kept = match change {
            Change::Words { .. } => serde_json::to_string(&before.words)?,
            _ => text.to_owned(),
        };
        step(&work, id, (change.step(), &kept), by, at)?;
        let what = format!("note.{}", change.step());
        audit::append(&work, Deed { at, who: by, what: &what, about: &before.number, details: &details })?;
        Ok(work.commit()?)
    }

    /// Everybody who waits for a promised callback, the most urgent first.
    pub fn promised_callbacks(&self, limit: usize) -> Result<Vec<Promised>, StoreError> {
        let which = format!(
            " WHERE done_wall_us IS NULL AND called_back_wall_us IS NULL AND promised_wall_us IS NOT NULL AND erased = 0
             ORDER BY promised_wall_us, note.id LIMIT {limit}"
        );
        let promised = |note: Note| {
            let until = Wall::from_micros(note.words.promised_us?);
            let Note { id, number, call, hotline, holder, caller, .. } = note;
            Some(Promised { note: id, number, call, hotline, holder, caller, until })
        };
        Ok(self.found(&which, &[])?.into_iter().filter_map(promised).collect())
    }

    /// Whether this person has looked at what was left over, that day.
    pub fn has_seen_carried(&self, person: i64, day: Date) -> Result<bool, StoreError> {
        let mut find =
            self.db.prepare_cached("SELECT EXISTS (SELECT 1 FROM note_seen WHERE person = ?1 AND day = ?2)")?;
        Ok(find.query_row((person, day.to_string()), |row| row.get(0))?)
    }

    /// Notes that somebody has looked at what was left over; once a day.
    pub fn see_carried(
        &mut self,
        person: i64,
        day: Date,
        notes: &[Note],
        by: &str,
        at: Wall,
    ) -> Result<(), StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql =
            "INSERT INTO note_seen (person, day, at_wall_us, notes) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        let n = i64::try_from(notes.len()).unwrap_or(i64::MAX);
        if work.execute(sql, (person, day.to_string(), at.as_micros(), n))? > 0 {
            let numbers: Vec<&str> = notes.iter().map(|note| note.number.as_str()).collect();
            let details = json!({ "notes": numbers });
            audit::append(&work, Deed { at, who: by, what: "note.carried_seen", about: "", details: &details })?;
        }
        Ok(work.commit()?)
    }
}

/// Blanks what these callers said, in notes of their calls or with this number; how many notes.
pub(super) fn erase(work: &Connection, number: &str, calls: &[CallId]) -> Result<usize, StoreError> {
    let mut of_call = work.prepare("SELECT id FROM note WHERE call = ?1")?;
    let mut of_number = work.prepare("SELECT id FROM note WHERE caller = ?1")?;
    let mut ids: Vec<i64> = of_number.query_map([number], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for call in calls {
        let found: Vec<i64> = of_call.query_map([sqlite::id(*call)], |row| row.get(0))?.collect::<Result<_, _>>()?;
        ids.extend(found);
    }
    ids.sort_unstable();
    ids.dedup();
    for id in &ids {
        work.execute(
            "UPDATE note SET name = '', caller = NULL, content = '', promise = '', erased = 1 WHERE id = ?1",
            [id],
        )?;
        work.execute("UPDATE note_step SET text = '' WHERE note = ?1", [id])?;
    }
    Ok(ids.len())
}

fn step(work: &Connection, note: i64, (step, text): (Step, &str), by: &str, at: Wall) -> Result<(), StoreError> {
    work.execute(
        "INSERT INTO note_step (note, n, step, by_whom, at_wall_us, text)
         SELECT ?1, coalesce(max(n), 0) + 1, ?2, ?3, ?4, ?5 FROM note_step WHERE note = ?1",
        (note, step.word(), by, at.as_micros(), text),
    )?;
    Ok(())
}

fn note(row: &SqlRow<'_>) -> rusqlite::Result<Note> {
    let wall = |at| row.get::<_, Option<i64>>(at).map(|us| us.map(Wall::from_micros));
    Ok(Note {
        id: row.get(0)?,
        number: row.get(1)?,
        call: row.get::<_, Option<[u8; 16]>>(2)?.map(sqlite::call_id),
        hotline: row.get(3)?,
        agent: row.get::<_, String>(4)?.into(),
        holder: row.get::<_, Option<String>>(5)?.map(AgentNo::from),
        words: Words {
            name: row.get(6)?,
            caller: row.get(7)?,
            class: row.get(8)?,
            content: row.get(9)?,
            promise: row.get(10)?,
            promised_us: row.get(11)?,
        },
        caller: row.get(12)?,
        written: Wall::from_micros(row.get(13)?),
        due: Wall::from_micros(row.get(14)?),
        called_back: wall(15)?,
        done: wall(16)?,
        erased: row.get(17)?,
    })
}

fn expect(it: bool, otherwise: Told) -> Result<(), Told> {
    if it { Ok(()) } else { Err(otherwise) }
}

fn gone() -> StoreError {
    Told::NoNote.into()
}

#[cfg(test)]
#[path = "notes_tests.rs"]
mod tests;
