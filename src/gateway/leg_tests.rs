//! Whose media is whose: the phones of agents who were rung in vain send too. And what a failed write means.

use std::sync::Arc;
use std::time::Duration;

use super::tests::{PHONE, SDP, Switch, TRUNK, ok, plans, requests, settings, tag, theirs};
use super::*;
use crate::call::fact::What;
use crate::dialplan::plan::Strategy;
use crate::ids::Side;
use crate::media::Event;
use crate::protocol::rtp::Received;
use crate::quality::Line;

const OTHER_PHONE: &str = "10.0.0.4:5060";

/// Agents 8 and 9 are rung at once.
fn ring_all() -> Switch {
    let (mut settings, mut plans) = (settings(), plans());
    let uri = Uri::parse("sip:9@10.0.0.4").unwrap();
    let address = OTHER_PHONE.parse().unwrap();
    settings.phones.push(Phone { agent: "9".into(), uri, transport: Transport::Udp, address });
    let mut hotline = (*plans.hotlines[0]).clone();
    hotline.agents.numbers.push("9".into());
    hotline.agents.strategy = Strategy::RingAll;
    let hotline = Arc::new(hotline);
    plans.by_number.insert("400".into(), Arc::clone(&hotline));
    plans.hotlines = vec![hotline];
    Switch::with(settings, plans)
}

fn media(switch: &mut Switch, event: Event) {
    switch.gateway.handle(switch.now, Input::Media(event));
    switch.settle();
}

fn received(packets: u64) -> Received {
    Received { packets, ..Received::default() }
}

#[test]
fn what_the_phone_of_a_losing_agent_sent_is_not_the_winners() {
    let mut switch = ring_all();
    let invites = requests(switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP)));
    assert_eq!(invites.iter().map(|i| i.raw_uri.as_str()).collect::<Vec<_>>(), ["sip:8@10.0.0.3", "sip:9@10.0.0.4"]);
    let [(call, caller), (_, loser), (_, winner)] = switch.legs[..] else { panic!("{:?}", switch.legs) };
    let sent = switch.tell(OTHER_PHONE, &ok(&invites[1], SDP));
    let to_caller = sent.iter().find_map(|m| match m {
        crate::protocol::sip::message::Message::Response(r) if r.status == 200 => Some(r.clone()),
        _ => None,
    });
    switch.tell(TRUNK, &theirs("ACK", 1, &tag(&to_caller.unwrap()), ""));
    // The phone of agent 8 picked up in the same moment and talks into the void.
    let at = switch.now;
    let line = Line { packets: 7, ..Line::default() };
    for event in [
        Event::FirstPacket { call, leg: loser, at },
        Event::Interval { call, leg: loser, at, line },
        Event::Silent { call, leg: loser, at },
        Event::Resumed { call, leg: loser, at },
    ] {
        media(&mut switch, event);
    }
    let of_media = |switch: &Switch| {
        switch.facts(|w| {
            matches!(
                w,
                What::MediaArrived { .. }
                    | What::MediaLost { .. }
                    | What::MediaResumed { .. }
                    | What::MediaInterval { .. }
            )
        })
    };
    assert_eq!(of_media(&switch), 0);
    for leg in [caller, winner] {
        media(&mut switch, Event::FirstPacket { call, leg, at });
    }
    assert_eq!(of_media(&switch), 2);
    switch.tell(TRUNK, &theirs("BYE", 2, &tag_of(&switch), ""));
    for (leg, packets) in [(loser, 99), (caller, 100), (winner, 50)] {
        media(&mut switch, Event::Closed { call, leg, received: received(packets) });
    }
    let ends = switch.facts.iter().filter_map(|f| match f.what {
        What::Media { leg, received } => Some((leg, received.packets)),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [(Side::Caller, 100), (Side::Agent, 50)]);
    switch.pass(Duration::from_secs(60));
    assert_eq!(switch.gateway.ports_used(), 0, "the loser's port is free too");
}

/// The tag of our 200 to the caller.
fn tag_of(switch: &Switch) -> String {
    let of_answer = |(_, m): &(SocketAddr, _)| match m {
        crate::protocol::sip::message::Message::Response(r) if r.status == 200 && !r.body.is_empty() => Some(tag(r)),
        _ => None,
    };
    switch.sent.iter().find_map(of_answer).expect("200 to the caller")
}

#[test]
fn an_ack_that_cannot_be_written_ends_a_call_that_was_connected() {
    let mut switch = Switch::new();
    let invite = requests(switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP))).remove(0);
    let flow = Flow {
        transport: Transport::Udp,
        local: "10.0.0.1:5060".parse().unwrap(),
        remote: PHONE.parse().unwrap(),
        connection: None,
    };
    let bytes = ok(&invite, SDP).replace('\n', "\r\n").into_bytes();
    switch.gateway.handle(switch.now, Input::Datagram { flow, at: switch.now, bytes });
    // As the driver does it: each output in turn; the ACK comes before the 200.
    let mut written = Vec::new();
    while let Some(output) = switch.gateway.poll_output() {
        match output {
            Output::Transmit(Transmit { label, mark: Some(session), .. }) => {
                let fails = label == Label::Request(crate::protocol::sip::vocabulary::Method::ACK);
                written.push(format!("{label}{}", if fails { ", not" } else { "" }));
                let at = switch.now;
                let told = if fails { Input::NotSent { session } } else { Input::Sent { session, label, at } };
                switch.gateway.handle(switch.now, told);
            }
            Output::Fact(fact) => switch.facts.push(fact),
            _ => {}
        }
    }
    assert_eq!(written[..2], ["ACK, not", "200 OK (INVITE)"], "{written:?}");
    let told = switch.facts.iter().filter_map(|f| match f.what {
        What::AgentAnswered { .. } => Some("answered".to_owned()),
        What::Connected => Some("connected".to_owned()),
        What::Ended { reason, by } => Some(format!("{reason} by {}", by.as_str())),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), ["answered", "connected", "session_lost by agent"]);
}
