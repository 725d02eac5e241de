//! Handshakes with certificates made by `openssl`, over a pipe: no socket is needed for what is shown here.

use std::process::Command;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::{client, server};

use super::*;

/// Two authorities (`a`, `b`) and what they signed: `a-one` and `a-two` for 127.0.0.1, `b-one`; `a-past` has expired, `a-named` is for a name.
fn made() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let openssl = |arguments: String| {
        let output =
            Command::new("openssl").args(arguments.split_whitespace()).current_dir(directory.path()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    };
    std::fs::write(directory.path().join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    for ca in ["a", "b"] {
        openssl(format!("req -x509 {key} -days 30 -keyout {ca}.key -out {ca}.pem -subj /CN={ca}"));
    }
    std::fs::write(directory.path().join("names-named"), "subjectAltName=DNS:sip.carrier.example\n").unwrap();
    for (name, days) in [("a-one", 30), ("a-two", 30), ("b-one", 30), ("a-past", -1), ("a-named", 30)] {
        let names = if name == "a-named" { "names-named" } else { "names" };
        let ca = &name[..1];
        openssl(format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(format!(
            "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days {days} -out {name}.pem \
             -extfile {names}"
        ));
    }
    directory
}

fn files(directory: &Path, name: &str, clients: Option<bool>) -> Files {
    let file = |name: String| directory.join(name);
    Files {
        certificate: file(format!("{name}.pem")),
        key: file(format!("{name}.key")),
        authorities: Some(file("a.pem".to_owned())),
        clients: clients.map(|required| ClientAuthorities { file: file("a.pem".to_owned()), required }),
    }
}

fn open(files: Files) -> Tls {
    Tls::open(files, RunClock::start()).unwrap()
}

type Ends = (client::TlsStream<DuplexStream>, server::TlsStream<DuplexStream>);

/// A connection of one gateway to another, both of which must be content: in TLS 1.3 the client is so before the server
/// has seen its certificate, so a byte goes each way.
async fn connect(from: &TlsConnector, to: &Tls) -> std::io::Result<Ends> {
    connect_to(None, from, to).await
}

async fn connect_to(name: Option<&str>, from: &TlsConnector, to: &Tls) -> std::io::Result<Ends> {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let name = name_of("127.0.0.1".parse().unwrap(), name);
    let (client, server) = tokio::join!(from.connect(name, near), to.acceptor().accept(far));
    let (mut client, mut server) = (client?, server?);
    pass(&mut client, &mut server).await?;
    Ok((client, server))
}

async fn pass(
    client: &mut client::TlsStream<DuplexStream>,
    server: &mut server::TlsStream<DuplexStream>,
) -> std::io::Result<()> {
    client.write_all(b"x").await?;
    client.flush().await?;
    server.read_u8().await?;
    server.write_all(b"y").await?;
    server.flush().await?;
    client.read_u8().await.map(|_| ())
}

fn shown(client: &client::TlsStream<DuplexStream>) -> Vec<u8> {
    client.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_reload_gives_new_connections_the_new_certificate_and_leaves_live_ones_alone() {
    let made = made();
    let copy = |name: &str| {
        for end in ["pem", "key"] {
            std::fs::copy(made.path().join(format!("{name}.{end}")), made.path().join(format!("own.{end}"))).unwrap();
        }
    };
    copy("a-one");
    let tls = open(files(made.path(), "own", None));
    let (mut client, mut server) = connect(&tls.connector(), &tls).await.unwrap();
    let first = shown(&client);
    // Only the certificate was exchanged so far: it does not fit the key, so nothing changes.
    std::fs::copy(made.path().join("a-two.pem"), made.path().join("own.pem")).unwrap();
    let problems = tls.reload().unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].role == Role::Key && problems[0].what.contains("is not the key of"), "{problems:?}");
    assert_eq!(shown(&connect(&tls.connector(), &tls).await.unwrap().0), first);
    copy("a-two");
    tls.reload().unwrap();
    let second = shown(&connect(&tls.connector(), &tls).await.unwrap().0);
    assert_ne!(second, first);
    pass(&mut client, &mut server).await.unwrap();
    // The same by looking at the files.
    copy("a-one");
    std::fs::File::open(made.path().join("own.pem")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    tls.reload_if_changed();
    assert_eq!(shown(&connect(&tls.connector(), &tls).await.unwrap().0), first);
}

#[tokio::test]
async fn clients_show_a_certificate_of_the_right_authority_where_they_must() {
    let made = made();
    let required = open(files(made.path(), "a-one", Some(true)));
    let optional = open(files(made.path(), "a-one", Some(false)));
    let nobody = {
        let client = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let roots = roots(Role::Authorities, &made.path().join("a.pem")).unwrap();
        TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()))
    };
    let right = open(files(made.path(), "a-two", None)).connector();
    let wrong = open(files(made.path(), "b-one", None)).connector();
    assert!(connect(&right, &required).await.is_ok());
    assert!(connect(&nobody, &required).await.is_err());
    assert!(connect(&wrong, &required).await.is_err());
    assert!(connect(&right, &optional).await.is_ok());
    assert!(connect(&nobody, &optional).await.is_ok());
    assert!(connect(&wrong, &optional).await.is_err(), "one that shows a wrong one is not better than none");
    // And whom we call must be known by our own authorities.
    let stranger = open(files(made.path(), "b-one", None));
    assert!(connect(&right, &stranger).await.is_err());
}

