//! One channel, piece by piece.

use std::fmt;

use super::active_level::{Envelope, Stretch};
use super::detector::Detector;
use super::keypad::{Keypad, Pressed};
use super::tonality::{LASTING, Tonality};
use super::{FRAME_MS, FRAME_SAMPLES, QUIETEST};
use crate::protocol::audio::resample::Halver;

/// Nothing is heard beyond: 10 h. A recording of ours ends before.
pub const LONGEST_S: u64 = 36_000;
const LONGEST_FRAMES: usize = (LONGEST_S * 1_000 / FRAME_MS) as usize;

/// Frames that share one count of active level: 96 ms.
pub(super) const SLOT_FRAMES: usize = 6;

/// So much swing has a channel without any sound: one step of G.711 at the most (see `media::level`).
const FLAT: i32 = 4;
/// A-law reaches 32,256 and µ-law 32,124 (ITU-T G.711 tables 1 and 2): so many in a row from there on are a peak cut off.
const CLIPS_FROM: u16 = 32_124;
const CLIPS_RUN: u32 = 3;
/// A pure tone has no more peaks than this.
const TONE_PEAKS: u8 = 3;
/// The detector looks back: its answer to a frame is that of so many frames before.
const LOOKS_BACK: usize = 1;
/// So long it is asked on when a channel is quieter than any voice: a pause within an utterance (ITU-T P.59), 192 ms.
const PAUSE_FRAMES: u32 = 12;

/// What is kept of 16 ms.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Frame {
    /// Mean square.
    pub(super) power: f32,
    /// Greatest magnitude.
    pub(super) peak: u16,
    /// How sure the detector is of a voice, of 255.
    pub(super) voice: u8,
    pub(super) flat: bool,
    pub(super) tone: bool,
    /// Of the spectrum, and how many stayed where they were.
    pub(super) peaks: u8,
    pub(super) lasting: u8,
    /// Samples of peaks cut off.
    pub(super) clipped: u8,
}

/// Hears one channel of 8 or 16 kHz.
pub struct Ear {
    /// Samples of a frame.
    length: usize,
    wide: bool,
    waiting: Vec<i16>,
    samples: u64,
    detector: Detector,
    /// Frames in a row that are quieter than any voice.
    still: u32,
    halver: Halver,
    envelope: Envelope,
    keypad: Keypad,
    tonality: Tonality,
    clipping: u32,
    heard: Heard,
}

/// A whole channel as it was heard.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    pub(super) frames: Vec<Frame>,
    pub(super) slots: Vec<Stretch>,
    /// Times in samples of 8 kHz.
    pub(super) keys: Vec<Pressed>,
    /// In ms.
    pub(super) length_ms: u64,
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear").field("samples", &self.samples).finish_non_exhaustive()
    }
}

impl Ear {
    /// `rate_hz`: 8,000 or 16,000; all else is taken for 8,000.
    pub fn new(rate_hz: u32) -> Ear {
        let wide = rate_hz == 16_000;
        Ear {
            length: if wide { 2 * FRAME_SAMPLES } else { FRAME_SAMPLES },
            wide,
            waiting: Vec::new(),
            samples: 0,
            detector: Detector::new(rate_hz),
            still: 0,
            halver: Halver::default(),
            envelope: Envelope::new(if wide { 16_000 } else { 8_000 }),
            keypad: Keypad::new(),
            tonality: Tonality::new(),
            clipping: 0,
            heard: Heard::default(),
        }
    }

    /// The next piece, of any length. What is beyond [`LONGEST_S`] is not heard.
    pub fn hear(&mut self, mut samples: &[i16]) {
        if !self.waiting.is_empty() {
            let (first, rest) = samples.split_at((self.length - self.waiting.len()).min(samples.len()));
            self.waiting.extend_from_slice(first);
            samples = rest;
            if self.waiting.len() == self.length {
                let frame = std::mem::take(&mut self.waiting);
                self.frame(&frame);
            }
        }
        let frames = samples.chunks_exact(self.length);
        self.waiting.extend_from_slice(frames.remainder());
        frames.for_each(|frame| self.frame(frame));
    }

