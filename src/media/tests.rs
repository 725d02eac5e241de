//! The bridge in virtual time: two phones, a network that delays, swaps and loses, and a recorder that keeps
//! everything.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::clock::{Instant, Wall};
use crate::ids::Random;
use crate::protocol::audio::g711::Law;
use crate::protocol::audio::mix;
use crate::protocol::rtp::rtcp::{self, Compound, Outgoing, SenderInfo};
use crate::protocol::rtp::{self, Header, Packet};

pub(super) const CALLER: LegId = LegId(1);
pub(super) const AGENT: LegId = LegId(2);

pub(super) fn call() -> CallId {
    CallId::new(Wall::from_micros(0), &mut Random::from_number(1))
}

/// `us` after a start at which neither clock is zero.
pub(super) fn at(us: u64) -> Now {
    Now { mono: Instant::from_millis(5_000), wall: Wall::from_micros(1_795_303_044_000_000) }
        .after(Duration::from_micros(us))
}

pub(super) fn phone(leg: LegId) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, leg.0 as u8 + 1], 4_000))
}

pub(super) fn remote(leg: LegId) -> Remote {
    Remote {
        rtp: phone(leg),
        allowed: vec![phone(leg).ip()],
        codec: Codec::Pcma,
        payload_type: 8,
        srtp: None,
        packet_ms: None,
        comfort_noise: None,
        telephone_event: Some(100 + leg.0 as u8),
        send: true,
        receive: true,
    }
}

/// When, by which leg, where to, and what.
pub(super) type Sent = (Now, LegId, SocketAddr, Header, Vec<u8>);

/// What came out of a bridge.
pub(super) struct Bench {
    pub(super) bridge: Bridge,
    pub(super) now: Now,
    pub(super) sent: Vec<Sent>,
    rtcp: Vec<(Now, LegId, SocketAddr, Vec<u8>)>,
    pub(super) events: Vec<Event>,
    pub(super) frames: Vec<i16>,
    pub(super) total: Option<u64>,
    /// The next deadline, and both peers, as of the last time that the bridge said they may have changed.
    known: (Option<Instant>, [Option<SocketAddr>; 2]),
}

impl Bench {
    pub(super) fn new() -> Self {
        let bridge = Bridge::new(call(), Random::from_number(7));
        let mut bench = Bench {
            bridge,
            now: at(0),
            sent: Vec::new(),
            rtcp: Vec::new(),
            events: Vec::new(),
            frames: Vec::new(),
            total: None,
            known: (None, [None; 2]),
        };
        for (leg, side) in [(CALLER, Side::Caller), (AGENT, Side::Agent)] {
            bench.order(0, Command::Open { call: call(), leg, side, local: phone(leg) });
            bench.order(0, Command::Remote { leg, remote: remote(leg) });
        }
        bench
    }

    pub(super) fn joined(connected_us: u64) -> Self {
        let mut bench = Bench::new();
        bench.join(connected_us);
        bench
    }

    pub(super) fn join(&mut self, us: u64) {
        let connected = at(us);
        self.order(us, Command::Bridge { call: call(), caller: CALLER, agent: AGENT, connected, record: true });
    }

    pub(super) fn play(&mut self, us: u64, audio: &[i16]) {
        self.order(us, Command::Play { call: call(), play: Play::Greeting, audio: audio.into() });
    }

    pub(super) fn close(&mut self, us: u64, ended_us: u64) {
        self.order(us, Command::CloseCall { call: call(), ended: at(ended_us) });
    }

    pub(super) fn order(&mut self, us: u64, command: Command) {
        self.run(us);
        self.bridge.handle(at(us), command);
        self.collect();
    }

    pub(super) fn packet(&mut self, us: u64, leg: LegId, header: Header, payload: &[u8]) {
        self.packet_from(us, leg, phone(leg), header, payload);
    }

    pub(super) fn packet_from(&mut self, us: u64, leg: LegId, source: SocketAddr, header: Header, payload: &[u8]) {
        self.run(us);
        let mut bytes = Vec::new();
        rtp::write(&header, payload, &mut bytes).unwrap();
        self.bridge.handle_rtp(at(us), leg, source, at(us), &bytes);
        self.collect();
    }

    /// Lets timers fire until `us`.
    pub(super) fn run(&mut self, us: u64) {
        while let Some((when, _)) = self.bridge.poll_timeout().filter(|(when, _)| *when <= at(us).mono) {
            self.now = at(0).after(when.since(at(0).mono));
            self.bridge.handle_timeout(self.now);
            self.collect();
        }
        self.now = at(us);
    }

