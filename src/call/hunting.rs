//! Ringing agents one after the other until one answers, the caller leaves, or nobody is left.

use std::collections::BTreeSet;

use super::agent::Agents;
use super::fact::{RingResult, RingSource, What};
use super::leg::{Action, Input, Media, Sent};
use super::reason::{EndedBy, Reason};
use super::talking::Talking;
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::Nobody;
use crate::ids::AgentNo;
use crate::limits;

#[derive(Debug)]
pub(super) struct Hunting {
    ring: Ring,
    attempt: Option<Attempt>,
    attempts: u32,
    tried: BTreeSet<AgentNo>,
    results: BTreeSet<RingResult>,
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

/// The agent whose phone is being reached.
#[derive(Debug, Clone)]
struct Attempt {
    number: u32,
    agent: AgentNo,
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
            attempt: None,
            attempts: 0,
            tried: BTreeSet::new(),
            results: BTreeSet::new(),
            give_up: offered + limits::LONGEST_WAIT,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let ring = match self.ring {
            Ring::Silent { at_latest } => Some((at_latest, "ring the caller")),
            Ring::Ordered | Ring::Rung(_) => None,
        };
        let until = match self.attempt.as_ref().map(|a| a.stage) {
            Some(Stage::Inviting { until } | Stage::Ringing { until }) => Some((until, "agent does not answer")),
            Some(Stage::Opening) | None => None,
        };
        [ring, until, Some((self.give_up, "longest wait"))].into_iter().flatten().min()
    }

    fn is_current(&self, attempt: u32) -> bool {
        self.attempt.as_ref().is_some_and(|a| a.number == attempt)
    }
}

impl Call {
    /// Takes the next agent; with nobody left, the caller gets what the dialplan says.
    pub(super) fn hunt(&mut self, mut hunting: Hunting, now: Instant, at: Now, agents: &mut Agents) -> State {
        let plan = &self.hotline.agents;
        let Some(agent) = agents.take_next(&self.hotline.id, plan, &hunting.tried, self.id) else {
            return self.nobody(&hunting, now, at);
        };
        hunting.attempts += 1;
        hunting.tried.insert(agent.clone());
        let number = hunting.attempts;
        self.actions.push_back(Action::OpenAgent { attempt: number, agent: agent.clone() });
        hunting.attempt = Some(Attempt { number, agent, stage: Stage::Opening });
        State::Hunting(hunting)
    }

