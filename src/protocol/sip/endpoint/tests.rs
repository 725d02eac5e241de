//! Two endpoints and a wire between them, in virtual time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::clock::Wall;
use crate::protocol::sip::uri::Uri;

pub(super) struct Side {
    pub(super) endpoint: Endpoint,
    pub(super) address: SocketAddr,
    pub(super) log: Vec<(u64, String)>,
    pub(super) events: Vec<(SessionId, EventKind)>,
}

pub(super) struct Pair {
    pub(super) a: Side,
    pub(super) b: Side,
    pub(super) now: Now,
    pub(super) wire: VecDeque<(Instant, bool, Transmit)>,
    /// Drops a datagram: (from a, its text).
    pub(super) drop: fn(bool, &str) -> bool,
}

fn side(address: &str, seed: u64) -> Side {
    let address = address.parse().unwrap();
    let settings = Settings {
        listen: vec![(Transport::Udp, address)],
        advertise: None,
        product: "test".into(),
        session_expires_s: None,
    };
    let endpoint = Endpoint::new(settings, Random::from_number(seed));
    Side { endpoint, address, log: Vec::new(), events: Vec::new() }
}

impl Pair {
    pub(super) fn new() -> Pair {
        let now = Now { mono: Instant::START, wall: Wall::from_micros(0) };
        Pair {
            a: side("10.0.0.1:5060", 1),
            b: side("10.0.0.2:5060", 2),
            now,
            wire: VecDeque::new(),
            drop: |_, _| false,
        }
    }

    pub(super) fn call(&mut self) -> SessionId {
        let invite = OutgoingInvite {
            target: Uri::parse("sip:400@10.0.0.2").unwrap(),
            transport: Transport::Udp,
            destination: self.b.address,
            flow: None,
            caller: Some("139".into()),
            offer: b"offer".to_vec(),
            max_forwards: 70,
        };
        let id = self.a.endpoint.invite(self.now.mono, invite).unwrap();
        self.settle();
        id
    }

    /// Everything that can happen without time passing (the wire takes 1 ms, so that crossings can be made).
    pub(super) fn settle(&mut self) {
        for from_a in [true, false] {
            let side = if from_a { &mut self.a } else { &mut self.b };
            while let Some(t) = side.endpoint.poll_transmit() {
                let text = String::from_utf8_lossy(&t.bytes).into_owned();
                side.log
                    .push((self.now.mono.as_nanos() / 1_000_000, text.lines().next().unwrap_or_default().to_owned()));
                if !(self.drop)(from_a, &text) {
                    self.wire.push_back((self.now.mono + Duration::from_millis(1), from_a, t));
                }
            }
            while let Some(e) = side.endpoint.poll_event() {
                if !matches!(e.kind, EventKind::Received { .. }) {
                    side.events.push((e.session, e.kind));
                }
            }
        }
    }

    pub(super) fn step(&mut self) -> bool {
        let next = [
            self.wire.front().map(|(at, ..)| *at),
            self.a.endpoint.poll_timeout().map(|(at, _)| at),
            self.b.endpoint.poll_timeout().map(|(at, _)| at),
        ];
        let Some(at) = next.into_iter().flatten().min() else { return false };
        self.now = Now { mono: at, wall: Wall::from_micros((at.as_nanos() / 1000) as i64) };
        while self.wire.front().is_some_and(|(due, ..)| *due <= at) {
            let (_, from_a, t) = self.wire.pop_front().unwrap();
            let (to, source) = if from_a { (&mut self.b, self.a.address) } else { (&mut self.a, self.b.address) };
            let flow = Flow { transport: Transport::Udp, local: to.address, remote: source, connection: None };
            to.endpoint.handle_datagram(at, flow, self.now, true, &t.bytes);
        }
        self.a.endpoint.handle_timeout(self.now);
        self.b.endpoint.handle_timeout(self.now);
        self.settle();
        true
    }

    pub(super) fn run_for(&mut self, d: Duration) {
        let end = self.now.mono + d;
        while self.next_at().is_some_and(|at| at <= end) && self.step() {}
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        let timers = [self.a.endpoint.poll_timeout(), self.b.endpoint.poll_timeout()];
        timers.into_iter().flatten().map(|(at, _)| at).chain(self.wire.front().map(|(at, ..)| *at)).min()
    }

