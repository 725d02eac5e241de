//! The head of a message: its start line and header fields as lines of text (RFC 3261 section 7.3).

use std::borrow::Cow;

use super::header::{Headers, Name};
use crate::limits;

/// A request that must be refused, with the answer the RFC names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub status: u16,
    pub reason: &'static str,
}

/// Start line and header fields, and what is wrong with the fields as lines of text.
pub(super) struct Head<'a> {
    pub(super) start: &'a [u8],
    pub(super) headers: Headers,
    pub(super) fault: Option<Fault>,
}

impl Head<'_> {
    /// `None`: there is no start line.
    pub(super) fn parse(head: &[u8]) -> Option<Head<'_>> {
        let (start, rest) = split_line(head);
        if start.trim_ascii().is_empty() {
            return None;
        }
        let (headers, fault) = parse_fields(rest);
        let fault = if start.contains(&b'\r') { Some(BARE_CR) } else { fault };
        Some(Head { start, headers, fault })
    }
}

/// The header fields of a head whose first line may be anything.
pub(super) fn fields_of(head: &[u8]) -> Headers {
    let (_, rest) = split_line(head);
    parse_fields(rest).0
}

/// Header fields up to the empty line. A line that is no header field is left out (section 8.2.2: what is malformed and
/// not needed is ignored). No value that comes out of here holds CR or LF.
pub(super) fn parse_fields(mut rest: &[u8]) -> (Headers, Option<Fault>) {
    let (mut headers, mut fault) = (Headers::default(), None);
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        rest = after;
        if line.is_empty() {
            break;
        }
        let mut line = Cow::Borrowed(line);
        // Unfolding (section 7.3.1): a line that begins with white space continues the one before.
        while rest.first().is_some_and(|b| is_blank(*b)) {
            let (more, after) = split_line(rest);
            let line = line.to_mut();
            line.push(b' ');
            line.extend_from_slice(more.trim_ascii());
            rest = after;
        }
        // A CR alone ends a line for some readers and not for others: a way to smuggle header fields.
        if line.contains(&b'\r') {
            line.to_mut().iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b' ');
            fault = Some(BARE_CR);
        }
        if has_bare_nul(&line) {
            line.to_mut().iter_mut().filter(|b| **b == 0).for_each(|b| *b = b' ');
            fault = fault.or(Some(NUL));
        }
        let Some((name, value)) = parse_field(&line) else { continue };
        // Where the message ends must be known even when the rest of it is not read.
        if headers.len() < limits::SIP_HEADER_FIELDS || name == Name::CONTENT_LENGTH {
            headers.push(name, value);
        } else {
            fault = fault.or(Some(TOO_MANY));
        }
    }
    (headers, fault)
}

fn parse_field(line: &[u8]) -> Option<(Name, &[u8])> {
    let colon = line.iter().position(|b| *b == b':')?;
    // Blanks alone may stand before the colon: a control character there is another name (AST-2016-009).
    let end = line[..colon].iter().rposition(|b| !is_blank(*b)).map_or(0, |last| last + 1);
    Some((Name::parse(&line[..end])?, line[colon + 1..].trim_ascii()))
}

/// NUL ends a text for some readers and not for others. The grammar (section 25.1) has it in a quoted pair and nowhere else.
fn has_bare_nul(line: &[u8]) -> bool {
    line.first() == Some(&0) || line.windows(2).any(|pair| pair[1] == 0 && pair[0] != b'\\')
}

fn is_blank(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

/// The line before CRLF (or a bare LF), and what follows.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|b| *b == b'\n') {
        Some(lf) => (bytes[..lf].strip_suffix(b"\r").unwrap_or(&bytes[..lf]), &bytes[lf + 1..]),
        None => (bytes, &[]),
    }
}

const BARE_CR: Fault = Fault { status: 400, reason: "Carriage Return Within A Line" };
const NUL: Fault = Fault { status: 400, reason: "NUL In A Header Field" };
const TOO_MANY: Fault = Fault { status: 400, reason: "Too Many Header Fields" };
