//! An agent parks the caller, in virtual time: who picks the call up, what happens if nobody does, and what the record says.

use super::RingEnd;
use super::feature_tests::{NINE, dialled};
use super::transfer_tests::{Case, byes, invites, settings_of_two, status};
use crate::call::agent::State;
use crate::call::fact::{Unparked, What};
use crate::dialplan::plan::{Hotline, Plans};
use crate::gateway::tests::*;
use crate::protocol::sip::message::{Message, Request, Response};
use crate::protocol::sip::vocabulary::Method;

fn final_response(sent: &[Message], call_id: &str) -> Response {
    let of = |r: &&Response| {
        r.status >= 200 && r.headers.text(&crate::protocol::sip::header::Name::CALL_ID) == Some(call_id)
    };
    let mut responses = sent.iter().filter_map(|m| match m {
        Message::Response(r) => Some(r),
        Message::Request(_) => None,
    });
    responses.find(of).expect("a final response").clone()
}

/// The hotline has 8 and 9; 8 has the caller for 5 s and parks: the slot is told, and 8's phone gets BYE.
fn parked() -> Case {
    let of_two = |hotline: &Hotline| {
        let mut hotline = hotline.clone();
        hotline.agents.numbers = vec!["8".into(), "9".into()];
        std::sync::Arc::new(hotline)
    };
    let hotline = of_two(&plans().hotlines[0]);
    let plans = Plans { by_number: [("400".to_owned(), hotline.clone())].into(), hotlines: vec![hotline] };
    let mut case = Case::with(settings_of_two(), plans);
    case.pass(5_000);
    let sent = case.switch.tell(PHONE, &dialled("INVITE", 1, "8", "*48", "", SDP));
    let answer = final_response(&sent, "code1");
    assert_eq!(answer.status, 200);
    assert_eq!(byes(&sent), ["sip:8@10.0.0.3"], "the talk is over for 8");
    let bye = requests(sent).into_iter().find(|r| r.method == Method::BYE).expect("BYE");
    case.switch.tell(PHONE, &ok(&bye, ""));
    case.switch.tell(PHONE, &dialled("ACK", 1, "8", "*48", &tag(&answer), ""));
    let over: Vec<Request> = requests(case.pass(10_000)).into_iter().filter(|r| r.method == Method::BYE).collect();
    case.switch.tell(PHONE, &ok(&over[0], ""));
    assert_eq!(taken(&case), [false, false], "8 is free while the caller waits");
    case
}

fn taken(case: &Case) -> [bool; 2] {
    let agents = case.switch.gateway.agents();
    ["8", "9"].map(|number| agents.state(&number.into()) != Some(&State::Available))
}

/// 9 dials; the final status, and the tag of a 200, which is acknowledged.
fn nine_dials(case: &mut Case, n: u32, code: &str) -> (u16, String) {
    let sent = case.switch.tell(NINE, &dialled("INVITE", n, "9", code, "", SDP));
    let answer = final_response(&sent, &format!("code{n}"));
    let ack = dialled("ACK", n, "9", code, &tag(&answer), "");
    case.switch.tell(NINE, &if answer.status == 200 { ack } else { ack.replace("bKcodeACK", "bKcodeINVITE") });
    (answer.status, tag(&answer))
}

fn how(case: &Case) -> Vec<Unparked> {
    let how = |what: &What| match what {
        What::Unparked { how, .. } => Some(*how),
        _ => None,
    };
    case.switch.facts.iter().filter_map(|fact| how(&fact.what)).collect()
}

type Part = (String, Option<u64>, Option<u64>, Option<u64>, Option<u64>);

fn segments(case: &Case) -> Vec<Part> {
    let record = case.record();
    let part = |s: &super::Segment| (s.agent.to_string(), s.from_ms, s.to_ms, s.talk_ms, s.hold_ms);
    record.segments.iter().map(part).collect()
}

