//! What recordings hold, for whoever may hear them: any range of octets of a call's recording as one WAV file, however and
//! wherever it is kept. Blocks; who may ask is asked elsewhere.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::ids::CallId;
use crate::media::record::path;
use crate::media::record::repair::{self, HEADER_BYTES};
use crate::store::{Cause, Kept, Reader, StoreError};

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
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The recordings of a data directory.
#[derive(Debug, Clone)]
pub struct Recordings {
    data: PathBuf,
}

impl Recordings {
    pub fn new(data: &Path) -> Recordings {
        Recordings { data: data.to_owned() }
    }

    /// Octets `range` of the call's recording. An empty range tells its length.
    pub fn read_range(&self, call: CallId, range: Range<u64>) -> Result<Piece, PlaybackError> {
        let files = self.files(&self.kept(call)?)?;
        let lengths = files.iter().map(|file| Ok(fs::metadata(file)?.len().saturating_sub(HEADER_BYTES)));
        let lengths: Vec<u64> = lengths.collect::<io::Result<_>>()?;
        let samples: u64 = lengths.iter().sum();
        let total = HEADER_BYTES + samples;
        if range.start > total || (range.start == total && !range.is_empty()) {
            return Err(PlaybackError::Beyond { total });
        }
        let end = range.end.min(total).min(range.start.saturating_add(MOST)).max(range.start);
        let mut bytes = Vec::new();
        if range.start < HEADER_BYTES {
            let header = header_of(&files, samples)?;
            bytes.extend(header.iter().skip(range.start as usize).take((end - range.start) as usize));
        }
        let mut begins = HEADER_BYTES;
        for (file, length) in files.iter().zip(lengths) {
            let (from, to) = (range.start.max(begins), end.min(begins + length));
            if from < to {
                let mut file = File::open(file)?;
                file.seek(SeekFrom::Start(HEADER_BYTES + from - begins))?;
                file.take(to - from).read_to_end(&mut bytes)?;
            }
            begins += length;
        }
        Ok(Piece { first: range.start, bytes, total })
    }

    /// The waveform as [`crate::media::record::peaks`] writes it, of the first file; `None` if it was never drawn.
    pub fn waveform(&self, call: CallId) -> Result<Option<Vec<u8>>, PlaybackError> {
        let files = self.files(&self.kept(call)?)?;
        match fs::read(path::peaks(&files[0])) {
            Ok(drawn) => Ok(Some(drawn)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn kept(&self, call: CallId) -> Result<Kept, PlaybackError> {
        let row = Reader::open(&self.data)?.recording(call)?.ok_or(PlaybackError::None)?;
        match row.removed {
            Some(removed) => Err(PlaybackError::Gone(removed.cause)),
            None if row.has_file() => Ok(row),
            None => Err(PlaybackError::None),
        }
    }

    /// At least one.
    fn files(&self, row: &Kept) -> Result<Vec<PathBuf>, PlaybackError> {
        let files: Vec<PathBuf> = row.files().into_iter().map(|file| self.data.join(file.path)).collect();
        if files.is_empty() { Err(PlaybackError::None) } else { Ok(files) }
    }
}

/// That of the first file with the sizes of all of them.
fn header_of(files: &[PathBuf], samples: u64) -> io::Result<[u8; HEADER_BYTES as usize]> {
    let mut first = File::open(&files[0])?;
    Ok(repair::header(repair::rate_hz(&mut first)?, u32::try_from(samples).unwrap_or(u32::MAX - HEADER_BYTES as u32)))
}
