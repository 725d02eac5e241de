//! Inspection: what is heard and why, scoring, objections, and what a month tells.

pub(in crate::web) mod agreement;
pub(in crate::web) mod disputes;
pub(in crate::web) mod forms;
pub(in crate::web) mod hearings;
pub(in crate::web) mod review;
pub(in crate::web) mod sampling;
pub(in crate::web) mod scorecard;
mod sheet;
pub(in crate::web) mod targeted;
pub(in crate::web) mod tasks;
pub(in crate::web) mod training;

pub(super) use training::name as item_name;

use crate::clock::Wall;
use crate::ids::AgentNo;
use crate::qa::draw::assign::Reviewer;
use crate::qa::draw::frame::Bounds;
use crate::qa::draw::places::{Places, bounds};
use crate::qa::form::{Form, read};
use crate::qa::review::Person as Reviewing;
use crate::report::Zones;
use crate::store::StoreError;
use crate::store::people::{Person, Role};
use crate::store::qa::{By, Inspection, Month, reviewers};
use crate::web::page::{Asked, Refusal};

/// Rows of one list.
const ROWS: usize = 500;

/// Works on what inspection has stored, on a thread that may wait; `by` is whoever asks.
async fn with<T: Send + 'static>(
    asked: &Asked,
    work: impl FnOnce(&mut Inspection, By<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refusal> {
    let (directory, at, who) =
        (asked.desk().directory().to_owned(), asked.desk().now().wall, asked.person()?.name.clone());
    let done = tokio::task::spawn_blocking(move || {
        let mut store = Inspection::open(&directory)?;
        work(&mut store, By { who: &who, at })
    });
    Ok(done.await.map_err(|_| Refusal::Busy)??)
}

fn zones(asked: &Asked) -> Result<Zones, Refusal> {
    Places::of(&asked.desk().plans()).zones().map_err(|error| Refusal::Fault(error.to_string()))
}

fn bounds_of(asked: &Asked, zones: &Zones, month: &str) -> Result<Bounds, Refusal> {
    bounds(zones, month, asked.desk().now().wall).map_err(|_| Refusal::NotFound)
}

/// `2026-11` of the address, or the present month.
fn month(asked: &Asked) -> String {
    let wanted = asked.query().get("m");
    let digits = |part: &str, n| part.len() == n && part.bytes().all(|octet| octet.is_ascii_digit());
    let named = wanted.split_once('-').is_some_and(|(year, month)| digits(year, 4) && digits(month, 2));
    if named { wanted.to_owned() } else { month_of(asked, asked.desk().now().wall) }
}

fn month_of(asked: &Asked, at: Wall) -> String {
    let there = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default().to_zoned(asked.desk().zone());
    there.strftime("%Y-%m").to_string()
}

/// The form in force, and its text; the first of several.
fn form_in_force(store: &Inspection) -> Result<(Form, String), StoreError> {
    let text = store.form_in_force()?.ok_or_else(|| StoreError::Refused("there is no form".to_owned()))?;
    parse(&text).map(|form| (form, text))
}

/// A form that was checked before it was stored. Rules may have gone since.
fn parse(text: &str) -> Result<Form, StoreError> {
    read("form", text.as_bytes(), |_| true)
        .0
        .ok_or_else(|| StoreError::Refused("the stored form cannot be read".to_owned()))
}

/// Everybody who scores.
async fn reviewers_of(asked: &Asked) -> Result<Vec<Reviewer>, Refusal> {
    let directory = asked.desk().directory().to_owned();
    Ok(tokio::task::spawn_blocking(move || reviewers(&directory)).await.map_err(|_| Refusal::Busy)??)
}

/// Who was chosen in the form's `scorer`: somebody who scores, and never the agent.
async fn scorer(asked: &Asked, agent: &AgentNo) -> Result<String, Refusal> {
    let able = reviewers_of(asked).await?.into_iter().filter(|one| one.may_hear(agent));
    let chosen = able.into_iter().find(|one| one.name == asked.form().get("scorer"));
    chosen.map(|one| one.name).ok_or(Refusal::Told("qa-no-scorer"))
}

fn reviewing(person: &Person) -> Reviewing {
    Reviewing { name: person.name.clone(), agent: person.agent.clone(), decides: person.roles.has(Role::Lead) }
}

/// Months to choose from: those that were committed to.
fn periods(months: &[Month]) -> Vec<String> {
    months.iter().map(|month| month.period.clone()).collect()
}
