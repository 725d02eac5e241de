//! Calls over a network that loses messages, and calls of a phone that is neither SIPp nor ours.

mod common;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use common::ports::Wide;
use common::relay::{Passed, Relay, Toward, Weather};
use common::softphone::baresip;
use common::sound::{RATE, level_db, play, sweep, write_wav};
use common::voice::Voice;
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, Sipp, say, seconds, until, within};
use serde_json::Value;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;
const GREETING_MS: i64 = 1_200;

/// Between the gateway and either SIPp a relay loses one message of ten in each direction, whatever it is.
#[test]
fn three_hundred_calls_through_ten_percent_loss() {
    const CALLS: usize = 300;
    const TALK_MS: u64 = 1_800;
    const RAIN: Weather = Weather { loss_percent: 10, ..Weather::FINE };
    let ports = Wide::reserve();
    let mut bench = Bench::new();
    // Four ports a call, none used twice in this test.
    bench.rtp = ports.rtp_range();
    let (phones, phone) = (bench.ports.one(), bench.ports.one());
    for number in 1..=120 {
        bench.agent_at(&number.to_string(), phones);
    }
    let by_trunk = Relay::start(bench.ports.one(), bench.sip_address(), RAIN, 3);
    let by_phone = Relay::start(phones, SocketAddr::from(([127, 0, 0, 1], phone)), RAIN, 4);
    let agents = Sipp::agent(&bench, "agent_answers_in_rain", phone).contact(phones).pause_ms(300);
    let agents = agents.calls(CALLS as u64).patient().limit_s(60);
    let callers = Sipp::trunk_by(&bench, by_trunk.address(), "trunk_hangs_up_in_rain").pause_ms(TALK_MS);
    let callers = callers.calls(CALLS as u64).per_second(20).patient().limit_s(50);
    let mut gateway = bench.serve();
    let agents = agents.start();
    callers.run();
    agents.finish();

    let records = gateway.records(CALLS);
    let seen = Seen::of(&by_trunk.journal(), &by_phone.journal());
    assert_eq!(seen.len(), CALLS, "callers at the relay");
    let mut off = Vec::new();
    for record in &records {
        off.push(seen[record.text("caller")].differs(record));
    }
    off.sort_unstable();
    say(&format!("records and wire differ by {} ms (median), {} ms (most)", off[CALLS / 2], off[CALLS - 1]));
    within("the difference in nine of ten records", off[CALLS * 9 / 10], 0..=5);
    within("the largest difference", off[CALLS - 1], 0..=100);
    for (relay, toward) in [&by_trunk, &by_phone]
        .into_iter()
        .zip([Toward::Target; 2])
        .chain([(&by_trunk, Toward::Source), (&by_phone, Toward::Source)])
    {
        let counts = relay.counts(toward);
        say(&format!("port {} {toward:?}: {counts:?}", relay.port));
        within("lost of a hundred", (counts.lost * 100 / counts.came) as i64, 6..=14);
    }
    gateway.settled(CALLS as i64);
    assert_eq!(gateway.outcomes("answered"), CALLS as i64);
    assert!(gateway.alive());
}

/// What the relays handed on of one caller's call. Microseconds since 1970.
#[derive(Debug, Default)]
struct Seen {
    /// The INVITE reached the gateway.
    offered: Option<i64>,
    /// The gateway's 180 and its 200, whether they came through or not.
    rung: Option<i64>,
    connected: Option<i64>,
    /// The phone's 200 reached the gateway, and whose it was.
    answered: Option<i64>,
    agents: Vec<String>,
    /// The caller's BYE reached the gateway.
    ended: Option<i64>,
    /// All of it, for whoever reads why the test failed.
    messages: Vec<(i64, String)>,
}

impl Seen {
    /// By the caller's number, which both legs carry.
    fn of(by_trunk: &[Passed], by_phone: &[Passed]) -> BTreeMap<String, Seen> {
        let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
        for passed in by_trunk {
            let (start, caller, method) = parts(&passed.bytes);
            let entry = seen.entry(caller).or_default();
            let there = passed.left_us.first().copied();
            entry.note("caller", passed, &start, &method);
            match (passed.toward, start.split(' ').next().unwrap_or_default()) {
                (Toward::Target, "INVITE") => entry.offered = entry.offered.or(there),
                (Toward::Target, "BYE") => entry.ended = entry.ended.or(there),
                (Toward::Source, "SIP/2.0") if start.contains(" 180 ") => {
                    entry.rung = entry.rung.or(Some(passed.came_us));
                }
                (Toward::Source, "SIP/2.0") if start.contains(" 200 ") && method == "INVITE" => {
                    entry.connected = entry.connected.or(Some(passed.came_us));
                }
                _ => {}
            }
        }
        for passed in by_phone {
            let (start, caller, method) = parts(&passed.bytes);
            let entry = seen.entry(caller).or_default();
            entry.note("agent", passed, &start, &method);
            if passed.toward == Toward::Source && start.contains(" 200 ") && method == "INVITE" {
                entry.answered = entry.answered.or_else(|| passed.left_us.first().copied());
            }
            if let Some(agent) = start.strip_prefix("INVITE sip:").and_then(|rest| rest.split('@').next()) {
                entry.agents.push(agent.to_owned());
            }
        }
        seen
    }

