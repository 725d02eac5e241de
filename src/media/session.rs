//! One leg's RTP session: who may send to us, what they sent, and our stream toward them.

use std::net::SocketAddr;

use super::control::Control;
use super::negotiate::CODECS;
use super::transmit::Outbox;
use super::watchdog::Watchdog;
use super::{Codec, Remote};
use crate::clock::{Instant, Now};
use crate::ids::{LegId, Random};
use crate::protocol::rtp::{CLOCK_RATE_HZ, MAX_PACKET_BYTES, Packet, Received, Sender, Sequenced};
use crate::quality::{Heard, INTERVAL, Kind as Carries, Line, StreamMeter};

#[derive(Debug)]
pub(super) struct Session {
    pub(super) leg: LegId,
    peer: Peer,
    meter: StreamMeter,
    /// The end of the present interval of measurement; `None`: the leg was never joined.
    interval_ends: Option<Instant>,
    sender: Sender,
    control: Control,
    pub(super) watchdog: Watchdog,
    foreign: u64,
    invalid: u64,
    early: u64,
    foreign_rtcp: u64,
}

#[derive(Debug)]
enum Peer {
    /// No answer yet: whatever comes belongs to nobody.
    Unknown,
    /// Any port of an allowed address may be the first.
    Open(Remote),
    /// Symmetric RTP (RFC 4961): the peer is where its first valid packet came from.
    Latched(Remote, SocketAddr),
}

/// What a payload is to the peer who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Audio(Codec),
    /// RFC 4733.
    Event,
}

/// A packet that belongs to the leg's stream and was not seen before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepted<'a> {
    pub(super) packet: Packet<'a>,
    pub(super) kind: Kind,
    /// The leg's first one.
    pub(super) first: bool,
    /// False while the peer may not send to us (hold): it is counted and goes nowhere.
    pub(super) heard: bool,
}

impl Session {
    pub(super) fn new(leg: LegId, random: &mut Random) -> Self {
        Session {
            leg,
            peer: Peer::Unknown,
            meter: StreamMeter::new(CLOCK_RATE_HZ),
            interval_ends: None,
            sender: Sender::new(random.u32(), random.u32() as u16, random.u32()),
            control: Control::new(random),
            watchdog: Watchdog::default(),
            foreign: 0,
            invalid: 0,
            early: 0,
            foreign_rtcp: 0,
        }
    }

    /// A new offer or answer. The latch holds as long as address and permission stay the same.
    pub(super) fn set_remote(&mut self, now: Instant, remote: Remote) {
        self.control.begin(now);
        if !remote.send {
            self.sender.pause();
        }
        self.peer = match std::mem::replace(&mut self.peer, Peer::Unknown) {
            Peer::Latched(old, source) if old.rtp == remote.rtp && old.allowed == remote.allowed => {
                Peer::Latched(remote, source)
            }
            _ => {
                self.control.unlatch();
                Peer::Open(remote)
            }
        };
    }

    /// The leg is joined to another: packets are to be expected, unless it holds us or may not send.
    pub(super) fn watch(&mut self, now: Instant) {
        let expected = match &self.peer {
            Peer::Unknown => true,
            Peer::Open(remote) | Peer::Latched(remote, _) => remote.send && remote.receive,
        };
        self.watchdog.expect(now, expected);
        self.interval_ends.get_or_insert(now + INTERVAL);
    }

    /// The peer holds us: it will not play what we send.
    pub(super) fn holds(&self) -> bool {
        match &self.peer {
            Peer::Unknown => false,
            Peer::Open(remote) | Peer::Latched(remote, _) => !remote.send,
        }
    }

