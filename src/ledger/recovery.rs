//! What closes a call that a crash cut. Pure: given what is on disk, the facts that are still missing.
//!
//! Recovery is the one other writer of call facts. It stamps them with the run that died, at the later of the last
//! fact and the last audio block on disk: the restart says nothing about when the people stopped talking.

use crate::call;
use crate::call::fact::{Fact, RecordedPart, RecordingStatus, What};
use crate::call::leg::Listened;
use crate::call::reason::{EndedBy, Reason};
use crate::clock::Stamp;
use crate::ids::CallId;
use crate::media::SAMPLE_RATE_HZ;

/// What the recording of a call turned out to hold after the crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvage {
    /// What is on disk, counted from *connected*, in 1/8000 s.
    pub frames: u64,
    /// Hash of the repaired file, if it could be computed.
    pub sha256: Option<String>,
    /// Every file, if there is more than one.
    pub parts: Vec<RecordedPart>,
}

/// A call of an earlier run of which nothing is missing but what a machine hears in its recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unheard {
    pub call: CallId,
    /// Of the fact that is to come.
    n: u32,
    at: Stamp,
}

impl Unheard {
    /// The last fact of its call; the time is the call's end.
    pub fn heard(self, listened: Listened) -> Fact {
        Fact { call: self.call, n: self.n, at: self.at, what: call::heard(listened) }
    }
}

/// If the recording is closed and whole, what a crash kept from being heard in it can be heard late.
pub fn unheard(facts: &[Fact]) -> Option<Unheard> {
    let whole = |fact: &Fact| matches!(fact.what, What::RecordingClosed { status: RecordingStatus::Ok, .. });
    let ended = facts.iter().find(|fact| matches!(fact.what, What::Ended { .. }))?;
    let last = facts.last().filter(|_| is_listening_open(facts) && facts.iter().any(whole))?;
    Some(Unheard { call: last.call, n: last.n + 1, at: ended.at })
}

/// The facts that close a call of an earlier run; none if nothing is missing, or if the call is still to be heard.
pub fn closing_facts(facts: &[Fact], audio: Option<&Salvage>) -> Vec<Fact> {
    let Some(last) = facts.last() else { return Vec::new() };
    let ended = facts.iter().find(|fact| matches!(fact.what, What::Ended { .. }));
    let at = ended.map_or_else(|| cut_at(facts, last, audio), |fact| fact.at);
    let mut missing = Vec::new();
    if ended.is_none() {
        missing.push(What::Ended { reason: Reason::Crash, by: EndedBy::Gateway });
    }
    if is_recording_open(facts) {
        missing.push(recording_closed(audio));
    }
    if is_listening_open(facts) && unheard(facts).is_none() {
        missing.push(What::Listened { reason: Some("crash".to_owned()), listening: None });
    }
    if ended.is_none() {
        missing.push(What::Interrupted);
    }
    (last.n + 1..).zip(missing).map(|(n, what)| Fact { call: last.call, n, at, what }).collect()
}

/// The later of the last fact and the last audio on disk, on the clock of the run that died.
fn cut_at(facts: &[Fact], last: &Fact, audio: Option<&Salvage>) -> Stamp {
    let run = last.at.run;
    let of_the_run = facts.iter().map(|fact| fact.at).filter(|at| at.run == run);
    let last_fact = of_the_run.max_by_key(|at| at.mono_ns).unwrap_or(last.at);
    let connected = facts.iter().find(|fact| matches!(fact.what, What::Connected) && fact.at.run == run);
    let (Some(connected), Some(audio)) = (connected, audio) else { return last_fact };
    let nanos = audio.frames.saturating_mul(1_000_000_000 / u64::from(SAMPLE_RATE_HZ));
    let last_audio = Stamp {
        run,
        mono_ns: connected.at.mono_ns.saturating_add(nanos),
        wall_us: connected.at.wall_us.saturating_add(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX)),
    };
    if last_audio.mono_ns > last_fact.mono_ns { last_audio } else { last_fact }
}

fn is_recording_open(facts: &[Fact]) -> bool {
    let started = facts.iter().any(|fact| matches!(fact.what, What::RecordingStarted { .. }));
    let closed = facts.iter().any(|fact| matches!(fact.what, What::RecordingClosed { .. }));
    started && !closed
}

fn is_listening_open(facts: &[Fact]) -> bool {
    let started = facts.iter().any(|fact| matches!(fact.what, What::ListeningStarted));
    started && !facts.iter().any(|fact| matches!(fact.what, What::Listened { .. }))
}

