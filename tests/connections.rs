//! TCP, TLS and IPv6 on real sockets; deadlines, certificates, and strangers in number.

#![allow(clippy::disallowed_methods, reason = "the tests stand outside the gateway and have clocks of their own")]
mod common;

use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::phone::{Message, Phone, follow, invite, options};
use common::stream::{Certificates, Stream};
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, seconds, until};
use rustls::ServerConfig;

const PATIENCE: Duration = Duration::from_secs(5);

/// The two ends of a test's call.
enum End {
    Udp(Phone, SocketAddr),
    Stream(Stream),
}

impl End {
    fn send(&mut self, text: &str) {
        match self {
            End::Udp(phone, to) => phone.send(text, *to),
            End::Stream(stream) => stream.send(text),
        }
    }

    fn expect(&mut self, start: &str) -> Message {
        match self {
            End::Udp(phone, _) => phone.expect(start, PATIENCE),
            End::Stream(stream) => stream.expect(start, PATIENCE),
        }
    }
}

/// Where an agent's phone listens.
enum Ear {
    Udp(Phone),
    Stream(TcpListener, Option<Arc<ServerConfig>>),
}

impl Ear {
    fn hear(self, gateway: SocketAddr) -> End {
        match self {
            Ear::Udp(phone) => End::Udp(phone, gateway),
            Ear::Stream(listener, tls) => End::Stream(Stream::accept(&listener, tls)),
        }
    }
}

/// A call over ::1 by one transport from end to end; the 200 that the caller got and the INVITE that the phone got.
fn call_over_ipv6(transport: &str, scheme: &str) -> (Message, Message) {
    let mut bench = Bench::new();
    let certificates = Certificates::of(bench.path(), "authority");
    certificates.sign("server", 30).sign("phone", 30);
    let (local, phone) = (bench.ports.one(), bench.ports.one());
    bench.listen = vec![format!("{transport}:[::1]:{local}")];
    bench.sip_keys = if transport == "tls" { certificates.keys() } else { String::new() };
    bench.peers = "\"::1\"".into();
    let parameter = if scheme == "sips" { String::new() } else { format!(";transport={transport}") };
    bench.agent_with("8", format!("{scheme}:8@[::1]:{phone}{parameter}"));
    let tls = (transport == "tls").then(|| certificates.server("phone"));
    let at = SocketAddr::from((Ipv6Addr::LOCALHOST, phone));
    let ear = if transport == "udp" {
        Ear::Udp(Phone::at("::1", phone))
    } else {
        Ear::Stream(TcpListener::bind(at).expect("the phone's port"), tls)
    };
    let here = SocketAddr::from((Ipv6Addr::LOCALHOST, local));
    let gateway = bench.serve();
    let (mut caller, from) = match transport {
        "udp" => {
            let phone = Phone::at("::1", gateway.bench.ports.one());
            let from = phone.address();
            (End::Udp(phone, here), from)
        }
        _ => {
            let stream = Stream::connect(here, (transport == "tls").then(|| certificates.client()));
            let from = stream.local();
            (End::Stream(stream), from)
        }
    };
    let contact = format!("<{scheme}:13900009999@{from}{parameter}>");
    let call = invite(from, here, HOTLINE_NUMBER, "six")
        .replace("SIP/2.0/UDP", &format!("SIP/2.0/{}", transport.to_uppercase()))
        .replace("IN IP4 127.0.0.1", "IN IP6 ::1")
        .replace(&format!("INVITE sip:{HOTLINE_NUMBER}"), &format!("INVITE {scheme}:{HOTLINE_NUMBER}"))
        .replace(&format!("Contact: <sip:13900009999@{from}>"), &format!("Contact: {contact}"));
    let sdp = call.split_once("\n\n").map(|(_, body)| body.to_owned()).expect("a body");
    let length = format!("Content-Length: {}", sdp.replace('\n', "\r\n").len());
    let old = call.lines().find(|line| line.starts_with("Content-Length:")).expect("a length").to_owned();
    let call = call.replace(&old, &length);
    caller.send(&call);
    let mut agent = ear.hear(here);
    let offered = agent.expect("INVITE ");
    let response = |status: &str, to: &Message, sdp: Option<&str>| {
        let text = to.response(status, "agent", at, sdp);
        text.replace(&format!("<sip:{at}>"), &format!("<{scheme}:8@{at}{parameter}>"))
    };
    agent.send(&response("200 OK", &offered, Some(&sdp)));
    agent.expect("ACK ");
    let answer = caller.expect("SIP/2.0 200");
    caller.send(&follow(&call, "ACK", Some(&answer)));
    caller.send(&follow(&call, "BYE", Some(&answer)));
    caller.expect("SIP/2.0 200");
    let bye = agent.expect("BYE ");
    agent.send(&response("200 OK", &bye, None));
    assert_eq!(gateway.record().text("outcome"), "answered");
    gateway.settled(1);
    (answer, offered)
}

