//! Secure RTP and RTCP (RFC 3711) with AES in counter mode and HMAC-SHA1, keyed by SDP (RFC 4568).
//!
//! One [`Guard`] for each direction of a leg. Nothing of a packet is believed before its tag was right; a packet that was
//! taken already, or is older than the window, is refused.

use aes::Aes128;
use aes::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

type Keystream = ctr::Ctr128BE<Aes128>;

/// Master key and master salt, in octets.
const KEY: usize = 16;
const SALT: usize = 14;
/// What an `inline:` of SDP holds (RFC 4568 section 6.1).
pub const MASTER: usize = KEY + SALT;
/// Session key of HMAC-SHA1.
const AUTH_KEY: usize = 20;
/// Tag of SRTCP in both suites (RFC 4568 section 6.2.2).
const RTCP_TAG: usize = 10;
/// E and the index of SRTCP.
const RTCP_INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
/// Packets behind the newest that may still come (RFC 3711 section 3.3.2 asks for 64 at least).
const WINDOW: u64 = 128;
/// SSRCs that one peer may have used lately; the oldest is forgotten.
const STREAMS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    AesCm128HmacSha1_80,
    AesCm128HmacSha1_32,
}

impl Suite {
    pub const ALL: [Suite; 2] = [Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32];

    /// As SDP writes it.
    pub fn name(self) -> &'static str {
        match self {
            Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    fn tag(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_80 => 10,
            Suite::AesCm128HmacSha1_32 => 4,
        }
    }
}

/// A suite with a master key and salt. It is shown nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Keying {
    pub suite: Suite,
    pub master: [u8; MASTER],
}

impl std::fmt::Debug for Keying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keying").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// Why a packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("too short to be a secured packet")]
    Short,
    #[error("the tag is wrong")]
    Tag,
    #[error("taken already, or too old")]
    Replay,
    #[error("not encrypted")]
    Clear,
}

/// The session keys of RTP or of RTCP.
#[derive(Clone)]
struct Keys {
    cipher: [u8; KEY],
    salt: [u8; SALT],
    /// Keyed and waiting for a message.
    mac: Hmac<Sha1>,
}

/// One direction: what we send, or what a peer sends to us.
#[derive(Clone)]
pub struct Guard {
    suite: Suite,
    rtp: Keys,
    rtcp: Keys,
    streams: [Option<Stream>; STREAMS],
    /// Of the last RTCP packet that we sent.
    rtcp_sent: u32,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("suite", &self.suite).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Stream {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
}

/// What was taken lately.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    newest: Option<u64>,
    /// Bit `n`: `newest - n` was taken.
    taken: u128,
}

impl Window {
    fn may_take(&self, index: u64) -> bool {
        let Some(newest) = self.newest else { return true };
        match newest.checked_sub(index) {
            None => true,
            Some(behind) => behind < WINDOW && self.taken & (1 << behind) == 0,
        }
    }

    fn take(&mut self, index: u64) {
        let newest = self.newest.unwrap_or(index);
        if index >= newest {
            let step = u32::try_from(index - newest).unwrap_or(u32::MAX);
            self.taken = self.taken.checked_shl(step).unwrap_or(0) | 1;
            self.newest = Some(index);
        } else {
            self.taken |= 1 << (newest - index);
        }
    }
}

impl Guard {
    pub fn new(keying: &Keying) -> Self {
        Guard {
            suite: keying.suite,
            rtp: Keys::derive(&keying.master, 0),
            rtcp: Keys::derive(&keying.master, 3),
            streams: [None; STREAMS],
            rtcp_sent: 0,
        }
    }

    /// Secures the RTP packet that begins at `start` of `out` and ends with it.
    pub fn protect(&mut self, out: &mut Vec<u8>, start: usize) {
        let Some((body, ssrc, sequence)) = rtp_parts(&out[start..]) else { return };
        let stream = self.stream(ssrc);
        let index = index_of(stream.rtp.newest, sequence);
        stream.rtp.take(index);
        self.rtp.apply(ssrc, index, &mut out[start + body..]);
        let tag = self.rtp.tag(&out[start..], &((index >> 16) as u32).to_be_bytes());
        out.extend_from_slice(&tag[..self.suite.tag()]);
    }

