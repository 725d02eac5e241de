//! A leg's two UDP sockets, and reading from them with the kernel's receive stamps.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Socket, Type};

use crate::clock::Wall;

/// Longer than any RTP packet that a network brings; what fills it is cut and no packet of ours.
pub(super) const RTP_BYTES: usize = 2_048;

/// Binds `local` for RTP and the port above it for RTCP (RFC 3550 section 11).
pub(super) fn bind_pair(local: SocketAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let above = local.port().checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
    let rtp = UdpSocket::bind(local)?;
    let rtcp = UdpSocket::bind(SocketAddr::new(local.ip(), above))?;
    rtp.set_nonblocking(true)?;
    rtcp.set_nonblocking(true)?;
    setsockopt(&rtp, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(&rtcp, sockopt::ReceiveTimestampns, &true)?;
    Ok((rtp, rtcp))
}

/// A second socket on the same port that only `peer` reaches and that sends only there. Datagrams of everybody else go
/// to `first` as before; so do those of `peer` that were under way meanwhile.
pub(super) fn connected(first: &UdpSocket, peer: SocketAddr) -> io::Result<UdpSocket> {
    let local = first.local_addr()?;
    let domain = if local.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    // Two sockets may share a port only if both say so, which they do no longer than it takes.
    let second = Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), None)?;
    second.set_reuse_port(true)?;
    setsockopt(first, sockopt::ReusePort, &true)?;
    let bound = second.bind(&local.into());
    setsockopt(first, sockopt::ReusePort, &false)?;
    second.set_reuse_port(false)?;
    bound?;
    second.connect(&peer.into())?;
    setsockopt(&second, sockopt::ReceiveTimestampns, &true)?;
    Ok(second.into())
}

/// One buffer for what is read from all sockets of a thread until it is cleared.
pub(super) struct Reader {
    buffer: Vec<u8>,
    used: usize,
    /// Of one datagram.
    most: usize,
    control: Vec<u8>,
}

/// Where a datagram came from, when, by the kernel's wall clock, and where its bytes are, for [`Reader::bytes`].
#[derive(Debug, Clone)]
pub(super) struct Datagram {
    pub(super) source: SocketAddr,
    pub(super) stamp: Option<Wall>,
    pub(super) bytes: Range<usize>,
}

impl Reader {
    /// Room for at least `datagrams` of `most` octets each.
    pub(super) fn with_capacity(datagrams: usize, most: usize) -> Self {
        Reader { buffer: vec![0; datagrams * most], used: 0, most, control: nix::cmsg_space!(TimeSpec) }
    }

    /// There is no room for another datagram.
    pub(super) fn is_full(&self) -> bool {
        self.used + self.most > self.buffer.len()
    }

    /// The next datagram; `None` when no more are waiting, or the buffer is full.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<Option<Datagram>> {
        if self.is_full() {
            return Ok(None);
        }
        let flags = MsgFlags::MSG_DONTWAIT;
        let mut parts = [IoSliceMut::new(&mut self.buffer[self.used..][..self.most])];
        let message = match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut self.control), flags) {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stamp = stamp(&message);
        let source = message.address.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
        let length = if message.flags.contains(MsgFlags::MSG_TRUNC) { 0 } else { message.bytes };
        let bytes = self.used..self.used + length;
        self.used = bytes.end;
        Ok(Some(Datagram { source, stamp, bytes }))
    }

    pub(super) fn bytes(&self, bytes: &Range<usize>) -> &[u8] {
        &self.buffer[bytes.clone()]
    }

    /// What was read is done with.
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }
}

/// The kernel's receive stamp.
pub(super) fn stamp<S>(message: &RecvMsg<'_, '_, S>) -> Option<Wall> {
    message.cmsgs().ok().and_then(|mut all| {
        all.find_map(|one| match one {
            ControlMessageOwned::ScmTimestampns(at) => Some(wall(at)),
            _ => None,
        })
    })
}

fn wall(at: TimeSpec) -> Wall {
    Wall::from_micros(at.tv_sec() * 1_000_000 + at.tv_nsec() / 1_000)
}

pub(super) fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let four = storage.as_sockaddr_in().map(|a| SocketAddr::from(*a));
    four.or_else(|| storage.as_sockaddr_in6().map(|a| SocketAddr::from(*a)))
}
