//! SIP over UDP: a thread for each socket that receives, and writing from the switch's own thread.
//!
//! The thread takes up to [`BATCH`] datagrams by one system call, drops those of strangers (but for REGISTER, where agents
//! have passwords) unread, and queues the rest with their
//! kernel stamps. A flood of strangers ends here.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use super::clock::{RunClock, arrival};
use super::door::Door;
use super::mailbox::Mailbox;
use super::refusals::Refusals;
use super::socket;
use crate::clock::Wall;
use crate::gateway::Input;
use crate::limits;
use crate::metrics::{Counters, SipRejection};
use crate::protocol::sip::endpoint::{Flow, Transport};

/// Four megabytes: a second of a busy trunk while the switch is held up.
const BUFFER_BYTES: usize = 4 << 20;

/// Datagrams of one system call. Each has a buffer for the longest message; pages that are never written cost nothing.
const BATCH: usize = 32;

/// How soon the thread sees that it is to end.
const STOP_LATENCY: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub struct Udp {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
}

/// What a receive thread works with.
#[derive(Clone)]
pub struct Reception {
    pub clock: RunClock,
    pub mailbox: Mailbox,
    pub door: Arc<Door>,
    pub counters: Counters,
    pub refusals: Refusals,
    pub stop: Arc<AtomicBool>,
}

impl Udp {
    /// Binds; port 0 lets the operating system choose.
    pub fn bind(address: SocketAddr) -> io::Result<Udp> {
        let socket = UdpSocket::bind(address)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        widen(&socket);
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
    pub fn receive(&self, reception: Reception) -> io::Result<JoinHandle<()>> {
        let (socket, local) = (Arc::clone(&self.socket), self.local);
        socket.set_read_timeout(Some(STOP_LATENCY))?;
        thread::Builder::new().name(format!("sip-udp-{}", local.port())).spawn(move || {
            let mut batch = Batch::new();
            while !reception.stop.load(Ordering::Acquire) {
                if let Err(error) = reception.take(&socket, local, &mut batch) {
                    // An ICMP error of an earlier write; nothing to do with the next datagram.
                    tracing::debug!(%error, "SIP socket");
                }
            }
        })
    }
}

impl Reception {
    fn take(&self, socket: &UdpSocket, local: SocketAddr, batch: &mut Batch) -> io::Result<()> {
        // Strangers come in floods: one word for all of a batch.
        let mut strangers: (u64, Option<SocketAddr>) = (0, None);
        let received = batch.wait(socket, |source, stamp, bytes| {
            let now = self.clock.now();
            let heard = self.door.datagram(now.mono, source);
            let lane = match heard.or_else(|why| self.door.instead(why, now.mono, source, bytes)) {
                Ok(lane) => lane,
                Err(SipRejection::Stranger) => return strangers = (strangers.0 + 1, Some(source)),
                Err(reason) => return self.refusals.refuse(now.mono, reason, 1, Some(source)),
            };
            let at = stamp.map_or(now, |stamp| arrival(now, stamp));
            let flow = Flow { transport: Transport::Udp, local, remote: source, connection: None };
            if !self.mailbox.message(lane, Input::Datagram { flow, at, bytes: bytes.to_vec() }) {
                self.refusals.refuse(now.mono, SipRejection::QueueFull, 1, Some(source));
            }
        });
        if let (messages, Some(from)) = strangers {
            self.refusals.refuse(self.clock.now().mono, SipRejection::Stranger, messages, Some(from));
        }
        received
    }
}

/// A smaller buffer than wished is no reason not to start, but a reason to say so.
fn widen(socket: &UdpSocket) {
    // Past net.core.rmem_max where we may (CAP_NET_ADMIN), up to it where not.
    if setsockopt(socket, sockopt::RcvBufForce, &BUFFER_BYTES).is_err() {
        let _ = setsockopt(socket, sockopt::RcvBuf, &BUFFER_BYTES);
    }
    if setsockopt(socket, sockopt::SndBufForce, &BUFFER_BYTES).is_err() {
        let _ = setsockopt(socket, sockopt::SndBuf, &BUFFER_BYTES);
    }
    // The kernel reports twice what it grants (socket(7)).
    let granted = nix::sys::socket::getsockopt(socket, sockopt::RcvBuf).unwrap_or_default() / 2;
    if granted < BUFFER_BYTES {
        let wished = BUFFER_BYTES;
        tracing::info!(granted, wished, "SIP receive buffer is small: net.core.rmem_max bounds it");
    }
}

/// The buffers of one thread.
struct Batch {
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Vec<Vec<u8>>,
}

impl Batch {
    fn new() -> Batch {
        Batch {
            headers: MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec))),
            buffers: vec![vec![0; limits::SIP_MESSAGE_BYTES]; BATCH],
        }
    }

    /// Waits for a first datagram as long as the socket's read timeout allows, and takes what else is there.
    fn wait(&mut self, socket: &UdpSocket, mut take: impl FnMut(SocketAddr, Option<Wall>, &[u8])) -> io::Result<()> {
        let mut parts: Vec<[IoSliceMut<'_>; 1]> = self.buffers.iter_mut().map(|b| [IoSliceMut::new(b)]).collect();
        let flags = MsgFlags::MSG_WAITFORONE;
        let messages = match recvmmsg(socket.as_raw_fd(), &mut self.headers, parts.iter_mut(), flags, None) {
            Ok(messages) => messages,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for message in messages {
            let source = message.address.as_ref().and_then(socket::address);
            // An empty datagram (a keep-alive) has no bytes; nothing is longer than the buffer (a datagram's length has 16 bits).
            if let (Some(source), Some(bytes)) = (source, message.iovs().next()) {
                take(source, socket::stamp(&message), bytes);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_brings_every_datagram_with_its_source_and_its_stamp() {
        let ours = Udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        ours.socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let peers: Vec<UdpSocket> = (0..3).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let clock = RunClock::start();
        let mut batch = Batch::new();
        // Twice, so that headers which were used once are seen to work again.
        for round in 0..2 {
            let began = clock.now().wall;
            let sent: Vec<(SocketAddr, Vec<u8>)> = (0..2 * BATCH)
                .map(|i| {
                    let peer = &peers[i % peers.len()];
                    let bytes = vec![b'a' + round; 1 + i * 37];
                    peer.send_to(&bytes, ours.local()).unwrap();
                    (peer.local_addr().unwrap(), bytes)
                })
                .collect();
            let mut received = Vec::new();
            while received.len() < sent.len() {
                batch
                    .wait(&ours.socket, |source, stamp, bytes| {
                        let stamp = stamp.unwrap();
                        assert!(stamp >= began && stamp <= clock.now().wall, "{stamp:?}");
                        received.push((source, bytes.to_vec()));
                    })
                    .unwrap();
            }
            assert_eq!(received, sent);
        }
    }
}
