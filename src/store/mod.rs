//! The database of a data directory: the ledger of facts, the callers' numbers, one row a call and one a recording.
//!
//! One [`Writer`] a directory; any number of [`Reader`]s beside it, and one [`Custody`] for what people decide about recordings
//! and numbers and for what recognisers heard, and one [`Outbox`] for what is in the object store. Rows of `call`, `recording`
//! and `listed` are computed from facts and can be rebuilt. [`People`] are those who work with the console; what they do is in
//! the [`audit`] log. [`qa`] has draws and scores, [`notes`] what callers wanted, [`callbacks`] whom the house owes a call,
//! [`reports`] what was closed.

pub mod audit;
pub mod callbacks;
mod custody;
mod listing;
pub mod notes;
mod outbox;
pub mod password;
pub mod people;
pub mod qa;
mod reader;
mod recordings;
pub mod reports;
mod retention;
pub mod session;
mod sqlite;
mod told;
mod transcripts;
mod writer;

pub use custody::{Asked, Custody, Receipt};
pub use listing::{Filter, Page, Place, Since};
pub use outbox::{Backlog, ObjectCopy, Outbox};
pub use people::People;
pub use reader::{Call, Nuisance, Reader, Which};
pub use recordings::{Cause, Kept, KeptFile, Removed};
pub use retention::{Class, Retention};
pub use told::Told;
pub use writer::{Appended, Writer};

/// Kinds of agents' facts that tell no presence.
const NO_PRESENCE: [&str; 9] = [
    "logged_in",
    "unreachable",
    "reachable",
    "supervision_refused",
    "misses_shift",
    "log_out_refused",
    "leaves_alone",
    "shift_began",
    "shift_over",
];

use std::path::PathBuf;

use crate::clock::RunId;
use crate::ledger::agents::AgentCodecError;
use crate::ledger::codec::CodecError;

/// The database's name in the data directory.
pub const FILE: &str = "hotline.db";

/// Signs callers' numbers so that repeat callers are found after the number itself was erased.
/// The bytes come from `<data>/subject.key`.
#[derive(Clone)]
pub struct SubjectKey([u8; 32]);

impl SubjectKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        SubjectKey(bytes)
    }
}

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey")
    }
}

/// The operator's side is at fault (disk, rights, another version) but for `Codec`, `Record` and `NoBeginning`: those
/// are ours. `Refused` is for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no database yet at {0}")]
    Absent(PathBuf),
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the database is of version {found}, this program knows up to {known}: use the newer program")]
    TooNew { found: usize, known: usize },
    #[error("the database is of version {found}, not yet {known}: start the server once to bring it up to date")]
    TooOld { found: usize, known: usize },
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    AgentCodec(#[from] AgentCodecError),
    #[error("a call record cannot be written or read: {0}")]
    Record(#[from] serde_json::Error),
    #[error("call {0} has no `offered` in the ledger")]
    NoBeginning(crate::ids::CallId),
    #[error("{0}")]
    Refused(String),
    /// The same in words that pages can say in their own language.
    #[error(transparent)]
    Told(#[from] Told),
    #[error("run {} cannot be kept in the database", .0.0)]
    Run(RunId),
}

#[cfg(test)]
mod tests;
