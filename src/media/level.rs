//! The live meter of one leg: level, voice, noise floor and silence so far, on what it sent, as it is decoded for the
//! recording.
//!
//! Levels are in dBov: 0 is a full-scale square wave (ITU-T G.100.1); a sine of 0 dBm0 lies at −6.15 there. Voice is told by
//! energy in frames of 20 ms against a noise floor that falls at once and rises by 1 dB a second: music, tones and sudden
//! noise count as voice too. With speech-like margins (16 dB and 200 ms as in ITU-T P.56) that costs some additions a sample.

const FRAMES_A_SECOND: u32 = 50;
const FRAME_MS: u32 = 1_000 / FRAMES_A_SECOND;

/// Power of 0 dBov.
const FULL_SCALE: f64 = 32_768.0 * 32_768.0;
/// Nothing quieter than this is voice, and no floor begins above it: −50 dBov.
const QUIETEST_VOICE: f64 = FULL_SCALE * 1e-5;
/// No floor is lower: −90 dBov, about half a step of G.711.
const LOWEST_FLOOR: f64 = FULL_SCALE * 1e-9;
/// Voice over floor (P.56: 15.9 dB).
const MARGIN: f64 = 38.9;
/// What a frame lets the floor rise: 1 dB a second.
const RISE: f64 = 1.004_616;
/// Frames that still count as voice after the last: 200 ms (P.56).
const HANGOVER: u32 = 10;
/// A silence of this length is told: 5 s.
const QUIET_FRAMES: u32 = 5 * FRAMES_A_SECOND;
/// The widest swing of a block without any sound. G.711 codes a silent line as one value; a live microphone moves by a step
/// of A-law (16) at least. G.722's decoder never rests, so silence in it is
/// not told from a very quiet room.
const FLAT: i32 = 4;

/// What a leg's sound was in the last whole second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Live {
    /// Mean of the second; −90 is the lowest.
    pub level_dbov: f64,
    /// Mean of its frames with voice; `None`: there were none.
    pub active_dbov: Option<f64>,
    pub noise_dbov: f64,
    /// Time since voice was last heard, in ms; 0: it is heard now.
    pub silent_ms: u64,
}

impl Live {
    /// Voice over noise floor; `None` without voice.
    pub fn snr_db(&self) -> Option<f64> {
        self.active_dbov.map(|active| active - self.noise_dbov)
    }
}

/// A block of sound, in short.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sounded {
    /// One value throughout: digital silence.
    pub(super) flat: bool,
    pub(super) voice_ms: u32,
    /// Voice has begun, or ended five seconds ago.
    pub(super) change: Option<Live>,
}

#[derive(Debug)]
pub(super) struct Meter {
    frame: usize,
    floor: f64,
    hangover: u32,
    /// Frames since voice.
    silent: u32,
    quiet_told: bool,
    second: Sum,
    last: Option<Live>,
}

#[derive(Debug, Default)]
struct Sum {
    frames: u32,
    power: f64,
    active: u32,
    active_power: f64,
}

impl Meter {
    /// `rate_hz`: of the samples to come.
    pub(super) fn new(rate_hz: u32) -> Self {
        Meter {
            frame: (rate_hz / FRAMES_A_SECOND) as usize,
            floor: QUIETEST_VOICE,
            hangover: 0,
            silent: 0,
            quiet_told: false,
            second: Sum::default(),
            last: None,
        }
    }

    /// The next block; a part of a frame at its end is not measured.
    pub(super) fn hear(&mut self, samples: &[i16]) -> Sounded {
        let mut sounded = Sounded { flat: is_flat(samples), ..Sounded::default() };
        for frame in samples.chunks_exact(self.frame) {
            let power = frame.iter().map(|sample| i64::from(*sample).pow(2)).sum::<i64>() as f64 / frame.len() as f64;
            let voice = self.frame(power);
            sounded.voice_ms += if voice { FRAME_MS } else { 0 };
            if (voice && self.quiet_told) || self.silent == QUIET_FRAMES {
                self.quiet_told = !voice;
                sounded.change = Some(self.live());
            }
        }
        sounded
    }

