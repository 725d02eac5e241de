//! The side that challenges: nonces that it signs and need not remember, and the judgement of an answer.
//!
//! A nonce is the moment and number of its making with an HMAC over them and the sender's address, so a challenge costs no
//! memory. What must be remembered is how far each *used* nonce has been counted, for as long as it lives; only right answers
//! get so far, so strangers cannot fill that table.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Algorithm, Covered, Ha1, Params, Proof, Qop, hex};
use crate::clock::Instant;
use crate::ids::Random;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::uri::Uri;

/// How long a nonce may be used: 64 × T1, so that it outlives every retransmission of the request that brings it.
pub const NONCE_LIFE: Duration = Duration::from_secs(32);

/// Nonces in use at once. A right answer beyond it is asked to come again, so none is ever counted twice.
const NONCES: usize = 16_384;

/// Octets of the HMAC that a nonce shows.
const MAC_OCTETS: usize = 16;

/// What one account is known by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    md5: Option<Ha1>,
    sha256: Option<Ha1>,
}

impl Secrets {
    pub fn of_password(username: &str, realm: &str, password: &str) -> Secrets {
        Algorithm::ALL.into_iter().map(|algorithm| Ha1::new(algorithm, username, realm, password)).collect()
    }

    /// The same password, as far as both have a hash of one kind.
    pub fn agrees(&self, other: &Secrets) -> bool {
        let same = |algorithm: &Algorithm| match (self.get(*algorithm), other.get(*algorithm)) {
            (Some(one), Some(other)) => Some(one == other),
            _ => None,
        };
        Algorithm::ALL.iter().find_map(same).unwrap_or(false)
    }

    pub fn get(&self, algorithm: Algorithm) -> Option<&Ha1> {
        match algorithm {
            Algorithm::Md5 => self.md5.as_ref(),
            Algorithm::Sha256 => self.sha256.as_ref(),
        }
    }
}

impl FromIterator<Ha1> for Secrets {
    fn from_iter<I: IntoIterator<Item = Ha1>>(all: I) -> Secrets {
        all.into_iter().fold(Secrets::default(), |mut secrets, ha1| {
            match ha1.algorithm() {
                Algorithm::Md5 => secrets.md5 = Some(ha1),
                Algorithm::Sha256 => secrets.sha256 = Some(ha1),
            }
            secrets
        })
    }
}

/// What a request's credentials are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// None for our realm.
    Missing,
    /// Unknown user, wrong password, or nothing that makes sense: all the same to the sender.
    Wrong,
    /// Right, but the nonce is too old, not ours (any more), or has been used up.
    Stale,
    /// Right, but this count has been seen with this nonce.
    Replayed,
    Right {
        username: String,
    },
}

#[derive(Debug)]
pub struct Guard {
    realm: String,
    /// Strongest first.
    algorithms: Vec<Algorithm>,
    key: [u8; 32],
    issued: u32,
    /// The highest count of each nonce in use.
    counts: BTreeMap<String, u32>,
    /// The same nonces with the end of their lives, in order of first use.
    ends: VecDeque<(Instant, String)>,
    /// Stands for users who do not exist, so that they cost the same time.
    nobody: Secrets,
}

/// An `Authorization` that has everything it must have.
struct Credentials<'a> {
    username: &'a str,
    nonce: &'a str,
    uri: &'a str,
    response: &'a str,
    algorithm: Algorithm,
    /// With `cnonce` and `nc`; `None` for a phone of RFC 2069.
    qop: Option<(Qop, &'a str, &'a str)>,
}

impl Guard {
    /// `algorithms`: those that every account has an [`Ha1`] of.
    pub fn new(realm: &str, mut algorithms: Vec<Algorithm>, random: &mut Random) -> Guard {
        algorithms.sort_unstable_by(|a, b| b.cmp(a));
        let nobody = Secrets::of_password(&random.token(), realm, &random.token());
        Guard {
            realm: realm.to_owned(),
            algorithms,
            key: random.bytes(),
            issued: 0,
            counts: BTreeMap::new(),
            ends: VecDeque::new(),
            nobody,
        }
    }

