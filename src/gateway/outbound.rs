//! Calls of ours through a trunk: tried at one target after the other, challenges answered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::book::{Attempt, Entry, Link, Role};
use super::trunks::domain;
use super::{Gateway, Trunk};
use crate::call::fact::RingResult;
use crate::call::leg::{Callee, Input};
use crate::clock::{Instant, Now};
use crate::ids::{CallId, TargetName, TrunkName};
use crate::media::Command;
use crate::peer::account::Challenged;
use crate::peer::registration::host_of;
use crate::peer::route::{Destination, Target};
use crate::protocol::sip::digest::Covered;
use crate::protocol::sip::endpoint::{ByeChallenged, Event, EventKind, Flow, Label, OutgoingInvite, SessionId, Way};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Response;
use crate::protocol::sip::uri::Uri;
use crate::schedule::Schedule;

/// A target that has not even sent 100 by then is passed over: the INVITE was repeated twice, and the next target has it
/// within 2 s.
const FAILOVER: Duration = Duration::from_millis(1_800);

/// The attempt of a call.
type Of = (CallId, u32);

/// In an attempt's place: the leg is the caller's, who is called back. Attempts count from 1.
pub(super) const CALLER: u32 = 0;

/// All calls of ours that are out through trunks.
#[derive(Debug, Default)]
pub(super) struct Legs {
    of: BTreeMap<Of, Leg>,
    failover: Schedule<Of>,
    /// Sessions with targets that were passed over: whatever they still say changes nothing.
    left: BTreeSet<SessionId>,
}

#[derive(Debug)]
struct Leg {
    line: usize,
    uri: Uri,
    /// Where it is tried now, and where after that.
    target: Option<Target>,
    rest: VecDeque<Target>,
    session: Option<SessionId>,
    call_id: String,
    from_tag: String,
    seq: u32,
    offer: Vec<u8>,
    /// Challenges of this target that were answered.
    answered: u32,
    /// The answer to the last one.
    authorization: Option<(Name, String)>,
    /// What the last target said.
    status: Option<u16>,
    /// Our number, which a caller who is called back sees.
    shown: Option<String>,
}

impl Legs {
    /// Through which trunk this leg goes.
    pub(super) fn line_of(&self, of: Of) -> Option<usize> {
        self.of.get(&of).map(|leg| leg.line)
    }

    /// The trunks stand elsewhere in the settings. A leg through one that is gone has no other target to try.
    pub(super) fn move_lines(&mut self, moved: impl Fn(usize) -> Option<usize>) {
        self.of.retain(|_, leg| match moved(leg.line) {
            Some(line) => {
                leg.line = line;
                true
            }
            None => false,
        });
        let gone: Vec<Of> = self.failover.keys().filter(|of| !self.of.contains_key(of)).collect();
        gone.into_iter().for_each(|of| self.failover.set(of, None));
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.failover.next().map(|(at, _)| (at, "next target"))
    }
}

impl Gateway {
    pub(super) fn open_target(&mut self, now: Now, id: CallId, attempt: u32, target: TargetName) {
        let role = Role::Agent { attempt, agent: Callee::Target(target.clone()) };
        let leg = self.prepare(id, &target);
        let listener = leg.as_ref().and_then(|leg| leg.rest.front()).copied();
        let listener = listener.and_then(|t| self.endpoint.listener_for(t.transport, t.address));
        let media = listener.and_then(|l| self.open_leg(now, id, &role, l));
        if let Some(entry) = self.calls.get_mut(&id) {
            entry.attempts.insert(attempt, Attempt::new(Callee::Target(target), media.clone()));
        }
        match (leg, media) {
            (Some(leg), Some(_)) => drop(self.trunks.legs.of.insert((id, attempt), leg)),
            _ => self.leg_not_ready(now, id, &role),
        }
    }

    /// `None`: nobody knows where the trunk is, or it has no place for another call.
    fn prepare(&mut self, id: CallId, target: &TargetName) -> Option<Leg> {
        let target = self.settings.targets.iter().find(|t| t.name == *target)?.clone();
        self.prepare_call(id, &target.trunk, &target.number)
    }

    fn prepare_call(&mut self, id: CallId, trunk: &TrunkName, number: &str) -> Option<Leg> {
        let line = self.settings.trunks.iter().position(|t| t.name == *trunk)?;
        let trunk = &self.settings.trunks[line];
        let server = trunk.way_of_calls()?;
        let uri = Uri::parse(&format!("sip:{number}@{}", domain(&server)))?;
        let destination = Destination::of(&server)?;
        let mut rest: VecDeque<Target> = self.trunks.targets_of_calls(line, &destination).into();
        // Those that no listener of ours leads to are no targets: a machine that has only an IPv6 address, or speaks only TLS.
        rest.retain(|target| self.endpoint.listener_for(target.transport, target.address).is_some());
        if rest.is_empty() || !self.trunks.take_place(line, id) {
            return None;
        }
        Some(Leg {
            line,
            uri,
            target: None,
            rest,
            session: None,
            call_id: self.random.token(),
            from_tag: self.random.token(),
            seq: 0,
            offer: Vec::new(),
            answered: 0,
            authorization: None,
            status: None,
            shown: None,
        })
    }

