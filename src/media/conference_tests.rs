//! Who hears whom when somebody takes part in the talk of two, and what of it is recorded.

use super::carrying_tests::purity;
use super::conference::Audible;
use super::tests::*;
use super::*;
use crate::clock::Instant;
use crate::protocol::audio::g711;
use crate::protocol::audio::g722;
use crate::protocol::rtp::Header;

const THIRD: LegId = LegId(3);
/// What each of them sounds like.
const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 700.0;
const THIRD_HZ: f64 = 1_100.0;

/// A third leg is open beside the two, who are joined.
fn three() -> Bench {
    let mut bench = Bench::joined(0);
    bench.order(0, Command::Open { call: call(), leg: THIRD, side: Side::Agent, local: phone(THIRD) });
    bench.order(0, Command::Remote { leg: THIRD, remote: remote(THIRD) });
    bench
}

fn admit(bench: &mut Bench, ms: u64, audible: Audible) {
    bench.order(ms * 1_000, Command::Admit { call: call(), leg: THIRD, audible });
}

/// All three speak, each a tone, from one instant to the other.
fn talk(bench: &mut Bench, from_ms: u64, to_ms: u64, speakers: &[LegId]) {
    let voices = [(CALLER, CALLER_HZ, 1_000), (AGENT, AGENT_HZ, 5_000), (THIRD, THIRD_HZ, 9_000)];
    let coded = voices.map(|(leg, hz, after_us)| (leg, encode(&tone(hz, to_ms as usize * 8)), after_us));
    for n in from_ms / 20..to_ms / 20 {
        for (leg, coded, after_us) in coded.iter().filter(|(leg, ..)| speakers.contains(leg)) {
            let header = audio(n as u16, leg.0 as u32);
            bench.packet(n * 20_000 + after_us, *leg, header, &coded[n as usize * 160..][..160]);
        }
    }
}

const ALL: &[LegId] = &[CALLER, AGENT, THIRD];

/// What was sent to this leg from one instant to the other.
fn heard(bench: &Bench, leg: LegId, from_ms: u64, to_ms: u64) -> Vec<i16> {
    let within = |now: &Now| (at(from_ms * 1_000).mono..at(to_ms * 1_000).mono).contains(&now.mono);
    let sent = bench.sent_to(leg).filter(|sent| within(&sent.0));
    sent.flat_map(|sent| sent.4.iter().map(|code| g711::decode_alaw(*code))).collect()
}

#[track_caller]
fn hears(samples: &[i16], voices: &[f64]) {
    assert!(!samples.is_empty());
    for hz in [CALLER_HZ, AGENT_HZ, THIRD_HZ] {
        let share = purity(samples, hz, 8_000.0);
        let wanted = if voices.contains(&hz) { 1.0 / voices.len() as f64 } else { 0.0 };
        assert!((share - wanted).abs() < 0.05, "{hz} Hz is {share:.3} of it, not {wanted:.3}");
    }
}

/// What goes to caller and agent, to the bit: when, and which packet.
fn wire(bench: &Bench, leg: LegId) -> Vec<(Instant, u16, u32, Vec<u8>)> {
    let packet = |sent: &Sent| (sent.0.mono, sent.3.sequence, sent.3.timestamp, sent.4.clone());
    bench.sent_to(leg).map(packet).collect()
}

#[test]
fn whoever_only_listens_hears_both_and_changes_nothing_to_the_bit() {
    let mut alone = three();
    talk(&mut alone, 0, 4_000, ALL);
    alone.close(4_000_000, 4_000_000);
    let mut bench = three();
    talk(&mut bench, 0, 1_000, ALL);
    admit(&mut bench, 1_000, Audible::Nobody);
    talk(&mut bench, 1_000, 4_000, ALL);
    bench.close(4_000_000, 4_000_000);
    for leg in [CALLER, AGENT] {
        assert_eq!(wire(&bench, leg), wire(&alone, leg));
    }
    assert_eq!((bench.channel(0), bench.channel(1)), (alone.channel(0), alone.channel(1)));
    assert!(alone.sent_to(THIRD).next().is_none(), "nothing before it is admitted");
    hears(&heard(&bench, THIRD, 1_500, 3_900), &[CALLER_HZ, AGENT_HZ]);
}

#[test]
fn a_whisper_reaches_the_agent_alone() {
    let mut alone = three();
    talk(&mut alone, 0, 4_000, ALL);
    alone.close(4_000_000, 4_000_000);
    let mut bench = three();
    talk(&mut bench, 0, 1_000, ALL);
    admit(&mut bench, 1_000, Audible::Agent);
    talk(&mut bench, 1_000, 4_000, ALL);
    bench.close(4_000_000, 4_000_000);
    assert_eq!(wire(&bench, CALLER), wire(&alone, CALLER), "not one bit of it reaches the caller");
    assert_eq!((bench.channel(0), bench.channel(1)), (alone.channel(0), alone.channel(1)), "nor the recording");
    hears(&heard(&bench, AGENT, 1_500, 3_900), &[CALLER_HZ, THIRD_HZ]);
    hears(&heard(&bench, THIRD, 1_500, 3_900), &[CALLER_HZ, AGENT_HZ]);
}

