//! Phones that register, in virtual time: what they and strangers are answered, and how they are called.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::call::fact::{RingResult, What};
use crate::call::reason::Reason;
use crate::clock::Wall;
use crate::dialplan::plan::{Answer, Cadence, Duty, Greeting, Hotline, Next, Ringback, Strategy};
use crate::media::Command;
use crate::peer::registrar::{self, Saved};
use crate::protocol::sip::digest::{Algorithm, Challenge, Covered, Ha1, Secrets};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Message, Request, Response, parse_datagram};

const GATEWAY: &str = "192.0.2.1:5060";
const TRUNK: &str = "192.0.2.2:5060";
/// The outside of a phone's NAT.
const OUTSIDE: &str = "203.0.113.8:40001";
const SDP: &str = "v=0\nc=IN IP4 192.0.2.2\nm=audio 4000 RTP/AVP 8\n";

struct Switch {
    gateway: Gateway,
    now: Now,
    facts: Vec<Fact>,
    rejected: Vec<Rejected>,
    next: u32,
    /// What is said next is said over this connection; `None`: over UDP.
    connection: Option<u64>,
}

/// A message and where it goes.
type Sent = (SocketAddr, Message);

fn plans() -> Plans {
    let cadence = Cadence { name: "cn".into(), burst: Duration::from_secs(1), period: Duration::from_secs(5) };
    let hotline = Arc::new(Hotline {
        recording: crate::dialplan::plan::Recording::ALL,
        id: "property".into(),
        org: "物业".into(),
        numbers: vec!["400".into()],
        language: "zh-CN".into(),
        time_zone: "Asia/Shanghai".into(),
        version: "0123456789abcdef".into(),
        answer: Answer {
            max_rings: 3,
            min_rings: 0,
            cadence,
            ringback: Ringback::Network,
            short_abandon: Duration::ZERO,
        },
        greeting: Greeting::default(),
        agents: crate::dialplan::plan::Agents {
            numbers: vec!["8".into()],
            strategy: Strategy::InOrder,
            ring: Duration::from_secs(20),
            queue: None,
            skill: None,
            nobody: Next::BusyTone,
        },
        reception: crate::dialplan::reception::Reception::default(),
        duty: Duty::default(),
        scripts: crate::dialplan::scripts::Scripts::default(),
        start: Next::Agents,
        steps: Vec::new(),
        after: crate::dialplan::after::After::default(),
    });
    Plans { by_number: [("400".to_owned(), Arc::clone(&hotline))].into(), hotlines: vec![hotline] }
}

impl Switch {
    fn new() -> Switch {
        Switch::with(Vec::new(), Now { mono: Instant::from_millis(1), wall: Wall::from_micros(0) })
    }

    fn with(saved: Vec<Saved>, now: Now) -> Switch {
        let settings = Settings {
            sip: endpoint::Settings {
                listen: vec![(Transport::Udp, GATEWAY.parse().unwrap()), (Transport::Tcp, GATEWAY.parse().unwrap())],
                advertise: None,
                product: "test".into(),
                session_expires_s: None,
            },
            rtp_ports: 20_000..=20_099,
            media: MediaSettings::default(),
            trunks: vec![Trunk::of_peers("carrier", vec![TRUNK.parse().unwrap()])],
            phones: Vec::new(),
            named_phones: Vec::new(),
            targets: Vec::new(),
            run: RunId(1),
        };
        let mut gateway = Gateway::new(settings, Arc::new(plans()), Random::from_number(3));
        let accounts = BTreeMap::from([("8".into(), Secrets::of_password("8", "hotline", "secret"))]);
        gateway.open_registrar(
            now,
            registrar::Settings { realm: "hotline".into(), algorithms: Algorithm::ALL.to_vec(), accounts },
            saved,
        );
        Switch { gateway, now, facts: Vec::new(), rejected: Vec::new(), next: 0, connection: None }
    }

