//! An agent's phone hands the caller on, in virtual time: what everybody is sent, and what the record says of it.

use std::time::Duration;

use super::record::TargetSegment;
use super::{Outcome, Record};
use crate::call::fact::{RefusedTransfer, RingResult, What};
use crate::call::reason::Reason;
use crate::dialplan::plan::Plans;
use crate::gateway::tests::*;
use crate::gateway::{CallTarget, Phone, Settings};
use crate::protocol::sip::endpoint::Transport;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Message, Request};
use crate::protocol::sip::uri::Uri;
use crate::protocol::sip::vocabulary::Method;

const NINE: &str = "10.0.0.4:5060";

/// A call that agent 8 has, with the dialog of 8's phone.
pub(super) struct Case {
    pub(super) switch: Switch,
    /// Our INVITE to 8.
    pub(super) eight: Request,
    /// As it stands in To of the trunk's requests.
    pub(super) tag: String,
    seq: u32,
}

/// What 8's phone is told.
#[derive(Debug, Default, PartialEq)]
struct Told {
    /// Status of the answer to its request.
    status: Option<u16>,
    /// Each report and its state.
    reports: Vec<(String, String)>,
}

pub(super) fn settings_of_two() -> Settings {
    let mut all = settings();
    let uri = Uri::parse("sip:9@10.0.0.4").unwrap();
    all.phones.push(Phone { agent: "9".into(), uri, transport: Transport::Udp, address: NINE.parse().unwrap() });
    all.trunks[0].server = Uri::parse("sip:10.0.0.2");
    all.targets.push(CallTarget {
        name: "duty".into(),
        trunk: "carrier".into(),
        number: "13900000001".into(),
        keys: [].into(),
    });
    all
}

impl Case {
    pub(super) fn new() -> Case {
        Case::with(settings_of_two(), plans())
    }

    pub(super) fn with(settings: Settings, plans: Plans) -> Case {
        let mut switch = Switch::with(settings, plans);
        let (eight, answer) = switch.answered(SDP);
        let tag = tag(&answer);
        switch.tell(TRUNK, &theirs("ACK", 1, &tag, ""));
        Case { switch, eight, tag, seq: 0 }
    }

    pub(super) fn pass(&mut self, ms: u64) -> Vec<Message> {
        self.switch.pass(Duration::from_millis(ms))
    }

    /// A request of 8's phone within its dialog.
    fn eight_says(&mut self, method: &str, more: &str) -> Vec<Message> {
        self.seq += 1;
        let text = within(&self.eight, PHONE, method, self.seq, more);
        self.switch.tell(PHONE, &text)
    }

    /// The status of the answer.
    pub(super) fn hold(&mut self) -> u16 {
        self.reinvite(&format!("{SDP}a=sendonly\n"))
    }

    pub(super) fn resume(&mut self) -> u16 {
        self.reinvite(SDP)
    }

    fn reinvite(&mut self, body: &str) -> u16 {
        let sent = self.eight_says("INVITE", &typed(body));
        let ack = within(&self.eight, PHONE, "ACK", self.seq, "");
        self.switch.tell(PHONE, &if status_of(&sent) == 200 { ack } else { ack.replace("bKACK", "bKINVITE") });
        status_of(&sent)
    }

    pub(super) fn refer(&mut self, to: &str) -> Vec<Message> {
        self.eight_says("REFER", &format!("Refer-To: {to}\n\n"))
    }

    pub(super) fn record(&self) -> Record {
        Record::from_facts(&self.switch.facts).unwrap()
    }

    fn failed(&self) -> Option<(RingResult, Option<u16>)> {
        self.switch.facts.iter().find_map(|f| match f.what {
            What::TransferFailed { result, status, .. } => Some((result, status)),
            _ => None,
        })
    }

    /// The caller hangs up, everybody confirms, and nothing is left.
    pub(super) fn caller_leaves(&mut self) {
        let sent = self.switch.tell(TRUNK, &theirs("BYE", 2, &self.tag.clone(), ""));
        self.confirm(sent);
        self.rest();
    }

    /// 200 to all requests of ours, whoever got them.
    pub(super) fn confirm(&mut self, sent: Vec<Message>) {
        for request in requests(sent) {
            if request.method != Method::ACK {
                let sent = self.switch.tell(PHONE, &ok(&request, ""));
                assert!(requests(sent).is_empty());
            }
        }
    }

