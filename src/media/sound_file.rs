//! Reads WAV files of others too, piece by piece: 8 or 16 kHz, one or two channels, 16-bit PCM, A-law or µ-law (RIFF WAVE; Microsoft
//! Multimedia Programming Interface 1.0, chapter 3; RFC 2361 for the codes).

use std::io::{self, Read};

use crate::protocol::audio::g711;

/// Bytes that are read at once.
const PIECE: usize = 32 * 1_024;
/// A header with more before its samples is none that we know.
const MOST_HEADER: u64 = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Pcm16,
    Alaw,
    Ulaw,
}

impl Encoding {
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Pcm16 => "pcm16",
            Encoding::Alaw => "alaw",
            Encoding::Ulaw => "ulaw",
        }
    }

    fn bytes(self) -> usize {
        if self == Encoding::Pcm16 { 2 } else { 1 }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("is no WAV file")]
    NoWav,
    #[error(
        "is a WAV file of {0}: 8 or 16 kHz, one or two channels of 16-bit PCM, A-law or µ-law are read (sox converts)"
    )]
    Other(String),
}

/// A file whose header has been read.
#[derive(Debug)]
pub struct SoundFile<R> {
    inner: R,
    encoding: Encoding,
    channels: usize,
    rate_hz: u32,
    /// Bytes of samples that the header tells of and that are still to be read.
    rest: u64,
    /// The file ended before the header says.
    cut: bool,
}

impl<R: Read> SoundFile<R> {
    /// `inner` stands at the begin of the file.
    pub fn open(mut inner: R) -> Result<Self, SoundError> {
        let mut riff = [0; 12];
        inner.read_exact(&mut riff).map_err(|_| SoundError::NoWav)?;
        if riff[..4] != *b"RIFF" || riff[8..] != *b"WAVE" {
            return Err(SoundError::NoWav);
        }
        let mut format = None;
        let mut passed = 0;
        loop {
            let mut head = [0; 8];
            inner.read_exact(&mut head).map_err(|_| SoundError::NoWav)?;
            let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
            if head[..4] == *b"data" {
                let (encoding, channels, rate_hz) = format.ok_or(SoundError::NoWav)?;
                return Ok(SoundFile { inner, encoding, channels, rate_hz, rest: length, cut: false });
            }
            passed += length;
            if passed > MOST_HEADER {
                return Err(SoundError::NoWav);
            }
            // Chunks begin at even places.
            let mut chunk = Vec::new();
            inner.by_ref().take(length + length % 2).read_to_end(&mut chunk)?;
            if head[..4] == *b"fmt " {
                format = Some(read_format(&chunk)?);
            }
        }
    }

    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub fn channels(&self) -> usize {
        self.channels
    }

    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// There were fewer samples than the header says.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The next piece, a channel each; empty ones at the end. Half a frame at the end is left out.
    pub fn read(&mut self, left: &mut Vec<i16>, right: &mut Vec<i16>) -> io::Result<()> {
        left.clear();
        right.clear();
        let frame = self.encoding.bytes() * self.channels;
        let wanted = (PIECE - PIECE % frame).min(usize::try_from(self.rest).unwrap_or(PIECE));
        let mut bytes = Vec::with_capacity(wanted);
        self.inner.by_ref().take(wanted as u64).read_to_end(&mut bytes)?;
        self.rest -= bytes.len() as u64;
        if bytes.len() < wanted {
            (self.rest, self.cut) = (0, true);
        }
        let encoding = self.encoding;
        let sample = |bytes: &[u8]| match encoding {
            Encoding::Pcm16 => i16::from_le_bytes([bytes[0], bytes[1]]),
            Encoding::Alaw => g711::decode_alaw(bytes[0]),
            Encoding::Ulaw => g711::decode_ulaw(bytes[0]),
        };
        for frame in bytes.chunks_exact(frame) {
            left.push(sample(frame));
            if self.channels == 2 {
                right.push(sample(&frame[encoding.bytes()..]));
            }
        }
        Ok(())
    }
}

