//! `hotline qa …`: which calls are heard, drawn by lot, and whether that was right.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use nix::unistd::getuid;
use serde_json::Value;

use super::{Failure, loaded, recordings};
use crate::app::inspecting;
use crate::config::Config;
use crate::io::clock::RunClock;
use crate::io::control::{self, Answer, Request};
use crate::qa::draw::export;
use crate::qa::draw::places::{Places, bounds};
use crate::store::qa::{Inspection, Order, Verified};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Draws what is due of a month and gives it to those who score. The quota falls due evenly: by the month's end all of it.
    Draw {
        /// As in 2026-11.
        month: String,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Computes all draws of a month again from the ledger and the seed. Exit 1 if anything is different.
    VerifyDraw {
        /// As in 2026-11.
        month: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        /// Writes frame.csv, draw.csv and seed.txt: what docs/verify_draw.py needs to check a month that is closed.
        #[arg(long, value_name = "DIRECTORY")]
        export: Option<PathBuf>,
    },
    /// Makes a month's seed and tells its hash; the server does it by itself for this month and the next.
    Commit {
        /// As in 2026-11.
        month: String,
    },
    /// Closes a month that is over: nothing is drawn any more, and its seed is revealed.
    Close {
        /// As in 2026-11.
        month: String,
    },
}

pub(super) fn run(command: &Command, file: Option<&Path>, out: &mut dyn Write) -> Result<(), Failure> {
    let loaded = loaded(file)?;
    let (config, places) = (&loaded.config, Places::of(&loaded.plans));
    let now = RunClock::start().now().wall;
    let zones = places.zones().map_err(anyhow::Error::from)?;
    let month = match command {
        Command::Draw { month, .. } | Command::VerifyDraw { month, .. } => month,
        Command::Commit { month } | Command::Close { month } => month,
    };
    bounds(&zones, month, now).map_err(|_| Failure::Usage(format!("`{month}` is no month like 2026-11")))?;
    match command {
        Command::Draw { month, json } => {
            let lines = order(config, &places, Order::Draw { period: month.clone() })?;
            if *json { plain(&lines, out) } else { drawn(&lines, out) }
        }
        Command::Commit { month } => plain(&order(config, &places, Order::Commit { period: month.clone() })?, out),
        Command::Close { month } => plain(&order(config, &places, Order::Close { period: month.clone() })?, out),
        Command::VerifyDraw { month, json, export } => {
            let store = Inspection::open_to_read(&config.data_directory).map_err(anyhow::Error::from)?;
            let period = bounds(&zones, month, now).map_err(anyhow::Error::from)?;
            let verified = store.verify(&period, &|hotline| zones.of(hotline).clone()).map_err(anyhow::Error::from)?;
            if let Some(directory) = export {
                write_files(&store, &verified, directory)?;
            }
            if *json {
                recordings::json_line(&verified, out)?;
            } else {
                tell(&verified, out)?;
            }
            match verified.faults.len() {
                0 => Ok(()),
                faults => Err(Failure::Failed(anyhow!("{faults} faults in the draw of {month}"))),
            }
        }
    }
}

/// The running server does it, or we do under the directory's lock.
fn order(config: &Config, places: &Places, order: Order) -> Result<Vec<String>, Failure> {
    let by = format!("shell:{}", getuid());
    let request = Request::Qa { order: order.clone(), places: places.clone(), by: by.clone() };
    match control::ask(&config.data_directory, &request).context("control socket")? {
        Some(Answer::Done(lines)) => Ok(lines),
        Some(Answer::Failed(why)) => Err(Failure::Failed(anyhow!(why))),
        None => Ok(inspecting::inspect_alone(config, places, &order, &by)?),
    }
}

fn plain(lines: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    Ok(lines.iter().try_for_each(|line| writeln!(out, "{line}"))?)
}

fn drawn(lines: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let mut lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let head = lines.next().unwrap_or_default();
    let draw = &head["draw"];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    writeln!(
        out,
        "{}: {} drawn from {} calls offered before {}; frame {}",
        text(&head["period"]),
        head["drawn"],
        draw["candidates"],
        text(&draw["cut"]),
        text(&draw["frame"])
    )?;
    for (why, n) in draw["excluded"].as_object().into_iter().flatten().filter(|(_, n)| **n != 0) {
        writeln!(out, "  left out  {n:>7}  {why}")?;
    }
    for (agent, n) in draw["lacking"].as_object().into_iter().flatten() {
        writeln!(out, "  agent {agent}: {n} more are due and there is no call for them")?;
    }
    for pick in lines {
        let [agent, call, stratum] = ["agent", "call", "stratum"].map(|key| text(&pick[key]));
        writeln!(out, "  agent {agent:<6} {call}  {stratum}  1 in {}", chance(&pick))?;
    }
    Ok(())
}

fn chance(pick: &Value) -> String {
    let of = |key: &str| pick[key].as_f64().unwrap_or(1.0);
    let chance = of("of") / of("weight");
    if chance.fract() == 0.0 { format!("{chance:.0}") } else { format!("{chance:.1}") }
}

fn tell(verified: &Verified, out: &mut dyn Write) -> Result<(), Failure> {
    let Verified { month, draws, picks, replaced, faults, .. } = verified;
    writeln!(out, "{}: committed to at {}: SHA-256 {}", month.period, month.committed_at, month.commitment)?;
    match (&month.seed, month.closed_at) {
        (Some(seed), Some(closed)) => writeln!(out, "  closed {closed}, seed {seed}")?,
        _ => writeln!(out, "  not closed: the seed is secret")?,
    }
    for draw in draws {
        let left_out: u64 = draw.excluded.values().sum();
        writeln!(
            out,
            "  draw {}  {}  calls before {}: {} in the frame, {left_out} left out; {} picks",
            draw.n,
            draw.at,
            draw.cut,
            draw.candidates,
            picks.iter().filter(|pick| pick.draw == draw.n).count()
        )?;
    }
    writeln!(out, "  {} picks, {} replaced", picks.len(), replaced.len())?;
    for fault in faults {
        writeln!(out, "  FAULT  {fault}")?;
    }
    if faults.is_empty() {
        writeln!(out, "  computed again: the same")?;
    }
    Ok(())
}

fn write_files(store: &Inspection, verified: &Verified, directory: &Path) -> Result<(), Failure> {
    let Verified { month, picks, parts, .. } = verified;
    let revealed = month.closed_at.is_some();
    let seed = store.seed_for_export(&month.period).map_err(anyhow::Error::from)?;
    let picks: Vec<_> = picks.iter().map(|pick| pick.as_pick(&seed)).collect();
    let files = [
        ("frame.csv", export::frame(&month.period, &month.policy, parts)),
        ("draw.csv", export::draw(&picks, revealed)),
        ("policy.json", month.policy_text.clone()),
        ("seed.txt", export::seed(&month.policy, &month.policy_text, &seed, revealed)),
    ];
    std::fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for (name, text) in files {
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
