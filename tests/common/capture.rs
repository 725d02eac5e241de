//! The wire as a capture saw it: `dumpcap` on the loopback, read by `tshark`. Nothing of the gateway is used.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use super::child::Process;
use super::{Bench, seconds, until};

pub(crate) struct Capture {
    process: Process,
    file: PathBuf,
    sip: u16,
    probe: u16,
}

/// What one call looked like on the wire, in seconds since 1970.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) invite: Option<f64>,
    pub(crate) first_180: Option<f64>,
    /// The agent's 200 to the gateway's INVITE.
    pub(crate) agent_200: Option<f64>,
    /// The 200 that the caller got.
    pub(crate) caller_200: Option<f64>,
    /// The first BYE of either side, CANCEL of the caller or final error to the caller.
    pub(crate) end: Option<f64>,
}

impl Capture {
    /// Captures what goes to and from the gateway's SIP port; returns once packets are being written.
    pub(crate) fn start(bench: &Bench) -> Capture {
        let probe = bench.ports.one();
        Capture::with(bench, probe, &format!("udp port {} or udp port {probe}", bench.sip))
    }

    /// Captures the gateway's RTP as well; [`Capture::finish_file`] ends it.
    pub(crate) fn of_everything(bench: &Bench) -> Capture {
        let probe = bench.ports.one();
        let filter = format!("udp port {} or udp portrange {} or udp port {probe}", bench.sip, bench.rtp);
        Capture::with(bench, probe, &filter)
    }

    /// Captures everything that passes the loopback, whatever address it is for; [`Capture::finish_file`] ends it.
    pub(crate) fn of_all_addresses(bench: &Bench) -> Capture {
        Capture::with(bench, bench.ports.one(), "")
    }

    fn with(bench: &Bench, probe: u16, filter: &str) -> Capture {
        let file = bench.path().join("wire.pcapng");
        let process = Process::start(
            "dumpcap",
            bench.path(),
            Command::new("dumpcap").args(["-q", "-i", "lo", "-f", filter, "-w"]).arg(&file),
        );
        let capture = Capture { process, file, sip: bench.sip, probe };
        capture.flush("the-capture-has-begun");
        capture
    }

    /// Sends marked packets past the capture until one is in the file: all before it is there too.
    fn flush(&self, mark: &str) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        until("the capture to write", seconds(10), || {
            let _ = socket.send_to(mark.as_bytes(), ("127.0.0.1", self.probe));
            let written = std::fs::read(&self.file).unwrap_or_default();
            written.windows(mark.len()).any(|bytes| bytes == mark.as_bytes()).then_some(())
        });
    }

    /// Ends the capture; every SIP message in the order of the wire.
    pub(crate) fn messages(mut self) -> Vec<Passed> {
        self.end();
        let read = |line: &str| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [time, source, method, status, cseq, ..] = fields[..] else { panic!("tshark's line: {line}") };
            let title = if method.is_empty() { format!("{status} {cseq}") } else { method.to_owned() };
            Passed { at_s: time.parse().expect("a time"), sent: source.parse() == Ok(self.sip), title }
        };
        fields(&self.file, self.sip).lines().map(read).collect()
    }

    /// Ends the capture; the calls by the caller's number.
    pub(crate) fn finish(mut self) -> BTreeMap<String, Seen> {
        self.end();
        read(&self.file, self.sip)
    }

    fn end(&mut self) {
        self.flush("the-capture-may-end");
        self.process.signal(Signal::SIGINT);
        self.process.wait(seconds(10));
    }

    /// Ends the capture; its file.
    pub(crate) fn finish_file(mut self) -> PathBuf {
        self.end();
        self.file.clone()
    }
}

/// A message on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    /// Seconds since 1970.
    pub(crate) at_s: f64,
    /// By the gateway.
    pub(crate) sent: bool,
    /// `INVITE`, `200 INVITE`.
    pub(crate) title: String,
}

const FIELDS: [&str; 7] = [
    "frame.time_epoch",
    "udp.srcport",
    "sip.Method",
    "sip.Status-Code",
    "sip.CSeq.method",
    "sip.Call-ID",
    "sip.from.user",
];

/// tshark's lines of [`FIELDS`].
fn fields(file: &Path, sip: u16) -> String {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-d", &format!("udp.port=={sip},sip"), "-Y", "sip", "-T", "fields"]);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark runs; tests/run installs what is missing");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.is_empty(), "tshark read nothing: {}", String::from_utf8_lossy(&output.stderr));
    text
}

fn read(file: &Path, sip: u16) -> BTreeMap<String, Seen> {
    let text = fields(file, sip);
    let mut legs = BTreeMap::new();
    let mut calls = BTreeMap::new();
    for line in text.lines() {
        note(line, sip, &mut legs, &mut calls);
    }
    calls
}

/// The leg of a Call-ID: the caller's number, and whether the gateway opened it (then it is the agent's).
type Legs = BTreeMap<String, (String, bool)>;

fn note(line: &str, sip: u16, legs: &mut Legs, calls: &mut BTreeMap<String, Seen>) {
    let fields: Vec<&str> = line.split('\t').collect();
    let [time, source, method, status, cseq, call_id, from] = fields[..] else { panic!("tshark's line: {line}") };
    let time: f64 = time.parse().expect("a time");
    let sent = source.parse() == Ok(sip);
    if method == "INVITE" {
        legs.entry(call_id.to_owned()).or_insert_with(|| (from.to_owned(), sent));
    }
    let Some((caller, agent_leg)) = legs.get(call_id).cloned() else { return };
    let seen = calls.entry(caller).or_default();
    let slot = match (method, status, cseq, agent_leg, sent) {
        ("INVITE", _, _, false, false) => &mut seen.invite,
        ("", "180", "INVITE", false, true) => &mut seen.first_180,
        ("", "200", "INVITE", true, false) => &mut seen.agent_200,
        ("", "200", "INVITE", false, true) => &mut seen.caller_200,
        ("BYE", ..) | ("CANCEL", _, _, false, false) => &mut seen.end,
        ("", status, "INVITE", false, true) if status >= "300" => &mut seen.end,
        _ => return,
    };
    slot.get_or_insert(time);
}
