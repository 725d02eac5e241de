//! The targeted pool: calls that deserve to be heard for what the facts say of them. For coaching; never for an estimate. A person
//! picks them one by one, and those that [`Targeting`] asks for come by themselves.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::call::reason::EndedBy;
use crate::cdr::{Outcome, Record, Verdict, words};
use crate::ids::{AgentNo, CallId};
use crate::qa::whole::Noted;

words! {
    /// Why a call is in the targeted pool.
    Why {
        /// A rule was broken that is held against the agent and needs nobody to confirm it.
        RuleFailed "rule_failed",
        /// The agent hung up first.
        HungUpFirst "hung_up_first",
        /// Held longer in all than [`Targeting::hold_ms`].
        LongHold "long_hold",
        /// A leg below [`Targeting::mos_100`].
        LowMos "low_mos",
        /// The caller had called the same hotline shortly before.
        RepeatCaller "repeat_caller",
        Complaint "complaint",
        /// Neither spoke for longer than the rule book allows.
        DeadAir "dead_air",
    }
}

/// What is asked of a call, and what puts it into the pool by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targeting {
    /// Any of these does; empty: nothing comes by itself.
    pub on: BTreeSet<Why>,
    /// A hold in all beyond this is long, ms.
    pub hold_ms: u64,
    /// A MOS below this is low, in hundredths.
    pub mos_100: u32,
    /// Calls of an agent and month at most that come by themselves.
    pub most: u32,
}

impl Default for Targeting {
    fn default() -> Targeting {
        Targeting { on: BTreeSet::new(), hold_ms: 120_000, mos_100: 300, most: 5 }
    }
}

/// The rule that tells of dead air.
const DEAD_AIR: &str = "R-120";
/// What a call or its note is classed as when somebody complains.
const COMPLAINTS: [&str; 2] = ["complaint", "投诉"];
/// A caller who called the same hotline within so many days calls again.
pub const AGAIN_DAYS: u32 = 7;

/// A call with a reason, and whose it is.
#[derive(Debug, Clone)]
pub struct Deserving {
    pub record: Record,
    pub agent: AgentNo,
    /// In the order of the list, never empty.
    pub why: Vec<Why>,
}

/// What is known of calls beside their records.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    pub noted: BTreeMap<CallId, Noted>,
    /// Calls of somebody who had called shortly before.
    pub again: BTreeSet<CallId>,
}

/// Those that have a reason: the ones with the most first, of equals the latest.
pub fn deserving(records: Vec<Record>, beside: &Beside, targeting: &Targeting) -> Vec<Deserving> {
    let found = records.into_iter().filter_map(|record| {
        let why = reasons(&record, beside, targeting);
        let agent = record.agent.clone().filter(|_| !why.is_empty())?;
        Some(Deserving { record, agent, why })
    });
    let mut found: Vec<Deserving> = found.collect();
    found.sort_by_key(|one| Reverse((one.why.len(), one.record.offered_at)));
    found
}

/// Every reason that holds; none for a call that no agent answered.
fn reasons(record: &Record, beside: &Beside, targeting: &Targeting) -> Vec<Why> {
    if record.outcome != Some(Outcome::Answered) {
        return Vec::new();
    }
    let fails = |verdict: &&Verdict| verdict.verdict == "fail";
    let held_against_the_agent =
        |verdict: &Verdict| verdict.evidence["on"] == "agent" && verdict.evidence["confirm"] != true;
    let mos = [record.quality.caller.figures.mos, record.quality.agent.figures.mos];
    let is_low = |mos: f64| mos * 100.0 < f64::from(targeting.mos_100);
    let noted = beside.noted.get(&record.id).map(|note| note.class.as_str());
    let holds = [
        (Why::RuleFailed, record.verdicts.iter().filter(fails).any(held_against_the_agent)),
        (Why::HungUpFirst, record.ended_by == Some(EndedBy::Agent)),
        (Why::LongHold, record.hold_ms.is_some_and(|ms| ms > targeting.hold_ms)),
        (Why::LowMos, mos.into_iter().flatten().any(is_low)),
        (Why::RepeatCaller, beside.again.contains(&record.id)),
        (Why::Complaint, noted.or(record.class.as_deref()).is_some_and(|class| COMPLAINTS.contains(&class))),
        (Why::DeadAir, record.verdicts.iter().filter(fails).any(|verdict| verdict.rule == DEAD_AIR)),
    ];
    holds.into_iter().filter_map(|(why, holds)| holds.then_some(why)).collect()
}

impl Targeting {
    /// Whether it comes by itself.
    pub fn asks_for(&self, found: &Deserving) -> bool {
        found.why.iter().any(|why| self.on.contains(why))
    }
}
