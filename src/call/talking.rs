//! An agent has answered: connect the two, greet, record, and watch who hangs up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::agent::Agents;
use super::conference::Conference;
use super::fact::{RingResult, SentFor, SurveyBy, What};
use super::leg::{Action, Callee, Input, Media, Parting, Sent};
use super::parking::Parked;
use super::privacy::Pressed;
use super::reason::{EndedBy, Reason};
use super::script::{Cue, Scripts};
use super::transfer::{Transfer, Transferor};
use super::{Call, State, closing};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::Next;
use crate::dialplan::scripts::By;
use crate::ids::Side;
use crate::limits;
use crate::media::Play;

#[derive(Debug)]
pub(super) struct Talking {
    /// Who has the caller, or had until the transfer that is under way.
    pub(super) attempt: u32,
    pub(super) callee: Callee,
    last_attempt: u32,
    late: Promptness,
    pub(super) stage: Stage,
    /// Legs from which nothing comes, and when the call ends if it stays so.
    pub(super) silent: BTreeMap<Side, Instant>,
    /// Who holds the other one.
    pub(super) held: BTreeSet<Side>,
    /// The agent's voice is kept from the caller.
    pub(super) muted: bool,
    /// The agent's last key and when it was.
    last_key: Option<(char, Instant)>,
    /// `*8` was pressed then: a digit tells the call's class.
    pub(super) class_begun: Option<Instant>,
    pub(super) scripts: Scripts,
    pub(super) conference: Conference,
}

/// Which greeting is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Promptness {
    InTime,
    Late,
    /// Everybody was busy meanwhile, or a phone said so.
    WhileBusy,
    /// An emergency: none.
    Ungreeted,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Our 200 is ordered and not yet written.
    Answering,
    Connected,
    /// The agent has asked us to hand the caller on.
    Transferring(Transfer),
    /// The agent has parked the caller.
    Parked(Parked),
}

impl Talking {
    /// `attempt`: that of the callee, and the last of all.
    pub(super) fn new((attempt, last_attempt): (u32, u32), callee: Callee, late: Promptness) -> Talking {
        let (silent, held) = (BTreeMap::new(), BTreeSet::new());
        Talking {
            attempt,
            callee,
            last_attempt,
            late,
            stage: Stage::Answering,
            silent,
            held,
            muted: false,
            last_key: None,
            class_begun: None,
            scripts: Scripts::default(),
            conference: Conference::default(),
        }
    }

    /// The agent pressed `*` just now.
    fn is_starred(&self, at: Now) -> bool {
        self.last_key.is_some_and(|(key, when)| key == '*' && at.mono.since(when) <= limits::KEYS_TOGETHER)
    }

    pub(super) fn last_attempt(&self) -> u32 {
        self.last_attempt
    }

    pub(super) fn next_attempt(&mut self) -> u32 {
        self.last_attempt += 1;
        self.last_attempt
    }

    /// The agent's hold is over without the phone's having said so; false: there was none.
    pub(super) fn unhold(&mut self, at: Now) -> bool {
        self.scripts.unhold(at.mono);
        self.held.remove(&Side::Agent)
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let transfer = match &self.stage {
            Stage::Transferring(transfer) => transfer.poll_timeout(),
            Stage::Parked(parked) => parked.poll_timeout(),
            Stage::Answering | Stage::Connected => None,
        };
        let lost = self.silent_until().map(|at| (at, "media is lost"));
        let beside = self.conference.poll_timeout();
        lost.into_iter().chain(transfer).chain(beside).chain(self.scripts.poll_timeout()).min()
    }

    /// When the call ends because nothing comes from somebody. A script that deals with that goes before.
    fn silent_until(&self) -> Option<Instant> {
        let dealt_with = self.scripts.deals_with_no_media();
        self.silent.iter().filter(|(side, _)| !dealt_with || **side == Side::Agent).map(|(_, at)| *at).min()
    }
}

impl Call {
    /// Caller and callee talk, and nobody is being handed on: the attempt of the callee.
    pub fn talks_with(&self) -> Option<u32> {
        match &self.state {
            State::Talking(talking) if matches!(talking.stage, Stage::Connected) => Some(talking.attempt),
            _ => None,
        }
    }

