//! RTP port pairs: even for RTP, the odd one above it for RTCP (RFC 3550 section 11).

use std::collections::{BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::clock::Instant;
use crate::ids::Random;

/// How long a freed pair rests, so that a late packet of the old call does not reach a new one.
const QUARANTINE: Duration = Duration::from_secs(30);

/// The least rest, when every other pair is in use.
const SHORT_QUARANTINE: Duration = Duration::from_secs(2);

/// Hands out pairs of a range, each as its even port.
#[derive(Debug)]
pub struct Ports {
    ready: VecDeque<u16>,
    used: BTreeSet<u16>,
    /// Longest at rest first.
    resting: VecDeque<(Instant, u16)>,
}

impl Ports {
    /// Whole pairs within `range`, in order from a random one.
    pub fn new(range: RangeInclusive<u16>, random: &mut Random) -> Self {
        let last = *range.end();
        let mut ready: VecDeque<u16> = range.filter(|port| port % 2 == 0 && *port < last && *port > 0).collect();
        ready.rotate_left(random.below(ready.len() as u32) as usize);
        Ports { ready, used: BTreeSet::new(), resting: VecDeque::new() }
    }

    /// The next pair; `None` when all are in use or have rested for less than 2 s.
    pub fn take(&mut self, now: Instant) -> Option<u16> {
        while let Some(port) = self.rested(now, QUARANTINE) {
            self.ready.push_back(port);
        }
        let port = self.ready.pop_front().or_else(|| self.rested(now, SHORT_QUARANTINE))?;
        self.used.insert(port);
        Some(port)
    }

    /// Whether so many pairs can be taken now.
    pub fn has_room(&self, pairs: usize, now: Instant) -> bool {
        let rested = self.resting.iter().take_while(|(freed, _)| now.since(*freed) >= SHORT_QUARANTINE);
        self.ready.len() + rested.take(pairs).count() >= pairs
    }

    /// The next pair is one from elsewhere in the range: where one is taken by another program, so are mostly its neighbours.
    pub fn scatter(&mut self, random: &mut Random) {
        if let Ok(ready @ 1..) = u32::try_from(self.ready.len()) {
            self.ready.rotate_left(random.below(ready) as usize);
        }
    }

    /// Gives a pair back; one that is not in use is left alone.
    pub fn free(&mut self, port: u16, now: Instant) {
        if self.used.remove(&port) {
            self.resting.push_back((now, port));
        }
    }

    /// Pairs in use.
    pub fn used(&self) -> usize {
        self.used.len()
    }

    /// Pairs of the range.
    pub fn total(&self) -> usize {
        self.ready.len() + self.used.len() + self.resting.len()
    }

    fn rested(&mut self, now: Instant, rest: Duration) -> Option<u16> {
        let (_, port) = self.resting.pop_front_if(|(freed, _)| now.since(*freed) >= rest)?;
        Some(port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn s(n: u64) -> Instant {
        Instant::from_millis(n * 1_000)
    }

    #[test]
    fn only_whole_pairs() {
        let mut ports = Ports::new(20_001..=20_006, &mut Random::from_number(1));
        let mut taken: Vec<u16> = std::iter::from_fn(|| ports.take(s(0))).collect();
        taken.sort_unstable();
        assert_eq!(taken, [20_002, 20_004]);
        assert_eq!(ports.total(), 2);
    }

    #[test]
    fn a_freed_pair_rests() {
        let mut ports = Ports::new(20_000..=20_003, &mut Random::from_number(1));
        let first = ports.take(s(0)).unwrap();
        ports.free(first, s(0));
        ports.free(first, s(0));
        let second = ports.take(s(1)).unwrap();
        assert_ne!(first, second);
        assert!(!ports.has_room(1, s(1)));
        assert_eq!(ports.take(s(1)), None);
        assert!(ports.has_room(1, s(2)) && !ports.has_room(2, s(2)));
        assert_eq!(ports.take(s(2)), Some(first), "the range would run dry");
        ports.free(second, s(3));
        ports.free(first, s(4));
        assert_eq!(ports.take(s(40)), Some(second), "longest at rest");
    }

    #[test]
    fn after_a_scatter_the_next_pair_is_no_neighbour_and_none_is_lost() {
        let mut random = Random::from_number(1);
        let mut ports = Ports::new(20_000..=29_999, &mut random);
        let first = ports.take(s(0)).unwrap();
        ports.scatter(&mut random);
        let second = ports.take(s(0)).unwrap();
        assert!(first.abs_diff(second) > 100, "{first} and {second}");
        let rest: BTreeSet<u16> = std::iter::from_fn(|| ports.take(s(0))).collect();
        assert_eq!(rest.len(), 4_998);
        ports.scatter(&mut random);
        assert_eq!(ports.take(s(0)), None);
    }

    #[test]
    fn the_start_depends_on_the_seed() {
        let first = |seed| Ports::new(20_000..=29_999, &mut Random::from_number(seed)).take(s(0));
        assert_eq!(first(1), first(1));
        assert!((2..10).any(|seed| first(seed) != first(1)));
    }

    proptest! {
        #[test]
        fn no_pair_is_used_twice_or_before_two_seconds(
            steps in proptest::collection::vec((any::<bool>(), 0u64..3_000, any::<prop::sample::Index>()), 1..200),
        ) {
            let mut ports = Ports::new(20_000..=20_019, &mut Random::from_number(3));
            let mut used: Vec<u16> = Vec::new();
            let mut freed = std::collections::BTreeMap::new();
            let mut now = Instant::START;
            for (take, wait, index) in steps {
                now = now + Duration::from_millis(wait);
                if take {
                    let Some(port) = ports.take(now) else { continue };
                    prop_assert!(!used.contains(&port));
                    if let Some(at) = freed.get(&port) {
                        prop_assert!(now.since(*at) >= SHORT_QUARANTINE);
                    }
                    used.push(port);
                } else if !used.is_empty() {
                    let port = used.swap_remove(index.index(used.len()));
                    ports.free(port, now);
                    freed.insert(port, now);
                }
            }
            prop_assert_eq!(ports.used(), used.len());
            prop_assert_eq!(ports.total(), 10);
        }
    }
}
