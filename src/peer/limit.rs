//! How many calls a trunk may bring: a token bucket of calls a second, and a count of calls at once.

use std::time::Duration;

use crate::clock::Instant;

/// What the operator allows; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    pub calls_per_second: Option<u32>,
    pub calls_at_once: Option<u32>,
}

/// The state of one trunk's limits.
#[derive(Debug, Clone)]
pub struct Limit {
    limits: Limits,
    /// Calls that may still come now, in billionths of a call; a full bucket is one second's worth.
    credit: u64,
    filled: Instant,
    calls: u32,
}

const CALL: u64 = 1_000_000_000;

/// A call came that is one too many; come back after so many whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    pub retry_after_s: u32,
}

/// Where a place may become free at any moment: nobody can know when, and a carrier should not ask every second.
const AT_ONCE_RETRY_S: u32 = 10;

impl Limit {
    pub fn new(limits: Limits, now: Instant) -> Limit {
        let credit = limits.calls_per_second.map_or(0, |rate| u64::from(rate) * CALL);
        Limit { limits, credit, filled: now, calls: 0 }
    }

    /// Takes the place of one call, to be given back with [`Limit::release`].
    pub fn admit(&mut self, now: Instant) -> Result<(), Over> {
        self.take_place()?;
        if let Some(rate) = self.limits.calls_per_second {
            self.fill(now, rate);
            if self.credit < CALL {
                self.release();
                let wait = Duration::from_nanos((CALL - self.credit) / u64::from(rate.max(1)));
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                return Err(Over { retry_after_s: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) });
            }
            self.credit -= CALL;
        }
        Ok(())
    }

    /// The same for a call of ours, which no rate limits.
    pub fn take_place(&mut self) -> Result<(), Over> {
        if self.limits.calls_at_once.is_some_and(|most| self.calls >= most) {
            return Err(Over { retry_after_s: AT_ONCE_RETRY_S });
        }
        self.calls += 1;
        Ok(())
    }

    pub fn release(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }

    pub fn calls(&self) -> u32 {
        self.calls
    }

    fn fill(&mut self, now: Instant, rate: u32) {
        let nanos = u64::try_from(now.since(self.filled).as_nanos()).unwrap_or(u64::MAX);
        let full = u64::from(rate) * CALL;
        self.credit = self.credit.saturating_add(nanos.saturating_mul(rate.into())).min(full);
        self.filled = self.filled.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(calls_per_second: Option<u32>, calls_at_once: Option<u32>) -> Limit {
        Limit::new(Limits { calls_per_second, calls_at_once }, Instant::START)
    }

    #[test]
    fn without_limits_everybody_comes_in() {
        let mut limit = limit(None, None);
        assert!((0..100_000).all(|_| limit.admit(Instant::START).is_ok()));
        assert_eq!(limit.calls(), 100_000);
    }

    #[test]
    fn a_second_brings_as_many_calls_as_it_may_and_no_more() {
        let mut limit = limit(Some(3), None);
        let at = Instant::from_millis;
        let came = |limit: &mut Limit, ms| (0..10).filter(|_| limit.admit(at(ms)).is_ok()).count();
        assert_eq!(came(&mut limit, 0), 3);
        assert_eq!(limit.admit(at(0)), Err(Over { retry_after_s: 1 }));
        assert_eq!(came(&mut limit, 333), 0, "a third of a second is not quite a call");
        assert_eq!(came(&mut limit, 334), 1);
        assert_eq!(came(&mut limit, 60_000), 3, "an hour of silence saves up one second");
        let steady = (0..600).filter(|n| limit.admit(at(60_000 + n * 100)).is_ok()).count();
        assert_eq!(steady, 179, "a minute at three a second, after the bucket was emptied");
    }

    #[test]
    fn places_are_taken_and_given_back_and_a_refused_call_takes_none() {
        let mut limit = limit(Some(2), Some(3));
        let at = Instant::from_millis;
        assert!(limit.admit(at(0)).is_ok() && limit.admit(at(0)).is_ok());
        assert_eq!(limit.admit(at(0)), Err(Over { retry_after_s: 1 }));
        assert_eq!(limit.calls(), 2);
        assert!(limit.take_place().is_ok(), "a call of ours has no rate");
        assert_eq!(limit.admit(at(5_000)), Err(Over { retry_after_s: AT_ONCE_RETRY_S }));
        limit.release();
        assert!(limit.admit(at(5_000)).is_ok());
    }
}
