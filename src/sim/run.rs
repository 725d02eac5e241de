//! One run of a scenario in virtual time, with every invariant held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use super::day::Turn;
use super::invariants::{Invariants, Replays};
use super::network::Weather;
use super::scenario::Scenario;
use super::world::{Troubles, World};
use crate::call::fact::{Fact, What};
use crate::call::presence::Order;
use crate::call::reason::Reason;
use crate::cdr::Record;
use crate::clock::Instant;
use crate::gateway::Input;
use crate::ids::{AgentNo, Random, SubjectId};

/// Conducts that are kept ready: more than phones that can be rung in one instant.
const READY: usize = 64;

#[derive(Debug)]
pub struct Run {
    /// In the order in which the calls were over.
    pub records: Vec<Record>,
    pub violations: Vec<String>,
    /// As of [`Invariants`].
    pub joined: (usize, usize),
    /// Virtual time from the first call to rest.
    pub lasted: Duration,
}

impl Run {
    pub fn failed(&self) -> bool {
        !self.violations.is_empty()
    }
}

/// Runs a scenario to rest, or to its first violation.
pub fn run(scenario: &Scenario) -> Run {
    tell(scenario, |_| {})
}

/// The same, and tells the facts of each call once the switch has forgotten it.
pub fn tell(scenario: &Scenario, mut each: impl FnMut(&[Fact])) -> Run {
    let mut people = Random::from_number(scenario.seed);
    let mut world = World::new(scenario.plans(), scenario.seed);
    world.network.weather = scenario.weather;
    world.log_wire = false;
    world.agents.colleagues = scenario.agents();
    world.troubles = scenario.troubles;
    if let Some(voices) = scenario.voices {
        world.with_sound(voices, None);
    }
    if scenario.day.is_some() || scenario.callers.silent + scenario.callers.noisy > 0 {
        world.with_arrivals();
    }
    let troubled = scenario.troubles != Troubles::default();
    let mut invariants = Invariants::default();
    invariants.troubled = troubled;
    invariants.replays = if scenario.day.is_some() { Replays::OneInEight } else { Replays::Each };
    let mut stop = scenario.stopped_at.map(|after| Instant::START + after);
    let mut coming = Coming::new(scenario);
    while invariants.violations.is_empty() {
        let missing = READY - world.agents.expected().min(READY);
        world.agents.expect((0..missing).map(|_| scenario.staff.draw(&mut people)));
        let next = world.next_at();
        if let Some(at) = stop.filter(|at| next.is_some_and(|next| next >= *at)) {
            world.pass_to(at);
            world.tell(Input::Shutdown);
            stop = None;
        } else if let Some(at) = coming.next().filter(|at| next.is_none_or(|next| *at <= next)) {
            world.pass_to(at);
            coming.happen(&mut world, scenario, &mut people);
        } else if let Some(at) = next {
            world.happen(at);
        } else {
            break;
        }
        if scenario.weather == Weather::FINE && !troubled {
            invariants.check_desks(&world);
        }
        world.caller_saw.clear();
        world.agent_saw.clear();
        coming.note(&mut world);
        invariants.check(&mut world);
        for facts in invariants.stories.drain(..) {
            coming.is_over(&facts, scenario, &mut people);
            each(&facts);
        }
        if !invariants.check_time(world.now().mono, coming.last()) {
            break;
        }
    }
    if invariants.violations.is_empty() {
        invariants.check_rest(&world);
    }
    let lasted = world.now().mono.since(Instant::START);
    let Invariants { records, violations, joined, .. } = invariants;
    Run { records, violations, joined, lasted }
}

