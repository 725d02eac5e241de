//! How well two who score the same calls agree: percent, Gwet's AC1 and Krippendorff's alpha, each with an interval.
//!
//! With items that nearly everybody passes, alpha is low though the two agree in most cases; AC1 is not (Gwet 2008, “Computing
//! inter-rater reliability and its variance in the presence of high agreement”). So all three are told, never one alone.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::Random;

/// What each person said of one unit (a call, or an item of it); the same people in the same order, `None`: not scored.
pub type Unit = Vec<Option<u32>>;

/// How far two answers are apart, for alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The same or not.
    Nominal,
    /// The square of the difference.
    Interval,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Units that at least two people scored.
    pub units: usize,
    /// Share of pairs that said the same, 0 to 1.
    pub percent: Option<Interval>,
    pub ac1: Option<Interval>,
    pub alpha: Option<Interval>,
}

/// A figure and its 95 % interval (bootstrap over units, percentiles); no interval where too few resamples could be computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    pub value: f64,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

const RESAMPLES: usize = 1_000;

/// All three; `random` draws the resamples, so the same seed gives the same intervals.
pub fn agreement(units: &[Unit], scale: Scale, random: &mut Random) -> Agreement {
    let rated: Vec<&Unit> = units.iter().filter(|unit| unit.iter().flatten().count() >= 1).collect();
    // Categories are those that occur at all: a resample that lacks one has it none the less.
    let mut categories: Vec<u32> = units.iter().flatten().flatten().copied().collect();
    categories.sort_unstable();
    categories.dedup();
    let n = u32::try_from(rated.len()).unwrap_or(u32::MAX);
    let mut resampled: [Vec<f64>; 3] = Default::default();
    for _ in 0..RESAMPLES {
        let sample: Vec<&Unit> = (0..rated.len()).map(|_| rated[random.below(n) as usize]).collect();
        let figures = [percent(&sample), ac1(&sample, &categories), alpha(&sample, scale)];
        for (all, figure) in resampled.iter_mut().zip(figures) {
            all.extend(figure);
        }
    }
    let [of_percent, of_ac1, of_alpha] = resampled;
    Agreement {
        units: paired(&rated).count(),
        percent: percent(&rated).map(|value| interval(value, of_percent)),
        ac1: ac1(&rated, &categories).map(|value| interval(value, of_ac1)),
        alpha: alpha(&rated, scale).map(|value| interval(value, of_alpha)),
    }
}

fn interval(value: f64, mut resampled: Vec<f64>) -> Interval {
    resampled.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = resampled.len().checked_sub(1)?;
        resampled.get((share * last as f64).round() as usize).copied()
    };
    let enough = resampled.len() * 2 > RESAMPLES;
    let (low, high) = if enough { (at(0.025), at(0.975)) } else { (None, None) };
    Interval { value, low, high }
}

fn counts(unit: &[Option<u32>]) -> BTreeMap<u32, f64> {
    let mut counts = BTreeMap::new();
    for answer in unit.iter().flatten() {
        *counts.entry(*answer).or_insert(0.0) += 1.0;
    }
    counts
}

/// The units that say something of agreement.
fn paired<'u>(units: &[&'u Unit]) -> impl Iterator<Item = &'u Unit> {
    units.iter().copied().filter(|unit| unit.iter().flatten().count() >= 2)
}

/// Σ over units of the share of pairs that agree / units.
fn percent(units: &[&Unit]) -> Option<f64> {
    let share = |unit: &Unit| {
        let counts = counts(unit);
        let all: f64 = counts.values().sum();
        counts.values().map(|n| n * (n - 1.0)).sum::<f64>() / (all * (all - 1.0))
    };
    let n = paired(units).count();
    (n > 0).then(|| paired(units).map(share).sum::<f64>() / n as f64)
}

/// Gwet 2008: (pa − pe) / (1 − pe) with pe = Σ π(1 − π) / (q − 1), π the mean share of a category in all units (those that one
/// person alone scored too). With one category both always
/// said the same thing: 1.
fn ac1(units: &[&Unit], categories: &[u32]) -> Option<f64> {
    let agreed = percent(units)?;
    if categories.len() < 2 {
        return Some(1.0);
    }
    let share = |category: &u32| {
        let of = |unit: &&Unit| {
            let counts = counts(unit);
            counts.get(category).copied().unwrap_or(0.0) / counts.values().sum::<f64>()
        };
        units.iter().map(of).sum::<f64>() / units.len() as f64
    };
    let chance: f64 = categories.iter().map(share).map(|share| share * (1.0 - share)).sum::<f64>();
    let chance = chance / (categories.len() - 1) as f64;
    Some((agreed - chance) / (1.0 - chance))
}

/// Krippendorff 2011, “Computing Krippendorff's alpha-reliability”: 1 − observed / expected disagreement. `None` if all answers
/// are the same: then there is no disagreement to be expected.
fn alpha(units: &[&Unit], scale: Scale) -> Option<f64> {
    let apart = |a: u32, b: u32| match scale {
        Scale::Nominal => f64::from(u8::from(a != b)),
        Scale::Interval => (f64::from(a) - f64::from(b)).powi(2),
    };
    let mut totals: BTreeMap<u32, f64> = BTreeMap::new();
    let mut observed = 0.0;
    for unit in paired(units) {
        let counts = counts(unit);
        let all: f64 = counts.values().sum();
        for (a, n) in &counts {
            *totals.entry(*a).or_insert(0.0) += n;
            for (b, m) in &counts {
                observed += n * m * apart(*a, *b) / (all - 1.0);
            }
        }
    }
    let all: f64 = totals.values().sum();
    let pairs = totals.iter().flat_map(|(a, n)| totals.iter().map(move |(b, m)| n * m * apart(*a, *b)));
    let expected = pairs.sum::<f64>() / (all - 1.0);
    (expected > 0.0).then(|| 1.0 - observed / expected)
}

#[cfg(test)]
#[path = "agreement_tests.rs"]
mod tests;
