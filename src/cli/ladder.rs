//! The SIP messages of a call as a ladder: trunk | gateway | agent, time downwards.

use std::io::{self, Write};

use crate::call::fact::{Fact, What};
use crate::ids::Side;

/// Columns between two lifelines.
const LANE: usize = 30;

/// Draws every `signal` of the facts; writes nothing if there is none.
pub(super) fn draw(facts: &[Fact], out: &mut dyn Write) -> io::Result<()> {
    let mut signals = facts.iter().filter(|fact| matches!(fact.what, What::Signal { .. })).peekable();
    if signals.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "\nSIP            trunk{:>pad$}gateway{:>pad$}agent", "", "", pad = LANE - 6)?;
    for fact in signals {
        let What::Signal { leg, sent, message } = &fact.what else { continue };
        let offset = super::reading::offset(facts, fact);
        let blank = " ".repeat(LANE);
        // The trunk is left of the gateway and the agent right of it, so what we send goes left to one and right to
        // the other.
        let (left, right) = match leg {
            Side::Caller => (arrow(&title(message), !sent), blank),
            Side::Agent => (blank, arrow(&title(message), *sent)),
        };
        writeln!(out, "  {offset:>12}   |{left}|{right}|")?;
    }
    Ok(())
}

/// `INVITE` of a request, `180 Ringing` of a response.
fn title(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let title = match line.strip_prefix("SIP/2.0 ") {
        Some(status) => status,
        None if line.starts_with(|c: char| c.is_ascii_digit()) => line,
        None => line.split_whitespace().next().unwrap_or_default(),
    };
    title.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(LANE - 8).collect()
}

/// `--- INVITE ------------------>` or `<-- 180 Ringing --------------`.
fn arrow(title: &str, rightward: bool) -> String {
    let dashes = "-".repeat(LANE.saturating_sub(title.len() + 6));
    if rightward { format!("--- {title} {dashes}>") } else { format!("<-- {title} {dashes}-") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::story::Story;

    fn signal(leg: Side, sent: bool, message: &str) -> What {
        What::Signal { leg, sent, message: message.to_owned() }
    }

    #[test]
    fn arrows_point_from_sender_to_receiver() {
        let facts = Story::new(1)
            .at(0, signal(Side::Caller, false, "INVITE sip:4008001234@127.0.0.1 SIP/2.0\r\nFrom: …"))
            .at(20, signal(Side::Agent, true, "INVITE sip:8@127.0.0.1 SIP/2.0"))
            .at(900, signal(Side::Agent, false, "SIP/2.0 180 Ringing"))
            .at(1_000, signal(Side::Caller, true, "180 Ringing"))
            .facts();
        let mut out = Vec::new();
        draw(&facts, &mut out).unwrap();
        let expected = "
SIP            trunk                        gateway                        agent
        +0.000   |--- INVITE ------------------>|                              |
        +0.020   |                              |--- INVITE ------------------>|
        +0.900   |                              |<-- 180 Ringing --------------|
        +1.000   |<-- 180 Ringing --------------|                              |
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_call_without_messages_has_no_ladder() {
        let mut out = Vec::new();
        draw(&Story::new(1).facts(), &mut out).unwrap();
        assert!(out.is_empty());
    }
}
