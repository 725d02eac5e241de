//! The gateway against the wire: its figures beside a capture, malformed messages, strangers.

mod common;

use std::time::Duration;

use common::bench::{hotline, http_get};
use common::capture::{Capture, Passed, Seen};
use common::phone::{Phone, follow, invite, options};
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, Sipp, seconds, until, within};

const PATIENCE: Duration = Duration::from_secs(2);

/// Record and capture of each figure of each call, in milliseconds.
fn differences(record: &serde_json::Value, seen: &Seen) -> Vec<(String, f64)> {
    let at = |what: &str, instant: Option<f64>| {
        instant.unwrap_or_else(|| panic!("the capture has no {what} of {record:#}: {seen:?}"))
    };
    let (invite, end) = (at("INVITE", seen.invite), at("end", seen.end));
    let mut figures = Vec::new();
    let mut compare = |name: &str, from: f64, to: f64| {
        let recorded = record.number(name) as f64;
        figures.push((name.to_owned(), recorded - (to - from) * 1000.0));
    };
    compare("duration_ms", invite, end);
    if record.text("outcome") == "answered" {
        let (ring, answered) = (at("180", seen.first_180), at("agent's 200", seen.agent_200));
        compare("ring_to_answer_ms", ring, answered);
        compare("wait_ms", invite, answered);
        compare("talk_ms", answered, end);
        let passed_on = (at("200 to the caller", seen.caller_200) - answered) * 1000.0;
        assert!((0.0..20.0).contains(&passed_on), "the answer was passed on after {passed_on:.1} ms");
    } else {
        compare("wait_ms", invite, end);
    }
    figures
}

#[test]
fn the_figures_agree_with_a_capture() {
    const ANSWERED: u64 = 16;
    const GIVEN_UP: u64 = 6;
    let mut bench = Bench::new();
    let phones = bench.ports.one();
    for number in 1..=30 {
        bench.agent_at(&number.to_string(), phones);
    }
    let capture = Capture::start(&bench);
    // Callers who talk reach a phone that rings 700 ms; those who give up do so after 400 ms.
    let agents = Sipp::agent(&bench, "agent_either", phones).calls(ANSWERED + GIVEN_UP);
    let talking = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(1_300).caller("1391").calls(ANSWERED).per_second(7);
    let giving_up = Sipp::trunk(&bench, "trunk_cancels").pause_ms(400).caller("1392").calls(GIVEN_UP).per_second(3);
    let mut gateway = bench.serve();
    let agents = agents.start();
    let (talking, giving_up) = (talking.start(), giving_up.start());
    talking.finish();
    giving_up.finish();
    agents.finish();
    assert!(gateway.alive());
    let records = gateway.records(22);
    gateway.settled(22);
    assert_eq!((gateway.outcomes("answered"), gateway.outcomes("short_abandoned")), (16, 6));

    let wire = capture.finish();
    let mut all = Vec::new();
    for record in &records {
        let seen = wire.get(record.text("caller")).unwrap_or_else(|| panic!("no call of {record:#} on the wire"));
        all.extend(differences(record, seen));
    }
    for figure in ["ring_to_answer_ms", "wait_ms", "talk_ms", "duration_ms"] {
        let mut off: Vec<f64> = all.iter().filter(|(name, _)| name == figure).map(|(_, off)| off.abs()).collect();
        off.sort_by(f64::total_cmp);
        let (median, worst) = (off[off.len() / 2], off[off.len() - 1]);
        common::say(&format!("{figure}: {} calls, median {median:.2} ms, worst {worst:.2} ms off", off.len()));
        assert!(off.len() >= 16, "{figure}: only {} calls", off.len());
        assert!(median < 2.0, "{figure}: median {median:.2} ms from the capture: {off:.2?}");
        assert!(worst <= 20.0, "{figure}: worst {worst:.2} ms from the capture: {off:.2?}");
    }
}

/// Ready, with one agent; the phone that the probes come from.
fn with_a_probe() -> (Gateway, Phone) {
    let mut bench = Bench::new();
    bench.agent("8");
    let phone = Phone::at("127.0.0.1", bench.ports.one());
    (bench.serve(), phone)
}

