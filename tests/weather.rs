//! Calls over a network that loses messages, and calls of a phone that is neither SIPp nor ours.

mod common;

use std::path::Path;

use common::ports::Wide;
use common::softphone::baresip;
use common::sound::{RATE, level_db, play, sweep, write_wav};
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, Sipp, say, seconds, until, within};
use serde_json::Value;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;
const GREETING_MS: i64 = 1_200;

/// Each of the two SIPps loses one message of ten that it sends and one of ten that comes.
#[test]
fn three_hundred_calls_through_ten_percent_loss() {
    const CALLS: usize = 300;
    const TALK_MS: i64 = 1_500;
    let ports = Wide::reserve();
    let mut bench = Bench::new();
    // Four ports a call, none used twice in this test.
    bench.rtp = ports.rtp_range();
    let phones = bench.ports.one();
    for number in 1..=120 {
        bench.agent_at(&number.to_string(), phones);
    }
    let agents = Sipp::agent(&bench, "agent_answers_in_rain", phones).pause_ms(300);
    let agents = agents.calls(CALLS as u64).lose_percent(10).limit_s(60);
    let callers = Sipp::trunk(&bench, "trunk_hangs_up_in_rain").pause_ms(TALK_MS as u64);
    let callers = callers.calls(CALLS as u64).per_second(15).lose_percent(10).limit_s(50);
    let mut gateway = bench.serve();
    let agents = agents.start();
    callers.run();
    agents.finish();

    let records = gateway.records(CALLS);
    let mut talks: Vec<i64> = Vec::new();
    for record in &records {
        assert_eq!(record.text("outcome"), "answered", "{record:#}");
        assert_eq!(record.text("reason"), "caller_hung_up", "{record:#}");
        assert_eq!(record.text("ended_by"), "caller", "{record:#}");
        assert!(!record.flag("interrupted"), "{record:#}");
        talks.push(record.number("talk_ms"));
    }
    // What is lost is repeated after 0.5, 1.5, 3.5 … s: a lost 200 or BYE makes the talk longer, nothing shortens it.
    // Four of five calls lose neither.
    talks.sort_unstable();
    say(&format!("talk_ms: least {}, median {}, most {}", talks[0], talks[CALLS / 2], talks[CALLS - 1]));
    within("the shortest talk_ms", talks[0], TALK_MS - 10..=TALK_MS + 200);
    within("the talk_ms of six in ten", talks[CALLS * 6 / 10], TALK_MS - 10..=TALK_MS + 200);
    within("the longest talk_ms", talks[CALLS - 1], TALK_MS..=TALK_MS + 32_000);
    gateway.settled(CALLS as i64);
    assert_eq!(gateway.outcomes("answered"), CALLS as i64);
    assert!(gateway.alive());
}

/// The record of a call of one baresip to another, and where its recording is.
fn call_of_two_softphones() -> (Gateway, Value) {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    bench.greeting = "text = \"测试提示\"".into();
    let prompts = bench.path().join("dialplans/prompts/zh-CN");
    std::fs::create_dir_all(&prompts).expect("the prompts' directory");
    write_wav(&prompts.join("sweep.wav"), &sweep(GREETING_MS as usize));
    std::fs::write(prompts.join("catalogue.tsv"), "测试提示\tsweep.wav\n").expect("the catalogue");
    let gateway = bench.serve();

    let bench = &gateway.bench;
    let dial = format!("/dial sip:{HOTLINE_NUMBER}@{}", bench.sip_address());
    let account = |number: &str, port: u16| format!("<sip:{number}@127.0.0.1:{port}>;regint=0");
    let _agent = baresip(bench, "8", phone, AGENT_HZ, &account("8", phone), &["-t", "25"]);
    until("the agent's phone", seconds(5), || listens(phone).then_some(()));
    let (number, port) = ("13900001234", bench.ports.one());
    let mut caller = baresip(bench, number, port, CALLER_HZ, &account(number, port), &["-e", &dial, "-t", "6"]);
    let code = caller.wait(seconds(12));
    assert_eq!(code, 0, "{}", caller.output());
    let record = gateway.sealed();
    gateway.settled(1);
    (gateway, record)
}

fn listens(port: u16) -> bool {
    std::net::UdpSocket::bind(("127.0.0.1", port)).is_err()
}

#[test]
fn baresip_calls_baresip() {
    let (gateway, record) = call_of_two_softphones();
    assert_eq!(record.text("outcome"), "answered", "{record:#}");
    assert_eq!(record.text("ended_by"), "caller", "{record:#}");
    assert_eq!(record.text("caller"), "13900001234");
    assert_eq!(record.text("agent"), "8");
    assert_eq!(record.text("recording.status"), "ok", "{record:#}");
    for side in ["caller", "agent"] {
        let packets = record.number(&format!("quality.{side}.packets"));
        assert!(packets > 100, "{packets} packets of the {side} in a call of seconds: {record:#}");
    }
    assert!(record.flag("greeting.played_to_end"), "{record:#}");
    tones(&gateway.recording(&record), record.number("played.0.to_ms"));
}

/// Left the caller's tone alone, right the agent's, both after the greeting's end.
fn tones(recording: &Path, greeting_end_ms: i64) {
    let sound = play(recording);
    let from = usize::try_from(greeting_end_ms + 500).expect("a time in the file") * RATE / 1000;
    for (name, own, other, channel) in
        [("left", CALLER_HZ, AGENT_HZ, &sound.left), ("right", AGENT_HZ, CALLER_HZ, &sound.right)]
    {
        assert!(channel.len() > from + RATE, "{} ms are too short a call", sound.millis());
        let second = &channel[from..from + RATE];
        let (own, other) = (level_db(second, own), level_db(second, other));
        assert!((own + 12.2).abs() < 2.0, "{name}: its own tone at {own:.1} dB");
        assert!(other < own - 30.0, "{name}: the other side's tone at {other:.1} dB beside {own:.1} dB");
    }
}
