//! Trunks that register: their farewell, the way of calls that the registrar names, and names of TLS peers.

use std::time::Duration;

use super::tests::*;
use super::*;
use crate::dialplan::plan::Next;
use crate::peer::account::Account;
use crate::peer::registration;
use crate::peer::route::Server;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Message, Request};

const CARRIER: &str = "10.0.0.9:5060";
const HOP: &str = "10.0.0.20:5060";

fn registering(server: &str) -> Trunk {
    let account = Account { username: "1000".into(), password: "secret".into(), realm: None };
    let registration = Some(registration::Settings { server: Uri::parse(server).unwrap(), account, expires_s: 600 });
    Trunk { registration, server: Uri::parse(server), ..Trunk::of_peers("carrier", vec![TRUNK.parse().unwrap()]) }
}

/// Nobody of the agents is there, so that calls go to a target.
fn switch(trunk: Trunk) -> Switch {
    let mut plans = plans();
    let mut hotline = (*plans.hotlines[0]).clone();
    hotline.agents.nobody = Next::Target("duty".into());
    let hotline = Arc::new(hotline);
    plans.by_number.insert("400".into(), Arc::clone(&hotline));
    plans.hotlines = vec![hotline];
    let target =
        CallTarget { name: "duty".into(), trunk: "carrier".into(), number: "13900000001".into(), keys: [].into() };
    let settings = Settings { trunks: vec![trunk], targets: vec![target], ..settings() };
    Switch::with(settings, plans)
}

fn says(request: &Request, status: u16, more: &str) -> String {
    let field = |name: Name| request.headers.text(&name).unwrap().to_owned();
    format!(
        "SIP/2.0 {status} X\nVia: {}\nFrom: {}\nTo: {};tag=t\nCall-ID: {}\nCSeq: {}\n{more}\n",
        field(Name::VIA),
        field(Name::FROM),
        field(Name::TO),
        field(Name::CALL_ID),
        field(Name::CSEQ)
    )
}

/// The last request of this method, and where it went.
fn last(switch: &Switch, method: &str) -> Option<(String, Request)> {
    switch.sent.iter().rev().find_map(|(to, message)| match message {
        Message::Request(r) if r.method.to_string() == method => Some((to.to_string(), r.clone())),
        _ => None,
    })
}

fn register(switch: &mut Switch, more: &str) {
    switch.pass(Duration::from_millis(1));
    let (_, request) = last(switch, "REGISTER").unwrap();
    switch.tell(CARRIER, &says(&request, 200, &format!("Expires: 600\n{more}")));
}

fn expires(switch: &Switch) -> Option<String> {
    last(switch, "REGISTER")?.1.headers.text(&Name::EXPIRES).map(str::to_owned)
}

#[test]
fn after_the_last_call_of_a_drain_the_registrar_is_told() {
    let mut switch = switch(registering("sip:10.0.0.9"));
    register(&mut switch, "");
    let (_, answer) = switch.answered(SDP);
    switch.tell(TRUNK, &theirs("ACK", 1, &tag(&answer), ""));
    switch.gateway.handle(switch.now, Input::Drain);
    switch.settle();
    assert_eq!(expires(&switch).as_deref(), Some("600"), "not while a call is up");
    switch.tell(TRUNK, &theirs("BYE", 2, &tag(&answer), ""));
    let [(call, caller), (_, agent)] = switch.legs[..] else { panic!("{:?}", switch.legs) };
    for leg in [caller, agent] {
        let received = crate::protocol::rtp::Received::default();
        switch.gateway.handle(switch.now, Input::Media(media::Event::Closed { call, leg, received }));
    }
    let (status, reason, sha256) = (RecordingStatus::Ok, None, None);
    let closed = RecordingClosed { call, status, reason, duration_ms: 0, sha256, parts: Vec::new() };
    switch.gateway.handle(switch.now, Input::Recording(closed));
    switch.pass(Duration::from_secs(1));
    assert_eq!((expires(&switch).as_deref(), switch.gateway.is_leaving()), (Some("0"), true));
    assert_eq!(switch.shown.last().map(|s| s.registered_until), Some(Some(None)));
    let (to, farewell) = last(&switch, "REGISTER").unwrap();
    assert_eq!(to, CARRIER);
    switch.tell(CARRIER, &says(&farewell, 200, ""));
    assert!(!switch.gateway.is_leaving());
    switch.sent.clear();
    switch.pass(Duration::from_secs(4_000));
    assert_eq!(last(&switch, "REGISTER").map(|(to, _)| to), None, "and that was the last");
}

