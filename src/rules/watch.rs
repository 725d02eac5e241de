//! What is about to be broken in a live call: a machine over its facts and time that yields cues. It acts on no call.

use std::collections::BTreeMap;
use std::time::Duration;

use super::pack::Pack;
use crate::call::fact::{AnswerRule, Fact, What};
use crate::call::script;
use crate::cdr::words;
use crate::clock::Instant;
use crate::ids::{CallId, Side};
use crate::schedule::Schedule;

/// How long before the length of a talk its agent is told.
const AHEAD: Duration = Duration::from_secs(30);

words! {
    /// A warning, once; of a hold, once for each hold.
    Cue {
        /// The second ring begins, and nobody has answered.
        SecondRing "second_ring",
        /// Half a minute is left of the length that a talk should have.
        TalkNearItsLength "talk_near_its_length",
        /// That length is reached.
        TalkAtItsLength "talk_at_its_length",
        /// The agent has held the caller as long as a hold may last.
        HoldAtItsLength "hold_at_its_length",
        /// Twice as long.
        HoldAtTwiceItsLength "hold_at_twice_its_length",
    }
}

impl Cue {
    /// The rule that it warns of.
    pub fn rule(self) -> &'static str {
        match self {
            Cue::SecondRing => "R-001",
            Cue::TalkNearItsLength | Cue::TalkAtItsLength => "R-200",
            Cue::HoldAtItsLength | Cue::HoldAtTwiceItsLength => "R-125",
        }
    }

    fn why(self) -> &'static str {
        match self {
            Cue::SecondRing => "second ring",
            Cue::TalkNearItsLength | Cue::TalkAtItsLength => "length of the talk",
            Cue::HoldAtItsLength | Cue::HoldAtTwiceItsLength => "length of the hold",
        }
    }
}

/// One live call.
#[derive(Debug, Clone)]
pub struct Watch {
    state: State,
    answer: AnswerRule,
    talk: Duration,
    hold: Duration,
    /// The number of the next fact; lower ones have been seen.
    next: u32,
}

#[derive(Debug, Clone)]
enum State {
    /// No agent has the caller yet.
    Waiting {
        ring: Option<Instant>,
        told: bool,
    },
    Talking(Talking),
    /// Ended, or with somebody who is no agent.
    Over,
}

#[derive(Debug, Clone)]
struct Talking {
    /// Talk before `since`, holds left out.
    talked: Duration,
    /// `None`: somebody holds, or the caller is with nobody.
    since: Option<Instant>,
    held: [Option<Instant>; 2],
    /// Since when somebody is being called into the talk: a hold meanwhile is none.
    adding: Option<Instant>,
    transfer: bool,
    /// How many cues of the talk, and of the agent's present hold, were given.
    talk_told: usize,
    hold_told: usize,
    /// The same of the cues that the dialplan asks for: what an agent should know by its times, and a phone that holds cannot sound.
    talk_cued: usize,
    hold_cued: usize,
}

impl Watch {
    /// Begins a call by the parameters of `pack`; `None` if `first` is not `offered`, or no caller called.
    pub fn begin(first: &Fact, pack: &Pack) -> Option<Watch> {
        let What::Offered(offered) = &first.what else { return None };
        if offered.is_apart() {
            return None;
        }
        let ms = |rule: &str, name: &str| {
            let ms = pack.rule(rule).and_then(|rule| pack.parameter(rule, name));
            Duration::from_millis(ms.unwrap_or(u32::MAX).into())
        };
        let mut answer = offered.answer.clone();
        if let Some(max) = pack.rule("R-001").and_then(|rule| pack.parameter(rule, "max_rings")) {
            answer.max_rings = max;
        }
        let state = State::Waiting { ring: None, told: false };
        Some(Watch { state, answer, talk: ms("R-200", "talk_ms"), hold: ms("R-125", "hold_ms"), next: first.n + 1 })
    }

