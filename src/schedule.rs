//! One table of wake-ups for many machines: each key has at most one deadline.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Instant;

#[derive(Debug, Clone)]
pub struct Schedule<K> {
    by_key: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K> Default for Schedule<K> {
    fn default() -> Self {
        Schedule { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> Schedule<K> {
    /// Sets, moves or (`None`) removes the deadline of `key`.
    pub fn set(&mut self, key: K, deadline: Option<Instant>) {
        let before = match deadline {
            Some(at) => self.by_key.insert(key, at),
            None => self.by_key.remove(&key),
        };
        if before == deadline {
            return;
        }
        if let Some(at) = before {
            self.by_time.remove(&(at, key));
        }
        if let Some(at) = deadline {
            self.by_time.insert((at, key));
        }
    }

    pub fn next(&self) -> Option<(Instant, K)> {
        self.by_time.first().copied()
    }

    /// Takes the earliest key whose deadline has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (_, key) = self.next().filter(|(at, _)| *at <= now)?;
        self.set(key, None);
        Some(key)
    }

    pub fn keys(&self) -> impl Iterator<Item = K> + '_ {
        self.by_key.keys().copied()
    }

    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_due_in_order_and_move() {
        let mut s = Schedule::default();
        s.set('a', Some(Instant::from_millis(5)));
        s.set('b', Some(Instant::from_millis(3)));
        s.set('a', Some(Instant::from_millis(1)));
        s.set('c', Some(Instant::from_millis(2)));
        s.set('c', None);
        assert_eq!(s.pop_due(Instant::from_millis(4)), Some('a'));
        assert_eq!(s.pop_due(Instant::from_millis(4)), Some('b'));
        assert_eq!(s.pop_due(Instant::from_millis(4)), None);
        assert!(s.is_empty());
    }
}
