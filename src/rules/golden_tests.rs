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
    #[serde(default)]
    pub(super) transcript: Option<Transcript>,
}

impl Golden {
    pub(super) fn case(&self) -> Case {
        Case::of(&self.facts).expect("a call").hear(self.transcript.clone())
    }
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
        let record = call.case().record(&pack);
        let by_words = if call.transcript.is_some() { pack.decided_by_words().count() } else { 0 };
        assert_eq!(record.verdicts.len(), pack.decided().count() + by_words, "{}", call.name);
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
    let pack = Pack::built_in();
    let decided: BTreeSet<String> =
        pack.decided().chain(pack.decided_by_words()).map(|(rule, _)| rule.id.clone()).collect();
    assert_eq!((&decided - &fails, &decided - &passes), (BTreeSet::new(), BTreeSet::new()));
}

/// No word of a fail leaves its times out, and no failure is booked on the caller.
#[test]
fn each_failure_names_its_facts_and_its_times() {
    for call in golden() {
        for verdict in call.case().record(&Pack::built_in()).verdicts.iter().filter(|verdict| verdict.verdict == "fail")
        {
            let facts = verdict.evidence["facts"].as_array().unwrap_or_else(|| panic!("{}: {verdict:?}", call.name));
            assert_eq!(facts.len(), verdict.evidence["at_ms"].as_array().unwrap().len());
            let of_call = |n: &Value| call.facts.iter().any(|fact| u64::from(fact.n) == n.as_u64().unwrap());
            assert!(!facts.is_empty() && facts.iter().all(of_call), "{}: {verdict:?}", call.name);
            assert!(["agent", "hotline", "gateway", "nobody"].contains(&verdict.evidence["on"].as_str().unwrap()));
            assert_eq!(verdict.evidence["on"] == "agent", verdict.evidence.get("agents").is_some());
        }
    }
}

/// Words are not guessed.
#[test]
fn without_a_transcript_a_rule_of_words_is_unknown_and_in_no_record() {
    let pack = Pack::built_in();
    for mut call in golden().into_iter().filter(|call| call.transcript.is_some()) {
        call.transcript = None;
        let case = call.case();
        assert_eq!(case.record(&pack).verdicts.len(), pack.decided().count());
        for (rule, _) in pack.decided_by_words() {
            let judged = case.judged_of(&case.fold().record(), &pack, rule).unwrap();
            assert_eq!((judged.finding, judged.why), (Finding::Unknown, Some(Why::WordsNeeded)), "{}", rule.id);
        }
    }
}
