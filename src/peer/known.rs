//! Who may be heard at all, as the configuration says: trunks and phones.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::trunk::Peer;

/// What a source is to us before its message has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Trunk,
    Phone,
    Stranger,
}

/// The addresses of all trunks and phones.
#[derive(Debug, Clone, Default)]
pub struct Known {
    peers: Vec<Peer>,
    phones: BTreeSet<IpAddr>,
}

impl Known {
    pub fn new(peers: impl IntoIterator<Item = Peer>, phones: impl IntoIterator<Item = SocketAddr>) -> Known {
        Known {
            peers: peers.into_iter().collect(),
            phones: phones.into_iter().map(|phone| phone.ip().to_canonical()).collect(),
        }
    }

    /// Everybody whom either knows.
    pub fn and(mut self, other: Known) -> Known {
        self.peers.extend(other.peers);
        self.phones.extend(other.phones);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.peers.is_empty() && self.phones.is_empty()
    }

    /// The sender of a datagram.
    pub fn standing(&self, source: SocketAddr) -> Standing {
        self.judge(source, |peer| peer.admits(source))
    }

    /// The far end of a connection: its port says nothing, the peer's system chose it.
    pub fn standing_of_connection(&self, source: SocketAddr) -> Standing {
        self.judge(source, |peer| peer.admits_connection(source))
    }

    /// A phone answers from its own address, not always from the port that its contact names.
    fn judge(&self, source: SocketAddr, admits: impl Fn(&Peer) -> bool) -> Standing {
        if self.peers.iter().any(admits) {
            Standing::Trunk
        } else if self.phones.contains(&source.ip().to_canonical()) {
            Standing::Phone
        } else {
            Standing::Stranger
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trunks_come_before_phones_and_all_others_are_strangers() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let known = Known::new(
            ["192.0.2.1:5060".parse().unwrap(), "198.51.100.0/24".parse().unwrap()],
            [at("203.0.113.8:5060"), at("198.51.100.9:5060")],
        );
        assert_eq!(known.standing(at("192.0.2.1:5060")), Standing::Trunk);
        assert_eq!(known.standing(at("192.0.2.1:5061")), Standing::Stranger);
        assert_eq!(known.standing_of_connection(at("192.0.2.1:40000")), Standing::Trunk);
        assert_eq!(known.standing(at("203.0.113.8:40000")), Standing::Phone);
        assert_eq!(known.standing(at("198.51.100.9:5060")), Standing::Trunk);
        assert_eq!(known.standing(at("[::ffff:203.0.113.8]:5060")), Standing::Phone);
        assert_eq!(known.standing(at("203.0.113.9:5060")), Standing::Stranger);
    }
}
