//! From dialplans as written to plans that cannot fail: every fault of every file at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::plan::{AgentGreeting, Agents, Greeting, Hotline, Nobody, Plans, Prompt};
use super::prompt::{Library, Unsaid};
use super::schema::{self, Written};
use super::spoken::Tongue;
use crate::fault::{Fault, did_you_mean, nearest};
use crate::ids::{AgentNo, HotlineId, TargetName};
use crate::written::{At, Document, text_of};

/// One dialplan's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFile {
    /// As faults name it.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Every agent of the configuration, with a name for `{agent_name}`.
pub type Roster = BTreeMap<AgentNo, String>;

/// Compiles all dialplans together. Without a roster any agent may be named; a target must be one of `targets`. The plans are whole only if there is no
/// fault.
pub fn compile(
    files: &[PlanFile],
    mut library: Library<'_>,
    roster: Option<&Roster>,
    targets: &[TargetName],
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
        known_agents(&document, &written.agents, roster);
        known_target(&document, &written, targets);
        let greeting = greeting(&document, &written, &mut library, roster);
        if let Some(hotline) = hotline(written, greeting, version(&file.bytes)) {
            let hotline = Arc::new(hotline);
            plans.by_number.extend(hotline.numbers.iter().map(|number| (number.clone(), hotline.clone())));
            plans.hotlines.push(hotline);
        }
        faults.extend(document.into_faults());
    }
    faults.extend(library.into_faults());
    (plans, faults)
}

