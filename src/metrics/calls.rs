//! Call metrics: a fold over the stream of facts of this run. Figures are those of the call record, computed by its
//! fold.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::counters::Direction;
use super::exemplars::Seen;
use super::registry::{Families, Sets, Whole};
use super::staffing::{Engaged, Staffing};
use super::table::{AgentCall, CallState, Id};
use crate::call::fact::{Fact, RecordingStatus, RingResult, SurveyEnd, What};
use crate::call::presence::AgentFact;
use crate::cdr::{CallKind, Fold, Outcome, Phase, QualityStatus, Record, Word};
use crate::clock::{Instant, Stamp};
use crate::ids::{AgentNo, CallId, HotlineId, Side};
use crate::protocol::rtp::Received;
use crate::quality::Heard;
use crate::rules::{Case, Pack, Rule, Watches};

/// Ended calls that wait for their measurements: a second's worth at 1,000 calls a second, and most have none to wait for.
const UNRATED: usize = 1_000;

/// Ended calls whose recording is still being closed.
const UNSEALED: usize = 10_000;

/// Rings whose end has not come yet; a call has few.
const RINGS: usize = 100_000;

/// Feed it every fact of this run, in order. Not those that recovery writes: for a call that a crash had cut, call
/// [`CallMetrics::interrupted`].
#[derive(Debug)]
pub struct CallMetrics {
    families: Families,
    sets: Sets,
    whole: Whole,
    live: BTreeMap<CallId, Box<Case>>,
    /// Ended calls whose recording is still open: the oldest give way, unjudged.
    unsealed: BTreeMap<CallId, Box<Case>>,
    pack: Arc<Pack>,
    /// The rules that have series.
    counted: Vec<Rule>,
    /// What is about to be broken.
    watches: Watches,
    /// Ended calls whose measurements are not both there: the oldest give way.
    unrated: BTreeMap<CallId, Fold>,
    /// Since when each attempt rings, and whose phone.
    rings: BTreeMap<(CallId, u32), (AgentNo, Stamp)>,
    /// Live calls of other kinds than a hotline's offered ones.
    apart: BTreeMap<CallId, Fold>,
    staffing: Staffing,
}

impl CallMetrics {
    pub(super) fn new(families: Families, sets: Sets, whole: Whole) -> CallMetrics {
        let (live, unrated, unsealed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (rings, pack) = (BTreeMap::new(), Pack::built_in());
        let staffing = Staffing::new(families.clone(), sets.clone());
        CallMetrics {
            families,
            sets,
            whole,
            live,
            unsealed,
            counted: pack.distinct().cloned().collect(),
            pack,
            watches: Watches::default(),
            unrated,
            rings,
            apart: BTreeMap::new(),
            staffing,
        }
    }

    pub fn fact(&mut self, fact: &Fact) {
        // Half of all facts, and no figure depends on them.
        if let What::Signal { .. } | What::MediaInterval { .. } | What::Chosen { .. } = fact.what {
            return;
        }

        let whole = self.whole.clone();
        let _held = whole.hold();
        if self.take_apart(fact) {
            return;
        }
        self.count_at_once(fact);
        self.watches.handle_fact(fact, &self.pack);
        self.count_ring(fact);
        self.rate(fact);
        self.seal(fact);
        let Some(mut case) = self.live.remove(&fact.call).or_else(|| self.begin(fact)) else { return };
        self.count_transfer(case.fold(), &fact.what);
        let (phase, engaged) = (case.fold().phase(), Engaged::of(case.fold()));
        case.push(fact);
        if case.fold().phase() != phase {
            self.shift_state(case.fold().hotline(), phase, -1);
            self.shift_state(case.fold().hotline(), case.fold().phase(), 1);
        }
        self.staffing.moved(&engaged, &Engaged::of(case.fold()));
        if case.fold().phase() == Phase::Ended {
            self.count_ended(case.fold());
            self.await_rating(case.fold().clone());
            self.await_seal(case);
        } else {
            self.live.insert(fact.call, case);
        }
    }

    /// When somebody is to be warned next.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.watches.poll_timeout()
    }

