//! The agents: who is free, and who is rung next.

use std::collections::{BTreeMap, BTreeSet};

use super::queue::Queue;
use crate::clock::Instant;
use crate::dialplan::plan::{self, Strategy};
use crate::ids::{AgentNo, CallId, HotlineId, Random};

/// What the switch needs to know of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Available,
    /// Being rung. It ends when the last message of the phone's session is through, so an agent is never rung while an
    /// old ring still sounds.
    Rung {
        call: CallId,
    },
    /// In a call. It ends as a ring does.
    Talking {
        call: CallId,
    },
}

#[derive(Debug, Clone)]
struct Agent {
    state: State,
    /// The end of the last call; the beginning of the run before the first.
    idle_since: Instant,
    /// Calls answered since the run began, whatever the hotline.
    answered: u64,
    /// No longer in the configuration: forgotten when the last call is over, and rung no more.
    leaving: bool,
}

impl Agent {
    fn fresh(idle_since: Instant) -> Agent {
        Agent { state: State::Available, idle_since, answered: 0, leaving: false }
    }

    fn is_free(&self) -> bool {
        self.state == State::Available && !self.leaving
    }
}

/// All agents that the configuration names, with the cursor of each hotline's round.
#[derive(Debug, Clone)]
pub struct Agents {
    agents: BTreeMap<AgentNo, Agent>,
    /// Who was rung last, by hotline.
    last_rung: BTreeMap<HotlineId, AgentNo>,
    random: Random,
    /// Who waits for one of them.
    pub queue: Queue,
    /// Who has become free, and has not been offered to those who wait.
    freed: Vec<AgentNo>,
}

impl Agents {
    pub fn new(numbers: impl IntoIterator<Item = AgentNo>, random: Random) -> Self {
        let agents = numbers.into_iter().map(|n| (n, Agent::fresh(Instant::START))).collect();
        Agents { agents, last_rung: BTreeMap::new(), random, queue: Queue::default(), freed: Vec::new() }
    }

    /// One more agent, free, unless there is one of this number.
    pub fn join(&mut self, number: AgentNo) {
        self.agents.entry(number).or_insert_with(|| Agent::fresh(Instant::START));
    }

    /// The configuration names these from now on. Whoever stays keeps state and history; whoever is new begins now; whoever
    /// is named no more finishes the call or ring that he or she is in.
    pub fn renew(&mut self, numbers: &BTreeSet<AgentNo>, hotlines: &BTreeSet<HotlineId>, now: Instant) {
        for (number, agent) in &mut self.agents {
            agent.leaving = !numbers.contains(number);
        }
        self.agents.retain(|_, agent| !agent.leaving || agent.state != State::Available);
        for number in numbers {
            self.agents.entry(number.clone()).or_insert_with(|| {
                self.freed.push(number.clone());
                Agent::fresh(now)
            });
        }
        self.last_rung.retain(|hotline, _| hotlines.contains(hotline));
    }

    /// Takes the next agent to ring for this call: one of the plan's, free, and not tried before.
    pub fn take_next(
        &mut self,
        hotline: &HotlineId,
        plan: &plan::Agents,
        tried: &BTreeSet<AgentNo>,
        call: CallId,
    ) -> Option<AgentNo> {
        let agents = &self.agents;
        let free = |number: &&AgentNo| !tried.contains(*number) && agents.get(*number).is_some_and(Agent::is_free);
        let mut all = plan.numbers.iter().filter(free);
        // Of equals the first in the list is taken.
        let next = match plan.strategy {
            Strategy::InOrder | Strategy::RingAll => all.next(),
            Strategy::RoundRobin => {
                let last = self.last_rung.get(hotline);
                let start = last.and_then(|last| plan.numbers.iter().position(|n| n == last)).map_or(0, |i| i + 1);
                let (before, after) = plan.numbers.split_at(start);
                after.iter().chain(before).find(free)
            }
            Strategy::LongestIdle => all.min_by_key(|number| agents.get(*number).map(|a| a.idle_since)),
            Strategy::FewestCalls => all.min_by_key(|number| agents.get(*number).map(|a| a.answered)),
            Strategy::Random => {
                let one = self.random.below(u32::try_from(all.clone().count()).unwrap_or(u32::MAX));
                all.nth(one as usize)
            }
        };
        let next = next.cloned()?;
        self.agents.get_mut(&next)?.state = State::Rung { call };
        self.last_rung.insert(hotline.clone(), next.clone());
        Some(next)
    }