    pub(super) fn collect(&mut self) {
        self.arrange();
        while let Some(transmit) = self.bridge.poll_transmit() {
            if transmit.component == Component::Rtcp {
                self.rtcp.push((self.now, transmit.leg, transmit.to, transmit.bytes.to_vec()));
                continue;
            }
            let packet = Packet::parse(transmit.bytes).unwrap();
            self.sent.push((self.now, transmit.leg, transmit.to, packet.header, packet.payload.to_vec()));
        }
        self.events.extend(std::iter::from_fn(|| self.bridge.poll_event()));
        while let Some(recorded) = self.bridge.poll_recorded() {
            match recorded {
                Recorded::Block(block) => {
                    assert_eq!(block.first_frame as usize, self.frames.len() / 2, "blocks without a gap");
                    self.frames.extend(block.samples);
                }
                Recorded::End { total_frames, .. } => self.total = Some(total_frames),
                Recorded::Forget { .. } => self.frames.clear(),
            }
        }
    }

    /// As a media thread does: what may have changed is asked for only if the bridge says so. It must never have changed if not.
    fn arrange(&mut self) {
        let next = self.bridge.poll_timeout().map(|(at, _)| at);
        let peers = [CALLER, AGENT].map(|leg| self.bridge.peer(leg));
        if self.bridge.take_stirred() {
            self.known = (next, peers);
            return;
        }
        assert!(
            next.is_none_or(|next| self.known.0.is_some_and(|known| known <= next)),
            "a deadline came nearer unsaid"
        );
        assert_eq!(peers, self.known.1, "a peer changed unsaid");
    }

    pub(super) fn channel(&self, channel: usize) -> Vec<i16> {
        self.frames.chunks(2).map(|frame| frame[channel]).collect()
    }

    pub(super) fn sent_to(&self, leg: LegId) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(move |s| s.1 == leg)
    }
}

/// A tone as it sounds after A-law.
pub(super) fn tone(hz: f64, samples: usize) -> Vec<i16> {
    let sample = |n: usize| (8_000.0 * (n as f64 * hz * std::f64::consts::TAU / 8_000.0).sin()) as i16;
    (0..samples).map(|n| Law::A.decode(Law::A.encode(sample(n)))).collect()
}

pub(super) fn encode(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|s| Law::A.encode(*s)).collect()
}

pub(super) fn audio(n: u16, ssrc: u32) -> Header {
    let timestamp = 0xffff_f000u32.wrapping_add(u32::from(n) * 160);
    Header { payload_type: 8, marker: n == 0, sequence: 65_500u16.wrapping_add(n), timestamp, ssrc }
}

/// Arrival in µs, leg, header, payload.
type Arrival = (u64, LegId, Header, Vec<u8>);

/// Packets of one phone, and the numbers of those that were lost. Half of them come without delay, the others up to
/// 60 ms late (so they swap places); the first one is late; one in twenty is lost.
fn speak(leg: LegId, from_us: u64, samples: &[i16], seed: u64) -> (Vec<Arrival>, Vec<usize>) {
    let mut random = Random::from_number(seed);
    let (mut packets, mut lost) = (Vec::new(), Vec::new());
    for (n, payload) in samples.chunks(160).enumerate() {
        let late = if n == 0 { 35_000 } else { u64::from(random.below(2) * random.below(60_000)) };
        if n > 0 && random.below(20) == 0 {
            lost.push(n);
        } else {
            let arrival = from_us + n as u64 * 20_000 + late;
            packets.push((arrival, leg, audio(n as u16, leg.0 as u32), encode(payload)));
        }
    }
    (packets, lost)
}

/// The shift within a few samples at which `channel` has the most of `truth` (which begins at frame `at`).
fn matched(channel: &[i16], truth: &[i16], at: i64, lost: &[usize]) -> (i64, usize, usize) {
    // Concealment crossfades from 30 samples before a loss to 80 behind it.
    let near = |n: usize| n.saturating_sub(80) / 160..=(n + 30) / 160;
    let whole: Vec<usize> = (0..truth.len()).filter(|n| !near(*n).any(|packet| lost.contains(&packet))).collect();
    let score = |shift: i64| {
        let same = |n: &usize| channel.get((at + shift) as usize + n) == Some(&truth[*n]);
        whole.iter().filter(|n| same(n)).count()
    };
    let best = (-8..=8).max_by_key(|shift| score(*shift)).unwrap_or(0);
    (best, score(best), whole.len())
}

