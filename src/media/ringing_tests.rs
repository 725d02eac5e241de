//! The ringing tone, and what is said and pressed while the greeting is played.

use super::tests::*;
use super::*;
use crate::protocol::rtp::Header;

/// A phone that has early media, rings for 3.01 s, then is connected and greeted.
fn rung() -> Bench {
    let mut bench = Bench::new();
    let (burst, period) = (Duration::from_secs(1), Duration::from_secs(5));
    bench.order(10_000, Command::Ringback { leg: CALLER, burst, period });
    bench.run(3_020_000);
    bench.join(3_025_000);
    bench.play(3_025_000, &tone(700.0, 1_600));
    bench.run(4_000_000);
    bench
}

#[test]
fn the_ringing_tone_goes_to_the_caller_alone_until_the_legs_are_joined() {
    let mut bench = rung();
    let started = Event::RingbackStarted { call: call(), leg: CALLER, at: at(10_000) };
    assert_eq!(bench.events.iter().filter(|e| **e == started).count(), 1);
    assert!(bench.sent_to(AGENT).all(|s| s.0.mono >= at(3_025_000).mono));
    let ring: Vec<&Sent> = bench.sent_to(CALLER).filter(|s| s.0.mono < at(3_025_000).mono).collect();
    assert_eq!(ring.len(), 151);
    assert!(ring.iter().enumerate().all(|(n, s)| s.0 == at(10_000 + n as u64 * 20_000)));
    let loud = |s: &&Sent| s.4.iter().any(|code| Law::A.decode(*code).abs() > 6_000);
    assert!(ring[..50].iter().all(loud) && !ring[50..].iter().any(loud));
    bench.close(4_000_000, 4_000_000);
    assert_eq!(bench.total, Some(7_800), "recorded from *connected*, without the ringing");
}

#[test]
fn from_the_ringing_tone_into_the_greeting_one_stream() {
    let bench = rung();
    let sent: Vec<&Sent> = bench.sent_to(CALLER).collect();
    for pair in sent.windows(2) {
        assert_eq!(pair[1].3.sequence, pair[0].3.sequence.wrapping_add(1));
        let step = pair[1].3.timestamp.wrapping_sub(pair[0].3.timestamp);
        assert!((160..=320).contains(&step), "{step}");
        assert_eq!(pair[1].3.ssrc, pair[0].3.ssrc);
    }
    assert_eq!(sent.iter().filter(|s| s.3.marker).count(), 1);
}

#[test]
fn a_caller_who_leaves_stops_the_ringing_tone() {
    let mut bench = Bench::new();
    let (burst, period) = (Duration::from_secs(1), Duration::from_secs(5));
    bench.order(0, Command::Ringback { leg: CALLER, burst, period });
    bench.order(500_000, Command::CloseLeg { leg: AGENT });
    bench.close(1_000_000, 1_000_000);
    let sent = bench.sent.len();
    bench.run(5_000_000);
    assert_eq!((bench.sent.len(), bench.bridge.is_over(), bench.bridge.poll_timeout()), (sent, true, None));
}

#[test]
fn what_the_caller_says_at_the_end_of_the_greeting_reaches_the_agent() {
    let mut bench = Bench::joined(0);
    bench.play(0, &[0; 1_600]);
    let voice = tone(440.0, 3_200);
    for (n, payload) in voice.chunks(160).enumerate() {
        bench.packet(5_000 + n as u64 * 20_000, CALLER, audio(n as u16, 1), &encode(payload));
    }
    // The first tick came before the caller's first word; from then on not one sample is missing.
    let heard: Vec<u8> = bench.sent_to(AGENT).skip(1).flat_map(|s| s.4.clone()).collect();
    assert_eq!(heard.iter().map(|c| Law::A.decode(*c)).collect::<Vec<_>>(), voice);
    let sent: Vec<&Sent> = bench.sent_to(AGENT).collect();
    for pair in sent.windows(2) {
        assert_eq!(pair[1].3.sequence, pair[0].3.sequence.wrapping_add(1));
        assert_eq!(pair[1].3.timestamp, pair[0].3.timestamp.wrapping_add(160));
    }
}

#[test]
fn keys_pressed_during_the_greeting_reach_the_agent() {
    let mut bench = Bench::joined(0);
    bench.play(0, &[0; 1_600]);
    bench.packet(5_000, CALLER, audio(0, 1), &[0xd5; 160]);
    for n in 1..4 {
        let event = Header { payload_type: 101, timestamp: audio(1, 1).timestamp, marker: n == 1, ..audio(n, 1) };
        bench.packet(5_000 + u64::from(n) * 20_000, CALLER, event, &[5, 10, u8::from(n == 3), 160]);
    }
    bench.run(100_000);
    let events: Vec<&Sent> = bench.sent_to(AGENT).filter(|s| s.3.payload_type == 102).collect();
    assert_eq!(events.len(), 3);
    assert!(events[0].3.marker && events.iter().all(|s| s.3.timestamp == events[0].3.timestamp));
    assert!(
        bench.sent_to(AGENT).collect::<Vec<_>>().windows(2).all(|p| p[1].3.sequence == p[0].3.sequence.wrapping_add(1))
    );
    assert!(bench.sent_to(CALLER).all(|s| s.3.payload_type == 8));
}
