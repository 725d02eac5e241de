//! `Via` (RFC 3261 sections 18.2 and 20.42) with `rport` and `received` (RFC 3581).

use std::net::{IpAddr, SocketAddr};

use super::address::parse_params;
use super::header::Quotes;
use super::uri::split_host_port;

/// Every branch made by RFC 3261 begins so.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// Upper case: `UDP`, `TCP`, `TLS`.
    pub transport: String,
    pub host: String,
    pub port: Option<u16>,
    pub params: Vec<(String, Option<String>)>,
}

impl Via {
    /// Tolerates white space around the slashes, as the grammar does.
    pub fn parse(value: &[u8]) -> Option<Via> {
        let semicolon = value.iter().position(|b| *b == b';').unwrap_or(value.len());
        let head = std::str::from_utf8(&value[..semicolon]).ok()?;
        let mut parts = head.splitn(3, '/');
        let (protocol, version, rest) = (parts.next()?.trim(), parts.next()?.trim(), parts.next()?.trim_start());
        if !protocol.eq_ignore_ascii_case("SIP") || version != "2.0" {
            return None;
        }
        let (transport, sent_by) = rest.split_once(|c: char| c.is_ascii_whitespace())?;
        let (host, port) = split_host_port(sent_by)?;
        let params = parse_params(&value[semicolon..]);
        Some(Via { transport: transport.to_ascii_uppercase(), host, port, params })
    }

    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_deref())
    }

    pub fn branch(&self) -> Option<&str> {
        self.param("branch").flatten()
    }

    /// `host:port` as it identifies the sender of a transaction (section 17.2.3).
    pub fn sent_by(&self) -> String {
        format!("{}:{}", self.host.to_ascii_lowercase(), self.port.unwrap_or(5060))
    }

    /// Where an unreliable response goes (section 18.2.2, RFC 3581 section 4): back to the source address; to the source port
    /// if `rport` is there, else to the port of `sent-by`.
    pub fn response_target(&self, source: SocketAddr) -> SocketAddr {
        match self.param("rport") {
            Some(_) => source,
            None => SocketAddr::new(source.ip(), self.port.unwrap_or(5060)),
        }
    }

    /// What we add to the top Via of a request as received: `received` when `sent-by` is not the source address or
    /// `rport` asks for it, and the value of `rport`. Put before all other parameters, so that none of them, however broken,
    /// can swallow what we add; those stay as they came.
    pub fn mark_received(value: &[u8], source: SocketAddr) -> Vec<u8> {
        let Some(via) = Via::parse(value) else { return value.to_vec() };
        let wants_rport = via.param("rport").is_some();
        let same_host = via.host.parse::<IpAddr>().is_ok_and(|ip| ip == source.ip());
        if !wants_rport && same_host {
            return value.to_vec();
        }
        let mut out = Vec::with_capacity(value.len() + 40);
        let mut quotes = Quotes::of(value);
        for (i, part) in value.split(|b| quotes.step(*b) && *b == b';').enumerate() {
            let name = part.trim_ascii();
            let name = name.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
            if i > 0 && (name.eq_ignore_ascii_case(b"rport") || name.eq_ignore_ascii_case(b"received")) {
                continue;
            }
            if i > 0 {
                out.push(b';');
                out.extend_from_slice(part);
                continue;
            }
            out.extend_from_slice(part.trim_ascii_end());
            out.extend_from_slice(format!(";received={}", source.ip()).as_bytes());
            if wants_rport {
                out.extend_from_slice(format!(";rport={}", source.port()).as_bytes());
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_slashes_and_ipv6() {
        let via = Via::parse(b"SIP / 2.0 / udp  [2001:db8::9:1]:5070 ;branch=z9hG4bKx; rport").unwrap();
        assert_eq!((via.transport.as_str(), via.host.as_str(), via.port), ("UDP", "2001:db8::9:1", Some(5070)));
        assert_eq!((via.branch(), via.param("rport")), (Some("z9hG4bKx"), Some(None)));
        assert_eq!(Via::parse(b"SIP/3.0/UDP h"), None);
        assert_eq!(Via::parse(b"SIP/2.0/UDP"), None);
    }

    #[test]
    fn responses_go_back_to_the_source() {
        let source: SocketAddr = "10.0.0.9:40000".parse().unwrap();
        let with = Via::parse(b"SIP/2.0/UDP h:5070;rport;branch=z9hG4bK1").unwrap();
        let without = Via::parse(b"SIP/2.0/UDP h:5070;branch=z9hG4bK1").unwrap();
        assert_eq!(with.response_target(source), source);
        assert_eq!(without.response_target(source), "10.0.0.9:5070".parse().unwrap());
    }

    #[test]
    fn received_and_rport_are_filled_in() {
        let source: SocketAddr = "10.0.0.9:40000".parse().unwrap();
        let mark = |v: &[u8]| String::from_utf8(Via::mark_received(v, source)).unwrap();
        assert_eq!(mark(b"SIP/2.0/UDP h;rport;branch=b"), "SIP/2.0/UDP h;received=10.0.0.9;rport=40000;branch=b");
        assert_eq!(mark(b"SIP/2.0/UDP 10.0.0.9:5070;branch=b"), "SIP/2.0/UDP 10.0.0.9:5070;branch=b");
        assert_eq!(mark(b"SIP/2.0/UDP h;branch=b"), "SIP/2.0/UDP h;received=10.0.0.9;branch=b");
        // A quote that is never closed hides nothing of ours.
        let via = Via::parse(mark(b"SIP/2.0/UDP h;rport;branch=\"b").as_bytes()).unwrap();
        assert_eq!(via.response_target(source), source);
    }
}
