//! `[agents_calls]`: calls that agents make by themselves.

use crate::gateway::AgentsCalls;
use crate::written::Table;

pub(super) fn read(section: &mut Table<'_>) -> AgentsCalls {
    AgentsCalls { record: section.boolean("record").is_some_and(|at| at.value) }
}
