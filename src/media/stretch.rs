//! What a person's line was like for about a second, so that a live call can be acted on: is there voice, how loud, over how
//! much noise, does anything come at all.
//!
//! Unlike the meter of [`super::level`], whose floor takes its time, the floor here is the quietest frame of the last two
//! seconds: a line that is noisy from its first word on is known within a second. Voice is 10 dB above it (a faint voice
//! shall count: whoever is heard at all is not silent) and above −60 dBov, a step of A-law over digital silence.

use super::level::dbov;

/// Frames of 20 ms in a second.
const FRAMES_A_SECOND: u32 = 50;
const FRAME_MS: u32 = 20;
/// Frames that the floor looks back at: 2 s.
const LOOK_BACK: usize = 100;
/// The floor is not above this before a second was heard: −50 dBov.
const FIRST_FLOOR: f64 = 32_768.0 * 32_768.0 * 1e-5;
/// Nothing quieter is voice: −60 dBov.
const QUIETEST: f64 = 32_768.0 * 32_768.0 * 1e-6;
/// Voice over floor: 10 dB.
const MARGIN: f64 = 10.0;
/// Of a stretch's frames so many are its loudest: one in five.
const LOUDEST: usize = 5;
/// Voice of this length is a word, a shorter sound may be a click.
const WORD_MS: u32 = 200;

/// A stretch of one person's sound as it was received, prompts of ours left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// 100 to 1,000.
    pub lasted_ms: u32,
    pub voice_ms: u32,
    /// Mean of the frames with voice; `None`: there were none.
    pub active_dbov: Option<f64>,
    /// Mean of the loudest fifth, and the quietest 20 ms of the last two seconds.
    pub loudest_dbov: f64,
    pub floor_dbov: f64,
    /// Packets came in it, or the phone had announced that it would be quiet (comfort noise).
    pub comes: bool,
}

impl Stretch {
    /// A word or more.
    pub fn is_voice(&self) -> bool {
        self.voice_ms >= WORD_MS
    }

    /// How far the loudest is above the floor, in dB.
    pub fn over_floor_db(&self) -> f64 {
        self.loudest_dbov - self.floor_dbov
    }
}

#[derive(Debug)]
pub(super) struct Ear {
    frame: usize,
    /// Power of the last frames, in a ring.
    floor: [f64; LOOK_BACK],
    heard: u64,
    powers: Vec<f64>,
    voice: u32,
    voice_power: f64,
    comes: bool,
    /// The stretch before had a word in it.
    spoke: bool,
}

impl Ear {
    /// `rate_hz`: of the samples to come.
    pub(super) fn new(rate_hz: u32) -> Ear {
        Ear {
            frame: (rate_hz / FRAMES_A_SECOND) as usize,
            floor: [f64::INFINITY; LOOK_BACK],
            heard: 0,
            powers: Vec::with_capacity(FRAMES_A_SECOND as usize),
            voice: 0,
            voice_power: 0.0,
            comes: false,
            spoke: false,
        }
    }

    /// A packet, or the announcement that none will come.
    pub(super) fn comes(&mut self) {
        self.comes = true;
    }

    /// The next block; a part of a frame at its end is not measured.
    pub(super) fn hear(&mut self, samples: &[i16]) {
        for frame in samples.chunks_exact(self.frame) {
            let power = frame.iter().map(|sample| i64::from(*sample).pow(2)).sum::<i64>() as f64 / frame.len() as f64;
            self.floor[(self.heard % LOOK_BACK as u64) as usize] = power;
            self.heard += 1;
            self.powers.push(power);
            if power > (self.floor() * MARGIN).max(QUIETEST) {
                self.voice += 1;
                self.voice_power += power;
            }
        }
    }

    fn floor(&self) -> f64 {
        let quietest = self.floor.iter().copied().fold(f64::INFINITY, f64::min);
        if self.heard < FRAMES_A_SECOND.into() { quietest.min(FIRST_FLOOR) } else { quietest }
    }

    /// A second is full, or a voice has just begun: nobody who speaks shall wait for the end of the second.
    pub(super) fn is_due(&self) -> bool {
        let began = !self.spoke && self.voice * FRAME_MS >= WORD_MS;
        self.powers.len() >= FRAMES_A_SECOND as usize || began
    }

