//! The agents: who is free, and who is rung next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::handled::Handled;
use super::presence::{By, Event, Order, Presence, Refused, Rules, What};
use super::queue::Queue;
use super::roster::Roster;
use super::talked::Talked;
use crate::clock::{Instant, Now, Wall};
use crate::dialplan::plan::Plans;
use crate::ids::{AgentNo, CallId, HotlineId, Random};

/// What an agent's phone is doing, as live dialogs tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Available,
    /// Being rung. It ends when the last message of the phone's session is through, so an agent is never rung while an
    /// old ring still sounds.
    Rung {
        call: CallId,
    },
    /// In a call. It ends as a ring does.
    Talking {
        call: CallId,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub(super) state: State,
    pub(super) presence: Presence,
    /// When that was said.
    since: Option<Wall>,
    /// What the dialplans ask of this agent.
    rules: Rules,
    /// Of the hotline whose call this agent is in.
    wrap_up: Duration,
    /// The end of the last call; the beginning of the run before the first.
    pub(super) idle_since: Instant,
    /// Calls answered since the run began, whatever the hotline.
    pub(super) answered: u64,
    pub(super) talked: Talked,
    pub(super) handled: Handled,
    /// When the shift begins, or began, for which the agent has not logged in.
    pub(super) missed: Option<Wall>,
    /// No longer in the configuration: forgotten when the last call is over, and rung no more.
    pub(super) leaving: bool,
}

impl Agent {
    fn fresh(rules: Rules, idle_since: Instant) -> Agent {
        let (state, presence, wrap_up) = (State::Available, rules.start(), Duration::ZERO);
        let (talked, handled) = (Talked::default(), Handled::default());
        Agent {
            state,
            presence,
            since: None,
            rules,
            wrap_up,
            idle_since,
            answered: 0,
            talked,
            handled,
            missed: None,
            leaving: false,
        }
    }

    /// Can be rung for a caller.
    fn is_free(&self) -> bool {
        !self.leaving && self.why_not(false).is_none()
    }
}

/// All agents that the configuration names, with the cursor of each hotline's round.
#[derive(Debug, Clone)]
pub struct Agents {
    pub(super) agents: BTreeMap<AgentNo, Agent>,
    rules: BTreeMap<AgentNo, Rules>,
    /// Who was rung last, by hotline.
    pub(super) last_rung: BTreeMap<HotlineId, AgentNo>,
    pub(super) random: Random,
    /// Who waits for one of them.
    pub queue: Queue,
    /// Who has become free, and has not been offered to those who wait.
    freed: Vec<AgentNo>,
    /// Whose presence ends by itself, and when.
    due: BTreeSet<(Instant, AgentNo)>,
    /// Facts that have not been collected.
    told: VecDeque<(AgentNo, Now, What)>,
    pub(super) roster: Roster,
}

impl Agents {
    pub fn new(numbers: impl IntoIterator<Item = AgentNo>, plans: &Plans, random: Random) -> Self {
        let mut agents = Agents::with_rules(numbers, rules(plans), random);
        agents.roster = Roster::new(plans);
        agents
    }

    fn with_rules(numbers: impl IntoIterator<Item = AgentNo>, rules: BTreeMap<AgentNo, Rules>, random: Random) -> Self {
        let mut agents = Agents {
            agents: BTreeMap::new(),
            rules,
            last_rung: BTreeMap::new(),
            random,
            queue: Queue::default(),
            freed: Vec::new(),
            due: BTreeSet::new(),
            told: VecDeque::new(),
            roster: Roster::default(),
        };
        numbers.into_iter().for_each(|number| agents.join(number));
        agents
    }

    /// One more agent, unless there is one of this number.
    pub fn join(&mut self, number: AgentNo) {
        let rules = self.rules.get(&number).cloned().unwrap_or_default();
        self.agents.entry(number).or_insert_with(|| Agent::fresh(rules, Instant::START));
    }

