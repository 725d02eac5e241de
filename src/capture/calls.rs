//! Calls in a capture: one a Call-ID, with what SDP says of its media and what phones report.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Instant;
use crate::protocol::sdp::{Description, Host};
use crate::protocol::sip::address::Address;
use crate::protocol::sip::body::session_description;
use crate::protocol::sip::header::{Headers, Name};
use crate::protocol::sip::message::{Message, Parsed};
use crate::protocol::sip::vocabulary::{Method, cseq};
use crate::protocol::sip::voice_quality::{self, Report};

/// Calls and media addresses that are kept; what comes later is counted.
const CALLS: usize = 200_000;
const ENDS: usize = 400_000;
/// Reports of one call: two phones, some intervals.
const REPORTS: usize = 64;
/// Media that still flows so long after the end belongs to the call.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// A call as its SIP tells it. Instants are the capture's, since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub call_id: String,
    pub from: String,
    pub to: String,
    /// Its first message in the capture.
    pub seen: Instant,
    /// Next to know: its INVITE came before the capture began.
    pub offered: Option<Instant>,
    /// It was answered before the capture began, or too early in it to tell when.
    pub in_progress: bool,
    pub rung: Option<Instant>,
    pub answered: Option<Instant>,
    pub ended: Option<Instant>,
    /// The final response to the INVITE.
    pub status: Option<u16>,
    /// What phones say of it (RFC 6035).
    pub reports: Vec<Report>,
}

impl Call {
    pub(super) fn was_answered(&self) -> bool {
        self.answered.is_some() || self.in_progress
    }
}

/// What the first message of a Call-ID tells of the call.
enum Beginning {
    Offered,
    Ringing,
    InProgress,
}

/// A payload type's meaning by SDP: encoding name and clock rate.
pub(super) type Formats = Vec<(u8, String, u32)>;

#[derive(Debug, Clone)]
struct Announced {
    call: usize,
    formats: Arc<Formats>,
}

#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    by_id: HashMap<String, usize>,
    ends: HashMap<SocketAddr, Announced>,
    /// Grows when an address gets another meaning.
    announcements: u64,
    left_out: u64,
}

impl Calls {
    pub(super) fn message(&mut self, at: Instant, parsed: &Parsed) {
        let (headers, body) = match &parsed.message {
            Message::Request(request) => (&request.headers, &request.body),
            Message::Response(response) => (&response.headers, &response.body),
        };
        if headers.text(&Name::CONTENT_TYPE).is_some_and(voice_quality::is_report) {
            self.report(headers, body);
            return;
        }
        let Some(call) = self.call(at, &parsed.message, headers) else { return };
        self.follow(at, call, &parsed.message);
        if let Ok(sdp) = session_description(headers, body)
            && !sdp.is_empty()
            && let Ok(description) = Description::parse(sdp)
        {
            self.announce(call, &description);
        }
    }

    /// The call that media to or from `end` belongs to, with its formats.
    pub(super) fn owner(&self, at: Instant, end: SocketAddr) -> Option<(usize, Arc<Formats>)> {
        let announced = self.ends.get(&end)?;
        let over = self.calls[announced.call].ended.is_some_and(|ended| at.since(ended) > AFTERWARDS);
        (!over).then(|| (announced.call, Arc::clone(&announced.formats)))
    }

    pub(super) fn announcements(&self) -> u64 {
        self.announcements
    }

    /// Whether one call was over when the other one began.
    pub(super) fn is_after(&self, later: usize, earlier: usize) -> bool {
        self.calls[earlier].ended.is_some_and(|ended| ended <= self.calls[later].seen)
    }

    pub(super) fn get(&self, call: usize) -> &Call {
        &self.calls[call]
    }

    /// All of them, and how many messages found no room.
    pub(super) fn finish(self) -> (Vec<Call>, u64) {
        (self.calls, self.left_out)
    }

