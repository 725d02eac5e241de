//! Holds the recording ledger against the disk: every row against its file, and every file against a row.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use super::alignment::Say;
use super::alignment::Take;
use super::recording;
use super::sound_file::SoundError;
use super::vault::{Vault, VaultError};
use crate::call::fact::RecordingStatus;
use crate::clock::Wall;
use crate::ids::CallId;
use crate::media::record::path::{self, Named};
use crate::media::record::repair::{self, FRAME_BYTES, HEADER_BYTES};
use crate::store::{Kept, KeptFile, Reader, StoreError};

/// How far a whole recording may differ from the time that the two were connected, and its channels from each other.
const TOLERANCE_MS: u64 = 20;

/// The record's times are whole milliseconds, and a frame at each end may be cut.
const EDGE_MS: u64 = 2;

/// Rows read at once.
const PAGE: usize = 1_000;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub fault: Fault,
    pub call: Option<CallId>,
    /// Relative to the data directory.
    pub path: Option<PathBuf>,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A row's file is not there, or cannot be read.
    Missing,
    /// Its hash is not that of the record.
    Changed,
    /// The header does not fit the file.
    Header,
    /// The file is not as long as the record says, or a whole recording not as long as the two were connected.
    Length,
    /// Caller and agent lie on their channels further apart than they spoke.
    Apart,
    /// By the file itself: a prompt does not lie where it was played, or the caller is heard before a packet of the caller came.
    Misplaced,
    /// It is sealed, and the key is not at hand.
    Locked,
    /// There is sound where the recording was paused, or digits were blanked.
    Heard,
    /// A connected call has no row.
    NoRow,
    /// A file of a recording that is said to be gone or never to have been.
    Unexpected,
    /// A recording of a call that nobody knows.
    Orphan,
    /// A recording that was never closed, of a call that is.
    LeftOpen,
    /// A file that is none of ours.
    Stranger,
}

impl Fault {
    pub fn word(self) -> &'static str {
        match self {
            Fault::Missing => "missing",
            Fault::Changed => "changed",
            Fault::Header => "header",
            Fault::Length => "length",
            Fault::Apart => "apart",
            Fault::Misplaced => "misplaced",
            Fault::Locked => "locked",
            Fault::Heard => "heard",
            Fault::NoRow => "no_row",
            Fault::Unexpected => "unexpected",
            Fault::Orphan => "orphan",
            Fault::LeftOpen => "left_open",
            Fault::Stranger => "stranger",
        }
    }
}

/// What was looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Connected calls that are closed.
    pub rows: u64,
    pub ok: u64,
    pub partial: u64,
    pub none: u64,
    /// Gone on purpose.
    pub removed: u64,
    /// Files that are no row's.
    pub other_files: u64,
    pub faults: u64,
    /// Prompts that were found in the files, and how far the farthest lies from where it was played.
    pub prompts: u64,
    pub farthest_ms: u64,
    /// Recorded time by the time in which callers were connected, without calls whose dialplan wants no recording; 1 if there
    /// was none.
    pub coverage: f64,
    #[serde(skip)]
    recorded_ms: u64,
    #[serde(skip)]
    expected_ms: u64,
}

