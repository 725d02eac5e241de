//! The SIP messages of a call as the rungs of a ladder: trunk | gateway | agent, time downwards.

use std::collections::BTreeMap;

use crate::call::fact::{CALLER, Fact, Signal, What};
use crate::ids::{AgentNo, Side};

/// Letters of a rung's title: what fits between two lifelines.
const TITLE: usize = 22;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// Since *offered*; `None`: in another run.
    pub after_ms: Option<u64>,
    pub leg: Side,
    /// By us.
    pub sent: bool,
    /// `INVITE` of a request, `180 Ringing` of a response.
    pub title: String,
    /// Whose phone, the address at the other end, where a request goes, what the body is.
    pub details: String,
}

impl Rung {
    /// The arrow points to the right: the trunk is left of the gateway and the agent right of it, so what we send goes left to one
    /// and right to the other.
    pub fn is_rightward(&self) -> bool {
        match self.leg {
            Side::Caller => !self.sent,
            Side::Agent => self.sent,
        }
    }
}

/// Every `signal` of the facts. `caller` stands where the caller's number was.
pub fn rungs(facts: &[Fact], caller: &str) -> Vec<Rung> {
    let agents: BTreeMap<u32, &AgentNo> = facts.iter().filter_map(|fact| invited(&fact.what)).collect();
    let rung = |fact: &Fact| {
        let What::Signal(signal) = &fact.what else { return None };
        Some(Rung {
            after_ms: facts.first().and_then(|first| fact.at.millis_since(first.at)),
            leg: signal.leg,
            sent: signal.sent,
            title: title(signal),
            details: details(signal, &agents, caller),
        })
    };
    facts.iter().filter_map(rung).collect()
}

fn invited(what: &What) -> Option<(u32, &AgentNo)> {
    match what {
        What::AgentInvited { attempt, agent } => Some((*attempt, agent)),
        _ => None,
    }
}

fn title(signal: &Signal) -> String {
    let line = signal.message.lines().next().unwrap_or_default();
    let title = match line.strip_prefix("SIP/2.0 ") {
        Some(status) => status,
        None if line.starts_with(|c: char| c.is_ascii_digit() || c == '(') => line,
        None => line.split_whitespace().next().unwrap_or_default(),
    };
    let again = if signal.again { " again" } else { "" };
    let room = TITLE - again.len();
    let title: String = title.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(room).collect();
    title + again
}

fn details(signal: &Signal, agents: &BTreeMap<u32, &AgentNo>, caller: &str) -> String {
    let agent = signal.attempt.and_then(|attempt| agents.get(&attempt)).map(|agent| format!("agent {agent}"));
    let uri = signal.message.split_once(' ').map(|(_, uri)| uri).filter(|uri| uri.contains(':') && !uri.contains(' '));
    let parts = [agent, signal.peer.map(|peer| peer.to_string()), uri.map(str::to_owned), signal.body.clone()];
    let details = parts.into_iter().flatten().collect::<Vec<_>>().join("  ").replace(CALLER, caller);
    details.chars().filter(|c| !c.is_control()).collect()
}

/// A number that may be shown to anybody: who knows it recognises it. `139****0001`.
pub fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    match digits.len() {
        8.. => digits[..3].iter().chain(&['*'; 4]).chain(&digits[digits.len() - 4..]).collect(),
        _ => "****".to_owned(),
    }
}