    pub(super) fn run_to_rest(&mut self) {
        for _ in 0..2_000_000 {
            if !self.step() {
                return;
            }
        }
        panic!("never comes to rest");
    }

    pub(super) fn incoming(&self) -> SessionId {
        self.b.events.iter().find(|(_, k)| matches!(k, EventKind::Invite { .. })).map(|(s, _)| *s).unwrap()
    }
}

pub(super) fn kinds(side: &Side) -> Vec<&'static str> {
    side.events
        .iter()
        .map(|(_, k)| match k {
            EventKind::Invite { .. } => "invite",
            EventKind::Cancelled => "cancelled",
            EventKind::Acknowledged { .. } => "acknowledged",
            EventKind::NotAcknowledged => "not acknowledged",
            EventKind::Progress { .. } => "progress",
            EventKind::Answered { .. } => "answered",
            EventKind::CrossedAnswer => "crossed",
            EventKind::Challenged { .. } => "challenged",
            EventKind::ByeChallenged(_) => "bye challenged",
            EventKind::Failed { .. } => "failed",
            EventKind::Reoffer { .. } => "reoffer",
            EventKind::Refer(_) => "refer",
            EventKind::Bye => "bye",
            EventKind::Key(_) => "key",
            EventKind::Lost => "lost",
            EventKind::Received { .. } => "received",
            EventKind::Reanswered { .. } => "reanswered",
            EventKind::Offered { .. } => "offered",
            EventKind::ReofferFailed { .. } => "reoffer failed",
            EventKind::EarlyAnswer { .. } => "early answer",
            EventKind::Explained { .. } => "explained",
            EventKind::Terminated => "terminated",
        })
        .collect()
}

#[test]
fn a_call_is_made_and_ended() {
    let mut pair = Pair::new();
    let call = pair.call();
    pair.run_for(Duration::from_millis(10));
    let incoming = pair.incoming();
    pair.b.endpoint.ring(pair.now.mono, incoming, 180, Vec::new());
    pair.settle();
    pair.run_for(Duration::from_millis(10));
    pair.b.endpoint.accept(pair.now.mono, incoming, b"answer".to_vec());
    pair.settle();
    pair.run_for(Duration::from_millis(10));
    pair.a.endpoint.hang_up(pair.now, call);
    pair.settle();
    pair.run_to_rest();
    assert_eq!(kinds(&pair.a), ["progress", "answered", "terminated"]);
    assert_eq!(kinds(&pair.b), ["invite", "acknowledged", "bye", "terminated"]);
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}

#[test]
fn a_busy_answer_ends_the_call() {
    let mut pair = Pair::new();
    pair.call();
    pair.run_for(Duration::from_millis(10));
    let incoming = pair.incoming();
    pair.b.endpoint.reject(pair.now, incoming, 486, None);
    pair.settle();
    pair.run_to_rest();
    assert!(matches!(pair.a.events[0].1, EventKind::Failed { status: Some(486) }));
    assert_eq!(kinds(&pair.b), ["invite", "terminated"]);
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}

#[test]
fn cancel_waits_for_a_provisional_response_and_brings_487() {
    let mut pair = Pair::new();
    let call = pair.call();
    pair.a.endpoint.hang_up(pair.now, call);
    pair.settle();
    assert_eq!(pair.a.log.len(), 1, "no CANCEL before a provisional response");
    pair.run_to_rest();
    assert_eq!(kinds(&pair.a), ["failed", "terminated"]);
    assert!(matches!(pair.a.events[0].1, EventKind::Failed { status: Some(487) }));
    assert_eq!(kinds(&pair.b), ["invite", "cancelled", "terminated"]);
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}

#[test]
fn a_2xx_that_crosses_the_cancel_gets_ack_and_bye() {
    let mut pair = Pair::new();
    let call = pair.call();
    pair.run_for(Duration::from_millis(10));
    let incoming = pair.incoming();
    pair.b.endpoint.accept(pair.now.mono, incoming, b"answer".to_vec());
    pair.a.endpoint.hang_up(pair.now, call);
    pair.settle();
    pair.run_to_rest();
    assert_eq!(kinds(&pair.a), ["crossed", "terminated"]);
    assert_eq!(kinds(&pair.b), ["invite", "cancelled", "acknowledged", "bye", "terminated"]);
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}

