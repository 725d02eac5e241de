//! What agents have talked before this run: a dialplan that rings who has talked least today asks for it, and one that tells callers
//! how long they will wait.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cdr::{CallKind, Record};
use crate::clock::Wall;
use crate::config::Config;
use crate::dialplan::plan::Plans;
use crate::ids::{AgentNo, HotlineId};
use crate::store::{Reader, Which};

/// No agent's day began longer ago, whatever the zone and its clock changes.
const LONGEST_DAY: Duration = Duration::from_secs(26 * 3_600);

/// No month began longer ago.
const LONGEST_MONTH: Duration = Duration::from_secs(32 * 24 * 3_600);

/// Talks with numbers outside of the last month: who made the call, for which hotline, when it began, and how long they talked. What is
/// of another month the switch leaves out.
pub(super) fn outside_this_month(config: &Config, now: Wall) -> Result<Vec<(AgentNo, HotlineId, Wall, Duration)>> {
    if config.agents_calls.outbound.is_none() {
        return Ok(Vec::new());
    }
    let longest = i64::try_from(LONGEST_MONTH.as_micros()).unwrap_or(i64::MAX);
    let from = Wall::from_micros(now.as_micros().saturating_sub(longest));
    let records = Reader::open(&config.data_directory)
        .and_then(|reader| reader.calls_of(CallKind::Outbound, Which::Ended, Some(from), usize::MAX));
    let talk = |record: &Record| {
        let ms = record.talk_ms? + record.hold_ms?;
        let agent = record.by_agent.as_ref()?.agent.clone();
        Some((agent, record.hotline.clone(), record.offered_at.0, Duration::from_millis(ms)))
    };
    Ok(records.context("cannot read the calls of this month")?.iter().filter_map(talk).collect())
}

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
