//! Audio as samples: 8 kHz, 16 bit, one channel.

pub mod g711;
pub mod mix;
pub mod resample;
