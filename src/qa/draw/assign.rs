//! Who hears what: evenly, never oneself, never all of an agent's calls.

use std::collections::BTreeMap;

use super::lot::Pick;
use crate::cdr::words;
use crate::ids::{AgentNo, CallId};

words! {
    /// Why a hearing is given to somebody else.
    Handing {
        /// Whoever had it is not there.
        Absent "absent",
        /// Has too many.
        Workload "workload",
        /// Knows the caller or the agent too well.
        Conflict "conflict_of_interest",
        /// It should have been done by now.
        Late "overdue",
        Other "other",
    }
}

/// A person who scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewer {
    pub name: String,
    /// The agent that this person is, if any.
    pub agent: Option<AgentNo>,
    /// Agents of the own team, if the house does not let them be scored by their own.
    pub not_of: Vec<AgentNo>,
}

impl Reviewer {
    /// Nobody hears calls of his or her own.
    pub fn may_hear(&self, agent: &AgentNo) -> bool {
        self.agent.as_ref() != Some(agent) && !self.not_of.contains(agent)
    }
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
    let may = |reviewer: &&Reviewer| reviewer.may_hear(&pick.agent) && Some(reviewer.name.as_str()) != not;
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

/// Whoever has the fewest of those who may hear a call of this agent; of equals the first by name. `has`: open hearings by name.
pub fn fewest<'r>(
    reviewers: &'r [Reviewer],
    agent: &AgentNo,
    not: &[&str],
    has: &BTreeMap<String, u64>,
) -> Option<&'r str> {
    let able = reviewers.iter().filter(|one| one.may_hear(agent) && !not.contains(&one.name.as_str()));
    let of = |one: &&Reviewer| (has.get(&one.name).copied().unwrap_or(0), one.name.clone());
    able.min_by_key(of).map(|one| one.name.as_str())
}

fn on(load: &Load, reviewer: &Reviewer, agent: &AgentNo) -> u64 {
    load.on.get(&(reviewer.name.clone(), agent.clone())).copied().unwrap_or(0)
}
