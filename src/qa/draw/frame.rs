//! Which calls may be drawn, to which agent and stratum each belongs, and why the others may not.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::policy::Policy;
use crate::call::fact::RecordingStatus;
use crate::cdr::{Outcome, Record, words};
use crate::clock::Wall;
use crate::ids::{AgentNo, CallId, HotlineId};

/// What the frame needs to know of an offered call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub call: CallId,
    pub hotline: HotlineId,
    pub offered: Wall,
    /// Ended, and its recording is in.
    pub closed: bool,
    pub outcome: Option<Outcome>,
    /// Whose call it is: see [`whose`].
    pub agent: Option<AgentNo>,
    pub talk_ms: u64,
    pub recording: Recording,
    /// When the recording was removed on purpose.
    pub removed: Option<Wall>,
    /// Stands for the caller's number; `None`: withheld.
    pub caller: Option<[u8; 32]>,
    /// What the call was about, as the record has it: what is noted later could change what was drawn.
    pub class: Option<String>,
}

words! {
    /// What there is to hear of a call.
    Recording {
        Whole "ok",
        Partial "partial",
        None "none",
    }
}

impl Recording {
    pub fn of(record: &Record) -> Recording {
        match record.recording.status {
            RecordingStatus::Ok => Recording::Whole,
            RecordingStatus::Partial => Recording::Partial,
            RecordingStatus::Pending | RecordingStatus::None => Recording::None,
        }
    }
}

words! {
    /// Why a call of the period is not in the frame. The first that fits counts.
    Excluded {
        /// No agent answered it.
        NotAnswered "not_answered",
        /// Offered before the seed was committed: whoever knew the seed could have arranged it.
        BeforeCommitment "before_commitment",
        /// The agent is not scored.
        Unscored "unscored",
        /// Less talk than the policy asks for.
        TooShort "too_short",
        NotRecorded "not_recorded",
        /// A recording with a hole.
        Partial "partial_recording",
        /// The recording was removed before the draw.
        RecordingGone "recording_gone",
    }
}

/// A call that may be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub call: CallId,
    pub agent: AgentNo,
    pub offered: Wall,
    /// `shift/busy/class/repeat`, as in `day/busy/complaint/first`.
    pub stratum: String,
    pub weight: u32,
}

/// The calls of a period up to `cut`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// `2026-11`.
    pub period: String,
    pub from: Wall,
    pub to: Wall,
    /// Calls offered before this are decided; it moves to `to` as the period passes.
    pub cut: Wall,
    /// In the order of time, then id.
    pub candidates: Vec<Candidate>,
    pub excluded: Vec<(CallId, Excluded)>,
}

/// When the period is, and until when its calls are to be looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    pub period: String,
    pub from: Wall,
    pub to: Wall,
    pub now: Wall,
    /// How far a draw that is computed again had come; `None`: as far as calls are closed.
    pub cut: Option<Wall>,
    /// When the seed's hash was told.
    pub committed: Wall,
}

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

impl Frame {
    /// `rows`: the calls of the period in the order of time, and those of [`Policy::repeat_days`] before it (they only tell who
    /// called again). Calls from the first one on that is not closed yet wait for the next draw, so that long ones are not left out.
    pub fn of(policy: &Policy, bounds: &Bounds, rows: &[Row], zones: impl Fn(&HotlineId) -> TimeZone) -> Frame {
        let Bounds { from, to, now, committed, .. } = *bounds;
        let open = rows.iter().filter(|row| !row.closed && row.offered >= from).map(|row| row.offered).min();
        let reached = bounds.cut.unwrap_or(now);
        let cut = open.map_or(reached, |open| open.min(reached)).clamp(from, to.max(from));
        let busy = Busy::of(rows, from, cut);
        let repeat = repeats(policy.repeat_days, rows);
        let mut zone_of: BTreeMap<&HotlineId, TimeZone> = BTreeMap::new();
        let (mut candidates, mut excluded) = (Vec::new(), Vec::new());
        for (row, repeat) in rows.iter().zip(repeat).filter(|(row, _)| (from..cut).contains(&row.offered)) {
            let agent = match eligible(policy, row, committed, now) {
                Ok(agent) => agent,
                Err(why) => {
                    excluded.push((row.call, why));
                    continue;
                }
            };
            let zone = zone_of.entry(&row.hotline).or_insert_with(|| zones(&row.hotline));
            let values = [
                ("shift", policy.shift(minute_of_day(row.offered, zone))),
                ("hour", if busy.is(row) { "busy" } else { "quiet" }),
                ("class", policy.class(row.class.as_deref())),
                ("caller", if repeat { "repeat" } else { "first" }),
            ];
            candidates.push(Candidate {
                call: row.call,
                agent,
                offered: row.offered,
                stratum: values.map(|(_, value)| plain(value)).join("/"),
                weight: policy.weight(&values),
            });
        }
        candidates.sort_by_key(|found| (found.offered, found.call));
        Frame { period: bounds.period.clone(), from, to, cut, candidates, excluded }
    }

