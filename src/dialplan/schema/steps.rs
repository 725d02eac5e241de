//! `[queue]` and `[step.NAME]` as written. What they lead to is looked up when all of the file is known.

use std::collections::BTreeMap;
use std::time::Duration;

use super::after::classes;
use super::{Group, group, is_agent_number, ring, without_repeats};
use crate::fault::did_you_mean;
use crate::written::{At, Table};

#[derive(Debug)]
pub(in crate::dialplan) struct Step {
    pub(in crate::dialplan) name: At<String>,
    pub(in crate::dialplan) does: Does,
}

#[derive(Debug)]
pub(in crate::dialplan) enum Does {
    Ring(Group),
    Call {
        target: Option<At<String>>,
        ring: Duration,
        otherwise: Option<At<String>>,
    },
    Say {
        text: Option<At<String>>,
        then: Option<At<String>>,
    },
    Menu(Menu),
    Message {
        text: Option<At<String>>,
        longest: Duration,
        thanks: Option<At<String>>,
    },
    Cascade(Cascade),
    /// It has its fault.
    Unknown,
}

impl Does {
    /// The agents whom it rings, as written.
    pub(in crate::dialplan) fn agents(&self) -> Vec<&At<String>> {
        match self {
            Does::Ring(group) => group.numbers.iter().collect(),
            Does::Cascade(cascade) => cascade.whom.iter().filter(|at| !at.value.starts_with(TARGET)).collect(),
            Does::Call { .. } | Does::Say { .. } | Does::Menu(_) | Does::Message { .. } | Does::Unknown => Vec::new(),
        }
    }
}

/// What the word for a target begins with.
pub(in crate::dialplan) const TARGET: &str = "target:";

#[derive(Debug)]
pub(in crate::dialplan) struct Cascade {
    /// Agents' numbers, and targets by that word.
    pub(in crate::dialplan) whom: Vec<At<String>>,
    pub(in crate::dialplan) text: Option<At<String>>,
    pub(in crate::dialplan) ring: Duration,
    pub(in crate::dialplan) confirm: Duration,
    pub(in crate::dialplan) otherwise: Option<At<String>>,
}

#[derive(Debug)]
pub(in crate::dialplan) struct Menu {
    pub(in crate::dialplan) text: Option<At<String>>,
    pub(in crate::dialplan) keys: Vec<(At<char>, At<String>)>,
    pub(in crate::dialplan) wait: Duration,
    /// What a key makes of the call.
    pub(in crate::dialplan) classes: BTreeMap<char, At<String>>,
    pub(in crate::dialplan) tries: u32,
    pub(in crate::dialplan) otherwise: Option<At<String>>,
}

#[derive(Debug)]
pub(in crate::dialplan) struct Queue {
    pub(in crate::dialplan) busy: Option<At<String>>,
    pub(in crate::dialplan) ahead: Option<At<String>>,
    pub(in crate::dialplan) estimate: Option<At<String>>,
    pub(in crate::dialplan) every: Option<Duration>,
    pub(in crate::dialplan) longest: Duration,
    /// By which the caller goes elsewhere instead of waiting on.
    pub(in crate::dialplan) keys: Vec<(At<char>, At<String>)>,
    pub(in crate::dialplan) otherwise: Option<At<String>>,
}

/// `None`: the file has no `[queue]`.
pub(super) fn queue(mut table: Table<'_>) -> Option<Queue> {
    let written = table.pairs("keys");
    let queue = Queue {
        busy: table.string("text"),
        ahead: table.string("ahead"),
        estimate: table.string("estimate"),
        every: table.integer("every_s", 0..=600).map_or(Some(30), |at| Some(at.value)).filter(|s| *s > 0).map(seconds),
        longest: seconds(table.integer("longest_s", 1..=3_600).map_or(300, |at| at.value)),
        keys: keys(&table, written.map_or_else(Vec::new, |at| at.value)),
        otherwise: table.string("otherwise"),
    };
    table.is_present().then_some(queue)
}

/// What keys of menus make of calls.
pub(super) fn classes_of(steps: &[Step]) -> impl Iterator<Item = &At<String>> {
    let menus = steps.iter().filter_map(|step| if let Does::Menu(menu) = &step.does { Some(menu) } else { None });
    menus.flat_map(|menu| menu.classes.values())
}