#[test]
fn all_three_hear_each_other_and_the_recording_has_what_the_caller_heard() {
    let mut bench = three();
    admit(&mut bench, 0, Audible::All);
    talk(&mut bench, 0, 4_000, ALL);
    bench.close(4_000_000, 4_000_000);
    hears(&heard(&bench, CALLER, 500, 3_900), &[AGENT_HZ, THIRD_HZ]);
    hears(&heard(&bench, AGENT, 500, 3_900), &[CALLER_HZ, THIRD_HZ]);
    hears(&heard(&bench, THIRD, 500, 3_900), &[CALLER_HZ, AGENT_HZ]);
    hears(&bench.channel(0)[4_000..31_000], &[CALLER_HZ]);
    hears(&bench.channel(1)[4_000..31_000], &[AGENT_HZ, THIRD_HZ]);
    for leg in [CALLER, AGENT, THIRD] {
        let sent: Vec<_> = bench.sent_to(leg).collect();
        let even = |p: &[&Sent]| {
            p[1].3.timestamp.wrapping_sub(p[0].3.timestamp) == 160 && p[1].3.sequence == p[0].3.sequence.wrapping_add(1)
        };
        assert!(sent.windows(2).all(even), "one stream of 20 ms to {leg:?}");
    }
}

#[test]
fn from_listening_to_talking_and_back_and_away() {
    let mut bench = three();
    for (second, audible) in [(0, Audible::Nobody), (2, Audible::All), (4, Audible::Agent), (6, Audible::Nobody)] {
        admit(&mut bench, second * 1_000, audible);
        talk(&mut bench, second * 1_000, second * 1_000 + 2_000, ALL);
    }
    bench.order(8_000_000, Command::CloseLeg { leg: THIRD });
    talk(&mut bench, 8_000, 10_000, &[CALLER, AGENT]);
    bench.close(10_000_000, 10_000_000);
    let spans = [(500, 1_900), (2_500, 3_900), (4_500, 5_900), (6_500, 7_900), (8_500, 9_900)];
    let third_to_caller = [false, true, false, false, false];
    let third_to_agent = [false, true, true, false, false];
    for (n, (from, to)) in spans.into_iter().enumerate() {
        let with = |own: f64, third: bool| if third { vec![own, THIRD_HZ] } else { vec![own] };
        hears(&heard(&bench, CALLER, from, to), &with(AGENT_HZ, third_to_caller[n]));
        hears(&heard(&bench, AGENT, from, to), &with(CALLER_HZ, third_to_agent[n]));
        let right = &bench.channel(1)[from as usize * 8..to as usize * 8];
        hears(right, &with(AGENT_HZ, third_to_caller[n]));
        hears(&bench.channel(0)[from as usize * 8..to as usize * 8], &[CALLER_HZ]);
    }
    for leg in [CALLER, AGENT] {
        let sent: Vec<_> = bench.sent_to(leg).collect();
        assert!(sent.windows(2).all(|p| p[1].3.sequence == p[0].3.sequence.wrapping_add(1)), "no loss is made up");
        let forward = |p: &[&Sent]| (p[1].3.timestamp.wrapping_sub(p[0].3.timestamp) as i32) > 0;
        assert!(sent.windows(2).all(forward), "time goes forward");
    }
}

#[test]
fn caller_and_third_go_on_while_the_agent_holds_or_is_muted_and_after_the_agent_left() {
    let mut bench = three();
    admit(&mut bench, 0, Audible::All);
    talk(&mut bench, 0, 1_000, ALL);
    bench.order(1_000_000, Command::Remote { leg: AGENT, remote: Remote { send: false, ..remote(AGENT) } });
    talk(&mut bench, 1_000, 3_000, ALL);
    bench.order(3_000_000, Command::Remote { leg: AGENT, remote: remote(AGENT) });
    bench.order(3_000_000, Command::Mute { call: call(), muted: true });
    talk(&mut bench, 3_000, 5_000, ALL);
    let connected = at(0);
    bench.order(5_000_000, Command::Bridge { call: call(), caller: CALLER, agent: THIRD, connected, record: true });
    bench.order(5_000_000, Command::CloseLeg { leg: AGENT });
    talk(&mut bench, 5_000, 7_000, &[CALLER, THIRD]);
    bench.close(7_000_000, 7_000_000);
    for (from, to) in [(1_500, 2_900), (3_500, 4_900), (5_500, 6_900)] {
        hears(&heard(&bench, CALLER, from, to), &[THIRD_HZ]);
        hears(&heard(&bench, THIRD, from, to), &[CALLER_HZ]);
    }
    hears(&heard(&bench, AGENT, 3_500, 4_900), &[CALLER_HZ, THIRD_HZ]);
    hears(&bench.channel(1)[44_000..55_000], &[THIRD_HZ]);
    let direct: Vec<_> = bench.sent_to(CALLER).filter(|s| s.0.mono >= at(5_100_000).mono).collect();
    assert!(direct.len() > 90 && direct.iter().all(|s| s.0.mono.as_nanos() % 20_000_000 == 9_000_000), "as they come");
}

