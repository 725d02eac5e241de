//! Calls in virtual time: the whole switch, SIP phones on both sides, no socket and no sleeping.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hotline::call::fact::{Fact, RingResult, What};
use hotline::cdr::{Outcome, Record};
use hotline::clock::Instant;
use hotline::dialplan::plan::{
    AgentGreeting, Agents, Answer, Cadence, Duty, Greeting, Hotline, Next, Plans, Prompt, Ringback, Strategy,
};
use hotline::gateway::Input;
use hotline::ids::{CallId, LegId, Side};
use hotline::media::{self, Codec};
use hotline::protocol::sip::endpoint::{Flow, Transport};
use hotline::sim::phone::{Conduct, Happened, Patience, Then};
use hotline::sim::world::{AGENTS, GATEWAY, TRUNK, World};

const NUMBER: &str = "4008001234";

fn secs(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

fn plans(nobody: Next) -> Plans {
    plans_with(nobody, Strategy::InOrder)
}

fn plans_with(nobody: Next, strategy: Strategy) -> Plans {
    let numbers = ["8", "9"].map(Into::into).to_vec();
    let prompt = |text: &str| Prompt { text: text.into(), files: vec![], audio: vec![0i16; 16_000].into() };
    let greet =
        |n: &str| AgentGreeting { normal: prompt(&format!("您好{n}")), late: prompt(&format!("久等了{n}")) };
    let hotline = Arc::new(Hotline {
        recording: hotline::dialplan::plan::Recording::ALL,
        scripts: hotline::dialplan::scripts::Scripts::default(),
        id: "property".into(),
        org: "物业".into(),
        numbers: vec![NUMBER.into()],
        language: "zh-CN".into(),
        time_zone: "Asia/Shanghai".into(),
        version: "0123456789abcdef".into(),
        answer: Answer {
            max_rings: 3,
            min_rings: 0,
            cadence: Cadence { name: "cn".into(), burst: secs(1.0), period: secs(5.0) },
            ringback: Ringback::Network,
            short_abandon: secs(5.0),
        },
        greeting: Greeting {
            by_agent: [("8".into(), greet("8")), ("9".into(), greet("9"))].into(),
            ..Greeting::default()
        },
        agents: Agents { numbers, strategy, ring: secs(20.0), queue: None, skill: None, nobody },
        reception: hotline::dialplan::reception::Reception::default(),
        duty: Duty::default(),
        start: Next::Agents,
        steps: Vec::new(),
        after: hotline::dialplan::after::After::default(),
    });
    Plans { by_number: [(NUMBER.to_owned(), Arc::clone(&hotline))].into(), hotlines: vec![hotline] }
}

fn world(agents: impl IntoIterator<Item = Conduct>) -> World {
    let mut world = World::new(plans(Next::BusyTone), 1);
    world.agents.expect(agents);
    world
}

fn ring_all(agents: impl IntoIterator<Item = Conduct>) -> World {
    let mut world = World::new(plans_with(Next::BusyTone, Strategy::RingAll), 1);
    world.agents.expect(agents);
    world
}

/// How each ring of an agent ended: attempt, and the result (`None`: answered).
fn ring_ends(world: &World) -> Vec<(u32, Option<RingResult>)> {
    let end = |f: &Fact| match f.what {
        What::AgentAnswered { attempt, .. } => Some((attempt, None)),
        What::AgentReleased { attempt, result, .. } => Some((attempt, Some(result))),
        _ => None,
    };
    world.facts.iter().filter_map(end).collect()
}

fn answers(after: f64, hang_up_after: Option<f64>) -> Conduct {
    Conduct { rings: true, then: Then::Answer { after: secs(after), hang_up_after: hang_up_after.map(secs) } }
}

fn refuses(status: u16) -> Conduct {
    Conduct { rings: false, then: Then::Refuse { after: secs(0.1), status } }
}

fn patience(wait: f64, talk: Option<f64>) -> Patience {
    Patience { wait: secs(wait), talk: talk.map(secs) }
}

/// Runs the world to its end: nothing may be left, and every call has its record.
fn finish(mut world: World) -> (World, Vec<Record>) {
    assert!(world.run_to_rest(), "the world never comes to rest");
    assert!(world.gateway.is_idle(), "something was left behind: {:#?}", world.gateway);
    assert!(world.trunk.is_idle() && world.agents.is_idle());
    let mut calls: Vec<CallId> = world.facts.iter().map(|f| f.call).collect();
    calls.dedup();
    calls.sort();
    calls.dedup();
    let of = |id: CallId| world.facts.iter().filter(|f| f.call == id).cloned().collect::<Vec<Fact>>();
    let records =
        calls.into_iter().map(|id| Record::from_facts(&of(id)).expect("a call begins with Offered")).collect();
    (world, records)
}

fn one(world: World) -> (World, Record) {
    let (world, mut records) = finish(world);
    assert_eq!(records.len(), 1);
    (world, records.remove(0))
}

/// 1 ms each way between the hosts.
fn near(value: Option<u64>, ms: u64) {
    let value = value.expect("a value");
    assert!(value.abs_diff(ms) <= 3, "{value} is not about {ms}");
}

#[test]
fn answered_and_the_caller_hangs_up() {
    let mut world = world([answers(2.0, None)]);
    world.call(NUMBER, patience(60.0, Some(10.0)));
    let (world, record) = one(world);
    assert_eq!(record.outcome, Some(Outcome::Answered));
    assert_eq!(record.agent.as_ref().map(ToString::to_string).as_deref(), Some("8"));
    assert_eq!(serde_json::to_value(&record).unwrap()["reason"], "caller_hung_up");
    near(record.ring_to_answer_ms, 2_000);
    near(record.talk_ms, 10_000);
    assert_eq!(record.rings, Some(1));
    let greeting = record.greeting.expect("a greeting");
    assert_eq!((greeting.text.as_str(), greeting.late, greeting.played_to_end), ("您好8", false, Some(true)));
    let prompts: Vec<_> = world.facts.iter().filter(|f| matches!(f.what, What::PlayStarted { .. })).collect();
    assert_eq!(prompts.len(), 1);
    assert!(world.numbers.values().any(|n| n == "13912345678"));
}

#[test]
fn the_agent_hangs_up_first() {
    let mut world = world([answers(1.0, Some(4.0))]);
    world.call(NUMBER, patience(60.0, None));
    let (_, record) = one(world);
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(
        (&json["outcome"], &json["ended_by"], &json["reason"]),
        (&"answered".into(), &"agent".into(), &"agent_hung_up".into())
    );
    near(record.talk_ms, 4_000);
}

#[test]
fn abandoned_short_and_long() {
    for (wait, outcome) in [(2.0, Outcome::ShortAbandoned), (7.0, Outcome::Abandoned)] {
        let mut world = world([]);
        world.call(NUMBER, patience(wait, None));
        let (world, record) = one(world);
        assert_eq!(record.outcome, Some(outcome));
        assert_eq!((record.agent, record.ring_to_answer_ms), (None, None));
        near(record.wait_ms, (wait * 1000.0) as u64);
        // The phone that was rung stops within a second.
        let cancelled = |line: &str| world.wire_log.iter().find(|(_, _, l)| l.starts_with(line)).unwrap().0.mono;
        assert!(cancelled("CANCEL sip:8@").since(cancelled("CANCEL sip:4008001234")) < secs(1.0));
    }
}

#[test]
fn busy_then_the_next_agent() {
    let mut world = world([refuses(486), answers(1.0, None)]);
    world.call(NUMBER, patience(60.0, Some(3.0)));
    let (_, record) = one(world);
    assert_eq!(record.agent.as_ref().map(ToString::to_string).as_deref(), Some("9"));
    assert_eq!(record.outcome, Some(Outcome::Answered));
}

#[test]
fn no_answer_in_ring_s_then_the_next_agent_and_the_late_greeting() {
    let mut world = world([Conduct { rings: true, then: Then::Ignore }, answers(1.0, None)]);
    world.call(NUMBER, patience(60.0, Some(5.0)));
    let (world, record) = one(world);
    near(record.ring_to_answer_ms, 21_000);
    assert_eq!(record.rings, Some(5));
    assert_eq!(record.greeting.map(|g| (g.text, g.late)), Some(("久等了9".to_owned(), true)));
    let rings = world.facts.iter().filter(|f| matches!(f.what, What::Ring)).count();
    assert_eq!(rings, 1, "the ring never restarts with the next agent");
}

#[test]
fn nobody_left() {
    for (nobody, status) in [(Next::BusyTone, 486), (Next::Unavailable, 480)] {
        let mut world = World::new(plans(nobody), 1);
        world.agents.expect([refuses(486), refuses(600)]);
        world.call(NUMBER, patience(60.0, None));
        let (world, record) = one(world);
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!((&json["outcome"], &json["reason"]), (&"failed".into(), &"agents_busy".into()));
        assert!(world.caller_saw.iter().any(|(_, _, h)| *h == Happened::Refused { status: Some(status) }));
    }
}

#[test]
fn a_silent_phone_that_answers_was_rung_from_the_first_second() {
    let silent = Conduct { rings: false, then: Then::Answer { after: secs(3.0), hang_up_after: None } };
    let mut world = world([silent]);
    world.call(NUMBER, patience(60.0, Some(3.0)));
    near(one(world).1.ring_to_answer_ms, 2_000);
}

#[test]
fn an_answer_before_the_ring_counts_as_zero() {
    let quick = Conduct { rings: false, then: Then::Answer { after: secs(0.2), hang_up_after: None } };
    let mut world = world([quick]);
    world.call(NUMBER, patience(60.0, Some(3.0)));
    let (_, record) = one(world);
    assert_eq!((record.ring_to_answer_ms, record.rings, record.outcome), (Some(0), Some(0), Some(Outcome::Answered)));
}

#[test]
fn the_agents_2xx_crosses_the_cancel() {
    // The caller's CANCEL is written 1 ms before the agent's 200 reaches the gateway: they cross on the agent's leg.
    let mut world = world([answers(3.0, None)]);
    world.call(NUMBER, patience(3.0015, None));
    let (world, record) = one(world);
    assert_eq!(record.outcome, Some(Outcome::ShortAbandoned));
    let lines: Vec<&str> = world.wire_log.iter().map(|(_, _, l)| l.as_str()).collect();
    assert!(lines.iter().any(|l| l.starts_with("CANCEL sip:8@")), "{lines:#?}");
    assert!(lines.iter().any(|l| l.starts_with("ACK sip:")) && lines.iter().any(|l| l.starts_with("BYE sip:")));
    assert!(world.agent_saw.iter().any(|(_, _, h)| matches!(h, Happened::Connected { .. })));
}

#[test]
fn every_crossing_of_cancel_and_answer_ends_well() {
    for ms in 2_990..3_012 {
        let mut world = world([answers(3.0, None)]);
        world.call(NUMBER, patience(f64::from(ms) / 1000.0, Some(1.0)));
        let (_, record) = one(world);
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["ended_by"], "caller", "{ms}: {json}");
        let expected = if record.connected_at.is_none() || json["reason"] == "crossed_cancel" {
            "short_abandoned"
        } else {
            "answered"
        };
        assert_eq!(json["outcome"], expected, "{ms}: {json}");
    }
}

