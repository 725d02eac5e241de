//! Our outgoing stream toward one peer: one SSRC for its whole life, whatever the source of its audio.
//!
//! A relayed packet keeps its place: gaps and swaps of the incoming sequence numbers stay visible to the peer. When
//! the source changes (a prompt begins or ends, the other side's SSRC changes, a hold ends) sequence numbers go on
//! without a gap, timestamps advance by wall time, and the first packet carries the marker (RFC 3551 section 4.1).

use std::time::Duration;

use super::{Header, units};
use crate::clock::Instant;

/// Steps of the incoming sequence number within which it is the same stream (RFC 3550 A.1).
const SAME_STREAM: std::ops::Range<i16> = -100..3_000;

/// How far an incoming timestamp may run ahead of the wall clock between two packets; beyond it the source's time line
/// was cut, in timestamp units (500 ms).
const MAX_LEAD: i64 = 4_000;

/// How far it may stay behind: a stalled network does that for a while, a paused source for good (2 s).
const MAX_LAG: i64 = 16_000;

#[derive(Debug, Clone)]
pub struct Sender {
    ssrc: u32,
    sequence: u16,
    first: u16,
    /// Where the time line stands; `None` before the first packet.
    newest: Option<Newest>,
    initial_timestamp: u32,
    source: Source,
    /// An RFC 4733 event among our own samples: its timestamp at its source and here.
    event: Option<(u32, u32)>,
    /// Of the key of our own that is pressed.
    key: u32,
    packets: u32,
    /// Of payload.
    octets: u32,
}

/// The packet with the highest timestamp that was sent.
#[derive(Debug, Clone, Copy)]
struct Newest {
    timestamp: u32,
    at: Instant,
    samples: u32,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    /// Nothing is being sent; whatever comes next begins a talkspurt.
    Next,
    /// Our own samples.
    Own,
    Relay(Relay),
}

/// One incoming stream and how its numbers become ours.
#[derive(Debug, Clone, Copy)]
struct Relay {
    ssrc: u32,
    /// Oldest and newest incoming number of this stretch.
    first: u16,
    highest: u16,
    timestamp: u32,
    at: Instant,
    sequence_offset: u16,
    timestamp_offset: u32,
}

impl Sender {
    /// All three numbers are random (RFC 3550 section 5.1).
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Sender {
            ssrc,
            sequence,
            first: sequence,
            newest: None,
            initial_timestamp: timestamp,
            source: Source::Next,
            event: None,
            key: timestamp,
            packets: 0,
            octets: 0,
        }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The number of its first packet.
    pub fn first(&self) -> u16 {
        self.first
    }

