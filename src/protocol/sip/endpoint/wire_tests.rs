//! One endpoint and hand-written peers: what goes wrong between two stacks that do not agree.

use std::time::Duration;

use super::*;
use crate::clock::Wall;
use crate::limits;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Message, Response, parse_datagram};
use crate::protocol::sip::uri::Uri;

const PEER: &str = "10.0.0.9:5060";

pub(super) struct Solo {
    pub(super) endpoint: Endpoint,
    pub(super) now: Now,
    pub(super) events: Vec<(SessionId, EventKind)>,
}

impl Solo {
    pub(super) fn new() -> Solo {
        let listen = ["10.0.0.1:5060".parse().unwrap()];
        let listen = listen.into_iter().flat_map(|a| [(Transport::Udp, a), (Transport::Tcp, a)]).collect();
        let settings = Settings { listen, advertise: None, product: "test".into(), session_expires_s: None };
        let now = Now { mono: Instant::START, wall: Wall::from_micros(0) };
        Solo { endpoint: Endpoint::new(settings, Random::from_number(7)), now, events: Vec::new() }
    }

    pub(super) fn flow(connection: Option<u64>) -> Flow {
        let transport = if connection.is_some() { Transport::Tcp } else { Transport::Udp };
        let remote = if connection.is_some() { "10.0.0.9:41234" } else { PEER };
        Flow {
            transport,
            local: "10.0.0.1:5060".parse().unwrap(),
            remote: remote.parse().unwrap(),
            connection: connection.map(ConnectionId),
        }
    }

    pub(super) fn tell_over(&mut self, flow: Flow, text: &str) -> Vec<Sent> {
        self.endpoint.handle_datagram(self.now.mono, flow, self.now, true, text.replace('\n', "\r\n").as_bytes());
        self.drain()
    }

    pub(super) fn tell(&mut self, text: &str) -> Vec<Sent> {
        self.tell_over(Solo::flow(None), text)
    }

    pub(super) fn drain(&mut self) -> Vec<Sent> {
        while let Some(e) = self.endpoint.poll_event() {
            self.events.push((e.session, e.kind));
        }
        while self.endpoint.poll_count().is_some() {}
        std::iter::from_fn(|| self.endpoint.poll_transmit()).map(Sent).collect()
    }

    /// First lines of what is sent while this much time passes.
    pub(super) fn pass(&mut self, d: Duration) -> Vec<String> {
        let end = self.now.after(d);
        let mut out = Vec::new();
        while let Some((at, _)) = self.endpoint.poll_timeout().filter(|(at, _)| *at <= end.mono) {
            self.now = self.now.after(at.since(self.now.mono));
            self.endpoint.handle_timeout(self.now);
            out.extend(self.drain().iter().map(Sent::line));
        }
        self.now = end;
        out
    }

    pub(super) fn rest(&mut self) {
        self.pass(Duration::from_secs(600));
        assert!(self.endpoint.is_idle(), "{:#?}", self.endpoint);
    }

    pub(super) fn session(&self) -> SessionId {
        self.events.iter().find(|(_, k)| matches!(k, EventKind::Invite { .. })).unwrap().0
    }

    pub(super) fn count(&self, wanted: fn(&EventKind) -> bool) -> usize {
        self.events.iter().filter(|(_, k)| wanted(k)).count()
    }

    /// Their INVITE, answered; with the To tag that we gave.
    pub(super) fn established(&mut self) -> (SessionId, String) {
        self.tell(&invite(""));
        let session = self.session();
        self.endpoint.accept(self.now.mono, session, b"v=0".to_vec());
        let tag = self.drain()[0].response().to_tag().unwrap();
        self.tell(&in_dialog("ACK", 1, &tag, "k1", ""));
        assert_eq!(self.count(|k| matches!(k, EventKind::Acknowledged { .. })), 1);
        (session, tag)
    }

    /// Our INVITE; its branch, From with tag and Call-ID.
    pub(super) fn calling(&mut self) -> (SessionId, Sent) {
        self.calling_with(b"v=0")
    }

    pub(super) fn calling_with(&mut self, offer: &[u8]) -> (SessionId, Sent) {
        let call = OutgoingInvite {
            target: Uri::parse("sip:8@10.0.0.9").unwrap(),
            transport: Transport::Udp,
            destination: PEER.parse().unwrap(),
            flow: None,
            caller: Some("139".into()),
            offer: offer.to_vec(),
            max_forwards: 70,
        };
        let session = self.endpoint.invite(self.now.mono, call).unwrap();
        (session, self.drain().remove(0))
    }
}