    fn tell(&mut self, from: &str, text: &str) -> Vec<Sent> {
        let connection = self.connection.map(ConnectionId);
        let transport = if connection.is_some() { Transport::Tcp } else { Transport::Udp };
        let flow = Flow { transport, local: GATEWAY.parse().unwrap(), remote: from.parse().unwrap(), connection };
        let bytes = text.replace('\n', "\r\n").into_bytes();
        self.gateway.handle(self.now, Input::Datagram { flow, at: self.now, bytes });
        self.settle()
    }

    fn settle(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Transmit(t) => {
                    sent.push((t.flow.remote, parse_datagram(&t.bytes).unwrap().message));
                    if let Some(session) = t.mark {
                        self.gateway.handle(self.now, Input::Sent { session, label: t.label, at: self.now });
                    }
                }
                Output::Media(Command::Open { call, leg, .. }) => {
                    self.gateway.handle(self.now, Input::Media(media::Event::Bound { call, leg }));
                }
                Output::Fact(fact) => self.facts.push(fact),
                Output::Rejected(rejected) => self.rejected.push(rejected),
                Output::Media(_)
                | Output::Record { .. }
                | Output::Count(_)
                | Output::Subject { .. }
                | Output::Resolve(_)
                | Output::Trunk(_)
                | Output::AgentFact(_)
                | Output::Ordered { .. }
                | Output::Agents { .. }
                | Output::CallingBack { .. }
                | Output::CalledBack { .. }
                | Output::Paused { .. }
                | Output::RoundTrip { .. } => {}
            }
        }
        sent
    }

    fn pass(&mut self, d: Duration) -> Vec<Sent> {
        let end = self.now.after(d);
        let mut sent = Vec::new();
        while let Some((at, _)) = self.gateway.poll_timeout().filter(|(at, _)| *at <= end.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            self.gateway.handle(self.now, Input::Timeout);
            sent.extend(self.settle());
        }
        self.now = end;
        sent
    }

    /// One REGISTER; `None`: silence.
    fn register(&mut self, from: &str, user: &str, more: &str) -> Option<Response> {
        self.next += 1;
        let n = self.next;
        let text = format!(
            "REGISTER sip:192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.8:5060;rport;branch=z9hG4bKr{n}\n\
             From: <sip:{user}@192.0.2.1>;tag=f{n}\nTo: <sip:{user}@192.0.2.1>\nCall-ID: {from}\nCSeq: {n} REGISTER\n{more}\n"
        );
        responses(self.tell(from, &text)).pop()
    }

    /// Challenged and answered with this password.
    fn sign_in(&mut self, from: &str, user: &str, password: &str, more: &str) -> Option<Response> {
        let challenged = self.register(from, user, more)?;
        assert_eq!(challenged.status, 401);
        let authorization = answer(&challenged, user, password, 1);
        self.register(from, user, &format!("Authorization: {authorization}\n{more}"))
    }

    fn signed_in(&mut self, from: &str, contact: &str) {
        let done = self.sign_in(from, "8", "secret", &format!("Contact: <{contact}>\n")).unwrap();
        assert_eq!(done.status, 200, "{done:?}");
    }

    /// The INVITEs to phones that the trunk's call brings.
    fn call(&mut self) -> Vec<(SocketAddr, Request)> {
        requests(self.tell(TRUNK, &theirs("INVITE", "")))
    }

    fn released(&self) -> Vec<(RingResult, Option<u16>)> {
        let released = |f: &Fact| match f.what {
            What::AgentReleased { result, status, .. } => Some((result, status)),
            _ => None,
        };
        self.facts.iter().filter_map(released).collect()
    }

    fn ended(&self) -> Option<Reason> {
        self.facts.iter().find_map(|f| match f.what {
            What::Ended { reason, .. } => Some(reason),
            _ => None,
        })
    }

    fn count(&self, wanted: fn(&What) -> bool) -> usize {
        self.facts.iter().filter(|f| wanted(&f.what)).count()
    }
}

fn answer(challenged: &Response, user: &str, password: &str, nc: u32) -> String {
    let challenge = Challenge::strongest(&challenged.headers, &Name::WWW_AUTHENTICATE, Some("hotline")).unwrap();
    let covered = Covered { method: "REGISTER", uri: "sip:192.0.2.1", body: b"" };
    let ha1 = Ha1::new(challenge.algorithm, user, &challenge.realm, password);
    challenge.answer(user, &ha1, &covered, "c", nc).unwrap()
}

