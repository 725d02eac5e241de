//! The fold: facts in, record out. Incremental, so that the record of a live call can be read at any time.

use std::collections::BTreeMap;

use super::added::Guests;
use super::after::After;
use super::attempts::Attempts;
use super::kind::CallKind;
use super::owed::{self, Owed};
use super::quality::{About, Leg};
use super::record::{Blanked, Greeting, Outcome, Played, Quality, Record, Recording, Segment, TargetSegment, Time};
use super::supervised::Stretches;
use super::way::Way;
use crate::call::fact::{AnswerRule, Fact, Offered, PausedBy, RecordingStatus, RingResult, What};
use crate::call::leg::Callee;
use crate::call::reason::{Class, EndedBy, Reason};
use crate::clock::{Stamp, Wall};
use crate::ids::{AgentNo, CallId, HotlineId, Side, SubjectId};
use crate::media::Play;
use crate::quality::speech::Listening;

mod apart;

const NS_PER_MS: u64 = 1_000_000;

/// What is known of one call so far.
#[derive(Debug, Clone)]
pub struct Fold {
    call: CallId,
    /// The number of the next fact; lower ones have been seen.
    next: u32,
    offered_at: Stamp,
    offered: Offered,
    ring: Option<Stamp>,
    answers: Vec<Answer>,
    way: Way,
    after: After,
    attempts: Attempts,
    supervised: Stretches,
    added: Guests,
    connected: Option<Stamp>,
    plays: Vec<PlaySpan>,
    holds: Vec<Hold>,
    /// The times between two who had the caller.
    transfers: Vec<Transfer>,
    /// Phones that ring now, by attempt.
    ringing: BTreeMap<u32, AgentNo>,
    caller: Leg,
    agent: Leg,
    recording: Recording,
    /// The listener's word is still to come.
    listening_open: bool,
    listening: Option<Box<Listening>>,
    /// Of a callback: who waits for the caller, when the caller was called, and why in vain.
    waits: Option<AgentNo>,
    called: Option<Stamp>,
    in_vain: Option<RingResult>,
    ended: Option<Ended>,
    interrupted: bool,
}

/// What a live call is doing, for gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Ringing,
    Greeting,
    Talking,
    Hold,
    Ended,
}

#[derive(Debug, Clone)]
struct Answer {
    at: Stamp,
    attempt: u32,
    who: Callee,
    /// When this one was out of the call, if that was before anybody else had the caller.
    left: Option<Stamp>,
}

/// The caller is with nobody.
#[derive(Debug, Clone)]
struct Transfer {
    attempt: u32,
    from: Stamp,
    to: Option<Stamp>,
    /// Parked, and nobody came for so long that everybody is rung: it lasts until somebody answers.
    everybody: bool,
}

impl Answer {
    fn agent(&self) -> Option<&AgentNo> {
        match &self.who {
            Callee::Agent(agent) => Some(agent),
            Callee::Target(_) => None,
        }
    }
}

#[derive(Debug, Clone)]
struct PlaySpan {
    play: Play,
    prompt: String,
    agent: Option<AgentNo>,
    late: bool,
    from: Stamp,
    /// When it ended, and whether it was played to its end.
    to: Option<(Stamp, bool)>,
}

#[derive(Debug, Clone)]
struct Hold {
    by: Side,
    from: Stamp,
    to: Option<Stamp>,
}

#[derive(Debug, Clone, Copy)]
struct Ended {
    at: Stamp,
    reason: Reason,
    by: EndedBy,
}

impl Fold {
    /// Begins a call; `None` if `first` is not `offered`.
    pub fn begin(first: &Fact) -> Option<Fold> {
        let What::Offered(offered) = &first.what else { return None };
        Some(Fold {
            call: first.call,
            next: first.n + 1,
            offered_at: first.at,
            offered: (**offered).clone(),
            ring: None,
            answers: Vec::new(),
            way: Way::default(),
            after: After::default(),
            attempts: Attempts::default(),
            supervised: Stretches::default(),
            added: Guests::default(),
            connected: None,
            plays: Vec::new(),
            holds: Vec::new(),
            transfers: Vec::new(),
            ringing: BTreeMap::new(),
            caller: Leg::default(),
            agent: Leg::default(),
            recording: no_recording(),
            listening_open: false,
            listening: None,
            waits: None,
            called: None,
            in_vain: None,
            ended: None,
            interrupted: false,
        })
    }

