//! How fast somebody speaks: an estimate. Counted are the nuclei of syllables, peaks of the level with a dip on either side;
//! syllables that run into one another are counted as one, so the truth is rather above it.

use super::decibels;
use super::ear::{Frame, Heard};
use super::side::frames_in;
use super::span::{Span, total_ms};

/// Between two nuclei the level dips by at least so much, in dB.
const DIP_DB: f64 = 1.5;
/// Quieter peaks, in dB below the mean of speech, are no nuclei.
const BELOW_DB: f64 = 12.0;
/// Less speech than this tells nothing: 5 s.
const LEAST_MS: u64 = 5_000;

/// Syllables in a minute of speech, pauses up to 200 ms included; `None`: too little was said.
pub(super) fn syllables_per_min(heard: &Heard, speech: &[Span]) -> Option<u64> {
    let ms = total_ms(speech);
    if ms < LEAST_MS {
        return None;
    }
    let (count, sum) =
        frames_in(&heard.frames, speech).fold((0u64, 0.0), |(n, sum), f| (n + 1, sum + f64::from(f.power)));
    let least = decibels(sum / count.max(1) as f64) - BELOW_DB;
    let nuclei: u64 = speech.iter().map(|span| nuclei(heard, *span, least)).sum();
    Some((nuclei * 60_000 + ms / 2) / ms)
}

fn nuclei(heard: &Heard, span: Span, least: f64) -> u64 {
    let spans = [span];
    let levels: Vec<f64> = frames_in(&heard.frames, &spans).map(level).collect();
    let smooth = |n: usize| {
        let before = levels[n.saturating_sub(1)];
        let after = levels[(n + 1).min(levels.len() - 1)];
        0.25 * before + 0.5 * levels[n] + 0.25 * after
    };
    let (mut count, mut low, mut high, mut rising) = (0, f64::MAX, f64::MIN, true);
    for now in (0..levels.len()).map(smooth) {
        if rising {
            high = high.max(now);
            if now < high - DIP_DB {
                count += u64::from(high >= least);
                (rising, low) = (false, now);
            }
        } else {
            low = low.min(now);
            if now > low + DIP_DB {
                (rising, high) = (true, now);
            }
        }
    }
    count + u64::from(rising && high >= least)
}

fn level(frame: &Frame) -> f64 {
    decibels(f64::from(frame.power).max(1.0))
}
