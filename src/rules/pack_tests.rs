//! The built-in pack against the book.
use std::collections::{BTreeMap, BTreeSet};

use super::measure::MEASURES;
use super::parameter::KEYS;
use super::*;
use crate::cdr::Word as _;

/// Id, class and clause of every rule of the book.
const BOOK: &str = include_str!("../../fixtures/rules/book.tsv");

fn book() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let row = |line: &'static str| {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().expect("three cells");
        (cell(), (cell(), cell()))
    };
    BOOK.lines().map(row).collect()
}

#[test]
fn every_rule_of_the_book_is_listed_once_with_its_class_and_clause() {
    let (book, pack) = (book(), Pack::built_in());
    assert_eq!(book.len(), 496);
    let listed: BTreeMap<&str, (&str, &str)> =
        pack.rules().map(|rule| (rule.id.as_str(), (rule.class.as_str(), rule.source.as_str()))).collect();
    assert_eq!(listed, book);
    assert_eq!(book.values().filter(|(class, _)| class.contains('A')).count(), 205);
}

#[test]
fn whatever_signalling_could_tell_is_decided_hinted_or_names_the_missing_fact() {
    for rule in Pack::built_in().rules() {
        match rule.state() {
            State::Machine => assert!(rule.class.contains('A') || rule.class == "B", "{}", rule.id),
            State::Hinted => assert!(rule.reason.is_some(), "{}", rule.id),
            State::Transcript => assert!(rule.class.contains('B') && rule.reason.is_some(), "{}", rule.id),
            State::Product | State::Elsewhere => {
                assert!(rule.class.contains('A') && rule.missing.is_none(), "{}", rule.id);
                assert!(rule.reason.as_ref().is_some_and(|reason| reason.len() > 10), "{}", rule.id);
            }
            State::Unknown => assert!(rule.missing.as_ref().is_some_and(|missing| missing.len() > 10), "{}", rule.id),
            state @ (State::Words | State::KeptRecord | State::Human) => {
                assert!(!rule.class.contains('A'), "{} is {state}", rule.id);
                assert!(rule.reason.as_ref().is_some_and(|reason| reason.len() > 10), "{}", rule.id);
            }
        }
        assert!(!rule.zh.is_empty() && rule.en.is_ascii() | !rule.en.is_empty(), "{}", rule.id);
    }
}

#[test]
fn every_measure_is_used_and_every_parameter_is_set() {
    let pack = Pack::built_in();
    let all = || pack.decided().chain(pack.decided_by_words());
    let used: BTreeSet<&str> = all().map(|(_, measure)| measure.word).collect();
    assert_eq!(used, MEASURES.iter().map(|measure| measure.word).collect());
    for (rule, measure) in all() {
        // `max_rings` is pinned by the call.
        for name in measure.parameters.iter().filter(|name| **name != "max_rings") {
            assert!(pack.parameter(rule, name).is_some(), "{} has no {name}", rule.id);
        }
    }
    let known: BTreeSet<&str> = KEYS.iter().map(|key| key.name).collect();
    let read: BTreeSet<&str> = MEASURES.iter().flat_map(|measure| measure.parameters).copied().collect();
    assert_eq!(read, known);
}

/// What nobody looks for is no phrase of the book.
#[test]
fn every_phrase_is_used_and_every_rule_of_words_has_phrases() {
    let pack = Pack::built_in();
    let mut used = BTreeSet::new();
    for rule in pack.rules() {
        let names: Vec<&String> = Slot::ALL.iter().flat_map(|slot| rule.phrases(*slot)).collect();
        assert!(rule.state() != State::Transcript || !names.is_empty(), "{}", rule.id);
        used.extend(names.into_iter().map(String::as_str));
    }
    let known: BTreeSet<&str> = pack.phrases().map(|(name, _)| name).collect();
    assert_eq!(used, known);
}

/// Of the rules that signalling or sound could tell only so many lack a fact; each names it.
#[test]
fn seven_rules_of_class_a_lack_a_fact() {
    let pack = Pack::built_in();
    let lacking: Vec<&str> = pack.rules().filter(|rule| rule.state() == State::Unknown).map(|rule| &*rule.id).collect();
    let expected = ["R-039", "R-074", "R-220", "R-222", "R-231", "R-275", "R-495"];
    assert_eq!(lacking, expected);
}

#[test]
fn a_pack_laid_over_it_changes_what_it_names_and_nothing_else() {
    let pack = Pack::built_in();
    let other = pack.overlaid("mine.toml", "[parameters]\ntalk_ms = 240000\n[rule.R-125]\nhold_ms = 45000\n").unwrap();
    assert_ne!(pack.hash(), other.hash());
    assert_eq!(pack.hash().len(), 16);
    let number = |pack: &Pack, id: &str, name| pack.parameter(pack.rule(id).unwrap(), name);
    assert_eq!((number(&pack, "R-200", "talk_ms"), number(&other, "R-200", "talk_ms")), (Some(180_000), Some(240_000)));
    assert_eq!(number(&other, "R-094", "talk_ms"), Some(600_000), "a rule's own number stays");
    assert_eq!((number(&pack, "R-125", "hold_ms"), number(&other, "R-125", "hold_ms")), (Some(60_000), Some(45_000)));
    assert_eq!(other.rules().count(), 496);
    assert_eq!(other.rule("R-125").unwrap().zh, pack.rule("R-125").unwrap().zh);
}

#[test]
fn faults_of_a_pack_name_their_lines() {
    let text = "[parameters]\ntalk_m = 5\nmin_rings = 101\n[rule.R-001]\nmeasure = \"answered_within_ring\"\n\
        severity = \"mayor\"\n\
        [rule.R-015]\nclosing = [\"farewel\"]\n[phrase.nothing]\nany = [\"…\"]\n\
        [rule.R-500]\ndecided = \"machine\"\n[rule.R-152]\ndecided = \"hinted\"\n";
    let faults = Pack::built_in().overlaid("mine.toml", text).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let has = |line: u32, what: &str| {
        let found = told.iter().any(|fault| fault.starts_with(&format!("mine.toml:{line}: ")) && fault.contains(what));
        assert!(found, "no `{what}` in line {line} of {told:#?}");
    };
    has(2, "did you mean \"talk_ms\"?");
    has(3, "out of range");
    has(5, "did you mean \"answered_within_rings\"?");
    has(6, "did you mean \"major\"?");
    has(8, "did you mean \"farewell\"?");
    has(10, "nothing that could be said");
    has(11, "has no \"source\"");
    has(13, "neither a measure nor \"missing\"");
}
