//! One-way audio in virtual time, with sound made for it.

use std::time::Duration;

use super::tests::{AGENT, Bench, CALLER, audio, call, encode, remote, tone};
use super::*;
use crate::ids::Random;
use crate::protocol::rtp::Header;
use crate::protocol::rtp::rtcp::{self, Outgoing, SenderInfo};

/// What a phone sends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sends {
    Nothing,
    /// Syllables with pauses, over the noise of a room.
    Speech,
    /// Two and a half seconds of that, then the noise of a room.
    Turn,
    /// The noise of a room.
    Room,
    /// Digital silence.
    Zeros,
    /// Comfort noise once, then nothing.
    Dtx,
}

/// What both send from one second to another.
type Scene = (u64, u64, Sends, Sends);

fn packet(sends: Sends, n: u64, random: &mut Random) -> Option<Vec<u8>> {
    let spoken = (sends == Sends::Speech || (sends == Sends::Turn && n < 125)) && n % 22 < 15;
    let voice = tone(500.0, 160);
    let mut sample = |k: usize| (random.below(121) as i16 - 60) + if spoken { voice[k] / 4 } else { 0 };
    match sends {
        Sends::Nothing => None,
        Sends::Zeros => Some(encode(&[0; 160])),
        Sends::Speech | Sends::Turn | Sends::Room => Some(encode(&(0..160).map(&mut sample).collect::<Vec<_>>())),
        Sends::Dtx => n.is_multiple_of(400).then(|| vec![70]),
    }
}

/// The two talk; orders are given at their second.
fn talk(bench: &mut Bench, scenes: &[Scene], orders: Vec<(u64, Command)>) {
    talk_and_report(bench, scenes, orders, Vec::new());
}

/// The agent's phone reports how many packets it has sent, at its second.
fn talk_and_report(bench: &mut Bench, scenes: &[Scene], mut orders: Vec<(u64, Command)>, mut reports: Vec<(u64, u32)>) {
    let mut random = Random::from_number(5);
    let mut sequence = [0u16; 2];
    for &(from, until, caller, agent) in scenes {
        for n in from * 50..until * 50 {
            let us = n * 20_000 + 10_000;
            while orders.first().is_some_and(|(second, _)| second * 50 <= n) {
                let (second, command) = orders.remove(0);
                bench.order(second * 1_000_000, command);
            }
            while reports.first().is_some_and(|(second, _)| second * 50 <= n) {
                let (_, packets) = reports.remove(0);
                let sender = Some(SenderInfo { ntp: 1, timestamp: 1, packets, octets: 0 });
                let mut bytes = Vec::new();
                rtcp::write(&Outgoing { ssrc: 9, sender, block: None, cname: "p", bye: false }, &mut bytes);
                bench.run(us);
                let now = super::tests::at(us);
                bench.bridge.handle_rtcp(now, AGENT, super::tests::phone(AGENT), now, &bytes);
                bench.collect();
            }
            for (leg, sends) in [(CALLER, caller), (AGENT, agent)] {
                let Some(payload) = packet(sends, n - from * 50, &mut random) else { continue };
                let number = &mut sequence[usize::from(leg == AGENT)];
                let (payload_type, timestamp) = (if sends == Sends::Dtx { 13 } else { 8 }, n as u32 * 160);
                let header = Header { payload_type, timestamp, ..audio(*number, leg.0 as u32) };
                *number += 1;
                bench.packet(us, leg, header, &payload);
            }
        }
    }
}

/// Leg, by what, when it was told and when it had begun (ms); `None`: it ended.
fn told(bench: &Bench) -> Vec<(LegId, OneWayBy, u64, Option<u64>)> {
    let ms = |at: &Now| at.mono.since(super::tests::at(0).mono).as_millis() as u64;
    let one = |event: &Event| match event {
        Event::OneWay { leg, by, lasted, at, .. } => {
            Some((*leg, *by, ms(at), Some(ms(at) - lasted.as_millis() as u64)))
        }
        Event::OneWayEnded { leg, by, at, .. } => Some((*leg, *by, ms(at), None)),
        _ => None,
    };
    bench.events.iter().filter_map(one).collect()
}

use Sends::{Dtx, Nothing, Room, Speech, Turn, Zeros};

#[track_caller]
fn alarms(scenes: &[Scene], wanted: &[(LegId, OneWayBy, u64, Option<u64>)]) {
    let mut bench = Bench::joined(0);
    talk(&mut bench, scenes, Vec::new());
    let told = told(&bench);
    assert_eq!(told.len(), wanted.len(), "{told:?}");
    for (told, wanted) in told.iter().zip(wanted) {
        assert_eq!((told.0, told.1, told.3.is_some()), (wanted.0, wanted.1, wanted.3.is_some()), "{told:?}");
        let near = |told: u64, wanted: u64| told.abs_diff(wanted) <= 200;
        assert!(near(told.2, wanted.2), "{told:?} {wanted:?}");
        assert!(told.3.zip(wanted.3).is_none_or(|(told, wanted)| near(told, wanted)), "{told:?} {wanted:?}");
    }
}

#[test]
fn packets_that_never_come_stop_and_come_again() {
    let by = OneWayBy::Packets;
    alarms(&[(0, 6, Speech, Nothing), (6, 8, Speech, Room)], &[(AGENT, by, 4_000, Some(0)), (AGENT, by, 6_000, None)]);
    alarms(
        &[(0, 3, Room, Speech), (3, 9, Nothing, Speech), (9, 10, Room, Speech)],
        &[(CALLER, by, 7_000, Some(3_000)), (CALLER, by, 9_000, None)],
    );
}

