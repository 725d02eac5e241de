//! A prompt on its 20 ms clock, and the caller's voice on its way through that clock to the agent.
//!
//! Deadlines are computed from the start, so lateness never adds up. Frame `n` is due at `start + n * 20 ms`; the
//! playout ends one frame after the last one was due, when its sound is over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Clip, Codec, Play};
use crate::clock::Instant;
use crate::protocol::audio::g722::Decoder;
use crate::protocol::audio::mix::{self, Gain};
use crate::protocol::audio::resample::{Doubler, Halver};

/// Samples of a frame: 20 ms.
pub(super) const FRAME: usize = 160;

pub(super) const FRAME_TIME: Duration = Duration::from_millis(20);

/// Most frames sent at one wake-up. If more were missed, the rest of the prompt moves back: no burst, and no word lost.
pub(super) const MAX_BURST: u64 = 3;

/// Most of the caller's voice that waits for the clock: 60 ms.
const FIFO_SAMPLES: usize = 480;

/// How far below its own level the agent hears the prompt (contract: The greeting).
const PROMPT_GAIN_DB: f64 = -12.0;

#[derive(Debug)]
pub(super) struct Playout {
    pub(super) play: Play,
    audio: Clip,
    start: Instant,
    /// Frames given out.
    sent: u64,
    gain: Gain,
    fifo: VecDeque<i16>,
    /// Of a caller who speaks wideband.
    wide: Option<(Box<Decoder>, Box<Halver>)>,
    /// Of the caller's voice toward an agent who does.
    doubler: Option<Box<Doubler>>,
    overflowed: u64,
    slipped: u64,
}

/// One tick: what each of the two people hears for 20 ms from `at`, the agent a voice and the prompt below it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) at: Instant,
    pub(super) caller: [i16; FRAME],
    voice: [i16; FRAME],
    /// Which one it is of the prompt.
    number: u64,
}

impl Playout {
    pub(super) fn new(play: Play, audio: Clip, start: Instant) -> Self {
        Playout {
            play,
            audio,
            start,
            sent: 0,
            gain: Gain::from_db(PROMPT_GAIN_DB),
            fifo: VecDeque::with_capacity(FIFO_SAMPLES),
            wide: None,
            doubler: None,
            overflowed: 0,
            slipped: 0,
        }
    }

    /// For the agent alone, at its own level; the caller's half of each frame is not to be used.
    pub(super) fn cue(audio: Arc<[i16]>, start: Instant) -> Self {
        Playout { gain: Gain::from_db(0.0), ..Playout::new(Play::Script, audio.into(), start) }
    }

    /// When the next frame is due, or the end.
    pub(super) fn deadline(&self) -> Instant {
        self.start + FRAME_TIME * u32::try_from(self.sent).unwrap_or(u32::MAX)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.sent == self.frames() && self.deadline() <= now
    }

    /// To be called once before the frames of one wake-up are fetched.
    pub(super) fn wake(&mut self, now: Instant) {
        let frame_ns = FRAME_TIME.as_nanos() as u64;
        let missed = now.since(self.deadline()).as_nanos() as u64 / frame_ns;
        let slip = (missed + 1).saturating_sub(MAX_BURST);
        if self.sent > 0 && self.sent < self.frames() && slip > 0 {
            self.start = self.start + Duration::from_nanos(slip * frame_ns);
            self.slipped += slip;
        }
    }

    /// The next frame, if it is due.
    pub(super) fn frame(&mut self, now: Instant) -> Option<Frame> {
        let at = self.deadline();
        if at > now || self.sent == self.frames() {
            return None;
        }
        let from = self.sent as usize * FRAME;
        let mut frame = Frame { at, caller: [0; FRAME], voice: [0; FRAME], number: self.sent };
        for (n, (caller, voice)) in frame.caller.iter_mut().zip(&mut frame.voice).enumerate() {
            *caller = self.audio.get(from + n).copied().unwrap_or(0);
            *voice = self.fifo.pop_front().unwrap_or(0);
        }
        self.sent += 1;
        Some(frame)
    }

    /// What the caller hears of a frame at 16 kHz, if the prompt has it.
    pub(super) fn wide(&self, frame: &Frame) -> Option<[i16; 2 * FRAME]> {
        let from = frame.number as usize * 2 * FRAME;
        let sound = self.audio.wide()?.iter().skip(from);
        let mut wide = [0; 2 * FRAME];
        wide.iter_mut().zip(sound).for_each(|(place, sample)| *place = *sample);
        Some(wide)
    }

