//! The reading commands: `calls`, `call`, `report`, `metrics`, `help reasons`. They read the store beside a running
//! server.

use std::io::{self, Write};

use jiff::civil::Date;
use serde::Serialize;

use super::{choices, ladder, rules, sound};
use crate::call::fact::{Fact, What};
use crate::call::reason::{Class, Reason};
use crate::cdr::ladder::masked;
use crate::cdr::{ByAgent, CallKind, LegQuality, QualityStatus, Record, Time, Word as _};
use crate::clock::Wall;
use crate::ids::CallId;
use crate::ledger::codec::{self, CodecError};
use crate::metrics::{SipRejection, catalogue};
use crate::report::tally::Tally;
use crate::report::{Format, Material, Per, Period, PeriodError, Report, Span, Zones};
use crate::store::{Call, Reader, StoreError, Which};

#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("no call has the id {0}")]
    NoCall(CallId),
    #[error(transparent)]
    Period(#[from] PeriodError),
}

/// The arguments were wrong: exit code 64.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error("`{0}` is neither a time like 2026-11-21T10:00:00+08:00 nor a duration like 2h or 30m")]
    Since(String),
    #[error("`{0}` is no date like 2026-11-21 (or 2026-11 for a month)")]
    Date(String),
    #[error("`{0}` is no call id: copy it from `hotline calls`")]
    CallId(String),
}

/// How to print a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `hotline calls [--json] [--live] [--kind KIND] [--since T] [--limit N]`: newest first.
pub fn calls(
    reader: &Reader,
    (kind, which): (CallKind, Which),
    since: Option<Wall>,
    limit: usize,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), ReadingError> {
    let records = reader.calls_of(kind, which, since, limit)?;
    match style {
        Style::Json => records.iter().try_for_each(|record| json_line(record, out)),
        Style::Text => table(&records, out),
    }
}

/// `hotline call ID [--json] [--numbers]`; `numbers`: the ladder shows the caller's number in full.
pub fn call(reader: &Reader, id: CallId, style: Style, numbers: bool, out: &mut dyn Write) -> Result<(), ReadingError> {
    let call = reader.call(id)?.ok_or(ReadingError::NoCall(id))?;
    match style {
        Style::Json => {
            #[derive(Serialize)]
            struct Whole<'a> {
                record: &'a Record,
                facts: &'a [Fact],
            }
            json_line(&Whole { record: &call.record, facts: &call.facts }, out)
        }
        Style::Text => {
            summary(&call, out)?;
            choices::tell(&call.facts, out)?;
            if let Some(listening) = &call.record.listening {
                writeln!(out, "\nheard in the recording (the times of prompts left out of the agent's)")?;
                sound::text(listening, out)?;
            }
            rules::of_record(&call.record, out)?;
            facts(&call.facts, out)?;
            let caller = match &call.record.caller {
                Some(number) if numbers => number.clone(),
                Some(number) => masked(number),
                None => "-".to_owned(),
            };
            Ok(ladder::draw(&call.facts, &caller, out)?)
        }
    }
}

/// `hotline report day|week|month [DATE] [--format …]`; without a date the period that holds `now`.
pub fn report(
    reader: &Reader,
    (span, date): (Span, Option<Date>),
    zones: &Zones,
    now: Wall,
    (format, per): (Format, Per),
    out: &mut dyn Write,
) -> Result<(), ReadingError> {
    let period = period(span, date, zones, now)?;
    let (from, to) = zones.span(period)?;
    let records = reader.records_between(None, from, to)?;
    let (presence, runs) = (reader.presence_between(from, to)?, reader.runs(now)?);
    let (callbacks, apart) = (reader.callbacks(from, Some(to), now)?, reader.apart_between(from, to)?);
    let material = Material { records, presence, runs, callbacks, apart };
    Ok(Report::new(period, zones, &material)?.write(format, per, out)?)
}

/// `hotline report tally [MONTH]`.
pub fn tally(
    reader: &Reader,
    date: Option<Date>,
    zones: &Zones,
    now: Wall,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), ReadingError> {
    let period = period(Span::Month, date, zones, now)?;
    let (from, to) = zones.span(period)?;
    let records = reader.records_between(None, from, to)?;
    Ok(Tally::new(period, zones, &records)?.write(format, out)?)
}

/// Without a date the period that holds `now`.
fn period(span: Span, date: Option<Date>, zones: &Zones, now: Wall) -> Result<Period, PeriodError> {
    match date {
        Some(date) => Period::holding(span, date),
        None => Period::current(span, now, &zones.otherwise),
    }
}

/// `hotline metrics`: the catalogue.
pub fn metrics(style: Style, out: &mut dyn Write) -> Result<(), ReadingError> {
    match style {
        Style::Json => catalogue::rows().iter().try_for_each(|row| json_line(row, out)),
        Style::Text => Ok(out.write_all(catalogue::markdown().as_bytes())?),
    }
}

