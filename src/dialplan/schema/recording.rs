//! `[recording]`: which calls of a hotline are recorded.

use super::super::plan::Recording;
use crate::written::Table;

pub(super) fn read(table: &mut Table<'_>) -> Recording {
    let share = table.integer("share_percent", 1..=99);
    let Some(policy) = table.string("policy") else {
        if let Some(share) = share {
            table.fault(share.line, "recording.share_percent without a policy that uses it", "add policy = \"share\"");
        }
        return Recording::ALL;
    };
    match (policy.value.as_str(), share) {
        ("all", None) => Recording::ALL,
        ("none", None) => Recording { percent: 0 },
        ("share", Some(share)) => Recording { percent: u8::try_from(share.value).unwrap_or(100) },
        ("share", None) => {
            table.fault(policy.line, "recording.policy \"share\" of how many?", "add share_percent = 20");
            Recording::ALL
        }
        ("all" | "none", Some(share)) => {
            table.fault(share.line, "recording.share_percent is only for policy = \"share\"", "remove one of the two");
            Recording::ALL
        }
        (other, _) => {
            let what = format!("recording.policy \"{other}\" is not known");
            table.fault(policy.line, what, "write \"all\", \"none\" or \"share\"");
            Recording::ALL
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::ids::{CallId, Random};
    use crate::written::Document;

    fn parse(text: &str) -> (Recording, usize) {
        let document = Document::parse("p", text);
        let found = read(&mut document.root().section("recording"));
        (found, document.into_faults().len())
    }

    #[test]
    fn all_is_recorded_unless_it_says_otherwise() {
        assert_eq!(parse(""), (Recording::ALL, 0));
        assert_eq!(parse("[recording]\npolicy = \"none\"\n"), (Recording { percent: 0 }, 0));
        let share = parse("[recording]\npolicy = \"share\"\nshare_percent = 20\n");
        assert_eq!(share, (Recording { percent: 20 }, 0));
        for wrong in
            ["policy = \"some\"", "policy = \"share\"", "share_percent = 20", "policy = \"share\"\nshare_percent = 100"]
        {
            let (found, faults) = parse(&format!("[recording]\n{wrong}\n"));
            assert_eq!(found, Recording::ALL, "{wrong}: in doubt all is recorded");
            assert!(faults > 0, "{wrong}");
        }
    }

    #[test]
    fn a_share_is_that_share_and_the_same_call_is_always_in_it_or_not() {
        let mut random = Random::from_number(8);
        let calls: Vec<CallId> = (0..10_000).map(|n| CallId::new(Wall::from_micros(n), &mut random)).collect();
        let wanted = |percent| calls.iter().filter(|call| Recording { percent }.wants(**call)).count();
        assert_eq!((wanted(0), wanted(100)), (0, 10_000));
        // Three standard deviations: 120.
        assert!((1_880..=2_120).contains(&wanted(20)), "{}", wanted(20));
    }
}
