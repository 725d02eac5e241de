//! How much faster the sender's clock runs than ours: a straight line through the shortest transit times.
//!
//! Jitter only ever lengthens a transit, so the shortest of each second lies near the network's floor; their slope is the
//! drift. A path that changes once looks like a slope too: then the two halves of the time disagree with the whole, and
//! nothing is said. Drift is relative to the host's clock, which NTP may itself slew.

use serde::{Deserialize, Serialize};

use crate::clock::Instant;

/// Points that are kept; when they are full, each two become one.
const POINTS: usize = 64;
/// The least time that a drift is told of, in seconds; with fewer points than that in it there is none either.
const LEAST_S: f64 = 10.0;
const LEAST_POINTS: usize = 8;
/// A figure whose standard error is above this is none.
const MAX_ERROR_PPM: f64 = 25.0;
/// What halves and whole may differ by beyond their errors.
const SLACK_PPM: f64 = 20.0;

/// Parts per million; positive: the sender's clock is the faster one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    pub ppm: f64,
    /// Standard error.
    pub error_ppm: f64,
    /// How long it was watched, in seconds.
    pub over_s: f64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    begin: Option<Instant>,
    /// Seconds in one point.
    width: u32,
    /// The point that is being made: its number, and the shortest transit in it with its arrival.
    now: Option<(u32, Point)>,
    points: [Point; POINTS],
    count: usize,
}

/// Seconds since the begin, microseconds of transit.
#[derive(Debug, Clone, Copy, Default)]
struct Point {
    at_s: f32,
    transit_us: f32,
}

impl Line {
    pub(super) fn new() -> Line {
        Line { begin: None, width: 1, now: None, points: [Point::default(); POINTS], count: 0 }
    }

    /// What follows is on another time line.
    pub(super) fn cut(&mut self) {
        *self = Line::new();
    }

    /// A packet's arrival, and its transit from an unknown zero, in nanoseconds.
    pub(super) fn arrive(&mut self, arrival: Instant, transit_ns: i64) {
        let since = arrival.since(*self.begin.get_or_insert(arrival));
        let point = Point { at_s: since.as_secs_f32(), transit_us: transit_ns as f32 / 1e3 };
        let number = since.as_secs() as u32 / self.width;
        match &mut self.now {
            // A packet that was overtaken counts where the others are.
            Some((of, least)) if *of >= number => {
                if point.transit_us < least.transit_us {
                    *least = point;
                }
            }
            _ => {
                if let Some((_, least)) = self.now.replace((number, point)) {
                    self.keep(least);
                }
            }
        }
    }

    fn keep(&mut self, point: Point) {
        if self.count == POINTS {
            for n in 0..POINTS / 2 {
                let (a, b) = (self.points[2 * n], self.points[2 * n + 1]);
                self.points[n] = if b.transit_us < a.transit_us { b } else { a };
            }
            self.count = POINTS / 2;
            self.width = self.width.saturating_mul(2);
        }
        self.points[self.count] = point;
        self.count += 1;
    }

    pub(super) fn drift(&self) -> Option<Drift> {
        let points = &self.points[..self.count];
        let over_s = f64::from(points.last()?.at_s - points[0].at_s);
        if over_s < LEAST_S - 1.0 || points.len() < LEAST_POINTS {
            return None;
        }
        let (early, late) = points.split_at(points.len() / 2);
        let (whole, halves) = (fit(points)?, [fit(early)?, fit(late)?]);
        let agree = |half: &Fit| (half.slope - whole.slope).abs() <= SLACK_PPM + 3.0 * (half.error + whole.error);
        let told = whole.error <= MAX_ERROR_PPM && halves.iter().all(agree);
        told.then_some(Drift { ppm: -whole.slope, error_ppm: whole.error, over_s })
    }
}

/// Microseconds a second.
struct Fit {
    slope: f64,
    error: f64,
}

/// Least squares.
fn fit(points: &[Point]) -> Option<Fit> {
    let n = points.len() as f64;
    let both = || points.iter().map(|p| (f64::from(p.at_s), f64::from(p.transit_us)));
    let (sum_t, sum_y) = both().fold((0.0, 0.0), |(a, b), (t, y)| (a + t, b + y));
    let (mean_t, mean_y) = (sum_t / n, sum_y / n);
    let (tt, ty) =
        both().fold((0.0, 0.0), |(a, b), (t, y)| (a + (t - mean_t).powi(2), b + (t - mean_t) * (y - mean_y)));
    if n < 3.0 || tt <= 0.0 {
        return None;
    }
    let slope = ty / tt;
    let rest: f64 = both().map(|(t, y)| (y - mean_y - slope * (t - mean_t)).powi(2)).sum();
    Some(Fit { slope, error: (rest / (n - 2.0) / tt).sqrt() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids::Random;

    /// Packets each 20 ms for `seconds`; the transit of the packet sent at `s` seconds is `transit_us(s)`.
    fn line(seconds: u32, mut transit_us: impl FnMut(f64) -> f64) -> Line {
        let mut line = Line::new();
        for n in 0..seconds * 50 {
            let sent_us = f64::from(n) * 20_000.0;
            let transit = transit_us(sent_us / 1e6);
            let arrival = Instant::START + Duration::from_micros((1e6 + sent_us + transit) as u64);
            line.arrive(arrival, (transit * 1e3) as i64);
        }
        line
    }

    #[test]
    fn the_slope_of_a_calm_path_is_known_after_ten_seconds() {
        for ppm in [-500.0, -3.0, 0.0, 40.0, 250.0] {
            assert!(line(9, |s| 5_000.0 - ppm * s).drift().is_none());
            for seconds in [12, 60, 300, 7_200] {
                let drift = line(seconds, |s| 5_000_000.0 - ppm * s).drift().expect("it was long enough");
                assert!((drift.ppm - ppm).abs() < 1.0, "{ppm} in {seconds} s: {drift:?}");
            }
        }
    }

    #[test]
    fn jitter_delays_the_figure_and_does_not_bend_it() {
        for seed in 0..20 {
            let mut random = Random::from_number(seed);
            let mut jittery =
                |ppm: f64, seconds| line(seconds, |s| 5_000_000.0 - ppm * s + f64::from(random.below(60_000))).drift();
            let drift = jittery(300.0, 120).expect("two minutes are enough");
            assert!((drift.ppm - 300.0).abs() < 3.0 * drift.error_ppm + 5.0, "{drift:?}");
            if let Some(short) = jittery(0.0, 15) {
                assert!(short.ppm.abs() < 100.0, "{short:?}");
            }
        }
    }

    #[test]
    fn a_path_that_changes_is_no_drift() {
        for at in (2..58).step_by(4) {
            let drift = line(60, |s| if s < f64::from(at) { 5_000.0 } else { 45_000.0 }).drift();
            assert!(drift.is_none_or(|drift| drift.ppm.abs() < 50.0), "at {at} s: {drift:?}");
        }
    }
}
