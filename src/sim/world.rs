//! A switch, a trunk full of callers and a room of agents' phones, on a virtual network and clock.
//!
//! Media is carried in name only (ports open and close, prompts last as long as they are, recordings close), unless
//! [`World::with_sound`] makes packets flow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::manner::Manner;
use super::network::{Datagram, Network};
use super::phone::{Conduct, Happened, Patience, Phone, Then, Trick};
use super::sound::{Heard, Said, Sound, Tape, Voices};
use crate::call::fact::{Fact, RecordingStatus, What};
use crate::call::presence::AgentFact;
use crate::call::roster;
use crate::clock::{Instant, Now, RunId, Wall};
use crate::dialplan::plan::Plans;
use crate::gateway::{self, Gateway, Input, Output, RecordingClosed};
use crate::ids::{AgentNo, CallId, LegId, Random, Side, SubjectId};
use crate::media::{self, Command, Hears, Play, Recorded};
use crate::peer::trunk::Peer;
use crate::protocol::rtp::Received;
use crate::protocol::sip::endpoint::{Flow, SessionId, Settings, Transmit, Transport};
use crate::protocol::sip::uri::Uri;

/// How long the recorder takes to close a file.
const RECORDER: Duration = Duration::from_millis(1);

pub struct World {
    pub gateway: Gateway,
    pub trunk: Phone,
    /// All agents' phones behind one address.
    pub agents: Phone,
    pub facts: Vec<Fact>,
    apart: BTreeSet<CallId>,
    /// Facts of agents.
    pub agent_facts: Vec<AgentFact>,
    pub numbers: BTreeMap<SubjectId, String>,
    /// Everything that went over the wire, while it is logged: when it was sent, from where, its first line.
    pub wire_log: Vec<(Now, SocketAddr, String)>,
    pub log_wire: bool,
    pub caller_saw: Vec<(SessionId, Now, Happened)>,
    pub agent_saw: Vec<(SessionId, Now, Happened)>,
    pub network: Network,
    pub troubles: Troubles,
    trouble: Random,
    now: Now,
    media: Media,
    sound: Option<Sound>,
    tape: Option<Box<dyn Tape>>,
}

/// What the gateway's own machine does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Troubles {
    /// Of 1,000 RTP ports so many cannot be opened.
    pub unbound_permille: u32,
    /// Of 1,000 messages so many cannot be written.
    pub unwritten_permille: u32,
    /// The so-manyth port that is to be opened cannot be; 0: none.
    pub unbound_nth: u32,
    /// The so-manyth message cannot be written; 0: none.
    pub unwritten_nth: u32,
}

/// What the media threads would have reported, and when.
#[derive(Default)]
struct Media {
    due: VecDeque<(Instant, Input)>,
    legs: BTreeMap<LegId, CallId>,
    sides: BTreeMap<LegId, Side>,
    connected: BTreeMap<CallId, Now>,
    /// Callers who do not simply speak, and whose calls they are.
    manners: BTreeMap<SubjectId, Manner>,
    callers: BTreeMap<CallId, SubjectId>,
    /// What is heard of them is told every second.
    heard: BTreeMap<CallId, Manner>,
    /// Legs whose first packet was told, if such are told.
    arrived: Option<BTreeSet<LegId>>,
}

/// So often what is heard is told.
const SECOND: Duration = Duration::from_secs(1);

pub const GATEWAY: &str = "10.0.0.1:5060";
pub const TRUNK: &str = "10.0.0.2:5060";
pub const AGENTS: &str = "10.0.0.3:5060";

