//! `hotline simulate`: a scenario in virtual time, without sockets.

use std::io::Write;
use std::path::Path;

use anyhow::anyhow;

use super::{Failure, what_if};
use crate::cdr::{Record, Word as _};
use crate::report::{Figures, Share, Summary};
use crate::sim::file;
use crate::sim::run::{run, shrink};
use crate::sim::scenario::Scenario;

pub(super) fn simulate(
    path: &Path,
    (seed, calls, days): (Option<u64>, Option<u32>, Option<u32>),
    agents_at: &[String],
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| Failure::Usage(format!("cannot read {name}: {error}")))?;
    let mut scenario = file::read(&name, &bytes).map_err(Failure::Faults)?;
    scenario.seed = seed.unwrap_or(scenario.seed);
    scenario.calls = calls.unwrap_or(scenario.calls);
    if let Some(day) = &mut scenario.day {
        day.days = days.unwrap_or(day.days);
    }
    if !agents_at.is_empty() {
        return what_if::compare(&scenario, &what_if::changed(&scenario, agents_at)?, out);
    }
    let result = run(&scenario);
    summary(&result.records, out)?;
    writeln!(out, "Virtual time {} s; seed {}", result.lasted.as_secs(), scenario.seed)?;
    if !result.failed() {
        return Ok(writeln!(out, "No violation: every invariant held after every step.")?);
    }
    writeln!(out, "\nVIOLATED")?;
    for violation in &result.violations {
        writeln!(out, "  {violation}")?;
    }
    let Scenario { seed, calls, .. } = shrink(&scenario);
    writeln!(out, "Replay: hotline simulate {name} --seed {seed} --calls {calls}")?;
    Err(Failure::Failed(anyhow!("{} invariants were violated", result.violations.len())))
}

fn summary(records: &[Record], out: &mut dyn Write) -> std::io::Result<()> {
    let figures = Figures::of(&records.iter().collect::<Vec<_>>());
    let outcomes = figures.outcomes.iter().map(|(o, n)| format!("{n} {}", o.word())).collect::<Vec<_>>().join(", ");
    writeln!(out, "Offered {}: {outcomes}", figures.offered)?;
    writeln!(out, "Service level, answered within three rings: {} of all offered", share(figures.service_level))?;
    writeln!(out, "  without the short_abandoned: {}", share(figures.service_level_without_short_abandoned))?;
    writeln!(out, "Ring to answer: {}", times(figures.ring_to_answer_ms))?;
    writeln!(out, "Time to abandon: {}", times(figures.time_to_abandon_ms))?;
    writeln!(out, "Talk: {}", times(figures.talk_ms))
}

fn times(of: Summary) -> String {
    let seconds = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.2} s", ms as f64 / 1000.0));
    format!("mean {}, median {}, p90 {} (n = {})", seconds(of.mean), seconds(of.median), seconds(of.p90), of.n)
}

fn share(share: Share) -> String {
    let percent = share.ratio.map_or_else(|| "-".to_owned(), |r| format!("{:.1} %", r * 100.0));
    format!("{percent} ({} of {})", share.count, share.n)
}
