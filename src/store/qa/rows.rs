//! What a draw asks of the ledger: a month of calls as rows of a frame.

use rusqlite::{Connection, Row as SqlRow};

use super::super::{StoreError, sqlite};
use crate::cdr::Word;
use crate::clock::Wall;
use crate::ids::{AgentNo, HotlineId};
use crate::qa::draw::frame::{Recording, Row};

/// From the list's narrow rows: not one record is read.
const CLOSED: &str = "SELECT l.offered_wall_us, l.call, l.hotline, l.outcome, l.whose, l.talk_ms, l.recording, l.class,
    s.keyed_hash, m.at_wall_us
    FROM listed l LEFT JOIN subject s ON s.id = l.subject LEFT JOIN removal m ON m.call = l.call
    WHERE l.closed = 1 AND l.offered_wall_us >= ?1 AND l.offered_wall_us < ?2 ORDER BY l.offered_wall_us, l.call";

/// Few are open; by their time they would be looked for among the records of the whole month.
const OPEN: &str = "SELECT id, hotline, offered_wall_us FROM call INDEXED BY call_open WHERE closed = 0
    AND offered_wall_us >= ?1 AND offered_wall_us < ?2";

/// Calls offered from `from` up to but not including `to`, in the order of time.
pub(super) fn calls(db: &Connection, from: Wall, to: Wall) -> Result<Vec<Row>, StoreError> {
    // One moment for both: a call that closes between them would be in neither.
    let moment = db.unchecked_transaction()?;
    let between = (from.as_micros(), to.as_micros());
    let mut found = moment.prepare_cached(CLOSED)?.query_map(between, closed)?.collect::<Result<Vec<_>, _>>()?;
    let open = moment.prepare_cached(OPEN)?.query_map(between, open)?.collect::<Result<Vec<_>, _>>()?;
    if !open.is_empty() {
        found.extend(open);
        found.sort_by_key(|row| (row.offered, row.call));
    }
    Ok(found)
}

fn closed(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        call: sqlite::call_id(row.get(1)?),
        hotline: HotlineId::from(row.get_ref(2)?.as_str()?),
        offered: Wall::from_micros(row.get(0)?),
        closed: true,
        outcome: known(row.get_ref(3)?.as_str()?),
        agent: row.get_ref(4)?.as_str_or_null()?.map(AgentNo::from),
        talk_ms: row.get::<_, i64>(5)?.unsigned_abs(),
        recording: known(row.get_ref(6)?.as_str()?).unwrap_or(Recording::None),
        removed: row.get::<_, Option<i64>>(9)?.map(Wall::from_micros),
        caller: row.get(8)?,
        class: row.get(7)?,
    })
}

fn known<W: Word>(word: &str) -> Option<W> {
    W::ALL.iter().copied().find(|known| known.word() == word)
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
        talk_ms: 0,
        recording: Recording::None,
        removed: None,
        caller: None,
        class: None,
    })
}