    /// Opens an RTP packet in its place; the length without the tag.
    pub fn open(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let length = packet.len().checked_sub(self.suite.tag()).ok_or(Refused::Short)?;
        let (body, ssrc, sequence) = rtp_parts(&packet[..length]).ok_or(Refused::Short)?;
        let window = self.known(ssrc).map(|stream| stream.rtp).unwrap_or_default();
        let index = index_of(window.newest, sequence);
        if !window.may_take(index) {
            return Err(Refused::Replay);
        }
        let (clear, tag) = packet.split_at_mut(length);
        self.rtp.check(clear, &((index >> 16) as u32).to_be_bytes(), tag)?;
        self.stream(ssrc).rtp.take(index);
        self.rtp.apply(ssrc, index, &mut clear[body..]);
        Ok(length)
    }

    /// Secures the RTCP packet that begins at `start` of `out` and ends with it.
    pub fn protect_rtcp(&mut self, out: &mut Vec<u8>, start: usize) {
        let Some(ssrc) = rtcp_ssrc(&out[start..]) else { return };
        self.rtcp_sent = (self.rtcp_sent + 1) & !ENCRYPTED;
        self.rtcp.apply(ssrc, u64::from(self.rtcp_sent), &mut out[start + 8..]);
        out.extend_from_slice(&(self.rtcp_sent | ENCRYPTED).to_be_bytes());
        let tag = self.rtcp.tag(&out[start..], &[]);
        out.extend_from_slice(&tag[..RTCP_TAG]);
    }

    /// Opens an RTCP packet in its place; the length of the clear packet.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Refused> {
        let signed = packet.len().checked_sub(RTCP_TAG).ok_or(Refused::Short)?;
        let length = signed.checked_sub(RTCP_INDEX).ok_or(Refused::Short)?;
        let ssrc = rtcp_ssrc(&packet[..length]).ok_or(Refused::Short)?;
        let (clear, tag) = packet.split_at_mut(signed);
        self.rtcp.check(clear, &[], tag)?;
        let (clear, index) = clear.split_at_mut(length);
        let index = index.iter().fold(0, |index, octet| index << 8 | u32::from(*octet));
        if index & ENCRYPTED == 0 {
            return Err(Refused::Clear);
        }
        let index = u64::from(index & !ENCRYPTED);
        let stream = self.stream(ssrc);
        if !stream.rtcp.may_take(index) {
            return Err(Refused::Replay);
        }
        stream.rtcp.take(index);
        self.rtcp.apply(ssrc, index, &mut clear[8..]);
        Ok(length)
    }

    fn known(&self, ssrc: u32) -> Option<&Stream> {
        self.streams.iter().flatten().find(|stream| stream.ssrc == ssrc)
    }

    /// The stream of an SSRC, which is made if it is new: only after a right tag.
    fn stream(&mut self, ssrc: u32) -> &mut Stream {
        let at = self.streams.iter().position(|s| s.is_some_and(|s| s.ssrc == ssrc)).unwrap_or_else(|| {
            self.streams.rotate_right(1);
            self.streams[0] = None;
            0
        });
        self.streams[at].get_or_insert_with(|| Stream { ssrc, ..Stream::default() })
    }
}

impl Keys {
    /// Section 4.3.1; `label` of the cipher's key, the next two are those of authentication and salt. The rate is 0.
    fn derive(master: &[u8; MASTER], label: u8) -> Self {
        let (key, salt) = master.split_at(KEY);
        let (mut cipher, mut session_salt, mut auth) = ([0; KEY], [0; SALT], [0; AUTH_KEY]);
        expand(key, salt, label, &mut cipher);
        expand(key, salt, label + 1, &mut auth);
        expand(key, salt, label + 2, &mut session_salt);
        let mac = Hmac::new_from_slice(&auth).expect("HMAC takes keys of any length");
        Keys { cipher, salt: session_salt, mac }
    }

