//! The rule pack: the book's rules as data, and the numbers they go by.
//!
//! The built-in pack holds all of them. A file of the same form may be laid over it: what it names is changed, the
//! rest stays.
//!
//! ```toml
//! [parameters]
//! talk_ms = 240000
//!
//! [rule.R-125]
//! hold_ms  = 45000
//! severity = "major"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use sha2::{Digest as _, Sha256};

use super::measure::{self, Measure};
use super::parameter::{KEYS, Key};
use super::phrase::Wording;
use crate::cdr::{Word, words};
use crate::fault::{Fault, did_you_mean};
use crate::written::{At, Document, Table};

const BUILT_IN: &str = include_str!("pack.toml");

/// What the file's rules are known by in faults.
const FILE: &str = "pack.toml";

words! {
    /// How a rule is decided, once all that it reads is there.
    Decided {
        /// By the facts alone.
        Machine "machine",
        /// The facts give a hint; a person confirms a failure.
        Hinted "hinted",
        /// By what was said.
        Words "words",
        /// By a record that is kept elsewhere: tickets, roster, forms.
        KeptRecord "kept_record",
        /// By a person.
        Human "human",
        /// By no call: the product keeps or shows it over many calls, and the reason says where.
        Product "product",
        /// By nothing that passes the gateway; the reason says why.
        Elsewhere "elsewhere",
    }
}

words! {
    /// What a failure weighs.
    Severity {
        /// The text commands or forbids.
        Major "major",
        Minor "minor",
        /// Reported, and held against nobody.
        Info "info",
    }
}

words! {
    /// What this version does with a rule.
    State {
        Machine "machine",
        Hinted "hinted",
        /// By words, as soon as there is a transcript of the call; a person confirms a failure.
        Transcript "transcript",
        /// Facts that it reads are not there yet: [`Rule::missing`] names them.
        Unknown "unknown",
        Words "words",
        KeptRecord "kept_record",
        Human "human",
        Product "product",
        Elsewhere "elsewhere",
    }
}

words! {
    /// Where a rule's phrases belong; each is a key of the rule.
    Slot {
        /// Said by the agent (or played) when the caller comes to the first one.
        Opening "opening",
        /// Said by the last agent before the end.
        Closing "closing",
        Said "said",
        Never "never",
        /// What excuses a forbidden phrase in the same turn.
        Unless "unless",
        /// Said by the caller: `reply` follows.
        When "when",
        Reply "reply",
        /// Before a hold, and after it.
        Before "before",
        After "after",
    }
}

/// Wordings of one meaning, any of which will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    pub written: Vec<String>,
    wordings: Vec<Wording>,
}

#[derive(Debug, Clone)]
pub struct Rule {
    pub id: String,
    /// Document and clause.
    pub source: String,
    pub theme: String,
    /// What it needs: A signalling, audio, clock; B words; C a kept record; `human`.
    pub class: String,
    /// The clause.
    pub zh: String,
    /// Its meaning.
    pub en: String,
    pub severity: Severity,
    pub decided: Decided,
    pub measure: Option<&'static Measure>,
    /// The facts that are not there yet.
    pub missing: Option<String>,
    /// Why it is not decided by machine, or not wholly.
    pub reason: Option<String>,
    parameters: BTreeMap<&'static str, u32>,
    phrases: BTreeMap<Slot, Vec<String>>,
}

impl Rule {
    /// The names of the phrases in this place.
    pub fn phrases(&self, slot: Slot) -> &[String] {
        self.phrases.get(&slot).map_or(&[], Vec::as_slice)
    }

    pub fn state(&self) -> State {
        match (self.decided, self.measure) {
            (Decided::Machine, Some(_)) => State::Machine,
            (Decided::Hinted, Some(_)) => State::Hinted,
            (Decided::Machine | Decided::Hinted, None) => State::Unknown,
            (Decided::Words, Some(_)) => State::Transcript,
            (Decided::Words, None) => State::Words,
            (Decided::KeptRecord, _) => State::KeptRecord,
            (Decided::Human, _) => State::Human,
            (Decided::Product, _) => State::Product,
            (Decided::Elsewhere, _) => State::Elsewhere,
        }
    }

    pub(super) fn is_hinted(&self) -> bool {
        matches!(self.decided, Decided::Hinted | Decided::Words)
    }
}

#[derive(Debug, Clone)]
pub struct Pack {
    hash: String,
    parameters: BTreeMap<&'static str, u32>,
    /// By id, as texts say sorry.
    apology: Vec<String>,
    phrases: BTreeMap<String, Phrase>,
    rules: BTreeMap<String, Rule>,
}

