//! Boards, rules and alerts: what is committed is what the table makes, every name in it exists, Prometheus' own tools accept it, and
//! a real Prometheus beside a gateway under load answers every panel.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::prometheus::Prometheus;
use common::voice::Voice;
use common::{Bench, RecordExt, Sipp, say, seconds, until};
use hotline::call::fact::Fact;
use hotline::cdr::Record;
use hotline::ids::{CallId, Random};
use hotline::metrics::{LabelSets, METRICS, Metrics, alerts, boards};
use hotline::sim::scenario::Scenario;
use hotline::sim::world::{Troubles, World};
use serde_json::Value;

/// Set, it writes what is to be committed instead of comparing.
const WRITE: &str = "HOTLINE_WRITE_DEPLOY";

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn committed() -> Vec<(PathBuf, String)> {
    let mut all: Vec<(PathBuf, String)> = boards::files()
        .into_iter()
        .map(|(path, text)| (deploy().join("grafana/dashboards").join(path), text))
        .collect();
    all.push((deploy().join("prometheus/rules.yml"), alerts::rules(alerts::Target::USUAL)));
    all
}

#[test]
fn what_is_committed_is_what_the_tables_make() {
    for (path, text) in committed() {
        if std::env::var_os(WRITE).is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
            std::fs::write(&path, text).expect("writing what is to be committed");
            continue;
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "{} is not up to date: run this test with {WRITE}=1 and commit", path.display());
    }
    let mut named = BTreeSet::new();
    for folder in ["zh", "en"] {
        let files = std::fs::read_dir(deploy().join("grafana/dashboards").join(folder)).expect("the boards");
        named.extend(files.flatten().map(|file| file.path()));
    }
    assert_eq!(named.len(), boards::files().len(), "boards that nobody makes any more: {named:?}");
}

fn all_boards() -> Vec<(String, Value)> {
    let parsed = |(path, text): (String, String)| (path, serde_json::from_str(&text).expect("a board in JSON"));
    boards::files().into_iter().map(parsed).collect()
}

fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    board["panels"].as_array().expect("panels").iter().filter(|panel| panel["type"] != "row")
}

fn targets(panel: &Value) -> impl Iterator<Item = &str> {
    panel["targets"].as_array().expect("targets").iter().map(|target| target["expr"].as_str().expect("an expression"))
}

#[test]
fn every_panel_has_words_a_unit_and_a_place_of_its_own() {
    let mut ids = BTreeSet::new();
    let mut shapes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, board) in all_boards() {
        assert!(ids.insert(board["uid"].as_str().expect("a uid").to_owned()), "{path}: its uid is another's");
        assert!(board["uid"].as_str().expect("a uid").len() <= 40, "{path}");
        assert_eq!((board["editable"].as_bool(), board["schemaVersion"].as_u64()), (Some(false), Some(42)), "{path}");
        let variables: Vec<&str> = board["templating"]["list"]
            .as_array()
            .expect("variables")
            .iter()
            .map(|variable| variable["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(variables, ["datasource", "job", "instance", "hotline"], "{path}");
        for variable in board["templating"]["list"].as_array().expect("variables").iter().skip(1) {
            assert_eq!(variable["refresh"], 2, "{path}: {variable}");
        }
        let tag = board["links"][0]["tags"][0].as_str().expect("a tag");
        assert!(board["tags"].as_array().expect("tags").iter().any(|own| own == tag), "{path}: links lead nowhere");
        let mut taken: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut panel_ids = BTreeSet::new();
        for panel in board["panels"].as_array().expect("panels") {
            let title = panel["title"].as_str().unwrap_or_default();
            assert!(!title.is_empty() && panel_ids.insert(panel["id"].as_u64().expect("an id")), "{path}: {title}");
            let at = |name: &str| panel["gridPos"][name].as_u64().expect("a place");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(x < 24 && taken.insert((x, y)), "{path}: {title} lies on another panel");
                }
            }
        }
        let mut titles = BTreeSet::new();
        for panel in panels(&board) {
            let title = panel["title"].as_str().expect("a title");
            assert!(titles.insert(title), "{path}: two panels are called {title}");
            assert!(panel["description"].as_str().expect("a description").len() > 10, "{path}: {title}");
            assert!(!panel["fieldConfig"]["defaults"]["unit"].as_str().expect("a unit").is_empty(), "{path}: {title}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{path}: {title}");
            assert!(["stat", "bargauge", "timeseries"].contains(&panel["type"].as_str().expect("a type")), "{path}");
            let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array().expect("steps");
            assert!(steps[0]["value"].is_null() && steps.iter().skip(1).all(|step| step["value"].is_number()));
            assert!(targets(panel).count() > 0, "{path}: {title}");
        }
        let (folder, name) = path.split_once('/').expect("a folder for each language");
        let exprs: Vec<&str> = panels(&board).flat_map(targets).collect();
        shapes.entry(name.to_owned()).or_default().insert(exprs.join("\n"));
        let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c));
        let words = panels(&board).flat_map(|panel| [&panel["title"], &panel["description"]]);
        for text in words.filter_map(Value::as_str) {
            assert!(chinese(text) == (folder == "zh") || text == "MOS", "{path}: {text}");
        }
    }
    assert!(shapes.values().all(|of| of.len() == 1), "the languages ask different questions");
    assert_eq!(shapes.len(), 4);
}

