//! Who is to be there when: shifts of the week, for ever or from one day to another.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::hours::{DAY, Week};
use super::plan::Hotline;
use super::reception::Shut;
use crate::clock::Wall;
use crate::ids::AgentNo;

/// `[[shift]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    pub agents: Vec<AgentNo>,
    pub hours: Week,
    /// The first and the last day on which it begins.
    pub from: Option<Date>,
    pub to: Option<Date>,
}

impl Shift {
    /// By the clock on the wall of the hotline. What began yesterday may last past midnight.
    fn covers(&self, date: Date, minute: u16) -> bool {
        let began_on = |date: Date, minute| {
            let in_dates = self.from.is_none_or(|from| date >= from) && self.to.is_none_or(|to| date <= to);
            in_dates && self.hours.began_on(date, minute)
        };
        began_on(date, minute) || began_on(date.saturating_sub(1.day()), minute + DAY)
    }
}

impl Hotline {
    /// Whose shifts begin with this minute: they were on none in the minute before.
    pub fn beginning(&self, minute: Wall) -> Vec<&AgentNo> {
        if self.duty.shifts.is_empty() {
            return Vec::new();
        }
        let before = Wall::from_micros(minute.as_micros() - 60_000_000);
        let (now, before) = (self.on_shift(minute), self.on_shift(before));
        now.into_iter().filter(|agent| !before.contains(agent)).collect()
    }

    /// Now, or so soon.
    pub fn is_on_shift(&self, agent: &AgentNo, now: Wall, soon: Duration) -> bool {
        [now, now + soon].into_iter().any(|at| self.on_shift(at).contains(&agent))
    }

    /// Who is on a shift then. On a holiday nobody is.
    pub fn on_shift(&self, at: Wall) -> Vec<&AgentNo> {
        if let Some((Shut::Holiday(_), _)) = self.reception.shut(at) {
            return Vec::new();
        }
        let (Ok(zone), Ok(at)) = (TimeZone::get(&self.time_zone), Timestamp::from_microsecond(at.as_micros())) else {
            return Vec::new();
        };
        let there = at.to_zoned(zone).datetime();
        let minute = u16::try_from(i32::from(there.hour()) * 60 + i32::from(there.minute())).unwrap_or_default();
        let covering = self.duty.shifts.iter().filter(|shift| shift.covers(there.date(), minute));
        covering.flat_map(|shift| &shift.agents).collect()
    }
}