#[test]
fn the_caller_never_acknowledges() {
    let mut world = world([answers(1.0, None)]);
    let trunk = world.trunk.address();
    world.network.loss =
        Some(Box::new(move |from, text| from == trunk && (text.starts_with("ACK") || text.starts_with("BYE"))));
    world.call(NUMBER, patience(60.0, None));
    let (world, record) = one(world);
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!((&json["outcome"], &json["reason"]), (&"answered".into(), &"no_ack".into()));
    near(record.talk_ms, 32_000);
    assert_eq!(world.gateway.agents().available(), 2);
}

#[test]
fn lost_messages_are_made_good() {
    // Every third datagram of everybody is lost.
    let mut world = world((0..40).map(|_| answers(0.5, None)));
    let mut n = 0;
    world.network.loss = Some(Box::new(move |_, _| {
        n += 1;
        n % 3 == 0
    }));
    for _ in 0..20 {
        world.call(NUMBER, patience(60.0, Some(2.0)));
        world.run_for(secs(70.0));
    }
    let (_, records) = finish(world);
    assert_eq!(records.len(), 20);
    let answered = records.iter().filter(|r| r.outcome == Some(Outcome::Answered)).count();
    assert_eq!(answered, 20);
}

#[test]
fn both_agents_taken_is_busy() {
    let mut world = world([answers(0.5, None), answers(0.5, None)]);
    for _ in 0..3 {
        world.call(NUMBER, patience(60.0, Some(10.0)));
        world.run_for(secs(1.0));
    }
    let (_, records) = finish(world);
    let outcomes: Vec<_> = records.iter().map(|r| r.outcome.unwrap()).collect();
    assert_eq!(outcomes, [Outcome::Answered, Outcome::Answered, Outcome::Failed]);
}

