//! What the listener heard of the two voices: how the agent speaks, cuts in, lets the caller talk, and puts the phone down.
//!
//! Nobody's words are known; a recording that nobody could listen to, or not as a whole, tells nothing.

use super::super::case::Mark;
use super::super::judged::{Judged, Why};
use super::super::measure::About;
use super::super::pack::Slot;
use crate::call::fact::RecordingStatus;
use crate::call::reason::Reason;
use crate::call::script::Script;
use crate::cdr::Outcome;
use crate::ids::{AgentNo, Side};
use crate::quality::speech::{Listening, SegmentFigures, Span, TogetherFigures};

/// Below this SNR the active level of P.56 takes noise for speech.
const CLEAR_DB: f64 = 16.0;
/// Since this version what was paused is nobody's silence.
const KNOWS_PAUSES: u32 = 2;

/// What was heard of an answered call, and the fact that tells it.
pub(super) struct Heard<'a> {
    pub(super) all: &'a Listening,
    pub(super) together: &'a TogetherFigures,
    pub(super) mark: Mark,
}

pub(super) fn heard<'a>(about: &About<'a>) -> Result<Heard<'a>, Judged> {
    let (record, seen) = (about.record, about.seen);
    if record.outcome != Some(Outcome::Answered) {
        return Err(Judged::na(Why::NotAnswered));
    }
    let not_heard = || Judged::unknown(Why::NotHeard).seen(seen.listened);
    // What a partial recording lacks would sound like silence.
    let whole = seen.recorded.as_ref().is_some_and(|recorded| recorded.status == RecordingStatus::Ok);
    let (Some(all), Some(mark), true) = (record.listening.as_deref(), seen.listened, whole) else {
        return Err(not_heard());
    };
    let counts = all.version >= KNOWS_PAUSES || record.recording.blanked.is_empty();
    match &all.together {
        Some(together) if counts => Ok(Heard { all, together, mark }),
        _ => Err(not_heard()),
    }
}

/// The agent who had the caller at this time of the recording.
pub(super) fn agent_at(about: &About<'_>, at_ms: u64) -> Option<AgentNo> {
    let had = about.record.segments.iter().rfind(|segment| {
        segment.from_ms.is_some_and(|from| from <= at_ms) && segment.to_ms.is_none_or(|to| at_ms <= to)
    });
    had.map(|segment| segment.agent.clone())
}

/// neither too loud nor too low, neither too fast nor too slow.
pub(in super::super) fn voice_in_band(about: &About<'_>) -> Judged {
    match heard(about) {
        Ok(heard) => voice(about, &heard, &|level, segment| {
            is_too_loud(about, level) || is_too_low(about, level) || is_out_of_pace(about, segment)
        }),
        Err(judged) => judged,
    }
}

///
pub(in super::super) fn voice_not_too_loud(about: &About<'_>) -> Judged {
    match heard(about) {
        Ok(heard) => voice(about, &heard, &|level, _| is_too_loud(about, level)),
        Err(judged) => judged,
    }
}

///
pub(in super::super) fn voice_loud_enough(about: &About<'_>) -> Judged {
    match heard(about) {
        Ok(heard) => voice(about, &heard, &|level, _| is_too_low(about, level)),
        Err(judged) => judged,
    }
}

///
pub(in super::super) fn voice_not_too_fast(about: &About<'_>) -> Judged {
    let most = about.number("most_syllables_per_min");
    match heard(about) {
        Ok(heard) => voice(about, &heard, &|_, segment| segment.syllables_per_min.is_some_and(|pace| pace > most)),
        Err(judged) => judged,
    }
}

/// nobody shouts at a caller who is hard to hear.
pub(in super::super) fn own_voice_kept(about: &About<'_>) -> Judged {
    match low_caller(about) {
        Ok((heard, level)) => {
            let judged = voice(about, &heard, &|level, _| is_too_loud(about, level));
            judged.with("caller_minus_dbov", below_zero(level))
        }
        Err(judged) => judged,
    }
}

/// a hint at a quarrel. Whoever only agrees at once with the other cuts nobody off.
pub(in super::super) fn no_quarrel(about: &About<'_>) -> Judged {
    let heard = match heard(about) {
        Ok(heard) => heard,
        Err(judged) => return judged,
    };
    let together = heard.together;
    if together.caller_ms == 0 || together.agent_ms == 0 {
        return Judged::na(Why::NoSpeech).seen([heard.mark]);
    }
    let most = about.number("overlap_percent");
    // Of the time in which anybody spoke.
    let speech_ms = (together.caller_ms + together.agent_ms).saturating_sub(together.double_talk_ms).max(1);
    let percent = together.double_talk_ms * 100 / speech_ms;
    let cuts = |side: Side| together.cut_in.iter().filter(move |cut| cut.by == side);
    let both = cuts(Side::Caller).next().is_some() && cuts(Side::Agent).next().is_some();
    let fail = || Judged::fail_of(cuts(Side::Agent).filter_map(|cut| agent_at(about, cut.at_ms)));
    let judged = if both && percent > most { fail() } else { Judged::pass() };
    judged.seen([heard.mark]).with("double_talk_percent", percent).with("cuts", together.cuts)
}

