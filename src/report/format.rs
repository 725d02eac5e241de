//! A report as text, CSV (RFC 4180), JSON or one self-contained HTML page: one list of rows feeds text, CSV and HTML.

use std::io::{self, Write};
use std::str::FromStr;

use super::{Figures, Report, Share, Summary};
use crate::cdr::{Outcome, Word as _};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Csv,
    Json,
    Html,
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no format: text, csv, json or html")]
pub struct FormatError(String);

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(word: &str) -> Result<Self, FormatError> {
        match word {
            "text" => Ok(Format::Text),
            "csv" => Ok(Format::Csv),
            "json" => Ok(Format::Json),
            "html" => Ok(Format::Html),
            _ => Err(FormatError(word.to_owned())),
        }
    }
}

/// Beside every table of percentiles.
const NOTE: &str = "Percentiles by nearest rank. Times in seconds. n is the number of calls behind a figure.";

impl Report {
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Text => self.text(out),
            Format::Csv => self.csv(out),
            Format::Json => {
                serde_json::to_writer(&mut *out, self)?;
                writeln!(out)
            }
            Format::Html => self.html(out),
        }
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Report for {}", self.period)?;
        for (name, figures) in self.sections() {
            writeln!(out, "\n{name}")?;
            if figures.offered == 0 {
                writeln!(out, "  no calls")?;
                continue;
            }
            for row in rows(figures) {
                let n = row.n.map(|n| format!("n = {n}")).unwrap_or_default();
                let value = row.value.as_deref().unwrap_or("-");
                writeln!(out, "{}", format!("  {:<62} {value:>8}  {n}", row.label).trim_end())?;
            }
        }
        writeln!(out, "\n{NOTE}")
    }

    /// One line a figure; an unknown value is an empty field.
    fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "period,hotline,figure,value,n\r\n")?;
        for (name, figures) in self.sections() {
            for row in rows(figures) {
                let n = row.n.map(|n| n.to_string()).unwrap_or_default();
                let fields = [&self.period.to_string(), name, row.label, row.value.as_deref().unwrap_or(""), &n];
                write!(out, "{}\r\n", fields.map(csv_field).join(","))?;
            }
        }
        Ok(())
    }

    fn html(&self, out: &mut dyn Write) -> io::Result<()> {
        let period = escape(&self.period.to_string());
        writeln!(
            out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Report for {period}</title>"
        )?;
        writeln!(out, "<style>{STYLE}</style></head><body>\n<h1>Report for {period}</h1>")?;
        for (name, figures) in self.sections() {
            writeln!(out, "<h2>{}</h2>", escape(name))?;
            if figures.offered == 0 {
                writeln!(out, "<p>no calls</p>")?;
                continue;
            }
            writeln!(
                out,
                "<table><thead><tr><th scope=\"col\">figure<th scope=\"col\">value<th scope=\"col\">n</thead><tbody>"
            )?;
            for row in rows(figures) {
                let n = row.n.map(|n| n.to_string()).unwrap_or_default();
                let value = row.value.as_deref().unwrap_or("–");
                writeln!(out, "<tr><th scope=\"row\">{}<td>{}<td>{n}", escape(row.label), escape(value))?;
            }
            writeln!(out, "</tbody></table>")?;
        }
        writeln!(out, "<p>{NOTE}</p></body></html>")
    }

    /// Each hotline, then the total.
    fn sections(&self) -> impl Iterator<Item = (&str, &Figures)> {
        let hotlines = self.hotlines.iter().map(|(hotline, figures)| (hotline.as_str(), figures));
        hotlines.chain([("total", &self.total)])
    }
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}th,td{padding:.2rem .5rem;border-bottom:1px solid #ccc;text-align:right}\
th:first-child{text-align:left;font-weight:400}thead th{font-weight:600}";

struct Row {
    label: &'static str,
    value: Option<String>,
    n: Option<u64>,
}

fn rows(figures: &Figures) -> Vec<Row> {
    let mut rows = vec![whole("offered", figures.offered)];
    rows.extend(Outcome::ALL.iter().map(|o| whole(o.word(), figures.outcomes.get(o).copied().unwrap_or(0))));
    rows.push(whole("in progress", figures.in_progress));
    rows.push(whole("interrupted by a crash (also counted above)", figures.interrupted));
    rows.extend([
        share("service level: answered within max_rings / offered", figures.service_level),
        share("service level: same / (offered - short_abandoned)", figures.service_level_without_short_abandoned),
        share("service level, strict: before the last burst's end / offered", figures.service_level_strict),
        share("abandon rate: (abandoned + short_abandoned) / offered", figures.abandon_rate),
    ]);
    let wait = figures.ring_to_answer_ms;
    rows.push(seconds("ring to answer, mean", wait.mean, wait));
    rows.push(seconds("ring to answer, median", wait.median, wait));
    rows.push(seconds("ring to answer, p90", wait.p90, wait));
    let abandon = figures.time_to_abandon_ms;
    rows.push(seconds("time to abandon, mean", abandon.mean, abandon));
    rows.push(seconds("time to abandon, p90", abandon.p90, abandon));
    rows.push(seconds("talk, mean", figures.talk_ms.mean, figures.talk_ms));
    rows.push(seconds("hold, mean", figures.hold_ms.mean, figures.hold_ms));
    rows.push(seconds("handling (talk + hold), mean", figures.handling_ms.mean, figures.handling_ms));
    rows
}

fn whole(label: &'static str, value: u64) -> Row {
    Row { label, value: Some(value.to_string()), n: None }
}

fn share(label: &'static str, share: Share) -> Row {
    Row { label, value: share.ratio.map(|ratio| format!("{:.1} %", ratio * 100.0)), n: Some(share.n) }
}

fn seconds(label: &'static str, ms: Option<u64>, of: Summary) -> Row {
    Row { label, value: ms.map(|ms| format!("{}.{:03}", ms / 1_000, ms % 1_000)), n: Some(of.n) }
}

fn csv_field(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
