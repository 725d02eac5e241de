//! A real S3 server, and what is in it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::bench::Bench;
use super::child::Process;
use super::{seconds, until};

pub(crate) const BUCKET: &str = "calls";

/// Sections of a configuration by which recordings go to a server on this port.
pub(crate) fn objects(bench: &Bench, port: u16, keep_local_days: u32) -> String {
    let file = bench.path().join("s3.secret");
    std::fs::write(&file, "the-key-of-the-test\nthe-secret-of-the-test\n").expect("writing a secret");
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("its mode");
    format!(
        "\n[recordings.objects]\nendpoint = \"http://127.0.0.1:{port}\"\nbucket = \"{BUCKET}\"\nprefix = \"hotline\"\n\
         credentials_file = \"s3.secret\"\nkeep_local_days = {keep_local_days}\n"
    )
}

/// Ends with this value; what it held is gone with it.
pub(crate) struct S3 {
    port: u16,
    _process: Process,
}

impl S3 {
    /// With an empty bucket, listening on this port.
    pub(crate) fn start(directory: &Path, port: u16) -> S3 {
        let mut command = Command::new("moto_server");
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let server = S3 { port, _process: Process::start("s3", directory, &mut command) };
        until("the S3 server and its bucket", seconds(60), || server.curl(&["-f", "-X", "PUT"], "").map(|_| ()));
        server
    }

    /// This file is the object of that name from now on.
    pub(crate) fn put(&self, key: &str, file: &Path) {
        self.overwrite(key, &format!("@{}", file.display()));
    }

    /// What the server itself takes for the beginning of that object, the best of a few tries.
    pub(crate) fn takes_ms(&self, key: &str) -> f64 {
        let how = ["-f", "-r", "0-65535", "-o", "/dev/null", "-w", "%{time_total}"];
        let one = || self.curl(&how, &format!("/{key}")).and_then(|s| s.parse::<f64>().ok()).expect("an answer");
        (0..3).map(|_| one() * 1_000.0).fold(f64::INFINITY, f64::min)
    }

    /// Names of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        let listing = self.curl(&["-f"], "?list-type=2").expect("a listing");
        let names = listing.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    /// Whatever is there by that name is now this.
    pub(crate) fn overwrite(&self, key: &str, octets: &str) {
        let put = self.curl(&["-f", "-X", "PUT", "-H", "Content-Type:", "--data-binary", octets], &format!("/{key}"));
        put.expect("an object is overwritten");
    }

    fn curl(&self, how: &[&str], what: &str) -> Option<String> {
        let url = format!("http://127.0.0.1:{}/{BUCKET}{what}", self.port);
        let signed = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "somebody:anything"];
        let output =
            Command::new("curl").args(["-s", "-m", "5"]).args(signed).args(how).arg(url).output().expect("curl");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
