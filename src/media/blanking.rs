//! Stretches of a recording that are silence on both channels because somebody wants it so: while the recording is paused, and
//! while the caller keys digits that are nobody's business.
//!
//! The tap holds sound back for 200 ms, so a stretch may begin a little before it is ordered; what was given out already stays.
//! The time line goes on: frames become zeros, none is left out.
//!
//! Keys that only sound (no RFC 4733, no INFO) are heard in each block before it is given out. A key at the end of a block may be sure in
//! the next one only, so whatever begins like one there is silenced at once, for at most 34 ms, whether it is one or not. What of a key
//! can stay is its first 17 ms, half of what Q.24 lets a receiver take for one.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Block, SAMPLE_RATE_HZ};
use crate::clock::Instant;
use crate::protocol::audio::resample::Halver;
use crate::quality::speech::Keypad;

/// A phone that also sends the key's tones may begin with them: this much before the first packet of a key is blanked with it.
const LEAD: Duration = Duration::from_millis(100);

/// Stretches that may wait for the tap at once. More cannot be: each is longer than what the tap holds back, or is joined to the one
/// before.
const MOST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Blanking {
    /// What is still to come out of the tap, oldest first.
    over: VecDeque<(Instant, Instant)>,
    /// Since when the recording is paused.
    paused: Option<Instant>,
    /// A key of the caller's blanks until so long after it.
    after: Option<Duration>,
    keyed: Option<Keyed>,
    /// There while keys blank.
    ear: Option<Box<Ear>>,
}

/// Hears keys in the caller's sound.
#[derive(Debug)]
struct Ear {
    keypad: Keypad,
    halver: Halver,
    /// Of its first sample.
    begin: Instant,
}

impl Ear {
    fn from(begin: Instant) -> Ear {
        Ear { keypad: Keypad::new(), halver: Halver::default(), begin }
    }

    /// Begin and end of the keys in this block, and where at its end something begins like one.
    fn hear(&mut self, block: &Block, end: Instant) -> (Vec<(Instant, Instant)>, Option<Instant>) {
        let caller = block.samples.iter().step_by(2).copied();
        let narrow: Vec<i16> = match block.rate_hz == SAMPLE_RATE_HZ {
            true => caller.collect(),
            false => {
                let wide: Vec<i16> = caller.collect();
                wide.chunks_exact(2).map(|two| self.halver.push([two[0], two[1]])).collect()
            }
        };
        let mut pressed = Vec::new();
        self.keypad.hear(&narrow, &mut pressed);
        let at = |sample: u64| self.begin + Duration::from_nanos(sample * 125_000);
        let mut keys: Vec<(Instant, Instant)> = pressed.iter().map(|key| (at(key.from), at(key.to).min(end))).collect();
        let sounding = self.keypad.sounding();
        keys.extend(sounding.filter(|sounding| sounding.is_sure).map(|sounding| (at(sounding.from), end)));
        (keys, sounding.filter(|sounding| !sounding.is_sure).map(|sounding| at(sounding.from)))
    }
}

/// Keys are being pressed.
#[derive(Debug, Clone, Copy)]
struct Keyed {
    from: Instant,
    until: Instant,
}

/// What has become of a stretch by keys, for the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Begun(Instant),
    Ended(Instant),
}

impl Blanking {
    pub(super) fn pause(&mut self, at: Instant) {
        self.paused.get_or_insert(at);
    }

    pub(super) fn resume(&mut self, at: Instant) {
        if let Some(from) = self.paused.take() {
            self.keep(from, at);
        }
    }

    /// From now on keys of the caller's blank until `after` them; `None`: they do not.
    pub(super) fn guard(&mut self, now: Instant, after: Option<Duration>) -> Option<Told> {
        self.after = after;
        self.ear = None;
        let keyed = self.keyed.take_if(|_| after.is_none())?;
        let until = now.min(keyed.until);
        self.keep(keyed.from, until);
        Some(Told::Ended(until))
    }

    /// A packet of a key of the caller's, or a message of one.
    pub(super) fn key(&mut self, at: Instant) -> Option<Told> {
        let until = at + self.after?;
        if let Some(keyed) = &mut self.keyed {
            keyed.until = keyed.until.max(until);
            return None;
        }
        let from = at - LEAD;
        self.keyed = Some(Keyed { from, until });
        Some(Told::Begun(from))
    }

    /// The last key is long enough ago.
    pub(super) fn due(&mut self, now: Instant) -> Option<Told> {
        let keyed = self.keyed.take_if(|keyed| keyed.until <= now)?;
        self.keep(keyed.from, keyed.until);
        Some(Told::Ended(keyed.until))
    }

