//! Random callers, agents and weather by seed: what must hold, holds after every step.

use std::collections::BTreeMap;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hotline::dialplan::plan::{Next, Strategy};
use hotline::dialplan::scripts::By;
use hotline::sim::invariants::Invariants;
use hotline::sim::network::Weather;
use hotline::sim::oracle::Script;
use hotline::sim::phone::{Conduct, Patience, Then};
use hotline::sim::run::{run, shrink};
use hotline::sim::scenario::{Around, Line, Scenario, Span};
use hotline::sim::world::{Troubles, World};
use tracing::{Event, Level, Metadata, Subscriber, span};

const CALLS_PER_WORLD: u32 = 40;

/// Counts ERROR logs; nothing else is looked at.
struct Errors;

static ERRORS: AtomicUsize = AtomicUsize::new(0);

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {
        ERRORS.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn watch_errors() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Errors).expect("the first subscriber"));
}

/// How many calls there were of each outcome, of each reason, and with a hold.
type Seen = BTreeMap<String, usize>;

/// The worlds of these seeds.
fn worlds(seeds: std::ops::Range<u64>) -> Seen {
    worlds_of(seeds, |seed| Scenario::random(seed, CALLS_PER_WORLD))
}

fn worlds_of(seeds: std::ops::Range<u64>, scenario: impl Fn(u64) -> Scenario) -> Seen {
    watch_errors();
    let mut seen = Seen::new();
    for seed in seeds {
        let scenario = scenario(seed);
        let errors = ERRORS.load(Ordering::Relaxed);
        let result = run(&scenario);
        if result.failed() || ERRORS.load(Ordering::Relaxed) > errors {
            let least = shrink(&scenario);
            let again = run(&least);
            panic!(
                "seed {seed} fails (replay: HOTLINE_SEED={seed} cargo test --test simulation one_seed)\n{:#?}\n\
                 {} errors logged\nfewest calls: {}: {:#?}\n{least:#?}",
                result.violations,
                ERRORS.load(Ordering::Relaxed) - errors,
                least.calls,
                again.violations,
            );
        }
        *seen.entry("joined".to_owned()).or_default() += result.joined.0;
        *seen.entry("joined while ringing".to_owned()).or_default() += result.joined.1;
        // In bad weather now and then nothing of a caller's INVITE arrives, or they vanish before it does.
        // Callers who try again make more calls than the world was to have.
        let lost = (CALLS_PER_WORLD as usize).saturating_sub(result.records.len());
        assert!(
            lost == 0 || scenario.weather != Weather::FINE || scenario.troubles != Troubles::default(),
            "seed {seed}: {lost} calls were not offered"
        );
        for record in result.records {
            let (outcome, reason) = (record.outcome.expect("an outcome"), record.reason.expect("a reason"));
            let held = if record.holds > 0 { "held" } else { "not held" };
            let handed_on = if record.segments.len() > 1 { "handed on" } else { "not handed on" };
            if record.queue.is_some() {
                *seen.entry("queued".to_owned()).or_default() += 1;
            }
            for what in [outcome.to_string(), reason.to_string(), held.to_owned(), handed_on.to_owned()] {
                *seen.entry(what).or_default() += 1;
            }
        }
    }
    seen
}

#[test]
fn random_worlds() {
    let seen = worlds(0..75);
    // What never happens is not tried.
    for what in [
        "answered",
        "short_abandoned",
        "abandoned",
        "failed",
        "caller_hung_up",
        "agent_hung_up",
        "session_lost",
        "media_timeout",
        "trunk_fault",
        "shutdown",
        "agents_busy",
        "agents_declined",
        "no_answer",
        "agents_mixed",
        "agents_unreachable",
        "held",
        "handed on",
        "queued",
        "message_left",
    ] {
        assert!(seen.get(what).is_some_and(|n| *n > 0), "{what}: {seen:?}");
    }
}

/// Agents who ask colleagues before they hand callers on, in all weathers: with few callers, so that colleagues are free.
#[test]
fn worlds_of_agents_who_consult() {
    let seen = worlds_of(0..16, |seed| {
        let mut scenario = Scenario::random(seed, CALLS_PER_WORLD);
        scenario.hotlines.truncate(1);
        scenario.hotlines[0].agents = ["1", "2", "3", "4", "5", "6"].map(str::to_owned).into();
        scenario.hotlines[0].ring = Duration::from_secs(20);
        let callers = &mut scenario.callers;
        (callers.every, callers.patience) = (Duration::from_secs(25), Span::secs(20.0, 60.0));
        callers.talk = Span::secs(20.0, 90.0);
        let staff = &mut scenario.staff;
        (staff.pickup, staff.talk) = (Span::secs(0.5, 12.0), Span::secs(0.5, 10.0));
        (staff.hand_on, staff.consult) = (10, 70);
        (staff.ignore, staff.busy, staff.decline, staff.unavailable) = (5, 5, 5, 5);
        scenario
    });
    for what in ["handed on", "joined", "joined while ringing", "held", "transfer_failed"] {
        assert!(seen.get(what).is_some_and(|n| *n > 2), "{what}: {seen:?}");
    }
}

