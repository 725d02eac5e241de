//! The way of a call through its dialplan, until somebody has it or nothing comes any more.
//!
//! Steps that speak with the caller answer the call first; from then on the caller is *attended*: connected, recorded, and with
//! nobody but the gateway.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::agent::Agents;
use super::attending::Attending;
use super::fact::{ClosedWhy, RingResult, RingSource, StepKind, What};
use super::hunting::{Hunting, Place};
use super::leg::{Action, Input, Media, Parting};
use super::reason::{EndedBy, Reason};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::{Does, Next, Say, StepNo};
use crate::dialplan::reception::Shut;
use crate::ids::Side;
use crate::limits;
use crate::media::Hears;

#[derive(Debug)]
pub(super) struct Route {
    pub(super) ring: Ring,
    pub(super) line: Line,
    pub(super) last_attempt: u32,
    pub(super) results: BTreeSet<RingResult>,
    /// Why the call ends if nothing comes after the last step; `None`: for what became of the rings.
    pub(super) why: Option<Reason>,
    /// Steps taken so far: a plan may lead in a circle.
    steps: u32,
    pub(super) give_up: Instant,
    /// Nothing comes from the attended caller, and the call ends then.
    silent: Option<Instant>,
}

/// What the caller hears of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ring {
    /// 100 only; 180, or 183 with our ringing tone, goes out at this instant at the latest.
    Silent {
        at_latest: Instant,
    },
    /// It is ordered and not yet written.
    Ordered,
    Rung(Now),
}

/// How far the caller's call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// No final response yet.
    Ringing,
    /// Our 200 is ordered and not yet written.
    Answering,
    /// The caller is connected, and with the gateway alone.
    Attended,
}

impl Route {
    pub(super) fn new(offered: Instant) -> Route {
        Route {
            ring: Ring::Silent { at_latest: offered + limits::RING_AFTER },
            line: Line::Ringing,
            last_attempt: 0,
            results: BTreeSet::new(),
            why: None,
            steps: 0,
            give_up: offered + limits::LONGEST_WAIT,
            silent: None,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let silent = self.silent.map(|at| (at, "media is lost"));
        silent.into_iter().chain([(self.give_up, "longest wait")]).min()
    }

    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.silent.is_some_and(|at| at <= now)
    }
}

impl Call {
    /// The call's first step, by the hour at which it was offered.
    pub(super) fn enter(&mut self, now: Instant, at: Now, agents: &mut Agents) -> State {
        let hotline = Arc::clone(&self.hotline);
        let (mut route, offered) = (Route::new(self.offered.mono), self.offered.wall);
        if let Some(calendar) = hotline.reception.uncovered(offered) {
            self.fact(at, What::CalendarUncovered { calendar: calendar.to_owned() });
        }
        let Some((why, next)) = hotline.reception.shut(offered) else {
            return self.go(route, &hotline.start, now, at, agents);
        };
        let (why, holiday) = match why {
            Shut::Outage => (ClosedWhy::Outage, None),
            Shut::Hours => (ClosedWhy::Hours, None),
            Shut::Holiday(name) => (ClosedWhy::Holiday, Some(name.to_owned())),
        };
        self.fact(at, What::Closed { why, holiday });
        route.why = Some(Reason::Closed);
        self.go(route, next, now, at, agents)
    }

    /// Takes the call to where it goes on.
    pub(super) fn go(&mut self, mut route: Route, next: &Next, now: Instant, at: Now, agents: &mut Agents) -> State {
        route.steps += 1;
        if route.steps > limits::STEPS {
            return self.no_step_left(&route, 480, now, at);
        }
        match next {
            Next::BusyTone => self.no_step_left(&route, 486, now, at),
            Next::Unavailable | Next::HangUp => self.no_step_left(&route, 480, now, at),
            Next::Target(target) => self.call_target(route, Place::Target(target.clone()), target.clone()),
            Next::Agents => {
                route.why = None;
                let hunting = Hunting::new(route, Place::Agents, &self.hotline, now);
                self.hunt(hunting, now, at, agents)
            }
            Next::Step(no) => self.take_step(route, *no, now, at, agents),
        }
    }

