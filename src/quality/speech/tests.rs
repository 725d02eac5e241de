//! Sound whose truth is known because it is put together here: spoken prompts (each −20.0 dBov by P.56 and cut to 50 ms
//! of silence) at known times and levels, noise of known power, tones and chords.

use std::f64::consts::TAU;
use std::path::Path;

use super::*;
use crate::ids::{Random, Side};
use crate::media::wav;
use crate::protocol::audio::resample::halve;

/// A prompt of 8 kHz.
fn prompt(name: &str) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts/zh-CN").join(name);
    let (samples, rate) = wav::read_mono(std::fs::File::open(path).unwrap()).unwrap();
    if rate == 16_000 { halve(&samples) } else { samples }
}

struct Tape(Vec<f64>);

impl Tape {
    fn new(seconds: f64) -> Tape {
        Tape(vec![0.0; (seconds * 8_000.0) as usize])
    }

    /// Returns where it begins and ends, its own 50 ms of silence left out.
    fn say(&mut self, at_ms: u64, gain_db: f64, name: &str) -> Span {
        let samples = prompt(name);
        let from = at_ms as usize * 8;
        for (place, sample) in self.0[from..].iter_mut().zip(&samples) {
            *place += f64::from(*sample) * 10f64.powf(gain_db / 20.0);
        }
        Span::new(at_ms + 50, at_ms + samples.len() as u64 / 8 - 50)
    }

    /// White, of this power.
    fn noise(mut self, dbov: f64) -> Tape {
        let mut random = Random::from_number(8);
        let peak = 32_768.0 * 10f64.powf(dbov / 20.0) * 3f64.sqrt();
        let mut uniform = || f64::from(random.below(20_001)) / 10_000.0 - 1.0;
        self.0.iter_mut().for_each(|sample| *sample += peak * uniform());
        self
    }

    fn tones(&mut self, from_ms: u64, to_ms: u64, amplitude: f64, hz: &[f64]) {
        for n in from_ms as usize * 8..to_ms as usize * 8 {
            self.0[n] += hz.iter().map(|hz| amplitude * (TAU * hz * n as f64 / 8_000.0).sin()).sum::<f64>();
        }
    }

    fn heard(&self) -> Heard {
        let samples: Vec<i16> = self.0.iter().map(|s| s.round().clamp(-32_768.0, 32_767.0) as i16).collect();
        let mut ear = Ear::new(8_000);
        samples.chunks(777).for_each(|piece| ear.hear(piece));
        ear.finish()
    }

    fn alone(&self) -> SideFigures {
        listen(&self.heard(), None, &Scene::default()).caller
    }
}

#[track_caller]
fn near(found: impl Into<Option<f64>>, wanted: f64, within: f64) {
    let found = found.into().expect("a figure");
    assert!((found - wanted).abs() <= within, "{found}, not {wanted}");
}

#[track_caller]
fn near_ms(found: u64, wanted: u64, within: u64) {
    assert!(found.abs_diff(wanted) <= within, "{found} ms, not {wanted}");
}

#[test]
fn level_noise_and_snr_of_speech_of_known_level() {
    for (gain, noise) in [(0.0, -60.0), (-15.0, -65.0), (6.0, -40.0)] {
        let mut tape = Tape::new(14.0);
        tape.say(1_000, gain, "msg.invite.wav");
        let figures = tape.noise(noise).alone();
        near(figures.level_dbov, -20.0 + gain, 0.5);
        near(figures.speech_dbov, -20.0 + gain, 0.7);
        near(figures.noise_dbov, noise, 0.5);
        near(figures.snr_db, -20.0 + gain - noise, 1.0);
    }
}

