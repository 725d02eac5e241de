//! Adding and attenuating samples.

/// Sum of two voices, clipped and not wrapped.
pub fn add(a: i16, b: i16) -> i16 {
    a.saturating_add(b)
}

/// A gain of at most 0 dB, held as a fraction of 32,768.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gain(i32);

impl Gain {
    /// `db` above 0 counts as 0: what we play is only ever made quieter.
    pub fn from_db(db: f64) -> Self {
        Gain((10f64.powf(db.min(0.0) / 20.0) * 32_768.0).round() as i32)
    }

    pub fn apply(self, sample: i16) -> i16 {
        ((i32::from(sample) * self.0) >> 15) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_clip() {
        assert_eq!([add(30_000, 10_000), add(-30_000, -10_000), add(5, -7)], [32_767, -32_768, -2]);
    }

    #[test]
    fn twelve_db_down_is_a_quarter() {
        let gain = Gain::from_db(-12.0);
        assert_eq!([gain.apply(10_000), gain.apply(0)], [2_511, 0]);
        assert_eq!([Gain::from_db(0.0).apply(i16::MIN), Gain::from_db(6.0).apply(i16::MAX)], [i16::MIN, i16::MAX]);
    }
}
