//! Where a sound that is known lies in a recording, whatever else is heard beside it: by its likeness.

use realfft::RealFftPlanner;

/// A known sound, found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Its first sample, from the begin of what was searched.
    pub at: usize,
    /// Normalised cross-correlation: 1 is the very sound alone, 0.7 has another one as loud beside it. Two different sentences have less
    /// than 0.3.
    pub likeness: f64,
}

/// What is quieter than the sound looked for by more than this (20 dB) cannot have it in it.
const LEAST: f64 = 0.01;

/// Where `heard` is most like `known`, which is shorter and of the same rate. `None`: it is not shorter, or one of the two is silent.
pub fn place_of(known: &[i16], heard: &[i16]) -> Option<Place> {
    let of_known = energy(known);
    if known.len() > heard.len() || of_known == 0.0 {
        return None;
    }
    let products = products(known, heard)?;
    let mut within = energy(&heard[..known.len()]);
    let mut best: Option<Place> = None;
    for (at, product) in products.iter().enumerate().take(heard.len() - known.len() + 1) {
        if within > LEAST * of_known {
            let likeness = f64::from(*product) / (within * of_known).sqrt();
            if best.is_none_or(|best| likeness > best.likeness) {
                best = Some(Place { at, likeness });
            }
        }
        if let Some(next) = heard.get(at + known.len()) {
            within += f64::from(*next).powi(2) - f64::from(heard[at]).powi(2);
        }
    }
    best
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

/// For each place of `known` in `heard` the sum of their products, by way of their spectra. `None`: never, the lengths are the plan's own.
fn products(known: &[i16], heard: &[i16]) -> Option<Vec<f32>> {
    let length = heard.len().next_power_of_two().max(2);
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, back) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
    let spectrum = |samples: &[i16]| {
        let mut line = forward.make_input_vec();
        // So small that squares of squares keep their digits.
        line.iter_mut().zip(samples).for_each(|(place, sample)| *place = f32::from(*sample) / 32_768.0);
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut line, &mut spectrum).ok()?;
        Some(spectrum)
    };
    let mut both = spectrum(heard)?;
    both.iter_mut().zip(spectrum(known)?).for_each(|(heard, known)| *heard *= known.conj());
    let mut products = back.make_output_vec();
    back.process(&mut both, &mut products).ok()?;
    let scale = 32_768.0 * 32_768.0 / length as f32;
    products.iter_mut().for_each(|product| *product *= scale);
    Some(products)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Random;

    /// White noise: like nothing but itself.
    fn noise(seed: u64, samples: usize, most: u32) -> Vec<i16> {
        let mut random = Random::from_number(seed);
        (0..samples).map(|_| (i64::from(random.below(2 * most + 1)) - i64::from(most)) as i16).collect()
    }

    #[test]
    fn it_is_found_to_the_sample_beside_another_as_loud() {
        let known = noise(1, 8_000, 6_000);
        for at in [0, 1, 4_321, 16_000] {
            let mut heard = noise(2, 24_000, 6_000);
            heard[at..at + 8_000].iter_mut().zip(&known).for_each(|(place, sample)| *place += *sample);
            let place = place_of(&known, &heard).unwrap();
            assert_eq!(place.at, at);
            assert!((place.likeness - 0.707).abs() < 0.03, "{place:?}");
        }
        let mut alone = vec![0; 20_000];
        alone[700..8_700].copy_from_slice(&known);
        let place = place_of(&known, &alone).unwrap();
        assert!(place.at == 700 && place.likeness > 0.999, "{place:?}");
    }

    #[test]
    fn what_is_not_there_is_like_nothing() {
        assert!(place_of(&noise(1, 8_000, 6_000), &noise(2, 24_000, 6_000)).unwrap().likeness < 0.1);
        assert_eq!(place_of(&noise(1, 8_000, 6_000), &[0; 24_000]), None);
        assert_eq!(place_of(&[0; 8_000], &noise(2, 24_000, 6_000)), None);
        assert_eq!(place_of(&noise(1, 8_000, 9), &noise(2, 7_999, 9)), None);
    }
}
