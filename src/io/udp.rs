//! SIP over UDP: a thread for each socket that receives, and writing from the switch's own thread.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use super::clock::{RunClock, arrival};
use super::mailbox::Mailbox;
use super::socket::Reader;
use crate::gateway::Input;
use crate::limits;
use crate::metrics::{Counters, SipRejection};
use crate::protocol::sip::endpoint::{Flow, Transport};

/// Four megabytes: a second of a busy trunk while the switch is held up. The kernel may grant less.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// How soon the thread sees that it is to end.
const STOP_LATENCY: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub struct Udp {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
}

impl Udp {
    /// Binds; port 0 lets the operating system choose.
    pub fn bind(address: SocketAddr) -> io::Result<Udp> {
        let socket = UdpSocket::bind(address)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        // A smaller buffer than wished is no reason not to start.
        let _ = setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES);
        let local = socket.local_addr()?;
        Ok(Udp { socket: Arc::new(socket), local })
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Writes one datagram at once.
    pub fn send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<()> {
        self.socket.send_to(bytes, remote).map(|_| ())
    }

    /// Starts the thread that receives, until `stop` is set.
    pub fn receive(
        &self,
        clock: RunClock,
        mailbox: Mailbox,
        counters: Counters,
        stop: Arc<AtomicBool>,
    ) -> io::Result<JoinHandle<()>> {
        let (socket, local) = (Arc::clone(&self.socket), self.local);
        socket.set_read_timeout(Some(STOP_LATENCY))?;
        thread::Builder::new().name(format!("sip-udp-{}", local.port())).spawn(move || {
            let mut reader = Reader::with_capacity(limits::SIP_MESSAGE_BYTES);
            while !stop.load(Ordering::Acquire) {
                let datagram = match reader.wait(&socket) {
                    Ok(Some(datagram)) => datagram,
                    Ok(None) => continue,
                    Err(error) => {
                        // An ICMP error of an earlier write; nothing to do with the next datagram.
                        tracing::debug!(%error, "SIP socket");
                        continue;
                    }
                };
                let now = clock.now();
                let at = datagram.stamp.map_or(now, |stamp| arrival(now, stamp));
                let flow = Flow { transport: Transport::Udp, local, remote: datagram.source, connection: None };
                if !mailbox.message(Input::Datagram { flow, at, bytes: reader.bytes().to_vec() }) {
                    counters.sip_rejected(SipRejection::Budget);
                }
            }
        })
    }
}
