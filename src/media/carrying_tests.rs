//! Legs that differ, packets that are lost, pauses that are meant: what each side and the recording hear.

use std::net::SocketAddr;

use super::tests::*;
use super::*;
use crate::ids::Random;
use crate::protocol::audio::g722;
use crate::protocol::rtp::srtp::{Guard, Keying, MASTER, Suite};
use crate::protocol::rtp::{self, Header, Packet};

fn rms_db(samples: &[i16]) -> f64 {
    let power = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len().max(1) as f64;
    10.0 * (power.max(1e-3) / 32_768f64.powi(2)).log10()
}

/// How much of `samples` is a tone of that frequency: its share of the power.
pub(super) fn purity(samples: &[i16], hz: f64, rate: f64) -> f64 {
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (sin, cos) = (n as f64 * hz * std::f64::consts::TAU / rate).sin_cos();
        let sample = f64::from(*sample);
        re += sample * cos;
        im += sample * sin;
        power += sample * sample;
    }
    2.0 * (re * re + im * im) / (power.max(1.0) * samples.len() as f64)
}

fn wide_tone(hz: f64, pairs: usize) -> Vec<u8> {
    let mut encoder = g722::Encoder::default();
    let sample = |n: usize| (8_000.0 * (n as f64 * hz * std::f64::consts::TAU / 16_000.0).sin()) as i16;
    (0..pairs).map(|n| encoder.encode([sample(2 * n), sample(2 * n + 1)])).collect()
}

/// The caller speaks G.722, the agent A-law.
fn wide_and_narrow() -> Bench {
    let mut bench = Bench::new();
    let wide = Remote { codec: Codec::G722, payload_type: 9, ..remote(CALLER) };
    bench.order(0, Command::Remote { leg: CALLER, remote: wide });
    bench.join(0);
    bench
}

#[test]
fn a_wideband_and_a_narrowband_leg_hear_each_other_and_are_recorded_at_16_khz() {
    let mut bench = wide_and_narrow();
    let (high, low) = (wide_tone(1_000.0, 16_000), encode(&tone(1_600.0, 16_000)));
    for n in 0..100u16 {
        let us = u64::from(n) * 20_000;
        let part = usize::from(n) * 160..usize::from(n) * 160 + 160;
        bench.packet(us, CALLER, Header { payload_type: 9, ..audio(n, 1) }, &high[part.clone()]);
        bench.packet(us + 3_000, AGENT, audio(n, 2), &low[part]);
    }
    bench.run(2_000_000);
    let to_agent: Vec<i16> =
        bench.sent_to(AGENT).flat_map(|s| s.4.iter().map(|c| g711_a(*c)).collect::<Vec<_>>()).collect();
    assert!(bench.sent_to(AGENT).all(|s| s.3.payload_type == 8 && s.4.len() == 160));
    assert!(to_agent.len() >= 14_000 && purity(&to_agent[2_000..10_000], 1_000.0, 8_000.0) > 0.99);
    let mut decoder = g722::Decoder::default();
    let coded: Vec<u8> = bench.sent_to(CALLER).flat_map(|s| s.4.clone()).collect();
    let to_caller: Vec<i16> = coded.iter().flat_map(|c| decoder.decode(*c)).collect();
    assert!(bench.sent_to(CALLER).all(|s| s.3.payload_type == 9 && s.4.len() == 160));
    assert!(to_caller.len() >= 28_000 && purity(&to_caller[4_000..20_000], 1_600.0, 16_000.0) > 0.99);
    for leg in [CALLER, AGENT] {
        let sent: Vec<_> = bench.sent_to(leg).collect();
        assert!(sent.windows(2).all(|p| p[1].3.timestamp.wrapping_sub(p[0].3.timestamp) == 160));
    }
    bench.close(2_000_000, 2_000_000);
    assert_eq!(bench.total, Some(32_000), "16 kHz");
    assert!(purity(&bench.channel(0)[4_000..20_000], 1_000.0, 16_000.0) > 0.99);
    assert!(purity(&bench.channel(1)[4_000..20_000], 1_600.0, 16_000.0) > 0.99);
}

fn g711_a(code: u8) -> i16 {
    crate::protocol::audio::g711::decode_alaw(code)
}

