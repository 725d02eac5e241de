//! Reading beside a running server (or without one). Joins the callers' numbers, which records do not hold.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, ToSql};

use super::audit::{self, Audited, Chain, Hash};
use super::{Filter, Kept, Page, Place, Since, StoreError, listing, recordings, sqlite, transcripts};
use crate::call::fact::Fact;
use crate::call::presence::AgentFact;
use crate::cdr::{CallKind, Record, Word as _};
use crate::clock::{RunId, Wall};
use crate::ids::{CallId, HotlineId, SubjectId};
use crate::ledger::codec;
use crate::report::{Run, callbacks};
use crate::rules::{Case, Transcript};

#[derive(Debug)]
pub struct Reader {
    pub(super) db: Connection,
}

/// Which calls to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Ended,
    /// In progress.
    Live,
}

/// One call with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub record: Record,
    pub facts: Vec<Fact>,
}

/// Somebody whom agents call a nuisance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nuisance {
    /// `None`: it was erased.
    pub number: Option<String>,
    pub calls: u32,
    /// When the last one was offered.
    pub last: Wall,
}

const COLUMNS: &str = "SELECT call.id, call.ended_wall_us, call.record, subject.number FROM call
    LEFT JOIN subject ON subject.id = call.subject";

/// The same of calls of other kinds, or of whatever kind.
fn of(table: &str, sql: &str) -> String {
    sql.replacen("FROM call", &format!("FROM {table} AS call"), 1)
}

impl Reader {
    pub fn open(dir: &Path) -> Result<Reader, StoreError> {
        Ok(Reader { db: sqlite::open_reader(dir)? })
    }

    /// Calls offered at or after `since`, newest (by *offered*) first, at most `limit`.
    pub fn calls(&self, which: Which, since: Option<Wall>, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.calls_of(CallKind::Offered, which, since, limit)
    }

    /// The same of another kind.
    pub fn calls_of(
        &self,
        kind: CallKind,
        which: Which,
        since: Option<Wall>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let ended = match which {
            Which::Ended => "IS NOT NULL",
            Which::Live => "IS NULL",
        };
        let (select, and) = match kind {
            CallKind::Offered => (COLUMNS.to_owned(), String::new()),
            _ => (of("call_apart", COLUMNS), format!("AND call.kind = '{}'", kind.word())),
        };
        let sql = format!(
            "{select} WHERE call.ended_wall_us {ended} AND call.offered_wall_us >= ?1 {and}
             ORDER BY call.offered_wall_us DESC, call.id DESC LIMIT ?2"
        );
        let since = since.map_or(i64::MIN, Wall::as_micros);
        self.records(&sql, &[&since, &i64::try_from(limit).unwrap_or(i64::MAX)])
    }