/// P.56 cannot part speech from noise that is less than 15.9 dB below; the figures by voice can.
#[test]
fn ten_decibels_over_the_noise() {
    let mut tape = Tape::new(14.0);
    let said = tape.say(3_000, 0.0, "msg.invite.wav");
    let figures = tape.noise(-30.0).alone();
    near(figures.noise_dbov, -30.0, 0.5);
    near(figures.snr_db, 10.0, 1.5);
    let (before, after) = (said.from_ms, 14_000 - said.to_ms);
    near_ms(figures.longest_silence.unwrap().ms(), before.max(after), 250);
    assert!((figures.speech_ms as f64) > 0.7 * said.ms() as f64 && figures.speech_ms < said.ms() + 300);
}

#[test]
fn a_dialogue_has_its_turns_its_haste_and_its_interruption() {
    let (mut caller, mut agent) = (Tape::new(40.0), Tape::new(40.0));
    let greeting = agent.say(500, 0.0, "greet/property/8.wav");
    let asked = caller.say(greeting.to_ms + 600, -6.0, "low.1.wav");
    let answer = agent.say(asked.to_ms + 400, 0.0, "noise.1.wav");
    let long = caller.say(answer.to_ms + 800, -6.0, "msg.invite.wav");
    let cutting = agent.say(long.to_ms - 650, 0.0, "hold.lookup.wav");
    let last = caller.say(38_000, -6.0, "hold.comfort.wav");
    let listening = listen(&caller.heard(), Some(&agent.heard()), &Scene::default());
    let together = listening.together.unwrap();
    assert_eq!((together.cuts, together.cut_in[0].by), (1, Side::Agent), "{:?}", together.cut_in);
    near_ms(together.cut_in[0].at_ms, cutting.from_ms, 100);
    near_ms(together.cut_in[0].overlap_ms, long.to_ms - cutting.from_ms, 120);
    near_ms(together.double_talk_ms, long.to_ms - cutting.from_ms, 120);
    near_ms(together.responses.longest_ms.unwrap(), answer.from_ms - asked.to_ms, 80);
    let silence = together.longest_silence.unwrap();
    near_ms(silence.span.from_ms, cutting.to_ms, 100);
    near_ms(silence.span.to_ms, last.from_ms, 100);
    assert_eq!((silence.hold, silence.caller, silence.agent), (false, Cause::DigitalSilence, Cause::DigitalSilence));
    let unanswered = together.unanswered.unwrap();
    near_ms(unanswered.ms(), cutting.from_ms - long.from_ms, 150);
    let spoken = |spans: &[Span]| spans.iter().map(Span::ms).sum::<u64>() as f64;
    let (left, right) = (spoken(&[asked, long, last]), spoken(&[greeting, answer, cutting]));
    near(together.talk_ratio, right / (left + right), 0.03);
    near(listening.caller.level_dbov, -26.0, 0.5);
    near(listening.agent.unwrap().level_dbov, -20.0, 0.5);
}

/// Chords of three, each 400 ms with four partials, as hold music is.
fn music(tape: &mut Tape, from_ms: u64, to_ms: u64) {
    const ROOTS: [f64; 5] = [262.0, 330.0, 392.0, 349.0, 294.0];
    for (n, at) in (from_ms..to_ms).step_by(400).enumerate() {
        let root = ROOTS[n % 5];
        for partial in 1..=4 {
            let hz = f64::from(partial) * root;
            tape.tones(at, (at + 400).min(to_ms), 1_500.0 / f64::from(partial), &[hz, hz * 1.26, hz * 1.5]);
        }
    }
}

#[test]
fn hold_music_and_tones_are_no_speech_and_speech_beside_them_is() {
    let mut tape = Tape::new(40.0);
    music(&mut tape, 1_000, 16_000);
    let said = tape.say(18_500, 0.0, "msg.invite.wav");
    (0..3).for_each(|n| tape.tones(28_000 + 4_000 * n, 29_000 + 4_000 * n, 4_000.0, &[450.0]));
    let figures = tape.noise(-65.0).alone();
    near_ms(figures.music_ms, 15_000, 1_500);
    assert_eq!(figures.music.len(), 1, "{:?}", figures.music);
    near_ms(figures.tones_ms, 3_000, 500);
    assert_eq!(figures.tones.len(), 3, "{:?}", figures.tones);
    near_ms(figures.speech_ms, said.ms(), 500);
    near(figures.level_dbov, -20.0, 0.7);
}

