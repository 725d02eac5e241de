//! Stretches of a recording that are silence on both channels because somebody wants it so: while the recording is paused, and
//! while the caller keys digits that are nobody's business.
//!
//! The tap holds sound back for 200 ms, so a stretch may begin a little before it is ordered; what was given out already stays.
//! The time line goes on: frames become zeros, none is left out.

use std::collections::VecDeque;
use std::time::Duration;

use super::Block;
use crate::clock::Instant;

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

    /// Silences what is to be silent of a block; `connected` is the instant of frame 0. Blocks come in order.
    pub(super) fn apply(&mut self, connected: Instant, block: &mut Block) {
        let frames = block.samples.len() as u64 / 2;
        let nanos = |frame: u64| Duration::from_nanos(frame * 1_000_000_000 / u64::from(block.rate_hz.max(1)));
        let (begin, end) = (connected + nanos(block.first_frame), connected + nanos(block.first_frame + frames));
        let open = self.paused.into_iter().chain(self.keyed.map(|keyed| keyed.from)).map(|from| (from, end));
        let stretches = self.over.iter().copied().chain(open);
        for (from, until) in stretches.filter(|(from, until)| *from < end && *until > begin) {
            // Whole frames, those included that are cut by an end.
            let frame = |at: Instant| at.since(begin).as_nanos() * u128::from(block.rate_hz) / 1_000_000_000;
            let first = usize::try_from(frame(from)).unwrap_or(usize::MAX).min(block.samples.len() / 2);
            let last = usize::try_from(frame(until) + 1).unwrap_or(usize::MAX).min(block.samples.len() / 2);
            block.samples[first * 2..last * 2].fill(0);
        }
        self.over.retain(|(_, until)| *until > end);
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
