//! What a packet costs a media thread with its sockets, and what it costs a plain relay that looks at nothing: the floor.
//! CPU time of the thread alone, by the kernel's count.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use hotline::clock::Wall;
use hotline::ids::{CallId, LegId, Random, Side};
use hotline::io::clock::RunClock;
use hotline::io::rtp::MediaThreads;
use hotline::media::{Block, BlockSink, Codec, Command, Event, Play, Remote};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::unistd::Pid;

use crate::measure::Report;
use crate::media::voice;
use crate::phones::Phones;

const CALLS: usize = 500;
/// 2 s of talk.
const ROUNDS: usize = 100;
/// One is the floor's, then ours, in turn.
const PAIRS: usize = 4;
/// Behind its place by so much, a packet of a greeting is late.
const LATE_US: i64 = 20_000;

/// A packet relayed by a plain loop, and by a media thread that measures it, relays it and makes blocks of a recording of it.
pub(crate) fn floor(report: &mut Report) {
    let (calls, rounds) = if report.is_measuring() { (CALLS, ROUNDS) } else { (2, 3) };
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..if report.is_measuring() { PAIRS } else { 1 } {
        plain.push(plain_relay(calls, rounds));
        ours.push(media_thread(calls, rounds));
    }
    report.costs(&format!("first: a plain relay's packet, {calls} calls"), plain);
    report.costs("the same, measured and recorded by a media thread", ours);
}

/// Everybody hears a greeting at once: packets that came late, of all.
pub(crate) fn greetings(report: &mut Report) {
    let (calls, rounds) = if report.is_measuring() { (1_000, 150) } else { (2, 5) };
    apart();
    let mut lab = Lab::new(calls, true);
    let audio: Arc<[i16]> = vec![1_000; rounds * 160].into();
    for call in 0..calls {
        lab.media.order(Command::Play { call: number(call), play: Play::Greeting, audio: audio.clone().into() });
    }
    let before = cpu_ns("media-0");
    lab.phones.talk(rounds + 25, |_, _| None);
    let spent = cpu_ns("media-0") - before;
    let mut behind = lab.phones.behind_us;
    behind.sort_unstable();
    let (sent, late) = (behind.len(), behind.iter().filter(|us| **us > LATE_US).count());
    assert_eq!(sent, 2 * calls * rounds, "packets of the greetings");
    let p99 = behind[(sent - 1) * 99 / 100];
    report.costs("a greeting's packet, recorded as well", vec![spent as f64 / sent as f64]);
    report.note(&format!(
        "{calls} calls, {sent} packets: {late} late (over {} ms behind their place), p99 {p99} us, most {} us",
        LATE_US / 1_000,
        behind[sent - 1],
    ));
}

fn plain_relay(calls: usize, rounds: usize) -> f64 {
    apart();
    let mut phones = Phones::new(2 * calls);
    let sockets: Vec<UdpSocket> = (0..2 * calls)
        .map(|phone| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            socket.connect(phones.address(phone)).expect("loopback");
            phones.call(phone, socket.local_addr().expect("bound"));
            socket
        })
        .collect();
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let relay = thread::Builder::new().name("floor".to_owned()).spawn(move || relay(&sockets, &told));
    here(1);
    let spent = talked(&mut phones, rounds, "floor");
    stop.store(true, Ordering::Release);
    relay.expect("a thread").join().expect("no panic");
    spent
}

/// Reads a packet and sends it to the other one of its pair.
fn relay(sockets: &[UdpSocket], stop: &AtomicBool) {
    let epoll = Epoll::new(EpollCreateFlags::empty()).expect("an epoll");
    for (number, socket) in sockets.iter().enumerate() {
        epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, number as u64)).expect("room");
    }
    let (mut events, mut buffer) = ([EpollEvent::empty(); 256], [0; 2_048]);
    while !stop.load(Ordering::Acquire) {
        let ready = epoll.wait(&mut events, EpollTimeout::from(50u8)).expect("an epoll");
        for event in &events[..ready] {
            let number = event.data() as usize;
            let length = sockets[number].recv(&mut buffer).expect("it is ready");
            sockets[number ^ 1].send(&buffer[..length]).expect("loopback");
        }
    }
}

