//! The recording ledger: one row for each connected call that is closed, joined with what people decided about it.

use std::path::PathBuf;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{StoreError, outbox, sqlite};
use crate::call::fact::{RecordedPart, RecordingStatus};
use crate::cdr::{Blanked, Fold, Outcome, Record, Time, Word as _};
use crate::clock::Wall;
use crate::ids::{CallId, HotlineId};
use crate::media::record::path;

/// The reason of a connected call that has no recording and no fact that says why.
const NOT_RECORDED: &str = "not_recorded";

/// What is kept of one call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kept {
    pub call: CallId,
    pub hotline: HotlineId,
    pub outcome: Option<Outcome>,
    pub offered_at: Time,
    pub ended_at: Time,
    /// Connected → ended; null where a crash lies between.
    pub expected_ms: Option<u64>,
    pub status: RecordingStatus,
    pub reason: Option<String>,
    /// Relative to the data directory.
    pub path: Option<String>,
    pub duration_ms: u64,
    /// Of the first file.
    pub sha256: Option<String>,
    /// Every file, if there is more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<RecordedPart>,
    /// What is silence on purpose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blanked: Vec<Blanked>,
    /// Under legal hold.
    pub held: bool,
    /// Gone on purpose.
    pub removed: Option<Removed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Removed {
    pub cause: Cause,
    pub at: Time,
}

/// Why a recording is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It was older than its class is kept.
    Retention,
    /// The caller's number was erased.
    Erasure,
    /// One person asked for it, another one confirmed it.
    Destruction,
}

impl Cause {
    pub fn word(self) -> &'static str {
        match self {
            Cause::Retention => "retention",
            Cause::Erasure => "erasure",
            Cause::Destruction => "destruction",
        }
    }

    fn of(word: &str) -> Cause {
        match word {
            "retention" => Cause::Retention,
            "erasure" => Cause::Erasure,
            _ => Cause::Destruction,
        }
    }
}

/// One file of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Relative to the data directory.
    pub path: PathBuf,
    pub duration_ms: u64,
    pub sha256: Option<String>,
}

impl Kept {
    /// The files that there are or were, in order.
    pub fn files(&self) -> Vec<KeptFile> {
        let Some(first) = self.path.as_ref().map(PathBuf::from) else { return Vec::new() };
        if self.parts.is_empty() {
            return vec![KeptFile { path: first, duration_ms: self.duration_ms, sha256: self.sha256.clone() }];
        }
        let file = |(number, part): (u32, &RecordedPart)| KeptFile {
            path: path::numbered(&first, number),
            duration_ms: part.duration_ms,
            sha256: Some(part.sha256.clone()),
        };
        (1..).zip(&self.parts).map(file).collect()
    }

    /// The caller opted out: what may still be there is to go.
    pub fn is_unwanted(&self) -> bool {
        self.reason.as_deref() == Some("opted_out")
    }

    /// A file is to be there.
    pub fn has_file(&self) -> bool {
        self.removed.is_none() && matches!(self.status, RecordingStatus::Ok | RecordingStatus::Partial)
    }
}

pub(super) const COLUMNS: &str =
    "SELECT r.call, r.hotline, r.outcome, r.offered_wall_us, r.ended_wall_us, r.expected_ms, r.status,
    r.reason, r.path, r.duration_ms, r.sha256, h.call IS NOT NULL, m.cause, m.at_wall_us, r.parts, r.blanked FROM recording r
    LEFT JOIN legal_hold h ON h.call = r.call LEFT JOIN removal m ON m.call = r.call";

