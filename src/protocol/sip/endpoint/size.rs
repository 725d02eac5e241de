//! Calls whose INVITE is too large for one datagram go over TCP (RFC 3261 section 18.1.1), and back to UDP where the peer
//! turns out to have none.

use std::net::IpAddr;

use super::session::{Cancel, Phase};
use super::{Endpoint, Flow, Machine, SessionId, Transport, TxId};
use crate::clock::Instant;
use crate::protocol::sip::message::Request;

/// With the path's MTU unknown, a longer request is not sent over UDP.
pub(super) const LARGE: usize = 1_300;

/// Peers that are remembered for having no TCP; with more of them all are tried anew.
const WITHOUT_TCP: usize = 1_024;

/// An INVITE that went over TCP for its size alone.
#[derive(Debug)]
pub(super) struct Moved {
    request: Request,
    udp: Flow,
}

#[derive(Debug, Default)]
pub(super) struct Sizes {
    moved: std::collections::BTreeMap<TxId, Moved>,
    without_tcp: std::collections::BTreeSet<IpAddr>,
}

impl Sizes {
    pub(super) fn forget(&mut self, tx: TxId) {
        self.moved.remove(&tx);
    }
}

impl Endpoint {
    /// The way over TCP, for a request of this size.
    pub(super) fn way_for(&self, flow: &Flow, length: usize) -> Option<Flow> {
        let known_without = self.sizes.without_tcp.contains(&flow.remote.ip());
        let large = flow.transport == Transport::Udp && length > LARGE && !known_without;
        large.then(|| self.flow_to(Transport::Tcp, flow.remote)).flatten()
    }

    pub(super) fn note_moved(&mut self, tx: TxId, request: Request, udp: Flow) {
        self.sizes.moved.insert(tx, Moved { request, udp });
    }

    /// The way of requests within the dialog that this INVITE made: its size says nothing about theirs.
    pub(super) fn own_flow(&self, tx: TxId, flow: Flow) -> Flow {
        self.sizes.moved.get(&tx).map_or(flow, |moved| moved.udp)
    }

    /// The connection for a large INVITE failed: it goes over UDP after all. False if there is none.
    pub(super) fn back_to_udp(&mut self, now: Instant, id: SessionId) -> bool {
        let Some(Phase::Outgoing { tx, cancel }) = self.sessions.get(&id).map(|s| &s.phase) else { return false };
        let (tx, cancel) = (*tx, *cancel);
        let waits = |m: &Machine| matches!(m, Machine::InviteClient { tx, .. } if !tx.provisional_received());
        if cancel != Cancel::No || !self.transactions.get(&tx).is_some_and(|t| waits(&t.machine)) {
            return false;
        }
        let Some(Moved { request, udp }) = self.sizes.moved.remove(&tx) else { return false };
        if self.sizes.without_tcp.len() >= WITHOUT_TCP {
            self.sizes.without_tcp.clear();
        }
        self.sizes.without_tcp.insert(udp.remote.ip());
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
