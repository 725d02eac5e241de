//! Evens out a stream's delay where it has to be decoded as it comes: adaptive and bounded.
//!
//! The delay aimed at is what the last 2 to 4 s needed: the spread of transit times plus 10 ms, from 20 to 200 ms. The clock
//! that takes sound out keeps its pace; the delay is changed by whole 10 ms, put in as a loss that is concealed, left out
//! where nothing is said (or, when the delay is far too long, anywhere).

use super::listener::Listener;
use super::unit::{Heard, Unit};
use crate::clock::Instant;
use crate::protocol::rtp::{Header, units};

/// What is taken out at once: 10 ms, in units.
pub(super) const STEP: usize = 80;
/// 512 ms; a power of two.
const RING: usize = 4_096;
const SHORTEST: i64 = 160;
const LONGEST: i64 = 1_600;
/// Half of the time that is remembered: 2 s.
const WINDOW: i64 = 16_000;
/// A packet further than this from its place begins a new time line: 500 ms.
const MAX_JUMP: i64 = 4_000;
/// Longer than needed by so much, and a pause is shortened; by so much, and speech is.
const LONG: i64 = 160;
const FAR_TOO_LONG: i64 = 480;
/// A mean magnitude below which nobody speaks, in 16-bit steps (about −50 dBov).
const QUIET: u32 = 100;

/// What became of packets and sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buffered {
    /// Packets that came after their sound was due.
    pub late: u64,
    /// Packets that found no room, and 10 ms that were left out to shorten the delay.
    pub discarded: u64,
    /// 10 ms that were put in to lengthen it.
    pub expanded: u64,
}

impl Buffered {
    pub(super) fn add(&mut self, other: Buffered) {
        self.late += other.late;
        self.discarded += other.discarded;
        self.expanded += other.expanded;
    }
}

#[derive(Debug)]
pub(super) struct JitterBuffer {
    ring: Box<[Unit]>,
    line: Option<Line>,
    /// The first unit that was not taken out yet.
    next: i64,
    counts: Buffered,
}

/// How timestamps and arrivals become positions, in units.
#[derive(Debug, Clone, Copy)]
struct Line {
    ssrc: u32,
    timestamp: u32,
    position: i64,
    /// The newest packet's number, and where it ends.
    newest: (u16, i64),
    /// Transit times lately, and before that.
    now: Window,
    before: Window,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    begin: i64,
    least: i64,
    most: i64,
}

impl JitterBuffer {
    pub(super) fn new() -> Self {
        JitterBuffer { ring: vec![Unit::MISSING; RING].into(), line: None, next: 0, counts: Buffered::default() }
    }

    /// An empty one that goes on counting.
    pub(super) fn new_with(counts: Buffered) -> Self {
        JitterBuffer { counts, ..JitterBuffer::new() }
    }

    pub(super) fn counts(&self) -> Buffered {
        self.counts
    }

    /// Takes a packet's units.
    pub(super) fn put(&mut self, arrival: Instant, header: &Header, sound: impl ExactSizeIterator<Item = Unit>) {
        let arrived = units(arrival.since(Instant::START)) as i64;
        let length = sound.len() as i64;
        let position = self.place(arrived, header, length);
        if position + length <= self.next {
            self.counts.late += 1;
            return;
        }
        if position + length > self.next + RING as i64 {
            self.counts.discarded += 1;
            return;
        }
        for (position, unit) in (position..).zip(sound).filter(|(position, _)| *position >= self.next) {
            self.ring[position as usize % RING] = unit;
        }
    }

    /// The delay that is aimed at, in units.
    pub(super) fn target(&self) -> i64 {
        let Some(line) = &self.line else { return SHORTEST };
        let least = line.now.least.min(line.before.least);
        (line.now.most.max(line.before.most) - least + STEP as i64).clamp(SHORTEST, LONGEST)
    }

    /// The next 10 ms of sound.
    pub(super) fn take(&mut self, now: Instant, listener: &mut Listener, out: &mut Vec<i16>) {
        let wish = self.target();
        let over = self.delay(now) - wish;
        if over < -(STEP as i64) {
            self.counts.expanded += 1;
            return listener.read(&[Unit::MISSING; STEP], true, out);
        }
        let mut step = self.pull();
        if over > FAR_TOO_LONG || (over > LONG && is_pause(&step)) {
            self.counts.discarded += 1;
            step = self.pull();
        }
        listener.read(&step, true, out);
    }

    fn pull(&mut self) -> [Unit; STEP] {
        let begin = self.next;
        self.next += STEP as i64;
        std::array::from_fn(|n| std::mem::take(&mut self.ring[(begin + n as i64) as usize % RING]))
    }

    /// How long the quickest packet would wait now.
    fn delay(&self, now: Instant) -> i64 {
        let Some(line) = &self.line else { return 0 };
        units(now.since(Instant::START)) as i64 - line.now.least.min(line.before.least) - self.next
    }