    /// En- or deciphers (section 4.1.1).
    fn apply(&self, ssrc: u32, index: u64, bytes: &mut [u8]) {
        let mut iv = [0; KEY];
        iv[..SALT].copy_from_slice(&self.salt);
        let mix = (u128::from(ssrc) << 64) ^ (u128::from(index) << 16);
        for (octet, mixed) in iv.iter_mut().zip(mix.to_be_bytes()) {
            *octet ^= mixed;
        }
        Keystream::new(&self.cipher.into(), &iv.into()).apply_keystream(bytes);
    }

    fn tag(&self, message: &[u8], rest: &[u8]) -> [u8; AUTH_KEY] {
        let mut mac = self.mac.clone();
        mac.update(message);
        mac.update(rest);
        mac.finalize().into_bytes().into()
    }

    /// In constant time.
    fn check(&self, message: &[u8], rest: &[u8], tag: &[u8]) -> Result<(), Refused> {
        let mut mac = self.mac.clone();
        mac.update(message);
        mac.update(rest);
        mac.verify_truncated_left(tag).map_err(|_| Refused::Tag)
    }
}

/// The pseudo-random function of section 4.3.3.
fn expand(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) {
    let mut iv = [0; KEY];
    iv[..SALT].copy_from_slice(salt);
    iv[7] ^= label;
    let key: [u8; KEY] = std::array::from_fn(|n| key[n]);
    Keystream::new(&key.into(), &iv.into()).apply_keystream(out);
}

/// Where the payload begins (behind contributing sources and extension), SSRC and sequence number.
fn rtp_parts(packet: &[u8]) -> Option<(usize, u32, u16)> {
    let word = |at: usize| packet.get(at..at + 4).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]));
    let (first, ssrc) = (word(0)?, word(8)?);
    let mut body = 12 + 4 * ((first >> 24) as usize & 0x0f);
    if first & (1 << 28) != 0 {
        body += 4 + 4 * (word(body)? as usize & 0xffff);
    }
    (body <= packet.len()).then_some((body, ssrc, first as u16))
}

fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    packet.get(4..8).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]))
}

