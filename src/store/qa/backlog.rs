//! What waits to be scored, and what was done since somebody last looked.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{OptionalExtension as _, Row as SqlRow};
use serde::Deserialize;

use super::super::StoreError;
use super::reviews::{millis_of, pool};
use super::{Inspection, refused};
use crate::clock::Wall;
use crate::dialplan::plan::Plans;
use crate::ids::AgentNo;
use crate::qa::backlog::{Backlog, Decision, Deed, Hearing, Progress};
use crate::qa::draw::policy::Policy;
use crate::qa::due::Due;
use crate::qa::form::Score;
use crate::store::sqlite;

impl Inspection {
    /// By when hearings are to be done, by the plans' calendar and the policies that the months were committed with.
    pub fn due(&self, plans: &Plans) -> Result<Due, StoreError> {
        let days = self.months()?.into_iter().map(|month| (month.period, month.policy.due_days)).collect();
        Due::of(plans, days).map_err(|error| refused(error.to_string()))
    }

    /// `month`: the present one.
    pub fn backlog(&self, month: &str, due: &Due, now: Wall) -> Result<Backlog, StoreError> {
        let mut backlog = Backlog { month: self.progress(month)?, ..Backlog::default() };
        let mut query = self.db.prepare_cached(
            "SELECT scorer IS NOT NULL, state, period, made_wall_us FROM qa_review WHERE state IN ('draft', 'disputed')",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (assigned, state): (bool, String) = (row.get(0)?, row.get(1)?);
            let (period, made): (String, i64) = (row.get(2)?, row.get(3)?);
            let of = match (state.as_str(), assigned) {
                ("disputed", _) => &mut backlog.disputed,
                _ if due.is_over(&period, Wall::from_micros(made), now) => &mut backlog.overdue,
                (_, true) => &mut backlog.assigned,
                (_, false) => &mut backlog.unassigned,
            };
            *of += 1;
        }
        Ok(backlog)
    }

    fn progress(&self, month: &str) -> Result<Progress, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT agent, count(*), count(CASE WHEN state <> 'draft' THEN 1 END) FROM qa_review
             WHERE period = ?1 AND pool = 'random' AND second = 0 GROUP BY agent",
        )?;
        let of_agent = |row: &SqlRow<'_>| {
            let number = |n| row.get::<_, i64>(n).map(i64::unsigned_abs);
            Ok((AgentNo::from(row.get::<_, String>(0)?), number(1)?, number(2)?))
        };
        let found = query.query_map([month], of_agent)?.collect::<Result<Vec<_>, _>>()?;
        let known = self.months()?.into_iter().find(|known| known.period == month);
        let policy = known.map_or_else(Policy::default, |known| known.policy);
        let lacking = self.drawings(month)?.pop().map(|last| last.lacking).unwrap_or_default();
        let agents: BTreeSet<&AgentNo> = found.iter().map(|(agent, ..)| agent).chain(lacking.keys()).collect();
        Ok(Progress {
            drawn: found.iter().map(|(_, drawn, _)| drawn).sum(),
            scored: found.iter().map(|(.., scored)| scored).sum(),
            agents: agents.len() as u64,
            met: found.iter().filter(|(agent, _, scored)| *scored >= u64::from(policy.minimum_of(agent))).count()
                as u64,
        })
    }

    /// The number of the audit log's last row; 0: there is none.
    pub fn last_deed(&self) -> Result<i64, StoreError> {
        Ok(self.db.query_row("SELECT coalesce(max(n), 0) FROM audit", [], |row| row.get(0))?)
    }

    /// What was scored and decided after that row of the audit log; and the last row that was looked at.
    pub fn deeds_after(&self, last: i64) -> Result<(i64, Vec<Deed>), StoreError> {
        let until = self.last_deed()?;
        let mut query = self.db.prepare_cached(
            "SELECT what, about, details, at_wall_us FROM audit
             WHERE n > ?1 AND n <= ?2 AND what IN ('qa.submitted', 'qa.upheld', 'qa.changed') ORDER BY n",
        )?;
        let mut rows = query.query((last, until))?;
        let mut deeds = Vec::new();
        while let Some(row) = rows.next()? {
            let what: String = row.get(0)?;
            deeds.extend(match what.as_str() {
                "qa.upheld" => Some(Deed::Decided(Decision::Upheld)),
                "qa.changed" => Some(Deed::Decided(Decision::Changed)),
                _ => self.scored(&row.get::<_, String>(1)?, &row.get::<_, String>(2)?, row.get(3)?)?,
            });
        }
        Ok((until, deeds))
    }

    /// `about`: `review 12`.
    fn scored(&self, about: &str, details: &str, at_us: i64) -> Result<Option<Deed>, StoreError> {
        #[derive(Deserialize)]
        struct Submitted {
            second: bool,
            score: Score,
        }
        let Some(id) = about.strip_prefix("review ").and_then(|id| id.parse::<i64>().ok()) else { return Ok(None) };
        let Submitted { second, score } = serde_json::from_str(details)?;
        let mut find = self.db.prepare_cached("SELECT pool, call FROM qa_review WHERE id = ?1")?;
        let found =
            find.query_row([id], |row| Ok((row.get::<_, String>(0)?, sqlite::call_id(row.get(1)?)))).optional()?;
        Ok(found.map(|(of, call)| {
            let at_ms = u64::try_from(at_us / 1_000).unwrap_or(0);
            Deed::Scored {
                pool: pool(&of),
                hearing: if second { Hearing::Second } else { Hearing::First },
                score: score.total.map(|total| total.points() / 100.0),
                fatal: !score.fatal.is_empty(),
                after: Duration::from_millis(at_ms.saturating_sub(millis_of(call))),
            }
        }))
    }
}
