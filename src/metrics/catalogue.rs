//! The table of metrics for people and programs: what `hotline metrics` prints.

use std::fmt::Write as _;

use serde::Serialize;

use super::registry::LabelSets;
use super::table::{METRICS, Metric};

/// One metric, as `hotline metrics --json` has it.
#[derive(Debug, Serialize)]
pub struct Row {
    pub name: &'static str,
    pub kind: &'static str,
    pub labels: Vec<&'static str>,
    /// What the labels may say where that does not depend on the configuration, in their order; null: names of the configuration.
    pub values: Vec<Option<Vec<String>>>,
    /// Upper bounds of a histogram's buckets, without those that `[answer]` of a dialplan adds.
    pub buckets: Vec<f64>,
    pub help: &'static str,
}

impl Row {
    fn of(metric: &Metric) -> Row {
        let none = LabelSets::default();
        Row {
            name: metric.name,
            kind: metric.kind.as_str(),
            labels: metric.labels.iter().map(|label| label.name).collect(),
            values: metric.labels.iter().map(|label| label.is_closed().then(|| label.values(&none))).collect(),
            buckets: metric.buckets.bounds(&none),
            help: metric.help,
        }
    }
}

/// Every metric, in the table's order.
pub fn rows() -> Vec<Row> {
    METRICS.iter().map(Row::of).collect()
}

/// The table in Markdown.
pub fn markdown() -> String {
    let mut text = String::from("| metric | kind | labels | means |\n|---|---|---|---|\n");
    for row in rows() {
        let labels = row.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let bounds = row.buckets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let bounds = if bounds.is_empty() { bounds } else { format!(" Bounds: {bounds}.") };
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "| `{}` | {} | {labels} | {}{bounds} |", row.name, row.kind, row.help.replace('|', "\\|"));
    }
    text
}
