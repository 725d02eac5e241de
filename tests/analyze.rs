//! `hotline analyze` against the truth of a generator, against `tshark`, and against what the gateway measured itself.

#![allow(clippy::disallowed_methods, reason = "the tests stand outside the gateway and have clocks of their own")]

mod common;

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process;
use std::time::{Duration, Instant};

use common::capture::Capture;
use common::impaired::{Impairment, Packet, Truth, frame, rtp, stream, write_pcap};
use common::voice::Voice;
use common::{Bench, Sipp, seconds};
use hotline::capture::analyze;
use hotline::clock::{Now, Wall};
use hotline::ids::{CallId, LegId, Random, Side};
use hotline::media::{self, Bridge, Codec, Command, Remote};
use hotline::quality::Heard;
use serde_json::Value;

/// By name: what is done to 60 s of packets.
fn cases() -> Vec<(&'static str, Impairment)> {
    let none = Impairment { first_sequence: 1_000, first_timestamp: 77, ..Impairment::default() };
    vec![
        ("clean", none),
        ("random loss", Impairment { loss: 0.01, jitter_ms: 3.0, ..none }),
        ("heavy loss", Impairment { loss: 0.15, jitter_ms: 3.0, ..none }),
        ("bursty loss", Impairment { bursty: Some((0.01, 0.1)), ..none }),
        ("outage", Impairment { outage: Some((1_500, 50)), jitter_ms: 5.0, ..none }),
        ("jitter", Impairment { jitter_ms: 70.0, ..none }),
        ("spikes", Impairment { spikes: Some((200, 150.0)), jitter_ms: 2.0, ..none }),
        ("reordering by jitter", Impairment { jitter_ms: 60.0, overtaking: true, ..none }),
        ("reordering", Impairment { late: 0.02, ..none }),
        ("duplicates", Impairment { twice: 0.01, loss: 0.01, jitter_ms: 4.0, ..none }),
        ("wrap", Impairment { first_sequence: 64_000, first_timestamp: u32::MAX - 200_000, loss: 0.02, ..none }),
        ("drift", Impairment { drift_ppm: 200.0, jitter_ms: 1.0, ..none }),
        ("another SSRC", Impairment { other_ssrc_from: Some(1_400), loss: 0.02, jitter_ms: 4.0, ..none }),
        ("silence", Impairment { silence: true, jitter_ms: 4.0, ..none }),
        ("time cut", Impairment { time_cut_at: Some(1_500), jitter_ms: 4.0, ..none }),
    ]
}

fn analyzed(file: &Path) -> Vec<Value> {
    let output = process::Command::new(env!("CARGO_BIN_EXE_hotline")).args(["analyze", "--json"]).arg(file).output();
    let output = output.expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
}

/// A row of `tshark -z rtp,streams`: packets, lost, mean and maximum of jitter.
#[derive(Debug, Clone, Copy)]
struct Row {
    packets: u64,
    lost: i64,
    mean_ms: f64,
    max_ms: f64,
}

fn tshark(file: &Path, ports: impl IntoIterator<Item = u16>) -> BTreeMap<u32, Row> {
    let mut command = process::Command::new("tshark");
    command.args(["-q", "-z", "rtp,streams", "-r"]).arg(file);
    for port in ports {
        command.args(["-d", &format!("udp.port=={port},rtp")]);
    }
    let output = command.output().expect("tshark runs; tests/run installs what is missing");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ssrc = words.iter().find_map(|word| u32::from_str_radix(word.strip_prefix("0x")?, 16).ok())?;
        let lost = words.iter().position(|word| word.starts_with('('))?;
        let number = |at: usize| words[at].parse::<f64>().expect("a number of tshark's");
        // … packets lost (percent) min-delta mean max min-jitter mean max problems
        let row = Row {
            packets: number(lost - 2) as u64,
            lost: number(lost - 1) as i64,
            mean_ms: number(lost + 5),
            max_ms: number(lost + 6),
        };
        Some((ssrc, row))
    });
    rows.collect()
}

#[track_caller]
fn near(what: &str, ours: &Value, other: f64, within: f64) {
    let ours = ours.as_f64().unwrap_or_else(|| panic!("{what}: {ours} is no number"));
    assert!((ours - other).abs() <= within, "{what}: ours {ours}, other {other}");
}

