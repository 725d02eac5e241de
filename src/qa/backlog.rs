//! How far the people who score have come, as operations see it: what waits, what is late, what was done. No figure of anybody.

use std::time::Duration;

use super::summary::Pool;
use crate::cdr::words;

words! {
    /// Where a call that is to be heard stands.
    Waiting {
        /// Nobody has it.
        Unassigned "unassigned",
        Assigned "assigned",
        /// Not scored by its due date, whether somebody has it or not.
        Overdue "overdue",
    }
}

words! {
    /// Which hearing of a call.
    Hearing {
        First "first",
        /// Of another person, who is not told.
        Second "second",
    }
}

words! {
    /// How an objection was decided.
    Decision {
        Upheld "upheld",
        Changed "changed",
    }
}

/// What is so at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    pub unassigned: u64,
    pub assigned: u64,
    pub overdue: u64,
    /// Objections without a decision.
    pub disputed: u64,
    pub month: Progress,
}

/// Of the present month, first hearings of calls that were drawn by lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    pub drawn: u64,
    pub scored: u64,
    /// Agents of whom calls were due to be drawn.
    pub agents: u64,
    /// Those of whom at least the minimum was scored.
    pub met: u64,
}

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deed {
    Scored { pool: Pool, hearing: Hearing, score: Option<f64>, fatal: bool, after: Duration },
    Decided(Decision),
}
