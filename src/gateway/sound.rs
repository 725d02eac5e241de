//! Media of the calls: ports, offers and answers, and what the media threads report.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::book::{LegMedia, PortLink, Role};
use super::{Gateway, Output};
use crate::call::fact::KeyPath;
use crate::call::leg::{Beside, Callee, Input, Media};
use crate::clock::Now;
use crate::ids::{CallId, LegId, Side};
use crate::limits;
use crate::media::keying::{self, Part};
use crate::media::negotiate::{self, Local, Peer};
use crate::media::{self, Codec, Command};
use crate::protocol::sip::endpoint::SessionId;

/// Ports tried for one leg before it counts as failed: another program may hold a few of ours.
const BIND_TRIES: u32 = 5;

/// The payload type that we give telephone events when the offer is ours.
const TELEPHONE_EVENT: u8 = 101;
/// RFC 3551 section 6: from here on the numbers have no meaning of their own.
const FIRST_DYNAMIC: u8 = 96;

impl Gateway {
    /// Reserves a port pair beside `listener` and orders it opened. `None`: the range is exhausted.
    pub(super) fn open_leg(&mut self, now: Now, call: CallId, role: &Role, listener: SocketAddr) -> Option<LegMedia> {
        let port = self.ports.take(now.mono)?;
        self.next_leg += 1;
        let leg = LegId(self.next_leg);
        let rtp = SocketAddr::new(listener.ip(), port);
        let session = u64::from(self.random.u32());
        let srtp = self.settings.media.srtp(role);
        let master = keying::fresh(&mut self.random);
        let local = Local { rtp, advertise: self.settings.sip.advertise, session, version: 1, srtp, master };
        self.by_leg.insert(leg, PortLink { role: role.clone(), port, left: None });
        self.outputs.push_back(Output::Media(Command::Open { call, leg, side: role.side(), local: rtp }));
        Some(LegMedia { leg, local, failed_binds: 0, closing: false, awaits_answer: false, holds: 0 })
    }

    /// Our address for the media of a leg: that of its signalling or, where SIP by one IP version describes media by the other, a
    /// listening one of that.
    pub(super) fn media_address(&self, signalling: SocketAddr, peer: Option<&Peer>) -> SocketAddr {
        let others = self.settings.sip.listen.iter().map(|(_, address)| *address);
        let fits = |ours: &SocketAddr| peer.is_none_or(|peer| peer.is_reached_from(ours.ip()));
        std::iter::once(signalling).chain(others).find(fits).unwrap_or(signalling)
    }

    /// An offer that begins a leg, and our address for its media.
    pub(super) fn offered(
        &self,
        role: &Role,
        signalling: SocketAddr,
        body: &[u8],
    ) -> (Result<Peer, negotiate::Refusal>, SocketAddr) {
        let read = self.settings.media.read(role, Part::Offer, body);
        let ours = self.media_address(signalling, read.as_ref().ok());
        (read.and_then(|peer| peer.reached_from(ours.ip())), ours)
    }

