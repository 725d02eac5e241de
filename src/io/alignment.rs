//! Measures in the file of a recording whether its channels lie where the facts say: prompts on the right one, by their likeness to
//! what was played; and on the left one nothing before the caller's first packet.

use std::path::Path;
use std::sync::Arc;

use super::recording;
use super::vault::Vault;
use crate::call::fact::{Fact, What};
use crate::cdr::{Played, Record};
use crate::ids::Side;
use crate::media::SAMPLE_RATE_HZ;
use crate::protocol::audio::resample;
use crate::quality::speech::place_of;
use crate::store::Kept;

/// What a text sounds like at 8 kHz; `None`: nobody knows any more.
pub type Say<'a> = dyn FnMut(&str) -> Option<Arc<[i16]>> + 'a;

const SAMPLES_A_MS: u64 = SAMPLE_RATE_HZ as u64 / 1_000;
/// So far from where it was played a prompt is looked for: half a second.
const AROUND_MS: u64 = 500;
/// So much of a prompt is compared: 2 s.
const COMPARED_MS: u64 = 2_000;
/// Less is too little to tell: half a second.
const LEAST_MS: u64 = 500;
const LEAST: usize = (LEAST_MS * SAMPLES_A_MS) as usize;
/// Less alike is another prompt: it was replaced since, or nobody could hear it.
const ALIKE: f64 = 0.5;
/// Prompts of a call that are looked for.
const MOST: usize = 16;
/// RFC 3550's jitter takes a 16th of each packet's: below this (20 ms / 16) no packet was later than its neighbour by 20 ms, so the first
/// one was not either.
const CALM_MS: f64 = 1.25;

/// A prompt that was found: where it was played, and how much later it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) at_ms: u64,
    pub(super) later_ms: i64,
}

/// A recording and what is known of its call.
pub(super) struct Take<'a> {
    pub(super) data: &'a Path,
    pub(super) vault: &'a Vault,
    pub(super) row: &'a Kept,
    pub(super) record: &'a Record,
    pub(super) facts: &'a [Fact],
}

impl Take<'_> {
    /// The prompts that can be told from what else is heard.
    pub(super) fn prompts(&self, tolerance_ms: u64, say: &mut Say<'_>) -> Vec<Found> {
        let found = self.record.played.iter().filter_map(|played| self.prompt(played, tolerance_ms, say));
        found.take(MOST).collect()
    }

    fn prompt(&self, played: &Played, tolerance_ms: u64, say: &mut Say<'_>) -> Option<Found> {
        let (from_ms, to_ms) = (played.from_ms?, played.to_ms?.min(self.row.duration_ms));
        let length_ms = to_ms.checked_sub(from_ms)?.min(COMPARED_MS);
        let blanked = |b: &crate::cdr::Blanked| b.from_ms < to_ms && b.to_ms.is_none_or(|to| to > from_ms);
        if length_ms < LEAST_MS || self.row.blanked.iter().any(blanked) {
            return None;
        }
        let audio = say(&played.prompt)?;
        let known = &audio[..audio.len().min((length_ms * SAMPLES_A_MS) as usize)];
        let begin_ms = from_ms.saturating_sub(AROUND_MS);
        let heard = self.channel(1, begin_ms, from_ms + length_ms + AROUND_MS);
        let later_ms = |known: &[i16]| {
            let place = place_of(known, &heard).filter(|place| place.likeness >= ALIKE)?;
            let at_ms = i64::try_from(begin_ms + place.at as u64 / SAMPLES_A_MS).ok()?;
            Some(at_ms - i64::try_from(from_ms).ok()?)
        };
        let in_place = |later_ms: &i64| later_ms.unsigned_abs() <= tolerance_ms;
        let whole_ms = later_ms(known);
        // A thread that stood still moves the rest of a prompt back for all who hear it: where it begins decides.
        let begins_ms = || later_ms(&known[..known.len().min(LEAST)]).filter(in_place);
        let later_ms = whole_ms.filter(in_place).or_else(begins_ms).or(whole_ms)?;
        Some(Found { at_ms: from_ms, later_ms })
    }

    /// When the caller is heard before a packet of the caller came, and when that was, in ms; nothing is said where the first packet may
    /// have been late.
    pub(super) fn too_early(&self, tolerance_ms: u64) -> Option<(u64, u64)> {
        let connected = self.facts.iter().find(|fact| matches!(fact.what, What::Connected))?.at;
        let arrived = self.facts.iter().find(|fact| matches!(fact.what, What::MediaArrived { leg: Side::Caller }))?.at;
        let arrived_ms = arrived.millis_since(connected)?;
        let jitter = self.record.quality.caller.figures.more.as_ref().map(|more| more.jitter_max_ms)?;
        let until_ms = arrived_ms.checked_sub(tolerance_ms).filter(|ms| *ms > 0 && jitter < CALM_MS)?;
        let sound = self.channel(0, 0, until_ms).iter().position(|sample| *sample != 0)?;
        Some((sound as u64 / SAMPLES_A_MS, arrived_ms))
    }

    /// A stretch of one channel at 8 kHz, as far as it can be read.
    fn channel(&self, channel: usize, from_ms: u64, to_ms: u64) -> Vec<i16> {
        let (mut heard, mut begins_ms) = (Vec::new(), 0);
        for kept in self.row.files() {
            let ends_ms = begins_ms + kept.duration_ms;
            let (from, to) = (from_ms.max(begins_ms), to_ms.min(ends_ms));
            if from < to {
                let span = (from - begins_ms, to - begins_ms);
                let Ok((rate_hz, samples)) = recording::channel(&self.data.join(&kept.path), self.vault, channel, span)
                else {
                    break;
                };
                heard.extend(if rate_hz == SAMPLE_RATE_HZ { samples } else { resample::halve(&samples) });
            }
            begins_ms = ends_ms;
        }
        heard
    }
}
