//! `[outbound]` as written.

use std::time::Duration;

use super::agent_numbers;
use crate::written::{At, Table};

/// A month of 31 days, in minutes.
const LONGEST_MIN: u32 = 31 * 24 * 60;

#[derive(Debug)]
pub(in crate::dialplan) struct Outbound {
    /// Empty: everybody whom the dialplan rings.
    pub(in crate::dialplan) agents: Vec<At<String>>,
    pub(in crate::dialplan) prefixes: Vec<String>,
    pub(in crate::dialplan) quota: Option<Duration>,
    pub(in crate::dialplan) abroad: bool,
}

/// `None`: the file has no `[outbound]`, and agents call nobody outside.
pub(super) fn outbound(mut table: Table<'_>) -> Option<Outbound> {
    let agents = if table.line_of("agents").is_some() { agent_numbers(&mut table, "agents") } else { Vec::new() };
    let present = table.is_present();
    let written = if present { table.required_strings("prefixes") } else { table.strings("prefixes") };
    let quota = table.integer("minutes_a_month", 1..=LONGEST_MIN);
    let abroad = table.boolean("abroad").is_some_and(|at| at.value);
    let prefixes = written.map_or_else(Vec::new, |at| {
        if at.value.is_empty() {
            let hint = "add \"010\" or \"+8610\", or leave [outbound] out";
            table.fault(at.line, "outbound.prefixes is empty: no number could ever be called", hint);
        }
        at.value.into_iter().filter_map(|prefix| prefix_of(&table, prefix)).collect()
    });
    let quota = quota.map(|at| Duration::from_secs(u64::from(at.value) * 60));
    present.then_some(Outbound { agents, prefixes, quota, abroad })
}

fn prefix_of(table: &Table<'_>, At { value, line }: At<String>) -> Option<String> {
    let digits = value.strip_prefix('+').unwrap_or(&value);
    if !digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value);
    }
    let what = format!("outbound.prefixes: \"{}\" begins no number", value.escape_debug());
    table.fault(line, what, "write one to fifteen digits, with + before a country code");
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::Document;

    fn parse(text: &str) -> (Option<Outbound>, Vec<String>) {
        let document = Document::parse("p", text);
        let found = outbound(document.root().section("outbound"));
        (found, document.into_faults().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert!(matches!(parse(""), (None, faults) if faults.is_empty()));
        let (found, faults) = parse("[outbound]\nprefixes = [\"139\", \"+8610\"]\nminutes_a_month = 60\n");
        let found = found.expect("it is there");
        assert_eq!(
            (found.prefixes, found.quota),
            (vec!["139".into(), "+8610".into()], Some(Duration::from_secs(3_600)))
        );
        assert!(faults.is_empty() && !found.abroad && found.agents.is_empty());
        assert_eq!(parse("[outbound]\n").1.len(), 1, "prefixes are required");
        let (_, faults) = parse("[outbound]\nprefixes = []\n");
        assert!(faults[0].starts_with("p:2: outbound.prefixes is empty"), "{faults:?}");
        let (_, faults) = parse("[outbound]\nprefixes = [\"139\",\n  \"sip:1@x\"]\n");
        assert!(faults[0].contains("outbound.prefixes: \"sip:1@x\" begins no number"), "{faults:?}");
        assert_eq!(parse("[outbound]\nprefixes = [\"1\"]\nminutes_a_month = 0\n").1.len(), 1);
    }
}
