//! A caller of whom nothing is heard from the greeting's end on (R-104, R-106).
//!
//! ```text
//! Opening ─► Waiting ─► Asking ─┐
//!               ▲ │ └───────────┘ (as often as there are texts)
//!               │ └──► Parting ─► Last ─► Over, the call ends
//!               └─(no_media, and it comes after all)
//! ```
//!
//! Any word of the caller ends it for the rest of the call. A line without one packet is never called silent: it has a text of its own.

use std::time::Duration;

use super::{Acts, Deed, ON_THE_WAY, Script};
use crate::call::reason::Reason;
use crate::clock::Instant;
use crate::dialplan::scripts::{By, Silent as Plan};
use crate::media::Stretch;

/// A line whose floor is above this is noisy and not silent, in dBov; a tone that lasts is a machine.
const QUIET_DBOV: f64 = -45.0;

/// So much of a wait may be unknown: what is told comes once a second.
const UNKNOWN: Duration = Duration::from_millis(2_000);

#[derive(Debug)]
pub(super) struct Silent {
    plan: Plan,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The greeting is not over.
    Opening,
    /// So many texts were said; `listened`: what of the wait is known, `comes`: something came in it.
    Waiting {
        asked: usize,
        since: Instant,
        listened: Duration,
        comes: bool,
    },
    Asking {
        asked: usize,
    },
    Parting {
        why: Script,
    },
    Last {
        why: Script,
        until: Instant,
    },
    Over,
}

impl Silent {
    pub(super) fn new(plan: Plan) -> Silent {
        Silent { plan, state: State::Opening }
    }

    /// The greeting is over.
    pub(super) fn open(&mut self, now: Instant) {
        if self.state == State::Opening {
            self.state = waiting(0, now);
        }
    }

    pub(super) fn is_active(&self) -> bool {
        match self.state {
            State::Waiting { asked, .. } => asked > 0,
            State::Asking { .. } | State::Parting { .. } | State::Last { .. } => true,
            State::Opening | State::Over => false,
        }
    }

    pub(super) fn has_no_media(&self) -> bool {
        matches!(self.state, State::Parting { why: Script::NoMedia } | State::Last { why: Script::NoMedia, .. })
    }

    pub(super) fn hear(&mut self, at: Instant, caller: &Stretch, acts: &mut Acts) {
        let heard = caller.is_heard() || (caller.floor_dbov > QUIET_DBOV && !caller.is_tone());
        match &mut self.state {
            State::Over => {}
            State::Opening if heard => self.state = State::Over,
            State::Opening => {}
            State::Waiting { asked, .. } if heard => {
                if *asked > 0 {
                    acts.heard(Script::Silent, self.plan.by);
                }
                self.state = State::Over;
            }
            State::Waiting { listened, comes, .. } => {
                *listened += Duration::from_millis(caller.lasted_ms.into());
                *comes |= caller.comes;
            }
            State::Asking { .. } if heard => {
                acts.heard(Script::Silent, self.plan.by);
                self.state = State::Over;
            }
            State::Asking { .. } => {}
            State::Parting { why: Script::NoMedia } | State::Last { why: Script::NoMedia, .. } if caller.comes => {
                acts.heard(Script::NoMedia, self.plan.by);
                self.state = if heard { State::Over } else { waiting(0, at) };
            }
            State::Parting { why } | State::Last { why, .. } if heard => {
                acts.heard(*why, self.plan.by);
                self.state = State::Over;
            }
            State::Parting { .. } | State::Last { .. } => {}
        }
    }

    /// What was to be said is said, or was cut short.
    pub(super) fn said(&mut self, now: Instant) {
        self.state = match self.state {
            State::Asking { asked } => waiting(asked, now),
            State::Parting { why } => State::Last { why, until: now + self.plan.last + ON_THE_WAY },
            other => other,
        };
    }

    pub(super) fn stop(&mut self, acts: &mut Acts) {
        if self.is_active() {
            acts.hush(Script::Silent);
            acts.hush(Script::NoMedia);
        }
        if self.state != State::Opening {
            self.state = State::Over;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.state {
            State::Waiting { since, .. } => Some((since + self.plan.wait, "silent caller")),
            State::Last { until, .. } => Some((until, "close a silent call")),
            State::Opening | State::Asking { .. } | State::Parting { .. } | State::Over => None,
        }
    }

    pub(super) fn timeout(&mut self, now: Instant, acts: &mut Acts) {
        if self.poll_timeout().is_none_or(|(at, _)| at > now) {
            return;
        }
        let by = self.plan.by;
        match self.state {
            // Nobody is taken for silent whom nobody has listened to.
            State::Waiting { asked, listened, .. } if listened + UNKNOWN < self.plan.wait => {
                self.state = waiting(asked, now);
            }
            State::Waiting { comes: false, .. } => self.nothing_comes(now, acts),
            State::Waiting { asked, .. } => match self.plan.asks.get(asked) {
                Some(ask) => {
                    acts.tell(Script::Silent, Deed::Ask, by, ask);
                    self.state = State::Asking { asked: asked + 1 };
                }
                None => {
                    acts.tell(Script::Silent, Deed::Farewell, by, &self.plan.farewell);
                    self.state = State::Parting { why: Script::Silent };
                }
            },
            State::Last { why, .. } => {
                let reason = if why == Script::NoMedia { Reason::NoMedia } else { Reason::SilentCaller };
                acts.close(why, by, reason);
                self.state = State::Over;
            }
            State::Opening | State::Asking { .. } | State::Parting { .. } | State::Over => {}
        }
        if by == By::Agent {
            // A tone is no speech that could be waited for.
            self.said(now);
        }
    }

    /// Not one packet: without a text for it, the call ends as others do whose media is lost.
    fn nothing_comes(&mut self, now: Instant, acts: &mut Acts) {
        match &self.plan.no_media {
            Some(text) => {
                acts.tell(Script::NoMedia, Deed::Farewell, self.plan.by, text);
                self.state = State::Parting { why: Script::NoMedia };
            }
            None => self.state = waiting(0, now),
        }
    }
}

fn waiting(asked: usize, since: Instant) -> State {
    State::Waiting { asked, since, listened: Duration::ZERO, comes: false }
}
