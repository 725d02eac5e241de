//! `hotline simulate`: a scenario in virtual time, without sockets.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;

use super::kept::Kept;
use super::{Failure, what_if};
use crate::call::fact::Fact;
use crate::cdr::{Record, Word as _};
use crate::report::{Figures, Share, Summary};
use crate::rules::{Case, Pack};
use crate::sim::file;
use crate::sim::recogniser;
use crate::sim::run::{each_day, shrink};
use crate::sim::scenario::{Percent, Scenario};

pub(super) fn simulate(
    path: &Path,
    (seed, calls, days): (Option<u64>, Option<u32>, Option<u32>),
    (people, agents_at): (&[String], &[String]),
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
    people.iter().try_for_each(|text| crowd(&mut scenario, text))?;
    if !agents_at.is_empty() {
        return what_if::compare(&scenario, &what_if::changed(&scenario, agents_at)?, out);
    }
    let pack = Pack::built_in();
    let runs = each_day(&scenario, Heard::default, |heard, facts| heard.add(&scenario, facts, &pack));
    let (mut all, mut lasted, mut violations) = (Heard::default(), Duration::ZERO, Vec::new());
    let count = runs.len();
    for (heard, run) in runs {
        all.rules.merge(&heard.rules);
        all.records.extend(heard.records);
        lasted += run.lasted;
        violations.extend(run.violations);
    }
    summary(&all.records, out)?;
    all.rules.print(out)?;
    writeln!(out, "Virtual time {} s; seed {}", lasted.as_secs(), scenario.seed)?;
    if violations.is_empty() {
        return Ok(writeln!(out, "No violation: every invariant held after every step.")?);
    }
    writeln!(out, "\nVIOLATED")?;
    violations.iter().try_for_each(|violation| writeln!(out, "  {violation}"))?;
    let how = match &scenario.day {
        Some(_) => format!("--seed {} --days {count}", scenario.seed),
        None => {
            let Scenario { seed, calls, .. } = shrink(&scenario);
            format!("--seed {seed} --calls {calls}")
        }
    };
    writeln!(out, "Replay: hotline simulate {name} {how}")?;
    Err(Failure::Failed(anyhow!("{} invariants were violated", violations.len())))
}

/// What is told of calls.
#[derive(Debug, Default)]
struct Heard {
    records: Vec<Record>,
    rules: Kept,
}

impl Heard {
    fn add(&mut self, scenario: &Scenario, facts: &[Fact], pack: &Pack) {
        let Some(case) = Case::of(facts) else { return };
        let case = case.hear(recogniser::transcript(facts, scenario));
        let record = case.fold().record();
        self.rules.add(&case, &record, pack);
        self.records.push(record);
    }
}

/// `silent=5`: so many of a hundred.
fn crowd(scenario: &mut Scenario, text: &str) -> Result<(), Failure> {
    let Scenario { callers, staff, .. } = scenario;
    let kinds: [(&str, &mut Percent); 7] = [
        ("impatient", &mut callers.impatient),
        ("nuisance", &mut callers.nuisance),
        ("repeat", &mut callers.repeat),
        ("silent", &mut callers.silent),
        ("noisy", &mut callers.noisy),
        ("slow", &mut staff.slow),
        ("forgetful", &mut staff.forgetful),
    ];
    let known: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
    let wrong =
        || Failure::Usage(format!("`{text}` is no kind of people: write KIND=PERCENT, of {}", known.join(", ")));
    let (kind, percent) = text.split_once('=').ok_or_else(wrong)?;
    let percent = percent.trim().parse().ok().filter(|percent| *percent <= 100).ok_or_else(wrong)?;
    let (_, of_them) = kinds.into_iter().find(|(name, _)| *name == kind.trim()).ok_or_else(wrong)?;
    *of_them = percent;
    if callers.silent + callers.noisy > 100 {
        return Err(Failure::Usage("silent and noisy callers are together at most 100 of 100".to_owned()));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_who_are_not_heard_are_dealt_with_and_the_rules_about_them_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.toml");
        let text = "[run]\ncalls = 60\n[[hotline]]\nagents = [\"1\", \"2\", \"3\", \"4\"]\n\
            [callers]\nevery_ms = 60000\ntalk_s = \"60-90\"\n[agents]\npickup_s = \"1-3\"\ntalk_s = \"200-300\"\n";
        std::fs::write(&path, text).unwrap();
        let run = |people: &[&str]| {
            let people: Vec<String> = people.iter().map(|text| (*text).to_owned()).collect();
            let mut out = Vec::new();
            let done = simulate(&path, (None, None, None), (&people, &[]), &mut out);
            done.map(|()| String::from_utf8(out).unwrap())
        };
        let usual = run(&[]).unwrap_or_else(|_| panic!("it runs to its end"));
        assert!(usual.contains("R-001 kept: ") && !usual.contains("R-104"), "{usual}");
        let odd = run(&["silent=40", "noisy=40"]).unwrap_or_else(|_| panic!("it runs to its end"));
        for kept in ["R-104 kept: 100.0 %", "R-110 kept: 100.0 %", "No violation"] {
            assert!(odd.contains(kept), "{kept}: {odd}");
        }
        let hasty = run(&["silent=1", "forgetful=100"]).unwrap_or_else(|_| panic!("it runs to its end"));
        assert!(hasty.contains("R-197 kept: ") && !hasty.contains("R-197 kept: 100.0"), "{hasty}");
        for wrong in ["silent", "silent=101", "loud=5"] {
            assert!(matches!(run(&[wrong]), Err(Failure::Usage(_))), "{wrong}");
        }
        assert!(matches!(run(&["silent=60", "noisy=50"]), Err(Failure::Usage(_))));
    }
}
