//! The list of ended calls as people page through it: filters, places, the figures of today.
//!
//! A page is found by its place (*offered* and id of the call before it), never by counting, so the last page of two million calls
//! comes as quickly as the first. A filter that hardly any call passes looks at a bounded number of calls, and says how far
//! it has looked.

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row as SqlRow};

use super::notes::TEXT;
use super::{StoreError, sqlite};
use crate::cdr::{Fold, Outcome, Record, Word as _};
use crate::clock::Wall;
use crate::ids::{AgentNo, CallId, HotlineId};
use crate::limits::CALLS_LOOKED_AT;
use crate::qa::draw::frame;

/// Which calls; `None`: whatever it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Offered at or after.
    pub from: Option<Wall>,
    /// Offered before.
    pub to: Option<Wall>,
    pub hotline: Option<HotlineId>,
    /// The first who answered.
    pub agent: Option<AgentNo>,
    pub outcome: Option<Outcome>,
    pub talk_from_ms: Option<u64>,
    pub talk_to_ms: Option<u64>,
    /// Held for so long or longer.
    pub hold_from_ms: Option<u64>,
    /// A rule that was broken, as in R-001.
    pub failed: Option<String>,
    /// The worse leg's MOS-LQ is below, in hundredths.
    pub mos_below_100: Option<u32>,
    /// A note of the call says this.
    pub noted: Option<String>,
}

/// The place of a call in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub offered: Wall,
    pub call: CallId,
}

impl Place {
    pub fn of(record: &Record) -> Place {
        Place { offered: record.offered_at.0, call: record.id }
    }
}

/// Newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub records: Vec<Record>,
    /// After which call the next page begins; `None`: this is the last.
    pub next: Option<Place>,
    /// Nothing older than this was looked at, though the page has room.
    pub looked_to: Option<Wall>,
}

/// One hotline since a moment; ended calls only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Since {
    pub offered: u64,
    pub answered: u64,
    pub in_time: u64,
    pub short_abandoned: u64,
    pub abandoned: u64,
    /// Of answered calls.
    pub talk_ms: u64,
}

/// The row of an ended call.
pub(super) fn write(db: &Connection, fold: &Fold, record: &Record) -> Result<(), StoreError> {
    let Some(outcome) = record.outcome else { return Ok(()) };
    let mos = [&record.quality.caller, &record.quality.agent].into_iter().filter_map(|leg| leg.figures.mos);
    let mos_100 = mos.reduce(f64::min).map(|mos| (mos * 100.0).round() as i64);
    let mut replace = db.prepare_cached(
        "INSERT OR REPLACE INTO listed (offered_wall_us, call, hotline, agent, outcome, talk_ms, hold_ms, wait_ms, in_time, mos_100,
         failed, subject, closed, whose, recording, class)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    replace.execute(rusqlite::params![
        fold.offered_at().wall_us,
        sqlite::id(fold.call()),
        record.hotline.as_str(),
        record.agent.as_ref().map(AgentNo::as_str),
        outcome.word(),
        whole(record.talk_ms),
        whole(record.hold_ms),
        whole(record.wait_ms),
        record.answered_within_target,
        mos_100,
        record.rule_pack.as_ref().map(|_| failed(record)),
        fold.subject().0.as_bytes(),
        fold.is_closed(),
        frame::whose(record).map(AgentNo::as_str),
        frame::Recording::of(record).word(),
        record.class,
    ])?;
    Ok(())
}

fn whole(ms: Option<u64>) -> i64 {
    i64::try_from(ms.unwrap_or_default()).unwrap_or(i64::MAX)
}

fn failed(record: &Record) -> String {
    let failed = record.verdicts.iter().filter(|verdict| verdict.verdict == "fail");
    failed.fold(String::from(" "), |all, verdict| all + &verdict.rule + " ")
}

/// What a page passes by.
const PASSES: &str = "(?5 IS NULL OR hotline = ?5) AND (?6 IS NULL OR outcome = ?6) AND (?7 IS NULL OR talk_ms >= ?7)
    AND (?8 IS NULL OR talk_ms <= ?8) AND (?9 IS NULL OR hold_ms >= ?9) AND (?10 IS NULL OR instr(failed, ?10) > 0)
    AND (?11 IS NULL OR mos_100 < ?11)";