#[test]
fn two_tones_land_on_their_own_channels_in_place() {
    for seed in 0..5 {
        let (left, right) = (tone(440.0, 80_000), tone(1_010.0, 72_000));
        let (mut packets, lost_left) = speak(CALLER, 313_370, &left, seed);
        let (agents, lost_right) = speak(AGENT, 777_010, &right, seed + 100);
        packets.extend(agents);
        packets.sort_by_key(|p| p.0);
        let mut bench = Bench::joined(250_000);
        for (us, leg, header, payload) in packets {
            bench.packet(us, leg, header, &payload);
        }
        bench.close(11_000_060, 11_000_060);
        assert_eq!(bench.total, Some(86_000));
        assert_eq!(bench.frames.len(), 86_000 * 2);
        // 63.37 ms and 527.01 ms after connected.
        for (channel, truth, at, lost) in [(0, left, 507, lost_left), (1, right, 4_216, lost_right)] {
            let (shift, same, of) = matched(&bench.channel(channel), &truth, at, &lost);
            assert!(shift.abs() <= 1, "seed {seed}, channel {channel}: off by {shift}");
            assert_eq!(same, of, "seed {seed}, channel {channel}: every sample that was not lost");
        }
        let received: Vec<Received> = bench.events.iter().filter_map(closed).collect();
        assert_eq!(received[0].packets, 500 - received[0].lost);
        assert_eq!(bench.bridge.counters().tap_missed, 0);
    }
}

fn closed(event: &Event) -> Option<Received> {
    match event {
        Event::Closed { received, .. } => Some(*received),
        _ => None,
    }
}

/// Both people speak all the time; a greeting is played in the middle.
fn greeted() -> (Bench, Vec<i16>) {
    let greeting: Vec<i16> = tone(700.0, 8_040);
    let mut bench = Bench::joined(0);
    for n in 0..150u16 {
        let us = u64::from(n) * 20_000;
        bench.packet(us + 3_000, CALLER, audio(n, 1), &encode(&vec![1_000; 160]));
        bench.packet(us + 9_000, AGENT, audio(n, 2), &encode(&vec![-2_000; 160]));
        if n == 40 {
            bench.play(us + 12_500, &greeting);
        }
    }
    bench.close(3_000_000, 3_000_000);
    (bench, greeting)
}

#[test]
fn the_greeting_is_on_the_right_channel_where_it_was_played() {
    let (bench, greeting) = greeted();
    let started = bench.events.iter().find_map(|e| match e {
        Event::PlayStarted { at, .. } => Some(*at),
        _ => None,
    });
    assert_eq!(started, Some(at(812_500)));
    let ended = Event::PlayEnded { call: call(), play: Play::Greeting, at: at(1_832_500), to_end: true };
    assert!(bench.events.contains(&ended), "51 frames of 20 ms");
    let voice = Law::A.decode(Law::A.encode(-2_000));
    let right = bench.channel(1);
    for (n, sample) in greeting.iter().enumerate() {
        assert_eq!(right[6_500 + n], sample.saturating_add(voice), "frame {n}");
    }
    assert_eq!((right[6_499], right[6_500 + 8_160]), (voice, voice));
    assert!(bench.channel(0)[24..].iter().all(|s| *s == Law::A.decode(Law::A.encode(1_000))));
}

#[test]
fn during_the_greeting_each_hears_what_the_contract_says() {
    let (bench, greeting) = greeted();
    let during = |s: &&Sent| s.0.mono >= at(812_500).mono && s.0.mono < at(1_832_500).mono;
    let caller: Vec<u8> = bench.sent_to(CALLER).filter(during).flat_map(|s| s.4.clone()).collect();
    assert_eq!(caller[..greeting.len()], encode(&greeting), "nothing but the prompt");
    let agent: Vec<_> = bench.sent_to(AGENT).filter(during).collect();
    assert_eq!(agent.len(), 51);
    let quiet = |n: usize| (f64::from(greeting[n]) * 0.2512) as i32;
    for (n, sent) in agent.iter().enumerate().skip(1).take(49) {
        assert_eq!(sent.0, at(812_500 + n as u64 * 20_000));
        for (k, code) in sent.4.iter().enumerate() {
            let expected = quiet(n * 160 + k) + 1_000;
            let heard = i32::from(Law::A.decode(*code));
            assert!((heard - expected).abs() <= 130, "frame {n}.{k}: {heard} for {expected}");
        }
    }
}