    /// What the agent hears of a frame.
    pub(super) fn agent(&self, frame: &Frame) -> [i16; FRAME] {
        std::array::from_fn(|n| mix::add(frame.voice[n], self.gain.apply(frame.caller[n])))
    }

    /// The same at 16 kHz, if the prompt has it; to be asked of every frame or of none. The voice keeps the band that it
    /// was heard in.
    pub(super) fn agent_wide(&mut self, frame: &Frame) -> Option<[i16; 2 * FRAME]> {
        let mut wide = self.wide(frame)?;
        let doubler = self.doubler.get_or_insert_default();
        for (pair, voice) in wide.chunks_exact_mut(2).zip(frame.voice) {
            let voice = doubler.push(voice);
            pair.iter_mut().zip(voice).for_each(|(sample, voice)| *sample = mix::add(voice, self.gain.apply(*sample)));
        }
        Some(wide)
    }

    /// The caller's voice; the oldest of it gives way.
    pub(super) fn hear(&mut self, samples: impl Iterator<Item = i16>) {
        for sample in samples {
            if self.fifo.len() == FIFO_SAMPLES {
                self.fifo.pop_front();
                self.overflowed += 1;
            }
            self.fifo.push_back(sample);
        }
    }

    /// The same, coded.
    pub(super) fn hear_coded(&mut self, codec: Codec, payload: &[u8]) {
        if let Some(law) = codec.law() {
            return self.hear(payload.iter().map(|code| law.decode(*code)));
        }
        let (mut decoder, mut halver) = self.wide.take().unwrap_or_default();
        self.hear(payload.iter().map(|code| halver.push(decoder.decode(*code))));
        self.wide = Some((decoder, halver));
    }

    /// What is left of the caller's voice, in frames, when the prompt is over.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = Vec<i16>> {
        let rest: Vec<i16> = self.fifo.drain(..).collect();
        let frames: Vec<Vec<i16>> = rest.chunks(FRAME).map(<[i16]>::to_vec).collect();
        frames.into_iter()
    }

    /// Samples of the caller's voice that were dropped because the clock had fallen behind.
    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// Frames by which late wake-ups moved the prompt back.
    pub(super) fn slipped(&self) -> u64 {
        self.slipped
    }

    fn frames(&self) -> u64 {
        self.audio.len().div_ceil(FRAME) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playout(frames: usize) -> Playout {
        let audio: Vec<i16> = (0..frames * FRAME).map(|n| (n / FRAME) as i16 * 100 + 100).collect();
        Playout::new(Play::Greeting, audio.into(), Instant::from_millis(1_000))
    }

    fn wake(playout: &mut Playout, at_ms: u64) -> Vec<u64> {
        let now = Instant::from_millis(at_ms);
        playout.wake(now);
        std::iter::from_fn(|| playout.frame(now)).map(|f| f.at.as_nanos() / 1_000_000).collect()
    }

    #[test]
    fn late_wake_ups_do_not_add_up() {
        let mut playout = playout(6);
        assert_eq!(wake(&mut playout, 1_000), [1_000]);
        assert_eq!(wake(&mut playout, 1_019), [] as [u64; 0]);
        assert_eq!(wake(&mut playout, 1_039), [1_020]);
        assert_eq!(wake(&mut playout, 1_085), [1_040, 1_060, 1_080]);
        assert_eq!(playout.deadline(), Instant::from_millis(1_100));
        assert_eq!(wake(&mut playout, 1_100), [1_100]);
        assert!(!playout.is_over(Instant::from_millis(1_119)));
        assert!(playout.is_over(Instant::from_millis(1_120)));
    }

    #[test]
    fn after_a_long_stall_three_frames_and_then_the_clock_again() {
        let mut playout = playout(10);
        assert_eq!(wake(&mut playout, 1_000), [1_000]);
        assert_eq!(wake(&mut playout, 1_215), [1_160, 1_180, 1_200]);
        assert_eq!(wake(&mut playout, 1_215), [] as [u64; 0]);
        assert_eq!(wake(&mut playout, 1_220), [1_220]);
        assert_eq!(playout.slipped(), 7);
    }

    #[test]
    fn the_agent_hears_the_caller_over_the_quiet_prompt() {
        let mut playout = playout(1);
        playout.hear((0..600).map(|n| n as i16));
        assert_eq!(playout.overflowed(), 120);
        let frame = playout.frame(Instant::from_millis(1_000)).unwrap();
        assert_eq!(frame.caller, [100; FRAME]);
        let agent = playout.agent(&frame);
        assert_eq!((agent[0], agent[159]), (120 + 25, 279 + 25));
        assert_eq!(playout.agent_wide(&frame), None, "the prompt has no more");
    }
}
