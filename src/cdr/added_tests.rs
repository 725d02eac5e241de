//! An agent calls somebody into the talk, in virtual time: who is rung, who goes on with whom, and what the record says.

use super::feature_tests::{NINE, dialled};
use super::transfer_tests::{Case, invites, status, within};
use super::{Added, RingEnd};
use crate::call::agent::State;
use crate::call::fact::{RingResult, What};
use crate::gateway::tests::*;
use crate::media::{Audible, Event};
use crate::protocol::sip::message::{Message, Request};
use crate::protocol::sip::vocabulary::Method;

/// 8, who has the caller, dials this on another line, and hears two tones; our INVITE, if somebody is called.
fn dial(case: &mut Case, n: u32, code: &str) -> (u16, Option<Request>) {
    let sent = case.switch.tell(PHONE, &dialled("INVITE", n, "8", code, "", SDP));
    let rung = invites(&sent).pop();
    let response = sent.iter().find_map(|m| match m {
        Message::Response(r) if r.status >= 200 => Some(r.clone()),
        _ => None,
    });
    let response = response.expect("a final response");
    let ack = dialled("ACK", n, "8", code, &tag(&response), "");
    if response.status != 200 {
        case.switch.tell(PHONE, &ack.replace("bKcodeACK", "bKcodeINVITE"));
        return (response.status, rung);
    }
    case.switch.tell(PHONE, &ack);
    let byes: Vec<Request> = requests(case.pass(10_000)).into_iter().filter(|r| r.method == Method::BYE).collect();
    case.switch.tell(PHONE, &ok(&byes[0], ""));
    (200, rung)
}

/// 9 has been called into the talk and answers 11 s after the code, which was dialled after 1 s.
fn three() -> (Case, Request) {
    let mut case = Case::new();
    case.pass(1_000);
    let (answer, rung) = dial(&mut case, 1, "*479");
    assert_eq!(answer, 200);
    let rung = rung.expect("9 is rung");
    assert_eq!(rung.raw_uri, "sip:9@10.0.0.4");
    case.switch.tell(NINE, &status(&rung, 180).replace("180 X", "180 Ringing"));
    case.pass(1_000);
    case.switch.tell(NINE, &ok(&rung, SDP));
    assert_eq!(case.switch.admitted.len(), 1);
    assert_eq!(case.switch.admitted[0].1, Audible::All);
    (case, rung)
}

fn added(from_ms: u64, to_ms: u64) -> Added {
    Added { agent: Some("9".into()), target: None, by: "8".into(), from_ms: Some(from_ms), to_ms: Some(to_ms) }
}

fn taken(case: &Case) -> [bool; 2] {
    let agents = case.switch.gateway.agents();
    ["8", "9"].map(|number| agents.state(&number.into()) != Some(&State::Available))
}

#[test]
fn the_agent_leaves_and_caller_and_officer_go_on() {
    let (mut case, rung) = three();
    assert_eq!(taken(&case), [true, true]);
    case.pass(10_000);
    let text = within(&case.eight, PHONE, "BYE", 1, "\n");
    case.switch.tell(PHONE, &text);
    assert_eq!(taken(&case), [false, true], "8 is free for the next caller");
    case.pass(20_000);
    let text = within(&rung, NINE, "BYE", 1, "\n");
    let sent = case.switch.tell(NINE, &text);
    case.confirm(sent);
    case.rest();
    let record = case.record();
    let segments: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.from_ms, s.to_ms, s.talk_ms)).collect();
    assert_eq!(segments, [("8", Some(0), Some(22_000), Some(22_000)), ("9", Some(22_000), Some(42_000), Some(20_000))]);
    assert_eq!(record.added, [added(12_000, 22_000)]);
    assert_eq!((record.hold_ms, record.talk_ms), (Some(0), Some(42_000)));
    assert_eq!(record.reason.map(|reason| reason.to_string()), Some("agent_hung_up".to_owned()));
    let rings: Vec<_> = record.attempts.iter().map(|a| (a.agent.clone(), a.end)).collect();
    assert_eq!(rings, [(Some("8".into()), Some(RingEnd::Answered)), (Some("9".into()), Some(RingEnd::Answered))]);
}

#[test]
fn the_officer_leaves_and_the_two_go_on_or_the_caller_leaves_and_all_is_over() {
    let (mut case, rung) = three();
    case.pass(5_000);
    let text = within(&rung, NINE, "BYE", 1, "\n");
    case.switch.tell(NINE, &text);
    assert_eq!(taken(&case), [true, false]);
    case.pass(5_000);
    case.caller_leaves();
    let record = case.record();
    assert_eq!(record.added, [added(12_000, 17_000)]);
    assert_eq!(record.segments.len(), 1);

    let (mut case, _) = three();
    case.pass(5_000);
    let bye = theirs("BYE", 2, &case.tag.clone(), "");
    let sent = case.switch.tell(TRUNK, &bye);
    assert_eq!(requests(sent.clone()).len(), 2, "both phones");
    case.confirm(sent);
    case.rest();
    assert_eq!(case.record().added, [added(12_000, 17_000)]);
}

