//! Callers, agents and a network of our own making: the other side of the switch, for the demo and for tests.
//!
//! [`phone`] is a SIP phone without IO, driven by a script; [`world`] puts a switch and phones on a virtual network and clock.

pub mod live;
pub mod phone;
pub mod world;
