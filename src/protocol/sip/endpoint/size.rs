//! Requests that are too large for one datagram go over TCP (RFC 3261 section 18.1.1), and back to UDP where the peer
//! turns out to have none.

use std::net::IpAddr;
use std::sync::Arc;

use super::session::{Cancel, Phase};
use super::{Endpoint, Flow, Label, Machine, SessionId, Transport, TxId, Wake};
use crate::clock::Instant;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::vocabulary::Method;

/// With the path's MTU unknown, a longer request is not sent over UDP.
pub(super) const LARGE: usize = 1_300;

/// Peers that are remembered for having no TCP; with more of them all are tried anew.
const WITHOUT_TCP: usize = 1_024;

/// A request that went over TCP for its size alone.
#[derive(Debug)]
pub(super) struct Moved {
    request: Request,
    udp: Flow,
}

/// An ACK of a 2xx that did: it has no transaction, only that of its INVITE.
#[derive(Debug)]
struct MovedAck {
    ack: Request,
    invite: TxId,
    udp: Flow,
}

#[derive(Debug, Default)]
pub(super) struct Sizes {
    moved: std::collections::BTreeMap<TxId, Moved>,
    /// The last of each session.
    acks: std::collections::BTreeMap<SessionId, MovedAck>,
    without_tcp: std::collections::BTreeSet<IpAddr>,
}

impl Sizes {
    pub(super) fn forget(&mut self, tx: TxId) {
        self.moved.remove(&tx);
        if !self.acks.is_empty() {
            self.acks.retain(|_, moved| moved.invite != tx);
        }
    }
}

impl Endpoint {
    /// The way over TCP, for a request of this size.
    pub(super) fn way_for(&self, flow: &Flow, length: usize) -> Option<Flow> {
        let known_without = self.sizes.without_tcp.contains(&flow.remote.ip());
        let large = flow.transport == Transport::Udp && length > LARGE && !known_without;
        large.then(|| self.flow_to(Transport::Tcp, flow.remote)).flatten()
    }

    /// Completes a request for the way that its size lets it take.
    pub(super) fn complete_for(&self, request: &mut Request, flow: &Flow, branch: &str) -> Flow {
        let bare = (flow.transport == Transport::Udp).then(|| request.clone());
        self.complete(request, flow, branch);
        let Some(tcp) = bare.as_ref().and_then(|_| self.way_for(flow, request.to_bytes().len())) else { return *flow };
        request.clone_from(&bare.unwrap_or_else(|| request.clone()));
        self.complete(request, &tcp, branch);
        tcp
    }

    /// The ACK of a 2xx, and its way. `of`: the session that it belongs to and the INVITE.
    pub(super) fn ack_of(&mut self, mut ack: Request, flow: &Flow, of: Option<(SessionId, TxId)>) -> (Flow, Arc<[u8]>) {
        let branch = self.new_branch();
        let Some((session, invite)) = of else {
            // Nobody would be told that the connection failed.
            self.complete(&mut ack, flow, &branch);
            return (*flow, ack.to_bytes().into());
        };
        let bare = (flow.transport == Transport::Udp).then(|| ack.clone());
        let way = self.complete_for(&mut ack, flow, &branch);
        let bytes = ack.to_bytes().into();
        if let Some(ack) = bare.filter(|_| way != *flow) {
            self.sizes.acks.insert(session, MovedAck { ack, invite, udp: *flow });
        }
        (way, bytes)
    }

    fn ack_back_to_udp(&mut self, id: SessionId) -> bool {
        let Some(MovedAck { ack, invite, udp }) = self.sizes.acks.remove(&id) else { return false };
        self.remember_without_tcp(&udp);
        let (udp, bytes) = self.ack_of(ack, &udp, Some((id, invite)));
        if let Some(Machine::InviteClient { acks, .. }) = self.transactions.get_mut(&invite).map(|tx| &mut tx.machine)
            && let Some(sent) = acks.last_mut()
        {
            (sent.flow, sent.bytes) = (udp, Some(Arc::clone(&bytes)));
        }
        self.transmit(udp, bytes, Label::Request(Method::ACK), Some(id));
        true
    }