impl World {
    /// Agents of the plans all have phones at [`AGENTS`], told apart by the user part.
    pub fn new(plans: Plans, seed: u64) -> World {
        let mut random = Random::from_number(seed);
        let address = |text: &str| text.parse::<SocketAddr>().unwrap_or_else(|_| unreachable!("a literal address"));
        let phones = phones(&plans, address(AGENTS));
        let settings = gateway::Settings {
            sip: Settings {
                listen: vec![(Transport::Udp, address(GATEWAY))],
                advertise: None,
                product: "hotline".into(),
                session_expires_s: Some(1_800),
            },
            rtp_ports: 20_000..=29_999,
            media: gateway::MediaSettings::default(),
            trunks: vec![gateway::Trunk::of_peers("carrier", vec![Peer::Address(address(TRUNK).ip())])],
            named_phones: Vec::new(),
            targets: Vec::new(),
            phones,
            run: RunId(1),
        };
        let idle = Conduct { rings: true, then: Then::Ignore };
        let mut split = || Random::from_seed(random.bytes());
        World {
            gateway: Gateway::new(settings, Arc::new(plans), split()),
            trunk: Phone::new(address(TRUNK), idle, split()),
            agents: Phone::new(address(AGENTS), idle, split()),
            facts: Vec::new(),
            apart: BTreeSet::new(),
            agent_facts: Vec::new(),
            numbers: BTreeMap::new(),
            wire_log: Vec::new(),
            log_wire: true,
            caller_saw: Vec::new(),
            agent_saw: Vec::new(),
            network: Network::new(split()),
            troubles: Troubles::default(),
            trouble: split(),
            now: Now { mono: Instant::START, wall: Wall::from_micros(1_795_303_044_000_000) },
            media: Media::default(),
            sound: None,
            tape: None,
        }
    }

    /// From now on packets flow, over a network of the same weather. With a `tape` they are recorded.
    pub fn with_sound(&mut self, voices: Voices, tape: Option<Box<dyn Tape>>) {
        let mut sound = Sound::new(voices, tape.is_some(), Random::from_seed(self.trouble.bytes()));
        sound.network.weather = self.network.weather;
        (self.sound, self.tape) = (Some(sound), tape);
    }

    /// From now on legs that are joined are said to send packets and callers are heard, though no packets flow: rules ask for that.
    pub fn with_arrivals(&mut self) {
        self.media.arrived = Some(BTreeSet::new());
    }

    /// What came in a call that is sealed, if packets flow and it was connected.
    pub fn take_heard(&mut self, call: CallId) -> Option<Heard> {
        self.sound.as_mut()?.take_heard(call)
    }

    /// Nobody speaks and nothing is open any more.
    pub fn is_silent(&self) -> bool {
        self.sound.as_ref().is_none_or(Sound::is_idle)
    }

    pub fn now(&self) -> Now {
        self.now
    }

    /// The legs whose media is open, for tests that speak for a media thread.
    pub fn legs(&self) -> &BTreeMap<LegId, Side> {
        &self.media.sides
    }

    pub fn call(&mut self, number: &str, patience: Patience) -> Option<SessionId> {
        self.call_as("13912345678", number, patience, Trick::None)
    }

    pub fn call_as(&mut self, caller: &str, number: &str, patience: Patience, trick: Trick) -> Option<SessionId> {
        let server = self.gateway_address();
        let session = self.trunk.call_with(self.now.mono, server, number, caller, patience, trick);
        self.settle();
        session
    }

    /// The phone of this agent calls by itself.
    pub fn dial_as_agent(&mut self, agent: &str, number: &str, patience: Patience) -> Option<SessionId> {
        let server = self.gateway_address();
        let session = self.agents.call(self.now.mono, server, number, agent, patience);
        self.settle();
        session
    }

    /// The caller of this session hangs up.
    pub fn hang_up(&mut self, session: SessionId) {
        self.trunk.hang_up(self.now, session);
        self.settle();
    }

    /// All agents who talk hold their callers, or come back.
    pub fn hold(&mut self, held: bool) {
        self.agents.hold(self.now, held);
        self.settle();
    }

    /// A datagram out of nowhere reaches the gateway's SIP port.
    pub fn hear_from(&mut self, from: SocketAddr, bytes: &[u8]) {
        let flow = Flow { transport: Transport::Udp, local: self.gateway_address(), remote: from, connection: None };
        self.tell(Input::Datagram { flow, at: self.now, bytes: bytes.to_vec() });
    }

    pub fn tell(&mut self, input: Input) {
        self.gateway.handle(self.now, input);
        self.settle();
    }

