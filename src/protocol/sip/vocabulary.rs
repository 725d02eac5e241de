//! The one place where `rsip` is used: methods, status codes and simple numeric header values, as words.
//!
//! rsip never sees bytes from the network (this front end has unfolded, split and checked them first) and never prints
//! wire output: its parser refuses legal messages, and its `Display` runs reason phrases together.

use std::fmt;

use rsip::headers::UntypedHeader as _;

/// A SIP method (RFC 3261 section 7.1). Methods are case-sensitive; one that we do not know is kept as written,
/// so that it can be answered with 405 or 501.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    Known(rsip::Method),
    Other(Box<str>),
}

impl Method {
    pub const INVITE: Method = Method::Known(rsip::Method::Invite);
    pub const ACK: Method = Method::Known(rsip::Method::Ack);
    pub const BYE: Method = Method::Known(rsip::Method::Bye);
    pub const CANCEL: Method = Method::Known(rsip::Method::Cancel);
    pub const OPTIONS: Method = Method::Known(rsip::Method::Options);
    pub const INFO: Method = Method::Known(rsip::Method::Info);
    pub const UPDATE: Method = Method::Known(rsip::Method::Update);
    pub const PRACK: Method = Method::Known(rsip::Method::PRack);
    pub const REFER: Method = Method::Known(rsip::Method::Refer);
    pub const NOTIFY: Method = Method::Known(rsip::Method::Notify);
    pub const PUBLISH: Method = Method::Known(rsip::Method::Publish);
    pub const REGISTER: Method = Method::Known(rsip::Method::Register);

    pub fn parse(word: &str) -> Method {
        match word.parse::<rsip::Method>() {
            Ok(known) if known.to_string() == word => Method::Known(known),
            _ => Method::Other(word.into()),
        }
    }

    /// Words that metrics may carry: a method from outside must not invent label values.
    pub fn label(&self) -> String {
        match self {
            Method::Known(known) => known.to_string(),
            Method::Other(_) => "other".to_owned(),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::Known(known) => known.fmt(f),
            Method::Other(word) => f.write_str(word),
        }
    }
}

/// The reason phrase for a status code (RFC 3261 section 21), made from rsip's name of it: `TemporarilyUnavailable`
/// becomes "Temporarily Unavailable".
pub fn reason_phrase(status: u16) -> String {
    match status {
        200 => return "OK".to_owned(),
        416 => return "Unsupported URI Scheme".to_owned(),
        481 => return "Call/Transaction Does Not Exist".to_owned(),
        501 => return "Not Implemented".to_owned(),
        504 => return "Server Time-out".to_owned(),
        _ => {}
    }
    let name = match rsip::StatusCode::from(status) {
        rsip::StatusCode::Other(..) => return "Unknown".to_owned(),
        known => format!("{known:?}"),
    };
    let mut phrase = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !phrase.is_empty() {
            phrase.push(' ');
        }
        phrase.push(c);
    }
    phrase
}

/// `1*DIGIT`: Rust's own parser would take a plus sign too.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `Max-Forwards` (section 20.22): 0 to 255.
pub fn max_forwards(value: &str) -> Option<u8> {
    if !is_number(value.trim()) {
        return None;
    }
    rsip::headers::MaxForwards::new(value.trim()).num().ok().and_then(|n| u8::try_from(n).ok())
}

/// `Expires` (section 20.19) in seconds.
pub fn expires_s(value: &str) -> Option<u32> {
    rsip::headers::Expires::new(value.trim()).seconds().ok()
}

/// `CSeq` (section 20.16): a number below 2^31 and a method.
pub fn cseq(value: &str) -> Option<(u32, Method)> {
    let (number, method) = value.trim().split_once(|c: char| c.is_ascii_whitespace())?;
    if !is_number(number) {
        return None;
    }
    let method = Method::parse(method.trim());
    let number = match &method {
        Method::Known(known) => rsip::headers::CSeq::new(format!("{number} {known}")).seq().ok()?,
        Method::Other(_) => number.parse().ok()?,
    };
    (number < 1 << 31).then_some((number, method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_methods_are_kept_as_written() {
        assert_eq!(Method::parse("INVITE"), Method::INVITE);
        assert_eq!(Method::parse("invite").to_string(), "invite");
        assert_eq!(Method::parse("FOO").label(), "other");
    }

    #[test]
    fn reason_phrases_have_spaces() {
        assert_eq!(reason_phrase(180), "Ringing");
        assert_eq!(reason_phrase(480), "Temporarily Unavailable");
        assert_eq!(reason_phrase(486), "Busy Here");
        assert_eq!(reason_phrase(487), "Request Terminated");
        assert_eq!(reason_phrase(488), "Not Acceptable Here");
        assert_eq!(reason_phrase(503), "Service Unavailable");
        assert_eq!(reason_phrase(799), "Unknown");
    }

    #[test]
    fn numbers_are_bounded() {
        assert_eq!(cseq("  314159   INVITE "), Some((314_159, Method::INVITE)));
        assert_eq!(cseq("7 FOO").map(|(n, m)| (n, m.to_string())), Some((7, "FOO".to_owned())));
        assert_eq!(cseq("4294967295 INVITE"), None);
        assert_eq!(cseq("36893488147419103232 REGISTER"), None);
        assert_eq!(max_forwards("70"), Some(70));
        assert_eq!(max_forwards("300"), None);
        assert_eq!(
            (max_forwards("+7"), cseq("+7 INVITE"), cseq("-1 INVITE"), cseq("+7 FOO")),
            (None, None, None, None)
        );
        assert_eq!(expires_s("3600"), Some(3600));
    }
}
