//! Who hears what: evenly, never oneself, never all of an agent's calls.

use std::collections::BTreeMap;

use super::lot::Pick;
use crate::ids::{AgentNo, CallId};

/// A person who scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewer {
    pub name: String,
    /// The agent that this person is, if any.
    pub agent: Option<AgentNo>,
    /// Agents of the own team, if the house does not let them be scored by their own.
    pub not_of: Vec<AgentNo>,
}

/// One recording to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub call: CallId,
    pub agent: AgentNo,
    /// `None`: nobody may; the sampling page says so.
    pub reviewer: Option<String>,
    /// The second, blind hearing of a call that somebody else has too.
    pub second: bool,
}

/// Reviews so far: by reviewer in the period, and by reviewer and agent in the quarter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Load {
    pub of: BTreeMap<String, u64>,
    pub on: BTreeMap<(String, AgentNo), u64>,
}

/// Gives each pick to the reviewer with the fewest, among equals to whom the ticket points; whoever has half of an agent's reviews
/// of the quarter comes last. A second hearing goes to another person than the first.
pub fn assign(picks: &[Pick], reviewers: &[Reviewer], load: &mut Load) -> Vec<Assignment> {
    let mut order: Vec<&Pick> = picks.iter().collect();
    order.sort_by_key(|pick| pick.ticket);
    let mut found = Vec::new();
    for pick in order {
        let first = choose(pick, reviewers, None, load);
        let Pick { call, agent, .. } = pick;
        let given = |reviewer, second| Assignment { call: *call, agent: agent.clone(), reviewer, second };
        found.push(given(first.clone(), false));
        if pick.second {
            let second = choose(pick, reviewers, first.as_deref(), load);
            found.push(given(second, true));
        }
    }
    found
}

fn choose(pick: &Pick, reviewers: &[Reviewer], not: Option<&str>, load: &mut Load) -> Option<String> {
    let may = |reviewer: &&Reviewer| {
        reviewer.agent.as_ref() != Some(&pick.agent)
            && !reviewer.not_of.contains(&pick.agent)
            && Some(reviewer.name.as_str()) != not
    };
    let able: Vec<&Reviewer> = reviewers.iter().filter(may).collect();
    let all: u64 = reviewers.iter().map(|reviewer| on(load, reviewer, &pick.agent)).sum();
    let first = pick.ticket.modulo(u32::try_from(able.len()).unwrap_or(u32::MAX)) as usize;
    let turn = |at: usize| (at + able.len() - first) % able.len();
    let key = |(at, reviewer): &(usize, &&Reviewer)| {
        let own = on(load, reviewer, &pick.agent);
        let half = able.len() > 1 && own > 0 && (own + 1) * 2 > all + 1;
        (half, load.of.get(&reviewer.name).copied().unwrap_or(0), turn(*at))
    };
    let chosen = able.iter().enumerate().min_by_key(key)?.1.name.clone();
    *load.of.entry(chosen.clone()).or_default() += 1;
    *load.on.entry((chosen.clone(), pick.agent.clone())).or_default() += 1;
    Some(chosen)
}

fn on(load: &Load, reviewer: &Reviewer, agent: &AgentNo) -> u64 {
    load.on.get(&(reviewer.name.clone(), agent.clone())).copied().unwrap_or(0)
}
