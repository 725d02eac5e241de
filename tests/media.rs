//! Sound on real sockets: our ringing tone, and what becomes of a call whose media stops.

mod common;

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::bench::{Gateway, hotline};
use common::sound::{level_db, play, to_alaw, tone};
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

/// Next speaks: 20 s after *connected* the gateway hangs up on both sides (SIPp fails without its BYE).
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

/// From the first ring to the end somebody else sends a loud tone to every port that the gateway may have.
#[test]
fn what_a_stranger_sends_to_every_port_reaches_nobody() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let (caller, agent) = (Voice::new(bench.ports.even(), 440.0), Voice::new(bench.ports.even(), 1_000.0));
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(3_000).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(500).voice(agent.port);
    let range = bench.rtp.clone();
    let gateway = bench.serve();
    let attack = Attack::on(&range);
    let (answering, calling) = (answering.start(), calling.start());
    calling.finish();
    answering.finish();
    let record = gateway.sealed();
    assert_eq!(record.text("outcome"), "answered");
    let recorded = play(&gateway.recording(&record));
    assert!(recorded.millis() > 2_000);
    let (_, heard_by_caller) = caller.sound();
    let (_, heard_by_agent) = agent.sound();
    let sounds = [&recorded.left[..], &recorded.right[..], &heard_by_caller[..], &heard_by_agent[..]];
    for (n, sound) in sounds.into_iter().enumerate() {
        for second in sound.chunks_exact(4_000) {
            let level = level_db(second, ATTACK_HZ);
            assert!(level < -55.0, "sound {n}: the stranger is at {level} dB");
        }
    }
    let (sent, answered) = attack.end();
    assert!(sent > 5_000 && answered == 0, "{sent} packets of a stranger, {answered} answers");
}

/// The same during fifty calls at once: no packet of the stranger's is counted in any of them.
#[test]
fn a_stranger_on_every_port_is_no_part_of_fifty_calls() {
    let mut bench = Bench::new();
    let phone = bench.ports.one();
    (10..60).for_each(|number| bench.agent_at(&number.to_string(), phone));
    let (caller, agent) = (Voice::new(bench.ports.even(), 440.0), Voice::new(bench.ports.even(), 1_000.0));
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(2_500).calls(50).per_second(100).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(100).calls(50).voice(agent.port);
    let range = bench.rtp.clone();
    let gateway = bench.serve();
    let attack = Attack::on(&range);
    let (answering, calling) = (answering.start(), calling.start());
    calling.finish();
    answering.finish();
    let records = gateway.records(50);
    let (sent, answered) = attack.end();
    assert!(sent > 5_000 && answered == 0, "{sent} packets of a stranger, {answered} answers");
    let mut refused = 0;
    for record in &records {
        for leg in ["caller", "agent"] {
            let of = |what: &str| record.number(&format!("quality.{leg}.{what}"));
            assert!((25..=200).contains(&of("packets")), "{leg}: {}", of("packets"));
            assert_eq!((of("ssrc_changes"), of("restarts"), of("timestamp_jumps")), (0, 0, 0), "{leg} of {record:#}");
        }
        refused += foreign(&gateway, record.text("id"));
    }
    assert!(refused > 1_000, "the stranger did not reach the calls: {refused} packets refused");
}

/// Packets that both legs of a call refused because of their source.
fn foreign(gateway: &Gateway, id: &str) -> i64 {
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let output = hotline(&["call", id, "--json", "--config", config]);
    let call: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a call in JSON");
    let facts = call["facts"].as_array().expect("its facts");
    facts.iter().filter_map(|fact| fact["received"]["foreign"].as_i64()).sum()
}

const ATTACK_HZ: f64 = 2_500.0;

/// RTP from an address that no signalling named, until it is told to end.
struct Attack {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<(usize, usize)>,
}

impl Attack {
    /// `ports`: a range as in the configuration.
    fn on(ports: &str) -> Attack {
        let (first, last) = ports.split_once('-').expect("a range");
        let number = |text: &str| text.parse::<u16>().expect("a port");
        let ports = number(first)..=number(last);
        let socket = UdpSocket::bind("127.0.0.66:0").expect("a socket of the stranger");
        // Its pace, too: it waits so long for an answer.
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a time-out");
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let (mut sent, mut answered) = (0, 0);
            for n in 0u16.. {
                if told.load(Ordering::Relaxed) {
                    break;
                }
                let mut packet = vec![0x80, 8];
                packet.extend(n.to_be_bytes());
                packet.extend((u32::from(n) * 160).to_be_bytes());
                packet.extend([6, 6, 6, 6]);
                let samples = i64::from(n) * 160..i64::from(n) * 160 + 160;
                packet.extend(samples.map(|n| to_alaw(tone(ATTACK_HZ, n))));
                for port in ports.clone() {
                    sent += usize::from(socket.send_to(&packet, ("127.0.0.1", port)).is_ok());
                }
                let mut buffer = [0; 2_000];
                answered += usize::from(socket.recv_from(&mut buffer).is_ok());
            }
            (sent, answered)
        });
        Attack { ended, thread }
    }

    /// Packets sent, and packets that came back.
    fn end(self) -> (usize, usize) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("the stranger's thread")
    }
}
