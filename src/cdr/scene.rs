//! What the facts tell to whoever listens to a recording: when an agent had the caller, what was played, who held, and when
//! nothing came or was kept. Times count from *connected*, as in the recording.

use super::Fold;
use crate::call::fact::{Fact, Supervision, What};
use crate::clock::Stamp;
use crate::ids::Side;
use crate::limits;
use crate::media::OneWayBy;
use crate::quality::INTERVAL;
use crate::quality::speech::{Scene, Span};

/// Nothing came for so long when `media_lost` is told: 10 s.
const LOST_AFTER_MS: u64 = 10_000;

/// Of a call that has ended; `None`: it was never connected, or a crash lies between.
pub fn scene(facts: &[Fact]) -> Option<Scene> {
    let (first, rest) = facts.split_first()?;
    let mut fold = Fold::begin(first)?;
    rest.iter().for_each(|fact| fold.push(fact));
    let length_ms = fold.connected_ms()?;
    let connected = facts.iter().find(|fact| matches!(fact.what, What::Connected))?.at;
    let record = fold.record();
    let span = |from: Option<u64>, to: Option<u64>| Some(Span::new(from?, to.unwrap_or(length_ms)));
    let since = |at: Stamp| at.millis_since(connected).unwrap_or(0);
    // The agent's channel has the supervisor's voice then too.
    let barged = record.supervised.iter().filter(|s| s.mode == Supervision::Barge);
    let barged = barged.filter_map(|supervised| span(supervised.from_ms, supervised.to_ms));
    Some(Scene {
        talks: record.segments.iter().filter_map(|segment| span(segment.from_ms, segment.to_ms)).collect(),
        played: record.played.iter().filter_map(|played| span(played.from_ms, played.to_ms)).chain(barged).collect(),
        held: held(facts, length_ms, &since),
        absent: [Side::Caller, Side::Agent].map(|leg| absent(facts, leg, length_ms, &since)),
        comfort: [Side::Caller, Side::Agent].map(|leg| comfort(facts, leg, &since)),
        paused: record.recording.blanked.iter().filter_map(|b| span(Some(b.from_ms), b.to_ms)).collect(),
    })
}

/// Holds, and the times in which an agent was handing the caller on.
fn held(facts: &[Fact], length_ms: u64, since: &dyn Fn(Stamp) -> u64) -> Vec<(Side, Span)> {
    let mut held = Vec::new();
    let mut open: Vec<(Side, bool, u64)> = Vec::new();
    let mut close = |open: &mut Vec<(Side, bool, u64)>, key: (Side, bool), to_ms: u64| {
        if let Some(n) = open.iter().position(|(side, hold, _)| (*side, *hold) == key) {
            let (side, _, from_ms) = open.swap_remove(n);
            held.push((side, Span::new(from_ms, to_ms)));
        }
    };
    for fact in facts {
        match &fact.what {
            What::HoldStarted { by } => open.push((*by, true, since(fact.at))),
            What::HoldEnded { by } => close(&mut open, (*by, true), since(fact.at)),
            What::TransferStarted { .. } => open.push((Side::Agent, false, since(fact.at))),
            What::TransferCompleted { .. } | What::TransferFailed { .. } => {
                close(&mut open, (Side::Agent, false), since(fact.at));
            }
            _ => {}
        }
    }
    held.extend(open.into_iter().map(|(side, _, from_ms)| (side, Span::new(from_ms, length_ms))));
    held
}

/// When no packets came from this person.
fn absent(facts: &[Fact], of: Side, length_ms: u64, since: &dyn Fn(Stamp) -> u64) -> Vec<Span> {
    let mut absent = Vec::new();
    let mut open: Option<u64> = Some(0);
    for fact in facts {
        let at_ms = since(fact.at);
        match &fact.what {
            What::MediaArrived { leg } | What::MediaResumed { leg } if *leg == of => {
                absent.extend(open.take().map(|from_ms| Span::new(from_ms, at_ms)));
            }
            What::MediaLost { leg } if *leg == of => open = Some(at_ms.saturating_sub(LOST_AFTER_MS)),
            What::OneWayAudio { leg, by: OneWayBy::Packets, for_ms } if *leg == of => {
                absent.push(Span::new(at_ms.saturating_sub(*for_ms), at_ms));
            }
            What::MediaInterval { leg, line } if *leg == of && line.packets == 0 => {
                absent.push(Span::new(at_ms.saturating_sub(INTERVAL.as_millis() as u64), at_ms));
            }
            _ => {}
        }
    }
    absent.extend(open.map(|from_ms| Span::new(from_ms, length_ms)));
    absent
}

/// When this person's phone sent no sound on purpose: what is heard then is comfort noise. Rests beyond those that are told are known to
/// the interval only.
fn comfort(facts: &[Fact], of: Side, since: &dyn Fn(Stamp) -> u64) -> Vec<Span> {
    let rest = |fact: &Fact| match fact.what {
        What::Rested { leg, for_ms } if leg == of => {
            let at_ms = since(fact.at);
            Some(Span::new(at_ms.saturating_sub(for_ms), at_ms))
        }
        _ => None,
    };
    let mut spans: Vec<Span> = facts.iter().filter_map(rest).collect();
    if spans.len() >= limits::RESTS as usize {
        let told_to_ms = spans.last().map_or(0, |last| last.to_ms);
        spans.extend(sparse(facts, of, since).into_iter().filter(|span| span.from_ms >= told_to_ms));
    }
    spans
}