/// The row of a call that is closed; nothing for one that was never connected.
pub(super) fn write(db: &Connection, fold: &Fold, record: &Record) -> Result<(), StoreError> {
    let Some(ended) = fold.ended_at().filter(|_| fold.is_closed() && fold.was_connected()) else { return Ok(()) };
    let (status, has_reason) = match record.recording.status {
        RecordingStatus::Ok => ("ok", true),
        RecordingStatus::Partial => ("partial", record.recording.reason.is_some()),
        RecordingStatus::None | RecordingStatus::Pending => ("none", record.recording.reason.is_some()),
    };
    let reason = if has_reason { record.recording.reason.as_deref() } else { Some(NOT_RECORDED) };
    let mut replace = db.prepare_cached(
        "INSERT OR REPLACE INTO recording (call, hotline, outcome, offered_wall_us, ended_wall_us, expected_ms, status, reason,
         path, duration_ms, sha256, parts, blanked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    replace.execute((
        sqlite::id(fold.call()),
        record.hotline.as_str(),
        record.outcome.map(|outcome| outcome.word()),
        fold.offered_at().wall_us,
        ended.wall_us,
        fold.connected_ms().map(whole),
        status,
        reason,
        record.recording.path.as_deref(),
        whole(record.recording.duration_ms.unwrap_or_default()),
        record.recording.sha256.as_deref(),
        list(&record.recording.parts)?,
        list(&record.recording.blanked)?,
    ))?;
    outbox::enter(db, fold.call())
}

/// As JSON; nothing for an empty list.
fn list<T: Serialize>(items: &[T]) -> Result<Option<String>, StoreError> {
    Ok((!items.is_empty()).then(|| serde_json::to_string(items)).transpose()?)
}

fn listed<T: DeserializeOwned>(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<Vec<T>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else { return Ok(Vec::new()) };
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// SQLite's integers are signed; 2^63 ms is longer than anything.
fn whole(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

pub(super) fn page(db: &Connection, since: Wall, after: Option<&Kept>, limit: usize) -> Result<Vec<Kept>, StoreError> {
    let sql =
        format!("{COLUMNS} WHERE (r.offered_wall_us, r.call) > (?1, ?2) ORDER BY r.offered_wall_us, r.call LIMIT ?3");
    // An empty id is before all others.
    let (from, id) = match after {
        Some(row) => (row.offered_at.0.as_micros(), sqlite::id(row.call).to_vec()),
        None => (since.as_micros(), Vec::new()),
    };
    let mut query = db.prepare_cached(&sql)?;
    let rows = query.query_map((from, id, i64::try_from(limit).unwrap_or(i64::MAX)), kept)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn row(db: &Connection, call: CallId) -> Result<Option<Kept>, StoreError> {
    let mut find = db.prepare_cached(&format!("{COLUMNS} WHERE r.call = ?1"))?;
    Ok(find.query_row([sqlite::id(call)], kept).optional()?)
}

pub(super) fn unrecorded(db: &Connection, since: Wall) -> Result<Vec<CallId>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT id FROM any_call WHERE closed = 1 AND offered_wall_us >= ?1
         AND json_extract(record, '$.connected_at') IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM recording WHERE recording.call = any_call.id) ORDER BY id",
    )?;
    let calls = query.query_map([since.as_micros()], |row| row.get(0).map(sqlite::call_id))?;
    Ok(calls.collect::<Result<_, _>>()?)
}

pub(super) fn kept(row: &SqlRow<'_>) -> rusqlite::Result<Kept> {
    let time = |us: i64| Time(Wall::from_micros(us));
    let outcome: Option<String> = row.get(2)?;
    let (cause, removed): (Option<String>, Option<i64>) = (row.get(12)?, row.get(13)?);
    let (hotline, status): (String, String) = (row.get(1)?, row.get(6)?);
    Ok(Kept {
        call: sqlite::call_id(row.get(0)?),
        hotline: hotline.into(),
        outcome: outcome.and_then(|word| Outcome::ALL.iter().copied().find(|outcome| outcome.word() == word)),
        offered_at: time(row.get(3)?),
        ended_at: time(row.get(4)?),
        expected_ms: row.get::<_, Option<i64>>(5)?.map(i64::unsigned_abs),
        status: match status.as_str() {
            "ok" => RecordingStatus::Ok,
            "partial" => RecordingStatus::Partial,
            _ => RecordingStatus::None,
        },
        reason: row.get(7)?,
        path: row.get(8)?,
        duration_ms: row.get::<_, i64>(9)?.unsigned_abs(),
        sha256: row.get(10)?,
        parts: listed(row, 14)?,
        blanked: listed(row, 15)?,
        held: row.get(11)?,
        removed: cause.zip(removed).map(|(cause, at)| Removed { cause: Cause::of(&cause), at: time(at) }),
    })
}
