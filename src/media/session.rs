//! One leg's RTP session: who may send to us, what they sent, and our stream toward them.

use std::net::SocketAddr;
use std::time::Duration;

use super::coder::Coder;
use super::control::Control;
use super::keying::Secured;
use super::negotiate::CODECS;
use super::pressing::{self, Form, Pressing};
use super::transmit::Outbox;
use super::watchdog::{Watchdog, sooner};
use super::{Codec, Remote};
use crate::clock::{Instant, Now};
use crate::ids::{LegId, Random};
use crate::limits;
use crate::protocol::audio::comfort;
use crate::protocol::rtp::event::{Keys, Payload, Pressed, Stroke};
use crate::protocol::rtp::srtp::Guard;
use crate::protocol::rtp::{CLOCK_RATE_HZ, Packet, Received, Sender, Sequenced};
use crate::quality::{Decoded, Heard, INTERVAL, Kind as Carries, Line, Rests, StreamMeter, Upset};

/// Longest packet that we make, in units: 60 ms.
pub(super) const LONGEST_PACKET: usize = 480;

#[derive(Debug)]
pub(super) struct Session {
    pub(super) leg: LegId,
    peer: Peer,
    meter: StreamMeter,
    /// Packets of sound in each of [`CODECS`].
    spoken: [u64; CODECS.len()],
    /// The end of the present interval of measurement; `None`: the leg was never joined.
    interval_ends: Option<Instant>,
    upset: Option<(Instant, Upset)>,
    /// How many more of them will be told.
    upsets_left: u32,
    rests: Rests,
    /// How many more of them will be told.
    rests_left: u32,
    sender: Sender,
    coder: Coder,
    control: Control,
    pub(super) watchdog: Watchdog,
    foreign: u64,
    invalid: u64,
    early: u64,
    foreign_rtcp: u64,
    /// What its decoders and buffers made of its sound.
    decoded: Option<Decoded>,
    /// What the peer's last report counted, and we then.
    reported: Option<(u32, u64)>,
    guards: Option<Box<Guards>>,
    keys: Keys,
    /// Keys of our own.
    pressing: Option<Box<Pressing>>,
}

/// SRTP of both directions, and the keys that it was made of.
#[derive(Debug)]
struct Guards {
    keys: Secured,
    incoming: Guard,
    outgoing: Guard,
}

impl Guards {
    fn new(keys: Secured) -> Self {
        Guards { keys, incoming: Guard::new(&keys.theirs), outgoing: Guard::new(&keys.ours) }
    }

    /// A key that stays keeps its packet index: counting anew would use the same keystream twice.
    fn change(&mut self, keys: Secured) {
        if keys.theirs != self.keys.theirs {
            self.incoming = Guard::new(&keys.theirs);
        }
        if keys.ours != self.keys.ours {
            self.outgoing = Guard::new(&keys.ours);
        }
        self.keys = keys;
    }
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
    /// RFC 3389.
    Noise,
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
    /// For so long the peer sent no sound on purpose, until now.
    pub(super) rested: Option<Duration>,
    /// False while the peer may not send to us (hold): it is counted and goes nowhere.
    pub(super) heard: bool,
}

impl Session {
    pub(super) fn new(leg: LegId, random: &mut Random) -> Self {
        Session {
            leg,
            peer: Peer::Unknown,
            meter: StreamMeter::new(CLOCK_RATE_HZ),
            spoken: [0; CODECS.len()],
            interval_ends: None,
            upset: None,
            upsets_left: limits::UPSETS,
            rests: Rests::default(),
            rests_left: limits::RESTS,
            sender: Sender::new(random.u32(), random.u32() as u16, random.u32()),
            coder: Coder::default(),
            control: Control::new(random),
            watchdog: Watchdog::default(),
            foreign: 0,
            invalid: 0,
            early: 0,
            foreign_rtcp: 0,
            decoded: None,
            reported: None,
            guards: None,
            keys: Keys::default(),
            pressing: None,
        }
    }

