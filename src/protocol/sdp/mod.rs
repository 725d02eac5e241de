//! Session descriptions (RFC 8866): reading with tolerance, writing with none.
//!
//! Offer and answer (RFC 3264) are made where codecs are known, in `media::negotiate`.

use std::fmt::Write as _;
use std::net::IpAddr;

/// Media lines beyond this are an attack, not a call.
const MEDIA_LINES: usize = 16;
/// A line `m=audio` with more formats than this likewise.
const FORMATS: usize = 64;
/// Keys that one line may offer.
const CRYPTO_LINES: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `o=`: user, session id, version, as text; echoed nowhere, kept for comparison of re-offers.
    pub origin: String,
    /// Session-level `c=`.
    pub connection: Option<Host>,
    pub direction: Option<Direction>,
    pub media: Vec<Media>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Ip(IpAddr),
    Name(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, …
    pub kind: String,
    /// 0: refused or unused.
    pub port: u16,
    /// `RTP/AVP`, …
    pub protocol: String,
    /// As written: payload types for RTP.
    pub formats: Vec<String>,
    pub connection: Option<Host>,
    pub direction: Option<Direction>,
    /// `a=rtpmap`: payload type, encoding name, clock rate.
    pub maps: Vec<(u8, String, u32)>,
    pub ptime_ms: Option<u32>,
    pub maxptime_ms: Option<u32>,
    /// The values of `a=crypto` (RFC 4568).
    pub crypto: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    fn parse(word: &str) -> Option<Direction> {
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
            .into_iter()
            .find(|d| d.as_str() == word)
    }

    /// What the answerer may say at most (RFC 3264 section 6.1).
    pub fn reversed(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            Direction::SendRecv | Direction::Inactive => self,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("no v=0 at the start")]
    NoVersion,
    #[error("a c= line cannot be read")]
    BadConnection,
    #[error("an m= line cannot be read, or there are more than {MEDIA_LINES}")]
    BadMedia,
}

impl Description {
    /// Tolerates bare LF, missing `s=` and `t=`, unknown lines and attributes, and any character set in free text (a session
    /// named in GBK).
    pub fn parse(bytes: &[u8]) -> Result<Description, Malformed> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
        if lines.next() != Some("v=0") {
            return Err(Malformed::NoVersion);
        }
        let mut out = Description { origin: String::new(), connection: None, direction: None, media: Vec::new() };
        for line in lines {
            let Some((kind, value)) = line.split_once('=') else { continue };
            match kind {
                "o" => value.clone_into(&mut out.origin),
                "c" => {
                    let host = parse_connection(value).ok_or(Malformed::BadConnection)?;
                    match out.media.last_mut() {
                        Some(media) => media.connection = Some(host),
                        None => out.connection = Some(host),
                    }
                }
                "m" => {
                    let media = parse_media(value).filter(|_| out.media.len() < MEDIA_LINES);
                    out.media.push(media.ok_or(Malformed::BadMedia)?);
                }
                "a" => out.attribute(value),
                _ => {}
            }
        }
        Ok(out)
    }

    fn attribute(&mut self, value: &str) {
        let direction = Direction::parse(value);
        let Some(media) = self.media.last_mut() else {
            self.direction = direction.or(self.direction);
            return;
        };
        media.direction = direction.or(media.direction);
        match value.split_once(':') {
            Some(("rtpmap", map)) => media.maps.extend(parse_map(map).filter(|_| media.maps.len() < FORMATS)),
            Some(("maxptime", ms)) => media.maxptime_ms = ms.trim().parse().ok(),
            Some(("crypto", key)) if media.crypto.len() < CRYPTO_LINES => media.crypto.push(key.to_owned()),
            Some(("ptime", ms)) => media.ptime_ms = ms.trim().parse().ok(),
            _ => {}
        }
    }

    /// The direction of a media line: its own, else the session's, else `sendrecv`.
    pub fn direction_of(&self, media: &Media) -> Direction {
        media.direction.or(self.direction).unwrap_or(Direction::SendRecv)
    }

    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<&'a Host> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::with_capacity(256);
        out.push_str("v=0\r\n");
        let _ = write!(out, "o={}\r\ns=-\r\n", self.origin);
        if let Some(host) = &self.connection {
            let _ = write!(out, "c={}\r\n", print_host(host));
        }
        out.push_str("t=0 0\r\n");
        for media in &self.media {
            media.print(&mut out);
        }
        out.into_bytes()
    }
}

impl Media {
    fn print(&self, out: &mut String) {
        // The grammar demands one format at least (RFC 8866 section 9), even of a line that is only echoed to be refused.
        let formats = if self.formats.is_empty() { "0".to_owned() } else { self.formats.join(" ") };
        let _ = write!(out, "m={} {} {} {formats}\r\n", self.kind, self.port, self.protocol);
        if let Some(host) = &self.connection {
            let _ = write!(out, "c={}\r\n", print_host(host));
        }
        for (payload_type, name, clock) in &self.maps {
            let _ = write!(out, "a=rtpmap:{payload_type} {name}/{clock}\r\n");
            if name.eq_ignore_ascii_case("telephone-event") {
                let _ = write!(out, "a=fmtp:{payload_type} 0-15\r\n");
            }
        }
        for key in &self.crypto {
            let _ = write!(out, "a=crypto:{key}\r\n");
        }
        if let Some(ms) = self.ptime_ms {
            let _ = write!(out, "a=ptime:{ms}\r\n");
        }
        if let Some(direction) = self.direction.filter(|_| self.port != 0) {
            let _ = write!(out, "a={}\r\n", direction.as_str());
        }
    }
}