    pub(super) fn rest(&mut self) {
        self.pass(200_000);
        let switch = &self.switch.gateway;
        let free = switch.agents().available();
        assert_eq!((switch.live_calls(), switch.sessions(), free), (0, 0, 2));
    }
}

fn status_of(sent: &[Message]) -> u16 {
    let mut all = sent.iter().rev().filter_map(|m| match m {
        Message::Response(r) => Some(r.status),
        Message::Request(_) => None,
    });
    all.next().unwrap_or_default()
}

/// A request within the dialog that this INVITE of ours has made.
pub(super) fn within(invite: &Request, from: &str, method: &str, seq: u32, more: &str) -> String {
    let field = |name: Name| invite.headers.text(&name).unwrap().to_owned();
    let ip = from.split(':').next().unwrap();
    let rest = if more.is_empty() { "\n" } else { more };
    format!(
        "{method} sip:x@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {ip};branch=z9hG4bK{method}{seq}{ip}\nFrom: {};tag=phone\nTo: {}\nCall-ID: {}\nCSeq: {seq} {method}\nContact: <sip:p@{ip}>\n{rest}",
        field(Name::TO),
        field(Name::FROM),
        field(Name::CALL_ID),
    )
}

fn told(sent: &[Message]) -> Told {
    let mut told = Told::default();
    for message in sent {
        match message {
            Message::Response(r) if r.cseq().is_some_and(|(_, m)| m == Method::REFER) => told.status = Some(r.status),
            Message::Request(r) if r.method == Method::NOTIFY => {
                assert_eq!(r.headers.text(&Name::CONTENT_TYPE), Some("message/sipfrag;version=2.0"));
                assert!(r.headers.text(&Name::EVENT).unwrap().starts_with("refer"));
                let body = String::from_utf8(r.body.clone()).unwrap().trim_end().to_owned();
                let state = r.headers.text(&Name::SUBSCRIPTION_STATE).unwrap();
                told.reports.push((body, state.split(';').next().unwrap().to_owned()));
            }
            _ => {}
        }
    }
    told
}

fn reports(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(line, state)| ((*line).to_owned(), (*state).to_owned())).collect()
}

pub(super) fn invites(sent: &[Message]) -> Vec<Request> {
    requests(sent.to_vec()).into_iter().filter(|r| r.method == Method::INVITE).collect()
}

pub(super) fn status(request: &Request, status: u16) -> String {
    ok(request, "").replacen("SIP/2.0 200 OK", &format!("SIP/2.0 {status} X"), 1)
}

pub(super) fn byes(sent: &[Message]) -> Vec<String> {
    let all = requests(sent.to_vec()).into_iter().filter(|r| r.method == Method::BYE);
    all.map(|r| r.raw_uri).collect()
}

#[test]
fn a_blind_transfer_gives_the_caller_to_the_other_agent() {
    let mut case = Case::new();
    case.pass(10_000);
    let sent = case.refer("<sip:9@10.0.0.1>");
    let trying = reports(&[("SIP/2.0 100 Trying", "active")]);
    assert_eq!(told(&sent), Told { status: Some(202), reports: trying });
    let nine = invites(&sent).remove(0);
    assert_eq!(nine.raw_uri, "sip:9@10.0.0.4");
    case.confirm(sent.into_iter().filter(|m| matches!(m, Message::Request(r) if r.method == Method::NOTIFY)).collect());
    let sent = case.switch.tell(NINE, &status(&nine, 180));
    assert_eq!(told(&sent).reports, reports(&[("SIP/2.0 180 Ringing", "active")]));
    case.pass(4_000);
    let sent = case.switch.tell(NINE, &ok(&nine, SDP));
    assert_eq!(told(&sent).reports, reports(&[("SIP/2.0 200 OK", "terminated")]));
    assert_eq!(byes(&sent), ["sip:8@10.0.0.3"]);
    case.confirm(sent);
    case.pass(20_000);
    case.caller_leaves();
    let record = case.record();
    let segments: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.talk_ms, s.hold_ms)).collect();
    assert_eq!(segments, [("8", Some(10_000), Some(4_000)), ("9", Some(20_000), Some(0))]);
    assert_eq!((record.outcome, record.agent), (Some(Outcome::Answered), Some("8".into())));
    assert_eq!((record.talk_ms, record.hold_ms), (Some(30_000), Some(4_000)));
    assert_eq!(case.switch.facts(|w| matches!(w, What::RecordingStarted { .. })), 1);
}

