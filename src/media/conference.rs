//! The mixing point of a call in which more than caller and agent take part (RFC 4353): whoever hears two voices or more gets
//! their sum without the own one, clipped and not wrapped, on one clock of 20 ms.
//!
//! Whoever hears one voice alone still gets its packets as they come and is no business of this place: somebody who only listens
//! changes nothing of what caller and agent send each other. Sums are made of 16 kHz; who speaks G.711 hears them halved.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::jitter_buffer::Buffered;
use super::playout::{FRAME, FRAME_TIME, MAX_BURST};
use super::session::{Accepted, Session};
use super::stream::Stream;
use super::transmit::Outbox;
use crate::clock::Instant;
use crate::ids::LegId;
use crate::protocol::audio::resample::{Doubler, Halver};

/// Samples of a frame at 16 kHz.
const WIDE: usize = 2 * FRAME;
/// Steps of the jitter buffer in a frame.
const STEPS: usize = 2;
/// Most of a prompt that waits for this clock: 60 ms.
const PROMPT: usize = 3 * WIDE;

/// Who of caller and agent hears somebody who takes part beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audible {
    Nobody,
    Agent,
    All,
}

#[derive(Debug)]
pub(super) struct Conference {
    thirds: Vec<Third>,
    voices: Vec<Voice>,
    /// What single ones are told.
    told: Vec<Told>,
    /// What the caller is played, at 16 kHz; whoever takes part hears that too.
    prompt: VecDeque<i16>,
    doubler: Doubler,
    /// Of what is recorded of the third ones.
    halver: Halver,
    due: Instant,
    /// Of voices that are gone.
    counts: Buffered,
}

/// Somebody beside caller and agent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Third {
    pub(super) leg: LegId,
    pub(super) audible: Audible,
}

/// What one hears whom nobody else hears it with.
#[derive(Debug)]
struct Told {
    leg: LegId,
    audio: Arc<[i16]>,
    /// The next sample.
    next: usize,
    doubler: Doubler,
}

/// Somebody who takes part: what comes of that leg, and what goes to it.
#[derive(Debug)]
struct Voice {
    leg: LegId,
    stream: Stream,
    /// When its first sound is due; `None`: nothing comes.
    begins: Option<Instant>,
    sound: Vec<i16>,
    halver: Halver,
}

impl Conference {
    pub(super) fn new(now: Instant) -> Self {
        Conference {
            thirds: Vec::new(),
            voices: Vec::new(),
            told: Vec::new(),
            prompt: VecDeque::new(),
            doubler: Doubler::default(),
            halver: Halver::default(),
            due: now,
            counts: Buffered::default(),
        }
    }

    /// Takes part from now on, or is heard by others than before.
    pub(super) fn admit(&mut self, leg: LegId, audible: Audible) {
        match self.thirds.iter_mut().find(|third| third.leg == leg) {
            Some(third) => third.audible = audible,
            None => self.thirds.push(Third { leg, audible }),
        }
    }

    /// Of those beside caller and agent this one goes, or takes the agent's place.
    pub(super) fn leave(&mut self, leg: LegId) {
        self.thirds.retain(|third| third.leg != leg);
        self.told.retain(|told| told.leg != leg);
    }

    /// This one is told this from now on, in the place of what was being told.
    pub(super) fn tell(&mut self, leg: LegId, audio: Arc<[i16]>) {
        self.told.retain(|told| told.leg != leg);
        if self.has(leg) {
            self.told.push(Told { leg, audio, next: 0, doubler: Doubler::default() });
        }
    }

    /// The next frame of what this one is told.
    pub(super) fn told(&mut self, leg: LegId) -> [i16; WIDE] {
        let mut frame = [0; WIDE];
        let Some(place) = self.told.iter().position(|told| told.leg == leg) else { return frame };
        let told = &mut self.told[place];
        for pair in frame.chunks_exact_mut(2) {
            let sample = told.audio.get(told.next).copied().unwrap_or(0);
            told.next += 1;
            pair.copy_from_slice(&told.doubler.push(sample));
        }
        if told.next >= told.audio.len() {
            self.told.remove(place);
        }
        frame
    }

    pub(super) fn is_empty(&self) -> bool {
        self.thirds.is_empty()
    }

    pub(super) fn has(&self, leg: LegId) -> bool {
        self.thirds.iter().any(|third| third.leg == leg)
    }

    pub(super) fn thirds(&self) -> Vec<Third> {
        self.thirds.clone()
    }

    /// The caller hears a mix.
    pub(super) fn reaches_caller(&self) -> bool {
        self.thirds.iter().any(|third| third.audible == Audible::All)
    }

    /// The agent does.
    pub(super) fn reaches_agent(&self) -> bool {
        self.thirds.iter().any(|third| third.audible != Audible::Nobody)
    }

