//! What writer and reader share: opening, migrations, rows of facts.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row as SqlRow};
use uuid::Uuid;

use super::{FILE, StoreError};
use crate::call::fact::Fact;
use crate::call::presence::AgentFact;
use crate::clock::{RunId, Wall};
use crate::ids::{AgentNo, CallId};
use crate::ledger::agents;
use crate::ledger::codec::{self, Row};

/// Applied in order; `user_version` counts those that were. Never edit one that was released: add the next.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_ledger.sql"),
    include_str!("migrations/0002_agents.sql"),
    include_str!("migrations/0003_recordings.sql"),
    include_str!("migrations/0004_console.sql"),
    include_str!("migrations/0005_qa.sql"),
    include_str!("migrations/0006_keeping.sql"),
    include_str!("migrations/0007_callbacks.sql"),
    include_str!("migrations/0008_objects.sql"),
    include_str!("migrations/0009_notes.sql"),
    include_str!("migrations/0010_reports.sql"),
    include_str!("migrations/0011_transcripts.sql"),
    include_str!("migrations/0012_strata.sql"),
    include_str!("migrations/0013_targeting.sql"),
    include_str!("migrations/0014_callback_calls.sql"),
    include_str!("migrations/0015_drawn.sql"),
    include_str!("migrations/0016_calls_apart.sql"),
];

/// How long one statement waits for another process's lock. Short: the ledger's thread retries by itself, and meanwhile
/// must go on taking facts.
const WRITER_BUSY: Duration = Duration::from_millis(500);
const READER_BUSY: Duration = Duration::from_secs(5);

const WRITER_CACHE_KIB: i64 = 8 * 1024;

/// The database for its writer, and the version that was found.
pub(super) fn open_writer(dir: &Path) -> Result<(Connection, usize), StoreError> {
    let mut db = Connection::open(dir.join(FILE))?;
    db.busy_timeout(WRITER_BUSY)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // WAL with NORMAL: a power cut may lose the last commits but never corrupts; a crash of the process loses nothing.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    // Negative: KiB. The inner pages of the indexes; with the default of 2 MiB they are read anew for most commits.
    db.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    let found = migrate(&mut db)?;
    Ok((db, found))
}

/// For what people decide about recordings: beside the writer, in short transactions. Makes nothing new.
pub(super) fn open_beside(dir: &Path) -> Result<Connection, StoreError> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Err(StoreError::Absent(path));
    }
    let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(READER_BUSY)?;
    // An erased number is overwritten in its page.
    db.pragma_update(None, "secure_delete", true)?;
    expect_known(&db)?;
    Ok(db)
}

/// Read-only, beside a running server or without one.
pub(super) fn open_reader(dir: &Path) -> Result<Connection, StoreError> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Err(StoreError::Absent(path));
    }
    let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(READER_BUSY)?;
    expect_known(&db)?;
    Ok(db)
}

fn expect_known(db: &Connection) -> Result<(), StoreError> {
    let (found, known) = (version(db)?, MIGRATIONS.len());
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(StoreError::TooOld { found, known }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(StoreError::TooNew { found, known }),
    }
}

fn migrate(db: &mut Connection) -> Result<usize, StoreError> {
    let (found, known) = (version(db)?, MIGRATIONS.len());
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for (number, sql) in (1u32..).zip(MIGRATIONS).skip(found) {
        let step = db.transaction()?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", number)?;
        step.commit()?;
    }
    Ok(found)
}

fn version(db: &Connection) -> Result<usize, StoreError> {
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version as usize)
}

/// The facts of one call in order.
pub(super) fn facts_of(db: &Connection, call: CallId) -> Result<Vec<Fact>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT call, n, run, mono_ns, wall_us, version, kind, body FROM fact WHERE call = ?1 ORDER BY n",
    )?;
    let rows = query.query_map([id(call)], fact_row)?;
    rows.map(|row| Ok(codec::decode(&row?)?)).collect()
}

pub(super) fn insert_fact(db: &Connection, fact: &Fact) -> Result<bool, StoreError> {
    let row = codec::encode(fact)?;
    let mut insert = db.prepare_cached(
        "INSERT INTO fact (call, n, run, mono_ns, wall_us, version, kind, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (call, n) DO NOTHING",
    )?;
    // SQLite's integers are signed; 2^63 ns is 292 years.
    let mono_ns = i64::try_from(row.mono_ns).unwrap_or(i64::MAX);
    let written =
        insert.execute((id(row.call), row.n, row.run.0, mono_ns, row.wall_us, row.version, &row.kind, &row.body))?;
    Ok(written > 0)
}

