//! Who hears what beside the draw: calls of the targeted pool, picked or come by themselves; hearings that go to somebody else.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use serde_json::{Value, json};

use super::super::told::Told;
use super::super::{StoreError, sqlite};
use super::{By, Inspection, Task, note, refused, rows};
use crate::cdr::{Time, Word as _};
use crate::clock::Wall;
use crate::ids::{AgentNo, CallId};
use crate::qa::draw::assign::{Handing, Reviewer, fewest};
use crate::qa::draw::frame::repeats;
use crate::qa::draw::target::{AGAIN_DAYS, Deserving, Targeting, Why};
use crate::qa::review::State;
use crate::qa::summary::Pool;

const DAY_US: i64 = 86_400_000_000;

/// What puts calls into the targeted pool, as somebody set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aimed {
    pub targeting: Targeting,
    /// Who and when; `None`: nobody has said anything yet.
    pub set: Option<(String, Time)>,
}

/// A hearing that went to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub review: i64,
    pub from: Option<String>,
    pub to: String,
    pub by: String,
    pub at: Time,
    pub reason: String,
}

impl Inspection {
    pub fn targeting(&self) -> Result<Aimed, StoreError> {
        let mut find = self
            .db
            .prepare_cached("SELECT targeting, by_whom, at_wall_us FROM qa_targeting ORDER BY n DESC LIMIT 1")?;
        let found = find.query_row([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)));
        Ok(match found.optional()? {
            None => Aimed { targeting: Targeting::default(), set: None },
            Some((text, who, at)) => {
                Aimed { targeting: serde_json::from_str(&text)?, set: Some((who, Time(Wall::from_micros(at)))) }
            }
        })
    }

    /// From now on, for calls that come from now on. False: it is so already.
    pub fn aim(&mut self, targeting: &Targeting, by: By<'_>) -> Result<bool, StoreError> {
        let before = self.targeting()?.targeting;
        if before == *targeting {
            return Ok(false);
        }
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute(
            "INSERT INTO qa_targeting (targeting, by_whom, at_wall_us) VALUES (?1, ?2, ?3)",
            (serde_json::to_string(targeting)?, by.who, by.at.as_micros()),
        )?;
        if before.on.is_empty() {
            reach(&work, by.at)?;
        }
        note(&work, by, "qa.targeting_changed", "targeting", &json!({ "before": before, "after": targeting }))?;
        work.commit()?;
        Ok(true)
    }

    /// From when to when calls are to be looked at; `None`: nothing comes by itself. Those of the last day are looked at again, for
    /// what was noted of them meanwhile; a call that is not closed yet holds back those after it.
    pub fn to_be_aimed_at(&self, now: Wall) -> Result<Option<(Wall, Wall)>, StoreError> {
        if self.targeting()?.targeting.on.is_empty() {
            return Ok(None);
        }
        let until: Option<i64> =
            self.db.query_row("SELECT offered_wall_us FROM qa_targeted_until", [], |row| row.get(0)).optional()?;
        let set: i64 = self.db.query_row(
            "SELECT min(at_wall_us) FROM qa_targeting WHERE n > (SELECT coalesce(max(n), 0) FROM qa_targeting
             WHERE json_array_length(targeting, '$.on') = 0)",
            [],
            |row| row.get(0),
        )?;
        let open: Option<i64> =
            self.db.query_row("SELECT min(offered_wall_us) FROM call WHERE closed = 0", [], |row| row.get(0))?;
        let (set, until) = (Wall::from_micros(set), Wall::from_micros(until.unwrap_or(set)));
        let again = Wall::from_micros(until.as_micros() - DAY_US);
        Ok(Some((again.max(set), open.map_or(now, Wall::from_micros).min(now))))
    }

    /// Calls of somebody who had called the same hotline within [`AGAIN_DAYS`].
    pub fn called_again(&self, from: Wall, to: Wall) -> Result<BTreeSet<CallId>, StoreError> {
        let before = i64::from(AGAIN_DAYS) * DAY_US;
        let rows = rows::calls(&self.db, Wall::from_micros(from.as_micros() - before), to)?;
        let again = repeats(AGAIN_DAYS, &rows);
        let calls = rows.iter().zip(again).filter(|(row, again)| *again && row.offered >= from);
        Ok(calls.map(|(row, _)| row.call).collect())
    }

    /// What [`Targeting`] asks for of `found` (its best first) is heard by those who have the fewest; `until`: what was looked at.
    /// `month_of`: the month that a call belongs to. How many.
    pub fn target_by_itself(
        &mut self,
        found: &[Deserving],
        until: Wall,
        month_of: &dyn Fn(Wall) -> String,
        reviewers: &[Reviewer],
        by: By<'_>,
    ) -> Result<usize, StoreError> {
        let targeting = self.targeting()?.targeting;
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut has, mut made) = (open_of_each(&work)?, 0);
        for one in found.iter().filter(|one| targeting.asks_for(one)) {
            let (call, period) = (one.record.id, month_of(one.record.offered_at.0));
            if in_pool(&work, &period, &one.agent)? >= targeting.most {
                continue;
            }
            let scorer = fewest(reviewers, &one.agent, &[], &has);
            if insert(&work, &period, (call, &one.agent), &one.why, scorer, by)? {
                made += 1;
                scorer.into_iter().for_each(|name| *has.entry(name.to_owned()).or_default() += 1);
            }
        }
        reach(&work, until)?;
        work.commit()?;
        Ok(made)
    }

    /// A call that is heard for a reason. False: it is in that pool already.
    pub fn target(
        &mut self,
        period: &str,
        whose: (CallId, &AgentNo),
        why: &[Why],
        scorer: &str,
        by: By<'_>,
    ) -> Result<bool, StoreError> {
        if why.is_empty() {
            return Err(refused("a call of the targeted pool has a reason".to_owned()));
        }
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let made = insert(&work, period, whose, why, Some(scorer), by)?;
        work.commit()?;
        Ok(made)
    }

    /// Gives a hearing to somebody (else), as long as nothing was submitted; what was filled in goes.
    pub fn give(&mut self, id: i64, scorer: &str, reason: Handing, by: By<'_>) -> Result<(), StoreError> {
        let review = self.expect(id)?;
        if review.state != State::Draft {
            return Err(Told::Scored.into());
        }
        if review.scorer.as_deref() == Some(scorer) {
            return Err(Told::HasIt { who: scorer.to_owned() }.into());
        }
        if self.hearers_of(review.call, &review.agent, review.pool)?.iter().any(|name| name == scorer) {
            return Err(Told::HasTheOther { who: scorer.to_owned() }.into());
        }
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute(
            "UPDATE qa_review SET scorer = ?2, form = NULL, draft = NULL, filled = NULL, changed_wall_us = ?3 WHERE id = ?1",
            (id, scorer, by.at.as_micros()),
        )?;
        work.execute(
            "INSERT INTO qa_given (review, n, from_whom, to_whom, by_whom, at_wall_us, reason)
             VALUES (?1, (SELECT count(*) + 1 FROM qa_given WHERE review = ?1), ?2, ?3, ?4, ?5, ?6)",
            (id, &review.scorer, scorer, by.who, by.at.as_micros(), reason.word()),
        )?;
        let details = json!({ "from": review.scorer, "to": scorer, "reason": reason });
        note(&work, by, "qa.given", &format!("review {id}"), &details)?;
        work.commit()?;
        Ok(())
    }

    /// Everything that this person has still to hear goes to the others, evenly. How many went, and how many nobody else may hear.
    pub fn give_all(
        &mut self,
        from: &str,
        reviewers: &[Reviewer],
        reason: Handing,
        by: By<'_>,
    ) -> Result<(usize, usize), StoreError> {
        let open = self.tasks(super::Wanted::Open(from), usize::MAX)?;
        let (mut has, mut given) = (open_of_each(&self.db)?, 0);
        for task in &open {
            let others = self.hearers(task)?;
            let not: Vec<&str> = others.iter().map(String::as_str).chain([from]).collect();
            let Some(to) = fewest(reviewers, &task.agent, &not, &has) else { continue };
            self.give(task.id, to, reason, by)?;
            *has.entry(to.to_owned()).or_default() += 1;
            given += 1;
        }
        Ok((given, open.len() - given))
    }

    /// What was given to somebody else, the latest first.
    pub fn given(&self, limit: usize) -> Result<Vec<Given>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT review, from_whom, to_whom, by_whom, at_wall_us, reason FROM qa_given
             ORDER BY at_wall_us DESC, review DESC, n DESC LIMIT ?1",
        )?;
        let rows = query.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            let at = Time(Wall::from_micros(row.get(4)?));
            Ok(Given {
                review: row.get(0)?,
                from: row.get(1)?,
                to: row.get(2)?,
                by: row.get(3)?,
                at,
                reason: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Who has a hearing of the same call, this one's included.
    pub fn hearers(&self, task: &Task) -> Result<Vec<String>, StoreError> {
        self.hearers_of(task.call, &task.agent, task.pool)
    }

    fn hearers_of(&self, call: CallId, agent: &AgentNo, pool: Pool) -> Result<Vec<String>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT scorer FROM qa_review WHERE call = ?1 AND agent = ?2 AND pool = ?3 AND scorer IS NOT NULL",
        )?;
        let rows = query.query_map((sqlite::id(call), agent.as_str(), pool.word()), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn insert(
    work: &Connection,
    period: &str,
    (call, agent): (CallId, &AgentNo),
    why: &[Why],
    scorer: Option<&str>,
    by: By<'_>,
) -> Result<bool, StoreError> {
    let words = serde_json::to_string(why)?;
    let made = work.execute(
        "INSERT INTO qa_review (period, call, agent, pool, why, second, weight, scorer, state, made_wall_us, changed_wall_us)
         VALUES (?1, ?2, ?3, 'targeted', ?4, 0, 1.0, ?5, 'draft', ?6, ?6) ON CONFLICT DO NOTHING",
        (period, sqlite::id(call), agent.as_str(), &words, scorer, by.at.as_micros()),
    )?;
    if made > 0 {
        let why: Value = serde_json::from_str(&words)?;
        note(work, by, "qa.targeted", &call.to_string(), &json!({ "agent": agent, "why": why }))?;
    }
    Ok(made > 0)
}

/// Of an agent and month that came by themselves or were picked.
fn in_pool(work: &Connection, period: &str, agent: &AgentNo) -> Result<u32, StoreError> {
    let mut count =
        work.prepare_cached("SELECT count(*) FROM qa_review WHERE agent = ?2 AND period = ?1 AND pool = 'targeted'")?;
    Ok(count.query_row((period, agent.as_str()), |row| row.get(0))?)
}

fn open_of_each(db: &Connection) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT scorer, count(*) FROM qa_review WHERE state = 'draft' AND scorer IS NOT NULL GROUP BY scorer",
    )?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Calls offered before this were looked at.
fn reach(work: &Connection, until: Wall) -> Result<(), StoreError> {
    work.execute(
        "INSERT INTO qa_targeted_until (one, offered_wall_us) VALUES (1, ?1)
         ON CONFLICT (one) DO UPDATE SET offered_wall_us = max(offered_wall_us, ?1)",
        [until.as_micros()],
    )?;
    Ok(())
}