#[test]
fn every_spoken_prompt_is_speech_and_no_music_tone_or_key() {
    for name in ["greet/property/8.wav", "msg.invite.wav", "hold.lookup.wav", "xfer.head.wav", "low.1.wav"] {
        let mut tape = Tape::new(10.0);
        let said = tape.say(1_000, 0.0, name);
        let figures = tape.noise(-65.0).alone();
        assert_eq!((figures.music_ms, figures.tones_ms, figures.keys.len()), (0, 0, 0), "{name}");
        assert!(figures.speech_ms as f64 > 0.85 * said.ms() as f64, "{name}: {} of {}", figures.speech_ms, said.ms());
    }
}

#[test]
fn keys_that_sound_are_counted_and_are_no_speech() {
    let mut tape = Tape::new(6.0);
    tape.tones(1_000, 1_100, 4_000.0, &[697.0, 1_209.0]);
    tape.tones(1_300, 1_400, 4_000.0, &[941.0, 1_477.0]);
    tape.tones(3_000, 3_500, 4_000.0, &[770.0, 1_336.0]);
    let tape = tape.noise(-60.0);
    assert_eq!(tape.heard().keys().iter().map(|key| key.key).collect::<String>(), "1#5");
    let figures = tape.alone();
    assert_eq!((figures.keys.len(), figures.speech_ms), (3, 0));
    near_ms(figures.keys[2].from_ms, 3_000, 30);
    near_ms(figures.keys[2].to_ms, 3_500, 30);
    let json = serde_json::to_string(&figures).unwrap();
    assert!(!json.contains("\"1\"") && !json.contains('#'), "which keys is nobody's business: {json}");
}

#[test]
fn digital_silence_and_a_muted_side() {
    let figures = Tape::new(5.0).alone();
    assert_eq!((figures.speech_ms, figures.level_dbov, figures.noise_dbov), (0, None, None));
    near_ms(figures.digital_silence_ms, 5_000, 16);

    let (mut caller, mut agent) = (Tape::new(20.0), Tape::new(20.0));
    agent.say(500, 0.0, "greet/property/8.wav");
    caller.say(8_000, 0.0, "msg.invite.wav");
    let agent = {
        // A room until the phone is muted at 6 s.
        let quiet = agent.noise(-60.0);
        Tape(quiet.0.iter().enumerate().map(|(n, s)| if n < 48_000 { *s } else { 0.0 }).collect())
    };
    let listening = listen(&caller.noise(-60.0).heard(), Some(&agent.heard()), &Scene::default());
    let of_agent = listening.agent.unwrap();
    near_ms(of_agent.digital_silence_ms, 14_000, 40);
    near(of_agent.noise_dbov, -60.0, 0.6);
    let silence = listening.together.unwrap().longest_silence.unwrap();
    assert_eq!((silence.caller, silence.agent), (Cause::Quiet, Cause::DigitalSilence));
}

#[test]
fn a_loud_prompt_and_hold_music_are_no_noise_over_which_nobody_is_heard() {
    let (caller, mut agent) = (Tape::new(20.0), Tape::new(20.0));
    // No voice, and no steady tone either: the detector hears nobody.
    for (n, place) in agent.0[..32_000].iter_mut().enumerate() {
        let seconds = n as f64 / 8_000.0;
        *place = 8_000.0 * (TAU * (300.0 * seconds + 350.0 * seconds * seconds)).sin();
    }
    music(&mut agent, 5_000, 10_000);
    let said = agent.say(12_000, 0.0, "hold.lookup.wav");
    let scene = Scene { played: vec![Span::new(0, 4_000)], ..Scene::default() };
    let heard = listen(&caller.heard(), Some(&agent.heard()), &scene);
    near_ms(heard.together.unwrap().agent_ms, said.ms(), 250);
}

