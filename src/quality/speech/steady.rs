//! Whether what is heard right now is one steady tone or two, and no voice: a ringing tone, a fax machine, a key.
//!
//! Nearly all of such a sound lies in one or two lines of its spectrum, and they stay where they are. A vowel may look so for a moment;
//! its pitch never holds still for long, and whoever says a word does not sing all of it on one note.

use std::sync::{Arc, LazyLock};

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::FRAME_SAMPLES;

/// Frames of a spectrum: 64 ms, bins of 15.6 Hz at either rate.
const FRAMES: usize = 4;
/// At 16 kHz.
const LONGEST: usize = 2 * FRAMES * FRAME_SAMPLES;
/// Below is hum: 78 Hz.
const LOWEST_BIN: usize = 5;
/// Half the width of a line under Hann's window, in bins.
const LINE: usize = 2;
/// Of all power so much lies in the lines.
const SHARE: f32 = 0.92;
/// A second line with less of the power than this is none.
const SECOND: f32 = 0.01;
/// A line stays where it was when the sound began: within a third of a bin, 5 Hz.
const STAYS: f32 = 0.33;
/// Spectra in a row that say so: together they look at 128 ms.
const SURE: u32 = 5;

/// The transforms of 8 and 16 kHz, for all who listen.
static TRANSFORMS: LazyLock<[Transform; 2]> = LazyLock::new(|| [1, 2].map(Transform::new));

struct Transform {
    fft: Arc<dyn RealToComplex<f32>>,
    shape: Vec<f32>,
}

impl Transform {
    fn new(rate: usize) -> Transform {
        let length = rate * FRAMES * FRAME_SAMPLES;
        let turn = std::f32::consts::TAU / length as f32;
        let shape = (0..length).map(|n| 0.5 - 0.5 * (turn * n as f32).cos()).collect();
        Transform { fft: RealFftPlanner::new().plan_fft_forward(length), shape }
    }
}

/// Where one or two lines are, in bins; the lower first.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Lines {
    first: f32,
    second: Option<f32>,
}

/// Hears one channel of 8 or 16 kHz in frames of 16 ms.
#[derive(Debug)]
pub(crate) struct Steady {
    wide: bool,
    /// The last frames, the newest last.
    line: Vec<i16>,
    /// Where the lines were when they came, and the spectra since.
    row: Option<(Lines, u32)>,
}

impl Steady {
    pub(crate) fn new(wide: bool) -> Steady {
        Steady { wide, line: vec![0; if wide { LONGEST } else { LONGEST / 2 }], row: None }
    }

    /// A frame that need not be judged.
    pub(crate) fn pass(&mut self, frame: &[i16]) {
        self.row = None;
        self.keep(frame);
    }

    /// Frames, this one among them, that are a steady tone; 0: no tone, or not known yet.
    pub(crate) fn hear(&mut self, frame: &[i16]) -> u32 {
        self.keep(frame);
        let lines = self.lines();
        self.row = match (self.row, lines) {
            (Some((begin, spectra)), Some(lines)) if begin.are_near(&lines) => Some((begin, spectra + 1)),
            (_, lines) => lines.map(|lines| (lines, 1)),
        };
        match self.row {
            // The first spectrum looked back.
            Some((_, spectra)) if spectra >= SURE => spectra + FRAMES as u32 - 1,
            _ => 0,
        }
    }

    fn keep(&mut self, frame: &[i16]) {
        let frame = &frame[..frame.len().min(self.line.len())];
        self.line.copy_within(frame.len().., 0);
        let begin = self.line.len() - frame.len();
        self.line[begin..].copy_from_slice(frame);
    }

    /// `None`: its power lies in more places.
    fn lines(&self) -> Option<Lines> {
        let transform = &TRANSFORMS[usize::from(self.wide)];
        let length = self.line.len();
        let (mut input, mut spectrum) = ([0.0; LONGEST], [Complex::new(0.0, 0.0); LONGEST / 2 + 1]);
        let (input, spectrum) = (&mut input[..length], &mut spectrum[..=length / 2]);
        for ((place, sample), shape) in input.iter_mut().zip(&self.line).zip(&transform.shape) {
            *place = f32::from(*sample) * shape;
        }
        let mut scratch = [Complex::new(0.0, 0.0); LONGEST];
        // An error is a wrong length, and the lengths are the plan's own.
        transform
            .fft
            .process_with_scratch(input, spectrum, scratch.get_mut(..transform.fft.get_scratch_len())?)
            .ok()?;
        let mut powers = [0.0; LONGEST / 2];
        let powers = &mut powers[..length / 2];
        powers.iter_mut().zip(spectrum.iter()).for_each(|(power, bin)| *power = bin.norm_sqr());
        lines_of(powers)
    }
}

fn lines_of(powers: &mut [f32]) -> Option<Lines> {
    powers[..LOWEST_BIN].fill(0.0);
    let all: f32 = powers.iter().sum();
    let (first, held) = take_strongest(powers)?;
    let (second, also) = take_strongest(powers)?;
    let two = also >= SECOND * all;
    let share = held + if two { also } else { 0.0 };
    (all > 0.0 && share >= SHARE * all).then(|| match second {
        second if two => Lines { first: first.min(second), second: Some(first.max(second)) },
        _ => Lines { first, second: None },
    })
}

/// Where the strongest line is and what it holds; it is gone then. `None`: at the edge.
fn take_strongest(powers: &mut [f32]) -> Option<(f32, f32)> {
    let inner = LINE..powers.len() - LINE;
    let (peak, _) = inner.map(|bin| (bin, powers[bin])).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let [before, top, after] = [peak - 1, peak, peak + 1].map(|bin| powers[bin].max(1.0).ln());
    let bend = before - 2.0 * top + after;
    let aside = if bend < 0.0 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 };
    let line = &mut powers[peak - LINE..=peak + LINE];
    let held = line.iter().sum();
    line.fill(0.0);
    Some((peak as f32 + aside, held))
}

impl Lines {
    fn are_near(&self, now: &Lines) -> bool {
        let near = |one: f32, other: f32| (one - other).abs() <= STAYS;
        near(self.first, now.first)
            && match (self.second, now.second) {
                (Some(one), Some(other)) => near(one, other),
                (None, None) => true,
                _ => false,
            }
    }
}
