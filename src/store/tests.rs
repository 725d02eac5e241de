use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::call::fact::{Fact, What};
use crate::call::reason::{EndedBy, Reason};
use crate::cdr::{Outcome, Record};
use crate::clock::Wall;
use crate::ids::{HotlineId, SubjectId};
use crate::ledger::Subject;
use crate::ledger::recovery;
use crate::ledger::story::{self, MORNING, Story};
use crate::rules::{Case, Pack};

fn new_store() -> (TempDir, Writer) {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap();
    (dir, writer)
}

fn subject_of(facts: &[Fact], number: &str) -> Subject {
    let What::Offered(offered) = &facts[0].what else { panic!("no call") };
    Subject { id: offered.caller, number: number.to_owned() }
}

/// As [`Writer`] computes it.
fn judged(facts: &[Fact]) -> Record {
    let record = Case::of(facts).unwrap().record(&Pack::built_in());
    assert_eq!(Record { verdicts: Vec::new(), rule_pack: None, ..record.clone() }, Record::from_facts(facts).unwrap());
    record
}

fn ended(seed: u64) -> Vec<Fact> {
    Story::talking(seed)
        .ended(9_000, Reason::CallerHungUp, EndedBy::Caller)
        .at(9_050, story::recording_ok(4_999))
        .facts()
}

#[test]
fn a_call_is_read_back_as_it_was_written() {
    let (dir, mut writer) = new_store();
    let facts = ended(1);
    let subject = subject_of(&facts, "13900000001");
    let appended = writer.append(&facts, &[subject]).unwrap();
    assert_eq!(appended, Appended { written: facts.len(), repeated: 0 });
    let reader = Reader::open(dir.path()).unwrap();
    let call = reader.call(facts[0].call).unwrap().unwrap();
    assert_eq!(call.facts, facts);
    assert_eq!(call.record.caller.as_deref(), Some("13900000001"));
    assert_eq!(call.record.outcome, Some(Outcome::Answered));
    let computed = Record { caller: call.record.caller.clone(), ..judged(&facts) };
    assert_eq!(call.record, computed);
    assert_eq!(reader.call(crate::ids::CallId(uuid::Uuid::nil())).unwrap(), None);
}

/// Its row is written when it begins and when it ends, and whoever reads it in between has what the facts say by then.
#[test]
fn a_call_in_progress_is_read_as_far_as_it_has_come() {
    let (dir, mut writer) = new_store();
    let facts = ended(1);
    let reader = Reader::open(dir.path()).unwrap();
    for n in 1..=facts.len() {
        writer.append(&facts[n - 1..n], &[]).unwrap();
        let call = reader.call(facts[0].call).unwrap().unwrap();
        assert_eq!(call.record, Case::of(&facts[..n]).unwrap().record(&Pack::built_in()), "after {n} facts");
        let live = reader.calls(Which::Live, None, 9).unwrap();
        assert_eq!(live, if call.record.ended_at.is_none() { vec![call.record] } else { Vec::new() });
    }
    assert_eq!(reader.call(facts[0].call).unwrap().unwrap().record, judged(&facts));
}

#[test]
fn the_row_holds_no_number_and_an_erased_one_is_null() {
    let (dir, mut writer) = new_store();
    let facts = ended(1);
    writer.append(&facts, &[subject_of(&facts, "13900000001")]).unwrap();
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    let number = "%13900000001%";
    for sql in ["SELECT count(*) FROM call WHERE record LIKE ?1", "SELECT count(*) FROM fact WHERE body LIKE ?1"] {
        let found: u32 = db.query_row(sql, [number], |row| row.get(0)).unwrap();
        assert_eq!(found, 0, "{sql}");
    }
    db.execute("UPDATE subject SET number = NULL", []).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.calls(Which::Ended, None, 9).unwrap()[0].caller, None);
}

#[test]
fn the_same_number_has_the_same_hash_under_one_key_only() {
    let (dir, mut writer) = new_store();
    let id = |seed| SubjectId::new(&mut crate::ids::Random::from_number(seed));
    let same = [1, 2].map(|seed| Subject { id: id(seed), number: "139".to_owned() });
    writer.append(&[], &same).unwrap();
    drop(writer);
    let mut other = Writer::open(dir.path(), SubjectKey::new([8; 32])).unwrap();
    other.append(&[], &[Subject { id: id(3), number: "139".to_owned() }]).unwrap();
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    let distinct: u32 = db.query_row("SELECT count(DISTINCT keyed_hash) FROM subject", [], |row| row.get(0)).unwrap();
    assert_eq!(distinct, 2);
}

