//! `hotline rules`: the book, one rule, and what a span of calls scores by other numbers. Reads only.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::reading::{self, ReadingError, Style, json_line};
use super::{Failure, reader, rulebook, settings, style};
use crate::cdr::{Record, Verdict, Word as _};
use crate::io::clock::RunClock;
use crate::rules::{Case, Decided, KEYS, Pack, Rule, Scores, Slot, State, Tally, Transcript};
use crate::store::Call;
use crate::written::text_of;

#[derive(Debug, Subcommand)]
pub(super) enum Ask {
    /// All rules and how each is decided.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// Only those: machine, hinted, unknown, words, kept_record or human.
        #[arg(long, value_name = "S")]
        state: Option<String>,
        /// The built-in pack with this file laid over it.
        #[arg(long, value_name = "FILE")]
        pack: Option<PathBuf>,
    },
    /// The whole book as Markdown: what each rule asks, how it is decided or why it is not.
    Book {
        /// The built-in pack with this file laid over it.
        #[arg(long, value_name = "FILE")]
        pack: Option<PathBuf>,
    },
    /// One rule, in Chinese and English; with a call, what it says of it and why.
    Explain {
        /// As in R-001.
        rule: String,
        /// The call's id.
        #[arg(long, value_name = "ID")]
        call: Option<String>,
        /// The built-in pack with this file laid over it.
        #[arg(long, value_name = "FILE")]
        pack: Option<PathBuf>,
    },
    /// How the calls of a span would have scored by another pack, by rule and agent; the ledger stays as it is.
    Replay {
        /// What is laid over the built-in pack.
        #[arg(long, value_name = "FILE")]
        pack: PathBuf,
        /// Offered since: a time like 2026-11-01T00:00:00+08:00 or a duration before now like 30d.
        #[arg(long, value_name = "T", default_value = "30d")]
        from: String,
        /// Offered before; without it now.
        #[arg(long, value_name = "T")]
        to: Option<String>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(ask: &Ask, config: Option<&Path>, out: &mut dyn Write) -> Result<(), Failure> {
    match ask {
        Ask::List { json, state, pack } => {
            let state = state.as_deref().map(parse_state).transpose()?;
            Ok(list(&*read_pack(pack.as_deref())?, state, style(*json), out)?)
        }
        Ask::Book { pack } => Ok(rulebook::write(&*read_pack(pack.as_deref())?, out)?),
        Ask::Explain { rule, call, pack } => {
            let pack = read_pack(pack.as_deref())?;
            let rule = find(&pack, rule)?;
            let call = match call {
                Some(id) => {
                    let id = reading::parse_call_id(id)?;
                    let reader = reader(&settings(config)?)?;
                    let found = reader.call(id).map_err(ReadingError::from)?;
                    let words = reader.transcript(id).map_err(ReadingError::from)?;
                    Some((found.ok_or(ReadingError::NoCall(id))?, words))
                }
                None => None,
            };
            explain(&pack, rule, out)?;
            call.map_or(Ok(()), |(call, words)| Ok(explain_call(&pack, rule, (&call, words), out)?))
        }
        Ask::Replay { pack, from, to, json } => {
            let now = RunClock::start().now().wall;
            let from = reading::parse_since(from, now)?;
            let to = to.as_deref().map_or(Ok(now), |to| reading::parse_since(to, now))?;
            let (before, after) = (Pack::built_in(), read_pack(Some(pack))?);
            let mut scores = Scores::new(&before, &after);
            let reader = reader(&settings(config)?)?;
            reader.each_case(from, to, |case| scores.add(case)).map_err(ReadingError::from)?;
            Ok(replay(&scores, &before, style(*json), out)?)
        }
    }
}

fn read_pack(file: Option<&Path>) -> Result<std::sync::Arc<Pack>, Failure> {
    let built_in = Pack::built_in();
    let Some(file) = file else { return Ok(built_in) };
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| Failure::Usage(format!("cannot read {name}: {error}")))?;
    let text = text_of(&name, &bytes).map_err(|fault| Failure::Faults(vec![fault]))?;
    Ok(built_in.overlaid(&name, text).map_err(Failure::Faults)?.into())
}

fn parse_state(word: &str) -> Result<State, Failure> {
    let words: Vec<&str> = State::ALL.iter().map(|state| state.word()).collect();
    let found = State::ALL.iter().copied().find(|state| state.word() == word);
    found.ok_or_else(|| Failure::Usage(format!("`{word}` is no state: {}", words.join(", "))))
}