    /// What was heard since the last time.
    pub(super) fn take(&mut self) -> Stretch {
        let frames = self.powers.len();
        self.powers.sort_unstable_by(f64::total_cmp);
        let loudest = &self.powers[frames - frames.div_ceil(LOUDEST)..];
        let loudest_dbov = dbov(loudest.iter().sum::<f64>() / loudest.len().max(1) as f64);
        let stretch = Stretch {
            lasted_ms: frames as u32 * FRAME_MS,
            voice_ms: self.voice * FRAME_MS,
            active_dbov: (self.voice > 0).then(|| dbov(self.voice_power / f64::from(self.voice))),
            loudest_dbov,
            floor_dbov: if frames == 0 { dbov(0.0) } else { dbov(self.floor()) },
            comes: std::mem::take(&mut self.comes),
        };
        self.spoke = stretch.is_voice();
        (self.voice, self.voice_power) = (0, 0.0);
        self.powers.clear();
        stretch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Random;

    /// White noise of this level.
    fn noise(level_dbov: f64, seconds: usize) -> Vec<i16> {
        let rms = 32_768.0 * 10.0_f64.powf(level_dbov / 20.0);
        let mut random = Random::from_number(3);
        let mut uniform = || f64::from(random.below(20_001)) / 10_000.0 - 1.0;
        (0..seconds * 8_000).map(|_| (uniform() * rms * 3.0_f64.sqrt()).round() as i16).collect()
    }

    /// Bursts of 300 ms of a tone of this level, pauses of 150 ms.
    fn speech(level_dbov: f64, seconds: usize) -> Vec<i16> {
        let peak = 32_768.0 * 10.0_f64.powf(level_dbov / 20.0) * 2.0_f64.sqrt();
        let spoken = |n: usize| if n % 3_600 < 2_400 { (peak * (n as f64 * 0.4).sin()).round() as i16 } else { 0 };
        (0..seconds * 8_000).map(spoken).collect()
    }

    fn mixed(one: &[i16], other: &[i16]) -> Vec<i16> {
        one.iter().zip(other).map(|(a, b)| a.saturating_add(*b)).collect()
    }

    fn stretches(sound: &[i16]) -> Vec<Stretch> {
        let mut ear = Ear::new(8_000);
        let block = |block: &[i16]| {
            ear.hear(block);
            ear.is_due().then(|| ear.take())
        };
        sound.chunks(800).filter_map(block).collect()
    }

    #[test]
    fn noise_is_no_voice_after_the_first_second_and_its_level_is_right() {
        let heard = stretches(&noise(-30.0, 5));
        assert!(heard.iter().skip(2).all(|s| s.voice_ms == 0), "{heard:#?}");
        let last = heard.last().unwrap();
        assert!((-33.0..=-30.0).contains(&last.floor_dbov) && last.over_floor_db() < 5.0, "{last:?}");
    }

    #[test]
    fn faint_normal_and_buried_speech_are_told_apart() {
        let quiet = noise(-70.0, 6);
        for (level, voice) in [(-20.0, true), (-45.0, true), (-55.0, true), (-68.0, false)] {
            let heard = stretches(&mixed(&quiet, &speech(level, 6)));
            let words = heard.iter().skip(2).filter(|s| s.is_voice()).count();
            assert_eq!(words > 2, voice, "{level} dBov: {heard:#?}");
            if voice {
                let active = heard.last().unwrap().active_dbov.unwrap();
                assert!((active - level).abs() < 1.5, "{active}, not {level}");
            }
        }
        let buried = stretches(&mixed(&noise(-25.0, 6), &speech(-27.0, 6)));
        let last = buried.last().unwrap();
        assert!(last.floor_dbov > -30.0 && last.over_floor_db() < 10.0, "{last:?}");
    }

    #[test]
    fn a_voice_that_begins_is_told_within_a_third_of_a_second_and_silence_once_a_second() {
        let sound: Vec<i16> = [vec![0; 24_000], speech(-25.0, 1)].concat();
        let mut ear = Ear::new(8_000);
        let mut told = Vec::new();
        for (n, block) in sound.chunks(800).enumerate() {
            ear.hear(block);
            if ear.is_due() {
                told.push((n, ear.take()));
            }
        }
        assert_eq!(told.iter().map(|(n, _)| *n).collect::<Vec<_>>()[..4], [9, 19, 29, 31]);
        assert!(told[3].1.is_voice() && told[..3].iter().all(|(_, s)| !s.is_voice() && !s.comes));
        ear.comes();
        assert!(ear.take().comes && !ear.take().comes);
    }
}