/// `hotline help reasons`: why calls end, and what that makes of a call that nobody had answered; then why a request does not
/// become a call.
pub fn reasons(out: &mut dyn Write) -> Result<(), ReadingError> {
    for &reason in Reason::ALL {
        let makes = match reason.class() {
            Class::Answered => "answered",
            Class::Abandoned => "abandoned",
            Class::Rejected => "rejected",
            Class::Failed => "failed",
            Class::AsItWas => "as it was",
        };
        writeln!(out, "{:<19} {makes:<10} {}", reason.as_str(), reason.text())?;
    }
    writeln!(out, "\nTurned away before it is a call: no record, but counted in hotline_sip_rejected_total{{reason}}")?;
    for &rejection in SipRejection::ALL {
        writeln!(out, "{:<19} {:<10} {}", rejection.word(), rejection.answer(), rejection.text())?;
    }
    Ok(())
}

/// `--since`: an RFC 3339 time, or a duration before `now` (`2h`, `1d`, `1h30m`).
pub fn parse_since(text: &str, now: Wall) -> Result<Wall, UsageError> {
    let wrong = || UsageError::Since(text.to_owned());
    if let Ok(Time(wall)) = text.parse() {
        return Ok(wall);
    }
    let before: jiff::Span = text.parse().map_err(|_| wrong())?;
    let now = jiff::Timestamp::from_microsecond(now.as_micros()).map_err(|_| wrong())?;
    let since = now.to_zoned(jiff::tz::TimeZone::UTC).checked_sub(before.abs()).map_err(|_| wrong())?;
    Ok(Wall::from_micros(since.timestamp().as_microsecond()))
}

/// The DATE of a report: a day, or a month without its day.
pub fn parse_date(text: &str) -> Result<Date, UsageError> {
    let whole = if text.len() == "2026-11".len() { format!("{text}-01") } else { text.to_owned() };
    whole.parse().map_err(|_| UsageError::Date(text.to_owned()))
}

pub fn parse_call_id(text: &str) -> Result<CallId, UsageError> {
    text.parse().map_err(|_| UsageError::CallId(text.to_owned()))
}

/// Seconds from *offered* to a fact: `+1.250`; `?` in another run.
pub(super) fn offset(facts: &[Fact], fact: &Fact) -> String {
    shown_offset(facts.first().and_then(|first| fact.at.millis_since(first.at)))
}

pub(super) fn shown_offset(since: Option<u64>) -> String {
    since.map_or_else(|| "?".to_owned(), |ms| format!("+{}", seconds(ms)))
}

pub(super) fn json_line(value: &impl Serialize, out: &mut dyn Write) -> Result<(), ReadingError> {
    serde_json::to_writer(&mut *out, value)?;
    Ok(writeln!(out)?)
}

fn table(records: &[Record], out: &mut dyn Write) -> Result<(), ReadingError> {
    if records.is_empty() {
        return Ok(writeln!(out, "no calls")?);
    }
    let line = |cells: [&str; 10]| {
        let [offered, hotline, caller, agent, outcome, rings, wait, talk, by, id] = cells;
        let who = format!("{offered:<24} {hotline:<12} {caller:<14} {agent:<6}");
        format!("{who} {outcome:<15} {rings:>5} {wait:>9} {talk:>9} {by:<8} {id}")
    };
    let head =
        ["OFFERED (UTC)", "HOTLINE", "CALLER", "AGENT", "OUTCOME", "RINGS", "WAIT s", "TALK s", "ENDED BY", "ID"];
    writeln!(out, "{}", line(head))?;
    for record in records {
        let agent = record.agent.as_ref().map_or("-", |agent| agent.as_str());
        let cells: [&str; 10] = [
            &record.offered_at.to_string(),
            record.hotline.as_str(),
            record.caller.as_deref().unwrap_or("-"),
            agent,
            record.outcome.map_or("in progress", |outcome| outcome.word()),
            &record.rings.map_or_else(dash, |rings| rings.to_string()),
            &record.wait_ms.map_or_else(dash, seconds),
            &record.talk_ms.map_or_else(dash, seconds),
            record.ended_by.map_or("-", |by| by.word()),
            &record.id.to_string(),
        ];
        writeln!(out, "{}", line(cells))?;
    }
    Ok(())
}