    /// Takes this agent for a call, if free.
    pub fn take(&mut self, number: &AgentNo, call: CallId) -> bool {
        let Some(agent) = self.agents.get_mut(number).filter(|agent| agent.is_free()) else { return false };
        agent.state = State::Rung { call };
        true
    }

    /// This agent is in a call that is nobody's of a hotline, if free or rung for it.
    pub fn engage(&mut self, number: &AgentNo, call: CallId) {
        if let Some(agent) = self.agents.get_mut(number)
            && [State::Available, State::Rung { call }].contains(&agent.state)
        {
            agent.state = State::Talking { call };
        }
    }

    /// Whoever is in one call is in the other from now on.
    pub fn move_over(&mut self, number: &AgentNo, from: CallId, to: CallId) {
        if let Some(agent) = self.agents.get_mut(number).filter(|a| a.state == (State::Talking { call: from })) {
            agent.state = State::Talking { call: to };
        }
    }

    /// The agent who was rung for that call has won it.
    pub fn answered(&mut self, agent: &AgentNo, call: CallId) {
        if let Some(agent) = self.agents.get_mut(agent)
            && agent.state == (State::Rung { call })
        {
            agent.state = State::Talking { call };
            agent.answered += 1;
        }
    }

    /// The agent's phone has nothing more to do with that call.
    pub fn release(&mut self, number: &AgentNo, call: CallId, now: Instant) {
        let Some(agent) = self.agents.get_mut(number) else { return };
        if agent.state == (State::Talking { call }) {
            agent.idle_since = now;
        } else if agent.state != (State::Rung { call }) {
            return;
        }
        agent.state = State::Available;
        if agent.leaving {
            self.agents.remove(number);
        } else {
            self.freed.push(number.clone());
        }
    }

    /// One who has become free; those who wait are to be told.
    pub fn poll_freed(&mut self) -> Option<AgentNo> {
        self.freed.pop()
    }

    /// Whether this agent can be rung now.
    pub fn is_free(&self, number: &AgentNo) -> bool {
        self.agents.get(number).is_some_and(Agent::is_free)
    }

    pub fn state(&self, agent: &AgentNo) -> Option<&State> {
        self.agents.get(agent).map(|agent| &agent.state)
    }

    pub fn available(&self) -> usize {
        self.agents.values().filter(|agent| agent.is_free()).count()
    }