    pub(super) fn note_moved(&mut self, tx: TxId, request: Request, udp: Flow) {
        self.sizes.moved.insert(tx, Moved { request, udp });
    }

    /// The way of requests within the dialog that this INVITE made: its size says nothing about theirs.
    pub(super) fn own_flow(&self, tx: TxId, flow: Flow) -> Flow {
        self.sizes.moved.get(&tx).map_or(flow, |moved| moved.udp)
    }

    /// The connection for a large request failed: it goes over UDP after all. False if there is none.
    pub(super) fn back_to_udp(&mut self, now: Instant, id: SessionId) -> bool {
        self.ack_back_to_udp(id)
            || self.invite_back_to_udp(now, id)
            || self.change_back_to_udp(now, id)
            || self.request_back_to_udp(now, id)
    }

    /// A re-INVITE or UPDATE: nobody has it yet, so it is made anew.
    fn change_back_to_udp(&mut self, now: Instant, id: SessionId) -> bool {
        let Some(tx) = self.sessions.get(&id).and_then(|s| s.change.as_ref()?.tx()) else { return false };
        let Some(moved) = self.take_moved(tx) else { return false };
        self.remember_without_tcp(&moved.udp);
        let Some(change) = self.sessions.get_mut(&id).and_then(|s| s.change.take()) else { return false };
        self.send_change(now, id, change);
        true
    }

    /// BYE, NOTIFY, PRACK.
    fn request_back_to_udp(&mut self, now: Instant, id: SessionId) -> bool {
        let of_session = |tx: &&TxId| {
            self.transactions
                .get(tx)
                .is_some_and(|t| t.session == Some(id) && matches!(t.machine, Machine::Client { .. }))
        };
        let Some(tx) = self.sizes.moved.keys().find(of_session).copied() else { return false };
        let Some(Moved { request, udp }) = self.take_moved(tx) else { return false };
        self.remember_without_tcp(&udp);
        self.send_request(now, request, udp, Some(id));
        true
    }

    /// The transaction of a request that could not be written is over.
    fn take_moved(&mut self, tx: TxId) -> Option<Moved> {
        let moved = self.sizes.moved.remove(&tx)?;
        let old = self.transactions.remove(&tx)?;
        self.by_key.remove(&old.key);
        self.wakes.set(Wake::Tx(tx), None);
        Some(moved)
    }

    fn remember_without_tcp(&mut self, udp: &Flow) {
        if self.sizes.without_tcp.len() >= WITHOUT_TCP {
            self.sizes.without_tcp.clear();
        }
        self.sizes.without_tcp.insert(udp.remote.ip());
    }

    /// Nobody answered a request outside a session that went over TCP for its size: the next one tries UDP.
    pub(super) fn note_silence(&mut self, tx: TxId) {
        if let Some(moved) = self.sizes.moved.remove(&tx) {
            self.remember_without_tcp(&moved.udp);
        }
    }

    fn invite_back_to_udp(&mut self, now: Instant, id: SessionId) -> bool {
        let Some(Phase::Outgoing { tx, cancel }) = self.sessions.get(&id).map(|s| &s.phase) else { return false };
        let (tx, cancel) = (*tx, *cancel);
        let waits = |m: &Machine| matches!(m, Machine::InviteClient { tx, .. } if !tx.provisional_received());
        if cancel != Cancel::No || !self.transactions.get(&tx).is_some_and(|t| waits(&t.machine)) {
            return false;
        }
        let Some(Moved { request, udp }) = self.sizes.moved.remove(&tx) else { return false };
        self.remember_without_tcp(&udp);
        if let Some(Machine::InviteClient { tx, .. }) = self.transactions.get_mut(&tx).map(|t| &mut t.machine) {
            tx.terminate();
        }
        self.settle(tx);
        let tx = self.start_invite(now, request, udp, id);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.phase = Phase::Outgoing { tx, cancel };
        }
        true
    }
}
