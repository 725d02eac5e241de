//! Whether a target of a trunk is alive: OPTIONS every 5 s, down within 12 s, back after two good answers.
//!
//! Any final response but 408 and 503 is a sign of life (RFC 3261 section 11: the answer to OPTIONS is that to an INVITE, so
//! 403 or 404 come from a machine that works).
//!
//! ```text
//! a target dies right after it has answered:
//! 0 s answered ── 5 s asked ── 8 s nothing, asked again ── 11 s nothing: down
//! ```

use std::time::Duration;

use crate::clock::Instant;

/// How long an answer may take. Within it RFC 3261 sends the request three times.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// One lost answer is the network's weather.
const MISSES: u32 = 2;
const GOOD: u32 = 2;

#[derive(Debug, Clone)]
pub struct Health {
    every: Duration,
    life: Life,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Nothing has been heard yet.
    Unknown {
        misses: u32,
    },
    Up {
        misses: u32,
    },
    Down {
        good: u32,
    },
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Waiting { at: Instant },
    Asked { at: Instant, until: Instant },
}

/// What the owner has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Nothing,
    /// Send OPTIONS.
    Ask,
    /// Nobody answered the last one: forget it, and wait for the next time-out.
    GiveUp,
}

impl Health {
    /// The first OPTIONS goes out at `first`.
    pub fn new(every: Duration, first: Instant) -> Health {
        Health { every, life: Life::Unknown { misses: 0 }, phase: Phase::Waiting { at: first } }
    }

    pub fn poll_timeout(&self) -> Instant {
        match self.phase {
            Phase::Waiting { at } => at,
            Phase::Asked { until, .. } => until,
        }
    }

    /// When the OPTIONS that has no answer yet was first sent.
    pub fn asked(&self) -> Option<Instant> {
        match self.phase {
            Phase::Asked { at, .. } => Some(at),
            Phase::Waiting { .. } => None,
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Order {
        match self.phase {
            Phase::Waiting { at } if at <= now => {
                self.phase = Phase::Asked { at: now, until: now + PATIENCE };
                Order::Ask
            }
            Phase::Asked { at, until } if until <= now => {
                self.miss(now, at);
                Order::GiveUp
            }
            Phase::Waiting { .. } | Phase::Asked { .. } => Order::Nothing,
        }
    }

    /// The final response to the last OPTIONS; `None`: it could not be sent, or nothing came.
    pub fn handle_answer(&mut self, now: Instant, status: Option<u16>) {
        let Phase::Asked { at, until } = self.phase else { return };
        match status {
            None | Some(408 | 503) => self.miss(now.max(until.min(at + self.every)), at),
            Some(_) => {
                self.life = match self.life {
                    Life::Unknown { .. } | Life::Up { .. } => Life::Up { misses: 0 },
                    Life::Down { good } if good + 1 >= GOOD => Life::Up { misses: 0 },
                    Life::Down { good } => Life::Down { good: good + 1 },
                };
                self.phase = Phase::Waiting { at: at + self.every };
            }
        }
    }

    /// Calls go elsewhere first. A target that nothing has been heard of yet is worth trying.
    pub fn is_down(&self) -> bool {
        matches!(self.life, Life::Down { .. })
    }

    /// It has answered.
    pub fn is_up(&self) -> bool {
        matches!(self.life, Life::Up { .. })
    }

    /// `asked`: when; `next`: the soonest that it may be asked again.
    fn miss(&mut self, next: Instant, asked: Instant) {
        let (misses, soon) = match self.life {
            Life::Unknown { misses } | Life::Up { misses } => (misses + 1, true),
            Life::Down { .. } => (MISSES, false),
        };
        self.life = match self.life {
            _ if misses >= MISSES => Life::Down { good: 0 },
            Life::Up { .. } => Life::Up { misses },
            Life::Unknown { .. } | Life::Down { .. } => Life::Unknown { misses },
        };
        let again = if soon && !self.is_down() { next } else { next.max(asked + self.every) };
        self.phase = Phase::Waiting { at: again };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(5);

    /// Lets time pass up to `end`; the target answers what `answer` says, 20 ms later. Returns when it went down and up.
    fn watch(health: &mut Health, end: u64, mut answer: impl FnMut(u64) -> Option<u16>) -> Vec<(u64, bool)> {
        let mut seen = Vec::new();
        let mut down = health.is_down();
        let millis = |at: Instant| at.as_nanos() / 1_000_000;
        while millis(health.poll_timeout()) <= end {
            let now = health.poll_timeout();
            if health.handle_timeout(now) == Order::Ask
                && let Some(status) = answer(millis(now))
            {
                health.handle_answer(now + Duration::from_millis(20), Some(status));
            }
            if down != health.is_down() {
                down = health.is_down();
                seen.push((millis(now), down));
            }
        }
        seen
    }

    #[test]
    fn down_within_twelve_seconds_wherever_it_dies_and_back_after_two_good_answers() {
        for dies in (20_001..25_100).step_by(100) {
            let mut health = Health::new(EVERY, Instant::START);
            let seen = watch(&mut health, 90_000, |ms| (ms < dies || ms >= 60_000).then_some(200));
            assert_eq!(seen.len(), 2, "{seen:?}");
            assert!(seen[0].1 && seen[0].0 - dies <= 12_000, "died at {dies}, down at {}", seen[0].0);
            assert!(!seen[1].1 && seen[1].0 >= 65_000 && seen[1].0 <= 71_000, "back at {}", seen[1].0);
        }
    }

    #[test]
    fn one_lost_answer_changes_nothing_and_is_asked_for_again_at_once() {
        let mut health = Health::new(EVERY, Instant::START);
        let mut asked = Vec::new();
        let seen = watch(&mut health, 40_000, |ms| {
            asked.push(ms);
            (asked.len() != 3).then_some(200)
        });
        assert_eq!(seen, []);
        assert_eq!(asked[..5], [0, 5_000, 10_000, 13_000, 18_000]);
    }

    #[test]
    fn every_final_response_but_two_is_a_sign_of_life() {
        for (status, down) in
            [(200, false), (404, false), (405, false), (500, false), (483, false), (408, true), (503, true)]
        {
            let mut health = Health::new(EVERY, Instant::START);
            watch(&mut health, 20_000, |_| Some(status));
            assert_eq!((health.is_down(), health.is_up()), (down, !down), "{status}");
        }
    }

    #[test]
    fn a_refusal_does_not_hurry_the_questions() {
        let mut health = Health::new(EVERY, Instant::START);
        let mut asked = Vec::new();
        watch(&mut health, 60_000, |ms| {
            asked.push(ms);
            Some(503)
        });
        assert!(asked.len() <= 14, "{asked:?}");
    }

    #[test]
    fn what_has_never_answered_is_not_up_but_worth_trying_until_it_is_known_to_be_down() {
        let mut health = Health::new(EVERY, Instant::START);
        assert!(!health.is_up() && !health.is_down());
        assert_eq!(health.handle_timeout(Instant::START), Order::Ask);
        health.handle_answer(Instant::from_millis(1), None);
        assert!(!health.is_up() && !health.is_down());
        watch(&mut health, 12_000, |_| None);
        assert!(health.is_down());
    }
}
