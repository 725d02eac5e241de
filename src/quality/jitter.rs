//! Interarrival jitter (RFC 3550 section 6.4.1 and appendix A.8), with its mean and maximum over the stream.

use crate::clock::Instant;

/// A difference of transit times beyond this is a time line that was cut (another source behind the same SSRC), not jitter.
const MAX_STEP_NS: i64 = 2_000_000_000;

/// Packets from the first one on among which one that was sent before it may come.
const EARLY: u64 = 128;

const NS_PER_S: i64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Jitter {
    estimate: Estimate,
    /// The estimate that mean and maximum are of, once a packet came that was sent before the first that came: such a
    /// one is not part of it, as in the tables of other tools. Until then they are one.
    apart: Option<Estimate>,
    first_timestamp: u32,
    mean_ns: f64,
    max_ns: f64,
    /// The same since the last interval began.
    part_sum_ns: f64,
    part_count: u64,
    part_max_ns: f64,
    /// Packets since the stream began, the first not counted: what the mean is over.
    packets: u64,
    /// The time line was cut so often.
    cuts: u64,
    /// Longest time between two arrivals.
    longest_wait_ns: u64,
    /// The same within talkspurts, events included, and when the last packet came.
    longest_delta_ns: u64,
    heard: Instant,
}

/// RFC 3550 A.8 as far as it has come.
#[derive(Debug, Clone, Copy, Default)]
struct Estimate {
    last: Option<Timing>,
    /// In nanoseconds. A float: sixteenths would be cut off.
    now_ns: f64,
}

#[derive(Debug, Clone, Copy)]
struct Timing {
    arrival: Instant,
    timestamp: u32,
}

/// What a packet told of the network's delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transit {
    /// Relative to the packet before it, in nanoseconds.
    Step(i64),
    /// The time line begins anew.
    Cut,
}

impl Jitter {
    /// `shown`: it counts for mean and maximum. A packet that begins a talkspurt, comfort noise and what follows it do not:
    /// their sender's clock was not running.
    pub(super) fn handle(&mut self, arrival: Instant, timestamp: u32, clock_rate_hz: u32, shown: bool) -> Transit {
        let packet = Timing { arrival, timestamp };
        let before = self.estimate;
        let Some(last) = self.estimate.last.replace(packet) else {
            (self.first_timestamp, self.heard) = (timestamp, arrival);
            return Transit::Cut;
        };
        let step = packet.later_than(last, clock_rate_hz);
        self.longest_wait_ns = self.longest_wait_ns.max(arrival.as_nanos().abs_diff(last.arrival.as_nanos()));
        if step.abs() > MAX_STEP_NS {
            self.cuts += 1;
            (self.first_timestamp, self.heard, self.apart) = (timestamp, arrival, None);
            return Transit::Cut;
        }
        self.packets += 1;
        self.estimate.take(step);
        let early = self.packets < EARLY && (timestamp.wrapping_sub(self.first_timestamp) as i32) < 0;
        let Some(told_ns) = self.tell(before, packet, clock_rate_hz, early) else { return Transit::Step(step) };
        if shown {
            self.mean_ns += (told_ns - self.mean_ns) / self.packets as f64;
            self.max_ns = self.max_ns.max(told_ns);
            self.part_sum_ns += told_ns;
            self.part_count += 1;
            self.part_max_ns = self.part_max_ns.max(told_ns);
        }
        self.wait(arrival, shown);
        Transit::Step(step)
    }

    /// What mean and maximum take of this packet: of an early one nothing.
    fn tell(&mut self, before: Estimate, packet: Timing, clock_rate_hz: u32, early: bool) -> Option<f64> {
        if early {
            self.apart.get_or_insert(before);
            return None;
        }
        let Some(apart) = &mut self.apart else { return Some(self.estimate.now_ns) };
        let last = apart.last.replace(packet)?;
        apart.take(packet.later_than(last, clock_rate_hz));
        Some(apart.now_ns)
    }

    fn wait(&mut self, arrival: Instant, shown: bool) {
        let delta = arrival.as_nanos().saturating_sub(self.heard.as_nanos());
        self.longest_delta_ns = self.longest_delta_ns.max(if shown { delta } else { 0 });
        self.heard = arrival;
    }

    /// A packet whose timestamp says nothing (an RFC 4733 event) keeps its place in the count.
    pub(super) fn pass(&mut self, arrival: Instant, shown: bool) {
        if self.estimate.last.is_some() {
            self.packets += 1;
            self.wait(arrival, shown);
        }
    }

