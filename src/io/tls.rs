//! TLS (RFC 3261 section 26.3): certificates from files, and what is made of them for both ends of a handshake.
//!
//! The files are read whole and judged before anything is used, at the start and at every reload; a reload that finds a fault
//! changes nothing. New handshakes take what is current, live connections keep what they began with.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::clock::RunClock;
use super::x509;
use crate::clock::Wall;

/// A certificate that ends so soon should be renewed by now.
const ENDS_SOON: Duration = Duration::from_secs(14 * 86_400);

/// The files of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Ours, followed by those that lead to its authority. PEM, like all others.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Authorities of those whom we call; `None`: the system's.
    pub authorities: Option<PathBuf>,
    pub clients: Option<ClientAuthorities>,
}

/// Mutual TLS: who may connect to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuthorities {
    pub file: PathBuf,
    /// Whether a peer without a certificate is turned away; a wrong one always is.
    pub required: bool,
}

/// Which file a problem is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Certificate,
    Key,
    Authorities,
    ClientAuthorities,
}

/// Why the files cannot be used. The operator is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub role: Role,
    pub what: String,
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.hint)
    }
}

/// What a handshake needs.
struct Material {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// The certificates of a running gateway.
pub struct Tls {
    files: Files,
    clock: RunClock,
    current: RwLock<Arc<Material>>,
    /// Of the files when they were last read, in time and length.
    seen: Mutex<Vec<Option<(SystemTime, u64)>>>,
}

/// Every fault of the files, as `hotline check` shows them.
pub fn check(files: &Files, now: Wall) -> Vec<Problem> {
    read(files, now).err().unwrap_or_default()
}

impl Tls {
    pub fn open(files: Files, clock: RunClock) -> Result<Tls, Vec<Problem>> {
        let seen = Mutex::new(files.stamps());
        let current = RwLock::new(Arc::new(read(&files, clock.now().wall)?));
        Ok(Tls { files, clock, current, seen })
    }

    /// Reads the files again. With a fault everything stays as it was.
    pub fn reload(&self) -> Result<(), Vec<Problem>> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = self.files.stamps();
        let fresh = Arc::new(read(&self.files, self.clock.now().wall)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        tracing::info!(certificate = %self.files.certificate.display(), "certificates read anew");
        Ok(())
    }

    /// [`Tls::reload`] if a file has changed since it was last read.
    pub fn reload_if_changed(&self) {
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) == self.files.stamps() {
            return;
        }
        for problem in self.reload().err().unwrap_or_default() {
            tracing::warn!(%problem, "the changed certificates cannot be used; the old ones stay");
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.material().server))
    }

    pub(super) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.material().client))
    }

    fn material(&self) -> Arc<Material> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// The name that the certificate of a peer must have: the one that it is configured by (RFC 5922 section 7.1), else its
/// address (RFC 6125).
pub(super) fn name_of(address: IpAddr, configured: Option<&str>) -> ServerName<'static> {
    let named = configured.and_then(|name| ServerName::try_from(name.to_owned()).ok());
    named.unwrap_or_else(|| ServerName::IpAddress(address.to_canonical().into()))
}

impl Files {
    fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let clients = self.clients.as_ref().map(|clients| &clients.file);
        let all = [Some(&self.certificate), Some(&self.key), self.authorities.as_ref(), clients];
        let stamp = |path: &PathBuf| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        all.into_iter().flatten().map(stamp).collect()
    }
}

fn read(files: &Files, now: Wall) -> Result<Material, Vec<Problem>> {
    let own = own(files, now);
    let authorities = match &files.authorities {
        Some(path) => roots(Role::Authorities, path),
        None => Ok(system_roots()),
    };
    let clients = files.clients.as_ref().map(|clients| Ok((roots(Role::ClientAuthorities, &clients.file)?, clients)));
    match (own, authorities, clients.transpose()) {
        (Ok(own), Ok(authorities), Ok(clients)) => material(own, authorities, clients).map_err(|problem| vec![problem]),
        (own, authorities, clients) => {
            let (own, others) = (own.err().unwrap_or_default(), [authorities.err(), clients.err()]);
            Err(own.into_iter().chain(others.into_iter().flatten()).collect())
        }
    }
}

