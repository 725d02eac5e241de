//! How often made-up calls keep the rules that they can break.

use std::collections::BTreeMap;
use std::io::Write;

use crate::cdr::{Record, Word as _};
use crate::qa::estimate::wilson;
use crate::rules::Finding;

/// The rules, and what they ask. Sound is carried in name only, so that of it only the scripts are told.
pub(super) const RULES: [(&str, &str); 8] = [
    ("R-001", "answered within three rings"),
    ("R-009", "an apology after a late answer"),
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

    pub(super) fn ratio(self) -> Option<f64> {
        (self.n > 0).then(|| self.count as f64 / self.n as f64)
    }
}

#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<&'static str, Share>);

impl Kept {
    /// A call that passed or failed counts; one that has nothing to do with the rule does not.
    pub(super) fn add(&mut self, record: &Record) {
        for verdict in &record.verdicts {
            let Some((rule, _)) = RULES.iter().find(|(rule, _)| *rule == verdict.rule) else { continue };
            let kept = [(Finding::Pass, true), (Finding::Fail, false)];
            if let Some((_, kept)) = kept.iter().find(|(finding, _)| finding.word() == verdict.verdict) {
                self.0.entry(rule).or_default().add(*kept);
            }
        }
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