#[test]
fn both_streams_are_continuous_through_the_greeting() {
    let (bench, _) = greeted();
    for leg in [CALLER, AGENT] {
        let sent: Vec<_> = bench.sent_to(leg).collect();
        assert!(sent.iter().all(|s| s.3.ssrc == sent[0].3.ssrc && s.3.payload_type == 8 && s.2 == phone(leg)));
        for pair in sent.windows(2) {
            let (before, after) = (&pair[0].3, &pair[1].3);
            assert_eq!(after.sequence, before.sequence.wrapping_add(1));
            let step = after.timestamp.wrapping_sub(before.timestamp);
            assert!((160..=320).contains(&step), "{step}");
        }
        assert_eq!(sent.iter().filter(|s| s.3.marker).count(), 3, "begin, prompt, relay again");
        // The time line stays at the wall clock: no drift through the switches beyond one packet.
        let (first, last) = (sent[0], sent[sent.len() - 1]);
        let wall = i64::try_from(last.0.mono.since(first.0.mono).as_nanos() / 125_000).unwrap();
        let line = i64::from(last.3.timestamp.wrapping_sub(first.3.timestamp));
        assert!((wall - line).abs() <= 160, "{wall} {line}");
    }
}

#[test]
fn before_the_bridge_packets_are_counted_and_go_nowhere() {
    let mut bench = Bench::new();
    bench.packet(1_000, CALLER, audio(0, 1), &[0xd5; 160]);
    bench.packet(21_000, CALLER, audio(1, 1), &[0xd5; 160]);
    assert_eq!(bench.sent.len(), 0);
    let first = Event::FirstPacket { call: call(), leg: CALLER, at: at(1_000) };
    assert_eq!(bench.events.iter().filter(|e| **e == first).count(), 1);
    bench.order(30_000, Command::CloseLeg { leg: AGENT });
    bench.close(40_000, 40_000);
    let packets: Vec<u64> = bench.events.iter().filter_map(closed).map(|r| r.packets).collect();
    assert_eq!(packets, [0, 2]);
    assert_eq!((bench.total, bench.bridge.is_over()), (None, true));
}

#[test]
fn foreign_and_invalid_packets_go_nowhere() {
    let mut bench = Bench::joined(0);
    let stranger = SocketAddr::from(([127, 0, 0, 99], 4_000));
    let other_port = SocketAddr::new(phone(CALLER).ip(), 4_002);
    bench.packet_from(1_000, CALLER, stranger, audio(0, 9), &[0; 160]);
    // Symmetric RTP: the first valid packet's port counts, whatever SDP said.
    bench.packet_from(2_000, CALLER, other_port, audio(0, 1), &[0; 160]);
    bench.packet(3_000, CALLER, audio(1, 1), &[0; 160]);
    bench.packet_from(4_000, CALLER, other_port, Header { payload_type: 18, ..audio(1, 1) }, &[0; 20]);
    bench.bridge.handle_rtp(at(5_000), CALLER, other_port, at(5_000), b"no RTP");
    bench.packet(6_000, AGENT, audio(0, 2), &[0; 160]);
    assert_eq!(
        bench.sent.iter().map(|s| (s.1, s.2)).collect::<Vec<_>>(),
        [(AGENT, phone(AGENT)), (CALLER, other_port)]
    );
    bench.close(7_000, 7_000);
    let received = bench.events.iter().find_map(closed).unwrap();
    assert_eq!((received.packets, received.foreign, received.invalid), (1, 2, 2));
}

#[test]
fn a_new_address_by_signalling_may_latch_again() {
    let mut bench = Bench::joined(0);
    bench.packet(1_000, CALLER, audio(0, 1), &[0; 160]);
    let moved = SocketAddr::from(([127, 0, 0, 50], 6_000));
    bench.packet_from(2_000, CALLER, moved, audio(1, 1), &[0; 160]);
    assert_eq!(bench.sent.len(), 1);
    let remote = Remote { rtp: moved, allowed: vec![moved.ip()], ..remote(CALLER) };
    bench.order(3_000, Command::Remote { leg: CALLER, remote });
    bench.packet_from(4_000, CALLER, moved, audio(2, 1), &[0; 160]);
    assert_eq!(bench.sent.len(), 2);
}

