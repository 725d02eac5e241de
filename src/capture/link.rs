//! From a captured frame to its IP packet.

/// Link types (the registry of tcpdump.org) that carry telephony.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    /// A word of address family, in whatever byte order, then IP.
    Loopback,
    RawIp,
    /// Linux' cooked capture, `-i any`.
    LinuxSll,
    LinuxSll2,
    /// PPP with or without HDLC's two octets, and Cisco's HDLC.
    Ppp,
    CiscoHdlc,
    Unknown(u32),
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const PPPOE: u16 = 0x8864;
const MPLS: [u16; 2] = [0x8847, 0x8848];
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// A number up to this in the place of a type is the length of an 802.3 frame.
const LONGEST_802_3: u16 = 1_500;
/// LLC and SNAP before a type (RFC 1042).
const SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];
/// Tags within tags, and labels upon labels.
const TAGS: usize = 8;

impl Link {
    pub(super) fn of(number: u32) -> Link {
        match number {
            1 => Link::Ethernet,
            0 | 108 => Link::Loopback,
            12 | 14 | 101 | 228 | 229 => Link::RawIp,
            113 => Link::LinuxSll,
            276 => Link::LinuxSll2,
            9 | 50 => Link::Ppp,
            104 => Link::CiscoHdlc,
            other => Link::Unknown(other),
        }
    }
}

/// The IP packet in a frame; `None` for everything else that is on a network.
pub(super) fn ip_packet(link: Link, frame: &[u8]) -> Option<&[u8]> {
    match link {
        Link::Ethernet => by_type(ether_type(frame, 12)?, frame.get(14..)?),
        Link::Loopback => frame.get(4..),
        Link::RawIp => Some(frame),
        Link::LinuxSll => by_type(ether_type(frame, 14)?, frame.get(16..)?),
        Link::LinuxSll2 => by_type(ether_type(frame, 0)?, frame.get(20..)?),
        Link::Ppp => within_ppp(frame.strip_prefix(&[0xff, 3]).unwrap_or(frame)),
        Link::CiscoHdlc => by_type(ether_type(frame, 2)?, frame.get(4..)?),
        Link::Unknown(_) => None,
    }
}

fn by_type(mut kind: u16, mut rest: &[u8]) -> Option<&[u8]> {
    for _ in 0..=TAGS {
        match kind {
            IPV4 | IPV6 => return Some(rest),
            // RFC 2516 section 4.
            PPPOE => return within_ppp(rest.get(6..)?),
            label if MPLS.contains(&label) => {
                // RFC 3032 section 2.1: the last label has the lowest bit of its third octet set; what follows says
                // itself which version of IP it is.
                let last = rest.get(2)? & 1 == 1;
                rest = rest.get(4..)?;
                kind = match rest.first()? >> 4 {
                    4 if last => IPV4,
                    6 if last => IPV6,
                    _ if last => return None,
                    _ => label,
                };
            }
            length if length <= LONGEST_802_3 => {
                (kind, rest) = (ether_type(rest.strip_prefix(&SNAP)?, 0)?, rest.get(8..)?)
            }
            tag if VLAN.contains(&tag) => (kind, rest) = (ether_type(rest, 2)?, rest.get(4..)?),
            _ => return None,
        }
    }
    None
}

/// RFC 1661 section 2: the protocol's number, then its packet.
fn within_ppp(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(2..).filter(|_| matches!(bytes[..2], [0, 0x21] | [0, 0x57]))
}

fn ether_type(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_type_gives_the_packet() {
        let ip = [0x45, 0, 1];
        let with = |head: &[u8]| [head, &ip].concat();
        let mac = [9; 12];
        let frames = [
            (1, with(&[&mac[..], &[8, 0]].concat())),
            (1, with(&[&mac[..], &[0x81, 0, 0, 5, 8, 0]].concat())),
            (1, with(&[&mac[..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 7, 0x86, 0xdd]].concat())),
            (1, with(&[&mac[..], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 9, 0, 0x21]].concat())),
            (1, with(&[&mac[..], &[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64]].concat())),
            (1, with(&[&mac[..], &[0, 11], &SNAP, &[8, 0]].concat())),
            (9, with(&[0xff, 3, 0, 0x21])),
            (50, with(&[0, 0x57])),
            (104, with(&[0x0f, 0, 8, 0])),
            (0, with(&[2, 0, 0, 0])),
            (108, with(&[0, 0, 0, 2])),
            (101, with(&[])),
            (113, with(&[&[0; 14][..], &[8, 0]].concat())),
            (276, with(&[&[8, 0][..], &[0; 18]].concat())),
        ];
        for (number, frame) in frames {
            assert_eq!(ip_packet(Link::of(number), &frame), Some(&ip[..]), "link type {number}");
        }
        assert_eq!(ip_packet(Link::of(1), &with(&[&mac[..], &[8, 6]].concat())), None, "ARP");
        assert_eq!(ip_packet(Link::of(105), &ip), None);
        assert_eq!(ip_packet(Link::Ethernet, &[1, 2]), None);
    }
}
