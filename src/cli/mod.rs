//! The commands: arguments in, exit code out (0 done, 1 failed, 64 wrong use or wrong configuration).

mod admission;
mod agents;
mod analyze;
mod args;
mod audit;
mod callbacks;
mod choices;
mod demo;
mod erase;
mod kept;
mod ladder;
mod nuisance;
mod qa;
pub mod reading;
mod recordings;
mod reports;
mod route_test;
mod rulebook;
mod rules;
mod serve;
mod simulate;
mod sound;
mod transcript;
mod user;
mod what_if;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use args::{Args, Command, ReportWord, Topic};
use clap::Parser as _;
use reading::{ReadingError, Style, UsageError};

use crate::config::{self, Config, Loaded};
use crate::fault::Fault;
use crate::io::clock::RunClock;
use crate::io::control::Request;
use crate::metrics::alerts;
use crate::report::{Format, Per, Span, Zones};
use crate::store::{Reader, StoreError, Which};

/// `EX_USAGE` of sysexits: wrong use or wrong configuration.
const USAGE: u8 = 64;

/// Why a command did not do what it was asked.
enum Failure {
    /// Faults of the configuration, one line each.
    Faults(Vec<Fault>),
    Usage(String),
    Failed(anyhow::Error),
}

pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let usual = if matches!(args.command, Command::Serve) { "info" } else { "warn" };
    start_log(args.log.as_deref().unwrap_or(usual));
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn dispatch(args: &Args) -> Result<(), Failure> {
    let file = args.config.as_deref();
    let mut out = io::stdout().lock();
    match &args.command {
        Command::Serve => {
            drop(out);
            Ok(serve::serve(args.config.clone(), loaded(file)?)?)
        }
        Command::Demo { calls, exit, month, seed } => {
            drop(out);
            let month = (*month || !exit).then_some(*seed);
            Ok(demo::demo(demo::Wanted { calls: *calls, exit: *exit, month })?)
        }
        Command::Check => check(file, &mut out),
        Command::RouteTest { to, from, source, at } => {
            let now = RunClock::start().now().wall;
            let at = at.as_deref().map(|at| reading::parse_since(at, now)).transpose()?;
            let loaded = loaded(file)?;
            if let Some(source) = *source {
                if !admission::explain(&loaded.config, source, &mut out)? {
                    return Ok(());
                }
                admission::running(&loaded.config, &mut out)?;
            }
            Ok(route_test::explain(&loaded, to, from.as_deref(), (at, now), &mut out)?)
        }
        Command::Calls { json, live, kind, since, limit } => {
            let now = RunClock::start().now().wall;
            let since = since.as_deref().map(|since| reading::parse_since(since, now)).transpose()?;
            let which = if *live { Which::Live } else { Which::Ended };
            let asked = ((*kind).into(), which);
            Ok(reading::calls(&reader(&settings(file)?)?, asked, since, *limit, style(*json), &mut out)?)
        }
        Command::Agents { json } => show_agents(file, style(*json), &mut out),
        Command::Call { id, json, numbers } => {
            let id = reading::parse_call_id(id)?;
            Ok(reading::call(&reader(&settings(file)?)?, id, style(*json), *numbers, &mut out)?)
        }
        Command::Report { what, date, format, per } => {
            report_of(file, (*what, date.as_deref()), ((*format).into(), (*per).into()), &mut out)
        }
        Command::Simulate { file, seed, calls, days, people, agents_at } => {
            simulate::simulate(file, (*seed, *calls, *days), (people, agents_at), &mut out)
        }
        Command::Rules { ask } => rules::run(ask, file, &mut out),
        Command::Analyze { file, json } => analyze::run(file, style(*json), &mut out),
        Command::Recordings { command } => recordings::run(command, &settings(file)?, &mut out),
        Command::Nuisance { since, least, numbers } => {
            let now = RunClock::start().now().wall;
            let since = reading::parse_since(since, now)?;
            Ok(nuisance::list(&reader(&settings(file)?)?, since, (*least, *numbers), &mut out)?)
        }
        Command::Transcript { command } => transcript::run(command, &settings(file)?, &mut out),
        Command::Erase { caller, by } => erase::run(caller, by, &settings(file)?, &mut out),
        Command::User { command } => user::run(command, &settings(file)?, &mut out),
        Command::Qa { command } => qa::run(command, file, &mut out),
        Command::Callbacks { command } => callbacks::run(command, &settings(file)?, &mut out),
        Command::Audit { command } => audit::run(command, &settings(file)?, &mut out),
        Command::Reload => recordings::ask_running(&settings(file)?, &Request::Reload, &mut out),
        Command::Status => recordings::ask_running(&settings(file)?, &Request::Status, &mut out),
        Command::Metrics { json, rules, target } => metrics(*json, rules.then_some(*target), &mut out),
        Command::Help { topic: Some(Topic::Reasons) } => Ok(reading::reasons(&mut out)?),
        Command::Help { topic: None } => {
            let _ = args::print_help();
            Ok(())
        }
    }
}

