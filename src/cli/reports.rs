//! `hotline report verify`: whether closed reports are as they were closed, and whether the ledger still gives the same. Reads only.

use std::io::Write;
use std::path::Path;

use anyhow::anyhow;
use serde_json::Value;

use super::Failure;
use crate::clock::Wall;
use crate::qa::whole::differences;
use crate::report::Zones;
use crate::store::Reader;
use crate::store::audit::Chain;
use crate::store::reports::whole;

/// Differences that are shown of one report.
const SHOWN: usize = 20;

/// What people say may change after a report was closed: a score that was objected to, a note that came late.
const OF_PEOPLE: [&str; 2] = ["inspection.", "tally."];

pub(super) fn verify(data: &Path, zones: &Zones, now: Wall, out: &mut dyn Write) -> Result<(), Failure> {
    let reader = Reader::open(data).map_err(anyhow::Error::from)?;
    let (rows, head) = match reader.report_chain().map_err(anyhow::Error::from)? {
        Chain::Whole { rows, head } => (rows, head),
        Chain::Broken { n, why } => {
            return Err(Failure::Failed(anyhow!("closed report {n} does not follow: {}", why.text())));
        }
    };
    writeln!(out, "{rows} closed reports, each follows from the one before; note the last one: {rows}:{head}")?;
    let mut wrong = 0;
    for row in reader.all_frozen(usize::MAX).map_err(anyhow::Error::from)?.iter().rev() {
        let text =
            whole(data, row.period, zones, now).and_then(|whole| Ok(whole.text()?)).map_err(anyhow::Error::from)?;
        let [kept, again] = [&row.content, &text].map(|text| serde_json::from_str::<Value>(text));
        let (kept, again) = (kept.map_err(anyhow::Error::from)?, again.map_err(anyhow::Error::from)?);
        let found = differences(&kept, &again, usize::MAX);
        let named = format!("{:>5}  {:<5} {}", row.n, row.period.span().word(), row.period);
        if found.is_empty() {
            writeln!(out, "{named}: computed again, the same")?;
            continue;
        }
        let by_people = |path: &str| OF_PEOPLE.iter().any(|part| path.starts_with(part));
        let measured = found.iter().filter(|(path, ..)| !by_people(path)).count();
        wrong += usize::from(measured > 0);
        writeln!(out, "{named}: computed again, {} places differ", found.len())?;
        for (path, was, is) in found.iter().take(SHOWN) {
            let why = if by_people(path) { "  (people changed it since)" } else { "" };
            writeln!(out, "         {path}: {was}, now {is}{why}")?;
        }
    }
    match wrong {
        0 => Ok(()),
        wrong => Err(Failure::Failed(anyhow!("{wrong} closed reports are not what the ledger gives"))),
    }
}
