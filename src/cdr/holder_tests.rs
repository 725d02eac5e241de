//! An agent's phone that holds the caller for too long rings again, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use super::RingEnd;
use super::transfer_tests::{Case, byes, invites, settings_of_two, status};
use crate::call::agent::State;
use crate::call::fact::What;
use crate::dialplan::plan::Plans;
use crate::dialplan::scripts::Hold;
use crate::gateway::tests::*;
use crate::protocol::sip::message::{Message, Request};
use crate::protocol::sip::vocabulary::Method;

/// 8 holds the caller after 5 s, and so for 180 s; our INVITE to 8's phone.
fn held() -> (Case, Request) {
    let s = Duration::from_secs;
    let mut hotline = (*plans().hotlines[0]).clone();
    let hold = Hold { comfort: None, every: s(30), cues: Vec::new(), ring: Some(s(180)), back: None, back_cue: false };
    hotline.scripts.hold = Some(hold);
    let hotline = Arc::new(hotline);
    let plans = Plans { by_number: [("400".to_owned(), hotline.clone())].into(), hotlines: vec![hotline] };
    let mut case = Case::with(settings_of_two(), plans);
    case.pass(5_000);
    assert_eq!(case.hold(), 200);
    assert!(invites(&case.pass(179_000)).is_empty());
    let rung = invites(&case.pass(1_000)).pop().expect("the phone rings again");
    assert_eq!(rung.raw_uri, "sip:8@10.0.0.3");
    assert_eq!(case.switch.facts.iter().filter(|f| matches!(f.what, What::HolderRung { attempt: 2, .. })).count(), 1);
    (case, rung)
}

fn talks(case: &Case) -> bool {
    matches!(case.switch.gateway.agents().state(&"8".into()), Some(State::Talking { .. }))
}

fn cancelled(sent: &[Message], rung: &Request) -> bool {
    requests(sent.to_vec()).iter().any(|r| r.method == Method::CANCEL && r.raw_uri == rung.raw_uri)
}

fn ends(case: &Case) -> Vec<Option<RingEnd>> {
    case.record().attempts.iter().map(|attempt| attempt.end).collect()
}

#[test]
fn whoever_answers_goes_on_with_the_caller_and_is_not_free_before_the_end() {
    let (mut case, rung) = held();
    case.switch.tell(PHONE, &status(&rung, 180).replace("180 X", "180 Ringing"));
    case.pass(2_000);
    let sent = case.switch.tell(PHONE, &ok(&rung, SDP).replace(";tag=phone", ";tag=again"));
    assert_eq!(byes(&sent).len(), 1, "the session that held is over");
    case.confirm(sent);
    assert!(talks(&case));
    case.pass(10_000);
    case.caller_leaves();
    let record = case.record();
    assert_eq!((record.hold_ms, record.holds, record.talk_ms), (Some(182_000), 1, Some(15_000)));
    let parts: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.from_ms, s.to_ms, s.talk_ms)).collect();
    let second = ("8", Some(187_000), Some(197_000), Some(10_000));
    assert_eq!(parts, [("8", Some(0), Some(187_000), Some(5_000)), second]);
    assert_eq!(ends(&case), [Some(RingEnd::Answered); 2]);
    assert_eq!(record.reason.map(|reason| reason.to_string()), Some("caller_hung_up".to_owned()));
}

#[test]
fn whoever_takes_the_held_call_back_is_rung_no_more() {
    let (mut case, rung) = held();
    case.switch.tell(PHONE, &status(&rung, 180).replace("180 X", "180 Ringing"));
    assert_eq!(case.resume(), 200);
    assert!(case.switch.sent.iter().any(|(_, m)| cancelled(std::slice::from_ref(m), &rung)), "CANCEL");
    case.switch.tell(PHONE, &status(&rung, 487));
    assert!(talks(&case), "the end of the ring frees nobody who talks");
    assert!(invites(&case.pass(400_000)).is_empty());
    case.caller_leaves();
    assert_eq!(ends(&case), [Some(RingEnd::Answered), Some(RingEnd::LostRace)]);
    assert_eq!(case.record().segments.len(), 1);
}

#[test]
fn a_phone_that_takes_no_second_call_is_tried_again_and_a_caller_who_leaves_stops_it() {
    let (mut case, rung) = held();
    case.switch.tell(PHONE, &status(&rung, 486));
    assert!(talks(&case));
    let again = invites(&case.pass(180_000)).pop().expect("the next ring");
    case.switch.tell(PHONE, &status(&again, 180).replace("180 X", "180 Ringing"));
    let sent = case.switch.tell(TRUNK, &theirs("BYE", 2, &case.tag.clone(), ""));
    assert!(cancelled(&sent, &again));
    case.confirm(sent);
    case.switch.tell(PHONE, &status(&again, 487));
    case.rest();
    assert_eq!(ends(&case), [Some(RingEnd::Answered), Some(RingEnd::Busy), Some(RingEnd::CallerLeft)]);
    assert_eq!(case.record().hold_ms, Some(360_000));
}
