//! Codes that agents' phones dial, in virtual time: what the phone is told, whom callers ring then, and what the record says.

use std::time::Duration;

use super::Record;
use super::transfer_tests::{Case, invites, settings_of_two, status, within};
use crate::call::fact::What;
use crate::call::presence::{By, Kind, What as Told};
use crate::dialplan::plan::{Duty, Hotline, Plans};
use crate::gateway::tests::*;
use crate::ids::AgentNo;
use crate::protocol::sip::message::Message;
use crate::protocol::sip::vocabulary::Method;

pub(super) const NINE: &str = "10.0.0.4:5060";

/// Agents 8 and 9, of whom this is asked; callers ring 8 first.
fn switch(duty: &Duty) -> Switch {
    let of_two = |hotline: &Hotline| {
        let mut hotline = Hotline { duty: duty.clone(), ..hotline.clone() };
        hotline.agents.numbers = vec!["8".into(), "9".into()];
        std::sync::Arc::new(hotline)
    };
    let by_number: std::collections::BTreeMap<_, _> =
        plans().by_number.iter().map(|(number, hotline)| (number.clone(), of_two(hotline))).collect();
    let hotlines = by_number.values().cloned().collect();
    Switch::with(settings_of_two(), Plans { hotlines, by_number })
}

/// A request of an agent's phone in a dialog of its own.
pub(super) fn dialled(method: &str, n: u32, agent: &str, to: &str, tag: &str, body: &str) -> String {
    let ip = if agent == "8" { "10.0.0.3" } else { "10.0.0.4" };
    format!(
        "{method} sip:{to}@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {ip};branch=z9hG4bKcode{method}{n}\nFrom: <sip:{agent}@10.0.0.1>;tag=c{n}\nTo: <sip:{to}@10.0.0.1>{tag}\nCall-ID: code{n}\nCSeq: 1 {method}\nContact: <sip:p@{ip}>\n{}",
        typed(body)
    )
}

/// The final status of a code, and its tag. A tone is heard to its end.
fn dial(switch: &mut Switch, n: u32, agent: &str, code: &str) -> u16 {
    let from = if agent == "8" { PHONE } else { NINE };
    let sent = switch.tell(from, &dialled("INVITE", n, agent, code, "", SDP));
    let response = sent.iter().find_map(|m| match m {
        Message::Response(r) if r.status >= 200 => Some(r.clone()),
        _ => None,
    });
    let response = response.expect("a final response");
    let ack = dialled("ACK", n, agent, code, &tag(&response), "");
    switch.tell(from, &if response.status == 200 { ack } else { ack.replace("bKcodeACK", "bKcodeINVITE") });
    if response.status == 200 {
        let byes = requests(switch.pass(Duration::from_secs(10)));
        // It is sent again until the phone answers.
        assert!(!byes.is_empty() && byes.iter().all(|r| r.method == Method::BYE), "the code is over: {byes:?}");
        switch.tell(from, &ok(&byes[0], ""));
    }
    response.status
}

fn presence(switch: &Switch, agent: &str) -> Kind {
    switch.gateway.agents().presence(&agent.into()).expect("an agent").kind()
}