    fn note(&mut self, leg: &str, passed: &Passed, start: &str, method: &str) {
        let fate = if passed.left_us.is_empty() { "lost" } else { "came" };
        self.messages.push((passed.came_us, format!("{leg} {:?} {fate} {method}: {start}", passed.toward)));
        self.messages.sort();
    }

    /// By how many milliseconds the record's figures differ at most; everything else must be as it was.
    #[track_caller]
    fn differs(&self, record: &Value) -> i64 {
        for (name, value) in [("outcome", "answered"), ("reason", "caller_hung_up"), ("ended_by", "caller")] {
            assert_eq!(record.text(name), value, "{self:#?} {record:#}");
        }
        assert!(!record.flag("interrupted"), "{record:#}");
        assert!(self.agents.iter().all(|agent| agent == record.text("agent")), "{self:?} {record:#}");
        let at = |instant: Option<i64>| instant.unwrap_or_else(|| panic!("{self:?} of {record:#}"));
        let (offered, answered, ended) = (at(self.offered), at(self.answered), at(self.ended));
        let spans = [
            ("wait_ms", answered - offered),
            ("talk_ms", ended - answered),
            ("duration_ms", ended - offered),
            ("ring_to_answer_ms", self.rung.map_or(0, |rung| (answered - rung).max(0))),
        ];
        let spans = spans.into_iter().map(|(name, us)| (record.number(name) - us / 1000).abs());
        let instants = [("offered_at", offered), ("connected_at", at(self.connected)), ("ended_at", ended)];
        let instants = instants.into_iter().map(|(name, us)| (record.instant_us(name) - us).abs() / 1000);
        spans.chain(instants).max().unwrap_or_default()
    }
}

/// Start line, the user part in From, and the method in CSeq.
fn parts(bytes: &[u8]) -> (String, String, String) {
    let text = String::from_utf8_lossy(bytes);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let caller = field("From:").split("sip:").nth(1).and_then(|rest| rest.split('@').next()).unwrap_or_default();
    let method = field("CSeq:").trim().split(' ').nth(1).unwrap_or_default();
    (text.lines().next().unwrap_or_default().to_owned(), caller.to_owned(), method.to_owned())
}

/// The agent's voice comes over a network that loses, swaps and doubles: the record counts what came, and what did not.
#[test]
fn the_record_counts_what_the_network_did() {
    let rough = Weather {
        loss_percent: 10,
        doubled_percent: 5,
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(30),
    };
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let (caller, agent) = (Voice::new(bench.ports.even(), CALLER_HZ), Voice::new(bench.ports.even(), AGENT_HZ));
    let relay = Relay::start(bench.ports.even(), SocketAddr::from(([127, 0, 0, 1], agent.port)), rough, 5);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(4_000).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200).voice(relay.port);
    let gateway = bench.serve();
    let answering = answering.start();
    calling.run();
    answering.finish();
    let record = gateway.sealed();

    let (connected, ended) = (record.instant_us("connected_at"), record.instant_us("ended_at"));
    let sent: Vec<Passed> = relay.journal().into_iter().filter(|p| p.toward == Toward::Source).collect();
    let first = u16::from_be_bytes([sent[0].bytes[2], sent[0].bytes[3]]);
    let place = |passed: &Passed| u16::from_be_bytes([passed.bytes[2], passed.bytes[3]]).wrapping_sub(first);
    // What left the network in that time: packets, and numbers in between that did not.
    let between = |begin: i64, end: i64| {
        let came = |passed: &&Passed| passed.left_us.iter().any(|at| (begin..end).contains(at));
        let came: Vec<i64> = sent.iter().filter(came).map(|passed| i64::from(place(passed))).collect();
        let (lowest, highest) = (came.iter().min().expect("a voice"), came.iter().max().expect("a voice"));
        let packets = i64::try_from(came.len()).expect("a short call");
        (packets, highest - lowest + 1 - packets)
    };
    // The agent's voice may be there a moment before the two are connected, and a packet come while the end is being carried
    // out; its number may tell of more that are missing.
    let all: Vec<(i64, i64)> = [connected - 20_000, connected]
        .into_iter()
        .flat_map(|begin| (-2..=20).map(move |ms| (begin, ended + ms * 1_000)))
        .map(|(begin, end)| between(begin, end))
        .collect();
    let span = |all: &mut dyn Iterator<Item = i64>| {
        let all: Vec<i64> = all.collect();
        *all.iter().min().expect("some")..=*all.iter().max().expect("some")
    };
    let counts = relay.counts(Toward::Source);
    say(&format!("{all:?} packets came and did not; {counts:?}"));
    assert!(counts.lost > 5 && counts.doubled > 2 && counts.overtaken > 5, "{counts:?}");
    within("packets", record.number("quality.agent.packets"), span(&mut all.iter().map(|(came, _)| *came)));
    within("lost", record.number("quality.agent.lost"), span(&mut all.iter().map(|(_, lost)| *lost)));
    assert_eq!(record.number("quality.caller.lost"), 0, "{record:#}");
    within("the agent's jitter", record.at_path("quality.agent.jitter_ms").as_f64().expect("jitter") as i64, 3..=20);
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
