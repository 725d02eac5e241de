//! What well-behaved SIP software does not do: fall silent, leave out the ACK, say BYE too early; and hold, which ours
//! never asks for. It works on the text between the phone's endpoint and the wire, call by call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::protocol::sip::endpoint::{Flow, Label, SessionId, Transmit, Transport};
use crate::protocol::sip::vocabulary::Method;

#[derive(Debug, Default)]
pub(super) struct Tricks {
    /// Callers whose Call-ID is still to be seen, in their INVITE.
    watched: BTreeSet<SessionId>,
    calls: BTreeMap<SessionId, Call>,
    by_call_id: BTreeMap<String, SessionId>,
    /// Call-IDs that nothing passes for any more, in either direction.
    gagged: BTreeSet<String>,
    out: VecDeque<Transmit>,
}

#[derive(Debug, Default)]
struct Call {
    call_id: String,
    /// The peer's last response with a tag in To: what a request within the dialog is made from.
    response: Option<(SocketAddr, String)>,
    /// CSeq of our last request of this kind; the endpoint's own BYE must be higher.
    seq: u32,
    reinvite: Option<Reinvite>,
}

#[derive(Debug)]
struct Reinvite {
    branch: String,
    text: String,
    answered: bool,
    tries: u32,
}

/// Far above what the endpoint counts to.
const FIRST_SEQ: u32 = 100;
const TRIES: u32 = 10;

impl Tricks {
    pub(super) fn watch(&mut self, session: SessionId) {
        self.watched.insert(session);
    }

    pub(super) fn know(&mut self, session: SessionId, call_id: &str) {
        let call = Call { call_id: call_id.to_owned(), seq: FIRST_SEQ, ..Call::default() };
        self.calls.insert(session, call);
        self.by_call_id.insert(call_id.to_owned(), session);
    }

    pub(super) fn forget(&mut self, session: SessionId) {
        self.watched.remove(&session);
        if let Some(call) = self.calls.remove(&session) {
            self.by_call_id.remove(&call.call_id);
        }
    }