/// Names of labels that every series has, or that Prometheus adds.
const ADDED: [&str; 4] = ["job", "instance", "le", "alertname"];
/// What Prometheus, or the crate, knows by itself.
const FOREIGN: [&str; 8] = [
    "up",
    "scrape_duration_seconds",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "hotline",
];
const PROMQL: &[&str] = &[
    "sum",
    "min",
    "max",
    "avg",
    "by",
    "on",
    "and",
    "or",
    "offset",
    "increase",
    "rate",
    "histogram_quantile",
    "topk",
    "bottomk",
    "sort",
    "sort_desc",
    "time",
    "absent",
    "predict_linear",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
];

/// Words and strings of a query, told apart: (word, is it inside of braces, is it the list of `by` or `on`).
fn words(query: &str) -> Vec<(String, bool, bool)> {
    let (mut found, mut rest, mut braces, mut listed) = (Vec::new(), query, false, false);
    let mut before = String::new();
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let end = rest[1..].find('"').expect("a string that ends") + 2;
            rest = &rest[end..];
            continue;
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
            before = rest[..end].to_owned();
            found.push((before.clone(), braces, listed));
            rest = &rest[end..];
            continue;
        }
        if first == '[' {
            rest = &rest[rest.find(']').expect("a bracket that closes") + 1..];
            continue;
        }
        match first {
            '{' => braces = true,
            '}' => braces = false,
            '(' => listed = ["by", "on"].contains(&before.as_str()),
            ')' => listed = false,
            _ => {}
        }
        if !first.is_whitespace() {
            before.clear();
        }
        // A number with its unit is no name.
        let skip = if first.is_ascii_digit() {
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        rest = &rest[skip..];
    }
    found
}

/// Names in a query that the table of metrics does not have; `recorded`: series that rules make, with their labels.
fn unknown_names(query: &str, recorded: &BTreeSet<&str>) -> Vec<String> {
    let base = |name: &str| {
        let histogram = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
        let of = |kind: &str, name: &str| {
            METRICS.iter().find(|m| m.name == name && (kind.is_empty() || m.kind.as_str() == kind))
        };
        of("", name).or_else(|| histogram.and_then(|name| of("histogram", name)))
    };
    let (mut faults, mut labels, mut foreign) = (Vec::new(), BTreeSet::new(), false);
    let all = words(query);
    for (word, braces, listed) in &all {
        if *braces || *listed || PROMQL.contains(&word.as_str()) {
            continue;
        }
        match base(word) {
            Some(metric) => labels.extend(metric.labels.iter().map(|label| label.name)),
            None if recorded.contains(word.as_str()) => labels.extend(["hotline"]),
            None if FOREIGN.contains(&word.as_str()) => foreign = true,
            None => faults.push(format!("no metric {word}")),
        }
    }
    for (word, braces, listed) in &all {
        let known = labels.contains(word.as_str()) || ADDED.contains(&word.as_str());
        if (*braces || *listed) && !known && !foreign {
            faults.push(format!("no label {word}"));
        }
    }
    faults
}

