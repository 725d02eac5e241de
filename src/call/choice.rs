//! Who is rung next, and why this one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::agent::{Agent, Agents, State};
use super::presence::Kind;
use crate::clock::Wall;
use crate::dialplan::plan::{self, Strategy};
use crate::ids::{AgentNo, CallId, HotlineId};

/// As many names as a fact has of each kind; beyond that they are counted.
const NAMED: usize = 12;

/// Who asks for an agent.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// `None`: a colleague, who may ring whoever's phone is free.
    pub hotline: Option<&'a HotlineId>,
    pub plan: &'a plan::Agents,
    /// Rung before for the same call.
    pub tried: &'a BTreeSet<AgentNo>,
    pub call: CallId,
    /// The plan's skill is not asked for any more.
    pub relaxed: bool,
    pub now: Wall,
}

/// One agent taken, and what the strategy saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub agent: AgentNo,
    /// As the dialplan writes it.
    pub strategy: String,
    /// Who could have been rung, the chosen one included, in the order of the dialplan.
    pub eligible: Vec<AgentNo>,
    /// What the strategy compared of each of them: calls answered, or ms talked today. Empty: it compares no such thing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<u64>,
    pub skipped: Vec<(AgentNo, Why)>,
    /// What was asked of them; null: nothing, or nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<AskedFor>,
    /// So many of each are not named.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_eligible: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_skipped: u32,
}

/// Whoever is rung can do this at that level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedFor {
    pub skill: String,
    pub level: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Why an agent is not rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Rung for this call already.
    Tried,
    Ringing,
    Talking,
    LoggedOut,
    Paused,
    WrapUp,
    Away,
    /// No longer in the configuration.
    Unknown,
    /// Cannot do what is asked, or not well enough.
    Unskilled,
}

impl Agents {
    /// Takes the next agent to ring: one of the plan's, free, and not tried before.
    pub fn take_next(&mut self, wanted: Wanted<'_>) -> Option<Choice> {
        let Wanted { hotline, plan, tried, call, relaxed, now } = wanted;
        let skill = plan.skill.as_ref().filter(|_| !relaxed);
        let unable = |number: &AgentNo| skill.is_some_and(|skill| !skill.able.contains(number));
        let (mut eligible, mut skipped) = (Vec::new(), Vec::new());
        let mut unnamed = 0_u32;
        // Lists of agents mostly have the order of their numbers, as the tree has: then nobody is looked for.
        let mut beside = self.agents.range::<AgentNo, _>(..);
        for (place, number) in plan.numbers.iter().enumerate() {
            let mut next = beside.next();
            if next.is_none_or(|(other, _)| other != number) {
                beside = self.agents.range(number..);
                next = beside.next().filter(|(other, _)| *other == number);
            }
            match why_not(next, tried, hotline.is_none()) {
                None if unable(number) && skipped.len() < NAMED => skipped.push((number.clone(), Why::Unskilled)),
                None if unable(number) => unnamed += 1,
                None => eligible.push((place, number)),
                Some(why) if skipped.len() < NAMED => skipped.push((number.clone(), why)),
                Some(_) => unnamed += 1,
            }
        }
        let agent = self.choose(hotline, plan, &eligible, now)?.clone();
        let compared = eligible.iter().take(NAMED).filter_map(|(_, number)| self.compared(plan.strategy, number, now));
        let compared = compared.collect();
        self.agents.get_mut(&agent)?.state = State::Rung { call };
        if let Some(hotline) = hotline {
            self.last_rung.insert(hotline.clone(), agent.clone());
        }
        let more_eligible = u32::try_from(eligible.len().saturating_sub(NAMED)).unwrap_or(u32::MAX);
        Some(Choice {
            agent,
            strategy: plan.strategy.word().to_owned(),
            eligible: eligible.into_iter().take(NAMED).map(|(_, number)| number.clone()).collect(),
            compared,
            skipped,
            skill: skill.map(|skill| AskedFor { skill: skill.name.clone(), level: skill.level }),
            more_eligible,
            more_skipped: unnamed,
        })
    }

    /// Of equals the first in the list is taken. `eligible` has the places in the plan's list too: looking each up would cost
    /// the square of the agents.
    fn choose<'p>(
        &mut self,
        hotline: Option<&HotlineId>,
        plan: &'p plan::Agents,
        eligible: &[(usize, &'p AgentNo)],
        now: Wall,
    ) -> Option<&'p AgentNo> {
        let of = |number: &AgentNo| self.agents.get(number);
        let mut all = eligible.iter();
        let chosen = match plan.strategy {
            Strategy::InOrder | Strategy::RingAll => eligible.first(),
            Strategy::RoundRobin => {
                let last = hotline.and_then(|hotline| self.last_rung.get(hotline));
                let last = last.and_then(|last| plan.numbers.iter().position(|number| number == last));
                all.find(|(place, _)| Some(*place) > last).or_else(|| eligible.first())
            }
            Strategy::LongestIdle => all.min_by_key(|(_, number)| of(number).map(|a| a.idle_since)),
            Strategy::FewestCalls | Strategy::LeastTalk => {
                all.min_by_key(|(_, number)| self.compared(plan.strategy, number, now))
            }
            Strategy::Random => {
                let one = self.random.below(u32::try_from(eligible.len()).unwrap_or(u32::MAX));
                eligible.get(one as usize)
            }
        };
        chosen.map(|(_, number)| *number)
    }

    /// The less, the sooner rung.
    fn compared(&self, strategy: Strategy, number: &AgentNo, now: Wall) -> Option<u64> {
        let agent = self.agents.get(number)?;
        match strategy {
            Strategy::FewestCalls => Some(agent.answered),
            Strategy::LeastTalk => u64::try_from(agent.talked.by(now).as_millis()).ok(),
            _ => None,
        }
    }
}

fn why_not(agent: Option<(&AgentNo, &Agent)>, tried: &BTreeSet<AgentNo>, colleague: bool) -> Option<Why> {
    let Some((number, agent)) = agent.filter(|(_, agent)| !agent.leaving) else { return Some(Why::Unknown) };
    if tried.contains(number) {
        return Some(Why::Tried);
    }
    agent.why_not(colleague)
}

impl Agent {
    /// Why this agent is not rung now; a colleague rings whoever's phone is free.
    pub(super) fn why_not(&self, colleague: bool) -> Option<Why> {
        match (&self.state, self.presence.kind()) {
            (State::Rung { .. }, _) => Some(Why::Ringing),
            (State::Talking { .. }, _) => Some(Why::Talking),
            (State::Available, Kind::Ready) => None,
            (State::Available, _) if colleague => None,
            (State::Available, Kind::LoggedOut) => Some(Why::LoggedOut),
            (State::Available, Kind::Paused) => Some(Why::Paused),
            (State::Available, Kind::WrapUp) => Some(Why::WrapUp),
            (State::Available, Kind::Away) => Some(Why::Away),
        }
    }
}
