//! Who talks to us: trunks and phones.

pub mod trunk;
