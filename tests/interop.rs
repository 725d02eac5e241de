//! Programs that this project did not write, with one another by way of the gateway. `docs/interop.md` is the table of all.

#![allow(clippy::disallowed_methods, reason = "the tests stand outside the gateway and have clocks of their own")]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use common::bench::{hotline, series};
use common::carrier::{Kamailio, Names, secret};
use common::child::Process;
use common::phone::{Phone, options};
use common::softphone::{Baresip, Linphone};
use common::sound::{RATE, Stereo, level_db, play};
use common::stream::Certificates;
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, Sipp, seconds, until, within};
use serde_json::Value;

const HZ: f64 = 1_000.0;

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// One agent, 8, whose phone registers; TLS at the first address, calls may come from the second.
fn with_a_phone_over_tls() -> (Gateway, SocketAddr, SocketAddr, Certificates) {
    let mut bench = Bench::new();
    let certificates = Certificates::of(bench.path(), "authority");
    certificates.sign("server", 30);
    let (tls, trunk) = (local(bench.ports.one()), local(bench.ports.even()));
    bench.listen = vec![format!("tls:{tls}")];
    // baresip 1.0 knows no other algorithm.
    bench.sip_keys = certificates.keys() + "digest = [\"MD5\"]\n";
    bench.peers = format!("\"{trunk}\"");
    bench.agent_registers("8", "a-secret");
    (bench.serve(), tls, trunk, certificates)
}

fn registered(gateway: &Gateway, count: i64) {
    until(&format!("{count} registrations"), seconds(10), || {
        (gateway.metric("hotline_registrations") == count).then_some(())
    });
}

/// A baresip as the trunk, which dials the hotline.
fn caller(gateway: &Gateway, at: SocketAddr) -> Baresip {
    let bench = &gateway.bench;
    let account = format!("<sip:13900001234@{at}>;regint=0");
    let mut caller = Baresip::start(bench, "caller", at, 440.0, &account, "");
    caller.press("dial", &format!("sip:{HOTLINE_NUMBER}@{}", bench.sip_address()));
    caller
}