    fn nobody(&mut self, hunting: &Hunting, _now: Instant, _at: Now) -> State {
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
            Nobody::BusyTone => 486,
            Nobody::Unavailable => 480,
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
            Input::AgentReady { attempt } if hunting.is_current(attempt) => self.invite(hunting, now),
            Input::AgentNotReady { attempt } if hunting.is_current(attempt) => {
                self.attempt_failed(hunting, now, at, RingResult::Fault, None, agents)
            }
            Input::Sent(Sent::Invite { attempt }) if hunting.is_current(attempt) => {
                if let Some(a) = &hunting.attempt {
                    let what = What::AgentInvited { attempt, agent: a.agent.clone() };
                    self.fact(at, what);
                }
                State::Hunting(hunting)
            }
            Input::AgentRinging { attempt } if hunting.is_current(attempt) => self.agent_rings(hunting, at),
            Input::AgentAnswered { attempt } if hunting.is_current(attempt) => self.agent_answers(hunting, at),
            Input::AgentFailed { attempt, result, status } if hunting.is_current(attempt) => {
                self.attempt_failed(hunting, now, at, result, status, agents)
            }
            Input::Sent(Sent::Ring) | Input::Media(Media::RingbackStarted) => {
                self.fact(at, What::Ring);
                hunting.ring = Ring::Rung(at);
                State::Hunting(hunting)
            }
            Input::CallerLeft => {
                let state = self.end(now, at, Reason::CallerCancelled, EndedBy::Caller);
                self.drop_attempt(&hunting, at, RingResult::CallerLeft);
                state
            }
            Input::Lost { .. } => {
                let state = self.end(now, at, Reason::TrunkFault, EndedBy::Trunk);
                self.drop_attempt(&hunting, at, RingResult::CallerLeft);
                state
            }
            Input::Shutdown => {
                self.drop_attempt(&hunting, at, RingResult::CallerLeft);
                self.reject(Reason::Shutdown, 503, None)
            }
            // Whatever else belongs to an attempt that is over.
            _ => State::Hunting(hunting),
        }
    }

    pub(super) fn handle_hunting_timeout(&mut self, mut hunting: Hunting, now: Now, agents: &mut Agents) -> State {
        if now.mono >= hunting.give_up {
            self.drop_attempt(&hunting, now, RingResult::NoAnswer);
            hunting.results.insert(RingResult::NoAnswer);
            return self.nobody(&hunting, now.mono, now);
        }
        if matches!(hunting.ring, Ring::Silent { at_latest } if at_latest <= now.mono) {
            self.ring(&mut hunting);
        }
        let due = match hunting.attempt.as_ref().map(|a| a.stage) {
            // A phone that never even rang was not reached.
            Some(Stage::Inviting { until }) if until <= now.mono => Some(RingResult::Unreachable),
            Some(Stage::Ringing { until }) if until <= now.mono => Some(RingResult::NoAnswer),
            _ => None,
        };
        match due {
            Some(result) => self.attempt_failed(hunting, now.mono, now, result, None, agents),
            None => State::Hunting(hunting),
        }
    }

    fn invite(&mut self, mut hunting: Hunting, now: Instant) -> State {
        if let Some(attempt) = &mut hunting.attempt {
            attempt.stage = Stage::Inviting { until: now + self.hotline.agents.ring };
            let (number, agent) = (attempt.number, attempt.agent.clone());
            self.actions.push_back(Action::InviteAgent { attempt: number, agent });
        }
        State::Hunting(hunting)
    }

    fn agent_rings(&mut self, mut hunting: Hunting, at: Now) -> State {
        if let Some(attempt) = &mut hunting.attempt
            && let Stage::Inviting { until } = attempt.stage
        {
            attempt.stage = Stage::Ringing { until };
            let what = What::AgentRinging { attempt: attempt.number, agent: attempt.agent.clone() };
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

    fn agent_answers(&mut self, hunting: Hunting, at: Now) -> State {
        let Some(attempt) = hunting.attempt else { return State::Hunting(hunting) };
        self.fact(at, What::AgentAnswered { attempt: attempt.number, agent: attempt.agent.clone() });
        self.actions.push_back(Action::AnswerCaller { attempt: attempt.number });
        let late = match hunting.ring {
            Ring::Rung(ring) => {
                let since_ring = at.mono.as_nanos().saturating_sub(ring.mono.as_nanos());
                self.answer.is_late(self.answer.rings(since_ring))
            }
            Ring::Silent { .. } | Ring::Ordered => false,
        };
        State::Talking(Box::new(Talking::new(attempt.number, attempt.agent, late)))
    }

    fn attempt_failed(
        &mut self,
        mut hunting: Hunting,
        now: Instant,
        at: Now,
        result: RingResult,
        status: Option<u16>,
        agents: &mut Agents,
    ) -> State {
        if let Some(attempt) = hunting.attempt.take() {
            let what = What::AgentReleased { attempt: attempt.number, agent: attempt.agent, result, status };
            self.fact(at, what);
            self.actions.push_back(Action::ReleaseAgent { attempt: attempt.number });
            hunting.results.insert(result);
        }
        self.hunt(hunting, now, at, agents)
    }

    /// The call is over: the phone that is being rung must stop.
    fn drop_attempt(&mut self, hunting: &Hunting, at: Now, result: RingResult) {
        if let Some(attempt) = hunting.attempt.clone() {
            let what = What::AgentReleased { attempt: attempt.number, agent: attempt.agent, result, status: None };
            self.fact(at, what);
            self.actions.push_back(Action::ReleaseAgent { attempt: attempt.number });
        }
    }
}
