//! Media of a call: what the gateway orders, what the media threads report. Pure: knows no SIP and no socket.
//!
//! A *leg* owns one RTP port pair. A *bridge* joins a caller's leg and an agent's leg, plays prompts into them, and taps
//! both onto one time line for the recorder. `io::rtp` owns the bound sockets and drives these machines.

mod about;
#[cfg(test)]
mod appendix_i_tests;
#[cfg(test)]
mod attended_tests;
mod beep;
mod blanking;
mod bridge;
#[cfg(test)]
mod carrying_tests;
mod clip;
mod coder;
mod conceal;
mod conference;
#[cfg(test)]
mod conference_tests;
mod control;
mod crossing;
mod cue;
#[cfg(test)]
mod cue_tests;
mod decoded;
mod hold;
#[cfg(test)]
mod hold_tests;
mod jitter_buffer;
pub mod keying;
mod level;
mod listener;
pub mod negotiate;
mod one_way;
#[cfg(test)]
mod one_way_tests;
mod placing;
mod playout;
mod ports;
mod pressing;
#[cfg(test)]
mod pressing_tests;
#[cfg(test)]
mod privacy_tests;
pub mod record;
mod ringback;
#[cfg(test)]
mod ringing_tests;
mod session;
pub mod sound_file;
mod stream;
mod stretch;
mod tap;
#[cfg(test)]
mod tests;
mod transmit;
mod unit;
mod watchdog;
pub mod wav;

pub use about::About;
pub use beep::beep;
pub use bridge::{Bridge, Counters, Recorded, Scratch};
pub use clip::Clip;
pub use conference::Audible;
pub use cue::cue_tone;
pub use jitter_buffer::Buffered;
pub use level::Live;
pub use one_way::By as OneWayBy;
pub use ports::Ports;
pub use stretch::Stretch;
pub use transmit::{Component, Transmit};

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Now;
use crate::ids::{CallId, LegId, Side};
use crate::protocol::audio::g711::Law;
use crate::protocol::rtp::Received;
use crate::protocol::rtp::event::Stroke;
use crate::quality::{Heard, Line, Upset};

/// Samples a second of everything in this module but the sound of wideband calls, which has twice as many.
pub const SAMPLE_RATE_HZ: u32 = crate::protocol::rtp::CLOCK_RATE_HZ;

/// The audio codecs that we carry. Payload types are the static ones of RFC 3551.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    Pcma,
    Pcmu,
    /// 64 kbit/s; 16 kHz, though its RTP clock says 8,000 (RFC 3551 section 4.5.2).
    G722,
}

impl Codec {
    /// RFC 3551 table 4.
    pub fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
        }
    }

    /// The law of G.711; `None`: another codec.
    pub fn law(self) -> Option<Law> {
        match self {
            Codec::Pcma => Some(Law::A),
            Codec::Pcmu => Some(Law::Mu),
            Codec::G722 => None,
        }
    }

    /// 16 kHz, not 8.
    pub fn is_wideband(self) -> bool {
        self == Codec::G722
    }
}

/// What was played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Play {
    Greeting,
    Announcement,
    Menu,
    /// That all are busy, and the caller's place.
    Queue,
    /// What comes before and after a message.
    Message,
    /// The tone before a message.
    Beep,
    /// What a script of the dialplan has to say in a talk: silence, noise, a hold.
    Script,
}

/// What a caller hears who is with nobody, while no prompt is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hears {
    Nothing,
    /// Two soft notes every six seconds.
    Notes,
    /// The ringing tone: `burst` on, then silence up to `period`. Reported by [`Event::RingbackStarted`].
    Ringing {
        burst: Duration,
        period: Duration,
    },
}

/// Where a leg's media goes and what it is, by offer and answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The connection address and port of the peer's SDP.
    pub rtp: SocketAddr,
    /// Addresses whose packets are taken: that of the SDP and the one signalling came from. The first valid packet from one
    /// of them latches its port (symmetric RTP); after that every other source is foreign.
    pub allowed: Vec<IpAddr>,
    pub codec: Codec,
    /// The codec's payload type as this peer numbers it, in both directions: 8 for PCMA unless it mapped another.
    pub payload_type: u8,
    /// Payload type of RFC 4733 events, as this peer numbers it in both directions; `None`: not negotiated.
    pub telephone_event: Option<u8>,
    /// The packet length that it wishes, in ms (`ptime`, within `maxptime`); `None`: any.
    pub packet_ms: Option<u8>,
    /// The keys of SRTP; `None`: in the clear.
    pub srtp: Option<keying::Secured>,
    /// Payload type of comfort noise (RFC 3389), if the peer takes it.
    pub comfort_noise: Option<u8>,
    /// Whether we may send to this peer (false: it holds us, `sendonly` or `inactive`).
    pub send: bool,
    /// Whether the peer may send to us.
    pub receive: bool,
}

