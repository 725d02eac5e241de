//! Calls that deserve to be heard for what is known of them: for coaching, never in a score. And who hears what: a hearing that
//! nobody has begun to submit can be given to somebody else.

use std::collections::BTreeMap;

use super::{bounds_of, month, with, zones};
use crate::cdr::{Record, Word as _};
use crate::ids::{AgentNo, CallId};
use crate::qa::draw::assign::Reviewer;
use crate::qa::draw::target::{Beside, Why, reasons};
use crate::qa::review::State;
use crate::qa::whole::Noted;
use crate::store::people::{Role, Roles};
use crate::store::qa::{Task, Wanted, reviewers};
use crate::web::page::{Asked, Page, Refusal, Reply, go};

/// Rows of the list: those with the most reasons.
const SHOWN: usize = 100;
/// Hearings of a month that are looked at.
const HEARINGS: usize = 100_000;
/// What an agent's note of a complaint is classed as.
const COMPLAINTS: [&str; 2] = ["complaint", "投诉"];

#[derive(askama::Template)]
#[template(path = "qa/targeted.html", config = "src/web/askama.toml")]
struct Targeted {
    p: Page,
    period: String,
    rows: Vec<Row>,
    /// All calls with a reason.
    count: usize,
    open: Vec<Task>,
    reviewers: Vec<Reviewer>,
    leads: bool,
}

struct Row {
    record: Record,
    agent: AgentNo,
    why: Vec<Why>,
    /// It is in the pool already.
    taken: bool,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let period = month(&asked);
    let of = period.clone();
    let tasks = with(&asked, move |store, _| store.tasks(Wanted::Period(&of), HEARINGS)).await?;
    let taken: Vec<CallId> = tasks.iter().filter(|task| task.pool.word() == "targeted").map(|task| task.call).collect();
    let mut rows = found(&asked, &period).await?;
    rows.iter_mut().for_each(|row| row.taken = taken.contains(&row.record.id));
    let count = rows.len();
    rows.truncate(SHOWN);
    let directory = asked.desk().directory().to_owned();
    let reviewers = tokio::task::spawn_blocking(move || reviewers(&directory)).await.map_err(|_| Refusal::Busy)??;
    let leads = asked.may(Roles::of(&[Role::Lead]));
    // Who scores must not learn here which hearings are second ones.
    let open = tasks.into_iter().filter(|task| leads && task.state == State::Draft).collect();
    asked.show(&Targeted { p: asked.page(), period, rows, count, open, reviewers, leads })
}

/// The calls of a month that have a reason, those with the most reasons first, then the latest.
async fn found(asked: &Asked, period: &str) -> Result<Vec<Row>, Refusal> {
    let bounds = bounds_of(asked, &zones(asked)?, period)?;
    let read = asked.desk().read(move |reader| {
        let records = reader.records_between(None, bounds.from, bounds.to)?;
        let noted = reader.noted(&records.iter().map(|record| record.id).collect::<Vec<_>>())?;
        Ok((records, noted))
    });
    let (records, noted) = read.await?;
    let mut rows: Vec<Row> = records.into_iter().filter_map(|record| row(record, &noted)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.why.len(), row.record.offered_at)));
    Ok(rows)
}

fn row(record: Record, noted: &BTreeMap<CallId, Noted>) -> Option<Row> {
    let complaint = noted.get(&record.id).is_some_and(|note| COMPLAINTS.contains(&note.class.as_str()));
    let why = reasons(&record, Beside { repeat_caller: false, complaint });
    let agent = record.agent.clone().filter(|_| !why.is_empty())?;
    Some(Row { record, agent, why, taken: false })
}

/// Somebody is to hear this call: `call` and `scorer` of the form.
pub(in crate::web) async fn pick(asked: Asked) -> Reply {
    let id: CallId = asked.form().get("call").parse().map_err(|_| Refusal::NotFound)?;
    let read = asked.desk().read(move |reader| Ok((reader.call(id)?, reader.noted(&[id])?)));
    let (call, noted) = read.await?;
    let row = call.and_then(|call| row(call.record, &noted)).ok_or(Refusal::Told("qa-no-reason"))?;
    let scorer = scorer(&asked, &row.agent).await?;
    let period = super::month_of(&asked, row.record.offered_at.0);
    let of = period.clone();
    with(&asked, move |store, by| store.target(&of, (id, &row.agent), &row.why, &scorer, by)).await?;
    Ok(go(&format!("/qa/targeted?m={period}")))
}

/// Another person hears it: `review` and `scorer` of the form.
pub(in crate::web) async fn give(asked: Asked) -> Reply {
    let id: i64 = asked.form().get("review").parse().map_err(|_| Refusal::NotFound)?;
    let review = with(&asked, move |store, _| store.review(id)).await?.ok_or(Refusal::NotFound)?;
    let scorer = scorer(&asked, &review.agent).await?;
    with(&asked, move |store, by| store.give(id, &scorer, by)).await?;
    Ok(go(&format!("/qa/targeted?m={}", review.period)))
}

/// Who was chosen: somebody who scores, and never the agent.
async fn scorer(asked: &Asked, agent: &AgentNo) -> Result<String, Refusal> {
    let directory = asked.desk().directory().to_owned();
    let able = tokio::task::spawn_blocking(move || reviewers(&directory)).await.map_err(|_| Refusal::Busy)??;
    let chosen = able.into_iter().find(|one| one.name == asked.form().get("scorer"));
    let chosen = chosen.filter(|one| one.agent.as_ref() != Some(agent));
    chosen.map(|one| one.name).ok_or(Refusal::Told("qa-no-scorer"))
}

impl Targeted {
    /// Those who may hear a call of this agent.
    fn able(&self, agent: &AgentNo) -> Vec<&str> {
        let able = self.reviewers.iter().filter(|one| one.agent.as_ref() != Some(agent));
        able.map(|one| one.name.as_str()).collect()
    }
}
