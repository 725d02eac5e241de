//! Two channels: who speaks when, who cuts in on whom, and when nobody says anything.

use super::ear::Heard;
use super::figures::{Cause, Cut, Quiet, Responses, Scene, Slam, TogetherFigures};
use super::side::Side;
use super::span::{Span, merged, shared, total_ms, without};
use super::{FRAME_MS, decibels, rounded};
use crate::ids;

/// Pauses within a turn: half a second.
const TURN_MS: u64 = 500;
/// whoever is cut in on has spoken for a second, and stops within another.
const SPOKEN_MS: u64 = 1_000;
const STOPS_MS: u64 = 1_000;
/// A shorter overlap is the common haste of a turn.
const OVERLAP_MS: u64 = 250;
/// Whoever cuts in goes on for so long alone; else it was a “yes, yes”.
const OUTLASTS_MS: u64 = 300;
/// From here on a silence of both is told: 3 s.
const QUIET_MS: u64 = 3_000;
/// A caller who pauses for less goes on speaking: 2 s.
const GOES_ON_MS: u64 = 2_000;
/// The end of a call, in which a phone is put down: 500 ms.
const END_FRAMES: usize = 31;
/// louder than −6 dB of full scale, and 20 dB over the mean.
const SLAM_PEAK: u16 = 16_423;
const SLAM_CREST_DB: f64 = 20.0;
/// Most of its energy lies within so many frames (64 ms): a word is longer.
const SLAM_FRAMES: usize = 4;
const SLAM_SHARE: f64 = 0.8;
/// Who spoke so shortly before the end was speaking at the end.
const AT_END_MS: u64 = 100;
/// Of each list.
const KEPT: usize = 64;

pub(super) struct Pair<'a> {
    pub(super) heard: [&'a Heard; 2],
    pub(super) sides: [&'a Side; 2],
    pub(super) scene: &'a Scene,
    /// Where the two can speak to each other.
    pub(super) within: &'a [Span],
}

impl Pair<'_> {
    pub(super) fn figures(&self) -> TogetherFigures {
        let [caller, agent] = self.sides.map(|side| shared(&side.speech, self.within));
        let (caller_ms, agent_ms) = (total_ms(&caller), total_ms(&agent));
        let cuts = self.cuts(&caller, &agent);
        let silences = self.silences();
        TogetherFigures {
            talk_ratio: (caller_ms + agent_ms > 0)
                .then(|| (agent_ms as f64 / (caller_ms + agent_ms) as f64 * 1e3).round() / 1e3),
            caller_ms,
            agent_ms,
            double_talk_ms: total_ms(&shared(&caller, &agent)),
            cuts: cuts.len() as u64,
            cut_in: cuts.into_iter().take(KEPT).collect(),
            longest_silence: silences
                .iter()
                .filter(|quiet| !quiet.is_paused())
                .max_by_key(|quiet| quiet.span.ms())
                .cloned(),
            silences: silences.into_iter().take(KEPT).collect(),
            responses: self.responses(&caller, &agent),
            unanswered: self.unanswered(&caller, &agent),
            slam: self.slam(),
            speaking_at_end: self.speaking_at_end(),
        }
    }

    fn cuts(&self, caller: &[Span], agent: &[Span]) -> Vec<Cut> {
        let mut cuts = cuts_by(ids::Side::Agent, agent, caller);
        cuts.extend(cuts_by(ids::Side::Caller, caller, agent));
        cuts.sort_by_key(|cut| cut.at_ms);
        cuts
    }

    /// Holds are among them, prompts are not; a pause of the recording cuts a silence in two and is one of its own.
    fn silences(&self) -> Vec<Quiet> {
        let there = without(&self.scene.talks, &merged(self.scene.played.clone(), 0));
        let spoken = merged([&self.sides[0].speech[..], &self.sides[1].speech].concat(), 0);
        let paused = merged(self.scene.paused.clone(), 0);
        let mut quiet = without(&without(&there, &paused), &spoken);
        quiet.extend(shared(&there, &paused));
        quiet.retain(|span| span.ms() >= QUIET_MS);
        quiet.sort_unstable();
        quiet.into_iter().map(|span| self.quiet(span)).collect()
    }

    fn quiet(&self, span: Span) -> Quiet {
        let most = |spans: &[Span]| 2 * total_ms(&shared(spans, &[span])) >= span.ms();
        let held: Vec<Span> = self.scene.held.iter().map(|(_, span)| *span).collect();
        let cause = |n: usize| {
            let side = self.sides[n];
            match () {
                () if most(&merged(self.scene.paused.clone(), 0)) => Cause::Paused,
                () if most(&merged(self.scene.absent[n].clone(), 0)) => Cause::NoPackets,
                () if most(&merged(self.scene.comfort[n].clone(), 0)) => Cause::ComfortNoise,
                () if most(&side.flat) => Cause::DigitalSilence,
                () if most(&side.music) => Cause::Music,
                () if most(&side.tones) => Cause::Tone,
                () => Cause::Quiet,
            }
        };
        Quiet { span, hold: most(&merged(held, 0)), caller: cause(0), agent: cause(1) }
    }

    /// From the end of what the caller says to the agent's next word, where the agent takes the turn.
    fn responses(&self, caller: &[Span], agent: &[Span]) -> Responses {
        let mut ms: Vec<u64> = Vec::new();
        for word in agent {
            let before = |span: &&Span| span.to_ms <= word.from_ms;
            let last_of_caller = caller.iter().rev().find(before);
            let last_of_agent = agent.iter().rev().find(before);
            let speaks = caller.iter().any(|span| span.holds(word.from_ms));
            let Some(last) =
                last_of_caller.filter(|last| !speaks && last_of_agent.is_none_or(|a| a.to_ms < last.to_ms))
            else {
                continue;
            };
            if self.within.iter().any(|span| span.from_ms <= last.to_ms && word.from_ms <= span.to_ms) {
                ms.push(word.from_ms - last.to_ms);
            }
        }
        ms.sort_unstable();
        Responses { count: ms.len() as u64, median_ms: ms.get(ms.len() / 2).copied(), longest_ms: ms.last().copied() }
    }

    /// The longest that the caller speaks without hearing a word.
    fn unanswered(&self, caller: &[Span], agent: &[Span]) -> Option<Span> {
        let speaks = shared(&merged(caller.to_vec(), GOES_ON_MS - 1), self.within);
        without(&speaks, agent).into_iter().max_by_key(Span::ms)
    }

    fn slam(&self) -> Option<Slam> {
        let frames = &self.heard[1].frames;
        let first = frames.len().saturating_sub(END_FRAMES);
        let end = &frames[first..];
        let (at, loudest) = end.iter().enumerate().max_by_key(|(_, frame)| frame.peak)?;
        let at_ms = (first + at) as u64 * FRAME_MS;
        if loudest.peak <= SLAM_PEAK || !self.within.iter().any(|span| span.holds(at_ms)) {
            return None;
        }
        let energy: f64 = end.iter().map(|frame| f64::from(frame.power)).sum();
        let around = &end[at.saturating_sub(1)..(at + SLAM_FRAMES - 1).min(end.len())];
        let impulse: f64 = around.iter().map(|frame| f64::from(frame.power)).sum();
        let crest_db = decibels(f64::from(loudest.peak).powi(2)) - decibels(energy / end.len() as f64);
        let is_slam = crest_db >= SLAM_CREST_DB && impulse >= SLAM_SHARE * energy;
        is_slam.then(|| Slam {
            at_ms,
            peak_dbov: rounded(decibels(f64::from(loudest.peak).powi(2))),
            crest_db: rounded(crest_db),
        })
    }

    /// Caller and agent.
    fn speaking_at_end(&self) -> [bool; 2] {
        let end_ms = self.heard[0].length_ms.min(self.heard[1].length_ms);
        self.sides.map(|side| {
            let last = shared(&side.speech, self.within).into_iter().next_back();
            last.is_some_and(|last| last.to_ms + AT_END_MS >= end_ms && last.ms() >= TURN_MS)
        })
    }
}

