//! One channel: what of it is a voice.

use super::ear::{Frame, Heard, SLOT_FRAMES};
use super::keypad::Pressed;
use super::span::{Span, merged, shared, total_ms, without};
use super::{FRAME_MS, QUIETEST, active_level::Stretch, decibels};

/// From here on the detector says voice: its author's own bound, one half.
const VOICE: u8 = 128;
/// Pauses within an utterance: 200 ms (ITU-T P.59).
pub(super) const PAUSE_MS: u64 = 200;
/// Shorter is a click: 64 ms.
const SHORTEST_MS: u64 = 64;
/// So near an utterance it may still be one that is not told: 200 ms.
const MARGIN_MS: u64 = 200;
/// Frames in which music is looked for: 4 s, every half second.
const WINDOW: usize = 250;
const HOP: usize = 31;
/// Peaks that stay where they are, of all: 2 %. In five pieces of hold music the median was 8 to 22 % and one window of 300
/// below; in 218 spoken prompts the most was 0.2 %.
const MUSIC: f64 = 0.02;
/// Fewer peaks in a window tell nothing.
const FEWEST: u32 = 60;
/// Music that is shorter is none: 2 s.
const SHORTEST_MUSIC_MS: u64 = 2_000;
/// The detector takes a click for a voice, and a key begins and ends with one: 100 ms.
const KEY_MARGIN_MS: u64 = 100;
/// A tone that is shorter is none: a vowel may hold still for a quarter of a second.
const SHORTEST_TONE_MS: u64 = 320;
/// In noise the detector takes pauses for voice: a voice is louder by 4 dB at least than the frames that it says have none.
const OVER_FLOOR: f32 = 2.5;
/// Frames without which there is no noise floor: half a second.
const FEWEST_QUIET: usize = 31;

/// A channel, told apart; all spans are in order and apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Side {
    /// Where somebody speaks.
    pub(super) speech: Vec<Span>,
    pub(super) music: Vec<Span>,
    /// Single tones; keys are not among them.
    pub(super) tones: Vec<Span>,
    pub(super) flat: Vec<Span>,
    /// Of the times that are not speech and not silence.
    other: Vec<Span>,
}

impl Side {
    /// `apart`: times in which this channel is not this person's.
    pub(super) fn of(heard: &Heard, apart: &[Span]) -> Side {
        let frames = &heard.frames;
        let around =
            |key: &Pressed| Span::new((key.from / 8).saturating_sub(KEY_MARGIN_MS), key.to / 8 + KEY_MARGIN_MS);
        let keys = merged(heard.keys.iter().map(around).collect(), FRAME_MS);
        let tones = long(spans_of(frames, |frame| frame.tone), SHORTEST_TONE_MS);
        let tones = without(&merged(tones, 2 * FRAME_MS), &keys);
        let music = without(&long(music(frames, apart), SHORTEST_MUSIC_MS), apart);
        let tones = without(&without(&tones, &music), apart);
        let other = merged([&keys[..], &tones, &music, apart].concat(), 0);
        let whole = [Span::new(0, heard.length_ms)];
        let least = (floor(frames, &without(&whole, &other)) * OVER_FLOOR).max(QUIETEST);
        let voice = spans_of(frames, |frame| frame.voice >= VOICE && frame.power >= least && !frame.flat);
        let speech = without(&long(merged(without(&voice, &other), PAUSE_MS - 1), SHORTEST_MS), &other);
        let flat = without(&merged(spans_of(frames, |frame| frame.flat), 0), apart);
        Side { speech, music, tones, flat, other }
    }

    /// Mean power of the frames that are neither voice nor near it: its median, so that a cough does not count. `None`: there
    /// are too few, or they are digital silence.
    pub(super) fn noise(&self, heard: &Heard, within: &[Span]) -> Option<f64> {
        let near = |span: &Span| Span::new(span.from_ms.saturating_sub(MARGIN_MS), span.to_ms + MARGIN_MS);
        let busy = merged([&self.speech[..], &self.other].concat().iter().map(near).collect(), 0);
        let mut powers: Vec<f32> = frames_in(&heard.frames, &without(within, &busy))
            .filter(|frame| !frame.flat)
            .map(|frame| frame.power)
            .collect();
        if powers.len() < FEWEST_QUIET {
            return None;
        }
        let middle = powers.len() / 2;
        Some(f64::from(*powers.select_nth_unstable_by(middle, f32::total_cmp).1))
    }

