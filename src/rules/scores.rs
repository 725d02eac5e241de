//! What a span of calls scores under two packs: per rule and agent, and which verdicts change.

use std::collections::BTreeMap;

use super::case::Case;
use super::judged::{Finding, Judged, On};
use super::pack::Pack;
use crate::cdr::Word as _;
use crate::ids::{AgentNo, CallId};

/// How many calls had which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub pass: u64,
    pub fail: u64,
    pub na: u64,
    pub unknown: u64,
}

impl Tally {
    fn add(&mut self, finding: Finding) {
        *match finding {
            Finding::Pass => &mut self.pass,
            Finding::Fail => &mut self.fail,
            Finding::Na => &mut self.na,
            Finding::Unknown => &mut self.unknown,
        } += 1;
    }

    /// Of the calls that the rule applies to and that could be decided.
    pub fn pass_ratio(&self) -> Option<f64> {
        let decided = self.pass + self.fail;
        (decided > 0).then(|| self.pass as f64 / decided as f64)
    }
}

/// A verdict that the two packs disagree about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub call: CallId,
    pub rule: String,
    pub before: Option<&'static str>,
    pub after: Option<&'static str>,
}

/// Changed verdicts kept one by one; all are counted.
const CHANGES_KEPT: usize = 1_000;

/// Rule and agent; `None`: the failure is no agent's, or nobody answered.
pub type Line = (String, Option<AgentNo>);

#[derive(Debug)]
pub struct Scores<'p> {
    before: &'p Pack,
    after: &'p Pack,
    lines: BTreeMap<Line, (Tally, Tally)>,
    changes: Vec<Change>,
    changed: u64,
    calls: u64,
}

impl<'p> Scores<'p> {
    pub fn new(before: &'p Pack, after: &'p Pack) -> Scores<'p> {
        Scores { before, after, lines: BTreeMap::new(), changes: Vec::new(), changed: 0, calls: 0 }
    }

    /// One call; one that is not sealed counts for nothing.
    pub fn add(&mut self, case: &Case) {
        if !case.fold().is_closed() {
            return;
        }
        self.calls += 1;
        let answered_by = case.fold().record().agent;
        let mut found: BTreeMap<&str, (Option<Finding>, Option<Finding>)> = BTreeMap::new();
        let (before, after) = (case.judged(self.before), case.judged(self.after));
        for (rule, judged) in &before {
            found.entry(&rule.id).or_default().0 = Some(judged.finding);
            for agent in booked(judged, answered_by.as_ref()) {
                self.lines.entry((rule.id.clone(), agent)).or_default().0.add(judged.finding);
            }
        }
        for (rule, judged) in &after {
            found.entry(&rule.id).or_default().1 = Some(judged.finding);
            for agent in booked(judged, answered_by.as_ref()) {
                self.lines.entry((rule.id.clone(), agent)).or_default().1.add(judged.finding);
            }
        }
        for (rule, (before, after)) in found.into_iter().filter(|(_, (before, after))| before != after) {
            self.changed += 1;
            if self.changes.len() < CHANGES_KEPT {
                let (before, after) = (before.map(|finding| finding.word()), after.map(|finding| finding.word()));
                self.changes.push(Change { call: case.fold().call(), rule: rule.to_owned(), before, after });
            }
        }
    }

    /// Before and after, of each rule and agent.
    pub fn lines(&self) -> impl Iterator<Item = (&Line, &(Tally, Tally))> {
        self.lines.iter()
    }

    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// How many verdicts changed.
    pub fn changed(&self) -> u64 {
        self.changed
    }

    /// How many sealed calls there were.
    pub fn calls(&self) -> u64 {
        self.calls
    }
}

/// On whose line a verdict stands: a failure only on those whose doing it is.
fn booked(judged: &Judged, answered_by: Option<&AgentNo>) -> Vec<Option<AgentNo>> {
    match (judged.finding, judged.on) {
        (Finding::Fail, Some(On::Agent)) => judged.agents.iter().cloned().map(Some).collect(),
        (Finding::Fail, _) => vec![None],
        _ => vec![answered_by.cloned()],
    }
}
