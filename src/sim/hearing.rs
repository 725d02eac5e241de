//! A naive second model of what a call's facts say of its sound: from the packets that came, and nothing else.

use std::collections::BTreeSet;
use std::slice;

use super::sound::{Ear, Heard};
use crate::call::fact::{Fact, What};
use crate::call::reason::Reason;
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
    let handed_on = facts.iter().find(|f| matches!(f.what, What::TransferStarted { .. })).map(|f| f.at.mono_ns);
    let mut last = None;
    for (side, ears) in [(Side::Caller, slice::from_ref(&heard.caller)), (Side::Agent, &heard.agents[..])] {
        counts(side, ears, facts, &mut found);
        if !held {
            let silences: Vec<_> = ears.iter().flat_map(|ear| silences(ear, end)).collect();
            last = last.max(silences.last().filter(|(_, over)| over.is_none()).map(|(lost, _)| *lost));
            compare(side, &silences, facts, &mut found);
        }
    }
    if let What::Ended { reason, .. } = ended.what
        && !held
    {
        let died = silent_too_long(heard, end);
        // Whoever hands a caller on may fall silent meanwhile without the call's end.
        if (reason == Reason::MediaTimeout) != died && (handed_on.is_none() || !died) {
            found.push(format!("ended for {reason}; by the packets, media had ended: {died} (last silence {last:?})"));
        }
    }
    greeted(heard, facts, (end, handed_on), greeting, &mut found);
    found
}

/// Packets and losses of a side's legs, and when the first packet of each came.
fn counts(side: Side, ears: &[Ear], facts: &[Fact], found: &mut Vec<String>) {
    let came = |ear: &Ear| {
        let places: BTreeSet<u64> = ear.came.iter().map(|(_, place)| *place).collect();
        let packets = places.len() as u64;
        (packets, places.first().zip(places.last()).map_or(0, |(first, last)| last - first + 1) - packets)
    };
    let told = facts.iter().filter_map(|f| match &f.what {
        What::Media { leg, received } if *leg == side => Some((received.packets, received.lost)),
        What::MediaOfLeft { received, .. } if side == Side::Agent => Some((received.packets, received.lost)),
        _ => None,
    });
    let (came, told): (Vec<_>, Vec<_>) = (sorted(ears.iter().map(came)), sorted(told));
    if came != told {
        found.push(format!("{side:?}: packets that came and did not: {came:?}; facts: {told:?}"));
    }
    let firsts = sorted(ears.iter().filter_map(|ear| ear.came.first().map(|(at, _)| at.as_nanos())));
    let arrived = |f: &&Fact| matches!(f.what, What::MediaArrived { leg } if leg == side);
    let told = sorted(facts.iter().filter(arrived).map(|f| f.at.mono_ns));
    if firsts != told {
        found.push(format!("{side:?}: first packets came at {firsts:?}; facts: {told:?}"));
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort();
    items
}

/// When a leg's media was lost, and when it came back, from when it was joined until it left or the call ended.
fn silences(ear: &Ear, end: u64) -> Vec<(u64, Option<u64>)> {
    let Some(joined) = ear.joined else { return Vec::new() };
    let (mut since, end) = (joined.as_nanos(), ear.left.map_or(end, |left| left.as_nanos().min(end)));
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

/// Somebody had said nothing for twice the time when the call ended.
fn silent_too_long(heard: &Heard, end: u64) -> bool {
    heard.agents.iter().chain([&heard.caller]).any(|ear| {
        let last = ear.came.iter().map(|(at, _)| at.as_nanos()).max().unwrap_or(0);
        ear.joined.is_some_and(|joined| end == last.max(joined.as_nanos()) + 2 * LOST_NS)
    })
}

/// The greeting begins when the caller is connected and ends with its last frame, with the call, or when the caller is handed on.
fn greeted(
    heard: &Heard,
    facts: &[Fact],
    (end, handed_on): (u64, Option<u64>),
    greeting: usize,
    found: &mut Vec<String>,
) {
    let began = facts.iter().find(|f| matches!(f.what, What::PlayStarted { .. })).map(|f| f.at.mono_ns);
    let over = facts.iter().find_map(|f| match f.what {
        What::PlayEnded { to_end, .. } => Some((f.at.mono_ns, to_end)),
        _ => None,
    });
    let connected = heard.connected.as_nanos();
    let length = greeting.div_ceil(FRAME_SAMPLES) as u64 * FRAME_NS;
    let cut = handed_on.map_or(end, |at| at.min(end));
    let expected = if connected + length <= cut { (connected + length, true) } else { (cut, false) };
    // In the very moment of its end both are true.
    let near = connected + length == cut && over.map(|(at, _)| at) == Some(cut);
    if began != Some(connected) || (over != Some(expected) && !near) {
        found.push(format!("greeting from {connected} to {expected:?}; facts: {began:?} to {over:?}"));
    }
}
