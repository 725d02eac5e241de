//! Codes that agents dial. An order is done at once and confirmed by one tone (ready) or two (anything else); what cannot be done gets
//! 403, a code that is none 404. Only agents' phones are heard at all.

use std::sync::Arc;
use std::time::Duration;

use super::Gateway;
use super::among_agents::plan_of;
use super::book::{Link, Role};
use super::orders::cause;
use super::supervising::Wish;
use crate::call::agent::State;
use crate::call::fact::PausedBy;
use crate::call::feature::{Asked, Codes};
use crate::call::leg::{Callee, Input, Parting};
use crate::call::presence::{By, Order};
use crate::call::privacy::NotPaused;
use crate::clock::Now;
use crate::dialplan::plan::{Does, Hotline, Next, Prompt, Say, Step, StepNo};
use crate::ids::{AgentNo, CallId};
use crate::media::{self, SAMPLE_RATE_HZ, negotiate};
use crate::protocol::sip::endpoint::{Flow, Label, Seen, SessionId};
use crate::protocol::sip::message::Request;

/// Between two tones.
const PAUSE: Duration = Duration::from_millis(200);

impl Gateway {
    /// Other codes than the usual ones.
    pub fn use_codes(&mut self, codes: Codes) {
        self.codes = codes;
    }

    /// Who dials what code; `None`: it is no code.
    pub(super) fn code_dialled(&self, flow: &Flow, request: &Request) -> Option<(AgentNo, String)> {
        let dialled = request.uri.as_ref()?.number().filter(|dialled| dialled.starts_with('*'))?;
        Some((self.agent_who_calls(flow, request)?, dialled))
    }

    pub(super) fn serve_code(
        &mut self,
        now: Now,
        at: Now,
        (session, flow): (SessionId, Flow),
        request: &Request,
        (agent, dialled): (AgentNo, &str),
    ) {
        let refused = match self.codes.read(dialled) {
            None => 404,
            Some(Asked::PickUp(colleague)) => {
                match self.pick_up(now, at, (session, flow), request, (&agent, &colleague)) {
                    Ok(()) => return,
                    Err(status) => status,
                }
            }
            Some(Asked::Supervise { mode, of, pin }) => {
                match self.supervise(now, at, (session, flow), request, (&agent, Wish { mode, of: &of, pin: &pin })) {
                    Ok(()) => return,
                    Err(status) => status,
                }
            }
            Some(Asked::Recording { paused }) => {
                let call = self.talk_of(&agent);
                match call.and_then(|call| self.pause_recording(at, call, paused, PausedBy::Agent)) {
                    Ok(()) => return self.confirm(now, at, (session, flow), request, (agent, dialled), 2),
                    Err(why) => {
                        tracing::info!(%agent, %dialled, %why, "a code is refused");
                        403
                    }
                }
            }
            Some(Asked::Park) => match self.park(at, &agent) {
                Ok(slot) => {
                    let (own, plan) = ((agent, dialled.to_owned()), saying(slot, Next::HangUp));
                    return self.begin_own_call(now, at, (session, flow), request, own, (plan, None));
                }
                Err(status) => status,
            },
            Some(Asked::PickUpParked { slot }) => {
                match self.pick_up_parked(now, at, (session, flow), request, (&agent, slot)) {
                    Ok(()) => return,
                    Err(status) => status,
                }
            }
            Some(Asked::Add(number)) => match self.add(at, &agent, &number) {
                Ok(()) => return self.confirm(now, at, (session, flow), request, (agent, dialled), 2),
                Err(status) => status,
            },
            Some(Asked::Outside { pin, number }) => {
                return self.call_out(now, at, (session, flow), request, (agent, &number, Some(&pin)));
            }
            Some(Asked::Order(order)) => {
                let tones = if order == Order::Ready { 1 } else { 2 };
                match self.agents.order(&agent, order, By::Phone, now) {
                    Ok(()) => return self.confirm(now, at, (session, flow), request, (agent, dialled), tones),
                    Err(why) => {
                        tracing::info!(%agent, %dialled, %why, "a code is refused");
                        403
                    }
                }
            }
        };
        self.endpoint.reject(now, session, refused, None);
    }

    /// The code is done: so many tones say so.
    fn confirm(
        &mut self,
        now: Now,
        at: Now,
        from: (SessionId, Flow),
        request: &Request,
        (agent, dialled): (AgentNo, &str),
        tones: usize,
    ) {
        self.begin_own_call(
            now,
            at,
            from,
            request,
            (agent, dialled.to_owned()),
            (saying(self::tones(tones), Next::HangUp), None),
        );
    }