    pub(super) fn accept<'a>(&mut self, source: SocketAddr, arrival: Instant, bytes: &'a [u8]) -> Option<Accepted<'a>> {
        let allowed = match &self.peer {
            Peer::Unknown => {
                self.early += 1;
                return None;
            }
            Peer::Open(remote) => may_send(remote, source),
            Peer::Latched(_, latched) => source == *latched,
        };
        if !allowed {
            self.foreign += 1;
            return None;
        }
        let Some((packet, kind)) = Packet::parse(bytes).ok().and_then(|p| Some((p, self.kind(&p)?))) else {
            self.invalid += 1;
            return None;
        };
        let first = self.meter.received().packets() == 0;
        let carries = if kind == Kind::Event { Carries::Event } else { Carries::Audio };
        if self.meter.handle(arrival, &packet.header, carries, packet.payload.len()) != Sequenced::New {
            return None;
        }
        let heard = self.latch(source);
        Some(Accepted { packet, kind, first, heard })
    }

    /// Passes on what the other leg received, in this leg's codec.
    pub(super) fn relay(&mut self, now: Instant, accepted: &Accepted<'_>, out: &mut Outbox) {
        let Some((to, remote)) = self.destination() else { return };
        let payload_type = match accepted.kind {
            Kind::Audio(_) => Some(remote.payload_type),
            Kind::Event => remote.telephone_event,
        };
        let incoming = &accepted.packet.header;
        let Some(payload_type) = payload_type else {
            self.sender.skip(incoming);
            return;
        };
        let samples = match accepted.kind {
            Kind::Audio(_) => accepted.packet.payload.len() as u32,
            Kind::Event => 0,
        };
        let codec = remote.codec;
        let Some(header) = self.sender.relay(incoming, now, samples, payload_type) else { return };
        let payload = accepted.packet.payload;
        self.sender.count(payload.len());
        match accepted.kind {
            Kind::Audio(from) if from != codec => {
                // A packet for a packet, at once: transcoding neither waits nor cuts anew.
                let mut coded = [0; MAX_PACKET_BYTES];
                for (to, code) in coded.iter_mut().zip(payload) {
                    *to = codec.encode(from.decode(*code));
                }
                out.push(self.leg, to, &header, &coded[..payload.len()]);
            }
            Kind::Audio(_) | Kind::Event => out.push(self.leg, to, &header, payload),
        }
    }

    /// Passes on an RFC 4733 event of the other leg between packets of our own.
    pub(super) fn insert_event(&mut self, now: Instant, accepted: &Accepted<'_>, out: &mut Outbox) {
        let Some((to, remote)) = self.destination() else { return };
        let Some(payload_type) = remote.telephone_event else { return };
        let header = self.sender.insert_event(&accepted.packet.header, now, payload_type);
        self.sender.count(accepted.packet.payload.len());
        out.push(self.leg, to, &header, accepted.packet.payload);
    }

    /// Sends samples of our own, which sound from `at`; false if the peer is not to be sent to.
    pub(super) fn play(&mut self, at: Instant, samples: &[i16], out: &mut Outbox) -> bool {
        let Some((to, remote)) = self.destination() else { return false };
        let codec = remote.codec;
        let header = self.sender.generate(at, samples.len() as u32, remote.payload_type);
        let mut payload = [0; super::playout::FRAME];
        let payload = &mut payload[..samples.len()];
        self.sender.count(payload.len());
        for (code, sample) in payload.iter_mut().zip(samples) {
            *code = codec.encode(*sample);
        }
        out.push(self.leg, to, &header, payload);
        true
    }

    /// A datagram on the RTCP port; true if it shows that the peer is there.
    pub(super) fn accept_rtcp(&mut self, source: SocketAddr, arrival: Instant, bytes: &[u8]) -> bool {
        let known = match (&self.peer, self.control.source()) {
            (Peer::Unknown, _) => false,
            (_, Some(latched)) => source == latched,
            (Peer::Open(remote), None) => may_send(remote, source),
            // The person who speaks is the one who reports.
            (Peer::Latched(_, rtp), None) => rtp.ip().to_canonical() == source.ip().to_canonical(),
        };
        if !known {
            self.foreign_rtcp += 1;
            return false;
        }
        self.control.hear(source, arrival, bytes, self.sender.ssrc())
    }

    /// Reports if it is time.
    pub(super) fn report_due(&mut self, now: Now, out: &mut Outbox) {
        if self.control.is_due(now.mono) {
            self.report(now, false, out);
        }
    }

    /// The last packet of this leg.
    pub(super) fn say_bye(&mut self, now: Now, out: &mut Outbox) {
        // Whoever never sent anything says no farewell (RFC 3550 section 6.3.7).
        if self.sender.packets() > 0 {
            self.report(now, true, out);
        }
    }

    fn report(&mut self, now: Now, bye: bool, out: &mut Outbox) {
        let Some(to) = self.rtcp_destination() else { return };
        let Session { leg, control, sender, meter, .. } = self;
        out.push_rtcp(*leg, to, |bytes| control.report(now, sender, meter.receiver(), bye, bytes));
    }

    /// When the bridge is to look after this leg, and why.
    pub(super) fn deadline(&self) -> Option<(Instant, &'static str)> {
        let report = self.control.deadline().map(|at| (at, "rtcp"));
        let silence = self.watchdog.deadline().map(|at| (at, "silence"));
        let interval = self.interval_ends.map(|at| (at, "quality"));
        report.into_iter().chain(silence).chain(interval).min()
    }

    /// Where the peer's reports come from, else the port above its RTP (RFC 3550 section 11). A held peer gets reports too.
    fn rtcp_destination(&self) -> Option<SocketAddr> {
        let rtp = match &self.peer {
            Peer::Unknown => return None,
            Peer::Open(remote) => remote.rtp,
            Peer::Latched(_, source) => *source,
        };
        let above = || Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?));
        let to = self.control.source().or_else(above)?;
        (rtp.port() != 0 && !to.ip().is_unspecified()).then_some(to)
    }

    /// Nothing will come from the other side for a while.
    pub(super) fn pause(&mut self) {
        self.sender.pause();
    }

    pub(super) fn received(&self) -> Received {
        Received {
            packets: self.meter.received().packets(),
            lost: self.meter.received().lost(),
            jitter_us: self.meter.received().jitter_us(),
            foreign: self.foreign,
            invalid: self.invalid,
            rtt_us: self.rtt_us(),
        }
    }

    fn rtt_us(&self) -> Option<u64> {
        self.control.round_trip().map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
    }

    /// The interval that has ended, if one has.
    pub(super) fn interval(&mut self, now: Instant) -> Option<(Instant, Line)> {
        let ended = self.interval_ends.filter(|end| *end <= now)?;
        self.interval_ends = Some(ended + INTERVAL);
        Some((ended, Line::of(&self.meter.interval(), self.rtt_us())))
    }

    /// All of it; `None` if the leg was never joined.
    pub(super) fn heard(&self) -> Option<Heard> {
        self.interval_ends?;
        let (Peer::Open(remote) | Peer::Latched(remote, _)) = &self.peer else { return None };
        Some(Heard { codec: remote.codec.name().to_owned(), rtt_us: self.rtt_us(), measured: self.meter.result() })
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.meter.received().duplicates()
    }

    /// Packets that came before the peer was known.
    pub(super) fn early(&self) -> u64 {
        self.early
    }

    /// RTCP from addresses that may not send it.
    pub(super) fn foreign_rtcp(&self) -> u64 {
        self.foreign_rtcp
    }

    pub(super) fn strays(&self) -> u64 {
        self.meter.received().strays()
    }

    fn kind(&self, packet: &Packet<'_>) -> Option<Kind> {
        let (Peer::Open(remote) | Peer::Latched(remote, _)) = &self.peer else { return None };
        let codec = match packet.header.payload_type {
            number if number == remote.payload_type => remote.codec,
            number if Some(number) == remote.telephone_event => return Some(Kind::Event),
            // An answer may name several codecs, and its sender may change between them (RFC 3264 section 7).
            number => *CODECS.iter().find(|codec| codec.payload_type() == number)?,
        };
        (!packet.payload.is_empty()).then_some(Kind::Audio(codec))
    }

    /// Takes `source` for the peer's address, and says whether the peer may speak.
    fn latch(&mut self, source: SocketAddr) -> bool {
        match std::mem::replace(&mut self.peer, Peer::Unknown) {
            Peer::Unknown => false,
            Peer::Open(remote) | Peer::Latched(remote, _) => {
                let heard = remote.receive;
                self.peer = Peer::Latched(remote, source);
                heard
            }
        }
    }

    /// Where our stream goes now.
    fn destination(&self) -> Option<(SocketAddr, &Remote)> {
        let (to, remote) = match &self.peer {
            Peer::Unknown => return None,
            Peer::Open(remote) => (remote.rtp, remote),
            Peer::Latched(remote, source) => (*source, remote),
        };
        (remote.send && to.port() != 0 && !to.ip().is_unspecified()).then_some((to, remote))
    }
}

fn may_send(remote: &Remote, source: SocketAddr) -> bool {
    remote.allowed.iter().any(|ip| ip.to_canonical() == source.ip().to_canonical())
}
