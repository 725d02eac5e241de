//! Non-INVITE client transaction: RFC 3261 figure 6.

use std::sync::Arc;
use std::time::Duration;

use super::Action;
use crate::clock::Instant;
use crate::protocol::sip::timers::{GIVE_UP, T1, T2, T4, Timer, TimerTable};

#[derive(Debug)]
pub struct Client {
    state: State,
    timers: TimerTable,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    Trying { request: Arc<[u8]>, interval: Duration },
    Proceeding { request: Arc<[u8]> },
    Completed,
    Terminated,
}

impl Client {
    /// The owner writes `request` once itself.
    pub fn new(now: Instant, request: Arc<[u8]>, reliable: bool) -> Self {
        let mut timers = TimerTable::default();
        timers.set(Timer::F, now + GIVE_UP);
        if !reliable {
            timers.set(Timer::E, now + T1);
        }
        Client { state: State::Trying { request, interval: T1 }, timers, reliable }
    }

    pub fn handle_response(&mut self, now: Instant, status: u16) -> Action {
        match (&self.state, status) {
            (State::Trying { request, .. } | State::Proceeding { request }, 100..=199) => {
                self.state = State::Proceeding { request: Arc::clone(request) };
                Action::Deliver
            }
            (State::Trying { .. } | State::Proceeding { .. }, _) => {
                self.timers.clear_all();
                if self.reliable {
                    self.state = State::Terminated;
                } else {
                    self.timers.set(Timer::K, now + T4);
                    self.state = State::Completed;
                }
                Action::Deliver
            }
            (State::Completed | State::Terminated, _) => Action::Nothing,
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Action {
        match (self.timers.pop_due(now), &mut self.state) {
            (Some(Timer::E), State::Trying { request, interval }) => {
                *interval = (*interval * 2).min(T2);
                let (request, next) = (Arc::clone(request), now + *interval);
                self.timers.set(Timer::E, next);
                Action::Transmit(request)
            }
            (Some(Timer::E), State::Proceeding { request }) => {
                let request = Arc::clone(request);
                self.timers.set(Timer::E, now + T2);
                Action::Transmit(request)
            }
            (Some(Timer::F), State::Trying { .. } | State::Proceeding { .. }) => {
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

    fn schedule(mut tx: Client) -> (Vec<u64>, u64) {
        let mut sent = Vec::new();
        while let Some(at) = tx.next_timeout() {
            let ms = at.as_nanos() / 1_000_000;
            match tx.handle_timeout(at) {
                Action::Transmit(_) => sent.push(ms),
                action => {
                    assert_eq!(action, Action::TimedOut);
                    return (sent, ms);
                }
            }
        }
        (sent, 0)
    }

    #[test]
    fn retransmits_up_to_t2_and_gives_up() {
        let tx = Client::new(Instant::START, b"BYE".as_slice().into(), false);
        let (sent, end) = schedule(tx);
        assert_eq!(sent, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
        assert_eq!(end, 32_000);
    }

    #[test]
    fn a_provisional_response_slows_it_to_t2() {
        let mut tx = Client::new(Instant::START, b"BYE".as_slice().into(), false);
        tx.handle_response(Instant::from_millis(10), 100);
        assert_eq!(schedule(tx).0[..3], [500, 4_500, 8_500]);
    }

    #[test]
    fn a_final_response_is_delivered_once() {
        let mut tx = Client::new(Instant::START, b"BYE".as_slice().into(), false);
        assert_eq!(tx.handle_response(Instant::START, 200), Action::Deliver);
        assert_eq!(tx.handle_response(Instant::START, 200), Action::Nothing);
        assert_eq!(tx.next_timeout(), Some(Instant::from_millis(5_000)));
    }
}
