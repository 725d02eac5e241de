//! The targeted pool: calls that deserve to be heard for what the facts say of them. For coaching; never for an estimate.

use crate::call::reason::EndedBy;
use crate::cdr::{Outcome, Record, words};

words! {
    /// Why a call is in the targeted pool.
    Why {
        /// A rule was broken that is held against the agent and needs nobody to confirm it.
        RuleFailed "rule_failed",
        /// The agent hung up first.
        HungUpFirst "hung_up_first",
        /// Held longer than [`LONG_HOLD_MS`] in all.
        LongHold "long_hold",
        /// A leg below [`LOW_MOS`].
        LowMos "low_mos",
        /// The caller had called the same hotline shortly before.
        RepeatCaller "repeat_caller",
        Complaint "complaint",
        /// Neither spoke for longer than the rule book allows.
        DeadAir "dead_air",
    }
}

pub const LONG_HOLD_MS: u64 = 120_000;
pub const LOW_MOS: f64 = 3.0;
/// The rule that tells of dead air.
const DEAD_AIR: &str = "R-120";

/// What is known of a call beside its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beside {
    pub repeat_caller: bool,
    pub complaint: bool,
}

/// Every reason that holds, in the order of the list; none for a call that no agent answered.
pub fn reasons(record: &Record, beside: Beside) -> Vec<Why> {
    if record.outcome != Some(Outcome::Answered) {
        return Vec::new();
    }
    let failed = |verdict: &crate::cdr::Verdict| {
        verdict.verdict == "fail" && verdict.evidence["on"] == "agent" && verdict.evidence["confirm"] != true
    };
    let mos = [record.quality.caller.figures.mos, record.quality.agent.figures.mos];
    let holds = [
        (Why::RuleFailed, record.verdicts.iter().any(failed)),
        (Why::HungUpFirst, record.ended_by == Some(EndedBy::Agent)),
        (Why::LongHold, record.hold_ms.is_some_and(|ms| ms > LONG_HOLD_MS)),
        (Why::LowMos, mos.into_iter().flatten().any(|mos| mos < LOW_MOS)),
        (Why::RepeatCaller, beside.repeat_caller),
        (Why::Complaint, beside.complaint),
        (Why::DeadAir, record.verdicts.iter().any(|verdict| verdict.rule == DEAD_AIR && verdict.verdict == "fail")),
    ];
    holds.into_iter().filter_map(|(why, holds)| holds.then_some(why)).collect()
}