/// Requests that are wrong in one way each; the gateway may answer 400 or say nothing.
fn malformed(phone: &Phone, gateway: &Gateway) -> Vec<(&'static str, String)> {
    let good = invite(phone.address(), gateway.bench.sip_address(), common::HOTLINE_NUMBER, "malformed");
    let without =
        |name: &str| good.lines().filter(|l| !l.starts_with(name)).map(|l| format!("{l}\n")).collect::<String>();
    let body = good.split_once("\n\n").map_or("", |(_, body)| body);
    let length = format!("Content-Length: {}", body.replace('\n', "\r\n").len());
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is not in the sample");
        good.replacen(from, to, 1)
    };
    vec![
        ("no Via", without("Via:")),
        ("no From", without("From:")),
        ("no To", without("To:")),
        ("no Call-ID", without("Call-ID:")),
        ("no CSeq", without("CSeq:")),
        ("CSeq of another method", with("CSeq: 1 INVITE", "CSeq: 1 OPTIONS")),
        ("CSeq beyond 32 bits", with("CSeq: 1 INVITE", "CSeq: 99999999999999999999 INVITE")),
        ("CSeq of no number", with("CSeq: 1 INVITE", "CSeq: one INVITE")),
        ("longer Content-Length than the datagram", with(&length, "Content-Length: 9999")),
        ("negative Content-Length", with(&length, "Content-Length: -1")),
        ("huge Content-Length", with(&length, "Content-Length: 18446744073709551616")),
        ("two words in the request line", with(" SIP/2.0\nVia", "\nVia")),
        ("two different Call-IDs", with("Call-ID:", "Call-ID: other\nCall-ID:")),
        ("a broken URI", with("INVITE sip:4008001234@", "INVITE sip:%%%@@@:::")),
        ("an unclosed From", with("From: <sip:", "From: <<<sip:")),
        ("a NUL in the To", with("To: <sip:", "To: <sip:\0")),
        ("spaces in the request line", with("INVITE sip:", "INVITE   sip: ")),
        ("a header line of 60,000 octets", with("Max-Forwards: 70", &format!("X: {}", "a".repeat(60_000)))),
        ("3,000 Via lines", with("Max-Forwards: 70", &"Via: SIP/2.0/UDP 127.0.0.1;branch=z9\n".repeat(1_500))),
        ("headers without an end", good.split("\n\n").next().unwrap_or_default().to_owned()),
    ]
}

#[test]
fn malformed_requests_get_400_or_nothing() {
    let (mut gateway, phone) = with_a_probe();
    let cases = malformed(&phone, &gateway);
    let mut answered = 0;
    for (what, text) in &cases {
        phone.send(text, gateway.bench.sip_address());
        // An OPTIONS behind it: once that is answered, whatever the malformed one gave is here too.
        let call_id = format!("after-{}", what.replace([' ', ','], "-"));
        phone.send(&options(phone.address(), gateway.bench.sip_address(), &call_id), gateway.bench.sip_address());
        loop {
            let reply = phone.next(PATIENCE).unwrap_or_else(|| panic!("no answer to OPTIONS after: {what}"));
            if reply.text.contains(&call_id) {
                break;
            }
            assert!(reply.text.starts_with("SIP/2.0 400"), "{what}: {}", reply.text);
            answered += 1;
        }
        assert!(gateway.alive(), "died of: {what}");
    }
    assert!(answered > 0, "not one malformed request was told so");
    assert_eq!(gateway.balance(), 0, "a malformed INVITE was taken for a call");
    assert!(gateway.calls().is_empty());
}

#[test]
fn noise_on_the_sip_port_harms_nothing() {
    let (mut gateway, phone) = with_a_probe();
    let to = gateway.bench.sip_address();
    let sample = options(phone.address(), to, "noise").replace('\n', "\r\n").into_bytes();
    let mut seed: u64 = 0x5eed_2026_1121;
    let mut random = |below: usize| {
        // xorshift64: the same noise in every run.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).expect("below a usize")
    };
    let raw = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut fixed: Vec<Vec<u8>> = ["", "\r\n\r\n", "\0", "SIP/2.0", "SIP/2.0 200", "SIP/2.0 999 x\r\n\r\n", "INVITE"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec();
    fixed.extend([vec![0xff; 1_500], vec![b'A'; 65_000], vec![0x80; 172]]);
    let made = (0..600).map(|_| {
        let mut bytes = sample.clone();
        for _ in 0..=random(6) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = u8::try_from(random(256)).unwrap_or(0),
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, b"\r\n:;<>@\0"[random(8)]),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        bytes
    });
    for (n, datagram) in fixed.into_iter().chain(made).enumerate() {
        raw.send_to(&datagram, to).expect("sending");
        if n % 50 == 49 {
            phone.send(&options(phone.address(), to, &format!("between{n}")), to);
            phone.expect("SIP/2.0 ", PATIENCE);
        }
    }
    assert!(gateway.alive());
    assert!(http_get(gateway.bench.metrics, "/healthz").is_some());
    assert_eq!(gateway.balance(), 0);
}

#[test]
fn strangers_get_silence_and_are_counted() {
    let (mut gateway, friend) = with_a_probe();
    let to = gateway.bench.sip_address();
    let stranger = Phone::at("127.0.0.2", 0);
    let before = gateway.metric("hotline_sip_rejected_total");
    for n in 0..5 {
        stranger.send(&invite(stranger.address(), to, common::HOTLINE_NUMBER, &format!("stranger{n}")), to);
    }
    stranger.send(&options(stranger.address(), to, "stranger-options"), to);
    stranger.send("REGISTER", to);
    until("the strangers to be counted", seconds(3), || {
        (gateway.metric("hotline_sip_rejected_total") >= before + 7).then_some(())
    });
    // One whom it knows is answered meanwhile, so the silence is meant.
    friend.send(&options(friend.address(), to, "friend"), to);
    friend.expect("SIP/2.0 200", PATIENCE);
    let reply = stranger.next(Duration::from_millis(300));
    assert!(reply.is_none(), "a stranger was told {}", reply.map_or_else(String::new, |message| message.text));
    assert!(gateway.alive());
    within("strangers counted", gateway.metric("hotline_sip_rejected_total") - before, 7..=7);
    assert_eq!(gateway.balance(), 0, "a stranger's INVITE was taken for a call");
    assert!(gateway.calls().is_empty());
}

