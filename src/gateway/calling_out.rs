//! Agents who call numbers outside: the agent's phone dials, and the number is called through the one trunk of the configuration, under the
//! hotline's own number. What may be dialled the dialplans' `[outbound]` say, and nothing else leads here: no header, REFER or 302.
//!
//! ```text
//! 403  nothing allows it: the number, the agent, a PIN that is missing or wrong, the month's minutes
//! 486  the agent's own phone is not free
//! 488  no media that we can carry
//! 503  no way through the trunk
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::among_agents::call_id;
use super::book::{CallerLeg, Entry, Role};
use super::{Gateway, Output, Rejected, outbound as ways};
use crate::call::agent::State;
use crate::call::fact::{AgentsCall, Fact, What};
use crate::call::leg::{Callee, Input};
use crate::call::{Call, Made, Offer};
use crate::clock::{Instant, Now, Stamp, Wall};
use crate::dialplan::outbound::NotAllowed;
use crate::dialplan::plan::Hotline;
use crate::dialplan::reception::Standing;
use crate::ids::{AgentNo, CallId, Side, TrunkName};
use crate::peer::lockout::{Deed, Lockout};
use crate::peer::token::Token;
use crate::protocol::sip::endpoint::{Flow, Label, Seen, SessionId};
use crate::protocol::sip::message::Request;

/// How agents reach numbers outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayOut {
    pub trunk: TrunkName,
    /// Who must dial a PIN.
    pub pins: BTreeMap<AgentNo, Token>,
}

/// A month of the calendar, on the hotline's clock.
type Month = (i16, i8);

/// What is known of such calls beside the calls themselves.
#[derive(Debug, Default)]
pub(super) struct CallingOut {
    lockout: Lockout,
    /// Talk by agent, in the newest month of each that there was any; the sum of what the facts say.
    talked: BTreeMap<AgentNo, (Month, Duration)>,
    /// Live calls: who makes it, and since when there is a talk.
    live: BTreeMap<CallId, (AgentNo, Month, Option<Stamp>)>,
}

impl CallingOut {
    fn add(&mut self, agent: AgentNo, month: Month, talk: Duration) {
        let (of, talked) = self.talked.entry(agent).or_insert((month, Duration::ZERO));
        match month.cmp(of) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => *talked += talk,
            std::cmp::Ordering::Greater => (*of, *talked) = (month, talk),
        }
    }

    fn talked(&self, agent: &AgentNo, month: Month) -> Duration {
        self.talked.get(agent).filter(|(of, _)| *of == month).map_or(Duration::ZERO, |(_, talked)| *talked)
    }

    /// Whether these digits let the agent call outside: an agent without a PIN dials none.
    fn judge(&mut self, now: Instant, flow: &Flow, own: Option<&Token>, pin: Option<&str>) -> bool {
        let source = flow.remote.ip();
        match (own, pin) {
            (None, None) => true,
            (Some(_), None) => false,
            (_, Some(_)) if self.lockout.is_locked(now, source) => false,
            (Some(own), Some(pin)) if *own == Token::new(pin) => true,
            (_, Some(_)) => {
                self.lockout.note(now, source, Deed::Wrong);
                false
            }
        }
    }
}

/// What the phone is told of a refusal, and what is counted.
type Denied = (u16, Rejected);

fn of_phone(status: u16) -> Denied {
    (status, Rejected::FromPhone)
}

/// The month in which a call begins.
fn month(plan: &Hotline, at: Wall) -> Month {
    let zone = TimeZone::get(&plan.time_zone).unwrap_or(TimeZone::UTC);
    let date = Timestamp::from_microsecond(at.as_micros()).map(|at| at.to_zoned(zone).date());
    date.map_or((0, 0), |date| (date.year(), date.month()))
}

impl Gateway {
    /// What agents have talked outside before this run: who, in which hotline's call, when that was offered, and how long.
    pub fn restore_outbound(
        &mut self,
        talks: impl IntoIterator<Item = (AgentNo, crate::ids::HotlineId, Wall, Duration)>,
    ) {
        for (agent, hotline, offered, talk) in talks {
            if let Some(plan) = self.plans.hotlines.iter().find(|plan| plan.id == hotline) {
                let month = month(plan, offered);
                self.calling_out.add(agent, month, talk);
            }
        }
    }

    /// An INVITE of an agent's phone to a number that might be one outside; `None`: it is something else, or no trunk is there for that.
    pub(super) fn number_outside(&self, flow: &Flow, request: &Request) -> Option<(AgentNo, String)> {
        self.agents_calls.outbound.as_ref()?;
        let number = request.uri.as_ref()?.number()?;
        if self.trunk_of(flow).is_some() || self.plans.by_number.contains_key(&number) {
            return None;
        }
        Some((self.agent_who_calls(flow, request)?, number))
    }

    pub(super) fn call_out(
        &mut self,
        now: Now,
        at: Now,
        from: (SessionId, Flow),
        request: &Request,
        (agent, number, pin): (AgentNo, &str, Option<&str>),
    ) {
        let (session, flow) = from;
        let result = self.admit_outside(now, &flow, (&agent, number, pin));
        let begun = result.and_then(|(plan, number)| {
            let begun = self.begin_outside(now, at, (session, flow), request, (&agent, plan, number));
            begun.map_err(of_phone)
        });
        if let Err((status, counted)) = begun {
            self.outputs.push_back(Output::Rejected(counted));
            self.endpoint.reject(now, session, status, None);
        }
    }

