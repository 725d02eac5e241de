//! Statistics of one received stream (RFC 3550 appendix A.1, A.3 and A.8).

use std::time::Duration;

use super::rtcp::Block;
use super::{Header, NANOS_PER_UNIT};
use crate::clock::Instant;

/// A step forward that is still loss, in packets (RFC 3550 A.1, MAX_DROPOUT).
const MAX_DROPOUT: i64 = 3_000;

/// A step back that is still reordering, in packets (RFC 3550 A.1, MAX_MISORDER).
const MIN_STEP: i64 = -100;

/// A longer step forward is loss too if the sender's time went on as the receiver's did, within an eighth and this, and
/// with packets of these lengths: an outage of minutes. Its rate is known once it was heard for so long.
const OUTAGE_DOUBT: Duration = Duration::from_secs(2);
const PACKET: std::ops::RangeInclusive<Duration> = Duration::from_micros(2_500)..=Duration::from_millis(200);
const RATE_KNOWN: Duration = Duration::from_secs(1);

/// How long the present SSRC must have been silent, or have been the present one, before another takes its place.
const SSRC_QUIET: Duration = Duration::from_millis(200);

/// SSRCs that were left, most of them remembered: they come back only when the present one is silent.
const LEFT: usize = 4;

/// A difference of transit times beyond this is a time line that was cut or a source that stood still, not jitter.
const MAX_TRANSIT_STEP_NS: u64 = 2_000_000_000;

/// What a packet is to its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequenced {
    /// Not seen before: in order, after a loss, or late.
    New,
    Duplicate,
    /// Far from the stream (taken when the next packet follows it, as a sender that restarted does), or of an SSRC
    /// beside the present one.
    Stray,
}

/// Counts one leg's received packets over all streams that its peer sends, one after the other. There is no probation:
/// signalling named the source, so the first packet counts.
///
/// The newest SSRC wins, so that a change costs no sound. Of two that alternate only one is heard and counted: an SSRC
/// that was left comes back when the present one is silent, and no two changes are nearer than 200 ms.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    stream: Option<Stream>,
    /// Sums of the streams before the present one.
    packets: u64,
    lost: u64,
    duplicates: u64,
    strays: u64,
    restarts: u64,
    before_first: u64,
    /// The SSRCs before the present one, the latest last.
    left: [Option<u32>; LEFT],
    /// Sixteen times the estimate, in nanoseconds.
    jitter_16: u64,
}

/// One SSRC between two restarts of its sequence numbers.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    /// Arrival of its first and its newest packet.
    since: Instant,
    heard: Instant,
    /// Lowest and highest extended sequence number; reordering at the very start moves `base` down.
    base: i64,
    highest: i64,
    /// Those of the first packet that came.
    first: i64,
    first_timestamp: u32,
    /// Bit `n`: `highest - n` was received.
    seen: u128,
    packets: u64,
    /// The number that would confirm a restart, and whether one is awaited.
    restart: Option<u16>,
    last: Option<Transit>,
    /// Packets expected and received at the last report.
    reported: (u64, u64),
}

#[derive(Debug, Clone, Copy)]
struct Transit {
    arrival: Instant,
    timestamp: u32,
}

impl Receiver {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet that arrived at `arrival`. `timed`: its timestamp is its sampling instant, so it counts for the
    /// jitter; not so within an RFC 4733 event, whose packets repeat the timestamp of its start.
    pub fn handle(&mut self, header: &Header, arrival: Instant, timed: bool) -> Sequenced {
        let result = match &mut self.stream {
            Some(stream) if stream.ssrc == header.ssrc => {
                let step = stream.handle(header, arrival);
                stream.heard = arrival.max(stream.heard);
                step
            }
            Some(stream) if !stream.gives_way(arrival, self.left.contains(&Some(header.ssrc))) => Step::Stray,
            _ => Step::Restart(1),
        };
        match result {
            Step::New => {}
            Step::Duplicate => {
                self.duplicates += 1;
                return Sequenced::Duplicate;
            }
            Step::Stray => {
                self.strays += 1;
                return Sequenced::Stray;
            }
            Step::Restart(packets) => self.restart(header, packets, arrival),
        }
        if timed {
            self.time(header.timestamp, arrival);
        }
        Sequenced::New
    }