    /// What somebody does beside the two goes first, then the two.
    pub(super) fn handle_talk(
        &mut self,
        talking: Box<Talking>,
        (now, at): (Instant, Now),
        input: Input,
        agents: &mut Agents,
    ) -> State {
        if input == Input::CalleeMoved {
            return self.part(talking, now, at, Reason::MovedOver, EndedBy::Caller);
        }
        let (mut talking, input) = match self.handle_parking(talking, (now, at), input, agents) {
            Ok(state) => return state,
            Err(others) => others,
        };
        match self.handle_conference(&mut talking, (now, at), input, agents) {
            Ok(()) => State::Talking(talking),
            Err(input) => self.handle_talking(talking, now, at, input, agents),
        }
    }

    fn handle_talking(
        &mut self,
        talking: Box<Talking>,
        now: Instant,
        at: Now,
        input: Input,
        agents: &mut Agents,
    ) -> State {
        let (mut talking, input) = match self.handle_transferring(talking, now, at, input, agents) {
            Ok(state) => return state,
            Err(others) => others,
        };
        match input {
            Input::Transfer { to, consulted, .. } => {
                return self.begin_transfer(talking, now, at, (to, consulted), agents);
            }
            Input::Sent(Sent::Answer) if matches!(talking.stage, Stage::Answering) => self.connect(&mut talking, at),
            // It was ordered in the moment the agent answered; it still is the *ring*.
            Input::Sent(Sent::Ring) | Input::Media(Media::RingbackStarted) => self.fact(at, What::Ring),
            Input::PhoneReplaced { attempt } if attempt == talking.attempt => {
                if let Callee::Agent(agent) = talking.callee.clone() {
                    self.fact(at, What::PhoneReplaced { attempt, agent });
                }
            }
            Input::CallerAcknowledged => self.fact(at, What::Acknowledged),
            Input::Held { by, held: true } => {
                // Nothing is expected of a leg on hold; when it comes back, the media thread counts anew.
                talking.silent.remove(&by);
                talking.held.insert(by);
                self.fact(at, What::HoldStarted { by });
            }
            Input::Held { by, held: false } => {
                talking.held.remove(&by);
                self.stop_ringing_holder(&mut talking, at);
                self.fact(at, What::HoldEnded { by });
            }
            Input::Key { side, key, duration, via } => {
                self.note_key(at, Pressed { side, key, duration, via }, Some(&talking));
                if side == Side::Agent {
                    return self.agent_pressed(talking, key, (now, at), agents);
                }
            }
            Input::Media(event) => self.note_media(&mut talking, at, event),
            Input::HungUp { side: Side::Caller } => {
                self.note_parting(&talking, at, Side::Caller);
                return self.part(talking, now, at, Reason::CallerHungUp, EndedBy::Caller);
            }
            Input::HungUp { side: Side::Agent } => {
                let (reason, by) = match talking.callee {
                    Callee::Agent(_) => (Reason::AgentHungUp, EndedBy::Agent),
                    Callee::Target(_) => (Reason::TargetHungUp, EndedBy::Trunk),
                };
                self.note_parting(&talking, at, Side::Agent);
                if self.is_surveyed(&talking) {
                    return self.begin_survey(talking, SurveyBy::HangUp, now, at);
                }
                return self.part(talking, now, at, reason, by);
            }
            Input::CallerLeft => return self.part(talking, now, at, Reason::CrossedCancel, EndedBy::Caller),
            Input::CallerNeverAcknowledged => return self.part(talking, now, at, Reason::NoAck, EndedBy::Gateway),
            Input::Lost { side } => {
                let by = match (side, &talking.callee) {
                    (Side::Agent, Callee::Agent(_)) => EndedBy::Agent,
                    (Side::Caller, _) | (Side::Agent, Callee::Target(_)) => EndedBy::Trunk,
                };
                return self.part(talking, now, at, Reason::SessionLost, by);
            }
            Input::Shutdown => return self.part(talking, now, at, Reason::Shutdown, EndedBy::Gateway),
            _ => {}
        }
        State::Talking(talking)
    }