/// The names and expressions of `rules.yml`.
fn rules() -> Vec<(String, String)> {
    let text = alerts::rules(alerts::Target::USUAL);
    let mut found = Vec::new();
    let mut name = String::new();
    for line in text.lines().map(str::trim) {
        if let Some((_, of)) = line.split_once("record: ").or_else(|| line.split_once("alert: ")) {
            name = of.to_owned();
        }
        if let Some(expr) = line.strip_prefix("expr: '") {
            found.push((name.clone(), expr.trim_end_matches('\'').replace("''", "'")));
        }
    }
    found
}

#[test]
fn every_name_in_boards_and_rules_is_in_the_table() {
    let rules = rules();
    let recorded: BTreeSet<&str> =
        rules.iter().map(|(name, _)| name.as_str()).filter(|name| name.contains(':')).collect();
    let mut used = BTreeSet::new();
    for (path, board) in all_boards() {
        for panel in panels(&board) {
            for expr in targets(panel) {
                let faults = unknown_names(expr, &BTreeSet::new());
                assert!(faults.is_empty(), "{path}: {}: {faults:?} in {expr}", panel["title"]);
                assert!(expr.contains("job=~\"$job\""), "{path}: {expr} shows all jobs");
                used.extend(words(expr).into_iter().map(|(word, ..)| word));
            }
        }
    }
    for (name, expr) in &rules {
        let faults = unknown_names(expr, &recorded);
        assert!(faults.is_empty(), "{name}: {faults:?} in {expr}");
    }
    assert!(used.len() > 60);
    for (query, fault) in [
        ("sum(rate(hotline_calls_totals[5m]))", "no metric hotline_calls_totals"),
        ("hotline_calls_total{did=\"x\"}", "no label did"),
        ("sum by (agent) (hotline_calls_total)", "no label agent"),
        ("rate(hotline_calls_total_bucket[5m])", "no metric hotline_calls_total_bucket"),
    ] {
        assert_eq!(unknown_names(query, &BTreeSet::new()), [fault], "{query}");
    }
}

/// Runs a program of Prometheus' to its end; it must be content.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(deploy().join("prometheus")).output();
    let output = output.unwrap_or_else(|error| panic!("{program} does not start ({error}); tests/run installs it"));
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}\n{text}");
    text
}

#[test]
fn promtool_and_amtool_accept_rules_alerts_and_routes() {
    run("promtool", &["check", "config", "prometheus.yml"]);
    say(&run("promtool", &["check", "rules", "rules.yml"]));
    say(&run("promtool", &["test", "rules", "tests/alerts.yml", "tests/week.yml"]));
    run("amtool", &["check-config", "alertmanager.yml"]);
    for (label, receiver) in [("severity=critical", "pager"), ("severity=warning", "team")] {
        let told = run("amtool", &["config", "routes", "test", "--config.file=alertmanager.yml", label]);
        assert_eq!(told.lines().next(), Some(receiver), "{label}: {told}");
    }
    let read =
        |name: &str| std::fs::read_to_string(deploy().join("prometheus/tests").join(name)).expect("tests of alerts");
    let tests = read("alerts.yml") + &read("week.yml");
    for (name, _) in rules().iter().filter(|(name, _)| !name.contains(':')) {
        assert!(tests.contains(&format!("alertname: {name}\n")), "{name} has no test");
    }
}

/// What Grafana puts in for its variables, when all is shown.
fn resolved(expr: &str, range_s: u64) -> String {
    expr.replace("$job", ".+")
        .replace("$instance", ".+")
        .replace("$hotline", ".+")
        .replace("$__range", &format!("{range_s}s"))
        .replace("$__rate_interval", "4s")
}

/// What is nothing until something goes wrong, or until there is a trunk that we register with.
const MAY_BE_EMPTY: &[&str] = &[
    "hotline_trunk_up",
    "hotline_trunk_registration_expires_timestamp_seconds",
    "hotline_trunk_options_rtt_seconds",
    "hotline_sip_rejected_total",
];