    /// Takes the next fact. Facts of other calls and facts already seen change nothing.
    pub fn push(&mut self, fact: &Fact) {
        if fact.call != self.call || fact.n < self.next {
            return;
        }
        self.next = fact.n + 1;
        self.attempts.push(fact);
        self.supervised.push(fact);
        self.added.push(fact);
        if self.ended.is_none() {
            self.push_live(fact);
        }
        self.push_always(fact);
    }

    pub fn hotline(&self) -> &HotlineId {
        &self.offered.hotline
    }

    pub fn trunk(&self) -> &crate::ids::TrunkName {
        &self.offered.trunk
    }

    pub fn call(&self) -> CallId {
        self.call
    }

    pub fn was_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// Connected → ended in milliseconds: how long the recording is to be. `None` if either is missing, or a crash lies between.
    pub fn connected_ms(&self) -> Option<u64> {
        self.ended_at()?.millis_since(self.connected?)
    }

    /// Both legs were measured: nothing more will be known of their quality.
    pub fn is_measured(&self) -> bool {
        self.caller.heard.is_some() && self.agent.heard.is_some()
    }

    pub fn subject(&self) -> SubjectId {
        self.offered.caller
    }

    pub fn offered_at(&self) -> Stamp {
        self.offered_at
    }

    pub fn ended_at(&self) -> Option<Stamp> {
        self.ended.map(|ended| ended.at)
    }

    /// Ended, no recording is still open and none is being listened to: recovery has nothing left to do.
    pub fn is_closed(&self) -> bool {
        self.ended.is_some() && self.recording.status != RecordingStatus::Pending && !self.listening_open
    }

    pub fn phase(&self) -> Phase {
        if self.ended.is_some() {
            Phase::Ended
        } else if (self.answers.is_empty() && self.way.taken_at().is_none()) || self.connected.is_none() {
            Phase::Ringing
        } else if self.holds.iter().any(|hold| hold.to.is_none()) || self.transfer().is_some() {
            Phase::Hold
        } else if self.plays.iter().any(|play| play.to.is_none()) {
            Phase::Greeting
        } else {
            Phase::Talking
        }
    }

    /// This attempt was called into the talk: it may have the caller later, and nobody handed the caller on.
    pub fn was_added(&self, attempt: u32) -> bool {
        self.added.has(attempt)
    }

    /// Agents whose phone rings for this call now. With the call over it may still ring until its CANCEL is through, but for nobody.
    pub fn ringing_agents(&self) -> impl Iterator<Item = &AgentNo> {
        self.ringing.values().filter(|_| self.ended.is_none())
    }

    /// The agent who is in this call now.
    pub fn talking_agent(&self) -> Option<&AgentNo> {
        let last = self.answers.last().filter(|answer| self.ended.is_none() && answer.left.is_none());
        last.and_then(Answer::agent).or_else(|| self.waits.as_ref().filter(|_| self.ended.is_none()))
    }

    /// Agents whose 2xx came to nothing: the caller was gone before it could be passed on, or the gateway failed.
    pub fn answers_in_vain(&self) -> impl Iterator<Item = &AgentNo> {
        let in_vain = self.ended.is_some() && self.answer().is_none();
        self.answers.iter().filter(move |_| in_vain).filter_map(Answer::agent)
    }

    /// The length of each hold of an ended call, in order, in milliseconds.
    pub fn hold_lengths_ms(&self) -> Vec<u64> {
        let Some(ended) = self.ended else { return Vec::new() };
        let length = |hold: &Hold| hold.to.unwrap_or(ended.at).millis_since(hold.from);
        self.holds.iter().filter_map(length).collect()
    }