    pub(super) fn handle_talking_timeout(&mut self, mut talking: Box<Talking>, now: Now, agents: &mut Agents) -> State {
        self.conference_timed_out(&mut talking, now);
        if let Stage::Transferring(transfer) = &talking.stage
            && transfer.poll_timeout().is_some_and(|(until, _)| until <= now.mono)
        {
            let transfer = transfer.clone();
            return self.transfer_timed_out(talking, &transfer, now);
        }
        let parked = match &talking.stage {
            Stage::Parked(parked) => parked.poll_timeout(),
            Stage::Answering | Stage::Connected | Stage::Transferring(_) => None,
        };
        if parked.is_some_and(|(until, _)| until <= now.mono) {
            return self.parking_timed_out(talking, now, agents);
        }
        match talking.silent_until() {
            Some(at) if at <= now.mono && self.silent_agent_leaves(&mut talking, now) => State::Talking(talking),
            Some(at) if at <= now.mono => self.part(talking, now.mono, now, Reason::MediaTimeout, EndedBy::Gateway),
            _ => State::Talking(talking),
        }
    }

    /// What follows from a key of the agent's.
    fn agent_pressed(
        &mut self,
        mut talking: Box<Talking>,
        key: char,
        (now, at): (Instant, Now),
        agents: &mut Agents,
    ) -> State {
        let starred = talking.is_starred(at);
        if starred && self.is_survey_code(&talking, key) {
            return self.begin_survey(talking, SurveyBy::Code, now, at);
        }
        self.note_class_key(&mut talking, key, starred, at);
        if starred {
            self.say_by_key(&mut talking, key, at);
        }
        match self.note_agents_key(&mut talking, key, at) {
            Some(desk) => self.send_to_desk(talking, now, at, desk, agents),
            None => State::Talking(talking),
        }
    }

    /// `*6` and `*5`, one key soon after the other; or the code of a desk to which the caller goes.
    fn note_agents_key(&mut self, talking: &mut Talking, key: char, at: Now) -> Option<(SentFor, Next)> {
        let starred = talking.is_starred(at);
        talking.last_key = Some((key, at.mono));
        let connected = matches!((&talking.stage, &talking.callee), (Stage::Connected, Callee::Agent(_)));
        match key {
            '6' if starred && connected && self.is_hotlines() => self.mute(talking, at, !talking.muted),
            '5' if starred && connected => self.toggle_pause(at),
            _ => {}
        }
        if starred { self.desk_of(talking, key) } else { None }
    }

    /// Whoever is parked or joined anew is not muted: only the fact is due then.
    pub(super) fn mute(&mut self, talking: &mut Talking, at: Now, muted: bool) {
        if std::mem::replace(&mut talking.muted, muted) != muted {
            self.fact(at, if muted { What::MuteStarted } else { What::MuteEnded });
            self.actions.push_back(Action::Mute { muted });
            talking.scripts.mute(at.mono, muted);
        }
    }

    pub(super) fn connect(&mut self, talking: &mut Talking, at: Now) {
        self.fact(at, What::Connected);
        let started = self.begin_recording();
        self.join(talking, at);
        self.fact(at, started);
    }

