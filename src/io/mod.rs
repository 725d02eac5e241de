//! Sockets, threads, clocks, files: where the program touches the world.

pub mod bindings;
mod budget;
pub mod clock;
pub mod dialplans;
pub mod disk;
pub mod door;
pub mod driver;
pub mod ledger;
pub mod mailbox;
mod media_thread;
mod recording;
pub mod rtp;
mod socket;
pub mod tcp;
pub mod udp;
