//! Captures (pcap, pcapng): their calls and RTP streams, measured by the same meter as live ones.
//!
//! Read once from front to back in bounded memory: what is beyond a bound is counted and left out, never guessed.

mod calls;
mod container;
mod ip;
mod link;
mod plot;
mod streams;
mod tcp;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

pub use calls::Call;
pub use container::{CaptureError, Frame, Reader};
pub use link::Link;
pub use plot::{Column, Plot};
pub use streams::Interval;

use calls::Calls;
use ip::{Fragments, Kind, Segment};
use streams::{Stream, Streams};
use tcp::Flows;

use crate::clock::Instant;
use crate::protocol::rtp::xr::VoipMetrics;
use crate::protocol::sip::message;
use crate::quality::{Measured, Score, Seen, Status, score, status};

/// One direction of one SSRC.
#[derive(Debug, Clone)]
pub struct StreamResult {
    pub source: SocketAddr,
    pub target: SocketAddr,
    pub ssrc: u32,
    /// Index into [`Analysis::calls`]; `None`: no SDP announced it.
    pub call: Option<usize>,
    pub payload_type: Option<u8>,
    pub codec: Option<String>,
    /// `None`: nothing tells what its timestamps mean, so jitter, buffers and lengths are unknown.
    pub clock_rate_hz: Option<u32>,
    pub first: Instant,
    pub latest: Instant,
    pub measured: Measured,
    pub status: Status,
    pub score: Option<Score>,
    pub round_trip: Option<Duration>,
    pub intervals: Vec<Interval>,
    pub plot: Plot,
    pub reported: Option<VoipMetrics>,
    /// Longest time between two packets of a talkspurt.
    pub longest_delta: Duration,
}

#[derive(Debug)]
pub struct Analysis {
    pub frames: u64,
    pub first: Option<Instant>,
    pub last: Option<Instant>,
    pub calls: Vec<Call>,
    /// In the order of their first packets.
    pub streams: Vec<StreamResult>,
    /// The file ends within a frame.
    pub truncated: bool,
    /// Frames without a time, datagrams of which pieces are missing, frames of a link type that is not known.
    pub unstamped: u64,
    pub unassembled: u64,
    pub unknown_link: u64,
    /// Connections that are TLS: what SIP they carry cannot be seen.
    pub tls: u64,
    /// SIP messages that cannot be read, cut by the capture or not.
    pub unreadable: u64,
    /// Calls, addresses, reports and streams beyond the bounds.
    pub left_out: u64,
    /// Why reading ended early.
    pub damaged: Option<String>,
}

/// Reads a capture to its end. A file that is damaged half-way is analysed as far as it goes.
pub fn analyze(source: impl Read) -> Result<Analysis, CaptureError> {
    let mut reader = Reader::new(source)?;
    let mut desk = Desk::default();
    let damaged = loop {
        match reader.next_frame() {
            Ok(Some(frame)) => desk.frame(&frame),
            Ok(None) => break None,
            Err(error @ CaptureError::Io(_)) => return Err(error),
            Err(error) => break Some(error.to_string()),
        }
    };
    let (truncated, unstamped) = (reader.is_truncated(), reader.unstamped());
    Ok(Analysis { truncated, unstamped, damaged, ..desk.finish() })
}

#[derive(Debug, Default)]
struct Desk {
    frames: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    unknown_link: u64,
    unreadable: u64,
    fragments: Fragments,
    flows: Flows,
    calls: Calls,
    streams: Streams,
}

impl Desk {
    fn frame(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        self.first.get_or_insert(frame.at);
        self.last = self.last.max(Some(frame.at));
        if let Link::Unknown(_) = frame.link {
            self.unknown_link += 1;
        }
        let Some(packet) = link::ip_packet(frame.link, frame.bytes) else { return };
        if let Some(segment) = self.fragments.segment(frame.at, packet) {
            self.segment(frame.at, &segment);
        }
    }

    fn segment(&mut self, at: Instant, segment: &Segment<'_>) {
        let ends = (segment.source, segment.target);
        let payload = &*segment.payload;
        match segment.kind {
            Kind::Tcp { sequence, opens, closes } => {
                let (calls, unreadable) = (&mut self.calls, &mut self.unreadable);
                self.flows.segment(at, ends, (sequence, opens, closes), payload, |frame| {
                    match message::parse_framed(&frame.head, &frame.body) {
                        Ok(parsed) => calls.message(at, &parsed),
                        Err(_) => *unreadable += 1,
                    }
                });
            }
            Kind::Udp { missing } => match payload.first() {
                Some(0x80..=0xbf) => self.streams.datagram(at, ends, payload, missing, &self.calls),
                Some(b'A'..=b'Z') if tcp::begins_message(payload) => {
                    match message::parse_datagram(&as_far_as_whole(payload, missing)) {
                        Ok(parsed) => self.calls.message(at, &parsed),
                        Err(_) => self.unreadable += 1,
                    }
                }
                _ => {}
            },
        }
    }

    fn finish(mut self) -> Analysis {
        self.streams.streams.iter_mut().for_each(Stream::finish);
        let results = self.streams.streams.iter().map(|stream| self.result(stream)).collect();
        let (calls, left_out) = self.calls.finish();
        Analysis {
            frames: self.frames,
            first: self.first,
            last: self.last,
            calls,
            streams: results,
            truncated: false,
            unstamped: 0,
            unassembled: self.fragments.lost(),
            unknown_link: self.unknown_link,
            tls: self.flows.tls(),
            unreadable: self.unreadable,
            left_out: left_out + self.streams.left_out,
            damaged: None,
        }
    }

    fn result(&self, stream: &Stream) -> StreamResult {
        let measured = stream.meter.result();
        let call = stream.call.map(|call| self.calls.get(call));
        let back = self.streams.reverse(stream);
        let codec = stream.codec();
        // Both halves of the way; one alone is that to the nearer end.
        let round_trip = stream.beyond.zip(back.and_then(|back| back.beyond)).map(|(there, here)| there + here);
        let status = status(&Seen {
            answered: call.is_none_or(Call::was_answered),
            lasted_ms: u64::try_from(stream.latest.since(stream.first).as_millis()).unwrap_or(u64::MAX),
            packets: measured.packets,
            other: back.map(|back| back.meter.received().packets()),
            packet_us: measured.packet_us,
        });
        let rated = status == Status::Rated && stream.clock_rate_hz.is_some();
        let score = codec.as_deref().filter(|_| rated).and_then(|codec| score(&measured, codec, true, round_trip));
        StreamResult {
            source: stream.key.0,
            target: stream.key.1,
            ssrc: stream.key.2,
            call: stream.call,
            payload_type: stream.main_type(),
            codec,
            clock_rate_hz: stream.clock_rate_hz,
            first: stream.first,
            latest: stream.latest,
            measured,
            status,
            score,
            round_trip,
            intervals: stream.intervals.clone(),
            plot: stream.plot.clone(),
            reported: stream.reported,
            longest_delta: stream.meter.longest_delta(),
        }
    }
}

/// A message whose end the capture cut off: its whole lines, and empty ones in the place of what is missing, so that
/// its length is right and half a port is none.
fn as_far_as_whole(payload: &[u8], missing: usize) -> Cow<'_, [u8]> {
    if missing == 0 {
        return Cow::Borrowed(payload);
    }
    let lines = payload.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut whole = payload[..lines].to_vec();
    whole.resize(payload.len() + missing, b'\n');
    Cow::Owned(whole)
}
