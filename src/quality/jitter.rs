//! Interarrival jitter (RFC 3550 section 6.4.1 and appendix A.8), with its mean and maximum over the stream.

use crate::clock::Instant;

/// A difference of transit times beyond this is a time line that was cut (another source behind the same SSRC), not jitter.
const MAX_STEP_NS: i64 = 2_000_000_000;

const NS_PER_S: i64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Jitter {
    last: Option<Timing>,
    /// The estimate, in nanoseconds. A float: sixteenths would be cut off.
    now_ns: f64,
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
}

#[derive(Debug, Clone, Copy)]
struct Timing {
    arrival: Instant,
    timestamp: u32,
    /// The furthest timestamp until now: a packet behind it is out of order.
    furthest: u32,
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
    /// their sender's clock was not running. Nor does one out of order.
    pub(super) fn handle(&mut self, arrival: Instant, timestamp: u32, clock_rate_hz: u32, shown: bool) -> Transit {
        let Some(last) = &mut self.last else {
            self.last = Some(Timing { arrival, timestamp, furthest: timestamp });
            return Transit::Cut;
        };
        let waited = arrival.as_nanos() as i64 - last.arrival.as_nanos() as i64;
        let sampled =
            i64::from(timestamp.wrapping_sub(last.timestamp) as i32) * NS_PER_S / i64::from(clock_rate_hz.max(1));
        let step = waited.saturating_sub(sampled);
        let in_order = timestamp.wrapping_sub(last.furthest) as i32 >= 0;
        self.longest_wait_ns = self.longest_wait_ns.max(waited.unsigned_abs());
        (last.arrival, last.timestamp) = (arrival, timestamp);
        if step.abs() > MAX_STEP_NS {
            last.furthest = timestamp;
            self.cuts += 1;
            return Transit::Cut;
        }
        if in_order {
            last.furthest = timestamp;
        }
        self.packets += 1;
        self.now_ns += (step.abs() as f64 - self.now_ns) / 16.0;
        if shown && in_order {
            self.mean_ns += (self.now_ns - self.mean_ns) / self.packets as f64;
            self.max_ns = self.max_ns.max(self.now_ns);
            self.part_sum_ns += self.now_ns;
            self.part_count += 1;
            self.part_max_ns = self.part_max_ns.max(self.now_ns);
        }
        Transit::Step(step)
    }

    /// A packet whose timestamp says nothing (an RFC 4733 event) keeps its place in the count.
    pub(super) fn pass(&mut self) {
        self.packets += u64::from(self.last.is_some());
    }

    /// Another stream begins: the next packet is compared with none.
    pub(super) fn cut(&mut self) {
        self.last = None;
    }

    pub(super) fn now_ns(&self) -> f64 {
        self.now_ns
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

    /// Mean and maximum since it was last asked.
    pub(super) fn take_part_ns(&mut self) -> (f64, f64) {
        let mean = if self.part_count == 0 { 0.0 } else { self.part_sum_ns / self.part_count as f64 };
        let max = self.part_max_ns;
        (self.part_sum_ns, self.part_count, self.part_max_ns) = (0.0, 0, 0.0);
        (mean, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