fn responses(sent: Vec<Sent>) -> Vec<Response> {
    let response = |(_, m)| match m {
        Message::Response(r) => Some(r),
        Message::Request(_) => None,
    };
    sent.into_iter().filter_map(response).collect()
}

fn requests(sent: Vec<Sent>) -> Vec<(SocketAddr, Request)> {
    let request = |(to, m)| match m {
        Message::Request(r) => Some((to, r)),
        Message::Response(_) => None,
    };
    sent.into_iter().filter_map(request).collect()
}

/// Where our requests go, and which they are.
fn lines(sent: Vec<Sent>) -> Vec<String> {
    requests(sent).iter().map(|(to, r)| format!("{} {} → {to}", r.method, r.raw_uri)).collect()
}

fn typed(body: &str) -> String {
    if body.is_empty() { "\n".to_owned() } else { format!("Content-Type: application/sdp\n\n{body}") }
}

fn theirs(method: &str, tag: &str) -> String {
    let body = if method == "INVITE" { SDP } else { "" };
    format!(
        "{method} sip:400@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{method}\nFrom: <sip:139@h>;tag=f\nTo: <sip:400@h>{tag}\nCall-ID: c\nCSeq: 1 {method}\nContact: <sip:trunk@192.0.2.2>\n{}",
        typed(body)
    )
}

/// The phone's response to a request of ours; it says its address within the NAT.
fn says(status: u16, request: &Request, tag: &str) -> String {
    let field = |name: Name| request.headers.text(&name).unwrap().to_owned();
    format!(
        "SIP/2.0 {status} X\nVia: {}\nFrom: {}\nTo: {};tag={tag}\nCall-ID: {}\nCSeq: {}\nContact: <sip:8@10.0.0.8:5060>\n{}",
        field(Name::VIA),
        field(Name::FROM),
        field(Name::TO),
        field(Name::CALL_ID),
        field(Name::CSEQ),
        typed(if status == 200 { SDP } else { "" })
    )
}

#[test]
fn a_phone_behind_nat_registers_is_called_and_hung_up_over_its_flow() {
    let mut switch = Switch::new();
    let done = switch.sign_in(OUTSIDE, "8", "secret", "Contact: <sip:8@10.0.0.8:5060>;expires=120\n").unwrap();
    let via = done.headers.text(&Name::VIA).unwrap();
    assert!(via.contains("received=203.0.113.8") && via.contains("rport=40001"), "{via}");
    assert_eq!(done.headers.text(&Name::CONTACT), Some("<sip:8@10.0.0.8:5060>;expires=120"));
    assert_eq!(switch.gateway.guests().collect::<Vec<_>>(), ["203.0.113.8".parse::<IpAddr>().unwrap()]);
    let invites = switch.call();
    assert_eq!(invites.len(), 1);
    assert_eq!((invites[0].0, invites[0].1.raw_uri.as_str()), (OUTSIDE.parse().unwrap(), "sip:8@10.0.0.8:5060"));
    let sent = switch.tell(OUTSIDE, &says(200, &invites[0].1, "p"));
    let to_caller = responses(sent.clone()).into_iter().find(|r| r.status == 200).expect("200 to the caller");
    assert_eq!(lines(sent), [format!("ACK sip:8@10.0.0.8:5060 → {OUTSIDE}")]);
    let tag = format!(";tag={}", to_caller.to_tag().unwrap());
    switch.tell(TRUNK, &theirs("ACK", &tag));
    let sent = switch.tell(TRUNK, &theirs("BYE", &tag).replace("1 BYE", "2 BYE"));
    assert_eq!(lines(sent), [format!("BYE sip:8@10.0.0.8:5060 → {OUTSIDE}")]);
    // In the meantime the way is kept open.
    let pings = lines(switch.pass(Duration::from_secs(26)));
    assert!(pings.contains(&format!("OPTIONS sip:8@10.0.0.8:5060 → {OUTSIDE}")), "{pings:?}");
    switch.pass(Duration::from_secs(100));
    assert_eq!(switch.gateway.registrations(), (0, 0));
    assert_eq!(switch.gateway.guests().count(), 0);
}

