//! `[[trunk]]`, `[[target]]` and `[dns]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use super::{Listen, TargetSettings};
use crate::fault::did_you_mean;
use crate::gateway::Trunk;
use crate::ids::TrunkName;
use crate::peer::account::Account;
use crate::peer::identity::{Called, Calling, Identity};
use crate::peer::limit::Limits;
use crate::peer::number::Numbering;
use crate::peer::registration;
use crate::peer::route::Destination;
use crate::peer::trunk::{Peer, PeerError};
use crate::protocol::rtp::event::{Stroke, strokes};
use crate::protocol::sip::endpoint::Transport;
use crate::protocol::sip::uri::{Scheme, Uri};
use crate::written::{At, Table};

const OPTIONS_S: u32 = 5;
const EXPIRES_S: u32 = 3_600;

pub(super) fn read(root: &mut Table<'_>, listen: &[Listen], base: &Path) -> Vec<Trunk> {
    let sections = root.sections("trunk");
    if sections.is_empty() {
        if listen.iter().any(|l| !l.address.ip().is_loopback()) {
            root.fault(
                1,
                "no [[trunk]]: nobody else than this machine may send calls",
                "add [[trunk]] with name and peers",
            );
        }
        return vec![Trunk::of_peers("carrier", vec![Peer::Address(Ipv4Addr::LOCALHOST.into())])];
    }
    let mut found: Vec<Trunk> = Vec::new();
    for mut section in sections {
        let name = section.required_string("name");
        let Some(trunk) = trunk(&mut section, listen, base, name.as_ref().map_or("", |at| at.value.as_str())) else {
            continue;
        };
        let Some(name) = name else { continue };
        if found.iter().any(|t| t.name.as_str() == name.value) {
            section.fault(
                name.line,
                format!("trunk.name \"{}\" is there twice", name.value),
                "give each trunk a name of its own",
            );
        }
        found.push(trunk);
    }
    found
}

fn trunk(section: &mut Table<'_>, listen: &[Listen], base: &Path, name: &str) -> Option<Trunk> {
    let registration = registration(&mut section.section("register"), listen, base);
    let server = section.string("server").and_then(|written| server(section, listen, "server", &written));
    let reached = section.line_of("register").or_else(|| section.line_of("server")).is_some();
    let (peers, names) = peers(section, reached);
    let own = account(&mut section.section("auth"), base);
    let most = 1..=1_000_000;
    let options = section.integer("options_s", 0..=3_600).map_or(OPTIONS_S, |at| at.value);
    // Calls over a registration have our own Contact as Request-URI (RFC 3261 section 10); what was dialled stands in To.
    let reached_by_contact = registration.is_some();
    let server = server.or_else(|| registration.as_ref().map(|r| r.server.clone()));
    Some(Trunk {
        name: TrunkName::from(name),
        peers,
        names,
        account: own.or_else(|| registration.as_ref().map(|r| r.account.clone())),
        options: (options > 0 && server.is_some()).then(|| Duration::from_secs(options.into())),
        server,
        registration,
        limits: Limits {
            calls_per_second: section.integer("calls_per_second", most.clone()).map(|at| at.value),
            calls_at_once: section.integer("calls_at_once", most).map(|at| at.value),
        },
        identity: identity(section, reached_by_contact),
        nat: section.boolean("nat").is_some_and(|at| at.value),
    })
}

/// Those known by address, and those by name. Where `reached`, whoever we send to may send to us.
fn peers(section: &mut Table<'_>, reached: bool) -> (Vec<Peer>, Vec<Destination>) {
    let (mut peers, mut names) = (Vec::new(), Vec::new());
    let written = if reached { section.strings("peers") } else { section.required_strings("peers") };
    for At { value, line } in written.map_or_else(Vec::new, |at| at.value) {
        match value.parse::<Peer>() {
            Ok(peer) => peers.push(peer),
            Err(PeerError::Name(name)) => {
                let (host, port) = match name.split_once(':') {
                    Some((host, port)) => (host, port.parse().ok()),
                    None => (name.as_str(), None),
                };
                names.push(Destination::new(host, port, None));
            }
            Err(e) => section.fault(line, format!("trunk.peers: {e}"), e.hint()),
        }
    }
    (peers, names)
}

