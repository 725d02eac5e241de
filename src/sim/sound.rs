//! Sound in virtual time: the gateway's real bridges on one side, voices of the phones on the other, and between them a
//! network that may lose, delay and double. It keeps a journal of what came, for [`super::hearing`].

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::network::{Datagram, Network};
use crate::clock::{Instant, Now};
use crate::ids::{CallId, LegId, Random, Side};
use crate::media::{About, Block, Bridge, Command, Component, Event, Recorded, Remote};
use crate::protocol::rtp::{self, Header};
use crate::protocol::sip::endpoint::SessionId;
use crate::schedule::Schedule;

/// Whose voices are how far apart in time, and how they fall silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voices {
    /// Time between two packets of a voice. Its timestamps agree, as those of a phone with silence suppression do.
    pub pace: Duration,
    /// Of a hundred voices so many pause once for 11 to 19 s.
    pub pausing: u32,
    /// Of a hundred voices so many end long before their call.
    pub dying: u32,
}

/// What came on one leg of the gateway.
#[derive(Debug, Clone)]
pub struct Ear {
    pub side: Side,
    address: SocketAddr,
    /// The peer is known.
    open: bool,
    /// When it was first joined to somebody, and when it left before the end of its call.
    pub joined: Option<Instant>,
    pub left: Option<Instant>,
    /// Each packet that came since, in order: when, and its place in the voice's stream.
    pub came: Vec<(Instant, u64)>,
}

/// What came on the legs of a call that were joined.
#[derive(Debug, Clone)]
pub struct Heard {
    pub connected: Instant,
    pub caller: Ear,
    /// Whom the caller was joined with, in order.
    pub agents: Vec<Ear>,
}

#[derive(Debug)]
struct Joined {
    connected: Instant,
    caller: LegId,
    agents: Vec<LegId>,
}

/// The recorder, as the world knows it.
pub trait Tape {
    fn begin(&mut self, call: CallId, path: &str);
    fn block(&mut self, block: Block);
    fn end(&mut self, call: CallId, total_frames: u64) -> crate::gateway::RecordingClosed;
}

/// What a bridge has to say after each thing done to it.
pub(super) enum Said {
    Event(Event),
    Recorded(Recorded),
}

#[derive(Debug)]
struct Voice {
    from: SocketAddr,
    to: SocketAddr,
    payload_type: u8,
    next: Instant,
    place: u64,
    first: Header,
    /// Nothing is said between these.
    silent: Option<(Instant, Instant)>,
}

pub(super) struct Sound {
    voices: Voices,
    record: bool,
    random: Random,
    pub(super) network: Network,
    bridges: BTreeMap<CallId, Bridge>,
    wakes: Schedule<CallId>,
    speaking: BTreeMap<(Side, SessionId), Voice>,
    pace: Schedule<(Side, SessionId)>,
    ears: BTreeMap<LegId, (CallId, Ear)>,
    by_address: BTreeMap<SocketAddr, LegId>,
    joined: BTreeMap<CallId, Joined>,
    said: VecDeque<Said>,
}

impl Sound {
    pub(super) fn new(voices: Voices, record: bool, mut random: Random) -> Sound {
        Sound {
            voices,
            record,
            network: Network::new(Random::from_seed(random.bytes())),
            random,
            bridges: BTreeMap::new(),
            wakes: Schedule::default(),
            speaking: BTreeMap::new(),
            pace: Schedule::default(),
            ears: BTreeMap::new(),
            by_address: BTreeMap::new(),
            joined: BTreeMap::new(),
            said: VecDeque::new(),
        }
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        let (wake, voice) = (self.wakes.next().map(|(at, _)| at), self.pace.next().map(|(at, _)| at));
        [self.network.next_at(), wake, voice].into_iter().flatten().min()
    }