#[test]
fn a_transfer_to_a_target_goes_through_its_trunk_and_stays_answered() {
    ["<sip:duty@10.0.0.1>", "<tel:139-0000-0001>", "<sip:13900000001@anywhere.example>"]
        .iter()
        .for_each(|to| to_duty(to));
}

fn to_duty(to: &str) {
    let mut case = Case::new();
    case.pass(5_000);
    let sent = case.refer(to);
    let duty = invites(&sent).remove(0);
    assert_eq!(duty.raw_uri, "sip:13900000001@10.0.0.2");
    let sent = case.switch.tell(TRUNK, &ok(&duty, SDP));
    assert_eq!(byes(&sent), ["sip:8@10.0.0.3"]);
    case.confirm(sent);
    case.pass(7_000);
    case.caller_leaves();
    let record = case.record();
    let segments: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.talk_ms)).collect();
    assert_eq!(segments, [("8", Some(5_000))]);
    let part = TargetSegment {
        target: "duty".into(),
        from_ms: Some(5_000),
        to_ms: Some(12_000),
        talk_ms: Some(7_000),
        hold_ms: Some(0),
    };
    assert_eq!(record.target_segments, [part], "what the target had");
    assert_eq!((record.outcome, record.target), (Some(Outcome::Answered), None));
    assert_eq!(record.talk_ms, Some(12_000));
}

#[test]
fn a_busy_or_silent_phone_gives_the_caller_back() {
    for (answer, line, how) in [
        (Some(486), "SIP/2.0 486 Busy Here", (RingResult::Busy, Some(486))),
        (Some(603), "SIP/2.0 603 Decline", (RingResult::Declined, Some(603))),
        (Some(180), "SIP/2.0 480 Temporarily Unavailable", (RingResult::NoAnswer, None)),
        (None, "SIP/2.0 480 Temporarily Unavailable", (RingResult::Unreachable, None)),
    ] {
        let mut case = Case::new();
        let sent = case.refer("<sip:9@10.0.0.1>");
        let nine = invites(&sent).remove(0);
        let mut sent = answer.map(|code| case.switch.tell(NINE, &status(&nine, code))).unwrap_or_default();
        sent.extend(case.pass(20_000));
        assert_eq!(told(&sent).reports.last(), reports(&[(line, "terminated")]).last());
        assert_eq!((case.failed(), byes(&sent).len()), (Some(how), 0));
        if answer.is_none_or(|code| code < 200) {
            // The CANCEL is answered at last.
            case.switch.tell(NINE, &status(&nine, 487));
        }
        case.pass(1_000);
        case.caller_leaves();
        let record = case.record();
        assert_eq!((record.segments.len(), record.outcome), (1, Some(Outcome::Answered)));
        assert_eq!(record.reason, Some(Reason::CallerHungUp));
    }
}

#[test]
fn an_agent_who_is_in_a_call_is_not_rung() {
    let mut case = Case::new();
    let sent = case.refer("<sip:8@10.0.0.1>");
    assert_eq!(told(&sent).reports.last().unwrap().0, "SIP/2.0 486 Busy Here");
    assert!(invites(&sent).is_empty());
    assert_eq!(case.failed(), Some((RingResult::Busy, None)));
    case.caller_leaves();
}

#[test]
fn whoever_is_not_listed_is_not_called() {
    let mut case = Case::new();
    let elsewhere = ["<sip:0085212345678@10.0.0.1>", "<sip:10@10.0.0.1>", "<sip:10.0.0.66>", "<tel:+8613800000000>"];
    for to in elsewhere {
        let sent = case.refer(to);
        assert_eq!(told(&sent), Told { status: Some(403), reports: Vec::new() }, "{to}");
        assert!(requests(sent).is_empty());
    }
    let refused = |w: &What| matches!(w, What::TransferRefused { why: RefusedTransfer::NotListed, .. });
    assert_eq!(case.switch.facts(refused), elsewhere.len());
    let refer = theirs("REFER", 2, &case.tag, "").replacen("\n\n", "\nRefer-To: <sip:9@10.0.0.1>\n\n", 1);
    let sent = case.switch.tell(TRUNK, &refer);
    assert_eq!(told(&sent).status, Some(403));
    assert_eq!(case.switch.facts(|w| matches!(w, What::TransferRefused { why: RefusedTransfer::FromTrunk, .. })), 1);
    let sent = case.switch.tell(TRUNK, &theirs("BYE", 3, &case.tag.clone(), ""));
    case.confirm(sent);
    case.rest();
}

