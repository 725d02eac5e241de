//! The meter of one direction: packet by packet, without allocation.

use std::time::Duration;

use super::buffer::{ADAPTIVE_MAX_MS, Buffer, FIXED_LONG_MS, FIXED_SHORT_MS};
use super::drift;
use super::jitter::{Jitter, Transit};
use super::measured::{JitterNs, Measured};
use super::runs::Runs;
use super::upset::{TimeLine, Upset};
use crate::clock::Instant;
use crate::protocol::rtp::{Header, Receiver, Sequenced};

/// Packets that a missing one is waited for: 2.5 s at 20 ms. Then it is lost.
const WINDOW: i64 = 128;

/// The longest packet that a codec of ours makes; beyond it a step of timestamps is silence.
const MAX_PACKET_MS: u32 = 200;

/// What a packet carries, as far as its time matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Audio,
    /// RFC 3389: the sender's silence.
    ComfortNoise,
    /// RFC 4733: it repeats the timestamp of its start.
    Event,
}

/// Counts one direction. There is no allocation, and a packet costs the same however many came before.
#[derive(Debug, Clone)]
pub struct StreamMeter {
    receiver: Receiver,
    clock_rate_hz: u32,
    jitter: Jitter,
    follows_noise: bool,
    /// Of the present stream: transit of the last packet, in nanoseconds from an unknown zero.
    transit: i64,
    drift: drift::Line,
    /// It was told that this stream's clock runs away.
    drift_told: bool,
    time_line: TimeLine,
    ssrc: Option<u32>,
    ssrc_changes: u64,
    time_jumps: u64,
    upset: Option<Upset>,
    slots: Option<Slots>,
    packet: Packetization,
    fixed_short: Buffer,
    fixed_long: Buffer,
    adaptive: Buffer,
    losses: Runs,
    heard: Runs,
    reordered: u64,
    octets: u64,
    first: Option<Instant>,
    latest: Instant,
    /// The counts when the last interval ended.
    told: Measured,
}

/// The sequence numbers that are not judged yet.
#[derive(Debug, Clone, Copy)]
struct Slots {
    /// Which restart of the receiver these belong to.
    stream: u64,
    base: i64,
    highest: i64,
    /// The lowest number that is not judged.
    next: i64,
    /// Bit `n`: `highest - n` was received; and not discarded by the adaptive buffer.
    received: u128,
    heard: u128,
}

/// Timestamp units of a packet: the step that was seen twice in a row.
#[derive(Debug, Clone, Copy, Default)]
struct Packetization {
    last: Option<(i64, u32)>,
    candidate: u32,
    units: u32,
}

impl StreamMeter {
    /// `clock_rate_hz`: timestamp units a second; 0 counts as 8,000.
    pub fn new(clock_rate_hz: u32) -> StreamMeter {
        StreamMeter {
            receiver: Receiver::new(),
            clock_rate_hz: if clock_rate_hz == 0 { 8_000 } else { clock_rate_hz },
            jitter: Jitter::default(),
            follows_noise: false,
            transit: 0,
            drift: drift::Line::new(),
            drift_told: false,
            time_line: TimeLine::default(),
            ssrc: None,
            ssrc_changes: 0,
            time_jumps: 0,
            upset: None,
            slots: None,
            packet: Packetization::default(),
            fixed_short: Buffer::fixed(FIXED_SHORT_MS),
            fixed_long: Buffer::fixed(FIXED_LONG_MS),
            adaptive: Buffer::adaptive(),
            losses: Runs::new(),
            heard: Runs::new(),
            reordered: 0,
            octets: 0,
            first: None,
            latest: Instant::START,
            told: Measured::default(),
        }
    }

    /// What RTCP reports of the stream, and who is heard of several SSRCs.
    pub fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// The receiver's counts.
    pub fn received(&self) -> &Receiver {
        &self.receiver
    }

    /// Takes a packet of this direction that arrived at `arrival`; `octets` are those of its payload.
    pub fn handle(&mut self, arrival: Instant, header: &Header, kind: Kind, octets: usize) -> Sequenced {
        let before = self.receiver.restarts();
        let sequenced = self.receiver.handle(header, arrival, kind != Kind::Event);
        if sequenced == Sequenced::Stray {
            return sequenced;
        }
        if self.receiver.restarts() != before {
            self.cut();
        }
        if self.ssrc != Some(header.ssrc) {
            self.change_ssrc(header.ssrc);
        }
        self.first.get_or_insert(arrival);
        self.latest = self.latest.max(arrival);
        let cut = self.time(arrival, header, kind);
        if cut {
            self.cut_buffers();
        }
        if sequenced == Sequenced::New {
            self.octets += octets as u64;
            self.place(header, kind);
        }
        sequenced
    }

    /// What the last packet did that no network does.
    pub fn take_upset(&mut self) -> Option<Upset> {
        self.upset.take()
    }

