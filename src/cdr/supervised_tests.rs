//! A supervisor dials into an agent's talk, in virtual time: who gets in, what the media thread is told, and what the record says.

use std::time::Duration;

use super::feature_tests::{NINE, dialled};
use super::transfer_tests::{Case, within};
use super::{Supervised, scene};
use crate::call::agent::State;
use crate::call::fact::{BesideEnd, Supervision, What};
use crate::call::presence::{RefusedSupervision, What as Told};
use crate::gateway::Supervisor;
use crate::gateway::tests::*;
use crate::ids::{LegId, Side};
use crate::media::{Audible, Event};
use crate::peer::token::Token;
use crate::protocol::sip::message::{Message, Response};
use crate::protocol::sip::vocabulary::Method;

/// Agent 8 has a caller; 9 is a supervisor with the PIN 4711.
fn case() -> Case {
    let mut case = Case::new();
    case.switch.gateway.use_supervisors([("9".into(), Supervisor::of_all(Token::new("4711")))].into());
    case
}

/// The final response to what 9 dials.
fn dial(case: &mut Case, n: u32, code: &str) -> Response {
    let sent = case.switch.tell(NINE, &dialled("INVITE", n, "9", code, "", SDP));
    let response = sent.into_iter().find_map(|m| match m {
        Message::Response(r) if r.status >= 200 => Some(r),
        _ => None,
    });
    let response = response.expect("a final response");
    let ack = dialled("ACK", n, "9", code, &tag(&response), "");
    case.switch.tell(NINE, &if response.status == 200 { ack } else { ack.replace("bKcodeACK", "bKcodeINVITE") });
    response
}

fn leave(case: &mut Case, n: u32, code: &str, answer: &Response) {
    let bye = dialled("BYE", n, "9", code, &tag(answer), "").replace("CSeq: 1", "CSeq: 2");
    case.switch.tell(NINE, &bye);
}

/// The leg of the supervisor who came last.
fn leg(case: &Case) -> LegId {
    case.switch.legs.last().expect("a leg").1
}

fn press(case: &mut Case, key: char) {
    let (call, leg) = *case.switch.legs.last().expect("a leg");
    let (duration, at) = (Duration::from_millis(100), case.switch.now);
    let event = Event::Key { call, leg, key, duration, at };
    case.switch.gateway.handle(case.switch.now, crate::gateway::Input::Media(event));
    case.switch.settle();
}

fn ends(case: &Case) -> Vec<BesideEnd> {
    let why = |what: &What| match what {
        What::SupervisionEnded { why, .. } => Some(*why),
        _ => None,
    };
    case.switch.facts.iter().filter_map(|fact| why(&fact.what)).collect()
}

fn is_free(case: &Case, agent: &str) -> bool {
    case.switch.gateway.agents().state(&agent.into()) == Some(&State::Available)
}

