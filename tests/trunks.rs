//! Trunks that are more than an address: a real Kamailio is the carrier, a real dnsmasq knows the names.

mod common;

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use common::carrier::{Kamailio, Names, secret};
use common::phone::{Phone, invite, options};
use common::sound::write_wav;
use common::stream::{Certificates, Stream};
use common::voice::Voice;
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, Sipp, seconds, until, within};
use nix::sys::signal::Signal;
use rustls::ServerConfig;

fn gauge(gateway: &Gateway, name: &str) -> i64 {
    gateway.metric(&format!("hotline_trunk_{name}"))
}

/// The target `duty` is called when no agent is left.
fn overflows_to_duty(bench: &mut Bench) {
    bench.ringing += "\nnobody = \"target:duty\"";
    bench.extra += "\n[[target]]\nname = \"duty\"\ntrunk = \"carrier\"\nnumber = \"13900000001\"\n";
}

#[test]
fn a_carrier_found_by_name_brings_calls_over_our_registration_and_takes_ours_against_a_password() {
    let mut bench = Bench::new();
    let busy = bench.agent("8");
    let (carrier, duty) = (bench.ports.one(), bench.ports.one());
    let service = format!("_sip._udp.carrier.test,sbc.carrier.test,{carrier},10,10");
    let names = Names::start(&bench, &[service], "127.0.0.1 sbc.carrier.test\n");
    secret(bench.path(), "long live the carrier\n");
    // Nobody is known by address: what comes, comes from where we are registered.
    bench.peers = "\"192.0.2.1\"".into();
    bench.trunk = "options_s = 1\nregister = { server = \"sip:carrier.test\", username = \"1000\", \
                   password_file = \"carrier.secret\" }"
        .into();
    bench.extra = names.section();
    overflows_to_duty(&mut bench);
    let kamailio = Kamailio::carrier(&bench, carrier, duty);
    let agent = Sipp::agent(&bench, "agent_busy", busy);
    let phone = Sipp::agent(&bench, "agent_answers", duty).pause_ms(300);
    let way = SocketAddr::from(([127, 0, 0, 1], carrier));
    let caller = Sipp::trunk_by(&bench, way, "trunk_hangs_up").pause_ms(1_000);
    let mut gateway = bench.serve();
    until("the registration", seconds(10), || (gauge(&gateway, "registered") == 1).then_some(()));
    until("an answer to OPTIONS", seconds(10), || (gauge(&gateway, "up") == 1).then_some(()));
    let left_s = gauge(&gateway, "registration_expires_timestamp_seconds") - common::wall_us() / 1_000_000;
    within("seconds of the registration", left_s, 100..=121);

    let (agent, phone) = (agent.start(), phone.start());
    caller.run();
    agent.finish();
    phone.finish();
    let record = gateway.record();
    assert_eq!((record.text("outcome"), record.text("target")), ("overflow", "duty"));
    assert_eq!((record.text("reason"), record.text("trunk")), ("caller_hung_up", "carrier"));
    assert!(record.at_path("agent").is_null() && record.at_path("ring_to_answer_ms").is_null());
    within("wait_ms", record.number("wait_ms"), 300..=1_500);
    gateway.settled(1);
    // Whoever stops takes the registration back: the carrier knows at once that nobody is there.
    gateway.process.signal(Signal::SIGTERM);
    gateway.process.wait(seconds(10));
    let asker = Phone::at("127.0.0.1", gateway.bench.ports.one());
    asker.send(&invite(asker.address(), way, HOTLINE_NUMBER, "gone"), way);
    asker.expect("SIP/2.0 404", seconds(5));
    drop(kamailio);
}

/// What another program hears in this sound.
fn keys_by_multimon(bench: &Bench, sound: &[i16]) -> String {
    let [wav, raw] = ["keys.wav", "keys.raw"].map(|name| bench.path().join(name));
    write_wav(&wav, sound);
    // The rate that it wants.
    let sox = Command::new("sox").arg(&wav).args(["-r", "22050"]).args(["-e", "signed", "-b", "16"]).arg(&raw).status();
    assert!(sox.expect("sox runs").success());
    let output = Command::new("multimon-ng").args(["-q", "-t", "raw", "-a", "DTMF"]).arg(&raw).output();
    let told = String::from_utf8(output.expect("multimon-ng runs").stdout).expect("text");
    told.lines().filter_map(|line| line.strip_prefix("DTMF: ")).map(str::trim).collect()
}