    pub(super) fn handle_media(&mut self, now: Now, event: media::Event) {
        use media::Event as E;
        match event {
            E::Bound { call, leg } => self.leg_ready(now, call, leg),
            E::BindFailed { call, leg, error } => self.bind_failed(now, call, leg, &error),
            E::FirstPacket { call, leg, at } => self.heard_of(call, leg, at, |side| Media::FirstPacket { side }),
            E::RingbackStarted { call, at, .. } => {
                self.inputs.push_back((call, at, Input::Media(Media::RingbackStarted)));
            }
            E::Silent { call, leg, at } => {
                self.beside_does(call, leg, at, Beside::FallsSilent);
                self.heard_of(call, leg, at, |side| Media::Silent { side });
            }
            E::Resumed { call, leg, at } => {
                self.beside_does(call, leg, at, Beside::IsHeard);
                self.heard_of(call, leg, at, |side| Media::Resumed { side });
            }
            E::OneWay { call, leg, by, lasted, at } => {
                self.heard_of(call, leg, at, |side| Media::OneWay { side, by, lasted })
            }
            E::OneWayEnded { call, leg, by, at } => {
                self.heard_of(call, leg, at, |side| Media::OneWayEnded { side, by })
            }
            E::Upset { call, leg, upset, at } => self.heard_of(call, leg, at, |side| Media::Upset { side, upset }),
            E::Rested { call, leg, lasted, at } => self.heard_of(call, leg, at, |side| Media::Rested { side, lasted }),
            E::Voice { call, leg, live, .. } => {
                tracing::debug!(%call, leg = leg.0, ?live, snr_db = live.snr_db(), "a voice begins or has ended");
            }
            E::Heard { call, caller, agent, at } => {
                self.inputs.push_back((call, at, Input::Media(Media::Heard { caller, agent })));
            }
            E::PlayStarted { call, play, at } => {
                self.inputs.push_back((call, at, Input::Media(Media::PlayStarted { play })));
            }
            E::PlayEnded { call, play, at, to_end } => {
                self.inputs.push_back((call, at, Input::Media(Media::PlayEnded { play, to_end })));
            }
            E::Key { call, leg, key, duration, at } => {
                if let Some(role) = self.by_leg.get(&leg).map(|link| link.role.clone()) {
                    let pressed = Input::Key { side: role.side(), key, duration, via: KeyPath::Rtp };
                    let input = self.of_whom(call, &role, pressed);
                    self.inputs.extend(input.map(|input| (call, at, input)));
                }
            }
            E::Blanked { call, on, at } => self.inputs.push_back((call, at, Input::Media(Media::Blanked { on }))),
            E::Interval { call, leg, at, line } => self.heard_of(call, leg, at, |side| Media::Interval { side, line }),
            E::Measured { call, leg, heard } => {
                if let Some(PortLink { left: Some(measured), .. }) = self.by_leg.get_mut(&leg) {
                    *measured = Some(heard);
                } else if let Some(side) = self.side_of(call, leg) {
                    self.inputs.push_back((call, now, Input::Media(Media::Measured { side, heard })));
                }
            }
            E::Closed { call, leg, received } => {
                let side = self.side_of(call, leg);
                let Some(link) = self.by_leg.remove(&leg) else { return };
                self.ports.free(link.port, now.mono);
                let input = match (&link.role, link.left) {
                    (Role::Agent { attempt, .. }, Some(heard)) => Input::LegLeft { attempt: *attempt, received, heard },
                    _ => match side {
                        Some(side) => Input::Media(Media::Closed { side, received }),
                        None => return,
                    },
                };
                self.inputs.push_back((call, now, input));
            }
        }
    }

    /// What is to be said of whoever has this leg, if anybody.
    fn heard_of(&mut self, call: CallId, leg: LegId, at: Now, what: impl FnOnce(Side) -> Media) {
        if let Some(side) = self.side_of(call, leg) {
            self.inputs.push_back((call, at, Input::Media(what(side))));
        }
    }

    /// Whose media a leg's is. `None`: nobody's who talks; a phone that was rung in vain may have sent something too, and
    /// the call must not take it for the agent's.
    fn side_of(&self, call: CallId, leg: LegId) -> Option<Side> {
        let PortLink { role, left: None, .. } = self.by_leg.get(&leg)? else { return None };
        if let Role::Agent { attempt, .. } = role {
            let attempt = self.calls.get(&call)?.attempts.get(attempt)?;
            return (!attempt.beside && (attempt.bridged || !attempt.released)).then_some(Side::Agent);
        }
        Some(role.side())
    }

    fn leg_ready(&mut self, now: Now, call: CallId, leg: LegId) {
        let input = match self.by_leg.get(&leg).map(|link| &link.role) {
            Some(Role::Caller) => Input::CallerReady,
            Some(Role::Agent { attempt, .. }) => Input::AgentReady { attempt: *attempt },
            None => return,
        };
        self.inputs.push_back((call, now, input));
    }

    fn bind_failed(&mut self, now: Now, call: CallId, leg: LegId, error: &str) {
        let Some(PortLink { role, port, .. }) = self.by_leg.remove(&leg) else { return };
        self.ports.free(port, now.mono);
        self.ports.scatter(&mut self.random);
        tracing::warn!(%call, %error, "an RTP port could not be opened");
        let Some(old) = self.calls.get_mut(&call).and_then(|e| e.media_mut(&role)).cloned() else { return };
        let again =
            (old.failed_binds + 1 < BIND_TRIES).then(|| self.open_leg(now, call, &role, old.local.rtp)).flatten();
        match (again, self.calls.get_mut(&call).and_then(|e| e.media_mut(&role))) {
            (Some(new), Some(media)) => *media = LegMedia { failed_binds: old.failed_binds + 1, ..new },
            _ => self.leg_not_ready(now, call, &role),
        }
    }

    pub(super) fn leg_not_ready(&mut self, now: Now, call: CallId, role: &Role) {
        let input = match role {
            Role::Caller => Input::CallerNotReady,
            Role::Agent { attempt, .. } => Input::AgentNotReady { attempt: *attempt },
        };
        self.inputs.push_back((call, now, input));
    }