pub(super) fn read(sections: Vec<(At<String>, Table<'_>)>) -> Vec<Step> {
    let step = |(name, mut table): (At<String>, Table<'_>)| {
        named_well(&table, &name);
        let does = does(&mut table);
        Step { name, does }
    };
    sections.into_iter().map(step).collect()
}

/// Words that say where a call goes on without being a step's name.
pub(in crate::dialplan) const RESERVED: [&str; 4] = ["busy_tone", "480", "hang_up", "agents"];

fn named_well(table: &Table<'_>, name: &At<String>) {
    if RESERVED.contains(&name.value.as_str()) {
        let what = format!("a step cannot be called \"{}\"", name.value);
        table.fault(name.line, what, format!("{} mean something of their own", RESERVED.join(", ")));
    } else if !name.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') || name.value.len() > 64 {
        let what = format!("a step cannot be called \"{}\"", name.value);
        table.fault(name.line, what, "write a-z, 0-9, _ and -, at most 64 of them");
    }
}

const KINDS: [&str; 6] = ["ring", "call", "say", "menu", "message", "cascade"];

/// Whoever is rung in an emergency, all at once.
const CASCADE: usize = 20;

fn does(table: &mut Table<'_>) -> Does {
    let Some(kind) = table.required_string("do") else {
        // What it would have read is not known: its other keys are not called unknown.
        table.ask_for_all();
        return Does::Unknown;
    };
    match kind.value.as_str() {
        "ring" => Does::Ring(group(table, "numbers", "otherwise")),
        "call" => Does::Call {
            target: table.required_string("target"),
            ring: ring(table),
            otherwise: table.string("otherwise"),
        },
        "say" => Does::Say { text: table.required_string("text"), then: table.string("then") },
        "menu" => Does::Menu(menu(table)),
        "message" => Does::Message {
            text: table.required_string("text"),
            longest: seconds(table.integer("longest_s", 5..=600).map_or(120, |at| at.value)),
            thanks: table.string("thanks"),
        },
        "cascade" => Does::Cascade(cascade(table)),
        other => {
            let what = format!("{} \"{other}\" is not known", table.path("do"));
            table.fault(kind.line, what, did_you_mean(other, &KINDS));
            table.ask_for_all();
            Does::Unknown
        }
    }
}

fn cascade(table: &mut Table<'_>) -> Cascade {
    let name = table.path("whom");
    let written = table.required_strings("whom").map_or_else(Vec::new, |at| at.value);
    if written.len() > CASCADE {
        table.fault(table.line(), format!("{name} has {} names", written.len()), format!("write {CASCADE} at most"));
    }
    let good = |one: &At<String>| {
        let good = one.value.starts_with(TARGET) || is_agent_number(&one.value);
        if !good {
            let what = format!("{name}: \"{}\" is neither an agent nor a target", one.value);
            table.fault(one.line, what, "write an agent's number, or \"target:NAME\"");
        }
        good
    };
    let whom = without_repeats(table, &name, written.into_iter().filter(good).collect());
    Cascade {
        whom,
        text: table.string("text"),
        ring: ring(table),
        confirm: seconds(table.integer("confirm_s", 3..=60).map_or(15, |at| at.value)),
        otherwise: table.string("otherwise"),
    }
}

fn menu(table: &mut Table<'_>) -> Menu {
    let text = table.required_string("text");
    let written = table.pairs("keys");
    let name = table.path("keys");
    if written.as_ref().is_none_or(|keys| keys.value.is_empty()) {
        let line = written.as_ref().map_or_else(|| table.line(), |keys| keys.line);
        table.fault(line, format!("{name} has no key"), "add keys = { 1 = \"agents\" }");
    }
    let keys = keys(table, written.map_or_else(Vec::new, |keys| keys.value));
    let classes = classes(table, "classes");
    for (key, class) in classes.iter().filter(|(key, _)| !keys.iter().any(|(known, _)| known.value == **key)) {
        let what = format!("{}: key {key} leads nowhere", table.path("classes"));
        table.fault(class.line, what, "a class belongs to a key of keys = { … }");
    }
    Menu {
        text,
        keys,
        classes,
        wait: seconds(table.integer("wait_s", 1..=60).map_or(5, |at| at.value)),
        tries: table.integer("tries", 1..=10).map_or(2, |at| at.value),
        otherwise: table.string("otherwise"),
    }
}

/// Keys of a telephone, and where each leads.
fn keys(table: &Table<'_>, written: Vec<(At<String>, At<String>)>) -> Vec<(At<char>, At<String>)> {
    let mut keys = Vec::new();
    for (key, next) in written {
        match key.value.chars().collect::<Vec<_>>().as_slice() {
            [one] if one.is_ascii_digit() || "*#".contains(*one) => keys.push((At::new(*one, key.line), next)),
            _ => {
                let what = format!("{}: \"{}\" is no key", table.path("keys"), key.value);
                table.fault(key.line, what, "keys are 0 to 9, \"*\" and \"#\"");
            }
        }
    }
    keys
}

fn seconds(s: u32) -> Duration {
    Duration::from_secs(s.into())
}
