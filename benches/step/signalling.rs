//! SIP: one message, and a whole call in virtual time.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use hotline::call::fact::{Fact, What};
use hotline::call::reason::Reason;
use hotline::dialplan::plan::{Next, Strategy};
use hotline::protocol::sip::message::{Message, parse_datagram};
use hotline::sim::network::Weather;
use hotline::sim::phone::{Conduct, Patience, Then, Trick};
use hotline::sim::scenario::{Around, Callers, Line, Scenario, Span, Staff};
use hotline::sim::world::{Troubles, World};

use crate::measure::Report;

pub(crate) const NUMBER: &str = "4008001234";
const PICKUP: Duration = Duration::from_secs(3);
const TALK: Duration = Duration::from_secs(20);

/// As a carrier's session border controller writes it.
const INVITE: &str = "INVITE sip:4008001234@203.0.113.10:5060 SIP/2.0
Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-524287-1---5f2c1a7be2a5d60b;rport
Max-Forwards: 68
From: \"13912345678\" <sip:13912345678@198.51.100.7;user=phone>;tag=8a1d27c04b3f5e69
To: <sip:4008001234@203.0.113.10;user=phone>
Call-ID: 7d1b6c2e-94f0-4c3a-8f55-1d2e3f4a5b6c@198.51.100.7
CSeq: 102 INVITE
Contact: <sip:13912345678@198.51.100.7:5060;transport=udp>
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO
Supported: timer, 100rel
Session-Expires: 1800;refresher=uac
Min-SE: 90
P-Asserted-Identity: <sip:13912345678@198.51.100.7;user=phone>
";

const OK: &str = "SIP/2.0 200 OK
Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK9f3c5a1e7b2d4068;rport=5060
From: <sip:13912345678@203.0.113.10>;tag=4b3f5e698a1d27c0
To: <sip:8@203.0.113.20:5060>;tag=1c28-66f0
Call-ID: 3f4a5b6c1d2e8f554c3a94f06c2e7d1b
CSeq: 1 INVITE
Contact: <sip:8@203.0.113.20:5060>
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER
User-Agent: Deskphone 4.2
";

const SDP: &str = "v=0
o=- 1795303044 1795303044 IN IP4 198.51.100.8
s=-
c=IN IP4 198.51.100.8
t=0 0
m=audio 41234 RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
";

pub(crate) fn parse(report: &mut Report) {
    let [invite, ok] = [INVITE, OK].map(datagram);
    assert!(matches!(parse_datagram(&invite), Ok(p) if p.fault.is_none() && matches!(p.message, Message::Request(_))));
    assert!(matches!(parse_datagram(&ok), Ok(p) if matches!(p.message, Message::Response(_))));
    let each = |bytes: &[u8], work: fn(&[u8])| (0..1_000).for_each(|_| work(black_box(bytes)));
    report.row(&format!("first: copy of the INVITE's {} bytes", invite.len()), 1_000, 200, |_| {
        each(&invite, |bytes| drop(black_box(bytes.to_vec())));
    });
    for (name, bytes) in [("INVITE", &invite), ("200", &ok)] {
        report.row(&format!("{name} with SDP, {} bytes", bytes.len()), 1_000, 200, |_| {
            each(bytes, |bytes| drop(black_box(parse_datagram(bytes))));
        });
    }
}

fn datagram(head: &str) -> Vec<u8> {
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let body = crlf(SDP);
    let end = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n", body.len());
    [crlf(head), end, body].concat().into_bytes()
}

pub(crate) fn whole_call(report: &mut Report) {
    insert(report);
    for others in [0, 500] {
        let mut world = world(1 + others);
        for _ in 0..others {
            world.agents.expect([answering(None)]);
            let forever = Patience { wait: TALK, talk: None };
            world.call_as("13900000000", NUMBER, forever, Trick::None).expect("a call");
        }
        world.run_for(Duration::from_secs(60));
        let up = |fact: &&Fact| matches!(fact.what, What::Acknowledged);
        assert_eq!(world.facts.iter().filter(up).count(), others);
        forget(&mut world);
        // The timers of a call that is over run out within half a minute, so each round leaves what it found.
        report.row(&format!("call, {others} others up"), 10, 100, |_| (0..10).for_each(|_| one_call(&mut world)));
    }
}