#[test]
fn hold_is_honoured_both_ways_and_leaves_no_gap() {
    let mut bench = Bench::joined(0);
    for n in 0..30u16 {
        let us = u64::from(n) * 20_000;
        match n {
            10 => {
                let held = Remote { send: false, receive: true, ..remote(AGENT) };
                bench.order(us, Command::Remote { leg: AGENT, remote: held });
                let mute = Remote { send: true, receive: false, ..remote(CALLER) };
                bench.order(us, Command::Remote { leg: CALLER, remote: mute });
            }
            20 => {
                for leg in [CALLER, AGENT] {
                    bench.order(us, Command::Remote { leg, remote: remote(leg) });
                }
            }
            _ => {}
        }
        bench.packet(us + 1_000, CALLER, audio(n, 1), &[0; 160]);
        bench.packet(us + 2_000, AGENT, audio(n, 2), &[0; 160]);
    }
    let to_agent: Vec<&Header> = bench.sent_to(AGENT).map(|s| &s.3).collect();
    assert_eq!((to_agent.len(), bench.sent_to(CALLER).count()), (20, 30));
    assert_eq!(to_agent[10].sequence, to_agent[9].sequence.wrapping_add(1));
    assert_eq!(to_agent[10].timestamp, to_agent[9].timestamp.wrapping_add(11 * 160));
    bench.close(1_000_000, 1_000_000);
    let left = bench.channel(0);
    assert_eq!(left[2_000..3_000], [0; 1_000], "what a held caller sends is not recorded");
    assert_eq!(bench.events.iter().find_map(closed).unwrap().packets, 30);
}

#[test]
fn events_are_mapped_between_payload_types_and_silent_in_the_recording() {
    let mut bench = Bench::joined(0);
    bench.packet(0, CALLER, audio(0, 1), &[0; 160]);
    let event = Header { payload_type: 101, timestamp: audio(1, 1).timestamp, ..audio(1, 1) };
    bench.packet(20_000, CALLER, event, &[5, 10, 0, 160]);
    bench.packet(40_000, CALLER, Header { sequence: event.sequence.wrapping_add(1), ..event }, &[5, 10, 1, 64]);
    let events: Vec<_> = bench.sent_to(AGENT).skip(1).map(|s| (s.3.payload_type, s.3.timestamp)).collect();
    let begun = bench.sent[0].3.timestamp.wrapping_add(160);
    assert_eq!(events, [(102, begun), (102, begun)]);
    bench.close(100_000, 100_000);
    assert!(bench.channel(0)[160..].iter().all(|s| *s == 0));
}

#[test]
fn a_stopped_greeting_is_not_played_to_its_end() {
    let mut bench = Bench::joined(0);
    bench.play(100_000, &[500; 16_000]);
    bench.close(1_010_500, 1_000_500);
    let stopped = Event::PlayEnded { call: call(), play: Play::Greeting, at: at(1_000_500), to_end: false };
    assert!(bench.events.contains(&stopped));
    let right = bench.channel(1);
    assert_eq!((right.len(), right[799], right[800], right[8_003]), (8_004, 0, 500, 500));
}

#[test]
fn a_silent_call_is_recorded_as_silence_and_blocks_come_in_time() {
    let mut bench = Bench::joined(0);
    bench.run(1_000_000);
    assert_eq!(bench.frames.len() / 2, 5_600, "all that is older than 200 ms, but for the last block and slack");
    bench.close(1_000_000, 1_000_000);
    assert_eq!((bench.frames.len() / 2, bench.total), (8_000, Some(8_000)));
}

/// Not a test: prints what a packet costs. `cargo test --release --lib -- --ignored --nocapture packet_cost`.
#[test]
#[ignore = "prints a figure"]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "measures the machine")]
fn packet_cost() {
    let mut benches: BTreeMap<u32, Bridge> = BTreeMap::new();
    for n in 0..200 {
        benches.insert(n, Bench::joined(0).bridge);
    }
    let payload = encode(&tone(440.0, 160));
    let (mut packets, mut sent, mut bytes) = (0u64, 0u64, Vec::new());
    let started = std::time::Instant::now();
    for n in 0..500u16 {
        for (offset, bridge) in &mut benches {
            for leg in [CALLER, AGENT] {
                let now = at(u64::from(n) * 20_000 + u64::from(*offset) * 50);
                bytes.clear();
                rtp::write(&audio(n, leg.0 as u32), &payload, &mut bytes).unwrap();
                bridge.handle_rtp(now, leg, phone(leg), now, &bytes);
                packets += 1;
                while bridge.poll_transmit().is_some() {
                    sent += 1;
                }
                while bridge.poll_recorded().is_some() || bridge.poll_event().is_some() {}
            }
        }
    }
    let each = started.elapsed().as_nanos() / u128::from(packets);
    println!("{packets} packets of 200 recorded calls, {sent} sent: {each} ns each");
}

/// The agent's phone speaks PCMU under a number of its own, the caller's PCMA.
fn mixed() -> Bench {
    let mut bench = Bench::joined(0);
    let remote = Remote { codec: Codec::Pcmu, payload_type: 96, ..remote(AGENT) };
    bench.order(0, Command::Remote { leg: AGENT, remote });
    bench
}

