//! The gateway speaks with the caller: announcements, menus, messages.
//!
//! ```text
//! Answering ─► Saying ──────────────────────────► next step
//!         ├──► Asking ─► Awaiting ─┬─► (key) ───► next step
//!         │      ▲─────── again ───┘
//!         └──► Inviting ─► Beeping ─► Taping ─► Thanking ─► the end
//! ```
//!
//! A prompt's end is reported by the media thread; each stage also has a deadline, so that a report that never comes costs
//! seconds and no call.

use std::sync::Arc;
use std::time::Duration;

use super::agent::Agents;
use super::fact::{MessageEnd, What};
use super::leg::{Action, Input, Media, Sent};
use super::privacy::Pressed;
use super::reason::{EndedBy, Reason};
use super::route::{Route, kind};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::{Does, Menu, Message, Next, Prompt, StepNo};
use crate::ids::Side;
use crate::media::{self, Hears, Play, SAMPLE_RATE_HZ};

/// How much later than it should be the end of a prompt may be reported.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Attending {
    route: Route,
    step: StepNo,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Our 200 is ordered and not yet written.
    Answering,
    Saying {
        until: Instant,
    },
    /// The menu's prompt is played; so many times more after this one.
    Asking {
        left: u32,
        until: Instant,
    },
    /// It was played to its end.
    Awaiting {
        left: u32,
        until: Instant,
    },
    Inviting {
        until: Instant,
    },
    Beeping {
        until: Instant,
    },
    Taping {
        until: Instant,
    },
    Thanking {
        until: Instant,
    },
}

impl Attending {
    pub(super) fn answering(route: Route, step: StepNo) -> Attending {
        Attending { route, step, stage: Stage::Answering }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let stage = match self.stage {
            Stage::Answering => None,
            Stage::Saying { until }
            | Stage::Inviting { until }
            | Stage::Beeping { until }
            | Stage::Thanking { until } => Some((until, "prompt does not end")),
            Stage::Asking { until, .. } => Some((until, "menu does not end")),
            Stage::Awaiting { until, .. } => Some((until, "no key")),
            Stage::Taping { until } => Some((until, "longest message")),
        };
        stage.into_iter().chain(self.route.poll_timeout()).min()
    }

    /// What is played now has come to its end.
    fn ends(&self, play: Play) -> bool {
        match self.stage {
            Stage::Saying { .. } => play == Play::Announcement,
            Stage::Asking { .. } => play == Play::Menu,
            Stage::Inviting { .. } | Stage::Thanking { .. } => play == Play::Message,
            Stage::Beeping { .. } => play == Play::Beep,
            Stage::Answering | Stage::Awaiting { .. } | Stage::Taping { .. } => false,
        }
    }
}

impl Call {
    /// The step speaks; the caller is attended.
    pub(super) fn begin_step(&mut self, route: Route, no: StepNo, now: Instant, at: Now, agents: &mut Agents) -> State {
        let hotline = Arc::clone(&self.hotline);
        let stage = match no.of(&hotline).map(|step| &step.does) {
            Some(Does::Say(say)) => Stage::Saying { until: self.say(Play::Announcement, &say.prompt, now) },
            Some(Does::Menu(menu)) => self.ask(menu, menu.tries.saturating_sub(1), now),
            Some(Does::Message(message)) => Stage::Inviting { until: self.say(Play::Message, &message.prompt, now) },
            Some(Does::Cascade(cascade)) => return self.begin_cascade(route, no, cascade, now, at, agents),
            Some(Does::Ring(_) | Does::Call(_)) | None => return self.go(route, &Next::HangUp, now, at, agents),
        };
        State::Attending(Box::new(Attending { route, step: no, stage }))
    }

    pub(super) fn handle_attending(
        &mut self,
        mut attending: Box<Attending>,
        now: Instant,
        at: Now,
        input: Input,
        agents: &mut Agents,
    ) -> State {
        let left = match attending.stage {
            Stage::Taping { .. } => {
                if let Input::HungUp { side: Side::Caller } | Input::Lost { .. } | Input::Shutdown = input {
                    self.fact(at, What::MessageEnded { by: MessageEnd::HangUp });
                }
                Reason::MessageLeft
            }
            _ if self.takes(attending.step) => Reason::CallerHungUp,
            _ => Reason::CallerCancelled,
        };
        match &input {
            Input::Sent(Sent::Answer) if attending.stage == Stage::Answering => {
                self.attend(&mut attending.route, at);
                return self.begin_step(attending.route, attending.step, now, at, agents);
            }
            Input::Key { side, key, duration, via } => {
                let pressed = Pressed { side: *side, key: *key, duration: *duration, via: *via };
                self.note_key(at, pressed, None);
                return match side {
                    Side::Caller => self.key_pressed(attending, *key, now, at, agents),
                    Side::Agent => State::Attending(attending),
                };
            }
            _ => {}
        }
        let ended = matches!(input, Input::Media(Media::PlayEnded { play, to_end: true }) if attending.ends(play));
        match self.note_attended(&mut attending.route, now, at, input, left) {
            Ok(Some(state)) => state,
            Ok(None) if ended => self.stage_over(attending, now, at, agents),
            Ok(None) | Err(_) => State::Attending(attending),
        }
    }

