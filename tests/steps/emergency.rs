//! An emergency: many are rung, and one confirms.

use hotline::call::fact::{RingResult, SentFor, StepKind};
use hotline::ids::Callee;

use super::*;

const CASCADE: &str = r#"
[agents]
numbers = ["1"]

[emergency]
then = "heads"

[step.heads]
do        = "cascade"
whom      = ["7", "8"]
text      = "紧急来电，按一确认接听。"
ring_s    = 20
confirm_s = 10
otherwise = "manager"

[step.manager]
do        = "cascade"
whom      = ["9"]
ring_s    = 20
otherwise = "leave"

[step.leave]
do   = "message"
text = "您好，请留下您的电话"
"#;

/// Agent 1 is in a talk of three seconds and presses `*1`; `phones`: what those do who are rung then, in their order.
fn emergency(phones: &[Conduct]) -> World {
    let mut world = World::new(plans("", CASCADE), 1);
    world.agents.expect([answers(1.0)].into_iter().chain(phones.iter().copied()));
    world.call(NUMBER, patience(90.0, None));
    world.run_for(secs(4.0));
    for key in ['*', '1'] {
        press_at(&mut world, 0, key);
    }
    world
}

/// The so-manyth of the agents' legs that are open, in the order of their opening, presses a key.
fn press_at(world: &mut World, place: usize, key: char) {
    let call = world.facts[0].call;
    let legs: Vec<LegId> = world.legs().iter().filter(|(_, side)| **side == Side::Agent).map(|(l, _)| *l).collect();
    let (at, duration) = (world.now(), Duration::from_millis(100));
    world.tell(Input::Media(media::Event::Key { call, leg: legs[place], key, duration, at }));
    world.run_for(secs(0.3));
}

fn ends(record: &Record) -> Vec<(String, String)> {
    let attempts = serde_json::to_value(&record.attempts).expect("attempts");
    let one = |attempt: &serde_json::Value| {
        let text = |key: &str| attempt[key].as_str().unwrap_or_default().to_owned();
        (text("agent"), text("end"))
    };
    attempts.as_array().expect("a list").iter().map(one).collect()
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(agent, end)| ((*agent).to_owned(), (*end).to_owned())).collect()
}

/// 7 is a mailbox, say: it picks up first.
#[test]
fn a_phone_that_picks_up_keeps_nobody_from_ringing_and_whoever_confirms_has_the_call() {
    let mut world = emergency(&[answers(2.0), answers(6.0)]);
    world.run_for(secs(5.0));
    assert!(world.facts.iter().any(|f| f.what == What::AskedToConfirm { attempt: 2, who: Callee::Agent("7".into()) }));
    assert!(!world.facts.iter().any(|f| matches!(f.what, What::Confirmed { .. })), "nobody has");
    world.run_for(secs(2.0));
    press_at(&mut world, 0, '5');
    press_at(&mut world, 1, '1');
    let talking = world.gateway.agents().state(&"8".into()).cloned();
    assert!(matches!(talking, Some(hotline::call::agent::State::Talking { .. })), "{talking:?}");
    world.run_for(secs(20.0));
    assert_eq!(world.gateway.agents().taken(), 1, "7 is rung no more");
    let plays = plays(&world);
    assert_eq!(plays.iter().filter(|play| **play == Play::Greeting).count(), 1, "that of agent 1: {plays:?}");
    world.tell(Input::Shutdown);
    let (world, records) = finish(world);
    let record = &records[0];
    assert_eq!(ends(record), named(&[("1", "answered"), ("7", "lost_race"), ("8", "answered")]));
    assert_eq!((record.outcome, record.agent.as_ref().map(|a| a.as_str())), (Some(Outcome::Answered), Some("1")));
    let had: Vec<&str> = record.segments.iter().map(|segment| segment.agent.as_str()).collect();
    assert_eq!(had, ["1", "8"]);
    let sent = |f: &Fact| matches!(f.what, What::SentToDesk { why: SentFor::Emergency, .. });
    assert!(world.facts.iter().any(sent) && record.steps[0].does == StepKind::Cascade);
    near(record.attempts[1].ring_ms, 2_000);
}

#[test]
fn nobody_confirms_in_time_and_the_next_tier_is_rung() {
    let mut world = emergency(&[answers(2.0), Conduct { rings: true, then: Then::Ignore }, answers(3.0)]);
    // 7 picks up after 2 s and is given 10; 8 rings for 20.
    world.run_for(secs(26.0));
    assert_eq!(world.gateway.agents().taken(), 1, "9 alone");
    press_at(&mut world, 0, '1');
    world.tell(Input::Shutdown);
    let (_, records) = finish(world);
    let ends = ends(&records[0]);
    assert_eq!(ends[1..], named(&[("7", "unconfirmed"), ("8", "no_answer"), ("9", "answered")]));
    let steps: Vec<&str> = records[0].steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["heads", "manager"]);
}

#[test]
fn nobody_comes_and_the_caller_leaves_a_message() {
    let world = emergency(&[]);
    let (world, records) = finish(world);
    let released = |f: &Fact| matches!(f.what, What::AgentReleased { result: RingResult::NoAnswer, .. });
    assert_eq!(world.facts.iter().filter(|f| released(f)).count(), 3);
    assert_eq!(records[0].steps.last().map(|step| step.step.as_str()), Some("leave"));
    assert_eq!(reason(&records[0]), "message_left");
}

#[test]
fn whoever_is_in_a_call_is_not_rung_and_the_caller_may_leave() {
    let mut world = emergency(&[answers(2.0), answers(30.0)]);
    let session = world.call("4008001234", patience(3.0, None));
    world.run_for(secs(4.0));
    assert!(session.is_some());
    world.tell(Input::Shutdown);
    let (_, records) = finish(world);
    let ends = ends(&records[0]);
    assert_eq!(ends[1..], named(&[("7", "caller_left"), ("8", "caller_left")]));
}

/// A step may begin with it.
#[test]
fn a_hotline_may_begin_with_a_cascade() {
    let plan = CASCADE
        .replace("numbers = [\"1\"]", "numbers = [\"1\"]\nnobody = \"leave\"")
        .replace("otherwise = \"leave\"", "otherwise = \"agents\"")
        .replace("then = \"heads\"", "then = \"manager\"");
    let mut world = World::new(plans("start = \"heads\"", &plan), 1);
    world.agents.expect([answers(2.0), answers(30.0)]);
    world.call(NUMBER, patience(90.0, None));
    world.run_for(secs(3.0));
    press_at(&mut world, 0, '1');
    world.run_for(secs(5.0));
    world.tell(Input::Shutdown);
    let (_, records) = finish(world);
    assert_eq!(records[0].agent.as_ref().map(|a| a.as_str()), Some("7"));
    assert_eq!((records[0].outcome, records[0].greeting.clone()), (Some(Outcome::Answered), None));
    near(records[0].ring_to_answer_ms, 3_000);
}
