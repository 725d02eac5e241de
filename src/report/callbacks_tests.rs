use super::*;
use crate::ids::Random;
use crate::ledger::story::MORNING;

fn at(s: u64) -> Time {
    Time(MORNING + Duration::from_secs(s))
}

/// A caller left at second `s`, and is due half an hour later.
fn entry(n: u64, s: u64, caller: u8) -> Entry {
    Entry {
        call: CallId::new(at(s).0, &mut Random::from_number(n)),
        hotline: "property".into(),
        why: WhyOwed::Abandoned,
        since: at(s),
        due: at(s + 1_800),
        attempts: 3,
        number: Some("13900000001".to_owned()),
        caller: Some([caller; 32]),
        answered_again: None,
        deeds: Vec::new(),
        calls: Vec::new(),
    }
}

fn tried(s: u64, code: Code) -> Deed {
    Deed { at: at(s), by: "wang".to_owned(), did: Did::Tried { code, until: None }, note: String::new() }
}

fn one(entry: Entry, now: u64) -> Row {
    rows(vec![entry], at(now).0).remove(0)
}

#[test]
fn an_entry_is_closed_by_a_caller_who_is_reached_and_by_attempts_in_vain() {
    let with = |deeds: &[Deed]| one(Entry { deeds: deeds.to_vec(), ..entry(1, 0, 1) }, 10_000);
    assert_eq!((with(&[]).state, with(&[]).tries), (State::Open, 0));
    let reached = with(&[tried(60, Code::NoAnswer), tried(600, Code::Reached)]);
    assert_eq!((reached.state, reached.tries, reached.first_tried), (State::Reached, 2, Some(at(60))));
    assert_eq!(with(&[tried(60, Code::WrongNumber)]).state, State::WrongNumber);
    let twice = [tried(60, Code::Busy), tried(600, Code::NoAnswer)];
    assert_eq!(with(&twice).state, State::Open);
    let thrice = [twice.to_vec(), vec![tried(900, Code::Unreachable)]].concat();
    assert_eq!(with(&thrice).state, State::GivenUp);
    assert_eq!(with(&thrice).admits(Did::Taken, "li", at(0).0), Err(Refused::Closed(State::GivenUp)));
}

#[test]
fn who_takes_an_entry_has_it_for_a_quarter_of_an_hour() {
    let taken = Deed { at: at(60), by: "wang".to_owned(), did: Did::Taken, note: String::new() };
    let entry = Entry { deeds: vec![taken], ..entry(1, 0, 1) };
    let row = one(entry.clone(), 60 + 899);
    assert_eq!((row.state, row.taken_by.as_deref()), (State::Taken, Some("wang")));
    assert_eq!(row.admits(Did::Taken, "li", at(100).0), Err(Refused::TakenBy("wang".to_owned())));
    assert_eq!(row.admits(Did::Tried { code: Code::Busy, until: None }, "wang", at(100).0), Ok(()));
    let row = one(entry, 60 + 900);
    assert_eq!((row.state, row.taken_by.as_deref()), (State::Open, None));
    assert_eq!(row.admits(Did::Taken, "li", at(1_000).0), Ok(()));
}

#[test]
fn another_time_is_to_come_and_moves_the_due_time() {
    let row = one(entry(1, 0, 1), 60);
    let later = |until| Did::Tried { code: Code::Later, until };
    assert_eq!(row.admits(later(None), "wang", at(60).0), Err(Refused::NoTime));
    assert_eq!(row.admits(later(Some(at(60))), "wang", at(60).0), Err(Refused::NoTime));
    assert_eq!(row.admits(later(Some(at(61))), "wang", at(60).0), Ok(()));
    let deed = Deed { did: later(Some(at(9_000))), ..tried(60, Code::Later) };
    let row = one(Entry { deeds: vec![deed], ..entry(1, 0, 1) }, 60);
    assert_eq!((row.state, row.due, row.is_in_time()), (State::Open, at(9_000), true));
}

#[test]
fn who_calls_again_is_not_called_twice() {
    let answered = Entry { answered_again: Some(at(90)), ..entry(1, 0, 1) };
    assert_eq!(one(answered, 100).state, State::CalledAgain);
    // Once more in vain: the newer call has the place, and the older one's due time.
    let found = rows(vec![entry(1, 0, 1), entry(2, 50, 2), entry(3, 100, 1), entry(4, 200, 1)], at(300).0);
    let states: Vec<State> = found.iter().map(|row| row.state).collect();
    assert_eq!(states, [State::CalledAgain, State::Open, State::CalledAgain, State::Open]);
    assert_eq!((found[3].times, found[3].due, found[1].times), (3, at(1_800), 1));
    // Reached in between: a matter of its own.
    let reached = Entry { deeds: vec![tried(60, Code::Reached)], ..entry(1, 0, 1) };
    let found = rows(vec![reached, entry(2, 100, 1)], at(300).0);
    assert_eq!((found[0].state, found[1].times, found[1].due), (State::Reached, 1, at(1_900)));
    // Another hotline's list, and nobody's number.
    let other = Entry { hotline: "software".into(), ..entry(2, 100, 1) };
    let withheld = |n| Entry { caller: None, number: None, ..entry(n, 100, 1) };
    let found = rows(vec![entry(1, 0, 1), other, withheld(3), withheld(4)], at(300).0);
    assert!(found.iter().all(|row| row.state == State::Open && row.times == 1), "{found:?}");
}

#[test]
fn whoever_called_again_by_himself_is_no_merit_of_ours() {
    let entries = vec![
        Entry { deeds: vec![tried(600, Code::Reached)], ..entry(1, 0, 1) },
        Entry { deeds: vec![tried(4_000, Code::NoAnswer)], ..entry(2, 0, 2) },
        Entry { answered_again: Some(at(90)), ..entry(3, 0, 3) },
        entry(4, 0, 4),
    ];
    let rows = rows(entries, at(5_000).0);
    let figures = Callbacks::of(&rows);
    assert_eq!((figures.owed, figures.attempts), (4, 2));
    assert_eq!((figures.tried_in_time.count, figures.tried_in_time.n), (1, 3));
    assert_eq!((figures.reached.count, figures.reached.n), (1, 3));
    assert_eq!((figures.to_first_attempt_ms.n, figures.to_first_attempt_ms.mean), (2, Some(2_300_000)));
    assert_eq!(figures.by_state[&State::CalledAgain], 1);
    assert_eq!(Callbacks::of(&[]).reached.ratio, None);
}
