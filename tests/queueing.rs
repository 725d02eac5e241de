//! The queue against theory: random calls in virtual time wait as long as Erlang C and Erlang A say, within sampling error.

use std::collections::BTreeMap;
use std::time::Duration;

use hotline::call::fact::{Fact, What};
use hotline::cdr::{Outcome, Record};
use hotline::clock::Instant;
use hotline::gateway::Input;
use hotline::ids::{CallId, Random};
use hotline::protocol::sip::endpoint::SessionId;
use hotline::sim::phone::{Conduct, Patience, Then};
use hotline::sim::scenario::{Around, Line, Scenario};
use hotline::sim::world::World;

use hotline::dialplan::plan::{Next, Strategy};
use hotline::dialplan::scripts::By;

const AGENTS: usize = 5;
/// Mean length of a call in seconds, greeting included.
const SERVICE_S: f64 = 100.0;
const NUMBER: &str = "4008000000";
/// Calls of one batch; batches are far enough apart in time to count as independent.
const BATCH: usize = 160;
const BATCHES: usize = 12;

/// Exponential, by inversion.
fn exponential(random: &mut Random, mean_s: f64) -> Duration {
    let uniform = (f64::from(random.u32()) + 1.0) / (f64::from(u32::MAX) + 2.0);
    Duration::from_secs_f64(-uniform.ln() * mean_s)
}

fn world(seed: u64) -> World {
    let line = Line {
        id: "line".to_owned(),
        number: NUMBER.to_owned(),
        agents: (1..=AGENTS).map(|n| n.to_string()).collect(),
        strategy: Strategy::LongestIdle,
        ring: Duration::from_secs(60),
        nobody: Next::BusyTone,
        around: Around { queue: Some(Duration::from_secs(3_600)), ..Around::default() },
        late_by: By::Gateway,
    };
    let mut world = World::new(Scenario { hotlines: vec![line], ..Scenario::random(1, 1) }.plans(), seed);
    world.log_wire = false;
    world
}

/// What becomes of calls that arrive at random, `load` Erlang of them, from callers of this patience.
struct Run {
    world: World,
    random: Random,
    /// Callers who will give up, and when.
    leaving: BTreeMap<(Instant, SessionId), ()>,
    /// The calls in the order of their facts.
    calls: Vec<CallId>,
    facts: BTreeMap<CallId, Vec<Fact>>,
    sessions: Vec<SessionId>,
}

impl Run {
    fn of(load: f64, patience_s: Option<f64>) -> Vec<Record> {
        let random = Random::from_number(7);
        let (leaving, facts) = (BTreeMap::new(), BTreeMap::new());
        let mut run = Run { world: world(3), random, leaving, calls: Vec::new(), facts, sessions: Vec::new() };
        let mut next = run.world.now().mono;
        for _ in 0..BATCH * (BATCHES + 1) {
            next = next + exponential(&mut run.random, SERVICE_S / load);
            run.pass_to(next);
            let talk = exponential(&mut run.random, SERVICE_S);
            run.world.agents.expect([Conduct {
                rings: true,
                then: Then::Answer { after: Duration::ZERO, hang_up_after: Some(talk) },
            }]);
            let stays = Patience { wait: Duration::from_secs(7_000), talk: None };
            let session = run.world.call(NUMBER, stays).expect("a call");
            run.sessions.push(session);
            if let Some(mean_s) = patience_s {
                let gives_up = next + exponential(&mut run.random, mean_s);
                run.leaving.insert((gives_up, session), ());
            }
        }
        assert!(run.world.run_to_rest());
        run.take_facts();
        // Those that came first met an empty room.
        run.calls.iter().skip(BATCH).map(|id| Record::from_facts(&run.facts[id]).expect("a whole call")).collect()
    }

    /// Lets time pass; whoever has waited long enough leaves, unless an agent has answered.
    fn pass_to(&mut self, at: Instant) {
        while let Some(((when, session), ())) = self.leaving.first_key_value().map(|(k, v)| (*k, *v))
            && when <= at
        {
            self.leaving.pop_first();
            self.world.run_for(when.since(self.world.now().mono));
            self.take_facts();
            let place = self.sessions.iter().position(|s| *s == session).expect("a session");
            let answered = |f: &Fact| matches!(f.what, What::AgentAnswered { .. } | What::Ended { .. });
            let call = self.calls.get(place).and_then(|id| self.facts.get(id));
            if !call.is_some_and(|facts| facts.iter().any(answered)) {
                let now = self.world.now();
                self.world.trunk.hang_up(now, session);
                self.world.tell(Input::Timeout);
            }
        }
        self.world.run_for(at.since(self.world.now().mono));
        self.take_facts();
    }

