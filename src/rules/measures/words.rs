//! What was said, by a transcript and by what the gateway played. A failure is a hint: a person hears whether the recogniser was right.
//!
//! A phrase that was not found counts as not said only where the recogniser was sure of all that stands there.

use super::super::judged::{Judged, Why};
use super::super::measure::About;
use super::super::pack::Slot;
use super::super::words::{Said, Words};
use super::speech::agent_at;
use crate::call::reason::Reason;
use crate::cdr::Outcome;
use crate::ids::{AgentNo, Side};

/// The words of an answered call in which the agent said something.
fn heard<'a>(about: &About<'a>) -> Result<&'a Words, Judged> {
    if about.record.outcome != Some(Outcome::Answered) {
        return Err(Judged::na(Why::NotAnswered));
    }
    let Some(words) = about.words else { return Err(Judged::unknown(Why::WordsNeeded)) };
    if words.by(Side::Agent).all(|said| said.played) {
        return Err(Judged::unknown(Why::NoSpeech));
    }
    Ok(words)
}

/// What came of looking for some phrases.
#[derive(Default)]
struct Found {
    /// Each phrase that is missing or forbidden, when, and whose it is.
    faults: Vec<(String, Option<u64>, Option<AgentNo>)>,
    unsure: bool,
    /// Something was asked of this call.
    asked: bool,
    /// Why the rest was not.
    excuse: Option<Why>,
}

impl Found {
    fn judged(self, about: &About<'_>) -> Judged {
        let Found { faults, unsure, asked, excuse } = self;
        let judged = match (faults.first(), unsure) {
            (Some((_, at_ms, _)), _) => {
                let agents = faults.iter().filter_map(|(_, _, agent)| agent.clone());
                Judged::fail_of(agents).with_some("said_ms", *at_ms)
            }
            (None, true) => Judged::unknown(Why::Unsure),
            (None, false) if asked => Judged::pass(),
            (None, false) => Judged::na(excuse.unwrap_or(Why::NotNeeded)),
        };
        let phrases = faults.into_iter().map(|(phrase, ..)| phrase);
        judged.phrases(phrases).seen(about.seen.connected)
    }

    /// Whether one of `said` has the phrase; where none has, it is missing or (nobody being sure of the words) not known.
    fn expect<'s>(&mut self, about: &About<'_>, name: &str, said: impl Iterator<Item = &'s Said>, of: Option<AgentNo>) {
        self.asked = true;
        let least = about.number("least_confidence_percent");
        let wordings = about.pack.phrase(name);
        let mut unsure = false;
        for said in said {
            match (said.has(wordings), said.is_sure(least)) {
                (true, true) => return,
                (_, false) => unsure = true,
                (false, true) => {}
            }
        }
        if unsure {
            self.unsure = true;
        } else {
            self.faults.push((name.to_owned(), None, of));
        }
    }
}

/// and their likes: phrases at the opening, at the closing or anywhere, and phrases that are never said.
pub(in super::super) fn said(about: &About<'_>) -> Judged {
    let words = match heard(about) {
        Ok(words) => words,
        Err(judged) => return judged,
    };
    let mut found = Found::default();
    opening(about, words, &mut found);
    closing(about, words, &mut found);
    let first = || about.record.agent.clone();
    for name in about.rule.phrases(Slot::Said) {
        found.expect(about, name, words.by(Side::Agent), first());
    }
    never(about, words, &mut found);
    found.judged(about)
}

fn opening(about: &About<'_>, words: &Words, found: &mut Found) {
    let Some(from_ms) = about.record.segments.first().and_then(|segment| segment.from_ms) else { return };
    let until_ms = from_ms + about.number("opening_ms");
    for name in about.rule.phrases(Slot::Opening) {
        let begun = |said: &&Said| said.from_ms <= until_ms;
        let there = words.by(Side::Agent).any(|said| begun(&said) && said.has(about.pack.phrase(name)));
        if !there && talk_end_ms(about).is_none_or(|end| end < until_ms) {
            found.excuse = Some(Why::TooShort);
            continue;
        }
        found.expect(about, name, words.by(Side::Agent).filter(begun), about.record.agent.clone());
    }
}

/// A caller who hangs up in the middle of a talk leaves nobody time for a farewell.
fn closing(about: &About<'_>, words: &Words, found: &mut Found) {
    let names = about.rule.phrases(Slot::Closing);
    let Some(end_ms) = talk_end_ms(about).filter(|_| !names.is_empty()) else { return };
    let from_ms = end_ms.saturating_sub(about.number("closing_ms"));
    let last = about.record.segments.last().map(|segment| segment.agent.clone());
    for name in names {
        let near = |said: &&Said| said.to_ms >= from_ms;
        let there = words.by(Side::Agent).any(|said| near(&said) && said.has(about.pack.phrase(name)));
        if there || was_time(about, words, end_ms) {
            found.expect(about, name, words.by(Side::Agent).filter(near), last.clone());
        } else {
            found.excuse = Some(Why::CallerLeft);
        }
    }
}