    /// Another configuration: agents of these plans, all with phones at [`AGENTS`].
    pub fn reload(&mut self, plans: Plans) {
        let phones = phones(&plans, self.agents.address());
        let trunks = vec![gateway::Trunk::of_peers("carrier", vec![Peer::Address(self.trunk.address().ip())])];
        self.tell(Input::Reload(Box::new(gateway::Reload {
            trunks,
            phones,
            named_phones: Vec::new(),
            targets: Vec::new(),
            accounts: crate::peer::registrar::Settings::default(),
            supervisors: BTreeMap::new(),
            agents_calls: crate::gateway::AgentsCalls::default(),
            plans: Arc::new(plans),
        })));
    }

    /// Runs until this much time has passed or nothing is left to happen.
    pub fn run_for(&mut self, d: Duration) {
        let end = self.now.after(d);
        while self.next_at().is_some_and(|at| at <= end.mono) && self.step() {}
        self.now = end;
    }

    /// Lets time pass up to `at`, before which nothing may be left to happen.
    pub(super) fn pass_to(&mut self, at: Instant) {
        self.now = self.now.after(at.since(self.now.mono));
    }

    /// Runs until nothing is left to happen. False if that never comes (a leak of timers).
    pub fn run_to_rest(&mut self) -> bool {
        (0..1_000_000).any(|_| self.is_at_rest() || !self.step())
    }

    /// Only shifts are still looked at, and they are for ever.
    fn is_at_rest(&self) -> bool {
        let all = [self.network.next_at(), self.trunk.poll_timeout(), self.agents.poll_timeout()];
        let sound = self.sound.as_ref().and_then(Sound::next_at);
        let quiet = all.into_iter().chain([sound]).all(|at| at.is_none()) && self.media.due.is_empty();
        quiet && self.gateway.poll_timeout().is_some_and(|(_, why)| why == roster::WAKE) && self.gateway.is_idle()
    }

    /// Everything of the next instant at which anything happens. False if nothing is left.
    pub fn step(&mut self) -> bool {
        let next = self.next_at();
        next.into_iter().for_each(|at| self.happen(at));
        next.is_some()
    }

    /// Everything of this instant, which [`World::next_at`] has named.
    pub(super) fn happen(&mut self, at: Instant) {
        if let Some((due, why)) = self.gateway.poll_timeout() {
            assert!(due >= self.now.mono, "a timer was set {:?} in the past: {why}", self.now.mono.since(due));
        }
        self.now = self.now.after(at.since(self.now.mono));
        if let Some(sound) = &mut self.sound {
            sound.work(self.now);
        }
        self.listen();
        self.deliver();
        while self.media.due.front().is_some_and(|(due, _)| *due <= at) {
            if let Some((_, input)) = self.media.due.pop_front() {
                self.media.told(self.now, &input);
                self.gateway.handle(self.now, input);
            }
        }
        if self.gateway.poll_timeout().is_some_and(|(due, _)| due <= at) {
            self.gateway.handle(self.now, Input::Timeout);
        }
        self.trunk.handle_timeout(self.now);
        self.agents.handle_timeout(self.now);
        self.settle();
    }

    pub fn next_at(&self) -> Option<Instant> {
        let wire = self.network.next_at();
        let media = self.media.due.front().map(|(at, _)| *at);
        let gateway = self.gateway.poll_timeout().map(|(at, _)| at);
        let sound = self.sound.as_ref().and_then(Sound::next_at);
        [wire, media, gateway, sound, self.trunk.poll_timeout(), self.agents.poll_timeout()].into_iter().flatten().min()
    }