pub(super) struct Sent(pub(super) Transmit);

impl Sent {
    pub(super) fn line(&self) -> String {
        String::from_utf8_lossy(&self.0.bytes).lines().next().unwrap_or_default().to_owned()
    }

    pub(super) fn message(&self) -> Message {
        parse_datagram(&self.0.bytes).unwrap().message
    }

    pub(super) fn response(&self) -> Response {
        match self.message() {
            Message::Response(r) => r,
            Message::Request(r) => panic!("{r:?}"),
        }
    }

    pub(super) fn request(&self) -> Request {
        match self.message() {
            Message::Request(r) => r,
            Message::Response(r) => panic!("{r:?}"),
        }
    }

    /// An answer to this request of ours.
    pub(super) fn answer(&self, status: u16, tag: &str, extra: &str) -> String {
        let r = self.request();
        let field = |name: Name| String::from_utf8_lossy(r.headers.first(&name).unwrap()).into_owned();
        format!(
            "SIP/2.0 {status} X\nVia: {}\nFrom: {}\nTo: {}{tag}\nCall-ID: {}\nCSeq: {}\n{extra}\n",
            field(Name::VIA),
            field(Name::FROM),
            field(Name::TO),
            field(Name::CALL_ID),
            field(Name::CSEQ)
        )
    }
}

pub(super) fn lines(sent: &[Sent]) -> Vec<String> {
    sent.iter().map(Sent::line).collect()
}

pub(super) fn request(method: &str, branch: &str, seq: u32, to: &str, extra: &str) -> String {
    format!(
        "{method} sip:400@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{branch}\nFrom: <sip:a@h>;tag=f\nTo: <sip:400@h>{to}\nCall-ID: c\nCSeq: {seq} {method}\nContact: <sip:a@10.0.0.9>\n{extra}\n"
    )
}

pub(super) fn invite(extra: &str) -> String {
    request("INVITE", "i", 1, "", extra)
}

pub(super) fn in_dialog(method: &str, seq: u32, tag: &str, branch: &str, extra: &str) -> String {
    request(method, branch, seq, &format!(";tag={tag}"), extra)
}

pub(super) const SDP: &str = "Content-Type: application/sdp\n";

#[test]
fn a_malformed_invite_is_answered_again_and_its_ack_ends_that() {
    let mut solo = Solo::new();
    let bad = invite("").replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    assert_eq!(lines(&solo.tell(&bad)), ["SIP/2.0 400 CSeq Method Does Not Match"]);
    assert_eq!(lines(&solo.tell(&bad)), ["SIP/2.0 400 CSeq Method Does Not Match"], "the first copy may be lost");
    assert_eq!(solo.pass(Duration::from_secs(1)).len(), 1);
    let ack = bad.replacen("INVITE", "ACK", 1);
    assert_eq!(lines(&solo.tell(&ack)), [""; 0]);
    assert_eq!(solo.pass(Duration::from_secs(40)).len(), 0);
    solo.rest();
}

#[test]
fn a_flood_is_answered_without_state_and_a_bye_still_works() {
    let mut solo = Solo::new();
    let (_, tag) = solo.established();
    for n in 0..limits::SIP_TRANSACTIONS + 1_000 {
        let kind = ["OPTIONS", "FOO", "INVITE"][n % 3];
        let text =
            request(kind, &format!("flood{n}"), 1, "", "Content-Length: x\n").replace("Call-ID: c", "Call-ID: d");
        solo.endpoint.handle_datagram(
            solo.now.mono,
            Solo::flow(None),
            solo.now,
            true,
            text.replace('\n', "\r\n").as_bytes(),
        );
        solo.drain();
    }
    assert!(solo.endpoint.transaction_count() <= limits::SIP_TRANSACTIONS);
    let late = request("INVITE", "late", 1, "", "").replace("Call-ID: c", "Call-ID: e");
    let answers = [solo.tell(&late).remove(0), solo.tell(&late).remove(0)];
    assert_eq!(answers[0].line(), "SIP/2.0 503 Service Unavailable");
    assert!(answers[0].response().headers.first(&Name::RETRY_AFTER).is_some());
    assert_eq!(answers[0].response(), answers[1].response(), "section 8.2.7: the same tag each time");
    assert_eq!(lines(&solo.tell(&in_dialog("BYE", 2, &tag, "b", ""))), ["SIP/2.0 200 OK"]);
    solo.rest();
}

