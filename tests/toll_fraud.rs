//! Toll fraud: whatever a stranger, a trunk or an agent's phone writes into a message, calls go to agents and targets alone.
//!
//! The test has a network of its own in which every address in the world is this machine, so an INVITE to anywhere is in the
//! capture.

#![allow(clippy::disallowed_methods, reason = "the tests stand outside the gateway and have clocks of their own")]

mod common;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::api;
use common::bench::hotline;
use common::capture::Capture;
use common::phone::{Message, Phone, follow, invite, of_the_called, pcma_at};
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, beat, say, seconds, until};
use nix::sched::{CloneFlags, unshare};

/// A number that costs money, and a machine that would connect it.
const DEAR: &str = "00442012345678";
const ELSEWHERE: &str = "203.0.113.66";
const DUTY: &str = "13900000001";
/// A number that the dialplan lets agents call, and the PIN that agent 9 must dial before.
const ALLOWED: &str = "13812345678";
const PIN: &str = "471147";

/// From here on this test's thread and the programs that it starts have a network of their own.
fn own_network() -> bool {
    if unshare(CloneFlags::CLONE_NEWNET).is_err() {
        say("SKIPPED: this user may not make a network of his own (unshare -n), so nothing proves what leaves");
        return false;
    }
    for line in ["link set lo up", "route add local default dev lo"] {
        let done = Command::new("ip").args(line.split(' ')).status();
        assert!(done.expect("ip does not start; tests/run installs what is missing").success(), "ip {line}");
    }
    true
}

/// Request-URIs that somebody might hope to be connected to.
fn addresses(here: SocketAddr, trunk: SocketAddr) -> Vec<String> {
    let h = HOTLINE_NUMBER;
    vec![
        format!("sip:{DEAR}@{here}"),
        format!("sip:{DEAR}@{ELSEWHERE}"),
        format!("sip:{DEAR}@evil.example"),
        format!("sips:{DEAR}@{ELSEWHERE}"),
        format!("sip:{DEAR}@{trunk}"),
        format!("sip:+{DEAR}@{here};user=phone"),
        format!("sip:+44-20-1234-5678;postd=pp22;isub=1@{here};user=phone"),
        format!("tel:+{DEAR}"),
        format!("tel:{DEAR};phone-context=+86"),
        format!("tel:{h};phone-context=evil.example"),
        format!("sip:{h}@{ELSEWHERE}"),
        format!("sip:{h}@evil.example"),
        format!("sip:{h}%40{ELSEWHERE}@{here}"),
        format!("sip:{h};phone-context=evil.example@{here}"),
        format!("sip:{h}@{here};maddr={ELSEWHERE}"),
        format!("sip:{h}@{here};transport=tcp;maddr={ELSEWHERE};ttl=5"),
        format!("sip:{h}@{here};lr"),
        format!("sip:{h}@{here}?Route=%3Csip:{ELSEWHERE};lr%3E"),
        format!("sip:{h}@{here}?Contact=%3Csip:{DEAR}@{ELSEWHERE}%3E&body=x"),
        format!("sip:{h},{DEAR}@{here}"),
        format!("sip:{h}&{DEAR}@{here}"),
        format!("sip:{h}#{DEAR}@{here}"),
        format!("sip:%30%30%34%34%32%30%31%32%33%34@{here}"),
        format!("sip:{h}%00{DEAR}@{here}"),
        format!("sip:{h}%0d%0aRoute:%20%3Csip:{ELSEWHERE}%3E@{here}"),
        format!("sip:*72{DEAR}@{here}"),
        format!("sip:9{DEAR}@{here}"),
        format!("sip:{DUTY}@{here}"),
        format!("sip:duty@{here}"),
        format!("sip:target%3aduty@{here}"),
        format!("sip:8@{here}"),
        format!("sip:8:{DEAR}@{here}"),
        format!("sip:${{EXTEN}}@{here}"),
        format!("sip:{{number}}@{here}"),
        format!("sip:{here}"),
    ]
}

