//! What may not stay of a call: stretches of the recording that somebody paused, digits that the caller keys to an agent, and the whole
//! recording if the caller does not want it. Keys of such a stretch are in no fact.

use std::time::Duration;

use super::fact::{KeyPath, PausedBy, RecordingStatus, What};
use super::leg::{Action, Callee};
use super::talking::{Stage, Talking};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::ids::{CallId, Side};
use crate::limits;
use crate::media::Command;

#[derive(Debug, Default)]
pub(super) struct Privacy {
    /// The last pause, and its end.
    pause: Option<(Instant, Option<Instant>)>,
    /// Stretches so far, of pauses and of keys.
    stretches: u32,
    /// Too many of them: silence to the end.
    blanked_for_good: bool,
    pub(super) opted_out: bool,
    /// No new recording is begun now.
    pub(super) disk_full: bool,
    /// So it was when this one was to begin: there is none.
    pub(super) no_room: bool,
}

impl Privacy {
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.pause, Some((_, None)))
    }

    fn has_room(&self) -> bool {
        self.stretches < limits::PAUSES
    }

    fn was_paused(&self, at: Instant) -> bool {
        self.pause.is_some_and(|(from, until)| at >= from && until.is_none_or(|until| at <= until))
    }
}

/// Why the recording of a call cannot be paused, or go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPaused {
    #[error("there is no such call in progress")]
    NoCall,
    #[error("this call is not recorded")]
    NotRecorded,
    #[error("nobody talks with the caller")]
    NotTalking,
    #[error("the recording has been paused too often")]
    TooOften,
}

/// What the media thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Private {
    /// The recording is silence from `at` on, or again what is heard.
    Pause { paused: bool, at: Now },
    /// Keys of the caller's blank the recording until `after` the last of them, until the caller is parked.
    Guard { after: Duration },
    /// The caller pressed a key by SIP.
    Keyed { at: Now },
    /// What is recorded is deleted, and nothing more is.
    Unrecord,
}

impl Private {
    pub fn command(self, call: CallId) -> Command {
        match self {
            Private::Pause { paused, at } => Command::Pause { call, paused, at },
            Private::Guard { after } => Command::GuardKeys { call, after },
            Private::Keyed { at } => Command::Keyed { call, at },
            Private::Unrecord => Command::Unrecord { call },
        }
    }
}

/// A key as it was reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pressed {
    pub(super) side: Side,
    pub(super) key: char,
    pub(super) duration: Duration,
    pub(super) via: KeyPath,
}

impl Call {
    /// Whether a recording that is to begin now cannot.
    pub fn note_disk(&mut self, full: bool) {
        self.privacy.disk_full = full;
    }

    /// Whether the recording may be paused now, or go on.
    pub fn may_pause(&self) -> Result<(), NotPaused> {
        if !self.is_recorded() {
            return Err(NotPaused::NotRecorded);
        }
        match &self.state {
            State::Talking(talking) if !matches!(talking.stage, Stage::Answering) => {
                let may = self.privacy.has_room() || self.privacy.is_paused();
                if may && !self.privacy.blanked_for_good { Ok(()) } else { Err(NotPaused::TooOften) }
            }
            _ => Err(NotPaused::NotTalking),
        }
    }

    /// Pauses or goes on; what is so already stays.
    pub(super) fn pause_recording(&mut self, at: Now, paused: bool, by: PausedBy) {
        if self.may_pause().is_ok() && self.privacy.is_paused() != paused {
            self.set_paused(at, paused, by);
        }
    }

    /// By the agent's keys.
    pub(super) fn toggle_pause(&mut self, at: Now) {
        let paused = self.privacy.is_paused();
        if self.is_recorded() && (paused || self.privacy.has_room()) {
            self.set_paused(at, !paused, PausedBy::Agent);
        }
    }

    fn set_paused(&mut self, at: Now, paused: bool, by: PausedBy) {
        match &mut self.privacy.pause {
            Some((_, until)) if !paused => *until = Some(at.mono),
            pause => {
                *pause = Some((at.mono, None));
                self.privacy.stretches += 1;
            }
        }
        self.actions.push_back(Action::Private(Private::Pause { paused, at }));
        self.fact(at, if paused { What::RecordingPaused { by } } else { What::RecordingResumed { by } });
    }

    /// What the caller keys to an agent from now on is blanked, if the dialplan wants that. To be ordered after the bridge.
    pub(super) fn guard_keys(&mut self) {
        let after = self.hotline.recording.blank_digits.filter(|_| self.is_hotlines());
        self.actions.extend(after.map(|after| Action::Private(Private::Guard { after })));
    }

    /// The fact of a key, unless it is nobody's business; and what follows from it.
    pub(super) fn note_key(&mut self, at: Now, pressed: Pressed, talks_with: Option<&Talking>) {
        let Pressed { side, key, duration, via } = pressed;
        let agent = talks_with.is_some_and(|talking| matches!(talking.callee, Callee::Agent(_)));
        let by_caller = side == Side::Caller && talks_with.is_some();
        if by_caller && self.hotline.recording.opt_out_key == Some(key) && self.is_recorded() {
            return self.opt_out(at);
        }
        let guarded = by_caller && agent && self.hotline.recording.blank_digits.is_some();
        if guarded && via == KeyPath::Info {
            self.actions.push_back(Action::Private(Private::Keyed { at }));
        }
        if !guarded && !self.privacy.was_paused(at.mono) {
            let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            self.fact(at, What::Key { leg: side, key, duration_ms, via });
        }
    }

    /// The caller's keys begin to blank the recording, or no longer do.
    pub(super) fn note_blanked(&mut self, at: Now, on: bool) {
        if self.privacy.blanked_for_good {
            return;
        }
        let by = PausedBy::Digits;
        self.fact(at, if on { What::RecordingPaused { by } } else { What::RecordingResumed { by } });
        self.privacy.stretches += u32::from(on);
        if on && !self.privacy.has_room() {
            // Whoever keys that often is not recorded any more.
            self.privacy.blanked_for_good = true;
            self.actions.push_back(Action::Private(Private::Pause { paused: true, at }));
        }
    }

    /// Nothing of this call is kept.
    fn opt_out(&mut self, at: Now) {
        self.privacy.opted_out = true;
        self.actions.push_back(Action::Private(Private::Unrecord));
        self.fact(at, What::OptedOut);
        let (status, reason) = (RecordingStatus::None, Some("opted_out".to_owned()));
        self.fact(at, What::RecordingClosed { status, reason, duration_ms: 0, sha256: None, parts: Vec::new() });
    }
}
