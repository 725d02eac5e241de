//! Audio at the level of samples.

pub mod resample;