impl Pack {
    /// The book as it is shipped.
    pub fn built_in() -> Arc<Pack> {
        static PACK: LazyLock<Arc<Pack>> = LazyLock::new(|| {
            let nothing = Pack {
                hash: String::new(),
                parameters: BTreeMap::new(),
                apology: Vec::new(),
                phrases: BTreeMap::new(),
                rules: BTreeMap::new(),
            };
            Arc::new(nothing.overlaid(FILE, BUILT_IN).expect("a test reads the built-in pack"))
        });
        PACK.clone()
    }

    /// This pack with what `text` names changed. All faults at once.
    pub fn overlaid(&self, file: &str, text: &str) -> Result<Pack, Vec<Fault>> {
        let mut pack = self.clone();
        let document = Document::parse(file, text);
        {
            let mut root = document.root();
            let mut parameters = root.section("parameters");
            pack.parameters.extend(numbers(&mut parameters));
            if let Some(words) = root.section("words").strings("apology") {
                pack.apology = words.value.into_iter().map(|at| at.value).collect();
            }
            for (name, mut table) in root.named_sections("phrase") {
                if let Some(phrase) = read_phrase(&mut table) {
                    pack.phrases.insert(name.value, phrase);
                }
            }
            for (id, mut table) in root.named_sections("rule") {
                if let Some(rule) = pack.read_rule(&id, &mut table) {
                    pack.rules.insert(id.value, rule);
                }
            }
        }
        let faults = document.into_faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        let digest = Sha256::new().chain_update(&self.hash).chain_update(text).finalize();
        pack.hash = digest.iter().take(8).map(|octet| format!("{octet:02x}")).collect();
        Ok(pack)
    }

    /// First 16 hex digits of the SHA-256 of what the pack was read from: records name it.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.get(id)
    }

    /// The rules that get a verdict in each call, with their conditions.
    pub fn decided(&self) -> impl Iterator<Item = (&Rule, &'static Measure)> {
        let decided = |rule: &Rule| matches!(rule.state(), State::Machine | State::Hinted);
        self.rules().filter(move |rule| decided(rule)).filter_map(|rule| Some((rule, rule.measure?)))
    }

    /// Of the decided rules those before which none asks the same by the same numbers: what they say the others say too.
    pub fn distinct(&self) -> impl Iterator<Item = &Rule> {
        let mut asked = BTreeSet::new();
        let is_new = move |(rule, measure): &(&Rule, &'static Measure)| {
            let numbers: Vec<_> = measure.parameters.iter().map(|name| self.parameter(rule, name)).collect();
            asked.insert((measure.word, numbers, rule.phrases.clone()))
        };
        self.decided().filter(is_new).map(|(rule, _)| rule)
    }

    /// The rules that get a verdict in each call with a transcript, with their conditions.
    pub fn decided_by_words(&self) -> impl Iterator<Item = (&Rule, &'static Measure)> {
        let by_words = |rule: &&Rule| rule.state() == State::Transcript;
        self.rules().filter(by_words).filter_map(|rule| Some((rule, rule.measure?)))
    }

    /// By name, all phrases that rules may use.
    pub fn phrases(&self) -> impl Iterator<Item = (&str, &Phrase)> {
        self.phrases.iter().map(|(name, phrase)| (name.as_str(), phrase))
    }

    pub(super) fn phrase(&self, name: &str) -> &[Wording] {
        self.phrases.get(name).map_or(&[], |phrase| &phrase.wordings)
    }

    /// The number that this rule goes by, if it is set.
    pub fn parameter(&self, rule: &Rule, name: &str) -> Option<u32> {
        rule.parameters.get(name).or_else(|| self.parameters.get(name)).copied()
    }

    /// Words by which the gateway's own texts say sorry.
    pub(super) fn apology(&self) -> &[String] {
        &self.apology
    }

    /// What `table` says of a rule; what it leaves out is as in this pack.
    fn read_rule(&self, id: &At<String>, table: &mut Table<'_>) -> Option<Rule> {
        let before = self.rules.get(&id.value);
        let mut text = |key: &'static str, before: Option<&String>| match before {
            Some(before) => Some(table.string(key).map_or_else(|| before.clone(), |at| at.value)),
            None => table.required_string(key).map(|at| at.value),
        };
        let source = text("source", before.map(|rule| &rule.source));
        let theme = text("theme", before.map(|rule| &rule.theme));
        let class = text("class", before.map(|rule| &rule.class));
        let zh = text("zh", before.map(|rule| &rule.zh));
        let en = text("en", before.map(|rule| &rule.en));
        let severity = word(table, "severity", before.map(|rule| rule.severity));
        let decided = word(table, "decided", before.map(|rule| rule.decided));
        let measure = read_measure(table).or_else(|| before.and_then(|rule| rule.measure));
        let missing = table.string("missing").map(|at| at.value).or_else(|| before?.missing.clone());
        let reason = table.string("reason").map(|at| at.value).or_else(|| before?.reason.clone());
        let mut parameters = before.map(|rule| rule.parameters.clone()).unwrap_or_default();
        parameters.extend(numbers(table));
        let mut phrases = before.map(|rule| rule.phrases.clone()).unwrap_or_default();
        for &slot in Slot::ALL {
            if let Some(names) = self.read_names(table, slot) {
                phrases.insert(slot, names);
            }
        }
        let (severity, decided) = (severity?, decided?);
        let rule = Rule {
            id: id.value.clone(),
            source: source?,
            theme: theme?,
            class: class?,
            zh: zh?,
            en: en?,
            severity,
            decided,
            measure,
            missing,
            reason,
            parameters,
            phrases,
        };
        explained(&rule, id.line, table).then_some(rule)
    }

    /// Phrases that there are.
    fn read_names(&self, table: &mut Table<'_>, slot: Slot) -> Option<Vec<String>> {
        let written = table.strings(slot.word())?;
        let known: Vec<&str> = self.phrases.keys().map(String::as_str).collect();
        for name in written.value.iter().filter(|name| !known.contains(&name.value.as_str())) {
            let what = format!("{}: there is no phrase \"{}\"", table.path(slot.word()), name.value);
            table.fault(name.line, what, did_you_mean(&name.value, &known));
        }
        Some(written.value.into_iter().map(|name| name.value).collect())
    }
}

