//! Packet-loss concealment in the manner of G.711 Appendix I, for 8 or 16 kHz.
//!
//! What is missing is the last pitch period repeated; from 10 ms on two periods, from 20 ms on three; from 10 ms on it fades
//! by a fifth every 10 ms, and is silent after 60 ms. Both seams are crossfaded, the first one within the last quarter of a
//! period before the loss: therefore everything comes out [`DELAY`] later than it went in.

/// Output is behind input by so many samples of 8 kHz (3.75 ms): the longest crossfade before a loss.
pub(super) const DELAY: usize = 30;

/// In samples of 8 kHz: voices from 66 to 200 Hz.
const SHORTEST_PITCH: usize = 40;
const LONGEST_PITCH: usize = 120;
/// The stretch over which periods are compared: 20 ms.
const COMPARED: usize = 160;
/// 10 ms.
const STEP: usize = 80;
/// By how much the crossfade at the end of a loss grows with every 10 ms of it: 4 ms.
const LONGER_SEAM: usize = 32;
/// Three of the longest periods and a quarter.
const HISTORY: usize = LONGEST_PITCH * 3 + DELAY;
/// Below this energy over 20 ms there is no pitch to find (a mean of about one step).
const QUIET: f32 = 250.0;
/// Share of loudness that 10 ms take.
const FADE: f32 = 0.2;

#[derive(Debug)]
pub(super) struct Concealer {
    /// Samples of 8 kHz are one of ours, or two.
    scale: usize,
    past: Past,
}

/// The last [`HISTORY`], the newest last; the last [`DELAY`] of it have not come out yet.
#[derive(Debug)]
enum Past {
    /// All of it as it was received: nothing to compute, and nothing to round.
    Heard(Vec<i16>),
    /// Something of it was made up.
    Mended(Box<Mended>),
}

#[derive(Debug)]
struct Mended {
    scale: usize,
    history: Vec<f32>,
    loss: Option<Loss>,
    /// What a loss repeats: the history as it was when it began.
    repeated: Vec<f32>,
    /// Samples received since the last one that was made up.
    clean: usize,
}

#[derive(Debug, Clone, Copy)]
struct Loss {
    pitch: usize,
    /// Periods that are repeated: 1 to 3.
    periods: usize,
    /// The next sample within them.
    at: usize,
    /// Samples made up so far.
    length: usize,
}

impl Concealer {
    /// `scale` 1 for 8 kHz, 2 for 16 kHz.
    pub(super) fn new(scale: usize) -> Self {
        Concealer { scale, past: Past::Heard(vec![0; HISTORY * scale]) }
    }

    /// Samples that were received; as many come out.
    pub(super) fn hear(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        match &mut self.past {
            Past::Heard(history) => {
                let begin = history.len() - DELAY * self.scale;
                let before = samples.len().min(DELAY * self.scale);
                out.extend_from_slice(&history[begin..begin + before]);
                out.extend_from_slice(&samples[..samples.len() - before]);
                let new = samples.len().min(history.len());
                let kept = history.len() - new;
                history.copy_within(new.., 0);
                history[kept..].copy_from_slice(&samples[samples.len() - new..]);
            }
            Past::Mended(mended) => {
                mended.hear(samples, out);
                if let Some(history) = mended.healed() {
                    self.past = Past::Heard(history);
                }
            }
        }
    }

    /// Makes up `count` samples; as many come out.
    pub(super) fn conceal(&mut self, count: usize, out: &mut Vec<i16>) {
        self.mended().conceal(count, out);
    }

    fn mended(&mut self) -> &mut Mended {
        if let Past::Heard(history) = &self.past {
            self.past = Past::Mended(Box::new(Mended::new(self.scale, history)));
        }
        match &mut self.past {
            Past::Mended(mended) => mended,
            Past::Heard(_) => unreachable!("made so above"),
        }
    }
}

impl Mended {
    fn new(scale: usize, history: &[i16]) -> Self {
        let history: Vec<f32> = history.iter().map(|s| f32::from(*s)).collect();
        Mended { scale, repeated: Vec::with_capacity(history.len()), history, loss: None, clean: 0 }
    }

    /// The history in whole steps, once nothing in it is made up any more.
    fn healed(&self) -> Option<Vec<i16>> {
        let healed = self.loss.is_none() && self.clean >= self.history.len();
        healed.then(|| self.history.iter().map(|s| *s as i16).collect())
    }

