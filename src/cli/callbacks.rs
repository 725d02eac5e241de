//! `hotline callbacks …`: callers whom the house owes a call, and what was done about them.

use std::io::Write;

use anyhow::Context as _;
use clap::Subcommand;
use clap::builder::PossibleValue;
use nix::unistd::getuid;

use super::{Failure, reader, reading, recordings};
use crate::app;
use crate::cdr::ladder::masked;
use crate::cdr::{Time, Word as _};
use crate::clock::Wall;
use crate::config::Config;
use crate::io::clock::RunClock;
use crate::io::control::{self, Answer, Request};
use crate::report::callbacks::{Code, Row};
use crate::store::callbacks::{Order, month_before};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Who is to be called, the most urgent first.
    List {
        /// Closed entries too.
        #[arg(long)]
        all: bool,
        /// One JSON object a line, with numbers in full.
        #[arg(long)]
        json: bool,
        /// Shows numbers in full.
        #[arg(long)]
        numbers: bool,
        /// Since: a time like 2026-11-21T10:00:00+08:00 or a duration like 2h; without it a month.
        #[arg(long, value_name = "T")]
        since: Option<String>,
    },
    /// Takes an entry: for a quarter of an hour it is nobody else's.
    Take {
        /// The entry's call.
        id: String,
    },
    /// Tells what came of an attempt.
    Result {
        /// The entry's call.
        id: String,
        code: Code,
        /// With `later`: when to try again, a time like 2026-11-21T10:00:00+08:00.
        #[arg(long, value_name = "TIME", required_if_eq("code", "later"))]
        until: Option<String>,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Puts the caller of a call on the list: he was promised a call.
    Promise {
        /// The call.
        id: String,
        /// By when, a time like 2026-11-21T10:00:00+08:00.
        #[arg(long, value_name = "TIME")]
        due: String,
        #[arg(long, default_value = "")]
        note: String,
    },
}

impl clap::ValueEnum for Code {
    fn value_variants<'a>() -> &'a [Code] {
        <Code as crate::cdr::Word>::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()))
    }
}

pub(super) fn run(command: &Command, config: &Config, out: &mut dyn Write) -> Result<(), Failure> {
    let now = RunClock::start().now().wall;
    let at = |text: &str| reading::parse_since(text, now).map(Time);
    match command {
        Command::List { all, json, numbers, since } => {
            let since = since.as_deref().map(|since| reading::parse_since(since, now)).transpose()?;
            let since = since.unwrap_or_else(|| month_before(now));
            let mut rows = reader(config)?.callbacks(since, None, now).map_err(anyhow::Error::from)?;
            rows.retain(|row| *all || !row.state.is_closed());
            rows.sort_by_key(|row| (row.state.is_closed(), row.due.0, row.call));
            if *json {
                return Ok(rows.iter().try_for_each(|row| recordings::json_line(row, out))?);
            }
            Ok(table(&rows, now, *numbers, out)?)
        }
        Command::Take { id } => order(config, &Order::Take { call: reading::parse_call_id(id)? }, out),
        Command::Result { id, code, until, note } => {
            let until = until.as_deref().map(at).transpose()?;
            let (call, code, note) = (reading::parse_call_id(id)?, *code, note.clone());
            order(config, &Order::Tried { call, code, until, note }, out)
        }
        Command::Promise { id, due, note } => {
            let call = reading::parse_call_id(id)?;
            order(config, &Order::Promise { call, due: at(due)?, note: note.clone() }, out)
        }
    }
}

/// The running server does it, or we do under the directory's lock.
fn order(config: &Config, order: &Order, out: &mut dyn Write) -> Result<(), Failure> {
    let by = format!("shell:{}", getuid());
    let request = Request::Callbacks { order: order.clone(), by: by.clone() };
    match control::ask(&config.data_directory, &request).context("control socket")? {
        Some(answer) => recordings::told(answer, out),
        None => recordings::told(Answer::Done(app::callbacks_alone(config, order, &by)?), out),
    }
}

fn table(rows: &[Row], now: Wall, numbers: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "nobody is to be called");
    }
    writeln!(
        out,
        "{:<36} {:<12} {:<10} {:<24} {:<12} {:<5} {:<5} {:<16} caller",
        "call", "hotline", "why", "due (UTC)", "state", "tries", "calls", "taken by"
    )?;
    for row in rows {
        let caller = match &row.caller {
            Some(number) if numbers => number.clone(),
            Some(number) => masked(number),
            None => "-".to_owned(),
        };
        let overdue =
            if !row.state.is_closed() && row.first_tried.is_none() && row.due.0 < now { " OVERDUE" } else { "" };
        let (call, hotline, due, tries) = (row.call, &row.hotline, row.due, format!("{}/{}", row.tries, row.attempts));
        let taken = row.taken_by.as_deref().unwrap_or("-");
        let (why, state, times) = (row.why, row.state, row.times);
        writeln!(
            out,
            "{call} {hotline:<12} {why:<10} {due:<24} {state:<12} {tries:<5} {times:<5} {taken:<16} {caller}{overdue}"
        )?;
        for made in &row.calls {
            let end = made.end.map_or("in progress", crate::cdr::Word::word);
            writeln!(out, "  called {} {end}, hotline call {}", made.at, made.call)?;
        }
    }
    Ok(())
}
