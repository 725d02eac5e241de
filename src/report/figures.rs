//! The figures of a set of calls. Each mean or percentile comes with its n, and is null (never 0) where n is 0.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The four formulas in use, over the calls that an agent answered or that the caller left; see each.
    pub service_levels: ServiceLevels,
    /// Answered calls by the ring in which they were answered: 0 (before the caller heard one), 1, 2, …, `TOO_MANY_RINGS` and more.
    pub answered_in_ring: BTreeMap<u32, u64>,
    /// Callers who left, by the time they had waited: whole multiples of 5 s, the last one holds all that waited longer.
    pub left_after_s: BTreeMap<u64, u64>,
    /// What `short_abandoned` was of these calls: `short_abandon_ms` of their dialplans.
    pub short_abandon_ms: BTreeSet<u64>,
    /// (abandoned + short_abandoned) / offered.
    pub abandon_rate: Share,
    pub ring_to_answer_ms: Summary,
    /// Offered to answered: the average speed of answer (ASA) is its mean.
    pub speed_of_answer_ms: Summary,
    /// Offered to left, of abandoned and short_abandoned calls.
    pub time_to_abandon_ms: Summary,
    /// Of answered calls; talk and hold are the parts of the handling time that the gateway sees.
    pub talk_ms: Summary,
    pub hold_ms: Summary,
    pub handling_ms: Summary,
}

/// With T = `max_rings`, A calls answered by agents, A_T those within T, B calls left by their callers (short ones too), B_T those
/// left within T. They differ by ten points and more over the same calls, so each goes by its name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServiceLevels {
    /// (A_T + B_T) / (A + B): who left in time counts as served in time.
    pub positive: Share,
    /// A_T / A: callers who left do not count.
    pub handled_only: Share,
    /// A_T / (A + B): whoever left was not served.
    pub negative: Share,
    /// A_T / (A + B − B_T): who left in time does not count.
    pub ignored: Share,
}

/// Rings from here on are counted together.
pub(super) const TOO_MANY_RINGS: u32 = 10;

/// Waits from here on are counted together, in seconds.
const LONG_WAIT_S: u64 = 60;

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
            service_levels: ServiceLevels::of(records),
            answered_in_ring: tally(answered().filter_map(|record| Some(record.rings?.min(TOO_MANY_RINGS)))),
            left_after_s: tally(records.iter().filter(left).filter_map(|record| {
                let s = record.wait_ms? / 1_000;
                Some((s - s % 5).min(LONG_WAIT_S))
            })),
            short_abandon_ms: records.iter().filter_map(|record| record.short_abandon_ms).collect(),
            abandon_rate: Share::new(abandoned, offered),
            ring_to_answer_ms: Summary::of(records.iter().filter_map(|record| record.ring_to_answer_ms)),
            speed_of_answer_ms: Summary::of(answered().filter_map(|record| record.wait_ms)),
            time_to_abandon_ms: Summary::of(records.iter().filter(left).filter_map(|record| record.wait_ms)),
            talk_ms: Summary::of(answered().filter_map(|record| record.talk_ms)),
            hold_ms: Summary::of(answered().filter_map(|record| record.hold_ms)),
            handling_ms: Summary::of(answered().filter_map(|record| Some(record.talk_ms? + record.hold_ms?))),
        }
    }
}

impl ServiceLevels {
    fn of(records: &[&Record]) -> ServiceLevels {
        let answered = count(records, |record| record.outcome == Some(Outcome::Answered));
        let in_time = count(records, |record| record.answered_within_target == Some(true));
        let left =
            count(records, |record| matches!(record.outcome, Some(Outcome::Abandoned | Outcome::ShortAbandoned)));
        let left_in_time = count(records, |record| record.left_within_target == Some(true));
        ServiceLevels {
            positive: Share::new(in_time + left_in_time, answered + left),
            handled_only: Share::new(in_time, answered),
            negative: Share::new(in_time, answered + left),
            ignored: Share::new(in_time, answered + left - left_in_time),
        }
    }
}

fn tally<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, u64> {
    let mut tally = BTreeMap::new();
    keys.for_each(|key| *tally.entry(key).or_default() += 1);
    tally
}

impl Share {
    pub fn new(count: u64, n: u64) -> Share {
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