fn media_thread(calls: usize, rounds: usize) -> f64 {
    apart();
    talked(&mut Lab::new(calls, true).phones, rounds, "media-0")
}

/// CPU time of `thread` for each packet of a talk, in nanoseconds.
fn talked(phones: &mut Phones, rounds: usize, thread: &str) -> f64 {
    let mut voices: Vec<Vec<u8>> = (0..2).map(|leg| voice(0, LegId(leg + 1), Codec::Pcma)).collect();
    let mut say = |phone: usize, n: usize| {
        let bytes = &mut voices[phone % 2];
        bytes[2..4].copy_from_slice(&(n as u16).to_be_bytes());
        bytes[4..8].copy_from_slice(&(n as u32 * 160).to_be_bytes());
        Some(bytes.clone())
    };
    phones.talk(rounds.div_ceil(10), &mut say);
    let (before, heard) = (cpu_ns(thread), phones.heard);
    phones.talk(rounds, &mut say);
    let (spent, heard) = (cpu_ns(thread) - before, phones.heard - heard);
    assert!(phones.heard * 2 >= phones.sent, "{} of {} packets were passed on", phones.heard, phones.sent);
    spent as f64 / heard as f64
}

/// Calls of two phones each on one media thread.
struct Lab {
    media: MediaThreads,
    phones: Phones,
}

/// A recorder that takes everything.
struct Nowhere;

impl BlockSink for Nowhere {
    fn block(&mut self, block: Block) -> Result<(), Block> {
        drop(block);
        Ok(())
    }

    fn end(&mut self, _: CallId, _: u64) {}

    fn forget(&mut self, _: CallId) {}
}

impl Lab {
    fn new(calls: usize, record: bool) -> Lab {
        let clock = RunClock::start();
        let (to_events, events) = mpsc::channel();
        let report: hotline::io::rtp::Report = Arc::new(move |event| drop(to_events.send(event)));
        let media = MediaThreads::start(1, clock, || Box::new(Nowhere), &report).expect("a thread");
        here(1);
        let phones = Phones::new(2 * calls);
        let mut port = 20_000;
        for call in 0..calls {
            let legs = [LegId(2 * call as u64), LegId(2 * call as u64 + 1)];
            for (leg, phone) in legs.into_iter().zip(2 * call..) {
                let local = opened(&media, &events, number(call), leg, &mut port);
                phones.call(phone, local);
                media.order(Command::Remote { leg, remote: remote(phones.address(phone)) });
            }
            let connected = clock.now();
            media.order(Command::Bridge { call: number(call), caller: legs[0], agent: legs[1], connected, record });
        }
        Lab { media, phones }
    }
}

/// Opens a leg on the next free pair of ports.
fn opened(media: &MediaThreads, events: &Receiver<Event>, call: CallId, leg: LegId, port: &mut u16) -> SocketAddr {
    loop {
        let local = SocketAddr::from(([127, 0, 0, 1], *port));
        *port += 2;
        media.order(Command::Open { call, leg, side: Side::Caller, local });
        // Calls that were made earlier have things to tell too.
        let answer = events.iter().find(|event| matches!(event, Event::Bound { .. } | Event::BindFailed { .. }));
        if let Event::Bound { .. } = answer.expect("the thread lives") {
            return local;
        }
    }
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

fn number(call: usize) -> CallId {
    CallId::new(Wall::from_micros(call as i64 * 1_000), &mut Random::from_number(call as u64))
}

/// What is started now works on the first core; [`here`] moves on.
fn apart() {
    here(0);
}

/// This thread, and what it starts, works on this core, if there is one.
fn here(core: usize) {
    let mut cores = CpuSet::new();
    if cores.set(core).is_ok() {
        // On a machine with one core all share it.
        let _ = sched_setaffinity(Pid::from_raw(0), &cores);
    }
}

/// CPU time of this process's thread of that name so far.
fn cpu_ns(name: &str) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux").flatten().map(|task| task.path());
    let wanted =
        |path: &std::path::PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name);
    tasks
        .filter(wanted)
        .filter_map(|path| fs::read_to_string(path.join("schedstat")).ok())
        .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
        .sum()
}