/// The key file holds 32 bytes; vector computed with Python's `hmac.new(bytes([7]*32), b"13900000001", "sha256")`.
#[test]
fn the_keyed_hash_is_hmac_sha256() {
    let (dir, mut writer) = new_store();
    let facts = ended(1);
    writer.append(&facts, &[subject_of(&facts, "13900000001")]).unwrap();
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    let hash: String = db.query_row("SELECT lower(hex(keyed_hash)) FROM subject", [], |row| row.get(0)).unwrap();
    assert_eq!(hash, "e5b42bebe9867a170e3f90032fbc094fc7044596f3da8fd5bb81205a45fc31cb");
}

#[test]
fn a_batch_given_twice_changes_nothing() {
    let (dir, mut writer) = new_store();
    let facts = ended(1);
    writer.append(&facts[..4], &[]).unwrap();
    let again = writer.append(&facts, &[]).unwrap();
    assert_eq!(again, Appended { written: facts.len() - 4, repeated: 4 });
    let twice = writer.append(&facts, &[]).unwrap();
    assert_eq!(twice, Appended { written: 0, repeated: facts.len() });
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.call(facts[0].call).unwrap().unwrap().record, judged(&facts));
}

#[test]
fn a_failed_batch_leaves_nothing_and_can_be_given_again() {
    let (dir, mut writer) = new_store();
    let facts = ended(1);
    let lock = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(matches!(writer.append(&facts, &[]), Err(StoreError::Sqlite(_))));
    lock.execute_batch("ROLLBACK").unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.call(facts[0].call).unwrap(), None);
    assert_eq!(writer.append(&facts, &[]).unwrap().written, facts.len());
    assert_eq!(reader.call(facts[0].call).unwrap().unwrap().facts, facts);
}

#[test]
fn facts_without_a_beginning_are_refused() {
    let (_dir, mut writer) = new_store();
    let facts = ended(1);
    assert!(matches!(writer.append(&facts[1..], &[]), Err(StoreError::NoBeginning(_))));
}

#[test]
fn calls_are_listed_newest_first() {
    let (dir, mut writer) = new_store();
    let minutes = |m: u64| MORNING + Duration::from_secs(60 * m);
    for m in [2, 0, 1] {
        let story = Story::offered(m, minutes(m), "property");
        writer.append(&story.ended(900, Reason::CallerCancelled, EndedBy::Caller).facts(), &[]).unwrap();
    }
    writer.append(&Story::offered(9, minutes(3), "heating").facts(), &[]).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let times = |records: Vec<Record>| records.iter().map(|r| r.offered_at.0).collect::<Vec<Wall>>();
    let ended = |since, limit| times(reader.calls(Which::Ended, since, limit).unwrap());
    assert_eq!(ended(None, 9), [minutes(2), minutes(1), minutes(0)]);
    assert_eq!(ended(Some(minutes(1)), 9), [minutes(2), minutes(1)]);
    assert_eq!(ended(None, 1), [minutes(2)]);
    assert_eq!(times(reader.calls(Which::Live, None, 9).unwrap()), [minutes(3)]);
    let between = |hotline| times(reader.records_between(hotline, minutes(1), minutes(4)).unwrap());
    assert_eq!(between(None), [minutes(1), minutes(2), minutes(3)]);
    assert_eq!(between(Some(&HotlineId::from("heating"))), [minutes(3)]);
}

#[test]
fn rebuilt_rows_equal_those_written_step_by_step() {
    let (dir, mut writer) = new_store();
    let calls = [ended(1), Story::talking(2).facts(), Story::new(3).at(1_000, What::Ring).facts()];
    for fact in calls.iter().flatten() {
        writer.append(std::slice::from_ref(fact), &[]).unwrap();
    }
    let dump = || {
        let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
        let mut query = db
            .prepare("SELECT hex(id), hotline, hex(subject), closed || record, outcome, ended_wall_us FROM call")
            .unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            let texts: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
            Ok((texts, row.get::<_, Option<String>>(4)?, row.get::<_, Option<i64>>(5)?))
        };
        query.query_map([], row).unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    let before = dump();
    assert_eq!(writer.rebuild().unwrap(), 3);
    assert_eq!(dump(), before);
    assert_eq!(before.len(), 3);
}

#[test]
fn recovery_closes_what_a_crash_cut() {
    let (dir, mut writer) = new_store();
    assert_eq!(writer.begin_run(MORNING).unwrap().0, 1);
    let pending = Story::talking(4).ended(8_000, Reason::AgentHungUp, EndedBy::Agent).facts();
    for facts in [ended(1), Story::talking(2).facts(), Story::new(3).at(1_000, What::Ring).facts(), pending] {
        writer.append(&facts, &[]).unwrap();
    }
    drop(writer);
    let mut writer = Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap();
    assert_eq!(writer.begin_run(MORNING).unwrap().0, 2);
    let unfinished = writer.unfinished().unwrap();
    assert_eq!(unfinished.len(), 3);
    for (_, facts) in &unfinished {
        let audio = recovery::Salvage { frames: 8_000, sha256: None, parts: Vec::new() };
        writer.append(&recovery::closing_facts(facts, Some(&audio)), &[]).unwrap();
    }
    assert_eq!(writer.unfinished().unwrap(), []);
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.calls(Which::Live, None, 9).unwrap(), []);
    let ended = reader.calls(Which::Ended, None, 9).unwrap();
    let interrupted = ended.iter().filter(|record| record.interrupted).map(|record| record.outcome);
    let mut outcomes: Vec<_> = interrupted.collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [Some(Outcome::Answered), Some(Outcome::Failed)]);
    assert!(ended.iter().all(|record| record.duration_ms.is_some()));
}

