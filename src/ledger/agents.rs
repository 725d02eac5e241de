//! An agent's fact as a row: version, kind, body; as `codec` has it for calls.

use super::tagged;
use crate::call::presence::AgentFact;
use crate::clock::{RunId, Stamp};
use crate::ids::AgentNo;

/// What [`encode`] writes.
pub const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub run: RunId,
    pub n: u32,
    pub agent: AgentNo,
    pub mono_ns: u64,
    pub wall_us: i64,
    pub version: u32,
    pub kind: String,
    /// A JSON object.
    pub body: String,
}

#[derive(Debug, thiserror::Error)]
pub enum AgentCodecError {
    #[error("fact {n} of agent {agent} is of version {version}; this program reads up to {VERSION}")]
    Version { agent: AgentNo, n: u32, version: u32 },
    #[error("fact {n} of agent {agent} cannot be read or written: {source}")]
    Body { agent: AgentNo, n: u32, source: serde_json::Error },
    #[error("fact {n} of agent {agent} has no kind")]
    Kindless { agent: AgentNo, n: u32 },
}

pub fn encode(fact: &AgentFact) -> Result<Row, AgentCodecError> {
    let AgentFact { agent, n, at, what } = fact;
    let unreadable = |source| AgentCodecError::Body { agent: agent.clone(), n: *n, source };
    let kindless = || AgentCodecError::Kindless { agent: agent.clone(), n: *n };
    let (kind, body) = tagged::apart(what).map_err(unreadable)?.ok_or_else(kindless)?;
    let (run, mono_ns, wall_us) = (at.run, at.mono_ns, at.wall_us);
    Ok(Row { run, n: *n, agent: agent.clone(), mono_ns, wall_us, version: VERSION, kind, body })
}

pub fn decode(row: &Row) -> Result<AgentFact, AgentCodecError> {
    let Row { run, n, agent, mono_ns, wall_us, version, kind, body } = row;
    if *version == 0 || *version > VERSION {
        return Err(AgentCodecError::Version { agent: agent.clone(), n: *n, version: *version });
    }
    let what =
        tagged::together(kind, body).map_err(|source| AgentCodecError::Body { agent: agent.clone(), n: *n, source })?;
    Ok(AgentFact { agent: agent.clone(), n: *n, at: Stamp { run: *run, mono_ns: *mono_ns, wall_us: *wall_us }, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::presence::{By, RefusedSupervision, What};
    use crate::clock::Wall;
    use crate::ids::{CallId, Random};

    /// One of each kind.
    pub(crate) fn every_kind() -> Vec<AgentFact> {
        let call = CallId::new(Wall::from_micros(0), &mut Random::from_number(1));
        let all = [
            What::LoggedIn { by: By::Phone },
            What::Ready { by: By::Api },
            What::Paused { reason: Some("吃饭".into()), until_us: Some(1_795_226_400_000_000), by: By::Phone },
            What::Paused { reason: None, until_us: None, by: By::Restart },
            What::WrapUp { until_us: 1_795_226_400_000_000, call: Some(call), by: By::Call },
            What::Away { by: By::Limit },
            What::LoggedOut { by: By::Phone },
            What::Unreachable,
            What::Reachable,
            What::SupervisionRefused { of: "8".into(), why: RefusedSupervision::WrongPin },
            What::SupervisionRefused { of: "8".into(), why: RefusedSupervision::OtherHotline },
            What::MissesShift { hotline: "property".into(), begins_us: 1_795_226_400_000_000 },
            What::LogOutRefused { hotline: "property".into(), by: By::Phone },
            What::LeavesAlone { hotline: "property".into(), by: By::Api },
            What::ShiftBegan { hotline: "property".into() },
            What::ShiftOver { hotline: "property".into() },
        ];
        let at = Stamp { run: RunId(2), mono_ns: 7, wall_us: 9 };
        all.into_iter().zip(0..).map(|(what, n)| AgentFact { agent: "8".into(), n, at, what }).collect()
    }

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        for fact in every_kind() {
            let row = encode(&fact).unwrap();
            assert_eq!(decode(&row).unwrap(), fact, "{row:?}");
            assert!(decode(&Row { version: 2, ..row }).is_err());
        }
    }

    /// What version 1 wrote must be read for ever.
    #[test]
    fn rows_of_version_1_are_read() {
        let file = include_str!("../../fixtures/facts/agents-v1.txt");
        let body = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let written: Vec<_> = file.lines().map(|line| line.split_once(' ').unwrap()).collect();
        let written: Vec<_> = written.into_iter().map(|(kind, text)| (kind.to_owned(), body(text))).collect();
        let rows: Vec<_> = every_kind().iter().map(|fact| encode(fact).unwrap()).collect();
        // Whatever the order of a body's fields.
        let rows: Vec<_> = rows.into_iter().map(|row| (row.kind, body(&row.body))).collect();
        assert_eq!(written, rows);
    }
}
