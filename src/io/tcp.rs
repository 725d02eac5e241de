//! SIP over TCP and TLS: connections that peers open, and connections that we open toward them.
//!
//! A connection carries many calls, so only what makes it useless ends it: its end, an error, a stream in which the next message
//! cannot be found, a message that is not completed in time, a peer that does not read. A message that is wrong in itself
//! is answered or passed over; one whose end cannot be known is answered before its connection ends (RFC 3261 section 18.3).
//! Who takes a place and says nothing loses it (`connections`).

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::connections::{Handed, Line, Outgoing, Table};
use super::mailbox::Lane;
use super::tls::{self, Tls};
use super::udp::Reception;
use crate::clock::{Instant, Now};
use crate::gateway::Input;
use crate::limits;
use crate::metrics::SipRejection;
use crate::protocol::sip::endpoint::{ConnectionId, Flow, SessionId, Transport};
use crate::protocol::sip::framing::{Framer, FramingLost};

/// What a peer sends to be told that the connection lives, and our answer (RFC 5626 section 4.4.1).
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// One read. Each connection has such a buffer, so a few KB must do: a message that is longer takes two reads.
const READ_BYTES: usize = 4 * 1024;

/// Connections that wait for us to take them.
const BACKLOG: i32 = 1_024;

/// All connections of the gateway; clones share them.
#[derive(Clone)]
pub struct Tcp {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: Handle,
    reception: Reception,
    /// `None`: TLS is not configured.
    tls: Option<Arc<Tls>>,
    table: Mutex<Table>,
    /// What the certificates of TLS peers must say, by address.
    names: RwLock<BTreeMap<SocketAddr, String>>,
}

