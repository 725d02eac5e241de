//! Our own sound in the codec of a leg.

use super::Codec;
use crate::protocol::audio::g722::Encoder;
use crate::protocol::audio::resample::Doubler;

/// Keeps what a codec must remember from packet to packet.
#[derive(Debug, Default)]
pub(super) struct Coder {
    wide: Option<Box<(Encoder, Doubler)>>,
    /// The doubler's line is of before other sound.
    is_stale: bool,
}

impl Coder {
    /// Writes sound of 8 kHz: an octet for each sample.
    pub(super) fn narrow(&mut self, codec: Codec, samples: &[i16], out: &mut [u8]) {
        match codec.law() {
            Some(law) => {
                for (code, sample) in out.iter_mut().zip(samples) {
                    *code = law.encode(*sample);
                }
            }
            None => {
                let (encoder, doubler) = &mut **self.wide.get_or_insert_default();
                if std::mem::replace(&mut self.is_stale, false) {
                    *doubler = Doubler::default();
                }
                for (code, sample) in out.iter_mut().zip(samples) {
                    *code = encoder.encode(doubler.push(*sample));
                }
            }
        }
    }

    /// Writes sound of the codec's own rate: an octet for each tick of the RTP clock.
    pub(super) fn own_rate(&mut self, codec: Codec, samples: &[i16], out: &mut [u8]) {
        if codec.law().is_some() {
            return self.narrow(codec, samples, out);
        }
        self.is_stale = true;
        let (encoder, _) = &mut **self.wide.get_or_insert_default();
        for (code, pair) in out.iter_mut().zip(samples.chunks_exact(2)) {
            *code = encoder.encode([pair[0], pair[1]]);
        }
    }
}