    /// A packet with so much payload was sent.
    pub fn count(&mut self, payload: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload as u32);
    }

    pub fn packets(&self) -> u32 {
        self.packets
    }

    pub fn octets(&self) -> u32 {
        self.octets
    }

    /// Where the time line stands at an instant; `None` before the first packet.
    pub fn timestamp(&self, at: Instant) -> Option<u32> {
        self.newest.map(|newest| newest.timestamp.wrapping_add(units(at.since(newest.at)) as u32))
    }

    /// Header of the next packet of our own, which sounds from `at` for `samples`.
    pub fn generate(&mut self, at: Instant, samples: u32, payload_type: u8) -> Header {
        let marker = !matches!(self.source, Source::Own);
        self.source = Source::Own;
        let timestamp = self.timestamp_at(at);
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        self.newest = Some(Newest { timestamp, at, samples });
        Header { payload_type, marker, sequence, timestamp, ssrc: self.ssrc }
    }

    /// Header of a packet of an event that comes while we send samples of our own. All packets of one event have one
    /// timestamp, that of its start (RFC 4733 section 2.5.1.3); the samples keep to their clock.
    pub fn insert_event(&mut self, incoming: &Header, at: Instant, payload_type: u8) -> Header {
        let timestamp = match self.event {
            Some((source, ours)) if source == incoming.timestamp => ours,
            _ => self.timestamp(at).unwrap_or(self.initial_timestamp),
        };
        self.event = Some((incoming.timestamp, timestamp));
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        Header { payload_type, marker: incoming.marker, sequence, timestamp, ssrc: self.ssrc }
    }

    /// Header of a packet of a key of our own, whatever else is being sent. All packets of a key have the timestamp of the one that
    /// begins it.
    pub fn press(&mut self, at: Instant, begins: bool, payload_type: u8) -> Header {
        if begins {
            self.key = self.timestamp(at).unwrap_or(self.initial_timestamp);
        }
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        if let Source::Relay(relay) = &mut self.source {
            // The number belongs to nobody else: what is relayed from now on comes behind it.
            relay.sequence_offset = relay.sequence_offset.wrapping_add(1);
            relay.first = relay.highest.wrapping_add(1);
        }
        Header { payload_type, marker: begins, sequence, timestamp: self.key, ssrc: self.ssrc }
    }

    /// Header under which a packet received at `at` goes on; `None` for a straggler from before the last switch, whose
    /// number was given to another packet.
    pub fn relay(&mut self, incoming: &Header, at: Instant, samples: u32, payload_type: u8) -> Option<Header> {
        let (relay, switched) = match self.source {
            Source::Relay(relay) if relay.continues(incoming, at) => (relay, false),
            _ => (self.begin(incoming, at), true),
        };
        if (incoming.sequence.wrapping_sub(relay.first) as i16) < 0 {
            return None;
        }
        let sequence = incoming.sequence.wrapping_add(relay.sequence_offset);
        let timestamp = incoming.timestamp.wrapping_add(relay.timestamp_offset);
        if switched || (incoming.sequence.wrapping_sub(relay.highest) as i16) > 0 {
            self.sequence = sequence.wrapping_add(1);
            let newer = |newest: Newest| (timestamp.wrapping_sub(newest.timestamp) as i32) > 0;
            if self.newest.is_none_or(newer) {
                self.newest = Some(Newest { timestamp, at, samples });
            }
            let Header { sequence: highest, timestamp, .. } = *incoming;
            self.source = Source::Relay(Relay { highest, timestamp, at, ..relay });
        }
        Some(Header { payload_type, marker: incoming.marker || switched, sequence, timestamp, ssrc: self.ssrc })
    }

    /// An incoming packet that is not passed on at our own wish: the peer shall not take it for a loss.
    pub fn skip(&mut self, incoming: &Header) {
        if let Source::Relay(relay) = &mut self.source
            && relay.ssrc == incoming.ssrc
            && incoming.sequence.wrapping_sub(relay.highest) as i16 > 0
        {
            relay.sequence_offset = relay.sequence_offset.wrapping_sub(1);
            relay.first = incoming.sequence.wrapping_add(1);
            relay.highest = incoming.sequence;
        }
    }

    /// Nothing is sent from now on: what comes next is a new stretch.
    pub fn pause(&mut self) {
        self.source = Source::Next;
    }

    fn begin(&self, incoming: &Header, at: Instant) -> Relay {
        Relay {
            ssrc: incoming.ssrc,
            first: incoming.sequence,
            highest: incoming.sequence,
            timestamp: incoming.timestamp,
            at,
            sequence_offset: self.sequence.wrapping_sub(incoming.sequence),
            timestamp_offset: self.timestamp_at(at).wrapping_sub(incoming.timestamp),
        }
    }

    /// Wall time since the newest packet, but never into that packet's own samples.
    fn timestamp_at(&self, at: Instant) -> u32 {
        self.newest.map_or(self.initial_timestamp, |newest| {
            let passed = units(at.since(newest.at)) as u32;
            newest.timestamp.wrapping_add(passed.max(newest.samples))
        })
    }
}

