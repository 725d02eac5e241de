//! What must hold at every moment of every run, whatever people and the network do.
//!
//! It reads facts and asks the switch only which calls it still has, and at the end whether anything is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::hearing;
use super::phone::Happened;
use super::scenario::GREETING_SAMPLES;
use super::world::World;
use crate::call::fact::{Fact, What};
use crate::call::leg::Callee;
use crate::call::reason::Reason;
use crate::cdr::{Fold, Record};
use crate::clock::Instant;
use crate::ids::{AgentNo, CallId};
use crate::ledger::codec::{decode, encode};
use crate::limits;
use crate::protocol::sip::endpoint::SessionId;

/// No call of a simulation may last longer: the longest wait and talk that people are given, all time-outs included.
const LONGEST_CALL: Duration = Duration::from_secs(3_600);

/// More are only counted.
const TOLD: usize = 20;

#[derive(Debug, Default)]
pub struct Invariants {
    live: BTreeMap<CallId, Live>,
    sealed: BTreeSet<CallId>,
    /// Who is rung or talked to, and by which call.
    engaged: BTreeMap<AgentNo, CallId>,
    /// What rings or talks on each agent's desk, as their phone knows it.
    desks: BTreeMap<String, SessionId>,
    /// Who is in a call of their own.
    own_calls: BTreeMap<SessionId, String>,
    /// The machine is troubled, so that faults are to be expected.
    pub troubled: bool,
    /// Which calls are read back from their rows.
    pub replays: Replays,
    pub offered: usize,
    pub ended: usize,
    /// Callers who were joined to a colleague who had been consulted, and those whose colleague had not answered before that.
    pub joined: (usize, usize),
    /// Of sealed calls, in the order of their sealing.
    pub records: Vec<Record>,
    pub violations: Vec<String>,
    /// The facts of calls that were sealed since somebody took them from here.
    pub stories: Vec<Vec<Fact>>,
}

/// That the rows of a call give its record again is a sixth of a simulation's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replays {
    #[default]
    Each,
    /// By the last bits of the call's id: where thousands of hours are simulated for their figures.
    OneInEight,
}

impl Replays {
    fn takes(self, call: CallId) -> bool {
        self == Replays::Each || call.0.as_bytes()[15].is_multiple_of(8)
    }
}

#[derive(Debug)]
struct Live {
    fold: Fold,
    facts: Vec<Fact>,
    /// Rings without an end, by attempt.
    ringing: BTreeMap<u32, AgentNo>,
    /// Attempts that have had their end.
    over: BTreeSet<u32>,
    winner: Option<AgentNo>,
    /// The attempts of transfers, and the one that is under way.
    handed_on: BTreeSet<u32>,
    parked: Option<u32>,
    /// Who was consulted and is to have the caller.
    joins: Option<AgentNo>,
    ended: bool,
}

impl Invariants {
    /// After every step: the new facts, the sums, the calls that the switch has forgotten.
    pub fn check(&mut self, world: &mut World) {
        if world.facts.is_empty() && world.gateway.live_calls_of_hotlines() == self.live.len() {
            return;
        }
        for fact in std::mem::take(&mut world.facts) {
            self.take(fact);
        }
        let forgotten: Vec<CallId> = self.live.keys().filter(|id| !world.gateway.has_call(**id)).copied().collect();
        for id in forgotten {
            self.check_sound(world, id);
            self.seal(id);
        }
        let in_progress = self.live.values().filter(|live| !live.ended).count();
        if self.offered != self.ended + in_progress {
            self.violation(format!("offered {} != outcomes {} + in progress {in_progress}", self.offered, self.ended));
        }
        if world.gateway.live_calls_of_hotlines() != self.live.len() {
            let (switch, facts) = (world.gateway.live_calls_of_hotlines(), self.live.len());
            self.violation(format!("the switch has {switch} calls, by the facts it should have {facts}"));
        }
    }

    /// What the agents' phones saw, which no fact can talk away: in fine weather nobody is rung whose phone still has
    /// another call. (In bad weather a phone may not have heard yet that a call is over.)
    pub fn check_desks(&mut self, world: &World) {
        for (session, _, happened) in &world.agent_saw {
            match happened {
                Happened::CalledFor { user } => {
                    let own = self.own_calls.values().any(|own| own == user);
                    if self.desks.insert(user.clone(), *session).is_some() || own {
                        self.violation(format!("the phone of agent {user} is rung while it has a call"));
                    }
                }
                Happened::Calls { user } => drop(self.own_calls.insert(*session, user.clone())),
                Happened::Over => {
                    self.desks.retain(|_, other| other != session);
                    self.own_calls.remove(session);
                }
                Happened::Connected { .. } | Happened::Refused { .. } | Happened::Gone => {}
            }
        }
    }

