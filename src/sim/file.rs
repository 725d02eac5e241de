//! A scenario as written: its keys, their defaults and their ranges. Everything has a default; every fault is told at once.

use std::time::Duration;

use super::day::Day;
use super::network::Weather;
use super::scenario::{Around, Callers, Line, Percent, Scenario, Span, Staff};
use super::world::Troubles;
use crate::dialplan::plan::{Next, Strategy};
use crate::dialplan::scripts::By;
use crate::fault::{Fault, did_you_mean};
use crate::written::{At, Document, Table, text_of};

/// Reads a scenario; `file` is the name that faults carry.
pub fn read(file: &str, bytes: &[u8]) -> Result<Scenario, Vec<Fault>> {
    let text = text_of(file, bytes).map_err(|fault| vec![fault])?;
    let document = Document::parse(file, text);
    let scenario = scenario(&mut document.root());
    let mut faults = document.into_faults();
    faults.sort();
    if faults.is_empty() { Ok(scenario) } else { Err(faults) }
}

fn scenario(root: &mut Table<'_>) -> Scenario {
    let mut run = root.section("run");
    let (calls, seed) = (whole(&mut run, "calls", 1, 10_000_000, 1_000), whole(&mut run, "seed", 0, u32::MAX, 1));
    let callers = callers(&mut root.section("callers"));
    let staff = staff(&mut root.section("agents"));
    let weather = weather(&mut root.section("network"));
    let mut hotlines: Vec<Line> = root.sections("hotline").iter_mut().enumerate().map(|(i, t)| line(i, t)).collect();
    if hotlines.is_empty() {
        hotlines.push(line(0, &mut root.section("hotline")));
    }
    let (troubles, stopped_at, voices) = (Troubles::default(), None, None);
    let day = day(&mut root.section("day"));
    Scenario { calls, seed: seed.into(), hotlines, callers, staff, weather, troubles, stopped_at, voices, day }
}

fn line(place: usize, table: &mut Table<'_>) -> Line {
    let agents = table.strings("agents").map(|at| at.value.into_iter().map(|a| a.value).collect::<Vec<_>>());
    let number = |table: &mut Table<'_>| {
        let number = table.string("number")?;
        let good = !number.value.is_empty() && number.value.chars().all(|c| c.is_ascii_digit());
        if !good {
            table.fault(number.line, format!("hotline.number \"{}\" is no number", number.value), "write its digits");
        }
        good.then_some(number.value)
    };
    Line {
        id: table.string("id").map_or_else(|| format!("hotline{place}"), |at| at.value),
        number: number(table).unwrap_or_else(|| format!("400800{place:04}")),
        agents: agents.unwrap_or_else(|| (1..=4).map(|n| n.to_string()).collect()),
        strategy: word(table, "strategy", Strategy::WORDS).unwrap_or(Strategy::RoundRobin),
        ring: Duration::from_secs(whole(table, "ring_s", 1, 300, 20).into()),
        nobody: match word(table, "nobody", &[("busy_tone", 486), ("480", 480)]) {
            Some(480) => Next::Unavailable,
            _ => Next::BusyTone,
        },
        around: Around { queue: queue(table), ..Around::default() },
        late_by: word(table, "late_by", &[("gateway", By::Gateway), ("agent", By::Agent)]).unwrap_or_default(),
    }
}

/// How long callers wait while everybody is busy; 0 or left out: not at all.
fn queue(table: &mut Table<'_>) -> Option<Duration> {
    let longest = whole(table, "queue_s", 0, 3_600, 0);
    (longest > 0).then(|| Duration::from_secs(longest.into()))
}

fn callers(table: &mut Table<'_>) -> Callers {
    let callers = Callers {
        every: Duration::from_millis(whole(table, "every_ms", 1, 3_600_000, 10_000).into()),
        patience: span(table, "patience_s", Span::secs(10.0, 60.0)),
        talk: span(table, "talk_s", Span::secs(20.0, 120.0)),
        vanish: percent(table, "vanish_percent"),
        never_ack: percent(table, "never_ack_percent"),
        early_bye: percent(table, "early_bye_percent"),
        hold: percent(table, "hold_percent"),
        impatient: percent(table, "impatient_percent"),
        nuisance: percent(table, "nuisance_percent"),
        repeat: percent(table, "repeat_percent"),
        silent: percent(table, "silent_percent"),
        noisy: percent(table, "noisy_percent"),
    };
    let all = [callers.vanish, callers.never_ack, callers.early_bye, callers.hold];
    at_most_all(table, &all);
    at_most_all(table, &[callers.silent, callers.noisy]);
    callers
}

fn staff(table: &mut Table<'_>) -> Staff {
    let staff = Staff {
        hand_on: 0,
        consult: 0,
        pickup: span(table, "pickup_s", Span::secs(1.0, 12.0)),
        talk: span(table, "talk_s", Span::secs(60.0, 300.0)),
        ignore: percent(table, "ignore_percent"),
        busy: percent(table, "busy_percent"),
        decline: percent(table, "decline_percent"),
        unavailable: percent(table, "unavailable_percent"),
        vanish: percent(table, "vanish_percent"),
        silent: percent(table, "silent_percent"),
        slow: percent(table, "slow_percent"),
        forgetful: percent(table, "forgetful_percent"),
        hold: percent(table, "hold_percent"),
        held: span(table, "held_s", Span::secs(5.0, 90.0)),
    };
    at_most_all(table, &[staff.ignore, staff.busy, staff.decline, staff.unavailable, staff.vanish]);
    staff
}