    /// Takes the call's next fact.
    pub fn handle_fact(&mut self, fact: &Fact) {
        if fact.n < self.next {
            return;
        }
        self.next = fact.n + 1;
        let at = Instant::from_nanos(fact.at.mono_ns);
        match (&mut self.state, &fact.what) {
            (_, What::Ended { .. }) => self.state = State::Over,
            (State::Waiting { ring, .. }, What::Ring) => drop(ring.get_or_insert(at)),
            (State::Waiting { .. }, What::AgentAnswered { .. }) => self.state = State::Talking(Talking::new(at)),
            (State::Waiting { .. }, What::TargetAnswered { .. } | What::Step { takes: true, .. }) => {
                self.state = State::Over
            }
            (State::Talking(talking), what) => talking.handle(at, what),
            _ => {}
        }
    }

    /// When the next cue is due, and for what.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.due().map(|(at, cue)| (at, cue.why()))
    }

    /// The cues that are due by now, in order.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Cue> {
        let mut cues = Vec::new();
        while let Some((_, cue)) = self.due().filter(|(at, _)| *at <= now) {
            match &mut self.state {
                State::Waiting { told, .. } => *told = true,
                State::Talking(talking) => match cue {
                    Cue::HoldAtItsLength | Cue::HoldAtTwiceItsLength => talking.hold_told += 1,
                    _ => talking.talk_told += 1,
                },
                State::Over => {}
            }
            cues.push(cue);
        }
        cues
    }

    /// What was told and still holds, the gravest: it goes when the phone is answered, the hold ends, the call is over.
    pub fn standing(&self) -> Option<Cue> {
        match &self.state {
            State::Waiting { told: true, .. } => Some(Cue::SecondRing),
            State::Talking(talking) => talking.standing(),
            State::Waiting { told: false, .. } | State::Over => None,
        }
    }

    /// What stands now of a call whose facts are read back.
    pub fn standing_of(facts: &[Fact], pack: &Pack, now: Instant) -> Option<Cue> {
        let (first, rest) = facts.split_first()?;
        let mut watch = Watch::begin(first, pack)?;
        for fact in rest {
            watch.handle_timeout(Instant::from_nanos(fact.at.mono_ns));
            watch.handle_fact(fact);
        }
        watch.handle_timeout(now);
        watch.standing()
    }

    fn due(&self) -> Option<(Instant, Cue)> {
        match &self.state {
            // Where one ring is all there is, the second is no warning.
            State::Waiting { ring: Some(ring), told: false } if self.answer.max_rings > 1 => {
                Some((*ring + Duration::from_millis(self.answer.period_ms), Cue::SecondRing))
            }
            State::Talking(talking) => {
                let talk = talking.talk_due(self.talk);
                let hold = talking.hold_due(self.hold);
                talk.into_iter().chain(hold).min()
            }
            _ => None,
        }
    }
}

impl Talking {
    fn new(at: Instant) -> Talking {
        Talking {
            talked: Duration::ZERO,
            since: Some(at),
            held: [None; 2],
            adding: None,
            transfer: false,
            talk_told: 0,
            hold_told: 0,
            talk_cued: 0,
            hold_cued: 0,
        }
    }