    pub fn record(&self) -> Record {
        let answer = self.answer();
        let ended_at = self.ended_at();
        Record {
            id: self.call,
            hotline: self.offered.hotline.clone(),
            trunk: self.offered.trunk.clone(),
            called: self.offered.called.clone(),
            called_received: self.offered.called_received.clone(),
            caller: None,
            caller_received: self.offered.caller_received.map(|id| id.to_string()),
            agent: answer.and_then(Answer::agent).cloned(),
            target: self.way.target(),
            step: self.way.step(),
            segments: self.segments(),
            attempts: self.attempts.list(),
            target_segments: self.target_segments(),
            kind: self.kind(),
            outcome: self.outcome(),
            reason: self.ended.map(|ended| ended.reason),
            ended_by: self.ended.map(|ended| ended.by),
            interrupted: self.interrupted,
            offered_at: Time(self.offered_at.wall()),
            ring_at: self.ring.map(time),
            answered_at: answer.map(|answer| time(answer.at)),
            connected_at: self.connected.map(time),
            ended_at: ended_at.map(time),
            ring_to_answer_ms: self.ring_to_answer_ns().map(|ns| ns / NS_PER_MS),
            rings: self.rings(),
            ring_source: self.offered.answer.ringback,
            answered_within_strict: self.hotlines_ring_ns().map(|ns| ns < strict_ns(&self.offered.answer)),
            answered_within_target: self
                .hotlines_ring_ns()
                .and_then(|_| self.rings())
                .map(|rings| !self.offered.answer.is_late(rings)),
            left_within_target: self.left_within_target(),
            short_abandon_ms: Some(self.offered.answer.short_abandon_ms),
            wait_ms: self.wait_ms(),
            talk_ms: self.talk_ms(),
            hold_ms: self.hold_ms(),
            holds: u32::try_from(self.holds.len()).unwrap_or(u32::MAX),
            duration_ms: ended_at.and_then(|at| at.millis_since(self.offered_at)),
            greeting: self.greeting(),
            played: self.played(),
            supervised: self.supervised.list(self.connected),
            added: self.added.list(self.connected),
            recording: self.recording.clone(),
            listening: self.listening.clone(),
            steps: self.way.steps(self.offered_at),
            closed: self.way.closed,
            notice: self.way.notice.clone(),
            queue: self.way.queue(self.answered_or_ended()),
            message: self.connected.and_then(|connected| self.way.message(connected, ended_at)),
            class: self.after.class(),
            survey: self.after.survey(),
            callback: self.callback(),
            called_back: self.called_back(),
            by_agent: self.made_by_agent(),
            quality: self.quality(),
            dialplan_version: self.offered.dialplan.clone(),
            rule_pack: None,
            verdicts: Vec::new(),
        }
    }

    /// Facts that mean something only until the call is over.
    fn push_live(&mut self, fact: &Fact) {
        let at = fact.at;
        self.way.push(fact, self.answers.is_empty());
        self.after.push(fact);
        self.push_callback(fact);
        match &fact.what {
            What::AgentInvited { attempt, agent } => {
                self.ringing.insert(*attempt, agent.clone());
            }
            What::Ring => {
                self.ring.get_or_insert(at);
            }
            What::AgentAnswered { attempt, agent } => {
                self.ringing.remove(attempt);
                // That of a transfer, or of one who is called into the talk, has the caller when the fact of that follows.
                if self.transfer().is_none_or(|parked| parked.everybody) && !self.added.has(*attempt) {
                    self.end_last_transfer(at);
                    self.answers.push(Answer { at, attempt: *attempt, who: Callee::Agent(agent.clone()), left: None });
                }
            }
            What::TransferStarted { attempt, .. } | What::Parked { attempt, .. } => {
                self.transfers.push(Transfer { attempt: *attempt, from: at, to: None, everybody: false });
            }
            What::Unparked { attempt, agent: Some(agent), .. } => {
                self.end_last_transfer(at);
                self.answers.push(Answer { at, attempt: *attempt, who: Callee::Agent(agent.clone()), left: None });
            }
            What::Unparked { agent: None, .. } => {
                self.transfers.last_mut().into_iter().for_each(|parked| parked.everybody = true);
            }
            What::TransferCompleted { attempt, to } => {
                self.end_transfer(*attempt, at);
                self.answers.push(Answer { at, attempt: *attempt, who: to.clone(), left: None });
            }
            What::TransferFailed { attempt, .. } => self.end_transfer(*attempt, at),
            What::AgentLeft { attempt, .. } => {
                if let Some(answer) = self.answers.iter_mut().find(|answer| answer.attempt == *attempt) {
                    answer.left = Some(at);
                }
            }
            What::Connected => {
                self.connected.get_or_insert(at);
            }
            What::PlayStarted { play, prompt, agent, late } => {
                let (prompt, agent) = (prompt.clone(), agent.clone());
                self.plays.push(PlaySpan { play: *play, prompt, agent, late: *late, from: at, to: None });
            }
            What::HoldStarted { by } if self.open_hold(*by).is_none() => {
                self.holds.push(Hold { by: *by, from: at, to: None });
            }
            What::HoldEnded { by } => {
                if let Some(hold) = self.open_hold(*by) {
                    hold.to = Some(at);
                }
            }
            What::OneWayAudio { leg, for_ms, .. } => self.leg(*leg).one_way.begin(at.mono_ns, *for_ms),
            What::OneWayAudioEnded { leg, .. } => self.leg(*leg).one_way.end(at.mono_ns),
            What::Ended { reason, by } => {
                self.caller.one_way.end(at.mono_ns);
                self.agent.one_way.end(at.mono_ns);
                self.ended = Some(Ended { at, reason: *reason, by: *by });
            }
            _ => {}
        }
    }

