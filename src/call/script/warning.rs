//! The tone by which both know that they are recorded (`recording.beep_s`): again and again while they talk, and never over a prompt.

use std::time::Duration;

use super::{Act, Acts};
use crate::clock::Instant;

/// So soon after the begin, and so soon again if it cannot sound now.
const SOON: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Warning {
    every: Duration,
    next: Instant,
}

impl Warning {
    pub(super) fn new(now: Instant, every: Duration) -> Warning {
        Warning { every, next: now + SOON }
    }

    pub(super) fn poll_timeout(&self) -> (Instant, &'static str) {
        (self.next, "a tone says that this is recorded")
    }

    /// `talk`: both hear each other, and nothing else is said.
    pub(super) fn timeout(&mut self, now: Instant, talk: bool, acts: &mut Acts) {
        if self.next > now {
            return;
        }
        self.next = now + if talk { self.every } else { SOON };
        acts.queue.extend(talk.then_some(Act::Warn));
    }
}