    /// A new offer or answer. The latch holds as long as address and permission stay the same.
    pub(super) fn set_remote(&mut self, now: Instant, remote: Remote) {
        self.control.begin(now);
        // Whoever holds, or held, sends nothing for another reason.
        self.rests.cut(now);
        if !remote.send {
            self.sender.pause();
        }
        match (&mut self.guards, remote.srtp) {
            (guards, None) => *guards = None,
            (Some(guards), Some(keys)) => guards.change(keys),
            (guards, Some(keys)) => *guards = Some(Box::new(Guards::new(keys))),
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

    /// Joined, neither holding nor held.
    pub(super) fn is_expected(&self) -> bool {
        self.watchdog.expects()
    }

    /// A datagram on the RTP port. `clear` is where a secured one is opened: nothing of it is believed, and no address
    /// learnt, before its tag was right.
    pub(super) fn accept<'a>(
        &mut self,
        source: SocketAddr,
        arrival: Instant,
        bytes: &'a [u8],
        clear: &'a mut Vec<u8>,
    ) -> Option<Accepted<'a>> {
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
        let bytes = match &mut self.guards {
            None => bytes,
            Some(guards) => {
                clear.clear();
                clear.extend_from_slice(bytes);
                let Ok(length) = guards.incoming.open(clear) else {
                    self.invalid += 1;
                    return None;
                };
                &clear[..length]
            }
        };
        let Some((packet, kind)) = Packet::parse(bytes).ok().and_then(|p| Some((p, self.kind(&p)?))) else {
            self.invalid += 1;
            return None;
        };
        let first = self.meter.received().packets() == 0;
        let carries = match kind {
            Kind::Audio(_) => Carries::Audio,
            Kind::Noise => Carries::ComfortNoise,
            Kind::Event => Carries::Event,
        };
        if self.meter.handle(arrival, &packet.header, carries, packet.payload.len()) != Sequenced::New {
            return None;
        }
        if let Some(upset) = self.meter.take_upset() {
            self.upset.get_or_insert((arrival, upset));
        }
        if let Kind::Audio(codec) = kind
            && let Some((_, packets)) = CODECS.iter().zip(&mut self.spoken).find(|(known, _)| **known == codec)
        {
            *packets += 1;
        }
        let units = if carries == Carries::Audio { packet.payload.len() as u32 } else { 0 };
        let rested = self.rests.handle(arrival, &packet.header, carries, units);
        let rested = rested.filter(|_| self.counts_rest());
        let heard = self.latch(source);
        Some(Accepted { packet, kind, first, rested, heard })
    }

    /// Passes on what the other leg received, in this leg's codec.
    pub(super) fn relay(&mut self, now: Instant, accepted: &Accepted<'_>, out: &mut Outbox) {
        let Some((to, remote)) = self.destination() else { return };
        let payload_type = match accepted.kind {
            Kind::Audio(_) => Some(remote.payload_type),
            // A peer that did not ask for it hears a pause, as before a talkspurt.
            Kind::Noise => remote.comfort_noise,
            Kind::Event => remote.telephone_event,
        };
        let incoming = &accepted.packet.header;
        let Some(payload_type) = payload_type else {
            self.sender.skip(incoming);
            return;
        };
        let samples = match accepted.kind {
            Kind::Audio(_) => accepted.packet.payload.len() as u32,
            Kind::Noise | Kind::Event => 0,
        };
        let codec = remote.codec;
        let Some(header) = self.sender.relay(incoming, now, samples, payload_type) else { return };
        let payload = accepted.packet.payload;
        self.sender.count(payload.len());
        let sent = out.push(self.leg, to, &header, payload);
        if let Kind::Audio(from) = accepted.kind
            && from != codec
            && let Some(law) = from.law()
        {
            // A packet for a packet, at once: transcoding neither waits nor cuts anew.
            let table = law.to_other();
            for code in sent {
                *code = table[usize::from(*code)];
            }
        }
        self.secure(out);
    }

