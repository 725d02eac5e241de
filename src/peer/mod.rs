//! Who talks to us: trunks and phones.

pub mod known;
pub mod trunk;
