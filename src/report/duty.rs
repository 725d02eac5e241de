//! How long each agent was there for callers, in pauses and in wrap-up: from the agents' own facts, within one period.
//!
//! A state lasts from its fact to the agent's next one. What a run left open lasts until the last thing that the gateway is known to
//! have done in that run: nobody is on duty while the gateway is down.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::call::presence::{AgentFact, By, Kind, What};
use crate::clock::{RunId, Stamp, Wall};
use crate::ids::AgentNo;

/// Milliseconds of the period in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Duty {
    /// Free, rung or talking.
    pub ready_ms: u64,
    pub paused_ms: u64,
    pub wrap_up_ms: u64,
    pub away_ms: u64,
    /// On a shift of the roster, and of that logged in: ready, in a pause or in wrap-up. Absent: was on no shift, or none was known.
    #[serde(skip_serializing_if = "is_none")]
    pub rostered_ms: u64,
    #[serde(skip_serializing_if = "is_none")]
    pub rostered_there_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) fn is_none(of: &u64) -> bool {
    *of == 0
}

/// What is known of one agent. Of a run in which nothing was said of the agent it is not known whether a login was asked for: such a
/// phone may simply have been rung.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OnDuty {
    pub duty: Duty,
    /// The parts of the period that `duty` tells of.
    pub known: Vec<(Wall, Wall)>,
    /// When the agent was free, rung or talking.
    pub ready: Vec<(Wall, Wall)>,
}

impl OnDuty {
    pub fn knows(&self, at: Wall) -> bool {
        self.known.iter().any(|(from, to)| (*from..=*to).contains(&at))
    }
}

/// One start of the gateway and its last known sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    pub began: Wall,
    pub until: Wall,
}

impl Duty {
    /// The share of rostered time in which the agent was logged in; `None`: was on no shift.
    pub fn attendance(&self) -> Option<f64> {
        (self.rostered_ms > 0).then(|| self.rostered_there_ms as f64 / self.rostered_ms as f64)
    }

    fn add(&mut self, kind: Kind, ms: u64) {
        match kind {
            Kind::Ready => self.ready_ms += ms,
            Kind::Paused => self.paused_ms += ms,
            Kind::WrapUp => self.wrap_up_ms += ms,
            Kind::Away => self.away_ms += ms,
            Kind::LoggedOut => {}
        }
    }
}

/// Each agent's duty from `from` up to `to`. `facts`: those within, in order of run and number, and of each agent the last one before.
pub(super) fn duties(facts: &[AgentFact], runs: &[Run], (from, to): (Wall, Wall)) -> BTreeMap<AgentNo, OnDuty> {
    let mut by_agent: BTreeMap<(&AgentNo, RunId), Vec<&AgentFact>> = BTreeMap::new();
    for fact in facts {
        by_agent.entry((&fact.agent, fact.at.run)).or_default().push(fact);
    }
    let mut duties: BTreeMap<AgentNo, OnDuty> = BTreeMap::new();
    for ((agent, run), told) in by_agent {
        let Some(run) = runs.iter().find(|known| known.id == run) else { continue };
        let on_duty = duties.entry(agent.clone()).or_default();
        on_duty.known.push((run.began.max(from), run.until.min(to)));
        let states = states(&told, run, from);
        for (kind, since, until) in &states {
            on_duty.duty.add(*kind, within(*since, *until, (from, to)));
            if *kind == Kind::Ready {
                on_duty.ready.push((since.wall().max(from), until.wall().min(to)));
            }
        }
        for (began, over) in shifts(&told, run) {
            on_duty.duty.rostered_ms += within(began, over, (from, to));
            let there = states.iter().filter(|(kind, ..)| matches!(kind, Kind::Ready | Kind::Paused | Kind::WrapUp));
            for (_, since, until) in there {
                let (since, until) = (later(*since, began), earlier(*until, over));
                if since.mono_ns < until.mono_ns {
                    on_duty.duty.rostered_there_ms += within(since, until, (from, to));
                }
            }
        }
    }
    duties
}

