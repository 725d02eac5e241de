//! Both legs of a call on one time line, for the recorder: unit `n` sounds `n / 8000` s after *connected*.
//!
//! A packet's place comes from RTP timestamps, so that jitter moves no sound; only where a stream begins is taken from
//! the arrival of its first packet. A first packet that was late puts the anchor too late; a later packet that would
//! have come before its own place proves it, and moves the anchor and what was written since down.
//!
//! Packets are kept as they came until they are given out; only then they are decoded, in order, and what is missing by then
//! is concealed if the stream goes on behind it. Units that the peer never sent (the sequence numbers have no gap) are no loss.

use std::time::Duration;

use super::conceal::DELAY;
use super::level::{Meter, Sounded};
use super::listener::Listener;
use super::placing::Placing;
use super::stretch::{Ear, Stretch};
use super::unit::Unit;
use super::{Block, Codec, SAMPLE_RATE_HZ};
use crate::clock::Instant;
use crate::ids::CallId;
use crate::protocol::audio::mix;
use crate::protocol::audio::resample::Doubler;
use crate::protocol::rtp::{Header, Packet, units};

/// How long a unit waits for late packets before it is given out.
const HOLD_BACK: Duration = Duration::from_millis(200);

/// Units of a block: 100 ms.
const BLOCK_UNITS: u64 = 800;
pub(super) const BLOCK: Duration = Duration::from_millis(100);

/// How late a block may be when no packet brings it out.
const SLACK: Duration = Duration::from_millis(50);

/// How long a stream's anchor may still be proved late.
const SETTLING: Duration = Duration::from_millis(500);

/// A packet further than this from its arrival begins a new stretch: 500 ms, in units.
const MAX_DRIFT: i64 = 4_000;

/// No sample of a packet in a pause is as loud: −40 dBov.
const CALM: u16 = 330;

/// Most that is kept ahead of what was given out, in units (2 s); only a stalled thread could come near it.
const MAX_AHEAD: usize = 16_000;

#[derive(Debug)]
pub(super) struct Tap {
    call: CallId,
    connected: Instant,
    /// 16 kHz, else 8 kHz.
    wide: bool,
    /// First unit not yet given out.
    edge: u64,
    caller: Voice,
    agent: Voice,
    /// What the caller heard of us, and what of it was of 16 kHz.
    played: Lane<i16>,
    played_wide: Lane<[i16; 2]>,
    doubler: Option<Box<Doubler>>,
    settled: [(u64, u64); 2],
}

/// Of one person since it was last asked, in units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    /// Came too late.
    pub(super) late: u64,
    /// Made up.
    pub(super) concealed: u64,
    /// How far the sound lay from where it came, at the worst.
    pub(super) astray: u64,
}

/// What stands at each instant from an edge on.
#[derive(Debug)]
struct Lane<T> {
    items: Vec<T>,
    /// First instant in it.
    edge: u64,
    /// Items that came too late, or too far ahead.
    missed: u64,
}

#[derive(Debug)]
struct Voice {
    lane: Lane<Unit>,
    anchor: Option<Anchor>,
    placing: Placing,
    /// The last packet while something was to be made up had next to no sound.
    calm: bool,
    /// The newest packet's number, and where its sound ends.
    newest: Option<(u16, i64)>,
    listener: Listener,
    meter: Meter,
    sounded: Sounded,
    /// Scripts listen.
    ear: Option<Box<Ear>>,
    /// It announced that it would be quiet (comfort noise), and has said nothing since.
    announced: bool,
    /// Samples of the present block, and how many of the first ones are only the listener's delay.
    sound: Vec<i16>,
    ahead: bool,
}

