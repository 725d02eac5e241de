//! Sockets, threads, clocks, files: where the program touches the world.

pub mod dialplans;
pub mod ledger;
