//! WAV files: PCM, 8 or 16 kHz, 16 bit. The only user of `hound`.

use std::io::{self, Read, Seek, Write};

use hound::{SampleFormat, WavSpec, WavWriter};

/// Both channels of a recording.
fn stereo(rate_hz: u32) -> WavSpec {
    WavSpec { channels: 2, sample_rate: rate_hz, bits_per_sample: 16, sample_format: SampleFormat::Int }
}

/// Most frames of one file: 2 GiB, half of what RIFF sizes hold (hound lets them wrap), 9 or 18 hours.
pub const MAX_FRAMES: u64 = (1 << 31) / 4;

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("longer than {MAX_FRAMES} frames")]
    TooLong,
    #[error("{0}")]
    Format(hound::Error),
}

impl From<hound::Error> for WriteError {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(error) => WriteError::Io(error),
            other => WriteError::Format(other),
        }
    }
}

/// Writes a stereo recording into anything that can seek. Buffers nothing itself.
pub struct Writer<W: Write + Seek> {
    inner: WavWriter<W>,
    frames: u64,
}

impl<W: Write + Seek> Writer<W> {
    pub fn create(into: W, rate_hz: u32) -> Result<Self, WriteError> {
        Ok(Writer { inner: WavWriter::new(into, stereo(rate_hz))?, frames: 0 })
    }

    /// Appends interleaved samples; half a frame at the end is left out.
    pub fn frames(&mut self, samples: &[i16]) -> Result<(), WriteError> {
        let frames = samples.len() / 2;
        if self.frames + frames as u64 > MAX_FRAMES {
            return Err(WriteError::TooLong);
        }
        let mut out = self.inner.get_i16_writer(frames as u32 * 2);
        for sample in &samples[..frames * 2] {
            out.write_sample(*sample);
        }
        out.flush()?;
        self.frames += frames as u64;
        Ok(())
    }

    pub fn silence(&mut self, frames: u64) -> Result<(), WriteError> {
        let quiet = [0; 1_600];
        let mut rest = frames;
        while rest > 0 {
            let now = rest.min(quiet.len() as u64 / 2);
            self.frames(&quiet[..now as usize * 2])?;
            rest -= now;
        }
        Ok(())
    }

    /// Makes the header right for what was written so far, and flushes.
    pub fn checkpoint(&mut self) -> Result<(), WriteError> {
        Ok(self.inner.flush()?)
    }

    pub fn finish(self) -> Result<(), WriteError> {
        Ok(self.inner.finalize()?)
    }

    /// Frames written.
    pub fn len(&self) -> u64 {
        self.frames
    }

    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }
}

/// Reads a mono WAV of 16-bit PCM: its samples and its sampling rate in Hz. The error says what it is instead.
pub fn read_mono(file: impl Read) -> Result<(Vec<i16>, u32), String> {
    let reader = hound::WavReader::new(file).map_err(|e| format!("not a WAV file: {e}"))?;
    let spec = reader.spec();
    if spec.channels != 1 {
        return Err(format!("has {} channels, not one", spec.channels));
    }
    if spec.bits_per_sample != 16 || spec.sample_format != hound::SampleFormat::Int {
        return Err(format!("has {} bits a sample, not 16-bit PCM", spec.bits_per_sample));
    }
    let samples = reader.into_samples::<i16>().collect::<Result<Vec<i16>, _>>();
    Ok((samples.map_err(|e| format!("damaged: {e}"))?, spec.sample_rate))
}

/// A file of 16-bit PCM in memory, for tests; half a frame at the end is left out.
#[cfg(test)]
pub(crate) fn file_of(samples: &[i16], sample_rate: u32, channels: u16) -> Vec<u8> {
    let spec = WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut file = io::Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).expect("memory takes all");
    let whole = samples.len() - samples.len() % usize::from(channels);
    samples[..whole].iter().for_each(|sample| writer.write_sample(*sample).expect("memory takes all"));
    writer.finalize().expect("memory takes all");
    file.into_inner()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut file = Cursor::new(Vec::new());
        let mut writer = Writer::create(&mut file, 8_000).unwrap();
        writer.frames(&[1, -1, 2, -2]).unwrap();
        writer.silence(1_000).unwrap();
        writer.frames(&[i16::MAX, i16::MIN]).unwrap();
        assert_eq!(writer.len(), 1_003);
        writer.finish().unwrap();
        let mut reader = hound::WavReader::new(Cursor::new(file.into_inner())).unwrap();
        assert_eq!(reader.spec(), stereo(8_000));
        let samples: Vec<i16> = reader.samples().map(|s| s.unwrap()).collect();
        assert_eq!(samples.len(), 2_006);
        assert_eq!(samples[..4], [1, -1, 2, -2]);
        assert_eq!(samples[2_004..], [i16::MAX, i16::MIN]);
    }
}
