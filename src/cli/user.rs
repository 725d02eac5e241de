//! `hotline user …`: who works with the console. The running server does it, or we do under the directory's lock.
//!
//! A password comes from the terminal, from standard input or from a file, never as an argument, which everybody on the machine
//! can read.

use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::getuid;

use super::{Failure, recordings};
use crate::app;
use crate::config::Config;
use crate::io::control::{self, Answer, Request};
use crate::store::password;
use crate::store::people::{NewPerson, Order};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Adds somebody. The password is asked for on the terminal, or read as one line from standard input.
    Add {
        /// What is typed to log in.
        name: String,
        /// agent, qa, lead, operator, auditor, admin; several with commas.
        #[arg(long, value_name = "ROLES")]
        roles: String,
        /// What others see; without it the name.
        #[arg(long, value_name = "TEXT", default_value = "")]
        shown: String,
        /// The agent's number, of whoever is an agent.
        #[arg(long, value_name = "NUMBER")]
        agent: Option<String>,
        /// The password is the first line of this file.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Everybody.
    List,
    /// Somebody cannot log in any more, and is logged out.
    Disable { name: String },
    /// Somebody may log in again.
    Enable { name: String },
    /// A new password; whoever is logged in by the old one is logged out.
    Password {
        name: String,
        /// The password is the first line of this file.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

pub(super) fn run(command: &Command, config: &Config, out: &mut dyn Write) -> Result<(), Failure> {
    let order = match command {
        Command::Add { name, roles, shown, agent, password_file } => Order::Add(NewPerson {
            name: name.clone(),
            shown: shown.clone(),
            roles: roles.clone(),
            agent: agent.clone(),
            password: Some(kept(password_file.as_deref())?),
        }),
        Command::List => Order::List,
        Command::Disable { name } => Order::Disable { name: name.clone() },
        Command::Enable { name } => Order::Enable { name: name.clone() },
        Command::Password { name, password_file } => {
            Order::Password { name: name.clone(), password: kept(password_file.as_deref())? }
        }
    };
    let by = format!("shell:{}", getuid());
    let request = Request::People { order: order.clone(), by: by.clone() };
    match control::ask(&config.data_directory, &request).context("control socket")? {
        Some(answer) => recordings::told(answer, out),
        None => recordings::told(Answer::Done(app::people_alone(config, &order, &by)?), out),
    }
}

/// What is kept of the password.
fn kept(file: Option<&Path>) -> Result<String, Failure> {
    let written = match file {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        None if io::stdin().is_terminal() => asked()?,
        None => first_line()?,
    };
    let line = written.lines().next().unwrap_or_default();
    password::hash(line).map_err(|error| Failure::Usage(error.to_string()))
}

fn first_line() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

/// From the terminal, twice, without showing it.
fn asked() -> Result<String, Failure> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin).context("the terminal")?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &silent).context("the terminal")?;
    let typed = typed_twice();
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).context("the terminal")?;
    let (first, again) = typed?;
    if first == again { Ok(first) } else { Err(Failure::Failed(anyhow!("the two are not the same"))) }
}

fn typed_twice() -> Result<(String, String), Failure> {
    eprint!("Password: ");
    let first = first_line()?;
    eprint!("\nOnce more: ");
    let again = first_line()?;
    eprintln!();
    Ok((first, again))
}