fn summary(call: &Call, out: &mut dyn Write) -> Result<(), ReadingError> {
    let record = &call.record;
    let agent = record.agent.as_ref().map_or("-", |agent| agent.as_str());
    let caller = record.caller.as_deref().unwrap_or("-");
    writeln!(out, "call {}", record.id)?;
    writeln!(out, "  hotline    {}, trunk {}, called {}", record.hotline, record.trunk, record.called)?;
    writeln!(out, "  people     caller {caller}, agent {agent}")?;
    if let Some(ByAgent { agent, to, .. }) = &record.by_agent {
        let to = to.as_ref().map_or_else(|| "a number outside".to_owned(), ToString::to_string);
        writeln!(out, "  kind       {}: agent {agent} called {to}", record.kind)?;
    }
    writeln!(out, "  outcome    {}", outcome(record))?;
    for (name, time) in [
        ("offered", Some(record.offered_at)),
        ("ring", record.ring_at),
        ("answered", record.answered_at),
        ("connected", record.connected_at),
        ("ended", record.ended_at),
    ] {
        writeln!(out, "  {name:<10} {}", time.map_or_else(dash, |time| time.to_string()))?;
    }
    let span = |ms: Option<u64>| ms.map_or_else(dash, |ms| format!("{} s", seconds(ms)));
    let yes_no = |it: Option<bool>| it.map_or("-", |it| if it { "yes" } else { "no" });
    let rings = record.rings.map_or_else(dash, |rings| rings.to_string());
    let in_time = (yes_no(record.answered_within_target), yes_no(record.answered_within_strict));
    let to_answer = span(record.ring_to_answer_ms);
    writeln!(out, "  answer     {to_answer} after ring, rings {rings}, in time {}, strictly {}", in_time.0, in_time.1)?;
    let (wait, talk, hold) = (span(record.wait_ms), span(record.talk_ms), span(record.hold_ms));
    writeln!(
        out,
        "  durations  wait {wait}, talk {talk}, hold {hold} ({}), all {}",
        record.holds,
        span(record.duration_ms)
    )?;
    if let Some(greeting) = &record.greeting {
        let began = greeting.started_after_connect_ms.map_or_else(dash, |ms| format!("{ms} ms"));
        let to_end = yes_no(greeting.played_to_end);
        writeln!(out, "  greeting   {}; began after {began}, to its end {to_end}", greeting.text)?;
    }
    for supervised in &record.supervised {
        let (mode, till) = (serde_json::to_value(supervised.mode)?, |ms: Option<u64>| ms.map_or_else(dash, seconds));
        let (by, mode) = (&supervised.by, mode.as_str().unwrap_or("-").to_owned());
        let (from, to) = (till(supervised.from_ms), till(supervised.to_ms));
        writeln!(out, "  supervisor {by}: {mode}, {from} to {to} s after connected")?;
    }
    for added in &record.added {
        let till = |ms: Option<u64>| ms.map_or_else(dash, seconds);
        let who = added.agent.as_ref().map(ToString::to_string).or_else(|| Some(added.target.as_ref()?.to_string()));
        let (who, from, to) = (who.unwrap_or_else(dash), till(added.from_ms), till(added.to_ms));
        writeln!(out, "  added      {who}, by {}, {from} to {to} s after connected", added.by)?;
    }
    let recording = &record.recording;
    let path = recording.path.as_deref().unwrap_or("-");
    let status = serde_json::to_value(recording.status)?;
    writeln!(out, "  recording  {path}, {}, {}", status.as_str().unwrap_or("-"), span(recording.duration_ms))?;
    writeln!(out, "  caller RTP {}", quality(&record.quality.caller))?;
    Ok(writeln!(out, "  agent RTP  {}", quality(&record.quality.agent))?)
}

fn outcome(record: &Record) -> String {
    let (Some(outcome), Some(reason), Some(by)) = (record.outcome, record.reason, record.ended_by) else {
        return "in progress".to_owned();
    };
    let cut = if record.interrupted { ", interrupted" } else { "" };
    format!("{outcome}{cut}, ended by {}: {reason} ({})", by.word(), reason.text())
}

fn quality(leg: &LegQuality) -> String {
    let figures = &leg.figures;
    let (Some(packets), Some(lost), Some(jitter)) = (figures.packets, figures.lost, figures.jitter_ms) else {
        return leg.status.to_string();
    };
    let loss = figures.loss_ratio.unwrap_or(0.0) * 100.0;
    let counted = format!("{packets} packets, {lost} lost ({loss:.2} %), jitter {jitter:.1} ms");
    match (figures.r, figures.mos, &figures.scale) {
        (Some(r), Some(mos), Some(scale)) => format!("{counted}, R {r:.1}, MOS-LQ {mos:.2} ({scale})"),
        _ if leg.status == QualityStatus::Measured => counted,
        _ => format!("{counted}, {}", leg.status),
    }
}

fn facts(facts: &[Fact], out: &mut dyn Write) -> Result<(), ReadingError> {
    writeln!(out, "\nfacts")?;
    // The ladder shows messages; every ten seconds of both streams are for programs; what was heard stands above.
    let shown = |fact: &&Fact| {
        !matches!(fact.what, What::Signal { .. } | What::MediaInterval { .. } | What::Listened { reason: None, .. })
    };
    for fact in facts.iter().filter(shown) {
        let row = codec::encode(fact)?;
        let body = if row.body == "{}" { "" } else { row.body.as_str() };
        let line = format!("  {:>3} {:>12}  {:<17} {body}", fact.n, offset(facts, fact), row.kind);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