/// the same band, and answers that come soon: the median from the caller's last word to the agent's first.
pub(in super::super) fn voice_and_replies(about: &About<'_>) -> Judged {
    let heard = match heard(about) {
        Ok(heard) => heard,
        Err(judged) => return judged,
    };
    let reply_ms = about.number("reply_ms");
    match heard.together.responses.median_ms.filter(|median| *median > reply_ms) {
        // Whose answers were late is not told of several agents.
        Some(median_ms) => match &agents(about)[..] {
            [agent] => Judged::fail_of([agent.clone()]).with("median_ms", median_ms).with("reply_ms", reply_ms),
            _ => Judged::unknown(Why::SeveralAgents),
        }
        .seen([heard.mark]),
        None => voice_in_band(about),
    }
}

/// the longest that the caller speaks without hearing a word.
pub(in super::super) fn caller_not_left_unanswered(about: &About<'_>) -> Judged {
    let heard = match heard(about) {
        Ok(heard) => heard,
        Err(judged) => return judged,
    };
    if about.seen.agent.arrived.is_none() || about.seen.agent.breaks(false).next().is_some() {
        return Judged::na(Why::AgentNotHeard).seen([heard.mark]);
    }
    let Some(longest) = heard.together.unanswered else { return Judged::na(Why::NoSpeech).seen([heard.mark]) };
    let bound_ms = about.number("unanswered_ms");
    let judged = Judged::if_kept(longest.ms() <= bound_ms, Judged::fail_of(agent_at(about, longest.from_ms)));
    judged.seen([heard.mark]).with("unanswered_ms", longest.ms()).with("from_ms", longest.from_ms)
}

/// whoever speaks nearly all the time does not listen.
pub(in super::super) fn agent_listens(about: &About<'_>) -> Judged {
    let heard = match heard(about) {
        Ok(heard) => heard,
        Err(judged) => return judged,
    };
    let (least_ms, most) = (about.number("voice_ms"), about.number("talk_share_percent"));
    let Some(share) = heard.together.talk_ratio.filter(|_| heard.together.caller_ms >= least_ms) else {
        return Judged::na(Why::NoSpeech).seen([heard.mark]);
    };
    let percent = (share * 100.0).round() as u64;
    let judged = match (percent <= most, &agents(about)[..]) {
        (true, _) => Judged::pass(),
        (false, [agent]) => Judged::fail_of([agent.clone()]),
        (false, _) => Judged::unknown(Why::SeveralAgents),
    };
    judged.seen([heard.mark]).with("talk_share_percent", percent)
}

/// the agent begins while the caller has spoken for a second, who stops within another.
pub(in super::super) fn no_cut_in(about: &About<'_>) -> Judged {
    let heard = match heard(about) {
        Ok(heard) => heard,
        Err(judged) => return judged,
    };
    if heard.together.caller_ms == 0 {
        return Judged::na(Why::NoSpeech).seen([heard.mark]);
    }
    let cuts: Vec<u64> =
        heard.together.cut_in.iter().filter(|cut| cut.by == Side::Agent).map(|cut| cut.at_ms).collect();
    let fail = || Judged::fail_of(cuts.iter().filter_map(|at_ms| agent_at(about, *at_ms)));
    let judged = if cuts.is_empty() { Judged::pass() } else { fail() };
    judged.seen([heard.mark]).with("cuts", cuts.len() as u64).with_some("first_ms", cuts.first().copied())
}

/// How a phone is put down is heard only of an agent who hangs up first.
pub(in super::super) fn put_down_softly(about: &About<'_>) -> Judged {
    parted(about, false)
}

/// nor hung up on a caller who is speaking.
pub(in super::super) fn no_temper(about: &About<'_>) -> Judged {
    parted(about, true)
}

fn parted(about: &About<'_>, speaking_counts: bool) -> Judged {
    let heard = match heard(about) {
        Ok(heard) => heard,
        Err(judged) => return judged,
    };
    let Some((ended, Reason::AgentHungUp, _)) = about.seen.ended else {
        return Judged::na(Why::EndedOtherwise).seen([heard.mark]);
    };
    let speaking = speaking_counts && heard.together.speaking_at_end[0];
    let slam = heard.together.slam;
    let last = about.record.segments.last().map(|segment| segment.agent.clone());
    let judged = Judged::if_kept(slam.is_none() && !speaking, Judged::fail_of(last));
    let judged = judged.seen([heard.mark, ended]).with_some("slam_ms", slam.map(|slam| slam.at_ms));
    if speaking { judged.with("caller_was_speaking", 1) } else { judged }
}

