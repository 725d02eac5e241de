//! Sound on real sockets: our ringing tone, and what becomes of a call whose media stops.

mod common;

use std::fs::File;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::bench::{Gateway, hotline};
use common::sound::{level_db, play, to_alaw, tone};
use common::voice::Voice;
use common::{Bench, RecordExt, Sipp, within};
use hotline::media::wav;

#[test]
fn the_caller_hears_our_ringing_from_ring_on() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    bench.ringing.push_str("\n\n[answer]\nringback = \"gateway\"");
    let caller = Voice::new(bench.ports.even(), 440.0);
    let agent = Voice::new(bench.ports.even(), 1_000.0);
    let calling = Sipp::trunk(&bench, "trunk_hears_ringing").pause_ms(1_000).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(5_500).voice(agent.port);
    let gateway = bench.serve();
    let (answering, calling) = (answering.start(), calling.start());
    calling.finish();
    answering.finish();

    let record = gateway.sealed();
    assert_eq!((record.text("ring_source"), record.text("outcome")), ("gateway", "answered"));
    assert_eq!(record.number("rings"), 2);
    let (first_us, sound) = caller.sound();
    within("first sample after ring_at, ms", (first_us - record.instant_us("ring_at")) / 1_000, -1..=20);
    let rms = |from_ms: usize, to_ms: usize| {
        let part = &sound[from_ms * 8..to_ms * 8];
        (part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / part.len() as f64).sqrt()
    };
    let bursts = [rms(0, 1_000), rms(1_000, 5_000), rms(5_000, 5_400)].map(f64::round);
    assert!(bursts[0] > 4_500.0 && bursts[1] < 10.0 && bursts[2] > 4_500.0, "{bursts:?}");
}

/// Next speaks: 20 s after *connected* the gateway hangs up on both sides (SIPp fails without its BYE).
#[test]
fn a_call_without_media_ends_on_both_sides() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200);
    let caller = Sipp::trunk(&bench, "trunk_hears_bye");
    let gateway = bench.serve();
    let agent = agent.start();
    caller.run();
    agent.finish();
    let record = gateway.sealed();
    assert_eq!((record.text("outcome"), record.text("reason")), ("answered", "media_timeout"));
    assert_eq!(record.text("ended_by"), "gateway");
    within("talk_ms", record.number("talk_ms"), 19_900..=21_000);
}

/// A person's voice at −20 dBov, this much quieter, over and over.
fn words(quieter_db: f64, seconds: usize) -> Vec<i16> {
    let prompt = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts/zh-CN/msg.invite.wav");
    let (voice, _) = wav::read_mono(File::open(prompt).expect("a prompt")).expect("a WAV file");
    let (mut count, mut power) = (0.0, 0.0);
    for sample in voice.iter().filter(|sample| sample.unsigned_abs() > 200) {
        (count, power) = (count + 1.0, power + f64::from(*sample).powi(2));
    }
    let gain = 3_276.8 * 10.0_f64.powf(-quieter_db / 20.0) / f64::sqrt(power / count);
    voice.iter().cycle().take(seconds * 8_000).map(|sample| (f64::from(*sample) * gain) as i16).collect()
}

/// White noise of −28 dBov, of a generator that is the same everywhere.
fn hiss(seconds: usize) -> Vec<i16> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 16) / 32_768.0 - 1.0
    };
    (0..seconds * 8_000).map(|_| (next() * 2_260.0) as i16).collect()
}

/// The same, from −44 dBov on 2 dB louder each second, until it is as loud: a floor of −40 is passed after two seconds.
fn swelling_hiss(seconds: usize) -> Vec<i16> {
    let gain = |n: usize| 10.0_f64.powf((-16.0 + n as f64 / 4_000.0).min(0.0) / 20.0);
    hiss(seconds).iter().enumerate().map(|(n, sample)| (f64::from(*sample) * gain(n)) as i16).collect()
}

const SCRIPTS: &str = r#"

[silent]
wait_s   = 2
ask      = ["您好！"]
farewell = "谢谢，再见。"
last_s   = 1

