//! An emergency (R-316): everybody of a step is rung at once, agents and targets. Whoever picks up hears the caller, unheard, and is asked to
//! confirm by [`CONFIRM`]; until somebody does, the others ring on, for a mailbox picks up too. Nobody confirms in time: the next
//! step, which may ring the next higher ones.
//!
//! ```text
//! Opening ─► Inviting ─► Ringing ─► Asked ─► (1) ─► the talk
//! ```
//!
//! A paused agent is rung too; one who rings or talks is not. The caller is attended and hears the ringing tone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::agent::Agents;
use super::fact::{RingResult, What};
use super::leg::{Action, Beside, Callee, Input, Media, Parting, Sent};
use super::privacy::Pressed;
use super::reason::{EndedBy, Reason};
use super::route::{Ring, Route};
use super::talking::{Promptness, Talking};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::{Cascade, Does, Next, StepNo};
use crate::media::Audible;

/// The key that takes the call.
const CONFIRM: char = '1';

#[derive(Debug)]
pub(super) struct Cascading {
    route: Route,
    step: StepNo,
    /// The phones ring so long, and whoever has picked up by then has a moment more.
    until: Instant,
    attempts: BTreeMap<u32, Attempt>,
}

#[derive(Debug)]
struct Attempt {
    who: Callee,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Ports are being opened.
    Opening,
    Inviting,
    Ringing,
    /// It was picked up, and is to be confirmed until then.
    Asked {
        until: Instant,
    },
}

impl Cascading {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let asked = self.attempts.values().filter_map(|attempt| match attempt.stage {
            Stage::Asked { until } => Some((until, "nobody confirms")),
            Stage::Opening | Stage::Inviting | Stage::Ringing => None,
        });
        let rings = self.attempts.values().any(Attempt::rings).then_some((self.until, "nobody picks up"));
        asked.chain(rings).chain(self.route.poll_timeout()).min()
    }
}

impl Attempt {
    fn rings(&self) -> bool {
        !matches!(self.stage, Stage::Asked { .. })
    }

    /// How it ends when its time is up.
    fn in_vain(&self) -> RingResult {
        match self.stage {
            Stage::Asked { .. } => RingResult::Unconfirmed,
            Stage::Ringing => RingResult::NoAnswer,
            // A phone that never even rang was not reached.
            Stage::Opening | Stage::Inviting => RingResult::Unreachable,
        }
    }
}

impl Call {
    /// The caller is attended: everybody is rung.
    pub(super) fn begin_cascade(
        &mut self,
        mut route: Route,
        step: StepNo,
        cascade: &Cascade,
        now: Instant,
        at: Now,
        agents: &mut Agents,
    ) -> State {
        let mut attempts = BTreeMap::new();
        for who in &cascade.callees {
            let taken = match who {
                Callee::Agent(agent) => agents.take(agent, self.id),
                Callee::Target(_) => true,
            };
            if taken {
                route.last_attempt += 1;
                let attempt = route.last_attempt;
                self.actions.push_back(match who.clone() {
                    Callee::Agent(agent) => Action::OpenAgent { attempt, agent },
                    Callee::Target(target) => Action::OpenTarget { attempt, target },
                });
                self.actions.push_back(Action::SetBeside { attempt });
                attempts.insert(attempt, Attempt { who: who.clone(), stage: Stage::Opening });
            }
        }
        if attempts.is_empty() {
            return self.go(route, &cascade.otherwise, now, at, agents);
        }
        let heard = route.ring;
        self.ring(&mut route);
        if let Ring::Rung(_) = heard {
            route.ring = heard;
        }
        State::Cascading(Box::new(Cascading { route, step, until: now + cascade.ring, attempts }))
    }

