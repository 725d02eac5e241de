use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::call::presence::Kind;
use crate::call::reason::EndedBy;
use crate::cdr::{Outcome, QualityStatus, WhyOwed, Word};
use crate::qa::draw::assign::Handing;
use crate::qa::draw::target::Why;
use crate::report::callbacks::Code;
use crate::rules::Cue;
use crate::store::people::Role;

fn keys(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    lines.filter_map(|line| line.split_once(" =")).map(|(key, _)| key).collect()
}

#[test]
fn both_languages_have_the_same_words_and_no_faults() {
    let [chinese, english] = TEXTS.map(keys);
    let apart: Vec<&&str> = chinese.symmetric_difference(&english).collect();
    assert!(apart.is_empty(), "in one language only: {apart:?}");
    for (text, (tag, _)) in TEXTS.iter().zip(LANGUAGES) {
        let faults = FluentResource::try_new((*text).to_owned()).err().map(|(_, faults)| faults);
        assert!(faults.is_none(), "{tag}: {faults:?}");
        let mut seen = BTreeSet::new();
        let lines = text.lines().filter_map(|line| line.split_once(" =")).map(|(key, _)| key);
        let twice: Vec<&str> = lines.filter(|key| !key.starts_with(' ') && !seen.insert(*key)).collect();
        assert!(twice.is_empty(), "{tag}: there twice: {twice:?}");
    }
}

/// What stands in the arguments of `say("…")` and `with("…")` in templates and sources.
fn asked() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
                continue;
            }
            let name = path.to_string_lossy().into_owned();
            if !(name.ends_with(".rs") || name.ends_with(".html")) || name.ends_with("words_tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for start in ["say(\"", ".with(\"", ".of(\"", ".with_all(\"", "Told(\"", "told(\""] {
                let keys = text.split(start).skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(keys.map(str::to_owned));
            }
        }
    }
    let mut found = BTreeSet::new();
    for file in [include_str!("../store/told.rs"), include_str!("pages/callbacks.rs")] {
        let word = |text: &&str| text.starts_with("told-") || text.starts_with("not-called-");
        found.extend(file.split('"').filter(word).map(str::to_owned));
    }
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut found);
    found
}

#[test]
fn every_word_that_is_asked_for_is_there() {
    fn of<W: Word>(prefix: &str) -> Vec<String> {
        W::ALL.iter().map(|word| key(prefix, word.word())).collect()
    }
    let mut wanted = asked();
    assert!(wanted.len() > 20, "{wanted:?}");
    wanted.extend(of::<Outcome>("outcome"));
    wanted.extend(of::<QualityStatus>("quality"));
    wanted.extend(of::<Role>("role"));
    wanted.extend(of::<EndedBy>("ended"));
    wanted.extend(of::<WhyOwed>("callback-why"));
    wanted.extend(of::<Code>("callback-code"));
    wanted.extend(of::<Cue>("cue"));
    wanted.extend(of::<Cue>("say"));
    wanted.extend(of::<Why>("why"));
    wanted.extend(of::<Handing>("handing"));
    let kinds = [Kind::LoggedOut, Kind::Ready, Kind::Paused, Kind::WrapUp, Kind::Away];
    wanted.extend(kinds.map(|kind| key("state", kind.word())));
    wanted.extend(["ready", "talking", "ringing", "unreachable"].map(|state| key("state", state)));
    wanted.extend(super::super::routes::table().iter().filter_map(|route| route.nav).map(str::to_owned));
    let missing: Vec<&String> = wanted.iter().filter(|key| !ALL[0].knows(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn key(prefix: &str, word: &str) -> String {
    super::super::page::key(prefix, word)
}

#[test]
fn the_language_is_the_persons_then_the_cookies_then_the_browsers() {
    let tag = |person, cookie, accept| chosen(person, cookie, accept).tag;
    assert_eq!(tag(Some("en"), Some("zh-CN"), Some("zh")), "en");
    assert_eq!(tag(Some("xx"), Some("en"), Some("zh")), "en");
    assert_eq!(tag(None, None, Some("fr, en-GB;q=0.8, zh;q=0.3")), "en");
    assert_eq!(tag(None, None, Some("zh-TW, en;q=0.9")), "zh-CN");
    assert_eq!(tag(None, None, Some("en;q=0, fr")), "zh-CN");
    assert_eq!(tag(None, None, None), "zh-CN");
}

#[test]
fn what_is_filled_in_counts_as_a_number_only_if_it_is_one() {
    assert_eq!(ALL[1].with("calls-found", "n", 1), "1 call");
    assert_eq!(ALL[1].with("calls-found", "n", 2), "2 calls");
    assert_eq!(ALL[1].with("login-as", "name", "08"), "Log in as 08");
}