    /// How many were left out, by reason; every reason is there.
    pub fn exclusions(&self) -> BTreeMap<Excluded, u64> {
        let mut counts: BTreeMap<Excluded, u64> =
            <Excluded as crate::cdr::Word>::ALL.iter().map(|why| (*why, 0)).collect();
        for (_, why) in &self.excluded {
            *counts.entry(*why).or_default() += 1;
        }
        counts
    }

    /// SHA-256 over the lines `call agent stratum weight`, in order: two frames with the same digest give the same draw.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for found in &self.candidates {
            let Candidate { call, agent, stratum, weight, .. } = found;
            hash.update(format!("{call} {agent} {stratum} {weight}\n"));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// As a part of a stratum's name: without what parts its parts, and the cells of the files that leave the program.
fn plain(value: &str) -> String {
    value.chars().map(|c| if c.is_control() || ['/', ',', '"'].contains(&c) { '_' } else { c }).collect()
}

/// Whose call it is: of several agents that one's who talked longest with the caller, the first of equals.
pub fn whose(record: &Record) -> Option<&AgentNo> {
    let [_, _, ..] = &record.segments[..] else { return record.agent.as_ref() };
    let longest = record.segments.iter().reduce(|found, next| if next.talk_ms > found.talk_ms { next } else { found });
    longest.map(|segment| &segment.agent)
}

fn eligible(policy: &Policy, row: &Row, committed: Wall, now: Wall) -> Result<AgentNo, Excluded> {
    let agent = row.agent.as_ref().filter(|_| row.outcome == Some(Outcome::Answered)).ok_or(Excluded::NotAnswered)?;
    if row.offered < committed {
        return Err(Excluded::BeforeCommitment);
    }
    if policy.unscored.contains(agent) {
        return Err(Excluded::Unscored);
    }
    if row.talk_ms < policy.min_talk_ms {
        return Err(Excluded::TooShort);
    }
    match row.recording {
        Recording::None => return Err(Excluded::NotRecorded),
        Recording::Partial => return Err(Excluded::Partial),
        Recording::Whole => {}
    }
    if row.removed.is_some_and(|removed| removed <= now) {
        return Err(Excluded::RecordingGone);
    }
    Ok(agent.clone())
}

/// Whether each row's caller called the same hotline within the days before it; rows in the order of time.
pub fn repeats(days: u32, rows: &[Row]) -> Vec<bool> {
    let within = i64::from(days).saturating_mul(DAY_US);
    let mut last: HashMap<(&HotlineId, [u8; 32]), Wall> = HashMap::new();
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let before = row.caller.and_then(|caller| last.insert((&row.hotline, caller), row.offered));
        found.push(before.is_some_and(|before| row.offered.as_micros() - before.as_micros() <= within));
    }
    found
}

/// The hours of the period in which a hotline was offered more calls than in the median of its hours that had any. Hours by the
/// clock of UTC: zones that are off by half an hour are cut elsewhere, which does no harm.
struct Busy<'r> {
    offered: BTreeMap<(&'r HotlineId, i64), u64>,
    median: BTreeMap<&'r HotlineId, u64>,
}

impl<'r> Busy<'r> {
    fn of(rows: &'r [Row], from: Wall, cut: Wall) -> Busy<'r> {
        let mut offered: BTreeMap<(&HotlineId, i64), u64> = BTreeMap::new();
        for row in rows.iter().filter(|row| (from..cut).contains(&row.offered)) {
            *offered.entry((&row.hotline, hour(row.offered))).or_default() += 1;
        }
        let mut counts: BTreeMap<&HotlineId, Vec<u64>> = BTreeMap::new();
        for ((hotline, _), count) in &offered {
            counts.entry(*hotline).or_default().push(*count);
        }
        let median = |mut counts: Vec<u64>| {
            counts.sort_unstable();
            counts.get(counts.len() / 2).copied().unwrap_or(0)
        };
        let median = counts.into_iter().map(|(hotline, counts)| (hotline, median(counts))).collect();
        Busy { offered, median }
    }

    fn is(&self, row: &Row) -> bool {
        self.offered.get(&(&row.hotline, hour(row.offered))) > self.median.get(&row.hotline)
    }
}

fn hour(at: Wall) -> i64 {
    at.as_micros().div_euclid(HOUR_US)
}

/// Since midnight.
fn minute_of_day(at: Wall, zone: &TimeZone) -> u16 {
    let at = Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
    let time = zone.to_datetime(at).time();
    u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or(0)
}
