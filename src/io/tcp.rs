//! SIP over TCP: connections that peers open, and connections that we open toward them.
//!
//! A connection carries many calls, so only what makes it useless ends it: its end, an error, a stream in which the next message
//! cannot be found, a message that is not completed in time, a peer that does not read. A message that is wrong in itself
//! is answered or passed over.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::door::Knock;
use super::mailbox::Lane;
use super::udp::Reception;
use crate::clock::Instant;
use crate::gateway::Input;
use crate::limits;
use crate::metrics::SipRejection;
use crate::protocol::sip::endpoint::{ConnectionId, Flow, SessionId, Transport};
use crate::protocol::sip::framing::{Framer, FramingLost};

/// Messages that may wait for a slow peer.
const WRITE_QUEUE: usize = 256;

/// What a peer sends to be told that the connection lives, and our answer (RFC 5626 section 4.4.1).
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// All TCP connections of the gateway; clones share them.
#[derive(Clone)]
pub struct Tcp {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: Handle,
    reception: Reception,
    next: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    by_id: BTreeMap<ConnectionId, Connection>,
    by_remote: BTreeMap<SocketAddr, ConnectionId>,
}

struct Connection {
    remote: SocketAddr,
    writer: mpsc::Sender<Outgoing>,
    /// Tells the reader that the connection is given up.
    given_up: Arc<Notify>,
}

struct Outgoing {
    bytes: Arc<[u8]>,
    session: Option<SessionId>,
}

/// Both ends of a connection's life.
struct Line {
    id: ConnectionId,
    queue: mpsc::Receiver<Outgoing>,
    given_up: Arc<Notify>,
}

impl Tcp {
    pub fn new(runtime: Handle, reception: Reception) -> Tcp {
        let open = Mutex::default();
        Tcp { shared: Arc::new(Shared { runtime, reception, next: AtomicU64::new(1), open }) }
    }

