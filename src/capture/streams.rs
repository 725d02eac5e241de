//! RTP streams in a capture: one a source, target and SSRC.
//!
//! What SDP announced is a stream from its first packet. Anything else is one by this rule: both ports are 1,024 or more,
//! payload types are 0 to 34 or 96 to 127, and five packets of one SSRC come whose numbers are each within 32 of the one
//! before. The first four then count as well.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::calls::{Calls, Formats};
use super::plot::Plot;
use crate::clock::Instant;
use crate::protocol::rtp::rtcp::{self, Compound};
use crate::protocol::rtp::xr::{self, VoipMetrics};
use crate::protocol::rtp::{Header, Packet};
use crate::quality::codec::of_payload_type;
use crate::quality::{Kind, Measured, StreamMeter};

/// Packets of a stream that nothing announced.
const PROOF: usize = 5;
const NEAR: u16 = 32;
/// Streams that are kept, those that are not proved yet, and sender reports that wait for their answer.
const STREAMS: usize = 100_000;
const CANDIDATES: usize = 4_096;
const SENDERS: usize = 100_000;
const REPORTS: usize = 8;
/// Streams of one SSRC among which the one that a report means is looked for.
const SAME_SSRC: usize = 16;
/// Octets of a header without contributing sources.
const HEADER_OCTETS: usize = 12;
/// Payload types of one stream that are told apart.
const TYPES: usize = 8;

const INTERVAL: Duration = Duration::from_secs(10);
/// Intervals of one stream: half a day.
const INTERVALS: usize = 4_320;

pub(super) type Key = (SocketAddr, SocketAddr, u32);

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) key: Key,
    pub(super) call: Option<usize>,
    formats: Option<Arc<Formats>>,
    /// The count of announcements when its call was looked up.
    announcements: u64,
    pub(super) meter: StreamMeter,
    /// `None`: a dynamic payload type that nothing explains, so that time cannot be told from timestamps.
    pub(super) clock_rate_hz: Option<u32>,
    pub(super) first: Instant,
    pub(super) latest: Instant,
    types: [(u8, u64); TYPES],
    pub(super) plot: Plot,
    pub(super) intervals: Vec<Interval>,
    interval_from: Instant,
    /// From this place to the stream's receiver and back, as the receiver's RTCP tells.
    pub(super) beyond: Option<Duration>,
    /// What the receiver's RTCP XR said last.
    pub(super) reported: Option<VoipMetrics>,
}

/// What was received and judged within some ten seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub from: Instant,
    pub to: Instant,
    pub measured: Measured,
}

#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) streams: Vec<Stream>,
    by_key: HashMap<Key, usize>,
    by_ssrc: HashMap<u32, Vec<usize>>,
    by_ends: HashMap<(SocketAddr, SocketAddr), Vec<usize>>,
    candidates: HashMap<Key, Vec<Seen>>,
    order: VecDeque<Key>,
    /// The last sender reports of an SSRC.
    senders: HashMap<u32, VecDeque<Sent>>,
    pub(super) left_out: u64,
}

/// A sender report: the middle of its time, when it passed and where it came from.
#[derive(Debug, Clone, Copy)]
struct Sent {
    middle: u32,
    at: Instant,
    source: SocketAddr,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    header: Header,
    octets: usize,
}

impl Streams {
    /// A datagram that begins like RTP or RTCP. `missing`: octets of its payload that the capture cut off.
    pub(super) fn datagram(
        &mut self,
        at: Instant,
        (source, target): (SocketAddr, SocketAddr),
        bytes: &[u8],
        missing: usize,
        calls: &Calls,
    ) {
        if bytes.len() > 1 && (200..=207).contains(&bytes[1]) {
            if let Ok(compound) = Compound::parse(bytes) {
                self.control(at, (source, target), &compound);
            }
            return;
        }
        // What cannot be read to its end (cut by the capture, encrypted padding, longer than any of ours) came all the
        // same.
        let (header, octets) = match Packet::parse(bytes) {
            Ok(packet) => (packet.header, packet.payload.len()),
            Err(_) => match Header::of(bytes) {
                Some(header) => (header, bytes.len() - HEADER_OCTETS),
                None => return,
            },
        };
        let seen = Seen { at, header, octets: octets + missing };
        let key = (source, target, header.ssrc);
        if let Some(&number) = self.by_key.get(&key)
            && self.streams[number].stays(at, calls)
        {
            self.streams[number].packet(seen);
        } else if let Some((call, formats)) = owner(at, &key, calls) {
            let mut packets = self.waiting(&key);
            packets.push(seen);
            self.open(key, Some((call, formats, calls.announcements())), &packets);
        } else if may_be_rtp(source, target, &header) {
            self.consider(key, seen);
        }
    }

