//! Who talks to us: trunks and phones.

pub mod health;
pub mod known;
pub mod limit;
pub mod number;
pub mod route;
pub mod trunk;
