//! SIP (RFC 3261): a user agent core without IO.
//!
//! Read in this order: [`message`] (bytes ⇄ messages), [`body`] (which part of a body is SDP), [`transaction`] (figures 5
//! to 8), [`dialog`], [`endpoint`] (the user agent: routes messages to transactions and sessions, and reports what
//! happened).

pub mod address;
pub mod body;
pub mod dialog;
pub mod digest;
pub mod dtmf;
pub mod endpoint;
pub mod framing;
mod head;
pub mod header;
pub mod message;
pub mod reason;
pub mod refer;
pub mod replaces;
pub mod session_timer;
pub mod sips;
pub mod timers;
pub mod transaction;
pub mod uri;
pub mod via;
pub mod vocabulary;
pub mod voice_quality;
