//! RTP (RFC 3550) and its audio profile (RFC 3551).

pub mod event;
mod packet;
mod receiver;
pub mod rtcp;
mod sender;
pub mod srtp;
pub mod xr;

pub use packet::{Header, MAX_PACKET_BYTES, Malformed, Packet, write};
pub use receiver::{Receiver, Sequenced};
pub use sender::Sender;

use serde::{Deserialize, Serialize};

use std::time::Duration;

/// Timestamp units a second of everything that we carry: PCMA, PCMU and telephone events (RFC 3551 table 4, RFC 4733
/// section 2.1).
pub const CLOCK_RATE_HZ: u32 = 8_000;

/// Nanoseconds of one timestamp unit.
const NANOS_PER_UNIT: u64 = 1_000_000_000 / CLOCK_RATE_HZ as u64;

/// Timestamp units in `d`, to the nearest.
pub fn units(d: Duration) -> u64 {
    (u64::try_from(d.as_nanos()).unwrap_or(u64::MAX).saturating_add(NANOS_PER_UNIT / 2)) / NANOS_PER_UNIT
}

/// Statistics of one received stream at its end (RFC 3550 section 6.4.1 and appendix A.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Received {
    /// Packets received that belong to the stream, duplicates excluded.
    pub packets: u64,
    /// Packets expected by sequence number minus `packets`; never negative.
    pub lost: u64,
    /// Interarrival jitter at the end of the stream, in microseconds.
    pub jitter_us: u64,
    /// Packets from an address other than the one that signalling gave: refused.
    pub foreign: u64,
    /// Datagrams that were no RTP packet of the negotiated kind.
    pub invalid: u64,
    /// The last round trip to the peer that its RTCP told, in microseconds; facts written before 2026-11-22 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u64>,
}
