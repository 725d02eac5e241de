//! The audit log: who did what about what, each row chained to the one before it.
//!
//! The hash of a row is SHA-256 over the hash of the row before it (32 zero octets before the first) and these fields, each
//! preceded by its length in octets as eight octets, big-endian: number, time (microseconds since the epoch), who, what, about,
//! details. Numbers are written in decimal. So anybody can check the chain with a few lines of any language; and whoever has
//! noted the hash of a row knows later whether everything up to it is as it was.

use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::StoreError;
use crate::cdr::Time;
use crate::clock::Wall;

/// What somebody did.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    pub at: Wall,
    /// The name by which a person logs in, or `shell:` and the number of a Unix user.
    pub who: &'a str,
    /// `noun.verb`: `recording.listened`, `person.added`.
    pub what: &'a str,
    /// A call's id, a person's name, a month; empty: about nothing in particular.
    pub about: &'a str,
    pub details: &'a Value,
}

/// A row as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audited {
    pub n: i64,
    pub at: Time,
    pub who: String,
    pub what: String,
    pub about: String,
    /// JSON as it was written.
    pub details: String,
    pub hash: Hash,
}

/// SHA-256, shown in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How the chain was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// So many rows, each following from the one before; the hash of the last (zeros: there is none).
    Whole { rows: i64, head: Hash },
    /// The first row that does not follow.
    Broken { n: i64, why: Break },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Rows before it are gone.
    Gap,
    /// It was changed, or the row before it was, together with that one's hash.
    Changed,
}

impl Break {
    pub fn text(self) -> &'static str {
        match self {
            Break::Gap => "rows before it are missing",
            Break::Changed => "it was changed, or the one before it was and was given a new hash",
        }
    }
}

const COLUMNS: &str = "SELECT n, at_wall_us, who, what, about, details, hash FROM audit";

/// Before the first row.
pub(super) const NOTHING: Hash = Hash([0; 32]);

/// Adds a row. To be called within a transaction that has begun to write (`IMMEDIATE`), the one that does the deed.
pub(super) fn append(work: &Connection, deed: Deed<'_>) -> Result<i64, StoreError> {
    let last = work
        .prepare_cached("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, Hash(row.get(1)?))));
    let (n, before) = last.optional()?.map_or((1, NOTHING), |(n, hash)| (n + 1, hash));
    let at_wall_us = deed.at.as_micros();
    let details = deed.details.to_string();
    let hash = following(before, n, at_wall_us, [deed.who, deed.what, deed.about, &details]);
    let mut insert = work.prepare_cached(
        "INSERT INTO audit (n, at_wall_us, who, what, about, details, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute((n, at_wall_us, deed.who, deed.what, deed.about, &details, hash.0))?;
    Ok(n)
}

pub(super) fn following(before: Hash, n: i64, at_wall_us: i64, texts: [&str; 4]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(before.0);
    let (n, at) = (n.to_string(), at_wall_us.to_string());
    for field in [n.as_str(), at.as_str()].into_iter().chain(texts) {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    Hash(hasher.finalize().into())
}

fn audited(row: &SqlRow<'_>) -> rusqlite::Result<Audited> {
    Ok(Audited {
        n: row.get(0)?,
        at: Time(Wall::from_micros(row.get(1)?)),
        who: row.get(2)?,
        what: row.get(3)?,
        about: row.get(4)?,
        details: row.get(5)?,
        hash: Hash(row.get(6)?),
    })
}

/// Walks the whole chain.
pub(super) fn verify(db: &Connection) -> Result<Chain, StoreError> {
    let mut query = db.prepare(&format!("{COLUMNS} ORDER BY n"))?;
    let (mut rows, mut head) = (0, NOTHING);
    for row in query.query_map([], audited)? {
        let row = row?;
        if row.n != rows + 1 {
            return Ok(Chain::Broken { n: row.n, why: Break::Gap });
        }
        let texts = [row.who.as_str(), &row.what, &row.about, &row.details];
        if following(head, row.n, row.at.0.as_micros(), texts) != row.hash {
            return Ok(Chain::Broken { n: row.n, why: Break::Changed });
        }
        (rows, head) = (row.n, row.hash);
    }
    Ok(Chain::Whole { rows, head })
}

/// The hash of one row; `None`: there is no such row.
pub(super) fn hash_of(db: &Connection, n: i64) -> Result<Option<Hash>, StoreError> {
    let mut find = db.prepare_cached("SELECT hash FROM audit WHERE n = ?1")?;
    Ok(find.query_row([n], |row| row.get(0).map(Hash)).optional()?)
}

/// Newest first, before the row `before`; about something, or all.
pub(super) fn page(
    db: &Connection,
    about: Option<&str>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<Audited>, StoreError> {
    let which = if about.is_some() { "about = ?1" } else { "?1 IS NULL" };
    let mut query = db.prepare_cached(&format!("{COLUMNS} WHERE {which} AND n < ?2 ORDER BY n DESC LIMIT ?3"))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query.query_map((about, before.unwrap_or(i64::MAX), limit), audited)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