/// What a table begins with where nothing is copied.
pub(crate) fn insert(report: &mut Report) {
    report.row("first: insertion into a new HashMap<u64, u64>", 1_000, 200, |_| {
        let mut map = HashMap::new();
        for n in 0..1_000u64 {
            map.insert(black_box(n), n);
        }
        black_box(map);
    });
}

fn one_call(world: &mut World) {
    world.agents.expect([answering(None)]);
    let patience = Patience { wait: Duration::from_secs(60), talk: Some(TALK) };
    world.call_as("13912345678", NUMBER, patience, Trick::None).expect("a call");
    world.run_for(Duration::from_secs(60));
    let ended = |fact: &Fact| matches!(fact.what, What::Ended { reason: Reason::CallerHungUp, .. });
    assert!(world.facts.iter().any(ended), "the call went as it should");
    assert!(world.facts.iter().any(|fact| matches!(fact.what, What::RecordingClosed { .. })), "to its end");
    forget(world);
}

/// The facts of so many answered calls, forty at a time, in the order in which the gateway states them.
pub(crate) fn facts(calls: usize) -> Vec<Fact> {
    let mut world = world(60);
    let mut facts = Vec::new();
    for n in 0..calls {
        world.agents.expect([answering(None)]);
        let patience = Patience { wait: Duration::from_secs(60), talk: Some(TALK) };
        world.call_as(&format!("139{n:08}"), NUMBER, patience, Trick::None).expect("a call");
        world.run_for(Duration::from_millis(575));
        facts.append(&mut world.facts);
        forget(&mut world);
    }
    world.run_for(Duration::from_secs(120));
    facts.append(&mut world.facts);
    facts
}

pub(crate) fn forget(world: &mut World) {
    world.facts.clear();
    world.numbers.clear();
    world.caller_saw.clear();
    world.agent_saw.clear();
}

fn answering(hang_up_after: Option<Duration>) -> Conduct {
    Conduct { rings: true, then: Then::Answer { after: PICKUP, hang_up_after } }
}

/// One hotline with so many agents, and a network that loses nothing.
fn world(agents: usize) -> World {
    world_with(agents, Around::default())
}

/// The same, and whoever finds nobody free waits for up to an hour.
pub(crate) fn queueing_world(agents: usize) -> World {
    world_with(agents, Around { queue: Some(Duration::from_secs(3_600)), ..Around::default() })
}

fn world_with(agents: usize, around: Around) -> World {
    let nobody = Span(Duration::ZERO, Duration::ZERO);
    let line = Line {
        id: "property".to_owned(),
        number: NUMBER.to_owned(),
        agents: (0..agents).map(|n| (1_000 + n).to_string()).collect(),
        strategy: Strategy::InOrder,
        ring: Duration::from_secs(20),
        nobody: Next::BusyTone,
        around,
        late_by: hotline::dialplan::scripts::By::Gateway,
    };
    // Only its plans are used: people are told one by one what to do.
    let scenario = Scenario {
        calls: 0,
        seed: 1,
        hotlines: vec![line],
        callers: Callers {
            every: Duration::ZERO,
            patience: nobody,
            talk: nobody,
            vanish: 0,
            never_ack: 0,
            early_bye: 0,
            hold: 0,
            impatient: 0,
            nuisance: 0,
            repeat: 0,
            silent: 0,
            noisy: 0,
        },
        staff: Staff {
            hand_on: 0,
            consult: 0,
            pickup: nobody,
            talk: nobody,
            ignore: 0,
            busy: 0,
            decline: 0,
            unavailable: 0,
            vanish: 0,
            silent: 0,
            slow: 0,
            forgetful: 0,
            hold: 0,
            held: nobody,
        },
        weather: Weather::FINE,
        troubles: Troubles::default(),
        stopped_at: None,
        voices: None,
        day: None,
    };
    let mut world = World::new(scenario.plans(), 1);
    world.network.weather = Weather::FINE;
    world.log_wire = false;
    world
}