/// a caller who speaks too low is asked to speak up. What the agent asked is in the words.
pub(in super::super) fn low_caller_asked(about: &About<'_>) -> Judged {
    let (heard, level) = match low_caller(about) {
        Ok(low) => low,
        Err(judged) => return judged,
    };
    let asked = about.seen.scripts.iter().find(|(_, script, _)| *script == Script::LowVolume).map(|(mark, ..)| *mark);
    let said = super::words::is_said(about, Slot::Said) == Some(true);
    let judged = Judged::if_kept(asked.is_some() || said, Judged::fail_of(agents(about)));
    judged.seen([heard.mark]).seen(asked).with("caller_minus_dbov", below_zero(level))
}

/// What was heard of a call whose caller speaks too low, and how low.
fn low_caller<'a>(about: &About<'a>) -> Result<(Heard<'a>, f64), Judged> {
    let heard = heard(about)?;
    let caller = &heard.all.caller;
    match caller.speech_dbov.filter(|_| caller.speech_ms >= about.number("voice_ms")) {
        None => Err(Judged::na(Why::NoSpeech).seen([heard.mark])),
        Some(level) if level >= minus(about, "low_caller_minus_dbov") => {
            Err(Judged::na(Why::NotNeeded).seen([heard.mark]))
        }
        Some(level) => Ok((heard, level)),
    }
}

/// What is wrong with the voice of each agent who spoke enough, over little enough noise.
fn voice(about: &About<'_>, heard: &Heard<'_>, wrong: &dyn Fn(f64, &SegmentFigures) -> bool) -> Judged {
    let least_ms = about.number("voice_ms");
    let (mut judged, mut why) = (false, None);
    let mut faults = Vec::new();
    for segment in heard.all.segments.iter().filter(|segment| segment.speech_ms >= least_ms) {
        let clear = segment.snr_db.is_none_or(|snr| snr >= CLEAR_DB);
        match (segment.level_dbov.filter(|_| clear), &within(about, segment.span)[..]) {
            (None, _) => why = Some(Why::Noisy),
            (Some(_), [] | [_, _, ..]) => why = Some(Why::SeveralAgents),
            (Some(level), [agent]) => {
                judged = true;
                if wrong(level, segment) {
                    faults.push((agent.clone(), level, segment));
                }
            }
        }
    }
    let verdict = match (faults.first(), why, judged) {
        (Some((_, level, segment)), ..) => Judged::fail_of(faults.iter().map(|(agent, ..)| agent.clone()))
            .with("from_ms", segment.span.from_ms)
            .with("minus_dbov", below_zero(*level))
            .with_some("syllables_per_min", segment.syllables_per_min),
        (None, Some(why), _) => Judged::unknown(why),
        (None, None, true) => Judged::pass(),
        (None, None, false) => Judged::na(Why::NoSpeech),
    };
    verdict.seen([heard.mark])
}

fn is_too_loud(about: &About<'_>, level: f64) -> bool {
    level > minus(about, "loudest_minus_dbov")
}

fn is_too_low(about: &About<'_>, level: f64) -> bool {
    level < minus(about, "softest_minus_dbov")
}

fn is_out_of_pace(about: &About<'_>, segment: &SegmentFigures) -> bool {
    let band = about.number("least_syllables_per_min")..=about.number("most_syllables_per_min");
    segment.syllables_per_min.is_some_and(|pace| !band.contains(&pace))
}

fn minus(about: &About<'_>, name: &'static str) -> f64 {
    -(about.number(name) as f64)
}

fn below_zero(dbov: f64) -> u64 {
    (-dbov).max(0.0).round() as u64
}

/// Everybody who had the caller, each once.
fn agents(about: &About<'_>) -> Vec<AgentNo> {
    within(about, Span::new(0, u64::MAX))
}

fn within(about: &About<'_>, span: Span) -> Vec<AgentNo> {
    let has = |from: Option<u64>, to: Option<u64>| {
        from.is_some_and(|from| Span::new(from, to.unwrap_or(u64::MAX)).shared(&span).is_some())
    };
    let segments = about.record.segments.iter().filter(|segment| has(segment.from_ms, segment.to_ms));
    let mut all: Vec<AgentNo> = segments.map(|segment| segment.agent.clone()).collect();
    all.sort();
    all.dedup();
    all
}
