//! Where a message ends: the one Content-Length routine, for datagrams and for streams (RFC 3261 sections 18.3, 20.14).

use super::head;
use super::header::{Headers, Name};
use crate::limits;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Length(usize),
    Absent,
}

/// What the message says of its body, however long that is. Several Content-Length fields must agree: two readers that take
/// different ones are how requests are smuggled.
#[allow(clippy::result_unit_err, reason = "there is one way to be wrong; the caller words the answer")]
pub fn body_length(headers: &Headers) -> Result<Body, ()> {
    let mut length = Body::Absent;
    for value in headers.fields(&Name::CONTENT_LENGTH) {
        let text = std::str::from_utf8(value).map_err(|_| ())?.trim();
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(());
        }
        let n: usize = text.parse().map_err(|_| ())?;
        if matches!(length, Body::Length(before) if before != n) {
            return Err(());
        }
        length = Body::Length(n);
    }
    Ok(length)
}

/// The number of bytes up to and including the empty line, if it is there yet.
pub fn head_length(bytes: &[u8]) -> Option<usize> {
    Search::default().head_length(bytes)
}

/// How far the empty line has been looked for.
#[derive(Debug, Default)]
struct Search {
    scanned: usize,
    line_start: usize,
}

impl Search {
    fn head_length(&mut self, bytes: &[u8]) -> Option<usize> {
        for (i, b) in bytes.iter().enumerate().skip(self.scanned) {
            if *b == b'\n' {
                if matches!(&bytes[self.line_start..i], b"" | b"\r") && self.line_start > 0 {
                    return Some(i + 1);
                }
                self.line_start = i + 1;
            }
        }
        self.scanned = bytes.len();
        None
    }
}

/// Line ends before a start line are ignored (section 7.5); they are also the keep-alive of RFC 5626.
pub fn skip_blank(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| *b != b'\r' && *b != b'\n').unwrap_or(bytes.len());
    &bytes[start..]
}

/// Cuts a stream into messages. A stream needs Content-Length; a message without it has no body.
///
/// Each byte is looked at once, however small the pieces are that it comes in. A head whose body is too long, or of unknown
/// length, is given out alone, to be refused (`message::parse_framed` tells why); if its length is known the stream goes on behind
/// that body, else it is lost.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    search: Search,
    state: State,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    /// Its empty line is looked for.
    #[default]
    Head,
    /// The lengths of both are known, and the body is waited for.
    Body {
        head: usize,
        body: usize,
    },
    /// So much of a body that is too long is dropped as it comes.
    PassingOver {
        left: usize,
    },
    Lost(FramingLost),
}

/// Head (with its empty line) and body of one message.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub head: Vec<u8>,
    pub body: Vec<u8>,
}

/// The stream cannot be followed any further: its connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingLost {
    #[error("a message is longer than {} bytes", limits::SIP_MESSAGE_BYTES)]
    TooLong,
    #[error("a Content-Length cannot be read or two disagree")]
    BadLength,
}

impl Framer {
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether no message has begun that is not complete.
    pub fn is_between_messages(&self) -> bool {
        matches!(self.state, State::Head) && skip_blank(&self.buffer).is_empty()
    }

    /// The next whole message, or the head of one that is to be refused; `None` if more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FramingLost> {
        loop {
            match self.state {
                State::Head => {
                    let Some(head) = self.head()? else { return Ok(None) };
                    self.state = after(&self.buffer[..head]);
                    if !matches!(self.state, State::Body { .. }) {
                        return Ok(Some(self.cut(head, 0)));
                    }
                }
                State::Body { head, body } if self.buffer.len() < head + body => return Ok(None),
                State::Body { head, body } => {
                    self.state = State::Head;
                    return Ok(Some(self.cut(head, body)));
                }
                State::PassingOver { left } => {
                    let here = left.min(self.buffer.len());
                    self.buffer.drain(..here);
                    if here < left {
                        self.state = State::PassingOver { left: left - here };
                        return Ok(None);
                    }
                    self.state = State::Head;
                }
                State::Lost(lost) => return Err(lost),
            }
        }
    }

    /// The length of the next head, once it is whole.
    fn head(&mut self) -> Result<Option<usize>, FramingLost> {
        if self.search.scanned == 0 {
            let blank = self.buffer.len() - skip_blank(&self.buffer).len();
            self.buffer.drain(..blank);
        }
        let head = self.search.head_length(&self.buffer);
        if head.unwrap_or(self.buffer.len()) > limits::SIP_MESSAGE_BYTES {
            self.state = State::Lost(FramingLost::TooLong);
            return Err(FramingLost::TooLong);
        }
        Ok(head)
    }

    fn cut(&mut self, head: usize, body: usize) -> Frame {
        self.search = Search::default();
        let mut head_bytes: Vec<u8> = self.buffer.drain(..head + body).collect();
        let body = head_bytes.split_off(head);
        Frame { head: head_bytes, body }
    }
}

