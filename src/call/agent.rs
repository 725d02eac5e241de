//! The agents: who is free, and who is rung next.

use std::collections::{BTreeMap, BTreeSet};

use crate::dialplan::plan::{self, Strategy};
use crate::ids::{AgentNo, CallId, HotlineId};

/// What the switch needs to know of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Available,
    /// Rung or in a call. It ends when the last message of the phone's session is through, so an agent is never rung
    /// while an old ring still sounds.
    Taken {
        call: CallId,
    },
}

/// All agents that the configuration names, with the cursor of each hotline's round.
#[derive(Debug, Clone, Default)]
pub struct Agents {
    states: BTreeMap<AgentNo, State>,
    /// Who was rung last, by hotline.
    last_rung: BTreeMap<HotlineId, AgentNo>,
}

impl Agents {
    pub fn new(numbers: impl IntoIterator<Item = AgentNo>) -> Self {
        let states = numbers.into_iter().map(|n| (n, State::Available)).collect();
        Agents { states, last_rung: BTreeMap::new() }
    }

    /// Takes the next agent to ring for this call: one of the plan's, free, and not tried before.
    pub fn take_next(
        &mut self,
        hotline: &HotlineId,
        plan: &plan::Agents,
        tried: &BTreeSet<AgentNo>,
        call: CallId,
    ) -> Option<AgentNo> {
        let start = match plan.strategy {
            Strategy::InOrder => 0,
            Strategy::RoundRobin => {
                let last = self.last_rung.get(hotline);
                last.and_then(|last| plan.numbers.iter().position(|n| n == last)).map_or(0, |i| i + 1)
            }
        };
        let n = plan.numbers.len();
        let round = (0..n).map(|i| &plan.numbers[(start + i) % n]);
        let next = round.into_iter().find(|a| !tried.contains(*a) && self.states.get(*a) == Some(&State::Available))?;
        self.states.insert(next.clone(), State::Taken { call });
        self.last_rung.insert(hotline.clone(), next.clone());
        Some(next.clone())
    }

    /// The agent's phone has nothing more to do with that call.
    pub fn release(&mut self, agent: &AgentNo, call: CallId) {
        if let Some(state) = self.states.get_mut(agent)
            && *state == (State::Taken { call })
        {
            *state = State::Available;
        }
    }

    pub fn state(&self, agent: &AgentNo) -> Option<&State> {
        self.states.get(agent)
    }

    pub fn available(&self) -> usize {
        self.states.values().filter(|s| **s == State::Available).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Wall;
    use crate::dialplan::plan::Nobody;
    use crate::ids::Random;

    fn plan(strategy: Strategy) -> plan::Agents {
        let numbers = ["7", "8", "9"].map(AgentNo::from).to_vec();
        plan::Agents { numbers, strategy, ring: Duration::from_secs(20), nobody: Nobody::BusyTone }
    }

    fn rung(strategy: Strategy, calls: usize) -> Vec<String> {
        let mut agents = Agents::new(plan(strategy).numbers);
        let mut random = Random::from_number(1);
        (0..calls)
            .map(|_| {
                let call = CallId::new(Wall::from_micros(0), &mut random);
                let agent = agents.take_next(&"h".into(), &plan(strategy), &BTreeSet::new(), call).unwrap();
                agents.release(&agent, call);
                agent.to_string()
            })
            .collect()
    }

    #[test]
    fn strategies() {
        assert_eq!(rung(Strategy::InOrder, 3), ["7", "7", "7"]);
        assert_eq!(rung(Strategy::RoundRobin, 5), ["7", "8", "9", "7", "8"]);
    }

    #[test]
    fn nobody_is_taken_twice_or_tried_twice() {
        let mut agents = Agents::new(plan(Strategy::InOrder).numbers);
        let mut random = Random::from_number(1);
        let (a, b) = (CallId::new(Wall::from_micros(0), &mut random), CallId::new(Wall::from_micros(1), &mut random));
        let take = |call, tried: &[&str], agents: &mut Agents| {
            let tried = tried.iter().map(|t| AgentNo::from(*t)).collect();
            agents.take_next(&"h".into(), &plan(Strategy::InOrder), &tried, call).map(|a| a.to_string())
        };
        assert_eq!(take(a, &[], &mut agents).as_deref(), Some("7"));
        assert_eq!(take(b, &[], &mut agents).as_deref(), Some("8"));
        assert_eq!(take(a, &["7"], &mut agents).as_deref(), Some("9"));
        assert_eq!(take(b, &["8"], &mut agents), None);
        agents.release(&"7".into(), b);
        assert_eq!(agents.available(), 0, "only the call that took an agent can release them");
        agents.release(&"7".into(), a);
        assert_eq!(agents.available(), 1);
    }
}
