//! RTCP (RFC 3550 section 6): reports of senders and receivers, the CNAME, BYE.

use std::time::Duration;

use super::Malformed;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// The item CNAME of a source description (section 6.5.1), and its longest text.
const CNAME: u8 = 1;
const MAX_CNAME: usize = 255;

const WORD: usize = 4;
const SENDER_INFO_BYTES: usize = 20;
const BLOCK_BYTES: usize = 24;

/// What a sender says of its own stream (section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Seconds since 1900 and their fraction.
    pub ntp: u64,
    /// The same instant in units of the stream's timestamps.
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What a receiver says of one stream (section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block {
    pub ssrc: u32,
    /// Since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Since the stream began; 24 bits, negative after duplicates.
    pub lost: i32,
    /// Extended.
    pub highest: u32,
    /// In units of the stream's timestamps.
    pub jitter: u32,
    /// [`middle`] of the last sender report's `ntp`; 0: there was none.
    pub last_report: u32,
    /// Since that report, in 1/65,536 s.
    pub delay: u32,
}

/// One report of a received compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    pub ssrc: u32,
    pub sender: Option<SenderInfo>,
    blocks: &'a [u8],
}

/// A received compound packet that is valid as a whole (appendix A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compound<'a>(&'a [u8]);

/// A compound packet of ours: a report, the CNAME and, at the end of the stream, BYE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    pub ssrc: u32,
    /// `None`: nothing was sent lately.
    pub sender: Option<SenderInfo>,
    pub block: Option<Block>,
    pub cname: &'a str,
    pub bye: bool,
}

/// The middle 32 bits of an NTP timestamp.
pub fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// `d` in 1/65,536 s, as [`Block::delay`] counts it.
pub fn delay(d: Duration) -> u32 {
    u32::try_from((d.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
}

impl Block {
    pub fn delay(&self) -> Duration {
        Duration::from_nanos((u64::from(self.delay) * 1_000_000_000) >> 16)
    }
}

impl<'a> Compound<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (packet, after) = split(rest)?;
            let first = rest.len() == bytes.len();
            if first && !matches!(packet.kind, SENDER_REPORT | RECEIVER_REPORT) {
                return Err(Malformed::NoReport);
            }
            // Only the last one may be padded, and the first only if it is alone: we send none.
            if packet.padded && !after.is_empty() {
                return Err(Malformed::Padding);
            }
            if matches!(packet.kind, SENDER_REPORT | RECEIVER_REPORT) {
                packet.report()?;
            }
            rest = after;
        }
        if bytes.is_empty() { Err(Malformed::Short) } else { Ok(Compound(bytes)) }
    }

    pub fn reports(&self) -> impl Iterator<Item = Report<'a>> + use<'a> {
        packets(self.0).filter_map(|packet| match packet.kind {
            SENDER_REPORT | RECEIVER_REPORT => packet.report().ok(),
            _ => None,
        })
    }

    /// The packets of one type, each after its first word.
    pub(super) fn bodies(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        packets(self.0).filter(move |packet| packet.kind == kind).map(|packet| packet.body)
    }

    /// A source says that it leaves.
    pub fn says_bye(&self) -> bool {
        packets(self.0).any(|packet| packet.kind == BYE)
    }
}

impl Report<'_> {
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        self.blocks.chunks_exact(BLOCK_BYTES).filter_map(read_block)
    }
}

/// One packet of a compound.
struct Part<'a> {
    kind: u8,
    count: u8,
    padded: bool,
    /// After the first word.
    body: &'a [u8],
}

impl<'a> Part<'a> {
    fn report(&self) -> Result<Report<'a>, Malformed> {
        let body = self.body;
        let ssrc = word(body, 0).ok_or(Malformed::Short)?;
        let (sender, info) = match self.kind {
            SENDER_REPORT => (Some(sender_info(body).ok_or(Malformed::Short)?), SENDER_INFO_BYTES),
            _ => (None, 0),
        };
        let from = WORD + info;
        let blocks = body.get(from..from + usize::from(self.count) * BLOCK_BYTES).ok_or(Malformed::Short)?;
        Ok(Report { ssrc, sender, blocks })
    }
}