/// `by` begins while the other one has spoken for a second, who then stops within a second and stays silent, while
/// `by` goes on.
fn cuts_by(by: ids::Side, mine: &[Span], theirs: &[Span]) -> Vec<Cut> {
    let turns = merged(theirs.to_vec(), TURN_MS - 1);
    let mut cuts = Vec::new();
    for word in merged(mine.to_vec(), TURN_MS - 1) {
        let turn = turns.iter().find(|turn| turn.holds(word.from_ms));
        let Some(turn) = turn.filter(|turn| word.from_ms - turn.from_ms >= SPOKEN_MS) else { continue };
        let overlap_ms = turn.to_ms - word.from_ms;
        if (OVERLAP_MS..=STOPS_MS).contains(&overlap_ms) && word.to_ms >= turn.to_ms + OUTLASTS_MS {
            cuts.push(Cut { by, at_ms: word.from_ms, overlap_ms });
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(all: &[(u64, u64)]) -> Vec<Span> {
        all.iter().map(|(from, to)| Span::new(*from, *to)).collect()
    }

    #[test]
    fn whoever_cuts_in_silences_the_other_one_and_goes_on() {
        let theirs = spans(&[(0, 3_000), (10_000, 13_000), (20_000, 23_000), (30_000, 30_500), (40_000, 43_000)]);
        // Cut in; a “yes, yes”; the common haste of a turn; before a second has passed; the other one does not stop.
        let mine = spans(&[(2_400, 5_000), (12_500, 13_100), (22_900, 25_000), (30_200, 33_000), (41_000, 45_000)]);
        let cut = Cut { by: ids::Side::Agent, at_ms: 2_400, overlap_ms: 600 };
        assert_eq!(cuts_by(ids::Side::Agent, &mine, &theirs), [cut]);
    }
}
