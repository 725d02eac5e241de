//! Dialogs (RFC 3261 section 12): who, in which order, by which way.

use super::address::Address;
use super::header::Name;
use super::message::{Request, Response};
use super::uri::{Scheme, Uri};
use super::via::MAGIC_COOKIE;
use super::vocabulary::Method;

/// Section 12.1: what identifies a dialog from our side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DialogId {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: String,
}

#[derive(Debug, Clone)]
pub struct Dialog {
    pub id: DialogId,
    /// From and To as we write them in requests, tags included, bytes as the peer wrote them.
    local: Vec<u8>,
    remote: Vec<u8>,
    local_seq: u32,
    remote_seq: Option<u32>,
    /// Values of Route, in order of travel.
    route_set: Vec<Vec<u8>>,
    remote_target: String,
}

/// A request of the peer that comes out of order (section 12.2.2): answered with 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder;

impl Dialog {
    /// As UAS, when the first response with our tag is built (section 12.1.1).
    pub fn from_request(request: &Request, local_tag: &str) -> Option<Dialog> {
        let from = request.headers.first(&Name::FROM)?;
        let to = request.headers.first(&Name::TO)?;
        // RFC 2543 did without Contact: such a peer is called back at its From.
        let old = request.top_via()?.branch().is_none_or(|branch| !branch.starts_with(MAGIC_COOKIE));
        let contact = match request.headers.list(&Name::CONTACT).next() {
            Some(contact) => target(contact)?,
            None => Address::parse(from).filter(|_| old)?,
        };
        Some(Dialog {
            id: DialogId {
                call_id: request.headers.text(&Name::CALL_ID)?.to_owned(),
                local_tag: local_tag.to_owned(),
                // RFC 2543 peers have no tag; it counts as empty.
                remote_tag: Address::parse(from)?.tag().unwrap_or_default().to_owned(),
            },
            local: [to, b";tag=", local_tag.as_bytes()].concat(),
            remote: from.to_vec(),
            local_seq: 0,
            remote_seq: request.cseq(),
            route_set: request.headers.list(&Name::RECORD_ROUTE).map(<[u8]>::to_vec).collect(),
            remote_target: contact.uri.as_str().to_owned(),
        })
    }

    /// As UAC, from a response with a To tag (section 12.1.2).
    pub fn from_response(request: &Request, response: &Response) -> Option<Dialog> {
        let from = request.headers.first(&Name::FROM)?;
        let to = response.headers.first(&Name::TO)?;
        let contact = response.headers.list(&Name::CONTACT).next().and_then(target);
        let mut route_set: Vec<Vec<u8>> = response.headers.list(&Name::RECORD_ROUTE).map(<[u8]>::to_vec).collect();
        route_set.reverse();
        Some(Dialog {
            id: DialogId {
                call_id: request.headers.text(&Name::CALL_ID)?.to_owned(),
                local_tag: Address::parse(from)?.tag()?.to_owned(),
                remote_tag: Address::parse(to)?.tag().unwrap_or_default().to_owned(),
            },
            local: from.to_vec(),
            remote: to.to_vec(),
            local_seq: request.cseq()?,
            remote_seq: None,
            route_set,
            // A 2xx without such a Contact breaks section 12.1.1; the address that we called is the best guess there is.
            remote_target: contact.map_or_else(|| request.raw_uri.clone(), |c| c.uri.as_str().to_owned()),
        })
    }

    /// Goes on counting where the early dialog of the same tags had come to (its PRACKs and UPDATEs).
    pub fn resume(&mut self, early: &Dialog) {
        self.local_seq = self.local_seq.max(early.local_seq);
        self.remote_seq = self.remote_seq.max(early.remote_seq);
    }

    /// Leaves room for requests within a dialog that is no longer known: numbers need only rise (section 12.2.1.1).
    pub fn skip_ahead(&mut self) {
        self.local_seq += 1_000;
    }

    /// A new request within the dialog (section 12.2.1.1); Via, Contact and body are the caller's to add.
    pub fn request(&mut self, method: &Method) -> Request {
        self.local_seq += 1;
        self.with_seq(method, self.local_seq)
    }

    /// The ACK of a 2xx: the sequence number of its INVITE (section 13.2.2.4).
    pub fn ack(&self, invite_seq: u32) -> Request {
        self.with_seq(&Method::ACK, invite_seq)
    }

