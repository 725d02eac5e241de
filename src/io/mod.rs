//! The edge: sockets, threads, clocks, files.

pub mod dialplans;