#[test]
fn what_was_paused_is_nobodys_silence() {
    let (mut caller, mut agent) = (Tape::new(60.0), Tape::new(60.0));
    let asked = caller.say(1_000, 0.0, "hold.comfort.wav");
    let told = agent.say(35_000, 0.0, "hold.lookup.wav");
    let paused = Span::new(10_000, 30_000);
    // A room, of which nothing is kept while paused.
    let room = |tape: Tape| {
        let silent = |(n, s): (usize, &f64)| if paused.holds(n as u64 / 8) { 0.0 } else { *s };
        Tape(tape.noise(-60.0).0.iter().enumerate().map(silent).collect())
    };
    let scene = Scene { paused: vec![Span::new(12_000, paused.to_ms), Span::new(10_000, 20_000)], ..Scene::default() };
    let listening = listen(&room(caller).heard(), Some(&room(agent).heard()), &scene);
    let of_agent = listening.agent.unwrap();
    assert_eq!((of_agent.digital_silence_ms, listening.caller.digital_silence_ms), (0, 0));
    let told_after = told.from_ms - paused.to_ms;
    near_ms(of_agent.longest_silence.unwrap().ms(), 60_000 - told.to_ms, 100);
    let together = listening.together.unwrap();
    assert_eq!(together.responses.count, 0, "what was said meanwhile is not known");
    let spans: Vec<(u64, Cause)> = together.silences.iter().map(|quiet| (quiet.span.ms(), quiet.agent)).collect();
    let wanted = [
        (paused.from_ms - asked.to_ms, Cause::Quiet),
        (paused.ms(), Cause::Paused),
        (told_after, Cause::Quiet),
        (60_000 - told.to_ms, Cause::Quiet),
    ];
    assert_eq!(spans.len(), wanted.len(), "{spans:?}");
    for (found, wanted) in spans.iter().zip(wanted) {
        near_ms(found.0, wanted.0, 120);
        assert_eq!(found.1, wanted.1);
    }
    near_ms(together.longest_silence.unwrap().span.from_ms, told.to_ms, 100);
}

#[test]
fn what_was_played_and_held_is_not_the_agents() {
    let (mut caller, mut agent) = (Tape::new(40.0), Tape::new(40.0));
    let played = agent.say(0, 6.0, "greet/property/8.wav");
    let first = agent.say(6_000, -10.0, "low.1.wav");
    music(&mut agent, 12_000, 22_000);
    let asked = caller.say(23_000, 0.0, "hold.comfort.wav");
    agent.say(25_000, -10.0, "hold.lookup.wav");
    let hold = Span::new(11_500, 22_500);
    let scene = Scene {
        talks: vec![Span::new(0, 40_000)],
        played: vec![Span::new(0, played.to_ms + 50)],
        held: vec![(Side::Agent, hold)],
        absent: [vec![Span::new(30_000, 40_000)], Vec::new()],
        ..Scene::default()
    };
    let listening = listen(&caller.noise(-60.0).heard(), Some(&agent.noise(-60.0).heard()), &scene);
    let of_agent = listening.agent.unwrap();
    near(of_agent.level_dbov, -30.0, 0.7);
    near_ms(of_agent.music_ms, 10_000, 1_500);
    let together = listening.together.unwrap();
    let held = together.silences.iter().find(|quiet| quiet.hold).unwrap();
    assert!(held.span.from_ms <= hold.from_ms && held.span.to_ms >= hold.to_ms, "{held:?}");
    near_ms(held.span.from_ms, first.to_ms, 100);
    near_ms(held.span.to_ms, asked.from_ms, 100);
    assert_eq!(held.agent, Cause::Music);
    assert_eq!(together.silences.last().unwrap().caller, Cause::NoPackets);
    assert_eq!(listening.segments.len(), 1);
}