#[test]
fn a_prompt_reaches_a_wideband_caller_and_its_voice_the_agent() {
    let mut bench = wide_and_narrow();
    bench.play(0, &tone(700.0, 8_000));
    let voice = wide_tone(1_000.0, 8_000);
    for n in 0..50u16 {
        let part = usize::from(n) * 160..usize::from(n) * 160 + 160;
        bench.packet(u64::from(n) * 20_000 + 1_000, CALLER, Header { payload_type: 9, ..audio(n, 1) }, &voice[part]);
    }
    let mut decoder = g722::Decoder::default();
    let coded: Vec<u8> = bench.sent_to(CALLER).flat_map(|s| s.4.clone()).collect();
    let heard: Vec<i16> = coded.iter().flat_map(|c| decoder.decode(*c)).collect();
    assert!(purity(&heard[2_000..14_000], 700.0, 16_000.0) > 0.99);
    let agent: Vec<i16> =
        bench.sent_to(AGENT).flat_map(|s| s.4.iter().map(|c| g711_a(*c)).collect::<Vec<_>>()).collect();
    assert!(purity(&agent[2_000..7_000], 1_000.0, 8_000.0) > 0.9, "over the prompt, 12 dB down");
}

/// A prompt of 16 kHz with a tone below 4 kHz and one above, seen on the wire and in the recording.
#[test]
fn who_speaks_wideband_hears_the_upper_band_of_a_prompt_and_others_its_lower_one() {
    let hz = |n: usize, hz: f64| 6_000.0 * (n as f64 * hz * std::f64::consts::TAU / 16_000.0).sin();
    let prompt = Clip::wideband((0..16_000).map(|n| (hz(n, 700.0) + hz(n, 5_600.0)) as i16).collect());
    for mut bench in [wide_and_narrow(), Bench::joined(0)] {
        bench.order(300_000, Command::Play { call: call(), play: Play::Greeting, audio: prompt.clone() });
        bench.run(1_400_000);
        let is_wide = bench.sent_to(CALLER).all(|s| s.3.payload_type == 9);
        assert_eq!(bench.sent_to(CALLER).count(), 50, "a packet every 20 ms");
        let coded = bench.sent_to(CALLER).flat_map(|s| s.4.clone());
        let mut decoder = g722::Decoder::default();
        let (heard, rate): (Vec<i16>, f64) = match is_wide {
            true => (coded.flat_map(|code| decoder.decode(code)).collect(), 16_000.0),
            false => (coded.map(g711_a).collect(), 8_000.0),
        };
        let middle = &heard[heard.len() / 4..heard.len() * 3 / 4];
        bench.close(1_500_000, 1_500_000);
        let (right, frames) = (bench.channel(1), rate as usize / 1_000);
        let recorded = &right[550 * frames..1_050 * frames];
        for (what, sound) in [("the wire", middle), ("the recording", recorded)] {
            let (low, high) = (purity(sound, 700.0, rate), purity(sound, 5_600.0, rate));
            match is_wide {
                true => assert!((low - 0.5).abs() < 0.03 && (high - 0.5).abs() < 0.03, "{what}: {low} {high}"),
                false => assert!(low > 0.99, "{what}: {low}"),
            }
        }
        let loud = |range: std::ops::Range<usize>| right[range].iter().any(|sample| sample.unsigned_abs() > 2_000);
        assert!(!loud(0..298 * frames) && loud(300 * frames..302 * frames), "where it was played");
        assert!(loud(1_297 * frames..1_299 * frames) && !loud(1_303 * frames..1_400 * frames));
    }
}

/// The agent hears it 12 dB down and the caller's voice with it, each in the band that it has.
#[test]
fn who_answers_in_wideband_hears_the_upper_band_of_a_prompt_too() {
    let hz = |n: usize, hz: f64| 6_000.0 * (n as f64 * hz * std::f64::consts::TAU / 16_000.0).sin();
    let clip = Clip::wideband((0..16_000).map(|n| hz(n, 5_600.0) as i16).collect());
    let mut bench = wide_and_narrow();
    let wide = Remote { codec: Codec::G722, payload_type: 9, ..remote(AGENT) };
    bench.order(0, Command::Remote { leg: AGENT, remote: wide });
    bench.order(0, Command::Play { call: call(), play: Play::Greeting, audio: clip });
    for (n, part) in wide_tone(1_000.0, 8_000).chunks(160).enumerate() {
        let header = Header { payload_type: 9, ..audio(n as u16, 1) };
        bench.packet(n as u64 * 20_000 + 1_000, CALLER, header, part);
    }
    let mut decoder = g722::Decoder::default();
    let coded: Vec<u8> = bench.sent_to(AGENT).flat_map(|s| s.4.clone()).collect();
    let heard: Vec<i16> = coded.iter().flat_map(|code| decoder.decode(*code)).collect();
    let middle = &heard[4_000..12_000];
    let (voice, prompt) = (purity(middle, 1_000.0, 16_000.0), purity(middle, 5_600.0, 16_000.0));
    // 8,000 against 6,000 less 12 dB.
    let expected = (1_507.0_f64 / 8_000.0).powi(2) / (1.0 + (1_507.0_f64 / 8_000.0).powi(2));
    assert!(voice > 0.93 && (prompt / expected - 1.0).abs() < 0.25, "{voice} {prompt}, not {expected}");
}