    fn take_step(&mut self, mut route: Route, no: StepNo, now: Instant, at: Now, agents: &mut Agents) -> State {
        let hotline = Arc::clone(&self.hotline);
        let Some(step) = no.of(&hotline) else { return self.no_step_left(&route, 480, now, at) };
        let (does, takes) = kind(&step.does);
        self.fact(at, What::Step { step: step.name.clone(), does, takes });
        route.why = match &step.does {
            Does::Ring(_) | Does::Call(_) | Does::Cascade(_) => None,
            Does::Say(_) => Some(Reason::Announced),
            Does::Menu(_) => Some(Reason::MenuUnanswered),
            Does::Message(_) => Some(Reason::MessageLeft),
        };
        match &step.does {
            Does::Ring(_) => self.hunt(Hunting::new(route, Place::Step(no), &hotline, now), now, at, agents),
            Does::Call(call) => self.call_target(route, Place::Step(no), call.target.clone()),
            Does::Say(_) | Does::Menu(_) | Does::Message(_) | Does::Cascade(_) => {
                self.answer_alone(&mut route);
                match route.line {
                    Line::Attended => self.begin_step(route, no, now, at, agents),
                    Line::Ringing | Line::Answering => State::Attending(Box::new(Attending::answering(route, no))),
                }
            }
        }
    }

    /// 200 to the caller, with nobody on the other side, unless it is on its way already.
    pub(super) fn answer_alone(&mut self, route: &mut Route) {
        if route.line == Line::Ringing {
            self.actions.push_back(Action::AnswerAlone);
            route.line = Line::Answering;
        }
    }

    /// Our 200 was written at `at`.
    pub(super) fn attend(&mut self, route: &mut Route, at: Now) {
        route.line = Line::Attended;
        route.give_up = at.mono + limits::LONGEST_ATTENDED;
        self.fact(at, What::Connected);
        let started = self.begin_recording();
        self.actions.push_back(Action::Attend { connected: at });
        self.fact(at, started);
    }

    /// The caller is to hear that somebody is rung.
    pub(super) fn ring(&mut self, route: &mut Route) {
        let cadence = &self.hotline.answer.cadence;
        let (burst, period) = (cadence.burst, cadence.period);
        self.actions.push_back(match (route.line, self.answer.ringback) {
            (Line::Attended, _) => Action::Park { hears: Hears::Ringing { burst, period } },
            (_, RingSource::Network) => Action::Ring,
            (_, RingSource::Gateway) => Action::Ringback { burst, period },
        });
        route.ring = Ring::Ordered;
    }

    /// The dialplan has nothing more for this call.
    pub(super) fn no_step_left(&mut self, route: &Route, status: u16, now: Instant, at: Now) -> State {
        let reason = route.why.unwrap_or_else(|| reason_of(&route.results));
        if route.line != Line::Ringing {
            return self.leave(route, now, at, reason, EndedBy::Gateway);
        }
        let status = match reason {
            // The carrier may take the call elsewhere.
            Reason::Fault => return self.reject(reason, 503, Some(10)),
            _ if self.is_hotlines() => status,
            // The caller is a colleague and may know why.
            Reason::AgentsBusy => 486,
            Reason::AgentsDeclined => 603,
            _ => 480,
        };
        self.reject(reason, status, None)
    }

    /// The end of a call that the gateway has answered and nobody else.
    pub(super) fn leave(&mut self, route: &Route, now: Instant, at: Now, reason: Reason, by: EndedBy) -> State {
        let mut state = self.end(now, at, reason, by);
        let parting = match reason {
            Reason::CallerHungUp | Reason::CallerCancelled | Reason::SurveyOver => Parting::HungUp,
            Reason::MediaTimeout | Reason::NoAck | Reason::SessionLost => Parting::TimedOut,
            _ => Parting::Silent,
        };
        self.actions.push_back(Action::HangUpCaller { parting });
        if let (State::Closing(closing), Line::Attended) = (&mut state, route.line) {
            closing.expect_media_and_recording(false, self.is_recorded());
        }
        state
    }

