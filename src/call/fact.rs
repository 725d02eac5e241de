//! Facts: what happened in a call, in order, each with its stamp. One writer: [`super::Call`].
//!
//! Everything that is ever said of a call (record, metrics, report, verdicts) is computed from these. A fact states what
//! was seen or done, never a figure that can be computed. Parameters a figure depends on are pinned in `Offered`, so an
//! old call keeps its meaning when the dialplan changes.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::choice::Choice;
use super::leg::Callee;
use super::reason::{EndedBy, Reason};
use super::script::{Cue, Deed, Script, Speaker};
use crate::clock::Stamp;
use crate::dialplan::courtesies::Said;
use crate::ids::{AgentNo, CallId, HotlineId, Side, SubjectId, TargetName, TrunkName};
use crate::media::{OneWayBy, Play};
use crate::protocol::rtp::Received;
use crate::protocol::sip::voice_quality::Report;
use crate::quality::speech::Listening;
use crate::quality::{Heard, Line, Upset};

/// One fact of one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    pub call: CallId,
    /// Order within the call, from 0 without gaps.
    pub n: u32,
    pub at: Stamp,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum What {
    /// A complete INVITE from a known trunk for a number that a dialplan owns. Always the first fact.
    /// `at` is the kernel's receive stamp. With `calls_back` nobody called: the gateway began to call (the stamp of the order). With
    /// `by_agent` the INVITE is that of an agent's phone, and no hotline's caller called.
    Offered(Box<Offered>),
    /// A SIP message of this call was written or read; for the ladder only, nothing is computed from it.
    Signal(Box<Signal>),
    /// The INVITE to this agent's phone was written. `attempt` counts from 1 over the whole call.
    AgentInvited {
        attempt: u32,
        agent: AgentNo,
    },
    /// The agent's phone sent its first 18x (receive stamp).
    AgentRinging {
        attempt: u32,
        agent: AgentNo,
    },
    /// The ring of this agent's phone ended without being connected.
    AgentReleased {
        attempt: u32,
        agent: AgentNo,
        result: RingResult,
        status: Option<u16>,
    },
    /// No agent was left, and the INVITE to this target was first written. `attempt` goes on counting.
    TargetInvited {
        attempt: u32,
        target: TargetName,
    },
    /// The target's first 18x (receive stamp).
    TargetRinging {
        attempt: u32,
        target: TargetName,
    },
    /// The target was called in vain.
    TargetReleased {
        attempt: u32,
        target: TargetName,
        result: RingResult,
        status: Option<u16>,
    },
    /// The target's 2xx was read (receive stamp): the call is an overflow, and no agent's.
    TargetAnswered {
        attempt: u32,
        target: TargetName,
    },
    /// The first 180 to the caller was written (`ringback = network`), or the first sample of our ringing tone (`gateway`).
    Ring,
    /// The 2xx of the agent's phone was read (receive stamp), and it won.
    AgentAnswered {
        attempt: u32,
        agent: AgentNo,
    },
    /// Our 200 to the caller was written. The recording's time line begins here.
    Connected,
    /// The caller's ACK came. (A call whose ACK never comes ends with `no_ack`.)
    Acknowledged,
    /// A prompt's first sample went to the caller.
    PlayStarted {
        play: Play,
        prompt: String,
        agent: Option<AgentNo>,
        late: bool,
    },
    /// The prompt ended; `to_end` is false when the call ended first.
    PlayEnded {
        play: Play,
        to_end: bool,
    },
    HoldStarted {
        by: Side,
    },
    HoldEnded {
        by: Side,
    },
    /// The first valid RTP packet of this leg (receive stamp).
    MediaArrived {
        leg: Side,
    },
    /// Nothing came from this leg, which may send, for 10 s.
    MediaLost {
        leg: Side,
    },
    /// The first packet after that (receive stamp).
    MediaResumed {
        leg: Side,
    },
    /// For the last `for_ms` this person was not heard while the other one was, and nobody was on hold.
    OneWayAudio {
        leg: Side,
        by: OneWayBy,
        for_ms: u64,
    },
    /// Heard again, or nothing is to be heard (hold, prompt, transfer). A call may end before.
    OneWayAudioEnded {
        leg: Side,
        by: OneWayBy,
    },
    /// Another SSRC, a jump of timestamps, a clock that runs away: the first [`crate::limits::UPSETS`] of a leg.
    MediaUpset {
        leg: Side,
        #[serde(flatten)]
        upset: Upset,
    },
    /// A key was pressed; `at` is its begin (`rtp`) or the receive stamp of the message (`info`).
    Key {
        leg: Side,
        key: char,
        duration_ms: u64,
        via: KeyPath,
    },
    /// A recording file was opened; `path` is relative to the data directory.
    RecordingStarted {
        path: String,
    },
    /// The call is over: BYE, CANCEL or final error received or sent, whichever came first.
    Ended {
        reason: Reason,
        by: EndedBy,
    },
    /// Packet statistics of a leg's received stream, once, after `Ended`.
    Media {
        leg: Side,
        received: Received,
    },
    /// What this leg's received stream brought in the ten seconds before.
    MediaInterval {
        leg: Side,
        line: Line,
    },
    /// The measurement of this leg's received stream from its first packet on, once, after `Ended`.
    MediaMeasured {
        leg: Side,
        heard: Box<Heard>,
    },
    /// What the phone or trunk of this leg says of the call's quality (RFC 6035); the first [`crate::limits::QUALITY_REPORTS`] of
    /// a call. It may come after everything else.
    RemoteQuality {
        leg: Side,
        report: Box<Report>,
    },
    /// The recording was closed (or lost). After it a call is sealed.
    RecordingClosed {
        status: RecordingStatus,
        reason: Option<String>,
        duration_ms: u64,
        sha256: Option<String>,
        /// Every file, in order, of a recording that has more than one; `sha256` is the first one's.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<RecordedPart>,
    },
    /// Written by recovery at start, never by a live call: the process died with this call in progress. The fact
    /// `Ended` before it carries the stamp of the last fact or audio block on disk.
    Interrupted,
    /// What a peer said of the cause of its BYE, CANCEL or failure (Reason, RFC 3326), or when to come back (Retry-After).
    Explained {
        leg: Side,
        reason: Option<String>,
        retry_after_s: Option<u32>,
    },
    /// The agent's phone asked us to hand the caller on (REFER, receive stamp), and that was granted: the caller is with nobody now.
    /// `attended`: the two had talked before, and nobody is rung.
    TransferStarted {
        attempt: u32,
        by: AgentNo,
        to: Callee,
        attended: bool,
    },
    /// From now on this one has the caller.
    TransferCompleted {
        attempt: u32,
        to: Callee,
    },
    /// Next took the caller, who is back with the agent who had asked, unless that one has left.
    TransferFailed {
        attempt: u32,
        result: RingResult,
        status: Option<u16>,
    },
    /// A REFER was refused.
    TransferRefused {
        by: Side,
        why: RefusedTransfer,
    },
    /// So many more were refused, beyond those that have a fact each; once, when the call ends.
    MoreTransfersRefused {
        count: u32,
    },
    /// An agent who had the caller is out of the call before anybody else has the caller.
    AgentLeft {
        attempt: u32,
        agent: AgentNo,
    },
    /// The agent who has the caller goes on with another phone, which asked for that (INVITE with Replaces, receive stamp).
    PhoneReplaced {
        attempt: u32,
        agent: AgentNo,
    },
    /// What the leg of one who had the caller and handed on received, and its measurement, when it was closed.
    MediaOfLeft {
        attempt: u32,
        received: Received,
        heard: Option<Box<Heard>>,
    },
    /// The call came to this step of its dialplan. `takes`: nobody comes after it, and whoever hangs up in it was served.
    Step {
        step: String,
        does: StepKind,
        takes: bool,
    },
    /// Everybody was busy, and the caller waits; `position` counts from 1.
    Queued {
        position: u32,
    },
    /// The tone is over: what the caller says from now on is the message.
    MessageStarted,
    MessageEnded {
        by: MessageEnd,
    },
    /// The hotline was not open when the call was offered, and the call took another way than usual.
    Closed {
        why: ClosedWhy,
        /// The holiday's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holiday: Option<String>,
    },
    /// The dialplan's calendar tells nothing of the year: holidays were not known, and the day counted as an ordinary one.
    CalendarUncovered {
        calendar: String,
    },
    /// The greeting that has just begun also says that the call is recorded; `version`: of that notice.
    Noticed {
        version: String,
    },
    /// Of a caller who has just been queued: before others, or back at a place held less than a minute ago.
    Placed {
        /// Higher is sooner served.
        priority: u32,
        /// How long ago that place was first taken; null: the caller is new.
        waited_ms: Option<u64>,
    },
    /// The ledger could not keep up while this call was live; facts were delayed, none was lost.
    LedgerDelayed,
    /// This agent is rung next (of those who are rung together: the first of them), and why. The ring itself is `AgentInvited`.
    Chosen {
        attempt: u32,
        #[serde(flatten)]
        choice: Box<Choice>,
    },
    /// The agent's voice is kept from the caller, by the agent's keys. It is recorded, and no hold.
    MuteStarted,
    /// A call may end before.
    MuteEnded,
    /// This agent answers the ring of a colleague's phone (receive stamp); `AgentAnswered` follows.
    PickedUp {
        attempt: u32,
        agent: AgentNo,
        from: AgentNo,
    },
    /// From here on the recording is silence on both channels, and no key is in any fact. A call may end before that is over.
    RecordingPaused {
        by: PausedBy,
    },
    RecordingResumed {
        by: PausedBy,
    },
    /// The caller wants no recording: what there was of it is deleted. `RecordingClosed` follows.
    OptedOut,
    /// The recording that is closed next will be listened to: the call is sealed when `Listened` is there too.
    ListeningStarted,
    /// What the listener heard in the recording.
    Listened {
        /// Why there is nothing: `unreadable`, `no_facts`, `listener_silent`, `crash`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        listening: Option<Box<Listening>>,
    },
    /// A step of a script of the dialplan: something was said, or the agent was told to say it, or the script is over.
    Scripted {
        script: Script,
        deed: Deed,
        by: Speaker,
    },
    /// The agent was told something by a tone that the caller does not hear; not `sounded`: the phone holds and takes no sound.
    Cued {
        cue: Cue,
        sounded: bool,
    },
    /// Somebody hung up in a talk, and so long before the last word of each was heard; null: none was. By what is known then, which is up to
    /// a second less than what was said; `ended` follows.
    Parted {
        by: Side,
        caller_quiet_ms: Option<u64>,
        agent_quiet_ms: Option<u64>,
    },
    /// The agent sent the caller to a desk of the dialplan by a key; `agent_left` and `step` follow.
    SentToDesk {
        why: SentFor,
        agent: AgentNo,
    },
    /// A supervisor has dialled into the talk with the agent who has the caller; `attempt` goes on counting.
    SupervisionStarted {
        attempt: u32,
        by: AgentNo,
        mode: Supervision,
    },
    /// By a key of the supervisor's.
    SupervisionChanged {
        attempt: u32,
        by: AgentNo,
        mode: Supervision,
    },
    SupervisionEnded {
        attempt: u32,
        by: AgentNo,
        why: BesideEnd,
    },
    /// The agent has left, and the caller is asked so many questions.
    SurveyStarted {
        questions: u32,
        by: SurveyBy,
    },
    /// `question` counts from 1; `grade` from 1, very satisfied, to 4, poor.
    SurveyGraded {
        question: u32,
        grade: u32,
    },
    SurveyEnded {
        by: SurveyEnd,
    },
    /// Of what class the call is. The last one counts, and an agent's before a menu's.
    Classed {
        class: String,
        by: ClassedBy,
    },
    /// The agent calls somebody into the talk by a code; the ring has facts of its own.
    AddStarted {
        attempt: u32,
        by: AgentNo,
        to: Callee,
    },
    /// From now on all three hear each other. If the agent leaves first, `agent_left` and `transfer_completed` follow.
    Added {
        attempt: u32,
        who: Callee,
    },
    /// Next came.
    AddFailed {
        attempt: u32,
        result: RingResult,
        status: Option<u16>,
    },
    /// The two are alone again, or the call ends.
    AddedLeft {
        attempt: u32,
        who: Callee,
        why: BesideEnd,
    },
    /// The agent parked the caller by a code; `agent_left` follows. The caller is with nobody until `unparked`.
    Parked {
        attempt: u32,
        agent: AgentNo,
        slot: u8,
    },
    /// This agent has the caller from now on, by this attempt; null: nobody came, and everybody is rung as at the begin.
    Unparked {
        attempt: u32,
        agent: Option<AgentNo>,
        how: Unparked,
    },
    /// The agent's phone has held the caller for `hold.ring_s` and is rung again by this attempt. If that is answered, the agent goes on
    /// with the caller by it.
    HolderRung {
        attempt: u32,
        agent: AgentNo,
    },
    /// In an emergency the 2xx of this phone was read (receive stamp); others ring on until somebody confirms.
    AskedToConfirm {
        attempt: u32,
        who: Callee,
    },
    /// By a key this one has taken the call; `agent_answered` or `target_answered` follows.
    Confirmed {
        attempt: u32,
        who: Callee,
    },
    /// For the last `for_ms` this phone sent comfort noise (RFC 3389) instead of sound, or left the pause out and nothing was lost; from
    /// [`crate::quality::SHORTEST_REST`] on, the first [`crate::limits::RESTS`] of a leg.
    Rested {
        leg: Side,
        for_ms: u64,
    },
    /// By a key the agent had the gateway say a text of the dialplan to the caller; `play_started` follows if there is a recording.
    SaidForAgent {
        said: Said,
        agent: AgentNo,
    },
    /// Of a callback: the 2xx of the agent's phone was read (receive stamp), and the caller is called next. Of an agent's call to a
    /// number outside: the agent's own INVITE, which was taken.
    AgentWaits {
        attempt: u32,
        agent: AgentNo,
    },
    /// Of a callback: the INVITE to the caller was first written.
    CallerInvited,
    /// Of a callback: the first 18x of the caller's side (receive stamp).
    CallerRinging,
    /// Of a callback: the caller's 2xx was read (receive stamp), and this agent has the caller; `connected` follows.
    CallerAnswered {
        attempt: u32,
        agent: AgentNo,
    },
    /// Of a callback: the caller was called in vain.
    CallerReleased {
        result: RingResult,
        status: Option<u16>,
    },
}