#[test]
fn an_agent_logs_in_pauses_and_comes_back_by_code() {
    let duty = Duty {
        login: true,
        wrap_up: Duration::from_secs(30),
        pause_reasons: vec!["lunch".into()],
        longest_pause: Some(Duration::from_secs(600)),
        ..Duty::default()
    };
    let mut switch = switch(&duty);
    let refused = switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP));
    assert!(matches!(refused.last(), Some(Message::Response(r)) if r.status == 486), "nobody is there: {refused:?}");
    switch.tell(TRUNK, &theirs("ACK", 1, "", "").replace("bKACK", "bKINVITE"));
    switch.pass(Duration::from_secs(1));
    for (n, agent, code, answer, then) in [
        (1, "8", "*43", 403, Kind::LoggedOut),
        (2, "8", "*41", 200, Kind::Ready),
        (3, "9", "%2A41", 200, Kind::Ready),
        (4, "8", "*42", 403, Kind::Ready),
        (5, "8", "*421", 200, Kind::Paused),
        (6, "8", "*43", 403, Kind::Paused),
        (7, "8", "*44", 200, Kind::WrapUp),
        (8, "8", "*43", 200, Kind::Ready),
        (9, "8", "*99", 404, Kind::Ready),
        (10, "8", "*40", 200, Kind::LoggedOut),
    ] {
        assert_eq!(dial(&mut switch, n, agent, code), answer, "{code}");
        assert_eq!(presence(&switch, agent), then, "{code}");
    }
    let first: Vec<_> = switch.agent_facts.iter().take(2).map(|f| (f.agent.as_str(), &f.what)).collect();
    assert_eq!(first, [("8", &Told::LoggedIn { by: By::Phone }), ("8", &Told::Ready { by: By::Phone })]);
    // Only 9 is there.
    let call = theirs("INVITE", 2, "", SDP).replace("Call-ID: c", "Call-ID: c2");
    let rung = invites(&switch.tell(TRUNK, &call)).remove(0);
    assert_eq!(rung.raw_uri, "sip:9@10.0.0.4");
    let chosen = switch.facts.iter().find_map(|f| match &f.what {
        What::Chosen { choice, .. } => Some(choice.skipped.clone()),
        _ => None,
    });
    assert_eq!(chosen, Some(vec![(AgentNo::from("8"), crate::call::choice::Why::LoggedOut)]));
}

#[test]
fn nobody_but_agents_dials_codes() {
    let mut switch = switch(&Duty::default());
    let sent = switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP).replace("sip:400@10.0.0.1", "sip:*42@10.0.0.1"));
    assert!(matches!(sent.last(), Some(Message::Response(r)) if r.status == 404), "{sent:?}");
    assert_eq!(presence(&switch, "8"), Kind::Ready);
    assert!(switch.agent_facts.is_empty());
}

#[test]
fn a_colleague_picks_up_what_rings() {
    let mut switch = switch(&Duty::default());
    assert_eq!(dial(&mut switch, 1, "9", "*88"), 480, "nothing rings there");
    let eight = invites(&switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP))).remove(0);
    switch.tell(PHONE, &status(&eight, 180).replace("180 X", "180 Ringing"));
    switch.pass(Duration::from_secs(4));
    let there = "v=0\nc=IN IP4 10.0.0.4\nm=audio 4444 RTP/AVP 8\n";
    let sent = switch.tell(NINE, &dialled("INVITE", 2, "9", "*88", "", there));
    let answers: Vec<_> = sent
        .iter()
        .filter_map(|m| match m {
            Message::Response(r) if r.status == 200 => Some(r.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(answers.len(), 2, "the phone and the caller: {sent:?}");
    let cancel = requests(sent).remove(0);
    assert_eq!((&cancel.method, cancel.raw_uri.as_str()), (&Method::CANCEL, "sip:8@10.0.0.3"));
    let of = |call_id: &str| answers.iter().find(|r| r.headers.text(&CALL_ID) == Some(call_id)).expect("a 200");
    let port = |body: &[u8]| {
        let body = String::from_utf8(body.to_vec()).unwrap();
        body.lines().find_map(|l| l.strip_prefix("m=audio ")?.split(' ').next().map(str::to_owned))
    };
    assert_eq!(port(&of("code2").body), port(&eight.body), "the leg goes on");
    let (nines, callers) = (tag(of("code2")), tag(of("c")));
    switch.tell(NINE, &dialled("ACK", 2, "9", "*88", &nines, ""));
    switch.tell(TRUNK, &theirs("ACK", 1, &callers, ""));
    assert_eq!(switch.gateway.agents().available(), 0, "the phone of 8 may still ring");
    switch.tell(PHONE, &ok(&cancel, ""));
    switch.tell(PHONE, &status(&eight, 487));
    assert!(switch.gateway.agents().is_free(&"8".into()), "8 is free as soon as the ring is over");
    assert_eq!(dial(&mut switch, 3, "8", "*89"), 480, "what is talked in is not picked up");
    switch.pass(Duration::from_secs(10));
    let byes = requests(switch.tell(TRUNK, &theirs("BYE", 2, &callers, "")));
    assert_eq!(byes.len(), 1);
    switch.tell(NINE, &ok(&byes[0], ""));
    switch.pass(Duration::from_secs(100));
    let record = Record::from_facts(&switch.facts).unwrap();
    assert_eq!((record.agent, record.segments.len()), (Some("9".into()), 1));
    assert_eq!(record.ring_to_answer_ms, Some(4_000), "the answer is the colleague's");
    let gateway = &switch.gateway;
    assert_eq!((gateway.live_calls(), gateway.sessions(), gateway.agents().available()), (0, 0, 2));
    assert_eq!(switch.facts(|w| matches!(w, What::PickedUp { attempt: 1, .. })), 1);
}

const CALL_ID: crate::protocol::sip::header::Name = crate::protocol::sip::header::Name::CALL_ID;

#[test]
fn whoever_does_not_serve_the_hotline_picks_up_nothing() {
    // Only 8 is in the plan.
    let mut switch = Switch::with(settings_of_two(), plans());
    let eight = invites(&switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP))).remove(0);
    switch.tell(PHONE, &status(&eight, 180).replace("180 X", "180 Ringing"));
    assert_eq!(dial(&mut switch, 1, "9", "*88"), 403);
    assert_eq!(switch.facts(|w| matches!(w, What::PickedUp { .. })), 0);
}

