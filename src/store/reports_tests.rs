use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use super::super::audit::{Break, Chain};
use super::super::{FILE, SubjectKey, Writer};
use super::*;
use crate::call::reason::{EndedBy, Reason};
use crate::ledger::story::{self, MORNING, Story};
use crate::qa::whole::differences;
use crate::store::qa::By;

/// A house with a form and some ended calls of agent 8 on 2026-11-21.
fn house(calls: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap();
    writer.begin_run(MORNING).unwrap();
    for seed in 0..calls {
        writer.append(&ended(seed), &[]).unwrap();
    }
    let text = include_str!("../../dialplans/scorecards/appraisal.toml");
    let form = read("form", text.as_bytes(), |_| true).0.unwrap();
    Inspection::open(dir.path()).unwrap().publish(&form, text, By { who: "test", at: MORNING }).unwrap();
    dir
}

fn ended(seed: u64) -> Vec<crate::call::fact::Fact> {
    let story = Story::talking(seed).ended(9_000, Reason::CallerHungUp, EndedBy::Caller);
    story.at(9_050, story::recording_ok(4_999)).facts()
}

fn zones() -> Zones {
    Zones::from_plans(&story::plans()).unwrap()
}

fn day(d: i8) -> Period {
    Period::holding(Span::Day, jiff::civil::date(2026, 11, d)).unwrap()
}

fn evening(d: u64) -> Wall {
    MORNING + Duration::from_secs(86_400 * d)
}

/// Closes the report of a day with what stands in the ledger.
fn close(dir: &TempDir, d: i8, by: &str) -> Result<Frozen, StoreError> {
    let (_, over) = zones().span(day(d)).unwrap();
    let text = whole(dir.path(), day(d), &zones(), evening(9)).unwrap().text().unwrap();
    People::open(dir.path()).unwrap().close_report(day(d), over, text, by, evening(9))
}

#[test]
fn what_is_closed_is_the_ledgers_and_stays() {
    let dir = house(3);
    let first = close(&dir, 21, "lead").unwrap();
    close(&dir, 22, "lead").unwrap();
    let kept: Value = serde_json::from_str(&first.content).unwrap();
    assert_eq!(kept["calls"]["total"]["offered"], 3);
    assert_eq!(kept["calls"]["agents"]["8"]["answered"], 3);
    assert_eq!(kept["tally"][0]["answered"], 3);
    assert!(kept["tally"][0]["class"].is_null(), "nobody noted them");
    assert!(
        kept["rules"].as_array().unwrap().iter().any(|rule| rule["rule"] == "R-001" && rule["kept"] == 3),
        "{kept}"
    );
    let again = |dir: &TempDir| -> Value {
        let text = whole(dir.path(), day(21), &zones(), evening(20)).unwrap().text().unwrap();
        serde_json::from_str(&text).unwrap()
    };
    assert!(differences(&kept, &again(&dir), 9).is_empty());
    let twice = close(&dir, 21, "lead").unwrap_err().to_string();
    assert!(twice.contains("closed already"), "{twice}");
    // A call that came to the ledger behind the report's back.
    Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap().append(&ended(77), &[]).unwrap();
    let found = differences(&kept, &again(&dir), 500);
    assert!(found.contains(&("calls.total.offered".into(), "3".into(), "4".into())), "{found:?}");
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.frozen(day(21)).unwrap().as_ref(), Some(&first));
    assert!(matches!(reader.report_chain().unwrap(), Chain::Whole { rows: 2, .. }));
    let deeds = reader.audit(Some("day 2026-11-21"), None, 9).unwrap();
    assert!(deeds.len() == 1 && deeds[0].details.contains(&first.hash.to_string()), "{deeds:?}");
}

#[test]
fn a_report_is_closed_when_its_period_and_its_calls_are() {
    let dir = house(1);
    let (_, over) = zones().span(day(21)).unwrap();
    let mut people = People::open(dir.path()).unwrap();
    let early = people.close_report(day(21), over, "{}".into(), "lead", MORNING).unwrap_err().to_string();
    assert!(early.contains("not over"), "{early}");
    let talking = Story::talking(50).facts();
    Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap().append(&talking, &[]).unwrap();
    let open = close(&dir, 21, "lead").unwrap_err().to_string();
    assert!(open.contains("1 calls before the end"), "{open}");
}

#[test]
fn a_closed_report_that_was_changed_is_named() {
    for (sql, broken) in [
        (
            "UPDATE report SET content = replace(content, '\"offered\":1', '\"offered\":2') WHERE n = 2",
            (2, Break::Changed),
        ),
        ("UPDATE report SET span = 'month' WHERE n = 1", (1, Break::Changed)),
        ("UPDATE report SET by_whom = 'x' WHERE n = 3", (3, Break::Changed)),
        ("DELETE FROM report WHERE n = 1", (2, Break::Gap)),
    ] {
        let dir = house(1);
        for d in [20, 21, 22] {
            close(&dir, d, "lead").unwrap();
        }
        let db = Connection::open(dir.path().join(FILE)).unwrap();
        let refused = db.execute(sql, []).unwrap_err().to_string();
        assert!(refused.contains("a closed report is never"), "{refused}");
        db.execute_batch("DROP TRIGGER report_is_never_changed; DROP TRIGGER report_is_never_deleted;").unwrap();
        assert_eq!(db.execute(sql, []).unwrap(), 1, "{sql}");
        let chain = Reader::open(dir.path()).unwrap().report_chain().unwrap();
        assert_eq!(chain, Chain::Broken { n: broken.0, why: broken.1 }, "{sql}");
    }
}
