//! A packet of somebody who is joined: where it goes.

use super::{Joined, Sound, find};
use crate::clock::Instant;
use crate::ids::LegId;
use crate::media::crossing::Crossing;
use crate::media::session::{Accepted, Kind, Session};
use crate::media::tap::Tapped;
use crate::media::transmit::Outbox;

impl Joined {
    /// A packet of one of the two goes to the recording and to the other one.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        leg: LegId,
        arrival: Instant,
        accepted: &Accepted<'_>,
        sessions: &mut [Session],
        outbox: &mut Outbox,
    ) {
        self.hear_in_conference(leg, arrival, accepted);
        let Some(across) = self.across(leg) else { return };
        let is_caller = leg == self.caller;
        if self.parked.is_some() && !is_caller {
            return;
        }
        let number = accepted.packet.header.sequence;
        self.one_way.packet(usize::from(!is_caller), arrival, number, accepted.kind == Kind::Noise);
        let muted = self.muted && !is_caller;
        let held = self.hold.as_mut().filter(|hold| hold.by == leg && !muted);
        // Comfort noise is no music: whoever hears only that takes the line for dead.
        let instead = held.is_some() && accepted.kind == Kind::Noise;
        if let (Some(hold), false) = (held, instead) {
            hold.hear(now);
        }
        if let Some(tap) = &mut self.tap {
            let what = match accepted.kind {
                Kind::Audio(codec) => Tapped::Audio(codec),
                Kind::Noise => Tapped::Noise,
                Kind::Event => Tapped::Event,
            };
            match is_caller {
                true => tap.caller(arrival, &accepted.packet, what),
                false => tap.agent(arrival, &accepted.packet, what),
            }
        }
        let mixed = self.hears_a_mix(!is_caller);
        let Some(other) = find(sessions, across).filter(|_| self.parked.is_none()) else { return };
        let relays = match self.sound {
            Sound::Relay => true,
            Sound::Cueing(_) => !is_caller,
            Sound::Playing(_) | Sound::Warning(_) => false,
        };
        let warned = matches!(self.sound, Sound::Warning(_));
        match (&mut self.sound, accepted.kind) {
            (_, Kind::Event) if (relays && mixed) || (!relays && (is_caller || warned)) => {
                other.insert_event(now, accepted, outbox);
            }
            _ if relays && mixed => {}
            _ if relays && (instead || muted || other.is_pressing()) => other.leave_out(accepted),
            _ if relays => self.pass_on(now, arrival, accepted, other, outbox),
            (Sound::Playing(playout) | Sound::Cueing(playout), Kind::Audio(codec)) if is_caller => {
                playout.hear_coded(codec, accepted.packet.payload);
            }
            (Sound::Warning(both), Kind::Audio(codec)) => {
                both[usize::from(!is_caller)].hear_coded(codec, accepted.packet.payload);
            }
            _ => {}
        }
    }

    /// As it came, or decoded and coded anew where the other leg differs.
    fn pass_on(
        &mut self,
        now: Instant,
        arrival: Instant,
        accepted: &Accepted<'_>,
        other: &mut Session,
        outbox: &mut Outbox,
    ) {
        let crossing = &mut self.crossings[usize::from(other.leg == self.agent)];
        match (crossing, accepted.kind) {
            (Some(_), Kind::Event) => other.insert_event(now, accepted, outbox),
            (Some(crossing), _) => crossing.hear(arrival, accepted),
            (crossing, _) if other.needs_crossing(accepted) => {
                let mut begun = Box::new(Crossing::new(other.is_wideband()));
                begun.hear(arrival, accepted);
                *crossing = Some(begun);
            }
            (None, _) => other.relay(now, accepted, outbox),
        }
    }
}