fn read_phrase(table: &mut Table<'_>) -> Option<Phrase> {
    let any = table.required_strings("any")?;
    let mut wordings = Vec::new();
    for at in &any.value {
        match Wording::of(&at.value) {
            Some(wording) => wordings.push(wording),
            None => table.fault(at.line, format!("\"{}\" is nothing that could be said", at.value), "write words"),
        }
    }
    Some(Phrase { written: any.value.into_iter().map(|at| at.value).collect(), wordings })
}

/// Whoever is not decided by machine says why.
fn explained(rule: &Rule, line: u32, table: &Table<'_>) -> bool {
    let (what, hint) = match rule.state() {
        State::Unknown if rule.missing.is_none() => {
            ("has neither a measure nor \"missing\"", "name the facts that it lacks")
        }
        State::Hinted | State::Words | State::KeptRecord | State::Human | State::Product | State::Elsewhere
            if rule.reason.is_none() =>
        {
            ("is not decided by machine and has no \"reason\"", "say why")
        }
        _ => return true,
    };
    table.fault(line, format!("[rule.{}] {what}", rule.id), hint);
    false
}

fn numbers(table: &mut Table<'_>) -> BTreeMap<&'static str, u32> {
    let one = |key: &Key| Some((key.name, table.integer(key.name, key.least..=key.most)?.value));
    KEYS.iter().filter_map(one).collect()
}

/// A word of a closed list.
fn word<W: Word>(table: &mut Table<'_>, key: &'static str, before: Option<W>) -> Option<W> {
    let written = match before {
        Some(before) => match table.string(key) {
            Some(written) => written,
            None => return Some(before),
        },
        None => table.required_string(key)?,
    };
    let found = W::ALL.iter().copied().find(|word| word.word() == written.value);
    if found.is_none() {
        let known: Vec<&str> = W::ALL.iter().map(|word| word.word()).collect();
        let what = format!("{}: \"{}\" is none of {}", table.path(key), written.value, known.join(", "));
        table.fault(written.line, what, did_you_mean(&written.value, &known));
    }
    found
}

fn read_measure(table: &mut Table<'_>) -> Option<&'static Measure> {
    let written = table.string("measure")?;
    let found = measure::find(&written.value);
    if found.is_none() {
        let known: Vec<&str> = measure::MEASURES.iter().map(|measure| measure.word).collect();
        let what = format!("{}: there is no measure \"{}\"", table.path("measure"), written.value);
        table.fault(written.line, what, did_you_mean(&written.value, &known));
    }
    found
}
