//! What few scores tell: intervals that say how little, and estimates that lean on the team as far as they must.
//!
//! A month of one to five heard calls cannot rank agents. So an agent's mean is shrunk toward the team's by the share of the spread
//! that is luck (a normal model of two levels: the agents' true means around the team's, each call's score around the agent's), and
//! the interval holds what is left in doubt, the spreads themselves included. Nobody is ranked where the reliability is below
//! [`RANKED_FROM`].

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cdr::words;
use crate::ids::AgentNo;
use crate::report::interval::Z;
pub use crate::report::interval::{Ratio, wilson};

/// Below this reliability there is no order of agents.
pub const RANKED_FROM: f64 = 0.7;

/// One scored call of the random pool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Points, 0 to 100.
    pub score: f64,
    /// 1 / the probability of having been drawn.
    pub weight: f64,
}

words! {
    /// An agent against the team.
    Group {
        Above "above",
        /// The likely range holds the team's mean.
        Same "cannot_be_told_apart",
        Below "below",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Calls heard.
    pub n: u64,
    /// The weighted mean as it is.
    pub mean: f64,
    /// The mean shrunk toward the team's, and the range in which the agent's true mean is with 95 %.
    pub shrunk: f64,
    pub low: f64,
    pub high: f64,
    pub group: Group,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Team {
    pub mean: f64,
    /// Standard deviation of a call's score around its agent's mean, and of the agents' true means: each in the middle of what
    /// the scores allow.
    pub within: f64,
    pub between: f64,
    /// The share of the spread of the agents' means that is not luck, 0 to 1.
    pub reliability: f64,
    pub agents: BTreeMap<AgentNo, Estimate>,
}

impl Team {
    /// The agents in order of their shrunk means, best first; `None`: the scores cannot tell an order.
    pub fn ranked(&self) -> Option<Vec<&AgentNo>> {
        if self.reliability < RANKED_FROM {
            return None;
        }
        let mut order: Vec<(&AgentNo, f64)> = self.agents.iter().map(|(agent, found)| (agent, found.shrunk)).collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        Some(order.into_iter().map(|(agent, _)| agent).collect())
    }
}

/// The weighted mean of one agent's calls, and how many equally weighted calls it is worth (Kish).
struct Own {
    n: u64,
    mean: f64,
    worth: f64,
}

/// Points of the grid of spreads, in each direction.
const GRID: usize = 24;

/// The estimates of a team; `None` with fewer than three agents, or no agent with two calls: there is no spread to learn from.
pub fn estimate(scores: &BTreeMap<AgentNo, Vec<Scored>>) -> Option<Team> {
    let own: Vec<(&AgentNo, Own)> =
        scores.iter().filter_map(|(agent, scores)| Some((agent, mean_of(scores)?))).collect();
    let freedom: f64 = own.iter().map(|(_, own)| own.n as f64 - 1.0).sum();
    if own.len() < 3 || freedom < 1.0 {
        return None;
    }
    let squares = scores.iter().flat_map(|(agent, scores)| {
        let mean = own.iter().find(|(found, _)| *found == agent).map_or(0.0, |(_, own)| own.mean);
        let n = scores.len() as f64;
        let whole: f64 = scores.iter().map(|scored| scored.weight).sum();
        // Weighted, but counted as so many calls: the weights say how likely a call was, not how far it may be off.
        scores.iter().map(move |scored| scored.weight / whole * n * (scored.score - mean).powi(2))
    });
    // Scores that are all the same have a spread none the less: that of a hundredth.
    let squares = squares.sum::<f64>().max(freedom * 1e-4);
    let mut grid = Posterior::of(&own, squares, freedom);
    grid.normalise();
    let agents: BTreeMap<AgentNo, Estimate> =
        own.iter().map(|(agent, own)| ((*agent).clone(), grid.agent(own))).collect();
    Some(Team {
        mean: grid.mean(|point| point.mean),
        within: grid.mean(|point| point.within),
        between: grid.mean(|point| point.between),
        reliability: grid.mean(|point| {
            let noise = own.iter().map(|(_, own)| point.within.powi(2) / own.worth).sum::<f64>() / own.len() as f64;
            point.between.powi(2) / (point.between.powi(2) + noise)
        }),
        agents,
    })
}

fn mean_of(scores: &[Scored]) -> Option<Own> {
    let whole: f64 = scores.iter().map(|scored| scored.weight).sum();
    if whole <= 0.0 {
        return None;
    }
    let mean = scores.iter().map(|scored| scored.weight * scored.score).sum::<f64>() / whole;
    let squares: f64 = scores.iter().map(|scored| scored.weight.powi(2)).sum();
    Some(Own { n: scores.len() as u64, mean, worth: whole * whole / squares })
}

/// One pair of spreads, the team's mean given them, and how likely they are.
struct Point {
    within: f64,
    between: f64,
    mean: f64,
    /// Of the team's mean.
    variance: f64,
    likelihood: f64,
}

/// The two spreads as the scores leave them: flat for the variance between agents (Morris 1983; flat for the standard deviation the
/// ranges would hold the truth in 92 % only) and for the logarithm of the spread within, the team's mean integrated out (Gelman et
/// al., Bayesian Data Analysis, section 5.4).
struct Posterior {
    points: Vec<Point>,
}

impl Posterior {
    fn of(own: &[(&AgentNo, Own)], squares: f64, freedom: f64) -> Posterior {
        let spread = (squares / freedom).sqrt();
        let means = own.iter().map(|(_, own)| own.mean);
        let middle = means.clone().sum::<f64>() / own.len() as f64;
        let apart = (means.map(|mean| (mean - middle).powi(2)).sum::<f64>() / (own.len() - 1) as f64).sqrt();
        // Four standard deviations of the logarithm each way; with few calls that is wide.
        let reach = 4.0 / (2.0 * freedom).sqrt();
        // The spread of the means has as many degrees of freedom as there are agents but one; the tail with few is long.
        let widest = (apart + spread / own.iter().map(|(_, own)| own.worth).fold(f64::MAX, f64::min).sqrt())
            * (1.0 + 8.0 / (own.len() - 1) as f64);
        let mut points = Vec::with_capacity(GRID * GRID);
        for i in 0..GRID {
            let log = -reach + 2.0 * reach * (i as f64 + 0.5) / GRID as f64;
            let within = spread * log.exp();
            let of_within = -freedom * within.ln() - squares / (2.0 * within * within);
            for j in 0..GRID {
                let between = widest * (j as f64 + 0.5) / GRID as f64;
                points.push(Point::of(own, within, between, of_within));
            }
        }
        Posterior { points }
    }

    fn normalise(&mut self) {
        let most = self.points.iter().map(|point| point.likelihood).fold(f64::MIN, f64::max);
        let sum: f64 = self.points.iter().map(|point| (point.likelihood - most).exp()).sum();
        for point in &mut self.points {
            point.likelihood = (point.likelihood - most).exp() / sum;
        }
    }

    fn mean(&self, of: impl Fn(&Point) -> f64) -> f64 {
        self.points.iter().map(|point| point.likelihood * of(point)).sum()
    }

    fn agent(&self, own: &Own) -> Estimate {
        let (mut first, mut second, mut apart, mut apart_square) = (0.0, 0.0, 0.0, 0.0);
        for point in &self.points {
            let noise = point.within.powi(2) / own.worth;
            let kept = point.between.powi(2) / (point.between.powi(2) + noise);
            let mean = kept * own.mean + (1.0 - kept) * point.mean;
            let variance = kept * noise + (1.0 - kept).powi(2) * point.variance;
            first += point.likelihood * mean;
            second += point.likelihood * (variance + mean * mean);
            // Against the team's mean, which is in doubt itself and moves with the agent's.
            let distance = mean - point.mean;
            let of_distance = kept * noise + kept.powi(2) * point.variance;
            apart += point.likelihood * distance;
            apart_square += point.likelihood * (of_distance + distance * distance);
        }
        let half = Z * (second - first * first).max(0.0).sqrt();
        let doubt = Z * (apart_square - apart * apart).max(0.0).sqrt();
        let group = match apart {
            apart if apart - doubt > 0.0 => Group::Above,
            apart if apart + doubt < 0.0 => Group::Below,
            _ => Group::Same,
        };
        Estimate { n: own.n, mean: own.mean, shrunk: first, low: first - half, high: first + half, group }
    }
}

impl Point {
    fn of(own: &[(&AgentNo, Own)], within: f64, between: f64, of_within: f64) -> Point {
        let variance = |own: &Own| between * between + within * within / own.worth;
        let precision: f64 = own.iter().map(|(_, own)| 1.0 / variance(own)).sum();
        let mean = own.iter().map(|(_, own)| own.mean / variance(own)).sum::<f64>() / precision;
        let of_means: f64 =
            own.iter().map(|(_, own)| -0.5 * (variance(own).ln() + (own.mean - mean).powi(2) / variance(own))).sum();
        let likelihood = of_within + of_means - 0.5 * precision.ln() + between.ln();
        Point { within, between, mean, variance: 1.0 / precision, likelihood }
    }
}

#[cfg(test)]
#[path = "estimate_tests.rs"]
mod tests;