#[test]
fn two_byes_that_cross_end_both_sides_once() {
    let mut pair = Pair::new();
    let call = pair.call();
    pair.run_for(Duration::from_millis(10));
    let incoming = pair.incoming();
    pair.b.endpoint.accept(pair.now.mono, incoming, b"answer".to_vec());
    pair.settle();
    pair.run_for(Duration::from_millis(10));
    pair.a.endpoint.hang_up(pair.now, call);
    pair.b.endpoint.hang_up(pair.now, incoming);
    pair.settle();
    pair.run_to_rest();
    assert_eq!(kinds(&pair.a), ["answered", "bye", "terminated"]);
    assert_eq!(kinds(&pair.b), ["invite", "acknowledged", "bye", "terminated"]);
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}

#[test]
fn a_bye_of_ours_waits_for_the_ack() {
    let mut pair = Pair::new();
    pair.drop = |from_a, text| from_a && text.starts_with("ACK");
    pair.call();
    pair.run_for(Duration::from_millis(10));
    let incoming = pair.incoming();
    pair.b.endpoint.accept(pair.now.mono, incoming, b"answer".to_vec());
    pair.settle();
    pair.b.endpoint.hang_up(pair.now, incoming);
    pair.run_for(Duration::from_secs(2));
    assert!(!pair.b.log.iter().any(|(_, line)| line.starts_with("BYE")));
    pair.drop = |_, _| false;
    pair.run_to_rest();
    assert_eq!(kinds(&pair.a), ["answered", "bye", "terminated"]);
    assert_eq!(kinds(&pair.b), ["invite", "acknowledged", "terminated"]);
}