    /// Rung or in a call.
    pub fn taken(&self) -> usize {
        self.agents.len() - self.available()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Wall;
    use crate::dialplan::plan::Next;

    fn plan(strategy: Strategy) -> plan::Agents {
        let numbers = ["7", "8", "9"].map(AgentNo::from).to_vec();
        plan::Agents { numbers, strategy, ring: Duration::from_secs(20), queue: None, nobody: Next::BusyTone }
    }

    fn agents(strategy: Strategy) -> Agents {
        Agents::new(plan(strategy).numbers, Random::from_number(1))
    }

    fn call(n: u64) -> CallId {
        CallId::new(Wall::from_micros(0), &mut Random::from_number(n))
    }

    /// Whom each of so many calls, one after the other, rings first. Whoever is named in `answering` answers.
    fn rung(strategy: Strategy, calls: u64, answering: &[&str]) -> Vec<String> {
        let mut agents = agents(strategy);
        (1..=calls)
            .map(|n| {
                let agent = agents.take_next(&"h".into(), &plan(strategy), &BTreeSet::new(), call(n)).unwrap();
                if answering.contains(&agent.as_str()) {
                    agents.answered(&agent, call(n));
                }
                agents.release(&agent, call(n), Instant::from_millis(n));
                agent.to_string()
            })
            .collect()
    }

    #[test]
    fn strategies() {
        let all = ["7", "8", "9"];
        assert_eq!(rung(Strategy::InOrder, 3, &all), ["7", "7", "7"]);
        assert_eq!(rung(Strategy::RoundRobin, 5, &all), ["7", "8", "9", "7", "8"]);
        assert_eq!(rung(Strategy::LongestIdle, 5, &all), ["7", "8", "9", "7", "8"]);
        assert_eq!(rung(Strategy::FewestCalls, 5, &all), ["7", "8", "9", "7", "8"]);
    }

    #[test]
    fn a_ring_that_nobody_answered_is_no_call() {
        for strategy in [Strategy::LongestIdle, Strategy::FewestCalls] {
            assert_eq!(rung(strategy, 4, &["7", "9"]), ["7", "8", "8", "8"]);
        }
    }

    #[test]
    fn random_takes_everybody_about_as_often_and_the_same_with_the_same_seed() {
        let taken = rung(Strategy::Random, 300, &[]);
        assert_eq!(taken, rung(Strategy::Random, 300, &[]));
        for agent in ["7", "8", "9"] {
            let times = taken.iter().filter(|a| *a == agent).count();
            assert!((70..130).contains(&times), "{agent} {times} times of 300");
        }
    }

    #[test]
    fn nobody_is_taken_twice_or_tried_twice() {
        let mut agents = agents(Strategy::InOrder);
        let (a, b) = (call(1), call(2));
        let take = |call, tried: &[&str], agents: &mut Agents| {
            let tried = tried.iter().map(|t| AgentNo::from(*t)).collect();
            agents.take_next(&"h".into(), &plan(Strategy::InOrder), &tried, call).map(|a| a.to_string())
        };
        assert_eq!(take(a, &[], &mut agents).as_deref(), Some("7"));
        assert_eq!(take(b, &[], &mut agents).as_deref(), Some("8"));
        assert_eq!(take(a, &["7"], &mut agents).as_deref(), Some("9"));
        assert_eq!(take(b, &["8"], &mut agents), None);
        agents.release(&"7".into(), b, Instant::START);
        assert_eq!(agents.available(), 0, "only the call that took an agent can release them");
        agents.release(&"7".into(), a, Instant::START);
        assert_eq!(agents.available(), 1);
    }

    #[test]
    fn a_new_configuration_keeps_whoever_is_in_a_call() {
        let mut agents = agents(Strategy::InOrder);
        let hotlines = BTreeSet::from([HotlineId::from("h")]);
        let named = |numbers: &[&str]| numbers.iter().map(|n| AgentNo::from(*n)).collect::<BTreeSet<_>>();
        let take = |agents: &mut Agents, call| {
            let mut plan = plan(Strategy::InOrder);
            plan.numbers.push("10".into());
            agents.take_next(&"h".into(), &plan, &BTreeSet::new(), call).map(|a| a.to_string())
        };
        assert_eq!(take(&mut agents, call(1)).as_deref(), Some("7"));
        assert_eq!(take(&mut agents, call(2)).as_deref(), Some("8"));
        agents.answered(&"7".into(), call(1));
        // 7 talks and 8 is rung, and both are removed; 9 stays; 10 is new.
        agents.renew(&named(&["9", "10"]), &hotlines, Instant::from_millis(5));
        assert_eq!(agents.state(&"7".into()), Some(&State::Talking { call: call(1) }));
        assert_eq!((agents.available(), agents.taken()), (2, 2));
        agents.answered(&"8".into(), call(2));
        agents.release(&"8".into(), call(2), Instant::from_millis(9));
        assert_eq!(agents.state(&"8".into()), None, "gone with the call");
        // 7 comes back while still in the call, and stays in it.
        agents.renew(&named(&["7", "9"]), &hotlines, Instant::from_millis(10));
        assert_eq!(agents.state(&"10".into()), None);
        assert_eq!(agents.state(&"7".into()), Some(&State::Talking { call: call(1) }));
        assert_eq!(take(&mut agents, call(3)).as_deref(), Some("9"));
        agents.release(&"7".into(), call(1), Instant::from_millis(11));
        assert_eq!(agents.state(&"7".into()), Some(&State::Available));
    }
}