#[test]
fn a_session_with_a_phone_behind_nat_is_refreshed_over_its_flow() {
    let mut switch = Switch::new();
    switch.signed_in(OUTSIDE, "sip:8@10.0.0.8:5060");
    let invite = switch.call().remove(0).1;
    let answer =
        says(200, &invite, "p").replacen("\nTo:", "\nRequire: timer\nSession-Expires: 90;refresher=uac\nTo:", 1);
    let to_caller = responses(switch.tell(OUTSIDE, &answer)).into_iter().find(|r| r.status == 200).unwrap();
    switch.tell(TRUNK, &theirs("ACK", &format!(";tag={}", to_caller.to_tag().unwrap())));
    let sent = lines(switch.pass(Duration::from_secs(46)));
    assert!(sent.contains(&format!("INVITE sip:8@10.0.0.8:5060 → {OUTSIDE}")), "{sent:?}");
}

#[test]
fn an_unknown_user_gets_what_a_wrong_password_gets() {
    let mut switch = Switch::new();
    let shape = |r: &Response| {
        let names: Vec<String> = r.headers.iter().map(|(name, _)| name.to_string()).collect();
        let challenges = r.headers.fields(&Name::WWW_AUTHENTICATE).map(<[u8]>::len).collect::<Vec<_>>();
        (r.status, r.reason.clone(), names, challenges)
    };
    let mut seen = Vec::new();
    for (user, password) in [("8", "wrong"), ("9", "wrong"), ("9", "secret")] {
        let challenged = switch.register("203.0.113.1:5060", user, "").unwrap();
        let authorization = answer(&challenged, user, password, 1);
        let refused = switch.register("203.0.113.1:5060", user, &format!("Authorization: {authorization}\n")).unwrap();
        assert!(!refused.headers.text(&Name::WWW_AUTHENTICATE).unwrap().contains("stale"));
        seen.push((shape(&challenged), shape(&refused)));
    }
    assert!(seen.iter().all(|s| *s == seen[0]), "{seen:#?}");
    assert_eq!(seen[0].0, seen[0].1, "and both what everybody gets at first");
    assert_eq!(switch.rejected, [Rejected::WrongPassword; 3]);
}

#[test]
fn who_guesses_gets_silence_and_a_registered_phone_beside_him_does_not() {
    let mut switch = Switch::new();
    switch.signed_in(OUTSIDE, "sip:8@10.0.0.8");
    let guesser = "203.0.113.8:666";
    for _ in 0..5 {
        assert_eq!(switch.sign_in(guesser, "8", "guess", "").unwrap().status, 401);
    }
    assert_eq!(switch.register(guesser, "8", ""), None);
    assert_eq!(switch.rejected.last(), Some(&Rejected::LockedOut));
    switch.signed_in(OUTSIDE, "sip:8@10.0.0.8");
    switch.pass(Duration::from_secs(599));
    assert_eq!(switch.register(guesser, "8", ""), None);
    switch.pass(Duration::from_secs(2));
    assert_eq!(switch.register(guesser, "8", "").map(|r| r.status), Some(401));
}

#[test]
fn an_old_nonce_is_stale_and_a_used_one_is_not_taken_again() {
    let mut switch = Switch::new();
    let challenged = switch.register(OUTSIDE, "8", "").unwrap();
    let first = format!("Authorization: {}\n", answer(&challenged, "8", "secret", 1));
    assert_eq!(switch.register(OUTSIDE, "8", &first).unwrap().status, 200);
    let replayed = switch.register(OUTSIDE, "8", &first).unwrap();
    assert_eq!(replayed.status, 401);
    assert!(replayed.headers.text(&Name::WWW_AUTHENTICATE).unwrap().contains("stale=true"));
    switch.pass(Duration::from_secs(33));
    let late = format!("Authorization: {}\n", answer(&challenged, "8", "secret", 2));
    let stale = switch.register(OUTSIDE, "8", &late).unwrap();
    assert!(stale.headers.text(&Name::WWW_AUTHENTICATE).unwrap().contains("stale=true"));
    let again = format!("Authorization: {}\n", answer(&stale, "8", "secret", 1));
    assert_eq!(switch.register(OUTSIDE, "8", &again).unwrap().status, 200);
    assert!(switch.rejected.is_empty());
}

