//! Our account with a carrier: whom we prove ourselves to, and whom never.
//!
//! A digest answer is as good as a password for whoever can guess offline, so it goes to nobody but the trunk that the account is
//! of: only to an address that we had just asked ourselves, and only for one realm, the configured one or else the first seen.

use std::fmt;

use crate::ids::Random;
use crate::protocol::sip::digest::{Challenge, Covered, Ha1};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Response;

#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub username: String,
    pub password: String,
    /// `None`: the first realm that challenges us.
    pub realm: Option<String>,
}

/// The password is printed nowhere.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("username", &self.username).field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// An account in use.
#[derive(Debug, Clone)]
pub struct Credentials {
    account: Account,
    /// Requests that have used this nonce.
    used: Option<(String, u32)>,
    /// The last challenge that was answered, and the header for it.
    last: Option<(Name, Challenge)>,
}

/// A stale nonce is no refusal (RFC 7616 section 3.3), but a server that says so for ever is broken.
const MOST_STALE: u32 = 2;

/// A request that was challenged.
#[derive(Debug, Clone, Copy)]
pub struct Challenged<'a> {
    pub covered: Covered<'a>,
    /// The response came from where the request had gone.
    pub from_asked: bool,
    /// How many challenges of this request have been answered already.
    pub answered: u32,
}

impl Credentials {
    pub fn new(account: Account) -> Credentials {
        Credentials { account, used: None, last: None }
    }

    pub fn username(&self) -> &str {
        &self.account.username
    }

    /// The header that answers a 401 or 407; `None` if it is not to be answered.
    pub fn answer(
        &mut self,
        response: &Response,
        request: Challenged<'_>,
        random: &mut Random,
    ) -> Option<(Name, String)> {
        let (asks, answers) = match response.status {
            401 => (Name::WWW_AUTHENTICATE, Name::AUTHORIZATION),
            407 => (Name::PROXY_AUTHENTICATE, Name::PROXY_AUTHORIZATION),
            _ => return None,
        };
        let challenge = Challenge::strongest(&response.headers, &asks, self.account.realm.as_deref())?;
        let again = request.answered == 0 || (challenge.stale && request.answered <= MOST_STALE);
        if !request.from_asked || !again {
            return None;
        }
        self.account.realm.get_or_insert_with(|| challenge.realm.clone());
        let value = self.prove(&challenge, &request.covered, random)?;
        self.last = Some((answers.clone(), challenge));
        Some((answers, value))
    }

    /// The last challenge answered once more, its nonce counted on, so that a request is not refused first (RFC 7616
    /// section 3.6). Only for whoever has made that challenge. `None`: there was none, or its nonce is good for one request.
    pub fn again(&mut self, covered: &Covered<'_>, random: &mut Random) -> Option<(Name, String)> {
        let (name, challenge) = self.last.clone()?;
        challenge.qop?;
        let value = self.prove(&challenge, covered, random)?;
        Some((name, value))
    }

    fn prove(&mut self, challenge: &Challenge, covered: &Covered<'_>, random: &mut Random) -> Option<String> {
        let account = &self.account;
        let nc = match &self.used {
            Some((nonce, count)) if *nonce == challenge.nonce => count + 1,
            _ => 1,
        };
        self.used = Some((challenge.nonce.clone(), nc));
        let ha1 = Ha1::new(challenge.algorithm, &account.username, &challenge.realm, &account.password);
        challenge.answer(&account.username, &ha1, covered, &random.token(), nc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::sip::header::Headers;

    fn challenge(status: u16, fields: &[&str]) -> Response {
        let mut headers = Headers::default();
        let name = if status == 401 { Name::WWW_AUTHENTICATE } else { Name::PROXY_AUTHENTICATE };
        fields.iter().for_each(|field| headers.push(name.clone(), *field));
        Response { status, reason: String::new(), headers, body: Vec::new() }
    }

    fn request(answered: u32) -> Challenged<'static> {
        let covered = Covered { method: "REGISTER", uri: "sip:carrier.example", body: b"" };
        Challenged { covered, from_asked: true, answered }
    }

    fn credentials(realm: Option<&str>) -> Credentials {
        let account = Account { username: "u".into(), password: "secret".into(), realm: realm.map(str::to_owned) };
        Credentials::new(account)
    }

    const CARRIER: &str = r#"Digest realm="carrier", nonce="n1", qop="auth", algorithm=MD5"#;

    #[test]
    fn the_one_who_was_asked_gets_an_answer_and_nobody_else() {
        let mut random = Random::from_number(1);
        let mut credentials = credentials(None);
        let strange = Challenged { from_asked: false, ..request(0) };
        assert_eq!(credentials.answer(&challenge(401, &[CARRIER]), strange, &mut random), None);
        let (name, value) = credentials.answer(&challenge(401, &[CARRIER]), request(0), &mut random).unwrap();
        assert_eq!(name, Name::AUTHORIZATION);
        assert!(value.contains(r#"username="u""#) && value.contains("nc=00000001"), "{value}");
        let (name, value) = credentials.answer(&challenge(407, &[CARRIER]), request(0), &mut random).unwrap();
        assert_eq!(name, Name::PROXY_AUTHORIZATION);
        assert!(value.contains("nc=00000002"), "the same nonce, used again: {value}");
        assert!(!format!("{credentials:?}").contains("secret"));
    }

    #[test]
    fn the_first_realm_binds_and_a_configured_one_from_the_start() {
        let mut random = Random::from_number(1);
        let other = r#"Digest realm="evil", nonce="n2", qop="auth""#;
        let mut first = credentials(None);
        assert!(first.answer(&challenge(401, &[CARRIER]), request(0), &mut random).is_some());
        assert_eq!(first.answer(&challenge(401, &[other]), request(0), &mut random), None);
        let mut configured = credentials(Some("carrier"));
        assert_eq!(configured.answer(&challenge(401, &[other]), request(0), &mut random), None);
        let both = challenge(401, &[other, CARRIER]);
        assert!(configured.answer(&both, request(0), &mut random).is_some_and(|(_, v)| v.contains("\"carrier\"")));
    }

    #[test]
    fn wrong_credentials_are_not_offered_again_and_a_stale_nonce_only_so_often() {
        let mut random = Random::from_number(1);
        let mut credentials = credentials(None);
        assert_eq!(credentials.answer(&challenge(401, &[CARRIER]), request(1), &mut random), None);
        let stale = challenge(401, &[r#"Digest realm="carrier", nonce="n3", qop="auth", stale=TRUE"#]);
        assert!(credentials.answer(&stale, request(1), &mut random).is_some());
        assert!(credentials.answer(&stale, request(2), &mut random).is_some());
        assert_eq!(credentials.answer(&stale, request(3), &mut random), None);
    }
}
