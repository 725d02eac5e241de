//! Ringing agents, one after the other or all at once, until one answers, the caller leaves, or nobody is left. Where a
//! hotline has a queue, the caller waits while all are busy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::agent::Agents;
use super::choice::Wanted;
use super::fact::{RingResult, What};
use super::leg::{Action, Callee, Input, Media, Parting, Sent};
use super::reason::{EndedBy, Reason};
use super::route::{Line, Ring, Route};
use super::talking::{Promptness, Talking};
use super::waiting::Waiting;
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::{self, Does, Hotline, Next, StepNo, Strategy};
use crate::ids::{AgentNo, TargetName};
use crate::limits;

#[derive(Debug)]
pub(super) struct Hunting {
    pub(super) route: Route,
    pub(super) place: Place,
    /// The phones that are being reached, by the attempt's number: one at most unless the strategy rings all.
    pub(super) attempts: BTreeMap<u32, Attempt>,
    pub(super) tried: BTreeSet<AgentNo>,
    /// `None`: the caller has not had to wait for an agent to be free.
    pub(super) waiting: Option<Waiting>,
    asks: Asks,
    /// Until then the caller hears rings and no agent's phone does: `answer.min_rings`.
    hold: Option<Instant>,
}

/// Of whom the plan's skill is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Skill {
        until: Option<Instant>,
    },
    /// The plan asks for none, or the caller has waited too long for it.
    Nothing,
}

impl Asks {
    fn of(place: &Place, hotline: &Hotline, now: Instant) -> Asks {
        let skill = place.agents(hotline).and_then(|agents| agents.skill.as_ref());
        skill.map_or(Asks::Nothing, |skill| Asks::Skill { until: skill.relax.map(|relax| now + relax) })
    }

    fn until(self) -> Option<Instant> {
        match self {
            Asks::Skill { until } => until,
            Asks::Nothing => None,
        }
    }
}

/// Who is hunted for: of `[agents]`, of a step, or a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Agents,
    Step(StepNo),
    Target(TargetName),
}

impl Place {
    /// The agents who are rung; `None`: none.
    pub(super) fn agents<'h>(&self, hotline: &'h Hotline) -> Option<&'h plan::Agents> {
        match self {
            Place::Agents => Some(&hotline.agents),
            Place::Step(no) => match &no.of(hotline)?.does {
                Does::Ring(agents) => Some(agents),
                _ => None,
            },
            Place::Target(_) => None,
        }
    }

    fn ring(&self, hotline: &Hotline) -> std::time::Duration {
        match (self.agents(hotline), self) {
            (Some(agents), _) => agents.ring,
            (None, Place::Step(no)) => match no.of(hotline).map(|step| &step.does) {
                Some(Does::Call(call)) => call.ring,
                _ => hotline.agents.ring,
            },
            (None, Place::Agents | Place::Target(_)) => hotline.agents.ring,
        }
    }

    /// Where the call goes on whom nobody here takes.
    fn otherwise<'h>(&self, hotline: &'h Hotline) -> &'h Next {
        match (self.agents(hotline), self) {
            (Some(agents), _) => &agents.nobody,
            (None, Place::Step(no)) => match no.of(hotline).map(|step| &step.does) {
                Some(Does::Call(call)) => &call.otherwise,
                _ => &Next::Unavailable,
            },
            (None, Place::Agents | Place::Target(_)) => &Next::Unavailable,
        }
    }
}

/// Whose phone is being reached.
#[derive(Debug)]
pub(super) struct Attempt {
    callee: Callee,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Ports are being opened.
    Opening,
    /// The INVITE is out; the ring ends at this instant.
    Inviting {
        until: Instant,
    },
    Ringing {
        until: Instant,
    },
}

