//! Calls that reach an agent, and calls that find none: SIPp is the trunk and the agents' phones.

mod common;

use common::bench::hotline;
use common::phone::Phone;
use common::voice::Voice;
use common::{Bench, RecordExt, Sipp, seconds, until, within};
use serde_json::Value;

/// Slack for SIPp's own timers and a loaded machine; the exact comparison is in `wire.rs`.
const SLACK_MS: i64 = 400;

#[test]
fn an_agent_answers_and_the_caller_hangs_up_first() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_answers", phone).pause_ms(1_500);
    let caller = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(1_200).caller("1391000");
    let gateway = bench.serve();
    let agent = agent.start();
    caller.run();
    agent.finish();

    let record = gateway.record();
    assert_eq!(record.text("outcome"), "answered");
    assert_eq!(record.text("reason"), "caller_hung_up");
    assert_eq!(record.text("ended_by"), "caller");
    assert!(!record.flag("interrupted"));
    assert_eq!(record.text("hotline"), "property");
    assert_eq!(record.text("trunk"), "carrier");
    assert_eq!(record.text("called"), common::HOTLINE_NUMBER);
    assert_eq!(record.text("caller"), "13910001");
    assert_eq!(record.text("agent"), "8");
    assert_eq!(record.text("ring_source"), "network");
    within("ring_to_answer_ms", record.number("ring_to_answer_ms"), 1_480..=1_500 + SLACK_MS);
    within("wait_ms", record.number("wait_ms"), 1_490..=1_500 + SLACK_MS);
    within("talk_ms", record.number("talk_ms"), 1_190..=1_200 + SLACK_MS);
    assert_eq!(record.number("rings"), 1);
    assert_eq!(record.number("hold_ms"), 0);
    assert!(record.flag("answered_within_strict"));
    let sum = record.number("wait_ms") + record.number("talk_ms");
    within("duration_ms − wait_ms − talk_ms", record.number("duration_ms") - sum, 0..=2);

    let instants =
        ["offered_at", "ring_at", "answered_at", "connected_at", "ended_at"].map(|name| record.instant_us(name));
    assert!(instants.is_sorted(), "instants out of order in {record:#}");
    within("ring → answered of the instants", (instants[2] - instants[1]) / 1000, 1_480..=1_500 + SLACK_MS);

    assert_eq!(record.text("greeting.text"), "您好,物业客户服务中心8号接待员为您服务");
    assert_eq!(record.text("greeting.agent_no"), "8");
    assert!(!record.flag("greeting.late"));
    assert!(!record.flag("greeting.played_to_end"), "a greeting of seconds cannot end in a call of 1.2 s");
    within("greeting.started_after_connect_ms", record.number("greeting.started_after_connect_ms"), 0..=200);

    let segment = record.at_path("segments.0");
    assert_eq!(segment.text("agent"), "8");
    assert_eq!(segment.number("talk_ms"), record.number("talk_ms"));
    gateway.settled(1);
    assert_eq!(gateway.outcomes("answered"), 1);
}

#[test]
fn an_agent_goes_on_with_another_line_of_the_phone() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_moves", phone).pause_ms(500);
    let caller = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(1_500);
    let gateway = bench.serve();
    let agent = agent.start();
    caller.run();
    agent.finish();

    let record = gateway.record();
    assert_eq!((record.text("outcome"), record.text("reason")), ("answered", "caller_hung_up"));
    let segments = record["segments"].as_array().expect("segments");
    assert_eq!(segments.len(), 1, "{record:#}");
    within("talk_ms", segments[0].number("talk_ms"), 1_490..=1_500 + SLACK_MS);
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let shown = common::bench::hotline(&["call", record.text("id"), "--json", "--config", config]);
    let shown = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.contains("\"phone_replaced\""), "{shown}");
    gateway.settled(1);
}

#[test]
fn the_agent_hangs_up_first() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_hangs_up", phone).pause_ms(300).set("talk_ms", 900);
    let caller = Sipp::trunk(&bench, "trunk_hears_bye");
    let gateway = bench.serve();
    let agent = agent.start();
    caller.run();
    agent.finish();

    let record = gateway.record();
    assert_eq!(record.text("outcome"), "answered");
    assert_eq!(record.text("reason"), "agent_hung_up");
    assert_eq!(record.text("ended_by"), "agent");
    within("talk_ms", record.number("talk_ms"), 890..=900 + SLACK_MS);
    gateway.settled(1);
}

