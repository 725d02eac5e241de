//! A report as text, CSV (RFC 4180), JSON or one self-contained HTML page: one list of rows feeds text, CSV and HTML.

use std::borrow::Cow;
use std::io::{self, Write};
use std::str::FromStr;

use super::figures::TOO_MANY_RINGS;
use super::tables::{self, Table};
use super::{Figures, Report, Share, Summary};
use crate::cdr::{Outcome, Word as _};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Csv,
    Json,
    Html,
}

/// What a line of CSV is about; the other formats hold all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Per {
    #[default]
    Hotline,
    Agent,
    Hour,
    Class,
    Survey,
    Callback,
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
const NOTE: &str = "A: calls answered by agents; B: calls left by their callers. Percentiles by nearest rank. Times in seconds. n is the number of calls behind a figure.";

impl Report {
    pub fn write(&self, format: Format, per: Per, out: &mut dyn Write) -> io::Result<()> {
        match (format, per) {
            (Format::Text, _) => self.text(out),
            (Format::Csv, Per::Hotline) => self.csv(out),
            (Format::Csv, Per::Agent) => tables::agents(self).csv(&self.period.to_string(), out),
            (Format::Csv, Per::Hour) => tables::hours(self).csv(&self.period.to_string(), out),
            (Format::Csv, Per::Class) => tables::classes(self).csv(&self.period.to_string(), out),
            (Format::Csv, Per::Survey) => tables::surveys(self).csv(&self.period.to_string(), out),
            (Format::Csv, Per::Callback) => tables::callbacks(self).csv(&self.period.to_string(), out),
            (Format::Json, _) => {
                serde_json::to_writer(&mut *out, self)?;
                writeln!(out)
            }
            (Format::Html, _) => self.html(out),
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
        tables::hours(self).text(out)?;
        tables::agents(self).text(out)?;
        for table in [tables::classes(self), tables::surveys(self), tables::callbacks(self)] {
            if !table.rows.is_empty() {
                table.text(out)?;
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
                let fields = [&self.period.to_string(), name, &row.label, row.value.as_deref().unwrap_or(""), &n];
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
                writeln!(out, "<tr><th scope=\"row\">{}<td>{}<td>{n}", escape(&row.label), escape(value))?;
            }
            writeln!(out, "</tbody></table>")?;
        }
        tables::hours(self).html(out)?;
        tables::agents(self).html(out)?;
        for table in [tables::classes(self), tables::surveys(self), tables::callbacks(self)] {
            if !table.rows.is_empty() {
                table.html(out)?;
            }
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

impl Table {
    pub(super) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n{}", self.name)?;
        if self.rows.is_empty() {
            return writeln!(out, "  none");
        }
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).chain([self.columns[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).map(|(cell, &width)| format!("{cell:>width$}"));
            format!("  {}", padded.collect::<Vec<_>>().join("  "))
        };
        writeln!(out, "{}", line(&mut self.columns.iter().copied()))?;
        for row in &self.rows {
            writeln!(out, "{}", line(&mut row.iter().map(String::as_str)).trim_end())?;
        }
        Ok(())
    }

    pub(super) fn csv(&self, period: &str, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "period,{}\r\n", self.columns.iter().map(|name| csv_field(name)).collect::<Vec<_>>().join(","))?;
        for row in &self.rows {
            let fields: Vec<String> =
                std::iter::once(period).chain(row.iter().map(String::as_str)).map(csv_field).collect();
            write!(out, "{}\r\n", fields.join(","))?;
        }
        Ok(())
    }

    pub(super) fn html(&self, out: &mut dyn Write) -> io::Result<()> {
        let heads = self.columns.iter().map(|name| format!("<th scope=\"col\">{}", escape(name)));
        writeln!(out, "<h2>{}</h2>", escape(self.name))?;
        writeln!(out, "<table><thead><tr>{}</thead><tbody>", heads.collect::<String>())?;
        for row in &self.rows {
            let cells = row.iter().skip(1).map(|cell| format!("<td>{}", escape(cell))).collect::<String>();
            let first = row.first().map(String::as_str).unwrap_or_default();
            writeln!(out, "<tr><th scope=\"row\">{}{cells}", escape(first))?;
        }
        writeln!(out, "</tbody></table>")
    }
}

struct Row {
    label: Cow<'static, str>,
    value: Option<String>,
    n: Option<u64>,
}

fn rows(figures: &Figures) -> Vec<Row> {
    let mut rows = vec![whole("offered", figures.offered)];
    rows.extend(Outcome::ALL.iter().map(|o| whole(o.word(), figures.outcomes.get(o).copied().unwrap_or(0))));
    rows.push(whole("in progress", figures.in_progress));
    rows.push(whole("interrupted by a crash (also counted above)", figures.interrupted));
    let levels = figures.service_levels;
    rows.extend([
        share("service level: answered within max_rings / offered", figures.service_level),
        share("service level: same / (offered - short_abandoned)", figures.service_level_without_short_abandoned),
        share("service level, strict: before the last burst's end / offered", figures.service_level_strict),
        share("service level, positive: (in time + left in time) / (A + B)", levels.positive),
        share("service level, handled only: in time / A", levels.handled_only),
        share("service level, negative: in time / (A + B)", levels.negative),
        share("service level, ignored: in time / (A + B - left in time)", levels.ignored),
        share("abandon rate: (abandoned + short_abandoned) / offered", figures.abandon_rate),
    ]);
    rows.extend(figures.short_abandon_ms.iter().map(|&ms| value("short_abandoned: left before, s", ms)));
    rows.extend(figures.left_after_s.iter().map(|(from, n)| {
        let to = if *from < 60 { format!("to {} s", from + 5) } else { "s and more".to_owned() };
        whole(format!("left after {from} {to}"), *n)
    }));
    let ring = |ring: u32| match ring {
        0 => "answered before the first ring".to_owned(),
        TOO_MANY_RINGS => format!("answered in ring {ring} or later"),
        _ => format!("answered in ring {ring}"),
    };
    rows.extend(figures.answered_in_ring.iter().map(|(at, n)| whole(ring(*at), *n)));
    rows.extend(times(figures));
    rows
}

fn times(figures: &Figures) -> Vec<Row> {
    let wait = figures.ring_to_answer_ms;
    let abandon = figures.time_to_abandon_ms;
    vec![
        seconds("ring to answer, mean", wait.mean, wait),
        seconds("ring to answer, median", wait.median, wait),
        seconds("ring to answer, p90", wait.p90, wait),
        seconds(
            "speed of answer (offered to answered), mean: ASA",
            figures.speed_of_answer_ms.mean,
            figures.speed_of_answer_ms,
        ),
        seconds("time to abandon, mean", abandon.mean, abandon),
        seconds("time to abandon, p90", abandon.p90, abandon),
        seconds("talk, mean", figures.talk_ms.mean, figures.talk_ms),
        seconds("hold, mean", figures.hold_ms.mean, figures.hold_ms),
        seconds("handling (talk + hold), mean", figures.handling_ms.mean, figures.handling_ms),
    ]
}

fn whole(label: impl Into<Cow<'static, str>>, value: u64) -> Row {
    Row { label: label.into(), value: Some(value.to_string()), n: None }
}

fn share(label: &'static str, share: Share) -> Row {
    Row { label: label.into(), value: share.ratio.map(|ratio| format!("{:.1} %", ratio * 100.0)), n: Some(share.n) }
}

fn seconds(label: &'static str, ms: Option<u64>, of: Summary) -> Row {
    Row { n: Some(of.n), value: ms.map(tables::seconds), label: label.into() }
}

fn value(label: &'static str, ms: u64) -> Row {
    Row { label: label.into(), value: Some(tables::seconds(ms)), n: None }
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