[noise]
after_s    = 2
patience_s = 2
farewell   = "谢谢，再见。"
last_s     = 1

[low_volume]
ask      = ["您好！"]
farewell = "谢谢，再见。"
last_s   = 1

[closing]
measure = true
"#;

/// Five callers at once, each with a sound of known level: the gateway ends four calls, each for its reason, and leaves one alone.
#[test]
fn silence_noise_and_a_faint_voice_are_ended_and_a_person_is_not() {
    let mut bench = Bench::new();
    let phone = bench.ports.one();
    ["8", "9", "10", "11", "12"].into_iter().for_each(|number| bench.agent_at(number, phone));
    bench.greeting = "text = \"您好！\"".into();
    bench.ringing.push_str(SCRIPTS);
    // The faint one has said all after eleven seconds: nobody is cut off in a word.
    let sounds = [
        ("1391", Vec::new()),
        ("1392", hiss(30)),
        ("1393", words(30.0, 11)),
        ("1394", words(0.0, 30)),
        ("1395", swelling_hiss(30)),
    ];
    let agent = Voice::new(bench.ports.even(), 1_000.0);
    let callers: Vec<(&str, Voice)> =
        sounds.into_iter().map(|(number, sound)| (number, Voice::playing(bench.ports.even(), sound))).collect();
    let call = |(number, voice): &(&str, Voice)| {
        let scenario = if *number == "1394" { "trunk_hangs_up" } else { "trunk_hears_bye" };
        Sipp::trunk(&bench, scenario).pause_ms(14_000).caller(number).voice(voice.port)
    };
    let calling: Vec<Sipp> = callers.iter().map(call).collect();
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(100).calls(5).voice(agent.port);
    let gateway = bench.serve();
    let answering = answering.start();
    let calling: Vec<_> = calling.into_iter().map(Sipp::start).collect();
    calling.into_iter().for_each(common::sipp::Running::finish);
    answering.finish();

    let records = gateway.records(5);
    let of = |number: &str| {
        let found = records.iter().find(|record| record.text("caller").starts_with(number));
        found.unwrap_or_else(|| panic!("no call of {number}"))
    };
    for (number, reason) in [
        ("1391", "silent_caller"),
        ("1392", "noisy_caller"),
        ("1393", "low_volume"),
        ("1394", "caller_hung_up"),
        ("1395", "noisy_caller"),
    ] {
        let record = of(number);
        assert_eq!((record.text("outcome"), record.text("reason")), ("answered", reason), "{record:#}");
        let ended_by = if number == "1394" { "caller" } else { "gateway" };
        assert_eq!(record.text("ended_by"), ended_by);
    }
    let texts = |number: &str| {
        let played = of(number).at_path("played").as_array().expect("a list").clone();
        played.iter().skip(1).map(|one| one.text("prompt").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts("1391"), ["您好！", "谢谢，再见。"]);
    assert_eq!(texts("1392"), ["谢谢，再见。"]);
    assert_eq!(texts("1393"), ["您好！", "谢谢，再见。"]);
    assert_eq!(texts("1394"), [""; 0]);
    // Greeting, two seconds, text, two seconds, farewell, one second and what is on the way.
    within("silent talk, ms", of("1391").number("talk_ms"), 7_000..=11_500);
}

/// From the first ring to the end somebody else sends a loud tone to every port that the gateway may have.
#[test]
fn what_a_stranger_sends_to_every_port_reaches_nobody() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let (caller, agent) = (Voice::new(bench.ports.even(), 440.0), Voice::new(bench.ports.even(), 1_000.0));
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(3_000).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(500).voice(agent.port);
    let range = bench.rtp.clone();
    let gateway = bench.serve();
    let attack = Attack::on(&range);
    let (answering, calling) = (answering.start(), calling.start());
    calling.finish();
    answering.finish();
    let record = gateway.sealed();
    assert_eq!(record.text("outcome"), "answered");
    let recorded = play(&gateway.recording(&record));
    assert!(recorded.millis() > 2_000);
    let (_, heard_by_caller) = caller.sound();
    let (_, heard_by_agent) = agent.sound();
    let sounds = [&recorded.left[..], &recorded.right[..], &heard_by_caller[..], &heard_by_agent[..]];
    for (n, sound) in sounds.into_iter().enumerate() {
        for second in sound.chunks_exact(4_000) {
            let level = level_db(second, ATTACK_HZ);
            assert!(level < -55.0, "sound {n}: the stranger is at {level} dB");
        }
    }
    let (sent, answered) = attack.end();
    assert!(sent > 5_000 && answered == 0, "{sent} packets of a stranger, {answered} answers");
}