#[test]
fn loss_and_jitter_are_the_generators_truth_and_what_tshark_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("impaired.pcap");
    let (mut frames, mut expected) = (Vec::new(), Vec::new());
    for (number, (name, how)) in cases().into_iter().enumerate() {
        let (port, ssrc) = (4_000 + 2 * number as u16, 0xabcd_0000 + 16 * number as u32);
        let (packets, truths) = stream(number as u64 + 1, ssrc, 3_000, &how);
        frames.extend(packets.iter().map(|packet| (packet.at_ns, frame(port, &rtp(packet)))));
        expected.extend(truths.into_iter().map(|truth| (name, how, truth)));
    }
    frames.sort_by_key(|(at, _)| *at);
    write_pcap(&file, &frames);
    let ours = analyzed(&file);
    let rows = tshark(&file, (0..cases().len() as u16).map(|n| 4_000 + 2 * n));
    assert_eq!(rows.len(), expected.len());
    for (name, how, truth) in expected {
        let ssrc = format!("{:08x}", truth.ssrc);
        let line = ours.iter().find(|line| line["ssrc"] == *ssrc).unwrap_or_else(|| panic!("{name}: no stream"));
        against_truth(name, &how, &truth, line);
        against_tshark(name, &how, &truth, rows[&truth.ssrc], line);
    }
}

fn against_truth(name: &str, how: &Impairment, truth: &Truth, line: &Value) {
    let Truth { packets, lost, twice, .. } = *truth;
    assert_eq!((line["packets"].as_u64(), line["lost"].as_u64()), (Some(packets), Some(lost)), "{name}");
    assert_eq!(
        (&line["duplicates"], &line["cumulative_lost"]),
        (&twice.into(), &(lost as i64 - twice as i64).into()),
        "{name}"
    );
    near(name, &line["longest_loss_ms"], truth.longest as f64 * 20.0, 1e-6);
    let expected = (packets + lost) as f64;
    if lost > 0 {
        let burst_r = (lost as f64 / truth.runs as f64 * (1.0 - lost as f64 / expected)).max(1.0);
        near(name, &line["burst_r"], burst_r, 1e-9);
    }
    assert_eq!(line["outages"], u64::from(how.outage.is_some()), "{name}");
    if how.time_cut_at.is_none() {
        near(name, &line["jitter_ms"], truth.jitter_ms, 1e-4);
    } else {
        // An hour's jump of the sender's time line is no jitter of the network's.
        assert!(line["jitter_max_ms"].as_f64() < Some(6.0), "{name}: {line}");
    }
}

fn against_tshark(name: &str, how: &Impairment, truth: &Truth, row: Row, line: &Value) {
    assert_eq!(
        (row.packets, row.lost),
        (truth.packets + truth.twice, line["cumulative_lost"].as_i64().unwrap_or(0)),
        "{name}"
    );
    if how.time_cut_at.is_some() {
        assert!(row.max_ms > 100_000.0, "tshark takes the jump for jitter: {row:?}");
        return;
    }
    near(name, &line["jitter_mean_ms"], row.mean_ms, 0.01);
    near(name, &line["jitter_max_ms"], row.max_ms, 0.01);
}

/// The same packets, at the same moments, once to the media of a call and once in a capture: every figure is the same, whatever the
/// codec, the length of the packets, and what the network did to them.
#[test]
fn a_call_measures_what_its_capture_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("call.pcap");
    for (codec, payload_type, packet_ms) in [(Codec::Pcma, 8, 20), (Codec::Pcmu, 0, 10), (Codec::G722, 9, 40)] {
        // A capture takes another SSRC for another stream.
        for (name, how) in cases().into_iter().filter(|(_, how)| how.other_ssrc_from.is_none()) {
            let how = Impairment { payload_type: Some(payload_type), packet_ms: Some(packet_ms), ..how };
            let (packets, truth) = stream(u64::from(packet_ms), 0xabcd_0000, 1_800, &how);
            let frames: Vec<_> = packets.iter().map(|packet| (packet.at_ns, frame(4_000, &rtp(packet)))).collect();
            write_pcap(&file, &frames);
            let captured = analyze(std::fs::File::open(&file).expect("the capture")).expect("a capture");
            let [stream] = &captured.streams[..] else { panic!("{name}: {} streams", captured.streams.len()) };
            let heard = heard_live(&packets, codec);
            let what = format!("{name}, {} of {packet_ms} ms", heard.codec);
            assert_eq!((heard.measured.packets, heard.measured.lost), (truth[0].packets, truth[0].lost), "{what}");
            assert_eq!(Some(&heard.codec), stream.codec.as_ref(), "{what}");
            assert_eq!(heard.measured, stream.measured, "{what}");
        }
    }
}

