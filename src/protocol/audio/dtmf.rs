//! The sound of a key: two tones at once, one of each group (ITU-T Q.23).

use std::f64::consts::TAU;

pub const ROWS_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
pub const COLUMNS_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// By row and column.
pub const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Peaks of the two, for 8 kHz samples of 16 bit: −9 dBm0 below and −7 above, amid what receivers take (Q.24 table 1: −3 to −24 and
/// worse, the upper at most 4 dB over the lower), for a line takes more of the upper.
const LOW_PEAK: f64 = 8_100.0;
const HIGH_PEAK: f64 = 10_200.0;
/// Over which it swells and fades, so that it does not click: 2.5 ms.
const EDGE: f64 = 20.0;
const RATE_HZ: f64 = 8_000.0;

/// Samples `from` and on of a key that sounds for `length` samples of 8 kHz; silence behind it, and for what is no key.
pub fn sound(key: char, length: usize, from: usize, out: &mut [i16]) {
    let tones = tones(key);
    for (n, sample) in (from..).zip(out) {
        *sample = match tones {
            Some([low, high]) if n < length => {
                let edge = ((n + 1).min(length - n) as f64 / EDGE).min(1.0);
                let at = |hz: f32| (TAU * f64::from(hz) * n as f64 / RATE_HZ).sin();
                (edge * (LOW_PEAK * at(low) + HIGH_PEAK * at(high))).round() as i16
            }
            _ => 0,
        };
    }
}

fn tones(key: char) -> Option<[f32; 2]> {
    let of_row = |(row, keys): (usize, &[char; 4])| {
        let column = keys.iter().position(|known| *known == key)?;
        Some([ROWS_HZ[row], COLUMNS_HZ[column]])
    };
    KEYS.iter().enumerate().find_map(of_row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Power of a frequency in dBm0: 0 is a sine 3.17 dB below full scale (ITU-T G.711, µ-law).
    fn dbm0(samples: &[i16], hz: f32) -> f64 {
        let at = |n: usize| TAU * f64::from(hz) * n as f64 / RATE_HZ;
        let sum = |of: fn(f64) -> f64| {
            samples.iter().enumerate().map(|(n, s)| f64::from(*s) * of(at(n))).sum::<f64>() * 2.0 / samples.len() as f64
        };
        20.0 * (sum(f64::sin).hypot(sum(f64::cos)) / 32_768.0).log10() + 3.17
    }

    #[test]
    fn two_tones_of_their_levels_and_nothing_beside_them() {
        for (row, keys) in KEYS.iter().enumerate() {
            for (column, key) in keys.iter().enumerate() {
                let mut samples = [0; 800];
                sound(*key, 800, 0, &mut samples);
                for (n, hz) in ROWS_HZ.iter().enumerate() {
                    let level = dbm0(&samples, *hz);
                    assert!(if n == row { (level + 9.0).abs() < 0.5 } else { level < -35.0 }, "{key} {hz}: {level}");
                }
                for (n, hz) in COLUMNS_HZ.iter().enumerate() {
                    let level = dbm0(&samples, *hz);
                    assert!(if n == column { (level + 7.0).abs() < 0.5 } else { level < -35.0 }, "{key} {hz}: {level}");
                }
            }
        }
    }

    #[test]
    fn piece_by_piece_it_is_the_same_and_behind_it_is_silence() {
        let (mut whole, mut pieces) = ([0; 960], [0; 960]);
        sound('5', 800, 0, &mut whole);
        pieces.chunks_mut(160).enumerate().for_each(|(n, piece)| sound('5', 800, n * 160, piece));
        assert_eq!(whole, pieces);
        assert!(whole[..800].iter().any(|s| s.unsigned_abs() > 15_000) && whole[800..].iter().all(|s| *s == 0));
        sound('x', 800, 0, &mut whole);
        assert_eq!(whole, [0; 960]);
    }
}