/// What a packet is to a recording.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tapped {
    Audio(Codec),
    /// RFC 3389.
    Noise,
    /// RFC 4733: nothing is heard, and nothing is missing.
    Event,
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
    /// `wide`: frames of 16 kHz, else of 8 kHz.
    pub(super) fn new(call: CallId, connected: Instant, wide: bool) -> Self {
        let (caller, agent) = (Voice::new(wide), Voice::new(wide));
        Tap {
            call,
            connected,
            wide,
            edge: 0,
            caller,
            agent,
            played: Lane::default(),
            played_wide: Lane::default(),
            doubler: None,
            settled: [(0, 0); 2],
        }
    }

    pub(super) fn caller(&mut self, arrival: Instant, packet: &Packet<'_>, what: Tapped) {
        let at = self.unit_at(arrival);
        self.caller.hear(arrival, at, packet, what);
    }

    pub(super) fn agent(&mut self, arrival: Instant, packet: &Packet<'_>, what: Tapped) {
        let at = self.unit_at(arrival);
        self.agent.hear(arrival, at, packet, what);
    }

    /// What was sent to the caller by ourselves, sounding from `at`.
    pub(super) fn played(&mut self, at: Instant, samples: &[i16]) {
        let at = self.unit_at(at);
        self.played.write(at, samples.iter().copied());
    }

    /// Frames are of 16 kHz.
    pub(super) fn is_wide(&self) -> bool {
        self.wide
    }

    /// The same of 16 kHz, for frames of 16 kHz.
    pub(super) fn played_wide(&mut self, at: Instant, samples: &[i16]) {
        let at = self.unit_at(at);
        self.played_wide.write(at, samples.chunks_exact(2).map(|pair| [pair[0], pair[1]]));
    }

    /// When [`Tap::flush`] will have a block even if no packet comes.
    pub(super) fn deadline(&self) -> Instant {
        let units = self.edge + BLOCK_UNITS;
        self.connected + Duration::from_nanos(units * 125_000) + HOLD_BACK + SLACK
    }

    /// The next block that has waited long enough.
    pub(super) fn flush(&mut self, now: Instant) -> Option<Block> {
        let ripe = self.unit_at(now - HOLD_BACK);
        (self.edge as i64 + BLOCK_UNITS as i64 <= ripe).then(|| self.block(BLOCK_UNITS))
    }

    /// Where the last block ends, and what caller and agent were in it.
    pub(super) fn sounded(&self) -> (Instant, [Sounded; 2]) {
        (self.connected + Duration::from_nanos(self.edge * 125_000), [self.caller.sounded, self.agent.sounded])
    }

    /// From now on the two are listened to.
    pub(super) fn listen(&mut self) {
        let rate_hz = self.rate_hz();
        for voice in [&mut self.caller, &mut self.agent] {
            voice.ear.get_or_insert_with(|| Box::new(Ear::new(rate_hz)));
        }
    }

    /// What caller and agent were in the last second, once a second, and as soon as one of the two begins to speak; `None` too
    /// while nobody listens.
    pub(super) fn stretches(&mut self) -> Option<[Stretch; 2]> {
        let (Some(caller), Some(agent)) = (&mut self.caller.ear, &mut self.agent.ear) else { return None };
        if !caller.is_due() && !agent.is_due() {
            return None;
        }
        Some([(caller, self.caller.announced), (agent, self.agent.announced)].map(|(ear, announced)| {
            if announced {
                ear.comes();
            }
            ear.take()
        }))
    }

    /// The next block of the rest, up to `total` units.
    pub(super) fn finish(&mut self, total: u64) -> Option<Block> {
        let rest = total.saturating_sub(self.edge).min(BLOCK_UNITS);
        (rest > 0).then(|| self.block(rest))
    }

    /// Units from *connected* to `ended`.
    pub(super) fn total(&self, ended: Instant) -> u64 {
        units(ended.since(self.connected))
    }

    /// Frames of so many units.
    pub(super) fn frames(&self, units: u64) -> u64 {
        units * if self.wide { 2 } else { 1 }
    }

    /// Units that found no place: they came later than the hold-back.
    pub(super) fn missed(&self) -> u64 {
        self.caller.lane.missed + self.agent.lane.missed + self.played.missed + self.played_wide.missed
    }

    /// What became of caller's and agent's sound since it was last asked.
    pub(super) fn settle(&mut self) -> [Settled; 2] {
        let now = [&self.caller, &self.agent].map(|voice| (voice.lane.missed, voice.listener.concealed()));
        let before = std::mem::replace(&mut self.settled, now);
        let astray = [&mut self.caller, &mut self.agent].map(|voice| voice.placing.take_farthest());
        [0, 1].map(|n| Settled { late: now[n].0 - before[n].0, concealed: now[n].1 - before[n].1, astray: astray[n] })
    }

    /// Units that were lost and made up.
    pub(super) fn concealed(&self) -> u64 {
        self.caller.listener.concealed() + self.agent.listener.concealed()
    }

    fn block(&mut self, units: u64) -> Block {
        let first_frame = self.frames(self.edge);
        let (left, right) = (self.caller.take(units as usize), self.agent.take(units as usize));
        let mut samples: Vec<i16> = left.iter().zip(right).flat_map(|(left, right)| [*left, *right]).collect();
        let played = &self.played.items[..self.played.items.len().min(units as usize)];
        let right = samples.iter_mut().skip(1).step_by(2);
        if !self.wide {
            right.zip(played).for_each(|(heard, played)| *heard = mix::add(*heard, *played));
        } else if !played.is_empty() || self.doubler.is_some() {
            let doubler = self.doubler.get_or_insert_default();
            let played = played.iter().copied().chain(std::iter::repeat(0)).take(units as usize);
            right
                .zip(played.flat_map(|s| doubler.push(s)))
                .for_each(|(heard, played)| *heard = mix::add(*heard, played));
        }
        let right = samples.iter_mut().skip(1).step_by(2);
        right
            .zip(self.played_wide.items.iter().take(units as usize).flatten())
            .for_each(|(heard, played)| *heard = mix::add(*heard, *played));
        self.played.advance(units as usize);
        self.played_wide.advance(units as usize);
        self.edge += units;
        Block { call: self.call, first_frame, rate_hz: self.rate_hz(), samples }
    }

    fn rate_hz(&self) -> u32 {
        if self.wide { 2 * SAMPLE_RATE_HZ } else { SAMPLE_RATE_HZ }
    }

    /// Negative before *connected*.
    fn unit_at(&self, at: Instant) -> i64 {
        let after = units(at.since(self.connected)) as i64;
        after - units(self.connected.since(at)) as i64
    }
}

