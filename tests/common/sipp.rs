//! SIPp as the trunk and as the agents' phones: it signals, the voices of [`super::voice`] speak.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::child::Process;
use super::{Bench, HOTLINE_NUMBER, seconds, until};

/// A run of SIPp, to be started.
pub(crate) struct Sipp {
    command: Command,
    name: String,
    directory: PathBuf,
    port: u16,
    listens: bool,
    stream: bool,
    limit_s: u64,
    calls: u64,
    caller: String,
    rtp_port: u16,
    formats: &'static str,
    contact_port: u16,
}

/// A running SIPp, killed on drop.
pub(crate) struct Running {
    process: Process,
    directory: PathBuf,
    name: String,
    limit_s: u64,
}

impl Sipp {
    /// Callers: a scenario `fixtures/sipp/trunk_….xml` that dials the hotline.
    pub(crate) fn trunk(bench: &Bench, scenario: &str) -> Sipp {
        Sipp::trunk_by(bench, bench.sip_address(), scenario)
    }

    /// An agent's phone: a scenario `fixtures/sipp/agent_….xml` at this port.
    pub(crate) fn agent(bench: &Bench, scenario: &str, port: u16) -> Sipp {
        Sipp::new(bench, scenario, port)
    }

    fn new(bench: &Bench, scenario: &str, port: u16) -> Sipp {
        let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sipp")).join(format!("{scenario}.xml"));
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(file).args([
            "-i",
            "127.0.0.1",
            "-nostdin",
            "-timeout_error",
            "-trace_err",
            "-trace_msg",
        ]);
        Sipp {
            command,
            name: format!("{scenario}-{port}"),
            directory: bench.path().to_owned(),
            port,
            listens: true,
            stream: false,
            limit_s: 30,
            calls: 1,
            caller: "1390000".into(),
            rtp_port: 9,
            formats: "8 101",
            contact_port: port,
        }
        .number("-p", u64::from(port))
        .number("-cp", u64::from(bench.ports.one()))
    }

    fn number(mut self, option: &str, value: u64) -> Sipp {
        self.command.arg(option).arg(value.to_string());
        self
    }

    /// The scenario's pause: how long it rings, or how long the caller talks or waits.
    pub(crate) fn pause_ms(self, ms: u64) -> Sipp {
        self.number("-d", ms)
    }

    /// All calls over one TCP connection.
    pub(crate) fn over_tcp(mut self) -> Sipp {
        self.command.args(["-t", "t1"]);
        self.stream = true;
        self
    }

    /// Repeats its messages for half a minute as RFC 3261 (17.1) wants; SIPp by itself gives up after five times.
    pub(crate) fn patient(self) -> Sipp {
        self.number("-max_invite_retrans", 10).number("-max_non_invite_retrans", 10)
    }

    /// Calls by way of a relay before the gateway.
    pub(crate) fn trunk_by(bench: &Bench, relay: SocketAddr, scenario: &str) -> Sipp {
        let mut sipp = Sipp::new(bench, scenario, bench.ports.one());
        sipp.listens = false;
        sipp.command.arg(relay.to_string()).args(["-s", HOTLINE_NUMBER]);
        sipp
    }

    /// The port that its Contact names, where that is a relay's and not its own.
    pub(crate) fn contact(mut self, port: u16) -> Sipp {
        self.contact_port = port;
        self
    }

    pub(crate) fn calls(mut self, count: u64) -> Sipp {
        self.calls = count;
        self
    }

    pub(crate) fn per_second(self, rate: u64) -> Sipp {
        self.number("-r", rate).number("-l", 1000)
    }

    pub(crate) fn limit_s(mut self, limit_s: u64) -> Sipp {
        self.limit_s = limit_s;
        self
    }

    /// The first digits of the callers' numbers.
    pub(crate) fn caller(mut self, digits: &str) -> Sipp {
        self.caller = digits.to_owned();
        self
    }

    pub(crate) fn set(mut self, variable: &str, value: u64) -> Sipp {
        self.command.args(["-set", variable]).arg(value.to_string());
        self
    }

    /// Where this side's voice is: the port in the SDP.
    pub(crate) fn voice(mut self, port: u16) -> Sipp {
        self.rtp_port = port;
        self
    }

    /// Knows no packets for keys (RFC 4733), where the scenario asks.
    pub(crate) fn without_events(mut self) -> Sipp {
        self.formats = "8";
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let at = |kind: &str| self.directory.join(format!("{}.{kind}", self.name));
        self.command.arg("-error_file").arg(at("errors")).arg("-message_file").arg(at("messages"));
        self.command.args(["-key", "rtp_port"]).arg(self.rtp_port.to_string());
        self.command.args(["-key", "formats", self.formats]);
        self.command.args(["-key", "contact_port"]).arg(self.contact_port.to_string());
        self.command.args(["-key", "caller"]).arg(&self.caller).arg("-m").arg(self.calls.to_string());
        self.command.arg("-timeout").arg(format!("{}s", self.limit_s));
        let mut process = Process::start(&self.name, &self.directory, &mut self.command);
        // Its screen says less than its trace.
        process.shown = false;
        if self.listens {
            until("SIPp to listen", seconds(5), || {
                assert!(process.exited().is_none(), "SIPp ended at once\n{}", process.output());
                let taken = match self.stream {
                    true => TcpListener::bind(("127.0.0.1", self.port)).is_err(),
                    false => UdpSocket::bind(("127.0.0.1", self.port)).is_err(),
                };
                taken.then_some(())
            });
        }
        Running { process, directory: self.directory, name: self.name, limit_s: self.limit_s }
    }

    /// Starts it and waits for its end: every message as the scenario expects.
    pub(crate) fn run(self) {
        self.start().finish();
    }
}

impl Running {
    /// Waits for its end; panics if any call went otherwise than the scenario says.
    pub(crate) fn finish(mut self) {
        let code = self.process.wait(Duration::from_secs(self.limit_s + 5));
        if code != 0 {
            panic!("{} ended with {code}\n{}", self.name, self.trace());
        }
    }

    pub(crate) fn ended(&mut self) -> bool {
        self.process.exited().is_some()
    }

    /// How many messages it read and wrote that start so.
    pub(crate) fn messages(&self, start: &str) -> usize {
        self.file("messages").lines().filter(|line| line.starts_with(start)).count()
    }

    fn file(&self, kind: &str) -> String {
        let path = self.directory.join(format!("{}.{kind}", self.name));
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }

    /// What it complained of, and the end of what it sent and received.
    fn trace(&self) -> String {
        let messages = self.file("messages");
        let lines: Vec<&str> = messages.lines().collect();
        let tail = lines[lines.len().saturating_sub(120)..].join("\n");
        format!("--- errors\n{}\n--- last messages\n{tail}", self.file("errors"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: {}", self.name, self.trace());
        }
    }
}