/// Headers that lead elsewhere, beside the hotline's own number.
fn headers(here: SocketAddr, trunk: SocketAddr) -> Vec<String> {
    let dear = format!("<sip:{DEAR}@{ELSEWHERE}>");
    vec![
        format!("Route: <sip:{ELSEWHERE};lr>"),
        format!("Route: <sip:{here};lr>, <sip:{ELSEWHERE};lr>"),
        format!("Route: <sip:{ELSEWHERE}>"),
        format!("Route: <sip:{DEAR}@{trunk};lr>"),
        format!("Record-Route: <sip:{ELSEWHERE};lr>"),
        format!("Path: <sip:{ELSEWHERE};lr>"),
        format!("Service-Route: <sip:{ELSEWHERE};lr>"),
        format!("Refer-To: {dear}"),
        format!("Referred-By: {dear}"),
        format!("Diversion: {dear};reason=unconditional"),
        format!("Diversion: <tel:+{DEAR}>;reason=user-busy;counter=5"),
        format!("History-Info: {dear};index=1, <sip:{DEAR}@{trunk}>;index=1.1"),
        format!("P-Called-Party-ID: {dear}"),
        format!("P-Asserted-Identity: {dear}"),
        format!("P-Preferred-Identity: {dear}"),
        format!("Remote-Party-ID: {dear};party=called"),
        format!("P-Asserted-Service: urn:urn-7:3gpp-service.{DEAR}"),
        "Replaces: somebody@else;to-tag=1;from-tag=2".into(),
        "Join: somebody@else;to-tag=1;from-tag=2".into(),
        "Target-Dialog: somebody@else;local-tag=1;remote-tag=2".into(),
        format!("Reply-To: {dear}"),
        format!("Alert-Info: <http://{ELSEWHERE}/ring.wav>"),
        format!("Call-Info: <sip:{DEAR}@{ELSEWHERE}>;purpose=ccbs"),
        format!("Identity: abc;info=<http://{ELSEWHERE}/cert>;alg=ES256"),
        "Request-Disposition: proxy, fork, recurse".into(),
        format!("X-Forward-To: {DEAR}"),
        format!("Subject: {DEAR}\nTo: {dear}"),
    ]
}

/// What a phone or a trunk says to a call instead of taking it.
fn refusals(here: SocketAddr, trunk: SocketAddr) -> Vec<(&'static str, String)> {
    let dear = format!("<sip:{DEAR}@{ELSEWHERE}>");
    vec![
        ("302 Moved Temporarily", dear.clone()),
        ("301 Moved Permanently", format!("<sip:{DEAR}@{trunk}>")),
        ("300 Multiple Choices", format!("{dear};q=1.0, <sip:{DEAR}@{trunk}>;q=0.5, <tel:+{DEAR}>;q=0.1")),
        ("305 Use Proxy", format!("<sip:{ELSEWHERE};lr>")),
        ("380 Alternative Service", dear.clone()),
        ("302 Moved Temporarily", format!("<tel:+{DEAR}>")),
        ("302 Moved Temporarily", format!("<sips:{DEAR}@{ELSEWHERE}>")),
        ("302 Moved Temporarily", format!("<sip:{DUTY}@{ELSEWHERE}>")),
        ("302 Moved Temporarily", format!("<sip:8@{here}?Route=%3Csip:{ELSEWHERE}%3E>")),
        ("302 Moved Temporarily", format!("<sip:{HOTLINE_NUMBER}@{here};maddr={ELSEWHERE}>")),
        ("485 Ambiguous", dear.clone()),
        ("503 Service Unavailable", dear),
    ]
}

/// Where Refer-To might lead.
fn referrals(here: SocketAddr, trunk: SocketAddr) -> Vec<String> {
    let elsewhere = [
        format!("<sip:{DEAR}@{ELSEWHERE}>"),
        format!("<sip:{DEAR}@{here}>"),
        format!("<sip:{DEAR}@{trunk}>"),
        format!("<tel:+{DEAR}>"),
        format!("<sip:{DEAR}@{ELSEWHERE};method=INVITE?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>"),
        format!("<sip:8@{here}?Route=%3Csip:{ELSEWHERE}%3E>"),
        format!("<sip:8@{here};maddr={ELSEWHERE}>"),
        format!("<sip:8@{ELSEWHERE}>"),
        format!("<sip:{DUTY}@{ELSEWHERE}>"),
        format!("sip:{DEAR}@{ELSEWHERE}"),
        format!("<http://{ELSEWHERE}/>"),
    ];
    elsewhere.into()
}

