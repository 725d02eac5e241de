//! What the verdicts of a call fill into a sheet, each with its evidence. They never fill what a person has to confirm, and never
//! hold against an agent what was another's doing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::form::score::{best, fits, worst};
use super::form::{Answer, Answers, Filled, Form, Item};
use crate::cdr::{Record, Verdict};
use crate::ids::AgentNo;

/// What is known of one item or flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// What is filled in; null: a person decides, with this evidence.
    pub answer: Option<Answer>,
    pub evidence: Vec<Verdict>,
}

/// Item or flag → what the verdicts tell of it; items without any are not in it.
pub type Sheet = BTreeMap<String, Found>;

/// Of a sealed call; `agent`: whose sheet it is.
pub fn fill(form: &Form, record: &Record, agent: &AgentNo) -> Sheet {
    let verdicts: BTreeMap<&str, &Verdict> =
        record.verdicts.iter().map(|verdict| (verdict.rule.as_str(), verdict)).collect();
    let evidence = |rules: &[String]| -> Vec<Verdict> {
        rules.iter().filter_map(|rule| verdicts.get(rule.as_str())).map(|found| (*found).clone()).collect()
    };
    let mut sheet = Sheet::new();
    for item in form.items() {
        let evidence = evidence(&item.rules);
        if !evidence.is_empty() {
            let answer = if item.filled == Filled::Machine { clear(item, &evidence, agent) } else { None };
            sheet.insert(item.id.clone(), Found { answer, evidence });
        }
    }
    for flag in &form.fatal {
        let evidence: Vec<Verdict> =
            evidence(&flag.rules).into_iter().filter(|verdict| verdict.verdict == "fail").collect();
        if !evidence.is_empty() {
            sheet.insert(flag.id.clone(), Found { answer: None, evidence });
        }
    }
    sheet
}

/// The answers that were filled in.
pub fn answers(sheet: &Sheet) -> Answers {
    sheet.iter().filter_map(|(id, found)| Some((id.clone(), found.answer?))).collect()
}

enum Says {
    Kept,
    Broken,
    /// It asks nothing, or it was not this agent's doing.
    Nothing,
    Unclear,
}

fn says(verdict: &Verdict, agent: &AgentNo) -> Says {
    match verdict.verdict.as_str() {
        "pass" => Says::Kept,
        "na" => Says::Nothing,
        "fail" if verdict.evidence["confirm"] == true => Says::Unclear,
        "fail" => {
            let agents = verdict.evidence["agents"].as_array();
            let own = agents.is_some_and(|agents| agents.iter().any(|found| found == agent.as_str()));
            if verdict.evidence["on"] == "agent" && own { Says::Broken } else { Says::Nothing }
        }
        _ => Says::Unclear,
    }
}

/// One broken rule is enough; kept if one was kept and none is unclear; not applicable if none asks anything.
fn clear(item: &Item, evidence: &[Verdict], agent: &AgentNo) -> Option<Answer> {
    let (mut kept, mut unclear) = (false, false);
    for verdict in evidence {
        match says(verdict, agent) {
            Says::Broken => return Some(worst(item)),
            Says::Kept => kept = true,
            Says::Unclear => unclear = true,
            Says::Nothing => {}
        }
    }
    let answer = match (unclear, kept) {
        (true, _) => return None,
        (false, true) => best(item),
        (false, false) => Answer::Na,
    };
    fits(item, answer).then_some(answer)
}
