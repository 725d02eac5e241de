//! Login, pauses and wrap-up, as `[agents]` writes them, the shifts of `[[shift]]`, and the classes of `[notes]`.

use std::time::Duration;

use jiff::civil::Date;

use super::hours::week;
use crate::dialplan::notes::{Class, Limit};
use crate::dialplan::plan::Duty;
use crate::dialplan::shifts::Shift;
use crate::ids::AgentNo;
use crate::written::Table;

/// A reason is chosen by one digit.
const REASONS: usize = 9;

/// Classes are chosen from a list that is read at a glance.
const CLASSES: usize = 40;

pub(super) fn read(agents: &mut Table<'_>, shifts: Vec<Table<'_>>, notes: &mut Table<'_>) -> Duty {
    let mut seconds =
        |key, most| agents.integer(key, 0..=most).map_or(Duration::ZERO, |at| Duration::from_secs(at.value.into()));
    let wrap_up = seconds("wrap_up_s", 3_600);
    let longest_pause = seconds("max_pause_s", 86_400);
    // Two misses and three seconds for each: within 30 s it is known.
    let probe = seconds("probe_s", 20);
    let login_before = seconds("login_before_s", 7_200);
    let login = agents.boolean("login").is_some_and(|at| at.value);
    let successor = agents.boolean("successor");
    if let Some(line) = successor.as_ref().filter(|at| at.value && !login).map(|at| at.line) {
        agents.fault(line, "agents.successor is true, and nobody logs in", "add login = true");
    }
    if let Some(first) = shifts.first().filter(|_| !login) {
        first.fault(first.line(), "there are shifts, and nobody logs in", "add login = true to [agents]");
    }
    Duty {
        login,
        shifts: shifts.into_iter().filter_map(shift).collect(),
        login_before,
        successor: successor.is_some_and(|at| at.value),
        wrap_up,
        pause_reasons: reasons(agents),
        probe: Some(probe).filter(|every| !every.is_zero()),
        longest_pause: Some(longest_pause).filter(|longest| !longest.is_zero()),
        classes: classes(notes),
    }
}

fn shift(mut table: Table<'_>) -> Option<Shift> {
    let agents = table.required_strings("agents").map_or_else(Vec::new, |at| at.value);
    let hours = table.required_strings("hours");
    let hours = week(&table, "shift.hours", hours);
    let (from, to) = (day(&mut table, "from"), day(&mut table, "to"));
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        table.fault(table.line(), "a shift ends before it begins", "write from and to in their order");
    }
    let agents: Vec<AgentNo> = agents.iter().map(|at| AgentNo::from(at.value.as_str())).collect();
    (!agents.is_empty() && !hours.0.is_empty()).then_some(Shift { agents, hours, from, to })
}

fn day(table: &mut Table<'_>, key: &'static str) -> Option<Date> {
    let written = table.string(key)?;
    let day = written.value.parse::<Date>().ok();
    if day.is_none() {
        let what = format!("shift.{key} \"{}\" is no day", written.value);
        table.fault(written.line, what, "write year, month and day as in \"2026-11-01\"");
    }
    day
}

fn classes(notes: &mut Table<'_>) -> Vec<Class> {
    let Some(written) = notes.pairs("limits") else { return Vec::new() };
    if written.value.len() > CLASSES {
        let what = format!("notes.limits has {} classes", written.value.len());
        notes.fault(written.line, what, format!("write {CLASSES} at most"));
    }
    let mut classes = Vec::new();
    for (name, limit) in written.value {
        let text = name.value.trim();
        if text.is_empty() || text.chars().count() > 32 || text.chars().any(char::is_control) {
            let what = format!("notes.limits: \"{text}\" is no class");
            notes.fault(name.line, what, "write 1 to 32 letters, as in \"complaint\"");
            continue;
        }
        match Limit::parse(limit.value.trim()) {
            Some(limit) => classes.push(Class { name: text.to_owned(), limit }),
            None => {
                let what = format!("notes.limits: \"{}\" is no time limit", limit.value);
                notes.fault(limit.line, what, "write hours as in \"24h\" or working days as in \"2wd\"");
            }
        }
    }
    classes
}

fn reasons(agents: &mut Table<'_>) -> Vec<String> {
    let Some(written) = agents.strings("pause_reasons") else { return Vec::new() };
    if written.value.len() > REASONS {
        let what = format!("agents.pause_reasons has {} reasons", written.value.len());
        agents.fault(written.line, what, "write nine at most: each is chosen by one digit");
    }
    let mut reasons: Vec<String> = Vec::new();
    for reason in written.value {
        let text = reason.value.trim();
        if text.is_empty() || text.chars().count() > 32 || text.chars().any(char::is_control) {
            let what = format!("agents.pause_reasons: \"{text}\" is no reason");
            agents.fault(reason.line, what, "write 1 to 32 letters, as in \"lunch\"");
        } else if reasons.iter().any(|known| known == text) {
            agents.fault(reason.line, format!("agents.pause_reasons has \"{text}\" twice"), "remove one of the two");
        } else {
            reasons.push(text.to_owned());
        }
    }
    reasons
}
