//! What the agent alone hears, and what is told of the two who talk.

use super::tests::{AGENT, Bench, CALLER, at, audio, call, encode, tone};
use super::*;
use crate::protocol::audio::g711;

/// Both speak from packet to packet: the caller 450 Hz, the agent 1,000 Hz.
fn speak(bench: &mut Bench, packets: std::ops::Range<u16>) {
    let (caller, agent) = (encode(&tone(450.0, 160)), encode(&tone(1_000.0, 160)));
    for n in packets {
        bench.packet(u64::from(n) * 20_000, AGENT, audio(n, 2), &agent);
        bench.packet(u64::from(n) * 20_000, CALLER, audio(n, 3), &caller);
    }
}

/// The level of a frequency, as an amplitude.
fn amplitude(sound: &[i16], hz: f64) -> f64 {
    let turn = |n: usize| std::f64::consts::TAU * hz * n as f64 / f64::from(SAMPLE_RATE_HZ);
    let sum = sound
        .iter()
        .enumerate()
        .fold((0.0, 0.0), |(re, im), (n, s)| (re + f64::from(*s) * turn(n).cos(), im + f64::from(*s) * turn(n).sin()));
    2.0 * f64::hypot(sum.0, sum.1) / sound.len().max(1) as f64
}

fn heard(bench: &Bench, leg: LegId, from: usize, to: usize) -> Vec<i16> {
    let packets: Vec<_> = bench.sent_to(leg).collect();
    packets[from..to].iter().flat_map(|sent| sent.4.iter().map(|code| g711::Law::A.decode(*code))).collect()
}

#[test]
fn a_cue_is_in_the_agents_ear_and_nowhere_else() {
    let mut bench = Bench::joined(0);
    speak(&mut bench, 0..50);
    bench.order(1_000_000, Command::Cue { call: call(), audio: cue_tone(2) });
    speak(&mut bench, 50..150);
    bench.run(3_000_000);
    // 784 Hz for 150 ms, from the fiftieth packet on, over the caller's voice.
    let with = heard(&bench, AGENT, 50, 57);
    assert!(amplitude(&with, 784.0) > 800.0, "{}", amplitude(&with, 784.0));
    assert!(amplitude(&with[640..], 450.0) > 1_000.0, "the caller is heard beside it");
    let after = heard(&bench, AGENT, 90, 140);
    assert!(amplitude(&after, 784.0) < 60.0 && amplitude(&after, 450.0) > 1_000.0);
    // The caller hears the agent's own packets, untouched, and none is missing or added.
    let own = encode(&tone(1_000.0, 160));
    let to_caller: Vec<_> = bench.sent_to(CALLER).collect();
    assert_eq!(to_caller.len(), 150);
    assert!(to_caller.iter().all(|sent| sent.4 == own));
    assert!(to_caller.windows(2).all(|two| two[1].3.sequence.wrapping_sub(two[0].3.sequence) == 1));
    let to_agent: Vec<_> = bench.sent_to(AGENT).collect();
    assert!(to_agent.windows(2).all(|two| two[1].3.sequence.wrapping_sub(two[0].3.sequence) == 1));
    bench.close(3_000_000, 3_000_000);
    for channel in [0, 1] {
        assert!(amplitude(&bench.channel(channel)[8_000..10_400], 784.0) < 60.0, "channel {channel}");
    }
    assert!(!bench.events.iter().any(|e| matches!(e, Event::PlayStarted { .. } | Event::PlayEnded { .. })));
}

