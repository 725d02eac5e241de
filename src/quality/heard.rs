//! What a call keeps of a measurement: one line every ten seconds, and the whole at the end. Counts, no scores: those are
//! computed from them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::measured::Measured;
use super::score::{Score, score};
use super::sent::Sent;

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

/// What became of a stream's sound where the gateway itself decoded it: toward the other leg if the two differ, and for the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Decoded {
    /// Packets that came to the jitter buffer after their sound was due.
    pub late: u64,
    /// Packets without room, and 10 ms that were left out to shorten the delay.
    pub discarded: u64,
    /// 10 ms that were put in to lengthen it.
    pub expanded: u64,
    /// Sound that was lost and made up for the other leg.
    pub concealed_us: u64,
    /// The same of the recording: what came later than it waits, and what was made up.
    pub recording_late_us: u64,
    pub recording_concealed_us: u64,
    /// How far it lay in the recording from where it came, for ten seconds or more. Facts of before do not tell: 0.
    #[serde(default)]
    pub recording_astray_us: u64,
}

impl Decoded {
    pub(crate) fn add(&mut self, other: &Decoded) {
        self.late += other.late;
        self.discarded += other.discarded;
        self.expanded += other.expanded;
        self.concealed_us += other.concealed_us;
        self.recording_late_us += other.recording_late_us;
        self.recording_concealed_us += other.recording_concealed_us;
        self.recording_astray_us = self.recording_astray_us.max(other.recording_astray_us);
    }
}

/// One direction from its first packet to its last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// The encoding name of its sound.
    pub codec: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u64>,
    /// `None`: facts from before it was counted, and legs whose sound nobody decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded: Option<Decoded>,
    /// What we sent to this person, as their phone or trunk reports it; `None`: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Box<Sent>>,
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
