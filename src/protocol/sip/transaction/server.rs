//! Non-INVITE server transaction: RFC 3261 figure 8.

use std::sync::Arc;

use super::Action;
use crate::clock::Instant;
use crate::protocol::sip::timers::{GIVE_UP, Timer, TimerTable};

#[derive(Debug)]
pub struct Server {
    state: State,
    timers: TimerTable,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    Trying,
    Completed { response: Arc<[u8]> },
    Terminated,
}

impl Server {
    pub fn new(reliable: bool) -> Self {
        Server { state: State::Trying, timers: TimerTable::default(), reliable }
    }

    /// Final responses only: this program answers every non-INVITE request at once (RFC 4320).
    pub fn respond(&mut self, now: Instant, response: Arc<[u8]>) -> Action {
        let State::Trying = self.state else { return Action::Nothing };
        if self.reliable {
            self.state = State::Terminated;
        } else {
            self.timers.set(Timer::J, now + GIVE_UP);
            self.state = State::Completed { response: Arc::clone(&response) };
        }
        Action::Transmit(response)
    }

    pub fn handle_retransmission(&self) -> Action {
        match &self.state {
            State::Completed { response } => Action::Transmit(Arc::clone(response)),
            State::Trying | State::Terminated => Action::Nothing,
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Action {
        if self.timers.pop_due(now).is_some() {
            self.state = State::Terminated;
        }
        Action::Nothing
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

    #[test]
    fn the_response_answers_retransmissions_for_timer_j() {
        let response: Arc<[u8]> = b"200".as_slice().into();
        let mut tx = Server::new(false);
        assert_eq!(tx.handle_retransmission(), Action::Nothing);
        assert_eq!(tx.respond(Instant::START, Arc::clone(&response)), Action::Transmit(Arc::clone(&response)));
        assert_eq!(tx.handle_retransmission(), Action::Transmit(response));
        assert_eq!(tx.next_timeout(), Some(Instant::from_millis(32_000)));
        tx.handle_timeout(Instant::from_millis(32_000));
        assert!(tx.terminated());
    }

    #[test]
    fn a_reliable_transport_needs_no_timer_j() {
        let mut tx = Server::new(true);
        tx.respond(Instant::START, b"200".as_slice().into());
        assert!(tx.terminated());
    }
}