    /// Packets received, duplicates excluded.
    pub fn packets(&self) -> u64 {
        self.packets + self.stream.map_or(0, |s| s.packets)
    }

    /// Expected minus received (A.3), never negative.
    pub fn lost(&self) -> u64 {
        self.lost + self.stream.map_or(0, |s| s.lost())
    }

    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Packets beside the stream: they were not heard.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// How often a stream began after the first one.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Packets whose numbers are below that of the first of their stream that came: A.3 does not expect them.
    pub fn before_first(&self) -> u64 {
        self.before_first + self.stream.map_or(0, |s| s.before_first())
    }

    /// The extended number of a packet of the present stream with this sequence number.
    pub fn position(&self, sequence: u16) -> Option<i64> {
        let highest = self.stream?.highest;
        Some(highest + i64::from(sequence.wrapping_sub(highest as u16) as i16))
    }

    /// The lowest extended number of the present stream.
    pub fn base(&self) -> Option<i64> {
        Some(self.stream?.base)
    }

    /// Interarrival jitter now (A.8), in microseconds.
    pub fn jitter_us(&self) -> u64 {
        self.jitter_16 / 16 / 1_000
    }

    /// What RTCP says of the present stream, without the times of the peer's own report.
    pub fn report(&mut self) -> Option<Block> {
        let jitter = self.jitter_16 / 16 / NANOS_PER_UNIT;
        let stream = self.stream.as_mut()?;
        Some(Block {
            ssrc: stream.ssrc,
            fraction_lost: stream.fraction_lost(),
            lost: i32::try_from(stream.lost()).unwrap_or(i32::MAX),
            highest: stream.highest as u32,
            jitter: u32::try_from(jitter).unwrap_or(u32::MAX),
            last_report: 0,
            delay: 0,
        })
    }

    fn restart(&mut self, header: &Header, packets: u64, arrival: Instant) {
        if let Some(old) = self.stream.take() {
            self.packets += old.packets;
            self.lost += old.lost();
            self.before_first += old.before_first();
            self.restarts += 1;
            // The packet that announced a restart within an SSRC was a stray until now.
            self.strays = self.strays.saturating_sub(packets - 1);
            if old.ssrc != header.ssrc {
                self.left.rotate_left(1);
                self.left[LEFT - 1] = Some(old.ssrc);
            }
        }
        self.stream = Some(Stream::new(header, packets, arrival));
    }

    /// A.8 in nanoseconds, so that clocks finer than the sampling clock are not rounded away.
    fn time(&mut self, timestamp: u32, arrival: Instant) {
        let Some(stream) = &mut self.stream else { return };
        if let Some(last) = stream.last {
            let arrived = arrival.as_nanos() as i64 - last.arrival.as_nanos() as i64;
            let sampled = i64::from(timestamp.wrapping_sub(last.timestamp) as i32) * NANOS_PER_UNIT as i64;
            let difference = arrived.saturating_sub(sampled).unsigned_abs();
            if difference <= MAX_TRANSIT_STEP_NS {
                self.jitter_16 = self.jitter_16 + difference - ((self.jitter_16 + 8) >> 4).min(self.jitter_16);
            }
        }
        stream.last = Some(Transit { arrival, timestamp });
    }
}

enum Step {
    New,
    Duplicate,
    Stray,
    /// A new stream begins, with that many packets in it already.
    Restart(u64),
}

impl Stream {
    fn new(header: &Header, packets: u64, arrival: Instant) -> Self {
        let highest = i64::from(header.sequence);
        let base = highest - (packets as i64 - 1);
        let seen = (1 << packets) - 1;
        let (since, heard) = (arrival, arrival);
        Stream {
            ssrc: header.ssrc,
            since,
            heard,
            base,
            highest,
            first: base,
            first_timestamp: header.timestamp,
            seen,
            packets,
            restart: None,
            last: None,
            reported: (0, 0),
        }
    }

