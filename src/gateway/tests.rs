//! The switch between a hand-written trunk and a hand-written phone.

use std::time::Duration;

use super::*;
use crate::call::fact::What;
use crate::call::reason::Reason;
use crate::clock::Wall;
use crate::dialplan::plan::{
    Answer, Cadence, Cascade, Does, Duty, Greeting, Hotline, Next, Prompt, Ringback, Step, StepNo, Strategy,
};
use crate::media::Command;
use crate::protocol::rtp::event::Stroke;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Message, Request, Response, parse_datagram};

pub(crate) const TRUNK: &str = "10.0.0.2:5060";
pub(crate) const PHONE: &str = "10.0.0.3:5060";
pub(crate) const SDP: &str = "v=0\nc=IN IP4 10.0.0.2\nm=audio 4000 RTP/AVP 8\n";

pub(crate) struct Switch {
    pub(crate) gateway: Gateway,
    pub(crate) now: Now,
    remotes: Vec<SocketAddr>,
    /// In the order of their opening.
    pub(crate) legs: Vec<(CallId, LegId)>,
    pub(crate) facts: Vec<Fact>,
    /// Those of calls that agents make.
    pub(crate) agents_calls: Vec<Fact>,
    pub(crate) agent_facts: Vec<AgentFact>,
    pub(crate) numbers: Vec<String>,
    pub(crate) asked_for: Vec<Destination>,
    pub(crate) shown: Vec<TrunkShown>,
    pub(crate) round_trips: Vec<Duration>,
    /// Who takes part beside caller and agent, as the media threads were told.
    pub(crate) admitted: Vec<(LegId, media::Audible)>,
    pub(crate) pressed: Vec<(LegId, Arc<[Stroke]>)>,
    pub(crate) wrong_pins: usize,
    /// What was said to one leg alone.
    pub(crate) told: Vec<(LegId, Arc<[i16]>)>,
    /// Caller's and agent's leg of each order to join them, and whether that is recorded.
    pub(crate) joined: Vec<(LegId, LegId, bool)>,
    /// Whether callers are called back, and what came of it.
    pub(crate) calling_back: Vec<Result<(), NotCalled>>,
    pub(crate) called_back: Vec<Option<RingResult>>,
    /// Each with where it went.
    pub(crate) sent: Vec<(SocketAddr, Message)>,
}

