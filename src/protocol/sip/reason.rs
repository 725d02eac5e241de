//! The Reason header field (RFC 3326): why a request or a failure was sent.

use std::fmt;

use super::address::parse_params;
use super::header::{Headers, Name, split_list};
use super::vocabulary::is_number;

/// Longest text that is kept: a real one is a short sentence.
const TEXT: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `SIP` (the cause is a status code) or `Q.850` (a cause of ISUP), as written.
    pub protocol: String,
    pub cause: Option<u16>,
    pub text: String,
}

impl Reason {
    /// Section 2: a fork that lost. The phone does not list it as a missed call.
    pub fn completed_elsewhere() -> Reason {
        Reason { protocol: "SIP".to_owned(), cause: Some(200), text: "Call completed elsewhere".to_owned() }
    }

    /// Q.850: the other person hung up.
    pub fn normal_clearing() -> Reason {
        Reason { protocol: "Q.850".to_owned(), cause: Some(16), text: "Normal call clearing".to_owned() }
    }

    /// Q.850: a timer ran out in vain (no media, no refresh, no ACK).
    pub fn timer_expired() -> Reason {
        Reason { protocol: "Q.850".to_owned(), cause: Some(102), text: "Recovery on timer expiry".to_owned() }
    }

    /// The first Reason of a message.
    pub fn of(headers: &Headers) -> Option<Reason> {
        let value = split_list(headers.first(&Name::REASON)?).next()?;
        let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
        let protocol = std::str::from_utf8(value[..end].trim_ascii()).ok()?;
        if protocol.is_empty() || protocol.len() > 32 || !protocol.bytes().all(super::header::is_token) {
            return None;
        }
        let params = parse_params(&value[end..]);
        let param = |name: &str| params.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.as_deref());
        let cause = param("cause").filter(|c| is_number(c)).and_then(|c| c.parse().ok());
        // It goes into the ledger and onto terminals.
        let text = param("text").unwrap_or_default().chars().filter(|c| !c.is_control()).take(TEXT).collect();
        Some(Reason { protocol: protocol.to_owned(), cause, text })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        if !self.text.is_empty() {
            write!(f, ";text=\"{}\"", self.text.replace(['"', '\\'], "'"))?;
        }
        Ok(())
    }
}

/// Retry-After (RFC 3261 section 20.33) in seconds; its comment and parameters say nothing more to us.
pub fn retry_after_s(headers: &Headers) -> Option<u32> {
    let text = headers.text(&Name::RETRY_AFTER)?;
    let number = text.split([';', '(', ' ']).next()?;
    is_number(number).then(|| number.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<String> {
        let mut headers = Headers::default();
        headers.push(Name::REASON, value);
        Reason::of(&headers).map(|r| r.to_string())
    }

    #[test]
    fn reads_what_it_writes_and_bounds_what_it_reads() {
        let ours = Reason::completed_elsewhere().to_string();
        assert_eq!(ours, "SIP;cause=200;text=\"Call completed elsewhere\"");
        assert_eq!(read(&ours), Some(ours));
        assert_eq!(read("Q.850 ; cause=16 , SIP;cause=200").as_deref(), Some("Q.850;cause=16"));
        assert_eq!(read("Q.850;cause=-1;text=\"a\\\"b\"").as_deref(), Some("Q.850;text=\"a''b\""));
        assert_eq!(read(";cause=1"), None);
        let long = read(&format!("SIP;text=\"{}\u{1b}\"", "x".repeat(500))).unwrap();
        assert_eq!(long.len(), "SIP;text=\"\"".len() + TEXT);
    }

    #[test]
    fn retry_after_is_its_number() {
        let read = |value: &str| {
            let mut headers = Headers::default();
            headers.push(Name::RETRY_AFTER, value);
            retry_after_s(&headers)
        };
        assert_eq!((read("18000;duration=3600"), read("120 (I'm in a meeting)")), (Some(18_000), Some(120)));
        assert_eq!((read("soon"), read("-5"), read("99999999999")), (None, None, Some(u32::MAX)));
    }
}
