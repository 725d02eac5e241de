//! The phones of one agent, rung at once within one attempt: the first 2xx wins, the others are cancelled, and the attempt has
//! failed when all have.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::Gateway;
use super::book::{Link, Role};
use super::signalling::ring_result;
use crate::call::leg::{Callee, Input};
use crate::clock::Now;
use crate::ids::{CallId, Side};
use crate::protocol::sip::endpoint::SessionId;

#[derive(Debug, Default)]
pub(super) struct Forks {
    sessions: Vec<SessionId>,
    /// Final failures so far.
    failed: Vec<(SessionId, Option<u16>)>,
    winner: Option<SessionId>,
    /// The first INVITE has been written.
    invited: bool,
}

impl Forks {
    pub(super) fn add(&mut self, session: SessionId) {
        self.sessions.push(session);
    }

    /// The attempt goes on with this session alone.
    pub(super) fn replace(&mut self, session: SessionId) {
        *self = Forks { sessions: vec![session], invited: self.invited, ..Forks::default() };
    }

    /// This session, which the phone has begun, goes on instead of all others.
    pub(super) fn go_on_with(&mut self, session: SessionId) -> Vec<SessionId> {
        self.add(session);
        self.win(session)
    }

    /// Those that have nothing more to say need not be known.
    pub(super) fn forget(&mut self, is_over: impl Fn(&SessionId) -> bool) -> Vec<SessionId> {
        let (over, left) = std::mem::take(&mut self.sessions).into_iter().partition(is_over);
        self.sessions = left;
        over
    }

    pub(super) fn sessions(&self) -> &[SessionId] {
        &self.sessions
    }

    /// The phone that won, or the only one there is.
    pub(super) fn taken_by(&self) -> Option<SessionId> {
        self.winner.or_else(|| self.sessions.first().copied())
    }

    /// Another phone of the agent has won.
    pub(super) fn has_lost(&self, session: SessionId) -> bool {
        self.winner.is_some_and(|winner| winner != session)
    }

    /// The phones that must stop ringing because this one was answered.
    fn win(&mut self, session: SessionId) -> Vec<SessionId> {
        self.winner = Some(session);
        self.sessions.iter().copied().filter(|other| *other != session).collect()
    }

    /// What speaks for the attempt when this was its last phone, or when the person has declined (6xx: RFC 3261 section 16.7
    /// ends all branches then); `None` while others ring on.
    fn fail(&mut self, session: SessionId, status: Option<u16>) -> Option<Option<u16>> {
        if !self.failed.iter().any(|(failed, _)| *failed == session) {
            self.failed.push((session, status));
        }
        let over = status.is_some_and(|status| status >= 600) || self.failed.len() == self.sessions.len();
        over.then(|| self.failed.iter().map(|(_, status)| *status).max_by_key(|status| weight(*status)).flatten())
    }
}

/// What a person did says more than what became of a phone.
fn weight(status: Option<u16>) -> u8 {
    match status {
        Some(600..) => 4,
        Some(486) => 3,
        Some(408 | 480 | 487) => 2,
        Some(_) => 1,
        None => 0,
    }
}

impl Gateway {
    /// Whether the INVITE just written is the first of this attempt.
    pub(super) fn is_first_invite(&mut self, id: CallId, attempt: u32) -> bool {
        let a = self.calls.get_mut(&id).and_then(|e| e.attempts.get_mut(&attempt));
        a.is_some_and(|a| !std::mem::replace(&mut a.forks.invited, true))
    }

    pub(super) fn fork_failed(
        &mut self,
        id: CallId,
        session: SessionId,
        attempt: u32,
        status: Option<u16>,
    ) -> Option<Input> {
        let a = self.calls.get_mut(&id)?.attempts.get_mut(&attempt)?;
        let status = a.forks.fail(session, status)?;
        Some(Input::AgentFailed { attempt, result: ring_result(status), status })
    }

    /// The first phone that answers with media that we can carry.
    pub(super) fn fork_answered(
        &mut self,
        now: Now,
        id: CallId,
        session: SessionId,
        attempt: u32,
        (body, source): (&[u8], SocketAddr),
    ) -> Option<Input> {
        if !self.agent_answer(id, attempt, body, source) {
            self.endpoint.hang_up(now, session);
            return self.fork_failed(id, session, attempt, Some(488));
        }
        let a = self.calls.get_mut(&id)?.attempts.get_mut(&attempt)?;
        for other in a.forks.win(session) {
            self.endpoint.hang_up(now, other);
        }
        self.note_reporter(session, id, Side::Agent);
        Some(Input::AgentAnswered { attempt })
    }

    /// The last message of a phone's session is through; with its last session the agent is free.
    pub(super) fn phone_ended(&mut self, now: Now, id: CallId, attempt: u32, callee: &Callee) {
        let of = (id, attempt, callee.clone());
        let Some(left) = self.phone_sessions.get_mut(&of) else { return };
        *left -= 1;
        if *left == 0 {
            self.phone_sessions.remove(&of);
            self.free(callee, id, now);
        }
    }

    /// A session of this attempt begins.
    pub(super) fn link_phone(&mut self, id: CallId, attempt: u32, role: Role, session: SessionId) {
        if let Role::Agent { agent, .. } = &role {
            *self.phone_sessions.entry((id, attempt, agent.clone())).or_default() += 1;
        }
        self.by_session.insert(session, Link { call: id, role, terminated: false, unwritten: VecDeque::new() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attempt_fails_with_its_last_phone_or_by_a_person() {
        let three = || Forks { sessions: vec![SessionId(1), SessionId(2), SessionId(3)], ..Forks::default() };
        let mut forks = three();
        assert_eq!(forks.fail(SessionId(1), Some(486)), None);
        assert_eq!(forks.fail(SessionId(1), Some(486)), None, "one phone counts once");
        assert_eq!(forks.fail(SessionId(2), None), None);
        assert_eq!(forks.fail(SessionId(3), Some(503)), Some(Some(486)));
        let mut forks = three();
        assert_eq!(forks.fail(SessionId(2), None), None);
        assert_eq!(forks.fail(SessionId(1), Some(603)), Some(Some(603)));
        let mut forks = three();
        assert_eq!(forks.win(SessionId(2)), [SessionId(1), SessionId(3)]);
        assert!(forks.has_lost(SessionId(1)) && !forks.has_lost(SessionId(2)));
    }
}