    /// The dialplan that allows the call, and the number as its trunk keeps it.
    fn admit_outside(
        &mut self,
        now: Now,
        flow: &Flow,
        (agent, number, pin): (&AgentNo, &str, Option<&str>),
    ) -> Result<(Arc<Hotline>, String), Denied> {
        let way = self.agents_calls.outbound.as_ref().ok_or_else(|| of_phone(403))?;
        if !self.calling_out.judge(now.mono, flow, way.pins.get(agent), pin) {
            tracing::info!(%agent, "a call outside is refused: its PIN is missing or wrong");
            return Err(if pin.is_some() { (403, Rejected::WrongPin) } else { of_phone(403) });
        }
        let trunk = way.trunk.clone();
        let (plan, kept) = self.allowed_outside(&trunk, agent, number).map_err(|why| {
            tracing::info!(%agent, %why, "a call outside is refused");
            of_phone(403)
        })?;
        let quota = plan.after.outbound.as_ref().and_then(|outbound| outbound.quota);
        if quota.is_some_and(|quota| self.calling_out.talked(agent, month(&plan, now.wall)) >= quota) {
            tracing::info!(%agent, hotline = %plan.id, "a call outside is refused: this month's minutes are used up");
            return Err(of_phone(403));
        }
        if let Some(refusal) = self.refusal(now) {
            return Err(of_phone(refusal.status));
        }
        if self.agents.state(agent) != Some(&State::Available) {
            return Err(of_phone(486));
        }
        Ok((plan, kept))
    }

    /// The dialplan that allows this agent this number, in the form in which the trunk keeps it.
    fn allowed_outside(
        &self,
        trunk: &TrunkName,
        agent: &AgentNo,
        number: &str,
    ) -> Result<(Arc<Hotline>, String), NotAllowed> {
        let line = self.settings.trunks.iter().find(|line| line.name == *trunk).ok_or(NotAllowed::NoNumber)?;
        let (kept, abroad) = line.identity.kept_of(number);
        let (plan, _) = self.plans.outbound(agent, &kept, abroad)?;
        Ok((Arc::clone(plan), kept))
    }

    fn begin_outside(
        &mut self,
        now: Now,
        at: Now,
        (session, flow): (SessionId, Flow),
        request: &Request,
        (agent, plan, number): (&AgentNo, Arc<Hotline>, String),
    ) -> Result<(), u16> {
        let trunk = self.agents_calls.outbound.as_ref().map(|way| way.trunk.clone()).ok_or(403u16)?;
        let own_number = plan.numbers.first().cloned();
        let id = CallId::new(at.wall, &mut self.random);
        let way = self.open_way_to_caller(id, &trunk, &number, own_number.clone());
        let (way, _) = way.ok_or(503u16)?;
        let outbound = plan.after.outbound.as_ref();
        let quota_ms = outbound.and_then(|o| o.quota).map(|q| u64::try_from(q.as_millis()).unwrap_or(u64::MAX));
        let month = month(&plan, at.wall);
        let offer = Offer {
            trunk,
            called: own_number.unwrap_or_default(),
            called_received: None,
            caller: self.subject(number.clone()),
            caller_received: None,
            sip_call_id: call_id(request),
            early_media: false,
            standing: Standing::default(),
            made: Some(Made::ByAgent(AgentsCall::Outbound { agent: agent.clone(), quota_ms })),
        };
        let call = Call::outbound(id, self.settings.run, at, plan, offer);
        let caller = CallerLeg::called(way, number);
        self.calls.insert(id, Entry::new(id, call, caller));
        let attempt = crate::call::OUTBOUND_AGENT;
        if let Err(status) = self.seat(now, (id, attempt, agent), request, (session, &flow), false) {
            self.calls.remove(&id);
            self.leave_way(id, ways::CALLER);
            self.trunks.leave(id);
            return Err(status);
        }
        self.agents.take(agent, id);
        self.calling_out.live.insert(id, (agent.clone(), month, None));
        self.note_reporter(session, id, Side::Agent);
        let role = Role::Agent { attempt, agent: Callee::Agent(agent.clone()) };
        let seen = Box::new(Seen::of_request(request, flow.remote));
        self.note_received(id, &role, at, &Label::Request(request.method.clone()), Some(seen));
        if self.ledger_failing {
            self.inputs.push_back((id, at, Input::LedgerDelayed));
        }
        tracing::info!(call = %id, %agent, "an agent calls a number outside");
        self.obey(now, id);
        Ok(())
    }

    /// 180 to the phone that has dialled in.
    pub(super) fn ring_phone(&mut self, now: Now, id: CallId, attempt: u32) {
        if let Some(session) = self.phone_of(id, attempt) {
            self.endpoint.ring(now.mono, session, 180, Vec::new());
        }
    }

    /// Its final response, before anybody has answered.
    pub(super) fn reject_phone(&mut self, now: Now, id: CallId, attempt: u32, status: u16) {
        if let Some(session) = self.phone_of(id, attempt) {
            self.endpoint.reject(now, session, status, None);
        }
    }

    /// The minutes of a month are counted from what the facts say.
    pub(super) fn note_calling_out(&mut self, id: CallId, fact: &Fact) {
        match &fact.what {
            What::CallerAnswered { .. } => {
                self.calling_out.live.get_mut(&id).into_iter().for_each(|(.., since)| *since = Some(fact.at));
            }
            What::Ended { .. } => {
                if let Some((agent, month, Some(since))) = self.calling_out.live.remove(&id) {
                    let talk = Duration::from_nanos(fact.at.nanos_since(since).unwrap_or(0));
                    self.calling_out.add(agent, month, talk);
                }
            }
            _ => {}
        }
    }
}
