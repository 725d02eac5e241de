use std::time::Duration;

use tempfile::TempDir;

use super::super::audit::Chain;
use super::super::{Custody, Filter, Reader, SubjectKey, Writer};
use super::*;
use crate::call::fact::What;
use crate::call::reason::{EndedBy, Reason};
use crate::ledger::Subject;
use crate::ledger::story::{self, MORNING, Story};

const NUMBER: &str = "13900000001";

/// A house with one call of agent 8 from [`NUMBER`].
fn house() -> (TempDir, People, CallId) {
    let dir = tempfile::tempdir().unwrap();
    let facts = Story::talking(1).ended(9_000, Reason::CallerHungUp, EndedBy::Caller);
    let facts = facts.at(9_050, story::recording_ok(4_999)).facts();
    let What::Offered(offered) = &facts[0].what else { panic!("no call") };
    let subject = Subject { id: offered.caller, number: NUMBER.to_owned() };
    Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap().append(&facts, &[subject]).unwrap();
    let people = People::open(dir.path()).unwrap();
    (dir, people, facts[0].call)
}

fn at(s: u64) -> Wall {
    MORNING + Duration::from_secs(s)
}

fn new(agent: &str, call: Option<CallId>) -> NewNote {
    let words =
        Words {
            name: "王先生".into(), class: "complaint".into(), content: "水管 Leak".into(), ..Words::default()
        };
    NewNote {
        day: crate::notes::day(MORNING, &jiff::tz::TimeZone::UTC),
        agent: agent.into(),
        hotline: "property".into(),
        call,
        words,
        due: at(3_600),
        settled: false,
    }
}

fn wanted(show: Show) -> WantedNotes {
    WantedNotes { show, whose: None, text: String::new(), by_number: false, today: at(86_400), before: None }
}

#[test]
fn serials_count_by_agent_and_day_and_a_call_is_noted_once() {
    let (_dir, mut people, call) = house();
    let mut write = |new: &NewNote| people.write_note(new, "wang", at(1)).map(|note| note.number);
    assert_eq!(write(&new("8", Some(call))).unwrap(), "20261121-8-001");
    assert_eq!(write(&new("8", None)).unwrap(), "20261121-8-002");
    assert_eq!(write(&new("81", None)).unwrap(), "20261121-81-001");
    let tomorrow = NewNote { day: new("8", None).day.tomorrow().unwrap(), ..new("8", None) };
    assert_eq!(write(&tomorrow).unwrap(), "20261122-8-001");
    let twice = write(&new("8", Some(call))).unwrap_err().to_string();
    assert!(twice.contains("20261121-8-001"), "{twice}");
    // Another agent who had the same caller notes it too.
    assert_eq!(write(&new("9", Some(call))).unwrap(), "20261121-9-001");
}

#[test]
fn each_step_is_kept_and_audited_without_the_callers_words() {
    let (dir, mut people, call) = house();
    let mut first = new("8", Some(call));
    first.words.promise = "下午回电".into();
    first.words.promised_us = Some(at(1_800).as_micros());
    let note = people.write_note(&first, "wang", at(0)).unwrap();
    assert_eq!((note.caller.as_deref(), note.owes_callback()), (Some(NUMBER), true));
    let promised = people.promised_callbacks(10).unwrap();
    assert_eq!((promised.len(), promised[0].until, promised[0].caller.as_deref()), (1, at(1_800), Some(NUMBER)));
    let better = Words { content: "水管爆裂".into(), ..note.words.clone() };
    let mut change = |change: &Change, text: &str, s| people.change_note(note.id, change, text, "li", at(s));
    change(&Change::Words { words: better, due: at(1_800) }, "", 10).unwrap();
    change(&Change::HandOn(Some("9".into())), "请跟进", 20).unwrap();
    change(&Change::HandOn(None), "", 25).unwrap();
    change(&Change::CallBack(None), "已通话", 30).unwrap();
    assert!(change(&Change::CallBack(None), "", 31).is_err());
    change(&Change::Settle, "修好", 40).unwrap();
    assert!(change(&Change::Settle, "", 41).is_err());
    let now = people.call_note(note.id).unwrap().unwrap();
    assert_eq!((now.holder, now.called_back, now.done), (None, Some(at(30)), Some(at(40))));
    assert!(people.promised_callbacks(10).unwrap().is_empty());
    let steps = people.note_steps(note.id).unwrap();
    let words: Vec<&str> = steps.iter().map(|step| step.step.word()).collect();
    assert_eq!(words, ["written", "changed", "handed_on", "handed_on", "called_back", "done"]);
    assert!(steps[1].text.contains("水管 Leak"), "what stood there before is kept");
    let reader = Reader::open(dir.path()).unwrap();
    let rows = reader.audit(Some(&note.number), None, 20).unwrap();
    assert_eq!(rows.len(), 6);
    for row in &rows {
        assert!(["水管", "王先生", "修好", NUMBER].iter().all(|text| !row.details.contains(text)), "{}", row.details);
    }
    assert!(matches!(reader.audit_chain().unwrap(), Chain::Whole { rows: 6, .. }));
}

