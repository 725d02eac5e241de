//! Waiting in the queue: the caller is attended, hears where in the queue the call stands, and an agent who becomes free is
//! rung for whoever came first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::agent::Agents;
use super::fact::{RingResult, What};
use super::hunting::Hunting;
use super::leg::{Action, Input, Media};
use super::privacy::Pressed;
use super::queue::{Joined, Joining};
use super::reason::Reason;
use super::route::{Line, Ring};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::{self, Queue};
use crate::ids::{AgentNo, Side};
use crate::limits;
use crate::media::{Hears, Play};

#[derive(Debug)]
pub(super) struct Waiting {
    /// The longest wait ends.
    until: Instant,
    announcing: Announcing,
    /// Agents who were rung for this caller in vain, and when they may be again.
    resting: BTreeMap<AgentNo, Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announcing {
    /// Nothing is said until then; `None`: any more.
    Quiet { next: Option<Instant> },
    /// That all are busy.
    Busy,
    /// The place.
    Position,
    /// How long it will be.
    Estimate,
}

impl Waiting {
    /// `idle`: no phone rings for the caller now.
    pub(super) fn poll_timeout(&self, idle: bool) -> Option<(Instant, &'static str)> {
        let say = match self.announcing {
            Announcing::Quiet { next } => next.map(|at| (at, "tell the place")),
            Announcing::Busy | Announcing::Position | Announcing::Estimate => None,
        };
        let rested = self.resting.values().min().filter(|_| idle).map(|at| (*at, "ring again"));
        let over = idle.then_some((self.until, "waited too long"));
        [say, rested, over].into_iter().flatten().min()
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until <= now
    }

    /// The wait is over, or somebody may be rung again.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.is_over(now) || self.resting.values().any(|at| *at <= now)
    }

    /// Whoever has rested may be rung again.
    pub(super) fn wake(&mut self, now: Instant, tried: &mut BTreeSet<AgentNo>) {
        self.resting.retain(|agent, until| {
            let rests = *until > now;
            if !rests {
                tried.remove(agent);
            }
            rests
        });
    }
}

impl Call {
    /// Nobody is free: the caller waits.
    pub(super) fn wait(
        &mut self,
        mut hunting: Hunting,
        plan: &plan::Agents,
        queue: &Arc<Queue>,
        now: Instant,
        at: Now,
        agents: &mut Agents,
    ) -> State {
        let joins = hunting.waiting.is_none();
        let waiting = hunting.waiting.get_or_insert_with(|| Waiting {
            until: now + queue.longest,
            announcing: Announcing::Quiet { next: None },
            resting: BTreeMap::new(),
        });
        for agent in &hunting.tried {
            waiting.resting.entry(agent.clone()).or_insert(now + limits::RING_AGAIN);
        }
        if joins {
            let numbers: Vec<AgentNo> = hunting.able(plan).cloned().collect();
            self.join_queue(&numbers, now, at, agents);
            if matches!(hunting.route.ring, Ring::Silent { .. }) && hunting.route.line == Line::Ringing {
                self.ring(&mut hunting.route);
            }
            self.answer_alone(&mut hunting.route);
            if hunting.route.line == Line::Attended {
                self.tell_place(&mut hunting, now, agents);
            }
        }
        State::Hunting(hunting)
    }

    fn join_queue(&mut self, numbers: &[AgentNo], now: Instant, at: Now, agents: &mut Agents) {
        let joining = Joining {
            call: self.id,
            offered: self.offered.mono,
            hotline: &self.hotline.id,
            numbers,
            caller: &self.standing,
        };
        let Joined { position, waited } = agents.queue.join(now, joining);
        self.fact(at, What::Queued { position });
        let priority = self.standing.priority;
        if priority > 0 || waited.is_some() {
            let waited_ms = waited.map(|waited| u64::try_from(waited.as_millis()).unwrap_or(u64::MAX));
            self.fact(at, What::Placed { priority, waited_ms });
        }
    }

    pub(super) fn waited_in_vain(
        &mut self,
        hunting: Hunting,
        plan: &plan::Agents,
        now: Instant,
        at: Now,
        agents: &mut Agents,
    ) -> State {
        let next = plan.queue.as_ref().map_or(&plan.nobody, |queue| &queue.otherwise);
        self.go(hunting.route, next, now, at, agents)
    }

