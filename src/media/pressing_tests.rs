//! Keys of our own on the wire, amid what the other leg says.

use std::time::Duration;

use super::tests::*;
use super::*;
use crate::protocol::audio::g722::Decoder;
use crate::protocol::audio::resample::Halver;
use crate::protocol::rtp::event::{Keys, strokes};
use crate::quality::speech::Ear;

const EVENT: u8 = 102;

/// The caller speaks for two seconds, as `playing` of a prompt or not; after half a second `1#` is pressed toward the agent's side.
fn pressed(playing: bool, remote: Remote) -> Bench {
    let mut bench = Bench::new();
    bench.order(0, Command::Remote { leg: AGENT, remote });
    bench.join(0);
    if playing {
        bench.play(10_000, &tone(700.0, 16_000));
    }
    let voice = encode(&tone(440.0, 16_000));
    for (n, payload) in voice.chunks(160).enumerate() {
        if n == 25 {
            bench.order(500_000, Command::Press { leg: AGENT, strokes: strokes("1#").unwrap().into() });
        }
        bench.packet(n as u64 * 20_000 + 5_000, CALLER, audio(n as u16, 1), payload);
    }
    bench.run(2_100_000);
    bench
}

#[test]
fn keys_are_pressed_between_what_is_said_and_nothing_seems_lost() {
    for playing in [false, true] {
        let bench = pressed(playing, remote(AGENT));
        let sent: Vec<&Sent> = bench.sent_to(AGENT).collect();
        let first = sent[0].3.sequence;
        for (n, packet) in sent.iter().enumerate() {
            assert_eq!(packet.3.sequence, first.wrapping_add(n as u16), "playing {playing}: {:?}", packet.3);
        }
        let ms = |packet: &Sent| packet.0.mono.since(at(0).mono).as_millis();
        let events: Vec<&&Sent> = sent.iter().filter(|packet| packet.3.payload_type == EVENT).collect();
        assert_eq!(events.iter().map(|e| ms(e)).collect::<Vec<_>>()[..8], [500, 520, 540, 560, 580, 600, 620, 700]);
        assert_eq!(events.iter().map(|e| e.3.marker).filter(|marker| *marker).count(), 2);
        let mut keys = Keys::default();
        let told: Vec<_> = events.iter().filter_map(|e| keys.handle(e.3.timestamp, &e.4, e.0.mono)).collect();
        assert_eq!(told.iter().map(|key| key.key).collect::<String>(), "1#");
        assert!(told.iter().all(|key| key.duration == Duration::from_millis(100)));
        let sound =
            |from: u128, to: u128| sent.iter().filter(|p| p.3.payload_type == 8 && (from..to).contains(&ms(p))).count();
        assert_eq!((sound(501, 620), sound(701, 820)), (0, 0), "playing {playing}");
        assert!(sound(0, 500) > 22 && sound(625, 700) >= 3 && sound(825, 2_000) > 50, "playing {playing}");
    }
}

/// What the agent's side hears, by the times of the packets.
fn line(bench: &Bench, codec: Codec) -> Vec<i16> {
    let first = bench.sent_to(AGENT).next().unwrap().3.timestamp;
    let (mut line, mut decoder, mut halver) = (Vec::new(), Decoder::default(), Halver::default());
    for (.., header, payload) in bench.sent_to(AGENT) {
        assert_eq!(header.payload_type, codec.payload_type(), "sound and nothing else");
        let at = header.timestamp.wrapping_sub(first) as usize;
        assert!(at >= line.len(), "no two packets sound at one time");
        line.resize(at, 0);
        line.extend(payload.iter().map(|code| match codec.law() {
            Some(law) => law.decode(*code),
            None => halver.push(decoder.decode(*code)),
        }));
    }
    line
}

/// Whoever knows no events hears the tones of the keys, each with a silence behind it.
#[test]
fn who_knows_no_such_packets_hears_the_keys() {
    for (playing, codec) in [(false, Codec::Pcma), (true, Codec::Pcma), (false, Codec::G722)] {
        let remote = Remote { telephone_event: None, codec, payload_type: codec.payload_type(), ..remote(AGENT) };
        let line = line(&pressed(playing, remote), codec);
        let mut ear = Ear::new(8_000);
        ear.hear(&line);
        let keys = ear.finish().keys();
        assert_eq!(keys.iter().map(|key| key.key).collect::<String>(), "1#", "playing {playing} {codec:?}");
        for (key, from_ms) in keys.iter().zip([500_u64, 700]) {
            assert!(key.span.from_ms.abs_diff(from_ms) < 45 && key.span.ms().abs_diff(100) < 45, "{key:?}");
            let silent = &line[(from_ms as usize + 125) * 8..(from_ms as usize + 175) * 8];
            assert!(silent.iter().all(|sample| sample.unsigned_abs() < 100), "behind {key:?}");
        }
        let loud = |ms: usize| line[ms * 8..(ms + 20) * 8].iter().any(|sample| sample.unsigned_abs() > 1_000);
        assert!(loud(400) && loud(1_000) && loud(1_900), "what was said before and after is heard");
    }
}