    fn gateway_address(&self) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], 5060))
    }

    fn deliver(&mut self) {
        while let Some(Datagram { from, to, bytes, .. }) = self.network.pop_due(self.now.mono) {
            if to == self.gateway_address() {
                let flow = Flow { transport: Transport::Udp, local: to, remote: from, connection: None };
                let input = Input::Datagram { flow, at: self.now, bytes: bytes.to_vec() };
                self.gateway.handle(self.now, input);
            } else if to == self.trunk.address() {
                self.trunk.handle_datagram(self.now, from, &bytes);
            } else if to == self.agents.address() {
                self.agents.handle_datagram(self.now, from, &bytes);
            }
        }
    }

    /// Everything that happens without time passing.
    fn settle(&mut self) {
        while let Some(output) = self.gateway.poll_output() {
            self.carry_out(output);
        }
        while let Some(transmit) = self.trunk.poll_transmit() {
            self.post(self.trunk.address(), &transmit);
        }
        while let Some(transmit) = self.agents.poll_transmit() {
            self.post(self.agents.address(), &transmit);
        }
        while let Some((session, at, happened)) = self.trunk.poll_happened() {
            self.speak(Side::Caller, session, &happened);
            self.caller_saw.push((session, at, happened));
        }
        while let Some((session, at, happened)) = self.agents.poll_happened() {
            self.speak(Side::Agent, session, &happened);
            self.agent_saw.push((session, at, happened));
        }
    }

    fn speak(&mut self, side: Side, session: SessionId, happened: &Happened) {
        let Some(sound) = &mut self.sound else { return };
        match happened {
            Happened::Connected { local, remote } => sound.begin(self.now.mono, (side, session), *local, remote),
            Happened::Gone | Happened::Over => sound.end((side, session)),
            Happened::CalledFor { .. } | Happened::Calls { .. } | Happened::Refused { .. } => {}
        }
    }

    /// What the bridges have to say reaches the gateway and the recorder.
    fn listen(&mut self) {
        while let Some(said) = self.sound.as_mut().and_then(Sound::poll) {
            match (said, &mut self.tape) {
                (Said::Event(event), _) => self.media.at(self.now.mono, Input::Media(event)),
                (Said::Recorded(Recorded::Block(block)), Some(tape)) => tape.block(block),
                (Said::Recorded(Recorded::End { call, total_frames }), Some(tape)) => {
                    let closed = tape.end(call, total_frames);
                    self.media.at(self.now.mono + RECORDER, Input::Recording(closed));
                }
                (Said::Recorded(Recorded::Forget { .. }), _) | (Said::Recorded(_), None) => {}
            }
        }
    }

    fn post(&mut self, from: SocketAddr, transmit: &Transmit) {
        if self.log_wire {
            let line = transmit.bytes.split(|b| *b == b'\r').next().unwrap_or_default();
            self.wire_log.push((self.now, from, String::from_utf8_lossy(line).into_owned()));
        }
        self.network.send(self.now.mono, from, transmit.flow.remote, &transmit.bytes);
    }

    fn hits(&mut self, permille: u32) -> bool {
        permille > 0 && self.trouble.below(1_000) < permille
    }

    /// Counts down to the one that fails.
    fn is_nth(nth: &mut u32) -> bool {
        *nth = nth.saturating_sub(1);
        *nth == 0
    }

    fn write_fails(&mut self) -> bool {
        let nth = &mut self.troubles.unwritten_nth;
        (*nth > 0 && Self::is_nth(nth)) || self.hits(self.troubles.unwritten_permille)
    }

    fn bind_fails(&mut self, command: &Command) -> bool {
        if !matches!(command, Command::Open { .. }) {
            return false;
        }
        let nth = &mut self.troubles.unbound_nth;
        (*nth > 0 && Self::is_nth(nth)) || self.hits(self.troubles.unbound_permille)
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Transmit(transmit) if self.write_fails() => {
                if let Some(session) = transmit.mark {
                    self.gateway.handle(self.now, Input::NotSent { session });
                }
            }
            Output::Transmit(transmit) => {
                self.post(self.gateway_address(), &transmit);
                if let Some(session) = transmit.mark {
                    self.gateway.handle(self.now, Input::Sent { session, label: transmit.label, at: self.now });
                }
            }
            Output::Media(command) => self.carry_sound(command),
            Output::Fact(fact) => {
                self.media.read(&fact);
                // Agents' consultations are no calls of the scenario.
                if matches!(&fact.what, What::Offered(offered) if offered.is_apart()) {
                    self.apart.insert(fact.call);
                }
                if !self.apart.contains(&fact.call) {
                    self.facts.push(fact);
                }
            }
            Output::AgentFact(fact) => self.agent_facts.push(fact),
            Output::Subject { id, number } => {
                let manner = Manner::of(&number);
                if manner != Manner::Speaks {
                    self.media.manners.insert(id, manner);
                }
                self.numbers.insert(id, number);
            }
            Output::Record { call, path } => {
                if let Some(tape) = &mut self.tape {
                    tape.begin(call, &path);
                }
            }
            // No trunk of the simulator has a name or a registrar.
            Output::Resolve(_)
            | Output::Trunk(_)
            | Output::Ordered { .. }
            | Output::Agents { .. }
            | Output::Paused { .. }
            | Output::CallingBack { .. }
            | Output::CalledBack { .. }
            | Output::RoundTrip { .. }
            | Output::Count(_)
            | Output::Rejected(_) => {}
        }
    }

    fn carry_sound(&mut self, command: Command) {
        let fails = self.bind_fails(&command);
        match (command, &mut self.sound) {
            (Command::Open { call, leg, .. }, _) if fails => {
                let error = "the port is taken".to_owned();
                self.media.at(self.now.mono, Input::Media(media::Event::BindFailed { call, leg, error }));
            }
            (command, Some(sound)) => {
                self.media.note(self.now, &command, self.tape.is_some());
                sound.order(self.now, command);
                self.listen();
            }
            (command, None) => self.media.order(self.now, command),
        }
    }
}

