//! Names to addresses, by DNS: the one place that uses a resolver library. What to look up, and when, is
//! [`crate::peer::route`]'s to say.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use hickory_resolver::{Resolver as Library, TokioResolver};
use tokio::runtime::Handle;

use super::mailbox::Mailbox;
use crate::gateway::Input;
use crate::peer::route::{Destination, Records, Server};
use crate::protocol::sip::endpoint::Transport;

/// One question to one server; there are two tries, and at most four questions for a name.
const PATIENCE: Duration = Duration::from_secs(3);

/// Services of one domain that are tried: it has one for each transport.
const NAMED: usize = 4;

/// RFC 3263 section 4.1: without a port or transport in the URI, services are looked for in this order (TLS only where it is asked for).
const SERVICES: [(Transport, &str); 3] =
    [(Transport::Udp, "_sip._udp"), (Transport::Tcp, "_sip._tcp"), (Transport::Tls, "_sips._tcp")];

pub struct Resolver {
    runtime: Handle,
    mailbox: Mailbox,
    library: Option<Arc<TokioResolver>>,
}

impl Resolver {
    /// `servers`: who is asked; nobody named: those of `/etc/resolv.conf`.
    pub fn new(runtime: Handle, mailbox: Mailbox, servers: &[SocketAddr]) -> Resolver {
        let library = build(servers).inspect_err(|error| {
            tracing::warn!(%error, "names cannot be looked up: the system's resolver has no settings");
        });
        Resolver { runtime, mailbox, library: library.ok().map(Arc::new) }
    }

    /// Looks it up; the answer comes as an input of the switch.
    pub fn look_up(&self, destination: Destination) {
        let (library, mailbox) = (self.library.clone(), self.mailbox.clone());
        self.runtime.spawn(async move {
            let found = match &library {
                Some(library) => records(library, &destination).await,
                None => None,
            };
            mailbox.event(Input::Resolved { destination, found });
        });
    }
}

fn build(servers: &[SocketAddr]) -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let name_server = |server: &SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.to_vec())
        };
        let config = ResolverConfig::from_name_servers(servers.iter().map(name_server).collect());
        Library::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = PATIENCE;
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // The switch asks again when the time to live is over; an answer from here would be as old again.
    options.cache_size = 0;
    builder.build()
}

/// RFC 3263 section 4: with a port the host itself; else what its NAPTR records name, its SRV records, the host itself.
async fn records(library: &TokioResolver, destination: &Destination) -> Option<Records> {
    if destination.port.is_none() {
        // A transport that the URI names leaves no choice; `sips` does.
        if destination.transport.is_none_or(|transport| transport == Transport::Tls) {
            for (transport, service, ttl) in named_services(library, destination).await {
                if let Some(found) = services(library, &service, transport).await {
                    return Some(Records { ttl: found.ttl.min(ttl), ..found });
                }
            }
        }
        let wanted =
            |transport: Transport| destination.transport.map_or(transport != Transport::Tls, |t| t == transport);
        for (transport, service) in SERVICES.into_iter().filter(|(t, _)| wanted(*t)) {
            let found = services(library, &format!("{service}.{}.", destination.host), transport).await;
            if found.is_some() {
                return found;
            }
        }
    }
    let (addresses, ttl) = addresses(library, &destination.host).await?;
    let (transport, port) = (destination.way(), destination.port_of_host());
    Some(Records { servers: vec![Server { priority: 0, weight: 0, transport, port, addresses }], ttl })
}

/// The services that the domain itself names (RFC 3263 section 4.1), its most preferred first. TLS only where it is asked for,
/// and then nothing else.
async fn named_services(library: &TokioResolver, destination: &Destination) -> Vec<(Transport, String, Duration)> {
    let Ok(lookup) = library.lookup(format!("{}.", destination.host), RecordType::NAPTR).await else {
        return Vec::new();
    };
    let wanted: &[(&[u8], Transport)] = match destination.transport {
        Some(_) => &[(b"SIPS+D2T", Transport::Tls)],
        None => &[(b"SIP+D2U", Transport::Udp), (b"SIP+D2T", Transport::Tcp)],
    };
    let mut found = Vec::new();
    for record in lookup.answers() {
        let RData::NAPTR(naptr) = &record.data else { continue };
        // The flag `s`: the replacement has SRV records. Other rewriting has no meaning here.
        let to_srv = naptr.flags.eq_ignore_ascii_case(b"s") && naptr.regexp.is_empty();
        let service = wanted.iter().find(|(word, _)| naptr.services.eq_ignore_ascii_case(word));
        if let (true, Some((_, transport))) = (to_srv, service) {
            let order = (naptr.order, naptr.preference);
            found.push((order, *transport, naptr.replacement.to_string(), ttl_of(record)));
        }
    }
    found.sort_by(|a, b| (a.0, &a.2).cmp(&(b.0, &b.2)));
    found.truncate(NAMED);
    found.into_iter().map(|(_, transport, service, ttl)| (transport, service, ttl)).collect()
}

async fn services(library: &TokioResolver, name: &str, transport: Transport) -> Option<Records> {
    let lookup = library.srv_lookup(name).await.ok()?;
    let (mut servers, mut shortest) = (Vec::new(), Duration::MAX);
    for record in lookup.answers() {
        let RData::SRV(srv) = &record.data else { continue };
        let target = srv.target.to_string();
        // RFC 2782: a single dot says that there is no such service.
        if target == "." {
            continue;
        }
        if let Some((addresses, ttl)) = addresses(library, &target).await {
            shortest = shortest.min(ttl).min(ttl_of(record));
            let (priority, weight, port) = (srv.priority, srv.weight, srv.port);
            servers.push(Server { priority, weight, transport, port, addresses });
        }
    }
    // The order of an answer changes from one to the next and means nothing.
    servers.sort_by_key(|s| (s.priority, s.weight, s.port, s.addresses.clone()));
    (!servers.is_empty()).then_some(Records { servers, ttl: shortest })
}

async fn addresses(library: &TokioResolver, host: &str) -> Option<(Vec<IpAddr>, Duration)> {
    let name = if host.ends_with('.') || !host.contains('.') { host.to_owned() } else { format!("{host}.") };
    let lookup = library.lookup_ip(name.as_str()).await.ok()?;
    let mut addresses: Vec<IpAddr> = lookup.iter().collect();
    addresses.sort_unstable();
    addresses.dedup();
    let ttl = lookup.as_lookup().answers().iter().map(ttl_of).min()?;
    (!addresses.is_empty()).then_some((addresses, ttl))
}

fn ttl_of(record: &Record) -> Duration {
    Duration::from_secs(record.ttl.into())
}
