//! 《800电话信息统计报表》: the calls of a month by day, class and agent. The rule book does not give its columns.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::tables::Table;
use super::{Format, Period, PeriodError, Zones, strokes};
use crate::cdr::{Outcome, Record};
use crate::ids::HotlineId;

/// The class of a call that nobody has classed.
pub const UNCLASSED: &str = "-";

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tally {
    pub period: Period,
    /// By hotline, day, class and agent.
    pub lines: Vec<Line>,
    /// The sum of all lines: every call of the period that has ended.
    pub calls: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub hotline: HotlineId,
    /// `2026-11-21`, the hotline's own day.
    pub day: String,
    pub class: String,
    /// The first who answered; null: nobody did.
    pub agent: Option<String>,
    #[serde(flatten)]
    pub sums: Sums,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sums {
    pub calls: u64,
    /// Within `max_rings`, and later.
    pub in_time: u64,
    pub late: u64,
    /// The caller left first.
    pub left: u64,
    /// Handed on to another agent or to a target.
    pub transferred: u64,
    pub talk_ms: u64,
}

impl Sums {
    pub(super) const COLUMNS: [&str; 7] =
        ["calls", "within max_rings", "late", "left", "transferred", "talk minutes", "tally"];

    pub(super) fn cells(self) -> Vec<String> {
        let Sums { calls, in_time, late, left, transferred, talk_ms } = self;
        let minutes = format!("{}.{}", talk_ms / 60_000, talk_ms % 60_000 / 6_000);
        let counts = [calls, in_time, late, left, transferred].map(|n| n.to_string());
        counts.into_iter().chain([minutes, strokes(calls)]).collect()
    }

    fn add(&mut self, record: &Record) {
        self.calls += 1;
        self.in_time += u64::from(record.answered_within_target == Some(true));
        self.late += u64::from(record.answered_within_target == Some(false));
        self.left += u64::from(matches!(record.outcome, Some(Outcome::Abandoned | Outcome::ShortAbandoned)));
        self.transferred += u64::from(record.outcome == Some(Outcome::Answered) && was_handed_on(record));
        self.talk_ms += record.talk_ms.unwrap_or(0);
    }
}

/// Somebody had the caller after another one, other than by staying when the agent left the talk of three.
fn was_handed_on(record: &Record) -> bool {
    let had = record.segments.len() + record.target_segments.len();
    let begins: Vec<Option<u64>> = record.segments.iter().map(|segment| segment.from_ms).collect();
    let targets = record.target_segments.iter().map(|segment| segment.from_ms);
    let begins: Vec<Option<u64>> = begins.into_iter().chain(targets).collect();
    let stayed = record.added.iter().filter(|guest| guest.to_ms.is_some() && begins.contains(&guest.to_ms)).count();
    had.saturating_sub(stayed) > 1
}

/// Ended calls by class; `None`: none of them has one.
pub(super) fn by_class(records: &[&Record]) -> Option<BTreeMap<String, Sums>> {
    let mut classes: BTreeMap<String, Sums> = BTreeMap::new();
    for record in records.iter().filter(|record| record.outcome.is_some()) {
        classes.entry(class(record)).or_default().add(record);
    }
    classes.keys().any(|class| class != UNCLASSED).then_some(classes)
}

fn class(record: &Record) -> String {
    record.class.clone().unwrap_or_else(|| UNCLASSED.to_owned())
}

impl Tally {
    /// Of the records those count that have ended and were offered in the period, in their hotline's zone.
    pub fn new(period: Period, zones: &Zones, records: &[Record]) -> Result<Tally, PeriodError> {
        let mut lines: BTreeMap<(HotlineId, String, String, Option<String>), Sums> = BTreeMap::new();
        let mut calls = 0;
        for record in records.iter().filter(|record| record.outcome.is_some()) {
            let zone = zones.of(&record.hotline);
            let (from, to) = period.bounds(zone)?;
            if !(from..to).contains(&record.offered_at.0) {
                continue;
            }
            let day = jiff::Timestamp::from_microsecond(record.offered_at.0.as_micros()).unwrap_or_default();
            let day = day.to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string();
            let class = class(record);
            let agent = record.agent.as_ref().map(ToString::to_string);
            lines.entry((record.hotline.clone(), day, class, agent)).or_default().add(record);
            calls += 1;
        }
        let line = |((hotline, day, class, agent), sums)| Line { hotline, day, class, agent, sums };
        Ok(Tally { period, lines: lines.into_iter().map(line).collect(), calls })
    }

    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Json => {
                serde_json::to_writer(&mut *out, self)?;
                writeln!(out)
            }
            Format::Csv => self.table().csv(&self.period.to_string(), out),
            Format::Html => self.table().html(out),
            Format::Text => {
                writeln!(out, "Tally of calls for {}", self.period)?;
                self.table().text(out)?;
                writeln!(out, "\n{} calls", self.calls)
            }
        }
    }

    fn table(&self) -> Table {
        let columns = ["hotline", "day", "class", "agent"].into_iter().chain(Sums::COLUMNS).collect();
        let row = |line: &Line| {
            let agent = line.agent.clone().unwrap_or_else(|| UNCLASSED.to_owned());
            let mut row = vec![line.hotline.to_string(), line.day.clone(), line.class.clone(), agent];
            row.extend(line.sums.cells());
            row
        };
        Table { name: "tally", columns, rows: self.lines.iter().map(row).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::fact::{ClassedBy, What};
    use crate::call::reason::{EndedBy, Reason};
    use crate::ledger::story::{self, MORNING, Story};
    use crate::report::Span;

    #[test]
    fn the_sum_of_the_strokes_is_the_number_of_calls() {
        let classed = |class: &str| What::Classed { class: class.to_owned(), by: ClassedBy::Agent };
        let talk = |seed| Story::talking(seed).at(5_000, classed("技术质量"));
        let ended = |story: Story| story.ended(65_001, Reason::CallerHungUp, EndedBy::Caller).facts();
        let left = Story::new(9).at(1_000, What::Ring).ended(20_000, Reason::CallerCancelled, EndedBy::Caller).facts();
        let live = Story::new(10).facts();
        let mut calls: Vec<_> = (1..=6).map(|seed| ended(talk(seed))).collect();
        calls.extend([left, live]);
        let records: Vec<Record> = calls.iter().map(|facts| Record::from_facts(facts).expect("a call")).collect();
        let zones = Zones::from_plans(&story::plans()).expect("zones");
        let period = Period::current(Span::Month, MORNING, &zones.otherwise).expect("a month");
        let tally = Tally::new(period, &zones, &records).expect("a tally");
        assert_eq!((tally.calls, tally.lines.len()), (7, 2));
        assert_eq!(tally.lines.iter().map(|line| line.sums.calls).sum::<u64>(), tally.calls);
        let line = &tally.lines[1];
        assert_eq!((line.class.as_str(), line.agent.as_deref(), line.sums.calls), ("技术质量", Some("8"), 6));
        assert_eq!((line.sums.in_time, line.sums.late, line.sums.talk_ms), (6, 0, 6 * 61_001));
        assert_eq!((tally.lines[0].agent.as_deref(), tally.lines[0].sums.left), (None, 1));
        let written = |format| {
            let mut out = Vec::new();
            tally.write(format, &mut out).expect("written");
            String::from_utf8(out).expect("text")
        };
        assert!(written(Format::Text).contains("正一") && written(Format::Text).contains("7 calls"));
        let csv = written(Format::Csv);
        assert!(csv.contains("2026-11,property,2026-11-21,技术质量,8,6,6,0,0,0,6.1,正一\r\n"), "{csv}");
        assert!(written(Format::Json).contains("\"class\":\"技术质量\""));
    }
}
