//! Holds by the agent: the caller waits. A caller who holds keeps nobody waiting but the agent.

use super::super::case::{Mark, Seen, Span};
use super::super::judged::{Judged, Why};
use super::super::measure::About;
use super::words;
use crate::cdr::Outcome;
use crate::ids::AgentNo;
use crate::media::Play;

///
pub(in super::super) fn longest(about: &About<'_>) -> Judged {
    let bound_ms = about.number("hold_ms");
    let Some(longest_ms) = lengths(about).into_iter().map(|(_, ms)| ms).max() else { return Judged::na(Why::NoHold) };
    let over: Vec<&Span> = lengths(about).into_iter().filter(|(_, ms)| *ms > bound_ms).map(|(span, _)| span).collect();
    let judged =
        Judged::if_kept(over.is_empty(), Judged::fail_of(over.iter().filter_map(|span| holder(about, span.from))));
    let marks = over.iter().flat_map(|span| [span.from, end_of(span, about.seen)]);
    judged.seen(marks).with("longest_ms", longest_ms).with("hold_ms", bound_ms)
}

///
pub(in super::super) fn total(about: &About<'_>) -> Judged {
    let bound_ms = about.number("held_ms");
    let holds = lengths(about);
    if holds.is_empty() {
        return Judged::na(Why::NoHold);
    }
    let held_ms: u64 = holds.iter().map(|(_, ms)| ms).sum();
    let agents = holds.iter().filter_map(|(span, _)| holder(about, span.from));
    let judged = Judged::if_kept(held_ms <= bound_ms, Judged::fail_of(agents));
    judged.seen(holds.iter().map(|(span, _)| span.from)).with("held_ms", held_ms).with("bound_ms", bound_ms)
}

/// asked before, thanked after. Whether that was said is in the words; that there was no time for it is a
/// fact. While the greeting plays, the caller does not hear the agent.
pub(in super::super) fn time_to_ask(about: &About<'_>) -> Judged {
    let ask_ms = about.number("ask_ms");
    let holds = lengths(about);
    if holds.is_empty() {
        return Judged::na(Why::NoHold);
    }
    let hasty = |span: &Span| {
        let heard_from = heard_since(about.seen, span.from);
        let ms = heard_from.and_then(|from| span.from.at.millis_since(from.at)).unwrap_or(0);
        (ms < ask_ms).then_some((span.from, ms))
    };
    let first = holds.iter().find_map(|(span, _)| hasty(span));
    match first {
        Some((mark, ms)) => {
            Judged::fail_of(holder(about, mark)).seen([mark]).with("heard_ms", ms).with("ask_ms", ask_ms)
        }
        None if about.words.is_some() => words::around_hold(about),
        None => Judged::unknown(Why::WordsNeeded).seen(holds.iter().map(|(span, _)| span.from)),
    }
}

/// Since when the agent could be heard, before `hold`: the latest of answer, greeting's end, end of the hold before.
/// `None`: the greeting still plays.
fn heard_since(seen: &Seen, hold: Mark) -> Option<Mark> {
    let before = |mark: &Mark| mark.at.mono_ns <= hold.at.mono_ns;
    let greeting = seen.plays.iter().filter(|played| played.play == Play::Greeting && before(&played.span.from));
    let mut latest = seen.connected;
    for end in greeting.map(|played| played.span.to.filter(before)) {
        latest = later(latest, Some(end?));
    }
    let answered = seen.rings.iter().filter_map(|ring| ring.answered).filter(before);
    let resumed = seen.holds.iter().filter_map(|span| span.to).filter(before);
    answered.chain(resumed).fold(latest, |latest, mark| later(latest, Some(mark)))
}

fn later(one: Option<Mark>, other: Option<Mark>) -> Option<Mark> {
    one.into_iter().chain(other).max_by_key(|mark| mark.at.mono_ns)
}

/// Each hold of an answered call with its length; one that is open ends with the call. A hold in which the agent does nothing but call
/// somebody into the talk is none, and the time that this takes is no part of any.
fn lengths<'a>(about: &'a About<'_>) -> Vec<(&'a Span, u64)> {
    if about.record.outcome != Some(Outcome::Answered) {
        return Vec::new();
    }
    let seen = about.seen;
    let of = |span: &'a Span| {
        let whole_ns = end_of(span, seen).at.nanos_since(span.from.at)?;
        let excused_ns: u64 = seen.adding.iter().map(|adding| shared_ns(span, adding, seen)).sum();
        (excused_ns == 0 || excused_ns < whole_ns).then(|| (span, (whole_ns - excused_ns.min(whole_ns)) / 1_000_000))
    };
    seen.holds.iter().filter_map(of).collect()
}

/// How long both last.
fn shared_ns(one: &Span, other: &Span, seen: &Seen) -> u64 {
    let from = one.from.at.mono_ns.max(other.from.at.mono_ns);
    end_of(one, seen).at.mono_ns.min(end_of(other, seen).at.mono_ns).saturating_sub(from)
}

fn end_of(span: &Span, seen: &Seen) -> Mark {
    span.to.unwrap_or_else(|| seen.end())
}

/// The agent who had the caller then.
pub(super) fn holder(about: &About<'_>, at: Mark) -> Option<AgentNo> {
    let since = at.at.mono_ns.saturating_sub(about.seen.connected?.at.mono_ns) / 1_000_000;
    let segments = about.record.segments.iter();
    let mut had = segments.filter(|segment| segment.from_ms.is_none_or(|from| from <= since));
    // Between two agents, and while a target had the caller, it was none of them.
    had.next_back().filter(|segment| segment.to_ms.is_none_or(|to| since <= to)).map(|segment| segment.agent.clone())
}
