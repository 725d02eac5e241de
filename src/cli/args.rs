//! What can be typed.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::cdr::CallKind;
use crate::report::{Format, Per};

/// A telephony gateway and call-quality monitor for customer-service hotlines.
#[derive(Debug, Parser)]
#[command(name = "hotline", version, disable_help_subcommand = true)]
pub(super) struct Args {
    /// The configuration; without it ./hotline.toml, without that the embedded default.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// What is logged to stderr: error, warn, info, debug (may hold phone numbers), trace. `serve` says info, others warn.
    #[arg(long, global = true, value_name = "FILTER")]
    pub(super) log: Option<String>,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs the gateway.
    Serve,
    /// Shows it at work: built-in callers and agents make real calls over loopback.
    Demo {
        /// How many calls.
        #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        calls: u32,
        /// Ends after the calls instead of serving records and metrics until Ctrl-C.
        #[arg(long)]
        exit: bool,
        /// Makes up the month before this one and this one so far; without `--exit` it does so anyway.
        #[arg(long)]
        month: bool,
        /// Of what is made up: the same seed on the same day gives the same month.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Reads configuration, dialplans and prompts, and names every fault.
    Check,
    /// Says what would happen to a call, without making it.
    RouteTest {
        /// The number dialled.
        #[arg(long, value_name = "NUMBER")]
        to: String,
        /// The caller's number.
        #[arg(long, value_name = "NUMBER")]
        from: Option<String>,
        /// Where its INVITE comes from, as in 198.51.100.7 or 198.51.100.7:5060: says first whether it is let in.
        #[arg(long, value_name = "ADDR[:PORT]")]
        source: Option<super::admission::Source>,
        /// When: a time like 2026-11-21T10:00:00+08:00; without it now.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Runs a scenario of callers, agents and network in virtual time, without sockets, and holds every invariant against it.
    Simulate {
        /// The scenario (TOML).
        file: PathBuf,
        /// Instead of the scenario's own.
        #[arg(long)]
        seed: Option<u64>,
        /// Instead of the scenario's own.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        calls: Option<u32>,
        /// Instead of the days of the scenario's [day].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
        days: Option<u32>,
        /// Of a hundred callers or agents so many, instead of the scenario's own: silent=5,noisy=3. Callers may be impatient, nuisance,
        /// repeat, silent and noisy, agents slow and forgetful.
        #[arg(long, value_name = "KIND=PERCENT", value_delimiter = ',')]
        people: Vec<String>,
        /// What if there were so many agents more or fewer: 10:00=-1 (for an hour), 10:00-12:30=2. May be given again; runs the days twice
        /// and shows both side by side.
        #[arg(long, value_name = "CHANGE", allow_hyphen_values = true)]
        agents_at: Vec<String>,
    },
    /// Ended calls, newest first.
    Calls {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// Calls in progress instead.
        #[arg(long)]
        live: bool,
        /// Of another kind, which no figure counts: callbacks, agents' calls to each other, or to numbers outside.
        #[arg(long, default_value = "offered")]
        kind: KindWord,
        /// Offered since: a time like 2026-11-21T10:00:00+08:00 or a duration like 2h.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Every agent: there for callers or not, and what the phone is doing.
    Agents {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// One call: its record, facts and SIP ladder.
    Call {
        id: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        /// Shows the caller's number in the ladder, where it is masked otherwise.
        #[arg(long)]
        numbers: bool,
    },
    /// The report of a day, week or month; the tally sheet of a month; or whether the closed reports are as they were.
    Report {
        what: ReportWord,
        /// A date like 2026-11-21 (or 2026-11 for a month); without it the current one.
        date: Option<String>,
        #[arg(long, default_value = "text")]
        format: FormatWord,
        /// What a line of CSV is about; the other formats hold all.
        #[arg(long, default_value = "hotline")]
        per: PerWord,
    },
    /// Callers whom the house owes a call: who left before an agent answered, left a message, or was promised a call.
    Callbacks {
        #[command(subcommand)]
        command: super::callbacks::Command,
    },
    /// The rule book: what is asked of a call, how it is decided, and how calls would score by other numbers.
    Rules {
        #[command(subcommand)]
        ask: super::rules::Ask,
    },
    /// Measures the calls and RTP streams of a capture (pcap or pcapng): loss, jitter, bursts, R and MOS.
    Analyze {
        file: PathBuf,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Recordings: what there is, whether it is whole, and what people decide about it.
    Recordings {
        #[command(subcommand)]
        command: super::recordings::Command,
    },
    /// Callers whom agents sent to the desk for nuisance calls (key *7), the most frequent first.
    Nuisance {
        /// Of calls offered since: a time or a duration.
        #[arg(long, value_name = "T", default_value = "30d")]
        since: String,
        /// Of at least so many such calls.
        #[arg(long, value_name = "N", default_value_t = 1)]
        least: u32,
        /// Shows the numbers, which are masked otherwise.
        #[arg(long)]
        numbers: bool,
    },
    /// What a recogniser outside the process heard in a call: words, by which further rules are decided.
    Transcript {
        #[command(subcommand)]
        command: super::transcript::Command,
    },
    /// Erases a caller's number, words and the recordings of that caller, and prints the receipt. What is under legal hold stays.
    Erase {
        /// The number as records show it.
        #[arg(long, value_name = "NUMBER")]
        caller: String,
        /// Who does it.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// People who work with the console.
    User {
        #[command(subcommand)]
        command: super::user::Command,
    },
    /// Inspection: which calls are heard, drawn by lot, and whether that was right.
    Qa {
        #[command(subcommand)]
        command: super::qa::Command,
    },
    /// The log of what people did.
    Audit {
        #[command(subcommand)]
        command: super::audit::Command,
    },
    /// Tells the running server to read configuration and dialplans again.
    Reload,
    /// What the running server is doing.
    Status,
    /// The catalogue of metrics, as a table in Markdown; or Prometheus' rules and alerts.
    Metrics {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// Prints recording rules and alerts for Prometheus instead.
        #[arg(long, conflicts_with = "json")]
        rules: bool,
        /// The service level that the alerts hold callers' answers against, as a share.
        #[arg(long, default_value_t = 0.9, requires = "rules")]
        target: f64,
    },
    /// This help, or a topic.
    Help { topic: Option<Topic> },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Topic {
    /// Why calls end, and why requests are turned away: the closed lists of `reason`.
    Reasons,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ReportWord {
    Day,
    Week,
    Month,
    /// A month's calls by day, class and agent: 《800电话信息统计报表》.
    Tally,
    /// Walks the chain of closed reports and computes each again from the ledger.
    Verify,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum KindWord {
    Offered,
    Callback,
    Internal,
    Outbound,
}

impl From<KindWord> for CallKind {
    fn from(word: KindWord) -> CallKind {
        match word {
            KindWord::Offered => CallKind::Offered,
            KindWord::Callback => CallKind::Callback,
            KindWord::Internal => CallKind::Internal,
            KindWord::Outbound => CallKind::Outbound,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum FormatWord {
    Text,
    Csv,
    Json,
    Html,
}

impl From<FormatWord> for Format {
    fn from(word: FormatWord) -> Format {
        match word {
            FormatWord::Text => Format::Text,
            FormatWord::Csv => Format::Csv,
            FormatWord::Json => Format::Json,
            FormatWord::Html => Format::Html,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum PerWord {
    Hotline,
    Agent,
    Hour,
    Class,
    Survey,
    Callback,
}

impl From<PerWord> for Per {
    fn from(word: PerWord) -> Per {
        match word {
            PerWord::Hotline => Per::Hotline,
            PerWord::Agent => Per::Agent,
            PerWord::Hour => Per::Hour,
            PerWord::Class => Per::Class,
            PerWord::Survey => Per::Survey,
            PerWord::Callback => Per::Callback,
        }
    }
}

pub(super) fn print_help() -> std::io::Result<()> {
    Args::command().print_help()
}
