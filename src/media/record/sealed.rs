//! Recordings that only whoever has the key can read: AES-256-GCM in chunks. Pure; `io::vault` has the keys.
//!
//! ```text
//! offset 0   4 octets   "HLSR"
//!        4   u8         version, 1
//!        5   u8         1: samples of a recording; 2: its waveform
//!        6   u16        number of the file in its recording, from 1
//!        8   u32        frames a second
//!       12   u32        octets of a chunk, 8,192
//!       16   16 octets  the call's id
//!       32   16 octets  random
//!       48   chunks: each 8,192 octets (the last one may have fewer) and a tag of 16
//!        …   36 octets, once the file is closed: a random nonce, how many octets it holds (u64), a tag
//! ```
//!
//! Numbers are little-endian. The samples are those of the WAV file, whose header follows from their number. Each file has a key of its
//! own: HMAC-SHA256 of its first 48 octets with the call's key, so that a changed header, or a chunk of another file, is found like a
//! changed chunk. The nonce of chunk *n* is four zeros and *n* (u64, big-endian), so chunks cannot change places; the end speaks for
//! the number of chunks, so none can be cut off. Chunks are only ever appended, so what a crash leaves is whole chunks and a piece; they
//! are short because a crash costs up to one of them: a quarter of a second of narrow band, where 64 KiB would be two seconds.

use std::io::{self, Read, Seek, SeekFrom, Write};

use aes_gcm::aead::{self, AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::ids::CallId;

/// Octets in the clear at the beginning of the file.
pub const HEADER: usize = 48;
pub const CHUNK: usize = 8_192;
const TAG: usize = 16;
const NONCE: usize = 12;
const END: usize = NONCE + 8 + TAG;

const MAGIC: &[u8; 5] = b"HLSR\x01";

/// The key of one call's recording.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey([u8; 32]);

impl DataKey {
    pub fn new(octets: [u8; 32]) -> DataKey {
        DataKey(octets)
    }

    pub fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey")
    }
}

/// What a sealed file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Samples,
    Waveform,
}

/// The part of a file that is in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub content: Content,
    pub number: u16,
    pub rate_hz: u32,
    pub call: CallId,
    /// Never the same in two files.
    pub salt: [u8; 16],
}

/// Whoever has changed the file is at fault, or the disk.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    #[error("not a sealed recording: {0}")]
    Foreign(&'static str),
    /// Counted from 0.
    #[error("chunk {0} is not what was sealed")]
    Chunk(u64),
    #[error("its end is missing or is not what was sealed: it was cut, or never closed")]
    NoEnd,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Header {
    fn octets(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..5].copy_from_slice(MAGIC);
        out[5] = match self.content {
            Content::Samples => 1,
            Content::Waveform => 2,
        };
        out[6..8].copy_from_slice(&self.number.to_le_bytes());
        out[8..12].copy_from_slice(&self.rate_hz.to_le_bytes());
        out[12..16].copy_from_slice(&(CHUNK as u32).to_le_bytes());
        out[16..32].copy_from_slice(self.call.0.as_bytes());
        out[32..].copy_from_slice(&self.salt);
        out
    }

    fn of(octets: &[u8; HEADER]) -> Result<Header, SealedError> {
        if octets[..5] != *MAGIC {
            return Err(SealedError::Foreign("another beginning"));
        }
        let content = match octets[5] {
            1 => Content::Samples,
            2 => Content::Waveform,
            _ => return Err(SealedError::Foreign("another content")),
        };
        let number32 = |at: usize| u32::from_le_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]);
        if number32(12) as usize != CHUNK {
            return Err(SealedError::Foreign("chunks of another length"));
        }
        let (mut id, mut salt) = ([0; 16], [0; 16]);
        id.copy_from_slice(&octets[16..32]);
        salt.copy_from_slice(&octets[32..]);
        let number = u16::from_le_bytes([octets[6], octets[7]]);
        Ok(Header { content, number, rate_hz: number32(8), call: CallId(uuid::Uuid::from_bytes(id)), salt })
    }
}