#[test]
fn a_refer_that_cannot_be_read_or_comes_twice() {
    let mut case = Case::new();
    assert_eq!(told(&case.eight_says("REFER", "")).status, Some(400));
    let sent = case.refer("<sip:9@10.0.0.1>");
    let nine = invites(&sent).remove(0);
    assert_eq!(told(&case.refer("<sip:duty@10.0.0.1>")).status, Some(491));
    let sent = case.switch.tell(NINE, &ok(&nine, SDP));
    case.confirm(sent);
    assert_eq!(case.switch.facts(|w| matches!(w, What::TransferStarted { .. })), 1);
    case.caller_leaves();
}

#[test]
fn without_a_subscription_there_are_no_reports() {
    let mut case = Case::new();
    let sent = case.eight_says("REFER", "Refer-To: <sip:9@10.0.0.1>\nRefer-Sub: false\nRequire: norefersub\n\n");
    assert_eq!(told(&sent), Told { status: Some(202), reports: Vec::new() });
    let nine = invites(&sent).remove(0);
    let sent = case.switch.tell(NINE, &ok(&nine, SDP));
    assert_eq!((told(&sent).reports.len(), byes(&sent).len()), (0, 1));
    case.confirm(sent);
    case.caller_leaves();
}

#[test]
fn the_caller_may_leave_meanwhile() {
    let mut case = Case::new();
    let sent = case.refer("<sip:9@10.0.0.1>");
    let nine = invites(&sent).remove(0);
    case.switch.tell(NINE, &status(&nine, 180));
    let sent = case.switch.tell(TRUNK, &theirs("BYE", 2, &case.tag.clone(), ""));
    assert_eq!(told(&sent).reports.last().unwrap().0, "SIP/2.0 487 Request Terminated");
    assert!(requests(sent.clone()).iter().any(|r| r.method == Method::CANCEL && r.raw_uri == "sip:9@10.0.0.4"));
    assert_eq!(byes(&sent), ["sip:8@10.0.0.3"]);
    case.switch.tell(NINE, &status(&nine, 487));
    case.confirm(sent);
    case.rest();
    let record = case.record();
    assert_eq!((record.outcome, record.reason), (Some(Outcome::Answered), Some(Reason::CallerHungUp)));
    assert_eq!(case.switch.facts(|w| matches!(w, What::AgentReleased { result: RingResult::CallerLeft, .. })), 1);
}

#[test]
fn the_agent_may_leave_at_once_and_the_caller_goes_on() {
    let mut case = Case::new();
    case.pass(10_000);
    let sent = case.refer("<sip:9@10.0.0.1>");
    let nine = invites(&sent).remove(0);
    case.pass(1_000);
    case.eight_says("BYE", "");
    assert_eq!(case.switch.gateway.agents().available(), 1, "8 is free for the next caller");
    case.pass(2_000);
    let sent = case.switch.tell(NINE, &ok(&nine, SDP));
    assert!(byes(&sent).is_empty());
    case.pass(5_000);
    case.caller_leaves();
    let record = case.record();
    let segments: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.talk_ms, s.hold_ms)).collect();
    assert_eq!(segments, [("8", Some(10_000), Some(1_000)), ("9", Some(5_000), Some(0))]);
    assert_eq!((record.talk_ms, record.hold_ms), (Some(15_000), Some(3_000)));
}

#[test]
fn a_call_that_nobody_has_any_more_ends_with_a_reason_of_its_own() {
    let mut case = Case::new();
    let sent = case.refer("<sip:9@10.0.0.1>");
    let nine = invites(&sent).remove(0);
    case.eight_says("BYE", "");
    let sent = case.switch.tell(NINE, &status(&nine, 486));
    assert_eq!(byes(&sent), ["sip:trunk@10.0.0.2"]);
    case.confirm(sent);
    case.rest();
    let record = case.record();
    assert_eq!((record.outcome, record.reason), (Some(Outcome::Answered), Some(Reason::TransferFailed)));
    assert_eq!(record.segments.len(), 1);
}