/// The same during fifty calls at once: no packet of the stranger's is counted in any of them.
#[test]
fn a_stranger_on_every_port_is_no_part_of_fifty_calls() {
    let mut bench = Bench::new();
    let phone = bench.ports.one();
    (10..60).for_each(|number| bench.agent_at(&number.to_string(), phone));
    let (caller, agent) = (Voice::new(bench.ports.even(), 440.0), Voice::new(bench.ports.even(), 1_000.0));
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(2_500).calls(50).per_second(100).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(100).calls(50).voice(agent.port);
    let range = bench.rtp.clone();
    let gateway = bench.serve();
    let attack = Attack::on(&range);
    let (answering, calling) = (answering.start(), calling.start());
    calling.finish();
    answering.finish();
    let records = gateway.records(50);
    let (sent, answered) = attack.end();
    assert!(sent > 5_000 && answered == 0, "{sent} packets of a stranger, {answered} answers");
    let mut refused = 0;
    for record in &records {
        for leg in ["caller", "agent"] {
            let of = |what: &str| record.number(&format!("quality.{leg}.{what}"));
            assert!((25..=200).contains(&of("packets")), "{leg}: {}", of("packets"));
            assert_eq!((of("ssrc_changes"), of("restarts"), of("timestamp_jumps")), (0, 0, 0), "{leg} of {record:#}");
        }
        refused += foreign(&gateway, record.text("id"));
    }
    assert!(refused > 1_000, "the stranger did not reach the calls: {refused} packets refused");
}

/// Packets that both legs of a call refused because of their source.
fn foreign(gateway: &Gateway, id: &str) -> i64 {
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let output = hotline(&["call", id, "--json", "--config", config]);
    let call: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a call in JSON");
    let facts = call["facts"].as_array().expect("its facts");
    facts.iter().filter_map(|fact| fact["received"]["foreign"].as_i64()).sum()
}

const ATTACK_HZ: f64 = 2_500.0;

/// RTP from an address that no signalling named, until it is told to end.
struct Attack {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<(usize, usize)>,
}

impl Attack {
    /// `ports`: a range as in the configuration.
    fn on(ports: &str) -> Attack {
        let (first, last) = ports.split_once('-').expect("a range");
        let number = |text: &str| text.parse::<u16>().expect("a port");
        let ports = number(first)..=number(last);
        let socket = UdpSocket::bind("127.0.0.66:0").expect("a socket of the stranger");
        // Its pace, too: it waits so long for an answer.
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a time-out");
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let (mut sent, mut answered) = (0, 0);
            for n in 0u16.. {
                if told.load(Ordering::Relaxed) {
                    break;
                }
                let mut packet = vec![0x80, 8];
                packet.extend(n.to_be_bytes());
                packet.extend((u32::from(n) * 160).to_be_bytes());
                packet.extend([6, 6, 6, 6]);
                let samples = i64::from(n) * 160..i64::from(n) * 160 + 160;
                packet.extend(samples.map(|n| to_alaw(tone(ATTACK_HZ, n))));
                for port in ports.clone() {
                    sent += usize::from(socket.send_to(&packet, ("127.0.0.1", port)).is_ok());
                }
                let mut buffer = [0; 2_000];
                answered += usize::from(socket.recv_from(&mut buffer).is_ok());
            }
            (sent, answered)
        });
        Attack { ended, thread }
    }

    /// Packets sent, and packets that came back.
    fn end(self) -> (usize, usize) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("the stranger's thread")
    }
}