    /// Takes connections on this listener until the runtime ends.
    pub fn listen(&self, listener: TcpListener, local: SocketAddr) {
        let tcp = self.clone();
        self.shared.runtime.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, remote)) => tcp.admit(stream, local, remote),
                    Err(error) => {
                        // Out of descriptors: the next try may find some.
                        tracing::warn!(%error, "cannot take a TCP connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
    }

    /// Hands bytes to the connection of this flow, opening one if there is none. A failure comes back through the mailbox.
    pub fn send(&self, flow: Flow, bytes: Arc<[u8]>, session: Option<SessionId>) {
        let outgoing = Outgoing { bytes, session };
        let mut open = self.open();
        let id = flow.connection.filter(|id| open.by_id.contains_key(id));
        let id = id.or_else(|| open.by_remote.get(&flow.remote).copied());
        match id.and_then(|id| open.by_id.get(&id)) {
            Some(connection) => {
                if let Err(error) = connection.writer.try_send(outgoing) {
                    tracing::info!(remote = %flow.remote, "a TCP peer does not read; given up");
                    connection.given_up.notify_one();
                    self.not_sent(error.into_inner().session);
                }
            }
            None => {
                let line = self.add(&mut open, flow.remote, Some(outgoing));
                let tcp = self.clone();
                self.shared.runtime.spawn(async move { tcp.connect(line, flow).await });
            }
        }
    }

    /// A connection that a peer has opened.
    fn admit(&self, stream: TcpStream, local: SocketAddr, remote: SocketAddr) {
        let reception = &self.shared.reception;
        let stranger = self.is_stranger(remote);
        if stranger && !reception.door.opens_to_strangers() {
            return reception.counters.sip_rejected(SipRejection::Stranger, 1);
        }
        let mut open = self.open();
        if stranger && self.strangers_are_too_many(&open, remote.ip()) {
            return reception.counters.sip_rejected(SipRejection::Connections, 1);
        }
        if open.by_id.len() >= limits::TCP_CONNECTIONS
            || open.of_source(remote.ip()) >= limits::TCP_CONNECTIONS_PER_SOURCE
        {
            tracing::debug!(%remote, "too many TCP connections; refused");
            return reception.counters.sip_rejected(SipRejection::Connections, 1);
        }
        let line = self.add(&mut open, remote, None);
        drop(open);
        let flow = Flow { transport: Transport::Tcp, local, remote, connection: Some(line.id) };
        self.run(line, stream, flow);
    }

    fn add(&self, open: &mut Open, remote: SocketAddr, first: Option<Outgoing>) -> Line {
        let (writer, queue) = mpsc::channel(WRITE_QUEUE);
        if let Some(first) = first {
            let _ = writer.try_send(first);
        }
        let id = ConnectionId(self.shared.next.fetch_add(1, Ordering::Relaxed));
        let given_up = Arc::<Notify>::default();
        open.by_id.insert(id, Connection { remote, writer, given_up: Arc::clone(&given_up) });
        open.by_remote.insert(remote, id);
        Line { id, queue, given_up }
    }

    async fn connect(&self, line: Line, flow: Flow) {
        let opened = timeout(limits::TCP_CONNECT, TcpStream::connect(flow.remote)).await;
        match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                let flow = Flow { connection: Some(line.id), ..flow };
                self.run(line, stream, flow);
            }
            Err(error) => {
                tracing::info!(%error, remote = %flow.remote, "cannot connect");
                self.forget(line.id);
                self.drop_queue(line.queue).await;
            }
        }
    }

    fn run(&self, line: Line, stream: TcpStream, flow: Flow) {
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        self.shared.runtime.spawn(self.clone().write(line.id, write, line.queue));
        self.shared.runtime.spawn(self.clone().read(line.id, read, flow, line.given_up));
    }

    async fn read(self, id: ConnectionId, stream: OwnedReadHalf, flow: Flow, given_up: Arc<Notify>) {
        let why = tokio::select! {
            why = self.follow(stream, flow) => why,
            () = given_up.notified() => "it was given up",
        };
        tracing::debug!(why, remote = %flow.remote, "a TCP connection ends");
        self.forget(id);
    }

    /// Reads messages until there is a reason to stop.
    async fn follow(&self, mut stream: OwnedReadHalf, flow: Flow) -> &'static str {
        let reception = &self.shared.reception;
        let mut framer = Framer::default();
        let mut buffer = vec![0; 16 * 1024];
        // When the message that is not complete yet began.
        let mut begun: Option<Instant> = None;
        loop {
            let now = reception.clock.now().mono;
            // A stranger must come to the point.
            let idle = if self.is_stranger(flow.remote) { limits::TCP_MESSAGE } else { limits::TCP_IDLE };
            let patience = begun.map_or(idle, |begun| (begun + limits::TCP_MESSAGE).since(now));
            let n = match timeout(patience, stream.read(&mut buffer)).await {
                Ok(Ok(0)) => return "its peer closed it",
                Ok(Ok(n)) => n,
                Ok(Err(_)) => return "it failed",
                Err(_) if begun.is_some() => return "a message was not completed in time",
                // It has registered in the meantime.
                Err(_) if idle < limits::TCP_IDLE && !self.is_stranger(flow.remote) => continue,
                Err(_) => return "it was silent for too long",
            };
            let at = reception.clock.now();
            let Some(lane) = self.lane(at.mono, flow, begun.is_some(), &buffer[..n]) else {
                return "it is a stranger's";
            };
            if lane != Lane::Register && begun.is_none() && buffer[..n].starts_with(PING) {
                self.send(flow, Arc::from(PONG), None);
            }
            framer.push(&buffer[..n]);
            match self.take_frames(&mut framer, flow, at, lane) {
                Ok(_) if framer.is_between_messages() => begun = None,
                Ok(taken) => begun = begun.filter(|_| taken == 0).or(Some(at.mono)),
                Err(error) => {
                    tracing::info!(%error, remote = %flow.remote, "a stream cannot be followed; closed");
                    reception.counters.sip_parse_error();
                    return "its messages cannot be told apart";
                }
            }
        }
    }

    fn is_stranger(&self, remote: SocketAddr) -> bool {
        let reception = &self.shared.reception;
        reception.door.connection(reception.clock.now().mono, remote).is_none()
    }

    fn strangers_are_too_many(&self, open: &Open, source: IpAddr) -> bool {
        let strangers = open.by_remote.keys().filter(|remote| self.is_stranger(**remote));
        let (mut all, mut own) = (0, 0);
        for remote in strangers {
            all += 1;
            own += usize::from(remote.ip() == source);
        }
        all >= limits::STRANGERS_CONNECTIONS || own >= limits::STRANGERS_CONNECTIONS_PER_SOURCE
    }

    /// The queue for what has just been read; a stranger may say REGISTER and nothing else.
    fn lane(&self, now: Instant, flow: Flow, within: bool, bytes: &[u8]) -> Option<Lane> {
        let reception = &self.shared.reception;
        if let Some(lane) = reception.door.connection(now, flow.remote) {
            return Some(lane);
        }
        if within && reception.door.opens_to_strangers() {
            return Some(Lane::Register);
        }
        let rejection = match reception.door.knock(now, flow.remote.ip(), bytes) {
            Knock::Register => return Some(Lane::Register),
            Knock::TooMany => SipRejection::Registers,
            Knock::Silence => SipRejection::Stranger,
        };
        reception.counters.sip_rejected(rejection, 1);
        None
    }

    fn take_frames(
        &self,
        framer: &mut Framer,
        flow: Flow,
        at: crate::clock::Now,
        lane: Lane,
    ) -> Result<usize, FramingLost> {
        let reception = &self.shared.reception;
        let mut taken = 0;
        while let Some(frame) = framer.next_frame()? {
            taken += 1;
            if !reception.mailbox.message(lane, Input::Frame { flow, at, frame }) {
                reception.counters.sip_rejected(SipRejection::QueueFull, 1);
            }
        }
        Ok(taken)
    }

    async fn write(self, id: ConnectionId, mut stream: OwnedWriteHalf, mut queue: mpsc::Receiver<Outgoing>) {
        while let Some(outgoing) = queue.recv().await {
            let written = timeout(limits::TCP_WRITE, stream.write_all(&outgoing.bytes)).await;
            if let Err(error) = written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                tracing::info!(%error, "a TCP connection failed");
                self.give_up(id);
                self.not_sent(outgoing.session);
                break;
            }
        }
        self.forget(id);
        self.drop_queue(queue).await;
    }

    /// Whoever still waits hears that it was in vain.
    async fn drop_queue(&self, mut queue: mpsc::Receiver<Outgoing>) {
        queue.close();
        while let Some(outgoing) = queue.recv().await {
            self.not_sent(outgoing.session);
        }
    }

    fn give_up(&self, id: ConnectionId) {
        if let Some(connection) = self.open().by_id.get(&id) {
            connection.given_up.notify_one();
        }
    }

    fn forget(&self, id: ConnectionId) {
        let mut open = self.open();
        if let Some(connection) = open.by_id.remove(&id)
            && open.by_remote.get(&connection.remote) == Some(&id)
        {
            open.by_remote.remove(&connection.remote);
        }
    }

    fn not_sent(&self, session: Option<SessionId>) {
        if let Some(session) = session {
            self.shared.reception.mailbox.event(Input::NotSent { session });
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn of_source(&self, address: IpAddr) -> usize {
        self.by_remote.keys().filter(|remote| remote.ip() == address).count()
    }
}

/// Binds; port 0 lets the operating system choose.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
