//! The registrar's table: where each agent's phones are to be reached (RFC 3261 section 10.3). Who may write into it is decided
//! before, by `protocol::sip::digest`.
//!
//! A binding is bound to the flow its REGISTER came by: calls go back that way, through the phone's NAT or over its connection
//! (the spirit of RFC 5626), whatever its Contact says; the Contact is the Request-URI. `Path` is not taken: a proxy that
//! needs it says `Require: path` and gets 420.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Instant, Now, Wall};
use crate::ids::AgentNo;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::digest::{Algorithm, Secrets};
use crate::protocol::sip::endpoint::{ConnectionId, Flow, Transport};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::uri::{Scheme, Uri};
use crate::protocol::sip::vocabulary::expires_s;
use crate::schedule::Schedule;

/// Seconds that a binding may last. Shorter ones are refused with 423, longer ones cut.
pub const SHORTEST_S: u32 = 60;
pub const LONGEST_S: u32 = 3_600;
/// Without a word of the phone.
const USUAL_S: u32 = 3_600;

/// Phones of one agent. One more takes the place of the one that was heard longest ago: a phone that restarts with a new
/// port leaves a binding behind, and must not be kept out by it.
pub const CONTACTS: usize = 5;

/// A NAT forgets a silent UDP flow after 30 s at the earliest (RFC 5626 section 4.4.2).
pub const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// What may be registered.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// In challenges, and in every `Ha1`.
    pub realm: String,
    /// What challenges offer; only those that every account has a hash by.
    pub algorithms: Vec<Algorithm>,
    /// Agents who may register; their number is the user name.
    pub accounts: BTreeMap<AgentNo, Secrets>,
}

/// One phone of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub agent: AgentNo,
    /// As the phone wrote it: the Request-URI of calls to it.
    pub contact: Uri,
    pub flow: Flow,
    /// Preference in thousandths, 1,000 if nothing is said. All phones of an agent ring at once whatever it is.
    pub q: u16,
    pub expires: Instant,
    /// `+sip.instance`: the device, whatever its address.
    instance: Option<String>,
    call_id: String,
    cseq: u32,
}

impl Binding {
    /// The Contact names another address than the packets have.
    pub fn behind_nat(&self) -> bool {
        self.contact.socket_addr().is_none_or(|named| named != self.flow.remote)
    }

    /// The same device, or the same URI as far as it decides where a request goes (section 19.1.4).
    fn is_same(&self, contact: &Uri, instance: Option<&str>) -> bool {
        let transport = |uri: &Uri| uri.param("transport").flatten().unwrap_or("udp").to_ascii_lowercase();
        let same_uri = self.contact.user == contact.user
            && self.contact.host.eq_ignore_ascii_case(&contact.host)
            && self.contact.port.unwrap_or(5060) == contact.port.unwrap_or(5060)
            && transport(&self.contact) == transport(contact);
        same_uri || (instance.is_some() && self.instance.as_deref() == instance)
    }
}

/// Why a REGISTER changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400.
    #[error("a Contact that is no SIP URI, too many of them, or a * beside others or without Expires: 0")]
    BadContact,
    /// 423, with `Min-Expires`.
    #[error("asks for less than {SHORTEST_S} s")]
    TooBrief,
    /// 500: an older request of the same phone came after a newer one (section 10.3, step 7).
    #[error("out of order")]
    OutOfOrder,
}

