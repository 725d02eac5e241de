//! A person's voice: an RTP end that answers whoever speaks to it, in PCMA, paced by the kernel's clock.
//!
//! It knows no SDP of the gateway: like a phone behind a NAT it learns the far end by the first packet that comes
//! (the greeting reaches both sides). Each source is a stream of its own, so one voice serves many calls.

use std::io::IoSliceMut;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};

use super::sound::{RATE, from_alaw, to_alaw, tone};
use super::wall_us;

const PACKET: usize = 160;
const PACKET_US: i64 = 20_000;
const SILENCE: u8 = 0xd5;

/// A packet that was heard.
#[derive(Clone)]
pub(crate) struct Heard {
    /// The kernel's receive stamp, microseconds since 1970.
    pub(crate) at_us: i64,
    pub(crate) timestamp: u32,
    pub(crate) payload: Vec<u8>,
}

#[derive(Clone)]
struct Stream {
    remote: SocketAddr,
    heard: Vec<Heard>,
    sent: u64,
}

pub(crate) struct Voice {
    pub(crate) port: u16,
    streams: Arc<Mutex<Vec<Stream>>>,
    /// Since when the tone sounds, microseconds since 1970; before it, silence is sent.
    tone_from_us: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Voice {
    /// Silent until [`Voice::sound_from`].
    pub(crate) fn new(port: u16, hz: f64) -> Voice {
        Voice::with(port, hz, None)
    }

    /// Plays these samples from its begin on, and silence after them.
    pub(crate) fn playing(port: u16, samples: Vec<i16>) -> Voice {
        Voice::with(port, 0.0, Some(samples))
    }

    fn with(port: u16, hz: f64, samples: Option<Vec<i16>>) -> Voice {
        let socket = UdpSocket::bind(("127.0.0.1", port)).expect("the voice's port");
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("kernel stamps");
        let streams = Arc::new(Mutex::new(Vec::new()));
        let tone_from_us = Arc::new(AtomicI64::new(i64::MAX));
        let stop = Arc::new(AtomicBool::new(false));
        let run = Run {
            socket,
            hz,
            samples,
            streams: streams.clone(),
            tone_from_us: tone_from_us.clone(),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("voice".into()).spawn(move || run.run()).expect("a thread");
        Voice { port, streams, tone_from_us, stop, thread: Some(thread) }
    }

    pub(crate) fn sound_from(&self, wall_us: i64) {
        self.tone_from_us.store(wall_us, Ordering::Relaxed);
    }

    fn streams(&self) -> Vec<Stream> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many far ends have spoken to it.
    pub(crate) fn partners(&self) -> usize {
        self.streams().len()
    }

    /// What came from the first far end.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.streams().first().map(|stream| stream.heard.clone()).unwrap_or_default()
    }

    /// The same as one piece of sound, placed by RTP timestamps: when its first sample came, and the samples.
    pub(crate) fn sound(&self) -> (i64, Vec<i16>) {
        let heard = self.heard();
        let first = heard.first().expect("the voice heard nothing");
        let mut samples = Vec::new();
        for packet in &heard {
            // A jump of more than a minute is a new stream, no gap.
            let at = packet.timestamp.wrapping_sub(first.timestamp) as usize;
            assert!(at < RATE * 60, "the timestamps jump by {at} samples");
            samples.resize(samples.len().max(at + packet.payload.len()), 0);
            for (i, octet) in packet.payload.iter().enumerate() {
                samples[at + i] = from_alaw(*octet);
            }
        }
        (first.at_us, samples)
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Run {
    socket: UdpSocket,
    hz: f64,
    samples: Option<Vec<i16>>,
    streams: Arc<Mutex<Vec<Stream>>>,
    tone_from_us: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
}

impl Run {
    fn run(&self) {
        let (began, began_us) = (Instant::now(), wall_us());
        let mut tick: u32 = 1;
        while !self.stop.load(Ordering::Relaxed) {
            let next = began + Duration::from_micros(u64::from(tick) * PACKET_US as u64);
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.speak(began_us + i64::from(tick) * PACKET_US, tick);
                tick += 1;
                continue;
            }
            let wait = u16::try_from(left.as_micros().div_ceil(1000)).unwrap_or(20);
            let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, PollTimeout::from(wait)).is_ok_and(|count| count > 0) {
                self.listen();
            }
        }
    }

    /// One packet to each partner; `at_us` is the instant of its first sample.
    fn speak(&self, at_us: i64, tick: u32) {
        let from_us = self.tone_from_us.load(Ordering::Relaxed);
        let mut packet = Vec::with_capacity(12 + PACKET);
        packet.extend_from_slice(&[0x80, 8]);
        packet.extend_from_slice(&(tick as u16).to_be_bytes());
        packet.extend_from_slice(&tick.wrapping_mul(PACKET as u32).to_be_bytes());
        packet.extend_from_slice(&(0x5150_0000 + u32::from(self.hz as u16)).to_be_bytes());
        for i in 0..PACKET as i64 {
            let sample_us = at_us + i * 125;
            if let Some(samples) = &self.samples {
                let played = samples.get((i64::from(tick - 1) * PACKET as i64 + i) as usize);
                packet.push(played.map_or(SILENCE, |sample| to_alaw(*sample)));
                continue;
            }
            packet.push(if sample_us < from_us {
                SILENCE
            } else {
                to_alaw(tone(self.hz, (sample_us - from_us) / 125))
            });
        }
        for stream in self.streams.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            // A far end that is gone (ICMP) is no fault of the voice.
            let _ = self.socket.send_to(&packet, stream.remote);
            stream.sent += 1;
        }
    }

    fn listen(&self) {
        let mut buffer = [0_u8; 2048];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let fd = self.socket.as_raw_fd();
        let Ok(message) = recvmsg::<SockaddrIn>(fd, &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT) else {
            return;
        };
        let stamp = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|one| match one {
                ControlMessageOwned::ScmTimestampns(t) => Some(t.tv_sec() * 1_000_000 + t.tv_nsec() / 1000),
                _ => None,
            })
        });
        let (Some(at_us), Some(from), length) = (stamp, message.address, message.bytes) else { return };
        let remote = SocketAddr::V4(SocketAddrV4::new(from.ip(), from.port()));
        if length <= 12 || buffer[0] >> 6 != 2 || buffer[1] & 0x7f != 8 {
            return;
        }
        let timestamp = u32::from_be_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]);
        let heard = Heard { at_us, timestamp, payload: buffer[12..length].to_vec() };
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        match streams.iter_mut().find(|stream| stream.remote == remote) {
            Some(stream) => stream.heard.push(heard),
            None => streams.push(Stream { remote, heard: vec![heard], sent: 0 }),
        }
    }
}
