//! Reading facts back: grouped by call, in order, gaps named.

use std::collections::BTreeMap;

use crate::call::fact::{Fact, What};
use crate::ids::CallId;

/// The facts of each call in the order of their numbers, whatever order they came in. Repeats are dropped.
pub fn by_call(facts: impl IntoIterator<Item = Fact>) -> BTreeMap<CallId, Vec<Fact>> {
    let mut calls: BTreeMap<CallId, BTreeMap<u32, Fact>> = BTreeMap::new();
    for fact in facts {
        calls.entry(fact.call).or_default().entry(fact.n).or_insert(fact);
    }
    calls.into_iter().map(|(call, facts)| (call, facts.into_values().collect())).collect()
}

/// What is wrong with the order of a call's facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disorder {
    #[error("the first fact is not `offered`")]
    NoBeginning,
    #[error("`offered` again as fact {n}")]
    SecondBeginning { n: u32 },
    #[error("fact {expected} is missing: {found} follows")]
    Gap { expected: u32, found: u32 },
}

/// Checks that one call's facts begin with `offered` and are numbered from 0 without gaps.
pub fn check(facts: &[Fact]) -> Result<(), Disorder> {
    if !matches!(facts.first(), Some(Fact { what: What::Offered(_), .. })) {
        return Err(Disorder::NoBeginning);
    }
    for (expected, fact) in (0u32..).zip(facts) {
        if fact.n != expected {
            return Err(Disorder::Gap { expected, found: fact.n });
        }
        if expected > 0 && matches!(fact.what, What::Offered(_)) {
            return Err(Disorder::SecondBeginning { n: fact.n });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::story::Story;

    #[test]
    fn facts_are_put_in_order_and_repeats_dropped() {
        let a = Story::new(1).at(10, What::Ring).facts();
        let b = Story::new(2).at(10, What::Ring).at(20, What::Connected).facts();
        let mixed = b.iter().rev().chain(&a).chain(&b).cloned();
        let calls = by_call(mixed);
        assert_eq!(calls[&a[0].call], a);
        assert_eq!(calls[&b[0].call], b);
        assert_eq!(check(&b), Ok(()));
    }

    #[test]
    fn disorder_is_named() {
        let facts = Story::new(1).at(10, What::Ring).at(20, What::Connected).facts();
        assert_eq!(check(&facts[1..]), Err(Disorder::NoBeginning));
        assert_eq!(check(&[]), Err(Disorder::NoBeginning));
        let gap = [facts[0].clone(), facts[2].clone()];
        assert_eq!(check(&gap), Err(Disorder::Gap { expected: 1, found: 2 }));
        let twice = [facts[0].clone(), Fact { n: 1, ..facts[0].clone() }];
        assert_eq!(check(&twice), Err(Disorder::SecondBeginning { n: 1 }));
    }
}