#[test]
fn a_real_prometheus_answers_every_panel_and_agrees_with_the_ledger() {
    let mut bench = Bench::new();
    let ports: Vec<u16> = ["8", "9", "10", "11", "12", "13"].map(|number| bench.agent(number)).to_vec();
    let gateway = bench.serve();
    let bench = &gateway.bench;
    // One voice speaks for all callers, one for all agents.
    let (caller, agent) = (Voice::new(bench.ports.even(), 440.0), Voice::new(bench.ports.even(), 1_000.0));
    let speaking = common::wall_us();
    caller.sound_from(speaking);
    agent.sound_from(speaking);
    let phone =
        |port: &u16| Sipp::agent(bench, "agent_either", *port).voice(agent.port).calls(1_000).limit_s(60).start();
    let phones: Vec<_> = ports.iter().map(phone).collect();
    let prometheus = Prometheus::beside(bench.path(), bench.ports.one(), bench.metrics);
    // Counters must have been seen before they count.
    until("the first scrapes", seconds(10), || {
        (prometheus.query("count_over_time(up{job=\"hotline\"}[1m]) >= 2").len() == 1).then_some(())
    });
    let talking = Sipp::trunk(bench, "trunk_hangs_up").voice(caller.port).pause_ms(1_500).calls(24).per_second(2);
    talking.limit_s(40).run();
    Sipp::trunk(bench, "trunk_cancels").pause_ms(100).calls(4).per_second(4).limit_s(20).run();
    drop(phones);
    let calls = gateway.records(28);
    gateway.settled(28);
    until("a scrape after the last call", seconds(10), || {
        (prometheus.number("sum(hotline_calls_total)") as usize == calls.len()).then_some(())
    });
    // Recordings are closed a moment after their calls.
    let calls = until("every call to be sealed", seconds(10), || {
        let calls = gateway.calls();
        calls.iter().all(|call| call.text("recording.status") != "pending").then_some(calls)
    });
    agrees(&gateway.metrics(), &calls);
    let range_s = 120;
    let answered = every_panel_is_answered(&prometheus, range_s);
    headlines_agree(&prometheus, &calls);
    // The panel's own way, by `increase`, is an estimate: close, but not the same.
    let in_time = calls.iter().filter(|call| call["answered_within_target"] == true).count() as f64;
    let level = prometheus.number(&format!(
        "sum(increase(hotline_calls_answered_within_target_total[{range_s}s])) / sum(increase(hotline_calls_total[{range_s}s]))"
    ));
    assert!((level - in_time / calls.len() as f64).abs() < 0.01, "{level}");
    let ids: BTreeSet<&str> = calls.iter().map(|call| call.text("id")).collect();
    let shown = prometheus.exemplars("hotline_ring_to_answer_seconds_bucket");
    assert!(!shown.is_empty() && shown.iter().all(|id| ids.contains(id.as_str())), "{shown:?} of {ids:?}");
    let faults = prometheus.api("targets");
    assert_eq!(faults["activeTargets"][0]["lastError"], "", "{faults}");
    say(&format!("{answered} queries, {} exemplars", shown.len()));
    let log = std::fs::read_to_string(&gateway.process.stderr).expect("the log");
    names_calls_and_no_numbers(&log, &calls);
}

/// Asks the question of each panel; how many there were.
fn every_panel_is_answered(prometheus: &Prometheus, range_s: u64) -> usize {
    let mut answered = 0;
    for (path, board) in all_boards().iter().filter(|(path, _)| path.starts_with("en/")) {
        for panel in panels(board) {
            for expr in targets(panel) {
                let query = resolved(expr, range_s);
                let data = prometheus.range(&query, range_s);
                let points = data["result"].as_array().expect("series").len();
                assert!(
                    points > 0 || MAY_BE_EMPTY.iter().any(|name| expr.contains(name)),
                    "{path}: no data for {query}"
                );
                if panel["fieldConfig"]["defaults"]["unit"] == "percentunit" {
                    for (_, ratio) in prometheus.query(&query) {
                        assert!(ratio.is_nan() || (0.0..=1.05).contains(&ratio), "{path}: {ratio} = {query}");
                    }
                }
                answered += 1;
            }
        }
    }
    answered
}

