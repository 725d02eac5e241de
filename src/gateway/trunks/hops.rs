//! Where requests go first, and by which name their TLS peers are known.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::super::{Gateway, Settings};
use super::{Target, Trunks, wanted};
use crate::clock::Instant;
use crate::peer::route::Destination;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::endpoint::Transport;

impl Trunks {
    /// Wants every name of the configuration, and those that registrars have named.
    pub(super) fn want(&mut self, now: Instant, settings: &Settings) {
        let hops = (0..self.lines.len()).filter_map(|line| self.first_hop(line));
        let all: BTreeSet<Destination> = wanted(settings).into_iter().chain(hops).collect();
        self.names.want_only(now, &all);
    }

    /// The first host of the registrar's Service-Route (RFC 3608 section 6.1): calls of ours go there, as their Route says.
    fn first_hop(&self, line: usize) -> Option<Destination> {
        let route = self.route(line).into_iter().next()?;
        Destination::of(&Address::parse(route.as_bytes())?.uri)
    }

    /// Everywhere that calls of ours can go, the living first. Where the first hop's name leads nowhere yet, the trunk's
    /// own server has to do.
    pub(in crate::gateway) fn targets_of_calls(&mut self, line: usize, server: &Destination) -> Vec<Target> {
        let hop = self.first_hop(line).map(|hop| self.targets(line, &hop)).filter(|targets| !targets.is_empty());
        hop.unwrap_or_else(|| self.targets(line, server))
    }
}

impl Gateway {
    /// The names that the certificates of TLS peers must bear, by address: the name in the configuration, not that of an SRV
    /// record, which anybody who answers DNS can make up (RFC 5922 section 7.1). Peers configured by address have none. Of
    /// two names for one address the first in the alphabet counts.
    pub fn tls_names(&self) -> BTreeMap<SocketAddr, String> {
        let mut random = self.trunks.random.clone();
        let hops = (0..self.trunks.lines.len()).filter_map(|line| self.trunks.first_hop(line));
        let all: BTreeSet<Destination> = wanted(&self.settings).into_iter().chain(hops).collect();
        let mut names = BTreeMap::new();
        for destination in all.into_iter().filter(|destination| destination.literal().is_none()) {
            for target in self.trunks.names.targets(&destination, &mut random) {
                if target.transport == Transport::Tls {
                    names.entry(target.address).or_insert_with(|| destination.host.clone());
                }
            }
        }
        names
    }
}
