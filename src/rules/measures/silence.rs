//! Dead air: neither speaks, nobody holds, and it is no fault of the line.

use super::super::judged::{Judged, Why};
use super::super::measure::About;
use super::speech::{agent_at, heard};
use crate::quality::speech::{Cause, Quiet};

/// the agent who writes says so. A silence that holds, pauses of the recording or missing packets explain is none.
pub(in super::super) fn dead_air(about: &About<'_>) -> Judged {
    let heard = match heard(about) {
        Ok(heard) => heard,
        Err(judged) => return judged,
    };
    let together = heard.together;
    if together.caller_ms + together.agent_ms == 0 {
        return Judged::na(Why::NoSpeech).seen([heard.mark]);
    }
    let bound_ms = about.number("dead_air_ms");
    let dead: Vec<&Quiet> =
        together.silences.iter().filter(|quiet| is_dead(quiet) && quiet.span.ms() > bound_ms).collect();
    let fail = || Judged::fail_of(dead.iter().filter_map(|quiet| agent_at(about, quiet.span.from_ms)));
    let judged = if dead.is_empty() { Judged::pass() } else { fail() };
    let longest = dead.iter().max_by_key(|quiet| quiet.span.ms()).map(|quiet| quiet.span);
    judged
        .seen([heard.mark])
        .with("silences", dead.len() as u64)
        .with_some("longest_ms", longest.map(|span| span.ms()))
        .with_some("from_ms", longest.map(|span| span.from_ms))
}

fn is_dead(quiet: &Quiet) -> bool {
    let persons = |cause: Cause| matches!(cause, Cause::Quiet | Cause::DigitalSilence | Cause::ComfortNoise);
    !quiet.hold && persons(quiet.caller) && persons(quiet.agent)
}
