//! The sixteen shipped dialplans in one gateway: a real call over SIP to each, at whatever hour it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hotline::io::dialplans::BuiltIn;

use super::common::api;
use super::common::bench::hotline;
use super::common::phone::{Message, Phone, follow, invite, pcma_at};
use super::common::{Bench, Gateway, RecordExt, seconds, until};

const TARGETS: [&str; 7] = [
    "sales_holder",
    "sales_deputy",
    "logistics_duty",
    "complaint_head",
    "logistics_head",
    "logistics_deputy",
    "general_manager",
];

/// The hotlines' first numbers, and everybody who may be rung.
fn shipped() -> (Vec<String>, BTreeSet<String>) {
    let (mut numbers, mut agents) = (Vec::new(), BTreeSet::new());
    for file in BuiltIn::examples() {
        let text = String::from_utf8(file.bytes).expect("text");
        let plan: toml::Table = text.parse().expect("a dialplan");
        let listed = |table: &toml::Value| table.get("numbers").and_then(|list| list.as_array()).cloned();
        let strings = |list: Vec<toml::Value>| list.into_iter().filter_map(|one| one.as_str().map(str::to_owned));
        numbers.extend(listed(&plan["hotline"]).into_iter().flat_map(strings).next());
        let steps = plan.get("step").and_then(|steps| steps.as_table()).into_iter().flat_map(|steps| steps.values());
        agents.extend(steps.chain([&plan["agents"]]).filter_map(listed).flat_map(strings));
    }
    (numbers, agents)
}

fn copy_dialplans(to: &Path) {
    let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans"));
    std::fs::create_dir_all(to.join("calendars")).expect("a directory");
    std::fs::create_dir_all(to.join("rosters")).expect("a directory");
    for part in ["calendars/cn.toml", "rosters/s10-telecom.toml", "rosters/s15-hospital-guide.toml"] {
        std::fs::copy(shipped.join(part), to.join(part)).expect("a part of the dialplans");
    }
    for entry in std::fs::read_dir(shipped).expect("the shipped dialplans").flatten() {
        if entry.file_name().to_string_lossy().starts_with('S') {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a dialplan");
        }
    }
}

/// Everybody's phone: answers every call at once, and whatever else comes.
fn answers(phone: &Phone, over: &AtomicBool) {
    let here = phone.address();
    while !over.load(Ordering::Relaxed) {
        let Some(message) = phone.next(std::time::Duration::from_millis(50)) else { continue };
        let sdp = pcma_at(9);
        match message.text.split(' ').next() {
            Some("INVITE") => {
                phone.send(&message.response("180 Ringing", "agent", here, None), message.from);
                phone.send(&message.response("200 OK", "agent", here, Some(&sdp)), message.from);
            }
            Some("BYE" | "OPTIONS" | "CANCEL") => {
                phone.send(&message.response("200 OK", "agent", here, None), message.from);
            }
            _ => {}
        }
    }
}

/// The caller's end of all calls, by Call-ID.
struct Callers {
    phone: Phone,
    gateway: SocketAddr,
    invites: BTreeMap<String, String>,
    answers: BTreeMap<String, Message>,
}

impl Callers {
    /// Acknowledges every 200 to an INVITE, again if it comes again.
    fn read_until(&mut self, what: &str, done: impl Fn(&Callers) -> bool) {
        until(what, seconds(8), || {
            while let Some(message) = self.phone.next(std::time::Duration::from_millis(20)) {
                let id = message.headers(&["Call-ID", "i"]);
                let id = id.split_once(": ").map_or("", |(_, id)| id.trim()).to_owned();
                let answered = message.text.starts_with("SIP/2.0 200") && message.headers(&["CSeq"]).contains("INVITE");
                if let (true, Some(invite)) = (answered, self.invites.get(&id)) {
                    self.phone.send(&follow(invite, "ACK", Some(&message)), self.gateway);
                    self.answers.insert(id, message);
                }
            }
            done(self).then_some(())
        });
    }

    fn send(&self, id: &str, method: &str, number: u32, body: &str) {
        let request = follow(&self.invites[id], method, Some(&self.answers[id]));
        let (head, _) = request.split_once("CSeq:").expect("a CSeq");
        let kind = if body.is_empty() { "" } else { "Content-Type: application/dtmf-relay\n" };
        let length = body.replace('\n', "\r\n").len();
        let request = format!("{head}CSeq: {number} {method}\n{kind}Content-Length: {length}\n\n{body}");
        self.phone.send(&request, self.gateway);
    }
}

/// What `route-test` says of a call now: whether the hotline takes it.
fn is_open(gateway: &Gateway, number: &str) -> bool {
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let shown = hotline(&["route-test", "--to", number, "--config", config]);
    let text = String::from_utf8(shown.stdout).expect("text");
    let (open, closed) = (text.contains("  It is open"), text.contains("  Closed"));
    assert!(shown.status.success() && open != closed, "{text}");
    open
}

