//! Phones that register: REGISTER judged and answered, and the ways to an agent's phones.
//!
//! Whoever is not known learns nothing: an unknown user and a wrong password get the same challenge after the same work, and
//! who guesses on gets silence. A phone that has registered is never locked out, whoever shares its address.

use std::net::SocketAddr;

use super::{Gateway, Output, Rejected};
use crate::clock::{Instant, Now};
use crate::ids::{AgentNo, Random};
use crate::peer::lockout::{Deed, Lockout};
use crate::peer::registrar::{self, Refusal, Registrar, SHORTEST_S, Saved};
use crate::peer::unanswered::Unanswered;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::digest::{Algorithm, Guard, Verdict};
use crate::protocol::sip::endpoint::{ConnectionId, Flow, Served, Transport};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::uri::Uri;

#[derive(Debug)]
pub(super) struct Registering {
    settings: registrar::Settings,
    guard: Guard,
    lockout: Lockout,
    unanswered: Unanswered,
    pub(super) registrar: Registrar,
}

/// How one phone of an agent is reached.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) target: Uri,
    pub(super) transport: Transport,
    pub(super) destination: SocketAddr,
    /// Of a phone that has registered.
    pub(super) flow: Option<Flow>,
    /// Our listening address on this way.
    pub(super) local: SocketAddr,
}

impl Gateway {
    /// Lets the agents of these accounts register, and takes back what an earlier run saved. Without accounts nothing changes:
    /// strangers get silence.
    pub fn open_registrar(&mut self, now: Now, settings: registrar::Settings, saved: Vec<Saved>) {
        if settings.accounts.is_empty() {
            return;
        }
        let guard = self.guard(&settings);
        let mut registrar = Registrar::default();
        registrar.restore(now, saved, &settings, &self.settings.sip.listen);
        settings.accounts.keys().for_each(|agent| self.agents.join(agent.clone()));
        self.renew_reaching(now.mono);
        self.endpoint.serve_register(true);
        let (lockout, unanswered) = (Lockout::default(), Unanswered::default());
        self.registering = Some(Box::new(Registering { settings, guard, lockout, unanswered, registrar }));
    }

    fn guard(&mut self, settings: &registrar::Settings) -> Guard {
        Guard::new(&settings.realm, offered(settings), &mut Random::from_seed(self.random.bytes()))
    }

    /// Other accounts: who is named no more, or has another password, loses the phones that are registered. Without accounts strangers get silence again.
    pub(super) fn renew_accounts(&mut self, now: Now, settings: registrar::Settings) {
        let Some(old) = self.registering.as_ref().map(|r| &r.settings) else {
            return self.open_registrar(now, settings, Vec::new());
        };
        // A new guard knows no nonce of the old one: every phone would be challenged once more.
        let same = old.realm == settings.realm && offered(old) == offered(&settings);
        let guard = (!same).then(|| self.guard(&settings));
        self.endpoint.serve_register(!settings.accounts.is_empty());
        let Some(r) = &mut self.registering else { return };
        if let Some(guard) = guard {
            r.guard = guard;
        }
        // Whoever knows only the old password is called no more. In another realm every hash is another.
        let before = std::mem::take(&mut r.settings);
        r.registrar.retain(|agent| {
            let kept = before.accounts.get(agent).zip(settings.accounts.get(agent));
            kept.is_some_and(|(old, new)| before.realm != settings.realm || old.agrees(new))
        });
        r.settings = settings;
    }

    /// Whether agents may register.
    pub fn serves_registrations(&self) -> bool {
        self.registering.as_ref().is_some_and(|r| !r.settings.accounts.is_empty())
    }

    pub(super) fn handle_disconnected(&mut self, connection: ConnectionId) {
        if let Some(r) = &mut self.registering {
            r.registrar.disconnected(connection);
        }
    }

    /// Phones that are registered, and agents with at least one.
    pub fn registrations(&self) -> (usize, usize) {
        self.registering.as_ref().map_or((0, 0), |r| (r.registrar.len(), r.registrar.agents()))
    }

    /// Changes whenever a registration does.
    pub fn registrations_version(&self) -> u64 {
        self.registering.as_ref().map_or(0, |r| r.registrar.version())
    }

    /// What is worth keeping over a restart.
    pub fn saved_registrations(&self, now: Now) -> Vec<Saved> {
        self.registering.as_ref().map_or_else(Vec::new, |r| r.registrar.saved(now))
    }

    pub(super) fn is_bound(&self, remote: SocketAddr) -> bool {
        self.registering.as_ref().is_some_and(|r| r.registrar.is_bound(remote))
    }

