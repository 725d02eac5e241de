//! Both legs of a call on one time line, for the recorder: frame `n` sounds `n / 8000` s after *connected*.
//!
//! A packet's place comes from RTP timestamps, so that jitter moves no sound; only where a stream begins is taken from
//! the arrival of its first packet. A first packet that was late puts the anchor too late; a later packet that would
//! have come before its own place proves it, and moves the anchor and what was written since down.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Block, Codec};
use crate::clock::Instant;
use crate::ids::CallId;
use crate::protocol::audio::mix;
use crate::protocol::rtp::{Packet, units};

/// How long a frame waits for late packets before it is given out.
const HOLD_BACK: Duration = Duration::from_millis(200);

/// Frames of a block: 100 ms.
const BLOCK_FRAMES: u64 = 800;

/// How late a block may be when no packet brings it out.
const SLACK: Duration = Duration::from_millis(50);

/// How long a stream's anchor may still be proved late.
const SETTLING: Duration = Duration::from_millis(500);

/// A packet further than this from its arrival begins a new stretch: 500 ms, in frames.
const MAX_DRIFT: i64 = 4_000;

/// Most that is kept ahead of what was given out, in frames (2 s); only a stalled thread could come near it.
const MAX_AHEAD: usize = 16_000;

#[derive(Debug)]
pub(super) struct Tap {
    call: CallId,
    connected: Instant,
    /// First frame not yet given out.
    edge: u64,
    caller: Voice,
    agent: Voice,
    /// What the caller heard of us.
    played: Lane,
}

/// Samples from the edge on.
#[derive(Debug, Default)]
struct Lane {
    samples: VecDeque<i16>,
    /// Samples that came too late, or too far ahead.
    missed: u64,
}

#[derive(Debug, Default)]
struct Voice {
    lane: Lane,
    anchor: Option<Anchor>,
}

/// Where a stream's timestamps lie on the time line.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    ssrc: u32,
    /// Of the packet furthest on.
    timestamp: u32,
    position: i64,
    /// Lowest position, and arrival of the first packet.
    start: i64,
    since: Instant,
}

impl Tap {
    pub(super) fn new(call: CallId, connected: Instant) -> Self {
        Tap { call, connected, edge: 0, caller: Voice::default(), agent: Voice::default(), played: Lane::default() }
    }

    pub(super) fn caller(&mut self, arrival: Instant, packet: &Packet<'_>, codec: Codec) {
        let at = self.frame_at(arrival);
        self.caller.hear(arrival, at, self.edge, packet, codec);
    }

    pub(super) fn agent(&mut self, arrival: Instant, packet: &Packet<'_>, codec: Codec) {
        let at = self.frame_at(arrival);
        self.agent.hear(arrival, at, self.edge, packet, codec);
    }

    /// What was sent to the caller by ourselves, sounding from `at`.
    pub(super) fn played(&mut self, at: Instant, samples: &[i16]) {
        let at = self.frame_at(at);
        self.played.write(at, self.edge, samples.iter().copied());
    }

    /// When [`Tap::flush`] will have a block even if no packet comes.
    pub(super) fn deadline(&self) -> Instant {
        let frames = self.edge + BLOCK_FRAMES;
        self.connected + Duration::from_nanos(frames * 125_000) + HOLD_BACK + SLACK
    }

    /// The next block that has waited long enough.
    pub(super) fn flush(&mut self, now: Instant) -> Option<Block> {
        let ripe = self.frame_at(now - HOLD_BACK);
        (self.edge as i64 + BLOCK_FRAMES as i64 <= ripe).then(|| self.block(BLOCK_FRAMES))
    }

    /// The next block of the rest, up to `total` frames.
    pub(super) fn finish(&mut self, total: u64) -> Option<Block> {
        let rest = total.saturating_sub(self.edge).min(BLOCK_FRAMES);
        (rest > 0).then(|| self.block(rest))
    }

    /// Frames from *connected* to `ended`.
    pub(super) fn total(&self, ended: Instant) -> u64 {
        units(ended.since(self.connected))
    }

    /// Samples that found no place: they came later than the hold-back.
    pub(super) fn missed(&self) -> u64 {
        self.caller.lane.missed + self.agent.lane.missed + self.played.missed
    }

    fn block(&mut self, frames: u64) -> Block {
        let first_frame = self.edge;
        let mut samples = Vec::with_capacity(frames as usize * 2);
        for _ in 0..frames {
            let right = mix::add(self.agent.lane.take(), self.played.take());
            samples.extend([self.caller.lane.take(), right]);
        }
        self.edge += frames;
        Block { call: self.call, first_frame, samples }
    }

    /// Negative before *connected*.
    fn frame_at(&self, at: Instant) -> i64 {
        let after = units(at.since(self.connected)) as i64;
        after - units(self.connected.since(at)) as i64
    }
}

impl Voice {
    fn hear(&mut self, arrival: Instant, at: i64, edge: u64, packet: &Packet<'_>, codec: Codec) {
        let position = self.position(arrival, at, edge, packet);
        self.lane.write(position, edge, packet.payload.iter().map(|code| codec.decode(*code)));
    }

    fn position(&mut self, arrival: Instant, at: i64, edge: u64, packet: &Packet<'_>) -> i64 {
        let header = &packet.header;
        let begin = Anchor { ssrc: header.ssrc, timestamp: header.timestamp, position: at, start: at, since: arrival };
        let anchor = self.anchor.get_or_insert(begin);
        let mut position = anchor.position + i64::from(header.timestamp.wrapping_sub(anchor.timestamp) as i32);
        if anchor.ssrc != header.ssrc || (position - at).abs() > MAX_DRIFT {
            *anchor = begin;
            return at;
        }
        if position > at && arrival.since(anchor.since) <= SETTLING {
            let late = position - at;
            self.lane.move_down(anchor.start - edge as i64, late as usize);
            anchor.start -= late;
            anchor.position -= late;
            position = at;
        }
        anchor.start = anchor.start.min(position);
        if position > anchor.position {
            anchor.position = position;
            anchor.timestamp = header.timestamp;
        }
        position
    }
}

impl Lane {
    /// Puts samples at `position`; what lies before the edge is too late.
    fn write(&mut self, position: i64, edge: u64, samples: impl ExactSizeIterator<Item = i16>) {
        let length = samples.len();
        let late = (edge as i64 - position).clamp(0, length as i64) as usize;
        let from = (position - edge as i64).max(0) as usize;
        let until = from + length - late;
        if late == length || until > MAX_AHEAD {
            self.missed += length as u64;
            return;
        }
        self.missed += late as u64;
        if self.samples.len() < until {
            self.samples.resize(until, 0);
        }
        for (place, sample) in self.samples.range_mut(from..until).zip(samples.skip(late)) {
            *place = sample;
        }
    }

    /// Moves what begins at `start` (relative to the edge) down by `by`. Where that is no longer possible because it
    /// was given out, samples are cut.
    fn move_down(&mut self, start: i64, by: usize) {
        let from = (start - by as i64).max(0) as usize;
        if from < self.samples.len() {
            let until = (from + by).min(self.samples.len());
            self.samples.drain(from..until);
        }
    }

    fn take(&mut self) -> i16 {
        self.samples.pop_front().unwrap_or(0)
    }
}
