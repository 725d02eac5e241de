//! A dialplan as written: its keys, their defaults and their ranges. One hotline a file.

pub(super) mod after;
pub(super) mod callers;
pub(super) mod courtesies;
mod duty;
pub(super) mod hours;
pub(super) mod outbound;
mod recording;
pub(super) mod scripts;
pub(super) mod steps;

use std::collections::BTreeMap;
use std::time::Duration;

pub(super) use duty::{Shifts, shifts};

use super::after::Callback;
use super::notes::one_list;
use super::plan::{Answer, Cadence, Duty, Recording, Ringback, Strategy};
use super::scripts::By;
use crate::fault::did_you_mean;
use crate::written::{At, Document, Table};

/// The keys of one file that could be read. What is `None` or empty has its fault.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) id: Option<At<String>>,
    pub(super) org: Option<At<String>>,
    pub(super) numbers: Vec<At<String>>,
    /// BCP 47; `None` if it is unusable.
    pub(super) language: Option<At<String>>,
    pub(super) time_zone: String,
    pub(super) answer: Answer,
    pub(super) text: Option<At<String>>,
    pub(super) late: Option<At<String>>,
    pub(super) late_busy: Option<At<String>>,
    pub(super) late_by: By,
    pub(super) callers: callers::Callers,
    pub(super) notice: Option<callers::Notice>,
    pub(super) agents: Group,
    pub(super) duty: Duty,
    /// Those of the file itself, until those of the roster are added.
    pub(super) shifts: Shifts,
    pub(super) roster: Option<At<String>>,
    pub(super) queue: Option<steps::Queue>,
    pub(super) hours: Option<hours::Hours>,
    pub(super) outage: Option<hours::Outage>,
    pub(super) recording: Recording,
    pub(super) unrecorded: Option<At<String>>,
    pub(super) scripts: scripts::Scripts,
    /// Where a call begins; left out: with the agents.
    pub(super) start: Option<At<String>>,
    pub(super) steps: Vec<steps::Step>,
    pub(super) callback: Option<Callback>,
    pub(super) outbound: Option<outbound::Outbound>,
    pub(super) survey: Option<after::Survey>,
    pub(super) classes: BTreeMap<char, At<String>>,
    /// Calls of an agent that are heard in a month.
    pub(super) quota: Option<u32>,
}

/// Everybody who is rung by some step, each once.
pub(super) fn everybody(written: &Written) -> Vec<&At<String>> {
    let of_steps = written.steps.iter().flat_map(|step| step.does.agents());
    let mut all: Vec<&At<String>> = Vec::new();
    for agent in written.agents.numbers.iter().chain(of_steps) {
        if !all.iter().any(|known| known.value == agent.value) {
            all.push(agent);
        }
    }
    all
}

/// Agents who are rung, and how.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) numbers: Vec<At<String>>,
    pub(super) strategy: Strategy,
    pub(super) ring: Duration,
    /// Whether callers wait while all are busy; left out: if there is a `[queue]`.
    pub(super) queue: Option<At<bool>>,
    pub(super) skill: Option<Skill>,
    /// Where a call goes whom nobody takes.
    pub(super) nobody: Option<At<String>>,
}

/// What is asked of those agents.
#[derive(Debug)]
pub(super) struct Skill {
    pub(super) name: At<String>,
    pub(super) level: u32,
    /// Nobody of them is free for so long: anybody will do.
    pub(super) relax: Option<Duration>,
}

/// Of [`Skill::level`].
pub const HIGHEST_SKILL: u32 = 9;

pub(super) fn read(document: &Document<'_>) -> Written {
    let mut root = document.root();
    let mut hotline = root.section("hotline");
    let mut answer = root.section("answer");
    let mut greeting = root.section("greeting");
    let mut agents = root.section("agents");
    let queue = root.section("queue");
    let (hours, outage) = (root.section("hours"), root.section("outage"));
    let (mut classes, mut notes) = (root.section("classes"), root.section("notes"));
    let written_shifts = root.sections("shift");
    let (mut duty, roster) = duty::read(&mut agents, &written_shifts, (&mut classes, &mut notes));
    let shifts = shifts(written_shifts);
    let classes = after::classes(&mut classes, "keys");
    let steps = steps::read(root.named_sections("step"));
    duty.classes =
        one_list(duty.classes, classes.values().chain(steps::classes_of(&steps)).map(|at| at.value.as_str()));
    let (recording, unrecorded) = recording::read(&mut root.section("recording"));
    let scripts = scripts::read(&mut root);
    let known: Vec<&str> = duty.classes.iter().map(|class| class.name.as_str()).collect();
    scripts.courtesies.check_classes(&root, &known);
    let survey = after::survey(root.section("survey"));
    if let Some(key) = survey.as_ref().map(|survey| &survey.key)
        && let Some((section, _)) = scripts.courtesies.keys().iter().find(|(_, other)| other.value == key.value)
    {
        let what = format!("survey.key is *{}, and so is a key of [{section}]", key.value);
        root.fault(key.line, what, "give each a key of its own");
    }
    let (late, late_busy) = (greeting.string("late"), greeting.string("late_busy"));
    Written {
        id: hotline.required_string("id").filter(|id| is_id(&hotline, id)),
        org: hotline.required_string("org"),
        numbers: numbers(&mut hotline),
        language: language(&mut hotline),
        time_zone: time_zone(&mut hotline),
        answer: read_answer(&mut answer),
        text: greeting.required_string("text"),
        late_by: late_by(&mut greeting, [("late", &late), ("late_busy", &late_busy)]),
        late,
        late_busy,
        callers: callers::read(&mut greeting, &mut root.section("priority")),
        notice: callers::notice(&mut greeting),
        agents: group(&mut agents, "numbers", "nobody"),
        duty,
        shifts,
        roster,
        queue: steps::queue(queue),
        hours: hours::hours(hours),
        outage: hours::outage(outage),
        recording,
        unrecorded,
        scripts,
        start: hotline.string("start"),
        steps,
        callback: after::callback(root.section("callback")),
        outbound: outbound::outbound(root.section("outbound")),
        survey,
        classes,
        quota: after::quota(&mut root.section("qa")),
    }
}

