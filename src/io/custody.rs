//! Who has the recordings in custody: carries out what people and the retention say, on disk and in the recording ledger.
//!
//! Only the running server does, or a command that has the directory's lock. What two of its threads do at once is settled in the
//! database: a removal is written down once.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::unlink;
use super::inspection::below;
use super::vault::{Vault, VaultError};
use super::{ledger, recording};
use crate::call::fact::RecordingStatus;
use crate::clock::Wall;
use crate::fault::Fault;
use crate::ids::CallId;
use crate::media::record::path::{self, Named};
use crate::media::record::repair;
use crate::rules::Transcript;
use crate::store::{Asked, Cause, Custody, Kept, Retention, StoreError};

/// Rows read at once.
const PAGE: usize = 1_000;

/// Lines of one answer; what is beyond is counted in its last one.
const LINES: usize = 1_000;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Mends torn headers and recordings that were left open, and writes rows that are missing.
    Repair,
    /// Deletes what the retention no longer keeps.
    Prune {
        dry_run: bool,
    },
    Hold {
        call: CallId,
        by: String,
        why: String,
    },
    Release {
        call: CallId,
    },
    /// The first one asks, another one confirms.
    Destroy {
        call: CallId,
        by: String,
        why: String,
    },
    /// Notes that somebody takes a copy of it out.
    Export {
        call: CallId,
        by: String,
        why: String,
    },
    /// Takes what a recogniser heard in a call; `file` is what faults are known by.
    Transcribe {
        call: CallId,
        file: String,
        transcript: Transcript,
        by: String,
    },
    /// Erases a caller's number and the recordings of that caller.
    Erase {
        caller: String,
        by: String,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("no key of this data directory: {0}")]
    Key(io::Error),
    #[error("{0}")]
    Wrong(&'static str),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
}

impl From<Vec<Fault>> for CustodyError {
    fn from(faults: Vec<Fault>) -> CustodyError {
        CustodyError::Faults(faults)
    }
}

pub struct Custodian {
    data: PathBuf,
    store: Custody,
    retention: Retention,
    vault: Vault,
}

/// What was done, a line each; bounded.
#[derive(Debug, Default)]
struct Done {
    lines: Vec<String>,
    beyond: usize,
}

impl Done {
    fn say(&mut self, line: String) {
        if self.lines.len() < LINES {
            self.lines.push(line);
        } else {
            self.beyond += 1;
        }
    }

    fn sum_up(mut self, line: String) -> Vec<String> {
        if self.beyond > 0 {
            self.lines.push(format!("… and {} more", self.beyond));
        }
        self.lines.push(line);
        self.lines
    }
}

impl Custodian {
    pub fn open(data: &Path, retention: Retention, vault: Vault) -> Result<Custodian, CustodyError> {
        let key = ledger::subject_key(data).map_err(CustodyError::Key)?;
        Ok(Custodian { data: data.to_owned(), store: Custody::open(data, key)?, retention, vault })
    }

    /// Carries an order out; says what was done, a line each.
    pub fn carry_out(&mut self, order: &Order, now: Wall) -> Result<Vec<String>, CustodyError> {
        match order {
            Order::Repair => self.repair(),
            Order::Prune { dry_run } => self.prune(now, *dry_run),
            Order::Hold { call, by, why } => {
                self.store.hold(*call, named(by)?, reasoned(why)?, now)?;
                Ok(vec![format!("{call} is under legal hold")])
            }
            Order::Release { call } => {
                self.store.release(*call)?;
                Ok(vec![format!("{call} is no longer under legal hold")])
            }
            Order::Destroy { call, by, why } => self.destroy(*call, named(by)?, why, now),
            Order::Export { call, by, why } => {
                self.store.export(*call, named(by)?, reasoned(why)?, now)?;
                Ok(vec![format!("{call}: taken out by {}", by.trim())])
            }
            Order::Transcribe { call, file, transcript, by } => {
                self.store.transcribe(*call, (file, transcript), named(by)?, now)??;
                Ok(vec![format!("{call}: {} utterances", transcript.utterances.len())])
            }
            Order::Erase { caller, by } => self.erase(caller, named(by)?, now),
        }
    }

