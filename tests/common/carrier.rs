//! A carrier's side by programs that this project did not write: Kamailio as registrar or proxy, dnsmasq for the names.

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::child::Process;
use super::phone::{Phone, options};
use super::{Bench, HOTLINE_NUMBER, seconds, until};

/// Kamailio's processes end with the first of them, if that is asked and not killed.
pub(crate) struct Kamailio(Process);

impl Kamailio {
    /// A carrier that registers us, and whose network's only phone is at `phone`.
    pub(crate) fn carrier(bench: &Bench, port: u16, phone: u16) -> Kamailio {
        let text = include_str!("../../fixtures/kamailio/carrier.cfg").replace("PHONE", &phone.to_string());
        Kamailio::start(bench, port, &text)
    }

    /// By this configuration, whose PORT, NUMBER and MODULES are filled in here; answers when this returns.
    pub(crate) fn start(bench: &Bench, port: u16, text: &str) -> Kamailio {
        let modules = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"]
            .map(|below| PathBuf::from(below).join("kamailio/modules"))
            .into_iter()
            .find(|path| path.is_dir())
            .expect("Kamailio's modules");
        let text = text
            .replace("PORT", &port.to_string())
            .replace("NUMBER", HOTLINE_NUMBER)
            .replace("MODULES", &format!("{}/", modules.display()));
        let name = format!("kamailio-{port}");
        let own = bench.path().join(&name);
        std::fs::create_dir_all(&own).expect("Kamailio's directory");
        let config = own.join("kamailio.cfg");
        std::fs::write(&config, text).expect("writing Kamailio's configuration");
        let mut command = Command::new("kamailio");
        command.arg("-DD").arg("-E").args(["-m", "32", "-M", "8"]).arg("-f").arg(&config);
        command.arg("-Y").arg(&own).arg("-w").arg(&own);
        let kamailio = Kamailio(Process::start(&name, bench.path(), &mut command));
        let asker = Phone::at("127.0.0.1", bench.ports.one());
        let there = SocketAddr::from(([127, 0, 0, 1], port));
        until("Kamailio to answer", seconds(10), || {
            asker.send(&options(asker.address(), there, "ready"), there);
            asker.next(Duration::from_millis(200)).filter(|message| message.text.starts_with("SIP/2.0 200"))
        });
        kamailio
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        self.0.signal(Signal::SIGTERM);
        for _ in 0..200 {
            if self.0.exited().is_some() {
                return;
            }
            super::beat();
        }
    }
}

/// A name server for `test`: services by its options, addresses by a file that it reads again when told.
pub(crate) struct Names {
    process: Process,
    hosts: PathBuf,
    port: u16,
}

impl Names {
    pub(crate) fn start(bench: &Bench, services: &[String], hosts: &str) -> Names {
        let port = bench.ports.one();
        let file = bench.path().join("hosts");
        std::fs::write(&file, hosts).expect("writing the names");
        let mut command = Command::new("dnsmasq");
        command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file="]);
        command.args([
            "--listen-address=127.0.0.1",
            "--bind-interfaces",
            "--local-ttl=1",
            "--user=root",
            "--local=/test/",
        ]);
        command.arg(format!("--port={port}")).arg(format!("--addn-hosts={}", file.display()));
        // Those with an option of their own are no SRV records.
        let option = |service: &String| match service.starts_with("--") {
            true => service.clone(),
            false => format!("--srv-host={service}"),
        };
        command.args(services.iter().map(option));
        let process = Process::start("dnsmasq", bench.path(), &mut command);
        until("dnsmasq to listen", seconds(5), || UdpSocket::bind(("127.0.0.1", port)).is_err().then_some(()));
        Names { process, hosts: file, port }
    }

    pub(crate) fn change(&self, hosts: &str) {
        std::fs::write(&self.hosts, hosts).expect("writing the names");
        self.process.signal(Signal::SIGHUP);
    }

    /// The section of `hotline.toml` that asks it.
    pub(crate) fn section(&self) -> String {
        format!("\n[dns]\nservers = [\"127.0.0.1:{}\"]\n", self.port)
    }
}

pub(crate) fn secret(directory: &Path, text: &str) {
    let path = directory.join("carrier.secret");
    std::fs::write(&path, text).expect("writing the password");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
}
