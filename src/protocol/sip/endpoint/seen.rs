//! What a ladder keeps of a message: its start line and what its body is, in a few words. Never a whole message.

use std::net::SocketAddr;

use crate::protocol::sip::message::{Request, Response};
use crate::protocol::sip::vocabulary::reason_phrase;

/// Longer start lines and summaries are cut: a real one has 30 to 80 characters.
const LONGEST: usize = 160;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `INVITE sip:8@192.0.2.1`, or `180 Ringing (INVITE)`.
    pub line: String,
    /// `None`: the message has no body.
    pub body: Option<String>,
    /// Where it came from or went to.
    pub peer: SocketAddr,
    /// It was sent or received before.
    pub again: bool,
}

impl Seen {
    pub fn of_request(request: &Request, peer: SocketAddr) -> Seen {
        Seen::new(&format!("{} {}", request.method, request.raw_uri), &request.body, peer)
    }

    pub fn of_response(response: &Response, method: &str, peer: SocketAddr) -> Seen {
        Seen::new(&status_line(response.status, method), &response.body, peer)
    }

    /// A message of ours as it goes over the wire: CRLF at the end of each line, the names of fields as we write them.
    pub fn of_ours(bytes: &[u8], peer: SocketAddr) -> Seen {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
        let (head, body) = bytes.split_at(end);
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default();
        let line = match start.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok()) {
            Some(status) => {
                let method = lines.find_map(|line| line.strip_prefix("CSeq:")?.split_whitespace().nth(1));
                status_line(status, method.unwrap_or_default())
            }
            None => start.trim_end_matches(" SIP/2.0").to_owned(),
        };
        Seen::new(&line, body.get(4..).unwrap_or_default(), peer)
    }

    fn new(line: &str, body: &[u8], peer: SocketAddr) -> Seen {
        Seen { line: clean(line), body: summary(body).as_deref().map(clean), peer, again: false }
    }
}

/// As a label says it.
fn status_line(status: u16, method: &str) -> String {
    format!("{status} {} ({method})", reason_phrase(status))
}

/// It goes into the ledger and onto a terminal.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// `SDP of 198 bytes: 192.0.2.1:4000 RTP/AVP 8 101 sendrecv`; of what is no SDP its length alone.
fn summary(body: &[u8]) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(body);
    if !text.starts_with("v=0") {
        return Some(format!("{} bytes", body.len()));
    }
    let value = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let address = value("c=").and_then(|c| c.split_whitespace().nth(2)).unwrap_or("-");
    let (port, codecs) = value("m=audio ").and_then(|m| m.split_once(' ')).unwrap_or(("-", "no audio"));
    let directions = ["sendrecv", "sendonly", "recvonly", "inactive"];
    let direction = directions.into_iter().find(|d| text.lines().any(|line| line.strip_prefix("a=") == Some(d)));
    let direction = direction.map_or_else(String::new, |direction| format!(" {direction}"));
    Some(format!("SDP of {} bytes: {address}:{port} {codecs}{direction}", body.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(text: &str) -> Seen {
        Seen::of_ours(text.replace('\n', "\r\n").as_bytes(), "192.0.2.9:5060".parse().unwrap())
    }

    #[test]
    fn start_lines_and_bodies() {
        let invite = ours(
            "INVITE sip:8@192.0.2.9 SIP/2.0\nCSeq: 1 INVITE\n\nv=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8 101\na=sendonly\n",
        );
        assert_eq!(invite.line, "INVITE sip:8@192.0.2.9");
        assert_eq!(invite.body.as_deref(), Some("SDP of 65 bytes: 192.0.2.1:4000 RTP/AVP 8 101 sendonly"));
        let ringing = ours("SIP/2.0 180 Ringing\nVia: x\nCSeq: 7 INVITE\n\n");
        assert_eq!((ringing.line.as_str(), ringing.body), ("180 Ringing (INVITE)", None));
        assert_eq!(ours("INFO sip:a SIP/2.0\n\nnumber=139").body.as_deref(), Some("10 bytes"));
        for odd in ["", "SIP/2.0 1", "SIP/2.0 200 OK\n", "\n\nv=0", "A sip:\u{1b}[31m"] {
            assert!(!ours(odd).line.contains('\u{1b}'));
        }
    }

    #[test]
    fn it_is_bounded() {
        let long =
            ours(&format!("INVITE sip:{} SIP/2.0\n\nv=0\nm=audio 1 {}\n", "8".repeat(5_000), "9 ".repeat(5_000)));
        assert_eq!((long.line.len(), long.body.unwrap().len()), (LONGEST, LONGEST));
    }
}
