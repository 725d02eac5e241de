//! Whether agents are there for callers: their orders, and the facts that come of them.

use super::{Gateway, Output};
use crate::call::agent::State;
use crate::call::presence::{AgentFact, By, Order, PhoneDoes, Refused, Shown, What};
use crate::clock::{Now, Stamp, Wall};
use crate::ids::AgentNo;

impl Gateway {
    /// As the last run left the agents; `last` of each is the newest fact that tells a presence.
    pub fn restore_agents(&mut self, now: Now, last: &[(AgentNo, What)]) {
        for (agent, what) in last {
            self.agents.restore(agent, what, now);
        }
        while self.tell_of_agents() {}
    }

    /// What agents have talked before this run, so that who has talked least today is known.
    pub fn restore_talks(&mut self, now: Now, talks: impl IntoIterator<Item = (AgentNo, Wall, Wall)>) {
        for (agent, from, to) in talks {
            self.agents.restore_talk(&agent, (from, to), now.wall);
        }
    }

    pub(super) fn handle_order(&mut self, now: Now, ticket: u64, agent: &AgentNo, order: Order) {
        let done = self.agents.order(agent, order, By::Api, now);
        let result = done.and_then(|()| self.show(now, agent).ok_or(Refused::NoAgent));
        self.outputs.push_back(Output::Ordered { ticket, result });
    }

    /// Everybody, as they are shown.
    pub fn shown(&self, now: Now) -> Vec<Shown> {
        let numbers = self.agents.all().map(|(number, ..)| number);
        numbers.filter_map(|number| self.show(now, number)).collect()
    }

    fn show(&self, now: Now, number: &AgentNo) -> Option<Shown> {
        let phone = match self.agents.state(number)? {
            State::Available => (PhoneDoes::Free, None),
            State::Rung { call } => (PhoneDoes::Ringing, Some(*call)),
            State::Talking { call } => (PhoneDoes::Talking, Some(*call)),
        };
        let since = self.agents.since(number).map(|since| since.to_string());
        let reachable = self.is_reachable(now, number);
        let shown = Shown::new(number.clone(), self.agents.presence(number)?, since, phone, reachable);
        Some(shown.missing(self.agents.misses_shift(number)))
    }

    /// One fact more, if there is one.
    pub(super) fn tell_of_agents(&mut self) -> bool {
        let Some((agent, at, what)) = self.agents.poll_told() else { return false };
        match &what {
            What::MissesShift { hotline, .. } => {
                tracing::warn!(%agent, %hotline, "a shift begins soon, and the agent has not logged in");
            }
            _ => tracing::info!(%agent, ?what, "agent"),
        }
        let (n, at) = (self.agent_facts, Stamp::new(self.settings.run, at));
        self.agent_facts += 1;
        self.outputs.push_back(Output::AgentFact(AgentFact { agent, n, at, what }));
        true
    }
}
