//! A SIP end that does exactly what a test says, message by message: for orders of events that SIPp cannot promise.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

pub(crate) struct Phone {
    socket: UdpSocket,
}

/// A SIP message as text.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) text: String,
    pub(crate) from: SocketAddr,
}

impl Phone {
    pub(crate) fn at(address: &str, port: u16) -> Phone {
        Phone { socket: UdpSocket::bind((address, port)).expect("the phone's port") }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket")
    }

    pub(crate) fn send(&self, text: &str, to: SocketAddr) {
        self.socket.send_to(text.replace('\n', "\r\n").as_bytes(), to).expect("sending");
    }

    /// The next message, or `None` after `limit`.
    pub(crate) fn next(&self, limit: Duration) -> Option<Message> {
        self.socket.set_read_timeout(Some(limit.max(Duration::from_millis(1)))).expect("a timeout");
        let mut buffer = [0; 65_536];
        let (length, from) = self.socket.recv_from(&mut buffer).ok()?;
        Some(Message { text: String::from_utf8_lossy(&buffer[..length]).replace("\r\n", "\n"), from })
    }

    /// Reads until a message starts with `start`; retransmissions and others are passed over.
    #[track_caller]
    pub(crate) fn expect(&self, start: &str, limit: Duration) -> Message {
        let deadline = Instant::now() + limit;
        let mut others = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {start} within {limit:?}, only {others:#?}");
            match self.next(left) {
                Some(message) if message.text.starts_with(start) => return message,
                Some(message) => others.push(message.text.lines().next().unwrap_or_default().to_owned()),
                None => {}
            }
        }
    }
}

impl Message {
    /// The header lines of these names, as they stand.
    pub(crate) fn headers(&self, names: &[&str]) -> String {
        let head = self.text.split("\n\n").next().unwrap_or_default();
        head.lines()
            .filter(|line| line.split_once(':').is_some_and(|(name, _)| names.contains(&name.trim())))
            .map(|line| format!("{line}\n"))
            .collect()
    }

    /// A response to this request, with a To tag and, if given, a body of SDP.
    pub(crate) fn response(&self, status: &str, tag: &str, contact: SocketAddr, sdp: Option<&str>) -> String {
        let mut to = self.headers(&["To", "t"]);
        if !to.contains(";tag=") {
            to = format!("{};tag={tag}\n", to.trim_end());
        }
        let same = self.headers(&["Via", "v", "Record-Route", "From", "f", "Call-ID", "i", "CSeq"]);
        let body = sdp.unwrap_or_default().replace('\n', "\r\n");
        let kind = if sdp.is_some() { "Content-Type: application/sdp\n" } else { "" };
        format!(
            "SIP/2.0 {status}\n{same}{to}Contact: <sip:{contact}>\n{kind}Content-Length: {}\n\n{}",
            body.len(),
            sdp.unwrap_or_default()
        )
    }
}

/// A request that follows an INVITE sent by [`invite`]: its CANCEL, or what comes within the dialog of `answer`.
pub(crate) fn follow(invite: &str, method: &str, answer: Option<&Message>) -> String {
    let line = |start: &str| invite.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    let uri = line("INVITE ").split(' ').nth(1).unwrap_or_default().to_owned();
    let contact = answer.and_then(|answer| {
        let contact = answer.headers(&["Contact", "m"]);
        contact.split(['<', '>']).nth(1).map(str::to_owned)
    });
    let (via, to) = match answer {
        None => (line("Via:"), line("To:")),
        Some(answer) => (format!("{}{method}", line("Via:")), answer.headers(&["To", "t"]).trim_end().to_owned()),
    };
    let number = if method == "BYE" { 2 } else { 1 };
    format!(
        "{method} {} SIP/2.0\n{via}\nMax-Forwards: 70\n{}\n{to}\n{}\nCSeq: {number} {method}\nContent-Length: 0\n\n",
        contact.unwrap_or(uri),
        line("From:"),
        line("Call-ID:"),
    )
}

/// An SDP of PCMA at this port.
pub(crate) fn pcma_at(port: u16) -> String {
    format!(
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 8\n\
         a=rtpmap:8 PCMA/8000\na=sendrecv\n"
    )
}

/// A whole INVITE to `number`, as a trunk sends it.
pub(crate) fn invite(from: SocketAddr, to: SocketAddr, number: &str, call_id: &str) -> String {
    let body = pcma_at(9);
    format!(
        "INVITE sip:{number}@{to} SIP/2.0\nVia: SIP/2.0/UDP {from};rport;branch=z9hG4bK{call_id}\nMax-Forwards: 70\n\
         From: <sip:13900009999@{from}>;tag=t{call_id}\nTo: <sip:{number}@{to}>\nCall-ID: {call_id}\nCSeq: 1 INVITE\n\
         Contact: <sip:13900009999@{from}>\nContent-Type: application/sdp\nContent-Length: {}\n\n{body}",
        body.replace('\n', "\r\n").len()
    )
}

/// What a phone publishes of the call with this Call-ID when it is over (RFC 6035).
pub(crate) fn publish(from: SocketAddr, to: SocketAddr, of_call: &str) -> String {
    let body = format!(
        "VQSessionReport: CallTerm\nCallID: {of_call}\nLocalMetrics:\nPacketLoss: NLR=1.5 JDR=0.5\nQualityEst: MOSLQ=4.1\n"
    );
    format!(
        "PUBLISH sip:{to} SIP/2.0\nVia: SIP/2.0/UDP {from};rport;branch=z9hG4bKp{of_call}\nMax-Forwards: 70\n\
         From: <sip:probe@{from}>;tag=p{of_call}\nTo: <sip:{to}>\nCall-ID: publish-{of_call}\nCSeq: 1 PUBLISH\n\
         Event: vq-rtcpxr\nContent-Type: application/vq-rtcpxr\nContent-Length: {}\n\n{body}",
        body.replace('\n', "\r\n").len()
    )
}

/// An OPTIONS of the same form.
pub(crate) fn options(from: SocketAddr, to: SocketAddr, call_id: &str) -> String {
    format!(
        "OPTIONS sip:{to} SIP/2.0\nVia: SIP/2.0/UDP {from};rport;branch=z9hG4bK{call_id}\nMax-Forwards: 70\n\
         From: <sip:probe@{from}>;tag=t{call_id}\nTo: <sip:{to}>\nCall-ID: {call_id}\nCSeq: 1 OPTIONS\n\
         Content-Length: 0\n\n"
    )
}

/// A request of whoever answered `invite` with this tag, within its dialog.
pub(crate) fn of_the_called(
    invite: &Message,
    (from, tag): (SocketAddr, &str),
    (method, number): (&str, u32),
    more: &str,
) -> String {
    let value = |name: &str| {
        let line = invite.headers(&[name]);
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).expect("a header of the INVITE")
    };
    let target = value("Contact");
    let target = target.split(['<', '>']).nth(1).expect("an address").to_owned();
    format!(
        "{method} {target} SIP/2.0\nVia: SIP/2.0/UDP {from};rport;branch=z9hG4bKcalled{tag}{number}\nMax-Forwards: 70\n\
         From: {};tag={tag}\nTo: {}\nCall-ID: {}\nCSeq: {number} {method}\nContact: <sip:8@{from}>\n{more}",
        value("To"),
        value("From"),
        value("Call-ID")
    )
}
