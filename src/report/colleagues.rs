//! Agents' calls with colleagues: when they took an agent from callers who could have come.

use crate::cdr::Record;
use crate::clock::Wall;
use crate::ids::{AgentNo, Callee};

pub(super) type Stretch = (Wall, Wall);

/// Who was in a call between agents, and from when to when: who called from the first digit on, who answered in the talk.
pub(super) fn stretches(record: &Record) -> Vec<(AgentNo, Stretch)> {
    let caller = record.by_agent.as_ref().map(|by| by.agent.clone());
    let called = record.by_agent.as_ref().and_then(|by| match &by.to {
        Some(Callee::Agent(agent)) => Some(agent.clone()),
        Some(Callee::Target(_)) | None => None,
    });
    let whole = record.ended_at.map(|ended| (record.offered_at.0, ended.0));
    let mut found: Vec<(AgentNo, Stretch)> = caller.zip(whole).into_iter().collect();
    let talks = record.talks().filter(|(agent, ..)| called.as_ref() == Some(agent) || record.segments.len() > 1);
    found.extend(talks.map(|(agent, from, to)| (agent, (from, to))));
    found
}

/// How long, in ms, one of `of` lasted within one of `within` while none of `without` did; each moment counts once.
pub(super) fn alone_ms(of: &[Stretch], within: &[Stretch], without: &[Stretch]) -> u64 {
    let mut edges: Vec<(Wall, usize, i64)> = Vec::new();
    for (set, stretches) in [of, within, without].into_iter().enumerate() {
        edges.extend(
            stretches.iter().filter(|(from, to)| from < to).flat_map(|(from, to)| [(*from, set, 1), (*to, set, -1)]),
        );
    }
    edges.sort_unstable();
    let (mut open, mut since, mut us) = ([0i64; 3], None::<Wall>, 0i64);
    for (at, set, step) in edges {
        if let Some(since) = since.filter(|_| open[0] > 0 && open[1] > 0 && open[2] == 0) {
            us += at.as_micros() - since.as_micros();
        }
        open[set] += step;
        since = Some(at);
    }
    us.max(0).unsigned_abs() / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch((from, to): (i64, i64)) -> Stretch {
        (Wall::from_micros(from * 1_000_000), Wall::from_micros(to * 1_000_000))
    }

    #[test]
    fn each_moment_counts_once_and_that_of_a_caller_not() {
        let list = |of: &[(i64, i64)]| of.iter().copied().map(stretch).collect::<Vec<_>>();
        let alone = |of: &[(i64, i64)], within: &[(i64, i64)], without: &[(i64, i64)]| {
            alone_ms(&list(of), &list(within), &list(without))
        };
        assert_eq!(alone(&[(10, 30)], &[(0, 100)], &[]), 20_000);
        assert_eq!(alone(&[(10, 30), (20, 40)], &[(0, 100)], &[]), 30_000);
        assert_eq!(alone(&[(10, 30)], &[(0, 100)], &[(15, 20), (18, 25)]), 10_000);
        assert_eq!(alone(&[(10, 30)], &[(0, 12), (28, 50)], &[]), 4_000);
        assert_eq!(alone(&[(10, 30)], &[], &[]), 0);
        assert_eq!(alone(&[], &[(0, 9)], &[(2, 3)]), 0);
    }
}
