//! SIP over TCP in a capture: each direction's bytes in order, cut into messages.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::clock::Instant;
use crate::protocol::sip::framing::{Frame, Framer};

/// Directions that are followed at once; beyond it the one that was silent longest is forgotten.
const FLOWS: usize = 2_048;
/// Segments that wait for one before them, and a step that is still the same stream.
const WAITING: usize = 64;
const NEAR: i32 = 1 << 20;

#[derive(Debug)]
struct Flow {
    next: u32,
    waiting: BTreeMap<u32, Vec<u8>>,
    framer: Framer,
    latest: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Flows {
    flows: BTreeMap<(SocketAddr, SocketAddr), Flow>,
}

impl Flows {
    /// Takes a segment and gives each message that it completes to `message`.
    pub(super) fn segment(
        &mut self,
        at: Instant,
        ends: (SocketAddr, SocketAddr),
        (sequence, opens, closes): (u32, bool, bool),
        payload: &[u8],
        mut message: impl FnMut(Frame),
    ) {
        if opens {
            self.flows.remove(&ends);
        }
        if !self.flows.contains_key(&ends) {
            // A stream is followed from its first segment that begins a message, wherever the capture began.
            if !begins_message(payload) {
                return;
            }
            self.make_room();
            let flow = Flow { next: sequence, waiting: BTreeMap::new(), framer: Framer::default(), latest: at };
            self.flows.insert(ends, flow);
        }
        let Some(flow) = self.flows.get_mut(&ends) else { return };
        flow.latest = at;
        let followed = flow.push(sequence, payload, &mut message);
        if closes || !followed {
            self.flows.remove(&ends);
        }
    }

    fn make_room(&mut self) {
        if self.flows.len() >= FLOWS
            && let Some(oldest) = self.flows.iter().min_by_key(|(_, flow)| flow.latest).map(|(ends, _)| *ends)
        {
            self.flows.remove(&oldest);
        }
    }
}

impl Flow {
    /// False if the stream cannot be followed any further.
    fn push(&mut self, sequence: u32, payload: &[u8], message: &mut impl FnMut(Frame)) -> bool {
        let ahead = sequence.wrapping_sub(self.next) as i32;
        if ahead.abs() > NEAR {
            return false;
        }
        if ahead > 0 {
            if !payload.is_empty() {
                self.waiting.insert(sequence, payload.to_vec());
            }
            return self.waiting.len() <= WAITING;
        }
        self.take(ahead, payload);
        while let Some((&sequence, _)) = self.waiting.iter().find(|(s, _)| s.wrapping_sub(self.next) as i32 <= 0) {
            let payload = self.waiting.remove(&sequence).unwrap_or_default();
            self.take(sequence.wrapping_sub(self.next) as i32, &payload);
        }
        loop {
            match self.framer.next_frame() {
                Ok(Some(frame)) => message(frame),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// What of `payload` is new; it begins `-ahead` bytes before the next one.
    fn take(&mut self, ahead: i32, payload: &[u8]) {
        let new = payload.get(ahead.unsigned_abs() as usize..).unwrap_or_default();
        self.framer.push(new);
        self.next = self.next.wrapping_add(new.len() as u32);
    }
}

/// A request line or a status line (RFC 3261 section 7) stands at the beginning.
pub(super) fn begins_message(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"SIP/2.0 ") {
        return true;
    }
    let line = &bytes[..bytes.iter().take(1_024).position(|b| *b == b'\r' || *b == b'\n').unwrap_or(0)];
    line.first().is_some_and(u8::is_ascii_uppercase) && line.ends_with(b" SIP/2.0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"INVITE sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";
    const TWO: &[u8] = b"BYE sip:a SIP/2.0\r\nl: 0\r\n\r\n";

    fn followed(segments: &[(u32, &[u8])]) -> Vec<Vec<u8>> {
        let mut flows = Flows::default();
        let ends = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:5060".parse().unwrap());
        let mut bodies = Vec::new();
        for (sequence, payload) in segments {
            flows.segment(Instant::START, ends, (*sequence, false, false), payload, |frame| bodies.push(frame.body));
        }
        bodies
    }

    #[test]
    fn in_order_across_the_wrap_twice_and_out_of_order() {
        let from = u32::MAX - 20;
        let at = |n: usize| from.wrapping_add(n as u32);
        let (head, tail) = ONE.split_at(30);
        let two = at(ONE.len());
        let expected = vec![b"hello".to_vec(), Vec::new()];
        assert_eq!(followed(&[(from, head), (at(30), tail), (two, TWO)]), expected);
        assert_eq!(followed(&[(from, head), (two, TWO), (from, head), (at(30), tail), (at(30), tail)]), expected);
        assert_eq!(followed(&[(from, head), (at(20), &ONE[20..]), (two, TWO)]), expected, "overlapping");
    }

    #[test]
    fn other_protocols_are_not_followed() {
        let http: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
        assert_eq!(followed(&[(1, http), (19, TWO)]).len(), 1, "the second begins a message");
        assert!(!begins_message(b"get sip:a SIP/2.0\r\n") && !begins_message(&[0x80; 200]) && begins_message(TWO));
    }
}
