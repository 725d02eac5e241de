//! The way through the dialplan: queue and menu.

use super::super::judged::{Judged, On, Why};
use super::super::measure::About;
use crate::call::reason::Reason;
use crate::media::Play;

/// the gateway's own texts count as said.
pub(in super::super) fn wait_apology(about: &About<'_>) -> Judged {
    let bound_ms = about.number("wait_ms");
    let (Some(queue), Some(queued)) = (&about.record.queue, about.seen.queued) else { return Judged::na(Why::NoQueue) };
    let Some(waited_ms) = queue.waited_ms else { return Judged::unknown(Why::NoTime) };
    if waited_ms <= bound_ms {
        return Judged::na(Why::NoQueue).with("waited_ms", waited_ms);
    }
    let sorry = |text: &str| about.pack.apology().iter().any(|word| text.contains(word.as_str()));
    let plays = about.seen.plays.iter().filter(|played| played.play == Play::Queue);
    let mut in_time =
        plays.filter(|played| played.span.from.at.millis_since(queued.at).is_some_and(|ms| ms <= bound_ms));
    let judged = match in_time.find(|played| sorry(&played.text)) {
        Some(played) => Judged::pass().seen([played.span.from]),
        None => Judged::fail(On::Hotline),
    };
    judged.seen([queued]).with("waited_ms", waited_ms).with("wait_ms", bound_ms)
}

/// there is a way on for whoever chooses nothing.
pub(in super::super) fn menu_led_on(about: &About<'_>) -> Judged {
    let Some(menu) = about.seen.menu else { return Judged::na(Why::NoMenu) };
    let end = about.seen.end();
    match about.seen.ended.map(|(_, reason, _)| reason) {
        Some(Reason::MenuUnanswered) => Judged::fail(On::Hotline).seen([menu, end]),
        Some(Reason::CallerCancelled | Reason::CrossedCancel) => Judged::na(Why::CallerLeft),
        _ => match about.record.outcome {
            Some(crate::cdr::Outcome::Answered | crate::cdr::Outcome::Overflow) => Judged::pass().seen([menu]),
            Some(crate::cdr::Outcome::Abandoned | crate::cdr::Outcome::ShortAbandoned) => Judged::na(Why::CallerLeft),
            _ => Judged::na(Why::NotAnswered),
        },
    }
}
