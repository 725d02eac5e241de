//! One closed file of a recording, for reading: plain or sealed, on this disk or in the object store.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use super::vault::{Vault, VaultError};
use crate::media::record::path::{self, Named};
use crate::media::record::repair::{self, HEADER_BYTES};
use crate::media::record::sealed::{Reader, SealedError};

pub(super) struct SoundFile {
    form: Form,
    /// Frames a second.
    pub(super) rate_hz: u32,
    /// Octets of its samples.
    pub(super) octets: u64,
    /// Of the file as it is kept.
    pub(super) bytes: u64,
}

enum Form {
    Plain(Box<dyn Octets>),
    Sealed(Box<Reader<Box<dyn Octets>>>),
}

/// Wherever they lie.
pub(super) trait Octets: Read + Seek + Send {}

impl<T: Read + Seek + Send> Octets for T {}

#[derive(Debug, thiserror::Error)]
pub(super) enum SoundError {
    #[error(transparent)]
    Key(#[from] VaultError),
    #[error(transparent)]
    Sealed(#[from] SealedError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl SoundFile {
    /// `path`: its name as a plain file. What is not on this disk is looked for in the object store, if there is one.
    pub(super) fn open(path: &Path, vault: &Vault) -> Result<SoundFile, SoundError> {
        let absent = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let missing = match here(path) {
            Err(error) if absent(&error) => error,
            file => return SoundFile::plain_of(file?),
        };
        match here(&path::sealed(path)) {
            Err(error) if absent(&error) => {}
            file => return SoundFile::sealed_of(file?, path, vault),
        }
        if let Some(file) = vault.remote(path)? {
            return SoundFile::plain_of(file);
        }
        match vault.remote(&path::sealed(path))? {
            Some(file) => SoundFile::sealed_of(file, path, vault),
            None => Err(missing.into()),
        }
    }

    fn plain_of((mut file, bytes): Kept) -> Result<SoundFile, SoundError> {
        let (rate_hz, octets) = (repair::rate_hz(&mut file)?, bytes.saturating_sub(HEADER_BYTES));
        Ok(SoundFile { rate_hz, octets, bytes, form: Form::Plain(file) })
    }

    fn sealed_of((file, bytes): Kept, path: &Path, vault: &Vault) -> Result<SoundFile, SoundError> {
        let Named::Recording(call) = path::named(path) else { return Err(SealedError::Foreign("another name").into()) };
        let reader = Reader::open(file, &vault.key(call, &path::first(path))?)?;
        let (rate_hz, octets) = (reader.header().rate_hz, reader.len());
        Ok(SoundFile { rate_hz, octets, bytes, form: Form::Sealed(Box::new(reader)) })
    }

    /// The file itself, unless it is sealed.
    pub(super) fn plain(&mut self) -> Option<&mut dyn Octets> {
        match &mut self.form {
            Form::Plain(file) => Some(file.as_mut()),
            Form::Sealed(_) => None,
        }
    }

    /// The header that the file has, or would have if it were plain.
    pub(super) fn header(&self) -> [u8; HEADER_BYTES as usize] {
        // No file of ours is longer than RIFF's sizes.
        repair::header(self.rate_hz, u32::try_from(self.octets).unwrap_or(u32::MAX - HEADER_BYTES as u32))
    }

    /// Tells these octets of the samples, in order; what is beyond the end is left out.
    pub(super) fn read(&mut self, range: Range<u64>, heard: &mut dyn FnMut(&[u8])) -> Result<(), SoundError> {
        let end = range.end.min(self.octets);
        let mut at = range.start;
        match &mut self.form {
            Form::Plain(file) => {
                file.seek(SeekFrom::Start(HEADER_BYTES + at))?;
                let mut buffer = vec![0; 64 * 1024];
                while at < end {
                    let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
                    file.read_exact(&mut buffer[..most])?;
                    heard(&buffer[..most]);
                    at += most as u64;
                }
            }
            Form::Sealed(reader) => {
                while at < end {
                    let piece = reader.read_at(at, usize::try_from(end - at).unwrap_or(usize::MAX))?;
                    at += piece.len() as u64;
                    heard(piece);
                }
            }
        }
        Ok(())
    }
}

/// What a file holds, and how long it is.
pub(super) type Kept = (Box<dyn Octets>, u64);

fn here(path: &Path) -> io::Result<Kept> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    Ok((Box::new(file), bytes))
}
