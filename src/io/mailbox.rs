//! The way into the switch's thread.
//!
//! Datagrams are bounded: a flood must not fill the memory. What media threads, recorder and ledger report is bounded by
//! the calls themselves and must never be lost: a lost `Closed` would keep a port for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use crate::gateway::Input;
use crate::limits;

#[derive(Debug, Clone)]
pub struct Mailbox {
    sender: Sender<Letter>,
    messages: Arc<AtomicUsize>,
}

#[derive(Debug)]
pub struct Inbox {
    receiver: Receiver<Letter>,
    messages: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Letter {
    /// A SIP message: counted against the bound.
    Message(Input),
    Event(Input),
    Stop,
}

/// What the switch's thread found.
#[derive(Debug)]
pub enum Received {
    Input(Input),
    /// Nothing came in time.
    Timeout,
    Stop,
}

pub fn mailbox() -> (Mailbox, Inbox) {
    let (sender, receiver) = mpsc::channel();
    let messages = Arc::new(AtomicUsize::new(0));
    (Mailbox { sender, messages: Arc::clone(&messages) }, Inbox { receiver, messages })
}

impl Mailbox {
    /// A SIP message from the network; false if the queue is at its bound (the sender will repeat it).
    pub fn message(&self, input: Input) -> bool {
        if self.messages.fetch_add(1, Ordering::AcqRel) >= limits::SIP_QUEUE {
            self.messages.fetch_sub(1, Ordering::AcqRel);
            return false;
        }
        self.sender.send(Letter::Message(input)).is_ok()
    }

    /// Anything that must not be lost.
    pub fn event(&self, input: Input) {
        // The switch's thread is gone only when the process ends.
        let _ = self.sender.send(Letter::Event(input));
    }

    pub fn stop(&self) {
        let _ = self.sender.send(Letter::Stop);
    }
}

impl Inbox {
    pub fn receive(&self, patience: Duration) -> Received {
        match self.receiver.recv_timeout(patience) {
            Ok(Letter::Message(input)) => {
                self.messages.fetch_sub(1, Ordering::AcqRel);
                Received::Input(input)
            }
            Ok(Letter::Event(input)) => Received::Input(input),
            Ok(Letter::Stop) | Err(RecvTimeoutError::Disconnected) => Received::Stop,
            Err(RecvTimeoutError::Timeout) => Received::Timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_bounded_and_events_are_not() {
        let (mailbox, inbox) = mailbox();
        let taken = (0..limits::SIP_QUEUE + 10).filter(|_| mailbox.message(Input::Timeout)).count();
        assert_eq!(taken, limits::SIP_QUEUE);
        for _ in 0..10 {
            mailbox.event(Input::Drain);
        }
        for _ in 0..limits::SIP_QUEUE {
            assert!(matches!(inbox.receive(Duration::ZERO), Received::Input(Input::Timeout)));
        }
        assert!(mailbox.message(Input::Timeout), "there is room again");
        assert!(matches!(inbox.receive(Duration::ZERO), Received::Input(Input::Drain)));
    }
}