    /// The way to a caller who is to be called back, who sees this number; where it begins, and its Call-ID.
    pub(super) fn open_way_to_caller(
        &mut self,
        id: CallId,
        trunk: &TrunkName,
        number: &str,
        shown: Option<String>,
    ) -> Option<(Flow, String)> {
        let leg = self.prepare_call(id, trunk, number)?;
        let first = leg.rest.front().copied();
        let local = first.and_then(|to| self.endpoint.listener_for(to.transport, to.address));
        let Some((Target { transport, address: remote, .. }, local)) = first.zip(local) else {
            self.trunks.leave(id);
            return None;
        };
        let call_id = leg.call_id.clone();
        self.trunks.legs.of.insert((id, CALLER), Leg { shown, ..leg });
        Some((Flow { transport, local, remote, connection: None }, call_id))
    }

    pub(super) fn invite_caller(&mut self, now: Now, id: CallId) {
        self.try_next(now, (id, CALLER));
    }

    /// What this attempt's target wants to be keyed now that it has answered.
    pub(super) fn keys_of_target(&self, id: CallId, attempt: u32) -> Option<Command> {
        let attempt = self.calls.get(&id)?.attempts.get(&attempt)?;
        let Callee::Target(name) = &attempt.agent else { return None };
        let target = self.settings.targets.iter().find(|t| t.name == *name && !t.keys.is_empty())?;
        let leg = attempt.media.as_ref()?.leg;
        Some(Command::Press { leg, strokes: Arc::clone(&target.keys) })
    }

    pub(super) fn invite_target(&mut self, now: Now, id: CallId, attempt: u32) {
        self.try_next(now, (id, attempt));
    }

    /// The next target has its chance; with none left, the call hears what the last one said.
    fn try_next(&mut self, now: Now, of: Of) {
        loop {
            let Some(leg) = self.trunks.legs.of.get_mut(&of) else { return };
            leg.target = leg.rest.pop_front();
            (leg.answered, leg.authorization, leg.session) = (0, None, None);
            let status = leg.status;
            if leg.target.is_none() {
                self.trunks.legs.failover.set(of, None);
                let result = RingResult::Unreachable;
                let failed = match of.1 {
                    CALLER => Input::CallerFailed { result, status },
                    attempt => Input::AgentFailed { attempt, result, status },
                };
                return self.inputs.push_back((of.0, now, failed));
            }
            if self.invite_there(now, of).is_some() {
                return;
            }
        }
    }

    fn invite_there(&mut self, now: Now, of: Of) -> Option<()> {
        let (id, attempt) = of;
        let Entry { caller, attempts, .. } = self.calls.get(&id)?;
        let (peer, media) = match attempt {
            CALLER => (attempts.values().find_map(|a| a.peer.as_ref()), caller.media.as_ref()?),
            attempt => (caller.peer.as_ref(), attempts.get(&attempt)?.media.as_ref()?),
        };
        let (shown, max_forwards) = (caller.shown_number.clone(), caller.max_forwards);
        let offer = self.agent_offer(peer, &media.local);
        let line = self.trunks.legs.of.get(&of)?.line;
        let route = self.trunks.route(line).into_iter().map(|route| (Name::ROUTE, route));
        let leg = self.trunks.legs.of.get_mut(&of)?;
        let target = leg.target?;
        leg.seq += 1;
        leg.offer.clone_from(&offer);
        let from = own_address(&self.settings.trunks[line]);
        let way = Way {
            call_id: leg.call_id.clone(),
            from_tag: leg.from_tag.clone(),
            seq: leg.seq,
            from,
            headers: route.chain(leg.authorization.clone()).collect(),
        };
        let caller = if attempt == CALLER { leg.shown.clone() } else { shown };
        let (transport, destination) = (target.transport, target.address);
        let flow = None;
        let call =
            OutgoingInvite { target: leg.uri.clone(), transport, destination, flow, caller, offer, max_forwards };
        let session = self.endpoint.invite_by(now.mono, call, way)?;
        leg.session = Some(session);
        let failover = (!leg.rest.is_empty()).then(|| now.mono + FAILOVER);
        self.trunks.legs.failover.set(of, failover);
        let entry = self.calls.get_mut(&id)?;
        let role = if attempt == CALLER {
            let Flow { local, .. } = entry.caller.flow;
            entry.caller.flow = Flow { transport, local, remote: destination, connection: None };
            entry.caller.session = Some(session);
            Role::Caller
        } else {
            let a = entry.attempts.get_mut(&attempt)?;
            a.forks.replace(session);
            Role::Agent { attempt, agent: a.agent.clone() }
        };
        self.link_phone(id, attempt, role, session);
        Some(())
    }

    pub(super) fn handle_leg_timeouts(&mut self, now: Now) {
        while let Some(of) = self.trunks.legs.failover.pop_due(now.mono) {
            let Some(leg) = self.trunks.legs.of.get_mut(&of) else { continue };
            if let Some(session) = leg.session.take() {
                tracing::info!(call = %of.0, target = ?leg.target.map(|t| t.address), "no answer; the next target is tried");
                self.trunks.legs.left.insert(session);
                self.endpoint.hang_up(now, session);
            }
            self.try_next(now, of);
        }
    }

