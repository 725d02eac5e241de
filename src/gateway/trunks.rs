//! The trunks as peers: where they are, whether they live, whether we are registered, and how much they may bring.
//!
//! One list of targets a trunk: REGISTER, OPTIONS and INVITE use the same. Every address on it may send calls, which are the
//! trunk's; so are those that come back over a registration.

mod farewell;
mod hops;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::outbound::Legs;
use super::{Gateway, Output, Settings};
use crate::call::Refusal;
use crate::call::reason::Reason;
use crate::clock::{Instant, Now, Wall};
use crate::ids::{AgentNo, CallId, Random, TargetName, TrunkName};
use crate::peer::account::{Account, Credentials};
use crate::peer::health::{Health, Order};
use crate::peer::identity::Identity;
use crate::peer::known::Known;
use crate::peer::limit::{Limit, Limits};
use crate::peer::registration::{self, Registration, host_of};
use crate::peer::route::{Destination, Names, Records, Target};
use crate::peer::trunk::Peer;
use crate::protocol::rtp::event::Stroke;
use crate::protocol::sip::endpoint::{Answered, Ask, AskId, Flow, Transport};
use crate::protocol::sip::uri::Uri;
use crate::protocol::sip::vocabulary::Method;

/// One trunk as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    pub name: TrunkName,
    /// Who may send calls on it, by address.
    pub peers: Vec<Peer>,
    /// The same by name.
    pub names: Vec<Destination>,
    /// Where our calls go; its domain stands in their Request-URI.
    pub server: Option<Uri>,
    pub registration: Option<registration::Settings>,
    /// What we prove ourselves with when a call of ours is challenged.
    pub account: Option<Account>,
    /// How often its targets get OPTIONS; `None`: never.
    pub options: Option<Duration>,
    pub limits: Limits,
    pub identity: Identity,
    /// It stands behind a NAT: its media may come from where its SIP comes from, whatever its SDP says.
    pub nat: bool,
}

impl Trunk {
    /// A trunk of which nothing is known but who may send calls.
    pub fn of_peers(name: impl Into<TrunkName>, peers: Vec<Peer>) -> Trunk {
        Trunk {
            name: name.into(),
            peers,
            names: Vec::new(),
            server: None,
            registration: None,
            account: None,
            options: None,
            limits: Limits::default(),
            identity: Identity::default(),
            nat: false,
        }
    }

    /// Where calls of ours go when the operator has not said it: to the first peer that is one machine.
    pub fn way_of_calls(&self) -> Option<Uri> {
        let by_address = self.peers.iter().find_map(|peer| match peer {
            Peer::Address(ip) if ip.is_ipv6() => Some(format!("[{ip}]")),
            Peer::Address(ip) => Some(ip.to_string()),
            Peer::Socket(socket) => Some(socket.to_string()),
            Peer::Network { .. } => None,
        });
        let by_name =
            || self.names.first().map(|d| d.port.map_or_else(|| d.host.clone(), |port| format!("{}:{port}", d.host)));
        self.server.clone().or_else(|| Uri::parse(&format!("sip:{}", by_address.or_else(by_name)?)))
    }

    fn destination(&self) -> Option<Destination> {
        Destination::of(self.server.as_ref()?)
    }

    fn registrar(&self) -> Option<Destination> {
        Destination::of(&self.registration.as_ref()?.server)
    }
}

/// Somebody else whom a dialplan may call.
#[derive(Debug, Clone)]
pub struct CallTarget {
    pub name: TargetName,
    pub trunk: TrunkName,
    pub number: String,
    /// What is keyed once it has answered.
    pub keys: Arc<[Stroke]>,
}

/// The phone of an agent whose contact names its host.
#[derive(Debug, Clone)]
pub struct NamedPhone {
    pub agent: AgentNo,
    pub uri: Uri,
    pub destination: Destination,
}

/// What may be shown of a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkShown {
    pub trunk: TrunkName,
    /// A target answers OPTIONS; `None`: it is not asked.
    pub up: Option<bool>,
    /// When the registration ends (the inner `None`: there is none now); `None`: we do not register.
    pub registered_until: Option<Option<Wall>>,
}

/// Looking for the first answers goes on from there; the rest is said by the machines.
#[derive(Debug)]
pub(super) struct Trunks {
    pub(super) names: Names,
    pub(super) lines: Vec<Line>,
    asked: BTreeMap<AskId, (usize, What)>,
    /// The trunks of which a live call has a place.
    places: BTreeMap<CallId, Vec<usize>>,
    pub(super) legs: Legs,
    /// There is something to begin with.
    fresh: bool,
    /// Counts changes of whom we know by looking up.
    version: u64,
    random: Random,
}

