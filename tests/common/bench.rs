//! One gateway under test: its directory, its configuration, its process, its records and metrics.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use super::child::Process;
use super::ports::Ports;
use super::{seconds, until};

pub(crate) const HOTLINE_NUMBER: &str = "4008001234";
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_hotline");

/// A directory and ports of its own, and what the configuration written there will say.
pub(crate) struct Bench {
    pub(crate) ports: Ports,
    directory: tempfile::TempDir,
    pub(crate) sip: u16,
    pub(crate) metrics: u16,
    pub(crate) http: u16,
    /// Further lines of `[http]`.
    pub(crate) http_keys: String,
    /// Number and contact of each agent.
    agents: Vec<(String, String)>,
    /// Further addresses to listen on, as the configuration writes them.
    pub(crate) listen: Vec<String>,
    /// Further lines of `[sip]`.
    pub(crate) sip_keys: String,
    /// Number and password of each agent whose phone registers.
    registering: Vec<(String, String)>,
    /// The gateway's range of RTP ports.
    pub(crate) rtp: String,
    /// Further lines of `[rtp]`.
    pub(crate) rtp_keys: String,
    /// Lines of the dialplan's `[greeting]` table.
    pub(crate) greeting: String,
    /// Further lines of its `[agents]` table.
    pub(crate) ringing: String,
    /// The one place that writes the peers of the trunk.
    pub(crate) peers: String,
    /// Further lines of its `[[trunk]]` table.
    pub(crate) trunk: String,
    /// Appended to the configuration as it is.
    pub(crate) extra: String,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let ports = Ports::reserve();
        Bench {
            directory: tempfile::Builder::new().prefix("hotline-test-").tempdir().expect("a temporary directory"),
            sip: ports.one(),
            metrics: ports.one(),
            http: ports.one(),
            http_keys: String::new(),
            rtp: ports.rtp_range(),
            rtp_keys: String::new(),
            ports,
            agents: Vec::new(),
            listen: Vec::new(),
            sip_keys: String::new(),
            registering: Vec::new(),
            greeting: "text = \"您好,{org}客户服务中心{agent_no}号接待员为您服务\"".into(),
            ringing: "strategy = \"in_order\"".into(),
            peers: "\"127.0.0.1\"".into(),
            trunk: String::new(),
            extra: String::new(),
        }
    }

    /// An agent whose phone is at this port.
    pub(crate) fn agent_at(&mut self, number: &str, port: u16) {
        self.agent_with(number, format!("sip:{number}@127.0.0.1:{port}"));
    }

    /// An agent whose phone is at this TCP port.
    pub(crate) fn agent_over_tcp(&mut self, number: &str, port: u16) {
        self.agent_with(number, format!("sip:{number}@127.0.0.1:{port};transport=tcp"));
    }

    /// An agent with this contact.
    pub(crate) fn agent_with(&mut self, number: &str, contact: String) {
        self.agents.push((number.to_owned(), contact));
    }

    /// An agent whose phone registers with this password.
    pub(crate) fn agent_registers(&mut self, number: &str, password: &str) {
        self.registering.push((number.to_owned(), password.to_owned()));
    }

    /// An agent with a port of its own, which is returned.
    pub(crate) fn agent(&mut self, number: &str) -> u16 {
        let port = self.ports.one();
        self.agent_at(number, port);
        port
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn sip_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.sip))
    }

    /// Writes `hotline.toml` and the dialplan; returns the former's path.
    pub(crate) fn write(&self) -> PathBuf {
        let config = self.path().join("hotline.toml");
        let dialplans = self.path().join("dialplans");
        std::fs::create_dir_all(&dialplans).expect("the dialplans' directory");
        for (number, password) in &self.registering {
            let path = self.path().join(format!("{number}.secret"));
            std::fs::write(&path, format!("{password}\n")).expect("writing a password");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a password's mode");
        }
        std::fs::write(&config, self.config()).expect("writing the configuration");
        std::fs::write(dialplans.join("property.toml"), self.dialplan()).expect("writing the dialplan");
        config
    }

    fn config(&self) -> String {
        let listen: String = self.listen.iter().map(|address| format!(", \"{address}\"")).collect();
        let mut text = format!(
            "[data]\ndirectory = \"data\"\n\n[sip]\nlisten = [\"udp:127.0.0.1:{0}\", \"tcp:127.0.0.1:{0}\"{listen}]\n{5}\n[rtp]\nports = \"{1}\"\n{7}\n\n\
             [http]\nlisten = \"127.0.0.1:{2}\"\n{8}\n\n[metrics]\nlisten = \"127.0.0.1:{3}\"\n\n\
             [dialplans]\ndirectory = \"dialplans\"\n\n[[trunk]]\nname = \"carrier\"\npeers = [{4}]\n{6}\n",
            self.sip,
            self.rtp,
            self.http,
            self.metrics,
            self.peers,
            self.sip_keys,
            self.trunk,
            self.rtp_keys,
            self.http_keys
        );
        for (number, contact) in &self.agents {
            let _ = write!(
                text,
                "\n[[agent]]\nnumber = \"{number}\"\nname = \"Agent {number}\"\ncontact = \"{contact}\"\n"
            );
        }
        for (number, _) in &self.registering {
            let _ = write!(text, "\n[[agent]]\nnumber = \"{number}\"\npassword_file = \"{number}.secret\"\n");
        }
        text + &self.extra
    }

    fn dialplan(&self) -> String {
        let fixed = self.agents.iter().map(|(number, ..)| number);
        let numbers = fixed.chain(self.registering.iter().map(|(number, _)| number));
        let numbers: Vec<String> = numbers.map(|number| format!("\"{number}\"")).collect();
        format!(
            "[hotline]\nid = \"property\"\norg = \"物业\"\nnumbers = [\"{HOTLINE_NUMBER}\"]\n\n\
             [greeting]\n{}\n\n[agents]\nnumbers = [{}]\n{}\n",
            self.greeting,
            numbers.join(", "),
            self.ringing
        )
    }

    /// The gateway, started and ready.
    pub(crate) fn serve(self) -> Gateway {
        self.serve_as(Command::new(BINARY))
    }

    /// The same, by a command to which `serve --config FILE` is appended.
    pub(crate) fn serve_as(self, mut command: Command) -> Gateway {
        let config = self.write();
        let process = start(self.path(), "hotline", command.arg("serve").arg("--config").arg(&config));
        Gateway { process, config, bench: self }
    }
}

