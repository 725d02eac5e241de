//! Media threads with real sockets on loopback.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::*;
use crate::clock::Now;
use crate::ids::Side;
use crate::media::{Block, Codec, Play, Remote};
use crate::protocol::audio::g711::Law;
use crate::protocol::rtp::{self, Header, Packet, Received};

const PATIENCE: Duration = Duration::from_secs(5);

/// A recorder that passes everything on, and panics at a call's block if told to.
struct Sink(Sender<(u64, Option<u64>)>, Option<CallId>);

impl BlockSink for Sink {
    fn block(&mut self, block: Block) -> Result<(), Block> {
        assert_ne!(Some(block.call), self.1, "a bug, on order");
        self.0.send((block.first_frame, None)).map_err(|_| block)
    }

    fn end(&mut self, _: CallId, total_frames: u64) {
        let _ = self.0.send((0, Some(total_frames)));
    }

    fn forget(&mut self, _: CallId) {}
}

struct Bench {
    clock: RunClock,
    media: MediaThreads,
    events: Receiver<Event>,
    blocks: Receiver<(u64, Option<u64>)>,
}

/// A phone and the leg of the gateway that it talks to.
struct Phone {
    socket: UdpSocket,
    leg: LegId,
    port: SocketAddr,
}

fn remote(rtp: SocketAddr) -> Remote {
    Remote {
        rtp,
        allowed: vec![rtp.ip()],
        codec: Codec::Pcma,
        payload_type: 8,
        srtp: None,
        packet_ms: None,
        comfort_noise: None,
        telephone_event: None,
        send: true,
        receive: true,
    }
}

fn call(n: u128) -> CallId {
    CallId(uuid::Uuid::from_u128(n))
}

impl Bench {
    fn start(panics: Option<CallId>) -> Self {
        let clock = RunClock::start();
        let (to_events, events) = mpsc::channel();
        let (to_blocks, blocks) = mpsc::channel();
        let sink = move || -> Box<dyn BlockSink> { Box::new(Sink(to_blocks.clone(), panics)) };
        let report: Report = Arc::new(move |event| {
            let _ = to_events.send(event);
        });
        let media = MediaThreads::start(1, clock, sink, &report).unwrap();
        Bench { clock, media, events, blocks }
    }

    fn event(&self) -> Event {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    /// Opens a leg on a free pair of ports.
    fn phone(&self, call: CallId, leg: LegId) -> Phone {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let port = loop {
            let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() & !1;
            let local = SocketAddr::from(([127, 0, 0, 1], free));
            self.media.order(Command::Open { call, leg, side: Side::Caller, local });
            if matches!(self.event(), Event::Bound { .. }) {
                break local;
            }
        };
        let remote = remote(socket.local_addr().unwrap());
        self.media.order(Command::Remote { leg, remote });
        Phone { socket, leg, port }
    }

    /// A recorded call of two phones.
    fn joined(&self, call: CallId) -> (Phone, Phone, Now) {
        let first = call.0.as_u128() as u64 * 10;
        let (caller, agent) = (self.phone(call, LegId(first)), self.phone(call, LegId(first + 1)));
        let connected = self.clock.now();
        self.media.order(Command::Bridge { call, caller: caller.leg, agent: agent.leg, connected, record: true });
        (caller, agent, connected)
    }

    fn close(&self, call: CallId) -> (Now, Vec<Received>) {
        let ended = self.clock.now();
        self.media.order(Command::CloseCall { call, ended });
        let mut closed = Vec::new();
        while closed.len() < 2 {
            if let Event::Closed { received, .. } = self.event() {
                closed.push(received);
            }
        }
        (ended, closed)
    }

    /// Sends until one arrives: the order to join the legs is on its way at the same time.
    fn until_heard(&self, from: &Phone, to: &Phone) -> (u16, Header) {
        to.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        for n in 0..100 {
            from.send(n);
            if let Some((header, _)) = to.hear() {
                to.socket.set_read_timeout(Some(PATIENCE)).unwrap();
                return (n, header);
            }
        }
        panic!("nothing was relayed");
    }
}

impl Phone {
    fn send(&self, n: u16) {
        let header = Header { payload_type: 8, marker: false, sequence: n, timestamp: u32::from(n) * 160, ssrc: 9 };
        let mut bytes = Vec::new();
        rtp::write(&header, &[n as u8; 160], &mut bytes).unwrap();
        self.socket.send_to(&bytes, self.port).unwrap();
    }

