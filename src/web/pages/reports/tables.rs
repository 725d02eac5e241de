//! A report's text as tables for people. They are made of the text alone, so that a closed report is shown as it was closed.

use serde_json::Value;

use crate::ids::CallId;
use crate::qa::form::Form;
use crate::report::strokes;
use crate::rules::Pack;
use crate::web::page::Page;
use crate::web::pages::qa::item_name;

/// One table.
pub(super) struct Grid {
    pub(super) title: String,
    pub(super) note: String,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    pub(super) name: String,
    pub(super) cells: Vec<String>,
    /// Calls that it rests on.
    pub(super) calls: Vec<CallId>,
}

/// One hour of the curve, in units of the picture: each part with its class, upper edge and height.
pub(super) struct Bar {
    pub(super) x: usize,
    pub(super) hour: u64,
    pub(super) offered: u64,
    pub(super) parts: Vec<(&'static str, u64, u64)>,
}

/// The picture's height, and the width of an hour.
const TALL: u64 = 150;
const WIDE: usize = 34;

#[derive(Debug, Clone, Copy)]
enum Shown {
    Count,
    /// Percent, and of how many.
    Share,
    /// Mean and 90th percentile.
    Times,
}

/// What is told of each hotline: word, place in the text, how it is shown.
const FIGURES: [(&str, &str, Shown); 23] = [
    ("report-offered", "offered", Shown::Count),
    ("report-answered", "outcomes.answered", Shown::Count),
    ("report-within", "service_level", Shown::Share),
    ("report-without-short", "service_level_without_short_abandoned", Shown::Share),
    ("report-strict", "service_level_strict", Shown::Share),
    ("report-positive", "service_levels.positive", Shown::Share),
    ("report-handled-only", "service_levels.handled_only", Shown::Share),
    ("report-negative", "service_levels.negative", Shown::Share),
    ("report-ignored", "service_levels.ignored", Shown::Share),
    ("report-abandoned", "outcomes.abandoned", Shown::Count),
    ("report-short-abandoned", "outcomes.short_abandoned", Shown::Count),
    ("report-abandon-rate", "abandon_rate", Shown::Share),
    ("report-overflow", "outcomes.overflow", Shown::Count),
    ("report-rejected", "outcomes.rejected", Shown::Count),
    ("report-failed", "outcomes.failed", Shown::Count),
    ("report-in-progress", "in_progress", Shown::Count),
    ("report-interrupted", "interrupted", Shown::Count),
    ("report-ring", "ring_to_answer_ms", Shown::Times),
    ("report-speed", "speed_of_answer_ms", Shown::Times),
    ("report-left-after", "time_to_abandon_ms", Shown::Times),
    ("report-talk", "talk_ms", Shown::Times),
    ("report-hold", "hold_ms", Shown::Times),
    ("report-handling", "handling_ms", Shown::Times),
];

/// `a.b` below a value.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, key| &value[key])
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn seconds(p: &Page, value: &Value) -> String {
    p.maybe_seconds(&value.as_u64())
}

fn cell(p: &Page, value: &Value, shown: Shown) -> String {
    match shown {
        Shown::Count => number(value).to_string(),
        Shown::Share => share(p, value),
        Shown::Times if value["n"] == 0 => "–".to_owned(),
        Shown::Times => format!("{} · {}", seconds(p, &value["mean"]), seconds(p, &value["p90"])),
    }
}

fn share(p: &Page, value: &Value) -> String {
    let (count, n) = (number(&value["count"]), number(&value["n"]));
    if n == 0 { "–".to_owned() } else { format!("{} ({count}/{n})", p.percent(count, n)) }
}

/// The share of rostered time in which the agent was logged in, and that time; nothing of who was on no shift.
fn attendance(p: &Page, duty: &Value) -> String {
    match number(&duty["rostered_ms"]) {
        0 => "–".to_owned(),
        rostered => format!("{} ({})", p.percent(number(&duty["rostered_there_ms"]), rostered), p.minutes(rostered)),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn row(name: String, cells: Vec<String>) -> Row {
    Row { name, cells, calls: Vec::new() }
}

fn words(p: &Page, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| p.say(key)).collect()
}

/// Every table of the report, in the order of the page.
pub(super) fn all(p: &Page, text: &Value, orgs: &[(String, String)], form: Option<&Form>) -> Vec<Grid> {
    vec![
        figures(p, &text["calls"], orgs),
        hours(p, &text["calls"]),
        agents(p, &text["calls"]),
        tally(p, &text["tally"]),
        rules(p, &text["rules"]),
        inspection(p, &text["inspection"]),
        faults(p, &text["inspection"], form),
        needs(p, &text["inspection"], form),
    ]
}

fn figures(p: &Page, calls: &Value, orgs: &[(String, String)]) -> Grid {
    let mut columns: Vec<(String, &Value)> = vec![(p.say("report-total"), &calls["total"])];
    let hotlines = calls["hotlines"].as_object().into_iter().flatten();
    // A hotline without calls has no column of its own.
    for (id, figures) in hotlines.filter(|(_, figures)| figures["offered"] != 0) {
        let org = orgs.iter().find(|(known, _)| known == id).map_or(id, |(_, org)| org);
        columns.push((org.clone(), figures));
    }
    let line = |(word, path, shown): &(&str, &str, Shown)| {
        row(p.say(word), columns.iter().map(|(_, figures)| cell(p, at(figures, path), *shown)).collect())
    };
    Grid {
        title: p.say("report-figures"),
        note: p.say("report-figures-note"),
        head: std::iter::once(p.say("report-figure")).chain(columns.iter().map(|(name, _)| name.clone())).collect(),
        rows: FIGURES.iter().map(line).collect(),
    }
}

const OF_HOUR: [&str; 5] = ["offered", "answered", "answered_within_target", "left", "otherwise"];

fn hours(p: &Page, calls: &Value) -> Grid {
    let line = |hour: &Value| {
        let name = format!("{:02}:00", number(&hour["hour"]));
        row(name, OF_HOUR.iter().map(|key| number(&hour[*key]).to_string()).collect())
    };
    let busy = list(&calls["hours"]).iter().filter(|hour| hour["offered"] != 0);
    Grid {
        title: p.say("report-hours"),
        note: String::new(),
        head: words(
            p,
            &["report-hour", "report-offered", "report-answered", "report-in-time", "report-left", "report-otherwise"],
        ),
        rows: busy.map(line).collect(),
    }
}

/// The curve of the day.
pub(super) fn bars(_: &Page, text: &Value) -> Vec<Bar> {
    let hours = list(&text["calls"]["hours"]);
    let most = hours.iter().map(|hour| number(&hour["offered"])).max().unwrap_or(0).max(1);
    let bar = |(i, hour): (usize, &Value)| {
        let of = |key: &str| number(&hour[key]);
        let late = of("answered").saturating_sub(of("answered_within_target"));
        let counts = [
            ("in-time", of("answered_within_target")),
            ("late", late),
            ("left", of("left")),
            ("other", of("otherwise")),
        ];
        let mut top = TALL;
        let part = |(class, count): (&'static str, u64)| {
            let height = count * TALL / most;
            top -= height.min(top);
            (class, top, height)
        };
        Bar { x: i * WIDE, hour: of("hour"), offered: of("offered"), parts: counts.map(part).into() }
    };
    hours.iter().enumerate().map(bar).collect()
}

fn agents(p: &Page, calls: &Value) -> Grid {
    let line = |(agent, of): (&String, &Value)| {
        let answered = number(&of["answered"]);
        let occupancy =
            of["occupancy"].as_f64().map_or_else(|| "–".to_owned(), |part| format!("{:.1} %", part * 100.0));
        let cells = vec![
            number(&of["rung"]).to_string(),
            share(p, &of["passed_by"]),
            answered.to_string(),
            share(p, &of["answered_within_target"]),
            cell(p, &of["talk_ms"], Shown::Times),
            cell(p, &of["hold_ms"], Shown::Times),
            share(p, &of["ended_by_agent"]),
            occupancy,
            attendance(p, &of["duty"]),
            strokes(answered),
        ];
        row(agent.clone(), cells)
    };
    let head = [
        "call-agent",
        "report-rung",
        "report-passed-by",
        "report-answered",
        "report-in-time",
        "report-talk",
        "report-hold",
        "report-hung-up",
        "report-occupancy",
        "report-attendance",
        "report-tally",
    ];
    Grid {
        title: p.say("report-agents"),
        note: p.say("report-agents-note"),
        head: words(p, &head),
        rows: calls["agents"].as_object().into_iter().flatten().map(line).collect(),
    }
}

fn tally(p: &Page, tally: &Value) -> Grid {
    let line = |of: &Value| {
        let class = of["class"].as_str().map_or_else(|| p.say("report-no-class"), |class| p.word("class", class));
        let answered = number(&of["answered"]);
        let in_time = number(&of["within_rings"]);
        let cells = vec![
            of["agent"].as_str().unwrap_or_default().to_owned(),
            answered.to_string(),
            in_time.to_string(),
            answered.saturating_sub(in_time).to_string(),
            p.minutes(number(&of["talk_ms"])),
            number(&of["settled"]).to_string(),
            strokes(answered),
        ];
        row(class, cells)
    };
    let head = [
        "note-class",
        "call-agent",
        "report-answered",
        "report-in-time",
        "report-late",
        "report-talk-sum",
        "report-settled",
        "report-tally",
    ];
    Grid {
        title: p.say("report-statistics"),
        note: p.say("report-statistics-note"),
        head: words(p, &head),
        rows: list(tally).iter().map(line).collect(),
    }
}

fn rules(p: &Page, rules: &Value) -> Grid {
    let pack = Pack::built_in();
    let mut sorted: Vec<&Value> = list(rules).iter().collect();
    let rate = |of: &Value| {
        let (kept, broken) = (number(&of["kept"]), number(&of["broken"]));
        if kept + broken == 0 { 2.0 } else { kept as f64 / (kept + broken) as f64 }
    };
    // The worst first; of those that are alike the first of the book.
    sorted.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    let line = |of: &&Value| {
        let rule = of["rule"].as_str().unwrap_or_default();
        let text = pack.rule(rule).map_or("", |rule| if p.tag() == "en" { &rule.en } else { &rule.zh });
        let (kept, broken) = (number(&of["kept"]), number(&of["broken"]));
        let cells = vec![
            p.percent(kept, kept + broken),
            kept.to_string(),
            broken.to_string(),
            number(&of["unknown"]).to_string(),
        ];
        row(format!("{rule} {text}"), cells)
    };
    Grid {
        title: p.say("report-rules"),
        note: p.say("report-rules-note"),
        head: words(p, &["call-rule", "report-pass-rate", "report-kept", "report-broken", "report-unknown"]),
        rows: sorted.iter().map(line).collect(),
    }
}

fn inspection(p: &Page, of: &Value) -> Grid {
    let mean = of["mean"].as_f64().map_or_else(|| "–".to_owned(), |mean| format!("{mean:.1}"));
    let counts = [("report-heard", "heard"), ("report-heard-agents", "agents"), ("report-fatal", "fatal")];
    let mut rows: Vec<Row> =
        counts.iter().map(|(word, key)| row(p.say(word), vec![number(&of[*key]).to_string()])).collect();
    rows.push(row(p.say("report-mean"), vec![mean]));
    rows.push(row(p.say("report-targeted"), vec![number(&of["targeted"]).to_string()]));
    Grid {
        title: p.say("report-inspection"),
        note: String::new(),
        head: words(p, &["report-figure", "report-value"]),
        rows,
    }
}

fn item(p: &Page, form: Option<&Form>, id: &str) -> String {
    form.map_or_else(|| id.to_owned(), |form| item_name(p, form, id))
}

fn faults(p: &Page, inspection: &Value, form: Option<&Form>) -> Grid {
    let line = |of: &Value| {
        let name = item(p, form, of["item"].as_str().unwrap_or_default());
        let fatal = if of["fatal"] == true { p.say("qa-fatal") } else { String::new() };
        let agents = format!("{} / {}", number(&of["agents"]), number(&of["of_agents"]));
        row(name, vec![share(p, &of["calls"]), agents, fatal])
    };
    Grid {
        title: p.say("training-faults"),
        note: String::new(),
        head: words(p, &["qa-item", "card-lost", "training-agents", "report-fatal-flag"]),
        rows: list(&inspection["faults"]).iter().map(line).collect(),
    }
}

fn needs(p: &Page, inspection: &Value, form: Option<&Form>) -> Grid {
    let pack = Pack::built_in();
    let line = |of: &Value| {
        let agent = of["agent"].as_str().unwrap_or_default().to_owned();
        let calls: Vec<CallId> = list(&of["calls"]).iter().filter_map(|call| call.as_str()?.parse().ok()).collect();
        let (what, why) = match of["rule"].as_str() {
            Some(rule) => {
                let text = pack.rule(rule).map_or("", |rule| if p.tag() == "en" { &rule.en } else { &rule.zh });
                let own = p.with("training-measured", "own", share(p, &of["own"]));
                (format!("{rule} {text}"), format!("{own} – {}", share(p, &of["team"])))
            }
            None => {
                let why = format!("{} / {}", p.with("training-heard", "n", calls.len()), number(&of["of"]));
                (item(p, form, of["item"].as_str().unwrap_or_default()), why)
            }
        };
        Row { name: agent, cells: vec![what, why], calls }
    };
    Grid {
        title: p.say("training-needs"),
        note: String::new(),
        head: words(p, &["qa-agent", "training-what", "training-why"]),
        rows: list(&inspection["needs"]).iter().map(line).collect(),
    }
}

/// Every figure of the text by its path, for programs.
pub(super) fn flat(text: &Value) -> Vec<(String, String)> {
    fn walk(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Value::Object(all) => all.iter().for_each(|(key, value)| walk(&below(key), value, found)),
            Value::Array(all) => {
                all.iter().enumerate().for_each(|(i, value)| walk(&below(&i.to_string()), value, found));
            }
            Value::Null => found.push((path.to_owned(), String::new())),
            Value::String(text) => found.push((path.to_owned(), text.clone())),
            other => found.push((path.to_owned(), other.to_string())),
        }
    }
    let mut found = Vec::new();
    walk("", text, &mut found);
    found
}