    fn call(&mut self, at: Instant, message: &Message, headers: &Headers) -> Option<usize> {
        let call_id = headers.text(&Name::CALL_ID)?.trim();
        if let Some(known) = self.by_id.get(call_id) {
            return Some(*known);
        }
        let beginning = beginning(message, headers)?;
        if self.calls.len() >= CALLS {
            self.left_out += 1;
            return None;
        }
        let (from, to) = (party(headers, &Name::FROM), party(headers, &Name::TO));
        let call_id = call_id.to_owned();
        let reports = Vec::new();
        self.by_id.insert(call_id.clone(), self.calls.len());
        self.calls.push(Call {
            call_id,
            from,
            to,
            seen: at,
            offered: matches!(beginning, Beginning::Offered).then_some(at),
            in_progress: matches!(beginning, Beginning::InProgress),
            rung: None,
            answered: None,
            ended: None,
            status: None,
            reports,
        });
        Some(self.calls.len() - 1)
    }

    fn follow(&mut self, at: Instant, call: usize, message: &Message) {
        let call = &mut self.calls[call];
        match message {
            Message::Request(request) if request.method == Method::BYE => {
                call.ended.get_or_insert(at);
            }
            Message::Request(_) => {}
            Message::Response(response) => {
                let of = response.headers.text(&Name::CSEQ).and_then(cseq).map(|(_, method)| method);
                if of != Some(Method::INVITE) || call.was_answered() {
                    return;
                }
                match response.status {
                    180..=183 => drop(call.rung.get_or_insert(at)),
                    200..=299 => (call.answered, call.status, call.ended) = (Some(at), Some(response.status), None),
                    // A challenge, and then the INVITE again.
                    401 | 407 | 100..=179 | 184..=199 => {}
                    status => (call.status, call.ended) = (Some(status), call.ended.or(Some(at))),
                }
            }
        }
    }

    fn announce(&mut self, call: usize, description: &Description) {
        // Video too: its packets belong to the call.
        for media in description.media.iter().filter(|media| media.protocol.contains("RTP/") && media.port != 0) {
            let Some(Host::Ip(ip)) = description.connection_of(media) else { continue };
            let end = SocketAddr::new(*ip, media.port);
            if self.ends.len() >= ENDS && !self.ends.contains_key(&end) {
                self.left_out += 1;
                continue;
            }
            let known = self.ends.get(&end);
            if known.is_some_and(|known| known.call == call && *known.formats == media.maps) {
                continue;
            }
            self.announcements += 1;
            self.ends.insert(end, Announced { call, formats: Arc::new(media.maps.clone()) });
        }
    }

    fn report(&mut self, headers: &Headers, body: &[u8]) {
        let Some(report) = voice_quality::parse(body) else { return };
        // The dialog of a PUBLISH is another one; the body names the call.
        let call_id = report.call_id.as_deref().or_else(|| headers.text(&Name::CALL_ID)).unwrap_or_default();
        let call = self.by_id.get(call_id.trim()).map(|call| &mut self.calls[*call]);
        match call.filter(|call| call.reports.len() < REPORTS) {
            // One that was sent again is one.
            Some(call) if call.reports.contains(&report) => {}
            Some(call) => call.reports.push(report),
            None => self.left_out += 1,
        }
    }
}

/// `None`: not of a call, or too little to tell one.
fn beginning(message: &Message, headers: &Headers) -> Option<Beginning> {
    match message {
        // Within a dialog both have tags (RFC 3261 section 12.2.1.1).
        Message::Request(request) if request.method == Method::INVITE => {
            let within = headers.text(&Name::TO).is_some_and(|to| to.to_ascii_lowercase().contains(";tag="));
            Some(if within { Beginning::InProgress } else { Beginning::Offered })
        }
        Message::Request(request) => (request.method == Method::BYE).then_some(Beginning::InProgress),
        Message::Response(response) => {
            let of = headers.text(&Name::CSEQ).and_then(cseq).map(|(_, method)| method);
            match response.status {
                _ if of != Some(Method::INVITE) => None,
                180..=183 => Some(Beginning::Ringing),
                // Of the first INVITE or of a later one: nothing tells.
                200..=299 => Some(Beginning::InProgress),
                _ => None,
            }
        }
    }
}

fn party(headers: &Headers, name: &Name) -> String {
    let address = headers.first(name).and_then(Address::parse);
    address.map_or_else(String::new, |a| a.uri.number().unwrap_or_else(|| a.uri.as_str().to_owned()))
}