#[test]
fn legs_of_different_codecs_are_transcoded_packet_by_packet() {
    let mut bench = mixed();
    let voice = tone(440.0, 400);
    let alaw = encode(&voice);
    // Packets of 30 and 20 ms stay what they are.
    bench.packet(1_000, CALLER, audio(0, 1), &alaw[..240]);
    let second = Header { timestamp: audio(0, 1).timestamp.wrapping_add(240), ..audio(1, 1) };
    bench.packet(31_000, CALLER, second, &alaw[240..]);
    let ulaw: Vec<u8> = voice.iter().map(|s| Law::Mu.encode(*s)).collect();
    bench.packet(32_000, AGENT, Header { payload_type: 96, ..audio(0, 2) }, &ulaw[..160]);
    let to = |leg| bench.sent_to(leg).map(|s| (s.0, s.3.payload_type, s.4.clone())).collect::<Vec<_>>();
    assert_eq!(to(AGENT), [(at(1_000), 96, ulaw[..240].to_vec()), (at(31_000), 96, ulaw[240..].to_vec())]);
    let back: Vec<u8> = ulaw[..160].iter().map(|c| Law::A.encode(Law::Mu.decode(*c))).collect();
    assert_eq!(to(CALLER), [(at(32_000), 8, back)]);
    bench.close(100_000, 100_000);
    let right = bench.channel(1);
    let heard: Vec<i16> = ulaw[..160].iter().map(|c| Law::Mu.decode(*c)).collect();
    assert_eq!(right[256..416], heard, "each leg is recorded in its own codec");
    assert_eq!(bench.channel(0)[8..408], voice);
}

#[test]
fn the_greeting_is_said_to_each_leg_in_its_codec() {
    let mut bench = mixed();
    let greeting = tone(700.0, 160);
    bench.play(10_000, &greeting);
    bench.run(40_000);
    let caller = bench.sent_to(CALLER).next().unwrap();
    assert_eq!((caller.3.payload_type, &caller.4), (8, &encode(&greeting)));
    let agent = bench.sent_to(AGENT).next().unwrap();
    let quiet = mix::Gain::from_db(-12.0);
    let expected: Vec<u8> = greeting.iter().map(|s| Law::Mu.encode(quiet.apply(*s))).collect();
    assert_eq!((agent.3.payload_type, &agent.4), (96, &expected));
}

#[test]
fn equal_codecs_are_passed_on_bit_by_bit() {
    let mut bench = Bench::joined(0);
    let marked: Vec<u8> = (0..160).map(|n| n as u8 ^ 0x55).collect();
    bench.packet(1_000, CALLER, audio(0, 1), &marked);
    assert_eq!(bench.sent[0].4, marked);
    // A phone that named both codecs may change to the other one.
    bench.packet(21_000, AGENT, Header { payload_type: 0, ..audio(0, 2) }, &[0xff; 160]);
    assert_eq!((bench.sent[1].3.payload_type, &bench.sent[1].4), (8, &vec![0xd5; 160]));
}

/// Half way through, the caller's phone takes another SSRC, number and time line (a transfer behind the trunk).
#[test]
fn a_new_ssrc_in_mid_call_is_one_stream_for_the_agent_and_in_place_in_the_recording() {
    let mut bench = Bench::joined(0);
    let voice = tone(440.0, 16_000);
    for (n, payload) in voice.chunks(160).enumerate() {
        let header = match n {
            0..50 => audio(n as u16, 1),
            _ => Header { sequence: n as u16, timestamp: n as u32 * 160, ..audio(n as u16, 77) },
        };
        bench.packet(n as u64 * 20_000, CALLER, header, &encode(payload));
    }
    let sent: Vec<&Header> = bench.sent_to(AGENT).map(|s| &s.3).collect();
    assert_eq!(sent.len(), 100);
    for pair in sent.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
    }
    assert_eq!(sent.iter().filter(|h| h.marker).count(), 2);
    bench.close(2_000_000, 2_000_000);
    assert_eq!(bench.channel(0), voice);
    let received = bench.events.iter().find_map(closed).unwrap();
    assert_eq!((received.packets, received.lost, received.jitter_us), (100, 0, 0));
}