    /// A packet that is not passed on: the peer shall not take it for a loss.
    pub(super) fn leave_out(&mut self, accepted: &Accepted<'_>) {
        self.sender.skip(&accepted.packet.header);
    }

    /// Passes on an RFC 4733 event of the other leg between packets of our own.
    pub(super) fn insert_event(&mut self, now: Instant, accepted: &Accepted<'_>, out: &mut Outbox) {
        let Some((to, remote)) = self.destination() else { return };
        let Some(payload_type) = remote.telephone_event else { return };
        let header = self.sender.insert_event(&accepted.packet.header, now, payload_type);
        self.sender.count(accepted.packet.payload.len());
        out.push(self.leg, to, &header, accepted.packet.payload);
        self.secure(out);
    }

    /// The last step of every packet that we send.
    fn secure(&mut self, out: &mut Outbox) {
        if let Some(guards) = &mut self.guards {
            out.secure(|bytes, start| guards.outgoing.protect(bytes, start));
        }
    }

    /// A packet of a key; the key that is over by it.
    pub(super) fn key(&mut self, accepted: &Accepted<'_>, arrival: Instant) -> Option<Pressed> {
        self.keys.handle(accepted.packet.header.timestamp, accepted.packet.payload, arrival)
    }

    /// A key whose end was lost.
    pub(super) fn key_due(&mut self, now: Instant) -> Option<Pressed> {
        self.keys.handle_timeout(now)
    }

    /// A key that is still pressed at the end.
    pub(super) fn last_key(&mut self) -> Option<Pressed> {
        self.keys.finish()
    }

    /// Presses these keys toward the peer, from now on; they sound if it knows no packets for them.
    pub(super) fn press(&mut self, now: Instant, strokes: &[Stroke], out: &mut Outbox) {
        let Some(remote) = self.remote() else { return };
        let form = if remote.telephone_event.is_some() { Form::Events } else { Form::Tones };
        self.pressing = Some(Box::new(Pressing::new(form, strokes, now)));
        self.press_due(now, out);
    }

    /// What is to be sent of keys of our own by now.
    pub(super) fn press_due(&mut self, now: Instant, out: &mut Outbox) {
        let Some(mut pressing) = self.pressing.take() else { return };
        while let Some(pressed) = pressing.due(now) {
            match pressed {
                pressing::Pressed::Event { begins, payload } => self.send_event(now, begins, payload, out),
                pressing::Pressed::Sound { at, samples } => {
                    self.send_narrow(at, &*samples, out);
                }
            }
        }
        self.pressing = Some(pressing).filter(|pressing| pressing.deadline().is_some());
    }

    fn send_event(&mut self, now: Instant, begins: bool, payload: Payload, out: &mut Outbox) {
        let Some((to, remote)) = self.destination() else { return };
        let Some(payload_type) = remote.telephone_event else { return };
        let header = self.sender.press(now, begins, payload_type);
        let payload = payload.to_bytes();
        self.sender.count(payload.len());
        out.push(self.leg, to, &header, &payload);
        self.secure(out);
    }

    /// A key of ours is down, and takes the place of all sound.
    pub(super) fn is_pressing(&self) -> bool {
        self.pressing.as_ref().is_some_and(|pressing| pressing.is_down())
    }

    /// Sends samples of our own, which sound from `at`; false if the peer is not to be sent to.
    pub(super) fn play(&mut self, at: Instant, samples: &[i16], out: &mut Outbox) -> bool {
        if self.is_pressing() { self.destination().is_some() } else { self.send_narrow(at, samples, out) }
    }

    fn send_narrow(&mut self, at: Instant, samples: &[i16], out: &mut Outbox) -> bool {
        let Some((to, remote)) = self.destination() else { return false };
        let (codec, payload_type) = (remote.codec, remote.payload_type);
        let header = self.sender.generate(at, samples.len() as u32, payload_type);
        let mut payload = [0; super::playout::FRAME];
        let payload = &mut payload[..samples.len()];
        self.sender.count(payload.len());
        self.coder.narrow(codec, samples, payload);
        out.push(self.leg, to, &header, payload);
        self.secure(out);
        true
    }

