//! The survey after a talk: the agent has left, and the caller grades by keys.
//!
//! ```text
//! Asking ─► Awaiting ─┬─► (grade) ─► the next question, or Thanking ─► the end
//!    ▲────── again ───┤
//!                     └─► (no grade, so often) ─► the end
//! ```
//!
//! The caller may hang up at any time; nothing more is asked of whoever does not answer.

use std::sync::Arc;

use super::fact::{ClassedBy, SurveyBy, SurveyEnd, What};
use super::leg::{Action, Callee, Input, Media, Parting};
use super::privacy::Pressed;
use super::reason::{EndedBy, Reason};
use super::route::{Line, Ring, Route};
use super::talking::{Stage as TalkingStage, Talking};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::after::{GRADES, Survey};
use crate::ids::Side;
use crate::limits;
use crate::media::{Hears, Play};

#[derive(Debug)]
pub(super) struct Surveying {
    route: Route,
    /// From 0.
    question: usize,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The question is said; so many times more after this one.
    Asking {
        left: u32,
        until: Instant,
    },
    Awaiting {
        left: u32,
        until: Instant,
    },
    Thanking {
        until: Instant,
    },
}

impl Surveying {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let stage = match self.stage {
            Stage::Asking { until, .. } | Stage::Thanking { until } => (until, "survey does not go on"),
            Stage::Awaiting { until, .. } => (until, "no grade"),
        };
        self.route.poll_timeout().into_iter().chain([stage]).min()
    }

    /// What is played now has come to its end.
    fn ends(&self, play: Play) -> bool {
        match self.stage {
            Stage::Asking { .. } => play == Play::Menu,
            Stage::Thanking { .. } => play == Play::Announcement,
            Stage::Awaiting { .. } => false,
        }
    }
}

impl Call {
    /// Whether whoever talks with an agent now is asked when the agent leaves.
    pub(super) fn is_surveyed(&self, talking: &Talking) -> bool {
        let with_agent = matches!((&talking.stage, &talking.callee), (TalkingStage::Connected, Callee::Agent(_)));
        with_agent
            && self.is_hotlines()
            // Of the calls that the gateway makes those to callers who are called back: colleagues are asked nothing.
            && self.made.as_ref().is_none_or(|made| made.calls_back().is_some())
            && self.hotline.after.survey.as_ref().is_some_and(|s| !s.questions.is_empty())
    }

    /// The agent has pressed `*` and this key.
    pub(super) fn is_survey_code(&self, talking: &Talking, key: char) -> bool {
        self.is_surveyed(talking) && self.hotline.after.survey.as_ref().is_some_and(|survey| survey.key == key)
    }

    /// The agent is out of the call, by hanging up or by the code.
    pub(super) fn begin_survey(&mut self, mut talking: Box<Talking>, by: SurveyBy, now: Instant, at: Now) -> State {
        let hotline = Arc::clone(&self.hotline);
        let (Callee::Agent(agent), Some(survey)) = (talking.callee.clone(), &hotline.after.survey) else {
            return State::Talking(talking);
        };
        let attempt = talking.attempt;
        self.mute(&mut talking, at, false);
        self.dismiss_all(&mut talking, at);
        for side in std::mem::take(&mut talking.held) {
            self.fact(at, What::HoldEnded { by: side });
        }
        self.fact(at, What::AgentLeft { attempt, agent });
        let questions = u32::try_from(survey.questions.len()).unwrap_or(u32::MAX);
        self.fact(at, What::SurveyStarted { questions, by });
        self.actions.push_back(Action::Park { hears: Hears::Nothing });
        self.actions.push_back(Action::ReleaseAgent { attempt, parting: Parting::HungUp });
        let mut route = Route::new(self.offered.mono);
        (route.line, route.ring) = (Line::Attended, Ring::Rung(at));
        route.last_attempt = talking.last_attempt();
        route.give_up = now + limits::LONGEST_ATTENDED;
        let stage = self.ask_for_grade(survey, 0, survey.tries.saturating_sub(1), now);
        State::Surveying(Box::new(Surveying { route, question: 0, stage }))
    }

    fn ask_for_grade(&mut self, survey: &Survey, question: usize, left: u32, now: Instant) -> Stage {
        match survey.questions.get(question) {
            Some(prompt) => Stage::Asking { left, until: self.say(Play::Menu, prompt, now) },
            None => Stage::Awaiting { left: 0, until: now },
        }
    }

