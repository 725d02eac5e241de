//! Header fields: names with their compact forms, values as bytes.

use std::borrow::Cow;
use std::fmt;

/// Header names that this program speaks, with the compact form of RFC 3261 section 7.3.3 and later RFCs.
const KNOWN: &[(&str, Option<char>)] = &[
    ("Via", Some('v')),
    ("From", Some('f')),
    ("To", Some('t')),
    ("Call-ID", Some('i')),
    ("CSeq", None),
    ("Contact", Some('m')),
    ("Content-Length", Some('l')),
    ("Content-Type", Some('c')),
    ("Content-Encoding", Some('e')),
    ("Content-Disposition", None),
    ("Max-Forwards", None),
    ("Route", None),
    ("Record-Route", None),
    ("Require", None),
    ("Proxy-Require", None),
    ("Supported", Some('k')),
    ("Unsupported", None),
    ("Allow", None),
    ("Accept", None),
    ("User-Agent", None),
    ("Server", None),
    ("Expires", None),
    ("Min-Expires", None),
    ("Retry-After", None),
    ("Reason", None),
    ("Privacy", None),
    ("P-Asserted-Identity", None),
    ("Diversion", None),
    ("History-Info", None),
    ("Subject", Some('s')),
    ("Event", Some('o')),
    ("Refer-To", Some('r')),
    ("Referred-By", Some('b')),
    ("Session-Expires", Some('x')),
    ("WWW-Authenticate", None),
    ("Authorization", None),
    ("Proxy-Authenticate", None),
    ("Proxy-Authorization", None),
    ("Warning", None),
    ("Timestamp", None),
    ("Min-SE", None),
    ("RSeq", None),
    ("RAck", None),
    ("Replaces", None),
    ("Refer-Sub", None),
    ("Subscription-State", None),
];

/// A header name; equal without regard to case, compact forms resolved.
#[derive(Debug, Clone)]
pub struct Name(Cow<'static, str>);

impl Name {
    pub const VIA: Name = Name(Cow::Borrowed("Via"));
    pub const FROM: Name = Name(Cow::Borrowed("From"));
    pub const TO: Name = Name(Cow::Borrowed("To"));
    pub const CALL_ID: Name = Name(Cow::Borrowed("Call-ID"));
    pub const CSEQ: Name = Name(Cow::Borrowed("CSeq"));
    pub const CONTACT: Name = Name(Cow::Borrowed("Contact"));
    pub const CONTENT_LENGTH: Name = Name(Cow::Borrowed("Content-Length"));
    pub const CONTENT_TYPE: Name = Name(Cow::Borrowed("Content-Type"));
    pub const CONTENT_ENCODING: Name = Name(Cow::Borrowed("Content-Encoding"));
    pub const CONTENT_DISPOSITION: Name = Name(Cow::Borrowed("Content-Disposition"));
    pub const TIMESTAMP: Name = Name(Cow::Borrowed("Timestamp"));
    pub const MAX_FORWARDS: Name = Name(Cow::Borrowed("Max-Forwards"));
    pub const ROUTE: Name = Name(Cow::Borrowed("Route"));
    pub const RECORD_ROUTE: Name = Name(Cow::Borrowed("Record-Route"));
    pub const REQUIRE: Name = Name(Cow::Borrowed("Require"));
    pub const UNSUPPORTED: Name = Name(Cow::Borrowed("Unsupported"));
    pub const SUPPORTED: Name = Name(Cow::Borrowed("Supported"));
    pub const ALLOW: Name = Name(Cow::Borrowed("Allow"));
    pub const ACCEPT_ENCODING: Name = Name(Cow::Borrowed("Accept-Encoding"));
    pub const ACCEPT: Name = Name(Cow::Borrowed("Accept"));
    pub const USER_AGENT: Name = Name(Cow::Borrowed("User-Agent"));
    pub const SERVER: Name = Name(Cow::Borrowed("Server"));
    pub const RETRY_AFTER: Name = Name(Cow::Borrowed("Retry-After"));
    pub const WARNING: Name = Name(Cow::Borrowed("Warning"));
    pub const REASON: Name = Name(Cow::Borrowed("Reason"));
    pub const PRIVACY: Name = Name(Cow::Borrowed("Privacy"));
    pub const SESSION_EXPIRES: Name = Name(Cow::Borrowed("Session-Expires"));
    pub const MIN_SE: Name = Name(Cow::Borrowed("Min-SE"));
    pub const RSEQ: Name = Name(Cow::Borrowed("RSeq"));
    pub const RACK: Name = Name(Cow::Borrowed("RAck"));
    pub const EVENT: Name = Name(Cow::Borrowed("Event"));
    pub const REFER_TO: Name = Name(Cow::Borrowed("Refer-To"));
    pub const REFER_SUB: Name = Name(Cow::Borrowed("Refer-Sub"));
    pub const SUBSCRIPTION_STATE: Name = Name(Cow::Borrowed("Subscription-State"));
    pub const REPLACES: Name = Name(Cow::Borrowed("Replaces"));
    pub const EXPIRES: Name = Name(Cow::Borrowed("Expires"));
    pub const SIP_ETAG: Name = Name(Cow::Borrowed("SIP-ETag"));
    pub const MIN_EXPIRES: Name = Name(Cow::Borrowed("Min-Expires"));
    pub const WWW_AUTHENTICATE: Name = Name(Cow::Borrowed("WWW-Authenticate"));
    pub const AUTHORIZATION: Name = Name(Cow::Borrowed("Authorization"));
    pub const PROXY_AUTHENTICATE: Name = Name(Cow::Borrowed("Proxy-Authenticate"));
    pub const PROXY_AUTHORIZATION: Name = Name(Cow::Borrowed("Proxy-Authorization"));
    pub const P_ASSERTED_IDENTITY: Name = Name(Cow::Borrowed("P-Asserted-Identity"));

    /// `None` if the bytes are no token (RFC 3261 section 25.1).
    pub fn parse(bytes: &[u8]) -> Option<Name> {
        let word = std::str::from_utf8(bytes).ok()?;
        if word.is_empty() || !word.bytes().all(is_token) {
            return None;
        }
        let known = match *bytes {
            [letter] => KNOWN.iter().find(|(_, compact)| *compact == Some(char::from(letter.to_ascii_lowercase()))),
            _ => KNOWN.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)),
        };
        Some(match known {
            Some((name, _)) => Name(Cow::Borrowed(name)),
            None => Name(Cow::Owned(word.to_owned())),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Header fields in the order of the message. Values are bytes: a GBK display name must not cost the call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Name, Vec<u8>)>);

impl Headers {
    pub fn push(&mut self, name: Name, value: impl Into<Vec<u8>>) {
        self.0.push((name, value.into()));
    }

    pub fn extend(&mut self, fields: impl IntoIterator<Item = (Name, Vec<u8>)>) {
        self.0.extend(fields);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whole field values of this name, in order, not split at commas.
    pub fn fields<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_slice())
    }

    pub fn first<'a>(&'a self, name: &'a Name) -> Option<&'a [u8]> {
        self.fields(name).next()
    }

    /// The first field of this name as text; `None` if it is missing or not UTF-8.
    pub fn text<'a>(&'a self, name: &'a Name) -> Option<&'a str> {
        self.first(name).and_then(|v| std::str::from_utf8(v).ok()).map(str::trim)
    }

    /// The values of a list header, over all its fields, split at commas outside quotes and angle brackets.
    pub fn list<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a [u8]> {
        self.fields(name).flat_map(split_list)
    }

    /// Whether a list header of tokens (Require, Supported, Privacy with `;`) holds this one.
    pub fn has_token<'a>(&'a self, name: &'a Name, token: &str) -> bool {
        self.fields(name)
            .flat_map(|v| v.split(|b| *b == b',' || *b == b';'))
            .any(|t| t.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    pub fn replace_first(&mut self, name: &Name, value: Vec<u8>) {
        if let Some((_, v)) = self.0.iter_mut().find(|(n, _)| n == name) {
            *v = value;
        }
    }

    /// Takes every field of this name out.
    pub fn remove(&mut self, name: &Name) {
        self.0.retain(|(n, _)| n != name);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Name, &[u8])> {
        self.0.iter().map(|(n, v)| (n, v.as_slice()))
    }
}

/// Splits at commas that stand outside quoted strings and angle brackets; empty parts are left out.
pub fn split_list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quotes, mut depth) = (Quotes::of(value), 0u32);
    value
        .split(move |b| {
            match (quotes.step(*b), b) {
                (true, b'<') => depth += 1,
                (true, b'>') => depth = depth.saturating_sub(1),
                (true, b',') => return depth == 0,
                _ => {}
            }
            false
        })
        .map(<[u8]>::trim_ascii)
        .filter(|part| !part.is_empty())
}

