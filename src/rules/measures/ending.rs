//! Hanging up, and the length of the talk.

use super::super::case::Mark;
use super::super::judged::{Judged, On, Why};
use super::super::measure::About;
use super::{script, words};
use crate::call::reason::Reason;
use crate::cdr::Outcome;
use crate::media::Play;

/// How the talk with an agent ended.
enum End {
    Caller,
    /// The agent, and both could be heard.
    Agent(Mark),
    Excused(Judged),
}

/// Whom one cannot hear one may leave (C2); a line that was broken is no fault of either.
pub(in super::super) fn caller_first(about: &About<'_>) -> Judged {
    match end(about) {
        End::Caller => Judged::pass().seen([about.seen.end()]),
        End::Agent(ended) => by_agent(about, ended),
        End::Excused(judged) => judged,
    }
}

/// An agent who hung up later may have said goodbye: that is in the words.
pub(in super::super) fn not_abrupt(about: &About<'_>) -> Judged {
    let ended = match end(about) {
        End::Caller => return Judged::pass().seen([about.seen.end()]),
        End::Agent(ended) => ended,
        End::Excused(judged) => return judged,
    };
    let bound_ms = about.number("abrupt_ms");
    let given_ms = begun(about, ended).and_then(|begun| ended.at.millis_since(begun.at)).unwrap_or(0);
    if given_ms < bound_ms {
        by_agent(about, ended).seen(begun(about, ended)).with("given_ms", given_ms).with("abrupt_ms", bound_ms)
    } else {
        let judged = match words::farewell_said(about) {
            Some(true) => Judged::pass(),
            Some(false) => by_agent(about, ended),
            None => Judged::unknown(Why::WordsNeeded),
        };
        judged.seen([ended]).with("given_ms", given_ms)
    }
}

/// Three minutes are an aim for most calls, held against nobody (C18).
pub(in super::super) fn talk_at_most(about: &About<'_>) -> Judged {
    let record = about.record;
    if record.outcome != Some(Outcome::Answered) {
        return Judged::na(Why::NotAnswered);
    }
    let (Some(talk_ms), Some(hold_ms)) = (record.talk_ms, record.hold_ms) else { return Judged::unknown(Why::NoTime) };
    let bound_ms = about.number("talk_ms");
    let judged = Judged::if_kept(talk_ms <= bound_ms, Judged::fail(On::Nobody));
    judged
        .seen([about.seen.end()])
        .with("talk_ms", talk_ms)
        .with("with_holds_ms", talk_ms + hold_ms)
        .with("bound_ms", bound_ms)
}

fn end(about: &About<'_>) -> End {
    let seen = about.seen;
    if about.record.outcome != Some(Outcome::Answered) {
        return End::Excused(Judged::na(Why::NotAnswered));
    }
    let Some((ended, reason, _)) = seen.ended else { return End::Excused(Judged::unknown(Why::NoTime)) };
    match reason {
        Reason::CallerHungUp => End::Caller,
        Reason::AgentHungUp => {
            if let Some(mark) = seen.caller.broken_at_end(ended, true) {
                return End::Excused(Judged::na(Why::CallerNotHeard).seen([mark, ended]));
            }
            // Five seconds after the farewell, one of grace for a person's hand.
            let given = |said: &Mark| ended.at.millis_since(said.at).is_some_and(|ms| ms >= about.number("last_ms"));
            if let Some(mark) = script::farewell(about).filter(given) {
                return End::Excused(Judged::na(Why::BadlyHeard).seen([mark, ended]));
            }
            if let Some(mark) = seen.agent.broken_at_end(ended, false) {
                return End::Excused(Judged::na(Why::AgentNotHeard).seen([mark, ended]));
            }
            End::Agent(ended)
        }
        _ => End::Excused(Judged::na(Why::EndedOtherwise).seen([ended])),
    }
}

fn by_agent(about: &About<'_>, ended: Mark) -> Judged {
    let last = about.record.segments.last().map(|segment| segment.agent.clone());
    Judged::fail_of(last).seen([ended])
}

/// The latest beginning of a stretch in which the two could talk.
fn begun(about: &About<'_>, ended: Mark) -> Option<Mark> {
    let seen = about.seen;
    let greeting = seen.plays.iter().filter(|played| played.play == Play::Greeting);
    let greeted = greeting.map(|played| played.span.to.unwrap_or(ended));
    let answered = seen.rings.iter().filter_map(|ring| ring.answered);
    let resumed = seen.holds.iter().map(|span| span.to.unwrap_or(ended));
    let handed = seen.transfers.iter().filter_map(|transfer| transfer.to).map(|(mark, _)| mark);
    let all = seen.connected.into_iter().chain(greeted).chain(answered).chain(resumed).chain(handed);
    all.filter(|mark| mark.at.mono_ns <= ended.at.mono_ns).max_by_key(|mark| mark.at.mono_ns)
}
