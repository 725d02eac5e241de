//! An agent has answered: connect the two, greet, record, and watch who hangs up.

use std::collections::BTreeMap;

use super::fact::What;
use super::leg::{Action, Callee, Input, Media, Parting, Sent};
use super::reason::{EndedBy, Reason};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::Prompt;
use crate::ids::Side;
use crate::limits;
use crate::media::{self, Play};

#[derive(Debug)]
pub(super) struct Talking {
    attempt: u32,
    callee: Callee,
    late: bool,
    stage: Stage,
    /// Legs from which nothing comes, and when the call ends if it stays so.
    silent: BTreeMap<Side, Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Our 200 is ordered and not yet written.
    Answering,
    Connected,
}

impl Talking {
    pub(super) fn new(attempt: u32, callee: Callee, late: bool) -> Talking {
        Talking { attempt, callee, late, stage: Stage::Answering, silent: BTreeMap::new() }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.silent.values().min().map(|at| (*at, "media is lost"))
    }
}

impl Call {
    pub(super) fn handle_talking(&mut self, mut talking: Box<Talking>, now: Instant, at: Now, input: Input) -> State {
        match input {
            Input::Sent(Sent::Answer) if talking.stage == Stage::Answering => {
                talking.stage = Stage::Connected;
                self.connect(&talking, at);
            }
            // It was ordered in the moment the agent answered; it still is the *ring*.
            Input::Sent(Sent::Ring) | Input::Media(Media::RingbackStarted) => self.fact(at, What::Ring),
            Input::CallerAcknowledged => self.fact(at, What::Acknowledged),
            Input::Held { by, held: true } => {
                // Nothing is expected of a leg on hold; when it comes back, the media thread counts anew.
                talking.silent.remove(&by);
                self.fact(at, What::HoldStarted { by });
            }
            Input::Held { by, held: false } => self.fact(at, What::HoldEnded { by }),
            Input::Key { side, key, duration, via } => {
                let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
                self.fact(at, What::Key { leg: side, key, duration_ms, via });
            }
            Input::Media(event) => self.note_media(&mut talking, at, event),
            Input::HungUp { side: Side::Caller } => {
                return self.part(&talking, now, at, Reason::CallerHungUp, EndedBy::Caller);
            }
            Input::HungUp { side: Side::Agent } => {
                let (reason, by) = match talking.callee {
                    Callee::Agent(_) => (Reason::AgentHungUp, EndedBy::Agent),
                    Callee::Target(_) => (Reason::TargetHungUp, EndedBy::Trunk),
                };
                return self.part(&talking, now, at, reason, by);
            }
            Input::CallerLeft => return self.part(&talking, now, at, Reason::CrossedCancel, EndedBy::Caller),
            Input::CallerNeverAcknowledged => return self.part(&talking, now, at, Reason::NoAck, EndedBy::Gateway),
            Input::Lost { side } => {
                let by = match (side, &talking.callee) {
                    (Side::Agent, Callee::Agent(_)) => EndedBy::Agent,
                    (Side::Caller, _) | (Side::Agent, Callee::Target(_)) => EndedBy::Trunk,
                };
                return self.part(&talking, now, at, Reason::SessionLost, by);
            }
            Input::Shutdown => return self.part(&talking, now, at, Reason::Shutdown, EndedBy::Gateway),
            _ => {}
        }
        State::Talking(talking)
    }

    pub(super) fn handle_talking_timeout(&mut self, talking: Box<Talking>, now: Now) -> State {
        match talking.poll_timeout() {
            Some((at, _)) if at <= now.mono => {
                self.part(&talking, now.mono, now, Reason::MediaTimeout, EndedBy::Gateway)
            }
            _ => State::Talking(talking),
        }
    }

    fn connect(&mut self, talking: &Talking, at: Now) {
        self.fact(at, What::Connected);
        let path = media::record::path::recording(self.offered.wall, self.id).to_string_lossy().into_owned();
        self.actions.push_back(Action::Record { path: path.clone() });
        self.actions.push_back(Action::Bridge { attempt: talking.attempt, connected: at });
        self.fact(at, What::RecordingStarted { path });
        if let Some(prompt) = self.greeting(talking) {
            let audio = prompt.audio.clone();
            self.actions.push_back(Action::Play { play: Play::Greeting, audio });
        }
    }

    fn greeting(&self, talking: &Talking) -> Option<&Prompt> {
        // A target is no agent: nobody has a number to say.
        let Callee::Agent(agent) = &talking.callee else { return None };
        let greeting = self.hotline.greeting.by_agent.get(agent)?;
        Some(if talking.late { &greeting.late } else { &greeting.normal })
    }

    fn note_media(&mut self, talking: &mut Talking, at: Now, event: Media) {
        match event {
            Media::FirstPacket { side } => self.fact(at, What::MediaArrived { leg: side }),
            Media::RingbackStarted => {}
            Media::Silent { side } => {
                talking.silent.insert(side, at.mono + (limits::MEDIA_TIMEOUT - limits::MEDIA_LOST));
                self.fact(at, What::MediaLost { leg: side });
            }
            Media::Resumed { side } => {
                talking.silent.remove(&side);
                self.fact(at, What::MediaResumed { leg: side });
            }
            Media::PlayStarted { play } => {
                let started = self.play_started(talking, play);
                self.fact(at, started);
            }
            Media::PlayEnded { play, to_end } => self.fact(at, What::PlayEnded { play, to_end }),
            Media::Interval { side, line } => self.fact(at, What::MediaInterval { leg: side, line }),
            Media::Measured { side, heard } => self.fact(at, What::MediaMeasured { leg: side, heard }),
            Media::Closed { side, received } => self.fact(at, What::Media { leg: side, received }),
        }
    }

    fn play_started(&self, talking: &Talking, play: Play) -> What {
        let prompt = self.greeting(talking).map(|p| p.text.clone()).unwrap_or_default();
        let agent = match &talking.callee {
            Callee::Agent(agent) => Some(agent.clone()),
            Callee::Target(_) => None,
        };
        What::PlayStarted { play, prompt, agent, late: talking.late }
    }

    fn part(&mut self, talking: &Talking, now: Instant, at: Now, reason: Reason, by: EndedBy) -> State {
        let connected = talking.stage == Stage::Connected;
        let mut state = self.end(now, at, reason, by);
        let parting = match reason {
            Reason::CallerHungUp | Reason::AgentHungUp => Parting::HungUp,
            Reason::MediaTimeout | Reason::NoAck | Reason::SessionLost => Parting::TimedOut,
            _ => Parting::Silent,
        };
        self.actions.push_back(Action::HangUpCaller { parting });
        self.actions.push_back(Action::ReleaseAgent { attempt: talking.attempt, parting });
        if let State::Closing(closing) = &mut state
            && connected
        {
            closing.expect_media_and_recording();
            closing.expect_prompt(self.play_started(talking, Play::Greeting));
        }
        state
    }
}
