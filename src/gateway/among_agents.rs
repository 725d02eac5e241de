//! Agents' calls to each other and to targets: plain calls, which are not offered to a hotline. They have no record, no recording
//! and no facts; who is in one is not rung for a caller.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Gateway;
use super::book::{CallerLeg, Entry, Link, Role};
use crate::call::leg::Callee;
use crate::call::{Call, Offer};
use crate::clock::Now;
use crate::dialplan::plan::{Agents, Answer, Cadence, Duty, Greeting, Hotline, Next, Ringback, Step, Strategy};
use crate::dialplan::reception::Standing;
use crate::ids::{AgentNo, CallId, SubjectId};
use crate::media::negotiate::Peer;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::endpoint::{Flow, Leash, MAX_FORWARDS, SessionId};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;

/// A colleague's phone rings so long.
const RING: Duration = Duration::from_secs(60);

/// The sessions of agents who call by themselves.
#[derive(Debug, Default)]
pub(super) struct Callers(BTreeMap<SessionId, (AgentNo, CallId)>);

impl Callers {
    pub(super) fn agent(&self, session: SessionId) -> Option<&AgentNo> {
        self.0.get(&session).map(|(agent, _)| agent)
    }

    /// A call that this agent has made.
    pub(super) fn call_of(&self, agent: &AgentNo) -> Option<CallId> {
        self.0.values().find(|(of, _)| of == agent).map(|(_, call)| *call)
    }

    pub(super) fn begin(&mut self, session: SessionId, agent: AgentNo, call: CallId) {
        self.0.insert(session, (agent, call));
    }

    /// The call of one session goes on with another.
    pub(super) fn go_on_with(&mut self, new: SessionId, old: SessionId) {
        if let Some(of) = self.0.get(&old).cloned() {
            self.0.insert(new, of);
        }
    }
}

impl Gateway {
    /// An INVITE of an agent's phone to somebody whom agents may call; `None`: it is something else.
    pub(super) fn agents_own_call(&self, flow: &Flow, request: &Request) -> Option<(AgentNo, Callee)> {
        let to = self.listed(request.uri.as_ref()?)?;
        Some((self.agent_who_calls(flow, request)?, to))
    }

    /// Whose phone this INVITE comes from.
    pub(super) fn agent_who_calls(&self, flow: &Flow, request: &Request) -> Option<AgentNo> {
        let from =
            Address::parse(request.headers.first(&Name::FROM)?)?.uri.user.map(|user| AgentNo::from(user.as_str()));
        let fixed = || self.phones.values().filter(|phone| phone.address == flow.remote).map(|phone| &phone.agent);
        let there = fixed().find(|agent| Some(*agent) == from.as_ref()).or_else(|| fixed().next()).cloned();
        let bound = || self.registering.as_ref()?.registrar.agent_at(flow.remote).cloned();
        // Over a stream a fixed phone calls from any port: then it must say who it is.
        let named = || {
            let phone = self.phones.get(from.as_ref()?)?;
            let its = phone.address.ip().to_canonical() == flow.remote.ip().to_canonical();
            (flow.transport.reliable() && its && self.trunk_of(flow).is_none()).then(|| phone.agent.clone())
        };
        there.or_else(bound).or_else(named)
    }

    pub(super) fn begin_agents_call(
        &mut self,
        now: Now,
        at: Now,
        (session, flow): (SessionId, Flow),
        request: &Request,
        (agent, to): (AgentNo, Callee),
    ) {
        tracing::info!(from = %agent, %to, "an agent calls");
        self.begin_own_call(now, at, (session, flow), request, (agent, to.to_string()), plan_for(&to));
    }

    /// A call of an agent, which goes by this plan.
    pub(super) fn begin_own_call(
        &mut self,
        now: Now,
        at: Now,
        (session, flow): (SessionId, Flow),
        request: &Request,
        (agent, called): (AgentNo, String),
        plan: Arc<Hotline>,
    ) {
        let (peer, refusal) = self.media_of(request);
        if let Some(why) = self.refusal().or(refusal) {
            return self.endpoint.reject(now, session, why.status, why.retry_after_s);
        }
        self.leash_phone(session, &flow);
        let id = CallId::new(at.wall, &mut self.random);
        let (caller, trunk) = (SubjectId::new(&mut self.random), "".into());
        let early_media = peer.as_ref().is_some_and(Peer::hears);
        let sip_call_id = String::new();
        let (called_received, caller_received) = (None, None);
        let offer = Offer {
            trunk,
            called,
            called_received,
            caller,
            caller_received,
            sip_call_id,
            early_media,
            standing: Standing::default(),
            calls_back: None,
        };
        let call = Call::among_agents(id, self.settings.run, at, plan, offer);
        let max_forwards = request.max_forwards().unwrap_or(MAX_FORWARDS).saturating_sub(1);
        let caller = CallerLeg {
            session: Some(session),
            flow,
            shown_number: Some(agent.to_string()),
            peer,
            codec: None,
            media: None,
            held: false,
            max_forwards,
            acknowledged: false,
        };
        self.agents.engage(&agent, id);
        self.callers.begin(session, agent, id);
        self.calls.insert(id, Entry::new(id, call, caller));
        self.by_session
            .insert(session, Link { call: id, role: Role::Caller, terminated: false, unwritten: VecDeque::new() });
        self.obey(now, id);
    }

    /// What an agent's phone has begun stays with that phone.
    pub(super) fn leash_phone(&mut self, session: SessionId, flow: &Flow) {
        let leash = if self.is_bound(flow.remote) { Leash::Flow } else { Leash::Host };
        self.endpoint.leash(session, leash);
    }

    /// The last message of this session is through. The agent may have gone on with another phone.
    pub(super) fn callers_session_ended(&mut self, now: Now, session: SessionId) {
        if let Some(of) = self.callers.0.remove(&session)
            && !self.callers.0.values().any(|other| *other == of)
        {
            self.free_agent(&of.0, of.1, now);
        }
    }
}

/// One callee, no greeting.
fn plan_for(to: &Callee) -> Arc<Hotline> {
    let (numbers, nobody) = match to {
        Callee::Agent(agent) => (vec![agent.clone()], Next::BusyTone),
        Callee::Target(target) => (Vec::new(), Next::Target(target.clone())),
    };
    plan_of(numbers, nobody, Next::Agents, Vec::new())
}

/// Nobody's plan: without a greeting, and nobody has a duty.
pub(super) fn plan_of(numbers: Vec<AgentNo>, nobody: Next, start: Next, steps: Vec<Step>) -> Arc<Hotline> {
    let cadence = Cadence { name: "cn".to_owned(), burst: Duration::from_secs(1), period: Duration::from_secs(5) };
    Arc::new(Hotline {
        recording: crate::dialplan::plan::Recording::ALL,
        scripts: crate::dialplan::scripts::Scripts::default(),
        id: "".into(),
        org: String::new(),
        numbers: Vec::new(),
        language: String::new(),
        time_zone: String::new(),
        version: String::new(),
        answer: Answer {
            max_rings: u32::MAX,
            min_rings: 0,
            cadence,
            ringback: Ringback::Network,
            short_abandon: Duration::ZERO,
        },
        greeting: Greeting::default(),
        agents: Agents { numbers, strategy: Strategy::InOrder, ring: RING, queue: None, skill: None, nobody },
        reception: crate::dialplan::reception::Reception::default(),
        duty: Duty::default(),
        start,
        steps,
        after: crate::dialplan::after::After::default(),
    })
}
