//! Passwords of agents whose phones register: read from files of their own, kept as hashes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{AgentSettings, path};
use crate::dialplan::plan::Plans;
use crate::fault::{self, did_you_mean};
use crate::gateway::Supervisor;
use crate::ids::HotlineId;
use crate::peer::token::Token;
use crate::protocol::sip::digest::{Algorithm, Ha1, Secrets};
use crate::written::{At, Table};

/// Nobody types a longer password, and a wrong path must not read a recording.
const LONGEST: u64 = 1_024;

/// 64 bits, if each letter is worth four.
const SHORTEST_TOKEN: usize = 16;

/// What the hash of a password is made of beside it.
pub(super) struct Account<'a> {
    pub(super) base: &'a Path,
    pub(super) realm: &'a str,
    /// The user name; `None` if it is no number, which has been said.
    pub(super) number: Option<&'a str>,
}

/// `[sip] realm`.
pub(super) fn realm(sip: &mut Table<'_>) -> String {
    let Some(written) = sip.string("realm") else { return "hotline".to_owned() };
    let plain = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    if written.value.is_empty() || written.value.len() > 128 || !written.value.chars().all(plain) {
        let what = format!("sip.realm {:?} cannot be a realm", written.value);
        sip.fault(written.line, what, "write 1 to 128 letters, digits, dots or spaces");
    }
    written.value
}

