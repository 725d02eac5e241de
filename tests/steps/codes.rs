//! What agents and callers do by keys and codes in a talk, over real SIP: survey and class, park and pick up, three together.

use std::net::SocketAddr;
use std::time::Duration;

use super::common::phone::{Message, Phone, follow, invite, pcma_at};
use super::common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, seconds, until};

const QUESTION: &str = "请对本次服务评价：非常满意请按一，满意请按二，一般请按三，较差请按四。";

/// A phone that agrees to every BYE, until this comes.
fn expect(phone: &Phone, start: &str) -> Message {
    until(start, seconds(6), || {
        let message = phone.next(Duration::from_millis(50))?;
        if message.text.starts_with("BYE ") {
            phone.send(&message.response("200 OK", "agent", phone.address(), None), message.from);
        }
        message.text.starts_with(start).then_some(message)
    })
}

/// A request of one who was called, within the dialog of that INVITE.
fn by_callee(invited: &Message, from: SocketAddr, method: &str, number: u32, body: &str) -> String {
    let one = |names: &[&str]| invited.headers(names).trim_end().to_owned();
    let value = |line: &str| line.split_once(':').map_or(String::new(), |(_, value)| value.trim().to_owned());
    let contact = one(&["Contact", "m"]);
    let uri = contact.split(['<', '>']).nth(1).expect("a contact").to_owned();
    let (own, other) = (value(&one(&["To", "t"])), value(&one(&["From", "f"])));
    let kind = if body.is_empty() { "" } else { "Content-Type: application/dtmf-relay\n" };
    format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP {from};rport;branch=z9hG4bKin{number}{}\nMax-Forwards: 70\nFrom: {own};tag=agent\n\
         To: {other}\n{}\nCSeq: {number} {method}\n{kind}Content-Length: {}\n\n{body}",
        from.port(),
        one(&["Call-ID", "i"]),
        body.replace('\n', "\r\n").len()
    )
}

fn key(digit: char) -> String {
    format!("Signal={digit}\nDuration=100\n")
}

/// Agents 8 and 9 with phones that do what the test says; the trunk is at 127.0.0.2.
struct House {
    gateway: Gateway,
    here: SocketAddr,
    eight: Phone,
    nine: Phone,
    caller: Phone,
    invite: String,
    answer: Message,
    /// What rang at agent 8's, who has the caller.
    rung: Message,
}

fn house(more: &str) -> House {
    let mut bench = Bench::new();
    bench.peers = "\"127.0.0.2\"".into();
    let [eight, nine] = ["8", "9"].map(|number| Phone::at("127.0.0.1", bench.agent(number)));
    let caller = Phone::at("127.0.0.2", bench.ports.one());
    bench.greeting = "text = \"您好！\"".into();
    bench.ringing = format!("strategy = \"in_order\"\n{more}");
    let gateway = bench.serve();
    let here = gateway.bench.sip_address();
    let invite = invite(caller.address(), here, HOTLINE_NUMBER, "talk");
    caller.send(&invite, here);
    let rung = answers(&eight);
    let answer = expect(&caller, "SIP/2.0 200");
    caller.send(&follow(&invite, "ACK", Some(&answer)), here);
    expect(&eight, "ACK ");
    House { gateway, here, eight, nine, caller, invite, answer, rung }
}

/// This phone takes the call that rings.
fn answers(phone: &Phone) -> Message {
    let rung = expect(phone, "INVITE ");
    phone.send(&rung.response("200 OK", "agent", phone.address(), Some(&pcma_at(9))), rung.from);
    rung
}

impl House {
    /// That phone dials a code, and the gateway agrees.
    fn dials(&self, phone: &Phone, code: &str, id: &str) {
        let dialled = invite(phone.address(), self.here, code, id);
        phone.send(&dialled, self.here);
        let answer = expect(phone, "SIP/2.0 200");
        phone.send(&follow(&dialled, "ACK", Some(&answer)), self.here);
    }