impl Voice {
    fn new(wide: bool) -> Self {
        Voice {
            lane: Lane::default(),
            anchor: None,
            placing: Placing::default(),
            calm: false,
            newest: None,
            listener: Listener::new(wide),
            meter: Meter::new(if wide { 2 } else { 1 } * SAMPLE_RATE_HZ),
            sounded: Sounded::default(),
            ear: None,
            announced: false,
            sound: Vec::new(),
            ahead: false,
        }
    }

    fn hear(&mut self, arrival: Instant, at: i64, packet: &Packet<'_>, what: Tapped) {
        let header = &packet.header;
        self.announced = matches!(what, Tapped::Noise);
        self.ear.iter_mut().for_each(|ear| ear.comes());
        match what {
            Tapped::Audio(codec) => {
                let position = self.position(arrival, at, packet, what);
                let end = position + packet.payload.len() as i64;
                self.pause_until(header, position, end);
                self.lane.write(position, packet.payload.iter().map(|code| Unit::audio(codec, *code)));
            }
            Tapped::Noise => {
                let noise = Unit::comfort(packet.payload);
                if noise.len() == 0 {
                    return;
                }
                let position = self.position(arrival, at, packet, what);
                self.pause_until(header, position, position + noise.len() as i64);
                self.lane.write(position, noise);
            }
            // Its timestamp is that of its begin, so its numbers are all that counts.
            Tapped::Event => {
                if let Some((newest, end)) = self.newest
                    && header.sequence == newest.wrapping_add(1)
                {
                    self.newest = Some((header.sequence, end));
                }
            }
        }
    }

    /// Between two packets whose numbers follow each other nothing was lost.
    fn pause_until(&mut self, header: &Header, position: i64, end: i64) {
        let next = |(newest, _): &(u16, i64)| header.sequence == newest.wrapping_add(1);
        if let Some((_, before)) = self.newest.filter(next)
            && position > before
        {
            self.lane.fill(before, position, Unit::QUIET);
        }
        if self.newest.is_none_or(|(newest, _)| header.sequence.wrapping_sub(newest) as i16 > 0) {
            self.newest = Some((header.sequence, end));
        }
    }

