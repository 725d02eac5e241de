//! A caller who speaks and is hardly heard (R-108, R-109, R-112).
//!
//! ```text
//! Watching ─► Asking ─► Watching (again, as often as there are texts) ─► Parting ─► Last ─► Over, the call ends
//!                 any word that is loud enough: Over
//! ```
//!
//! Only words are judged: whoever says nothing after a text is left alone. Nobody's call is closed in the middle of a word.

use std::time::Duration;

use super::{Acts, Deed, ON_THE_WAY, Script};
use crate::call::reason::Reason;
use crate::clock::Instant;
use crate::dialplan::scripts::{By, Low as Plan};
use crate::media::Stretch;

/// Words of this length, pauses left out, are enough to judge a voice by.
const ENOUGH: Duration = Duration::from_millis(2_000);

/// Whoever still speaks so long after the call should have been closed is left to the agent.
const LEFT_TO_AGENT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Low {
    plan: Plan,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many texts were said, so much low voice was heard since.
    Watching {
        asked: usize,
        voice: Duration,
    },
    Asking {
        asked: usize,
    },
    Parting,
    /// `speaks`: in the last stretch that is known.
    Last {
        until: Instant,
        at_latest: Instant,
        speaks: bool,
    },
    Over,
}

impl Low {
    pub(super) fn new(plan: Plan) -> Low {
        Low { plan, state: State::Watching { asked: 0, voice: Duration::ZERO } }
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.state, State::Watching { asked: 1.., .. }) || self.is_speaking()
    }

    /// A text is being said or has just been: another script may wait for its turn. Whoever was only asked may meanwhile be drowned in
    /// noise.
    pub(super) fn is_speaking(&self) -> bool {
        matches!(self.state, State::Asking { .. } | State::Parting | State::Last { .. })
    }

    /// `busy`: nothing is to be begun now.
    pub(super) fn hear(&mut self, at: Instant, caller: &Stretch, busy: bool, acts: &mut Acts) {
        let level = caller.active_dbov.filter(|_| caller.is_voice());
        if level.is_some_and(|level| level >= self.plan.level_dbov) {
            return self.loud_enough(acts);
        }
        match &mut self.state {
            State::Watching { asked, voice } if level.is_some() => {
                *voice += Duration::from_millis(caller.voice_ms.into());
                if *voice >= ENOUGH && !busy {
                    let asked = *asked;
                    self.too_low(asked, at, acts);
                }
            }
            State::Last { speaks, .. } => *speaks = level.is_some(),
            State::Watching { .. } | State::Asking { .. } | State::Parting | State::Over => {}
        }
    }

    fn loud_enough(&mut self, acts: &mut Acts) {
        match &mut self.state {
            // One loud word in a low voice is enough to be understood: what was counted before is forgotten.
            State::Watching { asked: 0, voice } => *voice = Duration::ZERO,
            State::Over => {}
            _ => {
                acts.heard(Script::LowVolume, self.plan.by);
                self.state = State::Over;
            }
        }
    }

    fn too_low(&mut self, asked: usize, now: Instant, acts: &mut Acts) {
        let by = self.plan.by;
        match self.plan.asks.get(asked) {
            Some(ask) => {
                acts.tell(Script::LowVolume, Deed::Ask, by, ask);
                self.state = State::Asking { asked: asked + 1 };
            }
            None => {
                acts.tell(Script::LowVolume, Deed::Farewell, by, &self.plan.farewell);
                self.state = State::Parting;
            }
        }
        if by == By::Agent {
            self.said(now);
        }
    }

    pub(super) fn said(&mut self, now: Instant) {
        self.state = match self.state {
            State::Asking { asked } => State::Watching { asked, voice: Duration::ZERO },
            State::Parting => {
                let until = now + self.plan.last + ON_THE_WAY;
                State::Last { until, at_latest: until + LEFT_TO_AGENT, speaks: false }
            }
            other => other,
        };
    }

    pub(super) fn stop(&mut self, acts: &mut Acts) {
        if self.is_active() {
            acts.hush(Script::LowVolume);
            self.state = State::Watching { asked: 0, voice: Duration::ZERO };
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.state {
            State::Last { until, .. } => Some((until, "close a call that is too low")),
            State::Watching { .. } | State::Asking { .. } | State::Parting | State::Over => None,
        }
    }

    pub(super) fn timeout(&mut self, now: Instant, acts: &mut Acts) {
        let State::Last { until, at_latest, speaks } = self.state else { return };
        if until > now {
            return;
        }
        if speaks && now < at_latest {
            self.state = State::Last { until: now + Duration::from_secs(1), at_latest, speaks };
            return;
        }
        if speaks {
            acts.note(Script::LowVolume, Deed::LeftToAgent, self.plan.by);
        } else {
            acts.close(Script::LowVolume, self.plan.by, Reason::LowVolume);
        }
        self.state = State::Over;
    }
}
