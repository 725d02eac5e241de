//! One direction of a call whose legs differ in band or in packet length: decoded through a jitter buffer, coded anew on the
//! clock of the leg that hears it. Where they do not differ, packets are passed on as they come and nothing waits.

use std::time::Duration;

use super::jitter_buffer::{Buffered, JitterBuffer, STEP};
use super::listener::Listener;
use super::session::{Accepted, Kind, Session};
use super::transmit::Outbox;
use super::unit::Unit;
use crate::clock::Instant;
use crate::protocol::audio::comfort;

const STEP_TIME: Duration = Duration::from_millis(10);
/// A stream from which nothing came for so long is not made up any longer; one that pauses has its noise so long.
const FORGOTTEN: Duration = Duration::from_millis(500);
const PAUSED: Duration = Duration::from_secs(10);
/// Most packets made up for at one wake-up; what a longer stall missed is left out.
const MAX_BURST: u32 = 3;

#[derive(Debug)]
pub(super) struct Crossing {
    buffer: JitterBuffer,
    listener: Listener,
    /// When the next packet is due; `None`: nothing comes.
    due: Option<Instant>,
    heard: Instant,
    pausing: bool,
    sound: Vec<i16>,
}

impl Crossing {
    /// Toward a leg that hears 16 kHz (`wide`) or 8 kHz.
    pub(super) fn new(wide: bool) -> Self {
        Crossing {
            buffer: JitterBuffer::new(),
            listener: Listener::new(wide),
            due: None,
            heard: Instant::START,
            pausing: false,
            sound: Vec::new(),
        }
    }

    pub(super) fn counts(&self) -> Buffered {
        self.buffer.counts()
    }

    /// Units that were made up.
    pub(super) fn concealed(&self) -> u64 {
        self.listener.concealed()
    }

    /// A packet of audio or of comfort noise.
    pub(super) fn hear(&mut self, arrival: Instant, accepted: &Accepted<'_>) {
        let (header, payload) = (&accepted.packet.header, accepted.packet.payload);
        match accepted.kind {
            Kind::Audio(codec) => {
                self.buffer.put(arrival, header, payload.iter().map(|code| Unit::audio(codec, *code)));
            }
            Kind::Noise => {
                let level = comfort::level(payload);
                self.buffer.put(arrival, header, level.map(Unit::noise).into_iter());
            }
            Kind::Event => return,
        }
        (self.heard, self.pausing) = (arrival, accepted.kind == Kind::Noise);
        let target = Duration::from_micros(self.buffer.target() as u64 * 125);
        self.due.get_or_insert(arrival + target);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Sends what is due, in packets of the length that `to` wishes.
    pub(super) fn run(&mut self, now: Instant, to: &mut Session, out: &mut Outbox) {
        let steps = (to.packet_units() / STEP).max(1);
        let packet = STEP_TIME * steps as u32;
        while let Some(at) = self.due.filter(|at| *at <= now) {
            if now.since(self.heard) > if self.pausing { PAUSED } else { FORGOTTEN } {
                (self.due, self.buffer) = (None, JitterBuffer::new_with(self.buffer.counts()));
                return to.pause();
            }
            self.sound.clear();
            for _ in 0..steps {
                self.buffer.take(at, &mut self.listener, &mut self.sound);
            }
            to.send_sound(at, &self.sound, out);
            let next = at + packet;
            self.due = Some(if now.since(next) > packet * MAX_BURST { now } else { next });
        }
    }
}
