use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::assign::{Assignment, Load, Reviewer, assign};
use super::frame::{Bounds, Excluded, Frame, Recording, Row, whose};
use super::lot::{Drawn, Reached, draw};
use super::policy::Policy;
use super::seed::{Seed, Ticket};
use super::{export, replace};
use crate::call::reason::{EndedBy, Reason};
use crate::cdr::{Outcome, Record, Segment};
use crate::clock::Wall;
use crate::dialplan::plan::{Hotline, Plans};
use crate::ids::{AgentNo, CallId, HotlineId, Random};
use crate::ledger::story::{self, Story};

/// 2026-11-01T00:00 in Shanghai.
const FROM: i64 = 1_793_462_400_000_000;
const DAY: i64 = 86_400_000_000;
const TO: i64 = FROM + 30 * DAY;

fn wall(day: f64) -> Wall {
    Wall::from_micros(FROM + (day * DAY as f64) as i64)
}

fn bounds(day: f64) -> Bounds {
    let (from, to) = (Wall::from_micros(FROM), Wall::from_micros(TO));
    Bounds { period: "2026-11".to_owned(), from, to, now: wall(day), cut: None, committed: from }
}

fn row(random: &mut Random, day: f64, agent: &str) -> Row {
    let offered = wall(day);
    let agent = AgentNo::from(agent);
    Row {
        call: CallId::new(offered, random),
        hotline: HotlineId::from("property"),
        offered,
        closed: true,
        outcome: Some(Outcome::Answered),
        agent: Some(agent),
        talk_ms: 60_000,
        recording: Recording::Whole,
        removed: None,
        caller: Some(random.bytes()),
        class: None,
    }
}

/// `calls` of a month, at random hours, of so many agents.
fn month(seed: u64, calls: usize, agents: u32) -> Vec<Row> {
    let mut random = Random::from_number(seed);
    let mut days: Vec<f64> = (0..calls).map(|_| f64::from(random.below(30_000)) / 1_000.0).collect();
    days.sort_by(f64::total_cmp);
    days.into_iter()
        .map(|day| {
            let agent = (1 + random.below(agents)).to_string();
            row(&mut random, day, &agent)
        })
        .collect()
}

fn shanghai(_: &HotlineId) -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

fn frame(policy: &Policy, rows: &[Row], day: f64) -> Frame {
    Frame::of(policy, &bounds(day), rows, shanghai)
}

fn seed(n: u64) -> Seed {
    Seed::new(Random::from_number(n).bytes())
}

fn drawn(rows: &[Row], n: u64) -> Drawn {
    let policy = Policy::default();
    draw(&policy, &seed(n), &frame(&policy, rows, 30.0), &BTreeMap::new())
}

#[test]
fn every_agent_gets_the_target_spread_over_the_month() {
    let rows = month(1, 3_000, 12);
    let found = drawn(&rows, 1);
    assert_eq!(found.picks.len(), 60);
    assert_eq!(found.lacking, BTreeMap::new());
    let calls: BTreeSet<CallId> = found.picks.iter().map(|pick| pick.call).collect();
    assert_eq!(calls.len(), 60);
    let day = |call: CallId| {
        let row = rows.iter().find(|row| row.call == call).unwrap();
        (row.offered.as_micros() - FROM) / DAY
    };
    for agent in 1..=12 {
        let days: Vec<i64> = found
            .picks
            .iter()
            .filter(|pick| pick.agent.as_str() == agent.to_string())
            .map(|pick| day(pick.call))
            .collect();
        // One in each fifth of the agent's calls, in order: some six days each.
        assert!(days.is_sorted() && days[4] - days[0] > 10, "{days:?}");
    }
}

/// Drawn day by day, by the week or at once: an agent gets the same number, and never a call twice.
#[test]
fn draws_go_on_where_the_last_one_ended() {
    let policy = Policy::default();
    let rows = month(2, 900, 6);
    for days in [1.0, 6.0, 7.5] {
        let (mut reached, mut picks) = (BTreeMap::new(), Vec::new());
        let mut day = 0.0;
        while day < 30.0 {
            day += days;
            let seen: Vec<Row> = rows.iter().filter(|row| row.offered < wall(day)).cloned().collect();
            let now = draw(&policy, &seed(4), &frame(&policy, &seen, day.min(30.0)), &reached);
            // All of what is due so far, and nothing before it is.
            let due = (5.0 * day.min(30.0) / 30.0) as usize;
            reached = now.reached;
            picks.extend(now.picks);
            assert!(picks.len() <= due * 6, "day {day}: {}", picks.len());
        }
        let calls: BTreeSet<CallId> = picks.iter().map(|pick| pick.call).collect();
        assert_eq!((picks.len(), calls.len()), (30, 30), "every {days} days");
    }
}

