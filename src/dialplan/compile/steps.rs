//! Where a call goes on: the words of a file, looked up. Every word leads somewhere, and every step is led to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::speaker::Speaker;
use super::{Roster, after};
use crate::dialplan::plan::{self, Agents, Cascade, Menu, Message, Next, Prompt, Queue, Say, Skill, Step, StepNo};
use crate::dialplan::reception::Reception;
use crate::dialplan::schema::steps::{self as written, Does};
use crate::dialplan::schema::{self, Group, Written};
use crate::dialplan::scripts::Scripts;
use crate::fault::{did_you_mean, nearest};
use crate::ids::{AgentNo, Callee, TargetName};
use crate::written::{At, Document};

/// So many callers ahead are told: a higher number says only that it will be long.
const AHEAD: u32 = 20;

/// The longest wait that is told, in minutes: who knows beyond that.
const MINUTES: u32 = 20;

pub(super) struct Steps {
    pub(super) agents: Agents,
    pub(super) reception: Reception,
    pub(super) scripts: Scripts,
    pub(super) start: Next,
    pub(super) steps: Vec<Step>,
}

impl Steps {
    pub(super) fn compile(
        document: &Document<'_>,
        file: &Written,
        speaker: &mut Speaker<'_, '_>,
        targets: Option<&[TargetName]>,
    ) -> Steps {
        let names: Vec<&str> = file.steps.iter().map(|step| step.name.value.as_str()).collect();
        let ways = Ways { document, names: &names, targets, roster: speaker.roster };
        let queue = file.queue.as_ref().map(|queue| Arc::new(ways.queue(queue, speaker)));
        let agents = ways.agents(&file.agents, queue.as_ref(), "agents");
        let start = ways.next("hotline.start", file.start.as_ref(), Next::Agents);
        let reception = ways.reception(file, speaker);
        let scripts = ways.scripts(&file.scripts, speaker);
        let steps = file.steps.iter().map(|step| {
            let name = step.name.value.clone();
            let path = format!("step.{name}");
            ways.does(&path, &step.does, queue.as_ref(), speaker).map(|does| Step { name, does })
        });
        let steps: Option<Vec<Step>> = steps.collect();
        // A step without its prompt has its fault; the plan is not whole then, and nobody runs it.
        let compiled = Steps { agents, reception, scripts, start, steps: steps.unwrap_or_default() };
        if compiled.steps.len() == file.steps.len() {
            compiled.all_led_to(document, &file.steps);
        }
        compiled
    }

    /// A step that no call can come to is a mistake of writing.
    fn all_led_to(&self, document: &Document<'_>, written: &[written::Step]) {
        let mut found: BTreeSet<StepNo> = BTreeSet::new();
        let mut open: Vec<&Next> = std::iter::once(&self.start).chain(self.reception.leads_to()).collect();
        open.extend(self.scripts.desks.named().map(|(_, desk)| &desk.then));
        let (mut agents, mut queued) = (false, BTreeSet::new());
        while let Some(next) = open.pop() {
            match next {
                Next::Agents if !agents => {
                    agents = true;
                    after_agents(&self.agents, &mut open, &mut queued);
                }
                Next::Step(no) if found.insert(*no) => match self.steps.get(no.0).map(|step| &step.does) {
                    Some(plan::Does::Ring(group)) => after_agents(group, &mut open, &mut queued),
                    Some(plan::Does::Call(call)) => open.push(&call.otherwise),
                    Some(plan::Does::Cascade(cascade)) => open.push(&cascade.otherwise),
                    Some(plan::Does::Say(say)) => open.push(&say.then),
                    Some(plan::Does::Menu(menu)) => {
                        open.push(&menu.otherwise);
                        open.extend(menu.keys.values());
                    }
                    Some(plan::Does::Message(_)) | None => {}
                },
                _ => {}
            }
        }
        let lost = written.iter().enumerate().filter(|(number, _)| !found.contains(&StepNo(*number)));
        for (_, step) in lost {
            let what = format!("no call comes to step \"{}\"", step.name.value);
            document.fault(
                step.name.line,
                what,
                "lead to it from hotline.start, hours.closed, agents.nobody, a key or another step",
            );
        }
        if !agents {
            let what = "no call comes to the agents of [agents]";
            document.fault(1, what, "write \"agents\" where a call goes on, or leave hotline.start out");
        }
    }
}