    /// The configuration names these from now on. Whoever stays keeps state, presence and history; whoever is new begins now; whoever
    /// is named no more finishes the call or ring that he or she is in.
    pub fn renew(&mut self, numbers: &BTreeSet<AgentNo>, plans: &Plans, now: Now) {
        self.rules = rules(plans);
        self.roster = Roster::new(plans).going_on(&self.roster, now.mono);
        for (number, agent) in &mut self.agents {
            agent.leaving = !numbers.contains(number);
            agent.rules = self.rules.get(number).cloned().unwrap_or_default();
        }
        self.agents.retain(|_, agent| !agent.leaving || agent.state != State::Available);
        for number in numbers {
            let rules = self.rules.get(number).cloned().unwrap_or_default();
            self.agents.entry(number.clone()).or_insert_with(|| {
                self.freed.push(number.clone());
                Agent::fresh(rules, now.mono)
            });
        }
        // Nobody asks for their login any more: they are there, as everybody else.
        let stranded = |agent: &Agent| agent.presence == Presence::LoggedOut && !agent.rules.login;
        let stranded: Vec<AgentNo> = self.agents.iter().filter(|(_, a)| stranded(a)).map(|(n, _)| n.clone()).collect();
        stranded.iter().for_each(|number| self.come_to(number, Presence::Ready, [What::Ready { by: By::Limit }], now));
        self.due.retain(|(_, number)| self.agents.contains_key(number));
        let hotlines: BTreeSet<&HotlineId> = plans.hotlines.iter().map(|hotline| &hotline.id).collect();
        self.last_rung.retain(|hotline, _| hotlines.contains(hotline));
    }

    /// As an earlier run left this agent, who is known by the last fact.
    pub fn restore(&mut self, number: &AgentNo, last: &What, now: Now) {
        let Some(agent) = self.agents.get(number) else { return };
        let Some(presence) = last.presence(now) else { return };
        if presence == agent.presence || (presence == Presence::LoggedOut && !agent.rules.login) {
            return;
        }
        let told = presence.told(By::Restart, None);
        self.come_to(number, presence, [told], now);
    }

    /// In an earlier run this agent had a caller from the one moment to the other.
    pub fn restore_talk(&mut self, number: &AgentNo, talk: (Wall, Wall), now: Wall) {
        if let Some(agent) = self.agents.get_mut(number) {
            agent.talked.add(talk, now, agent.rules.zone.as_ref());
            let (from, to) = talk;
            let us = u64::try_from(to.as_micros().saturating_sub(from.as_micros())).unwrap_or(0);
            agent.handled.note_talk(Duration::from_micros(us));
        }
    }

    /// The agent, or somebody for the agent, asks for another presence.
    pub fn order(&mut self, number: &AgentNo, order: Order, by: By, now: Now) -> Result<(), Refused> {
        let agent = self.agents.get(number).filter(|agent| !agent.leaving).ok_or(Refused::NoAgent)?;
        let goes = matches!(order, Order::LogOut | Order::LogOutAnyway) && agent.presence != Presence::LoggedOut;
        let needed_by = self.needs(number, now.wall).filter(|_| goes).cloned();
        let anyway = order == Order::LogOutAnyway;
        let (presence, told) = agent.presence.ordered(order, by, &agent.rules, now)?;
        match needed_by {
            Some(hotline) if anyway => self.tell(number, What::LeavesAlone { hotline, by }, now),
            Some(hotline) => {
                self.tell(number, What::LogOutRefused { hotline, by }, now);
                return Err(Refused::NoSuccessor);
            }
            None => {}
        }
        self.come_to(number, presence, told, now);
        Ok(())
    }

    fn come_to(&mut self, number: &AgentNo, to: Presence, told: impl IntoIterator<Item = What>, now: Now) {
        let Some(agent) = self.agents.get_mut(number) else { return };
        let until = |presence: &Presence| presence.until().map(|until| (until.mono, number.clone()));
        if let Some(before) = until(&agent.presence) {
            self.due.remove(&before);
        }
        self.due.extend(until(&to));
        if let (Presence::WrapUp { .. }, Some(since)) = (&agent.presence, agent.since) {
            let us = now.wall.as_micros().saturating_sub(since.as_micros());
            agent.handled.note_wrap_up(Duration::from_micros(u64::try_from(us).unwrap_or(0)));
        }
        (agent.presence, agent.since) = (to, Some(now.wall));
        agent.missed = agent.missed.filter(|_| agent.presence.misses_shifts());
        if agent.is_free() {
            self.freed.push(number.clone());
        }
        self.told.extend(told.into_iter().map(|what| (number.clone(), now, what)));
    }

