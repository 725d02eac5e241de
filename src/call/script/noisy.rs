//! A caller whose line is loud with noise (R-110, R-111).
//!
//! ```text
//! Watching ─► Asking ─► Patient ─┬─► Parting ─► Last ─► Over, the call ends
//!     ▲                          │                │
//!     └──────────(it clears)─────┴────────────────┘
//! ```

use std::time::Duration;

use super::{Acts, Deed, ON_THE_WAY, Script};
use crate::call::reason::Reason;
use crate::clock::Instant;
use crate::dialplan::scripts::{By, Noise as Plan};
use crate::media::Stretch;

/// How often it is begun in a call: after that the agent has to get along.
const ATTEMPTS: u32 = 3;

/// Clear sound of this length is no gap in the noise.
const CLEAR: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Noisy {
    plan: Plan,
    state: State,
    left: u32,
    /// The network loses packets: what sounds like noise may be our doing.
    lossy: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Watching {
        noisy: Duration,
    },
    Asking,
    /// `clear`: how long it has been clear.
    Patient {
        until: Instant,
        clear: Duration,
    },
    Parting {
        clear: Duration,
    },
    Last {
        until: Instant,
        clear: Duration,
    },
    Over,
}

impl Noisy {
    pub(super) fn new(plan: Plan) -> Noisy {
        Noisy { plan, state: watching(), left: ATTEMPTS, lossy: false }
    }

    pub(super) fn network(&mut self, lossy: bool) {
        self.lossy = lossy;
    }

    pub(super) fn is_active(&self) -> bool {
        !matches!(self.state, State::Watching { .. } | State::Over)
    }

    /// `busy`: nothing is to be begun now.
    pub(super) fn hear(&mut self, at: Instant, caller: &Stretch, busy: bool, acts: &mut Acts) {
        let lasted = Duration::from_millis(caller.lasted_ms.into());
        let noisy = caller.floor_dbov >= self.plan.floor_dbov && caller.over_floor_db() < self.plan.snr_db;
        match &mut self.state {
            State::Watching { noisy: sum } => {
                *sum = if noisy && !busy && !self.lossy { *sum + lasted } else { Duration::ZERO };
                if *sum >= self.plan.after {
                    self.begin(at, acts);
                }
            }
            State::Patient { clear, .. } | State::Parting { clear } | State::Last { clear, .. } => {
                *clear = if noisy { Duration::ZERO } else { *clear + lasted };
                if *clear >= CLEAR {
                    acts.heard(Script::Noise, self.plan.by);
                    self.state = if self.left > 0 { watching() } else { State::Over };
                }
            }
            State::Asking | State::Over => {}
        }
    }

    fn begin(&mut self, now: Instant, acts: &mut Acts) {
        self.left -= 1;
        match &self.plan.ask {
            Some(ask) => {
                acts.tell(Script::Noise, Deed::Ask, self.plan.by, ask);
                self.state = State::Asking;
            }
            // It is borne for as long all the same.
            None => self.state = State::Patient { until: now + self.plan.patience, clear: Duration::ZERO },
        }
        if self.plan.by == By::Agent {
            self.said(now);
        }
    }

    pub(super) fn said(&mut self, now: Instant) {
        self.state = match self.state {
            State::Asking => State::Patient { until: now + self.plan.patience, clear: Duration::ZERO },
            State::Parting { clear } => State::Last { until: now + self.plan.last + ON_THE_WAY, clear },
            other => other,
        };
    }

    pub(super) fn stop(&mut self, acts: &mut Acts) {
        if self.is_active() {
            acts.hush(Script::Noise);
            self.state = if self.left > 0 { watching() } else { State::Over };
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.state {
            State::Patient { until, .. } => Some((until, "noise lasts")),
            State::Last { until, .. } => Some((until, "close a noisy call")),
            State::Watching { .. } | State::Asking | State::Parting { .. } | State::Over => None,
        }
    }

    pub(super) fn timeout(&mut self, now: Instant, acts: &mut Acts) {
        if self.poll_timeout().is_none_or(|(at, _)| at > now) {
            return;
        }
        let by = self.plan.by;
        match self.state {
            // It may just be clearing: it is looked at once more in a second.
            State::Patient { clear, .. } | State::Last { clear, .. } if clear > Duration::ZERO => {
                let until = now + Duration::from_secs(1);
                self.state = match self.state {
                    State::Last { .. } => State::Last { until, clear },
                    _ => State::Patient { until, clear },
                };
            }
            State::Patient { clear, .. } => {
                acts.tell(Script::Noise, Deed::Farewell, by, &self.plan.farewell);
                self.state = State::Parting { clear };
                if by == By::Agent {
                    self.said(now);
                }
            }
            State::Last { .. } => {
                acts.close(Script::Noise, by, Reason::NoisyCaller);
                self.state = State::Over;
            }
            State::Watching { .. } | State::Asking | State::Parting { .. } | State::Over => {}
        }
    }
}

fn watching() -> State {
    State::Watching { noisy: Duration::ZERO }
}
