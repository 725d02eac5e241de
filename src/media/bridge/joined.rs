//! Two legs that are joined: what they are to each other right now, and what is due next.

use std::collections::VecDeque;

use super::{Joined, Sound, find, moment};
use crate::clock::{Instant, Now};
use crate::ids::{CallId, LegId};
use crate::media::Event;
use crate::media::decoded;
use crate::media::jitter_buffer::Buffered;
use crate::media::session::Session;

impl Joined {
    /// Each hears the other and nothing else, packet by packet as they come.
    pub(super) fn is_steady(&self) -> bool {
        matches!(self.sound, Sound::Relay)
            && self.crossings.iter().all(Option::is_none)
            && self.hold.is_none()
            && self.parked.is_none()
            && self.ringback.is_none()
            && self.conference.is_none()
    }

    pub(super) fn deadline(&self) -> Option<(Instant, &'static str)> {
        let sound = match &self.sound {
            Sound::Relay => {
                let due = self.crossings.iter().flatten().filter_map(|crossing| crossing.deadline()).min();
                due.map(|at| (at, "crossing"))
            }
            Sound::Playing(playout) | Sound::Cueing(playout) => {
                let play = Some((playout.deadline(), "play"));
                let due = self.crossings.iter().flatten().filter_map(|crossing| crossing.deadline()).min();
                due.map(|at| (at, "crossing")).into_iter().chain(play).min()
            }
            Sound::Warning(both) => both.iter().map(|playout| (playout.deadline(), "warning")).min(),
        };
        let hold = self.hold.as_ref().map(|hold| (hold.deadline(), "hold"));
        let relays = matches!(self.sound, Sound::Relay);
        let ringback = self.ringback.as_ref().filter(|_| relays).map(|tone| (tone.deadline(), "ringback"));
        let conference = self.conference.as_ref().map(|conference| (conference.deadline(), "conference"));
        sound.into_iter().chain(hold).chain(ringback).chain(conference).chain(self.blanking.deadline()).min()
    }

    /// What the one-way watch may expect of the two.
    pub(super) fn expect(&mut self, now: Instant, sessions: &[Session]) {
        let there = |leg: LegId| sessions.iter().any(|s| s.leg == leg && s.is_expected());
        let both = self.parked.is_none() && self.hold.is_none() && there(self.caller) && there(self.agent);
        self.one_way.expect(now, both, !matches!(self.sound, Sound::Playing(_)));
    }

    pub(super) fn tell_one_way(&mut self, now: Now, events: &mut VecDeque<Event>, call: CallId) {
        while let Some(told) = self.one_way.poll() {
            let (leg, by, at) = ([self.caller, self.agent][told.leg], told.by, moment(now, told.at));
            events.push_back(match told.lasted {
                Some(lasted) => Event::OneWay { call, leg, by, lasted, at },
                None => Event::OneWayEnded { call, leg, by, at },
            });
        }
    }

    /// Forgets what is being decoded and coded anew; what it counted is given back.
    pub(super) fn end_crossings(&mut self, sessions: &mut [Session]) -> Buffered {
        let mut sum = Buffered::default();
        for (crossing, speaker) in self.crossings.iter_mut().zip([self.agent, self.caller]) {
            let Some(crossing) = crossing.take() else { continue };
            let counts = crossing.counts();
            if let Some(session) = find(sessions, speaker) {
                session.add_decoded(&decoded::crossed(counts, crossing.concealed()));
            }
            sum.add(counts);
        }
        sum
    }

    /// What the recording made of the sound of the two goes to their account.
    pub(super) fn settle(&mut self, sessions: &mut [Session]) {
        let Some(tap) = &mut self.tap else { return };
        for (settled, speaker) in tap.settle().into_iter().zip([self.caller, self.agent]) {
            if let Some(session) = find(sessions, speaker) {
                session.add_decoded(&decoded::recorded(settled));
            }
        }
    }

    pub(super) fn across(&self, leg: LegId) -> Option<LegId> {
        match leg {
            _ if leg == self.caller => Some(self.agent),
            _ if leg == self.agent => Some(self.caller),
            _ => None,
        }
    }
}
