//! Hearings: drafts that are saved as they are filled, sheets that were submitted, and what was said to them.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, TransactionBehavior};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::told::Told;
use super::super::{StoreError, sqlite};
use super::forms::keep;
use super::{By, Inspection, note, refused};
use crate::cdr::{Time, Word as _};
use crate::clock::Wall;
use crate::ids::{AgentNo, CallId};
use crate::qa::draw::target::Why;
use crate::qa::fill;
use crate::qa::form::{Answers, Form, Score, score::score};
use crate::qa::review::{Person, Revision, Standing, State, Step, step};
use crate::qa::summary::{Heard, Pool};

/// What is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sheet {
    pub answers: Answers,
    /// Item or flag → words.
    pub comments: BTreeMap<String, String>,
    /// Words about a moment.
    #[serde(default)]
    pub pins: Vec<Pin>,
}

/// A comment that is pinned to a moment of the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Since the beginning of the recording.
    pub at_ms: u64,
    pub text: String,
    /// The agent sees it.
    pub shown: bool,
}

/// One hearing of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    pub id: i64,
    pub period: String,
    pub call: CallId,
    pub agent: AgentNo,
    pub pool: Pool,
    /// Of the random pool: the agent's pick.
    pub pick: Option<u32>,
    pub why: Vec<Why>,
    /// The blind second hearing.
    pub second: bool,
    pub weight: f64,
    pub scorer: Option<String>,
    /// The version of the form, once it was begun.
    pub form: Option<String>,
    pub state: State,
    pub draft: Sheet,
    /// What the verdicts told when it was begun.
    pub filled: fill::Sheet,
    pub until: Option<Wall>,
    pub made: Time,
    /// Oldest first; the last one counts.
    pub revisions: Vec<Revised>,
    pub words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Revised {
    pub n: u32,
    pub by: String,
    pub at: Time,
    pub why: String,
    pub sheet: Sheet,
    pub score: Score,
}

/// What was said to a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Word {
    pub by: String,
    pub at: Time,
    pub step: String,
    pub why: String,
}

/// A hearing in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub id: i64,
    pub period: String,
    pub call: CallId,
    pub agent: AgentNo,
    pub pool: Pool,
    pub second: bool,
    pub scorer: Option<String>,
    pub state: State,
    pub begun: bool,
    pub until: Option<Wall>,
    pub made: Time,
}