/// Every name of a configuration.
pub(super) fn wanted(settings: &Settings) -> BTreeSet<Destination> {
    let phones = settings.named_phones.iter().map(|phone| phone.destination.clone());
    let trunks =
        settings.trunks.iter().flat_map(|t| t.names.iter().cloned().chain(t.destination()).chain(t.registrar()));
    phones.chain(trunks).collect()
}

/// The state of one trunk.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) limit: Limit,
    health: BTreeMap<Target, Health>,
    /// For calls of ours.
    pub(super) credentials: Option<Credentials>,
    registration: Option<Registration>,
    /// What its names led to.
    peers: Vec<Peer>,
    /// From call to call the same, so that OPTIONS of one target are one dialogue.
    call_id: String,
    tag: String,
    seq: u32,
    shown: Option<TrunkShown>,
}

impl Line {
    pub(super) fn new(trunk: &Trunk, now: Instant, random: &mut Random) -> Line {
        Line {
            limit: Limit::new(trunk.limits, now),
            health: BTreeMap::new(),
            credentials: trunk.account.clone().map(Credentials::new),
            registration: trunk.registration.clone().map(|r| Registration::new(r, now, random)),
            peers: Vec::new(),
            call_id: random.token(),
            tag: random.token(),
            seq: 0,
            shown: None,
        }
    }

    /// The same trunk with other settings: what has not changed goes on.
    fn changed(self, old: &Trunk, new: &Trunk, now: Instant, random: &mut Random) -> Line {
        let mut line = Line::new(new, now, random);
        line.limit = self.limit.with(new.limits, now);
        if old.registration == new.registration {
            line.registration = self.registration;
        }
        if old.options == new.options {
            line.health = self.health;
        }
        if old.account == new.account {
            line.credentials = self.credentials;
        }
        line
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Register,
    Options(Target),
}

impl Trunks {
    pub(super) fn new(settings: &Settings, mut random: Random) -> Trunks {
        let mut names = Names::default();
        let lines = settings.trunks.iter().map(|trunk| Line::new(trunk, Instant::START, &mut random)).collect();
        names.want_only(Instant::START, &wanted(settings));
        let reached = |t: &Trunk| t.server.is_some() || t.registration.is_some() || !t.names.is_empty();
        let fresh = settings.trunks.iter().any(reached) || !settings.named_phones.is_empty();
        let (asked, places, legs) = (BTreeMap::new(), BTreeMap::new(), Legs::default());
        Trunks { names, lines, asked, places, legs, fresh, version: 0, random }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let lines = self.lines.iter().flat_map(|line| {
            let health = line.health.values().map(|h| (h.poll_timeout(), "OPTIONS"));
            health.chain(line.registration.as_ref().and_then(|r| Some((r.poll_timeout()?, "registration"))))
        });
        let names = self.names.poll_timeout().map(|at| (at, "time to live"));
        let begin = self.fresh.then_some((Instant::START, "trunks"));
        lines.chain(names).chain(begin).chain(self.legs.poll_timeout()).min()
    }

    /// Another configuration: what has not changed goes on. Says which requests nobody waits for any more.
    pub(super) fn replace(&mut self, now: Instant, old: &[Trunk], settings: &Settings) -> Vec<AskId> {
        let mut before: Vec<Option<Line>> = std::mem::take(&mut self.lines).into_iter().map(Some).collect();
        let place = |trunk: &Trunk| old.iter().position(|o| o.name == trunk.name);
        for trunk in &settings.trunks {
            let kept = place(trunk).and_then(|i| Some((&old[i], before.get_mut(i)?.take()?)));
            self.lines.push(match kept {
                Some((same, line)) if same == trunk => line,
                Some((other, line)) => line.changed(other, trunk, now, &mut self.random),
                None => Line::new(trunk, now, &mut self.random),
            });
        }
        let moved = |i: usize| settings.trunks.iter().position(|trunk| place(trunk) == Some(i));
        for places in self.places.values_mut() {
            *places = places.iter().filter_map(|i| moved(*i)).collect();
        }
        self.legs.move_lines(moved);
        self.want(now, settings);
        // Whoever is still asked is asked again in time; an answer to a machine that is gone would be another's.
        std::mem::take(&mut self.asked).into_keys().collect()
    }

    /// The call has ended: its places are free.
    pub(super) fn leave(&mut self, call: CallId) {
        for line in self.places.remove(&call).unwrap_or_default() {
            self.lines[line].limit.release();
        }
    }

