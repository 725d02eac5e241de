//! The life of the process: arguments → settings → build → listen → serve → drain. See `cli` for each command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hotline::cli::run(std::env::args_os())
}
