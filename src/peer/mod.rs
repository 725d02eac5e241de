//! Who talks to us: trunks and phones.

pub mod account;
pub mod health;
pub mod identity;
pub mod known;
pub mod limit;
pub mod lockout;
pub mod number;
pub mod registrar;
#[cfg(test)]
mod registrar_tests;
pub mod registration;
pub mod route;
pub mod token;
pub mod trunk;
pub mod unanswered;