    /// Sends sound of the codec's own rate, which begins at `at`; at most [`LONGEST_PACKET`] units. False if the peer is not to be sent to.
    pub(super) fn send_sound(&mut self, at: Instant, samples: &[i16], out: &mut Outbox) -> bool {
        let Some((to, remote)) = self.destination() else { return false };
        if self.is_pressing() {
            return true;
        }
        let (codec, payload_type) = (remote.codec, remote.payload_type);
        let length = (samples.len() / if codec.is_wideband() { 2 } else { 1 }).min(LONGEST_PACKET);
        let header = self.sender.generate(at, length as u32, payload_type);
        let mut payload = [0; LONGEST_PACKET];
        self.sender.count(length);
        self.coder.own_rate(codec, samples, &mut payload[..length]);
        out.push(self.leg, to, &header, &payload[..length]);
        self.secure(out);
        true
    }

    /// Whether this leg's peer cannot take such a packet as it came: it hears another band, or wishes another length.
    pub(super) fn needs_crossing(&self, accepted: &Accepted<'_>) -> bool {
        let Kind::Audio(codec) = accepted.kind else { return false };
        self.remote().is_some_and(|remote| {
            let other_length = remote.packet_ms.is_some_and(|ms| usize::from(ms) * 8 != accepted.packet.payload.len());
            other_length || remote.codec.is_wideband() != codec.is_wideband()
        })
    }

    /// Units of a packet toward this peer.
    pub(super) fn packet_units(&self) -> usize {
        self.remote().and_then(|remote| remote.packet_ms).map_or(super::playout::FRAME, |ms| usize::from(ms) * 8)
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
        let Some(guards) = &mut self.guards else {
            return self.control.hear(source, arrival, bytes, &self.sender);
        };
        let mut clear = bytes.to_vec();
        match guards.incoming.open_rtcp(&mut clear) {
            Ok(length) => self.control.hear(source, arrival, &clear[..length], &self.sender),
            Err(_) => {
                self.foreign_rtcp += 1;
                false
            }
        }
    }

    /// Packets that the peer counted since its last report but one and that did not come.
    pub(super) fn missing(&mut self) -> u64 {
        let Some(sent) = self.control.theirs() else { return 0 };
        let received = self.meter.received().packets();
        let Some((before, had)) = self.reported.replace((sent, received)) else { return 0 };
        u64::from(sent.saturating_sub(before)).saturating_sub(received - had)
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
        let Session { leg, control, sender, meter, guards, .. } = self;
        out.push_rtcp(*leg, to, |bytes| control.report(now, sender, meter.receiver(), bye, bytes));
        if let Some(guards) = guards {
            out.secure(|bytes, start| guards.outgoing.protect_rtcp(bytes, start));
        }
    }

