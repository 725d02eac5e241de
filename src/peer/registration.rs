//! Registration of ours with a carrier (RFC 3261 section 10.2): asked for, kept fresh, and asked for again when it fails.
//!
//! ```text
//!            targets known                    200
//! Waiting ────────────────► Asking ──────────────────► Waiting, registered
//!    ▲                      │  ▲ 401, 407, 423,          │ 75 to 85 % of what was granted
//!    └── back-off ◄─────────┘  └ next target ◄───────────┘
//! ```
//!
//! At the end of a drain, from wherever it stands: Leaving (`Expires: 0`, at most 2 s), then Left.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::account::{Account, Challenged, Credentials};
use super::route::Target;
use crate::clock::Instant;
use crate::ids::Random;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::digest::Covered;
use crate::protocol::sip::endpoint::Ask;
use crate::protocol::sip::header::{Name, split_list};
use crate::protocol::sip::message::Response;
use crate::protocol::sip::uri::Uri;
use crate::protocol::sip::vocabulary::Method;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `sip:carrier.example`: Request-URI, and the domain of our address of record.
    pub server: Uri,
    pub account: Account,
    /// Asked for; the registrar may grant less.
    pub expires_s: u32,
}

/// How long the last target may take to answer, or one that has answered already. UDP has repeated the request four times by then.
const PATIENCE: Duration = Duration::from_secs(8);
/// With another one to ask: the request was repeated twice, and the next target has it within 2 s, as a call of ours would.
const FAILOVER: Duration = Duration::from_millis(1_800);
/// Nobody knows yet where the registrar is.
const NO_TARGET: Duration = Duration::from_millis(500);
/// RFC 5626 section 4.5: doubled with each failure in a row, drawn from its upper half.
const BASE: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(1_800);
/// Who was refused by name will be so again in a minute; carriers lock out those who insist.
const REFUSED_BASE: Duration = Duration::from_secs(300);
/// A registrar that does not hear our farewell in this time finds out by itself.
const FAREWELL: Duration = Duration::from_secs(2);
/// A registrar that asks for more than this wants something else than a phone line.
const MOST_EXPIRES_S: u32 = 86_400;

/// A registration that the registrar has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Calls come from there.
    pub target: Target,
    pub until: Instant,
    /// Values of Route for our calls (RFC 3608).
    pub service_route: Vec<String>,
}

#[derive(Debug)]
pub struct Registration {
    settings: Settings,
    credentials: Credentials,
    call_id: String,
    from_tag: String,
    seq: u32,
    /// What is asked for: 423 may have raised it.
    expires_s: u32,
    failures: u32,
    binding: Option<Binding>,
    /// Our Contact there.
    contact: String,
    /// Who has taken our credentials: nobody else gets them unasked.
    proven: Option<Target>,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting {
        at: Instant,
    },
    Asking(Asking),
    /// The binding is being taken back.
    Leaving(Asking),
    Left,
}

#[derive(Debug)]
struct Asking {
    target: Target,
    contact: String,
    /// Targets to ask after this one, with the Contact that each is told.
    rest: VecDeque<(Target, String)>,
    /// Challenges that were answered.
    answered: u32,
    until: Instant,
}

/// What a failed attempt says about the next.
enum Failure {
    /// This target does not work; another may.
    Target,
    /// The registrar does not want us.
    Refused,
}

impl Registration {
    pub fn new(settings: Settings, first: Instant, random: &mut Random) -> Registration {
        Registration {
            credentials: Credentials::new(settings.account.clone()),
            call_id: random.token(),
            from_tag: random.token(),
            seq: 0,
            expires_s: settings.expires_s,
            failures: 0,
            binding: None,
            contact: String::new(),
            proven: None,
            state: State::Waiting { at: first },
            settings,
        }
    }

    pub fn binding(&self) -> Option<&Binding> {
        self.binding.as_ref()
    }