pub(crate) fn plans() -> Plans {
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

pub(crate) fn settings() -> Settings {
    let address: SocketAddr = PHONE.parse().unwrap();
    let uri = Uri::parse("sip:8@10.0.0.3").unwrap();
    Settings {
        sip: endpoint::Settings {
            listen: vec![(Transport::Udp, "10.0.0.1:5060".parse().unwrap())],
            advertise: None,
            product: "test".into(),
            session_expires_s: None,
        },
        rtp_ports: 20_000..=20_099,
        media: MediaSettings::default(),
        trunks: vec![Trunk::of_peers("carrier", vec![TRUNK.parse().unwrap()])],
        phones: vec![Phone { agent: "8".into(), uri, transport: Transport::Udp, address }],
        named_phones: Vec::new(),
        targets: Vec::new(),
        run: RunId(1),
    }
}

impl Switch {
    pub(crate) fn new() -> Switch {
        Switch::with(settings(), plans())
    }

    pub(crate) fn with(settings: Settings, plans: Plans) -> Switch {
        let now = Now { mono: Instant::START, wall: Wall::from_micros(0) };
        let gateway = Gateway::new(settings, Arc::new(plans), Random::from_number(3));
        let (asked_for, shown, sent) = (Vec::new(), Vec::new(), Vec::new());
        let (legs, round_trips) = (Vec::new(), Vec::new());
        Switch {
            gateway,
            now,
            remotes: Vec::new(),
            legs,
            facts: Vec::new(),
            agents_calls: Vec::new(),
            agent_facts: Vec::new(),
            numbers: Vec::new(),
            asked_for,
            shown,
            round_trips,
            admitted: Vec::new(),
            pressed: Vec::new(),
            wrong_pins: 0,
            told: Vec::new(),
            joined: Vec::new(),
            calling_back: Vec::new(),
            called_back: Vec::new(),
            sent,
        }
    }

    pub(crate) fn tell(&mut self, from: &str, text: &str) -> Vec<Message> {
        let flow = Flow {
            transport: Transport::Udp,
            local: "10.0.0.1:5060".parse().unwrap(),
            remote: from.parse().unwrap(),
            connection: None,
        };
        let bytes = text.replace('\n', "\r\n").into_bytes();
        self.gateway.handle(self.now, Input::Datagram { flow, at: self.now, bytes });
        self.settle()
    }

    pub(crate) fn settle(&mut self) -> Vec<Message> {
        let mut sent = Vec::new();
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Transmit(t) => {
                    let message = parse_datagram(&t.bytes).unwrap().message;
                    self.sent.push((t.flow.remote, message.clone()));
                    sent.push(message);
                    if let Some(session) = t.mark {
                        self.gateway.handle(self.now, Input::Sent { session, label: t.label, at: self.now });
                    }
                }
                Output::Media(Command::Open { call, leg, .. }) => {
                    self.legs.push((call, leg));
                    self.gateway.handle(self.now, Input::Media(media::Event::Bound { call, leg }));
                }
                Output::Media(Command::Remote { remote, .. }) => self.remotes.push(remote.rtp),
                Output::Media(Command::Admit { leg, audible, .. }) => self.admitted.push((leg, audible)),
                Output::Media(Command::Press { leg, strokes }) => self.pressed.push((leg, strokes)),
                Output::Media(Command::Tell { leg, audio, .. }) => self.told.push((leg, audio)),
                Output::Media(Command::Bridge { caller, agent, record, .. }) => {
                    self.joined.push((caller, agent, record))
                }
                Output::CallingBack { result, .. } => self.calling_back.push(result),
                Output::CalledBack { result, .. } => self.called_back.push(result),
                Output::Rejected(Rejected::WrongPin) => self.wrong_pins += 1,
                Output::Fact(fact) => self.tell_fact(fact),
                Output::AgentFact(fact) => self.agent_facts.push(fact),
                Output::Subject { number, .. } => self.numbers.push(number),
                Output::Resolve(destination) => self.asked_for.push(destination),
                Output::Trunk(shown) => self.shown.push(shown),
                Output::RoundTrip { took, .. } => self.round_trips.push(took),
                Output::Media(_)
                | Output::Record { .. }
                | Output::Count(_)
                | Output::Rejected(_)
                | Output::Ordered { .. }
                | Output::Agents { .. }
                | Output::Paused { .. } => {}
            }
        }
        sent
    }

    fn tell_fact(&mut self, fact: Fact) {
        let begins = matches!(&fact.what, What::Offered(offered) if offered.by_agent.is_some());
        if begins || self.agents_calls.iter().any(|known| known.call == fact.call) {
            self.agents_calls.push(fact);
        } else {
            self.facts.push(fact);
        }
    }

    pub(crate) fn pass(&mut self, d: Duration) -> Vec<Message> {
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

    /// Where media was last told to go.
    pub(crate) fn last_remote(&self) -> String {
        self.remotes.last().map(ToString::to_string).unwrap_or_default()
    }

    pub(crate) fn facts(&self, wanted: fn(&What) -> bool) -> usize {
        self.facts.iter().filter(|f| wanted(&f.what)).count()
    }

    /// A call up to the 200 to the caller: our INVITE to the phone and that 200.
    pub(crate) fn answered(&mut self, body: &str) -> (Request, Response) {
        let invite = requests(self.tell(TRUNK, &theirs("INVITE", 1, "", body))).remove(0);
        let sent = self.tell(PHONE, &ok(&invite, SDP));
        let to_caller = sent.into_iter().find_map(|m| match m {
            Message::Response(r) if r.status == 200 => Some(r),
            _ => None,
        });
        (invite, to_caller.expect("200 to the caller"))
    }
}

pub(crate) fn requests(sent: Vec<Message>) -> Vec<Request> {
    let request = |m| match m {
        Message::Request(r) => Some(r),
        Message::Response(_) => None,
    };
    sent.into_iter().filter_map(request).collect()
}

fn methods(sent: Vec<Message>) -> Vec<String> {
    requests(sent).iter().map(|r| format!("{} {}", r.method, r.raw_uri)).collect()
}

