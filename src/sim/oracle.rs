//! A naive second model of the switch: from what each person does and when, it says what must become of each call.
//!
//! It knows no SIP, no machine and no timer of the switch, only people, rings and a network that takes a millisecond, and
//! shares no code with `call`. It abstains where that is not enough: strategies other than `in_order` and `round_robin`; people who
//! vanish; and everything from the first moment on at which two things that exclude each other happen within
//! [`MARGIN_US`], because then milliseconds decide.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::phone::{Conduct, Patience, Then, Trick};
use super::scenario::{Line, Scenario, Span};
use super::world::World;
use crate::cdr::{Fold, Outcome, Record};
use crate::clock::Instant;
use crate::dialplan::plan::Strategy;
use crate::ids::Random;

/// Nearer than this, two instants have no order that people could tell.
const MARGIN_US: u64 = 8_000;
/// One way over the network.
const HOP_US: u64 = 1_000;
/// What the caller hears after this long at the latest (contract: *ring*).
const RING_US: u64 = 1_000_000;
/// A call that nobody takes ends then.
const LONGEST_WAIT_US: u64 = 180_000_000;
const SHORT_US: u64 = 5_000_000;
/// A ring of the scenarios' cadence.
const PERIOD_US: u64 = 5_000_000;

/// One hotline, everybody's habits and everybody's calls.
#[derive(Debug, Clone)]
pub struct Script {
    pub line: Line,
    /// What each agent does with every call.
    pub habits: BTreeMap<String, Conduct>,
    /// In order: when, and how patient.
    pub calls: Vec<(Instant, Patience)>,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    pub outcome: Outcome,
    pub reason: &'static str,
    pub ended_by: &'static str,
    pub rings: u32,
    pub agent: Option<String>,
    pub ring_to_answer_ms: Option<u64>,
    pub wait_ms: u64,
    pub talk_ms: u64,
}

/// How a script went: for how many calls there was a forecast, and where it was wrong.
#[derive(Debug, Default)]
pub struct Tried {
    pub checked: usize,
    pub abstained: usize,
    pub differences: Vec<String>,
}

/// A call that has not been decided yet.
#[derive(Debug, Clone)]
struct Waiting {
    offered: u64,
    ring: u64,
    leaves: u64,
    talk: Option<u64>,
    tried: BTreeSet<String>,
    results: BTreeSet<&'static str>,
}

#[derive(Debug)]
struct Room<'s> {
    script: &'s Script,
    /// When each agent is free (again).
    free_at: BTreeMap<String, u64>,
    last_rung: Option<usize>,
    forecasts: Vec<Option<Forecast>>,
    /// Whose turn it is to be given an agent, and when.
    hunts: BTreeSet<(u64, usize)>,
    waiting: Vec<Waiting>,
}

/// Milliseconds decide from here on.
struct TooClose;

pub fn forecast(script: &Script) -> Vec<Option<Forecast>> {
    let waiting = |(at, patience): &(Instant, Patience)| {
        let offered = at.as_nanos() / 1_000 + HOP_US;
        let leaves = offered + us(patience.wait);
        let (tried, results) = (BTreeSet::new(), BTreeSet::new());
        Waiting { offered, ring: offered + RING_US, leaves, talk: patience.talk.map(us), tried, results }
    };
    let waiting: Vec<Waiting> = script.calls.iter().map(waiting).collect();
    let hunts = waiting.iter().enumerate().map(|(i, w)| (w.offered, i)).collect();
    let forecasts = vec![None; script.calls.len()];
    let mut room = Room { script, free_at: BTreeMap::new(), last_rung: None, forecasts, hunts, waiting };
    if [Strategy::InOrder, Strategy::RoundRobin].contains(&script.line.strategy) {
        while let Some((at, call)) = room.hunts.pop_first() {
            if room.hunt(at, call).is_err() {
                break;
            }
        }
    }
    room.forecasts
}