/// Six numbers of the boards, held against the records.
fn headlines_agree(prometheus: &Prometheus, calls: &[Value]) {
    let with = |outcome: &str| calls.iter().filter(|call| call["outcome"] == outcome).count() as f64;
    let sum = |field: &str| calls.iter().filter_map(|call| call[field].as_f64()).sum::<f64>() / 1_000.0;
    let in_time = calls.iter().filter(|call| call["answered_within_target"] == true).count() as f64;
    for (query, truth) in [
        ("sum(hotline_calls_offered_total)", calls.len() as f64),
        ("sum(hotline_calls_total{outcome=\"answered\"})", with("answered")),
        (
            "sum(hotline_calls_total{outcome=~\"abandoned|short_abandoned\"})",
            with("abandoned") + with("short_abandoned"),
        ),
        ("sum(hotline_calls_answered_within_target_total) / sum(hotline_calls_total)", in_time / calls.len() as f64),
        ("sum(hotline_ring_to_answer_seconds_sum)", sum("ring_to_answer_ms")),
        ("sum(hotline_agent_talk_seconds_total)", sum("talk_ms")),
    ] {
        let shown = prometheus.number(query);
        say(&format!("{query} = {shown}, ledger {truth}"));
        assert!((shown - truth).abs() <= truth.abs() * 0.01, "{query} = {shown}, but the ledger says {truth}");
    }
}

/// The log of a gateway whose output is no terminal: JSON, each call by its id, nobody's number.
fn names_calls_and_no_numbers(log: &str, calls: &[Value]) {
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")));
    let lines: Vec<Value> = lines.collect();
    assert!(lines.iter().all(|line| line["level"] == "INFO" || line["level"] == "WARN"), "{log}");
    for call in calls {
        let of = |message: &str| lines.iter().filter(|l| l["call"] == call["id"] && l["message"] == message).count();
        assert_eq!((of("call offered"), of("call ended")), (1, 1), "{}\n{log}", call["id"]);
        for number in ["caller", "called"].map(|field| call[field].as_str().expect("a number")) {
            assert!(number.len() > 6 && !log.contains(number), "{number} is in the log");
        }
    }
}

/// What every counter of calls must say if the ledger's records are true: series and value.
fn expected(calls: &[Value]) -> BTreeMap<String, f64> {
    let mut all: BTreeMap<String, f64> = BTreeMap::new();
    let mut add = |series: String, by: f64| *all.entry(series).or_default() += by;
    for call in calls {
        let (hotline, trunk) = (call.text("hotline"), call.text("trunk"));
        let of = format!("hotline=\"{hotline}\"");
        add(format!("hotline_calls_offered_total{{{of},trunk=\"{trunk}\"}}"), 1.0);
        let Some(outcome) = call["outcome"].as_str() else { continue };
        add(format!("hotline_calls_total{{{of},outcome=\"{outcome}\"}}"), 1.0);
        if let Some(by) = call["ended_by"].as_str() {
            add(format!("hotline_call_hangups_total{{by=\"{by}\",{of}}}"), 1.0);
        }
        let in_time = call["answered_within_target"] == true;
        add(format!("hotline_calls_answered_within_target_total{{{of}}}"), f64::from(u8::from(in_time)));
        let left = ["abandoned", "short_abandoned"].contains(&outcome);
        for (name, ms) in [
            ("ring_to_answer", call["ring_to_answer_ms"].as_f64()),
            ("time_to_abandon", call["wait_ms"].as_f64().filter(|_| left)),
            ("call_duration", call["duration_ms"].as_f64().filter(|_| outcome == "answered")),
            ("greeting_delay", call["greeting"]["started_after_connect_ms"].as_f64()),
        ] {
            add(format!("hotline_{name}_seconds_count{{{of}}}"), f64::from(u8::from(ms.is_some())));
            add(format!("hotline_{name}_seconds_sum{{{of}}}"), ms.unwrap_or(0.0) / 1_000.0);
        }
        add(format!("hotline_hold_duration_seconds_count{{{of}}}"), call.number("holds") as f64);
        if call["connected_at"].is_string() && call["recording"]["reason"] != "policy" {
            add(format!("hotline_recordings_total{{status=\"{}\"}}", call.text("recording.status")), 1.0);
        }
        for segment in call["segments"].as_array().expect("segments") {
            let agent = format!("agent=\"{}\"", segment["agent"].as_str().expect("an agent"));
            add(format!("hotline_agent_calls_total{{{agent},outcome=\"answered\"}}"), 1.0);
            add(
                format!("hotline_agent_talk_seconds_total{{{agent}}}"),
                segment["talk_ms"].as_f64().unwrap_or(0.0) / 1e3,
            );
            add(
                format!("hotline_agent_hold_seconds_total{{{agent}}}"),
                segment["hold_ms"].as_f64().unwrap_or(0.0) / 1e3,
            );
        }
    }
    all
}

