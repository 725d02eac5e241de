//! The SIP-neutral vocabulary between the legs: what a call is told, and what it orders. `gateway` translates both ways.

use std::sync::Arc;
use std::time::Duration;

use super::fact::{
    Fact, KeyPath, PausedBy, RecordedPart, RecordingStatus, RefusedTransfer, RingResult, Signal, Supervision,
};
use super::privacy::Private;
use crate::clock::Now;
pub use crate::ids::Callee;
use crate::ids::{AgentNo, Side, TargetName};
use crate::media::{Audible, Clip, Hears, OneWayBy, Play, Stretch};
use crate::protocol::rtp::Received;
use crate::protocol::sip::voice_quality::Report;
use crate::quality::speech::Listening;
use crate::quality::{Heard, Line, Upset};

/// What the listener heard, or why it heard nothing.
pub type Listened = Result<Box<Listening>, &'static str>;

/// What happened. The instant that goes with it is the receive stamp of the message, or the write instant for `Sent`.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The caller's ports are open.
    CallerReady,
    /// They could not be opened.
    CallerNotReady,
    /// The ports toward this attempt's phone are open (or not).
    AgentReady {
        attempt: u32,
    },
    AgentNotReady {
        attempt: u32,
    },
    /// A message of ours was written.
    Sent(Sent),
    /// The caller left before our final response.
    CallerLeft,
    CallerAcknowledged,
    /// The caller's ACK never came; BYE has been sent.
    CallerNeverAcknowledged,
    AgentRinging {
        attempt: u32,
    },
    /// The agent's 2xx, with media that we can carry.
    AgentAnswered {
        attempt: u32,
    },
    AgentFailed {
        attempt: u32,
        result: RingResult,
        status: Option<u16>,
    },
    /// The phone of this attempt's agent asks us to hand the caller on. Whoever was consulted is at hand for the next attempt.
    Transfer {
        attempt: u32,
        to: Callee,
        consulted: Consulted,
    },
    /// Another agent has picked up the phone that rings; the answer comes next.
    PickedUp {
        attempt: u32,
        agent: AgentNo,
    },
    /// A supervisor has dialled in; the port of this attempt is about to be open.
    Supervise {
        attempt: u32,
        by: AgentNo,
        mode: Supervision,
    },
    /// The agent's code: this one is to be called into the talk.
    Add {
        by: AgentNo,
        to: Callee,
    },
    /// The agent's code: the caller waits in this slot.
    Park {
        slot: u8,
    },
    /// This agent has dialled in for the parked caller; the port of this attempt is about to be open.
    TakeParked {
        attempt: u32,
        agent: AgentNo,
    },
    /// Of somebody who takes part beside caller and agent.
    Beside {
        attempt: u32,
        does: Beside,
    },
    /// The agent of this attempt goes on with another phone.
    PhoneReplaced {
        attempt: u32,
    },
    /// A REFER that nobody may make, or to nobody whom we call. That of an agent's attempt is to be answered.
    TransferRefused {
        attempt: Option<u32>,
        why: RefusedTransfer,
    },
    /// The leg of one who has handed the caller on is closed.
    LegLeft {
        attempt: u32,
        received: Received,
        heard: Option<Box<Heard>>,
    },
    /// Of a call that an agent made: whoever was called has come over into another call of that agent.
    CalleeMoved,
    /// BYE.
    HungUp {
        side: Side,
    },
    /// Of a callback: the caller's side sent 18x.
    CallerRings,
    /// Of a callback: its 2xx, with media that we can carry.
    CallerAnswered,
    /// Of a callback: the caller was called in vain.
    CallerFailed {
        result: RingResult,
        status: Option<u16>,
    },
    /// An agent whom this call waits for has become free.
    AgentFree,
    /// The peer has lost the session.
    Lost {
        side: Side,
    },
    /// A re-INVITE holds us, or stops holding us.
    Held {
        by: Side,
        held: bool,
    },
    /// A key was pressed and let go.
    Key {
        side: Side,
        key: char,
        duration: Duration,
        via: KeyPath,
    },
    /// For the ladder.
    Signal(Box<Signal>),
    /// What a peer said of the cause of what comes next.
    Explained {
        side: Side,
        reason: Option<String>,
        retry_after_s: Option<u32>,
    },
    /// A peer's voice quality report.
    Reported {
        side: Side,
        report: Box<Report>,
    },
    Media(Media),
    RecordingClosed {
        status: RecordingStatus,
        reason: Option<String>,
        duration_ms: u64,
        sha256: Option<String>,
        parts: Vec<RecordedPart>,
    },
    /// The recording is to be silence from now on, or no longer.
    PauseRecording {
        paused: bool,
        by: PausedBy,
    },
    /// The recording that is closed next will be listened to.
    ListeningStarted,
    Listened(Listened),
    LedgerDelayed,
    /// The gateway stops: end the call now.
    Shutdown,
}

/// What somebody does who takes part beside caller and agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    HangsUp,
    IsLost,
    Presses(char),
    /// Nothing came for [`crate::limits::MEDIA_LOST`].
    FallsSilent,
    IsHeard,
}