/// `[day]`: `from_hour = 9` and `calls = ["40", "60", "30"]`, one for each hour; left out: calls come as `[run]` and `[callers]` say.
fn day(table: &mut Table<'_>) -> Option<Day> {
    let (from_hour, days) = (whole(table, "from_hour", 0, 23, 9), whole(table, "days", 1, 1_000, 1));
    let written = table.strings("calls")?;
    let mut calls = Vec::new();
    for at in &written.value {
        match at.value.parse::<u32>() {
            Ok(count) if count <= 10_000 => calls.push(count),
            _ => table.fault(at.line, format!("day.calls \"{}\" is no number of calls", at.value), "write 0 to 10000"),
        }
    }
    if calls.is_empty() || calls.len() > 23 {
        table.fault(written.line, format!("day.calls has {} hours", calls.len()), "write 1 to 23 of them");
    }
    Some(Day { from_hour, calls, days, changes: Vec::new() })
}

fn weather(table: &mut Table<'_>) -> Weather {
    let ms = |value: u32| Duration::from_millis(value.into());
    Weather {
        delay: ms(whole(table, "delay_ms", 0, 5_000, 1)),
        jitter: ms(whole(table, "jitter_ms", 0, 5_000, 0)),
        loss_permille: percent(table, "loss_percent") * 10,
        doubled_permille: percent(table, "doubled_percent") * 10,
    }
}

fn whole(table: &mut Table<'_>, key: &'static str, from: u32, to: u32, default: u32) -> u32 {
    table.integer(key, from..=to).map_or(default, |at| at.value)
}

fn percent(table: &mut Table<'_>, key: &'static str) -> Percent {
    whole(table, key, 0, 100, 0)
}

/// Nobody does two of these things.
fn at_most_all(table: &mut Table<'_>, shares: &[Percent]) {
    let sum: Percent = shares.iter().sum();
    if sum > 100 {
        table.fault(
            table.line(),
            format!("the shares add up to {sum} %"),
            "together at most 100; silent_percent apart",
        );
    }
}

/// `"5-60"`: two whole numbers of seconds.
fn span(table: &mut Table<'_>, key: &'static str, default: Span) -> Span {
    let Some(written) = table.string(key) else { return default };
    let secs =
        |text: &str| text.trim().parse::<u32>().ok().filter(|s| *s <= MOST_S).map(|s| Duration::from_secs(s.into()));
    let both = written.value.split_once('-').and_then(|(from, to)| Some((secs(from)?, secs(to)?)));
    match both.filter(|(from, to)| from <= to) {
        Some((from, to)) => Span(from, to),
        None => {
            let name = table.path(key);
            table.fault(
                written.line,
                format!("{name} \"{}\" is no span", written.value),
                format!("write {key} = \"5-60\": from and to in whole seconds, at most {MOST_S}"),
            );
            default
        }
    }
}

/// Half of what the invariants allow a call.
const MOST_S: u32 = 1_500;

fn word<T: Copy>(table: &mut Table<'_>, key: &'static str, words: &[(&str, T)]) -> Option<T> {
    let At { value: written, line } = table.string(key)?;
    let found = words.iter().find(|(word, _)| *word == written);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        table.fault(line, format!("{} \"{written}\" is not known", table.path(key)), did_you_mean(&written, &known));
    }
    found.map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_a_scenario() {
        let scenario = read("s", b"").unwrap();
        assert_eq!((scenario.calls, scenario.seed, scenario.hotlines.len()), (1_000, 1, 1));
        assert_eq!(scenario.hotlines[0].agents, ["1", "2", "3", "4"]);
        assert_eq!(scenario.weather, Weather::FINE);
    }

    #[test]
    fn the_shipped_example_can_be_read() {
        let scenario = read("s", include_bytes!("../../fixtures/scenarios/monday.toml")).unwrap();
        assert_eq!(scenario.hotlines.len(), 2);
    }

    #[test]
    fn every_fault_at_once() {
        let text = "[run]\ncals = 5\n[[hotline]]\nstrategy = \"ringall\"\nnumber = \"x\"\n[callers]\n\
                    patience_s = \"60-5\"\nvanish_percent = 60\nhold_percent = 50\n[network]\nloss_percent = 101\n";
        let faults: Vec<String> = read("s", text.as_bytes()).unwrap_err().iter().map(Fault::to_string).collect();
        assert_eq!(
            faults,
            [
                "s:2: unknown key \"cals\" in [run]: did you mean \"calls\"?",
                "s:4: hotline.strategy \"ringall\" is not known: did you mean \"ring_all\"?",
                "s:5: hotline.number \"x\" is no number: write its digits",
                "s:6: the shares add up to 110 %: together at most 100; silent_percent apart",
                "s:7: callers.patience_s \"60-5\" is no span: write patience_s = \"5-60\": from and to in whole \
                 seconds, at most 1500",
                "s:11: network.loss_percent is out of range: 101: a whole number from 0 to 100",
            ]
        );
    }
}