#[test]
fn draining_refuses_and_lets_live_calls_end() {
    let mut world = world([answers(0.5, None)]);
    world.call(NUMBER, patience(60.0, Some(10.0)));
    world.run_for(secs(2.0));
    world.tell(Input::Drain);
    world.call(NUMBER, patience(60.0, None));
    let (_, records) = finish(world);
    let json: Vec<_> = records.iter().map(|r| serde_json::to_value(r).unwrap()).collect();
    assert_eq!((&json[0]["outcome"], &json[1]["outcome"]), (&"answered".into(), &"rejected".into()));
    assert_eq!(json[1]["reason"], "draining");
    near(records[0].talk_ms, 10_000);
}

#[test]
fn shutdown_ends_calls_with_their_outcome() {
    let mut world = world([answers(0.5, None)]);
    world.call(NUMBER, patience(60.0, None));
    world.run_for(secs(0.1));
    world.call(NUMBER, patience(60.0, None));
    world.run_for(secs(2.0));
    world.tell(Input::Shutdown);
    let (_, records) = finish(world);
    let outcomes: Vec<_> = records.iter().map(|r| r.outcome.unwrap()).collect();
    assert_eq!(outcomes, [Outcome::Answered, Outcome::Failed]);
}

#[test]
fn unknown_numbers_are_no_calls() {
    let mut world = world([]);
    world.call("4009999999", patience(5.0, None));
    assert!(world.run_to_rest());
    assert!(world.facts.is_empty() && world.gateway.is_idle());
    assert!(world.caller_saw.iter().any(|(_, _, h)| *h == Happened::Refused { status: Some(404) }));
}

