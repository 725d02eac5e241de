//! Reports of a day, a week or a month: computed from call records, never from counters. Pure.

mod agents;
pub mod callbacks;
mod colleagues;
mod duty;
mod figures;
mod format;
mod hours;
pub mod interval;
mod period;
pub mod surveys;
mod tables;
pub mod tally;

pub use agents::{AgentFigures, strokes};
pub use duty::{Duty, OnDuty, Run};
pub use figures::{Figures, ServiceLevels, Share, Summary};
pub use format::{Format, FormatError, Per};
pub use hours::Hour;
pub use period::{Period, PeriodError, Span};

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::Serialize;

use self::callbacks::Callbacks;
use self::surveys::Surveys;
use self::tally::Sums;
use crate::call::presence::AgentFact;
use crate::cdr::Record;
use crate::clock::Wall;
use crate::dialplan::plan::{Hotline, Plans};
use crate::ids::{AgentNo, HotlineId};

/// The time zone of each hotline: a day is the hotline's own day.
#[derive(Debug, Clone)]
pub struct Zones {
    pub by_hotline: BTreeMap<HotlineId, TimeZone>,
    /// For hotlines that are configured no more but have calls in the period.
    pub otherwise: TimeZone,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub period: Period,
    pub hotlines: BTreeMap<HotlineId, Figures>,
    pub total: Figures,
    /// All 24, each in its call's own zone.
    pub hours: Vec<Hour>,
    pub agents: BTreeMap<AgentNo, AgentFigures>,
    /// Of hotlines whose callers were asked.
    pub surveys: BTreeMap<HotlineId, Surveys>,
    /// Of hotlines whose callers were asked after a callback: those stand in none of the figures of offered calls.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub surveys_after_callbacks: BTreeMap<HotlineId, Surveys>,
    /// Ended calls by class; of hotlines where some call has one.
    pub classes: BTreeMap<HotlineId, BTreeMap<String, Sums>>,
    /// Of hotlines with callers who were owed a call in the period.
    pub callbacks: BTreeMap<HotlineId, Callbacks>,
}

/// What a report is made of.
#[derive(Debug, Clone, Default)]
pub struct Material {
    pub records: Vec<Record>,
    /// Of the agents: those of the period in order, and of each agent the last one before.
    pub presence: Vec<AgentFact>,
    pub runs: Vec<Run>,
    /// Callers who were owed a call.
    pub callbacks: Vec<callbacks::Row>,
    /// Records of calls of other kinds than the offered ones: of those nothing counts but the agents' time.
    pub apart: Vec<Record>,
}

impl Zones {
    /// The zones of the plans' hotlines; `otherwise` is that of the first one, UTC if there is none.
    pub fn from_plans(plans: &Plans) -> Result<Zones, PeriodError> {
        let zone = |hotline: &Arc<Hotline>| Ok((hotline.id.clone(), TimeZone::get(&hotline.time_zone)?));
        let by_hotline = plans.hotlines.iter().map(zone).collect::<Result<BTreeMap<_, _>, PeriodError>>()?;
        let first = plans.hotlines.first().and_then(|hotline| by_hotline.get(&hotline.id));
        let otherwise = first.cloned().unwrap_or(TimeZone::UTC);
        Ok(Zones { by_hotline, otherwise })
    }

    pub fn of(&self, hotline: &HotlineId) -> &TimeZone {
        self.by_hotline.get(hotline).unwrap_or(&self.otherwise)
    }

    /// The stretch of time that holds the period in every zone: what to read from the store.
    pub fn span(&self, period: Period) -> Result<(Wall, Wall), PeriodError> {
        let (mut from, mut to) = period.bounds(&self.otherwise)?;
        for zone in self.by_hotline.values() {
            let (start, end) = period.bounds(zone)?;
            from = from.min(start);
            to = to.max(end);
        }
        Ok((from, to))
    }
}

impl Report {
    /// The report of a period; of the records those count that were offered in it, in their hotline's zone. Every hotline
    /// of `zones` has its line, calls or not.
    pub fn new(period: Period, zones: &Zones, material: &Material) -> Result<Report, PeriodError> {
        let mut by_hotline: BTreeMap<&HotlineId, Vec<&Record>> = BTreeMap::new();
        by_hotline.extend(zones.by_hotline.keys().map(|hotline| (hotline, Vec::new())));
        let mut all = Vec::new();
        for record in &material.records {
            let (from, to) = period.bounds(zones.of(&record.hotline))?;
            if (from..to).contains(&record.offered_at.0) {
                by_hotline.entry(&record.hotline).or_default().push(record);
                all.push(record);
            }
        }
        let surveys = surveyed(&by_hotline);
        let classes = by_hotline.iter().filter_map(|(id, calls)| Some(((*id).clone(), tally::by_class(calls)?)));
        let classes = classes.collect();
        let hotlines = by_hotline.into_iter().map(|(hotline, calls)| (hotline.clone(), Figures::of(&calls))).collect();
        // Agents serve hotlines of several zones; their day is that of the first one.
        let duties = duty::duties(&material.presence, &material.runs, period.bounds(&zones.otherwise)?);
        let mut owed: BTreeMap<HotlineId, Vec<&callbacks::Row>> = BTreeMap::new();
        for row in &material.callbacks {
            let (from, to) = period.bounds(zones.of(&row.hotline))?;
            if (from..to).contains(&row.since.0) {
                owed.entry(row.hotline.clone()).or_default().push(row);
            }
        }
        let day = period.bounds(&zones.otherwise)?;
        let in_day = |record: &&Record| (day.0..day.1).contains(&record.offered_at.0);
        let apart: Vec<&Record> = material.apart.iter().filter(in_day).collect();
        let mut back_of: BTreeMap<&HotlineId, Vec<&Record>> = BTreeMap::new();
        for record in apart.iter().filter(|record| record.called_back.is_some()) {
            back_of.entry(&record.hotline).or_default().push(record);
        }
        Ok(Report {
            period,
            hotlines,
            total: Figures::of(&all),
            hours: hours::by_hour(all.iter().map(|record| (*record, zones.of(&record.hotline)))),
            agents: agents::by_agent(&all, &apart, &duties),
            surveys,
            surveys_after_callbacks: surveyed(&back_of),
            classes,
            callbacks: owed.into_iter().map(|(hotline, rows)| (hotline, Callbacks::of(rows))).collect(),
        })
    }
}

fn surveyed(calls: &BTreeMap<&HotlineId, Vec<&Record>>) -> BTreeMap<HotlineId, Surveys> {
    calls.iter().filter_map(|(id, calls)| Some(((*id).clone(), Surveys::of(calls)?))).collect()
}

#[cfg(test)]
mod tests;