impl Room<'_> {
    fn hunt(&mut self, at: u64, call: usize) -> Result<(), TooClose> {
        if self.hunts.first().is_some_and(|(next, _)| near(*next, at)) {
            return Err(TooClose);
        }
        let Some(agent) = self.next_agent(at, call)? else {
            self.forecasts[call] = Some(self.nobody(at, call)?);
            return Ok(());
        };
        let conduct = self.script.habits[&agent];
        let w = &mut self.waiting[call];
        w.tried.insert(agent.clone());
        // The INVITE goes there, the answer comes back.
        let back = at + 2 * HOP_US;
        if conduct.rings {
            w.ring = w.ring.min(back);
        }
        let rung_out = at + us(self.script.line.ring);
        let decides = match conduct.then {
            Then::Answer { after, .. } | Then::Refuse { after, .. } => back + us(after),
            Then::Ignore => u64::MAX,
            Then::Vanish { .. } | Then::Hold { .. } | Then::HandOn { .. } | Then::Consult(_) => return Err(TooClose),
        };
        let (leaves, gives_up) = (w.leaves, w.offered + LONGEST_WAIT_US);
        let first = first_of(&[decides, rung_out, leaves, gives_up])?;
        let released = first + 2 * HOP_US;
        if first == leaves {
            self.free_at.insert(agent, released);
            self.forecasts[call] = Some(self.left(leaves, call)?);
        } else if first == gives_up {
            return Err(TooClose);
        } else if first == rung_out {
            self.free_at.insert(agent, released);
            self.waiting[call].results.insert(if conduct.rings { "no_answer" } else { "agents_unreachable" });
            self.hunts.insert((rung_out, call));
        } else if let Then::Refuse { status, .. } = conduct.then {
            self.free_at.insert(agent, decides);
            self.waiting[call].results.insert(match status {
                486 => "agents_busy",
                603 => "agents_declined",
                _ => "agents_unreachable",
            });
            self.hunts.insert((decides, call));
        } else {
            return self.answered(decides, call, agent, conduct);
        }
        Ok(())
    }

    /// The first in the list, or after the one who was rung last, who is free and was not tried.
    fn next_agent(&mut self, at: u64, call: usize) -> Result<Option<String>, TooClose> {
        let agents = &self.script.line.agents;
        let start = match (self.script.line.strategy, self.last_rung) {
            (Strategy::RoundRobin, Some(last)) => last + 1,
            _ => 0,
        };
        for i in 0..agents.len() {
            let place = (start + i) % agents.len();
            let agent = &agents[place];
            if self.waiting[call].tried.contains(agent) {
                continue;
            }
            let free = self.free_at.get(agent).copied().unwrap_or(0);
            if free > 0 && near(free, at) {
                return Err(TooClose);
            }
            if free <= at {
                self.last_rung = Some(place);
                return Ok(Some(agent.clone()));
            }
        }
        Ok(None)
    }

    fn answered(&mut self, at: u64, call: usize, agent: String, conduct: Conduct) -> Result<(), TooClose> {
        let w = &self.waiting[call];
        if near(at, w.ring) && conduct.then != (Then::Ignore) && at != w.ring {
            return Err(TooClose);
        }
        let hang_up_after = match conduct.then {
            Then::Answer { hang_up_after, .. } => hang_up_after.map(us),
            _ => None,
        };
        // 200 to the caller and their BYE back; the agent's clock began when they picked up, one hop ago.
        let caller_ends = w.talk.map_or(u64::MAX, |talk| at + 2 * HOP_US + talk);
        let agent_ends = hang_up_after.map_or(u64::MAX, |talk| at + talk);
        let ended = first_of(&[caller_ends, agent_ends])?;
        if ended < at + MARGIN_US {
            return Err(TooClose);
        }
        let by_agent = ended == agent_ends;
        self.forecasts[call] = Some(Forecast {
            outcome: Outcome::Answered,
            reason: if by_agent { "agent_hung_up" } else { "caller_hung_up" },
            ended_by: if by_agent { "agent" } else { "caller" },
            rings: rings(w.ring, at),
            agent: Some(agent.clone()),
            ring_to_answer_ms: Some(at.saturating_sub(w.ring) / 1_000),
            wait_ms: (at - w.offered) / 1_000,
            talk_ms: (ended - at) / 1_000,
        });
        self.free_at.insert(agent, if by_agent { ended } else { ended + 2 * HOP_US });
        Ok(())
    }

    fn left(&self, at: u64, call: usize) -> Result<Forecast, TooClose> {
        let w = &self.waiting[call];
        let waited = at - w.offered;
        let outcome = if waited < SHORT_US { Outcome::ShortAbandoned } else { Outcome::Abandoned };
        unanswered(w, at, outcome, "caller_cancelled", "caller")
    }

    fn nobody(&self, at: u64, call: usize) -> Result<Forecast, TooClose> {
        let w = &self.waiting[call];
        let reason = match w.results.len() {
            0 => "agents_busy",
            1 => w.results.first().copied().unwrap_or_default(),
            _ => "agents_mixed",
        };
        unanswered(w, at, Outcome::Failed, reason, "gateway")
    }
}

fn unanswered(
    w: &Waiting,
    at: u64,
    outcome: Outcome,
    reason: &'static str,
    ended_by: &'static str,
) -> Result<Forecast, TooClose> {
    // A phone's 180 comes before whatever else it says; only the timer may meet something.
    if w.ring == w.offered + RING_US && near(at, w.ring) {
        return Err(TooClose);
    }
    let (rings, wait_ms) = (rings(w.ring, at), (at - w.offered) / 1_000);
    let (agent, ring_to_answer_ms, talk_ms) = (None, None, 0);
    Ok(Forecast { outcome, reason, ended_by, rings, agent, ring_to_answer_ms, wait_ms, talk_ms })
}

