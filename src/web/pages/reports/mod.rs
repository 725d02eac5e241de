//! Reports of a day, a week or a month as pages: as they stand, or as they were closed; CSV, JSON, and paper by the browser's print.

mod tables;

use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use self::tables::{Bar, Grid};
use crate::clock::Wall;
use crate::qa::draw::places::Places;
use crate::qa::form::Form;
use crate::qa::whole::{Difference, differences};
use crate::report::{Period, Span, Zones};
use crate::store::StoreError;
use crate::store::audit::Deed;
use crate::store::people::{Role, Roles};
use crate::store::qa::Inspection;
use crate::store::reports::{self, Frozen};
use crate::web::page::{self, Asked, Page, Refusal, Reply, go};

/// Closed reports of the list, and differences of one.
const ROWS: usize = 500;
const DIFFERENCES: usize = 100;

#[derive(askama::Template)]
#[template(path = "reports/index.html", config = "src/web/askama.toml")]
struct Index {
    p: Page,
    current: Vec<(Span, Period)>,
    closed: Vec<Frozen>,
    today: Date,
}

#[derive(askama::Template)]
#[template(path = "reports/one.html", config = "src/web/askama.toml")]
struct One {
    p: Page,
    period: Period,
    /// As it was closed; `None`: it is not.
    frozen: Option<Frozen>,
    /// Its period is over.
    over: bool,
    closes: bool,
    /// Computed again: where it differs now.
    again: Option<Vec<Difference>>,
    bars: Vec<Bar>,
    grids: Vec<Grid>,
    computed: Wall,
}

fn zones(asked: &Asked) -> Result<Zones, Refusal> {
    Places::of(&asked.desk().plans()).zones().map_err(|error| Refusal::Fault(error.to_string()))
}

/// `day` and `2026-11-21`, `month` and `2026-11` (or any day of it).
fn period(span: &str, date: &str) -> Result<Period, Refusal> {
    let span = Span::parse(span).ok_or(Refusal::NotFound)?;
    let whole = if date.len() == "2026-11".len() { format!("{date}-01") } else { date.to_owned() };
    let date: Date = whole.parse().map_err(|_| Refusal::NotFound)?;
    Period::holding(span, date).map_err(|_| Refusal::NotFound)
}

/// Its address.
fn path(period: Period) -> String {
    let first = period.first();
    match period.span() {
        Span::Month => format!("/reports/month/{}", first.strftime("%Y-%m")),
        span => format!("/reports/{}/{first}", span.word()),
    }
}

pub(in crate::web) async fn index(asked: Asked) -> Reply {
    let (span, date) = (asked.query().get("span"), asked.query().get("date"));
    if !date.is_empty() {
        return Ok(go(&path(period(span, date)?)));
    }
    let (now, zones) = (asked.desk().now().wall, zones(&asked)?);
    let current =
        Span::ALL.into_iter().filter_map(|span| Some((span, Period::current(span, now, &zones.otherwise).ok()?)));
    let today = crate::notes::day(now, &zones.otherwise);
    let closed = asked.desk().read(|reader| reader.all_frozen(ROWS)).await?;
    asked.show(&Index { p: asked.page(), current: current.collect(), closed, today })
}

/// The text of a report as it was closed, or as it would be closed now.
async fn content(asked: &Asked, period: Period) -> Result<(String, Option<Frozen>), Refusal> {
    let frozen = asked.desk().read(move |reader| reader.frozen(period)).await?;
    match frozen {
        Some(frozen) => Ok((frozen.content.clone(), Some(frozen))),
        None => Ok((computed(asked, period).await?, None)),
    }
}

async fn computed(asked: &Asked, period: Period) -> Result<String, Refusal> {
    let (directory, now, zones) = (asked.desk().directory().to_owned(), asked.desk().now().wall, zones(asked)?);
    let work = move || -> Result<String, StoreError> { Ok(reports::whole(&directory, period, &zones, now)?.text()?) };
    Ok(tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Busy)??)
}

fn parsed(text: &str) -> Result<Value, Refusal> {
    serde_json::from_str(text).map_err(|error| Refusal::Fault(error.to_string()))
}

