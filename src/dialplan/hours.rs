//! Opening hours: what the wall of the hotline's own time zone shows at an instant, held against the spans of the week, of the
//! season, and against the calendar. Days and clock changes need no case of their own: a span is compared with the time that
//! a clock on the wall there shows.

use std::fmt;
use std::sync::Arc;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::calendar::{Calendar, Kind};
use super::plan::Next;
use crate::clock::Wall;

pub(super) const DAY: u16 = 24 * 60;

/// `[hours]`.
#[derive(Debug, Clone)]
pub struct Hours {
    pub(super) zone: TimeZone,
    /// Of the days that belong to no season.
    pub open: Week,
    pub seasons: Vec<Season>,
    pub calendar: Option<Arc<Calendar>>,
    pub closed: Next,
    pub holiday: Next,
}

/// `[[hours.season]]`: another week, from one day of the year to another, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Season {
    pub from: DayOfYear,
    pub to: DayOfYear,
    pub open: Week,
}

/// The spans of a week in which there is somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Week(pub Vec<Span>);

/// The same hours on some weekdays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// From Monday.
    days: [bool; 7],
    /// Minutes of the day, `from` included, `to` not; beyond 24 hours it ends on the next day.
    from: u16,
    to: u16,
    /// As written.
    pub text: String,
}

/// A day that comes every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayOfYear {
    pub month: i8,
    pub day: i8,
}

/// Whether a call finds somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening<'h> {
    Open,
    Closed,
    Holiday(&'h str),
}

impl Hours {
    pub fn at(&self, wall: Wall) -> Opening<'_> {
        let Some((today, minute)) = self.local(wall) else { return Opening::Open };
        let yesterday = today.saturating_sub(1.day());
        if self.is_open_on(today, minute) || self.is_open_on(yesterday, minute + DAY) {
            return Opening::Open;
        }
        match self.kind(today) {
            Kind::Holiday(name) => Opening::Holiday(name),
            Kind::Weekday(_) => Opening::Closed,
        }
    }

    /// The calendar's name, if it says nothing of the year in which this is.
    pub fn uncovered(&self, wall: Wall) -> Option<&str> {
        let (today, _) = self.local(wall)?;
        self.calendar.as_ref().filter(|calendar| !calendar.covers(today)).map(|calendar| calendar.name.as_str())
    }

    /// The calendar's name, if it only guesses the year in which this is.
    pub fn guessed(&self, wall: Wall) -> Option<&str> {
        let (today, _) = self.local(wall)?;
        self.calendar.as_ref().filter(|calendar| calendar.is_guess(today)).map(|calendar| calendar.name.as_str())
    }

    /// Date and minute of the day on the wall there. `None`: beyond the year 9999.
    pub fn local(&self, wall: Wall) -> Option<(Date, u16)> {
        let there = Timestamp::from_microsecond(wall.as_micros()).ok()?.to_zoned(self.zone.clone()).datetime();
        Some((there.date(), u16::try_from(there.hour()).ok()? * 60 + u16::try_from(there.minute()).ok()?))
    }

    /// The week that holds on that day.
    pub fn week(&self, date: Date) -> &Week {
        let day = DayOfYear { month: date.month(), day: date.day() };
        let season = self.seasons.iter().find(|season| season.holds(day));
        season.map_or(&self.open, |season| &season.open)
    }

    fn kind(&self, date: Date) -> Kind<'_> {
        self.calendar.as_ref().map_or_else(|| Kind::Weekday(date.weekday()), |calendar| calendar.kind(date))
    }

    /// Whether a span that begins on that day holds so many minutes after its midnight.
    fn is_open_on(&self, date: Date, minute: u16) -> bool {
        match self.kind(date) {
            Kind::Holiday(_) => false,
            Kind::Weekday(weekday) => self.week(date).0.iter().any(|span| span.holds(weekday, minute)),
        }
    }
}

impl Season {
    fn holds(&self, day: DayOfYear) -> bool {
        if self.from <= self.to {
            (self.from..=self.to).contains(&day)
        } else {
            // Over the turn of the year.
            day >= self.from || day <= self.to
        }
    }