    pub(super) fn handle_cascading(
        &mut self,
        mut cascading: Box<Cascading>,
        now: Instant,
        at: Now,
        input: Input,
        agents: &mut Agents,
    ) -> State {
        let stage = |cascading: &Cascading, attempt: &u32| cascading.attempts.get(attempt).map(|a| a.stage);
        match input {
            Input::Key { side, key, duration, via } => {
                self.note_key(at, Pressed { side, key, duration, via }, None);
                State::Cascading(cascading)
            }
            Input::AgentReady { attempt } if stage(&cascading, &attempt) == Some(Stage::Opening) => {
                self.invite_in_cascade(&mut cascading, attempt);
                State::Cascading(cascading)
            }
            Input::Sent(Sent::Invite { attempt }) if stage(&cascading, &attempt).is_some() => {
                if let Some(a) =
                    cascading.attempts.get(&attempt).filter(|_| !self.ledger.ringing.contains_key(&attempt))
                {
                    self.fact(at, a.who.invited(attempt));
                }
                State::Cascading(cascading)
            }
            Input::AgentRinging { attempt } if stage(&cascading, &attempt) == Some(Stage::Inviting) => {
                if let Some(a) = cascading.attempts.get_mut(&attempt) {
                    a.stage = Stage::Ringing;
                    self.fact(at, a.who.ringing(attempt));
                }
                State::Cascading(cascading)
            }
            Input::AgentAnswered { attempt } if stage(&cascading, &attempt).is_some() => {
                self.ask_to_confirm(&mut cascading, attempt, now, at);
                State::Cascading(cascading)
            }
            Input::Beside { attempt, does: Beside::Presses(CONFIRM) }
                if matches!(stage(&cascading, &attempt), Some(Stage::Asked { .. })) =>
            {
                self.confirmed(cascading, attempt, at, agents)
            }
            Input::AgentNotReady { attempt } => {
                self.off(cascading, attempt, (RingResult::Fault, None), (now, at), agents)
            }
            Input::AgentFailed { attempt, result, status } => {
                self.off(cascading, attempt, (result, status), (now, at), agents)
            }
            Input::Beside { attempt, does: Beside::HangsUp | Beside::IsLost } => {
                self.off(cascading, attempt, (RingResult::Unconfirmed, None), (now, at), agents)
            }
            // The caller hears the tone once more than is told: the first is the ring.
            Input::Media(Media::RingbackStarted) if matches!(cascading.route.ring, Ring::Rung(_)) => {
                State::Cascading(cascading)
            }
            other => match self.note_attended(&mut cascading.route, now, at, other, Reason::CallerCancelled) {
                Ok(Some(state)) => {
                    self.drop_cascade(&mut cascading, at, RingResult::CallerLeft);
                    state
                }
                Ok(None) | Err(_) => State::Cascading(cascading),
            },
        }
    }

    pub(super) fn handle_cascading_timeout(
        &mut self,
        mut cascading: Box<Cascading>,
        now: Now,
        agents: &mut Agents,
    ) -> State {
        if cascading.route.is_silent(now.mono) {
            let state = self.leave(&cascading.route, now.mono, now, Reason::MediaTimeout, EndedBy::Gateway);
            self.drop_cascade(&mut cascading, now, RingResult::CallerLeft);
            return state;
        }
        if cascading.route.give_up <= now.mono {
            self.drop_cascade(&mut cascading, now, RingResult::NoAnswer);
            return self.no_step_left(&cascading.route, 480, now.mono, now);
        }
        let over = cascading.until <= now.mono;
        let due = |a: &Attempt| match a.stage {
            Stage::Asked { until } => until <= now.mono,
            Stage::Opening | Stage::Inviting | Stage::Ringing => over,
        };
        let due = cascading.attempts.iter().filter(|(_, a)| due(a)).map(|(number, a)| (*number, a.in_vain()));
        let due: Vec<(u32, RingResult)> = due.collect();
        for (attempt, result) in due {
            self.release_from_cascade(&mut cascading, attempt, now, (result, None));
        }
        self.cascade_on(cascading, now.mono, now, agents)
    }