/// Why a connection ends.
enum End {
    /// Nobody's fault, or one that nothing follows from.
    Quiet(&'static str),
    Refused(SipRejection, &'static str),
}

impl Tcp {
    /// `files`: how many the process may have open.
    pub fn new(runtime: Handle, reception: Reception, tls: Option<Arc<Tls>>, files: usize) -> Tcp {
        let table = Mutex::new(Table::new(files));
        let names = RwLock::default();
        Tcp { shared: Arc::new(Shared { runtime, reception, tls, table, names }) }
    }

    /// The peers at these addresses must show a certificate of this name; all others one of their address.
    pub fn expect(&self, names: BTreeMap<SocketAddr, String>) {
        *self.shared.names.write().unwrap_or_else(PoisonError::into_inner) = names;
    }

    fn name_of(&self, peer: SocketAddr) -> ServerName<'static> {
        let names = self.shared.names.read().unwrap_or_else(PoisonError::into_inner);
        tls::name_of(peer.ip(), names.get(&peer).map(String::as_str))
    }

    /// Takes connections on this listener until the runtime ends.
    pub fn listen(&self, listener: TcpListener, transport: Transport, local: SocketAddr) {
        let tcp = self.clone();
        self.shared.runtime.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, remote)) => tcp.admit(stream, transport, local, remote),
                    Err(error) => {
                        // Out of descriptors: the next try may find some.
                        tracing::warn!(%error, "cannot take a TCP connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
    }

    /// Looks at the certificates' files now and then until the runtime ends.
    pub fn watch_certificates(&self) {
        let Some(tls) = self.shared.tls.clone() else { return };
        self.shared.runtime.spawn(async move {
            loop {
                tokio::time::sleep(limits::TLS_FILES).await;
                let tls = Arc::clone(&tls);
                let _ = tokio::task::spawn_blocking(move || tls.reload_if_changed()).await;
            }
        });
    }

    /// Hands bytes to the connection of this flow, opening one if there is none. A failure comes back through the mailbox.
    pub fn send(&self, flow: Flow, bytes: Arc<[u8]>, session: Option<SessionId>) {
        let handed = self.table().hand(flow, Outgoing { bytes, session });
        match handed {
            Handed::Queued => {}
            Handed::Full(outgoing) => {
                tracing::info!(remote = %flow.remote, "a peer does not read; its connection is given up");
                self.not_sent(outgoing.session);
            }
            Handed::Opening(line) => {
                let tcp = self.clone();
                self.shared.runtime.spawn(async move { tcp.connect(line, flow).await });
            }
        }
    }

    /// A connection that a peer has opened.
    fn admit(&self, stream: TcpStream, transport: Transport, local: SocketAddr, remote: SocketAddr) {
        let reception = &self.shared.reception;
        let now = reception.clock.now().mono;
        let refuse = |reason, n| reception.refusals.refuse(now, reason, n, Some(remote));
        let stranger = reception.door.is_open_to_strangers().then_some(Lane::Other);
        let Some(lane) = reception.door.class_of_connection(now, remote).lane().or(stranger) else {
            return refuse(SipRejection::Stranger, 1);
        };
        let admitted = self.table().admit(transport, remote, lane);
        let Ok((line, gone)) = admitted else { return refuse(SipRejection::Connections, 1) };
        refuse(SipRejection::Connections, gone);
        let flow = Flow { transport, local, remote, connection: Some(line.id) };
        match (&self.shared.tls, transport) {
            (Some(tls), Transport::Tls) => {
                let (tcp, acceptor) = (self.clone(), tls.acceptor());
                self.shared.runtime.spawn(async move {
                    match tcp.handshake(&line, flow, limits::TLS_HANDSHAKE, acceptor.accept(stream)).await {
                        Some(stream) => tcp.run(line, tokio::io::split(stream), flow),
                        None => tcp.close(line).await,
                    }
                });
            }
            _ => self.run_plain(line, stream, flow),
        }
    }

    async fn connect(&self, line: Line, flow: Flow) {
        let flow = Flow { connection: Some(line.id), ..flow };
        let began = self.shared.reception.clock.now().mono;
        let opened = timeout(limits::TCP_CONNECT, open(flow)).await;
        let stream = match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::info!(%error, remote = %flow.remote, "cannot connect");
                return self.close(line).await;
            }
        };
        match (&self.shared.tls, flow.transport) {
            (_, Transport::Udp | Transport::Tcp) => self.run_plain(line, stream, flow),
            (None, Transport::Tls) => self.close(line).await,
            (Some(tls), Transport::Tls) => {
                let left = (began + limits::TCP_CONNECT).since(self.shared.reception.clock.now().mono);
                let connecting = tls.connector().connect(self.name_of(flow.remote), stream);
                match self.handshake(&line, flow, left, connecting).await {
                    Some(stream) => self.run(line, tokio::io::split(stream), flow),
                    None => self.close(line).await,
                }
            }
        }
    }

    /// `None`: it failed, and has been told.
    async fn handshake<S>(
        &self,
        line: &Line,
        flow: Flow,
        patience: Duration,
        shaking: impl Future<Output = io::Result<S>>,
    ) -> Option<S> {
        let shaken = tokio::select! {
            shaken = timeout(patience, shaking) => shaken,
            () = line.given_up.notified() => return None,
        };
        let error = match shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => return Some(stream),
            Err(error) => error,
        };
        tracing::debug!(%error, remote = %flow.remote, "a TLS handshake failed");
        let reception = &self.shared.reception;
        reception.refusals.refuse(reception.clock.now().mono, SipRejection::Handshake, 1, Some(flow.remote));
        None
    }

    fn run_plain(&self, line: Line, stream: TcpStream, flow: Flow) {
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        self.run(line, (read, write), flow);
    }

    fn run<R, W>(&self, line: Line, (read, write): (R, W), flow: Flow)
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        self.shared.runtime.spawn(self.clone().write(line.id, write, line.queue));
        self.shared.runtime.spawn(self.clone().read(line.id, read, flow, line.given_up));
    }

    async fn read<R: AsyncRead + Unpin>(self, id: ConnectionId, stream: R, flow: Flow, given_up: Arc<Notify>) {
        let end = tokio::select! {
            end = self.follow(id, stream, flow) => end,
            () = given_up.notified() => End::Quiet("it was given up"),
        };
        let (End::Quiet(why) | End::Refused(_, why)) = end;
        tracing::debug!(why, remote = %flow.remote, "a connection ends");
        if let End::Refused(reason, _) = end {
            let reception = &self.shared.reception;
            reception.refusals.refuse(reception.clock.now().mono, reason, 1, Some(flow.remote));
        }
        self.table().forget(id);
        self.tell_closed(id, flow);
    }

    /// A phone may have registered over it. Strangers have nothing to tell of, or they would fill the queue.
    fn tell_closed(&self, id: ConnectionId, flow: Flow) {
        let reception = &self.shared.reception;
        if reception.door.class_of_connection(reception.clock.now().mono, flow.remote).lane().is_some() {
            reception.mailbox.event(Input::Disconnected(id));
        }
    }

    /// Reads messages until there is a reason to stop.
    async fn follow<R: AsyncRead + Unpin>(&self, id: ConnectionId, mut stream: R, flow: Flow) -> End {
        let reception = &self.shared.reception;
        let mut framer = Framer::default();
        let mut buffer = vec![0; READ_BYTES];
        let mut waits = Waits {
            opened: Some(reception.clock.now().mono).filter(|_| self.table().is_mute(id)),
            begun: None,
            spoken: false,
        };
        loop {
            let (patience, late) = waits.patience(reception.clock.now().mono);
            let n = match timeout(patience, stream.read(&mut buffer)).await {
                Ok(Ok(0)) => return End::Quiet("its peer closed it"),
                Ok(Ok(n)) => n,
                Ok(Err(_)) => return End::Quiet("it failed"),
                // A stranger's time to register is over, and he has.
                Err(_) if waits.begun.is_none() && self.has_registered(&waits, flow) => {
                    waits.opened = None;
                    self.table().has_spoken(id);
                    continue;
                }
                Err(_) => return late,
            };
            let at = reception.clock.now();
            let stranger = reception.door.class_of_connection(at.mono, flow.remote).lane().is_none();
            if stranger && !(reception.door.is_open_to_strangers() && waits.opened.is_some()) {
                return End::Quiet("its guest has left");
            }
            if !stranger && waits.begun.is_none() && buffer[..n].starts_with(PING) {
                waits.opened = None;
                self.send(flow, Arc::from(PONG), None);
            }
            framer.push(&buffer[..n]);
            let Ok(taken) = self.take_frames(&mut framer, flow, at) else {
                reception.counters.sip_parse_error();
                hear_out(&mut stream, &mut buffer).await;
                return End::Refused(SipRejection::Malformed, "its messages cannot be told apart");
            };
            waits.spoken |= taken > 0;
            if taken > 0 && !stranger {
                waits.opened = None;
                self.table().has_spoken(id);
            }
            waits.begun =
                if framer.is_between_messages() { None } else { waits.begun.filter(|_| taken == 0).or(Some(at.mono)) };
        }
    }

    /// Whoever was a stranger when he spoke last is none any more.
    fn has_registered(&self, waits: &Waits, flow: Flow) -> bool {
        let reception = &self.shared.reception;
        let now = reception.clock.now().mono;
        waits.spoken && reception.door.class_of_connection(now, flow.remote).lane().is_some()
    }

    fn take_frames(&self, framer: &mut Framer, flow: Flow, at: Now) -> Result<usize, FramingLost> {
        let reception = &self.shared.reception;
        let mut taken = 0;
        while let Some(frame) = framer.next_frame()? {
            taken += 1;
            let lane = reception.door.message(at.mono, flow.remote);
            let lane = lane.or_else(|why| reception.door.instead(why, at.mono, flow.remote, &frame.head));
            let heard = lane.and_then(|lane| {
                let queued = reception.mailbox.message(lane, Input::Frame { flow, at, frame });
                queued.then_some(()).ok_or(SipRejection::QueueFull)
            });
            if let Err(reason) = heard {
                reception.refusals.refuse(at.mono, reason, 1, Some(flow.remote));
            }
        }
        Ok(taken)
    }

    async fn write<W: AsyncWrite + Unpin>(self, id: ConnectionId, mut stream: W, mut queue: mpsc::Receiver<Outgoing>) {
        while let Some(outgoing) = queue.recv().await {
            let written = timeout(limits::TCP_WRITE, async {
                stream.write_all(&outgoing.bytes).await?;
                // TLS keeps what the socket did not take.
                stream.flush().await
            });
            if let Err(error) = written.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                tracing::info!(%error, "a connection failed");
                self.table().give_up(id);
                self.not_sent(outgoing.session);
                break;
            }
        }
        // A TLS peer is told that this was all; one that does not read is not waited for.
        let _ = timeout(limits::TCP_WRITE, stream.shutdown()).await;
        self.table().forget(id);
        self.drop_queue(queue).await;
    }

    /// A connection that never came to be.
    async fn close(&self, line: Line) {
        self.table().forget(line.id);
        self.drop_queue(line.queue).await;
    }

    /// Whoever still waits hears that it was in vain.
    async fn drop_queue(&self, mut queue: mpsc::Receiver<Outgoing>) {
        queue.close();
        while let Some(outgoing) = queue.recv().await {
            self.not_sent(outgoing.session);
        }
    }

    fn not_sent(&self, session: Option<SessionId>) {
        if let Some(session) = session {
            self.shared.reception.mailbox.event(Input::NotSent { session });
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last message is being answered. What still comes is dropped: a connection that is closed over bytes that nobody has read is
/// reset, and its peer may lose the answer.
async fn hear_out<R: AsyncRead + Unpin>(stream: &mut R, buffer: &mut [u8]) {
    let silence = async { while stream.read(buffer).await.is_ok_and(|n| n > 0) {} };
    let _ = timeout(limits::TCP_LAST_ANSWER, silence).await;
}

/// What a connection's reader waits for.
struct Waits {
    /// Its peer has opened it and not said anything yet.
    opened: Option<Instant>,
    /// It was a stranger's message.
    spoken: bool,
    /// When the message that is not complete yet began.
    begun: Option<Instant>,
}

impl Waits {
    /// How long it may be silent from now on, and what it is if it is silent for longer.
    fn patience(&self, now: Instant) -> (Duration, End) {
        let message = self.begun.map(|begun| begun + limits::TCP_MESSAGE);
        let first = self.opened.map(|opened| opened + limits::TCP_FIRST);
        match (message, first) {
            (Some(end), _) => (end.since(now), End::Refused(SipRejection::Slow, "a message was not completed in time")),
            (None, Some(end)) => (end.since(now), End::Refused(SipRejection::Slow, "its peer said nothing in time")),
            (None, None) => (limits::TCP_IDLE, End::Quiet("it was silent for too long")),
        }
    }
}

/// From the address that we listen on: a peer that knows us knows that one.
async fn open(flow: Flow) -> io::Result<TcpStream> {
    let (local, remote) = (flow.local.ip(), flow.remote);
    let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let fits = local.is_ipv4() == remote.is_ipv4() && local.is_loopback() == remote.ip().is_loopback();
    if fits && !local.is_unspecified() {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    socket.connect(remote).await
}

/// Binds; port 0 lets the operating system choose.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    // The standard library's backlog of 128 is a moment of many phones that come back at once.
    socket2::SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
}