    fn hear(&self) -> Option<(Header, Vec<u8>)> {
        let mut buffer = [0; 2_048];
        let (length, from) = self.socket.recv_from(&mut buffer).ok()?;
        assert_eq!(from, self.port);
        let packet = Packet::parse(&buffer[..length]).unwrap();
        Some((packet.header, packet.payload.to_vec()))
    }
}

#[test]
fn two_phones_hear_each_other_and_are_recorded() {
    let bench = Bench::start(None);
    let (caller, agent, connected) = bench.joined(call(1));
    let (n, _) = bench.until_heard(&caller, &agent);
    for k in 0..50 {
        caller.send(n + 1 + k);
        agent.send(k);
        assert_eq!(agent.hear().unwrap().1, [(n + 1 + k) as u8; 160]);
        assert_eq!(caller.hear().unwrap().1, [k as u8; 160]);
    }
    UdpSocket::bind("127.0.0.2:0").unwrap().send_to(&[0x80; 172], caller.port).unwrap();
    let above = SocketAddr::new(caller.port.ip(), caller.port.port() + 1);
    caller.socket.send_to(&[0x80, 200, 0, 0], above).unwrap();
    let (ended, received) = bench.close(call(1));
    assert_eq!((received[0].packets, received[0].lost, received[0].foreign), (u64::from(n) + 51, 0, 1));
    assert_eq!((received[1].packets, received[1].invalid), (50, 0));
    let total = rtp::units(ended.mono.since(connected.mono));
    let ends: Vec<u64> = bench.blocks.try_iter().filter_map(|b| b.1).collect();
    assert_eq!(ends, [total]);
    drop(UdpSocket::bind(caller.port).expect("the ports are free again"));
    let totals = bench.media.totals();
    assert_eq!((totals.received, totals.send_failed, totals.blocks_dropped), (u64::from(n) + 102, 0, 0));
}

/// The kernel keeps a socket for the place that was locked; another offer takes it back.
#[test]
fn a_leg_that_moves_is_heard_from_its_new_place_only() {
    let bench = Bench::start(None);
    let (caller, agent, _) = bench.joined(call(1));
    bench.until_heard(&caller, &agent);
    let socket = UdpSocket::bind("127.0.0.3:0").unwrap();
    bench.media.order(Command::Remote { leg: caller.leg, remote: remote(socket.local_addr().unwrap()) });
    let moved = Phone { socket, leg: caller.leg, port: caller.port };
    let (n, _) = bench.until_heard(&moved, &agent);
    agent.send(1);
    assert_eq!(moved.hear().unwrap().1, [1; 160]);
    caller.send(n + 1);
    moved.send(n + 2);
    assert_eq!(agent.hear().unwrap().1, [(n + 2) as u8; 160]);
    let (_, received) = bench.close(call(1));
    assert_eq!((received[0].foreign, received[1].foreign), (1, 0));
}

#[test]
fn a_greeting_is_played_to_its_end() {
    let bench = Bench::start(None);
    let (caller, agent, _) = bench.joined(call(1));
    let (n, first) = bench.until_heard(&agent, &caller);
    let ordered = bench.clock.now();
    bench.media.order(Command::Play { call: call(1), play: Play::Greeting, audio: vec![1_000; 1_600].into() });
    let prompt: Vec<_> = (0..10).map(|_| caller.hear().unwrap()).collect();
    assert!(prompt.iter().all(|(_, payload)| *payload == vec![Law::A.encode(1_000); 160]));
    for (k, (header, _)) in prompt.iter().enumerate() {
        assert_eq!(header.sequence, first.sequence.wrapping_add(1 + k as u16));
        assert_eq!(header.timestamp, prompt[0].0.timestamp.wrapping_add(160 * k as u32));
    }
    let mut plays = std::iter::from_fn(|| Some(bench.event())).filter_map(|event| match event {
        Event::PlayStarted { at, .. } => Some((at, None)),
        Event::PlayEnded { at, to_end, .. } => Some((at, Some(to_end))),
        _ => None,
    });
    let (started, ended) = (plays.next().unwrap(), plays.next().unwrap());
    assert!(started.0.mono >= ordered.mono);
    assert_eq!(ended.0.mono.since(started.0.mono), Duration::from_millis(200));
    assert_eq!(ended.1, Some(true));
    agent.send(n + 20);
    let (header, payload) = caller.hear().unwrap();
    assert_eq!((header.sequence, header.marker), (first.sequence.wrapping_add(11), true));
    assert_eq!(payload, [(n + 20) as u8; 160]);
}

#[test]
fn a_port_in_use_is_reported() {
    let bench = Bench::start(None);
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let local = taken.local_addr().unwrap();
    bench.media.order(Command::Open { call: call(1), leg: LegId(1), side: Side::Caller, local });
    assert!(matches!(bench.event(), Event::BindFailed { leg: LegId(1), .. }));
}

#[test]
fn a_bug_in_one_call_ends_that_call_alone() {
    let bench = Bench::start(Some(call(1)));
    let (caller, agent, _) = bench.joined(call(2));
    let (_caller, _agent, _) = bench.joined(call(1));
    let closed: Vec<LegId> = (0..2)
        .map(|_| match bench.event() {
            Event::Closed { call: of, leg, .. } if of == call(1) => leg,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(closed, [LegId(10), LegId(11)]);
    bench.until_heard(&caller, &agent);
    assert_eq!(bench.close(call(2)).1.len(), 2);
    assert_eq!(bench.media.totals().panics, 1);
}

/// Not a test: prints how even a prompt's packets come while forty calls are greeted at once.
/// `cargo test --lib -- --ignored --nocapture prompt_pace`.
#[test]
#[ignore = "prints a figure"]
#[expect(clippy::print_stdout, reason = "prints a figure")]
fn prompt_pace() {
    let bench = Bench::start(None);
    let calls: Vec<(Phone, Phone, Now)> = (1..=40).map(|n| bench.joined(call(n))).collect();
    for n in 1..=40 {
        bench.media.order(Command::Play { call: call(n), play: Play::Greeting, audio: vec![9; 32_000].into() });
    }
    let caller = &calls[39].0;
    let came: Vec<u64> = (0..200)
        .map(|_| {
            caller.hear().unwrap();
            bench.clock.now().mono.as_nanos()
        })
        .collect();
    let mut late: Vec<i64> = (0..200).map(|n| (came[n] - came[0]) as i64 - n as i64 * 20_000_000).collect();
    late.sort_unstable();
    let (median, p99, worst) = (late[100] / 1_000, late[197] / 1_000, late[199] / 1_000);
    println!("late against the first packet: median {median} us, p99 {p99} us, worst {worst} us");
    println!("{:?}", bench.media.totals());
}

/// Two ports side by side.
fn pair() -> (UdpSocket, UdpSocket) {
    loop {
        let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let above = SocketAddr::from(([127, 0, 0, 1], rtp.local_addr().unwrap().port().wrapping_add(1).max(1)));
        if let Ok(rtcp) = UdpSocket::bind(above) {
            rtp.set_read_timeout(Some(PATIENCE)).unwrap();
            rtcp.set_read_timeout(Some(PATIENCE)).unwrap();
            return (rtp, rtcp);
        }
    }
}

#[test]
fn the_ringing_tone_is_sent_and_reports_leave_from_the_odd_port() {
    let bench = Bench::start(None);
    let (rtp, rtcp) = pair();
    let phone = bench.phone(call(1), LegId(1));
    let (leg, to) = (phone.leg, rtp.local_addr().unwrap());
    let remote = Remote {
        rtp: to,
        allowed: vec![to.ip()],
        codec: Codec::Pcma,
        payload_type: 8,
        srtp: None,
        packet_ms: None,
        comfort_noise: None,
        telephone_event: None,
        send: true,
        receive: true,
    };
    bench.media.order(Command::Remote { leg, remote });
    let (burst, period) = (Duration::from_secs(1), Duration::from_secs(5));
    bench.media.order(Command::Ringback { leg, burst, period });
    assert!(matches!(bench.event(), Event::RingbackStarted { leg: rung, .. } if rung == leg));
    let phone = Phone { socket: rtp, ..phone };
    let first = phone.hear().unwrap().0;
    let begun = bench.clock.now().mono;
    let mut last = first;
    for _ in 0..50 {
        last = phone.hear().unwrap().0;
    }
    let line = last.timestamp.wrapping_sub(first.timestamp) / 8;
    let wall = bench.clock.now().mono.since(begun).as_millis();
    assert!(line >= 1_000 && wall.abs_diff(u128::from(line)) < 200, "{line} ms of tone in {wall} ms");
    let mut buffer = [0; 2_048];
    let (length, from) = rtcp.recv_from(&mut buffer).unwrap();
    assert_eq!(from.port(), phone.port.port() + 1);
    let compound = rtp::rtcp::Compound::parse(&buffer[..length]).unwrap();
    assert!(compound.reports().next().unwrap().sender.is_some_and(|info| info.packets > 0));
    bench.media.order(Command::CloseCall { call: call(1), ended: bench.clock.now() });
    let (length, _) = rtcp.recv_from(&mut buffer).unwrap();
    assert!(rtp::rtcp::Compound::parse(&buffer[..length]).unwrap().says_bye());
    assert!(matches!(bench.event(), Event::Closed { .. }));
    assert!(bench.media.totals().rtcp_sent >= 2);
}