    /// Facts of a call to somebody of the list of callbacks alone.
    fn push_callback(&mut self, fact: &Fact) {
        let at = fact.at;
        match &fact.what {
            What::AgentWaits { attempt, agent } => {
                self.ringing.remove(attempt);
                self.waits = Some(agent.clone());
            }
            What::CallerInvited => {
                self.called.get_or_insert(at);
            }
            What::CallerReleased { result, .. } => self.in_vain = Some(*result),
            What::CallerAnswered { attempt, agent } => {
                self.waits = None;
                self.answers.push(Answer { at, attempt: *attempt, who: Callee::Agent(agent.clone()), left: None });
            }
            _ => {}
        }
    }

    /// Facts that may also follow the end.
    fn push_always(&mut self, fact: &Fact) {
        match &fact.what {
            What::AgentReleased { attempt, .. } => {
                self.ringing.remove(attempt);
            }
            What::PlayEnded { play, to_end } => {
                if let Some(span) = self.plays.iter_mut().rfind(|span| span.play == *play && span.to.is_none()) {
                    span.to = Some((fact.at, *to_end));
                }
            }
            What::Media { leg: Side::Caller, received } => self.caller.received = Some(*received),
            What::Media { leg: Side::Agent, received } => self.agent.received = Some(*received),
            What::MediaMeasured { leg: Side::Caller, heard } => self.caller.heard = Some(heard.clone()),
            What::MediaMeasured { leg: Side::Agent, heard } => self.agent.heard = Some(heard.clone()),
            // Next came after this one.
            What::MediaOfLeft { attempt, received, heard }
                if self.answers.last().is_some_and(|answer| answer.attempt == *attempt) =>
            {
                self.agent.received = Some(*received);
                self.agent.heard.clone_from(heard);
            }
            What::RemoteQuality { leg, report } => self.leg(*leg).reports.push((**report).clone()),
            What::RecordingStarted { path } => {
                self.recording.path = Some(path.clone());
                self.recording.status = RecordingStatus::Pending;
            }
            What::RecordingPaused { by } => {
                if let Some(from_ms) = self.connected.and_then(|connected| fact.at.millis_since(connected)) {
                    self.recording.blanked.push(Blanked { by: *by, from_ms, to_ms: None });
                }
            }
            What::RecordingResumed { by } => {
                let to_ms = self.connected.and_then(|connected| fact.at.millis_since(connected));
                let open = |blanked: &&mut Blanked| blanked.to_ms.is_none() && is_keys(blanked.by) == is_keys(*by);
                self.recording.blanked.iter_mut().rev().find(open).into_iter().for_each(|open| open.to_ms = to_ms);
            }
            What::RecordingClosed { status, reason, duration_ms, sha256, parts } => {
                self.recording = Recording {
                    path: self.recording.path.take(),
                    status: *status,
                    reason: reason.clone(),
                    duration_ms: Some(*duration_ms),
                    sha256: sha256.clone(),
                    parts: parts.clone(),
                    blanked: std::mem::take(&mut self.recording.blanked),
                };
            }
            What::ListeningStarted => self.listening_open = true,
            What::Listened { listening, .. } => {
                self.listening_open = false;
                self.listening.clone_from(listening);
            }
            What::Interrupted => self.interrupted = true,
            _ => {}
        }
    }

