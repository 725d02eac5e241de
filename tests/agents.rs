//! Agents log in, pause and come back: by codes of a phone that this project did not write, and by HTTP.

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use common::api::{self, TOKEN, curl, get, post};
use common::phone::{Phone, follow, invite, of_the_called, pcma_at};
use common::softphone::Linphone;
use common::sound::{level_db, play};
use common::voice::Voice;
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, Sipp, seconds, until};
use serde_json::Value;

/// The trunk is at 127.0.0.2; agent 8 registers, and logs in before callers ring.
fn gateway(more: &str) -> Gateway {
    let mut bench = Bench::new();
    bench.peers = "\"127.0.0.2\"".into();
    bench.agent_registers("8", "a-secret");
    bench.ringing = format!("login = true\nwrap_up_s = 2\npause_reasons = [\"lunch\", \"training\"]\n{more}");
    api::open(&mut bench);
    bench.serve()
}

fn presence(gateway: &Gateway) -> String {
    get(gateway, "/api/v1/agents/8").text("presence").to_owned()
}

fn becomes(gateway: &Gateway, wanted: &str) {
    until(wanted, seconds(8), || (presence(gateway) == wanted).then_some(()));
}

/// What `hotline agents --json` says of agent 8, once the ledger has it.
fn listed(gateway: &Gateway, wanted: &str) {
    until(wanted, seconds(3), || {
        let config = gateway.bench.path().join("hotline.toml");
        let output = Command::new(common::bench::BINARY).args(["agents", "--json", "--config"]).arg(config).output();
        let output = output.expect("hotline agents");
        let row: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
        (row.text("presence") == wanted).then_some(())
    });
}

