//! Keys that sound in the voice: DTMF (ITU-T Q.23, Q.24), by Goertzel's filter.

use std::f32::consts::TAU;

use crate::protocol::audio::dtmf::{COLUMNS_HZ, KEYS, ROWS_HZ};

/// Samples of a window at 8 kHz, 17 ms: long enough to part 697 from 770 Hz, short enough for tones that are 1.5 % off (Q.24) and
/// for three windows in 40 ms.
const WINDOW: usize = 136;
const STEP: usize = WINDOW / 2;
/// Of a window's power, what the two tones hold together.
const SHARE: f32 = 0.55;
/// A tone over the next strongest of its group: 6 dB.
const OVER: f32 = 4.0;
/// Between the two tones, either way: 9 dB.
const TWIST: f32 = 8.0;
/// Mean power of a window below which nothing is a key: −45 dBov.
const LEAST: f32 = 34_000.0;
/// Windows in a row that say the same.
const HITS: u32 = 3;

/// A key, from its first window to its last, in samples of 8 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pressed {
    pub(super) key: char,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// What the last windows say: the same key for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sounding {
    pub(crate) from: u64,
    /// Long enough to be a key.
    pub(crate) is_sure: bool,
}

/// Hears keys in 8 kHz sound.
#[derive(Debug)]
pub(crate) struct Keypad {
    /// 2 cos ω of each tone.
    factors: [f32; 8],
    waiting: Vec<i16>,
    /// Samples that are gone from `waiting`.
    past: u64,
    /// The key of the last windows, how many, and where they begin.
    run: Option<(char, u32, u64)>,
}

impl Keypad {
    pub(crate) fn new() -> Keypad {
        let tones: [f32; 8] = std::array::from_fn(|n| if n < 4 { ROWS_HZ[n] } else { COLUMNS_HZ[n - 4] });
        Keypad {
            factors: tones.map(|hz| 2.0 * (TAU * hz / 8_000.0).cos()),
            waiting: Vec::with_capacity(2 * WINDOW),
            past: 0,
            run: None,
        }
    }

    /// Keys that ended in this piece of 8 kHz sound.
    pub(crate) fn hear(&mut self, samples: &[i16], pressed: &mut Vec<Pressed>) {
        self.waiting.extend_from_slice(samples);
        let mut begin = 0;
        while self.waiting.len() - begin >= WINDOW {
            let key = self.key(&self.waiting[begin..begin + WINDOW]);
            self.note(key, pressed);
            begin += STEP;
            self.past += STEP as u64;
        }
        self.waiting.drain(..begin);
    }

    /// What may be, or is, a key that goes on.
    pub(crate) fn sounding(&self) -> Option<Sounding> {
        self.run.map(|(_, hits, from)| Sounding { from, is_sure: hits >= HITS })
    }

    pub(super) fn finish(&mut self, pressed: &mut Vec<Pressed>) {
        self.note(None, pressed);
    }

    fn note(&mut self, key: Option<char>, pressed: &mut Vec<Pressed>) {
        match (&mut self.run, key) {
            (Some((before, hits, _)), Some(key)) if *before == key => *hits += 1,
            (run, key) => {
                if let Some((key, hits, from)) = run.take()
                    && hits >= HITS
                {
                    pressed.push(Pressed { key, from, to: self.past - STEP as u64 + WINDOW as u64 });
                }
                *run = key.map(|key| (key, 1, self.past));
            }
        }
    }

    fn key(&self, window: &[i16]) -> Option<char> {
        let power = window.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / WINDOW as f32;
        if power < LEAST {
            return None;
        }
        let powers = self.tones(window);
        let (row, low) = strongest(&powers[..4])?;
        let (column, high) = strongest(&powers[4..])?;
        let twisted = low > TWIST * high || high > TWIST * low;
        (!twisted && low + high >= SHARE * power).then(|| KEYS[row][column])
    }

    /// Mean power of each tone in the window.
    fn tones(&self, window: &[i16]) -> [f32; 8] {
        let (mut one, mut two) = ([0f32; 8], [0f32; 8]);
        for sample in window {
            let sample = f32::from(*sample);
            for n in 0..8 {
                let now = sample + self.factors[n] * one[n] - two[n];
                two[n] = one[n];
                one[n] = now;
            }
        }
        let scale = 2.0 / (WINDOW * WINDOW) as f32;
        std::array::from_fn(|n| (one[n] * one[n] + two[n] * two[n] - self.factors[n] * one[n] * two[n]) * scale)
    }
}

/// The strongest of a group, if it stands out.
fn strongest(powers: &[f32]) -> Option<(usize, f32)> {
    let (best, power) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let others = powers.iter().enumerate().filter(|(n, _)| *n != best);
    others.map(|(_, other)| *other).all(|other| power >= OVER * other).then_some((best, power))
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(low: f64, high: f64, amplitude: f64, from: usize, length: usize, into: &mut [i16]) {
        for (n, sample) in into.iter_mut().enumerate().skip(from).take(length) {
            let at = |hz: f64| (TAU * hz * n as f64 / 8_000.0).sin();
            *sample = sample.saturating_add((amplitude * (at(low) + at(high))) as i16);
        }
    }

    fn heard(samples: &[i16]) -> Vec<Pressed> {
        let (mut keypad, mut pressed) = (Keypad::new(), Vec::new());
        samples.chunks(128).for_each(|piece| keypad.hear(piece, &mut pressed));
        keypad.finish(&mut pressed);
        pressed
    }

    #[test]
    fn each_key_of_40_ms_wherever_it_begins() {
        for (n, key) in KEYS.iter().flatten().enumerate() {
            let mut sound = vec![0; 2_000];
            let from = 700 + 13 * n;
            tone(f64::from(ROWS_HZ[n / 4]), f64::from(COLUMNS_HZ[n % 4]), 3_000.0, from, 320, &mut sound);
            let pressed = heard(&sound);
            assert_eq!(pressed.iter().map(|p| p.key).collect::<Vec<_>>(), [*key], "at {from}");
            assert!(pressed[0].from.abs_diff(from as u64) < 160 && pressed[0].to.abs_diff(from as u64 + 320) < 160);
        }
    }

    /// Q.24: frequencies within 1.8 %, twist, pauses of 65 ms between the same key.
    #[test]
    fn keys_of_a_bad_phone() {
        let mut sound = vec![0; 8_000];
        tone(770.0 * 1.015, 1_336.0 * 0.985, 1_500.0, 1_000, 800, &mut sound);
        tone(770.0, 1_336.0, 1_500.0, 2_320, 800, &mut sound);
        for (n, sample) in sound.iter_mut().enumerate().skip(4_000).take(800) {
            let at = |hz: f64| (TAU * hz * n as f64 / 8_000.0).sin();
            *sample = (1_000.0 * at(941.0) + 2_300.0 * at(1_477.0)) as i16;
        }
        assert_eq!(heard(&sound).iter().map(|p| p.key).collect::<String>(), "55#");
    }

    #[test]
    fn one_tone_noise_and_other_pairs_are_no_keys() {
        let mut sound = vec![0; 8_000];
        tone(770.0, 770.0, 3_000.0, 0, 8_000, &mut sound);
        assert_eq!(heard(&sound), []);
        let mut sound = vec![0; 8_000];
        tone(440.0, 480.0, 3_000.0, 0, 8_000, &mut sound);
        assert_eq!(heard(&sound), []);
        let mut random = crate::ids::Random::from_number(5);
        let noise: Vec<i16> = (0..80_000).map(|_| random.below(16_000) as i16 - 8_000).collect();
        assert_eq!(heard(&noise), []);
    }
}
