//! Keys of our own, pressed one after the other toward a leg's peer, with a pause behind each, so that no network and no receiver takes
//! two for one. As events (RFC 4733 section 2.5.1): a packet every 20 ms, the last one of a key three times. Toward a peer that knows none,
//! as the tones of ITU-T Q.23.

use std::collections::VecDeque;
use std::time::Duration;

use super::playout::FRAME;
use crate::clock::Instant;
use crate::protocol::audio::dtmf;
use crate::protocol::rtp::event::{self, Payload, Stroke};

const EVERY: Duration = Duration::from_millis(20);
/// A key lasts 100 ms (Q.24 asks for 40).
const PACKETS: u16 = 5;
/// Its last packet is sent so often.
const ENDS: u16 = 3;
/// From the last packet of a key to the next key: there are 100 ms between the two.
const PAUSE: Duration = Duration::from_millis(80);
/// Packets of silence behind a key that sounds: a voice there could keep a receiver from hearing the pause.
const SILENT: u16 = 5;
/// Loudness of a key, in −dBm0.
const VOLUME: u8 = 10;
/// Units of a packet.
const UNITS: u16 = FRAME as u16;

/// What a peer takes for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Events,
    Tones,
}

#[derive(Debug)]
pub(super) struct Pressing {
    form: Form,
    strokes: VecDeque<Stroke>,
    /// When the next one is due, or the next packet of the one that is under way.
    at: Instant,
    /// Packets of it that were sent.
    sent: u16,
}

/// What is to be sent of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pressed {
    Event {
        /// The key's first packet.
        begins: bool,
        payload: Payload,
    },
    /// 8 kHz, from `at` on.
    Sound { at: Instant, samples: Box<[i16; FRAME]> },
}

impl Pressing {
    pub(super) fn new(form: Form, strokes: &[Stroke], now: Instant) -> Pressing {
        Pressing { form, strokes: strokes.iter().copied().collect(), at: now, sent: 0 }
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
            match (*self.strokes.front()?, self.form) {
                (Stroke::Pause(pause), _) => {
                    self.strokes.pop_front();
                    self.at = self.at + pause;
                }
                (Stroke::Key(event), Form::Events) => return Some(self.packet(event)),
                (Stroke::Key(event), Form::Tones) => return Some(self.sound(event)),
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
        Pressed::Event { begins, payload }
    }

    fn sound(&mut self, event: u8) -> Pressed {
        let (at, mut samples) = (self.at, Box::new([0; FRAME]));
        if let Some(key) = event::key(event) {
            dtmf::sound(key, usize::from(PACKETS) * FRAME, usize::from(self.sent) * FRAME, &mut *samples);
        }
        (self.sent, self.at) = (self.sent + 1, self.at + EVERY);
        if self.sent == PACKETS + SILENT {
            self.strokes.pop_front();
            self.sent = 0;
        }
        Pressed::Sound { at, samples }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::rtp::event::strokes;

    #[test]
    fn keys_last_100_ms_end_three_times_and_are_100_ms_apart() {
        let mut pressing = Pressing::new(Form::Events, &strokes("1w#").unwrap(), Instant::from_millis(1_000));
        let mut sent = Vec::new();
        while let Some(at) = pressing.deadline() {
            if let Some(Pressed::Event { begins, payload }) = pressing.due(at) {
                sent.push((at.as_nanos() / 1_000_000, payload.event, payload.duration, begins, payload.end));
            }
        }
        let key = |event, from| {
            let packet = move |n: u16| {
                let lasted = (n + 1).min(5);
                (from + 20 * u64::from(n), event, lasted * 160, n == 0, lasted == 5)
            };
            (0..7).map(packet)
        };
        assert_eq!(sent, key(1, 1_000).chain(key(11, 1_700)).collect::<Vec<_>>());
        assert!(!pressing.is_down());
    }

    /// A thread that stood still sends what it missed, in order, and no key is lost.
    #[test]
    fn a_stall_loses_no_packet() {
        let mut pressing = Pressing::new(Form::Events, &strokes("12").unwrap(), Instant::START);
        let mut events = Vec::new();
        while let Some(Pressed::Event { payload, .. }) = pressing.due(Instant::from_millis(5_000)) {
            events.push(payload.event);
        }
        assert_eq!(events, [[1; 7], [2; 7]].concat());
        assert_eq!(pressing.deadline(), None);
    }

    #[test]
    fn a_key_that_sounds_lasts_100_ms_and_is_followed_by_as_much_silence() {
        let mut pressing = Pressing::new(Form::Tones, &strokes("1w#").unwrap(), Instant::from_millis(1_000));
        let (mut begins, mut loud) = (Vec::new(), Vec::new());
        while let Some(at) = pressing.deadline() {
            let down = pressing.is_down();
            if let Some(Pressed::Sound { at, samples }) = pressing.due(at) {
                let ms = at.as_nanos() / 1_000_000;
                begins.extend((!down).then_some(ms));
                loud.extend(samples.iter().any(|sample| *sample != 0).then_some(ms));
            }
        }
        let key = |from: u64| (0..5).map(move |n| from + 20 * n);
        assert_eq!((begins, loud), (vec![1_000, 1_700], key(1_000).chain(key(1_700)).collect()));
    }
}
