//! `<data>/control.sock`: how commands reach the running server. One JSON line in, one out.
//!
//! Only the server's own user may connect (mode 0600 in a directory of mode 0700). One connection at a time, each with a deadline
//! and a bound: a command that hangs keeps others waiting for seconds, and the switch not at all.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::stat::{Mode, fchmod};
use serde::{Deserialize, Serialize};
use socket2::{Domain, SockAddr, Socket, Type};

use super::custody::Order;
use crate::qa::draw::places::Places;
use crate::store::{callbacks, people, qa};

/// The socket's name in the data directory.
const NAME: &str = "control.sock";

/// The longest is a transcript, whose texts may be written a little longer.
const REQUEST_BYTES: u64 = 2 * crate::rules::transcript::MOST_BYTES as u64;

/// A thousand lines of an answer are far less.
const ANSWER_BYTES: u64 = 4 * 1024 * 1024;

/// How long a command may take to say what it wants, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a command waits: an hour's recordings are hashed in seconds, a disk full of them takes longer.
const WORK: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// What the server is doing.
    Status,
    /// Reads configuration and dialplans again.
    Reload,
    /// For whoever has the recordings in custody.
    Recordings(Order),
    /// About people who work with the console; and who asks, as the audit log names them.
    People { order: people::Order, by: String },
    /// About inspection; where the hotlines are, and who asks.
    Qa { order: qa::Order, places: Places, by: String },
    /// About callers who are owed a call, and who asks.
    Callbacks { order: callbacks::Order, by: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A line each.
    Done(Vec<String>),
    Failed(String),
}

/// What carries requests out. Runs on the socket's thread.
pub type Handler = Box<dyn FnMut(Request) -> Answer + Send>;

/// Listens until it is dropped; then the socket's file is gone.
pub struct Control {
    stop: Arc<AtomicBool>,
    directory: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// The caller has the directory's lock, so a socket that lies there is a dead server's.
    pub fn listen(directory: &Path, handler: Handler) -> io::Result<Control> {
        let listener = bind(directory)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread =
            thread::Builder::new().name("control".into()).spawn(move || serve(&listener, handler, &stopped))?;
        Ok(Control { stop, directory: directory.to_owned(), thread: Some(thread) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // It waits for a connection: this is one.
        let woken = connect(&self.directory).is_ok_and(|stream| stream.is_some());
        if let Some(thread) = self.thread.take().filter(|_| woken)
            && thread.join().is_err()
        {
            tracing::error!("the control socket's thread panicked");
        }
        let _ = fs::remove_file(self.directory.join(NAME));
    }
}

/// A path of at most a few octets, whatever the directory's: a socket's name holds 107.
fn name_in(directory: &File) -> String {
    format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd())
}

fn bind(directory: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(directory.join(NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let opened = File::open(directory)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Before the file exists, so that at no time anybody else may connect.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    socket.bind(&SockAddr::unix(name_in(&opened))?)?;
    socket.listen(8)?;
    Ok(socket.into())
}

fn connect(directory: &Path) -> io::Result<Option<UnixStream>> {
    let opened = match File::open(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match UnixStream::connect(name_in(&opened)) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

fn serve(listener: &UnixListener, mut handler: Handler, stop: &AtomicBool) {
    for stream in listener.incoming() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let served = stream.and_then(|stream| serve_one(stream, &mut handler));
        if let Err(error) = served {
            tracing::warn!(%error, "a command on the control socket got no answer");
            // An error that stays (no descriptors) is no reason to spin.
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}

fn serve_one(stream: UnixStream, handler: &mut Handler) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&stream).take(REQUEST_BYTES)).read_line(&mut line)?;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => handler(request),
        Err(error) => Answer::Failed(format!("not understood: {error}")),
    };
    let mut text = serde_json::to_string(&answer)?;
    text.push('\n');
    (&stream).write_all(text.as_bytes())
}

/// Asks the server that runs on this data directory; `None`: there is none.
pub fn ask(directory: &Path, request: &Request) -> io::Result<Option<Answer>> {
    let Some(mut stream) = connect(directory)? else { return Ok(None) };
    stream.set_read_timeout(Some(WORK))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream.take(ANSWER_BYTES)).read_line(&mut answer)?;
    Ok(Some(serde_json::from_str(&answer)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_line_in_one_line_out_and_only_for_its_user() {
        let folder = tempfile::tempdir().unwrap();
        // Longer than a socket's name may be.
        let directory = folder.path().join("d".repeat(120));
        fs::create_dir(&directory).unwrap();
        assert_eq!(ask(&directory, &Request::Status).unwrap(), None);
        let control =
            Control::listen(&directory, Box::new(|request| Answer::Done(vec![format!("{request:?}")]))).unwrap();
        let mode = fs::metadata(directory.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(ask(&directory, &Request::Reload).unwrap(), Some(Answer::Done(vec!["Reload".to_owned()])));
        let mut stream = connect(&directory).unwrap().unwrap();
        stream.write_all(b"nonsense\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("not understood"), "{answer}");
        // One that never ends its line is cut off, and others are served again.
        let mut endless = connect(&directory).unwrap().unwrap();
        endless.write_all(&vec![b'x'; REQUEST_BYTES as usize]).unwrap();
        assert!(ask(&directory, &Request::Status).unwrap().is_some());
        drop(control);
        assert!(!directory.join(NAME).exists());
        assert_eq!(ask(&directory, &Request::Status).unwrap(), None);
    }
}
