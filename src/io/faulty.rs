//! A disk that fails on order, for tests.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::recording::Medium;

/// A disk whose n-th operation fails, that one only: counts down to it.
#[derive(Clone)]
pub(crate) struct FailsOnce(Arc<Mutex<u32>>);

pub(crate) struct FailingFile(File, FailsOnce);

impl FailsOnce {
    pub(crate) fn at(n: u32) -> FailsOnce {
        FailsOnce(Arc::new(Mutex::new(n)))
    }

    /// Whether the fault is still to come.
    pub(crate) fn is_armed(&self) -> bool {
        *self.left() > 0
    }

    fn step(&self) -> io::Result<()> {
        let mut left = self.left();
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        if *left == 0 { Err(io::Error::other("a fault on order")) } else { Ok(()) }
    }

    fn left(&self) -> MutexGuard<'_, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Medium for FailsOnce {
    type File = FailingFile;

    fn create(&self, path: &Path) -> io::Result<FailingFile> {
        self.step()?;
        Ok(FailingFile(File::create(path)?, self.clone()))
    }
}

impl Write for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.step()?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.step()?;
        self.0.flush()
    }
}

impl Seek for FailingFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.1.step()?;
        self.0.seek(to)
    }
}
