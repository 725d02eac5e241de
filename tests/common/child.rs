//! Child processes that end with the test that started them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::beat;

/// A process whose output goes to files; killed by its id when dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    /// Shows what it printed when the test fails.
    pub(crate) shown: bool,
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
}

impl Process {
    pub(crate) fn start(name: &str, directory: &Path, command: &mut Command) -> Process {
        let stdout = directory.join(format!("{name}.out"));
        let stderr = directory.join(format!("{name}.err"));
        let open = |path: &Path| std::fs::File::create(path).expect("a file for a child's output");
        let child = command
            .stdin(Stdio::null())
            .stdout(open(&stdout))
            .stderr(open(&stderr))
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start ({error}); tests/run installs what is missing"));
        Process { name: name.to_owned(), child, shown: true, stdout, stderr }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("waiting for a child")
    }

    /// Its exit code; panics if it has not ended by then.
    pub(crate) fn wait(&mut self, limit: Duration) -> i32 {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.exited() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "{} still runs after {limit:?}\n{}", self.name, self.output());
            beat();
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).expect("a process id");
        kill(Pid::from_raw(id), signal).expect("signalling a child");
    }

    /// kill -9, and wait until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// All it printed.
    pub(crate) fn output(&self) -> String {
        let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
        format!("--- {0} stdout\n{1}--- {0} stderr\n{2}", self.name, read(&self.stdout), read(&self.stderr))
    }

    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stdout).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if self.shown && std::thread::panicking() {
            eprintln!("{}", self.output());
        }
    }
}