    /// The values of `WWW-Authenticate`, strongest first, all with one new nonce (RFC 8760 section 2.3). `weakest`: only the
    /// last of them, for a phone that cannot choose.
    pub fn challenges(&mut self, now: Instant, source: IpAddr, stale: bool, weakest: bool) -> Vec<String> {
        self.issued = self.issued.wrapping_add(1);
        let stamp = format!("{:016x}{:08x}", now.as_nanos(), self.issued);
        let nonce = format!("{stamp}{}", hex(&self.mac(&stamp, source).finalize().into_bytes()[..MAC_OCTETS]));
        let stale = if stale { ", stale=true" } else { "" };
        let one = |algorithm: &Algorithm| {
            let (realm, algorithm) = (&self.realm, algorithm.as_str());
            format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}")
        };
        let from = if weakest { self.algorithms.len().saturating_sub(1) } else { 0 };
        self.algorithms[from..].iter().map(one).collect()
    }

    /// Judges the credentials of a request from `source`. `find` knows the accounts.
    pub fn judge<'s>(
        &mut self,
        now: Instant,
        source: IpAddr,
        request: &Request,
        find: impl FnOnce(&str) -> Option<&'s Secrets>,
    ) -> Verdict {
        let ours = |params: &Params<'_>| params.get("realm") == Some(self.realm.as_str());
        let Some(params) = request.headers.fields(&Name::AUTHORIZATION).filter_map(Params::parse).find(ours) else {
            return Verdict::Missing;
        };
        let Some(credentials) = Credentials::read(&params) else { return Verdict::Wrong };
        let Credentials { username, nonce, algorithm, qop, .. } = credentials;
        let known = find(username);
        let ha1 = known.and_then(|secrets| secrets.get(algorithm)).or_else(|| self.nobody.get(algorithm));
        let Some(ha1) = ha1.filter(|_| self.algorithms.contains(&algorithm)) else { return Verdict::Wrong };
        let (_, cnonce, nc) = qop.unwrap_or((Qop::Auth, "", ""));
        let method = request.method.to_string();
        let covered = Covered { method: &method, uri: credentials.uri, body: &request.body };
        let proof = Proof { ha1, sess: false, nonce, cnonce, nc, qop: qop.map(|(qop, ..)| qop), covered: &covered };
        let right = same(proof.response().as_bytes(), credentials.response.to_ascii_lowercase().as_bytes());
        if !(right & known.is_some() & names_the_same(credentials.uri, request)) {
            return Verdict::Wrong;
        }
        // Without `nc` a nonce is good for one request.
        let count = if qop.is_some() { u32::from_str_radix(nc, 16).unwrap_or(0) } else { u32::MAX };
        match self.made_at(nonce, source).filter(|made| now.since(*made) < NONCE_LIFE && *made <= now) {
            Some(made) => self.count(now, made, nonce, count, username),
            None => Verdict::Stale,
        }
    }

    /// Nonces that are remembered.
    pub fn remembered(&self) -> usize {
        self.counts.len()
    }

    fn count(&mut self, now: Instant, made: Instant, nonce: &str, count: u32, username: &str) -> Verdict {
        while let Some((_, old)) = self.ends.pop_front_if(|(end, _)| *end <= now) {
            self.counts.remove(&old);
        }
        let room = self.counts.len() < NONCES;
        match self.counts.get_mut(nonce) {
            Some(last) if count <= *last => return Verdict::Replayed,
            Some(last) => *last = count,
            None if count == 0 => return Verdict::Replayed,
            None if !room => return Verdict::Stale,
            None => {
                self.counts.insert(nonce.to_owned(), count);
                // Not `made`: the order of first use is the order of this queue.
                self.ends.push_back((now.max(made) + NONCE_LIFE, nonce.to_owned()));
            }
        }
        Verdict::Right { username: username.to_owned() }
    }

    /// When a nonce of ours was made for this source; `None` if it is not one.
    fn made_at(&self, nonce: &str, source: IpAddr) -> Option<Instant> {
        let (stamp, shown) = nonce.split_at_checked(24)?;
        let mac = unhex(shown).filter(|mac| mac.len() == MAC_OCTETS)?;
        self.mac(stamp, source).verify_truncated_left(&mac).ok()?;
        u64::from_str_radix(stamp.get(..16)?, 16).ok().map(Instant::from_nanos)
    }

    fn mac(&self, stamp: &str, source: IpAddr) -> Hmac<Sha256> {
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block[..self.key.len()].copy_from_slice(&self.key);
        let mut mac = Hmac::<Sha256>::new(&block);
        mac.update(stamp.as_bytes());
        mac.update(source.to_canonical().to_string().as_bytes());
        mac
    }
}

impl<'a> Credentials<'a> {
    fn read(params: &Params<'a>) -> Option<Credentials<'a>> {
        let (algorithm, sess) = params.algorithm()?;
        let qop = match params.get("qop") {
            None => None,
            Some(word) => {
                let qop = Qop::parse(word)?;
                let nc = params.get("nc").filter(|nc| nc.len() == 8 && nc.bytes().all(|b| b.is_ascii_hexdigit()))?;
                Some((qop, params.get("cnonce")?, nc))
            }
        };
        let read = Credentials {
            username: params.get("username")?,
            nonce: params.get("nonce")?,
            uri: params.get("uri")?,
            response: params.get("response")?,
            algorithm,
            qop,
        };
        // We offer no `-sess`, and a hashed user name only after `userhash=true` (RFC 7616 section 3.4.4).
        let hashed = params.get("userhash").is_some_and(|word| word.eq_ignore_ascii_case("true"));
        (!sess && !hashed).then_some(read)
    }
}

/// RFC 3261 section 22.4 (5.): the URI that was hashed must lead where the request goes. Phones leave parameters out.
fn names_the_same(uri: &str, request: &Request) -> bool {
    let (Some(hashed), Some(target)) = (Uri::parse(uri), &request.uri) else { return false };
    hashed.host.eq_ignore_ascii_case(&target.host) && hashed.user == target.user
}

/// Equal or not, in a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b))) == 0
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}
