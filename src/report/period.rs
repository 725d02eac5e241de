//! Days, weeks (Monday to Sunday, ISO 8601) and months in a time zone.

use std::fmt;

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

use crate::clock::Wall;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    Day,
    Week,
    Month,
}

impl Span {
    pub const ALL: [Span; 3] = [Span::Day, Span::Week, Span::Month];

    pub fn word(self) -> &'static str {
        match self {
            Span::Day => "day",
            Span::Week => "week",
            Span::Month => "month",
        }
    }

    pub fn parse(word: &str) -> Option<Span> {
        Span::ALL.into_iter().find(|span| span.word() == word)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A period of the calendar; its hours depend on the time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    span: Span,
    first: Date,
}

#[derive(Debug, thiserror::Error)]
#[error("no such date or time zone: {0}")]
pub struct PeriodError(#[from] jiff::Error);

impl Period {
    /// The period that holds `date`.
    pub fn holding(span: Span, date: Date) -> Result<Period, PeriodError> {
        let first = match span {
            Span::Day => date,
            Span::Week => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days())?,
            Span::Month => date.first_of_month(),
        };
        Ok(Period { span, first })
    }

    /// The period that holds the moment `now` in `zone`.
    pub fn current(span: Span, now: Wall, zone: &TimeZone) -> Result<Period, PeriodError> {
        let now = jiff::Timestamp::from_microsecond(now.as_micros())?;
        Period::holding(span, now.to_zoned(zone.clone()).date())
    }

    /// From the first moment up to but not including the last.
    pub fn bounds(self, zone: &TimeZone) -> Result<(Wall, Wall), PeriodError> {
        let start = |date: Date| -> Result<Wall, PeriodError> {
            let midnight = date.to_zoned(zone.clone())?;
            Ok(Wall::from_micros(midnight.timestamp().as_microsecond()))
        };
        Ok((start(self.first)?, start(self.next()?)?))
    }

    pub fn span(self) -> Span {
        self.span
    }

    /// Its first day.
    pub fn first(self) -> Date {
        self.first
    }

    pub fn following(self) -> Result<Period, PeriodError> {
        Period::holding(self.span, self.next()?)
    }

    pub fn preceding(self) -> Result<Period, PeriodError> {
        Period::holding(self.span, self.first.yesterday()?)
    }

    /// What stands for a period that cannot be read.
    pub(crate) fn unknown() -> Period {
        Period { span: Span::Day, first: Date::ZERO }
    }

    fn next(self) -> Result<Date, PeriodError> {
        Ok(self.first.checked_add(match self.span {
            Span::Day => 1.day(),
            Span::Week => 1.week(),
            Span::Month => 1.month(),
        })?)
    }
}

/// `2026-11-21`, `2026-11-16 to 2026-11-22`, `2026-11`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            Span::Day => write!(f, "{}", self.first),
            Span::Week => match self.first.checked_add(6.days()) {
                Ok(last) => write!(f, "{} to {last}", self.first),
                Err(_) => write!(f, "{}", self.first),
            },
            Span::Month => write!(f, "{}", self.first.strftime("%Y-%m")),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
