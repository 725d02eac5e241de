//! Media threads: each owns the RTP sockets and bridges of its calls. They touch no disk and no lock that others hold.
//!
//! Plain level-triggered epoll: one clock read a wake-up, one `recvmsg` for each packet; what a wake-up read is looked at in a row,
//! and what comes of it is sent in a row. A timerfd
//! carries the bridges' deadlines, on a grid of one millisecond that all calls share: prompts of many calls are sent at
//! one wake-up, and each keeps its place on the grid, so the rounding is no jitter.
//!
//! Once a leg's peer is locked it has a connected socket of its own, which the kernel finds and routes the short way;
//! strangers reach only the first socket of that port, and are counted.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::clock::RunClock;
use super::media_thread::MediaThread;
use crate::ids::{CallId, LegId, Random};
use crate::media::{About, BlockSink, Command, Event};

/// Who is told what happened; called on media threads, so it must not block.
pub type Report = Arc<dyn Fn(Event) + Send + Sync>;

/// All media threads. Dropping it closes every socket and ends them.
pub struct MediaThreads {
    threads: Vec<Thread>,
    routes: Mutex<Routes>,
}

struct Thread {
    /// `None` once it is told to end.
    orders: Option<Sender<Command>>,
    /// There are orders that it was not woken for.
    waiting: AtomicBool,
    wake: Arc<EventFd>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

/// Which call a leg belongs to: orders of one call go to one thread.
#[derive(Debug, Default)]
struct Routes {
    call_of: BTreeMap<LegId, CallId>,
    legs_of: BTreeMap<CallId, Vec<LegId>>,
}

/// Counted by one thread since its start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) send_failed: AtomicU64,
    pub(super) rtcp: AtomicU64,
    pub(super) rtcp_sent: AtomicU64,
    pub(super) blocks_dropped: AtomicU64,
    pub(super) panics: AtomicU64,
}

/// Sums over all threads since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Datagrams read from RTP ports, whatever they were.
    pub received: u64,
    pub sent: u64,
    /// Packets that the kernel did not take.
    pub send_failed: u64,
    /// Datagrams read from RTCP ports, whatever they were.
    pub rtcp: u64,
    pub rtcp_sent: u64,
    /// Blocks that the recorder's queue had no place for.
    pub blocks_dropped: u64,
    /// Calls whose media ended by a bug.
    pub panics: u64,
}

impl MediaThreads {
    /// `sink` is called once for each of the `n` threads (at least one).
    pub fn start(
        n: usize,
        clock: RunClock,
        sink: impl Fn() -> Box<dyn BlockSink>,
        report: &Report,
    ) -> io::Result<MediaThreads> {
        let threads: io::Result<Vec<Thread>> =
            (0..n.max(1)).map(|number| Thread::start(number, clock, sink(), Arc::clone(report))).collect();
        Ok(MediaThreads { threads: threads?, routes: Mutex::default() })
    }

    /// Gives an order to the thread of its call, at once. Never blocks for long; an order for an unknown leg is dropped.
    pub fn order(&self, command: Command) {
        self.queue(command);
        self.wake();
    }

    /// The same, for the next [`MediaThreads::wake`]: whoever has several orders wakes the threads once, not before each is written.
    pub fn queue(&self, command: Command) {
        let call = self.routes.lock().unwrap_or_else(PoisonError::into_inner).route(&command);
        if let Some(call) = call {
            // The low half of a UUIDv7 is random.
            let number = call.0.as_u128() as u64 % self.threads.len() as u64;
            self.threads[number as usize].queue(command);
        }
    }

    /// Every thread that has orders looks at them.
    pub fn wake(&self) {
        self.threads.iter().filter(|thread| thread.waiting.swap(false, Ordering::AcqRel)).for_each(Thread::wake);
    }

    pub fn totals(&self) -> Totals {
        let sum = |pick: fn(&Counters) -> &AtomicU64| {
            self.threads.iter().map(|t| pick(&t.counters).load(Ordering::Relaxed)).sum()
        };
        Totals {
            received: sum(|c| &c.received),
            sent: sum(|c| &c.sent),
            send_failed: sum(|c| &c.send_failed),
            rtcp: sum(|c| &c.rtcp),
            rtcp_sent: sum(|c| &c.rtcp_sent),
            blocks_dropped: sum(|c| &c.blocks_dropped),
            panics: sum(|c| &c.panics),
        }
    }
}

impl Drop for MediaThreads {
    fn drop(&mut self) {
        for thread in &mut self.threads {
            thread.orders = None;
            thread.wake();
        }
        for thread in self.threads.iter_mut().filter_map(|t| t.thread.take()) {
            if thread.join().is_err() {
                tracing::error!("a media thread panicked");
            }
        }
    }
}

impl Thread {
    fn start(number: usize, clock: RunClock, sink: Box<dyn BlockSink>, report: Report) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel();
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
        let counters = Arc::new(Counters::default());
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        let random = Random::from_seed(seed);
        let mut media = MediaThread::new(clock, inbox, Arc::clone(&wake), sink, report, Arc::clone(&counters), random)?;
        let thread = thread::Builder::new().name(format!("media-{number}")).spawn(move || {
            if let Err(error) = media.run() {
                tracing::error!(%error, "a media thread ended");
            }
        })?;
        Ok(Thread { orders: Some(orders), waiting: AtomicBool::new(false), wake, counters, thread: Some(thread) })
    }

    fn queue(&self, command: Command) {
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(command).is_ok());
        if !sent {
            tracing::error!("an order for a media thread that has ended");
        }
        self.waiting.store(true, Ordering::Release);
    }

    fn wake(&self) {
        // Refused only when the counter is full, and then the thread is being woken anyway.
        let _ = self.wake.write(1);
    }
}

impl Routes {
    fn route(&mut self, command: &Command) -> Option<CallId> {
        let call = match command.about() {
            About::Call(call) => call,
            About::Leg(leg) => self.call_of.get(&leg).copied()?,
        };
        match command {
            Command::Open { leg, .. } => {
                self.call_of.insert(*leg, call);
                self.legs_of.entry(call).or_default().push(*leg);
            }
            Command::CloseLeg { leg } => {
                self.call_of.remove(leg);
                if let Some(legs) = self.legs_of.get_mut(&call) {
                    legs.retain(|other| other != leg);
                }
            }
            Command::CloseCall { .. } => {
                for leg in self.legs_of.remove(&call).unwrap_or_default() {
                    self.call_of.remove(&leg);
                }
            }
            _ => {}
        }
        Some(call)
    }
}

#[cfg(test)]
#[path = "rtp_tests.rs"]
mod tests;
