//! Transfers: who may hand on whom, to whom, and what their phones are told.

use super::Gateway;
use super::book::Role;
use crate::call::fact::RefusedTransfer;
use crate::call::leg::{Callee, Input};
use crate::clock::Now;
use crate::ids::{AgentNo, CallId};
use crate::protocol::sip::endpoint::SessionId;
use crate::protocol::sip::refer::Refer;
use crate::protocol::sip::uri::Uri;

impl Gateway {
    /// A REFER on a leg of a call. Whatever it names, only agents and targets of the configuration are ever called.
    pub(super) fn referred(
        &mut self,
        now: Now,
        id: CallId,
        session: SessionId,
        role: &Role,
        refer: &Refer,
    ) -> Option<Input> {
        let Role::Agent { attempt, .. } = *role else {
            self.endpoint.answer_refer(now.mono, session, 403);
            return Some(Input::TransferRefused { attempt: None, why: RefusedTransfer::FromTrunk });
        };
        let present = |a: &super::book::Attempt| !a.released && !a.forks.has_lost(session);
        if !self.calls.get(&id).and_then(|e| e.attempts.get(&attempt)).is_some_and(present) {
            self.endpoint.answer_refer(now.mono, session, 481);
            return None;
        }
        let refused = |why| Some(Input::TransferRefused { attempt: Some(attempt), why });
        if refer.replaces.is_some() {
            return refused(RefusedTransfer::NoConsultation);
        }
        match self.listed(&refer.to) {
            Some(to) => Some(Input::Transfer { attempt, to, attended: false }),
            None => refused(RefusedTransfer::NotListed),
        }
    }

    /// Who of the configuration is meant. The host is not looked at: nobody else is called there either.
    pub(super) fn listed(&self, uri: &Uri) -> Option<Callee> {
        let number = uri.number()?;
        let agent = AgentNo::from(number.as_str());
        if self.agents.state(&agent).is_some() {
            return Some(Callee::Agent(agent));
        }
        let mut targets = self.settings.targets.iter();
        let target = targets.find(|target| target.name.as_str() == number || target.number == number)?;
        Some(Callee::Target(target.name.clone()))
    }

    pub(super) fn answer_refer(&mut self, now: Now, id: CallId, attempt: u32, status: u16) {
        if let Some(session) = self.phone_of(id, attempt) {
            self.endpoint.answer_refer(now.mono, session, status);
        }
    }

    pub(super) fn notify(&mut self, now: Now, id: CallId, attempt: u32, status: u16) {
        if let Some(session) = self.phone_of(id, attempt) {
            self.endpoint.notify(now.mono, session, status);
        }
    }

    /// The session of the phone that took this attempt.
    fn phone_of(&self, id: CallId, attempt: u32) -> Option<SessionId> {
        self.calls.get(&id)?.attempts.get(&attempt)?.forks.taken_by()
    }
}