impl Refusal {
    pub fn status(self) -> u16 {
        match self {
            Refusal::BadContact => 400,
            Refusal::TooBrief => 423,
            Refusal::OutOfOrder => 500,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Registrar {
    bindings: BTreeMap<u64, Binding>,
    by_agent: BTreeMap<AgentNo, Vec<u64>>,
    /// How many bindings have this source.
    remotes: BTreeMap<SocketAddr, u32>,
    wakes: Schedule<Wake>,
    next: u64,
    version: u64,
    places: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    Expiry(u64),
    KeepAlive(u64),
}

/// One Contact of a request, read.
struct Wish {
    contact: Uri,
    instance: Option<String>,
    q: u16,
    expires_s: u32,
}

/// A binding as it is kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    agent: AgentNo,
    contact: String,
    local: SocketAddr,
    remote: SocketAddr,
    q: u16,
    expires_wall: Wall,
    instance: Option<String>,
    call_id: String,
    cseq: u32,
}

impl Registrar {
    /// Section 10.3, steps 6 to 8, for a request that has been found to be this agent's. All of it happens, or nothing.
    pub fn register(&mut self, now: Instant, agent: &AgentNo, request: &Request, flow: Flow) -> Result<(), Refusal> {
        let call_id = request.headers.text(&Name::CALL_ID).unwrap_or_default();
        let cseq = request.cseq().unwrap_or_default();
        let in_order = |binding: &Binding| binding.call_id != call_id || binding.cseq < cseq;
        let contacts: Vec<&[u8]> = request.headers.list(&Name::CONTACT).collect();
        if contacts.contains(&b"*".as_slice()) {
            let zero = request.headers.text(&Name::EXPIRES).and_then(seconds) == Some(0);
            if contacts.len() > 1 || !zero {
                return Err(Refusal::BadContact);
            }
            let all = self.ids(agent);
            if !all.iter().filter_map(|id| self.bindings.get(id)).all(in_order) {
                return Err(Refusal::OutOfOrder);
            }
            all.into_iter().for_each(|id| self.remove(id));
            return Ok(());
        }
        if contacts.len() > CONTACTS {
            return Err(Refusal::BadContact);
        }
        let wishes = contacts.into_iter().map(|c| wish(c, request)).collect::<Result<Vec<_>, _>>()?;
        let mut old = wishes.iter().filter_map(|wish| self.bindings.get(&self.find(agent, wish)?));
        if !old.all(in_order) {
            return Err(Refusal::OutOfOrder);
        }
        // A refresh changes no place.
        self.arrive(flow.remote);
        for wish in wishes {
            // Again for each: a request may name one contact twice.
            self.find(agent, &wish).into_iter().for_each(|id| self.remove(id));
            if wish.expires_s > 0 {
                let Wish { contact, instance, q, expires_s } = wish;
                let expires = now + Duration::from_secs(expires_s.into());
                let (agent, call_id) = (agent.clone(), call_id.chars().take(256).collect());
                self.add(now, Binding { agent, contact, flow, q, expires, instance, call_id, cseq });
            }
        }
        self.leave(flow.remote);
        Ok(())
    }

    /// The phones of an agent, most preferred first.
    pub fn of<'a>(&'a self, now: Instant, agent: &AgentNo) -> Vec<&'a Binding> {
        let ids = self.by_agent.get(agent).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<&Binding> =
            ids.iter().filter_map(|id| self.bindings.get(id)).filter(|b| b.expires > now).collect();
        found.sort_by_key(|binding| std::cmp::Reverse(binding.q));
        found
    }

    /// Whether a phone is registered from exactly there.
    pub fn is_bound(&self, remote: SocketAddr) -> bool {
        self.remotes.contains_key(&remote)
    }

