//! `hotline transcript …`: what a recogniser outside the process heard in a call, and what is kept of it.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::reading::{self, ReadingError};
use super::{Failure, reader, recordings};
use crate::config::Config;
use crate::io::custody::Order;
use crate::rules::{Transcript, transcript};
use crate::written::text_of;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Takes a transcript (JSON lines) of a call that is closed, in place of an older one; the rules of words are then decided.
    Add {
        id: String,
        file: PathBuf,
        /// Who or what brings it.
        #[arg(long, value_name = "NAME", default_value = "recogniser")]
        by: String,
    },
    /// Prints what there is, in the same form.
    Show { id: String },
}

pub(super) fn run(command: &Command, config: &Config, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        Command::Add { id, file, by } => {
            let (call, name) = (reading::parse_call_id(id)?, file.display().to_string());
            let transcript = read(file, &name)?;
            recordings::order(config, &Order::Transcribe { call, file: name, transcript, by: by.clone() }, out)
        }
        Command::Show { id } => {
            let call = reading::parse_call_id(id)?;
            let found = reader(config)?.transcript(call).map_err(ReadingError::from)?;
            let transcript = found.ok_or_else(|| Failure::Usage(format!("there is no transcript of {call}")))?;
            Ok(out.write_all(transcript.write().map_err(anyhow::Error::from)?.as_bytes())?)
        }
    }
}

fn read(file: &Path, name: &str) -> Result<Transcript, Failure> {
    let cannot = |error: std::io::Error| Failure::Usage(format!("cannot read {name}: {error}"));
    if std::fs::metadata(file).map_err(cannot)?.len() > transcript::MOST_BYTES as u64 {
        return Err(Failure::Usage(format!("{name}: more than {} octets", transcript::MOST_BYTES)));
    }
    let bytes = std::fs::read(file).map_err(cannot)?;
    let text = text_of(name, &bytes).map_err(|fault| Failure::Faults(vec![fault]))?;
    Transcript::read(name, text).map_err(Failure::Faults)
}