/// One of three callers is a nuisance, one has dialled a wrong number, and from one the agent hangs up first.
#[test]
fn agents_send_callers_to_a_desk_by_code_and_who_hangs_up_first_is_told() {
    let mut bench = Bench::new();
    let [nuisance, wrong, hasty] = ["7", "9", "8"].map(|number| bench.agent(number));
    bench.ringing.push_str(
        "\n[nuisance]\nthen = \"desk\"\n\n[wrong_number]\nthen = \"wrong\"\n\n[closing]\nmeasure = true\n\n\
         [step.desk]\ndo = \"say\"\ntext = \"谢谢，再见。\"\n\n[step.wrong]\ndo = \"say\"\ntext = \"您好！\"\n",
    );
    let (caller, agent) = (Voice::new(bench.ports.even(), 440.0), Voice::new(bench.ports.even(), 1_000.0));
    caller.sound_from(0);
    agent.sound_from(0);
    let presses = |port, digit| Sipp::agent(&bench, "agent_presses", port).pause_ms(700).set("digit", digit);
    let agents = [
        presses(nuisance, 7),
        presses(wrong, 9),
        Sipp::agent(&bench, "agent_hangs_up", hasty).pause_ms(100).set("talk_ms", 3_000).voice(agent.port),
    ];
    let calling = Sipp::trunk(&bench, "trunk_hears_bye").calls(3).per_second(3).voice(caller.port);
    let gateway = bench.serve();
    let agents = agents.map(Sipp::start);
    calling.run();
    agents.into_iter().for_each(common::sipp::Running::finish);

    let records = gateway.records(3);
    let config = gateway.config.to_str().expect("UTF-8");
    let of = |agent: &str| records.iter().find(|record| record.text("agent") == agent).expect("a call of that agent");
    let fact = |agent: &str, fact: &str| {
        let output = hotline(&["call", of(agent).text("id"), "--json", "--config", config]);
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let facts = shown["facts"].as_array().cloned().unwrap_or_default();
        facts.into_iter().find(|one| one["fact"] == fact).unwrap_or_else(|| panic!("no {fact} of {agent}"))
    };
    for (agent, why, step) in [("7", "nuisance", "desk"), ("9", "wrong_number", "wrong")] {
        assert_eq!(fact(agent, "sent_to_desk").text("why"), why);
        let record = of(agent);
        assert_eq!((record.text("outcome"), record.text("ended_by")), ("answered", "gateway"), "{record:#}");
        assert_eq!(record.text("steps.0.step"), step);
    }
    let hasty = of("8");
    assert_eq!((hasty.text("reason"), hasty.text("ended_by")), ("agent_hung_up", "agent"));
    assert_eq!(fact("8", "parted").text("by"), "agent");
    // No exemption holds; rules have their verdicts when the recording is closed and was listened to.
    let verdict = until("the verdict on who hung up", seconds(8), || {
        let record = gateway.calls().into_iter().find(|record| record.text("agent") == "8")?;
        let verdicts = record.at_path("verdicts").as_array()?.clone();
        verdicts.into_iter().find(|verdict| ["R-195", "R-196", "R-197"].contains(&verdict.text("rule")))
    });
    assert_eq!(verdict.text("verdict"), "fail", "{verdict:#}");
}

#[test]
fn a_busy_agent_and_then_the_next_one_answers() {
    let mut bench = Bench::new();
    let (first, second) = (bench.agent("8"), bench.agent("9"));
    let busy = Sipp::agent(&bench, "agent_busy", first);
    let answering = Sipp::agent(&bench, "agent_answers", second).pause_ms(500);
    let caller = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(500);
    let gateway = bench.serve();
    let (busy, answering) = (busy.start(), answering.start());
    caller.run();
    busy.finish();
    answering.finish();

    let record = gateway.record();
    assert_eq!(record.text("outcome"), "answered");
    assert_eq!(record.text("agent"), "9");
    assert_eq!(record.text("greeting.agent_no"), "9", "the greeting names the agent who answered");
    assert_eq!(record.at_path("segments").as_array().map(Vec::len), Some(1), "{record:#}");
    within("wait_ms", record.number("wait_ms"), 490..=500 + SLACK_MS);
    gateway.settled(1);
}