/// The agent hung up, or the caller had said goodbye or thanks and left time for an answer.
fn was_time(about: &About<'_>, words: &Words, end_ms: u64) -> bool {
    match about.seen.ended.map(|(_, reason, _)| reason) {
        Some(Reason::AgentHungUp) => true,
        Some(Reason::CallerHungUp) => {
            let left = |said: &&Said| {
                said.to_ms + about.number("closing_ms") >= end_ms && said.to_ms + about.number("answer_ms") <= end_ms
            };
            let parting = |said: &Said| ["farewell", "thanks"].iter().any(|name| said.has(about.pack.phrase(name)));
            words.by(Side::Caller).filter(left).any(parting)
        }
        _ => false,
    }
}

fn never(about: &About<'_>, words: &Words, found: &mut Found) {
    let least = about.number("least_confidence_percent");
    for name in about.rule.phrases(Slot::Never) {
        found.asked = true;
        for said in words.by(Side::Agent).filter(|said| said.has(about.pack.phrase(name))) {
            if is_excused(about, words, said) {
                continue;
            }
            if said.is_sure(least) {
                found.faults.push((name.clone(), Some(said.from_ms), agent_at(about, said.from_ms)));
            } else {
                found.unsure = true;
            }
        }
    }
}

/// An apology in the same turn takes the edge off a refusal (C14).
fn is_excused(about: &About<'_>, words: &Words, said: &Said) -> bool {
    let near_ms = about.number("answer_ms");
    let near = |other: &&Said| other.to_ms + near_ms >= said.from_ms && other.from_ms <= said.to_ms + near_ms;
    let unless = about.rule.phrases(Slot::Unless);
    unless.iter().any(|name| words.by(Side::Agent).filter(near).any(|said| said.has(about.pack.phrase(name))))
}

/// what the caller says is answered.
pub(in super::super) fn replied(about: &About<'_>) -> Judged {
    let words = match heard(about) {
        Ok(words) => words,
        Err(judged) => return judged,
    };
    let within_ms = about.number("answer_ms");
    let (least, end_ms) = (about.number("least_confidence_percent"), talk_end_ms(about).unwrap_or(0));
    let mut found = Found::default();
    for name in about.rule.phrases(Slot::When) {
        let asks = |said: &&Said| said.has(about.pack.phrase(name)) && said.is_sure(least);
        for asked in words.by(Side::Caller).filter(asks) {
            let answer = |said: &&Said| said.to_ms > asked.from_ms && said.from_ms <= asked.to_ms + within_ms;
            // Whoever leaves at once wants no answer.
            if asked.to_ms + within_ms > end_ms {
                found.excuse = Some(Why::CallerLeft);
                continue;
            }
            for reply in about.rule.phrases(Slot::Reply) {
                let of = agent_at(about, asked.to_ms);
                found.expect(about, reply, words.by(Side::Agent).filter(answer), of);
            }
        }
    }
    found.judged(about)
}

/// asked before each hold, apologised after it.
pub(in super::super) fn around_hold(about: &About<'_>) -> Judged {
    let words = match heard(about) {
        Ok(words) => words,
        Err(judged) => return judged,
    };
    let mut found = Found { excuse: Some(Why::NoHold), ..Found::default() };
    let Some(connected) = about.seen.connected else { return Judged::na(Why::NotConnected) };
    for hold in &about.seen.holds {
        let Some(from_ms) = hold.from.at.millis_since(connected.at) else { continue };
        let of = agent_at(about, from_ms);
        for name in about.rule.phrases(Slot::Before) {
            let near = |said: &&Said| said.from_ms <= from_ms && said.to_ms + about.number("before_ms") >= from_ms;
            found.expect(about, name, words.by(Side::Agent).filter(near), of.clone());
        }
        let Some(to_ms) = hold.to.and_then(|to| to.at.millis_since(connected.at)) else { continue };
        let within_ms = to_ms + about.number("resumed_ms");
        // Whoever hangs up at once hears nothing.
        if talk_end_ms(about).is_none_or(|end| end < within_ms) {
            continue;
        }
        for name in about.rule.phrases(Slot::After) {
            let near = |said: &&Said| said.to_ms > to_ms && said.from_ms <= within_ms;
            found.expect(about, name, words.by(Side::Agent).filter(near), of.clone());
        }
    }
    found.judged(about)
}

/// Whether the agent said this farewell, if it is known what was said.
pub(super) fn farewell_said(about: &About<'_>) -> Option<bool> {
    about.words?;
    match said(about).finding {
        super::super::Finding::Pass => Some(true),
        super::super::Finding::Fail => Some(false),
        _ => None,
    }
}

/// Whether the agent said any of these phrases at all, if it is known.
pub(super) fn is_said(about: &About<'_>, slot: Slot) -> Option<bool> {
    let words = heard(about).ok()?;
    let has = |name: &String| words.by(Side::Agent).any(|said| said.has(about.pack.phrase(name)));
    Some(about.rule.phrases(slot).iter().any(has))
}

/// Since *connected*.
fn talk_end_ms(about: &About<'_>) -> Option<u64> {
    about.seen.end().at.millis_since(about.seen.connected?.at)
}
