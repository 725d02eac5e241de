//! Hours, holidays and outages, and where they lead.

use jiff::tz::TimeZone;

use super::speaker::Speaker;
use super::steps::Ways;
use crate::dialplan::hours::Hours;
use crate::dialplan::plan::Next;
use crate::dialplan::reception::{Outage, Reception};
use crate::dialplan::schema::{Written, hours as written};
use crate::written::At;

pub(super) fn calendar_path(name: &str) -> String {
    format!("calendars/{name}.toml")
}

impl Ways<'_> {
    pub(super) fn reception(&self, file: &Written, speaker: &mut Speaker<'_, '_>) -> Reception {
        let outage = file.outage.as_ref().map(|outage| Outage {
            active: outage.active,
            then: self.next("outage.then", outage.then.as_ref(), Next::Unavailable),
        });
        Reception { outage, hours: file.hours.as_ref().and_then(|hours| self.hours(hours, &file.time_zone, speaker)) }
    }

    /// `None`: the time zone has its fault.
    fn hours(&self, hours: &written::Hours, zone: &str, speaker: &mut Speaker<'_, '_>) -> Option<Hours> {
        let closed = self.next("hours.closed", hours.closed.as_ref(), Next::Unavailable);
        let holiday = self.next("hours.holiday", hours.holiday.as_ref(), closed.clone());
        let mut calendar = None;
        if let Some(At { value: name, line }) = &hours.holidays {
            // It becomes a part of a path.
            let good = (1..=64).contains(&name.len())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            let found = good.then(|| speaker.library.calendar(name, &calendar_path(name)).ok()).flatten();
            match found {
                Some(found) => calendar = found,
                None => self.document.fault(
                    *line,
                    format!("hours.holidays: there is no calendar \"{name}\""),
                    "write \"cn\", or make calendars/NAME.toml beside the dialplans",
                ),
            }
        }
        Some(Hours {
            zone: TimeZone::get(zone).ok()?,
            open: hours.open.clone(),
            seasons: hours.seasons.clone(),
            calendar,
            closed,
            holiday,
        })
    }
}