/// Whether the agent has called the one to whom the caller is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consulted {
    No,
    /// That phone still rings.
    Rings,
    Talks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The first 180 to the caller.
    Ring,
    /// 200 to the caller.
    Answer,
    /// A final failure to the caller.
    Rejection,
    /// The INVITE to an agent's phone.
    Invite { attempt: u32 },
    /// The INVITE to a caller who is called back.
    CallerInvite,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Media {
    FirstPacket {
        side: Side,
    },
    /// The first sample of our ringing tone went to the caller.
    RingbackStarted,
    /// Nothing came for [`crate::limits::MEDIA_LOST`].
    Silent {
        side: Side,
    },
    Resumed {
        side: Side,
    },
    OneWay {
        side: Side,
        by: OneWayBy,
        lasted: Duration,
    },
    OneWayEnded {
        side: Side,
        by: OneWayBy,
    },
    Upset {
        side: Side,
        upset: Upset,
    },
    /// For so long, until now, this phone sent no sound on purpose.
    Rested {
        side: Side,
        lasted: Duration,
    },
    /// What the two were in the last second.
    Heard {
        caller: Stretch,
        agent: Stretch,
    },
    PlayStarted {
        play: Play,
    },
    PlayEnded {
        play: Play,
        to_end: bool,
    },
    /// The caller's keys begin to blank the recording, or no longer do.
    Blanked {
        on: bool,
    },
    /// Ten seconds of this side's stream.
    Interval {
        side: Side,
        line: Line,
    },
    /// All of it.
    Measured {
        side: Side,
        heard: Box<Heard>,
    },
    Closed {
        side: Side,
        received: Received,
    },
}

/// What a leg is told of why it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// The other person hung up.
    HungUp,
    /// Another phone took the call: no missed call.
    Elsewhere,
    /// Something was waited for in vain.
    TimedOut,
    /// Nothing.
    Silent,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Action {
    Fact(Fact),
    OpenCaller,
    /// 180 to the caller.
    Ring,
    /// 183 to the caller with our media, and the ringing tone of this cadence.
    Ringback {
        burst: Duration,
        period: Duration,
    },
    /// 180 to the phone of this attempt, which has dialled in.
    RingPhone {
        attempt: u32,
    },
    /// The final response to that phone when nobody was reached.
    RejectPhone {
        attempt: u32,
        status: u16,
    },
    /// The caller is called, through the trunk that the call came by.
    InviteCaller,
    /// The phone of this attempt, which has nobody yet, hears this ringing tone.
    RingInEar {
        attempt: u32,
        burst: Duration,
        period: Duration,
    },
    /// 200 to the caller, with the media that attempt's agent agreed to.
    AnswerCaller {
        attempt: u32,
    },
    /// 200 to the caller, with nobody on the other side.
    AnswerAlone,
    /// The caller is connected, with nobody; soft notes are heard.
    Attend {
        connected: Now,
    },
    RejectCaller {
        status: u16,
        retry_after_s: Option<u32>,
    },
    HangUpCaller {
        parting: Parting,
    },
    OpenAgent {
        attempt: u32,
        agent: AgentNo,
    },
    InviteAgent {
        attempt: u32,
        agent: AgentNo,
    },
    /// As `OpenAgent` and `InviteAgent`; the target's leg goes on as an agent's.
    OpenTarget {
        attempt: u32,
        target: TargetName,
    },
    InviteTarget {
        attempt: u32,
    },
    /// CANCEL or BYE, whichever is due, and its media closed.
    ReleaseAgent {
        attempt: u32,
        parting: Parting,
    },
    /// 200 to the phone that has dialled in as this attempt.
    AcceptPhone {
        attempt: u32,
    },
    /// This attempt, which is called now, will take part beside caller and agent: what it does is not what the agent does.
    SetBeside {
        attempt: u32,
    },
    /// This attempt takes part beside caller and agent, heard by these.
    Admit {
        attempt: u32,
        audible: Audible,
    },
    /// Plays this to the phone of this attempt, which takes part, and to nobody else.
    Tell {
        attempt: u32,
        audio: Arc<[i16]>,
    },
    /// The final response to the REFER of this attempt's phone.
    AnswerRefer {
        attempt: u32,
        status: u16,
    },
    /// Tells that phone how its transfer stands.
    Notify {
        attempt: u32,
        status: u16,
    },
    /// The caller is with nobody, and hears this.
    Park {
        hears: Hears,
    },
    /// The agent's voice is kept from the caller, or passed on again.
    Mute {
        muted: bool,
    },
    /// A port for the phone that moves over from another call.
    OpenMoved {
        attempt: u32,
    },
    /// It is told to send there.
    MoveAgent {
        attempt: u32,
    },
    /// Joins caller and attempt, for the first time or (after `Park`) again.
    Bridge {
        attempt: u32,
        connected: Now,
    },
    Play {
        play: Play,
        audio: Clip,
    },
    /// For the agent's ear alone.
    Cue {
        audio: Arc<[i16]>,
    },
    /// Both hear, beside each other, that they are recorded.
    Warn,
    /// What is being played ends.
    Hush,
    /// What is heard of the two is to be told.
    Listen,
    /// Opens the recording at this path under the data directory.
    Record {
        path: String,
    },
    /// For the media thread: what may not be heard in the recording.
    Private(Private),
    CloseMedia {
        ended: Now,
    },
    /// Nothing more will come of this call.
    Sealed,
}
