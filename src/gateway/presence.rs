//! Whether agents are there for callers: their orders, and the facts that come of them.

use super::{Gateway, Output};
use crate::call::presence::{AgentFact, By, Order, What};
use crate::clock::{Now, Stamp};
use crate::ids::AgentNo;

impl Gateway {
    /// As the last run left the agents; `last` of each is the newest fact that tells a presence.
    pub fn restore_agents(&mut self, now: Now, last: &[(AgentNo, What)]) {
        for (agent, what) in last {
            self.agents.restore(agent, what, now);
        }
        while self.tell_of_agents() {}
    }

    pub(super) fn handle_order(&mut self, now: Now, ticket: u64, agent: &AgentNo, order: Order) {
        let result = self.agents.order(agent, order, By::Api, now);
        self.outputs.push_back(Output::Ordered { ticket, result });
    }

    /// One fact more, if there is one.
    pub(super) fn tell_of_agents(&mut self) -> bool {
        let Some((agent, at, what)) = self.agents.poll_told() else { return false };
        tracing::info!(%agent, ?what, "agent");
        let (n, at) = (self.agent_facts, Stamp::new(self.settings.run, at));
        self.agent_facts += 1;
        self.outputs.push_back(Output::AgentFact(AgentFact { agent, n, at, what }));
        true
    }
}