pub(crate) fn typed(body: &str) -> String {
    if body.is_empty() { "\n".to_owned() } else { format!("Content-Type: application/sdp\n\n{body}") }
}

pub(crate) fn theirs(method: &str, seq: u32, tag: &str, body: &str) -> String {
    format!(
        "{method} sip:400@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK{method}{seq}\nFrom: <sip:139@h>;tag=f\nTo: <sip:400@h>{tag}\nCall-ID: c\nCSeq: {seq} {method}\nContact: <sip:trunk@10.0.0.2>\n{}",
        typed(body)
    )
}

/// The phone's 200 to a request of ours.
pub(crate) fn ok(request: &Request, body: &str) -> String {
    let field = |name: Name| request.headers.text(&name).unwrap().to_owned();
    format!(
        "SIP/2.0 200 OK\nVia: {}\nFrom: {}\nTo: {};tag=phone\nCall-ID: {}\nCSeq: {}\nContact: <sip:8@10.0.0.3>\n{}",
        field(Name::VIA),
        field(Name::FROM),
        field(Name::TO),
        field(Name::CALL_ID),
        field(Name::CSEQ),
        typed(body)
    )
}

pub(crate) fn tag(response: &Response) -> String {
    format!(";tag={}", response.to_tag().unwrap())
}

#[test]
fn an_empty_reinvite_moves_the_media_when_its_ack_says_where() {
    let mut switch = Switch::new();
    let (_, answer) = switch.answered(SDP);
    let tag = tag(&answer);
    switch.tell(TRUNK, &theirs("ACK", 1, &tag, ""));
    let sent = switch.tell(TRUNK, &theirs("INVITE", 2, &tag, ""));
    assert!(matches!(&sent[1], Message::Response(r) if r.status == 200 && !r.body.is_empty()));
    let moved = SDP.replace("10.0.0.2", "10.0.0.77").replace("4000", "4444");
    switch.tell(TRUNK, &theirs("ACK", 2, &tag, &moved));
    assert_eq!(switch.remotes.last(), Some(&"10.0.0.77:4444".parse().unwrap()));
    assert_eq!(switch.facts(|w| matches!(w, What::Acknowledged)), 1, "the ACK of a re-INVITE is no news");
}

#[test]
fn a_caller_who_never_says_where_its_media_is_gets_bye() {
    let mut switch = Switch::new();
    let (_, answer) = switch.answered("");
    assert!(!answer.body.is_empty(), "our offer");
    let sent = switch.tell(TRUNK, &theirs("ACK", 1, &tag(&answer), ""));
    assert_eq!(methods(sent), ["BYE sip:trunk@10.0.0.2", "BYE sip:8@10.0.0.3"]);
}

#[test]
fn a_phone_that_never_acknowledges_its_reinvite_ends_the_call() {
    let mut switch = Switch::new();
    let (invite, answer) = switch.answered(SDP);
    switch.tell(TRUNK, &theirs("ACK", 1, &tag(&answer), ""));
    let reinvite = format!(
        "INVITE sip:x@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.3;branch=z9hG4bKr\nFrom: {};tag=phone\nTo: {}\nCall-ID: {}\nCSeq: 1 INVITE\nContact: <sip:8@10.0.0.3>\n{}",
        invite.headers.text(&Name::TO).unwrap(),
        invite.headers.text(&Name::FROM).unwrap(),
        invite.headers.text(&Name::CALL_ID).unwrap(),
        typed(SDP)
    );
    let sent = switch.tell(PHONE, &reinvite);
    assert!(matches!(&sent[1], Message::Response(r) if r.status == 200));
    let byes = methods(switch.pass(Duration::from_secs(33)));
    assert!(byes.contains(&"BYE sip:trunk@10.0.0.2".to_owned()), "{byes:?}");
}

