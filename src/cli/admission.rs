//! What admission says of a source, before anything of its message counts: for `hotline route-test --source`.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use crate::cdr::Word as _;
use crate::config::Config;
use crate::io::probe::{self, Readiness};
use crate::metrics::SipRejection;
use crate::peer::trunk::Peer;

/// An address, with the port that it sends from or with any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Any(IpAddr),
    Port(SocketAddr),
}

impl std::str::FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Source, String> {
        if let Ok(address) = text.trim_matches(['[', ']']).parse() {
            return Ok(Source::Any(address));
        }
        let wrong = || format!("`{text}` is no address like 198.51.100.7, 198.51.100.7:5060 or [2001:db8::1]:5060");
        text.parse().map(Source::Port).map_err(|_| wrong())
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Any(address) => address.fmt(f),
            Source::Port(address) => address.fmt(f),
        }
    }
}

impl Source {
    fn is(self, peer: &Peer) -> bool {
        match self {
            // As for a connection, whose port says nothing.
            Source::Any(address) => peer.admits_connection(SocketAddr::new(address, 0)),
            Source::Port(address) => peer.admits(address),
        }
    }

    fn ip(self) -> IpAddr {
        match self {
            Source::Any(address) => address,
            Source::Port(address) => address.ip(),
        }
    }
}

/// Says it in words. True if the call comes as far as its number.
pub(super) fn explain(config: &Config, source: Source, out: &mut dyn Write) -> io::Result<bool> {
    let trunk = config.trunks.iter().find_map(|t| Some((&t.name, t.peers.iter().find(|peer| source.is(peer))?)));
    if let Some((name, peer)) = trunk {
        writeln!(out, "{source} is a peer of the trunk \"{name}\" ({peer}): it may send calls.")?;
        if let (Source::Any(_), Peer::Socket(socket)) = (source, peer) {
            writeln!(out, "  Over UDP only from port {}; over a connection from any.", socket.port())?;
        }
        return Ok(true);
    }
    let is_phone = |contact: &str| {
        let uri = crate::protocol::sip::uri::Uri::parse(contact);
        uri.and_then(|uri| uri.socket_addr()).is_some_and(|a| a.ip().to_canonical() == source.ip().to_canonical())
    };
    let phone = config.agents.iter().find(|agent| agent.contact.as_deref().is_some_and(is_phone));
    let rejection = match phone {
        Some(agent) => {
            writeln!(
                out,
                "{source} is the phone of agent {}: it is called, and calls nobody by itself.",
                agent.number
            )?;
            SipRejection::FromPhone
        }
        None => {
            writeln!(out, "{source} is a stranger: no peer of a trunk, no agent's phone.")?;
            SipRejection::Stranger
        }
    };
    let (word, answer) = (rejection.word(), rejection.answer());
    writeln!(out, "  Its INVITE gets {answer}; no call is recorded, it is counted as rejected ({word}).")?;
    Ok(false)
}

/// What the running gateway says of itself; it may run with another configuration than the one on disk.
pub(super) fn running(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let at = config.metrics_listen;
    match probe::readiness(at) {
        Readiness::Ready => writeln!(out, "The gateway at {at} takes calls."),
        Readiness::Not(why) => {
            writeln!(
                out,
                "The gateway at {at} takes no new calls at the moment ({}): 503 with Retry-After.",
                why.join(", ")
            )?;
            writeln!(out, "  Such a call is recorded as rejected (draining or overloaded).")
        }
        Readiness::Silent(why) => writeln!(out, "No gateway answers at {at} ({why}): this is what it would do."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(source: &str) -> (bool, String) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hotline.toml");
        let text = "[[trunk]]\nname = \"carrier\"\npeers = [\"198.51.100.0/24\", \"192.0.2.1:5060\"]\n\
                    [[agent]]\nnumber = \"8\"\ncontact = \"sip:8@203.0.113.20:5070\"\n";
        std::fs::write(&file, text).unwrap();
        let config = crate::config::read(Some(&file)).unwrap();
        let mut out = Vec::new();
        let goes_on = explain(&config, source.parse().unwrap(), &mut out).unwrap();
        (goes_on, String::from_utf8(out).unwrap())
    }

    #[test]
    fn trunks_phones_and_strangers() {
        for (source, goes_on, part) in [
            ("198.51.100.7", true, "198.51.100.7 is a peer of the trunk \"carrier\" (198.51.100.0/24)"),
            ("198.51.100.7:9", true, "may send calls"),
            ("192.0.2.1", true, "only from port 5060"),
            ("192.0.2.1:5060", true, "may send calls"),
            ("192.0.2.1:5061", false, "silence; no call is recorded, it is counted as rejected (stranger)"),
            ("203.0.113.20", false, "403; no call is recorded, it is counted as rejected (from_phone)"),
            ("203.0.113.20:1", false, "the phone of agent 8"),
            ("2001:db8::1", false, "is a stranger"),
        ] {
            let (went_on, text) = said(source);
            assert_eq!(went_on, goes_on, "{source}: {text}");
            assert!(text.contains(part), "{source}: {text}");
        }
        for wrong in ["", "carrier.example", "192.0.2.1:", "192.0.2.1:99999"] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }
}
