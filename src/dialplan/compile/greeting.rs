//! What callers hear when an agent answers: normal and late, by the time of day, as a colleague, with the notice.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::everybody;
use super::speaker::Speaker;
use crate::dialplan::plan::{AgentGreeting, Greeting, Notice, TimeOfDay, Variant};
use crate::dialplan::schema::Written;
use crate::dialplan::scripts::By;
use crate::dialplan::spoken::Tongue;
use crate::ids::AgentNo;
use crate::written::At;

const TIME_OF_DAY: &str = "{time_of_day}";

pub(super) fn compile(written: &Written, speaker: &mut Speaker<'_, '_>) -> Greeting {
    let unrecorded = written.unrecorded.as_ref().and_then(|text| speaker.one("recording.unrecorded", text));
    let (notice, late_by) = (notice(written, speaker), written.late_by);
    let mut greeting = Greeting { notice, unrecorded, late_by, ..Greeting::default() };
    let texts = [(false, &written.text), (true, &written.callers.internal)];
    for (internal, text) in texts.into_iter().filter_map(|(internal, text)| Some((internal, text.as_ref()?))) {
        let texts = Texts::of(written, internal, text, speaker);
        if texts.name_the_time() {
            greeting.clock = TimeZone::get(&written.time_zone).ok();
            for time in TimeOfDay::ALL {
                let said = texts.said(written, Some(time), speaker);
                greeting.variants.insert(Variant { internal, time: Some(time) }, said);
            }
        } else {
            greeting.variants.insert(Variant { internal, time: None }, texts.said(written, None, speaker));
        }
    }
    if let Some(text) = &written.late_busy {
        let agents: Vec<&str> = everybody(written).into_iter().map(|agent| agent.value.as_str()).collect();
        greeting.late_busy = speaker.for_each_agent("greeting.late_busy", &with_notice(written, text), agents);
    }
    let usual = [Some(TimeOfDay::Morning), None].map(|time| Variant { internal: false, time });
    greeting.by_agent = usual.iter().find_map(|usual| greeting.variants.get(usual)).cloned().unwrap_or_default();
    greeting.variants.retain(|variant, _| *variant != usual[1]);
    greeting
}

/// The texts of one kind of caller.
struct Texts {
    key: &'static str,
    normal: At<String>,
    late: Option<At<String>>,
}

impl Texts {
    fn of(written: &Written, internal: bool, text: &At<String>, speaker: &Speaker<'_, '_>) -> Texts {
        let late = match &written.late {
            // Nobody hears it.
            _ if written.late_by == By::Agent => Some(text.clone()),
            Some(late) if !internal => Some(late.clone()),
            _ => speaker.language.and_then(|language| default_late(language, text)),
        };
        if let (None, Some(language)) = (&late, speaker.language) {
            let what = format!("[greeting] has no \"late\", and there is no default in {language}");
            speaker.document.fault(text.line, what, "add late = \"…\": what is said after a late answer");
        }
        let key = if internal { "greeting.internal" } else { "greeting.text" };
        Texts { key, normal: with_notice(written, text), late: late.map(|late| with_notice(written, &late)) }
    }

    fn name_the_time(&self) -> bool {
        std::iter::once(&self.normal).chain(&self.late).any(|text| text.value.contains(TIME_OF_DAY))
    }

    fn said(
        &self,
        written: &Written,
        time: Option<TimeOfDay>,
        speaker: &mut Speaker<'_, '_>,
    ) -> BTreeMap<AgentNo, AgentGreeting> {
        let word = time.map(|time| (time, speaker.language.map_or(Tongue::Other, Tongue::of)));
        let word = word.and_then(|(time, tongue)| words_of(time, tongue));
        let filled = |text: &At<String>| match word {
            Some(word) => At::new(text.value.replace(TIME_OF_DAY, word), text.line),
            None => text.clone(),
        };
        let agents: Vec<&str> = everybody(written).into_iter().map(|agent| agent.value.as_str()).collect();
        let normal = speaker.for_each_agent(self.key, &filled(&self.normal), agents.iter().copied());
        let mut late = match &self.late {
            Some(late) => speaker.for_each_agent("greeting.late", &filled(late), agents),
            None => BTreeMap::new(),
        };
        let pair = |(agent, normal)| late.remove(&agent).map(|late| (agent, AgentGreeting { normal, late }));
        normal.into_iter().filter_map(pair).collect()
    }
}

/// `None`: the placeholder stays, and is told as unknown.
fn words_of(time: TimeOfDay, tongue: Tongue) -> Option<&'static str> {
    Some(match (tongue, time) {
        (Tongue::Chinese, TimeOfDay::Morning) => "早上好",
        (Tongue::Chinese, TimeOfDay::Afternoon) => "下午好",
        (Tongue::Chinese, TimeOfDay::Evening) => "晚上好",
        (Tongue::English, TimeOfDay::Morning) => "Good morning",
        (Tongue::English, TimeOfDay::Afternoon) => "Good afternoon",
        (Tongue::English, TimeOfDay::Evening) => "Good evening",
        (Tongue::Other, _) => return None,
    })
}

fn with_notice(written: &Written, text: &At<String>) -> At<String> {
    let Some(notice) = &written.notice else { return text.clone() };
    let (first, second) =
        if notice.before { (&notice.text.value, &text.value) } else { (&text.value, &notice.text.value) };
    At::new(format!("{first}{second}"), text.line)
}

fn notice(written: &Written, speaker: &mut Speaker<'_, '_>) -> Option<Notice> {
    let prompt = speaker.one("greeting.notice", &written.notice.as_ref()?.text)?;
    let mut digest = Sha256::new_with_prefix(&prompt.text);
    prompt.audio.iter().for_each(|sample| digest.update(sample.to_le_bytes()));
    Some(Notice { version: digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect() })
}

/// The apology of the rule documents, then the greeting.
fn default_late(language: &str, text: &At<String>) -> Option<At<String>> {
    let late = match Tongue::of(language) {
        Tongue::Chinese => format!("不好意思,让您久等了{}", text.value),
        Tongue::English => format!("I'm sorry to keep you waiting. {}", text.value),
        Tongue::Other => return None,
    };
    Some(At::new(late, text.line))
}
