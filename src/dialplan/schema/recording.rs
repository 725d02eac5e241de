//! `[recording]`: which calls of a hotline are recorded, and what of them is not.

use std::time::Duration;

use super::super::plan::Recording;
use crate::written::{At, Table};

/// How long after the last key the recording goes on, in seconds.
const AFTER_S: u32 = 5;

/// And what is said to a caller who cannot be recorded.
pub(super) fn read(table: &mut Table<'_>) -> (Recording, Option<At<String>>) {
    let percent = percent(table);
    let after = table.integer("blank_digits_s", 1..=60);
    let blank = table.boolean("blank_digits").is_some_and(|at| at.value);
    if let (Some(after), false) = (&after, blank) {
        let what = "recording.blank_digits_s without recording.blank_digits";
        table.fault(after.line, what, "add blank_digits = true");
    }
    let after_s = after.map_or(AFTER_S, |at| at.value);
    let blank_digits = blank.then(|| Duration::from_secs(u64::from(after_s)));
    let opt_out_key = table.string("opt_out_key").and_then(|at| {
        let mut keys = at.value.chars();
        match (keys.next(), keys.next()) {
            (Some(key @ ('0'..='9' | '*' | '#')), None) => Some(key),
            _ => {
                let what = format!("recording.opt_out_key \"{}\" is no key", at.value);
                table.fault(at.line, what, "write one of 0 to 9, * and #");
                None
            }
        }
    });
    let beep = table.integer("beep_s", 5..=600).map(|at| Duration::from_secs(at.value.into()));
    if percent == 0 && (blank_digits.is_some() || opt_out_key.is_some() || beep.is_some()) {
        let what = "recording.policy \"none\" has nothing to blank, to opt out of or to beep for";
        table.fault(table.line(), what, "remove blank_digits, opt_out_key and beep_s, or record");
    }
    (Recording { percent, blank_digits, opt_out_key, beep }, table.string("unrecorded"))
}

fn percent(table: &mut Table<'_>) -> u8 {
    let share = table.integer("share_percent", 1..=99);
    let Some(policy) = table.string("policy") else {
        if let Some(share) = share {
            table.fault(share.line, "recording.share_percent without a policy that uses it", "add policy = \"share\"");
        }
        return 100;
    };
    match (policy.value.as_str(), share) {
        ("all", None) => 100,
        ("none", None) => 0,
        ("share", Some(share)) => u8::try_from(share.value).unwrap_or(100),
        ("share", None) => {
            table.fault(policy.line, "recording.policy \"share\" of how many?", "add share_percent = 20");
            100
        }
        ("all" | "none", Some(share)) => {
            table.fault(share.line, "recording.share_percent is only for policy = \"share\"", "remove one of the two");
            100
        }
        (other, _) => {
            let what = format!("recording.policy \"{other}\" is not known");
            table.fault(policy.line, what, "write \"all\", \"none\" or \"share\"");
            100
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
        let (found, _) = read(&mut document.root().section("recording"));
        (found, document.into_faults().len())
    }

    #[test]
    fn all_is_recorded_unless_it_says_otherwise() {
        assert_eq!(parse(""), (Recording::ALL, 0));
        assert_eq!(parse("[recording]\npolicy = \"none\"\n"), (Recording { percent: 0, ..Recording::ALL }, 0));
        let share = parse("[recording]\npolicy = \"share\"\nshare_percent = 20\n");
        assert_eq!(share, (Recording { percent: 20, ..Recording::ALL }, 0));
        for wrong in
            ["policy = \"some\"", "policy = \"share\"", "share_percent = 20", "policy = \"share\"\nshare_percent = 100"]
        {
            let (found, faults) = parse(&format!("[recording]\n{wrong}\n"));
            assert_eq!(found, Recording::ALL, "{wrong}: in doubt all is recorded");
            assert!(faults > 0, "{wrong}");
        }
    }

    #[test]
    fn what_is_blanked_and_how_to_opt_out() {
        let text = "[recording]\nblank_digits = true\nopt_out_key = \"9\"\n";
        let blank_digits = Some(Duration::from_secs(5));
        assert_eq!(parse(text), (Recording { blank_digits, opt_out_key: Some('9'), ..Recording::ALL }, 0));
        let beep = Some(Duration::from_secs(15));
        assert_eq!(parse("[recording]\nbeep_s = 15\n"), (Recording { beep, ..Recording::ALL }, 0));
        let (found, faults) = parse("[recording]\nblank_digits = true\nblank_digits_s = 2\n");
        assert_eq!((found.blank_digits, faults), (Some(Duration::from_secs(2)), 0));
        for wrong in [
            "blank_digits_s = 2",
            "opt_out_key = \"99\"",
            "opt_out_key = \"x\"",
            "blank_digits = true\nblank_digits_s = 61",
            "policy = \"none\"\nopt_out_key = \"9\"",
            "policy = \"none\"\nbeep_s = 15",
            "beep_s = 2",
        ] {
            assert!(parse(&format!("[recording]\n{wrong}\n")).1 > 0, "{wrong}");
        }
    }

    #[test]
    fn a_share_is_that_share_and_the_same_call_is_always_in_it_or_not() {
        let mut random = Random::from_number(8);
        let calls: Vec<CallId> = (0..10_000).map(|n| CallId::new(Wall::from_micros(n), &mut random)).collect();
        let wanted =
            |percent| calls.iter().filter(|call| Recording { percent, ..Recording::ALL }.wants(**call)).count();
        assert_eq!((wanted(0), wanted(100)), (0, 10_000));
        // Three standard deviations: 120.
        assert!((1_880..=2_120).contains(&wanted(20)), "{}", wanted(20));
    }
}