    /// A part of a frame at the end is heard with silence behind it.
    pub fn finish(mut self) -> Heard {
        let rest = std::mem::take(&mut self.waiting);
        let whole = self.samples;
        if !rest.is_empty() {
            let mut padded = rest.clone();
            padded.resize(self.length, 0);
            self.frame(&padded);
        }
        let samples = if self.samples > whole { whole + rest.len() as u64 } else { whole };
        self.keypad.finish(&mut self.heard.keys);
        let left = self.envelope.take();
        self.heard.slots.push(left);
        self.heard.length_ms = samples * FRAME_MS / self.length as u64;
        self.heard
    }

    fn frame(&mut self, samples: &[i16]) {
        if self.heard.frames.len() == LONGEST_FRAMES {
            return;
        }
        self.samples += samples.len() as u64;
        let (least, most) = bounds(samples);
        let energy: u64 = samples.iter().map(|s| u64::from(s.unsigned_abs()).pow(2)).sum();
        let mut frame = Frame {
            power: energy as f32 / samples.len() as f32,
            peak: least.unsigned_abs().max(most.unsigned_abs()),
            flat: i32::from(most) - i32::from(least) <= FLAT,
            ..Frame::default()
        };
        if frame.peak >= CLIPS_FROM || self.clipping > 0 {
            frame.clipped = self.clipped(samples);
        }
        self.envelope.hear(samples);
        let sure = self.voice(samples, frame.power);
        let narrow = self.narrow(samples);
        self.keypad.hear(&narrow, &mut self.heard.keys);
        let peaks = self.tonality.hear(&narrow, frame.power);
        (frame.peaks, frame.lasting) = (peaks.all, peaks.lasting);
        self.heard.frames.push(frame);
        self.look_back(sure, peaks.all);
        if self.heard.frames.len().is_multiple_of(SLOT_FRAMES) {
            self.heard.slots.push(self.envelope.take());
        }
    }

    /// How sure the detector is of a voice, of 255. It is not asked about a channel that is quieter than any voice: most of what it
    /// costs would go into the times in which the other side speaks, and into that before the agent is there.
    fn voice(&mut self, samples: &[i16], power: f32) -> u8 {
        self.still = if power < QUIETEST { self.still.saturating_add(1) } else { 0 };
        if self.still > PAUSE_FRAMES {
            self.detector.pass(samples);
            return 0;
        }
        (self.detector.ask(samples) * 255.0) as u8
    }

    /// What this frame tells of those before it.
    fn look_back(&mut self, sure: u8, peaks: u8) {
        let now = self.heard.frames.len() - 1;
        if let Some(before) = now.checked_sub(LOOKS_BACK) {
            self.heard.frames[before].voice = sure;
        }
        let lasting = self.heard.frames[now].lasting;
        if lasting > 0 && lasting == peaks && peaks <= TONE_PEAKS {
            let first = now.saturating_sub(usize::from(LASTING) - 1);
            self.heard.frames[first..].iter_mut().for_each(|frame| frame.tone = true);
        }
    }

    fn narrow(&mut self, samples: &[i16]) -> [i16; FRAME_SAMPLES] {
        let mut narrow = [0; FRAME_SAMPLES];
        if self.wide {
            self.halver.push_all(samples, &mut narrow);
        } else {
            narrow.copy_from_slice(samples);
        }
        narrow
    }

    /// Samples that belong to three or more at the edge; a run may have begun in the frame before.
    fn clipped(&mut self, samples: &[i16]) -> u8 {
        let mut count = 0u32;
        for sample in samples {
            self.clipping = if sample.unsigned_abs() >= CLIPS_FROM { self.clipping.saturating_add(1) } else { 0 };
            count += match self.clipping.cmp(&CLIPS_RUN) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => CLIPS_RUN,
                std::cmp::Ordering::Greater => 1,
            };
        }
        u8::try_from(count).unwrap_or(u8::MAX)
    }
}

fn bounds(samples: &[i16]) -> (i16, i16) {
    samples.iter().fold((i16::MAX, i16::MIN), |(least, most), s| (least.min(*s), most.max(*s)))
}
