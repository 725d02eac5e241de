//! `hotline recordings …`: reading beside a running server; whatever changes something goes to it, or takes the directory's lock.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use serde::Serialize;

use super::{Failure, reader, reading};
use crate::app;
use crate::clock::Wall;
use crate::config::Config;
use crate::ids::CallId;
use crate::io::clock::RunClock;
use crate::io::control::{self, Answer, Request};
use crate::io::custody::Order;
use crate::io::inspection::{self, Finding, Summary};
use crate::io::playback::{self, Recordings};
use crate::io::prompts::Prompts;
use crate::store::{Kept, Reader};

/// Of the time in which callers whose dialplan wants recordings were connected.
const PROMISED: f64 = 0.999;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The recording ledger, oldest first: a line for each connected call.
    List {
        #[command(flatten)]
        since: Since,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Holds every row against its file (there, hash, header, length, prompts where they were played) and every file against a row.
    /// Exit 1 if anything is wrong.
    Verify {
        #[command(flatten)]
        since: Since,
        /// One JSON object a line: each fault, then the summary.
        #[arg(long)]
        json: bool,
    },
    /// Mends torn headers and recordings that were left open, and writes missing rows; says what it did.
    Repair,
    /// Deletes what `[retention]` no longer keeps, and nothing under legal hold.
    Prune {
        /// Only says what would go.
        #[arg(long)]
        dry_run: bool,
    },
    /// Puts a call's recording under legal hold: nothing deletes it.
    Hold {
        id: String,
        #[command(flatten)]
        who: Who,
    },
    /// Writes a call's recording, opened if it is sealed, as one WAV file; who takes it and why is kept.
    Export {
        id: String,
        /// The file to write; it must not be there.
        out: PathBuf,
        #[command(flatten)]
        who: Who,
    },
    /// Lifts a legal hold.
    Release { id: String },
    /// Destroys a recording: one person asks, and another one who asks again confirms.
    Destroy {
        id: String,
        #[command(flatten)]
        who: Who,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Since {
    /// Of calls offered since: a time like 2026-11-21T10:00:00+08:00 or a duration like 2h.
    #[arg(long, value_name = "T")]
    since: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Who {
    /// Who decides it.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    why: String,
}

pub(super) fn run(command: &Command, config: &Config, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        Command::List { since, json, limit } => list(&reader(config)?, since.wall()?, *json, *limit, out),
        Command::Verify { since, json } => verify(&reader(config)?, config, since.wall()?, *json, out),
        Command::Repair => order(config, &Order::Repair, out),
        Command::Prune { dry_run } => order(config, &Order::Prune { dry_run: *dry_run }, out),
        Command::Hold { id, who } => {
            let (by, why) = (who.by.clone(), who.why.clone());
            order(config, &Order::Hold { call: reading::parse_call_id(id)?, by, why }, out)
        }
        Command::Export { id, out: file, who } => export(config, id, file, who, out),
        Command::Release { id } => order(config, &Order::Release { call: reading::parse_call_id(id)? }, out),
        Command::Destroy { id, who } => {
            let (by, why) = (who.by.clone(), who.why.clone());
            order(config, &Order::Destroy { call: reading::parse_call_id(id)?, by, why }, out)
        }
    }
}

fn export(config: &Config, id: &str, file: &Path, who: &Who, out: &mut dyn Write) -> Result<(), Failure> {
    let call = reading::parse_call_id(id)?;
    let mut into = File::create_new(file).with_context(|| format!("cannot write {}", file.display()))?;
    let written = order(config, &Order::Export { call, by: who.by.clone(), why: who.why.clone() }, out)
        .and_then(|()| Ok(copy(&Recordings::new(&config.data_directory, app::vault(config)), call, &mut into)?));
    if written.is_err() {
        // Half a recording is none.
        let _ = fs::remove_file(file);
    }
    written
}

fn copy(recordings: &Recordings, call: CallId, into: &mut File) -> anyhow::Result<()> {
    let mut at = 0;
    loop {
        let piece = recordings.read_range(call, at..at + playback::MOST)?;
        into.write_all(&piece.bytes)?;
        at += piece.bytes.len() as u64;
        if at >= piece.total {
            return Ok(into.sync_all()?);
        }
    }
}

impl Since {
    /// Without it: since the beginning.
    fn wall(&self) -> Result<Wall, Failure> {
        let now = RunClock::start().now().wall;
        let since = self.since.as_deref().map(|since| reading::parse_since(since, now)).transpose()?;
        Ok(since.unwrap_or_else(|| Wall::from_micros(i64::MIN)))
    }
}

/// The running server does it, or we do under the directory's lock.
pub(super) fn order(config: &Config, order: &Order, out: &mut dyn Write) -> Result<(), Failure> {
    match control::ask(&config.data_directory, &Request::Recordings(order.clone())).context("control socket")? {
        Some(answer) => told(answer, out),
        None => told(Answer::Done(app::carry_out_alone(config, order)?), out),
    }
}

/// Only a running server can do it.
pub(super) fn ask_running(config: &Config, request: &Request, out: &mut dyn Write) -> Result<(), Failure> {
    let data = &config.data_directory;
    let answer = control::ask(data, request).context("control socket")?;
    told(answer.ok_or_else(|| anyhow!("no server runs on {}", data.display()))?, out)
}

pub(super) fn told(answer: Answer, out: &mut dyn Write) -> Result<(), Failure> {
    match answer {
        Answer::Done(lines) => Ok(lines.iter().try_for_each(|line| writeln!(out, "{line}"))?),
        Answer::Failed(why) => Err(Failure::Failed(anyhow!(why))),
    }
}

fn list(reader: &Reader, since: Wall, json: bool, limit: usize, out: &mut dyn Write) -> Result<(), Failure> {
    for row in reader.recordings(since, None, limit).map_err(anyhow::Error::from)? {
        if json {
            json_line(&row, out)?;
        } else {
            line(&row, out)?;
        }
    }
    Ok(())
}

fn line(row: &Kept, out: &mut dyn Write) -> io::Result<()> {
    let status = serde_json::to_value(row.status)?;
    let path = match (&row.removed, &row.path) {
        (Some(removed), _) => format!("gone ({})", removed.cause.word()),
        (None, path) => path.clone().unwrap_or_default(),
    };
    let held = if row.held { "held" } else { "" };
    let (status, reason) = (status.as_str().unwrap_or_default(), row.reason.as_deref().unwrap_or("-"));
    let seconds = row.duration_ms as f64 / 1_000.0;
    writeln!(
        out,
        "{} {} {:<12} {status:<8} {reason:<12} {seconds:>9.3} {held:<4} {path}",
        row.call, row.offered_at, row.hotline
    )
}

fn verify(reader: &Reader, config: &Config, since: Wall, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut tell = |finding: &Finding| if json { json_line(finding, out) } else { fault(finding, out) };
    let files = (config.data_directory.as_path(), &app::vault(config));
    let prompts = Prompts::new(config.dialplans.directory(), &config.data_directory);
    let summary = prompts
        .with_voice(|say| inspection::verify(reader, files, since, say, &mut tell))
        .map_err(anyhow::Error::from)?;
    if json {
        json_line(&summary, out)?;
    } else {
        let Summary { rows, ok, partial, none, removed, other_files, faults, coverage, .. } = summary;
        let Summary { prompts, farthest_ms, .. } = summary;
        writeln!(
            out,
            "{rows} connected calls: {ok} ok, {partial} partial, {none} none; {removed} of them gone on purpose"
        )?;
        writeln!(
            out,
            "{:.3} % of the connected time recorded ({}99.9 %); {other_files} other files; {faults} faults",
            coverage * 100.0,
            if coverage >= PROMISED { "at least " } else { "promised are " }
        )?;
        if prompts > 0 {
            writeln!(
                out,
                "{prompts} prompts found in the files, the farthest {farthest_ms} ms from where it was played"
            )?;
        }
    }
    match summary.faults {
        0 => Ok(()),
        faults => Err(Failure::Failed(anyhow!("{faults} faults in the recordings"))),
    }
}

fn fault(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let path = finding.path.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
    let call = finding.call.map_or_else(|| "-".to_owned(), |call| call.to_string());
    writeln!(out, "{:<10} {call} {path}: {}", finding.fault.word(), finding.detail)
}

pub(super) fn json_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}