impl Relay {
    fn continues(&self, incoming: &Header, at: Instant) -> bool {
        if incoming.ssrc != self.ssrc {
            return false;
        }
        let step = incoming.sequence.wrapping_sub(self.highest) as i16;
        if step <= 0 {
            return SAME_STREAM.contains(&step);
        }
        let passed = units(at.since(self.at).min(Duration::from_secs(3_600))) as i64;
        let lead = i64::from(incoming.timestamp.wrapping_sub(self.timestamp) as i32) - passed;
        let paused = lead < -MAX_LEAD && incoming.marker;
        SAME_STREAM.contains(&step) && (-MAX_LAG..=MAX_LEAD).contains(&lead) && !paused
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn incoming(sequence: u16, timestamp: u32, ssrc: u32) -> Header {
        Header { payload_type: 8, marker: false, sequence, timestamp, ssrc }
    }

    fn ms(n: u64) -> Instant {
        Instant::from_millis(n)
    }

    #[test]
    fn prompt_then_relay_then_another_source_is_one_stream() {
        let mut sender = Sender::new(77, 65_534, u32::MAX - 100);
        let mut sent: Vec<Header> = (0..5).map(|n| sender.generate(ms(n * 20), 160, 8)).collect();
        // The agent's voice, 7 ms after the prompt's end, then its phone changes SSRC after a pause of 100 ms.
        sent.extend((0..5).filter_map(|n| {
            sender.relay(&incoming(30_000 + n, 5_000 + 160 * u32::from(n), 1), ms(107 + 20 * u64::from(n)), 160, 8)
        }));
        sent.extend(sender.relay(&incoming(9, 1, 2), ms(287), 160, 8));
        let sequences: Vec<u16> = sent.iter().map(|h| h.sequence.wrapping_sub(65_534)).collect();
        assert_eq!(sequences, (0..11).collect::<Vec<u16>>());
        let timestamps: Vec<u32> = sent.iter().map(|h| h.timestamp.wrapping_sub(u32::MAX - 100)).collect();
        assert_eq!(timestamps, [0, 160, 320, 480, 640, 856, 1_016, 1_176, 1_336, 1_496, 2_296]);
        let markers: Vec<usize> = sent.iter().enumerate().filter(|(_, h)| h.marker).map(|(n, _)| n).collect();
        assert_eq!(markers, [0, 5, 10]);
        assert!(sent.iter().all(|h| h.ssrc == 77));
    }

    #[test]
    fn a_switch_never_overlaps_the_packet_before() {
        let mut sender = Sender::new(1, 0, 0);
        sender.generate(ms(0), 160, 8);
        let header = sender.relay(&incoming(1, 1, 2), ms(5), 160, 8).unwrap();
        assert_eq!(header.timestamp, 160);
    }

    #[test]
    fn loss_and_swaps_stay_visible() {
        let mut sender = Sender::new(1, 100, 0);
        let order = [10u16, 11, 14, 13, 15];
        let sent: Vec<u16> = order
            .iter()
            .filter_map(|n| sender.relay(&incoming(*n, u32::from(*n) * 160, 2), ms(u64::from(*n) * 20), 160, 8))
            .map(|h| h.sequence)
            .collect();
        assert_eq!(sent, [100, 101, 104, 103, 105]);
    }

    #[test]
    fn a_straggler_from_before_the_switch_is_dropped() {
        let mut sender = Sender::new(1, 100, 0);
        sender.relay(&incoming(10, 1_600, 2), ms(200), 160, 8).unwrap();
        sender.pause();
        sender.relay(&incoming(12, 1_920, 2), ms(240), 160, 8).unwrap();
        assert_eq!(sender.relay(&incoming(11, 1_760, 2), ms(241), 160, 8), None);
    }

    #[test]
    fn a_packet_left_out_at_our_wish_is_no_loss() {
        let mut sender = Sender::new(1, 100, 0);
        sender.relay(&incoming(10, 1_600, 2), ms(200), 160, 8).unwrap();
        sender.skip(&incoming(11, 1_600, 2));
        let header = sender.relay(&incoming(12, 1_920, 2), ms(240), 160, 8).unwrap();
        assert_eq!((header.sequence, header.timestamp, header.marker), (101, 320, false));
    }

    #[test]
    fn a_cut_time_line_is_joined_and_a_stalled_network_is_not() {
        let mut sender = Sender::new(1, 0, 0);
        sender.relay(&incoming(1, 1_000, 2), ms(20), 160, 8).unwrap();
        let joined = sender.relay(&incoming(2, 900_000, 2), ms(40), 160, 8).unwrap();
        assert_eq!((joined.timestamp, joined.marker), (160, true));
        let stalled = sender.relay(&incoming(3, 900_160, 2), ms(900), 160, 8).unwrap();
        assert_eq!((stalled.timestamp, stalled.marker), (320, false));
    }

    proptest! {
        /// Any mix of sources, gaps and pauses: numbers without a gap, timestamps that never go back or overlap.
        #[test]
        fn one_continuous_stream(
            start: (u32, u16, u32),
            turns in proptest::collection::vec((0u8..4, 1u64..30, 0u64..300, any::<u16>(), any::<u32>()), 1..40),
        ) {
            let mut sender = Sender::new(start.0, start.1, start.2);
            let mut now = 1_000;
            let mut sent = Vec::new();
            for (ssrc, (kind, packets, gap, sequence, timestamp)) in turns.into_iter().enumerate() {
                now += gap;
                for n in 0..packets {
                    let header = if kind == 0 {
                        sender.generate(ms(now), 160, 8)
                    } else {
                        let n = n as u16;
                        let timestamp = timestamp.wrapping_add(u32::from(n) * 160);
                        let header = incoming(sequence.wrapping_add(n), timestamp, ssrc as u32);
                        sender.relay(&header, ms(now), 160, 8).unwrap()
                    };
                    sent.push(header);
                    now += 20;
                }
                if kind == 3 {
                    sender.pause();
                }
            }
            for pair in sent.windows(2) {
                prop_assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
                prop_assert!(pair[1].timestamp.wrapping_sub(pair[0].timestamp) >= 160);
                prop_assert!(pair[1].timestamp.wrapping_sub(pair[0].timestamp) <= 160 + 300 * 8);
            }
        }
    }
}
