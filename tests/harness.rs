//! The measuring instruments themselves, against `sox` and against known answers.

mod common;

use std::process::Command;

use common::bench::series;
use common::capture::Capture;
use common::sound::{RATE, from_alaw, level_db, locate, onset, play, sweep, to_alaw, tone};
use common::voice::Voice;
use common::{Bench, Sipp, seconds, until, wall_us, within};

#[test]
fn a_law_is_that_of_sox() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("all.al");
    let octets: Vec<u8> = (0..=255).collect();
    std::fs::write(&file, &octets).expect("writing");
    let output = Command::new("sox")
        .args(["-t", "al", "-r", "8000", "-c", "1"])
        .arg(&file)
        .args(["-t", "raw", "-e", "signed", "-b", "16", "-L", "-"])
        .output()
        .expect("sox runs");
    let expected: Vec<i16> = output.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let own: Vec<i16> = octets.iter().map(|octet| from_alaw(*octet)).collect();
    assert_eq!(own, expected);
    assert!(octets.iter().all(|octet| to_alaw(from_alaw(*octet)) == *octet), "coding is not the inverse");
}

#[test]
fn a_tone_is_measured_and_another_is_not() {
    let samples: Vec<i16> = (0..8_000).map(|n| tone(440.0, n)).collect();
    assert!((level_db(&samples, 440.0) + 12.2).abs() < 0.1);
    assert!(level_db(&samples, 1_000.0) < -80.0);
}

#[test]
fn a_sweep_is_found_where_it_is_and_nowhere_else() {
    let prompt = sweep(1_000);
    let mut hay = vec![0; 1_234];
    hay.extend(prompt.iter().map(|sample| from_alaw(to_alaw(sample / 4))));
    hay.resize(RATE * 2, 0);
    let (at, alike) = locate(&prompt[4_000..6_000], &hay);
    assert_eq!(at, 1_234 + 4_000);
    assert!(alike > 0.98, "{alike}");
    let noise: Vec<i16> = (0..RATE).map(|n| tone(440.0, n as i64)).collect();
    assert!(locate(&prompt[4_000..6_000], &noise).1 < 0.5);
    assert_eq!(onset(&hay, 0).map(|at| at / 100), Some(12));
}

#[test]
fn a_damaged_recording_does_not_play() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("cut.wav");
    let made = Command::new("sox")
        .args(["-n", "-r", "8000", "-c", "2", "-b", "16"])
        .arg(&file)
        .args(["synth", "1", "sine", "440"])
        .status();
    assert!(made.expect("sox runs").success());
    assert_eq!(play(&file).millis(), 1_000);
    let bytes = std::fs::read(&file).expect("the file");
    std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("writing");
    assert!(std::panic::catch_unwind(|| play(&file)).is_err(), "half a file passed for a whole one");
}

#[test]
fn metrics_are_summed_by_their_whole_name() {
    let text = "# HELP a_total x\na_total{b=\"1 2\"} 3\na_total{b=\"y\"} 4\na_total_more 9\na 1\n";
    let values = |name| series(text, name).map(|(_, value)| value).collect::<Vec<_>>();
    assert_eq!(values("a_total"), [3, 4]);
    assert_eq!(values("a"), [1]);
    assert!(values("b_total").is_empty());
}

/// Two voices on the loopback with nothing between: what one sends from an instant on, the other hears then.
#[test]
fn voices_keep_time() {
    let ports = common::ports::Ports::reserve();
    let (one, two) = (Voice::new(ports.even(), 440.0), Voice::new(ports.even(), 1_000.0));
    let mut opening = vec![0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    opening.resize(172, 0xd5);
    // One packet that seems to come from the other one's port would need that port; each is opened by a third.
    let third = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    third.set_read_timeout(Some(seconds(1))).expect("a timeout");
    let from_us = wall_us() + 300_000;
    one.sound_from(from_us);
    third.send_to(&opening, ("127.0.0.1", one.port)).expect("sending");
    until("the voice to know its partner", seconds(2), || (one.partners() == 1).then_some(()));
    assert_eq!(two.partners(), 0);
    let mut buffer = [0; 2_048];
    let heard_us = until("the tone", seconds(2), || {
        let (length, _) = third.recv_from(&mut buffer).expect("a packet");
        let at_us = wall_us();
        let loud = buffer[12..length].iter().position(|octet| from_alaw(*octet).unsigned_abs() > 1_500)?;
        Some(at_us + loud as i64 * 125)
    });
    within("onset heard − onset meant, µs", heard_us - from_us, -2_000..=10_000);
}

/// SIPp calls SIPp where the gateway would be: the capture sees each step of the caller's leg, in order.
#[test]
fn a_capture_sees_a_call() {
    let bench = Bench::new();
    let capture = Capture::start(&bench);
    let answering = Sipp::agent(&bench, "agent_answers", bench.sip).pause_ms(300).start();
    Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(200).caller("1391").run();
    answering.finish();
    let wire = capture.finish();
    let seen = wire.get("13911").expect("the call");
    let at = |instant: Option<f64>| instant.map_or(-1, |at| (at * 1000.0) as i64);
    assert!(seen.agent_200.is_none());
    within("ring − INVITE", at(seen.first_180) - at(seen.invite), 0..=100);
    within("answer − ring", at(seen.caller_200) - at(seen.first_180), 299..=500);
    within("BYE − answer", at(seen.end) - at(seen.caller_200), 199..=400);
}
