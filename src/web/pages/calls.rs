//! The list of ended calls: filters are the address, so a list can be sent to somebody; pages follow from the last call of the
//! page before.

use jiff::civil::{Date, Time as CivilTime};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::cdr::ladder::masked;
use crate::cdr::{Outcome, Record, Word as _};
use crate::clock::Wall;
use crate::ids::AgentNo;
use crate::limits::{CALLS_PER_FILE, CALLS_PER_PAGE};
use crate::rules::Pack;
use crate::store::audit::Deed;
use crate::store::{Filter, Place};
use crate::web::page::{self, Asked, Fields, Page, Refusal, Reply, go};
use crate::web::routes::SEES_NUMBERS;

/// What may be asked for, as it stands in the address.
const KEYS: [&str; 11] =
    ["from", "to", "hotline", "agent", "outcome", "talk_from", "talk_to", "hold", "failed", "mos", "note"];

#[derive(askama::Template)]
#[template(path = "calls.html", config = "src/web/askama.toml")]
struct Calls {
    p: Page,
    asked: Fields,
    /// The filters alone, as a query.
    query: String,
    rows: Vec<Row>,
    next: Option<String>,
    /// How far a filter that few calls pass has looked.
    looked_to: Option<String>,
    hotlines: Vec<(String, String)>,
    agents: Vec<AgentNo>,
    outcomes: &'static [Outcome],
    rules: Vec<String>,
    views: Vec<(String, String)>,
}

#[derive(askama::Template)]
#[template(path = "calls_rows.html", config = "src/web/askama.toml")]
struct Rows {
    p: Page,
    rows: Vec<Row>,
    next: Option<String>,
    looked_to: Option<String>,
}

/// A call as the list shows it.
pub(super) struct Row {
    record: Record,
    caller: String,
    org: String,
    failed: Vec<String>,
    mos: Option<String>,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let desk = asked.desk();
    let filter = filter(asked.query(), &desk.zone())?;
    let query = query(asked.query());
    let after = place(asked.query().get("after"));
    let found = desk.read(move |reader| reader.page(&filter, after, CALLS_PER_PAGE)).await?;
    let orgs = desk.hotlines();
    let sees_numbers = asked.may(SEES_NUMBERS);
    let rows: Vec<Row> = found.records.into_iter().map(|record| row(record, &orgs, sees_numbers)).collect();
    let p = asked.page();
    let joint = if query.is_empty() { "" } else { "&" };
    let next =
        found.next.map(|place| format!("/calls?{query}{joint}after={}_{}", place.offered.as_micros(), place.call));
    let looked_to = found.looked_to.map(|wall| p.time(&crate::cdr::Time(wall)));
    if asked.is_htmx() {
        return asked.show(&Rows { p, rows, next, looked_to });
    }
    let person = asked.person()?.id;
    let views = desk.change(move |people, _| people.views(person)).await?;
    let decided = Pack::built_in();
    let rules = decided.decided().map(|(rule, _)| rule.id.clone()).collect();
    let (hotlines, agents, outcomes) = (orgs, desk.agents(), Outcome::ALL);
    let filters = asked.query().clone();
    asked.show(&Calls { p, asked: filters, query, rows, next, looked_to, hotlines, agents, outcomes, rules, views })
}

fn row(record: Record, orgs: &[(String, String)], sees_numbers: bool) -> Row {
    let org = orgs.iter().find(|(id, _)| id == record.hotline.as_str()).map(|(_, org)| org.clone());
    let failed = record.verdicts.iter().filter(|verdict| verdict.verdict == "fail");
    let mos = [&record.quality.caller, &record.quality.agent].into_iter().filter_map(|leg| leg.figures.mos);
    Row {
        caller: caller(&record, sees_numbers),
        org: org.unwrap_or_else(|| record.hotline.to_string()),
        failed: failed.map(|verdict| verdict.rule.clone()).collect(),
        mos: mos.reduce(f64::min).map(|mos| format!("{mos:.1}")),
        record,
    }
}

