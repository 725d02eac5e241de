use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::super::audit::{Break, Chain};
use super::super::session::Secret;
use super::super::{FILE, Reader, SubjectKey, Writer};
use super::*;
use crate::limits::{SESSION_IDLE, SESSION_LONGEST, SESSIONS_PER_PERSON};

fn house() -> (TempDir, People) {
    let dir = tempfile::tempdir().unwrap();
    drop(Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap());
    let people = People::open(dir.path()).unwrap();
    (dir, people)
}

fn at(s: u64) -> Wall {
    crate::ledger::story::MORNING + Duration::from_secs(s)
}

fn new(name: &str, roles: &str) -> NewPerson {
    NewPerson { name: name.into(), shown: String::new(), roles: roles.into(), agent: None, password: Some("x".into()) }
}

fn secret(n: u8) -> Secret {
    Secret::new([n; 32])
}

#[test]
fn a_name_is_taken_once_whatever_its_case() {
    let (_dir, mut people) = house();
    assert!(people.is_empty().unwrap());
    let added = people.add(&new(" Wang.Min ", "qa,lead"), "shell:0", at(0)).unwrap();
    assert_eq!((added.name.as_str(), added.roles), ("wang.min", Roles::of(&[Role::Lead, Role::Qa])));
    for (name, roles, why) in [
        ("WANG.MIN", "qa", "already"),
        ("", "qa", "no name"),
        ("a b", "qa", "no name"),
        ("shell:0", "qa", "no name"),
        ("li", "boss", "`boss` is no role: agent, qa, lead, operator, auditor, admin"),
        ("li", "", "without a role"),
    ] {
        let error = people.add(&new(name, roles), "shell:0", at(0)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(people.named("wang.MIN").unwrap(), Some(added));
}

#[test]
fn the_last_admin_stays_and_whoever_is_disabled_is_logged_out() {
    let (_dir, mut people) = house();
    let first = people.add(&new("a", "admin"), "setup", at(0)).unwrap();
    assert!(people.set_disabled("a", true, "a", at(1)).is_err());
    assert!(people.set_roles("a", "qa", "a", at(1)).is_err());
    people.add(&new("b", "admin"), "a", at(2)).unwrap();
    people.begin_session(&first, &secret(1), "password", at(3)).unwrap();
    assert!(people.session(&secret(1), at(4)).unwrap().is_some());
    people.set_disabled("a", true, "b", at(5)).unwrap();
    assert_eq!(people.session(&secret(1), at(6)).unwrap(), None);
    assert_eq!(people.password_of("a").unwrap(), None);
    assert!(people.set_disabled("b", true, "b", at(7)).is_err(), "the other one is disabled");
    people.set_disabled("a", false, "b", at(8)).unwrap();
    assert_eq!(people.password_of("A").unwrap().as_deref(), Some("x"));
    assert_eq!(people.session(&secret(1), at(9)).unwrap(), None, "an ended session does not come back");
}

#[test]
fn a_session_ends_by_idleness_by_age_by_a_new_password_and_by_too_many_others() {
    let (dir, mut people) = house();
    let one = people.add(&new("a", "admin"), "setup", at(0)).unwrap();
    people.begin_session(&one, &secret(1), "password", at(0)).unwrap();
    let idle = SESSION_IDLE.as_secs();
    assert!(people.session(&secret(1), at(idle)).unwrap().is_some());
    assert!(people.session(&secret(1), at(2 * idle)).unwrap().is_some(), "its use counts");
    assert_eq!(people.session(&secret(1), at(3 * idle + 1)).unwrap(), None);
    people.begin_session(&one, &secret(2), "password", at(0)).unwrap();
    for hour in 1..=12 {
        assert!(people.session(&secret(2), at(hour * 3_600)).unwrap().is_some(), "{hour}");
    }
    assert_eq!(people.session(&secret(2), at(SESSION_LONGEST.as_secs() + 1)).unwrap(), None);
    let many = u8::try_from(SESSIONS_PER_PERSON).unwrap() + 1;
    for n in 0..many {
        people.begin_session(&one, &secret(100 + n), "password", at(60_000 + u64::from(n))).unwrap();
    }
    assert_eq!(people.session(&secret(100), at(60_100)).unwrap(), None);
    assert!(people.session(&secret(101), at(60_100)).unwrap().is_some());
    people.set_password("a", "y", "a", at(60_101)).unwrap();
    assert_eq!(people.session(&secret(101), at(60_102)).unwrap(), None);
    // Who reads the database finds no secret in it.
    let bytes = std::fs::read(dir.path().join(FILE)).unwrap();
    assert!(!bytes.windows(32).any(|window| window == [101; 32]));
}

#[test]
fn a_secret_is_64_hex_digits() {
    let good = "0f".repeat(32);
    assert_eq!(Secret::parse(&good).unwrap().hex(), good);
    for bad in ["", "0f", &"0g".repeat(32), &"0f".repeat(33), &"é".repeat(32), &" f".repeat(32), &"+f".repeat(32)] {
        assert_eq!(Secret::parse(bad), None, "{bad}");
    }
    assert_ne!(secret(1).form_token(), secret(2).form_token());
}

/// The first two rows' hashes were computed with Python's hashlib from the description at the head of `audit.rs`.
#[test]
fn a_tampered_row_is_named() {
    let (dir, mut people) = house();
    for n in 0..5 {
        let details = json!({ "call": n });
        let deed = Deed {
            at: Wall::from_micros(1_000 + n),
            who: "王敏",
            what: "recording.listened",
            about: "c",
            details: &details,
        };
        people.note(deed).unwrap();
    }
    let reader = Reader::open(dir.path()).unwrap();
    let Chain::Whole { rows: 5, head } = reader.audit_chain().unwrap() else { panic!("not whole") };
    assert_eq!(reader.audit_hash(5).unwrap(), Some(head));
    let hashes: Vec<String> = (1..=2).map(|n| reader.audit_hash(n).unwrap().unwrap().to_string()).collect();
    assert_eq!(hashes, PYTHONS);
    assert!(people.db.execute("UPDATE audit SET who = 'x' WHERE n = 3", []).is_err());
    assert!(people.db.execute("DELETE FROM audit", []).is_err());
    // Somebody with the file and a shell.
    people.db.execute_batch("DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted").unwrap();
    let tampered = |sql: &str| {
        people.db.execute_batch(&format!("SAVEPOINT before; {sql}")).unwrap();
        let chain = super::super::audit::verify(&people.db).unwrap();
        people.db.execute_batch("ROLLBACK TO before; RELEASE before").unwrap();
        chain
    };
    for (sql, found) in [
        ("UPDATE audit SET who = '李雷' WHERE n = 3", Chain::Broken { n: 3, why: Break::Changed }),
        ("UPDATE audit SET at_wall_us = 1 WHERE n = 1", Chain::Broken { n: 1, why: Break::Changed }),
        ("UPDATE audit SET what = what || about, about = '' WHERE n = 4", Chain::Broken { n: 4, why: Break::Changed }),
        (
            "UPDATE audit SET hash = (SELECT hash FROM audit WHERE n = 1) WHERE n = 5",
            Chain::Broken { n: 5, why: Break::Changed },
        ),
        ("DELETE FROM audit WHERE n = 2", Chain::Broken { n: 3, why: Break::Gap }),
        ("DELETE FROM audit WHERE n = 1", Chain::Broken { n: 2, why: Break::Gap }),
    ] {
        assert_eq!(tampered(sql), found, "{sql}");
    }
    // The end of the chain can be cut off unseen; whoever has noted its head sees it.
    let Chain::Whole { rows: 4, head: other } = tampered("DELETE FROM audit WHERE n = 5") else { panic!("cut") };
    assert_ne!(other, head);
}

const PYTHONS: [&str; 2] = [
    "a6b7ed647c4d5536ccb61cf406b91acdad2a88eaedb7dcd57962a23cebccb3c8",
    "40dc8d576027e93f7f96dce0a67f00061be85a54f503bfd9639a1428a756b852",
];
