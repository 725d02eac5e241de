//! Transactions (RFC 3261 section 17, corrected by RFC 6026): one machine a file, each to be held against its figure.
//!
//! A machine is told what came in and when; it returns one [`Action`]. It owns its timers and says with `next_timeout`
//! when it wants to be woken; `terminated` says that it may be forgotten. `reliable` (TCP, TLS) switches off
//! retransmission, as the figures say.

mod client;
mod invite_client;
mod invite_server;
mod server;

use std::sync::Arc;

pub use client::Client;
pub use invite_client::InviteClient;
pub use invite_server::InviteServer;
pub use server::Server;

/// What the owner of a transaction has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Nothing,
    /// Hand the response to the core.
    Deliver,
    /// Write these bytes (again).
    Transmit(Arc<[u8]>),
    /// Hand the response to the core and write these bytes (the ACK of a failure).
    DeliverAndTransmit(Arc<[u8]>),
    /// The peer never answered (timers B, F) or never acknowledged (timer H).
    TimedOut,
}
