//! Orders that change what is recorded, told or cued, and not who hears whom.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Bridge, Joined, Recorded, Sound, State, find, moment};
use crate::clock::Now;
use crate::ids::CallId;
use crate::media::beep;
use crate::media::blanking::Told;
use crate::media::playout::Playout;
use crate::media::session::Session;
use crate::media::tap::Tap;
use crate::media::{Command, Event};

impl Bridge {
    /// What may not be heard in the recording.
    pub(super) fn privacy(&mut self, now: Now, command: &Command) {
        let State::Joined(joined) = &mut self.state else { return };
        let told = match command {
            Command::Pause { paused: true, at, .. } => {
                joined.blanking.pause(at.mono);
                None
            }
            Command::Pause { paused: false, at, .. } => {
                joined.blanking.resume(at.mono);
                None
            }
            Command::GuardKeys { after, .. } => joined.blanking.guard(now.mono, Some(*after)),
            Command::Keyed { at, .. } => joined.blanking.key(at.mono),
            _ => {
                // Scripts may go on listening.
                if std::mem::replace(&mut joined.recorded, false) {
                    self.recorded.push_back(Recorded::Forget { call: self.call });
                }
                joined.tap.take_if(|_| !joined.listened);
                None
            }
        };
        tell_blanked(told, now, self.call, &mut self.events);
    }

    /// What is heard of the two is told, recorded or not.
    pub(super) fn listen(&mut self, now: Now) {
        let wide = self.sessions.iter().any(Session::is_wideband);
        let State::Joined(joined) = &mut self.state else { return };
        joined.listened = true;
        let call = self.call;
        joined.tap.get_or_insert_with(|| Tap::new(call, now.mono, wide)).listen();
    }

    /// For the agent's ear alone.
    pub(super) fn cue(&mut self, now: Now, audio: Arc<[i16]>) {
        let State::Joined(joined) = &self.state else { return };
        if joined.parked.is_some() || matches!(joined.sound, Sound::Playing(_)) {
            return;
        }
        self.end_play(now, false);
        self.end_crossings();
        if let State::Joined(joined) = &mut self.state {
            joined.sound = Sound::Cueing(Playout::cue(audio, now.mono));
        }
        self.run_clock(now);
    }

    /// Both are told, beside their voices, that they are recorded.
    pub(super) fn warn(&mut self, now: Now) {
        let State::Joined(joined) = &self.state else { return };
        let busy = joined.muted || joined.hold.is_some() || joined.parked.is_some() || joined.conference.is_some();
        if busy || !joined.recorded || !matches!(joined.sound, Sound::Relay) {
            return;
        }
        self.end_crossings();
        if let State::Joined(joined) = &mut self.state {
            let tone = || Playout::cue(beep::warning(), now.mono);
            joined.sound = Sound::Warning(Box::new([tone(), tone()]));
        }
        self.run_clock(now);
    }

    pub(super) fn run_warning(&mut self, now: Now) {
        let State::Joined(joined) = &mut self.state else { return };
        let Joined { caller, agent, sound: Sound::Warning(both), tap, .. } = &mut **joined else { return };
        for (playout, hearer) in both.iter_mut().zip([*agent, *caller]) {
            playout.wake(now.mono);
            while let Some(frame) = playout.frame(now.mono) {
                let session = find(&mut self.sessions, hearer);
                // Whoever hears is the agent of a playout; the caller's half is the tone alone.
                let heard = session.is_some_and(|s| s.play(frame.at, &playout.agent(&frame), &mut self.scratch.outbox));
                if let (true, true, Some(tap)) = (heard, hearer == *caller, tap.as_mut()) {
                    tap.played(frame.at, &frame.caller);
                }
            }
        }
        if both.iter().all(|playout| playout.is_over(now.mono)) {
            let at = moment(now, both[0].deadline());
            self.end_play(at, true);
        }
    }

    pub(super) fn end_warning(&mut self, now: Now) {
        if let State::Joined(joined) = &self.state
            && matches!(joined.sound, Sound::Warning(_))
        {
            self.end_play(now, false);
        }
    }
}

pub(super) fn tell_blanked(told: Option<Told>, now: Now, call: CallId, events: &mut VecDeque<Event>) {
    events.extend(told.map(|told| match told {
        Told::Begun(at) => Event::Blanked { call, on: true, at: moment(now, at) },
        Told::Ended(at) => Event::Blanked { call, on: false, at: moment(now, at) },
    }));
}
