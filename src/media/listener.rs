//! One received stream made audible: units decoded in order, losses concealed, pauses filled with the noise that the peer
//! asked for. What comes out is [`conceal::DELAY`](super::conceal::DELAY) behind.

use super::Codec;
use super::conceal::Concealer;
use super::unit::{Heard, Unit};
use crate::protocol::audio::comfort::Noise;
use crate::protocol::audio::g722;
use crate::protocol::audio::resample::{Doubler, Halver};

#[derive(Debug)]
pub(super) struct Listener {
    wide: bool,
    concealer: Concealer,
    decoder: Option<Box<g722::Decoder>>,
    doubler: Option<Box<Doubler>>,
    halver: Option<Box<Halver>>,
    noise: Noise,
    state: State,
    /// Samples before concealment.
    clear: Vec<i16>,
    concealed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was heard yet, or not for long: what is missing is silence.
    Silent,
    Speaking,
    /// The peer is quiet: what is missing is its noise.
    Quiet,
}

impl Listener {
    /// `wide`: 16 kHz come out, else 8 kHz, whatever the codec.
    pub(super) fn new(wide: bool) -> Self {
        Listener {
            wide,
            concealer: Concealer::new(if wide { 2 } else { 1 }),
            decoder: None,
            doubler: None,
            halver: None,
            noise: Noise::default(),
            state: State::Silent,
            clear: Vec::new(),
            concealed: 0,
        }
    }

    /// Appends the sound of `units`. `goes_on`: what is missing at their end is a loss, because more was heard behind it.
    pub(super) fn read(&mut self, units: &[Unit], goes_on: bool, out: &mut Vec<i16>) {
        let mut rest = units;
        while !rest.is_empty() {
            let run;
            (run, rest) = rest.split_at(Unit::run(rest));
            match run[0].heard() {
                Heard::Audio(codec) => self.speak(codec, run, out),
                Heard::Noise => {
                    self.noise.set_level(run[0].octet());
                    self.pause(run.len(), out);
                }
                Heard::Shape => {
                    run.iter().for_each(|unit| self.noise.add_coefficient(unit.octet()));
                    self.pause(run.len(), out);
                }
                Heard::Quiet => self.pause(run.len(), out),
                Heard::Missing => self.miss(run.len(), !rest.is_empty() || goes_on, out),
            }
        }
    }

    /// Units that were made up.
    pub(super) fn concealed(&self) -> u64 {
        self.concealed
    }

    fn miss(&mut self, units: usize, lost: bool, out: &mut Vec<i16>) {
        match self.state {
            State::Quiet => self.pause(units, out),
            State::Speaking if lost => {
                self.concealed += units as u64;
                self.concealer.conceal(units * self.scale(), out);
            }
            State::Speaking | State::Silent => {
                self.state = State::Silent;
                self.clear.clear();
                self.clear.resize(units * self.scale(), 0);
                self.concealer.hear(&self.clear, out);
            }
        }
    }

    fn pause(&mut self, units: usize, out: &mut Vec<i16>) {
        self.state = State::Quiet;
        let noise = &mut self.noise;
        self.clear.clear();
        if self.wide && noise.is_shaped() {
            let doubler = self.doubler.get_or_insert_default();
            self.clear.extend((0..units).flat_map(|_| doubler.push(noise.sample())));
        } else {
            self.clear.extend((0..units * if self.wide { 2 } else { 1 }).map(|_| noise.sample()));
        }
        self.concealer.hear(&self.clear, out);
    }

    fn speak(&mut self, codec: Codec, run: &[Unit], out: &mut Vec<i16>) {
        self.state = State::Speaking;
        let clear = &mut self.clear;
        clear.clear();
        match (codec.law(), self.wide) {
            (Some(law), false) => clear.extend(run.iter().map(|unit| law.decode(unit.octet()))),
            (Some(law), true) => {
                let doubler = self.doubler.get_or_insert_default();
                clear.extend(run.iter().flat_map(|unit| doubler.push(law.decode(unit.octet()))));
            }
            (None, true) => {
                let decoder = self.decoder.get_or_insert_default();
                clear.extend(run.iter().flat_map(|unit| decoder.decode(unit.octet())));
            }
            (None, false) => {
                let (decoder, halver) = (self.decoder.get_or_insert_default(), self.halver.get_or_insert_default());
                clear.extend(run.iter().map(|unit| halver.push(decoder.decode(unit.octet()))));
            }
        }
        self.concealer.hear(clear, out);
    }

    fn scale(&self) -> usize {
        if self.wide { 2 } else { 1 }
    }
}