#[test]
fn a_hold_is_none_while_the_officer_talks_with_the_caller() {
    let mut case = Case::new();
    assert_eq!(case.hold(), 200);
    case.pass(1_000);
    let (_, rung) = dial(&mut case, 1, "*479");
    case.switch.tell(NINE, &ok(&rung.expect("9 is rung"), SDP));
    // 11 s on hold; then the officer is there, and 8 comes back, goes, and the officer leaves.
    case.pass(2_000);
    assert_eq!(case.resume(), 200);
    case.pass(2_000);
    assert_eq!(case.hold(), 200);
    case.pass(2_000);
    let (call, leg) = *case.switch.legs.last().expect("a leg");
    let at = case.switch.now;
    // The officer's phone is dead: 10 s later it is sent away.
    let silent = Event::Silent { call, leg, at };
    case.switch.gateway.handle(case.switch.now, crate::gateway::Input::Media(silent));
    let sent = case.pass(10_000);
    for bye in requests(sent).into_iter().filter(|r| r.method == Method::BYE) {
        case.switch.tell(NINE, &ok(&bye, ""));
    }
    assert_eq!(taken(&case), [true, false]);
    case.pass(3_000);
    assert_eq!(case.resume(), 200);
    case.pass(1_000);
    case.caller_leaves();
    let record = case.record();
    assert_eq!(record.hold_ms, Some(11_000 + 3_000), "only while the caller was left alone");
    assert_eq!(record.holds, 2);
}

#[test]
fn an_agent_whose_phone_has_died_leaves_the_caller_to_the_officer() {
    let (mut case, _) = three();
    let (call, leg) = case.switch.legs[1];
    let at = case.switch.now;
    case.switch.gateway.handle(at, crate::gateway::Input::Media(Event::Silent { call, leg, at }));
    case.switch.settle();
    let sent = case.pass(10_000);
    case.confirm(sent);
    assert_eq!(taken(&case), [false, true]);
    case.caller_leaves();
    assert_eq!(case.record().segments.len(), 2);
}

#[test]
fn nobody_comes() {
    let mut case = Case::new();
    for (n, code, answer) in [(1, "*4777", 404), (2, "*478", 404), (3, "*47", 404)] {
        assert_eq!(dial(&mut case, n, code).0, answer, "{code}");
    }
    // Busy.
    let (_, rung) = dial(&mut case, 4, "*479");
    let rung = rung.expect("9 is rung");
    case.switch.tell(NINE, &status(&rung, 486));
    // Does not answer.
    let (_, rung) = dial(&mut case, 5, "*479");
    let rung = rung.expect("9 is rung");
    case.switch.tell(NINE, &status(&rung, 180).replace("180 X", "180 Ringing"));
    assert_eq!(dial(&mut case, 6, "*47duty").0, 486, "one at a time");
    let cancel = requests(case.pass(20_000)).into_iter().find(|r| r.method == Method::CANCEL).expect("CANCEL");
    case.switch.tell(NINE, &ok(&cancel, ""));
    case.switch.tell(NINE, &status(&rung, 487));
    let failed: Vec<_> = case
        .switch
        .facts
        .iter()
        .filter_map(|f| match f.what {
            What::AddFailed { result, status, .. } => Some((result, status)),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [(RingResult::Busy, Some(486)), (RingResult::NoAnswer, None)]);
    assert!(case.switch.admitted.is_empty());
    assert_eq!(taken(&case), [true, false]);
    let (_, rung) = dial(&mut case, 7, "*47duty");
    assert!(rung.expect("the target is called").raw_uri.contains("13900000001"));
    // The caller leaves meanwhile.
    let bye = theirs("BYE", 2, &case.tag.clone(), "");
    let sent = case.switch.tell(TRUNK, &bye);
    case.confirm(sent);
    case.pass(100_000);
    let record = case.record();
    assert!(record.added.is_empty());
    assert_eq!(record.attempts.last().and_then(|a| a.end), Some(RingEnd::CallerLeft));
    assert_eq!(case.switch.gateway.live_calls(), 0);
}

#[test]
fn nobody_is_handed_on_by_whoever_has_called_somebody_into_the_talk() {
    let (mut case, _) = three();
    let sent = case.refer("<sip:duty@10.0.0.1>");
    let refused = |m: &Message| matches!(m, Message::Response(r) if r.status == 491);
    assert!(sent.iter().any(refused), "{sent:?}");
    case.caller_leaves();
}