#[test]
fn of_two_ssrcs_from_one_source_the_agent_hears_one() {
    let mut bench = Bench::joined(0);
    for n in 0..500u16 {
        bench.packet(u64::from(n) * 20_000, CALLER, audio(n, 1), &[1; 160]);
        bench.packet(u64::from(n) * 20_000 + 3_000, CALLER, audio(n, 2), &[2; 160]);
    }
    let sent: Vec<&Sent> = bench.sent_to(AGENT).collect();
    assert!(sent.iter().filter(|s| s.3.marker).count() <= 2, "one change at most");
    assert!((480..=510).contains(&sent.len()), "{}", sent.len());
    // The time line keeps to the clock: it does not run at twice its speed.
    let line = sent[sent.len() - 1].3.timestamp.wrapping_sub(sent[0].3.timestamp);
    assert!(line.abs_diff(499 * 160) <= 320, "{line}");
    let heard = sent.len() as u64;
    bench.close(10_000_000, 10_000_000);
    let received = bench.events.iter().find_map(closed).unwrap();
    assert_eq!((received.packets, received.lost, received.jitter_us), (heard, 0, 0));
}

#[test]
fn a_jump_of_timestamps_moves_nothing_that_is_heard() {
    let mut bench = Bench::joined(0);
    let voice = tone(440.0, 16_000);
    for (n, payload) in voice.chunks(160).enumerate() {
        let jump = if n < 50 { 0 } else { 1_000_000_007 };
        let header = audio(n as u16, 1);
        let header = Header { timestamp: header.timestamp.wrapping_add(jump), ..header };
        bench.packet(n as u64 * 20_000, CALLER, header, &encode(payload));
    }
    let steps = |pair: &[&Sent]| pair[1].3.timestamp.wrapping_sub(pair[0].3.timestamp) == 160;
    assert!(bench.sent_to(AGENT).collect::<Vec<_>>().windows(2).all(steps));
    bench.close(2_000_000, 2_000_000);
    assert_eq!(bench.channel(0), voice);
    assert_eq!(bench.events.iter().find_map(closed).unwrap().jitter_us, 0);
}

/// What the gateway reported on a leg, and the round trip that it found when the peer answered 30 ms later.
#[test]
fn each_leg_is_reported_on_and_the_round_trip_is_measured() {
    let mut bench = Bench::joined(0);
    let above = |leg: LegId| SocketAddr::new(phone(leg).ip(), phone(leg).port() + 1);
    let mut answered = 0;
    for n in 0..1_000u16 {
        let us = u64::from(n) * 20_000;
        if n % 10 != 9 {
            bench.packet(us, CALLER, audio(n, 1), &[0xd5; 160]);
        }
        bench.packet(us, AGENT, audio(n, 2), &[0xd5; 160]);
        for (sent, leg, to, bytes) in bench.rtcp.split_off(0) {
            assert_eq!(to, above(leg));
            let report = Compound::parse(&bytes).unwrap().reports().next().unwrap();
            let block = report.blocks().next().unwrap();
            assert_eq!(block.ssrc, leg.0 as u32);
            let share = if leg == CALLER { 20..=32 } else { 0..=0 };
            assert!(share.contains(&block.fraction_lost), "{}", block.fraction_lost);
            let info = report.sender.unwrap();
            assert_eq!(info.octets, info.packets * 160);
            if leg == CALLER {
                // The phone answers 10 ms after it has the report; each way takes 10 ms.
                let highest = bench.sent_to(CALLER).last().map_or(0, |sent| u32::from(sent.3.sequence));
                let heard = rtcp::Block { highest, lost: 7, fraction_lost: 3, jitter: 80, ..Default::default() };
                let seen = Seen { ssrc: report.ssrc, info, heard };
                let later = bench.now.mono.since(at(0).mono).as_micros() as u64;
                let then = sent.mono.since(at(0).mono).as_micros() as u64 + 30_000;
                bench.answer(then.max(later), above(CALLER), &seen);
                answered += 1;
            }
        }
    }
    assert!((3..=8).contains(&answered), "{answered} reports in 20 s");
    bench.close(20_000_000, 20_000_000);
    let last: Vec<_> = bench.rtcp.iter().filter(|(_, _, _, b)| Compound::parse(b).unwrap().says_bye()).collect();
    assert_eq!(last.len(), 2, "BYE on each leg");
    let received: Vec<Received> = bench.events.iter().filter_map(closed).collect();
    let rtt = received[0].rtt_us.unwrap();
    assert!((20_000..=40_001).contains(&rtt) && received[1].rtt_us.is_none(), "{received:?}");
    let measured = |e: &Event| if let Event::Measured { heard, .. } = e { Some(heard.sent.clone()) } else { None };
    let [Some(sent), None] = &bench.events.iter().filter_map(measured).collect::<Vec<_>>()[..] else {
        panic!("only the caller's phone reports");
    };
    assert_eq!((sent.codec.as_str(), sent.packets, sent.reports), ("PCMA", 1_000, answered));
    assert!((700..=1_000).contains(&sent.expected), "{sent:?}");
    assert_eq!((sent.lost, sent.worst_256, sent.jitter_us, sent.rtt_us), (7, 3, 10_000, Some(rtt)));
}