fn start(directory: &Path, name: &str, command: &mut Command) -> Process {
    let mut process = Process::start(name, directory, command);
    until("the gateway's line `ready`", seconds(15), || {
        let ended = process.exited();
        assert!(ended.is_none(), "the gateway ended with {ended:?}\n{}", process.output());
        process.printed().lines().any(|line| line == "ready").then_some(())
    });
    process
}

/// Runs the binary to its end.
pub(crate) fn hotline(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().expect("running the binary")
}

/// A running gateway. Killed by its id on drop; its output is shown when the test fails.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) config: PathBuf,
    pub(crate) bench: Bench,
}

impl Gateway {
    pub(crate) fn alive(&mut self) -> bool {
        self.process.exited().is_none()
    }

    /// Starts it again on the same directory, after it was killed.
    pub(crate) fn restart(&mut self) {
        assert!(!self.alive(), "it still runs");
        self.process = start(
            self.bench.path(),
            "hotline-again",
            Command::new(BINARY).arg("serve").arg("--config").arg(&self.config),
        );
    }

    /// Starts it again on the same directory, after it has ended, with a clock that is so much ahead; its monotonic one is as it is.
    pub(crate) fn restart_after(&mut self, later_s: i64) {
        assert!(!self.alive(), "it still runs");
        let libraries = std::fs::read_dir("/usr/lib").expect("a folder").flatten().map(|entry| entry.path());
        let library = libraries.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|path| path.exists());
        let mut command = Command::new(BINARY);
        command.env("LD_PRELOAD", library.expect("libfaketime; tests/run installs it"));
        command
            .env("FAKETIME", format!("+{later_s}"))
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        command.arg("serve").arg("--config").arg(&self.config);
        self.process = start(self.bench.path(), "hotline-later", &mut command);
    }

    /// The ended calls, newest first: `hotline calls --json`.
    pub(crate) fn calls(&self) -> Vec<Value> {
        self.list(&[])
    }

    /// The calls in progress.
    pub(crate) fn live(&self) -> Vec<Value> {
        self.list(&["--live"])
    }

    fn list(&self, more: &[&str]) -> Vec<Value> {
        let config = self.config.to_str().expect("a path in UTF-8");
        let output = hotline(&[&["calls", "--json", "--limit", "100000", "--config", config], more].concat());
        assert!(output.status.success(), "hotline calls: {output:?}");
        String::from_utf8(output.stdout)
            .expect("records in UTF-8")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
            .collect()
    }

    /// Waits until exactly `count` calls have ended. The contract gives a record 1 s after the end of its call; one
    /// more is for the command that reads it.
    pub(crate) fn records(&self, count: usize) -> Vec<Value> {
        let calls = until(&format!("{count} records"), seconds(2), || {
            let calls = self.calls();
            (calls.len() >= count).then_some(calls)
        });
        assert_eq!(calls.len(), count, "more records than calls: {calls:#?}");
        calls
    }

    /// The record of the only call there was.
    pub(crate) fn record(&self) -> Value {
        self.records(1).remove(0)
    }

    /// The only call's record once its recording is closed.
    pub(crate) fn sealed(&self) -> Value {
        until("the recording's end", seconds(5), || {
            let record = self.record();
            (record.text("recording.status") != "pending").then_some(record)
        })
    }

    /// The whole text of `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        http_get(self.bench.metrics, "/metrics").expect("GET /metrics")
    }

    /// The sum of all series of one metric.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        sum(&self.metrics(), name)
    }

    /// One scrape: calls offered are the calls ended and those in progress. Returns how many were offered.
    #[track_caller]
    pub(crate) fn balance(&self) -> i64 {
        let text = self.metrics();
        let offered = sum(&text, "hotline_calls_offered_total");
        let ended = sum(&text, "hotline_calls_total");
        let active = sum(&text, "hotline_calls_active");
        assert_eq!(offered, ended + active, "offered = outcomes + in progress, of\n{}", calls_lines(&text));
        offered
    }

    /// After the last of `count` calls: all are offered, ended and none is in progress.
    #[track_caller]
    pub(crate) fn settled(&self, count: i64) {
        assert_eq!(self.balance(), count, "calls offered");
        let text = self.metrics();
        assert_eq!(sum(&text, "hotline_calls_active"), 0, "calls in progress, of\n{}", calls_lines(&text));
    }

    /// The one series `hotline_calls_total` of an outcome.
    pub(crate) fn outcomes(&self, outcome: &str) -> i64 {
        let label = format!("outcome=\"{outcome}\"");
        let text = self.metrics();
        series(&text, "hotline_calls_total").filter(|(labels, _)| labels.contains(&label)).map(|(_, n)| n).sum()
    }

    /// The recording's file of a record.
    pub(crate) fn recording(&self, record: &Value) -> PathBuf {
        self.bench.data().join(record.text("recording.path"))
    }

    /// Sends one datagram from a port of its own and returns the first line of what comes back within `wait`.
    pub(crate) fn ask(&self, datagram: &[u8], wait: Duration) -> Option<String> {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(wait)).expect("a timeout");
        socket.send_to(datagram, self.bench.sip_address()).expect("sending");
        let mut buffer = [0; 65_536];
        let (length, _) = socket.recv_from(&mut buffer).ok()?;
        String::from_utf8_lossy(&buffer[..length]).lines().next().map(str::to_owned)
    }
}

