//! A fact as a row: version, kind, body.
//!
//! The version is that of the body's meaning. A later program must still read every older one, so a change of meaning
//! gets a new number and a branch in [`decode`]; `fixtures/facts/v1.jsonl` holds one row of each kind as version 1
//! wrote it.

use serde::{Deserialize, Serialize};

use super::tagged;
use crate::call::fact::Fact;
use crate::clock::{RunId, Stamp};
use crate::ids::CallId;

/// What [`encode`] writes.
pub const VERSION: u32 = 1;

/// One row of the table of facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub call: CallId,
    pub n: u32,
    pub run: RunId,
    /// Nanoseconds since the run began.
    pub mono_ns: u64,
    /// Microseconds since the epoch.
    pub wall_us: i64,
    pub version: u32,
    pub kind: String,
    /// A JSON object.
    pub body: String,
}

/// The ledger holds what this program cannot read, or was asked to write what is no fact.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("fact {n} of call {call} is of version {version}; this program reads up to {VERSION}")]
    Version { call: CallId, n: u32, version: u32 },
    #[error("fact {n} of call {call} is not a `{kind}` that can be read: {source}")]
    Body { call: CallId, n: u32, kind: String, source: serde_json::Error },
    #[error("fact {n} of call {call} has no kind")]
    Kindless { call: CallId, n: u32 },
}

pub fn encode(fact: &Fact) -> Result<Row, CodecError> {
    let Fact { call, n, at, ref what } = *fact;
    let unreadable = |source| CodecError::Body { call, n, kind: String::new(), source };
    let (kind, body) = tagged::apart(what).map_err(unreadable)?.ok_or(CodecError::Kindless { call, n })?;
    Ok(Row { call, n, run: at.run, mono_ns: at.mono_ns, wall_us: at.wall_us, version: VERSION, kind, body })
}

pub fn decode(row: &Row) -> Result<Fact, CodecError> {
    let Row { call, n, version, .. } = *row;
    if version == 0 || version > VERSION {
        return Err(CodecError::Version { call, n, version });
    }
    let what = tagged::together(&row.kind, &row.body).map_err(|source| CodecError::Body {
        call,
        n,
        kind: row.kind.clone(),
        source,
    })?;
    Ok(Fact { call, n, at: Stamp { run: row.run, mono_ns: row.mono_ns, wall_us: row.wall_us }, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::story;

    const GOLDEN: &str = include_str!("../../fixtures/facts/v1.jsonl");

    #[test]
    fn every_kind_comes_back_as_it_was() {
        for fact in story::every_kind() {
            let row = encode(&fact).unwrap();
            assert!(!row.body.contains("\"fact\""), "{}", row.body);
            assert_eq!(decode(&row).unwrap(), fact);
        }
    }

    /// Rows written by version 1 are read for ever. Never edit the file: add to it.
    #[test]
    fn golden_rows_of_version_1_are_read() {
        let rows: Vec<Row> = GOLDEN.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let facts: Vec<Fact> = rows.iter().map(|row| decode(row).unwrap()).collect();
        assert_eq!(facts, story::every_kind());
        for (row, fact) in rows.iter().zip(&facts) {
            let written = encode(fact).unwrap();
            let body = |row: &Row| serde_json::from_str::<serde_json::Value>(&row.body).unwrap();
            assert_eq!(body(&written), body(row), "whatever the order of its fields");
            assert_eq!(Row { body: row.body.clone(), ..written }, *row);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let row = encode(&story::every_kind()[0]).unwrap();
        assert!(matches!(decode(&Row { version: 9, ..row.clone() }), Err(CodecError::Version { version: 9, .. })));
        let error = decode(&Row { kind: "telepathy".to_owned(), ..row.clone() }).unwrap_err();
        assert!(error.to_string().contains("telepathy"), "{error}");
        assert!(matches!(decode(&Row { body: "[]".to_owned(), ..row }), Err(CodecError::Body { .. })));
    }
}
