//! The day's curve: what came in each hour of the hotlines' own clocks.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::cdr::{Outcome, Record};

/// Calls offered in one hour of the day, over all days of the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Hour {
    /// 0 to 23.
    pub hour: u8,
    pub offered: u64,
    pub answered: u64,
    pub answered_within_target: u64,
    /// Left by their callers, short ones too.
    pub left: u64,
    /// Overflow, rejected, failed.
    pub otherwise: u64,
}

/// All 24, calls or not.
pub(super) fn by_hour<'a>(calls: impl Iterator<Item = (&'a Record, &'a TimeZone)>) -> Vec<Hour> {
    let mut hours: Vec<Hour> = (0..24).map(|hour| Hour { hour, ..Hour::default() }).collect();
    for (record, zone) in calls {
        let Ok(at) = jiff::Timestamp::from_microsecond(record.offered_at.0.as_micros()) else { continue };
        let hour = usize::try_from(at.to_zoned(zone.clone()).hour()).unwrap_or(0);
        let Some(hour) = hours.get_mut(hour) else { continue };
        hour.offered += 1;
        match record.outcome {
            Some(Outcome::Answered) => hour.answered += 1,
            Some(Outcome::Abandoned | Outcome::ShortAbandoned) => hour.left += 1,
            Some(Outcome::Overflow | Outcome::Rejected | Outcome::Failed) => hour.otherwise += 1,
            None => {}
        }
        hour.answered_within_target += u64::from(record.answered_within_target == Some(true));
    }
    hours
}
