//! Agents call numbers outside, in virtual time: what a line of `[outbound]` allows, and nothing else; a call of its own kind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::callback_tests::{CARRIER, answer, bye, carrier, went};
use super::{CallKind, CallbackEnd, Record};
use crate::call::fact::What;
use crate::call::reason::{EndedBy, Reason};
use crate::dialplan::outbound::Outbound;
use crate::dialplan::plan::Hotline;
use crate::gateway::tests::{PHONE, SDP, Switch, ok, plans, settings, typed};
use crate::gateway::{AgentsCalls, Settings, WayOut};
use crate::ids::Side;
use crate::peer::token::Token;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Message, Request};

const NUMBER: &str = "13912345678";

/// Agent 8 may call numbers of mobile phones that begin with 139, ten minutes a month.
fn switch(pin: Option<&str>) -> Switch {
    let mut plans = plans();
    let mut hotline = Hotline::clone(&plans.hotlines[0]);
    let (agents, prefixes) = (vec!["8".into()], vec!["139".to_owned()]);
    let quota = Some(Duration::from_secs(600));
    hotline.after.outbound = Some(Outbound { agents, prefixes, quota, abroad: false });
    let hotline = Arc::new(hotline);
    plans.by_number.insert("400".into(), Arc::clone(&hotline));
    plans.hotlines = vec![hotline];
    let mut switch = Switch::with(Settings { trunks: vec![carrier()], ..settings() }, plans);
    let pins: BTreeMap<_, _> = pin.map(|pin| ("8".into(), Token::new(pin))).into_iter().collect();
    let outbound = Some(WayOut { trunk: "carrier".into(), pins });
    switch.gateway.use_agents_calls(AgentsCalls { record: false, outbound });
    switch.pass(Duration::from_millis(1));
    switch
}

/// A request of 8's phone in the dialog of its call `n`.
fn eight(method: &str, n: u32, (to, tag): (&str, &str), body: &str) -> String {
    let seq = if method == "BYE" { 2 } else { 1 };
    let branch = if method == "CANCEL" || tag.is_empty() { "INVITE" } else { method };
    format!(
        "{method} sip:{to}@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.3;branch=z9hG4bKout{n}{branch}\nFrom: <sip:8@10.0.0.1>;tag=e\nTo: <sip:{to}@10.0.0.1>{tag}\nCall-ID: out{n}\nCSeq: {seq} {method}\nContact: <sip:8@10.0.0.3>\n{}",
        typed(body)
    )
}

/// The final status that the phone got, and our tag.
fn told(switch: &mut Switch) -> Vec<(u16, String)> {
    let to: std::net::SocketAddr = PHONE.parse().unwrap();
    let of_phone = switch.sent.iter().filter(|(at, _)| *at == to);
    let answers = of_phone.filter_map(|(_, message)| match message {
        Message::Response(r) if r.status > 100 => Some((r.status, r.to_tag().unwrap_or_default())),
        _ => None,
    });
    answers.collect()
}

/// 8 dials: the INVITE to the trunk, if there is one.
fn dials(switch: &mut Switch, n: u32, to: &str) -> Option<Request> {
    switch.tell(PHONE, &eight("INVITE", n, (to, ""), SDP));
    went(switch, CARRIER, "INVITE").pop()
}

/// The trunk answers, they talk for so long, and 8 hangs up.
fn talk(switch: &mut Switch, n: u32, seconds: u64) {
    let invite = dials(switch, n, NUMBER).expect("a call");
    switch.tell(CARRIER, &ok(&invite, SDP));
    let tag = format!(";tag={}", told(switch).last().unwrap().1);
    switch.tell(PHONE, &eight("ACK", n, (NUMBER, &tag), ""));
    switch.pass(Duration::from_secs(seconds));
    switch.tell(PHONE, &eight("BYE", n, (NUMBER, &tag), ""));
    // Its Contact is that of the test's phone.
    let parting = went(switch, PHONE, "BYE").pop().expect("the trunk is told");
    switch.tell(CARRIER, &ok(&parting, ""));
    switch.pass(Duration::from_secs(300));
}

