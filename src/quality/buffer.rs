//! Simulated jitter buffers: which packets would have come too late to be heard.
//!
//! The phone at the far end has one that we cannot see. Three typical ones are played through, and what they discard is
//! as lost as what the network lost.

use serde::{Deserialize, Serialize};

pub const FIXED_SHORT_MS: u32 = 50;
pub const FIXED_LONG_MS: u32 = 200;
pub const ADAPTIVE_MAX_MS: u32 = 500;

const NS_PER_MS: i64 = 1_000_000;

/// After so many discards in a row a fixed buffer takes its delay anew from the packet it has: the path has changed.
const RESYNC: u32 = 10;

/// Packets after which an adaptive buffer looks whether it may be shorter: 5 s at 20 ms.
const WINDOW: u32 = 250;

/// The least that an adaptive buffer holds, and what it holds beyond the spread that it saw.
const ADAPTIVE_LEAST_NS: i64 = 20 * NS_PER_MS;
const MARGIN_NS: i64 = 10 * NS_PER_MS;

/// What one buffer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Buffered {
    /// Packets that came too late.
    pub discarded: u64,
    /// Mean time that a packet waited in it, in microseconds.
    pub delay_us: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer {
    kind: Kind,
    discarded: u64,
    played: u64,
    waited_ns: i64,
}

/// Transit times are arrival less sampling instant, in nanoseconds, from an unknown zero.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Each packet is heard `delay` after the first one's transit.
    Fixed { delay_ns: i64, due: Option<i64>, late: u32 },
    /// The delay follows the spread of transit times.
    Adaptive { delay_ns: i64, now: Spread, before: Option<Spread> },
}

/// Transit times of up to [`WINDOW`] packets.
#[derive(Debug, Clone, Copy)]
struct Spread {
    least: i64,
    most: i64,
    packets: u32,
}

const NOTHING: Spread = Spread { least: i64::MAX, most: i64::MIN, packets: 0 };

impl Buffer {
    pub(super) fn fixed(delay_ms: u32) -> Buffer {
        Buffer::of(Kind::Fixed { delay_ns: i64::from(delay_ms) * NS_PER_MS, due: None, late: 0 })
    }

    pub(super) fn adaptive() -> Buffer {
        Buffer::of(Kind::Adaptive { delay_ns: ADAPTIVE_LEAST_NS, now: NOTHING, before: None })
    }

    fn of(kind: Kind) -> Buffer {
        Buffer { kind, discarded: 0, played: 0, waited_ns: 0 }
    }

    /// The next packet compares with none before it.
    pub(super) fn cut(&mut self) {
        match &mut self.kind {
            Kind::Fixed { due, .. } => *due = None,
            Kind::Adaptive { now, before, .. } => (*now, *before) = (NOTHING, None),
        }
    }

    /// A packet that was not there before; false if it comes too late to be heard.
    pub(super) fn arrive(&mut self, transit: i64) -> bool {
        let wait = match &mut self.kind {
            Kind::Fixed { delay_ns, due, late } => fixed(*delay_ns, due, late, transit),
            Kind::Adaptive { delay_ns, now, before } => adaptive(delay_ns, now, before, transit),
        };
        if wait < 0 {
            self.discarded += 1;
            return false;
        }
        self.played += 1;
        self.waited_ns = self.waited_ns.saturating_add(wait);
        true
    }

    pub(super) fn result(&self) -> Buffered {
        let mean_ns = self.waited_ns as u64 / self.played.max(1);
        Buffered { discarded: self.discarded, delay_us: mean_ns / 1_000 }
    }
}

/// How long the packet waits; negative: it is too late by so much.
fn fixed(delay_ns: i64, due: &mut Option<i64>, late: &mut u32, transit: i64) -> i64 {
    let wait = due.get_or_insert(transit + delay_ns).saturating_sub(transit);
    if wait < 0 {
        *late += 1;
        if *late >= RESYNC {
            (*late, *due) = (0, Some(transit + delay_ns));
        }
        return wait;
    }
    *late = 0;
    if wait > 2 * delay_ns {
        // It would hold more than twice what it is for: the sender's clock is faster, or the first packet was slow.
        *due = Some(transit + delay_ns);
        return delay_ns;
    }
    wait
}

fn adaptive(delay_ns: &mut i64, now: &mut Spread, before: &mut Option<Spread>, transit: i64) -> i64 {
    if now.packets >= WINDOW {
        *before = Some(std::mem::replace(now, NOTHING));
    }
    let past = before.unwrap_or(NOTHING);
    let base = now.least.min(past.least).min(transit);
    let behind = transit - base;
    let wait = *delay_ns - behind;
    now.least = now.least.min(transit);
    now.packets += 1;
    let most_ns = i64::from(ADAPTIVE_MAX_MS) * NS_PER_MS;
    if behind <= most_ns {
        now.most = now.most.max(transit);
    }
    let spread = now.most.max(past.most).saturating_sub(base);
    let wanted = spread.saturating_add(MARGIN_NS).clamp(ADAPTIVE_LEAST_NS, most_ns);
    if wanted > *delay_ns || now.packets == 1 {
        *delay_ns = wanted;
    }
    wait
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = NS_PER_MS;

    fn discarded(buffer: &mut Buffer, transits_ms: impl IntoIterator<Item = i64>) -> u64 {
        for ms in transits_ms {
            buffer.arrive(ms * MS);
        }
        buffer.result().discarded
    }

    #[test]
    fn a_fixed_buffer_takes_what_is_within_its_delay_of_the_first() {
        let mut buffer = Buffer::fixed(50);
        assert_eq!(discarded(&mut buffer, [0, 10, 50, 49, -20]), 0);
        assert_eq!(discarded(&mut buffer, [51, 80, 0]), 2);
        assert_eq!(buffer.result().delay_us, (50_000 + 40_000 + 1_000 + 70_000 + 50_000) / 6);
    }

    #[test]
    fn a_fixed_buffer_finds_a_path_that_has_changed() {
        let mut buffer = Buffer::fixed(50);
        assert_eq!(discarded(&mut buffer, [0; 100]), 0);
        assert_eq!(discarded(&mut buffer, [80; 100]), u64::from(RESYNC));
        assert_eq!(discarded(&mut buffer, [-100; 100]), u64::from(RESYNC));
    }

    #[test]
    fn an_adaptive_buffer_learns_from_a_spike_and_forgets_it() {
        let mut buffer = Buffer::adaptive();
        discarded(&mut buffer, (0..500).map(|n| n % 10));
        assert_eq!(buffer.result().discarded, 0);
        assert_eq!(discarded(&mut buffer, [200, 180, 160, 0, 190]), 1, "only the first one was a surprise");
        assert_eq!(discarded(&mut buffer, [700]), 2, "it never waits for so long");
        discarded(&mut buffer, [0; 1_000]);
        assert_eq!(discarded(&mut buffer, [200]), 3, "long ago");
    }

    #[test]
    fn drift_is_no_discard_for_an_adaptive_buffer() {
        for sign in [-1, 1] {
            let mut buffer = Buffer::adaptive();
            // 100 ppm: 2 µs a packet; half an hour.
            for n in 0..90_000 {
                buffer.arrive(sign * n * 2_000);
            }
            assert_eq!(buffer.result().discarded, 0);
            assert!(buffer.result().delay_us < 30_000, "{}", buffer.result().delay_us);
        }
    }
}
