//! What the endpoint says of itself, and what it refuses by itself.

use super::tests::Pair;
use super::*;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Message, Response, parse_datagram};

/// What the called side answers to these bytes, by UDP.
fn says(pair: &mut Pair, bytes: &[u8]) -> Vec<Response> {
    let (local, remote) = (pair.b.address, "10.0.0.9:5060".parse().unwrap());
    let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
    answers(&mut pair.b.endpoint, flow, pair.now, bytes)
}

fn answers(endpoint: &mut Endpoint, flow: Flow, now: Now, bytes: &[u8]) -> Vec<Response> {
    endpoint.handle_datagram(now.mono, flow, now, true, bytes);
    let response = |t: Transmit| match parse_datagram(&t.bytes).unwrap().message {
        Message::Response(r) => Some(r),
        Message::Request(_) => None,
    };
    std::iter::from_fn(|| endpoint.poll_transmit()).filter_map(response).collect()
}

fn request(method: &str, n: u32) -> Vec<u8> {
    format!(
        "{method} sip:10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{n}\r\nFrom: <sip:a@h>;tag=f\r\n\
         To: <sip:10.0.0.2>\r\nCall-ID: {n}\r\nCSeq: 1 {method}\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn allow_names_register_where_it_is_served() {
    let mut pair = Pair::new();
    let mut n = 0;
    let mut allowed = |pair: &mut Pair, method: &str| {
        n += 1;
        let response = says(pair, &request(method, n)).remove(0);
        let listed = response.headers.list(&Name::ALLOW).any(|method| method == b"REGISTER");
        (response.status, listed)
    };
    for served in [false, true, false] {
        pair.b.endpoint.serve_register(served);
        assert_eq!(allowed(&mut pair, "OPTIONS"), (200, served));
        assert_eq!(allowed(&mut pair, "SUBSCRIBE"), (405, served));
        assert_eq!(allowed(&mut pair, "FOO"), (501, served));
    }
}

#[test]
fn an_invite_of_ours_that_comes_back_is_a_loop() {
    let mut pair = Pair::new();
    pair.drop = |_, _| true;
    pair.call();
    let flow = Flow { transport: Transport::Udp, local: pair.a.address, remote: pair.b.address, connection: None };
    let invite = |pair: &mut Pair| {
        pair.a.endpoint.invite(
            pair.now.mono,
            OutgoingInvite {
                target: crate::protocol::sip::uri::Uri::parse("sip:400@10.0.0.2").unwrap(),
                transport: Transport::Udp,
                destination: pair.b.address,
                flow: None,
                caller: None,
                offer: Vec::new(),
                max_forwards: 70,
            },
        );
        let sent = pair.a.endpoint.poll_transmit().unwrap();
        String::from_utf8(sent.bytes.to_vec()).unwrap()
    };
    let ours = invite(&mut pair);
    // A proxy sends it back: with our Via below its own, and with ours hidden.
    let own_via = ours.lines().find(|line| line.starts_with("Via:")).unwrap().to_owned();
    let theirs = "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKproxy";
    for via in [format!("{theirs}\r\n{own_via}"), format!("{theirs}2")] {
        let back = ours.replace(&own_via, &via);
        let statuses: Vec<u16> =
            answers(&mut pair.a.endpoint, flow, pair.now, back.as_bytes()).iter().map(|r| r.status).collect();
        assert_eq!(statuses, [482], "{back}");
    }
    // Another call from there is none.
    let other = ours.replace(&own_via, &format!("{theirs}3")).replace("CSeq: 1 ", "CSeq: 2 ");
    assert_eq!(answers(&mut pair.a.endpoint, flow, pair.now, other.as_bytes())[0].status, 100);
}
