//! Agents log in, pause and come back: by codes of a phone that this project did not write, and by HTTP.

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use common::phone::{Phone, follow, invite};
use common::softphone::Linphone;
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, seconds, until};
use serde_json::Value;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The trunk is at 127.0.0.2; agent 8 registers, and logs in before callers ring.
fn gateway(more: &str) -> Gateway {
    let mut bench = Bench::new();
    bench.peers = "\"127.0.0.2\"".into();
    bench.agent_registers("8", "a-secret");
    bench.ringing = format!("login = true\nwrap_up_s = 2\npause_reasons = [\"lunch\", \"training\"]\n{more}");
    let token = bench.path().join("api.token");
    std::fs::write(&token, format!("{TOKEN}\n")).expect("writing the token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    bench.http_keys = "token_file = \"api.token\"".into();
    bench.serve()
}

/// Status and body of a request by curl.
fn curl(gateway: &Gateway, token: &str, arguments: &[&str], path: &str) -> (u16, Value) {
    let url = format!("http://127.0.0.1:{}{path}", gateway.bench.http);
    let mut command = Command::new("curl");
    command.args(["-s", "-m", "5", "-w", "\n%{http_code}", "-H", &format!("Authorization: Bearer {token}")]);
    let output = command.args(arguments).arg(url).output().expect("curl");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (body, status) = text.rsplit_once('\n').expect("body and status");
    (status.parse().expect("a status"), serde_json::from_str(body).expect("JSON"))
}

fn get(gateway: &Gateway, path: &str) -> Value {
    let (status, body) = curl(gateway, TOKEN, &[], path);
    assert_eq!(status, 200, "{body}");
    body
}

fn post(gateway: &Gateway, path: &str, body: &str) -> (u16, Value) {
    curl(gateway, TOKEN, &["-X", "POST", "-d", body], path)
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
