//! IPv4 (RFC 791), IPv6 (RFC 8200), UDP and TCP heads; fragments put together within bounds.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::clock::Instant;

/// Datagrams in pieces at once, and how long one is waited for (RFC 791: 15 s, RFC 8200: 60 s).
const OPEN: usize = 64;
const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST: usize = 65_535;

const TCP: u8 = 6;
const UDP: u8 = 17;
/// RFC 4302: it says what follows it; nothing is hidden.
const AUTHENTICATION: u8 = 51;

/// Datagrams that became whole a moment ago: a port that is mirrored twice brings their pieces again.
const DONE: usize = 64;
const AGAIN: Duration = Duration::from_secs(1);

/// What a packet carries to a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) source: SocketAddr,
    pub(super) target: SocketAddr,
    pub(super) payload: Cow<'a, [u8]>,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `missing`: bytes of the payload that the capture did not keep.
    Udp {
        missing: usize,
    },
    Tcp {
        sequence: u32,
        opens: bool,
        closes: bool,
    },
}

#[derive(Debug)]
struct Packet<'a> {
    source: IpAddr,
    target: IpAddr,
    protocol: u8,
    payload: &'a [u8],
    fragment: Option<Fragment>,
}

#[derive(Debug, Clone, Copy)]
struct Fragment {
    id: u32,
    offset: usize,
    last: bool,
}

type Key = (IpAddr, IpAddr, u8, u32);

#[derive(Debug)]
struct Pieces {
    since: Instant,
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Known once the last one is there.
    length: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Fragments {
    open: BTreeMap<Key, Pieces>,
    done: VecDeque<(Key, Instant)>,
    /// Datagrams that were never whole, or whose pieces contradict one another.
    lost: u64,
}

impl Fragments {
    pub(super) fn lost(&self) -> u64 {
        self.lost + self.open.len() as u64
    }

    /// The segment in an IP packet, or in the datagram that it completes.
    pub(super) fn segment<'a>(&mut self, at: Instant, bytes: &'a [u8]) -> Option<Segment<'a>> {
        let packet = parse(bytes)?;
        if ![TCP, UDP].contains(&packet.protocol) {
            return None;
        }
        let (source, target, protocol) = (packet.source, packet.target, packet.protocol);
        let Some(fragment) = packet.fragment else {
            return transport(source, target, protocol, Cow::Borrowed(packet.payload));
        };
        let whole = self.piece(at, (source, target, protocol, fragment.id), fragment, packet.payload)?;
        transport(source, target, protocol, Cow::Owned(whole))
    }

    fn piece(&mut self, at: Instant, key: Key, fragment: Fragment, payload: &[u8]) -> Option<Vec<u8>> {
        let before = self.open.len();
        self.open.retain(|_, pieces| at.since(pieces.since) < PATIENCE);
        if self.open.len() >= OPEN && !self.open.contains_key(&key) {
            let oldest = self.open.iter().min_by_key(|(_, pieces)| pieces.since).map(|(key, _)| *key)?;
            self.open.remove(&oldest);
        }
        self.lost += before.saturating_sub(self.open.len()) as u64;
        if self.done.iter().any(|(done, when)| *done == key && at.since(*when) < AGAIN) {
            return None;
        }
        let end = fragment.offset + payload.len();
        let pieces =
            self.open.entry(key).or_insert_with(|| Pieces { since: at, pieces: BTreeMap::new(), length: None });
        let overlaps = |(from, piece): (&usize, &Vec<u8>)| *from < end && fragment.offset < from + piece.len();
        if end > LONGEST || pieces.pieces.iter().any(overlaps) {
            // Pieces that overlap are an attack (RFC 5722) or a capture that saw the packet twice.
            let again = pieces.pieces.get(&fragment.offset).is_some_and(|piece| piece == payload);
            if !again {
                self.open.remove(&key);
                self.lost += 1;
            }
            return None;
        }
        if fragment.last {
            pieces.length = Some(end);
        }
        pieces.pieces.insert(fragment.offset, payload.to_vec());
        let held: usize = pieces.pieces.values().map(Vec::len).sum();
        if pieces.length != Some(held) {
            return None;
        }
        let pieces = self.open.remove(&key)?;
        self.done.push_back((key, at));
        if self.done.len() > DONE {
            self.done.pop_front();
        }
        Some(pieces.pieces.into_values().flatten().collect())
    }
}

fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
    match bytes.first()? >> 4 {
        4 => parse_v4(bytes),
        6 => parse_v6(bytes),
        _ => None,
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn parse_v4(bytes: &[u8]) -> Option<Packet<'_>> {
    let head = usize::from(bytes[0] & 0x0f) * 4;
    let total = usize::from(half(bytes, 2)?);
    // 0: segmentation was left to the network card. Behind the packet there may be padding.
    let end = if total == 0 { bytes.len() } else { total.min(bytes.len()) };
    let flags = half(bytes, 6)?;
    let (more, offset) = (flags & 0x2000 != 0, usize::from(flags & 0x1fff) * 8);
    let fragment = (more || offset > 0).then_some(Fragment { id: u32::from(half(bytes, 4)?), offset, last: !more });
    let (mut protocol, mut at) = (*bytes.get(9)?, head.max(20));
    if protocol == AUTHENTICATION && fragment.is_none() {
        (protocol, at) = behind_authentication(bytes, at)?;
    }
    Some(Packet {
        source: IpAddr::V4(Ipv4Addr::from(word(bytes, 12)?)),
        target: IpAddr::V4(Ipv4Addr::from(word(bytes, 16)?)),
        protocol,
        payload: bytes.get(at..end)?,
        fragment,
    })
}

fn parse_v6(bytes: &[u8]) -> Option<Packet<'_>> {
    let length = usize::from(half(bytes, 4)?);
    let end = if length == 0 { bytes.len() } else { (40 + length).min(bytes.len()) };
    let address = |at: usize| Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?)));
    let (source, target) = (address(8)?, address(24)?);
    let (mut next, mut at, mut fragment) = (*bytes.get(6)?, 40, None);
    // Hop-by-hop, routing, destination options, fragment, authentication: at most one of each makes sense.
    for _ in 0..8 {
        match next {
            0 | 43 | 60 => {
                next = *bytes.get(at)?;
                at += (usize::from(*bytes.get(at + 1)?) + 1) * 8;
            }
            AUTHENTICATION => (next, at) = behind_authentication(bytes, at)?,
            44 => {
                let flags = half(bytes, at + 2)?;
                let offset = usize::from(flags & 0xfff8);
                fragment = Some(Fragment { id: word(bytes, at + 4)?, offset, last: flags & 1 == 0 });
                next = *bytes.get(at)?;
                at += 8;
            }
            _ => break,
        }
    }
    // An atomic fragment is whole (RFC 6946).
    let fragment = fragment.filter(|f| f.offset > 0 || !f.last);
    Some(Packet { source, target, protocol: next, payload: bytes.get(at..end)?, fragment })
}

/// What follows an authentication header, and where (its length is in words of four octets, less two).
fn behind_authentication(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    Some((*bytes.get(at)?, at + (usize::from(*bytes.get(at + 1)?) + 2) * 4))
}