#[test]
fn an_agent_with_fewer_calls_than_the_target_is_heard_in_all_of_them_and_the_rest_is_named() {
    let mut random = Random::from_number(3);
    let rows: Vec<Row> = [2.0, 3.0, 20.0].map(|day| row(&mut random, day, "8")).into();
    let found = drawn(&rows, 1);
    assert_eq!(found.picks.len(), 3);
    assert_eq!(found.lacking, [(AgentNo::from("8"), 2)].into());
    // What lacks is made up for by later calls.
    let policy = Policy::default();
    let mid = draw(&policy, &seed(1), &frame(&policy, &rows[..2], 18.0), &BTreeMap::new());
    assert_eq!((mid.picks.len(), mid.lacking.clone()), (2, [(AgentNo::from("8"), 1)].into()));
    let more: Vec<Row> = (0..9).map(|n| row(&mut random, 21.0 + f64::from(n), "8")).collect();
    let rest = draw(&policy, &seed(1), &frame(&policy, &[rows, more].concat(), 30.0), &mid.reached);
    assert_eq!((rest.picks.len(), rest.lacking), (3, BTreeMap::new()));
}

/// Each reason, alone; the frame and its exclusions are together all calls of the period.
#[test]
fn calls_are_left_out_for_one_counted_reason() {
    let policy = Policy { unscored: [AgentNo::from("9")].into(), ..Policy::default() };
    let mut random = Random::from_number(5);
    let mut with = |change: &dyn Fn(&mut Row)| {
        let mut made = row(&mut random, 10.0, "8");
        change(&mut made);
        made
    };
    let rows = vec![
        with(&|_| {}),
        with(&|row| row.outcome = Some(Outcome::Abandoned)),
        with(&|row| row.offered = wall(1.0)),
        with(&|row| row.agent = Some(AgentNo::from("9"))),
        with(&|row| row.talk_ms = 19_999),
        with(&|row| row.recording = Recording::None),
        with(&|row| row.recording = Recording::Partial),
        with(&|row| row.removed = Some(wall(12.0))),
        // Removed after the draw: it had its chance.
        with(&|row| row.removed = Some(wall(20.5))),
        with(&|row| row.offered = wall(-1.0)),
        with(&|row| row.offered = wall(31.0)),
    ];
    let found = Frame::of(&policy, &Bounds { committed: wall(2.0), ..bounds(20.0) }, &rows, shanghai);
    let counts: Vec<u64> = found.exclusions().into_values().collect();
    assert_eq!(counts, [1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(found.exclusions().into_keys().collect::<Vec<_>>().first(), Some(&Excluded::NotAnswered));
    assert_eq!(found.candidates.len() + found.excluded.len(), 9);
}

/// A call that is not closed yet holds the frame back, so that long calls are not left out.
#[test]
fn an_open_call_and_those_after_it_wait_for_the_next_draw() {
    let policy = Policy::default();
    let mut rows = month(6, 100, 2);
    rows[60].closed = false;
    let cut = frame(&policy, &rows, 30.0).cut;
    assert_eq!(cut, rows[60].offered);
    rows[60].closed = true;
    assert_eq!(frame(&policy, &rows, 30.0).cut, Wall::from_micros(TO));
    // Computed again with the old cut it is the old frame.
    let again = Frame::of(&policy, &Bounds { cut: Some(cut), ..bounds(30.0) }, &rows, shanghai);
    assert_eq!((again.cut, again.candidates.len()), (cut, 60));
}

#[test]
fn a_call_is_that_agents_who_talked_longest_in_it() {
    let story = Story::talking(7).ended(64_000, Reason::CallerHungUp, EndedBy::Caller);
    let mut record = Record::from_facts(&story.facts()).unwrap();
    assert_eq!(whose(&record), Some(&AgentNo::from("8")));
    let had = |agent: &str, talk_ms| Segment { agent: agent.into(), talk_ms, ..record.segments[0].clone() };
    let longest = |segments: Vec<Segment>| whose(&Record { segments, ..record.clone() }).cloned();
    let segments = vec![had("8", Some(60_000)), had("9", Some(90_000)), had("7", Some(90_000)), had("6", None)];
    assert_eq!(longest(segments), Some(AgentNo::from("9")));
    assert_eq!(longest(vec![had("6", None), had("7", None)]), Some(AgentNo::from("6")));
    record.agent = None;
    assert_eq!(whose(&record), None, "one segment is that of whoever answered");
}

#[test]
fn strata_of_shift_busy_hour_class_and_repeat_caller() {
    let policy = Policy { weights: [("class=complaint".to_owned(), 3)].into(), ..Policy::default() };
    let mut random = Random::from_number(8);
    let hour = |hour: f64| 4.0 + hour / 24.0;
    let mut rows: Vec<Row> = [9.1, 9.2, 9.3, 10.1, 21.0, 22.0, 23.0].map(|at| row(&mut random, hour(at), "8")).into();
    rows[3].caller = rows[0].caller;
    rows[4].class = Some("complaint".to_owned());
    let found = frame(&policy, &rows, 30.0);
    let strata: Vec<(&str, u32)> =
        found.candidates.iter().map(|found| (found.stratum.as_str(), found.weight)).collect();
    assert_eq!(
        strata,
        [
            ("day/busy/-/first", 1),
            ("day/busy/-/first", 1),
            ("day/busy/-/first", 1),
            ("day/quiet/-/repeat", 1),
            ("night/quiet/complaint/first", 3),
            ("night/quiet/-/first", 1),
            ("night/quiet/-/first", 1),
        ]
    );
}

/// Over many seeds the weighted mean of what is drawn is the mean of the frame, though night calls score lower, weigh more, and
/// grow more frequent; the plain mean is not.
#[test]
fn draws_are_unbiased() {
    let policy = Policy { weights: [("shift=night".to_owned(), 4)].into(), ..Policy::default() };
    let mut random = Random::from_number(9);
    let mut rows: Vec<Row> = (0..400)
        .map(|n| {
            let night = random.below(400) < n / 2;
            let hour = if night { 22.0 } else { 10.0 };
            row(&mut random, f64::from(n * 30 / 400) + hour / 24.0 + f64::from(n % 13) * 1e-4, "8")
        })
        .collect();
    rows.sort_by_key(|row| row.offered);
    let found = frame(&policy, &rows, 30.0);
    let score = |call: CallId| {
        let at = found.candidates.iter().position(|found| found.call == call).unwrap();
        let night = found.candidates[at].stratum.starts_with("night");
        95.0 - at as f64 / 20.0 - if night { 25.0 } else { 0.0 }
    };
    let n = found.candidates.len() as f64;
    let truth = found.candidates.iter().map(|found| score(found.call)).sum::<f64>() / n;
    let (mut weighted, mut plain) = (Vec::new(), 0.0);
    const SEEDS: u64 = 4_000;
    for n_seed in 0..SEEDS {
        let picks = draw(&policy, &seed(n_seed), &found, &BTreeMap::new()).picks;
        weighted.push(picks.iter().map(|pick| pick.inverse_probability() * score(pick.call)).sum::<f64>() / n);
        plain += picks.iter().map(|pick| score(pick.call)).sum::<f64>() / picks.len() as f64 / SEEDS as f64;
    }
    let mean = weighted.iter().sum::<f64>() / SEEDS as f64;
    let variance = weighted.iter().map(|found| (found - mean).powi(2)).sum::<f64>() / (SEEDS - 1) as f64;
    let error = (variance / SEEDS as f64).sqrt();
    assert!((mean - truth).abs() < 3.5 * error, "{mean} is not {truth} ± {error}");
    assert!((plain - truth).abs() > 20.0 * error, "the weights would not matter: {plain}, {truth}");
}

/// With equal weights a stratum is drawn as often as it is large, in each draw within one call.
#[test]
fn strata_are_drawn_in_proportion() {
    let policy = Policy::default();
    let mut random = Random::from_number(10);
    // Two calls in five are at night, throughout.
    let rows: Vec<Row> = (0..300)
        .map(|n| row(&mut random, f64::from(n) / 10.0 + if n % 5 < 2 { 0.9 } else { 0.4 } / 10.0, "8"))
        .map(|mut row| {
            let night = (row.offered.as_micros() - FROM) / (DAY / 10) % 5 < 2;
            row.class = Some(if night { "b" } else { "a" }.to_owned());
            row
        })
        .collect();
    let found = frame(&Policy { shifts: Vec::new(), ..policy.clone() }, &rows, 30.0);
    for n in 0..200 {
        let picks = draw(&policy, &seed(n), &found, &BTreeMap::new()).picks;
        let second = picks.iter().filter(|pick| pick.stratum.contains("/b/")).count();
        assert!((1..=3).contains(&second), "{second} of 5");
    }
}

#[test]
fn one_pick_in_ten_is_scored_twice() {
    let rows = month(11, 20_000, 400);
    let found = drawn(&rows, 3);
    let twice = found.picks.iter().filter(|pick| pick.second).count();
    // 2,000 picks: 200 ± 4 standard deviations.
    assert!((147..=253).contains(&twice), "{twice} of {}", found.picks.len());
}

/// Values computed with Python's hashlib and hmac.
#[test]
fn seeds_and_tickets_as_anybody_computes_them() {
    let seed = Seed::new(std::array::from_fn(|n| n as u8));
    // Before the policy was committed to, it was the seed alone.
    let old = Policy { version: 1, ..Policy::default() };
    assert_eq!(old.commitment("{}", &seed), "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd");
    let bound = "d09a28bd7982ab5a1a0fe2a23ddb9c99f837f1b0b52aa1c7d30d4221156fd158";
    assert_eq!(Policy::default().commitment("{}", &seed), bound);
    let call: CallId = "019aa000-0000-7000-8000-000000000001".parse().unwrap();
    assert_eq!(seed.ticket(call).to_string(), "eda003974ce6ae83dfb696ba4c80b412f4f9962c5e939476500587150ae4c6da");
    assert_eq!(seed.ticket(call).modulo(10), 4);
    assert_eq!(seed.start("2026-11", &AgentNo::from("8")), 856_175_125_125_518_337);
    assert_eq!(seed.reveal().parse::<Seed>(), Ok(seed.clone()));
    assert!("00".parse::<Seed>().is_err() && "zz".repeat(32).parse::<Seed>().is_err());
    assert_eq!(format!("{seed:?}"), "Seed");
}

#[test]
fn replacements_come_from_the_same_part_in_the_order_of_the_lot() {
    let rows = month(12, 200, 2);
    let found = drawn(&rows, 5);
    let (pick, part) = (&found.picks[2], &found.parts[2].calls);
    let mut used: BTreeSet<CallId> = [pick.call].into();
    let mut order: Vec<(bool, Ticket)> = Vec::new();
    while let Some(next) = replace::next(&seed(5), part, &pick.stratum, &used) {
        assert!(used.insert(next.call) && part.contains(&next));
        order.push((next.stratum != pick.stratum, seed(5).ticket(next.call)));
    }
    assert_eq!(used.len(), part.len());
    assert!(order.is_sorted(), "first its own stratum, then the rest, each by ticket");
    // 60 picks: the first six replacements are free.
    let free = (0..10).take_while(|replaced| !replace::needs_consent(*replaced, 60)).count();
    assert_eq!(free, 6);
    assert!(replace::needs_consent(0, 9));
}

#[test]
fn nobody_scores_own_calls_or_the_same_call_twice_and_work_is_even() {
    let rows = month(13, 4_000, 40);
    let picks = drawn(&rows, 6).picks;
    let reviewer = |name: &str, agent: Option<&str>| Reviewer {
        name: name.to_owned(),
        agent: agent.map(AgentNo::from),
        not_of: Vec::new(),
    };
    let reviewers = [reviewer("wang", Some("3")), reviewer("li", None), reviewer("zhao", None)];
    let mut load = Load::default();
    let given = assign(&picks, &reviewers, &mut load);
    let of = |name: &str| given.iter().filter(|given| given.reviewer.as_deref() == Some(name)).collect::<Vec<_>>();
    let counts = ["wang", "li", "zhao"].map(|name| of(name).len());
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 2, "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), picks.len() + picks.iter().filter(|pick| pick.second).count());
    assert!(of("wang").iter().all(|given| given.agent.as_str() != "3"));
    for Assignment { call, reviewer, second, .. } in &given {
        let other = given.iter().find(|other| other.call == *call && other.second != *second);
        assert!(other.is_none_or(|other| other.reviewer != *reviewer), "{call}");
    }
    // Of an agent's five nobody has more than three, though each may have half.
    for ((name, agent), n) in &load.on {
        assert!(*n <= 3, "{name} has {n} of {agent}");
    }
    let alone = assign(&picks[..1], &reviewers[..1], &mut Load::default());
    assert_eq!(alone[0].reviewer.is_some(), picks[0].agent.as_str() != "3");
}

/// Nothing but the frame and the seed counts: not the order in which the rows came, not what was drawn of others.
#[test]
fn the_same_frame_gives_the_same_draw() {
    let rows = month(14, 800, 8);
    let whole = drawn(&rows, 7);
    assert_eq!(whole, drawn(&rows, 7));
    assert_ne!(whole.picks, drawn(&rows, 8).picks);
    let mut others = rows.clone();
    others.retain(|row| row.agent.as_ref().is_some_and(|agent| agent.as_str() == "5"));
    let policy = Policy::default();
    let mut alone = frame(&policy, &rows, 30.0);
    alone.candidates.retain(|found| found.agent.as_str() == "5");
    let of_five = draw(&policy, &seed(7), &alone, &BTreeMap::<AgentNo, Reached>::new()).picks;
    let expected: Vec<_> = whole.picks.iter().filter(|pick| pick.agent.as_str() == "5").cloned().collect();
    assert_eq!(of_five, expected);
}

/// Complaints are told apart from other calls, and may weigh more; months that were committed to before know nothing of it.
#[test]
fn a_class_is_a_stratum_of_its_own() {
    let mut rows = month(31, 400, 1);
    rows.iter_mut().step_by(4).for_each(|row| row.class = Some("complaint".to_owned()));
    let policy = Policy { weights: [("class=complaint".to_owned(), 9)].into(), ..Policy::default() };
    let found = frame(&policy, &rows, 30.0);
    let complaints = found.candidates.iter().filter(|found| found.stratum.contains("/complaint/"));
    assert!(complaints.clone().all(|found| found.weight == 9) && complaints.count() == 100);
    let picked: usize = (0..40)
        .map(|n| {
            let drawn = draw(&policy, &seed(n), &found, &BTreeMap::new());
            drawn.picks.iter().filter(|pick| pick.stratum.contains("/complaint/")).count()
        })
        .sum();
    // Of 200 picks three in four: 9 × 100 against 300. Four standard deviations of a plain draw.
    assert!((126..=174).contains(&picked), "{picked}");
    let old = frame(&Policy { version: 1, ..policy }, &rows, 30.0);
    assert!(old.candidates.iter().all(|found| found.stratum.contains("/-/") && found.weight == 1));
    let odd = frame(&Policy::default(), &[Row { class: Some("a/b,c\n\"d".to_owned()), ..rows[0].clone() }], 30.0);
    assert!(odd.candidates[0].stratum.contains("/a_b_c__d/"), "{}", odd.candidates[0].stratum);
}

/// A dialplan asks for fewer calls of its agents, or more; whoever answers for two hotlines is heard as often as the stricter one asks.
#[test]
fn hotlines_have_quotas_of_their_own() {
    let mut plans = story::plans();
    let hotline = |agents: &[&str], quota| {
        let mut hotline = Hotline::clone(&story::plans().hotlines[0]);
        hotline.agents.numbers = agents.iter().map(|agent| AgentNo::from(*agent)).collect();
        hotline.after.quota = quota;
        Arc::new(hotline)
    };
    plans.hotlines = vec![hotline(&["1", "2"], Some(1)), hotline(&["2", "3"], Some(3)), hotline(&["1", "4"], None)];
    let usual = Policy { target: 4, minimum: 2, ..Policy::default() };
    let policy = usual.clone().with_quotas_of(&plans);
    let of = |agent: &str| (policy.target_of(&agent.into()), policy.minimum_of(&agent.into()));
    assert_eq!(["1", "2", "3", "4"].map(of), [(1, 1), (3, 2), (3, 2), (4, 2)]);
    assert_eq!(policy.version, 3);
    let rows = month(32, 600, 4);
    let mut drawn: BTreeMap<AgentNo, u32> = BTreeMap::new();
    for pick in draw(&policy, &seed(1), &frame(&policy, &rows, 30.0), &BTreeMap::new()).picks {
        *drawn.entry(pick.agent).or_default() += 1;
    }
    assert_eq!(drawn.into_values().collect::<Vec<_>>(), [1, 3, 3, 4]);
    // Without any the policy is, to the letter, what it was before there were quotas.
    assert_eq!(usual.clone().with_quotas_of(&Plans::default()), usual);
    assert!(!serde_json::to_string(&usual).unwrap().contains("quotas"));
    assert_eq!(serde_json::from_str::<Policy>(&serde_json::to_string(&policy).unwrap()).unwrap(), policy);
}

/// The script in `docs` comes to the same picks, and finds what was changed.
#[test]
fn ten_lines_of_python_compute_the_same() {
    let weights = [("caller=repeat".to_owned(), 3), ("class=投诉, 急".to_owned(), 4)].into();
    let quotas = [(AgentNo::from("3"), 2)].into();
    let policy = Policy { weights, quotas, version: 3, ..Policy::default() };
    let mut rows = month(15, 1_500, 9);
    for n in (0..1_400).step_by(3) {
        rows[n + 20].caller = rows[n].caller;
    }
    rows.iter_mut().step_by(5).for_each(|row| row.class = Some("投诉, 急".to_owned()));
    let half = frame(&policy, &rows, 16.0);
    let first = draw(&policy, &seed(8), &half, &BTreeMap::new());
    let second = draw(&policy, &seed(8), &frame(&policy, &rows, 30.0), &first.reached);
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
    let picks: Vec<_> = first.picks.iter().chain(&second.picks).cloned().collect();
    write("frame.csv", export::frame("2026-11", &policy, &[first, second]));
    write("draw.csv", export::draw(&picks, true));
    let text = serde_json::to_string(&policy).unwrap();
    let told = |n: u64, revealed| export::seed(&policy, &text, &seed(n), revealed);
    write("policy.json", text.clone());
    write("seed.txt", told(8, true));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_draw.py");
    let run = || {
        let ran = std::process::Command::new("python3").arg(script).arg(directory.path()).output().unwrap();
        (ran.status.success(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    assert_eq!(run(), (true, "42 picks, every one as computed\n".to_owned()));
    let mut changed = picks.clone();
    changed[7].call = picks[8].call;
    write("draw.csv", export::draw(&changed, true));
    let (fine, said) = run();
    assert!(!fine && said.contains(&picks[8].call.to_string()), "{said}");
    write("draw.csv", export::draw(&picks, true));
    write("seed.txt", told(9, true).replace(&policy.commitment(&text, &seed(9)), &policy.commitment(&text, &seed(8))));
    assert!(!run().0);
    // Neither can the policy be another one afterwards.
    write("seed.txt", told(8, true));
    write("policy.json", text.replace("\"due_days\":5", "\"due_days\":6"));
    assert!(!run().0);
    // What was committed to before policies were is verified as it was.
    let old = Policy { version: 1, ..policy.clone() };
    write("seed.txt", export::seed(&old, "", &seed(8), true));
    assert!(run().0);
    // Before the close there is no seed to read.
    write("seed.txt", told(8, false));
    assert!(!run().0);
}

/// Not a limit, a measurement: `cargo test --release --lib -- --ignored measure_draw --nocapture`.
#[test]
#[ignore = "measures the machine"]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "measures the machine")]
fn measure_draw() {
    let rows = month(16, 100_000, 200);
    let policy = Policy::default();
    let began = std::time::Instant::now();
    let frame = frame(&policy, &rows, 30.0);
    let framed = began.elapsed();
    let picks = draw(&policy, &seed(1), &frame, &BTreeMap::new()).picks.len();
    println!("frame of {} calls in {framed:?}, {picks} picks in all after {:?}", rows.len(), began.elapsed());
}