#[track_caller]
fn all_in_ipv6(messages: [&Message; 2], transport: &str) {
    for message in messages {
        assert!(message.text.contains("c=IN IP6 ::1\n"), "{}", message.text);
        assert!(message.headers(&["Contact"]).contains("@[::1]:") || message.headers(&["Contact"]).contains(":[::1]:"));
    }
    assert!(messages[1].headers(&["Via"]).starts_with(&format!("Via: SIP/2.0/{transport} [::1]:")), "{messages:?}");
}

#[test]
fn a_call_over_udp_and_ipv6() {
    let (answer, offered) = call_over_ipv6("udp", "sip");
    all_in_ipv6([&answer, &offered], "UDP");
}

#[test]
fn a_call_over_tcp_and_ipv6() {
    let (answer, offered) = call_over_ipv6("tcp", "sip");
    all_in_ipv6([&answer, &offered], "TCP");
    assert!(answer.headers(&["Contact"]).contains(";transport=tcp>"), "{}", answer.text);
}

#[test]
fn a_call_over_tls_and_ipv6() {
    let (answer, offered) = call_over_ipv6("tls", "sip");
    all_in_ipv6([&answer, &offered], "TLS");
    assert!(answer.headers(&["Contact"]).contains(";transport=tls>"), "{}", answer.text);
}

#[test]
fn a_call_to_sips_stays_sips() {
    let (answer, offered) = call_over_ipv6("tls", "sips");
    for message in [&answer, &offered] {
        assert!(message.headers(&["Contact"]).contains("<sips:"), "{}", message.text);
    }
    assert!(offered.text.starts_with("INVITE sips:8@[::1]:"), "{}", offered.text);
}

/// With one agent, TLS on 127.0.0.1, and whatever else is in these keys.
fn with_tls(keys: &str) -> (Gateway, Certificates, SocketAddr) {
    let mut bench = Bench::new();
    let certificates = Certificates::of(bench.path(), "authority");
    certificates.sign("server", 30);
    let local = bench.ports.one();
    bench.listen = vec![format!("tls:127.0.0.1:{local}")];
    bench.sip_keys = certificates.keys() + keys;
    bench.agent("8");
    (bench.serve(), certificates, SocketAddr::from(([127, 0, 0, 1], local)))
}

fn refused(gateway: &Gateway, reason: &str) -> i64 {
    let line = format!("hotline_sip_rejected_total{{reason=\"{reason}\"}} ");
    gateway.metrics().lines().find_map(|l| l.strip_prefix(&line)?.parse().ok()).expect("the reason's series")
}

/// What `openssl s_client` says of a handshake.
fn s_client(to: SocketAddr, arguments: &[String]) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-brief", "-verify_return_error", "-connect", &to.to_string()])
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("openssl does not start; tests/run installs what is missing");
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn openssl_finds_both_versions_and_the_name_and_no_older_version() {
    let (_gateway, certificates, at) = with_tls("");
    let trusting = |more: &[&str]| {
        let ca = certificates.file("ca.pem").display().to_string();
        let fixed = ["-CAfile", &ca, "-verify_ip", "127.0.0.1"];
        s_client(at, &fixed.iter().chain(more).map(ToString::to_string).collect::<Vec<_>>())
    };
    for version in ["1.2", "1.3"] {
        let said = trusting(&[&format!("-tls{}", version.replace('.', "_"))]);
        assert!(
            said.contains(&format!("Protocol version: TLSv{version}")) && said.contains("Verification: OK"),
            "{said}"
        );
    }
    let said = trusting(&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]);
    assert!(!said.contains("CONNECTION ESTABLISHED"), "{said}");
}

#[test]
fn a_phone_with_another_name_or_authority_is_not_called() {
    let mut bench = Bench::new();
    let (ours, theirs) = (Certificates::of(bench.path(), "ours"), Certificates::of(bench.path(), "theirs"));
    ours.sign("server", 30);
    theirs.sign("phone", 30);
    let phone = bench.ports.one();
    bench.listen = vec![format!("tls:127.0.0.1:{}", bench.ports.one())];
    bench.sip_keys = ours.keys();
    bench.agent_with("8", format!("sips:8@127.0.0.1:{phone}"));
    let listener = TcpListener::bind(("127.0.0.1", phone)).expect("the phone's port");
    let tls = theirs.server("phone");
    let gateway = bench.serve();
    let caller = Phone::at("127.0.0.1", gateway.bench.ports.one());
    let here = gateway.bench.sip_address();
    caller.send(&invite(caller.address(), here, HOTLINE_NUMBER, "distrust"), here);
    let mut stream = Stream::accept(&listener, Some(tls));
    assert!(stream.next(PATIENCE).is_none(), "it was told something");
    caller.expect("SIP/2.0 48", PATIENCE);
    assert_eq!(refused(&gateway, "handshake"), 1);
    assert_eq!(gateway.record().text("outcome"), "failed");
}

/// How long the peer keeps this connection open, and what it says meanwhile.
fn kept(mut stream: TcpStream) -> (Duration, Vec<u8>) {
    let began = Instant::now();
    stream.set_read_timeout(Some(seconds(20))).expect("a timeout");
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "still open"),
    }
    (began.elapsed(), said)
}

