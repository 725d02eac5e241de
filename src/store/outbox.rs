//! Which recordings are still to be copied to the object store, which are there, and which objects are to go.
//!
//! A connection of its own beside the ledger's writer. A crash at any point leaves a row that says what may have been begun.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{Kept, StoreError, recordings, sqlite};
use crate::clock::Wall;
use crate::ids::CallId;

#[derive(Debug)]
pub struct Outbox {
    db: Connection,
}

/// A file of a recording and its name in the object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectCopy {
    /// The path of the file, relative to the data directory.
    pub key: String,
    pub bytes: u64,
    /// Of the file as it lies on the disk, lower-case hex.
    pub sha256: String,
}

/// What waits to be copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub recordings: u64,
    /// When the oldest call of them ended.
    pub oldest: Option<Wall>,
}

impl Outbox {
    pub fn open(dir: &Path) -> Result<Outbox, StoreError> {
        Ok(Outbox { db: sqlite::open_beside(dir)? })
    }

    /// Calls that are due, the oldest first.
    pub fn due(&self, now: Wall, limit: usize) -> Result<Vec<Kept>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT call FROM outbox WHERE due_wall_us <= ?1 ORDER BY due_wall_us, ended_wall_us LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let calls = query.query_map((now.as_micros(), limit), |row| row.get(0).map(sqlite::call_id))?;
        let calls: Vec<CallId> = calls.collect::<Result<_, _>>()?;
        calls.into_iter().filter_map(|call| recordings::row(&self.db, call).transpose()).collect()
    }

    /// To be said before the first octet is sent. False: the recording has gone meanwhile.
    pub fn begin(&mut self, call: CallId, copies: &[ObjectCopy]) -> Result<bool, StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for copy in copies {
            let sql = "INSERT OR REPLACE INTO object (key, call, ended_wall_us, bytes, sha256)
                       SELECT ?2, call, ended_wall_us, ?3, ?4 FROM outbox WHERE call = ?1";
            let bytes = i64::try_from(copy.bytes).unwrap_or(i64::MAX);
            if work.execute(sql, (sqlite::id(call), &copy.key, bytes, &copy.sha256))? == 0 {
                return Ok(false);
            }
        }
        work.commit()?;
        Ok(true)
    }

    /// Every file of the recording is in the store.
    pub fn stored(&mut self, call: CallId, at: Wall) -> Result<(), StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute("UPDATE object SET stored_wall_us = ?2 WHERE call = ?1", (sqlite::id(call), at.as_micros()))?;
        work.execute("DELETE FROM outbox WHERE call = ?1", [sqlite::id(call)])?;
        Ok(work.commit()?)
    }

    /// This recording cannot be copied, for a reason of its own; it waits until then.
    pub fn put_off(&mut self, call: CallId, fault: &str, until: Wall) -> Result<(), StoreError> {
        let sql = "UPDATE outbox SET fault = ?2, due_wall_us = ?3 WHERE call = ?1";
        self.db.execute(sql, (sqlite::id(call), fault, until.as_micros()))?;
        Ok(())
    }

    /// What the store has is not what was put there: it is on this disk alone again, and waits until then.
    pub fn lost(&mut self, call: CallId, fault: &str, until: Wall) -> Result<(), StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute("UPDATE object SET stored_wall_us = NULL WHERE call = ?1", [sqlite::id(call)])?;
        let sql = "INSERT OR REPLACE INTO outbox (call, ended_wall_us, due_wall_us, fault)
                   SELECT call, ended_wall_us, ?3, ?2 FROM recording WHERE call = ?1";
        work.execute(sql, (sqlite::id(call), fault, until.as_micros()))?;
        Ok(work.commit()?)
    }

    /// Files that are in the store and here, of calls that ended before, and under no hold.
    pub fn over(&self, ended_before: Wall, limit: usize) -> Result<Vec<(CallId, ObjectCopy)>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT call, key, bytes, sha256 FROM object WHERE is_here = 1 AND stored_wall_us IS NOT NULL AND ended_wall_us < ?1
             AND NOT EXISTS (SELECT 1 FROM legal_hold WHERE legal_hold.call = object.call) ORDER BY ended_wall_us LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query.query_map((ended_before.as_micros(), limit), |row| {
            let copy =
                ObjectCopy { key: row.get(1)?, bytes: row.get::<_, i64>(2)?.unsigned_abs(), sha256: row.get(3)? };
            Ok((sqlite::call_id(row.get(0)?), copy))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The file is no longer here.
    pub fn gone_here(&mut self, key: &str) -> Result<(), StoreError> {
        self.db.execute("UPDATE object SET is_here = 0 WHERE key = ?1", [key])?;
        Ok(())
    }

    /// Objects that are to be deleted.
    pub fn doomed(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        let mut query = self.db.prepare_cached("SELECT key FROM doomed_object ORDER BY key LIMIT ?1")?;
        let keys = query.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| row.get(0))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    pub fn deleted(&mut self, key: &str) -> Result<(), StoreError> {
        self.db.execute("DELETE FROM doomed_object WHERE key = ?1", [key])?;
        Ok(())
    }

    pub fn backlog(&self) -> Result<Backlog, StoreError> {
        let mut query = self.db.prepare_cached("SELECT count(*), min(ended_wall_us) FROM outbox")?;
        Ok(query.query_row([], |row| {
            let oldest: Option<i64> = row.get(1)?;
            Ok(Backlog { recordings: row.get::<_, i64>(0)?.unsigned_abs(), oldest: oldest.map(Wall::from_micros) })
        })?)
    }
}

/// The recording is only here, until the outbox says otherwise.
pub(super) fn enter(db: &Connection, call: CallId) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached(
        "INSERT INTO outbox (call, ended_wall_us) SELECT call, ended_wall_us FROM recording WHERE call = ?1
         AND status IN ('ok', 'partial') AND NOT EXISTS (SELECT 1 FROM object WHERE object.call = ?1)
         AND NOT EXISTS (SELECT 1 FROM removal WHERE removal.call = ?1) ON CONFLICT (call) DO NOTHING",
    )?;
    insert.execute([sqlite::id(call)])?;
    Ok(())
}

/// The recording goes: so does what of it is in the object store, or may be.
pub(super) fn doom(db: &Connection, call: CallId, at: Wall) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO doomed_object (key, since_wall_us) SELECT key, ?2 FROM object WHERE call = ?1";
    db.execute(sql, (sqlite::id(call), at.as_micros()))?;
    db.execute("DELETE FROM object WHERE call = ?1", [sqlite::id(call)])?;
    db.execute("DELETE FROM outbox WHERE call = ?1", [sqlite::id(call)])?;
    Ok(())
}

/// Files of these recordings in the object store.
pub(super) fn count(db: &Connection, rows: &[Kept]) -> Result<usize, StoreError> {
    let mut query = db.prepare_cached("SELECT count(*) FROM object WHERE call = ?1")?;
    rows.iter().try_fold(0, |sum, row| {
        let here: i64 = query.query_row([sqlite::id(row.call)], |row| row.get(0))?;
        Ok(sum + usize::try_from(here).unwrap_or(usize::MAX))
    })
}