    pub(super) fn gag(&mut self, session: SessionId) {
        if let Some(call) = self.calls.get(&session) {
            self.gagged.insert(call.call_id.clone());
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    /// A message comes in. False: nobody hears it.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> bool {
        if self.calls.is_empty() && self.gagged.is_empty() {
            return true;
        }
        let text = String::from_utf8_lossy(bytes);
        let call_id = field(&text, "Call-ID").unwrap_or_default();
        if self.gagged.contains(call_id) {
            return false;
        }
        let call = self.by_call_id.get(call_id).and_then(|s| self.calls.get_mut(s));
        if let Some(call) = call
            && text.starts_with("SIP/2.0 ")
        {
            call.note(&text, &mut self.out);
        }
        true
    }

    /// A message goes out. `None`: nobody hears it.
    pub(super) fn say(&mut self, mut transmit: Transmit, without_ack: bool) -> Option<Transmit> {
        if self.watched.is_empty() && self.calls.is_empty() && self.gagged.is_empty() {
            return Some(transmit);
        }
        let text = String::from_utf8_lossy(&transmit.bytes);
        let call_id = field(&text, "Call-ID").unwrap_or_default();
        if let Some(session) = transmit.mark.filter(|s| self.watched.remove(s)) {
            self.know(session, call_id);
        }
        let ack = transmit.label == Label::Request(Method::ACK);
        if self.gagged.contains(call_id) || (ack && without_ack) {
            return None;
        }
        let call = self.by_call_id.get(call_id).and_then(|s| self.calls.get_mut(s));
        let mut call = call;
        if let (Some(call), Label::Response(200, Method::INVITE)) = (call.as_mut(), &transmit.label) {
            call.response.get_or_insert_with(|| (transmit.flow.remote, turned(&text)));
        }
        if let (Some(call), Label::Request(Method::BYE)) = (call, &transmit.label)
            && let Some(seq) = field(&text, "CSeq")
        {
            let raised = text.replacen(&format!("CSeq: {seq}"), &format!("CSeq: {} BYE", call.seq + 900), 1);
            transmit.bytes = Arc::from(raised.into_bytes());
        }
        Some(transmit)
    }

    /// BYE in the early dialog (section 15 of RFC 3261 allows it to a caller). Nothing before the first 18x.
    pub(super) fn bye(&mut self, session: SessionId, from: SocketAddr, branch: &str) {
        let Some(call) = self.calls.get_mut(&session) else { return };
        call.seq += 1;
        let Some((to, text)) = call.request("BYE", call.seq, from, branch, "") else { return };
        self.out.push_back(transmit(from, to, text, Method::BYE));
    }

    /// Of a call that the other side has said anything to: where it is, and its dialog as a URI names it in Replaces.
    pub(super) fn dialog_of(&self, session: SessionId) -> Option<(String, String)> {
        let call = self.calls.get(&session)?;
        let (remote, response) = call.response.as_ref()?;
        let tag = |name| field(response, name)?.split_once(";tag=").map(|(_, tag)| tag);
        let user = field(response, "To")?.split_once("sip:")?.1.split('@').next()?;
        let dialog = format!("{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}", call.call_id, tag("To")?, tag("From")?);
        Some((format!("{user}@{remote}"), dialog))
    }

    /// Asks the other side of a call that came in to hand it on. `to`: a user, or user@host with what follows it in a URI.
    pub(super) fn refer(&mut self, session: SessionId, from: SocketAddr, branch: &str, to: &str) {
        let Some(call) = self.calls.get_mut(&session) else { return };
        call.seq += 1;
        let Some((remote, text)) = call.request("REFER", call.seq, from, branch, "") else { return };
        let to = if to.contains('@') { to.to_owned() } else { format!("{to}@{remote}") };
        let text = text.replacen("Content-Length", &format!("Refer-To: <sip:{to}>\r\nContent-Length"), 1);
        self.out.push_back(transmit(from, remote, text, Method::REFER));
    }

    pub(super) fn reinvite(&mut self, session: SessionId, from: SocketAddr, branch: &str, offer: &str) {
        let Some(call) = self.calls.get_mut(&session) else { return };
        call.seq += 1;
        let Some((to, text)) = call.request("INVITE", call.seq, from, branch, offer) else { return };
        call.reinvite = Some(Reinvite { branch: branch.to_owned(), text: text.clone(), answered: false, tries: 1 });
        self.out.push_back(transmit(from, to, text, Method::INVITE));
    }

    /// Writes the re-INVITE again if it has no final response yet. False: no more.
    pub(super) fn repeat(&mut self, session: SessionId) -> bool {
        let Some(call) = self.calls.get_mut(&session) else { return false };
        let (Some(reinvite), Some((to, _))) = (&mut call.reinvite, &call.response) else { return false };
        reinvite.tries += 1;
        if reinvite.answered || reinvite.tries > TRIES {
            return false;
        }
        self.out.push_back(transmit(*to, *to, reinvite.text.clone(), Method::INVITE));
        true
    }
}

impl Call {
    fn note(&mut self, text: &str, out: &mut VecDeque<Transmit>) {
        let status: u16 = text.get(8..11).and_then(|s| s.parse().ok()).unwrap_or_default();
        let seq = field(text, "CSeq").unwrap_or_default();
        let contact = field(text, "Contact").and_then(|c| c.strip_prefix("<sip:")?.split(['>', ';']).next());
        if let (true, Some(remote)) = (seq.ends_with("INVITE") && status > 100, contact.and_then(|c| c.parse().ok())) {
            self.response = Some((remote, text.to_owned()));
        }
        let Some(reinvite) = &mut self.reinvite else { return };
        if status < 200 || !field(text, "Via").is_some_and(|via| via.contains(&reinvite.branch)) {
            return;
        }
        reinvite.answered = true;
        // The ACK of a 2xx has a branch of its own, that of a failure the INVITE's (section 17.1.1.3).
        let branch = if status < 300 { format!("{}a", reinvite.branch) } else { reinvite.branch.clone() };
        let number = seq.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(self.seq);
        let via = field(&reinvite.text, "Via").and_then(|via| via.split([' ', ';']).nth(1)?.parse().ok());
        if let Some(from) = via
            && let Some((to, text)) = self.request("ACK", number, from, &branch, "")
        {
            out.push_back(transmit(from, to, text, Method::ACK));
        }
    }

    /// A request within the dialog, and where it goes.
    fn request(
        &self,
        method: &str,
        seq: u32,
        from: SocketAddr,
        branch: &str,
        body: &str,
    ) -> Option<(SocketAddr, String)> {
        let (remote, response) = self.response.as_ref()?;
        let (local, peer) = (field(response, "From")?, field(response, "To")?);
        let call_id = &self.call_id;
        let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} sip:{remote} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\n\
             From: {local}\r\nTo: {peer}\r\nCall-ID: {call_id}\r\nCSeq: {seq} {method}\r\nContact: <sip:{from}>\r\n\
             {content}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Some((*remote, text))
    }
}

fn transmit(local: SocketAddr, remote: SocketAddr, text: String, method: Method) -> Transmit {
    let flow = Flow { transport: Transport::Udp, local, remote, connection: None };
    Transmit {
        flow,
        bytes: text.into_bytes().into(),
        label: Label::Request(method),
        mark: None,
        session: None,
        again: false,
    }
}

/// Our 2xx as the other side would have written it: a request of ours within the dialog is made from it.
fn turned(text: &str) -> String {
    let name = |line: &str| match line.split_once(": ") {
        Some(("From", value)) => format!("To: {value}"),
        Some(("To", value)) => format!("From: {value}"),
        _ => line.to_owned(),
    };
    text.lines().map(name).collect::<Vec<_>>().join("\r\n")
}

/// The value of a header field as our own software writes it.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