    pub(super) fn handle_attending_timeout(
        &mut self,
        attending: Box<Attending>,
        now: Now,
        agents: &mut Agents,
    ) -> State {
        if attending.route.is_silent(now.mono) {
            return self.leave(&attending.route, now.mono, now, Reason::MediaTimeout, EndedBy::Gateway);
        }
        if attending.route.give_up <= now.mono {
            return self.no_step_left(&attending.route, 480, now.mono, now);
        }
        match attending.poll_timeout() {
            Some((at, _)) if at <= now.mono => self.stage_over(attending, now.mono, now, agents),
            _ => State::Attending(attending),
        }
    }

    /// The prompt is over, or what was waited for did not come.
    fn stage_over(&mut self, mut attending: Box<Attending>, now: Instant, at: Now, agents: &mut Agents) -> State {
        let hotline = Arc::clone(&self.hotline);
        let does = attending.step.of(&hotline).map(|step| &step.does);
        attending.stage = match (attending.stage, does) {
            (Stage::Saying { .. }, Some(Does::Say(say))) => {
                return self.go(attending.route, &say.then, now, at, agents);
            }
            (Stage::Asking { left, .. }, Some(Does::Menu(menu))) => Stage::Awaiting { left, until: now + menu.wait },
            (Stage::Awaiting { left: 0, .. }, Some(Does::Menu(menu))) => {
                return self.go(attending.route, &menu.otherwise, now, at, agents);
            }
            (Stage::Awaiting { left, .. }, Some(Does::Menu(menu))) => self.ask(menu, left - 1, now),
            (Stage::Inviting { .. }, Some(Does::Message(_))) => {
                let beep = Prompt { text: String::new(), files: Vec::new(), audio: media::beep().into() };
                Stage::Beeping { until: self.say(Play::Beep, &beep, now) }
            }
            (Stage::Beeping { .. }, Some(Does::Message(message))) => {
                self.actions.push_back(Action::Park { hears: Hears::Nothing });
                self.fact(at, What::MessageStarted);
                Stage::Taping { until: now + message.longest }
            }
            (Stage::Taping { .. }, Some(Does::Message(message))) => {
                return self.message_over(attending, message, MessageEnd::TooLong, now, at);
            }
            _ => return self.no_step_left(&attending.route, 480, now, at),
        };
        State::Attending(attending)
    }

    fn key_pressed(
        &mut self,
        mut attending: Box<Attending>,
        key: char,
        now: Instant,
        at: Now,
        agents: &mut Agents,
    ) -> State {
        let hotline = Arc::clone(&self.hotline);
        match (attending.stage, attending.step.of(&hotline).map(|step| &step.does)) {
            (Stage::Asking { left, .. } | Stage::Awaiting { left, .. }, Some(Does::Menu(menu))) => {
                if let Some(next) = menu.keys.get(&key) {
                    self.class_by_menu(menu.classes.get(&key), at);
                    self.actions.push_back(Action::Park { hears: Hears::Nothing });
                    return self.go(attending.route, next, now, at, agents);
                }
                // A key that means nothing here: asked again, if that is left.
                attending.stage = match left {
                    0 => return self.go(attending.route, &menu.otherwise, now, at, agents),
                    left => self.ask(menu, left - 1, now),
                };
            }
            (Stage::Taping { .. }, Some(Does::Message(message))) => {
                return self.message_over(attending, message, MessageEnd::Key, now, at);
            }
            _ => {}
        }
        State::Attending(attending)
    }

    fn message_over(
        &mut self,
        mut attending: Box<Attending>,
        message: &Message,
        by: MessageEnd,
        now: Instant,
        at: Now,
    ) -> State {
        self.fact(at, What::MessageEnded { by });
        let Some(thanks) = &message.thanks else { return self.no_step_left(&attending.route, 480, now, at) };
        attending.stage = Stage::Thanking { until: self.say(Play::Message, thanks, now) };
        State::Attending(attending)
    }

    fn ask(&mut self, menu: &Menu, left: u32, now: Instant) -> Stage {
        Stage::Asking { left, until: self.say(Play::Menu, &menu.prompt, now) }
    }

    /// Orders a prompt; by when its end must have been reported.
    pub(super) fn say(&mut self, play: Play, prompt: &Prompt, now: Instant) -> Instant {
        self.order_play(play, prompt, None, false);
        now + Duration::from_secs_f64(prompt.audio.len() as f64 / f64::from(SAMPLE_RATE_HZ)) + PATIENCE
    }

    /// Whoever hangs up in this step was served by it.
    fn takes(&self, no: StepNo) -> bool {
        no.of(&self.hotline).is_some_and(|step| kind(&step.does).1)
    }
}
