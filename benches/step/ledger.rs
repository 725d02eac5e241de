//! Facts: on their way into the database, and read in order into a record.

use std::collections::BTreeMap;
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;

use hotline::call::fact::Fact;
use hotline::cdr::Fold;
use hotline::ids::CallId;
use hotline::ledger::codec;
use hotline::store::{SubjectKey, Writer};

use crate::measure::Report;
use crate::signalling;

/// Facts a commit, and how many commits are measured. At 4,096 the ledger's thread takes no more into one.
const GROUPS: [(usize, usize); 3] = [(1, 2_000), (100, 200), (4_096, 20)];
const CALLS: usize = 100;

pub(crate) fn fold(report: &mut Report) {
    signalling::insert(report);
    let mut calls: BTreeMap<CallId, Vec<Fact>> = BTreeMap::new();
    for fact in signalling::facts(CALLS) {
        calls.entry(fact.call).or_default().push(fact);
    }
    let facts: usize = calls.values().map(Vec::len).sum();
    let each = |work: fn(&Fold)| {
        for facts in calls.values() {
            let mut fold = Fold::begin(&facts[0]).expect("a call begins with `offered`");
            facts[1..].iter().for_each(|fact| fold.push(black_box(fact)));
            assert!(fold.is_closed());
            work(&fold);
        }
    };
    report.row("fact folded, without the record", facts, 200, |_| each(|fold| _ = black_box(fold)));
    let name = format!("call of {} facts folded, and its record", facts / calls.len());
    report.row(&name, calls.len(), 200, |_| each(|fold| drop(black_box(fold.record()))));
}

pub(crate) fn commit(report: &mut Report) {
    let needed = GROUPS.iter().map(|(group, rounds)| group * report.all_rounds(*rounds)).max().unwrap_or_default();
    let facts = signalling::facts(needed / 10);
    assert!(facts.len() >= needed, "{} facts, {needed} are needed", facts.len());
    let (group, rounds) = GROUPS[2];
    let bodies: Vec<Vec<u8>> = facts.chunks(group).take(report.all_rounds(rounds)).map(bodies).collect();
    let mut file: File = tempfile::tempfile().expect("a file");
    report.row("first: its row as JSON to a file, 4096 a write", group, rounds, |n| {
        file.write_all(&bodies[n]).expect("room on the disk");
    });
    for (group, rounds) in GROUPS {
        let directory = tempfile::tempdir().expect("a directory");
        let mut writer = Writer::open(directory.path(), SubjectKey::new([7; 32])).expect("a new database");
        report.row(&format!("fact, {group} a commit"), group, rounds, |n| {
            let appended = writer.append(&facts[n * group..(n + 1) * group], &[]).expect("a commit");
            assert_eq!(appended.written, group);
        });
    }
}

fn bodies(facts: &[Fact]) -> Vec<u8> {
    let row = |fact| codec::encode(fact).expect("a fact can be written");
    facts.iter().flat_map(|fact| serde_json::to_vec(&row(fact)).expect("so can its row")).collect()
}
