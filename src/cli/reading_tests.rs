use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::*;
use crate::call::reason::EndedBy;
use crate::ids::{HotlineId, Side};
use crate::ledger::Subject;
use crate::ledger::story::{self, MORNING, Story};
use crate::metrics::SipRejection;
use crate::store::{SubjectKey, Writer};

fn facts_of_a_call() -> Vec<Fact> {
    Story::talking(1)
        .at(4_000, story::signal(Side::Agent, false, "SIP/2.0 200 OK"))
        .at(4_050, story::greeting_started())
        .ended(9_000, Reason::CallerHungUp, EndedBy::Caller)
        .at(9_050, story::recording_ok(4_999))
        .facts()
}

fn store() -> (TempDir, Reader) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap();
    let facts = facts_of_a_call();
    let What::Offered(offered) = &facts[0].what else { panic!("no call") };
    let subject = Subject { id: offered.caller, number: "13900000001".to_owned() };
    writer.append(&facts, &[subject]).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    (dir, reader)
}

fn written(write: impl FnOnce(&mut dyn Write) -> Result<(), ReadingError>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn calls_as_a_table_and_as_json_lines() {
    let (_dir, reader) = store();
    let text = written(|out| calls(&reader, (CallKind::Offered, Which::Ended), None, 20, Style::Text, out));
    assert_eq!(text.lines().count(), 2);
    let row = text.lines().nth(1).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    let id = facts_of_a_call()[0].call.to_string();
    let expected =
        ["2026-11-21T02:00:00.000Z", "property", "13900000001", "8", "answered", "1", "4.000", "5.000", "caller", &id];
    assert_eq!(cells, expected);
    let json = written(|out| calls(&reader, (CallKind::Offered, Which::Ended), None, 20, Style::Json, out));
    let record: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!((&record["caller"], &record["id"]), (&"13900000001".into(), &id.into()));
    assert_eq!(
        written(|out| calls(&reader, (CallKind::Offered, Which::Live), None, 20, Style::Text, out)),
        "no calls\n"
    );
    assert_eq!(written(|out| calls(&reader, (CallKind::Offered, Which::Live), None, 20, Style::Json, out)), "");
}

#[test]
fn one_call_with_facts_and_ladder() {
    let (_dir, reader) = store();
    let id = facts_of_a_call()[0].call;
    let text = written(|out| call(&reader, id, Style::Text, false, out));
    for part in [
        "outcome    answered, ended by caller: caller_hung_up (The caller hung up (BYE).)",
        "answer     3.000 s after ring, rings 1, in time yes, strictly yes",
        "durations  wait 4.000 s, talk 5.000 s, hold 0.000 s (0), all 9.000 s",
        "  2       +1.000  ring\n",
        "+4.000   |                              |<-- 200 OK -------------------|",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let json = written(|out| call(&reader, id, Style::Json, false, out));
    let whole: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(whole["record"]["id"], id.to_string());
    assert_eq!(whole["facts"].as_array().unwrap().len(), facts_of_a_call().len());
    let facts: Vec<Fact> = serde_json::from_value(whole["facts"].clone()).unwrap();
    assert_eq!(facts, facts_of_a_call());
    let unknown = parse_call_id("01a1fbd4-f500-7118-b0d3-641a68f94a60").unwrap();
    assert!(matches!(call(&reader, unknown, Style::Text, false, &mut Vec::new()), Err(ReadingError::NoCall(_))));
}

#[test]
fn a_report_from_the_store() {
    let (_dir, reader) = store();
    let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
    let zones = Zones { by_hotline: [(HotlineId::from("property"), shanghai.clone())].into(), otherwise: shanghai };
    let day =
        |date| written(|out| report(&reader, (Span::Day, date), &zones, MORNING, (Format::Json, Per::Hotline), out));
    let today: serde_json::Value = serde_json::from_str(&day(None)).unwrap();
    assert_eq!((&today["period"], &today["total"]["offered"]), (&"2026-11-21".into(), &1.into()));
    let before: serde_json::Value = serde_json::from_str(&day(Some(parse_date("2026-11-20").unwrap()))).unwrap();
    assert_eq!(before["total"]["offered"], 0);
}

#[test]
fn since_is_a_time_or_a_duration() {
    let at = |text: &str| parse_since(text, MORNING).map(|wall| wall.to_string());
    assert_eq!(at("2h").unwrap(), "2026-11-21T00:00:00.000Z");
    assert_eq!(at("1d").unwrap(), "2026-11-20T02:00:00.000Z");
    assert_eq!(at("1h30m").unwrap(), "2026-11-21T00:30:00.000Z");
    assert_eq!(at("2026-11-21T10:00:00+08:00").unwrap(), "2026-11-21T02:00:00.000Z");
    for wrong in ["", "yesterday", "2", "2026-13-01T00:00:00Z"] {
        assert!(at(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn dates_and_ids() {
    assert_eq!(parse_date("2026-11").unwrap(), jiff::civil::date(2026, 11, 1));
    assert!(parse_date("21.11.2026").is_err());
    assert!(parse_call_id("7").is_err());
}

#[test]
fn lists_of_metrics_and_reasons() {
    let text = written(|out| metrics(Style::Text, out));
    assert!(text.contains("\n| `hotline_calls_total` | counter | `hotline`, `outcome` | Ended calls"), "{text}");
    assert!(text.lines().all(|line| line.matches(" | ").count() == 3 || line.starts_with("|---")), "{text}");
    assert_eq!(text.lines().count(), crate::metrics::METRICS.len() + 2);
    let json = written(|out| metrics(Style::Json, out));
    assert!(json.contains("\"values\":[null,[\"answered\",\"short_abandoned\""), "{json}");
    assert_eq!(json.lines().count(), crate::metrics::METRICS.len());
    let reasons = written(reasons);
    assert_eq!(reasons.lines().count(), Reason::ALL.len() + 2 + SipRejection::ALL.len());
    assert!(reasons.contains("stranger            silence    From an address"), "{reasons}");
    assert!(reasons.contains("caller_cancelled    abandoned  The caller gave up"), "{reasons}");
}