/// One agent's states in one run.
fn states(told: &[&AgentFact], run: &Run, from: Wall) -> Vec<(Kind, Stamp, Stamp)> {
    let mut states = Vec::new();
    // That somebody is missed on a shift, or is on one, does not tell that he or she is there.
    let tells = |fact: &&&AgentFact| fact.what.kind().is_some() || matches!(fact.what, What::LoggedIn { .. });
    let mut open = told.iter().find(tells).and_then(|first| before(first, run, from));
    for fact in told {
        let Some(kind) = fact.what.kind() else { continue };
        let last = open.replace((kind, fact.at));
        states.extend(last.map(|(was, since)| (was, since, fact.at)));
    }
    states.extend(open.map(|(kind, since)| (kind, since, end_of_run(since, run))));
    states
}

/// One agent's shifts in one run.
fn shifts(told: &[&AgentFact], run: &Run) -> Vec<(Stamp, Stamp)> {
    let (mut shifts, mut open) = (Vec::new(), None);
    for fact in told {
        match fact.what {
            What::ShiftBegan { .. } => drop(open.get_or_insert(fact.at)),
            What::ShiftOver { .. } => shifts.extend(open.take().map(|began| (began, fact.at))),
            _ => {}
        }
    }
    shifts.extend(open.map(|began| (began, end_of_run(began, run))));
    shifts
}

fn later(a: Stamp, b: Stamp) -> Stamp {
    if a.mono_ns > b.mono_ns { a } else { b }
}

fn earlier(a: Stamp, b: Stamp) -> Stamp {
    if a.mono_ns < b.mono_ns { a } else { b }
}

/// What the agent was before the first fact of a run: whoever need not log in is ready from its beginning.
fn before(first: &AgentFact, run: &Run, from: Wall) -> Option<(Kind, Stamp)> {
    let restored = matches!(
        &first.what,
        What::LoggedIn { .. }
            | What::Ready { by: By::Restart }
            | What::Paused { by: By::Restart, .. }
            | What::WrapUp { by: By::Restart, .. }
            | What::Away { by: By::Restart }
            | What::LoggedOut { .. }
    );
    let began = Stamp { run: run.id, mono_ns: 0, wall_us: run.began.as_micros() };
    (!restored && first.at.wall_us >= from.as_micros()).then_some((Kind::Ready, began))
}

/// The run's last sign of life, on the wall clock counted from `since`.
fn end_of_run(since: Stamp, run: &Run) -> Stamp {
    let until = run.until.as_micros().max(since.wall_us);
    let us = until.saturating_sub(since.wall_us).max(0);
    Stamp { run: since.run, mono_ns: since.mono_ns + us.unsigned_abs() * 1_000, wall_us: until }
}

