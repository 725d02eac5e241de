//! The SIP messages of a call as a ladder: trunk | gateway | agent, time downwards.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::call::fact::{CALLER, Fact, Signal, What};
use crate::ids::{AgentNo, Side};

/// Columns between two lifelines.
const LANE: usize = 30;

/// Draws every `signal` of the facts; writes nothing if there is none. `caller` stands where the caller's number was.
pub(super) fn draw(facts: &[Fact], caller: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut signals = facts.iter().filter(|fact| matches!(fact.what, What::Signal(_))).peekable();
    if signals.peek().is_none() {
        return Ok(());
    }
    let agents: BTreeMap<u32, &AgentNo> = facts.iter().filter_map(|fact| invited(&fact.what)).collect();
    writeln!(out, "\nSIP            trunk{:>pad$}gateway{:>pad$}agent", "", "", pad = LANE - 6)?;
    for fact in signals {
        let What::Signal(signal) = &fact.what else { continue };
        let offset = super::reading::offset(facts, fact);
        let blank = " ".repeat(LANE);
        let title = title(signal);
        // The trunk is left of the gateway and the agent right of it, so what we send goes left to one and right to
        // the other.
        let (left, right) = match signal.leg {
            Side::Caller => (arrow(&title, !signal.sent), blank),
            Side::Agent => (blank, arrow(&title, signal.sent)),
        };
        let details = details(signal, &agents, caller);
        writeln!(out, "{}", format!("  {offset:>12}   |{left}|{right}|  {details}").trim_end())?;
    }
    Ok(())
}

fn invited(what: &What) -> Option<(u32, &AgentNo)> {
    match what {
        What::AgentInvited { attempt, agent } => Some((*attempt, agent)),
        _ => None,
    }
}

/// `INVITE` of a request, `180 Ringing` of a response.
fn title(signal: &Signal) -> String {
    let line = signal.message.lines().next().unwrap_or_default();
    let title = match line.strip_prefix("SIP/2.0 ") {
        Some(status) => status,
        None if line.starts_with(|c: char| c.is_ascii_digit() || c == '(') => line,
        None => line.split_whitespace().next().unwrap_or_default(),
    };
    let again = if signal.again { " again" } else { "" };
    let room = LANE - 8 - again.len();
    let title: String = title.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(room).collect();
    title + again
}

/// Whose phone, the address at the other end, where a request goes, what the body is.
fn details(signal: &Signal, agents: &BTreeMap<u32, &AgentNo>, caller: &str) -> String {
    let agent = signal.attempt.and_then(|attempt| agents.get(&attempt)).map(|agent| format!("agent {agent}"));
    let uri = signal.message.split_once(' ').map(|(_, uri)| uri).filter(|uri| uri.contains(':') && !uri.contains(' '));
    let parts = [agent, signal.peer.map(|peer| peer.to_string()), uri.map(str::to_owned), signal.body.clone()];
    let details = parts.into_iter().flatten().collect::<Vec<_>>().join("  ").replace(CALLER, caller);
    details.chars().filter(|c| !c.is_control()).collect()
}

/// A number that may be shown to anybody: who knows it recognises it. `139****0001`.
pub(super) fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    match digits.len() {
        8.. => digits[..3].iter().chain(&['*'; 4]).chain(&digits[digits.len() - 4..]).collect(),
        _ => "****".to_owned(),
    }
}

/// `--- INVITE ------------------>` or `<-- 180 Ringing --------------`.
fn arrow(title: &str, rightward: bool) -> String {
    let dashes = "-".repeat(LANE.saturating_sub(title.len() + 6));
    if rightward { format!("--- {title} {dashes}>") } else { format!("<-- {title} {dashes}-") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::story::{Story, signal};

    fn detailed(leg: Side, message: &str, attempt: Option<u32>) -> What {
        let (peer, body) = (Some("127.0.0.1:5060".parse().unwrap()), Some("9 bytes".to_owned()));
        What::Signal(Box::new(Signal {
            leg,
            sent: true,
            message: message.to_owned(),
            attempt,
            again: true,
            peer,
            body,
        }))
    }

    #[test]
    fn a_number_is_masked() {
        assert_eq!(masked("13912345678"), "139****5678");
        assert_eq!(masked("1234567"), "****");
    }

    #[test]
    fn arrows_point_from_sender_to_receiver() {
        let facts = Story::new(1)
            .at(0, signal(Side::Caller, false, "INVITE sip:4008001234@127.0.0.1 SIP/2.0\r\nFrom: …"))
            .at(20, signal(Side::Agent, true, "INVITE sip:8@127.0.0.1 SIP/2.0"))
            .at(900, signal(Side::Agent, false, "SIP/2.0 180 Ringing"))
            .at(1_000, signal(Side::Caller, true, "180 Ringing"))
            .at(1_001, What::AgentInvited { attempt: 2, agent: "8".into() })
            .at(1_500, detailed(Side::Caller, "BYE sip:{caller}@127.0.0.1", None))
            .at(1_600, detailed(Side::Agent, "200 OK (INVITE)", Some(2)))
            .facts();
        let mut out = Vec::new();
        draw(&facts, &masked("13900000001"), &mut out).unwrap();
        let expected = "
SIP            trunk                        gateway                        agent
        +0.000   |--- INVITE ------------------>|                              |
        +0.020   |                              |--- INVITE ------------------>|
        +0.900   |                              |<-- 180 Ringing --------------|
        +1.000   |<-- 180 Ringing --------------|                              |
        +1.500   |<-- BYE again ----------------|                              |  127.0.0.1:5060  sip:139****0001@127.0.0.1  9 bytes
        +1.600   |                              |--- 200 OK (INVITE) again --->|  agent 8  127.0.0.1:5060  9 bytes
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_call_without_messages_has_no_ladder() {
        let mut out = Vec::new();
        draw(&Story::new(1).facts(), "", &mut out).unwrap();
        assert!(out.is_empty());
    }
}