/// With further header lines behind Max-Forwards.
fn with(message: &str, lines: &str) -> String {
    message.replacen("Max-Forwards: 70\n", &format!("Max-Forwards: 70\n{lines}\n"), 1)
}

/// An end that refuses every call, each time otherwise, until told to stop; gives back its socket and how many calls it got.
fn refuse(phone: Phone, answers: Vec<(&'static str, String)>, stop: &Arc<AtomicBool>) -> JoinHandle<(Phone, usize)> {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut calls = 0;
        while !stop.load(Ordering::Relaxed) {
            let Some(message) = phone.next(Duration::from_millis(50)) else { continue };
            let at = phone.address();
            if message.text.starts_with("INVITE ") {
                let (status, contact) = &answers[calls % answers.len()];
                let answer = message.response(status, &format!("refused{calls}"), at, None);
                phone.send(&answer.replace(&format!("<sip:{at}>"), contact), message.from);
                calls += 1;
            } else if !message.text.starts_with("ACK ") && !message.text.starts_with("SIP/") {
                phone.send(&message.response("200 OK", "other", at, None), message.from);
            }
        }
        (phone, calls)
    })
}

/// The three ends where calls may go.
struct Ends {
    fixed: Phone,
    registered: Phone,
    trunk: Phone,
}

/// Agent 8 with a fixed phone, agent 9 whose phone has registered with a Contact elsewhere, and the target through the trunk.
fn serve() -> (Gateway, Ends) {
    let mut bench = Bench::new();
    let fixed = Phone::at("127.0.0.1", bench.agent("8"));
    let trunk = Phone::at("127.0.0.2", bench.ports.one());
    let registered = Phone::at("127.0.0.3", bench.ports.one());
    bench.agent_registers("9", "a-secret");
    bench.sip_keys = "digest = [\"MD5\"]\n".into();
    bench.peers = "\"127.0.0.2\"".into();
    bench.trunk = format!("server = \"sip:{}\"\noptions_s = 0", trunk.address());
    bench.ringing += "\nnobody = \"target:duty\"\n[answer]\nshort_abandon_ms = 0\n[callback]\nhours = [\"daily 00:00-24:00\"]\n\
         [outbound]\nprefixes = [\"138\"]";
    api::open(&mut bench);
    let pin = bench.path().join("9.pin");
    std::fs::write(&pin, format!("{PIN}\n")).expect("writing the PIN");
    std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    // The first line is agent 9's.
    bench.extra = format!(
        "outbound_pin_file = \"9.pin\"\n\n[agents_calls]\noutbound_trunk = \"carrier\"\n\n\
         [[target]]\nname = \"duty\"\ntrunk = \"carrier\"\nnumber = \"{DUTY}\"\n\n[dns]\nservers = [\"198.51.100.53\"]\n"
    );
    let gateway = bench.serve();
    register(&registered, gateway.bench.sip_address());
    (gateway, Ends { fixed, registered, trunk })
}