    fn repair(&mut self) -> Result<Vec<String>, CustodyError> {
        let mut done = Done::default();
        let rows = self.store.fill()?;
        for call in &rows {
            done.say(format!("{call}: its row was missing and is written"));
        }
        let (mut mended, mut left) = (0, 0);
        for file in below(&self.data.join("recordings")) {
            let shown = file.strip_prefix(&self.data).unwrap_or(&file).display().to_string();
            match self.mend(&file) {
                Ok(Some(what)) => {
                    mended += 1;
                    done.say(format!("{shown}: {what}"));
                }
                Ok(None) => {}
                Err(CustodyError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    left += 1;
                    done.say(format!("{shown}: left as it is: {error}"));
                }
            }
        }
        let rows = rows.len();
        Ok(done.sum_up(format!("{rows} rows written, {mended} files mended, {left} left as they are")))
    }

    /// Mends one file if it needs it; what was done.
    fn mend(&self, file: &Path) -> Result<Option<&'static str>, CustodyError> {
        let failed = |error: io::Error| CustodyError::File(file.to_owned(), error);
        match path::named(file) {
            Named::Recording(call) => match self.store.row(call)? {
                Some(row) if !row.has_file() && (row.removed.is_some() || row.is_unwanted()) => {
                    self.vault.forget(&path::first(file)).map_err(failed)?;
                    unlink(file).map_err(failed)?;
                    Ok(Some("said to be gone: deleted"))
                }
                // What is sealed has no header that could be mended.
                Some(_) if path::unsealed(file) != file => Ok(None),
                Some(row) => mend_header(file, self.hash_of(file, &row).as_deref(), &self.vault),
                None => Ok(None),
            },
            Named::Part(call) => {
                let Some(row) = self.store.row(call)? else { return Ok(None) };
                let Some((call, whole, is_sealed)) = path::of_part(file) else { return Ok(None) };
                if row.status == RecordingStatus::None {
                    return Err(CustodyError::Wrong("its call is closed as not recorded"));
                }
                if whole.exists() || path::sealed(&whole).exists() {
                    return Err(CustodyError::Wrong("there is a closed recording beside it"));
                }
                let key = is_sealed.then(|| self.vault.key(call, &path::first(&whole))).transpose()?;
                let closed = recording::close(&whole, u64::MAX, key.as_ref()).map_err(failed)?;
                match self.hash_of(&whole, &row).as_deref() == Some(closed.sha256.as_str()) {
                    true => Ok(Some("was never closed: mended, as the record has it")),
                    false => Ok(Some("was never closed: mended, but not what the record has")),
                }
            }
            Named::Peaks(_) | Named::Watch | Named::Stranger => Ok(None),
        }
    }

    fn prune(&mut self, now: Wall, dry_run: bool) -> Result<Vec<String>, CustodyError> {
        let mut done = Done::default();
        let (mut files, mut bytes) = (0_u64, 0);
        let mut last: Option<Kept> = None;
        loop {
            let page = self.store.rows(Wall::from_micros(i64::MIN), last.as_ref(), PAGE)?;
            let Some(end) = page.last().cloned() else { break };
            last = Some(end);
            for row in page.iter().filter(|row| row.has_file() && self.retention.is_over(row, now)) {
                if !dry_run && !self.store.remove(row.call, Cause::Retention, None, now)? {
                    continue;
                }
                let size = self.size_of(row);
                if !dry_run {
                    self.unlink_row(row)?;
                }
                files += 1;
                bytes += size;
                done.say(format!("{} {} {size} bytes", row.call, row.ended_at));
            }
        }
        let verb = if dry_run { "would go" } else { "deleted" };
        Ok(done.sum_up(format!("{files} recordings {verb}, {bytes} bytes")))
    }

    /// Deletes the oldest recordings that the retention no longer keeps, until `enough` says so. How many went.
    pub fn make_room(&mut self, now: Wall, mut enough: impl FnMut() -> bool) -> Result<u64, CustodyError> {
        let mut gone = 0;
        let mut last: Option<Kept> = None;
        loop {
            let page = self.store.rows(Wall::from_micros(i64::MIN), last.as_ref(), PAGE)?;
            let Some(end) = page.last().cloned() else { return Ok(gone) };
            last = Some(end);
            for row in page.iter().filter(|row| row.has_file() && self.retention.is_over(row, now)) {
                if enough() {
                    return Ok(gone);
                }
                if self.store.remove(row.call, Cause::Retention, None, now)? {
                    self.unlink_row(row)?;
                    gone += 1;
                }
            }
        }
    }

    fn destroy(&mut self, call: CallId, by: &str, why: &str, now: Wall) -> Result<Vec<String>, CustodyError> {
        match self.store.ask_destruction(call, by, why, now)? {
            Asked::Waits => Ok(vec![format!("{call}: asked for by {by}; another person must confirm")]),
            Asked::Confirmed => {
                let row = self.store.row(call)?.filter(Kept::has_file);
                if !self.store.remove(call, Cause::Destruction, Some(by), now)? {
                    return Err(CustodyError::Wrong("it came under legal hold just now"));
                }
                row.as_ref().map_or(Ok(()), |row| self.unlink_row(row))?;
                Ok(vec![format!("{call}: confirmed by {by}; the recording is destroyed")])
            }
        }
    }

    fn erase(&mut self, caller: &str, by: &str, now: Wall) -> Result<Vec<String>, CustodyError> {
        if caller.trim().is_empty() {
            return Err(CustodyError::Wrong("an empty number is nobody's"));
        }
        let (receipt, going) = self.store.erase(caller.trim(), by, now)?;
        for row in &going {
            if self.store.remove(row.call, Cause::Erasure, Some(by), now)? {
                self.unlink_row(row)?;
            }
        }
        let line = serde_json::to_string(&receipt).map_err(StoreError::from)?;
        Ok(vec![line])
    }

    fn size_of(&self, row: &Kept) -> u64 {
        let files = row.files().into_iter();
        let both = files.map(|file| self.data.join(file.path)).flat_map(|file| [path::sealed(&file), file]);
        both.filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum()
    }

    /// As the record has it.
    fn hash_of(&self, file: &Path, row: &Kept) -> Option<String> {
        row.files().into_iter().find(|kept| self.data.join(&kept.path) == file)?.sha256
    }

    /// The key first: from then on no copy of the recording is of use to anybody. What is gone already is as good as deleted.
    fn unlink_row(&self, row: &Kept) -> Result<(), CustodyError> {
        let files: Vec<PathBuf> = row.files().into_iter().map(|file| self.data.join(file.path)).collect();
        let Some(first) = files.first() else { return Ok(()) };
        let failed = |error: io::Error| CustodyError::File(first.clone(), error);
        self.vault.forget(first).map_err(failed)?;
        for path in &files {
            let waveform = path::peaks(path);
            for file in [&path::sealed(&waveform), &waveform, &path::sealed(path), path] {
                unlink(file).map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn named(by: &str) -> Result<&str, CustodyError> {
    let by = by.trim();
    if by.is_empty() { Err(CustodyError::Wrong("say who you are")) } else { Ok(by) }
}

fn reasoned(why: &str) -> Result<&str, CustodyError> {
    let why = why.trim();
    if why.is_empty() { Err(CustodyError::Wrong("say why")) } else { Ok(why) }
}

/// Writes the header anew if that makes the file the one that was recorded. A file that is not is left for people to look at.
fn mend_header(file: &Path, sha256: Option<&str>, vault: &Vault) -> Result<Option<&'static str>, CustodyError> {
    let failed = |error: io::Error| CustodyError::File(file.to_owned(), error);
    let torn = |e: repair::RepairError| failed(io::Error::other(e));
    let length = fs::metadata(file).map_err(failed)?.len();
    let inspected = File::open(file).map_err(failed).map(|mut file| repair::inspect(&mut file))?;
    if inspected.is_ok_and(|header| header.length == length) {
        return Ok(None);
    }
    // On a copy first: what is evidence stays as it is unless the outcome is right.
    let trial = file.with_extension("wav.mending");
    fs::copy(file, &trial).map_err(failed)?;
    let mended = OpenOptions::new().read(true).write(true).open(&trial).map_err(failed).and_then(|mut copy| {
        let kept = repair::repair(&mut copy).map_err(torn)?;
        copy.set_len(kept.length).and_then(|()| copy.sync_all()).map_err(failed)?;
        recording::measure(&trial, vault).map_err(|error| failed(io::Error::other(error)))
    });
    match mended {
        Ok(whole) if Some(whole.sha256.as_str()) == sha256 => {
            fs::rename(&trial, file).map_err(failed)?;
            Ok(Some("its header was torn: mended, as the record has it"))
        }
        Ok(_) => {
            unlink(&trial).map_err(failed)?;
            Err(CustodyError::Wrong("its header is torn, and mended it would not be what was recorded"))
        }
        Err(error) => {
            unlink(&trial).map_err(failed)?;
            Err(error)
        }
    }
}

#[cfg(test)]
#[path = "custody_tests.rs"]
mod tests;
