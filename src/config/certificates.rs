//! The keys of `[sip]` that TLS needs, and what must be there for it.

use std::path::{Path, PathBuf};

use super::{Listen, Transport, path};
use crate::clock::Wall;
use crate::fault::Fault;
use crate::io::tls::{self, ClientAuthorities, Files, Problem, Role};
use crate::protocol::sip::uri::Uri;
use crate::written::{At, Table};

/// The files of TLS as named.
pub(super) fn files(sip: &mut Table<'_>, base: &Path, listen: &[Listen]) -> Option<Written> {
    let mut file = |key| path(sip, key).map(|written| At::new(base.join(&written.value), written.line));
    let (certificate, key) = (file("tls_certificate"), file("tls_key"));
    let (authorities, clients) = (file("tls_ca"), file("tls_client_ca"));
    let required = required(sip, clients.is_some());
    let line = sip.line_of("listen").unwrap_or(1);
    if let Some(tls) = listen.iter().find(|listen| listen.transport == Transport::Tls)
        && certificate.is_none()
        && key.is_none()
    {
        let hint = "add tls_certificate = \"…\" and tls_key = \"…\", files in PEM";
        sip.fault(line, format!("sip.listen \"{tls}\" has no certificate"), hint);
    }
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => {
            for lonely in [&authorities, &clients].into_iter().flatten() {
                let hint = "add tls_certificate and tls_key, or remove it";
                sip.fault(lonely.line, "certificates of others, but none of our own", hint);
            }
            return None;
        }
        (Some(lonely), None) => {
            sip.fault(lonely.line, "sip.tls_certificate without its key", "add tls_key = \"…\"");
            return None;
        }
        (None, Some(lonely)) => {
            sip.fault(lonely.line, "sip.tls_key without its certificate", "add tls_certificate = \"…\"");
            return None;
        }
    };
    let value = |file: &Option<At<PathBuf>>| file.as_ref().map(|at| at.value.clone());
    let files = Files {
        certificate: certificate.value,
        key: key.value,
        authorities: value(&authorities),
        clients: value(&clients).map(|file| ClientAuthorities { file, required }),
    };
    let line = |at: Option<At<PathBuf>>| at.map_or(1, |at| at.line);
    let lines = [certificate.line, key.line, line(authorities), line(clients)];
    Some(Written { files, lines })
}

/// The files, and the lines that name them.
pub(super) struct Written {
    pub(super) files: Files,
    /// Of certificate, key, authorities, authorities of clients.
    lines: [u32; 4],
}

impl Written {
    /// What is wrong with the files themselves. Only who is going to use them asks.
    pub(super) fn faults(&self, file: &str, now: Wall) -> Vec<Fault> {
        let fault = |problem: Problem| {
            let (line, key) = match problem.role {
                Role::Certificate => (self.lines[0], "tls_certificate"),
                Role::Key => (self.lines[1], "tls_key"),
                Role::Authorities => (self.lines[2], "tls_ca"),
                Role::ClientAuthorities => (self.lines[3], "tls_client_ca"),
            };
            Fault::new(file, line, format!("sip.{key}: {}", problem.what), problem.hint)
        };
        tls::check(&self.files, now).into_iter().map(fault).collect()
    }
}

/// Whether a peer must have a certificate: so it is wherever authorities of clients are named, unless the file says otherwise.
fn required(sip: &mut Table<'_>, named: bool) -> bool {
    let Some(written) = sip.string("tls_client_auth") else { return true };
    if !named {
        let hint = "add tls_client_ca = \"…\", or remove it";
        sip.fault(written.line, "sip.tls_client_auth without authorities to judge by", hint);
    }
    match written.value.as_str() {
        "required" => true,
        "optional" => false,
        other => {
            let what = format!("sip.tls_client_auth \"{other}\" is neither of its two words");
            sip.fault(written.line, what, "write \"required\" or \"optional\"");
            true
        }
    }
}

/// What keeps a contact from being called by TLS.
pub(super) fn contact_fault(uri: &str, listen: &[Listen]) -> Option<(&'static str, &'static str)> {
    let uri = Uri::parse(uri)?;
    if uri.is_secure() && uri.param("transport").flatten().is_some_and(|word| word.eq_ignore_ascii_case("udp")) {
        return Some(("is sips, which is TLS, over UDP", "remove transport=udp, or use sip:"));
    }
    let tls = Transport::asked_by(&uri) == Some(Transport::Tls);
    let has = listen.iter().any(|listen| listen.transport == Transport::Tls);
    (tls && !has)
        .then_some(("needs TLS, and sip.listen has no tls: address", "add \"tls:…:5061\" to sip.listen, or use sip:"))
}