/// The report of a period, the tally of a month, or whether closed reports are as they were.
fn report_of(
    file: Option<&Path>,
    (what, date): (ReportWord, Option<&str>),
    form: (Format, Per),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let date = date.map(reading::parse_date).transpose()?;
    let Loaded { config, plans } = loaded(file)?;
    let now = RunClock::start().now().wall;
    let zones = Zones::from_plans(&plans).map_err(ReadingError::from)?;
    let period = match what {
        ReportWord::Verify => return reports::verify(&config.data_directory, &zones, now, out),
        ReportWord::Tally => {
            return Ok(reading::tally(&reader(&config)?, date, &zones, now, form.0, out)?);
        }
        ReportWord::Day => (Span::Day, date),
        ReportWord::Week => (Span::Week, date),
        ReportWord::Month => (Span::Month, date),
    };
    Ok(reading::report(&reader(&config)?, period, &zones, now, form, out)?)
}

fn show_agents(file: Option<&Path>, style: Style, out: &mut dyn Write) -> Result<(), Failure> {
    let loaded = loaded(file)?;
    let reader = match Reader::open(&loaded.config.data_directory) {
        Err(StoreError::Absent(_)) => None,
        opened => Some(opened.map_err(|error| Failure::Failed(error.into()))?),
    };
    Ok(agents::agents(&loaded, reader.as_ref(), RunClock::start().now(), style, out)?)
}

/// The catalogue; with a target the rules for it instead.
fn metrics(json: bool, target: Option<f64>, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(target) = target else { return Ok(reading::metrics(style(json), out)?) };
    let target = alerts::Target::new(target).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(out.write_all(alerts::rules(target).as_bytes())?)
}

fn check(file: Option<&Path>, out: &mut dyn Write) -> Result<(), Failure> {
    let Loaded { config, plans } = loaded(file)?;
    let named = config.file.as_ref().map_or_else(|| "the embedded default".to_owned(), |f| f.display().to_string());
    let agents: usize = plans.hotlines.iter().map(|h| h.everybody().len()).sum();
    writeln!(out, "{named}: no faults; {} hotlines, {agents} agents in their lists", plans.hotlines.len())?;
    for note in plans.notes(RunClock::start().now().wall) {
        writeln!(out, "note: {note}")?;
    }
    Ok(())
}

fn loaded(file: Option<&Path>) -> Result<Loaded, Failure> {
    config::check(file).map_err(Failure::Faults)
}

fn settings(file: Option<&Path>) -> Result<Config, Failure> {
    config::read(file).map_err(Failure::Faults)
}

fn reader(config: &Config) -> Result<Reader, Failure> {
    Reader::open(&config.data_directory).map_err(|error| Failure::Failed(error.into()))
}

fn style(json: bool) -> Style {
    if json { Style::Json } else { Style::Text }
}

fn report(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Faults(faults) => {
            for fault in faults {
                eprintln!("{fault}");
            }
            ExitCode::from(USAGE)
        }
        Failure::Usage(what) => {
            eprintln!("hotline: {what}");
            ExitCode::from(USAGE)
        }
        Failure::Failed(error) => {
            // A reader that went away (`hotline calls | head`) is no failure of ours to report.
            if !is_broken_pipe(error) {
                eprintln!("hotline: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|e| e.downcast_ref::<io::Error>()).any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// Logs go to stderr; stdout belongs to the commands. For people on a terminal, else one JSON object a line.
fn start_log(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second start within one process (tests) keeps the first log.
    let _ = if io::stderr().is_terminal() {
        log.with_ansi(true).try_init()
    } else {
        log.json().flatten_event(true).with_span_list(false).try_init()
    };
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Failed(error)
    }
}

impl From<ReadingError> for Failure {
    fn from(error: ReadingError) -> Self {
        Failure::Failed(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Failed(error.into())
    }
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Self {
        Failure::Usage(error.to_string())
    }
}
