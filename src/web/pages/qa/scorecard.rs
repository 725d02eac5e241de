//! An agent's month in two blocks, and a team's.

use std::collections::BTreeMap;

use axum::extract::Path;

use super::{ROWS, bounds_of, form_in_force, month, parse, periods, with, zones};
use crate::cdr::{Record, Time};
use crate::ids::AgentNo;
use crate::qa::estimate::{RANKED_FROM, Ratio, Team};
use crate::qa::form::Form;
use crate::qa::scorecard::{Judged, Measured, judged, measured};
use crate::qa::summary::Heard;
use crate::store::StoreError;
use crate::store::people::{Role, Roles};
use crate::store::qa::{Inspection, Task, Wanted};
use crate::web::page::{Asked, Page, Refusal, Reply, go};

#[derive(askama::Template)]
#[template(path = "qa/scorecard.html", config = "src/web/askama.toml")]
struct Card {
    p: Page,
    period: String,
    months: Vec<String>,
    agent: AgentNo,
    measured: Option<Measured>,
    judged: Option<Judged>,
    team: Option<Team>,
    form: Form,
    reviews: Vec<Task>,
    own: bool,
    seen: Option<Time>,
}

#[derive(askama::Template)]
#[template(path = "qa/team.html", config = "src/web/askama.toml")]
struct TeamPage {
    p: Page,
    period: String,
    months: Vec<String>,
    rows: Vec<(AgentNo, Option<Measured>, Option<Judged>)>,
    team: Option<Team>,
}

struct Month {
    form: Form,
    months: Vec<String>,
    heard: Vec<Heard>,
}

/// By the form of most of the sheets; of another one faults could not be compared. Scores of every form count.
fn month_of(store: &Inspection, period: &str) -> Result<Month, StoreError> {
    let reviews = store.heard(period, period)?;
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for version in reviews.iter().filter_map(|review| review.form.as_deref()) {
        *versions.entry(version).or_default() += 1;
    }
    let most = versions.into_iter().max_by_key(|(_, n)| *n).map(|(version, _)| version.to_owned());
    let form = match most.and_then(|version| store.form(&version).transpose()) {
        Some(text) => parse(&text?)?,
        None => form_in_force(store)?.0,
    };
    let heard = reviews.iter().filter_map(|review| review.heard()).collect();
    Ok(Month { form, months: periods(&store.months()?), heard })
}

async fn records(asked: &Asked, period: &str) -> Result<Vec<Record>, Refusal> {
    let bounds = bounds_of(asked, &zones(asked)?, period)?;
    asked.desk().read(move |reader| reader.records_between(None, bounds.from, bounds.to)).await
}

pub(in crate::web) async fn team(asked: Asked) -> Reply {
    if !asked.may(Roles::of(&[Role::Lead, Role::Auditor])) {
        let own = asked.person()?.agent.clone().ok_or(Refusal::Told("qa-no-number"))?;
        return Ok(go(&format!("/scorecards/{own}?m={}", month(&asked))));
    }
    let period = month(&asked);
    let of = period.clone();
    let found = with(&asked, move |store, _| month_of(store, &of)).await?;
    let mut block_a = measured(&records(&asked, &period).await?);
    let (team, mut block_b) = judged(&found.form, &found.heard);
    let mut agents: Vec<AgentNo> = block_a.keys().chain(block_b.keys()).cloned().collect();
    agents.sort_by_key(|agent| (agent.as_str().len(), agent.clone()));
    agents.dedup();
    let rows = agents.into_iter().map(|agent| {
        let (a, b) = (block_a.remove(&agent), block_b.remove(&agent));
        (agent, a, b)
    });
    let rows = rows.collect();
    asked.show(&TeamPage { p: asked.page(), period, months: found.months, rows, team })
}

pub(in crate::web) async fn page(asked: Asked, Path(agent): Path<String>) -> Reply {
    let (agent, own) = allowed(&asked, &agent)?;
    let period = month(&asked);
    let (of, about) = (period.clone(), agent.clone());
    let (found, reviews, seen) = with(&asked, move |store, _| {
        Ok((month_of(store, &of)?, store.tasks(Wanted::Agent(&about), ROWS)?, store.seen_at(&about, &of)?))
    })
    .await?;
    let mut block_a = measured(&records(&asked, &period).await?);
    let (team, mut block_b) = judged(&found.form, &found.heard);
    let shown = Card {
        p: asked.page(),
        measured: block_a.remove(&agent),
        judged: block_b.remove(&agent),
        reviews: reviews.into_iter().filter(|task| task.period == period).collect(),
        months: found.months,
        form: found.form,
        period,
        agent,
        team,
        own,
        seen,
    };
    asked.show(&shown)
}

/// Leads see every card, agents only their own. Whether it is the own one.
fn allowed(asked: &Asked, agent: &str) -> Result<(AgentNo, bool), Refusal> {
    let person = asked.person()?;
    let agent = AgentNo::from(agent);
    let own = person.agent.as_ref() == Some(&agent);
    let may = own || person.roles.has(Role::Lead) || person.roles.has(Role::Auditor);
    if may { Ok((agent, own)) } else { Err(Refusal::NotFound) }
}

/// The agent has seen it.
pub(in crate::web) async fn seen(asked: Asked, Path(agent): Path<String>) -> Reply {
    let (agent, own) = allowed(&asked, &agent)?;
    if !own {
        return Err(Refusal::NotFound);
    }
    let period = month(&asked);
    let to = format!("/scorecards/{agent}?m={period}");
    with(&asked, move |store, by| store.seen(&agent, &period, by)).await?;
    Ok(go(&to))
}

/// `92.3 %` and the likely range of it.
fn ratio(p: &Page, ratio: &Option<Ratio>) -> String {
    let Some(Ratio { count, n, low, high, .. }) = ratio else { return "–".to_owned() };
    format!("{} ({:.0}–{:.0} %), {count}/{n}", p.percent(count, n), low * 100.0, high * 100.0)
}

impl Card {
    fn kept(&self, of: &Ratio) -> String {
        ratio(&self.p, &Some(*of))
    }

    fn ratio(&self, of: &Option<Ratio>) -> String {
        ratio(&self.p, of)
    }

    fn fault(&self, item: &str) -> String {
        let flag = self.form.fatal.iter().find(|flag| flag.id == item).map(|flag| &flag.name);
        let name = self.form.item(item).map(|item| &item.name).or(flag);
        format!("{item} {}", name.map_or("", |name| name.in_language(self.p.tag() != "en")))
    }

    fn mos(&self, hundredths: &Option<u64>) -> String {
        hundredths.map_or_else(|| "–".to_owned(), |mos| format!("{}.{:02}", mos / 100, mos % 100))
    }
}

impl TeamPage {
    fn ratio(&self, of: &Option<Ratio>) -> String {
        ratio(&self.p, of)
    }

    /// Whether the month's scores can tell an order at all.
    fn can_rank(&self) -> bool {
        self.team.as_ref().is_some_and(|team| team.reliability >= RANKED_FROM)
    }
}