    /// When to call [`Registration::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = match &self.state {
            State::Waiting { at } => *at,
            State::Asking(asking) | State::Leaving(asking) => asking.until,
            State::Left => return None,
        };
        Some(self.binding.as_ref().map_or(next, |binding| next.min(binding.until)))
    }

    /// Takes the binding back (section 10.2.2) and asks for nothing any more; what was asked before is to be forgotten.
    pub fn leave(&mut self, now: Instant, random: &mut Random) -> Option<Ask> {
        self.state = State::Left;
        let binding = self.binding.take().filter(|binding| binding.until > now)?;
        let (target, contact, rest) = (binding.target, self.contact.clone(), VecDeque::new());
        self.state = State::Leaving(Asking { target, contact, rest, answered: 0, until: now + FAREWELL });
        self.expires_s = 0;
        self.seq += 1;
        let proof = self.proof_for(target, random);
        self.ask(proof)
    }

    /// The registrar has not yet answered our farewell.
    pub fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving(_))
    }

    /// It is over, or nearly so.
    pub fn has_left(&self) -> bool {
        matches!(self.state, State::Leaving(_) | State::Left)
    }

    /// The way to the registrar has broken: register by another one now.
    pub fn hurry(&mut self, now: Instant) {
        if let State::Waiting { at } = &mut self.state
            && self.failures == 0
        {
            *at = now;
        }
    }

    /// `targets`: where to register, in order, each with our Contact there. What was asked before is to be forgotten.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        targets: impl FnOnce() -> Vec<(Target, String)>,
        random: &mut Random,
    ) -> Option<Ask> {
        if self.binding.as_ref().is_some_and(|binding| binding.until <= now) {
            self.binding = None;
        }
        match &self.state {
            State::Waiting { at } if *at <= now => {
                let rest: VecDeque<_> = targets().into();
                if rest.is_empty() {
                    self.state = State::Waiting { at: now + NO_TARGET };
                    return None;
                }
                self.next_target(now, rest, random)
            }
            State::Asking(asking) if asking.until <= now => self.fail(now, Failure::Target, None, random),
            State::Leaving(asking) if asking.until <= now => {
                self.state = State::Left;
                None
            }
            State::Waiting { .. } | State::Asking(_) | State::Leaving(_) | State::Left => None,
        }
    }

    /// The final response to what was asked last, and where it came from; `None`: nobody answered.
    pub fn handle_answer(
        &mut self,
        now: Instant,
        answer: Option<(SocketAddr, &Response)>,
        random: &mut Random,
    ) -> Option<Ask> {
        if self.is_leaving() {
            return self.left(answer, random);
        }
        let State::Asking(asking) = &self.state else { return None };
        let Some((source, response)) = answer else { return self.fail(now, Failure::Target, None, random) };
        let from_asked = source.ip().to_canonical() == asking.target.address.ip().to_canonical();
        match response.status {
            200..=299 if from_asked => {
                self.registered(now, response, random);
                None
            }
            401 | 407 => self.challenged(now, response, from_asked, random),
            423 if from_asked => self.too_brief(now, response, random),
            408 | 500..=599 => self.fail(now, Failure::Target, Some(response), random),
            _ => self.fail(now, Failure::Refused, Some(response), random),
        }
    }

    /// Whatever the registrar says, that was it; only a challenge is answered.
    fn left(&mut self, answer: Option<(SocketAddr, &Response)>, random: &mut Random) -> Option<Ask> {
        let State::Leaving(mut asking) = std::mem::replace(&mut self.state, State::Left) else { return None };
        let (source, response) = answer?;
        let from_asked = source.ip().to_canonical() == asking.target.address.ip().to_canonical();
        let covered = Covered { method: "REGISTER", uri: self.settings.server.as_str(), body: b"" };
        let challenged = Challenged { covered, from_asked, answered: asking.answered };
        let header = self.credentials.answer(response, challenged, random)?;
        asking.answered += 1;
        self.seq += 1;
        self.state = State::Leaving(asking);
        self.ask(vec![header])
    }

    /// Unasked, for whoever has challenged us before.
    fn proof_for(&mut self, target: Target, random: &mut Random) -> Vec<(Name, String)> {
        let covered = Covered { method: "REGISTER", uri: self.settings.server.as_str(), body: b"" };
        let proven = self.proven == Some(target);
        proven.then(|| self.credentials.again(&covered, random)).flatten().into_iter().collect()
    }

    fn registered(&mut self, now: Instant, response: &Response, random: &mut Random) {
        let State::Asking(asking) = &self.state else { return };
        let granted = granted_s(response, &asking.contact).unwrap_or(self.expires_s);
        let until = now + Duration::from_secs(granted.into());
        let service_route = Name::parse(b"Service-Route").map_or_else(Vec::new, |name| {
            let values = response.headers.fields(&name).flat_map(split_list);
            values.filter_map(|v| std::str::from_utf8(v).ok()).map(str::to_owned).take(8).collect()
        });
        self.contact.clone_from(&asking.contact);
        self.proven = Some(asking.target);
        self.binding = Some(Binding { target: asking.target, until, service_route });
        self.failures = 0;
        let share = 750 + random.below(101);
        let fresh = Duration::from_secs(granted.into()) * share / 1_000;
        self.state = State::Waiting { at: now + fresh.max(Duration::from_secs(1)) };
    }

    fn challenged(&mut self, now: Instant, response: &Response, from_asked: bool, random: &mut Random) -> Option<Ask> {
        let State::Asking(asking) = &mut self.state else { return None };
        let uri = self.settings.server.as_str();
        let covered = Covered { method: "REGISTER", uri, body: b"" };
        let challenged = Challenged { covered, from_asked, answered: asking.answered };
        match self.credentials.answer(response, challenged, random) {
            Some(header) => {
                asking.answered += 1;
                asking.until = now + PATIENCE;
                self.seq += 1;
                self.ask(vec![header])
            }
            None => self.fail(now, Failure::Refused, Some(response), random),
        }
    }

    /// Section 10.2.8: 423 says how long it must be.
    fn too_brief(&mut self, now: Instant, response: &Response, random: &mut Random) -> Option<Ask> {
        let least = response.headers.text(&Name::MIN_EXPIRES).and_then(|v| v.parse::<u32>().ok());
        match least.filter(|least| (self.expires_s + 1..=MOST_EXPIRES_S).contains(least)) {
            Some(least) => {
                self.expires_s = least;
                self.seq += 1;
                if let State::Asking(asking) = &mut self.state {
                    asking.answered = 0;
                    asking.until = now + PATIENCE;
                }
                self.ask(Vec::new())
            }
            None => self.fail(now, Failure::Refused, Some(response), random),
        }
    }

    fn fail(&mut self, now: Instant, how: Failure, response: Option<&Response>, random: &mut Random) -> Option<Ask> {
        if let (Failure::Target, State::Asking(asking)) = (&how, &mut self.state)
            && !asking.rest.is_empty()
        {
            let rest = std::mem::take(&mut asking.rest);
            return self.next_target(now, rest, random);
        }
        self.failures = (self.failures + 1).min(16);
        let base = match how {
            Failure::Target => BASE,
            Failure::Refused => REFUSED_BASE,
        };
        let longest = (base * 2_u32.pow(self.failures)).min(LONGEST);
        let wait = longest / 2 + longest / 2 * random.below(1_001) / 1_000;
        let wished = response.and_then(|r| r.headers.text(&Name::RETRY_AFTER)).and_then(retry_after);
        self.state = State::Waiting { at: now + wished.map_or(wait, |wished| wait.max(wished.min(LONGEST * 2))) };
        None
    }

    fn next_target(&mut self, now: Instant, mut rest: VecDeque<(Target, String)>, random: &mut Random) -> Option<Ask> {
        let (target, contact) = rest.pop_front()?;
        self.seq += 1;
        let until = now + if rest.is_empty() { PATIENCE } else { FAILOVER };
        self.state = State::Asking(Asking { target, contact, rest, answered: 0, until });
        let proof = self.proof_for(target, random);
        self.ask(proof)
    }

    fn ask(&self, mut headers: Vec<(Name, String)>) -> Option<Ask> {
        let (State::Asking(asking) | State::Leaving(asking)) = &self.state else { return None };
        let server = &self.settings.server;
        let record = format!("sip:{}@{}", self.credentials.username(), host_of(server));
        headers.push((Name::CONTACT, asking.contact.clone()));
        headers.push((Name::EXPIRES, self.expires_s.to_string()));
        Some(Ask {
            method: Method::REGISTER,
            uri: server.to_string(),
            transport: asking.target.transport,
            destination: asking.target.address,
            from: format!("<{record}>;tag={}", self.from_tag),
            to: format!("<{record}>"),
            call_id: self.call_id.clone(),
            seq: self.seq,
            headers,
        })
    }
}

/// The host of a URI as a URI writes it.
pub fn host_of(uri: &Uri) -> String {
    if uri.host.contains(':') { format!("[{}]", uri.host) } else { uri.host.clone() }
}

/// What the registrar has granted, for our Contact or for all (section 10.2.4); never nothing.
fn granted_s(response: &Response, contact: &str) -> Option<u32> {
    let ours = Address::parse(contact.as_bytes())?.uri;
    let bound = response.headers.list(&Name::CONTACT).filter_map(Address::parse);
    let named = bound.filter(|a| a.uri.as_str() == ours.as_str()).find_map(|a| a.param("expires")?.map(str::to_owned));
    let of_all = || response.headers.text(&Name::EXPIRES).map(str::to_owned);
    named.or_else(of_all)?.trim().parse().ok().filter(|s| (1..=MOST_EXPIRES_S * 365).contains(s))
}

/// RFC 3261 section 20.33: seconds, then perhaps a comment and parameters.
fn retry_after(value: &str) -> Option<Duration> {
    let digits: String = value.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u32>().ok().map(|s| Duration::from_secs(s.into()))
}

#[cfg(test)]
#[path = "registration_tests.rs"]
mod tests;