    fn caller_leaves(self) -> serde_json::Value {
        self.caller.send(&follow(&self.invite, "BYE", Some(&self.answer)), self.here);
        expect(&self.caller, "SIP/2.0 200");
        let record = self.gateway.sealed();
        let completed = "hotline_transfers_total{hotline=\"property\",result=\"completed\"}";
        assert_eq!(self.gateway.metric(completed), 0, "nobody was handed on by transfer");
        record
    }

    /// Agent 9 has the caller.
    fn is_nines(&self) {
        until("agent 9", seconds(5), || {
            let live = self.gateway.live();
            let last = live.first()?["segments"].as_array()?.last()?.clone();
            (last["agent"] == "9").then_some(())
        });
    }
}

fn agents(record: &serde_json::Value) -> Vec<&str> {
    record["segments"].as_array().expect("segments").iter().map(|segment| segment.text("agent")).collect()
}

#[test]
fn the_agent_tells_the_class_and_the_caller_grades_over_sip() {
    let house = house(&format!("[survey]\nquestions = [\"{QUESTION}\"]\n[classes]\nkeys = {{ 3 = \"C\" }}\n"));
    for (number, digit) in (2..).zip("*83".chars()) {
        let info = by_callee(&house.rung, house.eight.address(), "INFO", number, &key(digit));
        house.eight.send(&info, house.here);
        expect(&house.eight, "SIP/2.0 200");
    }
    house.eight.send(&by_callee(&house.rung, house.eight.address(), "BYE", 9, ""), house.here);
    expect(&house.eight, "SIP/2.0 200");
    until("the question", seconds(5), || {
        let live = house.gateway.live();
        let played = live.first()?["played"].as_array()?.clone();
        played.iter().any(|one| one["prompt"] == QUESTION).then_some(())
    });
    let body = key('2');
    let info = follow(&house.invite, "INFO", Some(&house.answer)).replace("CSeq: 1", "CSeq: 2").replace(
        "Content-Length: 0\n\n",
        &format!(
            "Content-Type: application/dtmf-relay\nContent-Length: {}\n\n{body}",
            body.replace('\n', "\r\n").len()
        ),
    );
    house.caller.send(&info, house.here);
    expect(&house.caller, "BYE ");
    let record = house.gateway.sealed();
    assert_eq!((record.text("class"), record.text("survey.end")), ("C", "complete"), "{record:#}");
    assert_eq!(record["survey"]["grades"], serde_json::json!([2]), "{record:#}");
}

#[test]
fn one_agent_parks_the_caller_and_another_picks_up_over_sip() {
    let house = house("");
    house.dials(&house.eight, "*48", "park");
    until("the slot", seconds(5), || (house.gateway.live().first()?["segments"][0]["to_ms"].is_u64()).then_some(()));
    house.dials(&house.nine, "*491", "pick");
    house.is_nines();
    let record = house.caller_leaves();
    assert_eq!((agents(&record), record.text("reason")), (vec!["8", "9"], "caller_hung_up"), "{record:#}");
    assert!(record.number("hold_ms") > 0, "parked: {record:#}");
}

#[test]
fn three_together_and_the_one_who_was_added_stays_over_sip() {
    let house = house("");
    house.dials(&house.eight, "*479", "add");
    answers(&house.nine);
    until("three together", seconds(5), || {
        let live = house.gateway.live();
        (live.first()?["added"][0]["from_ms"].is_u64()).then_some(())
    });
    house.eight.send(&by_callee(&house.rung, house.eight.address(), "BYE", 2, ""), house.here);
    expect(&house.eight, "SIP/2.0 200");
    house.is_nines();
    let record = house.caller_leaves();
    assert_eq!(agents(&record), ["8", "9"], "{record:#}");
    let added = &record["added"][0];
    assert_eq!((added.text("agent"), added.text("by")), ("9", "8"), "{record:#}");
}
