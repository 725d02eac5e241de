//! Capture files: pcap (libpcap's savefile format) and pcapng, read frame by frame from any source of bytes.

use std::io::{self, Read};

use super::link::Link;
use crate::clock::Instant;

/// A frame longer than this is a broken file: the largest that a capture tool writes is 256 KiB.
const MAX_FRAME: usize = 262_144;
/// A block of pcapng likewise; those that are no frame may be longer and are passed over.
const MAX_BLOCK: usize = MAX_FRAME + 65_536;
const INTERFACES: usize = 4_096;
/// Read at once.
const CHUNK: usize = 1 << 20;

const SECTION: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const ENHANCED_PACKET: u32 = 6;

/// Options of an interface: units of its stamps, and seconds to add.
const TIME_RESOLUTION: u16 = 9;
const TIME_OFFSET: u16 = 14;

#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is empty")]
    Empty,
    #[error("is neither pcap nor pcapng")]
    Format,
    #[error("is compressed ({0}): unpack it first")]
    Compressed(&'static str),
    #[error("is damaged at byte {at}: {what}")]
    Damaged { at: u64, what: &'static str },
}

/// One captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Since 1970.
    pub at: Instant,
    pub link: Link,
    pub bytes: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: Link,
    /// Stamps a second, and seconds to add to each.
    resolution: u64,
    offset_s: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Pcap,
    Pcapng,
}

/// Memory: one chunk, one frame, the interfaces.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the file of `buffer[start]`.
    at: u64,
    format: Format,
    big_endian: bool,
    interfaces: Vec<Interface>,
    truncated: bool,
    unstamped: u64,
}

impl<R: Read> Reader<R> {
    pub fn new(source: R) -> Result<Reader<R>, CaptureError> {
        let mut reader = Reader {
            source,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            at: 0,
            format: Format::Pcapng,
            big_endian: false,
            interfaces: Vec::new(),
            truncated: false,
            unstamped: 0,
        };
        if !reader.fill(4)? {
            return Err(if reader.end == 0 { CaptureError::Empty } else { CaptureError::Format });
        }
        let magic = [0, 1, 2, 3].map(|n| reader.buffer[n]);
        let resolution = match u32::from_le_bytes(magic) {
            SECTION => return Ok(reader),
            0xa1b2_c3d4 | 0xd4c3_b2a1 => 1_000_000,
            0xa1b2_3c4d | 0x4d3c_b2a1 => 1_000_000_000,
            _ => return Err(compressed(magic).map_or(CaptureError::Format, CaptureError::Compressed)),
        };
        reader.format = Format::Pcap;
        reader.big_endian = magic[0] == 0xa1;
        if !reader.fill(24)? {
            return Err(CaptureError::Format);
        }
        // The upper bits tell of a frame check sequence.
        let link = Link::of(reader.u32(20) & 0x0fff_ffff);
        reader.interfaces.push(Interface { link, resolution, offset_s: 0 });
        reader.skip(24);
        Ok(reader)
    }

    /// The file ends within a frame, as one that is still being written does.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Frames that have no time (pcapng's simple packets): they are passed over.
    pub fn unstamped(&self) -> u64 {
        self.unstamped
    }