/// How a parked caller came to somebody again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unparked {
    PickedUp,
    /// The agent who had parked the call was rung.
    RungBack,
    NobodyCame,
}

/// What a supervisor does in a talk: who hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supervision {
    /// 监听: nobody.
    Listen,
    /// The agent alone.
    Whisper,
    /// Both; it is recorded as what the caller heard.
    Barge,
}

/// Why somebody takes part no longer beside caller and agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BesideEnd {
    /// Hung up.
    Left,
    /// That agent and the caller talk no more.
    TalkOver,
    /// Nothing came from that phone for [`crate::limits::MEDIA_TIMEOUT`].
    NoMedia,
    /// The session of that phone was lost.
    Lost,
}

/// How the agent left the caller to a survey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SurveyBy {
    HangUp,
    Code,
}

/// How a survey ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SurveyEnd {
    /// Every question was answered.
    Complete,
    /// A question was not.
    NoGrade,
    /// The caller hung up, or the call was cut.
    HungUp,
}

/// Who told a call's class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassedBy {
    /// The caller, by a key.
    Menu,
    /// By a code in the talk.
    Agent,
}

/// One file of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedPart {
    pub duration_ms: u64,
    /// Lower-case hex, of the whole file.
    pub sha256: String,
}

/// Why a stretch of a recording is silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// The agent's code or keys.
    Agent,
    Api,
    /// Digits that the caller keyed; from a little before the first to some time after the last.
    Digits,
}

