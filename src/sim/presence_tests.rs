//! Nobody is stuck: phones vanish, the network dies and comes back, people log in and out, pause and forget to come back,
//! the configuration is read again. Whatever happens, an agent is kept by a call no longer than that call lives (and its
//! phone's last message takes), and by wrap-up no longer than the dialplan says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::network::Weather;
use super::phone::Patience;
use super::scenario::{Around, Scenario};
use super::world::World;
use crate::call::agent::State;
use crate::call::fact::What as CallFact;
use crate::call::presence::{Kind, Order, What};
use crate::clock::Instant;
use crate::dialplan::plan::{Duty, Hotline, Plans};
use crate::gateway::{Input, Supervisor};
use crate::ids::{AgentNo, Random};
use crate::peer::token::Token;

const WRAP_UP: Duration = Duration::from_secs(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(90);
/// 64 × T1, after which every SIP transaction has ended, and a second for the network.
const LAST_MESSAGE: Duration = Duration::from_secs(33);
const CALLS: u32 = 25;

/// The scenario's plans, with this asked of its agents.
fn plans_with(scenario: &Scenario, duty: &Duty) -> Plans {
    let mut plans = Plans::default();
    for hotline in scenario.plans().hotlines {
        let hotline = Arc::new(Hotline { duty: duty.clone(), ..Hotline::clone(&hotline) });
        plans.by_number.extend(hotline.numbers.iter().map(|number| (number.clone(), Arc::clone(&hotline))));
        plans.hotlines.push(hotline);
    }
    plans
}

/// Who is held by a call that is over, since when.
#[derive(Default)]
struct Watch {
    orphaned: BTreeMap<AgentNo, Instant>,
}

impl Watch {
    fn check(&mut self, world: &World, seed: u64) {
        let now = world.now().mono;
        for (agent, state, _) in world.gateway.agents().all() {
            let over = match state {
                State::Available => false,
                State::Rung { call } | State::Talking { call } => !world.gateway.has_call(*call),
            };
            if !over {
                self.orphaned.remove(agent);
                continue;
            }
            let since = *self.orphaned.entry(agent.clone()).or_insert(now);
            assert!(now.since(since) <= LAST_MESSAGE, "seed {seed}: agent {agent} is kept by a call that is over");
        }
    }
}

fn anything(world: &mut World, agents: &[AgentNo], random: &mut Random) {
    let agent = agents[random.below(u32::try_from(agents.len()).unwrap()) as usize].clone();
    let order = match random.below(8) {
        0..=3 => Order::Ready,
        4 => Order::PauseFor(1),
        5 => Order::WrapUp,
        6 => Order::WrapUpOver,
        _ => Order::LogOut,
    };
    world.tell(Input::Order { ticket: 0, agent, order });
}

fn run(seed: u64) -> [usize; 5] {
    let duty = Duty {
        login: true,
        wrap_up: WRAP_UP,
        pause_reasons: vec!["lunch".to_owned()],
        longest_pause: Some(LONGEST_PAUSE),
        ..Duty::default()
    };
    let scenario = Scenario::random(seed, CALLS);
    let plans = plans_with(&scenario, &duty);
    let agents: Vec<AgentNo> = plans.hotlines.iter().flat_map(|h| h.everybody()).collect();
    let mut random = Random::from_number(seed);
    let mut world = World::new(plans.clone(), seed);
    (world.log_wire, world.network.weather, world.troubles) = (false, scenario.weather, scenario.troubles);
    let mut watch = Watch::default();
    supervise(&mut world, &agents);
    for agent in &agents {
        world.tell(Input::Order { ticket: 0, agent: agent.clone(), order: Order::Ready });
    }
    for _ in 0..CALLS {
        world.agents.expect((0..8).map(|_| scenario.staff.draw(&mut random)));
        let (patience, trick) = scenario.callers.draw(&mut random);
        world.call_as("139", &scenario.hotlines[0].number, patience, trick);
        let until = world.now().mono + scenario.callers.gap(&mut random);
        while world.next_at().is_some_and(|at| at <= until) && world.step() {
            watch.check(&world, seed);
        }
        world.pass_to(until);
        dial_a_code(&mut world, &agents, &mut random);
        match random.below(8) {
            0..=4 => anything(&mut world, &agents, &mut random),
            5 => world.network.weather = Weather { loss_permille: 1_000, ..scenario.weather },
            6 => world.network.weather = scenario.weather,
            _ => {
                world.reload(plans.clone());
                supervise(&mut world, &agents);
            }
        }
    }
    while world.step() {
        watch.check(&world, seed);
    }
    // Nothing moves any more: no call, no wrap-up, no pause that has an end.
    let done = DEEDS.map(|deed| world.facts.iter().filter(|f| deed(&f.what)).count());
    for (agent, state, presence) in world.gateway.agents().all() {
        if let State::Rung { call } | State::Talking { call } = state {
            let told: Vec<_> = world.facts.iter().filter(|fact| fact.call == *call).collect();
            panic!("seed {seed}: agent {agent} is {state:?}, and of the call it is told: {told:#?}");
        }
        let kind = presence.kind();
        assert!([Kind::Ready, Kind::Away, Kind::LoggedOut].contains(&kind), "seed {seed}: agent {agent} is {kind:?}");
    }
    // The facts alone tell the same.
    let mut last: BTreeMap<&AgentNo, &What> = BTreeMap::new();
    for (fact, n) in world.agent_facts.iter().zip(0..) {
        assert_eq!(fact.n, n, "seed {seed}: facts without a gap");
        if fact.what.presence(world.now()).is_some() {
            last.insert(&fact.agent, &fact.what);
        }
    }
    for (agent, what) in last {
        let told = what.presence(world.now());
        assert_eq!(told.as_ref(), world.gateway.agents().presence(agent), "seed {seed}: agent {agent}");
    }
    done
}

/// What the runs must hold enough of to tell anything.
const DEEDS: [fn(&CallFact) -> bool; 5] = [
    |what| matches!(what, CallFact::Connected),
    |what| matches!(what, CallFact::Parked { .. }),
    |what| matches!(what, CallFact::Unparked { .. }),
    |what| matches!(what, CallFact::Added { .. }),
    |what| matches!(what, CallFact::SupervisionStarted { .. }),
];

/// Everybody is a supervisor, with the PIN 1.
fn supervise(world: &mut World, agents: &[AgentNo]) {
    world
        .gateway
        .use_supervisors(agents.iter().map(|agent| (agent.clone(), Supervisor::of_all(Token::new("1")))).collect());
}

/// Somebody parks, picks up, calls somebody into the talk, listens or breaks in; a while later that phone hangs up.
fn dial_a_code(world: &mut World, agents: &[AgentNo], random: &mut Random) {
    let mut anybody = || agents[random.below(u32::try_from(agents.len()).unwrap()) as usize].clone();
    let other = anybody();
    let talking = world.gateway.agents().all().find(|(_, state, _)| matches!(state, State::Talking { .. }));
    let busy = talking.map_or_else(&mut anybody, |(agent, ..)| agent.clone());
    let free = anybody();
    let (by, code) = match random.below(10) {
        0 | 1 => (busy, "*48".to_owned()),
        2 => (free, format!("*49{}", 1 + random.below(2))),
        3..=7 => (busy, format!("*47{other}")),
        8 => (free, format!("*91{busy}*1")),
        _ => (free, format!("*93{busy}*1")),
    };
    let talk = Duration::from_secs(u64::from(random.below(60)));
    let patience = Patience { wait: Duration::from_secs(30), talk: Some(talk) };
    world.dial_as_agent(by.as_str(), &code, patience);
}

#[test]
fn nobody_is_stuck() {
    let all: Vec<[usize; 5]> = (0..60).map(run).collect();
    let sums: Vec<usize> = (0..5).map(|deed| all.iter().map(|run| run[deed]).sum()).collect();
    assert!(sums[0] > 100, "{} calls were answered: too few to tell anything", sums[0]);
    assert!(sums.iter().all(|deeds| *deeds >= 5), "answered, parked, unparked, added, supervised: {sums:?}");
}

#[test]
fn wrap_up_keeps_callers_away_and_ends_in_time() {
    let mut scenario = Scenario::random(1, 1);
    scenario.hotlines[0].around = Around::default();
    scenario.hotlines.truncate(1);
    scenario.hotlines[0].agents.truncate(1);
    scenario.hotlines[0].ring = Duration::from_secs(20);
    let duty = Duty { wrap_up: WRAP_UP, ..Duty::default() };
    let mut world = World::new(plans_with(&scenario, &duty), 1);
    let conduct = super::phone::Conduct {
        rings: true,
        then: super::phone::Then::Answer { after: Duration::from_secs(1), hang_up_after: None },
    };
    world.agents.expect([conduct, conduct]);
    let talk = Patience { wait: Duration::from_secs(60), talk: Some(Duration::from_secs(3)) };
    let number = scenario.hotlines[0].number.clone();
    let dial = |world: &mut World| world.call(&number, talk).expect("a call");
    dial(&mut world);
    world.run_for(Duration::from_secs(10));
    dial(&mut world);
    world.run_for(Duration::from_secs(5));
    dial_later(&mut world, &dial);
    let reasons: Vec<String> = world
        .facts
        .iter()
        .filter_map(|f| match &f.what {
            crate::call::fact::What::Ended { reason, .. } => Some(reason.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(reasons[0], "caller_hung_up");
    assert_ne!(reasons[1], "caller_hung_up", "the agent was left in peace");
    assert_eq!(reasons[2], "caller_hung_up", "and then was rung again");
    let kinds: Vec<&What> = world.agent_facts.iter().map(|fact| &fact.what).collect();
    assert!(matches!(kinds[..2], [What::WrapUp { call: Some(_), .. }, What::Ready { .. }]), "{kinds:?}");
    let [over, ready] = [&world.agent_facts[0], &world.agent_facts[1]];
    assert_eq!(Duration::from_nanos(ready.at.mono_ns - over.at.mono_ns), WRAP_UP, "to the nanosecond");
}

fn dial_later(world: &mut World, dial: &dyn Fn(&mut World) -> crate::protocol::sip::endpoint::SessionId) {
    world.run_for(WRAP_UP);
    dial(world);
    world.run_for(Duration::from_secs(60));
}
