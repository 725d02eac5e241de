//! An agent goes on with another phone of the same agent (INVITE with Replaces, RFC 3891): the new phone takes the place of the
//! old one in a call that the agent has, or takes a call that still rings there. Nobody else may take anything over.
//!
//! ```text
//! 481  nothing of the kind is there (or it is an early dialog that we did not begin)
//! 403  somebody else's
//! 603  it has ended
//! 486  `early-only`, and it was answered
//! 491  not now: the caller is being handed on
//! 488  no media that we can carry
//! ```

use std::collections::VecDeque;

use super::Gateway;
use super::book::{Link, Role};
use super::orders::cause;
use crate::call::leg::{Callee, Input, Parting};
use crate::clock::Now;
use crate::ids::CallId;
use crate::media::keying::{self, Part};
use crate::media::negotiate;
use crate::protocol::sip::endpoint::{Flow, Label, Replaced, Seen, SessionId};
use crate::protocol::sip::message::Request;
use crate::protocol::sip::replaces::Replaces;

/// Phones that one call goes on with, one after the other, whose sessions are not over yet.
const MOST_PHONES: usize = 16;

/// What is taken over.
struct Place {
    call: CallId,
    role: Role,
    old: SessionId,
    early: bool,
}

impl Gateway {
    pub(super) fn replace(
        &mut self,
        now: Now,
        at: Now,
        (session, flow): (SessionId, Flow),
        request: &Request,
        replaces: &Replaces,
    ) {
        let place = self.place_of(&flow, request, replaces);
        let answer = place.and_then(|place| {
            let answer = match &place.role {
                Role::Agent { attempt, .. } if place.early => self.answer_early(at, &place, *attempt, (flow, request)),
                _ => self.answer_confirmed(at, &place, flow, request),
            };
            answer.map(|answer| (place, answer))
        });
        match answer {
            Ok((place, answer)) => {
                let Place { call, role, .. } = &place;
                self.settle_in(now, &place, session);
                let seen = Box::new(Seen::of_request(request, flow.remote));
                self.note_received(*call, role, at, &Label::Request(request.method.clone()), Some(seen));
                self.leash_phone(session, &flow);
                self.endpoint.accept(now.mono, session, answer);
                let gone = cause(Parting::Elsewhere);
                self.endpoint.hang_up_because(now, place.old, gone.as_ref());
            }
            Err(status) => {
                tracing::info!(%status, "an INVITE with Replaces is refused");
                self.endpoint.reject(now, session, status, None);
            }
        }
    }

    fn place_of(&self, flow: &Flow, request: &Request, replaces: &Replaces) -> Result<Place, u16> {
        let (old, early) = match self.endpoint.replaced(replaces) {
            Replaced::Confirmed(old) => (old, false),
            Replaced::Early(old) => (old, true),
            Replaced::Over => return Err(603),
            Replaced::Nothing => return Err(481),
        };
        let link = self.by_session.get(&old).ok_or(481u16)?;
        let agent = self.agent_who_calls(flow, request).ok_or(403u16)?;
        let own = match &link.role {
            Role::Agent { agent: Callee::Agent(own), .. } => Some(own),
            Role::Agent { agent: Callee::Target(_), .. } => None,
            Role::Caller => self.callers.agent(old),
        };
        if own != Some(&agent) {
            return Err(403);
        }
        if replaces.early_only && !early {
            return Err(486);
        }
        let entry = self.calls.get(&link.call).ok_or(603u16)?;
        let present = match &link.role {
            Role::Caller => entry.caller.session == Some(old),
            Role::Agent { attempt, .. } => entry.attempts.get(attempt).is_some_and(|a| {
                !a.released && !a.forks.has_lost(old) && !a.moves && a.forks.sessions().len() < MOST_PHONES
            }),
        };
        if !present {
            return Err(603);
        }
        let talks = entry.call.talks_with().is_some_and(|with| match &link.role {
            Role::Caller => true,
            Role::Agent { attempt, .. } => with == *attempt,
        });
        if !early && !talks {
            return Err(491);
        }
        Ok(Place { call: link.call, role: link.role.clone(), old, early })
    }

