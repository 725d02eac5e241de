//! One run of a scenario in virtual time, with every invariant held against it.

use std::time::Duration;

use super::invariants::Invariants;
use super::network::Weather;
use super::scenario::Scenario;
use super::world::{Troubles, World};
use crate::cdr::Record;
use crate::clock::Instant;
use crate::gateway::Input;
use crate::ids::Random;

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
    let mut people = Random::from_number(scenario.seed);
    let mut world = World::new(scenario.plans(), scenario.seed);
    world.network.weather = scenario.weather;
    world.log_wire = false;
    let all = scenario.hotlines.iter().flat_map(|line| line.agents.iter().cloned());
    world.agents.colleagues = all.collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    world.troubles = scenario.troubles;
    if let Some(voices) = scenario.voices {
        world.with_sound(voices, None);
    }
    let troubled = scenario.troubles != Troubles::default();
    let mut invariants = Invariants::default();
    invariants.troubled = troubled;
    let mut stop = scenario.stopped_at.map(|after| Instant::START + after);
    let (mut left, mut next_call) = (scenario.calls, Instant::START);
    while invariants.violations.is_empty() {
        let missing = READY - world.agents.expected().min(READY);
        world.agents.expect((0..missing).map(|_| scenario.staff.draw(&mut people)));
        if let Some(at) = stop.filter(|at| world.next_at().is_some_and(|next| next >= *at)) {
            world.pass_to(at);
            world.tell(Input::Shutdown);
            stop = None;
        } else if left > 0 && world.next_at().is_none_or(|at| next_call <= at) {
            world.pass_to(next_call);
            call(&mut world, scenario, &mut people);
            left -= 1;
            next_call = next_call + scenario.callers.gap(&mut people);
        } else if !world.step() {
            break;
        }
        if scenario.weather == Weather::FINE && !troubled {
            invariants.check_desks(&world);
        }
        world.caller_saw.clear();
        world.agent_saw.clear();
        world.numbers.clear();
        invariants.check(&mut world);
        if !invariants.check_time(world.now().mono, next_call) {
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

fn call(world: &mut World, scenario: &Scenario, people: &mut Random) {
    let (patience, trick) = scenario.callers.draw(people);
    let line = people.below(u32::try_from(scenario.hotlines.len()).unwrap_or(1)) as usize;
    let caller = format!("139{:08}", people.below(100_000_000));
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