#[test]
fn each_fault_of_the_files_is_named() {
    let made = made();
    let now = RunClock::start().now().wall;
    let with = |certificate: &str, key: &str, authorities: &str| {
        let file = |name: &str| made.path().join(name);
        let files = Files {
            certificate: file(certificate),
            key: file(key),
            authorities: Some(file(authorities)),
            clients: Some(ClientAuthorities { file: file("a.pem"), required: true }),
        };
        check(&files, now).iter().map(|problem| (problem.role, problem.what.clone())).collect::<Vec<_>>()
    };
    let one = |found: Vec<(Role, String)>, role: Role, what: &str| {
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == role && found[0].1.contains(what), "{found:?}");
    };
    assert_eq!(with("a-one.pem", "a-one.key", "a.pem"), []);
    one(with("a-past.pem", "a-past.key", "a.pem"), Role::Certificate, "a-past.pem expired at 20");
    one(with("a-one.pem", "a-two.key", "a.pem"), Role::Key, "is not the key of");
    one(with("none.pem", "a-one.key", "a.pem"), Role::Certificate, "none.pem cannot be read");
    one(with("names", "a-one.key", "a.pem"), Role::Certificate, "holds no certificate");
    one(with("a-one.pem", "a-one.pem", "a.pem"), Role::Key, "holds no private key");
    one(with("a-one.pem", "a-one.key", "names"), Role::Authorities, "holds no certificate");
    assert_eq!(with("none.pem", "none.key", "none").len(), 3, "all at once");
    let past = Wall::from_micros(now.as_micros() - 86_400_000_000);
    let files = files(made.path(), "a-one", None);
    assert!(check(&files, past)[0].what.contains("is not valid before"));
}

#[tokio::test]
async fn a_peer_that_is_configured_by_name_must_have_that_name_and_no_other() {
    let made = made();
    let connector = open(files(made.path(), "a-one", None)).connector();
    let (named, addressed) = (open(files(made.path(), "a-named", None)), open(files(made.path(), "a-one", None)));
    assert!(connect_to(Some("sip.carrier.example"), &connector, &named).await.is_ok());
    assert!(connect_to(None, &connector, &addressed).await.is_ok());
    assert!(connect_to(Some("carrier.example"), &connector, &named).await.is_err(), "another name");
    assert!(connect_to(Some("sip.carrier.example"), &connector, &addressed).await.is_err(), "its address is no name");
    assert!(connect_to(None, &connector, &named).await.is_err());
}
