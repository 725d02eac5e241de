//! Where a recording lies, relative to the data directory: `recordings/YYYY/MM/DD/HH/<id>.wav`, UTC of *offered*.

use std::path::{Path, PathBuf};

use crate::clock::Wall;
use crate::ids::CallId;

/// What an unfinished recording's name ends with, after `.wav`.
const PART: &str = ".part";

/// A time that no calendar holds counts as 1970.
pub fn recording(offered: Wall, call: CallId) -> PathBuf {
    let at = jiff::Timestamp::from_microsecond(offered.as_micros()).unwrap_or_default();
    PathBuf::from(format!("recordings/{}/{call}.wav", at.strftime("%Y/%m/%d/%H")))
}

/// The name of the file while the call lasts.
pub fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(PART);
    PathBuf::from(name)
}

/// The call and the final name that an unfinished recording belongs to.
pub fn of_part(path: &Path) -> Option<(CallId, PathBuf)> {
    let name = path.file_name()?.to_str()?.strip_suffix(PART)?;
    let call = name.strip_suffix(".wav")?.parse().ok()?;
    Some((call, path.with_file_name(name)))
}

/// What a file is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Recording(CallId),
    Part(CallId),
    Peaks(CallId),
    /// [`RESERVE`] or [`PROBE`].
    Watch,
    Stranger,
}

/// The last room of the disk, and what shows that it can be written; both lie right below `recordings`.
pub const RESERVE: &str = ".reserve";
pub const PROBE: &str = ".probe";

/// Names are `<id>.wav`, `<id>.wav.part` and `<id>.peaks`.
pub fn named(path: &Path) -> Named {
    if let Some((call, _)) = of_part(path) {
        return Named::Part(call);
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if [RESERVE, PROBE].contains(&name) {
        return Named::Watch;
    }
    let of = |ending: &str| name.strip_suffix(ending).and_then(|id| id.parse().ok());
    match (of(".wav"), of(PEAKS)) {
        (Some(call), _) => Named::Recording(call),
        (None, Some(call)) => Named::Peaks(call),
        (None, None) => Named::Stranger,
    }
}

const PEAKS: &str = ".peaks";

/// The waveform of a recording, beside it.
pub fn peaks(path: &Path) -> PathBuf {
    path.with_extension(&PEAKS[1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Random;

    #[test]
    fn by_the_hour_in_utc() {
        let offered = Wall::from_micros(1_795_303_044_123_456);
        let call = CallId::new(offered, &mut Random::from_number(1));
        let path = recording(offered, call);
        assert_eq!(path, PathBuf::from(format!("recordings/2026/11/21/23/{call}.wav")));
        assert_eq!(of_part(&part(&path)), Some((call, path.clone())));
        assert_eq!(of_part(&path), None);
        assert_eq!(named(&path), Named::Recording(call));
        assert_eq!(named(&part(&path)), Named::Part(call));
        assert_eq!(named(&peaks(&path)), Named::Peaks(call));
        assert_eq!(named(Path::new("recordings/notes.wav")), Named::Stranger);
        assert_eq!(of_part(Path::new("recordings/notes.wav.part")), None);
    }
}