/// Three of the plans, with phones and targets of their own.
#[test]
fn route_test_tells_the_way_of_a_call_in_words() {
    let house = tempfile::tempdir().expect("a directory");
    let (plans, config) = (house.path().join("dialplans"), house.path().join("hotline.toml"));
    std::fs::create_dir_all(plans.join("calendars")).expect("a directory");
    let of = ["S04-university-logistics.toml", "S09-hr-services.toml", "S16-operators-room.toml", "calendars/cn.toml"];
    for part in of {
        let shipped = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans")).join(part);
        std::fs::copy(shipped, plans.join(part)).expect("a dialplan");
    }
    let mut text = "[[trunk]]\nname = \"carrier\"\npeers = [\"127.0.0.1\"]\nserver = \"sip:127.0.0.1\"\n".to_owned();
    for agent in ["41", "42", "45", "46", "47", "91", "92", "161", "162"] {
        text += &format!("[[agent]]\nnumber = \"{agent}\"\ncontact = \"sip:{agent}@127.0.0.1:5070\"\n");
    }
    for target in ["logistics_duty", "logistics_head", "logistics_deputy", "general_manager"] {
        text += &format!("[[target]]\nname = \"{target}\"\ntrunk = \"carrier\"\nnumber = \"13900000100\"\n");
    }
    std::fs::write(&config, text).expect("a file");
    let told = |number: &str, at: &str, phrases: &[&str]| {
        let config = config.to_str().expect("a path in UTF-8");
        let shown = hotline(&["route-test", "--to", number, "--at", at, "--config", config]);
        let text = String::from_utf8(shown.stdout).expect("text");
        for phrase in phrases {
            assert!(text.contains(phrase), "no \"{phrase}\" in: {text}");
        }
    };
    // A Monday and a Sunday.
    let (monday, sunday) = ("2026-11-23T10:00:00+08:00", "2026-11-22T10:00:00+08:00");
    let logistics = [
        "It is open, and begins: step \"class\"",
        "key 3: step \"booking\"",
        "the target \"logistics_duty\", 13900000100 over the trunk carrier,",
        "whoever picks up takes the call by key 1 within 15 s",
        "你好，后勤服务热线",
    ];
    told("4008000104", monday, &logistics);
    told("4008000109", monday, &["the caller waits up to 60 s", "key 1: step \"leave\"", "after 3 rings = 15000 ms"]);
    told("4008000116", sunday, &["In Asia/Shanghai it is 2026-11-22 10:00", "Closed: step \"closed\""]);
    told("4000000000", monday, &["no dialplan owns this number"]);
}

#[test]
fn one_call_each_over_sip() {
    let (numbers, agents) = shipped();
    let mut bench = Bench::new();
    let (phones, trunk) = (bench.ports.one(), bench.ports.one());
    agents.iter().for_each(|agent| bench.agent_at(agent, phones));
    bench.trunk = format!("server = \"sip:127.0.0.1:{phones}\"\noptions_s = 0");
    for (n, target) in TARGETS.iter().enumerate() {
        bench.extra += &format!("\n[[target]]\nname = \"{target}\"\ntrunk = \"carrier\"\nnumber = \"1390000010{n}\"\n");
    }
    copy_dialplans(&bench.path().join("dialplans"));
    api::open(&mut bench);
    let (phone, caller) = (Phone::at("127.0.0.1", phones), Phone::at("127.0.0.1", trunk));
    let gateway = bench.serve();
    for agent in ["101", "102", "103", "104", "105", "106", "151", "152", "153"] {
        assert_eq!(api::post(&gateway, &format!("/api/v1/agents/{agent}/ready"), "{}").0, 200, "{agent} logs in");
    }
    // One of those that are closed at night: the command reads all dialplans each time.
    let office = ("4008000111", is_open(&gateway, "4008000111"));

    let over = Arc::new(AtomicBool::new(false));
    let answering = std::thread::spawn({
        let over = Arc::clone(&over);
        move || answers(&phone, &over)
    });
    let to = gateway.bench.sip_address();
    let invites = numbers.iter().map(|n| (n.clone(), invite(caller.address(), to, n, n))).collect();
    let mut callers = Callers { phone: caller, gateway: to, invites, answers: BTreeMap::new() };
    for text in callers.invites.values() {
        callers.phone.send(text, to);
    }
    callers.read_until("sixteen answers", |callers| callers.answers.len() == 16);
    // Both begin with a menu.
    callers.send("8008000106", "INFO", 2, "Signal=3\nDuration=100\n");
    callers.send("4008000104", "INFO", 2, "Signal=1\nDuration=100\n");
    callers.read_until("somebody or a step in each call", |_| {
        let taken = |call: &&serde_json::Value| ["agent", "target", "step"].iter().any(|by| !call[by].is_null());
        gateway.live().iter().filter(taken).count() == 16
    });
    for number in &numbers {
        callers.send(number, "BYE", 3, "");
    }
    let records = gateway.records(16);
    over.store(true, Ordering::Relaxed);
    answering.join().expect("the phones");

    for record in records {
        let number = record.text("called");
        match number {
            "4008000103" => {
                assert_eq!((record.text("outcome"), record.text("target")), ("overflow", "sales_holder"));
            }
            _ if record["closed"].is_null() || number == "4008000113" => {
                assert_eq!(record.text("outcome"), "answered", "{record:#}");
            }
            _ => assert_eq!((record.text("outcome"), record.text("reason")), ("overflow", "caller_hung_up")),
        }
        if number == office.0 {
            assert_eq!(record["closed"].is_null(), office.1, "route-test and the call agree");
        }
        if number == "4008000104" {
            assert_eq!((record.text("agent"), record.text("class")), ("41", "投诉"));
        }
        if number == "8008000106" {
            assert_eq!((record.text("agent"), record.number("rings")), ("64", 2), "R-004");
        }
    }
    gateway.settled(16);
}