    fn with_seq(&self, method: &Method, seq: u32) -> Request {
        let loose = self.first_hop().is_none_or(|uri| uri.param("lr").is_some());
        let mut routes: Vec<&[u8]> = self.route_set.iter().map(Vec::as_slice).collect();
        // Strict routing (RFC 2543): the first route becomes the Request-URI, the target travels as the last Route.
        let target = format!("<{}>", self.remote_target);
        let mut request = if loose {
            Request::new(method.clone(), &self.remote_target)
        } else {
            routes.remove(0);
            routes.push(target.as_bytes());
            Request::new(method.clone(), self.first_hop().as_ref().map_or(self.remote_target.as_str(), Uri::as_str))
        };
        let h = &mut request.headers;
        for route in routes {
            h.push(Name::ROUTE, route);
        }
        h.push(Name::MAX_FORWARDS, "70");
        h.push(Name::FROM, self.local.clone());
        h.push(Name::TO, self.remote.clone());
        h.push(Name::CALL_ID, self.id.call_id.clone());
        h.push(Name::CSEQ, format!("{seq} {method}"));
        request
    }

    /// A request of the peer within the dialog: its sequence number must rise (section 12.2.2).
    pub fn accept(&mut self, request: &Request) -> Result<(), OutOfOrder> {
        let seq = request.cseq().ok_or(OutOfOrder)?;
        if self.remote_seq.is_some_and(|before| seq <= before) {
            return Err(OutOfOrder);
        }
        self.remote_seq = Some(seq);
        Ok(())
    }

    /// A re-INVITE or its 2xx may move the peer (target refresh, section 12.2.1.2).
    pub fn refresh_target(&mut self, contact: Option<&[u8]>) {
        if let Some(address) = contact.and_then(target) {
            self.remote_target = address.uri.as_str().to_owned();
        }
    }

    /// The URI of the host that a request goes to first.
    pub fn next_hop(&self) -> Option<Uri> {
        self.first_hop().or_else(|| Uri::parse(&self.remote_target))
    }

    fn first_hop(&self) -> Option<Uri> {
        self.route_set.first().and_then(|r| Address::parse(r)).map(|a| a.uri)
    }
}

/// Where requests within the dialog go: they go there by SIP, whatever else a Contact may name (section 8.1.1.8).
fn target(contact: &[u8]) -> Option<Address> {
    Address::parse(contact).filter(|at| matches!(at.uri.scheme, Scheme::Sip | Scheme::Sips))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(extra: &str) -> Request {
        let text = format!(
            "INVITE sip:400@gw SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: \"A\" <sip:a@h>;tag=f\r\nTo: <sip:400@gw>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:a@10.0.0.2:5066>\r\n{extra}\r\n"
        );
        match super::super::message::parse_datagram(text.as_bytes()).unwrap().message {
            super::super::message::Message::Request(r) => r,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_uas_dialog_turns_the_headers_around_and_counts_from_one() {
        let mut dialog = Dialog::from_request(&invite("Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n"), "mine").unwrap();
        let bye = dialog.request(&Method::BYE);
        assert_eq!(bye.raw_uri, "sip:a@10.0.0.2:5066");
        assert_eq!(bye.headers.text(&Name::FROM), Some("<sip:400@gw>;tag=mine"));
        assert_eq!(bye.headers.text(&Name::TO), Some("\"A\" <sip:a@h>;tag=f"));
        assert_eq!(bye.headers.text(&Name::CSEQ), Some("1 BYE"));
        let routes: Vec<_> = bye.headers.list(&Name::ROUTE).collect();
        assert_eq!(routes, [b"<sip:p1;lr>", b"<sip:p2;lr>"]);
    }

    #[test]
    fn a_strict_router_becomes_the_request_uri() {
        let mut dialog = Dialog::from_request(&invite("Record-Route: <sip:p1>, <sip:p2;lr>\r\n"), "mine").unwrap();
        let bye = dialog.request(&Method::BYE);
        assert_eq!(bye.raw_uri, "sip:p1");
        let routes: Vec<_> = bye.headers.list(&Name::ROUTE).collect();
        assert_eq!(routes, [&b"<sip:p2;lr>"[..], b"<sip:a@10.0.0.2:5066>"]);
    }

    #[test]
    fn sequence_numbers_must_rise() {
        let mut dialog = Dialog::from_request(&invite(""), "mine").unwrap();
        assert_eq!(dialog.accept(&invite("")), Err(OutOfOrder));
        let mut later = invite("");
        later.headers.replace_first(&Name::CSEQ, b"8 INVITE".to_vec());
        assert_eq!(dialog.accept(&later), Ok(()));
    }

    #[test]
    fn a_contact_that_sip_does_not_lead_to_moves_nobody() {
        let mut dialog = Dialog::from_request(&invite(""), "mine").unwrap();
        for contact in ["*", "<tel:+8613900000001>", "<mailto:a@h>", "<sip:a@h", ""] {
            dialog.refresh_target(Some(contact.as_bytes()));
            assert_eq!(dialog.request(&Method::BYE).raw_uri, "sip:a@10.0.0.2:5066", "{contact}");
        }
        dialog.refresh_target(Some(b"<sips:a@10.0.0.3>"));
        assert_eq!(dialog.request(&Method::BYE).raw_uri, "sips:a@10.0.0.3");
    }
}