#[test]
fn a_phone_that_has_gone_is_told_within_thirty_seconds_and_rung_all_the_same() {
    let mut switch = switch(&Duty { probe: Some(Duration::from_secs(20)), ..Duty::default() });
    // Whether phones answer; each second what is asked is answered.
    let live = |switch: &mut Switch, seconds: u64, answers: bool| {
        for _ in 0..seconds {
            for request in requests(switch.pass(Duration::from_secs(1))) {
                let asked = request.method == Method::OPTIONS;
                if asked && (answers || request.raw_uri.contains("sip:9@")) {
                    switch.tell(PHONE, &ok(&request, ""));
                }
            }
        }
    };
    live(&mut switch, 65, true);
    assert!(switch.agent_facts.is_empty(), "{:?}", switch.agent_facts);
    live(&mut switch, 29, false);
    let told: Vec<_> = switch.agent_facts.iter().map(|f| (f.agent.as_str().to_owned(), f.what.clone())).collect();
    assert_eq!(told, [("8".to_owned(), Told::Unreachable)]);
    let rung = invites(&switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP))).remove(0);
    assert_eq!(rung.raw_uri, "sip:8@10.0.0.3", "whatever a probe says");
    live(&mut switch, 60, true);
    assert_eq!(switch.agent_facts.last().map(|f| f.what.clone()), Some(Told::Reachable));
    assert_eq!(switch.gateway.shown(switch.now).iter().filter(|shown| shown.reachable == Some(true)).count(), 2);
}

#[test]
fn the_agents_keys_mute_and_a_transfer_ends_it() {
    let mut case = Case::new();
    let press = |case: &mut Case, seq: u32, key: char| {
        let info = format!("Content-Type: application/dtmf-relay\n\nSignal={key}\nDuration=100\n");
        let text = within(&case.eight, PHONE, "INFO", seq, &info);
        case.switch.tell(PHONE, &text);
        case.pass(200);
    };
    let mutes = |case: &Case| {
        let started = case.switch.facts(|w| matches!(w, What::MuteStarted));
        (started, case.switch.facts(|w| matches!(w, What::MuteEnded)))
    };
    press(&mut case, 1, '6');
    press(&mut case, 2, '*');
    case.pass(4_000);
    press(&mut case, 3, '6');
    assert_eq!(mutes(&case), (0, 0), "too late");
    press(&mut case, 4, '*');
    press(&mut case, 5, '6');
    assert_eq!(mutes(&case), (1, 0));
    press(&mut case, 6, '*');
    press(&mut case, 7, '6');
    press(&mut case, 8, '*');
    press(&mut case, 9, '6');
    assert_eq!(mutes(&case), (2, 1));
    let text = within(&case.eight, PHONE, "REFER", 10, "Refer-To: <sip:9@10.0.0.1>\n\n");
    case.switch.tell(PHONE, &text);
    assert_eq!(mutes(&case), (2, 2), "the caller is with somebody else next");
}