/// `[sip] digest`.
pub(super) fn digest(sip: &mut Table<'_>) -> Vec<Algorithm> {
    let Some(written) = sip.strings("digest") else { return Algorithm::ALL.to_vec() };
    let named = |name: &str| Algorithm::ALL.into_iter().find(|a| a.as_str().eq_ignore_ascii_case(name));
    let hint = "write digest = [\"SHA-256\", \"MD5\"] or one of the two";
    for unknown in written.value.iter().filter(|at| named(&at.value).is_none()) {
        sip.fault(unknown.line, format!("sip.digest \"{}\" is no algorithm for phones", unknown.value), hint);
    }
    if written.value.is_empty() {
        sip.fault(written.line, "sip.digest is empty", hint);
    }
    written.value.iter().filter_map(|at| named(&at.value)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// `[http] token_file`.
pub(super) fn token(http: &mut Table<'_>, base: &Path) -> Option<Token> {
    let written = path(http, "token_file")?;
    let token = read(&base.join(&written.value)).and_then(|text| {
        let token = text.trim_end_matches(['\n', '\r']);
        let long = token.chars().count() >= SHORTEST_TOKEN && token.chars().all(|c| c.is_ascii_graphic());
        long.then(|| Token::new(token)).ok_or_else(|| {
            let what = format!("is not one line of {SHORTEST_TOKEN} or more letters and digits");
            (what, "write one with: openssl rand -hex 32".to_owned())
        })
    });
    token.map_err(|(what, hint)| http.fault(written.line, format!("http.token_file {what}"), hint)).ok()
}

/// `[[agent]] supervisor_pin_file`, and `supervises`: the hotlines in whose calls the PIN is good; all of them if it is left out.
/// With them as they are written.
pub(super) fn supervisor(agent: &mut Table<'_>, base: &Path) -> (Option<Supervisor>, Vec<At<String>>) {
    let pin = pin(agent, "supervisor_pin_file", base);
    let has_pin = agent.line_of("supervisor_pin_file").is_some();
    let supervises = agent.strings("supervises");
    if let Some(written) = supervises.as_ref().filter(|_| !has_pin) {
        let what = "agent.supervises stands without supervisor_pin_file";
        agent.fault(written.line, what, "add supervisor_pin_file = \"…\": without a PIN nobody is a supervisor");
    }
    let written = supervises.as_ref().map_or_else(Vec::new, |at| at.value.clone());
    let hotlines = supervises.map(|at| at.value.iter().map(|id| HotlineId::from(id.value.as_str())).collect());
    (pin.map(|pin| Supervisor { pin, hotlines }), written)
}

/// A PIN that is good in calls of a hotline that is none would be good nowhere, and nobody would know why.
pub(super) fn unknown_hotlines(shown: &str, agents: &[AgentSettings], plans: &Plans) -> Vec<fault::Fault> {
    let ids: Vec<&str> = plans.hotlines.iter().map(|hotline| hotline.id.as_str()).collect();
    let unknown = agents.iter().flat_map(|agent| &agent.supervises).filter(|id| !ids.contains(&id.value.as_str()));
    let fault = |id: &At<String>| {
        let what = format!("agent.supervises: no dialplan has the id \"{}\"", id.value);
        fault::Fault::new(shown, id.line, what, did_you_mean(&id.value, &ids))
    };
    unknown.map(fault).collect()
}

/// A key of `[[agent]]` that names a file with a PIN: one line of four to twelve digits.
pub(super) fn pin(agent: &mut Table<'_>, key: &'static str, base: &Path) -> Option<Token> {
    let written = path(agent, key)?;
    let pin = read(&base.join(&written.value)).and_then(|text| {
        let pin = text.trim_end_matches(['\n', '\r']);
        let right = (4..=12).contains(&pin.len()) && pin.bytes().all(|b| b.is_ascii_digit());
        right.then(|| Token::new(pin)).ok_or_else(|| {
            let what = "is not one line of four to twelve digits".to_owned();
            (what, "write the PIN alone into it: it is dialled on a phone".to_owned())
        })
    });
    pin.map_err(|(what, hint)| agent.fault(written.line, format!("{} {what}", agent.path(key)), hint)).ok()
}

impl Account<'_> {
    /// From `password_file` or `ha1_file`; without a contact one of them must be there.
    pub(super) fn secrets(&self, section: &mut Table<'_>, has_contact: bool) -> Option<Secrets> {
        let (password, ha1) = (path(section, "password_file"), path(section, "ha1_file"));
        let (key, written) = match (password, ha1) {
            (Some(_), Some(ha1)) => {
                let what = "agent.ha1_file stands beside password_file";
                section.fault(ha1.line, what, "keep one of the two");
                return None;
            }
            (Some(password), None) => ("password_file", password),
            (None, Some(ha1)) => ("ha1_file", ha1),
            (None, None) => {
                let named = section.line_of("password_file").or_else(|| section.line_of("ha1_file")).is_some();
                if let Some(number) = self.number.filter(|_| !has_contact && !named) {
                    let what = format!("agent {number} has no contact and no password: no phone can be rung");
                    let hint = "add password_file = \"…\" for a phone that registers, or contact = \"sip:…\"";
                    section.fault(section.line(), what, hint);
                }
                return None;
            }
        };
        let file = self.base.join(&written.value);
        let read = read(&file).and_then(|text| match key {
            "password_file" => self.of_password(&text),
            _ => of_hashes(&text),
        });
        let fault = |(what, hint): (String, String)| section.fault(written.line, format!("agent.{key} {what}"), hint);
        read.map_err(fault).ok().flatten()
    }

    fn of_password(&self, text: &str) -> Result<Option<Secrets>, Fault> {
        let password = text.strip_suffix('\n').unwrap_or(text);
        let password = password.strip_suffix('\r').unwrap_or(password);
        if password.is_empty() || password.contains(char::is_control) {
            return Err(("is not a file with one line".to_owned(), "write the password alone into it".to_owned()));
        }
        Ok(self.number.map(|number| Secrets::of_password(number, self.realm, password)))
    }
}

/// One challenge goes out to all, so there must be a hash that every agent has.
pub(super) fn check_common(root: &mut Table<'_>, digest: &[Algorithm], agents: &[AgentSettings]) {
    let all: Vec<&Secrets> = agents.iter().filter_map(|agent| agent.secrets.as_ref()).collect();
    let have = |algorithm: Algorithm| all.iter().all(|secrets| secrets.get(algorithm).is_some());
    if !all.is_empty() && !digest.is_empty() && !digest.iter().copied().any(have) {
        let line = root.line_of("agent").unwrap_or(1);
        let hint = "write both lines into every file, and offer both in sip.digest";
        root.fault(line, "no algorithm of sip.digest has a hash in every agent.ha1_file: no challenge fits all", hint);
    }
}

/// What is wrong, and the hint.
pub(super) type Fault = (String, String);

/// Lines of hex digits: 32 are MD5, 64 are SHA-256; each algorithm at most once. Blank lines and `#` are passed over.
fn of_hashes(text: &str) -> Result<Option<Secrets>, Fault> {
    let fault = |what: String| {
        let hint = "write H(number:realm:password) in hex: a line of 32 digits (MD5), one of 64 (SHA-256), or both";
        Err((what, hint.to_owned()))
    };
    let mut found: Vec<Ha1> = Vec::new();
    for (n, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
        if line.starts_with('#') {
            continue;
        }
        match Algorithm::ALL.into_iter().find_map(|algorithm| Ha1::parse(algorithm, line)) {
            Some(ha1) if found.iter().all(|other| other.algorithm() != ha1.algorithm()) => found.push(ha1),
            Some(ha1) => return fault(format!("has two hashes by {}", ha1.algorithm().as_str())),
            None => return fault(format!("has no hash in its line {}", n + 1)),
        }
    }
    if found.is_empty() { fault("has no hash".to_owned()) } else { Ok(Some(found.into_iter().collect())) }
}

pub(super) fn read(file: &PathBuf) -> Result<String, Fault> {
    let unreadable = |error: std::io::Error| {
        let what = format!("{}: {error}", file.display());
        (what, "name a file that exists and can be read".to_owned())
    };
    let open = File::open(file).map_err(unreadable)?;
    let mode = open.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        let what = format!("{} may be read by others (mode {:04o})", file.display(), mode & 0o7777);
        return Err((what, format!("chmod 600 {}", file.display())));
    }
    let mut text = String::new();
    open.take(LONGEST).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}