#[test]
fn what_the_trunk_writes_in_the_number_cannot_reach_the_phone_or_the_log_as_code() {
    let mut switch = Switch::new();
    let nasty = "sip:139%0d%0aX-Evil%3a%20y%1b[31m%3e@h";
    let long = "c".repeat(5_000);
    let text =
        theirs("INVITE", 1, "", SDP).replace("sip:139@h", nasty).replace("Call-ID: c", &format!("Call-ID: {long}"));
    let invite = requests(switch.tell(TRUNK, &text)).remove(0);
    assert!(!switch.numbers[0].chars().any(char::is_control), "{:?}", switch.numbers);
    let from = Address::parse(invite.headers.first(&Name::FROM).unwrap()).unwrap();
    assert_eq!(from.uri.user.as_deref(), Some("139X-Evily31m"));
    let offered = |f: &&Fact| matches!(&f.what, What::Offered(o) if o.sip_call_id.len() == 256);
    assert_eq!(switch.facts.iter().filter(offered).count(), 1);
}

#[test]
fn an_offer_that_numbers_events_as_a_codec_is_not_passed_on_so() {
    let mut switch = Switch::new();
    let offer = SDP.replace("AVP 8", "AVP 8 0\na=rtpmap:0 telephone-event/8000");
    let invite = requests(switch.tell(TRUNK, &theirs("INVITE", 1, "", &offer))).remove(0);
    let body = String::from_utf8(invite.body).unwrap();
    assert!(body.contains("RTP/AVP 8 0 9 101\r\n") && body.contains("a=rtpmap:101 telephone-event"), "{body}");
}

#[test]
fn a_draining_switch_tells_those_who_ask() {
    let mut switch = Switch::new();
    switch.gateway.handle(switch.now, Input::Drain);
    for (method, seq) in [("OPTIONS", 1), ("INVITE", 2)] {
        let sent = switch.tell(TRUNK, &theirs(method, seq, "", ""));
        assert!(matches!(sent.last(), Some(Message::Response(r)) if r.status == 503), "{method} {sent:?}");
    }
}

/// One pair of ports is the caller's, the other that of the phone that is rung.
#[test]
fn a_call_without_ports_for_both_legs_is_refused_before_a_phone_rings() {
    for (last, status) in [(20_003, 100), (20_001, 503)] {
        let mut switch = Switch::with(Settings { rtp_ports: 20_000..=last, ..settings() }, plans());
        let sent = switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP));
        let answer = sent.iter().rev().find_map(|m| match m {
            Message::Response(r) => Some((r.status, r.headers.text(&Name::RETRY_AFTER).is_some())),
            Message::Request(_) => None,
        });
        assert_eq!(answer, Some((status, status == 503)), "ports to {last}");
        assert_eq!(requests(sent).is_empty(), status == 503, "ports to {last}");
        let overloaded = |w: &What| matches!(w, What::Ended { reason: Reason::Overloaded, .. });
        assert_eq!(switch.facts(overloaded) == 1, status == 503, "ports to {last}");
    }
}

#[test]
fn whoever_picks_up_in_an_emergency_is_told_what_it_is_and_nobody_else_is() {
    let mut plans = plans();
    let mut hotline = Hotline::clone(&plans.hotlines[0]);
    let text = Prompt { text: "紧急来电，请按1接听".into(), files: Vec::new(), audio: vec![7; 160].into() };
    let (ring, confirm) = (Duration::from_secs(20), Duration::from_secs(10));
    let callees = vec![Callee::Agent("8".into())];
    let cascade = Cascade { callees, text: Some(text), ring, confirm, otherwise: Next::Unavailable };
    hotline.steps = vec![Step { name: "heads".into(), does: Does::Cascade(cascade) }];
    hotline.start = Next::Step(StepNo::after(0));
    let hotline = Arc::new(hotline);
    plans.by_number.insert("400".into(), Arc::clone(&hotline));
    plans.hotlines = vec![hotline];
    let mut switch = Switch::with(settings(), plans);
    let to_phone = |(to, message): &(SocketAddr, Message)| match message {
        Message::Request(r) if to.to_string() == PHONE && r.method.to_string() == "INVITE" => Some(r.clone()),
        _ => None,
    };
    switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP));
    let ring = switch.sent.iter().find_map(to_phone).expect("the phone is rung");
    assert!(switch.told.is_empty());
    switch.tell(PHONE, &ok(&ring, SDP));
    let phone = switch.legs.last().expect("the phone's leg").1;
    assert_eq!(switch.told, [(phone, [7; 160].into())]);
    assert_ne!(phone, switch.legs[0].1, "the caller's leg was the first");
    assert_eq!(switch.facts(|w| matches!(w, What::AskedToConfirm { .. })), 1);
}
