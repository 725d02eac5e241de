//! Until when a drawn call is to have been scored: so many working days after its month. How many was fixed with the month's policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::deadline;
use super::draw::places::bounds;
use super::draw::policy::Policy;
use crate::clock::Wall;
use crate::dialplan::calendar::Calendar;
use crate::dialplan::plan::Plans;
use crate::report::{PeriodError, Zones};

const DAY_US: i64 = 86_400_000_000;

/// By the calendar and the clock of the first hotline, as the months are.
#[derive(Debug, Clone)]
pub struct Due {
    zones: Zones,
    calendar: Option<Arc<Calendar>>,
    /// Month → working days; others have the usual ones.
    days: BTreeMap<String, u32>,
}

impl Due {
    pub fn of(plans: &Plans, days: BTreeMap<String, u32>) -> Result<Due, PeriodError> {
        let hours = plans.hotlines.first().and_then(|hotline| hotline.reception.hours.as_ref());
        let calendar = hours.and_then(|hours| hours.calendar.clone());
        Ok(Due { zones: Zones::from_plans(plans)?, calendar, days })
    }

    /// The end of the last day on which a hearing is in time. One that was given out when the month was over for more than a day
    /// (its last draw is made within that day) counts from then.
    /// `None`: no month, or out of the calendar's range.
    pub fn at(&self, month: &str, made: Wall) -> Option<Wall> {
        let over = bounds(&self.zones, month, made).ok()?.to;
        let from = if made.as_micros() > over.as_micros().saturating_add(DAY_US) {
            made
        } else {
            Wall::from_micros(over.as_micros().saturating_sub(1))
        };
        let days = self.days.get(month).copied().unwrap_or_else(|| Policy::default().due_days);
        deadline::after(from, days, self.calendar.as_deref(), &self.zones.otherwise)
    }

    pub fn is_over(&self, month: &str, made: Wall, now: Wall) -> bool {
        self.at(month, made).is_some_and(|due| now >= due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::story::{self, MORNING};

    fn at(text: &str) -> Wall {
        Wall::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn five_working_days_after_the_month_or_after_it_was_given_out() {
        let due = Due::of(&story::plans(), [("2026-09".to_owned(), 1)].into()).unwrap();
        // November ends on a Monday; Shanghai's midnight is 16:00 of the day before.
        assert_eq!(due.at("2026-11", MORNING), Some(at("2026-12-07T16:00:00Z")));
        assert_eq!(due.at("2026-11", at("2026-12-01T12:00:00Z")), Some(at("2026-12-07T16:00:00Z")), "the last draw");
        assert_eq!(due.at("2026-11", at("2026-12-31T12:00:00Z")), Some(at("2027-01-07T16:00:00Z")));
        assert!(!due.is_over("2026-11", MORNING, at("2026-12-07T15:59:59Z")));
        assert!(due.is_over("2026-11", MORNING, at("2026-12-07T16:00:00Z")));
        assert_eq!(due.at("soon", MORNING), None);
        assert_eq!(due.at("2026-09", at("2026-09-02T00:00:00Z")), Some(at("2026-10-01T16:00:00Z")));
    }
}
