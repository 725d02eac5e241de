//! The lot itself: from a frame and a seed to picks. Whole numbers only, so that any program computes the same.

use std::collections::BTreeMap;

use super::frame::{Candidate, Frame};
use super::policy::Policy;
use super::seed::{Seed, Ticket};
use crate::clock::Wall;
use crate::ids::{AgentNo, CallId};

/// A call that is to be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    pub agent: AgentNo,
    /// The how manieth of the agent in the period, from 0.
    pub n: u32,
    pub call: CallId,
    pub stratum: String,
    pub ticket: Ticket,
    /// The probability that it was this call: weight / sum of the weights of its part.
    pub weight: u32,
    pub of: u64,
    /// Scored again by another person who is not told.
    pub second: bool,
}

impl Pick {
    /// What an estimate weighs this call with: 1 / probability.
    pub fn inverse_probability(&self) -> f64 {
        self.of as f64 / f64::from(self.weight)
    }
}

/// How far earlier draws of the period have come with an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub picks: u32,
    /// Calls offered before this have had their chance.
    pub until: Wall,
}

/// What one draw takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drawn {
    /// By agent, then number.
    pub picks: Vec<Pick>,
    /// The calls that each pick was taken from: agent, number, calls in the order of the frame.
    pub parts: Vec<Part>,
    pub reached: BTreeMap<AgentNo, Reached>,
    /// Picks that are due and have no call yet: the next draw takes them. At the period's end: what cannot be had.
    pub lacking: BTreeMap<AgentNo, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub agent: AgentNo,
    pub n: u32,
    pub calls: Vec<Candidate>,
}

/// One draw. `before`: what the earlier draws of the period reached.
pub fn draw(policy: &Policy, seed: &Seed, frame: &Frame, before: &BTreeMap<AgentNo, Reached>) -> Drawn {
    let micros = |wall: Wall| wall.as_micros() - frame.from.as_micros();
    let mut by_agent: BTreeMap<&AgentNo, Vec<&Candidate>> = BTreeMap::new();
    for found in &frame.candidates {
        by_agent.entry(&found.agent).or_default().push(found);
    }
    let mut drawn = Drawn { reached: before.clone(), ..Drawn::default() };
    for (agent, calls) in by_agent {
        let reached = before.get(agent).copied().unwrap_or(Reached { picks: 0, until: frame.from });
        let open: Vec<&Candidate> = calls.into_iter().filter(|found| found.offered >= reached.until).collect();
        let wanted = policy.due(agent, micros(frame.cut), micros(frame.to)).saturating_sub(reached.picks);
        let taken = wanted.min(u32::try_from(open.len()).unwrap_or(u32::MAX));
        if taken < wanted {
            drawn.lacking.insert(agent.clone(), wanted - taken);
        }
        if taken == 0 {
            continue;
        }
        let start = seed.start(&frame.period, agent);
        for part in 0..taken {
            let edge = |part: u32| open.len() * part as usize / taken as usize;
            let calls = &open[edge(part)..edge(part + 1)];
            let n = reached.picks + part;
            drawn.picks.extend(pick(policy, seed, calls, n, start));
            let calls = calls.iter().map(|found| (*found).clone()).collect();
            drawn.parts.push(Part { agent: agent.clone(), n, calls });
        }
        drawn.reached.insert(agent.clone(), Reached { picks: reached.picks + taken, until: frame.cut });
    }
    drawn
}

/// One call of a part: its stratum by the walk, in it the lowest ticket.
fn pick(policy: &Policy, seed: &Seed, part: &[&Candidate], n: u32, start: u64) -> Option<Pick> {
    let target = policy.target_of(&part.first()?.agent);
    let stratum = stratum_at(part, point(start, n, target))?;
    let (ticket, found) = part
        .iter()
        .filter(|found| found.stratum == stratum)
        .map(|found| (seed.ticket(found.call), found))
        .min_by_key(|(ticket, _)| *ticket)?;
    Some(Pick {
        agent: found.agent.clone(),
        n,
        call: found.call,
        stratum: found.stratum.clone(),
        ticket,
        weight: found.weight,
        of: part.iter().map(|found| u64::from(found.weight)).sum(),
        second: policy.second_one_in > 0 && ticket.modulo(policy.second_one_in) == 0,
    })
}

/// The n-th point of the walk, in units of 2^-64: from the start on, a period's picks are spread evenly over the whole.
fn point(start: u64, n: u32, target: u32) -> u64 {
    let step = (1_u128 << 64) / u128::from(target.max(1));
    // The sum wraps around on purpose: the walk goes on at the beginning.
    start.wrapping_add((u128::from(n).wrapping_mul(step) & u128::from(u64::MAX)) as u64)
}

/// The stratum in which the point lies, if the strata lie side by side in the order of their names, each as wide as its weights.
fn stratum_at<'c>(part: &[&'c Candidate], point: u64) -> Option<&'c str> {
    let mut widths: BTreeMap<&str, u64> = BTreeMap::new();
    for found in part {
        *widths.entry(&found.stratum).or_default() += u64::from(found.weight);
    }
    let whole: u64 = widths.values().sum();
    let mut at = ((u128::from(point) * u128::from(whole)) >> 64) as u64;
    for (stratum, width) in widths {
        if at < width {
            return Some(stratum);
        }
        at -= width;
    }
    None
}
