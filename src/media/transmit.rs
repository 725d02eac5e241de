//! Packets on their way out: one growing buffer for all of them, emptied when the last one is fetched.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::ids::LegId;
use crate::protocol::rtp::{self, Header};

/// Which of a leg's two sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    Rtp,
    Rtcp,
}

/// A packet to send from one of `leg`'s sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit<'a> {
    pub leg: LegId,
    pub component: Component,
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
    component: Component,
    to: SocketAddr,
    start: usize,
    length: usize,
}

impl Outbox {
    /// Its payload is given back, to be coded in its place.
    pub(super) fn push(&mut self, leg: LegId, to: SocketAddr, header: &Header, payload: &[u8]) -> &mut [u8] {
        let start = self.bytes.len();
        // What came in with at least this header fits; only a longer payload than the network carries is refused.
        if let Ok(length) = rtp::write(header, payload, &mut self.bytes) {
            let component = Component::Rtp;
            self.waiting.push_back(Waiting { leg, component, to, start, length });
        }
        let end = self.bytes.len();
        &mut self.bytes[end - payload.len().min(end - start)..]
    }

    /// A packet of RTCP that `write` appends.
    pub(super) fn push_rtcp(&mut self, leg: LegId, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>)) {
        let (start, component) = (self.bytes.len(), Component::Rtcp);
        write(&mut self.bytes);
        self.waiting.push_back(Waiting { leg, component, to, start, length: self.bytes.len() - start });
    }

    /// Lets `protect` lengthen the packet that was pushed last, in its place.
    pub(super) fn secure(&mut self, protect: impl FnOnce(&mut Vec<u8>, usize)) {
        if let Some(last) = self.waiting.back_mut() {
            protect(&mut self.bytes, last.start);
            last.length = self.bytes.len() - last.start;
        }
    }

    pub(super) fn pop(&mut self) -> Option<Transmit<'_>> {
        let Some(Waiting { leg, component, to, start, length }) = self.waiting.pop_front() else {
            self.bytes.clear();
            return None;
        };
        Some(Transmit { leg, component, to, bytes: &self.bytes[start..start + length] })
    }
}
