//! Between 16 kHz and 8 kHz: whole files, and streams piece by piece.
//!
//! A half-band low-pass (its edge lies at a quarter of the sampling rate, so every second tap but the middle one is
//! zero) and then every second sample. Kaiser window, designed for 60 dB: flat to 3.4 kHz, the band of G.711, and what
//! would fold back into that band (above 4.6 kHz) is gone.

use std::f64::consts::PI;

/// Taps on either side of the middle.
const HALF: usize = 31;
/// Kaiser's shape for 60 dB: 0.1102 (A - 8.7).
const BETA: f64 = 5.65;

/// Halves the sampling rate. The result has no delay against the input, and (n + 1) / 2 samples.
pub fn halve(samples: &[i16]) -> Vec<i16> {
    let taps = taps();
    (0..samples.len()).step_by(2).map(|middle| filtered(samples, middle, &taps)).collect()
}

/// One sample of the filtered signal; the signal is taken as silent before its begin and after its end.
fn filtered(samples: &[i16], middle: usize, taps: &[f64; HALF + 1]) -> i16 {
    let at = |i: usize| samples.get(i).map_or(0.0, |s| f64::from(*s));
    let mut sum = taps[0] * at(middle);
    for (n, tap) in taps.iter().enumerate().skip(1).step_by(2) {
        let before = middle.checked_sub(n).map_or(0.0, at);
        sum += tap * (before + at(middle + n));
    }
    sum.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

/// A stream of 8 kHz as one of 16 kHz, 15 samples of 8 kHz (1.9 ms) later.
#[derive(Debug)]
pub struct Doubler {
    taps: [f32; HALF.div_ceil(2)],
    /// The newest last.
    line: [f32; HALF + 1],
}

/// A stream of 16 kHz as one of 8 kHz, 2 ms later.
#[derive(Debug)]
pub struct Halver {
    taps: [f32; HALF.div_ceil(2)],
    line: [f32; 2 * HALF + 2],
}

/// The odd taps; all even ones but the middle are zero.
fn odd_taps() -> [f32; HALF.div_ceil(2)] {
    let taps = taps();
    std::array::from_fn(|n| taps[2 * n + 1] as f32)
}

impl Default for Doubler {
    fn default() -> Self {
        Doubler { taps: odd_taps(), line: [0.0; HALF + 1] }
    }
}

impl Default for Halver {
    fn default() -> Self {
        Halver { taps: odd_taps(), line: [0.0; 2 * HALF + 2] }
    }
}

impl Doubler {
    /// The next two samples: one between the old ones, and one of them as it was.
    pub fn push(&mut self, sample: i16) -> [i16; 2] {
        self.line.copy_within(1.., 0);
        self.line[HALF] = f32::from(sample);
        let middle = HALF.div_ceil(2);
        let between: f32 =
            self.taps.iter().enumerate().map(|(n, t)| t * (self.line[middle - 1 - n] + self.line[middle + n])).sum();
        [rounded(2.0 * between), rounded(self.line[middle])]
    }

    /// The same for a whole piece, several times as fast; `out` has twice as many samples.
    pub fn push_all(&mut self, samples: &[i16], out: &mut [i16]) {
        for (samples, out) in samples.chunks(PIECE).zip(out.chunks_mut(2 * PIECE)) {
            let (mut line, mut between) = ([0.0; HALF + 1 + PIECE], [0.0; PIECE]);
            line[..=HALF].copy_from_slice(&self.line);
            line[HALF + 1..].iter_mut().zip(samples).for_each(|(place, s)| *place = f32::from(*s));
            add_taps(&self.taps, &line[1..], &mut between);
            let middle = HALF.div_ceil(2);
            for ((two, between), old) in out.chunks_exact_mut(2).zip(&between).zip(&line[1 + middle..]) {
                two.copy_from_slice(&[rounded(2.0 * between), rounded(*old)]);
            }
            self.line.copy_from_slice(&line[samples.len()..=samples.len() + HALF]);
        }
    }
}

/// Samples that are filtered together.
const PIECE: usize = 128;

/// `sums[n]` becomes what the odd taps make of the 32 samples of `line` from `n` on.
fn add_taps(taps: &[f32; HALF.div_ceil(2)], line: &[f32], sums: &mut [f32; PIECE]) {
    let middle = HALF.div_ceil(2);
    for (n, tap) in taps.iter().enumerate() {
        let (before, after) = (&line[middle - 1 - n..], &line[middle + n..]);
        for ((sum, before), after) in sums.iter_mut().zip(before).zip(after) {
            *sum += tap * (before + after);
        }
    }
}

impl Halver {
    pub fn push(&mut self, samples: [i16; 2]) -> i16 {
        self.line.copy_within(2.., 0);
        self.line[2 * HALF] = f32::from(samples[0]);
        self.line[2 * HALF + 1] = f32::from(samples[1]);
        let around: f32 = self.taps.iter().enumerate().map(|(n, t)| t * self.beside(2 * n + 1)).sum();
        rounded(0.5 * self.line[HALF] + around)
    }

    /// The same for a whole piece of pairs, several times as fast; `out` has half as many samples.
    pub fn push_all(&mut self, samples: &[i16], out: &mut [i16]) {
        for (samples, out) in samples.chunks(2 * PIECE).zip(out.chunks_mut(PIECE)) {
            // All taps lie on one half of the samples, the middle on the other.
            let (mut even, mut odd) = ([0.0; HALF + 1 + PIECE], [0.0; HALF + 1 + PIECE]);
            for (n, two) in self.line.chunks_exact(2).enumerate() {
                (even[n], odd[n]) = (two[0], two[1]);
            }
            for (n, two) in samples.chunks_exact(2).enumerate() {
                (even[HALF + 1 + n], odd[HALF + 1 + n]) = (f32::from(two[0]), f32::from(two[1]));
            }
            let mut around = [0.0; PIECE];
            add_taps(&self.taps, &even[1..], &mut around);
            for ((one, around), middle) in out.iter_mut().zip(&around).zip(&odd[1 + HALF / 2..]) {
                *one = rounded(0.5 * middle + around);
            }
            for (n, two) in self.line.chunks_exact_mut(2).enumerate() {
                two.copy_from_slice(&[even[n + out.len()], odd[n + out.len()]]);
            }
        }
    }

    fn beside(&self, distance: usize) -> f32 {
        self.line[HALF - distance] + self.line[HALF + distance]
    }
}

/// Halves away from zero; the conversion itself clamps.
fn rounded(value: f32) -> i16 {
    (value + 0.5f32.copysign(value)) as i16
}

/// The right half of the symmetric filter, scaled to a gain of 1 at 0 Hz.
fn taps() -> [f64; HALF + 1] {
    let mut taps = [0.0; HALF + 1];
    taps[0] = 0.5;
    for (n, tap) in taps.iter_mut().enumerate().skip(1).step_by(2) {
        let x = n as f64;
        let edge = x / (HALF + 1) as f64;
        *tap = (PI * x / 2.0).sin() / (PI * x) * bessel_i0(BETA * (1.0 - edge * edge).sqrt()) / bessel_i0(BETA);
    }
    // Only the odd taps are scaled: the filter stays half-band.
    let odd: f64 = taps.iter().skip(1).sum();
    for tap in taps.iter_mut().skip(1) {
        *tap *= 0.25 / odd;
    }
    taps
}

/// Modified Bessel function of the first kind, order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..30 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gain in dB for a tone of one second.
    fn gain_db(hz: f64) -> f64 {
        let tone: Vec<i16> =
            (0..16_000).map(|i| (16_000.0 * (2.0 * PI * hz * f64::from(i) / 16_000.0).sin()) as i16).collect();
        let out = halve(&tone);
        assert_eq!(out.len(), 8_000);
        let power = |s: &[i16]| s.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / s.len() as f64;
        10.0 * ((power(&out[100..7_900]) + 1e-9) / power(&tone)).log10()
    }

    #[test]
    fn passes_speech_and_stops_what_would_fold() {
        for hz in [100.0, 300.0, 1_000.0, 2_000.0, 3_000.0, 3_400.0] {
            assert!(gain_db(hz).abs() < 0.1, "{hz} Hz: {} dB", gain_db(hz));
        }
        for hz in [4_700.0, 5_000.0, 6_000.0, 7_900.0] {
            assert!(gain_db(hz) < -50.0, "{hz} Hz: {} dB", gain_db(hz));
        }
    }

    #[test]
    fn a_stream_goes_up_and_down_again_unharmed() {
        let tone: Vec<i16> = (0..4_000)
            .map(|i| (8_000.0 * (0.7 * f64::from(i)).sin() + 6_000.0 * (0.19 * f64::from(i)).sin()) as i16)
            .collect();
        let (mut doubler, mut halver) = (Doubler::default(), Halver::default());
        let up: Vec<i16> = tone.iter().flat_map(|s| doubler.push(*s)).collect();
        let step = |s: &[i16]| s.windows(2).map(|w| (i32::from(w[0]) - i32::from(w[1])).abs()).max().unwrap();
        assert!(step(&up[100..]) < step(&tone) * 6 / 10, "smooth between the old samples");
        let down: Vec<i16> = up.chunks(2).map(|p| halver.push([p[0], p[1]])).collect();
        let delay = (0..40).min_by_key(|d| (500..1_500).map(|n| (down[n + d] - tone[n]).unsigned_abs()).max()).unwrap();
        let worst = (500..3_000).map(|n| (i32::from(down[n + delay]) - i32::from(tone[n])).abs()).max().unwrap();
        assert!(worst < 60 && (30..33).contains(&delay), "{worst} at {delay}");
    }

    #[test]
    fn a_piece_is_the_same_as_its_samples_one_by_one() {
        let tone: Vec<i16> = (0..1_000).map(|i| (32_000.0 * (0.7 * f64::from(i)).sin()) as i16).collect();
        let (mut one, mut whole) = (Doubler::default(), Doubler::default());
        let (mut down_one, mut down_whole) = (Halver::default(), Halver::default());
        for piece in [&tone[..3], &tone[3..500], &tone[500..501], &tone[501..]] {
            let up: Vec<i16> = piece.iter().flat_map(|s| one.push(*s)).collect();
            let mut out = vec![0; 2 * piece.len()];
            whole.push_all(piece, &mut out);
            assert_eq!(out, up);
            let down: Vec<i16> = up.chunks(2).map(|p| down_one.push([p[0], p[1]])).collect();
            let mut out = vec![0; piece.len()];
            down_whole.push_all(&up, &mut out);
            assert_eq!(out, down);
        }
    }

    #[test]
    fn keeps_time_and_never_wraps() {
        let mut click = vec![0; 1_000];
        click[400] = 10_000;
        let out = halve(&click);
        assert_eq!(out.iter().enumerate().max_by_key(|(_, s)| **s).map(|(i, _)| i), Some(200));
        assert!(halve(&[i16::MAX; 101]).iter().skip(20).take(10).all(|s| *s > 32_700));
        assert!(halve(&[]).is_empty());
    }
}
