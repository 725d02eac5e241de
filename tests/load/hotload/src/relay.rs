//! The floor: what nobody who forwards packets one by one with these system calls gets below on this machine.
//!
//! A socket a leg, connected; one thread, one poll set; a packet is read and sent, nothing is looked at, counted or kept.

use crate::sys::{self, Poll};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

/// Legs 0 and 1 are a pair, 2 and 3, and so on; leg n is the port 2n above the first, on both sides.
pub fn run(first: SocketAddrV4, legs: u16, base: u16) -> io::Result<Infallible> {
    // As the media threads of what it is compared with; without the right it stays where it is.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -10) };
    let mut poll = Poll::without_ticks()?;
    let mut sockets: Vec<UdpSocket> = Vec::new();
    for n in 0..legs {
        let socket = sys::udp(SocketAddrV4::new(*first.ip(), first.port() + 2 * n), 256 << 10)?;
        socket.connect(SocketAddrV4::new(*first.ip(), base + 2 * n))?;
        poll.add(socket.as_raw_fd(), n as u64)?;
        sockets.push(socket);
    }
    println!("ready");
    let (mut ready, mut packet) = (Vec::new(), [0; 2048]);
    loop {
        poll.wait(&mut ready);
        for &n in &ready {
            let Some(other) = sockets.get(n as usize ^ 1) else { continue };
            while let Ok(bytes) = sockets[n as usize].recv(&mut packet) {
                // A refused one is lost, and the generator says so.
                let _ = other.send(&packet[..bytes]);
            }
        }
    }
}
