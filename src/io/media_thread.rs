//! The loop of one media thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::clock::{RunClock, arrival};
use super::departing::{Departing, Way};
use super::places::Places;
use super::rtp::{Counters, Report};
use super::socket::{Datagram, RTP_BYTES, Reader, bind_pair, connected};
use crate::clock::{Instant, Now};
use crate::ids::{CallId, LegId, Random};
use crate::media::{About, Block, BlockSink, Bridge, Command, Component, Event, Recorded, Scratch, Transmit};
use crate::protocol::rtp::Received;

/// What an event of epoll is about; below them: the number of a socket.
const WAKE: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;

/// Events fetched at one wake-up.
const MAX_EVENTS: usize = 256;

/// Packets read from one socket at one wake-up.
const MAX_PACKETS: usize = 16;

/// Packets read before the first of them is looked at: few enough that none waits, and all of them stay in the cache.
const READ_AHEAD: usize = 32;

/// Deadlines are met on a grid, so that a thousand prompts cost a thousand wake-ups a second and not fifty thousand. A
/// packet time is a multiple of it: a prompt is late by the same part of it with each packet, which is no jitter.
const GRID: Duration = Duration::from_millis(1);

/// A packet younger than this is most likely the only one: epoll tells if it is not, at the cost of no system call.
const BACKLOG: Duration = Duration::from_millis(1);

pub(super) struct MediaThread {
    clock: RunClock,
    inbox: Receiver<Command>,
    wake: Arc<EventFd>,
    timer: TimerFd,
    /// What the timer is set to.
    armed: Option<Instant>,
    calls: Places<Call>,
    slot_of: BTreeMap<CallId, usize>,
    reader: Reader,
    /// Read, and not looked at yet.
    unread: Vec<Arrived>,
    random: Random,
    scratch: Scratch,
    edge: Edge,
}

/// A datagram of one of a call's sockets.
struct Arrived {
    /// Slot of its call.
    call: usize,
    leg: LegId,
    component: Component,
    datagram: Datagram,
}

/// What the calls of a thread share: sockets, deadlines and whom they report to.
struct Edge {
    epoll: Epoll,
    ports: Places<Port>,
    call_of: BTreeMap<LegId, CallId>,
    /// Deadlines of calls, by their slots; one may be early, never late.
    deadlines: BTreeSet<(Instant, usize)>,
    sink: Box<dyn BlockSink>,
    report: Report,
    counters: Arc<Counters>,
    departing: Departing,
}

struct Call {
    id: CallId,
    bridge: Bridge,
    /// Few, so that looking through them is quicker than any tree.
    legs: Vec<Leg>,
    deadline: Option<Instant>,
    /// Frames given to the recorder; `None`: not recorded.
    recorded: Option<u64>,
}

/// The numbers of a leg's ports.
struct Leg {
    id: LegId,
    rtp: usize,
    rtcp: usize,
    /// The socket that only the locked peer reaches, by the short way through the kernel, and that peer.
    locked: Option<(SocketAddr, usize)>,
}

struct Port {
    socket: UdpSocket,
    /// Slot of its call.
    call: usize,
    leg: LegId,
    component: Component,
}

impl MediaThread {
    pub(super) fn new(
        clock: RunClock,
        inbox: Receiver<Command>,
        wake: Arc<EventFd>,
        sink: Box<dyn BlockSink>,
        report: Report,
        counters: Arc<Counters>,
        random: Random,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        epoll.add(&*wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        let (ports, call_of, deadlines) = (Places::default(), BTreeMap::new(), BTreeSet::new());
        let departing = Departing::default();
        let edge = Edge { epoll, ports, call_of, deadlines, sink, report, counters, departing };
        Ok(MediaThread {
            clock,
            inbox,
            wake,
            timer,
            armed: None,
            calls: Places::default(),
            slot_of: BTreeMap::new(),
            reader: Reader::with_capacity(READ_AHEAD, RTP_BYTES),
            unread: Vec::with_capacity(READ_AHEAD),
            random,
            scratch: Scratch::default(),
            edge,
        })
    }

    /// Until the other end of the orders is gone. An error is one of epoll or the timer itself.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); MAX_EVENTS];
        super::priority::ahead();
        loop {
            self.arm()?;
            let ready = match self.edge.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let now = self.clock.now();
            let mut woken = false;
            for event in &events[..ready] {
                match event.data() {
                    WAKE => woken = true,
                    TIMER => self.rang(),
                    port => self.receive(port as usize, now, BACKLOG),
                }
            }
            self.take_in(now);
            self.time_out(now);
            if woken && !self.obey() {
                return Ok(());
            }
            self.edge.depart();
        }
    }