    /// Orders one leg closed, once.
    pub(super) fn close_leg(&mut self, call: CallId, role: &Role) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let had_the_caller = match role {
            Role::Agent { attempt, .. } => entry.attempts.get(attempt).is_some_and(|a| a.bridged),
            Role::Caller => false,
        };
        let Some(media) = entry.media_mut(role) else { return };
        if !media.closing {
            media.closing = true;
            let leg = media.leg;
            if let Some(link) = self.by_leg.get_mut(&leg).filter(|_| had_the_caller) {
                link.left = Some(None);
            }
            self.outputs.push_back(Output::Media(Command::CloseLeg { leg }));
        }
    }

    /// The offer to a phone: the caller's codecs in the caller's order, then all others that we carry.
    pub(super) fn agent_offer(&self, caller: Option<&Peer>, local: &Local) -> Vec<u8> {
        let (first, event) = match caller {
            Some(peer) => (peer.codecs.as_slice(), peer.telephone_event),
            None => (&[][..], Some(TELEPHONE_EVENT)),
        };
        // A caller may number events as one of our static codecs; in our offer that number is taken.
        let event = event.map(|number| if number >= FIRST_DYNAMIC { number } else { TELEPHONE_EVENT });
        negotiate::offer(local, &self.settings.media.preferring(first.iter().map(|(codec, _)| *codec)), event)
    }

    /// The phone's 2xx: its answer fixes the codec of its leg. False if it has no media that we can carry.
    pub(super) fn agent_answer(&mut self, id: CallId, attempt: u32, body: &[u8], source: SocketAddr) -> bool {
        let Some(agent) = self.calls.get(&id).and_then(|e| e.attempts.get(&attempt)).map(|a| a.agent.clone()) else {
            return false;
        };
        let role = Role::Agent { attempt, agent };
        let locked = self.is_locked(id, &role);
        let Some(a) = self.calls.get_mut(&id).and_then(|e| e.attempts.get_mut(&attempt)) else { return false };
        let agreed = a.media.as_ref().map(|media| media.local).and_then(|local| {
            let peer = self.settings.media.read_at(&local, &role, Part::Answer, body).ok()?;
            let (codec, _) = *peer.codecs.first()?;
            Some((peer, codec, local))
        });
        let Some((peer, codec, local)) = agreed else {
            tracing::warn!(call = %id, callee = %a.agent, "the phone answered without media that we can carry");
            return false;
        };
        let remote = peer.remote_of(&local, codec, also(locked, source.ip()));
        a.codec = Some(codec);
        a.source = Some(source);
        a.peer = Some(peer);
        if let Some(media) = &a.media {
            self.outputs.push_back(Output::Media(Command::Remote { leg: media.leg, remote }));
        }
        true
    }

    /// The same of a caller who is called back.
    pub(super) fn called_answer(&mut self, id: CallId, body: &[u8], source: SocketAddr) -> bool {
        let locked = self.is_locked(id, &Role::Caller);
        let Some(caller) = self.calls.get_mut(&id).map(|entry| &mut entry.caller) else { return false };
        let Some(media) = &caller.media else { return false };
        let read = self.settings.media.read_at(&media.local, &Role::Caller, Part::Answer, body).ok();
        let Some((peer, codec)) = read.and_then(|peer| peer.codecs.first().map(|(codec, _)| *codec).map(|c| (peer, c)))
        else {
            return false;
        };
        let remote = peer.remote_of(&media.local, codec, also(locked, source.ip()));
        self.outputs.push_back(Output::Media(Command::Remote { leg: media.leg, remote }));
        (caller.codec, caller.peer) = (Some(codec), Some(peer));
        true
    }

    /// The answer to the caller's offer before any agent's, for the 183: the caller's first codec. The ringing tone follows.
    pub(super) fn early_answer(&mut self, id: CallId, burst: Duration, period: Duration) -> Option<Vec<u8>> {
        let locked = self.is_locked(id, &Role::Caller);
        let caller = &mut self.calls.get_mut(&id)?.caller;
        let (peer, media) = (caller.peer.as_ref()?, caller.media.as_ref()?);
        let (codec, _) = *peer.codecs.first()?;
        caller.codec = Some(codec);
        let remote = peer.remote_of(&media.local, codec, also(locked, caller.flow.remote.ip()));
        let leg = media.leg;
        self.outputs.push_back(Output::Media(Command::Remote { leg, remote }));
        self.outputs.push_back(Output::Media(Command::Ringback { leg, burst, period }));
        Some(negotiate::answer(&media.local, peer, codec))
    }

    /// Our SDP in the 200 to the caller: the answer to the offer, or our offer if there was none. It speaks the agent's
    /// codec if the caller can, else the caller's first, and the bridge transcodes.
    pub(super) fn caller_answer(&mut self, id: CallId, attempt: u32) -> Option<Vec<u8>> {
        let agents = self.calls.get(&id)?.attempts.get(&attempt)?.codec?;
        self.answer_speaking(id, Some(agents))
    }

    /// The same, with nobody on the other side yet: the caller's first codec.
    pub(super) fn lone_answer(&mut self, id: CallId) -> Option<Vec<u8>> {
        self.answer_speaking(id, None)
    }

    fn answer_speaking(&mut self, id: CallId, wished: Option<Codec>) -> Option<Vec<u8>> {
        let locked = self.is_locked(id, &Role::Caller);
        let caller = &mut self.calls.get_mut(&id)?.caller;
        let media = caller.media.as_mut()?;
        let Some(peer) = &caller.peer else {
            media.awaits_answer = true;
            let codecs = self.settings.media.preferring(wished);
            return Some(negotiate::offer(&media.local, &codecs, Some(TELEPHONE_EVENT)));
        };
        if let Some(early) = caller.codec {
            // What the 183 said stays true (RFC 3261 section 13.2.1).
            return Some(negotiate::answer(&media.local, peer, early));
        }
        let codec = peer.keeping(wished);
        let remote = peer.remote_of(&media.local, codec, also(locked, caller.flow.remote.ip()));
        caller.codec = Some(codec);
        self.outputs.push_back(Output::Media(Command::Remote { leg: media.leg, remote }));
        Some(negotiate::answer(&media.local, peer, codec))
    }

    /// The ACK of a 2xx of ours that made the offer brings the answer. A call that never had media of the caller is over
    /// without it (RFC 3261 section 13.2.2.4 says so for the other side); a re-INVITE leaves things as they were.
    pub(super) fn take_late_answer(&mut self, id: CallId, role: &Role, body: &[u8]) -> Option<Input> {
        let entry = self.calls.get_mut(&id)?;
        let media = entry.media_mut(role)?;
        if !std::mem::take(&mut media.awaits_answer) {
            return None;
        }
        match self.settings.media.read_at(&media.local, role, Part::Answer, body) {
            Ok(peer) => self.change_peer(id, role, peer),
            Err(refusal) => {
                tracing::warn!(call = %id, %refusal, "an ACK brought no usable media");
                let without = entry.said_mut(role).is_some_and(|said| said.peer.is_none());
                without.then(|| Input::Lost { side: role.side() })
            }
        }
    }

    /// The answer to an offer that we made within the session.
    pub(super) fn take_reanswer(&mut self, id: CallId, role: &Role, body: &[u8]) -> Option<Input> {
        if body.is_empty() {
            return None;
        }
        let ours = self.calls.get_mut(&id)?.media_mut(role)?.local;
        match self.settings.media.read_at(&ours, role, Part::Answer, body) {
            Ok(peer) => self.change_peer(id, role, peer),
            Err(refusal) => {
                tracing::warn!(call = %id, %refusal, "a 2xx brought no usable media; the call goes on as it was");
                None
            }
        }
    }

    /// The offer that we had asked a peer for, in its 2xx: the ACK brings our answer.
    pub(super) fn answer_in_ack(&mut self, id: CallId, session: SessionId, role: &Role, body: &[u8]) -> Option<Input> {
        let (answer, change) = self.answer_reoffer(id, role, body).unwrap_or_default();
        self.endpoint.acknowledge(session, answer);
        change
    }

    /// Our offer in the first 18x, if the caller made none and demands to acknowledge it (RFC 3261 section 13.2.1).
    pub(super) fn early_offer(&mut self, id: CallId) -> Vec<u8> {
        let Some(caller) = self.calls.get_mut(&id).map(|e| &mut e.caller) else { return Vec::new() };
        let asked =
            caller.peer.is_none() && caller.session.is_some_and(|session| self.endpoint.rings_reliably(session));
        match &mut caller.media {
            Some(media) if asked => {
                media.awaits_answer = true;
                negotiate::offer(&media.local, &self.settings.media.codecs, Some(TELEPHONE_EVENT))
            }
            _ => Vec::new(),
        }
    }

    /// A re-INVITE or UPDATE: answered here, toward this leg alone. `Some` if it begins or ends a hold.
    pub(super) fn reoffer(
        &mut self,
        now: Now,
        id: CallId,
        session: SessionId,
        role: &Role,
        body: &[u8],
    ) -> Option<Input> {
        let Some((answer, change)) = self.answer_reoffer(id, role, body) else {
            self.endpoint.reject_reoffer(now.mono, session, 488);
            return None;
        };
        self.endpoint.accept_reoffer(now.mono, session, answer);
        change
    }

    pub(super) fn answer_reoffer(&mut self, id: CallId, role: &Role, body: &[u8]) -> Option<(Vec<u8>, Option<Input>)> {
        let entry = self.calls.get_mut(&id)?;
        let said = entry.said_mut(role)?;
        let (codec, held) = (*said.codec, *said.held);
        let media = entry.media_mut(role)?;
        if body.is_empty() {
            media.local.version += 1;
            media.awaits_answer = true;
            return Some((
                negotiate::offer(&media.local, &self.settings.media.preferring(codec), Some(TELEPHONE_EVENT)),
                None,
            ));
        }
        let peer = self.settings.media.read_at(&media.local, role, Part::Offer, body).ok()?;
        if peer.holds() && !held && media.holds >= limits::HOLDS {
            return None;
        }
        media.local.version += 1;
        let answer = negotiate::answer(&media.local, &peer, peer.keeping(codec));
        Some((answer, self.change_peer(id, role, peer)))
    }

    /// From now on the media of this leg is what its peer has just said; its codec stays if the peer still has it.
    /// `Some` if that begins or ends a hold.
    fn change_peer(&mut self, id: CallId, role: &Role, new: Peer) -> Option<Input> {
        let locked = self.is_locked(id, role);
        let entry = self.calls.get_mut(&id)?;
        let signalling = also(locked, entry.signalling(role)?);
        let media = entry.media_mut(role)?;
        let (leg, local, room) = (media.leg, media.local, media.holds < limits::HOLDS);
        let said = entry.said_mut(role)?;
        // One that could not be refused, because an answer of the peer's made it, is no news either.
        let (codec, now_held) = (new.keeping(*said.codec), new.holds() && (room || *said.held));
        let remote = new.remote_of(&local, codec, signalling);
        (*said.codec, *said.peer) = (Some(codec), Some(new));
        let before = std::mem::replace(said.held, now_held);
        if now_held && !before {
            entry.media_mut(role).into_iter().for_each(|media| media.holds += 1);
        }
        self.outputs.push_back(Output::Media(Command::Remote { leg, remote }));
        (before != now_held).then(|| Input::Held { by: role.side(), held: now_held })
    }

    /// A leg of a trunk's that is not said to be behind a NAT: nothing but its SDP says where its media comes from.
    fn is_locked(&self, id: CallId, role: &Role) -> bool {
        let trunks = &self.settings.trunks;
        let trunk = match role {
            Role::Caller => {
                let called = self.trunks.legs.line_of((id, super::outbound::CALLER));
                let line = called.or_else(|| self.trunk_of(&self.calls.get(&id)?.caller.flow));
                line.and_then(|line| trunks.get(line))
            }
            Role::Agent { agent: Callee::Target(name), .. } => {
                let target = self.settings.targets.iter().find(|target| target.name == *name);
                target.and_then(|target| trunks.iter().find(|trunk| trunk.name == target.trunk))
            }
            Role::Agent { agent: Callee::Agent(_), .. } => None,
        };
        trunk.is_some_and(|trunk| !trunk.nat)
    }

    /// The order that begins the media of a caller who is with nobody.
    pub(super) fn attend(&self, id: CallId, connected: Now) -> Option<Command> {
        let entry = self.calls.get(&id)?;
        let caller = entry.caller.media.as_ref()?.leg;
        Some(Command::Attend { call: id, caller, connected, record: entry.call.is_recorded() })
    }

    /// The order that joins the two legs.
    pub(super) fn bridge(&self, id: CallId, attempt: u32, connected: Now) -> Option<Command> {
        let entry = self.calls.get(&id)?;
        let caller = entry.caller.media.as_ref()?.leg;
        let agent = entry.attempts.get(&attempt)?.media.as_ref()?.leg;
        debug_assert_eq!(self.by_leg.get(&caller).map(|l| l.role.side()), Some(Side::Caller));
        Some(Command::Bridge { call: id, caller, agent, connected, record: entry.call.is_recorded() })
    }
}

/// Where media may come from beside the address of the SDP. A trunk on this very machine names the address of a network card in
/// its SDP and sends from the loopback, as nobody else can.
fn also(locked: bool, signalling: IpAddr) -> Option<IpAddr> {
    (!locked || signalling.to_canonical().is_loopback()).then_some(signalling)
}
