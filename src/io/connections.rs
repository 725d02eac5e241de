//! The table of live connections: who has how many, and which has to go when there are too many.
//!
//! A peer that connects and says nothing costs a place, so it is the first to lose it: where a source or all sources together
//! have reached their bound, the oldest connection that never carried a message makes room, and only if there is none the new
//! one is refused. A part of all places is kept for trunks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use super::budget::source_of;
use super::mailbox::Lane;
use crate::limits;
use crate::protocol::sip::endpoint::{ConnectionId, Flow, SessionId, Transport};

/// Messages that may wait for a slow peer.
const WRITE_QUEUE: usize = 256;

pub(super) struct Table {
    most: usize,
    next: u64,
    by_id: BTreeMap<ConnectionId, Connection>,
    by_remote: BTreeMap<(Transport, SocketAddr), ConnectionId>,
    by_source: BTreeMap<IpAddr, BTreeSet<ConnectionId>>,
    /// Opened by their peers, and without a message so far: numbers rise, so the first is the oldest.
    mute: BTreeSet<ConnectionId>,
    /// How many of them are no trunk's.
    others: usize,
}

struct Connection {
    transport: Transport,
    remote: SocketAddr,
    lane: Lane,
    writer: mpsc::Sender<Outgoing>,
    given_up: Arc<Notify>,
}

pub(super) struct Outgoing {
    pub(super) bytes: Arc<[u8]>,
    pub(super) session: Option<SessionId>,
}

/// Both ends of a connection's life.
pub(super) struct Line {
    pub(super) id: ConnectionId,
    pub(super) queue: mpsc::Receiver<Outgoing>,
    /// Tells whoever runs the connection that it is given up.
    pub(super) given_up: Arc<Notify>,
}

/// What became of bytes for a peer.
pub(super) enum Handed {
    Queued,
    /// The peer does not read; its connection is given up.
    Full(Outgoing),
    /// There is no connection; this one is to be opened, and has the bytes in its queue.
    Opening(Line),
}

/// No place is left.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crowded;

impl Table {
    /// `files`: how many the process may have open.
    pub(super) fn new(files: usize) -> Table {
        Table {
            most: limits::TCP_CONNECTIONS.min(files / limits::FILES_PER_CONNECTION).max(1),
            next: 1,
            by_id: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            by_source: BTreeMap::new(),
            mute: BTreeSet::new(),
            others: 0,
        }
    }

    /// A connection that a peer has opened, and how many had to go for it.
    pub(super) fn admit(
        &mut self,
        transport: Transport,
        remote: SocketAddr,
        lane: Lane,
    ) -> Result<(Line, u64), Crowded> {
        let of_source = self.by_source.get(&source_of(remote.ip()));
        let mut gone = 0;
        if of_source.is_some_and(|ids| ids.len() >= limits::TCP_CONNECTIONS_PER_SOURCE) {
            let oldest = of_source.and_then(|ids| ids.iter().find(|id| self.mute.contains(id))).copied();
            self.evict(oldest.ok_or(Crowded)?);
            gone += 1;
        }
        let not_of_trunks = self.most - self.most / 4;
        if self.by_id.len() >= self.most || (lane == Lane::Other && self.others >= not_of_trunks) {
            // What others hold goes first, and for others nothing but that.
            let of = |wanted: Lane| {
                self.mute.iter().find(|id| self.by_id.get(id).is_some_and(|c| c.lane == wanted)).copied()
            };
            let oldest = of(Lane::Other).or_else(|| of(Lane::Trunk).filter(|_| lane == Lane::Trunk));
            self.evict(oldest.ok_or(Crowded)?);
            gone += 1;
        }
        let line = self.add(transport, remote, lane);
        self.mute.insert(line.id);
        Ok((line, gone))
    }

    /// Bytes for the connection of this flow, or for the one to its remote address, or for a new one.
    pub(super) fn hand(&mut self, flow: Flow, outgoing: Outgoing) -> Handed {
        let id = flow.connection.filter(|id| self.by_id.contains_key(id));
        let id = id.or_else(|| self.by_remote.get(&(flow.transport, flow.remote)).copied());
        let Some(connection) = id.and_then(|id| self.by_id.get(&id)) else {
            let line = self.add(flow.transport, flow.remote, Lane::Trunk);
            if let Some(connection) = self.by_id.get(&line.id) {
                let _ = connection.writer.try_send(outgoing);
            }
            return Handed::Opening(line);
        };
        match connection.writer.try_send(outgoing) {
            Ok(()) => Handed::Queued,
            Err(error) => {
                connection.given_up.notify_one();
                Handed::Full(error.into_inner())
            }
        }
    }

    /// It has carried a message, so it stays.
    pub(super) fn has_spoken(&mut self, id: ConnectionId) {
        self.mute.remove(&id);
    }

    pub(super) fn is_mute(&self, id: ConnectionId) -> bool {
        self.mute.contains(&id)
    }