/// The facts of the only call, live or ended.
fn facts(gateway: &Gateway) -> Vec<Value> {
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let Some(call) = gateway.live().pop().or_else(|| gateway.calls().pop()) else { return Vec::new() };
    let output = hotline(&["call", call.text("id"), "--json", "--config", config]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    value["facts"].as_array().cloned().unwrap_or_default()
}

/// Waits for a fact of the only call.
fn happens(gateway: &Gateway, fact: &str) {
    happen(gateway, fact, 1);
}

/// Waits for so many of them.
fn happen(gateway: &Gateway, fact: &str, count: usize) {
    let deadline = Instant::now() + seconds(8);
    loop {
        let facts = facts(gateway);
        if facts.iter().filter(|f| f["fact"] == fact).count() >= count {
            return;
        }
        assert!(Instant::now() < deadline, "no {count} {fact} among {facts:#?}");
        common::beat();
    }
}

/// The call was answered by 8, held once, and both were heard.
fn held_once(gateway: &Gateway) {
    let record = gateway.sealed();
    assert_eq!((record.text("outcome"), record.text("agent")), ("answered", "8"), "{record:#}");
    assert_eq!(record.number("holds"), 1, "{record:#}");
    within("hold_ms", record.number("hold_ms"), 50..=4_000);
    for side in ["caller", "agent"] {
        within("packets", record.number(&format!("quality.{side}.packets")), 5..=1_000);
    }
    gateway.settled(1);
}

#[test]
fn baresip_over_tls_is_called_holds_and_resumes() {
    let (gateway, tls, trunk, certificates) = with_a_phone_over_tls();
    let bench = &gateway.bench;
    let account = format!("<sip:8@{tls};transport=tls>;auth_pass=a-secret;regint=60");
    let more = format!("sip_cafile {}\n", certificates.file("ca.pem").display());
    let mut phone = Baresip::start(bench, "8", local(bench.ports.even()), HZ, &account, &more);
    registered(&gateway, 1);
    let mut caller = caller(&gateway, trunk);
    happen(&gateway, "media_arrived", 2);
    phone.press("hold", "");
    happens(&gateway, "hold_started");
    phone.press("resume", "");
    happens(&gateway, "hold_ended");
    caller.press("hangup", "");
    happens(&gateway, "ended");
    held_once(&gateway);
}

/// It answers by itself, the second call as the first one.
#[test]
fn a_baresip_that_holds_for_too_long_rings_again_and_goes_on_with_the_caller() {
    let mut bench = Bench::new();
    let trunk = local(bench.ports.even());
    bench.sip_keys = "digest = [\"MD5\"]\n".into();
    bench.peers = format!("\"{trunk}\"");
    bench.agent_registers("8", "a-secret");
    bench.ringing.push_str("\n[hold]\ncue_s = 1\nring_s = 3\nback = \"您好！\"\n\n[length]\ncue_s = 1\nmark_s = 2\n");
    let gateway = bench.serve();
    let account = format!("<sip:8@{}>;auth_pass=a-secret;regint=60", gateway.bench.sip_address());
    let mut phone = Baresip::start(&gateway.bench, "8", local(gateway.bench.ports.even()), HZ, &account, "");
    registered(&gateway, 1);
    let mut caller = caller(&gateway, trunk);
    // Length of the talk: near it, and at it.
    happen(&gateway, "cued", 2);
    phone.press("hold", "");
    happens(&gateway, "holder_rung");
    happen(&gateway, "agent_answered", 2);
    // The session that held has gone, and the caller hears the apology.
    happens(&gateway, "media_of_left");
    happen(&gateway, "play_ended", 2);
    caller.press("hangup", "");
    happens(&gateway, "ended");

    let record = gateway.sealed();
    assert_eq!((record.text("outcome"), record.text("reason")), ("answered", "caller_hung_up"), "{record:#}");
    assert_eq!(record.number("holds"), 1);
    within("hold_ms", record.number("hold_ms"), 2_990..=5_500);
    let ends: Vec<&str> =
        record.at_path("attempts").as_array().expect("rings").iter().map(|ring| ring.text("end")).collect();
    assert_eq!(ends, ["answered", "answered"]);
    assert_eq!(record.at_path("segments").as_array().map(Vec::len), Some(2), "{record:#}");
    let told: Vec<(String, bool)> = facts(&gateway)
        .iter()
        .filter(|fact| fact["fact"] == "cued")
        .map(|fact| (fact.text("cue").to_owned(), fact.flag("sounded")))
        .collect();
    let cue = |cue: &str, sounded| (cue.to_owned(), sounded);
    let expected = [cue("talk_near_its_length", true), cue("talk_at_its_length", true), cue("hold_long", false)];
    assert_eq!(told, expected, "a phone that holds takes no tone");
    gateway.settled(1);
}

#[test]
fn baresip_and_linphone_hand_a_caller_on() {
    let mut bench = Bench::new();
    let trunk = local(bench.ports.even());
    bench.sip_keys = "digest = [\"MD5\"]\n".into();
    bench.peers = format!("\"{trunk}\"");
    ["7", "8", "9"].into_iter().for_each(|number| bench.agent_registers(number, "a-secret"));
    let gateway = bench.serve();
    let here = gateway.bench.sip_address();
    let mut baresips = ["7", "9"].map(|number| {
        let account = format!("<sip:{number}@{here}>;auth_pass=a-secret;regint=60");
        Baresip::start(&gateway.bench, number, local(gateway.bench.ports.even()), HZ, &account, "")
    });
    let linphone = Linphone::start(&gateway.bench, "8", here, "udp", "a-secret", "");
    linphone.speaks(HZ);
    registered(&gateway, 3);
    let mut caller = caller(&gateway, trunk);
    happen(&gateway, "media_arrived", 2);
    baresips[0].press("transfer", &format!("sip:8@{here}"));
    happen(&gateway, "transfer_completed", 1);
    linphone.tell(&format!("transfer sip:9@{here}"));
    happen(&gateway, "transfer_completed", 2);
    caller.press("hangup", "");
    happens(&gateway, "ended");
    let record = gateway.sealed();
    assert_eq!((record.text("outcome"), record.text("reason")), ("answered", "caller_hung_up"), "{record:#}");
    let segments = record.at_path("segments").as_array().expect("segments").iter();
    assert_eq!(segments.map(|s| s.text("agent").to_owned()).collect::<Vec<_>>(), ["7", "8", "9"], "{record:#}");
    gateway.settled(1);
}

#[test]
fn linphone_over_tls_is_called_holds_and_resumes() {
    let (gateway, tls, trunk, certificates) = with_a_phone_over_tls();
    let more =
        format!("root_ca={}\nverify_server_certs=1\nverify_server_cn=0\n", certificates.file("ca.pem").display());
    let phone = Linphone::start(&gateway.bench, "8", tls, "tls", "a-secret", &more);
    phone.speaks(HZ);
    registered(&gateway, 1);
    let mut caller = caller(&gateway, trunk);
    happen(&gateway, "media_arrived", 2);
    phone.tell("pause");
    happens(&gateway, "hold_started");
    phone.tell("resume");
    happens(&gateway, "hold_ended");
    caller.press("hangup", "");
    happens(&gateway, "ended");
    held_once(&gateway);
}

/// A program that asks the gateway something and ends.
fn ask(gateway: &Gateway, program: &str, arguments: &[&str]) -> Process {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(gateway.bench.path()).env("HOME", gateway.bench.path());
    Process::start(program, gateway.bench.path(), &mut command)
}

fn rejected(gateway: &Gateway, reason: &str) -> i64 {
    let label = format!("{{reason=\"{reason}\"}}");
    series(&gateway.metrics(), "hotline_sip_rejected_total").filter(|(l, _)| *l == label).map(|(_, n)| n).sum()
}

#[test]
fn sipsak_pings_and_registers_and_as_a_stranger_hears_nothing() {
    let mut bench = Bench::new();
    bench.sip_keys = "digest = [\"MD5\"]\n".into();
    bench.peers = "\"127.0.0.2\"".into();
    bench.agent_registers("8", "a-secret");
    let gateway = bench.serve();
    let here = gateway.bench.sip_address();
    let (uri, phone) = (format!("sip:{here}"), format!("sip:8@{here}"));
    let mut ping = ask(&gateway, "sipsak", &["-v", "-k", "127.0.0.2", "-s", &uri]);
    assert_eq!(ping.wait(seconds(5)), 0, "{}", ping.output());
    let stranger = ask(&gateway, "sipsak", &["-vvv", "-k", "127.0.0.3", "-s", &uri]);
    until("the stranger", seconds(5), || (rejected(&gateway, "stranger") > 1).then_some(()));
    assert!(!stranger.output().contains("SIP/2.0 "), "{}", stranger.output());
    let contact = "sip:8@127.0.0.4:5060";
    let register =
        ["-U", "-C", contact, "-x", "60", "-k", "127.0.0.4", "-u", "8", "-a", "a-secret", "-s", &phone, "-vvv"];
    let mut register = ask(&gateway, "sipsak", &register);
    assert_eq!(register.wait(seconds(5)), 0, "{}", register.output());
    assert_eq!(gateway.metric("hotline_registrations"), 1, "{}", register.output());
}

#[test]
fn svmap_finds_nobody() {
    let mut bench = Bench::new();
    bench.peers = "\"127.0.0.2\"".into();
    bench.agent_registers("8", "a-secret");
    let gateway = bench.serve();
    let port = gateway.bench.sip.to_string();
    for method in ["OPTIONS", "INVITE"] {
        let mut scan = ask(&gateway, "svmap", &["-m", method, "-p", &port, "127.0.0.1"]);
        scan.wait(seconds(8));
        // It may hear of programs of other tests.
        assert!(!scan.output().contains(&format!("127.0.0.1:{port}")), "{}", scan.output());
    }
    assert!(rejected(&gateway, "stranger") >= 2);
    assert_eq!(gateway.balance(), 0);
}

/// A call that reaches us by Kamailio and leaves by Kamailio, which both times records its route; the caller holds and resumes.
fn through_a_proxy(transport: &str) {
    let mut bench = Bench::new();
    let (proxy, phone) = (bench.ports.one(), bench.ports.one());
    bench.agent_with("8", format!("sip:8@127.0.0.1:{proxy};transport={transport}"));
    let text = include_str!("../fixtures/kamailio/proxy.cfg")
        .replace("GATEWAY", &bench.sip.to_string())
        .replace("PHONE", &phone.to_string())
        .replace("TRANSPORT", transport);
    let kamailio = Kamailio::start(&bench, proxy, &text);
    let agent = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200);
    let caller = Sipp::trunk_by(&bench, local(proxy), "trunk_holds");
    let gateway = bench.serve();
    let agent = agent.start();
    caller.run();
    agent.finish();
    let record = gateway.record();
    assert_eq!((record.text("outcome"), record.text("reason")), ("answered", "caller_hung_up"), "{record:#}");
    assert_eq!(record.number("holds"), 1);
    // Every message in the call's ladder came from the proxy or went to it.
    let facts = facts(&gateway);
    let ladder: Vec<&Value> = facts.iter().filter(|f| f["fact"] == "signal").collect();
    assert!(ladder.len() >= 20, "{ladder:#?}");
    if transport == "udp" {
        let past: Vec<_> = ladder.iter().filter(|m| m["peer"] != local(proxy).to_string().as_str()).collect();
        assert!(past.is_empty(), "{past:#?}");
    }
    gateway.settled(1);
    drop(kamailio);
}