#[test]
fn a_target_that_knows_no_packets_for_keys_hears_them() {
    let mut bench = Bench::new();
    let (busy, duty) = (bench.agent("8"), bench.ports.one());
    bench.trunk = format!("server = \"sip:127.0.0.1:{duty}\"\noptions_s = 0");
    overflows_to_duty(&mut bench);
    bench.extra += "send_digits = \"w1590#\"\n";
    let ear = Voice::new(bench.ports.even(), 440.0);
    let agent = Sipp::agent(&bench, "agent_busy", busy).start();
    let phone = Sipp::agent(&bench, "agent_answers", duty).without_events().voice(ear.port).pause_ms(300).start();
    // The keys take a second and a half.
    let caller = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(4_000);
    let gateway = bench.serve();
    caller.run();
    agent.finish();
    phone.finish();
    assert_eq!(gateway.record().text("target"), "duty");
    let (_, sound) = ear.sound();
    assert_eq!(keys_by_multimon(&gateway.bench, &sound), "1590#");
}

#[test]
fn a_silent_machine_of_the_carrier_costs_less_than_two_seconds() {
    let mut bench = Bench::new();
    let busy = bench.agent("8");
    let (silent, alive) = (bench.ports.one(), bench.ports.one());
    let services = [(10, silent), (20, alive)]
        .map(|(priority, port)| format!("_sip._udp.carrier.test,sbc{priority}.carrier.test,{port},{priority},10"));
    let names = Names::start(&bench, &services, "127.0.0.1 sbc10.carrier.test sbc20.carrier.test\n");
    bench.trunk = "server = \"sip:carrier.test\"\noptions_s = 0".into();
    bench.extra = names.section();
    overflows_to_duty(&mut bench);
    let _silent = UdpSocket::bind(("127.0.0.1", silent)).expect("the silent machine");
    let agent = Sipp::agent(&bench, "agent_busy", busy).start();
    let phone = Sipp::agent(&bench, "agent_answers", alive).pause_ms(300).start();
    let caller = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(500);
    let gateway = bench.serve();
    caller.run();
    agent.finish();
    phone.finish();
    let record = gateway.record();
    assert_eq!((record.text("outcome"), record.text("target")), ("overflow", "duty"));
    let facts = facts(&gateway, record.text("id"));
    let between = fact_ms(&facts, "target_ringing") - fact_ms(&facts, "target_invited");
    within("ms from the first INVITE to the second machine's 180", between, 1_700..=2_000);
}

#[test]
fn the_domain_itself_says_by_which_transport_it_is_called() {
    let mut bench = Bench::new();
    let busy = bench.agent("8");
    let (silent, alive) = (bench.ports.one(), bench.ports.one());
    let services = [
        // What is asked for first where there is no NAPTR leads nowhere.
        format!("_sip._udp.carrier.test,sbc.carrier.test,{silent},10,10"),
        format!("_sip._tcp.other.test,sbc.carrier.test,{alive},10,10"),
        "--naptr-record=carrier.test,20,10,s,SIP+D2U,,_sip._udp.carrier.test".into(),
        "--naptr-record=carrier.test,10,10,s,SIP+D2T,,_sip._tcp.other.test".into(),
        // Neither a service of ours nor a rewriting that means anything here.
        "--naptr-record=carrier.test,1,1,u,E2U+sip,!^.*$!sip:x@nowhere.test!".into(),
    ];
    let names = Names::start(&bench, &services, "127.0.0.1 sbc.carrier.test\n");
    bench.trunk = "server = \"sip:carrier.test\"\noptions_s = 0".into();
    bench.extra = names.section();
    overflows_to_duty(&mut bench);
    let agent = Sipp::agent(&bench, "agent_busy", busy).start();
    let phone = Sipp::agent(&bench, "agent_answers", alive).over_tcp().pause_ms(300).start();
    let caller = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(500);
    let gateway = bench.serve();
    caller.run();
    agent.finish();
    phone.finish();
    assert_eq!(gateway.record().text("target"), "duty");
}