    /// The phone is taken off the hook for one that rings.
    fn answer_early(
        &mut self,
        at: Now,
        place: &Place,
        attempt: u32,
        (flow, request): (Flow, &Request),
    ) -> Result<Vec<u8>, u16> {
        // Whose offer is to come in an ACK is not there yet when the caller is connected.
        if request.body.is_empty() || !self.agent_answer(place.call, attempt, &request.body, flow.remote) {
            return Err(488);
        }
        let a = self.calls.get(&place.call).and_then(|e| e.attempts.get(&attempt)).ok_or(603u16)?;
        let (media, peer, codec) = (a.media.as_ref(), a.peer.as_ref(), a.codec);
        let (Some(media), Some(peer), Some(codec)) = (media, peer, codec) else { return Err(488) };
        let answer = negotiate::answer(&media.local, peer, codec);
        self.inputs.push_back((place.call, at, Input::AgentAnswered { attempt }));
        Ok(answer)
    }

    /// The media of the leg goes where the new phone says, by the same port.
    fn answer_confirmed(&mut self, at: Now, place: &Place, flow: Flow, request: &Request) -> Result<Vec<u8>, u16> {
        let Place { call, role, .. } = place;
        let ours = self.calls.get_mut(call).and_then(|e| e.media_mut(role)).map(|media| media.local);
        let read = |ours| self.settings.media.read_at(&ours, role, Part::Offer, &request.body);
        if !request.body.is_empty() && ours.is_none_or(|ours| read(ours).is_err()) {
            return Err(488);
        }
        // The old phone knows the old key.
        let master = keying::fresh(&mut self.random);
        let entry = self.calls.get_mut(call).ok_or(603u16)?;
        match role {
            Role::Caller => entry.caller.flow = flow,
            Role::Agent { attempt, .. } => {
                if let Some(a) = entry.attempts.get_mut(attempt) {
                    a.source = Some(flow.remote);
                }
            }
        }
        if let Some(media) = entry.media_mut(role) {
            media.local.master = master;
        }
        if request.body.is_empty() {
            // The ACK must say where the new phone is.
            entry.said_mut(role).into_iter().for_each(|said| *said.peer = None);
        }
        let (answer, change) = self.answer_reoffer(*call, role, &request.body).ok_or(488u16)?;
        if let Role::Agent { attempt, .. } = role {
            self.inputs.push_back((*call, at, Input::PhoneReplaced { attempt: *attempt }));
        }
        self.inputs.extend(change.map(|change| (*call, at, change)));
        Ok(answer)
    }

    /// The new session is the leg's from now on.
    fn settle_in(&mut self, now: Now, place: &Place, session: SessionId) {
        let Place { call, role, old, .. } = place;
        let others = match role {
            Role::Caller => {
                self.callers.go_on_with(session, *old);
                let link = Link { call: *call, role: role.clone(), terminated: false, unwritten: VecDeque::new() };
                self.by_session.insert(session, link);
                if let Some(entry) = self.calls.get_mut(call) {
                    entry.caller.session = Some(session);
                }
                Vec::new()
            }
            Role::Agent { attempt, .. } => {
                self.link_phone(*call, *attempt, role.clone(), session);
                let Gateway { calls, by_session, .. } = self;
                let Some(a) = calls.get_mut(call).and_then(|e| e.attempts.get_mut(attempt)) else { return };
                let is_over = |s: &SessionId| by_session.get(s).is_none_or(|link| link.terminated);
                let over = a.forks.forget(is_over);
                let others = a.forks.go_on_with(session);
                over.iter().for_each(|session| drop(by_session.remove(session)));
                others
            }
        };
        for other in others.into_iter().filter(|other| other != old) {
            self.endpoint.hang_up(now, other);
        }
    }

    /// Another phone of the agent has taken the place of this caller's.
    pub(super) fn was_replaced(&self, id: CallId, session: SessionId, role: &Role) -> bool {
        *role == Role::Caller && self.calls.get(&id).is_some_and(|entry| entry.caller.session != Some(session))
    }
}
