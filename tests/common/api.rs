//! The HTTP API with its token, asked by curl.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use super::{Bench, Gateway};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The gateway that this bench serves has the API.
pub(crate) fn open(bench: &mut Bench) {
    let token = bench.path().join("api.token");
    std::fs::write(&token, format!("{TOKEN}\n")).expect("writing the token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    bench.http_keys = "token_file = \"api.token\"".into();
}

/// Status and body of a request by curl.
pub(crate) fn curl(gateway: &Gateway, token: &str, arguments: &[&str], path: &str) -> (u16, Value) {
    let url = format!("http://127.0.0.1:{}{path}", gateway.bench.http);
    let mut command = Command::new("curl");
    command.args(["-s", "-m", "5", "-w", "\n%{http_code}", "-H", &format!("Authorization: Bearer {token}")]);
    let output = command.args(arguments).arg(url).output().expect("curl");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (body, status) = text.rsplit_once('\n').expect("body and status");
    (status.parse().expect("a status"), serde_json::from_str(body).expect("JSON"))
}

pub(crate) fn get(gateway: &Gateway, path: &str) -> Value {
    let (status, body) = curl(gateway, TOKEN, &[], path);
    assert_eq!(status, 200, "{body}");
    body
}

pub(crate) fn post(gateway: &Gateway, path: &str, body: &str) -> (u16, Value) {
    curl(gateway, TOKEN, &["-X", "POST", "-d", body], path)
}
