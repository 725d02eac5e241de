//! SIP over TCP: many calls share a connection, and it ends only when it is of no more use.

#![allow(clippy::disallowed_methods, reason = "the tests stand outside the gateway and have clocks of their own")]

mod common;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::phone::{Message, follow, invite, options};
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, Sipp, seconds, until};

/// One end of a connection that says exactly what a test wants.
struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    fn to(gateway: &Gateway) -> Wire {
        Wire { stream: TcpStream::connect(gateway.bench.sip_address()).expect("connecting"), read: Vec::new() }
    }

    fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket")
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.replace('\n', "\r\n").as_bytes()).expect("writing");
    }

    /// An INVITE or OPTIONS written for UDP, over this connection.
    fn over_tcp(text: &str) -> String {
        text.replace("SIP/2.0/UDP", "SIP/2.0/TCP")
    }

    /// Reads on; false when the gateway has closed the connection.
    fn more(&mut self, limit: Duration) -> bool {
        self.stream.set_read_timeout(Some(limit.max(Duration::from_millis(1)))).expect("a timeout");
        let mut buffer = [0; 65_536];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(n) => {
                self.read.extend_from_slice(&buffer[..n]);
                true
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    /// The next message that starts with `start` and contains `part`; others stay for later.
    #[track_caller]
    fn expect(&mut self, start: &str, part: &str) -> Message {
        let deadline = Instant::now() + seconds(10);
        loop {
            let all = self.messages();
            if let Some(found) = all.iter().find(|m| m.starts_with(start) && m.contains(part)) {
                let from = self.stream.peer_addr().expect("a connected socket");
                return Message { text: found.clone(), from };
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && self.more(left), "no {start} with {part} in {all:#?}");
        }
    }

    /// The heads of the whole messages read so far.
    fn messages(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.read).replace("\r\n", "\n");
        let (mut rest, mut all) = (text.trim_start(), Vec::new());
        while let Some((head, after)) = rest.split_once("\n\n") {
            // The bodies have as many line ends as they lost carriage returns.
            let length = head.lines().find_map(|l| l.strip_prefix("Content-Length:")?.trim().parse::<usize>().ok());
            let mut left = length.unwrap_or(0);
            let body: usize = after
                .chars()
                .take_while(|c| {
                    let octets = if *c == '\n' { 2 } else { c.len_utf8() };
                    let within = left >= octets;
                    left = left.saturating_sub(octets);
                    within
                })
                .map(char::len_utf8)
                .sum();
            all.push(format!("{head}\n\n"));
            rest = &after[body..];
        }
        all
    }

    /// How long it took until the gateway closed the connection.
    #[track_caller]
    fn closed_within(&mut self, limit: Duration) -> Duration {
        let began = Instant::now();
        while self.more(limit.saturating_sub(began.elapsed())) {
            assert!(began.elapsed() < limit, "still open after {limit:?}");
        }
        began.elapsed()
    }

    /// The gateway answers over this connection.
    #[track_caller]
    fn lives(&mut self, call_id: &str) {
        let options = Wire::over_tcp(&options(self.address(), self.stream.peer_addr().expect("connected"), call_id));
        self.send(&options);
        self.expect("SIP/2.0 200 OK", call_id);
    }
}

#[test]
fn two_calls_share_a_connection_and_survive_messages_that_nobody_can_read() {
    let mut bench = Bench::new();
    let phones = [bench.agent("8"), bench.agent("9")];
    let agents = phones.map(|port| Sipp::agent(&bench, "agent_answers", port).pause_ms(100));
    let gateway = bench.serve();
    let agents = agents.map(Sipp::start);
    let mut wire = Wire::to(&gateway);
    let ids = ["first-of-two", "second-of-two"];
    let invites =
        ids.map(|id| Wire::over_tcp(&invite(wire.address(), gateway.bench.sip_address(), HOTLINE_NUMBER, id)));
    wire.send(&invites[0]);
    // No grammar, but an end: passed over. A request that can be answered: 400. A response to nothing: passed over.
    wire.send("\u{1}\u{2} junk\nno colon in this line\nContent-Length: 5\n\nhello");
    wire.send("OPTIONS sip:a SIP/2.0\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKbad\nContent-Length: 0\n\n");
    wire.send("SIP/2.0 200 OK\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKnone\nContent-Length: 0\n\n");
    wire.send(&invites[1]);
    wire.expect("SIP/2.0 400", "z9hG4bKbad");
    let answers = ids.map(|id| wire.expect("SIP/2.0 200 OK", id));
    for (invite, answer) in invites.iter().zip(&answers) {
        wire.send(&follow(invite, "ACK", Some(answer)));
    }
    wire.send("junk again\nno colon\nl: 3\n\nxyz");
    for (invite, answer) in invites.iter().zip(&answers) {
        wire.send(&follow(invite, "BYE", Some(answer)));
    }
    wire.expect("SIP/2.0 200 OK", "2 BYE");
    agents.into_iter().for_each(common::sipp::Running::finish);
    for record in gateway.records(2) {
        assert_eq!(record.text("outcome"), "answered");
        assert_eq!(record.text("reason"), "caller_hung_up");
    }
    gateway.settled(2);
}

