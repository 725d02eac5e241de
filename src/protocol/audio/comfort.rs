//! Comfort noise (RFC 3389): noise of the level that the peer says it has, while it sends nothing.
//!
//! White: the spectrum that a packet may add to the level is not used.

/// Static payload type (RFC 3551 table 4).
pub const PAYLOAD_TYPE: u8 = 13;

/// A uniform distribution's peak, for an effective value of 1.
const PEAK: f64 = 1.732_050_807_568_877_2;

/// The level of a packet in −dBov, 0 (full scale) to 127; `None`: it is empty.
pub fn level(payload: &[u8]) -> Option<u8> {
    payload.first().map(|level| level & 0x7f)
}

#[derive(Debug, Clone)]
pub struct Noise {
    state: u32,
    peak: i32,
}

impl Default for Noise {
    /// Silence.
    fn default() -> Self {
        Noise { state: 0x2545_f491, peak: 0 }
    }
}

impl Noise {
    /// `level` in −dBov.
    pub fn set_level(&mut self, level: u8) {
        let effective = 32_768.0 * 10f64.powf(-f64::from(level) / 20.0);
        self.peak = (effective * PEAK).min(32_767.0) as i32;
    }

    pub fn sample(&mut self) -> i16 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let share = (self.state >> 16) as i32 - 32_768;
        ((share * self.peak) >> 15) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_has_the_level_that_was_sent() {
        let mut noise = Noise::default();
        assert!((0..100).all(|_| noise.sample() == 0));
        for dbov in [40, 60, 78] {
            noise.set_level(level(&[dbov | 0x80, 3, 4]).unwrap());
            let power = (0..8_000).map(|_| f64::from(noise.sample()).powi(2)).sum::<f64>() / 8_000.0;
            let measured = 10.0 * (power / 32_768f64.powi(2)).log10();
            assert!((measured + f64::from(dbov)).abs() < 1.0, "{measured} for -{dbov} dBov");
        }
        assert_eq!(level(&[]), None);
    }
}