/// And of their notes.
fn noted() -> String {
    format!(
        "AND (?14 IS NULL OR call IN (SELECT note.call FROM note WHERE note.call IS NOT NULL AND instr({TEXT}, ?14)))"
    )
}

/// The places of the calls of one page and of one more, and where the search was given up.
pub(super) fn places(
    db: &Connection,
    filter: &Filter,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Place>, Option<Place>), StoreError> {
    let to = filter.to.map_or(i64::MAX, Wall::as_micros);
    // Before an id that is before all others: everything of that moment is left out.
    let (before, id) = match after {
        Some(place) if place.offered.as_micros() < to => (place.offered.as_micros(), sqlite::id(place.call).to_vec()),
        _ => (to, Vec::new()),
    };
    let from = filter.from.map_or(i64::MIN, Wall::as_micros);
    let agent = filter.agent.as_ref().map(AgentNo::as_str);
    let by_agent = if agent.is_some() { "agent = ?4" } else { "?4 IS NULL" };
    let candidates = format!(
        "FROM listed WHERE (offered_wall_us, call) < (?1, ?2) AND offered_wall_us >= ?3 AND {by_agent}
         ORDER BY offered_wall_us DESC, call DESC"
    );
    let number = |ms: Option<u64>| ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
    let hotline = filter.hotline.as_ref().map(HotlineId::as_str);
    let outcome = filter.outcome.map(|outcome| outcome.word());
    let (talk_from, talk_to, hold) =
        (number(filter.talk_from_ms), number(filter.talk_to_ms), number(filter.hold_from_ms));
    let failed = filter.failed.as_ref().map(|rule| format!(" {rule} "));
    let (looked_at, wanted) = (count(CALLS_LOOKED_AT), count(limit) + 1);
    let noted_text = filter.noted.as_ref().map(|text| text.to_lowercase());
    let parameters: [&dyn ToSql; 14] = [
        &before,
        &id,
        &from,
        &agent,
        &hotline,
        &outcome,
        &talk_from,
        &talk_to,
        &hold,
        &failed,
        &filter.mos_below_100,
        &looked_at,
        &wanted,
        &noted_text,
    ];
    let mut query = db.prepare_cached(&format!(
        "SELECT offered_wall_us, call FROM (SELECT * {candidates} LIMIT ?12) WHERE {PASSES} {} LIMIT ?13",
        noted()
    ))?;
    let found = query.query_map(&parameters[..], place)?.collect::<Result<Vec<_>, _>>()?;
    if found.len() > limit {
        return Ok((found, None));
    }
    let mut last = db.prepare_cached(&format!("SELECT offered_wall_us, call {candidates} LIMIT 1 OFFSET ?5"))?;
    let given_up = last.query_map(&[&before as &dyn ToSql, &id, &from, &agent, &(looked_at - 1)][..], place)?;
    Ok((found, given_up.collect::<Result<Vec<_>, _>>()?.pop()))
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn place(row: &SqlRow<'_>) -> rusqlite::Result<Place> {
    Ok(Place { offered: Wall::from_micros(row.get(0)?), call: sqlite::call_id(row.get(1)?) })
}

/// Ended calls offered at or after `from`, by hotline.
pub(super) fn since(db: &Connection, from: Wall) -> Result<Vec<(HotlineId, Since)>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT hotline, count(*), sum(outcome = 'answered'), sum(in_time IS 1), sum(outcome = 'short_abandoned'),
         sum(outcome = 'abandoned'), sum(iif(outcome = 'answered', talk_ms, 0))
         FROM listed WHERE offered_wall_us >= ?1 GROUP BY hotline",
    )?;
    let rows = query.query_map([from.as_micros()], |row| {
        let n = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        let hotline: String = row.get(0)?;
        let since = Since {
            offered: n(1)?,
            answered: n(2)?,
            in_time: n(3)?,
            short_abandoned: n(4)?,
            abandoned: n(5)?,
            talk_ms: n(6)?,
        };
        Ok((hotline.into(), since))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
