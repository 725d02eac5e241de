//! A period's quality inspection in short: faults in the order of how often they occur, who needs which training, and how far the
//! verdicts that fill sheets are trusted.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::estimate::{Ratio, wilson};
use super::form::score::share;
use super::form::{Answers, Form, Score};
use crate::cdr::words;
use crate::clock::Wall;
use crate::ids::{AgentNo, CallId};

words! {
    /// Why a call was heard.
    Pool {
        /// Drawn by lot: it counts.
        Random "random",
        /// Picked for a reason: for coaching only.
        Targeted "targeted",
    }
}

/// A review whose score counts, as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub call: CallId,
    pub agent: AgentNo,
    /// When the call was offered.
    pub offered: Wall,
    pub pool: Pool,
    /// 1 / the probability of having been drawn; 1 for a targeted call.
    pub weight: f64,
    pub score: Score,
    pub answers: Answers,
    /// What the verdicts had filled in.
    pub filled: Answers,
}

/// An item that lost points, or a fatal flag that stood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    pub item: String,
    pub fatal: bool,
    /// Calls that lost points in it, of those that it applied to.
    pub calls: Ratio,
    /// Agents with at least one such call, of those whom it applied to.
    pub agents: u64,
    pub of_agents: u64,
}

/// Faults of the random pool: fatal flags first, then by how often; those that nobody made are left out.
pub fn faults(form: &Form, heard: &[Heard]) -> Vec<Fault> {
    let drawn = || heard.iter().filter(|heard| heard.pool == Pool::Random);
    let mut found = Vec::new();
    for flag in &form.fatal {
        found.extend(fault(&flag.id, true, drawn().map(|heard| (&heard.agent, heard.score.fatal.contains(&flag.id)))));
    }
    for item in form.items() {
        let applied = drawn().filter_map(|heard| {
            let (given, of) = share(item, *heard.answers.get(&item.id)?)?;
            Some((&heard.agent, given < of))
        });
        found.extend(fault(&item.id, false, applied));
    }
    found.sort_by(|a, b| b.fatal.cmp(&a.fatal).then(b.calls.ratio.total_cmp(&a.calls.ratio)));
    found
}

fn fault<'h>(item: &str, fatal: bool, applied: impl Iterator<Item = (&'h AgentNo, bool)>) -> Option<Fault> {
    let (mut n, mut lost) = (0, 0);
    let (mut all, mut who) = (BTreeSet::new(), BTreeSet::new());
    for (agent, failed) in applied {
        n += 1;
        all.insert(agent);
        if failed {
            lost += 1;
            who.insert(agent);
        }
    }
    let calls = wilson(lost, n).filter(|_| lost > 0)?;
    Some(Fault { item: item.to_owned(), fatal, calls, agents: who.len() as u64, of_agents: all.len() as u64 })
}

/// The same item failed in at least so many of an agent's last heard calls.
pub const AGAIN: usize = 2;
pub const LAST_CALLS: usize = 6;

/// Who needs training in what, and by what it is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Need {
    /// An item that lost points in several of the last calls of the random pool.
    Heard { agent: AgentNo, item: String, calls: Vec<CallId>, of: usize },
    /// A rule that the agent breaks more often than the team, on all calls.
    Measured { agent: AgentNo, rule: String, own: Ratio, team: Ratio },
}

/// How often each agent kept and broke a rule, on all calls: (kept, broken).
pub type Kept = BTreeMap<(AgentNo, String), (u64, u64)>;

/// The needs of every agent, by agent.
pub fn needs(form: &Form, heard: &[Heard], kept: &Kept) -> Vec<Need> {
    let mut by_agent: BTreeMap<&AgentNo, Vec<&Heard>> = BTreeMap::new();
    for found in heard.iter().filter(|heard| heard.pool == Pool::Random) {
        by_agent.entry(&found.agent).or_default().push(found);
    }
    let mut found = Vec::new();
    for (agent, mut calls) in by_agent {
        calls.sort_by_key(|heard| std::cmp::Reverse((heard.offered, heard.call)));
        calls.truncate(LAST_CALLS);
        for item in form.items() {
            let lost = |heard: &&&Heard| {
                let answer = heard.answers.get(&item.id).and_then(|answer| share(item, *answer));
                answer.is_some_and(|(given, of)| given < of)
            };
            let failed: Vec<CallId> = calls.iter().filter(lost).map(|heard| heard.call).collect();
            if failed.len() >= AGAIN {
                let (agent, item, of) = (agent.clone(), item.id.clone(), calls.len());
                found.push(Need::Heard { agent, item, calls: failed, of });
            }
        }
    }
    found.extend(measured(kept));
    found
}

/// Above the team's rate with the whole of the agent's interval.
fn measured(kept: &Kept) -> Vec<Need> {
    let mut team: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for ((_, rule), (pass, fail)) in kept {
        let all = team.entry(rule).or_default();
        *all = (all.0 + pass, all.1 + fail);
    }
    let mut found = Vec::new();
    for ((agent, rule), (pass, fail)) in kept {
        let (all_pass, all_fail) = team.get(rule.as_str()).copied().unwrap_or_default();
        let (Some(own), Some(team)) = (wilson(*fail, pass + fail), wilson(all_fail, all_pass + all_fail)) else {
            continue;
        };
        if own.low > team.ratio {
            found.push(Need::Measured { agent: agent.clone(), rule: rule.clone(), own, team });
        }
    }
    found
}

/// How often people said otherwise than what a verdict had filled in, by item: the measure of the detector.
pub fn overruled(heard: &[Heard]) -> BTreeMap<String, Ratio> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for found in heard {
        for (item, filled) in &found.filled {
            let (other, all) = counts.entry(item).or_default();
            *all += 1;
            *other += u64::from(found.answers.get(item) != Some(filled));
        }
    }
    counts.into_iter().filter_map(|(item, (other, all))| Some((item.to_owned(), wilson(other, all)?))).collect()
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