/// The 48-bit index nearest to the newest one (section 3.3.1 and appendix A).
fn index_of(newest: Option<u64>, sequence: u16) -> u64 {
    let Some(newest) = newest else { return u64::from(sequence) };
    let step = i64::from(sequence.wrapping_sub(newest as u16) as i16);
    newest.checked_add_signed(step).unwrap_or_else(|| u64::from(sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|n| u8::from_str_radix(&text[n..n + 2], 16).unwrap()).collect()
    }

    fn keying(suite: Suite) -> Keying {
        let master = hex("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6");
        Keying { suite, master: master.try_into().unwrap() }
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn keys_are_derived_as_in_the_rfc() {
        let keys = Keys::derive(&keying(Suite::AesCm128HmacSha1_80).master, 0);
        assert_eq!(keys.cipher.to_vec(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(keys.salt.to_vec(), hex("30CBBC08863D8C85D49DB34A9AE1"));
        let (mut auth, master) = ([0; 20], keying(Suite::AesCm128HmacSha1_80).master);
        expand(&master[..16], &master[16..], 1, &mut auth);
        assert_eq!(auth.to_vec(), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    /// RFC 3711 appendix B.2: the keystream of SSRC 0 and index 0.
    #[test]
    fn the_keystream_is_that_of_the_rfc() {
        let mut keys = Keys::derive(&keying(Suite::AesCm128HmacSha1_80).master, 0);
        keys.cipher = hex("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
        keys.salt = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let mut stream = [0; 48];
        keys.apply(0, 0, &mut stream);
        let expected =
            "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(stream.to_vec(), hex(expected));
    }

    /// The packet that libsrtp's own test checks, with its master key.
    #[test]
    fn a_packet_is_secured_as_others_do() {
        let mut guard = Guard::new(&keying(Suite::AesCm128HmacSha1_80));
        let mut packet = hex("800f1234decafbadcafebabeabababababababababababababababab");
        guard.protect(&mut packet, 0);
        let expected = "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb";
        assert_eq!(packet, hex(expected));
        let mut receiver = Guard::new(&keying(Suite::AesCm128HmacSha1_80));
        let length = receiver.open(&mut packet).unwrap();
        assert_eq!(packet[..length], hex("800f1234decafbadcafebabeabababababababababababababababab"));
    }

    fn packet(sequence: u16) -> Vec<u8> {
        let mut out = vec![0x80, 8];
        out.extend(sequence.to_be_bytes());
        out.extend([0, 0, 0, 1, 0, 0, 0, 7]);
        out.extend([0xd5; 160]);
        out
    }

    #[test]
    fn three_wraps_of_the_sequence_number_and_swaps_around_them() {
        for suite in Suite::ALL {
            let (mut ours, mut theirs) = (Guard::new(&keying(suite)), Guard::new(&keying(suite)));
            let mut waiting: Vec<Vec<u8>> = Vec::new();
            // Every packet around a wrap, few between: steps below half of the range go one way only.
            let wraps = |n: u32| n % 65_536 < 201 || n % 65_536 >= 65_400;
            for n in (65_400..200_000u32).filter(|n| wraps(*n) || n.is_multiple_of(16_000)) {
                let mut sent = packet(n as u16);
                ours.protect(&mut sent, 0);
                waiting.push(sent);
                if !wraps(n) {
                    waiting.reverse();
                }
                if waiting.len() == 3 || !wraps(n) {
                    for mut sent in waiting.drain(..).rev() {
                        assert_eq!(theirs.open(&mut sent), Ok(172), "packet {n}");
                    }
                }
            }
            assert_eq!(ours.known(7).unwrap().rtp.newest.unwrap() >> 16, 3);
        }
    }

    #[test]
    fn what_was_changed_repeated_or_is_old_is_refused() {
        for suite in Suite::ALL {
            let (mut ours, mut theirs) = (Guard::new(&keying(suite)), Guard::new(&keying(suite)));
            let sent: Vec<Vec<u8>> = (0..300)
                .map(|n| {
                    let mut sent = packet(n);
                    ours.protect(&mut sent, 0);
                    sent
                })
                .collect();
            for at in 0..sent[5].len() {
                let mut changed = sent[5].clone();
                changed[at] ^= 1;
                assert!(theirs.open(&mut changed).is_err(), "octet {at}");
            }
            assert_eq!(theirs.open(&mut sent[5].clone()), Ok(172), "no tampering moved anything");
            assert_eq!(theirs.open(&mut sent[5].clone()), Err(Refused::Replay));
            assert_eq!(theirs.open(&mut sent[299].clone()), Ok(172));
            assert_eq!(theirs.open(&mut sent[171].clone()), Err(Refused::Replay), "128 behind");
            assert_eq!(theirs.open(&mut sent[172].clone()), Ok(172));
            assert_eq!(theirs.open(&mut [0x80; 9]), Err(Refused::Short));
            let mut strange = sent[298].clone();
            strange.truncate(20);
            assert!(theirs.open(&mut strange).is_err());
        }
    }

    #[test]
    fn reports_are_secured_too() {
        let mut clear = vec![0x80, 201, 0, 1, 0, 0, 0, 7];
        clear.extend([1, 2, 3, 4, 5, 6, 7, 8]);
        let (mut ours, mut theirs) =
            (Guard::new(&keying(Suite::AesCm128HmacSha1_32)), Guard::new(&keying(Suite::AesCm128HmacSha1_32)));
        let mut out = vec![9; 3];
        out.extend(&clear);
        ours.protect_rtcp(&mut out, 3);
        let mut sent = out.split_off(3);
        assert_eq!(sent.len(), clear.len() + 14, "80 bits of tag, whatever the suite");
        for at in 0..sent.len() {
            let mut changed = sent.clone();
            changed[at] ^= 1;
            assert_eq!(theirs.open_rtcp(&mut changed), Err(Refused::Tag));
        }
        let mut copy = sent.clone();
        assert_eq!(theirs.open_rtcp(&mut sent), Ok(clear.len()));
        assert_eq!(sent[..clear.len()], clear);
        assert_eq!(theirs.open_rtcp(&mut copy), Err(Refused::Replay));
    }
}