    /// When the bridge is to look after this leg, and why.
    pub(super) fn deadline(&self) -> Option<(Instant, &'static str)> {
        let report = self.control.deadline().map(|at| (at, "rtcp"));
        let silence = self.watchdog.deadline().map(|at| (at, "silence"));
        let key = self.keys.deadline().map(|at| (at, "key"));
        let interval = self.interval_ends.map(|at| (at, "quality"));
        let upset = self.upset.map(|(at, _)| (at, "upset"));
        let pressing = self.pressing.as_ref().and_then(|pressing| pressing.deadline()).map(|at| (at, "press"));
        sooner(sooner(sooner(report, silence), sooner(key, interval)), sooner(upset, pressing))
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

    /// Something became of the stream that is not told yet.
    pub(super) fn is_upset(&self) -> bool {
        self.upset.is_some()
    }

    /// What became of the stream of a joined leg, with its instant.
    pub(super) fn take_upset(&mut self) -> Option<(Instant, Upset)> {
        let upset = self.upset.take().filter(|_| self.interval_ends.is_some() && self.upsets_left > 0)?;
        self.upsets_left -= 1;
        Some(upset)
    }

    /// The rest that is not over at the leg's end.
    pub(super) fn last_rest(&mut self, now: Instant) -> Option<Duration> {
        self.rests.cut(now).filter(|_| self.counts_rest())
    }

    /// Of a leg that was joined, as long as there are not too many.
    fn counts_rest(&mut self) -> bool {
        let counts = self.interval_ends.is_some() && self.rests_left > 0;
        self.rests_left -= u32::from(counts);
        counts
    }

    /// The interval that has ended, if one has.
    pub(super) fn interval(&mut self, now: Instant) -> Option<(Instant, Line)> {
        let ended = self.interval_ends.filter(|end| *end <= now)?;
        self.interval_ends = Some(ended + INTERVAL);
        if let Some(drift) = self.meter.take_drift() {
            self.upset.get_or_insert((ended, drift));
        }
        Some((ended, Line::of(&self.meter.interval(), self.rtt_us())))
    }

    /// All of it; `None` if the leg was never joined.
    pub(super) fn heard(&self) -> Option<Heard> {
        self.interval_ends?;
        let agreed = self.remote()?.codec;
        // A peer may send another codec than the one agreed on: the score is of what most of its sound was in.
        let spoken = CODECS.iter().copied().zip(self.spoken).filter(|(_, packets)| *packets > 0);
        let codec =
            spoken.max_by_key(|(codec, packets)| (*packets, *codec == agreed)).map_or(agreed, |(codec, _)| codec);
        let codec = codec.name().to_owned();
        let rtt_us = self.rtt_us();
        let sent = self.control.reported().result(agreed.name(), self.sender.packets().into(), rtt_us).map(Box::new);
        Some(Heard { codec, rtt_us, decoded: self.decoded, sent, measured: self.meter.result() })
    }

    /// Where the peer is; `None`: not known by a packet yet.
    pub(super) fn latched(&self) -> Option<SocketAddr> {
        match &self.peer {
            Peer::Latched(_, source) => Some(*source),
            Peer::Unknown | Peer::Open(_) => None,
        }
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.meter.received().duplicates()
    }

    /// Its sound was decoded, with this outcome.
    pub(super) fn add_decoded(&mut self, decoded: &Decoded) {
        self.decoded.get_or_insert_default().add(decoded);
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

    pub(super) fn is_wideband(&self) -> bool {
        self.remote().is_some_and(|remote| remote.codec.is_wideband())
    }

    fn remote(&self) -> Option<&Remote> {
        match &self.peer {
            Peer::Unknown => None,
            Peer::Open(remote) | Peer::Latched(remote, _) => Some(remote),
        }
    }

    fn kind(&self, packet: &Packet<'_>) -> Option<Kind> {
        let (Peer::Open(remote) | Peer::Latched(remote, _)) = &self.peer else { return None };
        let codec = match packet.header.payload_type {
            number if number == remote.payload_type => remote.codec,
            number if Some(number) == remote.telephone_event => return Some(Kind::Event),
            number if number == remote.comfort_noise.unwrap_or(comfort::PAYLOAD_TYPE) => return Some(Kind::Noise),
            // An answer may name several codecs, and its sender may change between them (RFC 3264 section 7).
            number => *CODECS.iter().find(|codec| codec.payload_type() == number)?,
        };
        (!packet.payload.is_empty()).then_some(Kind::Audio(codec))
    }

    /// Takes `source` for the peer's address, and says whether the peer may speak.
    fn latch(&mut self, source: SocketAddr) -> bool {
        if let Peer::Open(_) = self.peer
            && let Peer::Open(remote) = std::mem::replace(&mut self.peer, Peer::Unknown)
        {
            self.peer = Peer::Latched(remote, source);
        }
        matches!(&self.peer, Peer::Latched(remote, _) if remote.receive)
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
