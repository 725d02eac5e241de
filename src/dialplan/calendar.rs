//! Public holidays and the make-up workdays that pay for them, from `calendars/NAME.toml`: `[year.2026]` with `source`,
//! `guess`, `workdays = { "2026-02-14" = "fri" }`, and `[[year.2026.holiday]]` with `name`, `from`, `to`.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};

use super::hours::weekday;
use crate::fault::Fault;
use crate::written::{At, Document, Table, text_of};

/// What a country makes of each day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    pub name: String,
    /// Every year that it tells, and whether that is a guess.
    years: BTreeMap<i16, bool>,
    days: BTreeMap<Date, Day>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Day {
    Holiday(String),
    /// Worked as if it were that weekday.
    Worked(Weekday),
}

/// What a date is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'c> {
    Holiday(&'c str),
    /// The hours of this weekday hold.
    Weekday(Weekday),
}

impl Calendar {
    /// Reads a calendar; with any fault it is not whole.
    pub(super) fn read(name: &str, shown: &str, bytes: &[u8]) -> (Calendar, Vec<Fault>) {
        let text = match text_of(shown, bytes) {
            Ok(text) => text,
            Err(fault) => return (Calendar::default(), vec![fault]),
        };
        let document = Document::parse(shown, text);
        let mut calendar = Calendar { name: name.to_owned(), ..Calendar::default() };
        {
            let mut root = document.root();
            for (year, mut table) in root.named_sections("year") {
                calendar.read_year(&document, &year, &mut table);
            }
        }
        if calendar.years.is_empty() {
            document.fault(1, "no year", "add [year.2026] and its [[year.2026.holiday]]");
        }
        (calendar, document.into_faults())
    }

    fn read_year(&mut self, document: &Document<'_>, year: &At<String>, table: &mut Table<'_>) {
        let guess = table.boolean("guess").is_some_and(|at| at.value);
        let _source = table.string("source");
        let number = year.value.parse().ok().filter(|number| (2000..=2199).contains(number));
        let Some(number) = number else {
            document.fault(year.line, format!("\"{}\" is no year", year.value), "write [year.2026]");
            return table.ask_for_all();
        };
        self.years.insert(number, guess);
        for mut holiday in table.sections("holiday") {
            let (name, from, to) = (
                holiday.required_string("name"),
                holiday.required_string("from").and_then(|at| date(document, &at, number)),
                holiday.required_string("to").and_then(|at| date(document, &at, number)),
            );
            let (Some(name), Some(from), Some(to)) = (name, from, to) else { continue };
            if to.value < from.value {
                document.fault(to.line, format!("\"{}\" ends before it begins", name.value), "write from, then to");
                continue;
            }
            for day in from.value.series(jiff::ToSpan::days(1)).take_while(|day| *day <= to.value) {
                self.set(document, name.line, day, Day::Holiday(name.value.clone()));
            }
        }
        for (day, follows) in table.pairs("workdays").map_or_else(Vec::new, |pairs| pairs.value) {
            let Some(date) = date(document, &day, number) else { continue };
            match weekday(&follows.value) {
                Some(weekday) => self.set(document, day.line, date.value, Day::Worked(weekday)),
                None => document.fault(
                    follows.line,
                    format!("\"{}\" is no weekday", follows.value),
                    "write mon, tue, wed, thu, fri, sat or sun",
                ),
            }
        }
    }

    fn set(&mut self, document: &Document<'_>, line: u32, date: Date, day: Day) {
        if self.days.insert(date, day).is_some() {
            document.fault(line, format!("{date} is told twice"), "a day is one holiday or one make-up workday");
        }
    }

    /// A day of which it tells nothing is the weekday that it is.
    pub fn kind(&self, date: Date) -> Kind<'_> {
        match self.days.get(&date) {
            Some(Day::Holiday(name)) => Kind::Holiday(name),
            Some(Day::Worked(weekday)) => Kind::Weekday(*weekday),
            None => Kind::Weekday(date.weekday()),
        }
    }

    pub fn covers(&self, date: Date) -> bool {
        self.years.contains_key(&date.year())
    }

    /// The year of this date is told, and only guessed.
    pub fn is_guess(&self, date: Date) -> bool {
        self.years.get(&date.year()).is_some_and(|guess| *guess)
    }
}

fn date(document: &Document<'_>, at: &At<String>, year: i16) -> Option<At<Date>> {
    match at.value.parse::<Date>().ok().filter(|date| date.year() == year) {
        Some(date) => Some(At::new(date, at.line)),
        None => {
            let what = format!("\"{}\" is no date of {year}", at.value);
            document.fault(at.line, what, format!("write it as in \"{year}-10-01\""));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_shipped_calendar_tells_the_notice_of_2026() {
        let bytes = include_bytes!("../../dialplans/calendars/cn.toml");
        let (cn, faults) = Calendar::read("cn", "cn.toml", bytes);
        assert_eq!(faults, []);
        assert!(cn.covers(date(2026, 12, 31)) && !cn.is_guess(date(2026, 1, 1)) && cn.is_guess(date(2027, 1, 1)));
        assert!(!cn.covers(date(2028, 1, 1)));
        let kinds = [
            (date(2026, 2, 14), Kind::Weekday(Weekday::Friday)),
            (date(2026, 2, 15), Kind::Holiday("春节")),
            (date(2026, 2, 23), Kind::Holiday("春节")),
            (date(2026, 2, 24), Kind::Weekday(Weekday::Tuesday)),
            (date(2026, 10, 10), Kind::Weekday(Weekday::Wednesday)),
            (date(2026, 10, 11), Kind::Weekday(Weekday::Sunday)),
        ];
        for (date, kind) in kinds {
            assert_eq!(cn.kind(date), kind, "{date}");
        }
        let days = |year| cn.days.iter().filter(|(d, day)| d.year() == year && matches!(day, Day::Holiday(_))).count();
        assert_eq!((days(2026), days(2027)), (33, 13), "the notice's days; the law's thirteen");
        assert!(cn.days.iter().all(|(date, day)| match day {
            Day::Holiday(_) => true,
            Day::Worked(_) => matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday),
        }));
    }

    #[test]
    fn faults_of_a_calendar() {
        let text = "[year.2026]\nworkdays = { \"2026-01-04\" = \"someday\", \"2027-01-01\" = \"mon\", \"2026-01-01\" = \"mon\" }\n\
                    [[year.2026.holiday]]\nname = \"a\"\nfrom = \"2026-01-01\"\nto = \"2026-01-02\"\n\
                    [[year.2026.holiday]]\nname = \"b\"\nfrom = \"2026-03-02\"\nto = \"2026-03-01\"\n\
                    [[year.2026.holiday]]\nname = \"c\"\nfrom = \"2026-02-30\"\n[year.last]\n";
        let (_, mut faults) = Calendar::read("x", "x.toml", text.as_bytes());
        faults.sort();
        let shown: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.line, f.what)).collect();
        assert_eq!(
            shown,
            [
                "2: \"2027-01-01\" is no date of 2026",
                "2: \"someday\" is no weekday",
                "2: 2026-01-01 is told twice",
                "10: \"b\" ends before it begins",
                "11: [[holiday]] has no \"to\"",
                "13: \"2026-02-30\" is no date of 2026",
                "14: \"last\" is no year",
            ]
        );
    }
}