    pub(super) fn deadline(&self) -> Option<(Instant, &'static str)> {
        self.keyed.map(|keyed| (keyed.until, "blanked keys"))
    }

    /// A key that was heard from there to there, in a block that begins at `begin`: what was before is given out.
    fn sounded(&mut self, begin: Instant, (from, to): (Instant, Instant)) -> Option<Told> {
        let until = to + self.after?;
        if let Some(keyed) = &mut self.keyed {
            keyed.until = keyed.until.max(until);
            return None;
        }
        let before = self.over.back().map_or(begin, |(_, until)| begin.max(*until));
        let from = (from - LEAD).max(before);
        self.keyed = Some(Keyed { from, until });
        Some(Told::Begun(from))
    }

    /// Silences what is to be silent of a block; `connected` is the instant of frame 0. Blocks come in order.
    pub(super) fn apply(&mut self, connected: Instant, block: &mut Block) -> Option<Told> {
        let frames = block.samples.len() as u64 / 2;
        let nanos = |frame: u64| Duration::from_nanos(frame * 1_000_000_000 / u64::from(block.rate_hz.max(1)));
        let (begin, end) = (connected + nanos(block.first_frame), connected + nanos(block.first_frame + frames));
        let (mut told, mut perhaps) = (None, None);
        if self.after.is_some() {
            let ear = self.ear.get_or_insert_with(|| Box::new(Ear::from(begin)));
            let (keys, begun) = ear.hear(block, end);
            perhaps = begun.map(|from| (from, end));
            for key in keys {
                // Each one counts: it may make the stretch longer.
                let begun = self.sounded(begin, key);
                told = told.or(begun);
            }
        }
        let open = self.paused.into_iter().chain(self.keyed.map(|keyed| keyed.from)).map(|from| (from, end));
        let stretches = self.over.iter().copied().chain(open).chain(perhaps);
        for (from, until) in stretches.filter(|(from, until)| *from < end && *until > begin) {
            // Whole frames, those included that are cut by an end.
            let frame = |at: Instant| at.since(begin).as_nanos() * u128::from(block.rate_hz) / 1_000_000_000;
            let first = usize::try_from(frame(from)).unwrap_or(usize::MAX).min(block.samples.len() / 2);
            let last = usize::try_from(frame(until) + 1).unwrap_or(usize::MAX).min(block.samples.len() / 2);
            block.samples[first * 2..last * 2].fill(0);
        }
        self.over.retain(|(_, until)| *until > end);
        told
    }

