//! Sound on real sockets: our ringing tone, and what becomes of a call whose media stops.

mod common;

use common::voice::Voice;
use common::{Bench, RecordExt, Sipp, within};

#[test]
fn the_caller_hears_our_ringing_from_ring_on() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    bench.ringing.push_str("\n\n[answer]\nringback = \"gateway\"");
    let caller = Voice::new(bench.ports.even(), 440.0);
    let agent = Voice::new(bench.ports.even(), 1_000.0);
    let calling = Sipp::trunk(&bench, "trunk_hears_ringing").pause_ms(1_000).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(5_500).voice(agent.port);
    let gateway = bench.serve();
    let (answering, calling) = (answering.start(), calling.start());
    calling.finish();
    answering.finish();

    let record = gateway.sealed();
    assert_eq!((record.text("ring_source"), record.text("outcome")), ("gateway", "answered"));
    assert_eq!(record.number("rings"), 2);
    let (first_us, sound) = caller.sound();
    within("first sample after ring_at, ms", (first_us - record.instant_us("ring_at")) / 1_000, -1..=20);
    let rms = |from_ms: usize, to_ms: usize| {
        let part = &sound[from_ms * 8..to_ms * 8];
        (part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / part.len() as f64).sqrt()
    };
    let bursts = [rms(0, 1_000), rms(1_000, 5_000), rms(5_000, 5_400)].map(f64::round);
    assert!(bursts[0] > 4_500.0 && bursts[1] < 10.0 && bursts[2] > 4_500.0, "{bursts:?}");
}

/// Nobody speaks: 20 s after *connected* the gateway hangs up on both sides (SIPp fails without its BYE).
#[test]
fn a_call_without_media_ends_on_both_sides() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200);
    let caller = Sipp::trunk(&bench, "trunk_hears_bye");
    let gateway = bench.serve();
    let agent = agent.start();
    caller.run();
    agent.finish();
    let record = gateway.sealed();
    assert_eq!((record.text("outcome"), record.text("reason")), ("answered", "media_timeout"));
    assert_eq!(record.text("ended_by"), "gateway");
    within("talk_ms", record.number("talk_ms"), 19_900..=21_000);
}