    fn hear(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        let begin = self.history.len();
        self.history.extend(samples.iter().map(|s| f32::from(*s)));
        self.clean += samples.len();
        if let Some(mut loss) = self.loss.take() {
            let seam = self.seam(&loss).min(samples.len());
            for n in 0..seam {
                let share = (n + 1) as f32 / (seam + 1) as f32;
                let made = self.next(&mut loss);
                let heard = &mut self.history[begin + n];
                *heard = *heard * share + made * (1.0 - share);
            }
            self.clean = samples.len() - seam;
        }
        self.give_out(samples.len(), out);
    }

    fn conceal(&mut self, count: usize, out: &mut Vec<i16>) {
        let mut loss = self.loss.take().unwrap_or_else(|| self.begin());
        for _ in 0..count {
            if loss.length > 0 && loss.length.is_multiple_of(STEP * self.scale) && loss.periods < 3 {
                self.add_period(&mut loss);
            }
            let made = self.next(&mut loss);
            self.history.push(made);
        }
        self.loss = Some(loss);
        self.clean = 0;
        self.give_out(count, out);
    }

    /// Finds the pitch, and smooths the seam between what was heard and its repetition.
    fn begin(&mut self) -> Loss {
        let pitch = self.pitch();
        self.repeated.clear();
        self.repeated.extend_from_slice(&self.history);
        self.join_ends(pitch);
        let length = self.history.len();
        let quarter = pitch / 4;
        self.history[length - quarter..].copy_from_slice(&self.repeated[length - quarter..]);
        Loss { pitch, periods: 1, at: 0, length: 0 }
    }

    /// The end of what is repeated becomes what stands before its begin, so that it may follow itself.
    fn join_ends(&mut self, span: usize) {
        let (length, quarter) = (self.repeated.len(), span.min(LONGEST_PITCH * self.scale) / 4);
        for n in 0..quarter {
            let share = (n + 1) as f32 / (quarter + 1) as f32;
            let before = self.repeated[length - span - quarter + n];
            let end = &mut self.repeated[length - quarter + n];
            *end = *end * (1.0 - share) + before * share;
        }
    }

    /// One period more is repeated; the change is crossfaded over a quarter of a period.
    fn add_period(&mut self, loss: &mut Loss) {
        let quarter = loss.pitch / 4;
        let mut old = *loss;
        let mut leaving = [0.0; DELAY * 2];
        for made in leaving.iter_mut().take(quarter) {
            *made = self.raw(&mut old);
        }
        loss.periods += 1;
        loss.at %= loss.pitch;
        let span = loss.pitch * loss.periods;
        let length = self.repeated.len();
        // The periods before are as they were heard; only the seam is made anew.
        for n in 0..quarter {
            let share = (n + 1) as f32 / (quarter + 1) as f32;
            let before = self.repeated[length - span - quarter + n];
            let end = self.repeated[length - quarter + n];
            self.repeated[length - quarter + n] = end * (1.0 - share) + before * share;
        }
        let begin = length - span;
        for (n, old) in leaving.iter().enumerate().take(quarter) {
            let share = (n + 1) as f32 / (quarter + 1) as f32;
            let place = begin + (loss.at + n) % span;
            self.repeated[place] = self.repeated[place] * share + old * (1.0 - share);
        }
    }

    fn next(&self, loss: &mut Loss) -> f32 {
        let step = (STEP * self.scale) as f32;
        let faded = (loss.length as f32 - step).max(0.0) / step * FADE;
        loss.length += 1;
        self.raw(loss) * (1.0 - faded).max(0.0)
    }

    fn raw(&self, loss: &mut Loss) -> f32 {
        let span = loss.pitch * loss.periods;
        let made = self.repeated[self.repeated.len() - span + loss.at];
        loss.at = (loss.at + 1) % span;
        made
    }

    /// How long the end of a loss is crossfaded: a quarter of a period and more for a longer loss, to 10 ms.
    fn seam(&self, loss: &Loss) -> usize {
        let steps = loss.length.div_ceil(STEP * self.scale).max(1) - 1;
        (loss.pitch / 4 + steps * LONGER_SEAM * self.scale).min(STEP * self.scale)
    }

    /// The lag, in our samples, at which the last 20 ms are most like what was before: first roughly, then exactly.
    fn pitch(&self) -> usize {
        let coarse = 2 * self.scale;
        let (shortest, longest) = (SHORTEST_PITCH * self.scale, LONGEST_PITCH * self.scale);
        let rough = self.best((shortest..=longest).step_by(coarse), coarse).unwrap_or(longest);
        let around = rough.saturating_sub(coarse - 1).max(shortest)..=(rough + coarse - 1).min(longest);
        self.best(around, 1).unwrap_or(rough)
    }