impl Hunting {
    pub(super) fn new(mut route: Route, place: Place, hotline: &Hotline, now: Instant) -> Hunting {
        if let (Ring::Silent { at_latest }, Line::Attended) = (&mut route.ring, route.line) {
            *at_latest = now + limits::RING_AFTER;
        }
        let asks = Asks::of(&place, hotline, now);
        Hunting { route, place, attempts: BTreeMap::new(), tried: BTreeSet::new(), waiting: None, asks, hold: None }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let ring = match (self.route.ring, self.route.line) {
            (Ring::Silent { .. }, Line::Answering) => None,
            (Ring::Silent { at_latest }, _) => Some((at_latest, "ring the caller")),
            (Ring::Ordered | Ring::Rung(_), _) => None,
        };
        let until = self.attempts.values().filter_map(Attempt::until).min().map(|at| (at, "agent does not answer"));
        let waiting = self.waiting.as_ref().and_then(|waiting| waiting.poll_timeout(self.attempts.is_empty()));
        let hold = self.hold.map(|at| (at, "least rings"));
        let asks = self.asks.until().map(|at| (at, "skill not found"));
        [ring, until, waiting, hold, asks, self.route.poll_timeout()].into_iter().flatten().min()
    }

    fn is_current(&self, attempt: u32) -> bool {
        self.attempts.contains_key(&attempt)
    }

    /// Whom of the plan's agents this call may ring.
    pub(super) fn able<'p>(&self, plan: &'p plan::Agents) -> impl Iterator<Item = &'p AgentNo> {
        let skill = plan.skill.as_ref().filter(|_| self.asks != Asks::Nothing);
        plan.numbers.iter().filter(move |number| skill.is_none_or(|skill| skill.able.contains(*number)))
    }

    /// For the queue: whether the caller waits in it, and wants an agent now.
    pub(super) fn wants(&self) -> Option<bool> {
        self.waiting.as_ref().map(|_| self.attempts.is_empty())
    }
}

impl Attempt {
    fn until(&self) -> Option<Instant> {
        match self.stage {
            Stage::Opening => None,
            Stage::Inviting { until } | Stage::Ringing { until } => Some(until),
        }
    }
}

impl Call {
    /// Takes the next agent, or all who are free; with nobody left, the caller waits or goes on as the dialplan says.
    ///
    /// Those who became free while all others were rung are rung after them: everybody once, or, of those who wait, once in
    /// a while.
    pub(super) fn hunt(&mut self, mut hunting: Hunting, now: Instant, at: Now, agents: &mut Agents) -> State {
        let hotline = Arc::clone(&self.hotline);
        let Some(plan) = hunting.place.agents(&hotline) else { return self.nobody(hunting, now, at, agents) };
        if let Some(waiting) = &mut hunting.waiting {
            if waiting.is_over(now) {
                return self.waited_in_vain(hunting, plan, now, at, agents);
            }
            waiting.wake(now, &mut hunting.tried);
        }
        if self.is_too_early(&mut hunting, plan, now, agents) {
            return State::Hunting(hunting);
        }
        let asking = self.is_hotlines().then_some(&hotline.id);
        let relaxed = hunting.asks == Asks::Nothing;
        let call = self.id;
        while let Some(choice) =
            agents.take_next(Wanted { hotline: asking, plan, tried: &hunting.tried, call, relaxed, now: at.wall })
        {
            hunting.route.last_attempt += 1;
            let agent = choice.agent.clone();
            // Of those who are rung together the first fact says all; a colleague who is called was chosen by nobody.
            if hunting.attempts.is_empty() && asking.is_some() {
                self.fact(at, What::Chosen { attempt: hunting.route.last_attempt, choice: Box::new(choice) });
            }
            hunting.tried.insert(agent.clone());
            let attempt = hunting.route.last_attempt;
            self.actions.push_back(Action::OpenAgent { attempt, agent: agent.clone() });
            hunting.attempts.insert(attempt, Attempt { callee: Callee::Agent(agent), stage: Stage::Opening });
            if plan.strategy != Strategy::RingAll {
                break;
            }
        }
        match &plan.queue {
            _ if !hunting.attempts.is_empty() => State::Hunting(hunting),
            Some(queue) => self.wait(hunting, plan, queue, now, at, agents),
            None => self.nobody(hunting, now, at, agents),
        }
    }

    /// This attempt's phone is being rung for the caller.
    pub fn rings(&self, attempt: u32) -> bool {
        matches!(&self.state, State::Hunting(hunting) if hunting.is_current(attempt))
    }

