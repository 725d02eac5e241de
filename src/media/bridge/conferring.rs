//! Somebody takes part in the talk of two: who hears whom.

use std::sync::Arc;

use super::{Bridge, Counters, Joined, Sound, State, find};
use crate::clock::{Instant, Now};
use crate::ids::LegId;
use crate::media::conference::{Audible, Conference};
use crate::media::jitter_buffer::Buffered;
use crate::media::session::Accepted;

impl Bridge {
    pub(super) fn admit(&mut self, now: Now, leg: LegId, audible: Audible) {
        self.change_conference(now, |conference| conference.admit(leg, audible));
        if let Some(session) = find(&mut self.sessions, leg) {
            session.watch(now.mono);
        }
        self.run_clock(now);
    }

    /// For the ear of one who takes part.
    pub(super) fn tell(&mut self, leg: LegId, audio: Arc<[i16]>) {
        if let State::Joined(joined) = &mut self.state
            && let Some(conference) = &mut joined.conference
        {
            conference.tell(leg, audio);
        }
    }

    /// Whoever takes part beside the two leaves.
    pub(super) fn dismiss(&mut self, now: Now, leg: LegId) {
        let State::Joined(joined) = &self.state else { return };
        if joined.conference.as_ref().is_some_and(|conference| conference.has(leg)) {
            self.change_conference(now, |conference| conference.leave(leg));
        }
    }

    /// Crossings are left alone unless one of the two hears a mix from now on, or no longer.
    fn change_conference(&mut self, now: Now, change: impl FnOnce(&mut Conference)) {
        let State::Joined(joined) = &mut self.state else { return };
        let mixes = |joined: &Joined| [true, false].map(|caller| joined.hears_a_mix(caller));
        let before = mixes(joined);
        let conference = joined.conference.get_or_insert_with(|| Box::new(Conference::new(now.mono)));
        change(conference);
        conference.keep([joined.caller, joined.agent]);
        let changed = mixes(joined) != before;
        if let Some(over) = joined.conference.take_if(|conference| conference.is_empty()) {
            self.counters.add_buffered(over.counts());
        }
        if changed {
            self.end_crossings();
        }
        self.note_hold(now);
    }

    /// Sends every mix that is due. While a prompt is played, caller and agent hear that; whoever takes part hears all of it.
    pub(super) fn run_conference(&mut self, now: Now) {
        let State::Joined(joined) = &mut self.state else { return };
        let Joined { caller, agent, sound, parked, muted, tap, conference: Some(conference), .. } = &mut **joined
        else {
            return;
        };
        let (caller, agent, apart) = (*caller, *agent, parked.is_some());
        let holding: Vec<LegId> = self.sessions.iter().filter(|s| s.holds()).map(|s| s.leg).collect();
        let thirds = conference.thirds();
        let shared = |leg: LegId| thirds.iter().any(|t| t.leg == leg && t.audible == Audible::All);
        let told = |leg: LegId| thirds.iter().any(|t| t.leg == leg && t.audible != Audible::Nobody);
        let speaks = |leg: LegId| !holding.contains(&leg);
        let agent_speaks = |leg: LegId| leg == agent && !apart && speaks(agent);
        let to_agent = !apart && conference.reaches_agent() && matches!(sound, Sound::Relay);
        let to_caller =
            !apart && conference.reaches_caller() && !matches!(sound, Sound::Playing(_) | Sound::Warning(_));
        while let Some((at, prompt)) = conference.next_frame(now.mono) {
            if let Some(session) = find(&mut self.sessions, caller).filter(|_| to_caller) {
                let others = conference.sum(|leg| shared(leg) && speaks(leg));
                let mut sum = conference.sum(|leg| agent_speaks(leg) && !*muted);
                sum.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
                let sent = conference.send(session, at, &sum, &mut self.scratch.outbox);
                if let (true, Some(tap)) = (sent, tap.as_mut()) {
                    tap.played(at, &conference.kept(&others));
                }
            }
            if let Some(session) = find(&mut self.sessions, agent).filter(|_| to_agent) {
                let sum = conference.sum(|leg| (leg == caller || told(leg)) && speaks(leg));
                conference.send(session, at, &sum, &mut self.scratch.outbox);
            }
            for third in &thirds {
                let Some(session) = find(&mut self.sessions, third.leg) else { continue };
                let keeps = *muted && third.audible == Audible::All;
                let hears = |leg: LegId| (leg == caller || shared(leg)) && leg != third.leg && speaks(leg);
                let mut sum = conference.sum(|leg| hears(leg) || (agent_speaks(leg) && !keeps));
                sum.iter_mut().zip(prompt).for_each(|(sum, sample)| *sum += i32::from(sample));
                sum.iter_mut().zip(conference.told(third.leg)).for_each(|(sum, sample)| *sum += i32::from(sample));
                conference.send(session, at, &sum, &mut self.scratch.outbox);
            }
        }
    }
}

impl Counters {
    pub(super) fn add_buffered(&mut self, counts: Buffered) {
        self.late += counts.late;
        self.discarded += counts.discarded;
        self.expanded += counts.expanded;
    }
}

impl Joined {
    /// Whether the caller (else the agent) hears more than the other one.
    pub(super) fn hears_a_mix(&self, caller: bool) -> bool {
        let reaches = |conference: &Conference| match caller {
            true => conference.reaches_caller(),
            false => conference.reaches_agent(),
        };
        self.conference.as_ref().is_some_and(|conference| reaches(conference))
    }

    pub(super) fn hear_in_conference(&mut self, leg: LegId, arrival: Instant, accepted: &Accepted<'_>) {
        let joined = self.across(leg).is_some();
        if let Some(conference) = self.conference.as_mut().filter(|conference| joined || conference.has(leg)) {
            conference.hear(leg, arrival, accepted);
        }
    }

    /// Two are joined anew: one of them may have taken part beside the others, who was the last one then.
    pub(super) fn seat(&mut self, pair: [LegId; 2]) -> Option<Box<Conference>> {
        if let Some(conference) = &mut self.conference {
            pair.into_iter().for_each(|leg| conference.leave(leg));
            conference.keep(pair);
        }
        self.conference.take_if(|conference| conference.is_empty())
    }
}