/// Seals and opens the chunks of one file.
struct Chunks(Aes256Gcm);

impl Chunks {
    fn new(key: &DataKey, header: &Header) -> Chunks {
        Chunks(Aes256Gcm::new(&derived(key, header).into()))
    }

    fn seal(&self, number: u64, chunk: &mut Vec<u8>) -> Result<(), SealedError> {
        self.0.encrypt_in_place(&nonce(number), b"", chunk).map_err(|_| SealedError::Chunk(number))
    }

    fn open(&self, number: u64, chunk: &mut Vec<u8>) -> Result<(), SealedError> {
        self.0.decrypt_in_place(&nonce(number), b"", chunk).map_err(|_| SealedError::Chunk(number))
    }

    /// Says that the file holds so many octets in so many chunks.
    fn end(&self, chunks: u64, octets: u64, random: [u8; NONCE - 1]) -> Result<Vec<u8>, SealedError> {
        // The first octet keeps it apart from the chunks' nonces.
        let mut out = vec![1];
        out.extend(random);
        let nonce = Nonce::from(array::<NONCE>(&out));
        let mut held = octets.to_le_bytes().to_vec();
        self.0.encrypt_in_place(&nonce, &chunks.to_le_bytes(), &mut held).map_err(|_| SealedError::NoEnd)?;
        out.append(&mut held);
        Ok(out)
    }

    fn read_end(&self, chunks: u64, end: &[u8; END]) -> Option<u64> {
        let nonce = Nonce::from(array::<NONCE>(&end[..NONCE]));
        let mut held = end[NONCE..].to_vec();
        (end[0] == 1 && self.0.decrypt_in_place(&nonce, &chunks.to_le_bytes(), &mut held).is_ok())
            .then(|| u64::from_le_bytes(array(&held)))
    }
}

fn derived(key: &DataKey, header: &Header) -> [u8; 32] {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..key.0.len()].copy_from_slice(&key.0);
    let mut mac = Hmac::<Sha256>::new(&block);
    mac.update(&header.octets());
    mac.finalize().into_bytes().into()
}

fn nonce(number: u64) -> aead::Nonce<Aes256Gcm> {
    let mut octets = [0; NONCE];
    octets[4..].copy_from_slice(&number.to_be_bytes());
    octets.into()
}

/// The first `N` octets; what is missing is 0.
fn array<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let there = octets.len().min(N);
    out[..there].copy_from_slice(&octets[..there]);
    out
}

/// Writes whole chunks, in order; the rest waits in memory.
pub struct Writer<W: Write> {
    into: W,
    chunks: Chunks,
    waiting: Vec<u8>,
    next: u64,
}

impl<W: Write> Writer<W> {
    pub fn create(mut into: W, key: &DataKey, header: &Header) -> io::Result<Writer<W>> {
        into.write_all(&header.octets())?;
        Ok(Writer { into, chunks: Chunks::new(key, header), waiting: Vec::with_capacity(CHUNK + TAG), next: 0 })
    }

    pub fn write(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            let take = octets.len().min(CHUNK - self.waiting.len());
            self.waiting.extend_from_slice(&octets[..take]);
            octets = &octets[take..];
            if self.waiting.len() == CHUNK {
                self.put()?;
            }
        }
        Ok(())
    }

    /// Interleaved samples.
    pub fn frames(&mut self, samples: &[i16]) -> io::Result<()> {
        let octets: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.write(&octets)
    }

    pub fn silence(&mut self, octets: u64) -> io::Result<()> {
        let quiet = [0; 3_200];
        let mut left = octets;
        while left > 0 {
            let now = left.min(quiet.len() as u64);
            self.write(&quiet[..now as usize])?;
            left -= now;
        }
        Ok(())
    }

    /// The last chunk. The file still wants its end: [`close`].
    pub fn finish(mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.put()?;
        }
        self.into.flush()
    }

    fn put(&mut self) -> io::Result<()> {
        self.chunks.seal(self.next, &mut self.waiting).map_err(io::Error::other)?;
        self.next += 1;
        // A chunk that was written in part is never written again: its nonce is used.
        let written = self.into.write_all(&self.waiting);
        self.waiting.clear();
        written
    }
}