#[test]
fn a_supervisor_listens_whispers_breaks_in_and_leaves() {
    let mut case = case();
    case.pass(5_000);
    let answer = dial(&mut case, 1, "*918*4711");
    assert_eq!(answer.status, 200);
    let own = leg(&case);
    assert_eq!(case.switch.admitted, [(own, Audible::Nobody)]);
    for (key, audible) in [('2', Audible::Agent), ('3', Audible::All), ('3', Audible::All), ('1', Audible::Nobody)] {
        case.pass(2_000);
        press(&mut case, key);
        assert_eq!(case.switch.admitted.last(), Some(&(own, audible)));
    }
    assert_eq!(case.switch.admitted.len(), 4, "the same key again changes nothing");
    assert!(!is_free(&case, "9") && !is_free(&case, "8"));
    case.pass(2_000);
    leave(&mut case, 1, "*918*4711", &answer);
    case.pass(1_000);
    assert!(is_free(&case, "9") && !is_free(&case, "8"), "the agent goes on");
    assert_eq!(ends(&case), [BesideEnd::Left]);
    case.caller_leaves();
    let record = case.record();
    let row = |mode, from_ms, to_ms| Supervised { by: "9".into(), mode, from_ms: Some(from_ms), to_ms: Some(to_ms) };
    let listened = [
        row(Supervision::Listen, 5_000, 7_000),
        row(Supervision::Whisper, 7_000, 9_000),
        row(Supervision::Barge, 9_000, 13_000),
        row(Supervision::Listen, 13_000, 15_000),
    ];
    assert_eq!(record.supervised, listened);
    assert_eq!((record.agent, record.segments.len(), record.hold_ms), (Some("8".into()), 1, Some(0)));
    assert_eq!(record.attempts.len(), 1, "nobody was rung");
    let played = scene(&case.switch.facts).expect("a scene").played;
    let spans: Vec<_> = played.iter().map(|span| (span.from_ms, span.to_ms)).collect();
    assert_eq!(spans, [(9_000, 13_000)], "what the agent's channel has of another voice");
    let ladder = case.switch.facts.iter().filter_map(|f| match &f.what {
        What::Signal(signal) => Some(signal.message.clone()),
        _ => None,
    });
    assert!(ladder.into_iter().all(|message| !message.contains("4711")), "the PIN is nowhere");
    assert_eq!(case.switch.facts(|w| matches!(w, What::Key { .. })), 0, "nor are the supervisor's keys");
}

#[test]
fn the_talk_ends_and_so_does_listening() {
    let mut case = case();
    let answer = dial(&mut case, 1, "*938*4711");
    assert_eq!((answer.status, case.switch.admitted.last().map(|a| a.1)), (200, Some(Audible::All)));
    let bye = theirs("BYE", 2, &case.tag.clone(), "");
    let sent = case.switch.tell(TRUNK, &bye);
    let to: Vec<_> = requests(sent.clone()).iter().map(|r| r.raw_uri.clone()).collect();
    assert_eq!(to.len(), 2, "the agent's phone and the supervisor's: {to:?}");
    assert_eq!(ends(&case), [BesideEnd::TalkOver]);
    let order: Vec<_> = case.switch.facts.iter().map(|f| &f.what).collect();
    let place = |wanted: fn(&What) -> bool| order.iter().position(|what| wanted(what)).expect("the fact");
    assert!(
        place(|w| matches!(w, What::SupervisionEnded { .. })) < place(|w| matches!(w, What::Ended { .. })),
        "while the call lived"
    );
    case.confirm(sent);
    case.rest();
}

#[test]
fn a_supervisor_hears_only_the_hotlines_that_are_named() {
    for (hotline, status) in [("elsewhere", 403), ("property", 200)] {
        let mut case = Case::new();
        let hotlines = Some([hotline.into()].into());
        let supervisor = Supervisor { pin: Token::new("4711"), hotlines };
        case.switch.gateway.use_supervisors([("9".into(), supervisor)].into());
        assert_eq!(dial(&mut case, 1, "*918*4711").status, status, "{hotline}");
        let refused = Told::SupervisionRefused { of: "8".into(), why: RefusedSupervision::OtherHotline };
        let told = case.switch.agent_facts.iter().any(|fact| fact.what == refused);
        assert_eq!(told, status == 403);
    }
}

#[test]
fn another_agent_gets_the_caller_and_nobody_listens_to_that() {
    let mut case = case();
    case.switch.gateway.use_supervisors([("9".into(), Supervisor::of_all(Token::new("4711")))].into());
    assert_eq!(dial(&mut case, 1, "*918*4711").status, 200);
    // To the target: the supervisor's own phone is not free.
    let rung = crate::cdr::transfer_tests::invites(&case.refer("<sip:duty@10.0.0.1>"));
    assert_eq!(ends(&case), [], "a caller who is being handed on is still the agent's");
    case.switch.tell(TRUNK, &ok(&rung[0], SDP));
    assert_eq!(ends(&case), [BesideEnd::TalkOver]);
}

