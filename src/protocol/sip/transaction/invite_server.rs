//! INVITE server transaction: RFC 3261 figure 7, with the Accepted state of RFC 6026 figure 2.

use std::sync::Arc;
use std::time::Duration;

use super::Action;
use crate::clock::Instant;
use crate::protocol::sip::timers::{GIVE_UP, T1, T2, T4, Timer, TimerTable};

#[derive(Debug)]
pub struct InviteServer {
    state: State,
    timers: TimerTable,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    Proceeding { last: Option<Arc<[u8]>> },
    Completed { response: Arc<[u8]>, interval: Duration },
    Confirmed,
    Accepted,
    Terminated,
}

impl InviteServer {
    pub fn new(reliable: bool) -> Self {
        InviteServer { state: State::Proceeding { last: None }, timers: TimerTable::default(), reliable }
    }

    /// The core responds; the owner writes the bytes if this returns `Transmit`. After a final response nothing more is sent.
    pub fn respond(&mut self, now: Instant, status: u16, response: Arc<[u8]>) -> Action {
        let State::Proceeding { last } = &mut self.state else { return Action::Nothing };
        match status {
            100..=199 => *last = Some(Arc::clone(&response)),
            200..=299 => {
                self.timers.set(Timer::L, now + GIVE_UP);
                self.state = State::Accepted;
            }
            _ => {
                if !self.reliable {
                    self.timers.set(Timer::G, now + T1);
                }
                self.timers.set(Timer::H, now + GIVE_UP);
                self.state = State::Completed { response: Arc::clone(&response), interval: T1 };
            }
        }
        Action::Transmit(response)
    }

    /// The INVITE came again. In Accepted it is absorbed: the core retransmits its 2xx by itself.
    pub fn handle_retransmission(&self) -> Action {
        match &self.state {
            State::Proceeding { last: Some(response) } | State::Completed { response, .. } => {
                Action::Transmit(Arc::clone(response))
            }
            State::Proceeding { last: None } | State::Confirmed | State::Accepted | State::Terminated => {
                Action::Nothing
            }
        }
    }

    /// An ACK that belongs to this transaction: only that of a failure does. False if none was awaited.
    pub fn handle_ack(&mut self, now: Instant) -> bool {
        let awaited = matches!(self.state, State::Completed { .. });
        if let State::Completed { .. } = self.state {
            self.timers.clear_all();
            if self.reliable {
                self.state = State::Terminated;
            } else {
                self.timers.set(Timer::I, now + T4);
                self.state = State::Confirmed;
            }
        }
        awaited
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Action {
        match (self.timers.pop_due(now), &mut self.state) {
            (Some(Timer::G), State::Completed { response, interval }) => {
                *interval = (*interval * 2).min(T2);
                let (response, next) = (Arc::clone(response), now + *interval);
                self.timers.set(Timer::G, next);
                Action::Transmit(response)
            }
            (Some(Timer::H), State::Completed { .. }) => {
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

    pub fn terminate(&mut self) {
        self.timers.clear_all();
        self.state = State::Terminated;
    }

    pub fn proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// A 2xx was sent.
    pub fn accepted(&self) -> bool {
        matches!(self.state, State::Accepted)
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

    #[test]
    fn a_failure_is_retransmitted_until_ack_or_timer_h() {
        let mut tx = InviteServer::new(false);
        assert_eq!(tx.respond(Instant::START, 486, bytes("486")), Action::Transmit(bytes("486")));
        let mut sent = Vec::new();
        while let Some(at) = tx.next_timeout() {
            match tx.handle_timeout(at) {
                Action::Transmit(_) => sent.push(at.as_nanos() / 1_000_000),
                action => assert_eq!((action, at), (Action::TimedOut, Instant::from_millis(32_000))),
            }
        }
        assert_eq!(sent, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    }

    #[test]
    fn an_ack_stops_it_and_timer_i_ends_it() {
        let mut tx = InviteServer::new(false);
        tx.respond(Instant::START, 486, bytes("486"));
        tx.handle_ack(Instant::from_millis(20));
        assert_eq!(tx.handle_retransmission(), Action::Nothing);
        assert_eq!(tx.next_timeout(), Some(Instant::from_millis(5_020)));
        tx.handle_timeout(Instant::from_millis(5_020));
        assert!(tx.terminated());
    }

    #[test]
    fn the_last_provisional_answers_a_retransmission() {
        let mut tx = InviteServer::new(false);
        assert_eq!(tx.handle_retransmission(), Action::Nothing);
        tx.respond(Instant::START, 100, bytes("100"));
        tx.respond(Instant::START, 180, bytes("180"));
        assert_eq!(tx.handle_retransmission(), Action::Transmit(bytes("180")));
    }

    #[test]
    fn after_a_2xx_retransmitted_invites_are_absorbed_for_timer_l() {
        let mut tx = InviteServer::new(false);
        tx.respond(Instant::START, 200, bytes("200"));
        assert_eq!(tx.handle_retransmission(), Action::Nothing);
        assert_eq!(tx.respond(Instant::START, 486, bytes("486")), Action::Nothing);
        assert_eq!(tx.next_timeout(), Some(Instant::from_millis(32_000)));
    }
}
