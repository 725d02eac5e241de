//! The texts of one hotline, said: placeholders filled in, recordings found, faults told once.

use std::collections::BTreeMap;

use super::Roster;
use crate::dialplan::plan::Prompt;
use crate::dialplan::prompt::{Library, Unsaid};
use crate::fault::nearest;
use crate::ids::AgentNo;
use crate::written::{At, Document};

/// Says the texts of one hotline.
pub(super) struct Speaker<'a, 'f> {
    pub(super) document: &'a Document<'a>,
    pub(super) library: &'a mut Library<'f>,
    pub(super) roster: Option<&'a Roster>,
    pub(super) org: &'a str,
    /// `None`: nothing is said, and nothing of it is at fault.
    pub(super) language: Option<&'a str>,
    /// Line and reason of the faults told: the default `late` repeats the greeting.
    pub(super) told: Vec<(u32, String)>,
}

/// One reading of a text: what it is called in a fault, and what stands for its placeholders beside `{org}`.
struct Reading<'r> {
    name: &'r str,
    values: Vec<(&'static str, &'r str)>,
}

impl Speaker<'_, '_> {
    pub(super) fn for_each_agent<'n>(
        &mut self,
        key: &str,
        text: &At<String>,
        agents: impl IntoIterator<Item = &'n str>,
    ) -> BTreeMap<AgentNo, Prompt> {
        let roster = self.roster;
        let reading = |agent: &'n str| {
            let name = roster.and_then(|r| r.get(&AgentNo::from(agent))).map(|member| member.name.as_str());
            (agent, name.map_or_else(|| agent.to_owned(), str::to_owned))
        };
        let named: Vec<(&str, String)> = agents.into_iter().map(reading).collect();
        let readings = named.iter().map(|(agent, name)| {
            let values = vec![("agent_no", *agent), ("agent_name", name.as_str())];
            Reading { name: agent, values }
        });
        let readings: Vec<Reading<'_>> = readings.collect();
        let said = self.say(key, text, ("agent", &["org", "agent_no", "agent_name"]), &readings);
        let pairs = named.iter().zip(said);
        pairs.filter_map(|((agent, _), prompt)| Some((AgentNo::from(*agent), prompt?))).collect()
    }

    /// A text that is the same whoever answers.
    pub(super) fn one(&mut self, key: &str, text: &At<String>) -> Option<Prompt> {
        let readings = [Reading { name: "", values: Vec::new() }];
        self.say(key, text, ("", &["org"]), &readings).pop().flatten()
    }

    /// One to nine, or nothing if the language cannot say them all.
    pub(super) fn digits(&mut self) -> Vec<Prompt> {
        let Some(language) = self.language else { return Vec::new() };
        let said: Result<Vec<Prompt>, Unsaid> =
            (1..=9).map(|digit: u8| self.library.say(language, &digit.to_string())).collect();
        said.unwrap_or_default()
    }

    /// A text for each number from 1 to the last, which stands for the placeholder; nothing without a text.
    pub(super) fn counted(
        &mut self,
        key: &str,
        text: Option<&At<String>>,
        placeholder: &'static str,
        last: u32,
    ) -> Vec<Prompt> {
        let Some(text) = text else { return Vec::new() };
        let numbers: Vec<String> = (1..=last).map(|n| n.to_string()).collect();
        let readings: Vec<Reading<'_>> =
            numbers.iter().map(|n| Reading { name: n, values: vec![(placeholder, n.as_str())] }).collect();
        self.say(key, text, (placeholder, &["org", placeholder]), &readings).into_iter().flatten().collect()
    }

    /// One prompt for each reading; `None` where it has its fault. `noun`: what readings are; `known`: the placeholders.
    fn say(
        &mut self,
        key: &str,
        text: &At<String>,
        (noun, known): (&str, &[&str]),
        readings: &[Reading<'_>],
    ) -> Vec<Option<Prompt>> {
        let (true, Some(language)) = (self.placeholders_known(key, text, known), self.language) else {
            return Vec::new();
        };
        let mut unsaid: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut said = Vec::with_capacity(readings.len());
        for reading in readings {
            let spoken = self.library.say(language, &self.filled(&text.value, reading));
            let mut because = |reason: String| unsaid.entry(reason).or_default().push(reading.name);
            match &spoken {
                Ok(_) => {}
                Err(Unsaid::NoCatalogue) => because(format!("no prompts in {language}")),
                Err(Unsaid::Uncovered(pieces)) if pieces.is_empty() => because("nothing to say".to_owned()),
                Err(Unsaid::Uncovered(pieces)) => {
                    for piece in pieces {
                        because(format!("no {language} prompt says \"{piece}\""));
                    }
                }
                // Told with the catalogue's own line.
                Err(Unsaid::BadRecording) => {}
            }
            said.push(spoken.ok());
        }
        for (reason, with) in unsaid {
            let whom =
                if with.len() == readings.len() { String::new() } else { format!(" ({noun} {})", with.join(", ")) };
            self.unsaid(key, text.line, reason, &whom);
        }
        said
    }

    fn unsaid(&mut self, key: &str, line: u32, reason: String, whom: &str) {
        if self.told.contains(&(line, reason.clone())) {
            return;
        }
        let hint = format!(
            "record it and add \"text, tab, file\" to prompts/{}/catalogue.tsv beside the dialplans; \
             dialplans/README.md tells how prompts are made",
            self.language.unwrap_or_default()
        );
        self.document.fault(line, format!("{key}: {reason}{whom}"), hint);
        self.told.push((line, reason));
    }

    fn filled(&self, text: &str, reading: &Reading<'_>) -> String {
        let fill = |part| match part {
            Part::Text(text) => text,
            Part::Hole("org") => self.org,
            Part::Hole(hole) => reading.values.iter().find(|(name, _)| *name == hole).map_or("", |(_, value)| *value),
            Part::Open => "",
        };
        parts(text).into_iter().map(fill).collect()
    }

    fn placeholders_known(&mut self, key: &str, text: &At<String>, known: &[&str]) -> bool {
        let mut good = true;
        for part in parts(&text.value) {
            let (what, hint) = match part {
                Part::Text(_) => continue,
                Part::Hole(name) if known.contains(&name) => continue,
                Part::Hole(name) => (format!("unknown placeholder {{{name}}}"), placeholder_hint(name, known)),
                Part::Open => ("a { without its }".to_owned(), "write {org} or {agent_no}".to_owned()),
            };
            good = false;
            if !self.told.contains(&(text.line, what.clone())) {
                self.document.fault(text.line, format!("{key}: {what}"), hint);
                self.told.push((text.line, what));
            }
        }
        good
    }
}

fn placeholder_hint(written: &str, known: &[&str]) -> String {
    match nearest(written, known) {
        Some(word) => format!("did you mean {{{word}}}?"),
        None => {
            let known: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
            format!("the placeholders are {}", known.join(", "))
        }
    }
}

/// A stretch of a text with placeholders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    /// `{name}`, without the braces.
    Hole(&'t str),
    /// A brace that is never closed.
    Open,
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        parts.push(Part::Text(before));
        match after.split_once('}') {
            Some((name, after)) => {
                parts.push(Part::Hole(name.trim()));
                rest = after;
            }
            None => {
                parts.push(Part::Open);
                rest = after;
            }
        }
    }
    parts.push(Part::Text(rest));
    parts
}