#[test]
fn whoever_is_needed_leaves_only_by_force() {
    let gateway = gateway("successor = true\n");
    let logout = |body: &str| post(&gateway, "/api/v1/agents/8/logout", body);
    assert_eq!(post(&gateway, "/api/v1/agents/8/ready", "").0, 200);
    let (status, refused) = logout("");
    assert_eq!((status, refused.text("error.code")), (409, "no_successor"));
    assert_eq!(logout(r#"{"force": 1}"#).0, 400);
    assert_eq!((logout(r#"{"force": false}"#).0, presence(&gateway).as_str()), (409, "ready"));
    assert_eq!((logout(r#"{"force": true}"#).0, presence(&gateway).as_str()), (200, "logged_out"));
}

#[test]
fn an_agent_logs_in_by_phone_and_pauses_by_http() {
    let mut gateway = gateway("");
    assert_eq!(curl(&gateway, "wrong", &[], "/api/v1/agents").0, 401);
    assert_eq!(presence(&gateway), "logged_out");
    assert_eq!(gateway.metric("hotline_agents{state=\"offline\"}"), 1);
    let phone = Phone::at("127.0.0.2", gateway.bench.ports.one());
    let here = gateway.bench.sip_address();
    let calling = |id: &str| {
        let invite = invite(phone.address(), here, HOTLINE_NUMBER, id);
        phone.send(&invite, here);
        invite
    };
    let refused = calling("nobody");
    let answer = phone.expect("SIP/2.0 486", seconds(3));
    phone.send(&follow(&refused, "ACK", Some(&answer)), here);

    let linphone = Linphone::start(&gateway.bench, "8", here, "udp", "a-secret", "");
    until("a registration", seconds(8), || (gateway.metric("hotline_registrations") == 1).then_some(()));
    linphone.tell(&format!("call sip:*41@{here}"));
    becomes(&gateway, "ready");
    until("the code's call to end", seconds(8), || {
        (get(&gateway, "/api/v1/agents/8").text("phone") == "free").then_some(())
    });

    let taken = calling("taken");
    let answer = phone.expect("SIP/2.0 200", seconds(6));
    phone.send(&follow(&taken, "ACK", Some(&answer)), here);
    let live = until("the live call", seconds(2), || get(&gateway, "/api/v1/calls")["calls"].get(0).cloned());
    assert_eq!(live.text("agent"), "8");
    assert_eq!(get(&gateway, "/api/v1/agents/8")["call"], live["id"]);
    phone.send(&follow(&taken, "BYE", Some(&answer)), here);
    becomes(&gateway, "wrap_up");
    assert_eq!(gateway.metric("hotline_agents{state=\"wrapup\"}"), 1);
    becomes(&gateway, "ready");

    assert_eq!(post(&gateway, "/api/v1/agents/8/pause", "").0, 422, "a reason is asked for");
    let (status, shown) = post(&gateway, "/api/v1/agents/8/pause", "{\"reason\": \"training\"}");
    assert_eq!((status, shown.text("presence"), shown.text("reason")), (200, "paused", "training"));
    listed(&gateway, "paused");
    assert_eq!(gateway.metric("hotline_agents{state=\"away\"}"), 1);
    // It was said, and outlives the process.
    gateway.process.kill();
    gateway.restart();
    assert_eq!(presence(&gateway), "paused");
    assert_eq!(post(&gateway, "/api/v1/agents/8/logout", "").0, 200);
    listed(&gateway, "logged_out");
}

#[test]
fn the_api_says_what_is_wrong() {
    let gateway = gateway("");
    let code = |(status, body): (u16, Value)| (status, body["error"].text("code").to_owned());
    let is = |status, word: &str| (status, word.to_owned());
    assert_eq!(code(post(&gateway, "/api/v1/agents/77/ready", "")), is(404, "no_agent"));
    assert_eq!(code(post(&gateway, "/api/v1/agents/8/wrap-up", "")), is(409, "logged_out"));
    assert_eq!(code(post(&gateway, "/api/v1/agents/8/dance", "")), is(404, "no_such_path"));
    assert_eq!(code(post(&gateway, "/api/v1/agents/8/pause", "{\"raison\": 1}")), is(400, "bad_body"));
    assert_eq!(code(curl(&gateway, TOKEN, &["-X", "DELETE"], "/api/v1/agents")), is(405, "method_not_allowed"));
    assert_eq!(code(curl(&gateway, TOKEN, &[], "/api/elsewhere")), is(404, "no_such_path"));
    assert_eq!(code(curl(&gateway, "wrong", &["-X", "POST"], "/api/v1/agents/8/ready")), is(401, "unauthorized"));
    assert_eq!(presence(&gateway), "logged_out");
    let limited = until("too many", seconds(9), || {
        let asked = curl(&gateway, "wrong", &[], "/api/v1/agents");
        (asked.0 != 401).then_some(asked)
    });
    assert_eq!(code(limited), is(429, "too_many_requests"));
    assert_eq!(presence(&gateway), "logged_out", "whoever knows the token is heard");
}

/// A caller hears it ring and hangs up.
fn leaves(caller: &Phone, agent: &Phone, gateway: &Gateway, call_id: &str) {
    let to = gateway.bench.sip_address();
    let call = invite(caller.address(), to, HOTLINE_NUMBER, call_id);
    caller.send(&call, to);
    let ring = agent.expect("INVITE ", seconds(3));
    agent.send(&ring.response("180 Ringing", call_id, agent.address(), None), ring.from);
    caller.expect("SIP/2.0 180", seconds(3));
    caller.send(&follow(&call, "CANCEL", None), to);
    let cancel = agent.expect("CANCEL ", seconds(3));
    agent.send(&cancel.response("200 OK", call_id, agent.address(), None), cancel.from);
    agent.send(&ring.response("487 Request Terminated", call_id, agent.address(), None), ring.from);
    caller.expect("SIP/2.0 487", seconds(3));
    caller.send(&follow(&call, "ACK", None), to);
}

fn callbacks(gateway: &Gateway, all: bool) -> Vec<Value> {
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let mut arguments = vec!["callbacks", "list", "--json", "--config", config];
    arguments.extend(all.then_some("--all"));
    let listed = common::bench::hotline(&arguments);
    assert!(listed.status.success(), "{listed:?}");
    let text = String::from_utf8(listed.stdout).expect("JSON");
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

/// The agent's phone rings first, then the number of our own list is called through the trunk; and no other number ever is.
#[test]
fn who_left_is_called_back() {
    let mut bench = Bench::new();
    api::open(&mut bench);
    let port = bench.agent("8");
    let trunk = bench.ports.one();
    bench.trunk = format!("server = \"sip:127.0.0.1:{trunk}\"\noptions_s = 0");
    bench.ringing += "\n[answer]\nshort_abandon_ms = 0\n[callback]\nhours = [\"daily 00:00-24:00\"]\n";
    let (agent, caller) = (Phone::at("127.0.0.1", port), Phone::at("127.0.0.1", trunk));
    let gateway = bench.serve();
    leaves(&caller, &agent, &gateway, "left");
    let record = gateway.record();
    assert_eq!((record.text("outcome"), record.text("callback.why")), ("abandoned", "abandoned"));
    let id = record.text("id").to_owned();
    let rows = callbacks(&gateway, false);
    assert_eq!((rows.len(), rows[0].text("state"), rows[0].text("caller")), (1, "open", "13900009999"));

    let post = |id: &str, order: &str, body: &str| post(&gateway, &format!("/api/v1/callbacks/{id}/{order}"), body);
    assert_eq!(post("01900000-0000-7000-8000-000000000000", "call", "{\"by\": \"8\"}").0, 409, "on no list");
    let (status, body) = post(&id, "call", "{\"by\": \"8\", \"number\": \"00442012345678\"}");
    assert_eq!(status, 422, "nobody names a number: {body}");
    let (status, body) = post(&id, "call", "{\"by\": \"99\"}");
    assert!(status == 409 && body["error"]["message"] == "this agent does not serve that hotline", "{status} {body}");
    assert_eq!(callbacks(&gateway, false)[0].text("state"), "open", "nobody waits for whom nobody is called");
    assert_eq!(post(&id, "call", "{\"by\": \"8\"}").0, 200);

    let ring = agent.expect("INVITE ", seconds(3));
    assert!(ring.headers(&["From"]).contains("13900009999"), "the agent sees whom: {}", ring.text);
    assert_eq!(post(&id, "take", "{\"by\": \"9\"}").0, 409, "it is taken");
    assert!(caller.next(std::time::Duration::from_millis(300)).is_none(), "nobody is called before the agent answers");
    agent.send(&ring.response("200 OK", "back", agent.address(), Some(&pcma_at(9))), ring.from);
    agent.expect("ACK ", seconds(3));
    let called = caller.expect("INVITE ", seconds(3));
    assert!(called.text.starts_with(&format!("INVITE sip:13900009999@127.0.0.1:{trunk} ")), "{}", called.text);
    assert!(called.headers(&["From"]).contains(HOTLINE_NUMBER), "{}", called.text);
    caller.send(&called.response("180 Ringing", "called", caller.address(), None), called.from);
    caller.send(&called.response("200 OK", "called", caller.address(), Some(&pcma_at(11))), called.from);
    caller.expect("ACK ", seconds(3));
    let row = until("the result", seconds(3), || {
        callbacks(&gateway, true).into_iter().find(|row| row.text("state") == "reached")
    });
    assert_eq!((row.number("tries"), row.text("deeds.3.by")), (1, "api:8"));
    assert_eq!(callbacks(&gateway, false).len(), 0);
    assert_eq!(post(&id, "call", "{\"by\": \"8\"}").0, 409, "it is done");
    let bye = of_the_called(&called, (caller.address(), "called"), ("BYE", 1), "Content-Length: 0\n\n");
    caller.send(&bye, called.from);
    caller.expect("SIP/2.0 200", seconds(3));
    let bye = agent.expect("BYE ", seconds(3));
    agent.send(&bye.response("200 OK", "back", agent.address(), None), bye.from);
    let made = row.text("calls.0.call").to_owned();
    let made = until("the call's record", seconds(30), || {
        let record = one_call(&gateway, &made);
        (record.text("recording.status") == "ok").then_some(record)
    });
    assert_eq!((made.text("called_back.entry"), made.text("called_back.end")), (id.as_str(), "reached"));
    assert_eq!((made.text("reason"), made.text("agent")), ("caller_hung_up", "8"));
    assert!(made["wait_ms"].is_null() && made["rings"].is_null(), "nobody waited: {made}");
    // It is none of the hotline's offered calls, in no list and no count.
    gateway.settled(1);
    let metrics = gateway.metrics();
    let count = |series: &str| metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<f64>().ok());
    assert_eq!(count("hotline_callbacks_made_total{result=\"reached\"} "), Some(1.0), "{metrics}");
    let offered = metrics.lines().filter(|line| line.starts_with("hotline_calls_offered_total{"));
    assert_eq!(offered.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>(), 1.0);
}

/// What `hotline calls --kind KIND --json` lists.
fn calls_of(gateway: &Gateway, kind: &str) -> Vec<Value> {
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let listed = common::bench::hotline(&["calls", "--kind", kind, "--json", "--config", config]);
    assert!(listed.status.success(), "{listed:?}");
    let text = String::from_utf8(listed.stdout).expect("JSON");
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// 8 calls 9, whose phone rings, is answered, and hangs up: a call of its own kind, recorded because the policy says so.
#[test]
fn agents_call_each_other() {
    let mut bench = Bench::new();
    let (eight, nine) = (bench.agent("8"), bench.agent("9"));
    let (eight, nine) = (Phone::at("127.0.0.1", eight), Phone::at("127.0.0.1", nine));
    bench.extra = "\n[agents_calls]\nrecord = true\n".into();
    let gateway = bench.serve();
    let here = gateway.bench.sip_address();
    let call = invite(eight.address(), here, "9", "internal");
    eight.send(&call, here);
    let ring = nine.expect("INVITE ", seconds(3));
    nine.send(&ring.response("180 Ringing", "nine", nine.address(), None), ring.from);
    eight.expect("SIP/2.0 180", seconds(3));
    nine.send(&ring.response("200 OK", "nine", nine.address(), Some(&pcma_at(9))), ring.from);
    let answer = eight.expect("SIP/2.0 200", seconds(3));
    eight.send(&follow(&call, "ACK", Some(&answer)), here);
    nine.expect("ACK ", seconds(3));
    let bye = of_the_called(&ring, (nine.address(), "nine"), ("BYE", 1), "Content-Length: 0\n\n");
    nine.send(&bye, here);
    nine.expect("SIP/2.0 200", seconds(3));
    let bye = eight.expect("BYE ", seconds(3));
    eight.send(&bye.response("200 OK", "eight", eight.address(), None), bye.from);
    let record = until("the call's record", seconds(30), || {
        let record = calls_of(&gateway, "internal").into_iter().next()?;
        (record.text("recording.status") == "ok").then_some(record)
    });
    assert_eq!(
        (record.text("kind"), record.text("by_agent.agent"), record.text("by_agent.to.agent")),
        ("internal", "8", "9")
    );
    assert_eq!(
        (record.text("outcome"), record.text("agent"), record.text("reason")),
        ("answered", "9", "agent_hung_up")
    );
    assert_eq!(one_call(&gateway, record.text("id"))["kind"], "internal");
    // No hotline's list or count has it.
    assert_eq!(calls_of(&gateway, "offered"), [Value::Null; 0]);
    let metrics = gateway.metrics();
    let count = |series: &str| metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<f64>().ok());
    assert_eq!(count("hotline_internal_calls_total{outcome=\"answered\"} "), Some(1.0), "{metrics}");
    let offered = metrics.lines().filter(|line| line.starts_with("hotline_calls_offered_total{"));
    assert_eq!(offered.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>(), 0.0);
}

/// 8 dials a number outside, which the dialplan lets agents call: a call of its own kind under the hotline's number.
#[test]
fn an_agent_calls_a_number_outside() {
    let mut bench = Bench::new();
    let port = bench.agent("8");
    let trunk = bench.ports.one();
    bench.peers = "\"127.0.0.2\"".into();
    bench.trunk = format!("server = \"sip:127.0.0.2:{trunk}\"\noptions_s = 0");
    bench.ringing += "\n[outbound]\nprefixes = [\"139\"]\nminutes_a_month = 5\n";
    bench.extra = "\n[agents_calls]\noutbound_trunk = \"carrier\"\n".into();
    let (agent, called) = (Phone::at("127.0.0.1", port), Phone::at("127.0.0.2", trunk));
    let gateway = bench.serve();
    let here = gateway.bench.sip_address();
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let tested = common::bench::hotline(&["route-test", "--to", "13912345678", "--from", "8", "--config", config]);
    let tested = String::from_utf8(tested.stdout).expect("text");
    assert!(
        tested.contains("allowed by [outbound] of the hotline \"property\"") && tested.contains("5 minutes"),
        "{tested}"
    );

    let call = invite(agent.address(), here, "13912345678", "outside");
    agent.send(&call, here);
    let ring = called.expect("INVITE sip:13912345678@", seconds(3));
    assert!(ring.headers(&["From"]).contains(HOTLINE_NUMBER), "{}", ring.text);
    called.send(&ring.response("180 Ringing", "called", called.address(), None), ring.from);
    agent.expect("SIP/2.0 180", seconds(3));
    called.send(&ring.response("200 OK", "called", called.address(), Some(&pcma_at(11))), ring.from);
    let answer = agent.expect("SIP/2.0 200", seconds(3));
    agent.send(&follow(&call, "ACK", Some(&answer)), here);
    called.expect("ACK ", seconds(3));
    let bye = of_the_called(&ring, (called.address(), "called"), ("BYE", 1), "Content-Length: 0\n\n");
    called.send(&bye, here);
    called.expect("SIP/2.0 200", seconds(3));
    let bye = agent.expect("BYE ", seconds(3));
    agent.send(&bye.response("200 OK", "agent", agent.address(), None), bye.from);
    let record = until("the call's record", seconds(30), || {
        let record = calls_of(&gateway, "outbound").into_iter().next()?;
        (record.text("recording.status") == "ok").then_some(record)
    });
    assert_eq!((record.text("by_agent.agent"), record.text("by_agent.end")), ("8", "reached"));
    assert_eq!((record.text("caller"), record.text("reason")), ("13912345678", "caller_hung_up"));
    assert_eq!(calls_of(&gateway, "offered"), [Value::Null; 0]);
    let report = common::bench::hotline(&["report", "day", "--format", "json", "--config", config]);
    let report = String::from_utf8(report.stdout).expect("JSON");
    assert!(report.contains("\"outbound\":1") && report.contains("\"outbound_left_ms\":"), "{report}");
}

/// `hotline call ID --json`.
fn one_call(gateway: &Gateway, id: &str) -> Value {
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let shown = common::bench::hotline(&["call", id, "--json", "--config", config]);
    let call: Value = serde_json::from_slice(&shown.stdout).unwrap_or_default();
    call.get("record").cloned().unwrap_or(call)
}

/// An INVITE whose SDP names this port.
fn with_media_at(invite: &str, port: u16) -> String {
    let (headers, body) = invite.split_once("\n\n").expect("a body");
    let headers = headers.split("Content-Length: ").next().expect("headers");
    let body = body.replace("m=audio 9 ", &format!("m=audio {port} "));
    format!("{headers}Content-Length: {}\n\n{body}", body.replace('\n', "\r\n").len())
}

/// The agent's phone is 8's, the supervisor's 7's; each person is a tone.
#[test]
fn a_supervisor_listens_and_breaks_in_by_code_pin_and_key() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let supervisor = Phone::at("127.0.0.1", bench.ports.one());
    let pin = bench.path().join("7.pin");
    std::fs::write(&pin, "4711\n").expect("writing the PIN");
    std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    bench.greeting = "text = \"您好！\"".into();
    bench.extra = format!(
        "\n[[agent]]\nnumber = \"7\"\ncontact = \"sip:7@{}\"\nsupervisor_pin_file = \"7.pin\"\n",
        supervisor.address()
    );
    let [caller, agent, own] = [440.0, 1_000.0, 2_200.0].map(|hz| {
        let voice = Voice::new(bench.ports.even(), hz);
        voice.sound_from(0);
        voice
    });
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(6_500).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200).voice(agent.port);
    let gateway = bench.serve();
    let (answering, calling) = (answering.start(), calling.start());
    until("the talk", seconds(5), || (gateway.live().first()?["connected_at"].is_string()).then_some(()));

    let here = gateway.bench.sip_address();
    let dial = |code: &str, id: &str| {
        let text = with_media_at(&invite(supervisor.address(), here, code, id), own.port);
        supervisor.send(&text, here);
        text
    };
    let wrong = dial("*918*1234", "wrong");
    let refused = supervisor.expect("SIP/2.0 403", seconds(3));
    supervisor.send(&follow(&wrong, "ACK", Some(&refused)), here);
    let dialled = dial("*918*4711", "right");
    let answer = supervisor.expect("SIP/2.0 200", seconds(3));
    supervisor.send(&follow(&dialled, "ACK", Some(&answer)), here);
    until("three seconds of sound", seconds(6), || (own.heard().len() > 150).then_some(()));
    let key = "Content-Type: application/dtmf-relay\nContent-Length: 24\n\nSignal=3\nDuration=100\n";
    let info =
        follow(&dialled, "INFO", Some(&answer)).replace("CSeq: 1", "CSeq: 2").replace("Content-Length: 0\n\n", key);
    supervisor.send(&info, here);
    supervisor.expect("SIP/2.0 200", seconds(3));
    supervisor.expect("BYE ", seconds(9));
    calling.finish();
    answering.finish();

    let record = gateway.sealed();
    let modes: Vec<&str> = record["supervised"].as_array().expect("rows").iter().map(|row| row.text("mode")).collect();
    assert_eq!(modes, ["listen", "barge"], "{record:#}");
    let barged = record["supervised"][1].number("from_ms") as usize;
    let connected_us = record.instant_us("connected_at");
    // A second of what each heard before and after the key.
    let heard = |voice: &Voice, from_ms: usize| {
        let (first_us, sound) = voice.sound();
        let at = (connected_us - first_us) / 125 + from_ms as i64 * 8;
        let at = usize::try_from(at).expect("it had begun");
        [440.0, 1_000.0, 2_200.0].map(|hz| level_db(&sound[at..at + 8_000], hz) > -40.0)
    };
    let (before, after) = (barged - 1_500, barged + 500);
    assert_eq!(heard(&caller, before), [false, true, false], "nothing of the supervisor");
    assert_eq!(heard(&agent, before), [true, false, false], "nothing of the supervisor");
    assert_eq!(heard(&own, before), [true, true, false], "both of them");
    assert_eq!(heard(&caller, after), [false, true, true]);
    assert_eq!(heard(&agent, after), [true, false, true]);
    let file = play(&gateway.recording(&record));
    let kept = |channel: &[i16], from_ms: usize| {
        [440.0, 1_000.0, 2_200.0].map(|hz| level_db(&channel[from_ms * 8..from_ms * 8 + 8_000], hz) > -40.0)
    };
    assert_eq!((kept(&file.left, before), kept(&file.left, after)), ([true, false, false], [true, false, false]));
    assert_eq!((kept(&file.right, before), kept(&file.right, after)), ([false, true, false], [false, true, true]));
    assert_eq!(gateway.metric("hotline_sip_rejected_total{reason=\"wrong_pin\"}"), 1);
}
