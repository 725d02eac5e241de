//! Where the hotlines are: a month is that of the first one, a shift each one's own.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::frame::Bounds;
use crate::clock::Wall;
use crate::dialplan::plan::Plans;
use crate::ids::HotlineId;
use crate::report::{Period, PeriodError, Span, Zones};

/// The zones of the hotlines by name, as they go through the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    zones: BTreeMap<HotlineId, String>,
    /// Of months, and of hotlines that are configured no more.
    first: String,
}

impl Places {
    pub fn of(plans: &Plans) -> Places {
        let zones: BTreeMap<HotlineId, String> =
            plans.hotlines.iter().map(|hotline| (hotline.id.clone(), hotline.time_zone.clone())).collect();
        let first = plans.hotlines.first().map_or_else(|| "UTC".to_owned(), |hotline| hotline.time_zone.clone());
        Places { zones, first }
    }

    pub fn zones(&self) -> Result<Zones, PeriodError> {
        let by_hotline = self.zones.iter().map(|(hotline, name)| Ok((hotline.clone(), TimeZone::get(name)?)));
        Ok(Zones {
            by_hotline: by_hotline.collect::<Result<_, PeriodError>>()?,
            otherwise: TimeZone::get(&self.first)?,
        })
    }
}

/// The bounds of a month as a draw takes them. `month`: `2026-11`.
pub fn bounds(zones: &Zones, month: &str, now: Wall) -> Result<Bounds, PeriodError> {
    let first: Date = format!("{month}-01").parse()?;
    let (from, to) = Period::holding(Span::Month, first)?.bounds(&zones.otherwise)?;
    // When its seed was committed is known to the store, and filled in there.
    Ok(Bounds { period: month.to_owned(), from, to, now, cut: None, committed: from })
}
