//! Inspection by people: months and their seeds, draws, reviews. Every change is a row of the audit log, in the same transaction.
//!
//! A connection of its own beside the ledger's writer: its transactions are short, and it touches no fact.

mod backlog;
mod draws;
mod forms;
mod hearings;
mod reviews;
mod rows;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use draws::{Drawing, Picked, Replaced, Verified};
pub use forms::Version;
pub use hearings::{Aimed, Given};
pub use reviews::{Pin, Review, Revised, Sheet, Task, Wanted, Word};

use super::audit::{self, Deed};
use super::people::Role;
use super::{People, StoreError, sqlite};
use crate::cdr::Time;
use crate::clock::Wall;
use crate::qa::draw::assign::Reviewer;
use crate::qa::draw::policy::{self, Policy};
use crate::qa::draw::seed::Seed;

#[derive(Debug)]
pub struct Inspection {
    db: Connection,
}

/// A month that a seed was committed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Month {
    /// `2026-11`.
    pub period: String,
    pub commitment: String,
    pub policy: Policy,
    /// Its JSON, whose hash was told.
    #[serde(skip)]
    pub policy_text: String,
    pub committed_at: Time,
    pub closed_at: Option<Time>,
    /// Only of a month that is closed.
    pub seed: Option<String>,
}

/// Who does something, as the audit log names them, and when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    pub who: &'a str,
    pub at: Wall,
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    Commit { period: String },
    Draw { period: String },
    Close { period: String },
}

impl Inspection {
    pub fn open(dir: &Path) -> Result<Inspection, StoreError> {
        Ok(Inspection { db: sqlite::open_beside(dir)? })
    }

    /// Beside a running server, changing nothing.
    pub fn open_to_read(dir: &Path) -> Result<Inspection, StoreError> {
        Ok(Inspection { db: sqlite::open_reader(dir)? })
    }

    /// For tickets and the files of [`crate::qa::draw::export`]; of a month that is not closed it stays within the program.
    pub fn seed_for_export(&self, period: &str) -> Result<Seed, StoreError> {
        Ok(self.secret(period)?.1)
    }

    /// Makes the month's seed known by its hash. False: it was committed before.
    pub fn commit(&mut self, period: &str, seed: &Seed, policy: &Policy, by: By<'_>) -> Result<bool, StoreError> {
        let text = serde_json::to_string(policy)?;
        let commitment = policy.commitment(&text, seed);
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let made = work.execute(
            "INSERT INTO qa_period (period, seed, commitment, policy, committed_wall_us) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (period) DO NOTHING",
            (period, seed.bytes(), &commitment, &text, by.at.as_micros()),
        )?;
        if made > 0 {
            let digest: String = policy::digest(&text).iter().map(|octet| format!("{octet:02x}")).collect();
            let policy: Value = serde_json::from_str(&text)?;
            let details = json!({ "commitment": commitment, "sha256_of_policy": digest, "policy": policy });
            note(&work, by, "qa.committed", period, &details)?;
        }
        work.commit()?;
        Ok(made > 0)
    }

    /// Reveals the seed of a month that is over. `over`: its end.
    pub fn close(&mut self, period: &str, over: Wall, by: By<'_>) -> Result<Month, StoreError> {
        if by.at < over {
            return Err(refused(format!("{period} is not over: its seed stays secret until then")));
        }
        let (month, seed) = self.secret(period)?;
        if month.closed_at.is_some() {
            return Ok(month);
        }
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute("UPDATE qa_period SET closed_wall_us = ?2 WHERE period = ?1", (period, by.at.as_micros()))?;
        note(&work, by, "qa.closed", period, &json!({ "seed": seed.reveal() }))?;
        work.commit()?;
        Ok(self.secret(period)?.0)
    }

    /// The months, newest first.
    pub fn months(&self) -> Result<Vec<Month>, StoreError> {
        let mut query = self.db.prepare("SELECT period FROM qa_period ORDER BY period DESC")?;
        let periods = query.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        periods.iter().map(|period| Ok(self.secret(period)?.0)).collect()
    }

    pub fn month(&self, period: &str) -> Result<Month, StoreError> {
        Ok(self.secret(period)?.0)
    }

    fn secret(&self, period: &str) -> Result<(Month, Seed), StoreError> {
        let mut find = self.db.prepare_cached(
            "SELECT seed, commitment, policy, committed_wall_us, closed_wall_us FROM qa_period WHERE period = ?1",
        )?;
        let found = find.query_row([period], |row| {
            let committed: i64 = row.get(3)?;
            let closed: Option<i64> = row.get(4)?;
            Ok((row.get::<_, [u8; 32]>(0)?, row.get(1)?, row.get::<_, String>(2)?, committed, closed))
        });
        let Some((seed, commitment, policy_text, committed, closed)) = found.optional()? else {
            return Err(refused(format!("no seed was committed for {period}")));
        };
        let seed = Seed::new(seed);
        let closed_at = closed.map(|at| Time(Wall::from_micros(at)));
        let month = Month {
            period: period.to_owned(),
            commitment,
            policy: serde_json::from_str(&policy_text)?,
            policy_text,
            committed_at: Time(Wall::from_micros(committed)),
            closed_at,
            seed: closed_at.map(|_| seed.reveal()),
        };
        Ok((month, seed))
    }
}

/// Who scores: everybody with the role qa who may log in.
pub fn reviewers(dir: &Path) -> Result<Vec<Reviewer>, StoreError> {
    let people = People::open(dir)?.all()?;
    let scores = people.into_iter().filter(|person| person.roles.has(Role::Qa) && !person.disabled);
    Ok(scores.map(|person| Reviewer { name: person.name, agent: person.agent, not_of: Vec::new() }).collect())
}

fn note(work: &Connection, by: By<'_>, what: &str, about: &str, details: &Value) -> Result<(), StoreError> {
    audit::append(work, Deed { at: by.at, who: by.who, what, about, details })?;
    Ok(())
}

fn refused(what: String) -> StoreError {
    StoreError::Refused(what)
}

#[cfg(test)]
mod tests;