#[test]
fn lists_show_what_concerns_somebody_and_what_the_words_say() {
    let (_dir, mut people, call) = house();
    let own = people.write_note(&new("8", Some(call)), "a", at(0)).unwrap();
    let late = people.write_note(&NewNote { due: at(60), ..new("9", None) }, "b", at(90_000)).unwrap();
    let done = people.write_note(&NewNote { settled: true, ..new("9", None) }, "b", at(3)).unwrap();
    let ids = |people: &People, wanted: &WantedNotes| {
        people.notes(wanted, 10).unwrap().0.iter().map(|note| note.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&people, &wanted(Show::Open)), [late.id, own.id], "the most urgent first");
    assert_eq!(ids(&people, &wanted(Show::Carried)), [own.id]);
    assert_eq!(ids(&people, &wanted(Show::Done)), [done.id]);
    assert_eq!(ids(&people, &wanted(Show::All)), [done.id, late.id, own.id]);
    assert_eq!(ids(&people, &WantedNotes { before: Some(done.id), ..wanted(Show::All) }), [late.id, own.id]);
    let of = |agent: &str, hotline: &str| Some(Whose { agent: agent.into(), hotlines: vec![hotline.into()] });
    assert_eq!(ids(&people, &WantedNotes { whose: of("9", "other"), ..wanted(Show::Open) }), [late.id]);
    assert_eq!(ids(&people, &WantedNotes { whose: of("7", "property"), ..wanted(Show::Open) }), [own.id], "left over");
    let says = |text: &str| WantedNotes { text: text.into(), ..wanted(Show::All) };
    assert_eq!(ids(&people, &says("LEAK")), [done.id, late.id, own.id]);
    assert_eq!(ids(&people, &says("20261121-8-")), [own.id]);
    assert_eq!(ids(&people, &says("1390000")), Vec::<i64>::new());
    assert_eq!(ids(&people, &WantedNotes { by_number: true, ..says("1390000") }), [own.id]);
    assert_eq!(people.notes(&WantedNotes { before: None, ..wanted(Show::All) }, 1).unwrap().1, 3);
}

#[test]
fn calls_are_found_by_what_their_notes_say() {
    let (dir, mut people, call) = house();
    people.write_note(&new("8", Some(call)), "a", at(0)).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let found = |text: &str| {
        let filter = Filter { noted: Some(text.to_owned()), ..Filter::default() };
        reader.page(&filter, None, 10).unwrap().records.len()
    };
    assert_eq!((found("leak"), found("王先生"), found("电梯")), (1, 1, 0));
}

#[test]
fn who_looked_at_what_was_left_over_is_known_once_a_day() {
    let (dir, mut people, call) = house();
    let note = people.write_note(&new("8", Some(call)), "a", at(0)).unwrap();
    let day = new("8", None).day;
    assert!(!people.has_seen_carried(1, day).unwrap());
    for _ in 0..2 {
        people.see_carried(1, day, std::slice::from_ref(&note), "a", at(5)).unwrap();
    }
    assert!(people.has_seen_carried(1, day).unwrap() && !people.has_seen_carried(2, day).unwrap());
    assert!(!people.has_seen_carried(1, day.tomorrow().unwrap()).unwrap());
    let rows = Reader::open(dir.path()).unwrap().audit(None, None, 10).unwrap();
    let seen: Vec<&str> =
        rows.iter().filter(|row| row.what == "note.carried_seen").map(|row| row.details.as_str()).collect();
    assert_eq!(seen, ["{\"notes\":[\"20261121-8-001\"]}"]);
}

#[test]
fn a_caller_who_is_forgotten_is_in_no_note() {
    let (dir, mut people, call) = house();
    let of_call = people.write_note(&new("8", Some(call)), "a", at(0)).unwrap();
    let mut typed = new("9", None);
    typed.words.caller = Some(NUMBER.into());
    let typed = people.write_note(&typed, "b", at(0)).unwrap();
    let other = people.write_note(&new("9", None), "b", at(0)).unwrap();
    people.change_note(of_call.id, &Change::HandOn(None), "王先生很急", "a", at(1)).unwrap();
    let mut custody = Custody::open(dir.path(), SubjectKey::new([7; 32])).unwrap();
    let (receipt, _) = custody.erase(NUMBER, "boss", at(10)).unwrap();
    assert_eq!((receipt.calls, receipt.notes), (1, 2));
    for id in [of_call.id, typed.id] {
        let note = people.call_note(id).unwrap().unwrap();
        assert!(note.erased && note.caller.is_none() && note.words.content.is_empty() && note.words.name.is_empty());
        assert!(people.note_steps(id).unwrap().iter().all(|step| step.text.is_empty()));
        assert!(people.change_note(id, &Change::Settle, "", "a", at(11)).is_err());
    }
    assert_eq!(people.call_note(other.id).unwrap().unwrap().words.name, "王先生");
}