/// The number, in full for those who may see it.
pub(super) fn caller(record: &Record, sees_numbers: bool) -> String {
    match &record.caller {
        Some(number) if sees_numbers => number.clone(),
        Some(number) => masked(number),
        None => "–".to_owned(),
    }
}

/// Only what is known and not empty.
fn query(fields: &Fields) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let known = KEYS.iter().map(|key| (*key, fields.get(key))).filter(|(_, value)| !value.is_empty());
    query.extend_pairs(known);
    query.finish()
}

fn filter(fields: &Fields, zone: &TimeZone) -> Result<Filter, Refusal> {
    let text = |key: &str| Some(fields.get(key)).filter(|value| !value.is_empty());
    let seconds = |key| match text(key) {
        Some(written) => match written.parse::<u64>() {
            Ok(s) if s <= 1_000_000 => Ok(Some(s * 1_000)),
            _ => Err(Refusal::Told("calls-number")),
        },
        None => Ok(None),
    };
    let outcome = match text("outcome") {
        Some(word) => Some(known(word).ok_or(Refusal::Told("calls-outcome"))?),
        None => None,
    };
    let mos = match text("mos").map(str::parse::<f64>) {
        Some(Ok(mos)) if (1.0..=5.0).contains(&mos) => Some((mos * 100.0).round() as u32),
        Some(_) => return Err(Refusal::Told("calls-number")),
        None => None,
    };
    Ok(Filter {
        from: text("from").map(|written| moment(written, zone, false)).transpose()?,
        to: text("to").map(|written| moment(written, zone, true)).transpose()?,
        hotline: text("hotline").map(Into::into),
        agent: text("agent").map(Into::into),
        outcome,
        talk_from_ms: seconds("talk_from")?,
        talk_to_ms: seconds("talk_to")?,
        hold_from_ms: seconds("hold")?,
        failed: text("failed").map(str::to_owned),
        mos_below_100: mos,
        noted: text("note").map(|words| words.chars().take(100).collect()),
    })
}

fn known(word: &str) -> Option<Outcome> {
    Outcome::ALL.iter().copied().find(|outcome| outcome.word() == word)
}

/// `2026-11-21` is the beginning of that day in the hotline's zone, or, as an end, that of the next.
fn moment(written: &str, zone: &TimeZone, is_end: bool) -> Result<Wall, Refusal> {
    let wrong = || Refusal::Told("calls-date");
    let date: Date = written.parse().map_err(|_| wrong())?;
    let date = if is_end { date.tomorrow().map_err(|_| wrong())? } else { date };
    let there = date.to_datetime(CivilTime::midnight()).to_zoned(zone.clone()).map_err(|_| wrong())?;
    Ok(Wall::from_micros(there.timestamp().as_microsecond()))
}

/// `<microseconds>_<call>`.
pub(super) fn place(written: &str) -> Option<Place> {
    let (offered, call) = written.split_once('_')?;
    Some(Place { offered: Wall::from_micros(offered.parse().ok()?), call: call.parse().ok()? })
}

pub(in crate::web) async fn csv(asked: Asked) -> Reply {
    let desk = asked.desk();
    let filter = filter(asked.query(), &desk.zone())?;
    let (who, query) = (asked.person()?.name.clone(), query(asked.query()));
    let (page, sees_numbers) = (asked.page(), asked.may(SEES_NUMBERS));
    let rows = desk.read(move |reader| {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let found = reader.page(&filter, after, 1_000)?;
            rows.extend(found.records.iter().map(|record| cells(record, &page, sees_numbers)));
            after = found.next;
            if after.is_none() || rows.len() >= CALLS_PER_FILE {
                rows.truncate(CALLS_PER_FILE);
                return Ok(rows);
            }
        }
    });
    let rows = rows.await?;
    let details = json!({ "filter": query, "rows": rows.len() });
    let note = move |people: &mut crate::store::People, at| {
        people.note(Deed { at, who: &who, what: "calls.exported", about: "", details: &details })
    };
    desk.change(note).await?;
    let head = HEAD.iter().map(|name| (*name).to_owned()).collect();
    Ok(page::file("calls.csv", "text/csv; charset=utf-8", page::csv(std::iter::once(head).chain(rows))))
}

