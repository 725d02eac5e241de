//! From dialplans as written to plans that cannot fail: every fault of every file at once.

mod after;
mod courtesies;
mod greeting;
mod reception;
mod scripts;
mod speaker;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use speaker::Speaker;
use steps::Steps;

use super::plan::{Hotline, Plans};
use super::prompt::Library;
use super::schema::steps::Does;
use super::schema::{self, Written};
use crate::fault::Fault;
use crate::ids::{AgentNo, HotlineId, TargetName};
use crate::written::{At, Document, text_of};

/// One dialplan's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFile {
    /// As faults name it.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Every agent of the configuration.
pub type Roster = BTreeMap<AgentNo, Member>;

/// What a dialplan may ask of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// For `{agent_name}`.
    pub name: String,
    /// By name, how well: 1 is a beginner.
    pub skills: BTreeMap<String, u32>,
}

/// Compiles all dialplans together. Without a roster any agent may be named; a target must be one of `targets`. The plans are
/// whole only if there is no fault.
pub fn compile(
    files: &[PlanFile],
    library: Library<'_>,
    roster: Option<&Roster>,
    targets: &[TargetName],
) -> (Plans, Vec<Fault>) {
    compile_for(files, library, roster, Some(targets))
}

/// [`compile`]; without a list of targets any may be named, and whoever is not there is not called.
pub fn compile_for(
    files: &[PlanFile],
    mut library: Library<'_>,
    roster: Option<&Roster>,
    targets: Option<&[TargetName]>,
) -> (Plans, Vec<Fault>) {
    let mut taken = Taken::default();
    let mut plans = Plans::default();
    let mut faults = Vec::new();
    for file in files {
        let text = match text_of(&file.name, &file.bytes) {
            Ok(text) => text,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let document = Document::parse(&file.name, text);
        let written = schema::read(&document);
        taken.claim(&document, &written);
        known_agents(&document, &everybody(&written), roster);
        of_this_hotline(&document, &written);
        let version = version(&file.bytes, &leans_on(&written, &library));
        if let Some(hotline) = hotline(&document, written, &mut library, roster, targets, version) {
            let hotline = Arc::new(hotline);
            plans.by_number.extend(hotline.numbers.iter().map(|number| (number.clone(), hotline.clone())));
            plans.hotlines.push(hotline);
        }
        faults.extend(document.into_faults());
    }
    faults.extend(library.into_faults());
    (plans, faults)
}

/// The other files that a dialplan leans on: their change is a change of the plan.
fn leans_on(written: &Written, library: &Library<'_>) -> Vec<u8> {
    let holidays = written.hours.as_ref().and_then(|hours| hours.holidays.as_ref());
    let calendar = holidays.map(|name| reception::calendar_path(&name.value));
    let callers = written.callers.file.as_ref().map(|file| file.value.clone());
    let bytes = |path: String| library.file(&path).and_then(|(_, bytes)| bytes.ok());
    [calendar, callers].into_iter().flatten().filter_map(bytes).flatten().collect()
}

/// First 16 hex digits of the SHA-256.
fn version(file: &[u8], others: &[u8]) -> String {
    Sha256::new_with_prefix(file)
        .chain_update(others)
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `None`: what every hotline needs has its fault.
fn hotline(
    document: &Document<'_>,
    written: Written,
    library: &mut Library<'_>,
    roster: Option<&Roster>,
    targets: Option<&[TargetName]>,
    version: String,
) -> Option<Hotline> {
    let org = written.org.as_ref().map(|org| org.value.clone());
    let language = written.language.as_ref().map(|language| language.value.clone());
    // With one of the two missing nothing can be said, and only other faults are told.
    let (spoken_org, spoken) = org.as_deref().zip(language.as_deref()).unzip();
    let org_said = spoken_org.unwrap_or_default();
    let mut speaker = Speaker { document, library, roster, org: org_said, language: spoken, told: Vec::new() };
    let greeting = greeting::compile(&written, &mut speaker);
    let steps = Steps::compile(document, &written, &mut speaker, targets);
    let after = after::compile(&written, &mut speaker);
    let takes_messages = written.steps.iter().any(|step| matches!(step.does, Does::Message { .. }));
    if takes_messages && written.recording.percent < 100 {
        let what = "a step takes messages, and [recording] leaves calls out: a message is a stretch of the recording";
        document.fault(1, what, "write policy = \"all\", or take the step out");
    }
    Some(Hotline {
        id: HotlineId::from(written.id?.value),
        org: org?,
        numbers: written.numbers.into_iter().map(|at| at.value).collect(),
        language: language?,
        time_zone: written.time_zone,
        version,
        answer: written.answer,
        greeting,
        agents: steps.agents,
        reception: steps.reception,
        duty: written.duty,
        recording: written.recording,
        scripts: steps.scripts,
        start: steps.start,
        steps: steps.steps,
        after,
    })
}

/// Everybody who is rung by some step, each once.
fn everybody(written: &Written) -> Vec<&At<String>> {
    let of_steps = written.steps.iter().flat_map(|step| step.does.agents());
    let mut all: Vec<&At<String>> = Vec::new();
    for agent in written.agents.numbers.iter().chain(of_steps) {
        if !all.iter().any(|known| known.value == agent.value) {
            all.push(agent);
        }
    }
    all
}

/// Ids and numbers that a file has taken, and which.
#[derive(Default)]
struct Taken {
    ids: BTreeMap<String, String>,
    numbers: BTreeMap<String, String>,
}

impl Taken {
    fn claim(&mut self, document: &Document<'_>, written: &Written) {
        if let Some(id) = &written.id {
            claim(&mut self.ids, document, id, "the id", "give every hotline an id of its own");
        }
        for number in &written.numbers {
            claim(&mut self.numbers, document, number, "the number", "a number belongs to one hotline");
        }
    }
}

fn claim(taken: &mut BTreeMap<String, String>, document: &Document<'_>, one: &At<String>, noun: &str, hint: &str) {
    let here = format!("{}:{}", document.file(), one.line);
    match taken.get(&one.value) {
        Some(there) => document.fault(one.line, format!("{noun} \"{}\" is taken by {there}", one.value), hint),
        None => {
            taken.insert(one.value.clone(), here);
        }
    }
}

fn known_agents(document: &Document<'_>, agents: &[&At<String>], roster: Option<&Roster>) {
    let Some(roster) = roster else { return };
    for agent in agents {
        if !roster.contains_key(&AgentNo::from(agent.value.as_str())) {
            let what = format!("agent \"{}\" is not in the configuration", agent.value);
            let hint = format!("add [[agent]] with number = \"{}\" to hotline.toml", agent.value);
            document.fault(agent.line, what, hint);
        }
    }
}

/// A shift is of those who answer here.
fn of_this_hotline(document: &Document<'_>, written: &Written) {
    let everybody = everybody(written);
    for agent in written.duty.shifts.iter().flat_map(|shift| &shift.agents) {
        if !everybody.iter().any(|known| known.value == agent.as_str()) {
            let what = format!("a shift names agent \"{agent}\", whom no call rings");
            document.fault(1, what, "add the number to [agents] or to a step, or take it out of [[shift]]");
        }
    }
}

#[cfg(test)]
mod tests;
