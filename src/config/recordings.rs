//! `[recordings]` and `[retention]`: what happens when the disk is full, where recordings are copied to, and how long they are kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cdr::{Outcome, Word as _};
use crate::io::objects::{Credentials, Store};
use crate::io::space::AtFull;
use crate::io::vault::MasterKey;
use crate::store::{Class, Retention};
use crate::written::{At, Table};

/// Ten years.
const LONGEST_DAYS: u32 = 3_660;

/// Of recordings that are in the object store.
const KEEP_LOCAL_DAYS: u32 = 7;

/// What concerns all recordings of this gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingSettings {
    pub at_full: AtFull,
    pub retention: Retention,
    /// The first one seals; without any nothing is sealed.
    pub keys: Vec<MasterKey>,
    pub objects: Option<ObjectSettings>,
}

/// A store that recordings are copied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSettings {
    pub store: Store,
    /// A recording stays on this disk so long after its call, too.
    pub keep_local: Duration,
}

/// `base`: what relative paths count from; `data`: where no key may lie.
pub(super) fn read(root: &mut Table<'_>, base: &Path, data: &Path) -> RecordingSettings {
    let mut recordings = root.section("recordings");
    let (at_full, keys) = (at_full(&mut recordings), keys(&mut recordings, base, data));
    let mut section = recordings.section("objects");
    let objects = section.is_present().then(|| objects(&mut section, base)).flatten();
    let mut section = root.section("retention");
    let days = days(&mut section);
    let classes = section.sections("class").into_iter().filter_map(|mut class| class_of(&mut class)).collect();
    RecordingSettings { at_full, retention: Retention { days, classes }, keys, objects }
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

/// `[recordings.objects]`.
fn objects(section: &mut Table<'_>, base: &Path) -> Option<ObjectSettings> {
    let bucket = section.required_string("bucket").map(|at| at.value);
    let endpoint = section.string("endpoint");
    if let Some(At { value, line }) = &endpoint
        && !(value.starts_with("https://") || value.starts_with("http://"))
    {
        let what = format!("recordings.objects.endpoint \"{value}\" is no address of an S3 store");
        section.fault(*line, what, "write \"https://s3.example:9000\"; without it Amazon's own is meant");
    }
    let region = section.string("region").map_or_else(|| "us-east-1".to_owned(), |at| at.value);
    let prefix = section.string("prefix").map(|at| at.value.trim_matches('/').to_owned()).unwrap_or_default();
    let days = section.integer("keep_local_days", 0..=LONGEST_DAYS).map_or(KEEP_LOCAL_DAYS, |at| at.value);
    let credentials = credentials(section, base);
    let endpoint = endpoint.map(|at| at.value.trim_end_matches('/').to_owned());
    let store = Store { endpoint, bucket: bucket?, region, prefix, credentials: credentials? };
    Some(ObjectSettings { store, keep_local: Duration::from_secs(86_400) * days })
}

/// From `credentials_file`, else from the environment, by the names that programs for S3 have in common.
fn credentials(section: &mut Table<'_>, base: &Path) -> Option<Credentials> {
    let of = |id: String, secret: String, token: Option<String>| Credentials { id, secret, token };
    let Some(written) = super::path(section, "credentials_file") else {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (id, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
        let found = id.zip(secret).map(|(id, secret)| of(id, secret, variable("AWS_SESSION_TOKEN")));
        if found.is_none() {
            let what = "recordings.objects has no credentials";
            let hint = "add credentials_file = \"…\", or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
            section.fault(section.line(), what, hint);
        }
        return found;
    };
    let read = super::accounts::read(&base.join(&written.value)).and_then(|text| {
        let lines: Vec<String> =
            text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
        match lines.as_slice() {
            [id, secret] => Ok(of(id.clone(), secret.clone(), None)),
            [id, secret, token] => Ok(of(id.clone(), secret.clone(), Some(token.clone()))),
            _ => Err(("is not two lines".to_owned(), "write the key's id, and its secret on the next line".to_owned())),
        }
    });
    let what = "recordings.objects.credentials_file";
    read.map_err(|(fault, hint)| section.fault(written.line, format!("{what} {fault}"), hint)).ok()
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
    fn an_object_store_has_credentials_that_nobody_is_shown() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s3.secret");
        let of = |written: &str, mode, text: &str| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let document = Document::parse("hotline.toml", written);
            let read = {
                let mut root = document.root();
                super::read(&mut root, folder.path(), Path::new("data"))
            };
            (read.objects, document.into_faults().iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let whole = "[recordings.objects]\nendpoint = \"https://s3.example:9000/\"\nbucket = \"calls\"\nprefix = \"/a/b/\"\n\
                     credentials_file = \"s3.secret\"\nkeep_local_days = 2\n";
        let (read, faults) = of(whole, 0o600, "AKIDEXAMPLE\nwJalrXUtnFEMI\n");
        assert_eq!(faults, [""; 0]);
        let read = read.unwrap();
        assert_eq!(read.store.endpoint.as_deref(), Some("https://s3.example:9000"));
        assert_eq!((read.store.prefix.as_str(), read.keep_local), ("a/b", Duration::from_secs(172_800)));
        assert_eq!(read.store.credentials.secret, "wJalrXUtnFEMI");
        let shown = format!("{read:?}");
        assert!(!shown.contains("AKID") && !shown.contains("wJal") && shown.contains("calls"), "{shown}");
        for (written, mode, text, says) in [
            (whole, 0o644, "a\nb\n", "may be read by others"),
            (whole, 0o600, "a\n", "two lines"),
            ("[recordings.objects]\ncredentials_file = \"s3.secret\"\n", 0o600, "a\nb\n", "bucket"),
            (
                "[recordings.objects]\nbucket = \"b\"\nendpoint = \"s3.example\"\ncredentials_file = \"s3.secret\"\n",
                0o600,
                "a\nb\n",
                "no address",
            ),
        ] {
            let (_, faults) = of(written, mode, text);
            assert!(faults.len() == 1 && faults[0].contains(says), "{faults:?}");
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
