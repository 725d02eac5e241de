//! Ringing tone of our own, on a 20 ms clock (ITU-T E.180): 450 Hz, `burst` on, then silence up to `period`.
//!
//! Silence is sent too, so that the stream toward the caller is whole. Unlike a prompt the tone keeps to the wall
//! clock when a wake-up was late: rings are counted by it.

use std::f64::consts::{PI, TAU};
use std::time::Duration;

use super::SAMPLE_RATE_HZ;
use super::playout::{FRAME, FRAME_TIME, MAX_BURST};
use crate::clock::Instant;
use crate::ids::LegId;
use crate::protocol::rtp::units;

/// China's, like that of most of Europe; 450 Hz has 9 whole waves in a frame.
const FREQUENCY_HZ: f64 = 450.0;

/// −10 dBm0, in the middle of what E.180 allows: a full-scale sine is +3.14 dBm0 (G.711), so this peak is 13.14 dB below
/// the largest value of A-law, 32,256.
const PEAK: f64 = 7_105.0;

/// Samples over which a burst swells and fades, so that it does not click: 5 ms.
const EDGE: u64 = 40;

#[derive(Debug)]
pub(super) struct Ringback {
    pub(super) leg: LegId,
    start: Instant,
    /// Frames given out or missed.
    frames: u64,
    begun: bool,
    /// In samples; a period is never empty.
    burst: u64,
    period: u64,
    wave: [f64; FRAME],
}

impl Ringback {
    pub(super) fn new(leg: LegId, burst: Duration, period: Duration, start: Instant) -> Self {
        let period = units(period).max(1);
        let step = TAU * FREQUENCY_HZ / f64::from(SAMPLE_RATE_HZ);
        let wave = std::array::from_fn(|n| PEAK * (n as f64 * step).sin());
        Ringback { leg, start, frames: 0, begun: false, burst: units(burst).min(period), period, wave }
    }

    /// When the next frame is due.
    pub(super) fn deadline(&self) -> Instant {
        self.start + Duration::from_nanos(FRAME_TIME.as_nanos() as u64 * self.frames)
    }

    /// The next frame, if it is due; of those that were missed, only the last few.
    pub(super) fn frame(&mut self, now: Instant) -> Option<(Instant, [i16; FRAME])> {
        let late = now.since(self.deadline()).as_nanos() as u64 / FRAME_TIME.as_nanos() as u64;
        self.frames += (late + 1).saturating_sub(MAX_BURST);
        let at = self.deadline();
        if at > now {
            return None;
        }
        let first = self.frames * FRAME as u64;
        self.frames += 1;
        Some((at, std::array::from_fn(|n| self.sample(first + n as u64))))
    }

    /// Once, after the first frame that could be sent.
    pub(super) fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }

    fn sample(&self, n: u64) -> i16 {
        let n = n % self.period;
        if n >= self.burst {
            return 0;
        }
        let to_edge = n.min(self.burst - 1 - n).min(EDGE) as f64 / EDGE as f64;
        let swell = (1.0 - (PI * to_edge).cos()) / 2.0;
        (swell * self.wave[n as usize % FRAME]).round() as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cn() -> Ringback {
        let (burst, period) = (Duration::from_secs(1), Duration::from_secs(5));
        Ringback::new(LegId(1), burst, period, Instant::from_millis(1_000))
    }

    /// `seconds` of tone.
    fn sound(mut ringback: Ringback, seconds: u64) -> Vec<i16> {
        let now = |frame: u64| Instant::from_millis(1_000 + frame * 20);
        (0..seconds * 50).flat_map(|frame| ringback.frame(now(frame)).unwrap().1).collect()
    }

    #[test]
    fn one_second_on_and_four_off_at_450_hz_and_minus_10_dbm0() {
        let sound = sound(cn(), 10);
        for ring in sound.chunks(40_000) {
            let (tone, rest) = ring.split_at(8_000);
            let rms = (tone.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / 8_000.0).sqrt();
            // A full A-law sine is +3.14 dBm0 (G.711 table 5).
            let dbm0 = 20.0 * (rms / (32_256.0 / 2f64.sqrt())).log10() + 314.0 / 100.0;
            assert!((dbm0 + 10.0).abs() < 0.1, "{dbm0} dBm0");
            let crossings = tone.windows(2).filter(|w| (w[0] < 0) != (w[1] < 0)).count();
            assert!(crossings.abs_diff(900) <= 1, "{crossings}");
            assert!(tone[..4].iter().chain(&tone[7_996..]).all(|s| s.abs() < 200), "clean edges");
            assert!(rest.iter().all(|s| *s == 0));
        }
    }

    #[test]
    fn a_stall_costs_frames_and_not_the_clock() {
        let mut ringback = cn();
        let mut wake = |ms| -> Vec<u64> {
            let now = Instant::from_millis(ms);
            std::iter::from_fn(|| ringback.frame(now)).map(|(at, _)| at.as_nanos() / 1_000_000).collect()
        };
        assert_eq!([wake(1_000), wake(1_019)], [vec![1_000], vec![]]);
        assert_eq!(wake(1_205), [1_160, 1_180, 1_200]);
        assert_eq!(wake(1_220), [1_220]);
    }
}
