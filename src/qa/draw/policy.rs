//! What a period's draw goes by: fixed, as the seed is, before the period begins.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::seed::{Seed, hex};
use crate::dialplan::plan::Plans;
use crate::ids::AgentNo;

/// The rule of who is drawn and how often. Its JSON is fixed together with the seed, so it cannot change in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The rule's version; another rule gets another number. 1: the commitment is to the seed alone, and calls of all classes are
    /// one stratum. 2: the commitment is to the policy too, and a call's class is part of its stratum. 3: some agents have a quota of
    /// their own.
    pub version: u32,
    /// Calls heard of each agent in a month; fewer only if there are fewer. The texts ask for “no fewer than 1–5”: below
    /// `minimum` is a breach, `target` is what is drawn.
    pub minimum: u32,
    pub target: u32,
    /// What is drawn of these agents in the place of `target`: what their hotlines ask for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quotas: BTreeMap<AgentNo, u32>,
    /// Talk below this tells nothing, ms.
    pub min_talk_ms: u64,
    /// Shifts by the hotline's own clock: name and beginning (minutes since midnight), in the order of the day. A time before the
    /// first belongs to the last.
    pub shifts: Vec<(String, u16)>,
    /// A caller who called the same hotline this long before is a repeat caller, days.
    pub repeat_days: u32,
    /// What a call of a stratum weighs against 1; by one value of it, as in `class=complaint`.
    pub weights: BTreeMap<String, u32>,
    /// One in so many picks is scored again by another person who is not told; 0: none.
    pub second_one_in: u32,
    /// Working days after the month within which its calls are to be scored.
    #[serde(default = "due_days")]
    pub due_days: u32,
    /// Agents who are not scored.
    pub unscored: BTreeSet<AgentNo>,
}

/// SHA-256 of a policy's JSON. Of the text and not of the policy: a field that comes later changes no hash that was told.
pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// A weight beyond this would leave nothing for the others.
pub const HEAVIEST: u32 = 100;

/// Longest time for scoring, in working days.
pub const LONGEST_DUE: u32 = 60;

/// Also of months that were committed to before there was a choice.
fn due_days() -> u32 {
    5
}

/// Most calls of one agent in a period.
pub const MOST: u32 = 100;

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            version: 2,
            minimum: 1,
            target: 5,
            quotas: BTreeMap::new(),
            min_talk_ms: 20_000,
            shifts: vec![("day".to_owned(), 8 * 60), ("night".to_owned(), 20 * 60)],
            repeat_days: 7,
            weights: BTreeMap::new(),
            second_one_in: 10,
            due_days: due_days(),
            unscored: BTreeSet::new(),
        }
    }
}

impl Policy {
    /// What is told before the period: SHA-256 of the seed, followed, from version 2 on, by the 32 octets of [`digest`]. `text`: the
    /// policy's JSON as it is kept.
    pub fn commitment(&self, text: &str, seed: &Seed) -> String {
        let mut hash = Sha256::new_with_prefix(seed.bytes());
        if self.is_committed_to() {
            hash.update(digest(text));
        }
        hex(&hash.finalize())
    }

    /// This policy, with the quotas that hotlines set for their agents. Of an agent of several hotlines the largest counts.
    pub fn with_quotas_of(mut self, plans: &Plans) -> Policy {
        for hotline in &plans.hotlines {
            let Some(quota) = hotline.after.quota else { continue };
            for agent in hotline.everybody() {
                let of_agent = self.quotas.entry(agent).or_insert(quota);
                *of_agent = quota.max(*of_agent);
            }
        }
        if !self.quotas.is_empty() {
            self.version = 3;
        }
        self
    }

    /// Calls of this agent that are drawn in a month.
    pub fn target_of(&self, agent: &AgentNo) -> u32 {
        self.quotas.get(agent).copied().unwrap_or(self.target)
    }

    /// Heard calls of this agent below which a month is a breach.
    pub fn minimum_of(&self, agent: &AgentNo) -> u32 {
        self.minimum.min(self.target_of(agent))
    }

    pub fn is_committed_to(&self) -> bool {
        self.version >= 2
    }

    /// The class that counts; `-`: there is none, or classes do not.
    pub fn class<'c>(&self, class: Option<&'c str>) -> &'c str {
        class.filter(|class| self.version >= 2 && !class.is_empty()).unwrap_or("-")
    }

    /// The shift of this minute of the day; `-` if there are no shifts.
    pub fn shift(&self, minute: u16) -> &str {
        let begun = self.shifts.iter().rev().find(|(_, begins)| *begins <= minute);
        begun.or_else(|| self.shifts.last()).map_or("-", |(name, _)| name)
    }

    /// The product of the weights of the values of a stratum, from 1 to [`HEAVIEST`].
    pub fn weight(&self, values: &[(&str, &str)]) -> u32 {
        let of = |(name, value): &(&str, &str)| self.weights.get(&format!("{name}={value}")).copied().unwrap_or(1);
        values.iter().map(of).fold(1, |all: u32, weight| all.saturating_mul(weight)).clamp(1, HEAVIEST)
    }

    /// How many calls of this agent are to be drawn when `passed` of `whole` (microseconds) are over.
    pub fn due(&self, agent: &AgentNo, passed: i64, whole: i64) -> u32 {
        let (passed, whole) = (i128::from(passed.clamp(0, whole)), i128::from(whole.max(1)));
        u32::try_from(i128::from(self.target_of(agent).min(MOST)) * passed / whole).unwrap_or(0)
    }
}