    /// Whether the caller must hear more rings before an agent's phone does. An agent who could answer sooner would have to be
    /// kept from speaking, with the caller still ringing; one who is rung later simply answers later.
    fn is_too_early(&mut self, hunting: &mut Hunting, plan: &plan::Agents, now: Instant, agents: &Agents) -> bool {
        let answer = &self.hotline.answer;
        let wait = answer.cadence.period * answer.min_rings.saturating_sub(1);
        if wait.is_zero() || !hunting.attempts.is_empty() || !hunting.able(plan).any(|number| agents.is_free(number)) {
            hunting.hold = None;
            return false;
        }
        let from = match hunting.route.ring {
            Ring::Rung(ring) => ring.mono + wait,
            Ring::Ordered => hunting.hold.unwrap_or(now + wait + limits::RING_REPORT),
            Ring::Silent { .. } => {
                self.ring(&mut hunting.route);
                now + wait + limits::RING_REPORT
            }
        };
        hunting.hold = (from > now).then_some(from);
        hunting.hold.is_some()
    }

    /// The caller hears the ring.
    fn rung(&mut self, hunting: &mut Hunting, at: Now) {
        self.fact(at, What::Ring);
        hunting.route.ring = Ring::Rung(at);
        let answer = &self.hotline.answer;
        let wait = answer.cadence.period * answer.min_rings.saturating_sub(1);
        hunting.hold = hunting.hold.map(|_| at.mono + wait);
    }

    /// Calls a target in an agent's place.
    pub(super) fn call_target(&mut self, mut route: Route, place: Place, target: TargetName) -> State {
        route.last_attempt += 1;
        let attempt = route.last_attempt;
        self.actions.push_back(Action::OpenTarget { attempt, target: target.clone() });
        let attempts = BTreeMap::from([(attempt, Attempt { callee: Callee::Target(target), stage: Stage::Opening })]);
        let (tried, asks) = (BTreeSet::new(), Asks::Nothing);
        State::Hunting(Hunting { route, place, attempts, tried, waiting: None, asks, hold: None })
    }

    /// No agent is left: the dialplan's next step.
    fn nobody(&mut self, hunting: Hunting, now: Instant, at: Now, agents: &mut Agents) -> State {
        let hotline = Arc::clone(&self.hotline);
        let next = hunting.place.otherwise(&hotline);
        self.go(hunting.route, next, now, at, agents)
    }

    pub(super) fn handle_hunting(
        &mut self,
        mut hunting: Hunting,
        now: Instant,
        at: Now,
        input: Input,
        agents: &mut Agents,
    ) -> State {
        match input {
            Input::AgentReady { attempt } if hunting.is_current(attempt) => self.invite(hunting, attempt, now),
            Input::AgentNotReady { attempt } if hunting.is_current(attempt) => {
                self.no_port(hunting, attempt, now, at, agents)
            }
            Input::Sent(Sent::Invite { attempt }) if hunting.is_current(attempt) => {
                // The same call sent once more (a longer session timer, another transport, a digest answer, the trunk's next
                // machine) is no second ring.
                let first = !self.ledger.ringing.contains_key(&attempt);
                if let Some(a) = hunting.attempts.get(&attempt).filter(|_| first) {
                    let what = a.callee.invited(attempt);
                    self.fact(at, what);
                }
                State::Hunting(hunting)
            }
            Input::AgentRinging { attempt } if hunting.is_current(attempt) => self.agent_rings(hunting, attempt, at),
            Input::AgentAnswered { attempt } if hunting.is_current(attempt) => {
                self.agent_answers(hunting, attempt, at, agents)
            }
            Input::AgentFailed { attempt, result, status } if hunting.is_current(attempt) => {
                self.attempt_failed(hunting, attempt, now, at, (result, status), agents)
            }
            Input::PickedUp { attempt, agent } => {
                if let Some(Attempt { callee: Callee::Agent(at_phone), .. }) = hunting.attempts.get_mut(&attempt) {
                    let from = std::mem::replace(at_phone, agent.clone());
                    self.fact(at, What::PickedUp { attempt, agent, from });
                }
                State::Hunting(hunting)
            }
            Input::AgentFree if hunting.wants() == Some(true) => self.hunt(hunting, now, at, agents),
            Input::Sent(Sent::Ring) | Input::Media(Media::RingbackStarted) => {
                self.rung(&mut hunting, at);
                State::Hunting(hunting)
            }
            Input::Sent(Sent::Answer) if hunting.route.line == Line::Answering => {
                self.attend(&mut hunting.route, at);
                self.tell_place(&mut hunting, now, agents);
                State::Hunting(hunting)
            }
            _ if hunting.route.line != Line::Ringing => self.handle_waiting(hunting, now, at, input, agents),
            Input::CallerLeft => {
                let state = self.end(now, at, Reason::CallerCancelled, EndedBy::Caller);
                self.drop_attempts(&mut hunting, at, RingResult::CallerLeft);
                state
            }
            Input::Lost { .. } => {
                let state = self.end(now, at, Reason::TrunkFault, EndedBy::Trunk);
                self.drop_attempts(&mut hunting, at, RingResult::CallerLeft);
                state
            }
            Input::Shutdown => {
                self.drop_attempts(&mut hunting, at, RingResult::CallerLeft);
                self.reject(Reason::Shutdown, 503, None)
            }
            // Whatever else belongs to an attempt that is over.
            _ => State::Hunting(hunting),
        }
    }

