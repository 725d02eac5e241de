//! An agent's month, in two blocks that never blur: all calls, measured; and the drawn calls, judged.

use std::collections::BTreeMap;

use serde::Serialize;

use super::estimate::{Estimate, Ratio, Scored, Team, estimate, wilson};
use super::form::Form;
use super::summary::{Fault, Heard, Kept, Pool, faults};
use crate::call::reason::EndedBy;
use crate::cdr::{Outcome, Record};
use crate::ids::AgentNo;
use crate::report::Summary;

/// Block A: every call that the agent answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    pub answered: u64,
    pub within_rings: Option<Ratio>,
    pub ring_to_answer_ms: Summary,
    pub talk_ms: Summary,
    /// Of the calls in which the agent held the caller.
    pub hold_ms: Summary,
    /// The agent hung up first.
    pub hung_up_first: Option<Ratio>,
    /// What the agent was heard like, in hundredths of MOS; of calls that have it.
    pub mos_hundredths: Summary,
    /// Rules that were decided, with their verdicts on this agent: the worst first.
    pub rules: Vec<Rule>,
}

/// One line for rules that came out alike in every call: the rule books share many.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    pub rules: Vec<String>,
    pub kept: Ratio,
    /// Everybody else's, for comparison.
    pub others: Option<Ratio>,
}

/// Block B: what people said of the calls that were drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Heard calls of the random pool.
    pub n: u64,
    /// Those with a fatal flag; they keep their score all the same.
    pub fatal: u64,
    /// Null with too few scores in the team to tell anything.
    pub estimate: Option<Estimate>,
    pub faults: Vec<Fault>,
    /// Heard for a reason; they are in no figure.
    pub targeted: u64,
}

/// Block A of every agent who answered. `records`: the period's calls.
pub fn measured(records: &[Record]) -> BTreeMap<AgentNo, Measured> {
    let kept = kept(records);
    let mut by_agent: BTreeMap<&AgentNo, Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.outcome == Some(Outcome::Answered)) {
        if let Some(agent) = &record.agent {
            by_agent.entry(agent).or_default().push(record);
        }
    }
    by_agent.into_iter().map(|(agent, calls)| (agent.clone(), of_agent(agent, &calls, &kept))).collect()
}

fn of_agent(agent: &AgentNo, calls: &[&Record], kept: &Kept) -> Measured {
    let count = |holds: &dyn Fn(&Record) -> bool| calls.iter().filter(|record| holds(record)).count() as u64;
    let n = calls.len() as u64;
    let decided = count(&|record| record.answered_within_target.is_some());
    let mos = |record: &&Record| record.quality.agent.figures.mos.map(|mos| (mos * 100.0).round() as u64);
    Measured {
        answered: n,
        within_rings: wilson(count(&|record| record.answered_within_target == Some(true)), decided),
        ring_to_answer_ms: Summary::of(calls.iter().filter_map(|record| record.ring_to_answer_ms)),
        talk_ms: Summary::of(calls.iter().filter_map(|record| record.talk_ms)),
        hold_ms: Summary::of(calls.iter().filter_map(|record| record.hold_ms).filter(|ms| *ms > 0)),
        hung_up_first: wilson(count(&|record| record.ended_by == Some(EndedBy::Agent)), n),
        mos_hundredths: Summary::of(calls.iter().filter_map(mos)),
        rules: rules(agent, kept),
    }
}

/// What each agent kept and broke, on all calls: a failure only where it is the agent's doing and needs nobody to confirm it.
pub fn kept(records: &[Record]) -> Kept {
    let mut found = Kept::new();
    for record in records {
        for verdict in &record.verdicts {
            match verdict.verdict.as_str() {
                "pass" => {
                    if let Some(agent) = &record.agent {
                        found.entry((agent.clone(), verdict.rule.clone())).or_default().0 += 1;
                    }
                }
                "fail" if verdict.evidence["on"] == "agent" && verdict.evidence["confirm"] != true => {
                    let agents = verdict.evidence["agents"].as_array().into_iter().flatten();
                    for agent in agents.filter_map(|agent| agent.as_str()) {
                        found.entry((AgentNo::from(agent), verdict.rule.clone())).or_default().1 += 1;
                    }
                }
                _ => {}
            }
        }
    }
    found
}

fn rules(agent: &AgentNo, kept: &Kept) -> Vec<Rule> {
    let mut lines: BTreeMap<(u64, u64, u64, u64), Vec<String>> = BTreeMap::new();
    let own = kept.iter().filter(|((found, _), _)| found == agent);
    for ((_, rule), (pass, fail)) in own {
        let others = kept.iter().filter(|((other, found), _)| other != agent && found == rule);
        let (all_pass, all_fail) = others.fold((0, 0), |sum, (_, (pass, fail))| (sum.0 + pass, sum.1 + fail));
        lines.entry((*pass, *fail, all_pass, all_fail)).or_default().push(rule.clone());
    }
    let line = |((pass, fail, all_pass, all_fail), rules)| {
        Some(Rule { rules, kept: wilson(pass, pass + fail)?, others: wilson(all_pass, all_pass + all_fail) })
    };
    let mut found: Vec<Rule> = lines.into_iter().filter_map(line).collect();
    found.sort_by(|a, b| a.kept.ratio.total_cmp(&b.kept.ratio).then_with(|| a.rules.cmp(&b.rules)));
    found
}

/// Block B of every agent of whom a call was heard, and the team's figures.
pub fn judged(form: &Form, heard: &[Heard]) -> (Option<Team>, BTreeMap<AgentNo, Judged>) {
    let mut scores: BTreeMap<AgentNo, Vec<Scored>> = BTreeMap::new();
    let mut by_agent: BTreeMap<&AgentNo, Vec<Heard>> = BTreeMap::new();
    for found in heard {
        by_agent.entry(&found.agent).or_default().push(found.clone());
        if let (Pool::Random, Some(total)) = (found.pool, found.score.total) {
            let scored = Scored { score: total.points(), weight: found.weight };
            scores.entry(found.agent.clone()).or_default().push(scored);
        }
    }
    let team = estimate(&scores);
    let mut cards = BTreeMap::new();
    for (agent, heard) in by_agent {
        let drawn = || heard.iter().filter(|heard| heard.pool == Pool::Random);
        let n = drawn().count() as u64;
        cards.insert(
            agent.clone(),
            Judged {
                n,
                fatal: drawn().filter(|heard| !heard.score.fatal.is_empty()).count() as u64,
                estimate: team.as_ref().and_then(|team| team.agents.get(agent)).copied(),
                faults: faults(form, &heard),
                targeted: heard.len() as u64 - n,
            },
        );
    }
    (team, cards)
}
