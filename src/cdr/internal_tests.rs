//! Agents call each other, in virtual time: a call of its own kind, whoever ends it and whenever.

use std::time::Duration;

use super::transfer_tests::{consult, consulting, invites, settings_of_two, status, within};
use super::{CallKind, Outcome, Record, RingEnd};
use crate::call::fact::RecordingStatus;
use crate::call::leg::Callee;
use crate::call::reason::{EndedBy, Reason};
use crate::gateway::AgentsCalls;
use crate::gateway::tests::{PHONE, SDP, Switch, ok, plans, requests};
use crate::protocol::sip::message::Request;

const NINE: &str = "10.0.0.4:5060";

fn switch() -> Switch {
    Switch::with(settings_of_two(), plans())
}

/// 8 calls 9: our INVITE there.
fn ringing(switch: &mut Switch) -> Request {
    let nine = invites(&switch.tell(PHONE, &consulting("INVITE", 1, "9", "", SDP))).remove(0);
    switch.pass(Duration::from_millis(100));
    switch.tell(NINE, &status(&nine, 180));
    nine
}

/// Nothing is left of the call, and no caller's call was told of.
fn record(switch: &mut Switch) -> Record {
    switch.pass(Duration::from_secs(300));
    let gateway = &switch.gateway;
    assert_eq!((gateway.live_calls(), gateway.sessions(), gateway.agents().available()), (0, 0, 2));
    assert!(switch.facts.is_empty(), "{:?}", switch.facts);
    let record = Record::from_facts(&switch.agents_calls).expect("a call");
    assert_eq!((record.kind, record.hotline.as_str(), record.trunk.as_str()), (CallKind::Internal, "", ""));
    let by = record.by_agent.as_ref().expect("an agent");
    assert_eq!((by.agent.as_str(), by.to.as_ref()), ("8", Some(&Callee::Agent("9".into()))));
    let of_a_hotline = (record.answered_within_target, record.left_within_target, &record.callback);
    assert_eq!(of_a_hotline, (None, None, &None), "no rule of a hotline says anything of it");
    record
}

#[test]
fn ring_answer_and_talk_are_told_and_who_hung_up() {
    let mut switch = switch();
    let nine = ringing(&mut switch);
    switch.pass(Duration::from_secs(6));
    let sent = switch.tell(NINE, &ok(&nine, SDP));
    let tag = sent.iter().find_map(|m| match m {
        crate::protocol::sip::message::Message::Response(r) if r.status == 200 => r.to_tag(),
        _ => None,
    });
    let tag = format!(";tag={}", tag.expect("200 to the phone that calls"));
    switch.tell(PHONE, &consulting("ACK", 1, "9", &tag, ""));
    switch.pass(Duration::from_secs(20));
    let bye = requests(switch.tell(PHONE, &consulting("BYE", 2, "9", &tag, ""))).remove(0);
    switch.tell(NINE, &ok(&bye, ""));
    assert!(!switch.joined[0].2, "no policy asks for a recording");
    let record = record(&mut switch);
    assert_eq!((record.outcome, record.agent.as_ref().map(|a| a.as_str())), (Some(Outcome::Answered), Some("9")));
    assert_eq!((record.ring_to_answer_ms, record.rings, record.talk_ms), (Some(6_000), Some(2), Some(20_000)));
    assert_eq!((record.reason, record.ended_by), (Some(Reason::CallerHungUp), Some(EndedBy::Caller)));
    assert_eq!((record.attempts.len(), record.attempts[0].end), (1, Some(RingEnd::Answered)));
    let recording = (record.recording.status, record.recording.reason.as_deref(), record.recording.path);
    assert_eq!(recording, (RecordingStatus::None, Some("policy"), None));
}