    pub(super) fn handle_hunting_timeout(&mut self, mut hunting: Hunting, now: Now, agents: &mut Agents) -> State {
        if now.mono >= hunting.route.give_up {
            self.drop_attempts(&mut hunting, now, RingResult::NoAnswer);
            let status = if *hunting.place.otherwise(&self.hotline) == Next::BusyTone { 486 } else { 480 };
            return self.no_step_left(&hunting.route, status, now.mono, now);
        }
        if hunting.route.is_silent(now.mono) {
            let state = self.leave(&hunting.route, now.mono, now, Reason::MediaTimeout, EndedBy::Gateway);
            self.drop_attempts(&mut hunting, now, RingResult::CallerLeft);
            return state;
        }
        if matches!(hunting.route.ring, Ring::Silent { at_latest } if at_latest <= now.mono) {
            self.ring(&mut hunting.route);
        }
        let due = |a: &Attempt| a.until().is_some_and(|until| until <= now.mono);
        let over: Vec<u32> = hunting.attempts.iter().filter(|(_, a)| due(a)).map(|(number, _)| *number).collect();
        let any = !over.is_empty();
        for attempt in over {
            // A phone that never even rang was not reached.
            let result = match hunting.attempts.get(&attempt).map(|a| a.stage) {
                Some(Stage::Ringing { .. }) => RingResult::NoAnswer,
                Some(Stage::Inviting { .. } | Stage::Opening) | None => RingResult::Unreachable,
            };
            self.release(&mut hunting, attempt, now, (result, None));
        }
        self.tell_place_again(&mut hunting, now.mono, agents);
        let waits = hunting.waiting.as_ref().is_some_and(|waiting| waiting.is_due(now.mono));
        let held = hunting.hold.is_some_and(|until| until <= now.mono);
        let relaxes = hunting.asks.until().is_some_and(|until| until <= now.mono);
        if relaxes {
            self.ask_no_more(&mut hunting, agents);
        }
        if any || waits || held || relaxes {
            self.hunt_on(hunting, now.mono, now, agents)
        } else {
            State::Hunting(hunting)
        }
    }

    /// Anybody of the group will do from now on.
    fn ask_no_more(&self, hunting: &mut Hunting, agents: &mut Agents) {
        hunting.asks = Asks::Nothing;
        if let Some(plan) = hunting.place.agents(&self.hotline) {
            agents.queue.want_any_of(self.id, &plan.numbers);
        }
    }

    fn invite(&mut self, mut hunting: Hunting, number: u32, now: Instant) -> State {
        if let Some(attempt) = hunting.attempts.get_mut(&number) {
            attempt.stage = Stage::Inviting { until: now + hunting.place.ring(&self.hotline) };
            self.actions.push_back(match &attempt.callee {
                Callee::Agent(agent) => Action::InviteAgent { attempt: number, agent: agent.clone() },
                Callee::Target(_) => Action::InviteTarget { attempt: number },
            });
        }
        State::Hunting(hunting)
    }

