//! Who talks to us: trunks and phones.

pub mod known;
pub mod lockout;
pub mod registrar;
#[cfg(test)]
mod registrar_tests;
pub mod trunk;
pub mod unanswered;