    pub(super) fn handle_surveying(
        &mut self,
        mut surveying: Box<Surveying>,
        now: Instant,
        at: Now,
        input: Input,
    ) -> State {
        match &input {
            Input::Key { side: Side::Caller, key, duration, via } => {
                self.note_key(at, Pressed { side: Side::Caller, key: *key, duration: *duration, via: *via }, None);
                return self.grade_pressed(surveying, *key, now, at);
            }
            Input::HungUp { side: Side::Caller } | Input::Lost { side: Side::Caller } | Input::Shutdown
                if !matches!(surveying.stage, Stage::Thanking { .. }) =>
            {
                self.fact(at, What::SurveyEnded { by: SurveyEnd::HungUp });
            }
            _ => {}
        }
        let ended = matches!(input, Input::Media(Media::PlayEnded { play, to_end: true }) if surveying.ends(play));
        match self.note_attended(&mut surveying.route, now, at, input, Reason::SurveyOver) {
            Ok(Some(state)) => state,
            Ok(None) if ended => self.survey_stage_over(surveying, now, at),
            Ok(None) | Err(_) => State::Surveying(surveying),
        }
    }

    pub(super) fn handle_surveying_timeout(&mut self, surveying: Box<Surveying>, now: Now) -> State {
        if surveying.route.is_silent(now.mono) {
            if !matches!(surveying.stage, Stage::Thanking { .. }) {
                self.fact(now, What::SurveyEnded { by: SurveyEnd::NoGrade });
            }
            return self.leave(&surveying.route, now.mono, now, Reason::SurveyOver, EndedBy::Gateway);
        }
        match surveying.poll_timeout() {
            Some((at, _)) if at <= now.mono => self.survey_stage_over(surveying, now.mono, now),
            _ => State::Surveying(surveying),
        }
    }

    /// A prompt is over, or no key came.
    fn survey_stage_over(&mut self, mut surveying: Box<Surveying>, now: Instant, at: Now) -> State {
        let hotline = Arc::clone(&self.hotline);
        let Some(survey) = hotline.after.survey.as_ref() else {
            return self.leave(&surveying.route, now, at, Reason::SurveyOver, EndedBy::Gateway);
        };
        surveying.stage = match surveying.stage {
            Stage::Asking { left, .. } => Stage::Awaiting { left, until: now + survey.wait },
            Stage::Awaiting { left: 0, .. } => {
                self.fact(at, What::SurveyEnded { by: SurveyEnd::NoGrade });
                return self.leave(&surveying.route, now, at, Reason::SurveyOver, EndedBy::Gateway);
            }
            Stage::Awaiting { left, .. } => self.ask_for_grade(survey, surveying.question, left - 1, now),
            Stage::Thanking { .. } => {
                return self.leave(&surveying.route, now, at, Reason::SurveyOver, EndedBy::Gateway);
            }
        };
        State::Surveying(surveying)
    }

    fn grade_pressed(&mut self, mut surveying: Box<Surveying>, key: char, now: Instant, at: Now) -> State {
        let hotline = Arc::clone(&self.hotline);
        let Some(survey) = hotline.after.survey.as_ref() else { return State::Surveying(surveying) };
        let left = match surveying.stage {
            Stage::Asking { left, .. } | Stage::Awaiting { left, .. } => left,
            Stage::Thanking { .. } => return State::Surveying(surveying),
        };
        let Some(grade) = key.to_digit(10).filter(|grade| GRADES.contains(grade)) else {
            // A key that is no grade: asked again, if that is left.
            if left > 0 {
                surveying.stage = self.ask_for_grade(survey, surveying.question, left - 1, now);
            }
            return State::Surveying(surveying);
        };
        self.actions.push_back(Action::Park { hears: Hears::Nothing });
        let question = u32::try_from(surveying.question + 1).unwrap_or(u32::MAX);
        self.fact(at, What::SurveyGraded { question, grade });
        surveying.question += 1;
        if surveying.question < survey.questions.len() {
            surveying.stage = self.ask_for_grade(survey, surveying.question, survey.tries.saturating_sub(1), now);
            return State::Surveying(surveying);
        }
        self.fact(at, What::SurveyEnded { by: SurveyEnd::Complete });
        match &survey.thanks {
            Some(thanks) => surveying.stage = Stage::Thanking { until: self.say(Play::Announcement, thanks, now) },
            None => return self.leave(&surveying.route, now, at, Reason::SurveyOver, EndedBy::Gateway),
        }
        State::Surveying(surveying)
    }

    /// The class that a key of a menu makes of the call.
    pub(super) fn class_by_menu(&mut self, class: Option<&String>, at: Now) {
        if let Some(class) = class.cloned() {
            self.fact(at, What::Classed { class, by: ClassedBy::Menu });
        }
    }

    /// The agent presses `*8` and a digit.
    pub(super) fn note_class_key(&mut self, talking: &mut Talking, key: char, starred: bool, at: Now) {
        let begun = talking.class_begun.take();
        if starred && key == '8' {
            talking.class_begun = Some(at.mono);
        } else if begun.is_some_and(|begun| at.mono.since(begun) <= limits::KEYS_TOGETHER)
            && let (true, Some(class)) = (self.is_hotlines(), self.hotline.after.classes.get(&key).cloned())
        {
            self.fact(at, What::Classed { class, by: ClassedBy::Agent });
        }
    }
}
