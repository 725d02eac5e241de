//! A caller whom the agent keeps waiting, by the phone's hold or by the keys that mute: comfort
//! for the one, cues and a ring for the other, an apology when it is over.

use std::time::Duration;

use super::{Acts, Cue, Deed, Script};
use crate::clock::Instant;
use crate::dialplan::scripts::{By, Hold as Plan};

/// A shorter wait is the slip of a finger, and no apology is due: R-118 counts a mute from three seconds on.
const WAIT: Duration = Duration::from_secs(3);

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
}

impl Holding {
    pub(super) fn new(plan: Plan) -> Holding {
        Holding { plan, kept: None }
    }

    /// `waits`: the caller does now; `joined`: with somebody who is there or comes back.
    pub(super) fn turn(&mut self, now: Instant, waits: bool, joined: bool, acts: &mut Acts) {
        match (self.kept, waits) {
            (None, true) => {
                let ring = self.plan.ring.map(|after| now + after);
                self.kept = Some(Kept { since: now, comfort: now + self.plan.every, ring, told: 0 });
            }
            (Some(kept), false) => {
                self.kept = None;
                acts.hush(Script::Hold);
                if joined && now.since(kept.since) >= WAIT {
                    self.back(acts);
                }
            }
            _ => {}
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
        let kept = self.kept?;
        let comfort = self.plan.comfort.as_ref().map(|_| (kept.comfort, "comfort on hold"));
        let cue = self.plan.cues.get(kept.told).map(|after| (kept.since + *after, "long hold"));
        let ring = kept.ring.map(|at| (at, "the phone that holds rings again"));
        comfort.into_iter().chain(cue).chain(ring).min()
    }

    pub(super) fn timeout(&mut self, now: Instant, acts: &mut Acts) {
        let Some(kept) = &mut self.kept else { return };
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
