//! Who may use the API: whoever knows the token of `[http] token_file`, and not too often.

use std::sync::{Mutex, PoisonError};

use crate::clock::Instant;
use crate::limits::{API_RATE, Rate, WRONG_TOKENS};
use crate::peer::token::Token;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Welcome,
    /// No token, or a wrong one.
    Unknown,
    TooMany,
}

#[derive(Debug)]
pub struct Gate {
    token: Token,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    /// Of those who know the token, together.
    welcome: Bucket,
    /// Of those who do not: guessing is slow, and keeps nobody else out.
    wrong: Bucket,
}

impl Gate {
    pub fn new(token: Token, now: Instant) -> Gate {
        let buckets = Buckets { welcome: Bucket::full(API_RATE, now), wrong: Bucket::full(WRONG_TOKENS, now) };
        Gate { token, buckets: Mutex::new(buckets) }
    }

    /// `authorization`: the field as the client wrote it (RFC 6750 section 2.1).
    pub fn judge(&self, now: Instant, authorization: Option<&str>) -> Verdict {
        let secret = authorization.and_then(|field| field.split_once(' ')).filter(|(scheme, _)| {
            // RFC 9110 section 11.1: the scheme in any case.
            scheme.eq_ignore_ascii_case("bearer")
        });
        let known = secret.is_some_and(|(_, secret)| Token::new(secret.trim()) == self.token);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            true if buckets.welcome.take(now) => Verdict::Welcome,
            false if buckets.wrong.take(now) => Verdict::Unknown,
            _ => Verdict::TooMany,
        }
    }
}

#[derive(Debug)]
struct Bucket {
    rate: Rate,
    /// In billionths of a request.
    credit: u64,
    filled: Instant,
}

const ONE: u64 = 1_000_000_000;

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Bucket {
        Bucket { rate, credit: u64::from(rate.burst) * ONE, filled: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let since = u64::try_from(now.since(self.filled).as_nanos()).unwrap_or(u64::MAX);
        let more = since.saturating_mul(u64::from(self.rate.per_second));
        self.credit = self.credit.saturating_add(more).min(u64::from(self.rate.burst) * ONE);
        self.filled = now;
        let has = self.credit >= ONE;
        self.credit -= if has { ONE } else { 0 };
        has
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_opens_and_guessing_keeps_nobody_else_out() {
        let gate = Gate::new(Token::new("a-long-secret-of-ours"), Instant::START);
        let at = Instant::from_millis;
        assert_eq!(gate.judge(at(1), Some("Bearer a-long-secret-of-ours")), Verdict::Welcome);
        assert_eq!(gate.judge(at(1), Some("bearer  a-long-secret-of-ours")), Verdict::Welcome);
        for wrong in [None, Some("Bearer"), Some("Bearer x"), Some("Basic a-long-secret-of-ours"), Some("")] {
            assert_eq!(gate.judge(at(2), wrong), Verdict::Unknown, "{wrong:?}");
        }
        let guesses = (0..1_000).filter(|_| gate.judge(at(3), Some("Bearer y")) == Verdict::Unknown).count();
        assert!(guesses < WRONG_TOKENS.burst as usize, "{guesses}");
        assert_eq!(gate.judge(at(3), Some("Bearer a-long-secret-of-ours")), Verdict::Welcome);
        let asked = (0..1_000).filter(|_| gate.judge(at(4), Some("Bearer a-long-secret-of-ours")) == Verdict::Welcome);
        assert!(asked.count() <= API_RATE.burst as usize);
        assert_eq!(gate.judge(at(4), Some("Bearer a-long-secret-of-ours")), Verdict::TooMany);
        assert_eq!(gate.judge(at(1_004), Some("Bearer a-long-secret-of-ours")), Verdict::Welcome, "a second later");
    }
}
