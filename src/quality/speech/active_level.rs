//! Active speech level by ITU-T P.56 (12/2011), method B: the power of a signal over the time in which it is active, where
//! active is what an envelope, held for 200 ms, says at a threshold 15.9 dB below that very level.
//!
//! Powers and times are kept for stretches, so that what is no speech (music, a prompt) can be left out afterwards.

/// Time constant of the envelope, in seconds (P.56 table: T).
const SMOOTHING_S: f32 = 0.03;
/// How long activity is held, in seconds (H).
const HOLD_S: f32 = 0.2;
/// Level over threshold, in dB (M).
const MARGIN_DB: f64 = 15.9;
/// Thresholds 1, 2, 4 … 2^14 of a full scale of 2^15.
const THRESHOLDS: usize = 15;

/// An envelope below this is none: the lowest threshold is 1.
const LEAST: f32 = 1e-6;

/// Power and activity of a stretch; stretches add up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Stretch {
    samples: u64,
    /// Sum of squares.
    energy: f64,
    /// Samples in which exactly so many thresholds were reached.
    reached: [u32; THRESHOLDS + 1],
}

impl Stretch {
    pub(super) fn add(&mut self, other: &Stretch) {
        self.samples += other.samples;
        self.energy += other.energy;
        for (mine, theirs) in self.reached.iter_mut().zip(other.reached) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// dBov while active, and the share of time that is; `None`: nothing ever reached the lowest threshold.
    pub(crate) fn active(&self) -> Option<(f64, f64)> {
        let mut before: Option<(f64, f64)> = None;
        let mut active = u64::from(self.reached[1..].iter().copied().fold(0, u32::saturating_add));
        for threshold in 0..THRESHOLDS {
            if active == 0 {
                break;
            }
            let level = super::decibels(self.energy / active as f64);
            let margin = level - super::decibels(4f64.powi(threshold as i32));
            if margin <= MARGIN_DB {
                // Between two thresholds the level is taken to change in proportion to the margin.
                let level = before.map_or(level, |(level_before, margin_before)| {
                    let share = (margin_before - MARGIN_DB) / (margin_before - margin);
                    level_before + share * (level - level_before)
                });
                let mean = super::decibels(self.energy / self.samples as f64);
                return Some((level, 10f64.powf((mean - level) / 10.0).min(1.0)));
            }
            before = Some((level, margin));
            active -= u64::from(self.reached[threshold + 1]);
        }
        // Active by every threshold that it reached: nearly all of it is peaks.
        before.map(|(level, _)| {
            let mean = super::decibels(self.energy / self.samples as f64);
            (level, 10f64.powf((mean - level) / 10.0).min(1.0))
        })
    }
}

/// The envelope of one channel.
#[derive(Debug)]
pub(crate) struct Envelope {
    decay: f32,
    hold: u64,
    once: f32,
    twice: f32,
    /// The number of the next sample.
    at: u64,
    /// So many thresholds are reached.
    now: usize,
    /// When so many were last reached, of all but those of now.
    last: [u64; THRESHOLDS + 1],
    /// So many are reached or held, up to which sample.
    held: usize,
    until: u64,
    stretch: Stretch,
}

impl Envelope {
    pub(crate) fn new(rate_hz: u32) -> Envelope {
        Envelope {
            decay: (-1.0 / (rate_hz as f32 * SMOOTHING_S)).exp(),
            hold: (rate_hz as f32 * HOLD_S) as u64,
            once: 0.0,
            twice: 0.0,
            at: 0,
            now: 0,
            last: [0; THRESHOLDS + 1],
            held: 0,
            until: u64::MAX,
            stretch: Stretch::default(),
        }
    }

    pub(crate) fn hear(&mut self, samples: &[i16]) {
        let rise = 1.0 - self.decay;
        let (mut once, mut twice) = (self.once, self.twice);
        let mut energy = 0u64;
        let mut counted = self.at;
        for sample in samples {
            let magnitude = sample.unsigned_abs();
            energy += u64::from(u32::from(magnitude) * u32::from(magnitude));
            once = self.decay * once + rise * f32::from(magnitude);
            twice = self.decay * twice + rise * once;
            let reached = reached(twice);
            // Seldom: most of the time nothing changes.
            if reached != self.now || self.at > self.until {
                self.count(&mut counted);
                self.change(reached);
            }
            self.at += 1;
        }
        self.count(&mut counted);
        // Numbers that are nearly nothing cost the processor a hundred times as much.
        (self.once, self.twice) = if once.max(twice) < LEAST { (0.0, 0.0) } else { (once, twice) };
        self.stretch.energy += energy as f64;
        self.stretch.samples += samples.len() as u64;
    }