#[test]
fn digital_silence_while_the_other_one_talks() {
    let by = OneWayBy::Energy;
    alarms(
        &[(0, 3, Speech, Room), (3, 9, Speech, Zeros), (9, 11, Speech, Room)],
        &[(AGENT, by, 7_000, Some(3_000)), (AGENT, by, 9_000, None)],
    );
    // Told as soon as the other one has said something.
    alarms(&[(0, 10, Zeros, Room), (10, 12, Zeros, Speech)], &[(CALLER, by, 11_500, Some(0))]);
}

#[test]
fn it_is_told_within_five_seconds_of_its_begin() {
    for scenes in [[(0, 5, Speech, Zeros)], [(0, 5, Speech, Nothing)]] {
        let mut bench = Bench::joined(0);
        talk(&mut bench, &scenes, Vec::new());
        assert_eq!(told(&bench).len(), 1, "{scenes:?}");
    }
}

#[test]
fn whoever_listens_pauses_or_is_silent_with_the_other_raises_no_alarm() {
    for scene in [(Speech, Room), (Speech, Dtx), (Dtx, Speech), (Zeros, Zeros), (Room, Zeros), (Nothing, Nothing)] {
        let mut bench = Bench::new();
        for leg in [CALLER, AGENT] {
            bench.order(0, Command::Remote { leg, remote: Remote { comfort_noise: Some(13), ..remote(leg) } });
        }
        bench.join(0);
        talk(&mut bench, &[(0, 20, scene.0, scene.1)], Vec::new());
        assert_eq!(told(&bench), [], "{scene:?}");
    }
}

#[test]
fn a_first_pause_without_a_word_of_it_is_no_alarm_while_the_phone_reports() {
    let scenes = [(0, 3, Speech, Turn), (3, 20, Speech, Nothing), (20, 23, Speech, Turn), (23, 30, Speech, Nothing)];
    let heard = |scenes: &[Scene], reports: &[(u64, u32)]| {
        let mut bench = Bench::joined(0);
        talk_and_report(&mut bench, scenes, Vec::new(), reports.to_vec());
        told(&bench).iter().map(|(leg, by, at, begun)| (*leg, *by, *at / 100, begun.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(heard(&scenes, &[(2, 100), (6, 150), (11, 150), (16, 150), (22, 200), (27, 250)]), []);
    let by = OneWayBy::Packets;
    // Nobody says that it pauses: the time after which its media is lost anyhow.
    assert_eq!(heard(&scenes[..2], &[]), [(AGENT, by, 129, true)]);
    // It has gone on sending.
    assert_eq!(heard(&scenes[..2], &[(2, 100), (8, 400)]), [(AGENT, by, 80, true)]);
    // In the middle of a word, and of a phone that sends its silence.
    assert_eq!(heard(&[(0, 2, Speech, Turn), (2, 8, Speech, Nothing)], &[(1, 50)]), [(AGENT, by, 59, true)]);
    assert_eq!(heard(&[(0, 8, Speech, Turn), (8, 13, Speech, Nothing)], &[(1, 50)]), [(AGENT, by, 119, true)]);
}

#[test]
fn whoever_comes_back_first_after_an_outage_is_not_alone_yet() {
    alarms(&[(0, 2, Speech, Room), (2, 8, Nothing, Nothing), (8, 11, Speech, Nothing), (11, 13, Speech, Room)], &[]);
}

#[test]
fn no_alarm_during_a_hold_or_a_prompt_and_a_hold_ends_one() {
    let remote_of = |send| Command::Remote { leg: AGENT, remote: Remote { send, ..remote(AGENT) } };
    let mut bench = Bench::joined(0);
    let held = vec![(5, remote_of(false)), (15, remote_of(true))];
    talk(&mut bench, &[(0, 18, Speech, Zeros)], held);
    let by = OneWayBy::Energy;
    let [(AGENT, first, _, Some(_)), (AGENT, ended, 5_000, None)] = told(&bench)[..] else {
        panic!("{:?}", told(&bench));
    };
    assert_eq!((first, ended), (by, by));

    let mut bench = Bench::joined(0);
    let prompt = Command::Play { call: call(), play: Play::Greeting, audio: vec![900; 10 * 8_000].into() };
    talk(&mut bench, &[(0, 13, Speech, Zeros)], vec![(0, prompt)]);
    assert_eq!(told(&bench), []);
    talk(&mut bench, &[(13, 16, Speech, Zeros)], Vec::new());
    assert!(matches!(told(&bench)[..], [(AGENT, OneWayBy::Energy, 14_000..14_300, Some(10_000..10_100))]));
}

#[test]
fn a_silence_of_five_seconds_and_the_voice_after_it_are_told_with_their_levels() {
    let mut bench = Bench::joined(0);
    talk(&mut bench, &[(0, 2, Speech, Speech), (2, 10, Room, Speech), (10, 12, Speech, Speech)], Vec::new());
    let voices: Vec<(LegId, Duration, Live)> = bench
        .events
        .iter()
        .filter_map(|e| {
            if let Event::Voice { leg, live, at, .. } = e {
                Some((*leg, at.mono.since(super::tests::at(0).mono), *live))
            } else {
                None
            }
        })
        .collect();
    let [(CALLER, quiet, silent), (CALLER, back, speaking)] = voices[..] else { panic!("{voices:?}") };
    assert!((6_800..7_200).contains(&quiet.as_millis()) && (10_000..10_200).contains(&back.as_millis()), "{voices:?}");
    assert_eq!((silent.silent_ms, speaking.silent_ms, silent.snr_db()), (5_000, 0, None));
    assert!((silent.level_dbov - silent.noise_dbov).abs() < 3.0, "{voices:?}");
}
