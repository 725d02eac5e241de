//! Offer and answer (RFC 3264) for one audio stream of G.711 with telephone events.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Codec, Remote};
use crate::protocol::sdp::{Description, Direction, Host, Malformed, Media};

/// Our preference when we make the offer: the trunks that this is built for speak A-law.
pub const CODECS: &[Codec] = &[Codec::Pcma, Codec::Pcmu];

impl Codec {
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }
}

/// The peer's description, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    description: Description,
    /// Which m-line is the audio stream that we take.
    line: usize,
    pub rtp: SocketAddr,
    /// In the peer's order; never empty. The payload type is the one it gave.
    pub codecs: Vec<(Codec, u8)>,
    pub telephone_event: Option<u8>,
    pub direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the SDP cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error("no audio stream over RTP/AVP")]
    NoAudio,
    #[error("no codec that we carry (PCMA, PCMU)")]
    NoCodec,
    #[error("the media address is a name or missing")]
    NoAddress,
}

/// Our side of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    pub rtp: SocketAddr,
    /// What `c=` and `o=` say, if other than the address of `rtp`.
    pub advertise: Option<IpAddr>,
    /// Session id and version of `o=`; the version rises with every new description.
    pub session: u64,
    pub version: u64,
}

/// Reads an offer or an answer.
pub fn read(bytes: &[u8]) -> Result<Peer, Refusal> {
    let description = Description::parse(bytes)?;
    let usable = |m: &&Media| m.kind == "audio" && m.port != 0 && m.protocol.eq_ignore_ascii_case("RTP/AVP");
    let line = description.media.iter().position(|m| usable(&m)).ok_or(Refusal::NoAudio)?;
    let media = &description.media[line];
    let mut codecs = Vec::new();
    let mut telephone_event = None;
    for format in media.formats.iter().filter_map(|f| f.parse::<u8>().ok()) {
        match meaning(media, format) {
            Some(Format::Audio(codec)) => codecs.push((codec, format)),
            Some(Format::Event) => telephone_event = telephone_event.or(Some(format)),
            None => {}
        }
    }
    if codecs.is_empty() {
        return Err(Refusal::NoCodec);
    }
    // Speech to one caller does not go to a group (RFC 3264 section 5 has other rules for multicast).
    let one = |ip: &IpAddr| !ip.is_multicast() && *ip != IpAddr::V4(Ipv4Addr::BROADCAST);
    let Some(Host::Ip(ip)) = description.connection_of(media).filter(|h| matches!(h, Host::Ip(ip) if one(ip))) else {
        return Err(Refusal::NoAddress);
    };
    let mut direction = description.direction_of(media);
    // RFC 2543 hold: a connection address of zeros (RFC 3264 section 8.4).
    if ip.is_unspecified() {
        direction = match direction {
            Direction::SendRecv | Direction::SendOnly => Direction::SendOnly,
            Direction::RecvOnly | Direction::Inactive => Direction::Inactive,
        };
    }
    let rtp = SocketAddr::new(*ip, media.port);
    Ok(Peer { line, rtp, codecs, telephone_event, direction, description })
}

enum Format {
    Audio(Codec),
    Event,
}

/// A dynamic mapping goes before the static meaning of the number.
fn meaning(media: &Media, payload_type: u8) -> Option<Format> {
    match media.maps.iter().find(|(pt, ..)| *pt == payload_type) {
        Some((_, name, 8000)) if name.eq_ignore_ascii_case("PCMA") => Some(Format::Audio(Codec::Pcma)),
        Some((_, name, 8000)) if name.eq_ignore_ascii_case("PCMU") => Some(Format::Audio(Codec::Pcmu)),
        Some((_, name, 8000)) if name.eq_ignore_ascii_case("telephone-event") => Some(Format::Event),
        Some(_) => None,
        None if payload_type == 8 => Some(Format::Audio(Codec::Pcma)),
        None if payload_type == 0 => Some(Format::Audio(Codec::Pcmu)),
        None => None,
    }
}

impl Peer {
    pub fn carries(&self, codec: Codec) -> bool {
        self.codecs.iter().any(|(c, _)| *c == codec)
    }

    /// Where media goes, once one codec is agreed. `signalling`: where the peer's SIP came from.
    pub fn remote(&self, codec: Codec, signalling: IpAddr) -> Remote {
        let mut allowed = vec![self.rtp.ip()];
        if signalling != self.rtp.ip() {
            allowed.push(signalling);
        }
        Remote {
            rtp: self.rtp,
            allowed,
            codec,
            payload_type: self.payload_type_of(codec),
            telephone_event: self.telephone_event,
            send: self.hears(),
            receive: matches!(self.direction, Direction::SendRecv | Direction::SendOnly),
        }
    }

    /// The codec of this stream from now on: the one that it has, if the peer carries it, else the peer's first.
    pub fn keeping(&self, codec: Option<Codec>) -> Codec {
        codec.filter(|c| self.carries(*c)).unwrap_or(self.codecs[0].0)
    }

    fn payload_type_of(&self, codec: Codec) -> u8 {
        let given = self.codecs.iter().find(|(c, _)| *c == codec);
        given.map_or_else(|| codec.payload_type(), |(_, payload_type)| *payload_type)
    }

    /// We may send to this peer.
    pub fn hears(&self) -> bool {
        matches!(self.direction, Direction::SendRecv | Direction::RecvOnly) && !self.rtp.ip().is_unspecified()
    }

    /// The peer holds us: it will not play what we send.
    pub fn holds(&self) -> bool {
        matches!(self.direction, Direction::SendOnly | Direction::Inactive)
    }
}