    /// The clock of this stream runs away; told once.
    pub fn take_drift(&mut self) -> Option<Upset> {
        let upset = (!self.drift_told).then(|| self.drift.drift().as_ref().and_then(Upset::of_drift)).flatten();
        self.drift_told |= upset.is_some();
        upset
    }

    /// The estimate of jitter now, in nanoseconds.
    pub fn jitter_ns(&self) -> f64 {
        self.jitter.now_ns()
    }

    /// Longest time between two packets of a talkspurt (neither marker, comfort noise nor what follows it).
    pub fn longest_delta(&self) -> Duration {
        Duration::from_nanos(self.jitter.longest_delta_ns())
    }

    /// The sender goes on in units of another clock: what comes next is compared with nothing before.
    pub fn change_clock(&mut self, clock_rate_hz: u32) {
        self.clock_rate_hz = clock_rate_hz;
        self.jitter.cut();
        self.packet.last = None;
        self.time_line = TimeLine::default();
    }

    /// The whole time until now; nothing that is missing is waited for.
    pub fn result(&self) -> Measured {
        let mut ended = self.clone();
        ended.judge_rest();
        let jitter = JitterNs {
            last: whole(self.jitter.now_ns()),
            mean: whole(self.jitter.mean_ns()),
            max: whole(self.jitter.max_ns()),
        };
        Measured { jitter, longest_wait_us: self.jitter.longest_wait_ns() / 1_000, ..ended.counts() }
    }

    /// What was received and judged since the last interval, with the interval's own mean and maximum of jitter.
    pub fn interval(&mut self) -> Measured {
        let counts = self.counts();
        let told = std::mem::replace(&mut self.told, counts);
        let (mean, max) = self.jitter.take_part_ns();
        let jitter = JitterNs { last: whole(self.jitter.now_ns()), mean: whole(mean), max: whole(max) };
        Measured { jitter, ..counts.since(&told) }
    }

    fn counts(&self) -> Measured {
        let packets = self.receiver.packets();
        let losses = self.losses.counts();
        let expected = packets + self.receiver.lost();
        let received = packets + self.receiver.duplicates() + self.receiver.before_first();
        Measured {
            packets,
            octets: self.octets,
            lost: losses.lost,
            cumulative_lost: expected as i64 - received as i64,
            duplicates: self.receiver.duplicates(),
            reordered: self.reordered,
            strays: self.receiver.strays(),
            restarts: self.receiver.restarts(),
            time_cuts: self.jitter.cuts(),
            ssrc_changes: self.ssrc_changes,
            time_jumps: self.time_jumps,
            drift: self.drift.drift(),
            jitter: JitterNs::default(),
            longest_wait_us: 0,
            packet_us: self.packet_us(),
            losses,
            heard: self.heard.counts(),
            fixed_short: self.fixed_short.result(),
            fixed_long: self.fixed_long.result(),
            adaptive: self.adaptive.result(),
            lasted_ms: self.first.map_or(0, |first| self.latest.since(first).as_millis() as u64),
        }
    }

    fn packet_us(&self) -> u32 {
        let us = u64::from(self.packet.units) * 1_000_000 / u64::from(self.clock_rate_hz);
        u32::try_from(us).unwrap_or(u32::MAX)
    }

    /// Jitter and transit; true if the packet's time has nothing to do with the one before.
    fn time(&mut self, arrival: Instant, header: &Header, kind: Kind) -> bool {
        if kind == Kind::Event {
            self.jitter.pass(arrival, !header.marker);
            return false;
        }
        if let Some(by_ms) = self.time_line.handle(arrival, header, self.clock_rate_hz) {
            self.time_jumps += 1;
            self.upset = Some(Upset::TimestampJump { by_ms });
            self.drift.cut();
        }
        let noise = kind == Kind::ComfortNoise;
        let follows_noise = std::mem::replace(&mut self.follows_noise, noise);
        let shown = !header.marker && !noise && !follows_noise;
        match self.jitter.handle(arrival, header.timestamp, self.clock_rate_hz, shown) {
            Transit::Step(step) => {
                self.transit = self.transit.saturating_add(step);
                self.drift.arrive(arrival, self.transit);
                false
            }
            Transit::Cut => true,
        }
    }

    fn cut_buffers(&mut self) {
        self.transit = 0;
        self.drift.cut();
        self.fixed_short.cut();
        self.fixed_long.cut();
        self.adaptive.cut();
    }

    fn change_ssrc(&mut self, ssrc: u32) {
        if let Some(from) = self.ssrc.replace(ssrc) {
            self.ssrc_changes += 1;
            self.upset = Some(Upset::SsrcChange { from, to: ssrc });
        }
    }

    /// Another stream begins.
    fn cut(&mut self) {
        (self.drift_told, self.time_line) = (false, TimeLine::default());
        self.judge_rest();
        self.losses.cut();
        self.heard.cut();
        self.slots = None;
        self.jitter.cut();
        self.packet.last = None;
        self.follows_noise = false;
    }