/// A report of ours, as the peer has it.
struct Seen {
    ssrc: u32,
    info: SenderInfo,
    heard: rtcp::Block,
}

impl Bench {
    fn answer(&mut self, us: u64, from: SocketAddr, seen: &Seen) {
        let block = rtcp::Block {
            ssrc: seen.ssrc,
            last_report: rtcp::middle(seen.info.ntp),
            delay: rtcp::delay(Duration::from_millis(10)),
            ..seen.heard
        };
        let mut bytes = Vec::new();
        rtcp::write(&Outgoing { ssrc: 9, sender: None, block: Some(block), cname: "p", bye: false }, &mut bytes);
        self.run(us);
        self.bridge.handle_rtcp(at(us), CALLER, from, at(us), &bytes);
        self.collect();
    }
}

#[test]
fn reports_go_only_to_a_peer_that_is_known_and_come_only_from_it() {
    let mut bridge = Bridge::new(call(), Random::from_number(7));
    bridge.handle(at(0), Command::Open { call: call(), leg: CALLER, side: Side::Caller, local: phone(CALLER) });
    assert_eq!(bridge.poll_timeout(), None, "nobody to report to");
    let mut bench = Bench::joined(0);
    for n in 0..300u16 {
        bench.packet(u64::from(n) * 20_000, CALLER, audio(n, 1), &[0xd5; 160]);
    }
    let (_, _, _, bytes) = bench.rtcp.iter().find(|r| r.1 == AGENT).unwrap().clone();
    let report = Compound::parse(&bytes).unwrap().reports().next().unwrap();
    let seen = Seen { ssrc: report.ssrc, info: report.sender.unwrap(), heard: Default::default() };
    bench.answer(6_001_000, SocketAddr::from(([127, 0, 0, 99], 4_001)), &seen);
    bench.close(6_002_000, 6_002_000);
    assert!(bench.events.iter().filter_map(closed).all(|r| r.rtt_us.is_none()));
    assert_eq!(bench.bridge.counters().foreign_rtcp, 1);
}

fn silences(bench: &Bench) -> Vec<(LegId, Now)> {
    bench
        .events
        .iter()
        .filter_map(|e| if let Event::Silent { leg, at, .. } = e { Some((*leg, *at)) } else { None })
        .collect()
}

#[test]
fn a_leg_that_falls_silent_is_reported_and_so_is_its_return() {
    let mut bench = Bench::joined(500_000);
    for n in 0..600u16 {
        bench.packet(500_000 + u64::from(n) * 20_000, AGENT, audio(n, 2), &[0xd5; 160]);
    }
    // The caller never sent anything: counted from *connected*.
    assert_eq!(silences(&bench), [(CALLER, at(10_500_000))]);
    bench.packet(12_600_000, CALLER, audio(0, 1), &[0xd5; 160]);
    assert!(bench.events.contains(&Event::Resumed { call: call(), leg: CALLER, at: at(12_600_000) }));
    bench.run(22_500_000);
    assert_eq!(silences(&bench)[1..], [(AGENT, at(22_480_000))]);
}

#[test]
fn nothing_is_expected_of_a_leg_on_hold_or_one_that_reports() {
    let mut bench = Bench::joined(0);
    for held in [(false, true), (true, false)] {
        let remote = Remote { send: held.0, receive: held.1, ..remote(AGENT) };
        bench.order(1_000, Command::Remote { leg: AGENT, remote });
        for second in 0..30 {
            let mut report = Vec::new();
            rtcp::write(&Outgoing { ssrc: 9, sender: None, block: None, cname: "p", bye: false }, &mut report);
            let us = bench.now.mono.since(at(0).mono).as_micros() as u64 + second * 1_000;
            bench.run(us + 1_000_000);
            let from = SocketAddr::new(phone(CALLER).ip(), 4_001);
            bench.bridge.handle_rtcp(bench.now, CALLER, from, bench.now, &report);
        }
    }
    assert_eq!(silences(&bench), []);
    let back = bench.now.mono.since(at(0).mono).as_micros() as u64;
    bench.order(back, Command::Remote { leg: AGENT, remote: remote(AGENT) });
    bench.run(back + 30_000_000);
    let agents = silences(&bench).into_iter().find(|(leg, _)| *leg == AGENT);
    assert_eq!(agents, Some((AGENT, at(back + 10_000_000))), "counted from the end of the hold");
}
