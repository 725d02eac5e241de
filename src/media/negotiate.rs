//! Offer and answer (RFC 3264) for one audio stream of G.711 or G.722 with telephone events.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::keying::{self, Part, Policy, Secured};
use super::{Codec, Remote};
use crate::protocol::audio::comfort;
use crate::protocol::rtp::srtp::{Keying, MASTER, Suite};
use crate::protocol::sdp::{Description, Direction, Host, Malformed, Media};

/// Our preference when we make the offer: the trunks that this is built for speak A-law.
pub const CODECS: &[Codec] = &[Codec::Pcma, Codec::Pcmu, Codec::G722];

impl Codec {
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
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
    /// RFC 3389, if the peer takes it. We never ask for it: what is left out is not in the recording.
    pub comfort_noise: Option<u8>,
    /// The packet length that it wishes, in ms, to the nearest that we make (10 to 60).
    pub packet_ms: Option<u8>,
    /// Its key: the stream is secured, or may be (RFC 8643; see [`Peer::under`]).
    pub key: Option<keying::Offered>,
    pub direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the SDP cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error("no audio stream over RTP/AVP or RTP/SAVP")]
    NoAudio,
    #[error("no codec that we carry (PCMA, PCMU, G722)")]
    NoCodec,
    #[error("RTP/SAVP without a key that we can use")]
    NoKey,
    #[error("SRTP is switched off for this side")]
    Secured,
    #[error("SRTP is required of this side")]
    Clear,
    #[error("the media address is a name or missing")]
    NoAddress,
    #[error("the media address is of the other IP version than ours")]
    OtherFamily,
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
    pub srtp: Policy,
    /// Our key where the stream is secured: from the system's random numbers.
    pub master: [u8; MASTER],
}

const CLEAR: &str = "RTP/AVP";
const SECURE: &str = "RTP/SAVP";

fn is(media: &Media, protocol: &str) -> bool {
    media.protocol.eq_ignore_ascii_case(protocol)
}