/// First 16 hex digits of the SHA-256.
fn version(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn hotline(written: Written, greeting: Greeting, version: String) -> Option<Hotline> {
    Some(Hotline {
        id: HotlineId::from(written.id?.value),
        org: written.org?.value,
        numbers: written.numbers.into_iter().map(|at| at.value).collect(),
        language: written.language?.value,
        time_zone: written.time_zone,
        version,
        answer: written.answer,
        greeting,
        agents: Agents {
            numbers: written.agents.into_iter().map(|at| AgentNo::from(at.value)).collect(),
            strategy: written.strategy,
            ring: written.ring,
            nobody: written.nobody,
        },
    })
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

fn known_agents(document: &Document<'_>, agents: &[At<String>], roster: Option<&Roster>) {
    let Some(roster) = roster else { return };
    for agent in agents {
        if !roster.contains_key(&AgentNo::from(agent.value.as_str())) {
            let what = format!("agent \"{}\" is not in the configuration", agent.value);
            let hint = format!("add [[agent]] with number = \"{}\" to hotline.toml", agent.value);
            document.fault(agent.line, what, hint);
        }
    }
}

/// Calls go to targets of the configuration and to nobody else, whatever a dialplan says.
fn known_target(document: &Document<'_>, written: &Written, targets: &[TargetName]) {
    let Nobody::Target(target) = &written.nobody else { return };
    if !targets.contains(target) {
        let what = format!("target \"{target}\" is not in the configuration");
        let hint = if targets.is_empty() {
            format!("add [[target]] with name = \"{target}\" to hotline.toml")
        } else {
            did_you_mean(target.as_str(), &targets.iter().map(TargetName::as_str).collect::<Vec<_>>())
        };
        document.fault(written.nobody_line, what, hint);
    }
}

/// What each agent's caller hears, normal and late.
fn greeting(
    document: &Document<'_>,
    written: &Written,
    library: &mut Library<'_>,
    roster: Option<&Roster>,
) -> Greeting {
    let (Some(text), Some(org), Some(language)) = (&written.text, &written.org, &written.language) else {
        return Greeting::default();
    };
    let (org, language) = (org.value.as_str(), language.value.as_str());
    let late = match &written.late {
        Some(late) => Some(late.clone()),
        None => default_late(language, text),
    };
    if late.is_none() {
        let what = format!("[greeting] has no \"late\", and there is no default in {language}");
        document.fault(text.line, what, "add late = \"…\": what is said after a late answer");
    }
    let mut speaker = Speaker { document, library, roster, org, language, told: Vec::new() };
    let normal = speaker.for_each_agent("greeting.text", text, &written.agents);
    let mut late =
        late.map_or_else(BTreeMap::new, |late| speaker.for_each_agent("greeting.late", &late, &written.agents));
    let pair = |(agent, normal)| late.remove(&agent).map(|late| (agent, AgentGreeting { normal, late }));
    Greeting { by_agent: normal.into_iter().filter_map(pair).collect() }
}

/// The apology of the rule documents, then the greeting.
fn default_late(language: &str, text: &At<String>) -> Option<At<String>> {
    let late = match Tongue::of(language) {
        Tongue::Chinese => format!("不好意思,让您久等了{}", text.value),
        Tongue::English => format!("I'm sorry to keep you waiting. {}", text.value),
        Tongue::Other => return None,
    };
    Some(At::new(late, text.line))
}

/// Says the texts of one hotline.
struct Speaker<'a, 'f> {
    document: &'a Document<'a>,
    library: &'a mut Library<'f>,
    roster: Option<&'a Roster>,
    org: &'a str,
    language: &'a str,
    /// Line and reason of the faults told: the default `late` repeats the greeting.
    told: Vec<(u32, String)>,
}

impl Speaker<'_, '_> {
    fn for_each_agent(&mut self, key: &str, text: &At<String>, agents: &[At<String>]) -> BTreeMap<AgentNo, Prompt> {
        let mut said = BTreeMap::new();
        let mut unsaid: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        if !self.placeholders_known(key, text) {
            return said;
        }
        for agent in agents {
            let agent = agent.value.as_str();
            match self.library.say(self.language, &self.filled(&text.value, agent)) {
                Ok(prompt) => {
                    said.insert(AgentNo::from(agent), prompt);
                }
                Err(Unsaid::NoCatalogue) => {
                    unsaid.entry(format!("no prompts in {}", self.language)).or_default().push(agent)
                }
                Err(Unsaid::Uncovered(pieces)) if pieces.is_empty() => {
                    unsaid.entry("nothing to say".to_owned()).or_default().push(agent);
                }
                Err(Unsaid::Uncovered(pieces)) => {
                    for piece in pieces {
                        let reason = format!("no {} prompt says \"{piece}\"", self.language);
                        unsaid.entry(reason).or_default().push(agent);
                    }
                }
                // Told with the catalogue's own line.
                Err(Unsaid::BadRecording) => {}
            }
        }
        for (reason, with) in unsaid {
            self.unsaid(key, text.line, reason, &with, agents.len());
        }
        said
    }

    fn unsaid(&mut self, key: &str, line: u32, reason: String, with: &[&str], all: usize) {
        if self.told.contains(&(line, reason.clone())) {
            return;
        }
        let whom = if with.len() == all { String::new() } else { format!(" (agent {})", with.join(", ")) };
        let hint = format!(
            "record it and add \"text, tab, file\" to prompts/{}/catalogue.tsv beside the dialplans; \
             dialplans/README.md tells how prompts are made",
            self.language
        );
        self.document.fault(line, format!("{key}: {reason}{whom}"), hint);
        self.told.push((line, reason));
    }

    /// The text for one agent.
    fn filled(&self, text: &str, agent: &str) -> String {
        let name = self.roster.and_then(|r| r.get(&AgentNo::from(agent))).map_or(agent, String::as_str);
        let fill = |part| match part {
            Part::Text(text) => text,
            Part::Hole("org") => self.org,
            Part::Hole("agent_no") => agent,
            Part::Hole("agent_name") => name,
            Part::Hole(_) | Part::Open => "",
        };
        parts(text).into_iter().map(fill).collect()
    }

    fn placeholders_known(&mut self, key: &str, text: &At<String>) -> bool {
        let mut good = true;
        for part in parts(&text.value) {
            let (what, hint) = match part {
                Part::Text(_) => continue,
                Part::Hole(name) if PLACEHOLDERS.contains(&name) => continue,
                Part::Hole(name) => (format!("unknown placeholder {{{name}}}"), placeholder_hint(name)),
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

const PLACEHOLDERS: [&str; 3] = ["org", "agent_no", "agent_name"];

fn placeholder_hint(written: &str) -> String {
    match nearest(written, &PLACEHOLDERS) {
        Some(word) => format!("did you mean {{{word}}}?"),
        None => "the placeholders are {org}, {agent_no}, {agent_name}".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::super::plan::{Nobody, Ringback, Strategy};
    use super::super::prompt::tests::Memory;
    use super::*;
    use std::time::Duration;

    /// The dialplan of the contract.
    const CONTRACT: &str = r#"
[hotline]
id        = "property"
org       = "物业"
numbers   = ["4008001234"]
language  = "zh-CN"
time_zone = "Asia/Shanghai"

[answer]
max_rings = 3                            # 三声内接听
cadence   = "cn"                         # 1 s on, 4 s off: a ring is 5 s
ringback  = "network"                    # or "gateway"
short_abandon_ms = 5000

[greeting]
text = "您好,{org}客户服务中心{agent_no}号接待员为您服务"

[agents]
numbers  = ["8", "9"]
strategy = "round_robin"
ring_s   = 20
nobody   = "busy_tone"
"#;

    fn prompts() -> Memory {
        Memory::with(
            "zh-CN",
            &[
                ("您好，物业客户服务中心八号接待员为您服务。", "greet/8.wav"),
                ("您好", "hello.wav"),
                ("物业客户服务中心", "org.wav"),
                ("九号", "no.9.wav"),
                ("接待员为您服务", "serves.wav"),
                ("不好意思，让您久等了", "late.wav"),
                ("再见", "bye.wav"),
            ],
        )
    }

    fn run(files: &[(&str, &str)], roster: &[&str]) -> (Plans, Vec<String>) {
        let files: Vec<PlanFile> = files
            .iter()
            .map(|(name, text)| PlanFile { name: (*name).into(), bytes: text.as_bytes().to_vec() })
            .collect();
        let roster: Roster = roster.iter().map(|n| (AgentNo::from(*n), format!("Agent {n}"))).collect();
        let prompts = prompts();
        let (plans, mut faults) =
            compile(&files, Library::new(vec![&prompts]), Some(&roster), &[TargetName::from("duty")]);
        faults.sort();
        (plans, faults.iter().map(Fault::to_string).collect())
    }

    fn faults(text: &str) -> Vec<String> {
        run(&[("p", text)], &["8", "9", "77"]).1
    }

    #[test]
    fn the_contracts_dialplan() {
        let (plans, faults) = run(&[("p", CONTRACT)], &["8", "9"]);
        assert_eq!(faults, [""; 0]);
        let hotline = &plans.by_number["4008001234"];
        assert_eq!((hotline.id.as_str(), hotline.org.as_str()), ("property", "物业"));
        assert_eq!((hotline.answer.max_rings, hotline.answer.ringback), (3, Ringback::Network));
        assert_eq!(hotline.answer.cadence.period, Duration::from_secs(5));
        assert_eq!(hotline.answer.short_abandon, Duration::from_secs(5));
        assert_eq!((hotline.agents.strategy, &hotline.agents.nobody), (Strategy::RoundRobin, &Nobody::BusyTone));
        assert_eq!(hotline.agents.ring, Duration::from_secs(20));
        assert_eq!(hotline.version.len(), 16);
        let eight = &hotline.greeting.by_agent[&AgentNo::from("8")];
        assert_eq!(eight.normal.text, "您好,物业客户服务中心8号接待员为您服务");
        assert_eq!(eight.normal.files, ["greet/8.wav"]);
        assert_eq!(eight.late.text, "不好意思,让您久等了您好,物业客户服务中心8号接待员为您服务");
        assert_eq!(eight.late.files, ["late.wav", "greet/8.wav"]);
        let nine = &hotline.greeting.by_agent[&AgentNo::from("9")];
        assert_eq!(nine.normal.files, ["hello.wav", "org.wav", "no.9.wav", "serves.wav"]);
    }

    #[test]
    fn what_is_left_out_has_the_defaults_shown() {
        let short = "[hotline]\nid = \"property\"\norg = \"物业\"\nnumbers = [\"4008001234\"]\n\
                     [greeting]\ntext = \"您好,{org}客户服务中心{agent_no}号接待员为您服务\"\n[agents]\nnumbers = [\"8\", \"9\"]";
        let ((long, _), (short, faults)) = (run(&[("p", CONTRACT)], &["8", "9"]), run(&[("p", short)], &["8", "9"]));
        assert_eq!(faults, [""; 0]);
        let (long, short) = (&long.hotlines[0], &short.hotlines[0]);
        assert_eq!((&long.answer, &long.language, &long.time_zone), (&short.answer, &short.language, &short.time_zone));
        assert_eq!(format!("{:?}", long.agents), format!("{:?}", short.agents));
    }

    #[test]
    fn every_required_key() {
        assert_eq!(
            faults("[hotline]\n\n[agents]\nnumbers = []\n"),
            [
                "p:1: [greeting] has no \"text\": add text = \"…\" below [greeting]",
                "p:1: [hotline] has no \"id\": add id = \"…\"",
                "p:1: [hotline] has no \"numbers\": add numbers = [\"…\"]",
                "p:1: [hotline] has no \"org\": add org = \"…\"",
                "p:4: agents.numbers is empty: write numbers = [\"…\"]",
            ]
        );
    }

    #[test]
    fn every_fault_with_its_line() {
        let expected: Vec<&str> = include_str!("faulty.txt").lines().collect();
        assert_eq!(faults(include_str!("faulty.toml")), expected);
    }

    #[test]
    fn words_near_the_right_ones() {
        let with = |from: &str, to: &str| faults(&CONTRACT.replace(from, to));
        let mistyped = with("\"round_robin\"", "\"roundrobin\"");
        assert_eq!(mistyped, ["p:20: agents.strategy \"roundrobin\" is not known: did you mean \"round_robin\"?"]);
        let mistyped = with("\"busy_tone\"", "\"busytone\"");
        assert_eq!(mistyped, ["p:22: agents.nobody \"busytone\" is not known: did you mean \"busy_tone\"?"]);
        let mistyped = with("{agent_no}", "{agentno}");
        assert_eq!(mistyped, ["p:16: greeting.text: unknown placeholder {agentno}: did you mean {agent_no}?"]);
        let mistyped = with("{agent_no}", "{agent_no");
        assert_eq!(mistyped, ["p:16: greeting.text: a { without its }: write {org} or {agent_no}"]);
    }

    #[test]
    fn a_number_or_an_id_in_two_plans() {
        let (_, faults) = run(&[("a", CONTRACT), ("b", CONTRACT)], &["8", "9"]);
        assert_eq!(
            faults,
            [
                "b:3: the id \"property\" is taken by a:3: give every hotline an id of its own",
                "b:5: the number \"4008001234\" is taken by a:5: a number belongs to one hotline",
            ]
        );
    }

    #[test]
    fn what_no_prompt_says_is_named_once() {
        let text = CONTRACT.replace("[\"8\", \"9\"]", "[\"9\", \"77\"]").replace("您好,", "喂,");
        let found = faults(&text);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(
            found[0].starts_with("p:16: greeting.text: no zh-CN prompt says \"77号\" (agent 77): record it"),
            "{}",
            found[0]
        );
        assert!(found[1].starts_with("p:16: greeting.text: no zh-CN prompt says \"喂\": record it"), "{}", found[1]);
        let late = faults(&CONTRACT.replace("[agents]", "late = \"真对不起,再见\"\n[agents]"));
        assert!(
            late[0].starts_with("p:18: greeting.late: no zh-CN prompt says \"真对不起\": record it"),
            "{}",
            late[0]
        );
        let german = faults(&CONTRACT.replace("zh-CN", "de"));
        assert!(german[0].contains("has no \"late\"") && german[1].contains("no prompts in de"), "{german:#?}");
    }

    #[test]
    fn versions_follow_the_bytes() {
        assert_eq!(version(b""), "e3b0c44298fc1c14");
    }
}
