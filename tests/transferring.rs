//! Agents hand callers on with a phone that this project did not write.

mod common;

use std::io::Write as _;

use common::phone::{Message, Phone, follow, invite};
use common::softphone::linphone;
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, seconds, until};

/// The trunk is at 127.0.0.2; both agents' phones are linphones that answer by themselves.
fn gateway() -> Gateway {
    let mut bench = Bench::new();
    bench.peers = "\"127.0.0.2\"".into();
    ["8", "9"].iter().for_each(|number| bench.agent_registers(number, "a-secret"));
    bench.serve()
}

/// A line for the console of an agent's linphone.
fn order(gateway: &Gateway, number: &str, line: &str) {
    let console = gateway.bench.path().join(format!("linphone-{number}-0/input"));
    let mut console = std::fs::OpenOptions::new().write(true).open(console).expect("the phone's console");
    writeln!(console, "{line}").expect("an order for the phone");
}

/// A caller whom agent 8 has.
struct Caller {
    phone: Phone,
    invite: String,
    answer: Message,
}

impl Caller {
    fn of_eight(gateway: &Gateway) -> Caller {
        until("two phones", seconds(8), || (gateway.metric("hotline_registrations") == 2).then_some(()));
        let phone = Phone::at("127.0.0.2", gateway.bench.ports.one());
        let here = gateway.bench.sip_address();
        let invite = invite(phone.address(), here, HOTLINE_NUMBER, "transfer");
        phone.send(&invite, here);
        let answer = phone.expect("SIP/2.0 200", seconds(6));
        phone.send(&follow(&invite, "ACK", Some(&answer)), here);
        Caller { phone, invite, answer }
    }

    fn leaves(&self, gateway: &Gateway) {
        self.phone.send(&follow(&self.invite, "BYE", Some(&self.answer)), gateway.bench.sip_address());
        self.phone.expect("SIP/2.0 200", seconds(5));
    }
}

fn transferred(gateway: &Gateway) -> Option<()> {
    (gateway.metric("hotline_transfers_total{hotline=\"property\",result=\"completed\"}") == 1).then_some(())
}

/// Both agents had the caller, one after the other, and nothing is left.
fn shared(gateway: &Gateway) {
    let record = gateway.sealed();
    assert_eq!((record.text("outcome"), record.text("reason")), ("answered", "caller_hung_up"), "{record:#}");
    let segments = record["segments"].as_array().expect("segments");
    let agents: Vec<&str> = segments.iter().map(|segment| segment.text("agent")).collect();
    assert_eq!(agents, ["8", "9"], "{record:#}");
    assert_eq!(record["recording"].text("status"), "ok");
    gateway.settled(1);
}

#[test]
fn linphone_hands_the_caller_on() {
    let gateway = gateway();
    let _phones = ["8", "9"].map(|number| linphone(&gateway.bench, number, "udp", "a-secret"));
    let caller = Caller::of_eight(&gateway);
    order(&gateway, "8", &format!("transfer sip:9@{}", gateway.bench.sip_address()));
    until("the transfer", seconds(8), || transferred(&gateway));
    caller.leaves(&gateway);
    shared(&gateway);
}

#[test]
fn linphone_asks_the_colleague_first() {
    let gateway = gateway();
    let phones = ["8", "9"].map(|number| linphone(&gateway.bench, number, "udp", "a-secret"));
    let caller = Caller::of_eight(&gateway);
    order(&gateway, "8", "pause");
    let held = "hotline_calls_active{hotline=\"property\",state=\"hold\"}";
    until("the hold", seconds(5), || (gateway.metric(held) == 1).then_some(()));
    order(&gateway, "8", &format!("call sip:9@{}", gateway.bench.sip_address()));
    until("the consultation", seconds(8), || {
        phones[0].printed().contains("Media streams established with sip:9@").then_some(())
    });
    order(&gateway, "8", "transfer 1 --to-call 2");
    until("the transfer", seconds(8), || transferred(&gateway));
    caller.leaves(&gateway);
    shared(&gateway);
}