/// Who says sorry after a late answer; `texts`: what the gateway would say.
fn late_by(greeting: &mut Table<'_>, texts: [(&str, &Option<At<String>>); 2]) -> By {
    let by = scripts::by(greeting, "late_by");
    let unsaid = texts.into_iter().filter(|_| by == By::Agent).filter_map(|(key, text)| Some((key, text.as_ref()?)));
    for (key, text) in unsaid {
        let what = format!("greeting.{key} is told, and by greeting.late_by nobody says it");
        greeting.fault(text.line, what, "leave one of the two out");
    }
    by
}

/// `numbers` and `nobody` are the keys of what they are called here.
fn group(table: &mut Table<'_>, numbers: &'static str, nobody: &'static str) -> Group {
    Group {
        numbers: agent_numbers(table, numbers),
        strategy: strategy(table),
        ring: ring(table),
        queue: table.boolean("queue"),
        skill: skill(table),
        nobody: table.string(nobody),
    }
}

fn skill(table: &mut Table<'_>) -> Option<Skill> {
    let name = table.string("skill");
    let level = table.integer("level", 1..=HIGHEST_SKILL);
    let relax = table.integer("relax_s", 0..=3_600);
    if let (None, Some(line)) = (&name, level.as_ref().or(relax.as_ref()).map(|at| at.line)) {
        let what = format!("{} asks for no skill", table.path("level"));
        table.fault(line, what, "add skill = \"billing\", as [[agent]] skills = { billing = 2 } names it");
    }
    let relax = relax.map(|at| Duration::from_secs(at.value.into())).filter(|relax| !relax.is_zero());
    Some(Skill { name: name?, level: level.map_or(1, |at| at.value), relax })
}

fn ring(table: &mut Table<'_>) -> Duration {
    Duration::from_secs(table.integer("ring_s", 1..=300).map_or(20, |at| at.value.into()))
}

/// A label of metrics and a part of file names.
fn is_id(hotline: &Table<'_>, id: &At<String>) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let good = id.value.len() <= 64 && id.value.chars().all(allowed);
    if !good {
        let what = format!("hotline.id \"{}\" cannot be a label", id.value);
        hotline.fault(id.line, what, "write a-z, 0-9, _ and -, at most 64 of them");
    }
    good
}

fn numbers(hotline: &mut Table<'_>) -> Vec<At<String>> {
    let written = hotline.required_strings("numbers").map_or_else(Vec::new, |at| at.value);
    let allowed = |c: char| c.is_ascii_digit() || c == '*' || c == '#';
    let dialable = |number: &At<String>| {
        let digits = number.value.strip_prefix('+').unwrap_or(&number.value);
        let good = !digits.is_empty() && digits.len() <= 32 && digits.chars().all(allowed);
        if !good {
            let what = format!("hotline.numbers: \"{}\" is not a number that a trunk sends", number.value);
            hotline.fault(number.line, what, "write the digits without spaces or dashes, as the trunk sends them");
        }
        good
    };
    without_repeats(hotline, "hotline.numbers", written.into_iter().filter(dialable).collect())
}

fn agent_numbers(agents: &mut Table<'_>, key: &'static str) -> Vec<At<String>> {
    let written = agents.required_strings(key).map_or_else(Vec::new, |at| at.value);
    let name = agents.path(key);
    let good = |number: &At<String>| {
        let good = is_agent_number(&number.value);
        if !good {
            let what = format!("{name}: \"{}\" is no agent's number", number.value);
            agents.fault(number.line, what, AGENT_NUMBER_HINT);
        }
        good
    };
    let written = written.into_iter().filter(good).collect();
    without_repeats(agents, &name, written)
}