    /// The next frame; `None` at the end.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let found = match self.format {
            Format::Pcap => self.next_of_pcap()?,
            Format::Pcapng => self.next_of_pcapng()?,
        };
        let Some(Found { at, link, skip, length, whole }) = found else { return Ok(None) };
        let from = self.start + skip;
        self.skip(whole);
        Ok(Some(Frame { at, link, bytes: &self.buffer[from..from + length] }))
    }

    fn next_of_pcap(&mut self) -> Result<Option<Found>, CaptureError> {
        if !self.fill(16)? {
            return Ok(None);
        }
        let length = self.u32(8) as usize;
        if length > MAX_FRAME {
            return Err(self.damaged("a frame longer than any network's"));
        }
        if !self.fill(16 + length)? {
            return Ok(None);
        }
        let Interface { link, resolution, .. } = self.interfaces[0];
        let (seconds, part) = (u64::from(self.u32(0)), u64::from(self.u32(4)));
        let at = Instant::from_nanos(seconds * 1_000_000_000 + part * (1_000_000_000 / resolution));
        Ok(Some(Found { at, link, skip: 16, length, whole: 16 + length }))
    }

    fn next_of_pcapng(&mut self) -> Result<Option<Found>, CaptureError> {
        loop {
            if !self.fill(12)? {
                return Ok(None);
            }
            let kind = self.u32(0);
            if kind == SECTION {
                self.big_endian = false;
                match self.u32(8) {
                    BYTE_ORDER => {}
                    order if order.swap_bytes() == BYTE_ORDER => self.big_endian = true,
                    _ => return Err(self.damaged("a section without byte order")),
                }
                self.interfaces.clear();
            }
            let length = self.u32(4) as usize;
            if length < 12 || !length.is_multiple_of(4) {
                return Err(self.damaged("a block of impossible length"));
            }
            if length > MAX_BLOCK {
                if matches!(kind, INTERFACE | OBSOLETE_PACKET | ENHANCED_PACKET) {
                    return Err(self.damaged("a frame longer than any network's"));
                }
                self.pass_over(length)?;
                continue;
            }
            if !self.fill(length)? {
                return Ok(None);
            }
            match kind {
                INTERFACE => self.read_interface(length)?,
                ENHANCED_PACKET | OBSOLETE_PACKET => return self.read_packet(kind, length).map(Some),
                3 => self.unstamped += 1,
                _ => {}
            }
            self.skip(length);
        }
    }

    fn read_interface(&mut self, length: usize) -> Result<(), CaptureError> {
        if length < 20 || self.interfaces.len() >= INTERFACES {
            return Err(self.damaged("an interface that cannot be read"));
        }
        let link = Link::of(u32::from(self.u16(8)));
        let mut interface = Interface { link, resolution: 1_000_000, offset_s: 0 };
        let mut at = 16;
        while at + 4 <= length - 4 {
            let (code, size) = (self.u16(at), usize::from(self.u16(at + 2)));
            let value = at + 4;
            if code == 0 || value + size > length - 4 {
                break;
            }
            match (code, size) {
                (TIME_RESOLUTION, 1) => {
                    let exponent = self.buffer[self.start + value];
                    let base: u64 = if exponent & 0x80 == 0 { 10 } else { 2 };
                    let resolution = base.checked_pow(u32::from(exponent & 0x7f));
                    interface.resolution = resolution.ok_or_else(|| self.damaged("stamps of unknown units"))?;
                }
                (TIME_OFFSET, 8) => {
                    let words = (u64::from(self.u32(value)), u64::from(self.u32(value + 4)));
                    let joined = if self.big_endian { words.0 << 32 | words.1 } else { words.1 << 32 | words.0 };
                    interface.offset_s = joined as i64;
                }
                _ => {}
            }
            at = value + size.next_multiple_of(4);
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn read_packet(&self, kind: u32, length: usize) -> Result<Found, CaptureError> {
        if length < 32 {
            return Err(self.damaged("a packet shorter than its head"));
        }
        let number = if kind == ENHANCED_PACKET { self.u32(8) as usize } else { usize::from(self.u16(8)) };
        let Some(interface) = self.interfaces.get(number) else {
            return Err(self.damaged("a packet of an interface that was not described"));
        };
        let captured = self.u32(20) as usize;
        if captured > length - 32 {
            return Err(self.damaged("a packet longer than its block"));
        }
        let units = u128::from(self.u32(12)) << 32 | u128::from(self.u32(16));
        let ns = units * 1_000_000_000 / u128::from(interface.resolution);
        let ns = i128::try_from(ns).unwrap_or(i128::MAX) + i128::from(interface.offset_s) * 1_000_000_000;
        let at = Instant::from_nanos(u64::try_from(ns.max(0)).unwrap_or(u64::MAX));
        Ok(Found { at, link: interface.link, skip: 28, length: captured, whole: length })
    }

    /// Makes `wanted` bytes lie behind `start`; false at the end of the file.
    fn fill(&mut self, wanted: usize) -> Result<bool, CaptureError> {
        if self.end - self.start >= wanted {
            return Ok(true);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.truncated |= self.end > 0;
                    return Ok(false);
                }
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn skip(&mut self, bytes: usize) {
        self.start += bytes;
        self.at += bytes as u64;
    }

    fn pass_over(&mut self, mut bytes: usize) -> Result<(), CaptureError> {
        while bytes > 0 {
            let step = bytes.min(CHUNK);
            if !self.fill(step)? {
                self.skip(self.end - self.start);
                return Ok(());
            }
            self.skip(step);
            bytes -= step;
        }
        Ok(())
    }

    fn damaged(&self, what: &'static str) -> CaptureError {
        CaptureError::Damaged { at: self.at, what }
    }

    fn u32(&self, at: usize) -> u32 {
        let at = self.start + at;
        let bytes = [0, 1, 2, 3].map(|n| self.buffer[at + n]);
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn u16(&self, at: usize) -> u16 {
        let at = self.start + at;
        let bytes = [self.buffer[at], self.buffer[at + 1]];
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }
}

fn compressed(magic: [u8; 4]) -> Option<&'static str> {
    match magic {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [b'B', b'Z', b'h', _] => Some("bzip2"),
        [0xfd, b'7', b'z', b'X'] => Some("xz"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd"),
        [4, 0x22, 0x4d, 0x18] => Some("lz4"),
        _ => None,
    }
}

struct Found {
    at: Instant,
    link: Link,
    skip: usize,
    length: usize,
    whole: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Frames = (Vec<(u64, Vec<u8>)>, bool);

    fn frames(bytes: &[u8]) -> Result<Frames, CaptureError> {
        let mut reader = Reader::new(bytes)?;
        let mut found = Vec::new();
        while let Some(frame) = reader.next_frame()? {
            found.push((frame.at.as_nanos(), frame.bytes.to_vec()));
        }
        Ok((found, reader.is_truncated()))
    }

    fn pcap(words: fn(u32) -> [u8; 4], magic: u32) -> Vec<u8> {
        let mut file = words(magic).to_vec();
        [0, 0, 0, 65_535, 1].iter().for_each(|word| file.extend(words(*word)));
        for n in [1, 2] {
            [n, 5, 3, 3].iter().for_each(|word| file.extend(words(*word)));
            file.extend([7, 8, n as u8]);
        }
        file
    }

    #[test]
    fn both_byte_orders_and_units_of_pcap() {
        let two = |part: u64| vec![(1_000_000_000 + part, vec![7, 8, 1]), (2_000_000_000 + part, vec![7, 8, 2])];
        for words in [u32::to_le_bytes, u32::to_be_bytes] {
            assert_eq!(frames(&pcap(words, 0xa1b2_c3d4)).unwrap(), (two(5_000), false));
            assert_eq!(frames(&pcap(words, 0xa1b2_3c4d)).unwrap(), (two(5), false));
        }
        let mut cut = pcap(u32::to_le_bytes, 0xa1b2_c3d4);
        cut.pop();
        assert_eq!(frames(&cut).unwrap(), (two(5_000)[..1].to_vec(), true));
    }

    fn block(words: fn(u32) -> [u8; 4], kind: u32, body: &[u8]) -> Vec<u8> {
        let length = words(12 + body.len() as u32);
        [&words(kind)[..], &length, body, &length].concat()
    }

    #[test]
    fn sections_interfaces_and_stamps_of_pcapng() {
        for words in [u32::to_le_bytes, u32::to_be_bytes] {
            let of = |list: &[u32]| list.iter().flat_map(|word| words(*word)).collect::<Vec<u8>>();
            let half = |a: u32, b: u32| if words(1)[0] == 1 { b << 16 | a } else { a << 16 | b };
            let mut file = block(words, SECTION, &of(&[BYTE_ORDER, half(1, 0), u32::MAX, u32::MAX]));
            // Nanoseconds, ten seconds to add.
            let mut options = of(&[half(9, 1)]);
            options.extend([9, 0, 0, 0]);
            options.extend(of(&[half(14, 8)]));
            options.extend(if words(1)[0] == 1 { 10_u64.to_le_bytes() } else { 10_u64.to_be_bytes() });
            file.extend(block(words, 1, &[of(&[half(1, 0), 0]), options].concat()));
            file.extend(block(words, 5, &[0; 8]));
            file.extend(block(words, 6, &[of(&[0, 0, 77, 3, 3]), vec![1, 2, 3, 0]].concat()));
            file.extend(block(words, 3, &of(&[4, 9])));
            assert_eq!(frames(&file).unwrap(), (vec![(10_000_000_077, vec![1, 2, 3])], false));
            file.extend(block(words, 6, &[of(&[1, 0, 77, 3, 3]), vec![1, 2, 3, 0]].concat()));
            assert!(matches!(frames(&file), Err(CaptureError::Damaged { .. })), "interface 1 is unknown");
        }
    }

    #[test]
    fn what_is_no_capture_is_said_to_be_none() {
        assert!(matches!(frames(b"RIFF"), Err(CaptureError::Format)));
        assert!(matches!(frames(b""), Err(CaptureError::Empty)));
        assert!(matches!(frames(b"\x1f\x8b\x08\x00"), Err(CaptureError::Compressed("gzip"))));
        let mut long = pcap(u32::to_le_bytes, 0xa1b2_c3d4);
        long[24 + 8..24 + 12].fill(0xff);
        assert!(matches!(frames(&long), Err(CaptureError::Damaged { at: 24, .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 12..400), ng: bool) {
            bytes[..4].copy_from_slice(&if ng { SECTION } else { 0xa1b2_c3d4_u32 }.to_le_bytes());
            if ng {
                bytes[4..12].copy_from_slice(&[28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a]);
            }
            let _ = frames(&bytes);
        }
    }
}