#[test]
fn calls_go_first_where_the_registrar_says() {
    let mut switch = switch(registering("sip:10.0.0.9"));
    register(&mut switch, "Service-Route: <sip:10.0.0.20;lr>, <sip:10.0.0.9;lr>\n");
    let invite = requests(switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP))).remove(0);
    switch.tell(PHONE, &says(&invite, 486, ""));
    let (to, invite) = last(&switch, "INVITE").unwrap();
    assert_eq!((to.as_str(), invite.raw_uri.as_str()), (HOP, "sip:13900000001@10.0.0.9"));
    let routes: Vec<_> = invite.headers.list(&Name::ROUTE).collect();
    assert_eq!(routes, [&b"<sip:10.0.0.20;lr>"[..], b"<sip:10.0.0.9;lr>"]);
}

#[test]
fn a_hop_with_a_name_is_looked_up_and_until_then_the_server_has_to_do() {
    let mut switch = switch(registering("sip:10.0.0.9"));
    register(&mut switch, "Service-Route: <sip:edge.carrier.example;lr>\n");
    switch.pass(Duration::from_millis(1));
    let wanted = switch.asked_for.pop().unwrap();
    assert_eq!(wanted.host, "edge.carrier.example");
    let call = |switch: &mut Switch, n: u32| {
        let invite = theirs("INVITE", n, "", SDP).replace("Call-ID: c", &format!("Call-ID: c{n}"));
        let to_agent = requests(switch.tell(TRUNK, &invite)).remove(0);
        switch.tell(PHONE, &says(&to_agent, 486, ""));
        last(switch, "INVITE").unwrap().0
    };
    assert_eq!(call(&mut switch, 1), CARRIER);
    let server = Server {
        priority: 0,
        weight: 0,
        transport: Transport::Udp,
        port: 5060,
        addresses: vec!["10.0.0.20".parse().unwrap()],
    };
    let found = Some(Records { servers: vec![server], ttl: Duration::from_secs(60) });
    switch.gateway.handle(switch.now, Input::Resolved { destination: wanted, found });
    switch.settle();
    assert_eq!(call(&mut switch, 2), HOP);
}

#[test]
fn tls_peers_are_known_by_the_name_in_the_configuration() {
    let mut switch = switch(registering("sip:sip.carrier.example;transport=tls"));
    switch.pass(Duration::from_millis(1));
    let destination = switch.asked_for.pop().unwrap();
    let server = |transport, port, last| Server {
        priority: 0,
        weight: 0,
        transport,
        port,
        addresses: vec![std::net::IpAddr::from([10, 0, 0, last])],
    };
    let servers =
        vec![server(Transport::Tls, 5061, 30), server(Transport::Tls, 5071, 31), server(Transport::Tcp, 1, 9)];
    let found = Some(Records { servers, ttl: Duration::from_secs(60) });
    let before = switch.gateway.known_version();
    switch.gateway.handle(switch.now, Input::Resolved { destination, found });
    let names: Vec<String> = switch.gateway.tls_names().iter().map(|(at, name)| format!("{at} {name}")).collect();
    assert_eq!(names, ["10.0.0.30:5061 sip.carrier.example", "10.0.0.31:5071 sip.carrier.example"]);
    assert_ne!(switch.gateway.known_version(), before, "io is told");
}
