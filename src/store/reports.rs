//! Closed reports: each a row that is never changed, chained to the one before it by SHA-256 as rows of the audit log are, over its
//! number, the moment, who closed it, span, first day and content.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, TransactionBehavior};
use serde_json::json;

use super::audit::{self, Break, Chain, Deed, Hash, NOTHING};
use super::qa::{Inspection, Review};
use super::told::Told;
use super::{People, Reader, StoreError, sqlite};
use crate::cdr::Time;
use crate::clock::Wall;
use crate::ids::CallId;
use crate::qa::form::{Form, read};
use crate::qa::whole::{Noted, Whole};
use crate::report::{Material, Period, PeriodError, Report, Span, Zones};

/// A report as it was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    pub n: i64,
    pub closed: Time,
    pub by: String,
    pub period: Period,
    /// Canonical JSON.
    pub content: String,
    pub hash: Hash,
}

const COLUMNS: &str = "SELECT n, closed_wall_us, by_whom, span, first, content, hash FROM report";

/// The report of a period, computed from the ledger and from what people wrote.
pub fn whole(dir: &Path, period: Period, zones: &Zones, now: Wall) -> Result<Whole, StoreError> {
    let (reader, inspection) = (Reader::open(dir)?, Inspection::open_to_read(dir)?);
    let (from, to) = zones.span(period).map_err(no_date)?;
    let records = reader.records_between(None, from, to)?;
    let mut within = Vec::with_capacity(records.len());
    for record in records {
        let (from, to) = period.bounds(zones.of(&record.hotline)).map_err(no_date)?;
        if (from..to).contains(&record.offered_at.0) {
            within.push(record);
        }
    }
    // What becomes of callbacks goes on after the period: a closed report does not tell of them.
    let (presence, runs) = (reader.presence_between(from, to)?, reader.runs(now)?);
    let apart = reader.apart_between(from, to)?;
    let material = Material { records: within, presence, runs, callbacks: Vec::new(), apart };
    let report = Report::new(period, zones, &material).map_err(no_date)?;
    let (from, to) = period.bounds(&zones.otherwise).map_err(no_date)?;
    let months = [from, to].map(|at| crate::notes::day(at, &zones.otherwise).strftime("%Y-%m").to_string());
    let mut reviews = inspection.heard(&months[0], &months[1])?;
    reviews.retain(|review| review.heard().is_some_and(|heard| (from..to).contains(&heard.offered)));
    let form = inspection.form_of(&reviews)?;
    let is_same = |review: &&Review| review.form.as_deref() == Some(form.version.as_str());
    let heard: Vec<_> = reviews.iter().filter(is_same).filter_map(Review::heard).collect();
    let noted = reader.noted(&material.records.iter().map(|record| record.id).collect::<Vec<_>>())?;
    Ok(Whole::new(report, &material.records, &form, &heard, &noted))
}

impl Inspection {
    /// The form of most of these sheets: by another one faults could not be compared. Without sheets the one in force.
    pub fn form_of(&self, reviews: &[Review]) -> Result<Form, StoreError> {
        let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
        for version in reviews.iter().filter_map(|review| review.form.as_deref()) {
            *versions.entry(version).or_default() += 1;
        }
        let most = versions.into_iter().max_by_key(|(_, n)| *n).map(|(version, _)| version.to_owned());
        let text = match most {
            Some(version) => self.form(&version)?,
            None => self.form_in_force()?,
        };
        let text = text.ok_or_else(|| refused("there is no form"))?;
        // It was checked before it was stored. Rules may have gone since.
        read("form", text.as_bytes(), |_| true).0.ok_or_else(|| refused("the stored form cannot be read"))
    }
}

impl Reader {
    /// What the first note of each of these calls tells.
    pub fn noted(&self, calls: &[CallId]) -> Result<BTreeMap<CallId, Noted>, StoreError> {
        let mut find = self.db.prepare_cached(
            "SELECT class, done_wall_us IS written_wall_us FROM note WHERE call = ?1 ORDER BY id LIMIT 1",
        )?;
        let mut noted = BTreeMap::new();
        for call in calls {
            let found =
                find.query_row([sqlite::id(*call)], |row| Ok(Noted { class: row.get(0)?, settled: row.get(1)? }));
            noted.extend(found.optional()?.map(|found| (*call, found)));
        }
        Ok(noted)
    }