/// Which hearings.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// What this person has still to hear, the begun ones first, then the oldest.
    Open(&'a str),
    /// What anybody has still to hear, the oldest first.
    AllOpen,
    Period(&'a str),
    /// Of an agent, that count.
    Agent(&'a AgentNo),
    Disputed,
}

const COLUMNS: &str =
    "SELECT id, period, call, agent, pool, pick, why, second, weight, scorer, form, state, draft, filled,
    until_wall_us, made_wall_us FROM qa_review";

impl Review {
    pub fn standing(&self) -> Standing {
        Standing {
            state: self.state,
            scorer: self.scorer.clone().unwrap_or_default(),
            agent: self.agent.clone(),
            until: self.until,
        }
    }

    /// What counts: the last revision.
    pub fn last(&self) -> Option<&Revised> {
        self.revisions.last()
    }

    /// As figures take it; `None`: a draft, or a second hearing.
    pub fn heard(&self) -> Option<Heard> {
        let last = self.last().filter(|_| self.state.counts() && !self.second)?;
        Some(Heard {
            call: self.call,
            agent: self.agent.clone(),
            offered: Wall::from_micros(i64::try_from(millis_of(self.call)).unwrap_or(0).saturating_mul(1_000)),
            pool: self.pool,
            weight: self.weight,
            score: last.score.clone(),
            answers: last.sheet.answers.clone(),
            filled: fill::answers(&self.filled),
        })
    }
}

/// A call's id tells when it was offered (RFC 9562 section 5.7).
pub(super) fn millis_of(call: CallId) -> u64 {
    call.0.as_bytes().iter().take(6).fold(0, |millis, octet| millis << 8 | u64::from(*octet))
}

impl Inspection {
    pub fn tasks(&self, wanted: Wanted<'_>, limit: usize) -> Result<Vec<Task>, StoreError> {
        let (which, of) = match wanted {
            Wanted::Open(name) => ("scorer = ?1 AND state = 'draft' ORDER BY form IS NULL, made_wall_us, id", name),
            Wanted::AllOpen => ("state = ?1 ORDER BY made_wall_us, id", "draft"),
            Wanted::Period(period) => ("period = ?1 ORDER BY id", period),
            Wanted::Agent(agent) => {
                ("agent = ?1 AND state <> 'draft' AND second = 0 ORDER BY made_wall_us DESC, id DESC", agent.as_str())
            }
            Wanted::Disputed => ("state = ?1 ORDER BY changed_wall_us, id", "disputed"),
        };
        let mut query = self.db.prepare_cached(&format!("{COLUMNS} WHERE {which} LIMIT ?2"))?;
        let mut rows = query.query((of, i64::try_from(limit).unwrap_or(i64::MAX)))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(task(row)?);
        }
        Ok(found)
    }

    pub fn review(&self, id: i64) -> Result<Option<Review>, StoreError> {
        let mut query = self.db.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?;
        let mut rows = query.query([id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let mut review = review(row)?;
        review.revisions = revisions(&self.db, id)?;
        review.words = words(&self.db, id)?;
        Ok(Some(review))
    }

    /// Every hearing of these months that counts, with its last revision, oldest first.
    pub fn heard(&self, from: &str, to: &str) -> Result<Vec<Review>, StoreError> {
        let mut query = self.db.prepare_cached(&format!(
            "{COLUMNS} WHERE period >= ?1 AND period <= ?2 AND state <> 'draft' ORDER BY id"
        ))?;
        let mut rows = query.query((from, to))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let mut review = review(row)?;
            review.revisions = revisions(&self.db, review.id)?;
            found.push(review);
        }
        Ok(found)
    }

    /// The form that a review is filled by from now on, and what the verdicts tell; what is there already stays.
    pub fn begin(
        &mut self,
        id: i64,
        form: &Form,
        text: &str,
        filled: &fill::Sheet,
        by: By<'_>,
    ) -> Result<(), StoreError> {
        let sheet = Sheet { answers: fill::answers(filled), ..Sheet::default() };
        let (draft, filled) = (serde_json::to_string(&sheet)?, serde_json::to_string(filled)?);
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        keep(&work, form, text, by)?;
        let begun = work.execute(
            "UPDATE qa_review SET form = ?2, draft = ?3, filled = ?4, changed_wall_us = ?5 WHERE id = ?1 AND form IS NULL",
            (id, &form.version, draft, filled, by.at.as_micros()),
        )?;
        if begun > 0 {
            note(&work, by, "qa.begun", &format!("review {id}"), &json!({ "form": form.version }))?;
        }
        work.commit()?;
        Ok(())
    }

    /// The draft as it is so far. Only whoever scores it, and only while it is one. Leaves no row in the audit log: what is
    /// submitted does.
    pub fn save(&mut self, id: i64, sheet: &Sheet, by: By<'_>) -> Result<(), StoreError> {
        let saved = self.db.execute(
            "UPDATE qa_review SET draft = ?2, changed_wall_us = ?3
             WHERE id = ?1 AND state = 'draft' AND form IS NOT NULL AND scorer = ?4",
            (id, serde_json::to_string(sheet)?, by.at.as_micros(), by.who),
        )?;
        if saved == 0 { Err(Told::NoDraft.into()) } else { Ok(()) }
    }

    /// The sheet becomes the first revision, whatever a draft that was saved beside it says. Whether it is whole is for the caller to
    /// ask ([`crate::qa::form::score::gaps`]). A second hearing is closed at once: nobody but the page of agreement sees it.
    pub fn submit(
        &mut self,
        id: i64,
        (form, sheet): (&Form, &Sheet),
        person: &Person,
        until: Wall,
        by: By<'_>,
    ) -> Result<Score, StoreError> {
        let review = self.expect(id)?;
        let state = allowed(&review, Step::Submit, Some(person), "", by.at)?;
        let state = if review.second { State::Closed } else { state };
        let score = score(form, &sheet.answers);
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        revise(&work, &review, sheet, &score, "", by)?;
        work.execute(
            "UPDATE qa_review SET state = ?2, until_wall_us = ?3, changed_wall_us = ?4, draft = ?5 WHERE id = ?1",
            (id, state.word(), until.as_micros(), by.at.as_micros(), serde_json::to_string(sheet)?),
        )?;
        let details = json!({ "call": review.call, "agent": review.agent, "second": review.second, "score": score });
        note(&work, by, "qa.submitted", &format!("review {id}"), &details)?;
        work.commit()?;
        Ok(score)
    }

    /// Acknowledge, dispute, uphold, change, close. `changed`: the new sheet of a change, and the form.
    pub fn take_step(
        &mut self,
        id: i64,
        wanted: Step,
        person: Option<&Person>,
        why: &str,
        changed: Option<(&Form, &Sheet)>,
        by: By<'_>,
    ) -> Result<State, StoreError> {
        let review = self.expect(id)?;
        let state = allowed(&review, wanted, person, why, by.at)?;
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut details = json!({ "call": review.call, "agent": review.agent, "why": why });
        match (wanted, changed) {
            (Step::Change, Some((form, sheet))) => {
                let score = score(form, &sheet.answers);
                details["before"] = json!(review.last().map(|last| &last.score));
                details["after"] = json!(score);
                revise(&work, &review, sheet, &score, why, by)?;
            }
            (Step::Change, None) => return Err(refused("a change has a new sheet".to_owned())),
            _ => {}
        }
        let n = i64::try_from(review.words.len()).unwrap_or(i64::MAX) + 1;
        work.execute(
            "INSERT INTO qa_word (review, n, by_whom, at_wall_us, step, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (id, n, by.who, by.at.as_micros(), wanted.word(), why),
        )?;
        work.execute(
            "UPDATE qa_review SET state = ?2, changed_wall_us = ?3 WHERE id = ?1",
            (id, state.word(), by.at.as_micros()),
        )?;
        note(&work, by, &format!("qa.{}", past(wanted)), &format!("review {id}"), &details)?;
        work.commit()?;
        Ok(state)
    }

    /// Closes what nobody objected to in time. How many.
    pub fn close_due(&mut self, by: By<'_>) -> Result<usize, StoreError> {
        let due: Vec<i64> = {
            let mut query =
                self.db.prepare_cached("SELECT id FROM qa_review WHERE state = 'submitted' AND until_wall_us <= ?1")?;
            query.query_map([by.at.as_micros()], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        for id in &due {
            self.take_step(*id, Step::Close, None, "", None, by)?;
        }
        Ok(due.len())
    }

    /// The agent has seen the month's scorecard. False: it was so already.
    pub fn seen(&mut self, agent: &AgentNo, period: &str, by: By<'_>) -> Result<bool, StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let made = work.execute(
            "INSERT INTO qa_seen (agent, period, at_wall_us, by_whom) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            (agent.as_str(), period, by.at.as_micros(), by.who),
        )?;
        if made > 0 {
            note(&work, by, "qa.scorecard_seen", &format!("agent {agent}"), &json!({ "period": period }))?;
        }
        work.commit()?;
        Ok(made > 0)
    }

    /// When the agent acknowledged the month's scorecard.
    pub fn seen_at(&self, agent: &AgentNo, period: &str) -> Result<Option<Time>, StoreError> {
        let mut find = self.db.prepare_cached("SELECT at_wall_us FROM qa_seen WHERE agent = ?1 AND period = ?2")?;
        let at: Option<i64> = find.query_row((agent.as_str(), period), |row| row.get(0)).optional()?;
        Ok(at.map(|at| Time(Wall::from_micros(at))))
    }

    pub(super) fn expect(&self, id: i64) -> Result<Review, StoreError> {
        self.review(id)?.ok_or_else(|| refused(format!("there is no review {id}")))
    }
}

fn past(step: Step) -> &'static str {
    match step {
        Step::Submit => "submitted",
        Step::Acknowledge => "acknowledged",
        Step::Dispute => "disputed",
        Step::Uphold => "upheld",
        Step::Change => "changed",
        Step::Close => "closed_review",
    }
}

fn allowed(review: &Review, wanted: Step, by: Option<&Person>, why: &str, at: Wall) -> Result<State, StoreError> {
    Ok(step(&review.standing(), wanted, by, why, at).map_err(Told::from)?)
}

fn revise(
    work: &Connection,
    review: &Review,
    sheet: &Sheet,
    score: &Score,
    why: &str,
    by: By<'_>,
) -> Result<(), StoreError> {
    let n = review.revisions.last().map_or(1, |last| last.n + 1);
    work.execute(
        "INSERT INTO qa_revision (review, n, by_whom, at_wall_us, why, sheet, score) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (
            review.id,
            n,
            by.who,
            by.at.as_micros(),
            why,
            serde_json::to_string(sheet)?,
            serde_json::to_string(score)?,
        ),
    )?;
    Ok(())
}

fn revisions(db: &Connection, id: i64) -> Result<Vec<Revised>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT n, by_whom, at_wall_us, why, sheet, score FROM qa_revision WHERE review = ?1 ORDER BY n",
    )?;
    let mut rows = query.query([id])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Revised {
            n: row.get(0)?,
            by: row.get(1)?,
            at: Time(Wall::from_micros(row.get(2)?)),
            why: row.get(3)?,
            sheet: serde_json::from_str(&row.get::<_, String>(4)?)?,
            score: serde_json::from_str(&row.get::<_, String>(5)?)?,
        });
    }
    Ok(found)
}

