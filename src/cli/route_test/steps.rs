//! Steps of a dialplan in words.

use std::io::{self, Write};
use std::time::Duration;

use super::agents;
use crate::config::Loaded;
use crate::dialplan::plan::{Does, Hotline, Next, Prompt, Queue, Step};
use crate::ids::Callee;

/// What words are looked up in.
pub(super) struct Words<'w> {
    pub(super) loaded: &'w Loaded,
    pub(super) hotline: &'w Hotline,
}

impl Words<'_> {
    /// Where a call goes on; a target that is called rings for `ring`.
    pub(super) fn way(&self, next: &Next, ring: Duration) -> String {
        match next {
            Next::BusyTone => "486 Busy Here, and the caller's network plays the busy tone".to_owned(),
            Next::Unavailable => "480 Temporarily Unavailable".to_owned(),
            Next::HangUp => "the call is ended".to_owned(),
            Next::Agents => "the agents".to_owned(),
            Next::Step(no) => format!("step \"{}\"", no.of(self.hotline).map_or("", |step| step.name.as_str())),
            Next::Target(name) => {
                let whom = self.target(name.as_str());
                let ring_s = ring.as_secs_f64();
                format!("{whom} is called for {ring_s} s (its answer makes the call an overflow; else 480)")
            }
        }
    }

    fn callee(&self, callee: &Callee) -> String {
        match callee {
            Callee::Agent(agent) => format!("agent {agent}"),
            Callee::Target(target) => self.target(target.as_str()),
        }
    }

    fn target(&self, name: &str) -> String {
        match self.loaded.config.targets.iter().find(|target| target.name == name) {
            Some(target) => format!("the target \"{name}\", {} over the trunk {},", target.number, target.trunk),
            None => format!("the target \"{name}\" (not in the configuration, so not called)"),
        }
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn text(prompt: &Prompt) -> &str {
    &prompt.text
}

pub(super) fn queue(words: &Words<'_>, queue: &Queue, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "  While all are busy the call is answered, and the caller waits up to {} s:",
        seconds(queue.longest)
    )?;
    if let Some(busy) = &queue.busy {
        writeln!(out, "    hears: {}", text(busy))?;
    }
    if let Some(first) = queue.ahead.first() {
        writeln!(out, "    then, with one caller ahead: {}", text(first))?;
    }
    if let Some(first) = queue.estimate.first() {
        writeln!(out, "    then, if the calls of late tell it: {}", text(first))?;
    }
    if let Some(every) = queue.every {
        writeln!(out, "    again every {} s", seconds(every))?;
    }
    for (key, next) in &queue.keys {
        writeln!(out, "    key {key}: {}", words.way(next, words.hotline.agents.ring))?;
    }
    writeln!(out, "    in vain: {}", words.way(&queue.otherwise, words.hotline.agents.ring))
}

pub(super) fn step(words: &Words<'_>, step: &Step, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  Step \"{}\":", step.name)?;
    let usual = words.hotline.agents.ring;
    match &step.does {
        Does::Ring(group) => {
            agents(words, group, "    ", out)?;
            writeln!(out, "    with nobody left: {}", words.way(&group.nobody, group.ring))
        }
        Does::Call(call) => {
            let whom = words.target(call.target.as_str());
            writeln!(out, "    {whom} is called for {} s; its answer makes the call an overflow", seconds(call.ring))?;
            writeln!(out, "    without an answer: {}", words.way(&call.otherwise, usual))
        }
        Does::Say(say) => {
            writeln!(out, "    the caller hears: {}", text(&say.prompt))?;
            writeln!(out, "    then: {}", words.way(&say.then, usual))
        }
        Does::Menu(menu) => {
            writeln!(out, "    the caller is asked up to {} times: {}", menu.tries, text(&menu.prompt))?;
            for (key, next) in &menu.keys {
                writeln!(out, "    key {key}: {}", words.way(next, usual))?;
            }
            let otherwise = words.way(&menu.otherwise, usual);
            writeln!(out, "    no such key within {} s of the question: {otherwise}", seconds(menu.wait))
        }
        Does::Cascade(cascade) => {
            let all: Vec<String> = cascade.callees.iter().map(|callee| words.callee(callee)).collect();
            writeln!(out, "    all of these are rung at once for {} s: {}", seconds(cascade.ring), all.join("; "))?;
            let confirm_s = seconds(cascade.confirm);
            writeln!(
                out,
                "    whoever picks up takes the call by key 1 within {confirm_s} s; until then the others ring"
            )?;
            writeln!(out, "    nobody does: {}", words.way(&cascade.otherwise, usual))
        }
        Does::Message(message) => {
            writeln!(out, "    the caller hears: {}", text(&message.prompt))?;
            write!(out, "    then a tone, and may speak for {} s, or until a key", seconds(message.longest))?;
            match &message.thanks {
                Some(thanks) => writeln!(out, "; then: {}", text(thanks)),
                None => writeln!(out),
            }
        }
    }
}
