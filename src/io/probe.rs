//! Asks a running gateway whether it takes calls: `GET /readyz` on its address of metrics.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);
/// A few lines; more is not ours.
const LONGEST: u64 = 4_096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// It runs and takes no new calls, with its reasons.
    Not(Vec<String>),
    /// Nobody answers, or nobody whom we understand.
    Silent(String),
}

pub fn readiness(at: SocketAddr) -> Readiness {
    match ask(at) {
        Ok(text) => read(&text),
        Err(error) => Readiness::Silent(error.to_string()),
    }
}

fn ask(at: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn read(text: &str) -> Readiness {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    match head.split(' ').nth(1) {
        Some("200") => Readiness::Ready,
        Some("503") => Readiness::Not(body.lines().map(str::to_owned).collect()),
        _ => Readiness::Silent("what answers is no gateway".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert_eq!(read("HTTP/1.1 200 OK\r\n\r\nready\n"), Readiness::Ready);
        let not = Readiness::Not(vec!["draining".to_owned(), "the database cannot be written".to_owned()]);
        assert_eq!(read("HTTP/1.1 503 x\r\na: b\r\n\r\ndraining\nthe database cannot be written\n"), not);
        assert!(matches!(read(""), Readiness::Silent(_)));
    }
}
