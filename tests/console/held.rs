//! A call that a test holds in its hands: the caller and agent 8's phone, message by message.

use crate::common::phone::{Message, Phone, follow, invite, pcma_at};
use crate::common::{Gateway, HOTLINE_NUMBER, seconds, until};

pub(crate) struct Held {
    caller: Phone,
    invite: String,
    phone: Phone,
    /// The gateway's INVITE to the phone.
    ring: Message,
}

/// The tag of the phone.
const TAG: &str = "eight";

impl Held {
    /// The phone at this port rings.
    pub(crate) fn rings(gateway: &Gateway, phone: u16) -> Held {
        let sip = gateway.bench.sip_address();
        let (caller, phone) = (Phone::at("127.0.0.1", gateway.bench.ports.one()), Phone::at("127.0.0.1", phone));
        let invite = invite(caller.address(), sip, HOTLINE_NUMBER, "held");
        caller.send(&invite, sip);
        let ring = phone.expect("INVITE ", seconds(10));
        phone.send(&ring.response("180 Ringing", TAG, phone.address(), None), ring.from);
        Held { caller, invite, phone, ring }
    }

    pub(crate) fn is_answered(&mut self) {
        let Held { caller, invite, phone, ring } = self;
        phone.send(&ring.response("200 OK", TAG, phone.address(), Some(&pcma_at(9))), ring.from);
        phone.expect("ACK ", seconds(10));
        let answer = caller.expect("SIP/2.0 200", seconds(10));
        caller.send(&follow(invite, "ACK", Some(&answer)), answer.from);
    }

    /// The phone offers to send and not to hear.
    pub(crate) fn holds(&self) {
        let body = pcma_at(9).replace("sendrecv", "sendonly").replace("o=- 1 1", "o=- 1 2");
        self.phone_sends("UPDATE", 1, &body);
        self.phone.expect("SIP/2.0 200", seconds(10));
    }

    /// The phone hangs up for both; `calls`: how many have ended then.
    pub(crate) fn ends(self, gateway: &Gateway, calls: usize) {
        self.phone_sends("BYE", 2, "");
        let over = self.caller.expect("BYE ", seconds(10));
        self.caller.send(&over.response("200 OK", TAG, self.caller.address(), None), over.from);
        until("its end", seconds(10), || (gateway.calls().len() == calls).then_some(()));
    }

    /// A request within the dialog that the gateway's INVITE began.
    fn phone_sends(&self, method: &str, number: u32, sdp: &str) {
        let (ring, here) = (&self.ring, self.phone.address());
        let value = |name: &str| {
            let line = ring.headers(&[name]);
            line.trim_end().split_once(": ").expect("a value").1.to_owned()
        };
        let contact = value("Contact");
        let uri = contact.split(['<', '>']).nth(1).expect("an address");
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\n" };
        let request = format!(
            "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bK{method}\nMax-Forwards: 70\n\
             From: {};tag={TAG}\nTo: {}\nCall-ID: {}\nCSeq: {number} {method}\nContact: <sip:8@{here}>\n\
             {kind}Content-Length: {}\n\n{sdp}",
            value("To"),
            value("From"),
            value("Call-ID"),
            sdp.replace('\n', "\r\n").len()
        );
        self.phone.send(&request, ring.from);
    }
}