#[test]
fn each_leg_gets_packets_of_the_length_that_it_wishes() {
    for (comes, wished) in [(20u16, 30u8), (30, 20), (60, 10), (10, 60)] {
        let mut bench = Bench::new();
        let wishing = Remote { packet_ms: Some(wished), ..remote(AGENT) };
        bench.order(0, Command::Remote { leg: AGENT, remote: wishing });
        bench.join(0);
        let voice = encode(&tone(440.0, 24_000));
        let length = usize::from(comes) * 8;
        for (n, payload) in voice.chunks_exact(length).enumerate() {
            let header = Header { timestamp: (n * length) as u32, ..audio(n as u16, 1) };
            bench.packet(n as u64 * u64::from(comes) * 1_000, CALLER, header, payload);
        }
        let sent: Vec<_> = bench.sent_to(AGENT).collect();
        assert!(sent.iter().all(|s| s.4.len() == usize::from(wished) * 8), "{comes} to {wished} ms");
        let heard: Vec<i16> = sent.iter().flat_map(|s| s.4.iter().map(|c| g711_a(*c))).collect();
        assert!(heard.len() > 22_000 && purity(&heard[1_000..20_000], 440.0, 8_000.0) > 0.99, "{comes} to {wished} ms");
    }
}

/// The caller speaks for a second, is quiet for one (with this packet of comfort noise), and speaks again.
fn pausing(noise: &[u8]) -> Bench {
    let mut bench = Bench::joined(0);
    let voice = encode(&tone(440.0, 24_000));
    let mut sequence = 0;
    for n in 0..150u16 {
        let header = Header { sequence, timestamp: u32::from(n) * 160, marker: n == 0, ..audio(n, 1) };
        let us = u64::from(n) * 20_000;
        match n {
            0..50 | 100.. => bench.packet(us, CALLER, header, &voice[usize::from(n) * 160..][..160]),
            50 => bench.packet(us, CALLER, Header { payload_type: 13, ..header }, noise),
            _ => continue,
        }
        sequence += 1;
    }
    bench.close(3_000_000, 3_000_000);
    bench
}

