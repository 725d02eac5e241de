//! The call record as users script against it: names, units and meanings are those of the contract and stay.
//!
//! Every field is always present in JSON; `null` means unknown or not applicable. Durations are whole milliseconds,
//! rounded down, from the monotonic clock; dates are UTC with milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::after::Survey;
use super::called_back::CalledBack;
use super::kind::{ByAgent, CallKind};
use super::owed::Owed;
use super::{Added, Attempt, Fold, Supervised};
use crate::call::fact::{ClosedWhy, Fact, PausedBy, RecordedPart, RecordingStatus, RingSource, StepKind};
use crate::call::reason::{EndedBy, Reason};
use crate::clock::Wall;
use crate::ids::{AgentNo, CallId, HotlineId, TargetName, TrunkName};
use crate::protocol::rtp::xr::VoipMetrics;
use crate::protocol::sip::voice_quality::Report;
use crate::quality::speech::Listening;
use crate::quality::{Decoded, Delay, Figures, Sent, Status};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub id: CallId,
    pub hotline: HotlineId,
    pub trunk: TrunkName,
    pub called: String,
    /// As the trunk wrote it, if `called` is that in E.164.
    pub called_received: Option<String>,
    /// The caller's number. The store joins it; null when it was withheld or has been erased.
    pub caller: Option<String>,
    /// As the trunk wrote it, if `caller` is that in E.164. The store puts it where the subject's id stands.
    pub caller_received: Option<String>,
    /// The first agent who answered.
    pub agent: Option<AgentNo>,
    /// The target that took the call when no agent did.
    pub target: Option<TargetName>,
    /// The step that took the call when no agent did.
    pub step: Option<String>,
    pub segments: Vec<Segment>,
    /// Every ring of a phone, in order.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// The parts that targets had: one to whom the caller was handed on, or who took the call in an agent's place.
    #[serde(default)]
    pub target_segments: Vec<TargetSegment>,
    /// Only offered calls are counted as a hotline's.
    #[serde(default)]
    pub kind: CallKind,
    /// Null while the call is in progress.
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    pub ended_by: Option<EndedBy>,
    /// A crash cut this call.
    pub interrupted: bool,
    pub offered_at: Time,
    pub ring_at: Option<Time>,
    pub answered_at: Option<Time>,
    pub connected_at: Option<Time>,
    pub ended_at: Option<Time>,
    /// 0 if the agent's 2xx came before *ring*; null if no agent answered.
    pub ring_to_answer_ms: Option<u64>,
    /// Rings begun until the answer or the end; 0 if there was no *ring*; null while nobody has answered yet.
    pub rings: Option<u32>,
    pub ring_source: RingSource,
    /// Answered before the end of the last permitted burst (R-001 read strictly); null if no agent answered.
    pub answered_within_strict: Option<bool>,
    /// `rings <= max_rings` of the dialplan this call was handled by; null if no agent answered.
    pub answered_within_target: Option<bool>,
    /// The caller left before an agent answered, and the rings had not yet been more than `max_rings`; null: did not leave so.
    #[serde(default)]
    pub left_within_target: Option<bool>,
    /// `short_abandon_ms` of that dialplan; null: a record of an older version.
    #[serde(default)]
    pub short_abandon_ms: Option<u64>,
    pub wait_ms: Option<u64>,
    /// Answered → ended (or the survey) without holds; 0 if no agent answered; null while in progress.
    pub talk_ms: Option<u64>,
    /// Time in which either person was held; null while in progress.
    pub hold_ms: Option<u64>,
    pub holds: u32,
    pub duration_ms: Option<u64>,
    pub greeting: Option<Greeting>,
    pub played: Vec<Played>,
    /// The named steps of the dialplan that the call came to, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Why the hotline took no calls when this one was offered; null: it did.
    #[serde(default)]
    pub closed: Option<ClosedWhy>,
    /// The version of the notice of recording that the greeting began to say; null: none.
    #[serde(default)]
    pub notice: Option<String>,
    /// Null if the caller never had to wait for an agent to be free.
    pub queue: Option<Queue>,
    /// The message that the caller left: a stretch of the recording.
    pub message: Option<Message>,
    /// By the caller's key in a menu or the agent's code; null: nobody told.
    #[serde(default)]
    pub class: Option<String>,
    /// How the caller graded after the talk; null: was not asked.
    #[serde(default)]
    pub survey: Option<Survey>,
    /// The caller reached nobody and is to be called back; null: is not, or the dialplan has no `[callback]`.
    #[serde(default)]
    pub callback: Option<Owed>,
    /// Nobody called: the gateway called a caller of the list of callbacks; null: an offered call of the hotline. *Offered* is the
    /// moment of the order then, and what waits and rings of a caller are told by is null.
    #[serde(default)]
    pub called_back: Option<CalledBack>,
    /// An agent made the call; null: no agent did. Of a call to a number outside, waits and rings are null and `caller` is that number.
    #[serde(default)]
    pub by_agent: Option<ByAgent>,
    /// Who listened to the call, whispered or broke in.
    #[serde(default)]
    pub supervised: Vec<Supervised>,
    /// Whom an agent called into the talk, while all three were there. What one had of the caller alone is a segment.
    #[serde(default)]
    pub added: Vec<Added>,
    pub recording: Recording,
    /// What can be heard in the recording; null: nobody listened to it.
    #[serde(default)]
    pub listening: Option<Box<Listening>>,
    pub quality: Quality,
    pub dialplan_version: String,
    pub rule_pack: Option<String>,
    pub verdicts: Vec<Verdict>,
}

