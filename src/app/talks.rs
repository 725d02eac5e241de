//! What agents have talked before this run: a dialplan that rings who has talked least today asks for it, and one that tells callers
//! how long they will wait.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cdr::Record;
use crate::clock::Wall;
use crate::config::Config;
use crate::dialplan::plan::Plans;
use crate::ids::AgentNo;
use crate::store::Reader;

/// No agent's day began longer ago, whatever the zone and its clock changes.
const LONGEST_DAY: Duration = Duration::from_secs(26 * 3_600);

/// Who had a caller from when to when; whose midnight is when is the agents' business. Nothing if nobody asks: a day's records
/// take their time.
pub(super) fn since_yesterday(config: &Config, plans: &Plans, now: Wall) -> Result<Vec<(AgentNo, Wall, Wall)>> {
    if !plans.look_back() {
        return Ok(Vec::new());
    }
    let longest = i64::try_from(LONGEST_DAY.as_micros()).unwrap_or(i64::MAX);
    let from = Wall::from_micros(now.as_micros().saturating_sub(longest));
    let records = Reader::open(&config.data_directory).and_then(|reader| reader.records_between(None, from, now));
    let records = records.context("cannot read the calls since yesterday")?;
    Ok(records.iter().flat_map(Record::talks).collect())
}