    /// Something that is said of the agent without a change of presence.
    pub fn tell(&mut self, number: &AgentNo, what: What, now: Now) {
        if self.agents.contains_key(number) {
            self.told.push_back((number.clone(), now, what));
        }
    }

    /// The next fact that nobody has collected yet.
    pub fn poll_told(&mut self) -> Option<(AgentNo, Now, What)> {
        self.told.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let due = self.due.first().map(|(at, _)| (*at, "a pause or wrap-up is over"));
        due.into_iter().chain(self.roster.poll_timeout()).min_by_key(|(at, _)| *at)
    }

    pub fn handle_timeout(&mut self, now: Now) {
        self.look_at_roster(now);
        while self.due.first().is_some_and(|(at, _)| *at <= now.mono)
            && let Some((_, number)) = self.due.pop_first()
        {
            let after = self.agents.get(&number).and_then(|agent| agent.presence.after(Event::Timeout, now));
            if let Some((presence, what)) = after {
                self.come_to(&number, presence, [what], now);
            }
        }
    }

    /// Takes this agent for a call, if the phone is free.
    pub fn take(&mut self, number: &AgentNo, call: CallId) -> bool {
        let free = |agent: &&mut Agent| agent.state == State::Available && !agent.leaving;
        let Some(agent) = self.agents.get_mut(number).filter(free) else { return false };
        agent.state = State::Rung { call };
        true
    }

    /// This agent is in a call that is nobody's of a hotline, if free or rung for it.
    pub fn engage(&mut self, number: &AgentNo, call: CallId) {
        if let Some(agent) = self.agents.get_mut(number)
            && [State::Available, State::Rung { call }].contains(&agent.state)
        {
            agent.state = State::Talking { call };
        }
    }

    /// Whoever is in one call, or is rung for it, is in the other from now on.
    pub fn move_over(&mut self, number: &AgentNo, from: CallId, to: CallId) {
        let Some(agent) = self.agents.get_mut(number) else { return };
        match &mut agent.state {
            State::Talking { call } | State::Rung { call } if *call == from => *call = to,
            State::Available | State::Rung { .. } | State::Talking { .. } => {}
        }
    }

    /// The agent who was rung for that call has won it (or has come over into it).
    pub fn answered(&mut self, agent: &AgentNo, call: CallId, wrap_up: Duration, at: Now) {
        let Some(agent) = self.agents.get_mut(agent) else { return };
        if agent.state == (State::Rung { call }) {
            agent.state = State::Talking { call };
            agent.answered += 1;
        }
        if agent.state == (State::Talking { call }) {
            agent.wrap_up = wrap_up;
            agent.talked.begin(at);
        }
    }

    /// The agent's phone has nothing more to do with that call.
    pub fn release(&mut self, number: &AgentNo, call: CallId, now: Now) {
        let Some(agent) = self.agents.get_mut(number) else { return };
        if agent.state == (State::Talking { call }) {
            agent.idle_since = now.mono;
            if let Some(talk) = agent.talked.end(now, agent.rules.zone.as_ref()) {
                agent.handled.note_talk(talk);
            }
        } else if agent.state != (State::Rung { call }) {
            return;
        }
        agent.state = State::Available;
        let wrap_up = std::mem::take(&mut agent.wrap_up);
        if agent.leaving {
            self.agents.remove(number);
        } else if let Some((presence, what)) = agent.presence.after(Event::CallOver { call, wrap_up }, now) {
            self.come_to(number, presence, [what], now);
        } else if agent.is_free() {
            self.freed.push(number.clone());
        }
    }

    /// One who has become free; those who wait are to be told.
    pub fn poll_freed(&mut self) -> Option<AgentNo> {
        self.freed.pop()
    }

