//! A caller whom the agent keeps waiting, by the phone's hold or by the keys that mute: comfort
//! for the one, cues and a ring for the other, an apology when it is over. While the agent calls somebody into the talk the caller
//! waits for that one: the time does not count.

use std::time::Duration;

use super::{Acts, Cue, Deed, Script};
use crate::clock::Instant;
use crate::dialplan::scripts::{By, Hold as Plan};

/// A shorter wait is the slip of a finger, and no apology is due: R-118 counts a mute from three seconds on.
const WAIT: Duration = Duration::from_secs(3);

/// Whether the caller waits for the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    No,
    Kept,
    /// Somebody is being called into the talk meanwhile: the wait is not over, and its time does not count.
    Excused,
}

#[derive(Debug)]
pub(super) struct Holding {
    plan: Plan,
    kept: Option<Kept>,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    since: Instant,
    comfort: Instant,
    /// When the phone is rung next.
    ring: Option<Instant>,
    /// Cues given.
    told: usize,
    /// Since when the wait is excused.
    excused: Option<Instant>,
}

impl Kept {
    /// The time counts again: all that was due is due so much later.
    fn count(&mut self, now: Instant) {
        if let Some(excused) = self.excused.take() {
            let rest = now.since(excused);
            self.since = self.since + rest;
            self.comfort = self.comfort + rest;
            self.ring = self.ring.map(|ring| ring + rest);
        }
    }
}

impl Holding {
    pub(super) fn new(plan: Plan) -> Holding {
        Holding { plan, kept: None }
    }

    /// `joined`: with somebody who is there or comes back.
    pub(super) fn turn(&mut self, now: Instant, wait: Wait, joined: bool, acts: &mut Acts) {
        match (&mut self.kept, wait) {
            (None, Wait::No) => {}
            (None, Wait::Kept | Wait::Excused) => {
                let ring = self.plan.ring.map(|after| now + after);
                let excused = (wait == Wait::Excused).then_some(now);
                self.kept = Some(Kept { since: now, comfort: now + self.plan.every, ring, told: 0, excused });
            }
            (Some(kept), Wait::Kept) => kept.count(now),
            (Some(kept), Wait::Excused) => drop(kept.excused.get_or_insert(now)),
            (Some(kept), Wait::No) => {
                kept.count(now);
                let waited = now.since(kept.since);
                self.kept = None;
                acts.hush(Script::Hold);
                if joined && waited >= WAIT {
                    self.back(acts);
                }
            }
        }
    }

    fn back(&self, acts: &mut Acts) {
        if self.plan.back_cue {
            acts.queue.push_back(super::Act::Cue(Cue::Apologise));
        }
        if let Some(back) = &self.plan.back {
            acts.tell(Script::Hold, Deed::Apology, By::Gateway, back);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let kept = self.kept.filter(|kept| kept.excused.is_none())?;
        let comfort = self.plan.comfort.as_ref().map(|_| (kept.comfort, "comfort on hold"));
        let cue = self.plan.cues.get(kept.told).map(|after| (kept.since + *after, "long hold"));
        let ring = kept.ring.map(|at| (at, "the phone that holds rings again"));
        comfort.into_iter().chain(cue).chain(ring).min()
    }

    pub(super) fn timeout(&mut self, now: Instant, acts: &mut Acts) {
        let Some(kept) = self.kept.as_mut().filter(|kept| kept.excused.is_none()) else { return };
        if let Some(comfort) = self.plan.comfort.as_ref().filter(|_| kept.comfort <= now) {
            kept.comfort = kept.comfort + self.plan.every;
            if acts.speaking.is_empty() {
                acts.tell(Script::Hold, Deed::Comfort, By::Gateway, comfort);
            }
        }
        while self.plan.cues.get(kept.told).is_some_and(|after| kept.since + *after <= now) {
            let cue = if kept.told == 0 { Cue::HoldLong } else { Cue::HoldVeryLong };
            acts.queue.push_back(super::Act::Cue(cue));
            kept.told += 1;
        }
        if let Some(after) = self.plan.ring.filter(|_| kept.ring.is_some_and(|ring| ring <= now)) {
            kept.ring = Some(now + after);
            acts.queue.push_back(super::Act::RingHolder);
        }
    }
}
