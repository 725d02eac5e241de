//! The wire front end: bytes ⇄ messages (RFC 3261 section 7, tolerant where RFC 4475 asks for it).
//!
//! Parsing is total: whatever can be answered comes back as a [`Request`] with the fault beside it; only what cannot be
//! answered (no start line, no headers, a response that makes no sense) is [`Unusable`].

use super::framing::{self, Body};
pub use super::head::Fault;
use super::head::Head;
use super::header::{Headers, Name};
use super::uri::Uri;
use super::vocabulary::{self, Method};
use crate::limits;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// As written; it may be no legal URI (then the request carries a 400 fault).
    pub raw_uri: String,
    pub uri: Option<Uri>,
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// Bytes that get silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("longer than {} bytes", limits::SIP_MESSAGE_BYTES)]
    TooLong,
    #[error("no start line")]
    NoStartLine,
    #[error("the start line is neither a request's nor a response's")]
    BadStartLine,
    #[error("a response with a wrong or missing mandatory header or Content-Length")]
    BadResponse,
    #[error("only white space (a keep-alive)")]
    KeepAlive,
}

/// A parsed message; `fault` is set when it is a request that must be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    pub message: Message,
    pub fault: Option<Fault>,
}

/// Parses one datagram: what follows the body that Content-Length names is ignored; without Content-Length the body is
/// the rest (section 18.3).
pub fn parse_datagram(bytes: &[u8]) -> Result<Parsed, Unusable> {
    if bytes.len() > limits::SIP_MESSAGE_BYTES {
        return Err(Unusable::TooLong);
    }
    let bytes = framing::skip_blank(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Unusable::KeepAlive);
    }
    let head_len = framing::head_length(bytes).unwrap_or(bytes.len());
    let (head, rest) = bytes.split_at(head_len);
    let head = Head::parse(head).ok_or(Unusable::NoStartLine)?;
    match framing::body_length(&head.headers) {
        Ok(Body::Length(n)) if n > rest.len() => finish(head, rest, Some(BODY_SHORT)),
        Ok(Body::Length(n)) => finish(head, &rest[..n], None),
        Ok(Body::Absent) => finish(head, rest, None),
        Err(()) => finish(head, &[], Some(BAD_LENGTH)),
    }
}

/// Parses one message that a [`framing::Framer`] has cut out of a stream. One whose body it could not give out is to be refused.
pub fn parse_framed(head: &[u8], body: &[u8]) -> Result<Parsed, Unusable> {
    let head = Head::parse(head).ok_or(Unusable::NoStartLine)?;
    let fault = match framing::body_length(&head.headers) {
        Ok(Body::Length(n)) if n > body.len() => Some(TOO_LARGE),
        Ok(Body::Length(_) | Body::Absent) => None,
        Err(()) => Some(BAD_LENGTH),
    };
    finish(head, body, fault)
}

fn finish(head: Head<'_>, body: &[u8], fault: Option<Fault>) -> Result<Parsed, Unusable> {
    let Head { start, headers, fault: head_fault } = head;
    let fault = head_fault.or(fault);
    let start = String::from_utf8_lossy(start);
    if start.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("SIP/")) {
        let response = parse_status_line(&start, headers, body).ok_or(Unusable::BadResponse)?;
        return match fault.or_else(|| response_fault(&response)) {
            Some(_) => Err(Unusable::BadResponse),
            None => Ok(Parsed { message: Message::Response(response), fault: None }),
        };
    }
    let (request, line_fault) = parse_request_line(&start, headers, body).ok_or(Unusable::BadStartLine)?;
    let fault = line_fault.or(fault).or_else(|| request_fault(&request));
    Ok(Parsed { message: Message::Request(request), fault })
}

fn parse_status_line(start: &str, headers: Headers, body: &[u8]) -> Option<Response> {
    let mut parts = start.splitn(3, ' ');
    let (version, status) = (parts.next()?, parts.next()?);
    let status: u16 = status.parse().ok().filter(|s| (100..700).contains(s) && status.len() == 3)?;
    version.eq_ignore_ascii_case("SIP/2.0").then(|| Response {
        status,
        reason: parts.next().unwrap_or_default().to_owned(),
        headers,
        body: body.to_vec(),
    })
}

fn parse_request_line(start: &str, headers: Headers, body: &[u8]) -> Option<(Request, Option<Fault>)> {
    let (method, rest) = start.split_once(' ')?;
    if method.is_empty() || !method.bytes().all(super::header::is_token) {
        return None;
    }
    let (raw_uri, version) = rest.trim_end().rsplit_once(' ')?;
    if !version.get(..4)?.eq_ignore_ascii_case("SIP/") {
        return None;
    }
    let uri = Uri::parse(raw_uri).filter(|_| !raw_uri.starts_with(' '));
    let fault = if !version.eq_ignore_ascii_case("SIP/2.0") {
        Some(Fault { status: 505, reason: "Version Not Supported" })
    } else if uri.is_none() || raw_uri.contains(' ') || !super::uri::is_well_escaped(raw_uri) {
        Some(Fault { status: 400, reason: "Bad Request-URI" })
    } else {
        None
    };
    let request =
        Request { method: Method::parse(method), raw_uri: raw_uri.to_owned(), uri, headers, body: body.to_vec() };
    Some((request, fault))
}

