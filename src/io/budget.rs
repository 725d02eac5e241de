//! Token buckets: how much strangers may ask, each address and all together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::clock::Instant;
use crate::limits;

/// Addresses with a bucket that is not full. One fills up within ten seconds, and all together are granted 500 a second, so
/// no more than 6,000 can be.
const SOURCES: usize = 8_192;

/// Tokens in thousandths, and when they were counted.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    millis: u64,
    at: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Budget {
    all: Option<Bucket>,
    sources: BTreeMap<IpAddr, Bucket>,
}

impl Bucket {
    /// `of`: the bucket as it was, if it is remembered at all.
    fn now(of: Option<Bucket>, now: Instant, per_second: u32, most: u32) -> Bucket {
        let full = u64::from(most) * 1_000;
        let millis = of.map_or(full, |bucket| {
            let elapsed_ms = u64::try_from(now.since(bucket.at).as_millis()).unwrap_or(u64::MAX);
            full.min(bucket.millis.saturating_add(elapsed_ms.saturating_mul(per_second.into())))
        });
        Bucket { millis, at: now }
    }

    fn take(self) -> Option<Bucket> {
        Some(Bucket { millis: self.millis.checked_sub(1_000)?, ..self })
    }
}

impl Budget {
    /// True if this source may ask once more now.
    pub(super) fn spend(&mut self, now: Instant, source: IpAddr) -> bool {
        let source = source.to_canonical();
        let of_source = |bucket: Option<Bucket>| {
            Bucket::now(bucket, now, limits::REGISTERS_PER_SECOND_OF_SOURCE, limits::REGISTERS_AT_ONCE_OF_SOURCE)
        };
        let all = Bucket::now(self.all, now, limits::REGISTERS_PER_SECOND, limits::REGISTERS_AT_ONCE);
        let (Some(all), Some(own)) = (all.take(), of_source(self.sources.get(&source).copied()).take()) else {
            return false;
        };
        if !self.sources.contains_key(&source) && self.sources.len() >= SOURCES {
            let full = u64::from(limits::REGISTERS_AT_ONCE_OF_SOURCE) * 1_000;
            self.sources.retain(|_, bucket| of_source(Some(*bucket)).millis < full);
            if self.sources.len() >= SOURCES {
                return false;
            }
        }
        self.all = Some(all);
        self.sources.insert(source, own);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn granted(budget: &mut Budget, now: Instant, source: u32, asked: u32) -> u32 {
        let source = IpAddr::V4(source.into());
        (0..asked).map(|_| u32::from(budget.spend(now, source))).sum()
    }

    #[test]
    fn each_source_and_all_together_have_a_bound() {
        let mut budget = Budget::default();
        assert_eq!(granted(&mut budget, at(0), 1, 10_000), limits::REGISTERS_AT_ONCE_OF_SOURCE);
        assert_eq!(granted(&mut budget, at(0), 2, 1), 1);
        assert_eq!(granted(&mut budget, at(1_000), 1, 10_000), limits::REGISTERS_PER_SECOND_OF_SOURCE);
        let flood: u32 = (0..50_000).map(|n| granted(&mut budget, at(1_000), 100 + n, 1)).sum();
        assert!(flood <= limits::REGISTERS_AT_ONCE, "{flood}");
        assert_eq!(granted(&mut budget, at(1_000), 3, 1), 0, "all is spent");
        assert_eq!(granted(&mut budget, at(2_000), 3, 1), 1);
    }

    #[test]
    fn a_flood_of_addresses_is_forgotten() {
        let mut budget = Budget::default();
        for second in 0..60 {
            let sources = (0..1_000).map(|n| granted(&mut budget, at(second * 1_000), second as u32 * 1_000 + n, 1));
            let granted: u32 = sources.sum();
            assert!(granted >= limits::REGISTERS_PER_SECOND, "{granted} in second {second}");
            assert!(budget.sources.len() <= SOURCES);
        }
    }
}
