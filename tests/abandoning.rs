//! Callers who leave before anybody answers.

mod common;

use common::phone::{Phone, follow, invite, pcma_at};
use common::{Bench, HOTLINE_NUMBER, RecordExt, Sipp, seconds, within};

fn gives_up_after(ms: u64) -> (common::Gateway, serde_json::Value) {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_rings_out", phone);
    let caller = Sipp::trunk(&bench, "trunk_cancels").pause_ms(ms);
    let gateway = bench.serve();
    let agent = agent.start();
    caller.run();
    agent.finish();
    let record = gateway.record();
    assert_eq!(record.text("reason"), "caller_cancelled");
    assert_eq!(record.text("ended_by"), "caller");
    for nothing in ["answered_at", "connected_at", "ring_to_answer_ms", "greeting"] {
        assert!(record.at_path(nothing).is_null(), "{nothing} in {record:#}");
    }
    assert_eq!(record.text("recording.status"), "none");
    assert_eq!(record.number("wait_ms"), record.number("duration_ms"));
    let ms = i64::try_from(ms).expect("a short wait");
    within("wait_ms", record.number("wait_ms"), ms - 10..=ms + 400);
    gateway.settled(1);
    (gateway, record)
}

#[test]
fn before_five_seconds_it_is_a_short_one() {
    let (gateway, record) = gives_up_after(1_000);
    assert_eq!(record.text("outcome"), "short_abandoned");
    assert_eq!(record.number("rings"), 1);
    assert_eq!((gateway.outcomes("short_abandoned"), gateway.outcomes("abandoned")), (1, 0));
}

#[test]
fn from_five_seconds_on_it_is_not() {
    let (gateway, record) = gives_up_after(5_100);
    assert_eq!(record.text("outcome"), "abandoned");
    assert_eq!(record.number("rings"), 2, "the second ring began 5 s after the first");
    assert_eq!((gateway.outcomes("short_abandoned"), gateway.outcomes("abandoned")), (0, 1));
}

/// The agent's 200 is on its way when the gateway's CANCEL arrives: the agent must not be left in a call with nobody.
#[test]
fn the_agents_answer_crosses_the_gateways_cancel() {
    let mut bench = Bench::new();
    let port = bench.agent("8");
    let phone = Phone::at("127.0.0.1", port);
    let voice = bench.ports.even();
    let caller = Sipp::trunk(&bench, "trunk_cancels").pause_ms(500);
    let gateway = bench.serve();
    let caller = caller.start();

    let invite = phone.expect("INVITE ", seconds(3));
    let me = phone.address();
    phone.send(&invite.response("180 Ringing", "crossing", me, None), invite.from);
    let cancel = phone.expect("CANCEL ", seconds(3));
    // In this order: the answer was given before the CANCEL was read.
    phone.send(&invite.response("200 OK", "crossing", me, Some(&pcma_at(voice))), invite.from);
    phone.send(&cancel.response("200 OK", "crossing", me, None), cancel.from);
    phone.expect("ACK ", seconds(3));
    let bye = phone.expect("BYE ", seconds(3));
    phone.send(&bye.response("200 OK", "crossing", me, None), bye.from);
    caller.finish();

    let record = gateway.record();
    assert_eq!(record.text("outcome"), "short_abandoned");
    assert_eq!(record.text("reason"), "caller_cancelled");
    assert_eq!(record.text("ended_by"), "caller");
    assert!(record.at_path("connected_at").is_null(), "nobody was connected: {record:#}");
    within("wait_ms", record.number("wait_ms"), 490..=900);
    gateway.settled(1);
}

/// The gateway has passed the answer on, and the caller's CANCEL meets it on the way: the caller never was in the call.
#[test]
fn the_answer_passed_on_crosses_the_callers_cancel() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_answers", phone).pause_ms(300);
    let caller = Phone::at("127.0.0.1", bench.ports.one());
    let gateway = bench.serve();
    let agent = agent.start();

    let to = gateway.bench.sip_address();
    let call = invite(caller.address(), to, HOTLINE_NUMBER, "crossing");
    caller.send(&call, to);
    let answer = caller.expect("SIP/2.0 200", seconds(3));
    assert!(answer.text.contains("1 INVITE"), "{}", answer.text);
    caller.send(&follow(&call, "CANCEL", None), to);
    loop {
        let reply = caller.expect("SIP/2.0 ", seconds(3));
        if reply.text.contains("1 CANCEL") {
            assert!(reply.text.starts_with("SIP/2.0 200"), "{}", reply.text);
            break;
        }
    }
    // As RFC 3261 has it: a caller who gets a 200 after all acknowledges it and says goodbye.
    caller.send(&follow(&call, "ACK", Some(&answer)), to);
    caller.send(&follow(&call, "BYE", Some(&answer)), to);
    // The agent's phone: answered, acknowledged, and let go by BYE.
    agent.finish();

    let record = gateway.record();
    assert_eq!(record.text("outcome"), "short_abandoned");
    assert_eq!(record.text("reason"), "crossed_cancel");
    assert_eq!(record.text("ended_by"), "caller");
    gateway.settled(1);
}