const BODY_SHORT: Fault = Fault { status: 400, reason: "Content-Length Is Longer Than The Message" };
const BAD_LENGTH: Fault = Fault { status: 400, reason: "Bad Content-Length" };
/// Section 21.4.11.
const TOO_LARGE: Fault = Fault { status: 413, reason: "Request Entity Too Large" };

/// The checks of section 8.2 and 16.3 that need no knowledge of state.
fn request_fault(request: &Request) -> Option<Fault> {
    let bad = |reason| Some(Fault { status: 400, reason });
    let h = &request.headers;
    if top_via(h).is_none() {
        return bad("Bad Via");
    }
    for (name, reason) in
        [(Name::FROM, "Bad From"), (Name::TO, "Bad To"), (Name::CALL_ID, "Bad Call-ID"), (Name::CSEQ, "Bad CSeq")]
    {
        if h.fields(&name).count() != 1 {
            return bad(reason);
        }
    }
    for (name, reason) in [(Name::FROM, "Bad From"), (Name::TO, "Bad To")] {
        if !super::address::Address::parse(h.first(&name)?).is_some_and(|address| address.names_one_dialog()) {
            return bad(reason);
        }
    }
    match h.text(&Name::CSEQ).and_then(vocabulary::cseq) {
        None => return bad("Bad CSeq"),
        Some((_, method)) if method != request.method => return bad("CSeq Method Does Not Match"),
        Some(_) => {}
    }
    let is_call_id = |id: &str| !id.is_empty() && !id.bytes().any(|b| b <= b' ' || b == 0x7f);
    if !h.text(&Name::CALL_ID).is_some_and(is_call_id) {
        return bad("Bad Call-ID");
    }
    if h.fields(&Name::MAX_FORWARDS).count() > 1 {
        return bad("Bad Max-Forwards");
    }
    match h.first(&Name::MAX_FORWARDS).map(|v| std::str::from_utf8(v).ok().and_then(vocabulary::max_forwards)) {
        Some(None) => bad("Bad Max-Forwards"),
        // Max-Forwards: 0 is no fault: only a call goes on from here.
        Some(Some(_)) | None => None,
    }
}

fn response_fault(response: &Response) -> Option<Fault> {
    let h = &response.headers;
    let whole = top_via(h).is_some()
        && h.text(&Name::CSEQ).and_then(vocabulary::cseq).is_some()
        && h.text(&Name::CALL_ID).is_some()
        && h.first(&Name::FROM).is_some()
        && h.first(&Name::TO).is_some();
    (!whole).then_some(BAD_LENGTH)
}

fn top_via(headers: &Headers) -> Option<super::via::Via> {
    headers.list(&Name::VIA).next().and_then(super::via::Via::parse)
}

impl Request {
    pub fn new(method: Method, uri: &str) -> Request {
        Request { method, raw_uri: uri.to_owned(), uri: Uri::parse(uri), headers: Headers::default(), body: Vec::new() }
    }

    pub fn top_via(&self) -> Option<super::via::Via> {
        top_via(&self.headers)
    }

    pub fn cseq(&self) -> Option<u32> {
        self.headers.text(&Name::CSEQ).and_then(vocabulary::cseq).map(|(n, _)| n)
    }

    /// `None`: a request of RFC 2543, which had no such limit.
    pub fn max_forwards(&self) -> Option<u8> {
        self.headers.text(&Name::MAX_FORWARDS).and_then(vocabulary::max_forwards)
    }

    /// A response with the headers that section 8.2.6.2 copies; `to_tag` is added to To if it has none.
    pub fn response(&self, status: u16, reason: Option<&str>, to_tag: Option<&str>) -> Response {
        let mut headers = Headers::default();
        for name in [Name::VIA, Name::FROM, Name::TO, Name::CALL_ID, Name::CSEQ] {
            for value in self.headers.fields(&name) {
                headers.push(name.clone(), value);
            }
        }
        let tagless = |to: &[u8]| super::address::Address::parse(to).is_some_and(|a| a.tag().is_none());
        if let (Some(tag), Some(to)) = (to_tag, self.headers.first(&Name::TO).filter(|to| tagless(to))) {
            headers.replace_first(&Name::TO, [to, b";tag=", tag.as_bytes()].concat());
        }
        let reason = reason.map_or_else(|| vocabulary::reason_phrase(status), str::to_owned);
        Response { status, reason, headers, body: Vec::new() }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        print(&format!("{} {} SIP/2.0", self.method, self.raw_uri), &self.headers, &self.body)
    }
}

impl Response {
    pub fn cseq(&self) -> Option<(u32, Method)> {
        self.headers.text(&Name::CSEQ).and_then(vocabulary::cseq)
    }

    pub fn top_via(&self) -> Option<super::via::Via> {
        top_via(&self.headers)
    }