#[test]
fn who_is_slow_is_dropped() {
    let (gateway, _certificates, tls) = with_tls("");
    let tcp = gateway.bench.sip_address();
    let connect = |to: SocketAddr, first: &[u8]| {
        let mut stream = TcpStream::connect(to).expect("a connection");
        stream.write_all(first).expect("writing");
        stream
    };
    // Half a head, the beginning of a handshake (a record of 512 octets that never come), and nothing at all.
    let slow = connect(tcp, b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h");
    let half_shaken = connect(tls, &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
    let mute = connect(tcp, b"");
    let threads = [slow, half_shaken, mute].map(|stream| std::thread::spawn(move || kept(stream)));
    let [slow, half_shaken, mute] = threads.map(|thread| thread.join().expect("a reader").0.as_secs_f64());
    assert!((4.8..7.0).contains(&slow), "half a message: {slow:.1} s");
    assert!((4.8..7.0).contains(&half_shaken), "half a handshake: {half_shaken:.1} s");
    assert!((9.8..12.5).contains(&mute), "nothing: {mute:.1} s");
    assert_eq!((refused(&gateway, "slow"), refused(&gateway, "handshake")), (2, 1));
}

/// Resident memory in KiB.
fn resident(gateway: &Gateway) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.process.id())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn p99(mut taken: Vec<Duration>) -> Duration {
    taken.sort();
    taken[taken.len() * 99 / 100]
}

#[test]
fn idle_connections_by_the_thousand_keep_nobody_else_out() {
    let files =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).map_or(1_024, |(soft, _)| soft);
    let many = usize::try_from(files / 3).unwrap_or(300).min(5_000);
    let mut bench = Bench::new();
    bench.peers = "\"127.0.0.0/8\"".into();
    bench.agent("8");
    let gateway = bench.serve();
    let to = gateway.bench.sip_address();
    // From 25 addresses, the last of which has more than one may have: its own older ones make room.
    let idle: Vec<TcpStream> = (0..many)
        .map(|n| {
            let host = u8::try_from(n / 200 % 24 + 10).expect("a host");
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
            socket.bind(&SocketAddr::from(([127, 0, 1, host], 0)).into()).expect("an address");
            socket.connect(&to.into()).expect("a connection");
            socket.into()
        })
        .collect();
    let mut taken = Vec::new();
    let udp = Phone::at("127.0.0.1", gateway.bench.ports.one());
    for n in 0..100 {
        let began = Instant::now();
        let call_id = format!("beside{n}");
        if n % 2 == 0 {
            udp.send(&options(udp.address(), to, &call_id), to);
            udp.expect("SIP/2.0 200", PATIENCE);
        } else {
            let mut stream = Stream::connect(to, None);
            stream.send(&options(stream.local(), to, &call_id).replace("SIP/2.0/UDP", "SIP/2.0/TCP"));
            stream.expect("SIP/2.0 200", PATIENCE);
        }
        taken.push(began.elapsed());
    }
    let p99 = p99(taken);
    common::say(&format!("beside {} idle connections: p99 {:.1} ms", idle.len(), p99.as_secs_f64() * 1e3));
    assert!(p99 < Duration::from_millis(100), "p99 {p99:?} beside {} idle connections", idle.len());
}

#[test]
fn a_flood_of_strangers_delays_nobody_and_fills_nothing() {
    let mut bench = Bench::new();
    bench.agent("8");
    let friend = Phone::at("127.0.0.1", bench.ports.one());
    let gateway = bench.serve();
    let to = gateway.bench.sip_address();
    let before = resident(&gateway);
    let flood = std::thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.2:0").expect("a stranger's socket");
        let junk = vec![b'J'; 400];
        let (began, mut sent) = (Instant::now(), 0_u32);
        while began.elapsed() < seconds(2) {
            for _ in 0..40 {
                sent += u32::from(socket.send_to(&junk, to).is_ok());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        sent
    });
    let mut taken = Vec::new();
    for n in 0..40 {
        let began = Instant::now();
        friend.send(&options(friend.address(), to, &format!("during{n}")), to);
        friend.expect("SIP/2.0 200", PATIENCE);
        taken.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(40));
    }
    let sent = flood.join().expect("the flood");
    taken.sort();
    let (median, grown) = (taken[taken.len() / 2], resident(&gateway) - before);
    let line = format!("{sent} junk datagrams: median {:.1} ms, {grown} KiB more", median.as_secs_f64() * 1e3);
    common::say(&line);
    // Its p99 is measured by tests/load/junk: here other tests share the processors.
    assert!(median < Duration::from_millis(50) && grown < 16 * 1_024, "{line}");
    until("the strangers to be counted", PATIENCE, || {
        (refused(&gateway, "stranger") > i64::from(sent) / 2).then_some(())
    });
    // One line at once, then one in ten seconds, whatever came.
    let lines = gateway.process.output().lines().filter(|line| line.contains("SIP turned away")).count();
    assert!((1..=2).contains(&lines), "{lines} lines of the log");
}