    fn consider(&mut self, key: Key, seen: Seen) {
        if !self.candidates.contains_key(&key) {
            self.order.push_back(key);
            if self.order.len() > CANDIDATES
                && let Some(oldest) = self.order.pop_front()
            {
                self.candidates.remove(&oldest);
            }
        }
        let before = self.candidates.entry(key).or_default();
        let step = |last: &Seen| seen.header.sequence.wrapping_sub(last.header.sequence).wrapping_add(NEAR);
        if before.last().is_some_and(|last| step(last) > 2 * NEAR) {
            before.clear();
        }
        before.push(seen);
        if before.len() >= PROOF {
            let proved = self.waiting(&key);
            self.open(key, None, &proved);
        }
    }

    /// The packets that waited for proof, which are none any more.
    fn waiting(&mut self, key: &Key) -> Vec<Seen> {
        let packets = self.candidates.remove(key);
        if packets.is_some() {
            self.order.retain(|other| other != key);
        }
        packets.unwrap_or_default()
    }

    fn open(&mut self, key: Key, announced: Option<(usize, Arc<Formats>, u64)>, packets: &[Seen]) {
        let Some(first) = packets.first() else { return };
        if self.streams.len() >= STREAMS {
            self.left_out += 1;
            return;
        }
        let mut stream = Stream::new(key, announced, first);
        packets.iter().for_each(|seen| stream.packet(*seen));
        self.by_key.insert(key, self.streams.len());
        self.by_ssrc.entry(key.2).or_default().push(self.streams.len());
        self.by_ends.entry((key.0, key.1)).or_default().push(self.streams.len());
        self.streams.push(stream);
    }

    fn control(&mut self, at: Instant, ends: (SocketAddr, SocketAddr), compound: &Compound<'_>) {
        for report in compound.reports() {
            if let Some(info) = report.sender
                && (self.senders.len() < SENDERS || self.senders.contains_key(&report.ssrc))
            {
                let sent = self.senders.entry(report.ssrc).or_default();
                sent.truncate(REPORTS - 1);
                sent.push_front(Sent { middle: rtcp::middle(info.ntp), at, source: ends.0 });
            }
            for block in report.blocks().filter(|block| block.last_report != 0) {
                let sent = self.senders.get(&block.ssrc).and_then(|sent| answered(sent, block.last_report, ends.1));
                let back = sent.and_then(|sent| at.since(sent.at).checked_sub(block.delay()));
                if let (Some(back), Some(stream)) = (back, self.reported_on(block.ssrc, ends)) {
                    stream.beyond = Some(back);
                }
            }
        }
        for metrics in xr::voip_metrics(compound) {
            if let Some(stream) = self.reported_on(metrics.ssrc, ends) {
                stream.reported = Some(metrics);
            }
        }
    }

    /// The stream of this SSRC that the author of a report receives: one that a switch passes on is on both its legs.
    /// RTCP is at the port of RTP or one above it (RFC 3550 section 11, RFC 5761).
    fn reported_on(&mut self, ssrc: u32, (author, reader): (SocketAddr, SocketAddr)) -> Option<&mut Stream> {
        let at = |rtp: SocketAddr, rtcp: SocketAddr| {
            u8::from(rtp.ip() == rtcp.ip()) * (1 + u8::from((0..=1).contains(&rtcp.port().wrapping_sub(rtp.port()))))
        };
        let near = |number: &usize| {
            let (source, target, _) = self.streams[*number].key;
            at(target, author) + at(source, reader)
        };
        let number = self.by_ssrc.get(&ssrc)?.iter().rev().take(SAME_SSRC).rev().copied().max_by_key(near)?;
        Some(&mut self.streams[number])
    }

    /// The latest stream the other way.
    pub(super) fn reverse(&self, stream: &Stream) -> Option<&Stream> {
        let (source, target, _) = stream.key;
        let together = |other: &&Stream| other.first <= stream.latest && stream.first <= other.latest;
        self.by_ends.get(&(target, source))?.iter().map(|number| &self.streams[*number]).rfind(together)
    }
}

impl Stream {
    fn new(key: Key, announced: Option<(usize, Arc<Formats>, u64)>, first: &Seen) -> Stream {
        let (call, formats, announcements) = match announced {
            Some((call, formats, announcements)) => (Some(call), Some(formats), announcements),
            None => (None, None, 0),
        };
        let clock_rate_hz = meaning(formats.as_deref(), first.header.payload_type).map(|(_, clock)| clock);
        Stream {
            key,
            call,
            formats,
            announcements,
            meter: StreamMeter::new(clock_rate_hz.unwrap_or_default()),
            clock_rate_hz,
            first: first.at,
            latest: first.at,
            types: [(0, 0); TYPES],
            plot: Plot::new(first.at),
            intervals: Vec::new(),
            interval_from: first.at,
            beyond: None,
            reported: None,
        }
    }