    /// Whether a packet of another SSRC may end this stream; `left`: one that was left for this one or a later one.
    fn gives_way(&self, arrival: Instant, left: bool) -> bool {
        arrival.since(self.heard) >= SSRC_QUIET || (!left && arrival.since(self.since) >= SSRC_QUIET)
    }

    fn handle(&mut self, header: &Header, arrival: Instant) -> Step {
        let sequence = header.sequence;
        let step = i64::from(sequence.wrapping_sub(self.highest as u16) as i16);
        if self.restart.take() == Some(sequence) {
            return Step::Restart(2);
        }
        match step {
            1..MAX_DROPOUT => {
                self.seen = self.seen.checked_shl(step as u32).unwrap_or(0) | 1;
                self.highest += step;
            }
            MIN_STEP..=0 => {
                let bit = 1 << -step;
                if self.seen & bit != 0 {
                    return Step::Duplicate;
                }
                self.seen |= bit;
                self.base = self.base.min(self.highest + step);
            }
            MAX_DROPOUT.. if self.goes_on(step, header.timestamp, arrival) => {
                self.seen = 1;
                self.highest += step;
            }
            _ => {
                self.restart = Some(sequence.wrapping_add(1));
                return Step::Stray;
            }
        }
        self.packets += 1;
        Step::New
    }

    /// Whether so many numbers further on the sender is where its time line leads.
    fn goes_on(&self, step: i64, timestamp: u32, arrival: Instant) -> bool {
        let Some(last) = self.last else { return false };
        let (known, silent) = (last.arrival.since(self.since), arrival.since(last.arrival));
        let sampled = f64::from(last.timestamp.wrapping_sub(self.first_timestamp));
        if known < RATE_KNOWN || sampled == 0.0 || !PACKET.contains(&(silent / step as u32)) {
            return false;
        }
        let stepped_s = f64::from(timestamp.wrapping_sub(last.timestamp)) * known.as_secs_f64() / sampled;
        let silent_s = silent.as_secs_f64();
        (stepped_s - silent_s).abs() <= silent_s / 8.0 + OUTAGE_DOUBT.as_secs_f64()
    }

    fn before_first(&self) -> u64 {
        (self.first - self.base) as u64
    }