    /// Whether there was voice in it.
    fn frame(&mut self, power: f64) -> bool {
        let voice = power > (self.floor * MARGIN).max(QUIETEST_VOICE);
        self.floor = power.clamp(LOWEST_FLOOR, self.floor * RISE);
        self.hangover = if voice { HANGOVER } else { self.hangover.saturating_sub(1) };
        self.silent = if voice { 0 } else { self.silent.saturating_add(1) };
        let sum = &mut self.second;
        (sum.frames, sum.power) = (sum.frames + 1, sum.power + power);
        if self.hangover > 0 {
            (sum.active, sum.active_power) = (sum.active + 1, sum.active_power + power);
        }
        if sum.frames == FRAMES_A_SECOND {
            self.last = Some(self.live_of_second());
            self.second = Sum::default();
        }
        voice
    }

    fn live(&self) -> Live {
        let live = self.last.unwrap_or_else(|| self.live_of_second());
        Live { silent_ms: u64::from(self.silent * FRAME_MS), ..live }
    }

    fn live_of_second(&self) -> Live {
        let sum = &self.second;
        let active = (sum.active > 0).then(|| dbov(sum.active_power / f64::from(sum.active)));
        Live {
            level_dbov: dbov(sum.power / f64::from(sum.frames.max(1))),
            active_dbov: active,
            noise_dbov: dbov(self.floor),
            silent_ms: u64::from(self.silent * FRAME_MS),
        }
    }
}

fn is_flat(samples: &[i16]) -> bool {
    let (low, high) = samples.iter().fold((i16::MAX, i16::MIN), |(low, high), s| (low.min(*s), high.max(*s)));
    i32::from(high) - i32::from(low) <= FLAT
}

pub(super) fn dbov(power: f64) -> f64 {
    10.0 * (power.max(LOWEST_FLOOR) / FULL_SCALE).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Random;

    fn noise(rms: f64, samples: usize) -> Vec<i16> {
        let mut random = Random::from_number(3);
        let mut uniform = || f64::from(random.below(20_001)) / 10_000.0 - 1.0;
        (0..samples).map(|_| (uniform() * rms * 3.0_f64.sqrt()).round() as i16).collect()
    }

    /// Bursts of 300 ms, pauses of 150 ms, a tone of −20 dBov in the bursts, noise of about −60 dBov everywhere.
    fn speech(samples: usize) -> Vec<i16> {
        let spoken = |n: usize| if n % 3_600 < 2_400 { 4_634.0 * (n as f64 * 0.4).sin() } else { 0.0 };
        noise(32.0, samples).iter().enumerate().map(|(n, s)| (spoken(n) + f64::from(*s)) as i16).collect()
    }

    fn near(value: f64, wanted: f64, within: f64) {
        assert!((value - wanted).abs() <= within, "{value}, not {wanted}");
    }

    #[test]
    fn level_of_voice_and_of_the_noise_below_it() {
        let mut meter = Meter::new(8_000);
        let blocks: Vec<Sounded> = speech(80_000).chunks(800).map(|block| meter.hear(block)).collect();
        let live = meter.last.unwrap();
        near(live.noise_dbov, -60.2, 1.5);
        // A third of the time is pause, which the hangover holds open.
        near(live.active_dbov.unwrap(), -20.0 - 1.76, 0.5);
        near(live.snr_db().unwrap(), 38.4, 2.0);
        let voice_ms: u32 = blocks.iter().map(|block| block.voice_ms).sum();
        near(f64::from(voice_ms) / 10_000.0, 2.0 / 3.0, 0.03);
        assert!(blocks.iter().all(|block| !block.flat && block.change.is_none()));
    }

    #[test]
    fn silence_is_told_after_five_seconds_and_voice_at_once() {
        let mut meter = Meter::new(8_000);
        let sound: Vec<i16> = [speech(16_000), noise(32.0, 64_000), speech(8_000)].concat();
        let changes: Vec<(usize, u64)> = sound
            .chunks(800)
            .enumerate()
            .filter_map(|(n, block)| meter.hear(block).change.map(|live| (n, live.silent_ms)))
            .collect();
        // The last voice of the first stretch ends at 1,950 ms at the latest.
        assert_eq!(changes.len(), 2, "{changes:?}");
        assert!((66..=70).contains(&changes[0].0) && changes[0].1 == 5_000, "{changes:?}");
        assert_eq!(changes[1], (100, 0));
    }

    #[test]
    fn steady_noise_is_no_voice_and_no_digital_silence() {
        let mut meter = Meter::new(16_000);
        for block in noise(150.0, 160_000).chunks(1_600) {
            let sounded = meter.hear(block);
            assert_eq!((sounded.flat, sounded.voice_ms), (false, 0));
        }
        assert!(meter.hear(&[8; 1_600]).flat);
        assert!(!meter.hear(&[[8, -8]; 800].concat()).flat, "the last step of A-law");
    }
}
