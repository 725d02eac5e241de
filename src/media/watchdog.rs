//! Whether the person on a leg is still there: a stream that ends without a farewell.
//!
//! A valid packet of RTP or a valid report (RTCP) shows that the peer is there; a phone with silence suppression lives by
//! its reports (RFC 3550 section 6.3.5). While the peer may not send, or holds us, nothing is expected of it.

use crate::clock::Instant;
use crate::limits;

/// The earlier of two wake-ups. Asked for after every packet, so it does not look at the reasons.
pub(super) fn sooner(
    one: Option<(Instant, &'static str)>,
    other: Option<(Instant, &'static str)>,
) -> Option<(Instant, &'static str)> {
    match (one, other) {
        (Some(a), Some(b)) if b.0 < a.0 => Some(b),
        (None, any) => any,
        (some, _) => some,
    }
}

#[derive(Debug, Default)]
pub(super) struct Watchdog {
    state: State,
    /// Silence was reported, and nothing has come since.
    lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Off,
    Listening {
        since: Instant,
    },
    Reported,
}

impl Watchdog {
    /// Whether packets are to be expected from `now` on.
    pub(super) fn expect(&mut self, now: Instant, expected: bool) {
        self.state = match (self.state, expected) {
            (_, false) => State::Off,
            (State::Off, true) => State::Listening { since: now },
            (state, true) => state,
        };
    }

    pub(super) fn expects(&self) -> bool {
        self.state != State::Off
    }

    /// Something came; true if silence had been reported.
    pub(super) fn hear(&mut self, at: Instant) -> bool {
        self.state = match self.state {
            State::Off => State::Off,
            State::Listening { since } => State::Listening { since: since.max(at) },
            State::Reported => State::Listening { since: at },
        };
        std::mem::take(&mut self.lost)
    }

    /// When silence is to be reported.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Listening { since } => Some(since + limits::MEDIA_LOST),
            State::Off | State::Reported => None,
        }
    }

    /// The instant since which the silence has lasted long enough, once.
    pub(super) fn bark(&mut self, now: Instant) -> Option<Instant> {
        let at = self.deadline().filter(|at| *at <= now)?;
        (self.state, self.lost) = (State::Reported, true);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Instant {
        Instant::from_millis(n)
    }

    #[test]
    fn silence_is_reported_once_and_ends_with_a_packet() {
        let mut dog = Watchdog::default();
        assert_eq!((dog.deadline(), dog.hear(ms(1))), (None, false));
        dog.expect(ms(1_000), true);
        dog.hear(ms(3_000));
        assert_eq!((dog.bark(ms(12_999)), dog.bark(ms(13_002))), (None, Some(ms(13_000))));
        assert_eq!((dog.bark(ms(60_000)), dog.deadline()), (None, None));
        assert_eq!((dog.hear(ms(61_000)), dog.hear(ms(61_020))), (true, false));
        assert_eq!(dog.deadline(), Some(ms(71_020)));
    }

    #[test]
    fn a_hold_begins_the_count_anew() {
        let mut dog = Watchdog::default();
        dog.expect(ms(0), true);
        assert!(dog.bark(ms(10_000)).is_some());
        dog.expect(ms(12_000), false);
        assert_eq!(dog.bark(ms(90_000)), None);
        dog.expect(ms(90_000), true);
        assert_eq!(dog.bark(ms(100_000)), Some(ms(100_000)));
        assert!(dog.hear(ms(100_001)));
    }
}