/// The first packet and what follows it.
fn split(bytes: &[u8]) -> Result<(Part<'_>, &[u8]), Malformed> {
    let [first, kind, high, low, ..] = *bytes else { return Err(Malformed::Short) };
    if first >> 6 != 2 {
        return Err(Malformed::Version);
    }
    let length = WORD * (usize::from(u16::from_be_bytes([high, low])) + 1);
    let (packet, rest) = bytes.split_at_checked(length).ok_or(Malformed::Short)?;
    Ok((Part { kind, count: first & 0x1f, padded: first & 0x20 != 0, body: &packet[WORD..] }, rest))
}

fn packets(mut rest: &[u8]) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        let (packet, after) = split(rest).ok()?;
        rest = after;
        Some(packet)
    })
}

fn word(bytes: &[u8], number: usize) -> Option<u32> {
    let at = number * WORD;
    Some(u32::from_be_bytes(bytes.get(at..at + WORD)?.try_into().ok()?))
}

fn sender_info(body: &[u8]) -> Option<SenderInfo> {
    let ntp = u64::from(word(body, 1)?) << 32 | u64::from(word(body, 2)?);
    Some(SenderInfo { ntp, timestamp: word(body, 3)?, packets: word(body, 4)?, octets: word(body, 5)? })
}

fn read_block(bytes: &[u8]) -> Option<Block> {
    let loss = word(bytes, 1)?;
    Some(Block {
        ssrc: word(bytes, 0)?,
        fraction_lost: (loss >> 24) as u8,
        // The sign of 24 bits.
        lost: ((loss << 8) as i32) >> 8,
        highest: word(bytes, 2)?,
        jitter: word(bytes, 3)?,
        last_report: word(bytes, 4)?,
        delay: word(bytes, 5)?,
    })
}

/// Appends the compound packet to `out`.
pub fn write(outgoing: &Outgoing<'_>, out: &mut Vec<u8>) {
    let count = u8::from(outgoing.block.is_some());
    let kind = if outgoing.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    packet(out, count, kind, |out| {
        words(out, &[outgoing.ssrc]);
        if let Some(info) = outgoing.sender {
            words(out, &[(info.ntp >> 32) as u32, info.ntp as u32, info.timestamp, info.packets, info.octets]);
        }
        if let Some(block) = outgoing.block {
            let lost = block.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
            let loss = u32::from(block.fraction_lost) << 24 | lost;
            words(out, &[block.ssrc, loss, block.highest, block.jitter, block.last_report, block.delay]);
        }
    });
    packet(out, 1, SOURCE_DESCRIPTION, |out| {
        words(out, &[outgoing.ssrc]);
        let name = &outgoing.cname.as_bytes()[..outgoing.cname.len().min(MAX_CNAME)];
        out.extend([CNAME, name.len() as u8]);
        out.extend(name);
        // The list of items ends with at least one zero, at the end of a word.
        out.resize(out.len() + WORD - (2 + name.len()) % WORD, 0);
    });
    if outgoing.bye {
        packet(out, 1, BYE, |out| words(out, &[outgoing.ssrc]));
    }
}

fn packet(out: &mut Vec<u8>, count: u8, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0x80 | count, kind, 0, 0]);
    body(out);
    let words = ((out.len() - start) / WORD - 1) as u16;
    out[start + 2..start + WORD].copy_from_slice(&words.to_be_bytes());
}

