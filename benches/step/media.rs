//! The media of many calls at once, as a media thread sees it between its sockets; RTCP only where a timer is fired.

use std::fs::File;
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hotline::clock::{Instant, Now, Wall};
use hotline::ids::{CallId, LegId, Random, Side};
use hotline::media::{Bridge, Codec, Command, Component, Play, Remote, wav};
use hotline::protocol::rtp::{self, Header};

use crate::measure::Report;

const CALLS: usize = 200;
/// A round is 20 ms of all calls.
const ROUNDS: usize = 250;
const FRAME: usize = 160;
const LEGS: [(LegId, Side); 2] = [(LegId(1), Side::Caller), (LegId(2), Side::Agent)];

pub(crate) fn steps(report: &mut Report) {
    let packet = voice(0, LegId(1), Codec::Pcma);
    let mut copy = vec![0; packet.len()];
    report.row(&format!("first: copy of a packet's {} bytes", packet.len()), 2 * CALLS, ROUNDS, |_| {
        for _ in 0..2 * CALLS {
            copy.copy_from_slice(black_box(&packet));
            black_box(&mut copy);
        }
    });
    relay(report, "packet relayed", Codec::Pcma, false);
    relay(report, "packet relayed and recorded", Codec::Pcma, true);
    relay(report, "packet transcoded and recorded", Codec::Pcmu, true);
    listened(report, "speech relayed and recorded", false);
    listened(report, "speech relayed, recorded, heard by scripts", true);
    playout(report);
}

/// Both people of every call speak; each packet goes to the other one.
fn relay(report: &mut Report, name: &str, agents_codec: Codec, record: bool) {
    let calls = (0..CALLS).map(|_| joined(agents_codec, record)).collect();
    let packets = (0..report.all_rounds(ROUNDS))
        .map(|n| [voice(n, LegId(1), Codec::Pcma), voice(n, LegId(2), agents_codec)])
        .collect();
    pass(report, name, calls, packets);
}

/// The same with words, which the live meters of scripts have more to do with than with a tone.
fn listened(report: &mut Report, name: &str, listen: bool) {
    let mut calls: Vec<Bridge> = (0..CALLS).map(|_| joined(Codec::Pcma, true)).collect();
    if listen {
        calls.iter_mut().for_each(|bridge| bridge.handle(at(0), Command::Listen { call: call() }));
    }
    let prompt = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts/zh-CN/msg.invite.wav");
    let (words, _) = wav::read_mono(File::open(prompt).expect("a prompt")).expect("a WAV file");
    let packets = (0..report.all_rounds(ROUNDS))
        .map(|n| LEGS.map(|(leg, _)| sound(n, leg, Codec::Pcma, |sample| words[sample % words.len()])))
        .collect();
    pass(report, name, calls, packets);
}

fn pass(report: &mut Report, name: &str, mut calls: Vec<Bridge>, packets: Vec<[Vec<u8>; 2]>) {
    report.row(name, 2 * CALLS, ROUNDS, |n| {
        let mut sent = 0;
        for bridge in &mut calls {
            for ((leg, _), bytes) in LEGS.into_iter().zip(&packets[n]) {
                bridge.handle_rtp(at(n), leg, phone(leg), at(n), black_box(bytes));
                sent += drain(bridge);
            }
        }
        assert_eq!(sent, 2 * CALLS);
    });
}

/// A prompt's 20 ms to both people, and into the recording; nobody speaks meanwhile.
fn playout(report: &mut Report) {
    let audio: std::sync::Arc<[i16]> = (0..(report.all_rounds(ROUNDS) + 1) * FRAME).map(sample).collect();
    let mut calls: Vec<Bridge> = (0..CALLS).map(|_| joined(Codec::Pcma, true)).collect();
    for bridge in &mut calls {
        // The first frame is sent at once; the rounds begin with the second.
        bridge.handle(at(0), Command::Play { call: call(), play: Play::Greeting, audio: audio.clone().into() });
        drain(bridge);
    }
    report.row("prompt's frame, to both, recorded", CALLS, ROUNDS, |n| {
        let sent: usize = calls
            .iter_mut()
            .map(|bridge| {
                bridge.handle_timeout(at(n + 1));
                drain(bridge)
            })
            .sum();
        assert_eq!(sent, 2 * CALLS);
    });
}

/// Takes everything out, and counts the packets of sound.
fn drain(bridge: &mut Bridge) -> usize {
    let mut sent = 0;
    while let Some(transmit) = bridge.poll_transmit() {
        sent += usize::from(black_box(transmit).component == Component::Rtp);
    }
    while black_box(bridge.poll_recorded()).is_some() {}
    while black_box(bridge.poll_event()).is_some() {}
    sent
}

fn joined(agents_codec: Codec, record: bool) -> Bridge {
    let mut bridge = Bridge::new(call(), Random::from_number(7));
    for ((leg, side), codec) in LEGS.into_iter().zip([Codec::Pcma, agents_codec]) {
        bridge.handle(at(0), Command::Open { call: call(), leg, side, local: phone(leg) });
        let remote = Remote {
            rtp: phone(leg),
            allowed: vec![phone(leg).ip()],
            codec,
            payload_type: codec.payload_type(),
            srtp: None,
            packet_ms: None,
            comfort_noise: None,
            telephone_event: Some(101),
            send: true,
            receive: true,
        };
        bridge.handle(at(0), Command::Remote { leg, remote });
    }
    let [(caller, _), (agent, _)] = LEGS;
    bridge.handle(at(0), Command::Bridge { call: call(), caller, agent, connected: at(0), record });
    drain(&mut bridge);
    bridge
}

pub(crate) fn voice(n: usize, leg: LegId, codec: Codec) -> Vec<u8> {
    sound(n, leg, codec, sample)
}

fn sound(n: usize, leg: LegId, codec: Codec, sample: impl Fn(usize) -> i16) -> Vec<u8> {
    let law = codec.law().expect("G.711");
    let payload: Vec<u8> = (n * FRAME..(n + 1) * FRAME).map(|n| law.encode(sample(n))).collect();
    let header = Header {
        payload_type: codec.payload_type(),
        marker: n == 0,
        sequence: n as u16,
        timestamp: (n * FRAME) as u32,
        ssrc: leg.0 as u32,
    };
    let mut packet = Vec::new();
    rtp::write(&header, &payload, &mut packet).expect("short enough");
    packet
}

/// A tone of 440 Hz.
fn sample(n: usize) -> i16 {
    (8_000.0 * (n as f64 * 440.0 * std::f64::consts::TAU / 8_000.0).sin()) as i16
}

fn at(n: usize) -> Now {
    let start = Now { mono: Instant::from_millis(5_000), wall: Wall::from_micros(1_795_303_044_000_000) };
    start.after(Duration::from_millis(n as u64 * 20))
}

fn call() -> CallId {
    CallId::new(Wall::from_micros(0), &mut Random::from_number(1))
}

fn phone(leg: LegId) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, leg.0 as u8 + 1], 4_000))
}
