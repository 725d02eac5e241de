//! Whose media is whose: the phones of agents who were rung in vain send too. And what a failed write means.

use std::sync::Arc;
use std::time::Duration;

use super::tests::{PHONE, SDP, Switch, TRUNK, ok, plans, requests, settings, tag, theirs};
use super::*;
use crate::call::fact::What;
use crate::call::reason::Reason;
use crate::dialplan::plan::Strategy;
use crate::ids::Side;
use crate::media::Event;
use crate::protocol::rtp::Received;
use crate::protocol::sip::message::Message;
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
        Message::Response(r) if r.status == 200 => Some(r.clone()),
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
        Message::Response(r) if r.status == 200 && !r.body.is_empty() => Some(tag(r)),
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

#[test]
fn the_requests_to_a_phone_stay_with_its_host_whatever_it_answers() {
    for (more, contact, port) in [
        ("", "<sip:8@198.51.100.7>", 5060),
        ("", "<sip:8@198.51.100.7:5070;transport=tcp>", 5060),
        ("Record-Route: <sip:198.51.100.8;lr>\n", "<sip:8@10.0.0.3>", 5060),
        // Another port of the same host is the phone's own matter.
        ("", "<sip:8@10.0.0.3:5070>", 5070),
    ] {
        let mut switch = Switch::new();
        let invite = requests(switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP))).remove(0);
        let answer = ok(&invite, SDP).replace("Contact: <sip:8@10.0.0.3>\n", &format!("{more}Contact: {contact}\n"));
        switch.tell(PHONE, &answer);
        let tag = switch.sent.iter().find_map(|(_, m)| match m {
            Message::Response(r) if r.status == 200 => r.to_tag(),
            _ => None,
        });
        let tag = format!(";tag={}", tag.expect("200 to the caller"));
        switch.tell(TRUNK, &theirs("ACK", 1, &tag, ""));
        switch.tell(TRUNK, &theirs("BYE", 2, &tag, ""));
        let to_phone = switch.sent.iter().filter_map(|(to, m)| match m {
            Message::Request(r) => Some((r.method.to_string(), *to)),
            Message::Response(_) => None,
        });
        let to_phone: Vec<_> = to_phone.collect();
        let there = SocketAddr::new(PHONE.parse::<SocketAddr>().unwrap().ip(), port);
        let expected = [("INVITE", PHONE.parse().unwrap()), ("ACK", there), ("BYE", there)];
        assert_eq!(to_phone, expected.map(|(method, to)| (method.to_owned(), to)), "{more}{contact}");
    }
}

#[test]
fn a_dead_phone_frees_its_agent_four_seconds_after_our_bye() {
    let mut switch = Switch::new();
    let (_, answer) = switch.answered(SDP);
    let tag = tag(&answer);
    switch.tell(TRUNK, &theirs("ACK", 1, &tag, ""));
    assert_eq!(switch.gateway.agents().available(), 0);
    let byes = requests(switch.tell(TRUNK, &theirs("BYE", 2, &tag, "")));
    assert_eq!((byes.len(), switch.gateway.agents().available()), (1, 0), "the phone may not know yet");
    let again = switch.pass(Duration::from_millis(3_999));
    assert_eq!((again.len(), switch.gateway.agents().available()), (3, 0), "the BYE at 0.5, 1.5 and 3.5 s");
    switch.pass(Duration::from_millis(1));
    assert_eq!(switch.gateway.agents().available(), 1, "although the phone has not answered");
    // The next call rings there; that the BYE was never answered takes nothing from it.
    let next = theirs("INVITE", 1, "", SDP).replace("Call-ID: c", "Call-ID: next").replace("INVITE1", "INVITEnext");
    let invite = requests(switch.tell(TRUNK, &next)).remove(0);
    let sent = switch.tell(PHONE, &ok(&invite, SDP));
    let tag = sent.iter().find_map(|m| match m {
        Message::Response(r) if r.status == 200 => Some(self::tag(r)),
        _ => None,
    });
    switch.tell(TRUNK, &theirs("ACK", 1, &tag.unwrap(), "").replace("Call-ID: c", "Call-ID: next"));
    switch.pass(Duration::from_secs(40));
    assert_eq!(switch.gateway.agents().available(), 0, "it is in the second call");
}

