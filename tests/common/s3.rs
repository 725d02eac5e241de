//! A real S3 server, and what is in it.

use std::path::Path;
use std::process::Command;

use super::child::Process;
use super::{seconds, until};

pub(crate) const BUCKET: &str = "calls";

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
