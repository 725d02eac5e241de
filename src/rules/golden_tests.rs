//! Golden calls: facts in, verdicts out, each worked out by hand. A rule that a call does not name does not apply.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::call::fact::Fact;

const CALLS: &str = include_str!("../../fixtures/rules/golden.jsonl");

#[derive(Debug, Deserialize)]
pub(super) struct Golden {
    pub(super) name: String,
    /// Laid over the built-in pack.
    #[serde(default)]
    pack: String,
    /// Of all rules.
    #[serde(default)]
    every: Option<String>,
    verdicts: BTreeMap<String, Expected>,
    pub(super) facts: Vec<Fact>,
}

#[derive(Debug, Deserialize)]
struct Expected {
    verdict: String,
    /// What the evidence holds among other things.
    #[serde(default)]
    evidence: BTreeMap<String, Value>,
}

pub(super) fn golden() -> Vec<Golden> {
    CALLS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_golden_call_has_the_verdicts_that_were_worked_out_by_hand() {
    let mut wrong = Vec::new();
    for call in golden() {
        let pack = Pack::built_in().overlaid("golden", &call.pack).unwrap();
        let record = Case::of(&call.facts).expect("a call").record(&pack);
        assert_eq!(record.verdicts.len(), pack.decided().count(), "{}", call.name);
        assert_eq!(record.rule_pack.as_deref(), Some(pack.hash()));
        for found in &record.verdicts {
            let otherwise = call.every.as_deref().unwrap_or("na");
            let expected = call.verdicts.get(&found.rule).map_or(otherwise, |expected| &expected.verdict);
            let same = |(key, value): (&String, &Value)| found.evidence.get(key) == Some(value);
            let evidence = call.verdicts.get(&found.rule).is_none_or(|expected| expected.evidence.iter().all(same));
            if found.verdict != expected || !evidence {
                wrong.push(format!("{}: {found:?}, not {expected} {:?}", call.name, call.verdicts.get(&found.rule)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A rule of which no call shows both is not known to work.
#[test]
fn each_decided_rule_passes_in_one_golden_call_and_fails_in_another_with_evidence() {
    let (mut passes, mut fails) = (BTreeSet::new(), BTreeSet::new());
    for call in golden() {
        for (rule, expected) in &call.verdicts {
            match expected.verdict.as_str() {
                "pass" => drop(passes.insert(rule.clone())),
                "fail" => {
                    assert!(expected.evidence.contains_key("on"), "{}: {rule} names nobody", call.name);
                    fails.insert(rule.clone());
                }
                _ => {}
            }
        }
    }
    let decided: BTreeSet<String> = Pack::built_in().decided().map(|(rule, _)| rule.id.clone()).collect();
    assert_eq!(fails, decided);
    // That consent was asked for is in the words: these two can be seen broken, never kept.
    let never: BTreeSet<String> = ["R-117", "R-118"].map(str::to_owned).into();
    assert_eq!(&decided - &passes, never);
}

/// No word of a fail leaves its times out, and no failure is booked on the caller.
#[test]
fn each_failure_names_its_facts_and_its_times() {
    for call in golden() {
        let case = Case::of(&call.facts).unwrap();
        for verdict in case.record(&Pack::built_in()).verdicts.iter().filter(|verdict| verdict.verdict == "fail") {
            let facts = verdict.evidence["facts"].as_array().unwrap_or_else(|| panic!("{}: {verdict:?}", call.name));
            assert_eq!(facts.len(), verdict.evidence["at_ms"].as_array().unwrap().len());
            let of_call = |n: &Value| call.facts.iter().any(|fact| u64::from(fact.n) == n.as_u64().unwrap());
            assert!(!facts.is_empty() && facts.iter().all(of_call), "{}: {verdict:?}", call.name);
            assert!(["agent", "hotline", "gateway", "nobody"].contains(&verdict.evidence["on"].as_str().unwrap()));
            assert_eq!(verdict.evidence["on"] == "agent", verdict.evidence.get("agents").is_some());
        }
    }
}
