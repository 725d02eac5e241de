//! The figures of each agent: rings and what came of them, talk, and how busy the time on duty was.

use std::collections::BTreeMap;

use serde::Serialize;

use super::duty::{Duty, OnDuty, is_none};
use super::{Share, Summary, colleagues};
use crate::call::reason::EndedBy;
use crate::cdr::{CallKind, Outcome, Record, RingEnd, Word as _};
use crate::clock::Wall;
use crate::ids::AgentNo;

/// One agent's share of the calls of a period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentFigures {
    /// Rings of this agent's phone.
    pub rung: u64,
    /// All ways in which they ended; a ring that a crash cut has none.
    pub ring_ends: BTreeMap<RingEnd, u64>,
    /// Rings that this agent let pass: no answer or declined, of all that were neither lost to a colleague nor left by the caller.
    pub passed_by: Share,
    /// Calls that this agent was the first to answer.
    pub answered: u64,
    /// Of them, within `max_rings` of the caller's ringing tone (which the agent does not make alone).
    pub answered_within_target: Share,
    /// Calls that this agent had at any time, those taken over from others too.
    pub had: u64,
    /// Of the answered: nobody else had the caller, and the agent's side ended the call.
    pub ended_by_agent: Share,
    /// Time with the caller and with the caller on hold, a summary over the stretches that were this agent's.
    pub talk_ms: Summary,
    pub hold_ms: Summary,
    pub handling_ms: Summary,
    /// Callers of the list of callbacks whom this agent talked with, and the time with them, on hold too. Absent: none.
    #[serde(skip_serializing_if = "is_none")]
    pub called_back: u64,
    #[serde(skip_serializing_if = "is_none")]
    pub called_back_ms: u64,
    /// Calls to numbers outside that this agent made, and the time from their answer to their end. Absent: none.
    #[serde(skip_serializing_if = "is_none")]
    pub outbound: u64,
    #[serde(skip_serializing_if = "is_none")]
    pub outbound_ms: u64,
    /// What is left of the month's talk; absent: no bound, or no such call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound_left_ms: Option<u64>,
    /// Calls with colleagues and targets that this agent made or answered, and the time in them. Absent: none.
    #[serde(skip_serializing_if = "is_none")]
    pub internal: u64,
    #[serde(skip_serializing_if = "is_none")]
    pub internal_ms: u64,
    /// Null: nothing is known of this agent's presence.
    pub duty: Option<Duty>,
    /// (talk + hold + wrap-up, of callbacks and calls that agents make too, each moment once) / (ready + wrap-up) over the whole period; null
    /// where there were calls of which it is not known whether the agent was on duty.
    pub occupancy: Option<f64>,
}

impl AgentFigures {
    /// The average handling time (AHT): talk and hold a call, and the wrap-up spread over the calls; null without calls.
    pub fn average_handling_ms(&self) -> Option<u64> {
        let wrap_up_ms = self.duty.map_or(0, |duty| duty.wrap_up_ms);
        Some(self.handling_ms.mean? + (wrap_up_ms + self.had / 2) / self.had.max(1))
    }
}

#[derive(Default)]
struct Sums {
    ring_ends: BTreeMap<RingEnd, u64>,
    rung: u64,
    answered: u64,
    in_time: u64,
    had: u64,
    alone: u64,
    hung_up: u64,
    talk: Vec<u64>,
    hold: Vec<u64>,
    called_back: u64,
    called_back_ms: u64,
    /// With people outside, whoever had called them.
    outside_ms: u64,
    outbound: u64,
    outbound_ms: u64,
    /// The newest bound.
    quota_ms: Option<u64>,
    internal: u64,
    internal_ms: u64,
    /// When this agent was with a caller or called back, or in a call with a colleague.
    with_callers: Vec<(Wall, Wall)>,
    with_colleagues: Vec<(Wall, Wall)>,
    /// A call outside the time that the agent's duty is known of.
    unknown: bool,
}

/// Each agent who was rung, had a call or was on duty.
pub(super) fn by_agent(
    records: &[&Record],
    apart: &[&Record],
    duties: &BTreeMap<AgentNo, OnDuty>,
) -> BTreeMap<AgentNo, AgentFigures> {
    let mut sums: BTreeMap<AgentNo, Sums> = duties.keys().map(|agent| (agent.clone(), Sums::default())).collect();
    for record in records {
        for attempt in &record.attempts {
            let Some(agent) = &attempt.agent else { continue };
            let sum = sums.entry(agent.clone()).or_default();
            sum.rung += 1;
            if let Some(end) = attempt.end {
                *sum.ring_ends.entry(end).or_default() += 1;
            }
        }
        for segment in &record.segments {
            let sum = sums.entry(segment.agent.clone()).or_default();
            sum.had += 1;
            sum.unknown |= !duties.get(&segment.agent).is_some_and(|on_duty| on_duty.knows(record.offered_at.0));
            sum.talk.extend(segment.talk_ms);
            sum.hold.extend(segment.hold_ms);
        }
        for (agent, from, to) in record.talks() {
            sums.entry(agent).or_default().with_callers.push((from, to));
        }
        if let Some(agent) = record.agent.as_ref().filter(|_| record.outcome == Some(Outcome::Answered)) {
            let sum = sums.entry(agent.clone()).or_default();
            sum.answered += 1;
            sum.in_time += u64::from(record.answered_within_target == Some(true));
            let alone = record.segments.len() == 1;
            sum.alone += u64::from(alone);
            sum.hung_up += u64::from(alone && record.ended_by == Some(EndedBy::Agent));
        }
    }
    for record in apart {
        match record.kind {
            CallKind::Internal => add_internal(&mut sums, record),
            CallKind::Offered | CallKind::Callback | CallKind::Outbound => add_outside(&mut sums, record, duties),
        }
    }
    sums.into_iter()
        .map(|(agent, sum)| {
            let figures = sum.figures(duties.get(&agent));
            (agent, figures)
        })
        .collect()
}

