//! The whole report of a period: what was measured on its calls, what the rules say of them, what people heard, and what callers
//! wanted. Once closed it is kept as text that anybody can compute again from the ledger.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::form::Form;
use super::scorecard::kept;
use super::summary::{Fault, Heard, Need, Pool, faults, needs};
use crate::cdr::{Outcome, Record};
use crate::ids::{AgentNo, CallId};
use crate::report::Report;

/// Of the text's shape.
pub const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Whole {
    pub version: u32,
    pub calls: Report,
    /// In the order of the rule book.
    pub rules: Vec<Kept>,
    pub inspection: Inspected,
    /// 《800电话信息统计报表》 (R-169, R-424): answered calls by class and agent.
    pub tally: Vec<Tallied>,
}

/// How often a rule was kept and broken, on all calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    pub rule: String,
    pub kept: u64,
    pub broken: u64,
    /// The facts do not tell.
    pub unknown: u64,
}

/// What people said of the calls of the period that they heard; only those drawn by lot count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspected {
    /// The form by which faults are told.
    pub form: String,
    pub heard: u64,
    pub agents: u64,
    /// Calls with a fatal flag; they keep their score.
    pub fatal: u64,
    /// Points of 100, each call weighted by 1 / the probability of having been drawn; null without scores.
    pub mean: Option<f64>,
    /// Heard for a reason; they are in no figure.
    pub targeted: u64,
    /// Ranked.
    pub faults: Vec<Fault>,
    pub needs: Vec<Need>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tallied {
    /// Of the call's note; null: nobody noted it.
    pub class: Option<String>,
    pub agent: AgentNo,
    pub answered: u64,
    pub within_rings: u64,
    pub talk_ms: u64,
    /// Settled in the call, by its note.
    pub settled: u64,
}

/// What a call's note tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    pub class: String,
    pub settled: bool,
}

impl Whole {
    /// `records`: the calls that `report` counts, and perhaps others; `heard`: of the period alone, by this form.
    pub fn new(
        report: Report,
        records: &[Record],
        form: &Form,
        heard: &[Heard],
        noted: &BTreeMap<CallId, Noted>,
    ) -> Whole {
        let drawn = || heard.iter().filter(|heard| heard.pool == Pool::Random);
        let mut agents: Vec<&AgentNo> = drawn().map(|heard| &heard.agent).collect();
        agents.sort();
        agents.dedup();
        let inspection = Inspected {
            form: form.version.clone(),
            heard: drawn().count() as u64,
            agents: agents.len() as u64,
            fatal: drawn().filter(|heard| !heard.score.fatal.is_empty()).count() as u64,
            mean: mean(drawn()),
            targeted: heard.iter().filter(|heard| heard.pool == Pool::Targeted).count() as u64,
            faults: faults(form, heard),
            needs: needs(form, heard, &kept(records)),
        };
        Whole { version: VERSION, rules: rules(records), inspection, tally: tally(records, noted), calls: report }
    }

    /// The text that is kept: JSON without blanks, the keys of each object in order.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        // Objects of `Value` are sorted maps.
        Ok(serde_json::to_value(self)?.to_string())
    }
}

fn mean<'h>(heard: impl Iterator<Item = &'h Heard>) -> Option<f64> {
    let scored = heard.filter_map(|heard| Some((heard.score.total?.points(), heard.weight)));
    let (sum, weights) = scored.fold((0.0, 0.0), |(sum, all), (score, weight)| (sum + score * weight, all + weight));
    (weights > 0.0).then(|| sum / weights)
}

fn rules(records: &[Record]) -> Vec<Kept> {
    let mut by_rule: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for verdict in records.iter().flat_map(|record| &record.verdicts) {
        let counts = by_rule.entry(&verdict.rule).or_default();
        match verdict.verdict.as_str() {
            "pass" => counts.0 += 1,
            "fail" => counts.1 += 1,
            "unknown" => counts.2 += 1,
            _ => {}
        }
    }
    let decided = by_rule.into_iter().filter(|(_, (kept, broken, unknown))| kept + broken + unknown > 0);
    decided.map(|(rule, (kept, broken, unknown))| Kept { rule: rule.to_owned(), kept, broken, unknown }).collect()
}

fn tally(records: &[Record], noted: &BTreeMap<CallId, Noted>) -> Vec<Tallied> {
    let mut found: BTreeMap<(Option<&str>, &AgentNo), Tallied> = BTreeMap::new();
    for record in records.iter().filter(|record| record.outcome == Some(Outcome::Answered)) {
        let Some(agent) = &record.agent else { continue };
        let note = noted.get(&record.id);
        let class = note.map(|note| note.class.as_str());
        let line = found.entry((class, agent)).or_insert_with(|| Tallied {
            class: class.map(str::to_owned),
            agent: agent.clone(),
            answered: 0,
            within_rings: 0,
            talk_ms: 0,
            settled: 0,
        });
        line.answered += 1;
        line.within_rings += u64::from(record.answered_within_target == Some(true));
        line.talk_ms += record.talk_ms.unwrap_or(0);
        line.settled += u64::from(note.is_some_and(|note| note.settled));
    }
    found.into_values().collect()
}

/// A place at which two texts differ: its path, and what stands there in each.
pub type Difference = (String, String, String);

/// Where `now` is not what was kept, at most `limit` places.
pub fn differences(kept: &Value, now: &Value, limit: usize) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", kept, now, limit, &mut found);
    found
}

fn compare(path: &str, kept: &Value, now: &Value, limit: usize, found: &mut Vec<Difference>) {
    if kept == now || found.len() >= limit {
        return;
    }
    let below = |key: &dyn std::fmt::Display| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    match (kept, now) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let [a, b] = [a, b].map(|all| all.get(key).unwrap_or(&Value::Null));
                compare(&below(key), a, b, limit, found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for i in 0..a.len().max(b.len()) {
                let [a, b] = [a, b].map(|all| all.get(i).unwrap_or(&Value::Null));
                compare(&below(&i), a, b, limit, found);
            }
        }
        (a, b) => found.push((path.to_owned(), a.to_string(), b.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_by_their_path() {
        let kept = json!({ "calls": { "offered": 3, "hours": [1, 2] }, "rules": [] });
        let now = json!({ "calls": { "offered": 4, "hours": [1, 2, 9] }, "rules": [] });
        assert_eq!(
            differences(&kept, &now, 10),
            [
                ("calls.hours.2".to_owned(), "null".to_owned(), "9".to_owned()),
                ("calls.offered".into(), "3".into(), "4".into())
            ]
        );
        assert_eq!(differences(&kept, &now, 1).len(), 1);
        assert!(differences(&kept, &kept, 10).is_empty());
    }

    #[test]
    fn keys_of_the_text_are_in_order() {
        // A feature of the JSON library would keep them as they come.
        assert_eq!(json!({ "b": { "d": 1, "c": 2 }, "a": 3 }).to_string(), r#"{"a":3,"b":{"c":2,"d":1}}"#);
    }
}