    /// What one call has taken is another's.
    pub(super) fn move_places(&mut self, from: CallId, to: CallId) {
        let moved = self.places.remove(&from).unwrap_or_default();
        self.places.entry(to).or_default().extend(moved);
    }

    /// Takes a place for a call of ours.
    pub(super) fn take_place(&mut self, line: usize, call: CallId) -> bool {
        let taken = self.lines[line].limit.take_place().is_ok();
        if taken {
            self.places.entry(call).or_default().push(line);
        }
        taken
    }

    /// Whether a datagram or connection from there is this trunk's by what its names led to.
    fn admits(&self, line: usize, flow: &Flow) -> bool {
        self.lines[line].peers.iter().any(|peer| match flow.transport {
            Transport::Udp => peer.admits(flow.remote),
            _ => peer.admits_connection(flow.remote),
        })
    }

    /// Everywhere that calls of ours can go, the living first.
    pub(super) fn targets(&mut self, line: usize, destination: &Destination) -> Vec<Target> {
        let mut targets = self.names.targets(destination, &mut self.random);
        let health = &self.lines[line].health;
        targets.sort_by_key(|target| health.get(target).is_some_and(Health::is_down));
        targets
    }

    pub(super) fn route(&self, line: usize) -> Vec<String> {
        let binding = self.lines[line].registration.as_ref().and_then(Registration::binding);
        binding.map(|binding| binding.service_route.clone()).unwrap_or_default()
    }
}

impl Gateway {
    /// Changes whenever [`Gateway::known`] does.
    pub fn known_version(&self) -> u64 {
        self.trunks.version
    }

    /// Every trunk and phone, by configured address or where its name leads now.
    pub fn known(&self) -> &Known {
        &self.known
    }

    fn looked_up(&self) -> Known {
        let phones = self.settings.named_phones.iter().filter_map(|p| self.phones.get(&p.agent)).map(|p| p.address);
        Known::new(self.trunks.lines.iter().flat_map(|line| line.peers.iter().copied()), phones)
    }

    /// The first trunk that this peer may send on: an index into the settings. A TCP connection comes from any port.
    pub(super) fn trunk_of(&self, flow: &Flow) -> Option<usize> {
        let admits = |peer: &Peer| match flow.transport {
            Transport::Udp => peer.admits(flow.remote),
            _ => peer.admits_connection(flow.remote),
        };
        let fixed = self.settings.trunks.iter().position(|t| t.peers.iter().any(admits));
        fixed.or_else(|| (0..self.trunks.lines.len()).find(|line| self.trunks.admits(*line, flow)))
    }

    /// Takes a place on that trunk for a new call of its, or says why there is none.
    pub(super) fn admit(&mut self, now: Now, line: usize, call: CallId) -> Option<Refusal> {
        match self.trunks.lines[line].limit.admit(now.mono) {
            Ok(()) => {
                self.trunks.places.entry(call).or_default().push(line);
                None
            }
            Err(over) => {
                Some(Refusal { reason: Reason::TrunkLimit, status: 503, retry_after_s: Some(over.retry_after_s) })
            }
        }
    }

    pub(super) fn handle_resolved(&mut self, now: Now, destination: &Destination, found: Option<Records>) {
        if found.is_none() {
            tracing::warn!(host = %destination.host, "a name could not be looked up; what was known of it stays");
        }
        if self.trunks.names.handle_answer(now.mono, destination, found) {
            self.renew(now.mono);
        }
    }

    /// What a change of addresses changes: who is admitted, whose health is watched, where phones are.
    pub(super) fn renew(&mut self, now: Instant) {
        let mut random = self.trunks.random.clone();
        for (i, trunk) in self.settings.trunks.iter().enumerate() {
            let names = &self.trunks.names;
            let ways: BTreeSet<Target> = [trunk.destination(), trunk.registrar()]
                .into_iter()
                .flatten()
                .flat_map(|destination| names.targets(&destination, &mut random))
                .collect();
            let named = trunk.names.iter().flat_map(|name| {
                names.targets(name, &mut random).into_iter().map(|target| match name.port {
                    Some(_) => Peer::Socket(target.address),
                    None => Peer::Address(target.address.ip()),
                })
            });
            let mut peers: Vec<Peer> = named.chain(ways.iter().map(|way| Peer::Socket(way.address))).collect();
            peers.sort_by_key(ToString::to_string);
            peers.dedup();
            let line = &mut self.trunks.lines[i];
            line.peers = peers;
            line.health.retain(|target, _| ways.contains(target));
            if let Some(every) = trunk.options {
                for way in &ways {
                    line.health.entry(*way).or_insert_with(|| Health::new(every, now));
                }
            }
        }
        self.locate_phones(&mut random);
        self.trunks.random = random;
        self.trunks.version += 1;
        self.known = self.settings.known().and(self.looked_up());
        self.judge_guests_again();
    }