    /// Nothing moves any more: nothing may be left.
    pub fn check_rest(&mut self, world: &World) {
        for id in self.live.keys().copied().collect::<Vec<_>>() {
            self.violation(format!("call {id} never ended"));
        }
        for agent in std::mem::take(&mut self.engaged).into_keys() {
            self.violation(format!("agent {agent} never became free"));
        }
        if !world.gateway.is_idle() {
            self.violation(format!("something is left in the switch; {} ports are used", world.gateway.ports_used()));
        }
        if world.gateway.agents().taken() > 0 {
            self.violation(format!("{} agents are taken by nobody", world.gateway.agents().taken()));
        }
        if !world.gateway.agents().queue.is_empty() {
            self.violation(format!("{} still wait", world.gateway.agents().queue.len()));
        }
        if !world.is_silent() {
            self.violation("somebody still speaks, or a bridge is left".to_owned());
        }
        if !world.trunk.is_idle() || !world.agents.is_idle() {
            self.violation("a phone does not come to rest".to_owned());
        }
    }

    /// The world goes on for longer than any call may last.
    pub fn check_time(&mut self, now: Instant, last_offered: Instant) -> bool {
        let in_time = now.since(last_offered) < LONGEST_CALL;
        if !in_time {
            self.violation("the world does not come to rest within an hour after the last call".to_owned());
        }
        in_time
    }

    fn violation(&mut self, what: String) {
        if self.violations.len() < TOLD {
            self.violations.push(what);
        }
    }

    fn take(&mut self, fact: Fact) {
        let (id, n) = (fact.call, fact.n);
        if self.sealed.contains(&id) {
            return self.violation(format!("call {id}: fact {n} comes after the call was sealed: {:?}", fact.what));
        }
        if let Some(fold) = Fold::begin(&fact).filter(|_| n == 0) {
            self.offered += 1;
            let live = Live {
                fold,
                facts: vec![fact],
                ringing: BTreeMap::new(),
                over: BTreeSet::new(),
                winner: None,
                handed_on: BTreeSet::new(),
                parked: None,
                joins: None,
                ended: false,
            };
            if self.live.insert(id, live).is_some() {
                self.violation(format!("call {id} is offered twice"));
            }
            return;
        }
        let Some(live) = self.live.get_mut(&id) else {
            return self.violation(format!("call {id} begins with fact {n}: {:?}", fact.what));
        };
        let wrong_order = live.facts.len() != n as usize;
        let faults = live.ring(&fact, &mut self.engaged);
        live.fold.push(&fact);
        let again = matches!(fact.what, What::Ended { .. }) && std::mem::replace(&mut live.ended, true);
        if let What::TransferCompleted { attempt, .. } = &fact.what
            && live.joins.take().is_some()
        {
            self.joined.0 += 1;
            self.joined.1 += usize::from(live.over.contains(attempt));
        }
        if matches!(fact.what, What::Ended { .. }) {
            self.ended += 1;
            free(&mut self.engaged, live.joins.take().as_ref(), id);
            if let Some(agent) = live.winner.take()
                && self.engaged.get(&agent) == Some(&id)
            {
                self.engaged.remove(&agent);
            }
        }
        live.facts.push(fact);
        if wrong_order {
            self.violation(format!("call {id}: fact {n} is out of order"));
        }
        if again {
            self.violation(format!("call {id} ends twice"));
        }
        for fault in faults {
            self.violation(format!("call {id}: {fault}"));
        }
    }

    /// What the facts say of the sound is what came.
    fn check_sound(&mut self, world: &mut World, id: CallId) {
        let Some(heard) = world.take_heard(id) else { return };
        let Some(live) = self.live.get(&id) else { return };
        // What the gateway alone has said to a caller is looked at where its bridge is.
        let elsewhere = |fact: &Fact| matches!(fact.what, What::Step { .. } | What::Queued { .. });
        if live.facts.iter().any(elsewhere) {
            return;
        }
        for what in hearing::differences(&heard, &live.facts, GREETING_SAMPLES) {
            self.violation(format!("call {id}: {what}"));
        }
    }

    fn seal(&mut self, id: CallId) {
        let Some(live) = self.live.remove(&id) else { return };
        self.sealed.insert(id);
        if !live.ended {
            self.violation(format!("call {id} is forgotten and has no end"));
        }
        for (attempt, agent) in &live.ringing {
            self.violation(format!("call {id}: attempt {attempt} (agent {agent}) has no end"));
        }
        let record = live.fold.record();
        // Whoever is with the gateway alone waits in its queue, and not for the carrier's patience.
        let attended = !record.steps.is_empty() || record.queue.is_some();
        let longest = if attended { limits::LONGEST_ATTENDED } else { limits::LONGEST_WAIT };
        let longest_wait = longest + limits::RING_AFTER;
        if record.wait_ms.is_none_or(|ms| Duration::from_millis(ms) > longest_wait) {
            self.violation(format!("call {id} waited {:?} ms", record.wait_ms));
        }
        if record.reason == Some(Reason::Fault) && !self.troubled {
            self.violation(format!("call {id} ends with a fault of the gateway"));
        }
        match self.replays.takes(id).then(|| replayed(&live.facts)) {
            None => {}
            Some(Ok(again)) if again == record => {}
            Some(Ok(_)) => self.violation(format!("call {id}: replayed from its rows it gives another record")),
            Some(Err(error)) => self.violation(format!("call {id}: {error}")),
        }
        self.records.push(record);
        self.stories.push(live.facts);
    }
}

