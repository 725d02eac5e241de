//! What a person's line was like for about a second, so that a live call can be acted on: is there voice, how loud, over how
//! much noise, does anything come at all.
//!
//! Unlike the meter of [`super::level`], whose floor takes its time, the floor here is the quietest frame of the last two
//! seconds: a line that is noisy from its first word on is known within a second. What is 10 dB above it (a faint voice
//! shall count: whoever is heard at all is not silent) and above −60 dBov, a step of A-law over digital silence, is sound; and
//! whether that is a voice, and no click or slamming door, the detector says that hears recordings too (to it noise is one until its
//! floor is known). It is asked of some frames only: until 80 ms in a row were a voice (from there on all
//! sound of the stretch is), and of half a second at most. A steady tone or two (a ringing tone, a fax machine, a key) are neither sound nor
//! voice; until a word was heard each frame of sound is looked at for that. Music is sound, and mostly a voice: only a whole recording tells.
//!
//! Levels of voice are active speech levels by ITU-T P.56, method B, of the one stretch.

use super::SAMPLE_RATE_HZ;
use super::level::dbov;
use crate::quality::speech::{Detector, Envelope, FRAME_MS, Steady, VOICE};

/// Frames of a second, the last one cut.
const SECOND: usize = 62;
/// Frames that the floor looks back at: 2 s.
const LOOK_BACK: usize = 125;
/// The floor is not above this before a second was heard: −50 dBov.
const FIRST_FLOOR: f64 = 32_768.0 * 32_768.0 * 1e-5;
/// Nothing quieter is sound: −60 dBov.
const QUIETEST: f64 = 32_768.0 * 32_768.0 * 1e-6;
/// Sound over floor: 10 dB.
const MARGIN: f64 = 10.0;
/// Of a stretch's frames so many are its loudest: one in five.
const LOUDEST: usize = 5;
/// Voice of this length is a word, a shorter sound may be a click.
const WORD_MS: u32 = 200;
/// Frames of a voice in a row after which the sound of the stretch is taken for it: 80 ms. A click on a key has two of them.
const SURE: u32 = 5;
/// Frames of voice from which on no tone is looked for: 208 ms, a word.
const WORD: u32 = 13;
/// Frames of a stretch that the detector is asked about at most: 496 ms.
const ASKED: u32 = 31;

/// A stretch of one person's sound as it was received, prompts of ours left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// 100 to 1,100.
    pub lasted_ms: u32,
    /// Of it above the floor, whatever it was but a tone; and a voice.
    pub sound_ms: u32,
    pub voice_ms: u32,
    /// One steady tone or two, and nothing beside it.
    pub tone_ms: u32,
    /// Active speech level; `None`: there was no voice.
    pub active_dbov: Option<f64>,
    /// Mean of the loudest fifth, and the quietest 20 ms of the last two seconds.
    pub loudest_dbov: f64,
    pub floor_dbov: f64,
    /// Packets came in it, or the phone had announced that it would be quiet (comfort noise).
    pub comes: bool,
}

impl Stretch {
    /// Something that may be a word: whom the detector does not know for a voice is not silent.
    pub fn is_heard(&self) -> bool {
        self.sound_ms >= WORD_MS
    }

    /// A word or more.
    pub fn is_voice(&self) -> bool {
        self.voice_ms >= WORD_MS
    }

    /// A machine, as far as one hears.
    pub fn is_tone(&self) -> bool {
        2 * self.tone_ms >= self.lasted_ms
    }

    /// How far the loudest is above the floor, in dB.
    pub fn over_floor_db(&self) -> f64 {
        self.loudest_dbov - self.floor_dbov
    }
}