#[test]
fn what_is_heard_is_told_once_a_second_recorded_or_not() {
    for record in [true, false] {
        let mut bench = Bench::new();
        let connected = at(0);
        bench.order(0, Command::Bridge { call: call(), caller: CALLER, agent: AGENT, connected, record });
        speak(&mut bench, 0..10);
        assert!(!bench.events.iter().any(|e| matches!(e, Event::Heard { .. })), "nobody has asked");
        bench.order(200_000, Command::Listen { call: call() });
        speak(&mut bench, 10..250);
        bench.run(9_000_000);
        let told: Vec<(Stretch, Stretch, Now)> = bench
            .events
            .iter()
            .filter_map(|e| match e {
                Event::Heard { caller, agent, at, .. } => Some((*caller, *agent, *at)),
                _ => None,
            })
            .collect();
        assert!((8..=11).contains(&told.len()), "{}", told.len());
        let (caller, agent, _) = told[3];
        assert!(caller.comes && agent.comes);
        // A tone of full strength: 784 or 450 Hz, it is loud.
        assert!(caller.loudest_dbov > -30.0 && agent.loudest_dbov > -30.0, "{caller:?}");
        let (caller, ..) = told.last().unwrap();
        assert!(!caller.comes && !caller.is_voice(), "{caller:?}");
        bench.close(9_000_000, 9_000_000);
        assert_eq!(bench.total.is_some(), record, "what is only listened to leaves no recording");
        assert_eq!(bench.frames.is_empty(), !record);
    }
}

#[test]
fn a_prompt_that_is_hushed_ends_at_once() {
    let mut bench = Bench::joined(0);
    bench.play(20_000, &tone(700.0, 80_000));
    bench.run(1_000_000);
    bench.order(1_000_000, Command::Hush { call: call() });
    let ended = |e: &Event| matches!(e, Event::PlayEnded { to_end: false, .. });
    assert_eq!(bench.events.iter().filter(|e| ended(e)).count(), 1);
    let before = bench.sent_to(CALLER).count();
    bench.run(2_000_000);
    assert_eq!(bench.sent_to(CALLER).count(), before);
}

#[test]
fn both_hear_that_they_are_recorded_beside_each_other_and_so_does_the_recording() {
    let mut bench = Bench::joined(0);
    speak(&mut bench, 0..50);
    bench.order(1_000_000, Command::Warn { call: call() });
    speak(&mut bench, 50..150);
    bench.run(3_000_000);
    for (leg, other_hz) in [(AGENT, 450.0), (CALLER, 1_000.0)] {
        let with = heard(&bench, leg, 52, 74);
        assert!((1_300.0..1_900.0).contains(&amplitude(&with, 1_400.0)), "{}", amplitude(&with, 1_400.0));
        assert!(amplitude(&with, other_hz) > 1_000.0, "the other voice beside it");
        let after = heard(&bench, leg, 90, 140);
        assert!(amplitude(&after, 1_400.0) < 60.0 && amplitude(&after, other_hz) > 1_000.0);
        let sent: Vec<_> = bench.sent_to(leg).collect();
        // One more at the end: what had waited for the clock.
        assert!((150..=151).contains(&sent.len()), "none is missing: {}", sent.len());
        assert!(sent.windows(2).all(|two| two[1].3.sequence.wrapping_sub(two[0].3.sequence) == 1));
    }
    bench.close(3_000_000, 3_000_000);
    let [left, right] = [0, 1].map(|channel| amplitude(&bench.channel(channel)[8_400..11_600], 1_400.0));
    assert!((1_300.0..1_900.0).contains(&right) && left < 60.0, "once: {left} and {right}");

    // Not over a prompt, nor for somebody who is held, nor where nothing is recorded.
    let mut bench = Bench::joined(0);
    bench.play(20_000, &tone(700.0, 16_000));
    bench.order(100_000, Command::Warn { call: call() });
    bench.run(900_000);
    assert!(amplitude(&heard(&bench, CALLER, 5, 30), 1_400.0) < 60.0);
    let mut bench = Bench::new();
    let connected = at(0);
    bench.order(0, Command::Bridge { call: call(), caller: CALLER, agent: AGENT, connected, record: false });
    bench.order(20_000, Command::Warn { call: call() });
    bench.run(900_000);
    assert_eq!(bench.sent_to(CALLER).count(), 0);
}
