//! The service manager that started us, if one did: what it is told of our state, and that we are alive.
//!
//! The protocol is one datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names: a path, or `@` and a name of the
//! abstract kind (sd_notify(3), systemd.service(5) for `Type=notify-reload` and `WatchdogSec=`).

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Where to speak, and how often it wants to hear from us.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// As the environment of this process says. Without a service manager every message goes nowhere.
    pub fn from_environment() -> Supervisor {
        let variable = |name: &str| std::env::var(name).ok();
        let Some(address) = variable("NOTIFY_SOCKET") else { return Supervisor::default() };
        // The watchdog may be meant for another process of the service.
        let ours = variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC").filter(|_| ours).and_then(|us| us.parse().ok());
        match connect(&address) {
            Ok(socket) => {
                Supervisor { socket: Some(socket), watchdog: watchdog.filter(|us| *us > 0).map(Duration::from_micros) }
            }
            Err(error) => {
                tracing::error!(%error, "the service manager's socket cannot be reached: it will not hear that we are ready");
                Supervisor::default()
            }
        }
    }

    /// It kills us if it hears nothing for so long.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// A reload begins; [`Supervisor::ready`] ends it. The instant tells the manager that it is the answer to its signal.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reading the configuration", now.as_micros()));
    }

    /// The end begins, and may take so long.
    pub fn stopping(&self, most: Duration, status: &str) {
        self.tell(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\nSTATUS={status}", most.as_micros()));
    }

    pub fn status(&self, status: &str) {
        self.tell(&format!("STATUS={status}"));
    }

    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    fn tell(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        // A manager that is busy is told again with the next message; waiting for it would stop us.
        if let Err(error) = socket.send(message.as_bytes()) {
            tracing::debug!(%error, "the service manager was not told");
        }
    }
}

fn connect(address: &str) -> io::Result<UnixDatagram> {
    let address = match address.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Says when a sign of life is due: only for as long as what is watched makes progress.
#[derive(Debug, Default)]
pub struct Heartbeat {
    seen: u64,
}

impl Heartbeat {
    /// Whether there was progress since the last beat, by a counter of rounds.
    pub fn beat(&mut self, rounds: u64) -> bool {
        std::mem::replace(&mut self.seen, rounds) != rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_that_hangs_gives_no_sign_of_life() {
        let mut heart = Heartbeat::default();
        assert_eq!([1, 5, 5, 5, 6].map(|rounds| heart.beat(rounds)), [true, true, false, false, true]);
    }

    #[test]
    fn a_socket_by_path_and_by_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let name = format!("hotline-test-{}", std::process::id());
        let by_path = UnixDatagram::bind(&path).unwrap();
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (address, manager) in [(path.display().to_string(), by_path), (format!("@{name}"), by_name)] {
            let supervisor = Supervisor { socket: Some(connect(&address).unwrap()), watchdog: None };
            supervisor.ready("at work");
            let mut buffer = [0; 200];
            let n = manager.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..n], b"READY=1\nSTATUS=at work");
        }
    }
}
