//! Mends the header of a recording that was never closed: sizes are computed from the file's length.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::media::SAMPLE_RATE_HZ;

/// Length of the header that [`crate::media::wav`] writes, in bytes: RIFF, a `fmt ` chunk of 16 bytes, `data`.
pub const HEADER_BYTES: u64 = 44;

/// Bytes of one frame: two channels of 16 bits.
pub const FRAME_BYTES: u64 = 4;

/// Most bytes of samples that a RIFF size holds, in whole frames.
const MAX_DATA_BYTES: u64 = (u32::MAX as u64 - HEADER_BYTES) / FRAME_BYTES * FRAME_BYTES;

#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    #[error("not a recording of ours: {0}")]
    Foreign(&'static str),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is left of the file. The caller cuts it to `length` bytes: what is beyond is half a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repaired {
    pub frames: u64,
    pub length: u64,
    /// Frames a second: 8,000 or 16,000.
    pub rate_hz: u32,
}

/// Writes a header that fits the samples that are there. An empty file, or one whose header was never written, becomes
/// a recording of the samples behind the header, if any.
pub fn repair(file: &mut (impl Read + Write + Seek)) -> Result<Repaired, RepairError> {
    keep(file, u64::MAX)
}

/// The same, and no more than `frames`.
pub fn keep(file: &mut (impl Read + Write + Seek), frames: u64) -> Result<Repaired, RepairError> {
    let length = file.seek(SeekFrom::End(0))?;
    let rate_hz = check(file, length)?;
    let there = length.saturating_sub(HEADER_BYTES).min(MAX_DATA_BYTES) / FRAME_BYTES;
    let frames = there.min(frames);
    let data = frames * FRAME_BYTES;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header(rate_hz, data as u32))?;
    file.flush()?;
    Ok(Repaired { frames, length: HEADER_BYTES + data, rate_hz })
}

/// What the header says; nothing is written. An error if it is not one of ours.
pub fn inspect(file: &mut (impl Read + Seek)) -> Result<Repaired, RepairError> {
    let length = file.seek(SeekFrom::End(0))?;
    let rate_hz = check(file, length)?;
    let mut sizes = [0; HEADER_BYTES as usize];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut sizes)?;
    let size = |at: usize| u64::from(u32::from_le_bytes([sizes[at], sizes[at + 1], sizes[at + 2], sizes[at + 3]]));
    let (riff, data) = (size(4), size(40));
    if riff + 8 != data + HEADER_BYTES {
        return Err(RepairError::Foreign("its two sizes disagree"));
    }
    Ok(Repaired { frames: data / FRAME_BYTES, length: HEADER_BYTES + data, rate_hz })
}

/// Frames a second of a recording that is whole.
pub fn rate_hz(file: &mut (impl Read + Seek)) -> io::Result<u32> {
    let mut found = [0; 4];
    file.seek(SeekFrom::Start(24))?;
    file.read_exact(&mut found)?;
    Ok(u32::from_le_bytes(found))
}

/// Refuses to overwrite what is no recording of ours, and tells its frames a second. A crash may leave zeros where the header
/// belongs: then they are taken for 8,000.
fn check(file: &mut (impl Read + Seek), length: u64) -> Result<u32, RepairError> {
    if length < HEADER_BYTES {
        return Ok(SAMPLE_RATE_HZ);
    }
    let mut found = [0; HEADER_BYTES as usize];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut found)?;
    if found == [0; HEADER_BYTES as usize] {
        return Ok(SAMPLE_RATE_HZ);
    }
    for rate_hz in [SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ] {
        let ours = header(rate_hz, 0);
        // All but the two sizes.
        let same = |range: std::ops::Range<usize>| found[range.clone()] == ours[range];
        if same(0..4) && same(8..40) {
            return Ok(rate_hz);
        }
    }
    Err(RepairError::Foreign(if found[..4] == *b"RIFF" { "another kind of WAV" } else { "no WAV" }))
}

