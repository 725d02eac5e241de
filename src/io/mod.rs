//! The edge: sockets, threads, clocks, files.

pub mod clock;
pub mod disk;
mod media_thread;
mod recording;
pub mod rtp;
mod socket;