    fn leg(&mut self, side: Side) -> &mut Leg {
        match side {
            Side::Caller => &mut self.caller,
            Side::Agent => &mut self.agent,
        }
    }

    fn open_hold(&mut self, by: Side) -> Option<&mut Hold> {
        self.holds.iter_mut().find(|hold| hold.by == by && hold.to.is_none())
    }

    /// The one that is under way.
    fn transfer(&self) -> Option<&Transfer> {
        self.transfers.last().filter(|transfer| transfer.to.is_none())
    }

    fn end_last_transfer(&mut self, at: Stamp) {
        let open = self.transfers.last_mut().filter(|transfer| transfer.to.is_none());
        open.into_iter().for_each(|open| open.to = Some(at));
    }

    fn end_transfer(&mut self, attempt: u32, at: Stamp) {
        let mut open = self.transfers.iter_mut().filter(|transfer| transfer.to.is_none());
        if let Some(transfer) = open.find(|transfer| transfer.attempt == attempt) {
            transfer.to = Some(at);
        }
    }

    /// The answer that counts: the first that was passed on (a live call: that is being passed on).
    fn answer(&self) -> Option<&Answer> {
        match self.outcome() {
            None | Some(Outcome::Answered) => self.answers.first(),
            Some(_) => None,
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        let ended = self.ended?;
        let passed_on = self.passed_on_at();
        Some(match ended.reason.class() {
            // The reason itself says that the caller was first, even if the agent's 2xx crossed.
            Class::Abandoned if passed_on.is_none_or(|at| caller_was_first(ended, at)) => self.abandoned(ended),
            _ if passed_on.is_some() && self.answers.is_empty() => Outcome::Overflow,
            _ if passed_on.is_some() => Outcome::Answered,
            Class::Answered if ended.by == EndedBy::Caller => self.abandoned(ended),
            Class::Rejected => Outcome::Rejected,
            Class::Answered | Class::Abandoned | Class::Failed | Class::AsItWas => Outcome::Failed,
        })
    }

    /// When an answer (an agent's, or a target's in an agent's place) had reached the caller: both the 2xx was there and the
    /// caller was connected.
    fn passed_on_at(&self) -> Option<Stamp> {
        let first = self.answers.first().map(|answer| answer.at);
        let answer = first.or_else(|| self.way.taken_at())?;
        let connected = self.connected?;
        Some(if answer.mono_ns > connected.mono_ns { answer } else { connected })
    }

    fn abandoned(&self, ended: Ended) -> Outcome {
        match ended.at.millis_since(self.offered_at) {
            Some(wait_ms) if wait_ms < self.offered.answer.short_abandon_ms => Outcome::ShortAbandoned,
            _ => Outcome::Abandoned,
        }
    }

    fn ring_to_answer_ns(&self) -> Option<u64> {
        let answer = self.answer().filter(|_| self.is_callers())?;
        self.ring.map_or(Some(0), |ring| answer.at.nanos_since(ring))
    }

    /// The same, where a hotline's rule says how soon an answer is due.
    fn hotlines_ring_ns(&self) -> Option<u64> {
        self.ring_to_answer_ns().filter(|_| self.kind() == CallKind::Offered)
    }

    /// floor((answered or ended − ring) / period) + 1. An answer that came before *ring* makes it 0: none was heard.
    fn rings(&self) -> Option<u32> {
        let until = self.answered_or_ended().filter(|_| self.is_callers())?;
        let Some(ring) = self.ring else { return Some(0) };
        let ns = until.nanos_since(ring)?;
        if until.mono_ns < ring.mono_ns {
            return Some(0);
        }
        Some(self.offered.answer.rings(ns))
    }

    fn answered_or_ended(&self) -> Option<Stamp> {
        let taken = || self.way.taken_at().filter(|_| self.passed_on_at().is_some());
        self.answer().map(|answer| answer.at).or_else(taken).or_else(|| self.ended_at())
    }

    fn left_within_target(&self) -> Option<bool> {
        let left = matches!(self.outcome(), Some(Outcome::Abandoned | Outcome::ShortAbandoned));
        (left && self.kind() == CallKind::Offered)
            .then(|| self.rings())
            .flatten()
            .map(|rings| !self.offered.answer.is_late(rings))
    }

    fn wait_ms(&self) -> Option<u64> {
        let until = self.answered_or_ended().filter(|_| self.is_callers())?;
        until.millis_since(self.offered_at)
    }

    fn talk_ms(&self) -> Option<u64> {
        let talked_to = self.talked_to()?;
        let Some(answer) = self.answer() else { return Some(0) };
        Some(talked_to.nanos_since(answer.at)?.saturating_sub(self.held_ns(answer.at, talked_to)?) / NS_PER_MS)
    }

    fn hold_ms(&self) -> Option<u64> {
        let talked_to = self.talked_to()?;
        let Some(answer) = self.answer() else { return Some(0) };
        Some(self.held_ns(answer.at, talked_to)? / NS_PER_MS)
    }

    /// The end of an ended call, but for its survey.
    fn talked_to(&self) -> Option<Stamp> {
        let ended = self.ended_at()?;
        Some(self.after.surveyed_at().unwrap_or(ended))
    }

    /// How long at least one hold or transfer lasted within `from` → `to`.
    fn held_ns(&self, from: Stamp, to: Stamp) -> Option<u64> {
        from.nanos_since(to)?;
        let transfers = self.transfers.iter().map(|transfer| (transfer.from, transfer.to));
        let holds = self.holds.iter().map(|hold| (hold.from, hold.to)).chain(transfers);
        let mut spans: Vec<(u64, u64)> = holds.filter(|(start, _)| start.run == from.run).map(ns_span).collect();
        spans.sort_unstable();
        let (mut held, mut covered_to) = (0, from.mono_ns);
        for (start, end) in spans {
            let (start, end) = (start.max(covered_to), end.min(to.mono_ns));
            held += end.saturating_sub(start);
            covered_to = covered_to.max(end);
        }
        Some(held)
    }

    /// One for each agent who had the caller. What a target had is in `target_segments`.
    fn segments(&self) -> Vec<Segment> {
        let Some(connected) = self.connected else { return Vec::new() };
        let segment = |(who, from, to): (Callee, Stamp, Option<Stamp>)| {
            let Callee::Agent(agent) = who else { return None };
            let (talk_ms, hold_ms) = self.shares(from, to).unzip();
            let (from_ms, to_ms) = (from.millis_since(connected), to.and_then(|to| to.millis_since(connected)));
            Some(Segment { agent, from_ms, to_ms, talk_ms, hold_ms })
        };
        self.stretches().filter_map(segment).collect()
    }

    fn target_segments(&self) -> Vec<TargetSegment> {
        let Some(connected) = self.connected else { return Vec::new() };
        // One that took the call in an agent's place has it to the end.
        let overflow = matches!(self.outcome(), None | Some(Outcome::Overflow)) && self.answers.is_empty();
        let taken = self.way.taken_by_target().filter(|_| overflow);
        let first = taken.map(|(at, target)| (Callee::Target(target.clone()), at, self.ended_at()));
        let segment = |(who, from, to): (Callee, Stamp, Option<Stamp>)| {
            let Callee::Target(target) = who else { return None };
            let (talk_ms, hold_ms) = self.shares(from, to).unzip();
            let (from_ms, to_ms) = (from.millis_since(connected), to.and_then(|to| to.millis_since(connected)));
            Some(TargetSegment { target, from_ms, to_ms, talk_ms, hold_ms })
        };
        first.into_iter().chain(self.stretches()).filter_map(segment).collect()
    }

    /// Who had the caller, from when, and to the instant at which the next one had, or at which this one left or the call ended.
    fn stretches(&self) -> impl Iterator<Item = (Callee, Stamp, Option<Stamp>)> {
        let answered = self.answer().is_some();
        let ends = self.answers.iter().skip(1).map(|next| Some(next.at)).chain([self.ended_at()]);
        let stretch = |(answer, end): (&Answer, Option<Stamp>)| (answer.who.clone(), answer.at, answer.left.or(end));
        self.answers.iter().filter(move |_| answered).zip(ends).map(stretch)
    }

    /// Talk and hold within `from` → `to` in milliseconds; `None` while it lasts.
    fn shares(&self, from: Stamp, to: Option<Stamp>) -> Option<(u64, u64)> {
        let to = to?;
        let held_ns = self.held_ns(from, to)?;
        Some((to.nanos_since(from)?.saturating_sub(held_ns) / NS_PER_MS, held_ns / NS_PER_MS))
    }

    fn greeting(&self) -> Option<Greeting> {
        let span = self.plays.iter().find(|span| span.play == Play::Greeting)?;
        let answered = self.answers.first().map(|answer| answer.at);
        let due = self.connected.into_iter().chain(answered).max_by_key(|at| at.mono_ns);
        Some(Greeting {
            text: span.prompt.clone(),
            agent_no: span.agent.clone(),
            late: span.late,
            started_after_connect_ms: due.and_then(|due| span.from.millis_since(due)),
            played_to_end: match (span.to, self.ended) {
                (Some((_, to_end)), _) => Some(to_end),
                (None, Some(_)) => Some(false),
                (None, None) => None,
            },
        })
    }

    fn played(&self) -> Vec<Played> {
        let from_connected = |at: Stamp| self.connected.and_then(|connected| at.millis_since(connected));
        let one = |span: &PlaySpan| {
            let stopped = span.to.map(|(at, _)| at);
            let to = stopped.into_iter().chain(self.ended_at()).min_by_key(|at| at.mono_ns);
            Played {
                prompt: span.prompt.clone(),
                from_ms: from_connected(span.from),
                to_ms: to.and_then(from_connected),
            }
        };
        self.plays.iter().map(one).collect()
    }

    fn callback(&self) -> Option<Owed> {
        let (rule, ended) = (self.offered.callback?, self.ended?);
        let why = owed::why(self.outcome()?, ended.reason, self.way.closed, self.way.left_message())?;
        let due_us = i64::try_from(rule.within_ms * 1_000).unwrap_or(i64::MAX);
        let due_at = Time(Wall::from_micros(ended.at.wall_us.saturating_add(due_us)));
        Some(Owed { why, due_at, attempts: rule.attempts })
    }

    fn quality(&self) -> Quality {
        let (connected, ended, interrupted) = (self.connected.is_some(), self.ended.is_some(), self.interrupted);
        let played = |span: &PlaySpan| span.to.and_then(|(to, _)| to.millis_since(span.from));
        let played_ms = self.plays.iter().filter_map(played).sum();
        let about = About { connected, ended, interrupted, talk_ms: self.talk_ms(), played_ms };
        let Fold { caller, agent, .. } = self;
        Quality { caller: caller.quality(agent, about), agent: agent.quality(caller, about) }
    }
}

/// Whether a caller who gave up did so before the answer was passed on. Receive stamps are the kernel's, so a CANCEL
/// can be older than a 200 that was written before the CANCEL was read.
fn caller_was_first(ended: Ended, passed_on: Stamp) -> bool {
    ended.reason == Reason::CrossedCancel || ended.at.mono_ns < passed_on.mono_ns
}

fn time(at: Stamp) -> Time {
    Time(at.wall())
}

fn ns_span((from, to): (Stamp, Option<Stamp>)) -> (u64, u64) {
    (from.mono_ns, to.map_or(u64::MAX, |to| to.mono_ns))
}

/// The end of the last permitted burst, from *ring*: 11 s for three rings of `cn`.
fn strict_ns(rule: &AnswerRule) -> u64 {
    let periods = u64::from(rule.max_rings.saturating_sub(1));
    periods.saturating_mul(rule.period_ms).saturating_add(rule.burst_ms).saturating_mul(NS_PER_MS)
}

fn no_recording() -> Recording {
    let (parts, blanked) = (Vec::new(), Vec::new());
    Recording {
        path: None,
        status: RecordingStatus::None,
        reason: None,
        duration_ms: None,
        sha256: None,
        parts,
        blanked,
    }
}

/// A pause by a person and stretches by keys may lie over each other.
fn is_keys(by: PausedBy) -> bool {
    by == PausedBy::Digits
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
