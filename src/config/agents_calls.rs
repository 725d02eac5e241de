//! `[agents_calls]`: calls that agents make by themselves.

use std::collections::BTreeMap;

use super::AgentSettings;
use crate::fault::did_you_mean;
use crate::gateway::{AgentsCalls, Trunk, WayOut};
use crate::written::Table;

pub(super) fn read(section: &mut Table<'_>, trunks: &[Trunk], agents: &[AgentSettings]) -> AgentsCalls {
    let record = section.boolean("record").is_some_and(|at| at.value);
    let outbound = section.string("outbound_trunk").and_then(|written| {
        let known: Vec<&str> = trunks.iter().map(|trunk| trunk.name.as_str()).collect();
        let (what, hint) = match trunks.iter().find(|trunk| trunk.name.as_str() == written.value) {
            Some(trunk) if trunk.way_of_calls().is_some() => {
                let pin = |agent: &AgentSettings| Some((agent.number.clone(), agent.outbound_pin.clone()?));
                let pins: BTreeMap<_, _> = agents.iter().filter_map(pin).collect();
                return Some(WayOut { trunk: trunk.name.clone(), pins });
            }
            Some(_) => ("does not say where calls go", "add server = \"sip:…\" to that [[trunk]]".to_owned()),
            None => ("is not a trunk of this file", did_you_mean(&written.value, &known)),
        };
        section.fault(written.line, format!("agents_calls.outbound_trunk \"{}\" {what}", written.value), hint);
        None
    });
    AgentsCalls { record, outbound }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::Document;

    fn parse(text: &str) -> (AgentsCalls, Vec<String>) {
        let document = Document::parse("h", text);
        let trunks =
            [Trunk::of_peers("carrier", vec!["192.0.2.1:5060".parse().unwrap()]), Trunk::of_peers("dead", vec![])];
        let found = read(&mut document.root().section("agents_calls"), &trunks, &[]);
        (found, document.into_faults().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nobody_calls_outside_unless_a_trunk_is_named_that_leads_there() {
        assert_eq!(parse(""), (AgentsCalls::default(), Vec::new()));
        let (found, faults) = parse("[agents_calls]\nrecord = true\noutbound_trunk = \"carrier\"\n");
        let trunk = found.outbound.map(|way| way.trunk);
        assert_eq!((found.record, trunk, faults), (true, Some("carrier".into()), Vec::new()));
        let (found, faults) = parse("[agents_calls]\noutbound_trunk = \"carier\"\n");
        assert!(faults[0].starts_with("h:2: agents_calls.outbound_trunk \"carier\" is not a trunk"), "{faults:?}");
        assert!(found.outbound.is_none() && faults[0].contains("carrier"), "{faults:?}");
        let (_, faults) = parse("[agents_calls]\n\noutbound_trunk = \"dead\"\n");
        assert!(faults[0].starts_with("h:3: agents_calls.outbound_trunk \"dead\" does not say where"), "{faults:?}");
    }
}
