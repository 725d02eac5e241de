//! Sockets, threads, clocks, files: where the program touches the world.

pub mod bindings;
mod budget;
pub mod clock;
mod connections;
pub mod control;
pub mod custody;
pub mod descriptors;
pub mod dialplans;
pub mod disk;
pub mod door;
pub mod driver;
#[cfg(test)]
pub(crate) mod faulty;
pub mod inspection;
pub mod ledger;
pub mod listening;
pub mod mailbox;
mod media_thread;
mod places;
pub mod playback;
mod priority;
pub mod probe;
pub mod questions;
pub(crate) mod recording;
pub mod refusals;
pub mod resolver;
pub mod rtp;
pub mod scorecards;
mod socket;
mod sound_file;
pub mod space;
pub mod supervisor;
pub mod tcp;
pub mod tls;
pub mod udp;
pub mod vault;
mod x509;
