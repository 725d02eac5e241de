//! `[recordings]` and `[retention]`: what happens when the disk is full, and how long recordings are kept.

use crate::cdr::{Outcome, Word as _};
use crate::io::space::AtFull;
use crate::store::{Class, Retention};
use crate::written::{At, Table};

/// Ten years.
const LONGEST_DAYS: u32 = 3_660;

/// What concerns all recordings of this gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingSettings {
    pub at_full: AtFull,
    pub retention: Retention,
}

pub(super) fn read(root: &mut Table<'_>) -> RecordingSettings {
    let at_full = at_full(&mut root.section("recordings"));
    let mut section = root.section("retention");
    let days = days(&mut section);
    let classes = section.sections("class").into_iter().filter_map(|mut class| class_of(&mut class)).collect();
    RecordingSettings { at_full, retention: Retention { days, classes } }
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
            read(&mut root)
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
    fn wrong_values_are_named() {
        let (_, faults) = parse(
            "[recordings]\ndisk_full = \"panic\"\n[retention]\ndays = 99999\n[[retention.class]]\noutcome = \"good\"\n",
        );
        assert_eq!(faults.len(), 3, "{faults:?}");
        let (_, faults) = parse("[[retention.class]]\nhotline = \"court\"\n");
        assert!(faults[0].contains("days"), "{faults:?}");
    }
}
