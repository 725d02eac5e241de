//! Voice quality reports of peers (RFC 6035): PUBLISH and NOTIFY of the event `vq-rtcpxr`, outside dialogs or within one.
//!
//! They are answered here. Who may send them is who may send at all: trunks, phones, and the peer of a live dialog.

use super::incoming::{Answer, Asked, to_tag};
use super::{Endpoint, SessionId};
use crate::clock::Now;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::vocabulary::Method;
use crate::protocol::sip::voice_quality::{self, Report};

const EVENT: &str = "vq-rtcpxr";
const ACCEPT: &str = "application/vq-rtcpxr";

/// A report that was answered with 200.
#[derive(Debug)]
pub struct Reported {
    /// Receive stamp.
    pub at: Now,
    /// The dialog that it came in.
    pub session: Option<SessionId>,
    pub report: Box<Report>,
}

/// Whether a request is one; all other events are refused as any method is that we do not know.
pub(super) fn is_report(request: &Request) -> bool {
    let event = request.headers.text(&Name::EVENT).and_then(|event| event.split(';').next());
    let method = &request.method;
    (*method == Method::PUBLISH || *method == Method::NOTIFY) && event.is_some_and(|e| e.trim() == EVENT)
}

impl Endpoint {
    pub fn poll_report(&mut self) -> Option<Reported> {
        self.reports.pop_front()
    }

    /// The Call-ID of a session in a dialog.
    pub fn call_id_of(&self, session: SessionId) -> Option<&str> {
        Some(&self.sessions.get(&session)?.dialog.as_ref()?.id.call_id)
    }

    pub(super) fn handle_report(&mut self, asked: Asked<'_>, session: Option<SessionId>) {
        let (at, request) = (asked.at, asked.request);
        if session.is_none() && to_tag(request).is_some() {
            return self.answer(asked, Answer::status(481));
        }
        let mut answer = Answer::status(200);
        // Without a body a publication is renewed or taken back (RFC 3903 section 4): there is nothing to be kept alive.
        if !request.body.is_empty() {
            let named = request.headers.text(&Name::CONTENT_TYPE).is_some_and(voice_quality::is_report);
            match named.then(|| voice_quality::parse(&request.body)).flatten() {
                Some(report) => self.reports.push_back(Reported { at, session, report: Box::new(report) }),
                None => answer = Answer::status(415).with(Name::ACCEPT, ACCEPT),
            }
        }
        if request.method == Method::PUBLISH && answer.is_success() {
            answer = answer.with(Name::SIP_ETAG, self.tag_of(&asked.key)).with(Name::EXPIRES, "0");
        }
        self.answer(asked, answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Instant, Wall};
    use crate::ids::Random;
    use crate::protocol::sip::endpoint::{Flow, Settings, Transport};
    use crate::protocol::sip::message::{Message, parse_datagram};

    const BODY: &str = "VQSessionReport: CallTerm\r\nCallID: c1\r\nLocalMetrics:\r\nQualityEst: MOSLQ=4.2\r\n";

    /// Status, SIP-ETag and Expires of the answer, and whether a report came of it.
    fn asked(method: &str, event: &str, kind: &str, body: &str, trusted: bool) -> Option<(u16, bool, bool)> {
        let listen = vec![(Transport::Udp, "192.0.2.1:5060".parse().unwrap())];
        let settings = Settings { listen, advertise: None, product: "test".into(), session_expires_s: None };
        let mut endpoint = Endpoint::new(settings, Random::from_number(1));
        let text = format!(
            "{method} sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKr\r\nMax-Forwards: 70\r\n\
             From: <sip:8@192.0.2.9>;tag=a\r\nTo: <sip:192.0.2.1>\r\nCall-ID: p\r\nCSeq: 1 {method}\r\nEvent: {event}\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let now = Now { mono: Instant::from_millis(1), wall: Wall::from_micros(0) };
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.9:5060".parse().unwrap(),
            connection: None,
        };
        endpoint.handle_datagram(now.mono, flow, now, trusted, text.as_bytes());
        let Message::Response(response) = parse_datagram(&endpoint.poll_transmit()?.bytes).ok()?.message else {
            return None;
        };
        let published = response.headers.text(&Name::SIP_ETAG).is_some_and(|tag| !tag.is_empty())
            && response.headers.text(&Name::EXPIRES) == Some("0");
        Some((response.status, published, endpoint.poll_report().is_some()))
    }

    #[test]
    fn reports_of_those_who_may_speak_are_taken_and_no_others() {
        assert_eq!(asked("PUBLISH", EVENT, ACCEPT, BODY, true), Some((200, true, true)));
        assert_eq!(asked("NOTIFY", "vq-rtcpxr;id=1", ACCEPT, BODY, true), Some((200, false, true)));
        assert_eq!(asked("PUBLISH", EVENT, ACCEPT, BODY, false), None, "a stranger gets silence");
        assert_eq!(asked("PUBLISH", EVENT, ACCEPT, "", true), Some((200, true, false)));
        assert_eq!(asked("PUBLISH", EVENT, "text/plain", BODY, true), Some((415, false, false)));
        assert_eq!(asked("PUBLISH", EVENT, ACCEPT, "hello", true), Some((415, false, false)));
        assert_eq!(asked("PUBLISH", "presence", ACCEPT, BODY, true), Some((405, false, false)));
    }
}
