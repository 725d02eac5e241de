//! URIs: kept byte for byte as they came, with a parsed view beside.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::vocabulary::is_number;

/// `sip:`, `sips:` (RFC 3261 section 19.1), `tel:` (RFC 3966) or anything else with a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    raw: Box<str>,
    pub scheme: Scheme,
    /// The user part as written (still percent-encoded); for `tel:` the number.
    pub user: Option<String>,
    /// Empty for `tel:` and others. IPv6 without its brackets.
    pub host: String,
    pub port: Option<u16>,
    /// Lower-case names.
    pub params: Vec<(String, Option<String>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Sip,
    Sips,
    Tel,
    Other,
}

impl Uri {
    /// `None` if it is no URI; a request with such a Request-URI gets 400.
    pub fn parse(raw: &str) -> Option<Uri> {
        let raw = raw.trim();
        if raw.is_empty() || raw.bytes().any(|b| b <= b' ' || b == b'<' || b == b'>' || b == b'"' || b == 0x7f) {
            return None;
        }
        let (scheme, rest) = raw.split_once(':')?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "sip" => Scheme::Sip,
            "sips" => Scheme::Sips,
            "tel" => Scheme::Tel,
            s if s.starts_with(|c: char| c.is_ascii_alphabetic()) => Scheme::Other,
            _ => return None,
        };
        let mut uri = Uri { raw: raw.into(), scheme, user: None, host: String::new(), port: None, params: Vec::new() };
        match scheme {
            Scheme::Sip | Scheme::Sips => uri.read_sip(rest)?,
            Scheme::Tel => uri.read_tel(rest)?,
            Scheme::Other => {}
        }
        Some(uri)
    }

    fn read_sip(&mut self, rest: &str) -> Option<()> {
        // The last `@` before `?` ends the user part: `;`, `?` and `/` are legal inside it.
        let hostport = match rest.rfind('@') {
            Some(at) if !rest[..at].is_empty() => {
                let user = &rest[..at];
                self.user = Some(user.split_once(':').map_or(user, |(u, _password)| u).to_owned());
                &rest[at + 1..]
            }
            Some(_) => return None,
            None => rest,
        };
        let hostport = hostport.split_once('?').map_or(hostport, |(h, _headers)| h);
        let mut parts = hostport.split(';');
        let (host, port) = split_host_port(parts.next()?)?;
        self.host = host;
        self.port = port;
        self.read_params(parts);
        Some(())
    }

    fn read_tel(&mut self, rest: &str) -> Option<()> {
        let mut parts = rest.split(';');
        let number = parts.next().filter(|n| !n.is_empty())?;
        self.user = Some(number.to_owned());
        self.read_params(parts);
        Some(())
    }

    fn read_params<'a>(&mut self, parts: impl Iterator<Item = &'a str>) {
        for part in parts.filter(|p| !p.is_empty()) {
            let (name, value) = part.split_once('=').map_or((part, None), |(n, v)| (n, Some(v)));
            self.params.push((name.to_ascii_lowercase(), value.map(str::to_owned)));
        }
    }

    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_deref())
    }

    /// The headers that a request made from this URI carries (RFC 3261 section 19.1.1), still percent-encoded.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let sip = matches!(self.scheme, Scheme::Sip | Scheme::Sips);
        let rest = self.raw.rsplit_once('@').map_or(&*self.raw, |(_, rest)| rest);
        let headers = rest.split_once('?').filter(|_| sip).map_or("", |(_, headers)| headers);
        headers.split('&').filter_map(|header| header.split_once('='))
    }

    /// The telephone number that the URI names: the user part percent-decoded, cut at `;`, without the visual separators
    /// of RFC 3966. A user part that is no number comes back decoded, as it is.
    pub fn number(&self) -> Option<String> {
        let user = percent_decode(self.user.as_deref()?);
        let user = user.split(';').next().unwrap_or_default();
        let bare: String = user.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' ')).collect();
        let digits = bare.strip_prefix('+').unwrap_or(&bare);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#');
        Some(if is_number { bare } else { user.to_owned() })
    }

    /// Where a request to this URI goes when the host is an address (if no port is given: 5060, for TLS 5061).
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        let tls = self.param("transport").flatten().is_some_and(|t| t.eq_ignore_ascii_case("tls"));
        let default = if self.is_secure() || tls { 5061 } else { 5060 };
        Some(SocketAddr::new(ip, self.port.unwrap_or(default)))
    }

    /// `sips`: each hop is TLS (RFC 5630 section 3).
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::Sips
    }

    pub fn as_str(&self) -> &str {
        &self.raw
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`; the host comes back without brackets.
pub(super) fn split_host_port(text: &str) -> Option<(String, Option<u16>)> {
    let text = text.trim();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            match after.trim() {
                "" => (host, None),
                after => (host, Some(after.strip_prefix(':')?)),
            }
        }
        None => text.split_once(':').map_or((text, None), |(h, p)| (h.trim_end(), Some(p))),
    };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._:%".contains(&b);
    if host.is_empty() || !host.bytes().all(legal) {
        return None;
    }
    let port = match port {
        Some(p) => Some(Some(p.trim()).filter(|p| is_number(p))?.parse::<u16>().ok().filter(|p| *p > 0)?),
        None => None,
    };
    Some((host.to_owned(), port))
}

/// Each `%` of the URI begins an escape (RFC 3261 section 25.1, RFC 2396 section 2.4.1).
pub(super) fn is_well_escaped(raw: &str) -> bool {
    raw.split('%').skip(1).all(|after| after.len() >= 2 && after.bytes().take(2).all(|b| b.is_ascii_hexdigit()))
}

pub(super) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| bytes.get(i + 1..i + 3)).flatten();
        let hex = hex.filter(|h| h.iter().all(u8::is_ascii_hexdigit));
        match hex.and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_keep_their_bytes() {
        for raw in [
            "sip:a%20b@h",
            "SIP:+86%20400@[2001:db8::1]:5070;transport=tcp;lr?Replaces=x%40y",
            "tel:+86-10-6552-9988;phone-context=example.com",
            "urn:service:sos",
            "sip:host",
            "sip:sip%3Auser%40example.com@company.com;other-param=summit",
        ] {
            assert_eq!(Uri::parse(raw).map(|u| u.to_string()).as_deref(), Some(raw));
        }
        for bad in [
            "",
            "nothing",
            "sip:",
            "sip:@h",
            "sip:h:0",
            "sip:h:70000",
            "sip:h:+5060",
            "sip:[::zz]",
            "sip:a b@h",
            "tel:",
        ] {
            assert_eq!(Uri::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_lose_their_separators() {
        let number = |raw: &str| Uri::parse(raw).and_then(|u| u.number());
        assert_eq!(number("tel:+86-10-6552-9988").as_deref(), Some("+861065529988"));
        assert_eq!(number("sip:4008001234;phone-context=x@h").as_deref(), Some("4008001234"));
        assert_eq!(number("sip:%34008001234:pw@h").as_deref(), Some("4008001234"));
        assert_eq!(number("sip:bob.smith@h").as_deref(), Some("bob.smith"));
        assert_eq!(number("sip:h"), None);
        assert_eq!(number("sip:50%+1@h").as_deref(), Some("50%+1"));
    }

    #[test]
    fn v6_hosts_give_addresses() {
        let uri = Uri::parse("sip:8@[::1]:5070").unwrap();
        assert_eq!(uri.socket_addr(), Some("[::1]:5070".parse().unwrap()));
        assert_eq!(Uri::parse("sip:8@127.0.0.1").unwrap().socket_addr(), Some("127.0.0.1:5060".parse().unwrap()));
        assert_eq!(Uri::parse("sips:8@127.0.0.1").unwrap().socket_addr(), Some("127.0.0.1:5061".parse().unwrap()));
        let tls = Uri::parse("sip:8@[::1];transport=TLS").unwrap();
        assert_eq!(tls.socket_addr(), Some("[::1]:5061".parse().unwrap()));
        assert_eq!(Uri::parse("sip:8@example.com").unwrap().socket_addr(), None);
    }
}
