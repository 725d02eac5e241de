//! What is said of a recording: a channel, and two together.

use serde::{Deserialize, Serialize};

use super::ear::Heard;
use super::side::{Side, frames_in};
use super::span::{Span, merged, shared, total_ms, without};
use super::together::Pair;
use super::{FRAME_MS, decibels, pace, rounded};
use crate::ids;

/// Of the meaning of these figures. Another way to compute one of them is another version.
/// 2: a recording that was paused is nobody's silence.
pub const VERSION: u32 = 2;

/// Of each list of a channel.
const KEPT: usize = 64;

/// What is known beside the sound; times as in the recording. The right channel of a recording of ours is mixed: it has what
/// the gateway played to the caller too, so those times are left out of all that is said of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene {
    /// An agent had the caller; a file of which nothing is known is one talk.
    pub talks: Vec<Span>,
    pub played: Vec<Span>,
    /// Who held.
    pub held: Vec<(ids::Side, Span)>,
    /// No packets came from caller and agent.
    pub absent: [Vec<Span>; 2],
    /// Comfort noise came instead of sound (RFC 3389).
    pub comfort: [Vec<Span>; 2],
    /// The recording was paused, or keys were blanked: what is silent there says nothing of the talk.
    pub paused: Vec<Span>,
}

/// All that was heard; times in ms from the begin of the recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listening {
    pub version: u32,
    pub length_ms: u64,
    /// Of a file of one channel: that channel.
    pub caller: SideFigures,
    /// Prompts left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<SideFigures>,
    /// The agent's channel, one for each talk.
    #[serde(default)]
    pub segments: Vec<SegmentFigures>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<TogetherFigures>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SideFigures {
    pub speech_ms: u64,
    /// Active speech level (ITU-T P.56, method B) of what is no music, tone or key. Below an SNR of 16 dB it takes the noise for
    /// speech, as the method does.
    pub level_dbov: Option<f64>,
    /// P.56 activity factor, 0 to 1.
    pub activity: Option<f64>,
    /// Mean power of the frames with voice, the noise taken off.
    pub speech_dbov: Option<f64>,
    /// Median power of the frames without voice; null: digital silence, or never silent.
    pub noise_dbov: Option<f64>,
    /// `speech_dbov` over `noise_dbov`.
    pub snr_db: Option<f64>,
    pub peak_dbov: Option<f64>,
    /// Samples of peaks that were cut off.
    pub clipped: u64,
    /// An estimate; null: less than 5 s of speech.
    pub syllables_per_min: Option<u64>,
    pub longest_silence: Option<Span>,
    /// One value for at least 16 ms: a muted phone, or nothing that came.
    pub digital_silence_ms: u64,
    pub music_ms: u64,
    pub tones_ms: u64,
    /// The first 64 of each.
    pub music: Vec<Span>,
    pub tones: Vec<Span>,
    /// DTMF that sounds in the voice; which keys is not kept.
    pub keys: Vec<Span>,
}

/// An agent while having the caller; prompts, holds and pauses of the recording are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentFigures {
    #[serde(flatten)]
    pub span: Span,
    pub speech_ms: u64,
    pub level_dbov: Option<f64>,
    pub speech_dbov: Option<f64>,
    pub snr_db: Option<f64>,
    pub syllables_per_min: Option<u64>,
}

/// Both, while they could be heard to speak to each other: an agent had the caller, nothing was played, nobody held, and the
/// recording was not paused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TogetherFigures {
    /// The agent's share of all speech, 0 to 1.
    pub talk_ratio: Option<f64>,
    pub caller_ms: u64,
    pub agent_ms: u64,
    pub double_talk_ms: u64,
    /// Times that one cut in on the other, the first 64 of which are told.
    pub cuts: u64,
    pub cut_in: Vec<Cut>,
    /// Of both, holds included; what was paused is none.
    pub longest_silence: Option<Quiet>,
    /// From 3 s on, the first 64; what was paused stands apart, as a silence with that cause.
    pub silences: Vec<Quiet>,
    pub responses: Responses,
    /// The longest that the caller spoke, with pauses below 2 s, without a word of the agent.
    pub unanswered: Option<Span>,
    /// A bang on the agent's side in the last half second.
    pub slam: Option<Slam>,
    /// Caller and agent.
    pub speaking_at_end: [bool; 2],
}

/// One began while the other had spoken for a second, who stopped within a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    pub by: ids::Side,
    pub at_ms: u64,
    pub overlap_ms: u64,
}

/// Neither speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    #[serde(flatten)]
    pub span: Span,
    pub hold: bool,
    pub caller: Cause,
    pub agent: Cause,
}

/// What a channel without speech is for at least half of that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The recording was paused, or keys were blanked.
    Paused,
    NoPackets,
    ComfortNoise,
    DigitalSilence,
    Music,
    Tone,
    /// A person who says nothing.
    Quiet,
}

/// From the caller's last word to the agent's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Responses {
    pub count: u64,
    pub median_ms: Option<u64>,
    pub longest_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slam {
    pub at_ms: u64,
    pub peak_dbov: f64,
    /// Peak over the mean of the last half second.
    pub crest_db: f64,
}

