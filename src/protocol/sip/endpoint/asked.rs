//! Requests of ours outside dialogs (REGISTER, OPTIONS): the client half. Each asked request has exactly one [`Answered`],
//! unless it is forgotten before.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::orders::client_key;
use super::{Endpoint, Flow, Label, Machine, Transport, TxId, Wake};
use crate::clock::{Instant, Now};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Request, Response};
use crate::protocol::sip::transaction::Client;
use crate::protocol::sip::vocabulary::Method;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// One request to be sent; Via, Max-Forwards and User-Agent are the endpoint's.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    /// Request-URI.
    pub uri: String,
    pub transport: Transport,
    pub destination: SocketAddr,
    /// `<sip:…>;tag=…`
    pub from: String,
    pub to: String,
    pub call_id: String,
    /// The number of CSeq.
    pub seq: u32,
    pub headers: Vec<(Name, String)>,
}

/// The final response to a request, or that none came.
#[derive(Debug)]
pub struct Answered {
    pub id: AskId,
    /// The receive stamp.
    pub at: Now,
    /// Where the response came from, and the response; `None`: nobody answered in 64 × T1 (timer F).
    pub response: Option<(SocketAddr, Box<Response>)>,
}

/// What is asked and not yet answered.
#[derive(Debug, Default)]
pub(super) struct Asked {
    by_tx: BTreeMap<TxId, AskId>,
    answers: VecDeque<Answered>,
}

impl Endpoint {
    /// Sends a request outside every dialog. `None` if no listener speaks the transport and address family.
    pub fn ask(&mut self, now: Instant, ask: Ask) -> Option<AskId> {
        let flow = self.flow_to(ask.transport, ask.destination)?;
        let mut request = Request::new(ask.method.clone(), &ask.uri);
        let h = &mut request.headers;
        h.push(Name::MAX_FORWARDS, "70");
        h.push(Name::FROM, ask.from);
        h.push(Name::TO, ask.to);
        h.push(Name::CALL_ID, ask.call_id);
        h.push(Name::CSEQ, format!("{} {}", ask.seq, ask.method));
        for (name, value) in ask.headers {
            h.push(name, value);
        }
        let branch = self.new_branch();
        let (bare, udp) = (request.clone(), flow);
        let flow = self.complete_for(&mut request, &udp, &branch);
        let bytes: std::sync::Arc<[u8]> = request.to_bytes().into();
        let tx = Client::new(now, std::sync::Arc::clone(&bytes), flow.transport.reliable());
        let key = client_key(&branch, &ask.method);
        let tx = self.add_tx(key, flow, None, Machine::Client { tx, method: ask.method.clone() });
        if flow != udp {
            self.note_moved(tx, bare, udp);
        }
        let id = AskId(self.new_id());
        self.asked.by_tx.insert(tx, id);
        self.transmit(flow, bytes, Label::Request(ask.method), None);
        Some(id)
    }

    /// The Contact that a peer there is told to reach this user by; `None` as for [`Endpoint::ask`].
    pub fn contact_for(&self, user: &str, transport: Transport, destination: SocketAddr) -> Option<String> {
        let flow = self.flow_to(transport, destination)?;
        Some(self.contact(&flow, false).replacen("sip:", &format!("sip:{user}@"), 1))
    }

    /// Gives up waiting for an answer; the request is not repeated any more.
    pub fn forget(&mut self, id: AskId) {
        let Some(tx) = self.asked.by_tx.iter().find(|(_, ask)| **ask == id).map(|(tx, _)| *tx) else { return };
        self.asked.by_tx.remove(&tx);
        self.sizes.forget(tx);
        if let Some(tx) = self.transactions.remove(&tx) {
            self.by_key.remove(&tx.key);
        }
        self.wakes.set(Wake::Tx(tx), None);
    }

    pub fn poll_answer(&mut self) -> Option<Answered> {
        self.asked.answers.pop_front()
    }

    /// A response to a request that was asked. False if it belongs to somebody else.
    pub(super) fn answer_asked(&mut self, tx: TxId, at: Now, flow: Flow, response: &Response) -> bool {
        let Some(id) = self.asked.by_tx.get(&tx).copied() else { return false };
        if response.status >= 200 {
            self.asked.by_tx.remove(&tx);
            let response = Some((flow.remote, Box::new(response.clone())));
            self.asked.answers.push_back(Answered { id, at, response });
        }
        true
    }

