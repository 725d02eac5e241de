//! What a period's draw goes by: fixed, as the seed is, before the period begins.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::AgentNo;

/// The rule of who is drawn and how often. Its JSON stands beside the seed's commitment, so it cannot change in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The rule's version; another rule gets another number.
    pub version: u32,
    /// Calls heard of each agent in a month; fewer only if there are fewer. The texts ask for “no fewer than 1–5”: below
    /// `minimum` is a breach, `target` is what is drawn.
    pub minimum: u32,
    pub target: u32,
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
            version: 1,
            minimum: 1,
            target: 5,
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
    /// SHA-256 of its JSON, in hex: told with the seed's commitment.
    pub fn digest(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(text).iter().map(|octet| format!("{octet:02x}")).collect()
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

    /// How many calls of an agent are to be drawn when `passed` of `whole` (microseconds) are over.
    pub fn due(&self, passed: i64, whole: i64) -> u32 {
        let (passed, whole) = (i128::from(passed.clamp(0, whole)), i128::from(whole.max(1)));
        u32::try_from(i128::from(self.target.min(MOST)) * passed / whole).unwrap_or(0)
    }
}