fn words(out: &mut Vec<u8>, words: &[u32]) {
    out.extend(words.iter().flat_map(|word| word.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(outgoing: &Outgoing<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        write(outgoing, &mut out);
        out
    }

    /// Byte by byte as in the figures of sections 6.4.2, 6.5 and 6.6.
    #[test]
    fn a_receiver_report_with_name_and_bye() {
        let block =
            Block { ssrc: 7, fraction_lost: 64, lost: -2, highest: 0x1_0005, jitter: 9, last_report: 3, delay: 4 };
        let bytes = written(&Outgoing { ssrc: 1, sender: None, block: Some(block), cname: "ab", bye: true });
        let mut expected = vec![0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 7, 64, 0xff, 0xff, 0xfe, 0, 1, 0, 5];
        expected.extend([0, 0, 0, 9, 0, 0, 0, 3, 0, 0, 0, 4]);
        expected.extend([0x81, 202, 0, 3, 0, 0, 0, 1, 1, 2, b'a', b'b', 0, 0, 0, 0]);
        expected.extend([0x81, 203, 0, 1, 0, 0, 0, 1]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn refuses_what_is_no_compound_packet() {
        let bytes = written(&Outgoing { ssrc: 1, sender: None, block: None, cname: "a", bye: true });
        assert!(Compound::parse(&bytes).is_ok_and(|c| c.says_bye()));
        assert_eq!(Compound::parse(&[]), Err(Malformed::Short));
        assert_eq!(Compound::parse(&bytes[..bytes.len() - 1]), Err(Malformed::Short));
        assert_eq!(Compound::parse(&bytes[8..]), Err(Malformed::NoReport), "it begins with a report");
        assert_eq!(Compound::parse(&[0x40, 201, 0, 1, 0, 0, 0, 1]), Err(Malformed::Version));
        assert_eq!(Compound::parse(&[0x81, 201, 0, 1, 0, 0, 0, 1]), Err(Malformed::Short), "a block that is not there");
        assert_eq!(Compound::parse(&[0x80, 200, 0, 1, 0, 0, 0, 1]), Err(Malformed::Short), "no sender's part");
    }

    #[test]
    fn delays_are_counted_in_65536ths() {
        assert_eq!(delay(Duration::from_millis(1_500)), 98_304);
        assert_eq!(Block { delay: 98_304, ..Block::default() }.delay(), Duration::from_millis(1_500));
        assert_eq!(middle(0x1122_3344_5566_7788), 0x3344_5566);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            ssrc: u32, info: Option<(u64, u32, u32, u32)>,
            block: Option<(u32, u8, i32, u32, u32, u32, u32)>, cname in "[a-z@]{0,40}", bye: bool,
        ) {
            let sender =
                info.map(|(ntp, timestamp, packets, octets)| SenderInfo { ntp, timestamp, packets, octets });
            let block = block.map(|(ssrc, fraction_lost, lost, highest, jitter, last_report, delay)| Block {
                ssrc, fraction_lost, lost: lost >> 8, highest, jitter, last_report, delay,
            });
            let bytes = written(&Outgoing { ssrc, sender, block, cname: &cname, bye });
            let compound = Compound::parse(&bytes).unwrap();
            let reports: Vec<Report<'_>> = compound.reports().collect();
            prop_assert_eq!(reports.len(), 1);
            prop_assert_eq!((reports[0].ssrc, reports[0].sender), (ssrc, sender));
            prop_assert_eq!(reports[0].blocks().collect::<Vec<_>>(), Vec::from_iter(block));
            prop_assert_eq!(compound.says_bye(), bye);
        }

        #[test]
        fn no_bytes_make_it_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..120), kind in 198u8..206, length in 0u8..30,
        ) {
            for like_rtcp in [false, true] {
                if like_rtcp && bytes.len() > 3 {
                    (bytes[0], bytes[1], bytes[2], bytes[3]) = (0x80 | bytes[0] & 0x3f, kind, 0, length);
                }
                if let Ok(compound) = Compound::parse(&bytes) {
                    let _ = compound.says_bye();
                    compound.reports().for_each(|report| assert!(report.blocks().count() < 32));
                }
            }
        }
    }
}
