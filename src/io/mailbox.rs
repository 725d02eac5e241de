//! The way into the switch's thread: four queues.
//!
//! What media threads, recorder and ledger report comes first; it is bounded by the calls themselves and must never be lost (a
//! lost `Closed` would keep a port for ever). SIP messages are bounded, because a flood must not fill the memory: those of
//! known trunks before everybody else's, but one of the others after every [`TRUNK_STREAK`], or phones could not answer
//! while a trunk is busy. Strangers who want to register come last of all, in a small queue of their own.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gateway::Input;
use crate::limits;

/// Messages of trunks in a row while others wait.
const TRUNK_STREAK: u32 = 8;

/// Whose SIP message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Trunk,
    Other,
    /// A stranger's REGISTER.
    Register,
}

#[derive(Debug, Clone)]
pub struct Mailbox {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub struct Inbox {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queues: Mutex<Queues>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Queues {
    events: VecDeque<Input>,
    trunks: VecDeque<Input>,
    others: VecDeque<Input>,
    registers: VecDeque<Input>,
    streak: u32,
    /// The switch sleeps: whoever brings something rings.
    asleep: bool,
    stopped: bool,
}

/// What the switch's thread found.
#[derive(Debug)]
pub enum Received {
    Input(Input),
    /// Nothing came in time.
    Timeout,
    /// To end, and everything that came before is handled.
    Stop,
}

pub fn mailbox() -> (Mailbox, Inbox) {
    let shared = Arc::<Shared>::default();
    (Mailbox { shared: Arc::clone(&shared) }, Inbox { shared })
}

impl Mailbox {
    /// A SIP message from the network; false if its queue is at its bound (the sender will repeat it).
    pub fn message(&self, lane: Lane, input: Input) -> bool {
        self.shared.bring(|queues| {
            let (queue, most) = match lane {
                Lane::Trunk => (&mut queues.trunks, limits::SIP_QUEUE),
                Lane::Other => (&mut queues.others, limits::SIP_QUEUE),
                Lane::Register => (&mut queues.registers, limits::REGISTER_QUEUE),
            };
            let room = !queues.stopped && queue.len() < most;
            if room {
                queue.push_back(input);
            }
            room
        })
    }

    /// Anything that must not be lost.
    pub fn event(&self, input: Input) {
        self.shared.bring(|queues| queues.events.push_back(input));
    }

    /// How much waits for the switch.
    pub fn waiting(&self) -> usize {
        let queues = self.shared.lock();
        [&queues.events, &queues.trunks, &queues.others, &queues.registers].map(VecDeque::len).iter().sum()
    }

    pub fn stop(&self) {
        self.shared.bring(|queues| queues.stopped = true);
    }
}

impl Inbox {
    pub fn receive(&self, patience: Duration) -> Received {
        let mut queues = self.shared.lock();
        if let Some(received) = queues.next() {
            return received;
        }
        if patience.is_zero() {
            return Received::Timeout;
        }
        queues.asleep = true;
        let waited = self.shared.bell.wait_timeout(queues, patience);
        let mut queues = waited.unwrap_or_else(PoisonError::into_inner).0;
        queues.asleep = false;
        queues.next().unwrap_or(Received::Timeout)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bring<T>(&self, put: impl FnOnce(&mut Queues) -> T) -> T {
        let mut queues = self.lock();
        let result = put(&mut queues);
        let asleep = std::mem::take(&mut queues.asleep);
        drop(queues);
        if asleep {
            self.bell.notify_one();
        }
        result
    }
}

impl Queues {
    fn next(&mut self) -> Option<Received> {
        let input = self.events.pop_front().or_else(|| self.next_message());
        input.map(Received::Input).or_else(|| self.stopped.then_some(Received::Stop))
    }

    fn next_message(&mut self) -> Option<Input> {
        let others_turn = self.streak >= TRUNK_STREAK && !self.others.is_empty();
        match self.trunks.pop_front_if(|_| !others_turn) {
            Some(input) => {
                self.streak += 1;
                Some(input)
            }
            None => {
                self.streak = 0;
                self.others.pop_front().or_else(|| self.registers.pop_front())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_bounded_and_events_are_not() {
        let (mailbox, inbox) = mailbox();
        let taken = (0..limits::SIP_QUEUE + 10).filter(|_| mailbox.message(Lane::Other, Input::Timeout)).count();
        assert_eq!(taken, limits::SIP_QUEUE);
        assert!(mailbox.message(Lane::Trunk, Input::Timeout), "a trunk has a queue of its own");
        for _ in 0..10 {
            mailbox.event(Input::Drain);
        }
        for _ in 0..10 {
            assert!(matches!(inbox.receive(Duration::ZERO), Received::Input(Input::Drain)));
        }
        for _ in 0..=limits::SIP_QUEUE {
            assert!(matches!(inbox.receive(Duration::ZERO), Received::Input(Input::Timeout)));
        }
        assert!(matches!(inbox.receive(Duration::ZERO), Received::Timeout));
        assert!(mailbox.message(Lane::Other, Input::Timeout), "there is room again");
    }

    #[test]
    fn strangers_who_register_come_last_and_are_few() {
        let (mailbox, inbox) = mailbox();
        let taken = (0..10_000).filter(|_| mailbox.message(Lane::Register, Input::Shutdown)).count();
        assert_eq!(taken, limits::REGISTER_QUEUE);
        for _ in 0..20 {
            assert!(mailbox.message(Lane::Other, Input::Timeout) && mailbox.message(Lane::Trunk, Input::Timeout));
        }
        assert!((0..40).all(|_| matches!(inbox.receive(Duration::ZERO), Received::Input(Input::Timeout))));
        assert!(matches!(inbox.receive(Duration::ZERO), Received::Input(Input::Shutdown)));
    }

    #[test]
    fn trunks_go_first_but_others_are_not_forgotten() {
        let (mailbox, inbox) = mailbox();
        for _ in 0..2 * TRUNK_STREAK {
            assert!(mailbox.message(Lane::Other, Input::Drain));
            assert!(mailbox.message(Lane::Trunk, Input::Timeout));
        }
        let order: Vec<bool> = std::iter::from_fn(|| match inbox.receive(Duration::ZERO) {
            Received::Input(input) => Some(matches!(input, Input::Timeout)),
            Received::Timeout | Received::Stop => None,
        })
        .collect();
        let streak = TRUNK_STREAK as usize;
        assert!(order[..streak].iter().all(|trunk| *trunk));
        assert!(!order[streak], "one of the others");
        assert!(order[streak + 1..=2 * streak].iter().all(|trunk| *trunk));
        assert_eq!(order.len(), 4 * streak);
    }

    #[test]
    fn a_sleeper_is_woken_and_a_stop_comes_last() {
        let (mailbox, inbox) = mailbox();
        let sleeper = std::thread::spawn(move || {
            let patience = Duration::from_secs(60);
            let first = inbox.receive(patience);
            (first, inbox.receive(patience), inbox.receive(patience))
        });
        mailbox.event(Input::Drain);
        assert!(mailbox.message(Lane::Other, Input::Timeout));
        mailbox.stop();
        assert!(!mailbox.message(Lane::Trunk, Input::Timeout), "nothing more after the stop");
        let (first, second, third) = sleeper.join().unwrap();
        assert!(matches!(first, Received::Input(Input::Drain)));
        assert!(matches!(second, Received::Input(Input::Timeout)));
        assert!(matches!(third, Received::Stop));
    }
}
