//! Where a peer is: host names become targets in the order of RFC 3263, one list for REGISTER, OPTIONS and INVITE.
//!
//! [`Names`] says which name is to be looked up now, keeps the last answer when a look-up fails, and asks again when the
//! records' time to live is over. The looking up itself is done at the edge.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::clock::Instant;
use crate::ids::Random;
use crate::protocol::sip::endpoint::Transport;
use crate::protocol::sip::uri::Uri;

/// What a URI (or an entry of `peers`) says about where to go: what RFC 3263 section 4 works on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// Lower case, without a final dot; IPv6 without brackets.
    pub host: String,
    /// With a port there are no SRV records to look for.
    pub port: Option<u16>,
    pub transport: Option<Transport>,
}

impl Destination {
    pub fn new(host: &str, port: Option<u16>, transport: Option<Transport>) -> Destination {
        Destination { host: host.trim_end_matches('.').to_ascii_lowercase(), port, transport }
    }

    /// `None` if the URI names no host or a transport that we do not have.
    pub fn of(uri: &Uri) -> Option<Destination> {
        let transport = Transport::asked_by(uri);
        let unknown = transport.is_none() && uri.param("transport").is_some();
        (!uri.host.is_empty() && !unknown).then(|| Destination::new(&uri.host, uri.port, transport))
    }

    /// The only target of an address, which needs no look-up.
    pub fn literal(&self) -> Option<Target> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(Target { transport: self.way(), address: SocketAddr::new(ip, self.port_of_host()) })
    }

    /// RFC 3263 section 4.1: UDP where nothing else is said.
    pub fn way(&self) -> Transport {
        self.transport.unwrap_or(Transport::Udp)
    }

    /// The port where no SRV record says it (RFC 3261 section 19.1.2).
    pub fn port_of_host(&self) -> u16 {
        self.port.unwrap_or_else(|| self.way().default_port())
    }
}

/// One place to send a request to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    pub transport: Transport,
    pub address: SocketAddr,
}

/// One SRV record with the addresses of its host; without SRV records, the host itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Lower is first.
    pub priority: u16,
    /// Share among those of one priority.
    pub weight: u16,
    pub transport: Transport,
    pub port: u16,
    pub addresses: Vec<IpAddr>,
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    pub servers: Vec<Server>,
    /// The shortest time to live of all records that it rests on.
    pub ttl: Duration,
}

/// The servers in the order in which to try them: by priority, and within one by lot, weighted (RFC 2782).
pub fn order(servers: &[Server], random: &mut Random) -> Vec<Target> {
    let mut left: Vec<&Server> = servers.iter().collect();
    left.sort_by_key(|s| s.priority);
    let mut targets = Vec::new();
    while let Some(first) = left.first() {
        let peers = left.iter().take_while(|s| s.priority == first.priority).count();
        let server = left.remove(draw(&left[..peers], random));
        let target = |ip: &IpAddr| Target { transport: server.transport, address: SocketAddr::new(*ip, server.port) };
        targets.extend(server.addresses.iter().map(target));
    }
    let mut seen = BTreeSet::new();
    targets.retain(|target| seen.insert(*target));
    targets
}

/// Weight 0 is drawn only by accident, and first among equals of weight 0 (RFC 2782).
fn draw(servers: &[&Server], random: &mut Random) -> usize {
    let total: u32 = servers.iter().map(|s| u32::from(s.weight)).sum();
    let mut lot = random.below(total + 1);
    for (i, server) in servers.iter().enumerate() {
        let weight = u32::from(server.weight);
        if lot <= weight && (weight > 0 || total == 0) {
            return i;
        }
        lot = lot.saturating_sub(weight);
    }
    0
}

/// Records of a second or less would have us ask without pause; those of a week would outlive any change of the carrier's.
const TTL: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// After a failure: at once is no use, a minute is too long for a trunk that is down.
const RETRY: Duration = Duration::from_secs(5);
/// A look-up that is not answered in this time has failed; the edge has a shorter patience of its own.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every name that this gateway wants to know.
#[derive(Debug, Default)]
pub struct Names {
    entries: BTreeMap<Destination, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// The last good answer, however old.
    servers: Vec<Server>,
    due: Due,
}

#[derive(Debug, Clone, Copy)]
enum Due {
    At(Instant),
    /// It is being looked up.
    Asked {
        until: Instant,
    },
}

impl Due {
    fn at(self) -> Instant {
        match self {
            Due::At(at) => at,
            Due::Asked { until } => until,
        }
    }
}

impl Names {
    /// Wants these names and no others. What is known of a name stays known.
    pub fn want_only(&mut self, now: Instant, wanted: &BTreeSet<Destination>) {
        self.entries.retain(|destination, _| wanted.contains(destination));
        wanted.iter().for_each(|destination| self.want(now, destination));
    }