/// What the gateway orders a media thread to do. Orders of one call go to one thread, in order.
#[derive(Debug, Clone)]
pub enum Command {
    /// Binds `local` (RTP, even) and the odd port above it (RTCP). Answered by [`Event::Bound`] or [`Event::BindFailed`].
    Open { call: CallId, leg: LegId, side: Side, local: SocketAddr },
    /// Sets or changes the peer of a leg (answer received, re-INVITE). One that is not to be sent to holds the other, who
    /// hears a soft tone then.
    Remote { leg: LegId, remote: Remote },
    /// Plays the ringing tone of ITU-T E.180 to the caller until the legs are joined: `burst` on, then silence up to `period`.
    /// Reported by [`Event::RingbackStarted`].
    Ringback { leg: LegId, burst: Duration, period: Duration },
    /// From now on the two legs are one call: relay both ways; the time line of the tap begins at `connected`. Joined legs
    /// are joined anew: another agent, or the same one after `Park`; tap and recording go on.
    /// `record`: blocks go to the recorder.
    Bridge { call: CallId, caller: LegId, agent: LegId, connected: Now, record: bool },
    /// Plays a prompt to the caller; meanwhile the agent's voice does not reach the caller (but is recorded), the caller's
    /// voice reaches the agent, and the agent hears the prompt 12 dB down. Reported by `PlayStarted` and `PlayEnded`. A wideband caller
    /// hears and records what the prompt has at 16 kHz.
    Play { call: CallId, play: Play, audio: Clip },
    /// The caller's leg is a call with nobody on the other side, parked until the first `Bridge`: soft notes are heard, prompts
    /// can be played, and the time line of the tap begins at `connected`. `record`: blocks go to the recorder.
    Attend { call: CallId, caller: LegId, connected: Now, record: bool },
    /// Until the next `Bridge` the caller of this call is with nobody; nothing of the agent is passed on or recorded. A prompt
    /// that is being played ends.
    Park { call: CallId, hears: Hears },
    /// The agent's voice does not reach the caller any more, who hears soft notes; it is recorded. Or that is over. It ends with the next
    /// `Bridge` or `Park` too.
    Mute { call: CallId, muted: bool },
    /// The recording is silence on both channels from `at` on, or again what is heard.
    Pause { call: CallId, paused: bool, at: Now },
    /// Keys that the caller presses from now on blank the recording until `after` the last of them, until the next `Park`. Reported
    /// by `Blanked`.
    GuardKeys { call: CallId, after: Duration },
    /// The caller has pressed a key in another way than by RTP.
    Keyed { call: CallId, at: Now },
    /// No recording of this call is wanted, nor what there is of it.
    Unrecord { call: CallId },
    /// Plays this to the agent alone, in the place of what it covers of the caller's voice only where that is mixed: the caller
    /// hears and records nothing of it. Nothing happens while a prompt is played, or to an agent who holds.
    Cue { call: CallId, audio: Arc<[i16]> },
    /// Half a second of 1,400 Hz beside the voices, heard by both and recorded. Nothing happens while something else is played, nor in
    /// a hold or with a third.
    Warn { call: CallId },
    /// Presses keys toward the peer of this leg, who hears nothing else while one is down: by RFC 4733, or as tones if it knows no events.
    Press { leg: LegId, strokes: Arc<[Stroke]> },
    /// The prompt that is being played ends now.
    Hush { call: CallId },
    /// From now on what is heard of the two is told by [`Event::Heard`], recorded or not.
    Listen { call: CallId },
    /// From now on this open leg takes part beside the two who are joined, and hears them and whoever else takes part; or it is heard
    /// by others than before. It goes by `CloseLeg`, or takes the agent's place by `Bridge`.
    Admit { call: CallId, leg: LegId, audible: Audible },
    /// Plays this to somebody who takes part beside the two, over what that one hears; nobody else hears it.
    Tell { call: CallId, leg: LegId, audio: Arc<[i16]> },
    /// Stops and forgets one leg whose agent did not win, or has left the call. Answered by [`Event::Closed`].
    CloseLeg { leg: LegId },
    /// Ends the call's media; the recording's last sample is that of `ended`. Answered by one [`Event::Closed`] for each of its legs,
    /// bridged or not; the port of each goes to quarantine then.
    CloseCall { call: CallId, ended: Now },
}

