//! What a meter counted: the material of facts, records and scores. Plain counts, so that a figure can be computed again.

use serde::{Deserialize, Serialize};

use super::buffer::Buffered;
use super::drift::Drift;
use super::runs::Losses;

/// Of one direction of one leg, for its whole time or for an interval of it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Packets received, duplicates excluded.
    pub packets: u64,
    /// Octets of payload in them.
    pub octets: u64,
    /// Expected by sequence number and never received (of an interval: given up in it).
    pub lost: u64,
    /// RFC 3550 A.3: expected from the first packet that came, less received, duplicates included; negative after many
    /// of them.
    pub cumulative_lost: i64,
    pub duplicates: u64,
    /// Packets with a number below one that had come before.
    pub reordered: u64,
    /// Packets that belong to no stream that is heard: another SSRC beside it, numbers far away.
    pub strays: u64,
    /// New SSRC or new numbers.
    pub restarts: u64,
    /// Jumps of the sender's time line; they are not jitter.
    pub time_cuts: u64,
    /// Of the restarts: those with another SSRC.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ssrc_changes: u64,
    /// Times that timestamps went back, or ahead of what the packets' arrival explains.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub time_jumps: u64,
    /// Of the present stream; `None`: not known, or the path changed meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    pub jitter: JitterNs,
    /// Longest time between two packets, in microseconds (also where nothing was sent: see `losses` for what was lost).
    pub longest_wait_us: u64,
    /// Length of a packet by its timestamps; 0: not known yet.
    pub packet_us: u32,
    /// Runs of what the network lost.
    pub losses: Losses,
    /// Runs of what was lost or would have been discarded by the adaptive buffer.
    pub heard: Losses,
    pub fixed_short: Buffered,
    pub fixed_long: Buffered,
    pub adaptive: Buffered,
    /// First and last arrival, in milliseconds from one another.
    pub lasted_ms: u64,
}

/// RFC 3550 interarrival jitter in nanoseconds: the estimate at the end, its mean, its maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JitterNs {
    pub last: u64,
    pub mean: u64,
    pub max: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Measured {
    /// Received and lost.
    pub fn expected(&self) -> u64 {
        self.packets + self.lost
    }

    /// Share lost by the network, 0 to 1; `None` before the first packet.
    pub fn loss_ratio(&self) -> Option<f64> {
        (self.expected() > 0).then(|| self.lost as f64 / self.expected() as f64)
    }

    /// Packets as milliseconds of sound; packets of unknown length count as 20 ms.
    pub fn millis(&self, packets: f64) -> f64 {
        let packet_us = if self.packet_us == 0 { 20_000 } else { self.packet_us };
        packets * f64::from(packet_us) / 1_000.0
    }
}