#[test]
fn a_pause_is_no_loss_and_sounds_as_the_peer_wished() {
    // −50 dBov; the second is dull, as that of a ventilator: each sample resembles the one before.
    let resembles = |sound: &[i16]| {
        let product =
            |lag: usize| sound.iter().zip(&sound[lag..]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        product(1) / product(0)
    };
    for (noise, alike) in [(&[50][..], 0.0), (&[50, 13], 0.9)] {
        let left = pausing(noise).channel(0);
        let pause = &left[8_200..15_800];
        assert!((rms_db(pause) + 50.0).abs() < 1.0, "{} for {noise:?}", rms_db(pause));
        assert!((resembles(pause) - alike).abs() < 0.1, "{} for {noise:?}", resembles(pause));
    }
    let bench = pausing(&[50]);
    let rest = Event::Rested { call: call(), leg: CALLER, lasted: Duration::from_secs(1), at: at(2_000_000) };
    assert!(bench.events.contains(&rest), "{:?}", bench.events);
    assert_eq!(bench.bridge.counters().concealed, 0);
    let left = bench.channel(0);
    assert!(purity(&left[16_100..23_900], 440.0, 8_000.0) > 0.99);
    let received =
        bench.events.iter().find_map(|e| if let Event::Closed { received, .. } = e { Some(*received) } else { None });
    assert_eq!(received.map(|r| (r.packets, r.lost)), Some((101, 0)));
    assert_eq!(
        bench.sent_to(AGENT).filter(|s| s.3.payload_type == 13).count(),
        0,
        "the agent's phone did not ask for it"
    );
}

/// A recording of the right side when a share of the packets is lost, and where `zero`: what silence in their places gives.
pub(super) fn recorded(voice: &[i16], percent: u32, seed: u64) -> (Vec<i16>, Vec<i16>) {
    let mut bench = Bench::joined(0);
    let mut random = Random::from_number(seed);
    let mut silenced = voice.to_vec();
    for (n, part) in voice.chunks(160).enumerate() {
        if n > 5 && random.below(100) < percent {
            silenced[n * 160..(n * 160 + 160).min(voice.len())].fill(0);
            continue;
        }
        let header = Header { sequence: n as u16, timestamp: n as u32 * 160, ..audio(1, 2) };
        bench.packet(n as u64 * 20_000, AGENT, header, &encode(part));
    }
    let end = voice.len() as u64 * 125;
    bench.close(end, end);
    (bench.channel(1), silenced)
}

pub(super) fn speech() -> Vec<i16> {
    let file = include_bytes!("../../dialplans/prompts/zh-CN/greet/property/8.wav");
    let (samples, rate) = wav::read_mono(&file[..]).unwrap();
    if rate == 16_000 { crate::protocol::audio::resample::halve(&samples) } else { samples }
}

/// PESQ (P.862) of the recorded side; `cargo test -- --nocapture` shows the figures.
#[test]
#[expect(clippy::print_stdout, reason = "figures for whoever asks")]
fn what_was_lost_is_concealed_so_that_it_is_heard() {
    let voice = speech();
    let mut sum = (0.0, 0.0);
    for (percent, seeds) in [(1, 3u64), (3, 3), (5, 3), (10, 3)] {
        let (mut ours, mut zeros) = (0.0, 0.0);
        for seed in 0..seeds {
            let (concealed, silenced) = recorded(&voice, percent, 100 + seed);
            ours += pesq::pesq_8k(&voice, &concealed).unwrap() / seeds as f32;
            zeros += pesq::pesq_8k(&voice, &silenced).unwrap() / seeds as f32;
        }
        println!("{percent} %: PESQ {ours:.3} concealed, {zeros:.3} silenced");
        assert!(ours > zeros);
        sum = (sum.0 + ours, sum.1 + zeros);
    }
    assert!(sum.0 - sum.1 > 0.7, "{sum:?}");
}

#[test]
fn a_recording_with_15_percent_loss_stays_in_place() {
    let voice = speech();
    let (heard, _) = recorded(&voice, 15, 9);
    assert_eq!(heard.len(), voice.len());
    let likeness = |from: usize, shift: i64| -> f64 {
        (from..from + 8_000).map(|n| f64::from(voice[n]) * f64::from(heard[(n as i64 + shift) as usize])).sum::<f64>()
    };
    for from in [1_000, voice.len() / 2 - 4_000, voice.len() - 10_000] {
        let best = (-400..=400).max_by(|a, b| likeness(from, *a).total_cmp(&likeness(from, *b))).unwrap();
        assert!(best.abs() <= 160, "off by {best} samples at {from}");
    }
}

/// The agent's leg is secured; what is sent to it is given as it was sent.
fn secured() -> (Bench, keying::Secured) {
    let key = |octet| Keying { suite: Suite::AesCm128HmacSha1_80, master: [octet; MASTER] };
    let keys = keying::Secured { theirs: key(3), ours: key(4) };
    let mut bench = Bench::new();
    bench.order(0, Command::Remote { leg: AGENT, remote: Remote { srtp: Some(keys), ..remote(AGENT) } });
    bench.join(0);
    (bench, keys)
}

fn bytes(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    rtp::write(header, payload, &mut out).unwrap();
    out
}

#[test]
fn one_leg_is_secured_and_the_other_is_not() {
    let (mut bench, keys) = secured();
    let (mut phone_sends, mut phone_hears) = (Guard::new(&keys.theirs), Guard::new(&keys.ours));
    let stranger = SocketAddr::new(phone(AGENT).ip(), 5_555);
    for n in 0..50u16 {
        let now = at(u64::from(n) * 20_000);
        // From the same host, without the key: it is not believed, and learns nothing.
        bench.bridge.handle_rtp(now, AGENT, stranger, now, &bytes(&audio(n, 66), &[0; 160]));
        assert!(bench.bridge.poll_transmit().is_none());
        bench.bridge.handle_rtp(now, CALLER, phone(CALLER), now, &bytes(&audio(n, 1), &[n as u8; 160]));
        let sent = bench.bridge.poll_transmit().unwrap();
        assert_eq!((sent.to, sent.bytes.len()), (phone(AGENT), 182));
        let mut heard = sent.bytes.to_vec();
        let length = phone_hears.open(&mut heard).unwrap();
        assert_eq!(Packet::parse(&heard[..length]).unwrap().payload, [n as u8; 160]);
        assert!(bench.bridge.poll_transmit().is_none());
        let mut said = bytes(&audio(n, 2), &[0x55 ^ n as u8; 160]);
        phone_sends.protect(&mut said, 0);
        for copy in 0..2 {
            bench.bridge.handle_rtp(now, AGENT, phone(AGENT), now, &said);
            let passed = bench.bridge.poll_transmit().map(|t| Packet::parse(t.bytes).unwrap().payload.to_vec());
            assert_eq!(passed, (copy == 0).then(|| vec![0x55 ^ n as u8; 160]), "a replay goes nowhere");
        }
        bench.collect();
    }
    bench.close(1_000_000, 1_000_000);
    let received: Vec<Received> = bench
        .events
        .iter()
        .filter_map(|e| if let Event::Closed { received, .. } = e { Some(*received) } else { None })
        .collect();
    assert_eq!((received[1].packets, received[1].lost), (50, 0));
    assert_eq!(received[1].invalid + received[1].foreign, 100);
    let told: Vec<_> = measured(&bench).iter().map(|h| (h.measured.packets, h.measured.octets)).collect();
    assert_eq!(told, [(50, 8_000), (50, 8_000)], "payloads in the clear; strangers and replays are not measured");
}

/// Of the caller and of the agent, when both are closed.
fn measured(bench: &Bench) -> Vec<&Heard> {
    bench
        .events
        .iter()
        .filter_map(|e| if let Event::Measured { heard, .. } = e { Some(&**heard) } else { None })
        .collect()
}

#[test]
fn each_leg_is_rated_by_the_codec_that_was_spoken_on_it() {
    let mut bench = wide_and_narrow();
    let voice = wide_tone(1_000.0, 48_000);
    for n in 0..300u16 {
        let us = u64::from(n) * 20_000;
        let payload = &voice[usize::from(n) * 160..][..160];
        bench.packet(us, CALLER, Header { payload_type: 9, ..audio(n, 1) }, payload);
        // Agreed was A-law; after a third of a second the phone goes over to mu-law.
        let payload_type = if n < 16 { 8 } else { 0 };
        bench.packet(us, AGENT, Header { payload_type, ..audio(n, 2) }, &[0xd5; 160]);
    }
    bench.close(6_000_000, 6_000_000);
    let told = measured(&bench);
    assert_eq!(told.iter().map(|h| h.codec.as_str()).collect::<Vec<_>>(), ["G722", "PCMU"]);
    assert!(told.iter().all(|h| (h.measured.packets, h.measured.packet_us, h.measured.lost) == (300, 20_000, 0)));
    let scores: Vec<_> = told.iter().map(|h| h.score().unwrap()).collect();
    assert_eq!(scores[0].scale, crate::quality::Scale::Wb);
    assert_eq!(scores[1].scale, crate::quality::Scale::Nb);
}

#[test]
fn what_the_decoders_made_of_a_stream_is_counted_by_its_leg() {
    let mut bench = wide_and_narrow();
    let voice = encode(&tone(440.0, 80_000));
    let mut arrivals: Vec<(u64, u16)> = Vec::new();
    for n in (0..500u16).filter(|n| n % 50 != 20) {
        // Two packets come more than the whole buffer too late; the last second is calm.
        arrivals.push((u64::from(n) * 20_000 + if n == 210 || n == 330 { 300_000 } else { 0 }, n));
    }
    arrivals.sort_unstable();
    for (us, n) in arrivals {
        bench.packet(us, AGENT, audio(n, 2), &voice[usize::from(n) * 160..][..160]);
    }
    bench.order(10_000_000, Command::CloseLeg { leg: CALLER });
    bench.close(10_100_000, 10_100_000);
    let told = measured(&bench);
    let (callers, agents) = (told[0].decoded.unwrap(), told[1].decoded.unwrap());
    assert_eq!(callers, crate::quality::Decoded::default());
    assert_eq!(agents.late, 2, "{agents:?}");
    // Ten that were lost and the two; the recording waits for 200 ms.
    assert_eq!(agents.recording_concealed_us, 12 * 20_000, "{agents:?}");
    assert_eq!(agents.recording_late_us, 2 * 20_000);
    assert!((12 * 20_000..=14 * 20_000 + agents.expanded * 10_000).contains(&agents.concealed_us), "{agents:?}");
}

#[test]
fn another_ssrc_a_jump_and_a_fast_clock_are_told_each_once() {
    let mut bench = Bench::joined(0);
    for n in 0..2_000u16 {
        // The caller's clock gains 400 ppm; the agent's phone changes its SSRC after 20 s and jumps ahead after 30.
        let us = u64::from(n) * 20_000;
        bench.packet(us - us * 400 / 1_000_000, CALLER, audio(n, 1), &[0xd5; 160]);
        let (ssrc, jump) = (if n < 1_000 { 2 } else { 3 }, if n < 1_500 { 0 } else { 40_000 });
        let header = audio(n, ssrc);
        bench.packet(us, AGENT, Header { timestamp: header.timestamp.wrapping_add(jump), ..header }, &[0xd5; 160]);
    }
    bench.close(40_000_000, 40_000_000);
    let told: Vec<_> = bench
        .events
        .iter()
        .filter_map(|e| if let Event::Upset { leg, upset, at, .. } = e { Some((*leg, *upset, *at)) } else { None })
        .collect();
    let [(CALLER, Upset::ClockDrift { ppm, error_ppm }, _), rest @ ..] = &told[1..] else { panic!("{told:?}") };
    assert!((ppm - 400.0).abs() < 2.0 && *error_ppm < 1.0, "{told:?}");
    assert_eq!(told[0], (AGENT, Upset::SsrcChange { from: 2, to: 3 }, at(20_000_000)));
    assert_eq!(rest, [(AGENT, Upset::TimestampJump { by_ms: 5_000 }, at(30_000_000))]);
    let of: Vec<_> = measured(&bench).iter().map(|h| (h.measured.ssrc_changes, h.measured.time_jumps)).collect();
    assert_eq!(of, [(0, 0), (1, 1)]);
}

#[test]
fn an_ssrc_of_its_own_for_each_second_is_told_so_often_and_no_more() {
    let mut bench = Bench::joined(0);
    for n in 0..4_000u16 {
        bench.packet(u64::from(n) * 20_000, CALLER, audio(n, u32::from(n / 50)), &[0xd5; 160]);
    }
    bench.close(80_000_000, 80_000_000);
    let told = bench.events.iter().filter(|e| matches!(e, Event::Upset { .. })).count();
    assert_eq!((told, measured(&bench)[0].measured.ssrc_changes), (crate::limits::UPSETS as usize, 79));
}

#[test]
fn pauses_and_keys_cost_no_score() {
    let mut bench = pausing(&[50]);
    bench.close(3_000_000, 3_000_000);
    let told = measured(&bench)[0];
    assert_eq!((told.measured.packets, told.measured.lost, told.measured.jitter.max), (101, 0, 0));
    assert_eq!((told.codec.as_str(), told.measured.heard.lost), ("PCMA", 0));
}

#[test]
fn a_key_is_told_once_and_reaches_the_other_leg() {
    let mut bench = Bench::joined(0);
    bench.packet(0, CALLER, audio(0, 1), &[0xd5; 160]);
    for n in 1..8u16 {
        let event = Header { payload_type: 101, timestamp: audio(1, 1).timestamp, marker: n == 1, ..audio(n, 1) };
        let (end, duration) = (n >= 5, n.min(5) * 160);
        let [high, low] = duration.to_be_bytes();
        bench.packet(u64::from(n) * 20_000, CALLER, event, &[9, 10 | if end { 0x80 } else { 0 }, high, low]);
    }
    bench.packet(160_000, CALLER, audio(8, 1), &[0xd5; 160]);
    let told: Vec<&Event> = bench.events.iter().filter(|e| matches!(e, Event::Key { .. })).collect();
    let expected =
        Event::Key { call: call(), leg: CALLER, key: '9', duration: Duration::from_millis(100), at: at(20_000) };
    assert_eq!(told, [&expected]);
    assert_eq!(bench.sent_to(AGENT).filter(|s| s.3.payload_type == 102).count(), 7);
    bench.close(400_000, 400_000);
    assert_eq!(bench.bridge.counters().concealed, 0, "the time of a key is no loss");
}