fn facts(gateway: &Gateway, call: &str) -> Vec<serde_json::Value> {
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let output = common::bench::hotline(&["call", call, "--json", "--config", config]);
    let text = String::from_utf8(output.stdout).expect("JSON");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    value["facts"].as_array().expect("facts").clone()
}

/// When the first fact of this kind happened, in milliseconds of the run.
fn fact_ms(facts: &[serde_json::Value], kind: &str) -> i64 {
    let fact = facts.iter().find(|fact| fact["fact"] == kind).unwrap_or_else(|| panic!("no {kind} in {facts:#?}"));
    fact["at"]["mono_ns"].as_i64().expect("a stamp") / 1_000_000
}

#[test]
fn a_trunk_whose_name_moves_is_heard_where_it_is_and_not_where_it_was() {
    let mut bench = Bench::new();
    bench.agent("8");
    let names = Names::start(&bench, &[], "127.0.0.5 sbc.carrier.test\n");
    bench.peers = "\"sbc.carrier.test\"".into();
    bench.extra = names.section();
    let (before, after) = (Phone::at("127.0.0.5", bench.ports.one()), Phone::at("127.0.0.6", bench.ports.one()));
    let gateway = bench.serve();
    let here = gateway.bench.sip_address();
    let mut n = 0;
    let mut heard = |phone: &Phone| {
        n += 1;
        let mut id = String::new();
        let _ = write!(id, "asked-{n}");
        phone.send(&options(phone.address(), here, &id), here);
        phone.next(Duration::from_millis(150)).is_some()
    };
    until("the trunk to be heard", seconds(5), || heard(&before).then_some(()));
    assert!(!heard(&after));
    names.change("127.0.0.6 sbc.carrier.test\n");
    until("the trunk to be heard where it is now", seconds(5), || heard(&after).then_some(()));
    assert!(!heard(&before), "it is a stranger's address now");
    // The name server dies: what was known stays.
    drop(names);
    for _ in 0..5 {
        (0..50).for_each(|_| common::beat());
        assert!(heard(&after), "the last answer is kept");
    }
}

/// A machine of the carrier, whose name leads to 127.0.0.1 and whose certificate is for this.
fn secure_carrier(whom: &str) -> (Gateway, Names, TcpListener, Arc<ServerConfig>) {
    let mut bench = Bench::new();
    bench.agent("8");
    let certificates = Certificates::of(bench.path(), "authority");
    certificates.sign("server", 30).sign_for("carrier", whom, 30);
    let names = Names::start(&bench, &[], "127.0.0.1 sbc.carrier.test\n");
    let carrier = bench.ports.one();
    bench.listen = vec![format!("tls:127.0.0.1:{}", bench.ports.one())];
    bench.sip_keys = certificates.keys();
    bench.trunk = format!("server = \"sip:sbc.carrier.test:{carrier};transport=tls\"\noptions_s = 1");
    bench.extra = names.section();
    let listener = TcpListener::bind(("127.0.0.1", carrier)).expect("the carrier's port");
    (bench.serve(), names, listener, certificates.server("carrier"))
}

#[test]
fn a_carrier_over_tls_must_have_the_name_that_it_is_configured_by() {
    let (gateway, _names, listener, tls) = secure_carrier("DNS:sbc.carrier.test");
    let mut stream = Stream::accept(&listener, Some(tls));
    let asked = stream.next(seconds(5)).expect("OPTIONS");
    assert!(asked.text.starts_with("OPTIONS sip:sbc.carrier.test:"), "{}", asked.text);
    stream.send(&asked.response("200 OK", "carrier", listener.local_addr().expect("an address"), None));
    until("the trunk to be up", seconds(5), || (gauge(&gateway, "up") == 1).then_some(()));
    assert!(gateway.metric("hotline_trunk_options_rtt_seconds_count") >= 1);
    // Another machine at that address, with a good certificate of its own.
    let (gateway, _names, listener, tls) = secure_carrier("IP:127.0.0.1,DNS:other.carrier.test");
    let mut stream = Stream::accept(&listener, Some(tls));
    assert!(stream.next(seconds(5)).is_none(), "it was told something");
    assert_eq!(gauge(&gateway, "up"), 0);
}
