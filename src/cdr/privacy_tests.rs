//! What may not stay of a call, in virtual time: keys in no fact, pauses by code, keys and API, and a caller who opts out.

use std::sync::Arc;
use std::time::Duration;

use super::Record;
use super::transfer_tests::{settings_of_two, within};
use crate::call::fact::{PausedBy, RecordingStatus, What};
use crate::call::privacy::NotPaused;
use crate::dialplan::plan::{Hotline, Plans, Recording};
use crate::gateway::tests::*;
use crate::gateway::{Input, Output};
use crate::ids::CallId;
use crate::protocol::sip::message::Request;

/// A call of 8's with its caller.
struct Talk {
    switch: Switch,
    eight: Request,
    tag: String,
    seq: u32,
}

impl Talk {
    fn with(recording: Recording) -> Talk {
        let changed = |hotline: &Hotline| Arc::new(Hotline { recording, ..hotline.clone() });
        let by_number: std::collections::BTreeMap<_, _> =
            plans().by_number.iter().map(|(number, hotline)| (number.clone(), changed(hotline))).collect();
        let hotlines = by_number.values().cloned().collect();
        let mut switch = Switch::with(settings_of_two(), Plans { hotlines, by_number });
        let (eight, answer) = switch.answered(SDP);
        let tag = tag(&answer);
        switch.tell(TRUNK, &theirs("ACK", 1, &tag, ""));
        Talk { switch, eight, tag, seq: 1 }
    }

    fn key(&mut self, by_agent: bool, key: char) {
        self.seq += 1;
        let info = format!("Content-Type: application/dtmf-relay\n\nSignal={key}\nDuration=100\n");
        if by_agent {
            let text = within(&self.eight, PHONE, "INFO", self.seq, &info);
            self.switch.tell(PHONE, &text);
        } else {
            let text = theirs("INFO", self.seq, &self.tag.clone(), "");
            let text = text.trim_end_matches('\n').to_owned() + "\n" + &info;
            self.switch.tell(TRUNK, &text);
        }
        self.switch.pass(Duration::from_millis(200));
    }

    fn keys(&self) -> String {
        let keys = self.switch.facts.iter().filter_map(|fact| match fact.what {
            What::Key { key, .. } => Some(key),
            _ => None,
        });
        keys.collect()
    }

    fn pauses(&self) -> Vec<(bool, PausedBy)> {
        let pauses = self.switch.facts.iter().filter_map(|fact| match fact.what {
            What::RecordingPaused { by } => Some((true, by)),
            What::RecordingResumed { by } => Some((false, by)),
            _ => None,
        });
        pauses.collect()
    }

    fn call(&self) -> CallId {
        self.switch.facts[0].call
    }

    /// By the API.
    fn pause(&mut self, call: CallId, paused: bool) -> Result<(), NotPaused> {
        self.switch.gateway.handle(self.switch.now, Input::PauseRecording { ticket: 7, call, paused });
        let mut answer = None;
        while let Some(output) = self.switch.gateway.poll_output() {
            match output {
                Output::Paused { ticket: 7, result } => answer = Some(result),
                Output::Fact(fact) => self.switch.facts.push(fact),
                _ => {}
            }
        }
        answer.expect("an answer")
    }
}

#[test]
fn digits_that_a_caller_keys_to_an_agent_are_in_no_fact() {
    let blank_digits = Some(Duration::from_secs(5));
    for (recording, expected) in [(Recording { blank_digits, ..Recording::ALL }, "*1"), (Recording::ALL, "6217*1")] {
        let mut talk = Talk::with(recording);
        "6217".chars().for_each(|key| talk.key(false, key));
        "*1".chars().for_each(|key| talk.key(true, key));
        assert_eq!(talk.keys(), expected, "what the agent keys is the agent's own");
    }
}

#[test]
fn the_recording_is_paused_by_keys_code_and_api_and_keys_meanwhile_are_nobodys_business() {
    let mut talk = Talk::with(Recording::ALL);
    let (agent, api) = (PausedBy::Agent, PausedBy::Api);
    "1*5".chars().for_each(|key| talk.key(true, key));
    assert_eq!(talk.pauses(), [(true, agent)]);
    "6217".chars().for_each(|key| talk.key(false, key));
    "99*5".chars().for_each(|key| talk.key(true, key));
    talk.key(false, '3');
    assert_eq!((talk.keys().as_str(), talk.pauses()), ("1*53", vec![(true, agent), (false, agent)]));

    let call = talk.call();
    assert_eq!(talk.pause(call, true), Ok(()));
    assert_eq!(talk.pause(call, true), Ok(()), "it is so already");
    talk.switch.pass(Duration::from_secs(2));
    assert_eq!(talk.pause(call, false), Ok(()));
    assert_eq!(talk.pauses()[2..], [(true, api), (false, api)]);
    let record = Record::from_facts(&talk.switch.facts).unwrap();
    let lengths: Vec<_> = record.recording.blanked.iter().map(|b| b.to_ms.unwrap() - b.from_ms).collect();
    assert_eq!((lengths.len(), lengths[1]), (2, 2_000), "{:?}", record.recording);
    let nobody = CallId::new(crate::clock::Wall::from_micros(5), &mut crate::ids::Random::from_number(5));
    assert_eq!(talk.pause(nobody, true), Err(NotPaused::NoCall));
}

#[test]
fn stretches_of_silence_have_an_end() {
    let mut talk = Talk::with(Recording::ALL);
    let call = talk.call();
    for _ in 0..crate::limits::PAUSES {
        assert_eq!((talk.pause(call, true), talk.pause(call, false)), (Ok(()), Ok(())));
    }
    assert_eq!(talk.pause(call, true), Err(NotPaused::TooOften));
    assert_eq!(talk.pauses().len(), 2 * crate::limits::PAUSES as usize);
}

#[test]
fn a_caller_who_opts_out_has_no_recording_and_the_call_goes_on() {
    let mut talk = Talk::with(Recording { opt_out_key: Some('9'), ..Recording::ALL });
    talk.key(true, '9');
    assert_eq!(talk.switch.facts(|what| matches!(what, What::OptedOut)), 0, "the agent cannot");
    talk.key(false, '9');
    talk.key(false, '9');
    assert_eq!(talk.switch.facts(|what| matches!(what, What::OptedOut)), 1);
    let call = talk.call();
    assert_eq!(talk.pause(call, true), Err(NotPaused::NotRecorded));
    let record = Record::from_facts(&talk.switch.facts).unwrap();
    assert_eq!(record.recording.status, RecordingStatus::None);
    assert_eq!((record.recording.reason.as_deref(), record.ended_at), (Some("opted_out"), None));
}
