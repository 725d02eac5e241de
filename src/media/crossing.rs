//! One direction of a call whose legs differ in band or in packet length: decoded through a jitter buffer, coded anew on the
//! clock of the leg that hears it. Where they do not differ, packets are passed on as they come and nothing waits.

use std::time::Duration;

use super::jitter_buffer::{Buffered, STEP};
use super::session::{Accepted, Session};
use super::stream::Stream;
use super::transmit::Outbox;
use crate::clock::Instant;

const STEP_TIME: Duration = Duration::from_millis(10);
/// Most packets made up for at one wake-up; what a longer stall missed is left out.
const MAX_BURST: u32 = 3;

#[derive(Debug)]
pub(super) struct Crossing {
    stream: Stream,
    /// When the next packet is due; `None`: nothing comes.
    due: Option<Instant>,
    sound: Vec<i16>,
}

impl Crossing {
    /// Toward a leg that hears 16 kHz (`wide`) or 8 kHz.
    pub(super) fn new(wide: bool) -> Self {
        Crossing { stream: Stream::new(wide), due: None, sound: Vec::new() }
    }

    pub(super) fn counts(&self) -> Buffered {
        self.stream.counts()
    }

    /// Units that were made up.
    pub(super) fn concealed(&self) -> u64 {
        self.stream.concealed()
    }

    /// A packet of audio or of comfort noise.
    pub(super) fn hear(&mut self, arrival: Instant, accepted: &Accepted<'_>) {
        if let Some(wait) = self.stream.hear(arrival, accepted) {
            self.due.get_or_insert(arrival + wait);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Sends what is due, in packets of the length that `to` wishes.
    pub(super) fn run(&mut self, now: Instant, to: &mut Session, out: &mut Outbox) {
        let steps = (to.packet_units() / STEP).max(1);
        let packet = STEP_TIME * steps as u32;
        while let Some(at) = self.due.filter(|at| *at <= now) {
            if self.stream.has_stopped(now) {
                self.due = None;
                self.stream.forget();
                return to.pause();
            }
            self.sound.clear();
            self.stream.take(at, steps, &mut self.sound);
            to.send_sound(at, &self.sound, out);
            let next = at + packet;
            self.due = Some(if now.since(next) > packet * MAX_BURST { now } else { next });
        }
    }
}
