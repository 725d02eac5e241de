//! RTCP extended reports (RFC 3611): what a phone says of a call's quality in its VoIP metrics block (section 4.7).

use serde::{Deserialize, Serialize};

use super::rtcp::Compound;

const EXTENDED_REPORT: u8 = 207;
const VOIP_METRICS: u8 = 7;
const WORD: usize = 4;
/// Words after a block's first one.
const VOIP_WORDS: usize = 8;

/// Values as their sender gives them, in the units of section 4.7; `None`: it says that it does not know (127).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VoipMetrics {
    /// The stream that is reported on.
    pub ssrc: u32,
    /// Shares of packets, 0 to 1.
    pub loss_ratio: f64,
    pub discard_ratio: f64,
    pub burst_density: f64,
    pub gap_density: f64,
    pub burst_ms: u16,
    pub gap_ms: u16,
    /// Round trip and end system delay.
    pub round_trip_ms: u16,
    pub end_system_ms: u16,
    /// dBm0.
    pub signal_dbm0: Option<i8>,
    pub noise_dbm0: Option<i8>,
    /// Residual echo return loss, dB.
    pub rerl_db: Option<u8>,
    pub gmin: u8,
    pub r: Option<u8>,
    /// Of a network outside RTP.
    pub external_r: Option<u8>,
    pub mos_lq: Option<f64>,
    pub mos_cq: Option<f64>,
    pub buffer_nominal_ms: u16,
    pub buffer_maximum_ms: u16,
    pub buffer_absolute_ms: u16,
}

/// The VoIP metrics blocks of a compound packet. Blocks of other types, and those whose length is wrong, are passed over.
pub fn voip_metrics<'a>(compound: &Compound<'a>) -> impl Iterator<Item = VoipMetrics> + use<'a> {
    compound.bodies(EXTENDED_REPORT).flat_map(|body| blocks(body.get(WORD..).unwrap_or_default())).filter_map(read)
}

fn blocks(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let words = u16::from_be_bytes(rest.get(2..WORD)?.try_into().ok()?);
        let (block, after) = rest.split_at_checked((usize::from(words) + 1) * WORD)?;
        rest = after;
        Some(block)
    })
}

fn read(block: &[u8]) -> Option<VoipMetrics> {
    if block[0] != VOIP_METRICS || block.len() != (VOIP_WORDS + 1) * WORD {
        return None;
    }
    let half = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
    let share = |at: usize| f64::from(block[at]) / 256.0;
    let known = |at: usize| Some(block[at]).filter(|value| *value != 127);
    let level = |at: usize| known(at).map(|value| value as i8);
    let opinion = |at: usize| known(at).map(|value| f64::from(value) / 10.0);
    Some(VoipMetrics {
        ssrc: u32::from_be_bytes(block[4..8].try_into().ok()?),
        loss_ratio: share(8),
        discard_ratio: share(9),
        burst_density: share(10),
        gap_density: share(11),
        burst_ms: half(12),
        gap_ms: half(14),
        round_trip_ms: half(16),
        end_system_ms: half(18),
        signal_dbm0: level(20),
        noise_dbm0: level(21),
        rerl_db: known(22),
        gmin: block[23],
        r: known(24),
        external_r: known(25),
        mos_lq: opinion(26),
        mos_cq: opinion(27),
        buffer_nominal_ms: half(30),
        buffer_maximum_ms: half(32),
        buffer_absolute_ms: half(34),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compound(blocks: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
        let words = (blocks.len() / WORD + 1) as u8;
        bytes.extend([0x80, EXTENDED_REPORT, 0, words, 0, 0, 0, 1]);
        bytes.extend(blocks);
        bytes
    }

    /// The figure of section 4.7, byte by byte, after a block of another type.
    #[test]
    fn a_phones_block() {
        let mut blocks = vec![4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        blocks.extend([7, 0, 0, 8, 0xca, 0xfe, 0, 1, 13, 26, 64, 3, 0, 240, 0x10, 0, 0, 80, 0, 60]);
        blocks.extend([0xec, 0xc4, 127, 16, 88, 127, 41, 39, 0x2b, 0, 0, 40, 0, 60, 1, 0x2c]);
        let bytes = compound(&blocks);
        let found: Vec<_> = voip_metrics(&Compound::parse(&bytes).unwrap()).collect();
        assert_eq!(found.len(), 1);
        let it = found[0];
        assert_eq!((it.ssrc, it.loss_ratio, it.discard_ratio), (0xcafe_0001, 13.0 / 256.0, 26.0 / 256.0));
        assert_eq!((it.burst_ms, it.gap_ms, it.round_trip_ms, it.end_system_ms), (240, 4_096, 80, 60));
        assert_eq!((it.signal_dbm0, it.noise_dbm0, it.rerl_db, it.gmin), (Some(-20), Some(-60), None, 16));
        assert_eq!((it.r, it.external_r, it.mos_lq, it.mos_cq), (Some(88), None, Some(4.1), Some(3.9)));
        assert_eq!((it.buffer_nominal_ms, it.buffer_maximum_ms, it.buffer_absolute_ms), (40, 60, 300));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(blocks in proptest::collection::vec(any::<u8>(), 0..120)) {
            let mut bytes = compound(&blocks[..blocks.len() / WORD * WORD]);
            for first in [7, 0] {
                if let Some(kind) = bytes.get_mut(16) {
                    *kind = first;
                }
                let Ok(compound) = Compound::parse(&bytes) else { continue };
                prop_assert!(voip_metrics(&compound).count() < 32);
            }
        }
    }
}