    /// Active level and activity by P.56 of what is no music, no tone, no key.
    pub(super) fn active(&self, heard: &Heard, within: &[Span]) -> Option<(f64, f64)> {
        let slot_ms = SLOT_FRAMES as u64 * FRAME_MS;
        let mut sum = Stretch::default();
        let wanted = without(within, &self.other);
        let mut rest = &wanted[..];
        for (n, slot) in heard.slots.iter().enumerate() {
            let span = Span::new(n as u64 * slot_ms, (n as u64 + 1) * slot_ms);
            while rest.first().is_some_and(|first| first.to_ms <= span.from_ms) {
                rest = &rest[1..];
            }
            let whole = rest.first().is_some_and(|first| {
                first.from_ms <= span.from_ms && (span.to_ms <= first.to_ms || first.to_ms >= heard.length_ms)
            });
            if whole {
                sum.add(slot);
            }
        }
        sum.active()
    }

    /// Mean power while speaking, in dBov, and that without the noise.
    pub(super) fn spoken(&self, heard: &Heard, within: &[Span], noise: Option<f64>) -> Option<f64> {
        let (mut count, mut sum) = (0u64, 0.0);
        for frame in frames_in(&heard.frames, &shared(&self.speech, within)) {
            count += 1;
            sum += f64::from(frame.power);
        }
        let power = sum / count as f64 - noise.unwrap_or(0.0);
        (count > 0 && power >= 1.0).then(|| decibels(power))
    }

    pub(super) fn speech_ms(&self, within: &[Span]) -> u64 {
        total_ms(&shared(&self.speech, within))
    }

    /// The longest time without a word within one stretch of `within`.
    pub(super) fn longest_silence(&self, within: &[Span]) -> Option<Span> {
        let silent = without(within, &self.speech);
        silent.into_iter().max_by_key(|span| (span.ms(), std::cmp::Reverse(span.from_ms)))
    }
}

pub(super) fn frames_in<'a>(frames: &'a [Frame], spans: &'a [Span]) -> impl Iterator<Item = &'a Frame> {
    spans.iter().flat_map(|span| {
        let from = (span.from_ms.div_ceil(FRAME_MS) as usize).min(frames.len());
        let to = ((span.to_ms / FRAME_MS) as usize).clamp(from, frames.len());
        &frames[from..to]
    })
}

/// Median power of the frames in which the detector hears nobody, though there is a sound. Loud music or a prompt is no floor.
fn floor(frames: &[Frame], within: &[Span]) -> f32 {
    let quiet = frames_in(frames, within).filter(|frame| frame.voice < VOICE && !frame.flat);
    let mut powers: Vec<f32> = quiet.map(|frame| frame.power).collect();
    if powers.len() < FEWEST_QUIET {
        return 0.0;
    }
    let middle = powers.len() / 2;
    *powers.select_nth_unstable_by(middle, f32::total_cmp).1
}

fn spans_of(frames: &[Frame], is: impl Fn(&Frame) -> bool) -> Vec<Span> {
    let at = |n: usize| n as u64 * FRAME_MS;
    let mut out: Vec<Span> = Vec::new();
    for (n, _) in frames.iter().enumerate().filter(|(_, frame)| is(frame)) {
        match out.last_mut() {
            Some(last) if last.to_ms == at(n) => last.to_ms = at(n + 1),
            _ => out.push(Span::new(at(n), at(n + 1))),
        }
    }
    out
}

fn long(mut spans: Vec<Span>, least_ms: u64) -> Vec<Span> {
    spans.retain(|span| span.ms() >= least_ms);
    spans
}

/// Where every window that tells anything tells of music: what a window shares with speech is left to the speech, and what is not this
/// person's (a prompt over a tone looks like music) tells nothing.
fn music(frames: &[Frame], apart: &[Span]) -> Vec<Span> {
    let mut tells: Vec<bool> = frames.iter().map(|frame| !frame.tone).collect();
    for span in apart {
        let at = |ms: u64| usize::try_from(ms / FRAME_MS).unwrap_or(usize::MAX).min(frames.len());
        tells[at(span.from_ms)..at(span.to_ms).max(at(span.from_ms))].fill(false);
    }
    let mut verdicts = vec![None; frames.len().div_ceil(HOP)];
    for (n, begin) in (0..frames.len()).step_by(HOP).enumerate() {
        let window = begin..(begin + WINDOW).min(frames.len());
        let no_tones = || window.clone().filter(|at| tells[*at]).map(|at| &frames[at]);
        let all: u32 = no_tones().map(|frame| u32::from(frame.peaks)).sum();
        let lasting: u32 = no_tones().map(|frame| u32::from(frame.lasting)).sum();
        if all >= FEWEST {
            verdicts[n] = Some(f64::from(lasting) >= MUSIC * f64::from(all));
        }
    }
    let covers = WINDOW / HOP;
    let is_music = |hop: usize| {
        let windows = &verdicts[hop.saturating_sub(covers - 1)..=hop];
        windows.contains(&Some(true)) && !windows.contains(&Some(false))
    };
    let at = |hop: usize| (hop * HOP).min(frames.len()) as u64 * FRAME_MS;
    let spans = (0..verdicts.len()).filter(|hop| is_music(*hop)).map(|hop| Span::new(at(hop), at(hop + 1)));
    merged(spans.collect(), 0)
}