    /// Wants this name from `now` on. An address is known at once, and never asked for.
    pub fn want(&mut self, now: Instant, destination: &Destination) {
        if destination.literal().is_none() && !self.entries.contains_key(destination) {
            self.entries.insert(destination.clone(), Entry { servers: Vec::new(), due: Due::At(now) });
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.entries.values().map(|entry| entry.due.at()).min()
    }

    /// The next name to look up now.
    pub fn poll_query(&mut self, now: Instant) -> Option<Destination> {
        let (destination, entry) = self.entries.iter_mut().find(|(_, entry)| entry.due.at() <= now)?;
        entry.due = Due::Asked { until: now + PATIENCE };
        Some(destination.clone())
    }

    /// What a look-up found; `None`: it failed, and what was known stays. True if something changed.
    pub fn handle_answer(&mut self, now: Instant, destination: &Destination, found: Option<Records>) -> bool {
        let Some(entry) = self.entries.get_mut(destination) else { return false };
        let Some(Records { servers, ttl }) = found.filter(|records| !records.servers.is_empty()) else {
            entry.due = Due::At(now + RETRY);
            return false;
        };
        entry.due = Due::At(now + ttl.clamp(*TTL.start(), *TTL.end()));
        let changed = entry.servers != servers;
        entry.servers = servers;
        changed
    }

    /// Everywhere that this destination leads to, in the order to try.
    pub fn targets(&self, destination: &Destination, random: &mut Random) -> Vec<Target> {
        match destination.literal() {
            Some(target) => vec![target],
            None => self.entries.get(destination).map(|entry| order(&entry.servers, random)).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(priority: u16, weight: u16, address: &str) -> Server {
        let address: SocketAddr = address.parse().unwrap();
        let (port, addresses) = (address.port(), vec![address.ip()]);
        Server { priority, weight, transport: Transport::Udp, port, addresses }
    }

    fn addresses(targets: &[Target]) -> Vec<String> {
        targets.iter().map(|t| t.address.to_string()).collect()
    }

    #[test]
    fn priority_comes_first_and_weight_decides_by_lot() {
        let servers = [
            server(20, 0, "192.0.2.9:5060"),
            server(10, 75, "192.0.2.1:5060"),
            server(10, 25, "192.0.2.2:5060"),
            server(10, 0, "192.0.2.3:5060"),
        ];
        let mut random = Random::from_number(1);
        let mut first = BTreeMap::new();
        for _ in 0..4_000 {
            let order = addresses(&order(&servers, &mut random));
            assert_eq!(order.len(), 4);
            assert_eq!(order[3], "192.0.2.9:5060", "the lower priority is tried last");
            *first.entry(order[0].clone()).or_insert(0) += 1;
        }
        assert!((2_850..3_150).contains(&first["192.0.2.1:5060"]), "{first:?}");
        assert!((850..1_150).contains(&first["192.0.2.2:5060"]), "{first:?}");
    }

    #[test]
    fn the_same_place_is_tried_once() {
        let servers = [server(1, 1, "192.0.2.1:5060"), server(2, 1, "192.0.2.1:5060")];
        assert_eq!(order(&servers, &mut Random::from_number(1)).len(), 1);
        let mixed = Server {
            addresses: ["192.0.2.1", "2001:db8::1"].map(|a| a.parse().unwrap()).to_vec(),
            ..server(1, 1, "192.0.2.1:5060")
        };
        let all = addresses(&order(&[mixed], &mut Random::from_number(1)));
        assert_eq!(all, ["192.0.2.1:5060", "[2001:db8::1]:5060"], "each address of a host is a place");
        let zero = [server(1, 0, "192.0.2.1:1"), server(1, 0, "192.0.2.2:1")];
        assert_eq!(order(&zero, &mut Random::from_number(1)).len(), 2);
    }

    #[test]
    fn destinations_of_uris() {
        let of = |uri: &str| Uri::parse(uri).and_then(|uri| Destination::of(&uri));
        assert_eq!(of("sip:Carrier.Example."), Some(Destination::new("carrier.example", None, None)));
        assert_eq!(of("sip:h:5070;transport=TCP"), Some(Destination::new("h", Some(5070), Some(Transport::Tcp))));
        assert_eq!(of("sip:h;transport=sctp"), None);
        let literal = of("sip:[2001:db8::1]").unwrap().literal().unwrap();
        assert_eq!(literal, Target { transport: Transport::Udp, address: "[2001:db8::1]:5060".parse().unwrap() });
    }

    #[test]
    fn a_name_is_asked_for_when_its_time_to_live_is_over_and_a_failure_keeps_the_last_answer() {
        let name = Destination::new("sbc.example", None, None);
        let at = Instant::from_millis;
        let mut random = Random::from_number(1);
        let mut names = Names::default();
        names.want(at(0), &name);
        names.want(at(0), &Destination::new("192.0.2.7", None, None));
        assert_eq!(names.poll_query(at(0)), Some(name.clone()));
        assert_eq!(names.poll_query(at(0)), None, "it is being looked up, and an address never is");
        assert!(names.targets(&name, &mut random).is_empty());
        let first = Records { servers: vec![server(1, 1, "192.0.2.1:5060")], ttl: Duration::from_secs(60) };
        assert!(names.handle_answer(at(10), &name, Some(first.clone())));
        assert_eq!(names.poll_timeout(), Some(at(60_010)));
        assert_eq!(names.poll_query(at(60_010)), Some(name.clone()));
        assert!(!names.handle_answer(at(60_020), &name, None));
        assert_eq!(addresses(&names.targets(&name, &mut random)), ["192.0.2.1:5060"], "the last answer stays");
        assert_eq!(names.poll_timeout(), Some(at(65_020)), "and it is tried again soon");
        assert_eq!(names.poll_query(at(65_020)), Some(name.clone()));
        assert!(!names.handle_answer(at(65_030), &name, Some(first)), "nothing new");
        let other = Records { servers: vec![server(1, 1, "192.0.2.2:5060")], ttl: Duration::ZERO };
        assert!(names.handle_answer(at(65_040), &name, Some(other)));
        assert_eq!(names.poll_timeout(), Some(at(66_040)), "a time to live of 0 is a second");
    }

    #[test]
    fn a_resolver_that_never_answers_is_asked_again() {
        let name = Destination::new("sbc.example", None, None);
        let mut names = Names::default();
        names.want(Instant::START, &name);
        assert!(names.poll_query(Instant::START).is_some());
        assert_eq!(names.poll_query(Instant::from_millis(29_999)), None);
        assert!(names.poll_query(Instant::from_millis(30_000)).is_some());
    }
}