    pub(super) fn give_up(&self, id: ConnectionId) {
        if let Some(connection) = self.by_id.get(&id) {
            connection.given_up.notify_one();
        }
    }

    pub(super) fn forget(&mut self, id: ConnectionId) {
        let Some(connection) = self.by_id.remove(&id) else { return };
        self.mute.remove(&id);
        self.others -= usize::from(connection.lane == Lane::Other);
        let remote = (connection.transport, connection.remote);
        if self.by_remote.get(&remote) == Some(&id) {
            self.by_remote.remove(&remote);
        }
        let source = source_of(connection.remote.ip());
        if let Some(ids) = self.by_source.get_mut(&source) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_source.remove(&source);
            }
        }
    }

    fn evict(&mut self, id: ConnectionId) {
        self.give_up(id);
        self.forget(id);
    }

    fn add(&mut self, transport: Transport, remote: SocketAddr, lane: Lane) -> Line {
        let (writer, queue) = mpsc::channel(WRITE_QUEUE);
        let id = ConnectionId(self.next);
        self.next += 1;
        let given_up = Arc::<Notify>::default();
        self.by_id.insert(id, Connection { transport, remote, lane, writer, given_up: Arc::clone(&given_up) });
        self.by_remote.insert((transport, remote), id);
        self.by_source.entry(source_of(remote.ip())).or_default().insert(id);
        self.others += usize::from(lane == Lane::Other);
        Line { id, queue, given_up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, host], port))
    }

    /// Opens `count` connections of one host; how many were refused.
    fn open(table: &mut Table, host: u8, lane: Lane, count: u16) -> (Vec<Line>, u64) {
        let (mut lines, mut gone) = (Vec::new(), 0);
        for port in 1..=count {
            if let Ok((line, evicted)) = table.admit(Transport::Tcp, remote(host, port), lane) {
                lines.push(line);
                gone += evicted;
            }
        }
        (lines, gone)
    }

    #[test]
    fn who_says_nothing_makes_room_and_who_has_spoken_stays() {
        let mut table = Table::new(1_000_000);
        let most = u16::try_from(limits::TCP_CONNECTIONS_PER_SOURCE).unwrap();
        let (first, gone) = open(&mut table, 1, Lane::Other, most);
        assert_eq!((first.len(), gone), (usize::from(most), 0));
        first[1..].iter().for_each(|line| table.has_spoken(line.id));
        let (one_more, gone) = table.admit(Transport::Tcp, remote(1, 9_000), Lane::Other).ok().unwrap();
        assert_eq!(gone, 1);
        assert!(!table.by_id.contains_key(&first[0].id), "the only one that never spoke");
        table.has_spoken(one_more.id);
        assert_eq!(table.admit(Transport::Tcp, remote(1, 9_001), Lane::Other).err(), Some(Crowded));
        assert!(table.admit(Transport::Tcp, remote(2, 9_001), Lane::Other).is_ok(), "another source");
    }

    #[test]
    fn places_are_kept_for_trunks() {
        let mut table = Table::new(80 * limits::FILES_PER_CONNECTION);
        let (lines, _) = open(&mut table, 1, Lane::Other, 60);
        lines.iter().for_each(|line| table.has_spoken(line.id));
        assert_eq!(table.admit(Transport::Tcp, remote(2, 1), Lane::Other).err(), Some(Crowded));
        let (trunks, gone) = open(&mut table, 3, Lane::Trunk, 30);
        assert_eq!((trunks.len(), gone), (30, 10), "20 places, then the mute of its own kind go");
        assert_eq!(table.by_id.len(), 80);
        for id in lines.iter().chain(&trunks).map(|line| line.id) {
            table.forget(id);
        }
        assert!(table.by_id.is_empty() && table.by_remote.is_empty() && table.by_source.is_empty());
        assert_eq!((table.others, table.mute.len()), (0, 0));
    }

    #[test]
    fn one_connection_serves_an_address_of_one_transport() {
        let mut table = Table::new(1_000);
        let flow = |transport| Flow { transport, local: remote(9, 5060), remote: remote(1, 5061), connection: None };
        let outgoing = || Outgoing { bytes: Arc::from(&b"x"[..]), session: None };
        let Handed::Opening(line) = table.hand(flow(Transport::Tls), outgoing()) else { panic!("nothing was open") };
        assert!(matches!(table.hand(flow(Transport::Tls), outgoing()), Handed::Queued));
        assert!(matches!(table.hand(flow(Transport::Tcp), outgoing()), Handed::Opening(_)), "not by the other one's");
        for _ in 2..WRITE_QUEUE {
            assert!(matches!(table.hand(flow(Transport::Tls), outgoing()), Handed::Queued));
        }
        assert!(matches!(table.hand(flow(Transport::Tls), outgoing()), Handed::Full(_)));
        table.forget(line.id);
        assert!(matches!(table.hand(flow(Transport::Tls), outgoing()), Handed::Opening(_)));
    }
}
