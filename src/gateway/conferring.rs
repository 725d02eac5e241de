//! Whoever takes part in a call beside caller and agent: what such a phone does is not what the agent does.

use std::sync::Arc;

use super::book::Role;
use super::{Gateway, Output};
use crate::call::leg::{Beside, Callee, Input};
use crate::clock::Now;
use crate::ids::{AgentNo, CallId, LegId};
use crate::media::{Audible, Command, negotiate};

impl Gateway {
    /// What came of the phone with this role, as the call is to be told it; `None`: it is not to know.
    pub(super) fn of_whom(&self, id: CallId, role: &Role, input: Input) -> Option<Input> {
        let Some(attempt) = self.beside(id, role) else { return Some(input) };
        let does = match input {
            Input::HungUp { .. } => Beside::HangsUp,
            Input::Lost { .. } => Beside::IsLost,
            Input::Key { key, .. } => Beside::Presses(key),
            Input::AgentRinging { .. } | Input::AgentAnswered { .. } | Input::AgentFailed { .. } => return Some(input),
            _ => return None,
        };
        Some(Input::Beside { attempt, does })
    }

    /// The same, of a leg.
    pub(super) fn beside_does(&mut self, id: CallId, leg: LegId, at: Now, does: Beside) {
        let role = self.by_leg.get(&leg).map(|link| &link.role);
        if let Some(attempt) = role.and_then(|role| self.beside(id, role)) {
            self.inputs.push_back((id, at, Input::Beside { attempt, does }));
        }
    }

    fn beside(&self, id: CallId, role: &Role) -> Option<u32> {
        let Role::Agent { attempt, .. } = role else { return None };
        let beside = self.calls.get(&id)?.attempts.get(attempt)?.beside;
        beside.then_some(*attempt)
    }

    pub(super) fn set_beside(&mut self, id: CallId, attempt: u32) {
        let a = self.calls.get_mut(&id).and_then(|entry| entry.attempts.get_mut(&attempt));
        a.into_iter().for_each(|a| a.beside = true);
    }

    /// The agent's code: whoever has this number is called into the talk. 480 without a talk, 404 for a number that nobody of the
    /// configuration has, 486 if somebody is added already.
    pub(super) fn add(&mut self, at: Now, by: &AgentNo, number: &str) -> Result<(), u16> {
        let call = self.talk_of(by).map_err(|_| 480u16)?;
        let to = self.listed_number(number).filter(|to| *to != Callee::Agent(by.clone())).ok_or(404u16)?;
        if !self.calls.get(&call).is_some_and(|entry| entry.call.may_add(by)) {
            return Err(486);
        }
        self.inputs.push_back((call, at, Input::Add { by: by.clone(), to }));
        Ok(())
    }

    /// 200 to the phone that has dialled in.
    pub(super) fn accept_phone(&mut self, now: Now, id: CallId, attempt: u32) {
        let Some(a) = self.calls.get(&id).and_then(|entry| entry.attempts.get(&attempt)) else { return };
        let (Some(media), Some(peer), Some(codec)) = (&a.media, &a.peer, a.codec) else { return };
        let answer = negotiate::answer(&media.local, peer, codec);
        if let Some(session) = a.forks.taken_by() {
            self.endpoint.accept(now.mono, session, answer);
        }
    }

    pub(super) fn let_take_part(&mut self, call: CallId, attempt: u32, audible: Audible) {
        if let Some(leg) = self.leg_of(call, attempt) {
            self.outputs.push_back(Output::Media(Command::Admit { call, leg, audible }));
        }
    }

    /// Said to whoever takes part by this attempt.
    pub(super) fn tell(&mut self, call: CallId, attempt: u32, audio: Arc<[i16]>) {
        if let Some(leg) = self.leg_of(call, attempt) {
            self.outputs.push_back(Output::Media(Command::Tell { call, leg, audio }));
        }
    }

    fn leg_of(&self, call: CallId, attempt: u32) -> Option<LegId> {
        let attempt = self.calls.get(&call)?.attempts.get(&attempt)?;
        Some(attempt.media.as_ref()?.leg)
    }
}