    fn locate_phones(&mut self, random: &mut Random) {
        for phone in &self.settings.named_phones {
            if let Some(target) = self.trunks.names.targets(&phone.destination, random).first() {
                let NamedPhone { agent, uri, .. } = phone.clone();
                let located = super::Phone { agent, uri, transport: target.transport, address: target.address };
                self.phones.insert(phone.agent.clone(), located);
            }
        }
    }

    pub(super) fn handle_trunk_timeouts(&mut self, now: Now) {
        if std::mem::take(&mut self.trunks.fresh) {
            self.renew(now.mono);
        }
        while let Some(destination) = self.trunks.names.poll_query(now.mono) {
            self.outputs.push_back(Output::Resolve(destination));
        }
        for line in 0..self.trunks.lines.len() {
            self.probe(now, line);
            self.register(now, line);
        }
        self.handle_leg_timeouts(now);
        self.show_trunks(now);
    }

    fn probe(&mut self, now: Now, i: usize) {
        let due = |(target, health): (&Target, &Health)| (health.poll_timeout() <= now.mono).then_some(*target);
        let due: Vec<Target> = self.trunks.lines[i].health.iter().filter_map(due).collect();
        for target in due {
            let Some(health) = self.trunks.lines[i].health.get_mut(&target) else { continue };
            match health.handle_timeout(now.mono) {
                Order::Ask => {
                    let ask = self.options(i, target);
                    let asked = self.endpoint.ask(now.mono, ask);
                    match asked {
                        Some(id) => drop(self.trunks.asked.insert(id, (i, What::Options(target)))),
                        None => self.health_answer(now, i, target, None),
                    }
                }
                Order::GiveUp => {
                    self.forget(i, What::Options(target));
                    self.after_probe(now, i, target);
                }
                Order::Nothing => {}
            }
        }
    }

    fn options(&mut self, i: usize, target: Target) -> Ask {
        let trunk = &self.settings.trunks[i];
        let line = &mut self.trunks.lines[i];
        line.seq += 1;
        let server = trunk.server.as_ref().or_else(|| trunk.registration.as_ref().map(|r| &r.server));
        let host = server.map_or_else(|| target.address.to_string(), domain);
        let own = self.endpoint.listener_for(target.transport, target.address).unwrap_or(target.address);
        let own = SocketAddr::new(self.settings.sip.advertise.unwrap_or_else(|| own.ip()), own.port());
        Ask {
            method: Method::OPTIONS,
            uri: format!("sip:{host}"),
            transport: target.transport,
            destination: target.address,
            from: format!("<sip:{own}>;tag={}", line.tag),
            to: format!("<sip:{host}>"),
            call_id: format!("{}-{}", line.call_id, line.seq),
            seq: 1,
            headers: Vec::new(),
        }
    }

    fn health_answer(&mut self, now: Now, i: usize, target: Target, status: Option<u16>) {
        if let Some(health) = self.trunks.lines[i].health.get_mut(&target) {
            health.handle_answer(now.mono, status);
            self.after_probe(now, i, target);
        }
    }

    /// A registrar that has died does not bring calls: register elsewhere.
    fn after_probe(&mut self, now: Now, i: usize, target: Target) {
        let line = &mut self.trunks.lines[i];
        let down = line.health.get(&target).is_some_and(Health::is_down);
        if let Some(registration) = &mut line.registration
            && down
            && line.health.len() > 1
            && registration.binding().is_some_and(|binding| binding.target == target)
        {
            registration.hurry(now.mono);
        }
    }

    fn register(&mut self, now: Now, i: usize) {
        let due = self.trunks.lines[i].registration.as_ref().and_then(Registration::poll_timeout);
        if due.is_none_or(|at| at > now.mono) {
            return;
        }
        self.forget(i, What::Register);
        let Some(destination) = self.settings.trunks[i].registrar() else { return };
        let targets = self.trunks.targets(i, &destination);
        let Trunks { lines, random, .. } = &mut self.trunks;
        let Some(registration) = &mut lines[i].registration else { return };
        let user = self.settings.trunks[i].registration.as_ref().map_or("", |r| r.account.username.as_str());
        let endpoint = &self.endpoint;
        let with_contact = || {
            let contact = |t: &Target| endpoint.contact_for(user, t.transport, t.address);
            targets.iter().filter_map(|t| Some((*t, contact(t)?))).collect()
        };
        let ask = registration.handle_timeout(now.mono, with_contact, random);
        self.send_register(now, i, ask);
    }