#[derive(Debug)]
pub(super) struct Ear {
    /// The begin of a frame.
    waiting: Vec<i16>,
    /// Power of the last frames, in a ring.
    floor: [f64; LOOK_BACK],
    heard: u64,
    powers: Vec<f64>,
    envelope: Envelope,
    detector: Detector,
    steady: Steady,
    /// In this stretch.
    asked: u32,
    sound: u32,
    voice: u32,
    tone: u32,
    /// The last frames of this stretch, if all were sound that is no tone yet; and whether the one before this was of a tone.
    undecided: u32,
    in_tone: bool,
    /// The detector's last answers, if they were yes.
    row: u32,
    /// The frame before was sound of which nothing is known yet.
    open: bool,
    comes: bool,
    /// Something was heard in the stretch before.
    spoke: bool,
}

impl Ear {
    /// `rate_hz`: of the samples to come.
    pub(super) fn new(rate_hz: u32) -> Ear {
        Ear {
            waiting: Vec::new(),
            floor: [f64::INFINITY; LOOK_BACK],
            heard: 0,
            powers: Vec::with_capacity(SECOND + LOUDEST),
            envelope: Envelope::new(rate_hz),
            detector: Detector::new(rate_hz),
            steady: Steady::new(rate_hz == 2 * SAMPLE_RATE_HZ),
            asked: 0,
            sound: 0,
            voice: 0,
            tone: 0,
            undecided: 0,
            in_tone: false,
            row: 0,
            open: false,
            comes: false,
            spoke: false,
        }
    }

    /// A packet, or the announcement that none will come.
    pub(super) fn comes(&mut self) {
        self.comes = true;
    }

    /// The next block, of any length.
    pub(super) fn hear(&mut self, samples: &[i16]) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.extend_from_slice(samples);
        let length = self.detector.length();
        let whole = waiting.len() - waiting.len() % length;
        waiting[..whole].chunks_exact(length).for_each(|frame| self.frame(frame));
        waiting.drain(..whole);
        self.waiting = waiting;
    }

    fn frame(&mut self, frame: &[i16]) {
        let power = frame.iter().map(|sample| i64::from(*sample).pow(2)).sum::<i64>() as f64 / frame.len() as f64;
        self.floor[(self.heard % LOOK_BACK as u64) as usize] = power;
        self.heard += 1;
        self.powers.push(power);
        self.envelope.hear(frame);
        let sounds = power > (self.floor() * MARGIN).max(QUIETEST);
        if self.is_of_tone(frame, sounds) {
            return self.detector.pass(frame);
        }
        self.sound += u32::from(sounds);
        if self.voice >= SURE {
            self.voice += u32::from(sounds);
            return self.detector.pass(frame);
        }
        let before = std::mem::replace(&mut self.open, sounds);
        if (sounds || before) && self.asked < ASKED {
            self.asked += 1;
            self.row = if self.detector.ask(frame) >= VOICE && before { self.row + 1 } else { 0 };
            if self.row >= SURE {
                (self.voice, self.row) = (SURE, 0);
            }
        } else {
            self.row = 0;
            self.detector.pass(frame);
        }
    }

    /// Once a tone is known for one, what its first frames were taken for is taken back.
    fn is_of_tone(&mut self, frame: &[i16], sounds: bool) -> bool {
        // A tone that lasts becomes the floor.
        let frames = match self.voice < WORD && (sounds || self.in_tone) {
            true => self.steady.hear(frame),
            false => {
                self.steady.pass(frame);
                0
            }
        };
        if frames == 0 {
            self.in_tone = false;
            self.undecided = if sounds { self.undecided + 1 } else { 0 };
            return false;
        }
        let before = if self.in_tone { 0 } else { self.undecided.min(frames - 1) };
        (self.in_tone, self.undecided) = (true, 0);
        self.tone += before + 1;
        self.sound -= before.min(self.sound);
        self.voice = self.voice.checked_sub(before).filter(|left| *left >= SURE).unwrap_or(0);
        (self.row, self.open) = (0, false);
        true
    }

    fn floor(&self) -> f64 {
        let quietest = self.floor.iter().copied().fold(f64::INFINITY, f64::min);
        if self.heard < SECOND as u64 { quietest.min(FIRST_FLOOR) } else { quietest }
    }

    /// A second is full, or a voice has just begun: nobody who speaks shall wait for the end of the second.
    pub(super) fn is_due(&self) -> bool {
        let began = !self.spoke && (millis(self.voice) >= WORD_MS || millis(self.sound) >= 2 * WORD_MS);
        self.powers.len() >= SECOND || began
    }

    /// What was heard since the last time.
    pub(super) fn take(&mut self) -> Stretch {
        let frames = self.powers.len();
        self.powers.sort_unstable_by(f64::total_cmp);
        let loudest = &self.powers[frames - frames.div_ceil(LOUDEST)..];
        let loudest_dbov = dbov(loudest.iter().sum::<f64>() / loudest.len().max(1) as f64);
        let active = self.envelope.take().active().filter(|_| self.voice > 0);
        let stretch = Stretch {
            lasted_ms: millis(frames as u32),
            sound_ms: millis(self.sound),
            voice_ms: millis(self.voice),
            tone_ms: millis(self.tone),
            active_dbov: active.map(|(level, _)| level),
            loudest_dbov,
            floor_dbov: if frames == 0 { dbov(0.0) } else { dbov(self.floor()) },
            comes: std::mem::take(&mut self.comes),
        };
        self.spoke = stretch.is_heard();
        (self.sound, self.voice, self.tone, self.asked, self.undecided) = (0, 0, 0, 0, 0);
        self.powers.clear();
        stretch
    }
}