#[test]
fn a_kamailio_on_both_sides_over_udp_stays_in_the_way() {
    through_a_proxy("udp");
}

#[test]
fn a_kamailio_on_both_sides_over_tcp_stays_in_the_way() {
    through_a_proxy("tcp");
}

/// REGISTER requests that were sent.
fn registers(gateway: &Gateway) -> i64 {
    let text = gateway.metrics();
    let ours = |labels: &str| labels.contains("method=\"REGISTER\"") && labels.contains("direction=\"out");
    series(&text, "hotline_sip_requests_total").filter(|(labels, _)| ours(labels)).map(|(_, n)| n).sum()
}

/// A carrier of these machines, which gives registrations for at most so many seconds, and us.
fn carrier(machines: u16, longest_s: u32) -> (Gateway, Vec<Kamailio>, Vec<SocketAddr>, Names) {
    let mut bench = Bench::new();
    bench.agent("8");
    let at: Vec<SocketAddr> = (0..machines).map(|_| local(bench.ports.one())).collect();
    let services =
        at.iter().enumerate().map(|(n, at)| format!("_sip._udp.carrier.test,sbc.carrier.test,{},{n},1", at.port()));
    let names = Names::start(&bench, &services.collect::<Vec<_>>(), "127.0.0.1 sbc.carrier.test\n");
    secret(bench.path(), "long live the carrier\n");
    bench.peers = "\"192.0.2.1\"".into();
    bench.trunk = "options_s = 1\nregister = { server = \"sip:carrier.test\", username = \"1000\", \
                   password_file = \"carrier.secret\" }"
        .into();
    bench.extra = names.section();
    let text = include_str!("../fixtures/kamailio/carrier.cfg")
        .replace("\"min_expires\", 60", "\"min_expires\", 1")
        .replace("\"max_expires\", 120", &format!("\"max_expires\", {longest_s}"))
        .replace("request_route", "modparam(\"auth\", \"nonce_expire\", 1)\nrequest_route");
    let kamailios = at.iter().map(|at| Kamailio::start(&bench, at.port(), &text)).collect();
    let gateway = bench.serve();
    until("the registration", seconds(5), || is_registered(&gateway).then_some(()));
    (gateway, kamailios, at, names)
}