    fn expected(&self) -> u64 {
        (self.highest - self.base + 1) as u64
    }

    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.packets)
    }

    /// Share lost since the last report, in 1/256 (A.3).
    fn fraction_lost(&mut self) -> u8 {
        let (expected, received) = (self.expected(), self.packets);
        let (before, had) = std::mem::replace(&mut self.reported, (expected, received));
        let interval = expected.saturating_sub(before);
        let lost = interval.saturating_sub(received.saturating_sub(had));
        u8::try_from((lost * 256).checked_div(interval).unwrap_or(0)).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header { payload_type: 8, marker: false, sequence, timestamp, ssrc: 1 }
    }

    fn feed(receiver: &mut Receiver, sequence: u16) -> Sequenced {
        receiver.handle(&header(sequence, u32::from(sequence) * 160), Instant::START, false)
    }

    #[test]
    fn the_first_packet_counts() {
        let mut receiver = Receiver::new();
        assert_eq!(feed(&mut receiver, 65_535), Sequenced::New);
        assert_eq!(feed(&mut receiver, 1), Sequenced::New);
        assert_eq!(feed(&mut receiver, 1), Sequenced::Duplicate);
        assert_eq!((receiver.packets(), receiver.lost(), receiver.duplicates()), (2, 1, 1));
    }

    #[test]
    fn a_restart_needs_two_packets_in_a_row_and_counts_both() {
        let mut receiver = Receiver::new();
        for n in 0..10 {
            feed(&mut receiver, n);
        }
        assert_eq!(feed(&mut receiver, 20_000), Sequenced::Stray);
        assert_eq!(feed(&mut receiver, 10), Sequenced::New);
        assert_eq!((receiver.packets(), receiver.lost()), (11, 0));
        assert_eq!(feed(&mut receiver, 40_000), Sequenced::Stray);
        assert_eq!(feed(&mut receiver, 40_001), Sequenced::New);
        assert_eq!(feed(&mut receiver, 40_003), Sequenced::New);
        assert_eq!((receiver.packets(), receiver.lost()), (14, 1));
    }

    /// 64 s and 500 s without a packet while the sender went on; then numbers that no time explains.
    #[test]
    fn an_outage_of_minutes_is_loss_and_a_jump_is_none() {
        let mut receiver = Receiver::new();
        let mut send = |n: u64, number: u64| {
            let header = header(number as u16, (n as u32).wrapping_mul(160).wrapping_add(u32::MAX - 9_000));
            receiver.handle(&header, Instant::from_millis(n * 20), true);
            (receiver.packets(), receiver.lost(), receiver.restarts())
        };
        for n in 0..100 {
            send(n, n);
        }
        assert_eq!(send(3_300, 3_300), (101, 3_200, 0));
        assert_eq!(send(28_300, 28_300), (102, 28_199, 0));
        assert_eq!(send(28_301, 28_301), (103, 28_199, 0));
        send(28_302, 40_000);
        assert_eq!(send(28_303, 40_001), (105, 28_199, 1));
    }

    /// A.3 begins at the first that came; what is unique is counted from the first that was sent.
    #[test]
    fn what_was_sent_before_the_first_was_not_expected() {
        let mut receiver = Receiver::new();
        for n in [10, 9, 7, 11] {
            feed(&mut receiver, n);
        }
        assert_eq!((receiver.packets(), receiver.lost(), receiver.before_first()), (4, 1, 3));
    }

    #[test]
    fn another_ssrc_is_another_stream() {
        let mut receiver = Receiver::new();
        feed(&mut receiver, 10);
        feed(&mut receiver, 12);
        receiver.handle(&Header { ssrc: 2, ..header(5_000, 0) }, Instant::from_millis(200), true);
        assert_eq!((receiver.packets(), receiver.lost(), receiver.jitter_us()), (3, 1, 0));
    }

    #[test]
    fn a_report_tells_the_loss_since_the_last_one() {
        let mut receiver = Receiver::new();
        assert_eq!(receiver.report(), None);
        let loss = |receiver: &mut Receiver| receiver.report().map(|b| (b.fraction_lost, b.lost, b.highest));
        for n in 65_530..65_534 {
            feed(&mut receiver, n);
        }
        assert_eq!(loss(&mut receiver), Some((0, 0, 65_533)));
        for n in [65_535, 1] {
            feed(&mut receiver, n);
        }
        assert_eq!(loss(&mut receiver), Some((128, 2, 65_537)), "two of four, across the wrap");
        assert_eq!(loss(&mut receiver), Some((0, 2, 65_537)));
        feed(&mut receiver, 0);
        assert_eq!(loss(&mut receiver), Some((0, 1, 65_537)), "a late one");
    }

    /// 20 ms of each of some SSRCs in turn, for `ms`.
    fn interleaved(ms: u64, ssrc: impl Fn(u64) -> u32) -> Receiver {
        let mut receiver = Receiver::new();
        for n in 0..ms / 20 {
            for turn in 0..2 {
                let header = Header { ssrc: ssrc(n * 2 + turn), ..header(n as u16, n as u32 * 160) };
                receiver.handle(&header, Instant::from_millis(1_000 + n * 20 + turn * 10), true);
            }
        }
        receiver
    }

    #[test]
    fn of_two_ssrcs_that_alternate_one_is_heard() {
        let receiver = interleaved(60_000, |packet| packet as u32 % 2);
        assert_eq!((receiver.restarts(), receiver.lost(), receiver.jitter_us()), (1, 0, 0));
        assert_eq!(receiver.packets() + receiver.strays(), 6_000);
        assert!((2_990..=3_010).contains(&receiver.packets()), "{}", receiver.packets());
    }

    #[test]
    fn an_ssrc_for_every_packet_changes_at_most_five_times_a_second() {
        let receiver = interleaved(10_000, |packet| packet as u32);
        assert!(receiver.restarts() <= 50, "{}", receiver.restarts());
    }

    #[test]
    fn an_ssrc_that_was_left_comes_back_when_the_other_is_silent() {
        let mut receiver = Receiver::new();
        let mut at =
            |ms, ssrc| receiver.handle(&Header { ssrc, ..header(ms as u16, 0) }, Instant::from_millis(ms), true);
        use Sequenced::{New, Stray};
        assert_eq!([at(0, 1), at(300, 2), at(450, 1), at(500, 1), at(501, 2)], [New, New, Stray, New, Stray]);
        assert_eq!(at(801, 3), New, "one that was never heard need not wait");
    }

    #[test]
    fn a_jump_of_timestamps_is_no_jitter() {
        let mut receiver = Receiver::new();
        for n in 0..1_000u32 {
            let jump = if n < 500 { 0 } else { 0x8000_1234 };
            let header = header(n as u16, (n * 160).wrapping_add(jump));
            assert_eq!(receiver.handle(&header, Instant::from_millis(u64::from(n) * 20), true), Sequenced::New);
        }
        assert_eq!((receiver.packets(), receiver.lost(), receiver.jitter_us()), (1_000, 0, 0));
    }

    #[test]
    fn three_wraps_of_the_sequence_number_lose_nothing() {
        let mut receiver = Receiver::new();
        for n in 0..200_000u32 {
            assert_eq!(feed(&mut receiver, n as u16), Sequenced::New);
        }
        assert_eq!((receiver.packets(), receiver.lost(), receiver.restarts()), (200_000, 0, 0));
    }

    /// A.8 by hand: a constant 20 ms stream of which one packet comes 16 ms late moves J by 1 ms twice, less decay.
    #[test]
    fn jitter_is_that_of_the_rfc() {
        let mut receiver = Receiver::new();
        let mut at = |n: u16, late_ms: u64| {
            let arrival = Instant::from_millis(1_000 + u64::from(n) * 20 + late_ms);
            receiver.handle(&header(n, u32::from(n) * 160), arrival, true);
            receiver.jitter_us()
        };
        assert_eq!([at(0, 0), at(1, 0), at(2, 16)], [0, 0, 1_000]);
        assert_eq!(at(3, 0), 1_937);
        assert_eq!(at(4, 0), 1_816);
    }

    #[test]
    fn constant_delay_is_no_jitter_across_the_wrap_of_timestamps() {
        let mut receiver = Receiver::new();
        for n in 0..100u16 {
            let timestamp = (u32::MAX - 800).wrapping_add(u32::from(n) * 160);
            let arrival = Instant::START + Duration::from_millis(u64::from(n) * 20);
            receiver.handle(&header(n, timestamp), arrival, true);
        }
        assert_eq!(receiver.jitter_us(), 0);
    }

    proptest! {
        /// Whatever the network loses, swaps within 50 packets and repeats: the counts are the truth.
        #[test]
        fn counts_survive_loss_reordering_and_duplicates(
            first: u16,
            plan in proptest::collection::vec((0u8..20, 0u32..50, prop::bool::weighted(0.1)), 2..2_000),
        ) {
            let mut sent: Vec<(u32, u16, bool)> = Vec::new();
            for (n, (fate, delay, twice)) in plan.iter().enumerate() {
                if *fate > 0 {
                    let sequence = first.wrapping_add(n as u16);
                    sent.push((n as u32 + delay, sequence, false));
                    if *twice {
                        sent.push((n as u32 + delay, sequence, true));
                    }
                }
            }
            sent.sort_by_key(|(at, ..)| *at);
            let mut receiver = Receiver::new();
            for (_, sequence, twice) in &sent {
                let expected = if *twice { Sequenced::Duplicate } else { Sequenced::New };
                prop_assert_eq!(feed(&mut receiver, *sequence), expected);
            }
            let kept: Vec<usize> = plan.iter().enumerate().filter(|(_, p)| p.0 > 0).map(|(n, _)| n).collect();
            let span = kept.last().map_or(0, |last| last - kept[0] + 1);
            prop_assert_eq!(receiver.packets(), kept.len() as u64);
            prop_assert_eq!(receiver.lost(), (span - kept.len()) as u64);
        }
    }
}
