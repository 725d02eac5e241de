//! Keys in the body of INFO: `application/dtmf-relay` (a de-facto form: `Signal=` and `Duration=` lines) and
//! `application/dtmf` (the key alone).

use super::header::{Headers, Name};

/// How long a key counts as pressed when the message does not say, in ms.
const USUAL_MS: u16 = 160;

/// One key, and how long it was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// `0` to `9`, `*`, `#`, `A` to `D`.
    pub key: char,
    pub duration_ms: u16,
}

/// `None`: the body is of another kind, or holds no key.
pub fn key_of(headers: &Headers, body: &[u8]) -> Option<Key> {
    let kind = headers.text(&Name::CONTENT_TYPE)?;
    let kind = kind.split(';').next().unwrap_or(kind).trim();
    let text = std::str::from_utf8(body).ok()?;
    if kind.eq_ignore_ascii_case("application/dtmf") {
        return Some(Key { key: key(text)?, duration_ms: USUAL_MS });
    }
    if !kind.eq_ignore_ascii_case("application/dtmf-relay") {
        return None;
    }
    let line = |name: &str| {
        text.lines().find_map(|line| {
            let (left, right) = line.split_once('=')?;
            left.trim().eq_ignore_ascii_case(name).then(|| right.trim())
        })
    };
    let duration_ms = line("Duration").and_then(|ms| ms.parse().ok()).unwrap_or(USUAL_MS);
    Some(Key { key: key(line("Signal")?)?, duration_ms })
}

/// Some write `*` as 10 and `#` as 11, as RFC 4733 numbers them.
fn key(text: &str) -> Option<char> {
    let text = text.trim();
    match (text, text.chars().next()?) {
        ("10", _) => Some('*'),
        ("11", _) => Some('#'),
        (_, key) if text.len() == 1 && "0123456789*#ABCDabcd".contains(key) => Some(key.to_ascii_uppercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, body: &str) -> Option<(char, u16)> {
        let mut headers = Headers::default();
        headers.push(Name::CONTENT_TYPE, kind.as_bytes().to_vec());
        key_of(&headers, body.as_bytes()).map(|k| (k.key, k.duration_ms))
    }

    #[test]
    fn both_forms_are_read() {
        assert_eq!(read("application/dtmf-relay", "Signal=5\r\nDuration=100\r\n"), Some(('5', 100)));
        assert_eq!(read("Application/DTMF-Relay; x=y", "signal= 11\nDuration= 250"), Some(('#', 250)));
        assert_eq!(read("application/dtmf", "d\r\n"), Some(('D', 160)));
        assert_eq!(read("application/dtmf-relay", "Signal=*"), Some(('*', 160)));
    }

    #[test]
    fn what_is_no_key_is_nothing() {
        for (kind, body) in
            [("application/dtmf", ""), ("application/dtmf", "55"), ("application/dtmf-relay", "5"), ("text/plain", "5")]
        {
            assert_eq!(read(kind, body), None, "{kind} {body}");
        }
    }
}
