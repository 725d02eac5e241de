//! What a sender's stream does that a network cannot: another SSRC, a jump of its time line, a clock that runs away.

use serde::{Deserialize, Serialize};

use super::drift::Drift;
use crate::clock::Instant;
use crate::limits;
use crate::protocol::rtp::Header;

/// Timestamps that go back by so much, or run ahead of the packets by so much, have jumped.
const BACK_MS: i64 = 100;
const AHEAD_MS: i64 = 1_000;

/// A drift is no news before it was watched for so long, in seconds.
const DRIFT_S: f64 = 20.0;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Upset {
    SsrcChange {
        from: u32,
        to: u32,
    },
    /// Beyond what the packets' arrival explains; negative: back.
    TimestampJump {
        by_ms: i64,
    },
    /// Beyond [`limits::CLOCK_DRIFT_PPM`] by more than three standard errors; positive: the sender is faster. Told once a stream.
    ClockDrift {
        ppm: f64,
        error_ppm: f64,
    },
}

impl Upset {
    pub fn word(&self) -> &'static str {
        match self {
            Upset::SsrcChange { .. } => "ssrc_change",
            Upset::TimestampJump { .. } => "timestamp_jump",
            Upset::ClockDrift { .. } => "clock_drift",
        }
    }

    /// `None`: as clocks are.
    pub(super) fn of_drift(drift: &Drift) -> Option<Upset> {
        let certain = drift.ppm.abs() - 3.0 * drift.error_ppm;
        let far = drift.over_s >= DRIFT_S && certain > limits::CLOCK_DRIFT_PPM;
        let tenths = |ppm: f64| (ppm * 10.0).round() / 10.0;
        far.then(|| Upset::ClockDrift { ppm: tenths(drift.ppm), error_ppm: tenths(drift.error_ppm) })
    }
}

/// Compares a packet's timestamp with the one before it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TimeLine {
    last: Option<(u16, u32, Instant)>,
}

impl TimeLine {
    /// A packet whose timestamp is its sampling instant; by how many ms the time line has jumped.
    pub(super) fn handle(&mut self, arrival: Instant, header: &Header, clock_rate_hz: u32) -> Option<i64> {
        let next = Some((header.sequence, header.timestamp, arrival));
        let Some((sequence, timestamp, then)) = self.last else {
            self.last = next;
            return None;
        };
        if header.sequence.wrapping_sub(sequence) as i16 <= 0 {
            return None;
        }
        self.last = next;
        let units = i64::from(header.timestamp.wrapping_sub(timestamp) as i32);
        let sampled_ms = units * 1_000 / i64::from(clock_rate_hz.max(1));
        // A stalled network brings packets that belong together late; a pause of the sender takes as long as it says.
        let waited_ms = arrival.since(then).as_millis() as i64;
        let ahead_ms = sampled_ms - waited_ms;
        (sampled_ms <= -BACK_MS || ahead_ms >= AHEAD_MS).then_some(ahead_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number, timestamp in ms and arrival in ms of each packet.
    fn jumps(packets: &[(u16, u64, u64)]) -> Vec<i64> {
        let mut line = TimeLine::default();
        let one = |(sequence, ms, at): &(u16, u64, u64)| {
            let header = Header {
                payload_type: 8,
                marker: false,
                sequence: *sequence,
                timestamp: (*ms as u32).wrapping_mul(8).wrapping_sub(1_000),
                ssrc: 1,
            };
            line.handle(Instant::from_millis(10_000 + at), &header, 8_000)
        };
        packets.iter().filter_map(one).collect()
    }

    #[test]
    fn a_jump_is_told_by_how_far() {
        assert_eq!(jumps(&[(1, 0, 0), (2, 20, 20), (3, 5_040, 40), (4, 5_060, 60)]), [5_000]);
        assert_eq!(jumps(&[(65_535, 900, 0), (0, 20, 20), (1, 40, 40)]), [-900]);
    }

    #[test]
    fn losses_pauses_stalls_and_swaps_are_none() {
        const NONE: [i64; 0] = [];
        assert_eq!(jumps(&[(1, 0, 0), (100, 1_980, 1_980), (101, 2_000, 2_000)]), NONE, "an outage");
        assert_eq!(jumps(&[(1, 0, 0), (2, 9_000, 9_010)]), NONE, "silence suppression");
        assert_eq!(jumps(&[(1, 0, 0), (2, 20, 3_000), (3, 40, 3_000)]), NONE, "a stall");
        assert_eq!(jumps(&[(1, 0, 0), (4, 60, 60), (2, 20, 61), (3, 40, 62), (5, 80, 80)]), NONE);
    }

    #[test]
    fn a_drift_is_told_when_it_is_certain() {
        let told = |ppm, error_ppm, over_s| Upset::of_drift(&Drift { ppm, error_ppm, over_s });
        assert_eq!(told(-250.04, 1.0, 20.0), Some(Upset::ClockDrift { ppm: -250.0, error_ppm: 1.0 }));
        assert_eq!((told(250.0, 17.0, 20.0), told(250.0, 1.0, 19.0), told(199.0, 0.0, 60.0)), (None, None, None));
    }
}
