//! What can be heard in a channel of a recording without understanding a word: when somebody speaks, how loud, over what
//! noise, and what is no speech (music, tones, keys, digital silence); and of two channels who speaks when.
//!
//! [`Ear`] is fed a channel piece by piece and keeps some octets of each 16 ms (about 1.2 kB a second). [`Heard`] is a channel as a
//! whole; [`listen`] makes the figures of one or two of them ([`Listening`]). Pure: no clock, no file.
//!
//! Levels are in dBov: 0 is a full-scale square wave (ITU-T G.100.1). What is an estimate says so.

mod active_level;
mod detector;
mod ear;
mod figures;
mod keypad;
mod pace;
mod place;
mod side;
mod span;
mod steady;
mod together;
mod tonality;

pub(crate) use active_level::Envelope;
pub(crate) use detector::{Detector, VOICE};
pub use ear::{Ear, Heard, LONGEST_S};
pub use figures::{
    Cause, Cut, Key, Listening, Quiet, Responses, Scene, SegmentFigures, SideFigures, Slam, TogetherFigures, VERSION,
    listen,
};
pub(crate) use keypad::Keypad;
pub use place::{Place, place_of};
pub use span::Span;
pub(crate) use steady::Steady;

/// Of a frame, the grid of all times here.
pub const FRAME_MS: u64 = 16;
/// Samples of a frame at 8 kHz.
const FRAME_SAMPLES: usize = 128;
/// Nothing quieter is a voice: −60 dBov, as a mean square.
const QUIETEST: f32 = 1_074.0;

/// Mean square of 16-bit samples as dBov.
fn decibels(power: f64) -> f64 {
    10.0 * (power / (32_768.0 * 32_768.0)).log10()
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