impl Media {
    /// Sound is carried by others; only what no bridge reports is reported here.
    fn note(&mut self, now: Now, command: &Command, recorded: bool) {
        match command {
            Command::Open { leg, side, .. } => drop(self.sides.insert(*leg, *side)),
            Command::CloseLeg { leg } => drop(self.sides.remove(leg)),
            Command::Bridge { call, connected, .. } | Command::Attend { call, connected, .. } if !recorded => {
                self.connected.entry(*call).or_insert(*connected);
            }
            Command::CloseCall { call, ended } => self.close_recording(now, *call, *ended),
            _ => {}
        }
    }

    fn close_recording(&mut self, now: Now, call: CallId, ended: Now) {
        if let Some(connected) = self.connected.remove(&call) {
            let millis = ended.mono.since(connected.mono).as_millis();
            let duration_ms = u64::try_from(millis).unwrap_or(u64::MAX);
            let (status, reason, sha256) = (RecordingStatus::Ok, None, Some("0".repeat(64)));
            let closed = RecordingClosed { call, status, reason, duration_ms, sha256, parts: Vec::new() };
            self.at(now.mono + RECORDER, Input::Recording(closed));
        }
    }

    fn order(&mut self, now: Now, command: Command) {
        match command {
            Command::Open { call, leg, side, .. } => {
                self.legs.insert(leg, call);
                self.sides.insert(leg, side);
                self.at(now.mono, Input::Media(media::Event::Bound { call, leg }));
            }
            Command::Mute { .. }
            | Command::Cue { .. }
            | Command::Warn { .. }
            | Command::Admit { .. }
            | Command::Tell { .. }
            | Command::Pause { .. }
            | Command::GuardKeys { .. }
            | Command::Keyed { .. }
            | Command::Unrecord { .. } => {}
            Command::Listen { call } => self.listen(now, call),
            Command::Hush { call } => self.stop_play(now, call),
            Command::Park { call, hears } => {
                self.stop_play(now, call);
                if let (Hears::Ringing { .. }, Some((leg, _))) = (hears, self.legs.iter().find(|(_, c)| **c == call)) {
                    let leg = *leg;
                    self.at(now.mono, Input::Media(media::Event::RingbackStarted { call, leg, at: now }));
                }
            }
            Command::Remote { .. } | Command::Press { .. } => {}
            Command::Ringback { leg, .. } => {
                if let Some(call) = self.legs.get(&leg).copied() {
                    self.at(now.mono, Input::Media(media::Event::RingbackStarted { call, leg, at: now }));
                }
            }
            Command::Bridge { call, caller, agent, connected, record } => {
                self.stop_play(now, call);
                [caller, agent].into_iter().for_each(|leg| self.arrive(now, call, leg));
                if record {
                    self.connected.entry(call).or_insert(connected);
                }
            }
            Command::Attend { call, connected, record, .. } => {
                self.stop_play(now, call);
                if record {
                    self.connected.entry(call).or_insert(connected);
                }
            }
            Command::Play { call, play, audio } => self.play(now, call, play, audio.len()),
            Command::CloseLeg { leg } => self.close(now, leg),
            Command::CloseCall { call, ended } => {
                self.heard.remove(&call);
                let legs: Vec<LegId> = self.legs.iter().filter(|(_, c)| **c == call).map(|(l, _)| *l).collect();
                for leg in legs {
                    self.close(now, leg);
                }
                self.close_recording(now, call, ended);
            }
        }
    }

