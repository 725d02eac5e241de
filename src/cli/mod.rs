//! The commands, as functions that write to any `Write`; parsing of arguments is not here.

mod ladder;
pub mod reading;
