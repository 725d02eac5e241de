//! What a call to somebody of the list of callbacks came to. Nobody had called: such a call is no offered one.

use serde::{Deserialize, Serialize};

use super::record::{Time, words};
use crate::call::fact::RingResult;
use crate::ids::{AgentNo, CallId};

words! {
    /// What came of a callback.
    CallbackEnd {
        Reached "reached",
        NoAnswer "no_answer",
        /// Or refused by the person.
        Busy "busy",
        /// The network or the phone says that nobody can be reached there.
        Unreachable "unreachable",
        /// The agent did not answer, or gave up, or the fault was the gateway's: no attempt.
        NotCalled "not_called",
    }
}

/// Of an ended call that did not reach the caller.
pub(super) fn in_vain(result: Option<RingResult>) -> CallbackEnd {
    match result {
        Some(RingResult::NoAnswer) => CallbackEnd::NoAnswer,
        Some(RingResult::Busy | RingResult::Declined) => CallbackEnd::Busy,
        None | Some(RingResult::Fault) => CallbackEnd::NotCalled,
        Some(_) => CallbackEnd::Unreachable,
    }
}

/// A call to a caller of the list of callbacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalledBack {
    /// The call by which the list names its entry.
    pub entry: CallId,
    /// Whose phone was rung first.
    pub agent: AgentNo,
    /// When the caller was called; null: not yet, or never.
    pub called_at: Option<Time>,
    /// Null while that is not known.
    pub end: Option<CallbackEnd>,
}
