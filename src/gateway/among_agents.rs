//! Agents' calls to each other and to targets: calls of their own kind, which are offered to no hotline. They have facts and a record,
//! and a recording if the configuration says so; who is in one is not rung for a caller. Of a code that is dialled nothing is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Gateway;
use super::book::{CallerLeg, Entry, Link, Role};
use super::calling_out::WayOut;
use crate::call::fact::AgentsCall;
use crate::call::leg::{Callee, Input};
use crate::call::{Call, Made, Offer};
use crate::clock::Now;
use crate::dialplan::plan::{
    Agents, Answer, Cadence, Duty, Greeting, Hotline, Next, Recording, Ringback, Step, Strategy,
};
use crate::dialplan::reception::Standing;
use crate::ids::{AgentNo, CallId, Side, SubjectId};
use crate::media::negotiate::Peer;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::endpoint::{Flow, Label, Leash, MAX_FORWARDS, Seen, SessionId};
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

/// What holds for the calls that agents make by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentsCalls {
    /// Those to colleagues and targets are recorded.
    pub record: bool,
    /// How numbers outside are reached; `None`: not at all.
    pub outbound: Option<WayOut>,
}

impl AgentsCalls {
    fn recording(&self) -> Recording {
        if self.record { Recording::ALL } else { Recording::NONE }
    }
}

impl Gateway {
    /// Other rules than that nothing is recorded.
    pub fn use_agents_calls(&mut self, rules: AgentsCalls) {
        self.agents_calls = rules;
    }

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
        let own = (agent.clone(), to.to_string());
        let plan = plan_for(&to, self.agents_calls.recording());
        let made = Some(AgentsCall::Internal { agent, to });
        self.begin_own_call(now, at, (session, flow), request, own, (plan, made));
    }

    /// A call of an agent, which goes by this plan; nothing is told of one that is not said to be `made`.
    pub(super) fn begin_own_call(
        &mut self,
        now: Now,
        at: Now,
        (session, flow): (SessionId, Flow),
        request: &Request,
        (agent, called): (AgentNo, String),
        (plan, made): (Arc<Hotline>, Option<AgentsCall>),
    ) {
        let (peer, refusal) = self.media_of(&flow, request);
        if let Some(why) = self.refusal(now).or(refusal) {
            return self.endpoint.reject(now, session, why.status, why.retry_after_s);
        }
        self.leash_phone(session, &flow);
        let id = CallId::new(at.wall, &mut self.random);
        let (caller, trunk) = (SubjectId::new(&mut self.random), "".into());
        let early_media = peer.as_ref().is_some_and(Peer::hears);
        let sip_call_id = call_id(request);
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
            made: made.map(Made::ByAgent),
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
        self.note_reporter(session, id, Side::Caller);
        let seen = Box::new(Seen::of_request(request, flow.remote));
        self.note_received(id, &Role::Caller, at, &Label::Request(request.method.clone()), Some(seen));
        if self.ledger_failing {
            self.inputs.push_back((id, at, Input::LedgerDelayed));
        }
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

/// As it goes into the ledger: a real one has 20 to 80 characters.
pub(super) fn call_id(request: &Request) -> String {
    request.headers.text(&Name::CALL_ID).unwrap_or_default().chars().take(256).collect()
}

/// One callee, no greeting.
fn plan_for(to: &Callee, recording: Recording) -> Arc<Hotline> {
    let (numbers, nobody) = match to {
        Callee::Agent(agent) => (vec![agent.clone()], Next::BusyTone),
        Callee::Target(target) => (Vec::new(), Next::Target(target.clone())),
    };
    let plan = plan_of(numbers, nobody, Next::Agents, Vec::new());
    Arc::new(Hotline { recording, ..Arc::unwrap_or_clone(plan) })
}

/// Nobody's plan: without a greeting, and nobody has a duty.
pub(super) fn plan_of(numbers: Vec<AgentNo>, nobody: Next, start: Next, steps: Vec<Step>) -> Arc<Hotline> {
    let cadence = Cadence { name: "cn".to_owned(), burst: Duration::from_secs(1), period: Duration::from_secs(5) };
    Arc::new(Hotline {
        recording: Recording::NONE,
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