    /// Another stream begins: the next packet is compared with none.
    pub(super) fn cut(&mut self) {
        (self.estimate.last, self.apart) = (None, None);
    }

    pub(super) fn now_ns(&self) -> f64 {
        self.estimate.now_ns
    }

    pub(super) fn mean_ns(&self) -> f64 {
        self.mean_ns
    }

    pub(super) fn max_ns(&self) -> f64 {
        self.max_ns
    }

    pub(super) fn cuts(&self) -> u64 {
        self.cuts
    }

    pub(super) fn longest_wait_ns(&self) -> u64 {
        self.longest_wait_ns
    }

    pub(super) fn longest_delta_ns(&self) -> u64 {
        self.longest_delta_ns
    }

    /// Mean and maximum since it was last asked.
    pub(super) fn take_part_ns(&mut self) -> (f64, f64) {
        let mean = if self.part_count == 0 { 0.0 } else { self.part_sum_ns / self.part_count as f64 };
        let max = self.part_max_ns;
        (self.part_sum_ns, self.part_count, self.part_max_ns) = (0.0, 0, 0.0);
        (mean, max)
    }
}

impl Estimate {
    fn take(&mut self, step_ns: i64) {
        self.now_ns += (step_ns.abs() as f64 - self.now_ns) / 16.0;
    }
}

impl Timing {
    /// D of A.8, in nanoseconds.
    fn later_than(self, last: Timing, clock_rate_hz: u32) -> i64 {
        let waited = self.arrival.as_nanos() as i64 - last.arrival.as_nanos() as i64;
        let sampled =
            i64::from(self.timestamp.wrapping_sub(last.timestamp) as i32) * NS_PER_S / i64::from(clock_rate_hz.max(1));
        waited.saturating_sub(sampled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second was sent first. By hand, in ms: A.8 has D = 40, 20, 0; the table has 20 (the third and the first), 0.
    #[test]
    fn what_was_sent_before_the_first_is_in_no_table() {
        let mut jitter = Jitter::default();
        for (ms, timestamp) in [(100, 320_u32), (120, 160), (140, 480), (160, 640)] {
            jitter.handle(Instant::from_millis(ms), timestamp, 8_000, true);
        }
        let second = 20e6 / 16.0;
        let third = second - second / 16.0;
        assert!((jitter.mean_ns() - (second + third) / 3.0).abs() < 1.0, "{jitter:?}");
        assert!((jitter.max_ns() - second).abs() < 1.0, "{jitter:?}");
        assert_eq!(jitter.longest_delta_ns(), 40_000_000, "from the first to the third");
        assert_eq!(jitter.longest_wait_ns(), 20_000_000);
    }

    #[test]
    fn a_steady_difference_converges_and_a_jump_of_the_time_line_is_none() {
        let mut jitter = Jitter::default();
        for n in 0..1_000_u64 {
            // Every second packet 10 ms late: |D| is 10 ms each time.
            let arrival = Instant::from_millis(n * 20 + 10 * (n % 2));
            jitter.handle(arrival, n as u32 * 160, 8_000, true);
        }
        assert!((jitter.now_ns() - 10e6).abs() < 1.0, "{}", jitter.now_ns());
        assert_eq!(jitter.handle(Instant::from_millis(20_000), 5_000_000, 8_000, true), Transit::Cut);
        assert_eq!(jitter.cuts(), 1);
        assert!((jitter.max_ns() - 10e6).abs() < 1.0);
    }

    /// By hand: D = 0, 16 ms, 0 → J = 0, 1 ms, 0.9375 ms.
    #[test]
    fn the_first_steps() {
        let mut jitter = Jitter::default();
        let mut seen = Vec::new();
        for (ms, timestamp) in [(0, 0), (20, 160), (56, 320), (76, 480)] {
            jitter.handle(Instant::from_millis(ms), timestamp, 8_000, true);
            seen.push(jitter.now_ns());
        }
        assert_eq!(seen, [0.0, 0.0, 1e6, 937_500.0]);
        assert_eq!(jitter.max_ns(), 1e6);
        assert!((jitter.mean_ns() - 1_937_500.0 / 3.0).abs() < 1e-6);
        assert_eq!(jitter.longest_wait_ns(), 36_000_000);
    }
}