#[test]
fn an_agent_is_free_when_the_phone_has_confirmed_our_bye() {
    let mut switch = Switch::new();
    let (_, answer) = switch.answered(SDP);
    let tag = tag(&answer);
    switch.tell(TRUNK, &theirs("ACK", 1, &tag, ""));
    // The first is lost.
    requests(switch.tell(TRUNK, &theirs("BYE", 2, &tag, ""))).remove(0);
    let bye = requests(switch.pass(Duration::from_millis(500))).remove(0);
    switch.pass(Duration::from_millis(100));
    assert_eq!(switch.gateway.agents().available(), 0);
    switch.tell(PHONE, &ok(&bye, ""));
    assert_eq!(switch.gateway.agents().available(), 1);
    let ended = switch.facts.iter().find(|f| matches!(f.what, What::Ended { .. })).unwrap();
    assert_eq!(ended.at.mono_ns, 0, "the call was over when the caller hung up");
    switch.pass(Duration::from_secs(100));
    assert_eq!(
        (switch.gateway.live_calls(), switch.gateway.sessions(), switch.gateway.agents().available()),
        (0, 0, 1)
    );
}

#[test]
fn a_phone_that_rings_is_not_free_before_its_cancel_is_answered() {
    let mut switch = Switch::new();
    let invite = requests(switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP))).remove(0);
    switch.tell(PHONE, &ok(&invite, "").replace("200 OK", "180 Ringing"));
    let cancel = requests(switch.tell(TRUNK, &theirs("CANCEL", 1, "", "").replace("bKCANCEL1", "bKINVITE1")));
    assert_eq!((cancel.len(), switch.gateway.agents().available()), (1, 0));
    switch.tell(PHONE, &ok(&invite, "").replace("200 OK", "487 Terminated"));
    assert_eq!(switch.gateway.agents().available(), 1);
}

#[test]
fn the_number_dialled_is_that_of_the_request_uri() {
    let foreign = "INVITE sip:0085212345678@198.51.100.7 SIP/2.0";
    let mut switch = Switch::new();
    let text = theirs("INVITE", 1, "", SDP).replacen("INVITE sip:400@10.0.0.1 SIP/2.0", foreign, 1);
    let sent = switch.tell(TRUNK, &text);
    let status = sent.iter().find_map(|m| match m {
        Message::Response(r) if r.status >= 200 => Some(r.status),
        _ => None,
    });
    assert_eq!((status, switch.facts.len()), (Some(404), 0), "our number in To alone is no call of ours");
    // The trunk's setting may say otherwise.
    let mut all = settings();
    all.trunks[0].identity.called.push(crate::peer::identity::Called::To);
    let mut switch = Switch::with(all, plans());
    switch.tell(TRUNK, &text);
    assert_eq!(switch.facts(|w| matches!(w, What::Offered(_))), 1);
}

/// A socket of one IP version reaches nobody by the other: such a call would be up, and silent.
#[test]
fn media_of_the_other_ip_version_is_spoken_where_we_have_such_an_address_and_refused_elsewhere() {
    let v6 = SDP.replace("IN IP4 10.0.0.2", "IN IP6 2001:db8::2");
    let last = |sent: Vec<Message>| match sent.into_iter().rfind(|m| matches!(m, Message::Response(_))) {
        Some(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    };
    let mut switch = Switch::new();
    assert_eq!(last(switch.tell(TRUNK, &theirs("INVITE", 1, "", &v6))).status, 488);
    assert_eq!(switch.facts(|w| matches!(w, What::Ended { reason: Reason::NoCodec, .. })), 1);
    // A phone that answers so has no media for us.
    let mut switch = Switch::new();
    let invite = requests(switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP))).remove(0);
    let sent = requests(switch.tell(PHONE, &ok(&invite, &v6)));
    assert_eq!(sent.iter().map(|r| r.method.to_string()).collect::<Vec<_>>(), ["ACK", "BYE"]);
    assert_eq!(switch.facts(|w| matches!(w, What::Connected)), 0);

    let mut both = settings();
    both.sip.listen.push((Transport::Udp, "[2001:db8::1]:5060".parse().unwrap()));
    let mut switch = Switch::with(both, plans());
    let invite = requests(switch.tell(TRUNK, &theirs("INVITE", 1, "", &v6))).remove(0);
    let answer = last(switch.tell(PHONE, &ok(&invite, SDP)));
    let description = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status == 200 && description.contains("c=IN IP6 2001:db8::1\r\n"), "{description}");
    switch.tell(TRUNK, &theirs("ACK", 1, &tag(&answer), ""));
    let moved = last(switch.tell(TRUNK, &theirs("INVITE", 2, &tag(&answer), SDP)));
    assert_eq!(moved.status, 488, "its port is where it is");
}