    /// Nobody answered a request that was asked. False if it belongs to somebody else.
    pub(super) fn give_up_asked(&mut self, tx: TxId, now: Now) -> bool {
        let Some(id) = self.asked.by_tx.remove(&tx) else { return false };
        self.note_silence(tx);
        self.asked.answers.push_back(Answered { id, at: now, response: None });
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Wall;
    use crate::ids::Random;
    use crate::protocol::sip::endpoint::Settings;
    use crate::protocol::sip::message::{Message, parse_datagram};

    const PEER: &str = "192.0.2.9:5060";

    fn endpoint() -> Endpoint {
        let listen = vec![(Transport::Udp, "192.0.2.1:5060".parse().unwrap())];
        let settings = Settings { listen, advertise: None, product: "test".into(), session_expires_s: None };
        Endpoint::new(settings, Random::from_number(1))
    }

    fn now(ms: u64) -> Now {
        Now { mono: Instant::from_millis(ms), wall: Wall::from_micros(0) }
    }

    fn options() -> Ask {
        Ask {
            method: Method::OPTIONS,
            uri: "sip:192.0.2.9".into(),
            transport: Transport::Udp,
            destination: PEER.parse().unwrap(),
            from: "<sip:192.0.2.1>;tag=a".into(),
            to: "<sip:192.0.2.9>".into(),
            call_id: "c".into(),
            seq: 7,
            headers: Vec::new(),
        }
    }

    fn sent(endpoint: &mut Endpoint) -> Option<Request> {
        match parse_datagram(&endpoint.poll_transmit()?.bytes).unwrap().message {
            Message::Request(request) => Some(request),
            Message::Response(_) => None,
        }
    }

    #[test]
    fn the_final_response_is_the_one_answer_and_comes_with_its_source() {
        let mut endpoint = endpoint();
        let id = endpoint.ask(now(0).mono, options()).unwrap();
        let request = sent(&mut endpoint).unwrap();
        assert_eq!(request.cseq(), Some(7));
        let local = "192.0.2.1:5060".parse().unwrap();
        let flow = Flow { transport: Transport::Udp, local, remote: PEER.parse().unwrap(), connection: None };
        for status in [100, 404, 404] {
            let bytes = request.response(status, None, Some("t")).to_bytes();
            endpoint.handle_datagram(now(5).mono, flow, now(5), false, &bytes);
        }
        let answered = endpoint.poll_answer().unwrap();
        assert_eq!((answered.id, answered.at), (id, now(5)));
        let (source, response) = answered.response.unwrap();
        assert_eq!((source, response.status), (flow.remote, 404));
        assert!(endpoint.poll_answer().is_none() && endpoint.poll_event().is_none());
        endpoint.handle_timeout(now(60_000));
        assert!(endpoint.is_idle());
    }

    #[test]
    fn silence_is_an_answer_after_timer_f_and_what_is_forgotten_says_nothing_more() {
        let mut endpoint = endpoint();
        let id = endpoint.ask(now(0).mono, options()).unwrap();
        let other = endpoint.ask(now(0).mono, options()).unwrap();
        endpoint.forget(other);
        let mut last = now(0);
        while let Some((at, _)) = endpoint.poll_timeout() {
            last = now(0).after(at.since(Instant::START));
            endpoint.handle_timeout(last);
        }
        assert_eq!(last.mono.since(Instant::START), Duration::from_secs(32));
        let answered = endpoint.poll_answer().unwrap();
        assert_eq!((answered.id, answered.response.is_none()), (id, true));
        assert!(endpoint.poll_answer().is_none() && endpoint.is_idle());
        assert_eq!(
            std::iter::from_fn(|| sent(&mut endpoint)).count(),
            12,
            "the first, ten times again; the forgotten once"
        );
    }

    #[test]
    fn contacts_carry_the_user() {
        let contact = endpoint().contact_for("1000", Transport::Udp, PEER.parse().unwrap());
        assert_eq!(contact.as_deref(), Some("<sip:1000@192.0.2.1:5060>"));
        assert_eq!(endpoint().contact_for("1000", Transport::Tcp, PEER.parse().unwrap()), None);
    }
}