#[test]
fn a_third_copy_of_a_merged_request_is_merged_too() {
    let mut solo = Solo::new();
    assert_eq!(lines(&solo.tell(&invite(""))), ["SIP/2.0 100 Trying"]);
    let other = |branch: &str| request("INVITE", branch, 1, "", "");
    assert_eq!(lines(&solo.tell(&other("j"))), ["SIP/2.0 482 Loop Detected"]);
    solo.tell(&other("j").replacen("INVITE", "ACK", 1).replace("1 INVITE", "1 ACK"));
    solo.pass(Duration::from_secs(10));
    assert_eq!(lines(&solo.tell(&other("k"))), ["SIP/2.0 482 Loop Detected"]);
    let session = solo.session();
    solo.endpoint.reject(solo.now, session, 404, None);
    solo.drain();
    solo.rest();
}

#[test]
fn an_invite_while_another_is_open_gets_500_and_after_our_bye_481() {
    let mut solo = Solo::new();
    let (session, tag) = solo.established();
    assert_eq!(lines(&solo.tell(&in_dialog("INVITE", 2, &tag, "r1", ""))), ["SIP/2.0 100 Trying"]);
    let second = solo.tell(&in_dialog("INVITE", 3, &tag, "r2", ""));
    assert_eq!(lines(&second), ["SIP/2.0 500 Server Internal Error"]);
    assert!(second[0].response().headers.first(&Name::RETRY_AFTER).is_some());
    solo.endpoint.accept_reoffer(solo.now.mono, session, b"v=0".to_vec());
    assert_eq!(lines(&solo.drain()), ["SIP/2.0 200 OK"]);
    assert_eq!(lines(&solo.tell(&in_dialog("INVITE", 4, &tag, "r3", ""))), ["SIP/2.0 491 Request Pending"]);
    solo.tell(&in_dialog("ACK", 2, &tag, "k2", ""));
    solo.endpoint.hang_up(solo.now, session);
    assert!(solo.drain()[0].line().starts_with("BYE"));
    let crossing = in_dialog("INVITE", 5, &tag, "r4", "");
    assert_eq!(lines(&solo.tell(&crossing)), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
    solo.rest();
}

#[test]
fn a_reinvite_that_nobody_answers_does_not_outlive_its_session() {
    // The owner hangs up while the re-INVITE waits.
    let mut solo = Solo::new();
    let (session, tag) = solo.established();
    solo.tell(&in_dialog("INVITE", 2, &tag, "r1", ""));
    solo.endpoint.hang_up(solo.now, session);
    let sent = lines(&solo.drain());
    assert_eq!(sent[0], "SIP/2.0 487 Request Terminated");
    assert!(sent[1].starts_with("BYE"));
    solo.rest();
    // The peer takes it back: the session goes on.
    let mut solo = Solo::new();
    let (session, tag) = solo.established();
    solo.tell(&in_dialog("INVITE", 2, &tag, "r1", ""));
    let sent = lines(&solo.tell(&in_dialog("CANCEL", 2, &tag, "r1", "")));
    assert_eq!(sent, ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    assert_eq!(solo.count(|k| matches!(k, EventKind::Cancelled | EventKind::Terminated)), 0);
    solo.endpoint.hang_up(solo.now, session);
    assert!(solo.drain()[0].line().starts_with("BYE"));
    solo.rest();
}

#[test]
fn an_invite_whose_answer_cannot_be_written_leaves_nothing() {
    let mut solo = Solo::new();
    solo.tell(&invite(""));
    let session = solo.session();
    solo.endpoint.handle_send_failure(solo.now, session);
    assert_eq!(lines(&solo.drain()), ["SIP/2.0 500 Server Internal Error"]);
    assert_eq!(solo.count(|k| matches!(k, EventKind::Terminated)), 1);
    solo.rest();
}

#[test]
fn bodies_that_are_no_sdp_get_415_and_multipart_is_opened() {
    let mut solo = Solo::new();
    let plain = solo.tell(&request("INVITE", "p", 1, "", "Content-Type: text/plain\n\nhello"));
    assert_eq!(lines(&plain), ["SIP/2.0 415 Unsupported Media Type"]);
    assert_eq!(plain[0].response().headers.text(&Name::ACCEPT), Some("application/sdp"));
    let parts = "Content-Type: multipart/mixed;boundary=b\n\n--b\nContent-Type: application/sdp\n\nv=0\n--b--\n";
    let text = request("INVITE", "m", 1, "", parts).replace("Call-ID: c", "Call-ID: m");
    assert_eq!(lines(&solo.tell(&text)), ["SIP/2.0 100 Trying"]);
    let body = solo.events.iter().find_map(|(_, k)| match k {
        EventKind::Invite { request, .. } => Some(request.body.clone()),
        _ => None,
    });
    assert_eq!(body.as_deref(), Some(&b"v=0"[..]));
}

#[test]
fn the_100_carries_the_timestamp_and_no_tag() {
    let mut solo = Solo::new();
    let sent = solo.tell(&invite("Timestamp: 54\n"));
    assert_eq!(sent[0].response().headers.text(&Name::TIMESTAMP), Some("54"));
    assert_eq!(sent[0].response().to_tag(), None);
    let session = solo.session();
    solo.endpoint.ring(solo.now.mono, session, 180, Vec::new());
    let ring = solo.drain()[0].response();
    assert_eq!(ring.headers.first(&Name::TIMESTAMP), None);
    assert!(ring.to_tag().is_some());
}

#[test]
fn an_ack_of_a_2xx_with_the_branch_of_the_invite_counts_once() {
    let mut solo = Solo::new();
    solo.tell(&invite(""));
    let session = solo.session();
    solo.endpoint.accept(solo.now.mono, session, b"v=0".to_vec());
    let tag = solo.drain()[0].response().to_tag().unwrap();
    solo.tell(&in_dialog("ACK", 1, &tag, "i", ""));
    assert_eq!(solo.count(|k| matches!(k, EventKind::Acknowledged { .. })), 1);
    let acks = |k: &EventKind| matches!(k, EventKind::Received { label: Label::Request(m) } if *m == Method::ACK);
    assert_eq!(solo.count(acks), 1);
    assert_eq!(solo.pass(Duration::from_secs(40)), [""; 0]);
}

#[test]
fn a_response_with_two_vias_is_not_ours() {
    let mut solo = Solo::new();
    let (_, sent) = solo.calling();
    let text =
        sent.answer(486, ";tag=t", "").replacen("\nFrom:", "\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\nFrom:", 1);
    assert_eq!(lines(&solo.tell(&text)), [""; 0]);
    assert_eq!(solo.count(|k| matches!(k, EventKind::Failed { .. })), 0);
    assert_eq!(lines(&solo.tell(&sent.answer(486, ";tag=t", ""))).len(), 1, "its ACK");
    solo.rest();
}

#[test]
fn forks_are_acknowledged_and_ended_up_to_a_bound() {
    let mut solo = Solo::new();
    let (session, sent) = solo.calling();
    let contact = format!("Contact: <sip:8@10.0.0.9>\n{SDP}\nv=0");
    let first = solo.tell(&sent.answer(200, ";tag=t0", &contact));
    assert_eq!(first.len(), 1);
    assert!(first[0].line().starts_with("ACK"));
    let again = solo.tell(&sent.answer(200, ";tag=t0", &contact));
    assert_eq!(again[0].0.bytes, first[0].0.bytes, "the same ACK");
    let second = lines(&solo.tell(&sent.answer(200, ";tag=t1", &contact)));
    assert!(second[0].starts_with("ACK") && second[1].starts_with("BYE"));
    for n in 2..500 {
        solo.tell(&sent.answer(200, &format!(";tag=t{n}"), &contact));
    }
    assert!(solo.endpoint.transaction_count() < 20, "{}", solo.endpoint.transaction_count());
    assert_eq!(solo.count(|k| matches!(k, EventKind::Answered { .. })), 1);
    solo.endpoint.hang_up(solo.now, session);
    solo.drain();
    solo.rest();
}

#[test]
fn a_2xx_without_contact_and_tag_is_acknowledged_and_can_be_ended() {
    let mut solo = Solo::new();
    let (session, sent) = solo.calling();
    let ack = solo.tell(&sent.answer(200, "", &format!("{SDP}\nv=0")));
    assert_eq!(ack[0].line(), "ACK sip:8@10.0.0.9 SIP/2.0");
    solo.endpoint.hang_up(solo.now, session);
    let bye = solo.drain();
    assert_eq!(bye[0].line(), "BYE sip:8@10.0.0.9 SIP/2.0");
    solo.tell(&bye[0].answer(200, "", ""));
    assert_eq!(solo.count(|k| matches!(k, EventKind::Terminated)), 1);
    solo.rest();
}

#[test]
fn a_provisional_response_of_another_fork_changes_nothing() {
    let mut solo = Solo::new();
    let (session, sent) = solo.calling();
    solo.tell(&sent.answer(180, ";tag=t0", "Contact: <sip:x@10.0.0.7>\n"));
    solo.tell(&sent.answer(183, ";tag=t1", "Contact: <sip:y@10.0.0.8>\n"));
    let ack = solo.tell(&sent.answer(200, ";tag=t2", "Contact: <sip:z@10.0.0.6>\n"));
    assert_eq!(ack[0].line(), "ACK sip:z@10.0.0.6 SIP/2.0");
    solo.endpoint.hang_up(solo.now, session);
    solo.drain();
    solo.rest();
}

#[test]
fn route_and_contact_with_names_go_back_to_the_source() {
    let mut solo = Solo::new();
    solo.tell(
        &invite("Record-Route: <sip:proxy.example;lr>\n").replace("<sip:a@10.0.0.9>", "<sip:a@phone.example:5099>"),
    );
    let session = solo.session();
    solo.endpoint.accept(solo.now.mono, session, b"v=0".to_vec());
    let ok = solo.drain();
    assert_eq!(ok[0].response().headers.text(&Name::RECORD_ROUTE), Some("<sip:proxy.example;lr>"));
    let tag = ok[0].response().to_tag().unwrap();
    solo.tell(&in_dialog("ACK", 1, &tag, "k", ""));
    solo.endpoint.hang_up(solo.now, session);
    let bye = solo.drain();
    assert_eq!(bye[0].line(), "BYE sip:a@phone.example:5099 SIP/2.0");
    assert_eq!(bye[0].request().headers.text(&Name::ROUTE), Some("<sip:proxy.example;lr>"));
    assert_eq!(bye[0].0.flow.remote, PEER.parse().unwrap());
    solo.rest();
}

#[test]
fn over_a_stream_answers_name_the_connection_and_the_port_to_fall_back_to() {
    let mut solo = Solo::new();
    let text =
        invite("").replace("UDP 10.0.0.9", "TCP 10.0.0.9:5070").replace("<sip:a@10.0.0.9>", "<sip:a@10.0.0.9:5071>");
    let sent = solo.tell_over(Solo::flow(Some(3)), &text);
    let flow = sent[0].0.flow;
    assert_eq!((flow.connection, flow.remote), (Some(ConnectionId(3)), "10.0.0.9:5070".parse().unwrap()));
    let session = solo.session();
    solo.endpoint.accept(solo.now.mono, session, b"v=0".to_vec());
    let tag = solo.drain()[0].response().to_tag().unwrap();
    solo.tell_over(Solo::flow(Some(3)), &in_dialog("ACK", 1, &tag, "k", ""));
    solo.endpoint.hang_up(solo.now, session);
    let flow = solo.drain()[0].0.flow;
    assert_eq!((flow.connection, flow.remote), (Some(ConnectionId(3)), "10.0.0.9:5071".parse().unwrap()));
    solo.rest();
}

#[test]
fn options_tell_that_we_drain() {
    let mut solo = Solo::new();
    let (_, tag) = solo.established();
    assert_eq!(lines(&solo.tell(&request("OPTIONS", "o1", 1, "", ""))), ["SIP/2.0 200 OK"]);
    solo.endpoint.drain();
    assert_eq!(lines(&solo.tell(&request("OPTIONS", "o2", 1, "", ""))), ["SIP/2.0 503 Service Unavailable"]);
    assert_eq!(lines(&solo.tell(&in_dialog("OPTIONS", 2, &tag, "o3", ""))), ["SIP/2.0 200 OK"], "this call goes on");
}

#[test]
fn a_peer_of_rfc_2543_needs_no_contact() {
    let mut solo = Solo::new();
    let text =
        invite("").replace(";branch=z9hG4bKi", "").replace("Contact: <sip:a@10.0.0.9>\n", "").replace(";tag=f", "");
    assert_eq!(lines(&solo.tell(&text)), ["SIP/2.0 100 Trying"]);
    let session = solo.session();
    solo.endpoint.accept(solo.now.mono, session, b"v=0".to_vec());
    let tag = solo.drain()[0].response().to_tag().unwrap();
    solo.tell(&text.replace("INVITE", "ACK").replace("<sip:400@h>", &format!("<sip:400@h>;tag={tag}")));
    assert_eq!(solo.count(|k| matches!(k, EventKind::Acknowledged { .. })), 1);
    solo.endpoint.hang_up(solo.now, session);
    assert_eq!(lines(&solo.drain()), ["BYE sip:a@h SIP/2.0"]);
    solo.rest();
    let mut solo = Solo::new();
    let modern = invite("").replace("Contact: <sip:a@10.0.0.9>\n", "");
    assert_eq!(lines(&solo.tell(&modern)), ["SIP/2.0 400 Missing Contact"]);
}

#[test]
fn cancel_matches_by_the_top_via_alone() {
    let mut solo = Solo::new();
    let two = "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi, SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKfar\n";
    let with_two = |text: String| text.replace("Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi\n", two);
    solo.tell(&with_two(invite("")));
    // A proxy's CANCEL has its own Via only.
    let sent = lines(&solo.tell(&request("CANCEL", "i", 1, "", "")));
    assert_eq!(sent, ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    assert_eq!(solo.count(|k| matches!(k, EventKind::Cancelled)), 1);
    solo.rest();
}

#[test]
fn the_same_branch_from_another_address_makes_no_second_call() {
    let mut solo = Solo::new();
    solo.tell(&invite(""));
    let other = Flow { remote: "10.0.0.8:5060".parse().unwrap(), ..Solo::flow(None) };
    let sent = solo.tell_over(other, &invite(""));
    assert_eq!(sent[0].0.flow.remote, PEER.parse().unwrap(), "answered where the first came from");
    assert_eq!(solo.count(|k| matches!(k, EventKind::Invite { .. })), 1);
}

#[test]
fn a_branch_of_the_cookie_alone_does_not_join_two_requests() {
    let mut solo = Solo::new();
    let bare = |seq| request("OPTIONS", "", seq, "", "");
    assert_eq!(lines(&solo.tell(&bare(1))), ["SIP/2.0 200 OK"]);
    let second = solo.tell(&bare(2));
    assert_eq!(second[0].response().cseq().map(|(n, _)| n), Some(2), "not the answer to the first");
}

#[test]
fn an_invitation_is_over_when_its_expires_says_so_unless_it_was_answered() {
    let waits = |d: u64, expires: &str| {
        let mut solo = Solo::new();
        solo.tell(&invite(expires));
        let sent = solo.pass(Duration::from_secs(d));
        (solo, sent)
    };
    let (solo, sent) = waits(9, "Expires: 10\n");
    assert_eq!((sent, solo.count(|k| matches!(k, EventKind::Cancelled))), (Vec::new(), 0));
    let (mut solo, sent) = waits(10, "Expires: 10\n");
    assert_eq!(sent, ["SIP/2.0 487 Request Terminated"]);
    assert_eq!(solo.count(|k| matches!(k, EventKind::Cancelled)), 1);
    solo.rest();
    let (mut solo, sent) = waits(3_600, "Expires: soon\n");
    assert_eq!(sent, [""; 0], "no number");
    solo.endpoint.hang_up(solo.now, solo.session());
    solo.rest();
    let mut solo = Solo::new();
    solo.tell(&invite("Expires: 10\n"));
    solo.endpoint.accept(solo.now.mono, solo.session(), b"v=0".to_vec());
    let tag = solo.drain()[0].response().to_tag().unwrap();
    solo.tell(&in_dialog("ACK", 1, &tag, "k1", ""));
    assert_eq!(solo.pass(Duration::from_secs(60)), [""; 0], "an answered call goes on");
    assert_eq!(solo.count(|k| matches!(k, EventKind::Cancelled | EventKind::Terminated)), 0);
}