    /// What was held up to the sample before this one.
    fn count(&mut self, counted: &mut u64) {
        self.stretch.reached[self.held] += (self.at - *counted) as u32;
        *counted = self.at;
    }

    /// From this sample on `reached` thresholds are.
    fn change(&mut self, reached: usize) {
        if self.at > 0 {
            self.last[self.now] = self.at - 1;
        }
        self.now = reached;
        let held = (reached + 1..=THRESHOLDS).rev().find(|n| self.last[*n] > 0 && self.at - self.last[*n] <= self.hold);
        self.held = held.unwrap_or(reached);
        // Held by what is reached now for as long as that lasts.
        self.until = held.map_or(u64::MAX, |held| self.last[held] + self.hold);
    }

    /// Everything since this was last asked.
    pub(crate) fn take(&mut self) -> Stretch {
        std::mem::take(&mut self.stretch)
    }
}

/// How many of 1, 2, 4 … are not above it.
fn reached(envelope: f32) -> usize {
    if envelope < 1.0 {
        return 0;
    }
    // The exponent is the logarithm, rounded down.
    ((envelope.to_bits() >> 23) as usize - 126).min(THRESHOLDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(signal: impl Iterator<Item = f64>) -> (f64, f64) {
        let samples: Vec<i16> = signal.map(|s| s.round() as i16).collect();
        let mut envelope = Envelope::new(8_000);
        envelope.hear(&samples);
        envelope.take().active().unwrap()
    }

    /// A sine whose power is −20 dBov.
    fn sine(n: u32) -> f64 {
        4_634.0 * (f64::from(n) * 0.7).sin()
    }

    fn near((level, activity): (f64, f64), wanted: f64, active: f64) {
        assert!((level - wanted).abs() < 0.06, "{level} dBov, not {wanted}");
        assert!((activity - active).abs() < 0.005, "{activity}, not {active}");
    }

    /// What the method gives by its own definition: the hold adds up to 200 ms of quiet to each burst, the envelope takes some
    /// milliseconds to rise.
    #[test]
    fn tones_and_pauses() {
        near(level((0..32_000).map(sine)), -19.97, 0.994);
        near(level((0..32_000).map(|n| if n < 16_000 { sine(n) } else { 0.0 })), -20.55, 0.568);
        let gaps = (0..33_600).map(|n| if n % 8_400 < 8_000 { sine(n) } else { 0.0 });
        near(level(gaps), -20.19, 0.994);
    }

    #[test]
    fn stretches_add_up_to_the_whole_and_can_be_left_out() {
        let tone: Vec<i16> = (0..16_000).map(|n| sine(n) as i16).collect();
        let loud: Vec<i16> = tone.iter().map(|s| s * 5).collect();
        let mut envelope = Envelope::new(8_000);
        let parts = [&tone[..], &[0; 8_000], &loud, &[0; 8_000], &tone].map(|part| {
            envelope.hear(part);
            envelope.take()
        });
        let mut sum = Stretch::default();
        parts.iter().for_each(|part| sum.add(part));
        let mut at_once = Envelope::new(8_000);
        at_once.hear(&[&tone[..], &[0; 8_000], &loud, &[0; 8_000], &tone].concat());
        assert_eq!(sum, at_once.take());
        assert!(sum.active().unwrap().0 > -15.0);
        let mut quiet = Stretch::default();
        [0, 1, 4].iter().for_each(|n| quiet.add(&parts[*n]));
        near(quiet.active().unwrap(), -20.3, 0.85);
    }

    #[test]
    fn nothing_has_no_level() {
        let mut envelope = Envelope::new(16_000);
        envelope.hear(&[0; 16_000]);
        assert_eq!(envelope.take().active(), None);
        assert_eq!(Stretch::default().active(), None);
    }
}
