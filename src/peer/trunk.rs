//! Trunks: who may send calls.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// One entry of a trunk's `peers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Any port of this address.
    Address(IpAddr),
    /// Any port of any address whose first `bits` are those of `address` (RFC 4632 and RFC 4291 section 2.3).
    Network { address: IpAddr, bits: u8 },
    /// This port of this address only.
    Socket(SocketAddr),
}

impl Peer {
    /// Whether a connection from `source` may be this peer's: its port says nothing, the peer's system chose it.
    pub fn admits_connection(&self, source: SocketAddr) -> bool {
        match *self {
            Peer::Socket(socket) => socket.ip().to_canonical() == source.ip().to_canonical(),
            Peer::Address(_) | Peer::Network { .. } => self.admits(source),
        }
    }

    /// Whether a datagram from `source` is this peer's. An IPv4 address mapped into IPv6 counts as the IPv4 address.
    pub fn admits(&self, source: SocketAddr) -> bool {
        let from = source.ip().to_canonical();
        match *self {
            Peer::Address(address) => address.to_canonical() == from,
            Peer::Network { address, bits } => same_network(address, from, bits),
            Peer::Socket(socket) => socket.ip().to_canonical() == from && socket.port() == source.port(),
        }
    }
}

/// Why a text is no peer. The operator is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    #[error("\"{0}\" is a host name")]
    Name(String),
    #[error("\"{0}\" is no address, network or host:port")]
    Unreadable(String),
    #[error("the network \"{written}\" has bits set below its prefix")]
    HostBits { written: String, meant: Peer },
}

impl PeerError {
    pub fn hint(&self) -> String {
        match self {
            PeerError::Name(_) => "write its address or network here".to_owned(),
            PeerError::Unreadable(_) => {
                "write 192.0.2.1, 192.0.2.0/24, 192.0.2.1:5060, [2001:db8::1] or [2001:db8::1]:5060".to_owned()
            }
            PeerError::HostBits { meant, .. } => format!("did you mean \"{meant}\"?"),
        }
    }
}

impl FromStr for Peer {
    type Err = PeerError;

    fn from_str(written: &str) -> Result<Self, PeerError> {
        let unreadable = || PeerError::Unreadable(written.to_owned());
        if let Some((address, bits)) = written.split_once('/') {
            let address = address_of(address).ok_or_else(unreadable)?;
            let bits: u8 = bits.parse().map_err(|_| unreadable())?;
            return network(written, address, bits).ok_or_else(unreadable)?;
        }
        if let Some(address) = address_of(written) {
            return Ok(Peer::Address(address));
        }
        if let Ok(socket) = written.parse::<SocketAddr>() {
            return if socket.port() == 0 { Err(unreadable()) } else { Ok(Peer::Socket(socket)) };
        }
        if is_host_name(written) { Err(PeerError::Name(written.to_owned())) } else { Err(unreadable()) }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Address(address) => write!(f, "{address}"),
            Peer::Network { address, bits } => write!(f, "{address}/{bits}"),
            Peer::Socket(socket) => write!(f, "{socket}"),
        }
    }
}

/// An address, IPv6 with or without brackets.
fn address_of(written: &str) -> Option<IpAddr> {
    match written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6),
        None => written.parse().ok(),
    }
}

/// `None` if the prefix is longer than the address.
fn network(written: &str, address: IpAddr, bits: u8) -> Option<Result<Peer, PeerError>> {
    let (number, width) = number_of(address);
    if bits > width {
        return None;
    }
    let masked = number & mask(bits, width);
    if masked == number {
        return Some(Ok(Peer::Network { address, bits }));
    }
    let address = match address {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(masked).unwrap_or_default().into()),
        IpAddr::V6(_) => IpAddr::V6(masked.into()),
    };
    Some(Err(PeerError::HostBits { written: written.to_owned(), meant: Peer::Network { address, bits } }))
}

fn same_network(network: IpAddr, from: IpAddr, bits: u8) -> bool {
    let ((a, a_width), (b, b_width)) = (number_of(network), number_of(from));
    a_width == b_width && (a ^ b) & mask(bits, a_width) == 0
}

/// An address as a number, and how many bits it has.
fn number_of(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

fn mask(bits: u8, width: u8) -> u128 {
    let all = if width == 128 { u128::MAX } else { (1 << width) - 1 };
    let host = u32::from(width - bits);
    if host >= 128 { 0 } else { all >> host << host }
}

/// RFC 1123 section 2.1, with an optional port; a last label of digits alone is a mistyped address (RFC 3986 section
/// 3.2.2).
fn is_host_name(written: &str) -> bool {
    let host = match written.split_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        Some(_) => return false,
        None => written,
    };
    let label = |l: &str| !l.is_empty() && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    host.trim_end_matches('.').split('.').all(label) && last.chars().any(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(peer: &str, source: &str) -> bool {
        peer.parse::<Peer>().unwrap().admits(source.parse().unwrap())
    }

    #[test]
    fn addresses_networks_and_sockets() {
        assert!(admits("127.0.0.1", "127.0.0.1:5999"));
        assert!(!admits("127.0.0.1", "127.0.0.2:5999"));
        assert!(admits("127.0.0.1", "[::ffff:127.0.0.1]:5999"));
        assert!(admits("192.0.2.0/24", "192.0.2.255:1"));
        assert!(!admits("192.0.2.0/24", "192.0.3.0:1"));
        assert!(!admits("192.0.2.0/24", "[2001:db8::1]:1"));
        assert!(admits("0.0.0.0/0", "8.8.8.8:1"));
        assert!(admits("192.0.2.7/32", "192.0.2.7:1"));
        assert!(admits("192.0.2.7:5060", "192.0.2.7:5060"));
        assert!(!admits("192.0.2.7:5060", "192.0.2.7:5061"));
        assert!(admits("[2001:db8::1]", "[2001:db8::1]:5060"));
        let socket = "192.0.2.7:5060".parse::<Peer>().unwrap();
        assert!(socket.admits_connection("192.0.2.7:40000".parse().unwrap()));
        assert!(!socket.admits_connection("192.0.2.8:5060".parse().unwrap()));
        assert!(admits("2001:db8::/32", "[2001:db8:1::9]:5060"));
        assert!(!admits("[2001:db8::]/32", "[2001:db9::]:5060"));
        assert!(admits("::/0", "[2001:db9::]:5060"));
        assert!(admits("[2001:db8::1]:5060", "[2001:db8::1]:5060"));
    }

    #[test]
    fn what_is_no_peer() {
        let error = |written: &str| written.parse::<Peer>().unwrap_err();
        assert_eq!(error("sbc.carrier.example"), PeerError::Name("sbc.carrier.example".into()));
        assert_eq!(error("localhost:5060"), PeerError::Name("localhost:5060".into()));
        for unreadable in
            ["", "300.0.0.1", "10.0.0.0/33", "10.0.0.0/x", "1.2.3.4:0", "1.2.3.4:99999", "[1.2.3.4]", "a b"]
        {
            assert_eq!(error(unreadable), PeerError::Unreadable(unreadable.into()));
        }
        assert_eq!(error("10.0.0.5/8").hint(), "did you mean \"10.0.0.0/8\"?");
        assert_eq!(error("2001:db8::5/64").hint(), "did you mean \"2001:db8::/64\"?");
    }
}
