//! Ringing agents, one after the other or all at once, until one answers, the caller leaves, or nobody is left.

use std::collections::{BTreeMap, BTreeSet};

use super::agent::Agents;
use super::fact::{RingResult, RingSource, What};
use super::leg::{Action, Callee, Input, Media, Parting, Sent};
use super::reason::{EndedBy, Reason};
use super::talking::Talking;
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::{Nobody, Strategy};
use crate::ids::AgentNo;
use crate::limits;

#[derive(Debug)]
pub(super) struct Hunting {
    ring: Ring,
    /// The phones that are being reached, by the attempt's number: one at most unless the strategy rings all.
    attempts: BTreeMap<u32, Attempt>,
    last_attempt: u32,
    tried: BTreeSet<AgentNo>,
    results: BTreeSet<RingResult>,
    /// The dialplan's last step has been taken.
    overflowed: bool,
    give_up: Instant,
}

/// What the caller hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ring {
    /// 100 only; 180, or 183 with our ringing tone, goes out at this instant at the latest.
    Silent {
        at_latest: Instant,
    },
    /// It is ordered and not yet written.
    Ordered,
    Rung(Now),
}

/// Whose phone is being reached.
#[derive(Debug)]
struct Attempt {
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
    pub(super) fn new(offered: Instant) -> Hunting {
        Hunting {
            ring: Ring::Silent { at_latest: offered + limits::RING_AFTER },
            attempts: BTreeMap::new(),
            last_attempt: 0,
            tried: BTreeSet::new(),
            results: BTreeSet::new(),
            overflowed: false,
            give_up: offered + limits::LONGEST_WAIT,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let ring = match self.ring {
            Ring::Silent { at_latest } => Some((at_latest, "ring the caller")),
            Ring::Ordered | Ring::Rung(_) => None,
        };
        let until = self.attempts.values().filter_map(Attempt::until).min().map(|at| (at, "agent does not answer"));
        [ring, until, Some((self.give_up, "longest wait"))].into_iter().flatten().min()
    }

    fn is_current(&self, attempt: u32) -> bool {
        self.attempts.contains_key(&attempt)
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
    /// Takes the next agent, or all who are free; with nobody left, the caller gets what the dialplan says.
    ///
    /// Those who became free while all others were rung are rung after them: everybody once in a call.
    pub(super) fn hunt(&mut self, mut hunting: Hunting, now: Instant, at: Now, agents: &mut Agents) -> State {
        let plan = &self.hotline.agents;
        while let Some(agent) = agents.take_next(&self.hotline.id, plan, &hunting.tried, self.id) {
            hunting.last_attempt += 1;
            hunting.tried.insert(agent.clone());
            let attempt = hunting.last_attempt;
            self.actions.push_back(Action::OpenAgent { attempt, agent: agent.clone() });
            hunting.attempts.insert(attempt, Attempt { callee: Callee::Agent(agent), stage: Stage::Opening });
            if plan.strategy != Strategy::RingAll {
                break;
            }
        }
        if hunting.attempts.is_empty() {
            return self.nobody(hunting, now, at);
        }
        State::Hunting(hunting)
    }

    /// No agent is left: the dialplan's last step, then the end.
    fn nobody(&mut self, mut hunting: Hunting, now: Instant, at: Now) -> State {
        match &self.hotline.agents.nobody {
            Nobody::Target(target) if !hunting.overflowed => {
                hunting.overflowed = true;
                hunting.last_attempt += 1;
                let (attempt, target) = (hunting.last_attempt, target.clone());
                self.actions.push_back(Action::OpenTarget { attempt, target: target.clone() });
                let callee = Callee::Target(target);
                hunting.attempts.insert(attempt, Attempt { callee, stage: Stage::Opening });
                State::Hunting(hunting)
            }
            _ => self.give_up(&hunting, now, at),
        }
    }

    fn give_up(&mut self, hunting: &Hunting, _now: Instant, _at: Now) -> State {
        let results: Vec<RingResult> = hunting.results.iter().copied().collect();
        let reason = match results.as_slice() {
            // Not one agent was free to be rung.
            [] | [RingResult::Busy] => Reason::AgentsBusy,
            [RingResult::Declined] => Reason::AgentsDeclined,
            [RingResult::NoAnswer] => Reason::NoAnswer,
            [RingResult::Unreachable] => Reason::AgentsUnreachable,
            [RingResult::Fault] => Reason::Fault,
            _ => Reason::AgentsMixed,
        };
        let status = match self.hotline.agents.nobody {
            // The caller is a colleague and may know why.
            _ if !self.is_kept() => match reason {
                Reason::AgentsBusy => 486,
                Reason::AgentsDeclined => 603,
                _ => 480,
            },
            Nobody::BusyTone => 486,
            Nobody::Unavailable | Nobody::Target(_) => 480,
        };
        self.reject(reason, status, None)
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
                self.attempt_failed(hunting, attempt, now, at, (RingResult::Fault, None), agents)
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
            Input::Sent(Sent::Ring) | Input::Media(Media::RingbackStarted) => {
                self.fact(at, What::Ring);
                hunting.ring = Ring::Rung(at);
                State::Hunting(hunting)
            }
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
        if now.mono >= hunting.give_up {
            self.drop_attempts(&mut hunting, now, RingResult::NoAnswer);
            return self.give_up(&hunting, now.mono, now);
        }
        if matches!(hunting.ring, Ring::Silent { at_latest } if at_latest <= now.mono) {
            self.ring(&mut hunting);
        }
        let due = |a: &Attempt| a.until().is_some_and(|until| until <= now.mono);
        let over: Vec<u32> = hunting.attempts.iter().filter(|(_, a)| due(a)).map(|(number, _)| *number).collect();
        if over.is_empty() {
            return State::Hunting(hunting);
        }
        for attempt in over {
            // A phone that never even rang was not reached.
            let result = match hunting.attempts.get(&attempt).map(|a| a.stage) {
                Some(Stage::Ringing { .. }) => RingResult::NoAnswer,
                Some(Stage::Inviting { .. } | Stage::Opening) | None => RingResult::Unreachable,
            };
            self.release(&mut hunting, attempt, now, (result, None));
        }
        self.hunt_on(hunting, now.mono, now, agents)
    }

    fn invite(&mut self, mut hunting: Hunting, number: u32, now: Instant) -> State {
        if let Some(attempt) = hunting.attempts.get_mut(&number) {
            attempt.stage = Stage::Inviting { until: now + self.hotline.agents.ring };
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
            if matches!(hunting.ring, Ring::Silent { .. }) {
                self.ring(&mut hunting);
            }
        }
        State::Hunting(hunting)
    }

    fn ring(&mut self, hunting: &mut Hunting) {
        hunting.ring = Ring::Ordered;
        let cadence = &self.hotline.answer.cadence;
        self.actions.push_back(match self.answer.ringback {
            RingSource::Network => Action::Ring,
            RingSource::Gateway => Action::Ringback { burst: cadence.burst, period: cadence.period },
        });
    }

    fn agent_answers(&mut self, mut hunting: Hunting, number: u32, at: Now, agents: &mut Agents) -> State {
        let Some(attempt) = hunting.attempts.remove(&number) else { return State::Hunting(hunting) };
        if let Callee::Agent(agent) = &attempt.callee {
            match self.is_kept() {
                true => agents.answered(agent, self.id),
                false => agents.engage(agent, self.id),
            }
        }
        self.fact(at, attempt.callee.answered(number));
        self.actions.push_back(Action::AnswerCaller { attempt: number });
        self.drop_attempts(&mut hunting, at, RingResult::LostRace);
        let late = match hunting.ring {
            Ring::Rung(ring) => {
                let since_ring = at.mono.as_nanos().saturating_sub(ring.mono.as_nanos());
                self.answer.is_late(self.answer.rings(since_ring))
            }
            Ring::Silent { .. } | Ring::Ordered => false,
        };
        State::Talking(Box::new(Talking::new((number, hunting.last_attempt), attempt.callee, late)))
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
            hunting.results.insert(result);
        }
    }

    /// The hunt is over: every phone that is still being rung must stop.
    fn drop_attempts(&mut self, hunting: &mut Hunting, at: Now, result: RingResult) {
        let numbers: Vec<u32> = hunting.attempts.keys().copied().collect();
        for number in numbers {
            self.release(hunting, number, at, (result, None));
        }
    }
}