    /// Ended calls of another kind than the offered ones, newest first: those that come after `after`.
    pub fn apart_page(&self, kind: CallKind, after: Option<Place>, limit: usize) -> Result<Page, StoreError> {
        let sql = of("call_apart", COLUMNS)
            + " WHERE call.kind = ?1 AND call.ended_wall_us IS NOT NULL
                AND (?2 IS NULL OR (call.offered_wall_us, call.id) < (?2, ?3))
                ORDER BY call.offered_wall_us DESC, call.id DESC LIMIT ?4";
        let (at, id) = (after.map(|place| place.offered.as_micros()), after.map(|place| sqlite::id(place.call)));
        let more = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let mut records = self.records(&sql, &[&kind.word(), &at, &id, &more])?;
        let is_more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| is_more).map(Place::of);
        Ok(Page { records, next, looked_to: None })
    }

    /// Of whatever kind.
    pub fn call(&self, call: CallId) -> Result<Option<Call>, StoreError> {
        // One transaction, so that record and facts are of the same moment.
        let moment = self.db.unchecked_transaction()?;
        let sql = of("any_call", &format!("{COLUMNS} WHERE call.id = ?1"));
        let Some(row) = moment.query_row(&sql, [sqlite::id(call)], columns).optional()? else { return Ok(None) };
        Ok(Some(Call { record: record(&moment, row)?, facts: sqlite::facts_of(&moment, call)? }))
    }

    /// Calls offered from `from` up to but not including `to`, oldest first; of one hotline or of all.
    pub fn records_between(
        &self,
        hotline: Option<&HotlineId>,
        from: Wall,
        to: Wall,
    ) -> Result<Vec<Record>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE call.offered_wall_us >= ?1 AND call.offered_wall_us < ?2
             AND (?3 IS NULL OR call.hotline = ?3) ORDER BY call.offered_wall_us, call.id"
        );
        let hotline = hotline.map(HotlineId::as_str);
        self.records(&sql, &[&from.as_micros(), &to.as_micros(), &hotline])
    }

    /// Calls of other kinds than the offered ones, as [`Reader::records_between`] gives those.
    pub fn apart_between(&self, from: Wall, to: Wall) -> Result<Vec<Record>, StoreError> {
        let sql = of("call_apart", COLUMNS)
            + " WHERE call.offered_wall_us >= ?1 AND call.offered_wall_us < ?2 ORDER BY call.id";
        self.records(&sql, &[&from.as_micros(), &to.as_micros()])
    }

    /// Of each agent who was ever heard of the newest fact that tells a presence.
    pub fn presences(&self) -> Result<Vec<AgentFact>, StoreError> {
        sqlite::last_agent_facts(&self.db, &super::NO_PRESENCE, true)
    }

    /// Of each agent whose phone was ever missed the newest word on that.
    pub fn reachability(&self) -> Result<Vec<AgentFact>, StoreError> {
        sqlite::last_agent_facts(&self.db, &["unreachable", "reachable"], false)
    }

    /// Of each agent who ever missed a shift the newest word on that.
    pub fn missed_shifts(&self) -> Result<Vec<AgentFact>, StoreError> {
        sqlite::last_agent_facts(&self.db, &["misses_shift"], false)
    }

    /// What agents became from `from` up to `to`, and of each the last before: in order of run and number.
    pub fn presence_between(&self, from: Wall, to: Wall) -> Result<Vec<AgentFact>, StoreError> {
        sqlite::agent_facts_between(&self.db, from, to)
    }

    /// Each start of the gateway, and until when it is known to have run: the last fact of a call or agent before the next
    /// start, and of the newest run `now`.
    pub fn runs(&self, now: Wall) -> Result<Vec<Run>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT run.id, run.began_wall_us, next.began_wall_us,
                    (SELECT max(ended_wall_us) FROM call WHERE offered_wall_us >= run.began_wall_us
                       AND offered_wall_us < next.began_wall_us),
                    (SELECT max(wall_us) FROM agent_fact WHERE agent_fact.run = run.id)
             FROM run LEFT JOIN run AS next ON next.id = (SELECT min(id) FROM run AS later WHERE later.id > run.id)
             ORDER BY run.id",
        )?;
        let rows = query.query_map([], |row| {
            let (began, next): (i64, Option<i64>) = (row.get(1)?, row.get(2)?);
            let (call, agent): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
            let until = match next {
                None => now.as_micros(),
                Some(next) => call.max(agent).unwrap_or(began).clamp(began, next.max(began)),
            };
            Ok(Run { id: RunId(row.get(0)?), began: Wall::from_micros(began), until: Wall::from_micros(until) })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The facts of every call in progress.
    pub fn live_facts(&self) -> Result<Vec<Vec<Fact>>, StoreError> {
        let moment = self.db.unchecked_transaction()?;
        let mut query = moment.prepare_cached("SELECT id FROM any_call WHERE ended_wall_us IS NULL AND closed = 0")?;
        let calls = query.query_map([], |row| row.get(0).map(sqlite::call_id))?.collect::<Result<Vec<_>, _>>()?;
        calls.into_iter().map(|call| sqlite::facts_of(&moment, call)).collect()
    }

    /// Callers of calls offered at or after `since` that agents sent to the desk for nuisance calls: the most frequent first. One person
    /// may have several entries of one number; a number counts once.
    pub fn nuisances(&self, since: Wall) -> Result<Vec<Nuisance>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT max(subject.number), count(DISTINCT call.id), max(call.offered_wall_us)
             FROM call JOIN fact ON fact.call = call.id AND fact.kind = 'sent_to_desk'
             JOIN subject ON subject.id = call.subject
             WHERE call.offered_wall_us >= ?1 AND json_extract(fact.body, '$.why') = 'nuisance'
             GROUP BY subject.keyed_hash ORDER BY 2 DESC, 3 DESC",
        )?;
        let rows = query.query_map([since.as_micros()], |row| {
            let last = Wall::from_micros(row.get(2)?);
            Ok(Nuisance { number: row.get(0)?, calls: row.get(1)?, last })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest start of the gateway.
    pub fn last_run(&self) -> Result<Option<RunId>, StoreError> {
        let last: Option<u32> = self.db.query_row("SELECT max(id) FROM run", [], |row| row.get(0))?;
        Ok(last.map(RunId))
    }

    /// Rows of the recording ledger, oldest first: of calls offered at or after `since`, behind the row `after`, at most `limit`.
    pub fn recordings(&self, since: Wall, after: Option<&Kept>, limit: usize) -> Result<Vec<Kept>, StoreError> {
        recordings::page(&self.db, since, after, limit)
    }

    pub fn recording(&self, call: CallId) -> Result<Option<Kept>, StoreError> {
        recordings::row(&self.db, call)
    }

    /// Connected and closed calls that the recording ledger does not have; there should be none.
    pub fn unrecorded(&self, since: Wall) -> Result<Vec<CallId>, StoreError> {
        recordings::unrecorded(&self.db, since)
    }

    /// Whether this call is known and not closed: its recording may still be written. `None`: there is no such call.
    pub fn is_open(&self, call: CallId) -> Result<Option<bool>, StoreError> {
        let mut find = self.db.prepare_cached("SELECT closed = 0 FROM any_call WHERE id = ?1")?;
        Ok(find.query_row([sqlite::id(call)], |row| row.get(0)).optional()?)
    }

    /// What was said in a call, if a recogniser told it.
    pub fn transcript(&self, call: CallId) -> Result<Option<Transcript>, StoreError> {
        transcripts::of(&self.db, call)
    }

    /// Each ended call offered from `from` up to but not including `to`, oldest first, with its words; its
    /// facts without what only the ladder and the figures of quality are made of.
    pub fn each_case(&self, from: Wall, to: Wall, mut each: impl FnMut(&Case)) -> Result<(), StoreError> {
        let any_words = transcripts::any(&self.db)?;
        let mut tell = |facts: &[Fact]| -> Result<(), StoreError> {
            let Some((case, first)) = Case::of(facts).zip(facts.first()) else { return Ok(()) };
            let words = if any_words { transcripts::of(&self.db, first.call)? } else { None };
            each(&case.hear(words));
            Ok(())
        };
        let mut query = self.db.prepare_cached(
            "SELECT fact.call, n, run, mono_ns, wall_us, version, kind, body FROM call JOIN fact ON fact.call = call.id
             WHERE call.offered_wall_us >= ?1 AND call.offered_wall_us < ?2 AND call.ended_wall_us IS NOT NULL
             AND kind NOT IN ('signal', 'media', 'media_interval', 'media_measured', 'media_of_left', 'remote_quality')
             ORDER BY call.offered_wall_us, call.id, n",
        )?;
        let rows = query.query_map([from.as_micros(), to.as_micros()], sqlite::fact_row)?;
        let mut facts: Vec<Fact> = Vec::new();
        for row in rows {
            let fact = codec::decode(&row?)?;
            if facts.first().is_some_and(|first| first.call != fact.call) {
                tell(&facts)?;
                facts.clear();
            }
            facts.push(fact);
        }
        tell(&facts)
    }

    /// The page of ended calls after a place (without one: the newest), at most `limit`.
    pub fn page(&self, filter: &Filter, after: Option<Place>, limit: usize) -> Result<Page, StoreError> {
        let moment = self.db.unchecked_transaction()?;
        let (mut places, looked_to) = listing::places(&moment, filter, after, limit)?;
        let more = places.len() > limit;
        places.truncate(limit);
        let sql = format!("{COLUMNS} WHERE call.id = ?1");
        let mut find = moment.prepare_cached(&sql)?;
        let mut records = Vec::with_capacity(places.len());
        for place in &places {
            let row = find.query_row([sqlite::id(place.call)], columns).optional()?;
            records.extend(row.map(|row| record(&moment, row)).transpose()?);
        }
        // Looked in vain to the bound: the next page goes on behind it.
        let next = if more { places.last().copied() } else { looked_to };
        Ok(Page { records, next, looked_to: looked_to.map(|place| place.offered) })
    }

    /// The list of callbacks: entries since `from` (before `to`), oldest first, as they stand at `now`.
    pub fn callbacks(&self, from: Wall, to: Option<Wall>, now: Wall) -> Result<Vec<callbacks::Row>, StoreError> {
        let moment = self.db.unchecked_transaction()?;
        super::callbacks::rows(&moment, from, to, now)
    }

    /// The entries of the last month that are not closed, the most urgent first.
    pub fn callbacks_to_make(&self, now: Wall) -> Result<Vec<callbacks::Row>, StoreError> {
        let mut rows = self.callbacks(super::callbacks::month_before(now), None, now)?;
        rows.retain(|row| !row.state.is_closed());
        rows.sort_by_key(|row| (row.due.0, row.call));
        Ok(rows)
    }

    /// Ended calls offered at or after `from`, by hotline.
    pub fn since(&self, from: Wall) -> Result<Vec<(HotlineId, Since)>, StoreError> {
        listing::since(&self.db, from)
    }

    /// Walks the audit log's chain.
    pub fn audit_chain(&self) -> Result<Chain, StoreError> {
        audit::verify(&self.db)
    }

    pub fn audit_hash(&self, n: i64) -> Result<Option<Hash>, StoreError> {
        audit::hash_of(&self.db, n)
    }

    /// Rows of the audit log, newest first: about something or all, before the row `before`.
    pub fn audit(&self, about: Option<&str>, before: Option<i64>, limit: usize) -> Result<Vec<Audited>, StoreError> {
        audit::page(&self.db, about, before, limit)
    }

    fn records(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<Vec<Record>, StoreError> {
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map(parameters, columns)?;
        rows.map(|row| record(&self.db, row?)).collect()
    }
}

/// Which call, whether it has ended, its record if it has, and the caller's number.
type Columns = (CallId, bool, String, Option<String>);

fn columns(row: &SqlRow<'_>) -> rusqlite::Result<Columns> {
    let ended: Option<i64> = row.get(1)?;
    Ok((sqlite::call_id(row.get(0)?), ended.is_some(), row.get(2)?, row.get(3)?))
}

fn record(db: &Connection, (call, ended, json, number): Columns) -> Result<Record, StoreError> {
    let facts = if ended { Vec::new() } else { sqlite::facts_of(db, call)? };
    let mut record: Record = match Case::of(&facts) {
        Some(case) => case.fold().record(),
        None => serde_json::from_str(&json)?,
    };
    record.caller = number;
    // It stands for a second number, which only calls of a trunk with `numbers` have.
    if let Some(subject) = record.caller_received.take().and_then(|id| id.parse::<SubjectId>().ok()) {
        let mut find = db.prepare_cached("SELECT number FROM subject WHERE id = ?1")?;
        record.caller_received = find.query_row([subject.0.as_bytes()], |row| row.get(0)).optional()?.flatten();
    }
    Ok(record)
}