/// Why a caller was sent to a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentFor {
    Nuisance,
    WrongNumber,
    Emergency,
    /// Of somebody who is not there: the caller leaves a message.
    PersonSought,
}

/// What a step of a dialplan does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    Ring,
    Call,
    Say,
    Menu,
    Message,
    Cascade,
}

/// Why a hotline takes no calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedWhy {
    /// `[outage]` is active.
    Outage,
    Hours,
    Holiday,
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageEnd {
    HangUp,
    Key,
    TooLong,
}

/// Why a REFER was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedTransfer {
    /// To somebody who is neither an agent nor a target of the configuration (403): nobody else is ever called.
    NotListed,
    /// The trunk's side may not hand its call on (403).
    FromTrunk,
    /// The call that was to be taken over is not the agent's own, or not answered (403).
    NoConsultation,
    /// The call is not yet connected, or handed on already (491).
    NotNow,
    /// The call has been handed on [`crate::limits::TRANSFERS`] times, or that was tried (403).
    TooMany,
    /// Calls of this class are not handed on: `[transfer]` asks for a ticket, or to tell the number (403).
    Policy,
}

/// What stands for the caller's number in a [`Signal`].
pub const CALLER: &str = "{caller}";

/// The last [`Signal::message`] of a call with too many of them.
pub const NO_MORE_SIGNALS: &str = "(further messages are not kept)";