pub(super) fn insert_agent_fact(db: &Connection, fact: &AgentFact) -> Result<(), StoreError> {
    let row = agents::encode(fact)?;
    let mut insert = db.prepare_cached(
        "INSERT INTO agent_fact (run, n, agent, mono_ns, wall_us, version, kind, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (run, n) DO NOTHING",
    )?;
    let mono_ns = i64::try_from(row.mono_ns).unwrap_or(i64::MAX);
    let agent = row.agent.as_str();
    insert.execute((row.run.0, row.n, agent, mono_ns, row.wall_us, row.version, &row.kind, &row.body))?;
    Ok(())
}

/// The newest fact of each agent that is of one of these kinds (or, `not`, of none of them).
pub(super) fn last_agent_facts(db: &Connection, kinds: &[&str], not: bool) -> Result<Vec<AgentFact>, StoreError> {
    let listed = kinds.iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ");
    let which = if not { "NOT IN" } else { "IN" };
    let agents = db
        .prepare_cached("SELECT DISTINCT agent FROM agent_fact ORDER BY agent")?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut last = db.prepare_cached(&format!(
        "SELECT run, n, agent, mono_ns, wall_us, version, kind, body FROM agent_fact
         WHERE agent = ?1 AND kind {which} ({listed}) ORDER BY run DESC, n DESC LIMIT 1"
    ))?;
    let mut facts = Vec::new();
    for agent in agents {
        let row = last.query_row([agent], agent_row).optional()?;
        facts.extend(row.map(|row| agents::decode(&row)).transpose()?);
    }
    Ok(facts)
}

pub(super) fn agent_facts_between(db: &Connection, from: Wall, to: Wall) -> Result<Vec<AgentFact>, StoreError> {
    // How an agent was before is told by two facts: the last of a presence, and the last of a shift.
    const SHIFT: &str = "('shift_began', 'shift_over')";
    let others = super::NO_PRESENCE.iter().filter(|kind| !SHIFT.contains(**kind)).map(|kind| format!("'{kind}'"));
    let others = others.collect::<Vec<_>>().join(", ");
    let mut query = db.prepare_cached(&format!(
        "SELECT run, n, agent, mono_ns, wall_us, version, kind, body FROM agent_fact AS told
         WHERE wall_us < ?2 AND kind NOT IN ('unreachable', 'reachable')
         AND (wall_us >= ?1 OR kind NOT IN ({others}) AND NOT EXISTS (
             SELECT 1 FROM agent_fact AS later WHERE later.agent = told.agent AND later.wall_us < ?1
               AND later.kind NOT IN ({others}) AND (later.kind IN {SHIFT}) = (told.kind IN {SHIFT})
               AND (later.run, later.n) > (told.run, told.n)))
         ORDER BY run, n"
    ))?;
    let rows = query.query_map([from.as_micros(), to.as_micros()], agent_row)?;
    rows.map(|row| Ok(agents::decode(&row?)?)).collect()
}

fn agent_row(row: &SqlRow<'_>) -> rusqlite::Result<agents::Row> {
    let mono_ns: i64 = row.get("mono_ns")?;
    Ok(agents::Row {
        run: RunId(row.get("run")?),
        n: row.get("n")?,
        agent: AgentNo::from(row.get::<_, String>("agent")?),
        mono_ns: mono_ns.unsigned_abs(),
        wall_us: row.get("wall_us")?,
        version: row.get("version")?,
        kind: row.get("kind")?,
        body: row.get("body")?,
    })
}

pub(super) fn id(call: CallId) -> [u8; 16] {
    *call.0.as_bytes()
}

pub(super) fn call_id(bytes: [u8; 16]) -> CallId {
    CallId(Uuid::from_bytes(bytes))
}

pub(super) fn fact_row(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let mono_ns: i64 = row.get("mono_ns")?;
    Ok(Row {
        call: call_id(row.get("call")?),
        n: row.get("n")?,
        run: RunId(row.get("run")?),
        mono_ns: mono_ns.unsigned_abs(),
        wall_us: row.get("wall_us")?,
        version: row.get("version")?,
        kind: row.get("kind")?,
        body: row.get("body")?,
    })
}