/// Each of the scenario's days in a world of its own, as many at once as there are processors, and what `each` has made of the calls of
/// each day, in order; without days one run. The same seed gives the same on any machine. After the first day with a violation no other
/// is begun. Records are not kept.
pub fn each_day<T: Send>(
    scenario: &Scenario,
    begin: impl Fn() -> T + Sync,
    each: impl Fn(&mut T, &[Fact]) + Sync,
) -> Vec<(T, Run)> {
    let (next, done) = (AtomicU32::new(0), Mutex::new(BTreeMap::new()));
    let count = scenario.day.as_ref().map_or(1, |day| day.days);
    let work = || {
        while let Some(n) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < count) {
            let mut made = begin();
            let run = Run { records: Vec::new(), ..tell(&scenario.of_day(n), |facts| each(&mut made, facts)) };
            if run.failed() {
                next.store(count, Ordering::Relaxed);
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(n, (made, run));
        }
    };
    let helpers = available_parallelism().map_or(1, NonZero::get).min(count as usize).saturating_sub(1);
    thread::scope(|scope| {
        (0..helpers).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// What comes from outside: new calls, callers who try again, agents who come and go.
struct Coming {
    left: u32,
    call: Option<Instant>,
    /// The next one last.
    turns: Vec<Turn>,
    again: BTreeSet<(Instant, String, String)>,
    /// The numbers of live callers, while somebody may try again.
    numbers: BTreeMap<SubjectId, String>,
    last: Instant,
    /// Of days: who calls when is drawn apart from what agents do, so that other staffing has the same callers.
    lot: Random,
}

/// Numbers that nuisance calls come from.
const NUISANCES: u32 = 3;

impl Coming {
    fn new(scenario: &Scenario) -> Coming {
        let mut lot = Random::from_number(!scenario.seed);
        let mut turns = scenario.day.as_ref().map_or_else(Vec::new, |day| {
            let Some(line) = scenario.hotlines.first() else { return Vec::new() };
            let usual = line.agents.len().saturating_sub(day.spare());
            day.turns(&line.agents[..usual], &line.agents[usual..])
        });
        turns.reverse();
        let call = match &scenario.day {
            Some(day) => day.next_call(Instant::START, &mut lot),
            None => (scenario.calls > 0).then_some(Instant::START),
        };
        let (again, numbers) = (BTreeSet::new(), BTreeMap::new());
        Coming { left: scenario.calls, call, turns, again, numbers, last: Instant::START, lot }
    }

    fn next(&self) -> Option<Instant> {
        let turn = self.turns.last().map(|turn| turn.at);
        [self.call, turn, self.again.first().map(|(at, ..)| *at)].into_iter().flatten().min()
    }

    /// When the last of what has happened did.
    fn last(&self) -> Instant {
        self.call.unwrap_or(self.last).max(self.last)
    }

    fn happen(&mut self, world: &mut World, scenario: &Scenario, people: &mut Random) {
        let now = world.now().mono;
        self.last = now;
        if let Some(turn) = self.turns.pop_if(|turn| turn.at <= now) {
            // Nobody has to log in here, so nobody can log out.
            let order = if turn.there { Order::Ready } else { Order::Pause(None) };
            world.tell(Input::Order { ticket: 0, agent: AgentNo::from(turn.agent), order });
        } else if self.again.first().is_some_and(|(at, ..)| *at <= now) {
            let (patience, trick) = scenario.callers.draw(people);
            if let Some((_, caller, called)) = self.again.pop_first() {
                world.call_as(&caller, &called, patience, trick);
            }
        } else {
            self.left = self.left.saturating_sub(1);
            self.call = match &scenario.day {
                Some(day) => {
                    call(world, scenario, &mut self.lot);
                    day.next_call(now, &mut self.lot)
                }
                None => {
                    call(world, scenario, people);
                    // Drawn after the last one too: what people do later is found by its seed.
                    Some(now + scenario.callers.gap(people)).filter(|_| self.left > 0)
                }
            };
        }
    }

    fn note(&mut self, world: &mut World) {
        self.numbers.append(&mut world.numbers);
    }

    /// Who gave up may call again.
    fn is_over(&mut self, facts: &[Fact], scenario: &Scenario, people: &mut Random) {
        let Some((first, last)) = facts.first().zip(facts.last()) else { return };
        let What::Offered(offered) = &first.what else { return };
        let number = self.numbers.remove(&offered.caller);
        let gave_up = |fact: &Fact| matches!(fact.what, What::Ended { reason: Reason::CallerCancelled, .. });
        if scenario.callers.repeat > 0 && people.below(100) < scenario.callers.repeat && facts.iter().any(gave_up) {
            let wait = Duration::from_millis(u64::from(30_000 + people.below(90_000)));
            let at = Instant::from_nanos(last.at.mono_ns) + wait;
            self.again.extend(number.map(|number| (at, number, offered.called.clone())));
        }
    }
}

fn call(world: &mut World, scenario: &Scenario, people: &mut Random) {
    let (patience, trick) = scenario.callers.draw(people);
    let line = people.below(u32::try_from(scenario.hotlines.len()).unwrap_or(1)) as usize;
    let brief = scenario.callers.nuisance > 0 && patience.talk.is_some_and(|talk| talk < Duration::from_secs(3));
    let among = if brief { NUISANCES } else { 100_000_000 };
    let caller = scenario.callers.manner(people).number(people.below(among));
    if let Some(line) = scenario.hotlines.get(line) {
        world.call_as(&caller, &line.number, patience, trick);
    }
}

/// The fewest calls, by halving, with which the scenario still fails.
pub fn shrink(scenario: &Scenario) -> Scenario {
    let mut failing = scenario.clone();
    while failing.calls > 1 {
        let smaller = Scenario { calls: failing.calls / 2, ..failing.clone() };
        if !run(&smaller).failed() {
            break;
        }
        failing = smaller;
    }
    failing
}