impl Live {
    /// Every ring ends exactly once, and nobody is in two calls.
    fn ring(&mut self, fact: &Fact, engaged: &mut BTreeMap<AgentNo, CallId>) -> Vec<String> {
        let mut faults = Vec::new();
        match &fact.what {
            What::AgentInvited { attempt, agent } => {
                if self.over.contains(attempt) || self.ringing.insert(*attempt, agent.clone()).is_some() {
                    faults.push(format!("attempt {attempt} begins twice"));
                }
                if let Some(other) = engaged.insert(agent.clone(), fact.call) {
                    faults.push(format!("agent {agent} is rung while in call {other}"));
                }
                if self.ended {
                    faults.push(format!("agent {agent} is rung after the end"));
                }
            }
            What::AgentRinging { attempt, .. } if !self.ringing.contains_key(attempt) => {
                faults.push(format!("attempt {attempt} rings and is not under way"));
            }
            What::AgentAnswered { attempt, agent } => {
                if self.ringing.remove(attempt).is_none() || !self.over.insert(*attempt) {
                    faults.push(format!("attempt {attempt} is answered and was not under way"));
                }
                let handed_on = self.handed_on.contains(attempt);
                if !handed_on && self.winner.replace(agent.clone()).is_some() {
                    faults.push(format!("agent {agent} is the second who answers"));
                }
            }
            What::AgentReleased { attempt, agent, .. } => {
                self.ringing.remove(attempt);
                if !self.over.insert(*attempt) {
                    faults.push(format!("attempt {attempt} ends twice"));
                }
                if engaged.get(agent) == Some(&fact.call) {
                    engaged.remove(agent);
                }
            }
            What::TransferStarted { attempt, by, to, attended } => {
                self.joins = match to {
                    Callee::Agent(agent) if *attended => Some(agent.clone()),
                    Callee::Agent(_) | Callee::Target(_) => None,
                };
                if self.winner.as_ref() != Some(by) || self.parked.replace(*attempt).is_some() {
                    faults.push(format!("agent {by} hands on a caller whom somebody else has"));
                }
                self.handed_on.insert(*attempt);
            }
            What::TransferCompleted { attempt, to } => faults.extend(self.hand_over(fact.call, *attempt, to, engaged)),
            What::TransferFailed { attempt, .. } => {
                if self.parked.take() != Some(*attempt) {
                    faults.push(format!("transfer {attempt} fails and was not under way"));
                }
                free(engaged, self.joins.take().as_ref(), fact.call);
            }
            What::AgentLeft { agent, .. } => free(engaged, Some(agent), fact.call),
            _ => {}
        }
        faults
    }

    /// The caller comes to the next one; whoever handed on is free with the BYE.
    fn hand_over(
        &mut self,
        call: CallId,
        attempt: u32,
        to: &Callee,
        engaged: &mut BTreeMap<AgentNo, CallId>,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        if self.parked.take() != Some(attempt) {
            faults.push(format!("transfer {attempt} is completed and was not under way"));
        }
        let next = match to {
            Callee::Agent(agent) => Some(agent.clone()),
            Callee::Target(_) => None,
        };
        let before = std::mem::replace(&mut self.winner, next);
        free(engaged, before.as_ref(), call);
        if let Some(agent) = &self.winner
            && let Some(other) = engaged.insert(agent.clone(), call).filter(|other| *other != call)
        {
            faults.push(format!("agent {agent} gets a caller while in call {other}"));
        }
        faults
    }
}

fn free(engaged: &mut BTreeMap<AgentNo, CallId>, agent: Option<&AgentNo>, call: CallId) {
    if let Some(agent) = agent.filter(|agent| engaged.get(*agent) == Some(&call)) {
        engaged.remove(agent);
    }
}

/// The record that the facts give when they are read back from their rows.
fn replayed(facts: &[Fact]) -> anyhow::Result<Record> {
    let mut fold = None;
    for fact in facts {
        let again = decode(&encode(fact)?)?;
        match &mut fold {
            None => fold = Fold::begin(&again),
            Some(fold) => fold.push(&again),
        }
    }
    fold.map(|fold| fold.record()).ok_or_else(|| anyhow::anyhow!("the first fact is not `offered`"))
}