fn read_format(chunk: &[u8]) -> Result<(Encoding, usize, u32), SoundError> {
    let two = |at: usize| chunk.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]])).ok_or(SoundError::NoWav);
    let rate_hz = u32::from(two(4)?) | u32::from(two(6)?) << 16;
    let (channels, bits) = (two(2)?, two(14)?);
    // 0xfffe: the code stands at the begin of a longer name.
    let code = if two(0)? == 0xfffe { two(24)? } else { two(0)? };
    let encoding = match (code, bits) {
        (1, 16) => Some(Encoding::Pcm16),
        (6, 8) => Some(Encoding::Alaw),
        (7, 8) => Some(Encoding::Ulaw),
        _ => None,
    };
    match encoding {
        Some(encoding) if matches!(channels, 1 | 2) && matches!(rate_hz, 8_000 | 16_000) => {
            Ok((encoding, usize::from(channels), rate_hz))
        }
        _ => Err(SoundError::Other(format!("{rate_hz} Hz, {channels} channels, {bits} bits, format {code}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::wav::Writer;

    fn file(code: u16, channels: u16, rate_hz: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut out = b"RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00".to_vec();
        out.extend(code.to_le_bytes());
        out.extend(channels.to_le_bytes());
        out.extend(rate_hz.to_le_bytes());
        out.extend([0; 6]);
        out.extend(bits.to_le_bytes());
        out.extend(b"data");
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(data);
        out
    }

    fn read(bytes: &[u8]) -> Result<(Vec<i16>, Vec<i16>, bool), SoundError> {
        let mut sound = SoundFile::open(bytes)?;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let (mut a, mut b) = (Vec::new(), Vec::new());
        loop {
            sound.read(&mut a, &mut b)?;
            if a.is_empty() {
                return Ok((left, right, sound.is_cut()));
            }
            left.append(&mut a);
            right.append(&mut b);
        }
    }

    #[test]
    fn each_encoding() {
        let mut ours = io::Cursor::new(Vec::new());
        let mut writer = Writer::create(&mut ours, 16_000).unwrap();
        let samples: Vec<i16> = (0..40_000).map(|n| (n * 7) as i16).collect();
        writer.frames(&samples).unwrap();
        writer.finish().unwrap();
        let (left, right, cut) = read(&ours.into_inner()).unwrap();
        assert_eq!((left.len(), left[19_999], right[19_999], cut), (20_000, samples[39_998], samples[39_999], false));
        let alaw = read(&file(6, 1, 8_000, 8, &[g711::encode_alaw(1_000), 0xd5])).unwrap();
        assert_eq!(alaw.0, [g711::decode_alaw(g711::encode_alaw(1_000)), 8]);
        let ulaw = read(&file(7, 2, 8_000, 8, &[0xff, g711::encode_ulaw(-500), 0xff])).unwrap();
        assert_eq!((ulaw.0, ulaw.1), (vec![0], vec![g711::decode_ulaw(g711::encode_ulaw(-500))]));
    }

    #[test]
    fn what_is_cut_and_what_is_not_read() {
        let mut whole = file(1, 1, 8_000, 16, &[1; 100]);
        whole.truncate(whole.len() - 50);
        let (left, _, cut) = read(&whole).unwrap();
        assert_eq!((left.len(), cut), (25, true));
        for bytes in [&b""[..], b"RIFF", b"RIFF\x00\x00\x00\x00WAVE", b"RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00"] {
            assert!(matches!(read(bytes), Err(SoundError::NoWav)), "{bytes:?}");
        }
        for bytes in [file(1, 2, 44_100, 16, &[]), file(1, 3, 8_000, 16, &[]), file(3, 1, 8_000, 32, &[])] {
            assert!(matches!(read(&bytes), Err(SoundError::Other(_))));
        }
    }
}