    /// What an attended caller (or one who is about to be) does, whatever the step. `Ok(Some)`: the call is over. `left`: the
    /// reason if the caller hangs up.
    pub(super) fn note_attended(
        &mut self,
        route: &mut Route,
        now: Instant,
        at: Now,
        input: Input,
        left: Reason,
    ) -> Result<Option<State>, Input> {
        match input {
            Input::CallerAcknowledged => self.fact(at, What::Acknowledged),
            Input::Held { by: Side::Caller, held } => {
                let by = Side::Caller;
                self.fact(at, if held { What::HoldStarted { by } } else { What::HoldEnded { by } });
            }
            Input::Media(event) => self.note_attended_media(route, at, event),
            Input::HungUp { side: Side::Caller } => {
                return Ok(Some(self.leave(route, now, at, left, EndedBy::Caller)));
            }
            Input::CallerLeft => {
                return Ok(Some(self.leave(route, now, at, Reason::CallerCancelled, EndedBy::Caller)));
            }
            Input::CallerNeverAcknowledged => {
                return Ok(Some(self.leave(route, now, at, Reason::NoAck, EndedBy::Gateway)));
            }
            Input::Lost { side: Side::Caller } => {
                return Ok(Some(self.leave(route, now, at, Reason::SessionLost, EndedBy::Trunk)));
            }
            Input::Shutdown => return Ok(Some(self.leave(route, now, at, Reason::Shutdown, EndedBy::Gateway))),
            other => return Err(other),
        }
        Ok(None)
    }

    fn note_attended_media(&mut self, route: &mut Route, at: Now, event: Media) {
        match event {
            Media::FirstPacket { side } => self.fact(at, What::MediaArrived { leg: side }),
            Media::Silent { side: Side::Caller } => {
                route.silent = Some(at.mono + (limits::MEDIA_TIMEOUT - limits::MEDIA_LOST));
                self.fact(at, What::MediaLost { leg: Side::Caller });
            }
            Media::Resumed { side: Side::Caller } => {
                route.silent = None;
                self.fact(at, What::MediaResumed { leg: Side::Caller });
            }
            Media::RingbackStarted => {
                self.fact(at, What::Ring);
                route.ring = Ring::Rung(at);
            }
            Media::Upset { side, upset } => self.fact(at, What::MediaUpset { leg: side, upset }),
            Media::PlayStarted { play } => self.play_started(at, play),
            Media::PlayEnded { play, to_end } => self.fact(at, What::PlayEnded { play, to_end }),
            Media::Interval { side, line } => self.fact(at, What::MediaInterval { leg: side, line }),
            _ => {}
        }
    }
}

/// What a step does, and whether it takes the call: nobody comes after it.
pub(super) fn kind(does: &Does) -> (StepKind, bool) {
    match does {
        Does::Ring(_) => (StepKind::Ring, false),
        Does::Call(_) => (StepKind::Call, false),
        Does::Say(Say { then, .. }) => (StepKind::Say, then.is_end()),
        Does::Menu(_) => (StepKind::Menu, false),
        Does::Message(_) => (StepKind::Message, true),
        Does::Cascade(_) => (StepKind::Cascade, false),
    }
}

/// Why nobody took the call.
pub(super) fn reason_of(results: &BTreeSet<RingResult>) -> Reason {
    let results: Vec<RingResult> = results.iter().copied().collect();
    match results.as_slice() {
        // Not one agent was free to be rung.
        [] | [RingResult::Busy] => Reason::AgentsBusy,
        [RingResult::Declined] => Reason::AgentsDeclined,
        [RingResult::NoAnswer | RingResult::Unconfirmed] => Reason::NoAnswer,
        [RingResult::Unreachable] => Reason::AgentsUnreachable,
        [RingResult::Fault] => Reason::Fault,
        _ => Reason::AgentsMixed,
    }
}
