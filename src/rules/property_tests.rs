//! What must hold of every verdict, whatever the call.

use super::golden_tests::golden;
use super::*;
use crate::call::fact::{Fact, RecordingStatus, What};
use crate::call::reason::{EndedBy, Reason};
use crate::cdr::Verdict;
use crate::clock::Stamp;
use crate::ids::{Random, Side};

fn verdicts(facts: &[Fact]) -> Vec<Verdict> {
    Case::of(facts).expect("a call").record(&Pack::built_in()).verdicts
}

/// Verdict, blame, figures and times, without the facts' numbers.
fn said(facts: &[Fact]) -> Vec<Verdict> {
    let mut verdicts = verdicts(facts);
    for verdict in &mut verdicts {
        if let Some(evidence) = verdict.evidence.as_object_mut() {
            evidence.remove("facts");
        }
    }
    verdicts
}

/// Facts of one machine begin and end one thing: their order is their meaning. Others may be written in any order, for
/// a receive stamp can be older than what was written before.
fn free(fact: &Fact) -> bool {
    matches!(
        fact.what,
        What::MediaArrived { .. }
            | What::Signal(_)
            | What::Acknowledged
            | What::RecordingStarted { .. }
            | What::AgentRinging { .. }
    )
}

#[test]
fn verdicts_do_not_depend_on_the_order_in_which_facts_are_read() {
    let mut random = Random::from_number(7);
    for call in golden() {
        let expected = verdicts(&call.facts);
        for _ in 0..20 {
            let mut facts = call.facts.clone();
            for i in (1..facts.len()).rev() {
                facts.swap(i, random.below(u32::try_from(i).unwrap() + 1) as usize);
            }
            assert_eq!(verdicts(&facts), expected, "{}", call.name);
        }
    }
}

#[test]
fn verdicts_do_not_depend_on_the_order_in_which_facts_were_written_but_on_their_stamps() {
    let mut random = Random::from_number(8);
    for call in golden() {
        let expected = said(&call.facts);
        for _ in 0..20 {
            let mut facts = call.facts.clone();
            for _ in 0..30 {
                let Some(pairs) = facts.len().checked_sub(2).filter(|pairs| *pairs > 0) else { break };
                let i = 1 + random.below(u32::try_from(pairs).unwrap()) as usize;
                let ended = |fact: &Fact| matches!(fact.what, What::Ended { .. });
                let either = free(&facts[i]) || free(&facts[i + 1]);
                if either && !ended(&facts[i]) && !ended(&facts[i + 1]) {
                    facts.swap(i, i + 1);
                }
            }
            for (n, fact) in (0..).zip(&mut facts) {
                fact.n = n;
            }
            assert_eq!(said(&facts), expected, "{}", call.name);
        }
    }
}

/// Wherever a crash cuts a call, recovery closes it with the stamps of what was on disk.
#[test]
fn a_crash_never_makes_a_failure() {
    for call in golden() {
        for cut in 1..call.facts.len() {
            let mut facts = call.facts[..cut].to_vec();
            if facts.iter().any(|fact| matches!(fact.what, What::Ended { .. })) {
                continue;
            }
            let last = facts[cut - 1].clone();
            let crash = [
                What::Ended { reason: Reason::Crash, by: EndedBy::Gateway },
                What::RecordingClosed {
                    status: RecordingStatus::Partial,
                    reason: None,
                    duration_ms: 0,
                    sha256: None,
                    parts: Vec::new(),
                },
                What::Interrupted,
            ];
            facts.extend((last.n + 1..).zip(crash).map(|(n, what)| Fact { n, what, ..last.clone() }));
            let found = verdicts(&facts);
            assert!(found.iter().all(|verdict| verdict.verdict == "unknown"), "{} at {cut}: {found:?}", call.name);
            assert!(found.iter().all(|verdict| verdict.evidence["why"] == "interrupted"));
        }
    }
}

/// Take the caller's packets away: what was booked on an agent for hanging up is booked no more, nor on the caller.
#[test]
fn without_the_callers_sound_no_agent_is_blamed_for_leaving() {
    let mut left = 0;
    for mut call in golden() {
        let last_by_agent = |fact: &Fact| matches!(fact.what, What::Ended { reason: Reason::AgentHungUp, .. });
        if !call.facts.iter().any(last_by_agent) {
            continue;
        }
        left += 1;
        call.facts.retain(|fact| !matches!(fact.what, What::MediaArrived { leg: Side::Caller }));
        for verdict in verdicts(&call.facts) {
            let of_leaving = ["R-195", "R-196", "R-197", "R-199"].contains(&verdict.rule.as_str());
            assert!(!of_leaving || verdict.verdict == "na", "{}: {verdict:?}", call.name);
            if verdict.rule == "R-325" {
                assert_eq!((verdict.verdict.as_str(), &verdict.evidence["on"]), ("fail", &"gateway".into()));
            }
        }
    }
    assert!(left > 3);
}

/// What comes after the seal changes no verdict: metrics and record count the same.
#[test]
fn verdicts_are_final_once_the_call_is_sealed() {
    for call in golden() {
        let expected = verdicts(&call.facts);
        let last = call.facts.last().unwrap();
        let at = Stamp { mono_ns: last.at.mono_ns + 1_000_000, ..last.at };
        let more = [
            What::Ring,
            What::HoldStarted { by: Side::Agent },
            What::MediaLost { leg: Side::Caller },
            What::OneWayAudio { leg: Side::Agent, by: crate::media::OneWayBy::Packets, for_ms: 4_000 },
        ];
        let more = (last.n + 1..).zip(more).map(|(n, what)| Fact { call: last.call, n, at, what });
        let facts: Vec<Fact> = call.facts.iter().cloned().chain(more).collect();
        assert_eq!(verdicts(&facts), expected, "{}", call.name);
    }
}

#[test]
fn a_call_that_is_not_sealed_has_no_verdict() {
    for call in golden() {
        let ended = call.facts.iter().position(|fact| matches!(fact.what, What::Ended { .. })).unwrap();
        let record = Case::of(&call.facts[..ended]).unwrap().record(&Pack::built_in());
        assert_eq!((record.verdicts, record.rule_pack), (Vec::new(), None));
    }
}