    /// What an attended caller does while agents are rung or waited for.
    pub(super) fn handle_waiting(
        &mut self,
        mut hunting: Hunting,
        now: Instant,
        at: Now,
        input: Input,
        agents: &mut Agents,
    ) -> State {
        if let Input::Key { side: Side::Caller, key, duration, via } = input {
            self.note_key(at, Pressed { side: Side::Caller, key, duration, via }, None);
            return self.key_while_waiting(hunting, key, now, at, agents);
        }
        if matches!(input, Input::HungUp { side: Side::Caller } | Input::CallerLeft) {
            agents.queue.abandon(self.id, now);
        }
        let said = matches!(input, Input::Media(Media::PlayEnded { play: Play::Queue, to_end: true }));
        match self.note_attended(&mut hunting.route, now, at, input, Reason::CallerCancelled) {
            Ok(Some(state)) => {
                self.drop_attempts(&mut hunting, at, RingResult::CallerLeft);
                state
            }
            Ok(None) => {
                if said {
                    self.said(&mut hunting, now, agents);
                }
                State::Hunting(hunting)
            }
            // Whatever else belongs to an attempt that is over.
            Err(_) => State::Hunting(hunting),
        }
    }

    /// The caller would rather go elsewhere than wait on. A phone that rings meanwhile stops.
    fn key_while_waiting(
        &mut self,
        mut hunting: Hunting,
        key: char,
        now: Instant,
        at: Now,
        agents: &mut Agents,
    ) -> State {
        let hotline = Arc::clone(&self.hotline);
        let queue = hunting.place.agents(&hotline).and_then(|plan| plan.queue.as_ref());
        let next = queue.filter(|_| hunting.waiting.is_some()).and_then(|queue| queue.keys.get(&key));
        let Some(next) = next else { return State::Hunting(hunting) };
        self.drop_attempts(&mut hunting, at, RingResult::CallerLeft);
        self.actions.push_back(Action::Park { hears: Hears::Nothing });
        self.go(hunting.route, next, now, at, agents)
    }

    /// Says that all are busy, then the place, then how long it will be.
    pub(super) fn tell_place(&mut self, hunting: &mut Hunting, now: Instant, agents: &Agents) {
        self.announce(hunting, now, agents, |queue| queue.busy.is_some().then_some(Announcing::Busy));
    }

    /// The same again, if it is time.
    pub(super) fn tell_place_again(&mut self, hunting: &mut Hunting, now: Instant, agents: &Agents) {
        let due = |waiting: &Waiting| matches!(waiting.announcing, Announcing::Quiet { next: Some(at) } if at <= now);
        if hunting.waiting.as_ref().is_some_and(due) {
            self.tell_place(hunting, now, agents);
        }
    }

    fn said(&mut self, hunting: &mut Hunting, now: Instant, agents: &Agents) {
        let over = hunting.waiting.as_ref().map(|waiting| waiting.announcing);
        match over {
            Some(Announcing::Busy) => self.announce(hunting, now, agents, |_| None),
            Some(Announcing::Position) => self.announce(hunting, now, agents, |_| Some(Announcing::Estimate)),
            Some(Announcing::Estimate) => self.announce(hunting, now, agents, |queue| Some(quiet(queue, now))),
            Some(Announcing::Quiet { .. }) | None => {}
        }
    }

    /// What is said next, from this on; `None`: from the place on. What there is nothing to say of is left out.
    fn announce(
        &mut self,
        hunting: &mut Hunting,
        now: Instant,
        agents: &Agents,
        first: impl FnOnce(&Queue) -> Option<Announcing>,
    ) {
        let hotline = Arc::clone(&self.hotline);
        let Some(plan) = hunting.place.agents(&hotline) else { return };
        let Some(queue) = &plan.queue else { return };
        let position = agents.queue.position(self.id);
        // Of the first nothing is said: nobody is ahead.
        let ahead = (position as usize).checked_sub(2).and_then(|index| queue.ahead.get(index));
        let wait = agents.estimated_wait(hunting.able(plan), position);
        let minutes = wait.map(|wait| wait.as_secs().div_ceil(60).max(1));
        let minutes = minutes.and_then(|minutes| usize::try_from(minutes - 1).ok());
        let estimate = minutes.and_then(|index| queue.estimate.get(index));
        let told = match (first(queue), ahead, estimate) {
            (Some(Announcing::Busy), ..) => queue.busy.as_ref().map(|busy| (Announcing::Busy, busy)),
            (None | Some(Announcing::Position), Some(ahead), _) => Some((Announcing::Position, ahead)),
            (None | Some(Announcing::Position | Announcing::Estimate), _, Some(wait)) => {
                Some((Announcing::Estimate, wait))
            }
            _ => None,
        };
        if let Some((_, prompt)) = told {
            self.say(Play::Queue, prompt, now);
        }
        if let Some(waiting) = &mut hunting.waiting {
            waiting.announcing = told.map_or_else(|| quiet(queue, now), |(announcing, _)| announcing);
        }
    }
}

fn quiet(queue: &Queue, now: Instant) -> Announcing {
    Announcing::Quiet { next: queue.every.map(|every| now + every) }
}