    /// Whether this agent can be rung for a caller now.
    pub fn is_free(&self, number: &AgentNo) -> bool {
        self.agents.get(number).is_some_and(Agent::is_free)
    }

    pub fn state(&self, agent: &AgentNo) -> Option<&State> {
        self.agents.get(agent).map(|agent| &agent.state)
    }

    pub fn presence(&self, agent: &AgentNo) -> Option<&Presence> {
        self.agents.get(agent).map(|agent| &agent.presence)
    }

    /// Whose phones are to be probed, and how often.
    pub fn probed(&self) -> impl Iterator<Item = (AgentNo, Duration)> {
        self.agents.iter().filter_map(|(number, agent)| Some((number.clone(), agent.rules.probe?)))
    }

    /// Since when; `None`: from the start.
    pub fn since(&self, agent: &AgentNo) -> Option<Wall> {
        self.agents.get(agent)?.since
    }

    /// When the shift begins, or began, for which this agent has not logged in.
    pub fn misses_shift(&self, agent: &AgentNo) -> Option<Wall> {
        self.agents.get(agent)?.missed
    }

    /// Everybody, with what the phone is doing and whether they are there for callers.
    pub fn all(&self) -> impl Iterator<Item = (&AgentNo, &State, &Presence)> {
        self.agents.iter().map(|(number, agent)| (number, &agent.state, &agent.presence))
    }

    pub fn available(&self) -> usize {
        self.agents.values().filter(|agent| agent.is_free()).count()
    }

    /// Rung or in a call.
    pub fn taken(&self) -> usize {
        self.agents.values().filter(|agent| agent.state != State::Available).count()
    }
}

