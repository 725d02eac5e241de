//! Digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760): MD5 and SHA-256, both roles.
//!
//! `client` answers a challenge, `server` makes challenges and judges answers. Neither keeps a password: what is asked for
//! is [`Ha1`], the hash of user name, realm and password.

mod client;
mod server;
#[cfg(test)]
mod tests;

use std::fmt;

use md5::Digest as _;

pub use client::{Challenge, Covered};
pub use server::{Guard, NONCE_LIFE, Secrets, Verdict};

use super::header::split_list;

/// Weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub const ALL: [Algorithm; 2] = [Algorithm::Md5, Algorithm::Sha256];

    /// As the parameter `algorithm` says it (RFC 8760 section 2.1).
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// Hex digits of a hash.
    pub fn digits(self) -> usize {
        match self {
            Algorithm::Md5 => 32,
            Algorithm::Sha256 => 64,
        }
    }

    /// The hash of `parts` joined by colons, in lower-case hex.
    fn hash(self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b':');
        match self {
            Algorithm::Md5 => hex(&md5::Md5::digest(&text)),
            Algorithm::Sha256 => hex(&sha2::Sha256::digest(&text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// H(user name:realm:password): all that is kept of a password (RFC 7616 section 3.4.2, `A1` of the plain variants).
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    algorithm: Algorithm,
    hex: String,
}

impl Ha1 {
    pub fn new(algorithm: Algorithm, username: &str, realm: &str, password: &str) -> Ha1 {
        let hex = algorithm.hash(&[username.as_bytes(), realm.as_bytes(), password.as_bytes()]);
        Ha1 { algorithm, hex }
    }

    /// From its hex digits, of either case; `None` if they are too few, too many or none.
    pub fn parse(algorithm: Algorithm, digits: &str) -> Option<Ha1> {
        let whole = digits.len() == algorithm.digits() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        whole.then(|| Ha1 { algorithm, hex: digits.to_ascii_lowercase() })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Whoever has it can register as its owner: it is printed nowhere.
impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ha1({})", self.algorithm.as_str())
    }
}

/// Quality of protection: `auth-int` covers the body too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qop {
    Auth,
    AuthInt,
}

impl Qop {
    pub fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }

    fn parse(word: &str) -> Option<Qop> {
        [Qop::Auth, Qop::AuthInt].into_iter().find(|qop| word.trim().eq_ignore_ascii_case(qop.as_str()))
    }
}

/// What `response` is computed from (RFC 7616 section 3.4.1).
struct Proof<'a> {
    ha1: &'a Ha1,
    /// The `-sess` variant of the algorithm.
    sess: bool,
    nonce: &'a str,
    cnonce: &'a str,
    /// Eight hex digits, as written.
    nc: &'a str,
    /// `None`: RFC 2069, without `cnonce` and `nc`.
    qop: Option<Qop>,
    covered: &'a Covered<'a>,
}

impl Proof<'_> {
    fn response(&self) -> String {
        let Proof { ha1: Ha1 { algorithm, hex: ha1 }, nonce, cnonce, nc, covered, .. } = *self;
        let session_key = self.sess.then(|| algorithm.hash(&[ha1.as_bytes(), nonce.as_bytes(), cnonce.as_bytes()]));
        let ha1 = session_key.as_ref().unwrap_or(ha1);
        let (method, uri) = (covered.method.as_bytes(), covered.uri.as_bytes());
        let ha2 = match self.qop {
            Some(Qop::AuthInt) => algorithm.hash(&[method, uri, algorithm.hash(&[covered.body]).as_bytes()]),
            Some(Qop::Auth) | None => algorithm.hash(&[method, uri]),
        };
        let (ha1, nonce, ha2) = (ha1.as_bytes(), nonce.as_bytes(), ha2.as_bytes());
        match self.qop {
            Some(qop) => algorithm.hash(&[ha1, nonce, nc.as_bytes(), cnonce.as_bytes(), qop.as_str().as_bytes(), ha2]),
            None => algorithm.hash(&[ha1, nonce, ha2]),
        }
    }
}

/// The parameters of one `Digest …` field. Quoted values are kept as they stand between their quotes, escapes and all: that
/// is what both sides hash.
struct Params<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Params<'a> {
    /// `None` if it is no Digest, no text, or says one thing twice.
    fn parse(field: &'a [u8]) -> Option<Params<'a>> {
        let field = std::str::from_utf8(field).ok()?.trim();
        let (scheme, rest) = field.split_once(|c: char| c.is_ascii_whitespace())?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut params: Vec<(&str, &str)> = Vec::new();
        for part in split_list(rest.as_bytes()) {
            let (name, value) = std::str::from_utf8(part).ok()?.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            let value = match value.strip_prefix('"') {
                Some(rest) => rest.strip_suffix('"')?,
                None => value,
            };
            if params.iter().any(|(n, _)| n.eq_ignore_ascii_case(name)) {
                return None;
            }
            params.push((name, value));
        }
        Some(Params(params))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The algorithm and whether it is its `-sess` variant; MD5 if nothing is said (section 3.3).
    fn algorithm(&self) -> Option<(Algorithm, bool)> {
        let Some(word) = self.get("algorithm") else { return Some((Algorithm::Md5, false)) };
        Algorithm::ALL.into_iter().find_map(|algorithm| {
            let rest = word.get(algorithm.as_str().len()..)?;
            let same = word[..algorithm.as_str().len()].eq_ignore_ascii_case(algorithm.as_str());
            match rest {
                "" if same => Some((algorithm, false)),
                rest if same && rest.eq_ignore_ascii_case("-sess") => Some((algorithm, true)),
                _ => None,
            }
        })
    }
}