#[test]
fn a_thousand_unacknowledged_calls_follow_the_schedule_and_leave_nothing() {
    let mut pair = Pair::new();
    pair.drop = |from_a, text| from_a && (text.starts_with("ACK") || text.starts_with("SIP/2.0 200"));
    for _ in 0..1000 {
        pair.call();
    }
    pair.run_for(Duration::from_millis(5));
    let incoming: Vec<SessionId> = pair.b.events.iter().map(|(s, _)| *s).collect();
    assert_eq!(incoming.len(), 1000);
    let start = pair.now.mono.as_nanos() / 1_000_000;
    for session in incoming {
        pair.b.endpoint.accept(pair.now.mono, session, b"answer".to_vec());
    }
    pair.settle();
    pair.run_to_rest();
    let mut sent: Vec<u64> =
        pair.b.log.iter().filter(|(_, l)| l == "SIP/2.0 200 OK").map(|(at, _)| at - start).collect();
    sent.dedup();
    assert_eq!(sent[..11], [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    let each = pair.b.log.iter().filter(|(at, l)| l == "SIP/2.0 200 OK" && *at == start + 500).count();
    assert_eq!(each, 1000);
    let byes = pair.b.log.iter().filter(|(at, l)| l.starts_with("BYE") && *at == start + 32_000).count();
    assert_eq!(byes, 1000, "section 13.3.1.4: BYE after 64*T1");
    assert_eq!(pair.b.events.iter().filter(|(_, k)| matches!(k, EventKind::NotAcknowledged)).count(), 1000);
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}

#[test]
fn every_message_lost_once_still_makes_a_call() {
    // Each side's first copy of every message is lost: retransmission must carry the call through.
    use std::cell::RefCell;
    thread_local!(static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });
    let mut pair = Pair::new();
    pair.drop = |from_a, text| {
        let line = format!("{from_a} {}", text.lines().take(1).collect::<String>());
        SEEN.with_borrow_mut(|seen| {
            if seen.contains(&line) {
                false
            } else {
                seen.push(line);
                true
            }
        })
    };
    let call = pair.call();
    while !pair.b.events.iter().any(|(_, k)| matches!(k, EventKind::Invite { .. })) {
        assert!(pair.step());
    }
    let incoming = pair.incoming();
    pair.b.endpoint.accept(pair.now.mono, incoming, b"answer".to_vec());
    pair.settle();
    while !pair.b.events.iter().any(|(_, k)| matches!(k, EventKind::Acknowledged { .. })) {
        assert!(pair.step());
    }
    pair.a.endpoint.hang_up(pair.now, call);
    pair.settle();
    pair.run_to_rest();
    assert_eq!(kinds(&pair.a), ["answered", "terminated"]);
    assert_eq!(kinds(&pair.b), ["invite", "acknowledged", "bye", "terminated"]);
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}

fn raw(pair: &mut Pair, trusted: bool, text: &str) -> Vec<String> {
    let source = "10.0.0.9:5060".parse().unwrap();
    let flow = Flow { transport: Transport::Udp, local: pair.b.address, remote: source, connection: None };
    let text = text.replace('\n', "\r\n");
    pair.b.endpoint.handle_datagram(pair.now.mono, flow, pair.now, trusted, text.as_bytes());
    let mut out = Vec::new();
    while let Some(t) = pair.b.endpoint.poll_transmit() {
        out.push(String::from_utf8_lossy(&t.bytes).lines().next().unwrap_or_default().to_owned());
    }
    while pair.b.endpoint.poll_event().is_some() {}
    out
}

fn request(line: &str, method: &str, extra: &str) -> String {
    format!(
        "{line} SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{}\nFrom: <sip:a@h>;tag=1\nTo: <sip:b@h>\nCall-ID: {}\nCSeq: 1 {method}\nContact: <sip:a@10.0.0.9>\nMax-Forwards: 70\n{extra}\n",
        line.len() + extra.len() * 100,
        line.replace(' ', "-")
    )
}

#[test]
fn what_needs_no_decision_is_answered_as_the_rfc_says() {
    let mut pair = Pair::new();
    let mut ask = |text: &str| raw(&mut pair, true, text);
    assert_eq!(ask(&request("OPTIONS sip:b@h", "OPTIONS", "")), ["SIP/2.0 200 OK"]);
    assert_eq!(ask(&request("BYE sip:b@h", "BYE", "")), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
    assert_eq!(ask(&request("REGISTER sip:h", "REGISTER", "")), ["SIP/2.0 405 Method Not Allowed"]);
    assert_eq!(ask(&request("FOO sip:b@h", "FOO", "")), ["SIP/2.0 501 Not Implemented"]);
    assert_eq!(ask(&request("INVITE sip:b@h", "INVITE", "Require: 100rel, x\n")), ["SIP/2.0 420 Bad Extension"]);
    assert_eq!(ask(&request("INVITE urn:x", "INVITE", "")), ["SIP/2.0 416 Unsupported URI Scheme"]);
    assert_eq!(ask(&request("CANCEL sip:b@h", "CANCEL", "")), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
    assert_eq!(ask(&request("ACK sip:b@h", "ACK", "")), [""; 0]);
    assert_eq!(ask(&request("OPTIONS sip:b@h", "INVITE", "X: 1\n")), ["SIP/2.0 400 CSeq Method Does Not Match"]);
    assert_eq!(ask(&request("INVITE sip:b@h", "INVITE", "")), ["SIP/2.0 100 Trying"]);
    // The same request by another way.
    let merged = request("INVITE sip:b@h", "INVITE", "").replace("z9hG4bK", "z9hG4bKother");
    assert_eq!(ask(&merged), ["SIP/2.0 482 Loop Detected"]);
}

#[test]
fn strangers_get_silence() {
    let mut pair = Pair::new();
    for text in [request("INVITE sip:b@h", "INVITE", ""), request("OPTIONS sip:b@h", "OPTIONS", ""), "junk".to_owned()]
    {
        assert_eq!(raw(&mut pair, false, &text), [""; 0]);
        assert_eq!(pair.b.endpoint.poll_count(), Some(Count::Stranger));
    }
    assert!(pair.b.endpoint.is_idle());
}

/// Seed 2 of the simulator: their INVITE's transaction stayed for ever.
#[test]
fn a_call_whose_180_cannot_be_written_leaves_nothing() {
    let mut pair = Pair::new();
    pair.call();
    pair.run_for(Duration::from_millis(10));
    let session = pair.incoming();
    pair.b.endpoint.handle_send_failure(pair.now, session);
    pair.settle();
    pair.run_to_rest();
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}
