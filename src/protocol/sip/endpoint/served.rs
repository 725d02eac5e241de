//! Requests outside dialogs that the owner of the endpoint answers: REGISTER. And one that it may send: a ping.

use std::sync::Arc;

use super::incoming::{ALLOW, Asked, reply_flow};
use super::{Endpoint, Flow, Label, Machine, TxId};
use crate::clock::{Instant, Now};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::transaction::{Action, Server};
use crate::protocol::sip::uri::Uri;
use crate::protocol::sip::vocabulary::Method;

/// A request that waits for the owner's answer. Answer each with [`Endpoint::answer_served`] or [`Endpoint::ignore_served`], in the same breath.
#[derive(Debug)]
pub struct Served {
    tx: TxId,
    pub request: Box<Request>,
    /// The way it came by.
    pub flow: Flow,
    /// Receive stamp.
    pub at: Now,
    to_tag: String,
}

impl Endpoint {
    /// Whether REGISTER, from whomever it comes, is passed on with `poll_served` from now on.
    pub fn serve_register(&mut self, served: bool) {
        self.registrar = served;
    }

    /// What Allow says outside dialogs.
    pub(super) fn allow(&self) -> String {
        if self.registrar { format!("{ALLOW}, REGISTER") } else { ALLOW.to_owned() }
    }

    pub fn poll_served(&mut self) -> Option<Served> {
        self.served.pop_front()
    }

    /// The final response; repeated for each retransmission of the request.
    pub fn answer_served(&mut self, now: Instant, served: &Served, status: u16, headers: Vec<(Name, Vec<u8>)>) {
        let id = served.tx;
        let mut response = served.request.response(status, None, Some(&served.to_tag));
        response.headers.push(Name::SERVER, self.settings.product.clone());
        response.headers.extend(headers);
        let Some(tx) = self.transactions.get_mut(&id) else { return };
        let flow = tx.flow;
        let Machine::Server(machine) = &mut tx.machine else { return };
        if let Action::Transmit(bytes) = machine.respond(now, Arc::from(response.to_bytes())) {
            self.transmit(flow, bytes, Label::Response(status, served.request.method.clone()), None);
        }
        self.settle(id);
    }

    /// Silence; the request is as if it had never come.
    pub fn ignore_served(&mut self, served: &Served) {
        if let Some(tx) = self.transactions.remove(&served.tx) {
            self.by_key.remove(&tx.key);
        }
    }

    /// OPTIONS over this flow: what it brings back keeps the way through a NAT open, and is not looked at.
    pub fn ping(&mut self, now: Instant, target: &Uri, flow: Flow) {
        if self.transactions.len() >= crate::limits::SIP_TRANSACTIONS {
            return;
        }
        let (tag, call_id, host) = (self.random.token(), self.random.token(), self.sent_by(&flow));
        let mut request = Request::new(Method::OPTIONS, target.as_str());
        let h = &mut request.headers;
        h.push(Name::MAX_FORWARDS, "70");
        h.push(Name::FROM, format!("<sip:{host}>;tag={tag}"));
        h.push(Name::TO, format!("<{target}>"));
        h.push(Name::CALL_ID, call_id);
        h.push(Name::CSEQ, "1 OPTIONS");
        self.send_request(now, request, flow, None);
    }

    pub(super) fn serves(&self, method: &Method) -> bool {
        self.registrar && *method == Method::REGISTER
    }

    pub(super) fn serve(&mut self, asked: Asked<'_>) {
        let Asked { at, flow, key, request, .. } = asked;
        let to_tag = self.tag_of(&key);
        let machine = Machine::Server(Server::new(flow.transport.reliable()));
        let tx = self.add_tx(key, reply_flow(flow, request), None, machine);
        self.served.push_back(Served { tx, request: Box::new(request.clone()), flow, at, to_tag });
    }
}
