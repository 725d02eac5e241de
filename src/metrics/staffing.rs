//! How many agents there are in each state. What moves shifts the gauges by one; only a new configuration counts all of them
//! again, for a fact must not cost more the more agents a house has.

use std::collections::{BTreeMap, BTreeSet};

use super::registry::{Families, LabelSets, Sets};
use super::table::{AgentState, Id};
use crate::call::presence::{AgentFact, Kind, What};
use crate::cdr::{Fold, Word};
use crate::ids::AgentNo;

/// Whom a call keeps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Engaged {
    ringing: Vec<AgentNo>,
    talking: Option<AgentNo>,
    /// Of a call with a colleague: who made it.
    calling: Option<AgentNo>,
}

#[derive(Debug)]
pub(super) struct Staffing {
    families: Families,
    sets: Sets,
    /// In how many calls each agent rings and talks.
    ringing: BTreeMap<AgentNo, u32>,
    busy: BTreeMap<AgentNo, u32>,
    /// What agents said of themselves; who is not there said nothing in this run.
    presences: BTreeMap<AgentNo, Kind>,
    unreachable: BTreeSet<AgentNo>,
    /// What the gauges count each agent as.
    shown: BTreeMap<AgentNo, AgentState>,
}

impl Engaged {
    pub(super) fn of(fold: &Fold) -> Engaged {
        let (talking, calling) = (fold.talking_agent().cloned(), fold.calling_agent().cloned());
        Engaged { ringing: fold.ringing_agents().cloned().collect(), talking, calling }
    }

    fn busy(&self) -> impl Iterator<Item = &AgentNo> {
        self.talking.iter().chain(&self.calling)
    }

    fn agents(&self) -> impl Iterator<Item = &AgentNo> {
        self.ringing.iter().chain(self.busy())
    }
}

impl Staffing {
    pub(super) fn new(families: Families, sets: Sets) -> Staffing {
        let (ringing, busy, presences) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (unreachable, shown) = (BTreeSet::new(), BTreeMap::new());
        let mut staffing = Staffing { families, sets, ringing, busy, presences, unreachable, shown };
        staffing.show_all();
        staffing
    }

    /// A call keeps others than before.
    pub(super) fn moved(&mut self, before: &Engaged, after: &Engaged) {
        if before == after {
            return;
        }
        before.ringing.iter().for_each(|agent| leave(&mut self.ringing, agent));
        before.busy().for_each(|agent| leave(&mut self.busy, agent));
        after.ringing.iter().for_each(|agent| *self.ringing.entry(agent.clone()).or_default() += 1);
        after.busy().for_each(|agent| *self.busy.entry(agent.clone()).or_default() += 1);
        let sets = self.sets.clone();
        let sets = sets.read();
        before.agents().chain(after.agents()).for_each(|agent| self.show(agent, &sets));
    }

    pub(super) fn fact(&mut self, fact: &AgentFact) {
        let agent = &fact.agent;
        let sets = self.sets.clone();
        let sets = sets.read();
        let was_there = self.is_there(agent, &sets);
        match (&fact.what, fact.what.kind()) {
            (_, Some(presence)) => drop(self.presences.insert(agent.clone(), presence)),
            (What::Unreachable, None) => drop(self.unreachable.insert(agent.clone())),
            (What::Reachable, None) => drop(self.unreachable.remove(agent)),
            (What::MissesShift { .. }, None) => return self.families.add(Id::ShiftsMissed, &[], 1),
            (_, None) => return,
        }
        self.show(agent, &sets);
        self.show_unreachable(&sets);
        let by = i64::from(self.is_there(agent, &sets)) - i64::from(was_there);
        if by != 0 {
            for (hotline, _) in sets.staff.iter().filter(|(_, staff)| staff.contains(agent)) {
                self.families.shift(Id::OnDuty, &[hotline.as_str()], by);
            }
        }
    }

    /// Counts the agents of the configuration that is in force.
    pub(super) fn show_all(&mut self) {
        let sets = self.sets.clone();
        let sets = sets.read();
        for state in AgentState::ALL {
            self.families.set(Id::Agents, &[state.word()], 0);
        }
        let known: BTreeSet<AgentNo> = std::mem::take(&mut self.shown).into_keys().chain(sets.agents.clone()).collect();
        known.iter().for_each(|agent| self.show(agent, &sets));
        self.show_unreachable(&sets);
        for (hotline, staff) in &sets.staff {
            let there = staff.iter().filter(|agent| self.is_there(agent, &sets)).count();
            self.families.set(Id::OnDuty, &[hotline.as_str()], number(there));
        }
    }

    fn show(&mut self, agent: &AgentNo, sets: &LabelSets) {
        let state = self.state(agent, sets);
        let before = match state {
            Some(state) => self.shown.insert(agent.clone(), state),
            None => self.shown.remove(agent),
        };
        if before != state {
            before.iter().for_each(|state| self.families.shift(Id::Agents, &[state.word()], -1));
            state.iter().for_each(|state| self.families.shift(Id::Agents, &[state.word()], 1));
        }
    }

    /// Busy wins over ringing: whose one call is over in truth may ring for the next before that is told. `None` for somebody who is no longer configured,
    /// and in no call.
    fn state(&self, agent: &AgentNo, sets: &LabelSets) -> Option<AgentState> {
        if self.busy.contains_key(agent) {
            return Some(AgentState::Busy);
        }
        if self.ringing.contains_key(agent) {
            return Some(AgentState::Ringing);
        }
        sets.agents.contains(agent).then(|| match self.presence(agent, sets) {
            Kind::Ready => AgentState::Available,
            Kind::WrapUp => AgentState::WrapUp,
            Kind::Paused | Kind::Away => AgentState::Away,
            Kind::LoggedOut => AgentState::Offline,
        })
    }

    /// What the agent last said, or how an agent begins.
    fn presence(&self, agent: &AgentNo, sets: &LabelSets) -> Kind {
        let start = if sets.login.contains(agent) { Kind::LoggedOut } else { Kind::Ready };
        self.presences.get(agent).copied().unwrap_or(start)
    }

    fn is_there(&self, agent: &AgentNo, sets: &LabelSets) -> bool {
        matches!(self.presence(agent, sets), Kind::Ready | Kind::WrapUp) && !self.unreachable.contains(agent)
    }

    fn show_unreachable(&self, sets: &LabelSets) {
        let ready = |agent: &&AgentNo| self.presence(agent, sets) == Kind::Ready;
        let unreachable = self.unreachable.intersection(&sets.agents).filter(ready).count();
        self.families.set(Id::AgentsUnreachable, &[], number(unreachable));
    }
}

fn number(agents: usize) -> i64 {
    i64::try_from(agents).unwrap_or(i64::MAX)
}

fn leave(counts: &mut BTreeMap<AgentNo, u32>, agent: &AgentNo) {
    match counts.get_mut(agent) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(counts.remove(agent)),
    }
}
