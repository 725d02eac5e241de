//! Who takes part in a talk beside caller and agent: supervisors who have dialled in, and somebody whom the agent has added
//! (`adding`), and the phone of an agent who holds the caller, which rings again (`holder`).
//!
//! ```text
//! Arriving ─► Inviting ─► Ringing ─► There ─► gone        (added)
//! Arriving ─────────────────────────► There ─► gone        (supervisor)
//! ```
//!
//! A supervisor is with one agent: when that agent's talk with the caller is over, so is this. What any of them does is no part
//! of what the agent does, and nobody hears more of a supervisor than [`Supervision`] says.

use std::collections::BTreeMap;

use super::agent::Agents;
use super::fact::{BesideEnd, RingResult, Supervision, What};
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
    pub(super) beside: BTreeMap<u32, Third>,
    /// The agent holds, which is no hold while somebody who was added talks with the caller.
    pub(super) agent_holds: bool,
}

#[derive(Debug)]
pub(super) struct Third {
    pub(super) part: Part,
    pub(super) stage: Stage,
}

#[derive(Debug)]
pub(super) enum Part {
    Supervisor {
        by: AgentNo,
        mode: Supervision,
    },
    Added {
        who: Callee,
    },
    /// The phone of the agent who holds the caller: it only rings, see `holder`.
    Holder {
        agent: AgentNo,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Ports are being opened.
    Arriving,
    Inviting {
        until: Instant,
    },
    Ringing {
        until: Instant,
    },
    There,
    /// Nothing comes from that phone; it is sent away then.
    Silent {
        until: Instant,
    },
}

/// Why somebody takes part no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// By himself, or because of his phone.
    By(BesideEnd),
    /// Nobody came.
    Failed(RingResult, Option<u16>),
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

impl Stage {
    fn until(self) -> Option<Instant> {
        match self {
            Stage::Inviting { until } | Stage::Ringing { until } | Stage::Silent { until } => Some(until),
            Stage::Arriving | Stage::There => None,
        }
    }

    pub(super) fn is_there(self) -> bool {
        matches!(self, Stage::There | Stage::Silent { .. })
    }
}

impl Third {
    /// Who is called, and does not dial in.
    pub(super) fn called(&self) -> Option<Callee> {
        match &self.part {
            Part::Added { who } => Some(who.clone()),
            Part::Holder { agent } => Some(Callee::Agent(agent.clone())),
            Part::Supervisor { .. } => None,
        }
    }
}

impl Conference {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let first = self.beside.values().filter_map(|third| third.stage.until()).min();
        first.map(|until| (until, "somebody beside the two is silent, or does not answer"))
    }
}

impl Call {
    /// A number for the leg of a supervisor of this agent; `None`: the two do not talk, or there is no room.
    pub fn seat_for_supervisor(&mut self, of: &AgentNo) -> Option<u32> {
        let kept = self.is_hotlines();
        let State::Talking(talking) = &mut self.state else { return None };
        let with = matches!(&talking.callee, Callee::Agent(agent) if agent == of);
        let room = talking.conference.beside.len() < limits::CONFERENCE;
        let may = kept && with && room && matches!(talking.stage, TalkingStage::Connected);
        may.then(|| talking.next_attempt())
    }

    /// The agent who talks with the caller.
    pub fn talking_agent(&self) -> Option<&AgentNo> {
        match &self.state {
            State::Talking(talking) => match (&talking.callee, &talking.stage) {
                (_, TalkingStage::Parked(_)) | (Callee::Target(_), _) => None,
                (Callee::Agent(agent), _) => Some(agent),
            },
            _ => None,
        }
    }

    /// What concerns only those beside the two; `Err`: it is for the talk.
    pub(super) fn handle_conference(
        &mut self,
        talking: &mut Talking,
        (now, at): (Instant, Now),
        input: Input,
        agents: &mut Agents,
    ) -> Result<(), Input> {
        let beside = &mut talking.conference.beside;
        match input {
            Input::Supervise { attempt, by, mode } => {
                beside.insert(attempt, Third { part: Part::Supervisor { by, mode }, stage: Stage::Arriving });
            }
            Input::Beside { attempt, does } => match does {
                Beside::HangsUp => self.dismiss(talking, attempt, at, Gone::By(BesideEnd::Left)),
                Beside::IsLost => self.dismiss(talking, attempt, at, Gone::By(BesideEnd::Lost)),
                Beside::Presses(key) => self.supervise_by_key(talking, attempt, at, key),
                Beside::FallsSilent | Beside::IsHeard => {
                    if let Some(third) = beside.get_mut(&attempt).filter(|third| third.stage.is_there()) {
                        let until = at.mono + (limits::MEDIA_TIMEOUT - limits::MEDIA_LOST);
                        let silent = does == Beside::FallsSilent;
                        third.stage = if silent { Stage::Silent { until } } else { Stage::There };
                    }
                }
            },
            Input::AgentReady { attempt } if beside.contains_key(&attempt) => {
                self.third_is_ready(talking, attempt, now, at);
            }
            Input::AgentNotReady { attempt } if beside.contains_key(&attempt) => {
                self.dismiss(talking, attempt, at, Gone::Failed(RingResult::Fault, None));
            }
            other => return self.handle_adding(talking, at, other, agents),
        }
        Ok(())
    }

