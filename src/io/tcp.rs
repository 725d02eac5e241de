//! SIP over TCP: connections that peers open, and connections that we open toward them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::clock::RunClock;
use super::mailbox::Mailbox;
use crate::gateway::Input;
use crate::limits;
use crate::metrics::{Counters, SipRejection};
use crate::protocol::sip::endpoint::{ConnectionId, Flow, SessionId, Transport};
use crate::protocol::sip::framing::Framer;

/// Messages that may wait for a slow peer before its connection counts as dead.
const WRITE_QUEUE: usize = 256;

/// Whether a peer may open a connection at all.
pub type Admits = Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>;

/// All TCP connections of the gateway; clones share them.
#[derive(Clone)]
pub struct Tcp {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: Handle,
    clock: RunClock,
    mailbox: Mailbox,
    counters: Counters,
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
}

struct Outgoing {
    bytes: Arc<[u8]>,
    session: Option<SessionId>,
}

impl Tcp {
    pub fn new(runtime: Handle, clock: RunClock, mailbox: Mailbox, counters: Counters) -> Tcp {
        let open = Mutex::default();
        Tcp { shared: Arc::new(Shared { runtime, clock, mailbox, counters, next: AtomicU64::new(1), open }) }
    }

    /// Takes connections on this listener until the runtime ends.
    pub fn listen(&self, listener: TcpListener, local: SocketAddr, admits: Admits) {
        let tcp = self.clone();
        self.shared.runtime.spawn(async move {
            loop {
                let (stream, remote) = match listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of descriptors: the next try may find some.
                        tracing::warn!(%error, "cannot take a TCP connection");
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                        continue;
                    }
                };
                if !admits(remote) || tcp.open().by_id.len() >= limits::TCP_CONNECTIONS {
                    tcp.shared.counters.sip_rejected(SipRejection::Stranger);
                    continue;
                }
                tcp.run(stream, local, remote);
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
                    let session = error.into_inner().session;
                    self.not_sent(session);
                }
            }
            None => {
                let (writer, queue) = mpsc::channel(WRITE_QUEUE);
                let id = self.new_id();
                let _ = writer.try_send(outgoing);
                open.by_id.insert(id, Connection { remote: flow.remote, writer });
                open.by_remote.insert(flow.remote, id);
                let tcp = self.clone();
                self.shared.runtime.spawn(async move { tcp.connect(id, flow, queue).await });
            }
        }
    }

    async fn connect(&self, id: ConnectionId, flow: Flow, mut queue: mpsc::Receiver<Outgoing>) {
        match TcpStream::connect(flow.remote).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                let (read, write) = stream.into_split();
                self.shared.runtime.spawn(self.clone().write(id, write, queue));
                self.clone().read(id, read, Flow { connection: Some(id), ..flow }).await;
            }
            Err(error) => {
                tracing::info!(%error, remote = %flow.remote, "cannot connect");
                self.forget(id);
                queue.close();
                while let Some(outgoing) = queue.recv().await {
                    self.not_sent(outgoing.session);
                }
            }
        }
    }

    fn run(&self, stream: TcpStream, local: SocketAddr, remote: SocketAddr) {
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let (writer, queue) = mpsc::channel(WRITE_QUEUE);
        let id = self.new_id();
        let mut open = self.open();
        open.by_id.insert(id, Connection { remote, writer });
        open.by_remote.insert(remote, id);
        drop(open);
        let flow = Flow { transport: Transport::Tcp, local, remote, connection: Some(id) };
        self.shared.runtime.spawn(self.clone().write(id, write, queue));
        self.shared.runtime.spawn(self.clone().read(id, read, flow));
    }

    async fn read(self, id: ConnectionId, mut stream: OwnedReadHalf, flow: Flow) {
        let mut framer = Framer::default();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = tokio::time::timeout(limits::TCP_IDLE, stream.read(&mut buffer)).await;
            let n = match read {
                Ok(Ok(n)) if n > 0 => n,
                // End of stream, an error, or silence for too long.
                Ok(Ok(_) | Err(_)) | Err(_) => break,
            };
            let at = self.shared.clock.now();
            framer.push(&buffer[..n]);
            if let Err(error) = self.take_frames(&mut framer, flow, at) {
                tracing::info!(%error, remote = %flow.remote, "a stream cannot be followed; closed");
                self.shared.counters.sip_parse_error();
                break;
            }
        }
        self.forget(id);
    }

    fn take_frames(
        &self,
        framer: &mut Framer,
        flow: Flow,
        at: crate::clock::Now,
    ) -> Result<(), crate::protocol::sip::framing::FramingLost> {
        while let Some(frame) = framer.next_frame()? {
            if !self.shared.mailbox.message(Input::Frame { flow, at, frame }) {
                self.shared.counters.sip_rejected(SipRejection::Budget);
            }
        }
        Ok(())
    }

    async fn write(self, id: ConnectionId, mut stream: OwnedWriteHalf, mut queue: mpsc::Receiver<Outgoing>) {
        while let Some(outgoing) = queue.recv().await {
            if let Err(error) = stream.write_all(&outgoing.bytes).await {
                tracing::info!(%error, "a TCP connection failed");
                self.not_sent(outgoing.session);
                break;
            }
        }
        self.forget(id);
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
            self.shared.mailbox.event(Input::NotSent { session });
        }
    }

    fn new_id(&self) -> ConnectionId {
        ConnectionId(self.shared.next.fetch_add(1, Ordering::Relaxed))
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Binds; port 0 lets the operating system choose.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