    /// What concerns only the way through the trunk is settled here; the rest is the call's.
    pub(super) fn on_the_way(&mut self, now: Now, event: Event) -> Option<Event> {
        let session = event.session;
        if self.trunks.legs.left.contains(&session) {
            match event.kind {
                EventKind::Terminated => {
                    self.trunks.legs.left.remove(&session);
                    if let Some(Link { call, role: Role::Agent { attempt, agent }, .. }) =
                        self.by_session.remove(&session)
                    {
                        self.phone_ended(now, call, attempt, &agent);
                    }
                }
                // For the ladder.
                EventKind::Received { .. } => return Some(event),
                _ => {}
            }
            return None;
        }
        let of = match self.by_session.get(&session) {
            Some(Link { call, role: Role::Agent { attempt, agent: Callee::Target(_) }, .. }) => (*call, *attempt),
            Some(Link { call, role: Role::Caller, .. }) => (*call, CALLER),
            _ => return Some(event),
        };
        if self.trunks.legs.of.get(&of).is_none_or(|leg| leg.session != Some(session)) {
            return Some(event);
        }
        match &event.kind {
            EventKind::Received { label: Label::Response(..) } => self.trunks.legs.failover.set(of, None),
            EventKind::Challenged { response, source } => self.answer_challenge(of, response, *source),
            EventKind::Failed { status } if self.go_on(now, of, session, *status) => return None,
            _ => {}
        }
        Some(event)
    }

    fn answer_challenge(&mut self, of: Of, response: &Response, source: SocketAddr) {
        let (random, super::trunks::Trunks { legs, lines, .. }) = (&mut self.random, &mut self.trunks);
        let Some(leg) = legs.of.get_mut(&of) else { return };
        let Some(credentials) = &mut lines[leg.line].credentials else { return };
        let from_asked = leg.target.is_some_and(|t| t.address.ip().to_canonical() == source.ip().to_canonical());
        let covered = Covered { method: "INVITE", uri: leg.uri.as_str(), body: &leg.offer };
        let challenged = Challenged { covered, from_asked, answered: leg.answered };
        leg.authorization = credentials.answer(response, challenged, random);
    }

    /// A carrier that challenges our BYE keeps the call, and whoever pays for it, until it knows whose the BYE is.
    pub(super) fn prove_bye(&mut self, at: Now, session: SessionId, bye: &ByeChallenged) {
        let of_phone = |link: &Link| matches!(&link.role, Role::Agent { agent: Callee::Agent(_), .. });
        let line = self.trunk_of(&bye.asked).filter(|_| !self.by_session.get(&session).is_some_and(of_phone));
        let credentials = line.and_then(|line| self.trunks.lines[line].credentials.as_mut());
        let from_asked = bye.asked.remote.ip().to_canonical() == bye.source.ip().to_canonical();
        let covered = Covered { method: "BYE", uri: &bye.uri, body: b"" };
        let challenged = Challenged { covered, from_asked, answered: bye.answered };
        let proof = credentials.and_then(|own| own.answer(&bye.response, challenged, &mut self.random));
        self.endpoint.bye_again(at, session, proof);
    }

    /// True if the INVITE goes out again: with an answer to the challenge, or elsewhere.
    fn go_on(&mut self, now: Now, of: Of, session: SessionId, status: Option<u16>) -> bool {
        let wanted = self.calls.get(&of.0).is_some_and(|entry| match of.1 {
            CALLER => entry.call.calls_the_caller(),
            attempt => entry.attempts.get(&attempt).is_some_and(|a| !a.released),
        });
        let Some(leg) = self.trunks.legs.of.get_mut(&of).filter(|_| wanted) else { return false };
        leg.status = status;
        match status {
            Some(401 | 407) if leg.authorization.is_some() => {
                leg.answered += 1;
                self.trunks.legs.left.insert(session);
                if self.invite_there(now, of).is_none() {
                    self.try_next(now, of);
                }
                if let Some(leg) = self.trunks.legs.of.get_mut(&of) {
                    leg.authorization = None;
                }
                true
            }
            None | Some(408 | 503) if !leg.rest.is_empty() => {
                self.trunks.legs.left.insert(session);
                self.try_next(now, of);
                true
            }
            _ => false,
        }
    }

    /// The call has no more to do with this leg.
    pub(super) fn leave_way(&mut self, id: CallId, attempt: u32) {
        self.trunks.legs.failover.set((id, attempt), None);
        self.trunks.legs.of.remove(&(id, attempt));
    }
}

/// From of our calls: a carrier with an account wants to see it, and finds the caller in P-Asserted-Identity.
fn own_address(trunk: &Trunk) -> Option<String> {
    let (account, server) = (trunk.account.as_ref()?, trunk.server.as_ref()?);
    Some(format!("sip:{}@{}", account.username, host_of(server)))
}