#[test]
fn an_unknown_number_is_refused_and_is_no_offered_call() {
    let (gateway, phone) = with_a_probe();
    let to = gateway.bench.sip_address();
    let before = gateway.metric("hotline_sip_rejected_total");
    phone.send(&invite(phone.address(), to, "4009999999", "unknown-number"), to);
    phone.expect("SIP/2.0 404", PATIENCE);
    until("it to be counted", seconds(2), || (gateway.metric("hotline_sip_rejected_total") > before).then_some(()));
    assert_eq!(gateway.balance(), 0);
    assert!(gateway.calls().is_empty());
}

/// A step of the ladder as the capture would have it, and whether it is marked as a repetition.
fn step(fact: &serde_json::Value) -> (Passed, bool) {
    let message = fact.text("message");
    let title = match message.split_once(' ') {
        Some((status, rest)) if status.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{status} {}", rest.rsplit(['(', ')']).nth(1).unwrap_or_default())
        }
        _ => message.split(' ').next().unwrap_or_default().to_owned(),
    };
    let again = fact.get("again").and_then(serde_json::Value::as_bool).unwrap_or(false);
    (Passed { at_s: fact.number("at.wall_us") as f64 / 1e6, sent: fact.flag("sent"), title }, again)
}

#[test]
fn the_ladder_of_a_call_is_what_a_capture_saw() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200);
    let port = bench.ports.one();
    let gateway = bench.serve();
    let capture = Capture::start(&gateway.bench);
    let agent = agent.start();
    let (trunk, here) = (Phone::at("127.0.0.1", port), gateway.bench.sip_address());
    // The caller repeats its INVITE, leaves our 200 without ACK until it comes again, and repeats its BYE.
    let call = invite(trunk.address(), here, HOTLINE_NUMBER, "ladder");
    trunk.send(&call, here);
    trunk.expect("SIP/2.0 180", seconds(5));
    trunk.send(&call, here);
    trunk.expect("SIP/2.0 200", seconds(5));
    let answer = trunk.expect("SIP/2.0 200", seconds(5));
    for _ in 0..2 {
        trunk.send(&follow(&call, "ACK", Some(&answer)), here);
    }
    let bye = follow(&call, "BYE", Some(&answer));
    for _ in 0..2 {
        trunk.send(&bye, here);
        trunk.expect("SIP/2.0 200", seconds(5));
    }
    agent.finish();
    gateway.sealed();
    let mut wire = capture.messages();

    let record = gateway.record();
    let (id, config) = (record.text("id"), gateway.config.to_str().expect("UTF-8"));
    let shown = hotline(&["call", id, "--json", "--config", config]);
    let whole: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("a call");
    let facts = whole.at_path("facts").as_array().expect("facts");
    let mut ladder: Vec<(Passed, bool)> = facts.iter().filter(|f| f.text("fact") == "signal").map(step).collect();
    let key = |passed: &Passed| (passed.title.clone(), passed.sent);
    // Messages of one instant may change places; those of one kind may not.
    wire.sort_by(|a, b| key(a).cmp(&key(b)).then(a.at_s.total_cmp(&b.at_s)));
    ladder.sort_by(|(a, _), (b, _)| key(a).cmp(&key(b)).then(a.at_s.total_cmp(&b.at_s)));
    let titles = |all: &[Passed]| all.iter().map(|p| format!("{} {}", p.sent, p.title)).collect::<Vec<_>>();
    let steps: Vec<Passed> = ladder.iter().map(|(passed, _)| passed.clone()).collect();
    assert_eq!(titles(&steps), titles(&wire));
    for (step, passed) in steps.iter().zip(&wire) {
        within(&format!("{} apart, µs", step.title), ((step.at_s - passed.at_s) * 1e6) as i64, -5_000..=5_000);
    }
    let again: Vec<String> = ladder.iter().filter(|(_, again)| *again).map(|(p, _)| p.title.clone()).collect();
    assert_eq!(again, ["180 INVITE", "200 BYE", "200 INVITE", "ACK", "BYE", "INVITE"]);

    let text = |more: &[&str]| {
        let shown = hotline(&[&["call", id, "--config", config], more].concat());
        let text = String::from_utf8(shown.stdout).expect("UTF-8");
        text.split_once("\nSIP ").expect("a ladder").1.to_owned()
    };
    let masked = text(&[]);
    assert!(masked.contains("--- INVITE again ---") && masked.contains("agent 8  127.0.0.1:"), "{masked}");
    assert!(masked.contains("SDP of ") && !masked.contains("13900009999"), "{masked}");
    let kept: Vec<&str> = facts.iter().filter(|f| f.text("fact") == "signal").map(|f| f.text("message")).collect();
    assert!(kept.iter().all(|message| !message.contains("13900009999")), "{kept:?}");
}
