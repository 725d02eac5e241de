//! Who talks to us: trunks and phones.

pub mod account;
pub mod health;
pub mod identity;
pub mod known;
pub mod limit;
pub mod number;
pub mod registration;
pub mod route;
pub mod trunk;