#[test]
fn a_tone_behind_a_prompt_is_a_tone_and_no_music() {
    let (caller, mut agent) = (Tape::new(16.0), Tape::new(16.0));
    let prompt = agent.say(0, 0.0, "greet/property/8.wav");
    agent.tones(0, 9_000, 2_000.0, &[1_000.0]);
    let scene = Scene { played: vec![Span::new(0, prompt.to_ms + 50)], ..Scene::default() };
    let heard = listen(&caller.heard(), Some(&agent.noise(-65.0).heard()), &scene).agent.unwrap();
    assert_eq!(heard.music_ms, 0);
    near_ms(heard.tones_ms, 9_000 - prompt.to_ms, 400);
}

#[test]
fn a_bang_at_the_end_and_a_word_at_the_end() {
    let caller = Tape::new(10.0).noise(-60.0).heard();
    let mut agent = Tape::new(10.0);
    agent.say(1_000, 0.0, "low.1.wav");
    let mut agent = agent.noise(-60.0);
    for n in 0..40 {
        agent.0[78_000 + n] = if n % 3 == 0 { 28_000.0 } else { -20_000.0 } * (1.0 - n as f64 / 40.0);
    }
    let slam = |agent: &Tape| listen(&caller, Some(&agent.heard()), &Scene::default()).together.unwrap().slam;
    let found = slam(&agent).expect("a bang");
    near_ms(found.at_ms, 9_750, 16);
    let mut agent = Tape::new(10.0);
    agent.say(10_000 - 1_500, 6.0, "low.1.wav");
    assert_eq!(slam(&agent.noise(-60.0)), None);
}

#[test]
fn clipped_peaks_are_counted() {
    let mut tape = Tape::new(2.0);
    tape.tones(0, 1_000, 50_000.0, &[200.0]);
    let figures = tape.alone();
    // Of each half wave, the time in which the sine is above 32,124 / 50,000.
    let share = 1.0 - 2.0 * (32_124f64 / 50_000.0).asin() / std::f64::consts::PI;
    near(figures.clipped as f64, 8_000.0 * share, 400.0);
    assert_eq!(figures.peak_dbov, Some(0.0));
}

/// One character is one syllable; the estimate is lower, since some run together.
#[test]
fn syllables_are_estimated_within_a_quarter() {
    let mut tape = Tape::new(24.0);
    let first = tape.say(0, 0.0, "msg.invite.wav");
    let second = tape.say(8_000, 0.0, "xfer.head.wav");
    let third = tape.say(16_000, 0.0, "hold.lookup.wav");
    let catalogue = include_str!("../../../dialplans/prompts/zh-CN/catalogue.tsv");
    let characters = |file: &str| {
        let line = catalogue.lines().find(|line| line.ends_with(&format!("\t{file}"))).unwrap();
        line.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count() as f64
    };
    let said = ["msg.invite.wav", "xfer.head.wav", "hold.lookup.wav"].iter().map(|file| characters(file)).sum::<f64>();
    let ms = [first, second, third].iter().map(Span::ms).sum::<u64>() as f64;
    let truth = said / ms * 60_000.0;
    let found = tape.noise(-65.0).alone().syllables_per_min.unwrap() as f64;
    near(found / truth, 0.95, 0.25);
}

#[test]
fn figures_outlive_a_round_through_json() {
    let mut tape = Tape::new(8.0);
    tape.say(1_000, 0.0, "msg.invite.wav");
    let listening = listen(&tape.heard(), Some(&tape.heard()), &Scene::default());
    let text = serde_json::to_string(&listening).unwrap();
    assert_eq!(serde_json::from_str::<Listening>(&text).unwrap(), listening);
}