/// `R-001`, `r-1` and `1` are one rule.
fn find<'p>(pack: &'p Pack, written: &str) -> Result<&'p Rule, Failure> {
    let digits = written.trim_start_matches(['R', 'r']).trim_start_matches('-');
    let found = digits.parse::<u32>().ok().and_then(|number| pack.rule(&format!("R-{number:03}")));
    found.ok_or_else(|| Failure::Usage(format!("there is no rule `{written}`: they are R-001 to R-496")))
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    state: State,
    severity: crate::rules::Severity,
    class: &'a str,
    theme: &'a str,
    source: &'a str,
    zh: &'a str,
    en: &'a str,
    measure: Option<&'a str>,
    parameters: std::collections::BTreeMap<&'a str, Option<u32>>,
    missing: Option<&'a str>,
    reason: Option<&'a str>,
}

fn row<'a>(pack: &Pack, rule: &'a Rule) -> Row<'a> {
    let parameters = rule.measure.map_or(&[][..], |measure| measure.parameters);
    Row {
        id: &rule.id,
        state: rule.state(),
        severity: rule.severity,
        class: &rule.class,
        theme: &rule.theme,
        source: &rule.source,
        zh: &rule.zh,
        en: &rule.en,
        measure: rule.measure.map(|measure| measure.word),
        parameters: parameters.iter().map(|name| (*name, pack.parameter(rule, name))).collect(),
        missing: rule.missing.as_deref().filter(|_| rule.state() == State::Unknown),
        reason: rule.reason.as_deref(),
    }
}

fn list(pack: &Pack, state: Option<State>, style: Style, out: &mut dyn Write) -> Result<(), ReadingError> {
    let wanted = |rule: &&Rule| state.is_none_or(|state| rule.state() == state);
    for rule in pack.rules().filter(wanted) {
        match style {
            Style::Json => json_line(&row(pack, rule), out)?,
            Style::Text => {
                let how = match (rule.state(), rule.measure) {
                    (State::Unknown, _) => format!("lacks {}", rule.missing.as_deref().unwrap_or("-")),
                    (_, Some(measure)) => measure.word.to_owned(),
                    (_, None) => rule.reason.clone().unwrap_or_default(),
                };
                let (id, state, severity) = (&rule.id, rule.state(), rule.severity);
                writeln!(out, "{id}  {state:<11}  {severity:<8}  {how}\n       {}", rule.en)?;
            }
        }
    }
    if style == Style::Text && state.is_none() {
        let count = |state: State| pack.rules().filter(|rule| rule.state() == state).count();
        let counts: Vec<String> = State::ALL.iter().map(|state| format!("{} {state}", count(*state))).collect();
        writeln!(out, "\n{} rules: {}; pack {}", pack.rules().count(), counts.join(", "), pack.hash())?;
    }
    Ok(())
}

fn explain(pack: &Pack, rule: &Rule, out: &mut dyn Write) -> Result<(), ReadingError> {
    writeln!(
        out,
        "{}  {}, {}  ({}, class {}, {})",
        rule.id,
        rule.state(),
        rule.severity,
        rule.theme,
        rule.class,
        rule.source
    )?;
    writeln!(out, "  {}\n  {}", rule.zh, rule.en)?;
    if let Some(measure) = rule.measure {
        writeln!(out, "\n  condition  {}: {}\n             {}", measure.word, measure.en, measure.zh)?;
        writeln!(out, "  reads      {}", measure.reads.join(", "))?;
        for name in measure.parameters {
            let text = KEYS.iter().find(|key| key.name == *name).map_or("", |key| key.text);
            let value = pack.parameter(rule, name).map_or_else(|| "-".to_owned(), |value| value.to_string());
            writeln!(out, "  parameter  {name} = {value} ({text})")?;
        }
    }
    for &slot in Slot::ALL {
        for name in rule.phrases(slot) {
            let written =
                pack.phrases().find(|(known, _)| known == name).map_or(&[][..], |(_, phrase)| &phrase.written);
            writeln!(out, "  {slot:<9}  {name}: {}", written.join(", "))?;
        }
    }
    let how = match rule.decided {
        Decided::Machine => "by the facts",
        Decided::Hinted => "the facts give a hint, a person confirms a failure",
        Decided::Words if rule.measure.is_some() => "by a transcript of what was said, a person confirms a failure",
        Decided::Words => "by what was said",
        Decided::KeptRecord => "by a record that is kept elsewhere",
        Decided::Human => "by a person",
        Decided::Product => "by no single call: the product keeps or shows it",
        Decided::Elsewhere => "by nothing that passes the gateway",
    };
    writeln!(out, "  decided    {how}")?;
    if rule.state() == State::Unknown
        && let Some(missing) = &rule.missing
    {
        writeln!(out, "  lacks      {missing}")?;
    }
    if let Some(reason) = &rule.reason {
        writeln!(out, "  because    {reason}")?;
    }
    Ok(())
}

