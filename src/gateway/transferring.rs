//! Transfers: who may hand on whom, to whom, and what their phones are told.

use super::Gateway;
use super::book::{Attempt, Entry, Role};
use crate::call::fact::{RefusedTransfer, RingResult};
use crate::call::leg::{Callee, Consulted, Input};
use crate::clock::Now;
use crate::ids::{AgentNo, CallId};
use crate::media::negotiate;
use crate::protocol::sip::endpoint::{EventKind, SessionId};
use crate::protocol::sip::refer::Refer;
use crate::protocol::sip::replaces::Replaces;
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
        let present = |a: &super::book::Attempt| !a.released && !a.beside && !a.forks.has_lost(session);
        if !self.calls.get(&id).and_then(|e| e.attempts.get(&attempt)).is_some_and(present) {
            self.endpoint.answer_refer(now.mono, session, 481);
            return None;
        }
        let refused = |why| Some(Input::TransferRefused { attempt: Some(attempt), why });
        if let Some(replaces) = &refer.replaces {
            let Some((consultation, to, consulted)) = self.consultation(role, replaces) else {
                return refused(RefusedTransfer::NoConsultation);
            };
            self.consulted.insert(id, consultation);
            return Some(Input::Transfer { attempt, to, consulted });
        }
        match self.listed(&refer.to) {
            Some(to) => Some(Input::Transfer { attempt, to, consulted: Consulted::No }),
            None => refused(RefusedTransfer::NotListed),
        }
    }

    /// Who of the configuration is meant. The host is not looked at: nobody else is called there either.
    pub(super) fn listed(&self, uri: &Uri) -> Option<Callee> {
        self.listed_number(&uri.number()?)
    }

    pub(super) fn listed_number(&self, number: &str) -> Option<Callee> {
        let agent = AgentNo::from(number);
        if self.agents.state(&agent).is_some() {
            return Some(Callee::Agent(agent));
        }
        let mut targets = self.settings.targets.iter();
        let target = targets.find(|target| target.name.as_str() == number || target.number == number)?;
        Some(Callee::Target(target.name.clone()))
    }

    /// The call that this agent has made and that somebody has answered, or at whose phone it rings, and who. (Between phones alone
    /// a dialog that rings cannot be replaced from that side, RFC 3891 section 3; here it is our own INVITE that rings there.)
    fn consultation(&self, role: &Role, replaces: &Replaces) -> Option<((CallId, u32), Callee, Consulted)> {
        let session = self.endpoint.session_of(&replaces.dialog_id())?;
        let own = |agent: &AgentNo| matches!(role, Role::Agent { agent: Callee::Agent(other), .. } if other == agent);
        if !self.callers.agent(session).is_some_and(own) {
            return None;
        }
        let id = self.by_session.get(&session)?.call;
        let Entry { call, attempts, .. } = self.calls.get(&id)?;
        let mut left = attempts.iter().filter(|(_, a)| !a.released);
        let (attempt, there) = left.find(|(attempt, a)| a.bridged || call.rings(**attempt))?;
        let consulted = if there.bridged { Consulted::Talks } else { Consulted::Rings };
        Some(((id, *attempt), there.agent.clone(), consulted))
    }

    /// The one who was consulted becomes part of this call, and the consultation ends for the agent who had made it.
    pub(super) fn open_moved(&mut self, now: Now, id: CallId, attempt: u32) {
        if self.take_consulted(now, id, attempt).is_none() {
            self.inputs.push_back((id, now, Input::AgentNotReady { attempt }));
        }
    }

    fn take_consulted(&mut self, now: Now, id: CallId, attempt: u32) -> Option<()> {
        let (from, old) = self.consulted.remove(&id)?;
        let Entry { call, caller, attempts, .. } = self.calls.get_mut(&from)?;
        let (rings, by) = (call.rings(old), caller.session);
        let there = attempts.get_mut(&old).filter(|a| !a.released)?;
        // What is left there is a leg that is about to be closed.
        let rest = Attempt { released: true, bridged: true, ..Attempt::new(there.agent.clone(), there.media.take()) };
        let mut moved = std::mem::replace(there, rest);
        let before = there.media.as_ref().map(|media| media.local);
        let callee = moved.agent.clone();
        let role = Role::Agent { attempt, agent: callee.clone() };
        self.relink((from, old), (id, attempt), &role, moved.forks.sessions());
        if let Callee::Agent(agent) = &callee {
            self.agents.move_over(agent, from, id);
        }
        self.trunks.move_places(from, id);
        self.leave_way(from, old);
        if rings {
            // As if the agent had given up calling: that INVITE is not to be answered any more.
            by.into_iter().for_each(|by| self.endpoint.reject(now, by, 487, None));
            self.inputs.push_back((from, now, Input::CallerLeft));
        } else {
            self.inputs.push_back((from, now, Input::CalleeMoved));
        }
        let local = moved.forks.taken_by().and_then(|session| self.endpoint.local_of(session));
        let mut media = local.and_then(|local| self.open_leg(now, id, &role, local));
        if let (Some(media), Some(before)) = (&mut media, before) {
            // The same description goes on (RFC 3264 section 8).
            (media.local.session, media.local.version) = (before.session, before.version + 1);
        }
        let opened = media.is_some();
        (moved.media, moved.moves, moved.bridged) = (media, true, false);
        self.calls.get_mut(&id)?.attempts.insert(attempt, moved);
        opened.then_some(())
    }

    /// The phone's sessions belong to another attempt now.
    fn relink(&mut self, from: (CallId, u32), to: (CallId, u32), role: &Role, sessions: &[SessionId]) {
        let mut alive = 0;
        for session in sessions {
            if let Some(link) = self.by_session.get_mut(session) {
                (link.call, link.role) = (to.0, role.clone());
                alive += u32::from(!link.terminated && !self.partings.is_given_up(*session));
            }
        }
        let Role::Agent { agent, .. } = role else { return };
        let of = |(call, attempt): (CallId, u32)| (call, attempt, agent.clone());
        let rest = self.phone_sessions.remove(&of(from)).unwrap_or_default().saturating_sub(alive);
        if rest > 0 {
            self.phone_sessions.insert(of(from), rest);
        }
        if alive > 0 {
            self.phone_sessions.insert(of(to), alive);
        }
    }

    /// The port of the one who moves is open: the phone is told to send there.
    pub(super) fn move_agent(&mut self, now: Now, id: CallId, attempt: u32) {
        let Some(entry) = self.calls.get(&id) else { return };
        let Some(a) = entry.attempts.get(&attempt) else { return };
        let offer = a.media.as_ref().map(|media| self.agent_offer(entry.caller.peer.as_ref(), &media.local));
        let session = a.forks.taken_by();
        let asked = session.zip(offer).is_some_and(|(s, offer)| self.endpoint.reoffer(now.mono, s, offer).is_ok());
        if !asked {
            let failed = Input::AgentFailed { attempt, result: RingResult::Fault, status: None };
            self.inputs.push_back((id, now, failed));
        }
    }

    /// What the phone says that is asked to move.
    pub(super) fn moving_event(
        &mut self,
        now: Now,
        id: CallId,
        session: SessionId,
        role: &Role,
        kind: EventKind,
    ) -> Option<Input> {
        let Role::Agent { attempt, .. } = *role else { return None };
        let failed = |status| Some(Input::AgentFailed { attempt, result: RingResult::Unreachable, status });
        match kind {
            // One that still rang when it came over.
            EventKind::Answered { body, source } => self.fork_answered(now, id, session, attempt, (&body, source)),
            EventKind::Failed { status } => self.fork_failed(id, session, attempt, status),
            EventKind::Reanswered { body } => {
                if negotiate::read(&body).is_err() {
                    return failed(Some(488));
                }
                let held = self.take_reanswer(id, role, &body);
                self.calls.get_mut(&id)?.attempts.get_mut(&attempt)?.moves = false;
                self.inputs.push_back((id, now, Input::AgentAnswered { attempt }));
                held
            }
            EventKind::ReofferFailed { status } => failed(Some(status)),
            EventKind::Bye | EventKind::Lost | EventKind::NotAcknowledged => failed(None),
            EventKind::Reoffer { .. } => {
                self.endpoint.reject_reoffer(now.mono, session, 491);
                None
            }
            EventKind::Offered { .. } => {
                self.endpoint.acknowledge(session, Vec::new());
                None
            }
            _ => None,
        }
    }

    pub(super) fn answer_refer(&mut self, now: Now, id: CallId, attempt: u32, status: u16) {
        if status >= 300 {
            self.consulted.remove(&id);
        }
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
    pub(super) fn phone_of(&self, id: CallId, attempt: u32) -> Option<SessionId> {
        self.calls.get(&id)?.attempts.get(&attempt)?.forks.taken_by()
    }
}