    fn keep(&mut self, from: Instant, until: Instant) {
        let full = self.over.len() >= MOST;
        match self.over.back_mut() {
            Some(last) if full => last.1 = last.1.max(until),
            _ => self.over.push_back((from, until)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CallId, Random};

    const AFTER: Duration = Duration::from_secs(2);

    fn at(ms: u64) -> Instant {
        Instant::START + Duration::from_millis(ms)
    }

    /// 100 ms of noise from there on, blanked; each tenth of it is silent or not.
    fn block(blanking: &mut Blanking, from_ms: u64, rate_hz: u32) -> String {
        let call = CallId::new(crate::clock::Wall::from_micros(0), &mut Random::from_number(1));
        let frames = rate_hz as usize / 10;
        let first_frame = from_ms * u64::from(rate_hz) / 1_000;
        let mut block = Block { call, first_frame, rate_hz, samples: vec![7; frames * 2] };
        blanking.apply(at(0), &mut block);
        let tenths = block.samples.chunks(frames / 5);
        tenths
            .map(|tenth| match tenth.iter().filter(|s| **s == 0).count() {
                0 => '#',
                n if n == tenth.len() => '.',
                _ => '/',
            })
            .collect()
    }

    #[test]
    fn a_pause_is_silence_on_both_channels_from_where_to_where_it_lasts() {
        for rate_hz in [8_000, 16_000] {
            let mut blanking = Blanking::default();
            blanking.pause(at(150));
            assert_eq!(block(&mut blanking, 0, rate_hz), "##########");
            assert_eq!(block(&mut blanking, 100, rate_hz), "#####.....");
            blanking.pause(at(180));
            assert_eq!(block(&mut blanking, 200, rate_hz), "..........");
            blanking.resume(at(350));
            // A frame at each end belongs to it.
            assert_eq!(block(&mut blanking, 300, rate_hz), "...../####");
            assert_eq!(block(&mut blanking, 400, rate_hz), "##########");
        }
    }

    #[test]
    fn keys_blank_from_a_little_before_the_first_to_long_after_the_last() {
        let mut blanking = Blanking::default();
        assert_eq!(blanking.key(at(100)), None, "nobody guards");
        assert_eq!(blanking.guard(at(100), Some(AFTER)), None);
        assert_eq!(blanking.key(at(1_150)), Some(Told::Begun(at(1_050))));
        assert_eq!(block(&mut blanking, 1_000, 8_000), "#####.....");
        assert_eq!(blanking.key(at(2_000)), None);
        assert_eq!(blanking.deadline(), Some((at(4_000), "blanked keys")));
        assert_eq!(blanking.due(at(3_999)), None);
        assert_eq!(blanking.due(at(4_010)), Some(Told::Ended(at(4_000))));
        assert_eq!(block(&mut blanking, 3_900, 8_000), "..........");
        assert_eq!(block(&mut blanking, 4_000, 8_000), "##########");
        assert_eq!(blanking.over.len(), 0);
    }

    /// A second of a quiet voice in which key 5 sounds from there on for so long; what is left of it, block by block.
    fn with_a_key(blanking: &mut Blanking, from_ms: usize, ms: usize, rate_hz: u32) -> (Vec<i16>, Vec<Told>) {
        let call = CallId::new(crate::clock::Wall::from_micros(0), &mut Random::from_number(1));
        let (rate, mut out, mut told) = (rate_hz as usize, Vec::new(), Vec::new());
        let sample = |n: usize| {
            let at = |hz: f64| (std::f64::consts::TAU * hz * n as f64 / rate as f64).sin();
            let key = (from_ms * rate / 1_000..(from_ms + ms) * rate / 1_000).contains(&n);
            if key { (4_000.0 * (at(770.0) + at(1_336.0))) as i16 } else { (500.0 * at(300.0)) as i16 | 1 }
        };
        for first in (0..2 * rate).step_by(rate / 10) {
            let samples = (first..first + rate / 10).flat_map(|n| [sample(n), 9]).collect();
            let mut block = Block { call, first_frame: first as u64, rate_hz, samples };
            told.extend(blanking.apply(at(0), &mut block));
            out.extend(block.samples.iter().step_by(2));
        }
        (out, told)
    }

    #[test]
    fn a_key_that_only_sounds_blanks_wherever_in_a_block_it_begins() {
        for rate_hz in [8_000, 16_000] {
            for from_ms in (520..640).step_by(7) {
                let mut blanking = Blanking::default();
                blanking.guard(at(0), Some(AFTER));
                let (left, told) = with_a_key(&mut blanking, from_ms, 70, rate_hz);
                let rate = rate_hz as usize;
                let key = &left[from_ms * rate / 1_000..(from_ms + 70) * rate / 1_000];
                let heard = key.iter().filter(|sample| **sample != 0).count() * 1_000 / rate;
                assert!(heard <= 17, "{heard} ms of a key at {from_ms} ms are left");
                assert!(left[2 * rate - rate / 5..].iter().all(|sample| *sample == 0), "and what follows");
                assert!(left[..rate * 4 / 10].iter().all(|sample| *sample != 0), "and nothing before");
                let [Told::Begun(from)] = told[..] else { panic!("{told:?}") };
                // What is said to be silent is.
                let first = usize::try_from(from.since(at(0)).as_millis()).unwrap() + 1;
                assert!(left[first * rate / 1_000..].iter().all(|sample| *sample == 0), "from {first} ms on");
            }
        }
        let mut blanking = Blanking::default();
        let (left, told) = with_a_key(&mut blanking, 550, 70, 8_000);
        assert!(told.is_empty() && left.iter().filter(|sample| **sample == 0).count() < 100, "nobody guards");
    }

    #[test]
    fn a_caller_who_is_parked_is_not_guarded_and_two_causes_are_both_kept() {
        let mut blanking = Blanking::default();
        blanking.guard(at(0), Some(AFTER));
        blanking.key(at(1_000));
        blanking.pause(at(1_100));
        assert_eq!(blanking.guard(at(1_200), None), Some(Told::Ended(at(1_200))));
        assert_eq!(blanking.key(at(1_250)), None);
        assert_eq!(block(&mut blanking, 1_200, 8_000), "..........", "it is still paused");
        blanking.resume(at(1_400));
        assert_eq!(block(&mut blanking, 1_300, 8_000), "..........");
        assert_eq!(block(&mut blanking, 1_400, 8_000), "##########");
    }
}