#[test]
fn a_reader_works_after_the_writer_has_gone_and_facts_cannot_be_changed() {
    let (dir, mut writer) = new_store();
    assert!(matches!(Reader::open(&dir.path().join("elsewhere")), Err(StoreError::Absent(_))));
    writer.append(&ended(1), &[]).unwrap();
    drop(writer);
    assert!(!dir.path().join("hotline.db-wal").exists());
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.calls(Which::Ended, None, 9).unwrap().len(), 1);
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    for sql in ["UPDATE fact SET n = n + 100", "DELETE FROM fact"] {
        assert!(db.execute(sql, []).is_err(), "{sql}");
    }
    db.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Reader::open(dir.path()), Err(StoreError::TooNew { found: 99, .. })));
}

/// The files as a killed process leaves them: a log that was never folded into the database.
#[test]
fn a_reader_finds_what_a_killed_writer_left_in_its_log() {
    let (dir, mut writer) = new_store();
    writer.append(&ended(1), &[]).unwrap();
    for files in [vec!["hotline.db", "hotline.db-wal"], vec!["hotline.db", "hotline.db-wal", "hotline.db-shm"]] {
        let copy = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
        }
        let reader = Reader::open(copy.path()).unwrap();
        assert_eq!(reader.calls(Which::Ended, None, 9).unwrap().len(), 1);
        let again = Writer::open(copy.path(), SubjectKey::new([7; 32])).unwrap();
        assert_eq!(again.unfinished().unwrap(), []);
    }
}

/// A reader in the middle of reading does not hold up the writer, nor the writer the reader.
#[test]
fn readers_and_the_writer_do_not_wait_for_each_other() {
    let (dir, mut writer) = new_store();
    writer.append(&ended(1), &[]).unwrap();
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    db.execute_batch("BEGIN; SELECT count(*) FROM fact;").unwrap();
    writer.append(&ended(2), &[]).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.calls(Which::Ended, None, 9).unwrap().len(), 2);
}

/// Not a limit, a measurement: `cargo test --release --lib -- --ignored measure_appending --nocapture`.
#[test]
#[ignore = "measures the machine"]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "measures the machine")]
fn measure_appending() {
    let (_dir, mut writer) = new_store();
    let calls: Vec<Vec<Fact>> = (0..2_000).map(ended).collect();
    let facts: Vec<Fact> = calls.into_iter().flatten().collect();
    let began = std::time::Instant::now();
    for group in facts.chunks(4_096) {
        writer.append(group, &[]).unwrap();
    }
    let took = began.elapsed();
    println!("{} facts of 2,000 calls in {took:?}", facts.len());
}

