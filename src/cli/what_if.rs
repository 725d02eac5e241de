//! `hotline simulate … --agents-at 10:00=-1`: the same days twice, as they are and with other staffing, side by side. The same seed draws
//! the callers of both; what differs is within the ranges, or is the staffing's doing.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::anyhow;

use super::Failure;
use super::kept::{Kept, RULES, Share};
use crate::call::fact::Fact;
use crate::call::reason::Reason;
use crate::cdr::Outcome;
use crate::clock::Instant;
use crate::rules::{Case, Pack};
use crate::sim::day::Change;
use crate::sim::recogniser;
use crate::sim::run::each_day;
use crate::sim::scenario::Scenario;

/// What came of the days.
#[derive(Debug, Default)]
struct Days {
    calls: u64,
    in_time: Share,
    abandoned: Share,
    /// Of the answered calls those that the agent ended.
    agent_first: Share,
    answered: u64,
    ring_to_answer_ms: u64,
    by_hour: BTreeMap<u32, Share>,
    rules: Kept,
}

impl Days {
    fn simulate(scenario: &Scenario) -> Result<Days, Failure> {
        let (pack, mut all) = (Pack::built_in(), Days::default());
        for (days, run) in each_day(scenario, Days::default, |days, facts| days.add(scenario, facts, &pack)) {
            if let Some(first) = run.violations.first() {
                return Err(Failure::Failed(anyhow!("an invariant was violated: {first}")));
            }
            all.merge(&days);
        }
        Ok(all)
    }

    fn merge(&mut self, other: &Days) {
        self.calls += other.calls;
        self.answered += other.answered;
        self.ring_to_answer_ms += other.ring_to_answer_ms;
        self.in_time.merge(other.in_time);
        self.abandoned.merge(other.abandoned);
        self.agent_first.merge(other.agent_first);
        other.by_hour.iter().for_each(|(hour, share)| self.by_hour.entry(*hour).or_default().merge(*share));
        self.rules.merge(&other.rules);
    }

    fn add(&mut self, scenario: &Scenario, facts: &[Fact], pack: &Pack) {
        let Some((case, first)) = Case::of(facts).zip(facts.first()) else { return };
        let case = case.hear(recogniser::transcript(facts, scenario));
        let record = case.fold().record();
        let left = matches!(record.outcome, Some(Outcome::Abandoned | Outcome::ShortAbandoned));
        let in_time = record.answered_within_target == Some(true);
        self.calls += 1;
        self.in_time.add(in_time);
        self.abandoned.add(left);
        if let Some(ms) = record.ring_to_answer_ms {
            self.answered += 1;
            self.ring_to_answer_ms += ms;
            self.agent_first.add(record.reason == Some(Reason::AgentHungUp));
        }
        let hour = scenario.day.as_ref().map_or(0, |day| day.hour(Instant::from_nanos(first.at.mono_ns)));
        self.by_hour.entry(hour).or_default().add(in_time);
        self.rules.add(&case, &record, pack);
    }

    fn mean_s(&self) -> String {
        let mean = |n: u64| format!("{:.2} s", self.ring_to_answer_ms as f64 / n as f64 / 1_000.0);
        if self.answered == 0 { "-".to_owned() } else { mean(self.answered) }
    }
}

/// The scenario with what `changes` ask for.
pub(super) fn changed(scenario: &Scenario, changes: &[String]) -> Result<Scenario, Failure> {
    let mut other = scenario.clone();
    let day = other.day.as_mut();
    let day = day.ok_or_else(|| Failure::Usage("--agents-at needs the scenario's [day] with its calls".to_owned()))?;
    for text in changes {
        let change = Change::parse(text).ok_or_else(|| {
            Failure::Usage(format!("`{text}` is no change of staffing: write 10:00=-1 or 10:00-12:30=2"))
        })?;
        day.changes.push(change);
    }
    let spare = day.spare();
    if let Some(line) = other.hotlines.first_mut() {
        // Who comes in addition has a number that nobody has.
        line.agents.extend((0..spare).map(|n| format!("{}", 90_000 + n)));
    }
    Ok(other)
}

pub(super) fn compare(scenario: &Scenario, other: &Scenario, out: &mut dyn Write) -> Result<(), Failure> {
    let (before, after) = (Days::simulate(scenario)?, Days::simulate(other)?);
    let hours = scenario.day.as_ref().map_or(0, |day| u64::from(day.days) * day.calls.len() as u64);
    writeln!(out, "{hours} hours, seed {}; in brackets the 95 % range\n", scenario.seed)?;
    let mut row = |name: &str, before: String, after: String| writeln!(out, "{name:<36} {before:>24} {after:>24}");
    row("", "as it is".to_owned(), "what if".to_owned())?;
    row("calls", before.calls.to_string(), after.calls.to_string())?;
    row("answered within three rings", before.in_time.shown(), after.in_time.shown())?;
    row("abandoned", before.abandoned.shown(), after.abandoned.shown())?;
    row("the agent hung up first", before.agent_first.shown(), after.agent_first.shown())?;
    row("mean ring to answer", before.mean_s(), after.mean_s())?;
    for (rule, _) in RULES {
        row(&format!("{rule} kept"), before.rules.of(rule).shown(), after.rules.of(rule).shown())?;
    }
    plot(&before, &after, out)?;
    Ok(())
}

/// The share that was answered in time, hour by hour, as bars.
fn plot(before: &Days, after: &Days, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "\nanswered within three rings, by the hour")?;
    for (hour, share) in &before.by_hour {
        let of = |share: Option<&Share>| share.and_then(|share| share.ratio()).unwrap_or(0.0);
        let (was, is) = (of(Some(share)), of(after.by_hour.get(hour)));
        let (was_bar, is_bar) = (bar(was), bar(is));
        writeln!(out, "{hour:02}:00 {was_bar:<20} {:>5.1} %   {is_bar:<20} {:>5.1} %", was * 100.0, is * 100.0)?;
    }
    Ok(())
}

/// Twenty characters are all.
fn bar(share: f64) -> String {
    "█".repeat((share * 20.0).round() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::file;

    #[test]
    fn one_agent_fewer_at_ten_is_felt_at_ten() {
        let text = "[day]\nfrom_hour = 9\ncalls = [\"15\", \"15\"]\ndays = 3\n[[hotline]]\nagents = [\"1\", \"2\"]\n\
            [callers]\ntalk_s = \"100-200\"\n[agents]\npickup_s = \"1-5\"\n";
        let scenario = file::read("s", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"));
        let simulate = |scenario: &Scenario| Days::simulate(scenario).unwrap_or_else(|_| panic!("it runs to its end"));
        let changed = |change: &str| changed(&scenario, &[change.to_owned()]).unwrap_or_else(|_| panic!("a change"));
        let (as_it_is, fewer, more) =
            (simulate(&scenario), simulate(&changed("10:00=-1")), simulate(&changed("9:00-11:00=3")));
        let at = |days: &Days, hour: u32| days.by_hour[&hour].ratio().unwrap();
        assert!(as_it_is.calls > 60, "{as_it_is:?}");
        assert!(at(&fewer, 10) < at(&as_it_is, 10) - 0.1, "{fewer:?}");
        assert!(more.in_time.ratio() > as_it_is.in_time.ratio(), "{more:?}");
        assert!(matches!(super::changed(&scenario, &["10=1".to_owned()]), Err(Failure::Usage(_))));
    }
}
