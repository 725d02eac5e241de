//! Callers who are called back, in virtual time: the agent's phone first, then the caller's; a call of its own kind.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{CallbackEnd, Record};
use crate::call::fact::{RingResult, What};
use crate::call::reason::Reason;
use crate::clock::Wall;
use crate::dialplan::after::{Callback, Survey};
use crate::dialplan::hours::{Span, Week};
use crate::dialplan::plan::{Hotline, Prompt};
use crate::gateway::tests::{PHONE, SDP, Switch, TRUNK, ok, plans, requests, settings};
use crate::gateway::{CallBack, Input, NotCalled, Settings, Trunk};
use crate::ids::{CallId, Random, Side};
use crate::media;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Message, Request};
use crate::protocol::sip::uri::Uri;

pub(super) const CARRIER: &str = "10.0.0.9:5060";
const NUMBER: &str = "13912345678";

/// Agent 8 serves the hotline 400, which calls people back at any hour.
fn switch() -> Switch {
    surveying(None)
}

fn surveying(survey: Option<Survey>) -> Switch {
    let mut plans = plans();
    let mut hotline = Hotline::clone(&plans.hotlines[0]);
    let hours = Week(vec![Span::parse("daily 00:00-24:00").unwrap()]);
    hotline.after.survey = survey;
    hotline.after.callback = Some(Callback { within: Duration::from_secs(1_800), attempts: 3, hours, abroad: false });
    let hotline = Arc::new(hotline);
    plans.by_number.insert("400".into(), Arc::clone(&hotline));
    plans.hotlines = vec![hotline];
    let mut switch = Switch::with(Settings { trunks: vec![carrier()], ..settings() }, plans);
    switch.pass(Duration::from_millis(1));
    switch
}

pub(super) fn carrier() -> Trunk {
    Trunk { server: Uri::parse("sip:10.0.0.9"), ..Trunk::of_peers("carrier", vec![TRUNK.parse().unwrap()]) }
}

fn entry() -> CallId {
    CallId::new(Wall::from_micros(0), &mut Random::from_number(77))
}

fn order(switch: &mut Switch) -> Result<(), NotCalled> {
    let order = CallBack {
        entry: entry(),
        agent: "8".into(),
        by: "console:zhang".into(),
        hotline: "property".into(),
        trunk: "carrier".into(),
        number: NUMBER.into(),
    };
    switch.gateway.handle(switch.now, Input::CallBack { ticket: 1, order });
    switch.settle();
    switch.calling_back.pop().expect("an answer")
}

/// Requests of this method that went there since the last look.
pub(super) fn went(switch: &mut Switch, to: &str, method: &str) -> Vec<Request> {
    let to: SocketAddr = to.parse().unwrap();
    let wanted = |(at, message): &(SocketAddr, Message)| {
        *at == to && matches!(message, Message::Request(r) if r.method.to_string() == method)
    };
    let (found, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut switch.sent).into_iter().partition(wanted);
    switch.sent = rest;
    requests(found.into_iter().map(|(_, message)| message).collect())
}

pub(super) fn answer(request: &Request, status: u16) -> String {
    let text = ok(request, "");
    text.replacen("200 OK", &format!("{status} X"), 1)
}

/// A request of whoever was invited by this, within the dialog.
pub(super) fn bye(invite: &Request, host: &str) -> String {
    let field = |name: Name| invite.headers.text(&name).unwrap().to_owned();
    format!(
        "BYE sip:x@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {host};branch=z9hG4bKb\nFrom: {};tag=phone\nTo: {}\nCall-ID: {}\nCSeq: 1 BYE\n\n",
        field(Name::TO),
        field(Name::FROM),
        field(Name::CALL_ID)
    )
}

/// The agent's phone is rung and answers; the INVITE to the caller.
fn calling(switch: &mut Switch) -> (Request, Request) {
    assert_eq!(order(switch), Ok(()));
    let ring = went(switch, PHONE, "INVITE").remove(0);
    assert!(went(switch, CARRIER, "INVITE").is_empty(), "nobody is called before the agent answers");
    switch.pass(Duration::from_secs(2));
    switch.tell(PHONE, &ok(&ring, SDP));
    let invite = went(switch, CARRIER, "INVITE").remove(0);
    (ring, invite)
}