#[test]
fn farewells_that_cross_harm_nobody() {
    let mut case = Case::new();
    let sent = case.refer("<sip:9@10.0.0.1>");
    let nine = invites(&sent).remove(0);
    let sent = case.switch.tell(NINE, &ok(&nine, SDP));
    assert_eq!(byes(&sent), ["sip:8@10.0.0.3"]);
    case.eight_says("BYE", "");
    // Its phone has forgotten the dialog: neither our BYE nor our report is known there.
    for request in requests(sent) {
        if request.method != Method::ACK {
            case.switch.tell(PHONE, &status(&request, 481));
        }
    }
    assert_eq!(case.switch.facts(|w| matches!(w, What::Ended { .. })), 0);
    case.caller_leaves();
}

#[test]
fn a_hold_of_the_one_who_hands_on_ends_with_the_transfer() {
    let mut case = Case::new();
    case.pass(3_000);
    case.hold();
    case.pass(2_000);
    let sent = case.refer("<sip:9@10.0.0.1>");
    let nine = invites(&sent).remove(0);
    case.pass(1_000);
    let sent = case.switch.tell(NINE, &ok(&nine, SDP));
    case.confirm(sent);
    case.pass(4_000);
    case.caller_leaves();
    let record = case.record();
    let segments: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.talk_ms, s.hold_ms)).collect();
    assert_eq!(segments, [("8", Some(3_000), Some(3_000)), ("9", Some(4_000), Some(0))]);
    assert_eq!(record.holds, 1);
}

/// A request of 8's phone in a call that it makes itself.
pub(super) fn consulting(method: &str, seq: u32, to: &str, tag: &str, body: &str) -> String {
    format!(
        "{method} sip:{to}@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.3;branch=z9hG4bKconsult{method}{seq}\nFrom: <sip:8@10.0.0.1>;tag=e\nTo: <sip:{to}@10.0.0.1>{tag}\nCall-ID: consult\nCSeq: {seq} {method}\nContact: <sip:8@10.0.0.3>\n{}",
        typed(body)
    )
}

/// 8 calls somebody who answers: our INVITE there, and our tag toward 8.
pub(super) fn consult(switch: &mut Switch, to: &str, there: &str) -> (Request, String) {
    let invite = invites(&switch.tell(PHONE, &consulting("INVITE", 1, to, "", SDP))).remove(0);
    let sent = switch.tell(there, &ok(&invite, SDP));
    let answer = sent.iter().find_map(|m| match m {
        Message::Response(r) if r.status == 200 => r.to_tag(),
        _ => None,
    });
    let tag = answer.expect("200 to the phone that calls");
    switch.tell(PHONE, &consulting("ACK", 1, to, &format!(";tag={tag}"), ""));
    (invite, tag)
}

fn refer_to_consulted(to: &str, tag: &str) -> String {
    format!("<sip:{to}@10.0.0.1?Replaces=consult%3Bto-tag%3D{tag}%3Bfrom-tag%3De>")
}

#[test]
fn agents_call_each_other_and_are_not_rung_meanwhile() {
    let mut switch = Switch::with(settings_of_two(), plans());
    let (nine, tag) = consult(&mut switch, "9", NINE);
    assert_eq!(nine.raw_uri, "sip:9@10.0.0.4");
    let from = nine.headers.text(&Name::FROM).unwrap();
    assert!(from.starts_with("<sip:8@"), "{from}");
    assert_eq!(switch.gateway.agents().available(), 0);
    let sent = switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP));
    assert!(invites(&sent).is_empty(), "8 is in a call");
    let sent = switch.tell(PHONE, &consulting("BYE", 2, "9", &format!(";tag={tag}"), ""));
    assert_eq!(byes(&sent), ["sip:8@10.0.0.3"], "the Contact of the one who was called");
    for bye in requests(sent) {
        switch.tell(NINE, &ok(&bye, ""));
    }
    switch.tell(TRUNK, &theirs("ACK", 1, ";tag=x", ""));
    switch.pass(Duration::from_secs(200));
    assert_eq!((switch.gateway.live_calls(), switch.gateway.agents().available()), (0, 2));
    let calls: std::collections::BTreeSet<_> = switch.facts.iter().map(|f| f.call).collect();
    assert_eq!(calls.len(), 1, "the trunk's alone");
}

