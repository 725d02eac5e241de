//! What a draw asks of the ledger: a month of calls as rows of a frame.

use rusqlite::{Connection, Row as SqlRow};

use super::super::{StoreError, sqlite};
use crate::cdr::{Outcome, Word as _};
use crate::clock::Wall;
use crate::ids::{AgentNo, HotlineId};
use crate::qa::draw::frame::{Recording, Row};

/// The columns of the index `call_to_draw`, word for word: only then is the index alone read.
const CLOSED: &str = "SELECT c.offered_wall_us, c.id, c.hotline, c.outcome, json_extract(c.record, '$.agent'),
    json_extract(c.record, '$.talk_ms'), json_extract(c.record, '$.segments'),
    json_extract(c.record, '$.recording.status'), json_extract(c.record, '$.class'), s.keyed_hash, m.at_wall_us
    FROM call c INDEXED BY call_to_draw LEFT JOIN subject s ON s.id = c.subject LEFT JOIN removal m ON m.call = c.id
    WHERE c.closed = 1 AND c.offered_wall_us >= ?1 AND c.offered_wall_us < ?2 ORDER BY c.offered_wall_us, c.id";

const OPEN: &str = "SELECT id, hotline, offered_wall_us FROM call WHERE closed = 0 AND offered_wall_us >= ?1
    AND offered_wall_us < ?2";

/// Calls offered from `from` up to but not including `to`, in the order of time.
pub(super) fn calls(db: &Connection, from: Wall, to: Wall) -> Result<Vec<Row>, StoreError> {
    let mut query = db.prepare_cached(CLOSED)?;
    let mut found = Vec::new();
    let mut rows = query.query((from.as_micros(), to.as_micros()))?;
    while let Some(row) = rows.next()? {
        found.push(closed(row)?);
    }
    let mut query = db.prepare_cached(OPEN)?;
    let open = query.query_map((from.as_micros(), to.as_micros()), open)?;
    for row in open {
        found.push(row?);
    }
    found.sort_by_key(|row| (row.offered, row.call));
    Ok(found)
}

fn closed(row: &SqlRow<'_>) -> Result<Row, StoreError> {
    let outcome: Option<String> = row.get(3)?;
    let segments: Option<String> = row.get(6)?;
    let recording: Option<String> = row.get(7)?;
    let talk_ms: Option<i64> = row.get(5)?;
    // Most calls have one agent: then it is not worth reading.
    let segments = segments.filter(|text| text.matches("\"agent\"").count() > 1);
    Ok(Row {
        call: sqlite::call_id(row.get(1)?),
        hotline: HotlineId::from(row.get::<_, String>(2)?),
        offered: Wall::from_micros(row.get(0)?),
        closed: true,
        outcome: outcome.and_then(|word| Outcome::ALL.iter().copied().find(|outcome| outcome.word() == word)),
        agent: row.get::<_, Option<String>>(4)?.map(AgentNo::from),
        segments: segments.map_or_else(|| Ok(Vec::new()), |text| serde_json::from_str(&text))?,
        talk_ms: talk_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
        recording: match recording.as_deref() {
            Some("ok") => Recording::Whole,
            Some("partial") => Recording::Partial,
            _ => Recording::None,
        },
        removed: row.get::<_, Option<i64>>(10)?.map(Wall::from_micros),
        caller: row.get(9)?,
        class: row.get(8)?,
    })
}

/// Nothing is known of it yet but that it is there.
fn open(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        call: sqlite::call_id(row.get(0)?),
        hotline: HotlineId::from(row.get::<_, String>(1)?),
        offered: Wall::from_micros(row.get(2)?),
        closed: false,
        outcome: None,
        agent: None,
        segments: Vec::new(),
        talk_ms: 0,
        recording: Recording::None,
        removed: None,
        caller: None,
        class: None,
    })
}
