//! What the scripts of a talk want done, done: facts, prompts, tones, the end of the call; and callers whom the agent sends to
//! a desk by `*` and a key.

use super::agent::Agents;
use super::fact::{SentFor, What};
use super::leg::{Action, Callee, Parting};
use super::reason::EndedBy;
use super::route::{Line, Ring, Route};
use super::script::{Act, Cue};
use super::talking::{Stage, Talking};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::dialplan::plan::Next;
use crate::dialplan::scripts::Desks;
use crate::ids::Side;
use crate::media::{Hears, Play, cue_tone};

impl Call {
    /// To be called after whatever a talk was told.
    pub(super) fn act(&mut self, state: State, now: Instant, at: Now) -> State {
        let State::Talking(mut talking) = state else { return state };
        let company = talking.company();
        talking.scripts.accompany(at.mono, company);
        while let Some(act) = talking.scripts.poll() {
            match act {
                Act::Note { script, deed, by } => self.fact(at, What::Scripted { script, deed, by }),
                Act::Say(prompt) => self.order_play(Play::Script, &prompt, None, false),
                Act::Hush => self.actions.push_back(Action::Hush),
                Act::Cue(cue) => self.cue(&talking, at, cue),
                Act::Warn if self.is_recorded() && !self.privacy.is_paused() => self.actions.push_back(Action::Warn),
                Act::Warn => {}
                Act::RingHolder => self.ring_holder(&mut talking, at),
                Act::Close(reason) => return self.part(talking, now, at, reason, EndedBy::Gateway),
            }
        }
        State::Talking(talking)
    }

    /// A phone that holds takes no sound: then the cue is only told.
    pub(super) fn cue(&mut self, talking: &Talking, at: Now, cue: Cue) {
        let hears = matches!(talking.stage, Stage::Connected) && !talking.held.contains(&Side::Agent);
        let sounded = hears && matches!(talking.callee, Callee::Agent(_));
        self.fact(at, What::Cued { cue, sounded });
        if sounded {
            let beeps = match cue {
                Cue::Say | Cue::TalkNearItsLength | Cue::HoldLong => 1,
                Cue::TalkAtItsLength | Cue::HoldVeryLong | Cue::Apologise | Cue::LateAnswer => 2,
            };
            self.actions.push_back(Action::Cue { audio: cue_tone(beeps) });
        }
    }

    /// How the talk was when somebody hung up.
    pub(super) fn note_parting(&mut self, talking: &Talking, at: Now, by: Side) {
        if let (Some(quiet), Callee::Agent(_)) = (talking.scripts.parting.quiet(at.mono), &talking.callee) {
            self.fact(at, What::Parted { by, caller_quiet_ms: quiet.caller_ms, agent_quiet_ms: quiet.agent_ms });
        }
    }

    /// The agent has pressed `*` and this: whether it is the code of a desk, and which.
    pub(super) fn desk_of(&self, talking: &Talking, key: char) -> Option<(SentFor, Next)> {
        let connected = matches!((&talking.stage, &talking.callee), (Stage::Connected, Callee::Agent(_)));
        if !connected || !self.is_hotlines() {
            return None;
        }
        let Desks { nuisance, wrong_number, emergency, person_sought } = &self.hotline.scripts.desks;
        let desks = [
            (SentFor::Nuisance, nuisance),
            (SentFor::WrongNumber, wrong_number),
            (SentFor::Emergency, emergency),
            (SentFor::PersonSought, person_sought),
        ];
        let found = desks.into_iter().find_map(|(why, desk)| Some((why, desk.as_ref().filter(|d| d.key == key)?)));
        found.map(|(why, desk)| (why, desk.then.clone()))
    }

    /// The caller leaves the agent and goes where the dialplan says; nobody has hung up on anybody.
    pub(super) fn send_to_desk(
        &mut self,
        mut talking: Box<Talking>,
        now: Instant,
        at: Now,
        (why, next): (SentFor, Next),
        agents: &mut Agents,
    ) -> State {
        let Callee::Agent(agent) = talking.callee.clone() else { return State::Talking(talking) };
        let attempt = talking.attempt;
        self.mute(&mut talking, at, false);
        self.dismiss_all(&mut talking, at);
        self.fact(at, What::SentToDesk { why, agent: agent.clone() });
        if talking.held.remove(&Side::Agent) {
            self.fact(at, What::HoldEnded { by: Side::Agent });
        }
        self.fact(at, What::AgentLeft { attempt, agent });
        self.actions.push_back(Action::Park { hears: Hears::Nothing });
        self.actions.push_back(Action::ReleaseAgent { attempt, parting: Parting::HungUp });
        let mut route = Route::new(self.offered.mono);
        route.line = Line::Attended;
        route.ring = Ring::Rung(at);
        route.last_attempt = talking.last_attempt();
        route.give_up = now + crate::limits::LONGEST_ATTENDED;
        route.why = Some(super::reason::Reason::SentToDesk);
        self.go(route, &next, now, at, agents)
    }
}