/// A call with a colleague or a target.
fn add_internal(sums: &mut BTreeMap<AgentNo, Sums>, record: &Record) {
    for (agent, (from, to)) in colleagues::stretches(record) {
        let sum = sums.entry(agent).or_default();
        sum.internal += 1;
        sum.internal_ms += u64::try_from((to.as_micros() - from.as_micros()) / 1_000).unwrap_or(0);
        sum.with_colleagues.push((from, to));
    }
}

/// A call to somebody of the list of callbacks, or to another number outside.
fn add_outside(sums: &mut BTreeMap<AgentNo, Sums>, record: &Record, duties: &BTreeMap<AgentNo, OnDuty>) {
    let outbound = record.by_agent.as_ref();
    if let Some(by) = outbound {
        let sum = sums.entry(by.agent.clone()).or_default();
        sum.outbound += 1;
        // The line is paid for whoever talks.
        sum.outbound_ms += record.talk_ms.unwrap_or(0) + record.hold_ms.unwrap_or(0);
        sum.quota_ms = by.quota_ms;
    }
    for segment in &record.segments {
        let sum = sums.entry(segment.agent.clone()).or_default();
        let ms = segment.talk_ms.unwrap_or(0) + segment.hold_ms.unwrap_or(0);
        sum.outside_ms += ms;
        if outbound.is_none() {
            sum.called_back += 1;
            sum.called_back_ms += ms;
        }
        sum.unknown |= !duties.get(&segment.agent).is_some_and(|on_duty| on_duty.knows(record.offered_at.0));
    }
    for (agent, from, to) in record.talks() {
        sums.entry(agent).or_default().with_callers.push((from, to));
    }
}

impl Sums {
    fn figures(self, on_duty: Option<&OnDuty>) -> AgentFigures {
        let duty = on_duty.map(|on_duty| on_duty.duty);
        let ended = |end: RingEnd| self.ring_ends.get(&end).copied().unwrap_or(0);
        let passed_by = ended(RingEnd::NoAnswer) + ended(RingEnd::Declined);
        let own = passed_by + ended(RingEnd::Answered);
        let handling: Vec<u64> = self.talk.iter().zip(&self.hold).map(|(talk, hold)| talk + hold).collect();
        let ready = on_duty.map_or(&[][..], |on_duty| &on_duty.ready);
        let with_colleagues_ms = colleagues::alone_ms(&self.with_colleagues, ready, &self.with_callers);
        let busy_ms = handling.iter().sum::<u64>() + self.outside_ms + with_colleagues_ms;
        let known = duty.filter(|_| !self.unknown);
        AgentFigures {
            passed_by: Share::new(passed_by, own),
            answered_within_target: Share::new(self.in_time, self.answered),
            ended_by_agent: Share::new(self.hung_up, self.alone),
            occupancy: known.and_then(|duty| occupancy(duty, busy_ms)),
            ring_ends: RingEnd::ALL.iter().map(|&end| (end, ended(end))).collect(),
            rung: self.rung,
            answered: self.answered,
            had: self.had,
            talk_ms: Summary::of(self.talk),
            hold_ms: Summary::of(self.hold),
            handling_ms: Summary::of(handling),
            called_back: self.called_back,
            called_back_ms: self.called_back_ms,
            outbound: self.outbound,
            outbound_ms: self.outbound_ms,
            outbound_left_ms: self.quota_ms.map(|quota_ms| quota_ms.saturating_sub(self.outbound_ms)),
            internal: self.internal,
            internal_ms: self.internal_ms,
            duty,
        }
    }
}

/// Talk begins while an agent is ready and may outlast it (a pause asked for in a call), so it is no more than the time on duty.
fn occupancy(duty: Duty, busy_ms: u64) -> Option<f64> {
    let there = duty.ready_ms + duty.wrap_up_ms;
    (there > 0).then(|| ((busy_ms + duty.wrap_up_ms) as f64 / there as f64).min(1.0))
}

/// A count in strokes of 正, five each, as the tally sheet of the hotlines has it.
pub fn strokes(count: u64) -> String {
    const PART: [&str; 5] = ["", "一", "丅", "下", "止"];
    let whole = "正".repeat(usize::try_from(count / 5).unwrap_or(usize::MAX).min(2_000));
    whole + PART[(count % 5) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_calls_are_one_sign() {
        let signs: Vec<String> = [0, 1, 4, 5, 13].into_iter().map(strokes).collect();
        assert_eq!(signs, ["", "一", "止", "正", "正正下"]);
    }
}