#[test]
fn a_colleague_picks_the_parked_caller_up() {
    let mut case = parked();
    assert_eq!(nine_dials(&mut case, 2, "*492").0, 480, "nobody is parked there");
    let (status, own) = nine_dials(&mut case, 3, "*491");
    assert_eq!((status, taken(&case)), (200, [false, true]));
    assert_eq!(nine_dials(&mut case, 4, "*491").0, 480, "once");
    case.pass(10_000);
    let bye = dialled("BYE", 3, "9", "*491", &own, "").replace("CSeq: 1", "CSeq: 2");
    let sent = case.switch.tell(NINE, &bye);
    case.confirm(sent);
    case.rest();
    assert_eq!(how(&case), [Unparked::PickedUp]);
    let record = case.record();
    assert_eq!((record.talk_ms, record.hold_ms), (Some(15_000), Some(10_000)), "the wait in the slot is a hold");
    let nine = ("9".to_owned(), Some(15_000), Some(25_000), Some(10_000), Some(0));
    assert_eq!(segments(&case), [("8".to_owned(), Some(0), Some(5_000), Some(5_000), Some(0)), nine]);
    assert_eq!(record.attempts.len(), 1, "nobody was rung for it");
    assert_eq!(record.reason.map(|reason| reason.to_string()), Some("agent_hung_up".to_owned()));
}

#[test]
fn nobody_picks_up_and_it_rings_back_where_it_was_parked() {
    let mut case = parked();
    let rung = invites(&case.pass(50_000));
    assert_eq!(rung.iter().map(|r| r.raw_uri.as_str()).collect::<Vec<_>>(), ["sip:8@10.0.0.3"], "after a minute");
    case.switch.tell(PHONE, &status(&rung[0], 180).replace("180 X", "180 Ringing"));
    case.pass(2_000);
    case.switch.tell(PHONE, &ok(&rung[0], SDP).replace(";tag=phone", ";tag=again"));
    assert_eq!(how(&case), [Unparked::RungBack]);
    case.pass(5_000);
    case.caller_leaves();
    let parts = segments(&case);
    assert_eq!(parts[1], ("8".to_owned(), Some(67_000), Some(72_000), Some(5_000), Some(0)));
    let record = case.record();
    assert_eq!((record.hold_ms, record.attempts.len()), (Some(62_000), 2));
}

#[test]
fn nobody_answers_there_either_and_everybody_is_rung() {
    let mut case = parked();
    let eight = invites(&case.pass(50_000)).remove(0);
    let sent = case.switch.tell(PHONE, &status(&eight, 486));
    // In the order of the list; 8, whose phone may have come to rest by now, is rung with the others.
    let mut rung = invites(&sent).remove(0);
    if rung.raw_uri == "sip:8@10.0.0.3" {
        let sent = case.switch.tell(PHONE, &status(&rung, 486));
        rung = invites(&sent).remove(0);
    }
    let nine = rung;
    assert_eq!(nine.raw_uri, "sip:9@10.0.0.4");
    case.pass(3_000);
    case.switch.tell(NINE, &ok(&nine, SDP));
    assert_eq!(how(&case), [Unparked::NobodyCame]);
    case.pass(10_000);
    case.caller_leaves();
    let record = case.record();
    assert_eq!(segments(&case)[1].0, "9");
    assert_eq!((record.talk_ms, record.hold_ms), (Some(15_000), Some(63_000)), "all of it was waiting");
    let ends: Vec<_> = record.attempts.iter().map(|a| a.end).collect();
    let (first, rest) = ends.split_first().expect("the first ring");
    let (last, between) = rest.split_last().expect("the last ring");
    assert_eq!((first, last), (&Some(RingEnd::Answered), &Some(RingEnd::Answered)));
    assert!(!between.is_empty() && between.iter().all(|end| *end == Some(RingEnd::Busy)), "{ends:?}");
}

#[test]
fn the_caller_leaves_the_slot_and_nothing_is_left() {
    let mut case = parked();
    case.pass(2_000);
    case.caller_leaves();
    assert_eq!(case.record().reason.map(|reason| reason.to_string()), Some("caller_hung_up".to_owned()));
    assert_eq!(case.record().hold_ms, Some(12_000));
    let mut case = parked();
    let eight = invites(&case.pass(50_000)).remove(0);
    let sent = case.switch.tell(TRUNK, &theirs("BYE", 2, &case.tag.clone(), ""));
    case.confirm(sent);
    case.switch.tell(PHONE, &status(&eight, 487));
    case.rest();
    let ends: Vec<_> = case.record().attempts.iter().map(|a| a.end).collect();
    assert_eq!(ends[1], Some(RingEnd::CallerLeft));
}