    fn handle(&mut self, at: Instant, what: &What) {
        match what {
            What::HoldStarted { by } => {
                let held = &mut self.held[index(*by)];
                if held.is_none() {
                    *held = Some(at);
                    if *by == Side::Agent {
                        (self.hold_told, self.hold_cued) = (0, 0);
                    }
                }
            }
            What::HoldEnded { by } => self.held[index(*by)] = None,
            What::Cued { cue, .. } => match cue {
                script::Cue::TalkNearItsLength => self.talk_cued = 1,
                script::Cue::TalkAtItsLength => self.talk_cued = 2,
                script::Cue::HoldLong => self.hold_cued = 1,
                script::Cue::HoldVeryLong => self.hold_cued = 2,
                script::Cue::Say | script::Cue::Apologise | script::Cue::LateAnswer => {}
            },
            What::AddStarted { .. } => self.adding = Some(at),
            What::Added { .. } | What::AddFailed { .. } => {
                let held = &mut self.held[index(Side::Agent)];
                if let Some((adding, held)) = self.adding.take().zip(held.as_mut()) {
                    *held = *held + at.since(adding.max(*held));
                }
            }
            What::TransferStarted { .. } => self.transfer = true,
            What::TransferCompleted { .. } | What::TransferFailed { .. } => {
                self.transfer = false;
                // Whoever takes the caller over finds no hold.
                if let What::TransferCompleted { .. } = what {
                    self.held[index(Side::Agent)] = None;
                }
            }
            _ => return,
        }
        let talks = !self.transfer && self.held == [None; 2];
        match self.since {
            Some(since) if !talks => {
                self.talked += at.since(since);
                self.since = None;
            }
            None if talks => self.since = Some(at),
            _ => {}
        }
    }

    fn standing(&self) -> Option<Cue> {
        match (self.hold().is_some(), self.hold_told.max(self.hold_cued), self.talk_told.max(self.talk_cued)) {
            (true, 2.., _) => Some(Cue::HoldAtTwiceItsLength),
            (true, 1, _) => Some(Cue::HoldAtItsLength),
            (_, _, 2..) => Some(Cue::TalkAtItsLength),
            (_, _, 1) => Some(Cue::TalkNearItsLength),
            _ => None,
        }
    }

    /// Since when the agent holds, unless that is none.
    fn hold(&self) -> Option<Instant> {
        self.held[index(Side::Agent)].filter(|_| self.adding.is_none())
    }

    fn talk_due(&self, length: Duration) -> Option<(Instant, Cue)> {
        let (after, cue) = match self.talk_told {
            0 => (length.saturating_sub(AHEAD), Cue::TalkNearItsLength),
            1 => (length, Cue::TalkAtItsLength),
            _ => return None,
        };
        Some((self.since? + after.saturating_sub(self.talked), cue))
    }

    fn hold_due(&self, length: Duration) -> Option<(Instant, Cue)> {
        let (after, cue) = match self.hold_told {
            0 => (length, Cue::HoldAtItsLength),
            1 => (length * 2, Cue::HoldAtTwiceItsLength),
            _ => return None,
        };
        Some((self.hold()? + after, cue))
    }
}

fn index(side: Side) -> usize {
    match side {
        Side::Caller => 0,
        Side::Agent => 1,
    }
}

/// The live calls of a switch: cues as they fall due, by whoever asks often enough.
#[derive(Debug, Default)]
pub struct Watches {
    live: BTreeMap<CallId, Watch>,
    due: Schedule<CallId>,
}

impl Watches {
    /// Feed it every fact of this run, in order.
    pub fn handle_fact(&mut self, fact: &Fact, pack: &Pack) {
        match self.live.get_mut(&fact.call) {
            Some(watch) => watch.handle_fact(fact),
            None => match Watch::begin(fact, pack) {
                Some(watch) => drop(self.live.insert(fact.call, watch)),
                None => return,
            },
        }
        if let What::Ended { .. } = fact.what {
            self.live.remove(&fact.call);
        }
        let next = self.live.get(&fact.call).and_then(|watch| watch.poll_timeout());
        self.due.set(fact.call, next.map(|(at, _)| at));
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.due.next().map(|(at, _)| (at, "a rule is about to be broken"))
    }

    /// The cues that are due by now.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<(CallId, Cue)> {
        let mut told = Vec::new();
        while let Some(call) = self.due.pop_due(now) {
            let Some(watch) = self.live.get_mut(&call) else { continue };
            told.extend(watch.handle_timeout(now).into_iter().map(|cue| (call, cue)));
            self.due.set(call, watch.poll_timeout().map(|(at, _)| at));
        }
        told
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