/// What the media of a call says at its end of the caller who sent these packets.
fn heard_live(packets: &[Packet], codec: Codec) -> Heard {
    let (call, caller, agent) = (CallId(uuid::Uuid::from_u128(1)), LegId(1), LegId(2));
    let phone = |leg: LegId| SocketAddr::from(([10, 0, 0, leg.0 as u8], 4_000));
    let at = |ns: u64| {
        Now { mono: hotline::clock::Instant::from_millis(5_000), wall: Wall::from_micros(1_767_225_600_000_000) }
            .after(Duration::from_nanos(ns))
    };
    let mut bridge = Bridge::new(call, Random::from_number(7));
    for (leg, side) in [(caller, Side::Caller), (agent, Side::Agent)] {
        bridge.handle(at(0), Command::Open { call, leg, side, local: phone(leg) });
        let remote = Remote {
            rtp: phone(leg),
            allowed: vec![phone(leg).ip()],
            codec,
            payload_type: packets[0].payload_type,
            srtp: None,
            packet_ms: None,
            comfort_noise: Some(13),
            telephone_event: None,
            send: true,
            receive: true,
        };
        bridge.handle(at(0), Command::Remote { leg, remote });
    }
    bridge.handle(at(0), Command::Bridge { call, caller, agent, connected: at(0), record: true });
    for packet in packets {
        fire(&mut bridge, at(packet.at_ns), at(0));
        bridge.handle_rtp(at(packet.at_ns), caller, phone(caller), at(packet.at_ns), &rtp(packet));
        drain(&mut bridge);
    }
    let end = at(packets[packets.len() - 1].at_ns + 1_000_000);
    bridge.handle(end, Command::CloseCall { call, ended: end });
    let mut events = std::iter::from_fn(|| bridge.poll_event());
    let measured = events.find_map(|event| match event {
        media::Event::Measured { leg, heard, .. } if leg == caller => Some(*heard),
        _ => None,
    });
    measured.expect("what was heard of the caller")
}

/// Lets the timers fire that are due until then.
fn fire(bridge: &mut Bridge, until: Now, zero: Now) {
    while let Some((due, _)) = bridge.poll_timeout().filter(|(due, _)| *due <= until.mono) {
        bridge.handle_timeout(zero.after(due.since(zero.mono)));
        drain(bridge);
    }
}

fn drain(bridge: &mut Bridge) {
    while bridge.poll_transmit().is_some() {}
    while bridge.poll_event().is_some() {}
    while bridge.poll_recorded().is_some() {}
}

/// What the gateway measured while the call was live is what its capture says afterwards. The caller's phone is a bad one:
/// it loses, delays, swaps and doubles.
#[test]
fn live_figures_are_those_of_the_capture() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let (caller, agent) = (bench.ports.even(), Voice::new(bench.ports.even(), 440.0));
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(8_000).voice(caller);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200).voice(agent.port);
    let gateway = bench.serve();
    let capture = Capture::of_everything(&gateway.bench);
    let socket = UdpSocket::bind(("127.0.0.1", caller)).expect("the caller's port");
    let (answering, calling) = (answering.start(), calling.start());
    speak_badly(&socket);
    calling.finish();
    answering.finish();
    let record = gateway.sealed();
    let lines = analyzed(&capture.finish_file());

    let live = &record["quality"]["caller"];
    assert_eq!(live["status"], "rated", "{record:#}");
    let source = format!("127.0.0.1:{caller}");
    let captured = lines.iter().find(|line| line["kind"] == "stream" && line["source"] == *source);
    let captured = captured.unwrap_or_else(|| panic!("{lines:#?}"));
    assert!(captured["call"].is_number(), "SDP announced it: {captured}");
    let same = [
        "packets",
        "lost",
        "loss_ratio",
        "cumulative_lost",
        "duplicates",
        "reordered",
        "burst_r",
        "longest_loss_ms",
        "outages",
        "packet_ms",
        "codec",
        "scale",
        "status",
    ];
    for name in same {
        assert_eq!(live[name], captured[name], "{name}: {live}\n{captured}");
    }
    assert!(live["lost"].as_u64() > Some(5) && live["duplicates"].as_u64() > Some(0), "{live}");
    // Two stamps of one arrival: the socket's and the capture's.
    for name in ["jitter_ms", "jitter_mean_ms", "jitter_max_ms"] {
        near(name, &live[name], captured[name].as_f64().expect("a number"), 0.2);
    }
    near("mos", &live["mos"], captured["mos"].as_f64().expect("a number"), 0.05);
}

/// 300 packets, six seconds, once somebody is there to hear them.
fn speak_badly(socket: &UdpSocket) {
    let how = Impairment { loss: 0.05, jitter_ms: 15.0, late: 0.02, twice: 0.02, ..Impairment::default() };
    let (packets, _) = stream(5, 0x1234_5678, 300, &how);
    let mut first = [0; 2_000];
    socket.set_read_timeout(Some(seconds(10))).expect("a timeout");
    let (_, gateway) = socket.recv_from(&mut first).expect("the greeting");
    let began = Instant::now();
    for packet in &packets {
        let at = Duration::from_nanos(packet.at_ns);
        std::thread::sleep(at.saturating_sub(began.elapsed()));
        socket.send_to(&rtp(packet), gateway).expect("sending");
    }
}