    /// The caller, who is connected, is with this agent from now on.
    pub(super) fn join(&mut self, talking: &mut Talking, at: Now) {
        talking.stage = Stage::Connected;
        self.actions.push_back(Action::Bridge { attempt: talking.attempt, connected: at });
        // A target is no agent: nobody has a number to say, and the gateway leaves the two alone.
        let Callee::Agent(agent) = &talking.callee else { return };
        self.guard_keys();
        let hotline = Arc::clone(&self.hotline);
        let greeting = hotline.greeting.of(agent, self.standing.internal, at.wall);
        let greeting = greeting.filter(|_| talking.late != Promptness::Ungreeted);
        talking.scripts = Scripts::new(&hotline.scripts);
        talking.scripts.join(at.mono, greeting.is_some());
        if hotline.scripts.listens() {
            self.actions.push_back(Action::Listen);
        }
        if self.is_recorded() {
            talking.scripts.warn(at.mono, hotline.recording.beep);
        }
        let unrecorded = hotline.greeting.unrecorded.as_ref().filter(|_| self.privacy.no_room);
        let late = !matches!(talking.late, Promptness::InTime | Promptness::Ungreeted);
        let by_agent = late && hotline.greeting.late_by == By::Agent;
        if by_agent {
            self.cue(talking, at, Cue::LateAnswer);
        }
        if let Some(greeting) = greeting {
            let busy = || hotline.greeting.late_busy.get(agent).filter(|_| !self.standing.internal);
            let prompt = match talking.late {
                _ if by_agent => &greeting.normal,
                Promptness::InTime | Promptness::Ungreeted => &greeting.normal,
                Promptness::Late => &greeting.late,
                Promptness::WhileBusy => busy().unwrap_or(&greeting.late),
            };
            let prompt = unrecorded.map_or_else(|| prompt.clone(), |unrecorded| prompt.followed_by(unrecorded));
            self.order_play(Play::Greeting, &prompt, Some(agent.clone()), late && !by_agent);
        } else if let Some(unrecorded) = unrecorded {
            self.order_play(Play::Announcement, unrecorded, None, false);
        }
    }

    fn note_media(&mut self, talking: &mut Talking, at: Now, event: Media) {
        match event {
            Media::FirstPacket { side } => self.fact(at, What::MediaArrived { leg: side }),
            Media::RingbackStarted | Media::Heard { .. } => {}
            Media::Silent { side } => {
                talking.silent.insert(side, at.mono + (limits::MEDIA_TIMEOUT - limits::MEDIA_LOST));
                self.fact(at, What::MediaLost { leg: side });
            }
            Media::Resumed { side } => {
                talking.silent.remove(&side);
                self.fact(at, What::MediaResumed { leg: side });
            }
            Media::OneWay { side, by, lasted } => {
                let for_ms = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
                self.fact(at, What::OneWayAudio { leg: side, by, for_ms });
            }
            Media::OneWayEnded { side, by } => self.fact(at, What::OneWayAudioEnded { leg: side, by }),
            Media::PlayStarted { play } => self.play_started(at, play),
            Media::Upset { side, upset } => self.fact(at, What::MediaUpset { leg: side, upset }),
            Media::Rested { side, lasted } => self.fact(at, closing::rested(side, lasted)),
            Media::PlayEnded { play, to_end } => self.fact(at, What::PlayEnded { play, to_end }),
            Media::Blanked { on } => self.note_blanked(at, on),
            Media::Interval { side, line } => self.fact(at, What::MediaInterval { leg: side, line }),
            Media::Measured { side, heard } => self.fact(at, What::MediaMeasured { leg: side, heard }),
            Media::Closed { side, received } => self.fact(at, What::Media { leg: side, received }),
        }
    }

    pub(super) fn part(
        &mut self,
        mut talking: Box<Talking>,
        now: Instant,
        at: Now,
        reason: Reason,
        by: EndedBy,
    ) -> State {
        self.dismiss_all(&mut talking, at);
        self.end_parking(&mut talking, at, (RingResult::CallerLeft, None));
        let mut state = self.end(now, at, reason, by);
        let parting = match reason {
            Reason::CallerHungUp | Reason::AgentHungUp | Reason::MovedOver => Parting::HungUp,
            Reason::MediaTimeout | Reason::NoAck | Reason::SessionLost => Parting::TimedOut,
            _ => Parting::Silent,
        };
        self.actions.push_back(Action::HangUpCaller { parting });
        let joined = match &talking.stage {
            Stage::Answering => None,
            Stage::Connected => Some(Transferor::Waits),
            Stage::Transferring(transfer) => {
                if reason != Reason::TransferFailed {
                    self.abandon_transfer(&talking, transfer, at);
                }
                Some(transfer.transferor)
            }
            Stage::Parked(_) => Some(Transferor::Left),
        };
        if joined != Some(Transferor::Left) {
            self.actions.push_back(Action::ReleaseAgent { attempt: talking.attempt, parting });
        }
        if let (State::Closing(closing), Some(transferor)) = (&mut state, joined) {
            closing.expect_media_and_recording(transferor == Transferor::Waits, self.is_recorded());
        }
        state
    }
}
