//! Whether what is heard is a voice, asked as seldom as will do: one answer costs as much as some relayed packets.

use super::FRAME_SAMPLES;
use crate::protocol::audio::resample::Doubler;

/// Frames that are heard before the first one that is asked about after a pause: the detector's window (48 ms).
const PRIMING: usize = 3;
/// From here on the detector says voice: its author's own bound.
pub(crate) const VOICE: f32 = 0.5;

/// Hears one channel of 8 or 16 kHz, frame by frame of 16 ms.
pub(crate) struct Detector {
    inner: Box<earshot::Detector>,
    wide: bool,
    doubler: Doubler,
    /// The last frames, the newest last.
    before: Vec<i16>,
    asleep: bool,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detector").field("asleep", &self.asleep).finish_non_exhaustive()
    }
}

impl Detector {
    /// `rate_hz`: 8,000 or 16,000; all else is taken for 8,000.
    pub(crate) fn new(rate_hz: u32) -> Detector {
        let wide = rate_hz == 16_000;
        let before = vec![0; PRIMING * length(wide)];
        Detector { inner: earshot::Detector::default_boxed(), wide, doubler: Doubler::default(), before, asleep: false }
    }

    /// Samples of a frame.
    pub(crate) fn length(&self) -> usize {
        length(self.wide)
    }

    /// A frame that need not be judged.
    pub(crate) fn pass(&mut self, frame: &[i16]) {
        self.asleep = true;
        self.keep(frame);
    }

    /// How sure it is, up to 1, that the frame before this one is a voice: the detector looks back so far.
    pub(crate) fn ask(&mut self, frame: &[i16]) -> f32 {
        if std::mem::replace(&mut self.asleep, false) {
            self.inner.reset();
            let before = std::mem::take(&mut self.before);
            for frame in before.chunks_exact(self.length()) {
                self.judge(frame);
            }
            self.before = before;
        }
        self.keep(frame);
        self.judge(frame)
    }

    fn keep(&mut self, frame: &[i16]) {
        let frame = &frame[..frame.len().min(self.length())];
        self.before.copy_within(frame.len().., 0);
        let begin = self.before.len() - frame.len();
        self.before[begin..].copy_from_slice(frame);
    }

    fn judge(&mut self, frame: &[i16]) -> f32 {
        if self.wide {
            return self.inner.predict_i16(frame);
        }
        let mut wide = [0; 2 * FRAME_SAMPLES];
        self.doubler.push_all(frame, &mut wide);
        self.inner.predict_i16(&wide)
    }
}

fn length(wide: bool) -> usize {
    if wide { 2 * FRAME_SAMPLES } else { FRAME_SAMPLES }
}
