//! Deadlines in working days: by the hotline's calendar, with its holidays and make-up workdays.

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::clock::Wall;
use crate::dialplan::calendar::{Calendar, Kind};

/// Monday to Friday, but for holidays; make-up workdays too. Without a calendar: Monday to Friday.
pub fn is_worked(calendar: Option<&Calendar>, date: Date) -> bool {
    let weekday = match calendar.map(|calendar| calendar.kind(date)) {
        Some(Kind::Holiday(_)) => return false,
        Some(Kind::Weekday(weekday)) => weekday,
        None => date.weekday(),
    };
    !matches!(weekday, Weekday::Saturday | Weekday::Sunday)
}

/// The end (midnight in `zone`) of the `days`-th working day after the day of `from`. `None`: out of the calendar's range.
pub fn after(from: Wall, days: u32, calendar: Option<&Calendar>, zone: &TimeZone) -> Option<Wall> {
    let from = jiff::Timestamp::from_microsecond(from.as_micros()).ok()?;
    let mut date = from.to_zoned(zone.clone()).date();
    let mut left = days.min(LONGEST);
    while left > 0 {
        date = date.checked_add(1.day()).ok()?;
        left -= u32::from(is_worked(calendar, date));
    }
    let end = date.checked_add(1.day()).ok()?.to_zoned(zone.clone()).ok()?;
    Some(Wall::from_micros(end.timestamp().as_microsecond()))
}

/// No deadline is longer, in working days.
const LONGEST: u32 = 250;