#[test]
fn a_phone_that_understands_no_choice_gets_md5_alone_when_it_comes_again() {
    let mut switch = Switch::new();
    let offered = |r: &Response| r.headers.fields(&Name::WWW_AUTHENTICATE).count();
    let first = switch.register(OUTSIDE, "8", "").unwrap();
    switch.pass(Duration::from_secs(45));
    let second = switch.register(OUTSIDE, "8", "").unwrap();
    assert_eq!((offered(&first), offered(&second)), (2, 1));
    assert!(second.headers.text(&Name::WWW_AUTHENTICATE).unwrap().contains("algorithm=MD5"));
    let authorization = format!("Authorization: {}\n", answer(&second, "8", "secret", 1));
    assert_eq!(switch.register(OUTSIDE, "8", &authorization).unwrap().status, 200);
    assert_eq!(offered(&switch.register(OUTSIDE, "8", "").unwrap()), 2, "it has answered since");
}

#[test]
fn what_a_registrar_refuses() {
    let mut switch = Switch::new();
    let brief = switch.sign_in(OUTSIDE, "8", "secret", "Contact: <sip:8@10.0.0.8>\nExpires: 30\n").unwrap();
    assert_eq!((brief.status, brief.headers.text(&Name::MIN_EXPIRES)), (423, Some("60")));
    let challenged = switch.register(OUTSIDE, "9", "").unwrap();
    let for_another = format!("Authorization: {}\n", answer(&challenged, "8", "secret", 1));
    assert_eq!(switch.register(OUTSIDE, "9", &for_another).unwrap().status, 403);
    let path = switch.register(OUTSIDE, "8", "Require: path\n").unwrap();
    assert_eq!(path.status, 420);
    // Anything but REGISTER is a stranger's still.
    for method in ["INVITE", "OPTIONS", "BYE"] {
        assert!(switch.tell("203.0.113.9:5060", &theirs(method, "")).is_empty(), "{method}");
    }
    switch.signed_in(OUTSIDE, "sip:8@10.0.0.8");
    let (own, beside) = (switch.tell(OUTSIDE, &theirs("INVITE", "")), "203.0.113.8:40002");
    assert_eq!(responses(own).iter().map(|r| r.status).collect::<Vec<_>>(), [100, 403]);
    assert!(switch.tell(beside, &theirs("INVITE", "").replace("bKINVITE", "bKother")).is_empty());
    assert_eq!(switch.rejected, [Rejected::FromPhone]);
}

#[test]
fn the_first_of_several_phones_that_answers_wins_and_the_others_stop() {
    let mut switch = Switch::new();
    let phones = ["203.0.113.8:1", "203.0.113.8:2", "203.0.113.8:3"];
    for phone in phones {
        switch.signed_in(phone, &format!("sip:8@{phone}"));
    }
    let invites = switch.call();
    assert_eq!(invites.len(), 3);
    for (to, invite) in &invites {
        switch.tell(&to.to_string(), &says(180, invite, "ringing"));
    }
    switch.tell(phones[2], &says(486, &invites[2].1, "busy"));
    assert!(switch.released().is_empty(), "others ring on");
    let sent = switch.tell(phones[1], &says(200, &invites[1].1, "yes"));
    let sent = lines(sent);
    let ack = format!("ACK sip:8@10.0.0.8:5060 → {}", phones[1]);
    assert!(sent.contains(&ack) && sent.contains(&format!("CANCEL sip:8@{0} → {0}", phones[0])), "{sent:?}");
    // The 2xx of the other was on its way: it gets ACK and BYE.
    let crossed = lines(switch.tell(phones[0], &says(200, &invites[0].1, "late")));
    assert!(crossed[0].starts_with("ACK") && crossed[1].starts_with("BYE"), "{crossed:?}");
    assert_eq!(switch.count(|w| matches!(w, What::AgentInvited { .. })), 1);
    assert_eq!(switch.count(|w| matches!(w, What::AgentRinging { .. })), 1);
    assert_eq!(switch.count(|w| matches!(w, What::AgentAnswered { .. })), 1);
    assert!(switch.released().is_empty() && switch.ended().is_none());
    assert_eq!(switch.gateway.agents().available(), 0);
    switch.tell(phones[1], &format!(
        "BYE sip:x@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.8;rport;branch=z9hG4bKb\nFrom: {};tag=yes\nTo: {}\nCall-ID: {}\nCSeq: 1 BYE\n\n",
        invites[1].1.headers.text(&Name::TO).unwrap(),
        invites[1].1.headers.text(&Name::FROM).unwrap(),
        invites[1].1.headers.text(&Name::CALL_ID).unwrap(),
    ));
    assert_eq!(switch.ended(), Some(Reason::AgentHungUp));
    switch.pass(Duration::from_secs(70));
    assert_eq!((switch.gateway.agents().available(), switch.gateway.sessions()), (1, 0));
}