    fn arrive(&mut self, now: Now, call: CallId, leg: LegId) {
        if self.arrived.as_mut().is_some_and(|arrived| arrived.insert(leg)) {
            self.at(now.mono, Input::Media(media::Event::FirstPacket { call, leg, at: now }));
        }
    }

    /// Who simply speaks does so once: no script has anything to do with that caller any more.
    fn listen(&mut self, now: Now, call: CallId) {
        if self.arrived.is_none() {
            return;
        }
        let manner = self.callers.get(&call).and_then(|caller| self.manners.get(caller)).copied();
        let manner = manner.unwrap_or(Manner::Speaks);
        if manner != Manner::Speaks {
            self.heard.insert(call, manner);
        }
        self.hear(now, call, manner);
    }

    fn hear(&mut self, now: Now, call: CallId, manner: Manner) {
        let at = now.after(SECOND);
        let (caller, agent) = (manner.second(), Manner::Speaks.second());
        self.at(at.mono, Input::Media(media::Event::Heard { call, caller, agent, at }));
    }

    /// This is told now.
    fn told(&mut self, now: Now, input: &Input) {
        if let Input::Media(media::Event::Heard { call, .. }) = input
            && let Some(manner) = self.heard.get(call).copied()
        {
            self.hear(now, *call, manner);
        }
    }

    fn read(&mut self, fact: &Fact) {
        match &fact.what {
            What::Offered(offered) => drop(self.callers.insert(fact.call, offered.caller)),
            What::Ended { .. } => {
                let caller = self.callers.remove(&fact.call);
                caller.map(|caller| self.manners.remove(&caller));
            }
            _ => {}
        }
    }

    /// A prompt that is being played ends before its time.
    fn stop_play(&mut self, now: Now, stopped: CallId) {
        for (due, input) in &mut self.due {
            if let Input::Media(media::Event::PlayEnded { call, at, to_end, .. }) = input
                && *call == stopped
                && *due > now.mono
            {
                (*due, *at, *to_end) = (now.mono, now, false);
            }
        }
        self.due.make_contiguous().sort_by_key(|(due, _)| *due);
    }

    fn play(&mut self, now: Now, call: CallId, play: Play, samples: usize) {
        self.stop_play(now, call);
        let end = now.after(Duration::from_micros(samples as u64 * 125));
        self.at(now.mono, Input::Media(media::Event::PlayStarted { call, play, at: now }));
        self.at(end.mono, Input::Media(media::Event::PlayEnded { call, play, at: end, to_end: true }));
    }

    fn close(&mut self, now: Now, leg: LegId) {
        self.sides.remove(&leg);
        self.arrived.as_mut().map(|arrived| arrived.remove(&leg));
        if let Some(call) = self.legs.remove(&leg) {
            self.at(now.mono, Input::Media(media::Event::Closed { call, leg, received: Received::default() }));
        }
    }

    fn at(&mut self, at: Instant, input: Input) {
        let place = self.due.partition_point(|(due, _)| *due <= at);
        self.due.insert(place, (at, input));
    }
}

fn phones(plans: &Plans, address: SocketAddr) -> Vec<gateway::Phone> {
    let mut agents: Vec<AgentNo> = plans.hotlines.iter().flat_map(|h| h.everybody()).collect();
    agents.sort();
    agents.dedup();
    let phone = |agent: AgentNo| {
        let uri = Uri::parse(&format!("sip:{agent}@{address}"))?;
        Some(gateway::Phone { agent, uri, transport: Transport::Udp, address })
    };
    agents.into_iter().filter_map(phone).collect()
}