fn record(switch: &mut Switch) -> Record {
    switch.pass(Duration::from_secs(300));
    assert_eq!((switch.gateway.live_calls(), switch.gateway.sessions(), switch.gateway.agents().taken()), (0, 0, 0));
    assert!(switch.facts.is_empty(), "no caller's call");
    let record = Record::from_facts(&switch.agents_calls).expect("a call");
    assert_eq!((record.kind, record.hotline.as_str()), (CallKind::Outbound, "property"));
    assert_eq!((record.rings, record.wait_ms, record.answered_within_target), (None, None, None));
    record
}

#[test]
fn the_number_is_called_under_the_hotlines_own_and_whoever_has_it_is_the_caller() {
    let mut switch = switch(None);
    let invite = dials(&mut switch, 1, NUMBER).expect("a call");
    assert_eq!(invite.raw_uri, format!("sip:{NUMBER}@10.0.0.9"));
    assert!(invite.headers.text(&Name::FROM).unwrap().contains("sip:400@"), "the hotline's own number");
    assert!(told(&mut switch).is_empty(), "8 hears nothing yet");
    switch.tell(CARRIER, &answer(&invite, 180));
    assert_eq!(told(&mut switch).last().map(|told| told.0), Some(180));
    switch.pass(Duration::from_secs(4));
    switch.tell(CARRIER, &ok(&invite, SDP));
    let (status, tag) = told(&mut switch).pop().unwrap();
    assert_eq!(status, 200);
    switch.tell(PHONE, &eight("ACK", 1, (NUMBER, &format!(";tag={tag}")), ""));
    let (agent, caller) = (switch.legs[0].1, switch.legs[1].1);
    assert_eq!(switch.joined, [(caller, agent, true)], "recorded as the hotline's calls");
    switch.pass(Duration::from_secs(30));
    switch.tell(CARRIER, &bye(&invite, "10.0.0.9"));
    let parting = went(&mut switch, PHONE, "BYE").pop().expect("8 is told");
    switch.tell(PHONE, &ok(&parting, ""));
    let record = record(&mut switch);
    let by = record.by_agent.clone().expect("an agent");
    assert_eq!((by.agent.as_str(), by.to, by.end), ("8", None, Some(CallbackEnd::Reached)));
    assert_eq!((record.talk_ms, record.agent.as_ref().map(|a| a.as_str())), (Some(30_000), Some("8")));
    assert_eq!((record.reason, record.ended_by), (Some(Reason::CallerHungUp), Some(EndedBy::Caller)));
    assert_eq!(switch.numbers, [NUMBER]);
    let told = switch.agents_calls.iter().any(|fact| format!("{:?}", fact.what).contains(NUMBER));
    assert!(!told, "no fact holds the number");
    let dialled = |w: &What| matches!(w, What::Signal(s) if s.leg == Side::Agent && s.message.starts_with("INVITE sip:{caller}@"));
    assert!(switch.agents_calls.iter().any(|fact| dialled(&fact.what)), "on the agent's side of the ladder");
}

#[test]
fn what_the_network_says_the_phone_is_told() {
    for (status, expected, end) in
        [(486, 486, CallbackEnd::Busy), (404, 480, CallbackEnd::Unreachable), (603, 603, CallbackEnd::Busy)]
    {
        let mut switch = switch(None);
        let invite = dials(&mut switch, 1, NUMBER).expect("a call");
        switch.tell(CARRIER, &answer(&invite, status));
        let (status, tag) = told(&mut switch).pop().unwrap();
        assert_eq!(status, expected);
        switch.tell(PHONE, &eight("ACK", 1, (NUMBER, &format!(";tag={tag}")), "").replace("outACK", "outINVITE"));
        let record = record(&mut switch);
        assert_eq!((record.by_agent.and_then(|by| by.end), record.talk_ms), (Some(end), Some(0)));
    }
}