/// RIFF WAVE, PCM, two channels, 16 bits (Microsoft Multimedia Programming Interface 1.0, chapter 3).
pub fn header(rate_hz: u32, data_bytes: u32) -> [u8; HEADER_BYTES as usize] {
    let mut out = [0; HEADER_BYTES as usize];
    out[0..4].copy_from_slice(b"RIFF");
    out[4..8].copy_from_slice(&(data_bytes + HEADER_BYTES as u32 - 8).to_le_bytes());
    out[8..16].copy_from_slice(b"WAVEfmt ");
    out[16..20].copy_from_slice(&16u32.to_le_bytes());
    out[20..22].copy_from_slice(&1u16.to_le_bytes());
    out[22..24].copy_from_slice(&2u16.to_le_bytes());
    out[24..28].copy_from_slice(&rate_hz.to_le_bytes());
    out[28..32].copy_from_slice(&(rate_hz * FRAME_BYTES as u32).to_le_bytes());
    out[32..34].copy_from_slice(&(FRAME_BYTES as u16).to_le_bytes());
    out[34..36].copy_from_slice(&16u16.to_le_bytes());
    out[36..40].copy_from_slice(b"data");
    out[40..44].copy_from_slice(&data_bytes.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::media::wav::Writer;

    /// A recording as a crash leaves it: frames on disk, a header that knows of fewer.
    fn cut(frames: usize, known: usize) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let mut writer = Writer::create(&mut file, SAMPLE_RATE_HZ).unwrap();
        writer.frames(&vec![7; known * 2]).unwrap();
        writer.checkpoint().unwrap();
        writer.frames(&vec![9; (frames - known) * 2]).unwrap();
        std::mem::forget(writer);
        file.into_inner()
    }

    fn mend(bytes: Vec<u8>) -> (Repaired, Vec<u8>) {
        let mut file = Cursor::new(bytes);
        let repaired = repair(&mut file).unwrap();
        let mut bytes = file.into_inner();
        bytes.truncate(repaired.length as usize);
        (repaired, bytes)
    }

    fn read(bytes: &[u8]) -> Vec<i16> {
        let data = u32::from_le_bytes(bytes[40..44].try_into().unwrap()) as usize;
        assert_eq!(bytes.len(), 44 + data);
        assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize, bytes.len() - 8);
        bytes[44..].chunks(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
    }

    #[test]
    fn the_header_is_that_of_the_writer() {
        let mut file = Cursor::new(Vec::new());
        let mut writer = Writer::create(&mut file, SAMPLE_RATE_HZ).unwrap();
        writer.frames(&[1, 2, 3, 4]).unwrap();
        writer.finish().unwrap();
        assert_eq!(file.into_inner()[..44], header(SAMPLE_RATE_HZ, 8));
    }

    #[test]
    fn every_whole_frame_is_kept() {
        for extra in 0..4 {
            let mut bytes = cut(100, 40);
            bytes.extend(vec![1; extra]);
            let (repaired, bytes) = mend(bytes);
            assert_eq!(repaired, Repaired { frames: 100, length: 444, rate_hz: 8_000 });
            assert_eq!(read(&bytes)[79..82], [7, 9, 9]);
        }
    }

    #[test]
    fn nothing_or_a_header_alone_is_an_empty_recording() {
        for length in 0..44 {
            let (repaired, bytes) = mend(cut(0, 0)[..length].to_vec());
            assert_eq!((repaired.frames, read(&bytes).len()), (0, 0));
        }
        assert_eq!(mend(vec![0; 52]).0.frames, 2, "zeros in place of the header");
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let mut file = Cursor::new(vec![b'x'; 100]);
        assert!(matches!(repair(&mut file), Err(RepairError::Foreign("no WAV"))));
        assert_eq!(file.into_inner(), vec![b'x'; 100]);
        let mut mono = cut(10, 10);
        mono[22] = 1;
        assert!(matches!(repair(&mut Cursor::new(mono)), Err(RepairError::Foreign("another kind of WAV"))));
    }

    #[test]
    fn more_than_the_call_lasted_is_cut() {
        let mut file = Cursor::new(cut(100, 100));
        assert_eq!(keep(&mut file, 60).unwrap(), Repaired { frames: 60, length: 284, rate_hz: 8_000 });
    }
}
