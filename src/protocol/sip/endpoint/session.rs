//! The INVITE usage (RFC 3261 sections 13 to 15): what a session is waiting for.

use std::sync::Arc;
use std::time::Duration;

use super::{Flow, TxId};
use crate::clock::Instant;
use crate::protocol::sip::dialog::Dialog;
use crate::protocol::sip::timers::{GIVE_UP, T1, T2};

#[derive(Debug)]
pub(super) struct Session {
    pub(super) flow: Flow,
    pub(super) dialog: Option<Dialog>,
    pub(super) phase: Phase,
    pub(super) unacked: Option<Unacked>,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Their INVITE, no final response yet.
    Incoming { tx: TxId },
    /// Our INVITE, no final response yet.
    Outgoing { tx: TxId, cancel: Cancel },
    /// A 2xx was sent or received.
    Established,
    /// As `Established`; their re-INVITE waits for our answer.
    Reoffered { tx: TxId },
    /// Our BYE is on its way.
    Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancel {
    No,
    /// Wanted before a provisional response came: CANCEL must wait for one (section 9.1).
    Wanted,
    Sent,
}

/// Our 2xx, repeated by the core until its ACK comes (section 13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacked {
    pub(super) response: Arc<[u8]>,
    pub(super) flow: Flow,
    pub(super) seq: u32,
    interval: Duration,
    next: Instant,
    give_up: Instant,
    /// A BYE of ours must wait for the ACK (section 15).
    pub(super) bye_waits: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    Again,
    GiveUp,
}

impl Unacked {
    pub(super) fn new(now: Instant, response: Arc<[u8]>, flow: Flow, seq: u32) -> Self {
        Unacked { response, flow, seq, interval: T1, next: now + T1, give_up: now + GIVE_UP, bye_waits: false }
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.next.min(self.give_up)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Repeat {
        if now >= self.give_up {
            return Repeat::GiveUp;
        }
        self.interval = (self.interval * 2).min(T2);
        self.next = now + self.interval;
        Repeat::Again
    }
}

#[cfg(test)]
mod tests {
    use super::super::Transport;
    use super::*;

    #[test]
    fn a_2xx_is_repeated_on_the_schedule_of_section_13() {
        let address = "127.0.0.1:5060".parse().unwrap();
        let flow = Flow { transport: Transport::Udp, local: address, remote: address, connection: None };
        let mut unacked = Unacked::new(Instant::START, b"200".as_slice().into(), flow, 1);
        let mut sent = Vec::new();
        loop {
            let at = unacked.next_timeout();
            if unacked.handle_timeout(at) == Repeat::GiveUp {
                assert_eq!(at, Instant::from_millis(32_000));
                break;
            }
            sent.push(at.as_nanos() / 1_000_000);
        }
        assert_eq!(sent, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    }
}