    pub(super) fn poll(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    /// Everything that is due: packets arrive, bridges wake, voices speak.
    pub(super) fn work(&mut self, now: Now) {
        while let Some(datagram) = self.network.pop_due(now.mono) {
            self.arrive(now, &datagram);
        }
        while let Some(call) = self.wakes.pop_due(now.mono) {
            self.with_bridge(now, call, |bridge| bridge.handle_timeout(now));
        }
        while let Some(who) = self.pace.pop_due(now.mono) {
            self.speak(now, who);
        }
    }

    pub(super) fn order(&mut self, now: Now, mut command: Command) {
        let call = match command.about() {
            About::Call(call) => call,
            About::Leg(leg) => {
                let Some((call, _)) = self.ears.get(&leg) else { return };
                *call
            }
        };
        match &mut command {
            Command::Open { leg, side, local, .. } => {
                self.bridges.entry(call).or_insert_with(|| {
                    let random = Random::from_seed(self.random.bytes());
                    Bridge::new(call, random)
                });
                let (joined, left, came) = (None, None, Vec::new());
                let ear = Ear { side: *side, address: *local, open: false, joined, left, came };
                self.ears.insert(*leg, (call, ear));
                self.by_address.insert(*local, *leg);
            }
            Command::Remote { leg, .. } => {
                if let Some((_, ear)) = self.ears.get_mut(leg) {
                    ear.open = true;
                }
            }
            Command::Bridge { caller, agent, connected, record, .. } => {
                // A call among agents is nobody's business.
                if *record {
                    self.join(now.mono, call, connected.mono, (*caller, *agent));
                }
                *record &= self.record;
            }
            Command::CloseLeg { leg } => {
                if let Some((_, ear)) = self.ears.get_mut(leg) {
                    ear.left = Some(now.mono);
                }
            }
            Command::Attend { record, .. } => *record = self.record,
            _ => {}
        }
        self.with_bridge(now, call, |bridge| bridge.handle(now, command));
    }

    /// The caller comes to one after the other if the call is handed on.
    fn join(&mut self, now: Instant, call: CallId, connected: Instant, (caller, agent): (LegId, LegId)) {
        let joined = self.joined.entry(call).or_insert(Joined { connected, caller, agents: Vec::new() });
        let since = if joined.agents.is_empty() { connected } else { now };
        if !joined.agents.contains(&agent) {
            joined.agents.push(agent);
        }
        for leg in [caller, agent] {
            if let Some((_, ear)) = self.ears.get_mut(&leg) {
                ear.joined.get_or_insert(since);
            }
        }
    }

    /// A phone talks from now on.
    pub(super) fn begin(&mut self, now: Instant, who: (Side, SessionId), from: SocketAddr, remote: &Remote) {
        let (sequence, timestamp, ssrc) = (self.random.u32() as u16, self.random.u32(), self.random.u32());
        let first = Header { payload_type: remote.payload_type, marker: false, sequence, timestamp, ssrc };
        let lot = self.random.below(100);
        let begins = now + Duration::from_millis(self.random.below(8_000).into());
        let silent = if lot < self.voices.pausing {
            Some((begins, begins + Duration::from_millis(u64::from(11_000 + self.random.below(8_000)))))
        } else {
            (lot < self.voices.pausing + self.voices.dying).then(|| (begins, begins + Duration::from_secs(86_400)))
        };
        // Not with the very 200 that says where it comes from.
        let next = now + Duration::from_micros(u64::from(3_000 + self.random.below(20_000)));
        let (to, payload_type) = (remote.rtp, remote.payload_type);
        self.speaking.insert(who, Voice { from, to, payload_type, next, place: 0, first, silent });
        self.pace.set(who, Some(next));
    }

    pub(super) fn end(&mut self, who: (Side, SessionId)) {
        self.speaking.remove(&who);
        self.pace.set(who, None);
    }

    /// What came in a call that is over; whatever was kept of it is forgotten.
    pub(super) fn take_heard(&mut self, call: CallId) -> Option<Heard> {
        let legs: Vec<LegId> = self.ears.iter().filter(|(_, (c, _))| *c == call).map(|(leg, _)| *leg).collect();
        let mut ears: BTreeMap<LegId, Ear> =
            legs.into_iter().filter_map(|leg| Some((leg, self.ears.remove(&leg)?.1))).collect();
        let Joined { connected, caller, agents } = self.joined.remove(&call)?;
        let agents = agents.into_iter().filter_map(|agent| ears.remove(&agent)).collect();
        Some(Heard { connected, caller: ears.remove(&caller)?, agents })
    }

    /// No bridge, no voice, no packet under way.
    pub(super) fn is_idle(&self) -> bool {
        self.bridges.is_empty() && self.speaking.is_empty() && self.by_address.is_empty()
    }

    fn speak(&mut self, now: Now, who: (Side, SessionId)) {
        let Some(voice) = self.speaking.get_mut(&who) else { return };
        let since = u32::try_from(voice.place).unwrap_or(u32::MAX);
        if !voice.silent.is_some_and(|(from, until)| (from..until).contains(&now.mono)) {
            let units = rtp::units(self.voices.pace) as u32;
            let header = Header {
                payload_type: voice.payload_type,
                sequence: voice.first.sequence.wrapping_add(voice.place as u16),
                timestamp: voice.first.timestamp.wrapping_add(since.wrapping_mul(units)),
                ..voice.first
            };
            let mut bytes = Vec::with_capacity(172);
            let mut payload = [0xd5; 160];
            payload[..8].copy_from_slice(&voice.place.to_be_bytes());
            if rtp::write(&header, &payload, &mut bytes).is_ok() {
                self.network.send(now.mono, voice.from, voice.to, &bytes.into());
            }
            voice.place += 1;
        }
        voice.next = voice.next + self.voices.pace;
        self.pace.set(who, Some(voice.next));
    }

    fn arrive(&mut self, now: Now, datagram: &Datagram) {
        let Some(leg) = self.by_address.get(&datagram.to).copied() else { return };
        let Some((call, ear)) = self.ears.get_mut(&leg) else { return };
        let place = datagram.bytes.get(12..20).and_then(|b| Some(u64::from_be_bytes(b.try_into().ok()?)));
        if let (true, Some(place)) = (ear.open, place) {
            ear.came.push((now.mono, place));
        }
        let call = *call;
        self.with_bridge(now, call, |bridge| bridge.handle_rtp(now, leg, datagram.from, now, &datagram.bytes));
    }

    fn with_bridge(&mut self, now: Now, call: CallId, act: impl FnOnce(&mut Bridge)) {
        let Some(bridge) = self.bridges.get_mut(&call) else { return };
        act(bridge);
        while let Some(transmit) = bridge.poll_transmit() {
            if let (Some((_, ear)), Component::Rtp) = (self.ears.get(&transmit.leg), transmit.component) {
                self.network.send(now.mono, ear.address, transmit.to, &transmit.bytes.into());
            }
        }
        self.said.extend(std::iter::from_fn(|| bridge.poll_recorded()).map(Said::Recorded));
        while let Some(event) = bridge.poll_event() {
            if let Event::Closed { leg, .. } = &event
                && let Some((_, ear)) = self.ears.get(leg)
            {
                self.by_address.remove(&ear.address);
            }
            self.said.push_back(Said::Event(event));
        }
        self.wakes.set(call, bridge.poll_timeout().map(|(at, _)| at).filter(|_| !bridge.is_over()));
        if bridge.is_over() {
            self.bridges.remove(&call);
        }
    }
}
