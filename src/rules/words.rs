//! What was said in a call, by whom and when: a transcript, and with it what the gateway played to the caller.

use super::case::Seen;
use super::phrase::{Spoken, Wording};
use super::transcript::Transcript;
use crate::ids::Side;

/// Something that was said.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// The gateway speaks on the agent's side.
    pub(super) by: Side,
    /// From the playback log, not from a recogniser.
    pub(super) played: bool,
    /// Since *connected*.
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    confidence_percent: Option<u8>,
    spoken: Spoken,
}

impl Said {
    /// Whether the recogniser is as sure as that; one that never says so is.
    pub(super) fn is_sure(&self, least_percent: u64) -> bool {
        self.confidence_percent.is_none_or(|percent| u64::from(percent) >= least_percent)
    }

    pub(super) fn has(&self, wordings: &[Wording]) -> bool {
        wordings.iter().any(|wording| wording.is_in(&self.spoken))
    }
}

/// In order of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(Vec<Said>);

impl Words {
    pub(super) fn of(transcript: &Transcript, seen: &Seen) -> Words {
        let heard = transcript.utterances.iter().map(|heard| Said {
            by: heard.channel,
            played: false,
            from_ms: heard.from_ms,
            to_ms: heard.to_ms,
            confidence_percent: heard.confidence_percent,
            spoken: Spoken::of(&heard.text),
        });
        let mut all: Vec<Said> = heard.chain(played(seen)).filter(|said| !said.spoken.is_empty()).collect();
        all.sort_by_key(|said| (said.from_ms, said.to_ms));
        Words(all)
    }

    pub(super) fn by(&self, side: Side) -> impl Iterator<Item = &Said> {
        self.0.iter().filter(move |said| said.by == side)
    }
}

/// What was played to its end after *connected*.
fn played(seen: &Seen) -> impl Iterator<Item = Said> + '_ {
    let whole = seen.plays.iter().filter(|played| played.to_end);
    whole.filter_map(|played| {
        let connected = seen.connected?.at;
        let from_ms = played.span.from.at.millis_since(connected)?;
        let to_ms = played.span.to?.at.millis_since(connected)?;
        let spoken = Spoken::of(&played.text);
        Some(Said { by: Side::Agent, played: true, from_ms, to_ms, confidence_percent: None, spoken })
    })
}
