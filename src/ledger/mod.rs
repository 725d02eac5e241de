//! The ledger of facts, without a disk: how a fact is written down, how a call's facts are read back in order, and what
//! closes a call that a crash cut.

pub mod agents;
pub mod codec;
pub mod recovery;
pub mod replay;
#[cfg(test)]
pub(crate) mod story;
mod tagged;

use crate::ids::SubjectId;

/// Who stands behind a subject id. Kept beside the facts, never in them, so that a number can be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub id: SubjectId,
    /// The caller's number as the trunk gave it.
    pub number: String,
}