fn record(switch: &mut Switch) -> Record {
    // Statistics and recording are nobody's here: the call is sealed without them.
    switch.pass(Duration::from_secs(300));
    assert_eq!((switch.gateway.live_calls(), switch.gateway.sessions(), switch.gateway.agents().taken()), (0, 0, 0));
    Record::from_facts(&switch.facts).expect("a call")
}

#[test]
fn a_caller_who_is_reached_has_a_talk_like_any_other_and_nobody_is_counted_as_waiting() {
    let mut switch = switch();
    let (ring, invite) = calling(&mut switch);
    assert_eq!(invite.raw_uri, format!("sip:{NUMBER}@10.0.0.9"));
    assert!(invite.headers.text(&Name::FROM).unwrap().contains("sip:400@"), "the hotline's own number");
    assert!(ring.headers.text(&Name::FROM).unwrap().contains(NUMBER), "the agent sees whom");
    switch.tell(CARRIER, &answer(&invite, 180));
    switch.pass(Duration::from_secs(4));
    assert!(switch.joined.is_empty() && switch.called_back.is_empty());
    switch.tell(CARRIER, &ok(&invite, SDP));
    assert_eq!(switch.called_back, [None]);
    let (agent, caller) = (switch.legs[0].1, switch.legs[1].1);
    assert_eq!(switch.joined, [(caller, agent, true)], "the caller is the caller on the recording too");
    switch.pass(Duration::from_secs(30));
    switch.tell(PHONE, &bye(&ring, "10.0.0.3"));
    // Its Contact is that of the test's phone.
    let parting = went(&mut switch, PHONE, "BYE").remove(0);
    switch.tell(CARRIER, &ok(&parting, ""));
    let record = record(&mut switch);
    let back = record.called_back.clone().expect("a callback");
    assert_eq!((back.entry, back.agent.as_str(), back.end), (entry(), "8", Some(CallbackEnd::Reached)));
    assert_eq!((record.talk_ms, record.segments.len()), (Some(30_000), 1), "the ring of two phones is no talk");
    assert_eq!(record.agent.as_ref().map(|agent| agent.as_str()), Some("8"));
    assert_eq!((record.rings, record.wait_ms, record.ring_to_answer_ms), (None, None, None));
    assert_eq!((record.answered_within_target, record.callback), (None, None));
    assert_eq!(record.reason, Some(Reason::AgentHungUp));
    assert_eq!(switch.numbers, [NUMBER]);
    assert!(record.recording.path.is_some());
    let told = switch.facts.iter().any(|fact| format!("{:?}", fact.what).contains(NUMBER));
    assert!(!told, "no fact holds the number");
}

#[test]
fn who_is_called_back_is_asked_too_when_the_agent_has_hung_up() {
    let question = Prompt { text: "?".to_owned(), files: Vec::new(), audio: media::beep().into() };
    let wait = Duration::from_secs(5);
    let mut switch = surveying(Some(Survey { questions: vec![question], thanks: None, wait, tries: 1, key: '0' }));
    let (ring, invite) = calling(&mut switch);
    switch.tell(CARRIER, &ok(&invite, SDP));
    switch.pass(Duration::from_secs(30));
    switch.tell(PHONE, &bye(&ring, "10.0.0.3"));
    assert!(went(&mut switch, PHONE, "BYE").is_empty(), "the caller, whose Contact is that of the test's phone, stays");
    let (call, leg, at) = (switch.facts[0].call, switch.legs[1].1, switch.now);
    let duration = Duration::from_millis(100);
    switch.gateway.handle(at, Input::Media(media::Event::Key { call, leg, key: '2', duration, at }));
    switch.settle();
    let parting = went(&mut switch, PHONE, "BYE").remove(0);
    switch.tell(CARRIER, &ok(&parting, ""));
    let record = record(&mut switch);
    assert_eq!(record.survey.as_ref().map(|survey| survey.grades.clone()), Some(vec![Some(2)]));
    assert_eq!((record.talk_ms, record.reason), (Some(30_000), Some(Reason::SurveyOver)), "the survey is no talk");
    assert_eq!(record.called_back.and_then(|back| back.end), Some(CallbackEnd::Reached));
}