fn is_registered(gateway: &Gateway) -> bool {
    gateway.metric("hotline_trunk_registered") == 1
}

#[test]
fn a_registration_of_three_seconds_is_renewed_in_time() {
    let (gateway, _kamailio, ..) = carrier(1, 3);
    let begun = registers(&gateway);
    assert!(begun >= 2, "a REGISTER and the answer to its challenge: {begun}");
    // Each nonce of this carrier lasts a second, so each renewal is challenged.
    until("two renewals", seconds(8), || {
        assert!(is_registered(&gateway));
        (registers(&gateway) >= begun + 4).then_some(())
    });
}

#[test]
fn when_the_first_machine_of_a_carrier_dies_we_register_with_the_second() {
    let (gateway, mut kamailios, at, _names) = carrier(2, 60);
    let asker = Phone::at("127.0.0.1", gateway.bench.ports.one());
    let mut asked = 0;
    let mut knows_us = |machine: SocketAddr| {
        asked += 1;
        let question = options(asker.address(), machine, &format!("asked{asked}"));
        asker.send(&question.replace("OPTIONS sip:", "OPTIONS sip:1000@"), machine);
        asker.next(seconds(1)).is_some_and(|answer| answer.text.starts_with("SIP/2.0 200"))
    };
    assert!(knows_us(at[0]) && !knows_us(at[1]), "only the first machine is asked while it lives");
    drop(kamailios.remove(0));
    let died = Instant::now();
    until("the second machine to know us", seconds(12), || knows_us(at[1]).then_some(()));
    assert!(is_registered(&gateway));
    common::say(&format!("registered with the second machine {:.1} s after", died.elapsed().as_secs_f64()));
}