fn millis(frames: u32) -> u32 {
    frames * FRAME_MS as u32
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use super::*;
    use crate::ids::Random;
    use crate::media::wav;
    use crate::protocol::audio::g711::Law;

    const VOICES: [&str; 5] = [
        "src/sim/voices/caller.wav",
        "src/sim/voices/agent.wav",
        "dialplans/prompts/zh-CN/msg.invite.wav",
        "dialplans/prompts/zh-CN/hold.lookup.wav",
        "dialplans/prompts/zh-CN/ask.number.wav",
    ];

    /// White noise of this level.
    fn noise(level_dbov: f64, samples: usize) -> Vec<i16> {
        let rms = 32_768.0 * 10.0_f64.powf(level_dbov / 20.0);
        let mut random = Random::from_number(3);
        let mut uniform = || f64::from(random.below(20_001)) / 10_000.0 - 1.0;
        (0..samples).map(|_| (uniform() * rms * 3.0_f64.sqrt()).round() as i16).collect()
    }

    /// A person's voice of 8 kHz at this active level (P.56), as A-law brings it.
    fn voice(file: &str, level_dbov: f64) -> Vec<i16> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let (samples, rate_hz) = wav::read_mono(File::open(path).unwrap()).unwrap();
        assert_eq!(rate_hz, 8_000);
        let mut envelope = Envelope::new(rate_hz);
        envelope.hear(&samples);
        let gain = 10.0_f64.powf((level_dbov - envelope.take().active().unwrap().0) / 20.0);
        let coded = |sample: &i16| Law::A.decode(Law::A.encode((f64::from(*sample) * gain).round() as i16));
        samples.iter().map(coded).collect()
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

    fn voice_ms(heard: &[Stretch]) -> u32 {
        heard.iter().map(|stretch| stretch.voice_ms).sum()
    }

    /// Mean of the stretches with a word, each as long as its voice.
    fn active(heard: &[Stretch]) -> f64 {
        let words = || heard.iter().filter(|stretch| stretch.is_voice());
        let power = |s: &Stretch| f64::from(s.voice_ms) * 10.0_f64.powf(s.active_dbov.unwrap() / 10.0);
        10.0 * (words().map(power).sum::<f64>() / words().map(|s| f64::from(s.voice_ms)).sum::<f64>()).log10()
    }

    #[test]
    fn noise_is_no_voice_after_a_second_and_its_level_is_right() {
        for level in [-30.0, -45.0] {
            let heard = stretches(&noise(level, 40_000));
            assert_eq!(voice_ms(&heard[3..]), 0, "{heard:#?}");
            let last = heard.last().unwrap();
            assert!((level - 3.0..=level).contains(&last.floor_dbov) && last.over_floor_db() < 5.0, "{last:?}");
        }
    }

    /// Noise that grows louder by so many dB a second, and then stays as it is.
    fn swelling(from_dbov: f64, to_dbov: f64, db_a_second: f64, seconds: usize) -> Vec<i16> {
        let level = |n: usize| (from_dbov + n as f64 / 8_000.0 * db_a_second).min(to_dbov);
        let steady = noise(to_dbov, seconds * 8_000);
        let gain = |n: usize| 10.0_f64.powf((level(n) - to_dbov) / 20.0);
        steady.iter().enumerate().map(|(n, sample)| (f64::from(*sample) * gain(n)).round() as i16).collect()
    }

    #[test]
    fn the_floor_follows_noise_that_swells_two_seconds_behind() {
        for slope in [0.5, 1.0, 2.0, 3.0] {
            let mut passed_s = 0.0;
            for (n, heard) in stretches(&swelling(-60.0, -28.0, slope, 75)).iter().enumerate() {
                passed_s += f64::from(heard.lasted_ms) / 1_000.0;
                let truth = (-60.0 + slope * passed_s).min(-28.0);
                let expected = truth - 2.0 * slope - 3.0..=truth + 0.5;
                assert!(n < 2 || expected.contains(&heard.floor_dbov), "{slope} dB/s, {truth}: {heard:?}");
                assert!(n < 2 || heard.over_floor_db() < 10.0, "{slope} dB/s, {truth}: {heard:?}");
                assert!(n < 2 || heard.voice_ms == 0, "{slope} dB/s, {truth}: {heard:?}");
            }
        }
        // Whatever rises faster is no floor while it rises; two seconds later it is.
        for slope in [8.0, 32.0] {
            let heard = stretches(&swelling(-60.0, -28.0, slope, 15));
            let settled = &heard[heard.len() - 7..];
            assert!(settled.iter().all(|s| s.floor_dbov > -32.0 && s.over_floor_db() < 5.0), "{heard:#?}");
            assert_eq!(voice_ms(settled), 0, "{heard:#?}");
        }
    }

    #[test]
    fn a_voice_of_known_level_has_that_level_and_most_of_it_is_told_for_voice() {
        for file in VOICES {
            for level in [-20.0, -26.0, -40.0] {
                let sound = [noise(-70.0, 8_000), voice(file, level), noise(-70.0, 8_000)].concat();
                let heard = stretches(&sound);
                let mut envelope = Envelope::new(8_000);
                envelope.hear(&sound);
                let (_, activity) = envelope.take().active().unwrap();
                let spoken_ms = activity * sound.len() as f64 / 8.0;
                let share = f64::from(voice_ms(&heard)) / spoken_ms;
                assert!((active(&heard) - level).abs() < 1.5, "{file}: {} at {level} dBov", active(&heard));
                assert!((0.6..1.1).contains(&share), "{file} at {level} dBov: {share:.2} of {spoken_ms:.0} ms");
            }
        }
    }

    #[test]
    fn level_over_noise_of_known_level() {
        for (level, below) in [(-26.0, -46.0), (-26.0, -56.0)] {
            let spoken: Vec<i16> = VOICES.iter().flat_map(|file| voice(file, level)).collect();
            let heard = stretches(&mixed(&spoken, &noise(below, spoken.len())));
            let settled = &heard[2..];
            let floor = settled.iter().map(|s| s.floor_dbov).sum::<f64>() / settled.len() as f64;
            assert!((floor - below).abs() < 3.0, "{floor}, not {below}");
            assert!((active(settled) - level).abs() < 1.5, "{}, not {level}", active(settled));
        }
    }

    #[test]
    fn faint_normal_and_buried_speech_are_told_apart() {
        for (level, words) in [(-20.0, true), (-45.0, true), (-52.0, true), (-72.0, false)] {
            let spoken: Vec<i16> = VOICES.iter().flat_map(|file| voice(file, level)).collect();
            let heard = stretches(&mixed(&spoken, &noise(-75.0, spoken.len())));
            let count = heard.iter().filter(|s| s.is_voice()).count();
            assert_eq!(count > heard.len() / 2, words, "{level} dBov: {heard:#?}");
            assert!(words || count == 0, "{level} dBov: {count}");
        }
        let spoken: Vec<i16> = VOICES.iter().flat_map(|file| voice(file, -27.0)).collect();
        let buried = stretches(&mixed(&noise(-25.0, spoken.len()), &spoken));
        let last = buried.last().unwrap();
        assert!(last.floor_dbov > -30.0 && last.over_floor_db() < 10.0, "{last:?}");
    }

    #[test]
    fn clicks_and_bangs_are_loud_and_no_words() {
        let still = |samples| noise(-70.0, samples);
        // By their energy alone they would be words.
        let typing: Vec<i16> = (0..40).flat_map(|n| [noise(-25.0, 240 + n), still(1_200)].concat()).collect();
        let bangs = [noise(-18.0, 1_200), still(6_800)].concat().repeat(6);
        for (what, sound) in [("typing", typing), ("bangs", bangs)] {
            let heard = stretches(&[still(16_000), sound].concat());
            assert!(heard.iter().any(|s| s.loudest_dbov > -30.0), "{what}: {heard:#?}");
            assert!(what != "typing" || heard.iter().any(Stretch::is_heard), "{heard:#?}");
            assert!(heard.iter().all(|s| !s.is_voice()), "{what}: {heard:#?}");
        }
        assert!(stretches(&[0; 40_000]).iter().all(|s| s.voice_ms == 0 && s.active_dbov.is_none() && !s.comes));
    }

    /// These tones together, at this level each; `on` and `off` in ms.
    fn tones(hz: &[f64], level_dbov: f64, (on, off): (usize, usize), seconds: usize) -> Vec<i16> {
        let peak = 32_768.0 * 10.0_f64.powf(level_dbov / 20.0) * 2.0_f64.sqrt();
        let sample = |n: usize| {
            let sounds = n / 8 % (on + off) < on;
            let sum: f64 = hz.iter().map(|hz| (std::f64::consts::TAU * hz * n as f64 / 8_000.0).sin()).sum();
            let plain = if sounds { (peak * sum).round() as i16 } else { 0 };
            Law::A.decode(Law::A.encode(plain))
        };
        (0..seconds * 8_000).map(sample).collect()
    }

    /// CED of a fax machine whose phase turns every 450 ms (ITU-T G.164, V.25).
    fn answer_tone() -> Vec<i16> {
        let steady = tones(&[2_100.0], -20.0, (1, 0), 4);
        steady.iter().enumerate().map(|(n, s)| if n / 3_600 % 2 == 0 { *s } else { -*s }).collect()
    }

    /// Chords of three with partials that die away, as hold music is.
    fn music(seconds: usize) -> Vec<i16> {
        const ROOTS: [f64; 5] = [262.0, 330.0, 392.0, 349.0, 294.0];
        let partials = |root: f64| (1..=4).flat_map(move |n| [1.0, 1.26, 1.5].map(|of| f64::from(n) * root * of));
        let chord = |root| {
            let steady = tones(&partials(root).collect::<Vec<_>>(), -32.0, (1, 0), 1);
            let fades = |(n, sample): (usize, &i16)| (f64::from(*sample) * (-(n as f64) / 900.0).exp()) as i16;
            steady[..3_200].iter().enumerate().map(fades).collect::<Vec<i16>>()
        };
        (0..seconds * 5 / 2).flat_map(|n| chord(ROOTS[n % 5])).collect()
    }

    #[test]
    fn tones_of_machines_and_keys_are_neither_sound_nor_voice() {
        let key = |low, high| tones(&[low, high], -17.0, (100, 100), 6);
        let cases = [
            ("a tone", tones(&[1_000.0], -20.0, (1, 0), 6)),
            ("a faint tone", tones(&[1_000.0], -45.0, (1, 0), 6)),
            ("ringing tone", tones(&[450.0], -16.0, (1_000, 4_000), 12)),
            ("busy tone", tones(&[450.0], -16.0, (350, 350), 6)),
            ("dial tone of two", tones(&[350.0, 440.0], -20.0, (1, 0), 6)),
            ("CNG of a fax", tones(&[1_100.0], -20.0, (500, 3_000), 10)),
            ("CED of a fax", answer_tone()),
            ("key 1", key(697.0, 1_209.0)),
            ("key 5", key(770.0, 1_336.0)),
            ("key D", key(941.0, 1_633.0)),
        ];
        for (what, sound) in cases {
            for floor in [-75.0, -50.0] {
                let heard =
                    stretches(&mixed(&[vec![0; 8_000], sound.clone()].concat(), &noise(floor, sound.len() + 8_000)));
                let tone_ms: u32 = heard.iter().map(|stretch| stretch.tone_ms).sum();
                let known = floor < -60.0 || what != "a faint tone";
                assert!(heard.iter().all(|s| !s.is_voice() && !s.is_heard()) || !known, "{what}: {heard:#?}");
                assert!(tone_ms > 400 || !known, "{what} over {floor} dBov: {tone_ms} ms");
            }
        }
        let steady = stretches(&tones(&[1_000.0], -20.0, (1, 0), 6));
        assert!(steady.iter().all(Stretch::is_tone) && steady.last().unwrap().floor_dbov > -21.0, "{steady:#?}");
    }

    #[test]
    fn speech_loses_no_word_to_the_tones_and_music_is_sound() {
        for file in VOICES {
            for (level, below) in [(-20.0, -75.0), (-26.0, -56.0), (-40.0, -70.0)] {
                let spoken = voice(file, level);
                let heard = stretches(&mixed(&spoken, &noise(below, spoken.len())));
                let of = |ms: fn(&Stretch) -> u32| heard.iter().map(ms).sum::<u32>();
                let (voice_ms, tone_ms) = (of(|s| s.voice_ms), of(|s| s.tone_ms));
                assert!(tone_ms * 50 <= voice_ms, "{file} at {level} dBov: {tone_ms} ms of {voice_ms}");
            }
            // 10 dB over the noise.
            let spoken = [vec![0; 16_000], voice(file, -26.0)].concat();
            let heard = stretches(&mixed(&spoken, &noise(-36.0, spoken.len())));
            assert!(heard.iter().filter(|s| s.is_heard()).count() * 2 > heard.len() - 2, "{file}: {heard:#?}");
            assert!(heard.iter().all(|s| s.tone_ms == 0), "{file}: {heard:#?}");
        }
        let heard = stretches(&[vec![0; 8_000], music(6)].concat());
        assert!(heard.iter().filter(|s| s.is_heard()).count() >= 4, "{heard:#?}");
    }

    #[test]
    fn a_voice_that_begins_is_told_within_half_a_second_and_silence_once_a_second() {
        let sound: Vec<i16> = [vec![0; 24_000], voice(VOICES[0], -25.0)].concat();
        let mut ear = Ear::new(8_000);
        let mut told = Vec::new();
        for (n, block) in sound.chunks(800).enumerate() {
            ear.hear(block);
            if ear.is_due() {
                told.push((n, ear.take()));
            }
        }
        assert_eq!(told.iter().map(|(n, _)| *n).collect::<Vec<_>>()[..3], [9, 19, 29]);
        assert!(told[3].0 <= 34 && told[3].1.is_voice(), "{told:?}");
        assert!(told[..3].iter().all(|(_, s)| !s.is_voice() && !s.comes));
        ear.comes();
        assert!(ear.take().comes && !ear.take().comes);
    }
}