    pub fn to_tag(&self) -> Option<String> {
        let to = super::address::Address::parse(self.headers.first(&Name::TO)?)?;
        to.tag().map(str::to_owned)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        print(&format!("SIP/2.0 {} {}", self.status, self.reason), &self.headers, &self.body)
    }
}

/// Content-Length is always ours: computed here, last.
fn print(start: &str, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + body.len());
    print_line(&mut out, &[start.as_bytes()]);
    for (name, value) in headers.iter().filter(|(name, _)| **name != Name::CONTENT_LENGTH) {
        print_line(&mut out, &[name.as_str().as_bytes(), b": ", value]);
    }
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
    out
}

/// One line, whatever is in it: nothing that a value holds can begin another header field.
fn print_line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let from = out.len();
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out[from..].iter_mut().filter(|b| matches!(**b, b'\r' | b'\n')).for_each(|b| *b = b' ');
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: &[u8]) -> (Request, Option<Fault>) {
        match parse_datagram(bytes).unwrap() {
            Parsed { message: Message::Request(r), fault } => (r, fault),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn header_injection_is_impossible_through_values() {
        // A folded line becomes one value; what is printed has no line break inside a value.
        let (r, fault) = request(
            b"OPTIONS sip:h SIP/2.0\r\nv: SIP/2.0/UDP h\r\n ;branch=z9hG4bK1\r\nf : <sip:a@h>;tag=1\r\nt:<sip:b@h>\r\ni: x\r\nCSeq: 1\r\n\tOPTIONS\r\n\r\n",
        );
        assert_eq!(fault, None);
        assert_eq!(r.headers.text(&Name::VIA), Some("SIP/2.0/UDP h ;branch=z9hG4bK1"));
        let again = r.response(200, None, Some("t2")).to_bytes();
        assert!(String::from_utf8(again).unwrap().contains("To: <sip:b@h>;tag=t2\r\n"));
    }

    #[test]
    fn content_length_rules_for_datagrams() {
        let base = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n";
        let with = |cl: &str, body: &str| request(format!("{base}{cl}\r\n{body}").as_bytes());
        assert_eq!(with("Content-Length: 3\r\n", "abcdef").0.body, b"abc");
        assert_eq!(with("", "abcdef").0.body, b"abcdef");
        assert_eq!(with("l : 3\r\n", "abc").1, None);
        assert_eq!(with("Content-Length: 9\r\n", "abc").1.map(|f| f.status), Some(400));
        assert_eq!(with("Content-Length: -9\r\n", "abc").1.map(|f| f.status), Some(400));
        assert_eq!(with("Content-Length: 3\r\nContent-Length: 2\r\n", "abc").1.map(|f| f.status), Some(400));
        assert_eq!(with("Content-Length: 18446744073709551615\r\n", "abc").1.map(|f| f.status), Some(400));
    }

    #[test]
    fn what_cannot_be_answered_is_unusable() {
        assert_eq!(parse_datagram(b"\r\n\r\n"), Err(Unusable::KeepAlive));
        assert_eq!(parse_datagram(b"hello"), Err(Unusable::BadStartLine));
        assert_eq!(parse_datagram(&vec![b'a'; limits::SIP_MESSAGE_BYTES + 1]), Err(Unusable::TooLong));
        assert_eq!(parse_datagram(b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n"), Err(Unusable::BadResponse));
    }

    const BASE: &str = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n";

    #[test]
    fn a_line_that_is_no_header_field_does_not_cost_the_message() {
        let (r, fault) = request(format!("{BASE}no colon here\r\nX y: z\r\nSubject: s\r\n\r\n").as_bytes());
        assert_eq!((fault, r.headers.len()), (None, 6));
        let (r, _) = request(format!("{BASE}Content-Length\x0c: 2\r\n\r\nbody").as_bytes());
        assert_eq!(r.body, b"body", "a control character makes another name");
    }

    #[test]
    fn a_bare_carriage_return_is_refused_and_never_printed() {
        let (r, fault) = request(BASE.replace("Call-ID: x", "Call-ID: x\rContact: <sip:evil@h>").as_bytes());
        assert_eq!(fault.map(|f| f.status), Some(400));
        let text = String::from_utf8(r.response(400, None, Some("t")).to_bytes()).unwrap();
        assert_eq!(text.matches('\r').count(), text.matches("\r\n").count(), "{text}");
        let mut forged = Request::new(Method::OPTIONS, "sip:h");
        forged.headers.push(Name::FROM, "<sip:1\r\nX: y@h>");
        assert!(!String::from_utf8(forged.to_bytes()).unwrap().contains("\nX:"));
    }

    #[test]
    fn too_many_header_fields_are_answered() {
        let many = "X: y\r\n".repeat(limits::SIP_HEADER_FIELDS);
        let (r, fault) = request(format!("{BASE}{many}Content-Length: 2\r\n\r\nbody").as_bytes());
        assert_eq!(fault.map(|f| f.status), Some(400));
        assert_eq!((r.headers.len(), r.body.as_slice()), (limits::SIP_HEADER_FIELDS + 1, &b"bo"[..]));
    }
}
