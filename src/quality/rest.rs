//! When a phone sent no sound on purpose: comfort noise came in its place (RFC 3389), or nothing came and nothing was lost.

use std::time::Duration;

use super::meter::Kind;
use crate::clock::Instant;
use crate::protocol::rtp::{CLOCK_RATE_HZ, Header};

/// Shorter ones are not told: 1 s.
pub const SHORTEST_REST: Duration = Duration::from_secs(1);

/// Watches one direction, packet by packet in the order of their numbers.
#[derive(Debug, Clone, Default)]
pub struct Rests {
    newest: Option<Newest>,
    /// Comfort noise comes instead of sound since then.
    since: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    ssrc: u32,
    sequence: u16,
    /// Where its sound ends: by timestamps, and on our clock.
    timestamp: u32,
    ends: Instant,
}

impl Rests {
    /// The rest that this packet ends, from its begin to the arrival. `units` of sound are in the packet.
    pub fn handle(&mut self, arrival: Instant, header: &Header, kind: Kind, units: u32) -> Option<Duration> {
        let step = self.newest.map(|newest| header.sequence.wrapping_sub(newest.sequence));
        let same = self.newest.is_some_and(|newest| newest.ssrc == header.ssrc);
        if same && step.is_some_and(|step| step == 0 || step > u16::MAX / 2) {
            return None;
        }
        let lasts = Duration::from_micros(u64::from(units) * 1_000_000 / u64::from(CLOCK_RATE_HZ));
        let ends = Newest {
            ssrc: header.ssrc,
            sequence: header.sequence,
            timestamp: header.timestamp.wrapping_add(units),
            ends: arrival + lasts,
        };
        let before = self.newest.replace(ends).filter(|_| same);
        match kind {
            Kind::ComfortNoise => {
                self.since.get_or_insert(arrival);
                None
            }
            // Its timestamp is that of its begin, so it tells nothing of the time line; the key is over by the next packet.
            Kind::Event => {
                self.newest = None;
                self.end(arrival)
            }
            Kind::Audio => {
                let announced = self.end(arrival);
                announced.or_else(|| left_out(&before.filter(|_| step == Some(1))?, arrival, header.timestamp))
            }
        }
    }

    /// Another description of the session, or the end: what comes next continues nothing.
    pub fn cut(&mut self, now: Instant) -> Option<Duration> {
        self.newest = None;
        self.end(now)
    }

    fn end(&mut self, now: Instant) -> Option<Duration> {
        self.since.take().map(|since| now.since(since)).filter(|lasted| *lasted >= SHORTEST_REST)
    }
}

/// Between two packets whose numbers follow each other nothing was lost; their timestamps tell that the sender's time went on.
fn left_out(before: &Newest, arrival: Instant, timestamp: u32) -> Option<Duration> {
    let waited = arrival.since(before.ends);
    let passed = timestamp.wrapping_sub(before.timestamp) as i32;
    let passed_ms = i64::from(passed) * 1_000 / i64::from(CLOCK_RATE_HZ);
    let waited_ms = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
    (waited >= SHORTEST_REST && passed_ms * 2 >= waited_ms).then_some(waited)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: [u64; 0] = [];

    struct Phone {
        rests: Rests,
        now_ms: u64,
        header: Header,
    }

    impl Phone {
        fn new() -> Phone {
            let header =
                Header { marker: false, payload_type: 8, sequence: 65_530, timestamp: u32::MAX - 4_000, ssrc: 7 };
            Phone { rests: Rests::default(), now_ms: 1_000, header }
        }

        /// So many packets of 20 ms.
        fn sends(&mut self, packets: u64, kind: Kind) -> Vec<u64> {
            let mut told = Vec::new();
            for _ in 0..packets {
                let units = if kind == Kind::Audio { 160 } else { 0 };
                let at = Instant::from_millis(self.now_ms);
                told.extend(self.rests.handle(at, &self.header, kind, units).map(|lasted| lasted.as_millis() as u64));
                self.header.sequence = self.header.sequence.wrapping_add(1);
                self.waits(20);
            }
            told
        }

        fn waits(&mut self, ms: u64) {
            self.now_ms += ms;
            self.header.timestamp = self.header.timestamp.wrapping_add(ms as u32 * 8);
        }
    }

    #[test]
    fn comfort_noise_lasts_from_its_first_packet_to_the_next_sound() {
        let mut phone = Phone::new();
        assert_eq!(phone.sends(50, Kind::Audio), NOTHING);
        for _ in 0..7 {
            assert_eq!(phone.sends(1, Kind::ComfortNoise), NOTHING);
            phone.waits(400);
        }
        assert_eq!(phone.sends(50, Kind::Audio), [7 * 420]);
        // Too short to be told.
        phone.sends(1, Kind::ComfortNoise);
        phone.waits(900);
        assert_eq!(phone.sends(50, Kind::Audio), NOTHING);
        // One that the call's end ends.
        phone.sends(1, Kind::ComfortNoise);
        phone.waits(2_000);
        assert_eq!(phone.rests.cut(Instant::from_millis(phone.now_ms)), Some(Duration::from_millis(2_020)));
        assert_eq!(phone.rests.cut(Instant::from_millis(phone.now_ms)), None);
    }

    #[test]
    fn what_is_left_out_without_a_word_is_a_rest_and_what_is_lost_is_none() {
        let mut phone = Phone::new();
        phone.sends(50, Kind::Audio);
        phone.waits(3_000);
        assert_eq!(phone.sends(50, Kind::Audio), [3_000]);
        // Lost on the way: numbers are missing.
        phone.header.sequence = phone.header.sequence.wrapping_add(100);
        phone.waits(2_000);
        assert_eq!(phone.sends(50, Kind::Audio), NOTHING);
        // The sender's own time stood still: a stalled machine rests nobody.
        phone.now_ms += 2_000;
        assert_eq!(phone.sends(50, Kind::Audio), NOTHING);
        // Another stream, and a key, begin anew.
        phone.waits(2_000);
        phone.header.ssrc = 8;
        assert_eq!(phone.sends(50, Kind::Audio), NOTHING);
        phone.waits(2_000);
        assert_eq!(phone.sends(5, Kind::Event), NOTHING);
        assert_eq!(phone.sends(50, Kind::Audio), NOTHING);
        // A packet out of order moves nothing.
        let late = Header { sequence: phone.header.sequence.wrapping_sub(3), ..phone.header };
        let at = Instant::from_millis(phone.now_ms + 5_000);
        assert_eq!(phone.rests.handle(at, &late, Kind::Audio, 160), None);
        assert_eq!(phone.sends(5, Kind::Audio), NOTHING);
    }
}