/// Partial with what is on disk; none if nothing was found.
fn recording_closed(audio: Option<&Salvage>) -> What {
    What::RecordingClosed {
        status: if audio.is_some() { RecordingStatus::Partial } else { RecordingStatus::None },
        reason: Some("crash".to_owned()),
        duration_ms: audio.map_or(0, |a| a.frames.saturating_mul(1_000) / u64::from(SAMPLE_RATE_HZ)),
        sha256: audio.and_then(|a| a.sha256.clone()),
        parts: audio.map(|a| a.parts.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Side;
    use crate::ledger::story::Story;

    fn salvage(frames: u64, sha256: Option<&str>) -> Salvage {
        Salvage { frames, sha256: sha256.map(str::to_owned), parts: Vec::new() }
    }

    fn kinds(facts: &[Fact]) -> Vec<&'static str> {
        facts
            .iter()
            .map(|fact| match fact.what {
                What::Ended { .. } => "ended",
                What::RecordingClosed { .. } => "recording_closed",
                What::Interrupted => "interrupted",
                _ => "other",
            })
            .collect()
    }

    #[test]
    fn a_ringing_call_ends_at_its_last_fact() {
        let facts = Story::new(1).at(1_000, What::Ring).facts();
        let closing = closing_facts(&facts, None);
        assert_eq!(kinds(&closing), ["ended", "interrupted"]);
        assert!(closing.iter().all(|fact| fact.at == facts[1].at));
        assert_eq!(closing.iter().map(|fact| fact.n).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(closing[0].what, What::Ended { reason: Reason::Crash, by: EndedBy::Gateway });
    }

    #[test]
    fn a_talking_call_ends_at_its_last_audio_block() {
        let facts = Story::talking(1).at(9_000, What::HoldStarted { by: Side::Agent }).facts();
        let connected = facts.iter().find(|fact| fact.what == What::Connected).unwrap().at;
        let closing = closing_facts(&facts, Some(&salvage(80_004, Some("ab"))));
        assert_eq!(kinds(&closing), ["ended", "recording_closed", "interrupted"]);
        assert_eq!(closing[0].at.run, connected.run);
        assert_eq!(closing[0].at.mono_ns, connected.mono_ns + 80_004 * 125_000);
        assert_eq!(closing[0].at.wall_us, connected.wall_us + 80_004 * 125);
        let closed = What::RecordingClosed {
            status: RecordingStatus::Partial,
            reason: Some("crash".to_owned()),
            duration_ms: 10_000,
            sha256: Some("ab".to_owned()),
            parts: Vec::new(),
        };
        assert_eq!(closing[1].what, closed);
    }

    #[test]
    fn audio_older_than_the_last_fact_changes_nothing() {
        let facts = Story::talking(1).at(9_000, What::HoldStarted { by: Side::Agent }).facts();
        let closing = closing_facts(&facts, Some(&salvage(8, None)));
        assert_eq!(closing[0].at, facts.last().unwrap().at);
    }

    #[test]
    fn what_was_still_to_be_listened_to_is_heard_late_if_the_recording_is_whole() {
        let begun = || {
            let story = Story::talking(1).ended(9_000, Reason::CallerHungUp, EndedBy::Caller);
            story.at(9_100, What::ListeningStarted)
        };
        let facts = begun().at(9_100, crate::ledger::story::recording_ok(5_000)).facts();
        assert_eq!(closing_facts(&facts, None), [], "the call stays open until it was heard");
        let heard = unheard(&facts).unwrap().heard(Err("unreadable"));
        assert_eq!((heard.n, heard.at.run), (facts.last().unwrap().n + 1, facts[0].at.run));
        let whole: Vec<Fact> = facts.into_iter().chain([heard]).collect();
        assert_eq!(unheard(&whole), None);
        assert_eq!(closing_facts(&whole, None), []);

        // A torn one is not.
        let facts = begun().facts();
        let closing = closing_facts(&facts, Some(&salvage(8_000, None)));
        assert_eq!(unheard(&facts), None);
        assert!(
            matches!(closing.last(), Some(Fact { what: What::Listened { listening: None, .. }, .. })),
            "{closing:?}"
        );
        let whole: Vec<Fact> = facts.into_iter().chain(closing).collect();
        assert_eq!(closing_facts(&whole, None), []);
    }

    #[test]
    fn an_ended_call_gets_only_its_recording_closed() {
        let facts = Story::talking(1).ended(9_000, Reason::CallerHungUp, EndedBy::Caller).facts();
        let closing = closing_facts(&facts, None);
        assert_eq!(kinds(&closing), ["recording_closed"]);
        assert!(matches!(closing[0].what, What::RecordingClosed { status: RecordingStatus::None, .. }));
        assert_eq!(closing[0].at, facts.last().unwrap().at);
        let whole: Vec<Fact> = facts.into_iter().chain(closing).collect();
        assert_eq!(closing_facts(&whole, None), []);
    }
}
