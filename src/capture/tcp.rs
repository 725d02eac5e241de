//! SIP over TCP in a capture: each direction's bytes in order, cut into messages; connections that are TLS are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::clock::Instant;
use crate::protocol::sip::framing::{Frame, Framer, skip_blank};

/// Directions that are followed at once; beyond it the one that was silent longest is forgotten.
const FLOWS: usize = 2_048;
/// Segments that wait for one before them, and a step that is still the same stream.
const WAITING: usize = 64;
const NEAR: i32 = 1 << 20;
/// Octets within which a first line must end.
const FIRST_LINE: usize = 1_024;
/// Connections that are told apart.
const TLS: usize = 4_096;

#[derive(Debug)]
struct Flow {
    next: u32,
    waiting: BTreeMap<u32, Vec<u8>>,
    /// Its first octets, until they tell whether it is SIP.
    opening: Option<Vec<u8>>,
    framer: Framer,
    latest: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Flows {
    flows: BTreeMap<(SocketAddr, SocketAddr), Flow>,
    /// The lesser end first.
    tls: BTreeSet<(SocketAddr, SocketAddr)>,
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
            // What follows is the stream's beginning, whatever the pieces are that it comes in; SYN takes one number.
            self.make_room();
            self.flows.insert(ends, Flow::new(at, sequence.wrapping_add(1), Some(Vec::new())));
        } else if is_tls(payload) && self.tls.len() < TLS {
            self.tls.insert((ends.0.min(ends.1), ends.0.max(ends.1)));
        }
        if !self.flows.contains_key(&ends) {
            // Without its SYN a stream is followed from the first segment that begins a message.
            if !begins_message(payload) {
                return;
            }
            self.make_room();
            self.flows.insert(ends, Flow::new(at, sequence, None));
        }
        let sequence = sequence.wrapping_add(u32::from(opens));
        let Some(flow) = self.flows.get_mut(&ends) else { return };
        flow.latest = at;
        let followed = flow.push(sequence, payload, &mut message);
        if closes || !followed {
            self.flows.remove(&ends);
        }
    }

    /// Connections of which nothing was read.
    pub(super) fn tls(&self) -> u64 {
        self.tls.len() as u64
    }

    fn make_room(&mut self) {
        // What may be anything goes before what is SIP.
        let age = |flow: &Flow| (flow.opening.is_none(), flow.latest);
        if self.flows.len() >= FLOWS
            && let Some(oldest) = self.flows.iter().min_by_key(|(_, flow)| age(flow)).map(|(ends, _)| *ends)
        {
            self.flows.remove(&oldest);
        }
    }
}

impl Flow {
    fn new(at: Instant, next: u32, opening: Option<Vec<u8>>) -> Flow {
        Flow { next, waiting: BTreeMap::new(), opening, framer: Framer::default(), latest: at }
    }

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
        match self.opening.as_deref().map(decide) {
            None | Some(Some(true)) => self.opening = None,
            Some(Some(false)) => return false,
            Some(None) => return true,
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
        if let Some(opening) = &mut self.opening {
            opening.extend(new.iter().take(FIRST_LINE.saturating_sub(opening.len())));
        }
        self.framer.push(new);
        self.next = self.next.wrapping_add(new.len() as u32);
    }
}

/// Whether a stream that begins so is SIP; `None`: its first line is not there yet.
fn decide(opening: &[u8]) -> Option<bool> {
    let opening = skip_blank(opening);
    if begins_message(opening) {
        return Some(true);
    }
    let ended = opening.contains(&b'\n') || opening.len() >= FIRST_LINE;
    (ended || opening.first().is_some_and(|first| !first.is_ascii_uppercase())).then_some(false)
}

/// A record of TLS (RFC 8446 section 5.1): its type, version 3.x, a length that may be.
fn is_tls(payload: &[u8]) -> bool {
    matches!(payload, [20..=23, 3, 0..=4, high, _, ..] if *high <= 0x41)
}

/// A request line or a status line (RFC 3261 section 7) stands at the beginning.
pub(super) fn begins_message(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"SIP/2.0 ") {
        return true;
    }
    let line = &bytes[..bytes.iter().take(FIRST_LINE).position(|b| *b == b'\r' || *b == b'\n').unwrap_or(0)];
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
    fn a_stream_with_its_beginning_comes_in_any_pieces_and_order() {
        let text = [b"\r\n\r\n", ONE, TWO].concat();
        let ends = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:5060".parse().unwrap());
        for swapped in [false, true] {
            let mut flows = Flows::default();
            let mut bodies = Vec::new();
            let mut pieces: Vec<(u32, &[u8])> = (0_u32..).step_by(3).zip(text.chunks(3)).collect();
            if swapped {
                pieces.chunks_mut(2).for_each(<[_]>::reverse);
            }
            flows.segment(Instant::START, ends, (u32::MAX - 5, true, false), &[], |_| panic!("nothing was said"));
            for (offset, piece) in pieces {
                let sequence = (u32::MAX - 4).wrapping_add(offset);
                flows.segment(Instant::START, ends, (sequence, false, false), piece, |frame| bodies.push(frame.body));
            }
            assert_eq!(bodies, [b"hello".to_vec(), Vec::new()], "swapped: {swapped}");
        }
    }

    #[test]
    fn connections_that_cannot_be_read_are_counted_once() {
        let mut flows = Flows::default();
        let (one, two) = ("10.0.0.1:40000".parse().unwrap(), "10.0.0.2:5061".parse().unwrap());
        let hello = [0x16, 3, 1, 0, 0x40, 1];
        for (ends, opens) in [((one, two), true), ((one, two), false), ((two, one), false)] {
            flows.segment(Instant::START, ends, (1, opens, false), if opens { &[] } else { &hello }, |_| {
                panic!("no SIP")
            });
        }
        assert_eq!((flows.tls(), flows.flows.len()), (1, 0), "it is not followed either");
    }

    #[test]
    fn other_protocols_are_not_followed() {
        let http: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
        assert_eq!(followed(&[(1, http), (19, TWO)]).len(), 1, "the second begins a message");
        assert!(!begins_message(b"get sip:a SIP/2.0\r\n") && !begins_message(&[0x80; 200]) && begins_message(TWO));
    }
}
