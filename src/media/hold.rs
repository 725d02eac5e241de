//! What a person on hold hears: two soft notes every six seconds, so that nobody takes the line for dead.
//!
//! A phone that plays music of its own while it holds (`sendonly`, RFC 3264 section 8.4) is heard instead.

use std::f64::consts::{PI, TAU};
use std::time::Duration;

use super::SAMPLE_RATE_HZ;
use super::playout::{FRAME, FRAME_TIME, MAX_BURST};
use crate::clock::Instant;
use crate::ids::LegId;

/// c″ and e″ of equal temperament; nothing that a network's tones (350 to 480 Hz) could be taken for.
const NOTES_HZ: [f64; 2] = [523.25, 659.26];
/// Samples of one note: 0.4 s.
const NOTE: u64 = 3_200;
/// Samples from the first note to the first note: 6 s.
const PERIOD: u64 = 48_000;
/// Samples over which a note swells, and over which it fades: 100 ms.
const EDGE: u64 = 800;
/// About −30 dBm0: 20 dB below our ringing tone.
const PEAK: f64 = 710.0;

/// So long after the holder's last packet its own music counts as over.
const OWN_MUSIC: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Hold {
    /// Whose peer holds the other one.
    pub(super) by: LegId,
    start: Instant,
    /// Frames given out or missed.
    frames: u64,
    /// The holder's last packet (or the begin, as it may have music of its own): a while after it the tone is still.
    own: Instant,
}

impl Hold {
    pub(super) fn new(by: LegId, start: Instant) -> Hold {
        Hold { by, start, frames: 0, own: start }
    }

    /// The holder sends something itself.
    pub(super) fn hear(&mut self, now: Instant) {
        self.own = now;
    }

    /// When the next frame is due.
    pub(super) fn deadline(&self) -> Instant {
        self.start + Duration::from_nanos(FRAME_TIME.as_nanos() as u64 * self.frames)
    }

    /// The next frame, if it is due; of those that were missed, only the last few. `None` in it: the holder plays itself.
    pub(super) fn frame(&mut self, now: Instant) -> Option<(Instant, Option<[i16; FRAME]>)> {
        let late = now.since(self.deadline()).as_nanos() as u64 / FRAME_TIME.as_nanos() as u64;
        self.frames += (late + 1).saturating_sub(MAX_BURST);
        let at = self.deadline();
        if at > now {
            return None;
        }
        let first = self.frames * FRAME as u64;
        self.frames += 1;
        let own = at.since(self.own) < OWN_MUSIC;
        Some((at, (!own).then(|| std::array::from_fn(|n| sample(first + n as u64)))))
    }
}

fn sample(n: u64) -> i16 {
    let n = n % PERIOD;
    let Some(hz) = usize::try_from(n / NOTE).ok().and_then(|note| NOTES_HZ.get(note)) else { return 0 };
    let n = n % NOTE;
    let to_edge = n.min(NOTE - 1 - n).min(EDGE) as f64 / EDGE as f64;
    let swell = (1.0 - (PI * to_edge).cos()) / 2.0;
    (PEAK * swell * (TAU * hz * n as f64 / f64::from(SAMPLE_RATE_HZ)).sin()).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_soft_notes_and_then_silence() {
        let mut hold = Hold::new(LegId(1), Instant::START);
        let mut sound = Vec::new();
        for n in 0..600 {
            let (at, frame) = hold.frame(Instant::from_millis(n * 20)).unwrap();
            assert_eq!(at, Instant::from_millis(n * 20));
            assert_eq!(frame.is_none(), n < 25, "the holder may have music of its own");
            sound.extend(frame.unwrap_or([0; FRAME]));
        }
        let sound = &sound[48_000..];
        let level = |from: usize, to: usize| {
            let sum: f64 = sound[from..to].iter().map(|s| f64::from(*s).powi(2)).sum();
            (sum / (to - from) as f64).sqrt()
        };
        assert!((350.0..520.0).contains(&level(800, 2_400)) && (350.0..520.0).contains(&level(4_000, 5_600)));
        assert_eq!(level(6_400, 48_000), 0.0);
        let steps = sound.windows(2).map(|w| (i32::from(w[0]) - i32::from(w[1])).abs()).max().unwrap();
        assert!(steps < 400, "it clicks: {steps}");
    }

    #[test]
    fn the_holders_own_music_goes_first_and_a_stall_makes_no_burst() {
        let mut hold = Hold::new(LegId(1), Instant::START);
        hold.hear(Instant::START);
        let still = |hold: &mut Hold, ms| hold.frame(Instant::from_millis(ms)).map(|(_, frame)| frame.is_none());
        assert_eq!(still(&mut hold, 0), Some(true));
        assert_eq!(still(&mut hold, 10), None);
        let late: Vec<_> = std::iter::from_fn(|| still(&mut hold, 1_000)).collect();
        assert_eq!(late, [false, false, false]);
        assert_eq!(hold.deadline(), Instant::from_millis(1_020));
    }
}
