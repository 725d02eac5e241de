//! Which part of a body is the session description (RFC 3261 sections 7.4 and 8.2.3, RFC 5621).

use super::head::parse_fields;
use super::header::{Headers, Name};

/// Parts of a multipart body that are looked at, and how deep they may be nested: a real one has two or three, flat.
const PARTS: usize = 16;
const DEPTH: u8 = 2;

/// A body that we cannot read and may not ignore: 415.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsupported;

/// The SDP in the body of a message; empty if there is none, or only what its sender lets us ignore.
pub fn session_description<'a>(headers: &Headers, body: &'a [u8]) -> Result<&'a [u8], Unsupported> {
    find(headers, body, DEPTH)
}

fn find<'a>(headers: &Headers, body: &'a [u8], depth: u8) -> Result<&'a [u8], Unsupported> {
    if body.is_empty() {
        return Ok(body);
    }
    let optional = || if is_optional(headers) { Ok(&body[..0]) } else { Err(Unsupported) };
    if headers.text(&Name::CONTENT_ENCODING).is_some_and(|e| !e.eq_ignore_ascii_case("identity")) {
        return optional();
    }
    // Section 20.15 demands a Content-Type; some gateways forget it, and a body in an INVITE is SDP.
    let Some(written) = headers.first(&Name::CONTENT_TYPE) else { return Ok(body) };
    let kind = String::from_utf8_lossy(written);
    let (kind, params) = kind.split_once(';').unwrap_or((&kind, ""));
    let kind: String = kind.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>().to_ascii_lowercase();
    match (kind.as_str(), boundary(params)) {
        ("application/sdp", _) => Ok(body),
        (multipart, Some(boundary)) if multipart.starts_with("multipart/") && depth > 0 => {
            in_parts(body, boundary, depth - 1)
        }
        _ => optional(),
    }
}

/// The first part that holds SDP. A part that is not understood and not optional spoils the whole only if there is no SDP:
/// refusing a call for the sake of a picture helps nobody.
fn in_parts<'a>(body: &'a [u8], boundary: &str, depth: u8) -> Result<&'a [u8], Unsupported> {
    let mut all_optional = true;
    for part in parts(body, boundary) {
        let blank = part.strip_prefix(b"\r\n").or_else(|| part.strip_prefix(b"\n"));
        // A part without header fields begins with the empty line and is plain text (RFC 2046 section 5.1).
        let (headers, content) = match (blank, super::framing::head_length(part)) {
            (None, Some(n)) => (parse_fields(&part[..n]).0, &part[n..]),
            (None, None) | (Some(_), _) => continue,
        };
        if headers.first(&Name::CONTENT_TYPE).is_none() {
            continue;
        }
        match find(&headers, content, depth) {
            Ok([]) => {}
            Ok(sdp) => return Ok(sdp),
            Err(Unsupported) => all_optional = false,
        }
    }
    if all_optional { Ok(&body[..0]) } else { Err(Unsupported) }
}

/// What stands between the delimiter lines (RFC 2046 section 5.1.1); the line end before a delimiter belongs to it.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let (mut out, mut start, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|b| *b == b'\n') {
        let after = line.strip_prefix(delimiter.as_slice());
        let closes = after.is_some_and(|a| a.starts_with(b"--"));
        if closes || after.is_some_and(|a| a.trim_ascii().is_empty()) {
            if let Some(start) = start.filter(|s| *s < at) {
                let part: &[u8] = &body[start..at];
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                out.push(part.strip_suffix(b"\r").unwrap_or(part));
            }
            if closes || out.len() >= PARTS {
                break;
            }
            start = Some(at + line.len());
        }
        at += line.len();
    }
    out
}

fn boundary(params: &str) -> Option<&str> {
    let value = params.split(';').find_map(|p| {
        let (name, value) = p.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    // RFC 2046: 1 to 70 characters.
    value.filter(|b| (1..=70).contains(&b.len()))
}

/// `Content-Disposition: …;handling=optional` (section 20.11).
fn is_optional(headers: &Headers) -> bool {
    let Some(text) = headers.text(&Name::CONTENT_DISPOSITION) else { return false };
    text.split(';').filter_map(|p| p.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("handling") && value.trim().eq_ignore_ascii_case("optional")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp<'a>(fields: &str, body: &'a str) -> Result<&'a str, Unsupported> {
        let (headers, _) = parse_fields(fields.as_bytes());
        session_description(&headers, body.as_bytes()).map(|b| std::str::from_utf8(b).unwrap())
    }

    #[test]
    fn the_type_decides() {
        assert_eq!(sdp("c: Application / SDP ;charset=utf-8\r\n", "v=0"), Ok("v=0"));
        assert_eq!(sdp("", "v=0"), Ok("v=0"), "a forgotten type");
        assert_eq!(sdp("c: text/plain\r\n", ""), Ok(""));
        assert_eq!(sdp("c: text/plain\r\n", "hello"), Err(Unsupported));
        assert_eq!(sdp("c: application/sdp\r\ne: gzip\r\n", "?"), Err(Unsupported));
        assert_eq!(sdp("c: image/png\r\nContent-Disposition: icon ; handling=Optional\r\n", "?"), Ok(""));
    }

    #[test]
    fn sdp_is_found_among_parts() {
        let mixed = "c: multipart/mixed;boundary=\"b-1\"\r\n";
        let body = "preamble\r\n--b-1\r\nContent-Type: application/isup\r\n\r\n\u{1}\u{2}\r\n--b-1 \r\nc: application/sdp\r\n\r\nv=0\r\ns=-\r\n\r\n--b-1--\r\n";
        assert_eq!(sdp(mixed, body), Ok("v=0\r\ns=-\r\n"));
        assert_eq!(sdp(mixed, "--b-1\r\nc: a/b\r\n\r\nx\r\n--b-1--"), Err(Unsupported));
        assert_eq!(
            sdp(mixed, "--b-1\r\nc: a/b\r\nContent-Disposition: x;handling=optional\r\n\r\nx\r\n--b-1--"),
            Ok("")
        );
        assert_eq!(sdp(mixed, "no delimiter at all"), Ok(""));
        assert_eq!(sdp("c: multipart/mixed\r\n", "--\r\n"), Err(Unsupported), "no boundary");
        let nested = "--b-1\nc: multipart/alternative;boundary=i\n\n--i\nc: application/sdp\n\nv=0\n--i--\n\n--b-1--\n";
        assert_eq!(sdp(mixed, nested), Ok("v=0"));
    }
}
