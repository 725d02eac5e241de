//! Three minutes (R-200, C18): the agent alone is told, half a minute before and when they are over. Holds are no talk.

use std::time::Duration;

use super::{Act, Acts, Cue};
use crate::clock::Instant;
use crate::dialplan::scripts::Length as Plan;

#[derive(Debug)]
pub(super) struct Length {
    plan: Plan,
    /// Talk before `since`; `None`: nobody talks now.
    talked: Duration,
    since: Option<Instant>,
    told: usize,
}

impl Length {
    pub(super) fn new(plan: Plan) -> Length {
        Length { plan, talked: Duration::ZERO, since: None, told: 0 }
    }

    pub(super) fn turn(&mut self, now: Instant, talks: bool) {
        match self.since {
            Some(since) if !talks => {
                self.talked += now.since(since);
                self.since = None;
            }
            None if talks => self.since = Some(now),
            _ => {}
        }
    }

    fn next(&self) -> Option<(Instant, Cue)> {
        let (after, cue) = match self.told {
            0 => (self.plan.near, Cue::TalkNearItsLength),
            1 => (self.plan.at, Cue::TalkAtItsLength),
            _ => return None,
        };
        Some((self.since? + after.saturating_sub(self.talked), cue))
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.next().map(|(at, _)| (at, "length of the talk"))
    }

    pub(super) fn timeout(&mut self, now: Instant, acts: &mut Acts) {
        while let Some((_, cue)) = self.next().filter(|(at, _)| *at <= now) {
            self.told += 1;
            acts.queue.push_back(Act::Cue(cue));
        }
    }
}
