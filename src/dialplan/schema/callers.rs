//! Who calls: colleagues, and callers who are served first; and the notice that is said to all of them.

use super::one_of;
use crate::written::{At, Table};

#[derive(Debug)]
pub(in crate::dialplan) struct Callers {
    /// The greeting of colleagues.
    pub(in crate::dialplan) internal: Option<At<String>>,
    pub(in crate::dialplan) prefixes: Vec<String>,
    pub(in crate::dialplan) first: Vec<String>,
    /// More of them, a line each.
    pub(in crate::dialplan) file: Option<At<String>>,
}

#[derive(Debug)]
pub(in crate::dialplan) struct Notice {
    pub(in crate::dialplan) text: At<String>,
    /// Before the greeting; else after it.
    pub(in crate::dialplan) before: bool,
}

pub(super) fn read(greeting: &mut Table<'_>, priority: &mut Table<'_>) -> Callers {
    let internal = greeting.string("internal");
    let written = greeting.strings("internal_callers");
    if let (Some(internal), None) = (&internal, &written) {
        let hint = "add internal_callers = [\"8\"]: what the numbers of colleagues begin with";
        greeting.fault(internal.line, "greeting.internal is told, and not who hears it", hint);
    }
    if let (None, Some(callers)) = (&internal, &written) {
        let hint = "add internal = \"…\", the greeting of colleagues";
        greeting.fault(callers.line, "greeting.internal_callers are told, and not what they hear", hint);
    }
    let prefixes = numbers(greeting, "greeting.internal_callers", written);
    let first = priority.strings("callers");
    Callers { internal, prefixes, first: numbers(priority, "priority.callers", first), file: priority.string("file") }
}

fn numbers(table: &Table<'_>, name: &str, written: Option<At<Vec<At<String>>>>) -> Vec<String> {
    let mut good = Vec::new();
    for number in written.map_or_else(Vec::new, |at| at.value) {
        if is_number(&number.value) {
            good.push(number.value);
        } else {
            let what = format!("{name}: \"{}\" is no telephone number", number.value);
            table.fault(number.line, what, "write the digits without spaces or dashes, as the trunk sends them");
        }
    }
    good
}

pub(in crate::dialplan) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (1..=32).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit() || c == '*' || c == '#')
}

pub(super) fn notice(greeting: &mut Table<'_>) -> Option<Notice> {
    let text = greeting.string("notice");
    let before = one_of(greeting, "notice_when", &[("after", false), ("before", true)], &[], "").unwrap_or(false);
    text.map(|text| Notice { text, before })
}
