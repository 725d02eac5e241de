//! Where a recording lies, relative to the data directory: `recordings/YYYY/MM/DD/HH/<id>.wav`, UTC of *offered*.

use std::path::{Path, PathBuf};

use crate::clock::Wall;
use crate::ids::CallId;

/// What an unfinished recording's name ends with, after `.wav`.
const PART: &str = ".part";

/// What a sealed file's name ends with.
const SEALED: &str = ".sealed";

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

/// File `number`, counted from 1, of the recording at `path`: `<id>.wav`, `<id>.2.wav`, `<id>.3.wav`, …
pub fn numbered(path: &Path, number: u32) -> PathBuf {
    if number <= 1 { path.to_owned() } else { path.with_extension(format!("{number}.wav")) }
}

/// The first file of the recording that this one is of.
pub fn first(path: &Path) -> PathBuf {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let id = name.split('.').next().unwrap_or_default();
    path.with_file_name(format!("{id}.wav"))
}

/// The name of a file, of a recording or a waveform, that is sealed.
pub fn sealed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SEALED);
    PathBuf::from(name)
}

/// The name that a sealed file would have if it were not.
pub fn unsealed(path: &Path) -> PathBuf {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_suffix(SEALED).map_or_else(|| path.to_owned(), |name| path.with_file_name(name))
}

/// Where the key of a sealed recording lies; both paths are relative to the data directory.
pub fn key(recording: &Path) -> PathBuf {
    let below = recording.strip_prefix("recordings").unwrap_or(recording);
    Path::new("keys").join(first(below)).with_extension("key")
}

/// The call and the final name that an unfinished recording belongs to, as if it were plain; and whether it is sealed.
pub fn of_part(path: &Path) -> Option<(CallId, PathBuf, bool)> {
    let name = path.file_name()?.to_str()?.strip_suffix(PART)?;
    let plain = name.strip_suffix(SEALED);
    let (name, is_sealed) = (plain.unwrap_or(name), plain.is_some());
    let (call, _) = id_of(name.strip_suffix(".wav")?)?;
    Some((call, path.with_file_name(name), is_sealed))
}

/// `<id>` or `<id>.<number>`, from 2 on.
fn id_of(stem: &str) -> Option<(CallId, u32)> {
    match stem.split_once('.') {
        None => Some((stem.parse().ok()?, 1)),
        Some((id, number)) => Some((id.parse().ok()?, number.parse().ok().filter(|n: &u32| *n > 1)?)),
    }
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

/// Names are `<id>.wav`, `<id>.wav.part` and `<id>.peaks`, all three also with a number behind the id
/// or (sealed) with `.sealed` at the end, before `.part`.
pub fn named(path: &Path) -> Named {
    if let Some((call, ..)) = of_part(path) {
        return Named::Part(call);
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if [RESERVE, PROBE].contains(&name) {
        return Named::Watch;
    }
    let name = name.strip_suffix(SEALED).unwrap_or(name);
    let of = |ending: &str| name.strip_suffix(ending).and_then(id_of).map(|(call, _)| call);
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
        assert_eq!(of_part(&part(&path)), Some((call, path.clone(), false)));
        assert_eq!(of_part(&path), None);
        assert_eq!(named(&path), Named::Recording(call));
        assert_eq!(named(&part(&path)), Named::Part(call));
        assert_eq!(named(&peaks(&path)), Named::Peaks(call));
        let second = numbered(&path, 2);
        assert_eq!((numbered(&path, 1), named(&second)), (path.clone(), Named::Recording(call)));
        assert_eq!(second, path.with_file_name(format!("{call}.2.wav")));
        assert_eq!(of_part(&part(&second)), Some((call, second.clone(), false)));
        let hidden = sealed(&second);
        assert_eq!(hidden, path.with_file_name(format!("{call}.2.wav.sealed")));
        assert_eq!(of_part(&part(&hidden)), Some((call, second.clone(), true)));
        assert_eq!((named(&hidden), unsealed(&hidden)), (Named::Recording(call), second.clone()));
        assert_eq!((first(&hidden), unsealed(&path)), (path.clone(), path.clone()));
        assert_eq!(named(&sealed(&peaks(&second))), Named::Peaks(call));
        assert_eq!(key(&second), PathBuf::from(format!("keys/2026/11/21/23/{call}.key")));
        assert_eq!(named(&peaks(&second)), Named::Peaks(call));
        assert_eq!(named(&path.with_file_name(format!("{call}.1.wav"))), Named::Stranger);
        assert_eq!(named(Path::new("recordings/notes.wav")), Named::Stranger);
        assert_eq!(of_part(Path::new("recordings/notes.wav.part")), None);
    }
}
