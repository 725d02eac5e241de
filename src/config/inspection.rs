//! `[qa]`: how calls are drawn for hearing, and who may hear them besides.

use std::collections::BTreeMap;

use crate::ids::AgentNo;
use crate::qa::draw::policy::{HEAVIEST, LONGEST_DUE, Policy};
use crate::written::{At, Table};

/// The texts ask for one to five calls of an agent and month.
const MOST_CALLS: u32 = 5;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InspectionSettings {
    /// Of months that no seed was committed for yet.
    pub policy: Policy,
    /// Agents hear the recordings of their own calls.
    pub agents_hear: bool,
}

pub(super) fn read(qa: &mut Table<'_>) -> InspectionSettings {
    let usual = Policy::default();
    let mut number = |key, range, otherwise| qa.integer(key, range).map_or(otherwise, |at: At<u32>| at.value);
    let target = number("target", 1..=MOST_CALLS, usual.target);
    let minimum = number("minimum", 1..=MOST_CALLS, usual.minimum.min(target));
    let min_talk_s = number("min_talk_s", 1..=600, u32::try_from(usual.min_talk_ms / 1_000).unwrap_or(20));
    let second_one_in = number("second_one_in", 0..=1_000, usual.second_one_in);
    let repeat_days = number("repeat_days", 1..=90, usual.repeat_days);
    let due_days = number("due_working_days", 1..=LONGEST_DUE, usual.due_days);
    if minimum > target {
        let line = qa.line();
        qa.fault(line, format!("qa.minimum is {minimum}, more than qa.target"), format!("write {target} at most"));
    }
    InspectionSettings {
        agents_hear: qa.boolean("agents_hear").is_some_and(|at| at.value),
        policy: Policy {
            target,
            minimum,
            min_talk_ms: u64::from(min_talk_s) * 1_000,
            second_one_in,
            repeat_days,
            due_days,
            shifts: shifts(qa).unwrap_or(usual.shifts),
            weights: weights(qa),
            unscored: qa.strings("unscored").map_or_else(Default::default, |all| {
                all.value.into_iter().map(|agent| AgentNo::from(agent.value)).collect()
            }),
            quotas: usual.quotas,
            version: usual.version,
        },
    }
}

/// `shifts = { day = "08:00", night = "20:00" }`: names and beginnings.
fn shifts(qa: &mut Table<'_>) -> Option<Vec<(String, u16)>> {
    let written = qa.pairs("shifts")?;
    let mut shifts = Vec::new();
    for (name, begins) in written.value {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.value.is_empty() || name.value.len() > 16 || !name.value.chars().all(is_plain) {
            qa.fault(name.line, format!("qa.shifts: \"{}\" is no name", name.value), "write a-z, 0-9, _ and -");
        }
        match minute(&begins.value) {
            Some(minute) => shifts.push((name.value, minute)),
            None => {
                let what = format!("qa.shifts: \"{}\" is no time of day", begins.value);
                qa.fault(begins.line, what, "write it as in \"08:00\"");
            }
        }
    }
    shifts.sort_by_key(|(_, begins)| *begins);
    Some(shifts)
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// `weights = { "class=complaint" = "3" }`: what a call of that stratum weighs against 1.
fn weights(qa: &mut Table<'_>) -> BTreeMap<String, u32> {
    const NAMES: [&str; 4] = ["shift", "hour", "class", "caller"];
    let mut weights = BTreeMap::new();
    for (stratum, weight) in qa.pairs("weights").map_or_else(Vec::new, |at| at.value) {
        let known =
            stratum.value.split_once('=').is_some_and(|(name, value)| NAMES.contains(&name) && !value.is_empty());
        if !known {
            let what = format!("qa.weights: \"{}\" is no stratum", stratum.value);
            qa.fault(stratum.line, what, "write shift=…, hour=busy, class=… or caller=repeat");
            continue;
        }
        match weight.value.parse().ok().filter(|weight| (1..=HEAVIEST).contains(weight)) {
            Some(weight) => drop(weights.insert(stratum.value, weight)),
            None => {
                let what = format!("qa.weights: \"{}\" is no weight", weight.value);
                qa.fault(weight.line, what, format!("a whole number from 1 to {HEAVIEST}, between quotes"));
            }
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::Document;

    fn of(text: &str) -> (InspectionSettings, Vec<String>) {
        let document = Document::parse("f", text);
        let settings = read(&mut document.root().section("qa"));
        (settings, document.into_faults().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_policy_as_written() {
        let text = "[qa]\ntarget = 3\nminimum = 2\nmin_talk_s = 30\nsecond_one_in = 5\nrepeat_days = 14\nagents_hear = true\n\
                    unscored = [\"9\"]\nshifts = { late = \"14:30\", early = \"06:00\" }\nweights = { \"class=complaint\" = \"3\" }\n";
        let (settings, faults) = of(text);
        assert_eq!(faults, Vec::<String>::new());
        let policy = settings.policy;
        assert!(settings.agents_hear);
        assert_eq!((policy.target, policy.minimum, policy.min_talk_ms), (3, 2, 30_000));
        assert_eq!((policy.second_one_in, policy.repeat_days, policy.unscored.len()), (5, 14, 1));
        assert_eq!(policy.shifts, [("early".to_owned(), 360), ("late".to_owned(), 870)]);
        assert_eq!(policy.weights["class=complaint"], 3);
        assert_eq!(of("").0, InspectionSettings::default());
        assert_eq!(of("[qa]\ntarget = 1\n").0.policy.minimum, 1);
    }

    #[test]
    fn what_is_no_policy_is_named_with_its_line() {
        let text = "[qa]\ntarget = 6\nminimum = 0\nshifts = { \"a b\" = \"8:00\" }\nweights = { \"mood=bad\" = \"2\", \"class=x\" = \"0\" }\n";
        let (_, faults) = of(text);
        let lines: Vec<&str> = faults.iter().map(|fault| &fault[..4]).collect();
        assert_eq!(lines, ["f:2:", "f:3:", "f:4:", "f:4:", "f:5:", "f:5:"], "{faults:#?}");
        assert!(of("[qa]\ntarget = 2\nminimum = 4\n").1[0].contains("more than qa.target"));
    }
}