#[test]
fn the_agent_sees_the_callers_number() {
    let mut world = world([answers(0.5, None)]);
    world.call(NUMBER, patience(60.0, Some(1.0)));
    let (world, _) = finish(world);
    assert!(
        world.wire_log.iter().any(|(_, from, line)| {
            from.to_string() == GATEWAY && *line == format!("INVITE sip:8@{AGENTS} SIP/2.0")
        })
    );
}

#[test]
fn a_thousand_calls_in_a_row_leave_nothing() {
    let mut world = world([]);
    for i in 0..1000 {
        world.agents.expect([answers(0.1, None)]);
        world.call(NUMBER, patience(60.0, Some(0.5)));
        world.run_for(secs(1.5));
        assert!(world.gateway.live_calls() <= 1, "call {i}");
    }
    let (world, records) = finish(world);
    assert_eq!(records.iter().filter(|r| r.outcome == Some(Outcome::Answered)).count(), 1000);
    assert!(world.now().mono > Instant::from_millis(1_500_000));
}

#[test]
fn ring_all_the_first_who_answers_has_the_call() {
    let mut world = ring_all([answers(3.0, None), answers(2.0, None)]);
    world.call(NUMBER, patience(60.0, Some(5.0)));
    let (world, record) = one(world);
    assert_eq!(record.agent.as_ref().map(ToString::to_string).as_deref(), Some("9"));
    near(record.ring_to_answer_ms, 2_000);
    near(record.talk_ms, 5_000);
    assert_eq!(ring_ends(&world), [(2, None), (1, Some(RingResult::LostRace))]);
    let line = |start: &str| world.wire_log.iter().filter(|(_, _, l)| l.starts_with(start)).count();
    assert_eq!((line("INVITE sip:8@"), line("INVITE sip:9@"), line("CANCEL sip:8@")), (1, 1, 1));
}

#[test]
fn two_who_answer_at_once_are_never_both_bridged() {
    for later_us in [0, 1, 500, 999, 1_000, 1_500, 2_000, 2_500] {
        // The loser is called away at that very moment too: what they say ends nobody else's call.
        let later = answers(2.0 + f64::from(later_us) / 1e6, Some(0.000_5));
        let mut world = ring_all([answers(2.0, None), later]);
        world.call(NUMBER, patience(60.0, Some(5.0)));
        let (world, record) = one(world);
        assert_eq!(record.agent.as_ref().map(ToString::to_string).as_deref(), Some("8"), "{later_us}");
        near(record.talk_ms, 5_000);
        assert_eq!(ring_ends(&world), [(1, None), (2, Some(RingResult::LostRace))], "{later_us}");
        let leg_closed = |f: &&Fact| matches!(f.what, What::Media { .. });
        assert_eq!(world.facts.iter().filter(leg_closed).count(), 2, "{later_us}");
    }
}

