//! What the gateway sent, as its receiver reports it: RTCP receiver reports (RFC 3550 section 6.4.1) and extended reports
//! (RFC 3611 section 4.7).
//!
//! A relayed stream keeps the gaps that it came with, so what a peer reports as lost is what was lost on both sections.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::measured::Measured;
use super::runs::Losses;
use super::score::{Score, score};
use crate::protocol::rtp::rtcp::Block;
use crate::protocol::rtp::xr::VoipMetrics;

/// What a phone's jitter buffer holds where it does not say: 40 ms.
const ASSUMED_BUFFER_US: u64 = 40_000;
/// Timestamp units are those of an RTP clock of 8,000.
const UNIT_US: u64 = 125;

/// Of one leg, from the peer's first report to its last.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sent {
    /// The encoding name of what we send.
    pub codec: String,
    /// Packets that we sent.
    pub packets: u64,
    /// Reports that came: receiver's, and extended.
    pub reports: u64,
    pub extended: u64,
    /// Packets that the peer expected until its last report, by sequence numbers, and did not receive; negative after duplicates.
    pub expected: u64,
    pub lost: i32,
    /// The highest share lost between two reports, in 1/256.
    pub worst_256: u8,
    pub jitter_us: u64,
    pub jitter_max_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u64>,
    /// The last extended report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voip: Option<VoipMetrics>,
}

/// Collects the reports on one stream of ours.
#[derive(Debug, Clone, Default)]
pub struct Reported {
    sent: Sent,
    /// The highest sequence number that the peer has told.
    highest: Option<u16>,
}

impl Reported {
    /// A report block on our stream, whose first packet had the number `first`.
    pub fn block(&mut self, block: &Block, first: u16) {
        // Steps of 16 bits: peers count cycles in several ways.
        let highest = block.highest as u16;
        let step = match self.highest {
            None => i64::from(highest.wrapping_sub(first)) + 1,
            Some(before) => i64::from(highest.wrapping_sub(before) as i16),
        };
        self.highest = Some(highest);
        let sent = &mut self.sent;
        sent.expected = sent.expected.saturating_add_signed(step);
        sent.reports += 1;
        sent.lost = block.lost;
        sent.worst_256 = sent.worst_256.max(block.fraction_lost);
        sent.jitter_us = u64::from(block.jitter).saturating_mul(UNIT_US);
        sent.jitter_max_us = sent.jitter_max_us.max(sent.jitter_us);
    }

    pub fn voip(&mut self, metrics: VoipMetrics) {
        self.sent.extended += 1;
        self.sent.voip = Some(metrics);
    }

    /// `None`: the peer has reported nothing.
    pub fn result(&self, codec: &str, packets: u64, rtt_us: Option<u64>) -> Option<Sent> {
        let told = self.sent.reports + self.sent.extended > 0;
        told.then(|| Sent { codec: codec.to_owned(), packets, rtt_us, ..self.sent.clone() })
    }
}

impl Sent {
    /// Share lost on the way to the peer, 0 to 1; `None`: only extended reports came, and they say it.
    pub fn loss_ratio(&self) -> Option<f64> {
        (self.expected > 0).then(|| (f64::from(self.lost.max(0)) / self.expected as f64).min(1.0))
    }

    /// What the peer hears, by the E-model: what its buffer discards is known only from an extended report, and losses are
    /// taken to be random, for a receiver report does not tell their runs.
    pub fn score(&self) -> Option<Score> {
        let loss = self.loss_ratio().or_else(|| self.voip.map(|voip| voip.loss_ratio))?;
        let discarded = self.voip.map_or(0.0, |voip| voip.discard_ratio);
        // Enough packets that a share of them is exact to a millionth.
        let packets = 1_000_000;
        let lost = ((loss + discarded).min(1.0) * packets as f64).round() as u64;
        let heard = Losses { packets, lost, events: lost, ..Losses::default() };
        let buffer_us = self.voip.map_or(ASSUMED_BUFFER_US, |voip| u64::from(voip.buffer_nominal_ms) * 1_000);
        let adaptive = super::Buffered { discarded: 0, delay_us: buffer_us };
        let measured = Measured { heard, adaptive, packet_us: 20_000, ..Measured::default() };
        score(&measured, &self.codec, true, self.rtt_us.map(Duration::from_micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(highest: u32, lost: i32, fraction_lost: u8, jitter: u32) -> Block {
        Block { ssrc: 1, highest, lost, fraction_lost, jitter, ..Block::default() }
    }

    #[test]
    fn reports_add_up_across_the_wrap_however_the_peer_counts_it() {
        for cycles in [0, 0x1_0000, 0x7_0000] {
            let mut reported = Reported::default();
            reported.block(&block(65_500, 2, 5, 16), 65_301);
            reported.block(&block(cycles + 164, 10, 10, 8), 65_301);
            let sent = reported.result("PCMA", 400, Some(60_000)).unwrap();
            assert_eq!((sent.expected, sent.lost, sent.worst_256, sent.reports), (400, 10, 10, 2));
            assert_eq!((sent.jitter_us, sent.jitter_max_us, sent.loss_ratio()), (1_000, 2_000, Some(0.025)));
        }
        assert_eq!(Reported::default().result("PCMA", 9, None), None);
    }

    #[test]
    fn what_is_sent_is_rated_as_what_is_received() {
        let sent = Sent { codec: "PCMA".to_owned(), expected: 1_000, lost: 50, reports: 9, ..Sent::default() };
        let score_of = |sent: &Sent| sent.score().map(|score| (score.r_lq * 1e3).round() / 1e3);
        assert_eq!(score_of(&sent), Some(77.425), "5 % of random loss");
        assert_eq!(score_of(&Sent { lost: -3, ..sent.clone() }), Some(93.206), "duplicates are no loss");
        let unknown = Sent { codec: "opus".to_owned(), ..sent };
        assert_eq!(score_of(&unknown), None);
        assert_eq!(score_of(&Sent { lost: 1_000, ..sent.clone() }), None, "nothing arrived");
        assert_eq!(score_of(&Sent { expected: 0, lost: 0, ..sent }), None, "nothing is known");
    }
}
