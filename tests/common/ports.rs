//! Ports that no other test has: a block of the range below the ephemeral ports, held by binding its first port.
//!
//! Binding port 0 and letting go of it would give a port that another test may be given a moment later; holding the
//! first port of a block for as long as the test runs keeps parallel test processes apart.

use std::cell::Cell;
use std::net::{TcpListener, UdpSocket};

const FIRST_BLOCK: u16 = 10_240;
const BLOCKS: u16 = 44;
const BLOCK: u16 = 512;
/// Ports for signalling, HTTP and the people's voices; the rest of a block is the gateway's RTP range.
const SINGLES: u16 = 96;

/// Below the blocks: ranges for a gateway that needs more ports than a block has.
const FIRST_WIDE: u16 = 2_048;
const WIDES: u16 = 4;
const WIDE: u16 = 2_048;

pub(crate) struct Ports {
    base: u16,
    next: Cell<u16>,
    _held: UdpSocket,
}

impl Ports {
    pub(crate) fn reserve() -> Ports {
        let start = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap_or(0);
        (0..BLOCKS)
            .map(|i| FIRST_BLOCK + (start + i) % BLOCKS * BLOCK)
            .find_map(|base| {
                let held = UdpSocket::bind(("127.0.0.1", base)).ok()?;
                let free = (base + SINGLES..base + BLOCK).all(|port| UdpSocket::bind(("127.0.0.1", port)).is_ok());
                free.then(|| Ports { base, next: Cell::new(base + 1), _held: held })
            })
            .expect("no free block of ports")
    }

    /// A port that is free for UDP and TCP.
    pub(crate) fn one(&self) -> u16 {
        loop {
            let port = self.next.get();
            assert!(port < self.base + SINGLES, "the block's single ports are used up");
            self.next.set(port + 1);
            if UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    }

    /// An even port (RTP); the odd one above it is not given out.
    pub(crate) fn even(&self) -> u16 {
        loop {
            let port = self.one();
            if port.is_multiple_of(2) {
                self.next.set(port + 2);
                return port;
            }
        }
    }

    /// The gateway's range, as the configuration writes it.
    pub(crate) fn rtp_range(&self) -> String {
        format!("{}-{}", self.base + SINGLES, self.base + BLOCK - 1)
    }
}

/// A wide range for a gateway's RTP, held like a block. Ports in it may be taken: the gateway goes on to the next.
pub(crate) struct Wide {
    base: u16,
    _held: UdpSocket,
}

impl Wide {
    pub(crate) fn reserve() -> Wide {
        (0..WIDES)
            .map(|i| FIRST_WIDE + i * WIDE)
            .find_map(|base| Some(Wide { base, _held: UdpSocket::bind(("127.0.0.1", base)).ok()? }))
            .expect("no free wide range of ports")
    }

    /// As the configuration writes it.
    pub(crate) fn rtp_range(&self) -> String {
        format!("{}-{}", self.base + 2, self.base + WIDE - 1)
    }
}