    /// Puts a new packet into its slot and judges those that fall out of the window.
    fn place(&mut self, header: &Header, kind: Kind) {
        // Of an event only the network's part is known: its packets are as old as the event.
        let in_time = kind == Kind::Event || {
            self.fixed_short.arrive(self.transit);
            self.fixed_long.arrive(self.transit);
            self.adaptive.arrive(self.transit)
        };
        let Some(position) = self.receiver.position(header.sequence) else { return };
        let stream = self.receiver.restarts();
        let Some(slots) = self.slots.as_mut().filter(|slots| slots.stream == stream) else {
            let base = self.receiver.base().unwrap_or(position);
            let both = (1 << (position - base).clamp(0, 2)) | 1;
            let heard = if in_time { both } else { both & !1 };
            self.slots = Some(Slots { stream, base, highest: position, next: base, received: both, heard });
            return;
        };
        let step = position - slots.highest;
        if step > 0 {
            slots.judge(position - WINDOW + 1, &mut self.losses, &mut self.heard);
            slots.received = slots.received.checked_shl(step as u32).unwrap_or(0);
            slots.heard = slots.heard.checked_shl(step as u32).unwrap_or(0);
            slots.highest = position;
        } else {
            self.reordered += 1;
            // Reordering at the very start; the receiver takes nothing so old that its slot could be judged.
            if position < slots.base {
                (slots.base, slots.next) = (position, position);
            }
        }
        let bit = 1_u128.checked_shl((slots.highest - position) as u32).unwrap_or(0);
        slots.received |= bit;
        slots.heard |= if in_time { bit } else { 0 };
        if kind == Kind::Audio && self.packet.handle(position, header.timestamp, self.clock_rate_hz) {
            let us = self.packet_us();
            self.losses.set_packet_us(us);
            self.heard.set_packet_us(us);
        }
    }

    fn judge_rest(&mut self) {
        if let Some(slots) = &mut self.slots {
            slots.judge(slots.highest + 1, &mut self.losses, &mut self.heard);
        }
    }
}

impl Slots {
    /// Judges all numbers below `until`, as far as they are not.
    fn judge(&mut self, until: i64, losses: &mut Runs, heard: &mut Runs) {
        while self.next < until {
            let back = (self.highest - self.next) as u32;
            let is = |bits: u128| self.next <= self.highest && bits.checked_shr(back).unwrap_or(0) & 1 == 1;
            if is(self.received) {
                losses.receive()
            } else {
                losses.lose()
            }
            if is(self.heard) {
                heard.receive()
            } else {
                heard.lose()
            }
            self.next += 1;
        }
    }
}

impl Packetization {
    /// True if the length became known or another.
    fn handle(&mut self, position: i64, timestamp: u32, clock_rate_hz: u32) -> bool {
        let step = self.last.replace((position, timestamp)).and_then(|(before, then)| {
            let units = timestamp.wrapping_sub(then);
            (position == before + 1 && units > 0 && units <= clock_rate_hz / 1_000 * MAX_PACKET_MS).then_some(units)
        });
        let Some(units) = step else { return false };
        let known = std::mem::replace(&mut self.candidate, units) == units || self.units == 0;
        known && std::mem::replace(&mut self.units, units) != units
    }
}

impl Measured {
    /// Of two readings of one meter: what came between them. Means and lengths are the later one's.
    fn since(&self, earlier: &Measured) -> Measured {
        let buffered = |now: super::Buffered, then: super::Buffered| super::Buffered {
            discarded: now.discarded.saturating_sub(then.discarded),
            ..now
        };
        Measured {
            packets: self.packets.saturating_sub(earlier.packets),
            octets: self.octets.saturating_sub(earlier.octets),
            lost: self.lost.saturating_sub(earlier.lost),
            cumulative_lost: self.cumulative_lost - earlier.cumulative_lost,
            duplicates: self.duplicates.saturating_sub(earlier.duplicates),
            reordered: self.reordered.saturating_sub(earlier.reordered),
            strays: self.strays.saturating_sub(earlier.strays),
            restarts: self.restarts.saturating_sub(earlier.restarts),
            time_cuts: self.time_cuts.saturating_sub(earlier.time_cuts),
            ssrc_changes: self.ssrc_changes.saturating_sub(earlier.ssrc_changes),
            time_jumps: self.time_jumps.saturating_sub(earlier.time_jumps),
            losses: self.losses.since(&earlier.losses),
            heard: self.heard.since(&earlier.heard),
            fixed_short: buffered(self.fixed_short, earlier.fixed_short),
            fixed_long: buffered(self.fixed_long, earlier.fixed_long),
            adaptive: buffered(self.adaptive, earlier.adaptive),
            lasted_ms: self.lasted_ms.saturating_sub(earlier.lasted_ms),
            ..*self
        }
    }
}

fn whole(ns: f64) -> u64 {
    ns.round() as u64
}

const _: () = assert!(ADAPTIVE_MAX_MS > FIXED_LONG_MS);

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