#[test]
fn ring_all_nobody_answers() {
    let mut world = ring_all([Conduct { rings: true, then: Then::Ignore }, refuses(486)]);
    world.call(NUMBER, patience(60.0, None));
    let (world, record) = one(world);
    assert_eq!(serde_json::to_value(&record).unwrap()["reason"], "agents_mixed");
    near(record.wait_ms, 20_000);
    assert_eq!(ring_ends(&world), [(2, Some(RingResult::Busy)), (1, Some(RingResult::NoAnswer))]);
    assert_eq!(world.facts.iter().filter(|f| matches!(f.what, What::Ring)).count(), 1);
}

#[test]
fn ring_all_then_whoever_became_free_meanwhile() {
    let ignores = Conduct { rings: true, then: Then::Ignore };
    let mut world = ring_all([answers(0.5, None), ignores, ignores, answers(1.0, None)]);
    world.call(NUMBER, patience(60.0, Some(10.0)));
    world.run_for(secs(1.0));
    // Agent 8 talks, so agent 9 alone is rung, 20 s long; then agent 8, who is free by then, once.
    world.call(NUMBER, patience(60.0, Some(5.0)));
    world.run_for(secs(10.0));
    let (world, records) = finish(world);
    assert_eq!(records[1].outcome, Some(Outcome::Answered), "{:?}", ring_ends(&world));
}

#[test]
fn a_loser_who_hangs_up_late_ends_no_call_of_others() {
    // Agent 8's ring is over at 20 s; their 200 crosses our CANCEL, and they hang up at once, while agent 9 talks.
    for us in (0..4_000).step_by(250) {
        let crossing = answers(19.998 + f64::from(us) / 1e6, Some(0.001));
        let mut world = world([crossing, answers(0.0, None)]);
        world.call(NUMBER, patience(60.0, Some(5.0)));
        let (_, record) = one(world);
        let json = serde_json::to_value(&record).unwrap();
        if record.agent.as_ref().is_some_and(|a| a.as_str() == "9") {
            assert_eq!(json["reason"], "caller_hung_up", "{us}");
        }
    }
}

#[test]
fn legs_that_share_no_codec_are_joined() {
    for (caller, agent) in [(Codec::Pcma, Codec::Pcmu), (Codec::Pcmu, Codec::Pcma), (Codec::Pcma, Codec::Pcma)] {
        let mut world = world([answers(1.0, None)]);
        world.trunk.speak(&[caller]);
        world.agents.speak(&[agent]);
        world.call(NUMBER, patience(60.0, Some(2.0)));
        let (world, record) = one(world);
        assert_eq!(record.outcome, Some(Outcome::Answered), "{caller:?} {agent:?}");
        let spoken = |saw: &[(_, _, Happened)]| {
            saw.iter().find_map(|(_, _, h)| match h {
                Happened::Connected { remote, .. } => Some(remote.codec),
                _ => None,
            })
        };
        assert_eq!((spoken(&world.caller_saw), spoken(&world.agent_saw)), (Some(caller), Some(agent)));
    }
}

#[test]
fn the_agents_codec_goes_before_the_callers_first() {
    let mut world = world([answers(1.0, None)]);
    world.trunk.speak(&[Codec::Pcma, Codec::Pcmu]);
    world.agents.speak(&[Codec::Pcmu]);
    world.call(NUMBER, patience(60.0, Some(2.0)));
    let (world, _) = one(world);
    let pcmu =
        |(_, _, h): &(_, _, Happened)| matches!(h, Happened::Connected { remote, .. } if remote.codec == Codec::Pcmu);
    assert!(world.caller_saw.iter().any(pcmu) && world.agent_saw.iter().any(pcmu));
}

fn media_of(world: &World, side: Side) -> LegId {
    *world.legs().iter().find(|(_, s)| **s == side).expect("an open leg").0
}

/// What the media thread would say 10 s after the last packet.
fn silent(world: &mut World, side: Side) {
    let (leg, at) = (media_of(world, side), world.now());
    let call = world.facts[0].call;
    world.tell(Input::Media(media::Event::Silent { call, leg, at }));
}

