//! Telephone events (RFC 4733): keys that were pressed, each told once, however often its packets come.

use std::time::Duration;

use crate::clock::Instant;

use super::CLOCK_RATE_HZ;

/// An event whose end never came is over when nothing came of it for so long (three packets of 50 ms, and some).
const UNENDED: Duration = Duration::from_millis(200);

/// One packet's payload (section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    pub event: u8,
    pub end: bool,
    /// In −dBm0, 0 to 63.
    pub volume: u8,
    /// In timestamp units, from the packet's timestamp on.
    pub duration: u16,
}

impl Payload {
    /// `None`: too short.
    pub fn parse(bytes: &[u8]) -> Option<Payload> {
        let [event, flags, high, low] = *bytes.first_chunk()?;
        let duration = u16::from_be_bytes([high, low]);
        Some(Payload { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    pub fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, if self.end { 0x80 } else { 0 } | self.volume.min(63), high, low]
    }
}

/// The key of an event (section 3.2): digits, `*`, `#`, `A` to `D`; `None`: another event.
pub fn key(event: u8) -> Option<char> {
    b"0123456789*#ABCD".get(usize::from(event)).map(|key| char::from(*key))
}

/// The event of a key.
pub fn event_of(key: char) -> Option<u8> {
    let found = "0123456789*#ABCD".chars().position(|k| k == key.to_ascii_uppercase())?;
    u8::try_from(found).ok()
}

/// What a text of keys asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// The key of this event.
    Key(u8),
    Pause(Duration),
}

/// Strokes of one text.
const STROKES: usize = 64;

/// Keys, and pauses between them: `w` is half a second, `W` two. `None`: it has other letters, or more than 64.
pub fn strokes(text: &str) -> Option<Vec<Stroke>> {
    let stroke = |letter: char| match letter {
        'w' => Some(Stroke::Pause(Duration::from_millis(500))),
        'W' => Some(Stroke::Pause(Duration::from_secs(2))),
        key => event_of(key).map(Stroke::Key),
    };
    text.chars().map(stroke).collect::<Option<Vec<_>>>().filter(|strokes| strokes.len() <= STROKES)
}

/// A key that was pressed and let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressed {
    pub key: char,
    /// Arrival of the first packet that told of it.
    pub at: Instant,
    pub duration: Duration,
}

/// Tells events apart by their timestamps.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    now: Option<Event>,
    /// Timestamp of the event that was told last.
    told: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    timestamp: u32,
    event: u8,
    at: Instant,
    newest: Instant,
    duration: u16,
}

impl Keys {
    /// A packet; a key that is over by it. A new event ends the one before, whose last packets may have been lost.
    pub fn handle(&mut self, timestamp: u32, payload: &[u8], arrival: Instant) -> Option<Pressed> {
        let payload = Payload::parse(payload)?;
        if self.told == Some(timestamp) {
            return None;
        }
        let before = match self.now {
            Some(event) if event.timestamp == timestamp => None,
            // A straggler of an event that another one followed.
            Some(event) if (timestamp.wrapping_sub(event.timestamp) as i32) < 0 => return None,
            _ => self.finish(),
        };
        let event = self.now.get_or_insert(Event {
            timestamp,
            event: payload.event,
            at: arrival,
            newest: arrival,
            duration: 0,
        });
        event.newest = arrival;
        event.duration = event.duration.max(payload.duration);
        // Two at once only if one packet is the first and the last of its event: the second is told by the packet that follows.
        if payload.end && before.is_none() { self.finish() } else { before }
    }

    /// When an event without an end will be over.
    pub fn deadline(&self) -> Option<Instant> {
        self.now.map(|event| event.newest + UNENDED)
    }

    /// An event that has stopped without its end.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Pressed> {
        self.deadline().filter(|at| *at <= now).and_then(|_| self.finish())
    }

    /// The key that is still pressed when everything ends.
    pub fn finish(&mut self) -> Option<Pressed> {
        let event = self.now.take()?;
        self.told = Some(event.timestamp);
        let us = u64::from(event.duration) * 1_000_000 / u64::from(CLOCK_RATE_HZ);
        Some(Pressed { key: key(event.event)?, at: event.at, duration: Duration::from_micros(us) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Instant {
        Instant::from_millis(n)
    }

    /// A key of 100 ms that begins at `at`: packets each 20 or 50 ms, the last one three times.
    fn press(key: char, timestamp: u32, at: u64, every: u64) -> Vec<(u32, [u8; 4], Instant)> {
        let event = event_of(key).unwrap();
        let packet = |n: u64, end| {
            let duration = (n * every * 8) as u16;
            (timestamp, Payload { event, end, volume: 10, duration }.to_bytes(), ms(at + (n - 1) * every))
        };
        let last = 100 / every;
        (1..=last + 2).map(|n| packet(n.min(last), n >= last)).collect()
    }

    fn told(packets: &[(u32, [u8; 4], Instant)]) -> Vec<Pressed> {
        let mut keys = Keys::default();
        packets.iter().filter_map(|(timestamp, payload, at)| keys.handle(*timestamp, payload, *at)).collect()
    }

    #[test]
    fn each_key_is_told_once() {
        for every in [20, 50] {
            let mut packets = Vec::new();
            for (n, key) in "0159*#AD55".chars().enumerate() {
                packets.extend(press(key, n as u32 * 2_000, n as u64 * 250, every));
            }
            let told = told(&packets);
            assert_eq!(told.iter().map(|p| p.key).collect::<String>(), "0159*#AD55");
            assert!(told.iter().all(|p| p.duration == Duration::from_millis(100)));
            assert_eq!(told[3].at, ms(750));
        }
    }

    #[test]
    fn lost_ends_do_not_lose_a_key() {
        let mut packets = press('7', 0, 0, 20);
        packets.truncate(3);
        let mut keys = Keys::default();
        for (timestamp, payload, at) in &packets {
            assert_eq!(keys.handle(*timestamp, payload, *at), None);
        }
        assert_eq!((keys.handle_timeout(ms(239)), keys.deadline()), (None, Some(ms(240))));
        let pressed = Pressed { key: '7', at: ms(0), duration: Duration::from_millis(60) };
        assert_eq!(keys.handle_timeout(ms(240)), Some(pressed));
        let (timestamp, payload, _) = press('7', 0, 0, 20)[4];
        assert_eq!(keys.handle(timestamp, &payload, ms(250)), None, "its end comes after all");
        packets.extend(press('8', 2_000, 250, 20));
        assert_eq!(told(&packets).iter().map(|p| p.key).collect::<String>(), "78");
    }

    #[test]
    fn keys_and_pauses_as_they_are_written() {
        let half = Stroke::Pause(Duration::from_millis(500));
        assert_eq!(strokes("1w#"), Some(vec![Stroke::Key(1), half, Stroke::Key(11)]));
        assert_eq!(strokes("W"), Some(vec![Stroke::Pause(Duration::from_secs(2))]));
        assert_eq!((strokes("1x"), strokes(&"1".repeat(65))), (None, None));
    }

    #[test]
    fn other_events_and_short_packets_are_nothing() {
        let fax = Payload { event: 36, end: true, volume: 0, duration: 800 };
        assert_eq!(told(&[(0, fax.to_bytes(), ms(0))]), []);
        assert_eq!((Payload::parse(&[1, 2, 3]), Payload::parse(&fax.to_bytes())), (None, Some(fax)));
    }
}
