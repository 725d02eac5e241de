//! A received stream on its time line, not yet decoded: one unit for each tick of the RTP clock.
//!
//! All codecs that we carry have one octet for each tick (G.722 too, whose clock says 8,000 for 16,000 samples: RFC 3551
//! section 4.5.2), so that a unit is an octet and what it is.

use super::Codec;
use crate::protocol::audio::comfort;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Unit(u16);

/// What is known of an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing came (yet).
    Missing,
    /// The peer sent nothing, on purpose.
    Quiet,
    /// From here on the peer wishes noise of this level, in −dBov.
    Noise,
    /// And the next coefficient of its spectrum.
    Shape,
    Audio(Codec),
}

const QUIET: u16 = 1 << 8;
const NOISE: u16 = 2 << 8;
const PCMA: u16 = 3 << 8;
const PCMU: u16 = 4 << 8;
const G722: u16 = 5 << 8;
const SHAPE: u16 = 6 << 8;

impl Unit {
    pub(super) const MISSING: Unit = Unit(0);
    pub(super) const QUIET: Unit = Unit(QUIET);

    /// Those of a packet of comfort noise: its level, then its spectrum. None if it is empty.
    pub(super) fn comfort(payload: &[u8]) -> impl ExactSizeIterator<Item = Unit> {
        let kind = |n: usize| if n == 0 { NOISE } else { SHAPE };
        comfort::used(payload).iter().enumerate().map(move |(n, octet)| Unit(kind(n) | u16::from(*octet)))
    }

    pub(super) fn audio(codec: Codec, code: u8) -> Self {
        let kind = match codec {
            Codec::Pcma => PCMA,
            Codec::Pcmu => PCMU,
            Codec::G722 => G722,
        };
        Unit(kind | u16::from(code))
    }

    pub(super) fn is_missing(self) -> bool {
        self == Unit::MISSING
    }

    pub(super) fn heard(self) -> Heard {
        match self.0 & 0xff00 {
            QUIET => Heard::Quiet,
            NOISE => Heard::Noise,
            SHAPE => Heard::Shape,
            PCMA => Heard::Audio(Codec::Pcma),
            PCMU => Heard::Audio(Codec::Pcmu),
            G722 => Heard::Audio(Codec::G722),
            _ => Heard::Missing,
        }
    }

    /// How many of the first units are of one kind with the first.
    pub(super) fn run(units: &[Unit]) -> usize {
        /// Compared at once, without a branch for each.
        const STRIDE: usize = 32;
        let Some(first) = units.first() else { return 0 };
        let other = |unit: &Unit| (unit.0 ^ first.0) & 0xff00;
        let strides = units.chunks_exact(STRIDE);
        let same = strides.take_while(|stride| stride.iter().fold(0, |sum, unit| sum | other(unit)) == 0);
        let begin = same.count() * STRIDE;
        units[begin..].iter().position(|unit| other(unit) != 0).map_or(units.len(), |end| begin + end)
    }

    /// The octet of audio, the level of noise, or a coefficient of its spectrum.
    pub(super) fn octet(self) -> u8 {
        self.0 as u8
    }
}
