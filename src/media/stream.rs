//! One leg's stream on its way to the ear of another: through a jitter buffer, decoded, its losses concealed.

use std::time::Duration;

use super::jitter_buffer::{Buffered, JitterBuffer};
use super::listener::Listener;
use super::session::{Accepted, Kind};
use super::unit::Unit;
use crate::clock::Instant;

/// A stream from which nothing came for so long is not made up any longer; one that pauses has its noise so long.
const FORGOTTEN: Duration = Duration::from_millis(500);
const PAUSED: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Stream {
    buffer: JitterBuffer,
    listener: Listener,
    heard: Instant,
    pausing: bool,
}

impl Stream {
    /// As 16 kHz (`wide`) or 8 kHz.
    pub(super) fn new(wide: bool) -> Self {
        Stream { buffer: JitterBuffer::new(), listener: Listener::new(wide), heard: Instant::START, pausing: false }
    }

    pub(super) fn counts(&self) -> Buffered {
        self.buffer.counts()
    }

    /// Units that were made up.
    pub(super) fn concealed(&self) -> u64 {
        self.listener.concealed()
    }

    /// A packet; how long one that came now is to wait, if it is audio or comfort noise.
    pub(super) fn hear(&mut self, arrival: Instant, accepted: &Accepted<'_>) -> Option<Duration> {
        let (header, payload) = (&accepted.packet.header, accepted.packet.payload);
        match accepted.kind {
            Kind::Audio(codec) => {
                self.buffer.put(arrival, header, payload.iter().map(|code| Unit::audio(codec, *code)));
            }
            Kind::Noise => {
                self.buffer.put(arrival, header, Unit::comfort(payload));
            }
            Kind::Event => return None,
        }
        (self.heard, self.pausing) = (arrival, accepted.kind == Kind::Noise);
        Some(Duration::from_micros(self.buffer.target() as u64 * 125))
    }

    /// Appends so many times 10 ms.
    pub(super) fn take(&mut self, at: Instant, steps: usize, out: &mut Vec<i16>) {
        for _ in 0..steps {
            self.buffer.take(at, &mut self.listener, out);
        }
    }

    /// Nothing came for so long that nothing more is to be made up.
    pub(super) fn has_stopped(&self, now: Instant) -> bool {
        now.since(self.heard) > if self.pausing { PAUSED } else { FORGOTTEN }
    }

    /// Begins anew, and goes on counting.
    pub(super) fn forget(&mut self) {
        self.buffer = JitterBuffer::new_with(self.buffer.counts());
    }
}
