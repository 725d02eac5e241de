//! OpenMetrics 1.0.0 as text (prometheus/OpenMetrics, specification 1.0), with exemplars on the buckets of histograms.

use std::fmt::{self, Write as _};

use super::exemplars::{Exemplar, Exemplars};
use super::table::Kind;

/// A family as it stands at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exposed {
    pub(super) name: String,
    pub(super) help: String,
    pub(super) kind: Kind,
    pub(super) series: Vec<Series>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) labels: Vec<(String, String)>,
    pub(super) shown: Shown,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    Number(f64),
    /// Upper bounds and cumulative counts, the one without a bound left out.
    Buckets {
        buckets: Vec<(f64, u64)>,
        sum: f64,
        count: u64,
    },
}

pub(super) fn encode(families: &[Exposed], exemplars: &Exemplars) -> String {
    let mut text = String::with_capacity(256 * 1024);
    for family in families {
        // Writing to a string does not fail.
        let _ = write_family(&mut text, family, exemplars);
    }
    text.push_str("# EOF\n");
    text
}

fn write_family(text: &mut String, family: &Exposed, exemplars: &Exemplars) -> fmt::Result {
    // A counter's family is named without the suffix that its samples have.
    let name = match family.kind {
        Kind::Counter => family.name.trim_end_matches("_total"),
        Kind::Gauge | Kind::Histogram => &family.name,
    };
    writeln!(text, "# HELP {name} {}", escaped(&family.help))?;
    writeln!(text, "# TYPE {name} {}", family.kind.as_str())?;
    for series in &family.series {
        match &series.shown {
            Shown::Number(value) => {
                let total = if family.kind == Kind::Counter { "_total" } else { "" };
                writeln!(text, "{name}{total}{} {value}", Labels(&series.labels, None))?;
            }
            Shown::Buckets { buckets, sum, count } => {
                let label = series.labels.first().map_or("", |(_, value)| value);
                let places = exemplars.of(&family.name, label);
                let bounds = buckets.iter().map(|(bound, below)| (bound_of(*bound), *below));
                for (place, (bound, below)) in bounds.chain([("+Inf".to_owned(), *count)]).enumerate() {
                    write!(text, "{name}_bucket{} {below}", Labels(&series.labels, Some(&bound)))?;
                    if let Some(exemplar) = places.get(place).copied().flatten() {
                        write_exemplar(text, exemplar)?;
                    }
                    text.push('\n');
                }
                writeln!(text, "{name}_sum{} {sum}", Labels(&series.labels, None))?;
                writeln!(text, "{name}_count{} {count}", Labels(&series.labels, None))?;
            }
        }
    }
    Ok(())
}

/// At most 128 characters of names and values: a call's id has 36.
fn write_exemplar(text: &mut String, Exemplar { value, of }: Exemplar) -> fmt::Result {
    let (seconds, millis) = (of.wall_us.div_euclid(1_000_000), of.wall_us.rem_euclid(1_000_000) / 1_000);
    write!(text, " # {{call_id=\"{}\"}} {value} {seconds}.{millis:03}", of.call)
}

/// Bounds are written as numbers with a fraction: 15 is `15.0`.
fn bound_of(bound: f64) -> String {
    if bound.fract() == 0.0 { format!("{bound:.1}") } else { format!("{bound}") }
}

struct Labels<'a>(&'a [(String, String)], Option<&'a str>);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = self.1.map(|bound| ("le", bound));
        let mut all = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(bound).peekable();
        if all.peek().is_none() {
            return Ok(());
        }
        let mut before = '{';
        for (name, value) in all {
            write!(f, "{before}{name}=\"{}\"", escaped(value))?;
            before = ',';
        }
        f.write_char('}')
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}