/// What a media thread reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Bound {
        call: CallId,
        leg: LegId,
    },
    BindFailed {
        call: CallId,
        leg: LegId,
        error: String,
    },
    /// The first valid packet of a leg; `at` is the kernel's receive stamp.
    FirstPacket {
        call: CallId,
        leg: LegId,
        at: Now,
    },
    /// Neither RTP nor RTCP came from a leg that may send for [`crate::limits::MEDIA_LOST`]; `at` is when that was full.
    Silent {
        call: CallId,
        leg: LegId,
        at: Now,
    },
    /// The first packet after [`Event::Silent`]; `at` is the kernel's receive stamp.
    Resumed {
        call: CallId,
        leg: LegId,
        at: Now,
    },
    /// For `lasted` this person was not heard while the other one was; only the sound of recorded calls is looked at.
    OneWay {
        call: CallId,
        leg: LegId,
        by: OneWayBy,
        lasted: Duration,
        at: Now,
    },
    /// That is over, or a hold, a prompt or a transfer began.
    OneWayEnded {
        call: CallId,
        leg: LegId,
        by: OneWayBy,
        at: Now,
    },
    /// The sender's stream changed as no network changes it; the first [`crate::limits::UPSETS`] of a leg.
    Upset {
        call: CallId,
        leg: LegId,
        upset: Upset,
        at: Now,
    },
    /// For so long a joined leg's peer sent comfort noise instead of sound, or left the pause out and nothing was lost; from
    /// [`crate::quality::SHORTEST_REST`] on, the first [`crate::limits::RESTS`] of a leg.
    Rested {
        call: CallId,
        leg: LegId,
        lasted: Duration,
        at: Now,
    },
    /// Voice is heard on a leg of a recorded call again, or has not been for five seconds; `at` is on the recording's time line.
    Voice {
        call: CallId,
        leg: LegId,
        live: Live,
        at: Now,
    },
    /// What the two were in the last second, or since they were told last: a voice that begins is told at once. `at` is where
    /// that ends, on the recording's time line.
    Heard {
        call: CallId,
        caller: Stretch,
        agent: Stretch,
        at: Now,
    },
    /// The first sample of our ringing tone was sent.
    RingbackStarted {
        call: CallId,
        leg: LegId,
        at: Now,
    },
    /// The prompt's first sample was sent.
    PlayStarted {
        call: CallId,
        play: Play,
        at: Now,
    },
    PlayEnded {
        call: CallId,
        play: Play,
        at: Now,
        to_end: bool,
    },
    /// A key was pressed and let go (RFC 4733); `at` is the arrival of its first packet.
    Key {
        call: CallId,
        leg: LegId,
        key: char,
        duration: Duration,
        at: Now,
    },
    /// The caller's keys begin to blank the recording, or no longer do. A call may end before.
    Blanked {
        call: CallId,
        on: bool,
        at: Now,
    },
    /// What a joined leg brought in the last ten seconds.
    Interval {
        call: CallId,
        leg: LegId,
        at: Now,
        line: Line,
    },
    /// What a leg that was joined brought from its first packet on; right before [`Event::Closed`].
    Measured {
        call: CallId,
        leg: LegId,
        heard: Box<Heard>,
    },
    /// The leg's sockets are closed.
    Closed {
        call: CallId,
        leg: LegId,
        received: Received,
    },
}

/// A stretch of both channels, in order and without gaps for one call: frame `first_frame` is that many samples of `rate_hz`
/// after *connected*. Left is the caller as received; right the agent as received plus what the gateway played to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub call: CallId,
    pub first_frame: u64,
    /// 8,000, or 16,000 if a leg was wideband when the two were joined; the same in all blocks of a call.
    pub rate_hz: u32,
    /// Interleaved: left, right, left, …
    pub samples: Vec<i16>,
}

/// The way to the recorder. `Err(block)` when its queue is full: counted by the caller, never waited for.
pub trait BlockSink: Send {
    fn block(&mut self, block: Block) -> Result<(), Block>;
    /// No more blocks of this call: close its file.
    fn end(&mut self, call: CallId, total_frames: u64);
    /// What there is of this call is to be deleted, and nothing more will come.
    fn forget(&mut self, call: CallId);
}