    pub(super) fn conference_timed_out(&mut self, talking: &mut Talking, now: Now) {
        let due = |(attempt, third): (&u32, &Third)| {
            let gone = match third.stage {
                Stage::Silent { .. } => Gone::By(BesideEnd::NoMedia),
                Stage::Ringing { .. } => Gone::Failed(RingResult::NoAnswer, None),
                // A phone that never even rang was not reached.
                Stage::Inviting { .. } | Stage::Arriving | Stage::There => Gone::Failed(RingResult::Unreachable, None),
            };
            third.stage.until().filter(|until| *until <= now.mono).map(|_| (*attempt, gone))
        };
        let due: Vec<(u32, Gone)> = talking.conference.beside.iter().filter_map(due).collect();
        due.into_iter().for_each(|(attempt, gone)| self.dismiss(talking, attempt, now, gone));
    }

    fn third_is_ready(&mut self, talking: &mut Talking, attempt: u32, now: Instant, at: Now) {
        let Some(third) = talking.conference.beside.get_mut(&attempt) else { return };
        if third.stage != Stage::Arriving {
            return;
        }
        match &third.part {
            Part::Supervisor { by, mode } => {
                let (by, mode) = (by.clone(), *mode);
                third.stage = Stage::There;
                self.actions.push_back(Action::AcceptPhone { attempt });
                self.actions.push_back(Action::Admit { attempt, audible: mode.audible() });
                self.fact(at, What::SupervisionStarted { attempt, by, mode });
            }
            Part::Added { .. } | Part::Holder { .. } => {
                self.actions.push_back(match third.called() {
                    Some(Callee::Agent(agent)) => Action::InviteAgent { attempt, agent },
                    Some(Callee::Target(_)) | None => Action::InviteTarget { attempt },
                });
                third.stage = Stage::Inviting { until: now + self.hotline.agents.ring };
            }
        }
    }

    fn supervise_by_key(&mut self, talking: &mut Talking, attempt: u32, at: Now, key: char) {
        let third = talking.conference.beside.get_mut(&attempt).filter(|third| third.stage.is_there());
        let Some(Third { part: Part::Supervisor { by, mode: before }, .. }) = third else { return };
        let Some(mode) = Supervision::of_key(key).filter(|mode| mode != before) else { return };
        *before = mode;
        let by = by.clone();
        self.actions.push_back(Action::Admit { attempt, audible: mode.audible() });
        self.fact(at, What::SupervisionChanged { attempt, by, mode });
    }

    pub(super) fn dismiss(&mut self, talking: &mut Talking, attempt: u32, at: Now, gone: Gone) {
        if let Some(third) = talking.conference.beside.remove(&attempt) {
            let joined = matches!(third.part, Part::Added { .. }) && third.stage.is_there();
            self.send_away(attempt, third, at, gone);
            if joined {
                self.hold_counts_again(talking, at);
            }
        }
    }

    /// The talk with this agent is over, for whatever reason.
    pub(super) fn dismiss_all(&mut self, talking: &mut Talking, at: Now) {
        for (attempt, third) in std::mem::take(&mut talking.conference.beside) {
            let gone = match third.stage.is_there() {
                true => Gone::By(BesideEnd::TalkOver),
                false => Gone::Failed(RingResult::CallerLeft, None),
            };
            self.send_away(attempt, third, at, gone);
        }
    }

    fn send_away(&mut self, attempt: u32, third: Third, at: Now, gone: Gone) {
        let (called, Third { part, stage }) = (third.called(), third);
        let (result, status) = match gone {
            Gone::Failed(result, status) => (result, status),
            Gone::By(_) => (RingResult::Unreachable, None),
        };
        if let Some(who) = called.filter(|_| self.ledger.ringing.contains_key(&attempt)) {
            self.fact(at, who.released(attempt, result, status));
        }
        let mut parting = Parting::HungUp;
        match (part, gone) {
            (Part::Supervisor { by, .. }, gone) if stage.is_there() => {
                let why = match gone {
                    Gone::By(why) => why,
                    Gone::Failed(..) => BesideEnd::Lost,
                };
                self.fact(at, What::SupervisionEnded { attempt, by, why });
            }
            (Part::Supervisor { .. }, _) => {}
            (Part::Added { who }, Gone::By(why)) if stage.is_there() => {
                self.fact(at, What::AddedLeft { attempt, who, why });
            }
            (Part::Added { .. }, _) => self.fact(at, What::AddFailed { attempt, result, status }),
            // The agent is in this very call: none was missed.
            (Part::Holder { .. }, _) => parting = Parting::Elsewhere,
        }
        self.actions.push_back(Action::ReleaseAgent { attempt, parting });
    }
}
