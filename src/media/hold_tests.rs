//! One of two people holds the other, in virtual time.

use std::net::SocketAddr;

use super::*;
use crate::clock::{Instant, Wall};
use crate::ids::Random;
use crate::protocol::rtp::Header;

const CALLER: LegId = LegId(1);
const AGENT: LegId = LegId(2);

fn at(ms: u64) -> Now {
    Now { mono: Instant::from_millis(1_000 + ms), wall: Wall::from_micros(0) }
}

fn remote(leg: LegId, send: bool, receive: bool) -> Remote {
    let rtp = SocketAddr::from(([127, 0, 0, leg.0 as u8 + 1], 4_000));
    let allowed = vec![rtp.ip()];
    Remote { rtp, allowed, telephone_event: None, send, receive, ..super::tests::remote(leg) }
}

/// Packets toward each of the two while `ms` pass.
fn pass(bridge: &mut Bridge, from: u64, to: u64) -> [usize; 2] {
    let mut sent = [0; 2];
    for ms in from..to {
        bridge.handle_timeout(at(ms));
        while let Some(transmit) = bridge.poll_transmit() {
            if transmit.component == Component::Rtp {
                sent[usize::from(transmit.leg == AGENT)] += 1;
            }
        }
        while bridge.poll_event().is_some() {}
    }
    sent
}

#[test]
fn the_held_one_hears_a_tone_until_the_hold_ends() {
    let call = CallId::new(Wall::from_micros(0), &mut Random::from_number(1));
    let mut bridge = Bridge::new(call, Random::from_number(2));
    for (leg, side) in [(CALLER, Side::Caller), (AGENT, Side::Agent)] {
        bridge.handle(at(0), Command::Open { call, leg, side, local: SocketAddr::from(([127, 0, 0, 1], 4_000)) });
        bridge.handle(at(0), Command::Remote { leg, remote: remote(leg, true, true) });
    }
    let joined = Command::Bridge { call, caller: CALLER, agent: AGENT, connected: at(0), record: true };
    bridge.handle(at(0), joined);
    assert_eq!(pass(&mut bridge, 0, 1_000), [0, 0]);
    // The agent's phone: inactive. After half a second without music of its own, fifty frames a second.
    bridge.handle(at(1_000), Command::Remote { leg: AGENT, remote: remote(AGENT, false, false) });
    assert_eq!(pass(&mut bridge, 1_000, 2_510), [51, 0]);
    // Both hold: nobody is there to hear anything.
    bridge.handle(at(2_510), Command::Remote { leg: CALLER, remote: remote(CALLER, false, true) });
    assert_eq!(pass(&mut bridge, 2_510, 3_510), [0, 0]);
    bridge.handle(at(3_510), Command::Remote { leg: AGENT, remote: remote(AGENT, true, true) });
    assert_eq!(pass(&mut bridge, 3_510, 5_015), [0, 51], "now the caller holds the agent");
    bridge.handle(at(5_015), Command::Remote { leg: CALLER, remote: remote(CALLER, true, true) });
    assert_eq!(pass(&mut bridge, 5_015, 6_000), [0, 0]);
    bridge.handle(at(6_000), Command::CloseCall { call, ended: at(6_000) });
    let mut right = Vec::new();
    while let Some(recorded) = bridge.poll_recorded() {
        if let Recorded::Block(block) = recorded {
            right.extend(block.samples.chunks(2).map(|frame| frame[1]));
        }
    }
    let loud = |from: usize, to: usize| right[from * 8..to * 8].iter().any(|s| s.abs() > 100);
    assert!(!loud(0, 1_400) && !loud(2_510, 6_000), "what the agent hears is not recorded");
}

