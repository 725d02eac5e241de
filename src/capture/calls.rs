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
    pub offered: Instant,
    pub rung: Option<Instant>,
    pub answered: Option<Instant>,
    pub ended: Option<Instant>,
    /// The final response to the INVITE.
    pub status: Option<u16>,
    /// What phones say of it (RFC 6035).
    pub reports: Vec<Report>,
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

    pub(super) fn get(&self, call: usize) -> &Call {
        &self.calls[call]
    }

    /// All of them, and how many messages found no room.
    pub(super) fn finish(self) -> (Vec<Call>, u64) {
        (self.calls, self.left_out)
    }

    /// Only an INVITE begins a call.
    fn call(&mut self, at: Instant, message: &Message, headers: &Headers) -> Option<usize> {
        let call_id = headers.text(&Name::CALL_ID)?.trim();
        if let Some(known) = self.by_id.get(call_id) {
            return Some(*known);
        }
        if !matches!(message, Message::Request(request) if request.method == Method::INVITE) {
            return None;
        }
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
            offered: at,
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
                if of != Some(Method::INVITE) || call.answered.is_some() {
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
        for media in description.media.iter().filter(|media| media.kind == "audio" && media.port != 0) {
            let Some(Host::Ip(ip)) = description.connection_of(media) else { continue };
            let end = SocketAddr::new(*ip, media.port);
            if self.ends.len() >= ENDS && !self.ends.contains_key(&end) {
                self.left_out += 1;
                continue;
            }
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

fn party(headers: &Headers, name: &Name) -> String {
    let address = headers.first(name).and_then(Address::parse);
    address.map_or_else(String::new, |a| a.uri.number().unwrap_or_else(|| a.uri.as_str().to_owned()))
}
