//! The tone after which a caller's message begins, and the one by which people know that they are recorded.

use std::f64::consts::TAU;
use std::sync::{Arc, LazyLock};

use super::SAMPLE_RATE_HZ;

/// Over which it swells and fades, so that it does not click: 5 ms.
const EDGE: f64 = 40.0;

/// 1 kHz, as answering machines have it; 400 ms; −10 dBm0, like our ringing tone.
static BEEP: LazyLock<Arc<[i16]>> = LazyLock::new(|| tone(1_000.0, 3_200, 7_105.0));

/// The recorder warning tone (US Federal Standard 1037C): 1,400 Hz, half a second; −23 dBm0, to be heard beside a voice.
static WARNING: LazyLock<Arc<[i16]>> = LazyLock::new(|| tone(1_400.0, 4_000, 1_590.0));

fn tone(hz: f64, samples: u32, peak: f64) -> Arc<[i16]> {
    let sample = |n: u32| {
        let edge = (f64::from(n.min(samples - 1 - n)) / EDGE).min(1.0);
        (peak * edge * (TAU * hz * f64::from(n) / f64::from(SAMPLE_RATE_HZ)).sin()).round() as i16
    };
    (0..samples).map(sample).collect()
}

/// 8 kHz, 16 bit.
pub fn beep() -> Arc<[i16]> {
    Arc::clone(&BEEP)
}

/// 8 kHz, 16 bit.
pub(super) fn warning() -> Arc<[i16]> {
    Arc::clone(&WARNING)
}
