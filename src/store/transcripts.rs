//! Transcripts: rows beside the facts, which the verdicts of words are computed from.

use rusqlite::{Connection, OptionalExtension as _};

use super::{StoreError, sqlite};
use crate::clock::Wall;
use crate::ids::CallId;
use crate::rules::Transcript;

pub(super) fn of(db: &Connection, call: CallId) -> Result<Option<Transcript>, StoreError> {
    let mut find = db.prepare_cached("SELECT body FROM transcript WHERE call = ?1")?;
    let body: Option<String> = find.query_row([sqlite::id(call)], |row| row.get(0)).optional()?;
    let Some(body) = body else { return Ok(None) };
    // It was read like this before it was written.
    let read = Transcript::read(&format!("transcript of {call}"), &body);
    read.map(Some).map_err(|faults| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        StoreError::Refused(told.join("; "))
    })
}

/// Whether there is any at all.
pub(super) fn any(db: &Connection) -> Result<bool, StoreError> {
    Ok(db.query_row("SELECT EXISTS (SELECT 1 FROM transcript)", [], |row| row.get(0))?)
}

/// The newest one counts.
pub(super) fn write(
    db: &Connection,
    call: CallId,
    transcript: &Transcript,
    by: &str,
    at: Wall,
) -> Result<(), StoreError> {
    let (named, body) = (&transcript.by, transcript.write()?);
    let mut replace = db.prepare_cached(
        "INSERT OR REPLACE INTO transcript (call, recogniser, version, language, body, by_whom, added_wall_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let id = sqlite::id(call);
    replace.execute((id, &named.recogniser, &named.version, &named.language, body, by, at.as_micros()))?;
    Ok(())
}

/// True if there was one.
pub(super) fn remove(db: &Connection, call: CallId) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("DELETE FROM transcript WHERE call = ?1")?.execute([sqlite::id(call)])? > 0)
}
