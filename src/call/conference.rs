//! Who takes part in a talk beside caller and agent: supervisors who have dialled in.
//!
//! ```text
//! Arriving ─► There ─► gone
//! ```
//!
//! A supervisor is with one agent: when that agent's talk with the caller is over, so is this. What a supervisor does is no part
//! of what the agent does, and nobody hears more of it than [`Supervision`] says.

use std::collections::BTreeMap;

use super::fact::{Supervision, SupervisionEnd, What};
use super::leg::{Action, Beside, Callee, Input, Parting};
use super::talking::{Stage as TalkingStage, Talking};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::ids::AgentNo;
use crate::limits;
use crate::media::Audible;

#[derive(Debug, Default)]
pub(super) struct Conference {
    /// By attempt.
    beside: BTreeMap<u32, Supervisor>,
}

#[derive(Debug)]
struct Supervisor {
    by: AgentNo,
    mode: Supervision,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Ports are being opened, or the 200 is on its way.
    Arriving,
    There,
    /// Nothing comes from that phone; it is sent away then.
    Silent {
        until: Instant,
    },
}

impl Supervision {
    fn audible(self) -> Audible {
        match self {
            Supervision::Listen => Audible::Nobody,
            Supervision::Whisper => Audible::Agent,
            Supervision::Barge => Audible::All,
        }
    }

    /// The key that asks for it.
    fn of_key(key: char) -> Option<Supervision> {
        match key {
            '1' => Some(Supervision::Listen),
            '2' => Some(Supervision::Whisper),
            '3' => Some(Supervision::Barge),
            _ => None,
        }
    }
}

impl Conference {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let until = |supervisor: &Supervisor| match supervisor.stage {
            Stage::Silent { until } => Some(until),
            Stage::Arriving | Stage::There => None,
        };
        self.beside.values().filter_map(until).min().map(|until| (until, "a supervisor's phone is silent"))
    }
}

impl Call {
    /// A number for the leg of a supervisor of this agent; `None`: the two do not talk, or there is no room.
    pub fn seat_for_supervisor(&mut self, of: &AgentNo) -> Option<u32> {
        let kept = self.is_kept();
        let State::Talking(talking) = &mut self.state else { return None };
        let with = matches!(&talking.callee, Callee::Agent(agent) if agent == of);
        let room = talking.conference.beside.len() < limits::SUPERVISORS;
        let may = kept && with && room && matches!(talking.stage, TalkingStage::Connected);
        may.then(|| talking.next_attempt())
    }

    /// The agent who talks with the caller.
    pub fn talking_agent(&self) -> Option<&AgentNo> {
        match &self.state {
            State::Talking(talking) => match &talking.callee {
                Callee::Agent(agent) => Some(agent),
                Callee::Target(_) => None,
            },
            _ => None,
        }
    }

    /// What concerns only those beside the two; `Err`: it is for the talk.
    pub(super) fn handle_conference(&mut self, talking: &mut Talking, at: Now, input: Input) -> Result<(), Input> {
        let beside = &mut talking.conference.beside;
        match input {
            Input::Supervise { attempt, by, mode } => {
                beside.insert(attempt, Supervisor { by, mode, stage: Stage::Arriving });
            }
            Input::AgentReady { attempt } if beside.contains_key(&attempt) => {
                if let Some(supervisor) = beside.get_mut(&attempt).filter(|s| s.stage == Stage::Arriving) {
                    supervisor.stage = Stage::There;
                    let (by, mode) = (supervisor.by.clone(), supervisor.mode);
                    self.actions.push_back(Action::AcceptPhone { attempt });
                    self.actions.push_back(Action::Admit { attempt, audible: mode.audible() });
                    self.fact(at, What::SupervisionStarted { attempt, by, mode });
                }
            }
            Input::AgentNotReady { attempt } if beside.contains_key(&attempt) => {
                self.dismiss(talking, attempt, at, SupervisionEnd::Lost);
            }
            Input::Beside { attempt, does } => match does {
                Beside::HangsUp => self.dismiss(talking, attempt, at, SupervisionEnd::Left),
                Beside::IsLost => self.dismiss(talking, attempt, at, SupervisionEnd::Lost),
                Beside::Presses(key) => self.supervise_by_key(talking, attempt, at, key),
                Beside::FallsSilent | Beside::IsHeard => {
                    if let Some(supervisor) = beside.get_mut(&attempt).filter(|s| s.stage != Stage::Arriving) {
                        let until = at.mono + (limits::MEDIA_TIMEOUT - limits::MEDIA_LOST);
                        let silent = does == Beside::FallsSilent;
                        supervisor.stage = if silent { Stage::Silent { until } } else { Stage::There };
                    }
                }
            },
            other => return Err(other),
        }
        Ok(())
    }

    pub(super) fn conference_timed_out(&mut self, talking: &mut Talking, now: Now) {
        let due = |supervisor: &Supervisor| matches!(supervisor.stage, Stage::Silent { until } if until <= now.mono);
        let due: Vec<u32> = talking.conference.beside.iter().filter(|(_, s)| due(s)).map(|(n, _)| *n).collect();
        due.into_iter().for_each(|attempt| self.dismiss(talking, attempt, now, SupervisionEnd::NoMedia));
    }

    fn supervise_by_key(&mut self, talking: &mut Talking, attempt: u32, at: Now, key: char) {
        let Some(supervisor) = talking.conference.beside.get_mut(&attempt) else { return };
        let Some(mode) = Supervision::of_key(key) else { return };
        if supervisor.stage == Stage::Arriving || std::mem::replace(&mut supervisor.mode, mode) == mode {
            return;
        }
        let by = supervisor.by.clone();
        self.actions.push_back(Action::Admit { attempt, audible: mode.audible() });
        self.fact(at, What::SupervisionChanged { attempt, by, mode });
    }

    fn dismiss(&mut self, talking: &mut Talking, attempt: u32, at: Now, why: SupervisionEnd) {
        if let Some(supervisor) = talking.conference.beside.remove(&attempt) {
            self.send_away(attempt, supervisor, at, why);
        }
    }

    /// The talk with this agent is over, for whatever reason.
    pub(super) fn dismiss_supervisors(&mut self, talking: &mut Talking, at: Now) {
        for (attempt, supervisor) in std::mem::take(&mut talking.conference.beside) {
            self.send_away(attempt, supervisor, at, SupervisionEnd::TalkOver);
        }
    }

    fn send_away(&mut self, attempt: u32, supervisor: Supervisor, at: Now, why: SupervisionEnd) {
        if supervisor.stage != Stage::Arriving {
            self.fact(at, What::SupervisionEnded { attempt, by: supervisor.by, why });
        }
        self.actions.push_back(Action::ReleaseAgent { attempt, parting: Parting::HungUp });
    }
}
