//! The way of a call through its dialplan: steps, the wait in the queue, the message, and what took it in an agent's place.

use super::record::{Message, Queue, Step};
use crate::call::fact::{ClosedWhy, Fact, StepKind, What};
use crate::clock::Stamp;
use crate::ids::TargetName;

#[derive(Debug, Clone, Default)]
pub(super) struct Way {
    steps: Vec<(Stamp, String, StepKind)>,
    /// When the caller began to wait because everybody was busy, and at what place.
    queued: Option<(Stamp, u32)>,
    message: Option<(Stamp, Option<Stamp>)>,
    taken: Option<(Stamp, Taker)>,
    pub(super) closed: Option<ClosedWhy>,
    pub(super) notice: Option<String>,
}

/// What took a call in an agent's place.
#[derive(Debug, Clone)]
enum Taker {
    Target(TargetName),
    Step(String),
}

impl Way {
    /// A fact of a call in progress; `unanswered`: no agent has taken it.
    pub(super) fn push(&mut self, fact: &Fact, unanswered: bool) {
        let at = fact.at;
        match &fact.what {
            What::TargetAnswered { target, .. } if unanswered => self.take(at, Taker::Target(target.clone())),
            What::Step { step, does, takes } => {
                self.steps.push((at, step.clone(), *does));
                if *takes && unanswered {
                    self.take(at, Taker::Step(step.clone()));
                }
            }
            What::Queued { position } => {
                self.queued.get_or_insert((at, *position));
            }
            What::MessageStarted => {
                self.message.get_or_insert((at, None));
            }
            What::MessageEnded { .. } => {
                if let Some((_, to)) = &mut self.message {
                    to.get_or_insert(at);
                }
            }
            What::Noticed { version } => self.notice = Some(version.clone()),
            What::Closed { why, .. } => self.closed = Some(*why),
            _ => {}
        }
    }

    fn take(&mut self, at: Stamp, taker: Taker) {
        self.taken.get_or_insert((at, taker));
    }

    pub(super) fn taken_at(&self) -> Option<Stamp> {
        self.taken.as_ref().map(|(at, _)| *at)
    }

    pub(super) fn target(&self) -> Option<TargetName> {
        self.taken_by_target().map(|(_, target)| target.clone())
    }

    pub(super) fn taken_by_target(&self) -> Option<(Stamp, &TargetName)> {
        match &self.taken {
            Some((at, Taker::Target(target))) => Some((*at, target)),
            Some((_, Taker::Step(_))) | None => None,
        }
    }

    pub(super) fn step(&self) -> Option<String> {
        match &self.taken {
            Some((_, Taker::Step(step))) => Some(step.clone()),
            Some((_, Taker::Target(_))) | None => None,
        }
    }

    pub(super) fn steps(&self, offered: Stamp) -> Vec<Step> {
        let step = |(at, step, does): &(Stamp, String, StepKind)| Step {
            step: step.clone(),
            does: *does,
            after_ms: at.millis_since(offered),
        };
        self.steps.iter().map(step).collect()
    }

    /// Whatever comes first ends the wait: an agent's answer or the end, or the next step.
    pub(super) fn queue(&self, answered_or_ended: Option<Stamp>) -> Option<Queue> {
        let (since, position) = self.queued?;
        let steps = self.steps.iter().map(|(at, ..)| *at).filter(|at| at.mono_ns > since.mono_ns);
        let until = answered_or_ended.into_iter().chain(steps).min_by_key(|at| at.mono_ns);
        Some(Queue { position, waited_ms: until.and_then(|until| until.millis_since(since)) })
    }

    /// The tone was heard: what followed is a message, also if it is short.
    pub(super) fn left_message(&self) -> bool {
        self.message.is_some()
    }

    pub(super) fn message(&self, connected: Stamp, ended: Option<Stamp>) -> Option<Message> {
        let (from, to) = self.message?;
        let to = to.or(ended);
        Some(Message { from_ms: from.millis_since(connected), to_ms: to.and_then(|to| to.millis_since(connected)) })
    }
}
