//! Challenges that a phone did not answer.
//!
//! RFC 8760 (section 2.4) lets a phone pass over a challenge whose algorithm it does not know, but some give up instead
//! (baresip 1.0 on `SHA-256`). Such a phone comes again, in its own time, with the same Call-ID and still without an answer.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Instant;

/// Phones wait from half a minute to half an hour after a failure.
const MEMORY: Duration = Duration::from_secs(1_860);

/// Registrations that are remembered; beyond it the oldest is forgotten.
const MOST: usize = 2_048;

type Key = (IpAddr, String);

#[derive(Debug, Clone, Default)]
pub struct Unanswered {
    since: BTreeMap<Key, Instant>,
    /// The same in order; entries that were answered are passed over.
    order: VecDeque<(Instant, Key)>,
}

impl Unanswered {
    /// Notes a challenge. True if this registration has had one before and left it unanswered.
    pub fn challenged(&mut self, now: Instant, source: IpAddr, call_id: &str) -> bool {
        while let Some(old) = self.order.pop_front_if(|(at, _)| now.since(*at) >= MEMORY) {
            self.forget(&old);
        }
        let key = key(source, call_id);
        if self.since.contains_key(&key) {
            return true;
        }
        if self.order.len() >= MOST
            && let Some(old) = self.order.pop_front()
        {
            self.forget(&old);
        }
        self.order.push_back((now, key.clone()));
        self.since.insert(key, now);
        false
    }

    pub fn answered(&mut self, source: IpAddr, call_id: &str) {
        self.since.remove(&key(source, call_id));
    }

    fn forget(&mut self, (at, key): &(Instant, Key)) {
        if self.since.get(key) == Some(at) {
            self.since.remove(key);
        }
    }
}

fn key(source: IpAddr, call_id: &str) -> Key {
    (source.to_canonical(), call_id.chars().take(128).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_again_without_an_answer_is_known() {
        let mut unanswered = Unanswered::default();
        let source: IpAddr = "192.0.2.8".parse().unwrap();
        let at = |s: u64| Instant::from_millis(s * 1_000);
        assert!(!unanswered.challenged(at(0), source, "a"));
        assert!(!unanswered.challenged(at(0), source, "b"));
        assert!(unanswered.challenged(at(60), source, "a"));
        unanswered.answered(source, "a");
        assert!(!unanswered.challenged(at(61), source, "a"), "it had been answered");
        assert!(!unanswered.challenged(at(1_860), source, "b"), "so long ago that it does not count");
        assert!(unanswered.challenged(at(1_860), source, "a"));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut unanswered = Unanswered::default();
        let source: IpAddr = "192.0.2.8".parse().unwrap();
        for n in 0..10_000 {
            assert!(!unanswered.challenged(Instant::START, source, &n.to_string()));
            assert!(unanswered.since.len() <= MOST && unanswered.order.len() <= MOST);
        }
        assert!(unanswered.challenged(Instant::START, source, "9999"));
        assert!(!unanswered.challenged(Instant::START, source, "1"));
    }
}
