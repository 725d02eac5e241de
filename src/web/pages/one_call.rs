//! One call: what is said of it, by which facts, and when in the recording.

use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use super::calls::caller;
use super::calls_apart;
use super::notes::{self, Line};
use crate::call::fact::{Fact, What};
use crate::cdr::ladder::{Rung, rungs};
use crate::cdr::{LegQuality, Record, Verdict, Word as _};
use crate::ids::{CallId, Side};
use crate::rules::{Pack, Why};
use crate::store::audit::Audited;
use crate::store::{Call, Kept};
use crate::web::page::{Asked, Page, Refusal, Reply};
use crate::web::routes::{DOWNLOADS, HEARS, READS_NOTES, SEES_NUMBERS};

/// Listens and changes that are shown.
const DEEDS: usize = 50;

#[derive(askama::Template)]
#[template(path = "call.html", config = "src/web/askama.toml")]
struct OneCall {
    p: Page,
    record: Record,
    org: String,
    /// Of a call that no caller began.
    apart: Option<String>,
    caller: String,
    broken: Vec<Judged>,
    open: Vec<Judged>,
    kept: Vec<Judged>,
    stretches: Vec<Stretch>,
    ladder: Vec<Rung>,
    recording: Option<Kept>,
    hears: bool,
    downloads: bool,
    deeds: Vec<Audited>,
    notes: Vec<Line>,
    reads_notes: bool,
}

/// A verdict as it is shown.
pub(super) struct Judged {
    rule: String,
    text: String,
    source: String,
    /// Confirmed by a person only.
    confirm: bool,
    /// Where it shows in the recording.
    at: Vec<u64>,
    evidence: String,
}

/// Something that lasts, in the recording's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) kind: &'static str,
    pub(super) from_ms: u64,
    /// `None`: to the end.
    pub(super) to_ms: Option<u64>,
    pub(super) text: String,
}

pub(super) fn parse(id: &str) -> Result<CallId, Refusal> {
    id.parse().map_err(|_| Refusal::NotFound)
}

pub(in crate::web) async fn page(asked: Asked, Path(id): Path<String>) -> Reply {
    let id = parse(&id)?;
    let read = asked.desk().read(move |reader| {
        let about = id.to_string();
        Ok((reader.call(id)?, reader.recording(id)?, reader.audit(Some(&about), None, DEEDS)?))
    });
    let (call, recording, deeds) = read.await?;
    let call = call.ok_or(Refusal::NotFound)?;
    let p = asked.page();
    let reads_notes = asked.may(READS_NOTES);
    let notes = match reads_notes {
        true => asked.desk().change(move |people, _| people.notes_of_call(id)).await?,
        false => Vec::new(),
    };
    let notes = notes.into_iter().map(|note| notes::line(&asked, &p, note)).collect::<Result<_, _>>()?;
    let caller = caller(&call.record, asked.may(SEES_NUMBERS));
    let org = asked.desk().hotlines().into_iter().find(|(id, _)| id == call.record.hotline.as_str());
    let judged = |word: &'static str| call.record.verdicts.iter().filter(move |v| v.verdict == word);
    let shown = |word| judged(word).map(|verdict| Judged::new(verdict, &call.record, &p)).collect();
    let ladder = rungs(&call.facts, &caller);
    let one = OneCall {
        broken: shown("fail"),
        open: shown("unknown"),
        kept: shown("pass"),
        stretches: stretches(&call),
        org: org.map_or_else(|| call.record.hotline.to_string(), |(_, org)| org),
        hears: asked.may(HEARS),
        downloads: asked.may(DOWNLOADS),
        apart: calls_apart::told(&p, &call.record, &caller),
        p,
        caller,
        ladder,
        recording: recording.filter(Kept::has_file),
        deeds,
        notes,
        reads_notes,
        record: call.record,
    };
    asked.show(&one)
}

impl Judged {
    fn new(verdict: &Verdict, record: &Record, page: &Page) -> Judged {
        let pack = Pack::built_in();
        let rule = pack.rule(&verdict.rule);
        let evidence = &verdict.evidence;
        let connected = connected_after_ms(record);
        let times = evidence["at_ms"].as_array().into_iter().flatten().filter_map(Value::as_u64);
        // From *offered*; the recording begins at *connected*.
        let mut at: Vec<u64> = times.filter_map(|ms| ms.checked_sub(connected?)).collect();
        at.dedup();
        let parts = evidence.as_object().into_iter().flatten();
        let parts = parts.filter(|(key, _)| !["facts", "at_ms", "confirm"].contains(&key.as_str()));
        Judged {
            rule: verdict.rule.clone(),
            text: rule.map_or("", |rule| if page.tag() == "en" { &rule.en } else { &rule.zh }).to_owned(),
            source: rule.map_or_else(String::new, |rule| rule.source.clone()),
            confirm: evidence["confirm"] == Value::Bool(true),
            at,
            evidence: parts.map(|(key, value)| part(page, key, value)).collect::<Vec<_>>().join("; "),
        }
    }
}