    fn take_facts(&mut self) {
        for fact in std::mem::take(&mut self.world.facts) {
            if matches!(fact.what, What::Offered(_)) {
                self.calls.push(fact.call);
            }
            self.facts.entry(fact.call).or_default().push(fact);
        }
    }
}

/// Seconds in the queue; 0 for whoever found a free agent.
fn waited(record: &Record) -> f64 {
    record.queue.as_ref().and_then(|queue| queue.waited_ms).unwrap_or(0) as f64 / 1_000.0
}

/// The mean of a figure over calls, and its standard error by batch means.
fn estimate(records: &[Record], figure: impl Fn(&Record) -> f64) -> (f64, f64) {
    let means: Vec<f64> =
        records.chunks(BATCH).map(|batch| batch.iter().map(&figure).sum::<f64>() / batch.len() as f64).collect();
    let n = means.len() as f64;
    let mean = means.iter().sum::<f64>() / n;
    let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Three standard errors: of a thousand sound runs three fall outside, and these are the same with every run of the test.
fn agrees(what: &str, (mean, error): (f64, f64), theory: f64) {
    assert!(error < theory / 4.0, "{what}: the sample says nothing: {mean} ± {error}");
    assert!((mean - theory).abs() < 3.0 * error, "{what}: {mean} ± {error}, and theory says {theory}");
}

/// The stationary distribution of calls in the system: `agents` serve, whoever waits leaves at `leave` a mean service time.
fn distribution(load: f64, leave: f64) -> Vec<f64> {
    let mut weights = vec![1.0];
    for n in 1..2_000_usize {
        let busy = n.min(AGENTS) as f64;
        let waiting = n.saturating_sub(AGENTS) as f64;
        weights.push(weights[n - 1] * load / (busy + waiting * leave));
    }
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

/// Probability of waiting, and mean number of those who wait.
fn theory(load: f64, leave: f64) -> (f64, f64) {
    let p = distribution(load, leave);
    let waiting = p.iter().enumerate().map(|(n, p)| n.saturating_sub(AGENTS) as f64 * p).sum();
    (p[AGENTS..].iter().sum(), waiting)
}

#[test]
fn waits_are_those_of_erlang_c() {
    let load = 3.5;
    let records = Run::of(load, None);
    let (probability, waiting) = theory(load, 0.0);
    // The closed form, against the sum: 5 agents and 3.5 Erlang (Erlang 1917).
    let b = (0..=AGENTS).fold((1.0, 1.0), |(term, sum), n| {
        if n == 0 { (1.0, 1.0) } else { (term * load / n as f64, sum + term * load / n as f64) }
    });
    let blocking = b.0 / b.1;
    let rho = load / AGENTS as f64;
    assert!((probability - blocking / (1.0 - rho * (1.0 - blocking))).abs() < 1e-9);
    assert!(records.iter().all(|r| r.outcome == Some(Outcome::Answered)));
    agrees("who waits", estimate(&records, |r| f64::from(u8::from(r.queue.is_some()))), probability);
    agrees("seconds waited", estimate(&records, waited), waiting * SERVICE_S / load);
}

#[test]
fn waits_and_abandons_are_those_of_erlang_a() {
    // More calls than the agents could ever serve; patience of half a call.
    let (load, patience_s) = (6.0, 50.0);
    let records = Run::of(load, Some(patience_s));
    let (probability, waiting) = theory(load, SERVICE_S / patience_s);
    let abandoned = |r: &Record| f64::from(u8::from(r.outcome != Some(Outcome::Answered)));
    agrees("who waits", estimate(&records, |r| f64::from(u8::from(r.queue.is_some()))), probability);
    agrees("seconds waited", estimate(&records, waited), waiting * SERVICE_S / load);
    agrees("who leaves", estimate(&records, abandoned), waiting * SERVICE_S / patience_s / load);
}