/// A SIP message, as its call's ladder shows it. The caller's number is never in it, only [`CALLER`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    pub leg: Side,
    pub sent: bool,
    /// Method and Request-URI, or status, reason phrase and method.
    pub message: String,
    /// Whose phone, of the agents' side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// A retransmission.
    #[serde(default, skip_serializing_if = "is_false")]
    pub again: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// What the body is, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offered {
    pub hotline: HotlineId,
    pub trunk: TrunkName,
    /// The hotline's number as dialled.
    pub called: String,
    /// As the trunk wrote it, if it was normalised to another form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_received: Option<String>,
    pub caller: SubjectId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_received: Option<SubjectId>,
    /// The Call-ID of the trunk's leg.
    pub sip_call_id: String,
    /// Hash of the dialplan that this call is handled by, from start to end.
    pub dialplan: String,
    pub answer: AnswerRule,
    /// `[callback]`: a caller who reaches nobody is owed a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<CallbackRule>,
    /// By the dialplan a colleague calls (`greeting.internal_callers`), who is greeted as such.
    #[serde(default, skip_serializing_if = "is_false")]
    pub internal: bool,
    /// The call is one that the gateway makes; absent: a caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_back: Option<CallsBack>,
    /// The call is one that an agent makes; absent: a caller's, or one that the gateway makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_agent: Option<AgentsCall>,
}