#[test]
fn a_prompt_is_heard_by_whoever_listens_and_hides_the_third_from_the_caller() {
    let mut bench = three();
    admit(&mut bench, 0, Audible::All);
    bench.play(0, &tone(1_700.0, 16_000));
    talk(&mut bench, 0, 2_000, ALL);
    let to_caller = heard(&bench, CALLER, 500, 1_900);
    assert!(purity(&to_caller, 1_700.0, 8_000.0) > 0.99, "the prompt and nothing else");
    let third = heard(&bench, THIRD, 500, 1_900);
    for hz in [1_700.0, CALLER_HZ, AGENT_HZ] {
        let share = purity(&third, hz, 8_000.0);
        assert!((share - 1.0 / 3.0).abs() < 0.05, "{hz} Hz: {share}");
    }
}

#[test]
fn a_wideband_caller_hears_the_mix_in_his_own_band() {
    let mut bench = three();
    let wide = Remote { codec: Codec::G722, payload_type: 9, ..remote(CALLER) };
    bench.order(0, Command::Remote { leg: CALLER, remote: wide });
    admit(&mut bench, 0, Audible::All);
    talk(&mut bench, 0, 3_000, &[AGENT, THIRD]);
    let mut decoder = g722::Decoder::default();
    let coded: Vec<u8> = bench.sent_to(CALLER).flat_map(|s| s.4.clone()).collect();
    assert!(bench.sent_to(CALLER).all(|s| s.3.payload_type == 9 && s.4.len() == 160));
    let to_caller: Vec<i16> = coded.iter().flat_map(|code| decoder.decode(*code)).collect();
    for hz in [AGENT_HZ, THIRD_HZ] {
        let share = purity(&to_caller[8_000..40_000], hz, 16_000.0);
        assert!((share - 0.5).abs() < 0.03, "{hz} Hz: {share}");
    }
}

#[test]
fn a_wideband_third_hears_the_upper_band_of_a_prompt() {
    let mut bench = three();
    let wide = Remote { codec: Codec::G722, payload_type: 9, ..remote(THIRD) };
    bench.order(0, Command::Remote { leg: THIRD, remote: wide });
    admit(&mut bench, 0, Audible::Nobody);
    let sample = |n: u32| (6_000.0 * (f64::from(n) * 5_600.0 * std::f64::consts::TAU / 16_000.0).sin()) as i16;
    let audio = Clip::wideband((0..48_000).map(sample).collect());
    bench.order(0, Command::Play { call: call(), play: Play::Greeting, audio });
    talk(&mut bench, 0, 2_000, &[CALLER]);
    let mut decoder = g722::Decoder::default();
    let coded: Vec<u8> = bench.sent_to(THIRD).flat_map(|s| s.4.clone()).collect();
    let heard: Vec<i16> = coded.iter().flat_map(|code| decoder.decode(*code)).collect();
    assert!(purity(&heard[8_000..24_000], 5_600.0, 16_000.0) > 0.2, "beside the caller");
}

#[test]
fn the_keys_of_a_call_with_three_are_passed_on_and_those_of_the_third_are_not() {
    let mut bench = three();
    admit(&mut bench, 0, Audible::All);
    talk(&mut bench, 0, 200, ALL);
    for (leg, event) in [(CALLER, 101u8), (THIRD, 103)] {
        let header = Header { payload_type: event, marker: true, ..audio(10, leg.0 as u32) };
        bench.packet(205_000, leg, header, &[5, 0x8a, 0x03, 0x20]);
    }
    let events = |leg: LegId, number: u8| bench.sent_to(leg).filter(|s| s.3.payload_type == number).count();
    assert_eq!((events(AGENT, 102), events(CALLER, 101)), (1, 0));
    let told = |leg| bench.events.iter().any(|e| matches!(e, Event::Key { leg: of, key: '5', .. } if *of == leg));
    assert!(told(CALLER) && told(THIRD), "both are told to the call");
}