/// What comes after this head.
fn after(head: &[u8]) -> State {
    let body = match body_length(&head::fields_of(head)) {
        Ok(Body::Length(n)) => n,
        Ok(Body::Absent) => 0,
        Err(()) => return State::Lost(FramingLost::BadLength),
    };
    match head.len().saturating_add(body) {
        whole if whole <= limits::SIP_MESSAGE_BYTES => State::Body { head: head.len(), body },
        whole if whole <= limits::SIP_PASSED_OVER_BYTES => State::PassingOver { left: body },
        _ => State::Lost(FramingLost::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_cannot_be_read_but_ends_somewhere_is_passed_over() {
        let mut framer = Framer::default();
        framer
            .push(b"\x01\x02 junk\r\nno colon here\r\nContent-Length: 5\r\n\r\nhelloBYE sip:a SIP/2.0\r\nl: 0\r\n\r\n");
        assert_eq!(framer.next_frame().unwrap().unwrap().body, b"hello");
        assert!(framer.next_frame().unwrap().unwrap().head.starts_with(b"BYE"));
        assert!(framer.is_between_messages());
    }

    #[test]
    fn a_stream_is_cut_the_same_however_it_arrives() {
        let one = b"\r\n\r\nINVITE sip:a SIP/2.0\r\nContent-Length : 5\r\n\r\nhelloBYE sip:a SIP/2.0\r\nl: 0\r\n\r\n";
        for chunk in 1..one.len() {
            let mut framer = Framer::default();
            let mut frames = Vec::new();
            for part in one.chunks(chunk) {
                framer.push(part);
                while let Some(frame) = framer.next_frame().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 2, "chunk {chunk}");
            assert_eq!(frames[0].body, b"hello");
            assert!(frames[1].head.starts_with(b"BYE"));
        }
    }

    #[test]
    fn a_slow_sender_costs_no_more_than_a_fast_one() {
        // 60 KB byte by byte: looking at everything again for each byte would be 2 * 10^9 steps.
        let message = format!("INVITE sip:a SIP/2.0\r\nX: {}\r\nl: 2\r\n\r\nab", "y".repeat(60_000));
        let mut framer = Framer::default();
        for byte in message.as_bytes() {
            assert_eq!(framer.next_frame(), Ok(None));
            framer.push(&[*byte]);
            assert!(framer.search.scanned + 1 >= framer.buffer.len() || matches!(framer.state, State::Body { .. }));
        }
        assert_eq!(framer.next_frame().unwrap().map(|f| f.body), Some(b"ab".to_vec()));
    }

    #[test]
    fn a_line_that_is_no_header_field_does_not_end_the_stream() {
        let mut framer = Framer::default();
        framer.push(b"FOO sip:a SIP/2.0\r\nno colon\r\nl: 1\r\n\r\nxBYE sip:a SIP/2.0\r\n\r\n");
        assert_eq!(framer.next_frame().unwrap().map(|f| f.body), Some(b"x".to_vec()));
        assert!(framer.next_frame().unwrap().is_some_and(|f| f.head.starts_with(b"BYE")));
    }

    #[test]
    fn a_length_that_cannot_be_trusted_ends_the_stream_after_its_head() {
        for (length, lost) in [
            ("5\r\nl: 6", FramingLost::BadLength),
            ("-5", FramingLost::BadLength),
            ("five", FramingLost::BadLength),
            ("18446744073709551616", FramingLost::BadLength),
            ("18446744073709551615", FramingLost::TooLong),
            ("4294967296", FramingLost::TooLong),
        ] {
            let mut framer = Framer::default();
            framer.push(format!("INVITE sip:a SIP/2.0\r\nContent-Length: {length}\r\n\r\nhello!").as_bytes());
            let head = framer.next_frame().unwrap().unwrap();
            assert!(head.head.starts_with(b"INVITE") && head.head.ends_with(b"\r\n\r\n") && head.body.is_empty());
            assert_eq!((framer.next_frame(), framer.next_frame()), (Err(lost), Err(lost)), "{length}");
        }
        let mut framer = Framer::default();
        framer.push(&vec![b'x'; limits::SIP_MESSAGE_BYTES + 1]);
        assert_eq!(framer.next_frame(), Err(FramingLost::TooLong), "not even a head");
    }

    #[test]
    fn a_body_that_is_too_long_is_passed_over_and_never_kept() {
        let mut framer = Framer::default();
        framer.push(b"MESSAGE sip:a SIP/2.0\r\nl: 70000\r\n\r\n");
        assert!(framer.next_frame().unwrap().unwrap().head.starts_with(b"MESSAGE"));
        for _ in 0..70 {
            assert!(framer.next_frame() == Ok(None) && !framer.is_between_messages() && framer.buffer.is_empty());
            framer.push(&[b'y'; 1_000]);
        }
        framer.push(b"BYE sip:a SIP/2.0\r\nl: 0\r\n\r\n");
        assert!(framer.next_frame().unwrap().unwrap().head.starts_with(b"BYE"));
        assert!(framer.is_between_messages());
    }

    #[test]
    fn a_message_without_a_start_line_ends_where_it_says() {
        let mut framer = Framer::default();
        framer.push(b"  \r\nContent-Length: 2\r\n\r\nabBYE sip:a SIP/2.0\r\n\r\n");
        assert_eq!(framer.next_frame().unwrap().map(|f| f.body), Some(b"ab".to_vec()));
        assert!(framer.next_frame().unwrap().is_some_and(|f| f.head.starts_with(b"BYE")));
    }
}
