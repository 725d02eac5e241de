//! Our concealment against a second one, written plainly from the description in ITU-T G.711 Appendix I: whole frames of
//! 10 ms at 8 kHz, and one history from which periods are repeated.

use super::carrying_tests::{recorded, speech};
use super::tests::encode;
use crate::ids::Random;
use crate::protocol::audio::g711::decode_alaw;

const FRAME: usize = 80;
const HISTORY: usize = 390;
/// The output waits for so many samples (3.75 ms): the longest quarter of a period.
const WAIT: usize = 30;

struct Reference {
    history: Vec<f32>,
    /// Frames lost in a row.
    lost: usize,
    /// The history when the loss began, its end as it was heard, and what is repeated of it.
    kept: Vec<f32>,
    end: Vec<f32>,
    pitch: usize,
    periods: usize,
    at: usize,
}

impl Reference {
    fn new() -> Reference {
        let (history, kept, end) = (vec![0.0; HISTORY], Vec::new(), Vec::new());
        Reference { history, lost: 0, kept, end, pitch: 0, periods: 0, at: 0 }
    }

    fn heard(&mut self, frame: &[f32]) -> Vec<f32> {
        let mut frame = frame.to_vec();
        if self.lost > 0 {
            let seam = (self.pitch / 4 + (self.lost - 1) * 32).min(FRAME);
            let mut made = self.repeat(seam);
            self.fade(&mut made);
            for (n, sample) in made.into_iter().enumerate() {
                frame[n] = mixed(sample, frame[n], n, seam);
            }
            self.lost = 0;
        }
        self.give_out(&frame)
    }

    fn missing(&mut self) -> Vec<f32> {
        let mut frame = match self.lost {
            0 => {
                self.kept.clone_from(&self.history);
                self.pitch = pitch(&self.history);
                self.end = self.history[HISTORY - self.pitch / 4..].to_vec();
                (self.periods, self.at) = (0, 0);
                self.take_another_period();
                let tail = HISTORY - self.pitch / 4;
                self.history[tail..].copy_from_slice(&self.kept[tail..]);
                self.repeat(FRAME)
            }
            1 | 2 => {
                let (at, quarter) = (self.at, self.pitch / 4);
                let old = self.repeat(quarter);
                self.at = at % self.pitch;
                self.take_another_period();
                let mut frame = self.repeat(FRAME);
                for (n, sample) in old.into_iter().enumerate() {
                    frame[n] = mixed(sample, frame[n], n, quarter);
                }
                frame
            }
            3..6 => self.repeat(FRAME),
            _ => vec![0.0; FRAME],
        };
        self.fade(&mut frame);
        self.lost += 1;
        self.give_out(&frame)
    }

    /// Its end is smoothed toward what stands before its begin.
    fn take_another_period(&mut self) {
        self.periods += 1;
        let (quarter, begin) = (self.pitch / 4, HISTORY - self.pitch * self.periods);
        for n in 0..quarter {
            self.kept[HISTORY - quarter + n] = mixed(self.end[n], self.kept[begin - quarter + n], n, quarter);
        }
    }

    fn repeat(&mut self, samples: usize) -> Vec<f32> {
        let span = self.pitch * self.periods;
        let made = (0..samples).map(|n| self.kept[HISTORY - span + (self.at + n) % span]).collect();
        self.at = (self.at + samples) % span;
        made
    }

    /// By a fifth in each frame after the first one.
    fn fade(&self, frame: &mut [f32]) {
        for (n, sample) in frame.iter_mut().enumerate().filter(|_| self.lost > 0) {
            *sample *= (1.0 - 0.2 * ((self.lost - 1) as f32 + n as f32 / FRAME as f32)).max(0.0);
        }
    }

    fn give_out(&mut self, frame: &[f32]) -> Vec<f32> {
        self.history.drain(..FRAME);
        self.history.extend(frame);
        self.history[HISTORY - FRAME - WAIT..HISTORY - WAIT].to_vec()
    }
}

/// A straight line from one to the other.
fn mixed(from: f32, to: f32, n: usize, length: usize) -> f32 {
    let share = (n + 1) as f32 / length as f32;
    from * (1.0 - share) + to * share
}

/// The shift from 5 to 15 ms at which the last 20 ms are most like themselves.
fn pitch(history: &[f32]) -> usize {
    let likeness = |shift: &usize| {
        let pairs = || (HISTORY - 160..HISTORY).map(|n| (history[n], history[n - shift]));
        let energy: f32 = pairs().map(|(_, b)| b * b).sum();
        pairs().map(|(a, b)| a * b).sum::<f32>() / energy.max(250.0).sqrt()
    };
    (40..=120).max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap()
}

/// The same packets lost as of the recording that `carrying_tests` makes.
fn concealed(voice: &[i16], percent: u32, seed: u64) -> Vec<i16> {
    let (mut random, mut reference, mut out) = (Random::from_number(seed), Reference::new(), Vec::new());
    for (n, packet) in voice.chunks(160).enumerate() {
        let lost = n > 5 && random.below(100) < percent;
        let mut sound: Vec<f32> = encode(packet).into_iter().map(|code| f32::from(decode_alaw(code))).collect();
        sound.resize(160, 0.0);
        for frame in sound.chunks(FRAME) {
            out.extend(if lost { reference.missing() } else { reference.heard(frame) });
        }
    }
    out.extend(reference.heard(&[0.0; FRAME]));
    out[WAIT..WAIT + voice.len()].iter().map(|sample| sample.round() as i16).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "figures for whoever asks")]
fn ours_is_within_a_tenth_of_the_reference() {
    let voice = speech();
    for percent in [1, 3, 5, 10] {
        let (mut ours, mut theirs) = (0.0, 0.0);
        for seed in 100..104 {
            ours += pesq::pesq_8k(&voice, &recorded(&voice, percent, seed).0).unwrap() / 4.0;
            theirs += pesq::pesq_8k(&voice, &concealed(&voice, percent, seed)).unwrap() / 4.0;
        }
        println!("{percent} %: PESQ {ours:.3}, of the reference {theirs:.3}");
        assert!(ours > theirs - 0.1, "{percent} %: {ours} {theirs}");
    }
}