impl Offered {
    /// No caller began the call: it is no hotline's offered one.
    pub fn is_apart(&self) -> bool {
        self.calls_back.is_some() || self.by_agent.is_some()
    }
}

/// A call that an agent makes by the agent's own phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AgentsCall {
    /// A colleague is called, or a target of the configuration: the agent is the caller, and no hotline has a part in it.
    Internal { agent: AgentNo, to: Callee },
    /// A number outside is called, by the `[outbound]` of a hotline: whoever has that number is the caller in every fact, as in a
    /// callback, and `caller` stands for the number.
    Outbound {
        agent: AgentNo,
        /// The minutes of talk that this agent had a month, in ms; absent: no bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quota_ms: Option<u64>,
    },
}

impl AgentsCall {
    /// Who calls.
    pub fn agent(&self) -> &AgentNo {
        match self {
            AgentsCall::Internal { agent, .. } | AgentsCall::Outbound { agent, .. } => agent,
        }
    }
}

/// A call to a caller of the list of callbacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsBack {
    /// The call by which the list names its entry.
    pub entry: CallId,
    /// Whose phone is rung first.
    pub agent: AgentNo,
}

/// The parameters of `[callback]` that the list of callbacks depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackRule {
    pub within_ms: u64,
    pub attempts: u32,
}

/// The parameters of `[answer]` that the record's figures depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRule {
    pub max_rings: u32,
    /// The ring period: `cn` is 5,000 ms.
    pub period_ms: u64,
    /// How long the burst at the start of a period sounds: `cn` is 1,000 ms.
    pub burst_ms: u64,
    pub short_abandon_ms: u64,
    pub ringback: RingSource,
}

impl AnswerRule {
    /// The ring that sounds this long after *ring*, counted from 1: exactly three periods is the fourth.
    pub fn rings(&self, since_ring_ns: u64) -> u32 {
        let period_ns = self.period_ms.max(1) * 1_000_000;
        u32::try_from(since_ring_ns / period_ns + 1).unwrap_or(u32::MAX)
    }

    /// An answer in that ring gets the late greeting.
    pub fn is_late(&self, rings: u32) -> bool {
        rings > self.max_rings
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingSource {
    Network,
    Gateway,
}

/// How we learnt of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPath {
    /// RFC 4733.
    Rtp,
    /// A SIP INFO.
    Info,
}

/// How an agent's ring ended when it was not connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingResult {
    /// `ring_s` passed.
    NoAnswer,
    /// 486, 600.
    Busy,
    /// 603 and other refusals by a person.
    Declined,
    /// 404, 480, 5xx, no answer to the INVITE at all, transport errors.
    Unreachable,
    /// Another agent won.
    LostRace,
    /// The caller left first.
    CallerLeft,
    /// We had no port or could not send.
    Fault,
    /// In an emergency somebody, or a mailbox, picked up and did not confirm.
    Unconfirmed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingStatus {
    Pending,
    Ok,
    Partial,
    None,
}