/// Every counter of calls in a scrape says what the records say, and those of nobody are zero.
fn agrees(scrape: &str, calls: &[Value]) {
    let expected = expected(calls);
    let families: BTreeSet<&str> = expected.keys().filter_map(|series| series.split('{').next()).collect();
    let mut compared = 0;
    for line in scrape.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a sample");
        let name = series.split('{').next().unwrap_or_default();
        let other_rings = name == "hotline_agent_calls_total" && !series.contains("outcome=\"answered\"");
        if !families.contains(name) || other_rings {
            continue;
        }
        let (value, truth): (f64, f64) =
            (value.parse().expect("a number"), expected.get(series).copied().unwrap_or(0.0));
        assert!((value - truth).abs() < 1e-6, "{series} = {value}, but the records say {truth}");
        compared += usize::from(truth != 0.0);
    }
    let wanted = expected.values().filter(|truth| **truth != 0.0).count();
    assert_eq!(compared, wanted, "series that no scrape has");
}

#[test]
fn counters_are_what_the_records_say_in_random_worlds() {
    let mut seen = BTreeSet::new();
    for seed in 0..12 {
        let scenario = Scenario { troubles: Troubles::default(), stopped_at: None, ..Scenario::random(seed, 60) };
        let mut people = Random::from_number(seed);
        let plans = scenario.plans();
        let metrics = Metrics::new(LabelSets::from_plans(&plans, ["carrier".into()], [])).expect("metrics");
        let mut world = World::new(plans, seed);
        world.network.weather = scenario.weather;
        world.log_wire = false;
        world.agents.expect((0..2_000).map(|_| scenario.staff.draw(&mut people)));
        for n in 0..scenario.calls {
            let (patience, trick) = scenario.callers.draw(&mut people);
            let line = &scenario.hotlines[people.below(u32::try_from(scenario.hotlines.len()).expect("few")) as usize];
            world.call_as(&format!("1390000{n:04}"), &line.number, patience, trick);
            world.run_for(scenario.callers.gap(&mut people));
        }
        assert!(world.run_to_rest(), "seed {seed} does not come to rest");
        let mut fold = metrics.calls();
        let mut facts: BTreeMap<CallId, Vec<Fact>> = BTreeMap::new();
        for fact in &world.facts {
            fold.fact(fact);
            facts.entry(fact.call).or_default().push(fact.clone());
        }
        let record = |facts: &Vec<Fact>| {
            let record = Record::from_facts(facts).expect("a call begins with its offer");
            serde_json::to_value(record).expect("a record in JSON")
        };
        let calls: Vec<Value> = facts.values().map(record).collect();
        seen.extend(calls.iter().map(|call| call.text("outcome").to_owned()));
        agrees(&metrics.encode().expect("a scrape"), &calls);
    }
    assert!(seen.len() >= 4, "only {seen:?}");
}

#[test]
fn a_flood_of_strangers_makes_no_series() {
    let mut bench = Bench::new();
    bench.agent("8");
    let gateway = bench.serve();
    let lines = |text: String| text.lines().filter(|line| !line.starts_with('#')).count();
    let before = lines(gateway.metrics());
    let socket = std::net::UdpSocket::bind("127.0.0.9:0").expect("a stranger's socket");
    for n in 0..10_000 {
        let number = (n * 7_919) % 1_000_003;
        let invite = format!(
            "{} sip:{number}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bK{n}\r\nFrom: <sip:{number}@a>;tag={n}\r\n\
             To: <sip:{number}@b>\r\nCall-ID: {n}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
            ["INVITE", "REGISTER", "PUBLISH"][n % 3]
        );
        // What the kernel has no room for is lost, as it would be with any flood.
        let _ = socket.send_to(invite.as_bytes(), gateway.bench.sip_address());
    }
    until("strangers to be counted", seconds(10), || {
        (gateway.metric("hotline_sip_rejected_total") > 100).then_some(())
    });
    assert_eq!(lines(gateway.metrics()), before);
    gateway.settled(0);
}
