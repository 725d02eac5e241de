//! Keys of our own, pressed one after the other toward a leg's peer (RFC 4733 section 2.5.1): a packet every 20 ms, the last one of a
//! key three times, and a pause behind each key, so that no network and no receiver takes two for one.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Instant;
use crate::protocol::rtp::event::{Payload, Stroke};

const EVERY: Duration = Duration::from_millis(20);
/// A key lasts 100 ms (Q.24 asks for 40).
const PACKETS: u16 = 5;
/// Its last packet is sent so often.
const ENDS: u16 = 3;
/// From the last packet of a key to the next key: there are 100 ms between the two.
const PAUSE: Duration = Duration::from_millis(80);
/// Loudness of a key, in −dBm0.
const VOLUME: u8 = 10;
/// Units of a packet.
const UNITS: u16 = 160;

#[derive(Debug)]
pub(super) struct Pressing {
    strokes: VecDeque<Stroke>,
    /// When the next one is due, or the next packet of the one that is under way.
    at: Instant,
    /// Packets of it that were sent.
    sent: u16,
}

/// What is to be sent of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pressed {
    /// The key's first packet.
    pub(super) begins: bool,
    pub(super) payload: Payload,
}

impl Pressing {
    pub(super) fn new(strokes: &[Stroke], now: Instant) -> Pressing {
        Pressing { strokes: strokes.iter().copied().collect(), at: now, sent: 0 }
    }

    /// A key is down: nothing else is to be heard.
    pub(super) fn is_down(&self) -> bool {
        self.sent > 0
    }

    /// `None`: all are pressed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.strokes.is_empty()).then_some(self.at)
    }

    /// The next packet that is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<Pressed> {
        while self.at <= now {
            match *self.strokes.front()? {
                Stroke::Pause(pause) => {
                    self.strokes.pop_front();
                    self.at = self.at + pause;
                }
                Stroke::Key(event) => return Some(self.packet(event)),
            }
        }
        None
    }

    fn packet(&mut self, event: u8) -> Pressed {
        let begins = self.sent == 0;
        self.sent += 1;
        let lasted = self.sent.min(PACKETS);
        let payload = Payload { event, end: lasted == PACKETS, volume: VOLUME, duration: lasted * UNITS };
        self.at = self.at + EVERY;
        if self.sent == PACKETS + ENDS - 1 {
            self.strokes.pop_front();
            (self.sent, self.at) = (0, self.at + PAUSE - EVERY);
        }
        Pressed { begins, payload }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::rtp::event::strokes;

    #[test]
    fn keys_last_100_ms_end_three_times_and_are_100_ms_apart() {
        let mut pressing = Pressing::new(&strokes("1w#").unwrap(), Instant::from_millis(1_000));
        let mut sent = Vec::new();
        while let Some(at) = pressing.deadline() {
            sent.extend(pressing.due(at).map(|pressed| (at.as_nanos() / 1_000_000, pressed)));
        }
        let told: Vec<(u64, u8, u16, bool, bool)> =
            sent.iter().map(|(ms, p)| (*ms, p.payload.event, p.payload.duration, p.begins, p.payload.end)).collect();
        let key = |event, from| {
            let packet = move |n: u16| {
                let lasted = (n + 1).min(5);
                (from + 20 * u64::from(n), event, lasted * 160, n == 0, lasted == 5)
            };
            (0..7).map(packet)
        };
        assert_eq!(told, key(1, 1_000).chain(key(11, 1_700)).collect::<Vec<_>>());
        assert!(!pressing.is_down());
    }

    /// A thread that stood still sends what it missed, in order, and no key is lost.
    #[test]
    fn a_stall_loses_no_packet() {
        let mut pressing = Pressing::new(&strokes("12").unwrap(), Instant::START);
        let mut events = Vec::new();
        while let Some(pressed) = pressing.due(Instant::from_millis(5_000)) {
            events.push(pressed.payload.event);
        }
        assert_eq!(events, [[1; 7], [2; 7]].concat());
        assert_eq!(pressing.deadline(), None);
    }
}
