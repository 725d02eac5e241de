//! The side that is challenged.

use super::{Algorithm, Ha1, Params, Proof, Qop};
use crate::protocol::sip::header::{Headers, Name};

/// What of a request the answer vouches for.
#[derive(Debug, Clone, Copy)]
pub struct Covered<'a> {
    pub method: &'a str,
    /// The Request-URI as written.
    pub uri: &'a str,
    /// Hashed for `auth-int` only.
    pub body: &'a [u8],
}

/// A challenge that we can answer: `WWW-Authenticate` or `Proxy-Authenticate`.
///
/// *Whom* to answer is the owner's to judge: credentials belong to one realm, and to the address that they were given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    pub algorithm: Algorithm,
    /// The `-sess` variant.
    pub sess: bool,
    /// What we choose of what is offered: `auth` before `auth-int`; `None` for a peer of RFC 2069.
    pub qop: Option<Qop>,
    /// Only the nonce was too old: the same credentials may be tried again. Without it they are wrong.
    pub stale: bool,
}

impl Challenge {
    /// `None` for other schemes, unknown algorithms (they must be passed over, RFC 7616 section 3.3) and broken fields.
    pub fn parse(field: &[u8]) -> Option<Challenge> {
        let params = Params::parse(field)?;
        let (algorithm, sess) = params.algorithm()?;
        let offered = params.get("qop").map(|list| list.split(',').filter_map(Qop::parse).collect::<Vec<_>>());
        let qop = match offered.as_deref() {
            // RFC 8760 section 2.3: an empty list cannot be meant.
            None | Some([]) if params.get("qop").is_none_or(str::is_empty) => None,
            Some(offered) if offered.contains(&Qop::Auth) => Some(Qop::Auth),
            Some([Qop::AuthInt, ..]) => Some(Qop::AuthInt),
            _ => return None,
        };
        // What is said here we say back: a line end in it would begin a header of the peer's making.
        let plain = |value: &str| !value.contains(char::is_control);
        Some(Challenge {
            realm: params.get("realm").filter(|value| plain(value))?.to_owned(),
            nonce: params.get("nonce").filter(|value| plain(value))?.to_owned(),
            opaque: params.get("opaque").filter(|value| plain(value)).map(str::to_owned),
            algorithm,
            sess,
            qop,
            stale: params.get("stale").is_some_and(|word| word.eq_ignore_ascii_case("true")),
        })
    }

    /// The strongest challenge of a 401 (`WWW-Authenticate`) or 407 (`Proxy-Authenticate`) that is for this realm (any, if
    /// `None`); the topmost of equals. RFC 8760 section 2.4 lets local policy go before the order of the fields.
    pub fn strongest(headers: &Headers, name: &Name, realm: Option<&str>) -> Option<Challenge> {
        headers
            .fields(name)
            .filter_map(Challenge::parse)
            .filter(|challenge| realm.is_none_or(|realm| challenge.realm == realm))
            .reduce(|best, next| if next.algorithm > best.algorithm { next } else { best })
    }

    /// The value of `Authorization` or `Proxy-Authorization`. `nc` counts from 1 the requests that use this nonce; `cnonce`
    /// is ours to invent for each. `None` if `ha1` is of another algorithm than the challenge.
    pub fn answer(&self, username: &str, ha1: &Ha1, covered: &Covered<'_>, cnonce: &str, nc: u32) -> Option<String> {
        if ha1.algorithm() != self.algorithm {
            return None;
        }
        let nc = format!("{nc:08x}");
        let Challenge { realm, nonce, qop, sess, .. } = self;
        let proof = Proof { ha1, sess: *sess, nonce, cnonce, nc: &nc, qop: *qop, covered };
        let username = username.replace('\\', "\\\\").replace('"', "\\\"");
        let (uri, response) = (covered.uri, proof.response());
        let mut out = format!(
            "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={}{}",
            self.algorithm.as_str(),
            if *sess { "-sess" } else { "" },
        );
        match qop {
            Some(qop) => {
                out.push_str(&format!(", cnonce=\"{cnonce}\", qop={}, nc={nc}", qop.as_str()));
            }
            // The session key needs it even where RFC 2069 knows none.
            None if *sess => out.push_str(&format!(", cnonce=\"{cnonce}\"")),
            None => {}
        }
        if let Some(opaque) = &self.opaque {
            out.push_str(&format!(", opaque=\"{opaque}\""));
        }
        Some(out)
    }
}
