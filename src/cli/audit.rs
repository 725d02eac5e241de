//! `hotline audit …`: what people did, and whether the log is as it was written. Reads only.

use std::io::Write;

use anyhow::anyhow;
use clap::Subcommand;

use super::{Failure, reader};
use crate::config::Config;
use crate::store::audit::Chain;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Walks the chain of hashes: says how many rows there are and the hash of the last, or names the first row that does not follow.
    Verify {
        /// A row and its hash as noted earlier, as in 120:5f3a…: everything up to it is as it was then.
        #[arg(long, value_name = "N:HASH")]
        noted: Option<String>,
    },
    /// Rows, newest first.
    List {
        /// Only those about a call, a person …
        #[arg(long, value_name = "WHAT")]
        about: Option<String>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
}

pub(super) fn run(command: &Command, config: &Config, out: &mut dyn Write) -> Result<(), Failure> {
    let reader = reader(config)?;
    match command {
        Command::Verify { noted } => {
            let chain = reader.audit_chain().map_err(anyhow::Error::from)?;
            let (rows, head) = match chain {
                Chain::Whole { rows, head } => (rows, head),
                Chain::Broken { n, why } => {
                    return Err(Failure::Failed(anyhow!("row {n} of the audit log does not follow: {}", why.text())));
                }
            };
            if let Some(noted) = noted {
                let parsed = noted.split_once(':').and_then(|(n, hash)| Some((n.parse::<i64>().ok()?, hash)));
                let (n, hash) = parsed.ok_or_else(|| Failure::Usage(format!("`{noted}` is not N:HASH")))?;
                let found = reader.audit_hash(n).map_err(anyhow::Error::from)?.map(|hash| hash.to_string());
                if found.as_deref() != Some(hash) {
                    let why = found.map_or_else(|| "it is gone".to_owned(), |found| format!("its hash is {found} now"));
                    return Err(Failure::Failed(anyhow!("row {n} is not the one that was noted: {why}")));
                }
            }
            Ok(writeln!(out, "{rows} rows, each follows from the one before; note the last one: {rows}:{head}")?)
        }
        Command::List { about, json, limit } => {
            for row in reader.audit(about.as_deref(), None, *limit).map_err(anyhow::Error::from)? {
                if *json {
                    serde_json::to_writer(&mut *out, &row).map_err(std::io::Error::from)?;
                    writeln!(out)?;
                } else {
                    let details = if row.details == "null" { "" } else { &row.details };
                    writeln!(out, "{:>6} {} {:<16} {:<20} {} {details}", row.n, row.at, row.who, row.what, row.about)?;
                }
            }
            Ok(())
        }
    }
}
