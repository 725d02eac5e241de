//! One closed file of a recording, for reading: plain or sealed.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
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
}

enum Form {
    Plain(File),
    Sealed(Box<Reader<File>>),
}

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
    /// `path`: its name as a plain file.
    pub(super) fn open(path: &Path, vault: &Vault) -> Result<SoundFile, SoundError> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return SoundFile::open_sealed(path, vault),
            file => file?,
        };
        let octets = file.metadata()?.len().saturating_sub(HEADER_BYTES);
        Ok(SoundFile { rate_hz: repair::rate_hz(&mut file)?, octets, form: Form::Plain(file) })
    }

    fn open_sealed(path: &Path, vault: &Vault) -> Result<SoundFile, SoundError> {
        let file = File::open(path::sealed(path))?;
        let Named::Recording(call) = path::named(path) else { return Err(SealedError::Foreign("another name").into()) };
        let reader = Reader::open(file, &vault.key(call, &path::first(path))?)?;
        Ok(SoundFile { rate_hz: reader.header().rate_hz, octets: reader.len(), form: Form::Sealed(Box::new(reader)) })
    }

    pub(super) fn is_sealed(&self) -> bool {
        matches!(self.form, Form::Sealed(_))
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
