//! INVITE client transaction: RFC 3261 figure 5, with the Accepted state of RFC 6026 figure 1.

use std::sync::Arc;
use std::time::Duration;

use super::Action;
use crate::clock::Instant;
use crate::protocol::sip::timers::{D, GIVE_UP, T1, Timer, TimerTable};

#[derive(Debug)]
pub struct InviteClient {
    state: State,
    timers: TimerTable,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    Calling { request: Arc<[u8]>, interval: Duration },
    Proceeding,
    Completed { ack: Arc<[u8]> },
    Accepted,
    Terminated,
}

impl InviteClient {
    /// The owner writes `request` once itself.
    pub fn new(now: Instant, request: Arc<[u8]>, reliable: bool) -> Self {
        let mut timers = TimerTable::default();
        timers.set(Timer::B, now + GIVE_UP);
        if !reliable {
            timers.set(Timer::A, now + T1);
        }
        InviteClient { state: State::Calling { request, interval: T1 }, timers, reliable }
    }

    /// `ack` is built by the owner for a final response from 300 (section 17.1.1.3); unused otherwise.
    pub fn handle_response(&mut self, now: Instant, status: u16, ack: impl FnOnce() -> Arc<[u8]>) -> Action {
        match (&self.state, status) {
            (State::Calling { .. }, 100..=199) => {
                self.timers.clear_all();
                self.state = State::Proceeding;
                Action::Deliver
            }
            (State::Proceeding, 100..=199) => Action::Deliver,
            (State::Calling { .. } | State::Proceeding, 200..=299) => {
                self.timers.clear_all();
                self.timers.set(Timer::M, now + GIVE_UP);
                self.state = State::Accepted;
                Action::Deliver
            }
            (State::Calling { .. } | State::Proceeding, _) => {
                self.timers.clear_all();
                let ack = ack();
                if self.reliable {
                    self.state = State::Terminated;
                } else {
                    self.timers.set(Timer::D, now + D);
                    self.state = State::Completed { ack: Arc::clone(&ack) };
                }
                Action::DeliverAndTransmit(ack)
            }
            (State::Accepted, 200..=299) => Action::Deliver,
            (State::Completed { ack }, 300..) => Action::Transmit(Arc::clone(ack)),
            (State::Accepted | State::Completed { .. } | State::Terminated, _) => Action::Nothing,
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Action {
        match (self.timers.pop_due(now), &mut self.state) {
            (Some(Timer::A), State::Calling { request, interval }) => {
                *interval *= 2;
                let (request, next) = (Arc::clone(request), now + *interval);
                self.timers.set(Timer::A, next);
                Action::Transmit(request)
            }
            (Some(Timer::B), State::Calling { .. }) => {
                self.terminate();
                Action::TimedOut
            }
            (Some(_), _) => {
                self.terminate();
                Action::Nothing
            }
            (None, _) => Action::Nothing,
        }
    }

    /// The core gives up: after a CANCEL that brought no final response in 64 × T1 (section 9.1), or the transport failed.
    pub fn terminate(&mut self) {
        self.timers.clear_all();
        self.state = State::Terminated;
    }

    pub fn provisional_received(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }

    /// No final response has come yet.
    pub fn pending(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding)
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub fn terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Arc<[u8]> {
        text.as_bytes().into()
    }

    fn no_ack() -> Arc<[u8]> {
        panic!("no ACK is due")
    }

    #[test]
    fn retransmits_doubling_and_gives_up_at_64_t1() {
        let mut tx = InviteClient::new(Instant::START, bytes("INVITE"), false);
        let mut sent = Vec::new();
        while let Some(at) = tx.next_timeout() {
            match tx.handle_timeout(at) {
                Action::Transmit(_) => sent.push(at.as_nanos() / 1_000_000),
                action => assert_eq!((action, at), (Action::TimedOut, Instant::from_millis(32_000))),
            }
        }
        assert_eq!(sent, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert!(tx.terminated());
    }

    #[test]
    fn reliable_transport_does_not_retransmit() {
        let tx = InviteClient::new(Instant::START, bytes("INVITE"), true);
        assert_eq!(tx.next_timeout(), Some(Instant::from_millis(32_000)));
    }

    #[test]
    fn failure_is_acknowledged_again_for_each_retransmission_until_timer_d() {
        let mut tx = InviteClient::new(Instant::START, bytes("INVITE"), false);
        let now = Instant::from_millis(100);
        assert_eq!(tx.handle_response(now, 180, no_ack), Action::Deliver);
        assert_eq!(tx.next_timeout(), None, "in Proceeding neither A nor B runs");
        assert_eq!(tx.handle_response(now, 486, || bytes("ACK")), Action::DeliverAndTransmit(bytes("ACK")));
        assert_eq!(tx.handle_response(now, 486, no_ack), Action::Transmit(bytes("ACK")));
        assert_eq!(tx.next_timeout(), Some(Instant::from_millis(32_600)));
        assert_eq!(tx.handle_timeout(Instant::from_millis(32_600)), Action::Nothing);
        assert!(tx.terminated());
    }

    #[test]
    fn every_2xx_reaches_the_core_until_timer_m() {
        let mut tx = InviteClient::new(Instant::START, bytes("INVITE"), false);
        let now = Instant::from_millis(100);
        assert_eq!(tx.handle_response(now, 200, no_ack), Action::Deliver);
        assert_eq!(tx.handle_response(now, 200, no_ack), Action::Deliver);
        assert_eq!(tx.handle_response(now, 486, no_ack), Action::Nothing);
        assert_eq!(tx.next_timeout(), Some(Instant::from_millis(32_100)));
    }
}
