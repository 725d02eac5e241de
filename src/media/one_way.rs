//! One-way audio: of two people who are joined one is not heard while the other one is.
//!
//! By packets: nothing comes from a leg while the other one sends without a break. A leg that announced its silence (comfort
//! noise), or has paused before without a loss, is quiet on purpose. One that may just have begun its first pause (what it sent
//! last was no voice, and it never sent two seconds without voice, as all do that know no pauses) is given longer: its reports
//! show that it is there, and if they count packets that never came, it does not pause.
//!
//! By energy: packets come and hold digital silence, while there is voice of the other one. A person who only listens has a
//! microphone that is never that silent; a phone that is muted is told as well, for it is the same to the other's ear.
//!
//! Nothing is expected during a hold or while the caller is with nobody, and no sound during a prompt.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::level::Sounded;
use crate::clock::Instant;
use crate::limits;

/// A stream that pauses so long has stopped.
const BREAK: Duration = Duration::from_secs(1);

/// Voice of the other one that makes a silence one-way audio: a word or two.
const VOICE_MS: u32 = 1_000;

/// Whoever sends so long without voice does not suppress silence.
const STEADY: Duration = Duration::from_secs(2);

/// Packets that its report counts and that never came: the leg does not pause, it is not heard.
const MISSING: u64 = 100;

/// By what one-way audio was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    Packets,
    Energy,
}

/// Of the leg with this index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) leg: usize,
    pub(super) by: By,
    pub(super) at: Instant,
    /// How long it had lasted when it was told; `None`: it is over.
    pub(super) lasted: Option<Duration>,
}

/// The caller is 0, the agent 1.
#[derive(Debug, Default)]
pub(super) struct OneWay {
    legs: [Leg; 2],
    /// Since when packets, and sound, are expected of both.
    packets: Option<Instant>,
    sound: Option<Instant>,
    told: VecDeque<Told>,
}

#[derive(Debug, Default)]
struct Leg {
    /// The newest packet and its number, and the first one after the last break.
    newest: Option<(Instant, u16)>,
    stretch: Instant,
    /// The newest packet was comfort noise.
    announced: bool,
    /// It pauses without saying so.
    pauses: bool,
    /// Begin of the digital silence, and the other's voice since then, in ms.
    silence: Option<(Instant, u32)>,
    alarm: Option<By>,
    /// The end of the last block with voice, if its sound is listened to at all.
    voice: Option<Instant>,
    listened: bool,
    /// It sends silence too.
    steady: bool,
    /// Its last report, and whether that counts more than came.
    reported: Option<Instant>,
    missed: bool,
}

impl Leg {
    /// Whether the break since `last` may be the begin of its first pause, at `now`.
    fn may_pause(&self, last: Instant, now: Instant) -> bool {
        let quiet = self.listened && !self.steady && !self.missed && self.voice.is_none_or(|voice| voice <= last);
        let alive = self.reported.is_some_and(|at| at > last + BREAK) || now.since(last) < limits::MEDIA_LOST;
        quiet && alive && self.newest.is_some()
    }

    /// A block of its sound that ends at `end`.
    fn listen(&mut self, end: Instant, voice_ms: u32) {
        let before = self.voice.unwrap_or(self.stretch).max(self.stretch);
        if voice_ms > 0 {
            self.voice = Some(end);
        } else if self.newest.is_some_and(|(at, _)| at >= end) && end.since(before) >= STEADY {
            self.steady = true;
        }
        self.listened = true;
    }
}

impl OneWay {
    /// What is expected of both from `now` on.
    pub(super) fn expect(&mut self, now: Instant, packets: bool, sound: bool) {
        self.packets = packets.then(|| self.packets.unwrap_or(now));
        self.sound = (packets && sound).then(|| self.sound.unwrap_or(now));
        for leg in 0..2 {
            if self.packets.is_none() {
                self.end(leg, By::Packets, now);
            }
            if self.sound.is_none() {
                self.legs[leg].silence = None;
                self.end(leg, By::Energy, now);
            }
        }
    }

    /// Another phone takes the agent's place.
    pub(super) fn replace_agent(&mut self, now: Instant) {
        self.expect(now, false, false);
        self.legs[1] = Leg::default();
    }

    pub(super) fn packet(&mut self, leg: usize, arrival: Instant, sequence: u16, comfort_noise: bool) {
        self.end(leg, By::Packets, arrival);
        let speaker = &mut self.legs[leg];
        match speaker.newest {
            Some((last, _)) if arrival.since(last) <= BREAK => {}
            Some((_, number)) => {
                speaker.pauses |= sequence == number.wrapping_add(1);
                speaker.stretch = arrival;
            }
            None => speaker.stretch = arrival,
        }
        (speaker.newest, speaker.announced) = (Some((arrival, sequence)), comfort_noise);
        let stretch = speaker.stretch;
        let (Some(expected), other) = (self.packets, &self.legs[1 - leg]) else { return };
        let last = other.newest.map_or(Instant::START, |(last, _)| last);
        let lasted = arrival.since(last.max(expected).max(stretch));
        if lasted >= limits::ONE_WAY && !other.announced && !other.pauses && !other.may_pause(last, arrival) {
            self.begin(1 - leg, By::Packets, arrival, lasted);
        }
    }

    /// A report of this leg's peer; `missing`: packets that it counts since its last one and that did not come.
    pub(super) fn report(&mut self, leg: usize, arrival: Instant, missing: u64) {
        let leg = &mut self.legs[leg];
        (leg.reported, leg.missed) = (Some(arrival), missing >= MISSING);
    }

    /// What both sent in the block that ends at `end`.
    pub(super) fn sound(&mut self, end: Instant, length: Duration, sounded: [Sounded; 2]) {
        for (leg, sound) in self.legs.iter_mut().zip(&sounded) {
            leg.listen(end, sound.voice_ms);
        }
        let Some(expected) = self.sound else { return };
        for (n, sound) in sounded.iter().enumerate() {
            let leg = &mut self.legs[n];
            let comes = !leg.announced && leg.newest.is_some_and(|(at, _)| end.since(at) <= BREAK);
            if !sound.flat || !comes {
                leg.silence = None;
                self.end(n, By::Energy, end);
                continue;
            }
            let (began, voice_ms) = leg.silence.get_or_insert_with(|| ((end - length).max(expected), 0));
            *voice_ms += sounded[1 - n].voice_ms;
            let (lasted, voice_ms) = (end.since(*began), *voice_ms);
            if lasted >= limits::ONE_WAY && voice_ms >= VOICE_MS {
                self.begin(n, By::Energy, end, lasted);
            }
        }
    }

    pub(super) fn poll(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    fn begin(&mut self, leg: usize, by: By, at: Instant, lasted: Duration) {
        if self.legs[leg].alarm.is_none() {
            self.legs[leg].alarm = Some(by);
            self.told.push_back(Told { leg, by, at, lasted: Some(lasted) });
        }
    }

    fn end(&mut self, leg: usize, by: By, at: Instant) {
        if self.legs[leg].alarm.take_if(|alarm| *alarm == by).is_some() {
            self.told.push_back(Told { leg, by, at, lasted: None });
        }
    }
}