#[test]
fn a_person_who_declines_on_one_phone_declines_on_all() {
    let mut switch = Switch::new();
    let phones = ["203.0.113.8:1", "203.0.113.8:2"];
    phones.iter().for_each(|phone| switch.signed_in(phone, &format!("sip:8@{phone}")));
    let invites = switch.call();
    switch.tell(phones[1], &says(180, &invites[1].1, "r"));
    let sent = lines(switch.tell(phones[0], &says(603, &invites[0].1, "no")));
    assert!(sent.contains(&format!("CANCEL sip:8@{0} → {0}", phones[1])), "{sent:?}");
    assert_eq!(switch.released(), [(RingResult::Declined, Some(603))]);
    assert_eq!(switch.ended(), Some(Reason::AgentsDeclined));
    assert_eq!(switch.gateway.agents().available(), 0, "until the other phone has stopped");
    switch.tell(phones[1], &says(487, &invites[1].1, "r"));
    assert_eq!(switch.gateway.agents().available(), 1);
}

#[test]
fn an_agent_whose_phone_is_not_registered_is_unreachable() {
    let mut switch = Switch::new();
    let sent = switch.tell(TRUNK, &theirs("INVITE", ""));
    assert_eq!(responses(sent).iter().map(|r| r.status).collect::<Vec<_>>(), [100, 486]);
    assert_eq!(switch.released(), [(RingResult::Unreachable, None)]);
    assert_eq!(switch.ended(), Some(Reason::AgentsUnreachable));
    assert_eq!(switch.count(|w| matches!(w, What::AgentInvited { .. })), 0);
    assert_eq!(switch.gateway.agents().available(), 1);
    switch.signed_in(OUTSIDE, "sip:8@10.0.0.8");
    switch.sign_in(OUTSIDE, "8", "secret", "Contact: *\nExpires: 0\n").unwrap();
    assert_eq!(switch.gateway.registrations(), (0, 0));
}

#[test]
fn a_registration_outlives_a_restart() {
    let mut switch = Switch::new();
    switch.signed_in(OUTSIDE, "sip:8@10.0.0.8");
    let version = switch.gateway.registrations_version();
    assert!(version > 0);
    let saved = switch.gateway.saved_registrations(switch.now);
    let later = Now { mono: Instant::from_millis(5), wall: switch.now.wall + Duration::from_secs(30) };
    let mut again = Switch::with(saved, later);
    assert_eq!(again.gateway.registrations(), (1, 1));
    let invites = again.call();
    assert_eq!(invites.iter().map(|(to, _)| to.to_string()).collect::<Vec<_>>(), [OUTSIDE]);
}

