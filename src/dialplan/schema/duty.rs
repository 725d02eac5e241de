//! Login, pauses and wrap-up, as `[agents]` writes them, the shifts of `[[shift]]`, and the limits of `[classes]`.

use std::time::Duration;

use jiff::civil::Date;

use super::hours::week;
use crate::dialplan::notes::{Class, Limit};
use crate::dialplan::plan::Duty;
use crate::dialplan::shifts::Shift;
use crate::fault::Fault;
use crate::ids::AgentNo;
use crate::written::{At, Table};

/// A reason is chosen by one digit.
const REASONS: usize = 9;

/// Classes are chosen from a list that is read at a glance.
const CLASSES: usize = 40;

pub(super) fn read(
    agents: &mut Table<'_>,
    shifts: Vec<Table<'_>>,
    (classes, notes): (&mut Table<'_>, &mut Table<'_>),
) -> Duty {
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
    let (classes, moved) = limits(classes, notes);
    Duty {
        login,
        shifts: shifts.into_iter().filter_map(shift).collect(),
        login_before,
        successor: successor.is_some_and(|at| at.value),
        wrap_up,
        pause_reasons: reasons(agents),
        probe: Some(probe).filter(|every| !every.is_zero()),
        longest_pause: Some(longest_pause).filter(|longest| !longest.is_zero()),
        classes,
        moved,
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

/// `limits` of `[classes]`; `[notes]` had it before, and is still read: that is told.
fn limits(classes: &mut Table<'_>, notes: &mut Table<'_>) -> (Vec<Class>, Vec<Fault>) {
    match (classes.pairs("limits"), notes.pairs("limits")) {
        (Some(_), Some(old)) => {
            notes.fault(old.line, "notes.limits beside classes.limits", "move all classes to limits of [classes]");
            (Vec::new(), Vec::new())
        }
        (Some(written), None) => (read_limits(classes, &written), Vec::new()),
        (None, Some(old)) => {
            let moved =
                notes.found(old.line, "notes.limits is read still", "move it: limits is a key of [classes] now");
            (read_limits(notes, &old), vec![moved])
        }
        (None, None) => (Vec::new(), Vec::new()),
    }
}

fn read_limits(table: &Table<'_>, written: &At<Vec<(At<String>, At<String>)>>) -> Vec<Class> {
    let key = table.path("limits");
    if written.value.len() > CLASSES {
        let what = format!("{key} has {} classes", written.value.len());
        table.fault(written.line, what, format!("write {CLASSES} at most"));
    }
    let mut classes = Vec::new();
    for (name, limit) in &written.value {
        let text = name.value.trim();
        if text.is_empty() || text.chars().count() > 32 || text.chars().any(char::is_control) {
            let what = format!("{key}: \"{text}\" is no class");
            table.fault(name.line, what, "write 1 to 32 letters, as in \"complaint\"");
            continue;
        }
        match Limit::parse(limit.value.trim()) {
            Some(limit) => classes.push(Class { name: text.to_owned(), limit }),
            None => {
                let what = format!("{key}: \"{}\" is no time limit", limit.value);
                table.fault(limit.line, what, "write hours as in \"24h\" or working days as in \"2wd\"");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::Document;

    #[test]
    fn limits_stand_with_the_classes_and_are_still_found_with_the_notes() {
        let read = |text: &str| {
            let document = Document::parse("p", text);
            let mut root = document.root();
            let (mut classes, mut notes) = (root.section("classes"), root.section("notes"));
            let (found, moved) = limits(&mut classes, &mut notes);
            drop((root, classes, notes));
            let texts = |faults: &[Fault]| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
            (found, texts(&document.into_faults()), texts(&moved))
        };
        let repair = vec![Class { name: "报修".to_owned(), limit: Limit::WorkingDays(1) }];
        let moved = "p:2: notes.limits is read still: move it: limits is a key of [classes] now".to_owned();
        for (section, told) in [("classes", Vec::new()), ("notes", vec![moved])] {
            let written = format!("[{section}]\nlimits = {{ \"报修\" = \"1wd\" }}\n");
            assert_eq!(read(&written), (repair.clone(), Vec::new(), told));
            let (_, faults, _) = read(&format!("[{section}]\nlimits = {{ \"报修\" = \"soon\" }}\n"));
            assert!(faults[0].starts_with(&format!("p:2: {section}.limits: \"soon\" is no time limit")), "{faults:?}");
        }
        let (_, faults, _) = read("[classes]\nlimits = { a = \"1h\" }\n[notes]\nlimits = { b = \"1h\" }\n");
        assert!(faults[0].starts_with("p:4: notes.limits beside classes.limits"), "{faults:?}");
    }
}