    /// All phones of an agent: the fixed one and those that have registered. Empty: nobody can be rung.
    pub(super) fn ways(&self, now: Now, agent: &AgentNo) -> Vec<Way> {
        let fixed = self.phones.get(agent).and_then(|phone| {
            let local = self.endpoint.listener_for(phone.transport, phone.address)?;
            let (target, transport, destination) = (phone.uri.clone(), phone.transport, phone.address);
            Some(Way { target, transport, destination, flow: None, local })
        });
        let registered = self.registering.iter().flat_map(|r| r.registrar.of(now.mono, agent)).map(|binding| Way {
            target: binding.contact.clone(),
            transport: binding.flow.transport,
            destination: binding.flow.remote,
            flow: Some(binding.flow),
            local: binding.flow.local,
        });
        // The fixed phone that has registered as well is one phone.
        let fixed = fixed.filter(|way| !self.is_bound(way.destination));
        fixed.into_iter().chain(registered).collect()
    }

    pub(super) fn handle_registrar_timeout(&mut self, now: Now) {
        let Some(r) = &mut self.registering else { return };
        for binding in r.registrar.handle_timeout(now.mono) {
            self.endpoint.ping(now.mono, &binding.contact, binding.flow);
        }
    }

    pub(super) fn handle_register(&mut self, now: Now, served: &Served) {
        let Some(r) = &mut self.registering else { return self.endpoint.ignore_served(served) };
        let source = served.flow.remote.ip();
        if r.lockout.is_locked(now.mono, source) && !r.registrar.is_bound(served.flow.remote) {
            self.outputs.push_back(Output::Rejected(Rejected::LockedOut));
            return self.endpoint.ignore_served(served);
        }
        let accounts = &r.settings.accounts;
        let verdict = r.guard.judge(now.mono, source, &served.request, |user| accounts.get(&AgentNo::from(user)));
        let (deed, stale) = match &verdict {
            Verdict::Right { .. } => (Deed::Right, false),
            Verdict::Missing => (Deed::Challenged, false),
            Verdict::Stale | Verdict::Replayed => (Deed::Challenged, true),
            Verdict::Wrong => (Deed::Wrong, false),
        };
        if r.lockout.note(now.mono, source, deed) {
            tracing::info!(%source, "too many failed registrations; not heard for a while");
        }
        if verdict == Verdict::Wrong {
            self.outputs.push_back(Output::Rejected(Rejected::WrongPassword));
        }
        let (status, headers) = match verdict {
            Verdict::Right { username } => r.register(now.mono, &username, &served.request, served.flow),
            _ => (401, r.challenge(now.mono, served, verdict == Verdict::Missing, stale)),
        };
        self.endpoint.answer_served(now.mono, served, status, headers);
    }
}

type Headers = Vec<(Name, Vec<u8>)>;

impl Registering {
    /// `bare`: the request brought no answer. If that has happened before, it is for want of one that the phone understands.
    fn challenge(&mut self, now: Instant, served: &Served, bare: bool, stale: bool) -> Headers {
        let (source, call_id) = (served.flow.remote.ip(), call_id(&served.request));
        if !bare {
            self.unanswered.answered(source, call_id);
        }
        let weakest = bare && self.unanswered.challenged(now, source, call_id);
        let fields = self.guard.challenges(now, source, stale, weakest);
        fields.into_iter().map(|field| (Name::WWW_AUTHENTICATE, field.into_bytes())).collect()
    }

    /// A request whose sender is known by password.
    fn register(&mut self, now: Instant, username: &str, request: &Request, flow: Flow) -> (u16, Headers) {
        self.unanswered.answered(flow.remote.ip(), call_id(request));
        // Section 10.3, step 4: nobody registers for others.
        let to = request.headers.first(&Name::TO).and_then(Address::parse);
        if to.and_then(|to| to.uri.user).as_deref() != Some(username) {
            return (403, Vec::new());
        }
        let agent = AgentNo::from(username);
        match self.registrar.register(now, &agent, request, flow) {
            Ok(()) => {
                let phones = self.registrar.of(now, &agent);
                tracing::debug!(%agent, phones = phones.len(), from = %flow.remote, "registered");
                (200, phones.into_iter().map(|phone| (Name::CONTACT, contact(phone, now))).collect())
            }
            Err(refusal) => {
                tracing::debug!(%agent, %refusal, "a registration is refused");
                let min = (refusal == Refusal::TooBrief).then(|| (Name::MIN_EXPIRES, SHORTEST_S.to_string().into()));
                (refusal.status(), min.into_iter().collect())
            }
        }
    }
}

/// Algorithms that every account has a hash by.
fn offered(settings: &registrar::Settings) -> Vec<Algorithm> {
    let all_have = |algorithm: &Algorithm| settings.accounts.values().all(|s| s.get(*algorithm).is_some());
    settings.algorithms.iter().copied().filter(all_have).collect()
}

fn call_id(request: &Request) -> &str {
    request.headers.text(&Name::CALL_ID).unwrap_or_default()
}

/// Section 10.3, step 8: each binding with what is left of it.
fn contact(phone: &registrar::Binding, now: Instant) -> Vec<u8> {
    let left = phone.expires.since(now).as_secs();
    let q = if phone.q == 1_000 { String::new() } else { format!(";q=0.{:03}", phone.q) };
    format!("<{}>;expires={left}{q}", phone.contact).into_bytes()
}
