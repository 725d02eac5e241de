//! The greeting. What the gateway played counts as said.

use super::super::judged::{Judged, On, Why};
use super::super::measure::About;
use crate::cdr::Outcome;
use crate::media::Play;

const MINUTES_OF_A_DAY: i64 = 24 * 60;

/// R-020 and its likes: in the hotline's own wording (C12).
pub(in super::super) fn said(about: &About<'_>) -> Judged {
    let record = about.record;
    if record.outcome != Some(Outcome::Answered) {
        return Judged::na(Why::NotAnswered);
    }
    let within_ms = about.number("greeting_within_ms");
    let Some(greeting) = &record.greeting else {
        let short = record.talk_ms.is_none_or(|ms| ms <= within_ms);
        let missing = Judged::fail(On::Gateway).seen(about.seen.connected).with("within_ms", within_ms);
        return if short { Judged::na(Why::CutShort) } else { missing };
    };
    let Some(began_ms) = greeting.started_after_connect_ms else { return Judged::unknown(Why::NoTime) };
    let played = about.seen.plays.iter().find(|played| played.play == Play::Greeting);
    let judged = if began_ms > within_ms {
        Judged::fail(On::Gateway)
    } else if greeting.played_to_end == Some(true) {
        Judged::pass()
    } else {
        Judged::na(Why::CutShort)
    };
    let ended = played.and_then(|played| played.span.to);
    judged
        .seen(played.map(|played| played.span.from))
        .seen(ended)
        .with("began_ms", began_ms)
        .with("within_ms", within_ms)
}

/// and the number is that of the agent who answered.
pub(in super::super) fn names_agent(about: &About<'_>) -> Judged {
    let judged = said(about);
    let (Some(greeting), Some(agent)) = (&about.record.greeting, &about.record.agent) else { return judged };
    if judged.finding != super::super::Finding::Pass {
        return judged;
    }
    let played = about.seen.plays.iter().find(|played| played.play == Play::Greeting);
    let of_another = played.and_then(|played| played.agent.as_ref()).is_some_and(|said| said != agent);
    let from = played.map(|played| played.span.from);
    if of_another {
        Judged::fail(On::Gateway).seen(from)
    } else if holds_number(&greeting.text, agent.as_str()) {
        judged
    } else if about.seen.internal {
        // To colleagues nobody need say a number.
        Judged::na(Why::NotAsked).seen(from)
    } else {
        Judged::fail(On::Hotline).seen(from)
    }
}

/// colleagues hear a name and no number. Whether the name is the agent's own is for whoever wrote the dialplan.
pub(in super::super) fn internal(about: &About<'_>) -> Judged {
    if !about.seen.internal {
        return Judged::na(Why::NotNeeded);
    }
    let judged = said(about);
    let (Some(greeting), Some(agent)) = (&about.record.greeting, &about.record.agent) else { return judged };
    let played = about.seen.plays.iter().find(|played| played.play == Play::Greeting);
    if judged.finding == super::super::Finding::Pass && holds_number(&greeting.text, agent.as_str()) {
        Judged::fail(On::Hotline).seen(played.map(|played| played.span.from))
    } else {
        judged
    }
}

/// Whether the number stands in the text by itself: 8 is not in 18.
fn holds_number(text: &str, number: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.match_indices(number)
        .any(|(at, _)| !part(text[..at].chars().next_back()) && !part(text[at + number.len()..].chars().next()))
}

/// What names a time of day, with the minutes of the day within which it fits.
const HOURS: &[(&str, i64, i64)] = &[
    ("早上好", 4 * 60, 11 * 60),
    ("上午好", 6 * 60, 12 * 60),
    ("中午好", 11 * 60, 14 * 60),
    ("下午好", 12 * 60, 19 * 60),
    ("晚上好", 17 * 60, 24 * 60),
    ("ood morning", 4 * 60, 12 * 60),
    ("ood afternoon", 12 * 60, 18 * 60),
    ("ood evening", 17 * 60, 24 * 60),
];

/// 您好 fits at any time. The bounds are ours: the text names none.
pub(in super::super) fn fits_hour(about: &About<'_>) -> Judged {
    if about.record.outcome != Some(Outcome::Answered) {
        return Judged::na(Why::NotAnswered);
    }
    let Some(played) = about.seen.plays.iter().find(|played| played.play == Play::Greeting) else {
        return Judged::na(Why::CutShort);
    };
    let utc_min = played.span.from.at.wall_us.div_euclid(60_000_000);
    let offset = i64::try_from(about.number("utc_offset_min")).unwrap_or(0);
    let minute = (utc_min + offset).rem_euclid(MINUTES_OF_A_DAY);
    let fits = |(word, from, to): &(&str, i64, i64)| !played.text.contains(word) || (*from..*to).contains(&minute);
    let judged = Judged::if_kept(HOURS.iter().all(fits), Judged::fail(On::Hotline));
    judged.seen([played.span.from]).with("minute_of_day", minute.unsigned_abs())
}