/// A SIP URI that names a machine and nobody on it.
fn server(section: &Table<'_>, listen: &[Listen], key: &str, written: &At<String>) -> Option<Uri> {
    const HINT: &str = "write server = \"sip:carrier.example\"";
    let uri = Uri::parse(&written.value);
    let (what, hint) = match &uri {
        // What a carrier's network does behind its own machine is not ours to demand.
        Some(uri) if uri.is_secure() => ("asks for sips", "write sip:…;transport=tls"),
        Some(uri) if tls_without_listener(uri, listen) => {
            ("needs TLS, and sip.listen has no tls: address", "add \"tls:…:5061\" to sip.listen")
        }
        Some(uri) if uri.scheme != Scheme::Sip => ("is not a SIP address", HINT),
        Some(uri) if uri.user.is_some() => ("names a user", HINT),
        Some(uri) if Destination::of(uri).is_none() => ("has a transport that we do not have", "udp, tcp or tls"),
        Some(_) => return uri,
        None => ("is not a SIP address", HINT),
    };
    section.fault(written.line, format!("{} \"{}\" {what}", section.path(key), written.value), hint);
    None
}

fn tls_without_listener(uri: &Uri, listen: &[Listen]) -> bool {
    let tls = Transport::asked_by(uri) == Some(Transport::Tls);
    tls && !listen.iter().any(|listen| listen.transport == Transport::Tls)
}

fn registration(section: &mut Table<'_>, listen: &[Listen], base: &Path) -> Option<registration::Settings> {
    if !section.is_present() {
        return None;
    }
    let server = section.required_string("server").and_then(|written| server(section, listen, "server", &written));
    let expires_s = section.integer("expires_s", 60..=86_400).map_or(EXPIRES_S, |at| at.value);
    let account = account(section, base);
    Some(registration::Settings { server: server?, account: account?, expires_s })
}

fn account(section: &mut Table<'_>, base: &Path) -> Option<Account> {
    if !section.is_present() {
        return None;
    }
    let username = section.required_string("username").filter(|at| {
        let good = at.value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,".contains(c));
        if !good {
            let what = format!("{} \"{}\" cannot stand in a SIP address", section.path("username"), at.value);
            section.fault(at.line, what, "letters, digits, + and - . _ can");
        }
        good
    });
    let password = section.required_string("password_file").and_then(|file| password(section, base, &file));
    let realm = section.string("realm").map(|at| at.value);
    Some(Account { username: username?.value, password: password?, realm })
}

/// The first line of a file that others cannot read.
fn password(section: &Table<'_>, base: &Path, file: &At<String>) -> Option<String> {
    let path = base.join(&file.value);
    let shown = path.display();
    let (what, hint) = match (std::fs::metadata(&path), std::fs::read_to_string(&path)) {
        (Err(e), _) | (_, Err(e)) => (format!("{shown}: {e}"), "write the password into this file".to_owned()),
        (Ok(about), _) if about.mode() & 0o007 != 0 => {
            (format!("{shown} can be read by everybody on this machine"), format!("chmod 600 {shown}"))
        }
        (Ok(_), Ok(text)) => match text.lines().next().map(str::trim_end).filter(|line| !line.is_empty()) {
            Some(line) => return Some(line.to_owned()),
            None => (format!("{shown} is empty"), "write the password into its first line".to_owned()),
        },
    };
    section.fault(file.line, format!("{}: {what}", section.path("password_file")), hint);
    None
}

fn identity(section: &mut Table<'_>, reached_by_contact: bool) -> Identity {
    let mut default = Identity::default();
    default.called.extend(reached_by_contact.then_some(Called::To));
    Identity {
        called: places(section, "called_from", Called::WORDS).unwrap_or(default.called),
        caller: places(section, "caller_from", Calling::WORDS).unwrap_or(default.caller),
        numbering: numbering(&mut section.section("numbers")),
    }
}

/// A list of words; what is wrong has its fault.
fn places<T: Copy>(section: &mut Table<'_>, key: &'static str, words: &[(&str, T)]) -> Option<Vec<T>> {
    let list = section.strings(key)?;
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    if list.value.is_empty() {
        section.fault(list.line, format!("{} is empty", section.path(key)), format!("of {}", known.join(", ")));
    }
    let mut found = Vec::new();
    for At { value, line } in list.value {
        match words.iter().find(|(word, _)| *word == value) {
            Some((_, place)) => found.push(*place),
            None => {
                let what = format!("{} \"{value}\" is not known", section.path(key));
                section.fault(line, what, did_you_mean(&value, &known));
            }
        }
    }
    Some(found)
}

