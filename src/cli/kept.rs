//! How often made-up calls keep the rules that they can break.

use std::collections::BTreeMap;
use std::io::Write;

use crate::cdr::Record;
use crate::qa::estimate::wilson;
use crate::rules::{Case, Finding, Pack};

/// The rules, and what they ask. Sound is carried in name only, so that of it only the scripts are told.
pub(super) const RULES: [(&str, &str); 8] = [
    ("R-001", "answered within three rings"),
    ("R-008", "an apology after a late answer"),
    ("R-104", "a silent caller asked, told goodbye, given time"),
    ("R-110", "the same in noise"),
    ("R-125", "no hold too long"),
    ("R-197", "the caller hangs up first"),
    ("R-200", "three minutes"),
    ("R-225", "nuisance calls go to the desk"),
];

/// Of `n` so many.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    count: u64,
    n: u64,
}

impl Share {
    pub(super) fn add(&mut self, counts: bool) {
        self.count += u64::from(counts);
        self.n += 1;
    }

    /// With its 95 % range.
    pub(super) fn shown(self) -> String {
        let Some(ratio) = wilson(self.count, self.n) else { return "-".to_owned() };
        let percent = |share: f64| share * 100.0;
        format!("{:.1} % ({:.1}–{:.1})", percent(ratio.ratio), percent(ratio.low), percent(ratio.high))
    }

    pub(super) fn merge(&mut self, other: Share) {
        self.count += other.count;
        self.n += other.n;
    }

    pub(super) fn ratio(self) -> Option<f64> {
        (self.n > 0).then(|| self.count as f64 / self.n as f64)
    }
}

#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<&'static str, Share>);

impl Kept {
    /// A call that passed or failed counts; one that has nothing to do with the rule does not. `record`: the case's own.
    pub(super) fn add(&mut self, case: &Case, record: &Record, pack: &Pack) {
        for (rule, _) in RULES {
            let judged = pack.rule(rule).and_then(|rule| case.judged_of(record, pack, rule));
            match judged.map(|judged| judged.finding) {
                Some(Finding::Pass) => self.0.entry(rule).or_default().add(true),
                Some(Finding::Fail) => self.0.entry(rule).or_default().add(false),
                Some(Finding::Na | Finding::Unknown) | None => {}
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Kept) {
        other.0.iter().for_each(|(rule, share)| self.0.entry(rule).or_default().merge(*share));
    }

    pub(super) fn of(&self, rule: &str) -> Share {
        self.0.get(rule).copied().unwrap_or_default()
    }

    /// A line for each rule that had a verdict.
    pub(super) fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let had = RULES.iter().filter(|(rule, _)| self.0.contains_key(rule));
        had.into_iter().try_for_each(|(rule, asks)| {
            let share = self.of(rule);
            writeln!(out, "{rule} kept: {:<24} of {:>7}  {asks}", share.shown(), share.n)
        })
    }
}