/// Reads an offer or an answer.
pub fn read(bytes: &[u8]) -> Result<Peer, Refusal> {
    let description = Description::parse(bytes)?;
    let usable = |m: &&Media| m.kind == "audio" && m.port != 0 && (is(m, CLEAR) || is(m, SECURE));
    let line = description.media.iter().position(|m| usable(&m)).ok_or(Refusal::NoAudio)?;
    let media = &description.media[line];
    let mut codecs = Vec::new();
    let (mut telephone_event, mut comfort_noise) = (None, None);
    for format in media.formats.iter().filter_map(|f| f.parse::<u8>().ok()) {
        match meaning(media, format) {
            Some(Format::Audio(codec)) => codecs.push((codec, format)),
            Some(Format::Event) => telephone_event = telephone_event.or(Some(format)),
            Some(Format::Noise) => comfort_noise = comfort_noise.or(Some(format)),
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
    let rtp = SocketAddr::new(ip.to_canonical(), media.port);
    let packet_ms = packet_ms(media);
    let key = media.crypto.iter().find_map(|line| keying::parse(line));
    if is(media, SECURE) && key.is_none() {
        return Err(Refusal::NoKey);
    }
    Ok(Peer { line, rtp, codecs, telephone_event, comfort_noise, packet_ms, key, direction, description })
}

enum Format {
    Audio(Codec),
    Event,
    Noise,
}

/// `ptime` within `maxptime` (RFC 8866 section 6.4), as whole 10 ms from 10 to 60.
fn packet_ms(media: &Media) -> Option<u8> {
    let most = media.maxptime_ms.unwrap_or(60).clamp(10, 60);
    // Without a wish only a packet that would be too long is cut: 20 ms is what everybody sends.
    let wish = media.ptime_ms.or_else(|| (most < 20).then_some(most))?;
    u8::try_from(wish.min(most).max(10) / 10 * 10).ok()
}

/// A dynamic mapping goes before the static meaning of the number.
fn meaning(media: &Media, payload_type: u8) -> Option<Format> {
    match media.maps.iter().find(|(pt, ..)| *pt == payload_type) {
        Some((_, name, 8000)) if name.eq_ignore_ascii_case("PCMA") => Some(Format::Audio(Codec::Pcma)),
        Some((_, name, 8000)) if name.eq_ignore_ascii_case("PCMU") => Some(Format::Audio(Codec::Pcmu)),
        Some((_, name, 8000)) if name.eq_ignore_ascii_case("G722") => Some(Format::Audio(Codec::G722)),
        Some((_, name, 8000)) if name.eq_ignore_ascii_case("CN") => Some(Format::Noise),
        Some((_, name, 8000)) if name.eq_ignore_ascii_case("telephone-event") => Some(Format::Event),
        Some(_) => None,
        None if payload_type == 8 => Some(Format::Audio(Codec::Pcma)),
        None if payload_type == 9 => Some(Format::Audio(Codec::G722)),
        None if payload_type == comfort::PAYLOAD_TYPE => Some(Format::Noise),
        None if payload_type == 0 => Some(Format::Audio(Codec::Pcmu)),
        None => None,
    }
}

impl Peer {
    /// The same without the codecs that are not among `ours`.
    pub fn with(mut self, ours: &[Codec]) -> Result<Peer, Refusal> {
        self.codecs.retain(|(codec, _)| ours.contains(codec));
        if self.codecs.is_empty() { Err(Refusal::NoCodec) } else { Ok(self) }
    }

    /// The same under our policy: with a key only if the stream is to be secured.
    pub fn under(mut self, policy: Policy, part: Part) -> Result<Peer, Refusal> {
        if !is(self.media(), SECURE) && !policy.takes_key_beside(part) {
            self.key = None;
        }
        policy.admits(self.key.is_some())?;
        Ok(self)
    }

    /// Whether a packet from this address of ours can get there. Whoever only holds us asks for none.
    pub fn is_reached_from(&self, ours: IpAddr) -> bool {
        let theirs = self.rtp.ip();
        // A socket on every address of IPv6 has those of IPv4 too.
        let both = theirs.is_unspecified() || ours == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        both || theirs.is_ipv4() == ours.is_ipv4()
    }

    pub fn reached_from(self, ours: IpAddr) -> Result<Peer, Refusal> {
        if self.is_reached_from(ours) { Ok(self) } else { Err(Refusal::OtherFamily) }
    }

    fn media(&self) -> &Media {
        &self.description.media[self.line]
    }

    pub fn carries(&self, codec: Codec) -> bool {
        self.codecs.iter().any(|(c, _)| *c == codec)
    }

    /// Where media goes, once one codec is agreed. `also`: where it may come from beside the address of the SDP, that is, where
    /// the SIP of a peer behind a NAT came from.
    pub fn remote(&self, codec: Codec, also: Option<IpAddr>) -> Remote {
        let mut allowed = vec![self.rtp.ip()];
        allowed.extend(also.filter(|ip| *ip != self.rtp.ip()));
        Remote {
            rtp: self.rtp,
            allowed,
            codec,
            payload_type: self.payload_type_of(codec),
            packet_ms: self.packet_ms,
            srtp: None,
            comfort_noise: self.comfort_noise,
            telephone_event: self.telephone_event,
            send: self.hears(),
            receive: matches!(self.direction, Direction::SendRecv | Direction::SendOnly),
        }
    }

    /// The same with the keys of both sides, if the stream is secured.
    pub fn remote_of(&self, local: &Local, codec: Codec, also: Option<IpAddr>) -> Remote {
        let key = self.key.map(|theirs| Secured {
            theirs: theirs.keying,
            ours: Keying { suite: theirs.keying.suite, master: local.master },
        });
        Remote { srtp: key, ..self.remote(codec, also) }
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
    let mut line = audio_line(local, codecs, telephone_event, Direction::SendRecv);
    if local.srtp == Policy::Required {
        SECURE.clone_into(&mut line.protocol);
    }
    if let Policy::Preferred | Policy::Required = local.srtp {
        let keying = Keying { suite: Suite::AesCm128HmacSha1_80, master: local.master };
        line.crypto.push(keying::print(&keying::Offered { tag: 1, keying }));
    }
    describe(local, vec![line])
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
            if let Some(theirs) = peer.key {
                let keying = Keying { suite: theirs.keying.suite, master: local.master };
                // As the offer has it (RFC 3264 section 6.1): a key beside a clear stream leaves that as it is.
                media.protocol.clone_into(&mut line.protocol);
                line.crypto.push(keying::print(&keying::Offered { tag: theirs.tag, keying }));
            }
            line.ptime_ms = peer.packet_ms.map(u32::from).or(line.ptime_ms);
            line
        } else {
            Media {
                port: 0,
                connection: None,
                direction: None,
                maps: Vec::new(),
                ptime_ms: None,
                maxptime_ms: None,
                crypto: Vec::new(),
                ..media.clone()
            }
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
        maxptime_ms: None,
        crypto: Vec::new(),
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
        Local {
            rtp: "127.0.0.1:20000".parse().unwrap(),
            advertise: None,
            session: 1,
            version: 1,
            srtp: Policy::Optional,
            master: [7; MASTER],
        }
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
        let remote = peer.remote(Codec::Pcma, "10.0.0.9".parse().ok());
        assert_eq!((remote.send, remote.receive, remote.allowed.len()), (false, true, 2));
        assert_eq!(remote.payload_type, 97);
        assert_eq!(peer.remote(Codec::Pcma, None).allowed, [peer.rtp.ip()]);
    }

    #[test]
    fn refusals_name_their_cause() {
        let with = |m: &str| read(format!("v=0\r\nc=IN IP4 10.0.0.2\r\n{m}\r\n").as_bytes()).map(|_| ());
        assert_eq!(with("m=audio 4000 RTP/AVP 18"), Err(Refusal::NoCodec));
        assert_eq!(with("m=audio 4000 RTP/SAVP 8"), Err(Refusal::NoKey));
        assert_eq!(with("m=audio 4000 UDP/TLS/RTP/SAVPF 8"), Err(Refusal::NoAudio));
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
    fn a_secured_offer_is_answered_with_a_key_of_ours() {
        let ours = Local { srtp: Policy::Required, ..local() };
        let offered = read(&offer(&ours, CODECS, None)).unwrap();
        let theirs = Local { master: [9; MASTER], ..local() };
        let answered = read(&answer(&theirs, &offered, Codec::Pcma)).unwrap();
        assert!(
            String::from_utf8(answer(&theirs, &offered, Codec::Pcma)).unwrap().contains("m=audio 20000 RTP/SAVP 8\r\n")
        );
        let keys = |peer: &Peer, local| peer.remote_of(local, Codec::Pcma, None).srtp.unwrap();
        assert_eq!(
            keys(&offered, &theirs),
            Secured { theirs: keys(&answered, &ours).ours, ours: keys(&answered, &ours).theirs }
        );
        for (policy, secured, expected) in [
            (Policy::Off, true, Err(Refusal::Secured)),
            (Policy::Required, false, Err(Refusal::Clear)),
            (Policy::Optional, true, Ok(())),
            (Policy::Optional, false, Ok(())),
            (Policy::Preferred, false, Ok(())),
        ] {
            assert_eq!(policy.admits(secured), expected);
        }
    }

    /// RFC 8643.
    #[test]
    fn a_key_beside_a_clear_stream_is_taken_by_those_who_know_of_it() {
        let keyed = |policy| Local { srtp: policy, ..local() };
        let text = String::from_utf8(offer(&keyed(Policy::Preferred), CODECS, None)).unwrap();
        assert!(text.contains(" RTP/AVP 8 0 9\r\n") && text.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"));
        for (theirs, secured) in [(Policy::Off, false), (Policy::Optional, true), (Policy::Preferred, true)] {
            let offered = read(text.as_bytes()).unwrap().under(theirs, Part::Offer).unwrap();
            let answered = answer(&keyed(theirs), &offered, Codec::Pcma);
            assert!(String::from_utf8_lossy(&answered).contains("m=audio 20000 RTP/AVP 8\r\n"));
            let ours = read(&answered).unwrap().under(Policy::Preferred, Part::Answer).unwrap();
            assert_eq!((offered.key.is_some(), ours.key.is_some()), (secured, secured), "{theirs:?}");
            // Whoever offered no key has none, whatever the answer says.
            assert_eq!(read(&answered).unwrap().under(Policy::Optional, Part::Answer).unwrap().key, None);
        }
        let clear = read(&offer(&keyed(Policy::Optional), CODECS, None)).unwrap();
        assert_eq!(clear.under(Policy::Required, Part::Offer).map(|_| ()), Err(Refusal::Clear));
        let unusable = text.replace("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM");
        assert_eq!(read(unusable.as_bytes()).unwrap().key, None, "clear, as if it were not there");
    }

    #[test]
    fn zeros_mean_hold() {
        let peer = read(b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 8\r\n").unwrap();
        assert!(peer.holds());
        assert!(!peer.remote(Codec::Pcma, None).send);
    }

    #[test]
    fn media_of_the_other_ip_version_cannot_be_reached() {
        let read = |c: &str| read(format!("v=0\r\nc=IN {c}\r\nm=audio 4000 RTP/AVP 8\r\n").as_bytes()).unwrap();
        let (v4, v6): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        for (c, ours, reached) in [
            ("IP4 192.0.2.9", v4, true),
            ("IP6 2001:db8::9", v6, true),
            ("IP6 2001:db8::9", v4, false),
            ("IP4 192.0.2.9", v6, false),
            ("IP4 192.0.2.9", "::".parse().unwrap(), true),
            ("IP6 ::ffff:192.0.2.9", v4, true),
            ("IP4 0.0.0.0", v6, true),
        ] {
            let peer = read(c).reached_from(ours);
            assert_eq!(peer.map(drop), if reached { Ok(()) } else { Err(Refusal::OtherFamily) }, "{c} from {ours}");
        }
    }

    #[test]
    fn an_offer_reads_back() {
        let peer = read(&offer(&local(), CODECS, Some(101))).unwrap();
        assert_eq!(peer.codecs, [(Codec::Pcma, 8), (Codec::Pcmu, 0), (Codec::G722, 9)]);
        assert_eq!(peer.telephone_event, Some(101));
    }
}