#[test]
fn an_agents_phone_calls_nobody_else() {
    let mut switch = Switch::with(settings_of_two(), plans());
    for (seq, to) in (1..).zip(["400", "0085212345678", "10", "trunk"]) {
        let sent = switch.tell(PHONE, &consulting("INVITE", seq, to, "", SDP));
        assert!(matches!(sent.last(), Some(Message::Response(r)) if r.status == 403), "{to}");
        assert!(requests(sent).is_empty());
        switch.tell(PHONE, &consulting("ACK", seq, to, "", ""));
    }
}

#[test]
fn a_busy_colleague_is_busy() {
    let mut case = Case::new();
    let sent = case.switch.tell(NINE, &consulting("INVITE", 1, "8", "", SDP).replace("10.0.0.3", "10.0.0.4"));
    assert!(matches!(sent.last(), Some(Message::Response(r)) if r.status == 486), "{sent:?}");
    case.switch.pass(Duration::from_secs(40));
    case.caller_leaves();
}

#[test]
fn an_attended_transfer_joins_the_caller_to_the_one_who_was_consulted() {
    let mut case = Case::new();
    case.pass(5_000);
    case.hold();
    let (nine, tag) = consult(&mut case.switch, "9", NINE);
    case.pass(3_000);
    let sent = case.refer(&refer_to_consulted("9", &tag));
    assert_eq!(told(&sent).status, Some(202));
    // The far end is told to send elsewhere, within its dialog, and the consultation is over for 8.
    let moved = invites(&sent).remove(0);
    assert_eq!(moved.headers.text(&Name::CALL_ID), nine.headers.text(&Name::CALL_ID));
    assert_eq!(byes(&sent), ["sip:8@10.0.0.3"]);
    let port = |request: &Request| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        body.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next().map(str::to_owned))
    };
    assert_ne!(port(&moved), port(&nine));
    case.confirm(sent.into_iter().filter(|m| matches!(m, Message::Request(r) if r.method != Method::INVITE)).collect());
    let answer = ok(&moved, SDP).replacen(";tag=phone;tag=phone", ";tag=phone", 1);
    let sent = case.switch.tell(NINE, &answer);
    assert_eq!(told(&sent).reports, reports(&[("SIP/2.0 200 OK", "terminated")]));
    assert_eq!(byes(&sent), ["sip:p@10.0.0.3"], "where its re-INVITE came from");
    case.confirm(sent);
    case.pass(10_000);
    assert_eq!(case.switch.gateway.agents().available(), 1, "8 is free, 9 has the caller");
    case.caller_leaves();
    let record = case.record();
    let segments: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.talk_ms, s.hold_ms)).collect();
    assert_eq!(segments, [("8", Some(5_000), Some(3_000)), ("9", Some(10_000), Some(0))]);
    assert_eq!((record.outcome, record.agent), (Some(Outcome::Answered), Some("8".into())));
    let consultation = Record::from_facts(&case.switch.agents_calls).unwrap();
    assert_eq!((consultation.reason, consultation.talk_ms), (Some(Reason::MovedOver), Some(3_000)));
}

#[test]
fn an_attended_transfer_to_a_target_keeps_its_place_on_the_trunk() {
    let mut case = Case::new();
    let (duty, tag) = consult(&mut case.switch, "duty", TRUNK);
    assert_eq!(duty.raw_uri, "sip:13900000001@10.0.0.2");
    let sent = case.refer(&refer_to_consulted("duty", &tag));
    let moved = invites(&sent).remove(0);
    case.confirm(sent.into_iter().filter(|m| matches!(m, Message::Request(r) if r.method != Method::INVITE)).collect());
    let sent = case.switch.tell(TRUNK, &ok(&moved, SDP).replacen(";tag=phone;tag=phone", ";tag=phone", 1));
    assert_eq!(told(&sent).reports.len(), 1);
    case.confirm(sent);
    assert_eq!(case.switch.gateway.agents().available(), 2);
    // The target hangs up: that ends the caller's call.
    let text = within(&duty, TRUNK, "BYE", 1, "");
    let sent = case.switch.tell(TRUNK, &text);
    assert_eq!(byes(&sent), ["sip:trunk@10.0.0.2"]);
    case.confirm(sent);
    case.rest();
    assert_eq!(case.record().reason, Some(Reason::TargetHungUp));
    assert_eq!(case.record().outcome, Some(Outcome::Answered));
}

