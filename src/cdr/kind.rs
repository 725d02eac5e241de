//! What kind of call one is. Only offered calls are a hotline's figures; all others stand apart, with a record of their own.

use serde::{Deserialize, Serialize};

use super::called_back::CallbackEnd;
use super::record::{Time, words};
use crate::call::leg::Callee;
use crate::ids::AgentNo;

words! {
    /// Who began a call.
    #[derive(Default)]
    CallKind {
        /// A caller, for a hotline's number.
        #[default]
        Offered "offered",
        /// The gateway, for an entry of the list of callbacks.
        Callback "callback",
        /// An agent's phone, to a colleague or a target.
        Internal "internal",
        /// An agent's phone, to a number outside.
        Outbound "outbound",
    }
}

/// A call that an agent made by the agent's own phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByAgent {
    pub agent: AgentNo,
    /// Who was to be called; null: the number that stands as the caller's.
    pub to: Option<Callee>,
    /// When a number outside was called; null: not yet, never, or a colleague was.
    pub called_at: Option<Time>,
    /// What came of a call to a number outside; null while that is not known, and of a call to a colleague (see `outcome`).
    pub end: Option<CallbackEnd>,
    /// The time of talk that the agent had a month for calls outside, in ms; null: no bound.
    pub quota_ms: Option<u64>,
}
