//! The Replaces header field (RFC 3891): which dialog a new one is to take the place of. In a request, and (RFC 5589) as a
//! header of the URI that Refer-To names.

use std::fmt;

use super::address::parse_params;
use super::dialog::DialogId;
use super::header::{Headers, Name, is_token};
use super::uri::{Uri, percent_decode};

/// Longest Call-ID that is read: a dialog of ours has none that is longer.
const CALL_ID: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    pub call_id: String,
    /// The tag of whoever gets the request that carries this: ours, in what we read.
    pub to_tag: String,
    pub from_tag: String,
    /// Only a dialog that nobody has answered may be replaced.
    pub early_only: bool,
}

/// More than one Replaces, or one that cannot be read: 400 (section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a Replaces that cannot be read, or more than one")]
pub struct Malformed;

impl Replaces {
    /// The value of one field. Each tag must be there exactly once (section 6.1).
    pub fn parse(value: &[u8]) -> Option<Replaces> {
        let end = value.iter().position(|b| *b == b';')?;
        let call_id = std::str::from_utf8(value[..end].trim_ascii()).ok()?;
        // A comma would begin a second value: a Call-ID has none (section 25.1 of RFC 3261).
        let good = |b: u8| b.is_ascii_graphic() && b != b',';
        if call_id.is_empty() || call_id.len() > CALL_ID || !call_id.bytes().all(good) {
            return None;
        }
        let params = parse_params(&value[end..]);
        let tag = |name: &str| {
            let mut found = params.iter().filter(|(n, _)| n == name);
            let tag = found.next().and_then(|(_, v)| v.clone())?;
            (found.next().is_none() && !tag.is_empty() && tag.bytes().all(is_token)).then_some(tag)
        };
        Some(Replaces {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.iter().any(|(name, _)| name == "early-only"),
        })
    }

    /// The Replaces of a request, if it has one.
    pub fn of(headers: &Headers) -> Result<Option<Replaces>, Malformed> {
        let mut fields = headers.fields(&Name::REPLACES);
        one(fields.next().map(<[u8]>::to_vec), fields.next().is_some())
    }

    /// The Replaces among the headers of a URI (RFC 3261 section 19.1.1), percent-decoded.
    pub fn of_uri(uri: &Uri) -> Result<Option<Replaces>, Malformed> {
        let mut found = uri
            .headers()
            .filter(|(name, _)| Name::parse(percent_decode(name).as_bytes()) == Some(Name::REPLACES))
            .map(|(_, value)| percent_decode(value).into_bytes());
        one(found.next(), found.next().is_some())
    }

    /// The dialog of ours that is meant: `to-tag` is compared with our tag, `from-tag` with the peer's (section 3).
    pub fn dialog_id(&self) -> DialogId {
        // The tag 0 stands for none at all, of peers older than RFC 3261.
        let remote_tag = if self.from_tag == "0" { String::new() } else { self.from_tag.clone() };
        DialogId { call_id: self.call_id.clone(), local_tag: self.to_tag.clone(), remote_tag }
    }
}

fn one(value: Option<Vec<u8>>, more: bool) -> Result<Option<Replaces>, Malformed> {
    match value {
        None => Ok(None),
        Some(_) if more => Err(Malformed),
        Some(value) => Replaces::parse(&value).map(Some).ok_or(Malformed),
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Replaces { call_id, to_tag, from_tag, early_only } = self;
        write!(f, "{call_id};to-tag={to_tag};from-tag={from_tag}{}", if *early_only { ";early-only" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<String> {
        Replaces::parse(value.as_bytes()).map(|replaces| replaces.to_string())
    }

    #[test]
    fn reads_what_it_writes() {
        let value = "425928@phone.example.org;to-tag=7743;from-tag=6472";
        assert_eq!(read(value).as_deref(), Some(value));
        let early = "a.b%c@h:1;to-tag=x;from-tag=y;early-only";
        assert_eq!(read(early).as_deref(), Some(early));
        assert_eq!(read(" c@h ; From-Tag = y ; x=\"a;b\" ; TO-TAG=x ").as_deref(), Some("c@h;to-tag=x;from-tag=y"));
    }

    #[test]
    fn each_tag_stands_once() {
        for bad in [
            "",
            "c@h",
            ";to-tag=a;from-tag=b",
            "c@h;to-tag=a",
            "c@h;from-tag=b",
            "c@h;to-tag=a;to-tag=a;from-tag=b",
            "c@h;to-tag=;from-tag=b",
            "c@h;to-tag;from-tag=b",
            "c@h;to-tag=a b;from-tag=b",
            "c@h,d@h;to-tag=a;from-tag=b",
            "c h;to-tag=a;from-tag=b",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&format!("{};to-tag=a;from-tag=b", "c".repeat(CALL_ID + 1))), None);
        assert_eq!(Replaces::parse(b"\xff@h;to-tag=a;from-tag=b"), None);
    }

    #[test]
    fn of_two_none_counts() {
        let mut headers = Headers::default();
        assert_eq!(Replaces::of(&headers), Ok(None));
        headers.push(Name::REPLACES, "c@h;to-tag=a;from-tag=0");
        let replaces = Replaces::of(&headers).unwrap().unwrap();
        let id = DialogId { call_id: "c@h".into(), local_tag: "a".into(), remote_tag: String::new() };
        assert_eq!(replaces.dialog_id(), id);
        headers.push(Name::REPLACES, "d@h;to-tag=a;from-tag=b");
        assert_eq!(Replaces::of(&headers), Err(Malformed));
    }

    #[test]
    fn a_uri_carries_it_escaped() {
        let of = |uri: &str| Replaces::of_uri(&Uri::parse(uri).unwrap()).map(|r| r.map(|r| r.to_string()));
        let uri = "sip:8@h;transport=tcp?Subject=x&replaces=425928%40h%3Bto-tag%3D7743%3Bfrom-tag%3D6472";
        assert_eq!(of(uri), Ok(Some("425928@h;to-tag=7743;from-tag=6472".to_owned())));
        assert_eq!(of("sip:8@h?Subject=x"), Ok(None));
        assert_eq!(of("sip:a?Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db@h"), Ok(None), "that is a user part");
        assert_eq!(of("sip:8@h?Replaces=c%40h%3Bto-tag%3Da"), Err(Malformed));
        let twice = "sip:8@h?Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db&Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db";
        assert_eq!(of(twice), Err(Malformed));
    }
}
