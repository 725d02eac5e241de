//! The tone after which a caller's message begins.

use std::f64::consts::TAU;
use std::sync::{Arc, LazyLock};

use super::SAMPLE_RATE_HZ;

/// 1 kHz, as answering machines have it; 400 ms.
const FREQUENCY_HZ: f64 = 1_000.0;
const SAMPLES: u32 = 3_200;
/// Over which it swells and fades, so that it does not click: 5 ms.
const EDGE: f64 = 40.0;
/// −10 dBm0, like our ringing tone.
const PEAK: f64 = 7_105.0;

static BEEP: LazyLock<Arc<[i16]>> = LazyLock::new(|| {
    let sample = |n: u32| {
        let edge = (f64::from(n.min(SAMPLES - 1 - n)) / EDGE).min(1.0);
        (PEAK * edge * (TAU * FREQUENCY_HZ * f64::from(n) / f64::from(SAMPLE_RATE_HZ)).sin()).round() as i16
    };
    (0..SAMPLES).map(sample).collect()
});

/// 8 kHz, 16 bit.
pub fn beep() -> Arc<[i16]> {
    Arc::clone(&BEEP)
}