    fn best(&self, lags: impl Iterator<Item = usize>, step: usize) -> Option<usize> {
        let newest = &self.history[self.history.len() - COMPARED * self.scale..];
        let likeness = |lag: usize| {
            let begin = self.history.len() - COMPARED * self.scale - lag;
            let (mut product, mut power) = (0.0, 0.0);
            for (a, b) in newest.iter().zip(&self.history[begin..]).step_by(step) {
                product += a * b;
                power += b * b;
            }
            product / f32::max(power, QUIET).sqrt()
        };
        lags.map(|lag| (likeness(lag), lag)).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, lag)| lag)
    }

    /// As many samples as came in, [`DELAY`] behind.
    fn give_out(&mut self, count: usize, out: &mut Vec<i16>) {
        let end = self.history.len() - DELAY * self.scale;
        out.extend(self.history[end - count..end].iter().map(|s| s.round() as i16));
        self.history.drain(..count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(scale: usize, samples: usize) -> Vec<i16> {
        let step = 125.0 * std::f64::consts::TAU / (8_000.0 * scale as f64);
        let wave = |n: usize| (1..8).map(|k| (n as f64 * step * f64::from(k)).sin() / f64::from(k)).sum::<f64>();
        (0..samples).map(|n| (6_000.0 * wave(n)) as i16).collect()
    }

    fn db(signal: f64, noise: f64) -> f64 {
        10.0 * (signal / noise.max(1.0)).log10()
    }

    /// A steady voice goes on through a loss as if nothing were missing.
    #[test]
    fn a_steady_voice_is_continued() {
        for scale in [1, 2] {
            let clean = voice(scale, 1_600 * scale);
            let (mut concealer, mut out) = (Concealer::new(scale), Vec::new());
            concealer.hear(&clean[..800 * scale], &mut out);
            concealer.conceal(80 * scale, &mut out);
            concealer.hear(&clean[880 * scale..], &mut out);
            assert_eq!(out.len(), clean.len());
            let delayed = &out[DELAY * scale..];
            let (mut signal, mut noise) = (0.0, 0.0);
            for n in 780 * scale..1_000 * scale {
                let (clean, heard) = (f64::from(clean[n]), f64::from(delayed[n]));
                signal += clean * clean;
                noise += (clean - heard).powi(2);
            }
            assert!(db(signal, noise) > 30.0, "scale {scale}: {} dB", db(signal, noise));
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence_and_never_clicks() {
        let clean = voice(1, 4_000);
        let (mut concealer, mut out) = (Concealer::new(1), Vec::new());
        concealer.hear(&clean[..1_003], &mut out);
        for _ in 0..20 {
            concealer.conceal(77, &mut out);
        }
        concealer.hear(&clean[1_003 + 20 * 77..], &mut out);
        let lost = &out[DELAY + 1_003..][..20 * 77];
        assert!(lost[481..].iter().all(|s| *s == 0), "silent after 60 ms");
        let level = |s: &[i16]| s.iter().map(|s| i32::from(s.abs())).max().unwrap_or(0);
        assert!(level(&lost[80..160]) > level(&lost[320..400]) * 2);
        let steepest = |s: &[i16]| s.windows(2).map(|w| (i32::from(w[0]) - i32::from(w[1])).abs()).max().unwrap_or(0);
        assert!(steepest(&out[500..]) <= steepest(&clean) * 3 / 2, "{} {}", steepest(&out[500..]), steepest(&clean));
    }

    /// The short way through what was only heard gives what the long way gives.
    #[test]
    fn the_history_of_what_was_heard_is_as_good_as_one_of_what_was_made_up() {
        let mut random = crate::ids::Random::from_number(11);
        for scale in [1, 2] {
            let sound = voice(scale, 60_000);
            let (mut short, mut long) = (Concealer::new(scale), Concealer::new(scale));
            let (mut by_short, mut by_long) = (Vec::new(), Vec::new());
            let (mut at, mut healed) = (0, 0);
            while at < 50_000 {
                long.mended();
                let count = random.below(900) as usize + 1;
                if random.below(5) == 0 {
                    short.conceal(count, &mut by_short);
                    long.conceal(count, &mut by_long);
                } else {
                    short.hear(&sound[at..at + count], &mut by_short);
                    long.hear(&sound[at..at + count], &mut by_long);
                }
                healed += usize::from(matches!(short.past, Past::Heard(_)));
                at += count;
            }
            assert!(healed > 10);
            assert_eq!(by_short, by_long);
        }
    }

    #[test]
    fn without_loss_nothing_is_changed() {
        let clean = voice(1, 1_000);
        let (mut concealer, mut out) = (Concealer::new(1), Vec::new());
        for part in clean.chunks(37) {
            concealer.hear(part, &mut out);
        }
        assert_eq!(out[DELAY..], clean[..1_000 - DELAY]);
        assert!(out[..DELAY].iter().all(|s| *s == 0));
    }
}