    /// The recording of this call is silence from now on, or no longer.
    pub(super) fn pause_recording(
        &mut self,
        now: Now,
        call: CallId,
        paused: bool,
        by: PausedBy,
    ) -> Result<(), NotPaused> {
        self.calls.get(&call).ok_or(NotPaused::NoCall)?.call.may_pause()?;
        self.inputs.push_back((call, now, Input::PauseRecording { paused, by }));
        Ok(())
    }

    /// The call in which this agent talks.
    pub(super) fn talk_of(&self, agent: &AgentNo) -> Result<CallId, NotPaused> {
        let Some(State::Talking { call }) = self.agents.state(agent) else { return Err(NotPaused::NoCall) };
        // Whoever only listens to others has no talk.
        let talks = self.calls.get(call).is_some_and(|entry| entry.call.talking_agent() == Some(agent));
        talks.then_some(*call).ok_or(NotPaused::NoCall)
    }

    /// The agent takes the call that rings at the colleague: 480 if nothing rings there, 403 if the agent does not serve that hotline,
    /// 486 if the agent's own phone is not free, 488 without media that we can carry.
    fn pick_up(
        &mut self,
        now: Now,
        at: Now,
        (session, flow): (SessionId, Flow),
        request: &Request,
        (agent, colleague): (&AgentNo, &AgentNo),
    ) -> Result<(), u16> {
        let (call, attempt) = self.ring_of(colleague).ok_or(480u16)?;
        let entry = self.calls.get(&call).ok_or(480u16)?;
        if !entry.call.hotline().everybody().contains(agent) {
            return Err(403);
        }
        if self.agents.state(agent) != Some(&State::Available) {
            return Err(486);
        }
        if request.body.is_empty() || !self.agent_answer(call, attempt, &request.body, flow.remote) {
            return Err(488);
        }
        let entry = self.calls.get_mut(&call).ok_or(480u16)?;
        let a = entry.attempts.get_mut(&attempt).ok_or(480u16)?;
        let (Some(media), Some(peer), Some(codec)) = (a.media.as_ref(), a.peer.as_ref(), a.codec) else {
            return Err(488);
        };
        let answer = negotiate::answer(&media.local, peer, codec);
        self.agents.take(agent, call);
        a.agent = Callee::Agent(agent.clone());
        a.source = Some(flow.remote);
        let ringing = a.forks.go_on_with(session);
        let role = Role::Agent { attempt, agent: Callee::Agent(agent.clone()) };
        self.link_phone(call, attempt, role.clone(), session);
        self.inputs.push_back((call, at, Input::PickedUp { attempt, agent: agent.clone() }));
        self.inputs.push_back((call, at, Input::AgentAnswered { attempt }));
        let seen = Box::new(Seen::of_request(request, flow.remote));
        self.note_received(call, &role, at, &Label::Request(request.method.clone()), Some(seen));
        self.leash_phone(session, &flow);
        self.endpoint.accept(now.mono, session, answer);
        let elsewhere = cause(Parting::Elsewhere);
        for phone in ringing {
            self.endpoint.hang_up_because(now, phone, elsewhere.as_ref());
        }
        tracing::info!(%call, %agent, %colleague, "picked up at a colleague's phone");
        Ok(())
    }

    /// The caller's call that rings at this agent, and its attempt.
    fn ring_of(&self, agent: &AgentNo) -> Option<(CallId, u32)> {
        let Some(State::Rung { call }) = self.agents.state(agent) else { return None };
        let entry = self.calls.get(call).filter(|entry| entry.call.is_hotlines())?;
        let of_agent = |callee: &Callee| matches!(callee, Callee::Agent(number) if number == agent);
        let rings = |(attempt, a): &(&u32, &super::book::Attempt)| {
            of_agent(&a.agent) && !a.released && !a.moves && entry.call.rings(**attempt)
        };
        let (attempt, a) = entry.attempts.iter().find(rings)?;
        let begun = a.forks.sessions().iter().any(|s| matches!(self.by_session.get(s), Some(Link { .. })));
        begun.then_some((*call, *attempt))
    }
}

/// So many tones.
pub(super) fn tones(tones: usize) -> Prompt {
    let quiet = vec![0; (PAUSE.as_millis() as usize) * (SAMPLE_RATE_HZ as usize) / 1_000];
    let mut audio: Vec<i16> = quiet.clone();
    for _ in 0..tones {
        audio.extend(media::beep().iter().chain(&quiet));
    }
    Prompt { text: String::new(), files: Vec::new(), audio: audio.into() }
}

/// One step: this, and what comes then.
pub(super) fn saying(prompt: Prompt, then: Next) -> Arc<Hotline> {
    let step = Step { name: "confirm".to_owned(), does: Does::Say(Say { prompt, then }) };
    plan_of(Vec::new(), Next::HangUp, Next::Step(StepNo::after(0)), vec![step])
}