fn calls_lines(metrics: &str) -> String {
    metrics.lines().filter(|line| line.starts_with("hotline_calls_")).collect::<Vec<_>>().join("\n")
}

/// The series of a metric in the text format: labels and value.
pub(crate) fn series<'a>(metrics: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, i64)> {
    metrics.lines().filter_map(move |line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = rest.rsplit_once(' ')?;
        if !(labels.is_empty() || labels.starts_with('{')) {
            return None;
        }
        value.parse::<f64>().ok().map(|value| (labels, value as i64))
    })
}

fn sum(metrics: &str, name: &str) -> i64 {
    let mut found = series(metrics, name).peekable();
    assert!(found.peek().is_some(), "no metric {name} in\n{metrics}");
    found.map(|(_, value)| value).sum()
}

/// The body of a 200; `None` if nobody listens.
pub(crate) fn http_get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(seconds(5))).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").expect("asking");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
    assert!(head.starts_with("HTTP/1.1 200"), "GET {path}: {head}");
    Some(body.to_owned())
}

/// Fields of a record by their path: `record.text("recording.status")`.
pub(crate) trait RecordExt {
    fn at_path(&self, path: &str) -> &Value;
    fn text(&self, path: &str) -> &str;
    fn number(&self, path: &str) -> i64;
    fn flag(&self, path: &str) -> bool;
    /// An RFC 3339 instant in UTC as microseconds since 1970.
    fn instant_us(&self, path: &str) -> i64;
}

impl RecordExt for Value {
    #[track_caller]
    fn at_path(&self, path: &str) -> &Value {
        let pointer = format!("/{}", path.replace('.', "/"));
        self.pointer(&pointer).unwrap_or_else(|| panic!("no {path} in {self:#}"))
    }

    #[track_caller]
    fn text(&self, path: &str) -> &str {
        self.at_path(path).as_str().unwrap_or_else(|| panic!("{path} is no text in {self:#}"))
    }

    #[track_caller]
    fn number(&self, path: &str) -> i64 {
        self.at_path(path).as_i64().unwrap_or_else(|| panic!("{path} is no whole number in {self:#}"))
    }

    #[track_caller]
    fn flag(&self, path: &str) -> bool {
        self.at_path(path).as_bool().unwrap_or_else(|| panic!("{path} is neither true nor false in {self:#}"))
    }

    #[track_caller]
    fn instant_us(&self, path: &str) -> i64 {
        let text = self.text(path);
        assert!(text.ends_with('Z'), "{path} = {text} is not UTC");
        text.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{path}: {error}")).as_microsecond()
    }
}
