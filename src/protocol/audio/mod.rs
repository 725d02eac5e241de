//! Audio as samples: 8 or 16 kHz, 16 bit, one channel.

pub mod comfort;
pub mod dtmf;
pub mod g711;
pub mod g722;
pub mod mix;
pub mod resample;
