//! WAV files. The only user of `hound`.

use std::io::Read;

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