/// Whether `number` may be an agent's: it is spoken, printed, and part of a SIP address.
pub fn is_agent_number(number: &str) -> bool {
    (1..=16).contains(&number.len()) && number.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// What to say about a number that is none.
pub const AGENT_NUMBER_HINT: &str = "write 1 to 16 digits or Latin letters";

fn without_repeats(table: &Table<'_>, name: &str, written: Vec<At<String>>) -> Vec<At<String>> {
    let mut kept: Vec<At<String>> = Vec::new();
    for one in written {
        if kept.iter().any(|k| k.value == one.value) {
            table.fault(one.line, format!("{name} has \"{}\" twice", one.value), "remove one of the two");
        } else {
            kept.push(one);
        }
    }
    kept
}

/// Checked here because it becomes the name of a folder.
fn language(hotline: &mut Table<'_>) -> Option<At<String>> {
    let language = hotline.string("language").unwrap_or_else(|| At::new("zh-CN".to_owned(), hotline.line()));
    let good = language
        .value
        .split('-')
        .all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()));
    if !good {
        let what = format!("hotline.language \"{}\" is not a language", language.value);
        hotline.fault(language.line, what, "write it as in zh-CN, en, en-GB");
        return None;
    }
    Some(language)
}

fn time_zone(hotline: &mut Table<'_>) -> String {
    let Some(zone) = hotline.string("time_zone") else { return "Asia/Shanghai".to_owned() };
    if jiff::tz::TimeZone::get(&zone.value).is_err() {
        let what = format!("hotline.time_zone \"{}\" is not a time zone", zone.value);
        hotline.fault(zone.line, what, "write it as in Asia/Shanghai, Europe/Berlin, UTC");
    }
    zone.value
}

fn read_answer(answer: &mut Table<'_>) -> Answer {
    let max_rings = answer.integer("max_rings", 1..=50).map_or(3, |at| at.value);
    Answer {
        max_rings,
        min_rings: min_rings(answer, max_rings),
        cadence: cadence(answer),
        ringback: ringback(answer),
        short_abandon: Duration::from_millis(
            answer.integer("short_abandon_ms", 0..=600_000).map_or(5_000, |at| at.value.into()),
        ),
    }
}

/// More than `max_rings` would make every answer late.
fn min_rings(answer: &mut Table<'_>, max_rings: u32) -> u32 {
    let Some(min) = answer.integer("min_rings", 0..=50) else { return 0 };
    if min.value > max_rings {
        let what = format!("answer.min_rings is {}, and after ring {max_rings} an answer is late", min.value);
        answer.fault(min.line, what, format!("write a number up to {max_rings}"));
    }
    min.value
}

/// Country, burst and period of the ring in ms (ITU-T E.180; tables of the ITU's tones-0203). Where a ring is a pair
/// of bursts, the burst lasts to the end of the second.
const CADENCES: [(&str, u64, u64); 13] = [
    ("cn", 1_000, 5_000),
    ("de", 1_000, 5_000),
    ("it", 1_000, 5_000),
    ("ru", 1_000, 5_000),
    ("br", 1_000, 5_000),
    ("fr", 1_500, 5_000),
    ("us", 2_000, 6_000),
    ("es", 1_500, 4_500),
    ("jp", 1_000, 3_000),
    ("uk", 1_000, 3_000),
    ("au", 1_000, 3_000),
    ("sg", 1_000, 3_000),
    ("in", 1_000, 3_000),
];

fn cadence(answer: &mut Table<'_>) -> Cadence {
    let written = answer.string("cadence");
    let found = match &written {
        Some(name) => CADENCES.iter().find(|(country, ..)| *country == name.value),
        None => Some(&CADENCES[0]),
    };
    if let (None, Some(name)) = (found, &written) {
        let known: Vec<&str> = CADENCES.iter().map(|(country, ..)| *country).collect();
        let hint = format!("the countries are {}", known.join(", "));
        answer.fault(name.line, format!("answer.cadence \"{}\" is not known", name.value), hint);
    }
    let (name, burst, period) = *found.unwrap_or(&CADENCES[0]);
    Cadence { name: name.to_owned(), burst: Duration::from_millis(burst), period: Duration::from_millis(period) }
}

fn ringback(answer: &mut Table<'_>) -> Ringback {
    let built = [("network", Ringback::Network), ("gateway", Ringback::Gateway)];
    one_of(answer, "ringback", &built, &[], "").unwrap_or(Ringback::Network)
}

fn strategy(agents: &mut Table<'_>) -> Strategy {
    one_of(agents, "strategy", Strategy::WORDS, &[], "").unwrap_or(Strategy::RoundRobin)
}

/// One of the words that are built; a word that is only planned says so.
fn one_of<T: Copy>(
    table: &mut Table<'_>,
    key: &'static str,
    built: &[(&str, T)],
    planned: &[&str],
    use_instead: &str,
) -> Option<T> {
    let written = table.string(key)?;
    if let Some((_, value)) = built.iter().find(|(word, _)| *word == written.value) {
        return Some(*value);
    }
    let name = table.path(key);
    if planned.contains(&written.value.as_str()) {
        table.fault(written.line, format!("{name} \"{}\" is not built yet", written.value), use_instead);
    } else {
        let known: Vec<&str> = built.iter().map(|(word, _)| *word).chain(planned.iter().copied()).collect();
        table.fault(
            written.line,
            format!("{name} \"{}\" is not known", written.value),
            did_you_mean(&written.value, &known),
        );
    }
    None
}

#[cfg(test)]
mod keys_tests;
