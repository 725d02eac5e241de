//! The queue at its fullest: 1,000 callers wait for 100 agents. Each row's item is one step of the whole switch in virtual time,
//! the SIP of caller, agent and gateway included.

use std::time::Duration;

use hotline::call::fact::What;
use hotline::protocol::sip::endpoint::SessionId;
use hotline::sim::phone::{Conduct, Patience, Then, Trick};
use hotline::sim::world::World;

use crate::measure::{Report, timed};
use crate::signalling::{NUMBER, forget, insert, queueing_world};

const AGENTS: usize = 100;
const WAITING: usize = 1_000;
/// No step of the queue may take longer.
const BOUND: Duration = Duration::from_millis(1);

pub(crate) fn steps(report: &mut Report) {
    insert(report);
    let waiting = if report.is_measuring() { WAITING } else { 20 };
    let mut world = queueing_world(AGENTS);
    let talk = Duration::from_secs(300);
    world.agents.expect((0..AGENTS + waiting).map(|n| Conduct {
        rings: true,
        // They become free one after the other, twenty a second.
        then: Then::Answer { after: Duration::ZERO, hang_up_after: Some(talk + Duration::from_millis(50 * n as u64)) },
    }));
    let mut arriving = Vec::new();
    let mut sessions = Vec::new();
    for n in 0..AGENTS + waiting {
        let took = one_call(&mut world, n, &mut sessions);
        if n >= AGENTS {
            arriving.extend(took);
        }
    }
    let count = |world: &World, is: fn(&What) -> bool| world.facts.iter().filter(|f| is(&f.what)).count();
    assert_eq!(count(&world, |what| matches!(what, What::Queued { .. })), waiting, "all of them wait");
    assert_eq!(world.gateway.agents().queue.len(), waiting);
    tell(report, "a caller comes and waits", arriving);

    forget(&mut world);
    let announcing = steps_for(&mut world, Duration::from_secs(60));
    assert!(count(&world, |what| matches!(what, What::PlayStarted { .. })) >= waiting, "each was told the place");
    tell(report, "a caller is told the place", announcing);

    let leaving = sessions.iter().rev().take(waiting / 10).flat_map(|session| {
        let took = timed(|| world.hang_up(*session));
        std::iter::once(took).chain(steps_for(&mut world, Duration::from_millis(50))).collect::<Vec<_>>()
    });
    let leaving = leaving.collect();
    tell(report, "a caller leaves the queue", leaving);

    forget(&mut world);
    let serving = steps_for(&mut world, talk);
    let served = count(&world, |what| matches!(what, What::AgentAnswered { .. }));
    assert!(served >= waiting.min(AGENTS) / 2, "{served} were served");
    tell(report, "an agent becomes free, and the first is served", serving);
}

fn one_call(world: &mut World, n: usize, sessions: &mut Vec<SessionId>) -> Vec<Duration> {
    let stays = Patience { wait: Duration::from_secs(3_000), talk: None };
    let caller = format!("139{n:08}");
    let began = timed(|| sessions.extend(world.call_as(&caller, NUMBER, stays, Trick::None)));
    std::iter::once(began).chain(steps_for(world, Duration::from_millis(47))).collect()
}

/// What each step of this stretch of virtual time takes.
fn steps_for(world: &mut World, stretch: Duration) -> Vec<Duration> {
    let end = world.now().mono + stretch;
    let mut took = Vec::new();
    while world.next_at().is_some_and(|at| at <= end) {
        took.push(timed(|| {
            world.step();
        }));
    }
    world.run_for(end.since(world.now().mono));
    took
}

fn tell(report: &mut Report, item: &str, took: Vec<Duration>) {
    let over = took.iter().filter(|took| **took > BOUND).count();
    let all = took.len();
    report.costs(item, took.iter().map(|took| took.as_nanos() as f64).collect());
    report.note(&format!("{over} of {all} steps took more than 1 ms"));
}
