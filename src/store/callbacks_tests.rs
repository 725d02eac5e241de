use super::*;
use crate::call::fact::{CallbackRule, Fact, What};
use crate::call::reason::{EndedBy, Reason};
use crate::ledger::Subject;
use crate::ledger::story::{MORNING, Story};
use crate::report::callbacks::State;
use crate::store::{Reader, SubjectKey, Writer};

fn at(s: u64) -> Wall {
    MORNING + Duration::from_secs(s)
}

fn with_rule(story: Story) -> Vec<Fact> {
    let mut facts = story.facts();
    if let What::Offered(offered) = &mut facts[0].what {
        offered.callback = Some(CallbackRule { within_ms: 1_800_000, attempts: 3 });
    }
    facts
}

/// Offered at second `s`, and the caller leaves 20 s later.
fn abandoned(seed: u64, s: u64) -> Vec<Fact> {
    with_rule(Story::offered(seed, at(s), "property").ended(20_000, Reason::CallerCancelled, EndedBy::Caller))
}

fn append(writer: &mut Writer, facts: &[Fact], number: &str) -> CallId {
    let What::Offered(offered) = &facts[0].what else { panic!("a call begins with offered") };
    let subject = Subject { id: offered.caller, number: number.to_owned() };
    writer.append(facts, &[subject]).expect("appended");
    facts[0].call
}

struct House {
    directory: tempfile::TempDir,
    writer: Writer,
}

fn house() -> House {
    let directory = tempfile::tempdir().expect("a directory");
    let writer = Writer::open(directory.path(), SubjectKey::new([7; 32])).expect("a database");
    House { directory, writer }
}

impl House {
    fn rows(&self, now: Wall) -> Vec<Row> {
        Reader::open(self.directory.path()).expect("a reader").callbacks(MORNING, None, now).expect("rows")
    }

    fn order(&self, order: &Order, who: &str, s: u64) -> Result<Row, String> {
        let mut list = CallbackList::open(self.directory.path()).expect("a list");
        list.carry_out(order, By { who, at: at(s) }).map_err(|error| error.to_string())
    }
}

#[test]
fn from_an_abandoned_call_to_a_caller_who_was_reached() {
    let mut house = house();
    let call = append(&mut house.writer, &abandoned(1, 0), "13900000001");
    let row = &house.rows(at(60))[0];
    assert_eq!((row.call, row.why, row.state), (call, WhyOwed::Abandoned, State::Open));
    assert_eq!((row.since.0, row.due.0, row.caller.as_deref()), (at(20), at(1_820), Some("13900000001")));
    let tried = |code| Order::Tried { call, code, until: None, note: "asked for Mr Li".to_owned() };
    assert_eq!(house.order(&Order::Take { call }, "wang", 60).map(|row| row.state), Ok(State::Taken));
    assert_eq!(house.order(&tried(Code::Reached), "li", 61), Err("wang has taken this entry".to_owned()));
    assert_eq!(house.order(&tried(Code::NoAnswer), "wang", 90).map(|row| row.tries), Ok(1));
    let reached = house.order(&tried(Code::Reached), "li", 600).expect("done");
    assert_eq!((reached.state, reached.deeds.len(), reached.first_tried), (State::Reached, 3, Some(Time(at(90)))));
    assert_eq!(house.order(&Order::Take { call }, "li", 700), Err("the caller's entry is closed: reached".to_owned()));
    let reader = Reader::open(house.directory.path()).expect("a reader");
    let audit = reader.audit(Some(&call.to_string()), None, 10).expect("the log");
    let told: Vec<&str> = audit.iter().rev().map(|row| row.what.as_str()).collect();
    assert_eq!(told, ["callback.taken", "callback.tried", "callback.tried"]);
    assert!(!audit.iter().any(|row| row.details.contains("Li")), "notes may name people");
    // Rebuilt from facts, what people did is still there.
    assert_eq!(house.writer.rebuild().expect("rebuilt"), 1);
    assert_eq!(house.rows(at(800))[0].state, State::Reached);
}

#[test]
fn an_entry_that_is_given_back_is_free_at_once_and_why_is_in_the_audit_log() {
    let mut house = house();
    let call = append(&mut house.writer, &abandoned(1, 0), "13900000001");
    house.order(&Order::Take { call }, "li", 60).expect("taken");
    let back = Order::GiveBack { call, why: "the agent's phone is not free".to_owned() };
    assert_eq!(house.order(&back, "wang", 61).expect_err("li's"), "li has taken this entry");
    let row = house.order(&back, "li", 62).expect("given back");
    assert_eq!((row.state, row.taken_by, row.tries), (State::Open, None, 0), "no attempt");
    let row = house.order(&Order::Take { call }, "wang", 63).expect("free");
    assert_eq!((row.state, row.deeds[1].did), (State::Taken, Did::GivenBack));
    let db = sqlite::open_beside(house.directory.path()).expect("a database");
    let told: String = db
        .query_row("SELECT details FROM audit WHERE what = 'callback.given_back'", [], |row| row.get(0))
        .expect("a row");
    assert!(told.contains("the agent's phone is not free"), "{told}");
}

#[test]
fn who_calls_again_and_is_answered_is_called_by_nobody() {
    let mut house = house();
    append(&mut house.writer, &abandoned(1, 0), "13900000001");
    append(&mut house.writer, &abandoned(2, 100), "13900000002");
    let again = Story::offered(3, at(300), "property").at(10, What::Ring).answered(4_000);
    let again = with_rule(again.ended(60_000, Reason::CallerHungUp, EndedBy::Caller));
    append(&mut house.writer, &again, "13900000001");
    let states: Vec<State> = house.rows(at(400)).iter().map(|row| row.state).collect();
    assert_eq!(states, [State::CalledAgain, State::Open]);
}

#[test]
fn a_promise_stands_on_the_list_like_any_other() {
    let mut house = house();
    let talk = Story::talking(1).ended(60_000, Reason::CallerHungUp, EndedBy::Caller);
    let call = append(&mut house.writer, &with_rule(talk), "13900000001");
    assert_eq!(house.rows(at(70)), []);
    let promise = |due| Order::Promise { call, due: Time(at(due)), note: "the fitter's date".to_owned() };
    assert!(house.order(&promise(60), "wang", 70).is_err(), "that time is over");
    let row = house.order(&promise(7_200), "wang", 70).expect("promised");
    assert_eq!((row.why, row.due.0, row.attempts), (WhyOwed::Promised, at(7_200), 5));
    assert_eq!(house.order(&promise(7_200), "li", 80), Err("this caller is on the list already".to_owned()));
    let unknown = crate::ids::CallId::new(at(0), &mut crate::ids::Random::from_number(9));
    assert!(house.order(&Order::Take { call: unknown }, "li", 80).is_err());
    let long = Order::Tried { call, code: Code::Busy, until: None, note: "x".repeat(501) };
    assert!(house.order(&long, "li", 80).is_err());
}
