//! How far a stream's sound lies in the recording from where it came, and what brings the two together again.
//!
//! Sound is laid out by RTP timestamps, which count by the sender's clock: a hundred parts in a million are 0.36 s in an hour, and
//! caller and agent would be as far apart. A network only ever delays, so the least delay of some seconds, against that at the
//! stream's begin, is how far it has gone astray. That is made up in a pause, where nobody hears it; in speech by a millisecond at a time.

use std::time::Duration;

use crate::clock::Instant;

/// The least delay is sought in so much of a stream.
const WINDOW: Duration = Duration::from_secs(5);
/// Less is left alone: 2 ms, in units.
const LEAST: i64 = 16;
/// Most that a packet is moved in a pause: 20 ms, in units.
const IN_A_PAUSE: i64 = 160;
/// Most that packets are moved in speech, once a window: 1 ms, in units. 200 parts in a million: no sound card is as bad.
const IN_SPEECH: i64 = 8;

#[derive(Debug, Default)]
pub(super) struct Placing {
    /// Since when, and the least delay so far, in units.
    window: Option<(Instant, i64)>,
    /// How far astray the window before was.
    before: Option<u64>,
    /// Still to be made up; above 0: sound is to lie later.
    owed: i64,
    /// What of it may be made up in speech.
    in_speech: i64,
    farthest: u64,
}

impl Placing {
    /// A packet came so many units after the place of its sound (below 0: before it).
    pub(super) fn arrive(&mut self, arrival: Instant, behind: i64) {
        match &mut self.window {
            Some((since, least)) if arrival.since(*since) < WINDOW => *least = behind.min(*least),
            window => {
                if let Some((_, least)) = window.replace((arrival, behind)) {
                    self.judge(least);
                }
            }
        }
    }

    /// Something is to be made up.
    pub(super) fn is_owing(&self) -> bool {
        self.owed != 0
    }

    /// By how much the packet that has just come, and all after it, are to be moved.
    pub(super) fn step(&mut self, pause: bool) -> i64 {
        let most = if pause { IN_A_PAUSE } else { self.in_speech };
        let step = self.owed.clamp(-most, most);
        self.in_speech = 0;
        self.owed -= step;
        if let Some((_, least)) = &mut self.window {
            *least -= step;
        }
        step
    }

    /// Another stream begins.
    pub(super) fn begin_anew(&mut self) {
        *self = Placing { farthest: self.farthest, ..Placing::default() };
    }

    /// How far it was astray at the worst for two windows running, since it was last asked.
    pub(super) fn take_farthest(&mut self) -> u64 {
        std::mem::take(&mut self.farthest)
    }

    fn judge(&mut self, astray: i64) {
        let far = astray.unsigned_abs();
        if let Some(before) = self.before.replace(far) {
            self.farthest = self.farthest.max(far.min(before));
        }
        (self.owed, self.in_speech) = if astray.abs() >= LEAST { (astray, IN_SPEECH) } else { (0, 0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet every 20 ms for so long; `delay`: of the packet that is sent at this second, in units. Where the last one was laid, after
    /// its arrival, and the farthest.
    fn hear(seconds: u64, pauses: bool, delay: impl Fn(f64) -> i64) -> (i64, u64) {
        let (mut placing, mut moved, mut behind) = (Placing::default(), 0, 0);
        for n in 0..seconds * 50 {
            let sent = n as f64 / 50.0;
            let arrival = Instant::from_millis(n * 20);
            // The jitter of a network: most packets are a little late.
            behind = delay(sent) + (n % 7) as i64 * 9 - moved;
            placing.arrive(arrival, behind);
            if placing.is_owing() {
                moved += placing.step(pauses && n % 250 > 200);
            }
        }
        (behind, placing.take_farthest())
    }

    #[test]
    fn a_clock_that_runs_away_is_followed_for_an_hour() {
        for ppm in [-180.0, -40.0, 15.0, 180.0] {
            let clock = |sent: f64| (sent * ppm * 8_000.0 / 1e6) as i64;
            for pauses in [true, false] {
                let (behind, farthest) = hear(3_600, pauses, clock);
                assert!(behind.abs() < 80 && farthest < 40, "{ppm} ppm, {pauses}: {behind}, {farthest}");
            }
        }
    }

    #[test]
    fn a_longer_way_is_made_up_in_the_next_pauses_and_jitter_alone_moves_nothing() {
        assert_eq!(hear(600, true, |_| 0).1, 0);
        let longer = |sent: f64| if sent < 60.0 { 0 } else { 480 };
        assert!(hear(90, true, longer).0 < 80);
        // Nobody pauses: it is told, and mended slowly.
        let (behind, farthest) = hear(90, false, longer);
        assert!((380..520).contains(&behind) && (440..=480).contains(&farthest), "{behind}, {farthest}");
    }
}
