//! What a recogniser would have written of a made-up call, where a rule asks for words: whether the agent said sorry for a late answer.

use super::scenario::Scenario;
use crate::call::fact::{Fact, What};
use crate::call::script::Cue;
use crate::ids::{Random, Side};
use crate::media::Play;
use crate::rules::transcript::{Recogniser, Transcript, Utterance};

/// What the agent says behind the greeting.
const SORRY: &str = "对不起，让您久等了，请讲";
const FORGOTTEN: &str = "您好，请讲";

/// From the greeting's end to the agent's first word, and how long the agent speaks.
const BREATH_MS: u64 = 300;
const WORDS_MS: u64 = 1_500;

/// `None`: no apology of the agent's was due, or the caller left before it could be heard.
pub fn transcript(facts: &[Fact], scenario: &Scenario) -> Option<Transcript> {
    let due = |fact: &Fact| matches!(fact.what, What::Cued { cue: Cue::LateAnswer, .. });
    let greeted = |fact: &&Fact| matches!(fact.what, What::PlayEnded { play: Play::Greeting, to_end: true });
    let connected = facts.iter().find(|fact| matches!(fact.what, What::Connected))?.at;
    let greeted = facts.iter().find(greeted).filter(|_| facts.iter().any(due))?;
    let from_ms = greeted.at.millis_since(connected)? + BREATH_MS;
    // Drawn for each call by itself, so that nothing else that is drawn becomes another.
    let (_, call) = greeted.call.0.as_u64_pair();
    let forgets = Random::from_number(scenario.seed ^ call).below(100) < scenario.staff.forgetful;
    let text = if forgets { FORGOTTEN } else { SORRY }.to_owned();
    let (channel, to_ms) = (Side::Agent, from_ms + WORDS_MS);
    let by = Recogniser { recogniser: "simulated".into(), version: "1".into(), language: "zh-CN".into() };
    Some(Transcript { by, utterances: vec![Utterance { channel, from_ms, to_ms, text, confidence_percent: None }] })
}
