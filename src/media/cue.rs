//! The tones that only the agent hears.

use std::f64::consts::TAU;
use std::sync::Arc;

use super::SAMPLE_RATE_HZ;

/// Nothing that a network's tones (350 to 480 Hz, 950 to 1,800 Hz) or a hold's notes could be taken for.
const FREQUENCY_HZ: f64 = 784.0;
/// One beep, and the pause after it: 150 ms each.
const BEEP: usize = 1_200;
/// Over which it swells and fades: 5 ms.
const EDGE: f64 = 40.0;
/// About −25 dBm0: heard beside a voice, and not over it.
const PEAK: f64 = 1_300.0;

/// So many short beeps; 8 kHz, 16 bit.
pub fn cue_tone(beeps: usize) -> Arc<[i16]> {
    let sample = |n: usize| {
        let within = n % (2 * BEEP);
        if within >= BEEP {
            return 0;
        }
        let edge = (within.min(BEEP - 1 - within) as f64 / EDGE).min(1.0);
        (PEAK * edge * (TAU * FREQUENCY_HZ * within as f64 / f64::from(SAMPLE_RATE_HZ)).sin()).round() as i16
    };
    (0..beeps * 2 * BEEP).map(sample).collect()
}
