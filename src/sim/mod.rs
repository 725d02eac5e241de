//! Callers, agents and a network of our own making: the other side of the switch, for the demo and for tests.
//!
//! [`phone`] is a SIP phone without IO, driven by a script; [`world`] puts a switch and phones on a virtual network and clock;
//! [`scenario`] says who people are; [`run`] lets them call, and [`invariants`] watches.

pub mod day;
pub mod file;
pub mod hearing;
pub mod invariants;
pub mod live;
pub mod manner;
pub mod network;
pub mod oracle;
pub mod phone;
#[cfg(test)]
mod presence_tests;
pub mod recogniser;
pub mod run;
pub mod scenario;
pub mod sound;
#[cfg(test)]
mod sweep_tests;
mod tricks;
pub mod world;