#[test]
fn one_who_does_not_move_leaves_the_caller_where_it_was() {
    let mut case = Case::new();
    let (_, tag) = consult(&mut case.switch, "9", NINE);
    let sent = case.refer(&refer_to_consulted("9", &tag));
    let moved = invites(&sent).remove(0);
    case.confirm(sent.into_iter().filter(|m| matches!(m, Message::Request(r) if r.method != Method::INVITE)).collect());
    let refusal = status(&moved, 488).replacen(";tag=phone;tag=phone", ";tag=phone", 1);
    let sent = case.switch.tell(NINE, &refusal);
    assert_eq!(told(&sent).reports.last().unwrap().0, "SIP/2.0 488 Not Acceptable Here");
    assert_eq!(case.failed(), Some((RingResult::Unreachable, Some(488))));
    case.confirm(sent);
    case.caller_leaves();
    assert_eq!(case.record().segments.len(), 1);
}

#[test]
fn only_an_own_consultation_is_joined() {
    let mut case = Case::new();
    let invite = invites(&case.switch.tell(PHONE, &consulting("INVITE", 1, "9", "", SDP))).remove(0);
    for tag in ["x", "phone"] {
        assert_eq!(told(&case.refer(&refer_to_consulted("9", tag))).status, Some(403));
    }
    let refused = |w: &What| matches!(w, What::TransferRefused { why: RefusedTransfer::NoConsultation, .. });
    assert_eq!(case.switch.facts(refused), 2);
    case.switch.tell(NINE, &status(&invite, 486));
    case.switch.tell(PHONE, &consulting("ACK", 1, "9", "", ""));
    case.caller_leaves();
}

/// 8, who has the caller, calls a colleague whose phone rings: our INVITE there, and our tag toward 8.
fn ring(case: &mut Case, to: &str, there: &str) -> (Request, String) {
    let invite = invites(&case.switch.tell(PHONE, &consulting("INVITE", 1, to, "", SDP))).remove(0);
    let sent = case.switch.tell(there, &status(&invite, 180));
    let ringing = sent.iter().find_map(|m| match m {
        Message::Response(r) if r.status == 180 => r.to_tag(),
        _ => None,
    });
    (invite, ringing.expect("180 to the phone that calls"))
}

fn final_status(sent: &[Message], method: &Method) -> Option<u16> {
    sent.iter().find_map(|m| match m {
        Message::Response(r) if r.status >= 200 && r.cseq().is_some_and(|(_, m)| m == *method) => Some(r.status),
        _ => None,
    })
}

#[test]
fn a_consultation_that_still_rings_goes_on_ringing_for_the_caller() {
    let mut case = Case::new();
    case.pass(5_000);
    case.hold();
    let (nine, tag) = ring(&mut case, "9", NINE);
    case.pass(3_000);
    let sent = case.refer(&refer_to_consulted("9", &tag));
    let said = [("SIP/2.0 100 Trying", "active"), ("SIP/2.0 180 Ringing", "active")];
    assert_eq!(told(&sent), Told { status: Some(202), reports: reports(&said) });
    assert_eq!(final_status(&sent, &Method::INVITE), Some(487), "8 calls 9 no more");
    assert!(invites(&sent).is_empty() && byes(&sent).is_empty(), "9 rings on");
    case.switch.tell(PHONE, &consulting("ACK", 1, "9", &format!(";tag={tag}"), ""));
    case.confirm(sent.into_iter().filter(|m| matches!(m, Message::Request(r) if r.method == Method::NOTIFY)).collect());
    case.pass(2_000);
    assert_eq!(case.switch.gateway.agents().available(), 0);
    // 9 answers, and is told to send where the caller is.
    let sent = case.switch.tell(NINE, &ok(&nine, SDP));
    let moved = invites(&sent).remove(0);
    assert_eq!(moved.headers.text(&Name::CALL_ID), nine.headers.text(&Name::CALL_ID));
    assert_ne!(moved.body, nine.body);
    assert!(byes(&sent).is_empty() && told(&sent).reports.is_empty(), "not before 9 does: {sent:?}");
    let sent = case.switch.tell(NINE, &ok(&moved, SDP).replacen(";tag=phone;tag=phone", ";tag=phone", 1));
    assert_eq!(told(&sent).reports, reports(&[("SIP/2.0 200 OK", "terminated")]));
    assert_eq!(byes(&sent), ["sip:p@10.0.0.3"]);
    case.confirm(sent);
    case.pass(10_000);
    assert_eq!(case.switch.gateway.agents().available(), 1, "8 is free, 9 has the caller");
    case.caller_leaves();
    let record = case.record();
    let segments: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.talk_ms, s.hold_ms)).collect();
    assert_eq!(segments, [("8", Some(5_000), Some(5_000)), ("9", Some(10_000), Some(0))]);
    for what in [
        |w: &What| matches!(w, What::TransferStarted { attended: true, .. }),
        |w: &What| matches!(w, What::AgentInvited { attempt: 2, agent } if agent.as_str() == "9"),
        |w: &What| matches!(w, What::AgentAnswered { attempt: 2, .. }),
        |w: &What| matches!(w, What::TransferCompleted { attempt: 2, .. }),
    ] {
        assert_eq!(case.switch.facts(what), 1);
    }
}

