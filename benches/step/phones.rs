//! Phones with real sockets on loopback, all on one thread: each sends a packet every 20 ms, and sees what comes.

use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// Parts of 20 ms in which phones speak in turn.
const TURNS: usize = 20;
const TURN: Duration = Duration::from_millis(1);
const TIMER: u64 = u64::MAX;

pub(crate) struct Phones {
    phones: Vec<Phone>,
    epoll: Epoll,
    pub(crate) sent: usize,
    pub(crate) heard: usize,
    /// How far behind its place in its own stream each packet came, in microseconds.
    pub(crate) behind_us: Vec<i64>,
}

struct Phone {
    socket: UdpSocket,
    spoken: usize,
    /// Where the stream that it hears began, by its packet that was quickest; packets heard.
    begin_us: i64,
    heard: i64,
}

impl Phones {
    /// Sockets that nobody is behind yet; [`Phones::call`] tells whom they talk to.
    pub(crate) fn new(count: usize) -> Phones {
        let epoll = Epoll::new(EpollCreateFlags::empty()).expect("an epoll");
        let phones: Vec<Phone> = (0..count)
            .map(|number| {
                let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
                socket.set_nonblocking(true).expect("a socket");
                setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("stamps");
                epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, number as u64)).expect("room");
                Phone { socket, spoken: 0, begin_us: i64::MAX, heard: 0 }
            })
            .collect();
        Phones { phones, epoll, sent: 0, heard: 0, behind_us: Vec::new() }
    }

    pub(crate) fn address(&self, number: usize) -> SocketAddr {
        self.phones[number].socket.local_addr().expect("bound")
    }

    pub(crate) fn call(&self, number: usize, to: SocketAddr) {
        self.phones[number].socket.connect(to).expect("loopback");
    }

    /// Speaks (`packet` makes the bytes of a phone's n-th) and hears for `rounds` of 20 ms.
    pub(crate) fn talk(&mut self, rounds: usize, mut packet: impl FnMut(usize, usize) -> Option<Vec<u8>>) {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK).expect("a timer");
        let every = Expiration::Interval(TimeSpec::from_duration(TURN));
        timer.set(every, TimerSetTimeFlags::empty()).expect("a timer");
        self.epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER)).expect("room");
        let mut turn = 0;
        let mut events = [EpollEvent::empty(); 256];
        while turn < rounds * TURNS {
            let ready = self.epoll.wait(&mut events, EpollTimeout::NONE).expect("an epoll");
            for event in &events[..ready] {
                if event.data() == TIMER {
                    timer.wait().expect("it rang");
                    self.speak(turn % TURNS, &mut packet);
                    turn += 1;
                } else {
                    self.hear(event.data() as usize);
                }
            }
        }
        self.epoll.delete(&timer).expect("it was there");
    }

    fn speak(&mut self, turn: usize, packet: &mut impl FnMut(usize, usize) -> Option<Vec<u8>>) {
        for (number, phone) in self.phones.iter_mut().enumerate().skip(turn).step_by(TURNS) {
            if let Some(bytes) = packet(number, phone.spoken) {
                phone.spoken += 1;
                self.sent += usize::from(phone.socket.send(&bytes).is_ok());
            }
        }
    }

    fn hear(&mut self, number: usize) {
        let phone = &mut self.phones[number];
        let mut buffer = [0; 2_048];
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(message) = recvmsg::<()>(phone.socket.as_raw_fd(), &mut parts, Some(&mut control), flags) else {
            return;
        };
        self.heard += 1;
        let stamp = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|one| match one {
                ControlMessageOwned::ScmTimestampns(at) => Some(at.tv_sec() * 1_000_000 + at.tv_nsec() / 1_000),
                _ => None,
            })
        });
        let begin = stamp.expect("asked for") - phone.heard * 20_000;
        phone.begin_us = phone.begin_us.min(begin);
        phone.heard += 1;
        self.behind_us.push(begin - phone.begin_us);
    }
}