#[test]
fn a_caller_who_is_not_reached_is_an_attempt_and_an_agent_who_is_not_there_is_none() {
    for (status, result, end) in [
        (486, RingResult::Busy, CallbackEnd::Busy),
        (404, RingResult::Unreachable, CallbackEnd::Unreachable),
        (603, RingResult::Declined, CallbackEnd::Busy),
    ] {
        let mut switch = switch();
        let (_, invite) = calling(&mut switch);
        switch.tell(CARRIER, &answer(&invite, status));
        let parting = went(&mut switch, PHONE, "BYE").remove(0);
        switch.tell(PHONE, &ok(&parting, ""));
        assert_eq!(switch.called_back, [Some(result)]);
        let record = record(&mut switch);
        assert_eq!(record.called_back.and_then(|back| back.end), Some(end));
        assert_eq!((record.reason, record.talk_ms), (Some(Reason::CallerNotReached), Some(0)));
    }
    let mut switch = switch();
    let (_, invite) = calling(&mut switch);
    switch.tell(CARRIER, &answer(&invite, 180));
    switch.pass(Duration::from_secs(61));
    let cancel = went(&mut switch, CARRIER, "CANCEL").remove(0);
    switch.tell(CARRIER, &ok(&cancel, ""));
    switch.tell(CARRIER, &answer(&invite, 487));
    assert_eq!(switch.called_back, [Some(RingResult::NoAnswer)]);
    assert_eq!(record(&mut switch).called_back.and_then(|back| back.end), Some(CallbackEnd::NoAnswer));
}

#[test]
fn an_agent_who_does_not_answer_or_gives_up_calls_nobody() {
    let mut silent = switch();
    assert_eq!(order(&mut silent), Ok(()));
    assert_eq!(order(&mut silent), Err(NotCalled::AgentBusy), "one call at a time");
    let ring = went(&mut silent, PHONE, "INVITE").remove(0);
    silent.pass(Duration::from_millis(100));
    silent.tell(PHONE, &answer(&ring, 180));
    silent.pass(Duration::from_secs(31));
    let cancel = went(&mut silent, PHONE, "CANCEL").remove(0);
    silent.tell(PHONE, &ok(&cancel, ""));
    silent.tell(PHONE, &answer(&ring, 487));
    assert!(went(&mut silent, CARRIER, "INVITE").is_empty() && silent.called_back.is_empty());
    let not_called = record(&mut silent);
    assert_eq!(not_called.called_back.and_then(|back| back.end), Some(CallbackEnd::NotCalled));
    assert_eq!(not_called.reason, Some(Reason::NoAnswer));

    let mut switch = switch();
    let (ring, invite) = calling(&mut switch);
    switch.tell(CARRIER, &answer(&invite, 180));
    switch.tell(PHONE, &bye(&ring, "10.0.0.3"));
    let cancel = went(&mut switch, CARRIER, "CANCEL").remove(0);
    switch.tell(CARRIER, &ok(&cancel, ""));
    switch.tell(CARRIER, &answer(&invite, 487));
    assert!(switch.called_back.is_empty(), "no attempt: the caller was not waited for");
    assert_eq!(record(&mut switch).called_back.and_then(|back| back.end), Some(CallbackEnd::NotCalled));
}

#[test]
fn who_hangs_up_a_callback_is_named_by_person_and_the_agent_may_hand_the_caller_on() {
    let mut switch = switch();
    let (_, invite) = calling(&mut switch);
    switch.tell(CARRIER, &ok(&invite, SDP));
    switch.pass(Duration::from_secs(5));
    switch.tell(CARRIER, &bye(&invite, "10.0.0.9"));
    let parting = went(&mut switch, PHONE, "BYE").remove(0);
    switch.tell(PHONE, &ok(&parting, ""));
    let record = record(&mut switch);
    assert_eq!(record.reason, Some(Reason::CallerHungUp));
    let arrived =
        |w: &What| matches!(w, What::Signal(signal) if signal.leg == Side::Caller && signal.message.starts_with("BYE"));
    assert!(switch.facts.iter().any(|fact| arrived(&fact.what)), "on the caller's side of the ladder");
}
