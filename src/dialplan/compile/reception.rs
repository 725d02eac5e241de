//! Hours, holidays and outages, and where they lead.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::speaker::Speaker;
use super::steps::Ways;
use crate::dialplan::hours::Hours;
use crate::dialplan::plan::Next;
use crate::dialplan::reception::{Callers, Outage, Reception};
use crate::dialplan::schema::callers::{Callers as Written, is_number};
use crate::dialplan::schema::{self, hours as written};
use crate::written::At;

pub(super) fn calendar_path(name: &str) -> String {
    format!("calendars/{name}.toml")
}

impl Ways<'_> {
    pub(super) fn reception(&self, file: &schema::Written, speaker: &mut Speaker<'_, '_>) -> Reception {
        let outage = file.outage.as_ref().map(|outage| Outage {
            active: outage.active,
            then: self.next("outage.then", outage.then.as_ref(), Next::Unavailable),
        });
        let hours = file.hours.as_ref().and_then(|hours| self.hours(hours, &file.time_zone, speaker));
        Reception { outage, hours, callers: self.callers(&file.callers, speaker) }
    }

    fn callers(&self, written: &Written, speaker: &Speaker<'_, '_>) -> Callers {
        let mut first: BTreeSet<String> = written.first.iter().cloned().collect();
        if let Some(At { value: path, line }) = &written.file {
            match speaker.library.file(path) {
                _ if path.starts_with('/') || path.contains("..") => {
                    self.document.fault(*line, "priority.file leads out of the folder", "put it beside the dialplans");
                }
                Some((shown, Ok(bytes))) => first.extend(self.listed(&shown, *line, &bytes)),
                Some((_, Err(e))) => self.document.fault(*line, format!("priority.file: {e}"), "make it readable"),
                None => {
                    let what = format!("priority.file: there is no \"{path}\"");
                    self.document.fault(*line, what, "put it beside the dialplans: a telephone number a line");
                }
            }
        }
        Callers { internal: written.prefixes.clone(), first }
    }

    /// A number a line; what follows it after a space, and lines that begin with #, are for people.
    fn listed(&self, shown: &str, line: u32, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let mut numbers = Vec::new();
        for (number, written) in (1..).zip(text.lines()) {
            let Some(word) = written.split_whitespace().next().filter(|word| !word.starts_with('#')) else { continue };
            if is_number(word) {
                numbers.push(word.to_owned());
            } else {
                let what = format!("{shown}:{number}: \"{word}\" is no telephone number");
                self.document.fault(line, what, "write the digits as the trunk sends them");
            }
        }
        numbers
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