#[test]
fn a_phone_is_not_called_over_a_connection_that_is_closed() {
    let mut switch = Switch::new();
    let (first, second) = ("203.0.113.8:1", "203.0.113.8:2");
    switch.connection = Some(7);
    switch.signed_in(first, "sip:8@10.0.0.8;transport=tcp");
    // The phone opens another connection before it closes the first, and registers anew.
    switch.connection = Some(8);
    switch.signed_in(second, "sip:8@10.0.0.8;transport=tcp");
    switch.connection = None;
    switch.signed_in(OUTSIDE, "sip:8@10.0.0.9");
    let registered_after = |switch: &mut Switch, closed| {
        switch.gateway.handle(switch.now, Input::Disconnected(ConnectionId(closed)));
        switch.settle();
        switch.gateway.registrations()
    };
    assert_eq!(registered_after(&mut switch, 7), (2, 1), "the phone is bound to the other connection");
    let called = |switch: &mut Switch| switch.call().into_iter().map(|(to, _)| to.to_string()).collect::<Vec<_>>();
    assert_eq!(registered_after(&mut switch, 8), (1, 1));
    assert!(!switch.gateway.is_bound(second.parse().unwrap()));
    assert_eq!(called(&mut switch), [OUTSIDE]);
}

fn reload(switch: &mut Switch, accounts: &[(&str, &str)], realm: &str) {
    let accounts = accounts.iter().map(|(n, word)| (AgentNo::from(*n), Secrets::of_password(n, realm, word))).collect();
    let reload = Reload {
        trunks: vec![Trunk::of_peers("carrier", vec![TRUNK.parse().unwrap()])],
        phones: Vec::new(),
        named_phones: Vec::new(),
        targets: Vec::new(),
        accounts: registrar::Settings { realm: realm.into(), algorithms: Algorithm::ALL.to_vec(), accounts },
        supervisors: BTreeMap::new(),
        agents_calls: crate::gateway::AgentsCalls::default(),
        plans: Arc::new(plans()),
    };
    switch.gateway.handle(switch.now, Input::Reload(Box::new(reload)));
    switch.settle();
}

#[test]
fn passwords_and_accounts_follow_a_reload() {
    let mut switch = Switch::new();
    reload(&mut switch, &[("8", "secret"), ("9", "nine")], "hotline");
    switch.signed_in(OUTSIDE, "sip:8@10.0.0.8");
    let nine = "203.0.113.9:1";
    assert_eq!(switch.sign_in(nine, "9", "nine", "Contact: <sip:9@10.0.0.9>\n").unwrap().status, 200);
    assert_eq!((switch.gateway.registrations(), switch.gateway.agents().available()), ((2, 2), 2));
    let challenged = switch.register(OUTSIDE, "8", "").unwrap();
    // Another account changes nothing for these.
    reload(&mut switch, &[("8", "secret"), ("9", "nine"), ("10", "ten")], "hotline");
    assert_eq!(switch.gateway.registrations(), (2, 2));
    // Agent 8 has another password, so whoever knows the old one is called no more; 9 is gone; the challenge that is out
    // stays good.
    reload(&mut switch, &[("8", "changed")], "hotline");
    assert_eq!((switch.gateway.registrations(), switch.gateway.agents().available()), ((0, 0), 1));
    let with = |word: &str, nc| format!("Authorization: {}\n", answer(&challenged, "8", word, nc));
    assert_eq!(switch.register(OUTSIDE, "8", &with("secret", 1)).unwrap().status, 401);
    assert_eq!(switch.register(OUTSIDE, "8", &with("changed", 2)).unwrap().status, 200);
    assert_eq!(switch.sign_in(nine, "9", "nine", "Contact: <sip:9@10.0.0.9>\n").unwrap().status, 401);
    // Nobody may register any more: silence, as before the first account.
    reload(&mut switch, &[], "hotline");
    assert_eq!((switch.gateway.registrations(), switch.gateway.serves_registrations()), ((0, 0), false));
    assert_eq!(switch.register(nine, "8", "").map(|r| r.status), None);
    // And back, with another realm.
    reload(&mut switch, &[("8", "secret")], "other");
    let challenged = switch.register(OUTSIDE, "8", "").unwrap();
    assert!(challenged.headers.text(&Name::WWW_AUTHENTICATE).unwrap().contains("realm=\"other\""));
}