impl Record {
    /// The record of one call from its facts in order; `None` if they do not begin with `offered`.
    pub fn from_facts(facts: &[Fact]) -> Option<Record> {
        let (first, rest) = facts.split_first()?;
        let mut fold = Fold::begin(first)?;
        rest.iter().for_each(|fact| fold.push(fact));
        Some(fold.record())
    }
}

/// A word of a closed list, as it stands in records, metrics and reports.
pub trait Word: Copy + 'static {
    const ALL: &'static [Self];
    fn word(self) -> &'static str;
}

/// An enum whose variants are the words of a closed list.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)* }

        impl $crate::cdr::Word for $name {
            const ALL: &'static [$name] = &[$($name::$variant),*];

            fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::cdr::Word::word(*self))
            }
        }
    };
}
pub(crate) use words;

impl Word for EndedBy {
    const ALL: &'static [EndedBy] = &EndedBy::ALL;

    fn word(self) -> &'static str {
        self.as_str()
    }
}

words! {
    /// What became of an offered call. At all times offered = these six + calls in progress.
    Outcome {
        /// An agent's 2xx was passed on before the caller cancelled.
        Answered "answered",
        /// The caller left first, before `short_abandon_ms`.
        ShortAbandoned "short_abandoned",
        /// The caller left first.
        Abandoned "abandoned",
        /// A step that is no agent took the call.
        Overflow "overflow",
        /// Final error by policy.
        Rejected "rejected",
        /// Next could take it, or a fault.
        Failed "failed",
    }
}

words! {
    /// Whether a leg's quality is known.
    QualityStatus {
        /// Measured and scored, if its codec has a score.
        Rated "rated",
        /// Next answered: there was nothing to hear.
        Unanswered "unanswered",
        /// The talk was too short for a score.
        Short "short",
        /// This person was not heard, or hardly, while the other one was.
        OneWay "one_way",
        /// Too few packets for a score.
        LowSample "low_sample",
        /// Counted only: a call of a version that made no scores.
        Measured "measured",
        /// Neither person sent a packet.
        NoMedia "no_media",
        /// The statistics come when the leg is closed.
        Pending "pending",
        /// A crash took the statistics with it.
        Unmeasured "unmeasured",
    }
}

impl From<Status> for QualityStatus {
    fn from(status: Status) -> QualityStatus {
        match status {
            Status::Unanswered => QualityStatus::Unanswered,
            Status::Short => QualityStatus::Short,
            Status::NoMedia => QualityStatus::NoMedia,
            Status::OneWay => QualityStatus::OneWay,
            Status::LowSample => QualityStatus::LowSample,
            Status::Rated => QualityStatus::Rated,
        }
    }
}

/// The part of a call that one agent had. Times count from *connected*, as in the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub agent: AgentNo,
    pub from_ms: Option<u64>,
    pub to_ms: Option<u64>,
    pub talk_ms: Option<u64>,
    pub hold_ms: Option<u64>,
}

impl Record {
    /// Who talked with the caller, from when to when.
    pub fn talks(&self) -> impl Iterator<Item = (AgentNo, Wall, Wall)> {
        let connected = self.connected_at.map(|at| at.0);
        self.segments.iter().filter_map(move |segment| {
            let at = |ms: u64| connected.map(|connected| connected + Duration::from_millis(ms));
            Some((segment.agent.clone(), at(segment.from_ms?)?, at(segment.to_ms?)?))
        })
    }
}

/// The part of a call that one target had; as [`Segment`], but nobody's talk is counted by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSegment {
    pub target: TargetName,
    pub from_ms: Option<u64>,
    /// Null while it lasts.
    pub to_ms: Option<u64>,
    pub talk_ms: Option<u64>,
    pub hold_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    pub text: String,
    pub agent_no: Option<AgentNo>,
    pub late: bool,
    /// From the later of *connected* and *answered* (normally *connected*) to the first sample.
    pub started_after_connect_ms: Option<u64>,
    /// Null while it plays.
    pub played_to_end: Option<bool>,
}

/// What the gateway played to the caller. Times count from *connected*, as in the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    pub prompt: String,
    pub from_ms: Option<u64>,
    /// Null while it plays.
    pub to_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub step: String,
    pub does: StepKind,
    /// Since *offered*.
    pub after_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// When the wait began, counted from 1.
    pub position: u32,
    /// Until an agent answered, the next step began or the call ended; null while it lasts.
    pub waited_ms: Option<u64>,
}