    /// Whose phone is registered from exactly there.
    pub fn agent_at(&self, remote: SocketAddr) -> Option<&AgentNo> {
        let mut there = self.bindings.values().filter(|binding| binding.flow.remote == remote);
        there.next().map(|binding| &binding.agent)
    }

    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.remotes.keys().map(SocketAddr::ip)
    }

    /// Bindings alive.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Agents with at least one.
    pub fn agents(&self) -> usize {
        self.by_agent.len()
    }

    /// Changes whenever a binding does.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Changes whenever [`Registrar::addresses`] does.
    pub fn places_version(&self) -> u64 {
        self.places
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.wakes.next().map(|(at, wake)| match wake {
            Wake::Expiry(_) => (at, "registration expires"),
            Wake::KeepAlive(_) => (at, "keep-alive"),
        })
    }

    /// Drops what has expired; returns the phones that are to be sent something, so that their NAT keeps the way open.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Binding> {
        let mut due = Vec::new();
        while let Some(wake) = self.wakes.pop_due(now) {
            match wake {
                Wake::Expiry(id) => self.remove(id),
                Wake::KeepAlive(id) => {
                    if let Some(binding) = self.bindings.get(&id) {
                        due.push(binding.clone());
                        self.wakes.set(wake, Some(now + KEEP_ALIVE));
                    }
                }
            }
        }
        due
    }

    /// Everything that is worth keeping over a restart: a connection does not outlive it, and its phone sees that.
    pub fn saved(&self, now: Now) -> Vec<Saved> {
        let udp = |b: &&Binding| b.flow.transport == Transport::Udp;
        let save = |b: &Binding| Saved {
            agent: b.agent.clone(),
            contact: b.contact.as_str().to_owned(),
            local: b.flow.local,
            remote: b.flow.remote,
            q: b.q,
            expires_wall: now.wall + b.expires.since(now.mono),
            instance: b.instance.clone(),
            call_id: b.call_id.clone(),
            cseq: b.cseq,
        };
        self.bindings.values().filter(udp).map(save).collect()
    }

    /// Takes back what an earlier run saved. What does not fit (an agent who is gone, a socket that is no longer listened
    /// on, an end that has passed or lies too far ahead) is left out.
    pub fn restore(&mut self, now: Now, saved: Vec<Saved>, settings: &Settings, listen: &[(Transport, SocketAddr)]) {
        for s in saved {
            let left_us = s.expires_wall.as_micros().saturating_sub(now.wall.as_micros());
            let left = Duration::from_micros(u64::try_from(left_us).unwrap_or(0));
            let fits = settings.accounts.contains_key(&s.agent)
                && listen.contains(&(Transport::Udp, s.local))
                && left <= Duration::from_secs(LONGEST_S.into())
                && !left.is_zero();
            let Some(contact) = Uri::parse(&s.contact).filter(|_| fits) else { continue };
            let flow = Flow { transport: Transport::Udp, local: s.local, remote: s.remote, connection: None };
            let Saved { agent, q, instance, call_id, cseq, .. } = s;
            let expires = now.mono + left;
            self.add(now.mono, Binding { agent, contact, flow, q, expires, instance, call_id, cseq });
        }
    }

    /// The connection is closed: nobody is reached over it any more (RFC 5626 section 4.2.2, *flow failed*). A phone that
    /// has registered anew over another one meanwhile is bound to that.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        self.remove_all(|binding| binding.flow.connection == Some(connection));
    }

    /// Only these agents may be registered from now on.
    pub fn retain(&mut self, stays: impl Fn(&AgentNo) -> bool) {
        self.remove_all(|binding| !stays(&binding.agent));
    }

    fn remove_all(&mut self, gone: impl Fn(&Binding) -> bool) {
        let gone: Vec<u64> = self.bindings.iter().filter(|(_, b)| gone(b)).map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    fn ids(&self, agent: &AgentNo) -> Vec<u64> {
        self.by_agent.get(agent).cloned().unwrap_or_default()
    }

    fn find(&self, agent: &AgentNo, wish: &Wish) -> Option<u64> {
        let same = |id: &u64| self.bindings.get(id).is_some_and(|b| b.is_same(&wish.contact, wish.instance.as_deref()));
        self.by_agent.get(agent)?.iter().copied().find(same)
    }

    fn add(&mut self, now: Instant, binding: Binding) {
        let ids = self.by_agent.entry(binding.agent.clone()).or_default();
        let oldest = if ids.len() >= CONTACTS { ids.first().copied() } else { None };
        if let Some(oldest) = oldest {
            self.remove(oldest);
        }
        self.next += 1;
        self.version += 1;
        let id = self.next;
        self.by_agent.entry(binding.agent.clone()).or_default().push(id);
        self.arrive(binding.flow.remote);
        self.wakes.set(Wake::Expiry(id), Some(binding.expires));
        if binding.flow.transport == Transport::Udp && binding.behind_nat() {
            self.wakes.set(Wake::KeepAlive(id), Some(now + KEEP_ALIVE));
        }
        self.bindings.insert(id, binding);
    }

    fn remove(&mut self, id: u64) {
        let Some(binding) = self.bindings.remove(&id) else { return };
        self.version += 1;
        self.wakes.set(Wake::Expiry(id), None);
        self.wakes.set(Wake::KeepAlive(id), None);
        if let Some(ids) = self.by_agent.get_mut(&binding.agent) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_agent.remove(&binding.agent);
            }
        }
        self.leave(binding.flow.remote);
    }

    fn arrive(&mut self, remote: SocketAddr) {
        let count = self.remotes.entry(remote).or_default();
        *count += 1;
        self.places += u64::from(*count == 1);
    }

    fn leave(&mut self, remote: SocketAddr) {
        let Some(count) = self.remotes.get_mut(&remote) else { return };
        *count -= 1;
        if *count == 0 {
            self.remotes.remove(&remote);
            self.places += 1;
        }
    }
}

fn wish(contact: &[u8], request: &Request) -> Result<Wish, Refusal> {
    let address = Address::parse(contact).ok_or(Refusal::BadContact)?;
    if !matches!(address.uri.scheme, Scheme::Sip | Scheme::Sips) || address.uri.as_str().len() > 512 {
        return Err(Refusal::BadContact);
    }
    let own = address.param("expires").flatten().map(seconds);
    let expires_s = match own {
        // Section 20.10: what cannot be read counts as an hour.
        Some(own) => own.unwrap_or(USUAL_S),
        None => request.headers.text(&Name::EXPIRES).and_then(seconds).unwrap_or(USUAL_S),
    };
    if (1..SHORTEST_S).contains(&expires_s) {
        return Err(Refusal::TooBrief);
    }
    let q = address.param("q").flatten().and_then(thousandths).unwrap_or(1_000);
    let instance = address.param("+sip.instance").flatten().map(|i| i.chars().take(128).collect());
    Ok(Wish { contact: address.uri, instance, q, expires_s: expires_s.min(LONGEST_S) })
}

/// `delta-seconds`: beyond 32 bits counts as the most (section 25.1 lets a number be as long as it likes).
fn seconds(text: &str) -> Option<u32> {
    let text = text.trim();
    let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    number.then(|| expires_s(text).unwrap_or(u32::MAX))
}

/// `qvalue` (section 25.1): 0 to 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}
