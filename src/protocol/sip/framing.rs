//! Where a message ends: the one Content-Length routine, for datagrams and for streams (RFC 3261 sections 18.3, 20.14).

use super::head::Head;
use super::header::{Headers, Name};
use crate::limits;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Length(usize),
    Absent,
}

/// Several Content-Length fields must agree: two readers that take different ones are how requests are smuggled.
#[allow(clippy::result_unit_err, reason = "there is one way to be wrong; the caller words the answer")]
pub fn body_length(headers: &Headers) -> Result<Body, ()> {
    let mut length = Body::Absent;
    for value in headers.fields(&Name::CONTENT_LENGTH) {
        let text = std::str::from_utf8(value).map_err(|_| ())?.trim();
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(());
        }
        let n: usize = text.parse().ok().filter(|n| *n <= limits::SIP_MESSAGE_BYTES).ok_or(())?;
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
/// Each byte is looked at once, however small the pieces are that it comes in.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    search: Search,
    /// Lengths of head and body of the message that is being read, once its head is whole.
    lengths: Option<(usize, usize)>,
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
        skip_blank(&self.buffer).is_empty()
    }

    /// The next whole message, `None` if more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FramingLost> {
        if self.lengths.is_none() {
            self.lengths = self.read_lengths()?;
        }
        let Some((head_len, body_len)) = self.lengths else { return Ok(None) };
        if self.buffer.len() < head_len + body_len {
            return Ok(None);
        }
        (self.search, self.lengths) = (Search::default(), None);
        let mut head: Vec<u8> = self.buffer.drain(..head_len + body_len).collect();
        let body = head.split_off(head_len);
        Ok(Some(Frame { head, body }))
    }

    fn read_lengths(&mut self) -> Result<Option<(usize, usize)>, FramingLost> {
        if self.search.scanned == 0 {
            let blank = self.buffer.len() - skip_blank(&self.buffer).len();
            self.buffer.drain(..blank);
        }
        let Some(head_len) = self.search.head_length(&self.buffer) else {
            return if self.buffer.len() > limits::SIP_MESSAGE_BYTES { Err(FramingLost::TooLong) } else { Ok(None) };
        };
        let head = Head::parse(&self.buffer[..head_len]).ok_or(FramingLost::BadLength)?;
        let body_len = match body_length(&head.headers).map_err(|()| FramingLost::BadLength)? {
            Body::Length(n) => n,
            Body::Absent => 0,
        };
        if head_len + body_len > limits::SIP_MESSAGE_BYTES {
            return Err(FramingLost::TooLong);
        }
        Ok(Some((head_len, body_len)))
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
            assert!(framer.search.scanned + 1 >= framer.buffer.len() || framer.lengths.is_some());
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
    fn a_length_that_cannot_be_trusted_ends_the_stream() {
        let mut framer = Framer::default();
        framer.push(b"INVITE sip:a SIP/2.0\r\nContent-Length: 5\r\nl: 6\r\n\r\nhello!");
        assert_eq!(framer.next_frame(), Err(FramingLost::BadLength));
        let mut framer = Framer::default();
        framer.push(&vec![b'x'; limits::SIP_MESSAGE_BYTES + 1]);
        assert_eq!(framer.next_frame(), Err(FramingLost::TooLong));
    }
}