/// Times count from *connected*, as in the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub from_ms: Option<u64>,
    /// Null while it lasts.
    pub to_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// Relative to the data directory.
    pub path: Option<String>,
    pub status: RecordingStatus,
    pub reason: Option<String>,
    pub duration_ms: Option<u64>,
    pub sha256: Option<String>,
    /// Every file, if there is more than one: `<id>.wav`, `<id>.2.wav`, … on one time line. `sha256` is the first one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<RecordedPart>,
    /// What is silence on purpose, in order of its beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blanked: Vec<Blanked>,
}

/// Times count from *connected*, as in the recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blanked {
    pub by: PausedBy,
    pub from_ms: u64,
    /// Null: to the end.
    pub to_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    pub caller: LegQuality,
    pub agent: LegQuality,
}

/// The stream received from one person (RFC 3550 section 6.4.1) and how it would be heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LegQuality {
    #[serde(flatten)]
    pub figures: Figures,
    pub status: QualityStatus,
    /// Null: not counted.
    #[serde(default)]
    pub buffer: Option<Buffer>,
    /// What was sent to this person, as their phone or trunk reports it; null: it does not.
    #[serde(default)]
    pub sent: Option<Box<SentQuality>>,
    /// What their phone or trunk published of the call's quality (RFC 6035), in its own words.
    #[serde(default)]
    pub reports: Vec<Report>,
}

/// The stream toward one person by RTCP of its receiver. A relayed stream keeps the gaps that it came with: what was lost
/// before the gateway counts too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentQuality {
    /// `reported`: another's word, not measured here.
    pub status: ReportedStatus,
    /// Sent by us.
    pub packets: u64,
    /// Receiver reports and extended reports (RFC 3611) that came.
    pub reports: u64,
    pub extended_reports: u64,
    pub lost: i32,
    pub loss_ratio: Option<f64>,
    /// Between two reports, at the worst.
    pub loss_ratio_max: f64,
    pub jitter_ms: f64,
    pub jitter_max_ms: f64,
    pub rtt_ms: Option<f64>,
    /// By the E-model, from these figures; losses are taken to be random.
    pub r: Option<f64>,
    pub mos: Option<f64>,
    pub scale: Option<String>,
    pub mos_cq: Option<f64>,
    pub delay: Option<Delay>,
    pub codec: String,
    /// The peer's last extended report, in its own words.
    pub voip: Option<VoipMetrics>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedStatus {
    Reported,
}

impl SentQuality {
    pub(super) fn of(sent: &Sent) -> SentQuality {
        let score = sent.score();
        let ms = |us: u64| us as f64 / 1_000.0;
        SentQuality {
            status: ReportedStatus::Reported,
            packets: sent.packets,
            reports: sent.reports,
            extended_reports: sent.extended,
            lost: sent.lost,
            loss_ratio: sent.loss_ratio(),
            loss_ratio_max: f64::from(sent.worst_256) / 256.0,
            jitter_ms: ms(sent.jitter_us),
            jitter_max_ms: ms(sent.jitter_max_us),
            rtt_ms: sent.rtt_us.map(ms),
            r: score.map(|score| score.r_lq),
            mos: score.map(|score| score.mos_lq),
            scale: score.map(|score| score.scale.as_str().to_owned()),
            mos_cq: score.map(|score| score.mos_cq),
            delay: score.map(|score| score.delay),
            codec: sent.codec.clone(),
            voip: sent.voip,
        }
    }
}

/// What the gateway's own jitter buffer and concealment made of the stream: toward the other person where the legs differ
/// (else packets are passed on at once, and the first four are 0), and in the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffer {
    /// Packets that came after their sound was due.
    pub late: u64,
    /// Packets without room, and 10 ms that were left out to shorten the delay.
    pub discarded: u64,
    /// 10 ms that were put in to lengthen it.
    pub expanded: u64,
    pub concealed_ms: u64,
    pub recording_late_ms: u64,
    pub recording_concealed_ms: u64,
    /// How far this person's sound lay in the recording from where it came, at the worst, for ten seconds or more.
    #[serde(default)]
    pub recording_astray_ms: u64,
}

impl Buffer {
    pub(super) fn of(decoded: Decoded) -> Buffer {
        Buffer {
            late: decoded.late,
            discarded: decoded.discarded,
            expanded: decoded.expanded,
            concealed_ms: decoded.concealed_us / 1_000,
            recording_late_ms: decoded.recording_late_us / 1_000,
            recording_concealed_ms: decoded.recording_concealed_us / 1_000,
            recording_astray_ms: decoded.recording_astray_us / 1_000,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub rule: String,
    pub verdict: String,
    pub evidence: serde_json::Value,
}

/// A date of the record: RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Wall);

#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no RFC 3339 time")]
pub struct TimeError {
    pub text: String,
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| TimeError { text: text.to_owned() })?;
        Ok(Time(Wall::from_micros(time.as_microsecond())))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