    /// Counts the warnings that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for (_, cue) in self.watches.handle_timeout(now) {
            self.families.add(Id::RuleCues, &[cue.word()], 1);
        }
    }

    /// Feed it every fact of agents too.
    pub fn agent_fact(&mut self, fact: &AgentFact) {
        self.staffing.fact(fact);
    }

    /// Shows the agents of the configuration that is in force.
    pub fn show_agents(&mut self) {
        self.staffing.show_all();
    }

    /// A call of an earlier run that a crash had cut was closed.
    pub fn interrupted(&mut self, hotline: &HotlineId) {
        self.families.add(Id::Interrupted, &[hotline.as_str()], 1);
    }

    /// A new call, counted as offered; its contribution to the gauges is withdrawn again by the caller.
    fn begin(&mut self, fact: &Fact) -> Option<Box<Case>> {
        let case = Case::begin(fact)?;
        let fold = case.fold();
        self.families.add(Id::CallsOffered, &[fold.hotline().as_str(), fold.trunk().as_str()], 1);
        self.shift_state(fold.hotline(), fold.phase(), 1);
        Some(Box::new(case))
    }

    /// Verdicts are final when the call is sealed.
    fn await_seal(&mut self, case: Box<Case>) {
        if case.fold().is_closed() {
            self.count_verdicts(&case);
            return;
        }
        if self.unsealed.len() >= UNSEALED {
            self.unsealed.pop_first();
        }
        self.unsealed.insert(case.fold().call(), case);
    }

    fn seal(&mut self, fact: &Fact) {
        let Some(case) = self.unsealed.get_mut(&fact.call) else { return };
        case.push(fact);
        if case.fold().is_closed()
            && let Some(case) = self.unsealed.remove(&fact.call)
        {
            self.count_verdicts(&case);
        }
    }

    fn count_verdicts(&self, case: &Case) {
        let record = case.fold().record();
        for rule in &self.counted {
            if let Some(judged) = case.judged_of(&record, &self.pack, rule) {
                self.families.add(Id::RuleChecks, &[&rule.id, judged.finding.word()], 1);
            }
        }
    }

    /// Facts that are figures by themselves and may follow the end of their call.
    fn count_at_once(&self, fact: &Fact) {
        match &fact.what {
            What::AgentReleased { agent, result, .. } => self.count_agent(agent, agent_call(*result)),
            // Nobody wanted one.
            What::RecordingClosed { reason, .. } if matches!(reason.as_deref(), Some("policy" | "opted_out")) => {}
            What::RecordingClosed { status, .. } => {
                let word = match status {
                    RecordingStatus::Ok => "ok",
                    RecordingStatus::Partial => "partial",
                    RecordingStatus::None | RecordingStatus::Pending => "none",
                };
                self.families.add(Id::Recordings, &[word], 1);
            }
            What::Media { leg, received } => self.count_received(*leg, received),
            What::MediaMeasured { leg, heard } => self.count_heard(*leg, heard, seen(fact)),
            What::OneWayAudio { leg, .. } => self.families.add(Id::OneWayTimes, &[leg.as_str()], 1),
            What::MediaUpset { leg, upset } => self.families.add(Id::MediaUpsets, &[leg.as_str(), upset.word()], 1),
            What::RemoteQuality { leg, .. } => self.families.add(Id::QualityReports, &[leg.as_str()], 1),
            What::MediaOfLeft { received, heard, .. } => {
                self.count_received(Side::Agent, received);
                heard.iter().for_each(|heard| self.count_heard(Side::Agent, heard, seen(fact)));
            }
            _ => {}
        }
    }

    fn count_received(&self, leg: Side, received: &Received) {
        let labels = [leg.as_str(), Direction::In.word()];
        self.families.add(Id::RtpPackets, &labels, received.packets);
        self.families.add(Id::RtpLost, &labels, received.lost);
    }

    /// The time that a phone rang.
    fn count_ring(&mut self, fact: &Fact) {
        match &fact.what {
            What::AgentInvited { attempt, agent } => {
                if self.rings.len() >= RINGS {
                    self.rings.pop_first();
                }
                self.rings.insert((fact.call, *attempt), (agent.clone(), fact.at));
            }
            What::AgentAnswered { attempt, .. }
            | What::AgentReleased { attempt, .. }
            | What::PickedUp { attempt, .. } => {
                let Some((agent, since)) = self.rings.remove(&(fact.call, *attempt)) else { return };
                let rang_ms = fact.at.millis_since(since).unwrap_or(0);
                self.families.add_ms(Id::AgentRing, &[self.sets.read().agent_label(&agent)], rang_ms);
            }
            _ => {}
        }
    }

    fn count_heard(&self, leg: Side, heard: &Heard, of: Seen) {
        let (leg, measured) = (leg.as_str(), &heard.measured);
        let labels = [leg, Direction::In.word()];
        self.families.add(Id::RtpBytes, &labels, measured.octets);
        self.families.add(Id::RtpReordered, &labels, measured.reordered);
        self.families.add(Id::RtpLate, &labels, measured.adaptive.discarded);
        let decoded = heard.decoded.unwrap_or_default();
        self.families.add(Id::BufferLate, &[leg], decoded.late);
        self.families.add(Id::BufferDiscarded, &[leg], decoded.discarded);
        self.families.add(Id::BufferExpanded, &[leg], decoded.expanded);
        self.families.add(Id::Concealed, &[leg, "leg"], decoded.concealed_us / 10_000);
        self.families.add(Id::Concealed, &[leg, "recording"], decoded.recording_concealed_us / 10_000);
        if let Some(ratio) = measured.loss_ratio() {
            self.families.observe_in(Id::RtpLossRatio, leg, ratio, of);
            self.families.observe_in(Id::RtpJitter, leg, measured.jitter.mean as f64 / 1e9, of);
        }
    }

    fn count_transfer(&self, fold: &Fold, what: &What) {
        let (result, count) = match what {
            // Of three one has left: nobody was handed on.
            What::TransferCompleted { attempt, .. } if fold.was_added(*attempt) => return,
            What::TransferCompleted { .. } => ("completed", 1),
            What::TransferFailed { .. } => ("failed", 1),
            What::TransferRefused { .. } => ("refused", 1),
            What::MoreTransfersRefused { count } => ("refused", u64::from(*count)),
            _ => return,
        };
        self.families.add(Id::Transfers, &[fold.hotline().as_str(), result], count);
    }

    fn await_rating(&mut self, fold: Fold) {
        if !fold.was_connected() {
            return;
        }
        if self.unrated.len() >= UNRATED {
            self.unrated.pop_first();
        }
        self.unrated.insert(fold.call(), fold);
    }

    /// Whether one was heard is known once both are measured.
    fn rate(&mut self, fact: &Fact) {
        let What::MediaMeasured { .. } = fact.what else { return };
        let Some(fold) = self.unrated.get_mut(&fact.call) else { return };
        fold.push(fact);
        if !fold.is_measured() {
            return;
        }
        let quality = fold.record().quality;
        self.unrated.remove(&fact.call);
        for (leg, of) in [(Side::Caller, quality.caller), (Side::Agent, quality.agent)] {
            let one_way = of.status == QualityStatus::OneWay;
            self.families.add(Id::OneWay, &[leg.as_str()], u64::from(one_way));
            if let Some(mos) = of.figures.mos.filter(|_| of.figures.scale.as_deref() == Some("nb")) {
                self.families.observe_in(Id::Mos, leg.as_str(), mos, seen(fact));
            }
        }
    }

    fn count_agent(&self, agent: &AgentNo, how: AgentCall) {
        self.families.add(Id::AgentCalls, &[self.sets.read().agent_label(agent), how.word()], 1);
    }

    fn count_ended(&self, fold: &Fold) {
        let record = fold.record();
        let hotline = record.hotline.as_str();
        let (Some(outcome), Some(ended)) = (record.outcome, fold.ended_at()) else { return };
        let of = Seen { call: fold.call(), wall_us: ended.wall_us };
        self.families.add(Id::Calls, &[hotline, outcome.word()], 1);
        if let Some(by) = record.ended_by {
            self.families.add(Id::Hangups, &[hotline, by.word()], 1);
        }
        self.families.add(Id::AnsweredWithinTarget, &[hotline], u64::from(record.answered_within_target == Some(true)));
        self.observe(Id::RingToAnswer, hotline, record.ring_to_answer_ms, of);
        match outcome {
            Outcome::Answered => self.observe(Id::CallDuration, hotline, record.duration_ms, of),
            Outcome::Abandoned | Outcome::ShortAbandoned => {
                self.observe(Id::TimeToAbandon, hotline, record.wait_ms, of);
            }
            Outcome::Overflow | Outcome::Rejected | Outcome::Failed => {}
        }
        self.observe(Id::GreetingDelay, hotline, record.greeting.as_ref().and_then(|g| g.started_after_connect_ms), of);
        fold.hold_lengths_ms().into_iter().for_each(|ms| self.observe(Id::HoldDuration, hotline, Some(ms), of));
        for segment in &record.segments {
            self.count_agent(&segment.agent, AgentCall::Answered);
            let sets = self.sets.read();
            let label = [sets.agent_label(&segment.agent)];
            self.families.add_ms(Id::AgentTalk, &label, segment.talk_ms.unwrap_or(0));
            self.families.add_ms(Id::AgentHold, &label, segment.hold_ms.unwrap_or(0));
        }
        self.count_after(&record);
        let in_vain = match outcome {
            Outcome::Abandoned | Outcome::ShortAbandoned => AgentCall::CallerLeft,
            Outcome::Answered | Outcome::Overflow | Outcome::Rejected | Outcome::Failed => AgentCall::Fault,
        };
        fold.answers_in_vain().for_each(|agent| self.count_agent(agent, in_vain));
    }

    /// What people said of the call, and what it leaves to be done.
    fn count_after(&self, record: &Record) {
        if let Some(survey) = &record.survey {
            let end = match survey.end {
                Some(SurveyEnd::Complete) => "complete",
                Some(SurveyEnd::NoGrade) => "no_grade",
                Some(SurveyEnd::HungUp) | None => "hung_up",
            };
            self.families.add(Id::Surveys, &[end], 1);
            for grade in survey.grades.iter().flatten() {
                self.families.add(Id::SurveyGrades, &[&grade.to_string()], 1);
            }
        }
        if let Some(owed) = record.callback {
            self.families.add(Id::CallbacksOwed, &[owed.why.word()], 1);
        }
    }

    /// Whether the fact is one of a live call that no caller made: of those only the sound is counted with that of other calls.
    fn take_apart(&mut self, fact: &Fact) -> bool {
        let begun = || matches!(&fact.what, What::Offered(offered) if offered.is_apart());
        let fold = self.apart.remove(&fact.call);
        let Some(mut fold) = fold.or_else(|| begun().then(|| Fold::begin(fact)).flatten()) else { return false };
        if !matches!(fact.what, What::AgentReleased { .. }) {
            self.count_at_once(fact);
        }
        let before = Engaged::of(&fold);
        fold.push(fact);
        self.staffing.moved(&before, &Engaged::of(&fold));
        if fold.phase() == Phase::Ended {
            self.count_apart(&fold.record());
            self.await_rating(fold);
        } else {
            self.apart.insert(fact.call, fold);
        }
        true
    }

    fn count_apart(&self, record: &Record) {
        let by_agent = record.by_agent.as_ref();
        if let Some(end) = record.called_back.as_ref().and_then(|back| back.end) {
            self.families.add(Id::CallbacksMade, &[end.word()], 1);
        }
        if let Some(end) = by_agent.and_then(|by| by.end) {
            self.families.add(Id::OutboundCalls, &[end.word()], 1);
            self.families.add_ms(Id::OutboundTalk, &[], record.talk_ms.unwrap_or(0));
        }
        if record.kind == CallKind::Internal
            && let Some(outcome) = record.outcome
        {
            self.families.add(Id::InternalCalls, &[outcome.word()], 1);
        }
    }

    fn observe(&self, id: Id, hotline: &str, ms: Option<u64>, of: Seen) {
        if let Some(ms) = ms {
            self.families.observe_in(id, hotline, ms as f64 / 1_000.0, of);
        }
    }

    fn shift_state(&self, hotline: &HotlineId, phase: Phase, by: i64) {
        let state = match phase {
            Phase::Ringing => CallState::Ringing,
            Phase::Greeting => CallState::Greeting,
            Phase::Talking => CallState::Talking,
            Phase::Hold => CallState::Hold,
            Phase::Ended => return,
        };
        self.families.shift(Id::CallsActive, &[hotline.as_str(), state.word()], by);
    }
}

fn seen(fact: &Fact) -> Seen {
    Seen { call: fact.call, wall_us: fact.at.wall_us }
}

fn agent_call(result: RingResult) -> AgentCall {
    match result {
        // A mailbox answers nobody's call.
        RingResult::NoAnswer | RingResult::Unconfirmed => AgentCall::NoAnswer,
        RingResult::Busy => AgentCall::Busy,
        RingResult::Declined => AgentCall::Declined,
        RingResult::Unreachable => AgentCall::Unreachable,
        RingResult::LostRace => AgentCall::LostRace,
        RingResult::CallerLeft => AgentCall::CallerLeft,
        RingResult::Fault => AgentCall::Fault,
    }
}