/// How many rings have begun by then.
fn rings(ring: u64, at: u64) -> u32 {
    at.checked_sub(ring).map_or(0, |since| u32::try_from(since / PERIOD_US + 1).unwrap_or(u32::MAX))
}

/// The earliest, if nothing else comes close.
fn first_of(instants: &[u64]) -> Result<u64, TooClose> {
    let mut sorted = instants.to_vec();
    sorted.sort_unstable();
    match sorted.as_slice() {
        [first, second, ..] if near(*first, *second) => Err(TooClose),
        [first, ..] => Ok(*first),
        [] => Err(TooClose),
    }
}

fn near(a: u64, b: u64) -> bool {
    a.abs_diff(b) < MARGIN_US
}

fn us(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

impl Script {
    /// A script by lot: `gap` says how far apart the calls are.
    pub fn random(seed: u64, calls: usize, gap: Span) -> Script {
        let random = &mut Random::from_number(seed);
        let mut scenario = Scenario::random(seed, 1);
        let mut line = scenario.hotlines.swap_remove(0);
        line.around = super::scenario::Around::default();
        line.strategy = if random.below(2) == 0 { Strategy::InOrder } else { Strategy::RoundRobin };
        let alone = super::scenario::Staff { vanish: 0, hand_on: 0, consult: 0, ..scenario.staff };
        let alone = super::scenario::Staff { slow: 0, forgetful: 0, hold: 0, ..alone };
        let staff = super::scenario::Staff { talk: Span::secs(5.0, 60.0), ..alone };
        let habits = line.agents.iter().map(|agent| (agent.clone(), staff.draw(random))).collect();
        let callers = super::scenario::Callers { vanish: 0, never_ack: 0, early_bye: 0, hold: 0, ..scenario.callers };
        let callers = super::scenario::Callers { impatient: 0, nuisance: 0, repeat: 0, ..callers };
        let mut at = Instant::START;
        let calls = (0..calls)
            .map(|_| {
                at = at + gap.draw(random);
                (at, callers.draw(random).0)
            })
            .collect();
        Script { line, habits, calls }
    }

    /// Plays the script to the switch and holds its records against the forecast.
    pub fn play(&self, seed: u64) -> Tried {
        let mut scenario = Scenario::random(seed, 0);
        scenario.hotlines = vec![self.line.clone()];
        let mut world = World::new(scenario.plans(), seed);
        world.log_wire = false;
        for (agent, conduct) in &self.habits {
            world.agents.habit(agent, *conduct);
        }
        for (at, patience) in &self.calls {
            while world.next_at().is_some_and(|next| next < *at) && world.step() {}
            world.pass_to(*at);
            world.call_as("13900000000", &self.line.number, *patience, Trick::None);
        }
        let mut tried = Tried::default();
        if !world.run_to_rest() {
            tried.differences.push("the world never comes to rest".to_owned());
        }
        let records = records(&world);
        let forecasts = forecast(self);
        if records.len() != forecasts.len() {
            tried.differences.push(format!("{} calls were made, {} recorded", forecasts.len(), records.len()));
        }
        for (i, (record, forecast)) in records.iter().zip(&forecasts).enumerate() {
            let Some(forecast) = forecast else {
                tried.abstained += 1;
                continue;
            };
            tried.checked += 1;
            if let Some(what) = forecast.differs(record) {
                tried.differences.push(format!("call {i}: {what}"));
            }
        }
        tried
    }
}

/// In the order of offering.
fn records(world: &World) -> Vec<Record> {
    let mut folds: Vec<Fold> = Vec::new();
    let mut places = BTreeMap::new();
    for fact in &world.facts {
        if let Some(fold) = Fold::begin(fact) {
            places.insert(fact.call, folds.len());
            folds.push(fold);
        } else if let Some(fold) = places.get(&fact.call).and_then(|i: &usize| folds.get_mut(*i)) {
            fold.push(fact);
        }
    }
    folds.iter().map(Fold::record).collect()
}

impl Forecast {
    fn differs(&self, record: &Record) -> Option<String> {
        let same = record.outcome == Some(self.outcome)
            && record.reason.map(|r| r.as_str()) == Some(self.reason)
            && record.ended_by.map(|by| by.as_str()) == Some(self.ended_by)
            && record.rings == Some(self.rings)
            && record.agent.as_ref().map(|a| a.as_str()) == self.agent.as_deref()
            && record.wait_ms == Some(self.wait_ms)
            && record.talk_ms == Some(self.talk_ms)
            && record.ring_to_answer_ms == self.ring_to_answer_ms;
        let theirs = || {
            (
                record.outcome,
                record.reason,
                record.ended_by,
                &record.agent,
                record.rings,
                record.ring_to_answer_ms,
                record.wait_ms,
                record.talk_ms,
            )
        };
        (!same).then(|| format!("forecast {self:?}, record {:?}", theirs()))
    }
}