    fn agent_rings(&mut self, mut hunting: Hunting, number: u32, at: Now) -> State {
        if let Some(attempt) = hunting.attempts.get_mut(&number)
            && let Stage::Inviting { until } = attempt.stage
        {
            attempt.stage = Stage::Ringing { until };
            let what = attempt.callee.ringing(number);
            self.fact(at, what);
            if matches!(hunting.route.ring, Ring::Silent { .. }) {
                self.ring(&mut hunting.route);
            }
        }
        State::Hunting(hunting)
    }

    fn agent_answers(&mut self, mut hunting: Hunting, number: u32, at: Now, agents: &mut Agents) -> State {
        let Some(attempt) = hunting.attempts.remove(&number) else { return State::Hunting(hunting) };
        if let Callee::Agent(agent) = &attempt.callee {
            match self.is_hotlines() {
                true => agents.answered(agent, self.id, self.hotline.duty.wrap_up, at),
                false => agents.engage(agent, self.id),
            }
        }
        self.fact(at, attempt.callee.answered(number));
        if hunting.route.line == Line::Ringing {
            self.actions.push_back(Action::AnswerCaller { attempt: number });
        }
        self.drop_attempts(&mut hunting, at, RingResult::LostRace);
        let late = match hunting.route.ring {
            Ring::Rung(ring) => {
                let since_ring = at.mono.as_nanos().saturating_sub(ring.mono.as_nanos());
                self.answer.is_late(self.answer.rings(since_ring))
            }
            Ring::Silent { .. } | Ring::Ordered => false,
        };
        // What a late greeting may name as its cause must have been so.
        let busy = hunting.waiting.is_some() || hunting.route.results.contains(&RingResult::Busy);
        let late = match (late, busy) {
            (false, _) => Promptness::InTime,
            (true, false) => Promptness::Late,
            (true, true) => Promptness::WhileBusy,
        };
        let mut talking = Talking::new((number, hunting.route.last_attempt), attempt.callee, late);
        if hunting.route.line == Line::Attended {
            self.join(&mut talking, at);
        }
        State::Talking(Box::new(talking))
    }

    fn attempt_failed(
        &mut self,
        mut hunting: Hunting,
        number: u32,
        now: Instant,
        at: Now,
        how: (RingResult, Option<u16>),
        agents: &mut Agents,
    ) -> State {
        self.release(&mut hunting, number, at, how);
        self.hunt_on(hunting, now, at, agents)
    }

    /// There is no port for this phone, and there would be none for another one: nobody else is bothered in vain. A caller in a queue
    /// waits on until somebody may be rung again.
    fn no_port(&mut self, mut hunting: Hunting, number: u32, now: Instant, at: Now, agents: &mut Agents) -> State {
        let hotline = Arc::clone(&self.hotline);
        if let Some(plan) = hunting.place.agents(&hotline) {
            hunting.tried.extend(plan.numbers.iter().cloned());
        }
        self.attempt_failed(hunting, number, now, at, (RingResult::Fault, None), agents)
    }

    /// The next agents' turn comes when no phone rings any more.
    fn hunt_on(&mut self, hunting: Hunting, now: Instant, at: Now, agents: &mut Agents) -> State {
        if hunting.attempts.is_empty() { self.hunt(hunting, now, at, agents) } else { State::Hunting(hunting) }
    }

    /// This phone is to ring no more.
    fn release(&mut self, hunting: &mut Hunting, number: u32, at: Now, (result, status): (RingResult, Option<u16>)) {
        let Some(Attempt { callee, .. }) = hunting.attempts.remove(&number) else { return };
        self.fact(at, callee.released(number, result, status));
        let parting = if result == RingResult::LostRace { Parting::Elsewhere } else { Parting::Silent };
        self.actions.push_back(Action::ReleaseAgent { attempt: number, parting });
        // Why nobody took the call is said of the agents; a target in vain does not change it.
        if let Callee::Agent(_) = callee {
            hunting.route.results.insert(result);
        }
    }

    /// The hunt is over: every phone that is still being rung must stop.
    pub(super) fn drop_attempts(&mut self, hunting: &mut Hunting, at: Now, result: RingResult) {
        let numbers: Vec<u32> = hunting.attempts.keys().copied().collect();
        for number in numbers {
            self.release(hunting, number, at, (result, None));
        }
    }
}