/// Both agents' phones are busy; the caller's network hears `status`.
fn everybody_is_busy(nobody: &str, scenario: &str) {
    let mut bench = Bench::new();
    bench.ringing = format!("strategy = \"in_order\"\nnobody = \"{nobody}\"");
    let (first, second) = (bench.agent("8"), bench.agent("9"));
    let phones = [first, second].map(|port| Sipp::agent(&bench, "agent_busy", port));
    let caller = Sipp::trunk(&bench, scenario);
    let gateway = bench.serve();
    let phones = phones.map(Sipp::start);
    caller.run();
    phones.into_iter().for_each(common::sipp::Running::finish);

    let record = gateway.record();
    assert_eq!(record.text("outcome"), "failed");
    assert_eq!(record.text("reason"), "agents_busy");
    assert_eq!(record.text("ended_by"), "gateway");
    for nothing in ["agent", "answered_at", "connected_at", "ring_to_answer_ms", "greeting"] {
        assert!(record.at_path(nothing).is_null(), "{nothing} in {record:#}");
    }
    within("wait_ms", record.number("wait_ms"), 0..=SLACK_MS);
    assert_eq!(record.number("wait_ms"), record.number("duration_ms"));
    assert_eq!(record.text("recording.status"), "none");
    gateway.settled(1);
    assert_eq!(gateway.outcomes("failed"), 1);
}

#[test]
fn all_busy_gives_the_busy_tone() {
    everybody_is_busy("busy_tone", "trunk_refused_486");
}

#[test]
fn all_busy_gives_480_where_the_dialplan_says_so() {
    everybody_is_busy("480", "trunk_refused_480");
}

#[test]
fn no_answer_and_then_the_next_agent_answers() {
    let mut bench = Bench::new();
    bench.ringing = "strategy = \"in_order\"\nring_s = 2".into();
    let (first, second) = (bench.agent("8"), bench.agent("9"));
    let silent = Sipp::agent(&bench, "agent_rings_out", first);
    let answering = Sipp::agent(&bench, "agent_answers", second).pause_ms(500);
    let caller = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(300);
    let gateway = bench.serve();
    let (silent, answering) = (silent.start(), answering.start());
    caller.run();
    silent.finish();
    answering.finish();

    let record = gateway.record();
    assert_eq!(record.text("outcome"), "answered");
    assert_eq!(record.text("agent"), "9");
    // The ring never restarts with the next agent.
    within("ring_to_answer_ms", record.number("ring_to_answer_ms"), 2_480..=2_500 + SLACK_MS);
    gateway.settled(1);
}

#[test]
fn nobody_answers_in_time() {
    let mut bench = Bench::new();
    bench.ringing = "ring_s = 1".into();
    let phone = bench.agent("8");
    let silent = Sipp::agent(&bench, "agent_rings_out", phone);
    let caller = Sipp::trunk(&bench, "trunk_refused_486");
    let gateway = bench.serve();
    let silent = silent.start();
    caller.run();
    silent.finish();

    let record = gateway.record();
    assert_eq!(record.text("outcome"), "failed");
    assert_eq!(record.text("reason"), "no_answer");
    within("wait_ms", record.number("wait_ms"), 990..=1_000 + SLACK_MS);
    gateway.settled(1);
}

#[test]
fn an_agent_in_a_call_is_not_rung() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_answers", phone).pause_ms(100);
    let talking = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(2_500).caller("1391");
    let second = Sipp::trunk(&bench, "trunk_refused_486").caller("1392");
    let gateway = bench.serve();
    let (agent, talking) = (agent.start(), talking.start());
    until("the first call to be answered", seconds(3), || {
        gateway.live().first().filter(|call| !call.at_path("answered_at").is_null()).map(|_| ())
    });
    assert!(gateway.live()[0].at_path("outcome").is_null(), "a call in progress has no outcome");
    assert_eq!(gateway.balance(), 1);
    second.run();
    talking.finish();
    assert_eq!(agent.messages("INVITE "), 1, "the phone of an agent in a call was rung");
    agent.finish();

    let records = gateway.records(2);
    let of = |caller: &str| records.iter().find(|record| record.text("caller") == caller).expect("its record");
    assert_eq!(of("13921").text("outcome"), "failed");
    assert_eq!(of("13921").text("reason"), "agents_busy");
    assert_eq!(of("13911").text("outcome"), "answered");
    gateway.settled(2);
}

