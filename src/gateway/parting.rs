//! When an agent is free again: by RFC 3261 (section 15.1.1) a session is over for us as soon as our BYE is sent, but the phone is
//! busy until it has read it. So an agent is free when the BYE is answered, or when it was not for [`limits::BYE_PATIENCE`].

use std::collections::BTreeSet;

use super::Gateway;
use super::book::Role;
use crate::call::leg::Callee;
use crate::clock::{Instant, Now};
use crate::ids::CallId;
use crate::limits;
use crate::protocol::sip::endpoint::{Label, SessionId};
use crate::protocol::sip::vocabulary::Method;
use crate::schedule::Schedule;

/// Sessions of agents' phones that were sent BYE.
#[derive(Debug, Default)]
pub(super) struct Partings {
    waited_for: Schedule<SessionId>,
    /// Their answer may still come and is of no consequence: the agent is free.
    given_up: BTreeSet<SessionId>,
}

impl Partings {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.waited_for.next().map(|(at, _)| (at, "a phone leaves BYE unanswered"))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waited_for.is_empty() && self.given_up.is_empty()
    }

    /// The agent of this session has been free since before its end.
    pub(super) fn is_given_up(&self, session: SessionId) -> bool {
        self.given_up.contains(&session)
    }

    /// True if it had been given up.
    fn forget(&mut self, session: SessionId) -> bool {
        self.waited_for.set(session, None);
        self.given_up.remove(&session)
    }
}

impl Gateway {
    /// A message is about to be written for the first time.
    pub(super) fn note_parting(&mut self, now: Now, session: SessionId, label: &Label) {
        if *label != Label::Request(Method::BYE) {
            return;
        }
        let of_agent = match self.by_session.get(&session).map(|link| (&link.role, link.terminated)) {
            Some((Role::Agent { agent: Callee::Agent(_), .. }, false)) => true,
            Some((Role::Caller, false)) => self.callers.agent(session).is_some(),
            _ => false,
        };
        if of_agent {
            self.partings.waited_for.set(session, Some(now.mono + limits::BYE_PATIENCE));
        }
    }

    pub(super) fn handle_partings_timeout(&mut self, now: Now) {
        while let Some(session) = self.partings.waited_for.pop_due(now.mono) {
            let Some(link) = self.by_session.get(&session).filter(|link| !link.terminated) else { continue };
            let (id, role) = (link.call, link.role.clone());
            self.free_after(now, session, id, &role);
            self.partings.given_up.insert(session);
            tracing::info!(call = %id, "a phone leaves our BYE unanswered; its agent is free");
        }
    }

    /// The last message of this session is through.
    pub(super) fn phone_is_through(&mut self, now: Now, session: SessionId, id: CallId, role: &Role) {
        if !self.partings.forget(session) {
            self.free_after(now, session, id, role);
        }
    }

    fn free_after(&mut self, now: Now, session: SessionId, id: CallId, role: &Role) {
        match role {
            Role::Agent { attempt, agent } => self.phone_ended(now, id, *attempt, agent),
            Role::Caller => self.callers_session_ended(now, session),
        }
    }
}