/// The MD5 of a text in hex.
fn md5(text: &str) -> String {
    let mut command = Command::new("openssl");
    let mut child = command.args(["md5", "-r"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("openssl");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("writing");
    let output = child.wait_with_output().expect("openssl");
    String::from_utf8_lossy(&output.stdout).split(' ').next().expect("a digest").to_owned()
}

/// Agent 9 registers from here, with a Contact that is elsewhere.
fn register(phone: &Phone, here: SocketAddr) {
    let own = phone.address();
    let ask = |number: u32, more: &str| {
        format!(
            "REGISTER sip:{here} SIP/2.0\nVia: SIP/2.0/UDP {own};rport;branch=z9hG4bKreg{number}\nMax-Forwards: 70\n\
             From: <sip:9@{here}>;tag=nine\nTo: <sip:9@{here}>\nCall-ID: nine\nCSeq: {number} REGISTER\n\
             Contact: <sip:{DEAR}@{ELSEWHERE}>\nPath: <sip:{ELSEWHERE};lr>\nSupported: path\nExpires: 60\n{more}\
             Content-Length: 0\n\n"
        )
    };
    phone.send(&ask(1, ""), here);
    let challenge = phone.expect("SIP/2.0 401", seconds(5)).headers(&["WWW-Authenticate"]);
    let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce");
    let (secret, covered) = (md5("9:hotline:a-secret"), md5(&format!("REGISTER:sip:{here}")));
    let response = md5(&format!("{secret}:{nonce}:00000001:abc:auth:{covered}"));
    let header = format!(
        "Authorization: Digest username=\"9\", realm=\"hotline\", nonce=\"{nonce}\", uri=\"sip:{here}\", algorithm=MD5, \
         qop=auth, nc=00000001, cnonce=\"abc\", response=\"{response}\"\n"
    );
    phone.send(&ask(2, &header), here);
    phone.expect("SIP/2.0 200", seconds(5));
}

/// Every address and every header, from everybody. Returns how many.
fn attempts(gateway: &Gateway, trunk: SocketAddr) -> usize {
    let here = gateway.bench.sip_address();
    let mut count = 0;
    for host in ["127.0.0.9", "127.0.0.3", "127.0.0.1", "127.0.0.2"] {
        let sender = Phone::at(host, gateway.bench.ports.one());
        let mut send = |change: &dyn Fn(String) -> String| {
            count += 1;
            let message = invite(sender.address(), here, HOTLINE_NUMBER, &format!("fraud{count}"));
            sender.send(&change(message), here);
            // Not faster than one peer may.
            beat();
        };
        for address in addresses(here, trunk) {
            send(&|m| m.replacen(&format!("INVITE sip:{HOTLINE_NUMBER}@{here}"), &format!("INVITE {address}"), 1));
        }
        for line in headers(here, trunk) {
            send(&|m| with(&m, &line));
        }
        let contact = format!("Contact: <sip:13900009999@{}>", sender.address());
        send(&|m| m.replace(&contact, &format!("Contact: <sip:{DEAR}@{ELSEWHERE}>")));
        send(&|m| m.replace("rport;", &format!("rport;maddr={ELSEWHERE};received={ELSEWHERE};")));
        for method in ["REFER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REGISTER"] {
            send(&|m| with(&m.replace("INVITE", method), &format!("Refer-To: <sip:{DEAR}@{ELSEWHERE}>\nEvent: refer")));
        }
    }
    count
}

/// Referrals and the like by both sides of a call that is up. Returns how many.
fn attempts_in_a_call(gateway: &Gateway, ends: &Ends) -> usize {
    let here = gateway.bench.sip_address();
    let caller = Phone::at("127.0.0.2", gateway.bench.ports.one());
    let call = invite(caller.address(), here, HOTLINE_NUMBER, "up");
    caller.send(&call, here);
    let offered = ends.fixed.expect("INVITE ", seconds(5));
    let own = ends.fixed.address();
    ends.fixed.send(&offered.response("200 OK", "agent", own, Some(&pcma_at(9))), here);
    let answer = caller.expect("SIP/2.0 200", seconds(5));
    caller.send(&follow(&call, "ACK", Some(&answer)), here);
    let mut number = 1;
    for to in referrals(here, ends.trunk.address()) {
        number += 1;
        let lines = format!("Refer-To: {to}\nReferred-By: <sip:8@{here}>");
        let refer =
            of_the_called(&offered, (own, "agent"), ("REFER", number), &format!("{lines}\nContent-Length: 0\n\n"));
        ends.fixed.send(&refer, here);
        ends.fixed.expect("SIP/2.0 ", seconds(3));
        let refer = with(&follow(&call, "REFER", Some(&answer)), &lines);
        caller.send(&refer.replace("CSeq: 1 ", &format!("CSeq: {number} ")).replace("REFER;", "R;"), here);
        caller.expect("SIP/2.0 ", seconds(3));
    }
    let bye = follow(&call, "BYE", Some(&answer)).replace("CSeq: 2 ", "CSeq: 99 ");
    caller.send(&bye, here);
    caller.expect("SIP/2.0 200", seconds(3));
    let ended = ends.fixed.expect("BYE ", seconds(5));
    ends.fixed.send(&ended.response("200 OK", "agent", own, None), here);
    2 * (number as usize - 1)
}

/// Agents' phones that dial what no line allows, and one that dials what is allowed: the trunk sends it elsewhere, and then its talk asks
/// for more. Returns how many numbers were dialled.
fn calls_outside(gateway: &Gateway, ends: &Ends) -> usize {
    let here = gateway.bench.sip_address();
    let mut count = 0;
    let mut dial = |phone: &Phone, to: &str| {
        count += 1;
        let call = invite(phone.address(), here, to, &format!("outside{count}"));
        phone.send(&call, here);
        call
    };
    let strange = [DEAR, "+442012345678", "13712345678", "9138123456", "138x", "13", "138123456781381234567"];
    for to in strange {
        for (phone, to) in [(&ends.fixed, to.to_owned()), (&ends.registered, format!("*7{PIN}*{to}"))] {
            let call = dial(phone, &to);
            phone.expect("SIP/2.0 403", seconds(3));
            phone.send(&follow(&call, "ACK", None), here);
        }
    }
    for to in [ALLOWED.to_owned(), format!("*7*{ALLOWED}"), format!("*74712*{ALLOWED}")] {
        let call = dial(&ends.registered, &to);
        ends.registered.expect("SIP/2.0 403", seconds(3));
        ends.registered.send(&follow(&call, "ACK", None), here);
    }
    for redirected in [true, false] {
        let call = dial(&ends.registered, &format!("*7{PIN}*{ALLOWED}"));
        let invited = ends.trunk.expect(&format!("INVITE sip:{ALLOWED}@"), seconds(3));
        let at = ends.trunk.address();
        if redirected {
            let answer = invited.response("302 Moved Temporarily", "called", at, None);
            ends.trunk.send(&answer.replace(&format!("<sip:{at}>"), &format!("<sip:{DEAR}@{ELSEWHERE}>")), here);
            ends.registered.expect("SIP/2.0 480", seconds(3));
            ends.registered.send(&follow(&call, "ACK", None), here);
            continue;
        }
        ends.trunk.send(&invited.response("200 OK", "called", at, Some(&pcma_at(11))), here);
        let answer = ends.registered.expect("SIP/2.0 200", seconds(3));
        ends.registered.send(&follow(&call, "ACK", Some(&answer)), here);
        for (number, to) in (2..).zip(referrals(here, at)) {
            let refer = with(&follow(&call, "REFER", Some(&answer)), &format!("Refer-To: {to}"));
            ends.registered.send(&refer.replace("CSeq: 1 ", &format!("CSeq: {number} ")).replace("REFER;", "R;"), here);
            ends.registered.expect("SIP/2.0 ", seconds(3));
        }
        ends.registered.send(&follow(&call, "BYE", Some(&answer)).replace("CSeq: 2 ", "CSeq: 99 "), here);
        ends.registered.expect("SIP/2.0 200", seconds(3));
        let bye = ends.trunk.expect("BYE ", seconds(3));
        ends.trunk.send(&bye.response("200 OK", "called", at, None), here);
    }
    count
}

/// Callers who would like to be called back elsewhere: each reaches nobody and leaves an entry.
fn forged_callers(gateway: &Gateway) -> usize {
    let here = gateway.bench.sip_address();
    let sender = Phone::at("127.0.0.2", gateway.bench.ports.one());
    let own = format!("From: <sip:13900009999@{}>", sender.address());
    let forged = [
        format!("sip:{DEAR}@{ELSEWHERE}"),
        "sip:+442012345678@carrier.example".to_owned(),
        format!("sip:13900008888%40{ELSEWHERE}@carrier.example"),
        "sip:13900008888;phone-context=evil.example@carrier.example".to_owned(),
        format!("sip:13900008888%3Bmaddr={ELSEWHERE}@carrier.example"),
        format!("sip:13900008888%0d%0aRoute:%20%3Csip:{ELSEWHERE}%3E@carrier.example"),
        format!("sip:*72{DEAR}@carrier.example"),
        format!("sip:13900008888%2C{DEAR}@carrier.example"),
        "sip:%2500442012345678@carrier.example".to_owned(),
        "tel:+442012345678".to_owned(),
    ];
    for (number, from) in forged.iter().enumerate() {
        let call = invite(sender.address(), here, HOTLINE_NUMBER, &format!("forged{number}"));
        sender.send(&call.replace(&own, &format!("From: <{from}>")), here);
        beat();
    }
    forged.len()
}

/// Everybody on the list is called back, and who is called or calls tries to lead that elsewhere. Returns the numbers that were called.
fn call_everybody_back(gateway: &Gateway, agent: &Phone, carrier: &Phone) -> BTreeSet<String> {
    let here = gateway.bench.sip_address();
    // Each leaves an entry when its call is over.
    let rows = until("the forged ones on the list", seconds(20), || {
        let live = api::get(gateway, "/api/v1/calls");
        let list = api::get(gateway, "/api/v1/callbacks");
        let rows: Vec<(String, String)> = list["callbacks"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| (row.text("call").to_owned(), row["caller"].as_str().unwrap_or_default().to_owned()))
            .collect();
        let forged = rows.iter().any(|(_, caller)| caller.contains("442012345678"));
        (forged && live["calls"].as_array().is_some_and(Vec::is_empty)).then_some(rows)
    });
    // Whoever asks for an entry has it for a while: not that of the honest caller.
    let (forged, _) = rows.iter().find(|(_, caller)| caller != "13900009999").expect("a forged one");
    for (id, body) in [
        (forged.as_str(), format!("{{\"by\": \"8\", \"number\": \"{DEAR}\"}}")),
        (forged.as_str(), format!("{{\"by\": \"8\", \"caller\": \"{DEAR}\"}}")),
        (forged.as_str(), format!("{{\"by\": \"{DEAR}\"}}")),
        (forged.as_str(), format!("{{\"by\": \"8@{ELSEWHERE}\"}}")),
        (forged.as_str(), format!("{{\"by\": \"8;maddr={ELSEWHERE}\"}}")),
        (DEAR, "{\"by\": \"8\"}".to_owned()),
        ("01900000-0000-7000-8000-000000000000", "{\"by\": \"8\"}".to_owned()),
    ] {
        let (status, answer) = api::post(gateway, &format!("/api/v1/callbacks/{id}/call"), &body);
        assert!((400..500).contains(&status), "{id} {body}: {status} {answer}");
    }
    let mut called = BTreeSet::new();
    for (id, caller) in rows {
        let asked = until("the agent to be free", seconds(10), || {
            let asked = api::post(gateway, &format!("/api/v1/callbacks/{id}/call"), "{\"by\": \"8\"}");
            (!asked.1.to_string().contains("is not free")).then_some(asked)
        });
        if asked.0 != 200 {
            say(&format!("{caller} is not called: {}", asked.1));
            continue;
        }
        let ring = agent.expect("INVITE ", seconds(5));
        agent.send(&ring.response("200 OK", "agent", agent.address(), Some(&pcma_at(9))), here);
        let invited = carrier.expect("INVITE ", seconds(5));
        if called.is_empty() {
            refer_all(gateway, (agent, &ring), (carrier, &invited));
        } else {
            let answer = invited.response("302 Moved Temporarily", "called", carrier.address(), None);
            let contact = format!("<sip:{}>", carrier.address());
            carrier.send(&answer.replace(&contact, &format!("<sip:{DEAR}@{ELSEWHERE}>")), here);
        }
        called.insert(caller);
        let ended = agent.expect("BYE ", seconds(5));
        agent.send(&ended.response("200 OK", "agent", agent.address(), None), here);
    }
    called
}

/// The caller who is called back answers, both sides ask to be led elsewhere, and the caller hangs up.
fn refer_all(gateway: &Gateway, (agent, ring): (&Phone, &Message), (carrier, invited): (&Phone, &Message)) {
    let here = gateway.bench.sip_address();
    carrier.send(&invited.response("200 OK", "called", carrier.address(), Some(&pcma_at(11))), here);
    carrier.expect("ACK ", seconds(5));
    let mut number = 1;
    for to in referrals(here, carrier.address()) {
        number += 1;
        let lines = format!("Refer-To: {to}\nReferred-By: <sip:8@{here}>\nContent-Length: 0\n\n");
        for (phone, invite, tag) in [(agent, ring, "agent"), (carrier, invited, "called")] {
            phone.send(&of_the_called(invite, (phone.address(), tag), ("REFER", number), &lines), here);
            phone.expect("SIP/2.0 ", seconds(3));
        }
    }
    let bye = of_the_called(invited, (carrier.address(), "called"), ("BYE", 99), "Content-Length: 0\n\n");
    carrier.send(&bye, here);
    carrier.expect("SIP/2.0 200", seconds(3));
}

/// What tshark finds by this filter, a line a packet.
fn read(file: &Path, sip: u16, filter: &str) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-d", &format!("udp.port=={sip},sip"), "-Y", filter, "-T", "fields"]);
    command.args(["-e", "ip.dst", "-e", "udp.dstport", "-e", "sip.r-uri", "-e", "tcp.dstport"]);
    let output = command.output().expect("tshark runs; tests/run installs what is missing");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn no_message_of_anybody_makes_a_call_to_a_place_that_is_not_configured() {
    if !own_network() {
        return;
    }
    let (mut gateway, ends) = serve();
    let (here, trunk) = (gateway.bench.sip_address(), ends.trunk.address());
    let capture = Capture::of_all_addresses(&gateway.bench);
    let mut listed: BTreeSet<String> = [
        format!("127.0.0.1\t{0}\tsip:8@127.0.0.1:{0}", ends.fixed.address().port()),
        // Its own Contact stands in the Request-URI, but the call goes to where it registered from.
        format!("127.0.0.3\t{}\tsip:{DEAR}@{ELSEWHERE}", ends.registered.address().port()),
        format!("127.0.0.2\t{}\tsip:{DUTY}@{trunk}", trunk.port()),
        format!("127.0.0.2\t{}\tsip:{ALLOWED}@{trunk}", trunk.port()),
    ]
    .into();
    let in_a_call = attempts_in_a_call(&gateway, &ends);
    let outside = calls_outside(&gateway, &ends);
    let stop = Arc::new(AtomicBool::new(false));
    let answers = refusals(here, trunk);
    let sender = Phone::at("127.0.0.1", gateway.bench.ports.one());
    let Ends { fixed, registered, trunk: carrier } = ends;
    let refusing = [fixed, registered, carrier].map(|end| refuse(end, answers.clone(), &stop));
    let count = attempts(&gateway, trunk) + forged_callers(&gateway);
    until("all calls to end", seconds(10), || (gateway.metric("hotline_calls_active") == 0).then_some(()));
    stop.store(true, Ordering::Relaxed);
    let [(fixed, at_fixed), (_, at_registered), (carrier, at_carrier)] =
        refusing.map(|thread| thread.join().expect("an end"));
    let refused = [at_fixed, at_registered, at_carrier];
    assert!(refused.iter().all(|calls| *calls > 0), "each was called: {refused:?}");
    let called = call_everybody_back(&gateway, &fixed, &carrier);
    assert!(called.contains("13900009999"), "who is on the list is called: {called:?}");
    let foreign = |number: &String| number.contains("2012345678") || number.chars().any(|c| !c.is_ascii_digit());
    assert!(!called.iter().any(foreign), "{called:?}");
    listed.extend(called.iter().map(|number| format!("127.0.0.2\t{}\tsip:{number}@{trunk}", trunk.port())));
    // What goes elsewhere is in the capture: this does.
    sender.send("OPTIONS sip:there SIP/2.0\n\n", SocketAddr::from(([203, 0, 113, 66], here.port())));
    let file = capture.finish_file();
    let sip = here.port();
    let made: BTreeSet<String> =
        read(&file, sip, &format!("sip.Method == \"INVITE\" && udp.srcport == {sip}")).into_iter().collect();
    assert_eq!(made, listed, "INVITE went to");
    let elsewhere = read(&file, sip, "ip && !(ip.dst == 127.0.0.0/8)");
    assert_eq!(
        elsewhere.len(),
        1,
        "beside the probe nothing went elsewhere, neither SIP nor TCP nor DNS: {elsewhere:#?}"
    );
    let (metrics, http) = (gateway.bench.metrics, gateway.bench.http);
    let others =
        format!("tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport != {metrics} && tcp.dstport != {http}");
    assert_eq!(read(&file, sip, &others), [""; 0], "connections");
    assert!(gateway.alive());
    say(&format!(
        "{count} attempts, {in_a_call} more within a call, {outside} dialled by agents, {refused:?} redirections: no INVITE elsewhere"
    ));
}

/// Whether `check` refuses the configuration with this in place of that.
fn refused(bench: &Bench, file: &str, from: &str, to: &str) -> bool {
    let path = bench.path().join(file);
    let good = std::fs::read_to_string(&path).expect("a file");
    assert!(good.contains(from), "no {from} in {good}");
    std::fs::write(&path, good.replace(from, to)).expect("writing");
    let config = bench.path().join("hotline.toml").display().to_string();
    let output = hotline(&["check", "--config", &config]);
    std::fs::write(&path, good).expect("writing");
    output.status.code() == Some(64)
}

#[test]
fn no_string_of_a_dialplan_or_a_target_is_an_address() {
    let mut bench = Bench::new();
    bench.agent("8");
    bench.ringing += "\nnobody = \"target:duty\"";
    bench.extra = format!("\n[[target]]\nname = \"duty\"\ntrunk = \"carrier\"\nnumber = \"{DUTY}\"\n");
    let config = bench.write().display().to_string();
    assert!(hotline(&["check", "--config", &config]).status.success(), "as it stands it is right");
    let plan = "dialplans/property.toml";
    for nobody in [
        &format!("target:{DEAR}"),
        &format!("target:sip:{DEAR}@{ELSEWHERE}"),
        &format!("target:duty@{ELSEWHERE}"),
        "target:duty;maddr=203.0.113.66",
        "target:duty,other",
        "target:${EXTEN}",
        "target:{number}",
        "target:",
        DEAR,
        &format!("sip:{DEAR}@{ELSEWHERE}"),
    ] {
        assert!(refused(&bench, plan, "\"target:duty\"", &format!("\"{nobody}\"")), "nobody = {nobody}");
    }
    for agent in [DEAR, "sip:8@203.0.113.66", "8@203.0.113.66", "8;maddr=203.0.113.66", "{caller}"] {
        assert!(refused(&bench, plan, "numbers = [\"8\"]", &format!("numbers = [\"{agent}\"]")), "agent {agent}");
    }
    for number in [
        &format!("sip:{DUTY}@{ELSEWHERE}"),
        &format!("{DUTY}@{ELSEWHERE}"),
        &format!("{DUTY}%40{ELSEWHERE}"),
        &format!("{DUTY};phone-context={ELSEWHERE}"),
        &format!("{DUTY}?Route={ELSEWHERE}"),
        &format!("{DUTY}>"),
        &format!("{DUTY},{DEAR}"),
        "${CALLER}",
        "{caller}",
        "tel:+442012345678",
        "",
    ] {
        let written = format!("number = \"{DUTY}\"");
        assert!(refused(&bench, "hotline.toml", &written, &format!("number = \"{number}\"")), "number {number}");
    }
}