    fn invite_in_cascade(&mut self, cascading: &mut Cascading, attempt: u32) {
        let Some(a) = cascading.attempts.get_mut(&attempt) else { return };
        a.stage = Stage::Inviting;
        self.actions.push_back(match &a.who {
            Callee::Agent(agent) => Action::InviteAgent { attempt, agent: agent.clone() },
            Callee::Target(_) => Action::InviteTarget { attempt },
        });
    }

    fn ask_to_confirm(&mut self, cascading: &mut Cascading, attempt: u32, now: Instant, at: Now) {
        let hotline = Arc::clone(&self.hotline);
        let Some(Does::Cascade(cascade)) = cascading.step.of(&hotline).map(|step| &step.does) else { return };
        let Some(a) = cascading.attempts.get_mut(&attempt).filter(|a| a.rings()) else { return };
        a.stage = Stage::Asked { until: now + cascade.confirm };
        self.fact(at, What::AskedToConfirm { attempt, who: a.who.clone() });
        self.actions.push_back(Action::Admit { attempt, audible: Audible::Nobody });
        if let Some(text) = &cascade.text {
            self.actions.push_back(Action::Tell { attempt, audio: text.audio.narrow().clone() });
        }
    }

    /// This one has the caller from now on; everybody else's phone is to ring no more.
    fn confirmed(&mut self, mut cascading: Box<Cascading>, attempt: u32, at: Now, agents: &mut Agents) -> State {
        let Some(Attempt { who, .. }) = cascading.attempts.remove(&attempt) else { return State::Cascading(cascading) };
        if let Callee::Agent(agent) = &who {
            agents.answered(agent, self.id, self.hotline.duty.wrap_up, at);
        }
        self.fact(at, What::Confirmed { attempt, who: who.clone() });
        self.fact(at, who.answered(attempt));
        self.drop_cascade(&mut cascading, at, RingResult::LostRace);
        let numbers = (attempt, cascading.route.last_attempt);
        let mut talking = Talking::new(numbers, who, Promptness::Ungreeted);
        self.join(&mut talking, at);
        State::Talking(Box::new(talking))
    }

    /// This phone has nothing more to do with the emergency.
    fn off(
        &mut self,
        mut cascading: Box<Cascading>,
        attempt: u32,
        how: (RingResult, Option<u16>),
        (now, at): (Instant, Now),
        agents: &mut Agents,
    ) -> State {
        self.release_from_cascade(&mut cascading, attempt, at, how);
        self.cascade_on(cascading, now, at, agents)
    }

    /// With nobody left, the next step.
    fn cascade_on(&mut self, cascading: Box<Cascading>, now: Instant, at: Now, agents: &mut Agents) -> State {
        if !cascading.attempts.is_empty() {
            return State::Cascading(cascading);
        }
        let hotline = Arc::clone(&self.hotline);
        let next = match cascading.step.of(&hotline).map(|step| &step.does) {
            Some(Does::Cascade(cascade)) => &cascade.otherwise,
            _ => &Next::Unavailable,
        };
        self.go(cascading.route, next, now, at, agents)
    }

    fn release_from_cascade(
        &mut self,
        cascading: &mut Cascading,
        attempt: u32,
        at: Now,
        (result, status): (RingResult, Option<u16>),
    ) {
        let Some(Attempt { who, .. }) = cascading.attempts.remove(&attempt) else { return };
        self.fact(at, who.released(attempt, result, status));
        let parting = if result == RingResult::LostRace { Parting::Elsewhere } else { Parting::Silent };
        self.actions.push_back(Action::ReleaseAgent { attempt, parting });
        cascading.route.results.insert(result);
    }

    fn drop_cascade(&mut self, cascading: &mut Cascading, at: Now, result: RingResult) {
        let numbers: Vec<u32> = cascading.attempts.keys().copied().collect();
        for attempt in numbers {
            self.release_from_cascade(cascading, attempt, at, (result, None));
        }
    }
}
