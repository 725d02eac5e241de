//! Sound: the recording, and that both could be heard.

use super::super::case::Span;
use super::super::judged::{Judged, On, Why};
use super::super::measure::About;
use crate::call::fact::RecordingStatus;
use crate::cdr::Outcome;

/// the record is kept.
pub(in super::super) fn recorded(about: &About<'_>) -> Judged {
    let Some(connected) = about.seen.connected else { return Judged::na(Why::NotConnected) };
    match &about.seen.recorded {
        Some(recorded) if recorded.left_out => Judged::na(Why::NotAsked).seen([recorded.mark]),
        Some(recorded) => {
            let whole = recorded.status == RecordingStatus::Ok;
            Judged::if_kept(whole, Judged::fail(On::Gateway)).seen([recorded.mark])
        }
        None => Judged::fail(On::Gateway).seen([connected]),
    }
}

/// whether it is whole can be shown later.
pub(in super::super) fn hashed(about: &About<'_>) -> Judged {
    let Some(connected) = about.seen.connected else { return Judged::na(Why::NotConnected) };
    match &about.seen.recorded {
        Some(recorded) if recorded.left_out => Judged::na(Why::NotAsked).seen([recorded.mark]),
        Some(recorded) => Judged::if_kept(recorded.hashed, Judged::fail(On::Gateway)).seen([recorded.mark]),
        None => Judged::fail(On::Gateway).seen([connected]),
    }
}

/// equipment that does not work shows. Sound that never came is our fault, not a silent caller's.
pub(in super::super) fn both_ways(about: &About<'_>) -> Judged {
    let seen = about.seen;
    if about.record.outcome != Some(Outcome::Answered) {
        return Judged::na(Why::NotAnswered);
    }
    let breaks: Vec<&Span> = seen.caller.breaks(false).chain(seen.agent.breaks(false)).collect();
    let absent = [&seen.caller, &seen.agent].iter().filter(|line| line.arrived.is_none()).count() as u64;
    if absent == 0 && breaks.is_empty() {
        return Judged::pass().seen(seen.caller.arrived).seen(seen.agent.arrived);
    }
    // Packets of a talk this short may all have been under way.
    if breaks.is_empty() && about.record.talk_ms.is_none_or(|ms| ms < 1_000) {
        return Judged::na(Why::TooShort);
    }
    let judged = Judged::fail(On::Gateway).with("legs_without_media", absent).with("breaks", breaks.len() as u64);
    judged.seen(breaks.iter().map(|span| span.from)).seen((absent > 0).then_some(seen.end()))
}