#[test]
fn a_call_without_media_from_one_side_is_ended_on_both() {
    for side in [Side::Caller, Side::Agent] {
        let mut world = world([answers(1.0, None)]);
        world.call(NUMBER, patience(60.0, None));
        world.run_for(secs(12.0));
        silent(&mut world, side);
        let lost = world.now();
        let (world, record) = one(world);
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(
            (&json["outcome"], &json["reason"], &json["ended_by"]),
            (&"answered".into(), &"media_timeout".into(), &"gateway".into())
        );
        let byes: Vec<_> =
            world.wire_log.iter().filter(|(_, from, l)| from.to_string() == GATEWAY && l.starts_with("BYE")).collect();
        assert_eq!(byes.len(), 2, "both legs get BYE");
        assert!(byes.iter().all(|(at, ..)| at.mono.since(lost.mono) == secs(10.0)), "20 s after the last packet");
        assert!(world.facts.iter().any(|f| f.what == What::MediaLost { leg: side }));
    }
}

#[test]
fn media_that_comes_back_in_time_saves_the_call() {
    let mut world = world([answers(1.0, None)]);
    world.call(NUMBER, patience(60.0, Some(40.0)));
    world.run_for(secs(12.0));
    silent(&mut world, Side::Caller);
    world.run_for(secs(9.9));
    let (leg, at, call) = (media_of(&world, Side::Caller), world.now(), world.facts[0].call);
    world.tell(Input::Media(media::Event::Resumed { call, leg, at }));
    let (world, record) = one(world);
    assert_eq!(serde_json::to_value(&record).unwrap()["reason"], "caller_hung_up");
    near(record.talk_ms, 40_000);
    assert!(world.facts.iter().any(|f| f.what == What::MediaResumed { leg: Side::Caller }));
}

fn gateway_rings() -> World {
    let mut plans = plans(Next::BusyTone);
    let mut hotline = (*plans.hotlines[0]).clone();
    hotline.answer.ringback = Ringback::Gateway;
    let hotline = Arc::new(hotline);
    plans.by_number.insert(NUMBER.into(), Arc::clone(&hotline));
    plans.hotlines = vec![hotline];
    World::new(plans, 1)
}

/// Runs a world to its end: its record, and the responses to the caller's INVITE.
fn responses(mut world: World) -> (Record, Vec<String>) {
    let seen = overheard(&mut world);
    let (world, record) = one(world);
    drop(world);
    (record, seen.take())
}

/// From now on, what the gateway answers to INVITEs.
fn overheard(world: &mut World) -> Rc<RefCell<Vec<String>>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&seen);
    world.network.loss = Some(Box::new(move |from, text| {
        let invites = text.lines().any(|l| l.starts_with("CSeq:") && l.ends_with("INVITE"));
        if from.to_string() == GATEWAY && text.starts_with("SIP/2.0") && invites {
            log.borrow_mut().push(text.to_owned());
        }
        false
    }));
    seen
}

/// An INVITE that supports nothing, written by hand.
fn bare_invite(world: &mut World, offer: &str) {
    let [local, remote] = [GATEWAY, TRUNK].map(|address| address.parse().expect("an address"));
    let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
    let kind = if offer.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let invite = format!(
        "INVITE sip:{NUMBER}@{GATEWAY} SIP/2.0\r\nVia: SIP/2.0/UDP {TRUNK};branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:1390@{TRUNK}>;tag=1\r\nTo: <sip:{NUMBER}@{GATEWAY}>\r\nCall-ID: a@b\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:{TRUNK}>\r\n{kind}Content-Length: {}\r\n\r\n{offer}",
        offer.len()
    );
    let at = world.now();
    world.tell(Input::Datagram { flow, at, bytes: invite.into_bytes() });
}

fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[test]
fn the_gateway_rings_by_itself_with_early_media() {
    // The agent's phone speaks another codec than the 183 promised: transcoded.
    for codec in [Codec::Pcma, Codec::Pcmu] {
        let mut world = gateway_rings();
        world.trunk.speak(&[Codec::Pcma, Codec::Pcmu]);
        world.agents.speak(&[codec]);
        world.agents.expect([answers(6.0, None)]);
        world.call(NUMBER, patience(60.0, Some(3.0)));
        let (record, seen) = responses(world);
        let status = |line: &str| seen.iter().find(|m| m.starts_with(&format!("SIP/2.0 {line}")));
        let (early, ok) = (status("183").expect("a 183"), status("200").expect("a 200"));
        assert!(body(early).contains("m=audio") && body(early).contains("RTP/AVP 8"), "{early}");
        // The caller's phone acknowledged the 183 by PRACK: the answer is given, and there is no second one.
        assert!(early.contains("\r\nRequire: 100rel\r\n"), "{early}");
        assert_eq!(body(ok), "", "RFC 6337 section 3.1");
        assert!(status("180").is_none());
        assert_eq!(serde_json::to_value(&record).unwrap()["ring_source"], "gateway");
        near(record.ring_to_answer_ms, 6_000);
        assert_eq!((record.rings, record.outcome), (Some(2), Some(Outcome::Answered)));
    }
}

#[test]
fn without_prack_the_200_says_again_what_the_183_said() {
    let mut world = gateway_rings();
    world.agents.expect([answers(3.0, None)]);
    let host = TRUNK.split(':').next().unwrap();
    let offer =
        format!("v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n");
    let seen = overheard(&mut world);
    bare_invite(&mut world, &offer);
    world.run_for(secs(4.0));
    let seen = seen.take();
    let status = |line: &str| seen.iter().find(|m| m.starts_with(&format!("SIP/2.0 {line}")));
    let (early, ok) = (status("183").expect("a 183"), status("200").expect("a 200"));
    assert!(!early.contains("Require:") && body(early).contains("RTP/AVP 0"), "{early}");
    assert_eq!(body(early), body(ok));
}

#[test]
fn a_silent_phone_gets_our_ringing_after_a_second() {
    let mut world = gateway_rings();
    let silent = Conduct { rings: false, then: Then::Answer { after: secs(3.0), hang_up_after: None } };
    world.agents.expect([silent]);
    world.call(NUMBER, patience(60.0, Some(3.0)));
    near(responses(world).0.ring_to_answer_ms, 2_000);
}

#[test]
fn a_caller_without_an_offer_hears_the_network_ring() {
    let mut world = gateway_rings();
    world.agents.expect([answers(3.0, None)]);
    bare_invite(&mut world, "");
    world.run_for(secs(2.0));
    let sent = |line: &str| world.wire_log.iter().any(|(_, _, l)| l.starts_with(line));
    assert!(sent("SIP/2.0 180") && !sent("SIP/2.0 183"));
    world.tell(Input::Shutdown);
    let (_, record) = one(world);
    assert_eq!(serde_json::to_value(&record).unwrap()["ring_source"], "network");
    assert!(record.ring_at.is_some());
}

/// Seed 4 of the simulator: the call stayed in rejection for ever.
#[test]
fn a_rejection_that_cannot_be_written_still_ends_the_call() {
    let mut world = world([refuses(486), refuses(486)]);
    world.call(NUMBER, patience(60.0, None));
    world.run_for(secs(0.15));
    world.troubles.unwritten_permille = 1_000;
    let (_, record) = one(world);
    assert_eq!(record.outcome, Some(Outcome::Failed));
}

/// Seed 58 of the simulator: the port was tried again for a call that was over.
#[test]
fn a_port_that_cannot_be_opened_for_a_call_that_is_over_is_not_tried_again() {
    let mut world = world([]);
    world.troubles.unbound_permille = 1_000;
    world.call(NUMBER, patience(60.0, None));
    assert!(world.step(), "the INVITE arrives, and a port is ordered");
    world.troubles.unbound_permille = 0;
    world.tell(Input::Shutdown);
    assert!(world.run_to_rest());
    assert!(world.gateway.is_idle(), "{} ports are used", world.gateway.ports_used());
}

/// Under load all agents were "rung" within one instant, each in vain, and the caller was told to be busy.
#[test]
fn without_a_port_for_a_phone_nobody_else_is_bothered() {
    let mut world = world([]);
    world.call(NUMBER, patience(60.0, None));
    assert!(world.step(), "the INVITE arrives, and the caller's port is ordered");
    world.troubles.unbound_permille = 1_000;
    let (world, record) = one(world);
    assert_eq!(ring_ends(&world), [(1, Some(RingResult::Fault))]);
    assert_eq!(record.reason, Some(hotline::call::reason::Reason::Fault));
    let refused = world.wire_log.iter().filter(|(_, _, line)| line.starts_with("SIP/2.0 503")).count();
    assert_eq!(refused, 1, "the carrier may take the call elsewhere");
}
