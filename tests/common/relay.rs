//! A network between two UDP ends, SIP or RTP, that loses, delays, swaps and doubles datagrams by seed, and tells what it
//! did with each.
//!
//! Whoever sends to its port reaches the target, from a port of their own there, so that answers find back. Instants of
//! arrival are the kernel's; what is handed on is on the far socket when `send` returns.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::IoSliceMut;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hotline::ids::Random;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};

use super::wall_us;

/// People behind one relay.
const MOST_SOURCES: usize = 64;

/// What happens to a datagram on its way, in either direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) loss_percent: u32,
    /// Of those that are not lost.
    pub(crate) doubled_percent: u32,
    pub(crate) delay: Duration,
    /// Up to so much more, by lot: whoever gets less overtakes.
    pub(crate) jitter: Duration,
}

impl Weather {
    pub(crate) const FINE: Weather =
        Weather { loss_percent: 0, doubled_percent: 0, delay: Duration::ZERO, jitter: Duration::ZERO };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toward {
    Target,
    Source,
}

/// One datagram that came, and each copy of it that was handed on.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    pub(crate) toward: Toward,
    /// Microseconds since 1970.
    pub(crate) came_us: i64,
    /// When each copy was handed on; none: it was lost.
    pub(crate) left_us: Vec<i64>,
    pub(crate) bytes: Vec<u8>,
}

/// What the relay did in one direction or in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) came: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    /// Datagrams that left after one that had come later.
    pub(crate) overtaken: usize,
}

pub(crate) struct Relay {
    pub(crate) port: u16,
    journal: Arc<Mutex<Vec<Passed>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// From `port` of the loopback to `target`; of UDP only.
    pub(crate) fn start(port: u16, target: SocketAddr, weather: Weather, seed: u64) -> Relay {
        let front = open(port);
        let journal = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let random = Random::from_number(seed);
        let (wire, sources) = (BinaryHeap::new(), Vec::new());
        let mut run =
            Run { front, target, weather, random, sources, wire, journal: journal.clone(), stop: stop.clone() };
        let thread = std::thread::Builder::new().name("relay".into()).spawn(move || run.run()).expect("a thread");
        Relay { port, journal, stop, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Everything that came, in order.
    pub(crate) fn journal(&self) -> Vec<Passed> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn counts(&self, toward: Toward) -> Counts {
        let mut counts = Counts::default();
        let mut latest = i64::MIN;
        for passed in self.journal().iter().filter(|passed| passed.toward == toward) {
            counts.came += 1;
            counts.lost += usize::from(passed.left_us.is_empty());
            counts.doubled += usize::from(passed.left_us.len() > 1);
            if let Some(first) = passed.left_us.first() {
                latest = latest.max(*first);
                counts.overtaken += usize::from(*first < latest);
            }
        }
        counts
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Run {
    front: UdpSocket,
    target: SocketAddr,
    weather: Weather,
    random: Random,
    /// Who has sent to the front, and the socket that stands for them at the target.
    sources: Vec<(SocketAddr, UdpSocket)>,
    /// Copies under way: when they leave, their number in the journal, whose they are.
    wire: BinaryHeap<Reverse<(i64, usize, usize)>>,
    journal: Arc<Mutex<Vec<Passed>>>,
    stop: Arc<AtomicBool>,
}

impl Run {
    fn run(&mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            self.hand_on();
            let next = self.wire.peek().map_or(20_000, |Reverse((due, ..))| due - wall_us());
            let wait = u16::try_from(next.clamp(0, 20_000).div_euclid(1000) + i64::from(next % 1000 > 0)).unwrap_or(1);
            let sockets = std::iter::once(&self.front).chain(self.sources.iter().map(|(_, socket)| socket));
            let mut ready: Vec<PollFd<'_>> = sockets.map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)).collect();
            if poll(&mut ready, PollTimeout::from(wait)).is_ok_and(|count| count > 0) {
                self.take_all();
            }
        }
    }

    fn take_all(&mut self) {
        let mut buffer = vec![0; 65_536];
        while let Some((at_us, from, length)) = receive(&self.front, &mut buffer) {
            let Some(place) = self.place_of(from) else { continue };
            self.take(Toward::Target, place, at_us, &buffer[..length]);
        }
        for place in 0..self.sources.len() {
            while let Some((at_us, _, length)) = receive(&self.sources[place].1, &mut buffer) {
                self.take(Toward::Source, place, at_us, &buffer[..length]);
            }
        }
    }

    fn place_of(&mut self, from: SocketAddr) -> Option<usize> {
        if let Some(place) = self.sources.iter().position(|(source, _)| *source == from) {
            return Some(place);
        }
        if self.sources.len() >= MOST_SOURCES {
            return None;
        }
        self.sources.push((from, open(0)));
        Some(self.sources.len() - 1)
    }

    fn take(&mut self, toward: Toward, place: usize, came_us: i64, bytes: &[u8]) {
        let passed = Passed { toward, came_us, left_us: Vec::new(), bytes: bytes.to_vec() };
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.push(passed);
        let number = journal.len() - 1;
        drop(journal);
        if self.random.below(100) < self.weather.loss_percent {
            return;
        }
        let copies = if self.random.below(100) < self.weather.doubled_percent { 2 } else { 1 };
        for _ in 0..copies {
            let jitter_us = u32::try_from(self.weather.jitter.as_micros()).unwrap_or(u32::MAX);
            let more = self.weather.delay + Duration::from_micros(self.random.below(jitter_us).into());
            let due = came_us + i64::try_from(more.as_micros()).unwrap_or(i64::MAX);
            self.wire.push(Reverse((due, number, place)));
        }
    }

    fn hand_on(&mut self) {
        while self.wire.peek().is_some_and(|Reverse((due, ..))| *due <= wall_us()) {
            let Some(Reverse((_, number, place))) = self.wire.pop() else { return };
            let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
            let passed = &mut journal[number];
            let (source, back) = &self.sources[place];
            // Before it is sent: on the loopback it is there when the call returns.
            passed.left_us.push(wall_us());
            // An end that is gone (ICMP) is no fault of the network.
            let _ = match passed.toward {
                Toward::Target => back.send_to(&passed.bytes, self.target),
                Toward::Source => self.front.send_to(&passed.bytes, source),
            };
        }
    }
}

fn open(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind(("127.0.0.1", port)).expect("the relay's port");
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("kernel stamps");
    socket
}

/// One datagram, if there is one: the kernel's stamp, who sent it, and its length.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(i64, SocketAddr, usize)> {
    let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    loop {
        let message = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT);
        let message = match message {
            Ok(message) => message,
            // An earlier datagram was refused at its end.
            Err(nix::errno::Errno::ECONNREFUSED) => continue,
            Err(_) => return None,
        };
        let stamp = message.cmsgs().ok()?.find_map(|one| match one {
            ControlMessageOwned::ScmTimestampns(t) => Some(t.tv_sec() * 1_000_000 + t.tv_nsec() / 1000),
            _ => None,
        });
        let from = message.address?;
        return Some((stamp?, SocketAddr::V4(SocketAddrV4::new(from.ip(), from.port())), message.bytes));
    }
}