fn numbering(section: &mut Table<'_>) -> Option<Numbering> {
    if !section.is_present() {
        return None;
    }
    let digits = |section: &mut Table<'_>, key: &'static str, more: &str| {
        let written = section.string(key)?;
        let good = written.value.chars().all(|c| c.is_ascii_digit() || more.contains(c));
        if !good {
            section.fault(
                written.line,
                format!("{} \"{}\" has other signs than digits", section.path(key), written.value),
                "write the digits alone, as in \"86\"",
            );
        }
        good.then_some(written.value)
    };
    section.required_string("country_code");
    let country_code = digits(section, "country_code", "");
    let mut numbering = Numbering::new(&country_code.unwrap_or_default());
    numbering.area_code = digits(section, "area_code", "");
    for (key, place) in [
        ("national_prefix", &mut numbering.national_prefix),
        ("international_prefix", &mut numbering.international_prefix),
        ("strip", &mut numbering.strip),
        ("prefix", &mut numbering.prefix),
    ] {
        if let Some(written) = digits(section, key, "+*#") {
            *place = written;
        }
    }
    (!numbering.country_code.is_empty()).then_some(numbering)
}

pub(super) fn targets(root: &mut Table<'_>, trunks: &[Trunk]) -> Vec<TargetSettings> {
    let mut found: Vec<TargetSettings> = Vec::new();
    for mut section in root.sections("target") {
        let (name, trunk, number) =
            (section.required_string("name"), section.required_string("trunk"), section.required_string("number"));
        let (Some(name), Some(trunk), Some(number)) = (name, trunk, number) else { continue };
        match trunks.iter().find(|t| t.name.as_str() == trunk.value) {
            Some(known) if known.way_of_calls().is_some() => {}
            Some(_) => {
                let what = format!("target.trunk \"{}\" does not say where calls go", trunk.value);
                section.fault(trunk.line, what, "add server = \"sip:…\" to that [[trunk]]");
            }
            None => {
                let known: Vec<&str> = trunks.iter().map(|t| t.name.as_str()).collect();
                let what = format!("target.trunk \"{}\" is not a trunk of this file", trunk.value);
                section.fault(trunk.line, what, did_you_mean(&trunk.value, &known));
            }
        }
        if !number.value.chars().all(|c| c.is_ascii_alphanumeric() || "+*-._".contains(c)) {
            let what = format!("target.number \"{}\" cannot be dialled", number.value);
            section.fault(number.line, what, "write digits, with + before a country code");
        }
        if found.iter().any(|t| t.name == name.value) {
            section.fault(
                name.line,
                format!("target.name \"{}\" is there twice", name.value),
                "give each target a name of its own",
            );
        }
        let (trunk, send_digits) = (TrunkName::from(trunk.value), keys(&mut section));
        found.push(TargetSettings { name: name.value, trunk, number: number.value, send_digits });
    }
    found
}

fn keys(target: &mut Table<'_>) -> Vec<Stroke> {
    let Some(written) = target.string("send_digits") else { return Vec::new() };
    strokes(&written.value).unwrap_or_else(|| {
        let what = format!("target.send_digits \"{}\" cannot be keyed", written.value);
        target.fault(
            written.line,
            what,
            "write up to 64 of 0 to 9, *, #, A to D, w (half a second) and W (two seconds)",
        );
        Vec::new()
    })
}

pub(super) fn dns_servers(section: &mut Table<'_>) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for At { value, line } in section.strings("servers").map_or_else(Vec::new, |at| at.value) {
        let port = value.parse::<SocketAddr>().ok();
        match port.or_else(|| value.parse().ok().map(|ip| SocketAddr::new(ip, 53))) {
            Some(address) => found.push(address),
            None => section.fault(
                line,
                format!("dns.servers \"{value}\" is not an address"),
                "write 192.0.2.53 or 127.0.0.1:5353",
            ),
        }
    }
    found
}

#[cfg(test)]
#[path = "trunk_tests.rs"]
mod tests;