/// Reads every recording of calls offered since then. `say` gives the sound of what was played; `found` is told each fault as it is seen.
pub fn verify(
    reader: &Reader,
    (data, vault): (&Path, &Vault),
    since: Wall,
    say: &mut Say<'_>,
    found: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<Summary, InspectionError> {
    let mut inspection = Inspection { reader, data, vault, summary: Summary::default(), say, found };
    inspection.files(since)?;
    let mut last: Option<Kept> = None;
    loop {
        let page = reader.recordings(since, last.as_ref(), PAGE)?;
        for row in &page {
            inspection.row(row)?;
        }
        match page.last() {
            Some(row) => last = Some(row.clone()),
            None => break,
        }
    }
    for call in reader.unrecorded(since)? {
        inspection.tell(
            Fault::NoRow,
            Some(call),
            None,
            "connected, closed, and not in the recording ledger".to_owned(),
        )?;
    }
    let mut summary = inspection.summary;
    summary.coverage = match summary.expected_ms {
        0 => 1.0,
        expected => summary.recorded_ms as f64 / expected as f64,
    };
    Ok(summary)
}

#[derive(Debug, thiserror::Error)]
pub enum InspectionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

struct Inspection<'a, 's> {
    reader: &'a Reader,
    data: &'a Path,
    vault: &'a Vault,
    summary: Summary,
    say: &'a mut Say<'s>,
    found: &'a mut dyn FnMut(&Finding) -> io::Result<()>,
}

impl Inspection<'_, '_> {
    fn tell(
        &mut self,
        fault: Fault,
        call: Option<CallId>,
        path: Option<PathBuf>,
        detail: String,
    ) -> Result<(), InspectionError> {
        self.summary.faults += 1;
        Ok((self.found)(&Finding { fault, call, path, detail })?)
    }

    fn row(&mut self, row: &Kept) -> Result<(), InspectionError> {
        let summary = &mut self.summary;
        summary.rows += 1;
        match row.status {
            RecordingStatus::Ok => summary.ok += 1,
            RecordingStatus::Partial => summary.partial += 1,
            RecordingStatus::None | RecordingStatus::Pending => summary.none += 1,
        }
        summary.removed += u64::from(row.removed.is_some());
        if !matches!(row.reason.as_deref(), Some("policy" | "opted_out")) {
            // A tail within the tolerance counts as recorded.
            let expected = row.expected_ms.unwrap_or(row.duration_ms);
            summary.expected_ms += expected;
            summary.recorded_ms +=
                if row.status == RecordingStatus::Ok { expected } else { row.duration_ms.min(expected) };
        }
        if !row.has_file() {
            return match row.files().into_iter().find(|file| exists(&self.data.join(&file.path))) {
                Some(file) => {
                    let why = row.removed.map_or("said never to have been recorded", |_| "said to be gone");
                    self.tell(Fault::Unexpected, Some(row.call), Some(file.path), why.to_owned())
                }
                None => Ok(()),
            };
        }
        let faults = faults_of(self.data, self.vault, row);
        let is_whole = faults.is_empty();
        for (fault, path, detail) in faults {
            // It may have gone while we looked.
            if self.reader.recording(row.call)?.is_some_and(|row| row.removed.is_some()) {
                return Ok(());
            }
            self.tell(fault, Some(row.call), Some(path), detail)?;
        }
        self.channels(row, is_whole)
    }

    /// Where each person's sound lies was measured while it was recorded, against the arrival of the packets; where the channels lie now,
    /// the file tells.
    fn channels(&mut self, row: &Kept, is_whole: bool) -> Result<(), InspectionError> {
        let Some(call) = self.reader.call(row.call)? else { return Ok(()) };
        if is_whole {
            self.measured(&Take { data: self.data, vault: self.vault, row, record: &call.record, facts: &call.facts })?;
        }
        let legs = [&call.record.quality.caller, &call.record.quality.agent];
        let [caller, agent] = legs.map(|leg| leg.buffer.map_or(0, |buffer| buffer.recording_astray_ms));
        if caller + agent <= TOLERANCE_MS {
            return Ok(());
        }
        let detail = format!("the caller lies up to {caller} ms from where it was heard, the agent {agent} ms");
        self.tell(Fault::Apart, Some(row.call), row.path.as_ref().map(PathBuf::from), detail)
    }

    /// By the file and the facts alone.
    fn measured(&mut self, take: &Take<'_>) -> Result<(), InspectionError> {
        let (call, path) = (Some(take.row.call), take.row.path.as_ref().map(PathBuf::from));
        for found in take.prompts(TOLERANCE_MS, self.say) {
            let astray_ms = found.later_ms.unsigned_abs();
            self.summary.prompts += 1;
            self.summary.farthest_ms = self.summary.farthest_ms.max(astray_ms);
            if astray_ms > TOLERANCE_MS {
                let (at_s, way) = (found.at_ms as f64 / 1_000.0, if found.later_ms > 0 { "later" } else { "sooner" });
                let detail = format!("what was played at {at_s:.3} s lies {astray_ms} ms {way} on the right channel");
                self.tell(Fault::Misplaced, call, path.clone(), detail)?;
            }
        }
        if let Some((heard_ms, came_ms)) = take.too_early(TOLERANCE_MS) {
            let [heard_s, came_s] = [heard_ms, came_ms].map(|ms| ms as f64 / 1_000.0);
            let detail = format!("the caller is heard at {heard_s:.3} s, and the first packet came at {came_s:.3} s");
            self.tell(Fault::Misplaced, call, path, detail)?;
        }
        Ok(())
    }

    /// Files that no row leads to.
    fn files(&mut self, since: Wall) -> Result<(), InspectionError> {
        for file in below(&self.data.join("recordings")) {
            let relative = file.strip_prefix(self.data).unwrap_or(&file).to_owned();
            match path::named(&file) {
                Named::Watch => {}
                Named::Stranger => self.stranger(relative)?,
                Named::Recording(call) | Named::Peaks(call) => self.known(call, since, relative)?,
                Named::Part(call) => match self.reader.is_open(call)? {
                    Some(true) => {}
                    // It was renamed since.
                    _ if !file.exists() => {}
                    Some(false) => {
                        let what = "the call is closed, its recording is not".to_owned();
                        self.tell(Fault::LeftOpen, Some(call), Some(relative), what)?;
                    }
                    None => self.orphan(call, relative)?,
                },
            }
        }
        Ok(())
    }

    fn known(&mut self, call: CallId, since: Wall, relative: PathBuf) -> Result<(), InspectionError> {
        match self.reader.recording(call)? {
            Some(row) if row.offered_at.0 < since => Ok(()),
            Some(row) => {
                let plain = path::unsealed(&relative);
                let own = |file: KeptFile| file.path == plain || path::peaks(&file.path) == plain;
                match row.files().into_iter().any(own) {
                    true => Ok(()),
                    false => self.orphan(call, relative),
                }
            }
            // Not closed yet, or without a row, which is told apart.
            None if self.reader.is_open(call)?.is_some() => Ok(()),
            None => self.orphan(call, relative),
        }
    }

    fn orphan(&mut self, call: CallId, relative: PathBuf) -> Result<(), InspectionError> {
        self.summary.other_files += 1;
        self.tell(Fault::Orphan, Some(call), Some(relative), "no call's recording".to_owned())
    }

    fn stranger(&mut self, relative: PathBuf) -> Result<(), InspectionError> {
        self.summary.other_files += 1;
        self.tell(Fault::Stranger, None, Some(relative), "not a name that recordings have".to_owned())
    }
}

/// What is wrong with the files of a row.
fn faults_of(data: &Path, vault: &Vault, row: &Kept) -> Vec<(Fault, PathBuf, String)> {
    let (mut faults, mut units) = (Vec::new(), 0);
    let files = row.files();
    for kept in &files {
        let path = data.join(&kept.path);
        let mut fault = |fault, detail| faults.push((fault, kept.path.clone(), detail));
        let file = match recording::measure(&path, vault) {
            Ok(file) => file,
            Err(error) => {
                let kind = match &error {
                    SoundError::Key(VaultError::Locked) => Fault::Locked,
                    SoundError::Key(_) | SoundError::Io(_) => Fault::Missing,
                    SoundError::Sealed(_) => Fault::Changed,
                };
                fault(kind, error.to_string());
                continue;
            }
        };
        units += file.units();
        let of_record = kept.sha256.as_deref().unwrap_or_default();
        if file.sha256 != of_record {
            fault(Fault::Changed, format!("its hash is {}, the record has {of_record}", file.sha256));
        }
        let plain = path.exists();
        match File::open(&path).map_err(Into::into).and_then(|mut file| repair::inspect(&mut file)) {
            Ok(header) if header.length == file.bytes && (file.bytes - HEADER_BYTES).is_multiple_of(FRAME_BYTES) => {}
            Ok(header) => {
                fault(Fault::Header, format!("it speaks of {} bytes, there are {}", header.length, file.bytes));
            }
            Err(error) if plain => fault(Fault::Header, error.to_string()),
            // A sealed file has its sizes at its end, which was read.
            Err(_) => {}
        }
        if file.millis() != kept.duration_ms {
            fault(Fault::Length, format!("{} ms, the record has {} ms", file.millis(), kept.duration_ms));
        }
    }
    let Some(first) = files.into_iter().next().filter(|_| faults.is_empty()) else { return faults };
    let length_ms = units / 8;
    if let (RecordingStatus::Ok, Some(expected)) = (row.status, row.expected_ms)
        && length_ms.abs_diff(expected) > TOLERANCE_MS
    {
        let detail = format!("{length_ms} ms, the two were connected for {expected} ms");
        faults.push((Fault::Length, first.path.clone(), detail));
    }
    faults.extend(heard_in_vain(data, vault, row).map(|detail| (Fault::Heard, first.path, detail)));
    faults
}

/// Where there is sound in what should be silence, in words.
fn heard_in_vain(data: &Path, vault: &Vault, row: &Kept) -> Option<String> {
    let spans =
        row.blanked.iter().map(|blanked| (blanked.from_ms + EDGE_MS, blanked.to_ms.map(|to| to - EDGE_MS.min(to))));
    for (from_ms, to_ms) in spans {
        let to_ms = to_ms.unwrap_or(row.duration_ms).min(row.duration_ms);
        let mut begins_ms = 0;
        for kept in row.files() {
            let ends_ms = begins_ms + kept.duration_ms;
            let (from, to) = (from_ms.max(begins_ms) - begins_ms, to_ms.min(ends_ms).saturating_sub(begins_ms));
            if from < to
                && let Ok(Some(at_ms)) = recording::first_sound(&data.join(&kept.path), vault, from, to)
            {
                let at_s = (begins_ms + at_ms) as f64 / 1_000.0;
                return Some(format!("at {at_s:.3} s there is sound, where the record says that there is none"));
            }
            begins_ms = ends_ms;
        }
    }
    None
}

/// Plain or sealed.
fn exists(file: &Path) -> bool {
    file.exists() || path::sealed(file).exists()
}

/// Every file below a folder, in the order of names within each.
pub(super) fn below(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut folders = vec![folder.to_owned()];
    let mut files: Vec<PathBuf> = Vec::new();
    std::iter::from_fn(move || {
        loop {
            if let Some(file) = files.pop() {
                return Some(file);
            }
            // No folder: nothing was ever recorded.
            let Ok(entries) = fs::read_dir(folders.pop()?) else { continue };
            for entry in entries.flatten() {
                match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    true => folders.push(entry.path()),
                    false => files.push(entry.path()),
                }
            }
            files.sort_by(|a, b| b.cmp(a));
        }
    })
}
