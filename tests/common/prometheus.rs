//! Debian's Prometheus beside a gateway: it scrapes, is asked by its HTTP API, and is killed on drop.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::child::Process;
use super::{seconds, until};

pub(crate) struct Prometheus {
    process: Process,
    port: u16,
}

impl Prometheus {
    /// Scrapes the gateway's `metrics` port each second, with the repository's rules.
    pub(crate) fn beside(directory: &Path, port: u16, metrics: u16) -> Prometheus {
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/rules.yml");
        let config = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: [\"{rules}\"]\n\
             scrape_configs:\n  - job_name: hotline\n    static_configs:\n      - targets: [\"127.0.0.1:{metrics}\"]\n"
        );
        let file = directory.join("prometheus.yml");
        std::fs::write(&file, config).expect("writing Prometheus' configuration");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("prometheus").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--enable-feature=exemplar-storage");
        let mut process = Process::start("prometheus", directory, &mut command);
        until("Prometheus to be ready", seconds(20), || {
            assert!(process.exited().is_none(), "Prometheus ended\n{}", process.output());
            get(port, "/-/ready").filter(|(head, _)| head.contains(" 200 ")).map(drop)
        });
        process.shown = false;
        Prometheus { process, port }
    }

    /// The series of an instant query, each with its labels and value; panics with Prometheus' own words if the query is wrong.
    pub(crate) fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let data = self.ask("query", &[("query", query)]);
        let of = |series: &Value| {
            let text = series["value"][1].as_str().expect("a value");
            (series["metric"].clone(), text.parse().expect("a number"))
        };
        match data["resultType"].as_str() {
            Some("vector") => data["result"].as_array().expect("series").iter().map(of).collect(),
            _ => panic!("{query}: {data}"),
        }
    }

    /// The one value of a query.
    #[track_caller]
    pub(crate) fn number(&self, query: &str) -> f64 {
        let found = self.query(query);
        assert_eq!(found.len(), 1, "{query}: {found:?}");
        found[0].1
    }

    /// All samples of a range query, by the step of a second, over the last `seconds`.
    pub(crate) fn range(&self, query: &str, seconds: u64) -> Value {
        let end = super::wall_us() as f64 / 1e6;
        let (start, end) = ((end - seconds as f64).to_string(), end.to_string());
        self.ask("query_range", &[("query", query), ("start", &start), ("end", &end), ("step", "1")])
    }

    /// The ids of calls that were kept as exemplars of a metric.
    pub(crate) fn exemplars(&self, metric: &str) -> Vec<String> {
        let end = super::wall_us() as f64 / 1e6 + 1.0;
        let (start, end) = ((end - 600.0).to_string(), end.to_string());
        let data = self.ask("query_exemplars", &[("query", metric), ("start", &start), ("end", &end)]);
        let of = |series: &Value| series["exemplars"].as_array().cloned().unwrap_or_default();
        let all = data.as_array().expect("series").iter().flat_map(of);
        all.map(|one| one["labels"]["call_id"].as_str().expect("a call's id").to_owned()).collect()
    }

    /// What its API says at this path, without parameters.
    pub(crate) fn api(&self, path: &str) -> Value {
        self.ask(path, &[])
    }

    fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Value {
        let encoded: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let path = format!("/api/v1/{what}?{}", encoded.join("&"));
        let (head, body) = get(self.port, &path).unwrap_or_else(|| panic!("no answer\n{}", self.process.output()));
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} in {head}\n{body}"));
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
        answer["data"].clone()
    }
}

/// Head and body of the answer. HTTP 1.0 keeps it in one piece.
fn get(port: u16, path: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(seconds(20))).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

/// Percent-encoding (RFC 3986 section 2.1).
fn encoded(text: &str) -> String {
    let one = |octet: u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(octet).to_string(),
        _ => format!("%{octet:02X}"),
    };
    text.bytes().map(one).collect()
}