fn after_agents<'p>(agents: &'p Agents, open: &mut Vec<&'p Next>, queued: &mut BTreeSet<*const Queue>) {
    open.push(&agents.nobody);
    if let Some(queue) = &agents.queue
        && queued.insert(Arc::as_ptr(queue))
    {
        open.push(&queue.otherwise);
        open.extend(queue.keys.values());
    }
}

/// Looks words up.
pub(super) struct Ways<'w> {
    pub(super) document: &'w Document<'w>,
    names: &'w [&'w str],
    targets: Option<&'w [TargetName]>,
    roster: Option<&'w Roster>,
}

impl Ways<'_> {
    pub(super) fn next(&self, key: &str, word: Option<&At<String>>, left_out: Next) -> Next {
        let Some(word) = word else { return left_out };
        match word.value.as_str() {
            "busy_tone" => Next::BusyTone,
            "480" => Next::Unavailable,
            "hang_up" => Next::HangUp,
            "agents" => Next::Agents,
            other => match (other.strip_prefix(written::TARGET), self.names.iter().position(|name| *name == other)) {
                (Some(target), _) => Next::Target(self.target(&At::new(target.to_owned(), word.line))),
                (None, Some(number)) => Next::Step(StepNo(number)),
                (None, None) => {
                    let known: Vec<&str> = self.names.iter().chain(&written::RESERVED).copied().collect();
                    let hint = match nearest(other, &known) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!("write one of {}, or \"target:NAME\"", known.join(", ")),
                    };
                    self.document.fault(word.line, format!("{key}: there is no step \"{other}\""), hint);
                    left_out
                }
            },
        }
    }

    /// Calls go to targets of the configuration and to nobody else, whatever a dialplan says.
    fn target(&self, word: &At<String>) -> TargetName {
        let target = TargetName::from(word.value.as_str());
        let Some(targets) = self.targets else { return target };
        if !targets.contains(&target) {
            let what = format!("target \"{target}\" is not in the configuration");
            let hint = if targets.is_empty() {
                format!("add [[target]] with name = \"{target}\" to hotline.toml")
            } else {
                did_you_mean(target.as_str(), &targets.iter().map(TargetName::as_str).collect::<Vec<_>>())
            };
            self.document.fault(word.line, what, hint);
        }
        target
    }

    fn callee(&self, word: &At<String>) -> Callee {
        match word.value.strip_prefix(written::TARGET) {
            Some(target) => Callee::Target(self.target(&At::new(target.to_owned(), word.line))),
            None => Callee::Agent(AgentNo::from(word.value.as_str())),
        }
    }

    fn agents(&self, group: &Group, queue: Option<&Arc<Queue>>, path: &str) -> Agents {
        let key = if path == "agents" { "agents.nobody".to_owned() } else { format!("{path}.otherwise") };
        if let (Some(At { value: true, line }), None) = (&group.queue, queue) {
            self.document.fault(*line, format!("{path}.queue is true, and there is no [queue]"), "add [queue]");
        }
        Agents {
            numbers: group.numbers.iter().map(|at| AgentNo::from(at.value.as_str())).collect(),
            strategy: group.strategy,
            ring: group.ring,
            queue: queue.filter(|_| group.queue.as_ref().is_none_or(|at| at.value)).cloned(),
            skill: group.skill.as_ref().map(|skill| self.skill(skill, group, path)),
            nobody: self.next(&key, group.nobody.as_ref(), Next::BusyTone),
        }
    }

    /// Without a roster everybody can do everything.
    fn skill(&self, asked: &schema::Skill, group: &Group, path: &str) -> Skill {
        let name = asked.name.value.clone();
        let level = |number: &AgentNo| match self.roster {
            Some(roster) => roster.get(number).and_then(|member| member.skills.get(&name).copied()).unwrap_or(0),
            None => schema::HIGHEST_SKILL,
        };
        let numbers = group.numbers.iter().map(|at| AgentNo::from(at.value.as_str()));
        let able: BTreeSet<AgentNo> = numbers.filter(|number| level(number) >= asked.level).collect();
        if able.is_empty() {
            let what = format!("{path}.skill: none of these agents has \"{name}\" at level {} or more", asked.level);
            let hint = format!("add skills = {{ {name} = {} }} to their [[agent]] in hotline.toml", asked.level);
            self.document.fault(asked.name.line, what, hint);
        }
        Skill { name, level: asked.level, relax: asked.relax, able }
    }

    fn queue(&self, queue: &written::Queue, speaker: &mut Speaker<'_, '_>) -> Queue {
        Queue {
            busy: queue.busy.as_ref().and_then(|text| speaker.one("queue.text", text)),
            ahead: speaker.counted("queue.ahead", queue.ahead.as_ref(), "ahead", AHEAD),
            estimate: speaker.counted("queue.estimate", queue.estimate.as_ref(), "minutes", MINUTES),
            every: queue.every,
            longest: queue.longest,
            keys: self.keys("queue.keys", &queue.keys),
            otherwise: self.next("queue.otherwise", queue.otherwise.as_ref(), Next::BusyTone),
        }
    }

    fn keys(&self, path: &str, written: &[(At<char>, At<String>)]) -> BTreeMap<char, Next> {
        written.iter().map(|(key, next)| (key.value, self.next(path, Some(next), Next::Agents))).collect()
    }

    /// `None`: it has its fault.
    fn does(
        &self,
        path: &str,
        does: &Does,
        queue: Option<&Arc<Queue>>,
        speaker: &mut Speaker<'_, '_>,
    ) -> Option<plan::Does> {
        let mut said = |key: &str, text: &Option<At<String>>| -> Option<Prompt> {
            text.as_ref().and_then(|text| speaker.one(&format!("{path}.{key}"), text))
        };
        Some(match does {
            Does::Ring(group) => plan::Does::Ring(self.agents(group, queue, path)),
            Does::Call { target, ring, otherwise } => {
                let otherwise = self.next(&format!("{path}.otherwise"), otherwise.as_ref(), Next::Unavailable);
                plan::Does::Call(plan::Call { target: self.target(target.as_ref()?), ring: *ring, otherwise })
            }
            Does::Say { text, then } => {
                let then = self.next(&format!("{path}.then"), then.as_ref(), Next::HangUp);
                plan::Does::Say(Say { prompt: said("text", text)?, then })
            }
            Does::Menu(menu) => {
                let keys = self.keys(&format!("{path}.keys"), &menu.keys);
                let otherwise = self.next(&format!("{path}.otherwise"), menu.otherwise.as_ref(), Next::Agents);
                let (wait, tries, classes) = (menu.wait, menu.tries, after::classes(&menu.classes));
                plan::Does::Menu(Menu { prompt: said("text", &menu.text)?, keys, classes, wait, tries, otherwise })
            }
            Does::Message { text, longest, thanks } => {
                let (prompt, spoken) = (said("text", text), said("thanks", thanks));
                plan::Does::Message(Message { prompt: prompt?, longest: *longest, thanks: spoken })
            }
            Does::Cascade(cascade) => {
                let otherwise = self.next(&format!("{path}.otherwise"), cascade.otherwise.as_ref(), Next::Unavailable);
                let (text, ring, confirm) = (said("text", &cascade.text), cascade.ring, cascade.confirm);
                let callees = cascade.whom.iter().map(|word| self.callee(word)).collect();
                plan::Does::Cascade(Cascade { callees, text, ring, confirm, otherwise })
            }
            Does::Unknown => return None,
        })
    }
}