#[test]
fn a_policy_has_it_recorded() {
    let mut switch = switch();
    switch.gateway.use_agents_calls(AgentsCalls { record: true, outbound: None });
    let (nine, _) = consult(&mut switch, "9", NINE);
    assert!(switch.joined[0].2);
    let bye = within(&nine, NINE, "BYE", 1, "");
    let to_eight = requests(switch.tell(NINE, &bye)).remove(0);
    switch.tell(PHONE, &ok(&to_eight, ""));
    let record = record(&mut switch);
    assert_eq!((record.reason, record.ended_by), (Some(Reason::AgentHungUp), Some(EndedBy::Agent)));
    assert!(record.recording.path.is_some());
}

#[test]
fn both_hang_up_at_once_and_the_first_that_came_counts() {
    let mut switch = switch();
    let (nine, tag) = consult(&mut switch, "9", NINE);
    switch.pass(Duration::from_secs(5));
    let ours = requests(switch.tell(NINE, &within(&nine, NINE, "BYE", 1, ""))).remove(0);
    switch.tell(PHONE, &consulting("BYE", 2, "9", &format!(";tag={tag}"), ""));
    switch.tell(PHONE, &ok(&ours, ""));
    let record = record(&mut switch);
    assert_eq!((record.reason, record.talk_ms), (Some(Reason::AgentHungUp), Some(5_000)));
}

#[test]
fn who_gives_up_while_it_rings_has_reached_nobody() {
    let mut switch = switch();
    let nine = ringing(&mut switch);
    switch.pass(Duration::from_secs(9));
    let cancel = requests(
        switch.tell(PHONE, &consulting("CANCEL", 1, "9", "", "").replace("bKconsultCANCEL", "bKconsultINVITE")),
    );
    let cancel = cancel.into_iter().find(|r| r.method.to_string() == "CANCEL").expect("9's phone stops");
    // The answer crosses it.
    switch.tell(NINE, &ok(&nine, SDP));
    switch.tell(NINE, &ok(&cancel, ""));
    let bye = requests(switch.sent.iter().map(|(_, m)| m.clone()).collect());
    let bye = bye.into_iter().rfind(|r| r.method.to_string() == "BYE").expect("who answered is let go");
    switch.tell(NINE, &ok(&bye, ""));
    switch.tell(PHONE, &consulting("ACK", 1, "9", "", "").replace("bKconsultACK", "bKconsultINVITE"));
    let record = record(&mut switch);
    assert_eq!((record.outcome, record.reason), (Some(Outcome::Abandoned), Some(Reason::CallerCancelled)));
    assert_eq!((record.talk_ms, record.attempts[0].end), (Some(0), Some(RingEnd::CallerLeft)));
}

#[test]
fn a_colleague_who_declines_is_busy_or_does_not_answer_is_told_apart() {
    for (code, reason, end) in
        [(603, Reason::AgentsDeclined, RingEnd::Declined), (486, Reason::AgentsBusy, RingEnd::Busy)]
    {
        let mut switch = switch();
        let nine = ringing(&mut switch);
        switch.tell(NINE, &status(&nine, code));
        switch.tell(PHONE, &consulting("ACK", 1, "9", "", "").replace("bKconsultACK", "bKconsultINVITE"));
        let record = record(&mut switch);
        assert_eq!((record.outcome, record.reason), (Some(Outcome::Failed), Some(reason)));
        assert_eq!(record.attempts[0].end, Some(end));
    }
    let mut switch = switch();
    let nine = ringing(&mut switch);
    let cancel = requests(switch.pass(Duration::from_secs(61)));
    let cancel = cancel.into_iter().find(|r| r.method.to_string() == "CANCEL").expect("9's phone stops");
    switch.tell(NINE, &ok(&cancel, ""));
    switch.tell(NINE, &status(&nine, 487));
    switch.tell(PHONE, &consulting("ACK", 1, "9", "", "").replace("bKconsultACK", "bKconsultINVITE"));
    let record = record(&mut switch);
    assert_eq!((record.reason, record.attempts[0].end), (Some(Reason::NoAnswer), Some(RingEnd::NoAnswer)));
}