#[test]
fn nobody_listens_without_the_pin_and_who_guesses_is_locked_out() {
    let mut case = case();
    case.pass(1_000);
    for n in 1..=5 {
        assert_eq!(dial(&mut case, n, "*918*1234").status, 403);
    }
    assert_eq!(dial(&mut case, 6, "*918*4711").status, 403, "the right PIN comes too late");
    case.pass(601_000);
    let refused = |why| Told::SupervisionRefused { of: "8".into(), why };
    let told: Vec<_> = case.switch.agent_facts.iter().map(|fact| fact.what.clone()).collect();
    assert_eq!(told[..5], vec![refused(RefusedSupervision::WrongPin); 5]);
    assert_eq!(told[5], refused(RefusedSupervision::LockedOut));
    assert_eq!(case.switch.wrong_pins, 6, "counted");
    assert_eq!(dial(&mut case, 7, "*918*4711").status, 200, "ten minutes later");
    // An agent is no supervisor by knowing a PIN.
    let sent = case.switch.tell(PHONE, &dialled("INVITE", 8, "8", "*918*4711", "", SDP));
    assert!(sent.iter().any(|m| matches!(m, Message::Response(r) if r.status == 403)));
    assert_eq!(case.switch.facts(|w| matches!(w, What::SupervisionStarted { .. })), 1);
}

#[test]
fn there_is_nothing_to_listen_to_without_a_talk() {
    let mut case = case();
    assert_eq!(dial(&mut case, 1, "*919*4711").status, 480, "9 has no caller");
    assert_eq!(dial(&mut case, 2, "*9177*4711").status, 480, "nobody has that number");
    assert_eq!(dial(&mut case, 3, "*918").status, 404, "no PIN");
    let sent = case.switch.tell(NINE, &dialled("INVITE", 4, "9", "*918*4711", "", ""));
    assert!(sent.iter().any(|m| matches!(m, Message::Response(r) if r.status == 488)), "no media");
    assert!(is_free(&case, "9"));
    assert_eq!(dial(&mut case, 5, "*918*4711").status, 200);
    assert_eq!(dial(&mut case, 6, "*918*4711").status, 486, "one ear for one talk");
    assert_eq!(case.switch.facts(|w| matches!(w, What::SupervisionStarted { .. })), 1);
}

#[test]
fn what_the_supervisor_does_is_not_what_the_agent_does() {
    let mut case = case();
    assert_eq!(dial(&mut case, 1, "*918*4711").status, 200);
    let (call, leg) = *case.switch.legs.last().expect("a leg");
    let at = case.switch.now;
    for event in [Event::FirstPacket { call, leg, at }, Event::Silent { call, leg, at }] {
        case.switch.gateway.handle(case.switch.now, crate::gateway::Input::Media(event));
        case.switch.settle();
    }
    press(&mut case, '*');
    press(&mut case, '6');
    press(&mut case, '5');
    let of_agent = |w: &What| {
        matches!(
            w,
            What::MediaArrived { .. } | What::MediaLost { .. } | What::MuteStarted | What::RecordingPaused { .. }
        )
    };
    assert_eq!(case.switch.facts.iter().filter(|f| of_agent(&f.what)).count(), 0);
    // Nothing comes from that phone any more: it alone is sent away.
    let sent = case.pass(11_000);
    assert_eq!(ends(&case), [BesideEnd::NoMedia]);
    let byes: Vec<_> = requests(sent).into_iter().filter(|r| r.method == Method::BYE).collect();
    assert!(!byes.is_empty() && byes.iter().all(|r| r.raw_uri.contains("10.0.0.4")), "{byes:?}");
    case.switch.tell(NINE, &ok(&byes[0], ""));
    assert!(is_free(&case, "9"));
    let text = within(&case.eight, PHONE, "BYE", 1, "\n");
    let sent = case.switch.tell(PHONE, &text);
    case.confirm(sent);
    assert_eq!(case.record().ended_by.map(|by| by.as_str()), Some(Side::Agent.as_str()));
    case.rest();
}
