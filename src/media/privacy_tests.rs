//! What may not be heard in a recording, through the whole bridge: digits that the caller keys, pauses, and a caller who opts out.

use std::time::Duration;

use super::tests::{Bench, at, audio, call};
use super::{Command, Event};
use crate::ids::LegId;
use crate::protocol::rtp::Header;

const CALLER: LegId = LegId(1);
const AGENT: LegId = LegId(2);

/// Both talk from `from` to `to`, in packets of 20 ms.
fn talk(bench: &mut Bench, from: u16, to: u16) {
    for n in from..to {
        for (leg, ssrc) in [(CALLER, 1), (AGENT, 2)] {
            bench.packet(u64::from(n) * 20_000, leg, audio(n, ssrc), &[0x2a; 160]);
        }
    }
}

/// Whether a channel has sound at each tenth of a second.
fn heard(bench: &Bench, channel: usize) -> String {
    let sound = bench.channel(channel);
    sound.chunks(800).map(|tenth| if tenth.iter().all(|s| *s == 0) { '.' } else { '#' }).collect()
}

/// Since *connected*, in ms.
fn blanked(bench: &Bench) -> Vec<(bool, u64)> {
    let since = |at: crate::clock::Now| u64::try_from(at.mono.since(super::tests::at(0).mono).as_millis()).unwrap();
    let told = bench.events.iter().filter_map(|event| match event {
        Event::Blanked { on, at, .. } => Some((*on, since(*at))),
        _ => None,
    });
    told.collect()
}

#[test]
fn keys_of_the_caller_leave_silence_on_both_channels_and_the_time_line_goes_on() {
    let mut bench = Bench::joined(0);
    bench.order(0, Command::GuardKeys { call: call(), after: Duration::from_secs(1) });
    talk(&mut bench, 0, 100);
    // 2.0 to 2.4 s, the key; the phone's own tone of it is in the sound before and behind.
    for n in 100..120 {
        let event = Header { payload_type: 101, timestamp: audio(100, 1).timestamp, ..audio(n, 1) };
        let end = if n == 119 { 0x8a } else { 10 };
        let length = (u16::from(n as u8) - 99) * 160;
        bench.packet(u64::from(n) * 20_000, CALLER, event, &[7, end, (length >> 8) as u8, length as u8]);
        bench.packet(u64::from(n) * 20_000, AGENT, audio(n, 2), &[0x2a; 160]);
    }
    talk(&mut bench, 120, 250);
    bench.close(5_000_000, 5_000_000);
    assert_eq!(bench.total, Some(40_000));
    // From 100 ms before the first packet of the key until a second behind the last one, at 2.38 s.
    let expected = format!("{}{}{}", "#".repeat(19), ".".repeat(14), "#".repeat(17));
    assert_eq!([heard(&bench, 0), heard(&bench, 1)], [expected.clone(), expected]);
    assert_eq!(blanked(&bench), [(true, 1_900), (false, 3_380)]);
}

#[test]
fn a_parked_caller_answers_a_menu_and_is_not_blanked() {
    let mut bench = Bench::joined(0);
    bench.order(0, Command::GuardKeys { call: call(), after: Duration::from_secs(1) });
    talk(&mut bench, 0, 50);
    bench.order(1_000_000, Command::Park { call: call(), hears: super::Hears::Nothing });
    bench.order(1_100_000, Command::Keyed { call: call(), at: at(1_100_000) });
    bench.order(
        1_200_000,
        Command::Bridge { call: call(), caller: CALLER, agent: AGENT, connected: at(0), record: true },
    );
    bench.order(1_200_000, Command::GuardKeys { call: call(), after: Duration::from_millis(300) });
    bench.order(1_500_000, Command::Keyed { call: call(), at: at(1_500_000) });
    bench.run(2_000_000);
    bench.close(2_000_000, 2_000_000);
    assert_eq!(blanked(&bench), [(true, 1_400), (false, 1_800)]);
}

#[test]
fn a_pause_is_silence_and_a_caller_who_opts_out_leaves_nothing() {
    let mut bench = Bench::joined(0);
    talk(&mut bench, 0, 50);
    bench.order(1_000_000, Command::Pause { call: call(), paused: true, at: at(1_000_000) });
    talk(&mut bench, 50, 100);
    bench.order(2_000_000, Command::Pause { call: call(), paused: false, at: at(2_000_000) });
    talk(&mut bench, 100, 150);
    assert_eq!(heard(&bench, 1), format!("{}{}{}", "#".repeat(10), ".".repeat(10), "#".repeat(7)));
    bench.order(3_000_000, Command::Unrecord { call: call() });
    talk(&mut bench, 150, 200);
    bench.close(4_000_000, 4_000_000);
    assert_eq!((bench.frames.len(), bench.total), (0, None), "the recorder was told to forget it");
}
