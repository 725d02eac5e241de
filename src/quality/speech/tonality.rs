//! What tells music and tones from speech: the peaks of a spectrum stay where they are while a note sounds, and a voice
//! never holds still for a quarter of a second.

use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Samples of a spectrum at 8 kHz: 64 ms, bins of 15.6 Hz.
const WINDOW: usize = 512;
const STEP: usize = super::FRAME_SAMPLES;
const BINS: usize = WINDOW / 2;
/// Below is hum: 156 Hz.
const LOWEST_BIN: usize = 10;
/// Spectra in which a peak keeps its bin to last: 240 ms.
pub(super) const LASTING: u8 = 15;
/// Power of a peak relative to the strongest of its spectrum: −20 dB.
const NEAR: f32 = 0.01;
/// Frames so much below the loudest of late are pauses and say nothing: −25 dB.
const PAUSE: f32 = 0.003;
/// What the loudest falls by in a frame: 5 dB a second.
const FALL: f32 = 0.981_7;
/// Mean power below which nothing is looked at: −60 dBov.
const LEAST: f32 = 1_074.0;

/// Peaks of one spectrum, and how many of them have stayed since 240 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Peaks {
    pub(super) all: u8,
    pub(super) lasting: u8,
}

pub(super) struct Tonality {
    fft: Arc<dyn RealToComplex<f32>>,
    shape: [f32; WINDOW],
    /// The last samples, the newest last.
    line: [f32; WINDOW],
    input: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: [f32; BINS],
    /// Spectra in a row in which the bin was a peak.
    runs: [u8; BINS],
    loudest: f32,
}

impl fmt::Debug for Tonality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tonality")
    }
}

impl Tonality {
    pub(super) fn new() -> Tonality {
        let fft = RealFftPlanner::new().plan_fft_forward(WINDOW);
        let turn = std::f32::consts::TAU / WINDOW as f32;
        Tonality {
            shape: std::array::from_fn(|n| 0.5 - 0.5 * (turn * n as f32).cos()),
            line: [0.0; WINDOW],
            input: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: [0.0; BINS],
            runs: [0; BINS],
            loudest: LEAST,
            fft,
        }
    }

    /// The next 16 ms of 8 kHz sound, with their mean power.
    pub(super) fn hear(&mut self, frame: &[i16; STEP], power: f32) -> Peaks {
        self.line.copy_within(STEP.., 0);
        for (place, sample) in self.line[WINDOW - STEP..].iter_mut().zip(frame) {
            *place = f32::from(*sample);
        }
        self.loudest = (self.loudest * FALL).max(power).max(LEAST);
        if power < LEAST || power < PAUSE * self.loudest || !self.transform() {
            self.runs = [0; BINS];
            return Peaks::default();
        }
        self.find()
    }

    fn transform(&mut self) -> bool {
        for ((place, sample), shape) in self.input.iter_mut().zip(&self.line).zip(&self.shape) {
            *place = sample * shape;
        }
        // An error is a wrong length, and the lengths are the plan's own.
        let done = self.fft.process_with_scratch(&mut self.input, &mut self.spectrum, &mut self.scratch);
        for (place, bin) in self.power.iter_mut().zip(&self.spectrum) {
            *place = bin.norm_sqr();
        }
        done.is_ok()
    }

    fn find(&mut self) -> Peaks {
        let least = NEAR * self.power[LOWEST_BIN..].iter().copied().fold(0.0, f32::max);
        let mut peaks = Peaks::default();
        for bin in LOWEST_BIN..BINS - 1 {
            let power = self.power[bin];
            let is_peak = power >= least && power > self.power[bin - 1] && power >= self.power[bin + 1];
            self.runs[bin] = if is_peak { self.runs[bin].saturating_add(1) } else { 0 };
            peaks.all += u8::from(is_peak);
            peaks.lasting += u8::from(self.runs[bin] >= LASTING);
        }
        peaks
    }
}
