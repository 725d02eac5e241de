//! What is to be said of a direction before any score: most bad scores are really one of these.

use serde::{Deserialize, Serialize};

/// A call shorter than this is not rated, in milliseconds.
pub const SHORTEST_MS: u64 = 5_000;

/// Fewer packets than this are too few: one loss would be half a percent.
pub const LEAST_PACKETS: u64 = 250;

/// One way: this direction brought less than a tenth of what the time holds while the other brought at least half.
const LITTLE: u64 = 10;
const MUCH: u64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Next answered: there was nothing to hear.
    Unanswered,
    /// Shorter than [`SHORTEST_MS`].
    Short,
    /// Neither direction brought a packet.
    NoMedia,
    /// This direction brought (nearly) nothing, the other one did.
    OneWay,
    /// Fewer than [`LEAST_PACKETS`].
    LowSample,
    Rated,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Unanswered => "unanswered",
            Status::Short => "short",
            Status::NoMedia => "no_media",
            Status::OneWay => "one_way",
            Status::LowSample => "low_sample",
            Status::Rated => "rated",
        }
    }
}

/// What a status is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub answered: bool,
    /// How long this direction should have brought packets, in milliseconds.
    pub lasted_ms: u64,
    /// Packets of this direction and, if there is one, of the other.
    pub packets: u64,
    pub other: Option<u64>,
    /// Length of a packet in microseconds; 0: 20 ms.
    pub packet_us: u32,
}

pub fn status(seen: &Seen) -> Status {
    let packet_us = if seen.packet_us == 0 { 20_000 } else { u64::from(seen.packet_us) };
    let whole = seen.lasted_ms.saturating_mul(1_000) / packet_us;
    match *seen {
        Seen { answered: false, .. } => Status::Unanswered,
        Seen { packets: 0, other: None | Some(0), .. } => Status::NoMedia,
        Seen { lasted_ms, .. } if lasted_ms < SHORTEST_MS => Status::Short,
        Seen { packets, other: Some(other), .. } if packets < whole / LITTLE && other >= whole / MUCH => Status::OneWay,
        Seen { packets: 0, .. } => Status::NoMedia,
        Seen { packets, .. } if packets < LEAST_PACKETS => Status::LowSample,
        _ => Status::Rated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_case() {
        let good = Seen { answered: true, lasted_ms: 60_000, packets: 3_000, other: Some(3_000), packet_us: 20_000 };
        let told = |seen: Seen| status(&seen);
        assert_eq!(told(good), Status::Rated);
        assert_eq!(told(Seen { answered: false, ..good }), Status::Unanswered);
        assert_eq!(told(Seen { lasted_ms: 4_999, ..good }), Status::Short);
        assert_eq!(told(Seen { packets: 0, other: Some(0), ..good }), Status::NoMedia);
        assert_eq!(told(Seen { packets: 0, other: None, ..good }), Status::NoMedia);
        assert_eq!(told(Seen { packets: 299, ..good }), Status::OneWay);
        assert_eq!(told(Seen { packets: 0, ..good }), Status::OneWay);
        assert_eq!(
            told(Seen { packets: 299, other: Some(1_499), ..good }),
            Status::Rated,
            "both are thin: silence was not sent"
        );
        assert_eq!(told(Seen { packets: 249, other: Some(800), ..good }), Status::LowSample);
        assert_eq!(told(Seen { packets: 2_000, other: Some(1_000), packet_us: 60_000, ..good }), Status::Rated);
    }
}
