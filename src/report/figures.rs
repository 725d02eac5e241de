//! The figures of a set of calls. Each mean or percentile comes with its n, and is null (never 0) where n is 0.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cdr::{Outcome, Record, Word};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    pub offered: u64,
    /// All six outcomes, in the contract's order and words.
    pub outcomes: BTreeMap<Outcome, u64>,
    pub in_progress: u64,
    pub interrupted: u64,
    /// answered within max_rings / offered.
    pub service_level: Share,
    /// answered within max_rings / (offered − short_abandoned).
    pub service_level_without_short_abandoned: Share,
    /// answered before the end of the last permitted burst / offered (R-001 read strictly).
    pub service_level_strict: Share,
    /// (abandoned + short_abandoned) / offered.
    pub abandon_rate: Share,
    pub ring_to_answer_ms: Summary,
    /// Offered to left, of abandoned and short_abandoned calls.
    pub time_to_abandon_ms: Summary,
    /// Of answered calls; talk and hold are the parts of the handling time that the gateway sees.
    pub talk_ms: Summary,
    pub hold_ms: Summary,
    pub handling_ms: Summary,
}

/// `of` n, and the ratio 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    pub count: u64,
    pub n: u64,
    pub ratio: Option<f64>,
}

/// Whole milliseconds, the mean rounded to the nearest. Percentiles by nearest rank: the smallest value that at least
/// that share of all values does not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub n: u64,
    pub mean: Option<u64>,
    pub median: Option<u64>,
    pub p90: Option<u64>,
}

impl Figures {
    pub fn of(records: &[&Record]) -> Figures {
        let offered = count(records, |_| true);
        let with = |outcome| count(records, |record| record.outcome == Some(outcome));
        let abandoned = with(Outcome::Abandoned) + with(Outcome::ShortAbandoned);
        let in_time = count(records, |record| record.answered_within_target == Some(true));
        let strictly = count(records, |record| record.answered_within_strict == Some(true));
        let answered = || records.iter().filter(|record| record.outcome == Some(Outcome::Answered));
        let left = |record: &&&Record| matches!(record.outcome, Some(Outcome::Abandoned | Outcome::ShortAbandoned));
        Figures {
            offered,
            outcomes: Outcome::ALL.iter().map(|&outcome| (outcome, with(outcome))).collect(),
            in_progress: count(records, |record| record.outcome.is_none()),
            interrupted: count(records, |record| record.interrupted),
            service_level: Share::new(in_time, offered),
            service_level_without_short_abandoned: Share::new(in_time, offered - with(Outcome::ShortAbandoned)),
            service_level_strict: Share::new(strictly, offered),
            abandon_rate: Share::new(abandoned, offered),
            ring_to_answer_ms: Summary::of(records.iter().filter_map(|record| record.ring_to_answer_ms)),
            time_to_abandon_ms: Summary::of(records.iter().filter(left).filter_map(|record| record.wait_ms)),
            talk_ms: Summary::of(answered().filter_map(|record| record.talk_ms)),
            hold_ms: Summary::of(answered().filter_map(|record| record.hold_ms)),
            handling_ms: Summary::of(answered().filter_map(|record| Some(record.talk_ms? + record.hold_ms?))),
        }
    }
}

impl Share {
    fn new(count: u64, n: u64) -> Share {
        Share { count, n, ratio: (n > 0).then(|| count as f64 / n as f64) }
    }
}

impl Summary {
    pub fn of(values: impl IntoIterator<Item = u64>) -> Summary {
        let mut values: Vec<u64> = values.into_iter().collect();
        values.sort_unstable();
        let n = values.len() as u64;
        let sum: u64 = values.iter().sum();
        Summary {
            n,
            mean: (n > 0).then(|| (sum + n / 2) / n),
            median: nearest_rank(&values, 50),
            p90: nearest_rank(&values, 90),
        }
    }
}

/// The value at rank ceil(percent / 100 × n) of sorted values.
fn nearest_rank(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (percent * sorted.len()).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

fn count(records: &[&Record], which: impl Fn(&Record) -> bool) -> u64 {
    records.iter().filter(|record| which(record)).count() as u64
}