/// An offer of `codecs` in this order.
pub fn offer(local: &Local, codecs: &[Codec], telephone_event: Option<u8>) -> Vec<u8> {
    describe(local, vec![audio_line(local, codecs, telephone_event, Direction::SendRecv)])
}

/// The answer to `peer`'s offer with one codec; every other stream is refused (port 0).
pub fn answer(local: &Local, peer: &Peer, codec: Codec) -> Vec<u8> {
    let lines = peer.description.media.iter().enumerate().map(|(i, media)| {
        if i == peer.line {
            let direction = peer.direction.reversed();
            let mut line = audio_line(local, &[codec], peer.telephone_event, direction);
            // The numbers are the offerer's (RFC 3264 section 6.1).
            let payload_type = peer.payload_type_of(codec);
            line.formats[0] = payload_type.to_string();
            line.maps[0].0 = payload_type;
            line
        } else {
            Media { port: 0, connection: None, direction: None, maps: Vec::new(), ptime_ms: None, ..media.clone() }
        }
    });
    describe(local, lines.collect())
}

fn audio_line(local: &Local, codecs: &[Codec], telephone_event: Option<u8>, direction: Direction) -> Media {
    let mut maps: Vec<_> = codecs.iter().map(|c| (c.payload_type(), c.name().to_owned(), 8000)).collect();
    maps.extend(telephone_event.map(|pt| (pt, "telephone-event".to_owned(), 8000)));
    Media {
        kind: "audio".to_owned(),
        port: local.rtp.port(),
        protocol: "RTP/AVP".to_owned(),
        formats: maps.iter().map(|(pt, ..)| pt.to_string()).collect(),
        connection: None,
        direction: Some(direction),
        maps,
        ptime_ms: Some(20),
    }
}

fn describe(local: &Local, media: Vec<Media>) -> Vec<u8> {
    // An address of the other family is none that this peer could send to.
    let advertised = local.advertise.filter(|ip| ip.is_ipv4() == local.rtp.is_ipv4());
    let ip = advertised.unwrap_or_else(|| local.rtp.ip());
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    let origin = format!("hotline {} {} IN {family} {ip}", local.session, local.version);
    Description { origin, connection: Some(Host::Ip(ip)), direction: None, media }.to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> Local {
        Local { rtp: "127.0.0.1:20000".parse().unwrap(), advertise: None, session: 1, version: 1 }
    }

    #[test]
    fn an_answer_keeps_the_lines_and_numbers_of_the_offer() {
        let text = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 4000 RTP/AVP 18 97 0 98\r\na=rtpmap:97 PCMA/8000\r\na=rtpmap:98 telephone-event/8000\r\na=sendonly\r\n";
        let peer = read(text.as_bytes()).unwrap();
        assert_eq!(peer.codecs, [(Codec::Pcma, 97), (Codec::Pcmu, 0)]);
        assert_eq!((peer.telephone_event, peer.rtp), (Some(98), "10.0.0.2:4000".parse().unwrap()));
        assert!(peer.holds());
        let answered = String::from_utf8(answer(&local(), &peer, Codec::Pcma)).unwrap();
        assert!(answered.contains("m=video 0 RTP/AVP 96\r\n"), "{answered}");
        assert!(answered.contains("m=audio 20000 RTP/AVP 97 98\r\na=rtpmap:97 PCMA/8000\r\n"), "{answered}");
        assert!(answered.contains("a=recvonly"), "{answered}");
        let remote = peer.remote(Codec::Pcma, "10.0.0.9".parse().unwrap());
        assert_eq!((remote.send, remote.receive, remote.allowed.len()), (false, true, 2));
        assert_eq!(remote.payload_type, 97);
    }

    #[test]
    fn refusals_name_their_cause() {
        let with = |m: &str| read(format!("v=0\r\nc=IN IP4 10.0.0.2\r\n{m}\r\n").as_bytes()).map(|_| ());
        assert_eq!(with("m=audio 4000 RTP/AVP 18"), Err(Refusal::NoCodec));
        assert_eq!(with("m=audio 4000 RTP/SAVP 8"), Err(Refusal::NoAudio));
        assert_eq!(with("m=audio 0 RTP/AVP 8"), Err(Refusal::NoAudio));
        assert_eq!(read(b"v=0\r\nm=audio 4000 RTP/AVP 8\r\n").map(|_| ()), Err(Refusal::NoAddress));
        assert_eq!(with("m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 opus/48000"), Err(Refusal::NoCodec));
    }

    #[test]
    fn media_goes_to_one_host() {
        for group in ["IP4 239.1.2.3/127", "IP6 ff02::1", "IP4 255.255.255.255"] {
            let text = format!("v=0\r\nc=IN {group}\r\nm=audio 4000 RTP/AVP 8\r\n");
            assert_eq!(read(text.as_bytes()).map(|_| ()), Err(Refusal::NoAddress), "{group}");
        }
    }

    #[test]
    fn zeros_mean_hold() {
        let peer = read(b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 8\r\n").unwrap();
        assert!(peer.holds());
        assert!(!peer.remote(Codec::Pcma, "10.0.0.9".parse().unwrap()).send);
    }

    #[test]
    fn an_offer_reads_back() {
        let peer = read(&offer(&local(), CODECS, Some(101))).unwrap();
        assert_eq!(peer.codecs, [(Codec::Pcma, 8), (Codec::Pcmu, 0)]);
        assert_eq!(peer.telephone_event, Some(101));
    }
}