fn transport(source: IpAddr, target: IpAddr, protocol: u8, bytes: Cow<'_, [u8]>) -> Option<Segment<'_>> {
    let source = SocketAddr::new(source, half(&bytes, 0)?);
    let target = SocketAddr::new(target, half(&bytes, 2)?);
    let (from, to, kind) = if protocol == UDP {
        // A length of 0 is a jumbogram of IPv6 (RFC 2675), and nothing in IPv4: no host takes it.
        let length = usize::from(half(&bytes, 4)?);
        let end = if length == 0 && source.is_ipv6() { bytes.len() } else { length };
        (8, end.min(bytes.len()), Kind::Udp { missing: end.saturating_sub(bytes.len()) })
    } else {
        let flags = *bytes.get(13)?;
        let head = usize::from(bytes.get(12)? >> 4) * 4;
        let kind = Kind::Tcp { sequence: word(&bytes, 4)?, opens: flags & 0x02 != 0, closes: flags & 0x05 != 0 };
        (head.max(20), bytes.len(), kind)
    };
    let payload = match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(from..to)?),
        Cow::Owned(bytes) => Cow::Owned(bytes.get(from..to)?.to_vec()),
    };
    Some(Segment { source, target, payload, kind })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v4(id: u16, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0];
        packet.extend(((20 + payload.len()) as u16).to_be_bytes());
        packet.extend(id.to_be_bytes());
        packet.extend(((offset / 8) as u16 | if more { 0x2000 } else { 0 }).to_be_bytes());
        packet.extend([64, UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        packet.extend(payload);
        packet
    }

    fn udp(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x13, 0xc4, 0x13, 0xc5];
        bytes.extend(((8 + payload.len()) as u16).to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn a_datagram_is_read_and_padding_is_not() {
        let mut packet = v4(1, 0, false, &udp(b"sip"));
        packet.extend([0; 9]);
        let segment = Fragments::default().segment(Instant::START, &packet).unwrap();
        assert_eq!((segment.source, &*segment.payload), ("10.0.0.1:5060".parse().unwrap(), &b"sip"[..]));
        assert_eq!(segment.kind, Kind::Udp { missing: 0 });
        packet.truncate(30);
        let segment = Fragments::default().segment(Instant::START, &packet).unwrap();
        assert_eq!((&*segment.payload, segment.kind), (&b"si"[..], Kind::Udp { missing: 1 }));
    }

    #[test]
    fn pieces_in_any_order_make_one_datagram() {
        let text: Vec<u8> = (0..3_000_u32).map(|n| n as u8).collect();
        let whole = udp(&text);
        let pieces = [(0, 1_480), (1_480, 2_960), (2_960, whole.len())];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
            let mut fragments = Fragments::default();
            let mut made = None;
            for n in order {
                let (from, to) = pieces[n];
                let packet = v4(9, from, to < whole.len(), &whole[from..to]);
                assert_eq!(made, None);
                made = fragments.segment(Instant::START, &packet).map(|s| s.payload.into_owned());
            }
            assert_eq!(made.as_deref(), Some(&text[..]), "{order:?}");
            for (from, to) in pieces {
                let again = v4(9, from, to < whole.len(), &whole[from..to]);
                assert_eq!(fragments.segment(Instant::START, &again), None, "a mirrored port brings it twice");
            }
            assert_eq!(fragments.lost(), 0);
        }
    }

    #[test]
    fn pieces_are_bounded_in_number_and_time() {
        let mut fragments = Fragments::default();
        for id in 0..1_000 {
            fragments.segment(Instant::START, &v4(id, 0, true, &[1; 64]));
        }
        assert_eq!((fragments.open.len(), fragments.lost()), (OPEN, 1_000));
        fragments.segment(Instant::from_millis(40_000), &v4(7, 8, true, &[1; 64]));
        assert_eq!(fragments.open.len(), 1);
        fragments.segment(Instant::from_millis(40_000), &v4(7, 16, true, &[2; 64]));
        assert_eq!(fragments.open.len(), 0, "overlapping pieces are no datagram");
    }

    #[test]
    fn v6_with_options_and_a_fragment_head() {
        let payload = udp(b"x");
        let mut packet = vec![0x60, 0, 0, 0, 0, (8 + 8 + payload.len()) as u8, 0, 64];
        packet.extend([0; 15]);
        packet.push(1);
        packet.extend([0; 15]);
        packet.push(2);
        packet.extend([44, 0, 1, 4, 0, 0, 0, 0]);
        packet.extend([UDP, 0, 0, 0, 0, 0, 0, 3]);
        packet.extend(&payload);
        let segment = Fragments::default().segment(Instant::START, &packet).unwrap();
        assert_eq!((segment.target, &*segment.payload), ("[::2]:5061".parse().unwrap(), &b"x"[..]));
    }

    #[test]
    fn behind_an_authentication_header() {
        let (payload, ah) = (udp(b"x"), [[UDP, 4].as_slice(), &[0; 22]].concat());
        let mut four = v4(1, 0, false, &[&ah[..], &payload].concat());
        four[9] = AUTHENTICATION;
        let mut six = vec![0x60, 0, 0, 0, 0, (ah.len() + payload.len()) as u8, AUTHENTICATION, 64];
        six.extend([0; 32]);
        six.extend([&ah[..], &payload].concat());
        for packet in [four, six] {
            let segment = Fragments::default().segment(Instant::START, &packet).unwrap();
            assert_eq!((segment.target.port(), &*segment.payload), (5_061, &b"x"[..]));
        }
    }

    #[test]
    fn a_length_of_nothing_is_a_jumbogram_or_a_lie() {
        let mut payload = udp(b"x");
        payload[4..6].fill(0);
        assert_eq!(Fragments::default().segment(Instant::START, &v4(1, 0, false, &payload)), None);
        let mut six = vec![0x60, 0, 0, 0, 0, payload.len() as u8, UDP, 64];
        six.extend([0; 32]);
        six.extend(&payload);
        assert_eq!(&*Fragments::default().segment(Instant::START, &six).unwrap().payload, b"x");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 1..120), six: bool) {
            bytes[0] = if six { 0x60 } else { 0x45 };
            if let Some(protocol) = bytes.get_mut(if six { 6 } else { 9 }) {
                *protocol = [TCP, UDP, 44, 0, AUTHENTICATION][usize::from(*protocol) % 5];
            }
            let mut fragments = Fragments::default();
            let _ = fragments.segment(Instant::START, &bytes);
            let _ = fragments.segment(Instant::START, &bytes);
        }
    }
}