const HEAD: [&str; 15] = [
    "id",
    "hotline",
    "offered_at",
    "caller",
    "agent",
    "outcome",
    "reason",
    "ended_by",
    "rings",
    "ring_to_answer_ms",
    "wait_ms",
    "talk_ms",
    "hold_ms",
    "mos",
    "failed",
];

fn cells(record: &Record, page: &Page, sees_numbers: bool) -> Vec<String> {
    let number = |ms: Option<u64>| ms.map(|ms| ms.to_string()).unwrap_or_default();
    let row = row(record.clone(), &[], sees_numbers);
    vec![
        record.id.to_string(),
        record.hotline.to_string(),
        page.time(&record.offered_at),
        row.caller,
        record.agent.as_ref().map(ToString::to_string).unwrap_or_default(),
        record.outcome.map(|outcome| outcome.word().to_owned()).unwrap_or_default(),
        record.reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
        record.ended_by.map(|by| by.word().to_owned()).unwrap_or_default(),
        record.rings.map(|rings| rings.to_string()).unwrap_or_default(),
        number(record.ring_to_answer_ms),
        number(record.wait_ms),
        number(record.talk_ms),
        number(record.hold_ms),
        row.mos.unwrap_or_default(),
        row.failed.join(" "),
    ]
}

/// A name for the filters, or, without filters, no more.
pub(in crate::web) async fn save(asked: Asked) -> Reply {
    let (person, name) = (asked.person()?.id, asked.form().get("name").chars().take(60).collect::<String>());
    let query = query(&Fields::parse(asked.form().get("query").as_bytes()));
    if name.is_empty() {
        return Err(Refusal::Told("calls-view-name"));
    }
    let kept = if asked.form().get("do") == "forget" { String::new() } else { query.clone() };
    asked.desk().change(move |people, _| people.save_view(person, &name, &kept)).await?;
    Ok(go(&format!("/calls?{query}")))
}

impl Row {
    fn class(&self) -> &'static str {
        match self.record.outcome {
            Some(Outcome::Answered) => "good",
            Some(Outcome::Abandoned | Outcome::Failed) => "bad",
            Some(Outcome::ShortAbandoned | Outcome::Rejected) => "warn",
            Some(Outcome::Overflow) | None => "",
        }
    }
}

impl Calls {
    fn is(&self, key: &str, value: impl std::fmt::Display) -> bool {
        self.asked.get(key) == value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Filter, Refusal> {
        filter(&Fields::parse(query.as_bytes()), &TimeZone::get("Asia/Shanghai").expect("a zone"))
    }

    #[test]
    fn filters_are_the_address() {
        let found =
            of("from=2026-11-21&to=2026-11-21&outcome=answered&talk_from=30&mos=3.15&agent=08&x=y").expect("good");
        let day_us = found.to.expect("an end").as_micros() - found.from.expect("a begin").as_micros();
        assert_eq!(day_us, 86_400_000_000);
        assert_eq!(found.from.expect("a begin").to_string(), "2026-11-20T16:00:00.000Z");
        assert_eq!((found.outcome, found.talk_from_ms), (Some(Outcome::Answered), Some(30_000)));
        assert_eq!((found.mos_below_100, found.agent), (Some(315), Some("08".into())));
        assert_eq!(of("agent=&outcome="), Ok(Filter::default()));
        for wrong in ["from=yesterday", "to=2026-02-30", "outcome=good", "talk_from=-1", "hold=x", "mos=9", "mos=NaN"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let id = "01900000-0000-7000-8000-000000000000";
        let found = place(&format!("17_{id}")).expect("a place");
        assert_eq!((found.offered.as_micros(), found.call.to_string()), (17, id.to_owned()));
        for wrong in ["", "17", "x_y", "17_", "_17"] {
            assert_eq!(place(wrong), None);
        }
    }
}