    /// A packet of somebody who takes part.
    pub(super) fn hear(&mut self, leg: LegId, arrival: Instant, accepted: &Accepted<'_>) {
        let voice = self.voice(leg);
        if let Some(wait) = voice.stream.hear(arrival, accepted) {
            voice.begins.get_or_insert(arrival + wait);
        }
    }

    /// What the caller is being played, at 8 kHz and at 16 kHz if there is that.
    pub(super) fn prompted(&mut self, narrow: &[i16; FRAME], wide: Option<&[i16; WIDE]>) {
        match wide {
            Some(wide) => self.prompt.extend(wide),
            None => narrow.iter().for_each(|sample| self.prompt.extend(self.doubler.push(*sample))),
        }
        let over = self.prompt.len().saturating_sub(PROMPT);
        self.prompt.drain(..over);
    }

    pub(super) fn deadline(&self) -> Instant {
        self.due
    }

    /// The next frame of every voice, if it is due; when it begins. What a long stall missed is left out.
    pub(super) fn next_frame(&mut self, now: Instant) -> Option<(Instant, [i16; WIDE])> {
        let at = self.due;
        if at > now {
            return None;
        }
        let next = at + FRAME_TIME;
        let burst = Duration::from_nanos(FRAME_TIME.as_nanos() as u64 * MAX_BURST);
        self.due = if now.since(next) > burst { now } else { next };
        self.voices.iter_mut().for_each(|voice| voice.take(at));
        let mut prompt = [0; WIDE];
        let waiting = self.prompt.len().min(WIDE);
        prompt.iter_mut().zip(self.prompt.drain(..waiting)).for_each(|(place, sample)| *place = sample);
        Some((at, prompt))
    }

    /// The sum of these voices in the present frame.
    pub(super) fn sum(&self, speaks: impl Fn(LegId) -> bool) -> [i32; WIDE] {
        let mut sum = [0; WIDE];
        for voice in self.voices.iter().filter(|voice| speaks(voice.leg)) {
            sum.iter_mut().zip(&voice.sound).for_each(|(sum, sample)| *sum += i32::from(*sample));
        }
        sum
    }

    /// Sends this frame in the codec of the leg; false if its peer is not to be sent to.
    pub(super) fn send(&mut self, to: &mut Session, at: Instant, sum: &[i32; WIDE], out: &mut Outbox) -> bool {
        let clipped = sum.map(clip);
        if to.is_wideband() {
            return to.send_sound(at, &clipped, out);
        }
        let narrow = halved(&mut self.voice(to.leg).halver, &clipped);
        to.send_sound(at, &narrow, out)
    }

    /// What the recording keeps of it, at 8 kHz.
    pub(super) fn kept(&mut self, sum: &[i32; WIDE]) -> [i16; FRAME] {
        halved(&mut self.halver, &sum.map(clip))
    }

    /// Only these take part from now on, beside the third ones.
    pub(super) fn keep(&mut self, pair: [LegId; 2]) {
        let stays = |leg: LegId| pair.contains(&leg) || self.thirds.iter().any(|third| third.leg == leg);
        let gone = |voice: &mut Voice| !stays(voice.leg);
        let counts: Vec<Buffered> = self.voices.extract_if(.., gone).map(|voice| voice.stream.counts()).collect();
        counts.into_iter().for_each(|counts| self.counts.add(counts));
    }

    pub(super) fn counts(&self) -> Buffered {
        let mut sum = self.counts;
        self.voices.iter().for_each(|voice| sum.add(voice.stream.counts()));
        sum
    }

    fn voice(&mut self, leg: LegId) -> &mut Voice {
        let place = self.voices.iter().position(|voice| voice.leg == leg).unwrap_or_else(|| {
            self.voices.push(Voice::new(leg));
            self.voices.len() - 1
        });
        &mut self.voices[place]
    }
}

impl Voice {
    fn new(leg: LegId) -> Self {
        Voice { leg, stream: Stream::new(true), begins: None, sound: Vec::new(), halver: Halver::default() }
    }

    /// The sound of the frame that begins at `at`.
    fn take(&mut self, at: Instant) {
        self.sound.clear();
        if self.begins.is_some() && self.stream.has_stopped(at) {
            self.begins = None;
            self.stream.forget();
        }
        if self.begins.is_some_and(|begins| begins <= at) {
            self.stream.take(at, STEPS, &mut self.sound);
        }
    }
}

fn clip(sum: i32) -> i16 {
    sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

fn halved(halver: &mut Halver, wide: &[i16; WIDE]) -> [i16; FRAME] {
    std::array::from_fn(|n| halver.push([wide[2 * n], wide[2 * n + 1]]))
}
