//! Packets that a media thread has ready: sent in one go, so that whoever is woken by the first is awake for the others.

use std::net::SocketAddr;
use std::ops::Range;

use crate::media::Component;

/// Sent at the latest when so many octets wait: they are still in the cache, and none has waited for long.
const FULL: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Departing {
    bytes: Vec<u8>,
    packets: Vec<(Way, Range<usize>)>,
}

/// From which socket a packet goes, and whereto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    /// The number of a socket.
    pub(super) port: usize,
    pub(super) component: Component,
    /// `None`: that socket has only one peer.
    pub(super) to: Option<SocketAddr>,
}

impl Departing {
    pub(super) fn put(&mut self, way: Way, packet: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(packet);
        self.packets.push((way, start..self.bytes.len()));
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    /// In the order in which they came.
    pub(super) fn packets(&self) -> impl Iterator<Item = (Way, &[u8])> {
        self.packets.iter().map(|(way, range)| (*way, &self.bytes[range.clone()]))
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.packets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_in_their_order_and_only_once() {
        let mut departing = Departing::default();
        let way = |port| Way { port, component: Component::Rtp, to: None };
        for port in 0..3 {
            departing.put(way(port), &[port as u8; 4]);
        }
        let all: Vec<_> = departing.packets().map(|(way, bytes)| (way.port, bytes.to_vec())).collect();
        assert_eq!(all, [(0, vec![0; 4]), (1, vec![1; 4]), (2, vec![2; 4])]);
        assert!(!departing.is_full());
        departing.clear();
        assert_eq!(departing.packets().count(), 0);
        departing.put(way(7), &[0; FULL]);
        assert!(departing.is_full());
        assert_eq!(departing.packets().map(|(way, _)| way.port).collect::<Vec<_>>(), [7]);
    }
}
