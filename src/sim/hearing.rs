//! A naive second model of what a call's facts say of its sound: from the packets that came, and nothing else.

use std::collections::BTreeSet;

use super::sound::{Ear, Heard};
use crate::call::fact::{Fact, What};
use crate::call::reason::Reason;
use crate::clock::Instant;
use crate::ids::Side;

/// After so long without a packet its media counts as lost (nanoseconds), and after twice that the call ends.
const LOST_NS: u64 = 10_000_000_000;
/// A frame of a prompt.
const FRAME_NS: u64 = 20_000_000;
const FRAME_SAMPLES: usize = 160;

/// Where the facts of a call differ from what came. `greeting` is the length of its greeting, in samples of 8 kHz.
pub fn differences(heard: &Heard, facts: &[Fact], greeting: usize) -> Vec<String> {
    let mut found = Vec::new();
    let Some(ended) = facts.iter().find(|f| matches!(f.what, What::Ended { .. })) else { return found };
    let Some(run) = facts.first().map(|f| f.at.run) else { return found };
    debug_assert_eq!(run, ended.at.run);
    let end = ended.at.mono_ns;
    let held = facts.iter().any(|f| matches!(f.what, What::HoldStarted { .. }));
    let mut last = None;
    for ear in [&heard.caller, &heard.agent] {
        counts(ear, facts, &mut found);
        if !held {
            let silences = silences(ear, heard.connected, end);
            last = last.max(silences.last().filter(|(_, over)| over.is_none()).map(|(lost, _)| *lost));
            compare(ear.side, &silences, facts, &mut found);
        }
    }
    if let What::Ended { reason, .. } = ended.what
        && !held
    {
        let died = silent_too_long(heard, end);
        if (reason == Reason::MediaTimeout) != died {
            found.push(format!("ended for {reason}; by the packets, media had ended: {died} (last silence {last:?})"));
        }
    }
    greeted(heard, facts, end, greeting, &mut found);
    found
}

/// Packets and losses of a leg.
fn counts(ear: &Ear, facts: &[Fact], found: &mut Vec<String>) {
    let places: BTreeSet<u64> = ear.came.iter().map(|(_, place)| *place).collect();
    let packets = places.len() as u64;
    let span = places.first().zip(places.last()).map_or(0, |(first, last)| last - first + 1);
    let said = facts.iter().find_map(|f| match &f.what {
        What::Media { leg, received } if *leg == ear.side => Some((received.packets, received.lost)),
        _ => None,
    });
    if said != Some((packets, span - packets)) {
        found.push(format!("{:?}: {packets} packets came, {} did not; facts: {said:?}", ear.side, span - packets));
    }
    let first = facts.iter().find(|f| matches!(f.what, What::MediaArrived { leg } if leg == ear.side));
    let came = ear.came.first().map(|(at, _)| at.as_nanos());
    if first.map(|f| f.at.mono_ns) != came {
        found.push(format!("{:?}: the first packet came at {came:?}; facts: {first:?}", ear.side));
    }
}

/// When media was lost, and when it came back.
fn silences(ear: &Ear, connected: Instant, end: u64) -> Vec<(u64, Option<u64>)> {
    let mut since = connected.as_nanos();
    let mut silences: Vec<(u64, Option<u64>)> = Vec::new();
    for (at, _) in &ear.came {
        let at = at.as_nanos();
        if at > since + LOST_NS {
            silences.push((since + LOST_NS, Some(at)));
        }
        since = since.max(at);
    }
    if end > since + LOST_NS {
        silences.push((since + LOST_NS, None));
    }
    silences
}

fn compare(side: Side, silences: &[(u64, Option<u64>)], facts: &[Fact], found: &mut Vec<String>) {
    let said = |lost: bool| -> Vec<u64> {
        let is = |what: &What| match what {
            What::MediaLost { leg } => lost && *leg == side,
            What::MediaResumed { leg } => !lost && *leg == side,
            _ => false,
        };
        facts.iter().filter(|f| is(&f.what)).map(|f| f.at.mono_ns).collect()
    };
    let lost: Vec<u64> = silences.iter().map(|(lost, _)| *lost).collect();
    let resumed: Vec<u64> = silences.iter().filter_map(|(_, resumed)| *resumed).collect();
    if said(true) != lost || said(false) != resumed {
        found.push(format!("{side:?}: silences {silences:?}; facts: {:?} and {:?}", said(true), said(false)));
    }
}

/// One of the two had said nothing for twice the time when the call ended.
fn silent_too_long(heard: &Heard, end: u64) -> bool {
    [&heard.caller, &heard.agent].iter().any(|ear| {
        let last = ear.came.iter().map(|(at, _)| at.as_nanos()).max().unwrap_or(0);
        end == last.max(heard.connected.as_nanos()) + 2 * LOST_NS
    })
}

/// The greeting begins when the caller is connected and ends with its last frame, or with the call.
fn greeted(heard: &Heard, facts: &[Fact], end: u64, greeting: usize, found: &mut Vec<String>) {
    let began = facts.iter().find(|f| matches!(f.what, What::PlayStarted { .. })).map(|f| f.at.mono_ns);
    let over = facts.iter().find_map(|f| match f.what {
        What::PlayEnded { to_end, .. } => Some((f.at.mono_ns, to_end)),
        _ => None,
    });
    let connected = heard.connected.as_nanos();
    let length = greeting.div_ceil(FRAME_SAMPLES) as u64 * FRAME_NS;
    let expected = if connected + length <= end { (connected + length, true) } else { (end, false) };
    // In the very moment of its end both are true.
    let near = connected + length == end && over.map(|(at, _)| at) == Some(end);
    if began != Some(connected) || (over != Some(expected) && !near) {
        found.push(format!("greeting from {connected} to {expected:?}; facts: {began:?} to {over:?}"));
    }
}
