//! What recordings hold, for whoever may hear them: any range of octets of a call's recording as one WAV file, however and
//! wherever it is kept. Blocks; who may ask is asked elsewhere.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::ids::CallId;
use crate::media::record::path;
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
        let mut file = File::open(self.path_of(&self.kept(call)?)?)?;
        let total = file.metadata()?.len();
        if range.start > total || (range.start == total && !range.is_empty()) {
            return Err(PlaybackError::Beyond { total });
        }
        let wanted = range.end.min(total).saturating_sub(range.start).min(MOST);
        file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = Vec::new();
        file.take(wanted).read_to_end(&mut bytes)?;
        Ok(Piece { first: range.start, bytes, total })
    }

    /// The waveform as [`crate::media::record::peaks`] writes it; `None` if it was never drawn.
    pub fn waveform(&self, call: CallId) -> Result<Option<Vec<u8>>, PlaybackError> {
        match fs::read(path::peaks(&self.path_of(&self.kept(call)?)?)) {
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

    fn path_of(&self, row: &Kept) -> Result<PathBuf, PlaybackError> {
        row.path.as_ref().map(|path| self.data.join(path)).ok_or(PlaybackError::None)
    }
}