/// Walks over a value and tells what stands within quoted strings (section 25.1).
///
/// In a value that is not UTF-8 the bytes from 0x81 lead the two-byte characters of GBK, and the second byte may look like
/// a backslash: 誠 is 0xD5 0x5C. It escapes nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quotes {
    two_byte: bool,
    quoted: bool,
    escaped: bool,
    led: bool,
}

impl Quotes {
    pub(super) fn of(value: &[u8]) -> Quotes {
        Quotes { two_byte: std::str::from_utf8(value).is_err(), quoted: false, escaped: false, led: false }
    }

    /// Takes the next byte; true if it is no part of a quoted string, its quotation marks included.
    pub(super) fn step(&mut self, b: u8) -> bool {
        if std::mem::take(&mut self.escaped) {
            return false;
        }
        if std::mem::take(&mut self.led) && b >= 0x40 {
            return !self.quoted;
        }
        match b {
            b'\\' if self.quoted => self.escaped = true,
            b'"' => {
                self.quoted = !self.quoted;
                return false;
            }
            0x81.. => self.led = self.two_byte,
            _ => {}
        }
        !self.quoted
    }

    /// Whether the byte just taken was the backslash of an escape.
    pub(super) fn escapes(&self) -> bool {
        self.escaped
    }
}

pub(super) fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_names_and_case_do_not_matter() {
        assert_eq!(Name::parse(b"v"), Some(Name::VIA));
        assert_eq!(Name::parse(b"CONTACT"), Some(Name::CONTACT));
        assert_eq!(Name::parse(b"M").map(|n| n.to_string()), Some("Contact".to_owned()));
        assert_eq!(Name::parse(b"X y"), None);
        assert_eq!(Name::parse(b""), None);
    }

    #[test]
    fn lists_split_outside_quotes_and_brackets() {
        let parts: Vec<_> = split_list(br#""A, \"B" <sip:a,b@h>;q=1 , sip:c@h,,<sip:d@h>"#).collect();
        assert_eq!(parts, [&br#""A, \"B" <sip:a,b@h>;q=1"#[..], b"sip:c@h", b"<sip:d@h>"]);
    }
}
