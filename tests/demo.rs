//! The one command that a newcomer runs first.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::bench::BINARY;
use common::child::Process;
use common::seconds;
use common::sound::play;

fn recordings_below(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            recordings_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            found.push(path);
        }
    }
}

#[test]
fn six_calls_end_in_time_and_leave_what_the_demo_says() {
    let scratch = tempfile::Builder::new().prefix("hotline-test-demo-").tempdir().expect("a temporary directory");
    let temporary = scratch.path().join("tmp");
    std::fs::create_dir(&temporary).expect("its temporary directory");
    let mut command = Command::new(BINARY);
    command.args(["demo", "--calls", "6", "--exit"]).env("TMPDIR", &temporary).current_dir(scratch.path());
    let mut demo = Process::start("demo", scratch.path(), &mut command);
    // Twelve calls end within 40 s; six have no more.
    assert_eq!(demo.wait(seconds(40)), 0, "{}", demo.output());
    let said = demo.printed();

    // What it says it left, is there.
    let root = temporary.to_str().expect("UTF-8");
    let told: Vec<PathBuf> = said
        .split(|c: char| c.is_whitespace() || "'\"(),`".contains(c))
        .filter_map(|word| word.find(root).map(|at| PathBuf::from(word[at..].trim_end_matches(['.', ':', ';']))))
        .collect();
    assert!(!told.is_empty(), "it does not say where anything is:\n{said}");
    for path in &told {
        assert!(path.exists(), "it names {}, which is not there:\n{said}", path.display());
    }

    // The records it left are six, and the summary counts as they do.
    let config = find(&temporary, "hotline.toml").expect("the configuration of the demo");
    let output = Command::new(BINARY).args(["calls", "--json", "--config"]).arg(config).output().expect("calls");
    assert!(output.status.success(), "{output:?}");
    let records: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect();
    assert_eq!(records.len(), 6, "{said}");
    let of = |outcome: &str| records.iter().filter(|record| record["outcome"] == outcome).count();
    let answered = of("answered");
    assert!(answered > 0, "nobody was answered:\n{said}");
    let summary =
        said.lines().find(|line| line.starts_with("Offered 6:")).unwrap_or_else(|| panic!("no summary:\n{said}"));
    for outcome in ["answered", "short_abandoned", "abandoned", "overflow", "rejected", "failed"] {
        let expected = format!(" {} {outcome}", of(outcome));
        assert!(summary.contains(&expected), "{expected} is not in: {summary}");
    }
    // A line for each call, with its caller and outcome.
    for record in &records {
        let text = |field: &str| record[field].as_str().expect("a text").to_owned();
        let line = said.lines().find(|line| line.contains(&text("caller"))).unwrap_or_default();
        assert!(line.split_whitespace().any(|word| word == text("outcome")), "{record:#} is told as {line:?}");
    }

    // A file for each answered call, each playable and not silent.
    let mut files = Vec::new();
    recordings_below(&temporary, &mut files);
    let recorded = records.iter().filter(|record| record["recording"]["status"] == "ok").count();
    assert_eq!((files.len(), recorded), (answered, answered), "recordings of answered calls: {files:?}");
    for file in &files {
        let sound = play(file);
        let loud = |samples: &[i16]| samples.iter().any(|sample| sample.unsigned_abs() > 500);
        assert!(loud(&sound.left) && loud(&sound.right), "{} has a silent channel", file.display());
    }
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<PathBuf> = std::fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).collect();
    entries
        .iter()
        .find(|path| path.file_name().is_some_and(|own| own == name))
        .cloned()
        .or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| find(path, name)))
}