#[test]
fn a_parked_caller_hears_the_tone_and_is_joined_to_another_in_one_recording() {
    const OTHER: LegId = LegId(3);
    let mut bench = super::tests::Bench::joined(0);
    let (call, audio, remote) = (super::tests::call(), super::tests::audio, super::tests::remote);
    bench.order(0, Command::Park { call, hears: Hears::Notes });
    for n in 0..100u16 {
        // The agent's voice goes nowhere any more, and the caller's neither.
        bench.packet(u64::from(n) * 20_000, AGENT, audio(n, 2), &[0x2a; 160]);
    }
    bench.run(2_000_000);
    let frames = |bench: &super::tests::Bench, leg| bench.sent_to(leg).count();
    let (tone, to_agent) = (frames(&bench, CALLER), frames(&bench, AGENT));
    assert_eq!((tone, to_agent), (76, 0), "fifty a second after half a second");
    let local = SocketAddr::from(([127, 0, 0, 1], 4_002));
    bench.order(2_000_000, Command::Open { call, leg: OTHER, side: Side::Agent, local });
    bench.order(2_000_000, Command::Remote { leg: OTHER, remote: remote(OTHER) });
    let connected = at(0);
    bench.order(2_000_000, Command::Bridge { call, caller: CALLER, agent: OTHER, connected, record: true });
    bench.order(2_000_000, Command::CloseLeg { leg: AGENT });
    for n in 0..50u16 {
        bench.packet(2_000_000 + u64::from(n) * 20_000, OTHER, audio(n, 3), &[0x2a; 160]);
    }
    assert_eq!((frames(&bench, CALLER) - tone, frames(&bench, AGENT)), (50, 0));
    bench.order(3_000_000, Command::CloseCall { call, ended: super::tests::at(3_000_000) });
    assert_eq!(bench.total, Some(24_000), "one recording from the beginning");
    let loud = |ms: std::ops::Range<usize>| bench.frames[ms.start * 16..ms.end * 16].iter().any(|s| s.abs() > 2_000);
    assert!(!loud(0..2_000) && loud(2_020..2_980), "the right channel follows whoever has the caller");
}

#[test]
fn comfort_noise_of_the_holder_is_no_music() {
    let mut bench = super::tests::Bench::joined(0);
    let audio = super::tests::audio;
    let holds = Command::Remote { leg: AGENT, remote: remote(AGENT, false, true) };
    bench.order(0, holds);
    for n in 0..100u16 {
        let us = u64::from(n) * 20_000;
        match n {
            // Its own music for a second, then a packet of noise now and then.
            0..50 => bench.packet(us, AGENT, audio(n, 2), &[0x55; 160]),
            _ if n % 10 == 0 => bench.packet(us, AGENT, Header { payload_type: 13, ..audio(n, 2) }, &[60]),
            _ => {}
        }
    }
    bench.run(1_999_000);
    let tone = bench.sent_to(CALLER).filter(|s| s.4.len() == 160 && s.4[0] != 0x55).count();
    let music = bench.sent_to(CALLER).filter(|s| s.4 == [0x55; 160]).count();
    assert_eq!((music, tone), (50, 26), "half a second after the music the tone begins");
    assert!(bench.sent_to(CALLER).all(|s| s.3.payload_type == 8));
    let sent: Vec<_> = bench.sent_to(CALLER).collect();
    assert!(sent.windows(2).all(|p| p[1].3.sequence.wrapping_sub(p[0].3.sequence) == 1), "nothing seems lost");
}

#[test]
fn a_muted_agent_is_recorded_and_not_heard() {
    let mut bench = super::tests::Bench::joined(0);
    let (call, audio) = (super::tests::call(), super::tests::audio);
    let speak = |bench: &mut super::tests::Bench, from: u16, to: u16| {
        for n in from..to {
            bench.packet(u64::from(n) * 20_000, AGENT, audio(n, 2), &[0x2a; 160]);
            bench.packet(u64::from(n) * 20_000, CALLER, audio(n, 3), &[0x2a; 160]);
        }
        [CALLER, AGENT].map(|leg| bench.sent_to(leg).count())
    };
    assert_eq!(speak(&mut bench, 0, 50), [50, 50]);
    bench.order(1_000_000, Command::Mute { call, muted: true });
    let muted = speak(&mut bench, 50, 150);
    bench.run(3_000_000);
    let notes = bench.sent_to(CALLER).count() - 50;
    assert_eq!(muted[1], 150, "the agent goes on hearing the caller");
    assert!((70..=80).contains(&notes), "{notes} packets of soft notes, after half a second");
    bench.order(3_000_000, Command::Mute { call, muted: false });
    let before = bench.sent_to(CALLER).count();
    speak(&mut bench, 150, 200);
    bench.order(4_000_000, Command::CloseCall { call, ended: super::tests::at(4_000_000) });
    assert_eq!(bench.sent_to(CALLER).count() - before, 50, "heard again");
    // Of one stream to the caller nothing is missing: what was left out is no loss.
    let loud = |ms: std::ops::Range<usize>| bench.frames[ms.start * 16..ms.end * 16].iter().any(|s| s.abs() > 2_000);
    assert!(loud(1_200..1_400) && loud(2_000..2_900), "the muted voice is in the recording");
}