    /// Sets the timer to the earliest deadline, on the grid that all calls share.
    fn arm(&mut self) -> io::Result<()> {
        let Some((first, _)) = self.edge.deadlines.first() else { return Ok(()) };
        let first = first.round_up(GRID);
        if self.armed == Some(first) {
            return Ok(());
        }
        // Zero would switch it off.
        let wait = first.since(self.clock.now().mono).max(Duration::from_nanos(1));
        self.timer.set(Expiration::OneShot(TimeSpec::from_duration(wait)), TimerSetTimeFlags::empty())?;
        self.armed = Some(first);
        Ok(())
    }

    fn rang(&mut self) {
        self.armed = None;
        // Takes the event away; there is nothing else to learn from it.
        let _ = self.timer.wait();
    }

    /// Reads a socket until it is empty, or a packet is younger than `backlog`.
    ///
    /// Reading, looking and sending are done for many packets in a row each: the code of one of them, the kernel's above all, is
    /// not driven from the cache by that of the next.
    fn receive(&mut self, number: usize, now: Now, backlog: Duration) {
        for _ in 0..MAX_PACKETS {
            if self.reader.is_full() {
                self.take_in(now);
            }
            let Some(port) = self.edge.ports.get(number) else { return };
            let datagram = match self.reader.receive(&port.socket) {
                Ok(Some(datagram)) => datagram,
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, leg = ?port.leg, "reading a media socket");
                    return;
                }
            };
            let came = came(now, &datagram);
            let Port { call, leg, component, .. } = *port;
            self.unread.push(Arrived { call, leg, component, datagram });
            if now.mono.since(came.mono) < backlog {
                return;
            }
        }
    }

    /// Gives what was read to its calls.
    fn take_in(&mut self, now: Now) {
        let mut unread = std::mem::take(&mut self.unread);
        for Arrived { call, leg, component, datagram } in unread.drain(..) {
            count(match component {
                Component::Rtp => &self.edge.counters.received,
                Component::Rtcp => &self.edge.counters.rtcp,
            });
            let came = came(now, &datagram);
            self.guarded(call, |bridge, reader| {
                let bytes = reader.bytes(&datagram.bytes);
                match component {
                    Component::Rtp => bridge.handle_rtp(now, leg, datagram.source, came, bytes),
                    Component::Rtcp => bridge.handle_rtcp(now, leg, datagram.source, came, bytes),
                }
            });
        }
        self.unread = unread;
        self.reader.clear();
    }

    fn time_out(&mut self, now: Now) {
        while let Some((at, call)) = self.edge.deadlines.first().copied().filter(|(at, _)| *at <= now.mono) {
            self.edge.deadlines.remove(&(at, call));
            if let Some(entry) = self.calls.get_mut(call) {
                entry.deadline = None;
            }
            self.guarded(call, |bridge, _| {
                if bridge.poll_timeout().is_some_and(|(at, _)| at <= now.mono) {
                    bridge.handle_timeout(now);
                }
            });
        }
    }

    /// False when there will be no more orders.
    fn obey(&mut self) -> bool {
        // Empties the counter; the orders are in the channel.
        let _ = self.wake.read();
        loop {
            match self.inbox.try_recv() {
                // Read after the order was given: what comes of it must not seem to be earlier.
                Ok(command) => self.order(self.clock.now(), command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn order(&mut self, now: Now, command: Command) {
        let call = match command.about() {
            About::Call(call) => call,
            About::Leg(leg) => {
                let Some(call) = self.edge.call_of.get(&leg) else { return };
                *call
            }
        };
        match &command {
            Command::Open { leg, local, .. } => {
                if let Err(error) = self.open(call, *leg, *local) {
                    (self.edge.report)(Event::BindFailed { call, leg: *leg, error: error.to_string() });
                    return;
                }
            }
            Command::CloseCall { .. } => self.drain(call, now),
            Command::Bridge { record: true, .. } | Command::Attend { record: true, .. } => {
                if let Some(entry) = self.call(call) {
                    entry.recorded.get_or_insert(0);
                }
            }
            _ => {}
        }
        let Some(slot) = self.slot_of.get(&call) else { return };
        let _span = tracing::info_span!("media", %call).entered();
        self.guarded(*slot, |bridge, _| bridge.handle(now, command));
    }

    fn call(&mut self, call: CallId) -> Option<&mut Call> {
        self.calls.get_mut(*self.slot_of.get(&call)?)
    }

    /// The place of a call; a new one has a bridge.
    fn slot(&mut self, call: CallId) -> usize {
        if let Some(slot) = self.slot_of.get(&call) {
            return *slot;
        }
        let bridge = Bridge::new(call, Random::from_seed(self.random.bytes()));
        let slot = self.calls.put(Call { id: call, bridge, legs: Vec::new(), deadline: None, recorded: None });
        self.slot_of.insert(call, slot);
        slot
    }

    fn open(&mut self, call: CallId, leg: LegId, local: SocketAddr) -> io::Result<()> {
        let (rtp, rtcp) = bind_pair(local)?;
        let slot = self.slot(call);
        let opened = self.edge.open(slot, leg, rtp, rtcp);
        let Some(entry) = self.calls.get_mut(slot) else { return Ok(()) };
        match opened {
            Ok([rtp, rtcp]) => {
                entry.legs.push(Leg { id: leg, rtp, rtcp, locked: None });
                self.edge.call_of.insert(leg, call);
                Ok(())
            }
            Err(error) => {
                if entry.bridge.is_over() {
                    self.calls.take(slot);
                    self.slot_of.remove(&call);
                }
                Err(error)
            }
        }
    }

    /// What came before the end belongs to the call.
    fn drain(&mut self, call: CallId, now: Now) {
        let legs = self.call(call).into_iter().flat_map(|entry| &entry.legs);
        let ports: Vec<usize> =
            legs.flat_map(|leg| leg.locked.map(|(_, port)| port).into_iter().chain([leg.rtp])).collect();
        for port in ports {
            self.receive(port, now, Duration::ZERO);
        }
        self.take_in(now);
    }

    /// Lets a call's bridge do something and carries out what comes of it. If it panics, that call's media ends.
    fn guarded(&mut self, slot: usize, act: impl FnOnce(&mut Bridge, &Reader)) {
        let Some(entry) = self.calls.get_mut(slot) else { return };
        let mut scratch = std::mem::take(&mut self.scratch);
        let done = catch_unwind(AssertUnwindSafe(|| {
            entry.bridge.swap_scratch(&mut scratch);
            act(&mut entry.bridge, &self.reader);
            self.edge.carry_out(slot, entry);
            entry.bridge.swap_scratch(&mut scratch);
            self.scratch = scratch;
        }));
        match done {
            Ok(()) if !entry.bridge.is_over() => return,
            Ok(()) => self.edge.forget(slot, entry),
            Err(_) => self.edge.fail(slot, entry),
        }
        self.slot_of.remove(&entry.id);
        self.calls.take(slot);
    }
}

impl Edge {
    fn add(&mut self, port: Port) -> io::Result<usize> {
        let number = self.ports.put(port);
        let added = match self.ports.get(number) {
            Some(port) => self.epoll.add(&port.socket, EpollEvent::new(EpollFlags::EPOLLIN, number as u64)),
            None => Ok(()),
        };
        if let Err(error) = added {
            self.ports.take(number);
            return Err(error.into());
        }
        Ok(number)
    }

    fn open(&mut self, call: usize, leg: LegId, rtp: UdpSocket, rtcp: UdpSocket) -> io::Result<[usize; 2]> {
        let rtp = self.add(Port { socket: rtp, call, leg, component: Component::Rtp })?;
        match self.add(Port { socket: rtcp, call, leg, component: Component::Rtcp }) {
            Ok(rtcp) => Ok([rtp, rtcp]),
            Err(error) => {
                self.ports.take(rtp);
                Err(error)
            }
        }
    }

    /// Gives a leg whose peer is known for sure a socket of its own for that peer, or takes it back.
    fn lock(&mut self, slot: usize, leg: &mut Leg, peer: Option<SocketAddr>) {
        if let Some((_, number)) = leg.locked.take() {
            self.shut(number);
        }
        let (Some(peer), Some(port)) = (peer, self.ports.get(leg.rtp)) else { return };
        let locked = connected(&port.socket, peer)
            .and_then(|socket| self.add(Port { socket, call: slot, leg: leg.id, component: Component::Rtp }));
        match locked {
            Ok(number) => leg.locked = Some((peer, number)),
            // The other socket does all that this one would, a little slower.
            Err(error) => tracing::debug!(%error, leg = ?leg.id, "no socket for one peer"),
        }
    }

    fn carry_out(&mut self, call: usize, entry: &mut Call) {
        let stirred = entry.bridge.take_stirred() || entry.deadline.is_none();
        if stirred {
            for leg in &mut entry.legs {
                let peer = entry.bridge.peer(leg.id);
                if peer != leg.locked.map(|(peer, _)| peer) {
                    self.lock(call, leg, peer);
                }
            }
        }
        while let Some(transmit) = entry.bridge.poll_transmit() {
            match entry.legs.iter().find(|leg| leg.id == transmit.leg) {
                Some(leg) => self.departing.put(leg.way(&transmit), transmit.bytes),
                None => count(&self.counters.send_failed),
            }
        }
        if self.departing.is_full() {
            self.depart();
        }
        while let Some(recorded) = entry.bridge.poll_recorded() {
            self.record(entry, recorded);
        }
        while let Some(event) = entry.bridge.poll_event() {
            if let Event::Closed { leg, .. } = &event {
                self.close(*leg, entry);
            }
            (self.report)(event);
        }
        if !stirred {
            return;
        }
        let next = entry.bridge.poll_timeout().map(|(at, _)| at);
        if let Some(next) = next.filter(|next| entry.deadline.is_none_or(|old| *next < old)) {
            self.deadlines.extend([(next, call)]);
            if let Some(old) = entry.deadline.replace(next) {
                self.deadlines.remove(&(old, call));
            }
        }
    }

    /// Sends what waits for it.
    fn depart(&mut self) {
        for (way, bytes) in self.departing.packets() {
            let sent = self.ports.get(way.port).map(|port| send(&port.socket, way.to, bytes));
            count(match (sent, way.component) {
                (Some(Ok(_)), Component::Rtp) => &self.counters.sent,
                (Some(Ok(_)), Component::Rtcp) => &self.counters.rtcp_sent,
                (Some(Err(_)) | None, _) => &self.counters.send_failed,
            });
        }
        self.departing.clear();
    }

    /// Closes a socket, once all that it was to send is sent. Closing the descriptor takes it out of epoll: nobody else holds a copy.
    fn shut(&mut self, number: usize) {
        self.depart();
        self.ports.take(number);
    }

    fn record(&mut self, entry: &mut Call, recorded: Recorded) {
        match recorded {
            Recorded::Block(block) => {
                entry.recorded = Some(end_of(&block));
                if self.sink.block(block).is_err() {
                    count(&self.counters.blocks_dropped);
                }
            }
            Recorded::End { call, total_frames } => {
                entry.recorded = None;
                self.sink.end(call, total_frames);
            }
            Recorded::Forget { call } => {
                entry.recorded = None;
                self.sink.forget(call);
            }
        }
    }

    fn close(&mut self, leg: LegId, entry: &mut Call) {
        self.call_of.remove(&leg);
        let Some(at) = entry.legs.iter().position(|other| other.id == leg) else { return };
        let Leg { rtp, rtcp, locked, .. } = entry.legs.swap_remove(at);
        for number in locked.map(|(_, number)| number).into_iter().chain([rtp, rtcp]) {
            self.shut(number);
        }
    }

    fn forget(&mut self, call: usize, entry: &Call) {
        if let Some(deadline) = entry.deadline {
            self.deadlines.remove(&(deadline, call));
        }
    }

    /// A bug in one call ends that call's media and nothing else.
    fn fail(&mut self, slot: usize, entry: &mut Call) {
        let call = entry.id;
        count(&self.counters.panics);
        tracing::error!(%call, "a bug ended the media of a call");
        self.forget(slot, entry);
        if let Some(total_frames) = entry.recorded {
            self.sink.end(call, total_frames);
        }
        while let Some(leg) = entry.legs.first().map(|leg| leg.id) {
            self.close(leg, entry);
            (self.report)(Event::Closed { call, leg, received: Received::default() });
        }
    }
}

impl Leg {
    /// From which socket a packet goes, and whereto.
    fn way(&self, transmit: &Transmit<'_>) -> Way {
        let Transmit { component, to, .. } = *transmit;
        match (component, self.locked) {
            (Component::Rtcp, _) => Way { port: self.rtcp, component, to: Some(to) },
            (Component::Rtp, Some((peer, port))) if peer == to => Way { port, component, to: None },
            (Component::Rtp, _) => Way { port: self.rtp, component, to: Some(to) },
        }
    }
}

/// `to`: none for a socket that has only one peer.
fn send(socket: &UdpSocket, to: Option<SocketAddr>, bytes: &[u8]) -> io::Result<usize> {
    let Some(to) = to else {
        let sent = socket.send(bytes);
        // That is what the network said of an earlier packet; this one was not sent yet.
        let earlier = sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        return if earlier { socket.send(bytes) } else { sent };
    };
    socket.send_to(bytes, to)
}

/// When a datagram came; `now` where the kernel did not say.
fn came(now: Now, datagram: &Datagram) -> Now {
    datagram.stamp.map_or(now, |stamp| arrival(now, stamp))
}

fn end_of(block: &Block) -> u64 {
    block.first_frame + block.samples.len() as u64 / 2
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