    /// Where the packet's sound belongs.
    fn place(&mut self, arrived: i64, header: &Header, length: i64) -> i64 {
        let Some(line) = &mut self.line else {
            let window = Window { begin: arrived, least: arrived, most: arrived };
            let newest = (header.sequence, length);
            let (ssrc, timestamp) = (header.ssrc, header.timestamp);
            self.line = Some(Line { ssrc, timestamp, position: 0, newest, now: window, before: window });
            self.next = 0;
            return 0;
        };
        let mut position = line.position + i64::from(header.timestamp.wrapping_sub(line.timestamp) as i32);
        let least = line.now.least.min(line.before.least);
        if line.ssrc != header.ssrc || (arrived - position - least).abs() > MAX_JUMP {
            // Another time line: it goes on as if this packet had been as quick as the quickest.
            position = (arrived - least).max(line.newest.1);
            (line.ssrc, line.newest) = (header.ssrc, (header.sequence.wrapping_sub(1), position));
        }
        (line.timestamp, line.position) = (header.timestamp, position);
        line.measure(arrived, arrived - position);
        let (newest, end) = line.newest;
        let ahead = header.sequence.wrapping_sub(newest) as i16;
        if ahead > 0 {
            line.newest = (header.sequence, position + length);
        }
        if ahead == 1 && position > end {
            // Nothing was lost: the peer paused.
            for quiet in end.max(self.next)..position.min(self.next + RING as i64) {
                self.ring[quiet as usize % RING] = Unit::QUIET;
            }
        }
        position
    }
}

impl Line {
    fn measure(&mut self, arrived: i64, transit: i64) {
        if arrived - self.now.begin > WINDOW {
            self.before = std::mem::replace(&mut self.now, Window { begin: arrived, least: transit, most: transit });
        }
        self.now.least = self.now.least.min(transit);
        self.now.most = self.now.most.max(transit);
    }
}

fn is_pause(step: &[Unit]) -> bool {
    let magnitude = |unit: &Unit| match unit.heard() {
        Heard::Audio(codec) => codec.law().map(|law| u32::from(law.decode(unit.octet()).unsigned_abs())),
        Heard::Missing | Heard::Quiet | Heard::Noise | Heard::Shape => Some(0),
    };
    let sum: Option<u32> = step.iter().map(magnitude).sum();
    sum.is_some_and(|sum| sum < QUIET * step.len() as u32)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids::Random;
    use crate::media::Codec;
    use crate::protocol::audio::g711::Law;

    /// A second of silence and a second of tone in turn, 20 ms packets that come `late(n)` µs late (`None`: never).
    fn through(packets: u64, late: impl Fn(u64) -> Option<u64>) -> (JitterBuffer, Vec<i16>, Listener) {
        let loud = |n: u64| (n / 8_000).is_multiple_of(2);
        let sample = |n: u64| if loud(n) { (6_000.0 * (n as f64 * 0.35).sin()) as i16 } else { 0 };
        let mut arrivals: Vec<(u64, u64)> =
            (0..packets).filter_map(|n| Some((1_000_000 + n * 20_000 + late(n)?, n))).collect();
        arrivals.sort_unstable();
        let (mut buffer, mut listener, mut out) = (JitterBuffer::new(), Listener::new(false), Vec::new());
        let mut arrivals = arrivals.into_iter().peekable();
        let at = |us| Instant::START + Duration::from_micros(us);
        let mut tick = 1_020_000;
        while arrivals.peek().is_some() {
            while let Some((us, n)) = arrivals.next_if(|(us, _)| *us <= tick) {
                let header = Header {
                    payload_type: 8,
                    marker: false,
                    sequence: n as u16,
                    timestamp: (n as u32).wrapping_mul(160),
                    ssrc: 1,
                };
                let units = (n * 160..n * 160 + 160).map(|n| Unit::audio(Codec::Pcma, Law::A.encode(sample(n))));
                buffer.put(at(us), &header, units.collect::<Vec<_>>().into_iter());
            }
            buffer.take(at(tick), &mut listener, &mut out);
            tick += 10_000;
        }
        (buffer, out, listener)
    }

    #[test]
    fn a_calm_network_costs_20_ms_and_loses_nothing() {
        let (buffer, out, listener) = through(1_000, |_| Some(0));
        assert_eq!((buffer.counts(), listener.concealed()), (Buffered::default(), 0));
        assert_eq!(buffer.target(), SHORTEST);
        assert!(out.len() >= 159_000, "{}", out.len());
    }

    #[test]
    fn jitter_lengthens_the_delay_within_bounds_and_calm_shortens_it_again() {
        let mut random = Random::from_number(3);
        let late: Vec<u64> = (0..3_000).map(|_| u64::from(random.below(80_000))).collect();
        let (buffer, _, listener) = through(1_500, |n| Some(late[n as usize]));
        assert!((600..=720 + STEP as i64).contains(&buffer.target()), "{}", buffer.target());
        let counts = buffer.counts();
        assert!(counts.late <= 20 && counts.expanded >= 4, "{counts:?}");
        assert!(listener.concealed() < 160 * 60, "{}", listener.concealed());
        let (buffer, ..) = through(3_000, |n| Some(if n < 1_500 { late[n as usize] } else { 0 }));
        assert_eq!(buffer.target(), SHORTEST);
        assert!(buffer.counts().discarded >= 4, "{:?}", buffer.counts());
        assert!(buffer.delay(Instant::START + Duration::from_micros(61_000_000)) <= SHORTEST + LONG + 160);
    }

    #[test]
    fn a_second_of_delay_is_late_and_not_waited_for() {
        let (buffer, ..) = through(500, |n| Some(if n % 50 == 49 { 390_000 } else { 0 }));
        assert!(buffer.target() <= LONGEST && buffer.counts().late >= 5, "{} {:?}", buffer.target(), buffer.counts());
    }

    #[test]
    fn a_loss_is_concealed_and_a_pause_is_not() {
        let (_, _, listener) = through(500, |n| (n != 20 && n != 120).then_some(0));
        assert_eq!(listener.concealed(), 320);
    }
}