/// Whatever a phone says of other places: the gateway calls its agents and targets and nobody else.
#[test]
fn a_redirect_leads_to_the_next_agent_and_nowhere_else() {
    let mut bench = Bench::new();
    let (first, second) = (bench.agent("8"), bench.agent("9"));
    let redirecting = Phone::at("127.0.0.1", first);
    let elsewhere = Phone::at("127.0.0.1", bench.ports.one());
    let answering = Sipp::agent(&bench, "agent_answers", second).pause_ms(200);
    let caller = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(300).caller("1391000");
    let gateway = bench.serve();
    let answering = answering.start();
    let caller = caller.start();
    let invite = redirecting.expect("INVITE ", seconds(3));
    for header in ["From:", "P-Asserted-Identity:"] {
        let line = invite.text.lines().find(|line| line.starts_with(header)).unwrap_or_default();
        assert!(line.contains("sip:13910001@"), "the caller's number is not in {header} {line:?}");
    }
    let moved = invite.response("302 Moved Temporarily", "moved", elsewhere.address(), None);
    redirecting.send(&moved, invite.from);
    redirecting.expect("ACK ", seconds(3));
    caller.finish();
    answering.finish();

    let record = gateway.record();
    assert_eq!(record.text("outcome"), "answered");
    assert_eq!(record.text("agent"), "9");
    let astray = elsewhere.next(std::time::Duration::ZERO);
    assert!(astray.is_none(), "a redirect was followed: {astray:?}");
    gateway.settled(1);
}

/// Not only at the end: a scrape that falls between two facts of a call must not find it twice or not at all.
#[test]
fn offered_is_ended_plus_in_progress_at_every_scrape() {
    const CALLS: usize = 24;
    let mut bench = Bench::new();
    let phones = bench.ports.one();
    for number in 1..=CALLS {
        bench.agent_at(&number.to_string(), phones);
    }
    let agents = Sipp::agent(&bench, "agent_answers", phones).pause_ms(150).calls(CALLS as u64);
    let callers = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(250).calls(CALLS as u64).per_second(12);
    let gateway = bench.serve();
    let agents = agents.start();
    let mut callers = callers.start();
    let (mut scrapes, mut most_active) = (0, 0);
    until("the callers to end", seconds(20), || {
        for _ in 0..20 {
            gateway.balance();
            scrapes += 1;
        }
        most_active = most_active.max(gateway.metric("hotline_calls_active"));
        callers.ended().then_some(())
    });
    callers.finish();
    agents.finish();
    assert!(scrapes > 200 && most_active > 2, "{scrapes} scrapes saw at most {most_active} calls in progress");
    gateway.records(CALLS);
    gateway.settled(CALLS as i64);
}

#[test]
fn a_caller_with_prack_and_a_session_timer_holds_by_update_and_comes_back() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_answers", phone).pause_ms(300);
    let caller = Sipp::trunk(&bench, "trunk_holds");
    let gateway = bench.serve();
    let agent = agent.start();
    caller.run();
    agent.finish();

    let record = gateway.record();
    assert_eq!((record.text("outcome"), record.text("reason")), ("answered", "caller_hung_up"));
    assert_eq!(record.number("holds"), 1);
    within("hold_ms", record.number("hold_ms"), 1_190..=1_200 + SLACK_MS);
    within("talk_ms", record.number("talk_ms"), 590..=600 + SLACK_MS);
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let shown = common::bench::hotline(&["call", record.text("id"), "--json", "--config", config]);
    let facts = String::from_utf8_lossy(&shown.stdout);
    assert!(facts.contains("Q.850;cause=16"), "the cause of the BYE is among the facts: {facts}");
    gateway.settled(1);
}
