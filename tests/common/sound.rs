//! Sound, judged without the gateway's code: A-law, tones, where one sound lies in another, files read by `sox`.

use std::f64::consts::TAU;
use std::path::Path;
use std::process::Command;

pub(crate) const RATE: usize = 8_000;

/// G.711 A-law of a sample (ITU-T G.711 table 1a).
pub(crate) fn to_alaw(sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = (i32::from(sample).abs().min(32_767)) >> 3;
    let mut segment = 0;
    while segment < 7 && magnitude >> (segment + 5) != 0 {
        segment += 1;
    }
    let step = if segment == 0 { magnitude >> 1 } else { (magnitude >> segment) & 0x0f };
    let code = u8::try_from((segment << 4) | (step & 0x0f)).unwrap_or(0x7f);
    (code | if negative { 0 } else { 0x80 }) ^ 0x55
}

/// The sample of an A-law octet.
pub(crate) fn from_alaw(octet: u8) -> i16 {
    let code = octet ^ 0x55;
    let (segment, step) = ((code >> 4) & 7, i16::from(code & 0x0f));
    let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 0x108) << (segment - 1) };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

/// Sample `n` of a tone.
pub(crate) fn tone(hz: f64, n: i64) -> i16 {
    const PEAK: f64 = 8_000.0;
    ((TAU * hz * n as f64 / RATE as f64).sin() * PEAK) as i16
}

/// Two channels of equal length.
pub(crate) struct Stereo {
    pub(crate) left: Vec<i16>,
    pub(crate) right: Vec<i16>,
}

impl Stereo {
    pub(crate) fn millis(&self) -> i64 {
        i64::try_from(self.left.len() * 1000 / RATE).expect("a short file")
    }
}

/// Reads a recording by `sox`, which refuses or warns of a damaged file; both fail the test.
#[track_caller]
pub(crate) fn play(path: &Path) -> Stereo {
    let output = Command::new("sox")
        .arg(path)
        .args(["-t", "raw", "-e", "signed", "-b", "16", "-L", "-"])
        .output()
        .expect("sox runs; tests/run installs what is missing");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "sox on {}: {said}", path.display());
    let info = |option: &str| {
        let output = Command::new("soxi").arg(option).arg(path).output().expect("soxi runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!((info("-r").as_str(), info("-c").as_str()), ("8000", "2"), "rate and channels of {}", path.display());
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for frame in output.stdout.chunks_exact(4) {
        left.push(i16::from_le_bytes([frame[0], frame[1]]));
        right.push(i16::from_le_bytes([frame[2], frame[3]]));
    }
    Stereo { left, right }
}

/// A mono file of 16 bit, 8 kHz, as a prompt.
pub(crate) fn write_wav(path: &Path, samples: &[i16]) {
    let bytes = u32::try_from(samples.len() * 2).expect("a short prompt");
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + bytes).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend_from_slice(&8_000_u32.to_le_bytes());
    wav.extend_from_slice(&16_000_u32.to_le_bytes());
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.extend_from_slice(&bytes.to_le_bytes());
    wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, wav).expect("writing a prompt");
}

/// A sweep from 300 to 3,000 Hz: alike to itself at one shift only.
pub(crate) fn sweep(ms: usize) -> Vec<i16> {
    let length = RATE * ms / 1000;
    let mut phase = 0.0_f64;
    (0..length)
        .map(|i| {
            phase += TAU * (300.0 + 2_700.0 * i as f64 / length as f64) / RATE as f64;
            (phase.sin() * 9_000.0) as i16
        })
        .collect()
}

/// The power of one frequency, in dB of a full-scale sine (Goertzel).
pub(crate) fn level_db(samples: &[i16], hz: f64) -> f64 {
    let w = TAU * hz / RATE as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let x = f64::from(*sample) / 32_768.0;
        re += x * (w * i as f64).cos();
        im -= x * (w * i as f64).sin();
    }
    let amplitude = 2.0 * (re * re + im * im).sqrt() / samples.len().max(1) as f64;
    20.0 * amplitude.max(1e-9).log10()
}

/// The first sample from `from` on that is clearly not silence.
pub(crate) fn onset(samples: &[i16], from: usize) -> Option<usize> {
    samples.iter().skip(from).position(|sample| sample.unsigned_abs() > 1_500).map(|n| from + n)
}

/// Where `needle` fits best in `hay`, and how well: the normalised correlation, 1 for the same wave.
pub(crate) fn locate(needle: &[i16], hay: &[i16]) -> (usize, f64) {
    assert!(!needle.is_empty() && hay.len() >= needle.len(), "{} samples in {}", needle.len(), hay.len());
    let needle: Vec<f32> = needle.iter().map(|s| f32::from(*s)).collect();
    let hay: Vec<f32> = hay.iter().map(|s| f32::from(*s)).collect();
    let energy = |wave: &[f32]| f64::from(wave.iter().map(|x| x * x).sum::<f32>());
    let own = energy(&needle);
    let mut best = (0, 0.0);
    for at in 0..=hay.len() - needle.len() {
        let window = &hay[at..at + needle.len()];
        let product = f64::from(needle.iter().zip(window).map(|(a, b)| a * b).sum::<f32>());
        let alike = product / (own * energy(window)).sqrt().max(1.0);
        if alike > best.1 {
            best = (at, alike);
        }
    }
    best
}

/// What sounds in a second that has this number: none like those around it.
pub(crate) fn code_hz(second: i64) -> f64 {
    400.0 + 60.0 * (second * 7 % 40) as f64
}

/// So many seconds, each of which says which one it is.
pub(crate) fn coded_seconds(count: i64) -> Vec<i16> {
    let rate = i64::try_from(RATE).expect("a small number");
    (0..count * rate).map(|n| tone(code_hz(n / rate), n)).collect()
}

/// Whether these samples are of that second, and of neither of its neighbours.
pub(crate) fn is_of_second(samples: &[i16], second: i64) -> bool {
    let [before, own, after] = [second - 1, second, second + 1].map(|n| level_db(samples, code_hz(n)));
    own > -25.0 && own > before + 10.0 && own > after + 10.0
}