fn material(
    own: CertifiedKey,
    authorities: RootCertStore,
    clients: Option<(RootCertStore, &ClientAuthorities)>,
) -> Result<Material, Problem> {
    let provider = provider();
    let own = Arc::new(SingleCertAndKey::from(own));
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(Role::Certificate, &e))?;
    let server = match clients {
        None => server.with_no_client_auth(),
        Some((roots, clients)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            let verifier = if clients.required { verifier } else { verifier.allow_unauthenticated() };
            server.with_client_cert_verifier(verifier.build().map_err(|e| unusable(Role::ClientAuthorities, &e))?)
        }
    };
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(Role::Certificate, &e))?
        .with_root_certificates(authorities)
        // A peer that asks who we are is told.
        .with_client_cert_resolver(Arc::clone(&own) as _);
    Ok(Material { server: Arc::new(server.with_cert_resolver(own)), client: Arc::new(client) })
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Our certificate and its key, or all that is wrong with them.
fn own(files: &Files, now: Wall) -> Result<CertifiedKey, Vec<Problem>> {
    let chain = certificates(Role::Certificate, &files.certificate);
    let dates = chain.as_ref().ok().and_then(|chain| dates(chain, &files.certificate, now));
    let (chain, key) = match (chain, key(&files.key)) {
        (Ok(chain), Ok(key)) if dates.is_none() => (chain, key),
        (chain, key) => return Err([chain.err(), dates, key.err()].into_iter().flatten().collect()),
    };
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
        vec![match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Problem {
                role: Role::Key,
                what: format!("{} is not the key of {}", files.key.display(), files.certificate.display()),
                hint: "name the key that the certificate was made for".to_owned(),
            },
            error => Problem {
                role: Role::Key,
                what: format!("{}: {error}", files.key.display()),
                hint: "use a key of RSA (2,048 bits and more), ECDSA (P-256, P-384) or Ed25519".to_owned(),
            },
        }]
    })
}

/// What is wrong with the dates of our own certificate.
fn dates(chain: &[CertificateDer<'_>], path: &Path, now: Wall) -> Option<Problem> {
    let problem = |what: String, hint: &str| {
        let what = format!("{} {what}", path.display());
        Some(Problem { role: Role::Certificate, what, hint: hint.to_owned() })
    };
    let Some((from, until)) = chain.first().and_then(|own| x509::validity(own)) else {
        return problem("holds no certificate that can be read".to_owned(), "write the certificate in PEM");
    };
    if until < now {
        return problem(format!("expired at {until}"), "renew the certificate");
    }
    if from > now {
        return problem(format!("is not valid before {from}"), "wait until then, or correct this machine's clock");
    }
    let left = Duration::from_micros(u64::try_from(until.as_micros() - now.as_micros()).unwrap_or_default());
    if left < ENDS_SOON {
        tracing::warn!(certificate = %path.display(), days = x509::days(left), "the certificate ends soon");
    }
    None
}

fn certificates(role: Role, path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let problem = |what: String| Problem { role, what, hint: "name a file of certificates in PEM".to_owned() };
    let bytes = std::fs::read(path).map_err(|e| problem(format!("{} cannot be read ({e})", path.display())))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(problem(format!("{} holds no certificate", path.display()))),
        Err(error) => Err(problem(format!("{} is no PEM: {error}", path.display()))),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
    let problem = |what: String| Problem {
        role: Role::Key,
        what,
        hint: "name a file with a private key in PEM, without a password, that this user may read".to_owned(),
    };
    let bytes = std::fs::read(path).map_err(|e| problem(format!("{} cannot be read ({e})", path.display())))?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| problem(format!("{} holds no private key", path.display())))
}

fn roots(role: Role, path: &Path) -> Result<RootCertStore, Problem> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(role, path)? {
        store.add(certificate).map_err(|e| unusable(role, &e))?;
    }
    Ok(store)
}

/// What is odd among them is no fault of this configuration.
fn system_roots() -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    store
}

fn unusable(role: Role, error: &dyn fmt::Display) -> Problem {
    Problem { role, what: format!("the certificates cannot be used: {error}"), hint: "renew them".to_owned() }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