/// Intervals in which a phone sent less than half of what it sends while somebody speaks, and nothing was lost.
fn sparse(facts: &[Fact], of: Side, since: &dyn Fn(Stamp) -> u64) -> Vec<Span> {
    let packet_us = facts.iter().find_map(|fact| match &fact.what {
        What::MediaMeasured { leg, heard } if *leg == of => Some(heard.measured.packet_us),
        _ => None,
    });
    let Some(packet_us) = packet_us.filter(|us| *us > 0) else { return Vec::new() };
    let interval_ms = INTERVAL.as_millis() as u64;
    let span = |fact: &Fact| match &fact.what {
        What::MediaInterval { leg, line } if *leg == of && line.packets > 0 && line.lost == 0 => {
            let sent_ms = line.packets * u64::from(packet_us) / 1_000;
            let at_ms = since(fact.at);
            (2 * sent_ms < interval_ms).then(|| Span::new(at_ms.saturating_sub(interval_ms), at_ms))
        }
        _ => None,
    };
    facts.iter().filter_map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::fact::PausedBy;
    use crate::call::reason::{EndedBy, Reason};
    use crate::ledger::story::{self, Story};
    use crate::media::Play;
    use crate::quality::Line;

    #[test]
    fn times_count_from_connected() {
        let greeting = || ("您好".to_owned(), Some("8".into()));
        let (prompt, agent) = greeting();
        let facts = Story::talking(1)
            .at(4_101, What::PlayStarted { play: Play::Greeting, prompt, agent, late: false })
            .at(4_201, What::MediaArrived { leg: Side::Caller })
            .at(8_001, What::PlayEnded { play: Play::Greeting, to_end: true })
            .at(10_001, What::HoldStarted { by: Side::Agent })
            .at(12_001, What::RecordingPaused { by: PausedBy::Digits })
            .at(13_001, What::RecordingResumed { by: PausedBy::Digits })
            .at(14_001, What::HoldEnded { by: Side::Agent })
            .at(34_001, What::MediaLost { leg: Side::Caller })
            .at(39_001, What::RecordingPaused { by: PausedBy::Api })
            .at(40_001, What::HoldStarted { by: Side::Caller })
            .ended(44_001, Reason::CallerHungUp, EndedBy::Caller)
            .facts();
        let scene = scene(&facts).unwrap();
        assert_eq!(scene.talks, [Span::new(0, 40_000)]);
        assert_eq!(scene.played, [Span::new(100, 4_000)]);
        let held = [(Side::Agent, Span::new(6_000, 10_000)), (Side::Caller, Span::new(36_000, 40_000))];
        assert_eq!(scene.held, held);
        assert_eq!(scene.paused, [Span::new(8_000, 9_000), Span::new(35_000, 40_000)]);
        assert_eq!(scene.comfort, [Vec::new(), Vec::new()]);
        assert_eq!(scene.absent, [vec![Span::new(0, 200), Span::new(20_000, 40_000)], vec![Span::new(0, 40_000)]]);
    }

    #[test]
    fn comfort_noise_is_where_it_came() {
        let facts = Story::talking(1)
            .at(14_001, What::Rested { leg: Side::Caller, for_ms: 2_600 })
            .at(20_001, What::Rested { leg: Side::Agent, for_ms: 1_000 })
            .at(30_001, What::Rested { leg: Side::Caller, for_ms: 60_000 })
            .ended(44_001, Reason::CallerHungUp, EndedBy::Caller)
            .facts();
        let caller = vec![Span::new(7_400, 10_000), Span::new(0, 26_000)];
        assert_eq!(scene(&facts).unwrap().comfort, [caller, vec![Span::new(15_000, 16_000)]]);
    }

    #[test]
    fn beyond_the_rests_that_are_told_the_interval_is_known() {
        let line = |packets: u64, lost: u64| Line { packets, lost, ..Line::default() };
        let facts = |told: u64| {
            let rest = |n: u64| (6_001 + n, What::Rested { leg: Side::Caller, for_ms: 1 });
            let story = (0..told).map(rest).fold(Story::talking(1), |story, (at, what)| story.at(at, what));
            story
                .at(14_001, What::MediaInterval { leg: Side::Caller, line: line(500, 0) })
                .at(24_001, What::MediaInterval { leg: Side::Caller, line: line(40, 0) })
                .at(34_001, What::MediaInterval { leg: Side::Caller, line: line(200, 300) })
                .ended(44_001, Reason::CallerHungUp, EndedBy::Caller)
                .at(44_010, What::MediaMeasured { leg: Side::Caller, heard: Box::new(story::heard()) })
                .facts()
        };
        let last = |told: u64| scene(&facts(told)).unwrap().comfort[0].last().copied();
        assert_eq!(last(u64::from(limits::RESTS)), Some(Span::new(10_000, 20_000)));
        assert_eq!(last(0), None, "nothing was told, so there was none");
    }
}
