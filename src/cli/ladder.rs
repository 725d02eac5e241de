//! The SIP messages of a call as a ladder: trunk | gateway | agent, time downwards.

use std::io::{self, Write};

use crate::call::fact::Fact;
use crate::cdr::ladder::rungs;
use crate::ids::Side;

/// Columns between two lifelines.
const LANE: usize = 30;

/// Draws every `signal` of the facts; writes nothing if there is none. `caller` stands where the caller's number was.
pub(super) fn draw(facts: &[Fact], caller: &str, out: &mut dyn Write) -> io::Result<()> {
    let rungs = rungs(facts, caller);
    if rungs.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nSIP            trunk{:>pad$}gateway{:>pad$}agent", "", "", pad = LANE - 6)?;
    for rung in rungs {
        let offset = super::reading::shown_offset(rung.after_ms);
        let (blank, arrow) = (" ".repeat(LANE), arrow(&rung.title, rung.is_rightward()));
        let (left, right) = match rung.leg {
            Side::Caller => (arrow, blank),
            Side::Agent => (blank, arrow),
        };
        writeln!(out, "{}", format!("  {offset:>12}   |{left}|{right}|  {}", rung.details).trim_end())?;
    }
    Ok(())
}

/// `--- INVITE ------------------>` or `<-- 180 Ringing --------------`.
fn arrow(title: &str, rightward: bool) -> String {
    let dashes = "-".repeat(LANE.saturating_sub(title.len() + 6));
    if rightward { format!("--- {title} {dashes}>") } else { format!("<-- {title} {dashes}-") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::fact::{Signal, What};
    use crate::cdr::ladder::masked;
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
