//! Callers of a hotline that is closed, or out of order; callers who go first.

use super::super::case::{Mark, Played};
use super::super::judged::{Judged, On, Why};
use super::super::measure::About;
use crate::call::fact::ClosedWhy;
use crate::cdr::Outcome;
use crate::media::Play;

const MINUTES_OF_A_DAY: i64 = 24 * 60;

/// somebody or something takes the call of a holiday.
pub(in super::super) fn served_when_closed(about: &About<'_>) -> Judged {
    let Some(closed) = closed(about, &[ClosedWhy::Holiday]) else { return Judged::na(Why::NotNeeded) };
    let judged = match about.record.outcome {
        Some(Outcome::Answered | Outcome::Overflow) => Judged::pass(),
        Some(Outcome::Abandoned | Outcome::ShortAbandoned) => Judged::na(Why::CallerLeft),
        _ => Judged::fail(On::Hotline),
    };
    judged.seen([closed, about.seen.end()])
}

/// a caller on a day or in an hour off is told so.
pub(in super::super) fn closed_told(about: &About<'_>) -> Judged {
    let Some(closed) = closed(about, &[ClosedWhy::Hours, ClosedWhy::Holiday]) else {
        return Judged::na(Why::NotNeeded);
    };
    told(about, closed, |_| true)
}

/// out of order, and sorry is said.
pub(in super::super) fn outage_told(about: &About<'_>) -> Judged {
    let Some(closed) = closed(about, &[ClosedWhy::Outage]) else { return Judged::na(Why::NotNeeded) };
    told(about, closed, |text| about.pack.apology().iter().any(|word| text.contains(word.as_str())))
}

/// in these minutes of the day the hotline is not closed for the hour's sake.
pub(in super::super) fn open_at(about: &About<'_>) -> Judged {
    let (from, to) = (about.number("open_from_min"), about.number("open_to_min"));
    if from >= to {
        return Judged::na(Why::NotAsked);
    }
    let offered = about.seen.offered;
    let offset = i64::try_from(about.number("utc_offset_min")).unwrap_or(0);
    let utc_min = offered.at.wall_us.div_euclid(60_000_000);
    let minute = (utc_min + offset).rem_euclid(MINUTES_OF_A_DAY).unsigned_abs();
    if !(from..to).contains(&minute) {
        return Judged::na(Why::NotNeeded).with("minute_of_day", minute);
    }
    let judged = match closed(about, &[ClosedWhy::Hours]) {
        Some(closed) => Judged::fail(On::Hotline).seen([offered, closed]),
        None => Judged::pass().seen([offered]),
    };
    judged.with("minute_of_day", minute)
}

/// whoever goes before others does not wait long.
pub(in super::super) fn priority_served(about: &About<'_>) -> Judged {
    let Some((placed, _)) = about.seen.placed.filter(|(_, priority)| *priority > 0) else {
        return Judged::na(Why::NotNeeded);
    };
    let bound_ms = about.number("priority_wait_ms");
    let waited_ms = about.record.queue.as_ref().and_then(|queue| queue.waited_ms);
    let Some(waited_ms) = waited_ms else { return Judged::unknown(Why::NoTime) };
    let judged = match about.record.outcome {
        _ if waited_ms > bound_ms => Judged::fail(On::Hotline),
        Some(Outcome::Answered | Outcome::Overflow) => Judged::pass(),
        Some(Outcome::Abandoned | Outcome::ShortAbandoned) => Judged::na(Why::CallerLeft),
        _ => Judged::na(Why::NotAnswered),
    };
    judged.seen([placed]).with("waited_ms", waited_ms).with("bound_ms", bound_ms)
}

fn closed(about: &About<'_>, wanted: &[ClosedWhy]) -> Option<Mark> {
    about.seen.closed.filter(|(_, why)| wanted.contains(why)).map(|(mark, _)| mark)
}

/// What the caller heard, once the hotline was known to be closed, was said to the end and says it.
fn told(about: &About<'_>, closed: Mark, says: impl Fn(&str) -> bool) -> Judged {
    let spoken = |played: &&Played| matches!(played.play, Play::Announcement | Play::Menu | Play::Message);
    let after = about.seen.plays.iter().filter(|played| played.span.from.at.mono_ns >= closed.at.mono_ns);
    let after = after.filter(spoken);
    let mut saying = after.filter(|played| says(&played.text));
    let first = saying.clone().next().map(|played| played.span.from);
    let judged = match (saying.find(|played| played.to_end), first) {
        (Some(_), _) => Judged::pass(),
        (None, Some(_)) => Judged::na(Why::CutShort),
        (None, None) if matches!(about.record.outcome, Some(Outcome::Abandoned | Outcome::ShortAbandoned)) => {
            Judged::na(Why::CallerLeft)
        }
        // A target or an agent answers in person.
        (None, None) if matches!(about.record.outcome, Some(Outcome::Answered | Outcome::Overflow)) => {
            Judged::na(Why::NotNeeded)
        }
        (None, None) => Judged::fail(On::Hotline),
    };
    judged.seen([closed]).seen(first)
}
