//! Callers who are not heard, or badly, and what was done about it; nuisance calls. What the gateway heard and did is in the facts;
//! where a dialplan has no such script, nothing is known and nothing is judged.

use super::super::case::Mark;
use super::super::judged::{Judged, On, Why};
use super::super::measure::About;
use crate::call::fact::SentFor;
use crate::call::reason::Reason;
use crate::call::script::{Deed, Script};
use crate::media::Play;

///
pub(in super::super) fn silent(about: &About<'_>) -> Judged {
    kept(about, Script::Silent)
}

///
pub(in super::super) fn low(about: &About<'_>) -> Judged {
    kept(about, Script::LowVolume)
}

///
pub(in super::super) fn noise(about: &About<'_>) -> Judged {
    kept(about, Script::Noise)
}

/// Nobody but the agent knows that a call is a nuisance.
pub(in super::super) fn nuisance(about: &About<'_>) -> Judged {
    let Some((mark, _)) = about.seen.desk.filter(|(_, why)| *why == SentFor::Nuisance) else {
        return Judged::na(Why::NotNeeded);
    };
    // A desk that is none cuts the caller off.
    let cut_off = about.record.reason == Some(Reason::SentToDesk);
    Judged::if_kept(!cut_off, Judged::fail(On::Hotline)).seen([mark, about.seen.end()])
}

/// whoever is called in an emergency takes the call. In a cascade that is a key of theirs: a mailbox takes none.
pub(in super::super) fn emergency(about: &About<'_>) -> Judged {
    let Some((sent, _)) = about.seen.desk.filter(|(_, why)| *why == SentFor::Emergency) else {
        return Judged::na(Why::NotNeeded);
    };
    let (bound_ms, end) = (about.number("emergency_ms"), about.seen.end());
    let answered = about.seen.rings.iter().filter_map(|ring| ring.answered);
    let taken = answered.filter(|mark| mark.at.mono_ns >= sent.at.mono_ns).min_by_key(|mark| mark.at.mono_ns);
    let took_ms = taken.unwrap_or(end).at.millis_since(sent.at);
    let in_time = took_ms.is_some_and(|ms| ms <= bound_ms);
    let left = taken.is_none() && in_time && about.record.reason == Some(Reason::CallerHungUp);
    let judged = match (taken, left) {
        (None, true) => Judged::na(Why::CallerLeft),
        (Some(_), _) if in_time => Judged::pass(),
        _ => Judged::fail(On::Hotline),
    };
    judged.seen([sent, taken.unwrap_or(end)]).with_some("took_ms", took_ms).with("emergency_ms", bound_ms)
}

/// A farewell that nothing has overtaken, of a caller who cannot be understood: since when, if it was said (C2).
pub(super) fn farewell(about: &About<'_>) -> Option<Mark> {
    let (mark, script, deed) = about.seen.scripts.iter().rfind(|(_, script, _)| *script != Script::Hold)?;
    let badly_heard = matches!(script, Script::Silent | Script::LowVolume | Script::Noise);
    (badly_heard && *deed == Deed::Farewell).then(|| said_until(about, *mark))
}

/// Whoever was begun with is asked, told goodbye and given `last_ms`, or is heard.
fn kept(about: &About<'_>, wanted: Script) -> Judged {
    let seen = about.seen;
    let deeds = || seen.scripts.iter().filter(move |(_, script, _)| *script == wanted);
    let (Some((mark, _, last)), Some((ended, reason, _))) = (deeds().next_back(), seen.ended) else {
        return Judged::na(Why::NotNeeded);
    };
    let marks = deeds().map(|(mark, ..)| *mark);
    match (reason, last) {
        (_, Deed::Heard | Deed::LeftToAgent | Deed::Close) => Judged::pass().seen(marks),
        (Reason::AgentHungUp, _) => {
            let bound_ms = about.number("last_ms");
            let said = (*last == Deed::Farewell).then(|| said_until(about, *mark));
            let given_ms = said.and_then(|said| ended.at.millis_since(said.at)).unwrap_or(0);
            let agent = about.record.segments.last().map(|segment| segment.agent.clone());
            let judged = Judged::if_kept(said.is_some() && given_ms >= bound_ms, Judged::fail_of(agent));
            judged.seen(marks).seen([ended]).with("given_ms", given_ms).with("last_ms", bound_ms)
        }
        (Reason::CallerHungUp, _) => Judged::na(Why::CallerLeft).seen(marks),
        _ => Judged::na(Why::EndedOtherwise).seen(marks),
    }
}

/// The end of what the gateway said, or (said by the agent) when it was due.
fn said_until(about: &About<'_>, farewell: Mark) -> Mark {
    let plays = about.seen.plays.iter().filter(|played| played.play == Play::Script);
    let said =
        plays.filter(|played| played.span.from.at.mono_ns >= farewell.at.mono_ns).find_map(|played| played.span.to);
    said.unwrap_or(farewell)
}