/// A key that sounds in the voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Key {
    pub key: char,
    #[serde(flatten)]
    pub span: Span,
}

impl Quiet {
    /// Nothing is known of that time.
    pub fn is_paused(&self) -> bool {
        self.caller == Cause::Paused || self.agent == Cause::Paused
    }
}

impl Heard {
    pub fn length_ms(&self) -> u64 {
        self.length_ms
    }

    /// Which keys were pressed: for a file that one looks at, never for a fact.
    pub fn keys(&self) -> Vec<Key> {
        let key = |pressed: &super::keypad::Pressed| Key {
            key: pressed.key,
            span: Span::new(pressed.from / 8, pressed.to / 8),
        };
        self.keys.iter().map(key).collect()
    }
}

/// The figures of a caller's channel, or of that and an agent's.
pub fn listen(caller: &Heard, agent: Option<&Heard>, scene: &Scene) -> Listening {
    let whole = [Span::new(0, caller.length_ms)];
    let paused = merged(scene.paused.clone(), 0);
    let held_by = |who: ids::Side| merged(scene.held.iter().filter(|(by, _)| *by == who).map(|(_, s)| *s).collect(), 0);
    let side = Side::of(caller, &[]);
    let caller_within = without(&without(&whole, &held_by(ids::Side::Caller)), &paused);
    let mut listening = Listening {
        version: VERSION,
        length_ms: caller.length_ms,
        caller: figures(caller, &side, &caller_within),
        agent: None,
        segments: Vec::new(),
        together: None,
    };
    let Some(agent) = agent else { return listening };
    let scene = Scene { talks: talks(scene, whole[0]), ..scene.clone() };
    let played = merged(scene.played.clone(), 0);
    let held = merged(scene.held.iter().map(|(_, span)| *span).collect(), 0);
    let within = without(&scene.talks, &merged([played.clone(), held, paused].concat(), 0));
    let other = Side::of(agent, &played);
    let mut figures = figures(agent, &other, &within);
    // Music of a phone that holds is music all the same.
    list_of_others(&mut figures, agent, &other, &without(&whole, &played));
    listening.agent = Some(figures);
    listening.segments = scene.talks.iter().map(|talk| segment(agent, &other, *talk, &within)).collect();
    let pair = Pair { heard: [caller, agent], sides: [&side, &other], scene: &scene, within: &within };
    listening.together = Some(pair.figures());
    listening
}

fn talks(scene: &Scene, whole: Span) -> Vec<Span> {
    if scene.talks.is_empty() { vec![whole] } else { merged(scene.talks.clone(), 0) }
}

fn figures(heard: &Heard, side: &Side, within: &[Span]) -> SideFigures {
    let noise = side.noise(heard, within);
    let active = side.active(heard, within);
    let speech_dbov = side.spoken(heard, within, noise);
    let peak = frames_in(&heard.frames, within).map(|frame| frame.peak).max().filter(|peak| *peak > 0);
    let noise_dbov = noise.filter(|noise| *noise > 0.0).map(decibels);
    let mut figures = SideFigures {
        speech_ms: side.speech_ms(within),
        level_dbov: active.map(|(level, _)| rounded(level)),
        activity: active.map(|(_, share)| (share * 1e3).round() / 1e3),
        speech_dbov: speech_dbov.map(rounded),
        noise_dbov: noise_dbov.map(rounded),
        snr_db: speech_dbov.zip(noise_dbov).map(|(speech, noise)| rounded(speech - noise)),
        peak_dbov: peak.map(|peak| rounded(decibels(f64::from(peak).powi(2)))),
        clipped: frames_in(&heard.frames, within).map(|frame| u64::from(frame.clipped)).sum(),
        syllables_per_min: pace::syllables_per_min(heard, &shared(&side.speech, within)),
        longest_silence: side.longest_silence(within),
        digital_silence_ms: total_ms(&shared(&side.flat, within)),
        ..SideFigures::default()
    };
    list_of_others(&mut figures, heard, side, within);
    figures
}

fn list_of_others(figures: &mut SideFigures, heard: &Heard, side: &Side, within: &[Span]) {
    let (music, tones) = (shared(&side.music, within), shared(&side.tones, within));
    let keys: Vec<Span> = heard.keys().iter().map(|key| key.span).collect();
    let first = |spans: &[Span]| spans.iter().copied().take(KEPT).collect();
    (figures.music_ms, figures.tones_ms) = (total_ms(&music), total_ms(&tones));
    (figures.music, figures.tones) = (first(&music), first(&tones));
    let of_these = |key: &Span| within.iter().any(|span| span.holds(key.from_ms + FRAME_MS / 2));
    figures.keys = keys.into_iter().filter(of_these).take(KEPT).collect();
}

fn segment(heard: &Heard, side: &Side, talk: Span, within: &[Span]) -> SegmentFigures {
    let within = shared(within, &[talk]);
    let all = figures(heard, side, &within);
    SegmentFigures {
        span: talk,
        speech_ms: all.speech_ms,
        level_dbov: all.level_dbov,
        speech_dbov: all.speech_dbov,
        snr_db: all.snr_db,
        syllables_per_min: all.syllables_per_min,
    }
}