#[test]
fn a_ringing_consultation_that_comes_to_nothing_gives_the_caller_back() {
    for (answer, line, how) in [
        (Some(486), "SIP/2.0 486 Busy Here", (RingResult::Busy, Some(486))),
        (None, "SIP/2.0 480 Temporarily Unavailable", (RingResult::NoAnswer, None)),
    ] {
        let mut case = Case::new();
        let (nine, tag) = ring(&mut case, "9", NINE);
        let sent = case.refer(&refer_to_consulted("9", &tag));
        assert_eq!(told(&sent).status, Some(202));
        case.switch.tell(PHONE, &consulting("ACK", 1, "9", &format!(";tag={tag}"), ""));
        let mut sent = answer.map(|code| case.switch.tell(NINE, &status(&nine, code))).unwrap_or_default();
        sent.extend(case.pass(20_000));
        assert_eq!(told(&sent).reports.last(), reports(&[(line, "terminated")]).last());
        assert_eq!((case.failed(), byes(&sent).len()), (Some(how), 0));
        if answer.is_none() {
            assert!(requests(sent).iter().any(|r| r.method == Method::CANCEL && r.raw_uri == "sip:9@10.0.0.4"));
            case.switch.tell(NINE, &status(&nine, 487));
        }
        assert_eq!(case.switch.gateway.agents().available(), 1, "9 is free");
        assert_eq!(case.switch.facts(|w| matches!(w, What::AgentReleased { attempt: 2, .. })), 1);
        case.caller_leaves();
        assert_eq!(case.record().segments.len(), 1);
    }
}

#[test]
fn a_ringing_target_is_joined_too_and_the_agent_may_leave_at_once() {
    let mut case = Case::new();
    let (duty, tag) = ring(&mut case, "duty", TRUNK);
    let sent = case.refer(&refer_to_consulted("duty", &tag));
    assert_eq!(told(&sent).status, Some(202));
    case.switch.tell(PHONE, &consulting("ACK", 1, "duty", &format!(";tag={tag}"), ""));
    // The phone thinks that it must end its call itself: nothing is left of it.
    let cancel = consulting("CANCEL", 1, "duty", "", "").replace("consultCANCEL1", "consultINVITE1");
    assert!(requests(case.switch.tell(PHONE, &cancel)).is_empty());
    case.eight_says("BYE", "");
    assert_eq!(case.switch.gateway.agents().available(), 2);
    let sent = case.switch.tell(TRUNK, &ok(&duty, SDP));
    let moved = invites(&sent).remove(0);
    case.switch.tell(TRUNK, &ok(&moved, SDP).replacen(";tag=phone;tag=phone", ";tag=phone", 1));
    assert_eq!(case.switch.facts(|w| matches!(w, What::TransferCompleted { .. })), 1);
    case.pass(4_000);
    case.caller_leaves();
    assert_eq!(case.record().outcome, Some(Outcome::Answered));
}

#[test]
fn an_agent_whose_caller_leaves_during_a_consultation_is_not_rung() {
    let mut case = Case::new();
    let (_, tag) = consult(&mut case.switch, "9", NINE);
    let sent = case.switch.tell(TRUNK, &theirs("BYE", 2, &case.tag.clone(), ""));
    case.confirm(sent);
    assert_eq!(case.switch.gateway.agents().available(), 0, "8 still talks with 9");
    let sent = case.switch.tell(PHONE, &consulting("BYE", 2, "9", &format!(";tag={tag}"), ""));
    assert_eq!(case.switch.gateway.agents().available(), 1);
    case.confirm(sent);
    case.rest();
}
