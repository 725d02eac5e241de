//! What kind of call one is, and what came of one that no caller made.

use super::{Fold, time};
use crate::call::fact::{AgentsCall, CallsBack};
use crate::cdr::called_back::{self, CallbackEnd, CalledBack};
use crate::cdr::kind::{ByAgent, CallKind};
use crate::ids::AgentNo;

impl Fold {
    /// Nobody called: the gateway calls a caller back. It is no offered call of the hotline.
    pub fn calls_back(&self) -> Option<&CallsBack> {
        self.offered.calls_back.as_ref()
    }

    /// An agent made it.
    pub fn by_agent(&self) -> Option<&AgentsCall> {
        self.offered.by_agent.as_ref()
    }

    pub fn kind(&self) -> CallKind {
        match (self.calls_back(), self.by_agent()) {
            (Some(_), _) => CallKind::Callback,
            (None, Some(AgentsCall::Internal { .. })) => CallKind::Internal,
            (None, Some(AgentsCall::Outbound { .. })) => CallKind::Outbound,
            (None, None) => CallKind::Offered,
        }
    }

    /// Whoever is the caller waited for the answer: of a call to a person outside, that person did not.
    pub(super) fn is_callers(&self) -> bool {
        matches!(self.kind(), CallKind::Offered | CallKind::Internal)
    }

    /// The agent who made this call, as long as it goes on, and is not whom [`Fold::talking_agent`] tells.
    pub fn calling_agent(&self) -> Option<&AgentNo> {
        match self.by_agent()? {
            AgentsCall::Internal { agent, .. } => Some(agent).filter(|_| self.ended.is_none()),
            AgentsCall::Outbound { .. } => None,
        }
    }

    pub(super) fn called_back(&self) -> Option<CalledBack> {
        let CallsBack { entry, agent } = self.calls_back()?.clone();
        Some(CalledBack { entry, agent, called_at: self.called.map(time), end: self.reached() })
    }

    /// What came of calling a person outside.
    fn reached(&self) -> Option<CallbackEnd> {
        match self.answers.is_empty() {
            false => Some(CallbackEnd::Reached),
            true => self.ended.map(|_| called_back::in_vain(self.in_vain)),
        }
    }

    pub(super) fn made_by_agent(&self) -> Option<ByAgent> {
        Some(match self.by_agent()?.clone() {
            AgentsCall::Internal { agent, to } => {
                ByAgent { agent, to: Some(to), called_at: None, end: None, quota_ms: None }
            }
            AgentsCall::Outbound { agent, quota_ms } => {
                ByAgent { agent, to: None, called_at: self.called.map(time), end: self.reached(), quota_ms }
            }
        })
    }
}