    fn send_register(&mut self, now: Now, i: usize, ask: Option<Ask>) {
        if let Some(id) = ask.and_then(|ask| self.endpoint.ask(now.mono, ask)) {
            self.trunks.asked.insert(id, (i, What::Register));
        }
    }

    /// What is still asked is not waited for any more.
    fn forget(&mut self, i: usize, what: What) {
        let asked = self.trunks.asked.iter().find(|(_, asked)| **asked == (i, what)).map(|(id, _)| *id);
        if let Some(id) = asked {
            self.trunks.asked.remove(&id);
            self.endpoint.forget(id);
        }
    }

    pub(super) fn handle_answered(&mut self, now: Now, answered: Answered) {
        let Answered { id, at, response } = answered;
        if self.is_phones_answer(now, id, response.as_ref().map(|(_, r)| r.status)) {
            return;
        }
        let Some((i, what)) = self.trunks.asked.remove(&id) else { return };
        match what {
            What::Options(target) => {
                let asked = self.trunks.lines[i].health.get(&target).and_then(Health::asked);
                if let (Some(asked), Some(_)) = (asked, &response) {
                    let (trunk, took) = (self.settings.trunks[i].name.clone(), at.mono.since(asked));
                    self.outputs.push_back(Output::RoundTrip { trunk, took });
                }
                self.health_answer(now, i, target, response.map(|(_, r)| r.status));
            }
            What::Register => {
                let Trunks { lines, random, .. } = &mut self.trunks;
                let Some(registration) = &mut lines[i].registration else { return };
                let answer = response.as_ref().map(|(source, response)| (*source, &**response));
                let ask = registration.handle_answer(now.mono, answer, random);
                if let (None, Some((source, response))) = (&ask, &response)
                    && response.status >= 300
                {
                    let (trunk, status) = (&self.settings.trunks[i].name, response.status);
                    tracing::warn!(%trunk, status, %source, "the registrar refuses us");
                }
                self.send_register(now, i, ask);
                self.trunks.want(now.mono, &self.settings);
            }
        }
        self.show_trunks(now);
    }

    fn show_trunks(&mut self, now: Now) {
        for (trunk, line) in self.settings.trunks.iter().zip(&mut self.trunks.lines) {
            let binding = line.registration.as_ref().and_then(Registration::binding);
            let shown = TrunkShown {
                trunk: trunk.name.clone(),
                up: trunk.options.map(|_| line.health.values().any(Health::is_up)),
                registered_until: line
                    .registration
                    .as_ref()
                    .map(|_| binding.map(|b| now.wall + b.until.since(now.mono))),
            };
            // The wall clock may be set: the end of a registration moves with it, and nobody needs to know of a second.
            let same = |before: &TrunkShown| {
                let seconds = |s: &TrunkShown| s.registered_until.flatten().map(|at| at.as_micros() / 2_000_000);
                before.up == shown.up && seconds(before) == seconds(&shown)
            };
            if !line.shown.as_ref().is_some_and(same) {
                log_change(line.shown.as_ref(), &shown);
                line.shown = Some(shown.clone());
                self.outputs.push_back(Output::Trunk(shown));
            }
        }
    }
}

/// Somebody should know that a carrier is gone.
fn log_change(before: Option<&TrunkShown>, shown: &TrunkShown) {
    let trunk = &shown.trunk;
    match (before.and_then(|b| b.up), shown.up) {
        (Some(true), Some(false)) => tracing::warn!(%trunk, "the trunk is down: no target answers OPTIONS"),
        (Some(false) | None, Some(true)) => tracing::info!(%trunk, "the trunk is up"),
        _ => {}
    }
    match (before.and_then(|b| b.registered_until.flatten()), shown.registered_until.flatten()) {
        (Some(_), None) => tracing::warn!(%trunk, "the trunk is not registered any more"),
        (None, Some(until)) => tracing::info!(%trunk, %until, "the trunk is registered"),
        _ => {}
    }
}

/// Host and port of a URI, for a URI.
pub(super) fn domain(uri: &Uri) -> String {
    match uri.port {
        Some(port) => format!("{}:{port}", host_of(uri)),
        None => host_of(uri),
    }
}