/// One thing that a verdict rests on; figures stay in the words of the record.
fn part(page: &Page, key: &str, value: &Value) -> String {
    let text = plain(value);
    match key {
        "why" => {
            let why = Why::ALL.iter().find(|why| why.word() == text);
            why.map_or(text, |why| if page.tag() == "en" { why.en().to_owned() } else { why.zh().to_owned() })
        }
        "on" => page.with("evidence-on", "who", page.word("evidence", &text)),
        "agents" => page.with("evidence-agents", "all", text),
        _ => format!("{key} {text}"),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// *offered* → *connected*; by the wall clock, as records have it.
fn connected_after_ms(record: &Record) -> Option<u64> {
    let us = record.connected_at?.0.as_micros() - record.offered_at.0.as_micros();
    u64::try_from(us / 1_000).ok()
}

/// Holds and prompts in the recording's time.
pub(super) fn stretches(call: &Call) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    for played in &call.record.played {
        if let Some(from_ms) = played.from_ms {
            found.push(Stretch { kind: "prompt", from_ms, to_ms: played.to_ms, text: played.prompt.clone() });
        }
    }
    let connected = call.facts.iter().find(|fact| matches!(fact.what, What::Connected));
    let after = |fact: &Fact| connected.and_then(|connected| fact.at.millis_since(connected.at));
    let mut held: Vec<(Side, Option<u64>)> = Vec::new();
    for fact in &call.facts {
        match fact.what {
            What::HoldStarted { by } => held.push((by, after(fact))),
            What::HoldEnded { by } => {
                let Some(place) = held.iter().position(|(side, _)| *side == by) else { continue };
                let (by, from) = held.remove(place);
                found.extend(from.map(|from_ms| hold(by, from_ms, after(fact))));
            }
            _ => {}
        }
    }
    found.extend(held.into_iter().filter_map(|(by, from)| Some(hold(by, from?, None))));
    found.sort_by_key(|stretch| stretch.from_ms);
    found
}

fn hold(by: Side, from_ms: u64, to_ms: Option<u64>) -> Stretch {
    let text = match by {
        Side::Caller => "caller",
        Side::Agent => "agent",
    };
    Stretch { kind: "hold", from_ms, to_ms, text: text.to_owned() }
}

/// What is marked in the waveform: stretches, and verdicts that were broken or need a person.
pub(super) fn marks(call: &Call, page: &Page) -> Value {
    let seconds = |ms: u64| ms as f64 / 1_000.0;
    let stretch = |stretch: &Stretch| {
        let text = match stretch.kind {
            "hold" => page.say("call-hold"),
            _ => stretch.text.clone(),
        };
        json!({ "kind": stretch.kind, "from": seconds(stretch.from_ms), "to": stretch.to_ms.map(seconds), "text": text })
    };
    let verdicts = call.record.verdicts.iter().filter(|verdict| verdict.verdict == "fail");
    let findings = verdicts.map(|verdict| Judged::new(verdict, &call.record, page));
    let finding = |judged: Judged| {
        let at = judged.at.last().copied()?;
        Some(json!({ "kind": "finding", "from": seconds(at), "to": null, "text": judged.rule }))
    };
    stretches(call).iter().map(stretch).chain(findings.filter_map(finding)).collect()
}

/// Loss and jitter of both received streams, ten seconds a point, for the curves.
pub(in crate::web) async fn curves(asked: Asked, Path(id): Path<String>) -> Reply {
    let id = parse(&id)?;
    let call = asked.desk().read(move |reader| reader.call(id)).await?.ok_or(Refusal::NotFound)?;
    let json = json!({ "caller": curve(&call, Side::Caller), "agent": curve(&call, Side::Agent) });
    Ok(([(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response())
}

fn curve(call: &Call, side: Side) -> Value {
    let connected = call.facts.iter().find(|fact| matches!(fact.what, What::Connected));
    let (mut at, mut loss, mut jitter) = (Vec::new(), Vec::new(), Vec::new());
    for fact in &call.facts {
        let What::MediaInterval { leg, line } = &fact.what else { continue };
        let Some(ms) = connected.and_then(|connected| fact.at.millis_since(connected.at)) else { continue };
        if *leg != side {
            continue;
        }
        let expected = line.packets + line.lost;
        at.push(ms as f64 / 1_000.0);
        loss.push((expected > 0).then(|| line.lost as f64 * 100.0 / expected as f64));
        jitter.push((line.packets > 0).then(|| line.jitter_mean_us as f64 / 1_000.0));
    }
    json!({ "at": at, "loss": loss, "jitter": jitter })
}

impl OneCall {
    fn lists(&self) -> [(&'static str, &'static str, &[Judged]); 3] {
        [("fail", "bad", &self.broken), ("unknown", "warn", &self.open), ("pass", "good", &self.kept)]
    }

    fn legs(&self) -> [(&'static str, &LegQuality); 2] {
        [("caller", &self.record.quality.caller), ("agent", &self.record.quality.agent)]
    }

    fn number(&self, value: &Option<f64>, digits: usize) -> String {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    }

    fn loss(&self, quality: &LegQuality) -> String {
        quality.figures.loss_ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{:.2} %", ratio * 100.0))
    }

    fn offset(&self, rung: &Rung) -> String {
        rung.after_ms.map_or_else(|| "?".to_owned(), |ms| format!("+{}.{:03}", ms / 1_000, ms % 1_000))
    }

    fn is_caller(&self, rung: &Rung) -> bool {
        rung.leg == Side::Caller
    }

    fn path(&self) -> String {
        format!("/calls/{}", self.record.id)
    }
}