    /// Looks its call up again if addresses got other meanings. False: they are another call's now, as is what comes.
    fn stays(&mut self, at: Instant, calls: &Calls) -> bool {
        if std::mem::replace(&mut self.announcements, calls.announcements()) == calls.announcements() {
            return true;
        }
        let Some((call, formats)) = owner(at, &self.key, calls) else { return true };
        match self.call {
            Some(before) if before != call => !calls.is_after(call, before),
            _ => {
                (self.call, self.formats) = (Some(call), Some(formats));
                true
            }
        }
    }

    fn packet(&mut self, seen: Seen) {
        if seen.at.since(self.interval_from) >= INTERVAL {
            self.end_interval(seen.at);
        }
        let kind = self.kind(&seen);
        if kind == Kind::Audio {
            self.follow_clock(seen.header.payload_type);
        }
        self.meter.handle(seen.at, &seen.header, kind, seen.octets);
        self.plot.note(seen.at, &self.meter);
        self.latest = self.latest.max(seen.at);
        if kind == Kind::Audio {
            self.count_type(seen.header.payload_type);
        }
    }

    /// The last interval is as long as it is.
    pub(super) fn finish(&mut self) {
        self.end_interval(self.latest);
    }

    fn end_interval(&mut self, to: Instant) {
        if self.intervals.len() < INTERVALS {
            self.intervals.push(Interval { from: self.interval_from, to, measured: self.meter.interval() });
        }
        self.interval_from = to;
    }

    fn follow_clock(&mut self, payload_type: u8) {
        let clock = meaning(self.formats.as_deref(), payload_type).map(|(_, clock)| clock);
        if let Some(clock) = clock.filter(|clock| Some(*clock) != self.clock_rate_hz) {
            self.meter.change_clock(clock);
            self.clock_rate_hz = Some(clock);
        }
    }

    fn kind(&self, seen: &Seen) -> Kind {
        let payload_type = seen.header.payload_type;
        match meaning(self.formats.as_deref(), payload_type) {
            Some((name, _)) if name.eq_ignore_ascii_case("CN") => Kind::ComfortNoise,
            Some((name, _)) if name.eq_ignore_ascii_case("telephone-event") => Kind::Event,
            Some(_) => Kind::Audio,
            // Next told: four octets of a dynamic type among audio of another type are an event (RFC 4733 section 2.3).
            None if seen.octets == 4 && payload_type >= 96 && self.main_type() != Some(payload_type) => Kind::Event,
            None => Kind::Audio,
        }
    }

    fn count_type(&mut self, payload_type: u8) {
        let known = self.types.iter().position(|(number, count)| *count > 0 && *number == payload_type);
        let free = || self.types.iter().position(|(_, count)| *count == 0);
        if let Some(place) = known.or_else(free) {
            self.types[place] = (payload_type, self.types[place].1 + 1);
        }
    }

    /// The payload type of most of its audio.
    pub(super) fn main_type(&self) -> Option<u8> {
        self.types.iter().filter(|(_, count)| *count > 0).max_by_key(|(_, count)| *count).map(|(number, _)| *number)
    }

    pub(super) fn codec(&self) -> Option<String> {
        let (name, _) = meaning(self.formats.as_deref(), self.main_type()?)?;
        Some(name.to_owned())
    }
}

/// A mapping of SDP goes before the static meaning of the number.
fn meaning(formats: Option<&Formats>, payload_type: u8) -> Option<(&str, u32)> {
    let mapped = formats.and_then(|formats| formats.iter().find(|(number, ..)| *number == payload_type));
    mapped.map(|(_, name, clock)| (name.as_str(), *clock)).or_else(|| of_payload_type(payload_type))
}

/// SDP says where its author receives; most send from there as well.
fn owner(at: Instant, (source, target, _): &Key, calls: &Calls) -> Option<(usize, Arc<Formats>)> {
    calls.owner(at, *target).or_else(|| calls.owner(at, *source))
}

/// The sender report that a block answers; of several that a switch passed on, the one from where the answer goes.
fn answered(sent: &VecDeque<Sent>, last_report: u32, to: SocketAddr) -> Option<&Sent> {
    let same = || sent.iter().filter(|sent| sent.middle == last_report);
    same().find(|sent| sent.source == to).or_else(|| same().next())
}

fn may_be_rtp(source: SocketAddr, target: SocketAddr, header: &Header) -> bool {
    source.port() >= 1_024 && target.port() >= 1_024 && matches!(header.payload_type, 0..=34 | 96..=127)
}