#[test]
fn keep_alives_are_answered_and_what_cannot_be_followed_is_closed() {
    let mut bench = Bench::new();
    bench.agent("8");
    let gateway = bench.serve();
    let mut wire = Wire::to(&gateway);
    for count in 1..=2 {
        wire.send("\n\n");
        until("the answer to a keep-alive", seconds(5), || {
            assert!(wire.more(Duration::from_millis(100)), "closed");
            (wire.read.len() >= 2 * count).then_some(())
        });
        assert_eq!(wire.read, b"\r\n".repeat(count));
    }
    wire.lives("after-the-keep-alives");
    // A message in pieces is waited for, but not for ever.
    wire.send("OPTIONS sip:a SIP/2.0\n");
    let took = wire.closed_within(seconds(8));
    assert!(took >= Duration::from_millis(4_900), "given up after {took:?}");
    let mut other = Wire::to(&gateway);
    other.lives("another-connection");
    other.send("OPTIONS sip:a SIP/2.0\nContent-Length: 5\nl: 6\n\nhello!");
    other.closed_within(seconds(2));
    // A peer that asks and asks and never reads is given up; others do not notice.
    let mut deaf = Wire::to(&gateway);
    deaf.stream.set_write_timeout(Some(seconds(1))).expect("a timeout");
    let question = Wire::over_tcp(&options(deaf.address(), gateway.bench.sip_address(), "deaf")).replace('\n', "\r\n");
    let began = Instant::now();
    for n in 0_u64.. {
        let question = question.replace("z9hG4bKdeaf", &format!("z9hG4bKdeaf{n}"));
        match deaf.stream.write_all(question.as_bytes()) {
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Ok(()) | Err(_) => assert!(began.elapsed() < seconds(40), "still taken after {n} questions"),
        }
    }
    Wire::to(&gateway).lives("while-others-are-deaf");
}

#[test]
fn a_wrong_length_is_answered_and_ends_its_own_connection_alone() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_answers", phone);
    let gateway = bench.serve();
    let agent = agent.start();
    let mut calling = Wire::to(&gateway);
    let call = Wire::over_tcp(&invite(calling.address(), gateway.bench.sip_address(), HOTLINE_NUMBER, "beside-them"));
    calling.send(&call);
    let answer = calling.expect("SIP/2.0 200 OK", "beside-them");
    calling.send(&follow(&call, "ACK", Some(&answer)));
    for (name, length) in [("negative", "-1"), ("word", "five"), ("huge", "4294967297"), ("two", "0\nl: 5")] {
        let mut wire = Wire::to(&gateway);
        let question = Wire::over_tcp(&options(wire.address(), gateway.bench.sip_address(), name));
        wire.send(&question.replace("Content-Length: 0", &format!("Content-Length: {length}")));
        // What comes behind it is not read, and does not take the answer back.
        wire.send("v=0\nwhatever this is\n\n");
        let refusal = wire.expect("SIP/2.0 4", name);
        let status = if name == "huge" { "SIP/2.0 413 " } else { "SIP/2.0 400 " };
        assert!(refusal.text.starts_with(status), "{name}: {}", refusal.text);
        wire.closed_within(seconds(2));
    }
    // A body that is too long for us, and whose end is known: the calls of this very connection go on behind it.
    let long = Wire::over_tcp(&options(calling.address(), gateway.bench.sip_address(), "too-long"));
    calling.send(&long.replace("Content-Length: 0", "Content-Length: 70000"));
    calling.stream.write_all(&[b'y'; 70_000]).expect("writing");
    calling.expect("SIP/2.0 413 ", "too-long");
    calling.lives("behind-it");
    calling.send(&follow(&call, "BYE", Some(&answer)));
    calling.expect("SIP/2.0 200 OK", "2 BYE");
    agent.finish();
    assert_eq!(gateway.record().text("reason"), "caller_hung_up");
}

#[test]
fn one_address_has_so_many_connections_and_those_that_said_nothing_go_first() {
    const BOUND: usize = 256;
    let mut bench = Bench::new();
    bench.agent("8");
    let gateway = bench.serve();
    let mut wires: Vec<Wire> = (0..BOUND).map(|_| Wire::to(&gateway)).collect();
    wires[BOUND - 1].lives("the-last-one");
    let mut beyond = Wire::to(&gateway);
    beyond.lives("one-more");
    wires[0].closed_within(seconds(2));
    wires[0] = beyond;
    for (n, wire) in wires.iter_mut().enumerate() {
        wire.lives(&format!("all-have-spoken-{n}"));
    }
    Wire::to(&gateway).closed_within(seconds(2));
    until("both told", seconds(2), || {
        gateway.metrics().contains("hotline_sip_rejected_total{reason=\"connections\"} 2").then_some(())
    });
    drop(wires.split_off(1));
    until("room for another", seconds(5), || {
        let mut again = Wire::to(&gateway);
        again.stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        again.send("\n\n");
        (again.more(seconds(1)) && again.read == b"\r\n").then_some(())
    });
    wires[0].lives("the-first-one");
}

#[test]
fn sipp_calls_over_tcp_and_is_called_over_tcp() {
    const CALLS: u64 = 20;
    let mut bench = Bench::new();
    let phones = bench.ports.one();
    for number in 1..=CALLS {
        bench.agent_over_tcp(&number.to_string(), phones);
    }
    let agents = Sipp::agent(&bench, "agent_answers", phones).over_tcp().pause_ms(100).calls(CALLS);
    let callers = Sipp::trunk(&bench, "trunk_hangs_up").over_tcp().pause_ms(500).calls(CALLS).per_second(40);
    let gateway = bench.serve();
    let agents = agents.start();
    callers.run();
    agents.finish();
    let records = gateway.records(CALLS as usize);
    assert!(records.iter().all(|record| record.text("outcome") == "answered"), "{records:#?}");
    gateway.settled(CALLS as i64);
    assert_eq!(gateway.metric("hotline_sip_retransmissions_total"), 0, "nothing is repeated over a stream");
}