/// What was recorded of a talk: its rate, its sound at 8 kHz, and at half its speed (each frequency is half of what it was); and what
/// the agent's phone wrote on its screen.
struct Talked {
    record: Value,
    rate: String,
    sound: Stereo,
    slow: Stereo,
    screen: String,
}

/// An agent's baresip whose media is its own way, and a caller who speaks PCMA in the clear. The agent presses 5.
/// `rtp` are further lines of `[rtp]`, `account` and `more` are the phone's.
fn talk_of(rtp: &str, account: &str, more: &str) -> Talked {
    let mut bench = Bench::new();
    let (phone, trunk) = (local(bench.ports.even()), local(bench.ports.even()));
    bench.agent_with("8", format!("sip:8@{phone}"));
    bench.rtp_keys = rtp.into();
    let gateway = bench.serve();
    let bench = &gateway.bench;
    let wide = bench.path().join("wide.wav");
    let tones = ["synth", "20", "sine", "1000", "synth", "sine", "mix", "6000", "vol", "-6dB"];
    sox(&[&["-n", "-r", "16000", "-b", "16", "-c", "1", &text(&wide)][..], &tones].concat());
    let account = format!("<sip:8@{phone}>;regint=0{account}").replace("WIDE", &text(&wide));
    let mut phone = Baresip::start(bench, "8", phone, HZ, &account, more);
    let mut caller = caller(&gateway, trunk);
    happens(&gateway, "play_ended");
    phone.press("sndcode", "5");
    happens(&gateway, "key");
    let key = facts(&gateway).into_iter().find(|fact| fact["fact"] == "key").expect("the key");
    assert_eq!(
        (key["leg"].as_str(), key["key"].as_str(), key["via"].as_str()),
        (Some("agent"), Some("5"), Some("rtp"))
    );
    // The length of the talk that is listened to below.
    std::thread::sleep(seconds(2));
    caller.press("hangup", "");
    happens(&gateway, "ended");
    let record = gateway.sealed();
    assert_eq!(record.text("recording.status"), "ok", "{record:#}");
    for side in ["caller", "agent"] {
        within("packets", record.number(&format!("quality.{side}.packets")), 100..=1_000);
    }
    let recording = gateway.recording(&record);
    let rate = Command::new("soxi").arg("-r").arg(&recording).output().expect("soxi runs");
    let narrow = gateway.bench.path().join("narrow.wav");
    sox(&[&text(&recording), "-r", "8000", &text(&narrow)]);
    let slow = gateway.bench.path().join("slow.wav");
    sox(&[&text(&recording), "-r", "8000", &text(&slow), "speed", "0.5"]);
    let rate = String::from_utf8_lossy(&rate.stdout).trim().to_owned();
    Talked { record, rate, sound: play(&narrow), slow: play(&slow), screen: phone.process.output() }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn sox(arguments: &[&str]) {
    let output = Command::new("sox").arg("-D").args(arguments).output().expect("sox runs");
    assert!(output.status.success(), "sox {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The last second but a quarter: left the caller's tone alone, right the agent's.
fn two_tones(sound: &Stereo) {
    for (name, own, other, channel) in [("left", 440.0, HZ, &sound.left), ("right", HZ, 440.0, &sound.right)] {
        let end = channel.len() - RATE / 4;
        let second = &channel[end - RATE..end];
        let (own, other) = (level_db(second, own), level_db(second, other));
        assert!((own + 12.2).abs() < 2.0, "{name}: its own tone at {own:.1} dB");
        assert!(other < own - 30.0, "{name}: the other side's tone at {other:.1} dB beside {own:.1} dB");
    }
}

#[test]
fn baresip_speaks_srtp_and_its_key_is_a_fact() {
    let talked = talk_of("agent_srtp = \"required\"", ";mediaenc=srtp-mand", "module srtp.so\n");
    in_pcma(&talked, true);
}

#[test]
fn baresip_takes_the_key_beside_a_clear_offer() {
    in_pcma(&talk_of("agent_srtp = \"preferred\"", ";mediaenc=srtp", "module srtp.so\n"), true);
}

#[test]
fn baresip_without_srtp_speaks_in_the_clear_whatever_key_is_offered() {
    in_pcma(&talk_of("agent_srtp = \"preferred\"", "", ""), false);
}

#[track_caller]
fn in_pcma(talked: &Talked, secured: bool) {
    let Talked { record, rate, sound, screen, .. } = talked;
    assert_eq!((record.text("quality.agent.codec"), rate.as_str()), ("PCMA", "8000"), "{record:#}");
    assert_eq!(screen.contains("SRTP is Enabled"), secured, "{screen}");
    two_tones(sound);
}

#[test]
fn baresip_speaks_g722_and_is_recorded_at_16_khz() {
    let account = ";audio_codecs=G722/16000/1;audio_source=aufile,WIDE";
    let Talked { record, rate, sound, slow, .. } = talk_of("", account, "module g722.so\n");
    assert_eq!((record.text("quality.agent.codec"), rate.as_str()), ("G722", "16000"), "{record:#}");
    two_tones(&sound);
    // Of the agent's 6 kHz, which no narrow band holds; the caller has nothing up there.
    let [left, right] = [&slow.left, &slow.right].map(|channel| {
        let end = channel.len() - RATE / 2;
        level_db(&channel[end - RATE..end], 3_000.0)
    });
    assert!(
        (right + 12.2).abs() < 3.0 && left < -50.0,
        "6 kHz: {right:.1} dB of the agent, {left:.1} dB of the caller"
    );
}

/// REGISTER requests that were answered with 200.
fn registrations_taken(gateway: &Gateway) -> i64 {
    let text = gateway.metrics();
    let taken = |labels: &str| ["method=\"REGISTER\"", "code=\"200\""].iter().all(|label| labels.contains(label));
    series(&text, "hotline_sip_responses_total").filter(|(labels, _)| taken(labels)).map(|(_, n)| n).sum()
}

#[test]
#[ignore = "takes 75 s: the shortest registration and the shortest session timer that RFCs and phones know"]
fn phones_register_again_by_themselves_while_a_session_is_refreshed() {
    let mut bench = Bench::new();
    let trunk = local(bench.ports.even());
    bench.sip_keys = "digest = [\"MD5\"]\nsession_expires_s = 90\n".into();
    bench.peers = format!("\"{trunk}\"");
    ["8", "9"].into_iter().for_each(|number| bench.agent_registers(number, "a-secret"));
    let gateway = bench.serve();
    let here = gateway.bench.sip_address();
    // baresip 1.0 knows no session timers: the session of its leg has none.
    let timers = "session_expires_enabled=1\nsession_expires_value=90\nsession_expires_min_value=90\n";
    let linphone = Linphone::start(&gateway.bench, "8", here, "udp", "a-secret", timers);
    linphone.speaks(HZ);
    let account = format!("<sip:9@{here}>;auth_pass=a-secret;regint=60");
    let _baresip = Baresip::start(&gateway.bench, "9", local(gateway.bench.ports.even()), HZ, &account, "");
    registered(&gateway, 2);
    let mut caller = caller(&gateway, trunk);
    happen(&gateway, "media_arrived", 2);
    let (begun, taken) = (Instant::now(), registrations_taken(&gateway));
    until("70 s", seconds(75), || {
        assert_eq!((gateway.metric("hotline_registrations"), gateway.metric("hotline_calls_active")), (2, 1));
        (begun.elapsed() > seconds(70)).then_some(())
    });
    let again = registrations_taken(&gateway) - taken;
    caller.press("hangup", "");
    happens(&gateway, "ended");
    let facts = facts(&gateway);
    let of_agent = facts.iter().filter(|f| f["fact"] == "signal" && f["leg"] == "agent");
    let answers = of_agent.filter(|f| f["message"] == "200 OK (INVITE)" || f["message"] == "200 OK (UPDATE)").count();
    common::say(&format!("{again} new registrations, {} refresh of the agent's session", answers - 1));
    assert!(again >= 2, "{again} registrations in 70 s");
    assert!(answers >= 2, "{facts:#?}");
    let record = gateway.sealed();
    assert_eq!((record.text("outcome"), record.text("reason")), ("answered", "caller_hung_up"), "{record:#}");
    within("talk_ms", record.number("talk_ms"), 69_000..=80_000);
}

/// Every row of `docs/interop.md` names tests or files of tests that there are.
#[test]
fn every_row_of_the_table_is_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read =
        |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let files = std::fs::read_dir(root.join("tests")).expect("the tests").flatten().map(|entry| entry.path());
    let sources: String =
        files.filter(|path| path.extension().is_some_and(|e| e == "rs")).map(|path| read(&path)).collect();
    let table = read(&root.join("docs/interop.md"));
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    assert!(rows.len() > 25, "{} rows", rows.len());
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().expect("a column");
        let names: Vec<&str> = last.split('`').skip(1).step_by(2).filter(|name| !name.starts_with('-')).collect();
        assert!(!names.is_empty() || last.contains("two tests of a proxy"), "no test: {row}");
        for name in names {
            let is_there = match name.rsplit_once('.') {
                Some((_, "rs")) => root.join("tests").join(name).exists(),
                Some(_) => root.join(name).exists(),
                None => sources.contains(&format!("fn {name}()")),
            };
            assert!(is_there, "{name} is no test: {row}");
        }
    }
}