pub(in crate::web) async fn page(asked: Asked, Path((span, date)): Path<(String, String)>) -> Reply {
    let period = period(&span, &date)?;
    let (text, frozen) = content(&asked, period).await?;
    let shown = parsed(&text)?;
    let again = match frozen.is_some() && asked.query().iter().any(|(key, _)| key == "again") {
        true => Some(differences(&shown, &parsed(&computed(&asked, period).await?)?, DIFFERENCES)),
        false => None,
    };
    let form = form_of(&asked, &shown).await?;
    let (_, end) = zones(&asked)?.span(period).map_err(|_| Refusal::NotFound)?;
    let (p, now) = (asked.page(), asked.desk().now().wall);
    let orgs = asked.desk().hotlines();
    let (over, closes) = (now >= end, asked.may(Roles::of(&[Role::Lead])));
    let grids = tables::all(&p, &shown, &orgs, form.as_ref());
    let bars = tables::bars(&p, &shown);
    asked.show(&One { p, period, over, closes, again, bars, grids, computed: now, frozen })
}

/// The form that names the faults.
async fn form_of(asked: &Asked, shown: &Value) -> Result<Option<Form>, Refusal> {
    let directory = asked.desk().directory().to_owned();
    let version = shown["inspection"]["form"].as_str().unwrap_or_default().to_owned();
    let read = move || Inspection::open_to_read(&directory)?.form(&version);
    let text = tokio::task::spawn_blocking(read).await.map_err(|_| Refusal::Busy)??;
    Ok(text.and_then(|text| crate::qa::form::read("form", text.as_bytes(), |_| true).0))
}

pub(in crate::web) async fn file(asked: Asked, Path((span, date, kind)): Path<(String, String, String)>) -> Reply {
    let period = period(&span, &date)?;
    if !["csv", "json"].contains(&kind.as_str()) {
        return Err(Refusal::NotFound);
    }
    let (text, _) = content(&asked, period).await?;
    let (who, about) = (asked.person()?.name.clone(), format!("{} {}", period.span().word(), period.first()));
    let details = json!({ "as": kind });
    let note = move |people: &mut crate::store::People, at| {
        people.note(Deed { at, who: &who, what: "report.exported", about: &about, details: &details })
    };
    asked.desk().change(note).await?;
    let name = format!("report-{}-{}.{kind}", period.span().word(), period.first());
    if kind == "json" {
        let disposition = format!("attachment; filename=\"{name}\"");
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_DISPOSITION, &disposition)];
        return Ok((headers, text).into_response());
    }
    let head = vec!["figure".to_owned(), "value".to_owned()];
    let rows = tables::flat(&parsed(&text)?).into_iter().map(|(figure, value)| vec![figure, value]);
    Ok(page::file(&name, "text/csv; charset=utf-8", page::csv(std::iter::once(head).chain(rows))))
}

pub(in crate::web) async fn close(asked: Asked, Path((span, date)): Path<(String, String)>) -> Reply {
    let period = period(&span, &date)?;
    let (_, over) = zones(&asked)?.span(period).map_err(|_| Refusal::NotFound)?;
    if asked.desk().now().wall < over {
        return Err(Refusal::Told("report-not-over"));
    }
    let text = computed(&asked, period).await?;
    let by = asked.person()?.name.clone();
    asked.desk().change(move |people, at| people.close_report(period, over, text, &by, at)).await?;
    Ok(go(&path(period)))
}

impl Index {
    fn path(&self, period: &Period) -> String {
        path(*period)
    }

    fn short(&self, frozen: &Frozen) -> String {
        frozen.hash.to_string().chars().take(12).collect()
    }
}

impl One {
    fn path(&self) -> String {
        path(self.period)
    }

    fn title(&self) -> String {
        self.p.of("report-title", self.p.word("span", self.period.span().word()), self.period)
    }

    fn neighbours(&self) -> Vec<(&'static str, String)> {
        let both = [("report-before", self.period.preceding()), ("report-after", self.period.following())];
        both.into_iter().filter_map(|(word, period)| Some((word, path(period.ok()?)))).collect()
    }
}
