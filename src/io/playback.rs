//! What recordings hold, for whoever may hear them: any range of octets of a call's recording as one WAV file, however and
//! wherever it is kept. Blocks; who may ask is asked elsewhere.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::sound_file::{SoundError, SoundFile};
use super::vault::Vault;
use crate::ids::CallId;
use crate::media::record::path;
use crate::media::record::repair::{self, HEADER_BYTES};
use crate::media::record::sealed::Reader;
use crate::store::{self, Cause, Kept, KeptFile, StoreError};

/// Most octets of one answer: 32 s of a narrowband call.
pub const MOST: u64 = 1 << 20;

/// A stretch of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Offset of the first octet in the WAV file.
    pub first: u64,
    /// At most [`MOST`], and fewer than asked for where the file ends.
    pub bytes: Vec<u8>,
    /// Octets of the whole file.
    pub total: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum PlaybackError {
    /// Nobody knows the call, it is not closed yet, or it was never recorded.
    #[error("this call has no recording")]
    None,
    #[error("the recording is gone ({})", .0.word())]
    Gone(Cause),
    /// To be answered like HTTP's 416.
    #[error("there are {total} octets")]
    Beyond { total: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is not there, is not what was sealed, or its key is not at hand.
    #[error("{0}")]
    File(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<SoundError> for PlaybackError {
    fn from(error: SoundError) -> Self {
        match error {
            SoundError::Io(error) => error.into(),
            other => PlaybackError::File(other.to_string()),
        }
    }
}

/// The recordings of a data directory.
#[derive(Debug, Clone)]
pub struct Recordings {
    data: PathBuf,
    vault: Vault,
}

impl Recordings {
    /// `vault`: for what is sealed.
    pub fn new(data: &Path, vault: Vault) -> Recordings {
        Recordings { data: data.to_owned(), vault }
    }

    /// Octets `range` of the call's recording. An empty range tells its length.
    pub fn read_range(&self, call: CallId, range: Range<u64>) -> Result<Piece, PlaybackError> {
        self.open(call)?.read(range)
    }

    /// The call's recording, to be read piece by piece: what lies in an object store is looked for once.
    pub fn open(&self, call: CallId) -> Result<Open, PlaybackError> {
        let row = self.kept(call)?;
        let open = |file: KeptFile| SoundFile::open(&self.data.join(file.path), &self.vault);
        let files = row.files().into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let rate_hz = files.first().ok_or(PlaybackError::None)?.rate_hz;
        let samples = files.iter().map(|file| file.octets).sum();
        Ok(Open { recordings: self.clone(), call, files, rate_hz, samples })
    }

    /// The waveform as [`crate::media::record::peaks`] writes it, of the first file; `None` if it was never drawn.
    pub fn waveform(&self, call: CallId) -> Result<Option<Vec<u8>>, PlaybackError> {
        let row = self.kept(call)?;
        let first = row.files().into_iter().next().ok_or(PlaybackError::None)?;
        let path = self.data.join(first.path);
        let waveform = path::peaks(&path);
        let opened = match fs::read(&waveform) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(path::sealed(&waveform)),
            drawn => return Ok(Some(drawn?)),
        };
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let key = self.vault.key(call, &path).map_err(SoundError::from)?;
        let mut reader = Reader::open(file, &key).map_err(SoundError::from)?;
        let (mut drawn, length) = (Vec::new(), reader.len().min(MOST));
        while (drawn.len() as u64) < length {
            let piece = reader.read_at(drawn.len() as u64, usize::MAX).map_err(SoundError::from)?;
            drawn.extend_from_slice(piece);
        }
        Ok(Some(drawn))
    }

    fn kept(&self, call: CallId) -> Result<Kept, PlaybackError> {
        let row = store::Reader::open(&self.data)?.recording(call)?.ok_or(PlaybackError::None)?;
        match row.removed {
            Some(removed) => Err(PlaybackError::Gone(removed.cause)),
            None if row.has_file() => Ok(row),
            None => Err(PlaybackError::None),
        }
    }
}

/// A recording that somebody listens to.
pub struct Open {
    recordings: Recordings,
    call: CallId,
    files: Vec<SoundFile>,
    rate_hz: u32,
    /// Octets of all samples.
    samples: u64,
}

impl Open {
    /// Octets of the whole as one WAV file.
    pub fn total(&self) -> u64 {
        HEADER_BYTES + self.samples
    }

    /// Octets `range`. What was deleted since it was opened is not heard any more.
    pub fn read(&mut self, range: Range<u64>) -> Result<Piece, PlaybackError> {
        self.recordings.kept(self.call)?;
        let total = self.total();
        if range.start > total || (range.start == total && !range.is_empty()) {
            return Err(PlaybackError::Beyond { total });
        }
        let end = range.end.min(total).min(range.start.saturating_add(MOST)).max(range.start);
        let mut bytes = Vec::new();
        if range.start < HEADER_BYTES {
            // Beyond 4 GiB players read on to the end.
            let size = u32::try_from(self.samples).unwrap_or(u32::MAX - HEADER_BYTES as u32);
            let header = repair::header(self.rate_hz, size);
            bytes.extend(header.iter().skip(range.start as usize).take((end - range.start) as usize));
        }
        let mut begins = HEADER_BYTES;
        for file in &mut self.files {
            let ends = begins + file.octets;
            let (from, to) = (range.start.max(begins), end.min(ends));
            if from < to {
                file.read(from - begins..to - begins, &mut |samples| bytes.extend_from_slice(samples))?;
            }
            begins = ends;
        }
        Ok(Piece { first: range.start, bytes, total })
    }
}
