//! RTP (RFC 3550) and its audio profile (RFC 3551).

use serde::{Deserialize, Serialize};

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
}
