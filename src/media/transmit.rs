//! Packets on their way out: one growing buffer for all of them, emptied when the last one is fetched.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::ids::LegId;
use crate::protocol::rtp::{self, Header};

/// A packet to send from `leg`'s RTP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit<'a> {
    pub leg: LegId,
    pub to: SocketAddr,
    pub bytes: &'a [u8],
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    leg: LegId,
    to: SocketAddr,
    start: usize,
    length: usize,
}

impl Outbox {
    pub(super) fn push(&mut self, leg: LegId, to: SocketAddr, header: &Header, payload: &[u8]) {
        let start = self.bytes.len();
        // What came in with at least this header fits; only a longer payload than the network carries is refused.
        if let Ok(length) = rtp::write(header, payload, &mut self.bytes) {
            self.waiting.push_back(Waiting { leg, to, start, length });
        }
    }

    pub(super) fn pop(&mut self) -> Option<Transmit<'_>> {
        let Some(Waiting { leg, to, start, length }) = self.waiting.pop_front() else {
            self.bytes.clear();
            return None;
        };
        Some(Transmit { leg, to, bytes: &self.bytes[start..start + length] })
    }
}