fn explain_call(
    pack: &Pack,
    rule: &Rule,
    (call, words): (&Call, Option<Transcript>),
    out: &mut dyn Write,
) -> Result<(), ReadingError> {
    let case = Case::of(&call.facts).map(|case| case.hear(words)).filter(|case| case.fold().is_closed());
    let Some(case) = case else {
        return Ok(writeln!(out, "\n  call {} is not sealed: no verdict yet", call.record.id)?);
    };
    let Some(judged) = case.judged_of(&case.fold().record(), pack, rule) else {
        return Ok(writeln!(out, "\n  call {}: unknown", call.record.id)?);
    };
    writeln!(out, "\n  call {}: {}", call.record.id, judged.finding)?;
    if let Some(why) = judged.why {
        writeln!(out, "  why        {} / {}", why.zh(), why.en())?;
    }
    if judged.confirm {
        writeln!(out, "  confirm    a person has to confirm it / 需人工确认")?;
    }
    let verdict = case.verdict(rule, &judged);
    writeln!(out, "  evidence   {}", verdict.evidence)?;
    let numbers = verdict.evidence["facts"].as_array().cloned().unwrap_or_default();
    let of_verdict = |n: u32| numbers.iter().any(|number| number.as_u64() == Some(n.into()));
    for fact in call.facts.iter().filter(|fact| of_verdict(fact.n)) {
        let kind = crate::ledger::codec::encode(fact)?.kind;
        writeln!(out, "  fact {:>5} {:>12}  {kind}", fact.n, reading::offset(&call.facts, fact))?;
    }
    Ok(())
}

/// The part of `hotline call ID` about rules: how many, and those that were broken or are not known.
pub(super) fn of_record(record: &Record, out: &mut dyn Write) -> Result<(), ReadingError> {
    let Some(hash) = &record.rule_pack else { return Ok(()) };
    let of = |word: &'static str| record.verdicts.iter().filter(move |verdict| verdict.verdict == word);
    let counts = ["pass", "fail", "na", "unknown"].map(|word| format!("{} {word}", of(word).count()));
    writeln!(out, "  rules      {}; pack {hash}", counts.join(", "))?;
    of("fail").chain(of("unknown")).try_for_each(|verdict| broken(verdict, out))
}

fn broken(verdict: &Verdict, out: &mut dyn Write) -> Result<(), ReadingError> {
    let pack = Pack::built_in();
    let text = pack.rule(&verdict.rule).map_or("", |rule| rule.en.as_str());
    Ok(writeln!(out, "    {} {:<7} {text} {}", verdict.rule, verdict.verdict, verdict.evidence)?)
}

fn replay(scores: &Scores<'_>, pack: &Pack, style: Style, out: &mut dyn Write) -> Result<(), ReadingError> {
    let changed = |(before, after): &(Tally, Tally)| before != after;
    if style == Style::Json {
        for ((rule, agent), (before, after)) in scores.lines().filter(|(_, tallies)| changed(tallies)) {
            json_line(
                &serde_json::json!({ "rule": rule, "agent": agent, "before": tally(before), "after": tally(after) }),
                out,
            )?;
        }
        for change in scores.changes() {
            let (call, rule) = (change.call, &change.rule);
            json_line(
                &serde_json::json!({ "call": call, "rule": rule, "before": change.before, "after": change.after }),
                out,
            )?;
        }
        return json_line(&serde_json::json!({ "calls": scores.calls(), "changed": scores.changed() }), out);
    }
    writeln!(out, "{} sealed calls, {} verdicts differ", scores.calls(), scores.changed())?;
    if scores.changed() > 0 {
        writeln!(out, "{:<6} {:<6} {:>28}    {:<28}", "RULE", "AGENT", "BEFORE pass/fail/na/unknown", "AFTER")?;
    }
    let mut last = "";
    for ((rule, agent), (before, after)) in scores.lines().filter(|(_, tallies)| changed(tallies)) {
        let agent = agent.as_ref().map_or("-", |agent| agent.as_str());
        writeln!(out, "{rule:<6} {agent:<6} {:>28} -> {:<28}", counts(before), counts(after))?;
        if last != rule.as_str() {
            writeln!(out, "       {}", pack.rule(rule).map_or("", |rule| rule.en.as_str()))?;
            last = rule;
        }
    }
    let shown = scores.changes().len() as u64;
    for change in scores.changes() {
        let word = |word: Option<&'static str>| word.unwrap_or("-");
        writeln!(out, "{}  {}  {} -> {}", change.call, change.rule, word(change.before), word(change.after))?;
    }
    if shown < scores.changed() {
        writeln!(out, "… and {} more", scores.changed() - shown)?;
    }
    Ok(())
}

fn counts(tally: &Tally) -> String {
    let Tally { pass, fail, na, unknown } = tally;
    let ratio = tally.pass_ratio().map_or_else(String::new, |ratio| format!(" {:.1} %", ratio * 100.0));
    format!("{pass}/{fail}/{na}/{unknown}{ratio}")
}

fn tally(tally: &Tally) -> serde_json::Value {
    let Tally { pass, fail, na, unknown } = tally;
    serde_json::json!({ "pass": pass, "fail": fail, "na": na, "unknown": unknown, "pass_ratio": tally.pass_ratio() })
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
