//! What the gateway's own decoders and jitter buffers made of a leg's sound, as its measurement keeps it.

use super::SAMPLE_RATE_HZ;
use super::jitter_buffer::Buffered;
use super::tap::Settled;
use crate::quality::Decoded;

/// Of a direction that was decoded for the other leg; `concealed` in units.
pub(super) fn crossed(counts: Buffered, concealed: u64) -> Decoded {
    let Buffered { late, discarded, expanded } = counts;
    Decoded { late, discarded, expanded, concealed_us: micros(concealed), ..Decoded::default() }
}

/// Of a direction that was recorded.
pub(super) fn recorded(settled: Settled) -> Decoded {
    Decoded {
        recording_late_us: micros(settled.late),
        recording_concealed_us: micros(settled.concealed),
        recording_astray_us: micros(settled.astray),
        ..Decoded::default()
    }
}

fn micros(units: u64) -> u64 {
    units * 1_000_000 / u64::from(SAMPLE_RATE_HZ)
}
