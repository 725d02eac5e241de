//! What a call keeps of a measurement: one line every ten seconds, and the whole at the end. Counts, no scores: those are
//! computed from them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::measured::Measured;
use super::score::{Score, score};

/// How long an interval is.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// What was received and judged in one interval; it ends at its fact's stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Line {
    pub packets: u64,
    /// Given up in this interval: a missing packet is waited for through 128 numbers.
    pub lost: u64,
    /// Of those judged: lost, or too late for the adaptive buffer.
    pub unheard: u64,
    pub jitter_mean_us: u64,
    pub jitter_max_us: u64,
    /// The last round trip that RTCP told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u64>,
}

/// One direction from its first packet to its last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// The encoding name of its sound.
    pub codec: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u64>,
    #[serde(flatten)]
    pub measured: Measured,
}

impl Line {
    pub fn of(measured: &Measured, rtt_us: Option<u64>) -> Line {
        Line {
            packets: measured.packets,
            lost: measured.lost,
            unheard: measured.heard.lost,
            jitter_mean_us: measured.jitter.mean / 1_000,
            jitter_max_us: measured.jitter.max / 1_000,
            rtt_us,
        }
    }
}

impl Heard {
    /// The listener's phone is taken to conceal losses, as nearly all do.
    pub fn score(&self) -> Option<Score> {
        score(&self.measured, &self.codec, true, self.rtt_us.map(Duration::from_micros))
    }
}
