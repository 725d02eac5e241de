//! Shares of a sample, and how little they say.

use serde::Serialize;

/// The 97.5 % point of the normal distribution.
pub const Z: f64 = 1.959_963_985;

/// A ratio and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    pub count: u64,
    pub n: u64,
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
}

/// Wilson's interval (1927) of `count` in `n`; `None` if n is 0.
pub fn wilson(count: u64, n: u64) -> Option<Ratio> {
    if n == 0 || count > n {
        return None;
    }
    let (p, all) = (count as f64 / n as f64, n as f64);
    let square = Z * Z;
    let middle = (p + square / (2.0 * all)) / (1.0 + square / all);
    let half = Z / (1.0 + square / all) * (p * (1.0 - p) / all + square / (4.0 * all * all)).sqrt();
    // At the ends the formula gives 0 and 1 but for rounding.
    let low = if count == 0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if count == n { 1.0 } else { (middle + half).min(1.0) };
    Some(Ratio { count, n, ratio: p, low, high })
}