fn words(db: &Connection, id: i64) -> Result<Vec<Word>, StoreError> {
    let mut query =
        db.prepare_cached("SELECT by_whom, at_wall_us, step, why FROM qa_word WHERE review = ?1 ORDER BY n")?;
    let rows = query.query_map([id], |row| {
        let at = Time(Wall::from_micros(row.get(1)?));
        Ok(Word { by: row.get(0)?, at, step: row.get(2)?, why: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A word of a closed list of ours; the first of the list for one that is not in it.
fn word<W: crate::cdr::Word>(text: &str) -> W {
    W::ALL.iter().copied().find(|word| word.word() == text).unwrap_or(W::ALL[0])
}

pub(super) fn pool(text: &str) -> Pool {
    word(text)
}

fn state(text: &str) -> State {
    word(text)
}

fn task(row: &SqlRow<'_>) -> Result<Task, StoreError> {
    Ok(Task {
        id: row.get("id")?,
        period: row.get("period")?,
        call: sqlite::call_id(row.get("call")?),
        agent: AgentNo::from(row.get::<_, String>("agent")?),
        pool: pool(&row.get::<_, String>("pool")?),
        second: row.get("second")?,
        scorer: row.get("scorer")?,
        state: state(&row.get::<_, String>("state")?),
        begun: row.get::<_, Option<String>>("form")?.is_some(),
        until: row.get::<_, Option<i64>>("until_wall_us")?.map(Wall::from_micros),
        made: Time(Wall::from_micros(row.get("made_wall_us")?)),
    })
}

fn review(row: &SqlRow<'_>) -> Result<Review, StoreError> {
    let json = |name: &str| row.get::<_, Option<String>>(name);
    let Task { id, period, call, agent, pool, second, scorer, state, until, made, .. } = task(row)?;
    Ok(Review {
        id,
        period,
        call,
        agent,
        pool,
        pick: row.get("pick")?,
        why: json("why")?.map_or_else(|| Ok(Vec::new()), |text| serde_json::from_str(&text))?,
        second,
        weight: row.get("weight")?,
        scorer,
        form: row.get("form")?,
        state,
        draft: json("draft")?.map_or_else(|| Ok(Sheet::default()), |text| serde_json::from_str(&text))?,
        filled: json("filled")?.map_or_else(|| Ok(fill::Sheet::new()), |text| serde_json::from_str(&text))?,
        until,
        made,
        revisions: Vec::new(),
        words: Vec::new(),
    })
}

/// The revision as the agreement and the changes between two read it.
impl Revised {
    pub fn as_revision(&self) -> Revision {
        Revision {
            n: self.n,
            by: self.by.clone(),
            at_us: self.at.0.as_micros(),
            why: self.why.clone(),
            answers: self.sheet.answers.clone(),
            comments: self.sheet.comments.clone(),
            score: self.score.clone(),
        }
    }
}