/// `cargo test --release --lib measure_pages -- --ignored --nocapture`: two million calls, and how long a page takes.
#[test]
#[ignore = "measures the machine; makes a database of half a gigabyte"]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "measures the machine")]
fn measure_pages() {
    let (dir, writer) = new_store();
    drop(writer);
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    db.execute_batch(
        "BEGIN;
         WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1999999)
         INSERT INTO listed SELECT 1700000000000000 + i * 30000000, randomblob(16), 'h' || (i % 4), CAST(i % 200 AS TEXT),
         iif(i % 10 = 0, 'abandoned', 'answered'), (i * 7919) % 600000, iif(i % 9 = 0, i % 90000, 0), i % 20000, i % 10 <> 0,
         250 + (i * 31) % 200, iif(i % 5000 = 0, ' R-001 ', ' ') FROM n;
         COMMIT; PRAGMA optimize;",
    )
    .unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let wall = |i: i64| Wall::from_micros(1_700_000_000_000_000 + i * 30_000_000);
    let middle = Some(Place { offered: wall(1_000_000), call: crate::ids::CallId(uuid::Uuid::nil()) });
    let rule = |rule: &str| Filter { failed: Some(rule.to_owned()), ..Filter::default() };
    for (what, filter, after) in [
        ("the newest", Filter::default(), None),
        ("the millionth and on", Filter::default(), middle),
        ("of one agent", Filter { agent: Some("7".into()), ..Filter::default() }, middle),
        ("abandoned ones", Filter { outcome: Some(Outcome::Abandoned), ..Filter::default() }, middle),
        ("a bad MOS", Filter { mos_below_100: Some(255), ..Filter::default() }, middle),
        ("a rule that one call in 5,000 broke", rule("R-001"), middle),
        ("a rule that nobody broke", rule("R-999"), middle),
        ("one agent and a rule that nobody broke", Filter { agent: Some("7".into()), ..rule("R-999") }, middle),
    ] {
        let mut times: Vec<Duration> = (0..20)
            .map(|_| {
                let begun = std::time::Instant::now();
                reader.page(&filter, after, 50).unwrap();
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!("{what}: median {:?}, slowest {:?}", times[10], times[19]);
    }
    let begun = std::time::Instant::now();
    let sum: u64 = reader.since(wall(1_999_999 - 24_000)).unwrap().iter().map(|(_, since)| since.offered).sum();
    println!("figures of {sum} calls of today: {:?}", begun.elapsed());
}

#[test]
fn pages_follow_each_other_whatever_the_filter() {
    let (dir, mut writer) = new_store();
    let mut ids = Vec::new();
    for seed in 0..25 {
        // Several of one moment: the id decides.
        let wall = MORNING + Duration::from_secs(seed / 3);
        let hotline = if seed % 2 == 0 { "property" } else { "other" };
        let story = Story::offered(seed, wall, hotline).at(1_000, What::Ring);
        let reason = if seed % 5 == 0 { Reason::NoAnswer } else { Reason::CallerCancelled };
        let facts = story.ended(2_000 + seed * 500, reason, EndedBy::Caller).facts();
        ids.push((facts[0].at.wall_us, facts[0].call, seed));
        writer.append(&facts, &[]).unwrap();
    }
    ids.sort_by(|a, b| b.cmp(a));
    let reader = Reader::open(dir.path()).unwrap();
    let all = |filter: &Filter, limit: usize| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = reader.page(filter, after, limit).unwrap();
            assert!(page.records.len() <= limit && page.looked_to.is_none());
            found.extend(page.records.iter().map(|record| record.id));
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    };
    let expected = |which: &dyn Fn(u64) -> bool| -> Vec<crate::ids::CallId> {
        ids.iter().filter(|(_, _, seed)| which(*seed)).map(|(_, call, _)| *call).collect()
    };
    for limit in [1, 3, 7, 25, 100] {
        assert_eq!(all(&Filter::default(), limit), expected(&|_| true), "{limit}");
        let filter = Filter { hotline: Some(HotlineId::from("other")), ..Filter::default() };
        assert_eq!(all(&filter, limit), expected(&|seed| seed % 2 == 1), "{limit}");
        let filter = Filter { outcome: Some(Outcome::Failed), ..Filter::default() };
        assert_eq!(all(&filter, limit), expected(&|seed| seed % 5 == 0), "{limit}");
        let (from, to) = (MORNING + Duration::from_secs(2), MORNING + Duration::from_secs(5));
        let filter = Filter { from: Some(from), to: Some(to), ..Filter::default() };
        assert_eq!(all(&filter, limit), expected(&|seed| (2..5).contains(&(seed / 3))), "{limit}");
    }
    // Rebuilt, it is the same.
    assert_eq!(writer.rebuild().unwrap(), 25);
    assert_eq!(all(&Filter::default(), 100), expected(&|_| true));
}

#[test]
fn who_is_sent_to_the_desk_again_and_again_is_listed_first() {
    use crate::call::fact::SentFor;
    let (dir, mut writer) = new_store();
    let sent = |seed: u64, why: SentFor, number: &str| {
        let facts = Story::talking(seed)
            .at(9_000, What::SentToDesk { why, agent: story::agent("8") })
            .ended(9_500, Reason::SentToDesk, EndedBy::Gateway)
            .facts();
        let What::Offered(offered) = &facts[0].what else { panic!("no call") };
        (Subject { id: offered.caller, number: number.to_owned() }, facts)
    };
    for (seed, why, number) in [
        (1, SentFor::Nuisance, "139"),
        (2, SentFor::Nuisance, "138"),
        (3, SentFor::Nuisance, "138"),
        (4, SentFor::WrongNumber, "137"),
    ] {
        let (subject, facts) = sent(seed, why, number);
        writer.append(&facts, &[subject]).unwrap();
    }
    let reader = Reader::open(dir.path()).unwrap();
    let found: Vec<(String, u32)> =
        reader.nuisances(MORNING).unwrap().into_iter().map(|caller| (caller.number.unwrap(), caller.calls)).collect();
    assert_eq!(found, [("138".to_owned(), 2), ("139".to_owned(), 1)]);
    assert_eq!(reader.nuisances(MORNING + Duration::from_secs(1)).unwrap(), []);
}