/// What all dialplans together ask of each agent.
pub fn rules(plans: &Plans) -> BTreeMap<AgentNo, Rules> {
    let mut rules: BTreeMap<AgentNo, Rules> = BTreeMap::new();
    for hotline in &plans.hotlines {
        hotline.everybody().into_iter().for_each(|number| rules.entry(number).or_default().add(hotline));
    }
    rules
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::choice::{Wanted, Why};
    use super::super::presence::{Kind, Refused};
    use super::*;
    use crate::dialplan::plan::{self, Next, Strategy};

    fn plan(strategy: Strategy) -> plan::Agents {
        let numbers = ["7", "8", "9"].map(AgentNo::from).to_vec();
        plan::Agents {
            numbers,
            strategy,
            ring: Duration::from_secs(20),
            queue: None,
            skill: None,
            nobody: Next::BusyTone,
        }
    }

    fn agents(strategy: Strategy) -> Agents {
        Agents::new(plan(strategy).numbers, &Plans::default(), Random::from_number(1))
    }

    fn after(ms: u64) -> Now {
        Now { mono: Instant::from_millis(ms), wall: Wall::from_micros(0) }
    }

    fn take_next(agents: &mut Agents, plan: &plan::Agents, tried: &BTreeSet<AgentNo>, call: CallId) -> Option<AgentNo> {
        let hotline = Some(&HotlineId::from("h"));
        agents
            .take_next(Wanted { hotline, plan, tried, call, relaxed: false, now: Wall::from_micros(0) })
            .map(|choice| choice.agent)
    }

    fn call(n: u64) -> CallId {
        CallId::new(Wall::from_micros(0), &mut Random::from_number(n))
    }

    /// Whom each of so many calls, one after the other, rings first. Whoever is named in `answering` answers.
    fn rung(strategy: Strategy, calls: u64, answering: &[&str]) -> Vec<String> {
        let mut agents = agents(strategy);
        (1..=calls)
            .map(|n| {
                let agent = take_next(&mut agents, &plan(strategy), &BTreeSet::new(), call(n)).unwrap();
                if answering.contains(&agent.as_str()) {
                    agents.answered(&agent, call(n), Duration::ZERO, after(n));
                }
                agents.release(&agent, call(n), after(n));
                agent.to_string()
            })
            .collect()
    }

    #[test]
    fn strategies() {
        let all = ["7", "8", "9"];
        assert_eq!(rung(Strategy::InOrder, 3, &all), ["7", "7", "7"]);
        assert_eq!(rung(Strategy::RoundRobin, 5, &all), ["7", "8", "9", "7", "8"]);
        assert_eq!(rung(Strategy::LongestIdle, 5, &all), ["7", "8", "9", "7", "8"]);
        assert_eq!(rung(Strategy::FewestCalls, 5, &all), ["7", "8", "9", "7", "8"]);
    }

    #[test]
    fn what_was_talked_before_a_start_counts_of_today_alone() {
        let mut agents = agents(Strategy::LeastTalk);
        let plan = plan(Strategy::LeastTalk);
        let at = |hour: u64, s: u64| Wall::from_micros(0) + Duration::from_secs(hour * 3_600 + s);
        let now = at(34, 0);
        agents.restore_talk(&"7".into(), (at(33, 0), at(33, 300)), now);
        // Of a talk over midnight that counts which lies in today; yesterday's does not at all.
        agents.restore_talk(&"8".into(), (at(23, 3_000), at(24, 60)), now);
        agents.restore_talk(&"9".into(), (at(22, 0), at(23, 0)), now);
        let (hotline, mut tried) = (HotlineId::from("h"), BTreeSet::new());
        let mut order = Vec::new();
        for n in 1..=3 {
            let hotline = Some(&hotline);
            let wanted = Wanted { hotline, plan: &plan, tried: &tried, call: call(n), relaxed: false, now };
            let choice = agents.take_next(wanted).unwrap();
            tried.insert(choice.agent.clone());
            order.push((choice.agent.to_string(), choice.compared));
        }
        let order: Vec<(&str, &[u64])> = order.iter().map(|(agent, ms)| (agent.as_str(), &ms[..])).collect();
        assert_eq!(order, [("9", &[300_000, 60_000, 0][..]), ("8", &[300_000, 60_000]), ("7", &[300_000])]);
    }

    #[test]
    fn whoever_has_talked_least_today_is_rung_first() {
        let mut agents = agents(Strategy::LeastTalk);
        let plan = plan(Strategy::LeastTalk);
        let at =
            |ms: u64| Now { mono: Instant::from_millis(ms), wall: Wall::from_micros(0) + Duration::from_millis(ms) };
        let mut rung = |from_ms: u64, talk_ms: u64, n: u64| {
            let (hotline, tried, now) = (HotlineId::from("h"), BTreeSet::new(), at(from_ms).wall);
            let wanted =
                Wanted { hotline: Some(&hotline), plan: &plan, tried: &tried, call: call(n), relaxed: false, now };
            let choice = agents.take_next(wanted).unwrap();
            agents.answered(&choice.agent, call(n), Duration::ZERO, at(from_ms));
            agents.release(&choice.agent, call(n), at(from_ms + talk_ms));
            (choice.agent.to_string(), choice.compared)
        };
        let minute = 60_000;
        assert_eq!(rung(0, 3 * minute, 1), ("7".to_owned(), vec![0, 0, 0]));
        assert_eq!(rung(4 * minute, minute, 2), ("8".to_owned(), vec![3 * minute, 0, 0]));
        assert_eq!(rung(6 * minute, 2 * minute, 3).0, "9");
        assert_eq!(rung(9 * minute, 2 * minute, 4).0, "8");
        assert_eq!(rung(12 * minute, minute, 5), ("9".to_owned(), vec![3 * minute, 3 * minute, 2 * minute]));
        // The first ten minutes of the next day: of a call over midnight only what lies behind it counts.
        let midnight = 24 * 60 * minute;
        assert_eq!(rung(midnight - minute, 3 * minute, 6), ("7".to_owned(), vec![3 * minute; 3]));
        assert_eq!(rung(midnight + 3 * minute, minute, 7), ("8".to_owned(), vec![2 * minute, 0, 0]));
    }

    #[test]
    fn a_ring_that_nobody_answered_is_no_call() {
        for strategy in [Strategy::LongestIdle, Strategy::FewestCalls] {
            assert_eq!(rung(strategy, 4, &["7", "9"]), ["7", "8", "8", "8"]);
        }
    }

    #[test]
    fn random_takes_everybody_about_as_often_and_the_same_with_the_same_seed() {
        let taken = rung(Strategy::Random, 300, &[]);
        assert_eq!(taken, rung(Strategy::Random, 300, &[]));
        for agent in ["7", "8", "9"] {
            let times = taken.iter().filter(|a| *a == agent).count();
            assert!((70..130).contains(&times), "{agent} {times} times of 300");
        }
    }

    #[test]
    fn nobody_is_taken_twice_or_tried_twice() {
        let mut agents = agents(Strategy::InOrder);
        let (a, b) = (call(1), call(2));
        let take = |call, tried: &[&str], agents: &mut Agents| {
            let tried = tried.iter().map(|t| AgentNo::from(*t)).collect();
            take_next(agents, &plan(Strategy::InOrder), &tried, call).map(|a| a.to_string())
        };
        assert_eq!(take(a, &[], &mut agents).as_deref(), Some("7"));
        assert_eq!(take(b, &[], &mut agents).as_deref(), Some("8"));
        assert_eq!(take(a, &["7"], &mut agents).as_deref(), Some("9"));
        assert_eq!(take(b, &["8"], &mut agents), None);
        agents.release(&"7".into(), b, after(0));
        assert_eq!(agents.available(), 0, "only the call that took an agent can release them");
        agents.release(&"7".into(), a, after(0));
        assert_eq!(agents.available(), 1);
    }

    #[test]
    fn a_new_configuration_keeps_whoever_is_in_a_call() {
        let mut agents = agents(Strategy::InOrder);
        let named = |numbers: &[&str]| numbers.iter().map(|n| AgentNo::from(*n)).collect::<BTreeSet<_>>();
        let take = |agents: &mut Agents, call| {
            let mut plan = plan(Strategy::InOrder);
            plan.numbers.push("10".into());
            take_next(agents, &plan, &BTreeSet::new(), call).map(|a| a.to_string())
        };
        assert_eq!(take(&mut agents, call(1)).as_deref(), Some("7"));
        assert_eq!(take(&mut agents, call(2)).as_deref(), Some("8"));
        agents.answered(&"7".into(), call(1), Duration::ZERO, after(1));
        // 7 talks and 8 is rung, and both are removed; 9 stays; 10 is new.
        agents.renew(&named(&["9", "10"]), &Plans::default(), after(5));
        assert_eq!(agents.state(&"7".into()), Some(&State::Talking { call: call(1) }));
        assert_eq!((agents.available(), agents.taken()), (2, 2));
        agents.answered(&"8".into(), call(2), Duration::ZERO, after(1));
        agents.release(&"8".into(), call(2), after(9));
        assert_eq!(agents.state(&"8".into()), None, "gone with the call");
        // 7 comes back while still in the call, and stays in it.
        agents.renew(&named(&["7", "9"]), &Plans::default(), after(10));
        assert_eq!(agents.state(&"10".into()), None);
        assert_eq!(agents.state(&"7".into()), Some(&State::Talking { call: call(1) }));
        assert_eq!(take(&mut agents, call(3)).as_deref(), Some("9"));
        agents.release(&"7".into(), call(1), after(11));
        assert_eq!(agents.state(&"7".into()), Some(&State::Available));
    }

    /// Agents 7, 8 and 9, of whom this is asked.
    fn on_duty(rules: &Rules) -> Agents {
        let numbers = plan(Strategy::InOrder).numbers;
        let each = numbers.iter().map(|number| (number.clone(), rules.clone())).collect();
        Agents::with_rules(numbers, each, Random::from_number(1))
    }

    fn told(agents: &mut Agents) -> Vec<(String, What)> {
        std::iter::from_fn(|| agents.poll_told()).map(|(agent, _, what)| (agent.to_string(), what)).collect()
    }

    #[test]
    fn the_choice_says_who_could_have_been_rung_and_why_others_could_not() {
        let mut agents = on_duty(&Rules { login: true, ..Rules::default() });
        let wanted_by = |agents: &mut Agents, n| {
            let (hotline, tried) = (HotlineId::from("property"), BTreeSet::new());
            let plan = plan(Strategy::InOrder);
            agents.take_next(Wanted {
                hotline: Some(&hotline),
                plan: &plan,
                tried: &tried,
                call: call(n),
                relaxed: false,
                now: Wall::from_micros(0),
            })
        };
        assert_eq!(wanted_by(&mut agents, 1), None, "nobody has logged in");
        for number in ["7", "8", "9"] {
            agents.order(&number.into(), Order::Ready, By::Api, after(0)).unwrap();
        }
        assert_eq!(agents.order(&"5".into(), Order::Ready, By::Api, after(0)), Err(Refused::NoAgent));
        agents.order(&"7".into(), Order::Pause(None), By::Phone, after(1)).unwrap();
        let choice = wanted_by(&mut agents, 1).unwrap();
        assert_eq!((choice.agent.as_str(), choice.strategy.as_str()), ("8", "in_order"));
        assert_eq!(choice.eligible, [AgentNo::from("8"), AgentNo::from("9")]);
        assert_eq!(choice.skipped, [(AgentNo::from("7"), Why::Paused)]);
        agents.answered(&"8".into(), call(1), Duration::from_secs(30), after(1));
        agents.release(&"8".into(), call(1), after(5_000));
        let choice = wanted_by(&mut agents, 2).unwrap();
        assert_eq!(choice.skipped, [(AgentNo::from("7"), Why::Paused), (AgentNo::from("8"), Why::WrapUp)]);
        assert_eq!(wanted_by(&mut agents, 3), None);
        let (tried, plan) = (BTreeSet::new(), plan(Strategy::InOrder));
        let colleague = Wanted {
            hotline: None,
            plan: &plan,
            tried: &tried,
            call: call(4),
            relaxed: false,
            now: Wall::from_micros(0),
        };
        assert_eq!(agents.take_next(colleague).unwrap().agent.as_str(), "7", "a colleague may ring who pauses");
    }

    #[test]
    fn wrap_up_ends_by_itself_and_those_who_wait_are_told() {
        let mut agents = on_duty(&Rules::default());
        assert_eq!(take_next(&mut agents, &plan(Strategy::InOrder), &BTreeSet::new(), call(1)), Some("7".into()));
        agents.answered(&"7".into(), call(1), Duration::from_secs(30), after(1));
        agents.release(&"7".into(), call(1), after(5_000));
        assert_eq!((agents.poll_freed(), agents.taken()), (None, 0));
        assert_eq!(agents.presence(&"7".into()).map(Presence::kind), Some(Kind::WrapUp));
        assert_eq!(agents.poll_timeout().map(|(at, _)| at), Some(Instant::from_millis(35_000)));
        agents.handle_timeout(after(34_999));
        assert_eq!(agents.poll_freed(), None);
        agents.handle_timeout(after(35_000));
        assert_eq!((agents.poll_freed(), agents.poll_timeout()), (Some("7".into()), None));
        let until_us = 30_000_000;
        let wrap_up = What::WrapUp { until_us, call: Some(call(1)), by: By::Call };
        assert_eq!(told(&mut agents), [("7".to_owned(), wrap_up), ("7".to_owned(), What::Ready { by: By::Limit })]);
    }

    #[test]
    fn a_restart_finds_everybody_as_they_were() {
        let mut agents = on_duty(&Rules { login: true, ..Rules::default() });
        agents.restore(&"7".into(), &What::Ready { by: By::Phone }, after(0));
        agents.restore(&"8".into(), &What::LoggedOut { by: By::Phone }, after(0));
        agents.restore(&"6".into(), &What::Ready { by: By::Phone }, after(0));
        assert_eq!(told(&mut agents), [("7".to_owned(), What::Ready { by: By::Restart })]);
        assert_eq!(agents.available(), 1);
        // The dialplan asks for no login any more.
        agents.renew(&plan(Strategy::InOrder).numbers.into_iter().collect(), &Plans::default(), after(1));
        assert_eq!(agents.available(), 3);
    }
}