    /// The sound of the next `units`.
    fn take(&mut self, units: usize) -> &[i16] {
        self.sound.clear();
        let delay = if std::mem::replace(&mut self.ahead, true) { 0 } else { DELAY };
        let wanted = units + delay;
        let known = &self.lane.items;
        let (now, later) = known.split_at(wanted.min(known.len()));
        let goes_on = later.iter().any(|unit| !unit.is_missing());
        self.listener.read(now, goes_on, &mut self.sound);
        const NOTHING: [Unit; BLOCK_UNITS as usize + DELAY] = [Unit::MISSING; BLOCK_UNITS as usize + DELAY];
        let read = now.len();
        self.listener.read(&NOTHING[..wanted - read], false, &mut self.sound);
        self.lane.advance(wanted);
        let scale = self.sound.len() / wanted.max(1);
        let sound = &self.sound[delay * scale..];
        self.sounded = self.meter.hear(sound);
        self.ear.iter_mut().for_each(|ear| ear.hear(sound));
        sound
    }

    fn position(&mut self, arrival: Instant, at: i64, packet: &Packet<'_>, what: Tapped) -> i64 {
        let header = &packet.header;
        let begin = Anchor { ssrc: header.ssrc, timestamp: header.timestamp, position: at, start: at, since: arrival };
        let anchor = self.anchor.get_or_insert(begin);
        let mut position = anchor.position + i64::from(header.timestamp.wrapping_sub(anchor.timestamp) as i32);
        if anchor.ssrc != header.ssrc || (position - at).abs() > MAX_DRIFT {
            *anchor = begin;
            self.newest = None;
            self.placing.begin_anew();
            return at;
        }
        if position > at && arrival.since(anchor.since) <= SETTLING {
            let late = position - at;
            self.lane.move_down(anchor.start, late as usize);
            self.newest = self.newest.map(|(newest, end)| (newest, end - late));
            anchor.start -= late;
            anchor.position -= late;
            position = at;
        }
        self.placing.arrive(arrival, at - position);
        if self.placing.is_owing() {
            let calm = is_calm(packet, what);
            let step = self.placing.step(std::mem::replace(&mut self.calm, calm) && calm);
            anchor.position += step;
            position += step;
        }
        anchor.start = anchor.start.min(position);
        if position > anchor.position {
            anchor.position = position;
            anchor.timestamp = header.timestamp;
        }
        position
    }
}

/// Nothing is lost if it is moved.
fn is_calm(packet: &Packet<'_>, what: Tapped) -> bool {
    match what {
        Tapped::Audio(codec) => {
            codec.law().is_some_and(|law| packet.payload.iter().all(|code| law.decode(*code).unsigned_abs() < CALM))
        }
        Tapped::Noise => true,
        Tapped::Event => false,
    }
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Lane { items: Vec::new(), edge: 0, missed: 0 }
    }
}

impl<T: Copy + Default> Lane<T> {
    /// Puts items at `position`; what lies before the edge is too late.
    fn write(&mut self, position: i64, items: impl ExactSizeIterator<Item = T>) {
        let length = items.len();
        let late = (self.edge as i64 - position).clamp(0, length as i64) as usize;
        let from = (position - self.edge as i64).max(0) as usize;
        let until = from + length - late;
        if late == length || until > MAX_AHEAD {
            self.missed += length as u64;
            return;
        }
        self.missed += late as u64;
        if from == self.items.len() && late == 0 {
            // As packets come in order.
            return self.items.extend(items);
        }
        if self.items.len() < until {
            self.items.resize(until, T::default());
        }
        for (place, item) in self.items[from..until].iter_mut().zip(items.skip(late)) {
            *place = item;
        }
    }

    /// The same item from `begin` to `end`, as far as that is still to come.
    fn fill(&mut self, begin: i64, end: i64, item: T) {
        let begin = begin.max(self.edge as i64);
        let length = usize::try_from(end - begin).unwrap_or(0).min(MAX_AHEAD);
        if length > 0 {
            self.write(begin, std::iter::repeat_n(item, length));
        }
    }

    /// Moves what begins at `start` down by `by`. Where that is no longer possible because it was given out, it is cut.
    fn move_down(&mut self, start: i64, by: usize) {
        let from = (start - self.edge as i64 - by as i64).max(0) as usize;
        if from < self.items.len() {
            let until = (from + by).min(self.items.len());
            self.items.drain(from..until);
        }
    }

    /// Past what was read.
    fn advance(&mut self, by: usize) {
        self.edge += by as u64;
        self.items.drain(..by.min(self.items.len()));
    }
}
