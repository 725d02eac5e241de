//! A SIP end over TCP or TLS, message by message, and the certificates for it (made by `openssl`).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::phone::Message;

/// An authority and what it has signed, in files of PEM.
pub(crate) struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// With an authority of this name.
    pub(crate) fn of(directory: &Path, name: &str) -> Certificates {
        let directory = directory.join(name);
        std::fs::create_dir_all(&directory).expect("a directory for certificates");
        let made = Certificates { directory };
        made.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ca.key -out ca.pem \
             -subj /CN={name} -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign"
        ));
        made
    }

    /// A certificate for 127.0.0.1 and ::1: the files `name.pem` and `name.key`.
    pub(crate) fn sign(&self, name: &str, days: i32) -> &Self {
        self.sign_for(name, "IP:127.0.0.1,IP:::1", days)
    }

    /// A certificate for whom this says.
    pub(crate) fn sign_for(&self, name: &str, whom: &str, days: i32) -> &Self {
        std::fs::write(self.file("extensions"), format!("subjectAltName={whom}\n")).expect("a file");
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -out {name}.pem \
             -extfile extensions"
        ));
        self
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The keys of `[sip]` for the certificate `server`.
    pub(crate) fn keys(&self) -> String {
        let file = |name: &str| self.file(name).display().to_string();
        format!(
            "tls_certificate = \"{}\"\ntls_key = \"{}\"\ntls_ca = \"{}\"\n",
            file("server.pem"),
            file("server.key"),
            file("ca.pem")
        )
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(&self.directory).output();
        let output = output.expect("openssl does not start; tests/run installs what is missing");
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for one in CertificateDer::pem_file_iter(self.file("ca.pem")).expect("the authority's file") {
            roots.add(one.expect("PEM")).expect("an authority");
        }
        roots
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        Arc::new(config.expect("versions").with_root_certificates(self.roots()).with_no_client_auth())
    }

    pub(crate) fn server(&self, name: &str) -> Arc<ServerConfig> {
        let chain = CertificateDer::pem_file_iter(self.file(&format!("{name}.pem"))).expect("a certificate's file");
        let chain = chain.map(|one| one.expect("PEM")).collect();
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        Arc::new(config.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("a certificate"))
    }
}

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// One connection.
pub(crate) struct Stream {
    wire: Box<dyn Wire>,
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Stream {
    pub(crate) fn connect(to: SocketAddr, tls: Option<Arc<ClientConfig>>) -> Stream {
        let socket = TcpStream::connect_timeout(&to, Duration::from_secs(5)).expect("a connection");
        let name = ServerName::IpAddress(to.ip().into());
        Stream::over(socket, |socket| match tls {
            Some(tls) => Box::new(StreamOwned::new(ClientConnection::new(tls, name).expect("a client"), socket)),
            None => Box::new(socket),
        })
    }

    /// The next connection that somebody opens.
    pub(crate) fn accept(listener: &TcpListener, tls: Option<Arc<ServerConfig>>) -> Stream {
        let (socket, _) = listener.accept().expect("a connection");
        Stream::over(socket, |socket| match tls {
            Some(tls) => Box::new(StreamOwned::new(ServerConnection::new(tls).expect("a server"), socket)),
            None => Box::new(socket),
        })
    }

    fn over(socket: TcpStream, wire: impl FnOnce(TcpStream) -> Box<dyn Wire>) -> Stream {
        socket.set_nodelay(true).expect("no delay");
        let wire = wire(socket.try_clone().expect("a second handle"));
        Stream { wire, socket, buffer: Vec::new() }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.socket.local_addr().expect("an address")
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.wire.write_all(text.replace('\n', "\r\n").as_bytes()).expect("writing");
        self.wire.flush().expect("writing");
    }

    /// The next message; `None` when the peer has closed.
    pub(crate) fn next(&mut self, limit: Duration) -> Option<Message> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(message) = self.cut() {
                return Some(message);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing whole within {limit:?}: {}", String::from_utf8_lossy(&self.buffer));
            self.socket.set_read_timeout(Some(left)).expect("a timeout");
            let mut bytes = [0; 16_384];
            match self.wire.read(&mut bytes) {
                Ok(0) => return None,
                Ok(n) => self.buffer.extend_from_slice(&bytes[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
        }
    }

    fn cut(&mut self) -> Option<Message> {
        let text = String::from_utf8_lossy(&self.buffer).into_owned();
        let (head, _) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length:")?.trim().parse().ok());
        let whole = head.len() + 4 + length.unwrap_or(0);
        let message: Vec<u8> = (self.buffer.len() >= whole).then(|| self.buffer.drain(..whole).collect())?;
        let text = String::from_utf8_lossy(&message).replace("\r\n", "\n");
        Some(Message { text, from: self.socket.peer_addr().ok()? })
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, start: &str, limit: Duration) -> Message {
        loop {
            let message = self.next(limit).unwrap_or_else(|| panic!("closed before {start}"));
            if message.text.starts_with(start) {
                return message;
            }
        }
    }
}
