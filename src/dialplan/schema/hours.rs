//! `[hours]`, `[[hours.season]]` and `[outage]` as written.

use crate::dialplan::hours::{DayOfYear, Season, Span, Week};
use crate::written::{At, Table};

#[derive(Debug)]
pub(in crate::dialplan) struct Hours {
    pub(in crate::dialplan) open: Week,
    pub(in crate::dialplan) seasons: Vec<Season>,
    pub(in crate::dialplan) holidays: Option<At<String>>,
    pub(in crate::dialplan) closed: Option<At<String>>,
    pub(in crate::dialplan) holiday: Option<At<String>>,
}

#[derive(Debug)]
pub(in crate::dialplan) struct Outage {
    pub(in crate::dialplan) active: bool,
    pub(in crate::dialplan) then: Option<At<String>>,
}

/// `None`: the file has no `[hours]`.
pub(super) fn hours(mut table: Table<'_>) -> Option<Hours> {
    let present = table.is_present();
    let open = if present { table.required_strings("open") } else { table.strings("open") };
    let open = week(&table, "hours.open", open);
    let mut seasons: Vec<Season> = Vec::new();
    for mut written in table.sections("season") {
        let line = written.line();
        let Some(season) = season(&mut written) else { continue };
        if let Some(other) = seasons.iter().find(|other| other.overlaps(&season)) {
            let what = format!("this season overlaps that from {} to {}", other.from, other.to);
            written.fault(line, what, "a day belongs to one season; both ends are included");
        }
        seasons.push(season);
    }
    let hours = Hours {
        open,
        seasons,
        holidays: table.string("holidays"),
        closed: table.string("closed"),
        holiday: table.string("holiday"),
    };
    if let (Some(holiday), None) = (&hours.holiday, &hours.holidays) {
        let hint = "add holidays = \"cn\", the name of a calendar";
        table.fault(holiday.line, "hours.holiday is told, and no holidays are", hint);
    }
    present.then_some(hours)
}

fn season(table: &mut Table<'_>) -> Option<Season> {
    let mut day = |key| {
        let written = table.required_string(key)?;
        let day = DayOfYear::parse(&written.value);
        if day.is_none() {
            let what = format!("season.{key} \"{}\" is no day of the year", written.value);
            table.fault(written.line, what, "write month and day as in \"05-01\"");
        }
        day
    };
    let (from, to) = (day("from"), day("to"));
    // Closed for a season: open = [].
    let written = table.strings("open");
    if written.is_none() {
        table.fault(table.line(), "a season without \"open\"", "add open = [\"mon-fri 09:00-12:00\"]");
    }
    let open = week(table, "season.open", written);
    Some(Season { from: from?, to: to?, open })
}

pub(super) fn week(table: &Table<'_>, key: &str, written: Option<At<Vec<At<String>>>>) -> Week {
    let written = written.map_or_else(Vec::new, |at| at.value);
    let mut week = Week::default();
    let mut lines = Vec::new();
    for one in &written {
        match Span::parse(&one.value) {
            Ok(span) => {
                week.0.push(span);
                lines.push(one.line);
            }
            Err(hint) => table.fault(one.line, format!("{key}: \"{}\" is no span of hours", one.value), hint),
        }
    }
    if let Some((one, other)) = week.overlap() {
        let (first, second) = (one.min(other), one.max(other));
        let what = format!("{key}: \"{}\" overlaps \"{}\"", week.0[second].text, week.0[first].text);
        table.fault(lines[second], what, "an hour stands in one span only");
    }
    week
}

/// `None`: the file has no `[outage]`.
pub(super) fn outage(mut table: Table<'_>) -> Option<Outage> {
    let outage = Outage { active: table.boolean("active").is_some_and(|at| at.value), then: table.string("then") };
    table.is_present().then_some(outage)
}