    pub fn frozen(&self, period: Period) -> Result<Option<Frozen>, StoreError> {
        let mut find = self.db.prepare_cached(&format!("{COLUMNS} WHERE span = ?1 AND first = ?2"))?;
        Ok(find.query_row((period.span().word(), period.first().to_string()), frozen).optional()?)
    }

    /// Newest first.
    pub fn all_frozen(&self, limit: usize) -> Result<Vec<Frozen>, StoreError> {
        let mut query = self.db.prepare_cached(&format!("{COLUMNS} ORDER BY n DESC LIMIT ?1"))?;
        let rows = query.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], frozen)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Walks the chain of closed reports.
    pub fn report_chain(&self) -> Result<Chain, StoreError> {
        let mut query = self.db.prepare(&format!("{COLUMNS} ORDER BY n"))?;
        let (mut rows, mut head) = (0, NOTHING);
        for row in query.query_map([], frozen)? {
            let row = row?;
            if row.n != rows + 1 {
                return Ok(Chain::Broken { n: row.n, why: Break::Gap });
            }
            if row.following(head) != row.hash {
                return Ok(Chain::Broken { n: row.n, why: Break::Changed });
            }
            (rows, head) = (row.n, row.hash);
        }
        Ok(Chain::Whole { rows, head })
    }
}

impl Frozen {
    fn following(&self, before: Hash) -> Hash {
        let (span, first) = (self.period.span().word(), self.period.first().to_string());
        audit::following(before, self.n, self.closed.0.as_micros(), [&self.by, span, &first, &self.content])
    }
}

impl People {
    /// Keeps a report as it is now, for good; `over`: the end of its period in every zone.
    pub fn close_report(
        &mut self,
        period: Period,
        over: Wall,
        content: String,
        by: &str,
        at: Wall,
    ) -> Result<Frozen, StoreError> {
        if at < over {
            return Err(Told::NotOver { period }.into());
        }
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let open = unsealed(&work, period, over)?;
        if open > 0 {
            return Err(Told::NotSealed { n: open, period }.into());
        }
        let last: Option<(i64, Hash)> = work
            .query_row("SELECT n, hash FROM report ORDER BY n DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, Hash(row.get(1)?)))
            })
            .optional()?;
        let (n, before) = last.map_or((1, NOTHING), |(n, hash)| (n + 1, hash));
        let mut row = Frozen { n, closed: Time(at), by: by.to_owned(), period, content, hash: NOTHING };
        row.hash = row.following(before);
        let (span, first) = (period.span().word(), period.first().to_string());
        let made = work.execute(
            "INSERT INTO report (n, closed_wall_us, by_whom, span, first, content, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (span, first) DO NOTHING",
            (n, at.as_micros(), by, span, &first, &row.content, row.hash.0),
        )?;
        if made == 0 {
            return Err(Told::ReportClosed { period }.into());
        }
        let details = json!({ "n": n, "sha256": row.hash });
        audit::append(
            &work,
            Deed { at, who: by, what: "report.closed", about: &format!("{span} {first}"), details: &details },
        )?;
        work.commit()?;
        Ok(row)
    }
}

/// Calls whose facts are not all in. A period's own begin cannot be told here without zones; a day more does no harm.
fn unsealed(work: &Connection, period: Period, over: Wall) -> Result<i64, StoreError> {
    let from = period.bounds(&jiff::tz::TimeZone::UTC).map_err(no_date)?.0.as_micros() - 86_400_000_000;
    let sql = "SELECT count(*) FROM call WHERE closed = 0 AND offered_wall_us >= ?1 AND offered_wall_us < ?2";
    Ok(work.query_row(sql, (from, over.as_micros()), |row| row.get(0))?)
}

fn frozen(row: &SqlRow<'_>) -> rusqlite::Result<Frozen> {
    let (span, first): (String, String) = (row.get(3)?, row.get(4)?);
    let period = Span::parse(&span).zip(first.parse::<Date>().ok());
    let period = period.and_then(|(span, first)| Period::holding(span, first).ok());
    Ok(Frozen {
        n: row.get(0)?,
        closed: Time(Wall::from_micros(row.get(1)?)),
        by: row.get(2)?,
        // Another word was put in its place: then its hash does not follow.
        period: period.unwrap_or_else(Period::unknown),
        content: row.get(5)?,
        hash: Hash(row.get(6)?),
    })
}

fn refused(why: &str) -> StoreError {
    StoreError::Refused(why.to_owned())
}

fn no_date(error: PeriodError) -> StoreError {
    StoreError::Refused(error.to_string())
}

#[cfg(test)]
#[path = "reports_tests.rs"]
mod tests;
