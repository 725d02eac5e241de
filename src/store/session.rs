//! Sessions of the console: the browser has a secret of 256 bits, the database its hash and two times.

use rusqlite::{OptionalExtension as _, TransactionBehavior};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::audit::{self, Deed};
use super::people::{People, Person};
use crate::clock::Wall;
use crate::limits::{SESSION_IDLE, SESSION_LONGEST, SESSIONS_PER_PERSON};

/// What the browser keeps. Shown by nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    pub fn new(random: [u8; 32]) -> Secret {
        Secret(random)
    }

    pub fn hex(&self) -> String {
        self.0.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// 64 hex digits, and nothing else.
    pub fn parse(text: &str) -> Option<Secret> {
        let mut octets = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (octet, at) in octets.iter_mut().zip((0..64).step_by(2)) {
            *octet = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
        }
        Some(Secret(octets))
    }

    /// What of it may be kept. Who reads the database cannot log in by it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// What a form of this session carries, so that no other site can send it.
    pub fn form_token(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"form ");
        hasher.update(self.0);
        Secret(hasher.finalize().into()).hex()
    }
}

/// A session's last use is written at most so often.
const TOUCH_US: i64 = 60_000_000;

impl People {
    /// Logs somebody in: a session with this secret, which nobody had before. `how`: by password, by link.
    pub fn begin_session(&mut self, person: &Person, secret: &Secret, how: &str, at: Wall) -> Result<(), StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = at.as_micros();
        work.execute(
            "DELETE FROM session WHERE began_wall_us < ?1 OR seen_wall_us < ?2",
            (now - micros(SESSION_LONGEST), now - micros(SESSION_IDLE)),
        )?;
        // The oldest ones make room.
        work.execute(
            "DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE person = ?1
             ORDER BY began_wall_us DESC, hash LIMIT -1 OFFSET ?2)",
            (person.id, i64::from(SESSIONS_PER_PERSON) - 1),
        )?;
        work.execute(
            "INSERT INTO session (hash, person, began_wall_us, seen_wall_us) VALUES (?1, ?2, ?3, ?3)",
            (secret.hash(), person.id, now),
        )?;
        let details = json!({ "by": how });
        let (who, what) = (person.name.as_str(), "session.began");
        audit::append(&work, Deed { at, who, what, about: who, details: &details })?;
        Ok(work.commit()?)
    }

    /// Whose session it is, if it is one that has not run out. Counts as a use of it.
    pub fn session(&mut self, secret: &Secret, at: Wall) -> Result<Option<Person>, StoreError> {
        let hash = secret.hash();
        let mut find =
            self.db.prepare_cached("SELECT person, began_wall_us, seen_wall_us FROM session WHERE hash = ?1")?;
        let found: Option<(i64, i64, i64)> =
            find.query_row([hash], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        drop(find);
        let Some((person, began, seen)) = found else { return Ok(None) };
        let now = at.as_micros();
        if now - began > micros(SESSION_LONGEST) || now - seen > micros(SESSION_IDLE) {
            self.db.execute("DELETE FROM session WHERE hash = ?1", [hash])?;
            return Ok(None);
        }
        if now - seen > TOUCH_US {
            self.db.execute("UPDATE session SET seen_wall_us = ?2 WHERE hash = ?1", (hash, now))?;
        }
        Ok(self.by_id(person)?.filter(|person| !person.disabled))
    }

    pub fn end_session(&mut self, person: &Person, secret: &Secret, at: Wall) -> Result<(), StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute("DELETE FROM session WHERE hash = ?1", [secret.hash()])?;
        let who = person.name.as_str();
        let details = serde_json::Value::Null;
        audit::append(&work, Deed { at, who, what: "session.ended", about: who, details: &details })?;
        Ok(work.commit()?)
    }
}

fn micros(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
