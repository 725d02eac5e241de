//! Comfort noise (RFC 3389): noise of the level, and of the spectrum, that the peer says it has, while it sends nothing.

/// Static payload type (RFC 3551 table 4).
pub const PAYLOAD_TYPE: u8 = 13;

/// Coefficients of the spectrum that are used. The first ones of a longer model are a model by themselves.
pub const ORDER: usize = 10;

/// A uniform distribution's peak, for an effective value of 1.
const PEAK: f64 = 1.732_050_807_568_877_2;

/// What is used of a packet (section 3): the level, then reflection coefficients, as they are coded.
pub fn used(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(1 + ORDER)]
}

/// White noise through an all-pole lattice.
#[derive(Debug, Clone)]
pub struct Noise {
    state: u32,
    /// Greatest excitation.
    peak: f32,
    reflection: [f32; ORDER],
    order: usize,
    /// The lattice's backward errors, one sample old.
    backward: [f32; ORDER],
}

impl Default for Noise {
    /// Silence.
    fn default() -> Self {
        Noise { state: 0x2545_f491, peak: 0.0, reflection: [0.0; ORDER], order: 0, backward: [0.0; ORDER] }
    }
}

impl Noise {
    /// `level` in −dBov, 0 (full scale) to 127; the highest bit is none of it. It is white until coefficients follow.
    pub fn set_level(&mut self, level: u8) {
        let effective = 32_768.0 * 10f64.powf(-f64::from(level & 0x7f) / 20.0);
        self.peak = (effective * PEAK) as f32;
        self.order = 0;
    }

    /// The next reflection coefficient of the spectrum, as it is coded (section 3.2: 0 to 254, 127 is nought). The level stays.
    pub fn add_coefficient(&mut self, code: u8) {
        if let Some(place) = self.reflection.get_mut(self.order) {
            let reflection = 258.0 * (f32::from(code.min(254)) - 127.0) / 32_768.0;
            *place = reflection;
            self.order += 1;
            // The filter makes it louder by just that.
            self.peak *= (1.0 - reflection * reflection).sqrt();
        }
    }

    /// It has a spectrum, which is one of 8 kHz.
    pub fn is_shaped(&self) -> bool {
        self.order > 0
    }

    pub fn sample(&mut self) -> i16 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let share = (self.state >> 16) as f32 / 32_768.0 - 1.0;
        let sample = self.shaped(share * self.peak);
        sample.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
    }

    fn shaped(&mut self, excitation: f32) -> f32 {
        let mut forward = excitation;
        for stage in (0..self.order).rev() {
            let (reflection, before) = (self.reflection[stage], self.backward[stage]);
            forward -= reflection * before;
            if let Some(next) = self.backward.get_mut(stage + 1) {
                *next = before + reflection * forward;
            }
        }
        self.backward[0] = forward;
        forward
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Correlation of so many samples with themselves `lag` later.
    fn correlation(samples: &[f64], lag: usize) -> f64 {
        samples.iter().zip(&samples[lag..]).map(|(a, b)| a * b).sum::<f64>() / samples.len() as f64
    }

    fn made(packet: &[u8]) -> Vec<f64> {
        let (mut noise, (level, coefficients)) = (Noise::default(), used(packet).split_first().unwrap());
        noise.set_level(*level);
        coefficients.iter().for_each(|code| noise.add_coefficient(*code));
        (0..80_000).map(|_| f64::from(noise.sample())).collect()
    }

    fn dbov(samples: &[f64]) -> f64 {
        10.0 * (correlation(samples, 0) / 32_768f64.powi(2)).log10()
    }

    #[test]
    fn the_noise_has_the_level_that_was_sent_whatever_its_spectrum() {
        let mut silence = Noise::default();
        assert!((0..100).all(|_| silence.sample() == 0));
        for spectrum in [&[][..], &[20], &[240, 60], &[30, 200, 110, 127, 150, 100, 140, 127, 120, 130, 1, 2, 3]] {
            for level in [30, 40, 60, 78] {
                let measured = dbov(&made(&[&[level | 0x80], spectrum].concat()));
                assert!((measured + f64::from(level)).abs() < 1.0, "{measured} for -{level} dBov, {spectrum:?}");
            }
        }
    }

    /// The coefficients that linear prediction finds in the noise are those of the packet.
    #[test]
    fn the_noise_has_the_spectrum_that_was_sent() {
        for (first, second) in [(13, 127), (241, 127), (60, 200), (180, 90)] {
            let coefficient = |code: u8| 258.0 * (f64::from(code) - 127.0) / 32_768.0;
            let samples = made(&[40, first, second]);
            let [r0, r1, r2] = [0, 1, 2].map(|lag| correlation(&samples, lag));
            let k1 = -r1 / r0;
            let k2 = -(r2 + k1 * r1) / (r0 * (1.0 - k1 * k1));
            assert!((k1 - coefficient(first)).abs() < 0.02, "{k1} for {first}");
            assert!((k2 - coefficient(second)).abs() < 0.02, "{k2} for {second}");
        }
    }

    #[test]
    fn any_packet_makes_bounded_noise() {
        for packet in [&[0, 0, 254, 0, 254, 255, 255, 0, 0, 0, 0][..], &[255; 60], &[0; 60]] {
            assert!(made(packet).iter().all(|sample| sample.is_finite()));
        }
    }
}
