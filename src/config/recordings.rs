//! `[recordings]` and `[retention]`: what happens when the disk is full, and how long recordings are kept.

use std::path::{Path, PathBuf};

use crate::cdr::{Outcome, Word as _};
use crate::io::space::AtFull;
use crate::io::vault::MasterKey;
use crate::store::{Class, Retention};
use crate::written::{At, Table};

/// Ten years.
const LONGEST_DAYS: u32 = 3_660;

/// What concerns all recordings of this gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingSettings {
    pub at_full: AtFull,
    pub retention: Retention,
    /// The first one seals; without any nothing is sealed.
    pub keys: Vec<MasterKey>,
}

/// `base`: what relative paths count from; `data`: where no key may lie.
pub(super) fn read(root: &mut Table<'_>, base: &Path, data: &Path) -> RecordingSettings {
    let mut recordings = root.section("recordings");
    let (at_full, keys) = (at_full(&mut recordings), keys(&mut recordings, base, data));
    let mut section = root.section("retention");
    let days = days(&mut section);
    let classes = section.sections("class").into_iter().filter_map(|mut class| class_of(&mut class)).collect();
    RecordingSettings { at_full, retention: Retention { days, classes }, keys }
}

/// `key_file`: a line of 64 hexadecimal digits for each key, the one that seals first.
fn keys(section: &mut Table<'_>, base: &Path, data: &Path) -> Vec<MasterKey> {
    let Some(written) = super::path(section, "key_file") else { return Vec::new() };
    let file = base.join(&written.value);
    if resolved(&file).starts_with(resolved(data)) {
        let what = format!("recordings.key_file {} lies in the data directory", file.display());
        section.fault(written.line, what, "keep it elsewhere: whoever has a copy of the data has the key with it");
        return Vec::new();
    }
    let read = super::accounts::read(&file).and_then(|text| {
        let keys: Option<Vec<MasterKey>> = text.lines().filter(|line| !line.is_empty()).map(key).collect();
        keys.filter(|keys| !keys.is_empty()).ok_or_else(|| {
            let what = format!("{} is not a line of 64 hexadecimal digits for each key", file.display());
            (what, "write one with: openssl rand -hex 32".to_owned())
        })
    });
    read.map_err(|(what, hint)| section.fault(written.line, format!("recordings.key_file {what}"), hint))
        .unwrap_or_default()
}

/// As far as it is there, links followed.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    there.map_or_else(
        || path.clone(),
        |(above, real)| real.join(path.strip_prefix(above).unwrap_or_else(|_| Path::new(""))),
    )
}

fn key(line: &str) -> Option<MasterKey> {
    let line = line.trim();
    let digits = line.len() == 64 && line.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut octets = [0; 32];
    for (octet, at) in octets.iter_mut().zip((0..).step_by(2)) {
        *octet = u8::from_str_radix(line.get(at..at + 2).filter(|_| digits)?, 16).ok()?;
    }
    Some(MasterKey::new(octets))
}

fn at_full(section: &mut Table<'_>) -> AtFull {
    let Some(At { value, line }) = section.string("disk_full") else { return AtFull::default() };
    match value.as_str() {
        "unrecorded" => AtFull::Unrecorded,
        "refuse" => AtFull::Refuse,
        _ => {
            section.fault(
                line,
                format!("recordings.disk_full \"{value}\" is unknown"),
                "write \"unrecorded\" or \"refuse\"",
            );
            AtFull::default()
        }
    }
}

/// `None`: for ever, as 0 says too.
fn days(table: &mut Table<'_>) -> Option<u32> {
    table.integer("days", 0..=LONGEST_DAYS).map(|at| at.value).filter(|days| *days > 0)
}

fn class_of(table: &mut Table<'_>) -> Option<Class> {
    let hotline = table.string("hotline").map(|at| at.value.into());
    let outcome = match table.string("outcome") {
        None => None,
        Some(At { value, line }) => {
            let known = Outcome::ALL.iter().copied().find(|outcome| outcome.word() == value);
            if known.is_none() {
                let words: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.word()).collect();
                let what = format!("{} \"{value}\" is no outcome", table.path("outcome"));
                table.fault(line, what, format!("one of {}", words.join(", ")));
            }
            Some(known?)
        }
    };
    if table.line_of("days").is_none() {
        table.fault(table.line(), format!("{} is missing", table.path("days")), "add days = 180, or 0 for ever");
    }
    Some(Class { hotline, outcome, days: days(table) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::Document;

    fn parse(text: &str) -> (RecordingSettings, Vec<String>) {
        let document = Document::parse("hotline.toml", text);
        let read = {
            let mut root = document.root();
            read(&mut root, Path::new(""), Path::new("data"))
        };
        (read, document.into_faults().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn classes_by_hotline_and_outcome() {
        let (read, faults) = parse(
            "[recordings]\ndisk_full = \"refuse\"\n[retention]\ndays = 180\n[[retention.class]]\nhotline = \"property\"\n\
             outcome = \"overflow\"\ndays = 30\n[[retention.class]]\nhotline = \"court\"\ndays = 0\n",
        );
        assert_eq!(faults, [""; 0]);
        assert_eq!(read.at_full, AtFull::Refuse);
        let class = |hotline: &str, outcome, days| Class { hotline: Some(hotline.into()), outcome, days };
        let classes = vec![class("property", Some(Outcome::Overflow), Some(30)), class("court", None, None)];
        assert_eq!(read.retention, Retention { days: Some(180), classes });
        assert_eq!(parse("").0, RecordingSettings::default());
    }

    #[test]
    fn a_key_file_is_read_unless_it_lies_with_the_data_or_others_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::os::unix::fs::symlink(&data, folder.path().join("link")).unwrap();
        let read = |name: &str, text: &str, mode| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let written = format!("[recordings]\nkey_file = \"{name}\"\n");
            let document = Document::parse("hotline.toml", &written);
            let read = {
                let mut root = document.root();
                super::read(&mut root, folder.path(), &data)
            };
            (read.keys, document.into_faults().iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let (first, second) = ("0a".repeat(32), "0B".repeat(32));
        let both = vec![MasterKey::new([10; 32]), MasterKey::new([11; 32])];
        assert_eq!(read("keys", &format!("{first}\n{second}\n"), 0o600), (both, Vec::new()));
        for (name, text, mode, says) in [
            ("data/keys", first.as_str(), 0o600, "lies in the data directory"),
            ("link/keys", &first, 0o600, "lies in the data directory"),
            ("keys", &first, 0o644, "may be read by others"),
            ("keys", &first[1..], 0o600, "64 hexadecimal digits"),
            ("keys", &first.replace('0', "g"), 0o600, "64 hexadecimal digits"),
            ("keys", "", 0o600, "64 hexadecimal digits"),
        ] {
            let (keys, faults) = read(name, text, mode);
            assert!(keys.is_empty() && faults.len() == 1 && faults[0].contains(says), "{name}: {faults:?}");
        }
    }

    #[test]
    fn wrong_values_are_named() {
        let (_, faults) = parse(
            "[recordings]\ndisk_full = \"panic\"\n[retention]\ndays = 99999\n[[retention.class]]\noutcome = \"good\"\n",
        );
        assert_eq!(faults.len(), 3, "{faults:?}");
        let (_, faults) = parse("[[retention.class]]\nhotline = \"court\"\n");
        assert!(faults[0].contains("days"), "{faults:?}");
    }
}