#[test]
fn an_agent_who_gives_up_has_called_nobody_even_if_the_answer_crosses_it() {
    let mut switch = switch(None);
    let invite = dials(&mut switch, 1, NUMBER).expect("a call");
    switch.tell(CARRIER, &answer(&invite, 180));
    switch.tell(PHONE, &eight("CANCEL", 1, (NUMBER, ""), ""));
    let cancel = went(&mut switch, CARRIER, "CANCEL").pop().expect("the trunk is told");
    switch.tell(CARRIER, &ok(&invite, SDP));
    switch.tell(CARRIER, &ok(&cancel, ""));
    let parting = went(&mut switch, PHONE, "BYE").pop().expect("who answered is let go");
    switch.tell(CARRIER, &ok(&parting, ""));
    let (status, tag) = told(&mut switch).pop().unwrap();
    assert_eq!(status, 487);
    switch.tell(PHONE, &eight("ACK", 1, (NUMBER, &format!(";tag={tag}")), "").replace("outACK", "outINVITE"));
    let record = record(&mut switch);
    assert_eq!(record.by_agent.and_then(|by| by.end), Some(CallbackEnd::NotCalled));
    assert_eq!((record.reason, record.talk_ms), (Some(Reason::AgentHungUp), Some(0)));
}

#[test]
fn what_no_line_allows_makes_no_invite() {
    let mut switch = switch(None);
    let strange = ["0085213912345678", "13812345678", "139x", "13", "+4413912345678", "139123456789012345678"];
    for (n, to) in (1..).zip(strange.into_iter().chain(["*7*13912345678", "*74711*13912345678"])) {
        assert!(dials(&mut switch, n, to).is_none(), "{to}");
        assert_eq!(told(&mut switch).last().map(|told| told.0), Some(403), "{to}");
    }
    let mut off = Switch::with(Settings { trunks: vec![carrier()], ..settings() }, plans());
    assert!(dials(&mut off, 1, NUMBER).is_none(), "off by default");
}

#[test]
fn a_pin_is_asked_for_and_five_wrong_ones_are_the_last() {
    let mut switch = switch(Some("4711"));
    assert!(dials(&mut switch, 1, NUMBER).is_none(), "without it");
    for n in 2..7 {
        assert!(dials(&mut switch, n, &format!("*74712*{NUMBER}")).is_none());
    }
    assert_eq!(switch.wrong_pins, 5);
    assert!(dials(&mut switch, 7, &format!("*74711*{NUMBER}")).is_none(), "ten minutes of silence");
    switch.pass(Duration::from_secs(660));
    assert!(dials(&mut switch, 8, &format!("*74711*{NUMBER}")).is_some());
}

#[test]
fn the_months_minutes_are_those_of_the_facts() {
    let mut switch = switch(None);
    talk(&mut switch, 1, 400);
    talk(&mut switch, 2, 200);
    assert!(dials(&mut switch, 3, NUMBER).is_none(), "ten minutes are used up");
    assert_eq!(told(&mut switch).pop().map(|told| told.0), Some(403));
    let quota = |fact: &crate::call::fact::Fact| match &fact.what {
        What::Offered(offered) => offered.by_agent.clone(),
        _ => None,
    };
    let quotas: Vec<_> = switch.agents_calls.iter().filter_map(quota).collect();
    assert_eq!(quotas.len(), 2);
    // The clock of the test begins on the first of January; in February there are new ones.
    switch.pass(Duration::from_secs(32 * 24 * 3_600));
    assert!(dials(&mut switch, 4, NUMBER).is_some());
}

#[test]
fn what_was_talked_before_a_restart_counts() {
    let mut switch = switch(None);
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let wall = switch.now.wall;
    switch.gateway.restore_outbound([("8".into(), "property".into(), wall, minutes(9))]);
    assert!(dials(&mut switch, 1, NUMBER).is_some());
    let mut switch = self::switch(None);
    switch.gateway.restore_outbound([("8".into(), "property".into(), wall, minutes(10))]);
    assert!(dials(&mut switch, 1, NUMBER).is_none());
}
