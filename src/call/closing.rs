//! The call is over for its people; statistics and the recording are still to come. Then it is sealed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fact::{RecordingStatus, What};
use super::leg::{Action, Input, Listened, Media};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::ids::Side;
use crate::{limits, media};

#[derive(Debug)]
pub(super) struct Closing {
    /// Legs whose statistics are awaited.
    media: BTreeSet<Side>,
    recording: bool,
    /// The listener is at work on it.
    listening: bool,
    since: Instant,
    /// Messages after the end (the answer to a BYE) still belong on the ladder, so even a call without media waits.
    linger: Instant,
}

impl Closing {
    pub(super) fn new(now: Instant) -> Closing {
        Closing { media: BTreeSet::new(), recording: false, listening: false, since: now, linger: now + LINGER }
    }

    /// `agent`: somebody was joined to the caller to the end.
    pub(super) fn expect_media_and_recording(&mut self, agent: bool, recording: bool) {
        self.media = BTreeSet::from([Side::Caller]);
        self.media.extend(agent.then_some(Side::Agent));
        self.recording = recording;
    }

    pub(super) fn poll_timeout(&self) -> (Instant, &'static str) {
        if self.recording {
            (self.since + limits::RECORDING_CLOSE, "recorder does not report")
        } else if self.listening {
            (self.since + limits::LISTENING, "listener does not report")
        } else if !self.media.is_empty() {
            (self.since + limits::MEDIA_CLOSE, "media does not close")
        } else {
            (self.linger, "seal")
        }
    }
}

/// How long after the end a call's last messages are still waited for.
const LINGER: std::time::Duration = std::time::Duration::from_millis(500);

pub(crate) fn heard(listened: Listened) -> What {
    match listened {
        Ok(listening) => What::Listened { reason: None, listening: Some(listening) },
        Err(reason) => What::Listened { reason: Some(reason.to_owned()), listening: None },
    }
}

pub(super) fn rested(leg: Side, lasted: Duration) -> What {
    What::Rested { leg, for_ms: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX) }
}

impl Call {
    /// Orders the recording of a call that is to have one. Returns the fact that tells of it.
    pub(super) fn begin_recording(&mut self) -> What {
        self.privacy.no_room = self.privacy.disk_full && self.is_wanted();
        if self.is_told() && !self.is_recorded() {
            let reason = Some(if self.privacy.no_room { "disk_full" } else { "policy" }.to_owned());
            let (status, parts) = (RecordingStatus::None, Vec::new());
            return What::RecordingClosed { status, reason, duration_ms: 0, sha256: None, parts };
        }
        let path = media::record::path::recording(self.offered.wall, self.id).to_string_lossy().into_owned();
        if self.is_told() {
            self.actions.push_back(Action::Record { path: path.clone() });
        }
        What::RecordingStarted { path }
    }

    pub(super) fn handle_closing(&mut self, mut closing: Closing, at: Now, input: Input) -> State {
        match input {
            Input::Media(Media::Measured { side, heard }) if closing.media.contains(&side) => {
                self.fact(at, What::MediaMeasured { leg: side, heard });
            }
            Input::Media(Media::Closed { side, received }) if closing.media.remove(&side) => {
                self.fact(at, What::Media { leg: side, received });
            }
            Input::Media(Media::Rested { side, lasted }) if closing.media.contains(&side) => {
                self.fact(at, rested(side, lasted));
            }
            // Its first sample went out as the call ended.
            Input::Media(Media::PlayStarted { play }) => self.play_started(at, play),
            Input::Media(Media::PlayEnded { play, to_end }) => self.fact(at, What::PlayEnded { play, to_end }),
            Input::RecordingClosed { status, reason, duration_ms, sha256, parts } if closing.recording => {
                closing.recording = false;
                self.fact(at, What::RecordingClosed { status, reason, duration_ms, sha256, parts });
            }
            Input::ListeningStarted if closing.recording => {
                closing.listening = true;
                self.fact(at, What::ListeningStarted);
            }
            Input::Listened(listened) if closing.listening => {
                closing.listening = false;
                self.fact(at, heard(listened));
            }
            _ => {}
        }
        // What was awaited came late, which makes no timer late.
        closing.linger = closing.linger.max(at.mono);
        State::Closing(closing)
    }

    pub(super) fn handle_closing_timeout(&mut self, mut closing: Closing, now: Now) -> State {
        if closing.poll_timeout().0 > now.mono {
            return State::Closing(closing);
        }
        if closing.recording {
            closing.recording = false;
            self.fact(
                now,
                What::RecordingClosed {
                    status: RecordingStatus::None,
                    reason: Some("recorder_silent".to_owned()),
                    duration_ms: 0,
                    sha256: None,
                    parts: Vec::new(),
                },
            );
        }
        if closing.listening {
            closing.listening = false;
            self.fact(now, heard(Err("listener_silent")));
        }
        self.actions.push_back(Action::Sealed);
        State::Sealed
    }
}