/// A whole file, closed.
pub fn whole(key: &DataKey, header: &Header, octets: &[u8], random: [u8; NONCE - 1]) -> Result<Vec<u8>, SealedError> {
    let mut file = Vec::new();
    let mut writer = Writer::create(&mut file, key, header)?;
    writer.write(octets)?;
    writer.finish()?;
    let chunks = (octets.len() as u64).div_ceil(CHUNK as u64);
    file.extend(Chunks::new(key, header).end(chunks, octets.len() as u64, random)?);
    Ok(file)
}

/// A sealed file, for reading.
pub struct Reader<R> {
    file: R,
    chunks: Chunks,
    header: Header,
    /// Octets that it holds.
    octets: u64,
    /// A chunk in the clear.
    open: Option<(u64, Vec<u8>)>,
}

impl<R: Read + Seek> Reader<R> {
    /// A file that was closed.
    pub fn open(file: R, key: &DataKey) -> Result<Reader<R>, SealedError> {
        let mut reader = Reader::begin(file, key)?;
        reader.octets = reader.end()?.ok_or(SealedError::NoEnd)?;
        Ok(reader)
    }

    fn begin(mut file: R, key: &DataKey) -> Result<Reader<R>, SealedError> {
        let mut octets = [0; HEADER];
        file.seek(SeekFrom::Start(0))?;
        let read = file.read_exact(&mut octets);
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SealedError::Foreign("too short"),
            _ => error.into(),
        })?;
        let header = Header::of(&octets)?;
        Ok(Reader { file, chunks: Chunks::new(key, &header), header, octets: 0, open: None })
    }

    /// What the end says, if there is one.
    fn end(&mut self) -> Result<Option<u64>, SealedError> {
        let length = self.file.seek(SeekFrom::End(0))?;
        let Some(body) = length.checked_sub((HEADER + END) as u64) else { return Ok(None) };
        let mut end = [0; END];
        self.file.seek(SeekFrom::Start(length - END as u64))?;
        self.file.read_exact(&mut end)?;
        let held = body.saturating_sub(body.div_ceil(SEALED) * TAG as u64);
        Ok(self.chunks.read_end(body.div_ceil(SEALED), &end).filter(|octets| *octets <= held))
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Octets that the file holds.
    pub fn len(&self) -> u64 {
        self.octets
    }

    pub fn is_empty(&self) -> bool {
        self.octets == 0
    }

    /// At most `most` octets from `at` on; fewer at the end of a chunk, none at the end of the file.
    pub fn read_at(&mut self, at: u64, most: usize) -> Result<&[u8], SealedError> {
        if at >= self.octets {
            return Ok(&[]);
        }
        let number = at / CHUNK as u64;
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            let chunk = self.chunk(number)?;
            self.open = Some((number, chunk));
        }
        let chunk = self.open.as_ref().map_or(&[][..], |(_, chunk)| chunk);
        let from = (at % CHUNK as u64) as usize;
        let left = usize::try_from(self.octets - at).unwrap_or(usize::MAX);
        let until = chunk.len().min(from + most.min(left));
        // The end speaks for more octets than the chunk has.
        if from >= until && most > 0 { Err(SealedError::Chunk(number)) } else { Ok(&chunk[from.min(until)..until]) }
    }

    fn chunk(&mut self, number: u64) -> Result<Vec<u8>, SealedError> {
        let begin = HEADER as u64 + number * SEALED;
        // The last one may have more than what the file holds of it.
        let left = self.file.seek(SeekFrom::End(0))?.saturating_sub(begin + END as u64);
        let mut chunk = vec![0; left.min(SEALED) as usize];
        self.file.seek(SeekFrom::Start(begin))?;
        self.file.read_exact(&mut chunk)?;
        self.chunks.open(number, &mut chunk)?;
        Ok(chunk)
    }
}