    /// Some day belongs to both.
    pub(super) fn overlaps(&self, other: &Season) -> bool {
        self.holds(other.from) || other.holds(self.from)
    }
}

impl Week {
    /// Whether a span holds at that minute of that day, also one that began the day before.
    pub(super) fn holds(&self, date: Date, minute: u16) -> bool {
        self.began_on(date, minute) || self.began_on(date.saturating_sub(1.day()), minute + DAY)
    }

    /// Whether a span that began on that day holds so many minutes after its midnight.
    pub(super) fn began_on(&self, date: Date, minute: u16) -> bool {
        self.0.iter().any(|span| span.holds(date.weekday(), minute))
    }

    /// The first pair of spans that share a minute.
    pub(super) fn overlap(&self) -> Option<(usize, usize)> {
        const WEEK: u32 = 7 * DAY as u32;
        let mut taken: Vec<(u32, u32, usize)> = Vec::new();
        for (number, span) in self.0.iter().enumerate() {
            for day in (0..7u32).filter(|day| span.days[*day as usize]) {
                let (from, to) =
                    (day * u32::from(DAY) + u32::from(span.from), day * u32::from(DAY) + u32::from(span.to));
                taken.push((from, to.min(WEEK), number));
                if to > WEEK {
                    taken.push((0, to - WEEK, number));
                }
            }
        }
        taken.sort_unstable();
        taken.windows(2).find(|pair| pair[1].0 < pair[0].1).map(|pair| (pair[0].2, pair[1].2))
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("never");
        }
        let texts: Vec<&str> = self.0.iter().map(|span| span.text.as_str()).collect();
        f.write_str(&texts.join(", "))
    }
}

impl fmt::Display for DayOfYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl Span {
    fn holds(&self, weekday: Weekday, minute: u16) -> bool {
        self.days[index(weekday)] && (self.from..self.to).contains(&minute)
    }

    /// `mon-fri 09:00-12:00`, `sat,sun 10:00-16:00`, `daily 22:00-06:00`; `Err`: the hint.
    pub(crate) fn parse(text: &str) -> Result<Span, &'static str> {
        const FORM: &str = "write it as in \"mon-fri 09:00-12:00\", \"sat,sun 10:00-16:00\", \"daily 00:00-24:00\"";
        let (days, hours) = text.trim().split_once(' ').ok_or(FORM)?;
        let days = weekdays(days).ok_or(FORM)?;
        let (from, to) = hours.trim().split_once('-').ok_or(FORM)?;
        let (from, mut to) = (minute(from).ok_or(FORM)?, minute(to).ok_or(FORM)?);
        if from == DAY || from == to {
            return Err("a span begins before it ends; the whole day is 00:00-24:00");
        }
        if to < from {
            to += DAY;
        }
        Ok(Span { days, from, to, text: text.trim().to_owned() })
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.len() == 2 && text.is_ascii());
    let (hour, minute) = (number(hour)?, number(minute)?);
    let at = hour * 60 + minute;
    (minute < 60 && at <= DAY).then_some(at)
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

pub(super) fn weekday(word: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(name, _)| *name == word).map(|(_, weekday)| *weekday)
}

fn index(weekday: Weekday) -> usize {
    WEEKDAYS.iter().position(|(_, known)| *known == weekday).unwrap_or_default()
}

/// `daily`, `mon`, `mon-fri`, `sat-mon`, and such with commas.
fn weekdays(text: &str) -> Option<[bool; 7]> {
    if text == "daily" {
        return Some([true; 7]);
    }
    let mut days = [false; 7];
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (index(weekday(from)?), index(weekday(to)?));
        (from..=if to < from { to + 7 } else { to }).for_each(|day| days[day % 7] = true);
    }
    Some(days)
}

impl DayOfYear {
    /// `05-01`.
    pub(super) fn parse(text: &str) -> Option<DayOfYear> {
        // A leap year: the 29th of February is a day.
        let date: Date = format!("2000-{text}").parse().ok().filter(|_| text.len() == 5)?;
        Some(DayOfYear { month: date.month(), day: date.day() })
    }
}

#[cfg(test)]
mod tests;