/// 1,000 reloads while 100 calls are up, with other agents, hotlines and strategies each time.
#[test]
fn a_thousand_reloads_drop_no_call() {
    watch_errors();
    let line = |number: usize, agents: std::ops::Range<usize>, strategy| Line {
        id: format!("line{number}"),
        number: format!("40080{number:05}"),
        agents: agents.map(|agent| agent.to_string()).collect(),
        strategy,
        ring: Duration::from_secs(20),
        nobody: Next::BusyTone,
        around: Around::default(),
        late_by: By::Gateway,
    };
    let plans = |hotlines: Vec<Line>| Scenario { hotlines, ..Scenario::random(1, 1) }.plans();
    let mut world = World::new(plans(vec![line(0, 0..100, Strategy::InOrder)]), 5);
    world.log_wire = false;
    let mut invariants = Invariants::default();
    let talks = Then::Answer { after: Duration::from_millis(300), hang_up_after: None };
    world.agents.expect((0..100).map(|_| Conduct { rings: true, then: talks }));
    for _ in 0..100 {
        let patience = Patience { wait: Duration::from_secs(60), talk: Some(Duration::from_secs(900)) };
        world.call("4008000000", patience).expect("a call");
    }
    let mut run = |world: &mut World, d| {
        world.run_for(d);
        invariants.check(world);
        assert_eq!(invariants.violations, [""; 0]);
        (invariants.offered, invariants.ended)
    };
    // All are offered and ring when the first reload comes.
    assert_eq!(run(&mut world, Duration::from_millis(100)), (100, 0));
    assert_eq!(world.gateway.agents().taken(), 100);
    for turn in 0..1_000 {
        let strategy = Strategy::WORDS[turn % Strategy::WORDS.len()].1;
        // Now and then the hotline, all its agents or both are gone.
        let hotlines = match turn % 3 {
            0 => vec![line(turn, 200..210, strategy)],
            1 => vec![line(0, turn % 90..turn % 90 + 10, strategy), line(turn, 0..50, strategy)],
            _ => vec![line(0, 0..100, strategy)],
        };
        world.reload(plans(hotlines));
        assert_eq!(run(&mut world, Duration::from_millis(500)), (100, 0), "after reload {turn}");
    }
    assert_eq!(world.gateway.agents().taken(), 100, "each in the call of before");
    world.reload(plans(vec![line(7, 0..10, Strategy::InOrder)]));
    assert!(world.run_to_rest());
    invariants.check(&mut world);
    invariants.check_rest(&world);
    assert_eq!(invariants.violations, [""; 0]);
    let talked = |r: &&hotline::cdr::Record| r.reason == Some(hotline::call::reason::Reason::CallerHungUp);
    assert_eq!(invariants.records.iter().filter(talked).count(), 100, "all of them to their end");
    assert_eq!(world.gateway.agents().available(), 10, "those who were dropped are forgotten");
    assert_eq!(ERRORS.load(Ordering::Relaxed), 0);
}

#[test]
fn one_seed() {
    if let Some(seed) = std::env::var("HOTLINE_SEED").ok().and_then(|seed| seed.parse().ok()) {
        worlds(seed..seed + 1);
    }
}

/// The measure of the README: 100,000 calls. `cargo test --release --test simulation -- --ignored --nocapture`
#[test]
#[ignore = "long; for release builds"]
#[allow(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures the machine")]
fn a_hundred_thousand_calls() {
    let from: u64 = std::env::var("HOTLINE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_000);
    let begin = std::time::Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let each = 100_000 / u64::from(CALLS_PER_WORLD) / threads;
    let begun: Vec<_> =
        (0..threads).map(|i| std::thread::spawn(move || worlds(from + i * each..from + (i + 1) * each))).collect();
    let seen: Vec<_> = begun.into_iter().map(|thread| thread.join().expect("no seed fails")).collect();
    let calls: usize = seen.iter().map(|s| s["held"] + s["not held"]).sum();
    println!("{calls} calls in {:.1} s on {threads} threads: {seen:#?}", begin.elapsed().as_secs_f64());
}

/// The naive model and the switch say the same of calls that come one after the other, and of calls that meet.
#[test]
fn the_oracle_agrees() {
    watch_errors();
    for (gap, at_least) in [(Span::secs(400.0, 500.0), 95), (Span::secs(1.0, 30.0), 60)] {
        let (mut checked, mut abstained) = (0, 0);
        for seed in 0..60 {
            let tried = Script::random(seed, 12, gap).play(seed);
            assert!(tried.differences.is_empty(), "seed {seed}, {gap:?}: {:#?}", tried.differences);
            checked += tried.checked;
            abstained += tried.abstained;
        }
        assert!(checked * 100 >= (checked + abstained) * at_least, "{checked} checked, {abstained} abstained");
    }
    assert_eq!(ERRORS.load(Ordering::Relaxed), 0);
}

fn simulate(args: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hotline"));
    command.arg("simulate").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("the binary runs")
}

#[test]
fn the_command_prints_the_figures_and_the_same_seed_gives_the_same() {
    let example = "fixtures/scenarios/monday.toml";
    let run = |seed| simulate(&[example, "--calls", "60", "--seed", seed]);
    let first = run("7");
    let text = String::from_utf8_lossy(&first.stdout).into_owned();
    assert_eq!(first.status.code(), Some(0), "{text}");
    for part in ["Offered 60: ", "Service level", "Ring to answer: mean", "Talk: mean", "seed 7\n", "No violation"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(run("7").stdout, first.stdout);
    assert_ne!(run("8").stdout, first.stdout);
}

#[test]
fn a_wrong_scenario_is_refused_with_its_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("s.toml");
    std::fs::write(&file, "[network]\nlos_percent = 3\n").expect("a file");
    let out = simulate(&[file.to_str().expect("a name")]);
    assert_eq!(out.status.code(), Some(64));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        said.contains("s.toml:2: unknown key \"los_percent\" in [network]: did you mean \"loss_percent\"?"),
        "{said}"
    );
    assert_eq!(simulate(&["no-such-file.toml"]).status.code(), Some(64));
}