/// Octets of a chunk in the file.
const SEALED: u64 = (CHUNK + TAG) as u64;

/// Frames a second of a file, closed or not, and how many octets [`close`] would leave it.
pub fn survey(file: &mut (impl Read + Seek), key: &DataKey, most: u64, frame: u64) -> Result<(u32, u64), SealedError> {
    let mut reader = Reader::begin(&mut *file, key)?;
    let rate_hz = reader.header.rate_hz;
    if let Some(octets) = reader.end()? {
        return Ok((rate_hz, octets));
    }
    let length = reader.file.seek(SeekFrom::End(0))?;
    let (whole, rest) = ((length - HEADER as u64) / SEALED, (length - HEADER as u64) % SEALED);
    let mut octets = 0;
    // Only what was written last can be torn, but whoever changed a chunk is not to be believed about those behind it.
    for number in 0..=whole {
        let sealed = if number < whole { SEALED } else { rest };
        let mut chunk = vec![0; sealed as usize];
        reader.file.seek(SeekFrom::Start(HEADER as u64 + number * SEALED))?;
        reader.file.read_exact(&mut chunk)?;
        if reader.chunks.open(number, &mut chunk).is_err() {
            break;
        }
        octets += chunk.len() as u64;
    }
    Ok((rate_hz, octets.min(most) / frame * frame))
}

/// What closing found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    pub header: Header,
    /// Octets that the file holds now.
    pub octets: u64,
    /// Length of the file, to which it is to be cut.
    pub length: u64,
}

/// Gives a file its end: what can be opened of its chunks counts, up to `most` octets in whole frames of `frame`. `heard` is told all that
/// it holds, in order. A file that has its end keeps it. The file is to be cut to the length that comes back.
pub fn close(
    file: &mut (impl Read + Write + Seek),
    key: &DataKey,
    (most, frame): (u64, u64),
    random: [u8; NONCE - 1],
    heard: &mut dyn FnMut(&[u8]),
) -> Result<Closed, SealedError> {
    let mut reader = Reader::begin(&mut *file, key)?;
    let header = reader.header;
    if let Some(octets) = reader.end()? {
        reader.octets = octets;
        let mut at = 0;
        while at < octets {
            let piece = reader.read_at(at, CHUNK)?;
            at += piece.len() as u64;
            heard(piece);
        }
        let length = reader.file.seek(SeekFrom::End(0))?;
        return Ok(Closed { header, octets, length });
    }
    let chunks = Chunks::new(key, &header);
    reader.file.seek(SeekFrom::Start(HEADER as u64))?;
    let (mut number, mut octets, mut length) = (0, 0, HEADER as u64);
    loop {
        let mut chunk = Vec::with_capacity(CHUNK + TAG);
        Read::by_ref(&mut reader.file).take(SEALED).read_to_end(&mut chunk)?;
        let sealed = chunk.len() as u64;
        if sealed <= TAG as u64 || chunks.open(number, &mut chunk).is_err() {
            break;
        }
        (number, length) = (number + 1, length + sealed);
        let there = octets + chunk.len() as u64;
        let kept = most.min(there) / frame * frame;
        heard(&chunk[..kept.saturating_sub(octets) as usize]);
        octets = there;
        if sealed < SEALED {
            break;
        }
    }
    let octets = octets.min(most) / frame * frame;
    let end = chunks.end(number, octets, random)?;
    file.seek(SeekFrom::Start(length))?;
    file.write_all(&end)?;
    file.flush()?;
    Ok(Closed { header, octets, length: length + END as u64 })
}

#[cfg(test)]
#[path = "sealed_tests.rs"]
mod tests;