fn print_host(host: &Host) -> String {
    match host {
        Host::Ip(IpAddr::V4(ip)) => format!("IN IP4 {ip}"),
        Host::Ip(IpAddr::V6(ip)) => format!("IN IP6 {ip}"),
        Host::Name(name) => format!("IN IP4 {name}"),
    }
}

fn parse_connection(value: &str) -> Option<Host> {
    let mut words = value.split_ascii_whitespace();
    let (net, _family, address) = (words.next()?, words.next()?, words.next()?);
    // What counts as blank elsewhere than in ASCII (a vertical tab, say) is no name: it could not be read again.
    let blank = |c: char| c.is_whitespace() || c.is_control();
    let address = address.split('/').next().filter(|address| !address.is_empty() && !address.contains(blank))?;
    (net == "IN").then(|| address.parse().map_or_else(|_| Host::Name(address.to_owned()), Host::Ip))
}

fn parse_media(value: &str) -> Option<Media> {
    let mut words = value.split_ascii_whitespace();
    let (kind, port, protocol) = (words.next()?, words.next()?, words.next()?);
    Some(Media {
        kind: kind.to_owned(),
        port: port.split('/').next()?.parse().ok()?,
        protocol: protocol.to_owned(),
        formats: words.take(FORMATS).map(str::to_owned).collect(),
        connection: None,
        direction: None,
        maps: Vec::new(),
        ptime_ms: None,
        maxptime_ms: None,
        crypto: Vec::new(),
    })
}

/// `96 opus/48000/2`
fn parse_map(map: &str) -> Option<(u8, String, u32)> {
    let (payload_type, encoding) = map.trim().split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    let (name, clock) = (parts.next()?, parts.next()?);
    Some((payload_type.parse().ok().filter(|pt| *pt < 128)?, name.to_owned(), clock.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerates_what_the_field_sends() {
        let text = "v=0\no=- 99999999999999999999 1 IN IP4 10.0.0.1\nc=IN IP4 10.0.0.1\na=sendonly\nm=audio 4000/2 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\na=ptime:30\nx=?\nm=video 0 RTP/AVP 96\nc=IN IP6 ::1\n";
        let d = Description::parse(text.as_bytes()).unwrap();
        assert_eq!(d.media.len(), 2);
        assert_eq!(d.direction_of(&d.media[0]), Direction::SendOnly);
        assert_eq!(d.connection_of(&d.media[0]), Some(&Host::Ip("10.0.0.1".parse().unwrap())));
        assert_eq!(d.connection_of(&d.media[1]), Some(&Host::Ip("::1".parse().unwrap())));
        assert_eq!((d.media[0].port, d.media[0].ptime_ms), (4000, Some(30)));
        assert_eq!(d.media[0].maps, [(101, "telephone-event".to_owned(), 8000)]);
    }

    #[test]
    fn a_session_name_in_gbk_does_not_cost_the_call() {
        let text = b"v=0\r\ns=\xce\xef\xd2\xb5\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n";
        assert_eq!(Description::parse(text).map(|d| d.media.len()), Ok(1));
    }

    #[test]
    fn a_line_without_formats_is_refused_in_legal_words() {
        let d = Description::parse(b"v=0\r\nm=video 5000 RTP/AVP\r\n").unwrap();
        let text = String::from_utf8(d.to_bytes()).unwrap();
        assert!(text.contains("m=video 5000 RTP/AVP 0\r\n"), "{text}");
    }

    #[test]
    fn refuses_what_is_no_description() {
        assert_eq!(Description::parse(b"\xff"), Err(Malformed::NoVersion));
        assert_eq!(Description::parse(b"hello"), Err(Malformed::NoVersion));
        assert_eq!(Description::parse(b"v=0\r\nm=audio x RTP/AVP 0"), Err(Malformed::BadMedia));
        assert_eq!(Description::parse(b"v=0\r\nc=IN"), Err(Malformed::BadConnection));
        let many = format!("v=0\r\n{}", "m=audio 1 RTP/AVP 0\r\n".repeat(MEDIA_LINES + 1));
        assert_eq!(Description::parse(many.as_bytes()), Err(Malformed::BadMedia));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let d = Description {
            origin: "hotline 1 1 IN IP6 ::1".into(),
            connection: Some(Host::Ip("::1".parse().unwrap())),
            direction: None,
            media: vec![Media {
                kind: "audio".into(),
                port: 20_000,
                protocol: "RTP/AVP".into(),
                formats: vec!["8".into(), "101".into()],
                connection: None,
                direction: Some(Direction::SendRecv),
                maps: vec![(8, "PCMA".into(), 8000), (101, "telephone-event".into(), 8000)],
                ptime_ms: Some(20),
                maxptime_ms: None,
                crypto: vec!["1 AES_CM_128_HMAC_SHA1_80 inline:key".into()],
            }],
        };
        assert_eq!(Description::parse(&d.to_bytes()), Ok(d));
    }
}
