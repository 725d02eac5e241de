//! How long recordings are kept: by hotline and outcome, the first class that fits.

use std::time::Duration;

use super::Kept;
use crate::cdr::Outcome;
use crate::clock::Wall;
use crate::ids::HotlineId;

/// Without a class that fits and without a default a recording is kept for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    pub days: Option<u32>,
    pub classes: Vec<Class>,
}

/// What is left out fits everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    pub hotline: Option<HotlineId>,
    pub outcome: Option<Outcome>,
    /// `None`: for ever.
    pub days: Option<u32>,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Retention {
    /// Whether this recording may be deleted now: its time is over, counted from the end of the call, and nobody holds it.
    pub fn is_over(&self, kept: &Kept, now: Wall) -> bool {
        let fits = |class: &&Class| {
            class.hotline.as_ref().is_none_or(|hotline| *hotline == kept.hotline)
                && class.outcome.is_none_or(|outcome| Some(outcome) == kept.outcome)
        };
        let days = self.classes.iter().find(fits).map_or(self.days, |class| class.days);
        let Some(days) = days.filter(|_| !kept.held) else { return false };
        let kept_us = i64::try_from((DAY * days).as_micros()).unwrap_or(i64::MAX);
        kept.ended_at.0.as_micros().saturating_add(kept_us) <= now.as_micros()
    }
}
