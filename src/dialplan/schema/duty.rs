//! Login, pauses and wrap-up, as `[agents]` writes them.

use std::time::Duration;

use crate::dialplan::plan::Duty;
use crate::written::Table;

/// A reason is chosen by one digit.
const REASONS: usize = 9;

pub(super) fn read(agents: &mut Table<'_>) -> Duty {
    let mut seconds =
        |key, most| agents.integer(key, 0..=most).map_or(Duration::ZERO, |at| Duration::from_secs(at.value.into()));
    let wrap_up = seconds("wrap_up_s", 3_600);
    let longest_pause = seconds("max_pause_s", 86_400);
    Duty {
        login: agents.boolean("login").is_some_and(|at| at.value),
        wrap_up,
        pause_reasons: reasons(agents),
        longest_pause: Some(longest_pause).filter(|longest| !longest.is_zero()),
    }
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
