//! Keys of SRTP in SDP (RFC 4568): `a=crypto` lines read and written, and who must use them.

use super::negotiate::Refusal;
use crate::ids::Random;
use crate::protocol::rtp::srtp::{Keying, MASTER, Suite};

/// What a side's configuration says of SRTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Not spoken.
    Off,
    /// Answered where it is offered; our own offers are clear.
    #[default]
    Optional,
    /// Our own offers are clear streams with a key beside (RFC 8643): secured where that is taken.
    Preferred,
    /// Nothing else.
    Required,
}

impl Policy {
    pub fn named(name: &str) -> Option<Policy> {
        match name {
            "off" => Some(Policy::Off),
            "optional" => Some(Policy::Optional),
            "preferred" => Some(Policy::Preferred),
            "required" => Some(Policy::Required),
            _ => None,
        }
    }

    /// Whether a key beside a clear stream is one (RFC 8643): in an answer only if our offer had one.
    pub fn takes_key_beside(self, part: Part) -> bool {
        match (self, part) {
            (Policy::Off, _) | (Policy::Optional, Part::Answer) => false,
            (Policy::Optional, Part::Offer) | (Policy::Preferred | Policy::Required, _) => true,
        }
    }

    /// Whether a stream that is or is not secured may be.
    pub fn admits(self, secured: bool) -> Result<(), Refusal> {
        match (self, secured) {
            (Policy::Off, true) => Err(Refusal::Secured),
            (Policy::Required, false) => Err(Refusal::Clear),
            _ => Ok(()),
        }
    }
}

/// What a description of the peer's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Offer,
    Answer,
}

/// One key offered or answered, with its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    pub tag: u32,
    pub keying: Keying,
}

/// Both directions of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secured {
    /// What the peer sends with, and what we do.
    pub theirs: Keying,
    pub ours: Keying,
}

/// A master key and salt of our own.
pub fn fresh(random: &mut Random) -> [u8; MASTER] {
    random.bytes()
}

/// The value of an `a=crypto` that we can use: no master key index, no session parameters (they would weaken it).
pub(super) fn parse(value: &str) -> Option<Offered> {
    let mut words = value.split_ascii_whitespace();
    let tag = words.next()?.parse().ok()?;
    let name = words.next()?;
    let suite = Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))?;
    let mut params = words.next()?.strip_prefix("inline:")?.split('|');
    let master = decode(params.next()?)?;
    // A lifetime (2^31 or shorter: no call reaches it) may stand here; an index would be part of every packet.
    let indexed = params.any(|param| param.contains(':'));
    (!indexed && words.next().is_none()).then_some(Offered { tag, keying: Keying { suite, master } })
}

pub(super) fn print(offered: &Offered) -> String {
    let Offered { tag, keying } = offered;
    format!("{tag} {} inline:{}", keying.suite.name(), encode(&keying.master))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 (RFC 4648 section 4); 30 octets need no padding.
fn encode(master: &[u8; MASTER]) -> String {
    let quad = |three: &[u8]| {
        let bits = three.iter().fold(0u32, |bits, octet| bits << 8 | u32::from(*octet));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift) as usize & 63]))
    };
    master.chunks(3).flat_map(quad).collect()
}

fn decode(text: &str) -> Option<[u8; MASTER]> {
    let mut master = [0; MASTER];
    if text.len() != MASTER / 3 * 4 {
        return None;
    }
    for (three, quad) in master.chunks_mut(3).zip(text.as_bytes().chunks(4)) {
        let mut bits = 0u32;
        for letter in quad {
            bits = bits << 6 | u32::try_from(ALPHABET.iter().position(|a| a == letter)?).ok()?;
        }
        three.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    Some(master)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4568 section 6.1, without its key index.
    const EXAMPLE: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20";

    #[test]
    fn a_key_is_read_and_written() {
        let offered = parse(EXAMPLE).unwrap();
        assert_eq!((offered.tag, offered.keying.suite), (1, Suite::AesCm128HmacSha1_80));
        assert_eq!(&offered.keying.master[..6], b"wDfvg&");
        assert_eq!(print(&offered), EXAMPLE.strip_suffix("|2^20").unwrap());
    }

    #[test]
    fn what_cannot_be_kept_is_not_agreed() {
        for bad in [
            "",
            "1 AES_256_CM_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj UNENCRYPTED_SRTP",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJS",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJS=j",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