/// The part of a stretch that lies in the period: its length by the monotonic clock, what lies outside by the wall clock.
fn within(since: Stamp, until: Stamp, (from, to): (Wall, Wall)) -> u64 {
    let whole_ns = until.mono_ns.saturating_sub(since.mono_ns);
    let before_us = (from.as_micros() - since.wall_us).max(0).unsigned_abs();
    let behind_us = (until.wall_us - to.as_micros()).max(0).unsigned_abs();
    whole_ns.saturating_sub((before_us + behind_us) * 1_000) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_S: u64 = 3_600;

    fn fact(run: u32, s: u64, agent: &str, what: What) -> AgentFact {
        let began_s = if run == 1 { 0 } else { 8 * HOUR_S };
        let wall_us = (s * 1_000_000) as i64;
        let at = Stamp { run: RunId(run), mono_ns: (s - began_s) * 1_000_000_000, wall_us };
        AgentFact { agent: agent.into(), n: 0, at, what }
    }

    fn wall(s: u64) -> Wall {
        Wall::from_micros((s * 1_000_000) as i64)
    }

    fn run(id: u32, began_s: u64, until_s: u64) -> Run {
        Run { id: RunId(id), began: wall(began_s), until: wall(until_s) }
    }

    fn logged_in() -> What {
        What::LoggedIn { by: By::Phone }
    }

    fn ready() -> What {
        What::Ready { by: By::Phone }
    }

    fn paused() -> What {
        What::Paused { reason: None, until_us: None, by: By::Phone }
    }

    fn of_eight(facts: &[AgentFact], runs: &[Run], from_s: u64, to_s: u64) -> OnDuty {
        duties(facts, runs, (wall(from_s), wall(to_s))).remove(&"8".into()).unwrap()
    }

    #[test]
    fn a_state_lasts_to_the_next_one_within_the_period() {
        let facts = [
            fact(1, 0, "8", logged_in()),
            fact(1, 0, "8", ready()),
            fact(1, 2 * HOUR_S, "8", paused()),
            fact(1, 2 * HOUR_S + 1_800, "8", ready()),
            fact(1, 2 * HOUR_S + 1_860, "8", What::Unreachable),
            fact(1, 5 * HOUR_S, "8", What::LoggedOut { by: By::Phone }),
        ];
        let eight = of_eight(&facts, &[run(1, 0, 9 * HOUR_S)], HOUR_S, 4 * HOUR_S);
        // One hour before the pause, and an hour and a half after it until the period ends.
        assert_eq!(eight.duty, Duty { ready_ms: 9_000_000, paused_ms: 1_800_000, ..Duty::default() });
        assert_eq!(eight.known, [(wall(HOUR_S), wall(4 * HOUR_S))]);
    }

    #[test]
    fn nobody_is_on_duty_while_the_gateway_is_down() {
        let restored = What::Ready { by: By::Restart };
        let facts = [fact(1, 0, "8", logged_in()), fact(1, 0, "8", ready()), fact(2, 8 * HOUR_S, "8", restored)];
        let runs = [run(1, 0, HOUR_S), run(2, 8 * HOUR_S, 10 * HOUR_S)];
        assert_eq!(of_eight(&facts, &runs, 0, 24 * HOUR_S).duty.ready_ms, 3 * 3_600_000);
    }

    #[test]
    fn who_need_not_log_in_is_ready_from_the_start() {
        let facts = [fact(1, HOUR_S, "8", paused()), fact(1, 2 * HOUR_S, "8", ready())];
        let duty = of_eight(&facts, &[run(1, 0, 3 * HOUR_S)], 0, 24 * HOUR_S).duty;
        assert_eq!((duty.ready_ms, duty.paused_ms), (2 * 3_600_000, 3_600_000));
        // Who logs in was not there before.
        let facts = [fact(1, HOUR_S, "8", logged_in()), fact(1, HOUR_S, "8", ready())];
        let duty = of_eight(&facts, &[run(1, 0, 3 * HOUR_S)], 0, 24 * HOUR_S).duty;
        assert_eq!(duty.ready_ms, 2 * 3_600_000);
    }

    #[test]
    fn of_rostered_time_counts_what_the_agent_was_logged_in() {
        let hotline = || "property".into();
        let began = || What::ShiftBegan { hotline: hotline() };
        let missed = What::MissesShift { hotline: hotline(), begins_us: 0 };
        let facts = [
            fact(1, 0, "8", missed.clone()),
            fact(1, 600, "8", began()),
            fact(1, 1_200, "8", logged_in()),
            fact(1, 1_200, "8", ready()),
            fact(1, 2_400, "8", What::Away { by: By::Limit }),
            fact(1, 3_000, "8", paused()),
            fact(1, HOUR_S, "8", What::ShiftOver { hotline: hotline() }),
        ];
        let duty = of_eight(&facts, &[run(1, 0, 2 * HOUR_S)], 0, 24 * HOUR_S).duty;
        // 50 minutes, of them 20 as ready and 10 in a pause; the pause goes on after the shift.
        assert_eq!((duty.rostered_ms, duty.rostered_there_ms), (3_000_000, 1_800_000));
        assert_eq!((duty.attendance(), duty.ready_ms), (Some(0.6), 1_200_000), "who is missed is not there");
        let never =
            of_eight(&[fact(1, 0, "8", missed), fact(1, 600, "8", began())], &[run(1, 0, HOUR_S)], 0, HOUR_S).duty;
        assert_eq!((never.rostered_ms, never.rostered_there_ms, never.ready_ms), (3_000_000, 0, 0));
    }

    #[test]
    fn a_clock_that_is_set_changes_no_length() {
        let mut late = fact(1, 600, "8", paused());
        late.at.wall_us += 7_200_000_000;
        let facts = [fact(1, 0, "8", logged_in()), fact(1, 0, "8", ready()), late];
        let duty = of_eight(&facts, &[run(1, 0, 600)], 0, 24 * HOUR_S).duty;
        assert_eq!(duty, Duty { ready_ms: 600_000, ..Duty::default() });
    }
}
